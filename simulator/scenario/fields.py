"""Building blocks of a scenario's fields: numbers with limits, spans, bidding rules, and the base of every part."""

from __future__ import annotations

import re
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
    """Something in a scenario that no single field tells.

    Attributes:
        path: where it is, from the part that finds it, such as ``("edges", 3, "begin")``.
        message: what is wrong and what would be right.
    """

    path: tuple[str | int, ...]
    message: str


def refuse(*problems: Problem) -> None:
    """In a validator: refuse the scenario for all of these problems, if there are any."""
    if problems:
        text = "; ".join(f"{'.'.join(map(str, path))}: {message}".lstrip(": ") for path, message in problems)
        raise PydanticCustomError("refused", "{text}", {"text": text, "problems": problems})


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("number", "must be a number")
    return value


def _not_tiny(value: float) -> float:
    if value < 1e-9:
        raise PydanticCustomError("tiny", "must be at least 1e-9")
    return value


def _span(value: Any) -> Any:
    return (value, value) if isinstance(value, int | float | str) and not isinstance(value, bool) else value


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise PydanticCustomError("span", "must be [low, high] with low <= high")
    return span


def _plain_span(span: tuple[float, float]) -> Any:
    return span[0] if span[0] == span[1] else list(span)


def _for_all(value: Any) -> Any:
    return {"all": value} if isinstance(value, str) else value


def _bidding_rule(value: str) -> str:
    if value != "truthful":
        factor = re.fullmatch(r"shade=(\d+(?:\.\d+)?)", value)
        if factor is None:
            raise PydanticCustomError("bidding", "must be 'truthful' or 'shade=FACTOR' such as shade=0.9")
    return value


Real = Annotated[float, BeforeValidator(_no_boolean), Field(ge=-1e9, le=1e9)]
Positive = Annotated[float, BeforeValidator(_no_boolean), Field(gt=0, le=1e9), AfterValidator(_not_tiny)]
Period = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0.1, le=1e9)]
"""A length of time, s, after which something happens again, at most ten times a second."""
Metres = Annotated[float, BeforeValidator(_no_boolean), Field(ge=1, le=1e6)]
"""Length of a road."""
Speed = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0.1, le=1000)]
"""m/s."""
NonNegative = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, le=1e9)]
Decibels = Annotated[float, BeforeValidator(_no_boolean), Field(ge=-200, le=200)]
Spread = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, le=100)]
"""A standard deviation in dB."""
LogSd = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, le=5)]
"""A standard deviation of a logarithm."""
Whole = Annotated[int, BeforeValidator(_no_boolean)]
Count = Annotated[Whole, Field(ge=0, le=1000)]
Span = Annotated[
    tuple[Positive, Positive], BeforeValidator(_span), AfterValidator(_ordered), PlainSerializer(_plain_span)
]
"""A positive number, or [low, high] from which a value is drawn uniformly."""
Bidding = Annotated[dict[str, Annotated[str, AfterValidator(_bidding_rule)]], BeforeValidator(_for_all)]
"""A bidding rule, or rules by provider name with `all` for the others."""


class Model(BaseModel):
    """Base of every part of a scenario: frozen, nothing unknown, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
