"""Proximal policy optimisation (Schulman et al. 2017), with what its authors' implementations do.

Clipped objective, generalised advantage estimates, minibatch epochs, advantages normalised a minibatch, orthogonal
initialisation, entropy bonus, gradient clipping, a learning rate that falls to zero. Same observation, actions, width
and activation as the other learners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from simulator.model import FloatArray, IntArray

from .learning.features import NAMES, Scaler
from .learning.networks import Perceptron, arrays_of, optimiser_arrays, parameters, take, take_optimiser


@dataclass(frozen=True)
class Settings:
    """Hyperparameters, by the names of the paper.

    Attributes:
        width: of the hidden layers.
        horizon: steps of each world between two updates.
        epochs: passes over them.
        minibatches: that each pass is cut into.
        clip: by how much the ratio of new to old probability may leave 1 before its gain is cut off.
        gamma: discount; 0 where rounds are independent.
        gae_lambda: of the generalised advantage estimate.
        rate: learning rate at the start.
        entropy_weight: on the scale of normalised advantages.
        value_weight: weight of the critic's loss.
        largest_gradient: its norm is cut to this.
        worlds: that are run side by side.
    """

    width: int = 64
    horizon: int = 32
    epochs: int = 4
    minibatches: int = 4
    clip: float = 0.2
    gamma: float = 0.0
    gae_lambda: float = 0.95
    rate: float = 1e-3
    entropy_weight: float = 0.005
    value_weight: float = 0.5
    largest_gradient: float = 0.5
    worlds: int = 8


class Actor(nn.Module):
    """state -> width -> width -> |A|: logits."""

    def __init__(self, settings: Settings, actions: int, generator: torch.Generator) -> None:
        super().__init__()
        self.net = Perceptron(1, len(NAMES), settings.width, actions, generator)


class ProximalPolicyOptimisation:
    """PPO without its environment: acts, remembers, updates.

    Args:
        settings: hyperparameters.
        grid: the price scaling factors of the actions.
        seed: fixes weights, actions and minibatches.
        total_steps: environment steps over which the learning rate falls.
    """

    kind: ClassVar[str] = "ppo"

    def __init__(self, settings: Settings, grid: Sequence[float], seed: int, total_steps: int) -> None:
        self.settings, self.total_steps = settings, total_steps
        self.grid = list(grid)
        self.generator = torch.Generator().manual_seed(seed)
        self.scaler = Scaler()
        self.actor = Actor(settings, len(self.grid), self.generator)
        self.critic = Perceptron(1, len(NAMES), settings.width, 1, self.generator)
        for net, last in ((self.actor.net, 0.01), (self.critic, 1.0)):
            orthogonal(net, last, self.generator)
        self.optimiser = torch.optim.Adam(parameters([self.actor, self.critic]), lr=settings.rate, eps=1e-5, fused=True)
        self.steps = self.updates = self.cycle = 0
        self._rollouts: list[list[dict[str, Any]]] = [[] for _ in range(settings.worlds)]
        self._chosen: list[float] = []

    def act(self, vectors: FloatArray) -> IntArray:
        """Actions for several worlds, drawn from the policy, shape (n,)."""
        self.scaler.learn(vectors)
        with torch.no_grad():
            logs = torch.log_softmax(self.actor.net(torch.from_numpy(self.scaler.scale(vectors)))[0], dim=-1)
            actions = torch.multinomial(logs.exp(), 1, generator=self.generator)
            self._chosen = logs.gather(1, actions)[:, 0].tolist()
            return actions[:, 0].numpy()

    def remember(
        self, world: int, state: FloatArray, action: int, reward: float, ended: bool, following: FloatArray,
        info: dict[str, Any],
    ) -> None:  # fmt: skip
        """Append a step to its world's rollout."""
        step = {"state": state, "action": action, "log": self._chosen.pop(0), "reward": reward, "ended": ended,
                "following": following}  # fmt: skip
        self._rollouts[world].append(step)
        self.steps += 1

    def learn(self) -> dict[str, float]:
        """Update once the worlds have gone on for their horizon together; the metrics of the last minibatch."""
        if sum(map(len, self._rollouts)) < self.settings.horizon * self.settings.worlds:
            return {}
        parts = [self._returns(rollout) for rollout in self._rollouts if rollout]
        batch = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        for rollout in self._rollouts:
            rollout.clear()
        return self.update(batch)

    def _returns(self, rollout: list[dict[str, Any]]) -> dict[str, FloatArray]:
        """Advantages by generalised advantage estimation, and returns, of one world's rollout."""
        columns = {name: np.array([step[name] for step in rollout], dtype=np.float64) for name in rollout[0]}
        with torch.no_grad():
            both = np.concatenate([columns["state"], columns["following"]])
            values = self.critic(torch.from_numpy(self.scaler.scale(both)))[0, :, 0].numpy().astype(np.float64)
        value, after = np.split(values, 2)
        going = 1.0 - columns["ended"]
        surprise = columns["reward"] + self.settings.gamma * going * after - value
        advantage, carried = np.empty(len(rollout)), 0.0
        for number in range(len(rollout) - 1, -1, -1):
            carried = surprise[number] + self.settings.gamma * self.settings.gae_lambda * going[number] * carried
            advantage[number] = carried
        return columns | {"advantage": advantage, "return": advantage + value}

    def update(self, batch: dict[str, FloatArray]) -> dict[str, float]:
        """All epochs over one batch."""
        settings, size = self.settings, len(batch["action"])
        left = max(1.0 - self.steps / max(self.total_steps, 1), 0.0)
        self.optimiser.param_groups[0]["lr"] = settings.rate * left
        state = torch.from_numpy(self.scaler.scale(batch["state"]))
        action = torch.from_numpy(batch["action"]).long()[:, None]
        old, advantages, returns = (torch.from_numpy(batch[name]).float() for name in ("log", "advantage", "return"))
        metrics: dict[str, float] = {}
        for _ in range(settings.epochs):
            order = torch.randperm(size, generator=self.generator)
            for rows in order.chunk(settings.minibatches):
                logs = torch.log_softmax(self.actor.net(state[rows])[0], dim=-1)
                ratio = (logs.gather(1, action[rows])[:, 0] - old[rows]).exp()
                gain = advantages[rows]
                gain = (gain - gain.mean()) / (gain.std() + 1e-8)
                clipped = ratio.clamp(1.0 - settings.clip, 1.0 + settings.clip)
                actor_loss = -torch.minimum(ratio * gain, clipped * gain).mean()
                critic_loss = 0.5 * ((self.critic(state[rows])[0, :, 0] - returns[rows]) ** 2).mean()
                spread = -(logs.exp() * logs).sum(dim=-1).mean()
                loss = actor_loss - settings.entropy_weight * spread + settings.value_weight * critic_loss
                self.optimiser.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(parameters([self.actor, self.critic]), settings.largest_gradient)
                self.optimiser.step()
                self.updates += 1
                metrics = {
                    "loss/actor": float(actor_loss.detach()),
                    "loss/critic": float(critic_loss.detach()),
                    "policy/entropy": float(spread.detach()),
                    "policy/clipped": float(((ratio - 1.0).abs() > settings.clip).float().mean()),
                }
        return metrics

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Arrays and what JSON has of a checkpoint; the rollouts at hand are part of it."""
        arrays: dict[str, Any] = {"generator": self.generator.get_state().numpy()}
        arrays |= arrays_of(self.actor, "actor") | arrays_of(self.critic, "critic")
        arrays |= optimiser_arrays(self.optimiser, "optimiser")
        arrays |= {f"scaler.{name}": array for name, array in self.scaler.state().items()}
        for world, rollout in enumerate(self._rollouts):
            for name in rollout[0] if rollout else ():
                arrays[f"rollout.{world}.{name}"] = np.array([step[name] for step in rollout], dtype=np.float64)
        counters = {name: getattr(self, name) for name in ("steps", "updates", "cycle", "total_steps")}
        return arrays, {"kind": self.kind, "grid": self.grid, "settings": asdict(self.settings), **counters}

    def restore(self, arrays: dict[str, Any], meta: dict[str, Any]) -> None:
        """Take over the state of a checkpoint of the same settings and grid."""
        self.generator.set_state(torch.from_numpy(arrays["generator"].copy()))
        take(self.actor, "actor", arrays)
        take(self.critic, "critic", arrays)
        take_optimiser(self.optimiser, "optimiser", arrays)
        self.scaler = Scaler.of({name: arrays[f"scaler.{name}"] for name in ("count", "mean", "square")})
        for world in range(self.settings.worlds):
            prefix = f"rollout.{world}."
            columns = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            rows = zip(*columns.values(), strict=True)
            self._rollouts[world] = [dict(zip(columns, row, strict=True)) for row in rows]
        self.steps, self.updates, self.cycle = (meta[name] for name in ("steps", "updates", "cycle"))

    def weights(self) -> dict[str, Any]:
        """What a deployed policy needs: the actor, its statistics of features, frozen."""
        frozen = {"scaler.mean": self.scaler.mean, "scaler.sd": self.scaler.sd}
        return arrays_of(self.actor, "actor") | {name: array.astype(np.float32) for name, array in frozen.items()}


def orthogonal(net: Perceptron, last_gain: float, generator: torch.Generator) -> None:
    """Orthogonal weights with gain sqrt(2), and ``last_gain`` in the last layer; no biases."""
    for layer, (weight, bias) in enumerate(zip(net.weights, net.biases, strict=True)):
        gain = last_gain if layer == 2 else 2.0**0.5
        nn.init.orthogonal_(weight[0].data, gain, generator=generator)
        nn.init.zeros_(bias)
