"""The critics of soft actor-critic, and what they know of a round: who would win at each price, and with what worth."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from .features import PRICE_INPUTS, Inputs
from .networks import Perceptron


class CriticSettings(Protocol):
    """Hyperparameters that decide the outputs of the networks."""

    @property
    def width(self) -> int:
        """Width of the hidden layers."""
        ...

    @property
    def gamma(self) -> float:
        """Discount factor."""
        ...

    @property
    def hindsight(self) -> bool:
        """Whether all actions are learned from."""
        ...

    @property
    def future_by_winner(self) -> bool:
        """Whether what follows is learned by winner, not by action."""
        ...


def learns_what_follows(settings: CriticSettings) -> bool:
    """Return whether the future is an output of its own: where it counts, and where hindsight tells it from the now."""
    return settings.hindsight and settings.gamma > 0.0


class Expected(NamedTuple):
    """What is expected of some rounds.

    Attributes:
        uav: what the UAV earns if it wins, weighted with zeta, shape (batch,).
        worth_of_bid: what the top station earns per unit of its bid, shape (batch,).
        odds: logarithm of the odds that the top station wins at each price, shape (batch, actions).
    """

    uav: Tensor
    worth_of_bid: Tensor
    odds: Tensor


class Rounds(nn.Module):
    """What a round is, by the public state: what the UAV and a bid are worth, and whether the top station wins.

    The state does not hold the bids, so all three are expectations.

    Args:
        settings: the hyperparameters.
        actions: number of prices.
        bids_are_rewards: whether a round that the top station wins earns its bid, so that a bid is worth 1.
        generator: the random generator of the first weights.
        inputs: what the networks see.
    """

    def __init__(
        self,
        settings: CriticSettings,
        actions: int,
        bids_are_rewards: bool,
        generator: torch.Generator,
        inputs: Inputs = PRICE_INPUTS,
    ) -> None:
        super().__init__()
        self.actions, self.bids_are_rewards = actions, bids_are_rewards
        self.knows_winners = learns_what_follows(settings) and settings.future_by_winner
        outputs = 1 + (not bids_are_rewards) + self.knows_winners * actions
        self.net = Perceptron(1, len(inputs), settings.width, outputs, generator)

    def forward(self, state: Tensor) -> Expected:
        """Return the expectations of a round.

        Args:
            state: standardised states, shape (batch, features).

        Returns:
            The expectations. The odds are 0 if nobody needs them.
        """
        out = self.net(state)[0]
        worth = torch.ones_like(out[:, 0]) if self.bids_are_rewards else out[:, 1]
        odds = out[:, -self.actions :] if self.knows_winners else out.new_zeros(len(out), self.actions)
        return Expected(out[:, 0], worth, odds)


class Critics(nn.Module):
    """Twin critics ``Q(s, a) = R(s, a) + W(s, a) F_station(s) + (1 - W(s, a)) F_UAV(s)``.

    R is the reward of an action now. F is the discounted value of what follows a station, or the UAV, as the winner. W
    is the probability that a station wins (`Rounds`). Without `learns_what_follows`, Q is R. Without
    ``future_by_winner``, Q is ``R(s, a) + F(s, a)``.
    """

    # Hindsight knows what every action would have earned (R). It does not know what would have followed if the other
    # kind of provider had won. If F were learned for each action from the rounds whose winner the action would not have
    # changed, it would mix rounds in proportions that depend on what was played: in the middle of the prices F would
    # have about two thirds of its true slope. What follows depends on who won, not on the price that made it win.

    def __init__(
        self, settings: CriticSettings, actions: int, generator: torch.Generator, inputs: Inputs = PRICE_INPUTS
    ) -> None:
        super().__init__()
        self.actions, self.has_future = actions, learns_what_follows(settings)
        self.by_winner = settings.future_by_winner
        self.futures = (2 if self.by_winner else actions) if self.has_future else 0
        self.net = Perceptron(2, len(inputs), settings.width, actions + self.futures, generator)

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the parts of Q.

        Args:
            state: standardised states, shape (batch, features).

        Returns:
            R of both critics, shape (2, batch, actions), and their F_UAV and F_station, shape (2, batch, 2), or their
            F of each action, shape (2, batch, actions).
        """
        out = self.net(state)
        if not self.has_future:
            return out, out.new_zeros(2, len(state), 2 if self.by_winner else self.actions)
        return out[..., : self.actions], out[..., self.actions :]

    def least(self, state: Tensor, odds: Tensor) -> Tensor:
        """Return the smaller Q of the two critics, as in (20) and (21).

        Args:
            state: standardised states, shape (batch, features).
            odds: logarithm of the odds that a station wins, from `Rounds`, shape (batch, actions).

        Returns:
            Q, shape (batch, actions).
        """
        now, after = self(state)
        if not self.by_winner:
            return torch.minimum(*(now + after))
        wins = torch.sigmoid(odds)
        uav, station = after[..., :1], after[..., 1:]
        both = now + uav + wins * (station - uav)
        return torch.minimum(both[0], both[1])
