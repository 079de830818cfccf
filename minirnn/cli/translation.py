"""A translation model and its run directory: its options, its data, building it, loading it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minirnn import backend
from minirnn.cells import CELL_NAMES
from minirnn.cli.options import number, path
from minirnn.cli.training import FLAG, Options, optimization_options, read_options
from minirnn.data import Codec, Pair, Pairs, english_french, read_aligned, read_pairs
from minirnn.data.codec import SENTENCE_TOKENS
from minirnn.data.text import CLEANING
from minirnn.errors import InputError
from minirnn.layers.attention import SCORES
from minirnn.models import AttentionDecoder, ContextDecoder, Decoder, EncoderDecoder, HandoverDecoder, RecurrentEncoder
from minirnn.models.encoders import BRIDGES
from minirnn.training import Run
from minirnn.training.schedules import FORCING
from minirnn.translator import Translator

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
    "score": ("additive", {"choices": tuple(SCORES), "help": "the attention score"}),
    "normalize": ("softmax", {"choices": ("softmax", "none"), "help": "scores to weights"}),
    "attend": ("before", {"choices": ("before", "after"), "help": "the step, as Bahdanau, or after it, as Luong"}),
    "attention-size": (None, {**_count, "help": "features compared by additive scores (default: as --hidden)"}),
    "input-feeding": (False, {**FLAG, "help": "feed each step's readout to the next"}),
    "cell": ("gru", {"choices": CELL_NAMES, "help": "the recurrent cell"}),
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
}


class Corpora(NamedTuple):
    """What a run learns from, and what it is validated on."""

    train: list[Pair]
    valid: list[Pair]
    dropped: int


def load_corpora(options: dict[str, Any]) -> Corpora:
    """The pairs that the options name.

    Raises:
        FileNotFoundError, InputError: a file is missing or damaged, or options do not go together.
    """
    for kind in ("", "valid-"):
        if options[kind + "data"] and (options[kind + "source"] or options[kind + "target"]):
            raise InputError(f"--{kind}data goes without --{kind}source and --{kind}target: it has both sides")
        if bool(options[kind + "source"]) != bool(options[kind + "target"]):
            raise InputError(f"--{kind}source and --{kind}target go together: give both or neither")
    own = _read(options, "", options["max-pairs"])
    given = _read(options, "valid-")
    if own is None:
        if given is not None:
            raise InputError("validation pairs go with training pairs: give --data, or --source and --target")
        train = Pairs(Pair(*pair) for pair in english_french("train")[: options["max-pairs"]])
        valid = Pairs(Pair(*pair) for pair in english_french("valid"))
    elif given is not None:
        train, valid = own, given
    else:
        train, valid = hold_out(own, options["valid-fraction"], options["seed"])
    if options["swap"]:
        train, valid = (Pairs((Pair(*pair[::-1]) for pair in pairs), pairs.dropped) for pairs in (train, valid))
    return Corpora(train, valid, train.dropped + valid.dropped)


def _read(options: dict[str, Any], kind: str, max_pairs: int | None = None) -> Pairs | None:
    if options[kind + "data"]:
        return read_pairs(options[kind + "data"], max_pairs)
    if options[kind + "source"]:
        return read_aligned(options[kind + "source"], options[kind + "target"], max_pairs)
    return None


def digest(corpora: Corpora) -> str:
    """What tells corpora from others."""
    sha256 = hashlib.sha256()
    for pairs in (corpora.train, corpora.valid):
        sha256.update("\n".join("\t".join(pair) for pair in pairs).encode("utf-8", "surrogateescape"))
    return sha256.hexdigest()


def check_corpora(run: Run, options: dict[str, Any], corpora: Corpora) -> None:
    """See that the corpora are those of the run: of others another part would be held out.

    Raises:
        InputError: they are not.
    """
    if digest(corpora) != run.config.get("sha256"):
        what = options["data"] or options["source"] or "the built-in corpus"
        raise InputError(f"{what} does not hold the pairs that {run.path} was trained on")


def test_pairs(options: dict[str, Any], corpora: Corpora | None) -> tuple[list[Pair], str]:
    """The pairs to judge a run by, and what they are: the built-in corpus has a test set, other corpora what was held
    out. `corpora` are those of the run; None will do for the built-in one."""
    if options["data"] or options["source"]:
        return (corpora or load_corpora(options)).valid, "held-out pairs"
    pairs = [Pair(*pair) for pair in english_french("test")]
    return [Pair(*pair[::-1]) for pair in pairs] if options["swap"] else pairs, "test pairs"


def hold_out(pairs: Pairs, fraction: float, seed: int) -> tuple[Pairs, Pairs]:
    """Split at random, all translations of one source sentence to the same side: a corpus that lists several would
    otherwise be tested on sentences it was trained on."""
    sources = sorted({pair.source for pair in pairs})
    drawn = np.random.default_rng(seed).permutation(len(sources))[: int(fraction * len(sources))]
    held_out = {sources[i] for i in drawn}
    train = Pairs((pair for pair in pairs if pair.source not in held_out), pairs.dropped)
    return train, Pairs(pair for pair in pairs if pair.source in held_out)


def build_codecs(pairs: Sequence[Pair], options: dict[str, Any]) -> tuple[Codec, Codec]:
    """The codecs of both languages, learned from the training pairs."""

    def build(texts: list[str]) -> Codec:
        return Codec.build(
            texts,
            options["tokens"],
            options["clean"],
            min_frequency=options["min-frequency"],
            max_vocabulary=options["vocabulary"],
        )

    sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
    if options["shared-vocabulary"]:
        both = build(sources + targets)
        return both, both
    return build(sources), build(targets)


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
        "cell": options["cell"],
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
        score=options["score"],
        normalize=options["normalize"],
        attention_size=options["attention-size"],
        attend=options["attend"],
        input_feeding=options["input-feeding"],
        **common,
    )


def _first(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def read_codecs(run: Run) -> tuple[Codec, Codec]:
    """The codecs in a run's run.json.

    Raises:
        InputError: they are damaged, or need a library that is not installed.
    """
    try:
        source, target = Codec.from_json(run.config["source"]), Codec.from_json(run.config["target"])
    except (InputError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error.__cause__, ImportError):  # then it is not the file that is to blame
            raise
        said = error if isinstance(error, InputError) else repr(error)
        raise InputError(f"{run.path / 'run.json'}: the vocabulary is damaged: {said}") from error
    return source, target


def check_output(file: str) -> None:
    """See that a file can be written, before the work whose result it shall hold.

    Raises:
        InputError: it is a directory, or there is no directory for it that can be written to.
    """
    folder = Path(file).parent
    if Path(file).is_dir():
        raise InputError(f"{file} is a directory: expected a file to write")
    if not folder.is_dir():
        raise InputError(f"{file}: there is no directory {folder} to write it to")
    if not os.access(folder, os.W_OK):
        raise InputError(f"{file}: the directory {folder} cannot be written to")


def load_translator(run: Run, checkpoint: str = "best", device: str = "cpu") -> Translator:
    """The trained model of a run with its codecs, ready to translate.

    Raises:
        InputError: the run is not a translation's, is damaged, or has no checkpoint.
    """
    options = read_options(run, "translate", OPTIONS)
    source, target = read_codecs(run)
    model = build_model(
        len(source.vocabulary), len(target.vocabulary), {**options, "device": device}, backend.generator(0)
    )
    try:
        model.load_state_dict(run.model_state(checkpoint))
    except InputError as error:
        raise InputError(f"{run.path}: the {checkpoint} checkpoint does not fit its run.json: {error}") from error
    model.eval()
    return Translator(model, source, target)
