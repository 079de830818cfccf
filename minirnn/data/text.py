"""Text: reading it, cleaning it, cutting it into tokens and putting it together again."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

from minirnn.errors import InputError

TOKENS = ("char", "word", "space")
CLEANING = ("none", "lower", "letters")

# French articles, pronouns and conjunctions that lose their vowel before another: l'enfant, qu'il, jusqu'ici.
_ELIDED = r"(?:(?:jusqu|lorsqu|puisqu|quoiqu|qu|[cdjlmnst])['’])"
# Every join inside a word begins with a character that no word character can match, so there is only one way to read
# a text and nothing to try again.
_WORD = re.compile(
    rf"""
    {_ELIDED}(?=\w)                                  # l' of l'enfant; at the beginning of a word, see below
    | (?:[^\W\d_]\.){{2,}}                           # a.m., U.S.
    | \w+ (?: [-'’]\w+ | (?<=\d)[.,:](?=\d)\w+ )*    # t-shirt, don't, 3.14, 1,000, 10:30
    | \n | \.\.+ | --+ | [^\w\s]                     # a line break, ..., --, one punctuation mark
    """,
    re.IGNORECASE | re.VERBOSE,
)
_CLOSING = {*",.;:!?)]}%’”…"}
_OPENING = {*"([{“‘„¿¡$£"}
_EITHER = {'"', "'"}


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file, plain or gzipped.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: the file cannot be opened.
        InputError: it is empty, a damaged gzip file, or not UTF-8; names the line and the byte.
    """
    data = Path(path).read_bytes()
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path}: damaged gzip file: {error}") from error
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
    text = simplify(text, how)
    if not text:
        raise InputError("nothing is left of the text when only the letters a-z are kept")
    return text


def simplify(text: str, how: str) -> str:
    """As `clean_text`, of a text of which nothing need be left.

    Raises:
        InputError: `how` is unknown.
    """
    if how not in CLEANING:
        raise InputError(f"unknown cleaning {how!r}: expected one of {', '.join(CLEANING)}")
    if how == "lower":
        return text.lower()
    if how == "letters":
        return "".join(re.sub("[^A-Za-z]+", " ", line).strip().lower() for line in text.splitlines())
    return text


def tokenize(text: str, tokens: str) -> list[str]:
    """Cut a text into tokens.

    Args:
        text: the text.
        tokens: "char": every character, which needs no segmenter for Chinese; "word": words, numbers, punctuation marks
            and line breaks, for English, French, German and their like: don't, t-shirt and 3.14 stay whole, l'enfant
            becomes l' and enfant; "space": what is between white space, for text that is tokenised already.

    Raises:
        InputError: `tokens` is none of these.
    """
    if tokens == "char":
        return list(text)
    if tokens == "word":
        # A match begins where the last one ended, and a word is matched to its end: so l' is found at the beginning of
        # a word and after another l', never in the middle as in rock'n'roll.
        return _WORD.findall(text)
    if tokens == "space":
        return text.split()
    raise InputError(f"unknown tokens {tokens!r}: expected 'char', 'word' or 'space'")


def detokenize(pieces: Sequence[str], tokens: str) -> str:
    """Put tokens together to a text: characters as they are, words with spaces where English has them, and what was
    split at white space with single spaces."""
    if tokens == "char":
        return "".join(pieces)
    if tokens == "space":
        return " ".join(pieces)
    text, joined, quotes = [], True, set[str]()
    for piece in pieces:
        closes = piece in quotes or piece in _CLOSING or piece.startswith("..") or piece == "\n"
        if not (joined or closes):
            text.append(" ")
        text.append(piece)
        joined = piece == "\n" or _opens(piece, closes)
        if piece == "\n":
            quotes.clear()
        elif closes:
            quotes.discard(piece)
        elif piece in _EITHER:
            quotes.add(piece)
        elif piece == "„":
            quotes.add("“")  # which opens in English and closes in German
    return "".join(text)


def _opens(piece: str, closes: bool) -> bool:
    """Whether the next word follows without a space."""
    return not closes and (piece in _OPENING or piece in _EITHER or re.fullmatch(_ELIDED, piece, re.I) is not None)
