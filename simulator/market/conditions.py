"""What is public in the market: levels of information, the market conditions, and how a column is declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from simulator.errors import InputError, shown

if TYPE_CHECKING:
    from simulator.scenario.scenario import Scenario

Information: TypeAlias = Literal["public", "masked", "all-bids", "clairvoyant"]
"""What a policy may see.

- `public`: the market conditions.
- `masked`: the market conditions, and all ground bids except the highest.
- `all-bids`: the market conditions, and all ground bids.
- `clairvoyant`: the market conditions, all ground bids, and the true values of the UAV and of the top bidder.
"""

INFORMATION: tuple[Information, ...] = get_args(Information)

# No condition depends on a bid of the round: a bidder could then move the price that it pays, against Theorem 1.
# No condition depends on what a UAV says: it would understate its worth and win at a lower payment.
# No condition depends on the size or the demand of the task: they are not public.
MARKET_CONDITIONS: dict[str, tuple[str, str]] = {
    "uav_seconds": ("s", "predicted latency of the UAV for a task of the reference size, backlog included"),
    "best_seconds": (
        "s",
        "shortest predicted latency for a task of the reference size, of the stations covering the vehicle",
    ),
    "second_seconds": (
        "s",
        "second-shortest predicted latency for a task of the reference size, of the stations covering the vehicle",
    ),
    "covering": ("stations", "number of ground stations that cover the vehicle"),
    "load": ("1/s", "requests per second in the load window before this request; with windows, before the clearing"),
    "uav_match": ("", "mean audited match value of the UAV"),
    "best_match": ("", "mean audited match value of the covering station with the shortest predicted latency"),
    "second_match": ("", "mean audited match value of the covering station with the second-shortest predicted latency"),
    "ground_match": ("", "mean audited match value of all ground stations; in `rounds` equal to second_match"),
    "uav_report": ("", "mean audited worth of the last tasks of the UAV, without their demand; 0 for a lost task"),
    "deadline_s": ("s", "time from the request to the deadline of this kind of task; the longest one if it has none"),
    "ar_navigation": ("0/1", "1 if the task is AR navigation, else 0"),
    "pedestrian_detection": ("0/1", "1 if the task is pedestrian detection, else 0"),
    "entertainment_3d": ("0/1", "1 if the task is 3D entertainment, else 0"),
}
"""Unit and meaning of each public market condition m^k, in the order of `Observation.market`."""

MARKET_INDEX = {name: index for index, name in enumerate(MARKET_CONDITIONS)}

VECTOR_BIDS = 3
"""Smallest number of bids in `Observation.vector()`, and the number unless more are shown."""

LARGEST = 1e9
"""Largest number in `Observation.vector()`, so that the space of an environment is bounded."""

MOST_PAID = 1e12
"""Largest bid and payment. Sums of larger ones lose digits, and a larger one is a slip."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    A column is declared once. Recorder, schema, report and documentation follow from the declaration.

    Attributes:
        name: name of the column.
        type: type of the values.
        unit: unit of the values; empty for a plain number.
        meaning: what a value means.
        categories: categories of a categorical column, by code.
        source: dotted path of the value in the recorded object, such as ``task.size_mb``; empty if derived later.
        packed: numpy type of the column in the report; empty if the report leaves the column out.
        per_provider: whether a value is an array with one number per provider. Only the state of a seat has such.
    """

    name: str
    type: Literal["float", "int", "bool", "category", "text"]
    unit: str
    meaning: str
    categories: tuple[str, ...] = ()
    source: str = ""
    packed: str = ""
    per_provider: bool = False


def bids_shown(scenario: Scenario, information: Information) -> int:
    """Return the number of bids in `Observation.vector()`.

    Args:
        scenario: the scenario.
        information: what the policy may see.

    Raises:
        InputError: there is no such information.
    """
    # A word that nobody knows would show all bids.
    if information not in INFORMATION:
        raise InputError(f"information: must be one of {', '.join(INFORMATION)}, not {shown(information)}")
    if scenario.market.most_bids is not None:
        return scenario.market.most_bids
    if information in ("masked", "all-bids"):
        return max(VECTOR_BIDS, len(scenario.station_names()))
    return VECTOR_BIDS
