"""Scenario files: finding them, reading YAML safely, overriding fields, and errors that say where."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.tokens import AliasToken, AnchorToken

from simulator.errors import ScenarioError, nearest
from simulator.scenario import Scenario

WHOLE_SENTENCES = (
    "unknown_field", "unknown_provider", "unknown_node", "no_length", "no_stations", "no_places", "placement",
    "duplicate_name", "no_kinds", "no_green", "no_yellow", "profile", "no_outages",
    "unknown_outage", "window", "twice",
)  # fmt: skip
"""Kinds of error whose message says all there is to say; others get the value that was given."""

DISCRIMINATORS = (".model", ".kind", ".layout")

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
    data = _plain(tree, source)
    if not isinstance(scenario, Scenario):
        _resolve_file(data, _base_directory(scenario))
        _refuse_code(data, source)
    # A part's `model` or `kind` decides which fields it has, so it goes first.
    for key, value in sorted(overrides.items(), key=lambda item: not item[0].endswith(DISCRIMINATORS)):
        _override(data, key, value)
    if "traffic.file" in overrides:
        _resolve_file(data, Path.cwd())
    try:
        return Scenario.model_validate(data), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        return None, list(dict.fromkeys(_describe(detail, data, tree, source, overrides) for detail in details))


def parse_assignment(text: str) -> tuple[str, Any]:
    """Split ``key=value`` of the command line; the value is read as YAML.

    Raises:
        ScenarioError: there is no ``=``, or the value is no YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ScenarioError(f"--set {text}: must be key=value, such as stations.count=7")
    try:
        return key.strip(), _plain(_parse(value, f"--set {key}"), f"--set {key}")
    except ScenarioError:
        raise ScenarioError(f"--set {' '.join(text.split())}: '{value.strip()}' cannot be read as a value") from None


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
    tree = _parse(text, source)
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


def _parse(text: str, source: str) -> Any:
    """YAML as a tree with line numbers; anchors, which can make a small file endless, are refused."""
    try:
        for token in YAML(typ="rt", pure=True).scan(text):
            if isinstance(token, AliasToken | AnchorToken):
                mark = token.start_mark
                raise ScenarioError(f"{source}:{mark.line + 1}: anchors and aliases have no place in a scenario")
        return YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        line = f":{place.line + 1}" if place is not None else ""
        problem = " ".join(str(error.problem or error.context or "").split())
        raise ScenarioError(f"{source}{line}: this is no YAML: {problem}") from None
    except (YAMLError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        problem = "nested too deeply" if isinstance(error, RecursionError) else str(error).partition("\n")[0]
        raise ScenarioError(f"{source}: this is no YAML that a scenario may have: {problem}") from None


def _base_directory(scenario: str | Path) -> Path:
    return Path(scenario).resolve().parent


def _resolve_file(data: dict[str, Any], base: Path) -> None:
    traffic = data.get("traffic")
    file = traffic.get("file") if isinstance(traffic, dict) else None
    if isinstance(file, str) and not file.startswith(SHIPPED):
        data["traffic"]["file"] = str(base / file)


def _plain(node: Any, source: str) -> Any:
    """The YAML tree as plain Python; a tag, which could ask for an object, is refused."""
    tag = getattr(node, "tag", None)
    if isinstance(node, TaggedScalar) or (
        isinstance(node, CommentedMap | CommentedSeq) and tag is not None and tag.value is not None
    ):
        raise ScenarioError(f"{source}: the tag '{tag.value if tag else '!'}' has no place in a scenario; leave it out")
    if isinstance(node, Mapping):
        return {str(key): _plain(value, source) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(value, source) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


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
    """The model that data of this annotation has: the only one, or that of its `kind`, `model` or `layout`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for option in get_args(annotation):
        for name in (key.removeprefix(".") for key in DISCRIMINATORS):
            field = getattr(option, "model_fields", {}).get(name)
            if field is not None and isinstance(data, dict) and data.get(name) in get_args(field.annotation):
                return option
    return None


def _index(items: list[Any], part: str, key: str) -> int:
    if not part.isdecimal() or int(part) >= len(items):
        raise ScenarioError(f"--set {key}: '{part}' must be a position from 0 to {len(items) - 1}")
    return int(part)


def _describe(detail: ErrorDetails, data: Any, tree: CommentedMap, source: str, overrides: Mapping[str, Any]) -> str:
    path = _path(detail, data)
    context = detail.get("ctx", {})
    if detail["type"] == "unknown_provider":
        path = [context["part"], "bidding", context["name"]]
    field = ".".join(str(part) for part in path)
    unknown = context.get("field") if detail["type"] == "unknown_field" else None
    culprit = field if unknown is None else f"{field}.{unknown}".lstrip(".")
    given = next(
        (key for key in overrides if f"{culprit}.".startswith(f"{key}.") or key.startswith(f"{culprit}.")), None
    )
    line = _line(tree, path if unknown is None else [*path, unknown])
    place = f"--set {given}" if given is not None else source + line
    message = _sentence(detail, data, path)
    return f"{place}: {message}" if given == field or not field else f"{place}: {field}: {message}"


def _path(detail: ErrorDetails, data: Any) -> list[str | int]:
    """The location of an error as a person wrote it: without the tags that pydantic adds for unions."""
    path: list[str | int] = []
    here = data
    for part in detail["loc"]:
        if _holds(here, part):
            here = here[part]
        elif detail["type"] != "missing" or part != detail["loc"][-1]:
            continue
        path.append(part)
    return path


def _holds(node: Any, part: str | int) -> bool:
    if isinstance(node, list):
        return isinstance(part, int) and part < len(node)
    return isinstance(node, dict) and part in node


def _sentence(detail: ErrorDetails, data: Any, path: list[str | int]) -> str:
    if detail["type"] == "missing":
        return "is missing"
    message = detail["msg"]
    if detail["type"] in WHOLE_SENTENCES:
        return message
    context = detail.get("ctx", {})
    if detail["type"] == "union_tag_invalid":
        return f"{context['discriminator']} must be one of {context['expected_tags']}, not '{context['tag']}'"
    if detail["type"] == "union_tag_not_found":
        return f"needs a field {context['discriminator']}"
    message = message.replace("Input should", "must").partition(", unable to parse")[0]
    value = data
    for part in path:
        value = value[part]
    return f"{message}, not {value!r}"


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
