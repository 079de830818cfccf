"""The tape: what was computed from what, and the walk back along it.

Every operation leaves a `Node` that knows the gradient of that operation alone. `walk_back` visits the nodes in reverse
order of dependency and applies the chain rule at each: that is all of reverse-mode differentiation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from minirnn.autograd.pending import Pending, settle
from minirnn.backend import Array, array_module
from minirnn.errors import StaleGraphError

if TYPE_CHECKING:
    from minirnn.autograd.tensor import Tensor


class Version:
    """How many times an array has been overwritten by its owner, such as a weight by an optimiser. All tensors that
    hold the array share it."""

    __slots__ = ("changes",)

    def __init__(self) -> None:
        self.changes = 0


NEVER_CHANGED = Version()
"""Of the arrays that nobody overwrites: the results of operations."""


class Node:
    """One recorded operation.

    `backward` takes the gradients of the operation's outputs (None where the loss does not depend on one)
    and returns the gradients of its inputs (None where an input needs none; possibly `Pending`). `rule` is the function
    that it was written as: its name tells the operation.
    """

    __slots__ = ("backward", "changes", "inputs", "num_outputs", "rule")

    def __init__(
        self,
        inputs: Sequence[Tensor],
        num_outputs: int,
        backward: Callable[..., Sequence[Array | None]],
        rule: Callable | None = None,
    ):
        self.inputs = inputs
        self.num_outputs = num_outputs
        self.backward = backward
        self.rule = rule or backward
        self.changes = [x.version.changes for x in inputs]

    @property
    def operation(self) -> str:
        """The name of the operation, such as "multiply"."""
        return getattr(self.rule, "__qualname__", "an operation").partition(".<locals>")[0].lstrip("_")

    def __repr__(self) -> str:
        inputs = ", ".join(f"{x.shape} from {x.node.operation if x.node else 'a leaf'}" for x in self.inputs)
        return f"<{self.operation} of {inputs}>"

    def check_inputs(self) -> None:
        """Refuse to go on where an input is no longer what it was: `backward` would mix its old and its present values.

        Raises:
            StaleGraphError: names the operation and the input.
        """
        for x, changes in zip(self.inputs, self.changes, strict=True):
            if x.version.changes != changes:
                operation = self.operation
                raise StaleGraphError(
                    f"an input of {operation!r}, of shape {x.shape}, has been overwritten since, by optimizer.step() "
                    "or p.data -= …, so that the gradient would belong to no weights at all: walk back before that. "
                    "In a loop that carries a state, this is what a forgotten detach(state) looks like: the graph of "
                    "every batch goes on into those before"
                )


def walk_back(output: Tensor, gradient: Array, wanted: Sequence[Tensor] | None = None) -> list[Array | None]:
    """Gradients by the chain rule, in reverse order of dependency.

    Why in this order: the gradient of a tensor is complete only when every use of it has sent back its share, and only
    then may its node pass it on. Walking the list from the loss backwards, each node comes after all that used its
    outputs, so it is visited once. Recursion from the loss would visit a node once for each path that leads there, and
    the paths double with every step at which a value is used twice: after 50 such steps there are 2^50.

    All running sums live in a dict of this call, so that a second call starts clean. The sums of the
    `wanted` tensors are returned; without any, those of the leaves are added to their `.grad`.

    Raises:
        ValueError: `output` depends on nothing that requires a gradient, or an operation gave one of the wrong shape.
        StaleGraphError: a weight has been changed since; says by which operation it is needed. No `.grad` has changed.
    """
    if not output.requires_grad:
        raise ValueError("backward through a tensor that does not depend on anything with requires_grad=True")
    sums: dict[Any, Array] = {_slot(output): gradient}
    keep = {_slot(x) for x in wanted or ()}
    leaves = [output] if output.node is None else []
    for node in reversed(_in_order_of_dependency(output.node)):
        slots = [(node, i) for i in range(node.num_outputs)]
        # Complete by now: whatever used these outputs stands later on the tape and has been visited.
        arriving = [sums.get(slot) if slot in keep else sums.pop(slot, None) for slot in slots]
        if all(g is None for g in arriving):
            continue
        node.check_inputs()
        for x, dx in zip(node.inputs, node.backward(*map(settle, arriving)), strict=True):
            if dx is None or not x.requires_grad:
                continue
            if dx.shape != x.shape:
                raise ValueError(f"an operation gave a gradient of shape {dx.shape} for an input of shape {x.shape}")
            slot = _slot(x)
            if x.node is None and slot not in sums:
                leaves.append(x)
            # Used twice: the shares add, for the chain rule sums over all paths from x to the loss. (As a new array:
            # the old one may be another tensor's gradient as well.)
            sums[slot] = sums[slot] + dx if slot in sums else dx
    if wanted is not None:
        return [settle(sums.get(_slot(x))) for x in wanted]
    for leaf in leaves:
        _add_to_grad(leaf, sums[_slot(leaf)])
    return []


def _add_to_grad(leaf: Tensor, arrived: Any) -> None:
    """Add what arrived to `.grad`: the gradients of losses that are walked back one after another add up."""
    total = settle(arrived)
    xp = array_module(total)
    if leaf.grad is not None:
        leaf.grad = xp.asarray(leaf.grad + total)
    else:  # a copy, unless just made: the sum may be a view of, or the same array as, another tensor's gradient
        leaf.grad = total if isinstance(arrived, Pending) else xp.array(total)


def _in_order_of_dependency(last: Node | None) -> list[Node]:
    """Every node `last` depends on, each after all the nodes it depends on itself: the topological order.

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


def _slot(tensor: Tensor) -> Any:
    """What identifies a tensor during the walk: its own id if it is a leaf, else which output of which node
    it is. (Were nodes to refer to their outputs instead, every graph would be a reference cycle.)"""
    return id(tensor) if tensor.node is None else (tensor.node, tensor.index)
