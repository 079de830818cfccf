"""Conversations from the command line: data as users bring them, what is answered to lines, and what is refused."""

import dataclasses
import io
import itertools
import json
import re
import shutil
import sys

import numpy as np
import pytest
from commands import beside_results, refused, run
from trainings import spoken

from minirnn import AttentionDecoder, ContextDecoder, InputError, load_checkpoint, save_checkpoint
from minirnn.cli.chat import MOST_TOKENS, why
from minirnn.cli.conversing import asked, distinct, exactly, learn, load, talk_of
from minirnn.data import SPECIALS
from minirnn.data import dialogues as built_in
from minirnn.models.copying import CopyingDecoder
from minirnn.partner import Answer, Partner
from minirnn.plots import common
from minirnn.reranking import Reranker
from minirnn.runs.chats import (
    HIDDEN,
    MODELS,
    ONE_TURN,
    OPTIONS,
    PLACEHOLDERS,
    Learned,
    build_model,
    check,
    is_on,
    load_chat,
    turns_of,
)
from minirnn.training import Run

TINY = ("--hidden", 6, "--embedding", 4, "--epochs", 1, "--quiet")
SMALL = ("--data", "talk.jsonl", *TINY)
ANSWERING = tuple(model for model in MODELS if model != "backward")
NOTE = "note: from now on only the latest {} turns are remembered\n"


def defaults(**changes):
    """The options of `minirnn train chat`."""
    return {name: default for name, (default, _) in OPTIONS.items()} | {"device": "cpu"} | changes


@pytest.fixture(autouse=True)
def without_matplotlib(monkeypatch):
    """What it draws takes longer than all the rest."""
    monkeypatch.setattr(common, "has_matplotlib", lambda: False)


def write_all(folder):
    (folder / "talk.jsonl").write_text("".join(json.dumps(turns) + "\n" for turns in spoken()))
    (folder / "talk.txt").write_text("\n\n".join("\n".join(turns) for turns in spoken()))


@pytest.fixture
def here(tmp_path, monkeypatch):
    write_all(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a run of every model, called as the model."""
    folder = tmp_path_factory.mktemp("chat")
    write_all(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(common, "has_matplotlib", lambda: False)
        patch.chdir(folder)
        for model in MODELS:
            turns = () if model in ONE_TURN else ("--turns", 4)
            assert run("train", "chat", *SMALL, "--model", model, *turns, "--out", model) == 0
    return folder


@pytest.fixture
def there(runs, monkeypatch):
    monkeypatch.chdir(runs)
    return runs


@pytest.fixture
def said(monkeypatch, capsys):
    """What the command writes to stdout and to stderr when it reads lines."""

    def chat(lines, *arguments):
        data = lines if isinstance(lines, bytes) else "".join(f"{line}\n" for line in lines).encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        capsys.readouterr()
        assert run("chat", *arguments) == 0
        captured = capsys.readouterr()
        return captured.out.splitlines(), captured.err

    return chat


def perplexities(out):
    """Of each row of the table the number of answers and the perplexities of the true, the shuffled, and no history,
    and of bigrams and trigrams."""
    rows = re.findall(r"^ +(all|[0-9][a-z0-9 ]*?) +([0-9,]+)" + 5 * " +([0-9.]+)" + "$", out, re.MULTILINE)
    return {name: [float(n) for n in numbers] for name, *numbers in rows}


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_measured_with_three_histories(model, there, capsys):
    assert run("evaluate", model) == 0
    out = capsys.readouterr().out
    assert out.startswith("10 answers of 2 test conversations; perplexity")
    assert re.search("turns before +answers +true +shuffled +empty +bigram +trigram\n", out)
    found = perplexities(out)
    assert {name: row[0] for name, row in found.items()} == {"all": 10, "1": 2, "2": 2, "3 to 4": 4, "5 to 8": 2}
    assert len({round(n, 2) for n in found["all"][1:]}) == 5
    assert re.search(r"10 answers written in [0-9.]+ s: distinct-1 0\.\d{3}, distinct-2 0\.\d{3}\n", out)
    assert re.search(r"the most frequent is [0-9.]+ % of them: '", out)
    assert "exact" not in out


def test_what_is_measured_was_answered_without_being_seen(there, monkeypatch):
    heard, honest = [], Partner.answer
    monkeypatch.setattr(Partner, "answer", lambda self, said, **search: heard.extend(said) or honest(self, said))
    assert run("evaluate", "attentive") == 0
    tests = [spoken()[i] for i in (9, 19)]
    assert heard == [turns[:i] for turns in tests for i in range(1, len(turns))]


def test_json_lines_and_text_are_the_same_conversations(here, capsys):
    found = []
    for data in ("talk.jsonl", "talk.txt"):
        assert run("train", "chat", "--data", data, *TINY, "--model", "last", "--out", data[5:]) == 0
        out = capsys.readouterr().out
        assert "17 conversations with 75 answers to learn from, 1 held out, 2 to test with" in out
        found.append(load_checkpoint(here / data[5:] / "last.safetensors")[0])
        assert json.loads((here / data[5:] / "run.json").read_text())["sha256"]
    for name, array in found[0].items():
        np.testing.assert_array_equal(found[1][name], array)


def test_the_report_shows_what_would_have_been_said(here, capsys, monkeypatch):
    def answer(self, said, **search):
        return [Answer(f"after {turns[-1]}", 0.0, [], None, None) for turns in said]

    monkeypatch.setattr(Partner, "answer", answer)
    assert run("train", "chat", *SMALL, "--out", "r") == 0
    out = capsys.readouterr().out
    for i in (9, 19):
        first, *turns = spoken()[i]
        pairs = enumerate(itertools.pairwise([first, *turns]))
        lines = [f"  {'ba'[k % 2]}: {turn}  | after {before}\n" for k, (before, turn) in pairs]
        assert f"\n  a: {first}\n{''.join(lines)}\n" in out
    assert out.endswith("\nmore: minirnn chat r\n      minirnn evaluate r\n")


def test_built_in_dialogues_are_judged_word_for_word(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for split in ("valid", "test"):
        monkeypatch.setitem(built_in.SPLITS, split, 12)
    assert run("train", "chat", "--examples", 40, *TINY, "--out", "r") == 0
    out = capsys.readouterr().out
    assert "40 conversations with " in out
    assert ", 12 held out, 12 to test with, " in out
    assert "valid_exact" in out
    measured = re.search(r"exact [0-9.]+ %  \(of \d+ questions.*\n.*by turns back   2: .*\n.*by kind .*\n", out)[0]
    unseen = re.search(r"\nexact with unseen names [0-9.]+ %  \(of (\d+) questions\)\n", out)
    asked_of = sum(len(one.questions) for one in built_in.dialogues("test", 12, names="unseen"))
    assert int(unseen[1]) == asked_of
    assert run("evaluate", "r") == 0
    again = capsys.readouterr().out
    assert measured in again
    assert unseen[0] in again


def test_names_that_were_never_heard_are_asked_for(tmp_path, capsys, monkeypatch):
    """As if a partner answered all rightly; and as if only where it knows the words."""
    monkeypatch.chdir(tmp_path)
    for split in ("valid", "test"):
        monkeypatch.setitem(built_in.SPLITS, split, 12)
    truth = built_in.dialogues("test", 12) + built_in.dialogues("test", 12, names="unseen")
    turns_after = {tuple(one.turns[:i]): one.turns[i] for one in truth for i in range(1, len(one.turns))}

    def answer(self, said, **search):
        words = [turns_after[tuple(turns)] for turns in said]
        known = [knows or not set(text.split()) & set(built_in.UNSEEN) for text in words]
        return [Answer(text if ok else "<unk>", 0.0, [], None, None) for text, ok in zip(words, known, strict=True)]

    monkeypatch.setattr(Partner, "answer", answer)
    shares = []
    for knows in (True, False):
        assert run("train", "chat", "--examples", 20, *TINY, "--out", f"r-{knows}") == 0
        found = re.findall(r"^exact (?:with unseen names )?([0-9.]+) %", capsys.readouterr().out, re.MULTILINE)
        shares.append([float(share) for share in found])
    assert shares[0] == [100, 100]
    assert shares[1][0] == 100 > shares[1][1]


def test_a_backward_model_is_not_asked_what_it_remembers(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for split in ("valid", "test"):
        monkeypatch.setitem(built_in.SPLITS, split, 12)
    assert run("train", "chat", "--examples", 20, *TINY, "--model", "backward", "--out", "r") == 0
    out = capsys.readouterr().out
    assert "exact" not in out
    assert "true    shuffled" in out
    assert out.endswith("\nmore: minirnn chat RUN --beam 10 --rerank r\n      minirnn evaluate r\n")


@pytest.mark.parametrize("model", ANSWERING)
def test_each_line_is_answered_with_what_was_said_in_mind(model, there, said):
    lines = ["I am Anna .", "ask me", "what am i called ?"]
    out, _ = said(lines, model)
    assert len(out) == 3
    for count in range(1, 3):
        assert said(lines[:count], model)[0] == out[:count]
    again, _ = said([lines[0], "", "   ", *lines[1:], "/reset", *lines], model)
    assert again == [*out, "(a new conversation)", *out]
    assert said([lines[0], " /reset ", "ask me"], model)[0][2] == said(["ask me"], model)[0][0]


def test_what_was_said_before_is_forgotten_by_the_last_turn_alone(there, said):
    for model, turns in (("last", 1), ("attentive", 3)):
        first, second = (said([begun, "hello 3 !", "/why"], model)[0] for begun in ("i am anna .", "thanks bye"))
        assert (first[1:] == second[1:]) == (turns == 1)
        assert sum(line.endswith("%") or " looked at " not in line for line in first[2:]) >= turns
        assert len([line for line in first if re.match(r" +[0-9.]+%  \d: ", line)]) == turns


@pytest.mark.parametrize("model", ["attentive", "flat"])
def test_why_shows_the_turns_and_words_that_were_looked_at(model, there, said):
    out, _ = said(["/why", "i am anna .", "ask me", "/why", "/reset", "/why"], model)
    assert out[0] == out[-1] == "(there is no answer yet)"
    shares = [re.fullmatch(r" +([0-9.]+)%  (\d): (.*)", line) for line in out[3:6]]
    assert [found[2] for found in shares] == ["1", "2", "3"]
    assert [shares[0][3], shares[2][3]] == ["i am anna .", "ask me"]
    assert (shares[1][3] or "…")[:50] == out[1][:50]
    assert sum(float(found[1]) for found in shares) == pytest.approx(100, abs=0.2)
    looked = [
        re.fullmatch(r"  '(.*)' looked at '(.*)' of turn ([123]): ([0-9.]+)%", line)
        for line in out[6:-2]
        if "  … and" not in line
    ]
    assert all(looked)
    assert [found[1] for found in looked if found[1] != "<eos>"] == out[2].replace("…", "").split()[:MOST_TOKENS]
    words = {"1": "i am anna . <eos>", "2": f"{out[1]} <eos>", "3": "ask me <eos>"}
    assert all(found[2] in words[found[3]].split() for found in looked)


@pytest.mark.parametrize(("count", "last"), [(12, "'w11' looked"), (13, "… and 1 token more"), (48, "… and 36 tokens")])
def test_why_is_short_also_of_an_answer_that_does_not_end(count, last):
    tokens = [f"w{t}" for t in range(count)]
    answer = Answer(" ".join(tokens), -9.0, tokens, np.ones((count, 1)), [(["a", "b"], np.full((count, 2), 0.5))])
    lines = why(None, ["a b"], answer)
    assert lines[-1].startswith(f"  {last}")
    assert len(lines) == 1 + 12 + (count > 12)


def test_an_answer_without_a_word_is_a_line_too(there, said, monkeypatch):
    monkeypatch.setattr(Partner, "answer", lambda self, said, **search: [Answer("", 0.0, ["<eos>"], None, None)])
    assert said(["hello 1 !", "bye"], "last")[0] == ["…", "…"]


def test_a_model_that_looks_at_nothing_says_so(there, said):
    out, _ = said(["hello 1 !", "/why"], "hierarchical")
    assert out[1:] == ["(this model looks at nothing: it has its memory alone)"]


def test_the_limit_of_turns_is_said_once_a_conversation(there, said):
    """Four turns: the third line is the fifth, and of the first nothing is left."""
    assert beside_results(said(["a"], "attentive")[1]) == ""
    assert beside_results(said(["a", "b"], "attentive")[1]) == NOTE.format(4)
    assert beside_results(said(["a", "b", "c", "d", "e"], "attentive")[1]) == NOTE.format(4)
    assert beside_results(
        said(["a", "b", "c", "/reset", "a", "/reset", "a", "b", "c"], "attentive")[1]
    ) == 2 * NOTE.format(4)
    assert beside_results(said(["a", "b", "c"], "last")[1]) == ""
    out, _ = said(["a", "ask me", "thanks", "/why"], "attentive")
    listed = [line.split(": ", 1)[1] for line in out[3:7]]
    assert [listed[1], listed[3]] == ["ask me", "thanks"]
    assert out[0][:50] == (listed[0] or "…")[:50]


def test_answers_are_drawn_as_the_seed_says(there, said):
    lines = ["i am anna .", "ask me", "what am i called ?"]
    found = [said(lines, "attentive", "--sample", *more)[0] for more in ((), ("--seed", 0), ("--seed", 1))]
    assert found[0] == found[1] != found[2]
    surest = said(lines, "attentive")[0]
    assert said(lines, "attentive", "--sample", "--top-k", 1, "--seed", 5)[0] == surest
    for option in (("--temperature", 0.001), ("--top-p", 0.001)):
        assert said(lines[:1], "attentive", "--sample", *option)[0] == surest[:1]


@pytest.mark.parametrize("model", ANSWERING)
def test_other_searches_answer_too(model, there, said):
    lines = ["i am anna .", "what am i called ?", "/why"]
    plain = said(lines[:2], model)[0]
    against = said(lines, model, "--anti-lm", 50)[0]
    assert against[:2] != plain
    assert said(lines[:2], model, "--anti-lm", 0)[0] == plain
    for options in (("--beam", 3), ("--beam", 3, "--anti-lm", 0.5), ("--no-unknown", "--sample", "--anti-lm", 0.5)):
        out, _ = said(lines, model, *options, "--checkpoint", "last")
        assert len(out) >= 3


@pytest.mark.parametrize("model", ANSWERING)
def test_an_unknown_word_is_written_unless_it_is_forbidden(model, there, said):
    lines, drawn = ["zebra", "ask me", "bye"] * 4, (model, "--sample", "--temperature", 9)
    assert "<unk>" in " ".join(said(lines, *drawn)[0])
    assert "<unk>" not in " ".join(said(lines, *drawn, "--no-unknown")[0])


def test_whatever_bytes_are_said_are_answered(there, said, tmp_path):
    rng = np.random.default_rng(0)
    shutil.copytree("attentive", tmp_path / "short")
    config = json.loads((tmp_path / "short" / "run.json").read_text())
    (tmp_path / "short" / "run.json").write_text(json.dumps({**config, "most_tokens": 3}))
    data = b"".join(rng.bytes(int(rng.integers(0, 40))) + b"\n" for _ in range(500))
    out, err = said(data, tmp_path / "short")
    assert len(out) > 400
    assert err.count("note: ") == 2
    assert re.search(r"note: standard input line \d+: expected UTF-8 text, found .*: read as U\+FFFD", err)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", "\n".join(out) + err)
    said(b"a " * 300_000 + b"\n/reset\n" + "e\u0301\u200d\u202e".encode() * 100_000, tmp_path / "short")
    assert said(b"", "attentive") == ([], "")


def test_no_control_character_of_an_answer_reaches_a_terminal(here, capsys, monkeypatch):
    evil = [["hi", "\x1b[2J \x07 \x9d"]] * 20
    (here / "evil.jsonl").write_text("".join(json.dumps(turns) + "\n" for turns in evil))
    assert run("train", "chat", "--data", "evil.jsonl", *TINY, "--out", "r") == 0
    capsys.readouterr()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    drawn = ("--sample", "--no-unknown", "--top-k", 9)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hi\n/why\n\x1b[2J hi\n/why\n")))
    assert run("chat", "r", *drawn) == 0
    out = capsys.readouterr().out
    assert "\\x1b" in out
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--examples", 5, "--data", "talk.jsonl"), "--examples goes with the built-in dialogues"),
        (("--test-every", 3), "--test-every goes with --data"),
        (("--data", "talk.jsonl", "--model", "last", "--turns", 3),
         "--turns goes with a model of more than one turn, not last"),
        (("--data", "talk.jsonl", "--model", "backward", "--turns", 3),
         "--turns goes with a model of more than one turn, not backward"),
        (("--data", "talk.jsonl", "--model", "hierarchical", "--score", "dot"),
         "--score goes with a model that looks at words; hierarchical looks at nothing"),
        (("--data", "talk.jsonl", "--model", "backward", "--copying", "on"),
         "--copying goes with a model that answers"),
        (("--data", "talk.jsonl", "--model", "hierarchical", "--copying", "on"),
         "--copying goes with a model that looks at words; hierarchical looks at nothing"),
        *((("--data", "talk.jsonl", "--model", model, "--matching", "on"),
           "--matching goes with a model that reads turn by turn: attentive or hierarchical")
          for model in ("flat", "last", "backward")),
        (("--data", "talk.jsonl", "--matching", "yes"), "--matching"),
        (("--data", "talk.jsonl", "--copying", "maybe"), "--copying"),
        (("--data", "talk.jsonl", "--turns", 0), "--turns"),
        (("--data", "talk.jsonl", "--turns", 101), "--turns"),
        (("--data", "talk.jsonl", "--max-length", 1), "--max-length"),
        (("--data", "talk.jsonl", "--model", "deep"), "--model"),
        (("--data", "nowhere"), "nowhere"),
        (("--data", "."), "directory"),
        (("--data", "two.jsonl"), "two.jsonl: expected at least 3 conversations, found 2"),
        (("--data", "alone.txt"), "alone.txt line 4: expected a conversation of 2 to 10,000 turns, found 1"),
        (("--data", "number.jsonl"), "number.jsonl line 2 turn 2: expected a string, found int"),
        (("--data", "cut.jsonl"), "cut.jsonl line 2: expected a JSON list"),
        (("--data", "blank.jsonl"), "blank.jsonl line 1 turn 1: expected 1 to"),
        (("--data", "empty.txt"), "empty.txt: expected some text, found none"),
        (("--data", "bytes.txt"), "bytes.txt line 2: expected UTF-8 text, found the byte 0xff"),
        (("--data", "bad.jsonl.gz"), "bad.jsonl.gz: damaged gzip file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_cannot_be_learned_from_leaves_nothing_behind(options, message, here, capsys):
    good = '["a", "b"]\n'
    for name, text in {
        "two.jsonl": good * 2, "alone.txt": "a\nb\n\nc\n\nd\ne\n", "number.jsonl": good + '["a", 1]\n' + good,
        "cut.jsonl": good + '["a", "b"', "blank.jsonl": '["", "b"]\n' + good * 3, "empty.txt": " \n",
    }.items():  # fmt: skip
        (here / name).write_text(text)
    (here / "bytes.txt").write_bytes(b"a\nb\xff\n")
    (here / "bad.jsonl.gz").write_bytes(b"\x1f\x8b" + good.encode())
    assert message in refused(capsys, "train", "chat", *TINY, *options)
    assert not (here / "runs").exists()


def test_what_cannot_be_answered_or_measured_is_one_line(there, capsys, monkeypatch):
    for arguments, message in [
        (("attentive", "--temperature", 2), "--temperature goes with --sample"),
        (("attentive", "--top-k", 2), "--top-k goes with --sample"),
        (("attentive", "--top-p", 0.5), "--top-p goes with --sample"),
        (("attentive", "--seed", 0), "--seed goes with --sample"),
        (("attentive", "--sample", "--beam", 2), "choose one of --beam and --sample"),
        (("attentive", "--sample", "--temperature", 0), "--temperature"),
        (("attentive", "--sample", "--top-p", 1.5), "top-p must be a number above 0 and at most 1"),
        (("attentive", "--anti-lm", "-1"), "--anti-lm"),
        (("attentive", "--anti-lm", "nan"), "--anti-lm"),
        (("attentive", "--beam", 0), "--beam"),
        (("backward",), "backward has a backward model, which answers nothing: give it to --rerank"),
        (("backward", "--beam", 2, "--rerank", "backward"), "backward has a backward model, which answers nothing"),
        (("attentive", "--rerank", "backward"), "--rerank goes with --beam"),
        (("attentive", "--sample", "--rerank", "backward"), "--rerank goes with --beam"),
        (("attentive", "--rerank-weight", 1), "--rerank-weight goes with --rerank"),
        (("attentive", "--beam", 2, "--rerank-weight", 0), "--rerank-weight goes with --rerank"),
        (("attentive", "--beam", 2, "--rerank", "backward", "--rerank-weight", "-1"), "--rerank-weight"),
        (("attentive", "--beam", 2, "--rerank", "backward", "--rerank-weight", "nan"), "--rerank-weight"),
        *((("attentive", "--beam", 2, "--rerank", model), f"{model} has no backward model: train one with train chat")
          for model in ANSWERING),
        (("attentive", "--beam", 2, "--rerank", "talk.jsonl"), "talk.jsonl is not a run directory"),
        (("attentive", "--beam", 2, "--rerank", "."), "there is no run.json in it"),
        (("attentive", "--beam", 2, "--rerank", "nowhere"), "nowhere"),
        (("talk.jsonl",), "talk.jsonl is not a run directory"),
        ((".",), "there is no run.json in it"),
    ]:  # fmt: skip
        assert message in refused(capsys, "chat", *arguments), arguments
    for options in (("--data", "x"), ("--images", "x"), ("--beam", 2), ("--exact",), ("--output", "x"),
                    ("--max-pairs", 1), ("--length-penalty", 1), ("--coverage-penalty", 1)):  # fmt: skip
        assert f"{options[0]} goes with a translation or a caption" in refused(capsys, "evaluate", "last", *options)
    monkeypatch.setattr(sys, "stdin", None)
    assert "there is nothing to answer" in refused(capsys, "chat", "attentive")


@pytest.mark.parametrize("model", MODELS)
def test_a_run_that_was_interrupted_comes_to_the_same_end(model, here):
    shared = ("--dropout", 0.1, "--seed", 3, "--batch-size", 9, "--constant", "--cell", "lstm", "--model", model)
    assert run("train", "chat", *SMALL, *shared, "--epochs", 2, "--out", "whole") == 0
    assert run("train", "chat", *SMALL, *shared, "--epochs", 1, "--out", "parts") == 0
    assert run("train", "chat", "--resume", "parts", "--epochs", 2, "--quiet") == 0
    whole, parts = (load_checkpoint(here / name / "last.safetensors")[0] for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array, err_msg=name)


def test_a_run_goes_on_only_with_its_own_conversations(here, capsys, said):
    assert run("train", "chat", *SMALL, "--out", "r") == 0
    capsys.readouterr()
    resume = ("train", "chat", "--resume", "r", "--epochs", 2, "--quiet")
    (here / "other.jsonl").write_text('["a", "b"]\n' * 5)
    wrong = refused(capsys, *resume, "--data", "other.jsonl")
    assert "other.jsonl: these are not the conversations that r was" in wrong
    assert "--model cannot change on --resume" in refused(capsys, *resume, "--model", "flat")
    assert run(*resume, "--data", "talk.txt") == 0  # the same in another form
    (here / "talk.txt").write_text("a\nb\n\n" * 5)
    capsys.readouterr()
    assert "what was held out cannot be read again: " in refused(capsys, "evaluate", "r")
    assert len(said(["hello"], "r")[0]) == 1


def test_damaged_settings_of_a_run_are_one_line(there, tmp_path, capsys):
    shutil.copytree("attentive", tmp_path / "r")
    config = json.loads((there / "attentive" / "run.json").read_text())
    for key, value, message in [
        ("codec", None, "damaged"),
        ("codec", {}, "damaged"),
        ("codec", {**config["codec"], "vocabulary": []}, "damaged"),
        ("codec", {**config["codec"], "vocabulary": config["codec"]["vocabulary"][:-1]}, "does not fit its run.json"),
        ("most_tokens", None, "damaged"),
        ("most_tokens", 0, "damaged"),
        ("most_tokens", True, "damaged"),
        ("most_tokens", "9", "damaged"),
        ("most_tokens", 2**31, "damaged"),
        *(("placeholders", wrong, f"placeholders is {wrong!r}")
          for wrong in (None, -1, True, "8", 8.0, [], len(config["codec"]["vocabulary"]) - 3, 2**40)),
        ("options", {**config["options"], "turns": 0}, "damaged"),
        ("options", {**config["options"], "matching": "off"}, "does not fit its run.json"),
        ("options", {**config["options"], "matching": "yes"}, "damaged"),
        ("options", {**config["options"], "copying": "off"}, "does not fit its run.json"),
        ("options", {**config["options"], "copying": 1}, "damaged"),
        ("options", {**config["options"], "tied": True}, "does not fit its run.json"),
        ("options", {**config["options"], "model": "flat"}, "does not fit its run.json"),
        ("task", "lm", "is a run of 'lm', not of 'chat'"),
    ]:  # fmt: skip
        (tmp_path / "r" / "run.json").write_text(json.dumps({**config, key: value}))
        assert message in refused(capsys, "chat", tmp_path / "r"), (key, value)
        assert key == "task" or message in refused(capsys, "evaluate", tmp_path / "r"), (key, value)
        refused(capsys, "train", "chat", "--epochs", 2, "--quiet", "--resume", tmp_path / "r")


def test_distinct_is_the_share_of_different_n_grams():
    answers = [["a", "b", "a"], ["a", "b"], [], ["c"]]
    assert distinct(answers, 1) == 3 / 6
    assert distinct(answers, 2) == 2 / 3
    assert distinct([[], []], 2) == 0


def test_questions_are_right_word_for_word_and_looked_at_where_they_were_told():
    """As if all were answered right, and looked at the first of the facts; then as if at the turn that asks."""
    options = defaults(examples=600, copying="off")  # in which every word is
    conversations = load(options)
    learned, truth = learn(conversations, options), conversations.truth["test"]
    codec, talk = learned.codec, talk_of(conversations.test, learned, options)
    assert all(i % 2 for _, i in talk.answers)
    facts = {(c, q.turn + 1): q.facts[0] for c, one in enumerate(truth) for q in one.questions}
    for fault in (False, True):
        answers = []
        for c, i in talk.answers:
            tokens = codec.vocabulary.decode(talk.conversations[c][i].tolist())
            weights = np.zeros((len(tokens), min(i, 10)))
            weights[:, -1 if fault else facts.get((c, i), i - 1) - i] = 1
            text = exactly(codec, truth[c].turns[i])
            answers.append(Answer(text + " ." if fault else text, 0.0, tokens, weights, None))
        answer_of = dict(zip(talk.answers, answers, strict=True))
        given = [answer_of[c, q.turn + 1] for c, one in enumerate(truth) for q in one.questions]
        found = asked(Partner(None, codec, 10), truth, given)
        assert len(found) == len(facts)
        assert {one.right for one in found} == {not fault}
        assert {one.looked for one in found if one.kind != "ellipsis"} - {None} == {not fault}


@pytest.mark.parametrize("model", MODELS)
def test_words_are_compared_and_copied_where_they_are_told_to_be(model, rng):
    texts = [["a b c", "b a"], ["c", "a"], ["b", "c a"]]
    conversations = load(defaults(examples=1))._replace(train=texts)
    for matching, copying, tied in itertools.product((None, "on", "off"), (None, "on", "off"), (False, True)):
        options = defaults(model=model, matching=matching, copying=copying, tied=tied, hidden=3, embedding=2)
        try:
            check(options)
        except InputError:
            refused = {"attentive": (), "hierarchical": (copying,), "backward": (copying, matching)}
            assert "on" in refused.get(model, (matching,))
            assert model != "attentive"
            continue
        copies = copying == "on" or (copying is None and model == "attentive")
        matches = matching == "on" or (matching is None and model == "attentive")
        assert (is_on(options, "copying"), is_on(options, "matching")) == (copies, matches)
        learned = learn(conversations, options)
        size = len(SPECIALS) + 3 + (PLACEHOLDERS if copies else 0)
        assert (len(learned.codec.vocabulary), learned.placeholders) == (size, PLACEHOLDERS if copies else 0)
        built = build_model(learned, options, rng)
        assert getattr(built.encoder, "matching", False) == matches
        kind = ContextDecoder if model == "hierarchical" else CopyingDecoder if copies else AttentionDecoder
        assert type(built.decoder) is kind
        shared = built.encoder.embedding.weight, built.decoder.embedding.weight, built.decoder.output.weight
        assert len({id(one) for one in shared}) == (1 if tied else 3)
        talk = talk_of(texts, learned, {**options, "data": "some"})
        assert (talk.strangers is not None) == copies
        assert not copies or (talk.strangers.count, talk.strangers.hidden) == (PLACEHOLDERS, HIDDEN)
        assert talk.most_turns == turns_of(options) == (1 if model in ONE_TURN else 10)


@pytest.mark.parametrize("more", [("--matching", "off"), ("--copying", "off"), ("--tied",),
                                  ("--model", "flat", "--copying", "on", "--tied"),
                                  ("--model", "hierarchical", "--matching", "on", "--tied"),
                                  ("--model", "last", "--copying", "on")], ids=" ".join)  # fmt: skip
def test_what_was_told_of_comparing_and_copying_is_remembered(more, here, said, capsys):
    assert run("train", "chat", *SMALL, *more, "--out", "r") == 0
    assert run("train", "chat", "--resume", "r", "--epochs", 2, "--quiet") == 0
    assert run("evaluate", "r") == 0
    config = json.loads((here / "r" / "run.json").read_text())
    copies = is_on(config["options"], "copying")
    assert config["placeholders"] == (PLACEHOLDERS if copies else 0)
    assert [word for word in config["codec"]["vocabulary"] if word.startswith("<word:")] == [
        f"<word:{k + 1}>" for k in range(config["placeholders"])
    ]
    assert len(said(["zebra", "ask me"], "r")[0]) == 2
    capsys.readouterr()
    wrong = refused(capsys, "train", "chat", "--resume", "r", "--epochs", 3, "--copying", "off" if copies else "on")
    assert "--copying cannot change on --resume" in wrong


def test_a_backward_model_learns_what_was_said_before_from_what_was_said_after():
    options = defaults(model="backward", examples=20)
    conversations = load(options)
    learned = learn(conversations, options)
    text = lambda ids: learned.codec.decode(ids)
    for part in (conversations.train, conversations.test):
        own, every = talk_of(part, learned, options), talk_of(part, learned, {**options, "data": "some"})
        for talk, expected in (
            (own, [(b, a) for turns in part for a, b in zip(turns[::2], turns[1::2], strict=True)]),
            (every, [(b, a) for turns in part for a, b in itertools.pairwise(turns)]),
        ):
            found = []
            for i in range(len(talk)):
                batch = talk.batch([i])
                assert batch.histories.lengths.tolist() == [1]
                found.append((text(batch.histories.words[:, 0]), text(batch.Y[:, 0])))
            exact = [tuple(exactly(learned.codec, turn) for turn in pair) for pair in expected]
            assert sorted(found) == sorted(exact)


def altered(run_directory, copy, change):
    """A copy of a run whose weights are changed."""
    shutil.copytree(run_directory, copy)
    for name in ("best", "last"):
        arrays, meta = load_checkpoint(copy / f"{name}.safetensors")
        change(arrays)
        save_checkpoint(copy / f"{name}.safetensors", arrays, meta)
    return copy


def points(arrays):
    """It says nothing of its own."""
    (name,) = (name for name in arrays if name.endswith("decoder.writes.bias") and "optimizer" not in name)
    arrays[name] = np.full_like(arrays[name], -200)


def test_words_that_were_never_seen_are_said_again(there, said, tmp_path):
    pointing = altered(there / "attentive", tmp_path / "r", points)
    out, _ = said(["Zebra gnu zebra", "/why", "/reset", "yak"], pointing)
    assert set(out[0].split()) <= {"zebra", "gnu", "…"}
    assert {*out[0].split(), *out[-1].split()} & {"zebra", "yak"}
    assert set(out[-1].split()) <= {"yak", "…"}
    assert "<unk>" not in "".join(out)
    assert "<word" not in "".join(out)
    looked = [line for line in out if " looked at " in line]
    assert all(re.search("looked at '(zebra|gnu|<eos>)' of turn 1: ", line) for line in looked)


def test_why_calls_unknown_words_by_their_names_where_they_are_known(there, said, monkeypatch):
    """As if it had looked at the second word."""
    honest = Partner.answer

    def answer(self, said, **search):
        (one,) = honest(self, said, **search)
        (words, weights), *others = one.words
        weights = np.zeros_like(weights)
        weights[:, 1] = 1
        turns = np.zeros_like(one.turns)
        turns[:, 0] = 1
        return [dataclasses.replace(one, turns=turns, words=[(words, weights), *others])]

    monkeypatch.setattr(Partner, "answer", answer)
    for model, word in (("attentive", "zebra"), ("flat", "<unk>")):
        out, _ = said(["a zebra", "/why"], model)
        assert " 100.0%  1: a zebra" in out[1]
        assert len(out) > 2
        assert all(line.endswith(f"looked at '{word}' of turn 1: 100.0%") for line in out[2:] if "  … and" not in line)


@pytest.mark.parametrize(("more", "weight"), [((), 0.5), (("--rerank-weight", 0), 0), (("--rerank-weight", 3), 3)])
def test_a_backward_run_chooses_among_what_the_beam_has_found(more, weight, there, said, monkeypatch):
    made, chosen, lines = [], [], ["i am anna .", "what am i called ?"]

    def init(self, model, codec, weight=0.5, per_word=0.0, cut=None):
        made.append((model, codec, weight, per_word, cut))

    def best(self, turn, answers):
        chosen.append((turn, [text for text, _ in answers]))
        return len(answers) - 1

    monkeypatch.setattr(Reranker, "__init__", init)
    monkeypatch.setattr(Reranker, "best", best)
    out, _ = said(lines, "attentive", "--beam", 3, "--rerank", "backward", *more)
    assert [turn for turn, _ in chosen] == lines
    assert {len(answers) for _, answers in chosen} == {3}
    assert [answers[-1] or "…" for _, answers in chosen] == out
    ((model, codec, found, per_word, cut),) = made
    expected, learned, options = load_chat(Run(there / "backward"))
    assert (found, per_word, cut) == (weight, 0.0, options["max-length"])
    assert codec.vocabulary.tokens == learned.codec.vocabulary.tokens
    for name, array in expected.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name], array)
    assert not model.training


def test_reranked_answers_are_the_partners(there, said):
    model, learned, options = load_chat(Run(there / "attentive"))
    backward, other, _ = load_chat(Run(there / "backward"))
    partner = Partner(model, learned.codec, 4, learned.max_length, options["max-length"], learned.placeholders)
    (answer,) = partner.answer([["ask me"]], beam_size=4, reranker=Reranker(backward, other.codec, 2, cut=40))
    assert said(["ask me"], "attentive", "--beam", 4, "--rerank", "backward", "--rerank-weight", 2)[0] == [
        " ".join(answer.text.split()) or "…"
    ]


def test_runs_from_before_there_were_placeholders_have_none(there, said, tmp_path):
    shutil.copytree("flat", tmp_path / "r")
    config = json.loads((there / "flat" / "run.json").read_text())
    assert config.pop("placeholders") == 0
    (tmp_path / "r" / "run.json").write_text(json.dumps(config))
    assert said(["ask me", "zebra"], tmp_path / "r") == said(["ask me", "zebra"], "flat")
    learned = load_chat(Run(tmp_path / "r"))[1]
    assert learned.placeholders == 0
    assert Learned(*learned).to_json() == {
        "codec": config["codec"], "most_tokens": config["most_tokens"], "placeholders": 0,
    }  # fmt: skip
