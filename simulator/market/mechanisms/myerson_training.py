"""Training of monotone virtual values: the largest revenue of an auction that sells to the highest of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from simulator.market.mechanisms.layouts import GROUPS, MYERSON_LAYOUT, MYERSON_NET, PIECES
from simulator.market.mechanisms.profiles import Course, padded
from simulator.market.mechanisms.updates import Updates, Weights, check_hyperparameters

COLDEST, HOTTEST = 900.0, 30.0
"""Factor of virtual values in the softmax, at the end and at the start. The published one is 1,000 throughout."""


class Network:
    """Monotone functions of several kinds of bidders, and the revenue with them.

    Args:
        kinds: number of kinds.
        generator: the random generator of the first weights.
        values: values of each kind, by which the first reserve is set.
    """

    def __init__(self, kinds: int, generator: torch.Generator, values: Sequence[Tensor]) -> None:
        shape = (kinds, GROUPS, PIECES)
        self.w = 0.3 * torch.randn(shape, generator=generator)
        self.b = -torch.rand(shape, generator=generator)
        for kind, own in enumerate(values):
            if len(own):
                # Where the first reserve is below all values, it has no slope by which it could be learned.
                middle = torch.quantile(own, 0.6)
                heights = (torch.exp(self.w[kind]) * middle + self.b[kind]).amax(-1).amin(-1)
                self.b[kind] -= heights
        self.w.requires_grad_()
        self.b.requires_grad_()

    def phi(self, ratios: Tensor, kind: Tensor) -> Tensor:
        """Return virtual values.

        Args:
            ratios: values divided by their scale, any shape.
            kind: kind of each bidder, of the same shape.
        """
        return (torch.exp(self.w[kind]) * ratios[..., None, None] + self.b[kind]).amax(-1).amin(-1)

    def least(self, virtual: Tensor, kind: Tensor) -> Tensor:
        """Return the values with these virtual values."""
        return ((virtual[..., None, None] - self.b[kind]) * torch.exp(-self.w[kind])).amin(-1).amax(-1)

    def revenue(self, ratios: Tensor, scales: Tensor, kind: Tensor, there: Tensor, factor: float) -> Tensor:
        """Return the revenue of auctions, with a softmax in the place of the highest virtual value.

        Args:
            ratios: values divided by their scale, shape (auctions, bidders).
            scales: the scales.
            kind: kind of each bidder.
            there: whether there is a bidder.
            factor: factor of the virtual values in the softmax; infinity for the highest one.
        """
        virtual = torch.where(there, scales * self.phi(ratios, kind), -torch.inf)
        alone = torch.cat([virtual, torch.zeros(len(virtual), 1)], dim=1)
        # Each bidder's threshold is the highest virtual value of the others, or 0.
        top = alone.topk(2, dim=1)
        first = top.indices[:, :1] == torch.arange(virtual.shape[1])
        others = torch.where(first, top.values[:, 1:], top.values[:, :1])
        threshold = scales * self.least(others / scales.clamp(min=1e-6), kind)
        # Who wins never pays more than its bid. Without this, shares of the softmax of those who lose would pay more.
        paid = torch.minimum(threshold, scales * ratios).clamp(min=0.0) * there
        if factor == torch.inf:
            return (paid * first * (virtual > 0.0)).sum(dim=1)
        return (paid * torch.softmax(factor * alone, dim=1)[:, :-1]).sum(dim=1)


def train(course: Course, rate: float, batch: int, worlds: int) -> None:
    """Train monotone virtual values, see `MyersonNet.train`.

    Raises:
        InputError: a hyperparameter is out of range, or there is no auction to train on.
    """
    check_hyperparameters(rate=(rate, 10.0), batch=(batch, 1_000_000), worlds=(worlds, 10_000))
    torch.set_num_threads(1)
    ratios, scales, uav, there = (torch.from_numpy(array) for array in padded(course.rounds(worlds)))
    kind = uav.long()
    generator = torch.Generator().manual_seed(course.seed)
    network = Network(2, generator, [ratios[there & (kind == one)] for one in range(2)])
    weights = Weights(MYERSON_NET, MYERSON_LAYOUT, {"w": network.w, "b": network.b})

    def update(share: float) -> tuple[Tensor, dict[str, Tensor]]:
        rows = torch.randint(len(ratios), (batch,), generator=generator)
        factor = HOTTEST * (COLDEST / HOTTEST) ** share
        revenue = network.revenue(ratios[rows], scales[rows], kind[rows], there[rows], factor).mean()
        return -revenue, {"train/reward": revenue}

    Updates(weights, generator, rate).run(course, update)
