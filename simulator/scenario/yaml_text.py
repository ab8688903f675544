"""Safe reading of YAML: with line numbers, and without anything that could run code or use unlimited memory."""

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
"""Deepest nesting that is read. A scenario needs six levels."""

MOST_TOKENS = 500_000
"""Words and marks of a scenario file. They take 15 s; 30,000 placed stations have so many."""

_OPENING = (BlockMappingStartToken, BlockSequenceStartToken, FlowMappingStartToken, FlowSequenceStartToken)
_CLOSING = (BlockEndToken, FlowMappingEndToken, FlowSequenceEndToken)


def parse_yaml(text: str, source: str) -> Any:
    """Read YAML as a tree with line numbers.

    Args:
        text: the text.
        source: name of the text in messages.

    Returns:
        The tree of the library ruamel.yaml.

    Raises:
        ScenarioError: the text is not valid YAML, or it has anchors, aliases or deep nesting. The message names the
            line.
    """
    try:
        _refuse_tricks(text, source)
        return YAML(typ="rt", pure=True).load(text)
    except ScenarioError:
        raise
    except MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        line = f":{place.line + 1}" if place is not None else ""
        raise ScenarioError(f"{source}{line}: this is not valid YAML: {error.problem or error.context or ''}") from None
    except Exception as error:
        # Some texts match the library's patterns of numbers and dates, but Python cannot convert them.
        problem = str(error).partition("\n")[0]
        raise ScenarioError(f"{source}: this YAML cannot be read as a scenario: {problem}") from None


def read_value(text: str, source: str) -> Any:
    """Read one value in YAML as plain Python.

    Args:
        text: the text.
        source: name of the text in messages.

    Raises:
        ScenarioError: the text is not a value in YAML.
    """
    return plain(parse_yaml(text, source), source)


def plain(node: Any, source: str) -> Any:
    """Return a tree of YAML as plain Python.

    Args:
        node: the tree.
        source: name of the text in messages.

    Raises:
        ScenarioError: the tree has a tag, or a text that cannot be written to a file.
    """
    # A tag such as !!python/object asks the reader to create an object, and so to run code.
    tag = getattr(node, "tag", None)
    if isinstance(node, TaggedScalar) or (
        isinstance(node, CommentedMap | CommentedSeq) and tag is not None and tag.value is not None
    ):
        raise ScenarioError(
            f"{source}: the tag '{tag.value if tag else '!'}' is not allowed in a scenario; leave it out"
        )
    if isinstance(node, Mapping):
        return {str(plain(key, source)): plain(value, source) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [plain(value, source) for value in node]
    # UTF-8 has no code for a surrogate, which is one half of a pair that stands for a character.
    if isinstance(node, str) and any("\ud800" <= mark <= "\udfff" for mark in node):
        raise ScenarioError(f"{source}: {node[:50]!r} holds half a character; leave it out")
    # The library's own classes of numbers and texts carry formats and comments. bool comes before its base int.
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _refuse_tricks(text: str, source: str) -> None:
    """Refuse anchors, aliases and deep nesting before the tree is built."""
    # Aliases of aliases can make a huge tree of a small file. Deep nesting can exhaust the stack of Python.
    depth = 0
    for count, token in enumerate(YAML(typ="rt", pure=True).scan(text)):
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        line = token.start_mark.line + 1
        if depth > DEEPEST:
            raise ScenarioError(f"{source}:{line}: nested more than {DEEPEST} levels deep; a scenario needs six")
        if count > MOST_TOKENS:
            raise ScenarioError(f"{source}:{line}: has more than {MOST_TOKENS:,} words and marks up to here")
        if isinstance(token, AliasToken | AnchorToken):
            raise ScenarioError(
                f"{source}:{line}: anchors and aliases are not allowed in a scenario; write the value at each place"
            )
