"""Counts of neighbouring pixels against a slow reading of their formula, and against costs that are known."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from minirnn import InputError
from minirnn.models.neighbour_counts import FOLDS, STRENGTHS, USUAL_STRENGTH, NeighbourCounts, nearest_earlier

FIRST_TWELVE = "0,-1 -1,0 -1,-1 -1,1 0,-2 -2,0 -1,-2 -1,2 -2,-1 -2,1 -2,-2 -2,2"


def windows(picture, K, offsets):
    """(colour, colours of its neighbours) of every pixel."""
    H, W = picture.shape
    for y, x in itertools.product(range(H), range(W)):
        at = [(y + dy, x + dx) for dy, dx in offsets]
        yield int(picture[y, x]), tuple(int(picture[v, u]) if 0 <= v < H and 0 <= u < W else K for v, u in at)


def naive(pictures, others, K, offsets, strengths):
    """-ln p of each of the others, by a dictionary of counts and recursion over the neighbours."""
    counts = Counter()
    for picture in pictures:
        for colour, context in windows(picture, K, offsets):
            counts.update((context[:k], colour) for k in range(len(offsets) + 1))

    def p(colour, context):
        k = len(context)
        shorter = p(colour, context[:-1]) if k else 1 / K
        total = sum(counts[context, c] for c in range(K))
        return (counts[context, colour] + strengths[k] * shorter) / (total + strengths[k])

    return np.array([-sum(math.log(p(*window)) for window in windows(other, K, offsets)) for other in others])


def all_pictures(K, *shape):
    return np.array(list(itertools.product(range(K), repeat=math.prod(shape)))).reshape(-1, *shape)


def flipped_copies(rng, number, size, chance):
    """Pictures whose pixels are the one above, or with a chance the other colour."""
    return (rng.random((number, size, size)) < np.where(np.arange(size) == 0, 0.5, chance)[:, None]).cumsum(1) % 2


@pytest.fixture(scope="module")
def digits(data_folder):
    path = data_folder / "images" / "mnist-10k.npz"
    if not path.exists():
        pytest.skip(f"no {path}")
    with np.load(path) as file:
        pictures = (file["x"] >= 128).astype(np.int64)
    test = np.arange(len(pictures)) % 5 == 4
    return pictures[~test], pictures[test]


def test_the_nearest_of_the_earlier_pixels_come_first():
    assert nearest_earlier(12) == [tuple(map(int, pair.split(","))) for pair in FIRST_TWELVE.split()]
    for k in range(60):
        offsets = nearest_earlier(k)
        assert len(set(offsets)) == k
        assert all(pair < (0, 0) for pair in offsets)
        farthest = max((dy * dy + dx * dx for dy, dx in offsets), default=0)
        nearer = [at for at in itertools.product(range(-9, 1), range(-9, 10)) if at < (0, 0)]
        assert {(dy, dx) for dy, dx in nearer if dy * dy + dx * dx < farthest} <= set(offsets)


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("strength", [0.5, None])
def test_the_probabilities_of_all_pictures_sum_to_one(K, strength, rng):
    model = NeighbourCounts(rng.integers(0, K, (5, 4, 3)), K, 6, strength=strength)
    sums = np.exp(-model.nats(all_pictures(K, 2, 2))).sum(axis=1)
    np.testing.assert_allclose(sums, np.ones(7), rtol=1e-12)


@pytest.mark.parametrize(("K", "most"), [(1, 2), (2, 7), (3, 4), (50, 3)])
def test_the_probabilities_are_those_of_the_formula(K, most, rng):
    pictures, others = rng.integers(0, K, (4, 5, 4)), rng.integers(0, K, (3, 3, 6))
    model = NeighbourCounts(pictures, K, most, strength=0.7)
    assert model.strengths == [0.7] * (most + 1)
    expected = [naive(pictures, others, K, model.offsets[:k], model.strengths) for k in range(most + 1)]
    np.testing.assert_allclose(model.nats(others), expected, rtol=1e-10, atol=1e-12)


def test_each_strength_is_the_best_for_pictures_left_out(rng):
    pictures = np.where(rng.random((12, 5, 5)) < 0.1, 2, flipped_copies(rng, 12, 5, 0.2))
    fold = np.arange(12) % FOLDS
    strengths = NeighbourCounts(pictures, 3, 3).strengths
    for k in range(4):

        def cost(a, k=k):
            parts = [(pictures[fold != f], pictures[fold == f]) for f in range(FOLDS)]
            offsets = nearest_earlier(k)
            return sum(naive(train, test, 3, offsets, [*strengths[:k], a]).sum() for train, test in parts)

        assert strengths[k] == min(STRENGTHS, key=cost)
    assert len(set(strengths)) > 2
    assert NeighbourCounts(pictures[:1], 3, 3).strengths == [USUAL_STRENGTH] * 4


def test_an_unseen_context_hands_on_what_fewer_neighbours_say():
    # The right one of two pixels has at its left, in training, 0 or 1, and never 2.
    model = NeighbourCounts(np.array([[[0, 1]], [[1, 1]]]), 3, 3, strength=1.0)
    seen, unseen = model.nats(np.array([[[0, 1]], [[2, 1]]])).T
    alone = model.nats(np.array([[[2]]]))[:, 0]
    right = unseen - alone
    np.testing.assert_allclose(right, np.full(4, right[0]), rtol=1e-12)
    assert seen[1] < seen[0]


def test_beyond_the_edge_is_a_colour_of_its_own():
    # Only at the left edge is there a 1, and all else is 0: beyond the edge can be neither.
    pictures = np.zeros((50, 6, 6), np.int64)
    pictures[:, :, 0] = 1
    nats = NeighbourCounts(pictures, 2, 1, strength=0.1).nats(pictures[:1])[:, 0]
    assert nats[0] > 15
    assert nats[1] < 0.02


def test_the_cost_of_a_known_rule_tends_to_its_entropy(rng):
    pictures = flipped_copies(rng, 1000, 16, 0.1)
    model = NeighbourCounts(pictures[:700], 2, 6)
    bits = model.nats(pictures[700:]).mean(axis=1) / math.log(2)
    known = -(0.9 * math.log2(0.9) + 0.1 * math.log2(0.1))
    assert bits[:2] == pytest.approx([256, 256], rel=0.002)  # nothing, and the pixel to the left
    assert bits[2:] == pytest.approx([16 + 240 * known] * 5, rel=0.01)


def test_what_cannot_be_is_refused():
    picture = np.zeros((2, 3, 3), np.int64)
    for bad, reason in (
        ({"pictures": picture[0]}, r"expected \(pictures, height, width\) colour ids, not int64 of shape \(3, 3\)"),
        ({"pictures": picture * 0.5}, "not float64"),
        ({"pictures": picture[:0]}, r"shape \(0, 3, 3\) have no pixels"),
        ({"pictures": picture[:, :0]}, r"shape \(2, 0, 3\) have no pixels"),
        ({"pictures": picture + 2}, "out of range: expected 0 to 1"),
        ({"pictures": picture - 1}, "out of range"),
        ({"num_colours": 0}, "num_colours must be an integer of at least 1"),
        ({"num_colours": 2**24 + 1}, "num_colours must be at most 16,777,216"),
        ({"most": -1}, "most must be an integer of at least 0"),
        ({"strength": 0}, "strength must be a finite number above 0"),
    ):
        with pytest.raises(InputError, match=reason):
            NeighbourCounts(**{"pictures": picture, "num_colours": 2, **bad})
    model = NeighbourCounts(picture.astype(np.uint8), 2)
    assert model.nats(picture).shape == (17, 2)
    for other in (picture[0], picture[:0], picture + 2, picture > 0):
        with pytest.raises(InputError):
            model.nats(other)
    with pytest.raises(InputError, match="k must be an integer of at least 0"):
        nearest_earlier(-1)


@pytest.mark.slow
def test_digits_cost_less_the_more_neighbours_are_known(digits):
    train, test = digits
    nats = NeighbourCounts(train, 2, 24).nats(test).mean(axis=1)
    # Another counting model of these digits: 97.0, 88.0, 81.4, 79.4, 77.9 and 77.4.
    assert nats[4:25:4] == pytest.approx([96.5, 85.8, 80.6, 77.8, 76.0, 75.1], abs=0.05)
