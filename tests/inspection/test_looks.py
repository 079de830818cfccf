"""Whether attention is where it should be, by hand."""

import numpy as np
import pytest

from minirnn.inspection.looks import inside, movement


def test_the_mass_in_a_box_by_hand():
    weights = np.array([0.5, 0.1, 0.1, 0.3])  # a grid of 2 by 2 on a picture of 8 by 8: regions of 4 by 4
    whole = inside(weights, (2, 2), (0, 0, 4, 4), 8)
    assert whole == pytest.approx((0.5, True, 0.25))
    half = inside(weights, (2, 2), (0, 2, 4, 6), 8)  # half of the upper two
    assert half.mass == pytest.approx(0.3)
    assert half.greatest  # the middle of the first region, (2, 2), is on the edge of the box
    assert inside(weights, (2, 2), (0, 3, 4, 7), 8).greatest is False
    everything = inside(weights, (2, 2), (0, 0, 8, 8), 8)
    assert everything == pytest.approx((1.0, True, 1.0))
    assert inside(weights, (1, 4), (0, 6, 8, 8), 8) == pytest.approx((0.3, False, 0.25))


def test_uniform_maps_have_the_share_of_the_box(rng):
    for _ in range(20):
        top, left = rng.integers(0, 20, 2)
        box = (top, left, top + rng.integers(1, 12), left + rng.integers(1, 12))
        found = inside(np.full(64, 1 / 64), (8, 8), box, 32)
        assert found.mass == pytest.approx(found.uniform)


def test_maps_that_stand_still_and_maps_that_jump():
    still, jumping = np.tile([0.5, 0.5, 0.0], (4, 1)), np.eye(3)
    assert movement([still]) == pytest.approx((np.log(2), 0.0))
    assert movement([jumping]) == pytest.approx((0.0, 1.0), abs=1e-9)
    assert movement([still, jumping]) == pytest.approx((np.log(2) / 2, 0.5))
    assert movement([still[:1]]) == pytest.approx((np.log(2), 0.0))
