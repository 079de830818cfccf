"""What the tasks learn by and report: every figure over several batches of unequal size, against one sequence at a time
by hand."""

import itertools
import math

import numpy as np
import pytest
from by_hand import log_softmax, nll_of

from minirnn import (
    ClozeModel,
    InputError,
    LanguageModel,
    LanguageModeling,
    SequenceClassifier,
    Tensor,
)
from minirnn.models.forecasting import RecurrentForecaster, WindowForecaster
from minirnn.training.classification import Classification, batches_of, predict
from minirnn.training.cloze import Cloze, ClozeModels
from minirnn.training.forecasting import Forecasting, SideBySide

DOUBLE = {"dtype": np.float64}


# Language models


def language_task(tokens, valid, **options):
    model = LanguageModel(5, 4, rng=0, dropout=0.5, **DOUBLE).eval()
    ids = np.random.default_rng(0).integers(0, 5, max(tokens, valid))
    settings = {"batch_size": 3, "num_steps": 4, "rng": np.random.default_rng(0), **options}
    return LanguageModeling(model, ids[:tokens], ids[:valid], **settings), ids


@pytest.mark.parametrize("length", [2, 3, 512, 513, 514, 1025, 1030])
def test_the_loss_of_a_long_text_is_that_of_all_its_tokens_but_the_first(length):
    task, ids = language_task(13, length)
    logits = task.model(ids[: length - 1, None])[0].data[:, 0]
    row = task.validate()
    assert row == {"valid_loss": pytest.approx(np.mean(nll_of(logits, ids[1:length])), rel=1e-12)}


@pytest.mark.parametrize("length", [0, 1])
def test_a_text_without_a_second_token_is_not_measured(length):
    assert language_task(13, length)[0].validate() == {}


def test_a_language_model_learns_by_the_mean_over_all_tokens_of_a_batch():
    task, _ = language_task(100, 0)
    inputs, targets = next(task.batches(np.random.default_rng(0)))
    assert inputs.shape == targets.shape == (4, 3)
    loss, tokens, carry = task.loss((inputs, targets), None, 0)
    state = carry
    by_hand = []
    for b in range(3):
        logits = task.model(inputs[:, b : b + 1])[0].data[:, 0]
        by_hand += nll_of(logits, targets[:, b])
    assert loss.item() == pytest.approx(np.mean(by_hand), rel=1e-12)
    assert tokens == 12
    _, (h, c) = task.model(inputs)
    for ours, theirs in zip(state, (h, c), strict=True):
        np.testing.assert_array_equal(ours.data, theirs.data)
        assert not ours.requires_grad
    carried = task.loss((inputs, targets), carry, 1)[0].item()
    np.testing.assert_allclose(carried, np.mean([
        nll_of(task.model(inputs[:, b : b + 1], tuple(s[:, b : b + 1] for s in state))[0].data[:, 0], targets[:, b])
        for b in range(3)
    ]), rtol=1e-12)  # fmt: skip
    assert carried != loss.item()


def test_only_a_sequential_partition_carries_its_state():
    for partition, carries in (("sequential", True), ("random", False)):
        task, _ = language_task(100, 0, partition=partition)
        batch = next(task.batches(np.random.default_rng(0)))
        assert (task.loss(batch, None)[2] is not None) is carries
    batches = list(language_task(100, 0, partition="sequential")[0].batches(np.random.default_rng(1)))
    for (_, before), (inputs, _) in itertools.pairwise(batches):
        np.testing.assert_array_equal(inputs[0], before[-1])  # each strip goes on


def test_the_number_of_batches_of_a_text():
    assert [language_task(n, 0)[0].num_batches for n in (13, 24, 25, 36, 37)] == [1, 1, 2, 2, 3]
    with pytest.raises(InputError, match="needs 13"):
        language_task(12, 0)
    for options in ({"batch_size": 0}, {"num_steps": 0}, {"batch_size": 1, "num_steps": 0}, {"partition": "both"}):
        with pytest.raises(InputError, match=r"at least 1|unknown partition"):
            language_task(100, 0, **options)
    task, _ = language_task(100, 0, batch_size=1, num_steps=1)
    assert len(list(task.batches(np.random.default_rng(0)))) == task.num_batches == 99


# Classifiers


def examples(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 6, n) for n in lengths], rng.integers(0, 3, len(lengths))


LENGTHS = [3, 1, 4, 1, 5, 2, 6, 2]  # three batches of 3, 3 and 2


@pytest.fixture
def classification():
    model = SequenceClassifier(6, 3, 4, embedding_size=3, rng=0, dropout=0.5, **DOUBLE)
    for p in model.parameters():
        p.data = 2 * p.data
    task = Classification(
        model.eval(), examples(LENGTHS, 1), examples(LENGTHS), batch_size=3, rng=np.random.default_rng(0)
    )
    return task


def test_the_loss_and_accuracy_of_a_classifier_are_those_of_each_sequence(classification):
    model = classification.model
    sequences, classes = classification.valid_examples
    logits = [model(s[:, None], np.array([len(s)])).data[0] for s in sequences]
    right = [row.argmax() == c for row, c in zip(logits, classes, strict=True)]
    assert 0 < sum(right) < len(right)
    row = classification.validate()
    assert row == {
        "valid_loss": pytest.approx(np.mean(nll_of(logits, classes)), rel=1e-12),
        "valid_accuracy": pytest.approx(np.mean(right), rel=1e-12),
    }
    for batch_size in (1, 3, 8, 100):
        found = predict(model, sequences, batch_size)
        np.testing.assert_allclose(found, [log_softmax(row) for row in logits], rtol=0, atol=1e-12)
    assert not any(p.grad is not None for p in model.parameters())


def test_a_classifier_learns_by_the_mean_over_the_sequences_of_a_batch(classification):
    assert classification.num_batches == 3
    sequences, classes = classification.train_examples
    seen = []
    for batch in classification.batches(np.random.default_rng(0)):
        ids, lengths, labels = batch
        loss, count, carry = classification.loss(batch, None, 0)
        logits = [classification.model(ids[:n, b : b + 1], np.array([n])).data[0] for b, n in enumerate(lengths)]
        assert loss.item() == pytest.approx(np.mean(nll_of(logits, labels)), rel=1e-12)
        assert (count, carry) == (len(labels), None)
        seen += [(tuple(ids[:n, b]), label) for b, (n, label) in enumerate(zip(lengths, labels, strict=True))]
    assert sorted(seen) == sorted((tuple(s), c) for s, c in zip(sequences, classes, strict=True))
    in_order = [lengths.tolist() for _, lengths, _ in batches_of(classification.train_examples, 3, None)]
    assert in_order == [[1, 1, 2], [2, 3, 4], [5, 6]]


def test_a_classifier_without_examples():
    model, nothing, some = SequenceClassifier(6, 3, 4, rng=0), ([], np.array([], int)), examples([2])
    options = {"batch_size": 3, "rng": np.random.default_rng(0)}
    with pytest.raises(InputError, match="nothing to learn from"):
        Classification(model, nothing, some, **options)
    assert Classification(model, some, nothing, **options).validate() == {}
    with pytest.raises(InputError, match="sequence"):
        predict(model, [])


# Cloze

WORDS = np.random.default_rng(3).integers(0, 5, 1000)


def cloze_task(train=WORDS, valid=WORDS[:455], batch_size=4, num_steps=3):
    """The held-out text is 151 pieces of 3, in batches of 64, 64 and 23, and two tokens that fill no piece."""
    models = ClozeModels(*(ClozeModel(5, 3, sides=s, rng=i, **DOUBLE) for i, s in enumerate(("left", "right", "both"))))
    for p in models.parameters():
        p.data = 2 * p.data
    return Cloze(models, train, valid, batch_size=batch_size, num_steps=num_steps, rng=np.random.default_rng(0))


def test_the_figures_of_cloze_models_are_those_of_every_token_of_every_piece():
    task = cloze_task()
    pieces = WORDS[:453].reshape(151, 3)
    expected, losses = {}, []
    for sides, model in task.model.models().items():
        nll, right = [], []
        for piece in pieces:
            logits = model(piece[:, None]).data[:, 0]
            nll += nll_of(logits, piece)
            right += (logits.argmax(axis=1) == piece).tolist()
        assert len(nll) == 453
        losses.append(np.mean(nll))
        expected[f"perplexity_{sides}"] = pytest.approx(math.exp(np.mean(nll)), rel=1e-12)
        expected[f"accuracy_{sides}"] = pytest.approx(np.mean(right), rel=1e-12)
    assert task.validate() == {"valid_loss": pytest.approx(sum(losses), rel=1e-12), **expected}


def test_cloze_models_learn_by_the_sum_of_their_means():
    task = cloze_task()
    batch = next(task.batches(np.random.default_rng(0)))
    assert batch.shape == (3, 4)
    loss, tokens, carry = task.loss(batch, None, 0)
    by_hand = 0.0
    for model in task.model.models().values():
        by_hand += np.mean([nll_of(model(batch[:, b : b + 1]).data[:, 0], batch[:, b]) for b in range(4)])
    assert loss.item() == pytest.approx(by_hand, rel=1e-12)
    assert (tokens, carry) == (12, None)
    assert (task.loss_is_nll, task.valid_loss_is_nll) == (False, False)


def test_a_text_just_long_enough_for_cloze():
    task = cloze_task(train=WORDS[:13], valid=WORDS[:3])
    assert (task.num_batches, task.valid.shape) == (1, (3, 1))
    assert task.valid[:, 0].tolist() == WORDS[:3].tolist()
    assert cloze_task(train=WORDS[:49]).num_batches == 4
    with pytest.raises(InputError, match="needs 13"):
        cloze_task(train=WORDS[:12])
    with pytest.raises(InputError, match="2 tokens, less than a piece of 3"):
        cloze_task(valid=WORDS[:2])


# Forecasting

SERIES = np.random.default_rng(4).standard_normal(40)


def forecasting_task(series=SERIES, num_train=25, batch_size=2, num_steps=5):
    models = {"linear": WindowForecaster(4, rng=0, **DOUBLE), "rnn": RecurrentForecaster("rnn", 3, rng=1, **DOUBLE)}
    options = {"batch_size": batch_size, "num_steps": num_steps, "rng": np.random.default_rng(0)}
    return Forecasting(SideBySide(models), series, num_train, **options)


def one_step_errors(model, values, first):
    """The squared error of the prediction of each value from `first` on, each made from those before it alone."""
    return [(model(Tensor(values[:t, None])).data[-1, 0] - values[t]) ** 2 for t in range(first, len(values))]


def test_forecasts_are_judged_on_all_values_held_out_and_on_no_other():
    task = forecasting_task()
    errors = {name: np.mean(one_step_errors(model, SERIES, 25)) for name, model in task.model.models().items()}
    assert task.validate() == {
        "valid_loss": pytest.approx(errors["linear"] + errors["rnn"], rel=1e-12),
        "rmse_linear": pytest.approx(errors["linear"] ** 0.5, rel=1e-12),
        "rmse_rnn": pytest.approx(errors["rnn"] ** 0.5, rel=1e-12),
    }


def test_forecasters_learn_by_the_sum_of_their_mean_squared_errors():
    task = forecasting_task()
    batch = next(task.batches(np.random.default_rng(0)))
    assert batch.shape == (9, 2)  # 5 predictions of the one that needs 4 values
    loss, count, carry = task.loss(batch, None, 0)
    errors = {
        name: [one_step_errors(model, batch[:, b], model.warm_up) for b in range(2)]
        for name, model in task.model.models().items()
    }
    assert np.shape(errors["linear"]) == (2, 5)
    assert np.shape(errors["rnn"]) == (2, 8)  # as many as it can make
    assert loss.item() == pytest.approx(np.mean(errors["linear"]) + np.mean(errors["rnn"]), rel=1e-12)
    assert (count, carry) == (18, None)
    assert (task.loss_is_nll, task.valid_loss_is_nll) == (False, False)


def test_pieces_are_drawn_from_all_that_is_to_learn_from():
    task = forecasting_task(series=np.arange(40.0), num_train=12)
    pieces = np.concatenate([
        batch for seed in range(30) for batch in task.batches(np.random.default_rng(seed))
    ], axis=1)  # fmt: skip
    np.testing.assert_array_equal(pieces, pieces[0] + np.arange(9)[:, None])  # neighbours stay neighbours
    assert set(pieces[0]) == {0, 1, 2, 3}  # the last piece ends with value 11
    for num_train, expected in ((9, 1), (19, 1), (20, 2), (29, 2), (30, 3)):
        task = forecasting_task(num_train=num_train)
        assert task.num_batches == len(list(task.batches(np.random.default_rng(0)))) == expected


def test_a_series_just_long_enough():
    forecasting_task(num_train=9)
    forecasting_task(num_train=39)
    for num_train in (8, 40, 41):
        with pytest.raises(InputError, match="too short for pieces of 5 predictions after 4"):
            forecasting_task(num_train=num_train)
    assert forecasting_task().model.names == ("linear", "rnn")
