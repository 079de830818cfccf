"""What `minirnn train translate` can be told, and the model that it builds from that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minirnn.data import Codec, Pair
from minirnn.data.codec import SENTENCE_TOKENS
from minirnn.data.text import CLEANING
from minirnn.errors import InputError
from minirnn.layers.attention import NORMALIZE
from minirnn.models import AttentionDecoder, ContextDecoder, Decoder, EncoderDecoder, HandoverDecoder, RecurrentEncoder
from minirnn.models.encoders import BRIDGES
from minirnn.runs import rewarding
from minirnn.runs.cells import cell_options, cell_settings
from minirnn.runs.options import FLAG, Options, number, optimization_options, path
from minirnn.runs.own import SCORE, chosen_score
from minirnn.training.schedules import FORCING

_file = {"type": path, "metavar": "FILE"}
_count = {"type": number(int, 1), "metavar": "N"}
_probability = {"type": number(float, 0, 1), "metavar": "P"}
_share = {"type": number(float, 0, 1.0000001), "metavar": "X"}

OPTIONS: Options = {
    "data": (None, {**_file, "help": "tab-separated pairs; without it, the built-in English-French grammar"}),
    "source": (None, {**_file, "help": "instead: the source sentences, one a line (also .gz)"}),
    "target": (None, {**_file, "help": "and their translations, line by line"}),
    "valid-data": (None, {**_file, "help": "pairs to hold out (default: a part of the data)"}),
    "valid-source": (None, {**_file, "help": "or their source sentences"}),
    "valid-target": (None, {**_file, "help": "and translations"}),
    "swap": (False, {**FLAG, "help": "translate from the second language to the first"}),
    "max-pairs": (None, {**_count, "help": "take the first N pairs only"}),
    "valid-fraction": (
        0.02,
        {**_probability, "metavar": "X", "help": "the part of the data to hold out, drawn by source sentence"},
    ),
    "tokens": ("word", {"choices": SENTENCE_TOKENS, "help": "what sentences are cut into"}),
    "clean": ("lower", {"choices": CLEANING, "help": "simplify the text: lower case, or lower-case letters only"}),
    "min-frequency": (1, {**_count, "help": "rarer tokens become <unk>"}),
    "vocabulary": (None, {**_count, "help": "at most N tokens a language (default: all; for bpe 8000)"}),
    "shared-vocabulary": (False, {**FLAG, "help": "one vocabulary for both languages"}),
    "max-length": (60, {"type": number(int, 2), "metavar": "N", "help": "cut longer sentences in training"}),
    "decoder": ("attention", {"choices": ("attention", "context", "handover"), "help": "how the source is used"}),
    "score": ("additive", {**SCORE.settings(), "help": "the attention score"}),
    "normalize": ("softmax", {"choices": NORMALIZE, "help": "scores to weights; hard: one position at a time"}),
    "attend": ("before", {"choices": ("before", "after"), "help": "the step, as Bahdanau, or after it, as Luong"}),
    "attention-size": (None, {**_count, "help": "features compared by additive scores (default: as --hidden)"}),
    "input-feeding": (False, {**FLAG, "help": "feed each step's readout to the next"}),
    **cell_options("gru"),
    "layers": (1, {**_count, "help": "recurrent layers of the decoder, and of the encoder"}),
    "hidden": (128, {**_count, "help": "units in a layer of the decoder"}),
    "encoder": (
        "bidirectional",
        {"choices": ("bidirectional", "forward", "backward"), "help": "how the source is read; backward: from its end"},
    ),
    "encoder-hidden": (None, {**_count, "help": "units of each direction of the encoder (default: as --hidden)"}),
    "bridge": ("learned", {"choices": BRIDGES, "help": "from the encoder's state to the decoder's"}),
    "embedding": (64, {**_count, "help": "features of the embeddings"}),
    "shallow-output": (False, {**FLAG, "help": "score tokens from the state alone, not also from context and input"}),
    "readout": (
        None,
        {
            **_count,
            "help": "features of a tanh layer before the output (default: none unless needed)",
        },
    ),
    "tied": ("none", {"choices": ("none", "decoder", "all"), "help": "embeddings that share the output's weights"}),
    "dropout": (0.1, {**_probability, "help": "dropout probability everywhere"}),
    "embedding-dropout": (None, {**_probability, "help": "on embeddings (default: as --dropout)"}),
    "output-dropout": (
        None,
        {**_probability, "help": "before the output, and on what is attended to (default: as --dropout)"},
    ),
    "batch-size": (64, {**_count, "help": "pairs in a batch"}),
    "label-smoothing": (0.0, {**_probability, "metavar": "X", "help": "share of the target given to all tokens alike"}),
    "teacher-forcing": (
        1.0,
        {**_share, "help": "probability of feeding the true token; its least with --sampling, where 1 means 0"},
    ),
    "sampling": ("none", {"choices": ("none", *FORCING), "help": "scheduled sampling: how that probability falls"}),
    "sampling-steps": (2000, {**_count, "help": "the steps in which it falls (to 1/2 or 1/e where it never ends)"}),
    "attention-penalty": (0.0, {"type": number(float, 0), "metavar": "X", "help": "weight of the attention penalty"}),
    "attention-target": (1.0, {"type": number(float, 0), "metavar": "X", "help": "the attention a source token wants"}),
    **optimization_options(lr=0.002, epochs=6),
    "warmup": (None, {**_count, "help": "steps in which the learning rate rises"}),
    "decay-every": (None, {**_count, "help": "epochs after which the learning rate falls"}),
    "plateau": (
        1,
        {
            "type": number(int, 0),
            "metavar": "N",
            "help": "validations without a new best after which it falls; 0: never",
        },
    ),
    "decay": (0.5, {"type": number(float, above=0, below=1), "metavar": "X", "help": "the factor by which it falls"}),
    "monitor": ("loss", {"choices": ("loss", "bleu"), "help": "the held-out measure of what is best"}),
    "patience": (None, {**_count, "help": "stop after N validations without a new best"}),
    **rewarding.OPTIONS,
}


def build_codecs(pairs: Sequence[Pair], options: dict[str, Any]) -> tuple[Codec, Codec]:
    """The codecs of both languages, learned from the training pairs."""

    def build(*languages: list[str]) -> list[Codec]:
        return Codec.build_shared(
            languages,
            options["tokens"],
            options["clean"],
            min_frequency=options["min-frequency"],
            max_vocabulary=options["vocabulary"],
        )

    sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
    source, target = build(sources, targets) if options["shared-vocabulary"] else build(sources) + build(targets)
    return source, target


def build_model(
    source_size: int, target_size: int, options: dict[str, Any], rng: np.random.Generator
) -> EncoderDecoder:
    """The model that the options describe, on their device.

    Raises:
        InputError: options do not go together.
    """
    if options["tied"] == "all" and not options["shared-vocabulary"]:
        raise InputError("--tied all needs one vocabulary for both languages: add --shared-vocabulary")
    if options["input-feeding"] and options["decoder"] != "attention":
        raise InputError(f"--input-feeding goes with --decoder attention, not with {options['decoder']}")
    common: dict[str, Any] = {
        **cell_settings(options),
        "num_layers": options["layers"],
        "rng": rng,
        "dropout": options["dropout"],
        "embedding_dropout": _first(options["embedding-dropout"], options["dropout"]),
        "output_dropout": _first(options["output-dropout"], options["dropout"]),
    }
    encoder = RecurrentEncoder(
        source_size,
        options["embedding"],
        options["encoder-hidden"] or options["hidden"],
        bidirectional=options["encoder"] == "bidirectional",
        reverse=options["encoder"] == "backward",
        **common,
    )
    decoder = _build_decoder(target_size, encoder.output_size, options, common)
    model = EncoderDecoder(encoder, decoder, bridge=options["bridge"], tied=options["tied"] == "all", rng=rng)
    model.to(options["device"])
    return model


def _build_decoder(target_size: int, memory_size: int, options: dict[str, Any], common: dict[str, Any]) -> Decoder:
    embedding, hidden, tied = options["embedding"], options["hidden"], options["tied"] != "none"
    needed = embedding if tied else hidden if options["input-feeding"] else None
    common = {
        **common,
        "deep_output": not options["shallow-output"],
        "readout_size": options["readout"] or needed,
        "tied": tied,
    }
    sizes = (target_size, embedding, hidden, memory_size)
    if options["decoder"] != "attention":
        return {"context": ContextDecoder, "handover": HandoverDecoder}[options["decoder"]](*sizes, **common)
    return AttentionDecoder(
        *sizes,
        score=chosen_score(options["score"]),
        normalize=options["normalize"],
        attention_size=options["attention-size"],
        attend=options["attend"],
        input_feeding=options["input-feeding"],
        **common,
    )


def _first(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
