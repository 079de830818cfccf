"""The training loop, followed by hand: figures, rates, validations, the best weights, and when it stops."""

import math
import sys

import numpy as np
import pytest
from followed import BATCHES, FollowedTask, by_hand, trainer_of

from minirnn import InputError, Run, load_checkpoint


@pytest.mark.parametrize("check_every", [1, 2, 3, 10])
def test_the_figures_of_an_epoch_are_sums_over_its_batches_by_tokens(check_every, clock):
    task = FollowedTask(valid=[0.5, 0.25], clock=clock)
    history = trainer_of(task, check_every=check_every).train(2)
    assert task.validated == [(False, False)] * 2
    assert not task.model.training
    for k, (row, (loss, _)) in enumerate(zip(history, by_hand(2), strict=True)):
        assert row == {
            "epoch": k + 1,
            "step": 3 * (k + 1),
            "train_loss": pytest.approx(loss, rel=1e-12),
            "train_perplexity": pytest.approx(math.exp(loss), rel=1e-12),
            "tokens_per_second": round(10 / 12),
            "valid_loss": [0.5, 0.25][k],
            "valid_perplexity": pytest.approx(math.exp([0.5, 0.25][k]), rel=1e-12),
        }
    assert task.model.w.data[0] == pytest.approx(by_hand(2)[-1][1], rel=1e-12)


def test_the_speed_is_of_this_epoch_alone(clock):
    batches = [(1.0, 100), (2.0, 50)]
    history = trainer_of(FollowedTask(batches=batches, clock=clock), check_every=1).train(3)
    assert [row["tokens_per_second"] for row in history] == [round(150 / 8)] * 3


def test_perplexities_are_given_where_they_are_some():
    task = FollowedTask(valid=[0.5])
    task.loss_is_nll = task.valid_loss_is_nll = False
    (row,) = trainer_of(task).train(1)
    assert set(row) == {"epoch", "step", "train_loss", "tokens_per_second", "valid_loss"}
    (row,) = trainer_of(FollowedTask()).train(1)
    assert set(row) == {"epoch", "step", "train_loss", "train_perplexity", "tokens_per_second"}
    task = FollowedTask(valid=[{"valid_loss": 0.5, "valid_bleu": 3.0}])
    task.loss_is_nll = False
    (row,) = trainer_of(task).train(1)
    assert (row["valid_bleu"], row["valid_perplexity"]) == (3.0, math.exp(0.5))


def test_each_step_hears_of_the_state_and_the_steps_before():
    task = FollowedTask()
    trainer_of(task).train(2)
    assert task.seen == [
        (1.0, None, 0, True), (2.0, 0.0, 1, True), (4.0, 1.0, 2, True),
        (1.0, None, 3, True), (2.0, 3.0, 4, True), (4.0, 4.0, 5, True),
    ]  # fmt: skip


def test_gradients_are_clipped_to_the_norm_and_none_is_left_over():
    for clip in (0.5, 3.0, 100.0):
        task = FollowedTask()
        trainer_of(task, clip=clip).train(2)
        assert task.model.w.data[0] == pytest.approx(by_hand(2, clip=clip)[-1][1], rel=1e-9)


def test_the_learning_rate_follows_its_schedule_from_its_own_base():
    places = []

    def schedule(place, history):
        places.append((place.epoch, place.batch, place.step, len(history)))
        return 1 / (1 + place.step)

    task = FollowedTask(valid=[1.0, 2.0])
    history = trainer_of(task, schedule=schedule).train(2)
    assert places == [(0, 0, 0, 0), (0, 1, 1, 0), (0, 2, 2, 0), (1, 0, 3, 1), (1, 1, 4, 1), (1, 2, 5, 1)]
    assert [row["learning_rate"] for row in history] == pytest.approx([0.1 / 3, 0.1 / 6])
    assert task.model.w.data[0] == pytest.approx(by_hand(2, factor=lambda step: 1 / (1 + step))[-1][1], rel=1e-12)


@pytest.mark.parametrize(("every", "epochs"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (3, [3, 5]), (5, [5]), (9, [5])])
def test_validations_come_every_few_epochs_and_at_the_end(every, epochs):
    task = FollowedTask()
    history = trainer_of(task, validate_every=every).train(5)
    assert [row["epoch"] for row in history] == epochs
    assert [row["step"] for row in history] == [3 * epoch for epoch in epochs]
    assert len(task.validated) == len(epochs)


@pytest.mark.parametrize(
    ("valid", "monitor", "best"),
    [
        ([3.0, 2.0, 2.0, 2.5], "valid_loss", 2),  # of equals the first
        ([3.0, 2.0, 2.5, 1.0], "valid_loss", 4),
        ([1.0, 2.0], "valid_loss", 1),
        ([{"valid_loss": 1.0, "valid_bleu": 5.0}, {"valid_loss": 2.0, "valid_bleu": 7.0}], "valid_bleu", 2),
        ([{"valid_loss": 2.0, "valid_bleu": 5.0}, {"valid_loss": 1.0, "valid_bleu": 5.0}], "valid_bleu", 1),
        ([{"valid_loss": 2.0, "valid_bleu": 5.0}, {"valid_loss": 1.0, "valid_bleu": 4.0}], "valid_loss", 2),
        ([None, None], "valid_loss", 2),  # nothing held out: the training loss falls
    ],
)
def test_the_best_weights_are_those_of_the_best_validation(valid, monitor, best, tmp_path):
    run = Run.create(tmp_path / "r", {})
    trainer = trainer_of(FollowedTask(valid), run, rate=0.01, monitor=monitor)
    history = trainer.train(len(valid))
    arrays, meta = load_checkpoint(run.best)
    assert meta == history[best - 1]
    assert list(arrays) == ["model/w"]
    assert arrays["model/w"][0] == pytest.approx(by_hand(best, rate=0.01)[-1][1], rel=1e-12)
    assert run.metrics() == history


def test_the_best_of_a_resumed_run_is_the_best_of_all(tmp_path):
    run = Run.create(tmp_path / "r", {})
    trainer_of(FollowedTask([2.0]), run).train(1)
    resumed = trainer_of(FollowedTask([2.0, 3.0, 1.5]), run)
    resumed.resume()
    resumed.train(3)
    assert load_checkpoint(run.best)[1]["epoch"] == 1
    resumed.train(4)
    assert load_checkpoint(run.best)[1]["epoch"] == 4


@pytest.mark.parametrize(
    ("valid", "patience", "epochs"),
    [
        ([1.0] * 9, 1, 2),  # as good as the best is no new best
        ([1.0] * 9, 3, 4),
        ([3.0, 2.0, 2.5, 1.0, 1.5, 1.2, 0.5], 2, 6),
        ([3.0, 2.0, 2.5, 1.0, 1.5, 1.2, 0.5], 3, 7),
        ([1.0, 2.0, 3.0], None, 3),
    ],
)
def test_training_stops_after_so_many_validations_without_a_new_best(valid, patience, epochs, tmp_path):
    run = Run.create(tmp_path / "r", {})
    trainer = trainer_of(FollowedTask(valid), run, patience=patience, save_every=1e9)
    assert not trainer.stopped_early()
    assert len(trainer.train(len(valid))) == epochs
    assert trainer.stopped_early() == (epochs < len(valid))
    assert load_checkpoint(run.last)[1]["epoch"] == epochs  # the end is always saved
    assert len(trainer.train(len(valid))) == epochs


def test_an_epoch_without_batches_is_refused():
    task = FollowedTask(batches=[])
    with pytest.raises(InputError, match="without a single batch"):
        trainer_of(task).train(1)
    with pytest.raises(InputError, match="without a single batch"):
        trainer_of(FollowedTask(batches=[(1.0, 0)])).train(1)
    trainer_of(FollowedTask(batches=[(1.0, 1)])).train(1)


def test_batches_of_each_epoch_have_a_stream_of_their_own():
    drawn, task = [], FollowedTask()
    task.batches = lambda rng: drawn.append(rng.random()) or iter(BATCHES)
    trainer_of(task, seed=7).train(2)
    assert drawn == [np.random.default_rng([7, 1]).random(), np.random.default_rng([7, 2]).random()]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"validate_every": 0}, "interval"), ({"check_every": 0}, "interval"), ({"clip": 0}, "clipping norm"),
        ({"clip": -1.0}, "clipping norm"), ({"clip": math.nan}, "clipping norm"), ({"patience": 0}, "patience"),
    ],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_refused(options, words):
    with pytest.raises(InputError, match=f"{words}|{next(iter(options))}"):
        trainer_of(FollowedTask(), **options)
    trainer_of(FollowedTask(), validate_every=1, check_every=1, clip=1e-9, patience=1)


class Bar:
    """In the place of a progress bar: what the loop tells it."""

    def __init__(self, total, initial, unit, disable, dynamic_ncols):
        self.total, self.n, self.unit, self.disable, self.shown, self.lines = total, initial, unit, disable, [], []
        Bar.latest = self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end = self.total

    def update(self):
        self.n += 1

    def say(self, *what):
        self.shown.append((self.n, *what))

    def refresh(self):
        self.shown.append("drawn")

    def print_parts(self, parts):
        self.lines.append("  ".join(parts))


def test_what_is_shown_on_the_way(tmp_path, clock, monkeypatch):
    monkeypatch.setattr("minirnn.training.bar.Bar", Bar)
    task = FollowedTask(valid=[0.5, 12.3456], clock=clock)
    run = Run.create(tmp_path / "r", {})
    trainer = trainer_of(task, run, check_every=2, progress=True)
    trainer.train(1)
    bar = Bar.latest
    assert (bar.total, bar.n, bar.unit, bar.disable) == (3, 3, "batch", False)
    loss = (3 * 1.0 + 1 * (0.2 - 2) ** 2) / 4
    speed = f"loss {loss:.3f}", f"perplexity {math.exp(loss):.2f}", f"{round(4 / 8)} tokens/s"
    assert bar.shown[:3] == [(2, *speed), (3, "validating"), "drawn"]
    (mean, _), *_ = by_hand(1)
    at_the_end = f"loss {mean:.3f}", f"perplexity {math.exp(mean):.2f}", "1 tokens/s"
    assert bar.shown[3:] == [(3, *at_the_end)]
    assert bar.lines == [
        f"epoch 1  step 3  train_loss {mean:.4g}  train_perplexity {math.exp(mean):.4g}  tokens_per_second 1"
        f"  valid_loss 0.5  valid_perplexity 1.649"
    ]
    resumed = trainer_of(task, run, progress=True)
    resumed.resume()
    resumed.train(4)
    assert (Bar.latest.total, Bar.latest.n) == (12, 12)


def test_the_bar_ends_where_training_does(monkeypatch):
    monkeypatch.setattr("minirnn.training.bar.Bar", Bar)
    task = FollowedTask([1.0, 1.0])
    task.loss_is_nll = False
    trainer_of(task, patience=1, check_every=1).train(9)
    assert (Bar.latest.n, Bar.latest.end) == (6, 6)
    assert Bar.latest.disable
    assert not any("perplexity" in said for said in Bar.latest.shown[0][1:])
    monkeypatch.setattr(sys, "stderr", None)
    trainer_of(FollowedTask(), progress=True).train(1)
    assert Bar.latest.disable  # there is nowhere to show it


def test_what_is_no_run_is_refused_before_training():
    with pytest.raises(TypeError, match=r"^expected a Run, such as Run\.create\(path, {}\), not 'runs/mine'$"):
        trainer_of(FollowedTask(), run="runs/mine")
