"""`minirnn evaluate`: how good a trained model is."""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from minirnn.cli import captioned, conversing, drawn
from minirnn.cli.caption import caption_search
from minirnn.cli.computing import add_device, in_words
from minirnn.cli.corpora import digest, load_corpora, mismatch, test_pairs
from minirnn.cli.options import check_output, number, path
from minirnn.cli.progress import Progress
from minirnn.cli.runs import open_run
from minirnn.cli.translate import OUTPUT, SEARCH, add_search_options, search_options
from minirnn.data import Pair, read_aligned, read_pairs
from minirnn.data.writing import write_atomically
from minirnn.errors import InputError
from minirnn.metrics import bleu_details
from minirnn.parallel import num_threads
from minirnn.runs.data import load_again
from minirnn.runs.tasks import read_run_options
from minirnn.runs.translators import load_translator
from minirnn.training import Run
from minirnn.translator import Translated, Translator

OF_TRANSLATIONS = ("data", "source", "target", "max_pairs", "exact")
OF_CAPTIONS = ("images", "features", "captions")
"""The options of one kind of model."""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "evaluate",
        help="measure a trained model that translates, captions, draws or chats",
        description="BLEU, perplexity and length ratio on pairs of sentences; of captions also CIDEr-D and whether the "
        "model looks; of drawings bits a pixel, beside models that count; of answers perplexity with and without their "
        "history. Without data: on the test set of the built-in corpus, or on what the run held out.",
        epilog="example: minirnn evaluate runs/translate-1 --source test.de --target test.en --beam 5",
    )
    parser.add_argument("RUN", type=path, help="the run directory")
    data = parser.section("data")
    data.add_argument(
        "--data", type=path, metavar="FILE", help="tab-separated pairs, with the columns of the training data"
    )
    data.add_argument(
        "--source", type=path, metavar="FILE", help="instead: sentences to translate, one a line (also .gz)"
    )
    data.add_argument("--target", type=path, metavar="FILE", help="and their translations, line by line")
    data.add_argument("--max-pairs", type=number(int, 1), metavar="N", help="the first N pairs only")
    data.add_argument("--images", type=path, metavar="DIR", help="of a caption model: pictures, or videos")
    data.add_argument("--features", type=path, metavar="FILE", help="or an .npz with features of pictures")
    data.add_argument("--captions", type=path, metavar="FILE", help="and their captions: file name, tab, caption")
    add_search_options(parser)
    parser.section(SEARCH).add_argument(
        "--exact",
        action="store_true",
        help="also find the most probable translations, and say how often the search did",
    )
    parser.section(OUTPUT).add_argument(
        "--output", type=path, metavar="FILE", help="write the translations, tokens separated by spaces"
    )
    add_device(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the measures."""
    if arguments.exact and arguments.coverage_penalty:
        raise InputError("--exact goes without --coverage-penalty")
    if arguments.output:
        check_output(arguments.output)
    run_directory = open_run(arguments)
    of_captions = run_directory.config.get("task") == "caption"
    held_out = {"draw": drawn.evaluate, "chat": conversing.evaluate}.get(str(run_directory.config.get("task")))
    if held_out:
        _check_nothing_else(arguments)
        held_out(run_directory, arguments)
        return 0
    _check_data(arguments, of_captions)
    if of_captions:
        captioned.evaluate(run_directory, arguments, caption_search(arguments))
        return 0
    with Progress("reading the pairs") as doing:
        pairs, what = _pairs(run_directory, arguments)
        doing.now("reading the run")
        translator = load_translator(run_directory, arguments.checkpoint, arguments.device)
    started = time.perf_counter()
    search = search_options(arguments)
    sources = [pair.source for pair in pairs]
    with Progress("translating", len(pairs), unit="sentence") as doing:
        found = [best[0] for best in translator.translate(sources, **search, step=doing.step)]
    seconds = time.perf_counter() - started
    hypotheses = [one.words for one in found]
    with Progress("measuring the perplexity"):
        measured = translator.measure(pairs, hypotheses)
    bleu = measured.bleu
    how = "greedy" if arguments.beam == 1 else f"beam {arguments.beam}"
    print(f"{len(pairs):,} {what}, {how}: {seconds:.1f} s, at most {in_words(num_threads())}")
    print(f"BLEU          {bleu.score:.2f}  ({' '.join(f'{p:.1f}' for p in bleu.precisions)}, "
          f"brevity penalty {bleu.brevity_penalty:.3f})")  # fmt: skip
    print(f"length ratio  {bleu.length_ratio:.3f}  ({bleu.hypothesis_length:,} words for {bleu.reference_length:,})")
    print(f"exact match   {100 * measured.exact_match:.1f} %")
    print(f"perplexity    {measured.perplexity:.3f}  (each token given the true ones before it)")
    if arguments.exact:
        _compare_with_exact(translator, pairs, found, search)
    if arguments.output:
        write_atomically(arguments.output, "".join(" ".join(words) + "\n" for words in hypotheses).encode())
    return 0


def _check_data(arguments: argparse.Namespace, of_captions: bool) -> None:
    """Refuse data of another kind of model.

    Raises:
        InputError: it says which.
    """
    for name in OF_TRANSLATIONS if of_captions else OF_CAPTIONS:
        if getattr(arguments, name):
            kind = "a translation" if of_captions else "a caption"
            raise InputError(f"--{name.replace('_', '-')} goes with {kind} model, and {arguments.RUN} is none")
    if of_captions and bool(arguments.images or arguments.features) != bool(arguments.captions):
        raise InputError("--images or --features and --captions go together: give both or neither")


def _check_nothing_else(arguments: argparse.Namespace) -> None:
    """Refuse what a model that draws or chats has no use for: it is measured on what its run held out.

    Raises:
        InputError: it says what.
    """
    given = {name: bool(getattr(arguments, name)) for name in (*OF_TRANSLATIONS, *OF_CAPTIONS, "output")}
    given |= {"beam": arguments.beam != 1, "length_penalty": arguments.length_penalty is not None}
    given |= {"coverage_penalty": bool(arguments.coverage_penalty)}
    for name, is_given in given.items():
        if is_given:
            raise InputError(f"--{name.replace('_', '-')} goes with a translation or a caption model, and "
                             f"{arguments.RUN} is none")  # fmt: skip


def _pairs(run_directory: Run, arguments: argparse.Namespace) -> tuple[list[Pair], str]:
    options = read_run_options(run_directory)
    if arguments.data and (arguments.source or arguments.target):
        raise InputError("--data goes without --source and --target: it has both sides")
    if bool(arguments.source) != bool(arguments.target):
        raise InputError("--source and --target go together: give both or neither")
    if arguments.data or arguments.source:
        if arguments.data:
            pairs = read_pairs(arguments.data, arguments.max_pairs)
        else:
            pairs = read_aligned(arguments.source, arguments.target, arguments.max_pairs)
        if options["swap"] and arguments.data:
            return [Pair(*pair[::-1]) for pair in pairs], "pairs"
        return list(pairs), "pairs"
    corpora = None
    if options["data"] or options["source"]:
        advice = "give pairs with --data, or --source and --target"
        corpora = load_again(run_directory, options, load_corpora, digest, mismatch, advice)
    found, what = test_pairs(options, corpora)
    if not found:
        raise InputError(f"{run_directory.path} held nothing out: give --data, or --source and --target")
    return found[: arguments.max_pairs], what


def _compare_with_exact(
    translator: Translator, pairs: list[Pair], found: list[Translated], search: dict[str, Any]
) -> None:
    """How far the search is from the optimum of the very score that it looks for."""
    search = {"length_penalty": search["length_penalty"]}
    sources = [pair.source for pair in pairs]
    with Progress("searching exactly", len(pairs), unit="sentence") as doing:
        best = [one[0] for one in translator.translate(sources, exact=True, **search, step=doing.step)]
    proven = [(a, b) for a, b in zip(found, best, strict=True) if b.proven]
    missed = [b.score - a.score for a, b in proven if b.score - a.score > 1e-6]
    print(f"exact search  proven for {len(proven):,} of {len(pairs):,} sentences; the search above missed the best of "
          f"{len(missed):,}, by {np.mean(missed) if missed else 0:.3f} nats on average")  # fmt: skip
    references = [translator.target.reference(pair.target) for pair in pairs]
    bleu = bleu_details([one.words for one in best], references).score
    print(f"              BLEU of what exact search found: {bleu:.2f}")
