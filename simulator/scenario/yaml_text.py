"""YAML that people write: read safely, with line numbers, and nothing in it that could run, repeat or never end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.tokens import (
    AliasToken,
    AnchorToken,
    BlockEndToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
)

from simulator.errors import ScenarioError

DEEPEST = 30
"""Levels of nesting; a scenario needs six."""

_OPENING = (BlockMappingStartToken, BlockSequenceStartToken, FlowMappingStartToken, FlowSequenceStartToken)
_CLOSING = (BlockEndToken, FlowMappingEndToken, FlowSequenceEndToken)


def parse_yaml(text: str, source: str) -> Any:
    """YAML as a tree with line numbers; anchors, which can make a small file endless, and deep nesting are refused.

    Raises:
        ScenarioError: it is no YAML, or none that a scenario may have; the message names the line.
    """
    try:
        _refuse_tricks(text, source)
        return YAML(typ="rt", pure=True).load(text)
    except ScenarioError:
        raise
    except MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        line = f":{place.line + 1}" if place is not None else ""
        raise ScenarioError(f"{source}{line}: this is no YAML: {error.problem or error.context or ''}") from None
    except Exception as error:  # the library lets pass what its number and date patterns match but Python refuses
        problem = str(error).partition("\n")[0]
        raise ScenarioError(f"{source}: this is no YAML that a scenario may have: {problem}") from None


def read_value(text: str, source: str) -> Any:
    """One value in YAML as plain Python.

    Raises:
        ScenarioError: it is none.
    """
    return plain(parse_yaml(text, source), source)


def plain(node: Any, source: str) -> Any:
    """The tree as plain Python.

    Raises:
        ScenarioError: there is a tag, which could ask for an object, or text that no file can hold.
    """
    tag = getattr(node, "tag", None)
    if isinstance(node, TaggedScalar) or (
        isinstance(node, CommentedMap | CommentedSeq) and tag is not None and tag.value is not None
    ):
        raise ScenarioError(f"{source}: the tag '{tag.value if tag else '!'}' has no place in a scenario; leave it out")
    if isinstance(node, Mapping):
        return {str(plain(key, source)): plain(value, source) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [plain(value, source) for value in node]
    if isinstance(node, str) and any("\ud800" <= mark <= "\udfff" for mark in node):
        raise ScenarioError(f"{source}: {node[:50]!r} holds half a character; leave it out")
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _refuse_tricks(text: str, source: str) -> None:
    depth = 0
    for token in YAML(typ="rt", pure=True).scan(text):
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        line = token.start_mark.line + 1
        if depth > DEEPEST:
            raise ScenarioError(f"{source}:{line}: nested more than {DEEPEST} levels deep; a scenario needs six")
        if isinstance(token, AliasToken | AnchorToken):
            raise ScenarioError(f"{source}:{line}: anchors and aliases have no place in a scenario")
