"""The state of a training that is damaged: it is refused in one sentence before anything is trained with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra learn: pip install 'dmsb[learn]'")

from safetensors.numpy import load  # noqa: E402

from policies import diffusion, dqn, gpt, ppo, sac  # noqa: E402
from policies.learning.checkpoint import restore  # noqa: E402
from policies.learning.features import Inputs  # noqa: E402
from policies.learning.soft_actor_critic import Settings  # noqa: E402
from simulator import InputError  # noqa: E402
from simulator.files import checkpoint  # noqa: E402
from simulator.model.mechanism import price_grid  # noqa: E402

torch.set_num_threads(1)

KINDS = ("diffusion", "sac", "ppo", "dqn", "gpt")
Arrays = dict[str, Any]
GRID = price_grid(5).tolist()


def learner_of(kind: str, seed: int = 0, **device: Any) -> Any:
    if kind == "ppo":
        settings = ppo.Settings(width=4, worlds=2, horizon=8, gamma=0.9)
        return ppo.ProximalPolicyOptimisation(settings, GRID, seed, 1_000, **device)
    if kind == "dqn":
        small = dqn.Settings(width=4, worlds=2, warmup=10, batch=4, capacity=30, gamma=0.9)
        return dqn.DoubleDeepQ(small, GRID, seed, 1_000, **device)
    if kind == "gpt":
        seen = Inputs(("round", "buyer_clock", "seller_clock"), (False, True, True))
        sizes: dict[str, Any] = {
            "width": 4,
            "layers": 1,
            "inner": 4,
            "positions": 4,
            "batch": 2,
            "recorded_share": 0.01,
        }
        settings = gpt.Settings(**sizes, record_every=4, worlds=2, horizon=6, gamma=0.9, without_demand=False)
        return gpt.GenerativeTransformer(settings, GRID, seed, 1_000, **{"inputs": seen, **device})
    maker = diffusion.DiffusionActorCritic if kind == "diffusion" else sac.SoftmaxActorCritic
    return maker(
        Settings(width=4, worlds=2, warmup=10, batch=4, capacity=30, gamma=0.9, critics_alone=1),
        GRID,
        seed,
        1_000,
        **device,
    )


def practise(learner: Any, steps: int) -> None:
    """Let a learner act in two worlds of noise, and leave off between two updates."""
    draws = np.random.default_rng(0)
    states = draws.exponential(size=(steps + 1, 2, len(learner.inputs)))
    if learner.kind == "gpt":
        states[:, :, 0] = np.arange(steps + 1)[:, None] % 4
    for step in range(steps):
        actions = learner.act(states[step], range(2))
        for world in range(2):
            info = {"demand": 1.0, "top_bid": 1.0, "scaled_bid": 0.5} | ({"uav_value": 0.4} if step % 2 else {})
            ended = step == steps - 1 and learner.kind not in ("ppo", "gpt")
            learner.remember(world, states[step, world], int(actions[world]), 1.0, ended, states[step + 1, world], info)
        learner.learn()


@pytest.fixture(scope="module", params=KINDS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a learner in the middle of its training."""
    learner = learner_of(request.param)
    practise(learner, 21)
    folder = tmp_path_factory.mktemp(request.param) / "last"
    arrays, meta = learner.state()
    checkpoint.save(folder, arrays, {**meta, "information": "public", "reward": "own"})
    return folder


def read(folder: Path) -> Any:
    kind = json.loads((folder / checkpoint.META).read_text())["kind"]
    learner = learner_of(kind, seed=1)
    restore(folder, learner)
    return learner


def test_a_state_comes_back_whole(whole: Path) -> None:
    before, after = load((whole / checkpoint.ARRAYS).read_bytes()), read(whole).state()[0]
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name], equal_nan=before[name].dtype.kind == "f") for name in before)
    assert any("optimiser" in name for name in before)
    assert any(name.startswith(("replay.", "rollout.")) for name in before)


def one(number: float) -> Callable[[Any], Any]:
    def change(array: Any) -> Any:
        array = array.copy()
        array.flat[array.size // 2] = number
        return array

    return change


def put(name: str, value: Callable[[Any], Any]) -> Callable[[Arrays], object]:
    return lambda arrays: arrays.update({name: value(arrays[name])})


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda found: found.pop(name)


def set_to(name: str, value: Any) -> Callable[[dict[str, Any]], object]:
    return lambda found: found.update({name: value})


def of_arrays(arrays: Arrays) -> Iterator[tuple[str, Callable[[Arrays], object]]]:
    """Damages of each array that its learner must refuse, though the hash is right."""
    for name, array in arrays.items():
        yield f"{name} missing", without(name)
        yield f"{name} of int16", put(name, lambda array: np.nan_to_num(array).astype(np.int16))
        yield f"{name} with an axis more", put(name, lambda array: array[None])
        if array.ndim:
            yield f"{name} with a row more", put(name, lambda array: np.concatenate([array, array[:1]]))
        if array.dtype.kind == "f":
            yield f"{name} with inf", put(name, one(np.inf))
            if name != "replay.uav_value":
                yield f"{name} with nan", put(name, one(np.nan))
        last = name.rpartition(".")[2]
        if last in ("action", "world") and name != "action":
            for number in (-1.0, 0.5, 99.0):
                yield f"{name} with {number}", put(name, one(number))
        if last == "rule":
            for number in (-2.0, 0.5, 99.0):
                yield f"{name} with {number}", put(name, one(number))
        if last in ("exp_avg_sq", "step", "count", "square", "added", "taken"):
            yield f"{name} with -1", put(name, one(-1))
    yield "an array more", set_to("extra", np.zeros(3, np.float32))
    if "replay.added" in arrays:
        yield "more added than there are", set_to("replay.added", np.array([7]))
    if "generator" in arrays:
        yield "no generator", set_to("generator", np.zeros_like(arrays["generator"]))


def of_meta(meta: dict[str, Any]) -> Iterator[tuple[str, Callable[[dict[str, Any]], object]]]:
    wrong: tuple[Any, ...] = (None, True, "x", -1, 1.5, [], {}, [[]], 10**400)
    for name in set(meta) - {"sha256"}:
        yield f"no {name}", without(name)
        for value in wrong:
            yield f"{name} = {str(value)[:9]}", set_to(name, value)
    if "rng" in meta:
        for value in ({"bit_generator": "MT19937"}, {"bit_generator": "PCG64", "state": {"state": -1, "inc": 0}}):
            yield f"rng = {value}", set_to("rng", value)


def test_every_damage_of_a_state_is_refused(whole: Path, tmp_path: Path) -> None:
    text = (whole / checkpoint.META).read_text()
    arrays, meta = load((whole / checkpoint.ARRAYS).read_bytes()), json.loads(text)
    cases: list[tuple[str, Arrays, dict[str, Any]]] = []
    for what, change in of_arrays(arrays):
        cases.append((what, dict(arrays), meta))
        change(cases[-1][1])
    for what, change in of_meta(meta):
        cases.append((what, arrays, json.loads(text)))
        change(cases[-1][2])
    folder = tmp_path / "last"
    folder.mkdir()
    learner, messages = learner_of(meta["kind"], seed=1), {}
    for what, own_arrays, own_meta in cases:
        data, _ = checkpoint.encode(own_arrays, {})
        (folder / checkpoint.ARRAYS).write_bytes(data)
        sealed = {**own_meta, "sha256": checkpoint.seal(own_meta, data)}
        (folder / checkpoint.META).write_text(json.dumps(sealed))
        try:
            messages[what] = "taken"
            restore(folder, learner)
        except InputError as error:
            messages[what] = str(error)
        if "does not fit its own description" in messages[what]:
            learner = learner_of(meta["kind"], seed=1)  # that was half taken over
    assert {what: message for what, message in messages.items() if not message.startswith(str(folder))} == {}
    assert len(messages) > 150


def test_a_state_without_its_hash_is_refused(whole: Path, tmp_path: Path) -> None:
    for number, (name, place) in enumerate(((checkpoint.ARRAYS, -3), (checkpoint.META, -5))):
        folder = tmp_path / str(number)
        shutil.copytree(whole, folder)
        data = bytearray((folder / name).read_bytes())
        data[place] ^= 1
        (folder / name).write_bytes(data)
        with pytest.raises(InputError, match="was changed after it was written"):
            read(folder)
