"""What `dmsb reproduce` runs: scales, learners, the axes of Figs. 5 and 6, the variants of the sensitivity table."""

from __future__ import annotations

from typing import Any, NamedTuple

STATIONS_IN_FIG_4 = (3, 5, 7, 9)
"""Fig. 4(a) has 3; the paper does not say which numbers (b) to (d) have."""


class Scale(NamedTuple):
    """How long it takes and how narrow the intervals are.

    Attributes:
        steps: environment steps of a training for Figs. 3 and 4.
        mixed_steps: of one on all points of Figs. 5 and 6 side by side.
        variant_steps: of one for a row of the sensitivity table.
        trainings: training seeds of each learner.
        variant_trainings: training seeds of a row of the sensitivity table.
        evaluations: points of a curve; a training is evaluated at ends of episodes, every 10,000 steps, so that a
            curve has whole multiples of these.
        held_out: worlds that a curve is evaluated in.
        worlds: worlds that everything else is evaluated in.
        rounds: rounds of each of these.
    """

    steps: int
    mixed_steps: int
    variant_steps: int
    trainings: int
    variant_trainings: int
    evaluations: int
    held_out: int
    worlds: int
    rounds: int


SCALES = {
    "quick": Scale(30_000, 45_000, 20_000, 3, 1, 3, 1, 3, 3_000),
    "paper": Scale(600_000, 300_000, 100_000, 3, 3, 20, 4, 8, 20_000),
}

FIRST_WORLD = 100
"""Evaluation worlds have the seeds from here on; no training and no curve uses them."""

CONSTANT_WORLD, CONSTANT_ROUNDS = 99, 20_000
"""The best constant is chosen in a world of its own."""


class Learner(NamedTuple):
    """A learned auctioneer.

    Attributes:
        label: what figures call it.
        policy: the policy's name.
        hyper: hyperparameters that differ from their defaults.
    """

    label: str
    policy: str
    hyper: tuple[tuple[str, Any], ...] = ()


DMSB, PPO = "DMSB", "PPO"

LEARNERS = {
    "dmsb": Learner(DMSB, "diffusion"),
    "dmsb-one-step": Learner("DMSB, one-step", "diffusion", (("hindsight", False),)),
    "ppo": Learner(PPO, "ppo"),
    "sac": Learner("SAC", "sac"),
}
"""DMSB learns from hindsight, as by default; beside it stands Algorithm 1, which learns from the action taken alone."""

BEST_CONSTANT = "best constant"

RULES = {
    "Greedy": "greedy",
    "Random": "random",
    "SPA": "spa",
    "Myopic": "myopic",
    "Optimal": "optimal",
    "conditional": "conditional",
    BEST_CONSTANT: BEST_CONSTANT,
    "oracle": "oracle",
}
"""Policies that are not trained, by the label that they have in figures; the best constant is looked for."""


class Point(NamedTuple):
    """One point of an axis: where it stands on it, and the scenario's fields there."""

    axis: str
    value: float
    overrides: tuple[tuple[str, Any], ...]


def _bandwidth(value: float, kinds: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    span = (value - 20.0, value + 20.0)
    return tuple((f"{kind}.{link}_mhz", span) for kind in kinds for link in ("uplink", "downlink"))


AXES: dict[str, tuple[str, tuple[Point, ...]]] = {
    "bandwidth": (
        "mean bandwidth of all providers, MHz",
        tuple(Point("bandwidth", b, _bandwidth(b, ("stations", "uavs"))) for b in (30.0, 40.0, 50.0, 60.0)),
    ),
    "station_bandwidth": (
        "mean bandwidth of stations, MHz",
        tuple(Point("station_bandwidth", b, _bandwidth(b, ("stations",))) for b in (30.0, 40.0, 50.0, 60.0)),
    ),
    "stations": (
        "ground stations",
        tuple(Point("stations", count, (("stations.count", count),)) for count in range(3, 10)),
    ),
    "size": (
        "task size, MB",
        tuple(Point("size", d, (("tasks.size_mb", (d, d)),)) for d in (20.0, 25.0, 30.0, 35.0, 40.0)),
    ),
}
"""Axes of Figs. 5 and 6: label and points. Bandwidths are uniform within 20 MHz of their mean, as in section 6.1."""

BASE = Point("base", 0.0, ())
"""Section 6.1 as it stands: five stations, 20 to 40 MB, 20 to 60 MHz."""


class Variant(NamedTuple):
    """A row of the sensitivity table: what it changes in the scenario, and which policies it puts in whose place."""

    name: str
    overrides: tuple[tuple[str, Any], ...] = ()
    policies: tuple[tuple[str, str], ...] = ()


def _factors(share: float) -> tuple[tuple[str, Any], ...]:
    return (("traffic.uav_factor_log_sd", share), ("traffic.ground_factor_log_sd", 0.3 * share))


VARIANTS = (
    Variant("as calibrated"),
    Variant("zeta = 0.5", (("market.uav_weight", 0.5),)),
    Variant("zeta = 2", (("market.uav_weight", 2.0),)),
    Variant("no spread of demand", (("tasks.demand_log_sd", 0.0),)),
    Variant("public factors off", _factors(0.0)),
    Variant("public factors half", _factors(0.5)),
    Variant("the UAV bids on m", (("uavs.bids_on", "conditions"),)),
    Variant("the UAV bids v_0, (12b)", (("uavs.bids_on", "value"),)),
    Variant("T = 5", (("market.history", 5),)),
    Variant("10 actions", (("market.actions", 10),)),
    Variant("10 actions, index from 1", (("market.actions", 10), ("market.first_action", 1))),
    Variant("20 actions, index from 1", (("market.first_action", 1),)),
    Variant("max of (14) over all", (("market.reference", "all"),)),
    Variant("u_0 is the highest bid", (), (("Myopic", "myopic:uav_bid=highest"), ("Optimal", "optimal:u_0=highest"))),
    Variant("b_0 swapped", (), (("SPA", "spa:uav_bid=contract"), ("Myopic", "myopic:uav_bid=reported"))),
)
"""One change each; `as calibrated` is zeta = 1, a demand spread of .8, public factors in full, a UAV that bids on its
last report, T = 1 and 20 actions from index 0."""

FIGURES = ("fig3", "fig4", "fig5", "fig6", "claims")
