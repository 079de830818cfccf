"""Every cell a second time: composed from autograd operations, in rows, straight from the papers' equations.

`unroll_reference` is written independently of `cells/`: it shares no code with it, walks each sequence on its own
terms and leaves all gradients to the autograd core.
"""

from functools import partial

from minirnn import Tensor, ops


def rnn(x, h, w, phi=ops.tanh):
    (h,) = h
    return (phi(x @ w["W"].T + h @ w["U"].T + w["b"]),)


def rnn_relu(x, h, w):
    return rnn(x, h, w, ops.relu)


def ramp(a, p):
    return ops.relu(a) - ops.relu(-a) * p


def layer_norm(v):
    """Over the last axis."""
    centred = v - ops.mean(v, axis=-1, keepdims=True)
    return centred / ops.sqrt(ops.mean(centred * centred, axis=-1, keepdims=True) + 1e-5)


def lstm_layer_norm(x, state, w):
    h, c = state
    a = layer_norm(x @ w["W"].T) * w["gain_w"] + layer_norm(h @ w["U"].T) * w["gain_u"] + w["b"]
    a_i, a_f, a_g, a_o = ops.split(a, 4, axis=1)
    c = ops.sigmoid(a_f) * c + ops.sigmoid(a_i) * ops.tanh(a_g)
    return ops.sigmoid(a_o) * ops.tanh(layer_norm(c) * w["gain_c"] + w["b_c"]), c


def gru_layer_norm(x, state, w):
    (h,) = state
    H = h.shape[1]
    rz, n = slice(None, 2 * H), slice(2 * H, None)
    a_rz = layer_norm(x @ w["W"][rz].T) * w["gain_w"][rz] + layer_norm(h @ w["U"][rz].T) * w["gain_u"][rz] + w["b"][rz]
    r, z = ops.split(ops.sigmoid(a_rz), 2, axis=1)
    q = layer_norm(h @ w["U"][n].T) * w["gain_u"][n] + w["b_u"]
    candidate = ops.tanh(layer_norm(x @ w["W"][n].T) * w["gain_w"][n] + w["b"][n] + r * q)
    return (z * h + (1 - z) * candidate,)


def lstm(x, state, w):
    h, c = state
    a_i, a_f, a_g, a_o = ops.split(x @ w["W"].T + h @ w["U"].T + w["b"], 4, axis=1)
    if "p" in w:
        a_i, a_f = a_i + w["p"][0] * c, a_f + w["p"][1] * c
    c = ops.sigmoid(a_f) * c + ops.sigmoid(a_i) * ops.tanh(a_g)
    if "p" in w:
        a_o = a_o + w["p"][2] * c
    return ops.sigmoid(a_o) * ops.tanh(c), c


def lstm_variant(
    x,
    state,
    w,
    gates="ifgo",
    coupled=False,
    phi=ops.tanh,
    psi=ops.tanh,
    peep=lambda p, c: p * c,
    peeping="ifo",
):
    """The variants of the LSTM: each gate by itself, with its own slices of the weights, in rows."""
    h, c, *gates_before = state
    H = h.shape[1]

    def a(gate, memory=None):
        at = gates.index(gate) * H
        rows = slice(at, at + H)
        total = x @ w["W"][rows].T + h @ w["U"][rows].T + w["b"][rows]
        if memory is not None and gate in peeping:
            total = total + peep(w["p"][peeping.index(gate)], memory)
        if gate != "g" and "R" in w:
            block = "ifo".index(gate) * H
            for k, before in enumerate(gates_before):
                total = total + before @ w["R"][block : block + H, k * H : (k + 1) * H].T
        return total

    one = Tensor(h.data * 0 + 1)
    i = ops.sigmoid(a("i", c)) if "i" in gates else one
    f = 1 - i if coupled else ops.sigmoid(a("f", c)) if "f" in gates else one
    c = f * c + i * phi(a("g"))
    o = ops.sigmoid(a("o", c)) if "o" in gates else one
    return (o * psi(c), c, *((i, f, o) if "R" in w else ()))


def _gru_gates(x, h, w):
    """r and z, and the candidate's part of each weight."""
    W_r, W_z, W_n = ops.split(w["W"], 3)
    U_r, U_z, U_n = ops.split(w["U"], 3)
    b_r, b_z, b_n = ops.split(w["b"], 3)
    r = ops.sigmoid(x @ W_r.T + h @ U_r.T + b_r)
    z = ops.sigmoid(x @ W_z.T + h @ U_z.T + b_z)
    return r, z, W_n, U_n, b_n


def gru(x, h, w):
    (h,) = h
    r, z, W_n, U_n, b_n = _gru_gates(x, h, w)
    n = ops.tanh(x @ W_n.T + (r * h) @ U_n.T + b_n)
    return (z * h + (1 - z) * n,)


def gru_after(x, h, w):
    (h,) = h
    r, z, W_n, U_n, b_n = _gru_gates(x, h, w)
    n = ops.tanh(x @ W_n.T + b_n + r * (h @ U_n.T + w["b_u"]))
    return (z * h + (1 - z) * n,)


STEPS = {
    "rnn": rnn,
    "rnn-relu": rnn_relu,
    "rnn-sigmoid": partial(rnn, phi=ops.sigmoid),
    "rnn-relu6": partial(rnn, phi=lambda a: ops.relu(a) - ops.relu(a - 6)),
    "rnn-leaky-relu": partial(rnn, phi=lambda a: ramp(a, 0.01)),
    "rnn-elu": partial(rnn, phi=lambda a: ops.where(a.data > 0, a, ops.exp(a) - 1)),
    "rnn-prelu": lambda x, h, w: rnn(x, h, w, lambda a: ramp(a, w["slope"])),
    "rnn-rrelu": partial(rnn, phi=lambda a: ramp(a, (1 / 8 + 1 / 3) / 2)),
    "lstm-layer-norm": lstm_layer_norm,
    "gru-layer-norm": gru_layer_norm,
    "lstm": lstm,
    "lstm-peephole": lstm,
    "lstm-nig": partial(lstm_variant, gates="fgo", peeping="fo"),
    "lstm-nfg": partial(lstm_variant, gates="igo", peeping="io"),
    "lstm-nog": partial(lstm_variant, gates="ifg", peeping="if"),
    "lstm-niaf": partial(lstm_variant, phi=lambda a: a),
    "lstm-noaf": partial(lstm_variant, psi=lambda c: c),
    "lstm-cifg": partial(lstm_variant, gates="igo", coupled=True, peeping="io"),
    "lstm-fgr": lstm_variant,
    "lstm-full-peephole": partial(lstm_variant, peep=lambda p, c: c @ p.T),
    "lstm-coupled": partial(lstm_variant, gates="igo", coupled=True, peeping=""),
    "gru": gru,
    "gru-after": gru_after,
}


def unroll_reference(name, x, weights, state, lengths=None, reverse=False):
    """Each sequence of the batch by itself, cut to its length: nothing to mask, and so nothing to mask wrongly."""
    T, B, _ = x.shape
    lengths = [T] * B if lengths is None else list(lengths)
    outputs, finals = [], []
    for b, length in enumerate(lengths):
        s = tuple(array[b : b + 1] for array in state)
        H = state[0].shape[1]
        rows = {}
        for t in reversed(range(length)) if reverse else range(length):
            s = STEPS[name](x[t, b : b + 1], s, weights)
            rows[t] = s[0]
        padding = Tensor(x.data[0, :1, :1].repeat(H, axis=1) * 0)
        outputs.append(ops.stack([rows.get(t, padding) for t in range(T)]))
        finals.append(s)
    output = ops.concatenate(outputs, axis=1)
    return output, tuple(ops.concatenate(arrays) for arrays in zip(*finals, strict=True))
