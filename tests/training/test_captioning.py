"""The task of captions: what a batch holds, what counts, and what is refused."""

import numpy as np
import pytest

from minirnn import (
    Adam,
    AttentionDecoder,
    Captioning,
    ContextDecoder,
    EncoderDecoder,
    InputError,
    RegionEncoder,
    Tensor,
    Trainer,
)
from minirnn.data.sights import Regions
from minirnn.models.picture_encoders import PLACE
from minirnn.training.captioning import Captioned, batches_of
from minirnn.training.schedules import cosine
from minirnn.training.translation import attention_regularizer

V, D, E = 8, 5, PLACE + 8


def captioned(count, rng):
    """Pictures of two regions; the first number of the first region says which word the caption has."""
    features = rng.standard_normal((count, 2, D)).astype(np.float32)
    words = rng.integers(4, V, count)
    features[:, 0, 0] = 3.0 * (words - 5)
    captions = [[np.array([word, 2]), np.array([word, word, 2])][: 1 + i % 2] for i, word in enumerate(words)]
    return Captioned(Regions(features), captions)


def build(decoder=AttentionDecoder, **options):
    return EncoderDecoder(RegionEncoder(2, D, E, rng=0), decoder(V, 4, 12, E, rng=0, **options), rng=0)


def task(rng, model=None, **options):
    return Captioning(
        model or build(), captioned(12, rng), captioned(4, rng), **{"batch_size": 5, "rng": rng, **options}
    )


def test_every_picture_comes_once_with_captions_of_its_own(rng):
    made = captioned(12, rng)
    for most in (1, 2, 7):
        pictures, told = [], 0
        for X, lengths, rows, Y, Y_lengths in batches_of(made, 5, np.random.default_rng(1), most):
            assert lengths is None
            pictures += list(X)
            told += len(rows)
            for column, row in enumerate(rows):
                word = round(float(X[row, 0, 0]) / 3) + 5
                assert Y[: Y_lengths[column] - 1, column].tolist() == [word] * (Y_lengths[column] - 1)
        assert len(pictures) == 12
        assert len(np.unique(pictures, axis=0)) == 12
        assert told == sum(min(most, len(of_one)) for of_one in made.captions)


def test_other_captions_are_drawn_in_other_epochs(rng):
    made = captioned(12, rng)
    drawn = [[b.Y.shape for b in batches_of(made, 3, np.random.default_rng(seed), 1)] for seed in range(5)]
    assert len(set(map(tuple, drawn))) > 1


def test_it_learns_what_it_sees_and_is_surprised_by_another_picture(rng):
    found = task(rng, captions_per_picture=2, references=[[["x"]]] * 4, to_words=lambda ids: ["x"])
    before = found.nll(found.train_captioned)
    trainer = Trainer(found, Adam(found.model.named_parameters(), 0.03), seed=1, progress=False)
    history = trainer.train(80)
    nll, tokens = found.nll(found.train_captioned)
    assert tokens == before[1] == sum(len(one) for of_one in found.train_captioned.captions for one in of_one)
    assert nll < 0.4 * before[0]
    assert history[-1]["valid_bleu"] == 0.0  # one word has no 4-gram
    shuffled = found.nll(found.train_captioned, np.roll(np.arange(12), 1))
    assert shuffled[1] == tokens
    assert shuffled[0] > 2 * nll
    same = found.nll(found.train_captioned, np.arange(12))
    assert same == (nll, tokens)
    written = found.greedy(found.train_captioned.sights)
    right = [ids[0] == of_one[0][0] for ids, of_one in zip(written, found.train_captioned.captions, strict=True)]
    assert np.mean(right) > 0.9


def test_judges_are_asked_of_what_was_written(rng):
    asked = []

    def judge(written):
        asked.append(written)
        return {"valid_true": 0.5}

    found = task(rng, references=[[["4"]]] * 4, judge=judge, max_length=3)
    row = found.validate()
    assert row["valid_true"] == 0.5
    assert len(asked[0]) == 4
    assert max(map(len, asked[0])) <= 3


def test_the_penalty_is_that_of_the_regularizer(rng):
    model = build()
    plain, penal = (task(np.random.default_rng(3), model, attention_penalty=weight) for weight in (0.0, 0.5))
    assert plain.loss_is_nll
    assert not penal.loss_is_nll
    batch = next(plain.batches(np.random.default_rng(0)))
    losses = [one.loss(batch, None, 0)[0].item() for one in (plain, penal)]
    decoded = model(batch.X, None, np.concatenate([np.full_like(batch.Y[:1], 1), batch.Y[:-1]]), rows=batch.rows)
    uneven = attention_regularizer(decoded.attention, np.full(len(batch.rows), 2), batch.Y_lengths, None)
    assert losses[1] == pytest.approx(losses[0] + 0.5 * uneven.item(), rel=1e-5)


def test_without_a_target_the_regularizer_wants_what_can_be_had():
    lengths, regions = np.array([4, 2]), np.array([3, 2])
    even = np.zeros((4, 2, 3))
    even[:, 0] = 1 / 3
    even[:, 1, :2] = 1 / 2
    even[2:, 1] = 100.0  # after <eos>
    assert attention_regularizer(Tensor(even), regions, lengths, None).item() == pytest.approx(0, abs=1e-12)
    assert attention_regularizer(Tensor(even), regions, lengths, 1.0).item() == pytest.approx(
        (3 * (1 - 4 / 3) ** 2) / 2
    )
    sharp = np.zeros((4, 2, 3))
    sharp[:, :, 0] = 1
    expected = ((4 / 3 - 4) ** 2 + 2 * (4 / 3) ** 2 + (1 - 2) ** 2 + 1) / 2
    assert attention_regularizer(Tensor(sharp), regions, lengths, None).item() == pytest.approx(expected)


def test_cosine_falls_from_one_to_nothing_and_stays_there():
    class Place:
        epoch = 0

    def factor(step):
        place = Place()
        place.step = step
        return cosine(10)(place, [])

    assert [factor(step) for step in (0, 5, 10, 99)] == pytest.approx([1, 0.5, 0, 0], abs=1e-12)
    assert factor(2) > factor(3)
    with pytest.raises(InputError, match="steps of the decay"):
        cosine(0)


def test_what_does_not_fit_is_refused(rng):
    none, some = Captioned(Regions(np.zeros((0, 2, D))), []), captioned(3, rng)
    bad = [
        ((none, none), {}, "no pictures to learn from"),
        ((Captioned(some.sights, some.captions[:2]), none), {}, "3 pictures, but 2 lists"),
        ((Captioned(some.sights, [*some.captions[:2], []]), none), {}, "picture 2 has no caption"),
        ((some, some), {"references": [[["a"]]]}, "references of 1 pictures, but 3 held out"),
        ((some, some), {"batch_size": 0}, "batch_size"),
        ((some, some), {"captions_per_picture": 0}, "captions_per_picture"),
        ((some, some), {"label_smoothing": 1.0}, "label_smoothing"),
    ]
    for parts, options, message in bad:
        with pytest.raises(InputError, match=message):
            Captioning(build(), *parts, **{"batch_size": 2, "rng": rng, **options})
    with pytest.raises(InputError, match="needs a decoder with attention"):
        Captioning(build(ContextDecoder), some, some, batch_size=2, rng=rng, attention_penalty=0.1)
