"""From bytes to text: line ends, encodings, and what is no text, in files and in streams."""

import codecs
import gzip
import io
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirnn import InputError
from minirnn.data import read_aligned, read_pairs, read_text
from minirnn.data.labelled import read_labelled
from minirnn.data.parallel import plain_spaces
from minirnn.data.reading import decode_text, split_lines, stream_lines, unify
from minirnn.data.series import read_series

SEPARATORS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def streamed(data):
    """The lines of a stream, and what was noted of it."""
    notes = []
    return list(stream_lines(io.BytesIO(data), "input", notes.append)), notes


@pytest.mark.parametrize("ends", ["\n\n\n", "\r\r\r", ["\r\n"] * 3, ["\r", "\n", "\r\n"], ["\r\n", "\r", "\n"]])
@pytest.mark.parametrize("last", [True, False])
def test_every_reader_knows_every_line_end(ends, last, tmp_path):
    def written(name, *lines):
        text = "".join(line + end for line, end in zip(lines, ends, strict=True))
        file = tmp_path / name
        file.write_bytes((text if last else text.rstrip("\r\n")).encode())
        return file

    assert read_text(written("text", "a", "b", "c")) == ("a\nb\nc\n" if last else "a\nb\nc")
    assert read_pairs(written("pairs", "a\tx", "b\ty", "c\tz")) == [("a", "x"), ("b", "y"), ("c", "z")]
    aligned = read_aligned(written("source", "a", "b", "c"), written("target", "x", "y", "z"))
    assert aligned == [("a", "x"), ("b", "y"), ("c", "z")]
    assert read_labelled(written("labelled", "1\ta", "2\tb", "3\tc")) == [("a", "1"), ("b", "2"), ("c", "3")]
    assert read_series(written("series", "1", "2.5", "-3")).tolist() == [1, 2.5, -3]
    assert streamed(written("stream", "a", "b", "c").read_bytes()) == (["a", "b", "c"], [])


def test_a_line_end_before_a_line_end_is_a_line():
    for text in ("a\n\nb", "a\r\rb", "a\r\n\r\nb", "a\n\rb"):
        assert split_lines(unify(text)) == streamed(text.encode())[0] == ["a", "", "b"]


@pytest.mark.parametrize("separator", SEPARATORS)
def test_what_else_looks_like_a_line_end_is_white_space_in_every_reader(separator, tmp_path):
    file = tmp_path / "text"
    file.write_bytes(f"a{separator}b\tc\n".encode())
    assert separator.isspace()
    assert read_text(file) == "a b\tc\n"
    assert read_pairs(file) == [("a b", "c")]
    assert read_aligned(file, file) == [("a b\tc", "a b\tc")]
    assert read_labelled(file) == [("c", "a b")]
    assert streamed(file.read_bytes()) == (["a b\tc"], [])
    file.write_bytes(f"1{separator}2\n".encode())
    with pytest.raises(InputError, match="line 1: expected a number, found '1 2'"):
        read_series(file)


def test_after_reading_all_notions_of_a_line_are_one():
    every = "".join(map(chr, itertools.chain(range(0xD800), range(0xE000, 0x11000))))
    assert unify(every).splitlines() == unify(every).split("\n")
    assert len(unify(every)) == len(every) - 1, "the byte order mark alone is left out"


MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


@pytest.mark.parametrize("encoding", MARKS)
@pytest.mark.parametrize("text", ["é 猫\r\n😀 b\rċ\n", "\n", "a", "\u0a0a\u0d0d\n\u0a0a"])
def test_a_byte_order_mark_says_how_to_read(encoding, text, tmp_path):
    data = MARKS[encoding] + text.encode(encoding)
    lines = {"a": ["a"], "\n": [""]}.get(text, text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n"))
    assert split_lines(decode_text(data, "data")) == lines
    assert streamed(data) == (lines, [])
    for name, content in (("plain", data), ("zipped", gzip.compress(data))):
        (tmp_path / name).write_bytes(content)
        if text.strip():
            assert split_lines(read_text(tmp_path / name)) == lines
    assert decode_text(MARKS[encoding], "nothing") == ""
    assert streamed(MARKS[encoding]) == ([], [])


def test_marks_inside_a_text_are_left_out():
    joined = "\ufeffone\n".encode() * 2
    assert decode_text(joined, "joined") == "one\none\n"
    assert streamed(joined) == (["one", "one"], [])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a\xff", "line 1: expected UTF-8 text, found the byte 0xff"),
        (b"a\nb\nc\xe9", "line 3: expected UTF-8 text, found the byte 0xe9"),
        (b"a\rb\rc\xe9d", "line 3: expected UTF-8 text, found the byte 0xe9"),
        (b"a\r\nb\r\nc\xe9\n", "line 3: expected UTF-8 text, found the byte 0xe9"),
        ("é\u2028".encode() + b"\r\n\x80", "line 2: expected UTF-8 text, found the byte 0x80"),
        (b"\xed\xa0\x80", "line 1: expected UTF-8 text, found the byte 0xed"),
        (b"a\rb\0c", r"line 2: expected UTF-8 text, found a NUL byte \(UTF-16, perhaps: convert it to UTF-8\)"),
        ("a\nb".encode("utf-16-le"), "line 1: expected UTF-8 text, found a NUL byte"),
        ("é\nb".encode("utf-16-be"), "line 1: expected UTF-8 text, found a NUL byte"),
        ("é\nb".encode("utf-16-le"), "line 1: expected UTF-8 text, found a NUL byte"),
        (codecs.BOM_UTF16_LE + "a\nb".encode("utf-16-le")[:-1], "line 2: expected UTF-16-LE text, found the byte 0x62"),
        (codecs.BOM_UTF16_BE + b"\0a\0\r\xd8\0\0b", "line 2: expected UTF-16-BE text, found the byte 0xd8"),
        (codecs.BOM_UTF16_LE + b"a\0\n\0\0\0", "line 2: expected UTF-16-LE text, found a NUL byte"),
    ],
)
def test_what_is_no_text_is_refused_with_line_and_byte(data, message, tmp_path):
    with pytest.raises(InputError, match=f"^name {message}"):
        decode_text(data, "name")
    for name, content in (("plain", data), ("zipped", gzip.compress(data))):
        (tmp_path / name).write_bytes(content)
        for read in (read_text, read_pairs, read_labelled, read_series):
            with pytest.raises(InputError, match=f"{name} {message}") as error:
                read(tmp_path / name)
            assert "\n" not in str(error.value)


@given(
    st.lists(st.text(st.sampled_from("aé猫😀\u2028\ufeff \t"), max_size=3), max_size=5),
    st.sampled_from(["\n", "\r", "\r\n"]),
    st.booleans(),
)
def test_a_stream_has_the_lines_of_a_file(lines, end, ended):
    text = end.join(lines) + end * ended
    assert streamed(text.encode()) == (split_lines(decode_text(text.encode(), "text")), [])


def test_a_stream_gives_each_line_before_it_asks_for_the_next():
    class Asked(io.BytesIO):
        count = 0

        def readline(self, *size):
            self.count += 1
            return super().readline(*size)

        def __next__(self):
            self.count += 1
            return super().__next__()

    stream = Asked(b"one\r\ntwo\nthree")
    lines = stream_lines(stream, "input", pytest.fail)
    for number, line in enumerate(("one", "two", "three"), 1):
        assert next(lines) == line
        assert stream.count == number


@pytest.mark.parametrize(
    ("data", "lines", "note"),
    [
        (b"a\nb\rc\xff\r\n\xfe", ["a", "b", "c\ufffd", "\ufffd"], "line 3: expected UTF-8 text, found the byte 0xff"),
        (b"a\n\n\0\nb", ["a", "", "\ufffd", "b"], "line 3: expected UTF-8 text, found a NUL byte"),
        (b"a\rb\r\n\xff", ["a", "b", "\ufffd"], "line 3: expected UTF-8 text, found the byte 0xff"),
        (b"\xff", ["\ufffd"], "line 1: expected UTF-8 text, found the byte 0xff"),
        (b"a\0b\n\0", ["a\ufffdb", "\ufffd"], "line 1: expected UTF-8 text, found a NUL byte"),
        (b"\0\0\n", ["\ufffd\ufffd"], "line 1: expected UTF-8 text, found a NUL byte"),
    ],
)  # fmt: skip
def test_a_stream_goes_on_over_what_is_no_text_and_says_so_once(data, lines, note):
    found, (said,) = streamed(data)
    assert found == lines
    assert said.startswith(f"input {note}")
    assert said.endswith("read as U+FFFD, here and further on")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["ab\nc", "one line only", "é b\r\nc\r\n"])
def test_a_stream_of_utf_16_without_its_mark_is_refused(encoding, text):
    with pytest.raises(InputError, match=r"^input line 1: expected UTF-8 text, found a NUL byte"):
        streamed(text.encode(encoding))


def test_a_stream_that_is_damaged_utf_16_is_refused():
    with pytest.raises(InputError, match=r"^input line 2: expected UTF-16-LE text, found the byte 0x62"):
        streamed(codecs.BOM_UTF16_LE + "a\nb".encode("utf-16-le")[:-1])


def test_spaces_that_are_no_letters_become_plain():
    assert plain_spaces("a\u00a0b\u202f!\u2009? \u3000") == "a b ! ? \u3000"
    assert np.unique(list(plain_spaces("\u00a0\u2009\u202f"))).tolist() == [" "]


def test_empty_files_are_refused(tmp_path):
    for data in (b"", b"\n \r", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, "\u2028\x85".encode(), gzip.compress(b"")):
        (tmp_path / "empty").write_bytes(data)
        with pytest.raises(InputError, match="empty: expected some text, found none"):
            read_text(tmp_path / "empty")
