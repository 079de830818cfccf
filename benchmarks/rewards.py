"""What rewards of whole sentences do to a translation model that cross-entropy has brought to its plateau.

    MINIRNN_DATA=<folder with multi30k/> python -m benchmarks.rewards            # 3 seeds and 3 controls, an hour
    MINIRNN_DATA=<folder with multi30k/> python -m benchmarks.rewards --seeds 1  # the runs of one seed alone

German to English, 10,000 pairs of Multi30k. A small model is trained by cross-entropy for 15 epochs, or until its BLEU
on the 1,014 held-out sentences has not risen for two. From its best checkpoint training goes on, with the same options
and a tenth of the learning rate: by cross-entropy for nine epochs more, or until BLEU has not risen for two; and on
sentence BLEU for three, which take about as long as those nine. Of either the best checkpoint counts: by held-out BLEU,
and by held-out reward. Everything is measured on test_2016_flickr, greedily: BLEU
and chrF by sacrebleu, on lower-cased, tokenised text; chrF and exact match were trained on by nobody.

Controls train on something else than the reward (Choshen et al. 2020): on 1 for every sentence, without a baseline; on
the reward of another sample; and on the reward without the end of a sentence.

Every run is kept in --runs and found again if it is there.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sacrebleu

from benchmarks.captions import command
from benchmarks.common import write_table
from benchmarks.multi30k import DATA
from minirnn import Run, exact_match, read_aligned
from minirnn.runs.translators import load_translator

PAIRS, SEEDS = 10_000, (0, 1, 2)
BASE = [
    *("--max-pairs", str(PAIRS), "--min-frequency", "3", "--hidden", "128", "--embedding", "128", "--tied", "decoder"),
    *("--readout", "128", "--dropout", "0.3", "--batch-size", "64", "--lr", "0.002", "--plateau", "1"),
    *("--epochs", "15", "--patience", "2", "--monitor", "bleu"),
]
REWARD = ["--reward", "bleu", "--baseline", "others", "--samples", "4", "--patience", "2"]
FURTHER = {
    "cross-entropy": ["--epochs", "9"],
    "reward": [*REWARD, "--epochs", "3"],
}
CONTROLS = {
    "1 for every sentence": ["--reward", "bleu", "--baseline", "none", "--samples", "4", "--control", "constant"],
    "the reward of another": [*REWARD, "--control", "shuffled"],
    "without the end": [*REWARD, "--control", "no-end"],
}
STOP = "."
FRAGMENTS = 4
"""Translations that are shown."""


class Measured(NamedTuple):
    """What is measured of a run on the test sentences."""

    bleu: float
    chrf: float
    exact: float
    length: float
    stops: float
    epochs: int
    written: list[str]


def trained(run: Path, *options: str) -> Path:
    """Train, unless the run is there already."""
    if not (run / "loss.png").exists():
        command("train", "translate", *options, "--threads", "1", "--quiet", "--out", str(run))
    return run


def measured(run: Path) -> Measured:
    """Greedy translations of the test sentences, and how good they are."""
    translator = load_translator(Run(run))
    pairs = read_aligned(DATA / "test_2016_flickr.de.gz", DATA / "test_2016_flickr.en.gz")
    words = [best[0].words for best in translator.translate([pair.source for pair in pairs])]
    references = [translator.target.reference(pair.target) for pair in pairs]
    written, expected = [" ".join(one) for one in words], [[" ".join(one) for one in references]]
    bleu = sacrebleu.corpus_bleu(written, expected, tokenize="none", force=True).score
    chrf = sacrebleu.corpus_chrf(written, expected).score
    length = sum(map(len, words)) / sum(map(len, references))
    stops = 100 * float(np.mean([one[-1:] == [STOP] for one in words if one]))
    return Measured(bleu, chrf, 100 * exact_match(words, references), length, stops, len(Run(run).metrics()), written)


def base(runs: Path, seed: int) -> Path:
    """The run of cross-entropy to its plateau."""
    files = [f"--{kind}{side}={DATA / split}.{language}.gz" for kind, split in (("", "train"), ("valid-", "val"))
             for side, language in (("source", "de"), ("target", "en"))]  # fmt: skip
    return trained(runs / f"base-{seed}", *files, *BASE, "--seed", str(seed))


def entropy(run: Path) -> str:
    """The mean entropy of the choices in the last epoch on rewards."""
    rows = Run(run).metrics()
    return f"{rows[-1]['train_entropy']:.2f}" if "train_entropy" in rows[-1] else ""


def row(name: str, seed: str, one: Measured, before: Measured | None, choices: str) -> list[str]:
    """A line of the table."""
    gained = "" if before is None else f"{one.bleu - before.bleu:+.2f}"
    numbers = (
        f"{one.bleu:.2f}",
        gained,
        f"{one.chrf:.2f}",
        f"{one.exact:.1f}",
        f"{one.length:.3f}",
        f"{one.stops:.1f}",
    )
    return [name, seed, *numbers, choices, str(one.epochs)]


def main() -> None:
    """Train what is not there, evaluate, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", help="only make the runs of these seeds, without controls")
    parser.add_argument("--runs", type=Path, default=Path("runs/rewards"), help="where runs are kept")
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    of_kind: dict[str, list[Measured]] = {}
    rows = []
    for seed in arguments.seeds or SEEDS:
        began = base(arguments.runs, seed)
        before = measured(began)
        rows.append(row("cross-entropy", str(seed), before, None, ""))
        for name, options in FURTHER.items():
            run = trained(arguments.runs / f"{name}-{seed}", "--from", str(began), *options)
            found = measured(run)
            of_kind.setdefault(name, []).append(found)
            rows.append(row(f"then {name}", str(seed), found, before, entropy(run)))
    if arguments.seeds:
        return
    began, before = base(arguments.runs, SEEDS[0]), measured(base(arguments.runs, SEEDS[0]))
    shown = {"reward": of_kind["reward"][0].written}
    for name, options in CONTROLS.items():
        place = arguments.runs / f"control-{name.replace(' ', '-')}-{SEEDS[0]}"
        run = trained(place, "--from", str(began), *options, "--epochs", "2")
        found = measured(run)
        shown[name] = found.written
        rows.append(row(f"control: {name}", str(SEEDS[0]), found, before, entropy(run)))
    gain = {
        measure: np.mean([getattr(a, measure) - getattr(b, measure)
                          for a, b in zip(of_kind["reward"], of_kind["cross-entropy"], strict=True)])
        for measure in ("bleu", "chrf", "exact")
    }  # fmt: skip
    say = (
        f"Test sentences; gained is over the first. Reward over further cross-entropy, mean of {len(SEEDS)} seeds: "
        f"BLEU {gain['bleu']:+.2f}, chrF {gain['chrf']:+.2f}, exact match {gain['exact']:+.1f}. "
        "Written with the end of a sentence in the reward, and without: "
        + "; ".join(f"“{shown['reward'][i]}” – “{shown['without the end'][i]}”" for i in range(FRAGMENTS))
    )
    head = [
        "trained by",
        "seed",
        "BLEU",
        "gained",
        "chrF",
        "exact, %",
        "length / reference",
        "ends with a full stop, %",
    ]
    head += ["entropy", "epochs"]
    write_table("rewards", "Rewards of whole sentences", "python -m benchmarks.rewards", head, rows, note=say)


if __name__ == "__main__":
    main()
