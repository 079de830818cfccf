"""d2l's translation recipe on the first 600 English-French pairs (Dive into Deep Learning, sections 10.7 and 11.4).

    MINIRNN_DATA=<folder with fra-eng.zip> python -m benchmarks.fra_eng

Two layers of 32 GRU units, embeddings of 32, dropout 0.1, Adam with learning rate 0.005, batches of 64, sentences of at
most 10 tokens, gradients clipped to norm 1: 300 epochs with the encoder's state as the context of every step, 250 with
additive attention. Unlike d2l's code, padding is masked everywhere. BLEU is d2l's, with k = 2.
"""

from __future__ import annotations

import argparse
import os
import re
import time
import zipfile
from pathlib import Path

import numpy as np

from benchmarks.common import write_table
from minirnn import (
    Adam,
    AttentionDecoder,
    Codec,
    ContextDecoder,
    EncoderDecoder,
    RecurrentEncoder,
    Trainer,
    Translation,
    Translator,
    d2l_bleu,
    perplexity,
)

DATA = Path(os.environ.get("MINIRNN_DATA", "../shared/data"))
EXAMPLES = {
    "go .": "va !",
    "i lost .": "j'ai perdu .",
    "he's calm .": "il est calme .",
    "i'm home .": "je suis chez moi .",
}
SIZE, LAYERS, DROPOUT, BATCH, STEPS, PAIRS = 32, 2, 0.1, 64, 10, 600


def load_pairs(folder: Path) -> list[tuple[str, str]]:
    """The pairs as d2l prepares them: lower case, a space before , . ! and ?, tokens at spaces."""
    text = zipfile.ZipFile(folder / "fra-eng.zip").read("fra-eng/fra.txt").decode()
    text = text.replace("\u202f", " ").replace("\xa0", " ").lower()
    lines = [re.sub(r"(?<=[^ \t])([,.!?])", r" \1", line).split("\t") for line in text.split("\n")[:PAIRS]]
    return [(line[0], line[1]) for line in lines]


def train(pairs: list[tuple[str, str]], attention: bool, epochs: int, seed: int) -> tuple[Translator, dict, float]:
    """Train one model. Returns it, the last row of its history, and the seconds it took."""
    rng = np.random.default_rng(seed)
    sides = [Codec.build(side, "space", "none", min_frequency=2) for side in zip(*pairs, strict=True)]
    sizes = [len(codec.vocabulary) for codec in sides]
    options = {"num_layers": LAYERS, "dropout": DROPOUT, "rng": rng}
    encoder = RecurrentEncoder(sizes[0], SIZE, SIZE, **options)
    kind = AttentionDecoder if attention else ContextDecoder
    decoder = kind(sizes[1], SIZE, SIZE, SIZE, deep_output=False, **options)
    model = EncoderDecoder(encoder, decoder, bridge="copy", rng=rng)
    texts = zip(*pairs, strict=True)
    ids = tuple([codec.encode(text, STEPS) for text in side] for codec, side in zip(sides, texts, strict=True))
    task = Translation(model, ids, ([], []), batch_size=BATCH, rng=rng)
    trainer = Trainer(
        task, Adam(model.named_parameters(), 0.005), seed=seed, clip=1.0, validate_every=epochs, progress=False
    )
    start = time.perf_counter()
    row = trainer.train(epochs)[-1]
    return Translator(model, *sides), row, time.perf_counter() - start


def main() -> None:
    """Train both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    pairs, rows = load_pairs(DATA), []
    for name, attention, epochs in (("GRU, context at every step", False, 300), ("GRU, additive attention", True, 250)):
        translator, row, seconds = train(pairs, attention, epochs, seed)
        found = translator.translate(list(EXAMPLES))
        for best, (source, reference) in zip(found, EXAMPLES.items(), strict=True):
            bleu = d2l_bleu(best[0].words, reference.split(), k=2)
            rows.append([name, f"{epochs}", f"{seconds:.0f} s", f"{perplexity(row['train_loss'], 1):.3f}",
                         f"`{source}`", f"`{' '.join(best[0].words)}`", f"{bleu:.3f}"])  # fmt: skip
    header = ["model", "epochs", "time", "training perplexity", "source", "translation", "BLEU (k = 2)"]
    write_table(
        "fra_eng", "d2l's translation recipe on 600 English-French pairs", "python -m benchmarks.fra_eng", header, rows
    )


if __name__ == "__main__":
    main()
