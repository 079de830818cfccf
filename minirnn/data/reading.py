r"""From bytes to text, in one place for files and for the standard input.

A line ends with \n, \r\n or \r, as different systems write it, also mixed in one text. The other characters at which
`str.splitlines` would split (vertical tab, form feed, the information separators, U+0085, U+2028 and U+2029) stand
inside sentences that were copied from web pages and word processors. There they are white space, and are read as a
plain space: as line ends they would move every later line of an aligned file to a wrong partner, and as characters
of their own they would be tokens that nobody sees. So would byte order marks, also those that stand inside a text
where files were joined: they are left out.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

from minirnn.data.unpacking import byte_pieces
from minirnn.errors import InputError

PIECE = 2**21
"""Bytes of a file that are read at once."""

_SEPARATORS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_MARK = "\ufeff"
# In this order: the mark of UTF-32 begins with that of UTF-16.
_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32-LE",
    codecs.BOM_UTF32_BE: "UTF-32-BE",
    codecs.BOM_UTF16_LE: "UTF-16-LE",
    codecs.BOM_UTF16_BE: "UTF-16-BE",
}


def read_text(path: str | Path) -> str:
    """The text of a file, plain or gzipped; see `decode_text`.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: the file cannot be opened.
        InputError: it is empty or in another encoding (names the line and the byte), or a gzip file that is damaged or
            holds fifty times its size.
    """
    return "".join(text_pieces(path))


def text_pieces(
    path: str | Path, size: int = PIECE, step: Callable[[int], object] = lambda count: None
) -> Iterator[str]:
    """The same a piece at a time, so that a text may be longer than the memory. That something is wrong with the file
    is found where it is found: when some pieces have been given, perhaps.

    Args:
        path: the file.
        size: of a piece, in bytes.
        step: told how many bytes of the file have been read since it was told last.

    Raises: as `read_text`.
    """
    blank = True
    for piece in _decoded(byte_pieces(path, size, step), str(path)):
        blank = blank and not piece.strip()
        yield piece
    if blank:
        raise InputError(f"{path}: expected some text, found none")


def _decoded(pieces: Iterable[bytes], name: str) -> Iterator[str]:
    r"""The unified text of bytes, and at its end the error that `decode_text` has for all of them. A NUL says more of
    what is wrong than a byte before it that is no text, so what follows such a byte is searched too."""
    decoder: codecs.IncrementalDecoder | None = None
    lines, held, fault, nul = 0, "", None, False
    for data in chain(pieces, [b""]):  # nothing more: the end
        if decoder is None:
            encoding = _encoding(data)
            decoder = codecs.getincrementaldecoder(encoding)()
        try:
            text = held + decoder.decode(data, not data)
        except UnicodeDecodeError as error:
            before = held + error.object[: error.start].decode(encoding)
            fault = fault or _fault(before, f"the byte 0x{error.object[error.start]:02x}", encoding, lines)
            decoder = codecs.getincrementaldecoder(encoding)("replace")
            text = before + decoder.decode(error.object[error.start :], not data)
        if not nul and "\0" in text:
            fault, nul = _fault(text[: text.index("\0")], _NUL, encoding, lines), True
        held = "\r" if data and text.endswith("\r") else ""  # which may be half of a line end
        unified = unify(text.removesuffix(held))
        lines += unified.count("\n")
        if fault is None and unified:
            yield unified
    if fault:
        raise InputError(f"{name} line {fault.line}: {fault.what}")


def decode_text(data: bytes, name: str) -> str:
    """The text that bytes hold, as `unify` leaves it.

    Args:
        data: UTF-8; or UTF-16 or UTF-32 that begins with its byte order mark.
        name: what holds them, for the message.

    Raises:
        InputError: another encoding, or NUL bytes, which no text has; names the line and the byte.
    """
    text, fault = _decode(data, _encoding(data))
    if fault:
        raise InputError(f"{name} line {fault.line}: {fault.what}")
    return text


def unify(text: str) -> str:
    r"""The text with \n for every line end, a space for what else looks like one, and no byte order mark."""
    if text.removesuffix("\n").isprintable():  # so is nearly every single line, and holds none of these
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace(_MARK, "")
    for separator in _SEPARATORS:  # looking for each is far quicker than `str.translate`
        text = text.replace(separator, " ")
    return text


def split_lines(text: str) -> list[str]:
    """The lines of a unified text, of which the last need not be ended."""
    return text.removesuffix("\n").split("\n") if text else []


def stream_lines(stream: BinaryIO, name: str, note: Callable[[str], None]) -> Iterator[str]:
    """The lines of a stream as they come, so that each can be answered before the next is there.

    A file with a byte that is no text is refused, but a stream goes on: what has been answered cannot be taken back.
    Such bytes are read as U+FFFD, and the first of them is noted.

    Args:
        stream: UTF-8; or UTF-16 or UTF-32 that begins with its byte order mark, of which all must be there before
            the first line is found.
        name: what the stream is called.
        note: takes the sentence about the first such byte.

    Raises:
        InputError: it is UTF-16 or UTF-32 and damaged or without its mark.
    """
    first = stream.readline()
    encoding = _encoding(first)
    if encoding != "UTF-8" or _alternates(first):
        yield from split_lines(decode_text(first + stream.read(), name))
        return
    number, noted = 0, False
    for data in chain([first], stream):
        text, fault = _decode(data, encoding)
        if fault and not noted:
            note(f"{name} line {number + fault.line}: {fault.what}: read as U+FFFD, here and further on")
            noted = True
        found = split_lines(text)
        number += len(found)
        yield from found


class _Fault(NamedTuple):
    """The line of the first byte that is no text, and a sentence about it."""

    line: int
    what: str


def _encoding(data: bytes) -> str:
    """What the byte order mark says that the data begin with; without any UTF-8."""
    return next((encoding for mark, encoding in _ENCODINGS.items() if data.startswith(mark)), "UTF-8")


def _decode(data: bytes, encoding: str) -> tuple[str, _Fault | None]:
    """The unified text, U+FFFD in it for what is none, and what that is."""
    fault = None
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        text = data.decode(encoding, "replace")
        fault = _fault(data[: error.start].decode(encoding), f"the byte 0x{data[error.start]:02x}", encoding)
    if "\0" in text:
        fault = _fault(text[: text.index("\0")], _NUL, encoding)
        text = text.replace("\0", "\ufffd")
    return unify(text), fault


_NUL = "a NUL byte (UTF-16, perhaps: convert it to UTF-8)"
"""No text has one, and UTF-16 without its mark is full of them."""


def _fault(before: str, found: str, encoding: str, lines: int = 0) -> _Fault:
    """What was found after some text, and after so many lines before that."""
    return _Fault(lines + unify(before).count("\n") + 1, f"expected {encoding} text, found {found}")


def _alternates(data: bytes) -> bool:
    """Whether NUL is most often one byte of every two and never the other, as in UTF-16 of Latin letters."""
    fewer, more = sorted(data[k::2].count(0) for k in range(2))
    return fewer == 0 and 4 * more > len(data)
