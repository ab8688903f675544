"""The environment under somebody else's learners: Stable-Baselines3 as its users use it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from simulator import PolicyError, check_policy, compare, simulate
from simulator.environment import Intersection
from tests.fields import fields

stable_baselines3 = pytest.importorskip("stable_baselines3", reason="needs the extra dev: pip install 'dmsb[dev]'")

STEPS = 4_000
BETTER = 1.1
"""Surplus over that of random prices; both reach about 1.2 in so few steps, `conditional` has about 1.3."""


def market() -> gymnasium.Env[Any, Any]:
    """`paper`, observed on a logarithmic scale."""
    env = Intersection("paper", duration=1_000.0, overrides={"market.contract_rounds": 2_000})
    space = gymnasium.spaces.Box(-10.0, 30.0, env.observation_space.shape, np.float32)
    return gymnasium.wrappers.TransformObservation(env, lambda seen: np.log(seen + 1e-3).astype(np.float32), space)


def surplus(act: Callable[[Any], int]) -> float:
    """What is earned in three worlds that no training has seen."""
    env, earned = market(), 0.0
    for world in range(3):
        observation, _ = env.reset(seed=1_000 + world)
        truncated = False
        while not truncated:
            observation, reward, _, truncated, _ = env.step(act(observation))
            earned += float(reward)
    return earned


@pytest.fixture(scope="module")
def random_surplus() -> float:
    rng = np.random.default_rng(0)
    return surplus(lambda _: int(rng.integers(20)))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("PPO", {"n_steps": 512, "batch_size": 128}),
        ("DQN", {"learning_starts": 200, "train_freq": 4, "batch_size": 64, "exploration_fraction": 0.5,
                 "target_update_interval": 200}),
    ],
    ids=["PPO", "DQN"],
)  # fmt: skip
def test_stable_baselines_learns_to_beat_random_prices(
    name: str, settings: dict[str, Any], random_surplus: float
) -> None:
    import torch

    torch.set_num_threads(1)
    maker: Any = getattr(stable_baselines3, name)
    model = maker("MlpPolicy", market(), learning_rate=1e-3, gamma=0.0, seed=0, device="cpu", **settings)
    model.learn(STEPS)
    learned = surplus(lambda observation: int(model.predict(observation, deterministic=True)[0]))
    assert learned > BETTER * random_surplus


def test_a_model_is_a_policy_and_takes_the_prices_that_it_takes_in_the_environment(tmp_path: Path) -> None:
    env = Intersection("paper", duration=60.0, overrides={"market.contract_rounds": 2_000})
    model = stable_baselines3.PPO("MlpPolicy", env, n_steps=64, batch_size=32, seed=0, device="cpu")
    model.learn(64)
    model.save(tmp_path / "mine")
    observation, info = env.reset(seed=5)
    prices, ended = [], False
    while not ended:
        action, _ = model.predict(observation, deterministic=True)
        observation, _, _, ended, said = env.step(int(action))
        prices.append(said["rho"])
    run = simulate("paper", f"sb3:{tmp_path / 'mine'}", info["world"], 60, **fields({"market.contract_rounds": 2_000}))
    assert run.auctions["rho"].tolist() == prices
    assert run.run["weights_sha256"] == {"mine.zip": hashlib.sha256((tmp_path / "mine.zip").read_bytes()).hexdigest()}
    table, _ = compare("paper", ["conditional", f"sb3:path={tmp_path / 'mine.zip'}"], seeds=2, duration=40)
    assert table["surplus_mean"].notna().all()
    check_policy(f"sb3:{tmp_path / 'mine'}")


def test_what_is_not_a_model_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "junk.zip").write_bytes(b"not a zip")
    for text, said in (
        (f"sb3:{tmp_path / 'none'}", "none.zip cannot be read"),
        (f"sb3:{tmp_path / 'junk'}", r"junk\.zip is not a model of PPO"),
        (f"sb3:path={tmp_path / 'junk'}:algorithm=PPPO", "there is no 'PPPO'; did you mean 'PPO'"),
    ):
        with pytest.raises(PolicyError, match=said):
            simulate("paper", text, duration=3)
