"""A bare provider fed by a Poisson stream, held against queueing theory."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import pytest
import simpy

from simulator.market.ledger import History
from simulator.model import FloatArray
from simulator.model.latency import tandem_finish
from simulator.providers.queues import Provider
from simulator.providers.task import Task


def serve(arrivals: FloatArray, times: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Feed tasks with given arrival times and stage times (tasks, 5) through one provider.

    Returns the starts and finishes (tasks, 5) that the processes gave, and the last finish predicted on arrival.
    """
    env = simpy.Environment()
    free_at = np.zeros((5, 1))
    done: list[Task] = []
    provider = Provider(env, 0, free_at, done.append)
    predicted = np.empty(len(arrivals))

    def source() -> Generator[simpy.Event, None, None]:
        for number, (arrival, row) in enumerate(zip(arrivals.tolist(), times, strict=True)):
            yield env.timeout(max(arrival - env.now, 0.0))
            task = Task(number, number, 0, 0, 30.0, 1.0, env.now)
            task.provider, task.times = 0, row.tolist()
            finish = tandem_finish(env.now, free_at, row[:, None])
            predicted[number] = finish[0]
            provider.submit(task)

    env.process(source())
    env.run()
    assert [task.id for task in done] == list(range(len(arrivals)))
    return np.array([task.started for task in done]), np.array([task.finished for task in done]), predicted


def poisson(rng: np.random.Generator, rate: float, count: int) -> FloatArray:
    return np.cumsum(rng.exponential(1 / rate, count))


@pytest.mark.parametrize("stage", [0, 2])
@pytest.mark.parametrize("law", ["deterministic", "uniform", "exponential"])
def test_waits_follow_pollaczek_khinchine(stage: int, law: str) -> None:
    rng, count, rate = np.random.default_rng(5), 30_000, 0.6
    service = {
        "deterministic": np.ones(count),
        "uniform": rng.uniform(0.0, 2.0, count),
        "exponential": rng.exponential(1.0, count),
    }[law]
    second_moment = {"deterministic": 1.0, "uniform": 4 / 3, "exponential": 2.0}[law]
    times = np.zeros((count, 5))
    times[:, stage] = service
    arrivals = poisson(rng, rate, count)
    started, finished, _ = serve(arrivals, times)
    wait = (started[:, stage] - arrivals).mean()
    expected = rate * second_moment / (2 * (1 - rate))
    assert wait == pytest.approx(expected, rel=0.06)
    busy = (finished - started)[:, stage].sum() / finished[-1, stage]
    assert busy == pytest.approx(rate, rel=0.02)


def test_a_tandem_of_exponential_stages_is_a_chain_of_independent_queues() -> None:
    """Burke and Jackson: each stage is an M/M/1 queue of its own, mean sojourn 1 / (mu - lambda)."""
    rng, count, rate = np.random.default_rng(6), 40_000, 0.5
    mu = np.array([1.2, 1.0, 0.8, 1.5, 0.9])
    times = rng.exponential(1 / mu, (count, 5))
    arrivals = poisson(rng, rate, count)
    _, finished, _ = serve(arrivals, times)
    sojourn = np.diff(np.concatenate([arrivals[:, None], finished], axis=1), axis=1).mean(axis=0)
    assert sojourn == pytest.approx(1 / (mu - rate), rel=0.08)


def test_equal_deterministic_stages_wait_only_at_the_first() -> None:
    rng = np.random.default_rng(7)
    arrivals = poisson(rng, 0.7, 2000)
    started, finished, _ = serve(arrivals, np.ones((2000, 5)))
    assert np.allclose(started[:, 1:], finished[:, :-1])
    assert (started[:, 0] - arrivals).mean() > 0.5


def test_the_backlog_that_a_provider_states_is_the_backlog_that_it_has() -> None:
    rng = np.random.default_rng(8)
    _, finished, predicted = serve(poisson(rng, 0.9, 3000), rng.exponential(0.8, (3000, 5)))
    assert np.array_equal(predicted, finished[:, -1])


def test_the_history_keeps_the_last_t_minus_one() -> None:
    history = History(2, 3)
    for value in (1.0, 2.0, 4.0):
        history.add(1, value, 10 * value)
    assert history.entries.tolist() == [1, 3]
    assert history.sums.tolist() == [[0, 6], [0, 60]]
    alone = History(1, 1)
    alone.add(0, 1.0, 1.0)
    assert alone.entries.tolist() == [1]
