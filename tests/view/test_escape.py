"""Hostile names in other programs' formats: XML stays XML, and no cell of CSV is a formula."""

from __future__ import annotations

import csv
import html.parser
import json
import re
from pathlib import Path
from xml.dom import minidom
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from simulator import Result, simulate
from simulator.cli import comparing
from simulator.record.schema import TABLES
from simulator.view.escape import FORMULA_STARTS, without_formulas, xml_attribute, xml_text
from simulator.view.export import export
from simulator.view.report.write import page

CONTROLS = [chr(code) for code in (*range(32), 0x7F, 0x85, 0x9F, 0xFFFE, 0xFFFF, 0x2028)]
HOSTILE = [
    *(f"a{mark}b" for mark in CONTROLS),
    '"><x/>',
    "]]>",
    "<!--",
    "&#0;",
    "&amp;",
    "'",
    "=1+1",
    "🚗",
    "١",
    "\u202e",
]


@pytest.fixture(scope="module")
def run() -> Result:
    """A run in which vehicles, lanes and providers have hostile names."""
    run = simulate("four_way", "conditional", duration=120)
    run.vehicles["name"] = [HOSTILE[n % len(HOSTILE)] + str(n) for n in range(len(run.vehicles))]
    run.vehicles["entry"] = [HOSTILE[n % len(HOSTILE)] for n in range(len(run.vehicles))]
    run.paths["lane"] = [HOSTILE[n % len(HOSTILE)] for n in range(len(run.paths))]
    return run


def test_floating_car_data_are_xml_whatever_the_names(run: Result, tmp_path: Path) -> None:
    export(run, "sumo-fcd", tmp_path / "r.xml")
    data = (tmp_path / "r.xml").read_bytes()
    minidom.parseString(data)
    vehicles = list(ET.fromstring(data).iter("vehicle"))
    wanted = {xml_text(name) for name in run.vehicles["name"]}
    assert {vehicle.attrib["id"] for vehicle in vehicles} <= wanted
    assert len({vehicle.attrib["id"] for vehicle in vehicles}) > len(CONTROLS), "different names stay different"
    assert {vehicle.attrib["lane"] for vehicle in vehicles} <= {xml_text(lane) for lane in HOSTILE}
    assert not [tag for tag in ET.fromstring(data).iter() if tag.tag == "x"]


@settings(max_examples=500)
@given(st.text(st.characters(), max_size=20))
def test_any_text_is_an_attribute(text: str) -> None:
    """Lone surrogates too, which Python holds and UTF-8 cannot."""
    found = ET.fromstring(f"<v id={xml_attribute(text)}/>".encode()).attrib["id"]
    allowed = re.fullmatch("[\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*", text)
    assert found == text if allowed else found == xml_text(text) != text


class Title(html.parser.HTMLParser):
    """Collects the title of a page."""

    text, inside = "", False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.inside = tag == "title"

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        self.text += data if self.inside else ""


def test_the_report_holds_no_control_character(run: Result) -> None:
    hostile = "</title><script>\x00\x0b\ufffe\ud800"
    text = page({hostile: run})
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]", text)
    title = Title()
    title.feed(text[: text.index("<script")])
    assert title.text == r"four_way: </title><script>\x00\x0b\ufffe\ud800"
    head = json.loads(text.split('id="head">')[1].split("</script>")[0])
    assert head["vehicles"] == run.vehicles["name"].tolist()
    assert head["runs"][0]["name"] == hostile


def test_no_cell_of_an_export_is_a_formula(run: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{start}s" for start, _ in zip("=+-@\t\r＝", range(len(run.providers)), strict=False)]
    monkeypatch.setattr(run, "providers", run.providers.assign(name=names))
    export(run, "csv", tmp_path / "csv")
    for name, columns in TABLES.items():
        with (tmp_path / "csv" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        table = getattr(run, name)
        assert len(rows) == len(table)
        for column in columns:
            cells = [row[column.name] for row in rows]
            if column.type in ("text", "category"):
                assert not [cell for cell in cells if cell.startswith(FORMULA_STARTS)]
                raw = table[column.name].astype(str).tolist()
                quoted = [f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell for cell in raw]
                quoted = [cell.replace("\r", r"\r") for cell in quoted]
                assert cells == quoted
            elif column.type in ("float", "int"):
                assert [float(cell or "nan") for cell in cells] == pytest.approx(
                    table[column.name].tolist(), nan_ok=True
                )
    with (tmp_path / "csv" / "providers.csv").open(encoding="utf-8", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert names[:4] == ["'=s", "'+s", "'-s", "'@s"]
    minus = pd.read_csv(tmp_path / "csv" / "paths.csv")["x"]
    assert (minus < 0.0).any(), "a minus before a number is no formula"


def test_a_heading_is_no_formula_either() -> None:
    table = without_formulas(pd.DataFrame({"=a": [1.0, -2.0], "b": ["-x", None]}))
    assert table.to_csv(index=False) == "'=a,b\n1.0,'-x\n-2.0,\n"


def test_a_comparison_holds_no_formula(tmp_path: Path) -> None:
    policy = tmp_path / "=p.py:Mine"
    (tmp_path / "=p.py").write_text("class Mine:\n    def price(self, observation):\n        return 1.5\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        comparing.compare("paper", f"spa,{policy.name}", seeds=2, duration=10.0, out=tmp_path / "c")
    for name in ("comparison", "runs"):
        table = pd.read_csv(tmp_path / "c" / f"{name}.csv")
        assert set(table["policy"]) == {"spa", "'=p.py:Mine"}
        assert table["surplus_mean"].dtype == float
