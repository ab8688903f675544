"""Scenario files: finding, reading, validating and writing them."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from simulator.errors import ScenarioError, nearest
from simulator.files.reading import MOST_SCENARIO_BYTES, read_text
from simulator.scenario.overrides import DISCRIMINATORS, override
from simulator.scenario.problems import sentences
from simulator.scenario.shipped import SHIPPED, shipped_scenarios, shipped_text
from simulator.scenario.yaml_text import parse_yaml, plain

RECORDINGS = (".xml", ".csv", ".parquet", ".xml.gz", ".csv.gz")
"""Endings of recordings, which a person may give in place of a scenario."""

ModelT = TypeVar("ModelT", bound=BaseModel)
"""Class of the scenario. It is a parameter because `Scenario` imports this module."""


def load(model: type[ModelT], scenario: str | Path | ModelT, overrides: Mapping[str, Any]) -> ModelT:
    """Read a scenario, apply overrides and validate the result.

    Args:
        model: class of the scenario.
        scenario: name of a shipped scenario, path of a YAML file, or a scenario.
        overrides: values by dotted key.

    Returns:
        The scenario.

    Raises:
        ScenarioError: no scenario has that name, or a field is wrong. The message names file, line and field.
    """
    found, problems = _validated(model, scenario, overrides)
    # A message is one sentence. `dmsb validate` lists all problems.
    if found is None:
        raise ScenarioError(problems[0] + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""))
    return found


def problems_of(model: type[BaseModel], scenario: str | Path) -> list[str]:
    """List all problems of the fields of a scenario file.

    Args:
        model: class of the scenario.
        scenario: name of a shipped scenario, or path of a YAML file.

    Returns:
        One sentence per problem.

    Raises:
        ScenarioError: no scenario has that name, or the file is not valid YAML.
    """
    return _validated(model, scenario, {})[1]


def dump(scenario: BaseModel, directory: Path, recording: str | None = None) -> str:
    """Return a complete scenario as YAML.

    Args:
        scenario: the scenario.
        directory: folder to which the text will be written. Paths of data files are relative to it.
        recording: name of a file in ``directory`` that replaces the recording of the scenario.
    """
    data = scenario.model_dump(mode="json", exclude_none=True)
    if ".py" in data["market"].get("mechanism", ""):
        # A file that names code would not load again. The file run.json says which mechanism it was.
        del data["market"]["mechanism"]
    if recording is not None:
        data["traffic"]["file"] = str(directory / recording)
    file = data["traffic"].get("file")
    if file is not None and not file.startswith(SHIPPED):
        # A relative path still works after the run folder and the recording have been moved together.
        data["traffic"]["file"] = os.path.relpath(file, directory)
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    # The order of the declarations is easier to read than the order of the alphabet.
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(data, stream)
    return stream.getvalue()


def _validated(
    model: type[ModelT], scenario: str | Path | ModelT, overrides: Mapping[str, Any]
) -> tuple[ModelT | None, list[str]]:
    # A scenario object has no file and so no lines; its messages name fields only.
    if isinstance(scenario, BaseModel):
        source, tree = str(getattr(scenario, "name", "scenario")), CommentedMap(scenario.model_dump(mode="json"))
    else:
        source, tree = _read(scenario)
    data = plain(tree, source)
    if not isinstance(scenario, BaseModel):
        _resolve_file(data, Path(scenario))
        _refuse_code(data, source)
    # The model or kind of a part decides which fields the part has, so it is overridden first.
    for key, value in sorted(overrides.items(), key=lambda item: not item[0].endswith(DISCRIMINATORS)):
        override(model, data, key, plain(value, f"--set {key}"))
    # A path in a file is relative to that file. A path on the command line is relative to the working directory.
    if "traffic.file" in overrides:
        _resolve_file(data, Path("override"))
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, sentences(error, model, data, tree, source, overrides)


def _read(scenario: str | Path) -> tuple[str, CommentedMap]:
    # Python refuses a path with a null character by a ValueError that names no place.
    if not isinstance(scenario, str | Path) or "\0" in str(scenario):
        raise ScenarioError(f"a scenario is a name, a path or a Scenario, not {scenario!r}")
    path, text = Path(scenario), ""
    if str(scenario) in shipped_scenarios():
        source, text = f"{scenario}.yaml", shipped_text(str(scenario))
    elif path.suffix in (".yaml", ".yml") or _is_file(path):
        source = str(scenario)
        if source.lower().endswith(RECORDINGS):
            raise ScenarioError(f"{source}: this looks like a recording; `dmsb new {source}` makes a scenario for it")
        text = _text(path, source)
    else:
        offer = nearest(str(scenario), shipped_scenarios())
        raise ScenarioError(f"there is no scenario '{scenario}', nor a YAML file at that path; {offer}")
    tree = parse_yaml(text, source)
    if not isinstance(tree, CommentedMap):
        raise ScenarioError(f"{source}: a scenario must be a mapping of fields such as 'name: ...'")
    return source, tree


def _refuse_code(data: dict[str, Any], source: str) -> None:
    """Refuse a file that names a mechanism by the path of its code.

    Raises:
        ScenarioError: the file does so.
    """
    # Scenario files are exchanged between people, so loading one must not run code. On the command line a person
    # names the path knowingly.
    market = data.get("market")
    mechanism = market.get("mechanism") if isinstance(market, dict) else None
    if isinstance(mechanism, str) and ".py" in mechanism:
        raise ScenarioError(
            f"{source}: market.mechanism: a file may name an installed mechanism only, not '{mechanism}'; "
            "give a path with --set market.mechanism=FILE.py:Class"
        )


def _text(path: Path, source: str) -> str:
    try:
        return read_text(path, MOST_SCENARIO_BYTES)
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); give a scenario file in YAML"
        raise ScenarioError(f"{source[:200]}: {reason}") from None


def _is_file(path: Path) -> bool:
    try:
        # A name that is too long for the file system raises an error.
        return path.is_file()
    except OSError:
        return False


def _resolve_file(data: dict[str, Any], source: Path) -> None:
    """Name the recording by its path from the root; a relative path starts from the folder of ``source``."""
    traffic = data.get("traffic")
    file = traffic.get("file") if isinstance(traffic, dict) else None
    if isinstance(file, str) and not file.startswith(SHIPPED):
        data["traffic"]["file"] = str(source.resolve().parent / file)
