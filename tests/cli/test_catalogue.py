"""The cases of `minirnn gradcheck`: none depends on another, and none lies where finite differences say nothing."""

import subprocess
import sys

import numpy as np
import pytest

from minirnn import CELL_NAMES, Tensor, cells, make_cell
from minirnn.autograd import activations
from minirnn.cli import catalogue
from minirnn.cli.catalogue import all_cases
from minirnn.cli.kinks import CLEARANCE, SPREAD, clear_of_kinks, margin
from minirnn.cli.recipes import apart, away_from, stream

SEEDS = range(30)


def numbers(cases):
    """The bytes of all inputs, by the name of the case."""
    return {
        name: [(key, np.asarray(getattr(x, "data", x)).tobytes()) for key, x in inputs.items()]
        for name, _, inputs in cases
    }


def test_a_cell_that_is_added_leaves_all_other_cases_as_they_are(monkeypatch):
    before = numbers(all_cases())
    monkeypatch.setitem(cells.VARIANTS, "rnn-added", cells.VARIANTS["rnn-relu"])
    for names in (("rnn-added", *CELL_NAMES), (*CELL_NAMES, "rnn-added")):
        monkeypatch.setattr(catalogue, "CELL_NAMES", names)
        after = numbers(all_cases())
        assert len(after) == len(before) + 4
        assert {name: after[name] for name in before} == before
    monkeypatch.setattr(catalogue, "CELL_NAMES", CELL_NAMES[:1])
    fewer = numbers(all_cases())
    assert fewer == {name: before[name] for name in fewer}


def test_each_case_has_numbers_of_its_own():
    cases = all_cases()
    assert len({name for name, _, _ in cases}) == len(cases)
    inputs = {name: given for name, _, given in cases}
    assert not np.array_equal(inputs["add"]["a"], inputs["subtract"]["a"])
    assert not np.array_equal(inputs["cell gru"]["W"], inputs["cell gru (lengths)"]["W"])
    ((_, _, other_seed),) = all_cases(seed=1, pattern="add")
    assert not np.array_equal(inputs["add"]["a"], other_seed["a"])
    assert [name for name, _, _ in all_cases(pattern="cell gru (*")] == [
        "cell gru (lengths)",
        "cell gru (reverse, lengths)",
    ]


def test_the_numbers_are_the_same_in_every_process():
    script = (
        "from minirnn.cli.catalogue import all_cases; print(all_cases(pattern='cell rnn-relu')[0][2]['x'].tolist())"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    ((_, _, inputs),) = all_cases(pattern="cell rnn-relu")
    assert eval(found) == inputs["x"].tolist()


def steps_of_a_cell(inputs, output, lengths, reverse):
    """x_t and h_{t-1} of every real step of every sequence."""
    x = inputs["x"]
    for b in range(x.shape[1]):
        times = range(len(x) if lengths is None else lengths[b])
        h = inputs["state 0"][b]
        for t in reversed(times) if reverse else times:
            yield x[t, b], h
            h = output[t, b]


KINKED = {
    "rnn-relu": [0],
    "rnn-relu6": [0, 6],
    "rnn-leaky-relu": [0],
    "rnn-elu": [0],
    "rnn-prelu": [0],
    "rnn-rrelu": [0],
}


@pytest.mark.parametrize("name", KINKED)
def test_no_step_of_a_cell_comes_near_a_kink(name):
    found = []
    for seed in SEEDS:
        for case, function, inputs in all_cases(seed, f"cell {name}*"):
            if case.split(" (")[0] == f"cell {name}":
                output, _ = function(*map(Tensor, inputs.values()))
                lengths = np.array([4, 1, 2]) if "lengths" in case else None
                for x, h in steps_of_a_cell(inputs, output.data, lengths, "reverse" in case):
                    a = inputs["W"] @ x + inputs["U"] @ h + inputs["b"]
                    found.append(min(abs(a - kink).min() for kink in KINKED[name]))
    assert min(found) >= CLEARANCE
    assert min(found) < 3 * CLEARANCE  # near enough that, of so many, some had to be drawn anew


@pytest.mark.parametrize("name", KINKED)
def test_no_step_of_a_layer_comes_near_a_kink(name, monkeypatch):
    met = []

    def noting(cell, w, wx, state, forward=type(make_cell(name)).forward):
        met.append(wx + w.U @ state[0])
        return forward(cell, w, wx, state)

    cases = [case for seed in SEEDS for case in all_cases(seed, f"layer {name} *")]
    monkeypatch.setattr(type(make_cell(name)), "forward", noting)
    for _, function, inputs in cases:
        function(Tensor(inputs["x"]))
    assert len(met) == len(SEEDS) * 2 * 2 * 3
    distances = [abs(a - kink).min() for a in met for kink in KINKED[name]]
    assert CLEARANCE <= min(distances) < 3 * CLEARANCE


def kinks_of(cell):
    """Where the output of a single unit of a cell has a kink in the value or the slope, from -8 to 8."""
    step = 1e-3
    a = np.arange(-8, 8, step)
    state = tuple(np.zeros((1, len(a))) for _ in range(cell.num_states))
    weights = {key: np.full(shape, 0.3) for key, shape in cell.weight_shapes(1, 1).items()} | {
        "U": np.zeros((len(cell.gates), 1))
    }
    new, _ = cell.forward(cells.cell.Weights(**weights), np.tile(a, (len(cell.gates), 1)), state)
    jumps = np.flatnonzero(abs(np.diff(new[0][0], 3)) > 100 * step**3)  # of what is smooth: f''' step³
    return sorted({round(float(a[j]) + 1.5 * step) for j in jumps})


@pytest.mark.parametrize("name", CELL_NAMES)
def test_a_cell_says_where_its_kinks_are(name):
    cell = make_cell(name)
    assert kinks_of(cell) == list(cell.kinks) == KINKED.get(name, [])


def test_operations_with_kinks_are_checked_away_from_them():
    learned = {"prelu": (0,), "rrelu": (0,), "layer PReLU": (0,)}
    kinks_of = {**activations.KINKS, **learned, "abs": (0,), "clip": (-1, 2.5), "clip (below)": (1,)}
    for seed in SEEDS:
        for name, kinks in kinks_of.items():
            ((_, _, inputs),) = all_cases(seed, name.replace("-", "_"))
            a = inputs["x" if name.startswith("layer") else "a"]
            assert min(abs(a - kink).min() for kink in kinks) >= 0.1
        for name, _, inputs in all_cases(seed, "m[ai][xn]*"):  # max, min, maximum, minimum, max_pool2d
            values = np.sort(inputs.get("a", inputs.get("x")), axis=None)
            assert np.diff(values).min() > 0.09, name
    draws = np.concatenate([away_from((0.0, 6.0), 50)(stream(seed, "")) for seed in SEEDS])
    assert all(((low < draws) & (draws < high)).any() for low, high in ((-3, -2), (0.1, 0.3), (5.7, 5.9), (6.1, 9)))
    assert apart(2, 3)(stream(0, "")).shape == (2, 3)


def test_a_point_is_drawn_anew_until_all_its_steps_are_clear():
    cell, drawn = make_cell("rnn-relu"), iter([0.02, -0.029, 0.031, 1.0])

    def run(a):
        cell.forward(cells.cell.Weights(U=np.zeros((1, 1))), np.full((1, 1), a), (np.ones((1, 1)),))
        cell.forward(cells.cell.Weights(U=np.ones((1, 1))), np.full((1, 1), 2.0), (np.ones((1, 1)),))

    assert clear_of_kinks(cell, lambda: next(drawn), run) == 0.031
    assert "forward" not in vars(cell)
    with pytest.raises(RuntimeError, match="none of 1000 points keeps ActivatedRNNCell clear"):
        clear_of_kinks(cell, lambda: 0.0, run)
    assert clear_of_kinks(make_cell("rnn"), lambda: 7, lambda point: pytest.fail("a smooth cell is not watched")) == 7


def test_the_margin_of_a_step():
    relu6, wx, uh = make_cell("rnn-relu6"), np.array([[1.0, 5.0]]), np.array([[-0.75, 0.5]])
    assert margin(relu6, wx, uh, (wx,)) == 0.25 / CLEARANCE
    assert margin(relu6, wx + 0.6, uh, (wx,)) == pytest.approx(0.1 / CLEARANCE)
    normalised, zero = make_cell("lstm-layer-norm"), np.zeros((8, 1))
    wide, narrow = np.tile([[0.0], [2.0]], (4, 1)), np.tile([[0.0], [0.2]], (4, 1))
    h, c = np.zeros((2, 1)), np.array([[0.0], [3.0]])
    assert margin(normalised, wide, zero, (h, c)) == 1 / SPREAD
    assert margin(normalised, zero, narrow, (h, c)) == pytest.approx(0.1 / SPREAD)
    assert margin(normalised, wide, wide, (h, c / 5)) == pytest.approx(0.3 / SPREAD)
    assert margin(normalised, zero, zero, (h, h)) == np.inf
