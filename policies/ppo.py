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
from .learning.rollouts import Rollouts, advantages, stacked
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
    columns: ClassVar[tuple[str, ...]] = ("state", "action", "log", "reward", "ended", "following")

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
        self.actor: Any = self._new_actor()
        self.critic = Perceptron(1, len(inputs), settings.width, 1, self.generator)
        self._initialise()
        self.optimiser = self._new_optimiser()
        self.steps = self.updates = self.cycle = 0
        self.rollouts = Rollouts(settings.worlds)
        self._chosen: list[dict[str, float]] = []

    def _new_actor(self) -> nn.Module:
        """Return a new actor."""
        return Actor(self.settings, len(self.grid), self.generator, self.inputs)

    def _initialise(self) -> None:
        """Give actor and critic their first weights."""
        # The small last layer of the actor makes the first policy almost uniform.
        for net, last in ((self.actor.net, 0.01), (self.critic, 1.0)):
            orthogonal(net, last, self.generator)

    def _new_optimiser(self) -> torch.optim.Optimizer:
        """Return the optimiser of actor and critic."""
        # eps is that of the authors' implementation. The fused Adam takes a quarter of the time of the default here.
        learned = parameters([self.actor, self.critic])
        return torch.optim.Adam(learned, lr=self.settings.rate, eps=1e-5, fused=True)

    def act(self, vectors: FloatArray, worlds: Sequence[int]) -> IntArray:
        """Draw actions from the policy.

        Args:
            vectors: observations of several worlds, shape (n, features).
            worlds: numbers of the worlds, n.

        Returns:
            One action per world, shape (n,).
        """
        states = to_device(self.scaler.learn_and_scale(vectors), self.device)
        with torch.no_grad():
            logs = torch.log_softmax(self.actor.net(states)[0], dim=-1)
            actions = torch.multinomial(logs.exp(), 1, generator=self.generator)
            self._chosen = [{"log": log} for log in logs.gather(1, actions)[:, 0].tolist()]
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
        step = {"state": state, "action": action, "reward": reward, "ended": ended, "following": following}
        self.rollouts.steps[world].append(step | self._chosen.pop(0))
        self.steps += 1

    def learn(self) -> dict[str, Tensor]:
        """Update the networks if the rollouts are complete.

        Returns:
            The metrics of the last minibatch, or an empty mapping if there was no update.
        """
        # A world whose episode has ended adds no more steps, so the steps of all worlds are counted together.
        if len(self.rollouts) < self.settings.horizon * self.settings.worlds:
            return {}
        rollouts = [rollout for rollout in self._taken() if rollout]
        return self.update(self._estimated(rollouts)) if rollouts else {}

    def _taken(self) -> list[list[dict[str, Any]]]:
        """Take the steps of all worlds out of the rollouts."""
        taken = [list(steps) for steps in self.rollouts.steps]
        for steps in self.rollouts.steps:
            steps.clear()
        return taken

    def _estimated(self, rollouts: list[list[dict[str, Any]]]) -> dict[str, FloatArray]:
        """Return the columns of rollouts, with ``advantage`` and ``return``.

        Args:
            rollouts: the steps of each world, at least one each.
        """
        batch = stacked([step for rollout in rollouts for step in rollout])
        gamma = self.settings.gamma
        # One call of the critic for the states before and after the actions of all worlds.
        with torch.no_grad():
            both = self.standardised(np.concatenate([batch["state"], batch["following"]]))
            value, after = np.split(self.critic(both)[0, :, 0].cpu().numpy().astype(np.float64), 2)
        surprise = batch["reward"] + gamma * after - value
        ends = np.cumsum([len(rollout) for rollout in rollouts])[:-1]
        worlds = zip(np.split(surprise, ends), np.split(batch["ended"], ends), strict=True)
        discount = gamma * self.settings.gae_lambda
        advantage = np.concatenate([advantages(*world, discount) for world in worlds])
        return batch | {"advantage": advantage, "return": advantage + value}

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
        action, (old, gains, returns) = rows_of[0].long()[:, None], rows_of[1:]
        metrics: dict[str, Tensor] = {}
        for _ in range(settings.epochs):
            order = torch.randperm(size, generator=self.generator, device=self.device)
            for rows in order.chunk(settings.minibatches):
                logs = torch.log_softmax(self.actor.net(state[rows])[0], dim=-1)
                of_actor, metrics = self.actor_loss(logs, action[rows], old[rows], gains[rows])
                of_critic = self.critic_loss(state[rows], returns[rows])
                self.descend(of_actor + settings.value_weight * of_critic)
                metrics["loss/critic"] = of_critic.detach()
        return metrics

    def actor_loss(self, logs: Tensor, action: Tensor, old: Tensor, gain: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the clipped objective of a minibatch with the entropy bonus, negated, and its metrics.

        Args:
            logs: logarithms of the probabilities of all actions, shape (steps, actions).
            action: the actions that were taken, shape (steps, 1).
            old: logarithms of their probabilities at that time, shape (steps,).
            gain: their advantages, shape (steps,).
        """
        clip = self.settings.clip
        ratio = (logs.gather(1, action)[:, 0] - old).exp()
        # Normalised advantages make the weight of the entropy independent of the scale of rewards.
        # One step alone has no spread.
        gain = (gain - gain.mean()) / (gain.std() + 1e-8) if len(gain) > 1 else gain - gain.mean()
        # The minimum takes away any reason to move the ratio further than the clip.
        loss = -torch.minimum(ratio * gain, ratio.clamp(1.0 - clip, 1.0 + clip) * gain).mean()
        spread = -(logs.exp() * logs).sum(dim=-1).mean()
        return loss - self.settings.entropy_weight * spread, {
            "loss/actor": loss.detach(),
            "policy/entropy": spread.detach(),
            "policy/clipped": ((ratio - 1.0).abs() > clip).float().mean(),
        }

    def critic_loss(self, state: Tensor, returns: Tensor) -> Tensor:
        """Return half of the mean squared error of the critic.

        Args:
            state: standardised features, shape (steps, features).
            returns: what it should say, shape (steps,).
        """
        error: Tensor = self.critic(state)[0, :, 0] - returns
        return 0.5 * (error**2).mean()

    def descend(self, loss: Tensor) -> None:
        """Make one step of the optimiser."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters([self.actor, self.critic]), self.settings.largest_gradient)
        self.optimiser.step()
        self.updates += 1

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the complete state for a checkpoint, the unfinished rollouts included.

        Returns:
            The arrays by name, and the other values for the JSON file.
        """
        arrays: dict[str, Any] = {"generator": self.generator.get_state().numpy()}
        arrays |= arrays_of(self.actor, "actor") | arrays_of(self.critic, "critic")
        arrays |= optimiser_arrays(self.optimiser, "optimiser")
        arrays |= {f"scaler.{name}": array for name, array in self.scaler.state().items()}
        arrays |= self.rollouts.arrays()
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
        self.rollouts.restore(arrays)
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
