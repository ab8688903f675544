"""DMSB: a diffusion model writes the price scaling factor, trained by soft actor-critic (Algorithm 1).

Read from top to bottom: the schedule and the reverse chain, (16) to (18); the critics, (19) and (20); the actor's loss,
(21); the loop of Algorithm 1. The deployed policy, which needs no torch, is `policies.deployed.Diffusion`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from simulator.model import FloatArray, IntArray

from .learning.features import NAMES, Scaler
from .learning.networks import (
    Perceptron,
    arrays_of,
    follow,
    keep_freed_memory,
    optimiser_arrays,
    parameters,
    take,
    take_optimiser,
    two_hidden_layers,
    uniform,
)
from .learning.replay import Batch, Replay, hindsight
from .learning.schedule import TIME_FEATURES, Schedule, time_features

TINY = 1e-8
"""Keeps the logarithm of a probability that has underflowed finite."""


@dataclass(frozen=True)
class Settings:
    """Every hyperparameter; the paper leaves them open, so each has its reason.

    Attributes:
        steps_of_diffusion: K, as published with D2SAC.
        draws: noise draws by which the policy ``pi = E[softmax(x_0)]`` is estimated for a loss; with one the entropy
            would be that of a draw, not of the policy.
        width: of the hidden layers; 64 reaches what 256 does on 16 features.
        batch: transitions an update.
        update_every: environment steps an update.
        capacity: of the replay buffer.
        warmup: steps of uniform actions before the first update.
        gamma: discount; 0 where rounds are independent, .95 at junctions, where today's winner is tomorrow's backlog.
        n_step: rewards taken as they came; 1 is the paper's.
        soft_update: share by which targets follow, as published.
        actor_rate: learning rate of the actor in the beginning; it falls to 0, so that the end is no random walk.
        critics_alone: updates of the critics before the actor's first; critics that know nothing drive the actor into
            a corner, and a softmax hardly comes back to an action that it has given up.
        critic_rate: learning rate of the critics in the beginning; it falls alike.
        entropy_first: weight of the entropy in the beginning, on the scale of rewards.
        entropy_last: and at the end, in between geometric: high at first to explore, low at last to exploit.
        hindsight: learn from what each action would have earned in a round, not only from the one that was taken.
        worlds: that are run side by side.
    """

    steps_of_diffusion: int = 5
    draws: int = 4
    width: int = 64
    batch: int = 128
    update_every: int = 16
    capacity: int = 200_000
    warmup: int = 1_000
    gamma: float = 0.0
    n_step: int = 1
    soft_update: float = 0.01
    actor_rate: float = 1e-3
    critics_alone: int = 300
    critic_rate: float = 1e-3
    entropy_first: float = 0.1
    entropy_last: float = 0.003
    hindsight: bool = True
    worlds: int = 8


class DiffusionActor(nn.Module):
    """The reverse process (17): from noise to x_0 in K steps, given the state; (18) makes it a distribution.

    The noise network is [x, time, state] -> width -> width -> |A| with Mish. Its first layer is kept in three parts, so
    that the state's is computed once a chain and the time's once a step.
    """

    def __init__(self, settings: Settings, actions: int, generator: torch.Generator) -> None:
        super().__init__()
        width, inputs = settings.width, actions + TIME_FEATURES + len(NAMES)
        self.schedule = Schedule.variance_preserving(settings.steps_of_diffusion)
        self.draws, self.actions = settings.draws, actions
        self.from_x = uniform((actions, width), inputs, generator)
        self.from_time = uniform((TIME_FEATURES, width), inputs, generator)
        self.from_state = uniform((len(NAMES), width), inputs, generator)
        self.first_bias = uniform((width,), inputs, generator)
        self.second = uniform((width, width), width, generator)
        self.second_bias = uniform((width,), width, generator)
        self.last = uniform((width, actions), width, generator)
        self.last_bias = uniform((actions,), width, generator)
        self.times = torch.from_numpy(time_features(settings.steps_of_diffusion))

    def noise(self, batch: int, draws: int, generator: torch.Generator) -> Tensor:
        """All noise of a chain in one call: x_K and what is added on the way, shape (K, draws, batch, actions)."""
        return torch.randn((self.schedule.steps, draws, batch, self.actions), generator=generator)

    def predicted_noise(self, x: Tensor, step: int, state: Tensor, biases: Tensor) -> Tensor:
        """The noise network's output at step k, counted from 1.

        Args:
            x: shape (rows, actions).
            step: k.
            state: part of the state in the first layer, shape (rows, width).
            biases: bias of the first layer for each k, the part of the time in it.
        """
        bias = state + biases[step - 1]
        return two_hidden_layers(x, self.from_x, bias, self.second, self.second_bias, self.last, self.last_bias)

    def chain(self, state: Tensor, noise: Tensor) -> Tensor:
        """x_0 of each draw, shape (draws, batch, actions), by (17): mean and variance of the DDPM posterior."""
        schedule, (draws, batch) = self.schedule, noise.shape[1:3]
        rows, noise = (state @ self.from_state).repeat(draws, 1), noise.flatten(1, 2)
        biases = self.times @ self.from_time + self.first_bias
        x = noise[0]
        for step in range(schedule.steps, 0, -1):
            predicted = self.predicted_noise(x, step, rows, biases)
            x = schedule.shrink[step - 1] * torch.sub(x, predicted, alpha=schedule.subtract[step - 1])
            if step > 1:
                x = torch.add(x, noise[schedule.steps - step + 1], alpha=schedule.spread[step - 1])
        return x.view(draws, batch, self.actions)

    def forward(self, state: Tensor, generator: torch.Generator, draws: int | None = None) -> Tensor:
        """The policy (18): softmax of x_0, averaged over noise draws, shape (batch, actions)."""
        noise = self.noise(len(state), draws or self.draws, generator)
        return torch.softmax(self.chain(state, noise), dim=-1).mean(dim=0)


def entropy(probabilities: Tensor) -> Tensor:
    """Entropy of distributions over the last axis, nats."""
    return -(probabilities * torch.log(probabilities + TINY)).sum(dim=-1)


class Critics(nn.Module):
    """Twin critics; each gives what an action earns now and what comes after it, ``Q = R + F``, for all actions.

    Hindsight knows what every action would have earned, but not where those with another winner would have led, so the
    two are learned apart. Without a future (gamma = 0) the second is no output at all, but 0.
    """

    def __init__(self, settings: Settings, actions: int, generator: torch.Generator) -> None:
        super().__init__()
        self.actions, self.has_future = actions, settings.gamma > 0.0
        outputs = (1 + self.has_future) * actions
        self.net = Perceptron(2, len(NAMES), settings.width, outputs, generator)

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """R and F, each of shape (2, batch, actions)."""
        if not self.has_future:
            now = self.net(state)
            return now, torch.zeros_like(now)
        now, after = self.net(state).split(self.actions, dim=-1)
        return now, after

    def least(self, state: Tensor) -> Tensor:
        """The smaller of the two critics' Q, shape (batch, actions)."""
        now, after = self(state)
        return torch.minimum(now[0] + after[0], now[1] + after[1])


class SoftActorCritic:
    """Algorithm 1 without its environment: acts, remembers, updates.

    Args:
        settings: hyperparameters.
        grid: the price scaling factors of the actions.
        seed: fixes weights, noise and batches.
        total_steps: environment steps over which the entropy's weight falls.
    """

    kind: ClassVar[str] = "diffusion"
    Actor: ClassVar[type[nn.Module]] = DiffusionActor

    def __init__(self, settings: Settings, grid: Sequence[float], seed: int, total_steps: int) -> None:
        keep_freed_memory()
        self.settings, self.total_steps = settings, total_steps
        self.grid, self.actions = np.array(grid), len(grid)
        actions = self.actions
        self.generator = torch.Generator().manual_seed(seed)
        self.rng = np.random.default_rng([seed, 1])
        self.scaler = Scaler()
        self.replay = Replay(settings.capacity, settings.worlds, settings.gamma, settings.n_step)
        self.actor, self.target_actor = (self.Actor(settings, actions, self.generator) for _ in range(2))
        self.critics, self.target_critics = (Critics(settings, actions, self.generator) for _ in range(2))
        self.uav_value = Perceptron(1, len(NAMES), settings.width, 1, self.generator)
        follow(self.target_actor, self.actor, 1.0)
        follow(self.target_critics, self.critics, 1.0)
        self.actor_optimiser = torch.optim.Adam(self.actor.parameters(), lr=settings.actor_rate, fused=True)
        learned = parameters([self.critics, self.uav_value])
        self.critic_optimiser = torch.optim.Adam(learned, lr=settings.critic_rate, fused=True)
        self.steps = self.updates = self.cycle = 0
        self.earned, self.taken = np.zeros(settings.worlds), np.zeros(settings.worlds)

    @property
    def mean_rewards(self) -> FloatArray:
        """Mean reward of a step so far, by world, each of which may have a scenario of its own: shape (worlds,).

        What comes after an action is learned as the difference to it.
        """
        return self.earned / np.maximum(self.taken, 1.0)

    @property
    def done(self) -> float:
        """Share of the training that lies behind, 0 to 1."""
        return min(self.steps / max(self.total_steps, 1), 1.0)

    @property
    def entropy_weight(self) -> float:
        """Weight of the entropy after so many steps."""
        first, last = self.settings.entropy_first, self.settings.entropy_last
        return float(first ** (1.0 - self.done) * last**self.done)

    def act(self, vectors: FloatArray) -> IntArray:
        """Actions for several worlds, shape (n,): drawn from pi, uniformly during the warm-up."""
        self.scaler.learn(vectors)
        if self.steps < self.settings.warmup:
            return self.rng.integers(self.actions, size=len(vectors))
        with torch.no_grad():
            # One noise draw is enough: an action drawn from the softmax of one x_0 is an action drawn from pi.
            policy = self.actor(torch.from_numpy(self.scaler.scale(vectors)), self.generator, draws=1)
            return torch.multinomial(policy, 1, generator=self.generator)[:, 0].numpy()

    def remember(
        self, world: int, state: FloatArray, action: int, reward: float, ended: bool, following: FloatArray,
        info: dict[str, Any],
    ) -> None:  # fmt: skip
        """Store a transition in D and count the step."""
        self.replay.add(world, state, action, reward, ended, following, info)
        self.steps += 1
        self.earned[world] += reward
        self.taken[world] += 1.0

    def learn(self) -> dict[str, float]:
        """As many updates as the steps so far allow; the metrics of the last, empty if there was none."""
        metrics: dict[str, float] = {}
        while self.steps > self.settings.warmup and self.updates * self.settings.update_every < self.steps:
            metrics = self.update(self.replay.sample(self.settings.batch, self.rng))
        return metrics

    def update(self, batch: Batch) -> dict[str, float]:
        """One update of critics, actor and targets from a batch of D."""
        state = torch.from_numpy(self.scaler.scale(batch["state"]))
        weight = self.entropy_weight
        for optimiser, rate in (
            (self.actor_optimiser, self.settings.actor_rate),
            (self.critic_optimiser, self.settings.critic_rate),
        ):
            optimiser.param_groups[0]["lr"] = rate * (1.0 - self.done)
        critic_loss = self.critic_loss(state, batch, weight)
        self.critic_optimiser.zero_grad(set_to_none=True)
        critic_loss.backward()
        self.critic_optimiser.step()
        # (21): theta <- theta - rate grad E[-min_i Q_i(s, pi(s))] - beta H(pi(s))
        policy = self.actor(state, self.generator)
        with torch.no_grad():
            value = self.critics.least(state)
        spread = entropy(policy).mean()
        actor_loss = -(policy * value).sum(dim=-1).mean() - weight * spread
        if self.updates >= self.settings.critics_alone:
            self.actor_optimiser.zero_grad(set_to_none=True)
            actor_loss.backward()
            self.actor_optimiser.step()
        follow(self.target_actor, self.actor, self.settings.soft_update)
        follow(self.target_critics, self.critics, self.settings.soft_update)
        self.updates += 1
        return {
            "loss/critic": float(critic_loss.detach()),
            "loss/actor": float(actor_loss.detach()),
            "policy/entropy": float(spread.detach()),
        }

    def critic_loss(self, state: Tensor, batch: Batch, weight: float) -> Tensor:
        """(19) with the target (20); with hindsight for all actions whose outcome is known or estimated."""
        now, after = self.critics(state)
        reward = torch.from_numpy(batch["reward"])
        future = self.target(batch, weight)
        if not self.settings.hindsight:
            action = torch.from_numpy(batch["action"]).long().expand(2, -1)[..., None]
            chosen = (now + after).gather(2, action)[..., 0]
            loss: Tensor = ((chosen - (reward + future)) ** 2).mean(dim=1).sum()
            return loss
        estimate = self.uav_value(state)[0, :, 0]
        seen = torch.from_numpy(~np.isnan(batch["uav_value"]))
        known = torch.from_numpy(np.nan_to_num(batch["uav_value"]))
        estimate_loss: Tensor = ((estimate - known) ** 2 * seen).sum() / seen.sum().clamp(min=1)
        earned, same = hindsight(batch, self.grid, estimate.detach().numpy())
        now_loss: Tensor = ((now - torch.from_numpy(earned)) ** 2).mean(dim=(1, 2)).sum()
        if self.settings.gamma == 0.0:
            alone: Tensor = now_loss + estimate_loss
            return alone
        led = torch.from_numpy(same).float()
        after_loss: Tensor = ((after - future[:, None]) ** 2 * led).sum(dim=(1, 2)).sum() / led.sum().clamp(min=1)
        both: Tensor = now_loss + after_loss + estimate_loss
        return both

    @torch.no_grad()
    def target(self, batch: Batch, weight: float) -> Tensor:
        """The discounted part of (20), ``gamma (min_i Q'_i(s', pi'(s')) - r + beta H(pi'(s')))``, shape (batch,).

        r is the world's mean reward so far (Naik, Wan, Tomar and Sutton 2024, "Reward Centering"): what comes after an
        action is many rewards that no action changes, and without r a critic would spend itself on their level. It
        moves all actions' values alike, and a run that is cut off ends at the mean, not at nothing.
        """
        if self.settings.gamma == 0.0:
            return torch.zeros(len(batch["reward"]))
        state = torch.from_numpy(self.scaler.scale(batch["next_state"]))
        policy = self.target_actor(state, self.generator)
        value = (policy * self.target_critics.least(state)).sum(dim=-1) + weight * entropy(policy)
        later, discount = torch.from_numpy(batch["later"]), torch.from_numpy(batch["discount"])
        mean = torch.from_numpy(self.mean_rewards[batch["world"].astype(np.int64)]).float()
        weight_of_later = torch.from_numpy(batch["later_weight"])
        target: Tensor = self.settings.gamma * (later - mean * weight_of_later + discount * (value - mean))
        return target

    def modules(self) -> dict[str, nn.Module]:
        """Everything with parameters, by the name that it has in a checkpoint."""
        names = ("actor", "target_actor", "critics", "target_critics", "uav_value")
        return {name: getattr(self, name) for name in names}

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Arrays and what JSON has of a checkpoint: networks, optimisers, scaler, replay, generators, counters."""
        arrays: dict[str, Any] = {"generator": self.generator.get_state().numpy()}
        arrays |= {"earned": self.earned.copy(), "taken": self.taken.copy()}
        for name, module in self.modules().items():
            arrays |= arrays_of(module, name)
        arrays |= optimiser_arrays(self.actor_optimiser, "actor_optimiser")
        arrays |= optimiser_arrays(self.critic_optimiser, "critic_optimiser")
        arrays |= {f"scaler.{name}": array for name, array in self.scaler.state().items()}
        arrays |= {f"replay.{name}": array for name, array in self.replay.state().items()}
        counters = {name: getattr(self, name) for name in ("steps", "updates", "cycle", "total_steps")}
        return arrays, {
            "kind": self.kind,
            "grid": self.grid.tolist(),
            "settings": asdict(self.settings),
            "rng": self.rng.bit_generator.state,
            **counters,
        }

    def restore(self, arrays: dict[str, Any], meta: dict[str, Any]) -> None:
        """Take over the state of a checkpoint of the same kind, settings and grid."""
        self.generator.set_state(torch.from_numpy(arrays["generator"].copy()))
        self.rng.bit_generator.state = meta["rng"]
        for name, module in self.modules().items():
            take(module, name, arrays)
        take_optimiser(self.actor_optimiser, "actor_optimiser", arrays)
        take_optimiser(self.critic_optimiser, "critic_optimiser", arrays)
        self.scaler = Scaler.of(_part(arrays, "scaler"))
        self.replay.restore(_part(arrays, "replay"))
        self.steps, self.updates, self.cycle = (meta[name] for name in ("steps", "updates", "cycle"))
        self.earned, self.taken = arrays["earned"].copy(), arrays["taken"].copy()

    def weights(self) -> dict[str, Any]:
        """What a deployed policy needs: the target actor, an average of the last ones, and statistics of features."""
        frozen = {"scaler.mean": self.scaler.mean, "scaler.sd": self.scaler.sd}
        return arrays_of(self.target_actor, "actor") | {
            name: array.astype(np.float32) for name, array in frozen.items()
        }


def _part(arrays: dict[str, Any], prefix: str) -> dict[str, Any]:
    start = f"{prefix}."
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
