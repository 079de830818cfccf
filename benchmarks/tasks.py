"""Generated tasks: how much a reversed source, the context at every step, and attention help to add, and more.

    python -m benchmarks.tasks --train addition-plain    # one of RECIPES, or all; a few minutes each
    python -m benchmarks.tasks                           # test, write the table and the picture

Each recipe is a `minirnn train task` command, with the run kept in --runs. The additions are the example of "Deep
Learning from Scratch 2" (Saito 2018), whose figures for the first three models after 25 epochs are 9, 54 and 97.5 %.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.common import RESULTS, write_table
from minirnn import Run, corpus_bleu, exact_match
from minirnn.cli.corpora import generated
from minirnn.cli.main import main as minirnn
from minirnn.plots.common import new_figure, save
from minirnn.runs.tasks import read_run_options
from minirnn.runs.translators import load_translator

COMMON = ["--examples", "45000", "--embedding", "16", "--batch-size", "128", "--clip", "5", "--dropout", "0"]
ADDITION = [*COMMON, "--task", "addition", "--hidden", "128", "--lr", "0.001", "--plateau", "0", "--epochs", "25",
            "--bridge", "copy"]  # fmt: skip
REVERSED = [*ADDITION, "--encoder", "backward"]
RECIPES: dict[str, tuple[str, list[str]]] = {
    "addition-plain": ("addition: state handed over", [*ADDITION, "--decoder", "handover", "--encoder", "forward"]),
    "addition-reversed": ("addition: source reversed", [*REVERSED, "--decoder", "handover"]),
    "addition-context": ("addition: reversed, context at every step", [*REVERSED, "--decoder", "context"]),
    "addition-attention": ("addition: reversed, attention", [*REVERSED, "--decoder", "attention"]),
    "dates": (
        "dates: attention, LSTM 256",
        [*COMMON, "--task", "dates", "--hidden", "256", "--encoder-hidden", "128", "--lr", "0.002", "--epochs", "4"],
    ),
    "reverse": (
        "reverse: attention, LSTM 64",
        [*COMMON, "--task", "reverse", "--hidden", "64", "--lr", "0.002", "--epochs", "10"],
    ),
}


def train(name: str, runs: Path) -> None:
    """Train one model, or go on where its training was interrupted."""
    begun = (runs / name / "last.safetensors").exists()
    arguments = ["--resume", str(runs / name)] if begun else [*RECIPES[name][1], "--out", str(runs / name)]
    try:
        minirnn(["train", "task", "--quiet", *arguments])
    except SystemExit as end:
        if end.code:
            raise


def test(name: str, runs: Path) -> list[str]:
    """A row of the table: the last weights on the test questions, which no training or choice has seen."""
    run = Run(runs / name)
    translator = load_translator(run, "last")
    pairs = generated(read_run_options(run))[2]
    written = [best[0].words for best in translator.translate([pair.source for pair in pairs])]
    references = [translator.target.reference(pair.target) for pair in pairs]
    rows = run.metrics()
    tokens = 45_000 * sum(len(translator.target.encode(pair.target)) for pair in pairs) / len(pairs)
    minutes = sum(tokens / row["tokens_per_second"] for row in rows) / 60
    one_word = name != "reverse"  # of which BLEU says nothing
    return [
        RECIPES[name][0],
        f"{translator.model.num_parameters():,}",
        f"{rows[-1]['epoch']}",
        f"{minutes:.1f} min",
        f"{100 * exact_match(written, references):.2f} %",
        "–" if one_word else f"{corpus_bleu(written, references):.2f}",
    ]


def draw(names: list[str], runs: Path, path: Path) -> None:
    """Exact match on held-out sums over the epochs."""
    figure = new_figure()
    if figure is None:
        return
    axes = figure.subplots()
    for name in names:
        rows = Run(runs / name).metrics()
        points = [(row["epoch"], 100 * row["valid_exact_match"]) for row in rows]
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=RECIPES[name][0].partition(": ")[2])
    axes.set_xlabel("epoch (45,000 sums each)")
    axes.set_ylabel("held-out sums that are right (%)")
    axes.set_ylim(-2, 102)
    figure.legend(frameon=False, loc="outside lower center", ncols=2)
    axes.grid(alpha=0.3)
    save(figure, path)


def main() -> None:
    """Train what is asked for, or test what is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", choices=(*RECIPES, "all"), help="train instead of testing")
    parser.add_argument("--runs", type=Path, default=Path("runs/tasks"))
    arguments = parser.parse_args()
    if arguments.train:
        for name in RECIPES if arguments.train == "all" else [arguments.train]:
            train(name, arguments.runs)
        return
    found = [name for name in RECIPES if (arguments.runs / name / "best.safetensors").exists()]
    if not found:
        parser.error(f"no trained models in {arguments.runs}: train them first, with --train")
    header = ["model", "parameters", "epochs", "training time", "exact match on 5,000 unseen", "BLEU"]
    command = "python -m benchmarks.tasks --train all && python -m benchmarks.tasks"
    rows = [test(name, arguments.runs) for name in found]
    write_table("tasks", "Generated tasks, greedy search, 45,000 examples an epoch", command, header, rows)
    if additions := [name for name in found if name.startswith("addition")]:
        draw(additions, arguments.runs, RESULTS / "addition.png")


if __name__ == "__main__":
    main()
