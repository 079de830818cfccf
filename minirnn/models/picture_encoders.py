"""From a picture, or many, to what a decoder starts from.

    PictureEncoder   a picture       its regions, by a small convolutional network     (Xu et al. 2015)
    RegionEncoder    its regions     as another network saw them, made ready
    VideoEncoder     its frames      one vector each, and a recurrent layer over them  (Yao et al. 2015)

What attention looks at are the encoder's outputs: the regions of a picture, or the frames of a video. Decoders that do
not attend get the whole in one vector.

A region is a place of the last map of the convolutional network, in which a few pixels around it have been seen. The
fewer these are, the more does attention have to look where a thing is: what a region has seen of its neighbours can be
read there as well. Beside that, a part of every region says which place it is (a learned vector, the same in every
picture): without it "above" could not be told from "below".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer
from minirnn.autograd import ops
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array, Lengths, array_module, float_dtype, like
from minirnn.cells import Cell
from minirnn.cells.checks import lengths_or_all
from minirnn.errors import InputError
from minirnn.layers import Conv2d, Dropout, Linear, MaxPool2d, Module, Recurrent, ReLU, Sequential
from minirnn.layers.basic import uniform
from minirnn.models.encoders import Encoder, Encoding, HandedOn, final_state

Summary = Literal["mean", "max"]
SUMMARIES: tuple[Summary, ...] = get_args(Summary)
PLACE = 16
"""Features that say which place a region is."""


def convolutions(
    channels: int, size: int, filters: int, pool: bool, options: dict[str, Any]
) -> tuple[Sequential, int, int]:
    """A small convolutional network for pictures (B, channels, size, size): convolutions that halve them, until a last
    one or a pooling makes about 8 places of each side.

    Returns:
        The network, how many places a side has after it, and with how many features.

    Raises:
        InputError: the size is below 8, or cannot be halved so often.
    """
    size = integer("the size of pictures", size, least=8)
    halvings = max(1, round(np.log2(size / 16)))
    side, rest = divmod(size, 2 ** (halvings + 1))
    if rest:
        raise InputError(f"pictures of {size} pixels cannot be halved {halvings + 1} times: take a multiple of "
                         f"{2 ** (halvings + 1)}")  # fmt: skip
    layers: list[Module] = []
    for _ in range(halvings):
        layers += [_convolution(channels, filters, 4, 2, options), ReLU()]
        channels = filters
    last = _convolution(channels, 2 * filters, *((3, 1) if pool else (4, 2)), options)
    return Sequential(*layers, last, ReLU(), *([MaxPool2d(2)] if pool else [])), side, 2 * filters


def _convolution(channels: int, filters: int, kernel: int, stride: int, options: dict[str, Any]) -> Conv2d:
    """With weights √6 times those of torch, so that after a ReLU numbers are as large as before (He et al. 2015)."""
    layer = Conv2d(channels, filters, kernel, stride=stride, padding=1, **options)
    layer.weight.data *= 6**0.5
    return layer


class RegionEncoder(Encoder):
    """The regions of pictures as a decoder can use them, and one vector of the whole.

        v_i = [relu(W f_i + b); p_i]      of the features f_i of region i and its place p_i, which is learned
        whole = mean_i relu(U v_i + d)    or max_i, by which a feature says that something is there

    Args:
        num_regions: L.
        feature_size: D.
        output_size: E, above 16: the features of a region are E - 16, its place 16.
        summary: "mean" or "max".
        output_dropout: on the regions.
        rng, dtype: as for every layer.

    Raises:
        InputError: a size is out of its range, or the summary is unknown.
    """

    def __init__(
        self,
        num_regions: int,
        feature_size: int,
        output_size: int,
        *,
        summary: Summary = "mean",
        output_dropout: float = 0.0,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        L, D = integer("num_regions", num_regions), integer("feature_size", feature_size)
        E = integer("output_size", output_size, least=PLACE + 1)
        if summary not in SUMMARIES:
            raise InputError(f"unknown summary {summary!r}: expected one of {', '.join(SUMMARIES)}")
        options: dict[str, Any] = {"rng": backend.generator(rng), "dtype": float_dtype(dtype)}
        self.region = Linear(D, E - PLACE, **options)
        self.places = uniform(options["rng"], 1.0, (L, PLACE), options["dtype"])
        self.how, self.output_size = summary, E
        self.seen_in = Linear(E, E, **options)
        self.output_dropout = Dropout(output_dropout, rng=options["rng"])
        self.handed_on = HandedOn(1, 1, 1, E)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """U and d are "summary" in checkpoints; as an attribute, that is the table of every module's parameters."""
        for name, child in super().named_children():
            yield "summary" if child is self.seen_in else name, child

    def forward(self, features: Array | Tensor, lengths: Lengths | None = None) -> Encoding:
        """Encode the features (B, L, D) of pictures; all of them have all regions.

        Raises:
            InputError: the shape does not fit.
        """
        places = self.places.data
        x = (
            features
            if isinstance(features, Tensor)
            else Tensor(like(features, places).astype(places.dtype, copy=False))
        )
        expected = (len(self.places), self.region.weight.shape[1])
        if x.ndim != 3 or x.shape[1:] != expected:
            raise InputError(f"expected features of shape (batch, {expected[0]}, {expected[1]}), not {x.shape}")
        B, L, _ = x.shape
        where = ops.broadcast_to(self.places, (B, *self.places.shape))
        v = ops.concatenate([ops.relu(self.region(x)), where], axis=-1)
        seen = ops.relu(self.seen_in(v))
        whole = ops.mean(seen, axis=1) if self.how == "mean" else ops.max(seen, axis=1)
        outputs = self.output_dropout(ops.transpose(v, (1, 0, 2)))
        return Encoding(outputs, (ops.reshape(whole, (1, B, self.output_size)),), lengths_or_all(lengths, L, B))


class PictureEncoder(Encoder):
    """A convolutional network over a picture, whose last map's places are the regions.

    Args:
        size: of the pictures, down and across.
        output_size, summary, output_dropout: as for `RegionEncoder`.
        filters: of the first convolutions; the last has twice as many.
        rng, dtype: as for every layer.

    Raises:
        InputError: a size is out of its range, or does not fit the network.
    """

    def __init__(
        self,
        size: int,
        output_size: int,
        *,
        summary: Summary = "mean",
        filters: int = 32,
        output_dropout: float = 0.0,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        filters, rng = integer("filters", filters), backend.generator(rng)
        options: dict[str, Any] = {"rng": rng, "dtype": float_dtype(dtype)}
        self.network, side, features = convolutions(3, size, filters, True, options)
        self.regions = RegionEncoder(
            side * side, features, output_size, summary=summary, output_dropout=output_dropout, **options
        )
        self.size, self.grid = size, (side, side)
        self.output_size, self.handed_on = self.regions.output_size, self.regions.handed_on

    def forward(self, pictures: Array, lengths: Lengths | None = None) -> Encoding:
        """Encode pictures (B, 3, size, size); the regions come row by row.

        Raises:
            InputError: the shape does not fit.
        """
        maps = _seen(self.network, pictures, 3, self.size, self.regions.places.data)
        B, C, *_ = maps.shape
        return self.regions(ops.transpose(ops.reshape(maps, (B, C, -1)), (0, 2, 1)), lengths)


class VideoEncoder(Encoder):
    """A convolutional network that makes one vector of each frame, and a recurrent layer over them in both directions.

        x_t = max_i relu(W f_ti + b)      over the places i of frame t, so that a feature says that something is there

    Beside its pixels a frame has what has changed since the frame before: what moves, and where to, is seen in a few
    pixels at one place.

    Args:
        size: of the frames, down and across.
        frame_size: the features of a frame.
        hidden_size: H, of each direction.
        cell: a cell, or the name of one (`minirnn.CELL_NAMES`).
        filters: as for `PictureEncoder`.
        dropout: on the vectors of frames and on the outputs.
        forget_bias, chrono: as for `Recurrent`.
        rng, dtype: as for every layer.

    Raises:
        InputError: a size is out of its range, or as `Recurrent`.
    """

    def __init__(
        self,
        size: int,
        frame_size: int,
        hidden_size: int,
        *,
        cell: str | Cell = "gru",
        filters: int = 16,
        dropout: float = 0.0,
        forget_bias: float | None = None,
        chrono: int | None = None,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        filters, frame_size = integer("filters", filters), integer("frame_size", frame_size)
        options: dict[str, Any] = {"rng": backend.generator(rng), "dtype": float_dtype(dtype)}
        self.network, _, features = convolutions(6, size, filters, False, options)
        self.frame = Linear(features, frame_size, **options)
        memory: dict[str, Any] = {"forget_bias": forget_bias, "chrono": chrono}
        self.recurrent = Recurrent(cell, frame_size, hidden_size, bidirectional=True, **memory, **options)
        self.dropout = Dropout(dropout, rng=options["rng"])
        self.size, self.output_size = size, 2 * self.recurrent.hidden_size
        self.handed_on = final_state(self.recurrent)

    def forward(self, frames: Array, lengths: Lengths | None) -> Encoding:
        """Encode videos (F, B, 3, size, size) of so many frames as `lengths` (B,) says, None for F.

        Raises:
            InputError: the shape does not fit, or a length is out of range.
        """
        F, B = np.shape(frames)[:2]
        lengths = lengths_or_all(lengths, F, B)
        frames = like(frames, self.frame.weight.data)
        xp = array_module(frames)
        changed = frames - xp.concatenate([frames[:1], frames[:-1]])
        both = xp.concatenate([frames, changed], axis=2)
        maps = _seen(self.network, both.reshape(F * B, *both.shape[2:]), 6, self.size, self.frame.weight.data)
        features = ops.transpose(ops.reshape(maps, (F * B, maps.shape[1], -1)), (0, 2, 1))
        x = ops.reshape(ops.max(ops.relu(self.frame(features)), axis=1), (F, B, -1))
        outputs, state = self.recurrent(self.dropout(x), lengths=lengths)
        return Encoding(self.dropout(outputs), state if isinstance(state, tuple) else (state,), lengths)


def _seen(network: Sequential, pictures: Array, channels: int, size: int, reference: Array) -> Tensor:
    """What a network makes of pictures (B, channels, size, size)."""
    x = like(pictures, reference).astype(reference.dtype, copy=False)
    if x.shape[1:] != (channels, size, size):
        raise InputError(f"expected pictures of shape (batch, {channels}, {size}, {size}), not {x.shape}")
    return network(Tensor(array_module(x).ascontiguousarray(x)))
