"""What the pages show is what the engine computes."""

from types import SimpleNamespace

import numpy as np
import pytest

from minirnn import CELL_NAMES, InputError, Recurrent, Tensor, detach
from minirnn.autograd import ops
from minirnn.autograd.attention import dot_scores, weighted_sum
from minirnn.autograd.losses import cross_entropy, softmax
from minirnn.pages.stepping.lessons import MOST_LETTERS, MOST_UNITS, attention, recurrent
from minirnn.pages.stepping.recurrent_lesson import contributions, reach


def engine_gradients(lesson, stretch=None):
    """L and the gradients of the lesson's numbers, from the layer and the tape; in stretches of some steps the state is
    detached between them."""
    given = lesson.numbers
    layer = Recurrent(lesson.objects["cell"], given["x"].shape[2], given["state"][0].shape[1], dtype=np.float64)
    layer.eval()  # a page shows nothing that is drawn
    weights = layer.weights_of("_l0")
    for name, parameter in weights.items():
        parameter.data = vars(given["w"])[name].copy()
    V, b_V = (Tensor(vars(given["out"])[name], requires_grad=True) for name in ("V", "b_V"))
    x = Tensor(given["x"], requires_grad=True)
    first = [Tensor(array[None], requires_grad=True) for array in given["state"]]
    state = first[0] if len(first) == 1 else tuple(first)
    T, total = len(given["x"]), None
    for start in range(0, T, stretch or T):
        if start:
            state = detach(state)
        y, state = layer(x[start : start + (stretch or T)], state)
        targets = given["y"][start : start + (stretch or T)].argmax(axis=2).reshape(-1)
        scores = ops.reshape(y, (-1, y.shape[2])) @ ops.transpose(V) + b_V
        loss = cross_entropy(scores, targets) * len(targets)
        total = loss if total is None else total + loss
    total.backward()
    found = {name: parameter.grad for name, parameter in weights.items()}
    return total.item(), found | {"V": V.grad, "b_V": b_V.grad, "x": x.grad, "state": [s.grad[0] for s in first]}


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_the_lesson_gives_the_gradients_of_the_engine(cell):
    lesson = recurrent(cell, "minirnn", 3, seed=1)
    result, _, _ = lesson.run()
    loss, gradients = engine_gradients(lesson)
    assert result["L"] == pytest.approx(loss, rel=1e-12)
    assert result["gradients"].keys() == gradients.keys()
    for name, expected in gradients.items():
        np.testing.assert_allclose(result["gradients"][name], expected, rtol=1e-9, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("cell", ["rnn", "gru", "gru-after", "lstm", "lstm-peephole", "lstm-fgr", "gru-layer-norm"])
def test_the_triangle_adds_up_to_the_gradient_and_its_stretches_to_that_of_truncated_runs(cell):
    lesson = recurrent(cell, "abacus", 2, seed=2)
    _, trace, d_hs = lesson.run()
    triangle = contributions(lesson.objects["cell"], lesson.numbers["w"], trace, d_hs)
    assert [len(row) for row in triangle] == [1, 2, 3, 4, 5]
    for stretch in (1, 2, 3, 5):
        _, expected = engine_gradients(lesson, stretch)
        for name in vars(lesson.numbers["w"]):
            parts = [
                row[k][name] for t, row in enumerate(triangle) for k in range(t + 1) if t // stretch == k // stretch
            ]
            np.testing.assert_allclose(sum(parts), expected[name], rtol=1e-9, atol=1e-12, err_msg=f"{name} {stretch}")


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "lstm-fgr"])
def test_reach_is_the_size_of_the_product_of_the_jacobians(cell):
    lesson = recurrent(cell, "hello", 2, seed=3)
    H = 2
    layer = Recurrent(lesson.objects["cell"], 4, H, dtype=np.float64)
    for name, parameter in layer.weights_of("_l0").items():
        parameter.data = vars(lesson.numbers["w"])[name].copy()
    _, trace, _ = lesson.run()
    x = Tensor(lesson.numbers["x"])

    def run(first, states):
        packed = [Tensor(s[None, None]) for s in states]
        _, final = layer(x[first:], packed[0] if len(packed) == 1 else tuple(packed))
        return [s.data[0, 0] for s in (final if isinstance(final, tuple) else (final,))]

    for which in range(layer.cell.num_states):
        found = reach(layer.cell, lesson.numbers["w"], trace, which)
        states = [s[0] for s in lesson.numbers["state"]]
        for k in range(4):
            J = np.empty((H, H))
            for unit in range(H):
                ends = []
                for change in (1e-6, -1e-6):
                    moved = [s.copy() for s in states]
                    moved[which][unit] += change
                    ends.append(run(k, moved)[which])
                J[:, unit] = (ends[0] - ends[1]) / 2e-6
            np.testing.assert_allclose(found[k], np.sqrt((J**2).sum() / H), rtol=1e-5, atol=1e-9)
            states = _one_step(layer, x[k : k + 1], states)


def _one_step(layer, x, states):
    packed = [Tensor(s[None, None]) for s in states]
    _, final = layer(x, packed[0] if len(packed) == 1 else tuple(packed))
    return [s.data[0, 0] for s in (final if isinstance(final, tuple) else (final,))]


def test_the_lesson_on_attention_gives_the_gradients_of_the_engine():
    lesson = attention("abba", 3, seed=4)
    result, given = lesson.run(), lesson.numbers
    W, O, b_O = (Tensor(vars(given["w"])[name], requires_grad=True) for name in ("W", "O", "b_O"))
    memory, queries = (Tensor(given[name], requires_grad=True) for name in ("memory", "queries"))
    keys = ops.reshape(memory @ ops.transpose(W), (1, *given["memory"].shape))
    values = ops.reshape(memory, (1, *given["memory"].shape))
    total = Tensor(np.zeros(()))
    for t, y in enumerate(given["y"]):
        context = weighted_sum(softmax(dot_scores(queries[t : t + 1], keys)), values)
        total = total + cross_entropy(context @ ops.transpose(O) + b_O, np.array([y.argmax()]))
    total.backward()
    assert result["L"] == pytest.approx(total.item(), rel=1e-12)
    expected = {"W": W, "O": O, "b_O": b_O, "memory": memory, "queries": queries}
    assert result["gradients"].keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_allclose(result["gradients"][name], tensor.grad, rtol=1e-9, atol=1e-13, err_msg=name)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"text": "a"}, f"2 to {MOST_LETTERS} letters, not of 1"),
        ({"text": "a" * (MOST_LETTERS + 1)}, f"2 to {MOST_LETTERS} letters"),
        ({"text": "a\x07b"}, "can be shown"),
        ({"hidden": 0}, "hidden"),
        ({"hidden": MOST_UNITS + 1}, f"1 to {MOST_UNITS} hidden units"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_does_not_fit_a_page_is_refused(arguments, sentence):
    for make in (recurrent, attention):
        with pytest.raises(InputError, match=sentence):
            make(**arguments)


def test_a_cell_that_is_unknown_is_refused():
    with pytest.raises(InputError, match="unknown cell 'lstn'"):
        recurrent("lstn")


def test_the_numbers_that_a_run_begins_with_have_two_decimals():
    numbers = recurrent("lstm").numbers
    for part in (numbers["w"], numbers["out"]):
        assert isinstance(part, SimpleNamespace)
        for name, array in vars(part).items():
            assert (np.round(array, 2) == array).all(), name
