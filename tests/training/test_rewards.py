"""Training on rewards: against sums over all sentences, and every promise of what is rewarded and what is scored."""

import itertools
import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from minirnn import (
    Adam,
    AttentionDecoder,
    Captioning,
    ContextDecoder,
    EncoderDecoder,
    InputError,
    RecurrentEncoder,
    RegionEncoder,
    Run,
    Tensor,
    Trainer,
    Translation,
    functional,
    grad,
    load_checkpoint,
    no_grad,
    save_checkpoint,
    sentence_bleu,
)
from minirnn.autograd import ops
from minirnn.autograd.losses import log_softmax
from minirnn.data.histories import Talk
from minirnn.data.sights import Regions
from minirnn.decoding import decode, greedy
from minirnn.metrics import cider_d
from minirnn.models.history_encoders import FlatEncoder
from minirnn.models.picture_encoders import PLACE
from minirnn.training import rewards as module
from minirnn.training.captioning import CaptionBatch, Captioned
from minirnn.training.chatting import Chatting
from minirnn.training.rewards import (
    BASELINES,
    FADING,
    Asked,
    Rewards,
    Written,
    distinct,
    drawing,
    minimum_risk,
    named_reward,
    score,
)
from minirnn.training.sentences import numbers_as_words, sentence_step
from minirnn.training.translation import length_limit

PAD, BOS, EOS, UNK, A, B = range(6)
NAMES = ("<pad>", "<bos>", "<eos>", "<unk>", "a", "b")
V, LIMIT = 6, 2
SENTENCES = [
    *((*words, EOS) for n in range(LIMIT) for words in itertools.product((UNK, A, B), repeat=n)),
    *itertools.product((UNK, A, B), repeat=LIMIT),
]
"""All that can be written in two steps with three words."""
TABLE = dict(zip(SENTENCES, np.random.default_rng(9).random(len(SENTENCES)).tolist(), strict=True))
"""A reward of every sentence."""


def names(ids):
    return [NAMES[i] for i in ids]


def by_table(words, references):
    return TABLE[tuple(map(NAMES.index, words))]


def build(decoder=AttentionDecoder, seed=0, dropout=0.0, size=V):
    """A model whose sentences are neither alike nor nearly certain."""
    double = {"dtype": np.float64}
    encoder = RecurrentEncoder(size, 3, 4, rng=seed, output_dropout=dropout, **double)
    decoder = decoder(size, 3, 4, 4, rng=seed + 1, embedding_dropout=dropout, output_dropout=dropout, **double)
    model = EncoderDecoder(encoder, decoder, rng=seed + 2, **double)
    for p in model.parameters():
        p.data = 2 * p.data
    return model.eval()


def ask(*sources, references=None, limit=LIMIT):
    """Sources of words, each with a reference or several."""
    lengths = np.array([len(source) + 1 for source in sources])
    X = np.zeros((lengths.max(), len(sources)), dtype=np.int64)
    for i, source in enumerate(sources):
        X[: lengths[i], i] = [*source, EOS]
    return Asked(X, lengths, references or [[["a", "b"]]] * len(sources), np.full(len(sources), limit))


def log_p(model, asked, ids, row=0):
    """log p(y | source) without <pad> and <bos>, one sentence by itself: a tensor."""
    X = asked.source[: asked.lengths[row], row : row + 1]
    decoded = model(X, asked.lengths[row : row + 1], np.array([[BOS, *ids[:-1]]]).T)
    log_probs = log_softmax(model.decoder.logits(decoded.features)[:, 0, EOS:])
    return ops.sum(log_probs[np.arange(len(ids)), np.array(ids) - EOS])


def scripted(monkeypatch, *sentences):
    """Instead of drawing, write these, side by side."""

    def choices():
        for t in range(max(map(len, sentences))):
            yield [one[t] for one in sentences if t < len(one)]

    def made(rng):
        left = choices()
        return lambda log_probs: np.array(next(left))

    monkeypatch.setattr(module, "drawing", made)


def flat(model, output):
    """The gradient by all weights of a model."""
    found = zip(grad(output, model.parameters()), model.parameters(), strict=True)
    return np.concatenate([np.zeros(p.size) if g is None else g.reshape(-1) for g, p in found])


def near(found, expected):
    assert np.linalg.norm(found - expected) < 1e-10 * np.linalg.norm(expected)


@pytest.fixture(scope="module")
def exact():
    """A model, what it is asked, p of every sentence, J and ∇J."""
    model, asked = build(), ask((A, B, UNK))
    logs = [log_p(model, asked, ids) for ids in SENTENCES]
    p = np.exp([one.item() for one in logs])
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert 0.01 < p.max() < 0.6
    J = sum((ops.exp(one) * TABLE[ids] for ids, one in zip(SENTENCES, logs, strict=True)), Tensor(np.zeros(())))
    return SimpleNamespace(model=model, asked=asked, p=p, J=J.item(), slope=flat(model, J))


def test_the_sum_over_all_sentences_has_the_slope_of_finite_differences(exact):
    direction = np.random.default_rng(1).standard_normal(len(exact.slope))

    def expected(step):
        model, at = build(), 0
        for p in model.parameters():
            p.data = p.data + step * direction[at : at + p.size].reshape(p.shape)
            at += p.size
        return sum(math.exp(log_p(model, exact.asked, ids).item()) * TABLE[ids] for ids in SENTENCES)

    assert (expected(1e-5) - expected(-1e-5)) / 2e-5 == pytest.approx(direction @ exact.slope, rel=1e-6)


def over_all_pairs(exact, monkeypatch, rewards, before=None):
    """E of the gradient of the loss, each pair of sentences written in turn, and the loss of each."""
    total, losses = np.zeros_like(exact.slope), {}
    for (i, first), (j, second) in itertools.product(enumerate(SENTENCES), repeat=2):
        scripted(monkeypatch, first, second)
        if before is not None:
            rewards.kept |= {"mean": before, "weight": 1.0}
        loss, tokens = rewards.loss(exact.model, exact.asked, None)
        assert tokens == len(first) + len(second)
        total += exact.p[i] * exact.p[j] * flat(exact.model, loss)
        losses[first, second] = loss.item()
    return total, losses


@pytest.mark.parametrize("baseline", BASELINES)
def test_whatever_the_baseline_the_mean_of_the_estimates_is_the_gradient(baseline, exact, monkeypatch):
    rewards = Rewards(by_table, names, baseline=baseline, samples=2)
    found, losses = over_all_pairs(exact, monkeypatch, rewards, before=0.37)
    near(-found, exact.slope)
    with no_grad():
        best = rewards.write(exact.model, exact.asked, np.arange(1), greedy).sentences[0]
    for pair in ((SENTENCES[0], SENTENCES[7]), (SENTENCES[3], SENTENCES[3])):
        r = [TABLE[one] for one in pair]
        b = {"none": (0, 0), "mean": (0.37, 0.37), "greedy": (by_table(best, None),) * 2, "others": r[::-1]}[baseline]
        logs = [log_p(exact.model, exact.asked, one).item() for one in pair]
        assert losses[pair] == pytest.approx(-np.mean([(r[k] - b[k]) * logs[k] for k in range(2)]), rel=1e-12)


@pytest.mark.parametrize("sharpness", [1.0, 0.3])
def test_minimum_risk_is_the_expectation_over_what_was_drawn_each_once(sharpness, exact, monkeypatch):
    rewards = Rewards(by_table, names, estimator="risk", sharpness=sharpness)
    found, losses = over_all_pairs(exact, monkeypatch, rewards)
    expected = np.zeros_like(exact.slope)
    for (i, first), (j, second) in itertools.product(enumerate(SENTENCES), repeat=2):
        drawn = sorted({first, second})
        powers = [ops.exp(sharpness * log_p(exact.model, exact.asked, one)) for one in drawn]
        weighed = [power * TABLE[one] for power, one in zip(powers, drawn, strict=True)]
        risk = sum(weighed[1:], weighed[0]) / sum(powers[1:], powers[0])
        assert losses[first, second] == pytest.approx(-risk.item(), rel=1e-12)
        expected += exact.p[i] * exact.p[j] * flat(exact.model, risk)
    near(-found, expected)
    assert np.linalg.norm(found + exact.slope) > 0.1 * np.linalg.norm(exact.slope)  # it is biased


def test_minimum_risk_over_all_sentences_is_the_expected_reward(exact, monkeypatch):
    scripted(monkeypatch, *SENTENCES)
    rewards = Rewards(by_table, names, estimator="risk", samples=len(SENTENCES))
    loss, _ = rewards.loss(exact.model, exact.asked, None)
    assert loss.item() == pytest.approx(-exact.J, abs=1e-13)
    near(-flat(exact.model, loss), exact.slope)


def test_a_sentence_that_was_drawn_twice_counts_once(exact, monkeypatch):
    first, second = SENTENCES[2], SENTENCES[9]
    weights = [exact.p[SENTENCES.index(one)] for one in (first, second)]
    expected = np.average([TABLE[first], TABLE[second]], weights=weights)
    for drawn in ((first, second, first), (second, second, first), (first, second)):
        scripted(monkeypatch, *drawn)
        rewards = Rewards(by_table, names, estimator="risk", samples=len(drawn))
        assert rewards.loss(exact.model, exact.asked, None)[0].item() == pytest.approx(-expected, rel=1e-12)


def test_the_loss_is_the_mean_over_the_sources_each_with_samples_of_its_own(monkeypatch):
    model, both = build(), ask((A,), (B, UNK, A))
    pairs = ((SENTENCES[2], SENTENCES[9]), (SENTENCES[4], SENTENCES[0]))
    for options in ({"baseline": "others"}, {"baseline": "greedy"}, {"estimator": "risk"}):
        alone = []
        for source, pair in zip(((A,), (B, UNK, A)), pairs, strict=True):
            scripted(monkeypatch, *pair)
            alone.append(Rewards(by_table, names, **options).loss(model, ask(source), None)[0].item())
        scripted(monkeypatch, *pairs[0], *pairs[1])
        loss, tokens = Rewards(by_table, names, **options).loss(model, both, None)
        assert loss.item() == pytest.approx(np.mean(alone), rel=1e-12)
        assert tokens == sum(map(len, pairs[0] + pairs[1]))
        assert abs(alone[0] - alone[1]) > 1e-3


def seen_by(rewards):
    """What the reward is asked about from now on."""
    seen, honest = [], rewards.reward

    def reward(words, references):
        seen.append((list(words), [list(one) for one in references]))
        return honest(words, references)

    rewards.reward = reward
    return seen


def test_the_first_eos_is_a_choice_and_a_word_and_at_the_limit_there_is_none(exact, monkeypatch):
    scripted(monkeypatch, (A, EOS), (A, B), (EOS,))
    rewards = Rewards(by_table, names, baseline="none", samples=3)
    seen = seen_by(rewards)
    loss, tokens = rewards.loss(exact.model, exact.asked, None)
    assert [words for words, _ in seen] == [["a", "<eos>"], ["a", "b"], ["<eos>"]]
    assert {tuple(map(tuple, references)) for _, references in seen} == {(("a", "b", "<eos>"),)}
    expected = [TABLE[one] * log_p(exact.model, exact.asked, one).item() for one in ((A, EOS), (A, B), (EOS,))]
    assert loss.item() == pytest.approx(-np.mean(expected), rel=1e-12)
    assert tokens == 5
    assert rewards.so_far()["length"] == pytest.approx(5 / 3)


def test_nothing_after_the_first_eos_exists(exact):
    ids = np.array([[A, EOS, B], [EOS, EOS, A], [B, A, EOS]])  # (T, 3), of which 2, 1 and 3 steps are real
    lengths, rows = np.array([2, 1, 3]), np.zeros(3, dtype=np.int64)
    other = ids.copy()
    other[2, 0], other[1:, 1] = PAD, (UNK, BOS)
    outcomes = []
    for Y in (ids, other):
        log_probs, entropy = score(exact.model, exact.asked, rows, Written(Y, lengths, []))
        outcomes.append((log_probs.data.tobytes(), entropy, flat(exact.model, ops.sum(log_probs)).tobytes()))
    assert outcomes[0] == outcomes[1]
    alike = Written(np.stack([ids[:, 0], other[:, 0], ids[:, 1]], axis=1), np.array([2, 2, 1]), [])
    assert distinct(alike, 1, 3).tolist() == [[True, False, True]]
    assert score(exact.model, exact.asked, rows, Written(ids, lengths, []))[0].data == pytest.approx(
        [log_p(exact.model, exact.asked, one).item() for one in ((A, EOS), (EOS,), (B, A, EOS))],
        rel=1e-12,
    )


def test_without_an_end_in_the_reward_it_is_still_a_choice(exact, monkeypatch):
    scripted(monkeypatch, (A, EOS), (A, B))
    rewards = Rewards(lambda words, references: len(words) / 4, names, baseline="none", control="no-end")
    seen = seen_by(rewards)
    loss, _ = rewards.loss(exact.model, exact.asked, None)
    assert seen == [(["a"], [["a", "b"]]), (["a", "b"], [["a", "b"]])]
    expected = [
        len(one) * log_p(exact.model, exact.asked, ids).item() / 4 for one, ids in (("a", (A, EOS)), ("ab", (A, B)))
    ]
    assert loss.item() == pytest.approx(-np.mean(expected), rel=1e-12)
    rewards.measures([(A,), (A, B)], exact.asked.references * 2, 2)
    assert [words for words, _ in seen[2:]] == [["a"], ["a", "b"]]


def test_held_out_sentences_end_unless_they_reached_their_limit():
    rewards = Rewards(lambda words, references: float(words[-1] == "<eos>"), names)
    seen = seen_by(rewards)
    row = rewards.measures([(A,), (A, B), (A, B), ()], [[["a"]]] * 4, np.array([2, 2, 3, 1]))
    assert [words for words, _ in seen] == [["a", "<eos>"], ["a", "b"], ["a", "b", "<eos>"], ["<eos>"]]
    assert row == {"valid_reward": 0.75}  # nothing has been drawn yet


def test_each_sentence_is_written_to_its_own_source():
    """Two sources by turns, read together and alone: what is most probable is the same, and not the same for both."""
    model, rewards, sources = build(seed=8), Rewards(by_table, names), ((A, A, A), (B,))
    model.decoder.output.bias.data[EOS] = -2.0
    together = rewards.write(model, ask(*sources, limit=5), np.array([0, 1, 1, 0]), greedy).sentences
    first, second = (rewards.write(model, ask(one, limit=5), np.array([0]), greedy).sentences[0] for one in sources)
    assert together == [first, second, second, first]
    assert first != second


@pytest.mark.parametrize("decoder", [AttentionDecoder, ContextDecoder])
def test_what_is_never_written_is_never_drawn_and_takes_no_probability(decoder):
    model, asked = build(decoder), ask((A,), (B, A), limit=6)
    model.decoder.output.bias.data[[PAD, BOS]] += 3.0
    rewards, rows = Rewards(by_table, names), np.repeat([0, 1], 50)
    drawn = rewards.write(model, asked, rows, drawing(np.random.default_rng(0)))
    real = np.arange(len(drawn.Y))[:, None] < drawn.lengths
    assert drawn.Y[real].min() == EOS
    assert (drawn.Y[~real] == PAD).all()
    assert set(drawn.lengths) >= {1, 2, 6}
    log_probs, entropy = score(model, asked, rows, drawn)

    # The search adds up log p with <pad> and <bos> among the choices; of each step's p, their share has to be made up.
    state, before = model.start(asked.source, asked.lengths, rows), np.full(len(rows), BOS)
    searched, missing, entropies = np.zeros(len(rows)), np.zeros(len(rows)), []
    for t in range(len(drawn.Y)):
        log_q, state = model.step(before, state)
        before = drawn.Y[t]
        possible = np.exp(log_q[:, EOS:]).sum(axis=1)
        log_r = log_q[:, EOS:] - np.log(possible)[:, None]
        live = t < drawn.lengths
        searched += np.where(live, log_q[np.arange(len(rows)), before], 0)
        missing += np.where(live, np.log(possible), 0)
        entropies += [-(np.exp(log_r[k]) @ log_r[k]) for k in np.flatnonzero(live)]
    assert missing.max() < -0.5
    np.testing.assert_allclose(log_probs.data, searched - missing, rtol=1e-10)
    assert entropy == pytest.approx(np.mean(entropies), rel=1e-10)
    left = iter([drawn.Y[t][t < drawn.lengths] for t in range(len(drawn.Y))])
    found = decode(
        sentence_step(model), model.start(asked.source, asked.lengths, rows), np.full(len(rows), BOS), eos=EOS,
        max_length=6, choose=lambda log_probs: next(left),
    )  # fmt: skip
    np.testing.assert_allclose([one.log_prob for one in found], searched, rtol=1e-10)
    assert log_probs.data[0] == pytest.approx(log_p(model, asked, drawn.Y[: drawn.lengths[0], 0].tolist()).item())


def test_sentences_are_as_frequent_as_they_are_probable(exact):
    n = 20_000
    drawn = Rewards(by_table, names).write(
        exact.model, exact.asked, np.zeros(n, dtype=np.int64), drawing(np.random.default_rng(3))
    )
    counts = Counter(tuple(drawn.Y[:length, k].tolist()) for k, length in enumerate(drawn.lengths))
    observed, expected = np.array([counts[ids] for ids in SENTENCES]), n * exact.p
    assert observed.sum() == n
    assert ((observed - expected) ** 2 / expected).sum() < 32.9  # chi-square of 12 degrees of freedom, one in 1000


def test_the_very_ids_that_were_drawn_are_scored(exact, monkeypatch):
    """Pieces of which the same words come are still other choices."""
    scripted(monkeypatch, (A, EOS), (B, EOS))
    same = Rewards(lambda words, references: 0.5, lambda ids: ["word"] * bool(ids), baseline="none")
    seen = seen_by(same)
    loss, _ = same.loss(exact.model, exact.asked, None)
    assert [words for words, _ in seen] == [["word", "<eos>"]] * 2
    logs = [log_p(exact.model, exact.asked, one) for one in ((A, EOS), (B, EOS))]
    assert abs(logs[0].item() - logs[1].item()) > 1e-2
    assert loss.item() == pytest.approx(-0.5 * (logs[0].item() + logs[1].item()) / 2, rel=1e-12)
    near(flat(exact.model, loss), -0.25 * flat(exact.model, logs[0] + logs[1]))
    risk = Rewards(lambda words, references: 0.5, lambda ids: ["word"], estimator="risk")
    drawn = Written(np.array([[A, B, A], [EOS, EOS, EOS]]), np.array([2, 2, 2]), [])
    assert distinct(drawn, 1, 3).tolist() == [[True, True, False]]
    assert risk.loss(exact.model, exact.asked, None)[0].item() == pytest.approx(-0.5)


def test_alike_is_said_of_samples_of_the_same_source_alone():
    Y, lengths = np.array([[A, A, A, B], [EOS, EOS, EOS, A]]), np.array([2, 2, 2, 2])
    assert distinct(Written(Y, lengths, []), 2, 2).tolist() == [[True, False], [True, True]]
    assert distinct(Written(Y, lengths, []), 4, 1).tolist() == [[True]] * 4


def test_an_unknown_word_is_never_right():
    rewards = Rewards(named_reward("exact"), names)
    assert rewards.judge([["<unk>", "<eos>"]], [[["<unk>"]]], np.array([0])).tolist() == [0.0]
    assert rewards.judge([["a", "<eos>"]], [[["<unk>"], ["a"]]], np.array([0])).tolist() == [1.0]
    bleu = Rewards(named_reward("bleu"), names)
    both = bleu.judge(
        [["a", "<unk>", "<eos>"], ["a", "b", "<eos>"]], [[["a", "<unk>"]], [["a", "<unk>"]]], np.arange(2)
    )
    assert both[0] == both[1] < 0.9
    references = [[["<unk>"]]]
    rewards.judge([["a"]], references, np.array([0]))
    assert references == [[["<unk>"]]]


def test_each_sentence_is_judged_by_the_references_of_its_source():
    rewards = Rewards(named_reward("exact"), names)
    found = rewards.judge([["a", "<eos>"]] * 4, [[["a"]], [["b"], ["b", "a"]], [["b"], ["a"]]], np.array([0, 1, 2, 1]))
    assert found.tolist() == [1, 0, 1, 0]


def dropping_task(share=0.0, dropout=0.5, **options):
    rng = np.random.default_rng(0)
    pairs = ([np.array([A, EOS]), np.array([B, A, EOS])], [np.array([B, EOS]), np.array([A, B, EOS])])
    task = Translation(
        build(dropout=dropout), pairs, pairs, batch_size=2, rng=rng, references=[["b"], ["a", "b"]], to_words=names
    )
    for layer in (task.model.encoder, task.model.decoder):
        for dropped in vars(layer).values():
            if type(dropped).__name__ == "Dropout":
                dropped.rng = rng
    task.train_on(Rewards(named_reward("bleu"), names, cross_entropy=share, **options))
    return task


@pytest.mark.parametrize("options", [{"baseline": "greedy"}, {"estimator": "risk"}])
def test_rewards_see_no_dropout_and_a_share_of_cross_entropy_does(options):
    (batch,) = dropping_task().batches(np.random.default_rng(1))
    states = []

    def loss_of(task):
        task.model.train()
        for name in ("write", "judge"):
            honest = getattr(task.rewards, name)
            setattr(task.rewards, name, lambda *a, honest=honest: (states.append(task.model.training), honest(*a))[1])
        loss, _, carry = task.loss(batch, None, 0)
        assert task.model.training
        assert carry is None
        return loss

    with_dropout, without = loss_of(dropping_task(**options)), loss_of(dropping_task(dropout=0.0, **options))
    assert with_dropout.item() == without.item()
    assert set(states) == {False}
    share, task = loss_of(dropping_task(0.3, **options)), dropping_task(0.3, **options)
    alone = task.rewards.loss(task.model, task.asked(batch), task.rng)[0].item()
    plain = task.cross_entropy(batch, 0)[0].item()  # in evaluation mode: without dropout
    task.model.train()
    dropped = task.cross_entropy(batch, 0)[0].item()
    assert share.item() == pytest.approx(0.3 * dropped + 0.7 * alone, rel=1e-12)
    assert abs(dropped - plain) > 1e-3


def test_a_task_on_rewards_has_no_likelihood_for_a_loss_and_one_without_keeps_nothing():
    task = dropping_task()
    assert not task.loss_is_nll
    assert task.valid_loss_is_nll
    assert "reward 0.000" in task.doing()
    plain = Translation(build(), *[([np.array([A, EOS])],) * 2] * 2, batch_size=1, rng=np.random.default_rng(0))
    assert plain.kept == plain.rewarded([], [], 1) == {}
    assert plain.doing() == []
    assert plain.loss_is_nll


REFERENCES = [[["a", "b"], ["a", "c"]], [["d", "b"]], [["e", "f", "g", "h", "i"]]]


@pytest.mark.parametrize("name", ["bleu", "cider", "exact"])
def test_rewards_are_between_0_and_1_and_1_for_what_is_right(name, rng):
    reward = named_reward(name, REFERENCES)
    ended = [[*one, "<eos>"] for one in REFERENCES[2]]
    assert reward(ended[0], ended) == pytest.approx(1)
    found = [reward(rng.choice(list("abcdefghi"), n).tolist(), ended) for n in (0, 1, 3, 5, 9) for _ in range(5)]
    assert min(found) >= 0
    assert max(found) < 1
    assert {type(one) for one in found} == {float}
    if name != "exact":
        partly = [[*list("efg"), "<eos>"], [*list("efghi")], [*list("efxhi"), "<eos>"]]
        assert all(0 < reward(one, ended) < 1 for one in partly)


def test_named_rewards_are_the_measures_that_they_are_called():
    words, those = ["a", "c", "b"], [["a", "b", "<eos>"], ["c", "c"]]
    smoothed = sentence_bleu(words, those, smoothing="add-k", smooth_value=1.0) / 100
    assert named_reward("bleu")(words, those) == smoothed > 0
    assert named_reward("exact")(("a", "b"), [("c",), ["a", "b"]]) == 1
    ended = [[[*one, "<eos>"] for one in of_one] for of_one in REFERENCES]
    hypotheses = [["a", "b", "<eos>"], ["d", "<eos>"], ["e", "f", "x", "<eos>"]]
    cider = named_reward("cider", REFERENCES)
    found = [cider(*pair) for pair in zip(hypotheses, ended, strict=True)]
    assert np.mean(found) == pytest.approx(cider_d(hypotheses, ended) / 10, rel=1e-12)


def test_a_reward_that_cannot_be_is_refused():
    with pytest.raises(InputError, match="two at least"):
        named_reward("cider", REFERENCES[:1])
    with pytest.raises(InputError):
        named_reward("cider")
    with pytest.raises(InputError, match="unknown reward 'rouge': expected one of bleu, cider, exact"):
        named_reward("rouge")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_reward_that_is_no_number_is_named(bad, exact):
    rewards = Rewards(lambda words, references: bad, names)
    with pytest.raises(InputError, match=f"the reward of a sentence is {bad}, not a finite number"):
        rewards.loss(exact.model, exact.asked, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimator": "ppo"}, "unknown estimator 'ppo'"),
        ({"baseline": "critic"}, "unknown baseline 'critic'"),
        ({"control": "x"}, "unknown control 'x'"),
        ({"samples": 0}, "samples"),
        ({"samples": 1.5}, "samples"),
        ({"samples": 1, "estimator": "risk"}, "minimum risk compares samples"),
        ({"samples": 1, "baseline": "others"}, "the baseline 'others' compares samples"),
        ({"cross_entropy": 1.0}, "cross_entropy"),
        ({"cross_entropy": -0.1}, "cross_entropy"),
        ({"sharpness": 0}, "sharpness"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_drawn(options, message):
    with pytest.raises(InputError, match=message):
        Rewards(by_table, names, **options)
    assert Rewards(by_table, names, samples=1).samples == 1


def test_a_token_is_drawn_where_the_cumulative_probability_passes_a_random_number():
    p = np.array([[0.0, 0.5, 0.0, 0.25, 0.25], [0.0, 0.0, 1.0, 0.0, 0.0], [0.1, 0.0, 0.1, 0.0, 0.0]])
    with np.errstate(divide="ignore"):
        log_probs = np.log(p)  # -inf is forbidden; the last row adds up to 0.2
    last = np.nextafter(1, 0)
    expected = {0.0: (1, 2, 0), 0.499: (1, 2, 0), 0.501: (3, 2, 2), 0.749: (3, 2, 2), 0.751: (4, 2, 2), last: (4, 2, 2)}
    for u, tokens in expected.items():
        choose = drawing(SimpleNamespace(random=lambda shape, u=u: np.full(shape, u)))
        assert tuple(choose(log_probs)) == tokens
        assert tuple(choose(log_probs.astype(np.float32))) == tokens


def test_rows_are_drawn_apart_from_one_another():
    rows = np.log(np.tile([0.2, 0.3, 0.5], (30_000, 1)))
    drawn = drawing(np.random.default_rng(0))(rows)
    np.testing.assert_allclose(np.bincount(drawn) / len(drawn), [0.2, 0.3, 0.5], atol=0.01)
    both = np.bincount(3 * drawn[::2] + drawn[1::2], minlength=9) / 15_000
    np.testing.assert_allclose(both, np.outer([0.2, 0.3, 0.5], [0.2, 0.3, 0.5]).reshape(-1), atol=0.015)


def test_the_running_mean_begins_at_nothing_and_forgets(exact, monkeypatch):
    used, honest = [], module.baselines
    monkeypatch.setattr(
        module, "baselines", lambda kind, r, best, mean: (used.append(mean), honest(kind, r, best, mean))[1]
    )
    rewards, means, rng = Rewards(by_table, names, baseline="mean", samples=3), [], np.random.default_rng(0)
    seen = seen_by(rewards)
    for step in range(6):
        rewards.loss(exact.model, exact.asked, rng)
        means.append(np.mean([by_table(words, None) for words, _ in seen[3 * step :]]))
        weights = FADING ** np.arange(step, -1, -1)
        if step == 2:
            row = rewards.measures([(A,)], exact.asked.references, 2)
            assert row["train_reward"] == pytest.approx(np.mean(means))
            assert row.keys() == {"train_reward", "train_length", "train_entropy", "valid_reward"}
            seen.pop()
    assert used[0] == 0.0
    for step in range(1, 6):
        weights = FADING ** np.arange(step - 1, -1, -1)
        assert used[step] == pytest.approx(weights @ means[:step] / weights.sum(), rel=1e-12)
    assert rewards.so_far()["reward"] == pytest.approx(np.mean(means[3:]))  # since the last look


def test_controls_train_on_something_else_and_show_the_reward(monkeypatch):
    model, asked = build(), ask((A,), (B, UNK, A))
    four = [SENTENCES[k] for k in (2, 9, 4, 0)]
    shown = np.mean([TABLE[one] for one in four])
    used, honest = [], module.reinforce
    monkeypatch.setattr(module, "reinforce", lambda log_probs, r, b: (used.append((r, b)), honest(log_probs, r, b))[1])
    for seed in range(5):
        scripted(monkeypatch, *four)
        rewards = Rewards(by_table, names, baseline="others", control="shuffled")
        rewards.loss(model, asked, np.random.default_rng(seed))
        assert rewards.so_far()["reward"] == pytest.approx(shown)
        assert sorted(used[-1][0].reshape(-1)) == sorted(TABLE[one] for one in four)
    assert len({r.tobytes() for r, _ in used}) > 1
    scripted(monkeypatch, *four)
    rewards = Rewards(by_table, names, baseline="others", control="constant")
    loss, _ = rewards.loss(model, asked, None)
    assert loss.item() == 0
    assert not flat(model, loss).any()
    assert rewards.so_far()["reward"] == pytest.approx(shown)
    assert rewards.kept["mean"] / rewards.kept["weight"] == pytest.approx(1)


def test_in_single_precision_the_loss_is_single_too():
    encoder = RecurrentEncoder(V, 3, 4, rng=0)
    model = EncoderDecoder(encoder, ContextDecoder(V, 3, 4, 4, rng=1), rng=2)
    for options in ({}, {"estimator": "risk"}):
        loss, _ = Rewards(by_table, names, **options).loss(model, ask((A,)), np.random.default_rng(0))
        assert loss.dtype == np.float32


def trainer_of(run=None, rewards=True, **options):
    rng = np.random.default_rng(3)
    sources = [np.append(rng.integers(4, V, rng.integers(1, 4)), EOS) for _ in range(12)]
    pairs = (sources, [np.append(one[-2::-1], EOS) for one in sources])
    references = [names(one[:-1]) for one in pairs[1]]
    task = Translation(build(dropout=0.2), pairs, pairs, batch_size=4, rng=rng, references=references, to_words=names)
    for layer in (task.model.encoder, task.model.decoder):
        for dropped in vars(layer).values():
            if type(dropped).__name__ == "Dropout":
                dropped.rng = rng
    if rewards:
        task.train_on(Rewards(named_reward("bleu"), names, baseline="mean", cross_entropy=0.2, **options))
    return Trainer(
        task, Adam(task.model.named_parameters(), 0.01), run, seed=2, save_every=0.0, check_every=1,
        monitor="valid_reward", progress=False,
    )  # fmt: skip


def without_speed(rows):
    return [{name: value for name, value in row.items() if name != "tokens_per_second"} for row in rows]


@pytest.mark.parametrize("killed_at", [0, 1, 4, 6, 8])
def test_a_run_on_rewards_resumes_to_the_bit(killed_at, tmp_path, monkeypatch):
    whole = trainer_of(Run.create(tmp_path / "whole", {}))
    whole.train(3)
    broken = trainer_of(Run.create(tmp_path / "broken", {}))
    honest, count = broken.task.loss, itertools.count()

    def loss(batch, carry, step):
        if next(count) == killed_at:
            raise KeyboardInterrupt
        return honest(batch, carry, step)

    broken.task.loss = loss
    with pytest.raises(KeyboardInterrupt):
        broken.train(3)
    again = trainer_of(Run(tmp_path / "broken"))
    again.resume()
    again.train(3)
    assert again.place.step == 9
    for a, b in zip(whole.task.model.parameters(), again.task.model.parameters(), strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    assert again.task.kept == whole.task.kept
    assert without_speed(again.history) == without_speed(whole.history)
    assert {"train_reward", "train_length", "train_entropy", "valid_reward", "valid_bleu"} <= again.history[0].keys()
    best = max(whole.history, key=lambda row: row["valid_reward"])
    assert load_checkpoint(whole.run.best)[1]["epoch"] == best["epoch"]


def test_numbers_of_a_checkpoint_that_are_none_are_refused(tmp_path):
    run = Run.create(tmp_path / "r", {})
    trainer_of(run).train(1)
    arrays, meta = load_checkpoint(run.last)
    kept = meta["kept"]
    few = {name: value for name, value in kept.items() if name != "mean"}
    for wrong in (None, {}, [], 3, "x", few, kept | {"more": 1.0}, kept | {"mean": "1"}, kept | {"mean": math.nan},
                  kept | {"steps": None}, kept | {"weight": True}):  # fmt: skip
        save_checkpoint(run.last, arrays, meta | {"kept": wrong})
        with pytest.raises(InputError, match=r"last\.safetensors: not a checkpoint to resume from") as error:
            trainer_of(run).resume()
        assert "\n" not in str(error.value)
    save_checkpoint(run.last, arrays, {name: value for name, value in meta.items() if name != "kept"})
    with pytest.raises(InputError, match=r"last\.safetensors"):
        trainer_of(run).resume()
    save_checkpoint(run.last, arrays, meta)
    with pytest.raises(InputError, match=r"expected the numbers none"):
        trainer_of(run, rewards=False).resume()
    trainer_of(run).resume()


@pytest.mark.parametrize("options", [*({"baseline": one} for one in BASELINES), {"estimator": "risk"}])
def test_what_is_rewarded_is_written_more(options):
    """Two words and the end, from nothing but whether a sentence was right."""
    model, asked = build(), ask((A,), (B, A), limit=4)
    rewards, rng = Rewards(named_reward("exact"), names, samples=8, **options), np.random.default_rng(0)
    optimizer, found = Adam(model.named_parameters(), 0.02), []
    for _ in range(100):
        loss, _ = rewards.loss(model, asked, rng)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(rewards.so_far()["reward"])
        rewards.measures([(A,)], [[["a"]]], 4)
    assert np.mean(found[:5]) < 0.2
    assert np.mean(found[-5:]) > 0.9


def test_a_constant_reward_teaches_nothing_on_average(exact, monkeypatch):
    rewards = Rewards(by_table, names, baseline="none", control="constant")
    found, _ = over_all_pairs(exact, monkeypatch, rewards)
    assert np.linalg.norm(found) < 1e-12


def test_a_translation_is_asked_with_its_one_reference():
    task = dropping_task()
    X, lengths = np.array([[A, B], [EOS, A], [PAD, EOS]]), np.array([2, 3])
    Y, Y_lengths = np.array([[B, A], [EOS, UNK], [A, EOS]]), np.array([2, 3])  # A stands where nothing is
    asked = task.asked((X, lengths, Y, Y_lengths))
    assert asked.references == [[["b"]], [["a", "<unk>"]]]
    assert asked.limits.tolist() == length_limit(lengths).tolist() == [14, 16]
    np.testing.assert_array_equal(asked.source, X)
    np.testing.assert_array_equal(asked.lengths, lengths)
    loss, _, _ = task.loss((X, lengths, Y, Y_lengths), None, 0)
    assert np.isfinite(loss.item())


def test_a_picture_is_asked_with_all_its_captions():
    rng = np.random.default_rng(0)
    sights = Regions(rng.standard_normal((3, 2, 5)).astype(np.float32))
    captions = [[np.array([A, EOS]), np.array([A, B, EOS])], [np.array([B, EOS])], [np.array([EOS])] * 3]
    model = EncoderDecoder(RegionEncoder(2, 5, PLACE + 8, rng=0), AttentionDecoder(V, 4, 12, PLACE + 8, rng=0), rng=0)
    made = Captioned(sights, captions)
    task = Captioning(
        model, made, made, batch_size=3, rng=rng, max_length=7, to_words=names, captions_per_picture=2,
        references=[[names(one[:-1]) for one in of_one] for of_one in captions],
    )  # fmt: skip
    rows, Y = np.array([0, 1, 0, 2]), np.array([[A, B, A, EOS], [EOS, EOS, B, PAD], [PAD, PAD, EOS, PAD]])
    X = sights.batch(np.arange(3))[0]
    asked = task.asked(CaptionBatch(X, None, rows, Y, np.array([2, 2, 3, 1])))
    assert asked.references == [[["a"], ["a", "b"]], [["b"]], [[]]]
    assert asked.limits.tolist() == [7, 7, 7]
    assert asked.lengths is None
    task.train_on(Rewards(named_reward("bleu"), names, samples=2))
    seen = seen_by(task.rewards)
    (batch,) = task.batches(rng)
    loss, tokens, _ = task.loss(batch, None, 0)
    assert len(seen) == 9  # of three pictures two samples and the greedy one, however many captions they have
    assert tokens <= 42
    loss.backward()
    task.model.eval()
    with no_grad():
        assert {"valid_loss", "valid_reward", "valid_bleu", "train_reward"} <= task.validate().keys()


def test_a_history_is_asked_with_the_answer_that_was_given():
    turns = [[np.array([A, EOS]), np.array([B, A, EOS]), np.array([EOS])], [np.array([B, EOS]), np.array([A, EOS])]]
    talk, rng = Talk(turns), np.random.default_rng(0)
    encoder = FlatEncoder(V, 3, 4, rng=0)
    model = EncoderDecoder(encoder, AttentionDecoder(V, 3, 4, encoder.output_size, rng=0), rng=0)
    task = Chatting(model, talk, talk, batch_size=9, rng=rng, max_length=5, to_words=names)
    batch = talk.batch(range(3))
    asked = task.asked(batch)
    expected = [[names(turns[c][i][:-1])] for c, i in talk.answers]
    assert asked.references == expected
    assert sorted(map(str, expected)) == ["[['a']]", "[['b', 'a']]", "[[]]"]
    assert asked.limits.tolist() == [5, 5, 5]
    assert asked.lengths is None
    task.train_on(Rewards(named_reward("bleu"), names, samples=3))
    loss, tokens, _ = task.loss(batch, None, 0)
    assert tokens <= 45
    loss.backward()
    task.model.eval()
    seen = seen_by(task.rewards)
    with no_grad():
        assert {"valid_loss", "valid_reward", "train_reward"} <= task.validate().keys()
    assert [references for _, references in seen] == [[[*answer, "<eos>"]] for (answer,) in expected]


def test_without_words_ids_stand_for_themselves():
    pairs = [([np.array([A, EOS])],) * 2] * 2
    task = Translation(build(), *pairs, batch_size=1, rng=np.random.default_rng(0))
    (batch,) = task.batches(np.random.default_rng(0))
    assert task.asked(batch).references == [[["4"]]]
    assert numbers_as_words([4]) == ["4"]


def test_a_masked_softmax_of_one_sample_is_that_sample():
    log_probs = Tensor(np.array([[-1.0, -1.0], [-2.0, -3.0]]), requires_grad=True)
    loss = minimum_risk(log_probs, np.array([[0.3, 0.3], [1.0, 0.0]]), np.array([[True, False], [True, True]]), 2.0)
    assert loss.item() == pytest.approx(-(0.3 + 1 / (1 + math.exp(-2))) / 2, rel=1e-12)
    assert functional.softmax(Tensor(np.zeros(2))).data.tolist() == [0.5, 0.5]
