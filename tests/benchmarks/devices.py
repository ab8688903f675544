"""Updates of each learner a second on a CPU and on a GPU: ``python -m tests.benchmarks.devices``.

Networks of the default size are small: on a GPU the time of an update is that of starting its operations. Larger sizes
show where a GPU begins to pay.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from policies.diffusion import DiffusionActorCritic
from policies.dqn import DoubleDeepQ, Settings as DqnSettings
from policies.learning.features import NAMES
from policies.learning.soft_actor_critic import Settings
from policies.sac import SoftmaxActorCritic
from simulator.model.mechanism import price_grid

GRID = price_grid(20).tolist()
SIZES = ((64, 128, 200), (256, 512, 30), (1024, 2048, 3))
"""Width of the hidden layers, batch, and updates that are timed: the defaults, those of D2SAC, and large ones."""


def updates_a_second(learner: Any, updates: int) -> float:
    """Updates per second of wall time, batches from a full buffer included.

    Args:
        learner: a learner with a replay buffer.
        updates: number of updates that are timed.
    """
    rng = np.random.default_rng(0)
    for _ in range(learner.settings.capacity):
        state, following = np.exp(rng.normal(size=(2, len(NAMES))))
        info = {"demand": 1.0, "top_bid": 1.0, "scaled_bid": 0.5} | ({"uav_value": 0.4} if rng.random() < 0.5 else {})
        learner.scaler.count or learner.scaler.learn_and_scale(state[None])
        learner.remember(0, state, int(rng.integers(len(GRID))), 1.0, False, following, info)
    for count in (2, updates):
        if learner.device.type == "cuda":
            torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(count):
            learner.update(learner.replay.sample(learner.settings.batch, learner.generator))
        if learner.device.type == "cuda":
            torch.cuda.synchronize()
    return updates / (time.perf_counter() - begin)


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    shown = Table("learner", "width", "batch", *(f"{device}, updates/s" for device in devices), box=None)
    for width, batch, updates in SIZES:
        common: dict[str, Any] = {"width": width, "batch": batch, "gamma": 0.95, "worlds": 1, "capacity": 3_000}
        for kind in (DiffusionActorCritic, SoftmaxActorCritic, DoubleDeepQ):
            made = (DqnSettings if kind is DoubleDeepQ else Settings)(**common)
            rates = [
                updates_a_second(kind(made, GRID, 0, 10**9, device=torch.device(device)), updates)  # type: ignore[arg-type]
                for device in devices
            ]
            shown.add_row(kind.kind, f"{width}", f"{batch}", *(f"{rate:,.3g}" for rate in rates))
    names = [torch.cuda.get_device_name()] if len(devices) > 1 else []
    Console(width=100).print(shown, f"PyTorch {torch.__version__}, one CPU thread", *names, sep="\n")


if __name__ == "__main__":
    main()
