"""Moving scenes: short videos that minirnn draws itself, with captions of the two events in them, in order.

    a red disc moves left, then a blue square vanishes

Two things stand on a noisy background. In the first half something happens to one of them, in the second half something
to the other: it moves, appears, vanishes, grows or shrinks. Every video has three captions, one in each of `FORMS`, and
`is_true` tells whether a caption says what happens, and in what order.

**One frame does not give the caption away.** A video played backwards is a moving scene as well, and but for what is
held out as likely: then left is right, what appeared vanishes, and what came first comes last. So no frame tells which
way the time goes. A thing may begin wherever there is room for what it does; and every thing is small or large, not
only those that grow or shrink (captions say nothing of sizes).

**Held-out combinations.** A *combination* is a colour with a shape, ("yellow", "disc"), or what happens first with what
happens then, ("moves left", "vanishes"). Some are at home in "test": of every shape one colour of six, and after every
verb one of eight. No video to learn from, or to validate with, has one of these, and every test video at least one.

The same videos come out everywhere where NumPy's generator gives the same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from minirnn.data import shapes

SIZE = 24
"""Pixels down and across."""
FRAMES = (12, 16)
"""The least and the most that a video has."""
COLOURS = ("red", "yellow", "green", "blue", "purple", "white")
SHAPES = ("disc", "square", "triangle", "cross")
MOVES = {"moves left": (0, -1), "moves right": (0, 1), "moves up": (-1, 0), "moves down": (1, 0)}
"""Each with its direction (down, across)."""
VERBS = (*MOVES, "appears", "vanishes", "grows", "shrinks")
FAR = (6.0, 7.0)
"""The least and the most that a thing moves, in pixels."""
RADII = (2.4, 4.0)
"""Of small and large things: what grows goes from one to the other."""
EDGE = 1.05
"""No shape reaches farther than so many pixels beyond its radius (a triangle's soft tip does), up, down or aside."""
SPLITS = {"train": 6000, "valid": 300, "test": 300}
"""How many videos there are of each by default."""
FORMS = (("{}, then {}", 1), ("first {}, then {}", 1), ("{} after {}", -1))
"""How captions say two events; -1: the one that comes last is said first."""
_EVENT = f"a ({'|'.join(COLOURS)}) ({'|'.join(SHAPES)}) ({'|'.join(VERBS)})"
_PATTERNS = [(re.compile(form.format(_EVENT, _EVENT)), order) for form, order in FORMS]


class Event(NamedTuple):
    """What happens to a thing: all by name, the verb such as "moves left"."""

    colour: str
    shape: str
    verb: str

    def __str__(self) -> str:
        """As a caption says it."""
        return f"a {self.colour} {self.shape} {self.verb}"


class Moving(NamedTuple):
    """A video and what happens in it.

    Attributes:
        frames: (12 to 16, 24, 24, 3), uint8.
        captions: three that are true, one in each of `FORMS`.
        events: two, in the order in which they happen.
    """

    frames: np.ndarray
    captions: list[str]
    events: list[Event]


class State(NamedTuple):
    """A thing at some time: its middle and radius in pixels, and how much of it is shown (0: nothing)."""

    down: float
    across: float
    radius: float
    shown: float = 1.0


class Part(NamedTuple):
    """What a thing does in a video: it is in one state up to the frame `begin`, and in another from the frame `end`."""

    event: Event
    before: State
    after: State
    begin: int
    end: int

    def states(self, count: int) -> list[State]:
        """Its state in each of a number of frames."""
        done = np.clip((np.arange(count) - self.begin) / (self.end - self.begin), 0, 1)[:, None]
        return [State(*state) for state in ((1 - done) * self.before + done * self.after).tolist()]


def moving(split: str = "train", count: int | None = None, seed: int = 0) -> list[Moving]:
    """Moving scenes, no two of them alike; the first n of a larger number are those of a smaller.

    Args:
        split: "train", "valid" or "test", which have no video in common.
        count: how many; None: as `SPLITS` says.
        seed: of what is drawn.

    Raises:
        InputError: there is no such split, or the count is below 1.
    """
    count, rng = shapes.begin(SPLITS, split, count, seed)
    found: list[Moving] = []
    while len(found) < count:
        events = _events(rng)
        if any(home(one) == "test" for one in combinations(events)) != (split == "test"):
            continue
        length = int(rng.integers(FRAMES[0], FRAMES[1] + 1))
        parts = plan(events, length, rng)
        # Videos with just these parts are of one split: so no two splits have the same.
        if (sha256(str(parts).encode()).digest()[0] % 16 == 0) == (split == "valid"):
            found.append(Moving(draw(parts, length, rng), captions(events), events))
    return found


def home(combination: tuple[str, str]) -> str:
    """Where a combination is at home: "train" or "test"."""
    one, other = combination
    if one in COLOURS:
        held_out = COLOURS.index(one) == SHAPES.index(other) + 1
    else:
        held_out = (VERBS.index(one) + VERBS.index(other)) % len(VERBS) == 0  # of every verb one that follows it
    return "test" if held_out else "train"


def combinations(events: Sequence[Event]) -> set[tuple[str, str]]:
    """The combinations in a video: colours with shapes, and the two verbs in their order."""
    return {(events[0].verb, events[1].verb), *((colour, shape) for colour, shape, _ in events)}


def _events(rng: np.random.Generator) -> list[Event]:
    """What happens to two different things."""
    things = rng.choice(len(COLOURS) * len(SHAPES), 2, replace=False)
    verbs = rng.integers(len(VERBS), size=2)
    figures, colours = np.divmod(things, len(COLOURS))
    return [Event(COLOURS[c], SHAPES[s], VERBS[v]) for c, s, v in zip(colours, figures, verbs, strict=True)]


def plan(events: Sequence[Event], length: int, rng: np.random.Generator) -> list[Part]:
    """Where and when two events happen in a video of some frames: the first in the first half, the second in the second
    half, and so that the things never touch nor leave the picture."""
    half = length // 2
    times = []
    for start in (0, length - half):
        steps = int(rng.integers(3, half))
        begin = start + int(rng.integers(half - steps))
        times.append((begin, begin + steps))
    # Where things would touch, only the places are drawn again: else events that need much room would be rare.
    changes = [_change(event.verb, rng) for event in events]
    low, high = np.array([_room(*change) for change in changes]).swapaxes(0, 1)
    while True:
        ways = [
            [state._replace(down=state.down + down, across=state.across + across) for state in change]
            for change, (down, across) in zip(changes, rng.uniform(low, high).round(2).tolist(), strict=True)
        ]
        (one, one_after), (other, other_after) = ways
        if _apart([one, one_after], [other]) and _apart([one_after], [other, other_after]):
            return [
                Part(event, before, after, begin, end)
                for event, (before, after), (begin, end) in zip(events, ways, times, strict=True)
            ]


def _change(verb: str, rng: np.random.Generator) -> tuple[State, State]:
    """The states before and after an event, of a thing that begins at (0, 0)."""
    small, large = (State(0, 0, radius) for radius in RADII)
    any_size = (small, large)[rng.integers(2)]
    if verb in MOVES:
        down, across = (round(float(rng.uniform(*FAR)), 2) * step for step in MOVES[verb])
        return any_size, any_size._replace(down=down, across=across)
    hidden = any_size._replace(shown=0.0)
    return {
        "appears": (hidden, any_size),
        "vanishes": (any_size, hidden),
        "grows": (small, large),
        "shrinks": (large, small),
    }[verb]


def _room(before: State, after: State) -> tuple[tuple[float, float], tuple[float, float]]:
    """The least and the greatest (down, across) of a beginning from which a thing stays in the picture."""
    radius = max(before.radius, after.radius) + EDGE
    low, high = radius - 1, SIZE - radius  # what is just beyond the last pixel's middle is not seen
    return (
        (low - min(0, after.down), low - min(0, after.across)),
        (high - max(0, after.down), high - max(0, after.across)),
    )


def _apart(one: Sequence[State], other: Sequence[State]) -> bool:
    """Whether two things do not touch on the straight ways between their states, left to right or up to down. (Where
    one is hidden, it keeps its place.)"""
    least = max(state.radius for state in one) + max(state.radius for state in other) + 2 * EDGE
    for axis in (0, 1):
        here, there = [state[axis] for state in one], [state[axis] for state in other]
        if min(here) - max(there) >= least or min(there) - max(here) >= least:
            return True
    return False


def draw(parts: Sequence[Part], length: int, rng: np.random.Generator) -> np.ndarray:
    """The frames (length, 24, 24, 3) of what things do, uint8."""
    picture = shapes.background(SIZE, rng)[None]
    for part in parts:
        states = part.states(length)
        drawn = {s: s.shown * shapes.coverage(part.event.shape, s.radius, s[:2], SIZE) for s in set(states)}
        covered = np.stack([drawn[state] for state in states])[..., None]
        colour = np.array(shapes.COLOURS[part.event.colour]) + rng.uniform(-20, 20, 3)
        picture = covered * colour + (1 - covered) * picture
    return shapes.as_pixels(picture, 7, rng)


def captions(events: Sequence[Event]) -> list[str]:
    """What is said of two events, in each of the forms."""
    return [form.format(*events[::order]) for form, order in FORMS]


def parse(caption: str) -> list[Event] | None:
    """The two events of a caption, in the order in which they happen. None if it is no caption."""
    for pattern, order in _PATTERNS:
        if match := pattern.fullmatch(caption):
            words = match.groups()
            return [Event(*words[:3]), Event(*words[3:])][::order]
    return None


def is_true(caption: str, video: Moving) -> bool:
    """Whether a caption says both events of a video, with colour, shape and verb, in their order."""
    return parse(caption) == video.events


def verbs_and_order_right(caption: str, video: Moving) -> bool:
    """Whether a caption says what happens, and in what order, no matter to which things."""
    events = parse(caption)
    return events is not None and [event.verb for event in events] == [event.verb for event in video.events]
