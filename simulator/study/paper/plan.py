"""Plan of `dmsb reproduce`: scales, learners, axes of Figs. 5 and 6, and variants of the sensitivity table."""

from __future__ import annotations

from typing import Any, NamedTuple

from simulator.market.contracts import Information

# Fig. 4(a) of the paper has 3 stations. The paper does not say how many (b) to (d) have.
# Section 6.1 has 3 to 9 stations, so the panels are spread evenly over that range.
STATIONS_IN_FIG_4 = (3, 5, 7, 9)
"""Number of ground stations in each panel of Fig. 4."""


class Scale(NamedTuple):
    """Size of a reproduction. A larger one takes longer and has narrower intervals.

    Attributes:
        steps: environment steps of a training for Fig. 3.
        panel_steps: environment steps of a training for Fig. 4.
        mixed_steps: environment steps of a training on all points of Figs. 5 and 6 at the same time.
        variant_steps: environment steps of a training for a row of the sensitivity table.
        trainings: number of training seeds per learner.
        variant_trainings: number of training seeds per row of the sensitivity table.
        held_out: number of worlds in which the points of a curve are evaluated.
        base_worlds: number of worlds of the runs with the settings of section 6.1.
        worlds: number of worlds of all other runs.
        rounds: number of rounds of each run.
    """

    steps: int
    panel_steps: int
    mixed_steps: int
    variant_steps: int
    trainings: int
    variant_trainings: int
    held_out: int
    base_worlds: int
    worlds: int
    rounds: int


# Only `paper` trains long enough to test the paper's claim of stability after 500,000 steps.
SCALES = {
    "quick": Scale(30_000, 20_000, 45_000, 20_000, 3, 1, 1, 6, 3, 3_000),
    "paper": Scale(600_000, 300_000, 300_000, 60_000, 3, 3, 2, 24, 12, 10_000),
}

CURVE = (0, 1_000, 1_500, 2_000, 2_500, 3_000, 4_000, 5_000, 6_000, 8_000, 10_000, 12_500, 15_000, 20_000, 25_000)
"""First points of a curve, environment steps. Most is learned in the first 20,000."""


def curve_points(steps: int) -> tuple[int, ...]:
    """Return the points of a curve: dense at the start, then every 10,000 and every 20,000 environment steps.

    Args:
        steps: environment steps of the training.
    """
    points = (*CURVE, *range(30_000, 200_000, 10_000), *range(200_000, steps, 20_000))
    return (*(point for point in points if point < steps), steps)


# Apart from the seeds of curves, which choose the best weights: the choice must not see the worlds of the verdict.
FIRST_WORLD = 100
"""Seed of the first world in which policies are compared; the others have the seeds that follow."""

# In the worlds of the comparison the best constant would be chosen with hindsight.
TUNING_WORLD, TUNING_ROUNDS = 99, 20_000
"""Seed and number of rounds of the world in which the best constant price and the best scale are chosen."""

SCALE_FACTORS = (0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2)
"""Factors k of `conditional:scale=k` among which the best one is chosen."""

# Greedy learns while it runs, so its curve is that of a run.
ONLINE_WORLD = 200
"""Seed of the first world in which a rule that learns while it runs has its curve; the others follow."""


class Learner(NamedTuple):
    """Learner of a pricing policy.

    Attributes:
        label: name in figures.
        policy: name of the policy.
        hyper: hyperparameters that differ from their defaults.
        information: what its price may see.
    """

    label: str
    policy: str
    hyper: tuple[tuple[str, Any], ...] = ()
    information: Information = "public"


DMSB, ONE_STEP, LETTER, PPO = "DMSB", "DMSB, one-step", "DMSB, Algorithm 1", "PPO"

# DMSB learns from hindsight, which is the default of `diffusion`. "DMSB, one-step" learns only from the action that was
# taken. So does Algorithm 1 of the paper, whose state is {m, b}: it sees the three highest bids, and demand is in bids
# and rewards.
LEARNERS = {
    "dmsb": Learner(DMSB, "diffusion"),
    "dmsb-one-step": Learner(ONE_STEP, "diffusion", (("hindsight", False),)),
    "dmsb-letter": Learner(LETTER, "diffusion", (("hindsight", False), ("without_demand", False)), "all-bids"),
    "ppo": Learner(PPO, "ppo"),
    "dqn": Learner("DQN", "dqn"),
    "sac": Learner("SAC", "sac"),
}
"""Learners by short name."""

BEST_CONSTANT, BEST_SCALE = "best constant", "conditional, best scale"

RULES = {
    "Greedy": "greedy",
    "Random": "random",
    "SPA": "spa",
    "Myopic": "myopic",
    "Optimal": "optimal",
    "conditional": "conditional",
    BEST_SCALE: BEST_SCALE,
    "foresight": "foresight",
    BEST_CONSTANT: BEST_CONSTANT,
    "oracle": "oracle",
}
"""Policies that are not trained here, by their name in figures.

"best constant" is `constant` at its best price, and "conditional, best scale" is `conditional:scale=k` at its best k.
`foresight` has its shipped coefficients.
"""

ONLINE = ("Greedy",)
"""Rules that learn while they run."""


class Point(NamedTuple):
    """Point of an axis.

    Attributes:
        axis: name of the axis.
        value: position on the axis, in the unit of the axis.
        overrides: fields of the scenario at this point, by dotted key.
    """

    axis: str
    value: float
    overrides: tuple[tuple[str, Any], ...]


def _bandwidth(value: float, kinds: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    """Return the fields of the scenario for a mean bandwidth, MHz, of some kinds of provider."""
    # Section 6.1 draws bandwidths uniformly from 20 to 60 MHz, which is 20 MHz around the mean.
    span = (value - 20.0, value + 20.0)
    return tuple((f"{kind}.{link}_mhz", span) for kind in kinds for link in ("uplink", "downlink"))


BANDWIDTHS_MHZ = (30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0)
SIZES_MB = (20.0, 22.5, 25.0, 27.5, 30.0, 32.5, 35.0, 37.5, 40.0)

# The paper varies "seller bandwidths", and its UAV's surplus stays stable. It does not say whether the UAV's bandwidth
# varies too. So there are two axes: bandwidth of all providers, and bandwidth of stations only.
AXES: dict[str, tuple[str, tuple[Point, ...]]] = {
    "bandwidth": (
        "mean bandwidth of all providers, MHz",
        tuple(Point("bandwidth", b, _bandwidth(b, ("stations", "uavs"))) for b in BANDWIDTHS_MHZ),
    ),
    "station_bandwidth": (
        "mean bandwidth of stations, MHz",
        tuple(Point("station_bandwidth", b, _bandwidth(b, ("stations",))) for b in BANDWIDTHS_MHZ),
    ),
    "stations": (
        "ground stations",
        tuple(Point("stations", count, (("stations.count", count),)) for count in range(3, 10)),
    ),
    "size": (
        "task size, MB",
        tuple(Point("size", d, (("tasks.size_mb", (d, d)),)) for d in SIZES_MB),
    ),
}
"""Axes of Figs. 5 and 6 by name: label with unit, and points."""

BASE = Point("base", 0.0, ())
"""Settings of section 6.1: five stations, tasks of 20 to 40 MB, bandwidths of 20 to 60 MHz."""


class Variant(NamedTuple):
    """Row of the sensitivity table.

    Attributes:
        name: name of the row.
        overrides: fields of the scenario that the row changes, by dotted key.
        policies: policies that the row replaces, as pairs of the name in figures and the other policy.
    """

    name: str
    overrides: tuple[tuple[str, Any], ...] = ()
    policies: tuple[tuple[str, str], ...] = ()


def _factors(share: float) -> tuple[tuple[str, Any], ...]:
    """Return the fields that give the public factors of `paper` a share of their calibrated spread."""
    # Calibrated are a log-sd of 1.0 for the UAV and of 0.3 for the ground stations.
    return (("traffic.uav_factor_log_sd", share), ("traffic.ground_factor_log_sd", 0.3 * share))


# The calibration of `paper` was searched for the paper's margins. Each row shows what happens without one choice of it.
# `as calibrated` has zeta = 1, a demand log-sd of 0.8, full public factors and T = 1. The UAV bids on its last report.
# There are 20 actions from index 0.
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
    Variant("the UAV pays (13)", (("market.uav_payment", "contract"),)),
    Variant("u_0 is the highest bid", (), (("Myopic", "myopic:uav_bid=highest"), ("Optimal", "optimal:u_0=highest"))),
    Variant("b_0 swapped", (), (("SPA", "spa:uav_bid=contract"), ("Myopic", "myopic:uav_bid=reported"))),
)
"""Rows of the sensitivity table: the calibration, and rows with one change each."""

FIGURES = ("fig3", "fig4", "fig5", "fig6", "claims")
