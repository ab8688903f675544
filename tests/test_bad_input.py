"""Input that is hostile or absurd: one sentence that says what is wrong, never a traceback, a hang or a half result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from simulator import InputError, Result, RunError, Scenario, check_policy, simulate
from simulator.errors import (
    LONGEST_MESSAGE,
    EmptyMarketWarning,
    OutputError,
    PolicyError,
    RecordingError,
    ScenarioError,
)
from simulator.files import check, replacing
from simulator.market.contracts import Ask, Clearing, Lot, Mechanism, PriceScale, Seat
from simulator.market.plugins import find_mechanism, find_policy
from simulator.scenario.overrides import parse_assignment
from simulator.scenario.yaml_text import DEEPEST, read_value
from simulator.study.compare import compare
from simulator.study.tabulate import FIGURES, tabulate
from simulator.traffic.recording import Recording
from simulator.view.figures import comparison
from simulator.world.simulation import Simulation
from tests.fields import fields


class Prices:
    """A policy that does nothing wrong."""

    def price(self, observation: object) -> float:
        return 1.0


class ExitsInReset(Prices):
    def reset(self, scenario: object, rng: object) -> None:
        sys.exit(0)


class NoCopy(Prices):
    def __deepcopy__(self, memo: object) -> NoCopy:
        raise SystemExit(3)


class ShyInformation(Prices):
    @property
    def information(self) -> str:
        raise ZeroDivisionError("on purpose")


class OddInformation(Prices):
    information: ClassVar[Any] = np.array(["public", "masked"])


class ExitingMechanism(Mechanism):
    seats = {"auctioneer": Seat(PriceScale())}  # noqa: RUF012 (read only)

    def reset(self, platform: object, rng: object) -> None:
        sys.exit(0)

    def clear(self, lots: Sequence[Lot]) -> Clearing:
        yield Ask("bid", lots)
        return []


class MechanismWithoutCopy(ExitingMechanism):
    def __deepcopy__(self, memo: object) -> MechanismWithoutCopy:
        raise MemoryError


def test_a_policy_or_mechanism_that_exits_is_a_failed_run() -> None:
    with pytest.raises(RunError, match=r"policy ExitsInReset: reset\(\) raised SystemExit"):
        simulate("paper", ExitsInReset(), duration=3)
    with pytest.raises(RunError, match=r"mechanism ExitingMechanism: reset\(\) raised SystemExit"):
        simulate("paper", Prices(), duration=3, mechanism=ExitingMechanism())
    with pytest.raises(PolicyError, match=r"policy ExitsInReset: reset\(\) raised SystemExit"):
        check_policy(ExitsInReset())


@pytest.mark.parametrize(
    ("policy", "mechanism", "message"),
    [
        (NoCopy(), None, "policy NoCopy: a deep copy raised SystemExit"),
        (Prices(), MechanismWithoutCopy(), "mechanism MechanismWithoutCopy: a deep copy raised MemoryError"),
        (ShyInformation(), None, "policy ShyInformation: its attribute .* raised ZeroDivisionError"),
        (OddInformation(), None, "policy OddInformation declares information = array"),
    ],
)
def test_what_a_policy_or_mechanism_may_do_wrong_before_a_run(policy: Any, mechanism: Any, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        simulate("paper", policy, duration=3, mechanism=mechanism)


class Locked(Prices):
    def reset(self, scenario: object, rng: object) -> None:
        self.lock = threading.Lock()


class Builtin:
    price = max


class NoFeedback(Prices):
    feedback = None


def test_the_checker_survives_odd_policies() -> None:
    with pytest.raises(PolicyError, match=r"policy Locked: check_policy\(\) raised TypeError"):
        check_policy(Locked())
    with pytest.raises(PolicyError, match="policy Builtin: "):
        check_policy(Builtin())
    check_policy(NoFeedback())


@pytest.mark.parametrize("text", ["[" * 20_000, "{a: " * 5_000, "- " * 5_000, "? " * 5_000])
def test_deep_nesting_is_refused_at_once(text: str) -> None:
    with pytest.raises(ScenarioError, match=f"nested more than {DEEPEST} levels deep"):
        read_value(text, "text")


@pytest.mark.parametrize(
    "text", ["0x_", "0b_", "+_", "!!int ''", '"\\UFFFFFFFF"', "2024-13-01", "9" * 5_000, '"\\ud800"', "!!binary x"]
)
def test_scalars_that_only_look_like_yaml(text: str) -> None:
    with pytest.raises(ScenarioError):
        read_value(text, "text")
    with pytest.raises(ScenarioError, match=r"^--set market\.history=.* cannot be read as a value$"):
        parse_assignment(f"market.history={text}")
    with pytest.raises(PolicyError):
        find_policy(f"constant:{text}")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("constant:true", "rho must be a valid number, not True"),
        ("greedy:epsilon=x", "epsilon must be a valid number, not 'x'"),
        ("greedy:floor=true", "floor must be a valid number, not True"),
        ("optimal:u_0=uav", "u_0 must be 'audited' or 'highest', not 'uav'"),
        ("greedy:epsilon=2", "epsilon must be between 0 and 1, not 2"),
    ],
)
def test_a_policys_argument_is_held_to_its_type(spec: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        find_policy(spec)


@pytest.mark.parametrize("spec", ["msb:uav_bid=foo", "msb:1"])
def test_a_mechanisms_argument_is_held_to_its_type(spec: str) -> None:
    with pytest.raises(PolicyError, match="uav_bid must be 'contract' or 'reported'"):
        find_mechanism(spec)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("market.history", True),
        ("market.actions", True),
        ("traffic.roads.lanes", True),
        ("stations.accuracy.pixels", True),
        ("stations.accuracy.pixels", 10**12),
        ("traffic.roads.arm_m", 1e-9),
        ("traffic.roads.arm_m", 1e9),
        ("traffic.roads.speed_mps", 1e9),
        ("traffic.signals.cycle_s", 0.002),
        ("uavs.report_s", 1e-3),
    ],
)
def test_values_that_no_run_could_bear(field: str, value: Any) -> None:
    with pytest.raises(ScenarioError, match=rf"{field}: must be") as caught:
        Scenario.load("four_way", **fields({field: value}))
    assert "\n" not in str(caught.value)


def test_one_rate_or_rates_by_entry_give_one_sentence() -> None:
    with pytest.raises(ScenarioError, match=r"rate_per_h: must be a valid number, not 'many'$"):
        Scenario.load("four_way", **fields({"traffic.arrivals.rate_per_h": "many"}))
    with pytest.raises(ScenarioError, match=r"rate_per_h\.north: must be greater than or equal to 0, not -1$"):
        Scenario.load("four_way", **fields({"traffic.arrivals.rate_per_h": {"north": -1}}))


def test_a_profile_cannot_drive_a_rate_beyond_what_can_enter() -> None:
    profile = {"traffic.arrivals.rate_per_h": 30_000, "traffic.arrivals.profile": [[0, 1], [60, 100]]}
    with pytest.raises(ScenarioError, match=r"makes a rate of 3e.06 vehicles an hour"):
        Scenario.load("four_way", **fields(profile))


EDGES = """name: mine
stations: {count: 2}
traffic:
  kind: generated
  roads:
    layout: edges
    nodes: {a: [0, 0], b: [100, 0], c: [100, 1.0e-20], d: [100, 0]}
    edges:
      - {begin: a, end: x}
      - {begin: a, end: y}
      - {begin: b, end: d}
      - {begin: b, end: c, lanes: 9}
"""


def problems_of(text: str, tmp_path: Path) -> list[str]:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return [problem.removeprefix(str(path)) for problem in Scenario.problems(path)]


def test_every_problem_of_an_edge_list_is_told_at_its_place(tmp_path: Path) -> None:
    assert problems_of(EDGES, tmp_path) == [":12: traffic.roads.edges.3.lanes: must be less than or equal to 6, not 9"]
    assert problems_of(EDGES.replace(", lanes: 9", ""), tmp_path) == [
        ":9: traffic.roads.edges.0.end: there is no node 'x'; known: a, b, c, d",
        ":10: traffic.roads.edges.1.end: there is no node 'y'; known: a, b, c, d",
        ":11: traffic.roads.edges.2: 'b' and 'd' are less than 0.1 m apart",
        ":12: traffic.roads.edges.3: 'b' and 'c' are less than 0.1 m apart",
    ]
    nodes = EDGES.replace("nodes: {a: [0, 0]", "nodes: {a: [0, far]")
    assert problems_of(nodes, tmp_path)[0].startswith(":7: traffic.roads.nodes.a.1: must be a valid number")


def test_every_unknown_field_and_every_wrong_outage_is_told(tmp_path: Path) -> None:
    several = "name: mine\nstatoins: {}\nstations: {cuont: 3, ring: 1, count: 2}\ntraffic: {kind: rounds}\n"
    assert problems_of(several, tmp_path) == [
        ":3: stations: has no field 'cuont'; did you mean 'count'?",
        ":3: stations: has no field 'ring'; did you mean 'ring_m'?",
        ":2: has no field 'statoins'; did you mean 'stations'?",
    ]
    outages = """name: mine
stations: {count: 2}
uavs: {count: 0}
traffic: {kind: generated}
outages:
  windows:
    - {provider: uavs, from_s: 1, to_s: 2}
    - {provider: s1, from_s: 1, to_s: 2}
  failures:
    - {provider: s7, mean_between_s: 9, mean_repair_s: 1}
"""
    assert problems_of(outages, tmp_path) == [
        ":7: outages.windows.0.provider: no provider is called 'uavs'; the scenario has none",
        ":10: outages.failures.0.provider: no provider is called 's7'; known: s1, s2, stations, uavs",
    ]


def test_an_override_of_an_empty_list_says_so() -> None:
    with pytest.raises(ScenarioError, match="there is none yet, so none can be changed; give the whole list"):
        Scenario.load("four_way", **fields({"outages.windows.0.from_s": 1}))
    window = [{"provider": "nobody", "from_s": 1, "to_s": 2}]
    with pytest.raises(ScenarioError, match=r"^--set outages\.windows: outages\.windows\.0\.provider: no provider"):
        Scenario.load("four_way", **fields({"outages.windows": window}))


def test_text_that_no_file_can_hold() -> None:
    with pytest.raises(ScenarioError, match=r"--set about: .* holds half a character"):
        Scenario.load("paper", about="\ud800")


@pytest.mark.parametrize("duration", [-1.0, float("nan"), float("inf"), "long"])
def test_a_simulation_is_held_to_the_times_of_a_run(duration: Any) -> None:
    with pytest.raises(InputError, match="duration: must be a number of seconds > 0"):
        Simulation(Scenario.load("paper"), duration=duration)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"policies": "random"}, "policies: must be a list of one or more different policies, not 'random'"),
        ({"policies": ["random"], "seeds": 10**12}, "seeds: must be a whole number from 2 to 1,000,000"),
        ({"policies": ["random"], "seeds": 2.5}, "seeds: must be a whole number"),
        ({"policies": ["random"], "jobs": True}, "jobs: must be a whole number from 1 to 1,000, not True"),
        ({"policies": ["random", Prices()]}, "policies: must be a list"),
    ],
)
def test_what_compare_refuses(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compare("paper", **arguments)


def test_a_comparison_in_which_nobody_earned_anything(tmp_path: Path) -> None:
    figures = np.zeros((3, len(FIGURES)))
    figures[:, FIGURES.index("realised_mean")] = np.nan  # the mean of nothing
    table = tabulate({"first": figures, "second": figures})
    assert table["ratio"].isna().all()
    comparison(table, tmp_path / "figure.png", "nothing")
    assert (tmp_path / "figure.png").stat().st_size > 0


def test_messages_are_one_line_and_bounded() -> None:
    error = InputError("first\nsecond\x1b[31m" + "x" * 10_000 + " end")
    assert str(error).startswith("first second [31mxxx")
    assert str(error).endswith("xxx end")
    assert len(str(error)) == LONGEST_MESSAGE + len(" ... ")


def test_a_home_folder_is_resolved_and_an_impossible_one_refused(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    run = simulate("paper", duration=3)
    run.save("~/mine")
    assert (tmp_path / "mine" / "run.json").exists()
    assert len(Result.load("~/mine").auctions) == len(run.auctions)
    for wrong in (None, 5, "\ud800", "~nobody_of_that_name/x"):
        with pytest.raises(OutputError, match="a folder must be a path"):
            Result.load(wrong)  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_made_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="file is not a folder"):
        check(tmp_path / "file" / "below")


def test_folders_that_were_made_for_a_result_go_with_it(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a" / "b" / "mine"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_run_file_that_is_deep_or_odd_is_no_run(tmp_path: Path) -> None:
    simulate("paper", duration=3).save(tmp_path / "mine")
    for text in ("[" * 100_000, json.dumps({"policy": 1, "seed": 0, "duration": 1, "warmup": 0, "summary": True})):
        (tmp_path / "mine" / "run.json").write_text(text)
        with pytest.raises(
            OutputError, match=r"this is not a run folder|run\.json: 'scenario' must be text, not missing"
        ):
            Result.load(tmp_path / "mine")


def test_recordings_that_are_none(tmp_path: Path) -> None:
    rows = {"time": [0.0, 1.0], "id": ["a", "a"], "x": [0.0, 1.0], "y": [0.0, 0.0]}
    with pytest.raises(RecordingError, match="a recording must be a DataFrame, not 'rows'"):
        Recording.from_frame("rows")  # type: ignore[arg-type]
    with pytest.raises(RecordingError, match="row 0: id must be text, not b'a'"):
        Recording.from_frame(pd.DataFrame(rows | {"id": [b"a", b"a"]}))
    path = tmp_path / "huge.csv"
    path.write_text(f"time,id,x,y\n0,a,{'9' * 400},0\n")
    with pytest.raises(RecordingError, match="x must be a number"):
        Recording.read(path, 5.0)
    with pytest.raises(RecordingError, match="there is no such recording"):
        simulate("braunschweig", duration=3, **fields({"traffic.file": "x" * 5_000 + ".csv"}))


def test_a_recording_of_mixed_columns_is_saved(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "time": [0.0, 1.0, 2.0],
            "id": ["a", 7, "a"],
            "x": ["0", 1.0, 2],
            "y": [0.0, 0.0, 1.0],
            "speed": [0.0, "1.0", 1],
            "note": [object(), object(), object()],
        }
    )
    with pytest.warns(EmptyMarketWarning):
        result = simulate("braunschweig", duration=10, recording=frame)
    result.save(tmp_path / "mine")
    with pytest.warns(EmptyMarketWarning):
        again = simulate(tmp_path / "mine" / "scenario.yaml", duration=10)
    pd.testing.assert_frame_equal(result.vehicles, again.vehicles)


def test_a_terminal_without_the_signs_of_a_table_still_gets_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dmsb", "compare", "paper", "--policies", "random", "--seeds", "2"]
    done = subprocess.run(
        [*command, "--duration", "20"],
        cwd=tmp_path, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "?" in done.stdout


def test_a_thousand_stations_are_calibrated_within_bounds() -> None:
    from simulator.world.rounds import CALIBRATION_CELLS

    scenario = Scenario.load("paper", **fields({"stations.count": 1000, "market.contract_rounds": 2_000}))
    auctions = simulate(scenario, "conditional", duration=3).auctions
    assert (auctions["invited"] == 1000).all()
    assert CALIBRATION_CELLS // 1001 < 2_000  # so that several blocks were drawn
