from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import simpy

from simulator import Result, simulate
from simulator.providers.queues import Provider
from simulator.providers.task import Task
from tests.fields import fields
from tests.laws import check_laws, outages

FloatRows = list[list[float]]

UAV_AWAY: dict[str, Any] = {"outages.windows": [{"provider": "u1", "from_s": 300, "to_s": 420, "every_s": 600}]}


def served_with_an_outage(keep: bool) -> tuple[list[Task], FloatRows]:
    """Two tasks of 2 s a stage that come at 0, an outage from 3 to 8; the finish of each, and who was dropped."""
    env = simpy.Environment()
    done: list[Task] = []
    provider = Provider(env, 0, np.zeros((5, 1)), done.append)
    tasks = [Task(number, number, 0, 0, 30.0, 1.0, 0.0) for number in range(2)]
    for task in tasks:
        task.provider, task.times = 0, [2.0] * 5
        provider.submit(task)
    env.run(until=3.0)
    dropped = provider.go_out(keep_tasks=keep)
    env.run(until=8.0)
    provider.come_back()
    late = Task(2, 2, 0, 0, 30.0, 1.0, 8.0)
    late.provider, late.times = 0, [2.0] * 5
    provider.submit(late)
    env.run()
    return dropped, [list(task.finished) for task in (*tasks, late)]


def test_tasks_wait_for_the_end_of_an_outage_with_what_is_left_of_their_work() -> None:
    dropped, finished = served_with_an_outage(keep=True)
    assert dropped == []
    # At 3 the first is 1 s into its second stage, the second 1 s into its first; both go on at 8.
    assert finished[0] == [2.0, 9.0, 11.0, 13.0, 15.0]
    assert finished[1] == [9.0, 11.0, 13.0, 15.0, 17.0]


def test_an_outage_drops_what_is_served_and_what_waits() -> None:
    dropped, finished = served_with_an_outage(keep=False)
    assert [task.id for task in dropped] == [0, 1]
    assert finished[0][0] == 2.0
    assert np.isnan(finished[0][1:]).all()
    assert np.isnan(finished[1]).all()
    assert finished[2] == [10.0, 12.0, 14.0, 16.0, 18.0], "and comes back with empty queues"


def test_nothing_is_radiated_while_an_outage_stops_the_downlink() -> None:
    env = simpy.Environment()
    provider, task = Provider(env, 0, np.zeros((5, 1)), lambda _: None), Task(0, 0, 0, 0, 30.0, 1.0, 0.0)
    task.times = [2.0] * 5
    provider.submit(task)
    for out, back in ((3.0, 4.0), (9.5, 12.5)):
        env.run(until=out)
        provider.go_out(keep_tasks=True)
        env.run(until=back)
        provider.come_back()
    env.run()
    assert task.finished[-1] == 14.0
    assert task.paused_s == 3.0, "and not the first outage, in the uplink"
    away = {
        "outages.windows": [{"provider": "stations", "from_s": 60, "to_s": 90, "every_s": 40}],
        "outages.mode": "wait",
    }
    result = simulate("four_way", "always-ground", duration=400, **fields(away))
    done = result.tasks[result.tasks["radio_j"].notna()]
    power_w = 0.1 * result.scenario.stations.power_units[0]
    assert (done["radio_j"] <= power_w * done["downlink_time"] + 1e-6).all()
    assert done["downlink_time"].max() > 20.0 > done["radio_j"].max() / power_w


def test_a_task_that_an_outage_drops_enters_the_report_of_a_uav() -> None:
    often = {"outages.windows": [{"provider": "u1", "from_s": 60, "to_s": 60.1, "every_s": 1.2}]}
    result = simulate("four_way", "always-uav", duration=600, **fields(often))
    assert (result.tasks["status"] == "lost").mean() > 0.5
    reports = result.auctions["m_uav_report"].dropna()
    assert reports.iloc[-1] < 0.5 * reports.iloc[0]


def test_a_backlog_stands_still_during_an_outage() -> None:
    env = simpy.Environment()
    free_at = np.zeros((5, 2))
    provider = Provider(env, 1, free_at, lambda _: None)
    task = Task(0, 0, 0, 0, 30.0, 1.0, 0.0)
    task.times = [2.0] * 5
    provider.submit(task)
    env.run(until=3.0)
    provider.go_out(keep_tasks=True)
    env.run(until=8.0)
    provider.come_back()
    assert free_at[:, 1].tolist() == [2.0, 9.0, 11.0, 13.0, 15.0]
    assert free_at[:, 0].tolist() == [0.0] * 5
    env.run()
    assert task.finished == [2.0, 9.0, 11.0, 13.0, 15.0]


@pytest.mark.parametrize("mode", ["lost", "wait"])
def test_a_uav_that_swaps_its_battery(mode: str) -> None:
    result = simulate("four_way", "conditional", duration=1800, **fields({**UAV_AWAY, "outages.mode": mode}))
    check_laws(result)
    assert outages(result, 0) == [(300.0, 420.0), (900.0, 1020.0), (1500.0, 1620.0)]
    auctions = result.auctions
    away = (auctions["time"] % 600).between(300, 420)
    assert away.sum() > 50
    # Everybody knows: no price is asked for, and no public condition speaks of the UAV.
    assert not auctions.loc[away, "asked"].any()
    assert auctions.loc[away, ["m_uav_seconds", "m_uav_match", "m_uav_report"]].isna().all(axis=None)
    assert auctions.loc[~away, "m_uav_seconds"].notna().all()
    lost = result.tasks[(result.tasks["status"] == "lost") & result.tasks["latency"].isna()]
    if mode == "wait":
        assert len(lost) == 0
    else:
        assert len(lost) >= 1
        ends = result.events[result.events["kind"] == "task_lost"].set_index("task")["time"].loc[lost["task"]]
        assert set(ends) <= {300.0, 900.0, 1500.0}


def test_a_station_that_is_out_covers_nobody() -> None:
    plain, out = (
        simulate("four_way", "always-ground", duration=600, **fields({"outages.windows": windows}))
        for windows in ([], [{"provider": "s1", "from_s": 0, "to_s": 600}])
    )
    assert (plain.auctions["m_covering"] >= out.auctions["m_covering"]).all()
    assert (plain.auctions["m_covering"] > out.auctions["m_covering"]).mean() > 0.3
    # The radio is not the server: the same requests are made, at the same times.
    assert plain.auctions["time"].equals(out.auctions["time"])


def failing(policy: str, seed: int = 0) -> Result:
    return simulate(
        "four_way",
        policy,
        seed=seed,
        duration=3600,
        **fields(
            {
                "traffic.arrivals.rate_per_h": 100,
                "outages.failures": [{"provider": "stations", "mean_between_s": 60, "mean_repair_s": 20}],
            }
        ),
    )


def test_failures_are_exponential_and_do_not_depend_on_prices() -> None:
    one, two = failing("always-uav"), failing("always-ground")
    own = [outages(result, provider) for result in (one, two) for provider in range(1, 7)]
    assert own[:6] == own[6:]
    repairs = np.concatenate([np.diff(pairs)[:-1, 0] for pairs in own[:6]])
    # About 45 repairs for each of six stations; the mean of n exponentials has a relative sd of 1 / sqrt(n).
    assert repairs.mean() == pytest.approx(20, rel=3.5 / np.sqrt(len(repairs)))
    assert repairs.std() == pytest.approx(20, rel=0.25)
    share = one.providers.loc[one.providers["kind"] == "ground", "out_s"].sum() / (6 * 3600)
    assert share == pytest.approx(20 / 80, rel=0.15)


def test_overlapping_outages_are_one() -> None:
    windows = [{"provider": "u1", "from_s": 100, "to_s": 200}, {"provider": "uavs", "from_s": 150, "to_s": 250}]
    result = simulate("four_way", "conditional", duration=400, **fields({"outages.windows": windows}))
    assert outages(result, 0) == [(100.0, 250.0)]
    check_laws(result)


@pytest.mark.parametrize("seed", range(3))
def test_an_outage_that_begins_as_another_ends_is_one_with_it(seed: int) -> None:
    windows = [
        {"provider": "u1", "from_s": 300, "to_s": 400},
        {"provider": "u1", "from_s": 280, "to_s": 320, "every_s": 120},
        {"provider": "uavs", "from_s": 440, "to_s": 500},
    ]
    result = simulate(
        "four_way",
        "always-uav",
        seed=seed,
        duration=900,
        **fields({"outages.windows": windows, "outages.mode": "wait"}),
    )
    assert outages(result, 0)[:3] == [(280.0, 500.0), (520.0, 560.0), (640.0, 680.0)]
    check_laws(result)


def test_an_outage_on_the_very_end_of_a_stage_waits_for_nothing_more() -> None:
    rng = np.random.default_rng(0)
    for begin, seconds in rng.uniform(0.0, 10.0, (300, 2)).tolist():
        env = simpy.Environment()
        provider = Provider(env, 0, np.zeros((5, 1)), lambda _: None)
        task = Task(0, 0, 0, 0, 30.0, 1.0, begin)
        task.times = [seconds, 1.0, 1.0, 1.0, 1.0]
        out = env.timeout(begin + seconds)  # in the queue before the stage's own end, at the same moment or beside it
        assert out.callbacks is not None

        def go_out(_: simpy.Event, provider: Provider = provider) -> None:
            provider.go_out(keep_tasks=True)

        out.callbacks.append(go_out)

        def submit(_: simpy.Event, provider: Provider = provider, task: Task = task) -> None:
            provider.submit(task)

        came = env.timeout(begin)
        assert came.callbacks is not None
        came.callbacks.append(submit)
        env.run(until=begin + seconds + 3.0)
        provider.come_back()
        env.run()
        assert task.finished[3] == pytest.approx(begin + seconds + 6.0)
