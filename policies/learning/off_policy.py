"""What learners with a replay buffer share: they store transitions, and make updates at a rate per environment step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from simulator.model import FloatArray

from .features import PRICE_INPUTS, Inputs
from .networks import arrays_of, optimiser_arrays, take, take_optimiser, to_device
from .replay import Batch, Replay, by_demand
from .scaler import Scaler


class OffPolicySettings(Protocol):
    """Hyperparameters of the buffer and of the updates."""

    @property
    def batch(self) -> int:
        """Number of transitions per update."""
        ...

    @property
    def update_every(self) -> int:
        """Number of environment steps per update."""
        ...

    @property
    def capacity(self) -> int:
        """Number of transitions that the replay buffer keeps."""
        ...

    @property
    def warmup(self) -> int:
        """Number of steps before the first update."""
        ...

    @property
    def gamma(self) -> float:
        """Discount factor."""
        ...

    @property
    def n_step(self) -> int:
        """Number of observed rewards in a return."""
        ...

    @property
    def worlds(self) -> int:
        """Number of worlds that run side by side."""
        ...

    @property
    def without_demand(self) -> bool:
        """Whether rewards and bids are divided by the demand of their task."""
        ...


class OffPolicy(ABC):
    """Base of the learners with a replay buffer.

    Args:
        settings: the hyperparameters.
        seed: seed of the weights, the noise, the batches and the actions that are drawn uniformly.
        total_steps: number of environment steps of the training.
        device: where networks, buffer and random generator are.
        inputs: what the networks see.
    """

    settings: Any  # a dataclass with what `OffPolicySettings` names
    grid: list[float]
    kind: ClassVar[str]

    def __init__(
        self,
        settings: OffPolicySettings,
        seed: int,
        total_steps: int,
        device: torch.device,
        inputs: Inputs = PRICE_INPUTS,
    ) -> None:
        self.settings, self.total_steps, self.device, self.inputs = settings, total_steps, device, inputs
        # PyTorch draws weights, noise and batches; numpy draws actions while nothing is known.
        self.generator = torch.Generator(device).manual_seed(seed)
        self.rng = np.random.default_rng([seed, 1])
        self.scaler = Scaler(inputs)
        self.replay = Replay(settings.capacity, settings.worlds, settings.gamma, settings.n_step, device, inputs)
        self.steps = self.updates = self.cycle = 0
        self.earned, self.taken = np.zeros(settings.worlds), np.zeros(settings.worlds)

    @property
    def mean_rewards(self) -> FloatArray:
        """Mean reward per step so far in each world, shape (worlds,)."""
        # Worlds can have different scenarios, whose rewards have different levels. So each world has a mean of its own.
        return self.earned / np.maximum(self.taken, 1.0)

    def mean_of(self, batch: Batch) -> Tensor:
        """Return the mean reward of the world of each transition, shape (batch,)."""
        means = to_device(self.mean_rewards.astype(np.float32), self.device)
        return means[batch["world"].long()]

    def discounted(self, batch: Batch, value: Tensor) -> Tensor:
        """Return ``gamma (what followed - r)``: the n - 1 observed rewards after a round, and then a value.

        Here ``r`` is the mean reward of the world so far.

        Args:
            batch: transitions from D.
            value: value of the state after the n rounds, shape (batch,).

        Returns:
            Discounted sums, shape (batch,).
        """
        # This is reward centering (Naik, Wan, Tomar and Sutton 2024). Most of what follows an action is a level of
        # rewards that no action changes. Without r the critics would first have to learn this level. To subtract r
        # shifts the values of all actions by the same amount.
        mean = self.mean_of(batch)
        followed = batch["later"] - mean * batch["later_weight"] + batch["discount"] * (value - mean)
        discounted: Tensor = self.settings.gamma * followed
        return discounted

    @property
    def done(self) -> float:
        """Share of the training that is done, from 0 to 1."""
        return min(self.steps / max(self.total_steps, 1), 1.0)

    def remember(
        self, world: int, state: FloatArray, action: int, reward: float, ended: bool, following: FloatArray,
        info: dict[str, Any],
    ) -> None:  # fmt: skip
        """Store a transition in the replay buffer.

        Args:
            world: number of the world.
            state: observation before the action, shape (features,).
            action: the action.
            reward: the reward.
            ended: whether the episode has ended.
            following: observation after the action, shape (features,).
            info: details of the round from the environment: its demand, and what hindsight needs.
        """
        if self.settings.without_demand:
            reward, info = reward / info["demand"], by_demand(info)
        # Observations are stored before they are standardised, because the statistics still change.
        self.replay.add(world, state, action, reward, ended, following, info)
        self.steps += 1
        self.earned[world] += reward
        self.taken[world] += 1.0

    def learn(self) -> dict[str, Tensor]:
        """Make as many updates as the number of steps allows.

        Returns:
            The metrics of the last update, or an empty mapping if there was none.
        """
        # After the warm-up, the updates first catch up with the steps of the warm-up.
        metrics: dict[str, Tensor] = {}
        # Where a return has many steps, the first one may be complete only later.
        while (
            self.replay.added
            and self.steps > self.settings.warmup
            and self.updates * self.settings.update_every < self.steps
        ):
            metrics = self.update(self.replay.sample(self.settings.batch, self.generator))
        return metrics

    @abstractmethod
    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Update the networks once.

        Args:
            batch: transitions from the replay buffer.

        Returns:
            Metrics of the update, on the device: to read one is to wait for it.
        """

    @abstractmethod
    def modules(self) -> dict[str, nn.Module]:
        """Return all networks by their names in a checkpoint."""

    @abstractmethod
    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the optimisers by their names in a checkpoint."""

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the complete state for a checkpoint.

        Returns:
            The arrays by name, and the other values for the JSON file.
        """
        arrays: dict[str, Any] = {"generator": self.generator.get_state().numpy()}
        arrays |= {"earned": self.earned.copy(), "taken": self.taken.copy()}
        for name, module in self.modules().items():
            arrays |= arrays_of(module, name)
        for name, optimiser in self.optimisers().items():
            arrays |= optimiser_arrays(optimiser, name)
        arrays |= {f"scaler.{name}": array for name, array in self.scaler.state().items()}
        arrays |= {f"replay.{name}": array for name, array in self.replay.state().items()}
        counters = {name: getattr(self, name) for name in ("steps", "updates", "cycle", "total_steps")}
        return arrays, {
            "features": list(self.inputs.names),
            "kind": self.kind,
            "grid": self.grid,
            "settings": asdict(self.settings),
            "rng": self.rng.bit_generator.state,
            "device": self.device.type,
            **counters,
        }

    def restore(self, arrays: dict[str, Any], meta: dict[str, Any]) -> None:
        """Restore the state of a checkpoint.

        Args:
            arrays: the arrays by name.
            meta: the values of the JSON file. Kind, settings and grid must be those of this learner.
        """
        self.generator.set_state(torch.from_numpy(arrays["generator"].copy()))
        self.rng.bit_generator.state = meta["rng"]
        for name, module in self.modules().items():
            take(module, name, arrays)
        for name, optimiser in self.optimisers().items():
            take_optimiser(optimiser, name, arrays)
        self.scaler.restore(_part(arrays, "scaler"))
        self.replay.restore(_part(arrays, "replay"))
        self.steps, self.updates, self.cycle = (meta[name] for name in ("steps", "updates", "cycle"))
        self.earned, self.taken = arrays["earned"].copy(), arrays["taken"].copy()


def _part(arrays: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the arrays whose names begin with a prefix, without the prefix."""
    start = f"{prefix}."
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
