"""What `minirnn train chat` can be told, what a run keeps of its data, and the model built from both."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minirnn import backend
from minirnn.data import Codec
from minirnn.data.codec import SENTENCE_TOKENS
from minirnn.data.text import CLEANING
from minirnn.data.vocabulary import SPECIALS
from minirnn.errors import InputError
from minirnn.models import AttentionDecoder, ContextDecoder, EncoderDecoder
from minirnn.models.copying import CopyingDecoder
from minirnn.models.history_encoders import FlatEncoder, HierarchicalEncoder
from minirnn.partner import Partner
from minirnn.reranking import Reranker
from minirnn.runs import rewarding
from minirnn.runs.cells import cell_options, cell_settings
from minirnn.runs.options import FLAG, Options, number, optimization_options, path, read_options, schedule_options
from minirnn.runs.own import SCORE, chosen_score
from minirnn.runs.weights import load_model
from minirnn.training import Run

_count = {"type": number(int, 1), "metavar": "N"}
_probability = {"type": number(float, 0, 1), "metavar": "P"}
MODELS = ("attentive", "hierarchical", "flat", "last", "backward")
TURN_BY_TURN, ONE_TURN = ("attentive", "hierarchical"), ("last", "backward")
SWITCH = ("on", "off")
MOST_TURNS = 100
PLACEHOLDERS = 8
"""For unknown words, where they can be copied."""
HIDDEN = 0.3
"""The probability of a rare word to be made unknown in a conversation, so that copying is learned."""

OPTIONS: Options = {
    "data": (None, {"type": path, "metavar": "FILE", "help": "conversations: JSON lines, lists of turns, or text, "
                    "a turn a line and blank lines between conversations (also .gz); without it, dialogues about "
                    "names and places that have to be remembered"}),
    "test-every": (10, {"type": number(int, 2), "metavar": "N", "help": "of --data, every so many conversations one is "
                        "held out to test with"}),
    "examples": (None, {**_count, "help": "built-in dialogues to learn from (default: all)"}),
    "model": ("attentive", {"choices": MODELS, "help": "how the history is read: turn by turn, looking at turns and "
                            "words; turn by turn; as one text, looking at words; only the last turn; or backward: from "
                            "an answer to what it answers, for chat --rerank"}),
    "score": ("additive", {**SCORE.settings(), "help": "the attention score"}),
    "matching": (None, {"choices": SWITCH, "help": "read turn by turn, compare the words of each turn with those of "
                        "the latest (default: on with attentive)"}),
    "copying": (None, {"choices": SWITCH, "help": "take over words that are looked at, even unknown ones (default: on "
                       "with attentive)"}),
    "turns": (10, {"type": number(int, 1, MOST_TURNS + 1), "metavar": "N", "help": "of the history, the latest"}),
    "tokens": ("word", {"choices": SENTENCE_TOKENS, "help": "what turns are cut into"}),
    "clean": ("lower", {"choices": CLEANING, "help": "simplify turns: lower case, or lower-case letters only"}),
    "min-frequency": (1, {**_count, "help": "rarer tokens become <unk>"}),
    "vocabulary": (None, {**_count, "help": "at most N tokens"}),
    "max-length": (40, {"type": number(int, 2), "metavar": "N", "help": "cut longer turns"}),
    **cell_options("gru"),
    "hidden": (96, {**_count, "help": "units over words, in each direction, over turns and of the decoder"}),
    "embedding": (48, {**_count, "help": "features of the embedding"}),
    "tied": (False, {**FLAG, "help": "one embedding for what is read and what is written, whose weights are the "
                     "output's too"}),
    "dropout": (0.0, {**_probability, "help": "on words, turns, what is attended to and before the output"}),
    "batch-size": (64, {**_count, "help": "answers in a batch"}),
    **optimization_options(lr=0.005, epochs=3),
    **schedule_options(warmup=100),
    **rewarding.OPTIONS,
}  # fmt: skip


def check(options: dict[str, Any]) -> None:
    """Refuse options that do not go together.

    Raises:
        InputError: it says which.
    """
    if options["examples"] and options["data"]:
        raise InputError("--examples goes with the built-in dialogues")
    if options["test-every"] != OPTIONS["test-every"][0] and not options["data"]:
        raise InputError("--test-every goes with --data: the built-in dialogues have their own test part")
    if options["model"] in ONE_TURN and options["turns"] != OPTIONS["turns"][0]:
        raise InputError(f"--turns goes with a model of more than one turn, not {options['model']}")
    if options["model"] == "hierarchical":
        if options["score"] != OPTIONS["score"][0]:
            raise InputError("--score goes with a model that looks at words; hierarchical looks at nothing")
        if options["copying"] == "on":
            raise InputError("--copying goes with a model that looks at words; hierarchical looks at nothing")
    if options["model"] == "backward" and options["copying"] == "on":
        raise InputError("--copying goes with a model that answers, not with backward")
    if options["matching"] == "on" and options["model"] not in TURN_BY_TURN:
        raise InputError("--matching goes with a model that reads turn by turn: attentive or hierarchical")


def is_on(options: dict[str, Any], name: str) -> bool:
    """Whether there is "matching", or "copying"."""
    return (options[name] or ("on" if options["model"] == "attentive" else "off")) == "on"


def turns_of(options: dict[str, Any]) -> int:
    """How many turns of the history a model reads."""
    return 1 if options["model"] in ONE_TURN else options["turns"]


class Learned(NamedTuple):
    """What a run learns from its data when it begins: how turns become tokens, the most of one that is written, and how
    many placeholders the vocabulary ends with."""

    codec: Codec
    max_length: int
    placeholders: int

    def to_json(self) -> dict[str, Any]:
        """As run.json has it."""
        return {"codec": self.codec.to_json(), "most_tokens": self.max_length,
                "placeholders": self.placeholders}  # fmt: skip


def read_learned(run: Run) -> Learned:
    """What a run has learned, from its run.json.

    Raises:
        InputError: it is damaged, or needs a library that is not installed.
    """
    try:
        codec, most = Codec.from_json(run.config["codec"]), run.config["most_tokens"]
        if type(most) is not int or not 1 <= most < 2**31:
            raise ValueError(f"most_tokens is {most!r}")
        placeholders = run.config.get("placeholders", 0)
        if type(placeholders) is not int or not 0 <= placeholders <= len(codec.vocabulary) - len(SPECIALS):
            raise ValueError(f"placeholders is {placeholders!r}")
    except (InputError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error.__cause__, ImportError):  # then it is not the file that is to blame
            raise
        said = error if isinstance(error, InputError) else repr(error)
        raise run.damaged(said) from error
    return Learned(codec, most, placeholders)


def build_model(learned: Learned, options: dict[str, Any], rng: np.random.Generator) -> EncoderDecoder:
    """The model that the options describe, on their device."""
    V, E, H, dropout = len(learned.codec.vocabulary), options["embedding"], options["hidden"], options["dropout"]
    cell = cell_settings(options)
    encoder: Any
    decoder: Any
    if options["model"] not in TURN_BY_TURN:
        encoder = FlatEncoder(V, E, H, **cell, dropout=dropout, rng=rng)
    else:
        words = options["model"] == "attentive"
        looks = {"words": words, "matching": is_on(options, "matching")}
        encoder = HierarchicalEncoder(V, E, H, H, **cell, **looks, dropout=dropout, rng=rng)
    common: dict[str, Any] = {**cell, "embedding_dropout": dropout, "output_dropout": dropout, "rng": rng}
    if options["tied"]:
        common |= {"readout_size": E, "tied": True}
    if options["model"] == "hierarchical":
        decoder = ContextDecoder(V, E, H, encoder.output_size, **common)
    else:
        how: dict[str, Any] = {"score": chosen_score(options["score"]), "attend": "after", "input_feeding": True}
        kind = CopyingDecoder if is_on(options, "copying") else AttentionDecoder
        decoder = kind(V, E, H, encoder.output_size, **how, **common)
    model = EncoderDecoder(encoder, decoder, bridge="learned", tied=options["tied"], rng=rng)
    model.to(options["device"])
    return model


def load_chat(
    run: Run, checkpoint: str = "best", device: str = "cpu"
) -> tuple[EncoderDecoder, Learned, dict[str, Any]]:
    """The trained model of a run, what it has learned of its data, and its options.

    Raises:
        InputError: the run is another task's, is damaged, or has no checkpoint; or it compares turns, and was begun
            before they were compared by the words they share.
    """
    options = read_options(run, "chat", OPTIONS)
    check(options)
    if is_on(options, "matching") and run.version is None:  # the weights are of the same shapes, and of no use
        raise InputError(f"{run.path} was trained when turns were compared in another way: train it anew")
    learned = read_learned(run)
    model = load_model(
        run, lambda: build_model(learned, {**options, "device": device}, backend.generator(0)), checkpoint
    )
    return model, learned, options


def partner_of(model: EncoderDecoder, learned: Learned, options: dict[str, Any]) -> Partner:
    """A model that answers, with its language."""
    limits = {"turns": turns_of(options), "max_length": learned.max_length, "cut": options["max-length"]}
    return Partner(model, learned.codec, placeholders=learned.placeholders, **limits)


def reranker_of(model: EncoderDecoder, learned: Learned, options: dict[str, Any], weight: float = 0.5) -> Reranker:
    """A backward model, with its language."""
    return Reranker(model, learned.codec, weight, cut=options["max-length"])


def load_partner(run: Run, checkpoint: str = "best", device: str = "cpu") -> Partner | Reranker:
    """The trained model of a run with its language; a backward model answers nothing, but reranks.

    Raises:
        InputError: the run is another task's, is damaged, or has no checkpoint.
    """
    model, learned, options = load_chat(run, checkpoint, device)
    return (reranker_of if options["model"] == "backward" else partner_of)(model, learned, options)
