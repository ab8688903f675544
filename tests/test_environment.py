from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from simulator import InputError, Observation, RunError, Scenario, ScenarioError, Simulation, simulate
from simulator.draws import Draws
from simulator.environment import Intersection
from simulator.market.contracts import MARKET_CONDITIONS
from simulator.world import rounds

PAPER, JUNCTION = "simulator.environment:dmsb/Paper-v0", "simulator.environment:dmsb/Intersection-v0"


def episode(env: gymnasium.Env[Any, Any], seed: int | None, actions: int = 40) -> list[Any]:
    """Everything that an episode says, under actions that do not depend on it."""
    observation, info = env.reset(seed=seed)
    said: list[Any] = [observation.tobytes(), info]
    for number in range(actions):
        observation, reward, terminated, truncated, info = env.step(np.int64(number % 20))
        said += [observation.tobytes(), reward, terminated, truncated, info]
        if truncated:
            break
    return said


@pytest.mark.parametrize("name", [PAPER, JUNCTION])
def test_gymnasiums_own_checker_finds_nothing(name: str) -> None:
    check_env(gymnasium.make(name, duration=150).unwrapped)


@pytest.mark.parametrize("scenario", ["paper", "four_way"])
def test_a_seed_gives_the_same_episode_byte_for_byte_and_touches_no_global_generator(scenario: str) -> None:
    np.random.seed(1)  # noqa: NPY002 (what must not be touched)
    before = np.random.get_state()[1].tobytes()  # type: ignore[index]  # noqa: NPY002
    one, two = Intersection(scenario, duration=200), Intersection(scenario, duration=200)
    first = episode(one, 7)
    np.random.seed(2)  # noqa: NPY002
    assert episode(two, 7) == first
    assert episode(one, 7) == first, "again from the same environment"
    assert episode(one, None) == episode(two, None), "and so is what comes after it"
    assert episode(one, None) != first
    np.random.seed(1)  # noqa: NPY002
    assert np.random.get_state()[1].tobytes() == before  # type: ignore[index]  # noqa: NPY002


def test_an_episode_is_the_run_of_its_world() -> None:
    """One world, one loop: the environment's rewards are the surplus of `simulate` under the same prices."""
    env = Intersection("four_way", duration=400)
    observation, info = env.reset(seed=3)
    rewards, truncated, seconds = [], False, list(MARKET_CONDITIONS).index("uav_seconds")
    result = simulate("four_way", "constant:1.0", seed=info["world"], duration=400)
    while not truncated:
        assert (observation >= 0).all()
        assert observation[seconds] > 0
        observation, reward, _, truncated, _ = env.step(0)
        rewards.append(reward)
    asked = result.auctions[result.auctions["asked"]]
    assert rewards == asked["surplus"].tolist()


def test_information_decides_what_is_seen() -> None:
    shown = {}
    for information in ("public", "masked", "all-bids"):
        env = Intersection("paper", duration=20, information=information)
        shown[information] = env.reset(seed=0)[0]
    size = len(MARKET_CONDITIONS)
    assert (shown["public"][size:] == 0).all()
    assert shown["masked"][size] == shown["all-bids"][size + 1]
    assert shown["all-bids"][size] > shown["all-bids"][size + 1] > 0
    assert np.array_equal(shown["public"][:size], shown["all-bids"][:size])


def test_the_uavs_value_is_told_only_where_it_has_won() -> None:
    env = Intersection("paper", duration=100)
    env.reset(seed=0)
    told = [env.step(6)[4] for _ in range(60)]
    won = ["uav_value" in info for info in told]
    assert 5 < sum(won) < 55
    for info, by_uav in zip(told, won, strict=True):
        assert by_uav == (not info["top_bid"] > info["rho"] * info["scaled_bid"])
        assert info["surplus"] == (info["uav_value"] if by_uav else info["top_bid"])


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vectorised(mode: str) -> None:
    envs = gymnasium.make_vec(PAPER, num_envs=2, vectorization_mode=mode, duration=5)
    alone = Intersection("paper", duration=5)
    try:
        observations, _ = envs.reset(seed=11)
        assert np.array_equal(observations[0], alone.reset(seed=11)[0])
        rewards = [envs.step(np.array([2, 3]))[1] for _ in range(4)]
        assert [reward[0] for reward in rewards] == [alone.step(2)[1] for _ in range(4)]
    finally:
        envs.close()


def test_misuse_is_one_clear_error() -> None:
    with pytest.raises(ScenarioError, match="did you mean 'paper'"):
        gymnasium.make(PAPER, scenario="papre")
    env = Intersection("paper", duration=2)
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(0)
    env.reset(seed=0)
    env.step(0)
    assert env.step(0)[3]
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(0)
    empty = Intersection(Scenario.load("paper", **{"uavs.count": 0}), duration=5)
    with pytest.raises(RunError, match="no auction asks for a price"):
        empty.reset(seed=0)


def test_the_last_observation_is_an_array_of_its_own() -> None:
    """A wrapper that scales in place must not scale it twice."""
    env = gymnasium.make("simulator.environment:dmsb/Paper-v0", duration=20)
    observation, _ = env.reset(seed=1)
    ended = False
    while not ended:
        before = observation
        before /= 10
        kept = before.copy()
        observation, _, _, ended, _ = env.step(3)
        assert observation is not before
    assert not (observation == kept).all()
    assert np.allclose(observation, 10.0 * kept), "it is that of the step before"


@pytest.mark.parametrize("action", [-1, 20, 100, 3.7, "2", None, True, np.array([1, 2])])
def test_an_action_that_is_none_is_refused(action: Any) -> None:
    env = Intersection("paper", 20)
    env.reset(seed=1)
    with pytest.raises(InputError, match="action: must be a whole number from 0 to 19, not "):
        env.step(action)
    env.step(np.int64(19))
    env.step(np.array(3))  # type: ignore[arg-type]


def test_a_world_without_a_decision_is_passed_over_and_counted() -> None:
    env = Intersection("four_way", 60, overrides={"traffic.arrivals.rate_per_h": 40})
    passed = [env.reset(seed=seed)[1]["empty_worlds"] for seed in range(20)]
    assert max(passed) > 0
    assert min(passed) == 0
    never = Intersection("four_way", 1)
    with pytest.raises(RunError, match=r"no auction asks for a price in 100 worlds of 1 s; make the episodes longer"):
        never.reset(seed=0)


def test_importing_dmsb_makes_the_environments_known_and_nothing_else_does() -> None:
    known = (
        "import {}, sys; "
        "print('gymnasium' in sys.modules, any(name.startswith('simulator.world') for name in sys.modules))"
    )
    said = [
        subprocess.run([sys.executable, "-c", known.format(name)], capture_output=True, text=True, check=True).stdout
        for name in ("simulator", "simulator.cli.app", "dmsb")
    ]
    assert said == ["False False\n", "False False\n", "True False\n"]
    code = "import dmsb, gymnasium; print(gymnasium.make('dmsb/Paper-v0', duration=20).reset(seed=1)[1]['task'])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_a_reward_can_be_a_function_of_the_round() -> None:
    seen: list[dict[str, Any]] = []

    def regret(info: dict[str, Any]) -> float:
        seen.append(info)
        return float(info["surplus"] - info["best_surplus"])

    env = Intersection("four_way", 120, reward=regret)
    env.reset(seed=3)
    ended = False
    while not ended:
        _, earned, _, ended, info = env.step(5)
        assert info is seen[-1]
        assert earned == info["surplus"] - info["best_surplus"] <= 0.0
    with pytest.raises(
        InputError, match="reward: must be 'surplus', 'own', 'realised' or a function of info, not 'regret'"
    ):
        Intersection("four_way", reward="regret")  # type: ignore[arg-type]


def test_info_tells_what_became_of_earlier_tasks() -> None:
    env = Intersection("four_way", 300)
    _, first = env.reset(seed=4)
    told: dict[int, dict[str, Any]] = {}
    clock, ended = 0.0, False
    while not ended:
        _, _, _, ended, info = env.step(6)
        assert info["time"] >= clock
        clock = info["time"] + info["seconds_to_next"]
        for one in info["ended"]:
            assert one["time"] <= clock
            told[one["task"]] = one
    run = simulate("four_way", "constant:2.0", seed=first["world"], duration=300)
    assert env.grid[6] == pytest.approx(10 ** (6 / 20))
    tables = simulate("four_way", f"constant:{env.grid[6]!r}", seed=first["world"], duration=300).tasks
    over = tables[tables["status"].isin(["completed", "lost"]) & tables["finished"].notna()]
    assert len(told) > 50
    assert set(told) <= set(tables["task"])
    for row in over.to_dict("records"):
        if row["task"] in told:
            one = told[row["task"]]
            assert one["status"] == row["status"]
            assert one["realised_surplus"] == pytest.approx(row["realised_surplus"])
    assert len(run.tasks) == len(tables), "demand does not depend on prices"


@pytest.mark.parametrize("scenario", ["paper", "grid"])
def test_observations_keep_to_bounds_that_mean_something(scenario: str) -> None:
    """A flag is 0 or 1, and no more stations cover a vehicle than there are."""
    env = Intersection(scenario, duration=60, information="all-bids")
    names = list(MARKET_CONDITIONS)
    assert isinstance(env.observation_space, gymnasium.spaces.Box)
    high = env.observation_space.high
    assert high[names.index("ar_navigation")] == 1.0
    assert high[names.index("covering")] == len(env.scenario.station_names())
    observation, _ = env.reset(seed=1)
    truncated = False
    while not truncated:
        assert env.observation_space.contains(observation)
        observation, _, _, truncated, _ = env.step(3)


def test_a_running_world_that_is_copied_says_why_it_cannot_be() -> None:
    env, simulation = Intersection("paper", duration=20), Simulation(Scenario.load("paper"), duration=20)
    assert copy.deepcopy(env).duration == 20.0, "before an episode there is no world"
    env.reset(seed=0)
    for running in (env, simulation):
        for attempt in (copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="a running world cannot be copied, because its processes cannot"):
                attempt(running)


@pytest.mark.parametrize(
    ("overrides", "information", "shown"),
    [
        ({}, "public", 3),
        ({}, "all-bids", 8),
        ({}, "masked", 8),
        ({"stations.count": 2}, "all-bids", 3),
        ({"market.most_bids": 5}, "all-bids", 5),
    ],
)
def test_an_observation_holds_the_bids_that_information_allows(
    overrides: dict[str, Any], information: Any, shown: int
) -> None:
    env = Intersection("paper", duration=20, information=information, overrides={"stations.count": 8} | overrides)
    observation, _ = env.reset(seed=0)
    size = len(MARKET_CONDITIONS)
    assert observation.shape == env.observation_space.shape == (size + shown,)
    policy = Watching(information)
    simulate(env.scenario, policy, seed=env.reset(seed=0)[1]["world"], duration=20)
    seen = Watching.seen[0]
    assert seen.vector().dtype == np.float32
    assert seen.vector().tobytes() == observation.tobytes(), "a policy sees what the environment shows"
    assert list(seen.grid) == env.grid
    bids = list(seen.bids)[:shown]
    assert seen.vector()[size : size + len(bids)] == pytest.approx(bids)
    assert len(bids) == {"public": 0, "masked": 7, "all-bids": env.scenario.stations.total()}[information] or shown == 5


class Watching:
    """Keeps the observations of the last run."""

    seen: ClassVar[list[Observation]] = []

    def __init__(self, information: str) -> None:
        self.information = information
        Watching.seen.clear()

    def price(self, observation: Observation) -> float:
        Watching.seen.append(observation)
        return 1.0


def test_a_bid_that_is_not_the_value_is_not_taken_for_the_reward() -> None:
    env = Intersection("four_way", 300, overrides={"stations.bidding": "shade:0.5"})
    assert not env.bids_are_rewards
    env.reset(seed=0)
    ended, seen = False, 0
    while not ended:
        _, reward, _, ended, info = env.step(0)
        if "uav_value" not in info and reward > 0.0:
            assert reward == pytest.approx(2.0 * info["top_bid"])
            seen += 1
    assert seen > 5
    assert Intersection("four_way", overrides={"stations.bidding": {"all": "truthful"}}).bids_are_rewards


def test_own_terms_are_the_surplus_at_t_1_and_leave_past_tasks_out_later() -> None:
    """At T = 3 a surplus averages three tasks. What the own terms earn is the same as at T = 1 for the same winner."""
    earned: dict[int, dict[int, tuple[str, float, float]]] = {}
    for history in (1, 3):
        env = Intersection("four_way", 600, reward="own", overrides={"market.history": history})
        assert env.bids_are_rewards == (history == 1)
        env.reset(seed=3)
        ended = False
        while not ended:
            _, reward, _, ended, info = env.step(5)
            by_uav = "uav_value" in info
            own = info["demand"] * (env.scenario.market.uav_weight * info["own_uav"] if by_uav else info["own_top"])
            assert reward == pytest.approx(own)
            earned.setdefault(history, {})[info["task"]] = ("uav" if by_uav else "ground", reward, info["surplus"])
    assert all(reward == surplus for _, reward, surplus in earned[1].values())
    assert any(abs(reward - surplus) > 0.05 for _, reward, surplus in earned[3].values())
    # The queues part with the winners, so only the first rounds are the same tasks in the same state.
    first = min(earned[1])
    assert earned[3][first][1] == pytest.approx(earned[1][first][1])


def test_all_worlds_without_places_have_one_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    whole = rounds.RoundCalibration.__init__

    def counted(self: rounds.RoundCalibration, scenario: Scenario, fleet: Any, draws: Draws) -> None:
        drawn.append(draws.seed)
        whole(self, scenario, fleet, draws)

    monkeypatch.setattr(rounds, "_kept", {})
    monkeypatch.setattr(rounds.RoundCalibration, "__init__", counted)
    env = Intersection("paper", duration=3, overrides={"market.contract_rounds": 500})
    for seed in (1, 2):
        env.reset(seed=seed)
    run = simulate(env.scenario, "conditional", seed=5, duration=3)
    other = simulate(env.scenario, "conditional", seed=6, duration=3)
    assert drawn == [rounds.CALIBRATION_SEED]
    assert run.auctions["contract_bid"].iloc[-1] == other.auctions["contract_bid"].iloc[-1]
    Intersection("paper", duration=3, overrides={"market.contract_rounds": 600}).reset(seed=1)
    assert len(drawn) == 2, "another scenario has other expectations"
