"""Finding policies and mechanisms: by the name of an entry point, as ``file.py:Class``, or as objects."""

from __future__ import annotations

import copy
import hashlib
import inspect
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any, cast, get_args, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from simulator.errors import PolicyError, ScenarioError, nearest, shown
from simulator.files.reading import read_bytes
from simulator.market.contracts import (
    INFORMATION,
    Bidder,
    Column,
    Information,
    Mechanism,
    Policy,
)
from simulator.market.declarations import declarations_of
from simulator.market.entry_points import known_bidders, known_mechanisms, known_policies, load
from simulator.market.guard import METHODS, attribute_of, blamed, information_of, policy_label, seats_of
from simulator.providers.fleet import Fleet
from simulator.scenario.scenario import Scenario
from simulator.scenario.yaml_text import read_value


def find_policy(policy: str | Policy) -> Policy:
    """Return the policy that a text names, or a policy object unchanged.

    Args:
        policy: ``NAME[:VALUE]``, ``NAME[:k=v[:k=v]]``, ``path.py:Class[:k=v]``, or an object.

    Raises:
        PolicyError: no policy has this name, its arguments do not fit, or it has no method ``price``.
    """
    if isinstance(policy, str) and policy == NoPolicy.spec:
        return cast("Policy", NoPolicy())
    found = _build(policy, "policy", known_policies()) if isinstance(policy, str) else policy
    if isinstance(found, NoPolicy):
        return cast("Policy", found)
    if isinstance(found, type):
        raise PolicyError(f"policy {found.__name__} is a class; give an instance, {found.__name__}()")
    # Both may be properties of the user's class, so reading them may raise anything.
    with blamed(f"policy {policy_label(policy)}: its attribute information or mechanism", PolicyError):
        information, brought = getattr(found, "information", None), getattr(found, "mechanism", None)
    # The type comes first: `in` compares, and an array compares element by element.
    if information is not None and not (isinstance(information, str) and information in INFORMATION):
        offer = nearest(str(information), INFORMATION)
        raise PolicyError(f"policy {policy_label(policy)} declares information = {shown(information)}; {offer}")
    if brought is None and not any(callable(attribute_of(found, one, "policy")) for one in METHODS.values()):
        raise PolicyError(
            f"policy {policy_label(policy)} has no method price(observation), act(observation, space) or "
            "number(observation, space)"
        )
    return cast("Policy", found)


def find_mechanism(mechanism: str | Mechanism) -> Mechanism:
    """Return the mechanism that a text names, or a mechanism object unchanged.

    Args:
        mechanism: ``NAME[:VALUE]``, ``NAME[:k=v[:k=v]]``, ``path.py:Class[:k=v]``, or an object.

    Raises:
        PolicyError: no mechanism has this name, its arguments do not fit, it has no method ``clear``, or what it
            declares is not what the contract says.
    """
    found = _build(mechanism, "mechanism", known_mechanisms()) if isinstance(mechanism, str) else mechanism
    _check_object(found, "mechanism", "clear(lots)")
    declarations_of(found)
    return cast("Mechanism", found)


def find_bidder(bidder: str | Bidder) -> Bidder:
    """Return the bidder that a text names, or a bidder object unchanged.

    Args:
        bidder: ``NAME[:VALUE]``, ``NAME[:k=v[:k=v]]``, ``path.py:Class[:k=v]``, or an object.

    Raises:
        PolicyError: no bidder has this name, its arguments do not fit, or it has no method ``bid``.
    """
    found = _build(bidder, "bidder", known_bidders()) if isinstance(bidder, str) else bidder
    _check_object(found, "bidder", "bid(view)")
    return cast("Bidder", found)


def _check_object(found: object, what: str, method: str) -> None:
    """Refuse a class in the place of its instance, and an object without its method.

    Raises:
        PolicyError: it is a class, or it has no such method.
    """
    if isinstance(found, type):
        raise PolicyError(f"{what} {found.__name__} is a class; give an instance, {found.__name__}()")
    if not callable(attribute_of(found, method.partition("(")[0], what)):
        raise PolicyError(f"{what} {policy_label(found)} has no method {method}")


def strategies_of(fleet: Fleet, bidders: Mapping[str, str | Bidder] | None = None) -> list[Bidder]:
    """Return who answers for each provider, by id. Providers of one owner with one bidder share one object.

    Args:
        fleet: the providers, with the bidders that the scenario names.
        bidders: bidders by name of the provider, which take the place of the scenario's; ``stations`` is all
            stations that are not named.

    Raises:
        PolicyError: a bidder does not exist or does not fit, or no provider has such a name.
    """
    asked = dict(bidders or {})
    for name in asked:
        if name != "stations" and name not in fleet.names:
            raise PolicyError(f"bidders: no provider is called '{name}'; {nearest(name, [*fleet.names, 'stations'])}")
    shared: dict[tuple[str, str | int], Bidder] = {}
    found = []
    for number, name in enumerate(fleet.names):
        usual = asked.get("stations", fleet.bidders[number]) if number >= fleet.uavs else fleet.bidders[number]
        bidder = asked.get(name, usual)
        key = fleet.owners[number], bidder if isinstance(bidder, str) else id(bidder)
        if key not in shared:
            one = find_bidder(bidder)
            # Owners do not share what they learn: each has its own copy of an object.
            with blamed(f"bidder {policy_label(one)}: a deep copy", PolicyError):
                shared[key] = copy.deepcopy(one)
        found.append(shared[key])
    return found


def mechanism_columns(mechanism: Mechanism) -> tuple[Column, ...]:
    """Return what a mechanism adds to the table `auctions`."""
    return tuple(getattr(mechanism, "columns", ()))


def scalar_state(mechanism: Mechanism) -> tuple[Column, ...]:
    """Return the columns of state, of all seats of a mechanism, that hold one number per decision."""
    return tuple(column for seat in seats_of(mechanism).values() for column in seat.state if not column.per_provider)


class NoPolicy:
    """Nobody: what sits in a mechanism without seats."""

    spec = "none"
    mechanism = None


def default_policy(scenario: Scenario, mechanism: str | Mechanism | None) -> str:
    """Return who decides if nobody is named: ``conditional`` in ``msb``, else whom the mechanism names.

    If it names none, it is ``random``, or nobody if there is no seat.
    """
    asked = scenario.market.mechanism if mechanism is None else mechanism
    if asked is None or asked == "msb":
        return "conditional"
    found = find_mechanism(asked)
    seats = seats_of(found)
    if not seats:
        return NoPolicy.spec
    return getattr(found, "policy", "") or "random"


def _build(spec: str, what: str, known: dict[str, EntryPoint]) -> Any:
    """Make the object that a text names.

    Args:
        spec: the text.
        what: ``policy`` or ``mechanism``, for messages.
        known: installed entry points by name.
    """
    head, _, rest = spec.partition(":")
    named = head
    if head.endswith(".py"):
        class_name, _, rest = rest.partition(":")
        named = f"{head}:{class_name}"
        maker = _class_from_file(Path(head), class_name, what, spec)
    elif head in known:
        maker = load(known[head])
    else:
        offer = _elsewhere(head) or f" (one from a file is path.py:Class); {nearest(head, known)}"
        raise PolicyError(f"there is no {what} '{head}'{offer}")
    arguments = rest.split(":") if rest else []
    parameters, hints = _parameters(maker), _hints(maker)
    values: dict[str, Any] = {}
    for position, argument in enumerate(arguments):
        key, equals, text = argument.partition("=")
        if not equals:
            # Only the first argument may leave its name out, as in constant:1.3.
            if position or not parameters:
                raise PolicyError(f"{what} '{spec}': '{argument}' must be key=value; {_takes(parameters)}")
            key, text = parameters[0], argument
        if key not in parameters:
            raise PolicyError(f"{what} '{spec}': there is no parameter '{key}'; {_takes(parameters)}")
        if key in values:
            raise PolicyError(f"{what} '{spec}': {key} is given twice; give it once")
        values[key] = _value(text, hints.get(key), f"{what} '{spec}': {key}")
    missing = [one for one in _required(maker) if one not in values]
    if missing:
        raise PolicyError(f"{what} '{spec}': {missing[0]} is missing, as in {named}:{missing[0]}=VALUE")
    try:
        found = maker(**values)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a user's constructor raises, sys.exit() included
        raise PolicyError(f"{what} '{spec}': {error or type(error).__name__}") from error
    _name(found, spec)
    return found


def _elsewhere(name: str) -> str:
    """Return a clause that says of what else a name is; empty if it is not known."""
    kinds = {"policy": known_policies(), "mechanism": known_mechanisms(), "bidder": known_bidders()}
    return next((f"; it is the name of a {kind}" for kind, known in kinds.items() if name in known), "")


MOST_CODE_BYTES = 16 << 20
"""Largest file of a policy or mechanism."""

_FILES: dict[tuple[Path, str], ModuleType] = {}
"""Modules of executed files, by path and SHA-256. A file is executed once per process."""

_HASHES: dict[str, str] = {}
"""SHA-256 of each executed file, by the path as the user gave it."""


def _class_from_file(path: Path, class_name: str, what: str, spec: str) -> Any:
    """Return a class from a Python file."""
    if not class_name:
        raise PolicyError(f"{what} '{spec}': name the class, as in {path}:MyPolicy")
    module = _module(path, what, spec)
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        classes = [name for name, value in vars(module).items() if isinstance(value, type)]
        offer = nearest(class_name, classes) if classes else "the file defines no class"
        raise PolicyError(f"{what} '{spec}': {path} has no class '{class_name}'; {offer}")
    return found


def _module(path: Path, what: str, spec: str) -> ModuleType:
    """Return the module of a file. Execute the file unless this content has been executed already."""
    try:
        source = read_bytes(path, MOST_CODE_BYTES)
    except FileNotFoundError:
        raise PolicyError(f"{what} '{spec}': there is no file {path}") from None
    except OSError as error:
        raise PolicyError(f"{what} '{spec}': {path} cannot be read ({error.strerror})") from None
    digest = hashlib.sha256(source).hexdigest()
    module = _FILES.get((path.resolve(), digest))
    if module is None:
        # A private name: it replaces neither an installed module nor another content of the file.
        module = ModuleType(f"dmsb_plugin_{path.stem}_{digest}")
        module.__file__ = str(path)
        # Data classes look up the module of their annotations there.
        sys.modules[module.__name__] = module
        try:
            # The bytes that were hashed are executed: the file may change in between. The future statements of this
            # file are not those of the other.
            exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a user's file raises, sys.exit() included
            raise PolicyError(f"{what} '{spec}': {path} cannot be imported: {type(error).__name__}: {error}") from error
        _FILES[path.resolve(), digest] = module
    _HASHES[str(path)] = digest
    return module


def _parameters(maker: Any) -> list[str]:
    """Return the names of the parameters that can be given as key=value."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [name for name, parameter in inspect.signature(maker).parameters.items() if parameter.kind in kinds]


def _required(maker: Any) -> list[str]:
    """Return the names of the parameters without a default."""
    parameters = inspect.signature(maker).parameters.values()
    return [one.name for one in parameters if one.name in _parameters(maker) and one.default is one.empty]


def _takes(parameters: list[str]) -> str:
    """Return the clause of a message that lists the parameters."""
    return f"it takes {', '.join(parameters)}" if parameters else "it takes no parameter"


def _hints(maker: Any) -> dict[str, Any]:
    """Return the declared types of the parameters of a class or function; none where they cannot be read."""
    # The static look-up runs none of the user's code. The `__init__` of a data class is read in the module of the
    # class. Names of its base's module may be unknown there, so the fields of the class are read too.
    places = (maker, inspect.getattr_static(maker, "__init__")) if isinstance(maker, type) else (maker,)
    found: dict[str, Any] = {}
    for place in places:
        with suppress(Exception):
            found |= get_type_hints(place)
    return found


def _value(text: str, hint: Any, place: str) -> Any:
    """Return an argument of the command line as the declared type of its parameter.

    Args:
        text: the argument. It stays text if the type is ``str``, and is read as YAML otherwise.
        hint: declared type of the parameter; None if there is none.
        place: place for messages.
    """
    if hint is str or str in get_args(hint):
        return text
    try:
        # YAML writes infinity as .inf and reads inf as text.
        value = float(text) if text in ("inf", "nan") else read_value(text, place)
    except ScenarioError:
        raise PolicyError(f"{place}: '{text}' cannot be read as a value") from None
    try:
        return TypeAdapter(hint, config=ConfigDict(strict=True)).validate_python(value) if hint else value
    except ValidationError as error:
        wanted = error.errors(include_url=False)[0]["msg"].replace("Input should", "must")
        raise PolicyError(f"{place} {wanted}, not {shown(value)}") from None
    except Exception:
        return value  # pydantic cannot check this type, as for a class of the user's own


def code_hashes(*found: object) -> dict[str, str]:
    """Return the SHA-256 of each file from which a policy or mechanism was loaded, by path.

    Args:
        found: policies and mechanisms. Those that are not from a file are left out.
    """
    files = (str(Path(str(getattr(one, "spec", "")).partition(":")[0])) for one in found)
    return {file: _HASHES[file] for file in files if file in _HASHES}


def mechanism_for(policy: Policy, scenario: Scenario, mechanism: str | Mechanism | None) -> str | Mechanism:
    """Return the mechanism of a run: the requested one, else that of the policy, else ``msb``.

    Args:
        policy: policy of the run.
        scenario: scenario of the run, whose ``market.mechanism`` counts as a request.
        mechanism: requested mechanism; None to take that of the scenario.

    Raises:
        PolicyError: a mechanism is requested although the policy brings another.
    """
    asked = scenario.market.mechanism if mechanism is None else mechanism
    declared = getattr(policy, "mechanism", None)
    if declared is not None and asked is not None and asked != declared:
        raise PolicyError(
            f"mechanism {policy_label(asked)}: policy {policy_label(policy)} brings its own mechanism, "
            f"{policy_label(declared)}; leave the other out"
        )
    return asked if asked is not None else declared if declared is not None else "msb"


def information_for(policy: Policy, scenario: Scenario) -> Information:
    """Return what a policy may see in a run: what it declares, else what the scenario says, else ``public``.

    Args:
        policy: policy of the run.
        scenario: scenario of the run.

    Raises:
        PolicyError: the scenario says something else than the policy declares.
    """
    own, given = information_of(policy), scenario.market.information
    if own is not None and given is not None and own != given:
        raise PolicyError(
            f"market.information = {given}: policy {policy_label(policy)} declares that it needs '{own}'; "
            "leave market.information out"
        )
    return own or given or "public"


def _name(found: Any, spec: str) -> None:
    """Store the text that named an object on the object, for messages, tables and journals.

    Raises:
        PolicyError: the class of the object has no place for it.
    """
    try:
        object.__setattr__(found, "spec", spec)  # a frozen data class has a place too
    except (AttributeError, TypeError):
        # Without the text, two parameters or two versions of a class would be one policy in a table and a journal.
        raise PolicyError(
            f"'{spec}': class {type(found).__name__} must let its attribute 'spec' be set, which keeps this name; "
            "a class with __slots__ lists 'spec' there"
        ) from None
