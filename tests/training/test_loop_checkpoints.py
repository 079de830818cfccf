"""The training loop, followed by hand: when it saves, what it refuses to save, and how it goes on."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from followed import FollowedTask, trainer_of

from minirnn import InputError, NonFiniteLossError, Run, Tensor, load_checkpoint, save_checkpoint
from minirnn.training import loop


def saves_of(trainer):
    """At which step each checkpoint is written."""
    steps, save = [], trainer.save
    trainer.save = lambda: (steps.append(trainer.place.step), save())
    return steps


@pytest.mark.parametrize(
    ("save_every", "check_every", "expected"),
    [
        (7.9, 1, [0, 2, 4, 6, 8, 9]),  # a step takes 4 seconds
        (8.0, 1, [0, 3, 6, 9, 9]),  # more than 8
        (8.0, 2, [0, 3, 6, 9]),  # step 3 and step 9 because an epoch ends
        (12.0, 100, [0, 6, 9]),
        (1e9, 1, [0, 9]),
    ],
)
def test_checkpoints_are_written_at_the_beginning_at_the_end_and_now_and_then(
    save_every, check_every, expected, tmp_path, clock
):
    trainer = trainer_of(
        FollowedTask(clock=clock), Run.create(tmp_path / "r", {}), save_every=save_every, check_every=check_every
    )
    steps = saves_of(trainer)
    trainer.train(3)
    assert steps == expected


def test_a_run_that_has_a_checkpoint_is_not_saved_before_it_goes_on(tmp_path, clock):
    run = Run.create(tmp_path / "r", {})
    trainer_of(FollowedTask(clock=clock), run).train(1)
    trainer = trainer_of(FollowedTask(clock=clock), run, save_every=1e9)
    steps = saves_of(trainer)
    trainer.resume()
    trainer.train(2)
    assert steps == [6]
    trainer.train(2)  # nothing is left to do
    assert steps == [6]
    assert not trainer.task.model.training


@pytest.mark.parametrize(("bad", "check_every", "steps"), [(2, 1, 2), (2, 4, 4), (1, 2, 2), (4, 2, 4), (6, 100, 6)])
def test_a_loss_that_is_not_finite_is_found_at_the_next_look(bad, check_every, steps):
    batches = [(math.nan if k == bad else 1.0, 1) for k in range(1, 7)]
    task = FollowedTask(batches=batches)
    with pytest.raises(NonFiniteLossError, match=rf"became nan at step {bad} \(epoch 1\): .*norm$"):
        trainer_of(task, check_every=check_every).train(1)
    assert len(task.seen) == steps


def test_the_step_of_a_bad_loss_counts_those_of_all_epochs(tmp_path):
    task = FollowedTask(batches=[(1.0, 1), (2.0, 1)])
    trainer = trainer_of(task, Run.create(tmp_path / "r", {}))
    trainer.train(2)
    task.given = [(1.0, 1), (math.inf, 1)]
    with pytest.raises(NonFiniteLossError, match=r"became inf at step 6 \(epoch 3\): .*checkpoint is .*last"):
        trainer.train(3)


def test_weights_that_are_not_finite_are_named():
    task = FollowedTask()
    trainer = trainer_of(task, SimpleNamespace(last=SimpleNamespace(exists=lambda: False)))
    task.model.w.data[0] = math.nan
    with pytest.raises(NonFiniteLossError, match=r"^w became infinite or nan by step 0: .*norm$"):
        trainer.save()


def test_a_held_out_loss_that_is_not_finite_is_not_logged(tmp_path):
    run = Run.create(tmp_path / "r", {})
    trainer = trainer_of(FollowedTask([1.0, math.inf]), run)
    with pytest.raises(NonFiniteLossError, match="held-out data became inf after step 6"):
        trainer.train(3)
    assert [row["epoch"] for row in run.metrics()] == [1]
    assert load_checkpoint(run.best)[1]["epoch"] == 1


def carry_after(run, carry):
    """What is carried after a save and a resume."""
    before, after = trainer_of(FollowedTask(), run), trainer_of(FollowedTask(), run)
    before.carry = carry
    before.save()
    after.resume()
    return after.carry


def test_the_carried_state_comes_back_in_its_form(tmp_path):
    run = Run.create(tmp_path / "r", {})
    h, c = Tensor(np.arange(3.0)), Tensor(np.arange(3.0) * 2)
    assert carry_after(run, None) is None
    np.testing.assert_array_equal(carry_after(run, h).data, h.data)
    found = carry_after(run, (h, c))
    assert isinstance(found, tuple)
    for ours, theirs in zip(found, (h, c), strict=True):
        np.testing.assert_array_equal(ours.data, theirs.data)
    many = tuple(Tensor(np.array([float(k)])) for k in range(12))
    assert [t.item() for t in carry_after(run, many)] == list(range(12))


def test_a_run_that_has_not_begun_begins(tmp_path):
    run = Run.create(tmp_path / "r", {})
    trainer = trainer_of(FollowedTask(), run)
    trainer.resume()
    assert (trainer.place, trainer.history, trainer.carry) == (loop.Place(), [], None)
    assert vars(trainer.place) == {
        "epoch": 0, "batch": 0, "step": 0, "nll": 0.0, "tokens": 0, "seconds": 0.0, "best": math.inf, "rng": {},
    }  # fmt: skip
    assert len(trainer.train(2)) == 2


def test_a_run_whose_checkpoint_is_gone_is_refused(tmp_path):
    run = Run.create(tmp_path / "r", {})
    run.append_metrics({"epoch": 1, "step": 1, "train_loss": 1.0})
    with pytest.raises(InputError, match="is missing"):
        trainer_of(FollowedTask(), run).resume()
    run.write_metrics([])
    trainer_of(FollowedTask(), run).resume()
    run.save_best({"w": np.zeros(1)}, {})
    with pytest.raises(InputError, match="is missing"):
        trainer_of(FollowedTask(), run).resume()


def test_what_was_logged_after_the_checkpoint_is_logged_again(tmp_path):
    run = Run.create(tmp_path / "r", {})
    trainer_of(FollowedTask([3.0, 2.0]), run).train(2)
    rows = run.metrics()
    run.append_metrics({**rows[-1], "epoch": 3})
    trainer = trainer_of(FollowedTask([1.0]), run)
    trainer.resume()
    assert trainer.history == run.metrics() == rows
    assert [row["valid_loss"] for row in trainer.train(3)] == [3.0, 2.0, 1.0]


@pytest.mark.parametrize("name", ["epoch", "batch", "step"])
def test_a_place_that_is_none_is_refused(name, tmp_path):
    run = Run.create(tmp_path / "r", {})
    trainer_of(FollowedTask(), run).train(1)
    arrays, meta = load_checkpoint(run.last)
    for wrong in (-1, 1.5, "1", None):
        save_checkpoint(run.last, arrays, {**meta, name: wrong})
        with pytest.raises(InputError, match=r"last\.safetensors: not a checkpoint to resume from"):
            trainer_of(FollowedTask(), run).resume()
    save_checkpoint(run.last, arrays, {**meta, name: 0})
    trainer_of(FollowedTask(), run).resume()


def test_a_checkpoint_of_another_model_is_refused_by_name(tmp_path):
    run = Run.create(tmp_path / "r", {})
    trainer_of(FollowedTask(), run).train(1)
    arrays, meta = load_checkpoint(run.last)
    save_checkpoint(run.last, {**arrays, "model/v": np.zeros(1)}, meta)
    with pytest.raises(InputError, match=r"last\.safetensors: .*v"):
        trainer_of(FollowedTask(), run).resume()


def test_a_lost_line_of_the_metrics_is_missed(tmp_path):
    run = Run.create(tmp_path / "r", {})
    losses = [3.0, 2.0, 2.5, 2.5, 2.5]
    trainer_of(FollowedTask(losses[:3]), run, patience=2).train(3)
    rows = run.metrics()
    run.write_metrics(rows[:2])  # the third was never on the disk
    trainer = trainer_of(FollowedTask(losses[3:]), run, patience=2)
    trainer.resume()
    assert trainer.history == run.metrics() == rows
    trainer.train(9)
    assert [row["epoch"] for row in run.metrics()] == [1, 2, 3, 4]  # two in a row without a new best


def test_a_checkpoint_without_a_history_takes_that_of_the_metrics(tmp_path):
    run = Run.create(tmp_path / "r", {})
    trainer_of(FollowedTask([3.0, 2.0]), run).train(2)
    arrays, meta = load_checkpoint(run.last)
    del meta["history"], meta["learning_rate"]
    save_checkpoint(run.last, arrays, meta)
    trainer = trainer_of(FollowedTask([1.0]), run)
    trainer.resume()
    assert [row["valid_loss"] for row in trainer.train(3)] == [3.0, 2.0, 1.0]


@pytest.mark.parametrize("history", [None, "x", {}, [1], [{"epoch": 1}]])
def test_a_history_that_is_none_is_refused(history, tmp_path):
    run = Run.create(tmp_path / "r", {})
    trainer_of(FollowedTask(), run).train(1)
    arrays, meta = load_checkpoint(run.last)
    save_checkpoint(run.last, arrays, {**meta, "history": history})
    with pytest.raises(InputError, match=r"last\.safetensors: not a checkpoint to resume from"):
        trainer_of(FollowedTask(), run).resume()


def test_a_run_killed_before_a_validation_logs_the_rate_of_its_last_step(tmp_path, clock):
    halving = lambda place, history: 0.5 ** (place.step + 1)
    run = Run.create(tmp_path / "r", {})
    options = {"schedule": halving, "save_every": 0.0, "check_every": 1}
    killed = trainer_of(FollowedTask(clock=clock), run, **options)
    killed._validate = lambda bar: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        killed.train(1)
    expected = killed.optimizer.learning_rate
    assert expected < killed.base_rate
    resumed = trainer_of(FollowedTask(clock=clock), run, **options)
    resumed.resume()
    resumed.train(1)
    assert run.metrics()[0]["learning_rate"] == expected
    constant = trainer_of(FollowedTask(clock=clock), run)
    constant.resume()
    assert constant.optimizer.learning_rate == constant.base_rate


@pytest.mark.parametrize(
    ("save_every", "took", "expected"),
    [
        (1.0, 0.1, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]),  # a step takes 4 seconds
        (1.0, 0.5, [0, 3, 6, 9, 9]),  # so the next one is due after more than 10
        (1.0, 1.0, [0, 6, 9]),  # after more than 20
        (30.0, 0.5, [0, 8, 9]),
        (0.0, 100.0, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]),  # who says so has one at each look
    ],
)
def test_checkpoints_that_take_long_are_far_apart(save_every, took, expected, tmp_path, clock):
    run = Run.create(tmp_path / "r", {})
    save_last = run.save_last

    def slow(*arguments):
        clock.now += took
        save_last(*arguments)

    run.save_last = slow
    trainer = trainer_of(FollowedTask(clock=clock), run, save_every=save_every, check_every=1)
    steps = saves_of(trainer)
    trainer.train(3)
    assert steps == expected
