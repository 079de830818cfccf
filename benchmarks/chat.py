"""Conversations: what is remembered, and whether that helps where people just talk.

    python -m benchmarks.chat memory                        # 9 models of built-in dialogues, two minutes each
    MINIRNN_DATA=<folder with chitchat.jsonl.gz> python -m benchmarks.chat chitchat      # 2 models, an hour
    MINIRNN_DATA=<folder with chitchat.jsonl.gz> python -m benchmarks.chat diversity     # and ways to choose answers

Every model is a `minirnn train chat` command, whose run is kept in --runs and found again if it is there; the tables
are made of what `minirnn evaluate` prints.

Memory dialogues: test dialogues tell what no other has told in that form, and ask for it 2 to 6 turns later; an answer
counts if every word of it is right. A model that sees the last turn alone can do no better than guess, one of 20.

Chitchat: 3,242 conversations of two people, every tenth for test. The history is the same person's and the other's
turns before; shuffled, it is another conversation's.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.captions import DATA, command, found
from benchmarks.common import write_table
from minirnn import Run
from minirnn.cli.conversing import distinct, load
from minirnn.decoding import sampler
from minirnn.reranking import Reranker
from minirnn.runs.chats import load_chat, partner_of

MEMORY = {
    "attentive": [],
    "attentive, without matching": ["--matching", "off"],
    "attentive, without copying": ["--copying", "off"],
    "attentive, without both": ["--matching", "off", "--copying", "off"],
    "hierarchical": ["--model", "hierarchical"],
    "hierarchical, with matching": ["--model", "hierarchical", "--matching", "on"],
    "flat, with attention": ["--model", "flat"],
    "flat, with attention and copying": ["--model", "flat", "--copying", "on"],
    "the last turn alone": ["--model", "last"],
}
CHITCHAT = {
    "flat, three turns, with attention": ["--model", "flat", "--turns", "3", "--hidden", "128", "--epochs", "3"],
    "hierarchical, ten turns": ["--model", "hierarchical", "--hidden", "192", "--epochs", "4"],
}
CHAT = DATA.parent / "chitchat.jsonl.gz"
OF_CHITCHAT = [
    *("--vocabulary", "5000", "--max-length", "40", "--embedding", "128", "--tied", "--dropout", "0.3"),
    *("--lr", "0.003", "--batch-size", "128"),
]
BACKWARD = ["--model", "backward", "--hidden", "128", "--epochs", "1"]
ASKED, EXAMPLE = 500, 7
"""Answers that are compared, and the one that is shown."""
DISTANCES = range(2, 7)
TURNS = ("all", "1", "2", "3 to 4", "5 to 8", "9 or more")


def trained(run: Path, *options: str) -> tuple[str, str]:
    """Train a model, unless its run is there already. Returns its weights in thousands, and what is measured of it."""
    if not (run / "best.safetensors").exists():
        command("train", "chat", *options, "--quiet", "--out", str(run))
    model, *_ = load_chat(Run(run))
    return f"{model.num_parameters() / 1000:.0f}", command("evaluate", str(run))


def place(runs: Path, part: str, model: str) -> Path:
    """The run of a model."""
    return runs / re.sub(r"\W+", "-", f"{part}-{model}")


def memory(runs: Path) -> None:
    """The table of memory dialogues."""
    rows = []
    for model, options in MEMORY.items():
        weights, told = trained(place(runs, "memory", model), *options)
        by_distance = (found(rf"turns back .*\b{d}: ([\d.]+)", told) for d in DISTANCES)
        looked = found(r"tells the answer: ([\d.]+)", told)
        rows.append([model, weights, found(r"(?m)^exact ([\d.]+)", told), *by_distance, looked,
                     found(r"unseen names ([\d.]+)", told)])  # fmt: skip
    head = ["model", "weights, thousands", "exact, %", *(f"{d} turns back" for d in DISTANCES)]
    head += ["looked at a turn that tells it, %", "exact with unseen names, %"]
    say = (
        "500 test dialogues with 676 questions whose answer was told 2 to 6 turns before, in combinations of name, "
        "fact and form that training never had; 746 questions with names that training never had. All as `train chat` "
        "does by default, but for what the row says."
    )
    write_table("chat_memory", "Dialogues to be remembered", "python -m benchmarks.chat memory", head, rows, note=say)


def chitchat(runs: Path) -> None:
    """The table of real conversations."""
    rows = []
    for model, options in CHITCHAT.items():
        weights, told = trained(place(runs, "chitchat", model), "--data", str(CHAT), *OF_CHITCHAT, *options)
        of_turns = [re.search(rf"^ +{turns} +[\d,]+ +(.+)$", told, re.MULTILINE) for turns in TURNS]
        costs = [one.group(1).split() if one else ["–"] * 5 for one in of_turns]
        for k, history in enumerate(("true", "shuffled", "empty")):
            rows.append([model if not k else "", weights if not k else "", history, *(one[k] for one in costs)])
    for k, counted in ((3, "bigrams"), (4, "trigrams")):
        rows.append([f"{counted}, Witten-Bell", "", "", *(one[k] for one in costs)])
    head = ["model", "weights, thousands", "history", *(f"turns before: {turns}" for turns in TURNS)]
    say = (
        "Perplexity of the answers (all turns but the first) of 324 test conversations; 5,000 words, turns cut to 40 "
        "tokens, the end of a turn counted. The same tokens for all, also for those that counted."
    )
    write_table("chat_chitchat", "Chitchat", "python -m benchmarks.chat chitchat", head, rows, note=say)


def diversity(runs: Path) -> None:
    """The table of how answers are chosen: whether they fit everything."""
    backward = place(runs, "chitchat", "backward")
    data = ["--data", str(CHAT)]
    trained(backward, *data, *OF_CHITCHAT, *BACKWARD)
    model, learned, options = load_chat(Run(place(runs, "chitchat", "hierarchical, ten turns")))
    partner = partner_of(model, learned, options)
    conversations = load(options).test
    said = [turns[:i] for turns in conversations for i in range(1, len(turns))][:: 11_435 // ASKED][:ASKED]
    told, of_backward, _ = load_chat(Run(backward))
    reranker = Reranker(told, of_backward.codec, 0.5, cut=options["max-length"])
    ways: dict[str, dict[str, Any]] = {
        "greedy": {},
        "greedy, without `<unk>`": {"allow_unknown": False},
        "anti-LM, λ = 0.5": {"anti_lm": 0.5},
        "beam 10": {"beam_size": 10},
        "beam 10, reranked": {"beam_size": 10, "reranker": reranker},
        "drawn": {"choose": sampler(0)},
        "drawn, top-p 0.8": {"choose": sampler(0, top_p=0.8)},
    }
    rows, shown = [], []
    for name, how in ways.items():
        texts = [answer.text for answer in partner.answer(said, **how)]
        words = [text.split() for text in texts]
        text, most = Counter(texts).most_common(1)[0]
        grams = (f"{distinct(words, n):.3f}" for n in (1, 2))
        length = sum(map(len, words)) / len(words)
        rows.append([name, *grams, f"{100 * most / len(texts):.1f}", text, f"{length:.1f}"])
        shown.append(f"{name}: “{texts[EXAMPLE]}”")
    head = ["answers", "distinct-1", "distinct-2", "most frequent, %", "which", "words"]
    say = (
        f"{len(said)} answers of the hierarchical model. Distinct: different n-grams of all (Li et al. 2016). To “"
        f"{said[EXAMPLE][-1]}” it says, " + "; ".join(shown)
    )
    write_table("chat_diversity", "Against “I don't know”", "python -m benchmarks.chat diversity", head, rows, note=say)


def main() -> None:
    """Train what is not there, evaluate, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"memory": memory, "chitchat": chitchat, "diversity": diversity}
    parser.add_argument("part", choices=parts)
    parser.add_argument("--runs", type=Path, default=Path("runs/chat"), help="where runs are kept")
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    parts[arguments.part](arguments.runs)


if __name__ == "__main__":
    main()
