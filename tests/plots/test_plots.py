"""Pictures: that they are written, how large they are, and that no token breaks them."""

import sys

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread

from minirnn import InputError
from minirnn.inspection.compare import Summary
from minirnn.plots import AttentionMap, plot_attention, plot_attentions, plot_lengths, plot_losses
from minirnn.plots.attention import shown_as
from minirnn.plots.compare import plot_comparison
from minirnn.plots.gates import plot_gates
from minirnn.plots.neurons import plot_neurons


def attention(rng, targets, sources):
    return rng.dirichlet(np.full(sources, 0.3), size=targets)


def words(count, word="word"):
    return [f"{word}{i}" for i in range(count)]


def read_png(path):
    """Pixels (height, width, channels), from 0 to 1."""
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    return imread(path)


def dark_blue(pixels):
    """Where cells of the largest weight are."""
    return (pixels[..., 2] > pixels[..., 0] + 0.2) & (pixels[..., 0] < 0.1)


def gray(pixels):
    """Where cells without a number are."""
    return (np.abs(pixels - 0.75) < 0.01).all(axis=-1)


def test_attention_is_written_as_a_png_that_grows_with_the_tokens(rng, tmp_path):
    small = plot_attention(attention(rng, 4, 6), words(6), words(4), tmp_path / "small.png")
    large = plot_attention(attention(rng, 40, 30), words(30), words(40), str(tmp_path / "large.png"), title="a title")
    assert (small, large) == (tmp_path / "small.png", tmp_path / "large.png")
    small_pixels, large_pixels = read_png(small), read_png(large)
    # 45 pixels a cell.
    assert large_pixels.shape[0] >= 40 * 45 > 1.5 * small_pixels.shape[0]
    assert large_pixels.shape[1] >= 30 * 45 > 1.5 * small_pixels.shape[1]
    assert large_pixels.std() > 0.01


def test_rows_are_targets_and_columns_are_sources(tmp_path):
    weights = np.zeros((5, 9))
    weights[0, 8] = 1.0
    pixels = read_png(plot_attention(weights, words(9), words(5), tmp_path / "map.png"))
    height, width = pixels.shape[:2]
    rows, columns = np.nonzero(dark_blue(pixels)[:, : int(width * 0.83)])
    assert rows.size > 30 * 30
    assert rows.max() < height * 0.55, "target 0 is the row at the top"
    assert columns.min() > width * 0.6, "source 8 is the column at the right"


def test_four_maps_share_a_picture(rng, tmp_path):
    maps = [AttentionMap(attention(rng, t, s), words(s), words(t), f"{t} {s}") for t, s in ((3, 4), (8, 2), (1, 1))]
    path = plot_attentions([*maps, (attention(rng, 5, 20), words(20), words(5), None)], tmp_path / "grid.png")
    height, width = read_png(path).shape[:2]
    assert width >= (4 + 20) * 45
    assert height >= (8 + 5) * 45


def test_maps_share_one_scale_of_colours(tmp_path):
    maps = [([[weight, np.nan]], ["a", "b"], ["c"], None) for weight in (0.3, 0.9)]
    pixels = read_png(plot_attentions(maps, tmp_path / "two.png"))
    left, right = pixels[:, : 45 * 5, :3], pixels[:, 45 * 5 :, :3]
    assert dark_blue(left).sum() == 0, "0.3 is pale beside 0.9"
    assert dark_blue(right).sum() > 35 * 35
    assert gray(left).sum() < 47 * 47, "0.3 is not gray"


def test_long_texts_stay_within_what_can_be_opened(rng, tmp_path):
    path = plot_attention(attention(rng, 150, 300), ["a"] * 300, ["b" * 500] * 150, tmp_path / "long.png")
    assert max(read_png(path).shape) < 30 * 150


@pytest.mark.filterwarnings("error")
def test_any_token_can_be_drawn(rng, tmp_path):
    odd = ["$x$", "猫", "$", "$\\frac$", "_^{", " ", "\n", "\t", "", "%\\", "é", "אב", "😀", "<unk>"]
    path = plot_attention(attention(rng, 14, 14), odd, odd[::-1], tmp_path / "odd.png", title="$\\bad$ 猫 costs")
    assert read_png(path).std() > 0.01


def test_a_mark_that_has_lost_its_letter_is_seen():
    assert [shown_as(token) for token in ("\u0301", "e\u0301", " ", "a")] == ["◌\u0301", "e\u0301", "␣", "a"]


def test_dollars_are_dollars_and_not_formulas(tmp_path):
    """As mathematics `$x$` would be one slanted x, narrower than three characters."""
    widths = {}
    for token in ("$x$", "x"):
        pixels = read_png(plot_attention(np.zeros((1, 1)), ["a"], [token], tmp_path / "map.png"))
        widths[token] = pixels.shape[1]
    assert widths["$x$"] > widths["x"] + 12


@pytest.mark.filterwarnings("error")
def test_weights_that_are_not_numbers_are_gray(tmp_path):
    weights = np.array([[0.5, np.nan], [np.nan, 0.5]], dtype=np.float32)
    pixels = read_png(plot_attention(weights, ["a", "b"], ["c", "d"], tmp_path / "nan.png"))[..., :3]
    assert 2 * 35 * 35 < gray(pixels).sum() < 2 * 47 * 47, "the numbers are not"
    plot_attention(np.full((2, 2), np.nan), ["a", "b"], ["c", "d"], tmp_path / "nothing.png")


def test_weights_of_zero_are_the_lightest(tmp_path):
    pixels = read_png(plot_attention(np.zeros((2, 2)), ["a", "b"], ["c", "d"], tmp_path / "zero.png"))
    cells = pixels[:, : 35 * 4, 0]
    assert (cells < 0.9).mean() < 0.1


def test_wrong_attention_is_refused(rng, tmp_path):
    path = tmp_path / "map.png"
    with pytest.raises(InputError, match=r"shape \(3, 2\): expected \(2, 3\)"):
        plot_attention(np.ones((3, 2)), words(3), words(2), path)
    with pytest.raises(InputError, match=r"shape \(6,\)"):
        plot_attention(np.ones(6), words(3), words(2), path)
    with pytest.raises(InputError, match="at least one source token"):
        plot_attention(np.ones((2, 0)), [], words(2), path)
    with pytest.raises(InputError, match="no attention maps"):
        plot_attentions([], path)
    with pytest.raises(InputError, match=r"expected \(2, 3\)"):
        plot_attentions([(np.ones((1, 1)), ["a"], ["b"], None), (np.ones((2, 2)), words(3), words(2), None)], path)
    assert not path.exists()


def test_lengths(rng, tmp_path):
    lengths = {"source": rng.poisson(6, 500), "$target": [int(n) for n in rng.poisson(9, 300)], "none": []}
    assert read_png(plot_lengths(lengths, tmp_path / "lengths.png")).std() > 0.05
    for i, numbers in enumerate(([3], [0, 100_000], range(1, 42))):
        assert read_png(plot_lengths({"text": numbers}, tmp_path / f"{i}.png")).std() > 0.01
    for nothing in ({}, {"source": []}):
        with pytest.raises(InputError, match="no lengths"):
            plot_lengths(nothing, tmp_path / "nothing.png")


def test_every_length_is_in_the_histogram(tmp_path, monkeypatch):
    drawn = []

    original = Axes.hist

    def hist(self, values, bins, **options):
        found = original(self, values, bins, **options)
        drawn.append(found[:2])
        return found

    monkeypatch.setattr(Axes, "hist", hist)
    for lengths in ([1, 2, 2, 7], list(range(1, 41)), list(range(1, 42)), [5] * 9, [0, 999, 1000]):
        plot_lengths({"text": lengths}, tmp_path / "lengths.png")
        counts, edges = drawn.pop()
        assert counts.sum() == len(lengths)
        assert len(counts) <= 40
        assert set(edges % 1) == {0.5}, "a bin holds whole lengths"
        assert len(set(np.diff(edges))) == 1


def test_without_matplotlib_there_is_no_picture(rng, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    path = tmp_path / "picture.png"
    assert plot_attention(attention(rng, 2, 3), words(3), words(2), path) is None
    assert plot_attentions([(attention(rng, 2, 3), words(3), words(2), None)], path) is None
    assert plot_lengths({"source": [1, 2]}, path) is None
    assert plot_losses({"run": [{"step": 1, "train_loss": 2.0}]}, path) is None
    assert not path.exists()


def test_losses(tmp_path):
    rows = [{"step": 1, "train_loss": 3.0}, {"step": 2, "train_loss": 2.0, "valid_loss": 2.5}]
    assert read_png(plot_losses({"gru": rows, "lstm": rows}, tmp_path / "loss.png")).shape[:2] == (600, 900)


def test_both_starts_of_a_cell_are_drawn_hollow_and_filled(tmp_path, monkeypatch):
    marks, original = [], Axes.plot

    def plot(self, x, y, *form, **style):
        if form:
            marks.append((x, y, form[0], style["markerfacecolor"]))
        return original(self, x, y, *form, **style)

    monkeypatch.setattr(Axes, "plot", plot)
    rows = [Summary("lstm", None, 9000, 2.0, 1.9, 2.1), Summary("lstm", 40, 9000, 0.1, 0.0, 0.2)]
    rows += [Summary("rnn", None, 3000, 0.5, 0.4, 0.6), Summary("gru", None, 3000, *[float("nan")] * 3)]
    small = read_png(plot_comparison({"memory": rows}, tmp_path / "memory.png"))
    assert [(x, form) for x, _, form, _ in marks[:3]] == [(2.0, "^"), (0.1, "^"), (0.5, "o")]
    heights = [y for _, y, _, _ in marks]
    assert heights[1] - heights[0] == 1 < heights[2] - heights[1], "the rows of a cell are nearer than two cells"
    assert [face == "white" for _, _, _, face in marks] == [True, False, True, True]
    more = [row._replace(cell=f"{row.cell}-{i}") for i in range(10) for row in rows]
    large = read_png(
        plot_comparison({"lm": rows, "memory": more}, tmp_path / "both.png", caption="What is to be seen.")
    )
    assert large.shape[1] == 2 * small.shape[1]
    assert large.shape[0] > small.shape[0] + 36 * 20, "a row has room for its mark"
    assert large[:40, :, :3].min() < 0.2, "the caption is above the panels"
    assert small[:10, :, :3].min() == 1


def test_characters_stand_upright_and_words_are_turned(tmp_path, monkeypatch):
    """Along an axis words would run into one another; characters have room."""
    turned = {}

    def see(figure, *_, **__):
        labels = figure.axes[0].get_xticklabels()
        turned.update({label.get_text(): label.get_rotation() for label in labels})

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", see)
    weights = np.full((1, 4), 0.25)
    plot_attention(weights, ["7", "+", "\n", "<eos>"], ["8"], tmp_path / "a.png")
    assert turned == {"7": 0, "+": 0, "\\n": 0, "<eos>": 90}
    turned.clear()
    plot_attention(weights, ["a", "red", "cat", "<eos>"], ["un"], tmp_path / "a.png")
    assert turned == {"a": 90, "red": 90, "cat": 90, "<eos>": 90}
    for plot, data in ((plot_gates, {"g": np.full((2, 3), 0.5)}), (plot_neurons, [("unit", np.zeros(2))])):
        for text, angle in ((["a", " "], 0), (["red", "cat"], 90)):
            turned.clear()
            plot(data, text, tmp_path / "a.png")
            assert set(turned.values()) == {angle}
