"""Weights that were trained with PyTorch: `load_torch` takes the `state_dict()` of the same layers of torch.nn, and
`to_torch` gives them back.

Prints, where torch is installed:

    18 arrays of torch's in 14, with one bias for its two
    the outputs agree: True
    and back again: True
"""

import sys

import numpy as np

from minirnn import LSTM, Linear, Module, Tensor

try:
    import torch
except ImportError:
    sys.exit("this example needs torch: pip install torch")


class Tagger(Module):
    """Its attributes have the names that they have in the torch model, so that the names of the weights agree."""

    def __init__(self) -> None:
        self.lstm = LSTM(3, 4, num_layers=2, bidirectional=True)
        self.linear = Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        """Features (time, batch, 3) to scores (time, batch, 5)."""
        output, _ = self.lstm(x)
        return self.linear(output)


def main() -> None:
    """From torch, and back."""
    torch.manual_seed(0)
    lstm, linear = torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True), torch.nn.Linear(8, 5)
    theirs, ours = torch.nn.ModuleDict({"lstm": lstm, "linear": linear}), Tagger()
    ours.load_torch(theirs.state_dict())
    print(f"{len(theirs.state_dict())} arrays of torch's in {len(ours.parameters())}, with one bias for its two")

    x = np.random.default_rng(0).standard_normal((6, 2, 3)).astype(np.float32)
    expected = linear(lstm(torch.from_numpy(x))[0]).detach().numpy()
    print(f"the outputs agree: {np.allclose(ours(Tensor(x)), expected, atol=1e-6)}")

    weights = {name: torch.from_numpy(array) for name, array in ours.to_torch().items()}
    for values in theirs.parameters():
        torch.nn.init.zeros_(values)
    theirs.load_state_dict(weights)
    again = linear(lstm(torch.from_numpy(x))[0]).detach().numpy()
    print(f"and back again: {np.allclose(again, expected, atol=1e-6)}")


if __name__ == "__main__":
    main()
