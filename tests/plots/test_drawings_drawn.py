"""Small pictures side by side."""

import numpy as np
import pytest

from minirnn import InputError
from minirnn.plots import common
from minirnn.plots import drawings as drawings_module
from minirnn.plots.drawings import plot_drawings, sheet

RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 255, 0)


def plotted(path, *arguments):
    assert plot_drawings(*arguments) == path
    from matplotlib.image import imread

    return (255 * imread(path)[..., :3]).round().astype(np.uint8)


def checked(count=1):
    """Pictures of 2 by 2: a row of red and blue above one of blue and red."""
    return np.array([[[RED, BLUE], [BLUE, RED]]] * count, np.uint8)


def test_pixels_are_squares_with_hard_edges(tmp_path):
    found = plotted(tmp_path / "a.png", checked(), tmp_path / "a.png")
    inside = ~(found == 255).all(axis=-1)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    cut = found[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert abs(cut.shape[0] - cut.shape[1]) <= 2
    half = len(cut) // 2
    for row in (0, 1):
        for column in (0, 1):
            piece = cut[row * half + 3 : row * half + half - 3, column * half + 3 : column * half + half - 3]
            assert (piece == (RED if row == column else BLUE)).all()


def test_there_are_as_many_in_a_row_as_wanted(tmp_path):
    shapes = {}
    for columns in (1, 2, 4, None):
        found = plotted(tmp_path / "a.png", checked(4), tmp_path / "a.png", None, columns)
        shapes[columns] = found.shape[1] / found.shape[0]
    assert shapes[1] < shapes[2] < shapes[None] < shapes[4]
    assert shapes[4] == pytest.approx(4, rel=0.01)


def test_titles_are_taken_as_they_stand(tmp_path):
    odd = ["$x_1$ $\\frac$", "$", "a\nb", "\ud800", "女", "", "word " * 100, "x" * 500]
    plain = plotted(tmp_path / "a.png", checked(8), tmp_path / "a.png")
    titled = plotted(tmp_path / "b.png", checked(8), tmp_path / "b.png", odd)
    assert titled.shape[1] == 8 / 4 * plain.shape[1]  # with titles there are 8 in a row
    assert (titled == 0).any()  # letters
    assert titled.shape[0] < 1.6 * plain.shape[0] / 2  # however long they are


def test_so_many_are_drawn_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(drawings_module, "MOST_DRAWN", 3)
    few = plotted(tmp_path / "a.png", checked(3), tmp_path / "a.png", ["a", "b", "c"], 1)
    many = plotted(tmp_path / "a.png", checked(5), tmp_path / "a.png", ["a", "b", "c", "d", "e"], 1)
    np.testing.assert_array_equal(many, few)


def test_a_sheet_has_squares_and_white_between_them():
    pictures = np.array([[[RED, BLUE]], [[BLUE, BLUE]], [[GREEN, RED]]], np.uint8)
    found = sheet(pictures, columns=2, enlarge=3)
    assert found.dtype == np.uint8
    assert found.shape == (3 * (2 * (1 + 1) + 1), 3 * (2 * (2 + 1) + 1), 3)
    letters = {RED: "r", BLUE: "b", GREEN: "g", (255, 255, 255): "."}
    assert ["".join(letters[tuple(map(int, pixel))] for pixel in row) for row in found[::3, ::3]] == [
        ".......", ".rb.bb.", ".......", ".gr....", "......."
    ]  # fmt: skip
    np.testing.assert_array_equal(found, found[::3, ::3].repeat(3, axis=0).repeat(3, axis=1))
    assert sheet(pictures[:1], 1, 1, margin=0).tolist() == pictures[0].tolist()


def test_what_does_not_fit_is_refused(tmp_path, monkeypatch):
    for wrong in (checked()[0], checked(0), checked()[..., :2], np.zeros((2, 0, 3, 3), np.uint8)):
        with pytest.raises(InputError, match="expected pictures"):
            plot_drawings(wrong, tmp_path / "a.png")
    with pytest.raises(InputError, match="2 pictures, but 3 titles"):
        plot_drawings(checked(2), tmp_path / "a.png", ["a", "b", "c"])
    for wrong in (checked()[0], checked(0)):
        with pytest.raises(InputError, match="expected pictures"):
            sheet(wrong, 1, 1)
    monkeypatch.setattr(common, "has_matplotlib", lambda: False)
    assert plot_drawings(checked(), tmp_path / "a.png") is None
    assert not list(tmp_path.iterdir())
