r"""Where a text is cut into words, numbers and punctuation marks.

What a reader takes for one letter may be several characters: an e and an accent of its own (U+0301) beside the one
character é, the vowels of Hindi and Thai, the points of Hebrew and Arabic, a joiner or a soft hyphen inside a word.
What looks like one picture may be several too: a raised thumb and the colour of its skin, the two letters of a flag, a
family of three people and two joiners. `\w` of Python's `re` is letters, digits and `_` alone, and would tear all of
these apart. Unicode says which characters stay with the one before them (UAX 29, rule WB4) and where a picture ends
(its grapheme clusters), and the library `regex` knows both by name.

An accent in one character or in two is the same letter, so texts are read in composed form (NFC), where it is one.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

from minirnn.errors import InputError

RULES = 2
"""The version of these rules, which runs keep. What has learned its words by those of version 1 goes on with them, for
it would not know what it is asked by others: see `plain_words`."""

# French articles, pronouns and conjunctions that lose their vowel before another: l'enfant, qu'il, jusqu'ici.
_ELIDED = r"(?:(?:jusqu|lorsqu|puisqu|quoiqu|qu|[cdjlmnst])['’])"
# The rules of version 1, and of what is ASCII, where both versions cut alike and `re` is quicker.
# Every join inside a word begins with a character that no word character can match, so there is only one way to read
# a text and nothing to try again. A match begins where the last one ended, and a word is matched to its end: so l' is
# found at the beginning of a word and after another l', never in the middle as in rock'n'roll.
_PLAIN = re.compile(
    rf"""
    {_ELIDED}(?=\w)                                  # l' of l'enfant
    | (?:[^\W\d_]\.){{2,}}                           # a.m., U.S.
    | \w+ (?: [-'’]\w+ | (?<=\d)[.,:](?=\d)\w+ )*    # t-shirt, don't, 3.14, 1,000, 10:30
    | \n | \.\.+ | --+ | [^\w\s]                     # a line break, ..., --, one punctuation mark
    """,
    re.IGNORECASE | re.VERBOSE,
)
LONGEST = 64
"""Longer pieces between white space are not worth remembering: they hardly come twice."""


def compose(text: str, rules: int = RULES) -> str:
    """The text with every letter and its accents as one character, where there is one (NFC); by the rules of version 1
    as it came."""
    return text if rules == 1 or text.isascii() else unicodedata.normalize("NFC", text)


def words(text: str) -> list[str]:
    """The words, numbers, punctuation marks and line breaks of a text in composed form."""
    found: list[str] = []
    for line in text.split("\n"):
        for chunk in line.split():
            found += cut(chunk)
        found.append("\n")
    found.pop()
    return found


def plain_words(text: str) -> list[str]:
    """The same by the rules of version 1: every combining mark, joiner and part of a picture is cut off."""
    return _PLAIN.findall(text)


def check_rules(rules: object) -> int:
    """The version of the rules that something was learned by.

    Raises:
        InputError: there is no such version, or not yet.
    """
    if type(rules) is not int or not 1 <= rules <= RULES:
        raise InputError(f"expected words cut by rules of a version from 1 to {RULES}, found {rules!r}")
    return rules


def cut(chunk: str) -> tuple[str, ...]:
    """The words of what stands between white space."""
    return _remembered(chunk) if len(chunk) <= LONGEST else _cut(chunk)


def _cut(chunk: str) -> tuple[str, ...]:
    if chunk.isalnum():  # as most are
        return (chunk,)
    return tuple((_PLAIN if chunk.isascii() else _unicode()).findall(chunk))


_remembered = lru_cache(maxsize=1 << 16)(_cut)  # a language has few words, and most of them come again and again


@cache
def _unicode() -> Any:
    r"""The rules for any text without white space: as `_PLAIN`, but a letter may have others that stay with it, and for
    one punctuation mark there is a whole grapheme cluster, `\X`."""
    import regex  # here, because most texts can do without, and no command should start later for it

    letter = r"\p{L}\p{N}_\p{GCB=Prepend}"  # but for the last, signs that stand before a number, it is `\w` of `re`
    staying = r"\p{WB=Extend}\p{WB=ZWJ}\p{WB=Format}"
    return regex.compile(
        rf"""
        {_ELIDED}(?=[{letter}])
        | (?: [\p{{L}}\p{{Nl}}\p{{No}}][{staying}]*\.(?![{staying}]) ){{2,}}
        | [{letter}][{letter}{staying}]*
          (?: [-'’][{letter}][{letter}{staying}]* | (?<=\d)[.,:](?=\d)[{letter}{staying}]+ )*
        | (?: \.\.+ | --+ | \p{{RI}}{{2}} | \X ) [{staying}]*  # two for a flag: \X alone would count from the first
        """,
        regex.IGNORECASE | regex.VERBOSE,
    )


_JOINING = re.compile(_ELIDED, re.IGNORECASE)


def is_elided(word: str) -> bool:
    """Whether a word has lost its vowel before the next, and so stands against it: l', qu'."""
    return word[-1:] in ("'", "’") and _JOINING.fullmatch(word) is not None


def is_mark(token: str) -> bool:
    """Whether a token begins with a mark that belongs to a letter before it. Where a text is cut into characters, so do
    many tokens of Hindi, or of decomposed French."""
    return unicodedata.category(token[0]).startswith("M") if token else False


def standing(token: str) -> str:
    """The token as it can be shown on its own: a mark on a dotted circle in place of its letter, as Unicode has it."""
    return f"\u25cc{token}" if is_mark(token) else token
