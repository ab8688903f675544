"""Gymnasium environments over the simulation: the prices of `msb`, and the seats of other mechanisms.

After ``import dmsb`` the ids ``dmsb/Intersection-v0``, ``dmsb/Paper-v0`` and ``dmsb/Seat-v0`` are known to Gymnasium.
Without it, ``gymnasium.make("simulator.environment:dmsb/Intersection-v0")`` imports this package, which registers them.
"""

from __future__ import annotations

import gymnasium

from simulator.environment.intersection import REWARDS as REWARDS, Intersection as Intersection
from simulator.environment.seat import SeatEnvironment as SeatEnvironment, seat_of as seat_of
from simulator.scenario.shipped import ENTRY_POINTS


def register() -> None:
    """Make the environments known to Gymnasium."""
    for name, (entry_point, arguments) in ENTRY_POINTS.items():
        # `import dmsb` may have done so already.
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point=entry_point, kwargs=arguments)


register()
