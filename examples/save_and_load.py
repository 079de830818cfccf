"""Keep what was trained: the weights of a model of one's own, and a run of the command line, opened in Python.

Prints:

    the loaded model says the same: True
    another size is refused: parameter linear.weight: expected shape (1, 5), found (1, 4)
    Classifier(2 labels by SequenceClassifier of ... parameters)
    a lovely film: good
    an awful meal: bad
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import minirnn
from minirnn import GRU, InputError, Linear, Module, Tensor


class Model(Module):
    """A GRU, and a number read off its last state."""

    def __init__(self, hidden_size: int = 4):
        self.gru = GRU(2, hidden_size)
        self.linear = Linear(hidden_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features (time, batch, 2) to numbers (batch, 1)."""
        _, h = self.gru(x)
        return self.linear(h[-1])


def own_model(folder: Path) -> None:
    """`minirnn.save` keeps the weights; the class makes the model that they are loaded into."""
    model, x = Model(), Tensor(np.ones((3, 1, 2), dtype=np.float32))
    minirnn.save(model, folder / "model.safetensors")
    loaded = minirnn.load(folder / "model.safetensors", Model())
    print(f"the loaded model says the same: {loaded(x).item() == model(x).item()}")
    try:
        minirnn.load(folder / "model.safetensors", Model(hidden_size=5))
    except InputError as error:
        print(f"another size is refused: {str(error).rpartition('; ')[2]}")


def command_line(folder: Path) -> None:
    """`minirnn train` keeps a run: the model, its vocabulary and labels."""
    things = ("day", "film", "book", "song", "meal", "walk")
    lines = [f"good\ta {word} {thing}" for word in ("fine", "great", "lovely") for thing in things]
    lines += [f"bad\tan {word} {thing}" for word in ("awful", "ugly", "idle") for thing in things]
    (folder / "reviews.tsv").write_text("\n".join(lines))
    train = [sys.executable, "-m", "minirnn", "train", "classify", "--data", "reviews.tsv", "--tokens", "word"]
    train += ["--hidden", "8", "--epochs", "40", "--lr", "0.03", "--out", "run", "--quiet"]
    subprocess.run(train, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    classifier = minirnn.load(folder / "run", minirnn.Classifier)
    print(classifier)
    for text in ("a lovely film", "an awful meal"):
        (found,) = classifier.classify([text])
        print(f"{text}: {found.label}")


def main() -> None:
    """Both, in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        own_model(Path(folder))
        command_line(Path(folder))


if __name__ == "__main__":
    main()
