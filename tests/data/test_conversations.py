"""Conversations of one's own: two ways to write them, and every way to get it wrong."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import outcome, refusal

from minirnn import InputError
from minirnn.data import conversations as module
from minirnn.data.conversations import read_conversations, split

TALK = [["Hello!", "How are you?", "Fine."], ["Où ça ?", "Là-bas."], ["Hello!", "How are you?", "Fine."]]
AS_JSON = "\n".join(json.dumps(one) for one in TALK).encode()
AS_TEXT = "\n\n".join("\n".join(one) for one in TALK).encode()


@pytest.mark.parametrize(("data", "name"), [(AS_JSON, "a.jsonl"), (AS_JSON, "a.JSONL"), (AS_JSON, "a.txt"),
                                            (AS_TEXT, "a.txt"), (AS_TEXT, "jsonl")])  # fmt: skip
def test_json_lines_and_plain_text_packed_or_not(data, name, written):
    assert read_conversations(written(data, name)) == TALK
    assert read_conversations(written(data + b"\n", name)) == TALK
    assert read_conversations(written(data.replace(b"\n", b"\r\n"), name)) == TALK
    assert read_conversations(written(gzip.compress(data), f"{name}.gz")) == TALK
    assert read_conversations(written(gzip.compress(data), name)) == TALK
    assert read_conversations(str(written(data.decode().encode("utf-16"), name))) == TALK


def test_blank_lines_separate_or_are_skipped(written):
    assert read_conversations(written(b' \n\n a\n b c \n\t\n\n[c\n"d\n\n', "a.txt")) == [["a", "b c"], ["[c", '"d']]
    assert read_conversations(written(b'\n \n["a", "b"]\n\n[ "c" , "d"]\n', "a")) == [["a", "b"], ["c", "d"]]


def test_a_turn_is_one_line(written):
    turns = [" a\nb\r\nc\u2028d\ufeff ", "\te"]
    assert read_conversations(written(json.dumps(turns).encode(), "a.jsonl")) == [["a b c d", "e"]]
    assert read_conversations(written(json.dumps(turns, ensure_ascii=False).encode(), "a.jsonl")) == [["a b c d", "e"]]


def test_the_first_so_many(written):
    for data, name in ((AS_JSON, "a.jsonl"), (AS_TEXT, "a.txt")):
        assert read_conversations(written(data, name), 2) == TALK[:2]
        assert read_conversations(written(data + b"\n\n[1]\n", name), 3) == TALK  # what follows is not looked at
        assert read_conversations(written(data, name), 10) == TALK
    with pytest.raises(InputError, match="most must be an integer of at least 1, not 0"):
        read_conversations(written(AS_TEXT), 0)


def test_a_name_that_says_json_is_believed(written):
    for name in ("a.jsonl", "a.JsonL", "a.jsonl.gz", "a.JSONL.GZ"):
        assert "line 2: expected a JSON list" in refusal(read_conversations, written(b"\na\nb\n", name))
    assert read_conversations(written(b"\na\nb\n", "a.json")) == [["a", "b"]]


GOOD = '["a", "b"]\n\n'


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"turns": ["a", "b"]}', r"""expected a JSON list of strings, found '{"turns": ["a", "b"]}'"""),
        ('"a"', """expected a JSON list of strings, found '"a"'"""),
        ("7", "expected a JSON list of strings, found '7'"),
        ('["a", "b"', "expected a JSON list: Expecting ',' delimiter at character 10"),
        ('["a", "b"] ["c", "d"]', "expected a JSON list: Extra data at character 12"),
        ("a", "expected a JSON list: Expecting value at character 1"),
        ('["a\tb", "c"]', "expected a JSON list: Invalid control character at at character 4"),
        ('["a", 1]', "turn 2: expected a string, found int"),
        ('[null, "a"]', "turn 1: expected a string, found NoneType"),
        ('["a", ["b"]]', "turn 2: expected a string, found list"),
        ('["a", {"text": "b"}]', "turn 2: expected a string, found dict"),
        ('["a", NaN]', "turn 2: expected a string, found float"),
        ('["a", ""]', "turn 2: expected 1 to 100,000 characters, found 0"),
        ('["a", " \\n\\u2028\\ufeff"]', "turn 2: expected 1 to 100,000 characters, found 0"),
        (json.dumps(["a", "b" * 100_001]), "turn 2: expected 1 to 100,000 characters, found 100,001"),
        ('["a", "\\u0000b"]', r"turn 2: expected text, found the character '\x00'"),
        ('["a", "\\ud800"]', r"turn 2: expected text, found the character '\ud800'"),
        ("[]", "expected a conversation of 2 to 10,000 turns, found 0"),
        ('["a"]', "expected a conversation of 2 to 10,000 turns, found 1"),
        (json.dumps(["a"] * 10_001), "expected a conversation of 2 to 10,000 turns, found 10,001"),
        (f'["a", "{"b" * 2**20}"]', "expected at most 1,048,576 characters, found 1,048,585"),
        ("[" * 100_000, f"expected a JSON list of strings, found '{'[' * 58}…"),
        ('["a", ' + "[" * 500_000 + "]" * 500_000 + "]", """expected a JSON list of strings, found '["a", [["""),
        ('[{"a":' * 100_000, """expected a JSON list of strings, found '[{"a":[{"""),
        ("[1" + "0" * 5000 + "]", "expected a JSON list of strings, found '[1000"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(line, what, written):
    path = written(f'{GOOD}{line}\n["c", "d"]\n'.encode(), "a.jsonl")
    message = refusal(read_conversations, path)
    assert message.startswith(f"{path} line 3")
    assert what in message
    assert len(message) < len(str(path)) + 150


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a\nb\n\n\nc\n\nd\ne\n", 5, "expected a conversation of 2 to 10,000 turns, found 1"),
        ("a", 1, "expected a conversation of 2 to 10,000 turns, found 1"),
        ("a\nb\n\nc", 4, "expected a conversation of 2 to 10,000 turns, found 1"),
        ("\n" + "a\n" * 10_001, 2, "expected a conversation of 2 to 10,000 turns, found 10,001"),
        ("a\n" + "b" * 100_001, 2, "expected 1 to 100,000 characters, found 100,001"),
    ],
)
def test_a_wrong_paragraph_is_named(text, line, what, written):
    path = written(text.encode(), "a.txt")
    assert refusal(read_conversations, path) == f"{path} line {line}: {what}"


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt"])
def test_what_is_no_text_is_refused(name, written):
    assert "line 2: expected UTF-8 text, found the byte 0xff" in refusal(
        read_conversations, written(b'["a", "b"]\n["c", "\xff"]\n', name)
    )
    assert "line 1: expected UTF-8 text, found a NUL byte" in refusal(read_conversations, written(b'["a", "\0"]', name))
    assert "found none" in refusal(read_conversations, written(b"", name))
    assert "found none" in refusal(read_conversations, written(b" \n\n", name))
    packed = gzip.compress(AS_TEXT)
    assert "damaged gzip file" in refusal(read_conversations, written(packed[:-9], name))
    bomb = gzip.compress(b"a\n" * 2**23 + b"a")
    assert "unpack it first" in refusal(read_conversations, written(bomb, name))


def test_limits_can_be_reached(written):
    longest = [["a"] * module.MOST_TURNS, ["b" * module.MOST_LETTERS, "c"]]
    assert read_conversations(written("\n".join(map(json.dumps, longest)).encode(), "a.jsonl")) == longest
    assert read_conversations(written("\n\n".join(map("\n".join, longest)).encode(), "a.txt")) == longest


@given(st.lists(st.lists(st.text().filter(str.strip), min_size=2), min_size=1))
def test_json_holds_any_text_but_what_is_none(tmp_path_factory, talk):
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text("\n".join(map(json.dumps, talk)), encoding="utf-8")
    found = outcome(read_conversations, path)
    if found is None:
        assert any(not turn.strip("\ufeff \n\r\t\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029") or "\0" in turn
                   for one in talk for turn in one)  # fmt: skip
    else:
        assert [len(one) for one in found] == [len(one) for one in talk]
        for turn in (turn for one in found for turn in one):
            assert turn == turn.strip() != ""
            assert len(turn.splitlines()) == 1


@given(st.binary(max_size=40), st.integers(0, len(AS_JSON)), st.booleans())
def test_any_damage_is_one_line(tmp_path_factory, noise, at, is_json):
    data = AS_JSON if is_json else AS_TEXT
    path = tmp_path_factory.getbasetemp() / ("damaged.jsonl" if is_json else "damaged.txt")
    path.write_bytes(data[:at] + noise + data[at + len(noise) :])
    found = outcome(read_conversations, path)
    assert found is None or all(len(one) >= 2 and all(one) for one in found)


def test_every_tenth_is_to_test_with():
    train, valid, test = split(100)
    assert test.tolist() == list(range(9, 100, 10))
    assert len(valid) == 9
    np.testing.assert_array_equal(np.sort(np.concatenate([train, valid, test])), np.arange(100))
    assert [len(part) for part in split(3)] == [1, 1, 1]
    with pytest.raises(InputError, match="the number of conversations must be an integer of at least 3, not 2"):
        split(2)


def test_real_conversations(data_folder):
    path = data_folder / "chitchat.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no real conversations: {path} is absent")
    found = read_conversations(path)
    assert len(found) == 3242
    assert sum(map(len, found)) == 133_795
    assert read_conversations(path, 5) == found[:5]
