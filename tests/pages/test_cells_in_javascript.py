"""Every cell, forward and backward along time: what the translation does is what Python does, event for event."""

import importlib.util
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from in_javascript import is_close, run_programs

from minirnn import CELL_NAMES, cells, make_cell
from minirnn.cells.bptt import backward_through_time, forward_through_time
from minirnn.cells.neighbours import NeighbourCell
from minirnn.cells.padding import PaddingMask
from minirnn.pages.stepping.recording import encode, encode_argument, record
from minirnn.pages.stepping.translation import Untranslatable, translate

FOLDERS = [Path(cells.__file__).parent]


class NoPadding:
    """A mask of sequences that all have the same length."""

    def zeroed(self, sequence):
        return sequence

    def zeroed_columns(self, columns):
        return columns

    def choose(self, t, if_real, if_padded):
        return tuple(if_real)


def through_time(cell, w, x, state, d_output, d_final, mask):
    output, final, trace = forward_through_time(cell, w, x, state, mask)
    dx, dw, d_initial = backward_through_time(cell, w, trace, d_output, d_final)
    return output, final, dx, dw, d_initial


def followed(code):
    return code.co_name == "through_time" or Path(code.co_filename).parent in FOLDERS


def both_ways(cell, B, mask=None, T=4, I=4, H=3):
    """The result and the events in Python, and what it takes to have them in JavaScript."""
    rng = np.random.default_rng(B)
    w = SimpleNamespace(**{name: rng.uniform(-0.6, 0.6, shape) for name, shape in cell.weight_shapes(I, H).items()})
    random = lambda *shape: rng.standard_normal(shape)
    state = tuple(random(B, H) for _ in range(cell.num_states))
    d_final = [None if i else random(B, H) for i in range(cell.num_states)]
    args = [cell, w, random(T, B, I), state, random(T, B, H), d_final, mask or NoPadding()]
    objects = {"cell": cell, "mask": args[-1]}
    translation = translate([through_time], objects, followed)
    result, events = record(through_time, args, followed)
    return result, events, translation, [encode_argument(arg, objects) for arg in args]


def check_same(python, javascript):
    result, events, _, _ = python
    assert javascript["error"] is None
    assert is_close(encode(result), javascript["result"])
    mine = [[e.function, e.module, e.line, e.t, e.depth, e.values] for e in events]
    for one, other in zip(mine, javascript["events"], strict=False):
        assert is_close(one, other), (one, other)
    assert len(mine) == len(javascript["events"])


@pytest.mark.slow
def test_every_cell_has_the_same_events(tmp_path):
    runs = {(name, B): both_ways(make_cell(name), B) for name in CELL_NAMES for B in (1, 2)}
    cases = [(translation.source, "through_time", args, True) for _, _, translation, args in runs.values()]
    for python, javascript in zip(runs.values(), run_programs(cases, tmp_path), strict=True):
        check_same(python, javascript)
        told = {(event.function, event.module) for event in python[1]}
        assert told == {(f.name, f.module) for f in python[2].functions}
        assert all(f.first <= e.line <= f.last for e in python[1] for f in python[2].functions if f.name == e.function)


def test_a_cell_around_a_cell_and_padding(tmp_path):
    x = np.zeros((4, 2, 4))
    runs = [
        both_ways(NeighbourCell(make_cell("lstm-fgr"), 2, (-1, 1)), 4),
        *(both_ways(make_cell("gru"), 2, PaddingMask(lengths, x)) for lengths in (None, [4, 2])),
    ]
    cases = [(translation.source, "through_time", args, True) for _, _, translation, args in runs]
    for python, javascript in zip(runs, run_programs(cases, tmp_path), strict=True):
        check_same(python, javascript)


def test_a_run_without_events_has_the_same_result(tmp_path):
    result, _, translation, args = both_ways(make_cell("lstm"), 1)
    by_name = dict(zip(("cell", "w", "x", "state", "d_output", "d_final", "mask"), args, strict=True))
    cases = [(translation.source, "through_time", given, False) for given in (args, by_name)]
    for found in run_programs(cases, tmp_path):
        assert found["events"] == []
        assert is_close(encode(result), found["result"])


MINIMAL = '''
    """A cell of a reader's."""
    from minirnn.backend import array_module, sigmoid
    from minirnn.cells.cell import Cell, MemoryGate

    HALF = 0.5

    def squashed(v, times=1.0):
        """(2)"""
        xp = array_module(v)
        return xp.tanh(times * v), 1

    class MinimalGatedCell(Cell):
        """One gate that forgets and resets (Zhou et al. 2016)."""

        variants = {"mgu": {}}
        gates = "fn"
        memory_gate = MemoryGate("f", sign=-1)

        def __init__(self, scale=2.0):
            self.scale, self.blocks = scale, {"f": 0, "n": 1}

        def rows(self, a, gate, /):
            H = len(a) // len(self.gates)
            if gate not in self.blocks:
                raise ValueError(f"no gate {gate!r} among {len(self.blocks)}")
            start = self.blocks[gate] * H
            return a[start:start + H]

        @property
        def unused(self):
            return 1

        def forward(self, w, wx, state):
            (h_prev,) = state
            f = sigmoid(self.rows(wx, "f") + self.rows(w.U, "f") @ h_prev)
            seen = f * h_prev
            n, _ = squashed(self.rows(wx, "n") + self.rows(w.U, "n") @ seen, times=self.scale * HALF)
            h = (1 - f) * h_prev
            h += f * n
            return (h,), {"f": f, "n": n, "seen": seen, "h_prev": h_prev}

        def backward(self, w, kept, dstate, da):
            f, n, seen, h_prev = (kept[name] for name in ("f", "n", "seen", "h_prev"))
            (dh,) = dstate
            da_f, da_n = self.rows(da, "f"), self.rows(da, "n")
            df, dn = dh * (n - h_prev), dh * f
            da_n[:] = self.scale * HALF * dn * (1 - n ** 2)
            dseen = self.rows(w.U, "n").T @ da_n
            df = df + dseen * h_prev
            da_f[:] = df * f * (1 - f)
            dh_prev = dh * (1 - f) + dseen * f + self.rows(w.U, "f").T @ da_f
            return dh_prev,

        def weight_gradients(self, da, h_prev, kept):
            xp = array_module(da)
            seen = xp.concatenate([step["seen"] for step in kept], axis=1)
            H, whole = h_prev.shape[1], super().weight_gradients(da, h_prev, kept=kept)["U"]
            return {"U": xp.concatenate([whole[:H], da[H:] @ seen.T])}
'''


@pytest.fixture
def readers_cell(tmp_path):
    """A cell in a file of its own."""

    def make(source):
        file = tmp_path / "readers.py"
        file.write_text(textwrap.dedent(source).strip() + "\n")
        spec = importlib.util.spec_from_file_location("readers", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return next(value for name, value in vars(module).items() if name.endswith("Cell") and name != "Cell")()

    return make


def test_a_readers_new_cell(readers_cell, tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.FOLDERS", [*FOLDERS, tmp_path])
    python = both_ways(readers_cell(MINIMAL), 2)
    (javascript,) = run_programs([(python[2].source, "through_time", python[3], True)], tmp_path)
    check_same(python, javascript)


def test_a_cell_that_draws_random_numbers_is_refused():
    cell = make_cell("rnn-rrelu")
    cell.rng = np.random.default_rng(0)
    with pytest.raises(
        Untranslatable, match=r"rnn_activations: the attribute `rng` of RampRNNCell, a Generator, cannot"
    ):
        translate([through_time], {"cell": cell, "mask": NoPadding()}, followed)
