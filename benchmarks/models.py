"""Whole models: a training step of the character language model and of the attention translation model, in tokens per
second, and decoding, in sentences per second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import common, layers, translation_step
from benchmarks.common import Contender
from minirnn import (
    SGD,
    LanguageModel,
    backend,
    beam_search,
    clip_grad_norm,
    cross_entropy,
    decode,
    detach,
)
from minirnn.data.vocabulary import BOS_ID, EOS_ID, PAD_ID
from minirnn.training.sentences import sentence_step

CHARACTERS, STEPS, BATCH, HIDDEN = 28, 35, 32, 256  # the recipe of d2l, chapters 9 and 10
CELLS = {"rnn": "RNN", "gru-after": "GRU (reset after)", "lstm": "LSTM"}
SENTENCES, TOKENS, BEAM = 64, 15, 5
TRANSLATION = {"E 256, H 512": (256, 512, 128), "E 256, H 256": (256, 256, 64)}  # E, H, batch
VOCABULARIES = 7_856, 5_972
QUICK_VOCABULARIES = 300, 200
OURS = ("minirnn", "minirnn, kernels")
COLUMNS = (*OURS, "minirnn, 1 thread", "torch", "minirnn, GPU", "torch, GPU")


def language_model_call(
    cell: str, hidden: int, steps: int = STEPS, device: str = "cpu", with_kernels: bool = False
) -> Callable[[], object]:
    """A training step with the state carried over, of minirnn."""
    rng = np.random.default_rng(0)
    X, Y = (backend.to_device(rng.integers(0, CHARACTERS, (steps, BATCH)), device) for _ in range(2))
    model = LanguageModel(CHARACTERS, hidden, cell=cell, rng=0).to(device)
    optimizer, carried = SGD(model.named_parameters(), 1.0), [None]

    def step() -> None:
        logits, state = model(X, carried[0])
        carried[0] = detach(state)
        loss = cross_entropy(logits, Y)
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm(model.parameters(), 1.0)
        optimizer.step()

    return layers.using_kernels(step, with_kernels)


def torch_language_model_call(cell: str, hidden: int, steps: int = STEPS, device: str = "cpu") -> Callable[[], object]:
    """The same in torch."""
    import torch

    where, rng = "cuda" if device == "gpu" else "cpu", np.random.default_rng(0)
    X, Y = (torch.tensor(rng.integers(0, CHARACTERS, (steps, BATCH)), device=where) for _ in range(2))
    kind = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru-after": torch.nn.GRU}[cell]
    layers = torch.nn.ModuleList([kind(CHARACTERS, hidden), torch.nn.Linear(hidden, CHARACTERS)]).to(where)
    optimizer, carried = torch.optim.SGD(layers.parameters(), 1.0), [None]

    def step() -> None:
        x = torch.nn.functional.one_hot(X, CHARACTERS).float()
        h, state = layers[0](x, carried[0])
        carried[0] = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        loss = torch.nn.functional.cross_entropy(layers[1](h).reshape(-1, CHARACTERS), Y.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(layers.parameters(), 1.0)
        optimizer.step()

    return step


def decoding_call(model: Any, X: np.ndarray, lengths: np.ndarray, beam: int) -> Callable[[], object]:
    """Translate a batch, each sentence to exactly `TOKENS` tokens, so that the work is the same for every search."""
    step, start = sentence_step(model, (PAD_ID, BOS_ID, EOS_ID)), np.full(len(lengths), BOS_ID)
    limits = {"eos": EOS_ID, "max_length": TOKENS, "attention": model.attention}
    if beam == 1:
        return lambda: decode(step, model.start(X, lengths), start, **limits)
    return lambda: beam_search(step, model.start(X, lengths), start, beam_size=beam, source_lengths=lengths, **limits)


def language_model_contenders(cell: str, hidden: int, devices: tuple[str, ...]) -> Iterator[Contender]:
    """All that there are of the language model with that cell."""
    torch = common.torch_or_none()
    if "cpu" in devices:
        yield Contender("minirnn", language_model_call(cell, hidden))
        if torch:
            yield Contender("torch", torch_language_model_call(cell, hidden))
        if layers.has_kernels():
            yield Contender("minirnn, kernels", language_model_call(cell, hidden, with_kernels=True))
        yield Contender("minirnn", language_model_call(cell, hidden), threads=1)
    if "gpu" in devices and common.gpu():
        call = language_model_call(cell, hidden, device="gpu")
        yield Contender("minirnn", call, "gpu", clock=common.cupy_clock())
        if torch and torch.cuda.is_available():
            call = torch_language_model_call(cell, hidden, device="gpu")
            yield Contender("torch", call, "gpu", clock=common.torch_clock())


def run(timing: dict[str, Any], devices: tuple[str, ...], quick: bool, progress: Any) -> list[dict[str, Any]]:
    """All rows."""
    hidden, rows = 32 if quick else HIDDEN, []
    facts = {"benchmark": "models", "dtype": "float32"}
    for cell, name in progress(CELLS.items(), "language model"):
        sizes = {"T": STEPS, "B": BATCH, "H": hidden, "amount": STEPS * BATCH, "unit": "tokens"}
        contenders = list(language_model_contenders(cell, hidden, devices))
        rows += common.compare(contenders, timing, model=f"language model, {name}", mode="step", **sizes, **facts)
    if "cpu" not in devices:
        return rows
    vocabularies = QUICK_VOCABULARIES if quick else VOCABULARIES
    for name, (E, H, size) in progress(TRANSLATION.items(), "translation"):
        E, H, size = (E // 8, H // 8, size // 8) if quick else (E, H, size)
        batch = translation_step.batch_of(size, vocabularies, np.random.default_rng(0))
        calls = translation_step.training_steps((E, H), batch, vocabularies)
        sizes = {"T": len(batch[2]), "B": size, "H": H, "amount": int(batch[3].sum()), "unit": "tokens"}
        contenders = [Contender(side, call) for side, call in calls.items()]
        if layers.has_kernels():
            call = translation_step.training_steps((E, H), batch, vocabularies)["minirnn"]
            contenders.append(Contender("minirnn, kernels", layers.using_kernels(call)))
        rows += common.compare(contenders, timing, model=f"translation, {name}", mode="step", **sizes, **facts)
        model = translation_step.translator((E, H), vocabularies)
        model.eval()
        X, lengths, _, _ = translation_step.batch_of(SENTENCES, vocabularies, np.random.default_rng(1))
        for beam in (1, BEAM):
            searches = [Contender("minirnn", decoding_call(model, X, lengths, beam))]
            if layers.has_kernels():
                call = layers.using_kernels(decoding_call(model, X, lengths, beam))
                searches.append(Contender("minirnn, kernels", call))
            if "gpu" in devices and common.gpu():
                on_gpu = translation_step.translator((E, H), vocabularies).to("gpu")
                on_gpu.eval()
                call = decoding_call(on_gpu, X, lengths, beam)
                searches.append(Contender("minirnn", call, "gpu", clock=common.cupy_clock()))
            sizes = {"T": TOKENS, "B": SENTENCES, "H": H, "amount": SENTENCES, "unit": "sentences"}
            mode = "greedy" if beam == 1 else f"beam {beam}"
            rows += common.compare(searches, timing, model=f"translation, {name}", mode=mode, **sizes, **facts)
    return rows


def table(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Tokens or sentences per second of each contender."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["model"], row["mode"], row["unit"]), []).append(row)
    lines = []
    for group, there in groups.items():
        rates: dict[str, str] = {}
        found = {}
        for row in there:
            label = row["implementation"] + (", GPU" if row["device"] == "gpu" else "")
            label += ", 1 thread" if label in rates else ""
            found[label] = row
            rates[label] = f"{row['amount'] / row['median_ms'] * 1e3:,.0f}"
        cells = [rates.get(label, "–") for label in COLUMNS]
        ratios = [
            f"{common.ratio(found['torch'], found[ours]):.2f}" if {ours, "torch"} <= set(found) else "–"
            for ours in OURS
        ]
        lines.append([*group[:2], f"{group[2]}/s", *cells, *ratios])
    return ["model", "what", "unit", *COLUMNS, *(f"{ours} / torch (CPU)" for ours in OURS)], lines
