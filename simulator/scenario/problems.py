"""What is wrong with a scenario, in sentences: the place, the value, and what would be right."""

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
    """Say every problem that pydantic has found in one sentence each.

    Args:
        error: what pydantic raised.
        model: the model that the data was held to.
        data: the data as plain Python, overrides included.
        tree: the data of the file with its line numbers.
        source: name of the file.
        overrides: what was changed, by dotted key.
    """
    found = [problem for detail in error.errors(include_url=False) for problem in _problems(detail, data, model)]
    # A misspelt field comes before what is missing because of it.
    found.sort(key=lambda problem: problem[1] is None)
    lines = [_place(path, unknown, tree, source, overrides) + message for path, unknown, message in found]
    return list(dict.fromkeys(lines))


def _fields_at(model: Any, path: FieldPath, data: Any) -> Iterable[str]:
    """Names of the fields of the part of a scenario that stands at a path."""
    for part in path:
        data = data[part]
        field = model.model_fields.get(part) if model is not None else None
        model = model_of(field.annotation, data) if field is not None else model
    return model.model_fields if model is not None else ()


def _problems(detail: ErrorDetails, data: Any, model: type[BaseModel]) -> Iterator[tuple[FieldPath, str | None, str]]:
    """What pydantic has found: the path of each problem, the unknown field there if it is one, and a sentence."""
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
    """Where a problem is: the override that brought it, or the file's line, and the field."""
    field = ".".join(str(part) for part in path)
    culprit = field if unknown is None else f"{field}.{unknown}".lstrip(".")
    given = next(
        (key for key in overrides if f"{culprit}.".startswith(f"{key}.") or key.startswith(f"{culprit}.")), None
    )
    line = _line(tree, path if unknown is None else [*path, unknown])
    place = f"--set {given}" if given is not None else source + line
    return f"{place}: " if given == field or not field else f"{place}: {field}: "


def _path(detail: ErrorDetails, data: Any) -> FieldPath:
    """The location of an error as a person wrote it: without the tags that pydantic adds for unions."""
    path: FieldPath = []
    here = data
    tags = _tags(here)
    for part in detail["loc"]:
        if part in tags:
            tags.remove(part)  # which of several models it is, said once
            continue
        if _holds(here, part):
            here = here[part]
            tags = _tags(here)
        elif detail["type"] != "missing" or part != detail["loc"][-1]:
            continue
        path.append(part)
    return path


def _tags(node: Any) -> list[Any]:
    names = [key.removeprefix(".") for key in DISCRIMINATORS]
    return [node[name] for name in names if isinstance(node.get(name), str)] if isinstance(node, dict) else []


def _holds(node: Any, part: str | int) -> bool:
    if isinstance(node, list):
        return isinstance(part, int) and part < len(node)
    return isinstance(node, dict) and part in node


def _sentence(detail: ErrorDetails, data: Any, path: list[str | int]) -> str:
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
    """``:LINE`` of the last part of the path that stands in the file."""
    line = ""
    for part in path:
        marks = tree.lc.data if isinstance(tree, CommentedMap | CommentedSeq) else None
        if not marks or part not in marks:
            break
        line = f":{marks[part][0] + 1}"
        tree = tree[part]
    return line
