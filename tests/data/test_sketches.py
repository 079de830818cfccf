"""Sketches: what is drawn, what is said of it, and what training never sees."""

import itertools

import numpy as np
import pytest

from minirnn import InputError
from minirnn.data import scenes
from minirnn.data.scenes import RELATIONS, combinations, home, is_true, nouns, parse, relation
from minirnn.data.shapes import COLOURS, SHAPES, SIZES, Thing
from minirnn.data.sketches import BACKGROUND, PALETTE, SIZE, SPRITES, covered, draw, sketches, things_in

SPLITS = {"train": sketches("train", 1500), "valid": sketches("valid", 400), "test": sketches("test", 400)}
ALL = [sketch for found in SPLITS.values() for sketch in found]


def test_a_sketch_is_a_picture_with_five_true_captions():
    for sketch in ALL:
        assert (sketch.picture.shape, sketch.picture.dtype) == ((16, 16, 3), np.uint8)
        assert len(set(sketch.captions)) == len(sketch.captions) == 5
        for caption in sketch.captions:
            assert is_true(caption, sketch), caption
            assert len(nouns(caption, sketch)) == len(sketch.things)
        assert all(said.size for said in parse(sketch.captions[0])[0])
    ones = [len(sketch.things) == 1 for sketch in SPLITS["train"]]
    assert 0.25 < np.mean(ones) < 0.33
    assert {len(sketch.things) for sketch in ALL} == {1, 2}


def test_captions_with_a_word_changed_are_not_true():
    for sketch in ALL[::7]:
        words = sketch.captions[0].split()
        for i, word in enumerate(words):
            for group in (COLOURS, SHAPES, SIZES, ["above", "below"], ["left", "right"]):
                for wrong in set(group) - {word} if word in group else ():
                    looks = {(thing.size, thing.colour, thing.shape) for thing in sketch.things}
                    changed = " ".join([*words[:i], wrong, *words[i + 1 :]])
                    assert not is_true(changed, sketch) or len(looks) == 1


def test_the_shapes_are_sprites_that_differ():
    assert {size: len(sprites["disc"]) for size, sprites in SPRITES.items()} == {"small": 5, "large": 7}
    for sprites in SPRITES.values():
        assert list(sprites) == list(SHAPES)
        for one, other in itertools.combinations(sprites.values(), 2):
            assert one.shape == other.shape == (len(one), len(one))
            assert (one != other).sum() >= 4
        for sprite in sprites.values():
            np.testing.assert_array_equal(sprite, sprite[:, ::-1])
            assert sprite.any(axis=0).all()
            assert sprite.any(axis=1).all()  # every one fills its square


def test_a_sprite_is_nowhere_a_part_of_the_picture_of_another():
    """Wherever it stands: so a picture tells the shape, the size and the place."""
    seen = set()
    for size, shape in itertools.product(SPRITES, SHAPES):
        half = len(SPRITES[size][shape]) // 2
        for middle in itertools.product(range(half, SIZE - half), repeat=2):
            seen.add(covered(Thing(size, "red", shape, middle)).tobytes())
    assert len(seen) == 6 * (12**2 + 10**2)


def test_pictures_have_the_colours_of_the_palette_and_of_their_things():
    assert PALETTE.table.tolist() == [list(BACKGROUND), *(list(rgb) for rgb in COLOURS.values())]
    pictures = np.stack([sketch.picture for sketch in ALL])
    ids = PALETTE.to_ids(pictures)
    np.testing.assert_array_equal(PALETTE.to_pixels(ids), pictures)
    names = ["", *COLOURS]
    for sketch, numbers in zip(ALL, ids, strict=True):
        assert {names[i] for i in np.unique(numbers)} == {"", *(thing.colour for thing in sketch.things)}
        for thing in sketch.things:
            assert (sketch.picture[covered(thing)] == COLOURS[thing.colour]).all()


def test_no_thing_is_cut_off_or_touches_another():
    for sketch in ALL:
        squares = np.zeros((SIZE + 2, SIZE + 2), int)
        for thing in sketch.things:
            sprite = SPRITES[thing.size][thing.shape]
            assert covered(thing).sum() == sprite.sum()
            half = len(sprite) // 2
            down, across = thing.middle
            assert half <= min(thing.middle) <= max(thing.middle) < SIZE - half
            # Grown by a pixel to the bottom and the right: then squares with none between overlap.
            squares[down - half : down + half + 2, across - half : across + half + 2] += 1
        assert squares.max() == 1
        inside = np.any([covered(thing) for thing in sketch.things], axis=0)
        np.testing.assert_array_equal((sketch.picture != BACKGROUND).any(axis=2), inside)


def test_relations_are_clear():
    found = set()
    for sketch in ALL:
        for one, other in itertools.permutations(sketch.things, 2):
            down, across = other.middle[0] - one.middle[0], other.middle[1] - one.middle[1]
            assert abs(abs(down) - abs(across)) >= 3
            upright = abs(down) > abs(across)
            expected = ("above", "below") if upright else ("left of", "right of")
            assert relation(one, other) == expected[(down if upright else across) < 0]
            found.add(relation(one, other))
    assert found == set(RELATIONS)


def test_things_are_everywhere_and_of_all_kinds():
    things = [thing for sketch in ALL for thing in sketch.things]
    for size, half in (("small", 2), ("large", 3)):
        places = {thing.middle for thing in things if thing.size == size}
        assert places == set(itertools.product(range(half, SIZE - half), repeat=2))
    assert {thing[:3] for thing in things} == set(itertools.product(SIZES, COLOURS, SHAPES))
    assert all(type(middle) is int for thing in things for middle in thing.middle)
    assert all(sketch.things == sorted(sketch.things, key=lambda thing: thing.middle) for sketch in ALL)


def test_training_has_none_of_the_combinations_of_the_test():
    for split in ("train", "valid"):
        for sketch in SPLITS[split]:
            colours = {(thing.colour, thing.shape) for thing in sketch.things}
            both = [
                (one.shape, relation(one, other), other.shape)
                for one, other in itertools.permutations(sketch.things, 2)
            ]
            mentioned = colours | {triple for triple in both if triple[1] in ("above", "left of")}
            assert mentioned == combinations(sketch.things)
            assert all(home(one) == "train" for one in mentioned)
    held_out = [{one for one in combinations(s.things) if home(one) == "test"} for s in SPLITS["test"]]
    assert all(held_out)
    assert {len(one) for found in held_out for one in found} == {2, 3}
    words = {word for s in SPLITS["train"] for one in combinations(s.things) for word in one}
    assert words >= {*COLOURS, *SHAPES}


def test_no_two_sketches_are_alike_and_no_splits_have_one_in_common():
    pictures = {sketch.picture.tobytes() for sketch in ALL}
    assert len(pictures) == len(ALL) == len({tuple(sketch.things) for sketch in ALL})
    other = {sketch.picture.tobytes() for sketch in sketches("valid", 400, seed=3)}
    trained = {sketch.picture.tobytes() for sketch in SPLITS["train"]}
    assert not other & trained
    assert len(other & {sketch.picture.tobytes() for sketch in SPLITS["valid"]}) < 200


def test_the_things_determine_the_picture():
    for sketch in ALL[::9]:
        np.testing.assert_array_equal(draw(sketch.things), sketch.picture)
        np.testing.assert_array_equal(draw(sketch.things[::-1]), sketch.picture)


def test_the_same_sketches_come_out_again():
    again = sketches("train", 700)
    for one, other in zip(again, SPLITS["train"][:700], strict=True):
        np.testing.assert_array_equal(one.picture, other.picture)
        assert one[1:] == other[1:]
    assert [s.things for s in sketches("train", 700, seed=1)] != [s.things for s in again]


def test_other_splits_and_counts_are_refused():
    with pytest.raises(InputError, match="unknown split 'dev'"):
        sketches("dev")
    with pytest.raises(InputError, match="count must be an integer of at least 1"):
        sketches("train", 0)


def test_captions_are_true_of_scenes_as_before():
    scene = scenes.scenes("train", 3)[2]
    assert is_true(scene.captions[0], scene)


@pytest.mark.parametrize("split", SPLITS)
def test_a_picture_tells_its_things(split):
    for one in sketches(split, 100):
        found = things_in(one.picture)
        assert found is not None
        assert sorted(found) == sorted(one.things)
        for row, column in ((0, 0), (15, 15), tuple(np.argwhere(covered(one.things[0]))[0])):
            other = one.picture.copy()
            other[row, column] = PALETTE.table[1 + (PALETTE.to_ids(other)[row, column] % 10)]
            assert things_in(other) is None
    assert things_in(np.zeros((16, 16, 3), np.uint8) + PALETTE.table[0]) == []
