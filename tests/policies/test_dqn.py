"""Double deep Q-learning against targets by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra learn: pip install 'dmsb[learn]'")

from policies.dqn import DoubleDeepQ, Settings  # noqa: E402
from policies.learning.features import NAMES, PRICE_INPUTS  # noqa: E402

PRICES = [1.0, 2.0, 4.0]


def learner_of(**settings: Any) -> Any:
    learner: Any = DoubleDeepQ(Settings(**{"width": 8, "worlds": 1, **settings}), PRICES, 0, 1_000)
    learner.scaler.learn(PRICE_INPUTS.scaled(np.abs(np.random.default_rng(0).normal(size=(50, len(NAMES)))) + 0.1))
    return learner


def batch(**given: Any) -> dict[str, Any]:
    rows = len(next(iter(given.values())))
    blank = {"state": np.zeros((rows, len(NAMES))), "next_state": np.zeros((rows, len(NAMES)))}
    names = ("action", "world", "reward", "later", "later_weight", "discount")
    columns = blank | {name: np.zeros(rows) for name in names} | given
    return {name: torch.from_numpy(np.asarray(column, dtype=np.float32)) for name, column in columns.items()}


def test_the_network_chooses_and_the_target_network_values() -> None:
    learner = learner_of(gamma=0.9, n_step=2)
    learner.actor.forward = lambda state: torch.tensor([[1.0, 3.0, 2.0]]).expand(len(state), 3)
    learner.target.forward = lambda state: torch.tensor([[9.0, 0.5, 7.0]]).expand(len(state), 3)
    # A mean reward of .25, to which what comes after is the difference.
    learner.earned, learner.taken = np.array([25.0]), np.array([100.0])
    given = batch(reward=[2.0], later=[0.6], later_weight=[1.0], discount=[0.9])
    expected = 2.0 + 0.9 * (0.6 - 0.25 + 0.9 * (0.5 - 0.25))
    assert learner.target_of(given).tolist() == pytest.approx([expected])
    assert learner_of(gamma=0.0).target_of(given).tolist() == [2.0]


def test_the_exploration_falls_to_its_last_share() -> None:
    learner = learner_of(warmup=100, epsilon_first=0.8, epsilon_last=0.1, exploration=0.5)
    found = []
    for learner.steps in (0, 99, 100, 250, 500, 900):
        found.append(learner.epsilon)
    assert found == pytest.approx([1.0, 1.0, 0.8 - 0.2 * 0.7, 0.8 - 0.5 * 0.7, 0.1, 0.1])


def test_it_finds_the_best_price_of_a_state() -> None:
    """Two states with different best prices; only the price that was played is learned from."""
    learner, rng = learner_of(batch=64), np.random.default_rng(1)
    best = {0: 2, 1: 0}
    low, high = np.full(len(NAMES), 0.2), np.full(len(NAMES), 3.0)
    for _ in range(300):
        kind, action = rng.integers(2, size=64), rng.integers(3, size=64)
        reward = np.array([1.0 if best[int(one)] == played else 0.0 for one, played in zip(kind, action, strict=True)])
        seen = PRICE_INPUTS.scaled(np.where(kind[:, None] == 0, low, high))
        learner.update(batch(state=seen, action=action, reward=reward))
    learner.steps, learner.settings = 10**6, Settings(width=8, worlds=1, epsilon_last=0.0)
    assert learner.act(np.array([low, high]), range(2)).tolist() == [2, 0]
