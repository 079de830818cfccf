"""Texts with a label each: brackets that close or do not, names in several languages, and files of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from minirnn.data.reading import read_text, split_lines
from minirnn.errors import InputError, install


class Labelled(NamedTuple):
    """A text and what it is."""

    text: str
    label: str


PAIRS = {"(": ")", "[": "]", "{": "}"}


def is_balanced(text: str) -> bool:
    """Whether every bracket of a text is closed by its own kind, in the right order; other characters do not matter."""
    waiting: list[str] = []
    for character in text:
        if character in PAIRS:
            waiting.append(PAIRS[character])
        elif character in PAIRS.values() and (not waiting or waiting.pop() != character):
            return False
    return not waiting


def brackets(count: int, seed: int = 0, longest: int = 30) -> list[Labelled]:
    """Strings of brackets, no two alike, half of them balanced; the others are balanced ones with one bracket turned
    into another, so that only reading on to the end, with all that is open in mind, tells them apart."""
    rng, found = np.random.default_rng(seed), dict[str, str]()
    while len(found) < count:
        text = _balanced(rng, 2 * int(rng.integers(2, longest // 2 + 1)))
        if len(found) % 2:
            at = int(rng.integers(len(text)))
            text = text[:at] + rng.choice([c for c in "()[]{}" if c != text[at]]) + text[at + 1 :]
        found.setdefault(text, "balanced" if is_balanced(text) else "broken")
    return [Labelled(text, label) for text, label in found.items()]


def _balanced(rng: np.random.Generator, length: int) -> str:
    text, waiting = "", list[str]()
    while len(text) + len(waiting) < length:
        if waiting and rng.random() < 0.45:
            text += waiting.pop()
        else:
            opening = str(rng.choice(list(PAIRS)))
            text, waiting = text + opening, [*waiting, PAIRS[opening]]
    return text + "".join(reversed(waiting))


LANGUAGES = ("de", "en", "es", "fi", "fr", "hu", "it", "nl", "pl", "pt", "sv", "tr")


def names(seed: int = 0) -> tuple[list[Labelled], list[Labelled], list[Labelled]]:
    """What languages, countries and currencies are called in twelve languages (Unicode CLDR, by way of Babel):
    training, validation and test, split by the thing that is named, so that no split has another's name in a related
    language. A name that two languages share belongs to neither and is left out.

    Raises:
        InputError: Babel is not installed.
    """
    try:
        from babel import Locale
    except ImportError as error:
        raise InputError(f"the names need babel: {install('data')}") from error
    by_thing: dict[tuple[str, str], list[Labelled]] = {}
    owners: dict[str, set[str]] = {}
    for language in LANGUAGES:
        locale = Locale.parse(language)
        for kind in ("languages", "territories", "currencies"):
            for code, name in getattr(locale, kind).items():
                owners.setdefault(name.lower(), set()).add(language)
                by_thing.setdefault((kind, code), []).append(Labelled(name, language))
    things = sorted(by_thing)
    order = np.random.default_rng(seed).permutation(len(things))
    tenth = len(things) // 10
    parts = order[2 * tenth :], order[:tenth], order[tenth : 2 * tenth]
    train, valid, test = (
        list(dict.fromkeys(one for i in part for one in by_thing[things[i]] if len(owners[one.text.lower()]) == 1))
        for part in parts
    )
    seen = {one.text for one in train}
    return train, [one for one in valid if one.text not in seen], [one for one in test if one.text not in seen]


def read_labelled(path: str | Path) -> list[Labelled]:
    """A file with a label, a tab and a text in every line; blank lines are skipped.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: the file cannot be opened.
        InputError: a line is not like that; names it.
    """
    found = []
    for i, line in enumerate(split_lines(read_text(path)), 1):
        if not line.strip():
            continue
        label, tab, text = line.partition("\t")
        if not tab or not label.strip() or not text.strip():
            raise InputError(f"{path} line {i}: expected a label, a tab and a text, found {line[:40]!r}")
        found.append(Labelled(text.strip(), label.strip()))
    return found
