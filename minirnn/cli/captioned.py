"""How good captions are: measures of what was written, and whether the model has looked."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minirnn.autograd.recording import no_grad
from minirnn.captioner import Caption, Captioner, check_features, reference_words
from minirnn.cli.collected import Collection, Part, digest, load, mismatch, read_part
from minirnn.cli.computing import in_words
from minirnn.cli.progress import Progress
from minirnn.data import moving, scenes
from minirnn.data.moving import Moving
from minirnn.data.scenes import Scene
from minirnn.data.writing import write_atomically
from minirnn.errors import InputError
from minirnn.inspection.looks import inside, movement
from minirnn.metrics import bleu_details, cider_d, perplexity
from minirnn.metrics.corpus import of_each
from minirnn.parallel import num_threads
from minirnn.plots.looks import Look
from minirnn.runs.captions import Learned, grid_of, load_captioner
from minirnn.runs.data import load_again
from minirnn.training import Run
from minirnn.training.captioning import Captioned, Captioning

STILL = 0.01
"""Maps of which less moves from word to word are the same map."""
Truth = Sequence[Any] | None


def is_true(text: str, one: Scene | Moving) -> bool:
    """Whether a caption says all that is in a scene or happens in a video, and nothing else."""
    return scenes.is_true(text, one) if isinstance(one, Scene) else moving.is_true(text, one)


def evaluate(run: Run, arguments: argparse.Namespace, search: Mapping[str, Any]) -> None:
    """Print the measures of a run on its test part, or on pictures that the command names."""
    captioner, learned, options = load_captioner(run, arguments.checkpoint, arguments.device)
    if arguments.captions:
        named = {**options, "images": arguments.images, "features": arguments.features}
        if bool(learned.shape) != bool(arguments.features):
            raise InputError(f"{run.path} reads {'--features' if learned.shape else '--images'}")
        part, what, truth = read_part(named, arguments.captions), "given", None
        check_features(learned.shape, part.seen, arguments.features)
    else:
        collection = _collection(run, options)
        truth = collection.truth.get("test")
        part, what = collection.test, "test" if truth else "held-out"
        if not part.names:
            raise InputError(f"{run.path} held nothing out: give --images or --features, and --captions")
    found = scored(captioner, learned, part, what, truth, search)
    if arguments.output:
        write_atomically(arguments.output, "".join(f"{one.text}\n" for one in found).encode())


def _collection(run: Run, options: dict[str, Any]) -> Collection:
    if not (options["images"] or options["features"]):
        return load({**options, "examples": 1})  # of the built-in ones, the test part alone is needed
    with Progress("reading the data of the run"):
        return load_again(run, options, load, digest, mismatch, "give pictures with --images and --captions")


def scored(
    captioner: Captioner,
    learned: Learned,
    part: Part,
    what: str,
    truth: Truth = None,
    search: Mapping[str, Any] | None = None,
) -> list[Caption]:
    """Caption a part of a collection, print the measures, and return the captions.

    Args:
        captioner, learned: the model, and what it has learned.
        part: what to caption.
        what: what part it is: "test".
        truth: of built-in pictures or videos what is in them.
        search: how to search; by default greedily.
    """
    sights, search = learned.sights(part.seen), dict(search or {})
    started = time.perf_counter()
    kind = "videos" if isinstance(part.seen, list) else "pictures"
    with Progress(f"captioning {len(part.names):,} {what} {kind}"):
        found = [best[0] for best in captioner.caption(sights, **search)]
    seconds = time.perf_counter() - started
    beam = search.get("beam_size", 1)
    how = "greedy" if beam == 1 else f"beam {beam}"
    print(f"{len(found):,} {what} {kind}, {how}: {seconds:.1f} s, at most {in_words(num_threads())}")
    references = [[reference_words(captioner.codec, text) for text in of_one] for of_one in part.captions]
    with of_each():
        _print_words([one.words for one in found], references)
    _print_seen(captioner, learned, part, found)
    if truth:
        share = np.mean([is_true(found[i].text, one) for i, one in enumerate(truth)])
        print(f"true {100 * share:.1f} %  (everything that is there is said, and nothing else)")
    if truth and isinstance(truth[0], Moving):
        _print_time(captioner, learned, part, found, truth)
    if captioner.attention:
        _print_looks(captioner, learned, found, truth)
    return found


def _print_words(hypotheses: list[list[str]], references: list[list[list[str]]]) -> None:
    """What was written beside what people, or the generator, said."""
    bleu = [bleu_details(hypotheses, references, max_order=n) for n in (1, 2, 3, 4)]
    print("BLEU-1 to -4  " + "  ".join(f"{one.score:.2f}" for one in bleu))
    if len(hypotheses) > 1:
        print(f"CIDEr-D       {cider_d(hypotheses, references):.3f}")
    else:
        print("CIDEr-D       none of a single picture: it weighs words by how few pictures they are said of")
    print(f"length ratio  {bleu[-1].length_ratio:.3f}")


def _print_seen(captioner: Captioner, learned: Learned, part: Part, found: Sequence[Caption]) -> None:
    """Whether captions depend on pictures at all: a model that does not look is not surprised by another's picture, and
    says the same of all of them."""
    ids = [[captioner.codec.encode(text) for text in of_one] for of_one in part.captions]
    captioned = Captioned(learned.sights(part.seen), ids)
    task = Captioning(captioner.model, captioned, captioned, batch_size=32, rng=np.random.default_rng(0))
    N = len(part.names)
    with no_grad(), Progress("measuring the perplexity"):
        own = perplexity(*task.nll(captioned))
        line = f"perplexity    {own:.3f}  (each token given the true ones before it)"
        if N > 1:
            # Everyone's neighbour in a random order: nobody keeps their own.
            order = np.random.default_rng(0).permutation(N)
            others = np.empty(N, np.int64)
            others[order] = np.roll(order, 1)
            line += f"; with pictures shuffled {perplexity(*task.nll(captioned, others)):.3f}"
    print(line)
    counts = Counter(one.text for one in found)
    text, most = counts.most_common(1)[0]
    warning = "  the model hardly looks" if N > 1 and most > N / 2 else ""
    print(f"distinct      {100 * len(counts) / N:.1f} % of the captions; the most frequent {100 * most / N:.1f} %: "
          f"{text!r}{warning}")  # fmt: skip


def _print_time(
    captioner: Captioner, learned: Learned, part: Part, found: Sequence[Caption], truth: Sequence[Any]
) -> None:
    """Whether a caption depends on time: on the order of the frames, and on there being more than one."""

    def right(captions: Sequence[Caption]) -> float:
        pairs = zip(captions, truth, strict=True)
        return 100 * float(np.mean([moving.verbs_and_order_right(caption.text, one) for caption, one in pairs]))

    print(f"what happens, in order: right of {right(found):.1f} %")
    with Progress("captioning the videos backwards, and without their motion"):
        backwards = [best[0] for best in captioner.caption(learned.sights([frames[::-1] for frames in part.seen]))]
        single = learned.sights([frames[len(frames) // 2 :][:1] for frames in part.seen])
        still = right([best[0] for best in captioner.caption(single)])
    other = np.mean([a.text != b.text for a, b in zip(found, backwards, strict=True)])
    print(f"backwards another caption of {100 * other:.1f} %; with the middle frame alone, right of {still:.1f} % "
          f"(chance {100 / len(moving.VERBS) ** 2:.1f} %)")  # fmt: skip


def _print_looks(captioner: Captioner, learned: Learned, found: Sequence[Caption], truth: Truth) -> None:
    """Where attention was, and whether it moved."""
    maps = [one.attention for one in found if one.attention is not None]
    moved = movement(maps)
    limit = np.log(max(w.shape[1] for w in maps))
    still = "" if moved.variation > STILL else ": the maps stand still"
    print(f"attention     entropy {moved.entropy:.3f} of at most {limit:.3f}; from word to word {moved.variation:.3f} "
          f"of the weight moves{still}")  # fmt: skip
    grid = grid_of(captioner, learned)
    if not truth or grid is None or not isinstance(truth[0], Scene):
        return
    found_inside = [
        inside(caption.attention[word], grid, thing.box(scenes.SIZE), scenes.SIZE)
        for caption, one in zip(found, truth, strict=True)
        if caption.attention is not None and isinstance(one, Scene)
        for word, thing in scenes.nouns(caption.text, one)
    ]
    if found_inside:
        mass, greatest, uniform = np.mean(found_inside, axis=0)
        print(f"              of a noun's step inside the thing's box: {mass:.3f} of the weight, {greatest:.3f} of the "
              f"maxima; boxes are {uniform:.3f} of the picture")  # fmt: skip


def looks(captioner: Captioner, learned: Learned, part: Part, found: Sequence[Caption]) -> list[Look]:
    """Captions with what they are of, to be drawn."""
    grid = None if isinstance(part.seen, list) else grid_of(captioner, learned)
    return [
        Look(part.seen[i] if learned.look else None, one.attention, one.tokens, grid)
        for i, one in enumerate(found)
        if one.attention is not None
    ]
