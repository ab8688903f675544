"""A check of an installation: small runs held against reference results that come with the project.

On the versions and the processor of the reference, every table has the same bytes. Elsewhere a figure may differ in
the last place, so a figure is held to three standard deviations of its spread between worlds. Times are never compared.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import numpy as np

from simulator.errors import EXTRAS, InputError, need, one_line
from simulator.record.result import Result, frame_hash
from simulator.record.schema import TABLES
from simulator.run import plan

REFERENCE = Path(__file__).with_name("reference.json")
"""Results of the checks, and the versions and the processor on which they were made."""

DEVIATIONS = 3.0
"""Number of standard deviations between worlds within which a figure must be."""

SPREAD_WORLDS = 20
"""Number of worlds from which the standard deviation of a reference is computed."""

FIGURES = ("tasks", "surplus_mean", "realised_mean", "lost_share", "uav_share", "latency_mean", "payments")
"""Figures of a summary that are compared."""

PACKAGES = ("dmsb", "numpy", "pandas", "pyarrow", "simpy")
"""Packages whose versions decide whether tables must have the same bytes."""


class Check(NamedTuple):
    """A small run.

    Attributes:
        scenario: name of a shipped scenario.
        policy: policy; None for a mechanism without a seat.
        duration: length of the run, s.
        mechanism: mechanism; None for that of the policy.
        needs: optional package without which it cannot run.
    """

    scenario: str
    policy: str | None
    duration: float
    mechanism: str | None = None
    needs: str | None = None

    def __str__(self) -> str:
        who = ", ".join(part for part in (self.policy, self.mechanism) if part)
        return f"{self.scenario}, {who}, {self.duration:g} s"

    def run(self, seed: int = 0) -> Result:
        """Run it in the world of a seed."""
        return plan(self.scenario, self.policy, seed, self.duration, mechanism=self.mechanism).run()


CHECKS = (
    Check("paper", "conditional", 1_000.0),
    *(Check("paper", policy, 1_000.0) for policy in ("optimal", "greedy", "random", "constant:1.6")),
    Check("paper", None, 1_000.0, "first-price"),
    Check("four_way", "conditional", 900.0),
    *(Check("four_way", policy, 900.0) for policy in ("diffusion", "sac", "ppo", "dqn", "foresight")),
    *(Check("four_way", policy, 900.0) for policy in ("oracle", "always-uav", "always-ground")),
    *(Check("four_way", policy, 900.0) for policy in ("nearest", "least-loaded")),
    *(Check("four_way", None, 900.0, mechanism) for mechanism in ("second-price", "vickrey")),
    Check("four_way", None, 900.0, "vcg-assignment", "scipy"),
    Check("four_way", None, 900.0, "second-score"),
    Check("paper", None, 1_000.0, "myerson", "scipy"),
    Check("paper", None, 1_000.0, "myerson-net"),
    Check("paper", None, 1_000.0, "regret-net"),
    *(Check("four_way", policy, 300.0, "double-dutch", "scipy") for policy in ("gap-step", "fixed-step:0.1")),
    *(Check("four_way", policy, 300.0, "madda", "scipy") for policy in ("gap-step", "gpt")),
    *(Check("four_way", None, 300.0, name, "scipy") for name in ("mcafee", "trade-reduction", "efficient")),
    Check("rush_hour", "myopic", 900.0),
    Check("t_junction", "spa", 1_200.0),
    Check("grid", "conditional", 300.0),
    Check("braunschweig", "conditional", 900.0),
    Check("after_the_match", "conditional", 600.0),
)
"""The runs of `doctor`: every shipped scenario, policy and mechanism is in one of them."""

Verdict = Literal["exact", "within", "differs", "left out"]


class Diagnosis(NamedTuple):
    """Result of a check.

    Attributes:
        check: the check, in words.
        verdict: ``exact`` if every table has the bytes of the reference, ``within`` if the figures are within
            `DEVIATIONS` standard deviations of it, else ``differs``. ``left out`` if a package is not installed.
        detail: the figure with the largest deviation, or the tables that must be equal and are not.
    """

    check: str
    verdict: Verdict
    detail: str


def machine() -> dict[str, Any]:
    """Return what decides whether results have the same bytes: versions, processor, settings of the linear algebra."""
    found: dict[str, Any] = {name: _version(name) for name in PACKAGES}
    found["python"] = platform.python_version()
    found["system"] = platform.system()
    # The model is often no more than "Xeon", so the instructions that numpy has found are named too.
    found["processor"] = _processor()
    config: Any = np.show_config(mode="dicts")
    simd = config.get("SIMD Extensions", {})
    found["instructions"] = sorted({*simd.get("baseline", []), *simd.get("found", [])})
    found["openblas"] = os.environ.get("OPENBLAS_CORETYPE", "")
    return found


def extras() -> Iterator[tuple[str, str, str]]:
    """Yield each package that dmsb can use: its name, its version (empty if absent), and the extra that installs it."""
    for package, extra in EXTRAS.items():
        yield package, _version(package), extra


def doctor(
    checks: tuple[Check, ...] = CHECKS,
    reference: dict[str, Any] | None = None,
    show: Callable[[Mapping[str, Result]], str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Diagnosis]:
    """Run the checks and compare them with the reference.

    Args:
        checks: the checks.
        reference: results by the text of the check; None for those that come with the project.
        show: function that makes the page of a run, to be tried too.
        progress: function that is called with the number of finished checks.

    Returns:
        One finding per check, and one about saving, loading and showing the last run.
    """
    known = _reference() if reference is None else reference
    must_be_exact = known["machine"] == machine()
    findings, last = [], None
    for number, check in enumerate(checks, 1):
        try:
            if check.needs is not None:
                need(check.needs)
        except InputError as error:
            findings.append(Diagnosis(str(check), "left out", str(error)))
            continue
        try:
            last = check.run()
            findings.append(_compared(check, last, known["checks"].get(str(check)), must_be_exact))
        except Exception as error:  # whatever is damaged: a scenario, a recording, weights, the code of a policy
            findings.append(Diagnosis(str(check), "differs", one_line(f"{type(error).__name__}: {error}")))
        if progress is not None:
            progress(number)
    if last is not None:
        findings.append(_saved(last, show))
    return findings


def _reference() -> dict[str, Any]:
    """Return the reference results that come with the project.

    Raises:
        InputError: they are missing or damaged.
    """
    try:
        known = json.loads(REFERENCE.read_text(encoding="utf-8"))
        entries = known["checks"].values()
        filled = all({"tables", "figures", "sd"} <= set(entry) for entry in entries)
        complete = filled and isinstance(known["machine"], dict)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        complete = False
    if not complete:
        raise InputError(f"{REFERENCE}: is missing or damaged; install dmsb again")
    return dict(known)


def measure(check: Check) -> dict[str, Any]:
    """Return the reference of a check: hashes of its tables, its figures, and their spread between worlds.

    Args:
        check: the check.
    """
    result = check.run()
    worlds = [check.run(seed).summary[list(FIGURES)] for seed in range(1, SPREAD_WORLDS + 1)]
    spread = np.std([world.to_numpy(dtype=float) for world in worlds], axis=0, ddof=1)
    return {
        "tables": table_hashes(result),
        "figures": {name: float(result.summary[name]) for name in FIGURES},
        "sd": dict(zip(FIGURES, spread.tolist(), strict=True)),
    }


def table_hashes(result: Result) -> dict[str, str]:
    """Return the SHA-256 of each table of a run, by name."""
    return {name: frame_hash(getattr(result, name)) for name in TABLES}


def _compared(check: Check, result: Result, known: dict[str, Any] | None, must_be_exact: bool) -> Diagnosis:
    """Return the finding about a run."""
    if known is None:
        return Diagnosis(str(check), "differs", "the reference does not have it")
    hashes = table_hashes(result)
    apart = [name for name in hashes if hashes[name] != known["tables"].get(name)]
    if not apart:
        return Diagnosis(str(check), "exact", f"{len(hashes)} tables")
    if must_be_exact:
        return Diagnosis(str(check), "differs", f"{', '.join(apart)}: other bytes on the machine of the reference")
    off = {
        name: abs(float(result.summary[name]) - known["figures"][name]) / max(known["sd"][name], 1e-12)
        for name in FIGURES
    }
    # A figure that is not a number is as far off as can be, and no comparison with NaN is true.
    worst = max(off, key=lambda name: off[name] if np.isfinite(off[name]) else np.inf)
    said = f"{worst} {float(result.summary[worst]):.5g}, reference {known['figures'][worst]:.5g}"
    return Diagnosis(
        str(check),
        "within" if off[worst] <= DEVIATIONS else "differs",
        f"{said}: {off[worst]:.2g} standard deviations between worlds",
    )


def _saved(result: Result, show: Callable[[Mapping[str, Result]], str] | None) -> Diagnosis:
    """Return the finding about saving a run, loading it, and making its page."""
    what = "save, load, report"
    with TemporaryDirectory() as folder:
        # Tables are read when they are asked for, so the folder must still be there.
        loaded = Result.load(result.save(Path(folder) / "run"))
        apart = [name for name in TABLES if not getattr(loaded, name).equals(getattr(result, name))]
        if apart:
            return Diagnosis(what, "differs", f"{', '.join(apart)} changed on the way")
        size = len(show({"run": loaded})) / 1e6 if show is not None else 0.0
    return Diagnosis(what, "exact", f"{len(TABLES)} tables" + (f", page of {size:.1f} MB" if size else ""))


def _version(package: str) -> str:
    """Return the version of an installed package; empty if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    """Return the model of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
