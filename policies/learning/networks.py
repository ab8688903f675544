"""Small networks in torch, their gradient written out, and their parameters as arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Array = np.ndarray[Any, np.dtype[np.float32]]


def mish_(x: Tensor, with_slope: bool) -> tuple[Tensor, Tensor | None]:
    """Mish ``x t``, ``t = tanh(softplus(x))``, and if asked its derivative ``t + x s (1 - t^2)``, ``s = sigmoid(x)``.

    ``t`` is ``g / (1 - g)`` with ``g = s - s^2 / 2``: both take one sigmoid and one division. On a CPU that is several
    times faster than the library's, which takes a logarithm and a hyperbolic tangent an element; and fresh memory costs
    more than the arithmetic, so that all that can be is done in place.

    Args:
        x: pre-activations, which are overwritten.
        with_slope: the derivative is wanted.
    """
    sigmoid = torch.sigmoid(x)
    factor = torch.addcmul(sigmoid, sigmoid, sigmoid, value=-0.5)
    rest = 1.0 - factor
    factor.div_(rest)
    if not with_slope:
        return x.mul_(factor), None
    mish = torch.mul(x, factor, out=rest)
    return mish, factor.addcmul_(x.addcmul_(mish, factor, value=-1.0), sigmoid)


class TwoHiddenLayers(torch.autograd.Function):
    """A perceptron with two hidden layers of Mish as one node of the graph, its gradient written out.

    Small networks on a CPU spend their time between the operations, not in them; one node for the whole network, with
    nothing kept but what the gradient needs, takes about half the time of a node an operation.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, first: Tensor, first_bias: Tensor, second: Tensor, second_bias: Tensor, last: Tensor,
        last_bias: Tensor,
    ) -> Tensor:  # fmt: skip
        """Outputs for inputs of shape (batch, inputs), or (networks, batch, inputs) with weights of as many.

        The bias of the first layer may be one of each row, of the shape of its outputs.
        """
        affine = torch.addmm if x.dim() == 2 else torch.baddbmm
        learning = any(ctx.needs_input_grad)
        one, first_slope = mish_(affine(first_bias, x, first), learning)
        two, second_slope = mish_(affine(second_bias, one, second), learning)
        if learning:
            ctx.save_for_backward(x, first, second, last, one, two, first_slope, second_slope)
            ctx.shapes = first_bias.shape, second_bias.shape, last_bias.shape
        return affine(last_bias, two, last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the input, if it needs one, and of all weights and biases."""
        x, first, second, last, one, two, first_slope, second_slope = ctx.saved_tensors
        third = gradients[0]
        middle = (third @ last.mT).mul_(second_slope)
        bottom = (middle @ second.mT).mul_(first_slope)
        at_input = bottom @ first.mT if ctx.needs_input_grad[0] else None
        shapes = ctx.shapes
        return (
            at_input,
            x.mT @ bottom, bottom if bottom.shape == shapes[0] else bottom.sum(dim=-2).reshape(shapes[0]),
            one.mT @ middle, middle.sum(dim=-2).reshape(shapes[1]),
            (third.mT @ two).mT, third.sum(dim=-2).reshape(shapes[2]),
        )  # fmt: skip


def two_hidden_layers(x: Tensor, *weights_and_biases: Tensor) -> Tensor:
    """A perceptron's output; weight and bias of the first layer, then of the second, then of the last."""
    return TwoHiddenLayers.apply(x, *weights_and_biases)  # type: ignore[no-any-return, no-untyped-call]


class Perceptron(nn.Module):
    """Two hidden layers of Mish, several networks side by side.

    Args:
        networks: how many independent ones are evaluated at once.
        inputs: width of the input.
        width: width of the hidden layers.
        outputs: width of the output.
        generator: draws the weights, uniform in +-1/sqrt(fan in).
    """

    def __init__(self, networks: int, inputs: int, width: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        sizes = ((inputs, width), (width, width), (width, outputs))
        self.weights = nn.ParameterList(uniform((networks, *size), size[0], generator) for size in sizes)
        self.biases = nn.ParameterList(uniform((networks, 1, size[1]), size[0], generator) for size in sizes)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of shape (networks, batch, outputs) for inputs of shape (batch, inputs)."""
        layers = (part for pair in zip(self.weights, self.biases, strict=True) for part in pair)
        return two_hidden_layers(x.expand(len(self.weights[0]), *x.shape), *layers)


def keep_freed_memory() -> None:
    """Make the C library keep the memory that tensors leave behind, up to 60 MiB, for those that come next.

    glibc gives back to the system what exceeds twice the largest block (of at most 32 MiB) that was freed so far, and
    to get it again takes a page fault a page, longer than most of what is done with it.
    """
    torch.empty(30 * 2**20, dtype=torch.uint8)


def uniform(shape: tuple[int, ...], fan_in: int, generator: torch.Generator) -> nn.Parameter:
    """A parameter drawn uniformly in +-1/sqrt(fan in)."""
    return nn.Parameter((2.0 * torch.rand(shape, generator=generator) - 1.0) / fan_in**0.5)


def follow(target: nn.Module, source: nn.Module, share: float) -> None:
    """The soft update: ``target <- share source + (1 - share) target``."""
    with torch.no_grad():
        torch._foreach_lerp_(list(target.parameters()), list(source.parameters()), share)


def arrays_of(module: nn.Module, prefix: str) -> dict[str, Array]:
    """A module's parameters as arrays, by name."""
    return {f"{prefix}.{name}": tensor.detach().numpy().copy() for name, tensor in module.state_dict().items()}


def take(module: nn.Module, prefix: str, arrays: dict[str, Any]) -> None:
    """Give a module the parameters that `arrays_of` has taken from one of its kind.

    Raises:
        KeyError: one is missing.
        RuntimeError: one has another shape.
    """
    module.load_state_dict({name: torch.from_numpy(arrays[f"{prefix}.{name}"].copy()) for name in module.state_dict()})


def optimiser_arrays(optimiser: torch.optim.Optimizer, prefix: str) -> dict[str, Array]:
    """The moments and steps of Adam, by parameter."""
    found = {}
    for number, state in optimiser.state_dict()["state"].items():
        for name, tensor in state.items():
            found[f"{prefix}.{number}.{name}"] = tensor.detach().numpy().copy()
    return found


def take_optimiser(optimiser: torch.optim.Optimizer, prefix: str, arrays: dict[str, Any]) -> None:
    """Give Adam the moments that `optimiser_arrays` has taken."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, array in arrays.items():
        if name.startswith(f"{prefix}."):
            number, key = name.removeprefix(f"{prefix}.").split(".")
            state.setdefault(int(number), {})[key] = torch.from_numpy(array.copy())
    if state:
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def parameters(modules: Iterable[nn.Module]) -> list[nn.Parameter]:
    """All parameters of several modules."""
    return [parameter for module in modules for parameter in module.parameters()]
