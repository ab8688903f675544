"""Myerson's auction with virtual values by a trained monotone network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simulator.errors import InputError, need
from simulator.market.mechanisms.layouts import MYERSON_LAYOUT, MYERSON_NET
from simulator.market.mechanisms.learned import load_weights
from simulator.market.mechanisms.myerson import VIRTUAL_VALUE, VirtualValueAuction
from simulator.market.mechanisms.profiles import Course, Profile
from simulator.model.myerson import MonotoneValues

if TYPE_CHECKING:
    from simulator.market.contracts import Platform


@dataclass
class MyersonNet(VirtualValueAuction):
    """The auction of `myerson` with virtual values by a monotone network that was trained on other worlds.

    No bid changes it, so it is truthful over many rounds too. Whatever the weights, the virtual values rise with the
    bids: within a round it is truthful by construction.

    Source: MyersonNet (Duetting, Feng, Narasimhan, Parkes and Ravindranath, "Optimal auctions through deep learning",
    2019). That it sells tasks, and that a bid is taken as a ratio to its expected value, are ours.

    Attributes:
        weights: folder of a training or of weights; None for the shipped weights.
        weights_sha256: SHA-256 hash of the weights, which a run records.
    """

    weights: str | None = None

    def __post_init__(self) -> None:
        self.columns = (VIRTUAL_VALUE,)
        arrays, self.weights_sha256 = load_weights(MYERSON_NET, self.weights, MYERSON_LAYOUT)
        self.virtual = []
        if arrays is not None:
            w, b = (arrays[name].astype(np.float64) for name in ("w", "b"))
            self.virtual = [MonotoneValues(w[kind], b[kind]) for kind in range(2)]

    def reset(self, platform: Platform, rng: np.random.Generator) -> None:
        """Remember the platform.

        Raises:
            InputError: there are no weights.
        """
        if not self.virtual:
            raise InputError(
                f"mechanism {MYERSON_NET}: the shipped weights are missing; train some, and give them as weights=DIR"
            )
        self.platform = platform

    def train(
        self,
        profiles: Callable[[int], Sequence[Profile]],
        steps: int,
        seed: int,
        out: Path,
        resume: bool,
        report: Callable[[dict[str, float]], None],
        *,
        rate: float = 0.02,
        batch: int = 256,
        worlds: int = 8,
    ) -> None:
        """Train weights: the largest revenue per auction, divided by the expected values.

        Args:
            profiles: function that returns the auctions of a training world by its number.
            steps: number of updates in all.
            seed: seed of the first weights and of the batches.
            out: folder of the training.
            resume: whether to continue from ``out/last``.
            report: function that receives the metrics.
            rate: learning rate at the start. It falls to 0.
            batch: number of auctions per update.
            worlds: number of training worlds.
        """
        need("torch")
        from simulator.market.mechanisms.myerson_training import train

        train(Course(profiles, steps, seed, out, resume, report), rate, batch, worlds)
