"""Training for a seat that sets a number: the other seats keep their usual policy, also in evaluations."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from simulator import Ask, Award, Column, Decide, InputError, Mechanism, Numbers, Seat, plan
from simulator.study.seat_training import earned, ratios_to
from simulator.study.train import train


class TwoSeats(Mechanism):
    """Sells to the highest bid above a reserve, which is the sum of what two seats say."""

    def __init__(self) -> None:
        own = (Column("lots", "float", "", "number of lots"),)
        self.seats = {"low": Seat(Numbers(0.0, 9.0, (0.0, 0.2)), own), "high": Seat(Numbers(0.0, 9.0, (0.1, 8.0)), own)}

    def reset(self, platform: Any, rng: Any) -> None:
        """There is nothing to remember."""

    def clear(self, lots: Any) -> Any:
        state = {"lots": float(len(lots))}
        low = yield Decide("low", lots, state)
        high = yield Decide("high", lots, state)
        bids = yield Ask("bid", lots)
        awards = []
        for lot in lots:
            highest, best = max((bids.get((lot.task, one), 0.0), one) for one in lot.invited)
            sold = highest >= low + high
            awards.append(Award(lot, best if sold else None, low + high if sold else 0.0))
        return awards


class Says:
    """Says the same in every seat."""

    def __init__(self, number: float) -> None:
        self._number = number

    def number(self, observation: Any, space: Any) -> float:
        return self._number


def test_one_seat_is_evaluated_with_the_usual_policy_in_the_others() -> None:
    planned = plan("paper", Says(0.1), mechanism=TwoSeats(), duration=60)
    both = earned(planned, "high")
    assert both > 0.0
    assert earned(planned, "high", Says(0.1)) == both
    assert earned(planned, "high", Says(8.0)) == 0.0, "nobody bids so much"
    assert earned(planned, "low", Says(8.0)) == 0.0


@pytest.mark.parametrize("seat", ["low", "high"])
def test_a_mechanism_with_two_seats_is_trained_in_each(seat: str, tmp_path: Path) -> None:
    rule, out = f"{__file__}:TwoSeats", tmp_path / "one"
    best = train(["paper"], "ppo", 64, out=out, evaluate_every=64, held_out=1, mechanism=rule, seat=seat)
    assert best.is_dir()


def test_a_ratio_to_a_loss_is_no_number() -> None:
    """Divided by a loss, the larger loss would look better."""
    found = ratios_to([2.0, -4.0], [4.0, -1.0])
    assert math.isnan(found["evaluation/ratio"])
    assert ratios_to([2.0, 3.0], [4.0, 2.0]) == {"evaluation/ratio": 1.0, "evaluation/ratio_worst": 0.5}


def test_a_seat_without_clocks_has_no_gap() -> None:
    with pytest.raises(InputError, match="policy gap-step: the seat has no buyer_clock and no seller_clock"):
        plan("paper", "gap-step", mechanism=TwoSeats())
