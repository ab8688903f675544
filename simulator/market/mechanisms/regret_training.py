"""Training of RegretNet: revenue or surplus less what misreports gain, by the augmented Lagrangian method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simulator.errors import InputError
from simulator.files.checkpoint import (
    ARRAYS,
    META,
    check_finite,
    check_layout,
    check_seal,
    read_arrays,
    read_meta,
    save,
)
from simulator.market.mechanisms.layouts import REGRET_LAYOUT, REGRET_NET
from simulator.market.mechanisms.learned import Profile, padded
from simulator.market.mechanisms.regret_forward import features, outputs

REPORT_EVERY = 500
"""Number of updates between two reports."""

FIRST_MULTIPLIER, FIRST_PENALTY = 5.0, 1.0
"""First weights of the regret and of its square, as published."""

RAISE_EVERY, PENALTY_STEP = 100, 2.0
"""Number of updates after which the weight of the regret grows, and what the weight of its square grows by then."""

LEAST, MOST = 0.05, 3.0
"""Range of the factors of misreports. One misreport of each bidder is a bid of nothing."""

MOST_STATE_BYTES = 1 << 24


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


def train(
    profiles: Callable[[int], Sequence[Profile]],
    steps: int,
    seed: int,
    out: Path,
    resume: bool,
    report: Callable[[dict[str, float]], None],
    objective: str,
    rate: float,
    batch: int,
    misreports: int,
    worlds: int,
) -> None:
    """Train a RegretNet, see `RegretNet.train`.

    Raises:
        InputError: a hyperparameter is out of range, or there is no auction to train on.
    """
    if objective not in ("revenue", "surplus"):
        raise InputError(f"hyperparameter objective must be revenue or surplus, not {objective!r}")
    for name, number, most in (
        ("rate", rate, 10.0), ("batch", batch, 100_000), ("misreports", misreports, 1_000), ("worlds", worlds, 10_000)
    ):  # fmt: skip
        if not 0 < number <= most:
            raise InputError(f"hyperparameter {name} must be above 0 and at most {most:g}, not {number!r}")
    torch.set_num_threads(1)
    rounds = [one for world in range(worlds) for one in profiles(world) if one.bids]
    if not rounds:
        raise InputError("scenarios: no auction of the training worlds has a bid")
    everything = tuple(torch.from_numpy(array).float() for array in padded(rounds))
    generator = torch.Generator().manual_seed(seed)
    weights = first_weights(generator)
    optimiser = torch.optim.Adam(list(weights.values()), lr=rate)
    state = {"done": 0.0, "multiplier": FIRST_MULTIPLIER, "penalty": FIRST_PENALTY}
    if resume:
        _restore(out / "last", weights, optimiser, generator, state, steps)

    def write(folder: str, complete: bool) -> None:
        kept = {name: tensor.detach().numpy() for name, tensor in weights.items()}
        meta: dict[str, Any] = {"kind": REGRET_NET, "steps": int(state["done"])}
        if complete:
            meta |= {"total_steps": steps, "multiplier": state["multiplier"], "penalty": state["penalty"]}
            kept["generator"] = generator.get_state().numpy()
            for number, moments in optimiser.state_dict()["state"].items():
                kept |= {f"optimiser.{number}.{name}": tensor.numpy() for name, tensor in moments.items()}
        save(out / folder, kept, meta)

    def show() -> None:
        write("deployed", complete=False)
        report({"steps": state["done"], "checkpoint": 1.0})
        write("last", complete=True)

    if not state["done"]:
        show()
    while state["done"] < steps:
        rows = torch.randint(len(rounds), (batch,), generator=generator)
        own = tuple(one[rows] for one in everything)
        ratios, scales, _, _ = own
        optimiser.param_groups[0]["lr"] = rate * (1.0 - state["done"] / steps)
        odds, pays = lottery(weights, *own)
        revenue = (odds * pays).sum(dim=1).mean()
        surplus = (odds * ratios * scales).sum(dim=1).mean()
        drawn = torch.rand((misreports, *ratios.shape), generator=generator)
        factors = LEAST * (MOST / LEAST) ** drawn
        factors[0] = 0.0
        gained = regrets(weights, own, odds * (ratios * scales - pays), factors).sum(dim=1).mean()
        earned = revenue if objective == "revenue" else surplus
        loss = -earned + state["multiplier"] * gained + 0.5 * state["penalty"] * gained**2
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        state["done"] += 1
        if state["done"] % RAISE_EVERY == 0:
            state["multiplier"] += state["penalty"] * float(gained.detach())
            state["penalty"] += PENALTY_STEP
        if state["done"] % REPORT_EVERY == 0 or state["done"] == steps:
            told = {"train/reward": float(earned.detach()), "train/regret": float(gained.detach())}
            report({"steps": state["done"], "loss/actor": float(loss.detach()), **told})
            show()


def _restore(
    folder: Path,
    weights: dict[str, Tensor],
    optimiser: torch.optim.Adam,
    generator: torch.Generator,
    state: dict[str, float],
    steps: int,
) -> None:
    """Take over the state of a training.

    Raises:
        InputError: it is damaged, or of another training.
    """
    meta = read_meta(folder, REGRET_NET)
    if meta.get("total_steps") != steps:
        raise InputError(f"{folder / META}: 'total_steps' must be {steps}, not {meta.get('total_steps')}")
    data, arrays = read_arrays(folder, MOST_STATE_BYTES)
    moments = {
        f"optimiser.{number}.{key}": ("float32", shape if key != "step" else ())
        for number, (_, shape) in enumerate(REGRET_LAYOUT.values())
        for key in ("step", "exp_avg", "exp_avg_sq")
        if meta["steps"]
    }
    check_layout(
        folder / ARRAYS, arrays, REGRET_LAYOUT | moments | {"generator": ("uint8", tuple(generator.get_state().shape))}
    )
    check_finite(folder / ARRAYS, arrays)
    check_seal(folder, meta, data)
    with torch.no_grad():
        for name, tensor in weights.items():
            tensor.copy_(torch.from_numpy(arrays[name].copy()))
    generator.set_state(torch.from_numpy(arrays["generator"].copy()))
    kept: dict[int, dict[str, Tensor]] = {}
    for name in moments:
        _, number, key = name.split(".")
        kept.setdefault(int(number), {})[key] = torch.from_numpy(arrays[name].copy())
    if kept:
        optimiser.load_state_dict({**optimiser.state_dict(), "state": kept})
    state |= {"done": meta["steps"], "multiplier": meta["multiplier"], "penalty": meta["penalty"]}
