"""Counting language models against a slow reading of their formulas, and Viterbi against enumeration."""

import itertools
import sys
from collections import Counter

import numpy as np
import pytest
from commands import refused, run
from hypothesis import given
from hypothesis import strategies as st
from markov import log_prob_of

from minirnn import InputError, NGram, exhaustive_search, viterbi
from minirnn.models import ngram
from minirnn.models.ngram import SMOOTHINGS

texts = st.lists(st.integers(0, 3), min_size=6, max_size=40)


def naive(text, V, n, smoothing, history, w, discount=0.6, alpha=0.5):
    """P(w | history) by recursion over dictionaries, from the definitions."""
    grams = {k: Counter(tuple(text[i : i + k]) for i in range(len(text) - k + 1)) for k in range(1, n + 1)}

    def count(gram):
        k = len(gram)
        if smoothing == "kneser-ney" and k < n:
            return len({longer[0] for longer in grams[k + 1] if longer[1:] == gram})
        return grams[k][gram]

    def p(h):
        if h is None:
            return 1 / V
        counts = {v: count((*h, v)) for v in range(V)}
        total, kinds = sum(counts.values()), sum(c > 0 for c in counts.values())
        shorter = p(h[1:] if h else None) if smoothing != "additive" or len(h) < n - 1 else 1 / V
        if smoothing == "additive":
            return (counts[w] + alpha) / (total + alpha * V) if len(h) == n - 1 and total else 1 / V
        if total == 0:
            return shorter
        if smoothing == "witten-bell":
            return (counts[w] + kinds * shorter) / (total + kinds)
        return max(counts[w] - discount, 0) / total + discount * kinds / total * shorter

    return p(tuple(history[max(0, len(history) - n + 1) :]))


def after(model, tokens):
    state = model.start(1)
    for token in tokens:
        state = model.advance(np.array([token]), state)
    return state


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@given(text=texts, n=st.integers(1, 4), history=st.lists(st.integers(0, 4), min_size=3, max_size=5))
def test_the_probabilities_are_those_of_the_formula_and_sum_to_one(smoothing, text, n, history):
    model = NGram(np.array(text), 5, n, smoothing=smoothing, discount=0.6, alpha=0.5)
    found = np.exp(model.log_probs(after(model, history))[0])
    assert found.sum() == pytest.approx(1, abs=1e-12)
    expected = [naive(text, 5, n, smoothing, history, w) for w in range(5)]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@given(text=texts, n=st.integers(1, 4))
def test_a_text_scored_at_once_equals_step_by_step(smoothing, text, n):
    model = NGram(np.array(text), 5, n, smoothing=smoothing)
    other = np.random.default_rng(len(text)).integers(0, 5, 12)
    state, steps = None, []
    for token, following in itertools.pairwise(other):
        log_probs, state = model.step(np.array([token]), state)
        steps.append(log_probs[0, following])
    np.testing.assert_allclose(model.score(other), steps, rtol=1e-10)
    assert model.perplexity(other) == pytest.approx(np.exp(-np.mean(steps)))


@given(text=texts, n=st.integers(1, 4), length=st.integers(1, 5), prefix=st.lists(st.integers(0, 3), max_size=3))
def test_viterbi_finds_the_best_of_all(text, n, length, prefix):
    model = NGram(np.array(text), 4, n)
    state = after(model, prefix)
    best = viterbi(model, state, length)
    assert len(best.tokens) == length
    assert log_prob_of(best.tokens, model, state) == pytest.approx(best.log_prob, rel=1e-10)
    few = itertools.product(range(4), repeat=min(length, 3))
    enumerated = max(log_prob_of(tokens, model, state) for tokens in few)
    assert viterbi(model, state, min(length, 3)).log_prob == pytest.approx(enumerated, rel=1e-10)
    assert 0 not in viterbi(model, state, length, forbidden=[0]).tokens


def test_viterbi_agrees_with_exhaustive_search_and_beats_greedy():
    # After 0, 1 is likelier than 2; but what follows 1 is anything, and what follows 2 is certain.
    text = np.array([0, 1, 3, 0, 1, 4, 0, 1, 5, 0, 2, 6, 0, 2, 6] * 20)
    model = NGram(text, 8, 2)
    exact = viterbi(model, after(model, [0]), 2)
    assert exact.tokens == (2, 6)

    def step(tokens, state):
        log_probs, state = model.step(tokens, state)
        log_probs[:, 7] = -np.inf
        return log_probs, state

    (best,) = exhaustive_search(step, model.start(1), np.array([0]), eos=7, max_length=2)
    assert best[0].tokens == exact.tokens
    assert best[0].log_prob == pytest.approx(exact.log_prob, rel=1e-12)


def test_what_cannot_be_is_refused():
    text = np.array([0, 1, 2, 1])
    for bad, reason in (
        ({"n": 0}, "n must be an integer of at least 1, not 0"),
        ({"n": 5}, "no 5-gram"),
        ({"smoothing": "none"}, "unknown smoothing"),
    ):
        with pytest.raises(InputError, match=reason):
            NGram(text, 3, **{"n": 2, **bad})
    with pytest.raises(InputError, match="out of range"):
        NGram(text, 2, 2)
    model = NGram(text, 3, 2)
    with pytest.raises(InputError, match="at least 1"):
        viterbi(model, model.start(1), 0)
    with pytest.raises(InputError, match="no continuation is allowed"):
        viterbi(model, model.start(1), 2, forbidden=[0, 1, 2])
    with pytest.raises(InputError, match="too many"):
        viterbi(model, model.start(1), 2, limit=2)
    with pytest.raises(InputError, match="two tokens"):
        model.perplexity(text[:1])


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("the cat sat on the mat and the dog sat on the cat\n" * 5)
    options = ("--data", "text.txt", "--n", 3, "--prefix", "the ", "--length", 8)
    assert run("show", "continuation", *options) == 0
    lines = {line.split("  ")[0].strip(): line for line in capsys.readouterr().out.splitlines() if "log-prob" in line}
    values = {name: float(line.split("log-probability")[1].split()[0]) for name, line in lines.items()}
    assert set(values) == {"greedy", "beam 2", "beam 5", "beam 20", "beam 100", "exact"}
    assert max(values.values()) == values["exact"]
    assert (tmp_path / "continuation.png").exists()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run("show", "continuation", *options, "--tokens", "word", "--prefix", "the") == 0
    assert "no picture" in capsys.readouterr().out
    assert "never has 'Z'" in refused(capsys, "show", "continuation", *options, "--prefix", "Z")
    assert "at least one token" in refused(capsys, "show", "continuation", *options, "--prefix", "")
    assert "no 9999-gram" in refused(capsys, "show", "continuation", *options, "--n", 9999)


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("piece", [1, 2, 7, 49, 50])
def test_a_text_is_scored_in_pieces_as_at_once(n, piece, monkeypatch):
    rng = np.random.default_rng(0)
    model, text = NGram(rng.integers(0, 4, 200), 4, n), rng.integers(0, 4, 50)
    monkeypatch.setattr(ngram, "PIECE", piece)
    assert model.perplexity(text) == pytest.approx(np.exp(-model.score(text).mean()), rel=1e-12)
