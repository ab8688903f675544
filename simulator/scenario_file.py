"""Scenario files: finding them, reading YAML safely, overriding fields, and errors that say where."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from simulator.errors import ScenarioError, nearest, shown
from simulator.scenario import Scenario
from simulator.yaml_text import parse_yaml, plain, read_value

DISCRIMINATORS = (".model", ".kind", ".layout")

FieldPath: TypeAlias = list[str | int]
"""Keys and positions that lead to a part of a scenario."""

SHIPPED = "package:"
"""Prefix of a data file that is shipped with the project."""


def shipped_scenarios() -> list[str]:
    """Names of the scenarios that come with the project, sorted."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in resources.files("scenarios").iterdir()
        if entry.name.endswith(".yaml")
    )


def shipped_text(name: str) -> str:
    """The YAML text of a shipped scenario, comments and all."""
    return (resources.files("scenarios") / f"{name}.yaml").read_text(encoding="utf-8")


def data_path(file: str) -> Path:
    """Where a data file named in a scenario lies: `package:NAME` or a path."""
    if file.startswith(SHIPPED):
        return Path(str(resources.files("scenarios") / "data" / file.removeprefix(SHIPPED)))
    return Path(file)


def load_scenario(scenario: str | Path | Scenario, overrides: Mapping[str, Any]) -> Scenario:
    """Read a scenario by shipped name, from a file, or as it is, and apply overrides by dotted key.

    Raises:
        ScenarioError: there is none of that name, or a field is wrong; the message names file, line and field.
    """
    found, problems = _validated(scenario, overrides)
    if found is None:
        raise ScenarioError(problems[0] + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""))
    return found


def scenario_problems(scenario: str | Path) -> list[str]:
    """Everything that is wrong with the fields of a scenario file.

    Raises:
        ScenarioError: there is none of that name, or it is no YAML.
    """
    return _validated(scenario, {})[1]


def _validated(scenario: str | Path | Scenario, overrides: Mapping[str, Any]) -> tuple[Scenario | None, list[str]]:
    if isinstance(scenario, Scenario):
        source, tree = scenario.name, CommentedMap(scenario.model_dump(mode="json"))
    else:
        source, tree = _read(scenario)
    data = plain(tree, source)
    if not isinstance(scenario, Scenario):
        _resolve_file(data, _base_directory(scenario))
        _refuse_code(data, source)
    # A part's `model` or `kind` decides which fields it has, so it goes first.
    for key, value in sorted(overrides.items(), key=lambda item: not item[0].endswith(DISCRIMINATORS)):
        _override(data, key, plain(value, f"--set {key}"))
    if "traffic.file" in overrides:
        _resolve_file(data, Path.cwd())
    try:
        return Scenario.model_validate(data), []
    except ValidationError as error:
        found = [problem for detail in error.errors(include_url=False) for problem in _problems(detail, data)]
        found.sort(key=lambda problem: problem[1] is None)  # a misspelt field comes before what is missing for it
        lines = [_place(path, unknown, tree, source, overrides) + message for path, unknown, message in found]
        return None, list(dict.fromkeys(lines))


def parse_assignment(text: str) -> tuple[str, Any]:
    """Split ``key=value`` of the command line; the value is read as YAML.

    Raises:
        ScenarioError: there is no ``=``, or the value is no YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ScenarioError(f"--set {text}: must be key=value, such as stations.count=7")
    try:
        return key.strip(), read_value(value, f"--set {key}")
    except ScenarioError:
        raise ScenarioError(f"--set {' '.join(text.split())}: '{value.strip()}' cannot be read as a value") from None


def parse_grid(text: str) -> tuple[str, list[Any]]:
    """Split ``key=v1,v2`` of the command line; the values are read as YAML.

    Raises:
        ScenarioError: there is no ``=``, or the values are no YAML.
    """
    key, equals, values = text.partition("=")
    if not equals or not key.strip() or not values.strip():
        raise ScenarioError(f"--grid {text}: must be key=value,value, such as stations.count=3,5,7")
    try:
        return key.strip(), list(read_value(f"[{values}]", f"--grid {key}"))
    except ScenarioError:
        raise ScenarioError(f"--grid {text}: '{values}' cannot be read as values") from None


def dump_scenario(scenario: Scenario, directory: Path, recording: str | None = None) -> str:
    """The complete scenario as YAML; a data file that is not shipped is named relative to ``directory``.

    Args:
        scenario: the scenario.
        directory: where the text will stand.
        recording: name of a file in ``directory`` that takes the place of the scenario's recording.
    """
    data = scenario.model_dump(mode="json", exclude_none=True)
    if ".py" in data["market"].get("mechanism", ""):
        del data["market"]["mechanism"]  # run.json says which it was; a file names no code
    if recording is not None:
        data["traffic"]["file"] = str(directory / recording)
    file = data["traffic"].get("file")
    if file is not None and not file.startswith(SHIPPED):
        data["traffic"]["file"] = os.path.relpath(file, directory)
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(data, stream)
    return stream.getvalue()


def data_hashes(scenario: Scenario) -> dict[str, str]:
    """SHA-256 of each data file that the scenario names."""
    file = getattr(scenario.traffic, "file", None)
    return {} if file is None else {file: hashlib.sha256(data_path(file).read_bytes()).hexdigest()}


def _read(scenario: str | Path) -> tuple[str, CommentedMap]:
    if not isinstance(scenario, str | Path) or "\0" in str(scenario):
        raise ScenarioError(f"a scenario is a name, a path or a Scenario, not {scenario!r}")
    path, text = Path(scenario), ""
    if str(scenario) in shipped_scenarios():
        source, text = f"{scenario}.yaml", shipped_text(str(scenario))
    elif path.suffix in (".yaml", ".yml") or _is_file(path):
        source = str(scenario)
        text = _text(path, source)
    else:
        offer = nearest(str(scenario), shipped_scenarios())
        raise ScenarioError(f"there is no scenario '{scenario}'; {offer}; or give the path of a YAML file")
    tree = parse_yaml(text, source)
    if not isinstance(tree, CommentedMap):
        raise ScenarioError(f"{source}: a scenario must be a mapping of fields such as 'name: ...'")
    return source, tree


def _refuse_code(data: dict[str, Any], source: str) -> None:
    """A scenario file runs no code, so it names only installed mechanisms; a person may give a path."""
    market = data.get("market")
    mechanism = market.get("mechanism") if isinstance(market, dict) else None
    if isinstance(mechanism, str) and ".py" in mechanism:
        raise ScenarioError(
            f"{source}: market.mechanism: a file may name an installed mechanism only, not '{mechanism}'; "
            "give a path with --set market.mechanism=FILE.py:Class"
        )


def _text(path: Path, source: str) -> str:
    reason = "not a file"
    try:
        if path.is_file() or not path.exists():
            return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = str(error.strerror) if isinstance(error, OSError) else "not UTF-8 text"
    raise ScenarioError(f"{source[:200]}: cannot be read ({reason}); give a scenario file in YAML")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _base_directory(scenario: str | Path) -> Path:
    return Path(scenario).resolve().parent


def _resolve_file(data: dict[str, Any], base: Path) -> None:
    traffic = data.get("traffic")
    file = traffic.get("file") if isinstance(traffic, dict) else None
    if isinstance(file, str) and not file.startswith(SHIPPED):
        data["traffic"]["file"] = str(base / file)


def _override(data: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    here: Any = data
    for depth, part in enumerate(path):
        if isinstance(here, list):
            here = here[_index(here, part, key)]
        else:
            if here.get(part) is None:
                here[part] = _default(path[: depth + 1], data)
            here = here[part]
        if not isinstance(here, dict | list):
            raise ScenarioError(f"--set {key}: '{part}' is a single value and has no field '{last}'")
    if isinstance(here, list):
        here[_index(here, last, key)] = value
    else:
        if key.endswith(DISCRIMINATORS) and here.get(last) != value:
            here.clear()
        here[last] = value


def _default(path: list[str], data: Any) -> Any:
    """What a part of a scenario is where the file does not say it, as plain data."""
    model: Any = Scenario
    default: Any = None
    for part in path:
        field = model.model_fields.get(part) if model is not None else None
        if field is None:
            return {}
        data = data.get(part) if isinstance(data, dict) else None
        default = field.get_default(call_default_factory=True)
        model = type(default) if data is None and isinstance(default, BaseModel) else _model(field.annotation, data)
    if isinstance(default, BaseModel):
        return default.model_dump(mode="json")
    if isinstance(default, dict):
        return {
            key: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
            for key, value in default.items()
        }
    return {}


def _model(annotation: Any, data: Any) -> Any:
    """The model that data of this annotation has: the only one in it, or that of its `kind`, `model` or `layout`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [_model(option, data) for option in get_args(annotation)]
    models = [model for model in found if model is not None]
    if len(models) == 1:
        return models[0]
    for model in models:
        for name in (key.removeprefix(".") for key in DISCRIMINATORS):
            field = model.model_fields.get(name)
            if field is not None and isinstance(data, dict) and data.get(name) in get_args(field.annotation):
                return model
    return None


def _fields_at(path: FieldPath, data: Any) -> Iterable[str]:
    """Names of the fields of the part of a scenario that stands at a path."""
    model: Any = Scenario
    for part in path:
        data = data[part]
        field = model.model_fields.get(part) if model is not None else None
        model = _model(field.annotation, data) if field is not None else model
    return model.model_fields if model is not None else ()


def _index(items: list[Any], part: str, key: str) -> int:
    if not items:
        raise ScenarioError(f"--set {key}: there is none yet, so none can be changed; give the whole list")
    if not part.isdecimal() or int(part) >= len(items):
        raise ScenarioError(f"--set {key}: '{part}' must be a position from 0 to {len(items) - 1}")
    return int(part)


def _problems(detail: ErrorDetails, data: Any) -> Iterator[tuple[FieldPath, str | None, str]]:
    """What pydantic has found: the path of each problem, the unknown field there if it is one, and a sentence."""
    path = _path(detail, data)
    if detail["type"] == "refused":
        for problem in detail["ctx"]["problems"]:
            yield [*path, *problem.path], None, problem.message
    elif detail["type"] == "extra_forbidden":
        *parent, unknown = path
        offer = nearest(str(unknown), _fields_at(parent, data))
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
