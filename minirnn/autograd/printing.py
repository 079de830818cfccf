"""How a tensor is printed: its values as NumPy prints them, and what else there is to know about it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np

from minirnn.backend import to_host

if TYPE_CHECKING:
    from minirnn.autograd.recorded import Recorded

LINE = 75
"""Columns of a line, as of NumPy."""
MOST_CELLS = 12
"""Rows and columns of a table in a notebook; more are left out in the middle."""


def tensor_text(x: Recorded) -> str:
    """`Tensor([1., 2.], requires_grad=True)`: the values; the dtype where it is not float32, the device where it is not
    the CPU; and of a result the operation that it comes from."""
    start, array = f"{type(x).__name__}(", to_host(x.data)
    shown = np.array2string(array, separator=", ", prefix=start) if x.size else "[]"
    elided = x.size > np.get_printoptions()["threshold"] or not x.size
    facts = [f"shape={x.shape}"] * (elided and x.shape != (0,)) + _facts(x)
    text = start + shown
    for fact in facts:
        last_line = text[text.rfind("\n") + 1 :]
        gap = " " if len(last_line) + len(fact) + 3 <= LINE else "\n" + " " * len(start)
        text += f",{gap}{fact}"
    return text + ")"


def _facts(x: Recorded) -> list[str]:
    """What is not as usual."""
    facts = []
    if x.dtype != np.float32:
        facts.append(f"dtype={x.dtype}")
    if x.device != "cpu":
        facts.append(f"device={x.device!r}")
    if x.node is not None:
        facts.append(f"operation={x.node.operation!r}")
    elif x.requires_grad != (type(x).__name__ == "Parameter"):  # of a parameter, that it is frozen
        facts.append(f"requires_grad={x.requires_grad}")
    return facts


def tensor_html(x: Recorded) -> str:
    """A table of the values for a notebook; as text where there are more than two axes, or none."""
    facts = ", ".join([f"{type(x).__name__} of shape {x.shape}", *_facts(x)])
    caption = f"<div><small>{html.escape(facts)}</small></div>"
    if x.ndim not in (1, 2) or not x.size:
        return f"<div><pre>{html.escape(tensor_text(x))}</pre></div>"
    array = np.atleast_2d(to_host(x.data))
    rows, columns = (_indices(n) for n in array.shape)
    head = "".join(f"<th>{_index(j)}</th>" for j in columns)
    head = f"<tr>{'<th></th>' * (x.ndim - 1)}{head}</tr>"
    body = "".join(
        f"<tr>{f'<th>{_index(i)}</th>' * (x.ndim - 1)}{''.join(_cell(array, i, j) for j in columns)}</tr>" for i in rows
    )
    return f"<div><table><thead>{head}</thead><tbody>{body}</tbody></table>{caption}</div>"


def _indices(n: int) -> list[int | None]:
    """Those to be shown of n; None stands for all between."""
    if n <= MOST_CELLS:
        return list(range(n))
    half = MOST_CELLS // 2
    return [*range(half), None, *range(n - half, n)]


def _index(i: int | None) -> str:
    return "…" if i is None else str(i)


def _cell(array: np.ndarray, i: int | None, j: int | None) -> str:
    return "<td>…</td>" if i is None or j is None else f"<td>{array[i, j]:.4g}</td>"
