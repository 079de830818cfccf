"""Answers of a model: what they look at, that nobody's depends on others', and what speaks against a common answer."""

import numpy as np
import pytest

from minirnn import AttentionDecoder, Codec, ContextDecoder, EncoderDecoder, InputError, Vocabulary, no_grad
from minirnn.data import SPECIALS
from minirnn.data.histories import histories
from minirnn.data.strangers import with_placeholders
from minirnn.data.vocabulary import BOS_ID, EOS_ID, UNKNOWN_ID
from minirnn.decoding import sampler
from minirnn.models.copying import CopyingDecoder
from minirnn.models.history_encoders import FlatEncoder, HierarchicalEncoder
from minirnn.partner import Partner
from minirnn.training.sentences import sentence_step

DOUBLE = {"dtype": np.float64}
CODEC = Codec("space", "none", Vocabulary([*SPECIALS, "a", "b", "c"]))
STRANGE = with_placeholders(CODEC, 2)
KINDS = ("attentive", "hierarchical", "flat", "copying")
SAID = [["a b c"], ["a", "b b", "c a b"], ["c c", "a"], ["b", "", "zebra a", "c"]]
SEARCHES = [{}, {"beam_size": 3}, {"anti_lm": 0.7}, {"beam_size": 3, "anti_lm": 0.7}]


def partner(kind="attentive", turns=3, max_length=6, rng=0, cut=None):
    """One that copies knows two strangers in a conversation."""
    options, copies = {"rng": np.random.default_rng(rng), **DOUBLE}, kind == "copying"
    codec = STRANGE if copies else CODEC
    sizes = (len(codec.vocabulary), 3, 4)
    if kind == "flat":
        encoder = FlatEncoder(*sizes, **options)
    else:
        encoder = HierarchicalEncoder(*sizes, 4, words=kind != "hierarchical", matching=copies, **options)
    if kind == "hierarchical":
        decoder = ContextDecoder(*sizes, encoder.output_size, **options)
    else:
        looking = CopyingDecoder if copies else AttentionDecoder
        decoder = looking(*sizes, encoder.output_size, attend="after", input_feeding=True, **options)
    model = EncoderDecoder(encoder, decoder, bridge="learned", **options)
    for parameter in model.parameters():
        parameter.data = parameter.data * 3  # so that answers differ, and some of them end
    model.eval()
    return Partner(model, codec, turns, max_length, cut, placeholders=2 if copies else 0)


def pointing(**options):
    """One that says nothing of its own, and so only what it has heard."""
    found = partner("copying", **options)
    found.model.decoder.writes.bias.data[:] = -200
    return found


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
@pytest.mark.parametrize("kind", ["attentive", "flat", "copying"])
def test_each_token_looks_at_turns_and_their_words(kind, search):
    ended = set()
    for seed in range(4):
        one = partner(kind, rng=seed)
        for said, answer in zip(SAID, one.answer(SAID, **search), strict=True):
            read, codec = said[-3:], one.codec_of(said)
            ended.add(answer.tokens[-1] == "<eos>")
            assert answer.turns.shape == (len(answer.tokens), len(read))
            np.testing.assert_allclose(answer.turns.sum(axis=1), 1)
            for turn, (words, weights), share in zip(read, answer.words, answer.turns.T, strict=True):
                assert words == [*codec.words(codec.encode(turn)[:-1]), "<eos>"]
                assert ("zebra" in words) == (kind == "copying" and "zebra" in turn)
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
                for source in (found.source([said], [found.codec_of(said)]), histories([np.array([EOS_ID])], [[0]]))
            )
            while len(tokens) < found.max_length and EOS_ID not in tokens:
                last = np.array([tokens[-1] if tokens else BOS_ID])
                (true, with_it), (alone, without) = step(last, with_it), step(last, without)
                true[0, found._untaken(found.codec_of(said))] = -np.inf
                allowed = np.isfinite(true[0])
                if len(tokens) < steps:
                    score = np.where(allowed, true[0], 0) - weight * np.where(allowed, alone[0], 0)
                    score = np.where(allowed, score - np.log(np.exp(score[allowed]).sum()), -np.inf)
                else:
                    score = true[0]
                tokens.append(int(score.argmax()))
                total += score.max()
        assert answer.tokens == found.codec_of(said).vocabulary.decode(tokens)
        assert answer.log_prob == pytest.approx(total)


def test_unknown_is_not_written_where_it_is_forbidden():
    found = partner()
    found.model.decoder.output.bias.data[UNKNOWN_ID] = 50
    assert all("<unk>" in one.text for one in found.answer(SAID))
    for search in SEARCHES:
        assert not any("<unk>" in one.text for one in found.answer(SAID, allow_unknown=False, **search))


@pytest.mark.parametrize("search", SEARCHES, ids=str)
def test_words_that_were_never_seen_are_said_again_in_their_conversation(search):
    said = [["zebra"], ["a", "gnu zebra", "gnu"], ["yak yak", "b"], ["c"], ["zebra", "b b", "c a", "a"]]
    written = set()
    for seed in range(6):
        found = pointing(rng=seed)
        for turns, answer in zip(said, found.answer(said, **search), strict=True):
            heard = {word for turn in turns[-3:] for word in turn.split()}
            assert set(answer.tokens) <= {*heard, "<eos>"}
            assert answer.text.split() == [token for token in answer.tokens if token != "<eos>"]
            written.update(answer.tokens)
            for turn, (words, _) in zip(turns[-3:], answer.words, strict=True):
                assert words == [*turn.split(), "<eos>"]
    assert {"zebra", "gnu", "yak"} <= written


def test_of_more_strangers_than_there_is_room_for_the_latest_are_known():
    words = set()
    for seed in range(24):
        (answer,) = pointing(rng=seed).answer([["yak a", "gnu", "zebra"]])
        assert [of_turn for of_turn, _ in answer.words] == [
            ["<unk>", "a", "<eos>"],
            ["gnu", "<eos>"],
            ["zebra", "<eos>"],
        ]
        words.update(answer.tokens)
    assert "yak" not in words
    assert words & {"gnu", "zebra"}
    # Nobody who is forgotten, or was cut off, takes the place of another.
    codec = pointing(turns=1, cut=3).codec_of(["okapi", "gnu a zebra"])
    assert codec.vocabulary.tokens[-2:] == ["gnu", "<word:2>"]


def test_names_mean_nothing():
    """Whatever strangers are called, the answer is the same."""
    for seed in range(4):
        found = partner("copying", rng=seed)
        one, other = found.answer([["a zebra", "gnu b zebra"], ["a yak", "okapi b yak"]])
        assert one.log_prob == pytest.approx(other.log_prob)
        called = {"zebra": "yak", "gnu": "okapi"}
        assert [called.get(token, token) for token in one.tokens] == other.tokens


def test_without_placeholders_strangers_are_unknown():
    found = partner()
    assert found.codec_of(["zebra"]) is found.codec
    (answer,) = found.answer([["zebra"]])
    assert answer.words[0][0] == ["<unk>", "<eos>"]


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
