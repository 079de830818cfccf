"""The LSTM's variants: how many parameters they have, and agreement with onnxruntime, which shares no code with us.

Gradients and values are compared with composed twins in test_cells.py, as for every cell.
"""

import numpy as np
import pytest

from minirnn import InputError, Recurrent, Tensor
from minirnn.cells.lstm_variants import LSTMVariantCell

# By the closed formulas of the paper, for N cells and M inputs.
COUNTS = {
    "lstm-peephole": lambda n, m: 4 * (n * m + n * n + n) + 3 * n,
    "lstm-niaf": lambda n, m: 4 * (n * m + n * n + n) + 3 * n,
    "lstm-noaf": lambda n, m: 4 * (n * m + n * n + n) + 3 * n,
    "lstm": lambda n, m: 4 * (n * m + n * n + n),
    "lstm-cifg": lambda n, m: 3 * (n * m + n * n + n) + 2 * n,
    "lstm-nig": lambda n, m: 3 * (n * m + n * n + n) + 2 * n,
    "lstm-nfg": lambda n, m: 3 * (n * m + n * n + n) + 2 * n,
    "lstm-nog": lambda n, m: 3 * (n * m + n * n + n) + 2 * n,
    "lstm-fgr": lambda n, m: 4 * (n * m + n * n + n) + 3 * n + 9 * n * n,
    "lstm-full-peephole": lambda n, m: 4 * (n * m + n * n + n) + 3 * n * n,
    "lstm-coupled": lambda n, m: 3 * (n * m + n * n + n),
}


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 3), (64, 100)])
def test_parameters_are_as_many_as_the_formula_says(name, n, m):
    assert Recurrent(name, m, n, rng=0).num_parameters() == COUNTS[name](n, m)


def test_a_missing_part_is_the_vanilla_lstm_with_that_part_forced():
    """No forget gate = vanilla with a forget gate that a huge bias holds at 1, and the same for the others."""
    x = Tensor(np.random.default_rng(1).standard_normal((6, 3, 2)))
    for name, gate in (("lstm-nig", "i"), ("lstm-nfg", "f"), ("lstm-nog", "o")):
        vanilla = Recurrent("lstm-peephole", 2, 4, rng=0, dtype=np.float64)
        variant = Recurrent(name, 2, 4, rng=0, dtype=np.float64)
        at, peep = "ifgo".index(gate), "ifo".index(gate)
        vanilla.b_l0.data[4 * at : 4 * at + 4] = 1000
        for key in ("W_l0", "U_l0", "b_l0"):
            whole = getattr(vanilla, key).data
            getattr(variant, key).data = np.delete(whole, np.s_[4 * at : 4 * at + 4], axis=0)
        variant.p_l0.data = np.delete(vanilla.p_l0.data, peep, axis=0)
        np.testing.assert_allclose(variant(x)[0].data, vanilla(x)[0].data, rtol=0, atol=1e-14)


def test_options_that_do_not_go_together_are_refused():
    with pytest.raises(InputError, match="unknown gate 'g'"):
        LSTMVariantCell(without="g")
    with pytest.raises(InputError, match="unknown gate '' or peepholes 'half'"):
        LSTMVariantCell(peepholes="half")
    for options in ({"without": "f"}, {"gate_recurrence": True}):
        with pytest.raises(InputError, match="coupled gates need i and f"):
            LSTMVariantCell(coupled=True, **options)


def onnx_lstm(layer, x, lengths, states):
    """The same layer in onnxruntime: gates in the order i, o, f, g, peepholes in the order i, o, f, float32."""
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    cell, H, D = layer.cell, layer.hidden_size, layer.num_directions
    coupled = getattr(cell, "coupled", False)

    def rows(array, gates):
        blocks = dict(zip(cell.gates, array.reshape(len(cell.gates), H, *array.shape[1:]), strict=True))
        blocks.setdefault("f", np.zeros_like(blocks["i"]))  # coupled: never looked at
        return np.concatenate([blocks[gate] for gate in gates])

    def both(make):
        return np.stack([make(suffix) for suffix in ("_l0", "_l0_reverse")[:D]]).astype(np.float32)

    def biases(suffix):
        b = rows(getattr(layer, "b" + suffix).data, "iofg")
        return np.concatenate((b, np.zeros_like(b)))

    feeds = {
        "X": x,
        "W": both(lambda s: rows(getattr(layer, "W" + s).data, "iofg")),
        "R": both(lambda s: rows(getattr(layer, "U" + s).data, "iofg")),
        "B": both(biases),
        "lens": lengths.astype(np.int32),
        "h0": states[0],
        "c0": states[1],
    }
    if hasattr(layer, "p_l0"):

        def peepholes(suffix):
            p = dict(zip("io" if coupled else "ifo", getattr(layer, "p" + suffix).data, strict=True))
            return np.concatenate([p.get(gate, np.zeros(H)) for gate in "iof"])

        feeds["P"] = both(peepholes)
    helper, kinds = onnx.helper, onnx.TensorProto
    node = helper.make_node(
        "LSTM",
        ["X", "W", "R", "B", "lens", "h0", "c0", *(["P"] if "P" in feeds else [])],
        ["Y", "Y_h", "Y_c"],
        hidden_size=H,
        direction="bidirectional" if D == 2 else "forward",
        input_forget=int(coupled),
    )
    inputs = [
        helper.make_tensor_value_info(k, kinds.INT32 if k == "lens" else kinds.FLOAT, v.shape) for k, v in feeds.items()
    ]
    outputs = [helper.make_tensor_value_info(k, kinds.FLOAT, None) for k in ("Y", "Y_h", "Y_c")]
    graph = helper.make_graph([node], "lstm", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", ["lstm", "lstm-peephole", "lstm-coupled", "lstm-cifg"])
def test_onnxruntime_agrees(name, bidirectional):
    rng = np.random.default_rng(2)
    T, B, I, H, D = 7, 4, 3, 5, 1 + bidirectional
    layer = Recurrent(name, I, H, bidirectional=bidirectional, rng=rng)
    for p in layer.parameters():
        p.data = rng.normal(0, 0.7, p.shape).astype(np.float32)
    x = rng.standard_normal((T, B, I)).astype(np.float32)
    lengths = np.array([7, 5, 1, 3])
    states = tuple(rng.standard_normal((D, B, H)).astype(np.float32) for _ in range(2))
    output, (h, c) = layer(Tensor(x), tuple(Tensor(s) for s in states), lengths)
    Y, Y_h, Y_c = onnx_lstm(layer, x, lengths, states)
    theirs = Y.transpose(0, 2, 1, 3).reshape(T, B, D * H)
    np.testing.assert_allclose(output.data, theirs, rtol=0, atol=2e-6)
    np.testing.assert_allclose(h.data, Y_h, rtol=0, atol=2e-6)
    np.testing.assert_allclose(c.data, Y_c, rtol=0, atol=2e-6)
