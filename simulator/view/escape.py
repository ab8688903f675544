"""Text in other programs' formats: what XML cannot hold, and what a spreadsheet would run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

if TYPE_CHECKING:
    import pandas as pd

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped (section 2.2 of its specification)."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""With these begins what a spreadsheet takes for a formula (OWASP, "CSV Injection")."""


def xml_text(text: str) -> str:
    r"""Return a text with each character that XML cannot hold written out, such as ``\x00``.

    Example:
        >>> print(xml_text("bus" + chr(0)))
        bus\x00
    """
    return _FORBIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def xml_attribute(text: str) -> str:
    """Return a text as the value of an XML attribute, with its quotes."""
    return quoteattr(xml_text(text))


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which no text cell and no heading is a formula, because a single quote stands before it.

    A carriage return in a text is written out. Numbers stay as they are, and so does the index.
    """
    import pandas as pd

    table = table.rename(columns=lambda name: f"'{name}" if str(name).startswith(FORMULA_STARTS) else name)
    for name in table.columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            texts = table[name].astype("str")
            formulas = texts.str.startswith(FORMULA_STARTS).fillna(False).astype(bool)
            texts = texts.where(~formulas, "'" + texts)
            # Python's csv puts no quotes around a carriage return, so that readers would see a new row.
            table[name] = texts.str.replace("\r", r"\r", regex=False)
    return table
