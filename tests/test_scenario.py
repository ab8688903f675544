from __future__ import annotations

from pathlib import Path

import pytest

from simulator import Result, Scenario, ScenarioError, simulate
from simulator.scenario.overrides import parse_assignment
from simulator.scenario.providers import PowerLawAccuracy
from simulator.scenario.radio import DistanceRadio, RandomGains, UmiRadio
from simulator.scenario.reference import scenario_fields
from simulator.scenario.shipped import shipped_scenarios
from tests.fields import fields

MINIMAL = """name: mine
traffic: {kind: rounds}
stations: {count: 3, radio: {model: random}}
uavs: {count: 1, radio: {model: random}}
"""


def test_shipped_scenarios_load_and_survive_a_round_trip(tmp_path: Path) -> None:
    assert {"braunschweig", "paper"} <= set(shipped_scenarios())
    for name in shipped_scenarios():
        scenario = Scenario.load(name)
        assert scenario.about
        path = tmp_path / f"{name}.yaml"
        path.write_text(scenario.to_yaml(tmp_path))
        assert Scenario.load(path) == scenario


@pytest.mark.filterwarnings("ignore::simulator.errors.EmptyMarketWarning")
def test_a_file_path_is_relative_to_the_file_and_an_override_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    text = "name: mine\ntraffic: {kind: recorded, file: cars.csv}\nstations: {count: 2, radius_m: 80}\n"
    (tmp_path / "here" / "mine.yaml").write_text(text)
    (tmp_path / "here" / "cars.csv").write_text(
        "time;id;x;y;speed\n" + "".join(f"{t};a;{10 * t - 300};0;10\n" for t in range(60))
    )
    monkeypatch.chdir(tmp_path)
    scenario = Scenario.load("here/mine.yaml")
    assert scenario.traffic.file == str(tmp_path / "here" / "cars.csv")  # type: ignore[union-attr]
    moved = Scenario.load("here/mine.yaml", **{"traffic.file": "here/cars.csv"})
    assert moved == scenario
    # The saved scenario names the file relative to the run folder, and the run its hash.
    run = simulate(scenario, "random", duration=50).save(tmp_path / "out" / "run")
    assert "file: ../../here/cars.csv" in (run / "scenario.yaml").read_text()
    loaded = Result.load(run)
    assert Path(loaded.scenario.traffic.file).resolve() == tmp_path / "here" / "cars.csv"  # type: ignore[union-attr]
    assert len(next(iter(loaded.run["data_sha256"].values()))) == 64
    assert "package:braunschweig" in Scenario.load("braunschweig").to_yaml(tmp_path)


def test_overrides_reach_parts_that_the_file_leaves_out() -> None:
    scenario = Scenario.load("braunschweig", **{"stations.accuracy.pixels": 100, "stations.bidding.s2": "shade:0.9"})
    assert scenario.stations.accuracy == PowerLawAccuracy(pixels=100)
    assert scenario.stations.bidder_of("s2") == "shade:0.9"
    assert scenario.stations.bidder_of("s1") == "truthful"
    one_kind = Scenario.load("braunschweig", **{"tasks.kinds.entertainment_3d.deadline_s": 2.0})
    assert set(one_kind.tasks.kinds) == {"ar_navigation", "pedestrian_detection", "entertainment_3d"}


def test_another_model_starts_a_part_anew() -> None:
    overrides = {"stations.radio.spread_db": 3.0, "stations.radio.model": "random"}
    assert Scenario.load("braunschweig", **overrides).stations.radio == RandomGains(spread_db=3.0)
    same = Scenario.load("four_way", **{"stations.radio.reuse": 2, "stations.radio.model": "umi"}).stations.radio
    assert same == UmiRadio(reuse=2)
    other = Scenario.load("four_way", **{"stations.radio.model": "distance"}).stations.radio
    assert other == DistanceRadio()


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("stations.count=7", "stations.count", 7),
        ("tasks.size_mb=[20, 40]", "tasks.size_mb", [20, 40]),
        ("market.information=masked", "market.information", "masked"),
        ("market.contract_rounds=1e5", "market.contract_rounds", 1e5),
        ("stations.bidding.s2=shade:0.9", "stations.bidding.s2", "shade:0.9"),
        ("uavs.radio.snr_db=null", "uavs.radio.snr_db", None),
    ],
)
def test_assignments_of_the_command_line(text: str, key: str, value: object) -> None:
    assert parse_assignment(text) == (key, value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("count: 3", "cuont: 3", r"mine\.yaml:3: stations: has no field 'cuont'; did you mean 'count'\?"),
        ("name: mine", "nmae: mine", r"mine\.yaml:1: has no field 'nmae'; did you mean 'name'\?"),
        ("count: 3", "count: 0", r"mine\.yaml:3: stations: has no ground station; set 'count' to 1 or more"),
        ("count: 3", "count: -3", r"mine\.yaml:3: stations\.count: must be greater than or equal to 0, not -3"),
        ("count: 3", "count: many", r"mine\.yaml:3: stations\.count: must be a valid integer, not 'many'"),
        ("count: 3", "count: true", r"mine\.yaml:3: stations\.count: must be a number, not True"),
        ("count: 3", "count: 3, uplink_mhz: -5", r"stations\.uplink_mhz: must be greater than 0, not -5"),
        ("count: 3", "count: 3, uplink_mhz: [9, 5]", r"uplink_mhz: must be \[low, high\] with low <= high"),
        ("count: 3", "count: 3, uplink_mhz: .nan", r"stations\.uplink_mhz: must be"),
        ("count: 3", "count: 3, uplink_mhz: .inf", r"stations\.uplink_mhz: must be"),
        ("count: 3", "count: 3, bidding: mine.py:Lies", r"bidding.*: must name an installed bidder, such as truthful"),
        (
            "count: 3",
            "count: 3, bidding: {s9: truthful}",
            r"mine\.yaml:3: stations\.bidding\.s9: no provider is called",
        ),
        (
            "model: random",
            "model: radom",
            r"mine\.yaml:3: stations\.radio: 'model' must be one of 'random', 'distance', 'air', .*, not 'radom'",
        ),
        ("model: random", "model: distance", r"stations\.radio\.model: in 'rounds' nothing has a place"),
        (
            "kind: rounds",
            "kind: ruonds",
            r"mine\.yaml:2: traffic: 'kind' must be one of 'rounds', 'recorded', 'generated', not 'ruonds'",
        ),
        ("traffic: {kind: rounds}\n", "", r"mine\.yaml: traffic: is missing"),
        ("traffic: {kind: rounds}", "traffic: {kind: recorded}", r"mine\.yaml:2: traffic\.file: is missing"),
        ("name: mine", "name: mine\nname: yours", r"mine\.yaml:2: this is not valid YAML: found duplicate key"),
        ("name: mine", "name: [mine", r"mine\.yaml:\d: this is not valid YAML"),
        ("name: mine", "name: !!python/object/apply:os.system [ls]", "the tag .* is not allowed in a scenario"),
        ("count: 3", "placed: [{name: a, x: 0, y: 0}, {name: a, x: 1, y: 1}]", "two providers are called 'a'"),
        ("count: 3", "placed: [{name: u1, x: 0, y: 0}, {name: a, x: 1, y: 1}]", "two providers are called 'u1'"),
        ("count: 3", "count: 3, placed: [{name: a, x: 0, y: 0}]", "says both 'count' and 'placed'"),
        ("count: 3", "placed: []", "has no ground station"),
        ("name: mine", "name: mine\ntasks: {kinds: {ar_navigation: {share: 0}}}", "at least one kind needs a share"),
        ("name: mine", "name: mine\ntasks: {kinds: {chess: {share: 1}}}", "tasks.kinds.chess: must be 'ar_navigation'"),
        ("name: mine", "name: mine\nmarket: {mechanism: 'evil.py:X'}", "may name an installed mechanism only"),
        ("name: mine", "name: &a mine", "anchors and aliases are not allowed in a scenario"),
        ("count: 3", "count: 3, uplink_mhz: " + "[" * 2000, "nested more than 30 levels deep"),
        ("kind: rounds", "kind: rounds, every_s: 1e-320", r"traffic\.every_s: must be greater than or equal to 0\.1"),
        ("count: 3", "count: 3, uplink_mhz: 1e-300", r"stations\.uplink_mhz: must be at least 1e-9, not 1e-300"),
        (
            "kind: rounds",
            "kind: generated, arrivals: {rate_per_h: 1e9}",
            r"traffic\.arrivals\.rate_per_h: must be less than or equal to 36000",
        ),
        (
            "kind: rounds",
            "kind: generated, signals: {yellow_s: 1}",
            r"traffic\.signals\.yellow_used_s: must be at most yellow_s, 1, not 2",
        ),
        (
            "kind: rounds}",
            "kind: generated}\noutages: {windows: [{provider: s9, from_s: 1, to_s: 2}]}",
            r"mine\.yaml:3: outages\.windows\.0\.provider: no provider is called 's9'; known: s1, s2",
        ),
        (
            "kind: rounds}",
            "kind: generated}\noutages: {windows: [{provider: s1, from_s: 2, to_s: 2}]}",
            r"mine\.yaml:3: outages\.windows\.0\.to_s: must be after from_s, 2, not 2",
        ),
        (
            "kind: rounds}",
            "kind: rounds}\noutages: {failures: [{provider: uavs, mean_between_s: 9, mean_repair_s: 1}]}",
            r"outages: cannot occur in 'rounds', where each round is independent; leave them out",
        ),
        ("name: mine", "name: mine\nduration_s: .nan", r"mine\.yaml:2: duration_s: must be a finite number"),
        ("name: mine", "name: mine\nmarket: {information: al-bids}", r"market\.information: must be 'public'"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(MINIMAL)
    assert Scenario.load(path).stations.count == 3
    path.write_text(MINIMAL.replace(old, new, 1))
    with pytest.raises(ScenarioError, match=message) as caught:
        Scenario.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"- 1\n- 2\n", b"just words", b"\xff\xfe\x00", b"a: \x00"])
def test_files_that_are_no_scenario(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError, match=r"mine\.yaml"):
        Scenario.load(path)


def test_yaml_runs_no_code(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    for tag in ("!!python/object/apply:os.mkdir", "!!python/object/new:os.mkdir", "!!python/name:os.mkdir"):
        path = tmp_path / "mine.yaml"
        path.write_text(MINIMAL.replace("name: mine", f"name: {tag} ['{trap}']"))
        with pytest.raises(ScenarioError):
            Scenario.load(path)
        with pytest.raises(ScenarioError):
            parse_assignment(f"name={tag} ['{trap}']")
    assert not trap.exists()


def test_the_schema_lists_every_field_with_its_meaning() -> None:
    rows = {row.field: row for row in scenario_fields()}
    assert all(row.meaning for row in rows.values())
    assert rows["stations.radio(distance).exponent"][1::2] == ("3.0", "Path-loss exponent.")
    assert rows["traffic"].allowed == "rounds | recorded | generated"
    assert rows["traffic(recorded).file"].default == "required"
    assert rows["market.reference"].allowed == "stations | all | other_owner"
    assert "s. " in rows["duration_s"].meaning
    for name in shipped_scenarios():
        for part, value in Scenario.load(name).model_dump().items():
            assert part in rows
            assert not isinstance(value, dict) or any(field.startswith(part) for field in rows)


@pytest.mark.parametrize(
    ("roads", "message"),
    [
        (
            {"nodes": {"a": [0, 0], "b": [9, 0]}, "edges": [{"begin": "a", "end": "b"}, {"begin": "b", "end": "a"}]},
            r"edges\.1: the road from 'b' to 'a' is given twice$",
        ),
        (
            {
                "nodes": {"a": [0, 0], "b": [90, 0], "c": [0, 90]},
                "edges": [{"begin": x, "end": y} for x, y in ("ab", "bc", "ca")],
            },
            r"traffic\.roads: no vehicle can enter",
        ),
        (
            {
                "nodes": {"in": [-90, 0], "a": [0, 0], "b": [90, 0], "c": [0, 90]},
                "edges": [{"begin": x, "end": y, "one_way": True} for x, y in (("in", "a"), *("ab", "bc", "ca"))],
            },
            r"traffic\.roads: a vehicle that enters at 'in' cannot leave the map",
        ),
    ],
)
def test_roads_that_nobody_can_enter_or_leave(roads: dict[str, object], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        simulate("four_way", "random", duration=10, **fields({"traffic.roads": {"layout": "edges", **roads}}))
