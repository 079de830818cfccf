"""`minirnn train translate`, `translate` and `evaluate`, as a user meets them."""

import io
import itertools
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from commands import beside_results, refused, run, without_progress

from minirnn import Run, load_checkpoint
from minirnn.cells import CELL_NAMES
from minirnn.data.codec import SENTENCE_TOKENS
from minirnn.data.vocabulary import SPECIALS
from minirnn.errors import install
from minirnn.layers.attention import SCORES
from minirnn.training import Translation

WORDS = [
    ("one", "un"),
    ("two", "deux"),
    ("red", "rouge"),
    ("big", "grand"),
    ("cat", "chat"),
    ("dog", "chien"),
    ("!", "!"),
]
SMALL = [
    "--hidden",
    12,
    "--encoder-hidden",
    6,
    "--embedding",
    8,
    "--batch-size",
    8,
    "--lr",
    0.02,
    "--epochs",
    2,
    "--quiet",
]


def write_corpus(path):
    """Every pair of words, which translate one by one."""
    pairs = [(f"{a} {b}", f"{x} {y}") for (a, x), (b, y) in itertools.product(WORDS, WORDS)]
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    return path


@pytest.fixture(autouse=True)
def no_pictures(request, monkeypatch):
    """Drawing takes longer than training: only where a test asks for it."""
    if "pictures" not in request.fixturenames:
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)


@pytest.fixture
def pictures():
    """Asks for it."""
    pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A trained run for every kind of tokens, and one without attention. Their corpus is gone."""
    folder = tmp_path_factory.mktemp("runs")
    corpus = write_corpus(folder / "corpus.tsv")
    short = [*SMALL, "--epochs", 5, "--valid-fraction", 0.1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib.figure", None)
        for tokens in SENTENCE_TOKENS:
            assert (
                run("train", "translate", "--data", corpus, "--tokens", tokens, "--out", folder / tokens, *short) == 0
            )
        plain = ["--decoder", "context", "--out", folder / "plain", *SMALL]
        assert run("train", "translate", "--data", corpus, *plain) == 0
    corpus.unlink()
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a test works: an empty place with a corpus."""
    monkeypatch.chdir(tmp_path)
    write_corpus(tmp_path / "pairs.tsv")
    return tmp_path


@pytest.fixture
def copy(runs, folder):
    """A run that was moved and may be damaged."""
    return shutil.copytree(runs / "word", folder / "elsewhere")


def piped(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def settings_of(cell="gru", score="additive", **others):
    """The options of a tiny model."""
    return [f"--{k}={v}" for k, v in {"cell": cell, "score": score, **others}.items()]


def test_training_tells_what_it_did(folder, pictures, capsys):
    (folder / "pairs.tsv").write_text((folder / "pairs.tsv").read_text() + "\nalone\t\n")
    assert run("train", "translate", "--data", "pairs.tsv", "--valid-fraction", 0.1, *SMALL) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "runs/translate-1: 45 pairs to learn from, 4 held out (1 with an empty side left out), 11 and 11"
    )
    assert "BLEU on 4 held-out pairs: " in out
    assert out.count("  reference  ") == 4
    made = {p.name for p in (folder / "runs" / "translate-1").iterdir()}
    assert made >= {"run.json", "last.safetensors", "best.safetensors", "metrics.jsonl"}
    assert made >= {"loss.png", "lengths.png", "attention.png"}
    rows = [json.loads(line) for line in (folder / "runs" / "translate-1" / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert {"train_loss", "valid_loss", "valid_perplexity", "valid_bleu"} <= rows[0].keys()


SETTINGS = [settings_of(cell) for cell in CELL_NAMES] + [settings_of(score=score) for score in SCORES]
SETTINGS += [
    settings_of(attend="after", normalize="none"),
    settings_of(readout=8, tied="decoder", sampling="linear"),
    [*settings_of(layers=2, dropout=0.1, tied="all", plateau=0), "--shared-vocabulary", "--input-feeding", "--swap"],
    ["--decoder=handover", "--encoder=backward", "--bridge=copy", "--encoder-hidden=12", "--shallow-output"],
    ["--decoder=context", "--cell=lstm", "--clean=letters", "--tokens=char", "--label-smoothing=0.1"],
    [
        "--attention-penalty=0.1",
        "--monitor=bleu",
        "--valid-fraction=0.1",
        "--patience=1",
        "--warmup=5",
        "--decay-every=1",
    ],
]


@pytest.mark.parametrize("options", SETTINGS, ids=" ".join)
def test_every_kind_of_model_trains_and_translates(options, folder, capsys):
    small = [*SMALL, "--epochs", 1, "--max-pairs", 20, "--out", "r"]
    assert run("train", "translate", "--data", "pairs.tsv", *small, *options) == 0
    capsys.readouterr()
    assert run("translate", "r", "red cat", "word " * 70, "--beam", 2) == 0  # longer than any in training
    assert capsys.readouterr().out.count("\n") == 2


@pytest.mark.parametrize(
    "options",
    [
        ["--max-pairs", 1],
        ["--max-pairs", 2, "--valid-fraction", 0.5],
        ["--valid-fraction", 0, "--batch-size", 1000, "--patience", 1],
        ["--max-pairs", 2, "--tokens", "bpe"],
        ["--valid-data", "pairs.tsv", "--epochs", 1],
        ["--max-length", 2],
    ],
)
def test_tiny_corpora_and_large_batches(options, folder):
    assert run("train", "translate", "--data", "pairs.tsv", *SMALL, "--out", "r", *options) == 0
    assert run("translate", "r", "red cat") == 0


def test_a_corpus_that_can_be_read_only_once(folder, capsys):
    """As `--data <(zcat …)` gives: the report and the translations must do without it."""
    honest = Translation.validate

    def validate(self):
        (folder / "pairs.tsv").unlink(missing_ok=True)
        return honest(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Translation, "validate", validate)
        options = [*SMALL, "--valid-fraction", 0.1, "--out", "r"]
        assert run("train", "translate", "--data", "pairs.tsv", *options) == 0
    assert "BLEU on 4 held-out pairs" in capsys.readouterr().out
    message = refused(capsys, "evaluate", "r")
    assert "pairs.tsv: No such file or directory; give pairs with --data" in message


def test_swapped_directions(folder, capsys):
    assert run("train", "translate", "--data", "pairs.tsv", "--swap", *SMALL, "--out", "r") == 0
    config = json.loads((folder / "r" / "run.json").read_text())
    assert "chat" in config["source"]["vocabulary"]
    assert "cat" in config["target"]["vocabulary"]
    assert run("evaluate", "r", "--data", "pairs.tsv", "--output", "out.txt") == 0
    assert len((folder / "out.txt").read_text().splitlines()) == len(WORDS) ** 2
    columns = list(zip(*(line.split("\t") for line in (folder / "pairs.tsv").read_text().splitlines()), strict=True))
    for name, column in zip(("en", "fr"), columns, strict=True):
        (folder / name).write_text("\n".join(column))
    capsys.readouterr()
    assert run("evaluate", "r", "--source", "fr", "--target", "en") == 0
    by_files = capsys.readouterr().out
    assert run("evaluate", "r", "--data", "pairs.tsv") == 0
    assert by_files.splitlines()[1:] == capsys.readouterr().out.splitlines()[1:]


def test_a_run_directory_is_all_it_takes(copy, runs, capsys):
    for options in ([], ["--beam", 3], ["--sample", "--seed", 3, "--top-k", 5], ["--exact"], ["--checkpoint", "last"]):
        assert run("translate", copy, "red cat", "", *options) == 0
        here = capsys.readouterr().out
        assert run("translate", runs / "word", "red cat", "", *options) == 0
        assert here == capsys.readouterr().out
        assert here.count("\n") == 2
    assert run("evaluate", copy, "--data", "pairs.tsv", "--max-pairs", 20, "--beam", 2, "--exact") == 0
    out = capsys.readouterr().out
    for what in (
        "20 pairs, beam 2:",
        "BLEU ",
        "length ratio ",
        "exact match ",
        "perplexity ",
        "exact search  proven for",
    ):
        assert what in out
    # Held out were pairs of a corpus that is gone, and another one's would be others, most of them trained on.
    assert "No such file or directory; give pairs with --data" in refused(capsys, "evaluate", copy)
    config = json.loads((copy / "run.json").read_text())
    config["options"]["data"] = str(copy.parent / "pairs.tsv")
    (copy / "run.json").write_text(json.dumps(config))
    assert run("evaluate", copy) == 0
    assert "4 held-out pairs, greedy" in capsys.readouterr().out
    with (copy.parent / "pairs.tsv").open("a") as file:
        file.write("more\tplus\n")
    assert "does not hold the pairs" in refused(capsys, "evaluate", copy)
    assert "does not hold the pairs" in refused(capsys, "train", "translate", "--resume", copy, "--epochs", 9)


def test_it_has_learned_something_and_evaluation_says_so(runs, folder, capsys):
    assert run("evaluate", runs / "word", "--data", "pairs.tsv", "--output", "out.txt") == 0
    out = capsys.readouterr().out
    said = float(out.split("exact match")[1].split("%")[0])
    lines = [line.split("\t")[1] for line in (folder / "pairs.tsv").read_text().splitlines()]
    right = np.mean([a == b for a, b in zip(lines, (folder / "out.txt").read_text().splitlines(), strict=True)])
    assert said == pytest.approx(100 * right, abs=0.1)
    assert said > 20


def test_lines_stay_lines_in_their_order(runs, monkeypatch, capsys):
    lines = ["red cat", "", "big dog", " ", "zebra", "one two", "cat\r"] * 60
    piped(monkeypatch, "\n".join(lines).encode())  # without a line break at the end
    assert run("translate", runs / "word") == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("note: not in the vocabulary, read as <unk>: 'zebra'\n")
    assert beside_results(captured.err) == ""
    out = captured.out.split("\n")
    assert out.pop() == ""
    assert len(out) == len(lines)
    assert out[1] == out[3] == ""
    assert out[:7] * 60 == out
    assert run("translate", runs / "word", *lines[:7]) == 0
    assert capsys.readouterr().out.split("\n")[:7] == out[:7]
    piped(monkeypatch, b"cat\r\ncat\n")
    assert run("translate", runs / "char", "--n-best", 1) == 0
    first, second = capsys.readouterr().out.strip().split("\n\n")
    assert first == second
    piped(monkeypatch, b"")
    assert run("translate", runs / "word") == 0
    assert capsys.readouterr().out == ""


def nasty_lines(rng, count):
    """Whatever may come in on a pipe."""
    odd = [b"\0" * 5, b"a\rb\r", b"\r", "a\u2028b\u2029\x85".encode(), b"\xed\xa0\x80\xed\xbf\xbf", b"\xef\xbb\xbf",
           b"\xc3", b"\xe2\x96\x81", b"l'l'l'", b"1,2.3", b"''--...", b"e\xcc\x81" * 9, b"\x1b[31m"]  # fmt: skip
    words = [*(a.encode() for a, _ in WORDS), *(s.encode() for s in SPECIALS)]
    kinds = [
        lambda: rng.randbytes(rng.randrange(60)),
        lambda: "".join(map(chr, rng.choices(range(0xD800), k=rng.randrange(20)))).encode(),
        lambda: "".join(map(chr, rng.choices(range(0xE000, 0x110000), k=rng.randrange(20)))).encode(),
        lambda: bytes(rng.choices(range(32), k=rng.randrange(20))),
        lambda: b" ".join(rng.choices(words, k=rng.randrange(8))),
        lambda: rng.choice(odd) * rng.randrange(5) + b" " * rng.randrange(3),
    ]
    return [kinds[i % len(kinds)]().replace(b"\n", b" ").replace(b"\r", b" ") for i in range(count)]


@pytest.mark.parametrize(("tokens", "count"), [("word", 10_000), ("char", 10_000), ("space", 10_000), ("bpe", 10_000)])
def test_ten_thousand_strings_of_bytes(tokens, count, runs, monkeypatch, capsys):
    lines = [*nasty_lines(random.Random(0), count - 2), b"cat " * 50_000, b"x" * 300_000]
    piped(monkeypatch, b"\n".join(lines) + b"\n")
    assert run("translate", runs / tokens, "--no-unknown") == 0
    captured = capsys.readouterr()
    assert captured.err.count("read as <unk>") <= 5
    assert max(map(len, captured.err.split("\n"))) < 500
    bytes_noted, form_noted, end = beside_results(captured.err).split("\n")
    assert bytes_noted.startswith("note: standard input line 1: expected UTF-8 text, found the byte 0x")
    assert form_noted.startswith("note: read in Unicode's composed form")
    assert end == ""
    assert captured.out.count("\n") == count
    assert "<unk>" not in captured.out
    blank = [i for i, line in enumerate(lines) if not line]
    out = captured.out.split("\n")
    assert blank
    assert not any(out[i] for i in blank)


def test_unknown_words_on_the_command_line_are_named(runs, capsys):
    assert run("translate", runs / "word", "zebra cat", "\udcff", "a\nb") == 0
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 3
    assert captured.err == "note: not in the vocabulary, read as <unk>: 'zebra', '\\udcff', 'a', '\\n', 'b'\n"


def test_a_line_break_in_a_vocabulary_makes_no_second_line(copy, capsys):
    text = (copy / "run.json").read_text()
    (copy / "run.json").write_text(text.replace('"chat"', r'"ch\nat"'))
    for _ in range(2):
        assert run("translate", copy, "cat cat", "--sample", "--temperature", 9, *["cat"] * 50) == 0
        out = capsys.readouterr().out
        assert out.count("\n") == 51
        assert "ch at" in out


def test_options_may_stand_anywhere(runs, capsys):
    orders = [["R", "cat", "dog", "--beam", 2], ["R", "--beam", 2, "cat", "dog"], ["--beam", 2, "R", "cat", "dog"],
              ["R", "cat", "--beam", 2, "dog"], ["R", "--beam", 2, "--", "cat", "dog"]]  # fmt: skip
    outputs = set()
    for order in orders:
        assert run("translate", *(runs / "word" if a == "R" else a for a in order)) == 0
        outputs.add(capsys.readouterr().out)
    assert len(outputs) == 1
    assert run("translate", runs / "word", "--", "-x") == 0
    assert capsys.readouterr().out.count("\n") == 1
    assert "required: RUN" in refused(capsys, "translate", "--beam", 2)
    assert "unrecognized arguments: --beams" in refused(capsys, "translate", runs / "word", "cat", "--beams")


def test_the_best_n_and_their_scores(runs, capsys):
    assert run("translate", runs / "word", "red cat", "big dog", "", "--beam", 4, "--n-best", 3) == 0
    *groups, last = capsys.readouterr().out.split("\n\n")
    assert last == ""
    assert [len(group.splitlines()) for group in groups] == [3, 3, 1]
    scores = [float(line.split("\t")[0]) for line in groups[0].splitlines()]
    assert scores == sorted(scores, reverse=True)
    assert len(set(groups[0].splitlines())) == 3
    assert run("translate", runs / "word", "red cat", "--n-best", 1, "--length-penalty", 1) == 0
    greedy = capsys.readouterr().out
    assert run("translate", runs / "word", "red cat", "--n-best", 1) == 0
    plain = capsys.readouterr().out
    tokens = len(plain.split("\t")[1].split()) + 1
    assert float(greedy.split("\t")[0]) == pytest.approx(float(plain.split("\t")[0]) / tokens, abs=1e-4)


def test_drawing_depends_on_the_seed_alone(runs, capsys):
    def drawn(*options):
        assert run("translate", runs / "word", *["red cat"] * 20, "--sample", "--temperature", 3, *options) == 0
        return capsys.readouterr().out

    assert drawn() == drawn("--seed", 0) != drawn("--seed", 1)
    assert drawn("--top-k", 1) == drawn("--top-k", 1, "--seed", 1)
    wild = [*["red cat"] * 50, "--temperature", 50]
    assert "<unk>" in drawn(*wild)
    assert "<unk>" not in drawn(*wild, "--no-unknown")


def test_the_proof_of_exact_search_is_shown(runs, capsys):
    assert run("translate", runs / "word", "red cat", "--exact") == 0
    assert capsys.readouterr().out.endswith("\tproven best\n")


@pytest.mark.parametrize("sentences", [["red cat"], ["red cat", "", "dog"], ["cat"] * 20])
def test_attention_is_drawn(sentences, runs, folder, pictures):
    for options in ([], ["--beam", 2]):
        assert run("translate", runs / "word", *sentences, "--attention", "map.png", *options) == 0
        assert (folder / "map.png").read_bytes().startswith(b"\x89PNG")
        (folder / "map.png").unlink()


def test_without_matplotlib(runs, folder, capsys):
    message = refused(capsys, "translate", runs / "word", "red cat", "--attention", "map.png")
    assert "pip install 'minirnn[plot]'" in message
    assert run("train", "translate", "--data", "pairs.tsv", *SMALL, "--out", "r") == 0
    out = capsys.readouterr().out
    assert "matplotlib is not installed" in out
    assert "source: 49, 3.0 tokens on average, at most 3" in out


def test_without_sentencepiece_the_run_is_not_called_damaged(runs, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    message = refused(capsys, "translate", runs / "bpe", "red cat")
    assert message == f"minirnn: error: subwords need sentencepiece: {install('data')}\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "missing.tsv"], "missing.tsv: No such file or directory"),
        (["--data", "no-tab.tsv"], "no-tab.tsv line 2: expected 2 tab-separated fields, found 1"),
        (["--data", "empty.tsv"], "empty.tsv: expected some text, found none"),
        (["--data", "one-sided.tsv"], "one-sided.tsv: expected pairs of sentences, found none with two sides"),
        (["--data", "digits.tsv", "--clean", "letters"], "no tokens are left of the sentences"),
        (["--data", "pairs.tsv", "--min-frequency", "999"], "no token occurs 999 times"),
        (["--source", "three.txt", "--target", "two.txt"], "three.txt has 3 lines and two.txt has 2"),
        (["--source", "two.txt"], "--source and --target go together"),
        (["--source", "two.txt", "--target", "two.txt", "--data", "pairs.tsv"], "--data goes without --source"),
        (["--data", "pairs.tsv", "--valid-target", "two.txt"], "--valid-source and --valid-target go together"),
        (["--valid-data", "pairs.tsv"], "validation pairs go with training pairs"),
        (["--data", "pairs.tsv", "--monitor", "bleu", "--valid-fraction", "0"], "--monitor bleu needs pairs"),
        (["--data", "pairs.tsv", "--tied", "all"], "add --shared-vocabulary"),
        (["--data", "pairs.tsv", "--decoder", "context", "--input-feeding"], "goes with --decoder attention"),
        (["--data", "pairs.tsv", "--decoder", "context", "--score", "dot"], "--score goes with --decoder attention"),
        (["--data", "pairs.tsv", "--decoder", "context", "--attention-penalty", "1"], "needs a decoder with attention"),
        (["--data", "pairs.tsv", "--attention-target", "2"], "--attention-target goes with --attention-penalty"),
        (["--data", "pairs.tsv", "--sampling-steps", "9"], "--sampling-steps goes with --sampling"),
        (["--data", "pairs.tsv", "--decay", "0.1", "--plateau", "0"], "--decay goes with --decay-every or --plateau"),
        (["--data", "pairs.tsv", "--decoder", "handover", "--bridge", "zero"], "would never see the source"),
        (["--data", "pairs.tsv", "--bridge", "copy", "--hidden", "7"], "take the bridge 'learned'"),
        (["--data", "pairs.tsv", "--tokens", "bpe", "--vocabulary", "5"], "5 subwords are too few"),
        (["--data", "pairs.tsv", "--momentum", "0.5"], "--momentum goes with --optimizer sgd"),
        (["--data", "pairs.tsv", "--out", "two.txt"], "two.txt exists already"),
        (["--data", "pairs.tsv", "--max-length", "1"], "--max-length: expected a whole number at least 2"),
        (["--data", "pairs.tsv", "--valid-fraction", "1"], "expected a number at least 0 and below 1"),
        (["--resume", "missing"], "there is no such directory"),
    ],
)  # fmt: skip
def test_bad_input_to_training(options, message, folder, capsys):
    for name, text in {
        "no-tab.tsv": "a\tb\nc d\n",
        "empty.tsv": "\n",
        "one-sided.tsv": "a\t\n\tb\n",
        "digits.tsv": "12\t34\n",
        "three.txt": "a\nb\nc\n",
        "two.txt": "a\nb\n",
    }.items():
        (folder / name).write_text(text)
    before = sorted(folder.rglob("*"))
    assert message in refused(capsys, "train", "translate", *options)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--n-best", 3], "--n-best 3 needs a beam at least as wide: add --beam 3"),
        (["--n-best", 3, "--sample"], "--n-best goes with --beam: --sample finds one"),
        (["--beam", 2, "--exact"], "choose one of --beam, --exact and --sample"),
        (["--exact", "--sample"], "choose one of"),
        (["--exact", "--coverage-penalty", 1], "--coverage-penalty goes with --beam, not with --exact"),
        (["--top-k", 3], "--top-k goes with --sample"),
        (["--seed", 0], "--seed goes with --sample"),
        (["--sample", "--top-p", 2], "top-p must be a number above 0 and at most 1, not 2.0"),
        (["--beam", 2, "--length-penalty", 1e9], "--length-penalty: expected a number at least 0 and below 100"),
        (["--attention", "missing/map.png"], "missing/map.png: there is no directory missing"),
        (["--attention", "map.xyz"], "map.xyz: expected the name of a picture to end with .png"),
        (["--attention", "folder.png"], "folder.png is a directory"),
    ],
)
def test_bad_options_to_translate(options, message, runs, folder, pictures, capsys):
    (folder / "folder.png").mkdir()
    assert message in refused(capsys, "translate", runs / "word", "red cat", *options)


def test_bad_input_to_translate_and_evaluate(runs, folder, pictures, capsys, monkeypatch):
    assert "expected a path, found ''" in refused(capsys, "translate", "", "red cat")
    assert "this model has no attention" in refused(capsys, "translate", runs / "plain", "cat", "--attention", "x.png")
    assert "needs a model with attention" in refused(
        capsys, "translate", runs / "plain", "cat", "--beam", 2, "--coverage-penalty", 1
    )
    monkeypatch.setattr(sys, "stdin", None)
    assert "nothing to translate" in refused(capsys, "translate", runs / "word")
    evaluate = ("evaluate", runs / "word")
    data = ("--data", "pairs.tsv")
    assert "there is no directory missing" in refused(capsys, *evaluate, *data, "--output", "missing/out.txt")
    assert "is a directory" in refused(capsys, *evaluate, *data, "--output", ".")
    assert "go together" in refused(capsys, *evaluate, "--source", "pairs.tsv")
    assert "--data goes without" in refused(capsys, *evaluate, *data, "--source", "pairs.tsv")
    assert "--exact goes without" in refused(capsys, *evaluate, *data, "--exact", "--coverage-penalty", 1)
    (folder / "bad.tsv").write_text("a\n")
    assert "bad.tsv line 1: expected 2 tab-separated" in refused(capsys, *evaluate, "--data", "bad.tsv")


def test_runs_of_another_task(runs, folder, capsys):
    (folder / "text.txt").write_text("the quick brown fox. " * 40)
    small = ["--hidden", 4, "--batch-size", 2, "--steps", 8, "--epochs", 1, "--quiet"]
    assert run("train", "lm", "--data", "text.txt", *small, "--out", "lm") == 0
    capsys.readouterr()
    for command in (("translate", "lm", "red cat"), ("evaluate", "lm"), ("train", "translate", "--resume", "lm")):
        assert "lm is a run of 'lm', not of 'translate'" in refused(capsys, *command)
    assert "is a run of 'translate', not of 'lm'" in refused(capsys, "generate", runs / "word")


def damages(config):
    """Ways in which a run.json may be wrong."""
    vocabulary = config["source"]["vocabulary"]
    for side in ("source", "target"):
        for key in ("tokens", "clean", "vocabulary"):
            yield {side: {k: v for k, v in config[side].items() if k != key}}
        for value in (None, [], "word", 3):
            yield {side: value}
        for value in (None, "abc", {}, [], [1, 2], SPECIALS, vocabulary[1:], vocabulary[:-1], [*vocabulary, "new"],
                      [*vocabulary[:-1], vocabulary[4]], [*vocabulary[:-1], None], [*vocabulary[:-1], "\ud800"],
                      [vocabulary[1], vocabulary[0], *vocabulary[2:]]):  # fmt: skip
            yield {side: {**config[side], "vocabulary": value}}
        for change in ({"tokens": "bpe"}, {"tokens": 3}, {"clean": None}, {"clean": ["lower"]}, {"subwords": "junk"},
                       {"subwords": 7}, {"subwords": None}, {"spaced": "x"}, {"spaced": ["!"]}):  # fmt: skip
            yield {side: {**config[side], **change}}
    for value in (None, [], "x", {**config["options"], "cell": "gro"}, {**config["options"], "hidden": 13}):
        yield {"options": value}
    for name in ("hidden", "layers", "embedding", "dropout", "cell", "swap", "tokens"):
        for value in (None, "junk", -1, [], {}, 1e400):
            yield {"options": {**config["options"], name: value}}
    yield {"task": None}
    yield {"format": 2}


def test_every_damage_to_a_run_is_one_line(copy, capsys):
    config = json.loads((copy / "run.json").read_text())
    missing = [
        {key: ...} for key in config if key not in ("rules", "kernels", "threads", "minirnn")
    ]  # which runs have not had from the beginning
    for damage in [*damages(config), *missing]:
        damaged = {k: v for k, v in {**config, **damage}.items() if v is not ...}
        (copy / "run.json").write_text(json.dumps(damaged))
        if damage != {"sha256": ...}:
            assert "elsewhere" in refused(capsys, "translate", copy, "red cat"), damage
        assert "elsewhere" in refused(capsys, "train", "translate", "--resume", copy, "--data", "pairs.tsv"), damage
    for text in ("", "junk", "[]", "null", "[" * 100_000, json.dumps(config)[:-30]):
        (copy / "run.json").write_text(text)
        assert "run.json: damaged" in refused(capsys, "translate", copy, "red cat")
    (copy / "run.json").write_text(json.dumps(config))
    assert run("translate", copy, "red cat") == 0
    capsys.readouterr()
    whole = (copy / "best.safetensors").read_bytes()
    for data in (b"", b"junk", whole[:100], whole[:-1]):
        (copy / "best.safetensors").write_bytes(data)
        assert "best.safetensors: not a minirnn checkpoint" in refused(capsys, "translate", copy, "red cat")
    for name in ("best.safetensors", "last.safetensors"):
        (copy / name).unlink()
    assert "has no checkpoint yet" in refused(capsys, "translate", copy, "red cat")


def same_weights(one, other):
    (a, _), (b, _) = (load_checkpoint(folder / "last.safetensors") for folder in (one, other))
    assert set(a) == set(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


RESUMABLE = ["--data", "pairs.tsv", *SMALL, "--epochs", 4, "--dropout", 0.1, "--sampling", "linear", "--warmup", 9]


@pytest.mark.parametrize("at", [0, 3, 15])
def test_ctrl_c_and_resume_equals_the_whole(at, folder, capsys, monkeypatch):
    assert run("train", "translate", *RESUMABLE, "--out", "whole") == 0
    honest, steps = Translation.loss, itertools.count()

    def loss(self, *arguments):
        if next(steps) == at:
            raise KeyboardInterrupt
        return honest(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Translation, "loss", loss)
        assert run("train", "translate", *RESUMABLE, "--save-every", 0, "--out", "broken") == 130
    captured = capsys.readouterr()
    assert captured.err == "\ninterrupted; go on with: minirnn train translate --resume broken\n"
    assert "--hidden cannot change on --resume" in refused(
        capsys, "train", "translate", "--resume", "broken", "--hidden", 9
    )
    assert run("train", "translate", "--resume", "broken", "--quiet") == 0
    same_weights(folder / "whole", folder / "broken")
    assert run("train", "translate", "--resume", "broken", "--epochs", 5, "--quiet") == 0
    assert [row["epoch"] for row in Run("broken").metrics()] == [1, 2, 3, 4, 5]
    assert run("train", "translate", "--resume", "broken", "--epochs", 2, "--quiet") == 0  # which are done already


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_and_resumed_equals_the_whole(folder):
    options = [str(option) for option in [*RESUMABLE, "--epochs", 25, "--save-every", 0]]
    assert run("train", "translate", *options, "--out", "whole") == 0
    command = [sys.executable, "-m", "minirnn", "train", "translate"]
    process = subprocess.Popen([*command, *options, "--out", "killed"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    last = folder / "killed" / "last.safetensors"
    while process.poll() is None and not (last.exists() and load_checkpoint(last)[1]["step"] > 10):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert load_checkpoint(last)[1]["epoch"] < 25
    assert run("train", "translate", "--resume", "killed", "--quiet") == 0
    same_weights(folder / "whole", folder / "killed")


def in_a_shell(command, **environment):
    """The status, output and errors of a shell command."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    python = f"{shlex.quote(sys.executable)} -m minirnn"
    result = subprocess.run(
        ["bash", "-c", "set -o pipefail; " + command.replace("MINIRNN", python)],
        env={**kept, **environment}, capture_output=True, check=False,
    )  # fmt: skip
    return result.returncode, result.stdout, without_progress(result.stderr)


@pytest.mark.skipif(not shutil.which("bash"), reason="needs a shell")
def test_streams_that_are_closed_or_narrow(runs):
    translate = f"MINIRNN translate {shlex.quote(str(runs / 'word'))}"
    assert in_a_shell(f"yes 'red cat' | head -3000 | {translate} | head -1")[0] in (1, 141)
    assert in_a_shell(f"{translate} 'red cat' >&-") == (0, b"", b"")
    status, out, error = in_a_shell(f"{translate} <&-")
    assert (status, out) == (2, b"")
    assert b"nothing to translate" in error
    assert in_a_shell(f"{translate} 'red cat' <&-")[0] == 0
    status, out, error = in_a_shell(f"printf 'caf\\303\\251 \\377\\n' | {translate} | wc -l", PYTHONIOENCODING="ascii")
    assert (status, out.strip()) == (0, b"1")
    note = (
        b"note: standard input line 1: expected UTF-8 text, found the byte 0xff: read as U+FFFD, here and further on\n"
    )
    assert error == note + b"note: not in the vocabulary, read as <unk>: 'caf\\xe9', '\\ufffd'\n"
    status, out, error = in_a_shell(f"{translate} café", PYTHONIOENCODING="ascii", PYTHONUTF8="1")
    assert (status, out.count(b"\n")) == (0, 1)
    assert error == b"note: not in the vocabulary, read as <unk>: 'caf\\xe9'\n"


def heed_interrupts():
    """A shell lets what it starts in the background ignore them, and so would our child."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_terminal_gets_each_answer_at_once(sent, runs):
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "minirnn", "translate", str(runs / "word")]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": heed_interrupts}
    with subprocess.Popen(command, stdin=slave, **options) as process:
        while not without_progress(said := process.stderr.readline()):
            pass
        assert said == b"one sentence a line; Ctrl-D ends\n"
        stop = threading.Timer(20, process.kill)  # an answer that does not come shall not stop the tests
        stop.start()
        for line in (b"red cat\n", b"big dog\n"):
            os.write(master, line)
            assert process.stdout.readline().strip()
        os.write(master, b"\n")
        assert process.stdout.readline() == b"\n"
        process.send_signal(sent)
        assert process.wait(10) == 130
        assert without_progress(process.stderr.read()) == b"\nminirnn: interrupted\n"
        stop.cancel()


@pytest.mark.parametrize("arguments", [["train", "translate"], ["translate"], ["evaluate"]])
def test_help(arguments, capsys):
    assert run(*arguments, "--help") == 0
    assert "example: minirnn" in capsys.readouterr().out
