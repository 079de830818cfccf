"""`minirnn chat`: talk with a trained model."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from minirnn import backend
from minirnn.cli.computing import add_device
from minirnn.cli.lines import at_terminal, read_lines, sentence
from minirnn.cli.notes import EmptyResults, UnknownTokens
from minirnn.cli.options import number, path
from minirnn.cli.runs import open_run
from minirnn.cli.translate import SAMPLING, SEARCH
from minirnn.decoding import greedy, sampler
from minirnn.errors import InputError
from minirnn.partner import Answer, Partner
from minirnn.reranking import Reranker
from minirnn.runs.chats import load_chat, partner_of, reranker_of
from minirnn.training import Run

HELP = "/reset begins a new conversation, /why shows what was looked at for the last answer"
MOST_SHOWN = 60
"""Characters of a turn that `/why` shows."""
MOST_TOKENS = 12
"""Tokens of an answer of which it says where they looked: who repeats one thing looks at one thing."""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "chat",
        help="talk with a trained model",
        description=f"Answer the lines of the standard input, one after the other, with what was said before in mind. "
        f"{HELP}.",
        epilog="example: minirnn chat runs/chat-1",
    )
    parser.add_argument("RUN", type=path, help="the run directory")
    search, drawn = parser.section(SEARCH), parser.section(SAMPLING)
    search.add_argument("--beam", type=number(int, 1), default=1, metavar="N", help="beam size (default: 1, greedy)")
    drawn.add_argument("--sample", action="store_true", help="draw answers at random")
    drawn.add_argument("--temperature", type=number(float, above=0), metavar="X", help="of --sample (default: 1)")
    drawn.add_argument("--top-k", type=number(int, 1), metavar="K", help="with --sample: from the K most probable")
    drawn.add_argument(
        "--top-p", type=number(float, above=0), metavar="P", help="with --sample: from the most probable that sum to P"
    )
    drawn.add_argument("--seed", type=number(int, 0), metavar="N", help="of --sample (default: 0)")
    search.add_argument(
        "--anti-lm",
        type=number(float, 0),
        default=0.0,
        metavar="X",
        help="against answers that fit everything: take X times their log-probability without a history off the first "
        "tokens (default: 0)",
    )
    search.add_argument(
        "--rerank",
        type=path,
        metavar="RUN",
        help="with --beam: of what the beam has found, the answer that best explains what it answers, by a run of "
        "train chat --model backward",
    )
    search.add_argument(
        "--rerank-weight",
        type=number(float, 0),
        metavar="X",
        help="of --rerank, beside the answer's own log-probability (default: 0.5)",
    )
    search.add_argument("--no-unknown", action="store_true", help="never write <unk>")
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best", help="which weights (default: best)")
    add_device(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Answer line by line."""
    search = _search(arguments)
    model, learned, options = load_chat(open_run(arguments), arguments.checkpoint, arguments.device)
    if options["model"] == "backward":
        raise InputError(f"{arguments.RUN} has a backward model, which answers nothing: give it to --rerank")
    partner = partner_of(model, learned, options)
    said: list[str] = []
    answer: Answer | None = None
    noted, unknown, empty = False, UnknownTokens(learned.codec.vocabulary), EmptyResults("answer", _how(arguments))
    if at_terminal():
        print(HELP, file=sys.stderr)
    for line in map(sentence, read_lines("answer", "turn")):
        words = line.strip()
        if words == "/reset":
            said, answer, noted = [], None, False
            print("(a new conversation)", flush=True)
        elif words == "/why":
            print("\n".join(why(partner, said[:-1], answer)), flush=True)
        elif re.fullmatch(r"/[a-z]+", words):
            print(f"note: there is no {words}: there are /reset and /why", file=sys.stderr)
        elif words:
            said.append(words)
            if not learned.placeholders:  # else they are read as what they are
                unknown.note(learned.codec.cut(words))
            (answer,) = partner.answer([said], **search)
            said.append(answer.text)
            print(" ".join(answer.text.split()) or "…", flush=True)
            if not answer.text:
                empty.note(words)
            if len(said) >= partner.turns and not noted and options["model"] != "last":
                noted = True
                print(f"note: from now on only the latest {partner.turns} turns are remembered", file=sys.stderr)
            said = said[-partner.turns - 1 :]
    return 0


def _how(arguments: argparse.Namespace) -> str:
    return "sample" if arguments.sample else "greedy" if arguments.beam == 1 else "beam"


def _search(arguments: argparse.Namespace) -> dict[str, Any]:
    """How to find an answer.

    Raises:
        InputError: options do not go together.
    """
    for name in ("temperature", "top_k", "top_p", "seed"):
        if getattr(arguments, name) is not None and not arguments.sample:
            raise InputError(f"--{name.replace('_', '-')} goes with --sample")
    if arguments.sample and arguments.beam > 1:
        raise InputError("choose one of --beam and --sample")
    temperature = 1.0 if arguments.temperature is None else arguments.temperature
    if arguments.rerank is None and arguments.rerank_weight is not None:
        raise InputError("--rerank-weight goes with --rerank")
    if arguments.rerank is not None and arguments.beam == 1:
        raise InputError("--rerank goes with --beam: it chooses among what a beam has found")
    rng = backend.generator(arguments.seed or 0)
    choose = sampler(rng, temperature, arguments.top_k, arguments.top_p) if arguments.sample else greedy
    return {
        "beam_size": arguments.beam,
        "choose": choose,
        "anti_lm": arguments.anti_lm,
        "allow_unknown": not arguments.no_unknown,
        "reranker": None if arguments.rerank is None else _reranker(arguments),
    }


def _reranker(arguments: argparse.Namespace) -> Reranker:
    """The backward model of another run.

    Raises:
        InputError: it is no backward model, or as `load_chat`.
    """
    model, learned, options = load_chat(Run(arguments.rerank), device=arguments.device)
    if options["model"] != "backward":
        raise InputError(f"{arguments.rerank} has no backward model: train one with train chat --model backward")
    weight = 0.5 if arguments.rerank_weight is None else arguments.rerank_weight
    return reranker_of(model, learned, options, weight)


def why(partner: Partner, said: Sequence[str], answer: Answer | None) -> list[str]:
    """What was looked at for an answer to what was said: of each turn its share of all attention; and of each word of
    the answer the word that was looked at most."""
    if answer is None:
        return ["(there is no answer yet)"]
    if answer.turns is None or answer.words is None:
        return ["(this model looks at nothing: it has its memory alone)"]
    turns = said[-answer.turns.shape[1] :]
    lines = [
        f"  {share:6.1%}  {i + 1}: {turn if len(turn) <= MOST_SHOWN else turn[: MOST_SHOWN - 1] + '…'}"
        for i, (share, turn) in enumerate(zip(answer.turns.mean(axis=0), turns, strict=True))
    ]
    for t, token in enumerate(answer.tokens[:MOST_TOKENS]):
        turn = int(answer.turns[t].argmax())
        words, weights = answer.words[turn]
        word = int(np.argmax(weights[t]))
        lines.append(f"  {token!r} looked at {words[word]!r} of turn {turn + 1}: {weights[t, word]:.1%}")
    if (more := len(answer.tokens) - MOST_TOKENS) > 0:
        lines.append(f"  … and {more} token{'s' * (more > 1)} more of the answer")
    return lines
