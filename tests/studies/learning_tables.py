"""The tables of `tests.studies.learning`: ratios to `conditional`, differences to rivals, and ablations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from simulator.model import FloatArray
from simulator.study.journal import Figures, read_journal
from simulator.study.statistics import Crossed, corrected, crossed, crossed_ratio
from tests.studies.learners import FEW_WORLDS, JUNCTIONS, MIX_WORLD, PAPER_POINTS, STUDIES, UNSEEN
from tests.studies.learning import (
    KEPT,
    Run,
    run_all,
    runs_of,
    scene_name,
    trainings_of,
    tune_scales,
)

MADE = KEPT.parent / "results" / "made"
"""Folder of what the pages of results include."""

METRICS = {"realised": "realised surplus", "surplus": "surplus"}
"""Figures of a run, with their names in the tables."""

RULES = ("spa", "myopic", "optimal", "greedy", "random")
"""Rules that are compared with the learners, in fewer worlds."""

SHOWN = {"mix-diffusion": "diffusion", "mix-sac": "sac", "mix-ppo": "ppo", "mix-dqn": "dqn",
         "mix-realised": "diffusion, trained on realised"}  # fmt: skip
"""Name of each mix in the tables."""

AS_SHIPPED = "diffusion, seed 0"
"""Name of the first training of `diffusion` by itself."""

Done = dict[Run, Figures]


class Table:
    """Runs by scene and policy, as matrices over worlds and trainings.

    Args:
        done: figures of all runs.
    """

    def __init__(self, done: Done) -> None:
        self._done = done

    def of(self, columns: Sequence[Sequence[Run]], metric: str, count: int | None = None) -> FloatArray:
        """Return a figure of runs, shape (worlds, trainings).

        Args:
            columns: runs of each training, by world.
            metric: name of the figure.
            count: number of worlds; None for all.
        """
        return np.array([[self._done[run][metric] for run in runs[:count]] for runs in columns]).T


def rule_runs(scene: str, policy: str, worlds: Iterable[int]) -> list[Run]:
    """Return the runs of a rule in some worlds."""
    return [Run(scene, policy, world) for world in worlds]


def write(names: list[str], jobs: int, said: Callable[[str, int, int], None]) -> None:
    """Do the runs of some studies that are missing, and write and print their tables.

    Args:
        names: names of the studies.
        jobs: number of parallel processes.
        said: function that is told what is done.
    """
    mixes = [name for name in names if name in SHOWN]
    ablations = [name for name in names if name.startswith("ablation-")]
    experiments = [name for name in names if name.startswith("experiment-")]
    one_step = [name for name in names if name.startswith("one-step-")]
    deadlines = [name for name in names if name.startswith("deadline-")]
    told = partial(said, "runs")
    if mixes:
        scales = tune_scales(list(JUNCTIONS), jobs, said)
        mix_tables(mixes, scales, lambda cells: run_all(cells, jobs, told))
    if ablations:
        ablation_table(ablations, lambda cells: run_all(cells, jobs, told))
    if experiments:
        (scale,) = tune_scales(["four_way"], jobs, said).values()
        rivals = {"conditional": "conditional", "best scale": f"conditional:scale={scale:g}"}
        table_of("experiments", experiments, rivals, lambda cells: run_all(cells, jobs, told))
    if deadlines:
        scales = tune_scales([scene_name(STUDIES[name].scenes[0], name) for name in deadlines], jobs, said)
        deadline_table(scales, lambda cells: run_all(cells, jobs, told))
    if one_step:
        table_of("one-step", one_step, {"conditional": "conditional"}, lambda cells: run_all(cells, jobs, told))


def table_of(stem: str, names: list[str], rivals: dict[str, str], run: Callable[[list[Run]], Done]) -> None:
    """Write the table of studies that have one scenario: ratios of the realised surplus to that of rivals.

    Args:
        stem: name of the table.
        names: names of the studies.
        rivals: the rivals as text, by their names in the table.
        run: function that does runs.
    """
    (scene,) = {scene for name in names for scene in STUDIES[name].evaluated}
    seen = STUDIES[names[0]].worlds(scene)
    bases = {label: rule_runs(scene, policy, seen) for label, policy in rivals.items()}
    columns = {name: list(runs_of(name).values()) for name in names}
    each = [one for runs in columns.values() for column in runs for one in column]
    table = Table(run([*each, *(one for runs in bases.values() for one in runs)]))
    rows: list[dict[str, Any]] = []
    for name in names:
        study, values = STUDIES[name], table.of(columns[name], "realised")
        row: dict[str, Any] = {"study": study.about, "steps": study.steps, "worlds": len(seen)}
        row |= {"trainings": study.trainings, "cpu_s": _cost(name)}
        for label, runs in bases.items():
            base = table.of([runs], "realised")[:, 0]
            found = crossed_ratio(values, base)
            row |= {label: found.mean, f"{label}_ci": found.half_width}
            # Of each training by itself, over the worlds.
            row |= {f"{label}_each": " ".join(f"{ratio:.4f}" for ratio in values.mean(axis=0) / base.mean())}
        rows.append(row)
    pd.DataFrame(rows).round(5).to_csv(KEPT / f"{stem}.csv", index=False)
    shown = [["training", "steps", *(f"over {label}" for label in rivals), "trainings", "CPU-s"]]
    for row in rows:
        cells = [f"{row[label]:.4f} ± {row[f'{label}_ci']:.4f} ({row[f'{label}_each']})" for label in rivals]
        shown.append([row["study"], f"{row['steps']:,}", *cells, str(row["trainings"]), f"{row['cpu_s']:.0f}"])
    _show(stem, f"{stem.capitalize()}, at `{scene}`", _markdown(shown), _is_all(f"{stem.removesuffix('s')}-", names))


def deadline_table(scales: dict[str, float], run: Callable[[list[Run]], Done]) -> None:
    """Write the table of trainings on realised surplus where results have deadlines, beside the best scalar there.

    Args:
        scales: the best factor of `conditional:scale` in training worlds, by scene and study, as ``scene|study``.
        run: function that does runs.
    """
    columns: dict[tuple[str, str], list[list[Run]]] = {}
    for name, scale in scales.items():
        seen = STUDIES[name.partition("|")[2]].worlds(name.partition("|")[0])
        columns[name, "diffusion"] = list(runs_of(name.partition("|")[2]).values())
        for label, policy in (
            ("conditional", "conditional"), ("conditional:scale", f"conditional:scale={scale:g}"), ("oracle", "oracle")
        ):  # fmt: skip
            columns[name, label] = [rule_runs(name, policy, seen)]
    table = Table(run([one for runs in columns.values() for column in runs for one in column]))
    rows: list[dict[str, Any]] = []
    for name, scale in scales.items():
        scene, _, study = name.partition("|")
        own = table.of(columns[name, "diffusion"], "realised")
        row: dict[str, Any] = {"scene": scene, "deadline": STUDIES[study].about, "scale": scale}
        for label in ("conditional", "conditional:scale"):
            base = table.of(columns[name, label], "realised")[:, 0]
            found, difference = crossed_ratio(own, base), crossed(own - base[:, None])
            row |= {label: found.mean, f"{label}_ci": found.half_width, f"{label}_p": difference.p_value}
        row["gap_share"] = _share_of_gap(table, columns, name, "diffusion", "realised")
        rows.append(row | {"trainings": own.shape[1], "worlds": len(own), "cpu_s": _cost(study)})
    found_rows = pd.DataFrame(rows)
    found_rows["p_holm"] = corrected(found_rows["conditional:scale_p"].to_numpy(dtype=float))
    found_rows.round(5).to_csv(KEPT / "deadlines.csv", index=False)
    shown = [["junction", "deadline, then grace", "over `conditional`", "k", "over `conditional:scale=k`", "p (Holm)",
              "share of the oracle's lead", "CPU-s"]]  # fmt: skip
    for one in found_rows.to_dict("records"):
        cells = [_cell(one[label], one[f"{label}_ci"]) for label in ("conditional", "conditional:scale")]
        share = "" if math.isnan(one["gap_share"]) else f"{100 * one['gap_share']:.0f} %"
        shown.append(
            [f"`{one['scene']}`", one["deadline"], cells[0], f"{one['scale']:g}", cells[1], _p(one["p_holm"]), share,
             f"{one['cpu_s']:.0f}"]
        )  # fmt: skip
    complete = _is_all("deadline-", [name.partition("|")[2] for name in scales])
    _show("deadlines", "Deadlines, trained on realised surplus", _markdown(shown), complete)


def mix_tables(mixes: list[str], scales: dict[str, float], run: Callable[[list[Run]], Done]) -> None:
    """Write the tables of the learners of the mix."""
    most = max(STUDIES[name].junction_worlds for name in mixes)
    columns: dict[tuple[str, str], list[list[Run]]] = {}
    for name in mixes:
        for (scene, _), runs in runs_of(name).items():
            columns.setdefault((scene, SHOWN[name]), []).append(runs)
    for scene in JUNCTIONS:
        for policy, count in {
            "conditional": most, f"conditional:scale={scales[scene]:g}": most, "foresight": most, "oracle": FEW_WORLDS,
            **dict.fromkeys(RULES, FEW_WORLDS),
        }.items():  # fmt: skip
            shown = "conditional:scale" if "scale" in policy else policy
            columns[scene, shown] = [rule_runs(scene, policy, range(MIX_WORLD, MIX_WORLD + min(count, most)))]
    for scene in (*UNSEEN, *PAPER_POINTS):
        for policy in ("conditional", "foresight", "oracle"):
            columns[scene, policy] = [rule_runs(scene, policy, STUDIES[mixes[0]].worlds(scene))]
        if (scene, "diffusion") in columns:
            columns[scene, AS_SHIPPED] = columns[scene, "diffusion"][:1]
    table = Table(run([one for runs in columns.values() for column in runs for one in column]))
    ratios = pd.DataFrame(_ratios(table, columns))
    # A part of the learners is printed only: the tables of the pages have all of them.
    if set(mixes) == set(SHOWN):
        ratios.round(5).to_csv(KEPT / "ratios.csv", index=False)
    complete = set(mixes) == set(SHOWN)
    for metric, label in METRICS.items():
        heading = f"{label[0].upper()}{label[1:]}, divided by that of `conditional`"
        grid = _grid(ratios[(ratios["metric"] == metric) & ratios["scene"].isin(JUNCTIONS)])
        _show(f"mix-{metric}", heading, grid, complete)
    print("`conditional:scale` has k = " + ", ".join(f"{scales[one]:g} at `{one}`" for one in JUNCTIONS) + ".\n")
    if "mix-diffusion" in mixes:
        differences = pd.DataFrame(_differences(table, columns))
        if set(mixes) == set(SHOWN):
            differences.to_csv(KEPT / "differences.csv", index=False, float_format="%.5g")
        realised = differences[differences["metric"] == "realised"]
        _show("differences", "`diffusion` against its rivals, realised surplus", _differences_shown(realised), complete)
    for stem, heading, scenes, metric in (
        ("unseen", "Scenarios that nothing was trained on", list(UNSEEN), "realised"),
        ("points", "Points of the paper's axes", list(PAPER_POINTS), "surplus"),
    ):
        _show(stem, heading, _points_shown(ratios, scenes, metric), complete)


def _ratios(table: Table, columns: dict[tuple[str, str], list[list[Run]]]) -> Iterable[dict[str, Any]]:
    """Yield the ratio of each policy to `conditional`, by scene and figure."""
    for (scene, policy), runs in columns.items():
        for metric in METRICS:
            values = table.of(runs, metric)
            base = table.of(columns[scene, "conditional"], metric)[: len(values), 0]
            found = crossed_ratio(values, base)
            row = {"scene": scene, "policy": policy, "metric": metric, "worlds": len(values), "trainings": len(runs)}
            yield row | {"ratio": found.mean, "ci": found.half_width}


def _differences(table: Table, columns: dict[tuple[str, str], list[list[Run]]]) -> list[dict[str, Any]]:
    """Return `diffusion` against each rival at each junction, with p-values corrected by Holm's method."""
    found: list[dict[str, Any]] = []
    plan = (
        ("diffusion", "conditional", 3, 24), ("diffusion", "conditional:scale", 6, 96),
        ("diffusion", "foresight", 6, 96), ("diffusion, trained on realised", "conditional:scale", 3, 96),
    )  # fmt: skip
    for metric in METRICS:
        for policy, rival, trainings, worlds in plan:
            rows = []
            for scene in JUNCTIONS:
                if (scene, policy) not in columns:
                    continue
                values = table.of(columns[scene, policy][:trainings], metric, worlds)
                base = table.of(columns[scene, rival], metric, len(values))[:, 0]
                ratio, difference = crossed_ratio(values, base), crossed(values - base[:, None])
                rows.append(
                    {"metric": metric, "policy": policy, "rival": rival, "scene": scene, "worlds": len(values),
                     "trainings": values.shape[1], "ratio": ratio.mean, "ci": ratio.half_width,
                     "difference": difference.mean, "difference_ci": difference.half_width, "p": difference.p_value,
                     "gap_share": _share_of_gap(table, columns, scene, policy, metric)}
                )  # fmt: skip
            held = corrected(np.array([row["p"] for row in rows]))
            found += [row | {"p_holm": p} for row, p in zip(rows, held, strict=True)]
    return found


def _share_of_gap(
    table: Table, columns: dict[tuple[str, str], list[list[Run]]], scene: str, policy: str, metric: str
) -> float:
    """Return (policy - conditional) / (oracle - conditional) in the worlds of the oracle; NaN without a gap.

    It is the mean over all trainings of the policy.
    """
    oracle = table.of(columns[scene, "oracle"], metric)[:, 0]
    base = table.of(columns[scene, "conditional"], metric, len(oracle))[:, 0]
    own = table.of(columns[scene, policy], metric, len(oracle)).mean(axis=1)
    gap = float((oracle - base[: len(oracle)]).mean())
    return float((own - base[: len(own)]).mean()) / gap if gap > 0.0 else math.nan


def ablation_table(names: list[str], run: Callable[[list[Run]], Done]) -> None:
    """Write the table of the ablations: the ratio to `conditional` at each junction, and what a training costs."""
    columns: dict[tuple[str, str], list[list[Run]]] = {}
    base: dict[tuple[str, str], list[Run]] = {}
    # Each row is compared with that without a change.
    kinds = [(name, "deployed", STUDIES[name].about) for name in dict.fromkeys(["ablation-none", *names])]
    kinds.insert(1, ("ablation-none", "best", "the checkpoint that is best in held-out worlds"))
    for name, which, about in kinds:
        for (scene, _), runs in runs_of(name, which).items():
            columns.setdefault((about, scene.partition("|")[0]), []).append(runs)
            plain = scene.partition("|")[0]
            base[about, plain] = rule_runs(scene, "conditional", STUDIES[name].worlds(plain))
    cells = [one for runs in columns.values() for column in runs for one in column]
    table = Table(run([*cells, *(one for runs in base.values() for one in runs)]))
    costs = {about: _cost(name) for name, _, about in kinds}
    rows, everywhere = [], {}
    for _, _, about in kinds:
        row: dict[str, Any] = {"change": about}
        by_scene = []
        for scene in JUNCTIONS:
            values, below = table.of(columns[about, scene], "realised"), table.of([base[about, scene]], "realised")
            found = crossed_ratio(values, below[:, 0])
            row |= {scene: found.mean, f"{scene}_ci": found.half_width}
            by_scene.append(values / below)
        everywhere[about] = np.mean(by_scene, axis=0)
        mean = crossed(everywhere[about])
        same = about == kinds[0][2]
        against = Crossed(0.0, 0.0, math.nan) if same else crossed(everywhere[about] - everywhere[kinds[0][2]])
        row |= {"mean": mean.mean, "mean_ci": mean.half_width, "against_none": against.mean}
        rows.append(row | {"against_none_ci": against.half_width, "p": against.p_value, "cpu_s": costs[about]})
    found_rows = pd.DataFrame(rows)
    found_rows["p_holm"] = corrected(found_rows["p"].to_numpy(dtype=float))
    if _is_all("ablation-", names):
        found_rows.round(5).to_csv(KEPT / "ablations.csv", index=False)
    _show("ablations", "Ablations", _ablations_shown(found_rows), _is_all("ablation-", names))


def _is_all(prefix: str, names: Iterable[str]) -> bool:
    """Return whether these are all studies whose names begin so."""
    return set(names) == {name for name in STUDIES if name.startswith(prefix)}


def _show(stem: str, heading: str, table: str, is_complete: bool) -> None:
    """Print a table, and keep it for the page of the results if it is that of all studies of its kind."""
    print(f"### {heading}\n\n{table}")
    if is_complete:
        (MADE / f"learning-{stem}.txt").write_text(table, encoding="utf-8")


def _cost(name: str) -> float:
    """Return the mean processor time of a study's trainings, s; NaN where the journal does not have it."""
    path = KEPT / "trainings.jsonl"
    known = read_journal(path, "learning") if path.exists() else {}
    figures = [known.get(repr(one), {}) for one in trainings_of(name)]
    spent = [one["cpu_s"] for one in figures if "cpu_s" in one]
    return float(np.mean(spent)) if spent else math.nan


def _cell(mean: float, ci: float) -> str:
    return f"{mean:.3f} ± {ci:.3f}"


def _p(value: float) -> str:
    return "< 1e-4" if value < 1e-4 else f"{value:.2g}"


def _markdown(rows: list[list[str]]) -> str:
    head, *rest = rows
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _grid(ratios: pd.DataFrame) -> str:
    """Return ratios as a table: policies down, junctions across."""
    order = ["conditional:scale", "foresight", *SHOWN.values(), "oracle", *RULES]
    rows = [["policy", *(f"`{scene}`" for scene in JUNCTIONS), "worlds, trainings"]]
    for policy in order:
        part = ratios[ratios["policy"] == policy].set_index("scene")
        if len(part):
            cells = [_cell(part.loc[scene, "ratio"], part.loc[scene, "ci"]) for scene in JUNCTIONS]  # type: ignore[arg-type]
            rows.append([policy, *cells, f"{part['worlds'].iloc[0]}, {part['trainings'].iloc[0]}"])
    return _markdown(rows)


def _differences_shown(found: pd.DataFrame) -> str:
    rows = [["policy", "rival", "junction", "ratio", "lower bound", "p (Holm)", "share of the oracle's lead"]]
    for row in found.to_dict("records"):
        share = "" if math.isnan(row["gap_share"]) else f"{100 * row['gap_share']:.0f} %"
        rows.append(
            [row["policy"], row["rival"], f"`{row['scene']}`", _cell(row["ratio"], row["ci"]),
             f"{row['ratio'] - row['ci']:.4f}", _p(row["p_holm"]), share]
        )  # fmt: skip
    return _markdown(rows)


def _points_shown(ratios: pd.DataFrame, scenes: list[str], metric: str) -> str:
    """Return ratios as a table: scenarios down, policies across."""
    part = ratios[(ratios["metric"] == metric) & ratios["scene"].isin(scenes)].set_index(["scene", "policy"])
    run = set(part.index.get_level_values("policy"))
    rows = [["scenario", *(policy for policy in (AS_SHIPPED, *SHOWN.values(), "foresight", "oracle") if policy in run)]]
    for scene in scenes:
        shown = [(part.loc[(scene, policy), "ratio"], part.loc[(scene, policy), "ci"]) for policy in rows[0][1:]]
        rows.append([scene, *(_cell(mean, ci) for mean, ci in shown)])  # type: ignore[arg-type]
    of = {policy: [float(part.loc[(scene, policy), "ratio"]) for scene in scenes] for policy in rows[0][1:]}  # type: ignore[arg-type]
    means = [np.mean(ratios) for ratios in of.values()]
    return _markdown([*rows, ["mean", *(f"{mean:.3f}" for mean in means)]])


def _ablations_shown(found: pd.DataFrame) -> str:
    rows = [["change", *(f"`{scene}`" for scene in JUNCTIONS), "mean", "against none", "p (Holm)", "CPU-s"]]
    for row in found.to_dict("records"):
        cells = [_cell(row[scene], row[f"{scene}_ci"]) for scene in (*JUNCTIONS, "mean")]
        none = math.isnan(row["p_holm"])
        against = ["", ""] if none else [f"{row['against_none']:+.3f} ± {row['against_none_ci']:.3f}",
                                         _p(row["p_holm"])]  # fmt: skip
        rows.append([row["change"], *cells, *against, f"{row['cpu_s']:.0f}"])
    return _markdown(rows)
