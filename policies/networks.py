"""Small networks in torch, and the same in numpy for a policy that is deployed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Array = np.ndarray[Any, np.dtype[np.float32]]


LARGEST_EXPONENT = 20.0
"""Beyond it Mish is the identity to float32's last place."""


class Mish(torch.autograd.Function):
    """``x tanh(softplus(x)) = x (1 - 2 q)``, ``q = 1 / (e^x (e^x + 2) + 2)``: one exponential and one division.

    Its derivative ``1 - 2 q + 4 x q^2 e^x (1 + e^x)`` takes neither again. On a CPU that is several times faster than
    the library's, which takes a logarithm and a hyperbolic tangent an element.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Mish of every element."""
        exponential = torch.exp(x.clamp(max=LARGEST_EXPONENT))
        quotient = torch.addcmul(exponential, exponential, exponential, value=0.5).add_(1.0).mul_(2.0).reciprocal_()
        ctx.save_for_backward(x, exponential, quotient)
        return torch.addcmul(x, x, quotient, value=-2.0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """The gradient's elements times the derivative."""
        x, exponential, quotient = ctx.saved_tensors
        slope = torch.addcmul(exponential, exponential, exponential).mul_(quotient).mul_(x).mul_(4.0).sub_(2.0)
        return gradients[0] * slope.mul_(quotient).add_(1.0)


def mish(x: Tensor) -> Tensor:
    """``x tanh(softplus(x))``, the activation of D2SAC."""
    return Mish.apply(x)  # type: ignore[no-any-return, no-untyped-call]


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
        hidden = x.expand(len(self.weights[0]), *x.shape)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias, hidden, weight)
            if layer < 2:
                hidden = mish(hidden)
        return hidden


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
