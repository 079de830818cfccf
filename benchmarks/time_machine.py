"""The character language models of d2l on The Time Machine, beside the same recipe in torch, in the same run.

    MINIRNN_DATA=<folder with timemachine.txt> python -m benchmarks.time_machine

The recipe (d2l, chapters 9 and 10): the first 10,000 characters, sequential partition, batches of 32 sequences of 35
steps, one-hot inputs, 256 hidden units, plain SGD with gradients clipped to norm 1, 500 epochs; learning rate 1, and
2 for the two-layer LSTM. Both sides start from the same weights and see the same batches. The perplexity on training
text is that of the last epoch; the one on held-out text is of the 10,000 characters that follow.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.common import write_table
from minirnn import SGD, LanguageModel, LanguageModeling, Trainer, Vocabulary, perplexity, sequential_batches
from minirnn.data import clean_text, read_text

DATA = Path(os.environ.get("MINIRNN_DATA", "../shared/data"))
CONFIGURATIONS = {
    "RNN": ("rnn", torch.nn.RNN, 1, 1.0),
    "GRU": ("gru-after", torch.nn.GRU, 1, 1.0),
    "LSTM": ("lstm", torch.nn.LSTM, 1, 1.0),
    "LSTM, 2 layers": ("lstm", torch.nn.LSTM, 2, 2.0),
}
BATCH, STEPS, HIDDEN, CHARACTERS = 32, 35, 256, 10_000


def train_minirnn(model: LanguageModel, train: np.ndarray, valid: np.ndarray, lr: float, epochs: int) -> dict:
    """Training and held-out perplexity, and tokens/s over the whole training."""
    task = LanguageModeling(model, train, valid, batch_size=BATCH, num_steps=STEPS, rng=np.random.default_rng(0))
    trainer = Trainer(task, SGD(model.named_parameters(), lr), clip=1.0, validate_every=epochs, progress=False)
    start = time.perf_counter()
    row = trainer.train(epochs)[-1]
    tokens = row["step"] * BATCH * STEPS
    return {
        "train": row["train_perplexity"],
        "valid": row["valid_perplexity"],
        "tokens/s": tokens / (time.perf_counter() - start),
    }


class TorchLanguageModel(torch.nn.Module):
    """The same model in torch."""

    def __init__(self, layer: type, vocabulary_size: int, num_layers: int):
        super().__init__()
        self.recurrent = layer(vocabulary_size, HIDDEN, num_layers)
        self.output = torch.nn.Linear(HIDDEN, vocabulary_size)
        self.vocabulary_size = vocabulary_size

    def forward(self, ids: torch.Tensor, state: object) -> tuple[torch.Tensor, object]:
        """Logits and state."""
        x = torch.nn.functional.one_hot(ids, self.vocabulary_size).float()
        h, state = self.recurrent(x, state)
        return self.output(h), state


def train_torch(model: TorchLanguageModel, train: np.ndarray, valid: np.ndarray, lr: float, epochs: int) -> dict:
    """The same as `train_minirnn`, with the same batches."""
    optimizer = torch.optim.SGD(model.parameters(), lr)
    start, tokens = time.perf_counter(), 0
    for epoch in range(epochs):
        state, nll, count = None, 0.0, 0
        for X, Y in sequential_batches(train, BATCH, STEPS, np.random.default_rng([0, epoch + 1])):
            logits, state = model(torch.from_numpy(np.ascontiguousarray(X)), state)
            state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
            targets = torch.from_numpy(np.ascontiguousarray(Y)).reshape(-1)
            loss = torch.nn.functional.cross_entropy(logits.reshape(-1, model.vocabulary_size), targets)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            nll, count = nll + loss.item() * Y.size, count + Y.size
        tokens += count
    seconds = time.perf_counter() - start
    with torch.no_grad():
        logits, _ = model(torch.from_numpy(valid[:-1, None]), None)
        total = torch.nn.functional.cross_entropy(logits[:, 0], torch.from_numpy(valid[1:]), reduction="sum").item()
    return {
        "train": perplexity(nll, count),
        "valid": perplexity(total, len(valid) - 1),
        "tokens/s": tokens / seconds,
    }


def main() -> None:
    """Train all configurations on both sides and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=500)
    epochs = parser.parse_args().epochs
    text = clean_text(read_text(DATA / "timemachine.txt"), "letters")
    vocabulary = Vocabulary.build(text)
    ids = vocabulary.encode(text[: 2 * CHARACTERS])
    train, valid = ids[:CHARACTERS], ids[CHARACTERS:]
    rows = []
    for name, (cell, torch_layer, num_layers, lr) in CONFIGURATIONS.items():
        model = LanguageModel(len(vocabulary), HIDDEN, cell=cell, num_layers=num_layers, rng=0)
        twin = TorchLanguageModel(torch_layer, len(vocabulary), num_layers)
        twin.load_state_dict({key: torch.from_numpy(value) for key, value in model.to_torch().items()})
        ours, theirs = (f(m, train, valid, lr, epochs) for f, m in ((train_minirnn, model), (train_torch, twin)))
        rows.append(
            [name, str(lr)]
            + [f"{ours[key]:.2f} / {theirs[key]:.2f}" for key in ("train", "valid")]
            + [f"{ours['tokens/s']:,.0f} / {theirs['tokens/s']:,.0f}", f"{ours['tokens/s'] / theirs['tokens/s']:.2f}"]
        )
        print(rows[-1], flush=True)
    header = ["model", "lr", "perplexity, training", "perplexity, held out", "tokens/s", "ratio of speeds"]
    title = f"The Time Machine by character, {epochs} epochs: minirnn / torch"
    write_table("time_machine", title, "python -m benchmarks.time_machine", header, rows)


if __name__ == "__main__":
    main()
