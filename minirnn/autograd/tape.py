"""The tape: what was computed from what, and the walk back along it.

Every operation leaves a `Node` that knows the gradient of that operation alone. `walk_back` visits the nodes in reverse
order of dependency and applies the chain rule at each: that is all of reverse-mode differentiation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from minirnn.backend import Array, array_module
from minirnn.parallel import product

if TYPE_CHECKING:
    from minirnn.autograd.tensor import Tensor

recording: ContextVar[bool] = ContextVar("recording", default=True)


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside this block operations compute but record nothing. Also usable as a decorator."""
    token = recording.set(False)
    try:
        yield
    finally:
        recording.reset(token)


class Node:
    """One recorded operation.

    `backward` takes the gradients of the operation's outputs (None where the loss does not depend on one)
    and returns the gradients of its inputs (None where an input needs none; possibly `Pending`).
    """

    __slots__ = ("backward", "inputs", "num_outputs")

    def __init__(self, inputs: Sequence[Tensor], num_outputs: int, backward: Callable[..., Sequence[Array | None]]):
        self.inputs = inputs
        self.num_outputs = num_outputs
        self.backward = backward


class Pending:
    """A gradient that is a sum, kept as its summands until somebody needs the sum.

    A weight that is used at every step of a loop receives T summands dy_t x_tᵀ, each of the size of the weight. Adding
    them up one by one would move that much memory T times; collected first, they are one product of all the rows.

    Args:
        parts: the summands, in whatever form `total` takes them.
        total: from the collected parts of all summands to the gradient.
        shape: of the gradient.
        kind: only summands of the same kind are collected together.
    """

    __slots__ = ("kind", "parts", "shape", "total")
    __array_ufunc__ = None  # so that array + Pending asks Pending.__radd__

    def __init__(self, parts: list, total: Callable[[list], Any], shape: tuple[int, ...], kind: Any):
        self.parts, self.total, self.shape, self.kind = parts, total, shape, kind

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Pending) and other.kind == self.kind:
            return Pending(self.parts + other.parts, self.total, self.shape, self.kind)
        return settle(self) + settle(other)

    __radd__ = __add__


def settle(gradient: Any) -> Any:
    """The gradient as an array. (Of a `Stepper`'s token it is a list: what its steps have left for the node behind.)"""
    return gradient.total(gradient.parts) if isinstance(gradient, Pending) else gradient


def pending_product(a: Array, b: Array) -> Any:
    """aᵀ b for a (rows, n) and b (rows, m): at once where there are many rows, else `Pending`, to collect more."""
    if len(a) >= min(a.shape[1], b.shape[1]):
        return product(a.T, b)

    def total(parts: list) -> Array:
        xp = array_module(parts[0][0])
        return xp.concatenate([a for a, _ in parts]).T @ xp.concatenate([b for _, b in parts])

    return Pending([(a, b)], total, (a.shape[1], b.shape[1]), "product")


def unbroadcast(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Undo broadcasting: sum `gradient` over the axes along which an array of `shape` was repeated.

    An element that was used in many places receives the sum of what each place sends back.
    """
    if gradient.shape == shape:
        return gradient
    added = gradient.ndim - len(shape)
    repeated = tuple(i + added for i, n in enumerate(shape) if n == 1 and gradient.shape[i + added] != 1)
    return gradient.sum(axis=(*range(added), *repeated), keepdims=True).reshape(shape)


def _slot(tensor: Tensor) -> Any:
    """What identifies a tensor during the walk: its own id if it is a leaf, else which output of which node
    it is. (Were nodes to refer to their outputs instead, every graph would be a reference cycle.)"""
    return id(tensor) if tensor.node is None else (tensor.node, tensor.index)


def walk_back(output: Tensor, gradient: Array, wanted: Sequence[Tensor] | None = None) -> list[Array | None]:
    """Gradients by the chain rule, in reverse order of dependency.

    All running sums live in a dict of this call, so that a second call starts clean. The sums of the
    `wanted` tensors are returned; without any, those of the leaves are added to their `.grad`.

    Raises:
        ValueError: `output` depends on nothing that requires a gradient, or an operation gave one of the wrong shape.
    """
    if not output.requires_grad:
        raise ValueError("backward through a tensor that does not depend on anything with requires_grad=True")
    sums: dict[Any, Array] = {_slot(output): gradient}
    keep = {_slot(x) for x in wanted or ()}
    leaves = [output] if output.node is None else []
    for node in reversed(_in_order_of_dependency(output.node)):
        slots = [(node, i) for i in range(node.num_outputs)]
        arriving = [sums.get(slot) if slot in keep else sums.pop(slot, None) for slot in slots]
        if all(g is None for g in arriving):
            continue
        for x, dx in zip(node.inputs, node.backward(*map(settle, arriving)), strict=True):
            if dx is None or not x.requires_grad:
                continue
            if dx.shape != x.shape:
                raise ValueError(f"an operation gave a gradient of shape {dx.shape} for an input of shape {x.shape}")
            slot = _slot(x)
            if x.node is None and slot not in sums:
                leaves.append(x)
            sums[slot] = sums[slot] + dx if slot in sums else dx
    if wanted is not None:
        return [settle(sums.get(_slot(x))) for x in wanted]
    for leaf in leaves:
        arrived = sums[_slot(leaf)]
        total = settle(arrived)
        xp = array_module(total)
        if leaf.grad is not None:
            leaf.grad = xp.asarray(leaf.grad + total)
        else:  # a copy, unless just made: the sum may be a view of, or the same array as, another tensor's gradient
            leaf.grad = total if isinstance(arrived, Pending) else xp.array(total)
    return []


def _in_order_of_dependency(last: Node | None) -> list[Node]:
    """Every node `last` depends on, each after all the nodes it depends on itself.

    An explicit stack instead of recursion: a chain of operations may be longer than Python's call stack.
    """
    order: list[Node] = []
    entered: set[Node] = set()
    stack = [(last, False)] if last else []
    while stack:
        node, inputs_done = stack.pop()
        if inputs_done:
            order.append(node)
        elif node not in entered:
            entered.add(node)
            stack.append((node, True))
            stack.extend((x.node, False) for x in node.inputs if x.node is not None)
    return order
