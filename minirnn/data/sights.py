"""What captions are of, batch by batch as an encoder takes it: pictures, features of their regions, or videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from minirnn.data.pictures import Preprocessing


class Sights(Protocol):
    """Many of one kind."""

    def __len__(self) -> int:
        """How many."""

    def batch(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Those of the given numbers as the encoder takes them, and their lengths where they have any."""


class Pictures:
    """Pictures (N, size, size, 3), uint8."""

    def __init__(self, pictures: np.ndarray, look: Preprocessing):
        self.pictures, self.look = pictures, look

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, at: np.ndarray) -> tuple[np.ndarray, None]:
        """(batch, 3, size, size)."""
        return self.look.prepare(self.pictures[at]), None


class Regions:
    """Features of the regions of pictures, (N, L, D)."""

    def __init__(self, features: np.ndarray):
        self.features = features

    def __len__(self) -> int:
        return len(self.features)

    def batch(self, at: np.ndarray) -> tuple[np.ndarray, None]:
        """(batch, L, D)."""
        return self.features[at], None


class Videos:
    """Videos, each (frames, size, size, 3), uint8."""

    def __init__(self, videos: Sequence[np.ndarray], look: Preprocessing):
        self.videos, self.look = videos, look

    def __len__(self) -> int:
        return len(self.videos)

    def batch(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(frames, batch, 3, size, size), filled up with zeros, and how many frames are real."""
        lengths = np.array([len(self.videos[i]) for i in at], np.int64)
        size = self.look.size
        frames = np.zeros((lengths.max(), len(at), 3, size, size), np.float32)
        for column, i in enumerate(at):
            frames[: lengths[column], column] = self.look.prepare(self.videos[i])
        return frames, lengths


def sights_of(seen: Any, look: Preprocessing | None) -> Sights:
    """What was read, as an encoder takes it: an array of pictures, a list of videos, or, where there is no `look`,
    features."""
    if look is None:
        return Regions(seen)
    return Pictures(seen, look) if isinstance(seen, np.ndarray) else Videos(seen, look)
