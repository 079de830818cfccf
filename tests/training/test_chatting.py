"""The task of answering: what a batch holds, which history an answer has, what counts, and what is remembered."""

import itertools

import numpy as np
import pytest

from minirnn import Adam, AttentionDecoder, EncoderDecoder, InputError, RecurrentEncoder, Trainer, functional, no_grad
from minirnn.data.histories import Talk, histories
from minirnn.models.history_encoders import FlatEncoder, HierarchicalEncoder, HistoryEncoder
from minirnn.training.chatting import Chatting, nats_of

V, EOS = 14, 2
ASK, TELL, HM, SO, NAMES = 4, 5, 6, 7, (8, 9, 10)


def conversations(sizes, rng):
    """Each of so many turns, no two alike."""
    return [[np.array([4 + c, 4 + i, *rng.integers(4, V, c % 3), EOS]) for i in range(n)] for c, n in enumerate(sizes)]


def history_of(batch, m):
    """The turns that an answer of a batch looks back on."""
    source = batch.histories
    numbers = source.turns[: source.lengths[m], m]
    return [source.words[: source.word_lengths[n], n].tolist() for n in numbers]


def answer_of(batch, m):
    return batch.Y[: batch.Y_lengths[m], m].tolist()


def build(dropout=0.0, encoder=None):
    encoder = encoder or HierarchicalEncoder(V, 8, 16, 16, words=True, dropout=dropout, rng=0)
    decoder = AttentionDecoder(V, 8, 16, encoder.output_size, attend="after", input_feeding=True, rng=0)
    return EncoderDecoder(encoder, decoder, bridge="learned", rng=0)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("most", [1, 2, 10])
def test_every_answer_comes_once_with_its_latest_turns(most, together, rng):
    spoken = conversations([5, 2, 4, 7], rng)
    talk = Talk(spoken, most_turns=most)
    assert len(talk) == 4 + 1 + 3 + 6
    expected = {
        tuple(turns[i].tolist()): [one.tolist() for one in turns[:i]][-most:]
        for turns in spoken
        for i in range(1, len(turns))
    }
    orders = set()
    for seed in range(3):
        found = {}
        for batch in talk.batches(4, np.random.default_rng(seed), together):
            assert len(batch.Y_lengths) in (4, 2)
            for m in range(len(batch.Y_lengths)):
                assert tuple(answer_of(batch, m)) not in found
                found[tuple(answer_of(batch, m))] = history_of(batch, m)
        assert found == expected
        orders.add(tuple(found))
    assert len(orders) > 1


def test_a_turn_to_which_several_answers_look_back_is_read_once(rng):
    talk = Talk(conversations([6, 3], rng), most_turns=3)
    (batch,) = talk.batches(100, rng)
    assert batch.histories.words.shape[1] == 5 + 2
    assert batch.histories.lengths.tolist() in ([1, 2, 3, 3, 3, 1, 2], [1, 2, 1, 2, 3, 3, 3])


@pytest.mark.parametrize("most", [1, 2, 30])
def test_answers_with_as_much_before_them_can_be_put_together(most, rng):
    """No answer of a batch looks back on more words than one of a batch with longer histories: so hardly anything is
    padding. Which batch comes first is drawn."""
    spoken = [[np.array([4, *[5] * rng.integers(0, 9), EOS]) for _ in range(12)] for _ in range(3)]
    talk, orders = Talk(spoken, most_turns=most), []
    for seed in range(3):
        batches = list(talk.batches(5, np.random.default_rng(seed), together=False))
        assert sorted(len(batch.Y_lengths) for batch in batches) == [3, 5, 5, 5, 5, 5, 5]
        read = [batch.histories.num_words for batch in batches]
        orders.append([one.max() for one in read])
        read.sort(key=lambda one: (one.min(), one.max()))
        assert all(one.max() <= other.min() for one, other in itertools.pairwise(read))
    assert orders[0] != orders[1]
    assert any(order != sorted(order) for order in orders)


def test_of_as_long_histories_as_long_answers_are_put_together(rng):
    spoken = [[np.array([4, EOS]), np.array([*[5] * (1 + c % 4), EOS])] for c in range(40)]
    batches = list(Talk(spoken).batches(10, rng, together=False))
    assert sorted(set(batch.Y_lengths.tolist()) == {len(batch.Y)} for batch in batches) == [True] * 4


@pytest.mark.parametrize("reads_turns", [True, False])
def test_it_is_the_encoder_that_says_what_a_batch_is_made_of(reads_turns, rng, monkeypatch):
    talk, asked, batches = Talk(conversations([5, 3], rng)), [], Talk.batches
    monkeypatch.setattr(Talk, "batches", lambda self, size, rng, together=True: asked.append(together) or batches(
        self, size, rng, together))  # fmt: skip
    encoder = HierarchicalEncoder(V, 8, 16, 16, words=True, rng=0) if reads_turns else FlatEncoder(V, 8, 16, rng=0)
    assert encoder.reads_turns == reads_turns
    task = Chatting(build(encoder=encoder), talk, talk, batch_size=2, rng=rng)
    assert sum(len(batch.Y_lengths) for batch in task.batches(rng)) == len(talk)
    assert asked == [reads_turns]
    assert task.num_batches == len(list(task.batches(rng)))
    assert HistoryEncoder.reads_turns


def test_answers_can_be_chosen(rng):
    spoken = conversations([4, 4], rng)
    talk = Talk(spoken, [(1, 3), (0, 1)])
    batch = talk.batch([0, 1])
    assert [answer_of(batch, m) for m in range(2)] == [spoken[1][3].tolist(), spoken[0][1].tolist()]
    assert history_of(batch, 0) == [one.tolist() for one in spoken[1][:3]]
    for place in ((0, 0), (0, 4), (1, -1)):
        with pytest.raises(InputError, match=f"turn {place[1]} of conversation {place[0]} is no answer"):
            Talk(spoken, [place])


@pytest.mark.parametrize("sizes", [[12, 3], [2, 12], [2, 2], [5, 9, 2], [2] * 7, [3, 20, 3]])
def test_a_shuffled_history_is_of_another_conversation(sizes, rng):
    talk = Talk(conversations(sizes, rng))
    for i, (c, _) in enumerate(talk.answers):
        true, shuffled = talk.batch([i]), talk.batch([i], "shuffled")
        assert answer_of(shuffled, 0) == answer_of(true, 0)
        seen = {turn[0] - 4 for turn in history_of(shuffled, 0)}
        assert len(seen) == 1
        assert c not in seen


def test_where_there_is_no_other_conversation_its_own_is_shuffled(rng):
    talk = Talk(conversations([5], rng))
    assert [len(history_of(talk.batch([i], "shuffled"), 0)) for i in range(4)] == [3, 4, 1, 2]


def test_an_empty_history_is_one_turn_without_a_word(rng):
    batch = Talk(conversations([5, 3], rng)).batch([0, 3, 5], "empty")
    assert [history_of(batch, m) for m in range(3)] == [[[EOS]]] * 3
    assert batch.histories.words.shape == (1, 1)


def test_what_each_answer_costs_adds_up_to_the_loss(rng):
    talk = Talk(conversations([5, 2, 6, 4], rng), most_turns=3)
    task = Chatting(build(), talk, talk, batch_size=5, rng=rng)
    nats, tokens = task.nats(talk)
    assert tokens.tolist() == [len(talk.conversations[c][i]) for c, i in talk.answers]
    total = 0.0
    for batch in task.batches(rng):
        loss, count, carry = task.loss(batch, None, 0)
        assert carry is None
        total += loss.item() * count
    assert total == pytest.approx(nats.sum(), rel=1e-5)
    assert task.validate() == {"valid_loss": pytest.approx(nats.sum() / tokens.sum(), rel=1e-6)}
    for i in (0, 4, len(talk) - 1):
        alone = Talk(talk.conversations, [talk.answers[i]], 3)
        assert task.nats(alone)[0] == pytest.approx(nats[i], rel=1e-5)


@pytest.mark.parametrize("history", ["true", "shuffled", "empty"])
def test_what_an_answer_costs_is_the_sum_over_its_tokens(history, rng):
    talk, model = Talk(conversations([5, 2, 6], rng), most_turns=3), build()
    nats, tokens = nats_of(model, talk, batch_size=4, history=history)
    assert tokens.tolist() == [len(talk.conversations[c][i]) for c, i in talk.answers]
    for k, (c, i) in enumerate(talk.answers):
        turns, y = talk.conversations[c][max(0, i - 3) : i], talk.conversations[c][i]
        if history == "empty":
            turns = [np.array([EOS])]
        elif history == "shuffled":
            turns = [np.array(turn) for turn in history_of(talk.batch([k], "shuffled"), 0)]
        with no_grad():
            decoded = model(histories(turns, [range(len(turns))]), None, np.array([1, *y[:-1]])[:, None])
            scores = functional.log_softmax(model.decoder.logits(decoded.features)).data[:, 0]
        assert nats[k] == pytest.approx(-sum(scores[t, token] for t, token in enumerate(y)), rel=1e-4)
    for size in (1, 100):
        np.testing.assert_allclose(nats_of(model, talk, size, history)[0], nats, rtol=1e-4)


def test_judges_are_asked_of_what_was_written_to_the_held_out(rng):
    asked, talk = [], Talk(conversations([5, 2, 6], rng))

    def judge(written):
        asked.append(written)
        return {"valid_true": 0.5}

    task = Chatting(build(), talk, Talk(conversations([4], rng)), batch_size=2, rng=rng, max_length=3, judge=judge)
    assert task.validate()["valid_true"] == 0.5
    assert len(asked[0]) == 3
    assert max(map(len, asked[0])) <= 3
    for name, parameter in task.model.named_parameters().items():
        if "embedding" in name:
            parameter.data = parameter.data * np.nan
    assert "valid_true" not in task.validate()
    assert len(asked) == 1


def told_and_asked(count, rng):
    """A name, up to two turns about nothing, the question for it, and the answer."""
    found = []
    for i in range(count):
        name, between = NAMES[rng.integers(3)], i % 3
        turns = [[TELL, name, EOS], *[[HM, EOS], [SO, EOS]][:between], [ASK, EOS], [name, EOS]]
        found.append([np.array(turn) for turn in turns])
    return found


def test_a_name_that_was_told_is_remembered(rng):
    spoken = told_and_asked(60, rng)
    talk = Talk(spoken, [(c, len(turns) - 1) for c, turns in enumerate(spoken)])
    assert {len(turns) - 2 for turns in spoken} == {1, 2, 3}
    task = Chatting(build(dropout=0.1), talk, talk, batch_size=20, rng=rng)
    Trainer(task, Adam(task.model.named_parameters(), 0.02), seed=1, progress=False).train(25)
    task.model.eval()
    unheard = told_and_asked(60, np.random.default_rng(5))
    test = Talk(unheard, [(c, len(turns) - 1) for c, turns in enumerate(unheard)])
    written = task.greedy(test)
    assert np.mean([one[0] == unheard[c][i][0] for one, (c, i) in zip(written, test.answers, strict=True)]) > 0.95
    costs = {history: np.exp(task.nats(test, history)[0].sum() / (2 * len(test))) for history in ("true", "empty")}
    assert costs["true"] < 1.1
    assert costs["empty"] > np.sqrt(2)  # of three names, and of the end
    # Beyond what it may look back on, it can only guess.
    short = Talk(unheard, test.answers, most_turns=1)
    assert np.exp(task.nats(short)[0].sum() / (2 * len(test))) > np.sqrt(2)


def test_what_does_not_fit_is_refused(rng):
    talk, none = Talk(conversations([3], rng)), Talk([])
    with pytest.raises(InputError, match="no answers to learn from"):
        Chatting(build(), none, talk, batch_size=2, rng=rng)
    for options, message in (({"batch_size": 0}, "batch_size"), ({"batch_size": 1, "max_length": 0}, "max_length")):
        with pytest.raises(InputError, match=message):
            Chatting(build(), talk, talk, rng=rng, **options)
    with pytest.raises(InputError, match="most_turns"):
        Talk(conversations([3], rng), most_turns=0)
    with pytest.raises(InputError, match="a RecurrentEncoder reads no histories: take a HistoryEncoder"):
        Chatting(build(encoder=RecurrentEncoder(V, 8, 16, rng=0)), talk, talk, batch_size=2, rng=rng)
    task = Chatting(build(), talk, none, batch_size=2, rng=rng)
    assert task.num_batches == 1
    assert task.validate() == {}
    assert [len(one) for one in task.nats(none)] == [0, 0]
