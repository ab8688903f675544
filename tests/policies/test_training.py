"""Training as a command: checkpoints, resuming, what does not fit; and the rivals' algorithms."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch", reason="needs the extra learn: pip install 'dmsb[learn]'")

from policies.learning.features import NAMES  # noqa: E402
from policies.learning.soft_actor_critic import Settings as ActorCriticSettings  # noqa: E402
from policies.ppo import ProximalPolicyOptimisation, Settings  # noqa: E402
from simulator import InputError, Scenario, simulate  # noqa: E402
from simulator.model.mechanism import price_grid  # noqa: E402
from simulator.study.train import train  # noqa: E402
from tests.fields import fields  # noqa: E402
from tests.kills import tree  # noqa: E402
from tests.studies.narrow import AsConditional  # noqa: E402

SMALL = ["--hyper", "worlds=2", "--hyper", "warmup=50", "--hyper", "batch=32", "--hyper", "width=16"]
SHORT = ["--set", "traffic.every_s=5", "--set", "market.contract_rounds=1000"]
COMMAND = [sys.executable, "-m", "dmsb", "train", "paper", *SHORT, "--evaluate-every", "1000", "--held-out", "1"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small training of `diffusion` that was not disturbed."""
    out = tmp_path_factory.mktemp("tiny") / "t"
    subprocess.run(
        [*COMMAND, "--policy", "diffusion", "--steps", "4000", *SMALL, "--out", str(out)], check=True, timeout=120
    )
    return out


def test_a_training_leaves_what_it_says(tiny: Path) -> None:
    assert {path.name for path in tiny.iterdir()} == {
        "best",
        "curve.png",
        "deployed",
        "last",
        "metrics.csv",
        "training.json",
    }
    metrics = pd.read_csv(tiny / "metrics.csv")
    assert metrics["steps"].is_monotonic_increasing
    assert metrics["steps"].iloc[-1] == 4000
    evaluations = metrics["evaluation/ratio"].dropna()
    assert len(evaluations) >= 2
    assert evaluations.between(0.5, 1.1).all()
    about = json.loads((tiny / "training.json").read_text())
    assert about["hyper"] == {"worlds": 2, "warmup": 50, "batch": 32, "width": 16}
    assert len(about["scenarios"]["paper"]) == 64
    policy = f"diffusion:weights={tiny}"
    assert len(simulate("paper", policy, duration=5).run["weights_sha256"]) == 64
    one, two = (simulate("paper", policy, duration=50).auctions["rho"] for _ in range(2))
    assert one.equals(two), "deployed it is deterministic"


def test_a_killed_training_goes_on_to_the_same_weights(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "t"
    command = [*COMMAND, "--policy", "diffusion", "--steps", "4000", *SMALL, "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        # The first checkpoint is that before the first step.
        while not (out / "metrics.csv").exists() or len((out / "metrics.csv").read_text().splitlines()) < 4:
            assert process.poll() is None
            time.sleep(0.02)
        while json.loads((out / "last" / "meta.json").read_text())["steps"] == 0:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    steps = json.loads((out / "last" / "meta.json").read_text())["steps"]
    assert 0 < steps < 4000
    subprocess.run([*command, "--resume"], check=True, timeout=120)
    for name in ("best", "deployed", "last", "training.json"):
        assert tree(tiny / name) == tree(out / name), name
    whole, resumed = (pd.read_csv(folder / "metrics.csv").drop(columns="seconds") for folder in (tiny, out))
    pd.testing.assert_frame_equal(whole, resumed)


def _cut(folder: Path) -> None:
    arrays = folder / "arrays.safetensors"
    arrays.write_bytes(arrays.read_bytes()[:-100])


def _meta(**changed: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        meta = json.loads((folder / "meta.json").read_text())
        (folder / "meta.json").write_text(json.dumps(meta | changed))

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, "arrays.safetensors: is damaged or cut off"),
        (_meta(format="somebody-elses-1"), "is not a checkpoint of this program"),
        (_meta(kind="ppo"), "is a checkpoint of 'ppo', not of 'diffusion'"),
        (_meta(features=[*NAMES[:-1], "another"]), "was changed after it was written"),
        (_meta(features=[*NAMES, "one_more"]), "must be float32 of shape"),
        (_meta(features="load"), "'features' must be 1 to 10000 different names, not 'load'"),
        (lambda folder: (folder / "meta.json").write_text("{"), "holds no checkpoint"),
        (lambda folder: (folder / "meta.json").unlink(), "holds no checkpoint"),
        (lambda folder: (folder / "arrays.safetensors").unlink(), "the weights cannot be read .No such file"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_one_clear_error(
    damage: Callable[[Path], None], message: str, tiny: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "w"
    shutil.copytree(tiny / "deployed", folder)
    assert len(simulate("paper", f"diffusion:weights={folder}", duration=3).auctions) == 3
    damage(folder)
    with pytest.raises(InputError, match=message):
        simulate("paper", f"diffusion:weights={folder}", duration=3)


def test_weights_of_another_grid_are_refused(tiny: Path) -> None:
    overrides: dict[str, Any] = {"market.actions": 10}
    with pytest.raises(
        InputError,
        match=r"its weights have market\.actions = 20 and market\.first_action = 0, not market\.actions = 10 ",
    ):
        simulate("paper", f"diffusion:weights={tiny}", duration=3, **overrides)


def test_what_training_is_not_given_right(tmp_path: Path, tiny: Path) -> None:
    with pytest.raises(InputError, match="cannot be trained"):
        train(["paper"], "spa", 100, out=tmp_path / "a")
    with pytest.raises(InputError, match="has no hyperparameter 'btach'; did you mean 'batch'"):
        train(["paper"], "diffusion", 100, out=tmp_path / "b", hyper={"btach": 3})
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"batch": -3}, "batch must be from 1 to"),
        ({"gamma": 1.5}, "gamma must be from 0 to 1"),
        ({"width": 2.5}, r"width must be a whole number, not 2\.5"),
    ]
    for hyper, message in wrong:
        with pytest.raises(InputError, match=message):
            train(["paper"], "diffusion", 100, out=tmp_path / "e", hyper=hyper)
    with pytest.raises(InputError, match="scenarios: must name one or more"):
        train([], "diffusion", 100, out=tmp_path / "f")
    with pytest.raises(InputError, match=r"seed: must be a whole number >= 0 and below 2\^63, not -1"):
        train(["paper"], "diffusion", 100, seed=-1, out=tmp_path / "g")
    with pytest.raises(InputError, match="steps: must be a whole number, 1 or more"):
        train(["paper"], "diffusion", 0, out=tmp_path / "c")
    with pytest.raises(InputError, match="holds no training to go on with"):
        train(["paper"], "diffusion", 100, out=tmp_path / "d", resume=True)
    assert list(tmp_path.iterdir()) == [], "wrong input leaves nothing behind"
    with pytest.raises(InputError, match="was begun with seed = 0, not 1"):
        train(["paper"], "diffusion", 4000, seed=1, out=tiny, resume=True, evaluate_every=1000, held_out=1)


def test_a_hyperparameter_that_is_a_choice_can_be_turned_off(tmp_path: Path) -> None:
    train(["paper"], "diffusion", 100, out=tmp_path / "t", held_out=1, hyper={"hindsight": False, "warmup": 20})
    assert json.loads((tmp_path / "t" / "best" / "meta.json").read_text())["settings"]["hindsight"] is False


@pytest.mark.parametrize("kind", ["sac", "ppo", "dqn"])
def test_the_rivals_train_and_deploy(kind: str, tmp_path: Path) -> None:
    small = {"worlds": 2, "width": 16} | ({"horizon": 64} if kind == "ppo" else {"warmup": 50})
    scenario = Scenario.load("paper", **fields({"traffic.every_s": 5, "market.contract_rounds": 1000}))
    best = train([scenario], kind, 1500, out=tmp_path / "t", evaluate_every=500, held_out=1, hyper=small)
    result = simulate(scenario, f"{kind}:weights={best}", duration=100)
    assert result.auctions["rho"].between(1.0, 9.0).all()


def test_rewards_that_come_late_are_refused_by_who_would_mistake_them(tmp_path: Path) -> None:
    """In `t_junction` a UAV leaves to swap its battery, so what comes of a task is known when it ends."""
    cases: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("diffusion", {}, "hindsight needs it at once; give --hyper hindsight=false"),
        ("diffusion", {"hindsight": False}, "demand of another task; give --hyper without_demand=false"),
        ("ppo", {}, "demand of another task; give --hyper without_demand=false"),
        ("dqn", {}, "demand of another task; give --hyper without_demand=false"),
    )
    for kind, hyper, message in cases:
        with pytest.raises(InputError, match=message):
            train(["t_junction"], kind, 200, out=tmp_path / "no", reward="realised", hyper=hyper)
        assert not (tmp_path / "no").exists()
    small = {"without_demand": False, "worlds": 1, "horizon": 32}
    train(["t_junction"], "ppo", 100, out=tmp_path / "yes", reward="realised", hyper=small, held_out=1)
    assert (tmp_path / "yes" / "deployed").is_dir()


@pytest.mark.parametrize(
    "hyper",
    [
        {"hindsight": False},
        {"hindsight": False, "gamma": 0.9},
        {"gamma": 0.9},
        {"gamma": 0.9, "future_by_winner": False},
    ],
    ids=lambda hyper: " ".join(f"{name}={value}" for name, value in hyper.items()),
)
def test_a_learner_of_every_structure_goes_on(hyper: dict[str, Any], tmp_path: Path) -> None:
    """What a setting leaves out of the losses must not be missed in the state of the training."""
    scenario = Scenario.load("paper", **fields({"market.contract_rounds": 1000, "traffic.every_s": 5}))
    given: dict[str, Any] = {"hyper": hyper | {"worlds": 2, "warmup": 50, "batch": 16, "width": 8}}
    train([scenario], "diffusion", 600, out=tmp_path / "t", evaluate_every=600, held_out=1, **given)
    before = tree(tmp_path / "t" / "deployed")
    train([scenario], "diffusion", 600, out=tmp_path / "t", evaluate_every=600, held_out=1, resume=True, **given)
    assert tree(tmp_path / "t" / "deployed") == before


def test_what_a_training_would_leave_aside_is_refused(tmp_path: Path) -> None:
    """Scenarios without a world, settings of a policy, and settings that a learner does not use."""
    short = fields({"market.contract_rounds": 1000, "duration_s": 500})
    several = [Scenario.load("paper", **short).model_copy(update={"name": f"p{number}"}) for number in range(3)]
    small: dict[str, Any] = {"worlds": 2, "warmup": 50, "batch": 16, "width": 8}
    for kind, hyper in (("sac", small), ("ppo", {"worlds": 2, "width": 8}), ("foresight", {"worlds": 2})):
        with pytest.raises(InputError, match=rf"policy {kind} would not learn from p2.*; give .* --hyper worlds=3"):
            train(several, kind, 600, out=tmp_path / kind, hyper=hyper)
        assert not (tmp_path / kind / "deployed").exists()
    train(several, "sac", 200, out=tmp_path / "three", hyper=small | {"worlds": 3}, held_out=1)
    with pytest.raises(
        InputError, match=r"policy foresight:theta=0\.3: a training starts from the plain policy; .*--hyper"
    ):
        train(["paper"], "foresight:theta=0.3", 200, out=tmp_path / "theta")
    with pytest.raises(InputError, match="sac has no hyperparameter 'draws'"):
        train(["paper"], "sac", 200, out=tmp_path / "draws", hyper={"draws": 8})


def test_a_minibatch_of_one_step_is_learned_from() -> None:
    learner: Any = ProximalPolicyOptimisation(Settings(worlds=1, width=4, horizon=13), price_grid(3).tolist(), 0, 100)
    rng = np.random.default_rng(0)
    for _ in range(13):
        state = rng.uniform(1.0, 2.0, (1, len(NAMES)))
        action = learner.act(state, [0])
        learner.remember(0, state[0], int(action[0]), 1.0, False, state[0], {"demand": 1.0})
        learner.learn()
    assert learner.act(rng.uniform(1.0, 2.0, (1, len(NAMES))), [0]) in (0, 1, 2)


def test_a_resumed_learner_keeps_its_kind_of_scaler() -> None:
    """Otherwise a policy that sees less would see all after an interruption."""
    learner = AsConditional().algorithm().learner(ActorCriticSettings(width=8, worlds=1), [1.0, 2.0], 0, 100)
    learner.act(np.random.default_rng(0).uniform(1.0, 2.0, (40, len(NAMES))), range(40))
    before = learner.scaler.sd
    learner.restore(*learner.state())
    assert np.array_equal(learner.scaler.sd, before)
    assert sum(before > 1e4) == len(NAMES) - len(AsConditional.seen)


def test_generalised_advantages_by_hand() -> None:
    learner: Any = ProximalPolicyOptimisation(
        Settings(gamma=0.5, gae_lambda=0.5, worlds=1, width=4), price_grid(3).tolist(), 0, 100
    )
    learner.critic.forward = lambda x: torch.zeros(1, len(x), 1)
    rollout = [
        {"state": np.ones(len(NAMES)), "action": 0, "log": 0.0, "reward": reward, "ended": ended,
         "following": np.ones(len(NAMES))}
        for reward, ended in ((1.0, False), (2.0, False), (4.0, True), (8.0, False))
    ]  # fmt: skip
    found: dict[str, Any] = {}
    learner.update = lambda batch: found.update(batch)
    learner.settings = Settings(gamma=0.5, gae_lambda=0.5, worlds=1, width=4, horizon=4)
    learner.rollouts.steps = [list(rollout)]
    learner.learn()
    assert found["advantage"].tolist() == [1 + 0.25 * (2 + 0.25 * 4), 2 + 0.25 * 4, 4, 8]
    # A run that its duration has cut off goes on in the critic's eyes, from its last observation.
    learner.critic.forward = lambda x: torch.full((1, len(x), 1), 6.0)
    learner.rollouts.steps = [list(rollout)]
    learner.learn()
    assert found["return"].tolist()[2:] == [4 + 0.5 * 6, 8 + 0.5 * 6]


def test_a_gain_beyond_the_clip_moves_nothing() -> None:
    """Where the ratio has left 1 +- clip to the side that the advantage wants, the objective's gradient is zero."""
    learner: Any = ProximalPolicyOptimisation(
        Settings(epochs=1, minibatches=1, worlds=1, width=4, entropy_weight=0.0, value_weight=0.0),
        price_grid(3).tolist(),
        0,
        10**9,
    )
    state = np.exp(np.random.default_rng(0).normal(0, 1, (2, len(NAMES))))
    learner.scaler.learn_and_scale(state)
    with torch.no_grad():
        logs = torch.log_softmax(learner.actor.net(learner.standardised(state))[0], dim=-1)[:, 0]
    before = [parameter.detach().clone() for parameter in learner.actor.parameters()]
    batch = {"state": state, "action": np.zeros(2), "return": np.zeros(2), "advantage": np.array([1.0, -1.0])}
    # The old policy held the good action for half as likely, the bad one for twice as likely: both are beyond the clip.
    learner.update(batch | {"log": logs.numpy() + np.array([-0.7, 0.7])})
    assert all(torch.equal(one, two) for one, two in zip(before, learner.actor.parameters(), strict=True))
    learner.update(batch | {"log": logs.numpy()})
    assert not all(torch.equal(one, two) for one, two in zip(before, learner.actor.parameters(), strict=True))


def test_weights_know_what_they_were_trained_to_see(tmp_path: Path) -> None:
    overrides = {"market.information": "masked", "market.contract_rounds": 1000, "traffic.every_s": 5}
    small = {"worlds": 2, "warmup": 50, "batch": 16, "width": 8}
    scenario = Scenario.load("paper", **fields(overrides))
    train([scenario], "sac", 600, out=tmp_path / "t", evaluate_every=600, held_out=1, hyper=small)
    policy = f"sac:weights={tmp_path / 't'}"
    assert simulate("paper", policy, duration=5).run["information"] == "masked"
    assert simulate(scenario, policy, duration=5).run["information"] == "masked"
    with pytest.raises(InputError, match=r"market\.information = public: policy sac.* declares that it needs 'masked'"):
        simulate("paper", policy, duration=5, **fields({"market.information": "public"}))


def test_a_training_leaves_the_arithmetic_of_its_process_as_it_was(tmp_path: Path) -> None:
    """While it runs, numbers below the smallest normal one are 0. Afterwards they are numbers again."""
    during: list[float] = []
    smallest = np.float32(1e-44)
    scenario = Scenario.load("paper", **fields({"traffic.every_s": 5, "market.contract_rounds": 1000}))

    def heard(_: dict[str, float]) -> None:
        during.append(float(smallest * np.float32(1.0)))

    train([scenario], "sac", 600, out=tmp_path / "t", held_out=1, hyper={"worlds": 1, "width": 8}, report=heard)
    assert during[0] == 0.0
    assert float(smallest * np.float32(1.0)) > 0.0


WRONG_NUMBERS: list[tuple[dict[str, Any], str]] = [
    ({"steps": 10.5}, "steps: must be a whole number, 1 or more, not 10.5"),
    ({"steps": True}, "steps: must be a whole number, 1 or more, not True"),
    ({"evaluate_every": [5, 0]}, "evaluate_every: must be a whole number, 1 or more, not 0"),
    ({"evaluate_every": "5"}, "evaluate_every: must be a whole number, 1 or more, not '5'"),
    ({"evaluate_every": []}, "evaluate_every: must be a whole number, 1 or more, not 0"),
    ({"held_out": np.float64(1.5)}, "held_out: must be a whole number, 1 or more, not np.float64"),
    ({"seed": 1.0}, "seed: must be a whole number >= 0 and below 2.63, not 1.0"),
]


@pytest.mark.parametrize(("numbers", "message"), WRONG_NUMBERS)
def test_numbers_of_a_training_are_whole(numbers: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        train(["paper"], "ppo", **{"steps": 10, **numbers}, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_scenarios_of_a_training_show_the_same(tmp_path: Path) -> None:
    """The weights have one meaning of each number that a policy reads."""
    clairvoyant = Scenario.load("paper", **fields({"name": "open", "market.information": "clairvoyant"}))
    with pytest.raises(InputError, match=r"information: must be the same .*\(paper has public, open has clairvoyant\)"):
        train(["paper", clairvoyant], "ppo", 10, out=tmp_path / "out")


class Bare:
    """A policy that trains nothing, in one of several wrong ways."""

    def __init__(self, way: str = "") -> None:
        self.way = way

    def price(self, observation: object) -> float:
        return 1.0

    def train(self, make_env: Any, steps: int, seed: int, out: Path, resume: bool, report: Any) -> None:
        return


class WithWeights(Bare):
    def __init__(self, weights: str = "") -> None:
        super().__init__()


@pytest.mark.parametrize(("name", "message"), [
    ("Bare", "Bare cannot be trained: its class takes no argument weights, a folder"),
    ("WithWeights", r"WithWeights: train\(\) left no checkpoint"),
])  # fmt: skip
def test_a_policy_that_cannot_be_deployed_is_told_so(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        train(["paper"], f"{__file__}:{name}", 10, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_lists_and_mappings_of_a_training(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scenarios: must be a list of scenarios, such as .*, not 'paper'"):
        train("paper", "ppo", 10, out=tmp_path / "out")
    for hyper in (3, "lr=1", [1], {3: 1}):
        with pytest.raises(InputError, match="hyper: must be a mapping from names to values, not "):
            train(["paper"], "ppo", 10, out=tmp_path / "out", hyper=hyper)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
