"""Colours by number: what pixels become, what they come back as, and which damaged descriptions are refused."""

import json
import math
import sys
import tracemalloc

import numpy as np
import pytest

from minirnn.data import colours as module
from minirnn.data.colours import Binary, GreyLevels, Palette, colours_from_json
from minirnn.errors import InputError


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def greys(*shape, seed=0):
    return np.repeat(noise(*shape, seed=seed)[..., None], 3, axis=-1)


def every_grey():
    return np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)


ALL = [GreyLevels(2), GreyLevels(17), GreyLevels(256), Binary(), Binary(0.3), Binary(seed=5), Palette(noise(40, 3))]


@pytest.mark.parametrize("colours", ALL, ids=lambda colours: colours.describe())
def test_ids_become_pixels_and_the_same_ids_again(colours):
    ids = np.arange(colours.num_colours).reshape(1, -1, 1)
    pixels = colours.to_pixels(ids)
    assert (pixels.shape, pixels.dtype) == ((*ids.shape, 3), np.uint8)
    np.testing.assert_array_equal(pixels, colours.table[ids])
    back = colours.to_ids(pixels)
    assert (back.shape, back.dtype) == (ids.shape, np.uint8)
    np.testing.assert_array_equal(back, ids)
    for shape in ((5, 4), (2, 5, 4), (0, 5, 4), (2, 3, 5, 4)):
        ids = colours.to_ids(noise(*shape, 3))
        assert ids.shape == shape
        assert not ids.size or ids.max() < colours.num_colours
        np.testing.assert_array_equal(colours.to_ids(colours.to_pixels(ids)), ids)


@pytest.mark.parametrize("colours", ALL, ids=lambda colours: colours.describe())
def test_colours_come_back_from_json(colours):
    again = colours_from_json(json.loads(json.dumps(colours.to_json())))
    assert type(again) is type(colours)
    assert again.describe() == colours.describe()
    assert again.to_json() == colours.to_json()
    pictures = noise(3, 6, 6, 3)
    np.testing.assert_array_equal(again.to_ids(pictures), colours.to_ids(pictures))
    np.testing.assert_array_equal(again.table, colours.table)


def test_they_say_what_they_are():
    assert [colours.describe() for colours in ALL] == [
        *["2 levels of grey", "17 levels of grey", "256 levels of grey"],
        *["binarised at 0.5", "binarised at 0.3", "binarised by one random draw", "a palette of 40 colours"],
    ]


def test_levels_of_grey():
    assert GreyLevels(256).to_ids(every_grey())[0].tolist() == list(range(256))
    assert GreyLevels(4).table[:, 0].tolist() == [0, 85, 170, 255]
    for levels in (2, 3, 17, 100):
        found = GreyLevels(levels)
        near = abs(np.arange(256)[:, None] - np.arange(levels) * 255 / (levels - 1))
        chosen = near[np.arange(256), found.to_ids(every_grey())[0]]
        np.testing.assert_allclose(chosen, near.min(axis=1), atol=1e-9)
        np.testing.assert_array_equal(found.table, np.repeat(found.table[:, :1], 3, axis=1))


def test_grey_is_the_luma_of_a_colour():
    pictures = noise(30, 30, 3)
    expected = np.rint(pictures @ np.array([0.299, 0.587, 0.114]))
    np.testing.assert_array_equal(GreyLevels(256).to_ids(pictures), expected)
    primaries = np.array([[(255, 0, 0), (0, 255, 0), (0, 0, 255)]], np.uint8)
    assert GreyLevels(256).to_ids(primaries).tolist() == [[76, 150, 29]]


def test_a_threshold():
    assert Binary().to_ids(every_grey())[0].tolist() == [0] * 128 + [1] * 128
    assert Binary(1.0).to_ids(every_grey())[0].tolist() == [0] * 255 + [1]
    for level in (1, 51, 100, 254):  # a threshold that is a pixel's value to the bit
        assert Binary(level / 255).to_ids(every_grey())[0].tolist() == [0] * level + [1] * (256 - level)
    assert Binary().table.tolist() == [[0, 0, 0], [255, 255, 255]]


def test_a_random_draw_has_the_luma_as_its_probability():
    ids = Binary(seed=1).to_ids(np.repeat(every_grey(), 4000, axis=0))
    np.testing.assert_allclose(ids.mean(axis=0), np.arange(256) / 255, atol=0.045)  # more than 5 standard deviations
    assert abs(ids.mean() - 0.5) < 0.003
    assert not ids[:, 0].any()
    assert ids[:, 255].all()


def test_a_random_draw_is_that_of_the_seed_and_the_picture():
    pictures = greys(4, 3, 9, 9)
    found = Binary(seed=1).to_ids(pictures)
    np.testing.assert_array_equal(Binary(seed=1).to_ids(pictures), found)
    np.testing.assert_array_equal(Binary(seed=1).to_ids(pictures[2, 1]), found[2, 1])
    np.testing.assert_array_equal(Binary(seed=1).to_ids(pictures[::-1]), found[::-1])
    other = Binary(seed=2).to_ids(pictures)
    assert 0.15 < (other != found).mean() < 0.5
    pictures[0, 0, 0, 0] = pictures[0, 0, 0, 0] // 2 + 1
    changed = Binary(seed=1).to_ids(pictures)
    assert (changed[0, 0] != found[0, 0]).sum() > 5  # not the same numbers were drawn for another picture
    np.testing.assert_array_equal(changed[1:], found[1:])


def test_a_palette_gives_the_nearest_colour_and_the_first_of_equals(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 64)
    palette, pictures = Palette(noise(40, 3)), noise(3, 20, 21, 3, seed=1)
    distances = ((pictures[..., None, :].astype(int) - palette.table) ** 2).sum(axis=-1)
    np.testing.assert_array_equal(palette.to_ids(pictures), distances.argmin(axis=-1))
    ends = Palette(np.array([(0, 0, 0), (255, 255, 255), (0, 0, 2)], np.uint8))
    assert ends.to_ids(np.array([[(0, 0, 1), (0, 0, 2), (128, 128, 128)]], np.uint8)).tolist() == [[0, 2, 1]]
    table = np.array([(10, 0, 0), (0, 10, 0)], np.uint8)
    for order in (table, table[::-1]):
        assert Palette(order).to_ids(np.array([[(5, 5, 0)]], np.uint8)).tolist() == [[0]]


def test_a_palette_keeps_its_own_colours():
    table = noise(5, 3)
    palette = Palette(table)
    table[:] = 0
    np.testing.assert_array_equal(palette.table, noise(5, 3))


def test_many_pictures_take_little_more_memory_than_their_numbers():
    pictures = noise(200, 64, 64, 3)
    for colours in ALL:
        tracemalloc.start()
        colours.to_ids(pictures)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 60_000_000  # distances to all colours would be 130 MB as float32, or more


def test_median_cut_of_few_colours_is_exactly_these(monkeypatch):
    for name in ("PIL", "PIL.Image"):
        monkeypatch.setitem(sys.modules, name, None)
    few = np.unique(noise(16, 3), axis=0)
    pictures = few[np.random.default_rng(0).permutation(np.arange(300) % 16).reshape(3, 10, 10)]
    for most in (16, 17, 256):
        found = Palette.median_cut(pictures, most)
        np.testing.assert_array_equal(found.table, few)
        np.testing.assert_array_equal(found.to_pixels(found.to_ids(pictures)), pictures)
    with pytest.raises(InputError, match=r"pip install 'minirnn\[images\]'"):
        Palette.median_cut(pictures, 15)


def test_median_cut_of_many_colours():
    pytest.importorskip("PIL.Image")
    centres = np.array([(30, 30, 30), (220, 40, 40), (40, 210, 60), (50, 60, 230)])
    rng = np.random.default_rng(0)
    pictures = centres[rng.integers(0, 4, (5, 20, 20))] + rng.integers(-9, 10, (5, 20, 20, 3))
    pictures = pictures.astype(np.uint8)
    found = Palette.median_cut(pictures, 4)
    order = np.lexsort(centres.T[::-1])
    assert abs(found.table.astype(int) - centres[order]).max() < 20
    errors = []
    for most in (2, 4, 16, 64, 256):
        palette = Palette.median_cut(pictures, most)
        assert palette.num_colours <= most
        assert palette.table.tolist() == sorted(palette.table.tolist())
        back = palette.to_pixels(palette.to_ids(pictures))
        errors.append(((back.astype(int) - pictures) ** 2).mean())
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 12
    # A picture in colours that the others do not have counts as well: all are laid together.
    pictures[4] = (0, 255, 255)
    assert (abs(Palette.median_cut(pictures, 8).table.astype(int) - (0, 255, 255)).max(axis=1) < 3).any()


def test_median_cut_of_more_pixels_than_are_needed(monkeypatch):
    pytest.importorskip("PIL.Image")
    monkeypatch.setattr(module, "MOST_SAMPLED", 500)
    found = Palette.median_cut(noise(7, 30, 30, 3), 8)
    assert found.num_colours == 8
    assert found.table.std() > 40


def test_a_single_colour_is_no_palette():
    with pytest.raises(InputError, match="pictures of 2 colours or more, found 1"):
        Palette.median_cut(np.zeros((2, 3, 3, 3), np.uint8), 4)
    with pytest.raises(InputError, match="found 0"):
        Palette.median_cut(np.zeros((0, 3, 3, 3), np.uint8), 4)
    for most in (1, 257, 4.0, True):
        with pytest.raises(InputError, match="num_colours must be an integer"):
            Palette.median_cut(noise(2, 3, 3, 3), most)


@pytest.mark.parametrize("table", [noise(1, 3), noise(257, 3), noise(4, 4), noise(12), np.ones((4, 3)), noise(0, 3)])
def test_what_is_no_table_of_colours(table):
    with pytest.raises(InputError, match="expected"):
        Palette(table)


def test_no_colour_is_there_twice():
    with pytest.raises(InputError, match="found one twice"):
        Palette(np.array([(1, 2, 3), (3, 2, 1), (1, 2, 3)], np.uint8))


@pytest.mark.parametrize("levels", [1, 0, -3, 257, 10**30, 4.0, "4", None, True])
def test_numbers_of_levels(levels):
    with pytest.raises(InputError, match="levels must be an integer"):
        GreyLevels(levels)


@pytest.mark.parametrize("threshold", [0, 0.0, -0.1, 1.01, math.nan, math.inf, "0.5", None, True])
def test_thresholds(threshold):
    with pytest.raises(InputError, match="threshold must be a number"):
        Binary(threshold)


@pytest.mark.parametrize("colours", ALL, ids=lambda colours: colours.describe())
def test_what_are_no_pictures_and_no_ids(colours):
    for wrong in (noise(4, 4), noise(4, 4, 4), noise(4, 3), np.zeros((4, 4, 3))):
        with pytest.raises(InputError, match=r"expected pictures \(\.\.\., H, W, 3\) of uint8"):
            colours.to_ids(wrong)
    for wrong in (np.array([[0, colours.num_colours]]), np.array([[-1, 0]])):
        with pytest.raises(InputError, match=f"expected numbers of {colours.num_colours} colours"):
            colours.to_pixels(wrong)
    with pytest.raises(InputError, match="not float64"):
        colours.to_pixels(np.zeros((2, 2)))


RGB = [[0, 0, 0], [1, 2, 3]]


@pytest.mark.parametrize(
    "config",
    [
        *(None, [], 3, "kind", {}, {"kind": "gray"}, {"kind": ["grey"]}, {"kind": None}),
        *(
            {"kind": "grey", **rest}
            for rest in ({}, {"levels": 1}, {"levels": 10**9}, {"levels": [2]}, {"levels": 2.5})
        ),
        *({"kind": "binary", "threshold": value} for value in (0, 2, math.nan, None, "0.5", [0.5])),
        *({"kind": "binary", "seed": value} for value in (-1, None, 0.5, "0", 2**63, 10**400, True, [1])),
        *({"kind": "binary", "threshold": 0.5, "seed": None}, {"kind": "binary"}, {"kind": "palette"}),
        *({"kind": "palette", "colours": value} for value in (None, 3, "abc", {}, [], RGB[:1], RGB * 129, RGB * 2)),
        *(
            {"kind": "palette", "colours": [*RGB, row]}
            for row in (
                [1, 2],
                [1, 2, 3, 4],
                [1, 2, 256],
                [1, 2, -1],
                [1, 2, 3.0],
                [1, 2, None],
                "abc",
                3,
                None,
                [[1]] * 3,
            )
        ),
    ],
)
def test_damaged_descriptions(config):
    with pytest.raises((ValueError, TypeError, KeyError)) as caught:
        colours_from_json(config)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200
