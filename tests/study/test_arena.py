"""The arena: one table of outcomes and incentives, the same whoever does the work, and the command that writes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from simulator import InputError, Scenario
from simulator.cli.app import app
from simulator.errors import SkippedWarning
from simulator.record.summary import SUMMARY
from simulator.study.arena import INCENTIVES, arena
from simulator.study.systems import SYSTEMS, find_systems, systems_for
from tests.fields import fields

FEW = ["msb", "first-price", "vickrey", "double-dutch", "least-loaded"]


@pytest.fixture(scope="module")
def found() -> tuple[pd.DataFrame, pd.DataFrame]:
    done = arena("four_way", FEW, seeds=2, duration=240, rounds=25)
    return done.table, done.runs


def test_every_system_has_every_outcome_and_every_incentive(found: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table, runs = found
    assert table.index.tolist() == FEW
    assert {*SUMMARY, *INCENTIVES, "family", "ratio", "p_corrected"} <= set(table.columns)
    assert len(runs) == 2 * len(FEW)
    parts = table[["welfare_providers", "welfare_vehicles", "welfare_platform"]].sum(axis=1)
    assert np.allclose(parts, table["welfare"])
    assert np.allclose(table["ratio"], table["welfare"] / table["welfare"].iloc[0])
    assert np.allclose(table["paid_by_providers"] + table["paid_by_vehicles"], table["payments"], atol=1e-6)
    assert table["paid_by_vehicles"].loc["double-dutch"] > 0.0 > table["paid_by_providers"].loc["double-dutch"]
    # Without messages that take time, only a window lets a request wait.
    assert table["decision_s"].loc["msb"] == 0.0
    assert 0.0 < table["decision_s"].loc["double-dutch"] < 10.0


def test_all_systems_meet_the_same_requests(found: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    _, runs = found
    worlds = [frame["tasks"].to_numpy() for _, frame in runs.groupby("seed")]
    assert len(worlds) == 2
    assert all((tasks == tasks[0]).all() for tasks in worlds)


def test_the_incentives_are_those_of_the_audit(found: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table, _ = found
    gains = dict(zip(FEW, table["gain_share"].tolist(), strict=True))
    assert gains["msb"] == gains["least-loaded"] == 0.0
    assert gains["first-price"] > 0.1
    losses = dict(zip(FEW, table["loss_share"].tolist(), strict=True))
    # No station gains by a misreport, but a UAV does: it is asked for a report, and pays by its value.
    assert gains["vickrey"] > 0.1
    assert losses["vickrey"] > 0.0 == losses["msb"]
    assert gains["double-dutch"] > 0.1
    assert (table["claims_held"] == 1.0).all()
    assert np.isnan(table["false_names"].tolist()[FEW.index("double-dutch")]), "not tested there"


@pytest.mark.slow
def test_several_processes_find_the_same_and_a_journal_goes_on(
    found: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    table, _ = found
    journal, told = tmp_path / "runs", list[tuple[int, int]]()
    for jobs in (2, 1):
        again = arena(
            "four_way", FEW, seeds=2, duration=240, rounds=25, jobs=jobs, journal=journal,
            progress=lambda done, every: told.append((done, every)),
        ).table  # fmt: skip
        clocks = [name for name in table.columns if name.startswith(("wall_s", "cpu_s"))]
        pd.testing.assert_frame_equal(table.drop(columns=clocks), again.drop(columns=clocks))
        if jobs == 2:
            assert told[-1] == (15, 15)
            told.clear()
    assert not told, "what is in the journal is not done again"


def test_what_is_no_system_is_told_in_one_sentence() -> None:
    scenario = Scenario.load("four_way")
    with pytest.raises(InputError, match=r"no system 'vickry' \(others are POLICY@MECHANISM\); did you mean 'vickrey'"):
        find_systems(["vickry"], scenario)
    with pytest.raises(InputError, match="'random' is a policy; name its mechanism too, as in random@MECHANISM"):
        find_systems(["msb", "random"], scenario)
    with pytest.raises(InputError, match="'second-score:weight=abc': weight must be a valid number, not 'abc'"):
        find_systems(["msb", "second-score:weight=abc"], scenario)
    with pytest.raises(InputError, match="there is no policy 'msb'; it is the name of a mechanism"):
        arena("four_way", ["msb", "msb@conditional"], seeds=2, duration=60)
    with pytest.raises(InputError, match="must be a list of different systems"):
        find_systems(["msb", "msb"], scenario)
    with pytest.raises(InputError, match="has no seat"):
        arena("four_way", ["msb", "conditional@vickrey"], seeds=2, duration=60)
    with pytest.raises(InputError, match="rounds: must be a whole number >= 1, not 0"):
        arena("four_way", ["msb"], rounds=0)
    own = find_systems(["random@double-dutch", "mcafee:every_s=1"], scenario)
    assert [(one.policy, one.mechanism) for one in own.values()] == [
        ("random", "double-dutch"),
        ("none", "mcafee:every_s=1"),
    ]
    assert list(find_systems([], scenario)) == list(SYSTEMS)
    assert list(find_systems(["all", "random@msb"], scenario)) == [*SYSTEMS, "random@msb"]


def test_what_cannot_run_in_the_scenario_is_left_out_unless_it_is_named() -> None:
    fewer = Scenario.load("paper", **fields({"market.actions": 10}))
    with pytest.warns(SkippedWarning) as said:
        found = systems_for([], fewer)
    left_out = ["msb-diffusion", "msb-dqn"]
    assert list(found) == [name for name in SYSTEMS if name not in left_out]
    assert [str(one.message).partition(" is left out: ")[0] for one in said] == [f"system {one}" for one in left_out]
    assert "its weights have market.actions = 20" in str(said[0].message)
    with pytest.raises(InputError, match=r"its weights have market\.actions = 20"):
        arena(fewer, ["msb", "msb-dqn"], seeds=2, duration=20, rounds=2)


def test_another_executor_gives_the_same_tables(found: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    with ThreadPoolExecutor(2) as executor:
        table, runs = arena("four_way", FEW, seeds=2, duration=240, rounds=25, executor=executor)
    clocks = [name for name in runs.columns if name in ("wall_s", "cpu_s", "decision_s")]
    pd.testing.assert_frame_equal(runs.drop(columns=clocks), found[1].drop(columns=clocks))
    timed = [name for name in table.columns if name.removesuffix("_ci") in clocks]
    pd.testing.assert_frame_equal(table.drop(columns=timed), found[0].drop(columns=timed))


class Cells(HTMLParser):
    """Counts the rows and images of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = self.images = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.rows += tag == "tr"
        self.images += tag == "img"


def test_the_command_writes_table_figure_and_page(tmp_path: Path) -> None:
    out = tmp_path / "arena"
    arguments = ["arena", "paper", "--systems", "msb,vickrey,second-score:weight=2", "--seeds", "2", "--duration", "60",
                 "--rounds", "10", "--out", str(out)]  # fmt: skip
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert {file.name for file in out.iterdir()} == {
        "arena.csv", "runs.csv", "arena.png", "arena.html", "scenario.yaml", "files.json"
    }  # fmt: skip
    assert not list(tmp_path.glob(".*")), "no journal stays"
    table = pd.read_csv(out / "arena.csv").set_index("system")
    assert table.index.tolist() == ["msb", "vickrey", "second-score:weight=2"]
    page = Cells()
    page.feed((out / "arena.html").read_text())
    assert (page.rows, page.images) == (2 * (1 + 3), 1)
    assert CliRunner().invoke(app, arguments).exit_code != 0, "a folder that is there is not replaced"
    assert CliRunner().invoke(app, [*arguments, "--force"]).exit_code == 0


LIAR = '''from simulator import Award, SealedBid


class Liar(SealedBid):
    """Says that the truth is the best report, and lets the winner pay its bid."""

    def award(self, lot, offers):
        return Award(lot, offers[0].provider, paid_by_provider=offers[0].bid)

    def claims(self, information):
        return frozenset({"truthful"})
'''


def test_a_claim_that_did_not_hold_is_told_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "liar.py"
    file.write_text(LIAR)
    sizes = ["--seeds", "2", "--duration", "60", "--rounds", "30"]
    arguments = ["arena", "paper", "--systems", f"msb,{file}:Liar", *sizes, "--out", str(tmp_path / "arena")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    said = done.output.split("given the public")[1]
    assert "A claim did not hold in 30 rounds, spread over the first world, per system:" in said
    assert "Liar" in said
    assert "msb" not in said.split("per system:")[1].split("Liar")[0]
