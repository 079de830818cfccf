"""Text: reading it, cleaning it, cutting it into tokens and putting it together again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from minirnn.errors import InputError

TOKENS = ("char", "word")
CLEANING = ("none", "lower", "letters")


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: the file cannot be opened.
        InputError: it is empty, or not UTF-8; names the line and the byte.
    """
    data = Path(path).read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path} line {line}: expected UTF-8 text, found the byte 0x{data[error.start]:02x}"
        ) from error
    if not text.strip():
        raise InputError(f"{path}: expected some text, found none")
    return text.replace("\r\n", "\n")


def built_in_text() -> str:
    """Real English that comes with Python itself: the reference text behind `help()`, about half a million characters.
    It differs a little between Python versions."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))


def clean_text(text: str, how: str) -> str:
    """Simplify a text.

    Args:
        text: the text.
        how: "none" leaves it alone; "lower" makes it lower-case; "letters" keeps, as d2l does for its Time Machine,
            only the letters a-z in lower case, single spaces, and no line breaks: lines are joined without a space.

    Raises:
        InputError: `how` is none of these, or nothing is left.
    """
    if how not in CLEANING:
        raise InputError(f"unknown cleaning {how!r}: expected one of {', '.join(CLEANING)}")
    if how == "lower":
        text = text.lower()
    elif how == "letters":
        text = "".join(re.sub("[^A-Za-z]+", " ", line).strip().lower() for line in text.splitlines())
    if not text:
        raise InputError("nothing is left of the text when only the letters a-z are kept")
    return text


def tokenize(text: str, tokens: str) -> list[str]:
    """Cut a text into tokens.

    Args:
        text: the text.
        tokens: "char": every character, which needs no segmenter for Chinese; "word": words, punctuation marks and line
            breaks.

    Raises:
        InputError: `tokens` is neither.
    """
    if tokens == "char":
        return list(text)
    if tokens == "word":
        return re.findall(r"\w+(?:['’]\w+)*|\n|[^\w\s]", text)
    raise InputError(f"unknown tokens {tokens!r}: expected 'char' or 'word'")


def detokenize(pieces: Sequence[str], tokens: str) -> str:
    """Put tokens together to a text: characters as they are, words with spaces where English has them."""
    if tokens == "char":
        return "".join(pieces)
    text = re.sub(r" ([,.;:!?)\]}%’”])", r"\1", " ".join(pieces))
    return re.sub(r"([(\[{“]) ", r"\1", re.sub(r" ?\n ?", "\n", text))
