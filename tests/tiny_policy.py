"""A policy that trains without torch, with the loop and the checkpoints of `policies.learning`.

It takes prices at random. Its weights are one price of the grid, another one after every cycle, so that the best
weights are not the last.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from safetensors.numpy import load_file

from policies.learning import training
from policies.learning.features import PRICE_INPUTS
from simulator.errors import InputError
from simulator.files import checkpoint, recover
from simulator.market.contracts import Observation
from simulator.model import FloatArray, IntArray

LEVELS = (9, 0, 19)


class TinyLearner:
    """Takes steps and counts them."""

    kind: ClassVar[str] = "tiny"
    inputs = PRICE_INPUTS

    def __init__(self, grid: list[float]) -> None:
        self.grid, self.steps, self.cycle = grid, 0, 0
        self.rng = np.random.default_rng(0)

    def act(self, vectors: FloatArray, worlds: Sequence[int]) -> IntArray:
        return self.rng.integers(len(self.grid), size=len(vectors))

    def remember(self, *_: object) -> None:
        self.steps += 1

    def learn(self) -> dict[str, float]:
        return {"loss/actor": 1.0 / self.steps}

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        counters = {"steps": self.steps, "cycle": self.cycle, "rng": self.rng.bit_generator.state}
        return self.weights(), {"kind": self.kind, "grid": self.grid, "settings": {}, **counters}

    def restore(self, _: dict[str, Any], meta: dict[str, Any]) -> None:
        self.steps, self.cycle, self.rng.bit_generator.state = meta["steps"], meta["cycle"], meta["rng"]

    def weights(self) -> dict[str, Any]:
        return {"level": np.array([LEVELS[self.cycle % len(LEVELS)]])}


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a checkpoint; the project's own function holds it to the layout of its own networks."""
    recover(folder)
    meta: dict[str, Any] = json.loads((folder / checkpoint.META).read_text(encoding="utf-8"))
    return load_file(folder / checkpoint.ARRAYS), meta


class Tiny:
    """Asks for one price of the grid."""

    def __init__(self, weights: str | None = None) -> None:
        self.rho = 1.0
        if weights is not None:
            folder = Path(weights)
            arrays, meta = read(folder / "best" if (folder / "best").exists() else folder)
            self.rho = float(meta["grid"][arrays["level"][0]])

    @property
    def label(self) -> str:
        """The policy that asks for the same price."""
        return f"constant:{self.rho!r}"

    def price(self, _: Observation) -> float:
        return self.rho

    def train(
        self, make_env: Callable[[int], Any], steps: int, seed: int, out: Path, resume: bool,
        report: training.Report,
    ) -> None:  # fmt: skip
        learner = TinyLearner(make_env(0).get_wrapper_attr("grid"))
        if resume:
            learner.restore(*read(out / training.LAST))
        training.train(learner, [make_env(0)], steps, seed, out, report)


class Wrong(Tiny):
    """Says that it was given something wrong."""

    def train(self, *_: object, **__: object) -> None:
        raise InputError("on purpose")


class Puts(Tiny):
    """Takes so long to say it that a person has put something into the folder."""

    def train(self, make_env: object, steps: int, seed: int, out: Path, *_: object, **__: object) -> None:
        (out / "thesis.txt").write_text("mine")
        raise InputError("on purpose")


class Idle(Tiny):
    """Trains nothing."""

    def train(self, *_: object, **__: object) -> None:
        return
