"""Callbacks of the training loop: when they are called, what they see, and how they end a training."""

import math

import numpy as np
import pytest
from followed import FollowedTask, trainer_of

from minirnn import Callback, Run


class Notes(Callback):
    """Writes down what it sees, and says yes at some steps or validations."""

    def __init__(self, stop_steps=(), stop_epochs=()):
        self.stop_steps, self.stop_epochs, self.steps, self.rows = stop_steps, stop_epochs, [], []

    def on_step(self, trainer):
        place = trainer.place
        seen = (place.epoch, place.batch, place.step, trainer.last_loss)
        self.steps.append((*seen, trainer.task.model.w.data[0], trainer.task.model.training))
        return place.step in self.stop_steps

    def on_validation(self, trainer, row):
        self.rows.append((row["epoch"], row is trainer.history[-1], trainer.task.model.training))
        return np.bool_(row["epoch"] in self.stop_epochs)


def test_each_step_and_each_validation_is_seen():
    notes = Notes()
    trainer = trainer_of(FollowedTask(valid=[0.5, 0.25]), callbacks=[notes])
    assert math.isnan(trainer.last_loss)
    trainer.train(2)
    assert [step[:3] for step in notes.steps] == [
        (0, 1, 1), (0, 2, 2), (0, 3, 3), (1, 1, 4), (1, 2, 5), (1, 3, 6),
    ]  # fmt: skip
    plain = trainer_of(FollowedTask(valid=[0.5, 0.25]))
    plain.train(2)
    assert notes.steps[-1][4] == plain.task.model.w.data[0]
    assert all(training for *_, training in notes.steps)
    assert notes.rows == [(1, True, False), (2, True, False)]
    assert trainer.last_loss == notes.steps[-1][3] == plain.last_loss
    assert len({loss for _, _, _, loss, *_ in notes.steps}) > 1
    assert not trainer.stopped


def test_validations_are_as_rare_as_they_are_asked_for():
    notes = Notes()
    trainer_of(FollowedTask(valid=[0.5, 0.25]), callbacks=[notes], validate_every=2).train(3)
    assert [epoch for epoch, *_ in notes.rows] == [2, 3]


def test_all_are_called_and_one_may_end_the_training_after_a_step():
    first, second = Notes(stop_steps=[2]), Notes()
    trainer = trainer_of(FollowedTask(valid=[0.5]), callbacks=iter([first, second]))
    assert trainer.train(5) == []
    assert trainer.stopped
    assert len(first.steps) == len(second.steps) == 2
    assert (trainer.place.epoch, trainer.place.batch, trainer.place.step) == (0, 2, 2)
    assert not trainer.task.model.training


def test_or_after_a_validation():
    trainer = trainer_of(FollowedTask(valid=[0.5, 0.25, 0.1]), callbacks=[Notes(), Notes(stop_epochs=[2]), Notes()])
    assert [row["epoch"] for row in trainer.train(5)] == [1, 2]
    assert trainer.stopped
    assert (trainer.place.epoch, trainer.place.batch) == (2, 0)


@pytest.mark.parametrize("stop", [{"stop_steps": [step]} for step in range(1, 7)] + [{"stop_epochs": [1]}])
def test_a_training_that_was_ended_goes_on_to_the_very_end_it_would_have_had(stop, tmp_path):
    whole = trainer_of(FollowedTask(valid=[0.5, 0.25, 0.1]))
    whole.train(2)
    run = Run.create(tmp_path / "run", {})
    ended = trainer_of(FollowedTask(valid=[0.5, 0.25, 0.1]), run=run, callbacks=[Notes(**stop)], save_every=1e9)
    ended.train(2)
    assert ended.stopped
    resumed = trainer_of(FollowedTask(valid=[0.5, 0.25, 0.1][len(ended.history) :]), run=run)
    resumed.resume()
    assert resumed.place.step == ended.place.step
    resumed.train(2)
    assert resumed.task.model.w.data[0] == whole.task.model.w.data[0]
    assert [row["valid_loss"] for row in resumed.history] == [0.5, 0.25]
    # And so it does in the same process: whoever ended it has said so once.
    ended.callbacks.clear()
    ended.train(2)
    assert ended.task.model.w.data[0] == whole.task.model.w.data[0]


def test_mistakes_are_said():
    for bad, message in (
        (lambda trainer: True, "not a function"), (Notes, "not the class Notes"), ("Notes", "not a str"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=message):
            trainer_of(FollowedTask(), callbacks=[bad])
    with pytest.raises(TypeError, match=r"write \[callback\]"):
        trainer_of(FollowedTask(), callbacks=Notes())

    class Loss(Callback):
        def on_step(self, trainer):
            return trainer.last_loss

    with pytest.raises(TypeError, match="on_step must return True, False or None, not"):
        trainer_of(FollowedTask(), callbacks=[Loss()]).train(1)
