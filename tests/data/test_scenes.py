"""Scenes: what is drawn, what is said of it, and what training never sees."""

import itertools

import numpy as np
import pytest

from minirnn import InputError
from minirnn.data import scenes as module
from minirnn.data.scenes import COLOURS, RELATIONS, SHAPES, SIZE, combinations, home, is_true, nouns, parse, scenes

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
        covered = [module._coverage(t.shape, module.SIZES[t.size], t.middle) for t in scene.things]
        assert np.sum([c > 0 for c in covered], axis=0).max() == 1
        for thing, cover in zip(scene.things, covered, strict=True):
            top, left, bottom, right = thing.box
            assert 0 <= top < bottom <= SIZE
            assert 0 <= left < right <= SIZE
            assert cover.sum() == pytest.approx(cover[top:bottom, left:right].sum(), rel=0.25)
            assert max(cover[0].max(), cover[-1].max(), cover[:, 0].max(), cover[:, -1].max()) == 0  # none is cut off
        share = [(t.box[2] - t.box[0]) * (t.box[3] - t.box[1]) / SIZE**2 for t in scene.things]
        assert max(share) <= 0.15


def test_things_have_their_colours_and_shapes():
    for scene in ALL:
        for thing in scene.things:
            cover = module._coverage(thing.shape, module.SIZES[thing.size], thing.middle)
            seen = scene.picture[cover == 1].mean(axis=0)
            distance = {name: np.abs(seen - np.array(rgb)).sum() for name, rgb in COLOURS.items()}
            assert min(distance, key=distance.get) == thing.colour
    areas = {}
    for name in SHAPES:
        cover = module._coverage(name, 10, (15.5, 15.5))
        areas[name] = cover.sum()
        assert ((cover > 0) & (cover < 1)).sum() > 10 or name in ("square", "cross")  # antialiased
    assert areas["disc"] == pytest.approx(np.pi * 100, rel=0.01)
    assert areas["ring"] == pytest.approx(np.pi * 75, rel=0.01)
    assert areas["square"] == pytest.approx(17**2, rel=0.03)
    assert areas["triangle"] == pytest.approx(180, rel=0.02)
    assert areas["star"] == pytest.approx(10 * 11 * 4.5 * np.sin(np.pi / 5) / 2, rel=0.02)  # ten triangles


def test_relations_are_as_the_picture_has_them():
    for scene in ALL:
        (y, x), *others = (thing.middle for thing in scene.things)
        for relation, (other_y, other_x) in zip(scene.relations, others, strict=True):
            down, across = other_y - y, other_x - x
            assert max(abs(down), abs(across)) > 3 * min(abs(down), abs(across))
            upright = abs(down) > abs(across)
            expected = ("above", "below") if upright else ("left of", "right of")
            assert relation == expected[(down if upright else across) < 0]


def test_training_has_none_of_the_combinations_of_the_test():
    seen = {split: [combinations(s.things, s.relations) for s in found] for split, found in SPLITS.items()}
    for split in ("train", "valid"):
        assert all(home(one) == "train" for found in seen[split] for one in found)
    assert all(any(home(one) == "test" for one in found) for found in seen["test"])
    held_out = {one for found in seen["test"] for one in found if home(one) == "test"}
    assert {len(one) for one in held_out} == {2, 3}  # colours with shapes, and relations
    words = {word for found in seen["train"] for one in found for word in one}
    assert words >= {*COLOURS, *SHAPES}  # in other company training has seen each of them
    there = {split: {s.picture.tobytes() for s in found} for split, found in SPLITS.items()}
    whole = {split: {str((s.things, s.relations)) for s in found} for split, found in SPLITS.items()}
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
            for group in (COLOURS, SHAPES, module.SIZES, ["above", "below"], ["left", "right"]):
                if word in group:
                    for wrong in set(group) - {word}:
                        assert not is_true(" ".join([*words[:i], wrong, *words[i + 1 :]]), scene)
            assert not is_true(" ".join(words[:i] + words[i + 1 :]), scene) or word in module.SIZES
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
