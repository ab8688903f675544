"""Training of RegretNet: revenue or surplus less what misreports gain, by the augmented Lagrangian method."""

from __future__ import annotations

import torch
from torch import Tensor

from simulator.errors import InputError
from simulator.market.mechanisms.layouts import REGRET_LAYOUT, REGRET_NET
from simulator.market.mechanisms.profiles import Course, padded
from simulator.market.mechanisms.regret_forward import features, outputs
from simulator.market.mechanisms.updates import Updates, Weights, check_hyperparameters

FIRST_MULTIPLIER, FIRST_PENALTY = 5.0, 1.0
"""First weights of the regret and of its square, as published."""

RAISE_EVERY, PENALTY_STEP = 100, 2.0
"""Number of updates after which the weight of the regret grows, and what the weight of its square grows by then."""

LEAST, MOST = 0.05, 3.0
"""Range of the factors of misreports. One misreport of each bidder is a bid of nothing."""


class Torch:
    """The functions of PyTorch that the network needs."""

    tanh = staticmethod(torch.tanh)
    sigmoid = staticmethod(torch.sigmoid)

    @staticmethod
    def softmax(x: Tensor) -> Tensor:
        """Return the softmax over the last axis."""
        return torch.softmax(x, dim=-1)

    @staticmethod
    def concatenate(arrays: tuple[Tensor, ...]) -> Tensor:
        """Return tensors one after the other along the last axis."""
        return torch.cat(arrays, dim=-1)


def first_weights(generator: torch.Generator) -> dict[str, Tensor]:
    """Return first weights, uniform within one over the root of the number of inputs."""
    found = {}
    for name, (_, shape) in REGRET_LAYOUT.items():
        limit = shape[0] ** -0.5
        found[name] = ((2.0 * torch.rand(shape, generator=generator) - 1.0) * limit).requires_grad_()
    return found


def lottery(
    weights: dict[str, Tensor], ratios: Tensor, scales: Tensor, uav: Tensor, there: Tensor
) -> tuple[Tensor, Tensor]:
    """Return probabilities and payments of auctions, in units of the largest expected value.

    Args:
        weights: the weights.
        ratios: bids divided by expected values, shape (auctions, bidders).
        scales: expected values divided by the largest of the auction.
        uav: 1 for a UAV.
        there: 1 where there is a bidder.
    """
    seen = features(ratios, scales, uav, lambda arrays: torch.stack(arrays, dim=-1))
    odds, shares = outputs(weights, seen, there, Torch)
    return odds * there, shares * ratios * scales


def regrets(weights: dict[str, Tensor], batch: tuple[Tensor, ...], utility: Tensor, factors: Tensor) -> Tensor:
    """Return what each bidder gains at most by misreports, shape (auctions, bidders).

    Args:
        weights: the weights.
        batch: ratios, scales, uav and there.
        utility: expected utility of each bidder if it tells the truth.
        factors: factors on the bid, shape (misreports, auctions, bidders).
    """
    ratios, scales, uav, there = batch
    count, auctions, bidders = factors.shape
    # For each misreport and each bidder an auction in which only this bidder says something else.
    only = torch.eye(bidders)[None, None]
    said = ratios[None, :, None, :] * (1.0 + only * (factors[..., None] - 1.0))
    wide = [one[None, :, None, :].expand_as(said).reshape(-1, bidders) for one in (scales, uav, there)]
    odds, pays = lottery(weights, said.reshape(-1, bidders), *wide)
    shape = count, auctions, bidders, bidders
    chance, paid = (one.reshape(shape).diagonal(dim1=-2, dim2=-1) for one in (odds, pays))
    gain = chance * (ratios * scales - paid) - utility
    return gain.amax(dim=0).clamp(min=0.0) * there


def train(course: Course, objective: str, rate: float, batch: int, misreports: int, worlds: int) -> None:
    """Train a RegretNet, see `RegretNet.train`.

    Raises:
        InputError: a hyperparameter is out of range, or there is no auction to train on.
    """
    if objective not in ("revenue", "surplus"):
        raise InputError(f"hyperparameter objective must be revenue or surplus, not {objective!r}")
    check_hyperparameters(
        rate=(rate, 10.0), batch=(batch, 100_000), misreports=(misreports, 1_000), worlds=(worlds, 10_000)
    )
    torch.set_num_threads(1)
    everything = tuple(torch.from_numpy(array).float() for array in padded(course.rounds(worlds)))
    generator = torch.Generator().manual_seed(course.seed)
    weights = first_weights(generator)
    lagrange = {"multiplier": FIRST_MULTIPLIER, "penalty": FIRST_PENALTY}
    updates = Updates(Weights(REGRET_NET, REGRET_LAYOUT, weights), generator, rate, lagrange)

    def update(share: float) -> tuple[Tensor, dict[str, Tensor]]:
        rows = torch.randint(len(everything[0]), (batch,), generator=generator)
        own = tuple(one[rows] for one in everything)
        ratios, scales, _, _ = own
        odds, pays = lottery(weights, *own)
        earned = (odds * (pays if objective == "revenue" else ratios * scales)).sum(dim=1).mean()
        factors = LEAST * (MOST / LEAST) ** torch.rand((misreports, *ratios.shape), generator=generator)
        factors[0] = 0.0
        gained = regrets(weights, own, odds * (ratios * scales - pays), factors).sum(dim=1).mean()
        loss = -earned + lagrange["multiplier"] * gained + 0.5 * lagrange["penalty"] * gained**2
        if (updates.done + 1) % RAISE_EVERY == 0:
            lagrange["multiplier"] += lagrange["penalty"] * float(gained.detach())
            lagrange["penalty"] += PENALTY_STEP
        return loss, {"train/reward": earned, "train/regret": gained}

    updates.run(course, update)
