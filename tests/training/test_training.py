"""Training: exact resume from any moment, and losses that blow up."""

import itertools

import numpy as np
import pytest

from minirnn import (
    SGD,
    Adam,
    InputError,
    LanguageModel,
    LanguageModeling,
    NonFiniteLossError,
    RMSProp,
    Run,
    Trainer,
    load_checkpoint,
    save_checkpoint,
)


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


def without_clock(found):
    """What a checkpoint says, but for what depends on the time."""
    if isinstance(found, list):
        return [without_clock(row) for row in found]
    kept = {k: v for k, v in found.items() if k != "seconds" and not k.endswith("_per_second")}
    return {k: without_clock(v) if k == "history" else v for k, v in kept.items()}


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
        assert without_clock(meta) == without_clock(found_meta)
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
    loss = task.validate()["valid_loss"]
    logits, _ = model(ids[:-1, None])
    assert loss == pytest.approx(cross_entropy(logits, ids[1:, None]).item(), rel=1e-12)


@pytest.mark.parametrize(("bad_step", "expected_step"), [(7, 7), (1, 1), (25, 25)])
def test_a_loss_that_is_not_finite_stops_and_is_named(bad_step, expected_step, tmp_path):
    trainer = new_trainer(Run.create(tmp_path / "r", {}))
    honest, count = trainer.task.loss, itertools.count(1)

    def loss(batch, carry, step):
        value, tokens, state = honest(batch, carry, step)
        return (value * float("nan") if next(count) == bad_step else value), tokens, state

    trainer.task.loss = loss
    with pytest.raises(
        NonFiniteLossError, match=rf"became nan at step {expected_step} \(epoch {1 if bad_step < 20 else 2}\)"
    ):
        trainer.train(3)
    arrays, meta = load_checkpoint(trainer.run.last)
    assert meta["step"] < bad_step
    assert all(np.isfinite(array).all() for array in arrays.values())


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
    trainer.task.validate = lambda: {"valid_loss": float("nan")}
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


def test_after_training_the_model_is_ready_for_use(tmp_path):
    trainer = new_trainer(None)
    trainer.train(1)
    assert not trainer.task.model.training


def test_trainer_and_task_errors():
    task = new_trainer(None).task
    optimizer = SGD(task.model.parameters(), 0.1)
    for words, options in (
        ("validate_every", {"validate_every": 0}), ("check_every", {"check_every": 0}), ("patience", {"patience": 0}),
        ("clipping norm", {"clip": 0}), ("clipping norm", {"clip": -1.0}), ("clipping norm", {"clip": float("nan")}),
        ("save_every", {"save_every": -0.1}), ("save_every", {"save_every": float("nan")}),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            Trainer(task, optimizer, **options)
    numbers = {"validate_every": np.int64(1), "check_every": np.int64(1), "patience": np.int64(1), "save_every": 0}
    trainer = Trainer(task, optimizer, clip=np.float64(1e-9), progress=False, **numbers)
    for bad in (-1, 1.5, True):
        with pytest.raises(InputError, match="epochs"):
            trainer.train(bad)
    assert trainer.train(0) == []
    with pytest.raises(InputError, match="at least 1"):
        LanguageModeling(task.model, corpus(), corpus(), batch_size=0, num_steps=5, rng=task.rng)


def test_an_optimizer_of_another_model_is_refused():
    task, other = new_trainer(None).task, new_trainer(None).task
    with pytest.raises(InputError, match="no parameter of the model"):
        Trainer(task, SGD(other.model.parameters(), 0.1))


def test_clipping_looks_at_what_is_trained_alone():
    task = new_trainer(None).task
    bias = task.model.output.bias
    before = bias.data.copy()
    trainer = Trainer(task, SGD([bias], 1.0), clip=1e-3, progress=False)
    trainer._train_step(next(task.batches(np.random.default_rng(0))))
    assert np.linalg.norm(bias.data - before) == pytest.approx(1e-3, rel=1e-3)


def test_the_batches_are_not_drawn_from_the_stream_of_the_weights():
    trainer = new_trainer(None)
    drawn = []
    trainer.task.batches = lambda rng: drawn.append(rng.random(4)) or iter([])
    with pytest.raises(InputError, match="without a single batch"):
        trainer.train(1)
    assert not np.array_equal(drawn[0], np.random.default_rng(5).random(4))
