"""Moving scenes: what is drawn, in what order it happens, what is said of it, and what training never sees."""

import itertools
from collections import defaultdict

import numpy as np
import pytest

from minirnn import InputError
from minirnn.data import moving as module
from minirnn.data import shapes
from minirnn.data.moving import (
    COLOURS,
    RADII,
    SHAPES,
    SIZE,
    VERBS,
    Event,
    combinations,
    home,
    is_true,
    moving,
    parse,
    verbs_and_order_right,
)
from minirnn.data.text import detokenize, tokenize

SPLITS = {split: moving(split, count) for split, count in {"train": 400, "valid": 60, "test": 150}.items()}
WAYS = {"moves left": (0, -1), "moves right": (0, 1), "moves up": (-1, 0), "moves down": (1, 0)}
ALL = [video for found in SPLITS.values() for video in found]


@pytest.fixture(scope="module")
def plans():
    """The parts of many videos, with how many frames these have."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(12, 17, size=1500).tolist()
    return [(module.plan(module._events(rng), length, rng), length) for length in lengths]


def coverage(shape, state, beyond=0):
    """What a thing covers of the picture and of some pixels around it."""
    middle = (state.down + beyond, state.across + beyond)
    return shapes.coverage(shape, state.radius, middle, SIZE + 2 * beyond)


def colour_at(frame, colour):
    """The middle (down, across) of the pixels of a colour, and how many there are."""
    away = {name: np.abs(frame - np.array(shapes.COLOURS[name])).max(axis=-1) for name in COLOURS}
    others = np.min([away[name] for name in COLOURS if name != colour], axis=0)
    inside = np.argwhere((away[colour] < 45) & (away[colour] < others))
    return (np.median(inside, axis=0) if len(inside) else np.full(2, np.nan)), len(inside)


def test_a_video_has_frames_two_events_and_three_true_captions():
    assert {len(video.frames) for video in ALL} == {12, 13, 14, 15, 16}
    for video in ALL:
        assert (video.frames.shape[1:], video.frames.dtype) == ((24, 24, 3), np.uint8)
        one, other = video.events
        assert one[:2] != other[:2]
        assert len(set(video.captions)) == 3
        for caption in video.captions:
            assert is_true(caption, video), caption
            assert verbs_and_order_right(caption, video)
            assert detokenize(tokenize(caption, "word"), "word") == caption  # as a model will write it
    assert {event.verb for video in ALL for event in video.events} == set(VERBS)


def test_captions_say_the_order_in_three_ways():
    events = [Event("red", "disc", "moves left"), Event("blue", "square", "vanishes")]
    said = [
        "a red disc moves left, then a blue square vanishes",
        "first a red disc moves left, then a blue square vanishes",
        "a blue square vanishes after a red disc moves left",
    ]
    assert module.captions(events) == said
    assert [parse(caption) for caption in said] == [events] * 3


@pytest.mark.parametrize("form", range(3))
def test_a_caption_with_anything_wrong_or_missing_is_not_true(form):
    # A test video with things that differ in all, so that whatever is taken from one is wrong for the other.
    video = next(v for v in ALL if all(a != b for a, b in zip(*v.events, strict=True)))
    one, other = video.events

    def say(*events):
        return module.captions(events)[form]

    assert is_true(say(one, other), video)
    for wrong in VERBS:
        for events in ((one._replace(verb=wrong), other), (one, other._replace(verb=wrong))):
            assert (
                is_true(say(*events), video) == verbs_and_order_right(say(*events), video) == (events == (one, other))
            )
    for field, group in (("colour", COLOURS), ("shape", SHAPES)):
        for wrong in group:
            for events in ((one._replace(**{field: wrong}), other), (one, other._replace(**{field: wrong}))):
                assert is_true(say(*events), video) == (events == (one, other))
                assert verbs_and_order_right(say(*events), video)
    assert not is_true(say(other, one), video)
    assert not verbs_and_order_right(say(other, one), video)
    crossed = (one._replace(verb=other.verb), other._replace(verb=one.verb))
    assert not is_true(say(*crossed), video)
    words = say(one, other).split()
    for i, word in enumerate(words):
        for changed in (
            words[:i] + words[i + 1 :],
            [*words[:i], word, *words[i:]],
            [*words[:i], "it", *words[i + 1 :]],
        ):
            if not (word == "first" and len(changed) < len(words)):
                assert parse(" ".join(changed)) is None
                assert not is_true(" ".join(changed), video)
                assert not verbs_and_order_right(" ".join(changed), video)


def test_what_is_no_caption():
    for text in ("", str(ALL[0].events[0]), "a red ring moves left, then a blue square vanishes", "a thing moves"):
        assert parse(text) is None
        assert not is_true(text, ALL[0])


def test_the_first_event_is_over_when_the_second_begins():
    """In the pictures: what differs by more than noise (which is about 7, and 10 of two frames)."""
    seen = []
    for video in ALL:
        frames = video.frames.astype(float)
        half = len(frames) // 2
        early, late = frames[:half], frames[len(frames) - half :]
        first, second = (np.abs(part[-1] - part[0]).max(axis=-1) > 65 for part in (early, late))
        seen.append(first.any() and second.any())
        assert np.abs(late[0] - early[-1]).max() < 65  # around the middle nothing happens
        # Where the first thing comes to be or leaves, nothing changes later, unless the other one moves there.
        if video.events[1].verb not in WAYS:
            assert not (first & second).any()
    assert np.mean(seen) > 0.95  # a few things look like the background


def test_the_first_thing_changes_in_the_first_half_only(plans):
    for parts, length in plans:
        one, other = (part.states(length) for part in parts)
        half = length // 2
        assert one[0] != one[half - 1]
        assert len(set(one[half - 1 :])) == 1
        assert len(set(other[: length - half + 1])) == 1
        assert other[length - half] != other[-1]
        for part, states in zip(parts, (one, other), strict=True):
            assert (states[0], states[-1]) == (part.before, part.after)
            assert 4 <= len(set(states)) <= half


def test_things_never_touch_nor_leave_the_picture(plans):
    for parts, length in plans[:400]:
        whole = []
        for part in parts:
            covers = {state: coverage(part.event.shape, state, beyond=3) for state in set(part.states(length))}
            for cover in covers.values():
                assert cover.sum() == pytest.approx(cover[3:-3, 3:-3].sum())
            whole.append([covers[state] for state in part.states(length)])
        assert (np.array(whole) > 0).sum(axis=0).max() == 1


def test_things_do_what_their_verbs_say():
    """In the pictures: where the pixels of a thing's colour are, and how many."""
    seen = defaultdict(int)
    for video in ALL:
        if video.events[0].colour == video.events[1].colour:
            continue
        for colour, _, verb in video.events:
            (start, before), (end, after) = (colour_at(video.frames[i].astype(float), colour) for i in (0, -1))
            if max(before, after) < 8:  # a small cross has few pixels that are its own colour
                continue
            seen[verb] += 1
            if verb in WAYS:
                np.testing.assert_allclose(end - start, 6.5 * np.array(WAYS[verb]), atol=1.6)
                assert after == pytest.approx(before, rel=0.5, abs=8)
            elif verb in ("appears", "vanishes"):
                few, many = (before, after) if verb == "appears" else (after, before)
                assert few < 3 <= many
            else:
                np.testing.assert_allclose(end, start, atol=2)
                few, many = (before, after) if verb == "grows" else (after, before)
                assert many > 1.8 * few > 0
    assert min(seen[verb] for verb in VERBS) > 30


def test_things_have_their_colours_and_shapes(plans):
    rng = np.random.default_rng(0)
    for parts, length in plans[:100]:
        frames = module.draw(parts, length, rng)
        for part in parts:
            for frame, state in zip(frames, part.states(length), strict=True):
                whole = coverage(part.event.shape, state) == 1
                if state.shown == 1 and whole.sum() > 4:
                    pixels = frame[whole].mean(axis=0)
                    away = {name: np.abs(pixels - np.array(shapes.COLOURS[name])).sum() for name in COLOURS}
                    assert min(away, key=away.get) == part.event.colour


def test_one_frame_does_not_tell_what_happens(plans):
    """What is seen before an event and its opposite, and before and after, is spread over the same."""
    before, after = defaultdict(list), defaultdict(list)
    for parts, _ in plans:
        for part in parts:
            before[part.event.verb].append(part.before)
            after[part.event.verb].append(part.after)
    # Starts of what moves left and what moves right (or up and down) overlap; across the motion they are alike.
    for verb, opposite, axis in (("moves left", "moves right", 1), ("moves up", "moves down", 0)):
        ahead, back = (np.array([state[axis] for state in before[v]]) for v in (verb, opposite))
        assert np.mean(ahead < np.quantile(back, 0.95)) > 0.2
        assert np.mean(back > np.quantile(ahead, 0.05)) > 0.2
        aside = [np.mean([state[1 - axis] for state in before[v]]) for v in (verb, opposite)]
        np.testing.assert_allclose(aside, (SIZE - 1) / 2, atol=1.2)
    # Played backwards each is its opposite.
    for verb, opposite in zip(VERBS[::2], VERBS[1::2], strict=True):
        for here, there in ((before[verb], after[opposite]), (after[verb], before[opposite])):
            np.testing.assert_allclose(np.mean(here, axis=0), np.mean(there, axis=0), atol=1.1)
            np.testing.assert_allclose(np.std(here, axis=0), np.std(there, axis=0), atol=0.8)
    # Small and large ones are there before whatever happens, but what grows is small.
    sizes = {verb: {state.radius for state in states} for verb, states in before.items()}
    assert sizes.pop("grows") == {RADII[0]} == {state.radius for state in after["shrinks"]}
    assert sizes.pop("shrinks") == {RADII[1]} == {state.radius for state in after["grows"]}
    assert all(found == set(RADII) for found in sizes.values())
    assert 150 < min(map(len, before.values())) < max(map(len, before.values())) < 600  # all are as likely


def test_training_has_none_of_the_combinations_of_the_test():
    for shape in SHAPES:
        assert [home((colour, shape)) for colour in COLOURS].count("test") == 1
    held_out = [colour for colour in COLOURS for shape in SHAPES if home((colour, shape)) == "test"]
    assert len(set(held_out)) == len(held_out) == 4
    for verb in VERBS:
        assert [home((verb, next_one)) for next_one in VERBS].count("test") == 1
        assert [home((first, verb)) for first in VERBS].count("test") == 1
    seen = {split: [combinations(video.events) for video in found] for split, found in SPLITS.items()}
    for split in ("train", "valid"):
        assert all(home(one) == "train" for found in seen[split] for one in found)
    assert all(any(home(one) == "test" for one in found) for found in seen["test"])
    words = {word for found in seen["train"] for one in found for word in one}
    assert words == {*COLOURS, *SHAPES, *VERBS}  # in other company training has seen each of them


def test_no_split_has_a_video_of_another(monkeypatch):
    """Nor would it, whatever the seeds: what is planned is of one split."""
    there = {split: {video.frames.tobytes() for video in found} for split, found in SPLITS.items()}
    for a, b in itertools.combinations(SPLITS, 2):
        assert not there[a] & there[b]
    assert len(there["train"]) == 400

    planned = {}
    drawn = module.draw

    def remember(parts, length, rng):
        planned[split].add(str(parts))
        return drawn(parts, length, rng)

    monkeypatch.setattr(module, "draw", remember)
    # From the same random numbers.
    monkeypatch.setattr(module, "SPLITS", {"train": 1, "valid": 1, "test": 1})
    first = np.random.default_rng
    monkeypatch.setattr(module.np.random, "default_rng", lambda seeds: first(seeds[0]))
    for split, count in (("train", 150), ("valid", 10)):
        planned[split] = set()
        moving(split, count)
    assert not planned["train"] & planned["valid"]


def test_the_same_videos_come_out_again():
    again = moving("train", 20)
    for one, other in zip(again, SPLITS["train"], strict=False):
        np.testing.assert_array_equal(one.frames, other.frames)
        assert (one.captions, one.events) == (other.captions, other.events)
    other = moving("train", 1, seed=1)[0]
    assert other.frames.shape != again[0].frames.shape or (other.frames != again[0].frames).any()


def test_what_there_is_not():
    with pytest.raises(InputError, match="unknown split 'dev': expected one of train, valid, test"):
        moving("dev")
    with pytest.raises(InputError, match="count must be an integer of at least 1"):
        moving("train", 0)
    with pytest.raises(InputError, match="seed must be an integer of at least 0"):
        moving("train", 1, seed=-1)
