"""Pages with the tables of results that are committed, so that none of them is copied by hand."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAPER = ROOT / "outputs" / "paper"
"""Folder of the reproduction of the paper."""

RIVALS = ("PPO", "SPA", "Myopic", "Optimal", "Greedy", "Random", "conditional", "best constant", "oracle")
"""Columns of the sensitivity table."""

MADE = ROOT / "docs" / "results" / "made"
ARENAS = {"four_way": "arena.csv", "after_the_match": "arena-scarce.csv"}
"""Tables of the arena by scenario."""


def claims() -> Iterator[str]:
    """Yield the table of claims, with the number of each verdict before it."""
    rows = _rows(PAPER / "claims.csv")
    verdicts = [
        row["verdict"].partition(" if")[0] + (" with a condition" if " if" in row["verdict"] else "") for row in rows
    ]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in sorted(set(verdicts), reverse=True))
    yield from (f"{len(rows)} claims: {counts}.", "")
    heads = ("the paper says", "its number", "measured", "verdict", "why")
    yield from table(heads, (tuple(row.values()) for row in rows))


def sensitivity() -> Iterator[str]:
    """Yield the sensitivity table: DMSB's margins in per cent, one row per variant."""
    rows = []
    for row in _rows(PAPER / "sensitivity.csv"):
        margins = [(100 * float(row[f"over {rival}"]), 100 * float(row[f"over {rival} ci"])) for rival in RIVALS]
        rows.append((row["variant"], *(f"{mean:+.1f} ± {width:.1f}" for mean, width in margins)))
    yield from table(("variant", f"DMSB over {RIVALS[0]}", *RIVALS[1:]), rows)


def one_task() -> Iterator[str]:
    """Yield the table of the auctions of one task: outcomes and incentives, one row per scenario and system."""
    heads = (
        "scenario", "system", "surplus of a task", "welfare / `msb`", "revenue / `msb`", "somebody gains", "select p",
    )  # fmt: skip
    rows = []
    for scenario, name in ARENAS.items():
        found = [row for row in _rows(MADE / name) if row["family"] == "one task"]
        revenue = next(float(row["payments"]) for row in found if row["system"] == "msb")
        for row in found:
            surplus, ratio = (
                f"{float(row[figure]):.3f} ± {float(row[f'{figure}_ci']):.3f}" for figure in ("surplus_mean", "ratio")
            )
            chance = float(row["selection_p"]) if row["selection_p"] else None
            shown = "" if chance is None else "< .001" if chance < 0.001 else f"{chance:.3f}"
            numbers = f"{float(row['payments']) / revenue:.2f}", f"{float(row['gain_share']):.2f}"
            rows.append((f"`{scenario}`", f"`{row['system']}`", surplus, ratio, *numbers, shown))
    yield from table(heads, rows)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def table(heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    for row in (heads, ("---",) * len(heads), *rows):
        yield f"| {' | '.join(' '.join(str(cell).split()).replace('|', chr(92) + '|') for cell in row)} |"
