"""Forward and backward of one layer beside torch.nn on the CPU, in one process, float32.

    python -m benchmarks.training_step

Both compute the output of a sequence and then, from a random gradient of it, the gradients of the input and of all
weights.
"""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.common import side_by_side, write_table
from minirnn import GRU, LSTM, RNN, Tensor

SHAPES = [(35, 32, 28, 256), (35, 32, 256, 256), (35, 32, 256, 512)]
LAYERS = {
    "RNN": (torch.nn.RNN, RNN, {}),
    "GRU (reset after)": (torch.nn.GRU, GRU, {"reset": "after"}),
    "GRU (reset before)": (torch.nn.GRU, GRU, {"reset": "before"}),
    "LSTM": (torch.nn.LSTM, LSTM, {}),
}


def training_steps(name: str, T: int, B: int, input_size: int, H: int) -> dict:
    """The two training steps of one row of the table, as functions."""
    theirs, ours, options = LAYERS[name]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((T, B, input_size)).astype(np.float32)
    dy = rng.standard_normal((T, B, H)).astype(np.float32)
    layer, torch_layer = ours(input_size, H, rng=rng, **options), theirs(input_size, H)
    X, torch_x, torch_dy = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True), torch.tensor(dy)

    def minirnn_step() -> None:
        layer.zero_grad()
        X.grad = None
        output, _ = layer(X)
        output.backward(dy)

    def torch_step() -> None:
        torch_layer.zero_grad()
        torch_x.grad = None
        output, _ = torch_layer(torch_x)
        output.backward(torch_dy)

    return {"minirnn": minirnn_step, "torch": torch_step}


def main() -> None:
    """Time every layer at every shape and write the table."""
    rows = []
    for name in LAYERS:
        for shape in SHAPES:
            seconds = side_by_side(training_steps(name, *shape))
            mine, theirs = seconds["minirnn"] * 1e3, seconds["torch"] * 1e3
            rows.append([name, str(shape), f"{mine:.1f}", f"{theirs:.1f}", f"{theirs / mine:.2f}"])
            print(rows[-1], flush=True)
    header = ["layer", "(T, B, I, H)", "minirnn ms", "torch ms", "torch / minirnn"]
    title = "Training step of one layer (forward + backward), minirnn on NumPy beside torch.nn"
    write_table("training_step", title, "python -m benchmarks.training_step", header, rows)


if __name__ == "__main__":
    main()
