"""Memory dialogues: where the facts are, what training never tells, and that no answer can be guessed."""

import itertools
import re
from collections import Counter, defaultdict

import pytest

from minirnn import InputError
from minirnn.data import tokenize
from minirnn.data.dialogues import (
    DAYS,
    FORMS,
    KINDS,
    NAMES,
    OWNERS,
    PLACES,
    RELATIONS,
    REPEAT,
    SMALL_TALK,
    TELLING,
    THINGS,
    UNSEEN,
    dialogues,
    home,
)

SPLITS = {"train": dialogues("train", 3000), "valid": dialogues("valid"), "test": dialogues("test")}
UNKNOWN_NAMES = dialogues("test", 300, names="unseen")
ALL = [*itertools.chain(*SPLITS.values()), *UNKNOWN_NAMES]
VALUES = {*NAMES, *UNSEEN, *PLACES, *THINGS}


def exchanges(dialogue):
    return zip(dialogue.turns[::2], dialogue.turns[1::2], strict=True)


def asking(dialogue):
    return {question.turn for question in dialogue.questions}


def test_two_take_turns_in_words_that_are_tokens():
    assert {len(one.turns) for one in ALL} == {4, 6, 8, 10}
    turns = {turn for one in ALL for turn in one.turns}
    for turn in turns:
        assert turn == turn.lower() == " ".join(tokenize(turn, "word"))
        assert turn[-1] in ".?!"
    assert len({word for turn in turns for word in turn.split()}) < 200


def test_a_fact_is_where_it_is_said_to_be_and_nowhere_after_it():
    for turns, questions in ALL:
        assert [question.turn for question in questions] == sorted({question.turn for question in questions})
        for question in questions:
            fact, asked = question.facts[0], question.turn
            assert asked % 2 == 0 <= fact < asked
            assert question.distance == asked + 1 - fact
            assert question.value in turns[fact].split()
            assert question.value in turns[asked + 1].split()
            for between in turns[fact + 1 : asked + 1]:
                assert question.value not in between.split()
            # The rest of the answer is in the question, or in the one before, or tells nothing.
            assert not VALUES.intersection(turns[asked + 1].split()) - {question.value, *turns[asked].split()}


def test_only_an_ellipsis_needs_the_question_before():
    where_or_who = set()
    for turns, questions in ALL:
        for before, question in itertools.pairwise([None, *questions]):
            if question.kind == "ellipsis":
                where_or_who.add((turns[question.turn], question.value in PLACES))
                assert (question.value in PLACES) == (before.value in PLACES)
                assert before.kind == "plan"
                assert question.facts == (before.facts[0], question.turn - 2)
                assert before.turn == question.turn - 2
                here, there = ([day for day in DAYS if day in turns[one.turn]] for one in (before, question))
                assert sorted([*here, *there]) == sorted(DAYS)
            else:
                assert len(question.facts) == 1
    assert len(where_or_who) == 2 * 2 * 2


def test_a_turn_tells_an_answer_if_it_has_the_word_and_no_other_was_said_since():
    """Facts are told by the person, or by the machine that repeats them: then by both."""
    both = 0
    for turns, questions in ALL:
        for question in questions:
            told = question.told
            assert told == tuple(sorted(set(told)))
            assert question.facts[0] == told[-1]
            assert told[0] % 2 == 0
            assert all(question.value in turns[turn].split() for turn in told)
            assert (len(told) == 2) == bool(question.facts[0] % 2)
            assert len(told) == 1 or told[0] + 1 == told[1]
            if len(told) == 1 and told[0] + 1 < question.turn:
                assert question.value not in turns[told[0] + 1].split()  # else the machine had repeated it
            both += len(told) - 1
    assert 0 < both < sum(len(one.questions) for one in ALL)


PATTERNS = {
    (kind, number): re.compile(re.sub(r"\\{\w+\\}", r"\\w+", re.escape(form)))
    for kind, forms in TELLING.items()
    for number, (form, _) in enumerate(forms)
}


def told(dialogue):
    """What is told in a dialogue, found by the words alone: combinations, and the turns that tell them."""
    found = []
    liked = None
    for turn in dialogue.turns[::2]:
        words = turn.removeprefix(REPEAT).split()
        slots = [word for word in words if word in VALUES]
        if not slots or words[-1] == "?":
            continue
        ((kind, number),) = (which for which, pattern in PATTERNS.items() if pattern.fullmatch(" ".join(words)))
        number += FORMS // 2 if turn.startswith(REPEAT) else 0
        if kind in OWNERS:
            found.append((slots[0], kind, number))
        elif kind == "before":
            liked = slots[0]
        elif kind == "changed":
            found.append((liked, slots[0], number))
        else:
            names = [slot for slot in slots if slot in NAMES or slot in UNSEEN]
            places = [slot for slot in slots if slot in PLACES]
            found += [(*pair, number) for pair in zip(names, places, strict=True)]
    return found


def test_training_is_told_nothing_that_the_test_tells():
    found = {split: {one for dialogue in of_one for one in told(dialogue)} for split, of_one in SPLITS.items()}
    assert not found["train"] & found["test"]
    assert not found["valid"] & found["test"]
    for split, of_one in found.items():
        assert {home(one) for one in of_one} == {"test" if split == "test" else "train"}
    assert {home(one) for dialogue in UNKNOWN_NAMES for one in told(dialogue)} == {"test"}
    parts = {split: {part for *words, form in of_one for part in itertools.product(words, [form])}
             for split, of_one in found.items()}  # fmt: skip
    assert parts["test"] <= parts["train"], "in other company training has every word in every form"
    assert {word for word, _ in parts["train"]} == {*NAMES, *PLACES, *THINGS, *OWNERS}


@pytest.mark.parametrize("groups", [(NAMES, PLACES), (NAMES, OWNERS), (THINGS, THINGS)])
def test_of_any_two_words_one_form_is_held_out(groups):
    for pair in itertools.product(*groups):
        assert [home((*pair, form)) for form in range(FORMS)].count("test") == 1


def test_dialogues_of_the_splits_differ():
    texts = {split: {"\n".join(one.turns) for one in of_one} for split, of_one in SPLITS.items()}
    assert {split: len(of_one) for split, of_one in texts.items()} == {"train": 3000, "valid": 500, "test": 500}
    for a, b in itertools.combinations(texts, 2):
        assert not texts[a] & texts[b]
    others = {"\n".join(one.turns) for one in dialogues("valid", 200, seed=1)}
    assert not others & texts["train"]
    assert not others & {"\n".join(one.turns) for one in dialogues("train", 2000, seed=1)}


def test_there_are_enough_of_every_distance_and_kind():
    questions = [question for one in SPLITS["test"] for question in one.questions]
    distances, kinds = (Counter(getattr(one, of) for one in questions) for of in ("distance", "kind"))
    assert set(distances) == {2, 3, 4, 5, 6}
    assert min(distances.values()) >= 75
    assert set(kinds) == set(KINDS)
    assert min(kinds.values()) >= 100
    for one in questions:
        assert one.kind != "ellipsis" or one.distance >= 4
    assert len({(one.kind, one.distance) for one in questions}) == 3 * 5 + 3 + 3


def test_of_what_changed_the_latest_is_right():
    for turns, questions in ALL:
        for question in questions:
            if question.kind == "changed":
                liked = [word for turn in turns[: question.turn : 2] for word in turn.split() if word in THINGS]
                assert len(set(liked)) == 2
                assert question.value == liked[-1]


def test_of_two_people_it_is_the_one_who_is_asked_for():
    for turns, questions in ALL:
        for question in questions:
            if question.kind == "two":
                known = set(turns[question.turn].split()) & {*NAMES, *UNSEEN, *PLACES, *RELATIONS}
                (fact,) = (turn for turn in turns[: question.turn : 2] if known < set(turn.split()) and turn[-1] == ".")
                assert question.value in fact.split()


def test_whoever_remembers_all_knows_every_answer():
    answers = {}
    for one in ALL:
        for i in range(1, len(one.turns), 2):
            history = tuple(one.turns[:i])
            assert answers.setdefault(history, one.turns[i]) == one.turns[i]


def test_the_answers_to_small_talk_and_to_what_is_told_need_the_last_turn_only():
    answers = {}
    for one in ALL:
        for i, (said, answer) in enumerate(exchanges(one)):
            if 2 * i not in asking(one):
                assert answers.setdefault(said, answer) == answer
                if said in SMALL_TALK:
                    assert answer == SMALL_TALK[said]
                    assert not VALUES.intersection(said.split(), answer.split())
                else:
                    assert set(answer.split()) & VALUES == set(said.split()) & VALUES or not said.startswith(REPEAT)
    assert set(SMALL_TALK) <= set(answers)


def test_who_sees_the_last_turn_only_can_but_guess():
    answers = defaultdict(Counter)
    for one in SPLITS["train"]:
        for said, answer in exchanges(one):
            answers[said][answer] += 1
    guesses = {said: counts.most_common(1)[0][0] for said, counts in answers.items()}
    asked = [(one.turns[question.turn], one.turns[question.turn + 1], question.kind)
             for one in SPLITS["test"] for question in one.questions]  # fmt: skip
    assert all(said in guesses for said, _, kind in asked if kind != "two")
    assert sum(guesses.get(said) == answer for said, answer, _ in asked) / len(asked) < 1.5 / 20


def test_training_has_every_word_of_the_test():
    words = {split: {word for one in of_one for turn in one.turns for word in turn.split()}
             for split, of_one in SPLITS.items()}  # fmt: skip
    assert words["test"] == words["train"]
    assert words["valid"] <= words["train"]
    assert not words["train"] & set(UNSEEN)


def test_unseen_names_are_in_every_dialogue_and_the_rest_is_as_before():
    exchanged = dict(zip(UNSEEN, NAMES, strict=True))
    expected = iter(SPLITS["test"])
    for one in UNKNOWN_NAMES[:200]:
        words = {word for turn in one.turns for word in turn.split()}
        assert words & set(UNSEEN)
        assert not words & set(NAMES)
        turns = [" ".join(exchanged.get(word, word) for word in turn.split()) for turn in one.turns]
        other = next(other for other in expected if set(" ".join(other.turns).split()) & set(NAMES))
        assert turns == other.turns
        assert [q._replace(value=exchanged.get(q.value, q.value)) for q in one.questions] == other.questions


def test_the_same_dialogues_come_out_again():
    assert dialogues("train", 20) == SPLITS["train"][:20]
    assert dialogues("train", 20, seed=1) != SPLITS["train"][:20]


def test_what_there_is_not():
    with pytest.raises(InputError, match="unknown split 'dev'"):
        dialogues("dev")
    with pytest.raises(InputError, match="count must be an integer of at least 1"):
        dialogues("train", 0)
    with pytest.raises(InputError, match="unknown names 'new': expected 'seen' or 'unseen'"):
        dialogues("test", names="new")
    with pytest.raises(InputError, match="expected seen names in 'valid': only 'test' has unseen ones"):
        dialogues("valid", names="unseen")
