"""Random inputs of a cell, and the gradients of all of them."""

import numpy as np

from minirnn import Tensor, grad, make_cell


def random_case(name, T, B, I, H, seed):
    """x, weights and state in float64, all requiring gradients."""
    rng, cell = np.random.default_rng(seed), make_cell(name)
    tensor = lambda *shape: Tensor(rng.standard_normal(shape), requires_grad=True)
    weights = {key: tensor(*shape) for key, shape in cell.weight_shapes(I, H).items()}
    return cell, tensor(T, B, I), weights, tuple(tensor(B, H) for _ in range(cell.num_states))


def gradients(output, final, inputs, seed=1):
    """Gradients of all inputs for random gradients of the output and of every final state."""
    rng = np.random.default_rng(seed)
    loss = (output * rng.standard_normal(output.shape)).sum()
    for s in final:
        loss = loss + (s * rng.standard_normal(s.shape)).sum()
    return [np.zeros(x.shape) if g is None else g for x, g in zip(inputs, grad(loss, inputs), strict=True)]
