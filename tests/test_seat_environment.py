"""The environment over a seat that sets a number, and what a seat earns."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from policies.steps import FixedStep, GapStep
from simulator.environment import SeatEnvironment, seat_of
from simulator.errors import InputError, PolicyError, PolicyFailedError
from simulator.market.contracts import Decide, Numbers, Seat
from simulator.market.mechanisms.double_dutch import STATE, STEPS, DoubleDutch
from simulator.run import plan
from simulator.study.seat_training import earned
from tests.market.uniform_market import trade


def test_the_environment_is_one_of_gymnasium() -> None:
    check_env(SeatEnvironment("four_way", duration=60.0), skip_render_check=True)
    assert isinstance(gymnasium.make("simulator.environment:dmsb/Seat-v0", duration=60.0).unwrapped, SeatEnvironment)


def test_an_episode_is_the_run_of_the_same_actions() -> None:
    """A constant action gives the run of the constant step: the same decisions, and the same reward."""
    env = SeatEnvironment("four_way", duration=120.0)
    observation, info = env.reset(seed=3)
    assert observation.shape == (len(STATE),)
    action, rewards, ended = STEPS.index(0.1), [], False
    while not ended:
        observation, reward, terminated, ended, told = env.step(action)
        assert not terminated
        assert told["seconds_to_next"] >= 0.0
        rewards.append(reward)
    planned = plan("four_way", FixedStep(0.1), seed=info["world"], mechanism="double-dutch", duration=120.0)
    assert len(rewards) == len(planned.run().decisions)
    assert sum(rewards) == pytest.approx(earned(planned, "auctioneer"), abs=1e-9)
    with pytest.raises(RuntimeError, match="the episode is over"):
        env.step(action)


@pytest.mark.parametrize("cost", [0.0, 0.01])
def test_the_messages_of_the_clocks_cost_what_the_mechanism_says(cost: float) -> None:
    values, costs = np.random.default_rng(0).random((2, 5))
    told = []

    class Listening(DoubleDutch):
        def _told(self) -> float:
            told.append(super()._told())
            return told[-1]

    rule = Listening(units=1, message_cost=cost)
    traded = trade(rule, values, costs, GapStep(4.0))
    assert sum(told) + rule._reward == pytest.approx(-cost * traded.messages)
    assert all(reward < 0.0 for reward in told[1:]) or not cost


@pytest.mark.parametrize("cost", [0.0, 0.002, 0.1])
def test_a_seat_earns_the_surplus_less_what_the_mechanism_takes_off(cost: float) -> None:
    planned = plan("four_way", "gap-step", seed=4, mechanism=DoubleDutch(message_cost=cost), duration=90.0)
    surplus, free = (planned.run().summary["surplus_total"], plan("four_way", "gap-step", seed=4,
                     mechanism=DoubleDutch(message_cost=1.0), duration=90.0))  # fmt: skip
    per_message = surplus - earned(free, "auctioneer")
    assert per_message > 100.0, "messages were sent"
    assert earned(planned, "auctioneer") == pytest.approx(surplus - cost * per_message)


def test_a_seat_is_found_by_its_name_or_refused() -> None:
    class Two(DoubleDutch):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.seats = {**self.seats} | {"other": Seat(Numbers(0.0, 1.0, (0.5,)))}

    assert seat_of(DoubleDutch(), None)[0] == "auctioneer"
    assert seat_of(Two(), "other")[0] == "other"
    with pytest.raises(InputError, match="has several; name one of auctioneer, other"):
        seat_of(Two(), None)
    with pytest.raises(InputError, match="has no seat 'auctioner'; did you mean 'auctioneer'"):
        seat_of(DoubleDutch(), "auctioner")
    with pytest.raises(PolicyError, match="has no seat, so there is nothing to decide"):
        SeatEnvironment("four_way", "mcafee")
    with pytest.raises(PolicyError, match="sets no number; dmsb/Intersection-v0 is for prices"):
        SeatEnvironment("four_way", "msb")


def test_other_seats_are_answered_by_the_usual_policy() -> None:
    class Chatty(DoubleDutch):
        """Asks a second seat before each window."""

        def __post_init__(self) -> None:
            super().__post_init__()
            self.seats = {**self.seats} | {"other": Seat(Numbers(0.0, 1.0, (0.5,)), STATE)}

        def clear(self, lots):  # type: ignore[no-untyped-def]
            state = dict.fromkeys([column.name for column in STATE], 0.5)
            self.said = yield Decide("other", lots, state)
            return (yield from super().clear(lots))

    env = SeatEnvironment("four_way", Chatty(), "auctioneer", duration=30.0)
    env.reset(seed=0)
    _, _, _, ended, _ = env.step(0)
    assert not ended


def test_a_mechanism_object_is_copied_for_each_world() -> None:
    """What it has noted in one world does not reach another one, nor the object of its owner."""
    own = DoubleDutch()
    envs = [SeatEnvironment("four_way", own, duration=60.0) for _ in range(2)]
    for env in envs:
        env.reset(seed=3)
    rewards = [[env.step(action)[1] for action in (0, 0, 9)] for env in envs]
    assert rewards[0] == rewards[1]
    assert not hasattr(own, "platform"), "the owner's object has seen no run"


@pytest.mark.parametrize("reward", [float("nan"), float("inf"), "much", None, [1.0]])
def test_a_reward_that_is_no_number_is_refused(reward: object) -> None:
    class Wrong(DoubleDutch):
        def _told(self) -> float:
            return reward  # type: ignore[return-value]

    planned = plan("four_way", "gap-step", mechanism=Wrong(), duration=60.0)
    with pytest.raises(PolicyFailedError, match="it must be a finite number"):
        planned.run()
