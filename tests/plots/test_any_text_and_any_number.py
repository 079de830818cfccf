"""That no name, no number and no setting of the user keeps a picture from being drawn, or changes what it says."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure
from matplotlib.image import imread

from minirnn import InputError
from minirnn.inspection.compare import Summary
from minirnn.plots import plot_attention, plot_lengths, plot_losses
from minirnn.plots.bidirectional import plot_training
from minirnn.plots.common import add_legend, format_of, has_matplotlib, new_figure, picture, save
from minirnn.plots.compare import plot_comparison
from minirnn.plots.forecast import plot_forecast
from minirnn.plots.gates import plot_gates
from minirnn.plots.gradients import plot_gradients
from minirnn.plots.neurons import plot_neurons

ONE_TO_THREE = np.arange(1.0, 4.0)


def losses(values, name, path):
    rows = [{"step": i, "train_loss": y, "valid_loss": y} for i, y in enumerate(values)]
    return plot_losses({name: rows, "other": rows}, path)


def gradients(values, name, path):
    return plot_gradients({name: values}, {name: values}, {name: values}, 1.0, path)


def training(values, name, path):
    return plot_training({name: values, "other": values}, path)


def forecast(values, name, path):
    return plot_forecast(values, len(values) // 2, {1: values}, name, {name: values}, float(values[0]), path)


def gates(values, name, path):
    return plot_gates({name: np.stack([values] * 2, axis=1)}, [name] * len(values), path)


def neurons(values, name, path):
    return plot_neurons([(name, values)], [name] * len(values), path)


def comparison(values, name, path):
    return plot_comparison({name: [Summary(name, None, 9, y, y, y) for y in values]}, path, name)


def attention(values, name, path):
    return plot_attention(np.stack([values] * 2), [name] * len(values), [name] * 2, path, name)


def lengths(values, name, path):
    return plot_lengths({name: [1, 2]}, path)


PLOTS = [losses, gradients, training, forecast, gates, neurons, comparison, attention, lengths]
NUMBERS = {
    "zero": [0.0] * 4,
    "one": [1.0],
    "nan": [np.nan] * 4,
    "infinite": [np.inf, np.inf, -np.inf, -np.inf],
    "large and small": [1e300, 5e-324],
}
NASTY = "_a$x^{$\udcff%&#\\猫\x07"
SHOWN = "_a$x^{$\\udcff%&#\\猫\x07"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("plot", PLOTS[:-1], ids=lambda plot: plot.__name__)
@pytest.mark.parametrize("values", NUMBERS.values(), ids=NUMBERS)
def test_any_number_can_be_drawn(plot, values, tmp_path, monkeypatch):
    drawn = []

    def draw(self, *_, **__):
        self.draw_without_rendering()
        drawn.append(self)

    monkeypatch.setattr(Figure, "savefig", draw)
    assert plot(np.array(values), "name", tmp_path / "picture.png") == tmp_path / "picture.png"
    assert len(drawn) == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.__name__)
def test_names_are_drawn_as_they_stand(plot, tmp_path, monkeypatch):
    figures, original = [], Figure.savefig

    def savefig(self, *arguments, **options):
        figures.append(self)
        original(self, *arguments, **{**options, "dpi": 30})

    monkeypatch.setattr(Figure, "savefig", savefig)
    assert imread(plot(ONE_TO_THREE, NASTY, tmp_path / "picture.png")).std() > 0.01
    texts = figures[0].findobj(lambda artist: hasattr(artist, "get_parse_math"))
    own = [text for text in texts if SHOWN in text.get_text()]
    assert any(text.get_visible() for text in own)
    assert not any(text.get_parse_math() for text in own)


def legend_of(handles_of):
    axes = new_figure().subplots()
    add_legend(axes, {name: axes.plot([1, 2])[0] for name in handles_of})
    return axes.get_legend()


def test_a_legend_has_every_name_and_the_end_of_a_long_one():
    names = ["_hidden", "$x$", "a\udcffb", "x" * 60, "y" + "z" * 60]
    shown = [text.get_text() for text in legend_of(names).get_texts()]
    assert shown == ["_hidden", "$x$", "a\\udcffb", "x" * 60, "…" + "z" * 59]
    assert legend_of([]) is None


@pytest.mark.filterwarnings("error")
def test_the_settings_of_the_user_do_not_keep_a_picture_from_being_drawn(tmp_path):
    settings = {
        "text.usetex": True,
        "text.parse_math": False,
        "figure.autolayout": True,
        "savefig.format": "svg",
        "font.family": ["No Such Font"],
    }
    with rc_context(settings):
        for plot in (losses, attention):
            assert plot(ONE_TO_THREE, NASTY, tmp_path / plot.__name__) == tmp_path / plot.__name__
            assert (tmp_path / plot.__name__).read_bytes().startswith(b"\x89PNG")
        assert rcParams["text.usetex"]
        assert not rcParams["text.parse_math"]


def test_numbers_of_a_logarithmic_axis_stay_numbers(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: figures.append(self))
    with rc_context({"text.parse_math": False}):
        gradients(10.0**ONE_TO_THREE, "name", tmp_path / "picture.png")
    ticks = figures[0].axes[0].get_yticklabels()
    assert any("10^{" in text.get_text() for text in ticks)
    assert all(text.get_parse_math() for text in ticks)


IMPORT = """
import os
from minirnn.plots import plot_losses
plot_losses({"a": [{"step": 1, "train_loss": 2.0}]}, "loss.png")
import matplotlib
print(os.environ["MPLBACKEND"], matplotlib.get_backend(auto_select=False))
"""


@pytest.mark.parametrize(("backend", "kept"), [("nonsense", "None"), ("svg", "svg")])
def test_a_backend_that_was_inherited_does_not_matter_and_is_kept(backend, kept, tmp_path):
    """In another process: matplotlib looks at the variable when it is imported."""
    result = subprocess.run(
        [sys.executable, "-c", IMPORT], cwd=tmp_path, check=True, capture_output=True, text=True,
        env={**os.environ, "MPLBACKEND": backend, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert result.stdout.split() == [backend, kept]
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_matplotlib_that_is_there_is_left_its_backend(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "svg")
    with rc_context({"backend": "pdf"}):
        assert has_matplotlib()
        assert rcParams["backend"] == "pdf"
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert not has_matplotlib()


def test_a_picture_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "picture.png"
    losses(ONE_TO_THREE, "name", path)
    before = path.read_bytes()

    def broken(self, file, **options):
        file.write(b"half of it")
        raise RuntimeError("no more")

    monkeypatch.setattr(Figure, "savefig", broken)
    with pytest.raises(RuntimeError, match="no more"):
        losses(ONE_TO_THREE, "name", path)
    assert path.read_bytes() == before
    monkeypatch.undo()
    monkeypatch.setattr(os, "replace", lambda *_: broken(None, io.BytesIO()))
    with pytest.raises(RuntimeError, match="no more"):
        attention(ONE_TO_THREE, "name", path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_name_says_the_format(tmp_path):
    formats = {"a.png": "png", "a.PNG": "png", "a": "png", "a.b/c": "png", "a.svg": "svg", "a.pdf": "pdf"}
    assert {name: format_of(name) for name in formats} == formats
    with pytest.raises(InputError, match=r"^a\.xyz: expected the name of a picture to end with \.png$"):
        format_of("a.xyz")
    figure = new_figure(1, 1)
    for name, start in (("a", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.Pdf", b"%PDF")):
        assert save(figure, tmp_path / name) == tmp_path / name
        assert (tmp_path / name).read_bytes().startswith(start)


def test_nothing_to_draw_is_an_error(tmp_path):
    for plot, what in (
        (lambda path: plot_gates({}, [], path), "gates"),
        (lambda path: plot_neurons([], [], path), "units"),
        (lambda path: plot_comparison({}, path), "tasks"),
    ):
        with pytest.raises(InputError, match=f"there are no {what} to draw"):
            plot(tmp_path / "picture.png")
    assert not list(tmp_path.iterdir())


def test_warnings_are_silent_in_drawing_alone():
    @picture
    def warn():
        np.log(-np.ones(1))

    with np.errstate(all="warn"):
        warn()
        with pytest.warns(RuntimeWarning):
            warn.__wrapped__()
