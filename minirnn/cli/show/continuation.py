"""`minirnn show continuation`: what a search finds, and what there was to be found."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from minirnn.cli.options import number, path
from minirnn.cli.pictures import add_out, check_picture, draw, tell
from minirnn.cli.progress import Progress
from minirnn.cli.texts import named_text
from minirnn.data import UNKNOWN, Vocabulary, detokenize, tokenize
from minirnn.data.reading import unify
from minirnn.data.text import TOKENS
from minirnn.decoding import beam_search
from minirnn.decoding.viterbi import Continuation, viterbi
from minirnn.errors import InputError
from minirnn.models.ngram import SMOOTHINGS, NGram
from minirnn.plots.common import add_legend, new_figure, picture, save

BEAMS = (1, 2, 5, 20, 100)
WHY = """\
Why dynamic programming finds the best: to this model two beginnings that end alike are the same, whatever came before,
so of all that lead to one state only the most probable is kept. A recurrent network remembers all that it has read: no
two beginnings share a state, nothing can be merged, and only trying all V^length of them would be sure."""


def add_parser(pictures: Any) -> None:
    """Add the command to the parser."""
    parser = pictures.add_parser(
        "continuation",
        help="greedy, beam and exact search on an n-gram model",
        description="Count an n-gram model of a text, and continue a prefix as probably as possible: greedily, with "
        "beams, and exactly, by dynamic programming. A few seconds.",
        epilog="example: minirnn show continuation --n 4 --prefix 'The ' --length 30",
    )
    parser.add_argument(
        "--data", type=path, metavar="FILE", help="a UTF-8 text (default: the English of Python's help)"
    )
    parser.add_argument("--tokens", choices=TOKENS, default="char", help="what it is cut into (default: char)")
    parser.add_argument("--n", type=number(int, 1), default=4, metavar="N", help="the longest gram (default: 4)")
    parser.add_argument("--smoothing", choices=SMOOTHINGS, default="kneser-ney", help="(default: kneser-ney)")
    parser.add_argument(
        "--prefix", type=unify, default="The ", metavar="TEXT", help="what to continue (default: 'The ')"
    )
    parser.add_argument("--length", type=number(int, 1), default=30, metavar="L", help="tokens to write (default: 30)")
    add_out(parser, "continuation.png")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table, and draw it."""
    check_picture(arguments.out)
    with Progress("reading the text"):
        pieces = tokenize(named_text(arguments.data), arguments.tokens)
        vocabulary = Vocabulary.build(pieces, 1)
    prefix = tokenize(arguments.prefix, arguments.tokens)
    if not prefix:
        raise InputError("the prefix must have at least one token")
    if strangers := [piece for piece in prefix if piece not in vocabulary]:
        raise InputError(f"the text never has {strangers[0]!r}: choose another --prefix")
    with Progress("counting n-grams") as doing:
        model = NGram(vocabulary.encode(pieces), len(vocabulary), arguments.n, smoothing=arguments.smoothing)
        doing.now("searching")
        found, exact = search(model, vocabulary.encode(prefix), arguments.length, vocabulary.ids[UNKNOWN])
    counted = f"{len(pieces):,} tokens counted, {len(vocabulary)} different"
    print(f"{counted}; {arguments.n}-gram model, {arguments.smoothing}\n")
    rows = [("greedy" if beam == 1 else f"beam {beam}", *one) for beam, one in found.items()]
    for name, log_prob, tokens in [*rows, ("exact", exact.log_prob, exact.tokens)]:
        written = detokenize([*prefix, *vocabulary.decode(tokens)], arguments.tokens)
        print(f"{name:8}  log-probability {log_prob:9.3f}  {written!r}")
    states, beginnings = sum(exact.states), sum(exact.beginnings)
    print(
        f"\nthe exact search merged {beginnings:,} beginnings into {states:,} states in {arguments.length} steps; "
        f"without merging there are {len(vocabulary) - 1}^{arguments.length}.\n\n{WHY}"
    )
    tell(draw(_draw, {beam: log_prob for beam, (log_prob, _) in found.items()}, exact.log_prob, arguments.out))
    return 0


def search(
    model: NGram, prefix: np.ndarray, length: int, unknown: int
) -> tuple[dict[int, tuple[float, tuple[int, ...]]], Continuation]:
    """What each beam finds, log-probability and tokens by beam size, and what there is to be found."""

    def step(tokens: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        log_probs, state = model.step(tokens, state)
        log_probs[:, unknown] = -np.inf  # the end, which never comes: all continuations are of one length
        return log_probs, state

    state = model.start(1)
    for token in prefix[:-1]:
        state = model.advance(np.array([token]), state)
    found = {}
    for beam in BEAMS:
        (best,) = beam_search(step, state, prefix[-1:], beam_size=beam, eos=unknown, max_length=length)
        found[beam] = best[0].log_prob, best[0].tokens
    return found, viterbi(model, model.advance(prefix[-1:], state), length, forbidden=[unknown])


@picture
def _draw(found: dict[int, float], exact: float, path: str) -> Any:
    figure = new_figure()
    if figure is None:
        return None
    axes = figure.subplots()
    (searched,) = axes.semilogx(list(found), list(found.values()), marker="o")
    best = axes.axhline(exact, color="C1", linestyle="--")
    axes.set_xticks(list(found), [str(beam) for beam in found])
    axes.set_xlabel("beam size (1 is greedy)")
    axes.set_ylabel("log-probability found (nats)")
    add_legend(axes, {"beam search": searched, "the best there is": best}, loc="lower right")
    axes.grid(alpha=0.3)
    return save(figure, path)
