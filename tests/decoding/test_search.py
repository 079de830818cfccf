"""Beam, exhaustive and exact search, against each other and against searches too simple to be wrong."""

import itertools
import math
from typing import NamedTuple

import device_double
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minirnn import InputError, LanguageModel, Tensor, greedy, sampler
from minirnn.decoding.beam import _best_continuations, beam_search, decode
from minirnn.decoding.exact import exact_search, exhaustive_search, rescore
from minirnn.decoding.hypotheses import coverage, gnmt_penalty, power_penalty, select

EOS = 0
PENALTIES = [power_penalty(0.0), power_penalty(0.8), power_penalty(2.5), gnmt_penalty(0.6), gnmt_penalty(4.0)]


class State(NamedTuple):
    hidden: np.ndarray
    source: dict


class Network:
    """A random recurrent network with attention: every part of its state matters, and goes on mattering."""

    def __init__(self, seed, V=3, batch=1, S=4, forbid=False):
        rng = np.random.default_rng(seed)
        self.V, self.batch, self.calls, self.rows = V, batch, 0, 0
        self.E, self.U = rng.normal(size=(V, 5)), rng.normal(size=(5, 5))
        self.O, self.A = 1.5 * rng.normal(size=(5, V)), rng.normal(size=(5, S))
        self.forbidden = np.where(rng.random((V, V)) < 0.4, -np.inf, 0.0) if forbid else np.zeros((V, V))
        self.forbidden[:, rng.integers(V)] = 0  # so that something is always possible
        self.lengths = rng.integers(1, S + 1, batch)
        source = {"length": self.lengths, "weights": np.zeros((batch, S))}
        self.state = State(rng.normal(size=(1, batch, 5)), source)
        self.start = rng.integers(0, V, batch)

    def step(self, tokens, state):
        self.calls, self.rows = self.calls + 1, self.rows + len(tokens)
        h = np.tanh(state.hidden[0] @ self.U + self.E[tokens])
        scores = np.exp(3 * h @ self.A)
        length = state.source["length"]
        scores *= np.arange(scores.shape[1]) < length[:, None]
        weights = scores / scores.sum(axis=1, keepdims=True)
        logits = h @ self.O + 0.3 * state.hidden[0][:, :1] + weights[:, :1] + self.forbidden[tokens]
        log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return log_probs, State(h[None], {"length": length, "weights": weights})

    @staticmethod
    def attention(state):
        return state.source["weights"]

    def one(self, i):
        """The state and start of one sentence."""
        return select(self.state, [i]), self.start[i : i + 1]

    def replay(self, i, ids):
        """The log-probability and the attention of generated ids, <eos> included, the plain way."""
        state, tokens = self.one(i)
        total, rows = 0.0, []
        for token in ids:
            log_probs, state = self.step(tokens, state)
            total += log_probs[0, token]
            rows.append(state.source["weights"][0])
            tokens = np.array([token])
        return total, np.array(rows)


def generated(one):
    return (*one.tokens, EOS) if one.finished else one.tokens


def every_sequence(V, limit):
    for length in range(1, limit + 1):
        for ids in itertools.product(range(V), repeat=length):
            if EOS not in ids[:-1] and (ids[-1] == EOS or length == limit):
                yield ids


def plain_score(network, i, ids, penalty, beta):
    total, weights = network.replay(i, ids)
    covered = sum(math.log(max(min(1.0, c), 1e-10)) for c in weights.sum(axis=0)[: network.lengths[i]])
    return total / penalty(len(ids)) + beta * covered


def plain_beam(network, i, beam_size, limit, penalty, beta):
    """All complete sequences that a beam meets on its way to the limit, best first."""
    live, complete = [()], []
    while live:
        candidates = [(*ids, token) for ids in live for token in range(network.V)]
        candidates = [(network.replay(i, ids)[0], ids) for ids in candidates]
        candidates = sorted((c for c in candidates if c[0] > -np.inf), key=lambda c: -c[0])[:beam_size]
        live = [ids for _, ids in candidates if ids[-1] != EOS and len(ids) < limit]
        complete += [ids for _, ids in candidates if ids not in live]
    scored = [(plain_score(network, i, ids, penalty, beta), ids) for ids in complete]
    return sorted(scored, key=lambda c: -c[0])


def assert_same(found, expected):
    """Hypotheses are the same sequences with the same numbers."""
    assert [(one.tokens, one.finished) for one in found] == [(one.tokens, one.finished) for one in expected]
    np.testing.assert_allclose([one.score for one in found], [one.score for one in expected], atol=1e-12)
    np.testing.assert_allclose([one.log_prob for one in found], [one.log_prob for one in expected], atol=1e-12)


def options(network, penalty, beta):
    return {
        "eos": EOS,
        "length_penalty": penalty,
        "coverage_penalty": beta,
        "attention": network.attention,
        "source_lengths": network.lengths,
    }


seeds, penalties, betas = st.integers(0, 10**6), st.sampled_from(PENALTIES), st.sampled_from([0.0, 0.3])


@settings(max_examples=100)
@given(
    seed=seeds, penalty=penalties, beta=betas, forbid=st.booleans(), limit=st.integers(1, 4), n_best=st.integers(1, 6)
)
def test_exhaustive_search_is_what_it_says(seed, penalty, beta, forbid, limit, n_best):
    network = Network(seed, forbid=forbid)
    ranked = [(plain_score(network, 0, ids, penalty, beta), ids) for ids in every_sequence(3, limit)]
    ranked = sorted((one for one in ranked if one[0] > -np.inf), key=lambda one: -one[0])[:n_best]
    (found,) = exhaustive_search(
        network.step, network.state, network.start, max_length=limit, n_best=n_best, **options(network, penalty, beta)
    )
    assert [generated(one) for one in found] == [ids for _, ids in ranked]
    np.testing.assert_allclose([one.score for one in found], [score for score, _ in ranked], atol=1e-12)


@settings(max_examples=100)
@given(seed=seeds, penalty=penalties, beta=betas, forbid=st.booleans(), V=st.integers(2, 4))
def test_a_beam_as_wide_as_the_space_is_exhaustive_and_exact(seed, penalty, beta, forbid, V):
    network = Network(seed, V=V, batch=3, forbid=forbid)
    limits = [4, 1, 3]
    arguments = (network.step, network.state, network.start)
    rules = options(network, penalty, beta) | {"max_length": limits}
    everything = exhaustive_search(*arguments, n_best=5, **rules)
    wide = beam_search(*arguments, beam_size=V**4, n_best=5, **rules)
    exact = exact_search(*arguments, beam_size=1, **rules)
    for expected, found, best in zip(everything, wide, exact, strict=True):
        assert_same(found, expected)
        assert best.proven
        assert_same([best.hypothesis], expected[:1])
        scores = [one.score for one in found]
        assert scores == sorted(scores, reverse=True)
        assert len({generated(one) for one in found}) == len(found)


@settings(max_examples=100)
@given(
    seed=seeds,
    penalty=penalties,
    beta=betas,
    beam_size=st.integers(1, 5),
    n_best=st.integers(1, 5),
    forbid=st.booleans(),
)
def test_a_narrow_beam_is_the_textbook_one_and_stopping_early_loses_nothing(
    seed, penalty, beta, beam_size, n_best, forbid
):
    network = Network(seed, V=4, forbid=forbid)
    n_best = min(n_best, beam_size)
    expected = plain_beam(network, 0, beam_size, 5, penalty, beta)[:n_best]
    (found,) = beam_search(
        network.step,
        network.state,
        network.start,
        beam_size=beam_size,
        max_length=5,
        n_best=n_best,
        **options(network, penalty, beta),
    )
    assert [generated(one) for one in found] == [ids for _, ids in expected]
    np.testing.assert_allclose([one.score for one in found], [score for score, _ in expected], atol=1e-12)


@settings(max_examples=100)
@given(seed=seeds, batch=st.integers(1, 4), forbid=st.booleans())
def test_a_beam_of_one_is_greedy(seed, batch, forbid):
    network = Network(seed, V=5, batch=batch, forbid=forbid)
    limits = np.random.default_rng(seed).integers(1, 9, batch)
    arguments = (network.step, network.state, network.start)
    greedily = decode(*arguments, eos=EOS, max_length=limits, attention=network.attention)
    beams = beam_search(*arguments, beam_size=1, eos=EOS, max_length=limits, attention=network.attention)
    assert_same([best for (best,) in beams], greedily)
    for (best,), one in zip(beams, greedily, strict=True):
        np.testing.assert_allclose(best.attention, one.attention, atol=1e-12)


@settings(max_examples=100)
@given(seed=seeds, penalty=penalties, beta=betas, beam_size=st.integers(1, 6))
def test_batched_is_one_by_one_and_everything_follows_its_hypothesis(seed, penalty, beta, beam_size):
    network = Network(seed, V=6, batch=4)
    rules, limits = options(network, penalty, beta), [7, 2, 5, 1]
    n_best = min(beam_size, 3)
    together = beam_search(
        network.step, network.state, network.start, beam_size=beam_size, max_length=limits, n_best=n_best, **rules
    )
    for i in range(4):
        rules["source_lengths"] = network.lengths[i]
        (alone,) = beam_search(
            network.step, *network.one(i), beam_size=beam_size, max_length=limits[i], n_best=n_best, **rules
        )
        assert_same(together[i], alone)
        for one in together[i]:
            log_prob, weights = network.replay(i, generated(one))
            assert one.log_prob == pytest.approx(log_prob)
            assert one.score == pytest.approx(plain_score(network, i, generated(one), penalty, beta))
            state, start = network.one(i)
            ending = EOS if one.finished else None
            assert one.log_prob == pytest.approx(rescore(network.step, state, start[0], one.tokens, eos=ending))
            np.testing.assert_allclose(one.attention, weights, atol=1e-12)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_language_model(cell, rng):
    model = LanguageModel(6, 8, cell=cell, num_layers=2, rng=1, dtype=np.float64)
    for weight in model.parameters():
        weight.data *= 3  # surer of itself than an untrained model is
    _, state = model.step(np.array([1, 2, 3]), None)
    found = beam_search(model.step, state, [4, 5, 1], beam_size=4, eos=EOS, max_length=8, n_best=4)
    for i, token in enumerate([4, 5, 1]):
        (alone,) = beam_search(
            model.step, select(state, np.array([i])), [token], beam_size=4, eos=EOS, max_length=8, n_best=4
        )
        assert_same(found[i], alone)
        for one in alone:
            total = rescore(model.step, select(state, np.array([i])), token, generated(one))
            assert one.log_prob == pytest.approx(total)
    from_nothing = beam_search(model.step, None, [4], beam_size=2, eos=EOS, max_length=3)[0][0]
    assert from_nothing.log_prob == pytest.approx(rescore(model.step, None, 4, generated(from_nothing)))


def table_model(probs):
    """A model that looks up what follows the text so far, which is its state; uniform where the table says nothing."""

    class Texts(list):
        def select(self, rows):
            return Texts(self[row] for row in rows)

    def step(tokens, texts):
        texts = Texts(text + name for text, name in zip(texts, np.array(list(".ABC^*"))[tokens], strict=True))
        step.calls += 1
        with np.errstate(divide="ignore"):
            return np.log([probs.get(text, [0.25] * 4) for text in texts]), texts

    step.calls = 0
    return step, Texts([""]), [4]


def named(one):
    return "".join(" ABC"[token] for token in one.tokens)


# Order: <eos>, A, B, C. Zhang et al., "Dive into Deep Learning", section 10.8.
TEXTBOOK = {
    "^": [0.1, 0.5, 0.2, 0.2],
    "^A": [0.2, 0.1, 0.4, 0.3],
    "^AB": [0.2, 0.2, 0.2, 0.4],
    "^ABC": [0.6, 0.0, 0.2, 0.2],
    "^AC": [0.1, 0.1, 0.6, 0.2],
    "^ACB": [0.6, 0.1, 0.2, 0.1],
}


def test_the_textbook_example_of_greedy_not_being_best():
    model = table_model(TEXTBOOK)
    (one,) = decode(*model, eos=EOS, max_length=4)
    assert (named(one), one.finished) == ("ABC", True)
    assert math.exp(one.log_prob) == pytest.approx(0.048)
    ((one,),) = beam_search(*model, beam_size=2, eos=EOS, max_length=4)
    assert named(one) == "ACB"
    assert math.exp(one.log_prob) == pytest.approx(0.054)
    # Of all sentences the most probable has one word or none; per token it is the one that the beam has found.
    (result,) = exact_search(*model, eos=EOS, max_length=4)
    assert math.exp(result.hypothesis.log_prob) == pytest.approx(0.1)
    (result,) = exact_search(*model, eos=EOS, max_length=4, length_penalty=power_penalty(1.0))
    assert named(result.hypothesis) == "ACB"
    assert result.proven


def test_a_longer_sentence_may_win_after_the_first_is_complete():
    model = table_model({"^": [0.5, 0.5, 0, 0], "^A": [0, 1, 0, 0], "^AA": [0.9, 0.1, 0, 0]})
    ((plain,),) = beam_search(*model, beam_size=2, eos=EOS, max_length=6)
    assert named(plain) == ""
    ((normalised,),) = beam_search(*model, beam_size=2, eos=EOS, max_length=6, length_penalty=power_penalty(1.0))
    assert named(normalised) == "AA"
    assert normalised.score == pytest.approx(math.log(0.45) / 3)


@pytest.mark.parametrize(("n_best", "calls"), [(1, 2), (2, 3)])
def test_the_search_stops_as_soon_as_nothing_can_win(n_best, calls):
    tables = {"^": [0, 0.9, 0.1, 0], "^A": [0.9, 0.1, 0, 0], "^B": [0, 1, 0, 0], "^BA": [0.9, 0.1, 0, 0]}
    step, state, start = table_model(tables)
    (found,) = beam_search(step, state, start, beam_size=2, eos=EOS, max_length=50, n_best=n_best)
    assert [named(one) for one in found] == ["A", "BA"][:n_best]
    assert step.calls == calls


def test_a_sentence_that_is_done_costs_nothing_while_others_go_on():
    network = Network(0, V=4, batch=2)
    beam_search(network.step, network.state, network.start, beam_size=3, eos=EOS, max_length=[1, 6])
    both = network.rows
    network.rows = 0
    beam_search(network.step, *network.one(1), beam_size=3, eos=EOS, max_length=6)
    assert both == network.rows + 1


@given(seed=seeds)
def test_forbidden_tokens_are_never_produced(seed):
    network = Network(seed, V=5, batch=2, forbid=True)
    arguments, rules = (network.step, network.state, network.start), {"eos": EOS, "max_length": 6}
    wide = beam_search(*arguments, beam_size=8, n_best=8, **rules)
    drawn = decode(*arguments, choose=sampler(np.random.default_rng(seed)), **rules)
    for i in range(2):
        for one in (*wide[i], drawn[i]):
            read = [network.start[i], *generated(one)]
            assert all(network.forbidden[a, b] == 0 for a, b in itertools.pairwise(read))


def test_a_dead_end_is_survived_or_reported():
    tables = {"^": [0, 0.6, 0.4, 0], "^A": [0, 0, 0, 0], "^B": [1, 0, 0, 0]}
    model, rules = table_model(tables), {"eos": EOS, "max_length": 3}
    assert named(beam_search(*model, beam_size=2, **rules)[0][0]) == "B"
    assert named(exact_search(*model, beam_size=1, **rules)[0].hypothesis) == "B"
    with pytest.raises(InputError, match="sentence 0: found no sequence"):
        beam_search(*model, beam_size=1, **rules)
    with pytest.raises(InputError, match="sentence 0: every continuation is forbidden"):
        decode(*model, **rules)


@pytest.mark.parametrize("choose", [greedy, sampler(np.random.default_rng(0))])
def test_what_comes_after_the_end_does_not_matter(choose):
    tables = {"^": [0, 1, 0, 0], "^A": [1, 0, 0, 0], "^A.": [0, 0, 0, 0], "*": [0, 0, 1, 0], "*B": [0, 0, 1, 0]}
    step, texts, _ = table_model(tables | {"*BB": [0, 0, 0, 1], "*BBC": [1, 0, 0, 0]})
    short, long = decode(step, select(texts, [0, 0]), [4, 5], eos=EOS, max_length=9, choose=choose)
    assert (named(short), named(long)) == ("A", "BBC")
    assert short.log_prob == long.log_prob == 0


def test_ancestral_sampling_follows_the_model(rng):
    step, (text,), start = table_model(TEXTBOOK)
    n, states = 4000, select(table_model({})[1], [0] * 4000)
    assert states[0] == text
    drawn = decode(step, states, start * n, eos=EOS, max_length=4, choose=sampler(rng))
    counts = {name: sum(named(one) == name and one.finished for one in drawn) / n for name in ("", "A", "AB")}
    assert counts == pytest.approx({"": 0.1, "A": 0.1, "AB": 0.04}, abs=0.015)
    for one in drawn[:20]:
        assert one.log_prob == pytest.approx(rescore(step, states[:1].__class__([""]), 4, generated(one)))


def test_exact_search_cuts_and_says_when_it_gave_up():
    network = Network(5, V=12, batch=2)
    network.O *= 1.5
    network.forbidden[:, EOS] -= 4  # the sentences of a surer model that ends them late
    arguments, rules = (network.step, network.state, network.start), {"eos": EOS, "max_length": 6}
    beams = [best.score for (best,) in beam_search(*arguments, beam_size=5, **rules)]
    results = exact_search(*arguments, **rules)
    assert all(result.proven for result in results)
    assert max(result.expanded for result in results) < 100
    assert results[0].hypothesis.score > beams[0] + 0.1
    for most in (1, 7):
        for hurried, beam in zip(exact_search(*arguments, max_steps=most, **rules), beams, strict=True):
            assert not hurried.proven
            assert hurried.expanded <= most
            assert hurried.hypothesis.score >= beam


def test_exact_search_follows_the_most_probable_first():
    network = Network(5, V=300)
    network.O *= 0.7
    network.forbidden[:, EOS] -= 4
    (result,) = exact_search(network.step, network.state, network.start, eos=EOS, max_length=3, beam_size=1)
    assert result.proven
    assert result.expanded < 300  # 734 where the least probable of the waiting go first


def test_exhaustive_search_refuses_what_would_take_forever():
    network = Network(0, V=10)
    arguments = (network.step, network.state, network.start)
    with pytest.raises(InputError, match=r"10\^7 = 10,000,000 sequences, the limit is 1,000,000"):
        exhaustive_search(*arguments, eos=EOS, max_length=7)
    with pytest.raises(InputError, match=r"10\^6000 = 1\.000e\+6000 sequences"):
        exhaustive_search(*arguments, eos=EOS, max_length=6000)
    with pytest.raises(InputError, match=r"= 1,000 sequences, the limit is 999"):
        exhaustive_search(*arguments, eos=EOS, max_length=3, limit=999)
    assert exhaustive_search(*arguments, eos=EOS, max_length=3, limit=1000)


def test_length_penalties():
    assert [power_penalty(0.0)(n) for n in (1, 9)] == [1.0, 1.0]
    assert power_penalty(0.75)(16) == pytest.approx(8.0)
    assert gnmt_penalty(2.0)(7) == pytest.approx(4.0)
    assert gnmt_penalty(0.6)(1) == 1.0


def test_coverage_counts_real_positions_and_no_surplus():
    attention = np.array([[[0.5, 0.5, 0.0], [0.75, 0.0, 0.25]]])
    assert coverage(attention) == pytest.approx([math.log(0.5) + math.log(0.25)])
    assert coverage(attention, np.array([2])) == pytest.approx([math.log(0.5)])
    assert coverage(attention, np.array([1])) == [0.0]
    assert np.isfinite(coverage(np.zeros((2, 1, 3)))).all()


@given(values=st.lists(st.sampled_from([-3.0, -1.0, -0.5, -np.inf]), min_size=1), k=st.integers(1, 12))
def test_the_best_continuations_are_a_stable_sort(values, k):
    possible = [i for i, value in enumerate(values) if value > -np.inf]
    _, tokens, _ = _best_continuations(np.array([values]), np.zeros(1), np.zeros(1, int), k)
    assert tokens.tolist() == sorted(possible, key=lambda i: -values[i])[:k]


def test_select_finds_the_batch_axis_of_everything():
    class Pair(NamedTuple):
        h: np.ndarray
        rest: list

    class Own:
        def select(self, rows):
            return ("own", tuple(rows))

    rng, rows = np.random.default_rng(0), np.array([2, 0, 2])
    h, weights, lengths = rng.normal(size=(2, 3, 4)), rng.normal(size=(3, 5)), np.arange(3)
    state = (Pair(h, [weights, None]), {"lengths": lengths, "tensor": Tensor(h)}, Own(), device_double.asarray(h))
    pair, members, own, device = select(state, rows)
    assert isinstance(pair, Pair)
    np.testing.assert_array_equal(pair.h, h[:, rows])
    np.testing.assert_array_equal(pair.rest[0], weights[rows])
    assert pair.rest[1] is None
    np.testing.assert_array_equal(members["lengths"], [2, 0, 2])
    np.testing.assert_array_equal(members["tensor"].data, h[:, rows])
    assert own == ("own", (2, 0, 2))
    np.testing.assert_array_equal(device.get(), h[:, rows])
    with pytest.raises(InputError, match="rows of a int"):
        select((h, 7), rows)


def test_a_select_of_ones_own():
    """A state whose batch axis is the first, which the default would not find."""
    network = Network(5, V=4)

    def step(tokens, state):
        log_probs, new = network.step(tokens, State(state[0].transpose(1, 0, 2), state[1]))
        return log_probs, (new.hidden.transpose(1, 0, 2), new.source)

    state = (network.state.hidden.transpose(1, 0, 2), network.state.source)
    follow = lambda state, rows: (state[0][rows], select(state[1], rows))
    rules = {"eos": EOS, "max_length": 4}
    expected = exhaustive_search(network.step, network.state, network.start, **rules)[0]
    assert_same(beam_search(step, state, network.start, beam_size=256, select=follow, **rules)[0], expected)
    assert_same(exhaustive_search(step, state, network.start, select=follow, **rules)[0], expected)
    assert_same([exact_search(step, state, network.start, select=follow, **rules)[0].hypothesis], expected)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"beam_size": 0}, "beam_size must be an integer of at least 1, not 0"),
        ({"beam_size": 2.0}, "beam_size must be an integer of at least 1, not 2.0"),
        ({"beam_size": True}, "beam_size must be an integer of at least 1, not True"),
        ({"n_best": 3}, "n_best 3 and beam_size 2"),
        ({"n_best": 0}, "n_best must be an integer of at least 1, not 0"),
        ({"max_length": 0}, "max_length must be at least 1, not 0"),
        ({"max_length": [3, 3]}, "max_length must be an integer or one for each of 1"),
        ({"max_length": 2.5}, "max_length must be an integer"),
        ({"source_lengths": [-1]}, "source_lengths must be at least 0"),
        ({"start": [[1]]}, "start must be"),
        ({"start": [0.5]}, "start must be"),
        ({"eos": 3}, "eos is 3, but the model's ids are 0 to 2"),
        ({"eos": -1}, "eos must be an integer of at least 0, not -1"),
        ({"eos": None}, "eos must be an integer of at least 0, not None"),
        ({"length_penalty": 0.7}, r"length_penalty must be a function, such as power_penalty\(0.7\), not 0.7"),
        ({"length_penalty": lambda n: 0.0}, "is 0.0 for 1 token and 0.0 for 3"),
        ({"length_penalty": lambda n: 1 / n}, "must not fall, but is 1.0 for 1 token and 0.333"),
        ({"length_penalty": lambda n: math.inf}, "is inf for 1"),
        ({"length_penalty": lambda n: math.nan}, "is nan for 1"),
        ({"length_penalty": power_penalty(700.0)}, "more than a number holds"),
        ({"coverage_penalty": -0.1}, "coverage penalty"),
        ({"coverage_penalty": math.nan}, "coverage penalty"),
        ({"coverage_penalty": 0.1, "attention": None}, "needs the attention"),
        ({"step": lambda tokens, state: (np.ones((1, 3)), state)}, "log_softmax"),
        ({"step": lambda tokens, state: (np.full((1, 3), np.nan), state)}, "a log-probability is nan"),
        ({"step": lambda tokens, state: (np.full((1, 3), np.inf), state)}, "a log-probability is inf"),
        ({"step": lambda tokens, state: (np.zeros(3), state)}, r"\(1, V\), not float64 of shape \(3,\)"),
    ],
)
def test_wrong_arguments_are_refused(wrong, message):
    network = Network(0)
    right = {"step": network.step, "state": network.state, "start": network.start, "beam_size": 2, "eos": EOS}
    right |= {"max_length": 3, "attention": network.attention}
    assert beam_search(**right)
    with pytest.raises(InputError, match=message):
        beam_search(**right | wrong)


def test_wrong_numbers_are_refused():
    for alpha in (-0.1, math.inf, math.nan):
        for penalty in (power_penalty, gnmt_penalty):
            with pytest.raises(InputError, match="alpha"):
                penalty(alpha)
    network = Network(0)
    with pytest.raises(InputError, match="max_steps"):
        exact_search(network.step, network.state, network.start, eos=EOS, max_length=2, max_steps=0)
    with pytest.raises(InputError, match="n_best must be an integer of at least 1"):
        exhaustive_search(network.step, network.state, network.start, eos=EOS, max_length=2, n_best=0)
    with pytest.raises(InputError, match="max_length must be at least 1"):
        decode(network.step, network.state, network.start, eos=EOS, max_length=0)
