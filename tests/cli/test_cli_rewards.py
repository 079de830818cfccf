"""`minirnn train … --from RUN --reward …`: what is kept, what is chosen by, what is refused, and how it goes on."""

import json
import shutil

import numpy as np
import pytest
from commands import refused, run
from trainings import TRAININGS, write_data

from minirnn import Run, load_checkpoint
from minirnn.cli import corpora, rewarding
from minirnn.cli.train import translate
from minirnn.plots import common
from minirnn.runs.translation import OPTIONS
from minirnn.training import loop

TASKS = {
    "translate": TRAININGS["translate"],
    "task": ("--examples", 60, "--hidden", 8, "--embedding", 4, "--batch-size", 16),
    "caption": TRAININGS["caption"],
    "chat": TRAININGS["chat"],
}
QUESTIONS = 30


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Few questions, and no pictures: they take longer than all the rest."""
    monkeypatch.setattr(common, "has_matplotlib", lambda: False)
    monkeypatch.setattr(corpora, "VALID_QUESTIONS", QUESTIONS)
    monkeypatch.setattr(corpora, "TEST_QUESTIONS", QUESTIONS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a run of each task by cross-entropy, and one on rewards for translation."""
    folder = tmp_path_factory.mktemp("rewards")
    write_data(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(common, "has_matplotlib", lambda: False)
        patch.setattr(corpora, "VALID_QUESTIONS", QUESTIONS)
        patch.setattr(corpora, "TEST_QUESTIONS", QUESTIONS)
        for task, options in TASKS.items():
            assert train(task, *options, "--lr", 0.02, "--epochs", 2, "--out", task) == 0
        assert train("translate", "--from", "translate", "--reward", "bleu", "--epochs", 2, "--out", "rewarded") == 0
    return folder


@pytest.fixture
def there(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def train(task, *options):
    return run("--threads", 1, "train", task, *options, "--quiet")


def options_of(path):
    return Run(path).config["options"]


def weights(path):
    return {name: a for name, a in load_checkpoint(path)[0].items() if name.startswith("model/")}


def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(
    ("task", "reward", "own"),
    [("translate", "exact", "valid_bleu"), ("task", "bleu", "valid_exact_match"), ("caption", "cider", "valid_bleu"),
     ("chat", "exact", None)],
)  # fmt: skip
def test_every_task_whose_model_writes_goes_on_with_rewards(task, reward, own, there, tmp_path):
    out = tmp_path / "out"
    before = {path.name: path.read_bytes() for path in (there / task).iterdir()}
    assert train(task, "--from", task, "--reward", reward, "--epochs", 2, "--samples", 3, "--out", out) == 0
    assert {path.name: path.read_bytes() for path in (there / task).iterdir()} == before  # it is only read
    ours, theirs = options_of(out), options_of(task)
    assert ours["lr"] == pytest.approx(0.1 * theirs["lr"])
    changed = {"reward": reward, "samples": 3}
    assert {n: v for n, v in ours.items() if n != "lr"} == {n: v for n, v in theirs.items() if n != "lr"} | changed
    config = Run(out).config
    assert config["from"] == str((there / task).resolve())
    kept = {"task", "options", "threads", "kernels", "from"}
    assert {n: v for n, v in config.items() if n not in kept} == {
        n: v for n, v in Run(task).config.items() if n not in kept
    }
    rows = Run(out).metrics()
    assert rows[-1]["epoch"] == 2
    expected = {"valid_loss", "valid_reward", "train_reward", "train_length", "train_entropy"} | (
        {own} if own else set()
    )
    for row in rows:
        assert expected <= row.keys()
        assert "train_perplexity" not in row
        assert 0 <= row["valid_reward"] <= 1
        assert row["train_entropy"] > 0
        assert row["train_length"] >= 1
    best = max(rows, key=lambda row: row["valid_reward"])
    assert load_checkpoint(Run(out).best)[1]["epoch"] == best["epoch"]
    assert run("evaluate", out) == 0


@pytest.mark.parametrize("reward", ["bleu", "cider"])
def test_answers_with_copied_words_are_rewarded(reward, there, tmp_path):
    options = ("--from", "chat", "--reward", reward, "--samples", 8, "--epochs", 2)
    assert train("chat", *options, "--out", tmp_path / "out") == 0


@pytest.mark.parametrize("task", TASKS)
def test_the_best_is_chosen_by_the_reward(task, there, tmp_path, monkeypatch):
    scores, honest = iter([0.2, 0.9, 0.5]), rewarding.Rewards.measures

    def measures(*arguments):
        score = next(scores)
        return honest(*arguments) | {"valid_reward": score, "valid_loss": 1 + score}  # the loss would have the first

    monkeypatch.setattr(rewarding.Rewards, "measures", measures)
    out, options = tmp_path / "out", ("--reward", "exact", "--validate-every", 1, "--epochs", 3)
    assert train(task, "--from", task, *options, "--out", out) == 0
    assert load_checkpoint(Run(out).best)[1]["epoch"] == 2


def test_it_begins_with_the_best_weights_and_not_the_last(there, tmp_path):
    source = tmp_path / "source"
    shutil.copytree("translate", source)
    arrays, meta = load_checkpoint(source / "best.safetensors")
    state = {name.removeprefix("model/"): a + 0.01 for name, a in arrays.items()}
    Run(source).save_best(state, meta)
    out = tmp_path / "out"
    options = ("--from", source, "--reward", "bleu", "--lr", 0, "--epochs", 1, "--out", out)
    assert train("translate", *options) == 0
    assert options_of(out)["lr"] == 0
    assert same(weights(out / "last.safetensors"), {f"model/{name}": a for name, a in state.items()})
    assert not same(weights(out / "last.safetensors"), weights(source / "last.safetensors"))


def test_without_a_reward_it_goes_on_by_cross_entropy(there, tmp_path):
    out = tmp_path / "out"
    assert train("translate", "--from", "rewarded", "--epochs", 1, "--dropout", 0, "--out", out) == 0
    options = options_of(out)
    assert (options["reward"], options["dropout"]) == (None, 0)
    assert options["lr"] == pytest.approx(0.1 * options_of("rewarded")["lr"])
    assert {name: options[name] for name in rewarding.OPTIONS} == {n: d for n, (d, _) in rewarding.OPTIONS.items()}
    (row,) = Run(out).metrics()
    assert "train_perplexity" in row
    assert not {"valid_reward", "train_reward"} & row.keys()
    assert "kept" not in load_checkpoint(Run(out).last)[1]


def test_every_way_to_train_on_rewards_is_told_from_the_others(there, tmp_path):
    ways = {
        "greedy": (), "mean": ("--baseline", "mean"), "others": ("--baseline", "others"),
        "none": ("--baseline", "none"),
        "risk": ("--estimator", "risk"), "blunt": ("--estimator", "risk", "--sharpness", 0.1),
        "mixed": ("--cross-entropy", 0.5), "constant": ("--control", "constant"), "shuffled": ("--control", "shuffled"),
        "no-end": ("--control", "no-end"), "more": ("--samples", 4),
    }  # fmt: skip
    found = {}
    for name, options in ways.items():
        out = tmp_path / name
        assert train("translate", "--from", "translate", "--reward", "bleu", *options, "--epochs", 1, "--out", out) == 0
        found[name] = b"".join(a.tobytes() for _, a in sorted(weights(out / "last.safetensors").items()))
    assert len(set(found.values())) == len(ways)


def test_what_does_not_go_together_is_refused(there, tmp_path, capsys, monkeypatch):
    out, rewarded = ("--out", tmp_path / "out"), ("--from", "translate", "--reward", "bleu")
    bad = [
        ((*TASKS["translate"], "--reward", "bleu"), "--reward goes with --from"),
        ((*TASKS["translate"], "--samples", 3), "--samples goes with --reward"),
        (("--from", "translate", "--estimator", "risk"), "--estimator goes with --reward"),
        (("--from", "translate", "--baseline", "none"), "--baseline goes with --reward"),
        (("--from", "translate", "--control", "constant"), "--control goes with --reward"),
        (("--from", "translate", "--cross-entropy", 0.5), "--cross-entropy goes with --reward"),
        (("--from", "translate", "--sharpness", 0.5), "--sharpness goes with --reward"),
        ((*rewarded, "--sharpness", 0.5), "--sharpness goes with --estimator risk"),
        ((*rewarded, "--estimator", "risk", "--baseline", "none"), "--baseline goes with --estimator reinforce"),
        ((*rewarded, "--estimator", "risk", "--samples", 1), "minimum risk compares samples"),
        ((*rewarded, "--baseline", "others", "--samples", 1), "'others' compares samples"),
        ((*rewarded, "--hidden", 9), "--hidden cannot change with --from: translate has decided it"),
        ((*rewarded, "--valid-fraction", 0.3), "--valid-fraction cannot change with --from"),
        ((*rewarded, "--cell", "lstm"), "--cell cannot change with --from"),
        (("--from", "caption"), "caption is a run of 'caption', not of 'translate'"),
        (("--from", "nowhere"), "nowhere is not a run directory"),
        ((*rewarded, "--data", "other.tsv"), "does not hold the pairs that translate was trained on"),
        ((*rewarded, "--data", "gone.tsv"), "gone.tsv"),
        ((*rewarded, "--samples", 0), "at least 1"),
        ((*rewarded, "--cross-entropy", 1), "below 1"),
        ((*rewarded, "--sharpness", 0), "above 0"),
        (("--from", "translate", "--reward", "rouge"), "invalid choice: 'rouge'"),
        (("--from", ""), "expected a path"),
    ]  # fmt: skip
    (there / "other.tsv").write_text((there / "pairs.tsv").read_text().replace("cat", "rat"))
    for options, message in bad:
        said = refused(capsys, "train", "translate", *options, *out, "--quiet")
        assert message in said, (options, said)
    assert not (tmp_path / "out").exists()
    resuming = ("train", "translate", "--resume", "rewarded", "--quiet")
    assert "--from does not go with --resume" in refused(capsys, *resuming, "--from", "translate")
    for option in (("--reward", "exact"), ("--samples", 3), ("--baseline", "mean"), ("--lr", 1)):
        assert f"{option[0]} cannot change on --resume" in refused(capsys, *resuming, *option)
    for task in ("lm", "draw"):
        assert "unrecognized arguments" in refused(capsys, "train", task, "--from", "translate")
    said = refused(capsys, "train", "translate", *rewarded, "--out", "chat", "--quiet")
    assert "chat exists already" in said


@pytest.mark.parametrize("task", ["task", "caption", "chat"])
def test_the_other_tasks_refuse_it_too(task, there, tmp_path, capsys):
    out = ("--out", tmp_path / "out", "--quiet")
    options = ("--from", task, "--sharpness", 2, *out)
    assert "--sharpness goes with --reward" in refused(capsys, "train", task, *options)
    options = ("--from", task, "--reward", "bleu", "--hidden", 3, *out)
    assert "--hidden cannot change" in refused(capsys, "train", task, *options)
    assert "is a run of 'translate'" in refused(capsys, "train", task, "--from", "translate", *out)
    assert "goes with --from" in refused(capsys, "train", task, *TASKS[task], "--reward", "bleu", *out)
    assert not (tmp_path / "out").exists()


def test_a_run_without_weights_or_with_others_is_refused(there, tmp_path, capsys):
    source = tmp_path / "source"
    shutil.copytree("translate", source)
    options = ("--from", source, "--reward", "bleu", "--out", tmp_path / "out", "--quiet")
    (source / "best.safetensors").write_bytes(b"nonsense")
    assert "best.safetensors" in refused(capsys, "train", "translate", *options)
    _, meta = load_checkpoint(there / "translate" / "best.safetensors")
    Run(source).save_best({"strange": np.zeros(3)}, meta)
    assert "the best checkpoint does not fit its run.json" in refused(capsys, "train", "translate", *options)
    for path in source.glob("*.safetensors"):
        path.unlink()
    assert "has no checkpoint yet" in refused(capsys, "train", "translate", *options)
    assert not (tmp_path / "out").exists()


def outcome(path):
    arrays, meta = load_checkpoint(path / "last.safetensors")
    rows = [{name: v for name, v in row.items() if name != "tokens_per_second"} for row in meta["history"]]
    return {name: a.tobytes() for name, a in arrays.items()}, rows, meta["kept"], meta["step"], meta["rng"]


def interrupt_at(monkeypatch, step):
    """Ctrl-C before so many steps have been made."""
    honest = loop.Trainer._train_step

    def train_step(self, batch):
        if self.place.step == step:
            raise KeyboardInterrupt
        honest(self, batch)

    monkeypatch.setattr(loop.Trainer, "_train_step", train_step)


@pytest.mark.parametrize(
    "task", [task if task == "translate" else pytest.param(task, marks=pytest.mark.slow) for task in TASKS]
)
def test_a_run_on_rewards_is_resumed_to_the_bit(task, there, tmp_path, monkeypatch):
    reward = "exact" if task == "chat" else "bleu"
    options = ("--from", task, "--reward", reward, "--baseline", "mean", "--cross-entropy", 0.2, "--save-every", 0)
    assert train(task, *options, "--epochs", 2, "--out", tmp_path / "whole") == 0
    expected = outcome(tmp_path / "whole")
    epoch = expected[3] // 2
    assert train(task, *options, "--epochs", 1, "--out", tmp_path / "longer") == 0
    for step in dict.fromkeys((0, 1, epoch)):
        broken = tmp_path / f"broken-{step}"
        monkeypatch.setattr(loop.Trainer, "check_every", 1, raising=False)
        with monkeypatch.context() as patch:
            interrupt_at(patch, step)
            assert train(task, *options, "--epochs", 2, "--out", broken) == 130
        if step == 0:  # killed before the first checkpoint: run.json is all there is
            (broken / "last.safetensors").unlink(missing_ok=True)
            assert not (broken / "best.safetensors").exists()
        assert train(task, "--resume", broken) == 0
        assert outcome(broken) == expected
        assert same(weights(broken / "best.safetensors"), weights(tmp_path / "whole" / "best.safetensors"))


def test_a_run_that_has_not_begun_needs_the_other_run(there, tmp_path, capsys, monkeypatch):
    source, out = tmp_path / "source", tmp_path / "out"
    shutil.copytree("translate", source)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 0)
        assert train("translate", "--from", source, "--reward", "bleu", "--epochs", 1, "--out", out) == 130
    (out / "last.safetensors").unlink()
    shutil.move(source, tmp_path / "moved")
    capsys.readouterr()
    assert "is not a run directory" in refused(capsys, "train", "translate", "--resume", out, "--quiet")
    shutil.move(tmp_path / "moved", source)
    assert train("translate", "--resume", out) == 0
    shutil.rmtree(source)  # from now on it is needed no more
    assert train("translate", "--resume", out, "--epochs", 2) == 0
    assert len(Run(out).metrics()) == 2


def test_a_damaged_checkpoint_or_run_json_is_one_line(there, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copytree("rewarded", out)
    config = json.loads((out / "run.json").read_text())
    for name, wrong in (("reward", "rouge"), ("samples", 0), ("estimator", 3), ("control", "x"), ("sharpness", "y")):
        damaged = config | {"options": config["options"] | {name: wrong}}
        (out / "run.json").write_text(json.dumps(damaged))
        said = refused(capsys, "train", "translate", "--resume", out, "--quiet")
        assert "run.json: damaged" in said, (name, said)
    (out / "run.json").write_text(json.dumps(config | {"options": config["options"] | {"reward": None}}))
    said = refused(capsys, "train", "translate", "--resume", out, "--quiet")
    assert "last.safetensors: not a checkpoint to resume from" in said


def test_a_run_from_before_there_were_rewards_can_be_begun_with(there, tmp_path):
    old, out = tmp_path / "old", tmp_path / "out"
    shutil.copytree("translate", old)
    config = json.loads((old / "run.json").read_text())
    config["options"] = {n: v for n, v in config["options"].items() if n not in rewarding.OPTIONS}
    (old / "run.json").write_text(json.dumps(config))
    assert train("translate", "--from", old, "--reward", "exact", "--epochs", 1, "--out", out) == 0
    assert options_of(out)["reward"] == "exact"
    assert set(options_of(out)) == set(OPTIONS)


def test_what_rewards_did_is_shown(there, capsys):
    assert run("show", "rewards", "rewarded") == 0
    out = capsys.readouterr().out
    assert "train_reward" in out
    assert "from the weights of *" in out
    assert "was not trained on rewards" in refused(capsys, "show", "rewards", "translate")


def test_the_rate_falls_by_the_reward_and_not_by_the_loss_that_rewards_raise(there, tmp_path, monkeypatch):
    watched, honest = [], translate._schedule
    monkeypatch.setattr(
        translate, "_schedule", lambda options, monitor: watched.append(monitor) or honest(options, monitor)
    )
    for more in ((), ("--reward", "bleu")):
        assert train("translate", "--from", "translate", *more, "--out", tmp_path / f"out{len(more)}") == 0
    assert watched == ["valid_loss", "valid_reward"]
