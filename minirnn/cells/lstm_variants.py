"""The LSTM with peepholes, and with parts taken away, tied together or added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minirnn.autograd.activations import sigmoid_and_slope, tanh_and_slope
from minirnn.backend import Array, array_module
from minirnn.cells.cell import Cell, MemoryGate, State, Weights
from minirnn.errors import InputError

PEEPHOLES = ("none", "diagonal", "full")


class LSTMVariantCell(Cell):
    """The variants that "LSTM: A Search Space Odyssey" compares (Greff et al. 2017), and a few beside them, as one
    step with all that any of them has. What a variant lacks drops out of its line:

        (1)  i   = σ(a_i)   a_i = W_i x_t + U_i h_{t-1} + b_i + P_i c_{t-1} + R_i s_{t-1}
        (2)  f   = σ(a_f)   a_f = W_f x_t + U_f h_{t-1} + b_f + P_f c_{t-1} + R_f s_{t-1}     coupled: f = 1 - i
        (3)  g   = φ(a_g)   a_g = W_g x_t + U_g h_{t-1} + b_g                                 φ = tanh or the identity
        (4)  c_t = f * c_{t-1} + i * g
        (5)  o   = σ(a_o)   a_o = W_o x_t + U_o h_{t-1} + b_o + P_o c_t + R_o s_{t-1}
        (6)  h_t = o * ψ(c_t)                                                                 ψ = tanh or the identity

    where s_t = (i, f, o) are the gates of step t below one another. Peepholes (Gers & Schmidhuber 2000) let the gates
    see the memory c; each P is diagonal (a weight per unit, so that P c is p * c) or full. With M inputs, H units and
    n = M + H + 1:

        name                 what it is                                                         parameters
        lstm-peephole        an LSTM whose gates see the memory: the paper's vanilla LSTM       4Hn + 3H
        lstm-nig             a peephole LSTM without input gate: i = 1                          3Hn + 2H
        lstm-nfg             a peephole LSTM without forget gate: f = 1                         3Hn + 2H
        lstm-nog             a peephole LSTM without output gate: o = 1                         3Hn + 2H
        lstm-niaf            a peephole LSTM without input activation: g = a_g                  4Hn + 3H
        lstm-noaf            a peephole LSTM without output activation: h = o * c               4Hn + 3H
        lstm-cifg            a peephole LSTM with coupled input and forget gate: f = 1 - i      3Hn + 2H
        lstm-fgr             a peephole LSTM whose gates see those of the step before, too      4Hn + 3H + 9H²
        lstm-full-peephole   an LSTM whose gates see the memory of every unit                   4Hn + 3H²
        lstm-coupled         an LSTM with coupled input and forget gate, without peepholes      3Hn

    (The paper's NP, without peepholes, is "lstm", with 4Hn.) A constant gate and a coupled one have no rows in W, U, b.

    The way back from dh = dL/dh_t, and from dc_from_future and ds_from_future = (di, df, do)_from_future, which step
    t+1 handed back, is the chain rule from the last line to the first:

        (7)   do = dh * ψ(c) + do_from_future                       da_o = do * o * (1-o)
        (8)   dc = dc_from_future + dh * o * ψ'(c) + P_oᵀ da_o
        (9)   df = dc * c_{t-1} + df_from_future                    da_f = df * f * (1-f)
        (10)  di = dc * g + di_from_future   [coupled: - df]        da_i = di * i * (1-i)
        (11)  dg = dc * i                                           da_g = dg * φ'(a_g)
        (12)  dc_{t-1} = dc * f + P_iᵀ da_i + P_fᵀ da_f
        (13)  dh_{t-1} = Uᵀ da            ds_{t-1} = Rᵀ (da_i, da_f, da_o)
        (14)  dU = Σ_t da h_{t-1}ᵀ        dR = Σ_t (da_i, da_f, da_o) s_{t-1}ᵀ
        (15)  dP_i = Σ_t da_i c_{t-1}ᵀ    dP_f = Σ_t da_f c_{t-1}ᵀ    dP_o = Σ_t da_o c_tᵀ    (diagonal: * instead of ᵀ)

    Columns: gates, c, h and their gradients (H, B). W (rows, I), U (rows, H) and b (rows,), in the order i, f, g, o of
    the gates that are there; p (2 or 3, H) or (3, H, H) in the order i, f, o; R (3H, 3H). With gate recurrence the
    state is (h, c, i, f, o), else (h, c).

    Args:
        without: a gate that is the constant 1: "i", "f", "o", or "" for none.
        coupled: whether f is 1 - i.
        input_activation, output_activation: whether φ and ψ are tanh.
        peepholes: "none", "diagonal" or "full".
        gate_recurrence: whether the gates see those of the step before.

    Raises:
        InputError: an argument is unknown, or arguments do not go together.
    """

    variants = {
        "lstm-peephole": {},
        "lstm-nig": {"without": "i"},
        "lstm-nfg": {"without": "f"},
        "lstm-nog": {"without": "o"},
        "lstm-niaf": {"input_activation": False},
        "lstm-noaf": {"output_activation": False},
        "lstm-cifg": {"coupled": True},
        "lstm-fgr": {"gate_recurrence": True},
        "lstm-full-peephole": {"peepholes": "full"},
        "lstm-coupled": {"coupled": True, "peepholes": "none"},
    }

    def __init__(
        self,
        *,
        without: str = "",
        coupled: bool = False,
        input_activation: bool = True,
        output_activation: bool = True,
        peepholes: str = "diagonal",
        gate_recurrence: bool = False,
    ):
        if without not in ("", "i", "f", "o") or peepholes not in PEEPHOLES:
            raise InputError(
                f"unknown gate {without!r} or peepholes {peepholes!r}: expected 'i', 'f', 'o' or '', "
                f"and one of {', '.join(PEEPHOLES)}"
            )
        if (coupled and without in ("i", "f")) or (gate_recurrence and (coupled or without)):
            raise InputError("coupled gates need i and f, and gate recurrence needs i, f and o")
        self.gates = "".join(gate for gate in "ifgo" if gate != without and not (coupled and gate == "f"))
        self.num_states = 5 if gate_recurrence else 2
        if coupled:
            self.memory_gate = MemoryGate("i", sign=-1)  # (2): f = 1 - i, so that i = 0 keeps c
        elif without != "f":
            self.memory_gate = MemoryGate("f", sign=1, input_gate="" if without == "i" else "i")
        self.coupled, self.gate_recurrence, self.peepholes = coupled, gate_recurrence, peepholes
        self.input_activation, self.output_activation = input_activation, output_activation
        self.peeping = "" if peepholes == "none" else self.gates.replace("g", "")

    def weight_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        shapes = super().weight_shapes(input_size, hidden_size)
        if self.peeping:
            one = (hidden_size, hidden_size) if self.peepholes == "full" else (hidden_size,)
            shapes["p"] = (len(self.peeping), *one)
        if self.gate_recurrence:
            shapes["R"] = (3 * hidden_size, 3 * hidden_size)
        return shapes

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        h_prev, c_prev, *s_prev = state
        xp = array_module(wx)
        a_of = self._by_gate(wx + w.U @ h_prev)  # for each gate, as yet without P and R
        if self.gate_recurrence:
            rs = w.R @ xp.concatenate(s_prev)
            a_of |= {gate: a_of[gate] + part for gate, part in zip("ifo", rs.reshape(3, *h_prev.shape), strict=True)}
        i, i_slope = sigmoid_and_slope(a_of["i"] + self._peep(w, "i", c_prev)) if "i" in a_of else (1.0, 0.0)  # (1)
        f, f_slope = sigmoid_and_slope(a_of["f"] + self._peep(w, "f", c_prev)) if "f" in a_of else (1.0, 0.0)  # (2)
        if self.coupled:
            f = 1 - i  # (2)
        g, g_slope = tanh_and_slope(a_of["g"]) if self.input_activation else (a_of["g"], 1.0)  # (3)
        c = f * c_prev + i * g  # (4)
        o, o_slope = sigmoid_and_slope(a_of["o"] + self._peep(w, "o", c)) if "o" in a_of else (1.0, 0.0)  # (5)
        psi, psi_slope = tanh_and_slope(c) if self.output_activation else (c, 1.0)
        h = o * psi  # (6)
        s = (i, f, o) if self.gate_recurrence else ()
        slopes = (i_slope, f_slope, g_slope, o_slope, psi_slope)  # i * (1-i), f * (1-f), φ'(a_g), o * (1-o), ψ'(c)
        return (h, c, *s), (slopes, i, f, g, o, psi, c_prev, c, s_prev)

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        slopes, i, f, g, o, psi, c_prev, _, _ = kept
        i_slope, f_slope, g_slope, o_slope, psi_slope = slopes
        dh, dc_from_future, *ds_from_future = dstate
        di_from_future, df_from_future, do_from_future = ds_from_future or (0.0, 0.0, 0.0)
        da_of = {}  # for each gate
        da_of["o"] = (dh * psi + do_from_future) * o_slope  # (7)
        dc = dc_from_future + dh * o * psi_slope + self._peep_back(w, "o", da_of["o"])  # (8)
        df = dc * c_prev + df_from_future  # (9)
        di = dc * g + di_from_future  # (10)
        if self.coupled:
            di = di - df  # (10)
        da_of["f"] = df * f_slope  # (9)
        da_of["i"] = di * i_slope  # (10)
        da_of["g"] = dc * i * g_slope  # (11)
        dc_prev = dc * f + self._peep_back(w, "i", da_of["i"]) + self._peep_back(w, "f", da_of["f"])  # (12)
        xp = array_module(dh)
        xp.concatenate([da_of[gate] for gate in self.gates], out=da)
        dh_prev = w.U.T @ da  # (13)
        if not self.gate_recurrence:
            return dh_prev, dc_prev
        ds_prev = w.R.T @ xp.concatenate([da_of[gate] for gate in "ifo"])  # (13)
        return dh_prev, dc_prev, *ds_prev.reshape(3, *dh.shape)

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        gradients = {"U": da @ h_prev}  # (14)
        xp, by_gate = array_module(da), self._by_gate(da)  # each (H, T·B)
        if self.peeping:
            c_prev = xp.concatenate([step[-3] for step in kept], axis=1)  # (H, T·B)
            c = xp.concatenate([step[-2] for step in kept], axis=1)
            seen = {"i": c_prev, "f": c_prev, "o": c}
            full = self.peepholes == "full"
            products = [(by_gate[k] @ seen[k].T if full else (by_gate[k] * seen[k]).sum(axis=1)) for k in self.peeping]
            gradients["p"] = xp.stack(products)  # (15)
        if self.gate_recurrence:
            s_prev = xp.concatenate([xp.concatenate(step[-1]) for step in kept], axis=1)  # (3H, T·B)
            gradients["R"] = xp.concatenate([by_gate[gate] for gate in "ifo"]) @ s_prev.T  # (14)
        return gradients

    def _by_gate(self, rows: Array) -> dict[str, Array]:
        """The block of H rows of each gate. (A length of -1 for H would not do: an empty batch leaves it open.)"""
        blocks = rows.reshape(len(self.gates), len(rows) // len(self.gates), rows.shape[1])
        return dict(zip(self.gates, blocks, strict=True))

    def _peep(self, w: Weights, gate: str, c: Array) -> Any:
        """P c for a gate; 0 for one without a peephole."""
        if gate not in self.peeping:
            return 0.0
        p = w.p[self.peeping.index(gate)]
        return p @ c if self.peepholes == "full" else p[:, None] * c

    def _peep_back(self, w: Weights, gate: str, da: Array) -> Any:
        """Pᵀ da for a gate; 0 for one without a peephole."""
        if gate not in self.peeping:
            return 0.0
        p = w.p[self.peeping.index(gate)]
        return p.T @ da if self.peepholes == "full" else p[:, None] * da
