"""What `minirnn show rewards` counts: against the loss that training uses, and against chance."""

import json
import re
import sys

import numpy as np
import pytest
from commands import refused, run

from minirnn import InputError, Run, grad, save_checkpoint
from minirnn.inspection import rewards as module
from minirnn.inspection.rewards import (
    ESTIMATORS,
    LIMIT,
    VOCABULARY,
    all_sentences,
    axes_of,
    build_toy,
    estimates,
    history,
    measures_of,
    sum_up,
)
from minirnn.plots.rewards import plot_history
from minirnn.training import rewards as training
from minirnn.training.rewards import Rewards


@pytest.fixture(scope="module")
def found():
    return sum_up(build_toy())


def test_every_sentence_is_there_once():
    ids = all_sentences((3, 4, 5), 3)
    assert len(ids) == len(set(ids)) == 1 + 3 + 9 + 27
    assert all(one.count(2) == (one[-1] == 2) and (one[-1] == 2 or len(one) == 3) for one in ids)
    assert [len(one) for one in ids[:4]] == [1, 2, 2, 2]


@pytest.mark.parametrize(("seed", "steps"), [(0, 10), (1, 0), (2, 40)])
def test_probabilities_add_up_and_the_gradient_is_the_sum_over_the_sentences(seed, steps):
    found = sum_up(build_toy(seed, steps))
    assert found.p.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(found.p @ found.slopes, 0, atol=1e-12)  # Σ ∇p = ∇1
    assert found.expected == pytest.approx(found.p @ found.r, abs=1e-12)
    np.testing.assert_allclose((found.p * found.r) @ found.slopes, found.exact, atol=1e-12)
    best = found.written.sentences.index(["the", "cat", "<eos>"])
    assert found.r[best] == found.r.max() == 1


def test_the_expected_reward_has_the_slope_of_finite_differences():
    toy, exact = build_toy(), sum_up(build_toy()).exact
    direction = np.random.default_rng(0).standard_normal(len(exact))

    def expected(step):
        at = 0
        for p in toy.model.parameters():
            p.data = p.data + step * direction[at : at + p.size].reshape(p.shape)
            at += p.size
        return sum_up(toy).expected

    up = expected(1e-5)
    assert (up - expected(-2e-5)) / 2e-5 == pytest.approx(exact @ direction, rel=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_with_every_baseline_the_mean_is_the_gradient_and_minimum_risk_is_biased(seed):
    found = sum_up(build_toy(seed))
    results = {name: estimates(found, *how) for name, how in ESTIMATORS.items()}
    for name, one in results.items():
        assert one.p.sum() == pytest.approx(1, abs=1e-12)
        assert one.g.shape == (40**2, len(found.exact))
        assert (one.bias > 0.1) if name == "minimum risk" else (one.bias < 1e-10)
        size = np.linalg.norm(found.exact)
        off = (one.bias * size) ** 2 + one.variance
        assert one.spread == pytest.approx(off**0.5 / size, rel=1e-9)
        assert one.variance < results["no baseline"].variance or name == "no baseline"
    assert results["mean"].variance < results["others"].variance  # which is as near to J, but for one sample's noise


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimate_is_the_gradient_of_the_loss_that_training_uses(name, found, monkeypatch):
    estimator, baseline = ESTIMATORS[name]
    one, toy = estimates(found, estimator, baseline), build_toy()
    rewards = Rewards(toy.rewards.reward, toy.rewards.to_words, estimator=estimator, baseline=baseline, samples=2)
    rewards.kept |= {"mean": found.expected, "weight": 1.0}
    ids = all_sentences((3, 4, 5), LIMIT)
    for pair in ((0, 17), (17, 0), (8, 8), (3, 39)):

        def choices(pair=pair):
            for t in range(LIMIT):
                yield np.array([ids[i][t] for i in pair if t < len(ids[i])])

        left = choices()
        monkeypatch.setattr(training, "drawing", lambda rng, left=left: lambda log_probs: next(left))
        loss, _ = rewards.loss(toy.model, toy.asked, None)
        rewards.kept |= {"mean": found.expected, "weight": 1.0}
        slope = module._flat(grad(loss, toy.model.parameters()), toy.model.parameters())
        np.testing.assert_allclose(one.g[40 * pair[0] + pair[1]], -slope, atol=1e-11)


def test_mean_and_spread_are_those_of_many_draws(found):
    one, rng = estimates(found, "reinforce", "others"), np.random.default_rng(0)
    drawn = one.g[rng.choice(len(one.p), 20_000, p=one.p)]
    assert np.mean(np.sum((drawn - one.mean) ** 2, axis=1)) == pytest.approx(one.variance, rel=0.05)
    assert np.linalg.norm(drawn.mean(axis=0) - one.mean) < 4 * (one.variance / 20_000) ** 0.5


def test_more_samples_take_bias_and_variance_away():
    toy = build_toy()
    toy.asked.limits[:] = 2  # 13 sentences
    found = sum_up(toy)
    two, three = (estimates(found, "reinforce", "none", samples) for samples in (2, 3))
    assert three.variance / two.variance == pytest.approx(2 / 3)
    assert estimates(found, "risk", samples=3).bias < estimates(found, "risk", samples=2).bias
    with pytest.raises(InputError, match=r"13\^5 sets of 5 samples"):
        estimates(found, "risk", samples=5)
    with pytest.raises(InputError, match="samples"):
        estimates(found, "risk", samples=1)


def test_the_axes_are_at_right_angles_and_the_second_is_the_widest(found):
    widest = estimates(found, "reinforce", "none")
    axes = axes_of(found.exact, widest)
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(axes @ found.exact, [np.linalg.norm(found.exact), 0], atol=1e-12)

    def spread(direction):
        return widest.p @ ((widest.g - widest.mean) @ direction) ** 2

    rng = np.random.default_rng(0)
    for _ in range(50):
        other = axes[1] + 0.3 * rng.standard_normal(len(found.exact)) / len(found.exact) ** 0.5
        other -= (other @ axes[0]) * axes[0]
        assert spread(other / np.linalg.norm(other)) <= spread(axes[1])


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows_of(out):
    """The table: by estimator its bias, its spread, and the share of the variance."""
    found = re.findall(
        r"^(no baseline|mean|greedy|others|minimum risk) .*? (\S+e\S+) +(\S+) +(\S+)%$", out, re.MULTILINE
    )
    return {name: [float(x) for x in numbers] for name, *numbers in found}


def test_the_table_says_what_was_counted(here, found, capsys):
    assert run("show", "rewards", "--out", "toy.png") == 0
    out = capsys.readouterr().out
    table = rows_of(out)
    assert list(table) == list(ESTIMATORS)
    for name, (bias, spread, left) in table.items():
        one = estimates(found, *ESTIMATORS[name])
        assert spread == pytest.approx(one.spread, abs=0.006)
        assert left == pytest.approx(100 * one.variance / estimates(found, "reinforce", "none").variance, abs=0.06)
        assert bias < 1e-10 if name != "minimum risk" else bias == pytest.approx(one.bias, abs=0.01)
    assert all(left < 100 for name, (_, _, left) in table.items() if name != "no baseline")
    likely = [line.split() for line in out.splitlines() if re.match(r"  0\.\d{3}  ", line)]
    assert [float(line[0]) for line in likely] == sorted((float(line[0]) for line in likely), reverse=True)
    for p, r, both, *words in likely:
        at = found.written.sentences.index(words)
        assert (p, r, both) == tuple(f"{x:.3f}" for x in (found.p[at], found.r[at], found.p[at] * found.r[at]))
    assert f"J = Σ p r = {found.expected:.3f}" in out
    assert "Minimum risk is\nbiased" in out
    assert "picture: toy.png" in out
    assert (here / "toy.png").read_bytes().startswith(b"\x89PNG")
    assert all(len(line) <= 120 for line in out.splitlines())


def test_without_matplotlib_there_is_the_table_alone(here, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run("show", "rewards", "--seed", 1) == 0
    out = capsys.readouterr().out
    assert len(rows_of(out)) == 5
    assert "no picture: matplotlib is not installed" in out
    assert not list(here.iterdir())
    rows = [{"epoch": 1, "step": 1, "train_loss": 0.0, "train_reward": 1.0}]
    assert plot_history(module.History([], 0, rows), here / "x.png") is None
    assert not list(here.iterdir())


def write_run(folder, rows, best=None, **config):
    made = Run.create(folder, {"task": "translate", "options": {"reward": None}, **config})
    made.write_metrics([{"step": 3 * row["epoch"], "train_loss": 1.0, **row} for row in rows])
    if best is not None:
        made.save_best({"w": np.zeros(1)}, {"epoch": best})
    return made


BEFORE = [{"epoch": n, "valid_loss": 2.0 - n / 4, "valid_bleu": 10.0 * n, "valid_perplexity": 5.0} for n in (1, 2, 3)]
AFTER = [
    {"epoch": n, "train_reward": 0.5 + n / 100, "train_length": 6.5, "train_entropy": 1.25, "valid_reward": 0.6,
     "valid_loss": 1.5 + n, "valid_bleu": 31.0 + n}
    for n in (1, 2)
]  # fmt: skip
ON_REWARDS = {"options": {"reward": "bleu"}}


def test_a_run_is_shown_behind_the_one_that_it_began_with(here, capsys):
    write_run(here / "base", BEFORE, best=2)
    write_run(here / "rewarded", AFTER, **ON_REWARDS, **{"from": str(here / "base")})
    assert run("show", "rewards", "rewarded") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "epoch", "valid_loss", "valid_bleu", "train_reward", "train_length", "train_entropy", "valid_reward",
    ]  # fmt: skip
    assert [line.split() for line in lines[1:4]] == [["1", "1.75", "10"], ["2*", "1.5", "20"], ["3", "1.25", "30"]]
    assert lines[4].startswith("-- on rewards, from the weights of *")
    assert [line.split() for line in lines[5:7]] == [
        ["1", "2.5", "32", "0.51", "6.5", "1.25", "0.6"], ["2", "3.5", "33", "0.52", "6.5", "1.25", "0.6"],
    ]  # fmt: skip
    assert (here / "rewards.png").stat().st_size > 10_000
    shown = history(Run("rewarded"))
    assert shown.begun == 2
    assert measures_of(shown.rows)[0] == "train_reward"


@pytest.mark.parametrize("what", ["gone", "no best", "damaged", "strange epoch", "no from"])
def test_a_run_whose_beginning_is_gone_is_shown_by_itself(what, here, capsys):
    base = write_run(here / "base", BEFORE, best=None if what == "no best" else 2)
    write_run(here / "rewarded", AFTER, **ON_REWARDS, **({} if what == "no from" else {"from": str(here / "base")}))
    if what == "gone":
        (here / "base" / "run.json").unlink()
    elif what == "damaged":
        base.best.write_bytes(b"nonsense")
    elif what == "strange epoch":
        save_checkpoint(base.best, {"model/w": np.zeros(1)}, {"epoch": "2"})
    assert run("show", "rewards", "rewarded", "--out", "alone.png") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "-- on rewards; the run before is gone"
    assert len([line for line in lines if re.match(r" +\d", line)]) == 2
    assert (here / "alone.png").exists()


def test_what_cannot_be_shown_is_said_in_one_line(here, capsys):
    write_run(here / "base", BEFORE, best=2)
    write_run(here / "young", [], **ON_REWARDS)
    write_run(here / "strange", BEFORE, options=[1])
    write_run(here / "blind", [{"epoch": 1}], **ON_REWARDS)
    assert "blind tells nothing of rewards" in refused(capsys, "show", "rewards", "blind")
    for name in ("base", "strange"):
        assert f"{name} was not trained on rewards" in refused(capsys, "show", "rewards", name)
    assert "young has no metrics yet" in refused(capsys, "show", "rewards", "young")
    assert "nowhere is not a run directory" in refused(capsys, "show", "rewards", "nowhere")
    assert "--seed goes without a run" in refused(capsys, "show", "rewards", "base", "--seed", 0)
    assert "expected a whole number at least 0" in refused(capsys, "show", "rewards", "--seed", -1)
    assert "expected the name of a picture" in refused(capsys, "show", "rewards", "--out", "x.foo")
    assert "no/x.png" in refused(capsys, "show", "rewards", "--out", "no/x.png")
    assert "unrecognized arguments" in refused(capsys, "show", "rewards", "base", "base")
    (here / "young" / "metrics.jsonl").write_text(json.dumps({"epoch": 1}) + "\n")
    assert "metrics.jsonl: damaged" in refused(capsys, "show", "rewards", "young")


def test_the_toy_writes_its_words_alone(found):
    assert {word for words in found.written.sentences for word in words} == {"<eos>", *VOCABULARY[3:]}
