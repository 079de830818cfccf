"""Scenes: what is drawn, what is said of it, and what training never sees."""

import itertools

import numpy as np
import pytest

from minirnn import InputError
from minirnn.data import scenes as module
from minirnn.data.scenes import RELATIONS, SIZE, combinations, home, is_true, nouns, parse, relation, scenes
from minirnn.data.shapes import COLOURS, SHAPES, SIZES, Thing, box, coverage

SPLITS = {split: scenes(split, 400) for split in ("train", "valid", "test")}
ALL = [scene for found in SPLITS.values() for scene in found]


def test_a_scene_is_a_picture_with_five_true_captions():
    assert {len(scene.things) for scene in ALL} == {1, 2, 3}
    for scene in ALL:
        assert (scene.picture.shape, scene.picture.dtype) == ((32, 32, 3), np.uint8)
        assert len(set(scene.captions)) == len(scene.captions) == 5
        for caption in scene.captions:
            assert is_true(caption, scene), caption
        assert all(said.size for said in parse(scene.captions[0])[0])


def test_things_are_where_their_boxes_are_and_do_not_touch():
    for scene in ALL:
        covered = [thing.coverage(SIZE) for thing in scene.things]
        assert np.sum([c > 0 for c in covered], axis=0).max() == 1
        for thing, cover in zip(scene.things, covered, strict=True):
            top, left, bottom, right = thing.box(SIZE)
            assert 0 <= top < bottom <= SIZE
            assert 0 <= left < right <= SIZE
            assert cover.sum() == pytest.approx(cover[top:bottom, left:right].sum(), rel=0.25)
            assert max(cover[0].max(), cover[-1].max(), cover[:, 0].max(), cover[:, -1].max()) == 0  # none is cut off
            assert (bottom - top) * (right - left) / SIZE**2 <= 0.15


def test_things_have_their_colours_and_shapes():
    for scene in ALL:
        for thing in scene.things:
            seen = scene.picture[thing.coverage(SIZE) == 1].mean(axis=0)
            distance = {name: np.abs(seen - np.array(rgb)).sum() for name, rgb in COLOURS.items()}
            assert min(distance, key=distance.get) == thing.colour
    areas = {}
    for name in SHAPES:
        cover = coverage(name, 10, (15.5, 15.5), SIZE)
        areas[name] = cover.sum()
        assert ((cover > 0) & (cover < 1)).sum() > 10 or name in ("square", "cross")  # antialiased
    assert areas["disc"] == pytest.approx(np.pi * 100, rel=0.01)
    assert areas["ring"] == pytest.approx(np.pi * 75, rel=0.01)
    assert areas["square"] == pytest.approx(17**2, rel=0.03)
    assert areas["triangle"] == pytest.approx(180, rel=0.02)
    assert areas["star"] == pytest.approx(10 * 11 * 4.5 * np.sin(np.pi / 5) / 2, rel=0.02)  # ten triangles


def test_relations_are_as_the_picture_has_them():
    for scene in ALL:
        for one, other in itertools.permutations(scene.things, 2):
            (y, x), (other_y, other_x) = one.middle, other.middle
            down, across = other_y - y, other_x - x
            assert max(abs(down), abs(across)) > 3 * min(abs(down), abs(across))
            upright = abs(down) > abs(across)
            expected = ("above", "below") if upright else ("left of", "right of")
            assert relation(one, other) == expected[(down if upright else across) < 0]
            assert relation(other, one) == RELATIONS[relation(one, other)]
        if len(scene.things) == 3:  # the first stands between the others
            assert relation(scene.things[0], scene.things[1]) == RELATIONS[relation(scene.things[0], scene.things[2])]


def test_a_thing_said_from_the_far_side_is_true_too():
    middle, upper, lower = (
        Thing("small", colour, "disc", (y, 9.0)) for colour, y in (("red", 15), ("blue", 5), ("gray", 25))
    )
    scene = module.Scene(np.zeros((SIZE, SIZE, 3), np.uint8), [], [middle, upper, lower])
    for caption in (
        "a red disc above a gray disc and below a blue disc",
        "you see a blue disc above a red disc and above a small gray disc",
        "there is a gray disc below a blue disc and below a red disc",
    ):
        assert is_true(caption, scene)
    assert not is_true("a blue disc above a red disc and below a gray disc", scene)
    assert not is_true("a red disc above a blue disc and below a gray disc", scene)


def test_the_box_is_around_what_is_covered():
    covered = np.zeros((6, 6))
    covered[2:4, 1:5] = 1
    covered[0, 0] = 0.2  # a soft edge
    assert box(covered) == (2, 1, 4, 5)
    assert Thing("large", "red", "square", (10.0, 12.0)).box(SIZE) == (6, 8, 15, 17)


def test_what_begins_with_a_vowel_has_an_n():
    thing = Thing("small", "orange", "star", (10.0, 12.0))
    assert thing.name() == "a small orange star"
    assert thing.name(with_size=False) == "an orange star"
    assert parse("an orange star") == ([(None, "orange", "star", 2)], [])
    assert is_true("an orange star", module.Scene(np.zeros((SIZE, SIZE, 3), np.uint8), [], [thing]))


def test_training_has_none_of_the_combinations_of_the_test():
    seen = {split: [combinations(s.things) for s in found] for split, found in SPLITS.items()}
    for split in ("train", "valid"):
        assert all(home(one) == "train" for found in seen[split] for one in found)
    assert all(any(home(one) == "test" for one in found) for found in seen["test"])
    held_out = {one for found in seen["test"] for one in found if home(one) == "test"}
    assert {len(one) for one in held_out} == {2, 3}  # colours with shapes, and relations
    words = {word for found in seen["train"] for one in found for word in one}
    assert words >= {*COLOURS, *SHAPES}  # in other company training has seen each of them
    there = {split: {s.picture.tobytes() for s in found} for split, found in SPLITS.items()}
    whole = {split: {str(s.things) for s in found} for split, found in SPLITS.items()}
    for a, b in itertools.combinations(SPLITS, 2):
        assert not there[a] & there[b]
        assert not whole[a] & whole[b]
    assert len(there["train"]) == 400


def test_the_same_scenes_come_out_again():
    again = scenes("train", 20)
    for one, other in zip(again, SPLITS["train"], strict=False):
        np.testing.assert_array_equal(one.picture, other.picture)
        assert one.captions == other.captions
    assert (scenes("train", 1, seed=1)[0].picture != again[0].picture).any()


def scene_with(count):
    return next(s for s in ALL if len(s.things) == count and len({(t.colour, t.shape) for t in s.things}) == count)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_caption_with_anything_wrong_or_missing_is_not_true(count):
    scene = scene_with(count)
    for caption in scene.captions:
        words = caption.split()
        for i, word in enumerate(words):
            for group in (COLOURS, SHAPES, SIZES, ["above", "below"], ["left", "right"]):
                if word in group:
                    for wrong in set(group) - {word}:
                        assert not is_true(" ".join([*words[:i], wrong, *words[i + 1 :]]), scene)
            assert not is_true(" ".join(words[:i] + words[i + 1 :]), scene) or word in SIZES
            assert not is_true(" ".join([*words[:i], word, *words[i:]]), scene)
    thing = scene.things[0]
    assert not is_true("", scene)
    assert is_true(thing.name(), scene) == (count == 1)  # vague where there is more
    assert not is_true("a shape", scene)


def test_each_noun_is_found_with_its_thing():
    for scene in ALL:
        for caption in scene.captions:
            found = nouns(caption, scene)
            assert sorted(thing.middle for _, thing in found) == sorted(thing.middle for thing in scene.things)
            for word, thing in found:
                assert caption.split()[word] == thing.shape
    assert nouns("a red thing", ALL[0]) == []


def test_opposites_and_what_there_is_not():
    assert all(RELATIONS[RELATIONS[one]] == one for one in RELATIONS)
    with pytest.raises(InputError, match="unknown split 'dev'"):
        scenes("dev")
    with pytest.raises(InputError, match="count must be an integer of at least 1"):
        scenes("train", 0)
