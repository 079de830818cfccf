"""Putting operations on the tape, and keeping them off it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from minirnn.autograd.tape import Node
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array

recording: ContextVar[bool] = ContextVar("recording", default=True)


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside this block operations compute but record nothing. Also usable as a decorator.

    >>> x = Tensor([1.0], requires_grad=True)
    >>> with no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """
    token = recording.set(False)
    try:
        yield
    finally:
        recording.reset(token)


def record(data: Array, *pairs: tuple[Any, Callable[[Array], Any]], rule: Callable | None = None) -> Tensor:
    """The result of an operation with one output.

    Args:
        data: the value of the output.
        pairs: for each input, the input and a function from the output's gradient to the input's. Inputs
            that are not tensors are constants. An input that was broadcast may be given the gradient of the
            broadcast shape: it is summed back here, in one place.
        rule: the function whose name tells the operation; by default the one that the first pair was written in.
    """
    inputs = [x for x, _ in pairs if isinstance(x, Tensor)]
    functions = [function for x, function in pairs if isinstance(x, Tensor)]

    def backward(gradient: Array) -> list[Array | None]:
        return [
            unbroadcast(function(gradient), x.shape) if x.requires_grad else None
            for x, function in zip(inputs, functions, strict=True)
        ]

    return record_many((data,), inputs, backward, rule=rule or pairs[0][1])[0]


def unbroadcast(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Undo broadcasting: sum `gradient` over the axes along which an array of `shape` was repeated.

    An element that was used in many places receives the sum of what each place sends back.
    """
    if gradient.shape == shape:
        return gradient
    added = gradient.ndim - len(shape)
    repeated = tuple(i + added for i, n in enumerate(shape) if n == 1 and gradient.shape[i + added] != 1)
    return gradient.sum(axis=(*range(added), *repeated), keepdims=True).reshape(shape)


def needs_grad(inputs: Sequence[Tensor]) -> bool:
    """Whether an operation on these inputs goes on the tape."""
    return recording.get() and any(x.requires_grad for x in inputs)


def record_many(
    data: Sequence[Array],
    inputs: Sequence[Tensor],
    backward: Callable[..., Sequence[Array | None]],
    rule: Callable | None = None,
) -> tuple[Tensor, ...]:
    """The results of an operation with several outputs, whose gradients are best computed together.

    Args:
        data: the values of the outputs.
        inputs: the tensors it depends on.
        backward, rule: as for `Node`; the gradients have the shapes of the inputs.
    """
    to_record = needs_grad(inputs)
    outputs = tuple(Tensor(value, to_record) for value in data)
    if to_record:
        node = Node(inputs, len(outputs), backward, rule)
        for i, output in enumerate(outputs):
            output.node, output.index = node, i
    return outputs
