"""Proximal policy optimisation (PPO; Schulman et al. 2017), with the details of its authors' implementation.

PPO maximises a clipped objective with generalised advantage estimates, in epochs of minibatches. Advantages are
normalised per minibatch, weights are initialised orthogonally, and the objective has an entropy bonus. Gradients are
clipped, and the learning rate falls to 0. Observations, actions, width and activation are those of the other learners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from simulator.model import FloatArray, IntArray

from .learning.features import PRICE_INPUTS, Inputs
from .learning.networks import CPU, Perceptron, arrays_of, optimiser_arrays, parameters, take, take_optimiser, to_device
from .learning.scaler import Scaler


@dataclass(frozen=True)
class Settings:
    """Hyperparameters of PPO.

    Several values were tried on `paper`. Their results below are the surplus divided by that of `conditional`, as means
    of three trainings. The defaults reach 0.988.
    """

    width: int = 64
    """Width of the hidden layers, as in the other learners."""
    horizon: int = 32
    """Number of steps of each world between two updates. With 128 the result was 0.985, with 512 it was 0.982."""
    epochs: int = 4
    """Number of passes over the steps in an update. With 10 the result was 0.987."""
    minibatches: int = 4
    """Number of minibatches per pass."""
    clip: float = 0.2
    """Distance of the probability ratio (new to old) from 1 beyond which a gain no longer counts."""
    gamma: float = 0.0
    """Discount factor. It is 0 where rounds are independent.

    No mean reward is subtracted from what follows, as the learners with a replay buffer do: the critic is the baseline.
    """
    gae_lambda: float = 0.95
    """Parameter lambda of the generalised advantage estimates.

    At three junctions with T = 5 a training with 0.8 reached 0.982 of `conditional`, and one with 0.95 reached 0.961.
    """
    rate: float = 1e-3
    """Learning rate at the start. It falls linearly to 0. With 3e-4 the result was 0.974."""
    entropy_weight: float = 0.005
    """Weight of the entropy, on the scale of normalised advantages. With 0.001 and 0.02 the result was 0.987."""
    value_weight: float = 0.5
    """Weight of the critic's loss."""
    largest_gradient: float = 0.5
    """Largest norm of the gradient. A longer gradient is scaled down to it."""
    worlds: int = 8
    """Number of worlds that run side by side."""
    without_demand: bool = True
    """Whether rewards are divided by the demand of their task.

    Demand multiplies every value of a round alike, so it does not change which price is best. No price may see it, so
    to a learner it is noise.
    """


class Actor(nn.Module):
    """Actor: a perceptron state -> width -> width -> |A| that returns logits."""

    def __init__(
        self, settings: Settings, actions: int, generator: torch.Generator, inputs: Inputs = PRICE_INPUTS
    ) -> None:
        super().__init__()
        self.net = Perceptron(1, len(inputs), settings.width, actions, generator)


class ProximalPolicyOptimisation:
    """PPO without the environment: it acts, stores steps and updates.

    Args:
        settings: the hyperparameters.
        grid: price scaling factors of the actions.
        seed: seed of the weights, the actions and the minibatches.
        total_steps: number of environment steps over which the learning rate falls.
        device: where networks and random generator are.
        inputs: what the networks see.
    """

    kind: ClassVar[str] = "ppo"

    def __init__(
        self,
        settings: Settings,
        grid: Sequence[float],
        seed: int,
        total_steps: int,
        device: torch.device = CPU,
        inputs: Inputs = PRICE_INPUTS,
    ) -> None:
        self.inputs = inputs
        self.settings, self.total_steps, self.device = settings, total_steps, device
        self.grid = list(grid)
        self.generator = torch.Generator(device).manual_seed(seed)
        self.scaler = Scaler(inputs)
        self.actor = Actor(settings, len(self.grid), self.generator, inputs)
        self.critic = Perceptron(1, len(inputs), settings.width, 1, self.generator)
        # The small last layer of the actor makes the first policy almost uniform.
        for net, last in ((self.actor.net, 0.01), (self.critic, 1.0)):
            orthogonal(net, last, self.generator)
        # eps is that of the authors' implementation. The fused Adam takes a quarter of the time of the default here.
        self.optimiser = torch.optim.Adam(parameters([self.actor, self.critic]), lr=settings.rate, eps=1e-5, fused=True)
        self.steps = self.updates = self.cycle = 0
        self._rollouts: list[list[dict[str, Any]]] = [[] for _ in range(settings.worlds)]
        self._chosen: list[float] = []

    def act(self, vectors: FloatArray) -> IntArray:
        """Draw actions from the policy.

        Args:
            vectors: observations of several worlds, shape (n, features).

        Returns:
            One action per world, shape (n,).
        """
        states = to_device(self.scaler.learn_and_scale(vectors), self.device)
        with torch.no_grad():
            logs = torch.log_softmax(self.actor.net(states)[0], dim=-1)
            actions = torch.multinomial(logs.exp(), 1, generator=self.generator)
            self._chosen = logs.gather(1, actions)[:, 0].tolist()
            return actions[:, 0].cpu().numpy()

    def remember(
        self, world: int, state: FloatArray, action: int, reward: float, ended: bool, following: FloatArray,
        info: dict[str, Any],
    ) -> None:  # fmt: skip
        """Append a step to the rollout of its world.

        Args:
            world: number of the world.
            state: observation before the action, shape (features,).
            action: the action.
            reward: the reward.
            ended: whether the episode has ended.
            following: observation after the action, shape (features,).
            info: details of the round, of which PPO uses the demand.
        """
        if self.settings.without_demand:
            reward /= info["demand"]
        # `act` is followed by one call per world, in the order of its actions.
        step = {"state": state, "action": action, "log": self._chosen.pop(0), "reward": reward, "ended": ended,
                "following": following}  # fmt: skip
        self._rollouts[world].append(step)
        self.steps += 1

    def learn(self) -> dict[str, Tensor]:
        """Update the networks if the rollouts are complete.

        Returns:
            The metrics of the last minibatch, or an empty mapping if there was no update.
        """
        # A world whose episode has ended adds no more steps, so the steps of all worlds are counted together.
        if sum(map(len, self._rollouts)) < self.settings.horizon * self.settings.worlds:
            return {}
        rollouts = [rollout for rollout in self._rollouts if rollout]
        steps = [step for rollout in rollouts for step in rollout]
        batch = {name: np.array([step[name] for step in steps], dtype=np.float64) for name in steps[0]}
        # One call of the critic for the states before and after the actions of all worlds.
        with torch.no_grad():
            both = self.standardised(np.concatenate([batch["state"], batch["following"]]))
            value, after = np.split(self.critic(both)[0, :, 0].cpu().numpy().astype(np.float64), 2)
        surprise = batch["reward"] + self.settings.gamma * after - value
        ends = np.cumsum([len(rollout) for rollout in rollouts])[:-1]
        worlds = zip(np.split(surprise, ends), np.split(batch["ended"], ends), strict=True)
        advantage = np.concatenate([self._advantage(*world) for world in worlds])
        for rollout in self._rollouts:
            rollout.clear()
        return self.update(batch | {"advantage": advantage, "return": advantage + value})

    def _advantage(self, surprise: FloatArray, ended: FloatArray) -> FloatArray:
        """Return the generalised advantage estimates of one world's rollout.

        They are ``A_t = delta_t + gamma lambda A_(t+1)`` with ``delta_t = r_t + gamma V(s_(t+1)) - V(s_t)``.

        Args:
            surprise: delta_t, shape (steps,).
            ended: 1 where an episode has ended, shape (steps,).
        """
        # Its duration cuts a run off, so what follows the last step is estimated too. Only the sum over steps
        # ends there.
        going = 1.0 - ended
        advantage, carried = np.empty(len(surprise)), 0.0
        # Each estimate needs the one after it, so the loop runs backwards.
        for number in range(len(surprise) - 1, -1, -1):
            carried = surprise[number] + self.settings.gamma * self.settings.gae_lambda * going[number] * carried
            advantage[number] = carried
        return advantage

    def standardised(self, vectors: FloatArray) -> Tensor:
        """Return standardised features of observations on the device.

        Args:
            vectors: observations, shape (n, features).
        """
        logs = self.inputs.scaled(vectors).astype(np.float32)
        return self.scaler.standardise(to_device(logs, self.device))

    def update(self, batch: dict[str, FloatArray]) -> dict[str, Tensor]:
        """Update the networks by all epochs over one batch.

        Args:
            batch: columns of all rollouts.

        Returns:
            The metrics of the last minibatch, on the device: to read one is to wait for it.
        """
        settings, size = self.settings, len(batch["action"])
        left = max(1.0 - self.steps / max(self.total_steps, 1), 0.0)
        self.optimiser.param_groups[0]["lr"] = settings.rate * left
        state = self.standardised(batch["state"])
        names = ("action", "log", "advantage", "return")
        rows_of = [to_device(batch[name].astype(np.float32), self.device) for name in names]
        action, (old, advantages, returns) = rows_of[0].long()[:, None], rows_of[1:]
        metrics: dict[str, Tensor] = {}
        for _ in range(settings.epochs):
            order = torch.randperm(size, generator=self.generator, device=self.device)
            for rows in order.chunk(settings.minibatches):
                logs = torch.log_softmax(self.actor.net(state[rows])[0], dim=-1)
                ratio = (logs.gather(1, action[rows])[:, 0] - old[rows]).exp()
                gain = advantages[rows]
                # Normalised advantages make the weight of the entropy independent of the scale of rewards.
                gain = (gain - gain.mean()) / (gain.std() + 1e-8)
                clipped = ratio.clamp(1.0 - settings.clip, 1.0 + settings.clip)
                # The minimum takes away any reason to move the ratio further than the clip.
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
                    "loss/actor": actor_loss.detach(),
                    "loss/critic": critic_loss.detach(),
                    "policy/entropy": spread.detach(),
                    "policy/clipped": ((ratio - 1.0).abs() > settings.clip).float().mean(),
                }
        return metrics

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the complete state for a checkpoint, the unfinished rollouts included.

        Returns:
            The arrays by name, and the other values for the JSON file.
        """
        arrays: dict[str, Any] = {"generator": self.generator.get_state().numpy()}
        arrays |= arrays_of(self.actor, "actor") | arrays_of(self.critic, "critic")
        arrays |= optimiser_arrays(self.optimiser, "optimiser")
        arrays |= {f"scaler.{name}": array for name, array in self.scaler.state().items()}
        for world, rollout in enumerate(self._rollouts):
            for name in rollout[0] if rollout else ():
                arrays[f"rollout.{world}.{name}"] = np.array([step[name] for step in rollout], dtype=np.float64)
        counters = {name: getattr(self, name) for name in ("steps", "updates", "cycle", "total_steps")}
        return arrays, {
            "features": list(self.inputs.names),
            "kind": self.kind,
            "grid": self.grid,
            "settings": asdict(self.settings),
            "device": self.device.type,
            **counters,
        }

    def restore(self, arrays: dict[str, Any], meta: dict[str, Any]) -> None:
        """Restore the state of a checkpoint.

        Args:
            arrays: the arrays by name.
            meta: the values of the JSON file. Settings and grid must be those of this learner.
        """
        self.generator.set_state(torch.from_numpy(arrays["generator"].copy()))
        take(self.actor, "actor", arrays)
        take(self.critic, "critic", arrays)
        take_optimiser(self.optimiser, "optimiser", arrays)
        self.scaler.restore({name: arrays[f"scaler.{name}"] for name in ("count", "mean", "square")})
        for world in range(self.settings.worlds):
            prefix = f"rollout.{world}."
            columns = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            rows = zip(*columns.values(), strict=True)
            self._rollouts[world] = [dict(zip(columns, row, strict=True)) for row in rows]
        self.steps, self.updates, self.cycle = (meta[name] for name in ("steps", "updates", "cycle"))

    def weights(self) -> dict[str, Any]:
        """Return the arrays that a deployed policy needs: the actor and the statistics of the features."""
        frozen = {"scaler.mean": self.scaler.mean, "scaler.sd": self.scaler.sd}
        return arrays_of(self.actor, "actor") | {name: array.astype(np.float32) for name, array in frozen.items()}


def orthogonal(net: Perceptron, last_gain: float, generator: torch.Generator) -> None:
    """Initialise a network with orthogonal weights and zero biases.

    Args:
        net: the network, which is changed.
        last_gain: gain of the last layer. The other layers have the gain sqrt(2).
        generator: the random generator.
    """
    for layer, (weight, bias) in enumerate(zip(net.weights, net.biases, strict=True)):
        gain = last_gain if layer == 2 else 2.0**0.5
        nn.init.orthogonal_(weight[0].data, gain, generator=generator)
        nn.init.zeros_(bias)
