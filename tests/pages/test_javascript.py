"""Python written down in JavaScript: the text, and what is refused."""

import importlib.util
import textwrap

import pytest

from minirnn import InputError, make_cell
from minirnn.pages.stepping.translation import Untranslatable, translate


@pytest.fixture
def module(tmp_path):
    """A module of that source."""

    def write(source):
        file = tmp_path / "lstm_x.py"
        file.write_text(textwrap.dedent(source).lstrip("\n"))
        spec = importlib.util.spec_from_file_location("lstm_x", file)
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
        return found

    return write


HEAD = """
import os
import numpy as np
import math
from minirnn.backend import array_module
from functools import lru_cache, partial
add = partial(max, 1)
rng = np.random.default_rng(0)
flags = {1, 2}
def helper(x, *, by=1): return x
def many(*xs): return xs
class Thing: pass
"""

REFUSED = [
    ("while x: x -= 1", "`while` cannot be translated"),
    ("y = lambda v: v", "`lambda` cannot be translated"),
    ("try: x\n    except ValueError: pass", "`try` cannot be translated"),
    ("with x: pass", "`with` cannot be translated"),
    ("for v in x: break", "`break` cannot be translated"),
    ("for v in x: continue", "`continue` cannot be translated"),
    ("for v in x: pass\n    else: y = 1", "`else` of a `for` cannot be translated"),
    ("def inner(): pass", "a function inside a function cannot be translated"),
    ("class Inner: pass", "a class inside a function cannot be translated"),
    ("import json", "`import` inside a function cannot be translated"),
    ("global z", "`global` cannot be translated"),
    ("assert x", "`assert` cannot be translated"),
    ("del x", "`del` cannot be translated"),
    ("yield x", "`yield` cannot be translated"),
    ("match x:\n        case 1: pass", "`match` cannot be translated"),
    ("y = (z := x)", "`:=` cannot be translated"),
    ("y = f'{x}'", "an f-string outside of `raise` cannot be translated"),
    ("y = {x}", "a set cannot be translated"),
    ("y = {v for v in x}", "a set cannot be translated"),
    ("y = b'x'", "`b'x'` cannot be translated"),
    ("y = 1j", "`1j` cannot be translated"),
    ("y = x << 2", "`x << 2` cannot be translated"),
    ("x <<= 2", "`x <<= 2` cannot be translated"),
    ("y = x is y", "`is` with something else than None, True or False cannot be translated"),
    ("y = 1 < x in x", "a chain with `in` or `is` cannot be translated"),
    ("raise", "`raise` without an exception cannot be translated"),
    ("y = np.fft.fft(x)", "`np.fft` cannot be translated"),
    ("y = np.einsum('i', x)", "`np.einsum` cannot be translated"),
    ("y = math.gamma(x)", "`math.gamma` cannot be translated"),
    ("xp = array_module(x); y = xp.cumsum(x)", "NumPy's `cumsum` cannot be translated"),
    ("y = array_module(x).linalg", "NumPy's `linalg` cannot be translated"),
    ("xp, y = array_module(x), 1; xp.einsum", "NumPy's `einsum` cannot be translated"),
    ("y = x.cumsum(axis=0)", "the method `.cumsum` cannot be translated"),
    ("y = x.sum(dtype=float)", "the keyword `dtype` of `x.sum` cannot be translated"),
    ("y = np.exp(x, out=x)", "the keyword `out` of `np.exp` cannot be translated"),
    ("y = array_module(x).exp(x, where=x)", "the keyword `where` of `array_module(x).exp` cannot be translated"),
    ("y = sorted(x, reverse=True)", "the keyword `reverse` of `sorted` cannot be translated"),
    ("y = helper(x, wrong=2)", "the keyword `wrong` of `helper` cannot be translated"),
    ("y = helper(*x, by=2)", "the keyword `by` of `helper` cannot be translated"),
    ("y = many(x=1)", "the keyword `x` of `many` cannot be translated"),
    ("y = helper(**x)", "`**x` cannot be translated"),
    ("print(x)", "`print`, which is the builtin_function_or_method print, cannot be translated"),
    ("y = rng.random(3)", "`rng`, which is the Generator, cannot be translated"),
    ("y = flags", "`flags`, which is the set, cannot be translated"),
    ("y = Thing()", "`Thing`, which is the type Thing, cannot be translated"),
    ("y = os.environ", "`os.environ`, which is the _Environ, cannot be translated"),
    ("y = x[0].nothing()", "the method `.nothing` cannot be translated"),
    ("y = unknown", "`unknown`, which stands for nothing, cannot be translated"),
    ("[x[v] for x[0] in x]", "this target of a comprehension cannot be translated"),
]


@pytest.mark.parametrize(("code", "message"), REFUSED)
def test_what_is_not_translated_is_named_with_its_place(module, code, message):
    found = module(f"{HEAD}def main(x):\n    y = 0\n    {code}\n")
    with pytest.raises(Untranslatable) as error:
        translate([found.main], {}, lambda code: True)
    assert str(error.value) == f"lstm_x.py, line 14: {message}"
    assert isinstance(error.value, InputError)


FUNCTIONS = [
    ("def main(x, **rest): pass", "lstm_x.py, line 1: a function with `**` or with parameters behind `*`"),
    ("def main(*x, by): pass", "lstm_x.py, line 1: a function with `**` or with parameters behind `*`"),
    ("async def main(x): pass", "lstm_x.py, line 1: `main`"),
    ("def main(x={1}): pass", "lstm_x.py, line 1: the default of `x`"),
]


@pytest.mark.parametrize(("source", "message"), FUNCTIONS)
def test_functions_that_are_not_translated(module, source, message):
    with pytest.raises(Untranslatable) as error:
        translate([module(source).main], {}, lambda code: True)
    assert str(error.value) == f"{message} cannot be translated"


CELL = """
class Above:
    def told(self, x): return x
class Left(Above): pass
class Right(Above): pass
class Both(Left, Right):
    limits = {1}
    def value(self, x, by=1): return super().told(x)
    @property
    def size_of(self): return 1
    @classmethod
    def of(cls): return cls
class Other:
    def value(self, by, x): return x
    def sum(self, axis): return axis
def main(cell, x):
    return cell.value(CODE)
"""


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("cell.limits", "lstm_x: the attribute `limits` of Both, a set, cannot be translated"),
        ("cell.size_of", "lstm_x: the attribute `size_of` of Both, a property, cannot be translated"),
        ("cell.of()", "lstm_x.py, line 16: the method `.of` cannot be translated"),
        (
            "x=1",
            "lstm_x.py, line 16: keywords for `.value`, whose methods differ in their arguments, cannot be translated",
        ),
        ("cell.value(1, nothing=2)", "lstm_x.py, line 16: the keyword `nothing` of `cell.value` cannot be translated"),
        (
            "x.sum(axis=0)",
            "lstm_x.py, line 16: keywords for `.sum`, which is an object's method and an array's, cannot be translated",
        ),
    ],
)
def test_objects_that_are_not_translated(module, code, message):
    found = module(CELL.replace("CODE", code))
    with pytest.raises(Untranslatable) as error:
        translate([found.main], {"cell": found.Both(), "other": found.Other()}, lambda code: True)
    assert str(error.value) == message


def test_classes_above_that_differ(module):
    found = module(CELL.replace("CODE", "x"))
    with pytest.raises(Untranslatable, match=r"^lstm_x: what is above Left differs from object to object$"):
        translate([found.main], {"cell": found.Both(), "left": found.Left()}, lambda code: True)


SOURCE = '''
from minirnn.backend import fuse, sigmoid

LEAK = 0.01

@fuse
def ramp(a, slope=LEAK):
    """A ramp."""
    return a * slope

def main(cell, xs, new=None):
    """What it does."""
    total = 0.0
    for t, (x, *_) in enumerate(xs):
        if x is None:
            raise ValueError(f"no x at {t}, {type(x)!r} </script>")
        elif t > 3 and not cell.closed:
            total += cell.step(ramp(x, slope=2 * LEAK), gate=[1, 2])
        else:
            pass
    new = sigmoid(total)
    return new

class Cell:
    closed = False

    def step(self, x, gate):
        self.seen = x[:, None]
        return self.bias + x

    def never(self):
        while True: pass
'''

JAVASCRIPT = """
"use strict";
const program = (R) => {
  const LEAK = 0.01;
  function ramp(a, slope = 0.01) {
    return R.mul(a, slope);
  }
  ramp.params = ["a", "slope"];
  function main(cell, xs, new_ = null) {
    let total, t, x, _;
    R.enter("main", "lstm_x", 10, {cell, xs, new: new_});
    total = 0.0; R.at(12, {total});
    for ([t, [x, _]] of R.unpacked(R.enumerate(xs), [0, [0, "*"]])) {
      R.at(13, {t, x, _});
      if (x === null) {
        throw R.raise(15, "ValueError", "no x at " + R.text(t) + ", " + "…" + " <\\\\/script>");
      } else if (R.truth(R.gt(t, 3)) && !R.truth(cell.closed)) {
        total = R.inplace("+", total, cell.step(ramp(x, R.mul(2, LEAK)), [1, 2])); R.at(17, {total});
      } else {
      }
    }
    new_ = R.sigmoid(total); R.at(20, {new: new_});
    return R.done(21, new_);
  }
  main.params = ["cell", "xs", "new"];
  class Cell {
    step(x, gate) {
      const self = this;
      R.enter("Cell.step", "lstm_x", 26, {x, gate});
      self.seen = R.get(x, [R.slice(), null]); R.at(27, {});
      return R.done(28, R.add(self.bias, x));
    }
  }
  const cell = new Cell();
  Object.assign(cell, {bias: 1.5, closed: false});
  return {functions: {main}, objects: {"cell": cell}};
};
if (typeof module !== "undefined") module.exports = program;
"""


def test_the_text(module):
    found = module(SOURCE)
    cell = found.Cell()
    cell.bias = 1.5
    translation = translate([found.main], {"cell": cell}, lambda code: code.co_name != "ramp")
    assert translation.source == JAVASCRIPT.lstrip("\n").replace("\\\\/", "\\/")
    functions = [(f.name, f.module, f.first, f.last) for f in translation.functions]
    assert functions == [("main", "lstm_x", 10, 21), ("Cell.step", "lstm_x", 26, 28)]


def test_the_same_text_every_time(module):
    source = SOURCE + "\ndef other(cell, x):\n    return ramp(x), cell.closed\n"
    texts = set()
    for _ in range(3):
        found = module(source)
        found.Cell.bias = 1
        texts.add(translate([found.main, found.other], {"b": found.Cell(), "a": found.Cell()}, lambda code: True))
    (translation,) = texts
    assert 'objects: {"b": b, "a": a}' in translation.source


def test_names_that_two_modules_share(module):
    found = module("LEAK = 1\ndef sigmoid(x): return LEAK * x\nclass Cell:\n    def f(self, x): return sigmoid(x)\n")
    other = module("LEAK = 2\ndef sigmoid(x): return LEAK * x\nclass Cell:\n    def f(self, x): return sigmoid(x)\n")
    other.__dict__["Cell"].f.__globals__["LEAK"] = 2
    source = translate([found.sigmoid, other.sigmoid], {"a": found.Cell(), "b": other.Cell()}, lambda code: True).source
    assert all(
        source.count(f"{text} ") == 1 for text in ("function sigmoid(x)", "function sigmoid_2(x)", "class Cell_2")
    )


def test_objects_within_objects(module):
    found = module(
        """
        class Inner:
            def __init__(self, outer): self.outer, self.n = outer, 3
            def value(self, x): return self.n * x
        class Outer:
            def __init__(self): self.inner, self.table = Inner(self), {"a": (1, None, "b"), "inner": Inner(self)}
            def value(self, x): return self.inner.value(x) + self.table["inner"].outer.inner.n
        def main(cell, x): return cell.value(x)
        """
    )
    source = translate([found.main], {"cell": found.Outer()}, lambda code: True).source
    assert "Object.assign(cell, {inner: inner, table: " in source
    assert "Object.assign(inner, {n: 3, outer: cell});" in source


def test_a_cell_and_time():
    def step(cell, w, wx, state):
        return cell.forward(w, wx, state)

    translation = translate([step], {"cell": make_cell("lstm-peephole")}, lambda code: "cells" in code.co_filename)
    assert "class LSTMVariantCell extends Cell {" in translation.source
    assert "weight_gradients" not in translation.source
    names = {f.name for f in translation.functions if f.module == "minirnn.cells.lstm_variants"}
    assert names == {"LSTMVariantCell.forward", "LSTMVariantCell._by_gate", "LSTMVariantCell._peep"}
