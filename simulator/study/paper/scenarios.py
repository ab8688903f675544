"""Scenarios of the points of the paper's axes."""

from __future__ import annotations

from simulator.scenario.scenario import Scenario
from simulator.study.paper.plan import AXES, BASE, Point


def scenario_at(point: Point) -> Scenario:
    """Return the scenario `paper` at a point of an axis, named after the point."""
    # Trainings on several points tell their scenarios apart by name.
    name = "paper" if point == BASE else f"paper, {point.axis} {point.value:g}"
    return Scenario.load("paper", **{"name": name, **dict(point.overrides)})


def every_point() -> tuple[Point, ...]:
    """Return the points of all axes, each scenario once."""
    # The settings of section 6.1 are a point of three axes.
    points = {
        scenario_at(point).model_dump_json(exclude={"name"}): point for _, axis in AXES.values() for point in axis
    }
    return tuple(points.values())
