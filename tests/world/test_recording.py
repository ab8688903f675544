from __future__ import annotations

import gzip
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulator import Recording, RecordingError
from simulator.scenario.shipped import data_path
from tests.world.traffic_frames import straight

HEAD = '<?xml version="1.0"?>\n<fcd-export>\n'
A = '    <vehicle id="a" x="{x}" y="0" speed="1" angle="90" type="car" lane="e_0"/>\n'


def xml(*steps: str, tail: str = "</fcd-export>\n") -> str:
    return HEAD + "".join(steps) + tail


def step(time: object, *rows: str) -> str:
    return f'  <timestep time="{time}">\n' + "".join(rows) + "  </timestep>\n"


GOOD = xml(step(10.0), step(11.0, A.format(x=0)), step(12.0, A.format(x=1)))


def write(folder: Path, text: str, name: str = "r.xml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def read(path: Path, max_gap_s: float = 5.0) -> Recording:
    return Recording.read(path, max_gap_s)


def test_the_shipped_recording_is_whole() -> None:
    recording = read(data_path("package:braunschweig.fcd.parquet"))
    assert (recording.vehicles, len(recording.time), recording.origin) == (2321, 90168, 54000.0)
    assert recording.left_out == {}
    assert (recording.x.min(), recording.x.max(), recording.y.min(), recording.y.max()) == (140.9, 387.6, 107.9, 302.6)


SUMO_COLUMNS = ("id", "x", "y", "angle", "type", "speed", "pos", "lane", "edge", "slope")
SUMO_CSV = f"""timestep_time;{";".join(f"vehicle_{name}" for name in SUMO_COLUMNS)}
10.0;;;;;;;;;;
11.0;a;0;0;90;car;1;0;e_0;;0.0
11.0;p;5;5;90;ped_pedestrian;1;0;;e;0.0
12.0;a;1;0;90;car;1;0;e_0;;0.0
"""


def test_every_format_gives_the_same_recording(tmp_path: Path) -> None:
    """XML and CSV as SUMO 1.28 writes them, each gzipped or not, Parquet of the same columns, and a DataFrame."""
    person = '    <person id="p" x="5" y="5" angle="90" type="ped_pedestrian" speed="1" edge="e"/>\n'
    whole = xml(step(10.0), step(11.0, A.format(x=0), person), step(12.0, A.format(x=1)))
    paths = [write(tmp_path, whole), write(tmp_path, SUMO_CSV, "r.csv")]
    for path in list(paths):
        packed = path.with_name(path.name + ".gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        paths.append(packed)
    table = pd.read_csv(tmp_path / "r.csv", sep=";")
    table.to_parquet(tmp_path / "r.parquet")
    paths.append(tmp_path / "r.parquet")
    recordings = []
    for path in paths:
        with pytest.warns(UserWarning, match="1 x row of a person or container, left out"):
            recordings.append(read(path))
    with pytest.warns(UserWarning, match="1 x row of a person or container, left out"):
        recordings.append(Recording.from_frame(table))
    for recording in recordings:
        assert (recording.names, recording.origin) == (["a"], 10.0)
        assert recording.time.tolist() == [1.0, 2.0]
        assert recording.x.tolist() == [0.0, 1.0]
        assert recording.speed.tolist() == [1.0, 1.0]
        assert recording.lane.tolist() == ["e_0", "e_0"]
        assert recording.left_out == {"row of a person or container, left out": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD[:-30], r"r\.xml:9: the file is cut off or empty"),
        ("", r"r\.xml:1: the file is cut off or empty"),
        (GOOD.replace('speed="1" angle', "speed=1 angle", 1), r"r\.xml:6: this is no XML"),
        (GOOD.replace(' x="0"', "", 1), r"r\.xml:6: <vehicle> has no attribute 'x'"),
        (GOOD.replace('id="a"', "", 1), r"r\.xml:6: <vehicle> has no attribute 'id'"),
        (GOOD.replace('x="1"', 'x="one"'), r"r\.xml:9: x must be a number, not 'one'"),
        (GOOD.replace('speed="1"', 'speed="fast"'), r"r\.xml:6: speed must be a number, not 'fast'"),
        (GOOD.replace('time="11.0"', 'time="noon"'), r"r\.xml:5: time must be a number, not 'noon'"),
        (GOOD.replace(' time="11.0"', ""), r"r\.xml:5: <timestep> has no attribute 'time'"),
        (HEAD + A.format(x=1) + "</fcd-export>", r"r\.xml:3: <vehicle> stands outside a <timestep>"),
        ("<routes/>", r"r\.xml:1: <routes> is no floating-car data"),
        (xml(), "the recording holds no vehicle"),
        (xml(step(1.0)), "the recording holds no vehicle"),
        ('<!DOCTYPE f [<!ENTITY a "b">]><fcd-export/>', r"r\.xml:1: the entity 'a' has no place"),
    ],
)
def test_damage_is_one_error_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        read(write(tmp_path, text))


def test_damaged_containers(tmp_path: Path) -> None:
    packed = tmp_path / "r.xml.gz"
    packed.write_bytes(gzip.compress(GOOD.encode())[:-20])
    with pytest.raises(RecordingError, match=r"r\.xml\.gz:\d+: the file is cut off"):
        read(packed)
    packed.write_text(GOOD)
    with pytest.raises(RecordingError, match=r"cut off or damaged \(Not a gzipped file"):
        read(packed)
    with pytest.raises(RecordingError, match="this is no Parquet file, or it is damaged"):
        read(write(tmp_path, "PAR1 no", "r.parquet"))
    with pytest.raises(RecordingError, match=r"there is no column 'time' \(or SUMO's 'timestep_time'\).*has a, b"):
        read(write(tmp_path, "a,b\n1,2\n", "r.csv"))
    with pytest.raises(RecordingError, match=r"r\.csv:4: x must be a number, not 'left'"):
        read(write(tmp_path, "time;id;x;y\n0;a;1;2\n1;a;2;2\n2;a;left;2\n", "r.csv"))
    comma = write(tmp_path, "time,id,x,y,speed\n0,a,1,2,1\n1,a,2,2,1\n", "comma.csv")
    assert read(comma).x.tolist() == [1.0, 2.0]
    with pytest.raises(RecordingError, match="the file is empty"):
        read(write(tmp_path, "", "r.csv"))
    with pytest.raises(RecordingError, match="there is no such recording"):
        read(tmp_path / "none.xml")
    with pytest.raises(RecordingError, match=r"must end in \.xml, \.csv"):
        read(write(tmp_path, "", "r.txt"))


def rows(*more: tuple[float, str, float, float]) -> pd.DataFrame:
    good = [(0.0, "a", 0.0, 0.0), (1.0, "a", 1.0, 0.0), (2.0, "a", 2.0, 0.0)]
    return pd.DataFrame([*good, *more], columns=["time", "id", "x", "y"]).assign(speed=1.0)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (rows((3.0, "a", np.nan, 0.0)), "1 x row without a valid position, left out"),
        (rows((3.0, "a", np.inf, 0.0)), "1 x row without a valid position, left out"),
        (rows((np.nan, "a", 3.0, 0.0)), "1 x row without a time, left out"),
        (rows((3.0, "", 3.0, 0.0)), "1 x row without a vehicle id, left out"),
        (rows((2.0, "a", 7.0, 0.0)), "1 x second row of a vehicle in one step, left out"),
        (rows((3.0, "a", 3.0, 0.0)).iloc[[0, 2, 1, 3]], "1 x step of a vehicle back in time, sorted"),
        (rows().drop(columns="speed"), "3 x sample without a speed, taken from its positions"),
    ],
)
def test_what_is_left_out_is_counted_and_the_rest_is_used(frame: pd.DataFrame, message: str) -> None:
    with pytest.warns(UserWarning, match=message):
        recording = Recording.from_frame(frame)
    assert recording.x[:3].tolist() == [0.0, 1.0, 2.0]
    assert recording.speed[:3].tolist() == [1.0, 1.0, 1.0]
    assert sum(recording.left_out.values()) == int(message.split()[0])


def test_a_whole_recording_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recording = Recording.from_frame(straight(["a", "b"]))
    assert recording.left_out == {}


def test_vehicles_are_numbered_by_entry_whatever_the_order_of_rows() -> None:
    frame = straight(["zebra", "ant", "bee"])
    shuffled = frame.sort_values(["id", "time"], ignore_index=True)
    one = Recording.from_frame(shuffled)
    two = Recording.from_frame(frame)
    assert one.names == two.names == ["zebra", "ant", "bee"]
    assert np.array_equal(one.x, two.x)


def test_rows_that_end_in_a_separator_are_read_and_rows_with_more_values_are_an_error(tmp_path: Path) -> None:
    rows = "time;id;x;y\n" + "".join(f"{t};a;{t};0;\n" for t in range(5))
    for text in (rows, rows.replace("x;y\n", "x;y;\n")):
        with pytest.warns(UserWarning, match="5 x sample without a speed"):
            assert read(write(tmp_path, text, "r.csv")).x.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    with pytest.raises(RecordingError, match="its rows have more columns than its first line has names"):
        read(write(tmp_path, rows.replace(";0;", ";0;7"), "r.csv"))


def test_times_are_seconds_and_no_dates() -> None:
    frame = straight(["a"])
    with pytest.raises(RecordingError, match=r"DataFrame: time must be numbers, not datetime64"):
        Recording.from_frame(frame.assign(time=pd.to_datetime(frame["time"], unit="s")))
