"""The regressions of `foresight`: sums over rounds, the coefficients that follow, and both as files."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import InputError, shown
from simulator.files import recover, replacing
from simulator.files.reading import read_json
from simulator.market.contracts import MARKET_INDEX
from simulator.model import FloatArray

LAST, DEPLOYED = "last", "deployed"
"""Folders in the folder of a training: the sums for resuming, and the coefficients of the policy."""

META = "meta.json"
FORMAT, SUMS_FORMAT = "dmsb-foresight-1", "dmsb-foresight-sums-1"
KIND = "checkpoint"
"""Kind of the folders in their manifest."""

TOP_TERMS, UAV_TERMS = 4, 2
"""Number of regressors of the top station (1, lead, best, second) and of the UAV (1, its own)."""


@dataclass(frozen=True)
class Coefficients:
    """The coefficients of `foresight`, named as in its formulas.

    Attributes:
        constant: a.
        lead: beta, elasticity of the top value by the lead.
        best: c_1, by match over seconds of the best station.
        second: c_2, by match over seconds of the second-best station.
        variance: s^2 of the residuals.
        uav_constant: u_0.
        uav_slope: u_1, by match over seconds of the UAV.
        uav_variance: s_0^2 of the residuals.
        uav_share: p_0, share of the rounds in which the task was worth something to the UAV.
        theta: toll on the UAV.
    """

    constant: float
    lead: float
    best: float
    second: float
    variance: float
    uav_constant: float
    uav_slope: float
    uav_variance: float
    uav_share: float
    theta: float


@dataclass
class Sums:
    """Sums of a least-squares fit: what is needed of any number of rounds.

    Attributes:
        terms: number of regressors.
        count: number of rounds.
        square: sum of x x^T, shape (terms, terms).
        product: sum of x y, shape (terms,).
        total: sum of y^2.
    """

    terms: int
    count: int = 0
    square: FloatArray = field(init=False)
    product: FloatArray = field(init=False)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.square, self.product = np.zeros((self.terms, self.terms)), np.zeros(self.terms)

    def add(self, x: tuple[float, ...], y: float) -> None:
        """Add a round.

        Args:
            x: regressors.
            y: what they explain.
        """
        row = np.array(x)
        self.count += 1
        self.square += np.outer(row, row)
        self.product += row * y
        self.total += y * y

    def solve(self) -> tuple[list[float], float]:
        """Return the coefficients and the variance of the residuals; zeros while there are too few rounds."""
        if self.count <= self.terms:
            return [0.0] * self.terms, 0.0
        # The pseudo-inverse gives 0 to a regressor that did not vary.
        found = np.linalg.pinv(self.square) @ self.product
        rest = self.total - float(found @ self.product)
        return found.tolist(), max(rest, 0.0) / (self.count - self.terms)

    def numbers(self) -> dict[str, Any]:
        """Return the sums as JSON has them."""
        return {
            "count": self.count,
            "square": self.square.tolist(),
            "product": self.product.tolist(),
            "total": self.total,
        }

    def take(self, numbers: Mapping[str, Any]) -> None:
        """Take the sums from JSON.

        Raises:
            ValueError: they have another shape, or are not finite.
        """
        square, product = (np.array(numbers[name], dtype=np.float64) for name in ("square", "product"))
        if square.shape != self.square.shape or product.shape != self.product.shape:
            raise ValueError("sums of another shape")
        if not (np.isfinite(square).all() and np.isfinite(product).all() and math.isfinite(numbers["total"])):
            raise ValueError("sums that are not finite")
        self.square, self.product = square, product
        self.count, self.total = _count(numbers["count"]), float(numbers["total"])


class Fit:
    """The regressions of a training, with its progress.

    Attributes:
        steps: number of rounds so far.
        cycle: number of finished checkpoints.
        top: sums for the top station.
        uav: sums for the UAV.
    """

    def __init__(self) -> None:
        self.steps = self.cycle = 0
        self.top, self.uav = Sums(TOP_TERMS), Sums(UAV_TERMS)

    def add(self, state: npt.NDArray[np.float32], info: Mapping[str, Any]) -> None:
        """Add a round.

        Args:
            state: observation of the environment before the round.
            info: what the environment says of the round: ``own_uav``, ``own_top`` and ``lead``.
        """
        self.steps += 1
        uav, best, second = (_log_ratio(state, who) for who in ("uav", "best", "second"))
        if info["own_uav"] > 0.0 and math.isfinite(uav):
            self.uav.add((1.0, uav), math.log(info["own_uav"]))
        if info["own_top"] > 0.0 and math.isfinite(info["lead"] + best + second):
            self.top.add((1.0, math.log(info["lead"]), best, second), math.log(info["own_top"]))

    def coefficients(self, theta: float) -> Coefficients:
        """Return the coefficients of the rounds so far.

        Args:
            theta: toll on the UAV that they carry with them.
        """
        top, variance = self.top.solve()
        uav, uav_variance = self.uav.solve()
        share = self.uav.count / self.steps if self.steps else 1.0
        (constant, lead, best, second), (uav_constant, uav_slope) = top, uav
        return Coefficients(
            constant, lead, best, second, variance, uav_constant, uav_slope, uav_variance, share, float(theta)
        )

    def save(self, folder: Path) -> None:
        """Write the sums and the progress.

        Args:
            folder: folder that they are written to.
        """
        sums = {"top": self.top.numbers(), "uav": self.uav.numbers()}
        _write(folder, {"format": SUMS_FORMAT, "steps": self.steps, "cycle": self.cycle, **sums})

    @classmethod
    def load(cls, folder: Path) -> Fit:
        """Read sums and progress.

        Args:
            folder: folder that they were written to.

        Raises:
            InputError: there are none, or they were changed.
        """
        recover(folder)
        found, fit = _read(folder, SUMS_FORMAT), cls()
        try:
            fit.steps, fit.cycle = _count(found["steps"]), _count(found["cycle"])
            fit.top.take(found["top"])
            fit.uav.take(found["uav"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder / META}: does not hold the sums of a training ({error})") from None
        return fit


def save(folder: Path, coefficients: Coefficients, steps: int) -> None:
    """Write coefficients.

    Args:
        folder: folder that they are written to.
        coefficients: the coefficients.
        steps: number of rounds that they are from.
    """
    _write(folder, {"format": FORMAT, "steps": steps, "coefficients": asdict(coefficients)})


def load(folder: Path) -> tuple[Coefficients, str]:
    """Read coefficients, and the SHA-256 of their file.

    Args:
        folder: folder that they were written to.

    Raises:
        InputError: there are none, or they were changed.
    """
    found = _read(folder, FORMAT)
    numbers, names = found.get("coefficients"), [one.name for one in fields(Coefficients)]
    if not isinstance(numbers, dict) or sorted(numbers) != sorted(names):
        raise InputError(f"{folder / META}: 'coefficients' must have {', '.join(names)}")
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"{folder / META}: coefficient {name} must be a finite number, not {shown(value)}")
    return Coefficients(**numbers), found["sha256"]


def _log_ratio(state: npt.NDArray[np.float32], who: str) -> float:
    """Return log(match / seconds) of the UAV, the best or the second-best station; NaN where it is not there."""
    match, seconds = (float(state[MARKET_INDEX[f"{who}_{what}"]]) for what in ("match", "seconds"))
    return math.log(match / seconds) if match > 0.0 and seconds > 0.0 else math.nan


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"a count of {shown(value)}")
    return value


def _seal(found: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what a file says, its own hash apart."""
    said = {name: value for name, value in found.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _write(folder: Path, said: dict[str, Any]) -> None:
    text = json.dumps({**said, "sha256": _seal(said)}, indent=1, allow_nan=False) + "\n"
    with replacing(folder, force=True, kind=KIND) as new:
        new.mkdir()
        (new / META).write_text(text, encoding="utf-8")


def _read(folder: Path, wanted: str) -> dict[str, Any]:
    file = folder / META
    try:
        found = read_json(file)
    except OSError as error:
        raise InputError(f"{folder}: holds no coefficients ({META}: {error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{folder}: holds no coefficients ({META} is not JSON: {error})") from None
    if not isinstance(found, dict) or found.get("format") != wanted:
        raise InputError(f"{folder}: is not of a training of foresight ({META} must say format = {wanted})")
    try:
        expected = _seal(found)
    except ValueError:
        raise InputError(f"{file}: a number is not finite") from None
    if found.get("sha256") != expected:
        raise InputError(f"{file} was changed after it was written ('sha256' must be {expected})")
    return found
