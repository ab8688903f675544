"""Where a training runs: the choice of the device, and a GPU where there is one."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra learn: pip install 'dmsb[learn]'")

from policies.dqn import (  # noqa: E402
    DoubleDeepQ,
    Settings as DqnSettings,
)
from policies.learning.features import NAMES  # noqa: E402
from policies.learning.training import device_of  # noqa: E402
from simulator import InputError, simulate  # noqa: E402
from simulator.scenario.scenario import Scenario  # noqa: E402
from simulator.study.train import train  # noqa: E402
from tests.policies.test_damaged_state import GRID, KINDS, learner_of, practise  # noqa: E402

SMALL: dict[str, Any] = {"worlds": 2, "width": 8}
PRICES = [kind for kind in KINDS if kind != "gpt"]  # which sets the steps of clocks only
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU that PyTorch can use")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU here")
def test_a_gpu_that_is_not_there_is_an_error_and_auto_takes_the_cpu(tmp_path: Path) -> None:
    assert device_of("auto") == torch.device("cpu")
    with pytest.raises(InputError, match="device: there is no CUDA GPU that PyTorch can use here; give cpu or auto"):
        train(["paper"], "sac", 100, out=tmp_path / "t", device="cuda")
    assert not (tmp_path / "t").exists()


def test_a_device_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="device: must be one of cpu, cuda, auto, not 'tpu'"):
        train(["paper"], "ppo", 100, out=tmp_path / "t", device="tpu")
    with pytest.raises(InputError, match="device: policy foresight trains on the cpu only, not on 'cuda'"):
        train(["four_way"], "foresight", 100, out=tmp_path / "t", device="cuda")
    with pytest.raises(InputError, match="policy ppo has no hyperparameter 'device'"):
        train(["paper"], "ppo", 100, out=tmp_path / "t", hyper={"device": "cpu"})


@needs_gpu
@pytest.mark.parametrize("kind", PRICES)
def test_everything_of_a_training_is_on_the_gpu(kind: str, tmp_path: Path) -> None:
    small = SMALL | ({"horizon": 16} if kind == "ppo" else {"warmup": 50, "batch": 16})
    scenario = Scenario.load("paper", **{"market.contract_rounds": 1000, "traffic.every_s": 5})
    best = train([scenario], kind, 1_500, out=tmp_path / "t", held_out=1, hyper=small, device="cuda")
    assert json.loads((tmp_path / "t" / "last" / "meta.json").read_text())["device"] == "cuda"
    train([scenario], kind, 1_500, out=tmp_path / "t", held_out=1, hyper=small, device="cuda", resume=True)
    result = simulate(scenario, f"{kind}:weights={best}", duration=100)
    assert result.auctions["rho"].between(1.0, 9.0).all()
    with pytest.raises(InputError, match=r"was begun with|'device' must be"):
        train([scenario], kind, 3_000, out=tmp_path / "t", held_out=1, hyper=small, device="cpu", resume=True)


@needs_gpu
@pytest.mark.parametrize("kind", PRICES)
def test_an_update_does_not_wait_for_the_gpu(kind: str) -> None:
    """Only what acts, reports or saves may wait: the update puts its work into the queue and goes on."""
    learner = learner_of(kind, device=torch.device("cuda"))
    practise(learner, 21)
    torch.cuda.synchronize()
    if kind == "ppo":
        rng, rows = np.random.default_rng(0), 16
        batch: dict[str, Any] = {name: rng.normal(size=rows) for name in ("log", "advantage", "return")}
        batch |= {"state": np.exp(rng.normal(size=(rows, len(NAMES)))), "action": rng.integers(5, size=rows) * 1.0}
    else:
        batch = learner.replay.sample(4, learner.generator)
    try:
        with warnings.catch_warnings():
            # PyTorch says that the mode does not find all that waits.
            warnings.simplefilter("ignore", UserWarning)
            torch.cuda.set_sync_debug_mode("error")
        metrics = learner.update(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(np.isfinite(float(value)) for value in metrics.values())
    assert all(parameter.is_cuda for parameter in learner.actor.parameters())


@needs_gpu
def test_a_gpu_learns_what_a_cpu_learns() -> None:
    """One update from the same weights and the same batch: rounding apart, the same weights."""
    both = []
    for place in ("cpu", "cuda"):
        learner: Any = DoubleDeepQ(DqnSettings(width=16, worlds=1), GRID, 0, 1_000, torch.device(place))
        rng = torch.Generator().manual_seed(0)
        for parameter in learner.actor.parameters():
            parameter.data.copy_(torch.randn(parameter.shape, generator=rng))
        learner.scaler.learn(np.random.default_rng(0).normal(size=(50, len(NAMES))))
        names = ("action", "world", "later", "later_weight", "discount", "top_bid", "scaled_bid", "by_uav")
        batch = {name: torch.zeros(64) for name in names} | {"reward": torch.randn(64, generator=rng)}
        batch |= {name: torch.randn((64, len(NAMES)), generator=rng) for name in ("state", "next_state")}
        for _ in range(3):
            learner.update({name: column.to(learner.device) for name, column in batch.items()})
        both.append([parameter.detach().cpu() for parameter in learner.actor.parameters()])
    assert all(torch.allclose(one, other, atol=1e-4) for one, other in zip(*both, strict=True))
