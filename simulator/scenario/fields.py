"""Types of scenario fields: numbers with limits, spans, bidding rules, and the base class of every part."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
)
from pydantic_core import PydanticCustomError


class Problem(NamedTuple):
    """A problem of a scenario that the type of a single field cannot find.

    Attributes:
        path: keys and positions from the part that finds the problem, such as ``("edges", 3, "begin")``.
        message: what is wrong and what would be right.
    """

    path: tuple[str | int, ...]
    message: str


def refuse(*problems: Problem) -> None:
    """Refuse the scenario if there are problems; for use in a validator.

    Args:
        problems: all problems that the validator has found.

    Raises:
        PydanticCustomError: there is a problem. The problems are in its context, each with its path.
    """
    # A ValueError would have one place and one text. The context carries a place for each problem.
    if problems:
        text = "; ".join(f"{'.'.join(map(str, path))}: {message}".lstrip(": ") for path, message in problems)
        raise PydanticCustomError("refused", "{text}", {"text": text, "problems": problems})


def _no_boolean(value: Any) -> Any:
    # Pydantic would take True for the number 1.
    if isinstance(value, bool):
        raise PydanticCustomError("number", "must be a number")
    return value


def _not_tiny(value: float) -> float:
    # A number such as 1e-320 is above 0, but its inverse is infinite.
    if value < 1e-9:
        raise PydanticCustomError("tiny", "must be at least 1e-9")
    return value


def _span(value: Any) -> Any:
    """Return a single value as the span from it to itself."""
    # Text is included so that the message about it names a number, not a tuple.
    return (value, value) if isinstance(value, int | float | str) and not isinstance(value, bool) else value


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise PydanticCustomError("span", "must be [low, high] with low <= high")
    return span


def _plain_span(span: tuple[float, float]) -> Any:
    """Return a span as a person would write it."""
    return span[0] if span[0] == span[1] else list(span)


def _for_all(value: Any) -> Any:
    """Return one bidding rule for all providers as a mapping."""
    return {"all": value} if isinstance(value, str) else value


def _bidder_name(value: str) -> str:
    if not value.strip() or ".py" in value:
        raise PydanticCustomError("bidder", "must name an installed bidder, such as truthful or shade:0.9")
    return value


# The limits refuse what no run could bear: values whose products overflow, and events that follow each other at once.
Real = Annotated[float, BeforeValidator(_no_boolean), Field(ge=-1e9, le=1e9)]
"""A number."""
Positive = Annotated[float, BeforeValidator(_no_boolean), Field(gt=0, le=1e9), AfterValidator(_not_tiny)]
"""A number above 0, whose inverse is finite."""
Period = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0.1, le=1e9)]
"""Time between two occurrences of an event, s: at most ten occurrences per second."""
Metres = Annotated[float, BeforeValidator(_no_boolean), Field(ge=1, le=1e6)]
"""Length of a road, m."""
Speed = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0.1, le=1000)]
"""Speed, m/s."""
NonNegative = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, le=1e9)]
"""A number from 0 on."""
Decibels = Annotated[float, BeforeValidator(_no_boolean), Field(ge=-200, le=200)]
"""A ratio in dB."""
Spread = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, le=100)]
"""Standard deviation of a ratio in dB."""
LogSd = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, le=5)]
"""Standard deviation of a natural logarithm."""
Whole = Annotated[int, BeforeValidator(_no_boolean)]
"""An integer."""
Count = Annotated[Whole, Field(ge=0, le=1000)]
"""A number of providers."""
Span = Annotated[
    tuple[Positive, Positive], BeforeValidator(_span), AfterValidator(_ordered), PlainSerializer(_plain_span)
]
"""One positive number, or [low, high] for a uniform draw."""
Bidding = Annotated[dict[str, Annotated[str, AfterValidator(_bidder_name)]], BeforeValidator(_for_all)]
"""One bidding rule, or one rule per provider name, where `all` stands for the other providers."""


class Model(BaseModel):
    """Base class of every part of a scenario: immutable, without unknown fields, NaN or infinity."""

    # A misspelt field would otherwise be ignored, and the default would silently take its place. The text below a field
    # is its description, which `dmsb schema` prints.

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
