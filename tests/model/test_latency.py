from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st

from simulator.model.channel import snr_ratio
from simulator.model.latency import (
    Budget,
    cpu_s,
    gpu_s,
    latency,
    received,
    stage_times,
    stage_work,
    tandem_finish,
    tandem_times,
    transfer_s,
)

stage = st.floats(0.0, 10.0)


def test_each_stage_in_round_numbers() -> None:
    assert transfer_s(25.0, np.array([200.0])) == 1.0
    assert gpu_s(25.0, 0.5, np.array([1.0])) == 0.1
    assert cpu_s(25.0, np.array([2.0])) == 0.1


def test_stage_times_follow_equations_3_to_6() -> None:
    power, gpu, cpu = (np.array([x]) for x in (6.3, 0.5, 2.0))
    work = stage_work(25.0, 0.5, np.array([4.0]), 3.1, np.array([[40.0], [20.0]]), power, gpu, cpu)
    times = stage_times(work, received(work, Budget(snr_ratio(np.array([6.0])))))  # 10 dB of place and fading
    # Ratios 31 and 63 carry 5 and 6 bit/s per Hz.
    assert np.allclose(times[:, 0], [0.0, 200 / 200, 0.2, 0.1, 200 / 120])
    assert np.allclose(latency(times), 1.3 + 5 / 3)
    moved = stage_times(
        work, received(work, Budget(snr_ratio(np.array([6.0])))), None, transfer_s(50.0, np.array([800.0]))
    )
    assert np.allclose(latency(moved), 0.5 + 1.3 + 5 / 3), "400 Mbit of a twin over a backhaul of 800 Mbit/s"


def test_reference_quantiles_of_a_paper_station() -> None:
    """model.md section 1: 1.0 / 2.1 / 4.8 s for a task of 20-40 MB, before the public factor."""
    from simulator.draws import Draws
    from simulator.providers.fleet import Fleet
    from simulator.scenario.scenario import Scenario
    from simulator.world.rounds import draw_rounds

    scenario = Scenario.load("paper")
    bare = latency(draw_rounds(scenario, Fleet(scenario), Draws(3), "test", 0, 40_000).bare_times[:, :, 1:])
    assert np.allclose(np.quantile(bare, [0.01, 0.5, 0.99]), [1.0, 2.1, 4.8], atol=0.1)


@given(st.lists(stage, min_size=5, max_size=5), st.floats(0, 100))
def test_zero_load_gives_equation_6(times: list[float], now: float) -> None:
    column = np.array(times)[:, None]
    finish = tandem_finish(now, np.zeros((5, 1)), column)
    assert np.allclose(finish - now, latency(column))


@given(
    st.lists(st.tuples(st.floats(0, 5), stage, stage, stage, stage, stage), min_size=1, max_size=20),
)
def test_tandem_finish_is_lindleys_recursion(tasks: list[tuple[float, ...]]) -> None:
    """Against the textbook form, task by task: a stage starts when the task is there and the one before it is gone."""
    free, arrival = [0.0] * 5, 0.0
    done_before = [0.0] * 5
    for gap, *times in tasks:
        arrival += gap
        predicted = tandem_finish(arrival, np.array(free)[:, None], np.array(times)[:, None])
        started, free = tandem_times(arrival, free, times)
        ready = arrival
        for number, time in enumerate(times):
            ready = max(ready, done_before[number])
            assert started[number] == ready
            ready += time
            done_before[number] = ready
        assert free == done_before
        assert predicted.tolist() == [ready], "to the last bit: a bid and the queue that it predicts"


@given(st.lists(stage, min_size=5, max_size=5), st.lists(stage, min_size=5, max_size=5))
def test_more_backlog_never_means_an_earlier_finish(times: list[float], backlog: list[float]) -> None:
    column = np.array(times)[:, None]
    busy = np.cumsum(backlog)[:, None]
    assert np.all(tandem_finish(0.0, busy, column) >= tandem_finish(0.0, np.zeros((5, 1)), column))
