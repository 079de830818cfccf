"""Words that no vocabulary has: who they are in a conversation, and who may be named in an answer."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirnn import Codec, InputError, Vocabulary
from minirnn.data import SPECIALS
from minirnn.data.histories import Talk
from minirnn.data.spacing import Spacing
from minirnn.data.strangers import Strangers, acquainted, encode_conversation, with_placeholders
from minirnn.data.vocabulary import EOS_ID, PAD_ID, UNKNOWN_ID

PLAIN = Codec("space", "none", Vocabulary([*SPECIALS, "a", "b", "c", "d"]))
KNOWN = len(PLAIN.vocabulary)
CODEC = with_placeholders(PLAIN, 3)
TALK = ["hi zoe", "a b", "zoe met kim", "kim and leo", "c leo max zoe"]


def test_placeholders_are_last_and_the_rest_is_as_before():
    assert CODEC.vocabulary.tokens == [*PLAIN.vocabulary.tokens, "<word:1>", "<word:2>", "<word:3>"]
    assert (CODEC.tokens, CODEC.clean, CODEC.rules) == (PLAIN.tokens, PLAIN.clean, PLAIN.rules)
    assert len(PLAIN.vocabulary) == KNOWN
    learned = Codec.build(["l'ami dort !", "l'ami est là !", "il dort !"] * 5, "word", "lower")
    assert learned.spacing.learned != Spacing().learned
    assert learned.decode(learned.encode("il dort !")) == "il dort !"
    both = with_placeholders(learned, 2), acquainted(with_placeholders(learned, 2), 2, ["l'oncle dort !"])
    for one in both:
        assert one.spacing.learned == learned.spacing.learned
        assert one.decode(one.encode("l'ami dort !")) == "l'ami dort !"
    assert both[1].decode(both[1].encode("l'oncle dort !")) == "l'oncle dort !"
    assert with_placeholders(Codec("word", "none", PLAIN.vocabulary, rules=1), 2).rules == 1
    pieces = Codec.build(["abab abba", "ba ab"] * 3, "bpe", "none", max_vocabulary=8)
    assert acquainted(with_placeholders(pieces, 2), 2, ["zab"]).subwords is pieces.subwords


def test_strangers_can_be_read_and_written_in_their_conversation_alone():
    codec = acquainted(CODEC, 3, ["a zoe", "zoe b kim"])
    assert sorted(codec.vocabulary.tokens[KNOWN:]) == ["<word:3>", "kim", "zoe"]
    assert len(codec.vocabulary) == len(CODEC.vocabulary)
    for turn in ("a zoe", "kim zoe c", "zoe zoe"):
        ids = codec.encode(turn)
        assert codec.decode(ids) == turn
        assert UNKNOWN_ID not in ids
    assert codec.encode("leo")[0] == UNKNOWN_ID
    assert CODEC.encode("zoe kim").tolist() == [UNKNOWN_ID, UNKNOWN_ID, EOS_ID]


def test_where_nobody_is_strange_the_codec_stays_as_it_is():
    for turns in ([], ["a b"], ["", "c"]):
        assert acquainted(CODEC, 3, turns) is CODEC


def test_of_too_many_strangers_the_latest_are_known():
    codec = acquainted(CODEC, 3, TALK)
    assert set(codec.vocabulary.tokens[KNOWN:]) == {"leo", "max", "zoe"}
    assert codec.encode("hi kim leo max zoe")[:2].tolist() == [UNKNOWN_ID] * 2
    assert set(acquainted(CODEC, 3, TALK[:4]).vocabulary.tokens[KNOWN:]) == {"kim", "and", "leo"}
    assert len(codec.vocabulary) == KNOWN + 3


def test_what_is_cut_off_is_not_heard():
    turns = ["a b zoe kim", "c leo"]
    assert set(acquainted(CODEC, 3, turns, 4).vocabulary.tokens[KNOWN:]) == {"zoe", "leo", "<word:3>"}
    ids = encode_conversation(CODEC, 3, turns, 4)
    assert [one.tolist() for one in ids] == [[4, 5, KNOWN, EOS_ID], [6, KNOWN + 1, EOS_ID]]
    assert set(acquainted(CODEC, 3, turns, 5).vocabulary.tokens[KNOWN:]) == {"zoe", "kim", "leo"}


def test_words_spelled_like_special_ones_are_not_strangers():
    for word in SPECIALS:
        codec = acquainted(CODEC, 3, [f"a {word} zoe"])
        assert codec.vocabulary.tokens.count(word) == 1
        assert codec.encode(f"a {word} zoe").tolist() == [4, UNKNOWN_ID, codec.vocabulary.ids["zoe"], EOS_ID]
        (ids,) = encode_conversation(CODEC, 3, [f"a {word} zoe"])
        assert ids.tolist() == [4, UNKNOWN_ID, KNOWN, EOS_ID]


def test_strangers_are_numbered_as_they_come_however_many_they_are():
    ids = [one.tolist() for one in encode_conversation(CODEC, 3, TALK)]
    hi, zoe, met, kim, and_, leo, max_ = range(KNOWN, KNOWN + 7)
    assert ids == [
        [hi, zoe, EOS_ID],
        [4, 5, EOS_ID],
        [zoe, met, kim, EOS_ID],
        [kim, and_, leo, EOS_ID],
        [6, leo, max_, zoe, EOS_ID],
    ]
    assert len(CODEC.vocabulary) == KNOWN + 3


def test_without_placeholders_strangers_are_unknown():
    for codec in (PLAIN, CODEC):
        found = encode_conversation(codec, 0, ["a zoe", "zoe"])
        assert [one.tolist() for one in found] == [[4, UNKNOWN_ID, EOS_ID], [UNKNOWN_ID, EOS_ID]]
    assert encode_conversation(CODEC, 3, []) == []


FIRST, COUNT = 14, 3


def test_without_chance_nobody_is_hidden_and_placeholders_are_in_order():
    settled = Strangers(FIRST, COUNT, 0.9).settle(np.array([20, 4, 15, 20, 13, 30, 18, EOS_ID, 19]))
    assert settled[:FIRST].tolist() == list(range(FIRST))
    names = [20, 15, 30, 18, 19]
    assert settled[names].tolist() == [FIRST + (name - FIRST) % COUNT for name in names]
    nobody = Strangers(FIRST, COUNT).settle(np.zeros(0, int))
    assert nobody[:FIRST].tolist() == list(range(FIRST))


@given(said=st.lists(st.integers(0, FIRST + 6), max_size=25), seed=st.integers(0, 50), hidden=st.floats(0, 0.99))
def test_whoever_is_hidden_is_rare_and_has_a_placeholder_alone(said, seed, hidden):
    strangers = Strangers(FIRST, COUNT, hidden)
    settled = strangers.settle(np.array(said, int), np.random.default_rng(seed))
    again = strangers.settle(np.array(said, int), np.random.default_rng(seed))
    np.testing.assert_array_equal(settled, again)
    assert settled[: FIRST // 2].tolist() == list(range(FIRST // 2))
    assert all(settled[i] in (i, FIRST, FIRST + 1, FIRST + 2) for i in range(FIRST))
    placed = {i: int(settled[i]) for i in set(said) if settled[i] >= FIRST}
    assert all(FIRST <= place < FIRST + COUNT for place in placed.values())
    for i, place in placed.items():
        others = [j for j in placed if j != i and placed[j] == place]
        assert all(i >= FIRST and j >= FIRST and (i - j) % COUNT == 0 for j in others)
    assert all(settled[i] == i for i in range(FIRST) if i not in said)  # who is not there is not hidden
    assert all(i in placed for i in said if i >= FIRST)


def test_so_many_are_hidden_as_the_probability_says_and_each_placeholder_is_taken(rng):
    strangers, told = Strangers(100, 60, 0.3), np.arange(4, 100)
    settled = np.stack([strangers.settle(told, rng) for _ in range(200)])
    shares = (settled[:, :100] >= 100).mean(axis=0)
    assert not shares[:50].any()
    np.testing.assert_allclose(shares[50:], 0.3, atol=0.15)
    assert shares[50:].mean() == pytest.approx(0.3, abs=0.02)
    assert set(settled[settled >= 100]) == set(range(100, 160))
    assert not (Strangers(100, 60, 0.0).settle(told, rng)[:100] >= 100).any()


def test_special_tokens_are_never_hidden(rng):
    """Even where the vocabulary has hardly any other."""
    settled = [Strangers(5, 3, 0.99).settle(np.arange(5), rng) for _ in range(20)]
    assert all(one[:4].tolist() == [0, 1, 2, 3] for one in settled)
    assert any(one[4] >= 5 for one in settled)


def test_what_is_out_of_range_is_refused():
    for arguments, message in [((0, 3), "first"), ((8, 0), "count"), ((8, 3, -0.1), "hidden"), ((8, 3, 1), "hidden")]:
        with pytest.raises(InputError, match=message):
            Strangers(*arguments)


# Turns of names: 10 and more are strangers; 4 to 6 are frequent, and 7 to 9 can be hidden.
OTHER = [[np.array([*ids, EOS_ID]) for ids in turns] for turns in (
    [[4, 10], [11, 7], [10, 11, 8], [12, 4], [12, 7, 9]],
    [[5, 10], [10, 5], [11], [10, 11]],
    [[7, 8], [8, 9], [9, 7, 5]],
)]  # fmt: skip


def talk(hidden=0.0, count=2, most_turns=10, conversations=OTHER):
    return Talk(conversations, most_turns=most_turns, strangers=Strangers(10, count, hidden))


def pieces(batch, m):
    """The turns before an answer, and the answer."""
    source = batch.histories
    numbers = source.turns[: source.lengths[m], m]
    turns = [source.words[: source.word_lengths[n], n].tolist() for n in numbers]
    return turns, batch.Y[: batch.Y_lengths[m], m].tolist()


def test_a_stranger_has_one_placeholder_in_all_turns_and_in_the_answer():
    found = talk(count=3)
    for i, (c, at) in enumerate(found.answers):
        turns, answer = pieces(found.batch([i]), 0)
        heard = list(dict.fromkeys(name for turn in OTHER[c][:at] for name in turn.tolist() if name >= 10))
        becomes = {name: 10 + k for k, name in enumerate(heard)}
        expected = [[becomes.get(name, name) for name in turn.tolist()] for turn in OTHER[c][:at]]
        assert turns == expected
        # Who was not named before cannot be named.
        said = [becomes.get(name, UNKNOWN_ID if name >= 10 else name) for name in OTHER[c][at].tolist()]
        assert answer == said


def test_with_more_strangers_than_placeholders_they_are_taken_in_turn():
    found = talk(count=1)
    turns, answer = pieces(found.batch([3]), 0)
    assert turns == [[4, 10, 2], [10, 7, 2], [10, 10, 8, 2], [10, 4, 2]]
    assert answer == [10, 7, 9, 2]


def test_an_answer_names_only_whom_its_own_history_has_named():
    """Among others, of whom one has heard more: the same conversation, and another in which the number is another's."""
    found = talk(count=3)
    batch = found.batch([3, 0, 4, 6])
    assert [found.answers[i] for i in (3, 0, 4, 6)] == [(0, 4), (0, 1), (1, 1), (1, 3)]
    assert pieces(batch, 0)[1] == [12, 7, 9, 2]
    assert pieces(batch, 1)[1] == [UNKNOWN_ID, 7, 2]  # 11 is known to the other answer alone
    assert pieces(batch, 2)[1] == [10, 5, 2]
    assert pieces(batch, 3)[1] == [10, 11, 2]
    short = talk(count=3, most_turns=1).batch([2])  # the one before was forgotten
    assert pieces(short, 0) == ([[10, 11, 8, 2]], [UNKNOWN_ID, 4, 2])
    far = talk(count=3, most_turns=1, conversations=[[np.array([10, 2]), np.array([11, 2]), np.array([10, 11, 2])]])
    assert pieces(far.batch([1]), 0) == ([[11, 2]], [UNKNOWN_ID, 11, 2])


def test_what_an_answer_is_told_does_not_depend_on_which_others_are_in_the_batch():
    """Nor on how much of the conversation was before."""
    turns = [np.array([FIRST + k, EOS_ID]) for k in (0, 1, 2)] + [np.array([FIRST + 2, 4, EOS_ID])]
    found = Talk([turns], most_turns=1, strangers=Strangers(FIRST, 2))
    assert pieces(found.batch([2]), 0) == pieces(found.batch([0, 1, 2]), 2) == ([[FIRST, 2]], [FIRST, 4, 2])


# Each turn begins with a word that is frequent and in no other; from 20 on words can be hidden, and from 40 on strange.
MARKED = [[np.array([mark, *ids, EOS_ID]) for mark, ids in turns.items()] for turns in (
    {4: [20, 40], 5: [21, 41], 6: [20, 40, 41], 7: [22, 42], 8: [22, 40, 20]},
    {9: [30], 10: [30, 40], 11: [31, 30, 40]},
)]  # fmt: skip
PLACE = {int(turn[0]): (c, i) for c, turns in enumerate(MARKED) for i, turn in enumerate(turns)}


@pytest.mark.parametrize("together", [True, False])
def test_while_learning_rare_words_are_strangers_too(together):
    found, hidden, placed, kept = Talk(MARKED, strangers=Strangers(40, 4, 0.5)), set(), set(), set()
    for seed in range(30):
        answered = set()
        for batch in found.batches(3, np.random.default_rng(seed), together):
            of_conversation = {}  # what its words have become, in all of this batch
            for m in range(len(batch.Y_lengths)):
                turns, answer = pieces(batch, m)
                c, i = PLACE[answer[0]]
                answered.add((c, i))
                became, heard = of_conversation.setdefault(c, {}), set()
                for turn, true in zip(turns, MARKED[c][:i], strict=True):
                    assert len(turn) == len(true)
                    heard.update(true.tolist())
                    for here, there in zip(turn, true.tolist(), strict=True):
                        assert became.setdefault(there, here) == here
                for here, there in zip(answer, MARKED[c][i].tolist(), strict=True):
                    if there not in heard:
                        assert here == (UNKNOWN_ID if there >= 40 else there)
                        kept.add(there)
                    else:
                        assert here == became[there]
            for became in of_conversation.values():
                assert all(became[word] == word for word in became if word < 20)
                hidden |= {word for word, here in became.items() if 20 <= word < 40 <= here}
                names = [here for here in became.values() if here >= 40]
                assert len(names) == len(set(names))
                placed.update(names)
        assert answered == set(found.answers)
    assert hidden == {20, 21, 22, 30}
    assert placed == {40, 41, 42, 43}
    assert {22, 31, 41, 42} <= kept


def test_a_hidden_word_that_was_not_heard_stays_itself(rng):
    """It is only hidden where a conversation has told it: the last answer says 9, which 8's turns have not."""
    conversation = [[np.array([8, 2]), np.array([9, 8, 2])]]
    found = talk(0.9, count=2, conversations=conversation)
    seen = {tuple(pieces(found.batch([0], rng=rng), 0)[1]) for _ in range(40)}
    assert seen == {(9, 8, 2), (9, 10, 2), (9, 11, 2)}


@pytest.mark.parametrize("hidden", [0.0, 0.6])
def test_histories_of_others_and_none_name_nobody_of_ones_own(hidden, rng):
    found = talk(hidden, count=3)
    draws = None if hidden == 0 else rng
    for i, (c, at) in enumerate(found.answers):
        own = [UNKNOWN_ID if name >= 10 else name for name in OTHER[c][at].tolist()]
        turns, answer = pieces(found.batch([i], "empty", draws), 0)
        assert (turns, answer) == ([[EOS_ID]], own)
        turns, answer = pieces(found.batch([i], "shuffled", draws), 0)
        assert answer == own
        assert all(name < 13 for turn in turns for name in turn)
    # Others of the batch have heard them: that is no help.
    batch = found.batch(range(len(found)), "shuffled")
    for i, (c, at) in enumerate(found.answers):
        assert pieces(batch, i)[1] == [UNKNOWN_ID if name >= 10 else name for name in OTHER[c][at].tolist()]


def test_the_same_chance_gives_the_same_batches():
    found = talk(0.5, count=3)
    draws = []
    for seed in (4, 4, 5):
        batches = list(found.batches(3, np.random.default_rng(seed)))
        draws.append([pieces(batch, m) for batch in batches for m in range(len(batch.Y_lengths))])
    assert draws[0] == draws[1] != draws[2]


def test_what_is_said_is_not_changed_by_who_it_becomes():
    before = [[turn.copy() for turn in turns] for turns in OTHER]
    for batch in talk(0.9).batches(2, np.random.default_rng(0)):
        assert batch.Y.max() < 12
        assert batch.histories.words.max() < 12
    for ours, theirs in zip(itertools.chain(*OTHER), itertools.chain(*before), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_without_strangers_ids_are_what_they_are():
    turns, answer = pieces(Talk(OTHER).batch([3]), 0)
    assert turns == [turn.tolist() for turn in OTHER[0][:4]]
    assert answer == OTHER[0][4].tolist()


def test_as_read_for_learning_so_read_for_answering():
    """Without chance, a conversation with few enough strangers is the same for `Talk` and for a codec, up to which
    placeholder stands for whom."""
    turns = ["zoe a", "kim zoe", "b kim", "zoe c"]
    ids = encode_conversation(CODEC, 3, turns)
    learned, answer = pieces(Talk([ids], strangers=Strangers(KNOWN, 3)).batch([2]), 0)
    codec = acquainted(CODEC, 3, turns[:3])
    spoken = [codec.encode(turn).tolist() for turn in turns]
    pairs = {(a, b) for one, other in zip([*learned, answer], spoken, strict=True)
             for a, b in zip(one, other, strict=True)}  # fmt: skip
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    assert all(a == b for a, b in pairs if a < KNOWN)
    assert PAD_ID not in {a for a, _ in pairs}
