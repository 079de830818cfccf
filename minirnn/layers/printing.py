"""How modules are printed: as a tree of what they are made of, and as a table of their parameters."""

from __future__ import annotations

import html
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from minirnn.autograd.tensor import Parameter
    from minirnn.layers.module import Module


def arguments(*values: Any, **options: tuple[Any, Any]) -> str:
    """The arguments of a call as they are written: the values, and of the options, (value, default), those that are not
    as they are by default."""
    chosen = [f"{name}={value!r}" for name, (value, default) in options.items() if value != default]
    return ", ".join([*map(repr, values), *chosen])


def module_text(module: Module) -> str:
    """The tree: a line for each module with its arguments and its number of parameters, children indented."""
    head, count, inner = f"{type(module).__name__}({module.extra_repr()}", _count(module), _inner(module)
    if not inner:
        return f"{head}){count}"
    lines = [f"  {line}" for name, text in inner for line in f"({name}): {text}".split("\n")]
    return "\n".join([head + count, *lines, ")"])


def module_html(module: Module) -> str:
    """The tree for a notebook, whose branches open and close."""
    return f"<div>{_branch('', module)}</div>"


def _branch(label: str, module: Module) -> str:
    title = html.escape(f"{label}{type(module).__name__}({module.extra_repr()}){_count(module)}")
    inner = _inner(module)
    if not inner:
        return f"<div><code>{title}</code></div>"
    children = dict(module.shown_children())
    rows = "".join(
        _branch(f"({name}): ", children[name])
        if name in children
        else f"<div><code>{html.escape(f'({name}): {text}')}</code></div>"
        for name, text in inner
    )
    return f"<details open><summary><code>{title}</code></summary><div style='margin-left: 2em'>{rows}</div></details>"


def _inner(module: Module) -> list[tuple[str, str]]:
    """What stands below a module: its own parameters, where its arguments do not tell them, and its children."""
    own = {} if module.extra_repr() else module.own_parameters()
    frozen = {name: "" if p.requires_grad else "  # frozen" for name, p in own.items()}
    parameters = [(name, f"Parameter of shape {p.shape}{frozen[name]}") for name, p in own.items()]
    return parameters + [(name, module_text(child)) for name, child in module.shown_children()]


def _count(module: Module) -> str:
    """How many parameters there are, as a remark; nothing where there are none."""
    found, trained = module.num_parameters(frozen=True), module.num_parameters()
    if not found:
        return ""
    frozen = "" if trained == found else ", frozen" if not trained else f", {found - trained:,} of them frozen"
    return f"  # {found:,} parameter{'s' * (found > 1)}{frozen}"


class Row(NamedTuple):
    """A parameter in a `Summary`."""

    name: str
    layer: str
    shape: tuple[int, ...]
    parameters: int
    trained: bool


class Summary:
    """The parameters of a module as a table: name, kind of the layer, shape and number of each, and their sum. Made by
    `module.summary()`; print it, or leave it as the last line of a notebook's cell. `rows` has the lines."""

    def __init__(self, module: Module):
        layers = {id(p): type(m).__name__ for _, m in module.named_modules() for p in m.own_parameters().values()}
        found: dict[str, Parameter] = module.named_parameters()
        self.rows = [Row(name, layers[id(p)], p.shape, p.size, p.requires_grad) for name, p in found.items()]

    @property
    def total(self) -> int:
        """How many numbers the parameters have together."""
        return sum(row.parameters for row in self.rows)

    @property
    def trained(self) -> int:
        """How many of them training changes."""
        return sum(row.parameters for row in self.rows if row.trained)

    def _cells(self) -> list[tuple[str, str, str, str]]:
        lines = [
            (row.name, row.layer, str(row.shape), f"{row.parameters:,}{'' if row.trained else ' frozen'}")
            for row in self.rows
        ]
        frozen = [("of them trained", "", "", f"{self.trained:,}")] * (self.trained != self.total)
        return [("name", "layer", "shape", "parameters"), *lines, ("total", "", "", f"{self.total:,}"), *frozen]

    def __repr__(self) -> str:
        cells = self._cells()
        widths = [max(len(line[i]) for line in cells) for i in range(4)]
        texts = ["{:<{}}  {:<{}}  {:<{}}  {:>{}}".format(*chain(*zip(line, widths, strict=True))) for line in cells]
        rule = "-" * (sum(widths) + 6)
        end = 1 + len(self.rows)
        return "\n".join([texts[0], rule, *texts[1:end], *([rule] if self.rows else []), *texts[end:]])

    def _repr_html_(self) -> str:
        head, *lines = self._cells()
        title = "".join(f"<th>{cell}</th>" for cell in head)
        body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in line)}</tr>" for line in lines)
        return f"<div><table><thead><tr>{title}</tr></thead><tbody>{body}</tbody></table></div>"
