"""Files that are read: one rule for numbers; no pipe, device or bomb holds a command up."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st

from simulator import InputError, Recording, RecordingError, Scenario, simulate
from simulator.errors import RecordingWarning, ScenarioError
from simulator.files import reading as limits
from simulator.files.reading import BadNumberError, number, numbers, open_expanded, open_regular, read_bytes, read_json
from simulator.scenario import yaml_text
from simulator.traffic import recording_file
from tests.fields import fields

NUMBERS = {
    "1": 1.0, "1.": 1.0, ".5": 0.5, "+1": 1.0, "-.5e3": -500.0, "1E+05": 1e5, "007": 7.0, " 2\t": 2.0, "1e-400": 0.0,
    "-0": -0.0, "1" * 300: float("1" * 300),
}  # fmt: skip
MISSING = ("", "  ", "nan", "NaN", "NA", "n/a", "NULL", "None")
NO_NUMBERS = (
    "1_000", "1 000", "1,000.5", "0x10", "1d5", "1f", "e5", ".", "+", "-", "--1", "1e", "1e+", "1.5.2", "inf", "-inf",
    "Infinity", "1e999", "1" * 400, "-nan", "nan(1)", "１", "٣", "\u00a01", "2\n", "1\x00", "true", "1h",
)  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
def test_what_is_a_number(text: str) -> None:
    assert math.copysign(1.0, number(text)) == math.copysign(1.0, NUMBERS[text])
    assert number(text) == NUMBERS[text] == numbers(pa.array([text, "0"]))[0].as_py()


@pytest.mark.parametrize("text", MISSING)
def test_what_says_that_there_is_none(text: str) -> None:
    assert math.isnan(number(text))
    assert numbers(pa.array([text, None, "0"])).to_pylist() == [None, None, 0.0]


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_not_a_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a number, not '"):
        number(text)
    with pytest.raises(BadNumberError) as caught:
        numbers(pa.array(["0", None, text]))
    assert caught.value.row == 2


def test_a_decimal_comma_is_called_one() -> None:
    with pytest.raises(ValueError, match=r"^must be a number with a decimal point, not '-1,5' with a decimal comma$"):
        number("-1,5")


@settings(max_examples=2_000)
@given(st.text(st.sampled_from("0123456789.,eE+-_ \tnaNAinfx'١"), max_size=9))
def test_one_text_and_a_column_follow_one_rule(text: str) -> None:
    try:
        expected: float | str = number(text)
    except ValueError as error:
        expected = str(error)
    try:
        cell = numbers(pa.array([text]))[0].as_py()
        found: float | str = math.nan if cell is None else cell
    except BadNumberError as error:
        found = str(error)
    assert found == expected or (found != found and expected != expected)
    if isinstance(expected, float) and not math.isnan(expected):
        assert expected == float(text.strip()), "and it is the number that Python reads"


CELL = ("1_000", "inf", "1,5", "0x1", "left", "1e999")


@pytest.mark.parametrize("cell", CELL)
@pytest.mark.parametrize("column", ["time", "x", "speed"])
def test_every_format_holds_a_cell_to_the_rule(column: str, cell: str, tmp_path: Path) -> None:
    row = {"time": "1", "id": "a", "x": "0", "y": "0", "speed": "1"}
    rows = [row, row | {"time": "2"}, row | {"time": "3"} | {column: cell}]
    (tmp_path / "r.csv").write_text(";".join(row) + "\n\n" + "".join(";".join(one.values()) + "\n" for one in rows))
    steps = "".join(
        f'<timestep time="{one["time"]}">\n<vehicle id="a" x="{one["x"]}" y="0" speed="{one["speed"]}"/></timestep>\n'
        for one in rows
    )
    (tmp_path / "r.xml").write_text(f"<fcd-export>\n{steps}</fcd-export>")
    for name, line in (("r.csv", 5), ("r.xml", 6 if column == "time" else 7)):
        with pytest.raises(RecordingError, match=rf"{name}:{line}: {column} must be a number.*, not '{cell}'"):
            Recording.read(tmp_path / name, 5.0)
    frame = pd.DataFrame(rows)
    for given_frame in (frame, frame.astype({column: object})):
        with pytest.raises(RecordingError, match=rf"DataFrame, row 2: {column} must be a number.*, not '{cell}'"):
            Recording.from_frame(given_frame)
    frame.to_parquet(tmp_path / "r.parquet")
    with pytest.raises(RecordingError, match=rf"r\.parquet, row 2: {column} must be a number.*, not '{cell}'"):
        Recording.read(tmp_path / "r.parquet", 5.0)


def test_a_name_is_never_taken_for_a_number_or_for_none(tmp_path: Path) -> None:
    names = ["NA", "null", "007", "1.0", "None", "nan"]
    rows = "".join(f"{t},{name},{t},{n},1,{n}\n" for t in range(3) for n, name in enumerate(names))
    (tmp_path / "r.csv").write_text(f"time,id,x,y,speed,lane\n{rows}")
    recording = Recording.read(tmp_path / "r.csv", 5.0)
    assert sorted(recording.names) == sorted(names)
    assert set(recording.lane) == {"0", "1", "2", "3", "4", "5"}


def test_a_cell_that_says_none_is_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("time,id,x,y,speed\n0,a,0,0,1\n1,a,NaN,0,1\n2,a,,0,1\n3,a,1,0,1\n")
    with pytest.warns(RecordingWarning, match="2 x row without a valid position, left out"):
        assert Recording.read(tmp_path / "r.csv", 5.0).x.tolist() == [0.0, 1.0]


def test_the_line_of_a_cell_counts_breaks_in_quotes(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text('time,id,x,y\n0,"a\nb",0,0\n\n   \n1,c,oops,0\n')
    with pytest.raises(RecordingError, match=r"r\.csv:6: x must be a number, not 'oops'"):
        Recording.read(tmp_path / "r.csv", 5.0)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _loop(path: Path) -> None:
    path.symlink_to(path)


SPECIAL: dict[str, tuple[Callable[[Path], None], str]] = {
    "fifo": (_fifo, "it is not a regular file"),
    "device": (_device, "it is not a regular file"),
    "loop": (_loop, "Too many levels of symbolic links"),
    "folder": (Path.mkdir, "it is a folder, not a file"),
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_not_a_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    make, reason = SPECIAL[kind]
    for name in ("r.csv", "r.csv.gz", "r.xml", "r.parquet"):
        make(tmp_path / name)
        with pytest.raises(RecordingError, match=rf"{name}: the recording cannot be read \({reason}\)"):
            Recording.read(tmp_path / name, 5.0)
        with pytest.raises(InputError, match=f"cannot be read .{reason}"):
            simulate("braunschweig", duration=3, **fields({"traffic.file": str(tmp_path / name)}))
    make(tmp_path / "mine.yaml")
    with pytest.raises(ScenarioError, match=rf"mine\.yaml: cannot be read \({reason}\)"):
        Scenario.load(tmp_path / "mine.yaml")


def test_a_file_that_becomes_a_pipe_after_the_look_does_not_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    regular = (tmp_path / "file").stat()
    _fifo(tmp_path / "pipe")
    monkeypatch.setattr(Path, "stat", lambda self, **_: regular)
    with pytest.raises(OSError, match="it is not a regular file"):
        open_regular(tmp_path / "pipe")


def test_a_name_that_no_file_can_have() -> None:
    for name in ("a\0b", "\ud800"):
        with pytest.raises(OSError, match="no file can have this name"):
            open_regular(Path(name))


def test_what_is_larger_than_allowed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    assert read_bytes(tmp_path / "file", 100) == b"x" * 100
    with pytest.raises(OSError, match="it is larger than 99 bytes"):
        read_bytes(tmp_path / "file", 99)
    with pytest.raises(OSError, match="it is larger than 99 bytes"), open_expanded(tmp_path / "file", 99) as stream:
        stream.read()
    scenario = tmp_path / "huge.yaml"
    with scenario.open("wb") as file:
        file.truncate(1 << 40)  # a file with a hole: it takes no room on the disk
    with pytest.raises(ScenarioError, match=r"huge\.yaml: cannot be read \(it is larger than 2 MiB\)"):
        Scenario.load(scenario)
    monkeypatch.setattr(recording_file, "MOST_RECORDING_BYTES", 1 << 20)
    for name, text in (("r.csv", "time,id,x,y\n"), ("r.xml", "<fcd-export>")):
        (tmp_path / name).write_text(text + " " * (2 << 20))
        with pytest.raises(RecordingError, match=r"the recording cannot be read \(it is larger than 1 MiB\)"):
            Recording.read(tmp_path / name, 5.0)


def test_a_scenario_of_too_many_words_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_text, "MOST_TOKENS", 1_000)
    (tmp_path / "mine.yaml").write_text("name: mine\nstations:\n  placed: [" + "1,\n" * 2_000 + "]")
    with pytest.raises(ScenarioError, match=r"mine\.yaml:496: has more than 1,000 words and marks up to here"):
        Scenario.load(tmp_path / "mine.yaml")


def test_deep_or_odd_json_is_refused(tmp_path: Path) -> None:
    for text in ("[" * 100_000, "NaN", '{"a": -Infinity}', "9" * 5_000, "", "\ufeff{}", '"\ud800"'):
        (tmp_path / "file").write_bytes(text.encode("utf-8", "surrogatepass"))
        with pytest.raises((OSError, ValueError)):
            read_json(tmp_path / "file")


def _gzip_bomb(path: Path, head: bytes, unit: bytes) -> None:
    """Write a small file that would expand to 100 GiB; the reader has to stop long before."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    with path.open("wb") as file:
        file.write(deflate.compress(head))
        file.write(deflate.compress(unit * ((4 << 20) // len(unit))) + deflate.flush(zlib.Z_FULL_FLUSH))
        block = deflate.compress(unit * ((4 << 20) // len(unit))) + deflate.flush(zlib.Z_FULL_FLUSH)
        file.write(block * 60)


@pytest.mark.parametrize(
    ("name", "head", "unit"),
    [
        ("r.csv.gz", b"time,id,x,y\n", b"\n"),
        ("r.csv.gz", b"time,id,x,y\n", b"x"),
        ("r.xml.gz", b"<fcd-export>", b" "),
    ],
)
def test_a_gzip_bomb_is_defused(name: str, head: bytes, unit: bytes, tmp_path: Path) -> None:
    _gzip_bomb(tmp_path / name, head, unit)
    assert (tmp_path / name).stat().st_size < 1 << 20
    with pytest.raises(RecordingError, match=r"the recording cannot be read .it expands more than 200-fold"):
        Recording.read(tmp_path / name, 5.0)


def test_elements_that_nest_without_end_are_refused(tmp_path: Path) -> None:
    _gzip_bomb(tmp_path / "r.xml.gz", b"<fcd-export>", b"<a>")
    with pytest.raises(RecordingError, match=r"xml\.gz:1: <a> is no floating-car data, and there are 10,000 such"):
        Recording.read(tmp_path / "r.xml.gz", 5.0)


def test_a_recording_in_which_nobody_moves_is_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FREE_BYTES", 1 << 20)
    rows = "".join(
        f'<vehicle id="v{n}" x="{7.5 * n:.2f}" y="201.60" angle="90.00" type="car" speed="0.00" lane="e_0_0"/>\n'
        for n in range(20)
    )
    steps = "".join(f'<timestep time="{t / 10:.2f}">\n{rows}</timestep>\n' for t in range(2_000))
    text = f"<fcd-export>\n{steps}</fcd-export>\n".encode()
    (tmp_path / "r.xml.gz").write_bytes(gzip.compress(text, 9))
    assert len(text) > 100 * (tmp_path / "r.xml.gz").stat().st_size
    assert len(Recording.read(tmp_path / "r.xml.gz", 5.0).time) == 40_000


def _parquet(path: Path, **columns: object) -> None:
    rows = {"time": [1.0, 2.0], "id": ["a", "a"], "x": [0.0, 1.0], "y": [0.0, 0.0], "speed": [1.0, 1.0]}
    pq.write_table(pa.table(rows | columns), path, compression="zstd")


def test_a_parquet_bomb_is_defused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_TABLE_BYTES", 1 << 20)
    path = tmp_path / "r.parquet"
    _parquet(path, junk=["x" * 5_000_000] * 2)
    assert len(Recording.read(path, 5.0).time) == 2, "what is not wanted is not read"
    _parquet(path, id=["x" * 1_000_000] * 2)  # a long text
    with pytest.raises(RecordingError, match=r"the recording cannot be read .it is larger than 1 MiB"):
        Recording.read(path, 5.0)
    rows = 100_000  # of one value each
    names = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * 50_000])
    pq.write_table(
        pa.table({name: names if name == "id" else pa.array([1.0] * rows) for name in ("time", "id", "x", "y")}), path
    )
    assert path.stat().st_size < 200_000
    with pytest.raises(RecordingError, match=r"the recording cannot be read .it is larger than 1 MiB"):
        Recording.read(path, 5.0)
    few = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int32()), ["x" * 50_000])  # expands when decoded
    pq.write_table(
        pa.table({name: few if name == "id" else pa.array([1.0] * 1_000) for name in ("time", "id", "x", "y")}), path
    )
    with pytest.raises(RecordingError, match=r"the recording cannot be read .it is larger than 1 MiB"):
        Recording.read(path, 5.0)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": [[1.0], [2.0]]}, "row 0: x must be a number, not "),
        ({"x": pa.array([1, 2], pa.timestamp("s"))}, "x must be numbers, not datetime64"),
        ({"x": [True, False]}, "x must be numbers, not bool"),
        ({"id": pa.array([b"a", b"\xff"])}, "row 0: id must be text, not b'a'"),
        ({"vehicle_x": [1.0, 2.0]}, "there are two columns 'x'"),
        ({"time": pa.array([None, None], pa.float64())}, "the recording holds no vehicle"),
    ],
)
def test_odd_columns_of_parquet(columns: dict[str, object], message: str, tmp_path: Path) -> None:
    _parquet(tmp_path / "r.parquet", **columns)
    with pytest.raises(RecordingError, match=message):
        Recording.read(tmp_path / "r.parquet", 5.0)


def test_places_beyond_any_map_and_halves_of_characters_are_refused() -> None:
    rows = {"time": [0.0, 1.0], "id": ["a", "a"], "x": [0.0, 1.0], "y": [0.0, 0.0], "speed": [1.0, 1.0]}
    with pytest.raises(RecordingError, match=r"DataFrame: y must be from -1e\+09 to 1e\+09 m, not 1e\+308"):
        Recording.from_frame(pd.DataFrame(rows | {"y": [0.0, -1e308]}))
    for name in ("id", "lane"):
        with pytest.raises(RecordingError, match=f"DataFrame: {name} must be text, but half a character stands in it"):
            Recording.from_frame(pd.DataFrame(rows).assign(**{name: pd.Series(["\ud800", "a"], dtype=object)}))
