"""Optimisers: what to do with a gradient once it is there.

Each changes the parameters in place, from `p.grad`, by the rule in its docstring (g is the gradient, η the learning
rate). A parameter without a gradient is left alone, and so is a frozen one, whose `requires_grad` is False.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from minirnn.arguments import number
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array, array_module, device_of, like, to_host
from minirnn.errors import InputError
from minirnn.keywords import explains_keywords
from minirnn.parallel import cut, in_parallel, worthwhile
from minirnn.training.clipping import clip_grad_norm, distinct

__all__ = ["OPTIMIZERS", "SGD", "Adam", "AdamW", "Optimizer", "RMSProp", "clip_grad_norm"]

Parameters = Mapping[str, Tensor] | Iterable[Tensor] | Tensor


def _require(fine: bool, message: str) -> None:
    if not fine:
        raise InputError(message)


NO_OPTIONS = {"_learning_rate", "num_steps", "slots"}
"""Attributes of an optimiser that are not printed among the options it was made with."""

PIECE = 1 << 17
"""Elements of a large parameter that are updated together."""


FEWEST_PARAMETERS = 1 << 17
"""Parameters for each square of the number of threads, below which another thread is not worth having."""


def _pieces(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Corresponding pieces of arrays of one shape. An update goes over its arrays a dozen times; on a CPU, pieces stay
    in the cache meanwhile, while whole arrays would come from memory each time. On a GPU one piece is one launch."""
    if arrays[0].size <= PIECE or device_of(arrays[0]) == "gpu" or not all(a.flags.c_contiguous for a in arrays):
        yield arrays
        return
    flat = [a.reshape(-1) for a in arrays]
    for start in range(0, len(flat[0]), PIECE):
        yield tuple(a[start : start + PIECE] for a in flat)


class Optimizer:
    """The base: parameters, learning rate, and running arrays for each parameter.

    Args:
        parameters: a list of them, or by name as `module.named_parameters()` gives them; the names appear in
            `state_dict`. One by itself counts as a list of one, and one that is there twice (a tied weight) as once.
        learning_rate: η; may be changed at any time.
        weight_decay: λ, adds λ·p to every gradient (an L2 penalty).

    The running arrays live where the parameters are: move a model to its device first.

    To add an optimiser, write a subclass here that names its running arrays in `slots` and implements `update`, and
    give it a `name` and a place in `__all__`: `--optimizer`, the exports and the tests find it by these. One that is
    written elsewhere is used like any other, and on the command line as `--optimizer FILE.py:NAME`.

    Raises:
        InputError: there is no parameter, or a number is out of its range.
        TypeError: something is not a parameter.
    """

    name: ClassVar[str] = ""
    """What the optimiser is called on the command line."""

    slots: tuple[str, ...] = ()
    decoupled: ClassVar[bool] = False
    """Whether the weight decay shrinks the parameter directly instead of adding to the gradient."""

    def __init_subclass__(cls, **options: Any) -> None:
        """A keyword of torch's, such as `lr`, is answered with what to write here."""
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = explains_keywords(cls.__init__)  # type: ignore[method-assign]

    def __init__(self, parameters: Parameters, learning_rate: float, *, weight_decay: float = 0.0):
        self.learning_rate, self.weight_decay = learning_rate, number("the weight decay", weight_decay, least=0)
        self.parameters: dict[str, Tensor] = distinct(parameters)
        _require(bool(self.parameters), "there are no parameters to train: give those of a model, model.parameters()")
        self.num_steps = 0
        self.running = {
            name: {slot: array_module(p.data).zeros_like(p.data) for slot in self.slots}
            for name, p in self.parameters.items()
        }

    @property
    def learning_rate(self) -> float:
        """η. Setting it raises InputError where it is negative or not a number."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = number("the learning rate", value, least=0)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for p in self.parameters.values():
            p.grad = None

    def step(self) -> None:
        """Change every parameter that has a gradient and is not frozen."""
        self.num_steps += 1
        trained = {name: p for name, p in self.parameters.items() if p.grad is not None and p.requires_grad}
        pieces = [
            piece
            for name, p in trained.items()
            for piece in _pieces(p.data, p.grad, *self.running[name].values())  # type: ignore[arg-type]
        ]
        threads = self._threads(sum(p.size for p in trained.values() if device_of(p.data) == "cpu"))
        in_parallel(lambda part: self._update_all(pieces[part]), cut(len(pieces), threads), threads)
        for p in trained.values():
            p.mark_changed()  # what was computed with the old values can no longer be walked back

    def _threads(self, numbers: int) -> int:
        """How many threads pay for so many numbers of parameters. One, where `update` was written elsewhere: nobody
        knows whether it changes nothing but its arguments."""
        own = type(self).update.__module__ == __name__
        return worthwhile(numbers, FEWEST_PARAMETERS) if own else 1

    def _update_all(self, pieces: Sequence[tuple[Array, ...]]) -> None:
        for p, g, *running in pieces:
            if self.weight_decay and self.decoupled:
                p *= 1 - self.learning_rate * self.weight_decay
            elif self.weight_decay:
                g = g + self.weight_decay * p
            self.update(p, g, **dict(zip(self.slots, running, strict=True)))

    def update(self, p: Array, g: Array, **running: Array) -> None:
        """Change one parameter `p`, or a piece of it, and its running arrays, all in place."""
        raise NotImplementedError(f"{type(self).__name__} does not define update")

    def __repr__(self) -> str:
        plain = {name: value for name, value in vars(self).items() if isinstance(value, (int, float, tuple))}
        options = {"learning_rate": self.learning_rate} | {k: v for k, v in plain.items() if k not in NO_OPTIONS}
        written = ", ".join(f"{name}={value!r}" for name, value in options.items())
        numbers = sum(p.size for p in self.parameters.values())
        done = f"{self.num_steps:,} step{'s' * (self.num_steps != 1)}"
        return f"{type(self).__name__}({written})  # of {numbers:,} parameters, after {done}"

    def state_dict(self) -> dict[str, np.ndarray]:
        """The running arrays, on the host, as "slot.parameter", and the number of steps taken."""
        state = {
            f"{slot}.{name}": np.array(to_host(a)) for name, slots in self.running.items() for slot, a in slots.items()
        }
        return {**state, "num_steps": np.array(self.num_steps)}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """The inverse of `state_dict`.

        Raises:
            InputError: an array is missing, has the wrong shape, or is one that this optimiser has not: the state is
                that of another optimiser or model. Nothing has been changed then.
        """
        expected = {"num_steps"}
        for name, slots in self.running.items():
            for slot, array in slots.items():
                expected.add(f"{slot}.{name}")
                fits = f"{slot}.{name}" in state and np.shape(state[f"{slot}.{name}"]) == array.shape
                _require(fits, f"the optimiser state has no {slot} of shape {array.shape} for {name}")
        unknown = sorted(set(state) - expected)
        _require(not unknown, f"the state is another optimiser's: {type(self).__name__} has no {', '.join(unknown)}")
        steps = np.asarray(state.get("num_steps", np.nan))
        counts = steps.shape == () and steps.dtype.kind in "iu" and int(steps) >= 0
        _require(counts, "the optimiser state has no num_steps that is a count")
        for name, slots in self.running.items():
            for slot, array in slots.items():
                slots[slot] = like(np.array(state[f"{slot}.{name}"], dtype=array.dtype), array)
        self.num_steps = int(steps)


class SGD(Optimizer):
    """Stochastic gradient descent: p ← p - η g, or with momentum μ: v ← μ v + g, p ← p - η v.

    >>> w = Parameter(np.array([1.0, -2.0]))
    >>> optimizer = SGD([w], learning_rate=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.numpy().tolist()
    [0.8, -1.6]
    """

    name = "sgd"

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: float,
        *,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ):
        self.momentum = number("the momentum", momentum, least=0, below=1)
        self.slots = ("velocity",) if momentum else ()
        super().__init__(parameters, learning_rate, weight_decay=weight_decay)

    def update(self, p: Array, g: Array, **running: Array) -> None:
        if self.momentum:
            v = running["velocity"]
            v *= self.momentum
            v += g
            g = v
        p -= self.learning_rate * g


class RMSProp(Optimizer):
    """Divide by a running root mean square (Tieleman & Hinton 2012): s ← α s + (1-α) g², p ← p - η g / (√s + ε)."""

    name = "rmsprop"
    slots = ("square",)

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: float = 0.01,
        *,
        alpha: float = 0.99,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        super().__init__(parameters, learning_rate, weight_decay=weight_decay)
        self.alpha, self.epsilon = number("the alpha", alpha, least=0, below=1), number("the epsilon", epsilon, least=0)

    def update(self, p: Array, g: Array, **running: Array) -> None:
        s = running["square"]
        s *= self.alpha
        s += (1 - self.alpha) * g * g
        p -= self.learning_rate * g / (array_module(p).sqrt(s) + self.epsilon)


class Adam(Optimizer):
    """Running means of the gradient and its square, corrected for their start at zero (Kingma & Ba 2015):

    m ← β₁ m + (1-β₁) g,   v ← β₂ v + (1-β₂) g²,   p ← p - η m̂ / (√v̂ + ε)   with m̂ = m / (1-β₁ᵗ), v̂ = v / (1-β₂ᵗ).

    t counts the steps of the optimiser, the same for all parameters.

        >>> w = Parameter(np.array([1.0, -2.0]))
        >>> optimizer = Adam([w], learning_rate=0.1)
        >>> for step in range(100):
        ...     optimizer.zero_grad()
        ...     (w * w).sum().backward()
        ...     optimizer.step()
        >>> bool(abs(w.numpy()).max() < 0.01)
        True
    """

    name = "adam"
    slots = ("mean", "square")

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        super().__init__(parameters, learning_rate, weight_decay=weight_decay)
        beta1, beta2 = betas
        self.betas = (
            number("the first beta", beta1, least=0, below=1),
            number("the second beta", beta2, least=0, below=1),
        )
        self.epsilon = number("the epsilon", epsilon, least=0)

    def update(self, p: Array, g: Array, **running: Array) -> None:
        m, v = running["mean"], running["square"]
        (beta1, beta2), t = self.betas, self.num_steps
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * g * g
        step_size = self.learning_rate / (1 - beta1**t)
        p -= step_size * m / (array_module(p).sqrt(v) * (1 - beta2**t) ** -0.5 + self.epsilon)


class AdamW(Adam):
    """Adam with the weight decay outside the running means (Loshchilov & Hutter 2019): p ← p - η λ p, then Adam."""

    name = "adamw"
    decoupled = True

    def __init__(
        self,
        parameters: Parameters,
        learning_rate: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ):
        super().__init__(parameters, learning_rate, betas=betas, epsilon=epsilon, weight_decay=weight_decay)


def _named(base: type[Optimizer]) -> dict[str, type[Optimizer]]:
    found = {vars(base)["name"]: base} if vars(base).get("name") else {}
    for subclass in base.__subclasses__():
        found |= _named(subclass)
    return found


OPTIMIZERS: dict[str, type[Optimizer]] = _named(Optimizer)
"""The optimisers by name."""
