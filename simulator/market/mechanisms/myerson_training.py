"""Training of monotone virtual values: the largest revenue of an auction that sells to the highest of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
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
from simulator.market.mechanisms.layouts import GROUPS, MYERSON_LAYOUT, MYERSON_NET, PIECES
from simulator.market.mechanisms.learned import Profile, padded

REPORT_EVERY = 500
"""Number of updates between two reports."""

COLDEST, HOTTEST = 900.0, 30.0
"""Factor of virtual values in the softmax, at the end and at the start. The published one is 1,000 throughout."""

MOST_STATE_BYTES = 1 << 22


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
        self.parameters = [self.w.requires_grad_(), self.b.requires_grad_()]

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


def train(
    profiles: Callable[[int], Sequence[Profile]],
    steps: int,
    seed: int,
    out: Path,
    resume: bool,
    report: Callable[[dict[str, float]], None],
    rate: float,
    batch: int,
    worlds: int,
) -> None:
    """Train monotone virtual values, see `MyersonNet.train`.

    Raises:
        InputError: a hyperparameter is out of range, or there is no auction to train on.
    """
    for name, number, most in (("rate", rate, 10.0), ("batch", batch, 1_000_000), ("worlds", worlds, 10_000)):
        if not 0 < number <= most:
            raise InputError(f"hyperparameter {name} must be above 0 and at most {most:g}, not {number!r}")
    torch.set_num_threads(1)
    rounds = [one for world in range(worlds) for one in profiles(world) if one.bids]
    if not rounds:
        raise InputError("scenarios: no auction of the training worlds has a bid")
    arrays = padded(rounds)
    ratios, scales, uav, there = (torch.from_numpy(array) for array in arrays)
    kind = uav.long()
    generator = torch.Generator().manual_seed(seed)
    network = Network(2, generator, [ratios[there & (kind == one)] for one in range(2)])
    optimiser = torch.optim.Adam(network.parameters, lr=rate)
    done = _restore(out / "last", network, optimiser, generator, steps) if resume else 0

    def write(folder: str, state: bool) -> None:
        kept = {name: tensor.detach().numpy() for name, tensor in (("w", network.w), ("b", network.b))}
        meta: dict[str, Any] = {"kind": MYERSON_NET, "steps": done}
        if state:
            meta["total_steps"] = steps
            kept["generator"] = generator.get_state().numpy()
            for number, moments in optimiser.state_dict()["state"].items():
                kept |= {f"optimiser.{number}.{name}": tensor.numpy() for name, tensor in moments.items()}
        save(out / folder, kept, meta)

    def show() -> None:
        write("deployed", state=False)
        report({"steps": done, "checkpoint": 1.0})
        write("last", state=True)

    if not done:
        show()
    while done < steps:
        rows = torch.randint(len(rounds), (batch,), generator=generator)
        share = done / steps
        optimiser.param_groups[0]["lr"] = rate * (1.0 - share)
        factor = HOTTEST * (COLDEST / HOTTEST) ** share
        loss = -network.revenue(ratios[rows], scales[rows], kind[rows], there[rows], factor).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        done += 1
        if done % REPORT_EVERY == 0 or done == steps:
            with torch.no_grad():
                revenue = network.revenue(ratios, scales, kind, there, torch.inf).mean()
            report({"steps": done, "train/reward": float(revenue), "loss/actor": float(loss.detach())})
            show()


def _restore(
    folder: Path, network: Network, optimiser: torch.optim.Adam, generator: torch.Generator, steps: int
) -> int:
    """Take over the state of a training, and return the number of updates that it has done.

    Raises:
        InputError: it is damaged, or of another training.
    """
    meta = read_meta(folder, MYERSON_NET)
    if meta.get("total_steps") != steps:
        raise InputError(f"{folder / META}: 'total_steps' must be {steps}, not {meta.get('total_steps')}")
    data, arrays = read_arrays(folder, MOST_STATE_BYTES)
    moments = {
        f"optimiser.{number}.{name}": ("float32", MYERSON_LAYOUT["w"][1] if name != "step" else ())
        for number in range(2)
        for name in ("step", "exp_avg", "exp_avg_sq")
        if meta["steps"]
    }
    layout = MYERSON_LAYOUT | moments | {"generator": ("uint8", tuple(generator.get_state().shape))}
    check_layout(folder / ARRAYS, arrays, layout)
    check_finite(folder / ARRAYS, arrays)
    check_seal(folder, meta, data)
    with torch.no_grad():
        for name, tensor in (("w", network.w), ("b", network.b)):
            tensor.copy_(torch.from_numpy(arrays[name].copy()))
    generator.set_state(torch.from_numpy(arrays["generator"].copy()))
    state: dict[int, dict[str, Tensor]] = {}
    for name in moments:
        _, number, key = name.split(".")
        state.setdefault(int(number), {})[key] = torch.from_numpy(np.array(arrays[name]))
    if state:
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    return int(meta["steps"])
