"""Recurrent layers: one cell unrolled along time, stacked, and run in one or both directions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypedDict, TypeVar, get_args

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer
from minirnn.autograd import functional, ops
from minirnn.autograd.tensor import Parameter, Tensor
from minirnn.backend import Lengths, array_module, to_host
from minirnn.cells import Cell, make_cell
from minirnn.errors import InputError
from minirnn.fast import Stepper, layers_pay, unroll_layers, unroll_together
from minirnn.layers.basic import Dropout, constant, orthogonal, uniform
from minirnn.layers.first_memory import check_first_memory, set_first_memory
from minirnn.layers.module import Module
from minirnn.layers.printing import arguments

RecurrentInit = Literal["uniform", "orthogonal"]
RECURRENT_INITS: tuple[RecurrentInit, ...] = get_args(RecurrentInit)

State = Tensor | tuple[Tensor, ...]
"""h, or (h, c) and whatever else a cell carries from step to step."""
AnyState = TypeVar("AnyState", bound=State | None)


class RecurrentOptions(TypedDict, total=False):
    """The keywords of `Recurrent`, for the signatures of layers that hand them on: `**options: Unpack[…]`."""

    bidirectional: bool
    reverse: bool
    dropout: float
    variational: bool
    recurrent_init: RecurrentInit
    forget_bias: float | None
    chrono: int | None
    rng: int | np.random.Generator | None
    dtype: DTypeLike


class Recurrent(Module):
    """Any cell as a layer; `RNN`, `GRU` and `LSTM` are this with their cell filled in.

    Layer l reads the output of layer l-1. With two directions (Schuster & Paliwal 1997) a layer is two cells, one
    reading from the left and one from the right, and its output is both outputs side by side.

    Args:
        cell: a cell, or the name of one (`minirnn.CELL_NAMES`).
        input_size: I, the features of an input step.
        hidden_size: H, the features of the state.
        num_layers: how many layers are stacked.
        bidirectional: whether each layer also runs from right to left.
        reverse: whether the one direction is from right to left: each sequence is read from its last real step to its
            first (Sutskever, Vinyals & Le 2014, for sources of translation). Outputs stay at the step they belong to.
        dropout: the probability with which, in training, each element of the output of every layer but the last is
            zeroed (Zaremba, Sutskever & Vinyals 2014).
        variational: whether that dropout has one mask for all steps of a sequence (Gal & Ghahramani 2016).
        recurrent_init: the first U: "uniform" as all weights, or "orthogonal" (Saxe, McClelland & Ganguli 2014).
        forget_bias: the first bias b of the gate that keeps the memory, so that it begins at σ(b): an LSTM's f, a GRU's
            z; of coupled gates -b for i, as f = 1-i. 1 or more lets the memory last from the beginning (Gers,
            Schmidhuber & Cummins 2000; Jozefowicz, Zaremba & Sutskever 2015). None: as all weights.
        chrono: T, the longest time in steps that shall be remembered, at least 3: instead of one bias for all units,
            b_f = log u with u drawn for each from U(1, T-1), and b_i = -b_f (Tallec & Ollivier 2018; for a GRU and for
            coupled gates see `first_memory.py`). All other weights are those without it. None: as all weights.
        rng: a generator or seed, for the initial weights (uniform in ±1/√H, as in torch.nn) and the dropout.
        dtype: float32 or float64.

    The weights are attributes named after the cell's own, the layer and the direction: `W_l0`, `U_l0`, `b_l0`,
    `W_l0_reverse`, ….

    Raises:
        InputError: the cell or an option is unknown, a size or the dtype is out of its range, options do not go
            together, or forget_bias or chrono is given for a cell without a gate that keeps its memory.

        >>> layer = Recurrent("rnn-relu", 3, 4, bidirectional=True, rng=0)
        >>> x = Tensor(np.zeros((5, 2, 3), np.float32))  # 5 steps of 2 sequences with 3 features
        >>> output, h = layer(x, lengths=[5, 3])
        >>> output.shape, h.shape
        ((5, 2, 8), (2, 2, 4))
    """

    def __init__(
        self,
        cell: str | Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bidirectional: bool = False,
        reverse: bool = False,
        dropout: float = 0.0,
        variational: bool = False,
        recurrent_init: RecurrentInit = "uniform",
        forget_bias: float | None = None,
        chrono: int | None = None,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        if bidirectional and reverse:
            raise InputError("a bidirectional layer reads in both directions already: leave out reverse")
        self.input_size, self.num_layers = integer("input_size", input_size), integer("num_layers", num_layers)
        self.hidden_size = hidden_size = integer("hidden_size", hidden_size)
        rng = backend.generator(rng)
        self.cell = make_cell(cell)
        self.cell_name = cell if isinstance(cell, str) else type(cell).__name__
        self.num_directions, self.reverse = 2 if bidirectional else 1, reverse
        self.dropout = Dropout(dropout, variational=variational, rng=rng)
        if recurrent_init not in RECURRENT_INITS:
            raise InputError(f"unknown recurrent_init {recurrent_init!r}: expected one of {', '.join(RECURRENT_INITS)}")
        forget_bias, chrono = check_first_memory(self.cell, forget_bias, chrono)
        # Drawn from a stream of their own, so that they shift no other weight of the same seed.
        of_memory = rng if chrono is None else rng.spawn(1)[0]
        for layer, suffix in self._suffixes():
            size = self.input_size if layer == 0 else hidden_size * self.num_directions
            for name, shape in self.cell.weight_shapes(size, hidden_size).items():
                if name in self.cell.initial_values:
                    weight = constant(self.cell.initial_values[name], shape, dtype)
                elif name == "U" and recurrent_init == "orthogonal":
                    weight = orthogonal(rng, (shape[0], shape[1]), dtype)
                else:
                    weight = uniform(rng, hidden_size**-0.5, shape, dtype)
                setattr(self, name + suffix, weight)
            set_first_memory(getattr(self, "b" + suffix).data, self.cell, forget_bias, chrono, of_memory)

    def forward(self, x: Tensor, state: State | None = None, lengths: Lengths | None = None) -> tuple[Tensor, State]:
        """Run over a batch of sequences.

        Args:
            x: (time, batch, input_size).
            state: the initial state: h, or (h, c) for the LSTM, each (num_layers · num_directions, batch,
                hidden_size); zero if None. To carry a state from one stretch of a long sequence to the next without
                following its gradient (truncated BPTT), pass `detach(state)`.
            lengths: (batch,) host integers; steps at and beyond a sequence's length are padding, which changes nothing.

        Returns:
            The output of the last layer (time, batch, num_directions · hidden_size), 0 on padding, and the final
            state, in the form of the initial one.

        Raises:
            InputError: a shape or length does not fit.
            TypeError: x or the state is not made of Tensors, or its dtype is not that of the weights.
        """
        initial = self._states_by_cell(x, state)
        self._set_drawing()
        in_one = self.num_directions == 1 and not self.reverse and not (self.training and self.dropout.p)
        if in_one and layers_pay(self.cell, x, self.num_layers, self.hidden_size):
            layers = [(self.weights_of(suffix), next(initial)) for _, suffix in self._suffixes()]
            x, final = unroll_layers(self.cell, x, layers, lengths)
        else:
            x, final = self._one_after_the_other(x, initial, lengths)
        stacked = tuple(ops.stack(arrays) for arrays in zip(*final, strict=True))
        return x, stacked if self.cell.num_states > 1 else stacked[0]

    def _one_after_the_other(
        self, x: Tensor, initial: Iterator[tuple[Tensor, ...]], lengths: Lengths | None
    ) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
        """The output of the last layer, and the final state of each layer and direction."""
        final: list[tuple[Tensor, ...]] = []
        for layer in range(self.num_layers):
            if layer > 0:
                x = self.dropout(x)
            walks = []
            for direction in range(self.num_directions):
                weights, from_right = self.weights_of(_suffix(layer, direction)), self.reverse or direction == 1
                walks.append((self.cell, x, weights, next(initial), lengths, from_right))
            outputs, states_after = zip(*unroll_together(walks), strict=True)
            final += states_after
            x = outputs[0] if len(outputs) == 1 else ops.concatenate(outputs, axis=-1)
        return x, final

    def extra_repr(self) -> str:
        """The cell, the sizes, and the options that are not as by default."""
        return f"{self.cell_name!r}, {self._written()}"

    def _written(self, **own: tuple[Any, Any]) -> str:
        """The sizes and options of every recurrent layer, and those of one kind."""
        options = {
            "num_layers": (self.num_layers, 1),
            "bidirectional": (self.bidirectional, False),
            "reverse": (self.reverse, False),
            "dropout": (self.dropout.p, 0.0),
            "variational": (self.dropout.variational, False),
        }
        return arguments(self.input_size, self.hidden_size, **options, **own)

    def shown_children(self) -> Iterator[tuple[str, Module]]:
        """None: the dropout is among the options."""
        return iter(())

    @property
    def bidirectional(self) -> bool:
        """Whether each layer reads in both directions."""
        return self.num_directions == 2

    def stepper(self, x: Tensor, state: State | None) -> RecurrentStepper:
        """The layer as something to be walked step by step, for inputs that depend on the output before.

        Args:
            x: any input of the sequence (time, batch, …), which tells the batch size, dtype and device.
            state: the initial state, as for `forward`.
        """
        self._set_drawing()
        return RecurrentStepper(self, list(self._states_by_cell(x, state)))

    def _set_drawing(self) -> None:
        """Tell a cell that draws random numbers whether this is training, and what to draw from."""
        if self.cell.draws:
            self.cell.rng = self.dropout.rng if self.training else None

    def _suffixes(self) -> Iterator[tuple[int, str]]:
        for layer in range(self.num_layers):
            for direction in range(self.num_directions):
                yield layer, _suffix(layer, direction)

    def weights_of(self, suffix: str) -> dict[str, Parameter]:
        """The weights of one layer and direction by the cell's names; the suffix is `_l0`, `_l0_reverse`, `_l1`, …."""
        return {name: getattr(self, name + suffix) for name in self.cell.weight_shapes(1, 1)}

    def _states_by_cell(self, x: Tensor, state: State | None) -> Iterator[tuple[Tensor, ...]]:
        """The initial state of each layer and direction, in order: from (h, c) of all cells to (h, c) of each."""
        functional.require_tensor(x)
        if x.ndim != 3:
            raise InputError(f"expected an input of shape (time, batch, features), not {x.shape}")
        expected = (self.num_layers * self.num_directions, x.shape[1], self.hidden_size)
        if state is None:
            zero = Tensor(array_module(x.data).zeros(expected[1:], dtype=x.dtype))
            return iter([(zero,) * self.cell.num_states] * expected[0])
        arrays = tuple(state) if isinstance(state, (tuple, list)) else (state,)
        functional.require_tensor(*arrays)
        if len(arrays) != self.cell.num_states or any(s.shape != expected for s in arrays):
            raise InputError(
                f"the state must be {self.cell.num_states} tensor(s) of shape {expected}, "
                f"not {len(arrays)} of {[s.shape for s in arrays]}"
            )
        return zip(*(ops.unstack(s) for s in arrays), strict=True)

    def _own_to_torch(self) -> dict[str, np.ndarray]:
        self._require_torch_twin()
        result: dict[str, np.ndarray] = {}
        for _, suffix in self._suffixes():
            weights = {name: np.array(to_host(p.data)) for name, p in self.weights_of(suffix).items()}
            result |= {name + suffix: value for name, value in self.cell.weights_to_torch(weights).items()}
        return result

    def _own_from_torch(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self._require_torch_twin()
        state: dict[str, np.ndarray] = {}
        for _, suffix in self._suffixes():
            theirs = {k: arrays[k + suffix] for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
            state |= {name + suffix: value for name, value in self.cell.weights_from_torch(theirs).items()}
        return state

    def _require_torch_twin(self) -> None:
        if not self.cell.in_torch:
            raise InputError(
                f"torch.nn has no {type(self.cell).__name__} with these options, so weights cannot be exchanged "
                "(its GRU resets after the product, its LSTM has no peepholes)"
            )


class RecurrentStepper:
    """A `Recurrent` layer on its way through time, one step with each call; made by `Recurrent.stepper`."""

    def __init__(self, layer: Recurrent, states: list[tuple[Tensor, ...]]):
        if layer.num_directions > 1 or layer.reverse:
            raise InputError("only a layer that reads from left to right can be walked step by step")
        self.states = states
        self.dropouts = [layer.dropout.for_steps() for _ in range(layer.num_layers)]
        self.cells = [Stepper(layer.cell, layer.weights_of(suffix)) for _, suffix in layer._suffixes()]

    def __call__(self, x: Tensor) -> Tensor:
        """The input of a step (B, I) to the output of the last layer (B, H)."""
        for i, cell in enumerate(self.cells):
            if i > 0:
                x = self.dropouts[i](x)
            self.states[i] = cell(x, self.states[i])
            x = self.states[i][0]
        return x

    @property
    def output(self) -> Tensor:
        """The output of the last layer after the latest step: (B, H)."""
        return self.states[-1][0]

    def state(self) -> State:
        """The state of all layers, in the form that `Recurrent.forward` takes."""
        stacked = tuple(ops.stack(arrays) for arrays in zip(*self.states, strict=True))
        return stacked if len(stacked) > 1 else stacked[0]


def _suffix(layer: int, direction: int) -> str:
    return f"_l{layer}" + ("_reverse" if direction else "")


def detach(state: AnyState) -> AnyState:
    """A state cut off from how it was computed, where truncated BPTT stops (Williams & Peng 1990). None, the state
    before the first stretch, stays None.

    Where it is forgotten, the walk back goes on into the stretch before, whose weights an optimiser has changed since:
    `backward` then raises `StaleGraphError`.

    Raises:
        TypeError: it is not made of Tensors.

        >>> lstm, state = LSTM(3, 4, rng=0), None
        >>> for stretch in np.zeros((6, 5, 2, 3), np.float32):  # a long sequence, 5 steps at a time
        ...     output, state = lstm(Tensor(stretch), detach(state))
        ...     output.sum().backward()
    """
    if state is None:
        return state
    arrays: Any = state if isinstance(state, (tuple, list)) else (state,)
    functional.require_tensor(*arrays)
    cut: Any = state.detach() if isinstance(state, Tensor) else tuple(s.detach() for s in arrays)
    return cut
