"""Answers of a model: what they look at, that nobody's depends on others', and what speaks against a common answer."""

import numpy as np
import pytest

from minirnn import AttentionDecoder, Codec, ContextDecoder, EncoderDecoder, InputError, Vocabulary, no_grad
from minirnn.data import SPECIALS
from minirnn.data.histories import histories
from minirnn.data.vocabulary import BOS_ID, EOS_ID, UNKNOWN_ID
from minirnn.decoding import sampler
from minirnn.models.history_encoders import FlatEncoder, HierarchicalEncoder
from minirnn.partner import Partner
from minirnn.training.translation import sentence_step

DOUBLE = {"dtype": np.float64}
CODEC = Codec("space", "none", Vocabulary([*SPECIALS, "a", "b", "c"]))
KINDS = ("attentive", "hierarchical", "flat")
SAID = [["a b c"], ["a", "b b", "c a b"], ["c c", "a"], ["b", "", "zebra a", "c"]]
SEARCHES = [{}, {"beam_size": 3}, {"anti_lm": 0.7}, {"beam_size": 3, "anti_lm": 0.7}]


def partner(kind="attentive", turns=3, max_length=6, rng=0):
    options = {"rng": np.random.default_rng(rng), **DOUBLE}
    if kind == "flat":
        encoder = FlatEncoder(7, 3, 4, **options)
    else:
        encoder = HierarchicalEncoder(7, 3, 4, 4, words=kind == "attentive", **options)
    if kind == "hierarchical":
        decoder = ContextDecoder(7, 3, 4, encoder.output_size, **options)
    else:
        decoder = AttentionDecoder(7, 3, 4, encoder.output_size, attend="after", input_feeding=True, **options)
    model = EncoderDecoder(encoder, decoder, bridge="learned", **options)
    for parameter in model.parameters():
        parameter.data = parameter.data * 3  # so that answers differ, and some of them end
    model.eval()
    return Partner(model, CODEC, turns, max_length)


@pytest.mark.parametrize("search", SEARCHES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_nobodys_answer_depends_on_others(kind, search):
    found, many = partner(kind), SAID * 40  # more than are answered together
    together = found.answer(many, **search)
    assert len(together) == len(many)
    for i, said in enumerate(SAID):
        (alone,) = found.answer([said], **search)
        for one in together[i :: len(SAID)]:
            assert (one.text, one.tokens) == (alone.text, alone.tokens)
            assert one.log_prob == pytest.approx(alone.log_prob)
    assert len({round(one.log_prob, 6) for one in together}) == len(SAID)
    assert found.answer([]) == []


@pytest.mark.parametrize("search", SEARCHES, ids=str)
@pytest.mark.parametrize("kind", ["attentive", "flat"])
def test_each_token_looks_at_turns_and_their_words(kind, search):
    ended = set()
    for seed in range(4):
        found = partner(kind, rng=seed).answer(SAID, **search)
        for said, answer in zip(SAID, found, strict=True):
            read = said[-3:]
            ended.add(answer.tokens[-1] == "<eos>")
            assert answer.turns.shape == (len(answer.tokens), len(read))
            np.testing.assert_allclose(answer.turns.sum(axis=1), 1)
            for turn, (words, weights), share in zip(read, answer.words, answer.turns.T, strict=True):
                assert words == [*CODEC.words(CODEC.encode(turn)[:-1]), "<eos>"]
                assert weights.shape == (len(answer.tokens), len(words))
                np.testing.assert_allclose(weights.sum(axis=1), share)
    assert ended == {True, False}


def test_a_model_without_attention_tells_of_none():
    (answer,) = partner("hierarchical").answer(SAID[:1])
    assert answer.turns is answer.words is None


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_latest_turns_count(kind):
    found = partner(kind, turns=2)
    long, short = found.answer([["c", "a a", "b", "c a"], ["b", "c a"]])
    assert long.log_prob == pytest.approx(short.log_prob)
    assert long.tokens == short.tokens
    first, second = found.answer([["b b", "c a"], ["a", "c a"]])
    assert first.log_prob != pytest.approx(second.log_prob)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_probable_without_a_history_is_held_against_an_answer(kind):
    found, weight, steps = partner(kind), 0.7, 2
    for said in SAID:
        (answer,) = found.answer([said], anti_lm=weight, anti_steps=steps)
        step, tokens, total = sentence_step(found.model, (0, BOS_ID)), [], 0.0
        with no_grad():
            with_it, without = (
                found.model.start(source, None)
                for source in (found.source([said]), histories([np.array([EOS_ID])], [[0]]))
            )
            while len(tokens) < found.max_length and EOS_ID not in tokens:
                last = np.array([tokens[-1] if tokens else BOS_ID])
                (true, with_it), (alone, without) = step(last, with_it), step(last, without)
                allowed = np.isfinite(true[0])
                if len(tokens) < steps:
                    score = np.where(allowed, true[0], 0) - weight * np.where(allowed, alone[0], 0)
                    score = np.where(allowed, score - np.log(np.exp(score[allowed]).sum()), -np.inf)
                else:
                    score = true[0]
                tokens.append(int(score.argmax()))
                total += score.max()
        assert answer.tokens == CODEC.vocabulary.decode(tokens)
        assert answer.log_prob == pytest.approx(total)


def test_unknown_is_not_written_where_it_is_forbidden():
    found = partner()
    found.model.decoder.output.bias.data[UNKNOWN_ID] = 50
    assert all("<unk>" in one.text for one in found.answer(SAID))
    for search in SEARCHES:
        assert not any("<unk>" in one.text for one in found.answer(SAID, allow_unknown=False, **search))


def test_what_does_not_fit_is_refused(rng):
    found = partner()
    for said, options, message in [
        ([["a"], []], {}, "a history needs a turn"),
        (SAID, {"beam_size": 0}, "beam_size"),
        (SAID, {"beam_size": 2, "choose": sampler(rng)}, "a beam chooses by itself"),
        (SAID, {"anti_lm": -1}, "anti_lm"),
        (SAID, {"anti_lm": float("nan")}, "anti_lm"),
        (SAID, {"anti_lm": 1, "anti_steps": 0}, "anti_steps"),
    ]:
        with pytest.raises(InputError, match=message):
            found.answer(said, **options)
    for options in ({"turns": 0}, {"max_length": 0}):
        with pytest.raises(InputError, match=next(iter(options))):
            partner(**options)
