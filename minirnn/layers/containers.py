"""Modules that hold modules: one after another, in a list, under names.

Parameters of what they hold are named as in torch, "0.weight" or "encoder.weight", and checkpoints, devices, and the
switch between training and evaluation reach them as those of any module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from typing import Any, Self, overload

from minirnn.autograd.tensor import Tensor
from minirnn.backend import Ids
from minirnn.errors import InputError
from minirnn.layers.module import Module


class ModuleList(Module, MutableSequence[Module]):
    """A list of modules; lists of Python's own do as well, as attributes of a module, but cannot be moved or saved by
    themselves. It can be indexed, sliced, changed, and gone over; it cannot be called.

    Args:
        modules: in their order.

    Raises:
        InputError: something is no Module.
    """

    def __init__(self, modules: Iterable[Module] = ()):
        self.layers = _modules(modules)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules by their numbers, as in torch."""
        yield from ((str(i), module) for i, module in enumerate(self.layers))

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    def __bool__(self) -> bool:
        return True  # as any module, also without layers

    @overload
    def __getitem__(self, i: int) -> Module: ...
    @overload
    def __getitem__(self, i: slice) -> Self: ...
    def __getitem__(self, i: int | slice) -> Module | Self:
        return self._of(self.layers[i]) if isinstance(i, slice) else self.layers[i]

    def __setitem__(self, i: Any, value: Any) -> None:
        self.layers[i] = _modules(value) if isinstance(i, slice) else _modules([value])[0]

    def __delitem__(self, i: int | slice) -> None:
        del self.layers[i]

    def insert(self, index: int, value: Module) -> None:
        """Put a module before the one at `index`. Raises InputError where it is none."""
        self.layers[index:index] = _modules([value])

    def _of(self, modules: Iterable[Module]) -> Self:
        """A container of the same kind with the same modules."""
        return type(self)(modules)


class Sequential(ModuleList):
    """Modules one after another, each given the Tensor that the one before it returns; and a list of them, as
    `ModuleList`. What returns more, as a recurrent layer does, belongs into a `forward` of your own.

    Args:
        modules: in their order.

    Raises:
        InputError: something is no Module.
    """

    def __init__(self, *modules: Module):
        super().__init__(modules)

    def forward(self, x: Tensor | Ids) -> Tensor:
        """Through all of them; `x` is what the first of them takes, ids where it is an `Embedding`."""
        output: Any = x
        for module in self.layers:
            output = module(output)
        return output

    def _of(self, modules: Iterable[Module]) -> Self:
        return type(self)(*modules)


class ModuleDict(Module, MutableMapping[str, Module]):
    """Modules under names. It can be indexed, changed, and gone over; it cannot be called.

    Args:
        modules: by name.

    Raises:
        InputError: something is no Module, or a name is not a string that can stand before a dot.
    """

    def __init__(self, modules: Mapping[str, Module] | None = None):
        self.layers: dict[str, Module] = {}
        self.update(modules or {})

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules by their names."""
        yield from self.layers.items()

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __bool__(self) -> bool:
        return True  # as any module, also without layers

    def __getitem__(self, key: str) -> Module:
        return self.layers[key]

    def __setitem__(self, key: str, value: Module) -> None:
        if not isinstance(key, str) or not key or "." in key:
            raise InputError(f"the name of a module must be a string without dots, not {key!r}")
        self.layers[key] = _modules([value])[0]

    def __delitem__(self, key: str) -> None:
        del self.layers[key]

    def __eq__(self, other: object) -> bool:
        return self is other  # as any module: not by what is in it

    def __hash__(self) -> int:
        return id(self)


def _modules(modules: Iterable[Module]) -> list[Module]:
    if isinstance(modules, Module) and not isinstance(modules, ModuleList):
        raise InputError(f"expected a list of modules, not one {type(modules).__name__}: write [module]")
    found = list(modules)
    for i, module in enumerate(found):
        if not isinstance(module, Module):
            how = ": write Sequential(a, b), not Sequential([a, b])" if isinstance(module, (list, tuple)) else ""
            raise InputError(f"expected modules, but number {i} is a {type(module).__name__}{how}")
    return found
