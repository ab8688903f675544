"""What a comparison says of its figures: the metric, worlds without a task, grids that move together, papers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from simulator import InputError, Scenario
from simulator.cli.app import app
from simulator.errors import EmptyWorldWarning, OutputError
from simulator.scenario.overrides import parse_grid
from simulator.study.compare import compare
from simulator.study.ranks import disagreements
from simulator.study.tabulate import FIGURES, metric_of, tabulate
from simulator.view.figures import check_picture, comparison
from simulator.view.paper_tables import latex, markdown
from tests.fields import fields


def test_the_metric_is_what_is_compared() -> None:
    table, runs = compare("four_way", ["conditional", "always-uav"], seeds=3, duration=300, metric="latency")
    latency = {name: runs["latency_mean"].loc[name].to_numpy() for name in ("conditional", "always-uav")}
    assert table["difference"].loc["always-uav"] == pytest.approx(
        (latency["always-uav"] - latency["conditional"]).mean()
    )
    assert table["ratio"].loc["always-uav"] == pytest.approx(
        latency["always-uav"].mean() / latency["conditional"].mean()
    )
    by_surplus, _ = compare("four_way", ["conditional", "always-uav"], seeds=3, duration=300)
    assert by_surplus["ratio"].loc["always-uav"] < 1.0 < table["ratio"].loc["always-uav"]
    assert by_surplus["latency_mean"].equals(table["latency_mean"])
    assert metric_of("realised") == metric_of("realised_mean") == "realised_mean"
    with pytest.raises(InputError, match="metric: there is no figure 'surpluss'; did you mean 'surplus'"):
        compare("paper", ["conditional"], duration=1e9, metric="surpluss")


SPARSE: dict[str, Any] = {"traffic.arrivals.rate_per_h": 20}


@pytest.mark.filterwarnings("ignore::simulator.errors.EmptyMarketWarning")
def test_worlds_without_a_task_are_left_out_counted_and_named() -> None:
    with pytest.warns(EmptyWorldWarning, match=r"of 8 worlds have no task and are left out: seed \d") as said:
        table, runs = compare("four_way", ["always-ground", "always-uav"], seeds=8, duration=90, **fields(SPARSE))
    told = [one for one in said.list if one.category is EmptyWorldWarning]
    assert len(told) == 1
    empty = int((runs["tasks"].loc["always-uav"] == 0.0).sum())
    assert 0 < empty < 8
    assert (table["seeds"] == 8 - empty).all()
    named = [int(seed) for seed in str(told[0].message).rpartition("seed ")[2].split(", ")]
    assert runs["tasks"].loc["always-uav"].loc[named].sum() == 0.0
    assert len(named) == empty
    assert np.isfinite(table["surplus_mean"]).all()
    with pytest.raises(InputError, match="none of 2 worlds has a task; make the runs longer or the traffic denser"):
        compare("four_way", ["always-ground"], seeds=2, duration=2)


def made(values: dict[str, tuple[list[float], list[float]]]) -> pd.DataFrame:
    """Runs with given surplus and realised surplus of each policy, by seed."""
    rows = [
        {"policy": policy, "seed": seed, "surplus_mean": promised[seed], "realised_mean": real[seed]}
        for policy, (promised, real) in values.items()
        for seed in range(len(promised))
    ]
    return pd.DataFrame(rows).set_index(["policy", "seed"])


def test_a_line_says_so_where_what_came_of_it_ranks_otherwise() -> None:
    one = ([3.0, 3.1, 2.9], [1.0, 1.1, 0.9])
    two = ([2.0, 2.1, 1.9], [1.5, 1.7, 1.3])
    (sentence,) = disagreements(made({"a": one, "b": two}))
    assert sentence.startswith("surplus puts a first, realised surplus puts b first: 1.5000 against 1.0000, above in 3")
    assert disagreements(made({"a": one, "b": (two[0], [0.1, 0.2, 0.3])})) == []
    gridded = pd.concat({3: made({"a": one, "b": two}), 5: made({"a": one})}, names=["stations.count"])
    assert [text.partition(":")[0] for text in disagreements(gridded)] == ["stations.count = 3"]


def test_fields_of_a_grid_can_move_together() -> None:
    key, values = parse_grid("stations.count,tasks.size_mb=3:20,5:40")
    assert (key, values) == ("stations.count,tasks.size_mb", [(3, 20), (5, 40)])
    table, _ = compare("paper", ["conditional", "spa"], seeds=2, duration=50, grid={key: values})
    assert list(table.index.names) == ["stations.count", "tasks.size_mb", "policy"]
    assert sorted({key[:2] for key in table.index}) == [(3, 20), (5, 40)]
    alone, _ = compare(
        "paper", ["conditional", "spa"], seeds=2, duration=50, **fields({"stations.count": 5, "tasks.size_mb": 40})
    )
    assert np.allclose(table["surplus_mean"].xs((5, 40)), alone["surplus_mean"])
    with pytest.raises(InputError, match=r"moves 2 fields together and needs as many values at a time"):
        compare("paper", ["spa"], duration=1e9, grid={"stations.count,tasks.size_mb": [3, 5]})
    with pytest.raises(InputError, match=r"stations\.count is moved twice"):
        compare("paper", ["spa"], duration=1e9, grid={"stations.count": [3], "stations.count,tasks.size_mb": [(3, 5)]})


def test_a_number_of_stations_takes_the_place_of_a_list_of_places_and_the_other_way_round() -> None:
    places = [{"name": "a", "x": 0.0, "y": 100.0}, {"name": "b", "x": 0.0, "y": -100.0}]
    placed = Scenario.load("four_way", **fields({"stations.placed": places}))
    assert placed.station_names() == ["a", "b"]
    assert Scenario.load(placed, **fields({"stations.count": 5})).stations.total() == 5
    table, _ = compare(placed, ["always-ground"], seeds=2, duration=100, grid={"stations.count": [3, 5]})
    assert table.index.get_level_values("stations.count").tolist() == [3, 5]


def table_of(**means: float) -> pd.DataFrame:
    """A table with given mean surpluses, the rest at random."""
    rng = np.random.default_rng(0)
    runs = {}
    for name, mean in means.items():
        runs[name] = rng.uniform(0.5, 1.0, (4, len(FIGURES)))
        runs[name][:, FIGURES.index("surplus_mean")] = mean + 0.01 * rng.standard_normal(4)
    return tabulate(runs)


def test_tables_for_papers_have_intervals_and_the_best_in_bold() -> None:
    table = table_of(a=0.5, b_1=0.7)
    lines = markdown(table, "surplus_mean").splitlines()
    assert lines[0].startswith("| policy | surplus | ratio | p | realised surplus |")
    assert lines[1].startswith("| --- | ---: |")
    assert lines[2].count("**") == 0
    assert lines[3].count("**") == 2
    cell = lines[3].split(" | ")[1].strip("*")
    assert float(cell.partition(" ± ")[0]) == pytest.approx(table["surplus_mean"].loc["b_1"], abs=1e-4)
    assert float(cell.partition(" ± ")[2]) == pytest.approx(table["surplus_mean_ci"].loc["b_1"], abs=1e-4)
    text = latex(table, "surplus_mean")
    assert text.startswith("\\begin{tabular}{lrrrrrrr}\n\\toprule")
    assert "b\\_1 & \\textbf{0." in text
    assert text.count(" \\\\\n") == 3
    # Of a latency the lowest is the best.
    best = table["latency_mean"].idxmin()
    (bold,) = (line for line in markdown(table, "latency_mean").splitlines() if "**" in line)
    assert bold.startswith(f"| {best} |")


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_pictures_repeat_byte_for_byte_and_only_our_own_are_replaced(ending: str, tmp_path: Path) -> None:
    one, two = tmp_path / f"one{ending}", tmp_path / f"two{ending}"
    for path in (one, two):
        comparison(table_of(a=0.5, b=0.7), path, "paper")
    assert one.read_bytes() == two.read_bytes()
    check_picture(one, True)
    with pytest.raises(OutputError):
        check_picture(one, False)
    thesis = tmp_path / f"thesis{ending}"
    thesis.write_bytes(b"a picture of somebody else's")
    with pytest.raises(OutputError, match="not a picture of this program"):
        check_picture(thesis, True)


def test_two_fields_have_a_panel_per_value_with_one_scale(tmp_path: Path) -> None:
    table, _ = compare(
        "paper", ["conditional", "spa"], seeds=2, duration=30,
        grid={"stations.count": [3, 5], "market.uav_weight": [0.5, 1]}, metric="latency",
    )  # fmt: skip
    comparison(table, tmp_path / "f.svg", "paper", "latency_mean")
    drawn = (tmp_path / "f.svg").read_text()
    assert 'id="axes_2"' in drawn
    assert 'id="axes_3"' not in drawn


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--metric", "lattency"], "metric: there is no figure 'lattency'; did you mean 'latency'"),
        (["--figure", "f.txt"], "--figure f.txt: the name must end in .png, .svg, .pdf"),
        (["--to", "word"], "--to: there is no format 'word'"),
        (["--grid", "stations.count,tasks.size_mb=3,5"], "moves 2 fields together"),
    ],
)
def test_wrong_options_are_found_before_the_runs(options: list[str], said: str, tmp_path: Path) -> None:
    command = ["compare", "paper", "--policies", "spa", "--duration", "1e9", "--out", str(tmp_path / "c"), *options]
    done = CliRunner().invoke(app, command)
    assert done.exit_code != 0
    assert said in str(done.exception or done.output)
    assert not (tmp_path / "c").exists()


def test_an_infinite_or_missing_interval_is_left_out_of_a_paper_table() -> None:
    table = table_of(a=0.5)
    table.loc["a", "surplus_mean_ci"] = math.nan
    assert "±" not in markdown(table, "surplus_mean").splitlines()[2].split(" | ")[1]
