"""German-English translation of image captions (Multi30k): three models of the classic tutorials, and a better one.

    MINIRNN_DATA=<folder with multi30k/> python -m benchmarks.multi30k --train best    # one of RECIPES, or all; hours
    MINIRNN_DATA=<folder with multi30k/> python -m benchmarks.multi30k                 # evaluate, write the table

Each recipe is a `minirnn train translate` command, with the run kept in --runs. The three first models are those of the
tutorials in kind (words of lower-cased text that occur at least twice; 1: Sutskever et al. 2014, 2: Cho et al. 2014,
3: Bahdanau et al. 2015) but half as wide, 256 units instead of 512. The fourth takes what the engine offers. BLEU is
sacrebleu's on lower-cased, tokenised text (tokenize="none"), on the 1,000 sentences of test_2016_flickr.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import sacrebleu

from benchmarks.common import write_table
from minirnn import Run, Translation, corpus_bleu, no_grad, perplexity, power_penalty, read_aligned
from minirnn.cli.main import main as minirnn
from minirnn.runs.translators import load_translator
from minirnn.training.schedules import badness

DATA = Path(os.environ.get("MINIRNN_DATA", "../shared/data")) / "multi30k"
COMMON = ["--batch-size", "64", "--lr", "0.001", "--plateau", "1", "--save-every", "60"]
WORDS = ["--min-frequency", "2", "--hidden", "256", "--embedding", "256", "--patience", "3"]
RECIPES: dict[str, tuple[str, float | None, list[str]]] = {
    "model1": (
        "1: LSTM, 2 layers, state handed over",
        13.8,
        [*WORDS, "--decoder", "handover", "--encoder", "backward", "--cell", "lstm", "--layers", "2",
         "--bridge", "copy", "--shallow-output", "--dropout", "0.3", "--epochs", "14"],
    ),
    "model2": (
        "2: GRU, context at every step",
        20.6,
        [*WORDS, "--decoder", "context", "--encoder", "forward", "--bridge", "copy", "--dropout", "0.4",
         "--epochs", "10"],
    ),
    "model3": (
        "3: bidirectional GRU, additive attention",
        28.3,
        [*WORDS, "--dropout", "0.4", "--epochs", "6"],
    ),
    "best": (
        "3 with BPE, tied embeddings, label smoothing",
        None,
        ["--tokens", "bpe", "--vocabulary", "5000", "--embedding", "256", "--hidden", "384", "--encoder-hidden", "256",
         "--readout", "256", "--tied", "decoder", "--embedding-dropout", "0.3", "--output-dropout", "0.4",
         "--label-smoothing", "0.1", "--monitor", "bleu", "--patience", "5", "--epochs", "12"],
    ),
}  # fmt: skip


def train(name: str, runs: Path) -> None:
    """Train one model, or go on where its training was interrupted."""
    if (runs / name / "last.safetensors").exists():
        arguments = ["--resume", str(runs / name)]
    else:
        files = [f"--{kind}{side}={DATA / split}.{language}.gz" for kind, split in (("", "train"), ("valid-", "val"))
                 for side, language in (("source", "de"), ("target", "en"))]  # fmt: skip
        arguments = [*files, *COMMON, *RECIPES[name][2], "--out", str(runs / name)]
    try:
        minirnn(["train", "translate", "--quiet", *arguments])
    except SystemExit as end:
        if end.code:
            raise


def evaluate(name: str, runs: Path, beam: int, alpha: float) -> list[str]:
    """A row of the table."""
    title, published, _ = RECIPES[name]
    run = Run(runs / name)
    translator = load_translator(run)
    pairs = read_aligned(DATA / "test_2016_flickr.de.gz", DATA / "test_2016_flickr.en.gz")
    sources, references = [p.source for p in pairs], [translator.target.reference(p.target) for p in pairs]
    scores = []
    for options in ({}, {"beam_size": beam, "length_penalty": power_penalty(alpha)}):
        hypotheses = [best[0].words for best in translator.translate(sources, **options)]
        joined = [[" ".join(words) for words in side] for side in (hypotheses, references)]
        score = sacrebleu.corpus_bleu(joined[0], [joined[1]], tokenize="none", force=True).score
        assert abs(score - corpus_bleu(hypotheses, references)) < 1e-9
        scores.append(score)
    sides = ([translator.source.encode(s) for s in sources], [translator.target.encode(p.target) for p in pairs])
    task = Translation(translator.model, sides, ([], []), batch_size=64, rng=np.random.default_rng(0))
    with no_grad():
        nll, tokens = task.nll(*sides)
    rows = run.metrics()
    best = min(rows, key=lambda row: badness(row, trainer_monitor(run)))
    per_epoch = sum(len(translator.target.encode(text)) for text in targets_to_learn_from())
    minutes = sum(per_epoch / row["tokens_per_second"] for row in rows) / 60
    unit = "subword" if translator.target.subwords else "word"
    return [title, f"{translator.model.num_parameters() / 1e6:.1f} M", f"{best['epoch']} of {len(rows)}",
            f"{minutes:.0f} min", f"{perplexity(nll, tokens):.2f} a {unit}", f"{published or '–'}", f"{scores[0]:.2f}",
            f"{scores[1]:.2f}"]  # fmt: skip


def trainer_monitor(run: Run) -> str:
    """The measure by which a run chose its best checkpoint."""
    return f"valid_{run.config['options']['monitor']}"


def targets_to_learn_from() -> list[str]:
    """The English training sentences."""
    return [pair.target for pair in read_aligned(DATA / "train.de.gz", DATA / "train.en.gz")]


def main() -> None:
    """Train what is asked for, or evaluate what is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", choices=(*RECIPES, "all"), help="train instead of evaluating")
    parser.add_argument("--runs", type=Path, default=Path("runs/multi30k"))
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--length-penalty", type=float, default=1.0)
    arguments = parser.parse_args()
    if arguments.train:
        for name in RECIPES if arguments.train == "all" else [arguments.train]:
            train(name, arguments.runs)
        return
    found = [name for name in RECIPES if (arguments.runs / name / "best.safetensors").exists()]
    if not found:
        parser.error(f"no trained models in {arguments.runs}: train them first, with --train")
    rows = [evaluate(name, arguments.runs, arguments.beam, arguments.length_penalty) for name in found]
    header = ["model", "parameters", "best epoch", "training time", "test perplexity (teacher-forced)",
              "published BLEU", "BLEU, greedy", f"BLEU, beam {arguments.beam}"]  # fmt: skip
    command = "python -m benchmarks.multi30k --train all && python -m benchmarks.multi30k"
    write_table("multi30k", "German-English on Multi30k, test_2016_flickr", command, header, rows)


if __name__ == "__main__":
    main()
