"""RegretNet: an auction whose allocation and payments are a network, trained to leave little to gain by a misreport."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from simulator.errors import InputError, need
from simulator.market.contracts import Ask, Award, Bids, Column, Information, Lot, Mechanism
from simulator.market.mechanisms.layouts import REGRET_LAYOUT, REGRET_NET
from simulator.market.mechanisms.learned import load_weights
from simulator.market.mechanisms.profiles import Course, Profile, padded, profile_of
from simulator.market.mechanisms.regret_forward import Numpy, features, outputs

if TYPE_CHECKING:
    from simulator.market.contracts import Clearing, Platform


@dataclass
class RegretNet(Mechanism):
    """An auction whose winner is drawn with probabilities by a network, and pays a share of its bid by a network.

    A share is at most 1, so nobody pays more than it bids. Nothing makes it truthful: the training only makes the
    expected gain by a misreport small in its own rounds. The audit says how small it is.

    Source: RegretNet (Duetting, Feng, Narasimhan, Parkes and Ravindranath, "Optimal auctions through deep learning",
    2019), in the form with attention over the bidders of RegretFormer (Ivanov, Safiulin, Filippov and Balabaeva, 2022).
    That it sells tasks, the features and the sizes are ours.

    Attributes:
        weights: folder of a training or of weights; None for the shipped weights.
        weights_sha256: SHA-256 hash of the weights, which a run records.
    """

    weights: str | None = None

    # Revenue is no measure of weights under which a misreport gains.
    last_is_best: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.columns = (Column("odds", "float", "", "probability with which the winner was drawn; NaN if nobody won"),)
        arrays, self.weights_sha256 = load_weights(REGRET_NET, self.weights, REGRET_LAYOUT)
        self._arrays = None if arrays is None else {name: array.astype(np.float64) for name, array in arrays.items()}

    def claims(self, information: Information) -> frozenset[str]:
        """Return what holds for any weights."""
        return frozenset({"individually rational", "budget balance"})

    def reset(self, platform: Platform, rng: np.random.Generator) -> None:
        """Remember the platform, and the generator of the draws.

        Raises:
            InputError: there are no weights.
        """
        if self._arrays is None:
            raise InputError(
                f"mechanism {REGRET_NET}: the shipped weights are missing; train some, and give them as weights=DIR"
            )
        self.platform, self._rng = platform, rng

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        """Ask for bids, and draw the winner of each lot."""
        bids = yield Ask("bid", lots)
        return [self._award(lot, bids) for lot in lots]

    def lottery(self, profile: Profile) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return the probability with which each bidder wins, and what it pays then.

        Args:
            profile: the auction.
        """
        assert self._arrays is not None
        ratios, scales, uav, there = padded([profile])
        found = features(ratios, scales, uav.astype(np.float64), lambda arrays: np.stack(arrays, axis=-1))
        odds, shares = outputs(self._arrays, found, there.astype(np.float64), Numpy)
        return odds[0], shares[0] * np.array(profile.bids)

    def _award(self, lot: Lot, bids: Bids) -> Award:
        own = {one: bids[lot.task, one] for one in lot.invited if (lot.task, one) in bids}
        coin = float(self._rng.random())
        profile = profile_of(self.platform, lot, own)
        if not profile.bids:
            return Award(lot, None)
        odds, pays = (array.tolist() for array in self.lottery(profile))
        chances = {one: (chance, paid) for one, chance, paid in zip(profile.who, odds, pays, strict=True)}
        for one, (chance, paid) in chances.items():
            coin -= chance
            if coin < 0.0:
                return Award(lot, one, paid, columns={"odds": chance}, chances=chances)
        return Award(lot, None, chances=chances)

    def train(
        self,
        profiles: Callable[[int], Sequence[Profile]],
        steps: int,
        seed: int,
        out: Path,
        resume: bool,
        report: Callable[[dict[str, float]], None],
        *,
        objective: Literal["revenue", "surplus"] = "revenue",
        rate: float = 0.002,
        batch: int = 64,
        misreports: int = 4,
        worlds: int = 8,
    ) -> None:
        """Train weights: the largest revenue or surplus per auction, with little regret.

        Args:
            profiles: function that returns the auctions of a training world by its number.
            steps: number of updates in all.
            seed: seed of the first weights and of the batches.
            out: folder of the training.
            resume: whether to continue from ``out/last``.
            report: function that receives the metrics.
            objective: what is as large as possible, `revenue` or `surplus`.
            rate: learning rate at the start. It falls to 0.
            batch: number of auctions per update.
            misreports: number of misreports of each bidder that an update tries.
            worlds: number of training worlds.
        """
        need("torch")
        from simulator.market.mechanisms.regret_training import train

        train(Course(profiles, steps, seed, out, resume, report), objective, rate, batch, misreports, worlds)


def regret(
    lottery: Callable[[Profile], tuple[Any, Any]], profile: Profile, multipliers: Sequence[float]
) -> list[float]:
    """Return what each bidder gains at most by multiplying its bid, if all others tell the truth, in expectation.

    Args:
        lottery: function from an auction to probabilities and payments.
        profile: the auction, with the values as bids.
        multipliers: factors on the bid that are tried.
    """
    found = []
    odds, pays = lottery(profile)
    for place, value in enumerate(profile.bids):
        best = truth = float(odds[place] * (value - pays[place]))
        for multiplier in multipliers:
            said = [*profile.bids[:place], multiplier * value, *profile.bids[place + 1 :]]
            chance, paid = (array[place] for array in lottery(profile._replace(bids=tuple(said))))
            best = max(best, float(chance * (value - paid)))
        found.append(best - truth)
    return found
