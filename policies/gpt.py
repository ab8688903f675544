"""A causal transformer that is trained on records of simple rules first, then by PPO: the auctioneer of MADDA.

The first part of the training records windows in which rules choose the steps of the clocks: one constant step, a part
of the gap, or steps at random. While it records, the network learns to tell from a state a high quantile of the return
that follows, and from a return the action that was taken (a decision transformer). In the second part it acts itself,
asks for that quantile, and goes on with the clipped objective of PPO.

Source: arXiv 2406.05418 names an auctioneer that is a transformer over return-to-go, first trained offline and then by
PPO; its abstract was read. Sizes, rules, quantile and all other numbers are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from simulator.model import FloatArray, IntArray

from . import ppo
from .learning.features import PRICE_INPUTS, ROUND, Inputs, check_sequence
from .learning.networks import CPU, parameters, to_device
from .learning.transformer import Transformer

GAP = ("buyer_clock", "seller_clock")
"""Names of the two prices whose distance a rule divides."""

PARTS = (2.0, 4.0, 8.0, 16.0)
"""Parts of the gap that the rules take as a step."""

TOLD = -1
"""Number in the place of a rule where the network itself has chosen."""


@dataclass(frozen=True)
class Settings(ppo.Settings):
    """Hyperparameters. None was tuned: no other values were tried."""

    layers: int = 3
    """Number of layers of the transformer. With ``inner`` and ``width`` it has the sizes of AuctionNet's (2024)."""
    inner: int = 512
    """Width of the hidden layer in each of them."""
    context: int = 20
    """Number of steps of a sequence that a token sees, its own included."""
    positions: int = 128
    """Number of steps that have a position of their own. Two clocks meet after 100 steps of .01 at most."""
    recorded_share: float = 0.5
    """Share of the steps of the training that rules choose."""
    record_every: int = 20
    """Number of recorded steps per update."""
    batch: int = 32
    """Number of pieces of sequences in an update on records, each of at most ``context`` steps."""
    warmup: int = 500
    """Number of updates over which the learning rate rises at the start."""
    quantile: float = 0.9
    """Quantile of the return that the network learns to tell, and asks for."""
    weight_decay: float = 1e-4
    """Weight decay of AdamW."""
    rate: float = 3e-4
    """Learning rate. It is constant after the warm-up, and falls linearly to 0 in the second part."""


class GenerativeTransformer(ppo.ProximalPolicyOptimisation):
    """The learner without the environment: it acts by rules and then by itself, stores steps and updates.

    Args:
        settings: the hyperparameters.
        grid: numbers of the actions.
        seed: seed of the weights, the rules, the actions and the batches.
        total_steps: number of environment steps in both parts together.
        device: where networks and random generator are.
        inputs: what the network sees. One must be ``round``.

    Attributes:
        rules: rules that choose in the first part: None for a random action, an action, or parts of the gap.

    Raises:
        InputError: the seat does not count the steps of a sequence.
    """

    kind: ClassVar[str] = "gpt"
    columns: ClassVar[tuple[str, ...]] = (*ppo.ProximalPolicyOptimisation.columns, "asked", "rule")
    settings: Settings

    def __init__(
        self,
        settings: Settings,
        grid: Sequence[float],
        seed: int,
        total_steps: int,
        device: torch.device = CPU,
        inputs: Inputs = PRICE_INPUTS,
    ) -> None:
        check_sequence(inputs)
        super().__init__(settings, grid, seed, total_steps, device, inputs)
        self.recorded = round(settings.recorded_share * total_steps)
        self._round = inputs.names.index(ROUND)
        self.rules: list[int | float | None] = [None, *range(len(self.grid))]
        if set(GAP) <= set(inputs.names):
            self.rules += PARTS

    def _new_actor(self) -> nn.Module:
        """Return the transformer."""
        own = self.settings
        return Transformer(
            len(self.inputs), len(self.grid), own.width, own.layers, own.inner, own.context, own.positions,
            self.generator,
        ).to(self.device)  # fmt: skip

    def _initialise(self) -> None:
        """Give the critic its first weights. The transformer keeps the weights that it was made with."""
        ppo.orthogonal(self.critic, 1.0, self.generator)

    def _new_optimiser(self) -> torch.optim.Optimizer:
        """Return the optimiser of transformer and critic."""
        learned, own = parameters([self.actor, self.critic]), self.settings
        return torch.optim.AdamW(learned, lr=own.rate, weight_decay=own.weight_decay, fused=True)

    def act(self, vectors: FloatArray, worlds: Sequence[int]) -> IntArray:
        """Choose by the rule of each world's sequence, or draw from the network.

        Args:
            vectors: observations of several worlds, shape (n, features).
            worlds: numbers of the worlds, n.

        Returns:
            One action per world, shape (n,).
        """
        self.scaler.learn_and_scale(vectors)
        rules = [self._rule(world, vector) for world, vector in zip(worlds, vectors, strict=True)]
        actions = np.zeros(len(vectors), dtype=np.int64)
        self._chosen = [{"log": 0.0, "asked": 0.0, "rule": rule} for rule in rules]
        for number, rule in enumerate(rules):
            if rule != TOLD:
                actions[number] = self._by_rule(self.rules[rule], vectors[number])
        own = [number for number, rule in enumerate(rules) if rule == TOLD]
        if own:
            sequences = [self._sequence(worlds[number], vectors[number]) for number in own]
            drawn, logs, asked = self._drawn(sequences)
            actions[own] = drawn
            for number, log, ask in zip(own, logs.tolist(), asked.tolist(), strict=True):
                self._chosen[number] |= {"log": log, "asked": ask}
        return actions

    def _rule(self, world: int, vector: FloatArray) -> int:
        """Return who chooses in a world: that of the running sequence, or at its first step a new one."""
        steps = self.rollouts.steps[world]
        if vector[self._round] and steps:
            return int(steps[-1]["rule"])
        if self.steps >= self.recorded:
            return TOLD
        return int(torch.randint(len(self.rules), (1,), generator=self.generator, device=self.device))

    def _by_rule(self, rule: int | float | None, vector: FloatArray) -> int:
        """Return the action of a rule."""
        if rule is None:
            return int(torch.randint(len(self.grid), (1,), generator=self.generator, device=self.device))
        if isinstance(rule, int):
            return rule
        high, low = (vector[self.inputs.names.index(name)] for name in GAP)
        return int(np.abs(np.array(self.grid) - (high - low) / rule).argmin())

    def _sequence(self, world: int, vector: FloatArray) -> list[dict[str, Any]]:
        """Return the steps of the sequence that runs in a world, the present one at the end."""
        steps = self.rollouts.steps[world]
        before = steps[self._unfinished(steps) :] if vector[self._round] else []
        return [*before, {"state": vector}]

    def _unfinished(self, steps: list[dict[str, Any]]) -> int:
        """Return where the last sequence of a world begins; the number of steps where it has ended with its world."""
        if not steps or steps[-1]["ended"]:
            return len(steps)
        first = len(steps) - 1
        while first and steps[first]["state"][self._round]:
            first -= 1
        return first

    @torch.no_grad()
    def _drawn(self, sequences: list[list[dict[str, Any]]]) -> tuple[IntArray, FloatArray, FloatArray]:
        """Draw the action of the last step of each sequence, whose other columns are not there yet.

        Returns:
            Actions, the logarithms of their probabilities, and the returns that are asked for, shape (sequences,).
        """
        batch, last = self._padded(sequences), [len(sequence) - 1 for sequence in sequences]
        rows = torch.arange(len(last), device=self.device)
        # The return is told from the state, before it is asked for.
        batch["asked"][rows, last] = self._forward(batch)[0][rows, last]
        logs = torch.log_softmax(self._forward(batch)[1][rows, last], dim=-1)
        actions = torch.multinomial(logs.exp(), 1, generator=self.generator)
        found = actions[:, 0], logs.gather(1, actions)[:, 0], batch["asked"][rows, last]
        drawn, log, asked = (tensor.cpu().numpy() for tensor in found)
        return drawn, log.astype(np.float64), asked.astype(np.float64)

    def _padded(self, sequences: list[list[dict[str, Any]]]) -> dict[str, Tensor]:
        """Return sequences as tensors, filled up with zeros to the length of the longest.

        Returns:
            ``state``, ``asked``, ``action`` and ``position`` for the network, and ``there``, which is false where
            a sequence has been filled up; shape (sequences, steps, ...).
        """
        shape = len(sequences), max(map(len, sequences))
        vectors = np.zeros((*shape, len(self.inputs)))
        numbers = {name: np.zeros(shape, dtype=np.float32) for name in ("asked", "action")}
        there = np.zeros(shape, dtype=bool)
        for row, sequence in enumerate(sequences):
            there[row, : len(sequence)] = True
            vectors[row, : len(sequence)] = [step["state"] for step in sequence]
            for name, array in numbers.items():
                array[row, : len(sequence)] = [step.get(name, 0.0) for step in sequence]
        flat = self.standardised(vectors.reshape(-1, len(self.inputs)))
        return {
            "state": flat.reshape(*vectors.shape),
            "asked": to_device(numbers["asked"], self.device),
            "action": to_device(numbers["action"].astype(np.int64), self.device),
            "position": to_device(vectors[:, :, self._round].astype(np.int64), self.device),
            "there": to_device(there, self.device),
        }

    def _forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the quantiles of the return and the logits of a batch of `_padded`."""
        quantile, logits = self.actor(batch["state"], batch["asked"], batch["action"], batch["position"])
        return quantile, logits

    def learn(self) -> dict[str, Tensor]:
        """Update the networks if it is time: on records in the first part, by PPO in the second.

        Returns:
            The metrics of the last update, or an empty mapping if there was none.
        """
        if self.steps >= self.recorded:
            return super().learn()
        metrics: dict[str, Tensor] = {}
        while self.updates < self.steps // self.settings.record_every:
            pieces = self._pieces()
            if not pieces:
                break
            metrics = self._update_on_records(pieces)
        return metrics

    def _pieces(self) -> list[list[dict[str, Any]]]:
        """Draw pieces of recorded sequences that have ended, each with the return that followed as what was asked."""
        own = self.settings
        ends = [self._unfinished(steps) for steps in self.rollouts.steps]
        if not sum(ends):
            return []
        starts = np.concatenate([[0], np.cumsum(ends)])
        drawn = torch.randint(int(starts[-1]), (own.batch,), generator=self.generator, device=self.device)
        pieces = []
        for place in drawn.tolist():
            world = int(np.searchsorted(starts, place, side="right")) - 1
            steps, first = self.rollouts.steps[world], place - int(starts[world])
            stop = first + 1
            while stop < ends[world] and steps[stop]["state"][self._round]:
                stop += 1
            piece = self._with_returns(steps[first:stop])
            pieces.append(piece[: own.context])
        return pieces

    def _with_returns(self, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return steps up to the end of a sequence, with the return that followed as what was asked."""
        # Returns differ by orders of magnitude with the number of vehicles. A quantile of a rising function of a return
        # is that function of the quantile, so nothing is lost.
        following = np.arcsinh(np.cumsum([step["reward"] for step in reversed(steps)])[::-1])
        return [step | {"asked": told} for step, told in zip(steps, following.tolist(), strict=True)]

    def _update_on_records(self, pieces: list[list[dict[str, Any]]]) -> dict[str, Tensor]:
        """Make one update on pieces of recorded sequences."""
        risen = min((self.updates + 1) / max(self.settings.warmup, 1), 1.0)
        self.optimiser.param_groups[0]["lr"] = self.settings.rate * risen
        batch = self._padded(pieces)
        quantile, logits = self._forward(batch)
        there = batch["there"]
        of_actions = nn.functional.cross_entropy(logits[there], batch["action"][there])
        of_returns = self.quantile_loss(quantile[there], batch["asked"][there])
        self.descend(of_actions + of_returns)
        return {"loss/records": of_actions.detach(), "loss/quantile": of_returns.detach()}

    def quantile_loss(self, told: Tensor, found: Tensor) -> Tensor:
        """Return the mean loss of a quantile, ``max(q e, (q - 1) e)`` with the error ``e = found - told``."""
        error, share = found - told, self.settings.quantile
        return torch.maximum(share * error, (share - 1.0) * error).mean()

    def _taken(self) -> list[list[dict[str, Any]]]:
        """Take the sequences that have ended out of the rollouts, and return those that the network has chosen."""
        taken = []
        for world, steps in enumerate(self.rollouts.steps):
            end = self._unfinished(steps)
            # Advantages need the steps of a world in a row. The first of its own come after the last of a rule.
            taken.append([step for step in steps[:end] if step["rule"] == TOLD])
            self.rollouts.steps[world] = steps[end:]
        return taken

    def update(self, batch: dict[str, FloatArray]) -> dict[str, Tensor]:
        """Update the networks by all epochs over one batch of sequences.

        Args:
            batch: columns of all rollouts.

        Returns:
            The metrics of the last minibatch, on the device.
        """
        own = self.settings
        left = max(self.total_steps - self.steps, 0) / max(self.total_steps - self.recorded, 1)
        self.optimiser.param_groups[0]["lr"] = own.rate * left
        rows = [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
        starts = [number for number, row in enumerate(rows) if not number or not row["state"][self._round]]
        sequences = [rows[start:stop] for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True)]
        metrics: dict[str, Tensor] = {}
        for _ in range(own.epochs):
            order = torch.randperm(len(sequences), generator=self.generator, device=self.device).tolist()
            for part in np.array_split(order, min(own.minibatches, len(order))):
                metrics = self._update_on([sequences[number] for number in part])
        return metrics

    def _update_on(self, sequences: list[list[dict[str, Any]]]) -> dict[str, Tensor]:
        """Make one update by PPO on sequences with estimates."""
        batch = self._padded(sequences)
        there, steps = batch["there"], [step for sequence in sequences for step in sequence]
        quantile, logits = self._forward(batch)
        columns = np.array([[step[name] for name in ("log", "advantage", "return")] for step in steps], np.float32)
        old, gain, returns = to_device(columns, self.device).unbind(dim=1)
        logs = torch.log_softmax(logits[there], dim=-1)
        of_actor, metrics = self.actor_loss(logs, batch["action"][there][:, None], old, gain)
        of_critic = self.critic_loss(batch["state"][there], returns)
        followed = [step["asked"] for sequence in sequences for step in self._with_returns(sequence)]
        of_returns = self.quantile_loss(quantile[there], to_device(np.array(followed, np.float32), self.device))
        self.descend(of_actor + self.settings.value_weight * of_critic + of_returns)
        return metrics | {"loss/critic": of_critic.detach(), "loss/quantile": of_returns.detach()}
