"""Data-parallel training: ranks that share a batch find the gradient of the whole, and stay alike. The ranks are
threads here; `test_mpi.py` has processes."""

import re

import device_double
import numpy as np
import pytest
from ranks_in_threads import together
from shared_tasks import TASKS, language, rewarded, translation

from minirnn import SGD, Adam, Callback, InputError, MinirnnError, Run, Trainer, backend, load_checkpoint
from minirnn.fast import kernels
from minirnn.training import Ranks
from minirnn.training.sharing import gradient_together, stream

SIZES = (2, 7)


def gradients(model):
    return {name: p.grad for name, p in model.named_parameters().items() if p.grad is not None}


def first_and_last(task):
    """The largest and the smallest batch of an epoch, which is the last where that one is smaller."""
    batches = sorted(task.batches(np.random.default_rng(3)), key=task.width)
    return batches[-1], batches[0]


def one_alone(make, which):
    task = make(np.random.default_rng(0))
    loss, tokens, _ = task.loss(first_and_last(task)[which], None, 0)
    loss.backward()
    return loss.item(), tokens, gradients(task.model)


def one_of_several(ranks, make, which):
    task = make(np.random.default_rng(0))
    optimizer = SGD(task.model.named_parameters(), 0.1)
    loss, tokens, _ = gradient_together(ranks, task, optimizer, first_and_last(task)[which], None, 0)
    return float(loss), tokens, gradients(task.model)


@pytest.mark.parametrize("which", [0, 1], ids=["whole batch", "last batch"])
@pytest.mark.parametrize("name", TASKS)
def test_ranks_that_share_a_batch_find_its_gradient(name, which):
    loss, tokens, grads = one_alone(TASKS[name], which)
    for size in SIZES:
        for found, found_tokens, shared in together(size, lambda ranks: one_of_several(ranks, TASKS[name], which)):
            assert found_tokens == tokens
            np.testing.assert_allclose(found, loss, rtol=1e-12)
            assert shared.keys() == grads.keys()
            for one in grads:
                np.testing.assert_allclose(shared[one], grads[one], rtol=1e-10, atol=1e-14, err_msg=one)


def test_a_rank_reads_no_more_turns_than_its_answers_look_back_on():
    task = TASKS["chatting"](np.random.default_rng(0))
    batch = next(task.batches(np.random.default_rng(0)))
    part = task.part(batch, slice(0, 1)).histories
    assert part.words.shape[1] == part.lengths[0] == len(part.turns)
    assert part.turns[:, 0].tolist() == list(range(part.lengths[0]))
    assert part.words.shape[1] < batch.histories.words.shape[1]


def trained(ranks=None, make=language, epochs=2, run=None, optimizer=SGD, rate=0.5, resume=False, **options):
    """The trainer of a training of some epochs, on one rank of several or alone."""
    task = make(np.random.default_rng(0))
    options |= {} if ranks is None else {"ranks": ranks}
    trainer = Trainer(task, optimizer(task.model.named_parameters(), rate), run, progress=False, seed=4, **options)
    if resume:
        trainer.resume()
    trainer.train(epochs)
    return trainer


def weights(trainer):
    return trainer.task.model.state_dict()


def assert_same_bits(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize(
    ("optimizer", "rate", "dtype", "rtol"),
    [(SGD, 0.5, np.float64, 1e-12), (SGD, 0.5, np.float32, 1e-6), (Adam, 0.01, np.float32, 1e-4)],
)
def test_some_ranks_learn_what_one_process_learns(optimizer, rate, dtype, rtol):
    settings = {"optimizer": optimizer, "rate": rate, "clip": 0.4, "make": lambda rng: language(rng, dtype)}
    alone = trained(**settings)
    assert alone.place.step == 46
    for size in SIZES:
        all_ranks = together(size, lambda ranks: trained(ranks, **settings))
        for one in all_ranks:
            assert_same_bits(weights(one), weights(all_ranks[0]))
            for row, expected in zip(one.history, alone.history, strict=True):
                assert row["train_loss"] == pytest.approx(expected["train_loss"], rel=rtol)
                assert row["valid_loss"] == pytest.approx(expected["valid_loss"], rel=rtol)
        for name, expected in weights(alone).items():
            largest = abs(expected).max()
            np.testing.assert_allclose(weights(all_ranks[0])[name], expected, rtol=rtol, atol=rtol * largest)


def test_there_is_one_sum_a_step_of_every_weight_and_little_more():
    def train(ranks):
        trainer = trained(ranks, epochs=1)
        return trainer, ranks.group

    trainer, group = together(2, train)[0]
    parameters = trainer.task.model.parameters()
    assert group.calls == trainer.place.step == 23
    assert group.numbers == 23 * (trainer.task.model.num_parameters() + len(parameters) + 3)


def test_a_parameter_that_no_rank_uses_stays_as_it_is(rng):
    def find(ranks, used_by):
        task = language(np.random.default_rng(0))
        task.model.extra = type(task.model.output.bias)(np.ones(3))
        if ranks.rank in used_by:
            loss = task.loss
            task.loss = lambda *a: ((found := loss(*a))[0] + 0.0 * task.model.extra.sum(), *found[1:])
        optimizer = SGD(task.model.named_parameters(), 0.1, weight_decay=0.1)
        gradient_together(ranks, task, optimizer, next(task.batches(np.random.default_rng(0))), None, 0)
        return task.model.extra.grad

    assert together(2, lambda ranks: find(ranks, ())) == [None, None]
    for grad in together(2, lambda ranks: find(ranks, (1,))):
        assert grad.tolist() == [0, 0, 0]


def test_ranks_begin_with_the_weights_of_the_first():
    def train(ranks):
        return trained(ranks, make=lambda rng: language(np.random.default_rng(ranks.rank)), epochs=1)

    first, other = together(2, train)
    assert_same_bits(weights(first), weights(other))


def test_every_rank_drops_something_else():
    def drawn(ranks):
        trainer = trained(ranks, epochs=0, make=lambda rng: language(rng, dropout=0.5))
        return trainer.task.rng.random(8).tolist()

    streams = together(3, drawn)
    assert len({tuple(one) for one in streams}) == 3
    assert streams == together(3, drawn)


def test_alone_nothing_is_drawn_otherwise():
    """A group of one changes no stream."""
    task = language(np.random.default_rng(0), dropout=0.5)
    state = task.rng.bit_generator.state
    Trainer(task, SGD(task.model.named_parameters(), 0.1), progress=False)
    assert task.rng.bit_generator.state == state


@pytest.mark.parametrize("seed", [0, 4])
def test_no_stream_of_a_rank_is_another_s_or_that_of_the_batches(seed):
    kind = np.random.PCG64
    states = [stream(kind, seed, step, rank)["state"]["state"] for step in range(4) for rank in range(4)]
    states += [kind([seed, epoch]).state["state"]["state"] for epoch in range(1, 5)]
    states.append(kind(seed).state["state"]["state"])
    assert len(set(states)) == len(states)


def dropping(rng):
    return language(rng, dropout=0.3)


class StopAt(Callback):
    def __init__(self, step, rank=None):
        self.step, self.rank = step, rank

    def on_step(self, trainer):
        return trainer.place.step >= self.step and self.rank in (None, trainer.ranks.rank)


def run_at(path, ranks):
    return (Run(path) if path.exists() else Run.create(path, {})) if ranks is None or ranks.leads else None


def begin_and_go_on(folder, before, after, make=dropping, at=30):
    """A run that so many ranks (None: one process) begin, stop in the middle of an epoch, and others go on with."""
    train = {"make": make, "clip": 0.4, "optimizer": Adam, "rate": 0.01}

    def begin(ranks=None):
        return trained(ranks, run=run_at(folder, ranks), callbacks=[StopAt(at)], **train)

    def go_on(ranks=None):
        return trained(ranks, run=run_at(folder, ranks), resume=True, **train)

    begin() if before is None else together(before, begin)
    assert load_checkpoint(folder / "last.safetensors")[1]["step"] == at
    return go_on() if after is None else together(after, go_on)[-1]


@pytest.mark.parametrize("size", [2, 7])
def test_a_run_goes_on_to_the_bit_with_as_many_ranks(size, tmp_path):
    never = together(size, lambda ranks: trained(ranks, make=dropping, clip=0.4, optimizer=Adam, rate=0.01))[0]
    resumed = begin_and_go_on(tmp_path / "r", size, size)
    assert_same_bits(weights(resumed), weights(never))
    assert resumed.history[-1]["train_loss"] == never.history[-1]["train_loss"]


@pytest.mark.parametrize(("before", "after"), [(3, 2), (2, None), (None, 3), (7, 2)])
def test_a_run_goes_on_with_another_number_of_ranks(before, after, tmp_path):
    """Without dropout, to the weights of one process: the carried states find their columns."""
    alone = trained(clip=0.4, optimizer=Adam, rate=0.01)
    resumed = begin_and_go_on(tmp_path / "r", before, after, make=language)
    for name, expected in weights(alone).items():
        np.testing.assert_allclose(weights(resumed)[name], expected, rtol=1e-8, atol=1e-10)


def test_with_another_number_of_ranks_all_streams_are_new(tmp_path):
    begin_and_go_on(tmp_path / "r", 3, 3, at=46)

    def resumed(ranks):
        trainer = trained(ranks, make=dropping, run=run_at(tmp_path / "r", ranks), resume=True, optimizer=Adam)
        return trainer.task.rng.bit_generator.state

    kept = load_checkpoint(tmp_path / "r" / "last.safetensors")[1]["streams"]
    assert together(3, resumed) == kept
    assert together(2, resumed) == [stream(np.random.PCG64, 4, 46, rank) for rank in range(2)]


def test_one_answer_of_a_callback_stops_all():
    for one in together(3, lambda ranks: trained(ranks, callbacks=[StopAt(5, rank=2)])):
        assert one.stopped
        assert one.place.step == 5


def test_weights_that_drift_apart_are_noticed(tmp_path):
    class Meddle(Callback):
        def on_step(self, trainer):
            if trainer.ranks.rank == 1 and trainer.place.step == 3:
                trainer.task.model.output.bias.data[0] += 1

    def train(ranks):
        return trained(ranks, run=run_at(tmp_path / "r", ranks), callbacks=[Meddle()])

    with pytest.raises(MinirnnError, match=r"by step \d+ the weights of rank 1 are no longer those of rank 0"):
        together(2, train)


def test_only_the_first_rank_writes_and_shows(tmp_path, capsys):
    run = Run.create(tmp_path / "r", {})
    wrote = []
    run.save_last, run.append_metrics = (lambda *a, **k: wrote.append("last")), (lambda *a: wrote.append("row"))
    run.save_best = lambda *a: wrote.append("best")

    def train(ranks):
        return trained(ranks, run=run, epochs=1).run is run

    assert together(3, train) == [True, False, False]
    assert wrote == ["last", "row", "best", "last"]
    assert capsys.readouterr().out.count("epoch 1") == 1


def test_what_fails_on_the_first_rank_alone_is_raised_on_all(tmp_path):
    run = Run.create(tmp_path / "r", {})
    run.save_last = lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    found = []

    def train(ranks):
        try:
            trained(ranks, run=run)
        except OSError as error:
            found.append(error.errno)

    together(3, train)
    assert found == [28, 28, 28]


@pytest.mark.parametrize("size", [2, 7])
def test_the_mean_reward_is_that_of_all_sources(size):
    def make(rng):
        return rewarded(rng, baseline="mean", cross_entropy=0.25)

    alone = trained(make=make, epochs=1)
    all_ranks = together(size, lambda ranks: trained(ranks, make=make, epochs=1))
    for one in all_ranks:
        assert_same_bits(weights(one), weights(all_ranks[0]))
        for name in ("mean", "weight", "steps", "reward"):
            assert one.task.kept[name] == pytest.approx(alone.task.kept[name], rel=1e-12)


def test_scheduled_sampling_draws_otherwise_on_each_rank():
    drawn = {}

    def train(ranks):
        task = translation(np.random.default_rng(0), teacher_forcing=lambda step: 0.5)
        trainer = Trainer(task, SGD(task.model.named_parameters(), 0.1), progress=False, ranks=ranks)
        drawn[ranks.rank] = task.rng.random()
        trainer.train(1)
        return trainer

    first, other = together(2, train)
    assert drawn[0] != drawn[1]
    assert_same_bits(weights(first), weights(other))


def test_a_task_that_cannot_be_divided_is_refused():
    task = language(np.random.default_rng(0))
    task.__class__ = type("Plain", (), {"model": task.model, "loss": None})
    with pytest.raises(InputError, match=re.escape("the batches of a Plain cannot be divided among processes: give")):
        together(2, lambda ranks: Trainer(task, SGD(task.model.named_parameters(), 0.1), ranks=ranks))


class Busy(Ranks):
    """The one of two ranks that has all columns."""

    size = 2

    def columns(self, width):
        return slice(0, width)


def test_from_a_gpu_the_gradients_go_by_the_host(monkeypatch):
    monkeypatch.setattr(backend, "gpu_library", lambda: device_double)
    monkeypatch.setattr(kernels, "_wanted", [False])

    def train(device):
        def make(rng):
            task = language(rng)
            task.model.to(device)
            return task

        return trained(Busy(), make=make, epochs=1)

    there, here = train("gpu"), train("cpu")
    assert isinstance(there.task.model.output.weight.grad, device_double.DeviceArray)
    for name, expected in weights(here).items():
        np.testing.assert_allclose(weights(there)[name], expected, rtol=1e-10)
    for name, expected in weights(trained(epochs=1)).items():
        np.testing.assert_allclose(weights(there)[name], expected, rtol=1e-10)
