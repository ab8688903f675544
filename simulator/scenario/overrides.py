"""Overrides of scenario fields by dotted key: reading and applying them."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel

from simulator.errors import ScenarioError
from simulator.scenario.yaml_text import read_value

DISCRIMINATORS = (".model", ".kind", ".layout")
"""Ends of the dotted keys whose value decides which other fields a part has."""


def parse_assignment(text: str, option: str = "--set", such_as: str = "stations.count=7") -> tuple[str, Any]:
    """Split the text ``key=value`` of the command line.

    Args:
        text: the text. Its value is read as YAML.
        option: option that it follows, for messages.
        such_as: example for messages.

    Returns:
        The dotted key and the value.

    Raises:
        ScenarioError: there is no ``=``, or the value is not valid YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ScenarioError(f"{option} {text}: must be key=value, such as {such_as}")
    try:
        return key.strip(), read_value(value, f"{option} {key}")
    except ScenarioError:
        raise ScenarioError(f"{option} {' '.join(text.split())}: '{value.strip()}' cannot be read as a value") from None


def parse_grid(text: str) -> tuple[str, list[Any]]:
    """Split the text ``key=v1,v2`` of the command line.

    Args:
        text: the text. Its values are read as YAML.

    Returns:
        The dotted key and the list of values.

    Raises:
        ScenarioError: there is no ``=``, or the values are not valid YAML.
    """
    key, equals, values = text.partition("=")
    if not equals or not key.strip() or not values.strip():
        raise ScenarioError(
            f"--grid {text}: must be key=value,value, such as stations.count=3,5,7, or key,key=value:value,value:value"
        )
    try:
        # Within brackets, a value may itself be a list or a mapping that contains commas.
        if "," not in key:
            return key.strip(), list(read_value(f"[{values}]", f"--grid {key}"))
        # Fields that move together: one value per field, with colons between them.
        together = [value.split(":") for value in values.split(",")]
        return key.strip(), [tuple(read_value(part, f"--grid {key}") for part in parts) for parts in together]
    except ScenarioError:
        raise ScenarioError(f"--grid {text}: '{values}' cannot be read as values") from None


def override(model: type[BaseModel], data: dict[str, Any], key: str, value: Any) -> None:
    """Change one field in the plain data of a scenario.

    Args:
        model: class of the scenario, which knows the defaults.
        data: plain data of the scenario, which is changed.
        key: dotted key of the field.
        value: new value of the field.

    Raises:
        ScenarioError: the key leads through a single value, or to a position that a list does not have.
    """
    *path, last = key.split(".")
    here: Any = data
    for depth, part in enumerate(path):
        if isinstance(here, list):
            here = here[_index(here, part, key)]
        else:
            # An override of one field must not lose the defaults of the other fields of its part.
            if here.get(part) is None:
                here[part] = _default(model, path[: depth + 1], data)
            here = here[part]
        if not isinstance(here, dict | list):
            raise ScenarioError(f"--set {key}: '{part}' is a single value and has no field '{last}'")
    if isinstance(here, list):
        here[_index(here, last, key)] = value
    else:
        # Fields of the previous model would be unknown to the new one.
        if key.endswith(DISCRIMINATORS) and here.get(last) != value:
            here.clear()
        # A number of providers on the ring takes the place of a list of places, and the other way round.
        other = {"count": "placed", "placed": "count"}.get(last)
        if value is not None and other is not None and key in (f"stations.{last}", f"uavs.{last}"):
            here.pop(other, None)
        here[last] = value


def model_of(annotation: Any, data: Any) -> Any:
    """Return the model class that belongs to the data of a field.

    Args:
        annotation: annotation of the field.
        data: plain data of the field.

    Returns:
        The only class in the annotation, or the one that `kind`, `model` or `layout` selects. None if none fits.
    """
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [model_of(option, data) for option in get_args(annotation)]
    models = [model for model in found if model is not None]
    if len(models) == 1:
        return models[0]
    for model in models:
        for name in (key.removeprefix(".") for key in DISCRIMINATORS):
            field = model.model_fields.get(name)
            if field is not None and isinstance(data, dict) and data.get(name) in get_args(field.annotation):
                return model
    return None


def _default(model: Any, path: list[str], data: Any) -> Any:
    """Return the default value of a part of a scenario as plain data.

    Args:
        model: class of the scenario.
        path: keys that lead to the part.
        data: plain data of the scenario, which may already select the model of a part.

    Returns:
        The default of the part, or an empty mapping if it has none.
    """
    default: Any = None
    for part in path:
        field = model.model_fields.get(part) if model is not None else None
        if field is None:
            return {}
        data = data.get(part) if isinstance(data, dict) else None
        default = field.get_default(call_default_factory=True)
        # What the data says decides before the default does.
        model = type(default) if data is None and isinstance(default, BaseModel) else model_of(field.annotation, data)
    if isinstance(default, BaseModel):
        return default.model_dump(mode="json")
    if isinstance(default, dict):
        return {
            key: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
            for key, value in default.items()
        }
    return {}


def _index(items: list[Any], part: str, key: str) -> int:
    if not items:
        raise ScenarioError(f"--set {key}: there is none yet, so none can be changed; give the whole list")
    # isdecimal() refuses negative positions, which Python would count from the end.
    if not part.isdecimal() or int(part) >= len(items):
        raise ScenarioError(f"--set {key}: '{part}' must be a position from 0 to {len(items) - 1}")
    return int(part)
