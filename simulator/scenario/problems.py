"""Sentences about the problems of a scenario: the place, the value, and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from simulator.errors import nearest, shown
from simulator.scenario.overrides import DISCRIMINATORS, model_of

FieldPath: TypeAlias = list[str | int]
"""Keys and positions that lead to a part of a scenario."""


def sentences(
    error: ValidationError,
    model: type[BaseModel],
    data: Any,
    tree: CommentedMap,
    source: str,
    overrides: Mapping[str, Any],
) -> list[str]:
    """Write one sentence per problem that pydantic has found.

    Args:
        error: the error of pydantic.
        model: class of the scenario.
        data: plain data of the scenario, with the overrides.
        tree: data of the file, with line numbers.
        source: name of the file.
        overrides: overrides by dotted key.

    Returns:
        The sentences, most important first.
    """
    found = [problem for detail in error.errors(include_url=False) for problem in _problems(detail, data, model)]
    # A misspelt field comes first, because another field may be missing for that reason only.
    found.sort(key=lambda problem: problem[1] is None)
    lines = [_place(path, unknown, tree, source, overrides) + message for path, unknown, message in found]
    # A single number in place of a span is checked as low and as high, which gives the same sentence twice.
    return list(dict.fromkeys(lines))


def _fields_at(model: Any, path: FieldPath, data: Any) -> Iterable[str]:
    """Return the names of the fields that the part of a scenario at a path may have."""
    for part in path:
        data = data[part]
        field = model.model_fields.get(part) if model is not None else None
        model = model_of(field.annotation, data) if field is not None else model
    return model.model_fields if model is not None else ()


def _problems(detail: ErrorDetails, data: Any, model: type[BaseModel]) -> Iterator[tuple[FieldPath, str | None, str]]:
    """Yield the problems in one error of pydantic.

    Yields:
        The path of the problem, the name of the unknown field there or None, and what is wrong.
    """
    # "refused" is the type of the errors from `fields.refuse`, which hold several problems.
    path = _path(detail, data)
    if detail["type"] == "refused":
        for problem in detail["ctx"]["problems"]:
            yield [*path, *problem.path], None, problem.message
    elif detail["type"] == "extra_forbidden":
        *parent, unknown = path
        offer = nearest(str(unknown), _fields_at(model, parent, data))
        yield parent, str(unknown), f"has no field '{unknown}'; {offer}"
    else:
        yield path, None, _sentence(detail, data, path)


def _place(path: FieldPath, unknown: str | None, tree: CommentedMap, source: str, overrides: Mapping[str, Any]) -> str:
    """Return the place of a problem: the override or the line of the file, and the field."""
    field = ".".join(str(part) for part in path)
    culprit = field if unknown is None else f"{field}.{unknown}".lstrip(".")
    # The override may lie above the problem (a part was replaced) or below it (a part became incomplete).
    given = next(
        (key for key in overrides if f"{culprit}.".startswith(f"{key}.") or key.startswith(f"{culprit}.")), None
    )
    line = _line(tree, path if unknown is None else [*path, unknown])
    place = f"--set {given}" if given is not None else source + line
    return f"{place}: " if given == field or not field else f"{place}: {field}: "


def _path(detail: ErrorDetails, data: Any) -> FieldPath:
    """Return the location of an error as a person wrote it, without the tags that pydantic adds for unions."""
    path: FieldPath = []
    here = data
    tags = _tags(here)
    for part in detail["loc"]:
        if part in tags:
            # A tag is removed only once: `layout: edges` has a field `edges`.
            tags.remove(part)
            continue
        if _holds(here, part):
            here = here[part]
            tags = _tags(here)
        # A missing field is not in the data, but a person needs its name.
        elif detail["type"] != "missing" or part != detail["loc"][-1]:
            continue
        path.append(part)
    return path


def _tags(node: Any) -> list[Any]:
    """Return the values in a part of a scenario by which a model may have been chosen."""
    names = [key.removeprefix(".") for key in DISCRIMINATORS]
    return [node[name] for name in names if isinstance(node.get(name), str)] if isinstance(node, dict) else []


def _holds(node: Any, part: str | int) -> bool:
    """Return whether a part of a scenario has a key or position."""
    if isinstance(node, list):
        return isinstance(part, int) and part < len(node)
    return isinstance(node, dict) and part in node


def _sentence(detail: ErrorDetails, data: Any, path: list[str | int]) -> str:
    """Return what is wrong, in the words of pydantic adapted to a scenario file."""
    if detail["type"] == "missing":
        return "is missing"
    message = detail["msg"]
    context = detail.get("ctx", {})
    if detail["type"] == "union_tag_invalid":
        return f"{context['discriminator']} must be one of {context['expected_tags']}, not '{context['tag']}'"
    if detail["type"] == "union_tag_not_found":
        return f"needs a field {context['discriminator']}"
    message = message.replace("Input should", "must").partition(", unable to parse")[0]
    value = data
    for part in path:
        value = value[part]
    return f"{message}, not {shown(value)}"


def _line(tree: Any, path: list[str | int]) -> str:
    """Return ``:LINE`` of the last part of a path that the file contains, or an empty text."""
    line = ""
    for part in path:
        marks = tree.lc.data if isinstance(tree, CommentedMap | CommentedSeq) else None
        if not marks or part not in marks:
            break
        line = f":{marks[part][0] + 1}"
        tree = tree[part]
    return line
