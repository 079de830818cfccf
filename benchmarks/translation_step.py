"""A training step of the attention model of the classic tutorials beside the same model in plain PyTorch, on the CPU.

    python -m benchmarks.translation_step           # a few minutes
    python -m benchmarks.translation_step --tiny    # only whether it works

A bidirectional GRU, additive attention, and a GRU with deep output, with the vocabularies of Multi30k and sentences of
its length: forward, backward, gradient clipping and Adam, float32, from the same weights, in one process. Both project
the keys once a sentence and score only real tokens, all in one product.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.common import side_by_side, torch_or_none, write_table
from minirnn import Adam, AttentionDecoder, EncoderDecoder, RecurrentEncoder, Translation, clip_grad_norm, no_grad
from minirnn.data.sequences import PairBatch, pad
from minirnn.training.sentences import shift_right

VOCABULARIES = 7_856, 5_972
DROPOUT, CLIP = 0.5, 1.0
CONFIGURATIONS = {"as in the tutorials": (256, 512, 128), "smaller": (256, 256, 64)}  # E, H, batch


def batch_of(size: int, vocabularies: tuple[int, int], rng: np.random.Generator) -> PairBatch:
    """Random sentences of about 13 tokens, `<eos>` counted; the sources are of similar length, as in every batch that
    is made by length."""
    lengths = rng.integers(12, 15, size), np.clip(np.rint(rng.normal(13, 2.5, size)), 6, 22).astype(np.int64)
    (X, X_lengths), (Y, Y_lengths) = (
        pad([rng.integers(4, V, n) for n in side]) for V, side in zip(vocabularies, lengths, strict=True)
    )
    return X, X_lengths, Y, Y_lengths


def translator(sizes: tuple[int, int], vocabularies: tuple[int, int]) -> EncoderDecoder:
    """The model.

    Args:
        sizes: E and H.
        vocabularies: tokens of the source and of the target.
    """
    E, H = sizes
    rng = np.random.default_rng(0)
    options = {"cell": "gru-after", "embedding_dropout": DROPOUT, "rng": rng}
    encoder = RecurrentEncoder(vocabularies[0], E, H, bidirectional=True, **options)
    return EncoderDecoder(encoder, AttentionDecoder(vocabularies[1], E, H, 2 * H, **options), rng=rng)


def training_steps(
    sizes: tuple[int, int], batch: PairBatch, vocabularies: tuple[int, int], device: str = "cpu"
) -> dict[str, Callable[[], object]]:
    """The training step of the model as a function, and where torch is installed that of its twin, of the same weights.
    Arguments as for `translator`; `device` is where both compute.

    Raises:
        RuntimeError: the two losses differ, so that the comparison would be of different things.
    """
    model = translator(sizes, vocabularies)
    torch = torch_or_none()
    there = torch is not None and (device == "cpu" or torch.cuda.is_available())
    twin_step = torch_training_step(torch, model, sizes, batch, vocabularies, device) if there else None
    model.to(device)
    task = Translation(model, ([batch[0]], [batch[2]]), ([], []), batch_size=1, rng=np.random.default_rng(1))
    optimizer = Adam(model.named_parameters(), 1e-3)

    def minirnn_step() -> None:
        loss, _, _ = task.loss(batch, None, 0)
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm(model.parameters(), CLIP)
        optimizer.step()

    return {"minirnn": minirnn_step, **({} if twin_step is None else {"torch": twin_step})}


def torch_training_step(
    torch: Any,
    model: EncoderDecoder,
    sizes: tuple[int, int],
    batch: PairBatch,
    vocabularies: tuple[int, int],
    device: str,
) -> Callable[[], object]:
    """The twin's training step. The model is still on the CPU, where the two losses are compared."""
    from benchmarks.torch_models import AttentionTwin, copy_weights, twin_loss

    twin = AttentionTwin(*vocabularies, *sizes, dropout=DROPOUT)
    copy_weights(model, twin)
    task = Translation(model, ([batch[0]], [batch[2]]), ([], []), batch_size=1, rng=np.random.default_rng(1))
    inputs = shift_right(batch[2])
    model.eval(), twin.eval()
    with no_grad(), torch.no_grad():
        ours, theirs = task.loss(batch, None, 0)[0].item(), twin_loss(twin, batch, inputs).item()
    if abs(ours - theirs) > 1e-4 * theirs:
        raise RuntimeError(f"the losses of the two models are {ours} and {theirs}")
    model.train(), twin.train()
    twin.to("cuda" if device == "gpu" else "cpu")
    optimizer = torch.optim.Adam(twin.parameters(), 1e-3, fused=True)

    def torch_step() -> None:
        loss = twin_loss(twin, batch, inputs)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(twin.parameters(), CLIP)
        optimizer.step()

    return torch_step


def main() -> None:
    """Time both configurations and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="tiny models, and no table")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side (default: 5)")
    arguments = parser.parse_args()
    if torch_or_none() is None:
        parser.error("torch is not installed: there is nothing to compare with (pip install 'minirnn[parity]')")
    rows = []
    for name, (E, H, size) in CONFIGURATIONS.items():
        vocabularies, rounds = VOCABULARIES, arguments.rounds
        if arguments.tiny:
            E, H, size, vocabularies, rounds = 8, 12, 4, (40, 30), 1
        batch = batch_of(size, vocabularies, np.random.default_rng(0))
        seconds = side_by_side(training_steps((E, H), batch, vocabularies), rounds=rounds, block=2, pause=0.2)
        tokens = int(batch[3].sum())
        ours, theirs = (tokens / seconds[side] for side in ("minirnn", "torch"))
        rows.append([name, f"E={E}, H={H}, batch {size}", f"{ours:,.0f}", f"{theirs:,.0f}", f"{ours / theirs:.2f}"])
        print(rows[-1], flush=True)
    if arguments.tiny:
        return
    header = ["model", "sizes", "minirnn, target tokens/s", "torch, target tokens/s", "minirnn / torch"]
    title = "Training step of a translation model with attention, minirnn on NumPy beside PyTorch"
    write_table("translation_step", title, "python -m benchmarks.translation_step", header, rows)


if __name__ == "__main__":
    main()
