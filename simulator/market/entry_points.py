"""Installed policies, mechanisms and bidders, by entry point."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

POLICY_GROUP = "dmsb.policies"
MECHANISM_GROUP = "dmsb.mechanisms"
BIDDER_GROUP = "dmsb.bidders"

DISTRIBUTION, PUBLIC, PRIVATE = "dmsb", "policies", "_dmsb_policies"
"""This distribution, its package of policies, and the name under which entry points load that package.

A user's own folder ``policies`` would hide a package of that name. Under the private name it is found by its place.
"""

FOLDER = Path(__file__).parents[2] / PUBLIC


class _PoliciesFinder(MetaPathFinder):
    """Finder of the package of policies under its private name. The modules in it use relative imports."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the package is; None for every other module."""
        if fullname != PRIVATE:
            return None
        return spec_from_file_location(PRIVATE, FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)])


# A finder, and not an entry in `sys.modules`: worker processes unpickle policies by the name of their module.
sys.meta_path.append(_PoliciesFinder())


# Reading the metadata of all installed packages takes about 10 milliseconds, so it is done once per process.
@cache
def _installed(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of a group, by name."""
    return {entry.name: entry for entry in sorted(entry_points(group=group))}


def known_policies() -> dict[str, EntryPoint]:
    """Return the entry points of the installed policies, by name."""
    return _installed(POLICY_GROUP)


def known_mechanisms() -> dict[str, EntryPoint]:
    """Return the entry points of the installed mechanisms, by name."""
    return _installed(MECHANISM_GROUP)


def known_bidders() -> dict[str, EntryPoint]:
    """Return the entry points of the installed bidders, by name."""
    return _installed(BIDDER_GROUP)


def load(entry: EntryPoint) -> Any:
    """Return what an entry point names. Policies of this distribution come from its own folder.

    Args:
        entry: the entry point.
    """
    package, _, module = entry.module.partition(".")
    if package != PUBLIC or entry.dist is None or entry.dist.name != DISTRIBUTION:
        return entry.load()
    return getattr(import_module(f"{PRIVATE}.{module}"), entry.attr)
