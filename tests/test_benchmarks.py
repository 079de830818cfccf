"""The benchmarks compare things that compute the same, and describe what they measured."""

import numpy as np
import pytest

from benchmarks.textbook import Textbook
from minirnn import Recurrent, Tensor


@pytest.mark.parametrize("name", ["rnn", "gru", "gru-after", "lstm"])
@pytest.mark.parametrize("per_gate", [False, True])
def test_the_textbook_loop_computes_the_same(name, per_gate, rng):
    layer = Recurrent(name, 4, 5, rng=0, dtype=np.float64)
    x, dy = rng.standard_normal((6, 3, 4)), rng.standard_normal((6, 3, 5))
    X = Tensor(x, requires_grad=True)
    output, _ = layer(X)
    output.backward(dy)
    textbook = Textbook(name, {key: p.data for key, p in layer._weights("_l0").items()}, per_gate)
    np.testing.assert_allclose(textbook.forward(x), output.data, rtol=0, atol=1e-12)
    dx, gradients = textbook.backward(dy)
    np.testing.assert_allclose(dx, X.grad, rtol=0, atol=1e-12)
    for key, parameter in layer._weights("_l0").items():
        np.testing.assert_allclose(gradients[key], parameter.grad, rtol=0, atol=1e-12)
