"""RegretNet: one network in numpy and PyTorch, its lottery, what misreports gain, and lotteries in an audit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from simulator import InputError, simulate
from simulator.errors import PolicyFailedError
from simulator.files.checkpoint import ARRAYS, META, save
from simulator.market.contracts import Ask, Award, Lot, Mechanism
from simulator.market.mechanisms.layouts import REGRET_LAYOUT, REGRET_NET
from simulator.market.mechanisms.profiles import Course, Profile, padded
from simulator.market.mechanisms.regret_net import RegretNet, regret
from simulator.study.audit import audit
from tests.laws import check_laws

TORCH = "needs the extra learn: pip install 'dmsb[learn]'"
GRID = np.linspace(0.0, 3.0, 200).tolist()


def profile(bids: Sequence[float], uavs: int = 0) -> Profile:
    count = len(bids)
    return Profile(tuple(bids), (1.0,) * count, tuple(one < uavs for one in range(count)), tuple(range(count)))


def random_weights(seed: int, out: Path) -> Path:
    rng = np.random.default_rng(seed)
    arrays = {name: rng.normal(0.0, 0.3, shape).astype(np.float32) for name, (_, shape) in REGRET_LAYOUT.items()}
    save(out, arrays, {"kind": REGRET_NET, "steps": 1})
    return out


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> RegretNet:
    return RegretNet(weights=str(random_weights(0, tmp_path_factory.mktemp("regret") / "w")))


BIDS = st.lists(st.floats(0.0, 5.0), min_size=1, max_size=7)


@given(BIDS, st.integers(0, 3))
def test_a_lottery_is_one_and_nobody_pays_more_than_it_bids(net: RegretNet, bids: list[float], uavs: int) -> None:
    odds, pays = net.lottery(profile(bids, uavs))
    assert (odds >= 0.0).all()
    assert odds.sum() <= 1.0 + 1e-12
    assert (pays >= 0.0).all()
    assert (pays <= np.array(bids) + 1e-12).all()


@given(BIDS, st.integers(0, 1_000))
def test_the_order_of_the_bidders_plays_no_part(net: RegretNet, bids: list[float], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(bids))
    odds, pays = net.lottery(profile(bids))
    turned = net.lottery(profile([bids[one] for one in order]))
    assert turned[0] == pytest.approx(odds[order], abs=1e-9)
    assert turned[1] == pytest.approx(pays[order], abs=1e-9)


def test_numpy_and_pytorch_have_one_network(net: RegretNet) -> None:
    """Auctions of different sizes in one batch, so that places without a bidder play no part either."""
    torch = pytest.importorskip("torch", reason=TORCH)
    from simulator.market.mechanisms.regret_training import lottery

    rng = np.random.default_rng(0)
    rounds = []
    for count in (1, 4, 2, 7):
        expected = rng.uniform(0.3, 2.0, count)
        rounds.append(
            Profile(tuple(expected * rng.random(count)), tuple(expected), tuple(rng.random(count) < 0.3), (0,) * count)
        )
    assert net._arrays is not None
    weights = {name: torch.from_numpy(array.astype(np.float32)) for name, array in net._arrays.items()}
    odds, pays = lottery(weights, *(torch.from_numpy(array).float() for array in padded(rounds)))
    for row, one in enumerate(rounds):
        own_odds, own_pays = net.lottery(one)
        assert odds[row, : len(one.bids)].numpy() == pytest.approx(own_odds, abs=1e-5)
        assert pays[row, : len(one.bids)].numpy() * max(one.expected) == pytest.approx(own_pays, abs=1e-4)
        assert not odds[row, len(one.bids) :].any()


def test_the_regret_of_known_auctions() -> None:
    """None in a second-price auction; in a first-price one, what is left of the bid above the second."""
    values = profile([0.9, 0.6, 0.2])

    def first(one: Profile) -> tuple[Any, Any]:
        bids = np.array(one.bids)
        return (np.arange(len(bids)) == bids.argmax()).astype(float), bids

    def second(one: Profile) -> tuple[Any, Any]:
        odds, bids = first(one)
        return odds, np.full(len(bids), np.sort(bids)[-2])

    assert regret(second, values, GRID) == pytest.approx([0.0, 0.0, 0.0])
    step = GRID[1]
    found = regret(first, values, GRID)
    assert 0.3 - 0.9 * step <= found[0] <= 0.3
    assert found[1:] == [0.0, 0.0]


def test_the_regret_of_a_batch_is_that_of_its_auctions(net: RegretNet) -> None:
    torch = pytest.importorskip("torch", reason=TORCH)
    from simulator.market.mechanisms.regret_training import lottery, regrets

    rng = np.random.default_rng(1)
    rounds = [profile(rng.random(3).tolist()) for _ in range(5)]
    batch = tuple(torch.from_numpy(array).float() for array in padded(rounds))
    assert net._arrays is not None
    weights = {name: torch.from_numpy(array.astype(np.float32)) for name, array in net._arrays.items()}
    tried = [0.0, 0.5, 0.8, 1.3]
    factors = torch.tensor(tried)[:, None, None].expand(4, 5, 3)
    odds, pays = lottery(weights, *batch)
    found = regrets(weights, batch, odds * (batch[0] * batch[1] - pays), factors)
    for row, one in enumerate(rounds):
        assert found[row].tolist() == pytest.approx(regret(net.lottery, one, tried), abs=1e-5)


def test_a_training_goes_towards_its_objective_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason=TORCH)
    from simulator.market.mechanisms.regret_training import train

    rounds = [profile(row) for row in np.random.default_rng(0).random((500, 2)).tolist()]

    class StoppedError(Exception):
        pass

    told: list[dict[str, float]] = []

    def stop(metrics: dict[str, float]) -> None:
        if metrics["steps"] == 500 and metrics.get("checkpoint"):
            raise StoppedError

    options = ("surplus", 0.005, 16, 2, 1)
    train(Course(lambda _: rounds, 600, 1, tmp_path / "whole", False, told.append), *options)
    with pytest.raises(StoppedError):
        train(Course(lambda _: rounds, 600, 1, tmp_path / "cut", False, stop), *options)
    train(Course(lambda _: rounds, 600, 1, tmp_path / "cut", True, lambda _: None), *options)
    for folder in ("deployed", "last"):
        for name in (ARRAYS, META):
            assert (tmp_path / "whole" / folder / name).read_bytes() == (tmp_path / "cut" / folder / name).read_bytes()
    # The mean value is .5, and that of the larger of two is 2/3.
    assert [one["train/reward"] for one in told if "train/reward" in one][-1] > 0.5
    wrongs: dict[str, Any] = {
        "objective must be revenue or surplus": ("profit", *options[1:]),
        "rate must be a number above 0": ("revenue", 0.0, *options[2:]),
        "batch must be a whole number above 0": ("revenue", 0.005, 2.5, *options[3:]),
        "worlds must be a whole number above 0": ("revenue", *options[1:4], True),
    }
    for message, wrong in wrongs.items():
        with pytest.raises(InputError, match=f"hyperparameter {message}"):
            train(Course(lambda _: rounds, 10, 1, tmp_path / "wrong", False, lambda _: None), *wrong)


class Lottery(Mechanism):
    """Draws each lot among all bidders alike; the winner pays a share of its bid."""

    def __init__(self, share: float, **wrong: Any) -> None:
        self.share, self.wrong = share, wrong

    def reset(self, platform: object, rng: np.random.Generator) -> None:
        self.rng = rng

    def clear(self, lots):  # type: ignore[no-untyped-def]
        bids = yield Ask("bid", lots)
        return [self.award(lot, bids) for lot in lots]

    def award(self, lot: Lot, bids: dict[tuple[int, int], float]) -> Award:
        who = [one for one in lot.invited if (lot.task, one) in bids]
        chances = {one: (1.0 / len(who), self.share * bids[lot.task, one]) for one in who}
        winner = who[int(self.rng.integers(len(who)))]
        return Award(lot, winner, chances[winner][1], chances={**chances, **self.wrong.get("chances", {})})


def test_an_audit_takes_the_expectation_over_a_lottery() -> None:
    """A bid of nothing pays nothing and has the same chance: it gains the share of the value, in every round."""
    free = audit("four_way", mechanism=Lottery(0.0), rounds=15, watched=40).table
    assert free.loc["truthful", "verdict"] == "holds"
    paid = audit("four_way", mechanism=Lottery(0.5), rounds=15, watched=40).table
    assert paid.loc["truthful", "verdict"] == "fails"
    assert paid.loc["truthful", "number"] == 1.0, "in every round, whoever the coin has drawn"


@pytest.mark.parametrize(
    "wrong", [{0: (0.9, 0.0)}, {0: (-0.1, 0.0)}, {99: (0.0, 0.0)}, {0: (0.1, float("nan"))}, {0: ("x", 0.0)}]
)
def test_a_wrong_lottery_is_refused(wrong: dict[int, Any]) -> None:
    with pytest.raises(PolicyFailedError, match="chances are"):
        simulate("four_way", mechanism=Lottery(0.5, chances=wrong), duration=60)


def test_runs_keep_every_law_and_say_the_weights(tmp_path: Path) -> None:
    weights = random_weights(1, tmp_path / "w")
    result = simulate("four_way", mechanism=f"regret-net:weights={weights}", duration=300)
    check_laws(result)
    won = result.auctions[result.auctions["winner"] >= 0]
    assert len(won) > 10
    assert won["odds"].between(0.0, 1.0).all()
    assert result.run["weights_sha256"]
