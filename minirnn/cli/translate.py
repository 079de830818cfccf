"""`minirnn translate`: translate sentences with a trained model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from minirnn import backend
from minirnn.cli.computing import add_device
from minirnn.cli.lines import at_terminal, read_lines, sentence
from minirnn.cli.notes import EmptyResults, UnknownTokens, note
from minirnn.cli.options import Parser, number, path
from minirnn.cli.pictures import check_picture, draw
from minirnn.cli.progress import Progress
from minirnn.cli.runs import open_run
from minirnn.decoding import gnmt_penalty, power_penalty, sampler
from minirnn.decoding.hypotheses import LengthPenalty
from minirnn.errors import InputError, install
from minirnn.plots import AttentionMap, plot_attentions
from minirnn.plots.common import has_matplotlib
from minirnn.runs.translators import load_translator
from minirnn.translator import BATCH, Translated, Translator

MOST_MAPS = 16
SEARCH, SAMPLING, OUTPUT = "search", "drawing at random instead", "output"
"""Titles of the help."""
BEAM_PENALTY = 0.75  # without any, a beam prefers sentences that are too short
PENALTIES = {"power": power_penalty, "gnmt": gnmt_penalty}


def add_search_options(parser: Parser) -> None:
    """How to search, for all commands that translate."""
    count, search = number(int, 1), parser.section(SEARCH)
    search.add_argument("--beam", type=count, default=1, metavar="N", help="beam size; 1 is greedy (default: 1)")
    search.add_argument(
        "--length-penalty",
        type=number(float, 0, 100),  # beyond, length^A may be more than a number holds
        default=None,
        metavar="A",
        help=f"divide log-probabilities by length^A (default: {BEAM_PENALTY} with a beam, else 0)",
    )
    search.add_argument(
        "--penalty",
        choices=tuple(PENALTIES),
        default="power",
        help="length^A, or GNMT's ((5+length)/6)^A (default: power)",
    )
    search.add_argument(
        "--coverage-penalty",
        type=number(float, 0),
        default=0.0,
        metavar="B",
        help="prefer translations that looked at every source word (default: 0)",
    )
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best", help="which weights (default: best)")


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "translate",
        help="translate sentences with a trained model",
        description="Translate the sentences given, or else the lines of the standard input, one line each.",
        epilog="example: minirnn translate runs/translate-1 'The black cat sleeps.' --beam 5 --attention map.png",
    )
    parser.intermixed = True
    parser.add_argument("RUN", type=path, help="the run directory")
    parser.add_argument(
        "SENTENCE", nargs="*", type=sentence, help="what to translate (default: the lines of the standard input)"
    )
    add_search_options(parser)
    search, drawn, output = (parser.section(title) for title in (SEARCH, SAMPLING, OUTPUT))
    output.add_argument("--n-best", type=number(int, 1), metavar="N", help="show the N best, with their scores")
    output.add_argument(
        "--attention", type=path, metavar="PNG", help=f"draw where the model looked (at most {MOST_MAPS} sentences)"
    )
    search.add_argument("--exact", action="store_true", help="find the most probable translation there is (slow)")
    drawn.add_argument("--sample", action="store_true", help="draw translations at random")
    drawn.add_argument("--temperature", type=number(float, above=0), metavar="X", help="of --sample (default: 1)")
    drawn.add_argument(
        "--top-k", type=number(int, 1), metavar="K", help="with --sample: draw from the K most probable tokens only"
    )
    drawn.add_argument(
        "--top-p",
        type=number(float, above=0),
        metavar="P",
        help="with --sample: draw from the most probable that sum to P only",
    )
    drawn.add_argument("--seed", type=number(int, 0), metavar="N", help="of --sample (default: 0)")
    search.add_argument("--no-unknown", action="store_true", help="never write <unk>")
    add_device(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Translate line by line."""
    _check(arguments)
    translator = load_translator(open_run(arguments), arguments.checkpoint, arguments.device)
    if arguments.attention and translator.attention is None:
        raise InputError("--attention: this model has no attention")
    search = search_options(arguments) | {"n_best": arguments.n_best or 1, "exact": arguments.exact}
    search["allow_unknown"] = not arguments.no_unknown
    if arguments.sample:
        temperature = 1.0 if arguments.temperature is None else arguments.temperature
        search["choose"] = sampler(
            backend.generator(arguments.seed or 0), temperature, arguments.top_k, arguments.top_p
        )
    unknown = UnknownTokens(translator.source.vocabulary)
    empty = EmptyResults("translation", _how(arguments))
    maps: list[AttentionMap] = []
    given = arguments.SENTENCE or map(sentence, read_lines("translate", "sentence"))
    for sentences in _groups(_note_composed(translator, given), at_once=1 if arguments.exact else 4 * BATCH):
        unknown.note(token for one in sentences for token in translator.read(one))
        with Progress("translating"):
            translated = translator.translate(sentences, **search)
        for asked, found in zip(sentences, translated, strict=True):
            _print(found, arguments.n_best is not None)
            if not found[0].text and len(found[0].source) > 1:
                empty.note(asked)
            if arguments.attention and len(maps) < MOST_MAPS and found[0].attention is not None:
                maps.append(AttentionMap(found[0].attention, found[0].source, found[0].target))
        sys.stdout.flush()
    empty.end()
    if arguments.attention:
        if not maps:
            raise InputError(f"{arguments.attention}: there was nothing to draw")
        draw(plot_attentions, maps, arguments.attention)
    return 0


def _how(arguments: argparse.Namespace) -> str:
    """The kind of search that was asked for."""
    if arguments.exact or arguments.sample:
        return "exact" if arguments.exact else "sample"
    return "greedy" if arguments.beam == 1 else "beam"


def _check(arguments: argparse.Namespace) -> None:
    """Refuse options that do not go together, and what would fail only when the work is done.

    Raises:
        InputError: it says which.
    """
    ways = [way for way, wanted in (("--exact", arguments.exact), ("--sample", arguments.sample)) if wanted]
    if len(ways) + (arguments.beam > 1) > 1:
        raise InputError("choose one of --beam, --exact and --sample")
    for way in ways:
        if (arguments.n_best or 1) > 1:
            raise InputError(f"--n-best goes with --beam: {way} finds one translation")
        if arguments.coverage_penalty:
            raise InputError(f"--coverage-penalty goes with --beam, not with {way}")
    if (arguments.n_best or 1) > arguments.beam:
        raise InputError(f"--n-best {arguments.n_best} needs a beam at least as wide: add --beam {arguments.n_best}")
    for name in ("temperature", "top_k", "top_p", "seed"):
        if getattr(arguments, name) is not None and not arguments.sample:
            raise InputError(f"--{name.replace('_', '-')} goes with --sample")
    if arguments.attention:
        check_picture(arguments.attention)
        if not has_matplotlib():
            raise InputError(f"--attention needs matplotlib: {install('plot')}")


def _note_composed(translator: Translator, sentences: Iterable[str]) -> Iterator[str]:
    """The sentences, and with the first that is read in another form than it came in a note that says so."""
    noted = False
    for one in sentences:
        if not noted and (noted := translator.source.recomposes(one)):
            word = next((word for word in one.split() if translator.source.recomposes(word)), one)
            note(f"read in Unicode's composed form (NFC), an accented letter as one: {word[:40]!r}")
        yield one


def search_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `Translator.translate` needs of `add_search_options`."""
    alpha = arguments.length_penalty
    if alpha is None:
        alpha = BEAM_PENALTY if arguments.beam > 1 else 0.0
    penalty: LengthPenalty = PENALTIES[arguments.penalty](alpha)
    return {
        "beam_size": arguments.beam,
        "length_penalty": penalty,
        "coverage_penalty": arguments.coverage_penalty,
    }


def _groups(sentences: Iterable[str], at_once: int) -> Iterator[list[str]]:
    """So many sentences at a time as are translated together; from a terminal one by one, to answer at once."""
    size = 1 if at_terminal() else at_once
    rest = iter(sentences)
    while group := list(islice(rest, size)):
        yield group


def _print(found: list[Translated], with_scores: bool) -> None:
    for one in found:
        note = "" if one.proven is None else ("\tproven best" if one.proven else "\tbest found, not proven")
        text = one.text.replace("\n", " ")  # which a vocabulary that no file of pairs has made may hold
        print(f"{one.score:.4f}\t{text}{note}" if with_scores else f"{text}{note}")
    if with_scores:
        print()
