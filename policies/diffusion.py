"""DMSB: a diffusion model that sets the price scaling factor, trained by soft actor-critic (Algorithm 1).

Read from top to bottom: the hyperparameters, the actor (17, 18), and the learner with its losses (19-21). The critics
are in `policies.learning.critics`, the schedule (16) is in `policies.learning.schedule`, and the loop of Algorithm 1 is
in `policies.learning.training`. The deployed policy `policies.deployed.Diffusion` does not need PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from simulator.model import FloatArray, IntArray

from .learning.critics import Critics, Rounds
from .learning.features import NAMES, Scaler
from .learning.networks import (
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
from .learning.off_policy import OffPolicy
from .learning.replay import Batch, hindsight
from .learning.schedule import TIME_FEATURES, Schedule, time_features

TINY = 1e-8
"""Smallest number in a logarithm, so that a probability that has underflowed to 0 gives a finite logarithm."""


@dataclass(frozen=True)
class Settings:
    """Hyperparameters of soft actor-critic.

    The paper leaves most of them open. "D2SAC" is the published algorithm on which the paper builds.
    """

    steps_of_diffusion: int = 5
    """Number K of diffusion steps, as in D2SAC."""
    draws: int = 4
    """Number of noise draws by which a loss estimates the policy ``pi = E[softmax(x_0)]``.

    With one draw the entropy in the loss would be that of the draw, not that of the policy.
    """
    width: int = 64
    """Width of the hidden layers. With 16 features, 64 is as good as the 256 of D2SAC."""
    batch: int = 128
    """Number of transitions per update."""
    update_every: int = 16
    """Number of environment steps per update."""
    capacity: int = 200_000
    """Number of transitions that the replay buffer keeps."""
    warmup: int = 1_000
    """Number of steps with uniformly drawn actions before the first update."""
    gamma: float = 0.0
    """Discount factor. It is 0 where rounds are independent.

    At a junction it is 0.95, because the winner of one task has a longer queue at the next.
    """
    n_step: int = 1
    """Number of observed rewards in a return before the estimate of the critics. The paper has 1.

    At junctions `diffusion` is best with 1, but `sac` with 4 (0.998 of `conditional`, against 0.950 with 1).
    """
    soft_update: float = 0.01
    """Share by which the target networks move towards the networks in each update. D2SAC has 0.005."""
    actor_rate: float = 1e-3
    """Learning rate of the actor at the start.

    It falls linearly to 0, so that the policy does not end in a random walk. Earlier defaults were a rate of 3e-4, a
    first entropy weight of 0.05 and no delay of the actor. With them, two trainings of three gave up rho = 1 for good.
    """
    critics_alone: int = 300
    """Number of updates of the critics before the first update of the actor.

    Critics that know nothing drive the actor into a corner. A softmax hardly returns to an action that it has given up.
    """
    critic_rate: float = 1e-3
    """Learning rate of the critics at the start. It falls linearly to 0."""
    entropy_first: float = 0.1
    """Weight of the entropy at the start, on the scale of the rewards. It is high for exploration."""
    entropy_last: float = 0.003
    """Weight of the entropy at the end, low for exploitation. The decay from the first weight is geometric."""
    without_demand: bool = True
    """Whether rewards and bids are divided by the demand of their task.

    Demand multiplies every value of a round alike, so it does not change which price is best. No price may see it, so
    to a learner it is noise.
    """
    hindsight: bool = True
    """Whether to learn from what every action would have earned in a round, not only from the action taken."""
    worlds: int = 8
    """Number of worlds that run side by side."""


class DiffusionActor(nn.Module):
    """The actor: K steps of the reverse process (17) from noise to x_0, and the softmax (18).

    The noise network is a perceptron [x, time, state] -> width -> width -> |A| with Mish activations.
    """

    # The first layer is kept in three parts. The part of the state is then computed once per chain, not once per step.
    # The part of the time is computed once per step, not once per row.

    def __init__(self, settings: Settings, actions: int, generator: torch.Generator) -> None:
        super().__init__()
        width, inputs = settings.width, actions + TIME_FEATURES + len(NAMES)
        self.schedule = Schedule.variance_preserving(settings.steps_of_diffusion)
        self.draws, self.actions = settings.draws, actions
        # The three parts are one layer, so they share one number of inputs.
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
        """Draw all noise of a chain: x_K, and the noise that each step adds.

        Args:
            batch: number of states.
            draws: number of noise draws per state.
            generator: the random generator.

        Returns:
            Standard normal noise, shape (K, draws, batch, actions).
        """
        # The chain takes its noise as an argument. A test can therefore run it with the noise of the deployed policy.
        return torch.randn((self.schedule.steps, draws, batch, self.actions), generator=generator)

    def predicted_noise(self, x: Tensor, step: int, state: Tensor, biases: Tensor) -> Tensor:
        """Return the noise that the network predicts at step k.

        Args:
            x: x_k, shape (rows, actions).
            step: k, from 1 to K.
            state: part of the first layer that depends on the state, shape (rows, width).
            biases: bias of the first layer plus the part that depends on the time, shape (K, width).
        """
        bias = state + biases[step - 1]
        return two_hidden_layers(x, self.from_x, bias, self.second, self.second_bias, self.last, self.last_bias)

    def chain(self, state: Tensor, noise: Tensor) -> Tensor:
        """Return x_0 by the reverse process (17), with the mean and variance of the DDPM posterior.

        Args:
            state: standardised states, shape (batch, features).
            noise: noise from `noise`, shape (K, draws, batch, actions).

        Returns:
            x_0 of each draw, shape (draws, batch, actions).
        """
        # All draws of all states are rows of one matrix, so that each step is one call of the network.
        schedule, (draws, batch) = self.schedule, noise.shape[1:3]
        rows, noise = (state @ self.from_state).repeat(draws, 1), noise.flatten(1, 2)
        biases = self.times @ self.from_time + self.first_bias
        x = noise[0]
        for step in range(schedule.steps, 0, -1):
            predicted = self.predicted_noise(x, step, rows, biases)
            x = schedule.shrink[step - 1] * torch.sub(x, predicted, alpha=schedule.subtract[step - 1])
            # The last step adds no noise, because the posterior of x_0 given x_0 has variance 0.
            if step > 1:
                x = torch.add(x, noise[schedule.steps - step + 1], alpha=schedule.spread[step - 1])
        return x.view(draws, batch, self.actions)

    def forward(self, state: Tensor, generator: torch.Generator, draws: int | None = None) -> Tensor:
        """Return the policy (18), the softmax of x_0 averaged over noise draws.

        Args:
            state: standardised states, shape (batch, features).
            generator: generator of the noise.
            draws: number of noise draws; that of the settings if None.

        Returns:
            Probabilities of the actions, shape (batch, actions).
        """
        noise = self.noise(len(state), draws or self.draws, generator)
        return torch.softmax(self.chain(state, noise), dim=-1).mean(dim=0)


def entropy(probabilities: Tensor) -> Tensor:
    """Return the entropy of distributions over the last axis, nats."""
    return -(probabilities * torch.log(probabilities + TINY)).sum(dim=-1)


class SoftActorCritic(OffPolicy):
    """Algorithm 1 without the environment: it acts, stores transitions and updates.

    Args:
        settings: the hyperparameters.
        grid: price scaling factors of the actions.
        seed: seed of the weights, the noise and the batches.
        total_steps: number of environment steps over which the learning rates and the entropy weight fall.
    """

    settings: Settings
    kind: ClassVar[str] = "diffusion"
    Actor: ClassVar[type[nn.Module]] = DiffusionActor

    def __init__(self, settings: Settings, grid: Sequence[float], seed: int, total_steps: int) -> None:
        keep_freed_memory()
        super().__init__(settings, seed, total_steps)
        self.grid, self.actions = np.array(grid), len(grid)
        actions = self.actions
        # PyTorch draws weights and noise; numpy draws batches and the actions of the warm-up.
        self.generator = torch.Generator().manual_seed(seed)
        self.actor, self.target_actor = (self.Actor(settings, actions, self.generator) for _ in range(2))
        self.critics, self.target_critics = (Critics(settings, actions, self.generator) for _ in range(2))
        # What hindsight estimates where a round does not show it.
        self.rounds = Rounds(settings, actions, self.generator)
        # The targets begin as copies.
        follow(self.target_actor, self.actor, 1.0)
        follow(self.target_critics, self.critics, 1.0)
        # The fused Adam takes a quarter of the time of the default on networks of this size.
        self.actor_optimiser = torch.optim.Adam(self.actor.parameters(), lr=settings.actor_rate, fused=True)
        learned = parameters([self.critics, self.rounds])
        self.critic_optimiser = torch.optim.Adam(learned, lr=settings.critic_rate, fused=True)

    @property
    def entropy_weight(self) -> float:
        """Weight of the entropy at the present step."""
        first, last = self.settings.entropy_first, self.settings.entropy_last
        return float(first ** (1.0 - self.done) * last**self.done)

    def act(self, vectors: FloatArray) -> IntArray:
        """Draw actions from the policy, or uniformly during the warm-up.

        Args:
            vectors: observations of several worlds, shape (n, features).

        Returns:
            One action per world, shape (n,).
        """
        self.scaler.learn(vectors)
        if self.steps < self.settings.warmup:
            return self.rng.integers(self.actions, size=len(vectors))
        with torch.no_grad():
            # One noise draw is enough: an action drawn from the softmax of one x_0 is an action drawn from pi.
            policy = self.actor(torch.from_numpy(self.scaler.scale(vectors)), self.generator, draws=1)
            return torch.multinomial(policy, 1, generator=self.generator)[:, 0].numpy()

    def update(self, batch: Batch) -> dict[str, float]:
        """Update the critics, the actor and the target networks once.

        Args:
            batch: transitions from D.

        Returns:
            Metrics of the update.
        """
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
        # (21): theta <- theta - rate grad (E_{a ~ pi}[-min_i Q_i(s, a)] - beta H(pi(s))). The grid is finite, so the
        # expectation over a is an exact sum and needs no sample of actions.
        policy = self.actor(state, self.generator)
        with torch.no_grad():
            value = self.critics.least(state, self.rounds(state)[1])
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
        """Return the loss (19) of the critics.

        Without hindsight it is the squared error of Q at the action taken. With hindsight it is a sum of three
        errors: of R at all actions, of F of the round's winner, and of what is estimated about rounds (`Rounds`).

        Args:
            state: standardised states, shape (batch, features).
            batch: transitions from D.
            weight: weight of the entropy.
        """
        now, after = self.critics(state)
        reward = torch.from_numpy(batch["reward"])
        future = self.target(batch, weight)
        if not self.settings.hindsight:
            action = torch.from_numpy(batch["action"]).long().expand(2, -1)[..., None]
            chosen = now.gather(2, action)[..., 0]
            loss: Tensor = ((chosen - (reward + future)) ** 2).mean(dim=1).sum()
            return loss
        estimate, odds = self.rounds(state)
        seen = torch.from_numpy(~np.isnan(batch["uav_value"]))
        known = torch.from_numpy(np.nan_to_num(batch["uav_value"]))
        # Only rounds that the UAV won show its value.
        estimate_loss: Tensor = ((estimate - known) ** 2 * seen).sum() / seen.sum().clamp(min=1)
        # detach(): the estimate is learned from the UAV's values, not from the critics' errors.
        earned, wins = hindsight(batch, self.grid, estimate.detach().numpy())
        now_loss: Tensor = ((now - torch.from_numpy(earned)) ** 2).mean(dim=(1, 2)).sum()
        if not self.critics.has_future:
            alone: Tensor = now_loss + estimate_loss
            return alone
        # What followed is known for the kind of provider that won: 0 is the UAV, 1 a station.
        won = (~seen).long().expand(2, -1)[..., None]
        after_loss: Tensor = ((after.gather(2, won)[..., 0] - future) ** 2).mean(dim=1).sum()
        winner_loss = binary_cross_entropy_with_logits(odds, torch.from_numpy(wins).float())
        all_parts: Tensor = now_loss + after_loss + estimate_loss + winner_loss
        return all_parts

    @torch.no_grad()
    def target(self, batch: Batch, weight: float) -> Tensor:
        """Return the discounted part of the target (20), ``gamma (min_i Q'_i(s', pi'(s')) - r + beta H(pi'(s')))``.

        Here ``r`` is the mean reward of the world so far. The entropy term is not in (20).

        Args:
            batch: transitions from D.
            weight: weight beta of the entropy.

        Returns:
            Targets of F, shape (batch,).
        """
        # This is reward centering (Naik, Wan, Tomar and Sutton 2024). Most of what follows an action is a level of
        # rewards that no action changes. Without r the critics would first have to learn this level. To subtract r
        # shifts the values of all actions by the same amount.
        if self.settings.gamma == 0.0:
            return torch.zeros(len(batch["reward"]))
        state = torch.from_numpy(self.scaler.scale(batch["next_state"]))
        policy = self.target_actor(state, self.generator)
        value = (policy * self.target_critics.least(state, self.rounds(state)[1])).sum(dim=-1)
        value = value + weight * entropy(policy)
        later, discount = torch.from_numpy(batch["later"]), torch.from_numpy(batch["discount"])
        mean = torch.from_numpy(self.mean_rewards[batch["world"].astype(np.int64)]).float()
        weight_of_later = torch.from_numpy(batch["later_weight"])
        target: Tensor = self.settings.gamma * (later - mean * weight_of_later + discount * (value - mean))
        return target

    def modules(self) -> dict[str, nn.Module]:
        """Return all networks by their names in a checkpoint."""
        names = ("actor", "target_actor", "critics", "target_critics", "rounds")
        return {name: getattr(self, name) for name in names}

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the complete state for a checkpoint.

        Returns:
            The arrays by name, and the other values for the JSON file.
        """
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
        """Restore the state of a checkpoint.

        Args:
            arrays: the arrays by name.
            meta: the values of the JSON file. Kind, settings and grid must be those of this learner.
        """
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
        """Return the arrays that a deployed policy needs: the target actor and the statistics of the features."""
        # The target actor is a moving average over the last updates, so it varies less than the actor.
        frozen = {"scaler.mean": self.scaler.mean, "scaler.sd": self.scaler.sd}
        return arrays_of(self.target_actor, "actor") | {
            name: array.astype(np.float32) for name, array in frozen.items()
        }


def _part(arrays: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the arrays whose names begin with a prefix, without the prefix."""
    start = f"{prefix}."
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
