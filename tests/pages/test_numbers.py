"""The arrays of the pages against NumPy's, and where their numbers say that they come from."""

import importlib.util
import warnings

import numpy as np
import pytest
from in_javascript import in_node, is_close, run_programs

from minirnn.pages.stepping.javascript import vocabulary
from minirnn.pages.stepping.recording import encode, encode_argument, record
from minirnn.pages.stepping.translation import translate


def test_translation_knows_what_the_runtime_has(tmp_path):
    body = """const {xp, methods, containers, runtime} = numbers;
    return [Object.keys(xp), methods, containers, Object.keys(runtime), Object.keys(runtime.math)]"""
    xp, methods, containers, runtime, math = in_node(body, None, tmp_path)
    assert set(math) == vocabulary.MATH
    assert set(xp) == vocabulary.NUMPY
    assert set(methods) == vocabulary.ARRAY_METHODS
    assert set(containers) == vocabulary.CONTAINER_METHODS
    assert set(runtime) >= vocabulary.BUILTINS | set(vocabulary.BINARY.values()) | set(vocabulary.UNARY.values())


# Random programs of views and changes in place: what shares its numbers shows in all values at the end. ---------------

PERFORM = """
const R = numbers.runtime;
const index = (one) => one === "..." ? R.ELLIPSIS : one !== null && typeof one === "object" ? R.slice(...one) : one;
const operations = {
  get: (a, i) => R.get(a, i.map(index)), set: (a, i, b) => R.set(a, i.map(index), b), copy: (a) => a.copy(),
  transpose: (a, axes) => a.transpose(axes), reshape: (a, shape) => a.reshape(...shape), ravel: (a) => a.ravel(),
  inplace: (op, a, b) => void R.inplace(op, a, b), "+": R.add, "-": R.sub, "*": R.mul, "/": R.div, "@": R.matmul,
  sum: (a, o) => a.sum(o), mean: (a, o) => a.mean(o), max: (a, o) => a.max(o), min: (a, o) => a.min(o),
  prod: (a, o) => a.prod(o), var: (a, o) => a.var(o), where: (a, b, c) => R.xp.where(R.gt(a, 0), b, c),
  concatenate: (a, b, axis) => R.xp.concatenate([a, b], axis), stack: (a, b, axis) => R.xp.stack([a, b], {axis}),
  split: (a, n, axis) => R.get(R.xp.split(a, n, {axis}), -1), contiguous: (a) => R.xp.ascontiguousarray(a),
};
return cases.map(({arrays, steps, refused}) => {
  const values = arrays.map((json) => numbers.decode(json)), wrong = [];
  for (const [i, [name, ...args]] of steps.entries()) {
    let problem = "";
    try {
      const result = operations[name](...args.map((arg) => (arg?.v === undefined ? arg : values[arg.v])));
      if (result !== undefined && !refused.includes(i)) values.push(result);
    } catch (error) {
      problem = `${error.name}: ${error.message}`;
    }
    if (/Value|Index/.test(problem) !== refused.includes(i) || problem.startsWith("Type")) {
      wrong.push(`step ${i}, ${name}: ${problem || "not refused"}`);
      break;
    }
  }
  return {values: values.map(numbers.encode), wrong};
});
"""


def _index(one):
    return ... if one == "..." else slice(*one) if isinstance(one, list) else one


OPERATIONS = {
    "get": lambda a, i: a[tuple(map(_index, i))],
    "set": lambda a, i, b: a.__setitem__(tuple(map(_index, i)), b),
    "copy": lambda a: a.copy(),
    "transpose": lambda a, axes: a.transpose(axes),
    "reshape": lambda a, shape: a.reshape(shape),
    "ravel": lambda a: a.ravel(),
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "@": np.matmul,
    "inplace": lambda op, a, b: OPERATIONS[op](a, b, out=a),
    **{name: lambda a, o, name=name: getattr(a, name)(**o) for name in ("sum", "mean", "max", "min", "prod", "var")},
    "where": lambda a, b, c: np.where(a > 0, b, c),
    "concatenate": lambda a, b, axis: np.concatenate([a, b], axis),
    "stack": lambda a, b, axis: np.stack([a, b], axis),
    "split": lambda a, n, axis: np.split(a, n, axis)[-1],
    "contiguous": np.ascontiguousarray,
}


CHANGING = ("get", "set", "inplace", "reshape", "ravel", "transpose", "contiguous")


def random_index(rng, shape):
    index = []
    for n in shape:
        kind = rng.integers(6)
        if kind == 0:
            index.append(int(rng.integers(-n - (rng.random() < 0.05), n)) if n else 0)
        elif kind == 1:
            index.append([])
        elif kind < 5:
            ends = [None if rng.random() < 0.4 else int(rng.integers(-n - 1, n + 2)) for _ in range(2)]
            index.append([*ends, [None, 1, 2, -1, -2, 3][rng.integers(6)]])
        else:
            index.append("..." if "..." not in index else [])
            if rng.random() < 0.5:
                break
        if rng.random() < 0.1:
            index.append(None)
    return [[None] if one == [] else one for one in index]


def random_shape(rng, size):
    """A shape of that many elements, now and then with a 1 or a -1, and seldom a wrong one."""
    shape = [1] if rng.random() < 0.2 else []
    while size > 1:
        divisors = [d for d in range(2, size + 1) if size % d == 0]
        shape.append(int(rng.choice(divisors)))
        size //= shape[-1]
    shape = [int(n) for n in rng.permutation([*shape, size])]
    if rng.random() < 0.2:
        shape[rng.integers(len(shape))] = -1
    return [*shape, 2] if rng.random() < 0.03 else shape


def random_step(rng, values):
    pick = lambda: int(rng.integers(len(values)))
    i, j, k = pick(), pick(), pick()
    shape = values[i].shape
    axis = int(rng.integers(-len(shape) - 1, len(shape) + 1))
    name = str(rng.choice([*OPERATIONS, *["get", "transpose", "reshape", "set", "inplace"] * 3]))
    a, b, c = {"v": i}, {"v": j}, {"v": k}
    if name in ("get", "set"):
        value = b if rng.random() < 0.5 else float(rng.integers(9))
        return [name, a, random_index(rng, shape), *([value] if name == "set" else [])]
    if name == "transpose":
        return [name, a, [int(n) for n in rng.permutation(len(shape))]]
    if name == "reshape":
        return [name, a, random_shape(rng, values[i].size)]
    if name == "inplace":
        return [name, str(rng.choice([*"+-*/"])), a, b if rng.random() < 0.7 else 0.5]
    if name in ("copy", "ravel", "contiguous"):
        return [name, a]
    if name in ("+", "-", "*", "/", "@"):
        return [name, *((a, b) if rng.random() < 0.8 else (2.0, a))]
    if name in ("concatenate", "stack"):
        return [name, a, b, axis]
    if name == "split":
        return [name, a, int(rng.integers(1, 4)), axis]
    if name == "where":
        return [name, a, b, c]
    return [name, a, {"axis": axis if shape and rng.random() < 0.6 else None, "keepdims": bool(rng.integers(2))}]


def random_program(seed, length=25):
    """Arrays, steps and which of them NumPy refuses; and all values at the end."""
    rng = np.random.default_rng(seed)
    shapes = [[int(n) for n in rng.integers(1 - (rng.random() < 0.1), 5, rng.integers(4))] for _ in range(3)]
    values = [rng.standard_normal(shape) for shape in shapes]
    case = {"arrays": [encode(value) for value in values], "steps": [], "refused": []}
    for _ in range(length):
        name, *args = random_step(rng, values)
        known = [values[arg["v"]] if isinstance(arg, dict) and "v" in arg else arg for arg in args]
        if name in CHANGING and np.ndim(known[name == "inplace"]) == 0:
            continue  # a number: it cannot change in place, and no view of it can
        case["steps"].append([name, *args])
        try:
            result = OPERATIONS[name](*known)
        except (ValueError, IndexError):
            case["refused"].append(len(case["steps"]) - 1)
        else:
            if name not in ("set", "inplace"):
                values.append(result)
        if sum(value.size for value in values) > 5000:
            break
    return case, [encode(value) for value in values]


def test_views_and_changes_in_place_are_those_of_numpy(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dividing by 0 and the like
        programs = [random_program(seed) for seed in range(400)]
    found = in_node(PERFORM, [case for case, _ in programs], tmp_path)
    for (case, values), theirs in zip(programs, found, strict=True):
        assert not theirs["wrong"], (theirs["wrong"], case)
        for mine, other in zip(values, theirs["values"], strict=True):
            assert is_close(mine, other, 1e-10), case
    steps = [step[0] for case, _ in programs for i, step in enumerate(case["steps"]) if i not in case["refused"]]
    assert all(steps.count(name) > 20 for name in OPERATIONS)  # none was refused throughout


# What can be written, line by line: translated, and run by both. ------------------------------------------------------

LINES = """
np.exp(a), np.expm1(a), np.log(p), np.log1p(p), np.sqrt(p), np.tanh(a), np.sin(a), np.cos(a), np.abs(a), np.absolute(a)
np.sign(a), np.floor(a), np.ceil(a), np.square(a), np.negative(a), -a, +a, abs(a), np.exp(2), np.sqrt(2.0) * 3
np.maximum(a, 0), np.minimum(a, b), np.clip(a, -0.5, 0.5), a.clip(0, None), np.where(a > 0, 1, a), np.where(m, a, b)
a + b, a - b, a * b, a / b, 1 / p, 2 - a, p ** 2, 2 ** a, p ** 0.5, a // 0.3, a % 0.3, n // 2, n % 3, n * n, n / 2
a < b, a <= b, a > 0, a >= b, a == a, a != b, (a > 0) & (a < 1), (a > 0) | m, ~m, m ^ m, np.logical_and(m, a > 0)
np.logical_not(m), np.logical_or(m, m), np.isnan(a), (0 < x < 2), (2 > x > 1 > 0), not x, x == 1, x != 1, 0 <= x
np.add(a, b), np.subtract(a, b), np.multiply(a, b), np.divide(a, b), np.power(p, 2)
a @ b, b @ c, b @ b, c @ a, s @ a.T, a @ s.transpose(0, 2, 1), np.matmul(a, c), np.dot(a, c), np.dot(2, a), a.dot(b)
np.outer(b, a), a.T, a.T.shape, a.ndim, a.size, len(a), s.shape, np.transpose(s), np.transpose(s, (1, 0, 2))
a.sum(), a.sum(axis=0), a.sum(0), a.sum(axis=-1, keepdims=True), s.sum(axis=(0, 2)), np.sum(a, axis=1), m.sum()
a.mean(), a.mean(axis=1), a.max(), a.min(axis=0), a.prod(axis=1), a.var(axis=0), a.std()
np.var(a, axis=1, keepdims=True)
m.any(), m.all(axis=0), a.argmax(axis=1), a.argmin(), n.max(), np.mean(n), (a > 9).any()
np.zeros((2, 3)), np.zeros(3), np.ones((1, 2)), np.full((2, 2), x), np.full((), 0.5), np.zeros_like(a), np.ones_like(n)
np.eye(3), np.eye(2, 3), np.arange(4), np.arange(1, 3), np.arange(0.0, 1.0, 0.25), np.full_like(a, 2)
np.array([[1, 2], [3, x]]), np.asarray([1.5]), np.array(a), np.asarray(a), np.array([a[0], b]), np.array(2.0) + 1
np.concatenate([a, a]), np.concatenate((a, c.T), axis=1), np.stack([b, b]), np.stack([b, b], axis=1), np.stack([1.0, x])
np.split(a, 2), np.split(b, [1]), np.split(a, 3, axis=1), a.reshape(3, 2), a.reshape(-1), a.reshape((6, 1))
np.ravel(a.T)
a.T.ravel(), a.flatten(), np.reshape(a, (3, 2)), a[:, None].squeeze(), a[:, None].squeeze(axis=1), np.squeeze(a[None])
np.expand_dims(a, 0), np.expand_dims(a, axis=2), s.swapaxes(0, 2), np.swapaxes(s, 0, 1), np.broadcast_to(b, (2, 3))
a.astype(float), (a > 0).astype(a.dtype), a.astype(np.float64), (a * 9).astype(int), a.astype(bool), n.astype("float64")
np.ascontiguousarray(a.T), a.copy(), np.copy(a), a[0, 1].item(), a.tolist(), np.pi, np.e, np.inf, -np.inf, np.nan
a[0], a[-1, 1:], a[..., 0], a[::-1, ::2], a[:, None, :], a[1][2], a[0, ...], s[0, :, 1], a[n[1]], (1, 2, 3)[-1]
[1, 2, 3, 4][1:-1], (1, 2, 3)[::-1], 7 // 2, -7 // 2, -7 % 3, 7 / 2, 2 ** 3, 7 & 3, 4 | 1, 5 ^ 1, ~5, [0] * 3
(1,) + (2,)
float(a[0, 0]), int(2.7), int(-2.7), bool(0), bool([0]), len((1, 2)), min(1, 2), max([3, 1]), abs(-2), sum([1, 2], 3)
sum(a), sum(v for v in b), list(range(3)), list(range(4, 0, -2)), tuple(reversed([1, 2])), list(zip(b, (1, 2, 3)))
list(enumerate(b, start=1)), list(map(np.sum, a)), sorted([3, 1, 2]), any([0, 1]), all([]), dict([("a", 1)])
{"a": 1, **{"b": a}}, {"a": 1} | {"a": 2}, {"a": 1}["a"], {"a": 1}.get("b", 3), list({"a": 1}.values()), "a" in {"a": 1}
[k for k, v in {"a": 1}.items() if v > 5], 1 in (1, 2), 3 not in [1], "b" in "abc", "abc".index("c"), (4, 5).index(5)
[v * 2 for v in b], [v for v in b if v > 0], [u * v for u in b for v in b if u > v], {k: v for k, v in zip("xyz", b)}
[[u + v for u in b] for v in b], [p for (p, *q), r in [((1, 2, 3), 4)]], [q for (p, *q), r in [((1, 2, 3), 4)]]
[_ for _, (_, _) in [(1, (2, 3))]], tuple(v for v in (1, 2)), [*b, *(1, 2)], (*(v for v in b), 0), max(v for v in b)
x if x else 5, 0 or x, x and 3, () or (1, 2), not (x and 0), (x is None), (x is not None), None is None
1 if m.any() else 2
twice(x), twice(x, by=3), twice(by=4, x=a), twice(*(x, 5)), twice(**{"x": x}), first(1, 2, 3), first(*b)
Pair(1, a).right
Pair(right=2, left=1), Pair(1), Pair(*(3, 4))[0], LIMIT * a, TABLE["one"], NAMES[1], apply(twice, 2), apply(np.exp, a)
SHAPES[0], default(), default(b=5), math.sqrt(4), math.exp(x), math.pi, sigmoid(a), tanh(b), library(a).exp(a)
"""

BODIES = """
y = a.copy(); y[0] = 5; y[:, 1:] += b[1:]; z = y.T; z *= 2; return y
y = a.copy(); y[0, 0] -= 1; y[1] /= 2; y @= np.eye(3); y **= 2; y %= 2; y //= 0.5; return y
y = z = a + 1; y += 1; return z
y, (z, w) = a, (b, c); y, z = z, y; return y, z, w
(y,), [z, *w] = (a,), b; return y, z, w
*y, z = b; return y, z
y, *z, w = [1, 2]; return y, z, w
y = [0, 0]; y[0], z = 1, 2; y[1] = z; return y
y = z = [0]; y[0] = w = 3; return z, w
y: float = 2; z: int; return y
y = {}; y["a"] = a; y |= {"b": 1}; y["b"] += 1; y.update({"c": 2}); return y
y = []; y.append(1); y.extend((2, 3)); y.insert(0, 0); return y, y.pop(), y.count(2), y.copy()
y = 0.0; y += a.sum(); z = y; y += 1; return y, z
y = 2; y **= 3; y //= 3; y -= 1; y /= 2; return y
y = 7; y &= 5; y |= 8; y ^= 1; y %= 9; y *= 2; return y
y = a[0, 0]; z = a.copy(); z[0, 0] = 100; return y, z[0, 0]
y = np.empty((2, 2)); y[:] = 1; y[...] = b[0]; return y
y = np.empty(3); np.concatenate([b[:1], b[1:]], out=y); return y
new = a; function = new + 1; R = function * 2; this = R; return new, function, R, this
f = library(a).maximum; return f(a, 0)
f = np.concatenate; return f([a, a], axis=1)
f = a.sum; return f(axis=0)
f = twice; return f(2, by=9)
xp, y = library(a), 1; return xp.tanh(a) * y
t = 1; y = t; t = 0.5; y = t; t = 3; y = t; t = "t"; y = 1; return y
y = a[0, ::2]; z = y.ravel(); z[0] = 9; return y, z
y = (v for v in b); return [w for w in y] + [w for w in y]
y = []; f = [twice(v) for v in (apply(twice, u) for u in (1, 2))]; return f
for v in (twice(u) for u in (1, 2)): y = apply(twice, v); return y
return any(twice(u) for u in (0, 1, 2)), all(map(twice, (1, 0, 3)))
for k, v in enumerate(map(twice, (1, 2)), 1): y = k; z = twice(v); return y, z
for u, v in zip((twice(u) for u in (1, 2)), (twice(u) for u in (3, 4, 5))): y = u; return y
return list(zip()), [*zip((1,), (2,))]
y = (u for u in b if twice(u) > 0 for v in (1, 2)); z = twice(1); return list(y), list(y)
return None
"""

HEAD = """
import math
from typing import NamedTuple
import numpy as np
from minirnn.backend import array_module as library, sigmoid, tanh

LIMIT = 1e-5
TABLE = {"one": 1, "f": None}
NAMES = ("a", 2, (3.0, [4]))
SHAPES = np.array([[1.0, 2.0]])

class Pair(NamedTuple):
    left: float
    right: float = 7

def twice(x, by=2):
    return x * by

def first(one, *others):
    return one, others

def apply(f, x):
    return f(x)

def default(a=1, *, b=(2, LIMIT)):
    return a, b
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A module with a function for each piece of code."""
    pieces = [f"return {line}," for line in LINES.strip().splitlines()] + BODIES.strip().splitlines()
    functions = [
        f"def f{i}(a, b, c, s, p, n, m, x):\n    {piece.replace('; ', chr(10) + '    ')}\n"
        for i, piece in enumerate(pieces)
    ]
    file = tmp_path_factory.mktemp("written") / "pieces.py"
    file.write_text(HEAD + "\n".join(functions))
    spec = importlib.util.spec_from_file_location("pieces", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [(piece, getattr(module, f"f{i}")) for i, piece in enumerate(pieces)]


def test_what_is_translated_does_the_same(written, tmp_path):
    rng = np.random.default_rng(2)
    a, b, c, s = (rng.standard_normal(shape) for shape in ((2, 3), 3, (3, 2), (2, 2, 3)))
    args = [a, b, c, s, abs(a) + 0.1, np.arange(4), a > b, 1]
    everything = lambda code: code.co_filename.endswith("pieces.py")
    ours, cases = [], []
    for _, function in written:
        result, events = record(function, [np.copy(arg) if np.ndim(arg) else arg for arg in args], everything)
        ours.append((result, events))
        given = [encode_argument(arg, {}) for arg in args]
        source = translate([function], {}, everything).source
        # What is of whole numbers, and what of yes and no, JSON does not tell.
        source = source.replace("m, x) {\n", "m, x) {\n    n = n.astype('int64'); m = m.astype('bool');\n")
        cases.append((source, function.__name__, given, True))
    for (piece, _), (result, events), theirs in zip(written, ours, run_programs(cases, tmp_path), strict=True):
        assert theirs["error"] is None, (piece, theirs["error"])
        if result is not None:
            assert is_close(encode(result), theirs["result"], 1e-12), (piece, encode(result), theirs["result"])
        told = [[*event[:2], *event[3:]] for event in events]
        assert is_close(told, theirs["events"], 1e-12), piece


def test_an_exception_ends_the_run_and_is_told(tmp_path):
    file = tmp_path / "raises.py"
    file.write_text("def inner(n):\n    if n > 2:\n        raise ValueError(f'{n} is too much')\n    return n\n\n")
    with file.open("a") as more:
        more.write("def main(n):\n    for t in range(n):\n        x = inner(t)\n    return x\n")
    spec = importlib.util.spec_from_file_location("raises", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    source = translate([module.main], {}, lambda code: True).source
    well, badly, silently = run_programs([(source, "main", [n], n < 5) for n in (2, 4, 5)], tmp_path)
    assert (well["error"], well["result"]) == (None, 1)
    assert badly["error"] == silently["error"] == "ValueError: 3 is too much"
    assert badly["events"][-3:] == [
        ["main", "raises", 7, 3, 1, {"t": 3}],
        ["inner", "raises", 1, 3, 2, {"n": 3}],
        ["inner", "raises", 3, 3, 2, {}],
    ]
    assert silently["events"] == []


MISTAKES = [
    ("R.add(a, b)", "ValueError: the shapes (2, 3) and (2,) do not go together"),
    ("R.matmul(a, b)", "ValueError: (2, 3) @ (2,): the inner sizes 3 and 2 differ"),
    ("R.get(a, 2)", "IndexError: there is no place 2 in an axis of 2"),
    ("R.get(a, [0, 0, 0])", "IndexError: 3 indices for an array of the shape (2, 3)"),
    ("a.reshape(4)", "ValueError: the shape (2, 3) cannot become (4,)"),
    ("R.set(a, 0, b)", "ValueError: the shape (2,) does not fit into (3,)"),
    ("R.set(b, 0, b)", "ValueError: one number cannot be (2,)"),
    ("R.truth(a)", "ValueError: an array of 6 numbers is neither true nor false"),
    ("a.sum({axis: 2})", "ValueError: there is no axis 2 among 2"),
    ("R.xp.concatenate([a, b])", "ValueError: the shapes (2, 3), (2,) cannot stand along axis 0"),
    ("R.unpack([1, 2], 3)", "ValueError: 3 values expected, not 2"),
    ("R.div(1, 0)", "ZeroDivisionError: division by zero"),
    ("R.add(a, undefined)", "TypeError: expected a number or an array, not a name without a value"),
    ("R.add(a, null)", "TypeError: expected a number or an array, not None"),
    ('R.get(R.dict([]), "U")', "KeyError: there is no U"),
    ("R.draw()", "TypeError: random numbers cannot be drawn here"),
    ("a.sum({out: b})", "TypeError: sum has no argument out here"),
    ("R.get(a, [[0, 1]])", "TypeError: an array or a list as an index is not known here"),
    ('R.inplace("+", R.get(a, 0), a)', "ValueError: (2, 3) does not fit into the array of the shape (3,) in place"),
]


def test_mistakes_are_told_in_words(tmp_path):
    body = """const R = numbers.runtime;
    return cases.map((code) => {
      const [a, b] = [R.xp.zeros([2, 3]), R.xp.zeros(2)];
      try {
        return new Function("R", "a", "b", `return ${code}`)(R, a, b);
      } catch (error) {
        return `${error.name}: ${error.message}`;
      }
    });"""
    assert in_node(body, [code for code, _ in MISTAKES], tmp_path) == [message for _, message in MISTAKES]


ORIGINS = """
const R = numbers.recorder();
const told = (n) => [n.op, n.args.length, n.label && [n.label.name, n.label.event, n.label.index]];
const W = numbers.decode(cases.W, "W"), x = numbers.decode(cases.x, "x");
R.enter("step", "here", 1, {W, x});
const a = R.matmul(W, x); R.at(2, {a});
const y = R.tanh(a); R.at(3, {y});
const rows = R.get(y, R.slice(null, null, -1)); R.at(4, {rows});
const both = [rows, R.sub(1, y)]; R.at(5, {both});
const loss = R.neg(R.mul(y, y).sum()); R.at(6, {loss});
const out = R.xp.empty(2); R.at(7, {out});
R.set(out, R.slice(), y); R.at(8, {out});
R.set(y, 0, 5); R.at(9, {y});
const product = a.nodes[1], one = both[1].nodes[0];
return {
  W: told(W.nodes[3]), a: told(product), args: product.args.map((n) => [n.label.name, n.label.index]),
  sameInput: product.args[0] === W.nodes[2], y: told(out.nodes[1]), through: out.nodes[1].args[0] === product,
  sameRows: rows.nodes[1] === out.nodes[0] || rows.nodes[0] === out.nodes[1], one: told(one),
  constant: told(one.args[0]),
  minus: one.args[1] === out.nodes[0], loss: told(loss.nodes[0]), square: told(loss.nodes[0].args[0].args[1]),
  empty: told(R.events[6].values.out.nodes[0]), filled: told(R.events[7].values.out.nodes[0]),
  five: told(R.events[8].values.y.nodes[0]), then: R.events[2].values.y.values, now: y.values,
};
"""


def test_where_a_number_comes_from(tmp_path):
    W, x = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.1, 0.2])
    found = in_node(ORIGINS, {"W": encode(W), "x": encode(x)}, tmp_path)
    y = np.tanh(W @ x)
    then, now = found.pop("then"), found.pop("now")
    np.testing.assert_allclose(then, y)
    np.testing.assert_allclose(now, [5, y[1]])
    assert found == {
        "W": ["input", 0, ["W", -1, 3]],
        "a": ["dot", 4, ["a", 1, 1]],
        "args": [["W", 2], ["x", 0], ["W", 3], ["x", 1]],
        "sameInput": True,
        "y": ["tanh", 1, ["y", 2, 1]],
        "through": True,
        "sameRows": True,
        "one": ["-", 2, ["both[1]", 4, 0]],
        "constant": ["const", 0, None],
        "minus": True,
        "loss": ["neg", 1, ["loss", 5, 0]],
        "square": ["*", 2, None],
        "empty": ["empty", 0, ["out", 6, 0]],
        "filled": ["tanh", 1, ["y", 2, 0]],
        "five": ["const", 0, ["y", 8, 0]],
    }
