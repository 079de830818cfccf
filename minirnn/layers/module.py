"""The base of everything that has weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from minirnn.autograd.tensor import Parameter
from minirnn.backend import float_dtype, like, to_device, to_host
from minirnn.errors import InputError
from minirnn.keywords import MODULE_OF_TORCH, explains_keywords, missing
from minirnn.layers.printing import Summary, module_html, module_text

TORCH_NAME = re.compile(r"(^|\.)(weight|bias)_(ih|hh)_l\d+(_reverse)?$")
"""What torch calls the weights of its recurrent layers."""

P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class HasForward(Protocol[P, R]):
    """What can be called: to a type checker a module takes and gives what its own `forward` does."""

    def forward(self, *inputs: P.args, **options: P.kwargs) -> R:
        """Compute the module's output."""


class Module:
    """Something with parameters, made of further modules.

    Parameters and modules are found among the attributes, also inside lists, tuples and dicts, however nested; nothing
    needs registering. A subclass implements `forward`; calling the module calls it.

        >>> class Perceptron(Module):
        ...     def __init__(self):
        ...         self.layers = [Linear(4, 8, rng=0), Linear(8, 2, rng=1)]
        ...
        ...     def forward(self, x):
        ...         return self.layers[1](ops.tanh(self.layers[0](x)))
        >>> model = Perceptron()
        >>> list(model.named_parameters())
        ['layers.0.weight', 'layers.0.bias', 'layers.1.weight', 'layers.1.bias']
        >>> model.num_parameters(), model(Tensor([[1.0, 2.0, 3.0, 4.0]])).shape
        (58, (1, 2))
    """

    training: bool = True

    def __init_subclass__(cls, **options: Any) -> None:
        """A keyword of torch's that a layer does not know is answered with what to write here."""
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = explains_keywords(cls.__init__)  # type: ignore[method-assign]

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; but what is trained is not replaced by something that cannot be.

        Raises:
            TypeError: a parameter would be lost to what is neither a parameter nor None, or a module likewise.
        """
        held = vars(self).get(name)
        if isinstance(held, (Parameter, Module)) and value is not None:
            kind = Parameter if isinstance(held, Parameter) else Module
            if not isinstance(value, kind):
                how = f": for other values set {name}.data" if kind is Parameter else ""
                raise TypeError(
                    f"{name} is a {kind.__name__}, and a {type(value).__name__} in its place would not be trained{how}"
                )
        super().__setattr__(name, value)

    if not TYPE_CHECKING:  # to a type checker, any name would then be an attribute

        def __getattr__(self, name: str) -> Any:
            if name in MODULE_OF_TORCH:
                raise AttributeError(missing(self, name, MODULE_OF_TORCH[name]))
            return object.__getattribute__(self, name)  # raises, and if it was a property, then what that raised

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the module's output."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def __call__(self: HasForward[P, R], *inputs: P.args, **options: P.kwargs) -> R:  # noqa: D102
        return self.forward(*inputs, **options)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules among the attributes, each with its name: "layers.0" for the first of a list, "cells.gru" for
        that of a dict under the key "gru"."""
        yield from ((name, value) for name, value in self._attributes() if isinstance(value, Module))

    def children(self) -> Iterator[Module]:
        """The modules among the attributes."""
        yield from (child for _, child in self.named_children())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module, under the name "", and all below it under dotted names; a shared one once, under its first."""
        seen: set[int] = set()
        pending: list[tuple[str, Module]] = [("", self)]
        while pending:
            name, module = pending.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module
                inner = [(f"{name}.{key}" if name else key, child) for key, child in module.named_children()]
                pending += reversed(inner)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, a shared one once."""
        yield from (module for _, module in self.named_modules())

    def own_parameters(self) -> dict[str, Parameter]:
        """The parameters among the attributes themselves."""
        return {name: value for name, value in self._attributes() if isinstance(value, Parameter)}

    def _attributes(self) -> Iterator[tuple[str, Any]]:
        """The attributes with their names, and what is in lists, tuples and dicts as "name.0", "name.key.1", …."""
        for name, value in vars(self).items():
            yield from _items(name, value)

    def named_parameters(self) -> dict[str, Parameter]:
        """All parameters, those of children under dotted names; a shared one appears once, under its first name."""
        found = self.own_parameters()
        for name, child in self.named_children():
            found |= {f"{name}.{inner}": p for inner, p in child.named_parameters().items()}
        first_names = {id(p): name for name, p in reversed(found.items())}
        return {name: p for name, p in found.items() if first_names[id(p)] == name}

    def parameters(self) -> list[Parameter]:
        """All parameters."""
        return list(self.named_parameters().values())

    def num_parameters(self, *, frozen: bool = False) -> int:
        """How many numbers training can change: those of the parameters that require a gradient; of all parameters with
        `frozen=True`."""
        return sum(p.size for p in self.parameters() if frozen or p.requires_grad)

    def requires_grad_(self, mode: bool = True) -> Self:
        """Let all parameters be trained or, with False, freeze them: they get no gradient, and optimisers leave them as
        they are. Returns itself."""
        for p in self.parameters():
            p.requires_grad = mode
            p.grad = p.grad if mode else None
        return self

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for p in self.parameters():
            p.grad = None

    def train(self, mode: bool = True) -> Self:
        """Switch to training (dropout active) or, with False, to evaluation. Returns itself."""
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Switch to evaluation. Returns itself."""
        return self.train(False)

    def to(self, device: str) -> Self:
        """Move the parameters to "cpu" or "gpu" and forget the gradients.

        Returns itself. Raises as `backend.library` does.
        """
        for p in self.parameters():
            p.data, p.grad = to_device(p.data, device), None
        return self

    def astype(self, dtype: DTypeLike) -> Self:
        """Turn the parameters into float32 or float64 and forget the gradients.

        Returns itself. Raises InputError for another dtype.
        """
        dtype = float_dtype(dtype)
        for p in self.parameters():
            p.data, p.grad = p.data.astype(dtype), None
        return self

    def state_dict(self) -> dict[str, np.ndarray]:
        """A copy of every parameter, on the host, by name."""
        return {name: np.array(to_host(p.data)) for name, p in self.named_parameters().items()}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Set every parameter, keeping its device and dtype.

        Raises:
            InputError: a parameter is missing, unknown, or of another shape. Nothing has been changed then.
        """
        parameters = self.named_parameters()
        if set(state) != set(parameters) and self._has_names_of_torch(state):
            raise InputError("these are the names of torch's weights: write load_torch(state_dict)")
        wrong = _differences(set(state), set(parameters))
        for name, p in parameters.items():
            if name in state and np.shape(state[name]) != p.shape:
                wrong.append(f"parameter {name}: expected shape {p.shape}, found {np.shape(state[name])}")
        _refuse(wrong)
        for name, p in parameters.items():
            p.data = like(np.array(np.asarray(state[name]), dtype=p.dtype), p.data)

    def to_torch(self) -> dict[str, np.ndarray]:
        """The weights under the names and in the layout of the corresponding torch.nn modules (torch is not imported;
        turn the arrays into tensors with `torch.from_numpy`)."""
        weights = self._own_to_torch()
        for name, child in self.named_children():
            weights |= {f"{name}.{inner}": value for inner, value in child.to_torch().items()}
        return weights

    def load_torch(self, state_dict: Mapping[str, Any]) -> None:
        """Set the weights from the `state_dict()` of the corresponding torch.nn module, as arrays or CPU tensors.

        Raises:
            InputError: a weight is missing, unknown, or of another shape.
        """
        arrays = {name: np.asarray(value) for name, value in state_dict.items()}
        _refuse(_differences(set(arrays), set(self.to_torch())))
        state = self._from_torch(arrays)
        self.load_state_dict({name: state[name] for name in self.named_parameters()})

    def _has_names_of_torch(self, state: Mapping[str, Any]) -> bool:
        if any(TORCH_NAME.search(name) for name in state):
            return True
        try:
            return set(state) == set(self.to_torch())
        except InputError:  # it has no counterpart in torch
            return False

    def extra_repr(self) -> str:
        """What is printed between the brackets after the name of the module: the arguments it was made with. Where that
        is empty its own parameters are printed as lines."""
        return ""

    def shown_children(self) -> Iterator[tuple[str, Module]]:
        """The children that are printed: all, where a layer does not leave out those that its arguments tell."""
        return self.named_children()

    def __repr__(self) -> str:
        return module_text(self)

    def _repr_html_(self) -> str:
        return module_html(self)

    def summary(self) -> Summary:
        """The table of all parameters: `print(model.summary())`."""
        return Summary(self)

    def _own_to_torch(self) -> dict[str, np.ndarray]:
        return {name: np.array(to_host(p.data)) for name, p in self.own_parameters().items()}

    def _own_from_torch(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: arrays[name] for name in self.own_parameters()}

    def _from_torch(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        state = self._own_from_torch(arrays)
        for name, child in self.named_children():
            inner = {k[len(name) + 1 :]: v for k, v in arrays.items() if k.startswith(f"{name}.")}
            state |= {f"{name}.{key}": value for key, value in child._from_torch(inner).items()}
        return state


def _items(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A value under its name; of a list, tuple or dict what is in it."""
    if isinstance(value, Mapping) and not isinstance(value, Module):
        for key, item in value.items():
            yield from _items(f"{name}.{key}", item)
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from _items(f"{name}.{i}", item)
    else:
        yield name, value


MOST_NAMED = 20
"""Parameters that an error lists."""


def _differences(found: set[str], expected: set[str]) -> list[str]:
    """What is wrong with the names that were found, in words."""
    both = {"missing": sorted(expected - found), "unknown": sorted(found - expected)}
    return [f"{what} parameters: {_listed(names, ', ')}" for what, names in both.items() if names]


def _refuse(wrong: list[str]) -> None:
    if wrong:
        raise InputError(_listed(wrong, "; "))


def _listed(items: list[str], separator: str) -> str:
    more = [f"and {len(items) - MOST_NAMED} more"] if len(items) > MOST_NAMED else []
    return separator.join([*items[:MOST_NAMED], *more])
