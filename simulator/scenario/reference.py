"""Every field that a scenario may have, as rows: dotted name, default, what it may be, meaning with its unit."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from simulator.scenario.scenario import Scenario


class FieldRow(NamedTuple):
    """One field of a scenario."""

    field: str
    default: str
    allowed: str
    meaning: str


def scenario_fields() -> list[FieldRow]:
    """All fields, those of a part with several models once for each, as ``stations.radio(distance).snr_db``."""
    return list(_rows(Scenario, ""))


def _rows(model: type[BaseModel], prefix: str) -> list[FieldRow]:
    rows = []
    for name, field in model.model_fields.items():
        models = _models(field.annotation)
        # What tells one model from another means what its model means.
        meaning = field.description or (model.__doc__ or "").partition("\n")[0]
        rows.append(FieldRow(prefix + name, _default(field), _values(field, models), meaning))
        for option in models:
            tag = _tag(option) if len(models) > 1 else None
            inner = "[]" if get_origin(field.annotation) is tuple or "tuple" in str(field.annotation) else ""
            key = ".KIND" if get_origin(field.annotation) is dict else ""
            rows += _rows(option, f"{prefix}{name}{f'({tag})' if tag else ''}{inner}{key}.")
    return rows


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models that a field may hold, whatever they are wrapped in."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is Literal:
        return []
    return [model for part in get_args(annotation) for model in _models(part)]


def _tag(model: type[BaseModel]) -> str:
    for name in ("kind", "model", "layout"):
        if name in model.model_fields:
            return str(get_args(model.model_fields[name].annotation)[0])
    return model.__name__


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True) if not field.is_required() else PydanticUndefined
    if default is PydanticUndefined:
        return "required"
    if isinstance(default, BaseModel):
        return _tag(type(default)) if _tag(type(default)) != type(default).__name__ else ""
    if isinstance(default, dict):
        return ", ".join(
            str(key) if isinstance(value, BaseModel) else f"{key}: {value}" for key, value in default.items()
        )
    return "none" if default is None else str(default)


def _values(field: FieldInfo, models: list[type[BaseModel]]) -> str:
    if models:
        return " | ".join(_tag(model) for model in models) if len(models) > 1 else ""
    limits = [text for item in (*field.metadata, *_wrapped(field.annotation)) for text in _limit(item)]
    literals = _literals(field.annotation)
    return " | ".join(literals) if literals else ", ".join(dict.fromkeys(limits))


def _wrapped(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        return [*metadata, *_wrapped(inner)]
    return [item for part in get_args(annotation) for item in _wrapped(part)]


def _literals(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    if get_origin(annotation) in (Annotated, Union) or "|" in str(annotation):
        return [text for part in get_args(annotation) for text in _literals(part)]
    return []


def _limit(item: Any) -> list[str]:
    if isinstance(item, FieldInfo):
        return [text for inner in item.metadata for text in _limit(inner)]
    signs = {Gt: (">", "gt"), Ge: (">=", "ge"), Lt: ("<", "lt"), Le: ("<=", "le")}
    return [f"{sign} {getattr(item, name):g}" for kind, (sign, name) in signs.items() if isinstance(item, kind)]
