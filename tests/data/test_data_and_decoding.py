"""Text, vocabularies, batches, perplexity and sampling."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirnn import InputError, Vocabulary, generate, greedy, perplexity, random_batches, sampler, sequential_batches
from minirnn.data import built_in_text, clean_text, detokenize, read_text, tokenize


def test_vocabulary_orders_by_frequency_then_alphabet():
    vocabulary = Vocabulary.build("bbbaac", min_frequency=2, specials=("<unk>", "<eos>"))
    assert vocabulary.tokens == ["<unk>", "<eos>", "b", "a"]
    assert vocabulary.encode("abc").tolist() == [3, 2, 0]
    assert vocabulary.decode([3, 2, 0]) == ["a", "b", "<unk>"]
    assert Vocabulary.build("ba").tokens == ["<unk>", "a", "b"]
    assert len(vocabulary) == 4
    assert "a" in vocabulary


def test_vocabulary_errors():
    with pytest.raises(InputError, match="'x' is not in the vocabulary"):
        Vocabulary(["a"]).encode("ax")
    with pytest.raises(InputError, match="'a' is in the vocabulary twice"):
        Vocabulary(["a", "b", "a"])
    with pytest.raises(InputError, match="at least one token"):
        Vocabulary([])
    for i in (-1, 1):
        with pytest.raises(InputError, match=f"id {i} is out of range: expected 0 to 0"):
            Vocabulary(["a"]).decode([i])


@given(st.text())
def test_characters_come_back_unchanged(text):
    assert detokenize(tokenize(text, "char"), "char") == text


def test_chinese_needs_no_segmenter():
    text = "海内存知己，天涯若比邻。"
    vocabulary = Vocabulary.build(tokenize(text, "char"))
    assert detokenize(vocabulary.decode(vocabulary.encode(tokenize(text, "char"))), "char") == text


def test_words():
    text = "Don't stop: it's (almost) done.\nYes!"
    tokens = tokenize(text, "word")
    assert tokens == ["Don't", "stop", ":", "it's", "(", "almost", ")", "done", ".", "\n", "Yes", "!"]
    assert detokenize(tokens, "word") == text
    with pytest.raises(InputError, match="unknown tokens 'byte'"):
        tokenize(text, "byte")


def test_cleaning():
    assert clean_text("The Time\n\n Machine, 1898!", "letters") == "the timemachine"
    assert clean_text("ÀB", "lower") == "àb"
    with pytest.raises(InputError, match="nothing is left"):
        clean_text("1898", "letters")
    with pytest.raises(InputError, match="unknown cleaning"):
        clean_text("a", "upper")


def test_the_time_machine_has_the_published_size(data_folder):
    text = clean_text(read_text(data_folder / "timemachine.txt"), "letters")
    assert len(text) == 170_580
    assert len(Vocabulary.build(text)) == 28


def test_reading_errors_say_where(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "missing.txt")
    (tmp_path / "empty.txt").write_text(" \n")
    with pytest.raises(InputError, match=r"empty\.txt: expected some text"):
        read_text(tmp_path / "empty.txt")
    (tmp_path / "latin.txt").write_bytes("ok\ncaf\xe9\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.txt line 2: expected UTF-8 text, found the byte 0xe9"):
        read_text(tmp_path / "latin.txt")
    (tmp_path / "bom.txt").write_bytes(b"\xef\xbb\xbfa\r\nb")
    assert read_text(tmp_path / "bom.txt") == "a\nb"


def test_the_built_in_text_is_real_and_long():
    text = built_in_text()
    assert len(text) > 200_000
    assert "statement" in text


@given(
    length=st.integers(50, 200), batch=st.integers(1, 4), steps=st.integers(1, 7), seed=st.none() | st.integers(0, 9)
)
def test_sequential_batches_continue_each_other(length, batch, steps, seed):
    corpus = np.arange(length)
    batches = list(sequential_batches(corpus, batch, steps, None if seed is None else np.random.default_rng(seed)))
    assert batches
    for X, Y in batches:
        assert X.shape == Y.shape == (steps, batch)
        np.testing.assert_array_equal(Y, X + 1)
    for (before, _), (after, _) in itertools.pairwise(batches):
        np.testing.assert_array_equal(after[0], before[-1] + 1)


@given(length=st.integers(50, 200), batch=st.integers(1, 4), steps=st.integers(1, 7), seed=st.integers(0, 9))
def test_random_batches_never_repeat_a_token(length, batch, steps, seed):
    batches = list(random_batches(np.arange(length), batch, steps, np.random.default_rng(seed)))
    assert batches
    seen = np.concatenate([X.ravel() for X, _ in batches])
    assert len(set(seen.tolist())) == len(seen)
    for X, Y in batches:
        assert X.shape == (steps, batch)
        np.testing.assert_array_equal(Y, X + 1)


def test_random_batches_differ_between_epochs():
    first, second = (next(random_batches(np.arange(500), 4, 5, np.random.default_rng(s)))[0] for s in (1, 2))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("batches", [sequential_batches, random_batches])
def test_the_shortest_text_that_works(batches):
    rng = np.random.default_rng(0)
    assert len(list(batches(np.arange(13), 3, 4, rng))) == 1
    with pytest.raises(InputError, match="12 tokens, one batch of 3 sequences of 4 steps needs 13"):
        next(batches(np.arange(12), 3, 4, rng))


def test_perplexity():
    assert perplexity(10 * math.log(28), 10) == pytest.approx(28)
    assert perplexity(0, 5) == 1
    assert perplexity(1e9, 1) == math.inf
    assert perplexity(709 * 3, 3) == math.exp(709)
    assert perplexity(710, 1) == math.inf
    assert math.isnan(perplexity(math.nan, 1))
    assert perplexity(np.float32(2.0), np.int64(2)) == math.e
    for nothing in (0, -1, math.nan, math.inf):
        with pytest.raises(InputError, match=f"total_tokens must be a finite number above 0, not {nothing}"):
            perplexity(1.0, nothing)


PROBS = np.array([0.5, 0.2, 0.15, 0.1, 0.05])


def frequencies(choose, n=20_000):
    drawn = choose(np.log(np.tile(PROBS, (n, 1))))
    return np.bincount(drawn, minlength=5) / n


def test_sampling_follows_the_probabilities(rng):
    np.testing.assert_allclose(frequencies(sampler(rng)), PROBS, atol=0.015)


def test_temperature_sharpens_and_flattens(rng):
    for temperature in (0.5, 2.0):
        expected = PROBS ** (1 / temperature) / (PROBS ** (1 / temperature)).sum()
        np.testing.assert_allclose(frequencies(sampler(rng, temperature)), expected, atol=0.015)


def test_top_k_and_top_p_keep_what_they_should(rng):
    np.testing.assert_allclose(frequencies(sampler(rng, top_k=2)), [5 / 7, 2 / 7, 0, 0, 0], atol=0.015)
    np.testing.assert_allclose(frequencies(sampler(rng, top_p=0.6)), [5 / 7, 2 / 7, 0, 0, 0], atol=0.015)
    np.testing.assert_allclose(frequencies(sampler(rng, top_p=0.49)), [1, 0, 0, 0, 0])
    np.testing.assert_allclose(frequencies(sampler(rng, top_p=1.0)), PROBS, atol=0.015)
    np.testing.assert_allclose(frequencies(sampler(rng, top_k=99)), PROBS, atol=0.015)


def test_a_forbidden_token_is_never_drawn(rng):
    log_probs = np.log(np.tile(PROBS, (1000, 1)))
    log_probs[:, 0] = -np.inf
    assert 0 not in sampler(rng)(log_probs)
    assert 0 not in greedy(log_probs)


def test_the_lowest_temperature_is_greedy_and_nothing_to_draw_from_is_an_error(rng):
    log_probs = np.log(np.tile(PROBS[::-1], (5, 1)))
    assert (sampler(rng, 1e-320)(log_probs) == 4).all()
    for hopeless in (-np.inf, np.nan):
        with pytest.raises(InputError, match="nothing to choose from"):
            sampler(rng)(np.full((1, 3), hopeless))


@pytest.mark.parametrize("options", [{"temperature": 0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}])
def test_sampling_errors(options, rng):
    with pytest.raises(InputError):
        sampler(rng, **options)


def test_generation_carries_the_state():
    """A model that counts: it can only be right if every token and state reaches the next step."""

    def step(tokens, state):
        state = (0 if state is None else state) + tokens
        log_probs = np.full((len(tokens), 10), -5.0)
        log_probs[np.arange(len(tokens)), state % 10] = 0
        return log_probs, state

    assert generate(step, [1, 2], 4, greedy, batch=2).tolist() == [[3, 6, 2, 4]] * 2
    with pytest.raises(InputError, match="prefix"):
        generate(step, [], 3, greedy)
    with pytest.raises(InputError, match="at least 1"):
        generate(step, [1], 0, greedy)
