"""The design of a comparison: its worlds, policies, mechanisms and points of a grid, checked before the first run."""

from __future__ import annotations

import hashlib
import json
import math
import socket
import warnings
from collections.abc import Collection, Mapping, Sequence
from itertools import chain, product
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from simulator.errors import EmptyMarketWarning, InputError, RunError, ScenarioError, shown
from simulator.market.contracts import Policy
from simulator.market.plugins import find_policy
from simulator.run import plan
from simulator.scenario.scenario import Scenario
from simulator.study.contenders import Contender, contenders, try_out
from simulator.study.journal import Figures
from simulator.study.run_figures import figures_of
from simulator.study.worlds import KeptWorlds
from simulator.world.plan import Plan

# Upper limits: a mistyped number gets one sentence, and does not exhaust the memory.
MOST_WORLDS, MOST_CELLS = 1_000_000, 10_000_000

Point: TypeAlias = tuple[tuple[str, Any], ...]
"""A point of a grid, as (field, value) pairs."""

Grid: TypeAlias = Mapping[str, Sequence[Any]]
"""Values by dotted key. A key such as ``a,b`` moves two fields together; each of its values has one value per field."""


class Cell(NamedTuple):
    """One run: a point of the grid, a policy and a seed."""

    point: Point
    contender: Contender
    seed: int


class Design:
    """What a comparison runs.

    Every scenario is loaded, and every policy and mechanism is found and tried. What is wrong is told before the first
    run and costs no waiting.

    Args:
        scenario: name of a shipped scenario, path of a scenario file, or a `Scenario`.
        policies: the policies, as text.
        seeds: number of worlds.
        duration: length of each run, s; if None, the duration of the scenario.
        warmup: start of the summary, s.
        grid: values by dotted scenario key.
        mechanisms: mechanisms, as text; None to leave each policy in its own mechanism.
        bidders: bidder of all stations, or bidders by name of the provider.
        chosen: what is compared, in place of policies and mechanisms.
        overrides: scenario fields by dotted key.

    Attributes:
        points: points of the grid.
        contenders: pairs of a policy and a mechanism.
        seeds: number of worlds.
        cells: the runs.
        work: function that returns the figures of a cell.
        fingerprint: hash of all that the figures depend on apart from the cell.

    Raises:
        InputError: an argument is wrong.
    """

    def __init__(
        self,
        scenario: str | Scenario,
        policies: Sequence[str],
        seeds: int = 5,
        duration: float | None = None,
        warmup: float = 0.0,
        grid: Grid | None = None,
        mechanisms: Sequence[str] | None = None,
        bidders: str | Mapping[str, str] | None = None,
        chosen: Sequence[Contender] = (),
        **overrides: Any,
    ) -> None:
        # The first is the one with which the others are compared, so a set will not do.
        named = isinstance(policies, list | tuple) and all(isinstance(policy, str) for policy in policies)
        # A mechanism without seats needs no policy.
        if not named or len(set(policies)) != len(policies) or not (policies or mechanisms or chosen):
            given = ", ".join(policies) if named else shown(policies)
            raise InputError(f"policies: must be a list of one or more different policies, not {given or 'none'}")
        if isinstance(seeds, bool) or not isinstance(seeds, int) or not 2 <= seeds <= MOST_WORLDS:
            why = "(an interval needs two or more worlds)"
            raise InputError(f"seeds: must be a whole number from 2 to {MOST_WORLDS:,} {why}, not {shown(seeds)}")
        if mechanisms is not None and (
            not isinstance(mechanisms, list | tuple)
            or not mechanisms
            or not all(isinstance(mechanism, str) for mechanism in mechanisms)
            or len(set(mechanisms)) < len(mechanisms)
        ):
            raise InputError(f"mechanisms: must be a list of one or more different mechanisms, not {shown(mechanisms)}")
        self.contenders = list(chosen) or contenders(policies, mechanisms)
        moved: Grid = {} if grid is None else grid
        if not isinstance(moved, Mapping):
            raise InputError(f"grid: must be a mapping from keys to lists of values, not {shown(moved)}")
        # Before the points are made: a mistyped grid has billions of them.
        counts = [_count(key, values) for key, values in moved.items()]
        if math.prod(counts) * len(self.contenders) * seeds > MOST_CELLS:
            runs_in_all = f"{math.prod(counts):,} points x {len(self.contenders)} policies x {seeds} seeds"
            raise InputError(f"grid: must make at most {MOST_CELLS:,} runs, not {runs_in_all}")
        self.points, self.seeds = grid_points(moved), seeds
        _check_moved(
            {key for key, _ in self.points[0]},
            {
                "duration_s": duration is not None and "duration",
                "market.mechanism": any(one.mechanism is not None for one in self.contenders) and "mechanisms",
                "stations.bidding": bidders is not None and "bidders",
                "uavs.bidding": bidders is not None and "bidders",
                **dict.fromkeys(overrides, "an override"),
            },
        )
        scenarios = {point: _at(scenario, overrides, point) for point in self.points}
        _check_distinct(scenarios)
        found = {one.policy: find_policy(one.policy) for one in self.contenders}
        self.work = Work(scenarios, duration, warmup, bidders)
        for point, one in product(self.points, self.contenders):
            self.work.keep(point, one, self.work.plan(point, one, found[one.policy]))
            try_out(self.work.kept(point, one))
        self._places = {point: number for number, point in enumerate(self.points)}
        self.cells = [Cell(*cell) for cell in product(self.points, self.contenders, range(seeds))]
        depends = [
            [str(point), one.label, self.work.kept(point, one).hashes]
            for point, one in product(self.points, self.contenders)
        ]
        lengths = [None if one is None else float(one) for one in (duration, warmup)]
        about = json.dumps([[*depends, [str(bidders)]], *lengths], sort_keys=True, allow_nan=False)
        self.fingerprint = hashlib.sha256(about.encode()).hexdigest()

    def place(self, cell: Cell) -> int:
        """Return the number of the world of a cell, from 0: seeds within points of the grid."""
        return self._places[cell.point] * self.seeds + cell.seed

    @staticmethod
    def world(cell: Cell) -> tuple[Point, int]:
        """Return the world of a cell: its runs meet the same requests."""
        return cell.point, cell.seed


def grid_points(grid: Grid) -> list[Point]:
    """Return every combination of a grid's values, in the order of the keys.

    Raises:
        InputError: a key has no values, or one that is a mapping, or a value twice.
    """
    for key, values in grid.items():
        _count(key, values)
        # A whole number and its float are one value, and one point.
        if len({_frozen(value) for value in values}) < len(values):
            raise InputError(f"grid: {key} has a value twice: {shown(values)}")
    axes = [[_pairs(key, value) for value in values] for key, values in grid.items()]
    points = [tuple(chain.from_iterable(point)) for point in product(*axes)]
    keys = [key for key, _ in points[0]]
    if len(set(keys)) < len(keys):
        raise InputError(f"grid: {next(key for key in keys if keys.count(key) > 1)} is moved twice")
    return points


def _count(key: object, values: object) -> int:
    """Return the number of values of a key of a grid.

    Raises:
        InputError: the key is not text, or its values are not a list of one or more.
    """
    if not isinstance(key, str) or not all(part.strip() for part in key.split(",")):
        raise InputError(f"grid: a key must be the dotted key of a field, such as stations.count, not {shown(key)}")
    # Text and bytes are refused too: their letters would be taken for values.
    if isinstance(values, str | bytes) or not isinstance(values, Sequence | np.ndarray) or not len(values):
        raise InputError(f"grid: {key} needs one or more values, such as {key}=3,5, not {shown(values)}")
    if len(values) > MOST_CELLS:
        raise InputError(f"grid: {key} has {len(values):,} values; it must make at most {MOST_CELLS:,} runs")
    return len(values)


def _at(scenario: str | Scenario, overrides: Mapping[str, Any], point: Point) -> Scenario:
    """Return the scenario of a point. What is wrong with it is told by the grid's key.

    Raises:
        ScenarioError: a field is wrong.
    """
    try:
        return Scenario.load(scenario, **overrides, **dict(point))
    except ScenarioError as error:
        message = str(error)
        for key, _ in point:
            message = message.replace(f"--set {key}:", f"grid: {key}:")
        raise ScenarioError(message) from None


def _pairs(key: str, value: Any) -> Point:
    """Return the (field, value) pairs of one value of a key, which may name several fields."""
    fields = [field.strip() for field in key.split(",")]
    if len(fields) == 1:
        return ((key, _frozen(value)),)
    if not isinstance(value, list | tuple) or len(value) != len(fields):
        raise InputError(
            f"grid: {key} moves {len(fields)} fields together and needs as many values at a time, such as "
            f"{key}=20:30,40:50, not {shown(value)}"
        )
    return tuple((field, _frozen(part)) for field, part in zip(fields, value, strict=True))


def _check_moved(keys: Collection[str], replaced: Mapping[str, str | Literal[False]]) -> None:
    """Refuse a grid over a field that an argument replaces: its rows would be labelled with what was not run.

    Args:
        keys: fields that the grid moves.
        replaced: arguments that replace a field or a part of one, by dotted key; False where none does.

    Raises:
        InputError: the grid moves such a field.
    """
    for field, argument in replaced.items():
        for key in keys:
            if argument and (key == field or key.startswith(f"{field}.") or field.startswith(f"{key}.")):
                raise InputError(f"grid: {key} is moved, but {argument} says what it is; leave one of them out")


def _check_distinct(scenarios: Mapping[Point, Scenario]) -> None:
    """Refuse two points of a grid that are the same scenario.

    Raises:
        InputError: two are.
    """
    seen: dict[str, Point] = {}
    for point, scenario in scenarios.items():
        other = seen.setdefault(scenario.model_dump_json(), point)
        if other != point:
            first, second = (", ".join(f"{key} = {shown(value)}" for key, value in one) for one in (other, point))
            raise InputError(f"grid: {first} and {second} are the same scenario; leave one of them out")


def _frozen(value: Any) -> Any:
    """Return a value with its lists as tuples, because a point of the grid is a dictionary key.

    Raises:
        InputError: it is a mapping.
    """
    if isinstance(value, Mapping):
        raise InputError(f"grid: {shown(value)} is a mapping; move its fields by their own keys, such as a.b,a.c=1:2")
    return tuple(_frozen(part) for part in value) if isinstance(value, list | tuple) else value


class Work:
    """What is done for each cell: the run of its plan in the world of its seed.

    A plan is made once per process. This process makes all plans before the study begins. A worker process makes a plan
    for its first cell of a point and a contender. Workers are not sent plans: a class from a user's file cannot be
    pickled.
    """

    def __init__(
        self,
        scenarios: Mapping[Point, Scenario],
        duration: float | None,
        warmup: float,
        bidders: str | Mapping[str, str] | None,
    ) -> None:
        self._scenarios, self._duration, self._warmup, self._bidders = scenarios, duration, warmup, bidders
        self._plans: dict[tuple[Point, Contender], Plan] = {}
        self._hashes: dict[tuple[Point, Contender], dict[str, Any]] = {}
        # A process does the cells of a world one after the other, so it needs no earlier world but for pieces of few
        # worlds that come in turns.
        self._worlds = KeptWorlds(most_worlds=4)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_plans": {}}

    def plan(self, point: Point, one: Contender, policy: str | Policy) -> Plan:
        """Make the plan of a contender at a point."""
        return plan(
            self._scenarios[point],
            policy,
            duration=self._duration,
            warmup=self._warmup,
            mechanism=one.mechanism,
            bidders=self._bidders,
        )

    def keep(self, point: Point, one: Contender, planned: Plan) -> None:
        """Keep a plan that has been made.

        Raises:
            RunError: this process is a worker, and its files are not those of the study.
        """
        hashes = dict(planned.hashes)
        if self._hashes.setdefault((point, one), hashes) != hashes:
            raise RunError(
                f"{one.label} on {socket.gethostname()} is not that of the study: its file, its weights or the "
                "recording differ; give all workers the same"
            )
        self._plans[point, one] = planned

    def kept(self, point: Point, one: Contender) -> Plan:
        """Return a plan that has been made."""
        return self._plans[point, one]

    def __call__(self, cell: Cell) -> Figures:
        """Return the figures of a cell."""
        key = cell.point, cell.contender
        if key not in self._plans:
            self.keep(*key, self.plan(*key, cell.contender.policy))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            figures = figures_of(self._worlds.run(self._plans[key].with_seed(cell.seed)), self._warmup)
        for warning in said:
            # A world without a task is told once, by the comparison, and not once per policy.
            if figures["tasks"] > 0.0 or not issubclass(warning.category, EmptyMarketWarning):
                warnings.warn(warning.message, stacklevel=2)
        return figures
