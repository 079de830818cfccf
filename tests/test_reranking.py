"""The answer that explains what it answers: every score against its definition, and who is chosen by it."""

import itertools

import numpy as np
import pytest

from minirnn import AttentionDecoder, Codec, EncoderDecoder, InputError, Vocabulary, beam_search, no_grad, power_penalty
from minirnn.autograd.losses import log_softmax
from minirnn.data import SPECIALS
from minirnn.data.histories import histories
from minirnn.data.vocabulary import BOS_ID, EOS_ID
from minirnn.models.history_encoders import FlatEncoder, HierarchicalEncoder
from minirnn.partner import Partner
from minirnn.reranking import Reranker
from minirnn.training.sentences import sentence_step, shift_right

DOUBLE = {"dtype": np.float64}
CODEC = Codec("space", "none", Vocabulary([*SPECIALS, "a", "b", "c"]))
# As another run would have learned it, with other ids.
BACKWARD = Codec("space", "none", Vocabulary([*SPECIALS, "c", "b", "a", "d"]))
SAID = [["a b c"], ["a", "b b", "c a b"], ["c c", "a"], ["b", "zebra a", "c"]]


def build(encoder, vocabulary, seed, scale):
    options = {"rng": np.random.default_rng(seed), **DOUBLE}
    reading = encoder(len(vocabulary), options)
    decoder = AttentionDecoder(
        len(vocabulary), 3, 4, reading.output_size, attend="after", input_feeding=True, **options
    )
    model = EncoderDecoder(reading, decoder, bridge="learned", **options)
    for parameter in model.parameters():
        parameter.data = parameter.data * scale  # so that it minds what it reads
    return model.eval()


def partner(seed=0):
    encoder = lambda V, options: HierarchicalEncoder(V, 3, 4, 4, words=True, **options)
    return Partner(build(encoder, CODEC.vocabulary, seed, 3), CODEC, 3, 5)


def reranker(*arguments, codec=BACKWARD, seed=7, **options):
    model = build(lambda V, options: FlatEncoder(V, 3, 4, **options), codec.vocabulary, seed, 4)
    return Reranker(model, codec, *arguments, **options)


def log_prob(model, codec, history, text, cut=None):
    """log p(text | history), from the logits alone."""
    turns = [codec.encode(turn, cut) for turn in history]
    y = codec.encode(text, cut)[:, None]
    with no_grad():
        decoded = model(histories(turns, [range(len(turns))]), None, shift_right(y))
        scores = log_softmax(model.decoder.logits(decoded.features)).data[:, 0]
    return np.take_along_axis(scores, y, axis=1).sum()


ANSWERS = ["a", "b c a", "", "c c", "a a a a b", "d zebra"]
TURNS = ["a b", "c", "b b a c", "", "a", "zebra"]


@pytest.mark.parametrize("cut", [None, 3])
def test_what_a_turn_costs_after_an_answer(cut):
    backward = reranker(cut=cut)
    pairs = list(itertools.product(TURNS, ANSWERS)) * 3  # more than are read together
    found = backward.log_probs(*zip(*pairs, strict=True))
    expected = [log_prob(backward.model, BACKWARD, [answer], turn, cut) for turn, answer in pairs]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    if cut is None:
        assert len({round(one, 6) for one in found}) == len(TURNS) * len(ANSWERS)


@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("per_word", [0.0, 1.3, -4.0])
def test_the_best_answer_has_the_highest_score(weight, per_word, rng):
    backward, chosen = reranker(weight, per_word), set()
    for turn in TURNS:
        for _ in range(4):
            given = [(text, float(-rng.exponential(6))) for text in ANSWERS]
            scores = [
                own + weight * log_prob(backward.model, BACKWARD, [text], turn) + per_word * len(text.split())
                for text, own in given
            ]
            found = backward.best(turn, given)
            assert type(found) is int
            assert found == int(np.argmax(scores))
            chosen.add(found)
    assert len(chosen) > 1


def test_weights_are_half_and_nothing_unless_they_are_given():
    backward = reranker()
    assert (backward.weight, backward.per_word, backward.cut) == (0.5, 0.0, None)


def beams(found, conversation, size):
    """All that a beam ends with."""
    with no_grad():
        state = found.model.start(found.source([conversation], [CODEC]), None)
        (hypotheses,) = beam_search(
            sentence_step(found.model), state, np.array([BOS_ID]), beam_size=size, n_best=size, eos=EOS_ID,
            max_length=found.max_length, length_penalty=power_penalty(0.6),
        )  # fmt: skip
    return hypotheses


@pytest.mark.parametrize("weight", [0.0, 0.5, 3.0])
def test_a_partner_gives_the_answer_that_was_chosen(weight):
    others = 0
    for seed in range(3):
        found, backward = partner(seed), reranker(weight)
        together = found.answer(SAID * 30, beam_size=4, reranker=backward)  # more than are answered together
        plain = found.answer(SAID, beam_size=4)
        for k, said in enumerate(SAID):
            hypotheses = beams(found, said, 4)
            scores = [
                one.log_prob + weight * log_prob(backward.model, BACKWARD, [CODEC.decode(one.tokens)], said[-1])
                for one in hypotheses
            ]
            best = hypotheses[int(np.argmax(scores))]
            for answer in together[k :: len(SAID)]:
                assert answer.text == CODEC.decode(best.tokens)
                assert answer.log_prob == pytest.approx(best.log_prob)
                assert len(answer.turns) == len(answer.tokens) == len(best.tokens) + best.finished
                np.testing.assert_allclose(answer.turns.sum(axis=1), 1)
            if weight == 0:
                assert together[k].log_prob == pytest.approx(max(one.log_prob for one in hypotheses))
            others += together[k].text != plain[k].text
    assert others > 0


def test_it_is_the_latest_turn_that_is_explained():
    asked, backward = [], reranker()
    backward.best = lambda turn, answers: asked.append((turn, len(answers))) or 0
    partner().answer(SAID, beam_size=3, reranker=backward)
    assert [turn for turn, _ in asked] == [said[-1] for said in SAID]
    assert {count for _, count in asked} == {3}


def test_what_does_not_fit_is_refused():
    for options in ({"weight": -0.1}, {"weight": float("nan")}, {"per_word": float("inf")}, {"weight": True}):
        with pytest.raises(InputError, match=next(iter(options))):
            reranker(**options)
    with pytest.raises(InputError, match="at least one answer to choose from"):
        reranker().best("a", [])
    with pytest.raises(InputError, match="a reranker chooses among answers: take a beam of more than 1"):
        partner().answer(SAID, reranker=reranker())
