"""Ask for the GPU, and fall back to the CPU where there is none.

Prints, on a machine without a GPU:

    InputError: unknown device 'cuda': expected 'cpu' or 'gpu'
    DeviceError: no GPU...
    computed on the cpu, the loss is ...
"""

import numpy as np

from minirnn import GRU, DeviceError, InputError, Linear, Module, Tensor, mse_loss


class Model(Module):
    """A GRU, and a number read off its last state."""

    def __init__(self, rng: np.random.Generator):
        self.gru = GRU(2, 4, rng=rng)
        self.linear = Linear(4, 1, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        """Features (time, batch, 2) to numbers (batch, 1)."""
        _, h = self.gru(x)
        return self.linear(h[-1])


def on_best_device(model: Module) -> str:
    """Move a model to the GPU if there is one. Returns where it is."""
    try:
        model.to("gpu")
    except DeviceError as error:
        print(f"{type(error).__name__}: {error}")
        return "cpu"
    return "gpu"


def main() -> None:
    """One step on whatever there is."""
    rng = np.random.default_rng(0)
    model = Model(rng)
    try:
        model.to("cuda")
    except InputError as error:
        print(f"{type(error).__name__}: {error}")
    device = on_best_device(model)
    x = Tensor(rng.standard_normal((5, 8, 2)).astype(np.float32)).to(device)
    loss = mse_loss(model(x), Tensor(np.zeros((8, 1), dtype=np.float32)).to(device))
    loss.backward()
    print(f"computed on the {loss.device}, the loss is {loss:.3f}")


if __name__ == "__main__":
    main()
