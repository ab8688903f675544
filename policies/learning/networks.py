"""Small networks in PyTorch with hand-written gradients, and their parameters as arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Array = np.ndarray[Any, np.dtype[np.float32]]

CPU = torch.device("cpu")


def to_device(array: np.ndarray[Any, Any], device: torch.device) -> Tensor:
    """Return an array as a tensor on a device. A GPU fetches it without keeping the program waiting.

    Args:
        array: the numbers, of a type that the device has.
        device: where the tensor is to be.
    """
    tensor = torch.from_numpy(array)
    # A copy from memory that may be paged out waits for the GPU.
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def mish_(x: Tensor, with_slope: bool) -> tuple[Tensor, Tensor | None]:
    """Return the activation Mish, ``x t`` with ``t = tanh(softplus(x))``, and its derivative.

    The derivative is ``t + x s (1 - t^2)`` with ``s = sigmoid(x)``.

    Args:
        x: pre-activations, which are overwritten.
        with_slope: whether the derivative is wanted.

    Returns:
        The activations, and the derivatives or None.
    """
    # t = g / (1 - g) with g = s - s^2 / 2, so both results need one sigmoid and one division. The library's Mish takes
    # a logarithm and a hyperbolic tangent per element, which is several times slower on a CPU. New memory costs more
    # than the arithmetic, so each step reuses the memory of an earlier one.
    sigmoid = torch.sigmoid(x)
    factor = torch.addcmul(sigmoid, sigmoid, sigmoid, value=-0.5)
    rest = 1.0 - factor
    factor.div_(rest)
    if not with_slope:
        return x.mul_(factor), None
    mish = torch.mul(x, factor, out=rest)
    return mish, factor.addcmul_(x.addcmul_(mish, factor, value=-1.0), sigmoid)


class TwoHiddenLayers(torch.autograd.Function):
    """A perceptron with two hidden layers of Mish, as one node of the autograd graph."""

    # Small networks on a CPU spend their time between the operations, not in them. One node for the complete network
    # takes about half the time of one node per operation.

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, first: Tensor, first_bias: Tensor, second: Tensor, second_bias: Tensor, last: Tensor,
        last_bias: Tensor,
    ) -> Tensor:  # fmt: skip
        """Return the outputs.

        Args:
            ctx: context for the tensors that `backward` needs.
            x: inputs, shape (batch, inputs), or (networks, batch, inputs) for several networks.
            first: weight of the first layer, shape (inputs, width), or with the networks as first axis.
            first_bias: bias of the first layer, one for all rows or one per row.
            second: weight of the second layer, shape (width, width).
            second_bias: bias of the second layer.
            last: weight of the last layer, shape (width, outputs).
            last_bias: bias of the last layer.

        Returns:
            Outputs, shape (batch, outputs) or (networks, batch, outputs).
        """
        affine = torch.addmm if x.dim() == 2 else torch.baddbmm
        # Without a gradient, as in acting and in targets, the slopes are not needed.
        learning = any(ctx.needs_input_grad)
        one, first_slope = mish_(affine(first_bias, x, first), learning)
        two, second_slope = mish_(affine(second_bias, one, second), learning)
        if learning:
            ctx.save_for_backward(x, first, second, last, one, two, first_slope, second_slope)
            ctx.shapes = first_bias.shape, second_bias.shape, last_bias.shape
        return affine(last_bias, two, last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the input, the weights and the biases, in the order of the arguments of `forward`.

        Args:
            ctx: context with the saved tensors.
            gradients: gradient of the output.
        """
        x, first, second, last, one, two, first_slope, second_slope = ctx.saved_tensors
        third = gradients[0]
        middle = (third @ last.mT).mul_(second_slope)
        bottom = (middle @ second.mT).mul_(first_slope)
        at_input = bottom @ first.mT if ctx.needs_input_grad[0] else None
        # The gradient of a bias is summed over the rows that share the bias.
        shapes = ctx.shapes
        return (
            at_input,
            x.mT @ bottom, bottom if bottom.shape == shapes[0] else bottom.sum(dim=-2).reshape(shapes[0]),
            one.mT @ middle, middle.sum(dim=-2).reshape(shapes[1]),
            (third.mT @ two).mT, third.sum(dim=-2).reshape(shapes[2]),
        )  # fmt: skip


def two_hidden_layers(x: Tensor, *weights_and_biases: Tensor) -> Tensor:
    """Return the output of a perceptron with two hidden layers.

    Args:
        x: inputs, shape (batch, inputs) or (networks, batch, inputs).
        weights_and_biases: weight and bias of the first layer, of the second layer and of the last layer.
    """
    return TwoHiddenLayers.apply(x, *weights_and_biases)  # type: ignore[no-any-return, no-untyped-call]


class Perceptron(nn.Module):
    """Several independent perceptrons with two hidden layers of Mish, evaluated together.

    Args:
        networks: number of networks.
        inputs: width of the input.
        width: width of the hidden layers.
        outputs: width of the output.
        generator: the random generator of the first weights.
    """

    def __init__(self, networks: int, inputs: int, width: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        sizes = ((inputs, width), (width, width), (width, outputs))
        self.weights = nn.ParameterList(uniform((networks, *size), size[0], generator) for size in sizes)
        self.biases = nn.ParameterList(uniform((networks, 1, size[1]), size[0], generator) for size in sizes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of all networks.

        Args:
            x: inputs, shape (batch, inputs).

        Returns:
            Outputs, shape (networks, batch, outputs).
        """
        layers = (part for pair in zip(self.weights, self.biases, strict=True) for part in pair)
        return two_hidden_layers(x.expand(len(self.weights[0]), *x.shape), *layers)


def keep_freed_memory() -> None:
    """Make the C library keep up to 60 MiB of freed memory for the next tensors."""
    # glibc returns free memory beyond a limit to the system. The limit is twice the largest block that was freed so
    # far, where only blocks up to 32 MiB count. This block is freed at once. To get memory back costs one page fault
    # per page, which takes longer than most operations on the page.
    torch.empty(30 * 2**20, dtype=torch.uint8)


def uniform(shape: tuple[int, ...], fan_in: int, generator: torch.Generator) -> nn.Parameter:
    """Draw a parameter uniformly from -1/sqrt(fan_in) to 1/sqrt(fan_in).

    Args:
        shape: shape of the parameter.
        fan_in: number of inputs of the layer.
        generator: the random generator, on the device of the parameter.
    """
    # These are the limits of torch.nn.Linear, which cannot draw from a given generator.
    drawn = torch.rand(shape, generator=generator, device=generator.device)
    return nn.Parameter((2.0 * drawn - 1.0) / fan_in**0.5)


def follow(target: nn.Module, source: nn.Module, share: float) -> None:
    """Make the soft update ``target <- share source + (1 - share) target``.

    Args:
        target: the network that follows.
        source: the network that is followed.
        share: weight of the source, in [0, 1].
    """
    with torch.no_grad():
        torch._foreach_lerp_(list(target.parameters()), list(source.parameters()), share)


def arrays_of(module: nn.Module, prefix: str) -> dict[str, Array]:
    """Return the parameters of a module as arrays, by ``prefix.name``."""
    return {f"{prefix}.{name}": tensor.detach().cpu().numpy().copy() for name, tensor in module.state_dict().items()}


def take(module: nn.Module, prefix: str, arrays: dict[str, Any]) -> None:
    """Restore the parameters of a module from the arrays of `arrays_of`.

    Args:
        module: the module, which is changed.
        prefix: prefix of the names of the arrays.
        arrays: the arrays by name.

    Raises:
        KeyError: a parameter is missing.
        RuntimeError: a parameter has another shape.
    """
    module.load_state_dict({name: torch.from_numpy(arrays[f"{prefix}.{name}"].copy()) for name in module.state_dict()})


def optimiser_arrays(optimiser: torch.optim.Optimizer, prefix: str) -> dict[str, Array]:
    """Return the moments and step counts of Adam as arrays, by ``prefix.number.name``."""
    found = {}
    for number, state in optimiser.state_dict()["state"].items():
        for name, tensor in state.items():
            found[f"{prefix}.{number}.{name}"] = tensor.detach().cpu().numpy().copy()
    return found


def take_optimiser(optimiser: torch.optim.Optimizer, prefix: str, arrays: dict[str, Any]) -> None:
    """Restore the moments and step counts of Adam from the arrays of `optimiser_arrays`."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, array in arrays.items():
        if name.startswith(f"{prefix}."):
            number, key = name.removeprefix(f"{prefix}.").split(".")
            state.setdefault(int(number), {})[key] = torch.from_numpy(array.copy())
    # Before its first step an optimiser has no state.
    if state:
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def parameters(modules: Iterable[nn.Module]) -> list[nn.Parameter]:
    """Return all parameters of several modules."""
    return [parameter for module in modules for parameter in module.parameters()]
