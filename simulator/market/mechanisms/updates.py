"""Updates of the weights of a mechanism, with checkpoints from which they go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from simulator.errors import InputError, shown
from simulator.files.checkpoint import (
    ARRAYS,
    META,
    Layout,
    check_finite,
    check_layout,
    check_seal,
    check_steps,
    read_arrays,
    read_meta,
    save,
)
from simulator.files.reading import is_number, is_whole
from simulator.market.mechanisms.profiles import Course

REPORT_EVERY = 500
"""Number of updates between two reports."""

MOST_STATE_BYTES = 1 << 24


class Weights(NamedTuple):
    """What is updated.

    Attributes:
        kind: name of the mechanism.
        layout: type and shape of each array.
        tensors: the weights, by name, in the order of the layout.
    """

    kind: str
    layout: Layout
    tensors: dict[str, Tensor]


class Updates:
    """Updates of some weights by Adam, whose rate falls linearly to 0.

    Args:
        weights: the weights.
        generator: the random generator of the batches.
        rate: learning rate at the start.
        numbers: numbers besides the weights that an update may change, by name.
    """

    def __init__(
        self, weights: Weights, generator: torch.Generator, rate: float, numbers: dict[str, float] | None = None
    ) -> None:
        self.weights, self.generator, self.rate = weights, generator, rate
        self.numbers = {} if numbers is None else numbers
        self.optimiser = torch.optim.Adam(list(weights.tensors.values()), lr=rate)
        self.done = 0

    def run(self, course: Course, update: Callable[[float], tuple[Tensor, Mapping[str, Tensor]]]) -> None:
        """Make all updates of a course that are left, and report and save them now and then.

        Args:
            course: the course.
            update: function from the share of the updates that is done to a loss and metrics.

        Raises:
            InputError: the state in ``out/last`` is damaged, or of another training.
        """
        if course.resume:
            self._restore(course)
        if not self.done:
            self._show(course)
        while self.done < course.steps:
            share = self.done / course.steps
            self.optimiser.param_groups[0]["lr"] = self.rate * (1.0 - share)
            loss, metrics = update(share)
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            self.done += 1
            if self.done % REPORT_EVERY == 0 or self.done == course.steps:
                told = {name: float(metric.detach()) for name, metric in {"loss/actor": loss, **metrics}.items()}
                course.report({"steps": self.done, **told})
                self._show(course)

    def _show(self, course: Course) -> None:
        """Write the weights, have them evaluated, and write the complete state."""
        kept = {name: tensor.detach().numpy() for name, tensor in self.weights.tensors.items()}
        meta: dict[str, Any] = {"kind": self.weights.kind, "steps": self.done}
        save(course.out / "deployed", kept, meta)
        course.report({"steps": self.done, "checkpoint": 1.0})
        kept["generator"] = self.generator.get_state().numpy()
        for number, moments in self.optimiser.state_dict()["state"].items():
            kept |= {f"optimiser.{number}.{name}": tensor.numpy() for name, tensor in moments.items()}
        save(course.out / "last", kept, meta | {"total_steps": course.steps} | self.numbers)

    def _restore(self, course: Course) -> None:
        """Take over the state of a training."""
        folder, layout = course.out / "last", self.weights.layout
        meta = read_meta(folder, self.weights.kind)
        check_steps(folder, meta)
        if meta.get("total_steps") != course.steps:
            raise InputError(f"{folder / META}: 'total_steps' must be {course.steps}, not {meta.get('total_steps')}")
        for name in self.numbers:
            if not is_number(meta.get(name)):
                raise InputError(f"{folder / META}: '{name}' must be a finite number, not {shown(meta.get(name))}")
        data, arrays = read_arrays(folder, MOST_STATE_BYTES)
        # Before its first step Adam has no state.
        moments = {
            f"optimiser.{number}.{key}": ("float32", shape if key != "step" else ())
            for number, (_, shape) in enumerate(layout.values())
            for key in ("step", "exp_avg", "exp_avg_sq")
            if meta["steps"]
        }
        shape = tuple(self.generator.get_state().shape)
        check_layout(folder / ARRAYS, arrays, layout | moments | {"generator": ("uint8", shape)})
        check_finite(folder / ARRAYS, arrays)
        check_seal(folder, meta, data)
        tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
        with torch.no_grad():
            for name, tensor in self.weights.tensors.items():
                tensor.copy_(tensors[name])
        self.generator.set_state(tensors["generator"])
        state: dict[int, dict[str, Tensor]] = {}
        for name in moments:
            _, number, key = name.split(".")
            state.setdefault(int(number), {})[key] = tensors[name]
        if state:
            self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": state})
        self.done = meta["steps"]
        self.numbers.update({name: meta[name] for name in self.numbers})


def check_hyperparameters(**numbers: tuple[float, float]) -> None:
    """Hold hyperparameters to be above 0, and counts to be whole.

    Args:
        numbers: value and largest value of each, by name. That of a count is an integer.

    Raises:
        InputError: a hyperparameter is not a number, or is out of range.
    """
    for name, (number, most) in numbers.items():
        right, kind = (is_whole(number), "a whole number") if isinstance(most, int) else (is_number(number), "a number")
        if not (right and 0 < number <= most):
            raise InputError(f"hyperparameter {name} must be {kind} above 0 and at most {most:g}, not {shown(number)}")
