"""The layers that have a name: `RNN`, `GRU` and `LSTM`, which are `Recurrent` with their cell filled in.

Each says of its state what `Recurrent` cannot, which takes any cell: that it is h, or that it is (h, c).
"""

from __future__ import annotations

from typing import Literal, Unpack, get_args

from minirnn.autograd.tensor import Tensor
from minirnn.backend import Lengths
from minirnn.cells import Cell
from minirnn.cells.gru import GRUCell, GRUResetAfterCell
from minirnn.cells.lstm import LSTMCell
from minirnn.cells.lstm_variants import LSTMVariantCell
from minirnn.cells.rnn import RNNCell
from minirnn.cells.rnn_activations import ActivatedRNNCell, RampRNNCell
from minirnn.errors import InputError
from minirnn.layers.recurrent import Recurrent, RecurrentOptions

Nonlinearity = Literal["tanh", "relu", "relu6", "leaky-relu", "elu", "sigmoid", "prelu", "rrelu"]
Reset = Literal["before", "after"]


class RNN(Recurrent):
    """The simple recurrent network (Elman 1990).

    Args:
        input_size, hidden_size, num_layers: as for `Recurrent`.
        nonlinearity: "tanh", "relu", "relu6", "leaky-relu", "elu", "sigmoid", "prelu" or "rrelu".
        bidirectional, reverse, dropout, variational, recurrent_init, forget_bias, chrono, rng, dtype: as for
            `Recurrent`.

    Raises:
        InputError: the nonlinearity is unknown, or as `Recurrent`.

        >>> output, h = RNN(3, 4, rng=0)(Tensor(np.zeros((5, 2, 3), np.float32)))
        >>> output.shape, h.shape
        ((5, 2, 4), (1, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        nonlinearity: Nonlinearity = "tanh",
        **options: Unpack[RecurrentOptions],
    ):
        if nonlinearity == "tanh":
            cell: Cell = RNNCell()
        elif nonlinearity in ("prelu", "rrelu"):
            cell = RampRNNCell(nonlinearity == "prelu")
        else:
            cell = ActivatedRNNCell(nonlinearity)
        super().__init__(cell, input_size, hidden_size, num_layers, **options)
        self.nonlinearity = nonlinearity

    def forward(  # type: ignore[override]
        self, x: Tensor, state: Tensor | None = None, lengths: Lengths | None = None
    ) -> tuple[Tensor, Tensor]:
        """As `Recurrent.forward`; the state is h."""
        output, h = super().forward(x, state, lengths)
        assert isinstance(h, Tensor)
        return output, h

    def extra_repr(self) -> str:
        """The sizes, and the options that are not as by default."""
        return self._written(nonlinearity=(self.nonlinearity, "tanh"))


class GRU(Recurrent):
    """The gated recurrent unit (Cho et al. 2014).

    Args:
        input_size, hidden_size, num_layers: as for `Recurrent`.
        reset: "before" the recurrent product as in the paper, or "after" it as in cuDNN and PyTorch.
        bidirectional, reverse, dropout, variational, recurrent_init, forget_bias, chrono, rng, dtype: as for
            `Recurrent`.

    Raises:
        InputError: the reset is neither, or as `Recurrent`.

        >>> output, h = GRU(3, 4, num_layers=2, rng=0)(Tensor(np.zeros((5, 2, 3), np.float32)))
        >>> output.shape, h.shape
        ((5, 2, 4), (2, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        reset: Reset = "before",
        **options: Unpack[RecurrentOptions],
    ):
        if reset not in get_args(Reset):
            raise InputError(f"unknown reset {reset!r}: expected 'before' or 'after'")
        cell = GRUCell() if reset == "before" else GRUResetAfterCell()
        super().__init__(cell, input_size, hidden_size, num_layers, **options)
        self.reset = reset

    def forward(  # type: ignore[override]
        self, x: Tensor, state: Tensor | None = None, lengths: Lengths | None = None
    ) -> tuple[Tensor, Tensor]:
        """As `Recurrent.forward`; the state is h."""
        output, h = super().forward(x, state, lengths)
        assert isinstance(h, Tensor)
        return output, h

    def extra_repr(self) -> str:
        """The sizes, and the options that are not as by default."""
        return self._written(reset=(self.reset, "before"))


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997).

    Args:
        input_size, hidden_size, num_layers: as for `Recurrent`.
        peepholes: whether the gates see the memory (Gers & Schmidhuber 2000).
        bidirectional, reverse, dropout, variational, recurrent_init, forget_bias, chrono, rng, dtype: as for
            `Recurrent`.

    Raises:
        InputError: as `Recurrent`.

        >>> output, (h, c) = LSTM(3, 4, rng=0)(Tensor(np.zeros((5, 2, 3), np.float32)))
        >>> output.shape, h.shape, c.shape
        ((5, 2, 4), (1, 2, 4), (1, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        peepholes: bool = False,
        **options: Unpack[RecurrentOptions],
    ):
        super().__init__(LSTMVariantCell() if peepholes else LSTMCell(), input_size, hidden_size, num_layers, **options)
        self.peepholes = peepholes

    def forward(  # type: ignore[override]
        self, x: Tensor, state: tuple[Tensor, Tensor] | None = None, lengths: Lengths | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """As `Recurrent.forward`; the state is (h, c)."""
        output, (h, c) = super().forward(x, state, lengths)
        return output, (h, c)

    def extra_repr(self) -> str:
        """The sizes, and the options that are not as by default."""
        return self._written(peepholes=(self.peepholes, False))
