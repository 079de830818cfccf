"""What people write in place of an expression, and what to say to it.

In the sentences "TARGET" stands for the name that the expression is assigned to.
"""

from __future__ import annotations

import ast
import copy
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Changed = Iterator[tuple[ast.expr, str]]
SLOPE_OF_TANH = re.compile(r"^1 - (\w+) \* \1$|^1 - (\w+\[.*\]) \* \2$")
FUNCTIONS = {"sigmoid", "np.tanh", "np.exp", "np.log", "np.sqrt", "min"}


def read(node: ast.AST | str) -> str:
    """An expression as a textbook has it: "U.T @ da" is "Uᵀ da", "h * h" is "h²", and b[:, None] is b."""
    text = node if isinstance(node, str) else ast.unparse(node)
    text = re.sub(r"\[(?:(?::|None), )*(?::|None)\]", "", text)
    text = text.replace("np.", "").replace(".T", "ᵀ").replace(" @ ", " ")
    return re.sub(r"(?<![\w.])([\w.]+(?:\[[^][]*\])?) \* \1(?![\w[(.])", r"\1²", text)


def misspelt(node: ast.AST) -> Changed:
    """An expression with one mistake in it, here or deeper in."""
    return _everywhere(node, _misspelt_here)


def renamed(node: ast.AST, shapes: Mapping[str, Any]) -> Changed:
    """An expression with a name in it taken for another of the same shape: everywhere, or only once.

    Args:
        node: the expression.
        shapes: of all names there are.
    """
    uses = Counter(part.id for part in ast.walk(node) if isinstance(part, ast.Name))
    for name in (name for name, times in uses.items() if times > 1):
        for other in _like(name, shapes):
            new = copy.deepcopy(node)
            for part in ast.walk(new):
                if isinstance(part, ast.Name) and part.id == name:
                    part.id = other
            yield new, _in_place(other, name)  # type: ignore[misc]

    def here(part: ast.expr) -> Changed:
        if isinstance(part, ast.Name):
            for other in _like(part.id, shapes):
                yield ast.Name(other, ast.Load()), _in_place(other, part.id)
            if len(shapes.get(part.id, ())) == 2:
                yield _of(f"{part.id}.T"), f"TARGET has {part.id}ᵀ where {part.id} belongs"

    yield from _everywhere(node, here)


def _like(name: str, shapes: Mapping[str, Any]) -> list[str]:
    return [other for other, shape in shapes.items() if other != name and shape == shapes.get(name)]


def _in_place(other: str, name: str) -> str:
    return f"TARGET has {other} where {name} belongs"


def _everywhere(node: ast.AST, here: Callable[[ast.expr], Changed]) -> Changed:
    """An expression changed in one place, wherever `here` has something to change."""
    if isinstance(node, ast.expr):
        yield from here(node)
    for field, value in ast.iter_fields(node):
        for at, part in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(part, ast.AST) or (field == "func" and isinstance(part, ast.Name)):
                continue
            for new, words in _everywhere(part, here):
                whole = copy.copy(node)
                setattr(whole, field, [*value[:at], new, *value[at + 1 :]] if isinstance(value, list) else new)
                yield whole, words  # type: ignore[misc]


def _misspelt_here(node: ast.expr) -> Changed:
    match node:
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            yield from _sum(node)
        case ast.BinOp(op=ast.Mult()):
            yield from _product(node)
        case ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Mod()):
            yield from _quotient(node)
        case ast.Attribute(value=value, attr="T"):
            yield value, f"TARGET lacks a transpose: {read(node)} belongs where you have {read(value)}"
        case ast.Call():
            yield from _call(node)
        case ast.Subscript():
            yield from _index(node)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            signs = {ast.Lt: ("<=", ">=", ">"), ast.Eq: ("!=",), ast.LtE: ("<", ">"), ast.Gt: (">=", "<")}
            for sign in signs.get(type(op), ()):
                new = f"{_p(left)} {sign} {_p(right)}"
                yield _of(new), f"`{read(new)}` stands where `{read(node)}` belongs"
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield operand, "the sign of TARGET is wrong: a minus is missing"


def _quotient(node: ast.BinOp) -> Changed:
    left, right = node.left, node.right
    yield left, f"TARGET is not divided by {read(right)}"
    if isinstance(node.op, ast.Div):
        yield _of(f"{_p(left)} * {_p(right)}"), f"TARGET is multiplied by {read(right)}, not divided by it"
        upside_down = f"{_p(right)} / {_p(left)}"
        yield _of(upside_down), f"TARGET has {read(upside_down)} where {read(node)} belongs"
    else:
        other = "%" if isinstance(node.op, ast.FloorDiv) else "//"
        mixed = f"{_p(left)} {other} {_p(right)}"
        yield _of(mixed), f"`{read(mixed)}` stands where `{read(node)}` belongs: // is the row, % the column"


def _sum(node: ast.BinOp) -> Changed:
    left, right, minus = node.left, node.right, isinstance(node.op, ast.Sub)
    if minus and ast.unparse(left) == "1":
        if SLOPE_OF_TANH.match(ast.unparse(node)):
            yield from _slope_of_tanh(node)
        else:
            yield right, f"{read(right)} stands where 1 - {read(right)} belongs, in TARGET"
    else:
        yield left, f"TARGET lacks the term {read(right)}"
        rest = f"-{_p(right)}" if minus else ast.unparse(right)
        yield _of(rest), f"TARGET lacks the term {read(left)}"
    sign = "+" if minus else "-"
    yield _of(f"{_p(left)} {sign} {_p(right)}"), f"TARGET has the wrong sign before {read(right)}"
    if not minus:
        yield _of(f"{ast.unparse(node)} + {_p(right)}"), f"TARGET has the term {read(right)} twice"


def _slope_of_tanh(node: ast.BinOp) -> Changed:
    v = ast.unparse(node.right).split(" * ")[0]
    yield _of(f"1 - {v}"), f"the slope of tanh in TARGET lacks its square: 1 - {v}², not 1 - {v}"
    yield _of(f"{v} * (1 - {v})"), f"TARGET has the slope of σ, {v} * (1 - {v}), where that of tanh belongs: 1 - {v}²"
    yield _of(f"1 - np.tanh({v}) ** 2"), f"TARGET applies tanh to {v}, which is a tanh already: its slope is 1 - {v}²"
    yield _of(f"{v} * {v}"), f"TARGET has {v}² where 1 - {v}² belongs, the slope of tanh"


def _product(node: ast.BinOp) -> Changed:
    left, right = node.left, node.right
    v = ast.unparse(right).removeprefix("1 - ")
    if isinstance(left, ast.BinOp) and isinstance(left.op, ast.Mult) and ast.unparse(left.right) == v:  # x * v * (1-v)
        x = left.left
        yield left, f"TARGET lacks the factor 1 - {v}: did you write σ' as {v} instead of {v} * (1 - {v})?"
        yield _of(f"{_p(x)} * (1 - {v})"), f"TARGET lacks the factor {v}: σ' is {v} * (1 - {v}), not 1 - {v}"
        yield x, f"TARGET lacks the slope of σ, {v} * (1 - {v}): {read(x)} is the gradient of the gate itself"
        tanh = f"TARGET has the slope of tanh, 1 - {v}², where that of σ belongs: {v} * (1 - {v})"
        yield _of(f"{_p(x)} * (1 - {v} * {v})"), tanh
        again = f"TARGET applies σ to {v}, which is a σ already: its slope is {v} * (1 - {v})"
        yield _of(f"{_p(x)} * sigmoid({v}) * (1 - sigmoid({v}))"), again
        twice = f"TARGET has the slope of σ twice: {v} * (1 - {v}) belongs there once"
        yield _of(f"{_p(node)} * {v} * (1 - {v})"), twice
    elif SLOPE_OF_TANH.match(ast.unparse(right)):
        yield left, f"TARGET lacks the factor {read(right)}, the slope of tanh"
        yield _of(f"{_p(node)} * {_p(right)}"), f"TARGET has the slope of tanh twice: {read(right)} belongs there once"
    else:
        yield left, f"TARGET lacks the factor {read(right)}"
    yield right, f"TARGET lacks the factor {read(left)}"
    plus = f"{_p(left)} + {_p(right)}"
    yield _of(plus), f"TARGET has {read(plus)} where the product {read(node)} belongs"


def _call(node: ast.Call) -> Changed:
    function, arguments = ast.unparse(node.func), node.args
    if function in FUNCTIONS:
        yield arguments[0], f"TARGET lacks {read(function)}: it is {read(node)}"
        if len(arguments) == 2:
            yield arguments[1], f"TARGET lacks {read(function)}: it is {read(node)}"
    if function in ("sigmoid", "np.tanh"):
        other = "np.tanh" if function == "sigmoid" else "sigmoid"
        new = f"{other}({ast.unparse(arguments[0])})"
        yield _of(new), f"TARGET has {read(other)} where {read(function)} belongs"
    if function == "np.where":
        condition, if_true, if_false = arguments
        yield if_true, f"TARGET forgets the mask: {read(if_true)} only where {read(condition)}, else {read(if_false)}"
        yield if_false, f"TARGET never takes {read(if_true)}, which belongs where {read(condition)}"
        swapped = ast.Call(node.func, [condition, if_false, if_true], [])
        yield swapped, f"TARGET takes {read(if_true)} and {read(if_false)} the wrong way round"
        zero = ast.Call(node.func, [condition, if_true, ast.Constant(0)], [])
        yield zero, f"TARGET is 0 where {read(if_false)} belongs: where not {read(condition)}"
    if function == "reversed":
        yield arguments[0], "the loop runs from the first step to the last: the way back begins at the last"
    if function == "range" and len(arguments) == 1:
        yield _of(f"range({_p(arguments[0])} - 1)"), f"TARGET leaves out the last of {read(node)}"
        yield _of(f"range(1, {ast.unparse(arguments[0])})"), f"TARGET leaves out the first of {read(node)}"
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("sum", "max"):
        yield from _sum_over(node, node.func)


def _sum_over(node: ast.Call, function: ast.Attribute) -> Changed:
    mean = ast.Call(ast.Attribute(function.value, "mean", ast.Load()), node.args, node.keywords)
    if function.attr == "sum":
        yield mean, f"TARGET takes the mean where the sum belongs: {read(node)}"
    for keyword in node.keywords:
        if keyword.arg != "axis":
            continue
        for axis in (0, 1, 2, None):
            others = [k for k in node.keywords if k is not keyword]
            if ast.unparse(keyword.value) != str(axis):
                new = ast.Call(function, node.args, [ast.keyword("axis", ast.Constant(axis)), *others])
                over = "everything" if axis is None else f"axis {axis}"
                right = f"axis {ast.unparse(keyword.value)}"
                yield new, f"TARGET takes the {function.attr} over {over} where {right} belongs: {read(node)}"


def _index(node: ast.Subscript) -> Changed:
    name, index = ast.unparse(node.value), ast.unparse(node.slice)
    for step in ("t", "t + 1", "t - 1"):
        if re.search(r"\bt\b", index) and step != index and "," not in index:
            new = f"{name}[{step}]"
            if isinstance(node.ctx, ast.Load):
                yield _of(new), f"TARGET has {new} where {name}[{index}] belongs"


def _of(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _p(node: ast.expr) -> str:
    """As a part of something larger."""
    text = ast.unparse(node)
    return f"({text})" if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Compare)) else text
