"""The reference of all fields that a scenario may have, read from their declarations."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from simulator.scenario.scenario import Scenario


class FieldRow(NamedTuple):
    """One field of a scenario, as text.

    Attributes:
        field: dotted name of the field.
        default: default value, or ``required``.
        allowed: choices or limits, empty if there are none.
        meaning: meaning of the field, with its unit.
    """

    field: str
    default: str
    allowed: str
    meaning: str


def scenario_fields() -> list[FieldRow]:
    """List all fields of a scenario.

    A part with several models has one row per field of each model, such as ``stations.radio(distance).snr_db``.
    """
    return list(_rows(Scenario, ""))


def _rows(model: type[BaseModel], prefix: str) -> list[FieldRow]:
    rows = []
    for name, field in model.model_fields.items():
        models = _models(field.annotation)
        # A field that selects a model, such as `kind`, has no text of its own. The text of its model explains it.
        meaning = field.description or (model.__doc__ or "").partition("\n")[0]
        rows.append(FieldRow(prefix + name, _default(field), _values(field, models), meaning))
        for option in models:
            tag = _tag(option) if len(models) > 1 else None
            # Positions of a list and keys of a mapping are shown as placeholders.
            inner = "[]" if get_origin(field.annotation) is tuple or "tuple" in str(field.annotation) else ""
            key = ".KIND" if get_origin(field.annotation) is dict else ""
            rows += _rows(option, f"{prefix}{name}{f'({tag})' if tag else ''}{inner}{key}.")
    return rows


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the model classes in the annotation of a field, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is Literal:
        return []
    return [model for part in get_args(annotation) for model in _models(part)]


def _tag(model: type[BaseModel]) -> str:
    """Return the value by which a file selects a model, or the name of its class if it has none."""
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
    # A field's own metadata and that of its type can state the same limit, which is shown once.
    limits = [text for item in (*field.metadata, *_wrapped(field.annotation)) for text in _limit(item)]
    literals = _literals(field.annotation)
    return " | ".join(literals) if literals else ", ".join(dict.fromkeys(limits))


def _wrapped(annotation: Any) -> list[Any]:
    """Return the metadata in an annotation, at any depth: a limit may belong to the items of a tuple."""
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
    # A Field(...) inside Annotated carries its limits as metadata of its own.
    if isinstance(item, FieldInfo):
        return [text for inner in item.metadata for text in _limit(inner)]
    signs = {Gt: (">", "gt"), Ge: (">=", "ge"), Lt: ("<", "lt"), Le: ("<=", "le")}
    return [f"{sign} {getattr(item, name):g}" for kind, (sign, name) in signs.items() if isinstance(item, kind)]
