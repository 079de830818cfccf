"""The words that translated code may use: what of Python, NumPy and minirnn the runtime `numbers.js` has ready."""

from __future__ import annotations

import ast
import builtins
import math
from types import ModuleType
from typing import Any

import numpy as np

from minirnn import backend


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BUILTINS = _words(
    "abs all any bool dict enumerate float int len list map max min range reversed slice sorted sum tuple zip"
)

NUMPY = _words(
    """abs absolute add all any arange argmax argmin array asarray ascontiguousarray bool_ broadcast_to ceil clip
    concatenate copy cos divide dot e empty empty_like exp expand_dims expm1 eye float32 float64 floor full full_like
    inf int64 isnan log log1p logical_and logical_not logical_or matmul max maximum mean min minimum multiply nan
    negative newaxis ones ones_like outer pi power prod ravel reshape sign sin split sqrt square squeeze stack std
    subtract sum swapaxes tanh transpose var where zeros zeros_like"""
)
"""What of NumPy there is."""

MATH = _words("ceil cos e exp expm1 fabs floor inf log log1p nan pi sin sqrt tan tanh")

ARRAY_METHODS = _words(
    """all any argmax argmin astype clip copy dot fill flatten item max mean min prod ravel reshape squeeze std sum
    swapaxes tolist transpose var"""
)

_REDUCED = _words("axis keepdims")
KEYWORDS: dict[str, frozenset[str]] = {
    **dict.fromkeys(_words("all any argmax argmin max mean min prod std sum var"), _REDUCED),
    "arange": _words("dtype"),
    "array": _words("dtype"),
    "asarray": _words("dtype"),
    "concatenate": _words("axis out"),
    "empty": _words("shape dtype"),
    "empty_like": _words("dtype"),
    "expand_dims": _words("axis"),
    "eye": _words("M dtype"),
    "full": _words("shape fill_value dtype"),
    "ones": _words("shape dtype"),
    "ones_like": _words("dtype"),
    "split": _words("axis"),
    "squeeze": _words("axis"),
    "stack": _words("axis"),
    "zeros": _words("shape dtype"),
    "zeros_like": _words("dtype"),
}
"""The keywords that NumPy's functions, and methods of arrays, have here; those that are not listed have none."""

BUILTIN_KEYWORDS = {"enumerate": _words("start"), "sum": _words("start"), "zip": _words("strict")}

CONTAINER_METHODS = _words(
    """append copy count endswith extend get index insert items join keys pop replace startswith update
    values"""
)
"""Methods of lists, dicts and strings, which JavaScript calls otherwise."""

GENERATOR_METHODS = _words(
    "binomial choice exponential integers normal permutation random shuffle standard_normal uniform"
)
"""Methods that draw random numbers. A page draws none: a line that would is translated into an error, since many a
cell has such a line for training and passes it by in evaluation."""

LEAVES: dict[Any, str] = {getattr(builtins, name): f"R.{name}" for name in sorted(BUILTINS)} | {
    np: "R.xp",
    math: "R.math",
    backend.sigmoid: "R.sigmoid",
    backend.tanh: "R.tanh",
    backend.array_module: "R.array_module",
    backend.like: "R.like",
}
"""What is not translated, since the runtime has it."""

MODULES: dict[ModuleType, frozenset[str]] = {np: NUMPY, math: MATH}

BINARY: dict[type, str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.Pow: "pow",
    ast.MatMult: "matmul",
    ast.BitAnd: "bitand",
    ast.BitOr: "bitor",
    ast.BitXor: "bitxor",
}
IN_PLACE: dict[type, str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.MatMult: "@",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
}
COMPARE: dict[type, tuple[str, str]] = {
    ast.Lt: ("lt", "<"),
    ast.LtE: ("le", "<="),
    ast.Gt: ("gt", ">"),
    ast.GtE: ("ge", ">="),
    ast.Eq: ("eq", "=="),
    ast.NotEq: ("ne", "!="),
}
UNARY: dict[type, str] = {ast.USub: "neg", ast.UAdd: "pos", ast.Invert: "invert"}

CONSTRUCTS: dict[type, str] = {
    ast.AsyncFor: "`async for`",
    ast.Assert: "`assert`",
    ast.Await: "`await`",
    ast.Break: "`break`",
    ast.ClassDef: "a class inside a function",
    ast.Continue: "`continue`",
    ast.Delete: "`del`",
    ast.FormattedValue: "an f-string outside of `raise`",
    ast.FunctionDef: "a function inside a function",
    ast.Global: "`global`",
    ast.Import: "`import` inside a function",
    ast.ImportFrom: "`import` inside a function",
    ast.JoinedStr: "an f-string outside of `raise`",
    ast.Lambda: "`lambda`",
    ast.Match: "`match`",
    ast.NamedExpr: "`:=`",
    ast.Nonlocal: "`nonlocal`",
    ast.Set: "a set",
    ast.SetComp: "a set",
    ast.Try: "`try`",
    ast.While: "`while`",
    ast.With: "`with`",
    ast.Yield: "`yield`",
    ast.YieldFrom: "`yield`",
}
"""How the constructs that are not translated are called."""

RESERVED = _words(
    """R arguments await break case catch class const continue debugger default delete do else enum eval export extends
    false finally for function if implements import in instanceof interface let new null package private protected
    public return static super switch this throw true try typeof undefined var void while with yield program NaN
    Infinity Object"""
)
"""Words that cannot be names in JavaScript, or mean something there already."""
