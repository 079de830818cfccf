"""What tasks and schedules are given: numbers of NumPy too, and what makes no sense is refused before training."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from translation_cases import build

from minirnn import ClozeModel, InputError, LanguageModel, LanguageModeling, SequenceClassifier, Translation, perplexity
from minirnn.data.batches import num_batches, random_batches, sequential_batches
from minirnn.data.sequences import encode_pairs, encode_sentence, length_batches, length_histogram, pad, pair_batches
from minirnn.data.tasks import task_pairs
from minirnn.data.vocabulary import SPECIALS, Vocabulary
from minirnn.models.forecasting import WindowForecaster
from minirnn.training import schedules
from minirnn.training.classification import Classification, predict
from minirnn.training.cloze import Cloze, ClozeModels
from minirnn.training.forecasting import Forecasting, SideBySide

RNG = np.random.default_rng(0)
TEXT = np.arange(100) % 5
SHAPE = ("batch_size", "num_steps")
COUNTS = (0, -1, 2.0, True, "2", None)


def language(**options):
    return LanguageModeling(
        LanguageModel(5, 3), TEXT, TEXT[:20], **{"batch_size": 2, "num_steps": 4, "rng": RNG} | options
    )


def cloze(**options):
    models = ClozeModels(*(ClozeModel(5, 3, sides=sides, rng=0) for sides in ("left", "right", "both")))
    return Cloze(models, TEXT, TEXT[:20], **{"batch_size": 2, "num_steps": 4, "rng": RNG} | options)


def forecasting(series=np.zeros(50, np.float32), num_train=30, **options):
    model = SideBySide({"linear": WindowForecaster(2)})
    return Forecasting(model, series, num_train, **{"batch_size": 2, "num_steps": 4, "rng": RNG} | options)


SEQUENCES = [np.array([1, 2]), np.array([3])]


def classification(train=(SEQUENCES, np.array([0, 1])), valid=(SEQUENCES, np.array([1, 0])), **options):
    model = SequenceClassifier(5, 2, 3, rng=0)
    return Classification(model, train, valid, **{"batch_size": 2, "rng": RNG} | options)


def translation(train=(SEQUENCES, SEQUENCES), valid=(SEQUENCES, SEQUENCES), kind="attention dot", **options):
    return Translation(build(kind), train, valid, **{"batch_size": 2, "rng": RNG} | options)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (language, SHAPE),
        (cloze, SHAPE),
        (forecasting, (*SHAPE, "num_train")),
        (classification, ("batch_size",)),
        (translation, ("batch_size",)),
        (lambda batch_size=2, num_steps=4: num_batches(100, batch_size, num_steps), SHAPE),
        (lambda batch_size=2, num_steps=4: next(sequential_batches(TEXT, batch_size, num_steps)), SHAPE),
        (lambda batch_size=2, num_steps=4: next(random_batches(TEXT, batch_size, num_steps, RNG)), SHAPE),
        (lambda batch_size=2: next(length_batches([1, 2], batch_size)), ("batch_size",)),
        (lambda batch_size=2: next(pair_batches(SEQUENCES, SEQUENCES, batch_size)), ("batch_size",)),
        (lambda width=2: length_histogram({"a": [1, 2]}, width), ("width",)),
    ],
)  # fmt: skip
def test_counts_are_integers_of_at_least_1(make, names):
    make(**{name: np.int64(30 if name == "num_train" else 2) for name in names})
    for name in names:
        for wrong in COUNTS:
            with pytest.raises(InputError, match=f"^{name} must be an integer of at least 1, not "):
                make(**{name: wrong})


def test_examples_are_complete():
    with pytest.raises(InputError, match="there are 2 sequences, but 1 classes of them"):
        classification((SEQUENCES, np.array([0])))
    with pytest.raises(InputError, match="there are 2 sequences, but 3 classes of them"):
        classification(valid=(SEQUENCES, np.array([0, 1, 1])))
    for at in ({"train": (SEQUENCES, np.array([0, 2]))}, {"valid": (SEQUENCES, np.array([0, -1]))}):
        with pytest.raises(InputError, match=r"label -?[0-9] is out of range: expected 0 to 1"):
            classification(**at)
    empty = [np.array([1]), np.array([], int)]
    for at in ("train", "valid"):
        with pytest.raises(InputError, match="sequence 1 is empty"):
            classification(**{at: (empty, np.array([0, 1]))})
    with pytest.raises(InputError, match="lengths must be between 1 and 1"):
        predict(classification().model, empty)
    with pytest.raises(InputError, match="found none"):
        predict(classification().model, [])
    with pytest.raises(InputError, match="expected sequences of ids"):
        predict(classification().model, ["ab"])
    assert classification(valid=([], np.zeros(0))).validate() == {}


def test_held_out_sequences_are_judged_all_together(rng):
    sequences = [rng.integers(0, 5, n) for n in (3, 1, 4, 1, 5)]
    classes = np.array([0, 1, 1, 1, 1])
    task = classification(valid=(sequences, classes))
    log_probs = np.array([task.model.log_probs(s[:, None], [len(s)])[0] for s in sequences])
    row = task.validate()
    assert row["valid_accuracy"] == np.mean(log_probs.argmax(axis=1) == classes) != 0.5
    assert row["valid_loss"] == pytest.approx(-log_probs[np.arange(5), classes].mean(), rel=1e-6)


def test_pairs_are_complete():
    for at in ("train", "valid"):
        with pytest.raises(InputError, match="there are 2 sources but 1 targets: expected one each"):
            translation(**{at: (SEQUENCES, SEQUENCES[:1])})
    with pytest.raises(InputError, match="there are 1 references for 2 held-out targets"):
        translation(references=[["a"]])
    translation(references=[["a"], ["b"]])


def test_the_numbers_of_a_translation_task():
    for wrong in (-0.1, 1.0, math.nan, True):
        with pytest.raises(InputError, match="label_smoothing must be a number of at least 0 and below 1"):
            translation(label_smoothing=wrong)
    for wrong in (-0.1, math.inf, math.nan, True):
        with pytest.raises(InputError, match="attention_penalty must be a finite number of at least 0"):
            translation(attention_penalty=wrong)
    for wrong in (math.inf, math.nan, "1"):
        with pytest.raises(InputError, match="attention_target must be a finite number"):
            translation(attention_target=wrong)
    with pytest.raises(
        InputError, match=r"teacher_forcing must be a function of the step, such as constant_forcing\(0\.5\)"
    ):
        translation(teacher_forcing=0.5)
    task = translation(
        label_smoothing=np.float64(0.1), attention_penalty=np.float64(0.5), attention_target=np.float64(2)
    )
    task.model.astype(np.float32)
    batch = next(task.batches(np.random.default_rng(0)))
    assert task.loss(batch, None, 0)[0].dtype == np.float32


def test_a_series_to_learn_from_is_one_of_numbers():
    for wrong in (np.zeros((50, 1), np.float32), np.float32(1)):
        with pytest.raises(InputError, match=r"expected a series \(T,\), not "):
            forecasting(wrong)
    for at, value in ((0, np.nan), (49, np.inf), (7, -np.inf)):
        series = np.zeros(50, np.float32)
        series[at] = value
        with pytest.raises(InputError, match=f"value {at + 1} of the series is not finite"):
            forecasting(series)
    forecasting(num_train=49, num_steps=47)
    with pytest.raises(InputError, match="too short"):
        forecasting(num_train=50)
    with pytest.raises(InputError, match="too short"):
        forecasting(num_train=49, num_steps=48)


def test_the_perplexity_of_a_hopeless_cloze_model_is_infinite():
    task = cloze()
    for p in task.model.parameters():
        p.data *= 1e6
    with np.errstate(over="raise"):
        row = task.validate()
    for sides in ("left", "right", "both"):
        assert row[f"perplexity_{sides}"] == math.inf
    assert perplexity(row["valid_loss"], 1) == math.inf


def test_sequences_are_made_of_ids():
    vocabulary = Vocabulary([*SPECIALS, "a", "b"])
    for text in ("ab", ""):
        with pytest.raises(InputError, match=r"expected a list of tokens, not one string: write text\.split\(\)"):
            encode_sentence(text, vocabulary)
    for pair in (("ab", ["a"]), (["a"], "ab")):
        with pytest.raises(InputError, match="expected a list of tokens, not one string"):
            encode_pairs([pair], vocabulary, vocabulary)
    for wrong in (1, 2.0, True):
        with pytest.raises(InputError, match="max_length must be an integer of at least 2"):
            encode_sentence(["a"], vocabulary, wrong)
    assert encode_sentence(["a", "b"], vocabulary, np.int64(2)).tolist() == [4, 2]
    ids, lengths = pad([[1, 2], [], np.array([3], np.uint8)], np.int64(-1))
    assert ids.T.tolist() == [[1, 2], [-1, -1], [3, -1]]
    assert lengths.tolist() == [2, 0, 1]
    for wrong in ([1.9], "ab", [[1]], np.zeros((1, 1), int), 1):
        with pytest.raises(InputError, match=r"expected sequences of ids, each \(length,\), not "):
            pad([[1], wrong])
    with pytest.raises(InputError, match=r"pad_id must be an integer, not 0\.5"):
        pad([[1]], 0.5)


def test_lengths_are_grouped_where_there_are_20_or_more():
    assert length_histogram({"a": [19]}).splitlines()[-1].split()[:2] == ["19", "1"]
    assert length_histogram({"a": [20]}).splitlines()[-1].split()[:2] == ["20-21", "1"]


def test_splits_have_sizes():
    assert [len(split) for split in task_pairs("copy", [np.int64(3), 0])] == [3, 0]
    with pytest.raises(InputError, match="sizes must be a list, with the number of pairs of each split, not 3"):
        task_pairs("copy", 3)
    for wrong in (-1, 2.0, True):
        with pytest.raises(InputError, match="a size must be an integer of at least 0"):
            task_pairs("copy", [1, wrong])


PLACE = SimpleNamespace(step=4, epoch=4)


@pytest.mark.parametrize(
    ("make", "good", "bad"),
    [
        (schedules.warmup, (np.int64(10),), [(0,), (2.5,), (True,), ("9",)]),
        (schedules.step_decay, (np.int64(2), np.float32(0.5)), [(0, 0.5), (2.0, 0.5), (2, 0), (2, 1), (2, math.nan)]),
        (schedules.plateau, (np.float64(0.5), np.int64(2)), [(0.5, 0), (0.5, 1.5), (0, 2), (1, 2), (math.nan, 2)]),
    ],
)  # fmt: skip
def test_schedules_of_the_learning_rate_have_bounds(make, good, bad):
    factor = make(*good)(PLACE, [])
    assert type(factor) is float
    assert 0 < factor <= 1
    for arguments in bad:
        with pytest.raises(InputError, match=" must be "):
            make(*arguments)


def test_a_product_of_schedules_may_be_given_as_an_iterator():
    half = lambda place, history: 0.5
    product = schedules.product(iter([half, half]))
    assert [product(PLACE, []), product(PLACE, [])] == [0.25, 0.25]
    with pytest.raises(TypeError, match="not iterable"):
        schedules.product(half)


def test_teacher_forcing_has_bounds():
    for wrong in (-0.1, 1.1, math.nan, True, "1"):
        with pytest.raises(InputError, match="the teacher forcing ratio must be a number of at least 0 and at most 1"):
            schedules.constant_forcing(wrong)
        for decay in schedules.FORCING.values():
            with pytest.raises(InputError, match="the teacher forcing ratio must be"):
                decay(10, wrong)
    for decay in schedules.FORCING.values():
        assert type(decay(np.int64(10), np.float32(0.25))(3)) is float
        assert decay(10)(0) == pytest.approx(1, abs=0.2)
        for wrong in (0, -1, math.nan, math.inf, True):
            with pytest.raises(InputError, match="the steps of the decay must be a finite number above 0"):
                decay(wrong)
    assert [schedules.constant_forcing(ratio)(3) for ratio in (0, 1)] == [0, 1]
