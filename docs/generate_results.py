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


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def table(heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    for row in (heads, ("---",) * len(heads), *rows):
        yield f"| {' | '.join(' '.join(str(cell).split()).replace('|', chr(92) + '|') for cell in row)} |"
