"""Training: optimisers, checkpoints that survive anything, exact resume, and losses that blow up."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from minirnn import (
    SGD,
    Adam,
    AdamW,
    InputError,
    LanguageModel,
    LanguageModeling,
    NonFiniteLossError,
    Parameter,
    RMSProp,
    Run,
    Trainer,
    clip_grad_norm,
    load_checkpoint,
    save_checkpoint,
)
from minirnn.training.checkpoint import write_atomically


def quadratic(optimizer, steps=400):
    """Where an optimiser ends on (p - 3)²."""
    p = Parameter(np.zeros(2))
    steps_taken = optimizer({"p": p})
    for _ in range(steps):
        p.grad = 2 * (p.data - 3)
        steps_taken.step()
    return p.data


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda p: SGD(p, 0.1),
        lambda p: SGD(p, 0.05, momentum=0.9),
        lambda p: RMSProp(p, 0.02),
        lambda p: Adam(p, 0.05),
        lambda p: AdamW(p, 0.05, weight_decay=0.0),
    ],
)
def test_every_optimizer_finds_a_minimum(optimizer):
    np.testing.assert_allclose(quadratic(optimizer), 3, atol=0.05)


def test_weight_decay_pulls_towards_zero():
    assert (quadratic(lambda p: SGD(p, 0.1, weight_decay=1.0)) < 2.5).all()
    p = Parameter(np.ones(1))
    p.grad = np.zeros(1)
    AdamW({"p": p}, 0.1, weight_decay=0.5).step()
    np.testing.assert_allclose(p.data, 1 - 0.1 * 0.5)


def test_a_saved_optimizer_state_is_a_copy():
    p = Parameter(np.ones(2))
    optimizer = Adam({"p": p}, 0.1)
    state = optimizer.state_dict()
    p.grad = np.ones(2)
    optimizer.step()
    assert not state["mean.p"].any()


def test_a_parameter_without_gradient_stays():
    p = Parameter(np.ones(1))
    AdamW({"p": p}, 0.1, weight_decay=0.5).step()
    assert p.data[0] == 1


def test_optimizer_errors():
    with pytest.raises(InputError, match="learning rate"):
        SGD({}, float("nan"))
    with pytest.raises(InputError, match="weight decay"):
        SGD({}, 1.0, weight_decay=-1)
    with pytest.raises(InputError, match="learning rate"):
        Adam({}, float("inf"))
    with pytest.raises(InputError, match="momentum"):
        SGD({}, 1.0, momentum=1.0)
    with pytest.raises(InputError, match="betas"):
        Adam({}, betas=(1.0, 0.9))
    with pytest.raises(InputError, match="num_steps"):
        SGD({}, 1.0).load_state_dict({})
    with pytest.raises(InputError, match="no mean of shape"):
        Adam({"p": Parameter(np.ones(2))}).load_state_dict({"num_steps": np.array(1)})


def test_clipping_leaves_short_gradients_alone():
    p = Parameter(np.zeros(2))
    p.grad = np.array([0.3, 0.4])
    assert clip_grad_norm([p], 1.0) == pytest.approx(0.5)
    np.testing.assert_array_equal(p.grad, [0.3, 0.4])
    p.grad = np.zeros(2)
    assert clip_grad_norm([p, Parameter(np.zeros(1))], 1.0) == 0
    assert np.isfinite(p.grad).all()


# Checkpoints


def test_a_checkpoint_comes_back(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.array(3)}
    save_checkpoint(tmp_path / "c.safetensors", arrays, {"step": 1, "best": float("inf"), "name": "é"})
    back, meta = load_checkpoint(tmp_path / "c.safetensors")
    np.testing.assert_array_equal(back["a"], arrays["a"])
    assert back["b"] == 3
    assert meta == {"step": 1, "best": float("inf"), "name": "é"}


def test_damaged_checkpoints_are_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, {"a": np.ones(100)}, {})
    whole = path.read_bytes()
    for damaged in (b"", b"hello", whole[:50], whole[:-1], b"\xff" * 100):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="not a minirnn checkpoint, or damaged"):
            load_checkpoint(path)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file(failing, tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killing_a_writer_never_leaves_an_unreadable_checkpoint(tmp_path):
    path = tmp_path / "c.safetensors"
    script = (
        "import itertools, sys, numpy as np\n"
        "from minirnn import save_checkpoint\n"
        "for k in itertools.count():\n"
        "    save_checkpoint(sys.argv[1], {'a': np.full(200_000, k)}, {'k': k})\n"
        "    print(k, flush=True)\n"
    )
    for delay in (0.0, 0.013, 0.029):
        writer = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)
        writer.stdout.readline()
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        arrays, meta = load_checkpoint(path)
        assert (arrays["a"] == meta["k"]).all()


# Runs and resuming


def corpus():
    return np.random.default_rng(0).integers(0, 7, 400)


def new_trainer(run, partition="sequential", cell="lstm", optimizer=Adam, validate_every=1, check_every=3):
    rng = np.random.default_rng(3)
    model = LanguageModel(7, 6, cell=cell, num_layers=2, embedding_size=4, dropout=0.3, rng=rng)
    ids = corpus()
    task = LanguageModeling(model, ids[:300], ids[300:], batch_size=3, num_steps=5, partition=partition, rng=rng)
    return Trainer(
        task, optimizer(model.named_parameters(), 0.02), run,
        seed=5, clip=1.0, save_every=0.0, check_every=check_every, validate_every=validate_every, progress=False,
    )  # fmt: skip


class KilledError(Exception):
    pass


def kill_after(trainer, calls, method):
    """Make the `calls`-th call of a method of the trainer (or of its run) die at its beginning."""
    owner = trainer if hasattr(trainer, method) else trainer.run
    original, count = getattr(owner, method), itertools.count(1)

    def dying(*args, **kwargs):
        if next(count) == calls:
            raise KilledError
        return original(*args, **kwargs)

    setattr(owner, method, dying)


@pytest.mark.parametrize(
    ("method", "calls"),
    [("_train_step", 1), ("_train_step", 2), ("_train_step", 17), ("_train_step", 20), ("_train_step", 47), ("save", 1),
     ("save", 9), ("save_best", 1), ("append_metrics", 2), ("_validate", 2), ("_finish_epoch", 1)],
)  # fmt: skip
@pytest.mark.parametrize(
    "settings",
    [
        {"partition": "sequential", "cell": "lstm", "optimizer": Adam},
        {"partition": "random", "cell": "gru", "optimizer": RMSProp, "check_every": 1},
    ],
    ids=["sequential", "random"],
)
def test_a_killed_run_ends_like_one_that_was_not(method, calls, settings, tmp_path):
    whole = new_trainer(Run.create(tmp_path / "whole", {}), **settings)
    whole.train(3)
    killed = new_trainer(Run.create(tmp_path / "killed", {}), **settings)
    kill_after(killed, calls, method)
    with pytest.raises(KilledError):
        killed.train(3)
    resumed = new_trainer(Run(tmp_path / "killed"), **settings)
    resumed.resume()
    resumed.train(3)
    for which in ("last", "best"):
        (expected, meta), (found, found_meta) = (load_checkpoint(getattr(t.run, which)) for t in (whole, resumed))
        assert set(expected) == set(found)
        for name in expected:
            np.testing.assert_array_equal(expected[name], found[name], err_msg=name)
        clock = ("seconds", "tokens_per_second")
        assert {k: v for k, v in meta.items() if k not in clock} == {
            k: v for k, v in found_meta.items() if k not in clock
        }
    losses = lambda t: [(r["epoch"], r["train_loss"], r["valid_loss"]) for r in t.run.metrics()]
    assert losses(whole) == losses(resumed)
    assert resumed.history == resumed.run.metrics()


def test_more_epochs_after_the_end(tmp_path):
    whole = new_trainer(Run.create(tmp_path / "whole", {}))
    whole.train(4)
    short = new_trainer(Run.create(tmp_path / "short", {}))
    short.train(2)
    longer = new_trainer(Run(tmp_path / "short"))
    longer.resume()
    longer.train(4)
    for name, array in load_checkpoint(whole.run.last)[0].items():
        np.testing.assert_array_equal(array, load_checkpoint(longer.run.last)[0][name])


def test_training_learns_and_the_best_is_kept(tmp_path):
    ids = np.tile(np.arange(5), 80)
    model = LanguageModel(5, 16, cell="gru", rng=0)
    task = LanguageModeling(model, ids[:300], ids[300:], batch_size=4, num_steps=6, rng=np.random.default_rng(0))
    trainer = Trainer(
        task, Adam(model.named_parameters(), 0.02), Run.create(tmp_path / "r", {}), clip=1.0, progress=False
    )
    history = trainer.train(15)
    assert history[-1]["valid_perplexity"] < 1.05
    best = min(history, key=lambda row: row["valid_loss"])
    assert load_checkpoint(trainer.run.best)[1] == best


def test_the_validation_perplexity_is_that_of_the_whole_text():
    """Reading in pieces with carried state gives what reading in one go gives."""
    from minirnn import cross_entropy

    model = LanguageModel(7, 5, cell="lstm", rng=0, dtype=np.float64)
    ids = np.random.default_rng(0).integers(0, 7, 1300)
    task = LanguageModeling(model, ids, ids, batch_size=2, num_steps=5, rng=np.random.default_rng(0))
    nll, tokens = task.validate()
    logits, _ = model(ids[:-1, None])
    assert tokens == 1299
    assert nll == pytest.approx(cross_entropy(logits, ids[1:, None], reduction="sum").item(), rel=1e-12)


@pytest.mark.parametrize(("bad_step", "expected_step"), [(7, 7), (1, 1), (25, 25)])
def test_a_loss_that_is_not_finite_stops_and_is_named(bad_step, expected_step, tmp_path):
    trainer = new_trainer(Run.create(tmp_path / "r", {}))
    honest, count = trainer.task.loss, itertools.count(1)

    def loss(batch, carry):
        value, tokens, state = honest(batch, carry)
        return (value * float("nan") if next(count) == bad_step else value), tokens, state

    trainer.task.loss = loss
    with pytest.raises(
        NonFiniteLossError, match=rf"became nan at step {expected_step} \(epoch {1 if bad_step < 20 else 2}\)"
    ):
        trainer.train(3)
    arrays, meta = load_checkpoint(trainer.run.last)
    assert meta["step"] < bad_step
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_a_run_directory_is_never_overwritten(tmp_path):
    Run.create(tmp_path / "r", {"a": 1})
    with pytest.raises(InputError, match="exists already"):
        Run.create(tmp_path / "r", {"a": 2})
    assert Run(tmp_path / "r").config["a"] == 1


def test_what_is_no_run_is_said(tmp_path):
    with pytest.raises(InputError, match="there is no such directory"):
        Run(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"no run\.json"):
        Run(tmp_path)
    for text in ("{", "[]", json.dumps({"format": 99})):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(InputError, match=r"run\.json: (damaged|expected format)"):
            Run(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"format": 1}))
    with pytest.raises(InputError, match="no checkpoint yet"):
        Run(tmp_path).model_state()


def test_weights_that_are_not_finite_replace_no_checkpoint(tmp_path):
    trainer = new_trainer(Run.create(tmp_path / "r", {}))
    trainer.train(1)
    before = {path: path.read_bytes() for path in (trainer.run.last, trainer.run.best)}
    trainer.task.model.output.weight.data[0, 0] = np.inf
    with pytest.raises(NonFiniteLossError, match=r"output\.weight became infinite or nan by step 19"):
        trainer.save()
    with pytest.raises(NonFiniteLossError, match=r"(held-out data became|the loss became)"), np.errstate(all="ignore"):
        trainer.train(2)
    assert {path: path.read_bytes() for path in before} == before


def test_a_loss_on_held_out_data_that_is_not_finite(tmp_path):
    trainer = new_trainer(Run.create(tmp_path / "r", {}))
    trainer.task.validate = lambda: (float("nan"), 10)
    with pytest.raises(NonFiniteLossError, match="held-out data became nan after step 19"):
        trainer.train(1)
    assert trainer.run.metrics() == []
    assert not trainer.run.best.exists()


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path):
    trainer = new_trainer(Run.create(tmp_path / "r", {}))
    trainer.train(1)
    arrays, meta = load_checkpoint(trainer.run.last)
    without = {k: v for k, v in arrays.items() if k != "optimizer/num_steps"}
    for damaged in (
        (without, meta),
        (arrays, {}),
        (arrays, {**meta, "epoch": "x"}),
        (arrays, {**meta, "rng": {}}),
        (arrays, {"a": 1}),
    ):
        save_checkpoint(trainer.run.last, *damaged)
        with pytest.raises(InputError, match=r"last\.safetensors: "):
            new_trainer(Run(tmp_path / "r")).resume()
    trainer.run.last.unlink()
    with pytest.raises(InputError, match=r"last\.safetensors is missing"):
        new_trainer(Run(tmp_path / "r")).resume()
    assert trainer.run.best.exists()
    assert len(trainer.run.metrics()) == 1


def test_resuming_removes_only_its_own_temporary_files(tmp_path):
    trainer = new_trainer(Run.create(tmp_path / "r", {}))
    trainer.train(1)
    for name in (".last.safetensors.123.tmp", ".notes.tmp"):
        (tmp_path / "r" / name).write_text("x")
    new_trainer(Run(tmp_path / "r")).resume()
    assert not (tmp_path / "r" / ".last.safetensors.123.tmp").exists()
    assert (tmp_path / "r" / ".notes.tmp").exists()


def test_only_one_process_trains_a_run(tmp_path):
    pytest.importorskip("fcntl")
    run = Run.create(tmp_path / "r", {})
    with (
        run.lock(),
        pytest.raises(InputError, match="another process is training this run"),
        Run(tmp_path / "r").lock(),
    ):
        pass
    with run.lock():
        pass


def test_numbered_runs_take_the_next_free_number(tmp_path):
    names = [Run.create_numbered(tmp_path / "lm", {}).path.name for _ in range(3)]
    assert names == ["lm-1", "lm-2", "lm-3"]


def test_after_training_the_model_is_ready_for_use(tmp_path):
    trainer = new_trainer(None)
    trainer.train(1)
    assert not trainer.task.model.training


def test_trainer_and_task_errors():
    with pytest.raises(InputError, match="intervals"):
        new_trainer(None, check_every=0)
    task = new_trainer(None).task
    with pytest.raises(InputError, match="clipping norm"):
        Trainer(task, SGD({}, 0.1), clip=-1.0)
    with pytest.raises(InputError, match="at least 1"):
        LanguageModeling(task.model, corpus(), corpus(), batch_size=0, num_steps=5, rng=task.rng)


def test_the_batches_are_not_drawn_from_the_stream_of_the_weights():
    trainer = new_trainer(None)
    drawn = []
    trainer.task.batches = lambda rng: drawn.append(rng.random(4)) or iter([])
    with pytest.raises(InputError, match="without a single batch"):
        trainer.train(1)
    assert not np.array_equal(drawn[0], np.random.default_rng(5).random(4))


def test_a_cut_off_last_line_of_the_metrics_is_left_out(tmp_path):
    run = Run.create(tmp_path / "r", {})
    row = {"epoch": 1, "step": 1, "train_loss": 2.0}
    run.append_metrics(row)
    with open(run.path / "metrics.jsonl", "a") as file:
        file.write('{"step": 2, "tr')
    assert run.metrics() == [row]
    for damage in (b"\xff\n", b"5\n", b"{}\n", b"junk\n"):
        (run.path / "metrics.jsonl").write_bytes(damage)
        with pytest.raises(InputError, match=r"metrics\.jsonl: damaged"):
            run.metrics()
