"""Pictures of where a model looked."""

import numpy as np
import pytest

from minirnn import InputError
from minirnn.plots.looks import Look, plot_looks

WEIGHTS = np.full((3, 4), 0.25)


def drawn(path, *looks):
    plot_looks(list(looks), path)
    from matplotlib.image import imread

    return imread(path)


def test_every_word_has_a_map_and_all_have_one_scale(tmp_path):
    picture = np.full((8, 8, 3), 255, np.uint8)
    sharp = np.array([[1.0, 0, 0, 0], [0, 0, 0, 0.5]])
    found = drawn(tmp_path / "a.png", Look(picture, sharp, ["red", "$x_1"], (2, 2)))
    assert found.shape[0] > 100
    levels = np.unique((255 * found[..., :3].min(axis=-1)).round())
    # White, the darkest that a weight of 0 gets, and what half of the largest weight gets.
    for expected in (255, 255 * 0.3, 255 * (0.3 + 0.7 / 2)):
        assert min(abs(levels - expected)) <= 1


@pytest.mark.parametrize(
    "look",
    [
        Look(np.zeros((4, 8, 8, 3), np.uint8), WEIGHTS, ["a", "b", "<eos>"], None),
        Look(None, WEIGHTS, ["a", "b", "<eos>"], None),
        Look(None, WEIGHTS, ["a", "b", "<eos>"], (2, 2)),
        Look(np.zeros((5, 9, 3), np.uint8), WEIGHTS, ["女", "\n", "<eos>"], (2, 2)),
        Look(np.zeros((8, 8, 3), np.uint8), np.zeros((200, 4)), ["word"] * 200, (2, 2)),
    ],
    ids=["video", "regions", "regions in a grid", "any size", "long and blind"],
)
def test_what_there_is_to_see_is_drawn(look, tmp_path):
    assert drawn(tmp_path / "a.png", look, look).size


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(InputError, match="no maps"):
        plot_looks([], tmp_path / "a.png")
    with pytest.raises(InputError, match="a row of weights for each of 2 words"):
        plot_looks([Look(None, WEIGHTS, ["a", "b"], None)], tmp_path / "a.png")
    with pytest.raises(InputError, match="4 regions do not lie in a grid of 3 by 2"):
        plot_looks([Look(None, WEIGHTS, ["a", "b", "c"], (3, 2))], tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
