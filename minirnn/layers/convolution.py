"""Layers over pictures (batch, channels, height, width)."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer
from minirnn.autograd.convolution import Pair, as_pair, avg_pool2d, conv2d, max_pool2d
from minirnn.autograd.tensor import Tensor
from minirnn.layers.basic import uniform
from minirnn.layers.module import Module
from minirnn.layers.printing import arguments


class Conv2d(Module):
    """Filters that slide over pictures; see `conv2d` for the formula (LeCun et al. 1989).

    Args:
        in_channels, out_channels: of the pictures, and how many filters there are.
        kernel_size: of a filter: one number, or (height, width).
        stride: how far it moves, in pixels.
        padding: the width of a margin of zeros.
        bias: whether there is one for each filter.
        rng: a generator or seed for the initial weights, uniform in ±1/√(in_channels · kernel area) as in torch.nn.
        dtype: float32 or float64.

    Raises:
        InputError: a size is below 1 (the padding below 0) or no integer, or the dtype is another.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        *,
        stride: Pair = 1,
        padding: Pair = 0,
        bias: bool = True,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        self.in_channels, self.out_channels = integer("in_channels", in_channels), integer("out_channels", out_channels)
        self.kernel_size = height, width = as_pair("kernel_size", kernel_size, 1)
        self.stride, self.padding = as_pair("the stride", stride, 1), as_pair("the padding", padding, 0)
        rng, bound = backend.generator(rng), (self.in_channels * height * width) ** -0.5
        self.weight = uniform(rng, bound, (self.out_channels, self.in_channels, height, width), dtype)
        self.bias = uniform(rng, bound, (self.out_channels,), dtype) if bias else None

    def extra_repr(self) -> str:
        """in_channels, out_channels, kernel_size, and the options that are not as by default."""
        sizes = self.in_channels, self.out_channels, self.kernel_size
        options = {"stride": (self.stride, (1, 1)), "padding": (self.padding, (0, 0))}
        return arguments(*sizes, **options, bias=(self.bias is not None, True))

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, ⌊(H + 2·padding - kernel) / stride⌋ + 1, …)."""
        return conv2d(x, self.weight, self.bias, stride=self.stride, padding=self.padding)


class MaxPool2d(Module):
    """The greatest number in each window.

    Args:
        kernel_size, stride, padding: as for `max_pool2d`.

    Raises:
        InputError: one is out of its range.
    """

    def __init__(self, kernel_size: Pair, *, stride: Pair | None = None, padding: Pair = 0):
        self.kernel_size = as_pair("kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else as_pair("the stride", stride, 1)
        self.padding = as_pair("the padding", padding, 0)

    def extra_repr(self) -> str:
        """kernel_size, and the options that are not as by default."""
        return arguments(self.kernel_size, stride=(self.stride, self.kernel_size), padding=(self.padding, (0, 0)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, ⌊(H + 2·padding - kernel) / stride⌋ + 1, …)."""
        return max_pool2d(x, self.kernel_size, stride=self.stride, padding=self.padding)


class AvgPool2d(MaxPool2d):
    """The mean of each window; otherwise as `MaxPool2d`."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, ⌊(H + 2·padding - kernel) / stride⌋ + 1, …)."""
        return avg_pool2d(x, self.kernel_size, stride=self.stride, padding=self.padding)
