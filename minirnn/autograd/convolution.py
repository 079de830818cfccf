"""Convolution and pooling over pictures, (batch, channels, height, width) as in torch.

A convolution looks at each place of a picture through a window of kh · kw pixels. What stands in the windows is copied
side by side, a column for each place ("im2col"); then all filters at all places are one product of matrices:

    columns: (C · kh · kw, places)        y = W columns + b,     W: (filters, C · kh · kw)

and its gradients are those of a product, dW = dy columnsᵀ and dcolumns = Wᵀ dy. A pixel stood in up to kh · kw windows,
so what the columns send back is added up where it came from.

Where the window moves by single pixels, what pixel (i, j) of it sees at all places is one stretch of the picture's
memory, rows and margins as they lie there: it begins i rows and j pixels after the first. That is quick to copy. The
places between the end of one row and the beginning of the next, where a window would see both, are computed as well
and thrown away.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator
from typing import Any

from minirnn.arguments import integer
from minirnn.autograd import ops
from minirnn.autograd.recording import record, record_many
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import Array, array_module, device_of
from minirnn.errors import InputError
from minirnn.parallel import cut, in_parallel

Pair = int | tuple[int, int]
"""The same for height and width, or (height, width)."""

AT_ONCE = 2**19
"""Numbers in the columns of the pictures that are taken together on the CPU: few enough for the cache."""


class _Windows:
    """Where the windows lie on pictures (B, C, H, W): all that convolution and pooling have in common."""

    def __init__(self, shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair):
        if len(shape) != 4:
            raise InputError(f"expected pictures (batch, channels, height, width), not an array of shape {shape}")
        self.kernel, self.stride = as_pair("the kernel", kernel, 1), as_pair("the stride", stride, 1)
        self.padding = as_pair("the padding", padding, 0)
        padded = [n + 2 * p for n, p in zip(shape[2:], self.padding, strict=True)]
        if any(k > n for k, n in zip(self.kernel, padded, strict=True)):
            raise InputError(f"a window of {self.kernel} does not fit into pictures of {shape[2:]}, padded to {padded}")
        self.padded: tuple[int, ...] = tuple(padded)
        self.places = tuple((n - k) // s + 1 for n, k, s in zip(padded, self.kernel, self.stride, strict=True))
        self.in_stretches = self.stride == (1, 1)
        self.across = padded[1] if self.in_stretches else self.places[1]

    def pad(self, x: Array, value: float = 0.0) -> Array:
        """The pictures with a margin."""
        padded = self.margin(x, value)
        self.inside(padded)[...] = x
        return padded

    def margin(self, like: Array, value: float = 0.0) -> Array:
        """Room for as many pictures with their margin. (And a row more, into which the last stretch reaches.)"""
        height, width = self.padded
        return array_module(like).full((*like.shape[:2], height + 1, width), value, dtype=like.dtype)

    def inside(self, padded: Array) -> Array:
        """Padded pictures without their margin."""
        (p, q), (height, width) = self.padding, self.padded
        return padded[:, :, p : height - p, q : width - q]

    def pixels(self, padded: Array) -> Iterator[tuple[int, int, Array]]:
        """For each pixel (i, j) of the window a view (B, C, …) of what stands there at all places: `across` of them in
        each row, of which the first `places[1]` are of one row."""
        (down, right), (rows, columns), width = self.stride, self.places, self.padded[1]
        if self.in_stretches:
            stretches = padded.reshape(*padded.shape[:2], (self.padded[0] + 1) * width)
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                if self.in_stretches:
                    yield i, j, stretches[:, :, i * width + j : i * width + j + rows * width]
                else:
                    yield i, j, padded[:, :, i : i + down * rows : down, j : j + right * columns : right]

    def columns(self, pictures: Array) -> Array:
        """What stands in the windows of pictures (B, C, H, W), side by side: (B, C · kh · kw, all places)."""
        (B, C, *_), taken = pictures.shape, self.places[0] * self.across
        by_pixel = array_module(pictures).empty((B, C, *self.kernel, taken), dtype=pictures.dtype)
        for i, j, pixels in self.pixels(self.pad(pictures)):
            by_pixel[:, :, i, j].reshape(pixels.shape)[...] = pixels
        return by_pixel.reshape(B, C * self.kernel[0] * self.kernel[1], taken)

    def sent_back(self, d_columns: Array, channels: int) -> Array:
        """What columns send back to the pictures (B, C, H, W): the sum over all windows in which a pixel stood."""
        by_pixel = d_columns.reshape(len(d_columns), channels, *self.kernel, self.places[0] * self.across)
        d_padded = self.margin(by_pixel)
        for i, j, pixels in self.pixels(d_padded):
            pixels += by_pixel[:, :, i, j].reshape(pixels.shape)
        return self.inside(d_padded)

    def at_places(self, found: Array) -> Array:
        """What was computed at all places, (B, filters, rows, places[1])."""
        return found.reshape(*found.shape[:2], self.places[0], self.across)[..., : self.places[1]]


def conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: Pair = 1, padding: Pair = 0) -> Tensor:
    """Slide filters over pictures (as in torch, a correlation: the filter is not turned round).

    y[b, f, u, v] = bias[f] + Σ_{c,i,j} weight[f, c, i, j] · x[b, c, u·stride + i - padding, v·stride + j - padding]

    Args:
        x: (B, C, H, W); beyond its margin stands 0.
        weight: (filters, C, kh, kw).
        bias: (filters,).
        stride: how far the window moves, in pixels.
        padding: the width of the margin, in pixels.

    Returns:
        (B, filters, (H + 2·padding - kh) // stride + 1, likewise for W).

    Raises:
        TypeError: x is not a Tensor, or float32 meets float64.
        InputError: a shape, the stride or the padding does not fit.
    """
    require_tensor(x, weight)
    ops.values(x, weight, *([] if bias is None else [bias]))  # refuses a mix of float32 and float64
    if weight.ndim != 4:
        raise InputError(f"expected filters (filters, channels, height, width), not of shape {weight.shape}")
    windows = _Windows(x.shape, (weight.shape[2], weight.shape[3]), stride, padding)
    if x.shape[1] != weight.shape[1]:
        raise InputError(f"the filters have {weight.shape[1]} channels, the pictures {x.shape[1]}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise InputError(f"expected a bias for each of {weight.shape[0]} filters, not one of shape {bias.shape}")
    X, W, xp = x.data, weight.data.reshape(len(weight.data), -1), array_module(x.data)
    taken = windows.places[0] * windows.across
    parts = cut(len(X), max(1, min(len(X), len(X) * W.shape[1] * taken // AT_ONCE)))
    each = in_parallel if device_of(X) == "cpu" else lambda act, parts: [act(part) for part in parts]
    y = xp.empty((len(X), len(W), *windows.places), dtype=X.dtype)

    def forward(part: slice) -> None:
        y[part] = windows.at_places(W @ windows.columns(X[part]))
        if bias is not None:
            y[part] += bias.data[:, None, None]

    def backward(dy: Array) -> list[Array | None]:
        def back(part: slice) -> tuple[Array | None, Array | None]:
            d_found = xp.zeros((len(dy[part]), len(W), taken), dtype=X.dtype)
            windows.at_places(d_found)[...] = dy[part]
            dx = windows.sent_back(W.T @ d_found, X.shape[1]) if x.requires_grad else None
            if not weight.requires_grad:
                return dx, None
            # dW transposed, because OpenBLAS multiplies a high matrix sooner than a wide one.
            return dx, (windows.columns(X[part]) @ d_found.swapaxes(1, 2)).sum(axis=0).T

        dxs, dWs = zip(*each(back, parts), strict=True)
        dx = xp.concatenate(dxs) if x.requires_grad else None
        dW = functools.reduce(operator.iadd, dWs).reshape(weight.shape) if weight.requires_grad else None
        return [dx, dW] if bias is None else [dx, dW, dy.sum(axis=(0, 2, 3))]

    each(forward, parts)
    return record_many((y,), [x, weight] if bias is None else [x, weight, bias], backward, rule=conv2d)[0]


def max_pool2d(x: Tensor, kernel_size: Pair, *, stride: Pair | None = None, padding: Pair = 0) -> Tensor:
    """The greatest number in each window, whose gradient goes to where it stood: of equals, to the first.

    Args:
        x: (B, C, H, W); what lies beyond its margin is never the greatest.
        kernel_size: of the window.
        stride: how far it moves; None: its own size, so that no two overlap.
        padding: the width of the margin, at most half the window.

    Raises:
        TypeError: x is not a Tensor.
        InputError: a shape, the stride or the padding does not fit.
    """
    windows = _pooling(x, kernel_size, stride, padding)
    xp, data = array_module(x.data), x.data
    padded = windows.pad(data, -xp.inf) if any(windows.padding) or windows.in_stretches else data
    best = functools.reduce(xp.maximum, (pixels for _, _, pixels in windows.pixels(padded)))

    def backward(dy: Array) -> Array:
        d_padded, d_best = windows.margin(data), xp.zeros(best.shape, dtype=dy.dtype)
        windows.at_places(d_best)[...] = dy
        waiting = xp.ones(best.shape, dtype=bool)  # for the first pixel that is the greatest
        for (*_, pixels), (*_, d_pixels) in zip(windows.pixels(padded), windows.pixels(d_padded), strict=True):
            here = (pixels == best) & waiting
            waiting ^= here
            d_pixels += d_best * here
        return windows.inside(d_padded)

    return record(xp.ascontiguousarray(windows.at_places(best)), (x, backward))


def avg_pool2d(x: Tensor, kernel_size: Pair, *, stride: Pair | None = None, padding: Pair = 0) -> Tensor:
    """The mean of each window, zeros of the margin included.

    Args:
        x, kernel_size, stride, padding: as for `max_pool2d`; beyond the margin stands 0.

    Raises:
        TypeError, InputError: as for `max_pool2d`.
    """
    windows = _pooling(x, kernel_size, stride, padding)
    xp, share = array_module(x.data), 1 / (windows.kernel[0] * windows.kernel[1])
    summed: Any = functools.reduce(operator.add, (pixels for _, _, pixels in windows.pixels(windows.pad(x.data))))

    def backward(dy: Array) -> Array:
        d_padded, d_summed = windows.margin(x.data), xp.zeros(summed.shape, dtype=dy.dtype)
        windows.at_places(d_summed)[...] = dy * share
        for _, _, pixels in windows.pixels(d_padded):
            pixels += d_summed
        return windows.inside(d_padded)

    return record(xp.ascontiguousarray(windows.at_places(summed)) * share, (x, backward))


def _pooling(x: Tensor, kernel: Pair, stride: Pair | None, padding: Pair) -> _Windows:
    require_tensor(x)
    windows = _Windows(x.shape, kernel, kernel if stride is None else stride, padding)
    if any(2 * p > k for p, k in zip(windows.padding, windows.kernel, strict=True)):
        raise InputError(f"the padding {windows.padding} is more than half of the window {windows.kernel}")
    return windows


def as_pair(what: str, value: Any, least: int) -> tuple[int, int]:
    """A size of height and width, from one number or two.

    Raises:
        InputError: they are none, or below `least`; the message begins with `what`.
    """
    both = value if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2:
        raise InputError(f"{what} must be a number, or one for the height and one for the width, not {value!r}")
    return integer(what, both[0], least=least), integer(what, both[1], least=least)
