"""dmsb under its own name: ``import dmsb`` and ``python -m dmsb``.

This module has all public names of `simulator`. Each is imported when it is first used. Importing it registers the
Gymnasium environments ``dmsb/Intersection-v0``, ``dmsb/Paper-v0`` and ``dmsb/Seat-v0``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import simulator

if TYPE_CHECKING:
    from simulator import *  # noqa: F403

__all__ = simulator.__all__


def __getattr__(name: str) -> Any:
    return getattr(simulator, name)


def __dir__() -> list[str]:
    return simulator.__all__


if __name__ == "__main__":
    from simulator.cli.app import main

    main()
else:
    # By name: the environment and what it needs are imported when one is made.
    import gymnasium

    from simulator.scenario.shipped import ENTRY_POINTS

    for _name, (_entry_point, _arguments) in ENTRY_POINTS.items():
        if _name not in gymnasium.registry:
            gymnasium.register(_name, entry_point=_entry_point, kwargs=_arguments)
