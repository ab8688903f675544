"""Policies and mechanisms by name: entry points, ``file.py:Class``, or objects."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast, get_args, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from simulator.errors import PolicyError, ScenarioError, nearest, shown
from simulator.market.contracts import INFORMATION, Mechanism, PricingPolicy
from simulator.market.guard import blamed, policy_label
from simulator.scenario.yaml_text import read_value

POLICY_GROUP = "dmsb.policies"
MECHANISM_GROUP = "dmsb.mechanisms"


def known_policies() -> dict[str, EntryPoint]:
    """The policies that are installed, by name."""
    return {entry.name: entry for entry in sorted(entry_points(group=POLICY_GROUP))}


def known_mechanisms() -> dict[str, EntryPoint]:
    """The mechanisms that are installed, by name."""
    return {entry.name: entry for entry in sorted(entry_points(group=MECHANISM_GROUP))}


def find_policy(policy: str | PricingPolicy) -> PricingPolicy:
    """A policy from ``NAME[:VALUE]``, ``NAME[:k=v[:k=v]]`` or ``path.py:Class[:k=v]``; an object is returned as it is.

    Raises:
        PolicyError: there is none of that name, its arguments do not fit, or it has no ``price``.
    """
    found = _build(policy, "policy", known_policies()) if isinstance(policy, str) else policy
    if isinstance(found, type):
        raise PolicyError(f"policy {found.__name__} is a class; give an instance, {found.__name__}()")
    if not callable(getattr(found, "price", None)):
        raise PolicyError(f"policy {policy_label(policy)} has no method price(observation)")
    with blamed(f"policy {policy_label(policy)}: its attribute information or mechanism", PolicyError):
        information, _ = getattr(found, "information", None), getattr(found, "mechanism", None)
    if information is not None and not (isinstance(information, str) and information in INFORMATION):
        offer = nearest(str(information), INFORMATION)
        raise PolicyError(f"policy {policy_label(policy)} declares information = {shown(information)}; {offer}")
    return cast("PricingPolicy", found)


def find_mechanism(mechanism: str | Mechanism) -> Mechanism:
    """A mechanism, found as a policy is.

    Raises:
        PolicyError: there is none of that name, its arguments do not fit, or it has no ``settle``.
    """
    found = _build(mechanism, "mechanism", known_mechanisms()) if isinstance(mechanism, str) else mechanism
    if isinstance(found, type) or not callable(getattr(found, "settle", None)):
        raise PolicyError(f"mechanism {policy_label(mechanism)} has no method settle(bids, uav_bid, rho)")
    return cast("Mechanism", found)


def _build(spec: str, what: str, known: dict[str, EntryPoint]) -> Any:
    head, _, rest = spec.partition(":")
    if head.endswith(".py"):
        class_name, _, rest = rest.partition(":")
        maker = _class_from_file(Path(head), class_name, what, spec)
    elif head in known:
        maker = known[head].load()
    else:
        raise PolicyError(f"there is no {what} '{head}'; {nearest(head, known)}; or give path.py:Class")
    arguments = rest.split(":") if rest else []
    parameters, hints = _parameters(maker), _hints(maker)
    values: dict[str, Any] = {}
    for position, argument in enumerate(arguments):
        key, equals, text = argument.partition("=")
        if not equals:
            if position or not parameters:
                raise PolicyError(f"{what} '{spec}': '{argument}' must be key=value; {_takes(parameters)}")
            key, text = parameters[0], argument
        if key not in parameters:
            raise PolicyError(f"{what} '{spec}': there is no parameter '{key}'; {_takes(parameters)}")
        values[key] = _value(text, hints.get(key), f"{what} '{spec}': {key}")
    try:
        found = maker(**values)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PolicyError(f"{what} '{spec}': {error or type(error).__name__}") from error
    _name(found, spec)
    return found


def _class_from_file(path: Path, class_name: str, what: str, spec: str) -> Any:
    if not path.is_file():
        raise PolicyError(f"{what} '{spec}': there is no file {path}")
    if not class_name:
        raise PolicyError(f"{what} '{spec}': name the class, as in {path}:MyPolicy")
    module_spec = importlib.util.spec_from_file_location(path.stem, path)
    if module_spec is None or module_spec.loader is None:
        raise PolicyError(f"{what} '{spec}': {path} is no Python file")
    module = importlib.util.module_from_spec(module_spec)
    try:
        module_spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PolicyError(f"{what} '{spec}': {path} does not import: {type(error).__name__}: {error}") from error
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        classes = [name for name, value in vars(module).items() if isinstance(value, type)]
        offer = nearest(class_name, classes) if classes else "the file defines no class"
        raise PolicyError(f"{what} '{spec}': {path} has no class '{class_name}'; {offer}")
    return found


def _parameters(maker: Any) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [name for name, parameter in inspect.signature(maker).parameters.items() if parameter.kind in kinds]


def _takes(parameters: list[str]) -> str:
    return f"it takes {', '.join(parameters)}" if parameters else "it takes no parameter"


def _hints(maker: Any) -> dict[str, Any]:
    """What a maker's parameters are declared to be; nothing where the declarations cannot be read."""
    try:
        return get_type_hints(inspect.getattr_static(maker, "__init__") if isinstance(maker, type) else maker)
    except Exception:
        return {}


def _value(text: str, hint: Any, place: str) -> Any:
    """An argument of the command line as what the parameter is declared to be: text as it stands, all else as YAML."""
    if hint is str or str in get_args(hint):
        return text
    try:
        value = float(text) if text in ("inf", "nan") else read_value(text, place)
    except ScenarioError:
        raise PolicyError(f"{place}: '{text}' cannot be read as a value") from None
    try:
        return TypeAdapter(hint, config=ConfigDict(strict=True)).validate_python(value) if hint else value
    except ValidationError as error:
        wanted = error.errors(include_url=False)[0]["msg"].replace("Input should", "must")
        raise PolicyError(f"{place} {wanted}, not {shown(value)}") from None
    except Exception:
        return value  # declared to be something that no text is


def code_hashes(*found: object) -> dict[str, str]:
    """SHA-256 of each file that a policy or mechanism was loaded from by path."""
    files = (str(getattr(one, "spec", "")).partition(":")[0] for one in found)
    return {file: hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files if file.endswith(".py")}


def _name(found: Any, spec: str) -> None:
    """Remember what the object was found by, where it can hold it: messages and tables then say it."""
    try:
        found.spec = spec
    except AttributeError:
        return
