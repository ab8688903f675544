"""What learning costs: steps of a training end to end, a decision, and an update against a plain implementation."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from policies.deployed import Diffusion
from policies.diffusion import DiffusionActorCritic
from policies.learning.features import NAMES
from policies.learning.replay import Batch
from policies.learning.soft_actor_critic import Settings
from policies.learning.training import train
from simulator.environment import Intersection
from simulator.market.contracts import MARKET_CONDITIONS, Observation
from simulator.model.mechanism import price_grid
from simulator.scenario.scenario import Scenario
from tests.benchmarks.clock import peak_memory_mib

ACTIONS = 20
PUBLISHED = Settings(
    steps_of_diffusion=5, draws=1, width=256, batch=512, gamma=0.95, soft_update=0.005, actor_rate=1e-4,
    critic_rate=1e-3, entropy_first=0.05, entropy_last=0.05, hindsight=False, worlds=1, warmup=0,
    critics_alone=0,
)  # fmt: skip
"""The sizes of D2SAC as published; one noise draw a state, as there."""


def steps_a_second(scenario: str, steps: int) -> float:
    """Environment steps per CPU-second of a training with default settings, the world included, one thread."""
    settings = Settings(gamma=0.0 if scenario == "paper" else 0.95)
    learner = DiffusionActorCritic(settings, price_grid(ACTIONS).tolist(), 0, steps)
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        begin = time.process_time()
        train(
            learner,
            [Intersection(scenario, 1_250.0) for _ in range(settings.worlds)],
            steps,
            0,
            Path(folder) / "training",
            lambda metrics: None,
        )
        return steps / (time.process_time() - begin)


TRAINING = """
from pathlib import Path
from tempfile import TemporaryDirectory
from simulator.study.train import train
with TemporaryDirectory() as folder:
    train(["paper"], "diffusion", 20_000, out=Path(folder) / "training")
"""


def training_memory_mib() -> float:
    """Peak memory of `dmsb train paper`, its evaluations included, in a process of its own, MiB."""
    return peak_memory_mib(TRAINING)


def decision_us(decisions: int = 2_000) -> float:
    """Processor time of one price of the shipped diffusion policy, us."""
    policy = Diffusion()
    policy.reset(Scenario.load("paper"), np.random.default_rng(0))
    observation = Observation(np.linspace(0.5, 2.0, len(MARKET_CONDITIONS)))
    begin = time.process_time()
    for _ in range(decisions):
        policy.price(observation)
    return (time.process_time() - begin) / decisions * 1e6


class PlainActor(nn.Module):
    """The reverse chain as one would write it first: modules of the library, one concatenated input a step."""

    def __init__(self, actor: Any) -> None:
        super().__init__()
        self.schedule, self.times = actor.schedule, actor.times
        first = torch.cat([actor.from_x, actor.from_time, actor.from_state])
        pairs = ((first, actor.first_bias), (actor.second, actor.second_bias), (actor.last, actor.last_bias))
        self.net = _sequential(pairs)

    def forward(self, state: Tensor, noise: Tensor) -> Tensor:
        """The policy of one noise draw."""
        x = noise[0]
        for step in range(self.schedule.steps, 0, -1):
            k = step - 1
            predicted = self.net(torch.cat([x, self.times[k].expand(len(x), -1), state], dim=1))
            x = self.schedule.shrink[k] * (x - self.schedule.subtract[k] * predicted)
            if step > 1:
                x = x + self.schedule.spread[k] * noise[self.schedule.steps - k]
        policy: Tensor = torch.softmax(x, dim=-1)
        return policy


class PlainCritic(nn.Module):
    """One of the two critics, which learn from the action that was taken only."""

    def __init__(self, critics: Any, number: int) -> None:
        super().__init__()
        pairs = zip(critics.net.weights, critics.net.biases, strict=True)
        self.net = _sequential((weight[number], bias[number, 0]) for weight, bias in pairs)

    def forward(self, state: Tensor) -> Tensor:
        """Q of each action."""
        value: Tensor = self.net(state)
        return value


def _sequential(pairs: Any) -> nn.Sequential:
    layers: list[nn.Module] = []
    for weight, bias in pairs:
        layer = nn.Linear(*weight.shape)
        with torch.no_grad():
            layer.weight.copy_(weight.T)
            layer.bias.copy_(bias)
        layers += [layer, nn.Mish()]
    return nn.Sequential(*layers[:-1])


class Plain:
    """The equations of `DiffusionActorCritic`, written with `F.mish` and `torch.optim.Adam`, one module a network."""

    def __init__(self, learner: DiffusionActorCritic) -> None:
        settings = learner.settings
        self.settings, self.generator = settings, torch.Generator().manual_seed(0)
        self.actor, self.target_actor = (PlainActor(learner.actor) for _ in range(2))
        self.critics, self.target_critics = (
            nn.ModuleList(PlainCritic(learner.critics, number) for number in range(2)) for _ in range(2)
        )
        self.actor_optimiser = torch.optim.Adam(self.actor.parameters(), lr=settings.actor_rate)
        self.critic_optimiser = torch.optim.Adam(self.critics.parameters(), lr=settings.critic_rate)

    def noise(self) -> Tensor:
        """All noise of a chain."""
        shape = (self.settings.steps_of_diffusion, self.settings.batch, ACTIONS)
        return torch.randn(shape, generator=self.generator)

    def update(self, batch: dict[str, Tensor]) -> None:
        """One update from a batch of tensors."""
        settings, weight = self.settings, self.settings.entropy_first
        with torch.no_grad():
            policy = self.target_actor(batch["next_state"], self.noise())
            value = torch.minimum(*(critic(batch["next_state"]) for critic in self.target_critics))
            spread = -(policy * torch.log(policy + 1e-8)).sum(dim=-1)
            soft = (policy * value).sum(dim=-1) + weight * spread
            target = batch["reward"] + settings.gamma * (batch["later"] + batch["discount"] * soft)
        rows = batch["action"].long()[:, None]
        loss = sum(functional.mse_loss(critic(batch["state"]).gather(1, rows)[:, 0], target) for critic in self.critics)
        self.critic_optimiser.zero_grad()
        loss.backward()  # type: ignore[union-attr]
        self.critic_optimiser.step()
        policy = self.actor(batch["state"], self.noise())
        with torch.no_grad():
            value = torch.minimum(*(critic(batch["state"]) for critic in self.critics))
        spread = -(policy * torch.log(policy + 1e-8)).sum(dim=-1).mean()
        actor_loss = -(policy * value).sum(dim=-1).mean() - weight * spread
        self.actor_optimiser.zero_grad()
        actor_loss.backward()
        self.actor_optimiser.step()
        for target_net, net in ((self.target_actor, self.actor), (self.target_critics, self.critics)):
            for mine, other in zip(target_net.parameters(), net.parameters(), strict=True):
                mine.data.mul_(1.0 - settings.soft_update).add_(other.data, alpha=settings.soft_update)


def against_plain(updates: int = 12) -> tuple[float, float]:
    """Updates per CPU-second over those of `Plain`, alternating in one process, and how far their policies part.

    Returns:
        The ratio of the median times, and the largest difference of the two policies on one batch after three updates
        from the same weights, batches and noise.
    """
    torch.set_num_threads(1)
    learner = DiffusionActorCritic(PUBLISHED, price_grid(ACTIONS).tolist(), 0, 10**9)
    plain = Plain(learner)
    learner.generator.manual_seed(0)
    rng = np.random.default_rng(0)
    learner.scaler.learn(_batch(rng)["state"].numpy().astype(np.float64))
    times: tuple[list[float], list[float]] = ([], [])
    apart = 0.0
    for number in range(updates):
        batch = _batch(rng)
        tensors = dict(batch)
        for name in ("state", "next_state"):
            tensors[name] = learner.scaler.standardise(batch[name])
        begin = time.process_time()
        learner.update(batch)
        middle = time.process_time()
        plain.update(tensors)
        times[0].append(middle - begin)
        times[1].append(time.process_time() - middle)
        if number == 2:
            with torch.no_grad():
                noise = torch.randn((PUBLISHED.steps_of_diffusion, 1, PUBLISHED.batch, ACTIONS))
                ours: Any = learner.actor
                one = torch.softmax(ours.chain(tensors["state"], noise), dim=-1)[0]
                apart = float((one - plain.actor(tensors["state"], noise[:, 0])).abs().max())
    mine, theirs = (float(np.median(part)) for part in times)
    return theirs / mine, apart


def _batch(rng: np.random.Generator) -> Batch:
    rows = PUBLISHED.batch
    columns = {
        "state": rng.normal(size=(rows, len(NAMES))),
        "next_state": rng.normal(size=(rows, len(NAMES))),
        "action": rng.integers(ACTIONS, size=rows),
        "world": np.zeros(rows),
        "reward": np.exp(rng.normal(size=rows)),
        "later": np.zeros(rows),
        "later_weight": np.zeros(rows),
        "discount": np.ones(rows),
        "top_bid": np.ones(rows),
        "scaled_bid": np.ones(rows),
        "by_uav": np.zeros(rows),
    }
    return {name: torch.from_numpy(np.asarray(column, dtype=np.float32)) for name, column in columns.items()}
