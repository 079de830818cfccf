"""Text: cleaning it, cutting it into tokens and putting it together again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

from minirnn.data.spacing import Spacing
from minirnn.data.words import RULES, compose, plain_words, words
from minirnn.errors import InputError

TOKENS = ("char", "word", "space")
CLEANING = ("none", "lower", "letters")


_NOTHING = "nothing is left of the text when only the letters a-z are kept"


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
        raise InputError(_NOTHING)
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


def simplified(text: str, clean: str, rules: int = RULES) -> str:
    """As `clean_text`, by the rules of a run. Where the letters a-z alone are kept, an accent of its own goes with its
    letter, as it does where both are one character."""
    return clean_text(compose(text, rules) if clean == "letters" else text, clean)


def simplified_pieces(pieces: Iterable[str], clean: str, rules: int = RULES) -> Iterator[str]:
    """The same of a text that comes in pieces, as `minirnn.data.reading` leaves it; they may be cut elsewhere then."""
    simplify("", clean)  # which refuses what it does not know
    if clean == "lower":
        pieces = (piece.lower() for piece in _cut_anew(pieces, _stands_apart, after=1))
    elif clean == "letters":
        pieces = _letters(compose(piece, rules) for piece in _cut_anew(pieces, str.isascii, after=0))
    found = False
    for piece in pieces:
        found = found or bool(piece)
        yield piece
    if not found:
        raise InputError(_NOTHING)


def _cut_anew(pieces: Iterable[str], apart: Callable[[str], bool], after: int) -> Iterator[str]:
    """The pieces, cut only before (`after` is 0) or after (1) a character that is `apart`."""
    rest = ""
    for piece in pieces:
        at = next((i for i in range(len(piece) - 1, -1, -1) if apart(piece[i])), None)
        if at is None:
            rest += piece
        else:
            yield rest + piece[: at + after]
            rest = piece[at + after :]
    yield rest


@lru_cache(maxsize=1 << 12)
def _stands_apart(character: str) -> bool:
    """Whether the letters on one side do not see those on the other. A capital sigma looks past points and accents: it
    becomes another letter at the end of a word."""
    return f"A{character}Σ".lower().endswith("σ")


def _letters(pieces: Iterable[str]) -> Iterator[str]:
    """The letters a-z alone, of composed pieces of a text: see `clean_text`."""
    begun = gap = False  # whether the line has letters so far, and something else after them
    for piece in pieces:
        found = []
        for i, part in enumerate(piece.split("\n")):
            begun, gap = (begun, gap) if i == 0 else (False, False)
            spaced = re.sub("[^A-Za-z]+", " ", part).lower()
            if letters := spaced.strip():
                found += [" ", letters] if begun and (gap or spaced[0] == " ") else [letters]
                begun, gap = True, spaced[-1] == " "
            elif spaced:
                gap = True
        yield "".join(found)


def tokenize(text: str, tokens: str, rules: int = RULES) -> list[str]:
    """Cut a text into tokens.

    Args:
        text: the text.
        tokens: "char": every character, as it is, which needs no segmenter for Chinese; "word": words, numbers,
            punctuation marks and line breaks, for English, French, German and their like: don't, t-shirt and 3.14 stay
            whole, l'enfant becomes l' and enfant; "space": what is between white space, for text that is tokenised
            already. Words are in composed form, so that é is one whether it came as one character or as two.
        rules: the version of the rules, for runs that learned their vocabulary by those of version 1, which neither
            composed a text nor left combining marks, joiners and the parts of an emoji where they belong.

    Raises:
        InputError: `tokens` is none of these.
    """
    if tokens == "char":
        return list(text)
    if tokens == "word":
        return words(compose(text)) if rules > 1 else plain_words(text)
    if tokens == "space":
        return compose(text, rules).split()
    raise InputError(f"unknown tokens {tokens!r}: expected 'char', 'word' or 'space'")


_ENGLISH = Spacing()


def detokenize(pieces: Sequence[str], tokens: str) -> str:
    """Put tokens together to a text: characters as they are, words with spaces where English has them, and what was
    split at white space with single spaces. `Codec.decode` knows the spaces of the language that it has learned."""
    if tokens == "char":
        return "".join(pieces)
    return " ".join(pieces) if tokens == "space" else _ENGLISH.join(pieces)
