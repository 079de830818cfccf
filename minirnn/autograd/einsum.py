"""Einstein's notation: sums of products, written as the letters of the axes.

The gradient of an einsum is an einsum again: dL/da of y = einsum("ij,jk->ik", a, b) is einsum("ik,jk->ij", dy, b). The
letters say it all, so one rule serves for products, transposes, traces over pairs and batched attention alike.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Callable, Sequence

from minirnn.arguments import shown
from minirnn.autograd.operands import values
from minirnn.autograd.recording import record
from minirnn.autograd.tensor import Operand, Tensor
from minirnn.backend import Array, array_module, is_array
from minirnn.errors import InputError


def einsum(equation: str, *operands: Operand) -> Tensor:
    """The sum of products that the letters name, as NumPy's `einsum`.

    Args:
        equation: the letters of the axes of each operand, and after `->` those of the result; letters that are not in
            the result are summed over. Without `->` the result has the letters that occur once, in alphabetical order.
            `...` stands for any further axes on the left, which are broadcast.
        operands: tensors, or arrays, which are constants; at least one tensor.

    Raises:
        InputError: the equation does not fit the operands; or a letter occurs twice in one of them (a diagonal), which
            is not supported.
        TypeError: float32 meets float64, or no operand is a Tensor.
    """
    if not isinstance(equation, str):
        raise InputError(f"einsum begins with its equation, as einsum('ij,jk->ik', a, b), not with {shown(equation)}")
    found = values(*operands)
    reference = next(x.data for x in operands if isinstance(x, Tensor))
    xp = array_module(reference)
    arrays = [x if is_array(x) else xp.asarray(x, dtype=reference.dtype) for x in found]  # numbers too
    inputs, output = _letters(equation, [x.shape for x in arrays])
    lengths = _lengths(inputs, [x.shape for x in arrays])
    y = xp.einsum(f"{','.join(inputs)}->{output}", *arrays, optimize=True)

    def by(i: int) -> Callable[[Array], Array]:
        others = [*inputs[:i], *inputs[i + 1 :]], [*arrays[:i], *arrays[i + 1 :]]
        return lambda dy: _gradient(dy, output, inputs[i], *others, lengths)

    return record(y, *((x, by(i)) for i, x in enumerate(operands)))


def _gradient(
    dy: Array, output: str, wanted: str, others: list[str], arrays: list[Array], lengths: dict[str, int]
) -> Array:
    """The gradient of the operand whose letters are `wanted`, from that of the result and the other operands."""
    xp = array_module(dy)
    elsewhere = set(output).union(*others)
    found = "".join(letter for letter in wanted if letter in elsewhere)
    dx = xp.einsum(f"{','.join([output, *others])}->{found}", dy, *arrays, optimize=True)
    # A letter that only this operand has was summed over in it alone: each of its elements gets the same.
    missing = tuple(i for i, letter in enumerate(wanted) if letter not in elsewhere)
    return xp.broadcast_to(xp.expand_dims(dx, missing), tuple(lengths[letter] for letter in wanted))


def _letters(equation: str, shapes: Sequence[tuple[int, ...]]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, one for each axis: also for those that `...` stands for."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    parts = left.split(",")
    if len(parts) != len(shapes):
        raise InputError(f"the equation {equation!r} is of {len(parts)} operands, but there are {len(shapes)}")
    named = set(equation) & set(string.ascii_letters)
    free = [letter for letter in string.ascii_letters if letter not in named]
    inputs = [_spelt_out(part, len(shape), free, equation) for part, shape in zip(parts, shapes, strict=True)]
    most = max((len(part) for part in inputs), default=0)
    dots = "".join(free[:most][i] for i in reversed(range(most)) if any(free[i] in part for part in inputs))
    if arrow:
        output = right.replace("...", dots)
    else:
        once = Counter("".join(inputs))
        output = dots + "".join(sorted(letter for letter in named if once[letter] == 1))
    for letter, count in Counter(output).items():
        if count > 1 or not any(letter in part for part in inputs):
            how = "is there twice" if count > 1 else "is in no operand"
            raise InputError(f"{letter!r} in the result of the equation {equation!r} {how}")
    return inputs, output


def _spelt_out(part: str, ndim: int, free: list[str], equation: str) -> str:
    """The letters of one operand; the axes of `...` get free ones, counted from the right so that they broadcast."""
    before, dots, after = part.partition("...")
    further = ndim - len(before) - len(after)
    if further < 0 or (further and not dots) or not set(before + after) <= set(string.ascii_letters):
        raise InputError(f"{part!r} in the equation {equation!r} does not fit an operand with {ndim} axes")
    letters = before + "".join(reversed(free[:further])) + after
    if twice := [letter for letter, count in Counter(letters).items() if count > 1]:
        raise InputError(
            f"{twice[0]!r} occurs twice in {part!r}: einsum takes no diagonals; "
            "take it first, as x[np.arange(n), np.arange(n)]"
        )
    return letters


def _lengths(inputs: list[str], shapes: Sequence[tuple[int, ...]]) -> dict[str, int]:
    """How long the axis of each letter is; axes of length 1 are broadcast."""
    lengths: dict[str, int] = {}
    for part, shape in zip(inputs, shapes, strict=True):
        for letter, n in zip(part, shape, strict=True):
            known = lengths.get(letter, 1)
            if 1 not in (n, known) and n != known:
                raise InputError(f"einsum: the axes of {letter!r} have lengths {known} and {n}")
            lengths[letter] = n if known == 1 else known
    return lengths
