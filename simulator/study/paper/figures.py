"""Tables behind Figs. 3 to 6, and the sensitivity table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from simulator.study.paper.plan import (
    AXES,
    BASE,
    DMSB,
    LEARNERS,
    ONLINE,
    PPO,
    RULES,
    STATIONS_IN_FIG_4,
    VARIANTS,
    Point,
    Variant,
    curve_points,
)
from simulator.study.paper.runs import Training, Workshop
from simulator.study.paper.scenarios import every_point
from simulator.study.paper.tables import by_world, curve_means, margin, means

if TYPE_CHECKING:
    import pandas as pd

FIG_4_RULES = ("SPA", "Myopic", "Optimal", "conditional")
"""Rules in Fig. 4."""

SENSITIVE = ("Greedy", "Random", "SPA", "Myopic", "Optimal", "conditional", "best constant", "oracle")
"""Rules in the sensitivity table."""

RETRAINED = ("dmsb", "ppo")
"""Learners in the sensitivity table and in Figs. 5 and 6. Each row of the table trains both again."""


def base_trainings(workshop: Workshop) -> list[Training]:
    """Return the trainings behind Fig. 3: every learner with the settings of section 6.1."""
    scale = workshop.scale
    return [
        training
        for learner in LEARNERS
        for training in workshop.training(learner, "base", [BASE], scale.steps, scale.trainings, curve=True)
    ]


def station_trainings(workshop: Workshop) -> dict[Point, list[Training]]:
    """Return the trainings behind Fig. 4: DMSB with each number of stations, by the name of their place."""
    scale = workshop.scale
    return {
        point: workshop.training("dmsb", _place(point), [point], scale.panel_steps, scale.trainings, curve=True)
        for point in AXES["stations"][1]
        if point.value in STATIONS_IN_FIG_4
    }


def _place(point: Point) -> str:
    """Return the name of the place of trainings with a number of stations."""
    return f"stations-{point.value:g}"


def mixed_trainings(workshop: Workshop, learners: Iterable[str]) -> list[Training]:
    """Return the trainings behind Figs. 5 and 6: one set of weights per training for all points of all axes."""
    # The paper does not say whether it trains again at each point. Here it does not.
    scale, points = workshop.scale, every_point()
    return [
        one
        for learner in learners
        for one in workshop.training(learner, "mixed", points, scale.mixed_steps, scale.trainings)
    ]


def variant_trainings(workshop: Workshop) -> dict[Variant, list[Training]]:
    """Return the trainings behind the sensitivity table: DMSB and PPO for each row.

    A row that changes rules only uses the trainings of the first row, because its scenario is the same.
    """
    scale, found = workshop.scale, dict[Variant, list[Training]]()
    for number, variant in enumerate(VARIANTS):
        # The first row has no overrides either, but its training must be done.
        if variant.overrides or not found:
            point, place = _point(variant), f"variant-{number}"
            found[variant] = [
                one
                for learner in RETRAINED
                for one in workshop.training(learner, place, [point], scale.variant_steps, scale.variant_trainings)
            ]
        else:
            found[variant] = found[VARIANTS[0]]
    return found


def fig3(workshop: Workshop) -> pd.DataFrame:
    """Return the table of Fig. 3: surplus per task of learners by training steps, and of rules.

    All are evaluated in the same held-out worlds. Rows of rules have NaN in ``steps``. A rule that learns while it runs
    has a curve and no such row.
    """
    import pandas as pd

    learned = curve_means(learning_curves(workshop), curve_points(workshop.scale.steps))
    learned["policy"] = learned["learner"].map({name: one.label for name, one in LEARNERS.items()} | _same(ONLINE))
    # In the order of the learners, which is that of the legend.
    order = [one.label for one in LEARNERS.values()] + list(ONLINE)
    learned = learned.sort_values("policy", key=lambda column: column.map(order.index), kind="stable")
    rules = workshop.on_curves(BASE, [label for label in RULES if label not in ONLINE])
    # Rules have no half-width: the half-width of a curve is over trainings.
    columns = ["policy", "steps", "trainings", "total", "total_ci", "uav", "uav_ci", "ground", "ground_ci"]
    return pd.concat([learned, rules])[columns].reset_index(drop=True)


def fig4(workshop: Workshop) -> pd.DataFrame:
    """Return the table of Fig. 4: surplus per task of DMSB by stations and training steps, and of rules.

    All are evaluated in the same held-out worlds. Rows of rules have NaN in ``steps``.
    """
    import pandas as pd

    trainings = station_trainings(workshop)
    workshop.train(one for trained in trainings.values() for one in trained)
    parts = []
    for point, trained in trainings.items():
        learned = curve_means(workshop.curves(trained), curve_points(workshop.scale.panel_steps)).assign(policy=DMSB)
        parts += [learned, workshop.on_curves(point, FIG_4_RULES)]
        parts[-2:] = [part.assign(stations=int(point.value)) for part in parts[-2:]]
    columns = ["stations", "policy", "steps", "trainings", "total", "total_ci", "uav", "uav_ci", "ground", "ground_ci"]
    return pd.concat(parts)[columns].reset_index(drop=True)


def learning_curves(workshop: Workshop) -> pd.DataFrame:
    """Return the curves behind Fig. 3, one row per training and evaluation, those of online rules among them."""
    import pandas as pd

    trainings = base_trainings(workshop)
    workshop.train(trainings)
    return pd.concat(
        [workshop.curves(trainings), *(workshop.online_curve(label) for label in ONLINE if label in RULES)]
    )


def _same(labels: Iterable[str]) -> dict[str, str]:
    """Return names that stay as they are."""
    return {label: label for label in labels}


def station_runs(workshop: Workshop) -> pd.DataFrame:
    """Return the runs of DMSB's weights of Fig. 4 and of rules at each number of stations."""
    trainings = station_trainings(workshop)
    workshop.train(one for trained in trainings.values() for one in trained)
    return workshop.run(
        run
        for point, trained in trainings.items()
        for run in (*workshop.trained(trained, point), *workshop.rules(point, FIG_4_RULES))
    )


def sweep_runs(workshop: Workshop, learners: Iterable[str], rules: Iterable[str]) -> pd.DataFrame:
    """Return the runs of learners and rules at every point of every axis."""
    trainings = mixed_trainings(workshop, learners)
    workshop.train(trainings)
    points = [point for _, axis in AXES.values() for point in axis]
    rules = list(rules)
    return workshop.run(
        run for point in points for run in (*workshop.trained(trainings, point), *workshop.rules(point, rules))
    )


# `conditional` and the best constant are not in the paper's figures. They show what there is to gain: `conditional` is
# near-optimal in `paper`, and no price that is blind to the state exceeds the best constant.
FIG_5_RULES = ("SPA", "Myopic", "Optimal", "conditional", "best constant")
FIG_6_RULES = ("Greedy", "Random", "conditional", "best constant")


def fig5(workshop: Workshop) -> pd.DataFrame:
    """Return the table of Fig. 5: DMSB, SPA, Myopic and Optimal by bandwidth, number of stations and task size."""
    return means(sweep_runs(workshop, ["dmsb"], FIG_5_RULES))


def fig6(workshop: Workshop) -> pd.DataFrame:
    """Return the table of Fig. 6: DMSB, PPO, Greedy and Random by bandwidth, number of stations and task size."""
    return means(sweep_runs(workshop, RETRAINED, FIG_6_RULES))


def base_runs(workshop: Workshop) -> pd.DataFrame:
    """Return the runs of every learner and every rule with the settings of section 6.1."""
    trainings, worlds = base_trainings(workshop), workshop.scale.base_worlds
    workshop.train(trainings)
    return workshop.run([*workshop.trained(trainings, BASE, worlds), *workshop.rules(BASE, RULES, worlds=worlds)])


def sensitivity(workshop: Workshop) -> pd.DataFrame:
    """Return the sensitivity table: one row per variant, with DMSB's margins over PPO and each rule.

    Each margin has the half-width of its 95 % interval.
    """
    import pandas as pd

    trainings = variant_trainings(workshop)
    workshop.train(one for trained in trainings.values() for one in trained)
    runs = workshop.run(
        run
        for variant, trained in trainings.items()
        for run in (
            *workshop.trained(trained, _point(variant)),
            *workshop.rules(_point(variant), SENSITIVE, dict(variant.policies)),
        )
    )
    rows, table = [], by_world(runs, "total")
    for variant in VARIANTS:
        totals = {label: table[variant.name, 0.0, label] for label in (DMSB, PPO, *SENSITIVE)}
        ranking = sorted(totals, key=lambda label: -totals[label].mean())
        row: dict[str, object] = {"variant": variant.name, "order": " > ".join(ranking)}
        row |= {"surplus": float(totals[DMSB].mean())}
        for label in (PPO, *SENSITIVE):
            gain, width, _ = margin(totals[DMSB], totals[label])
            row |= {f"over {label}": gain, f"over {label} ci": width}
        rows.append(row)
    return pd.DataFrame(rows)


def _point(variant: Variant) -> Point:
    """Return the scenario of a variant as the only point of an axis of its own."""
    return Point(variant.name, 0.0, variant.overrides)
