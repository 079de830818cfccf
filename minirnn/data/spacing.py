"""Spaces between words: where a language puts them, and what to say of a text that puts them elsewhere.

Words are what a model learns, and the spaces between them are lost when a text is cut. Most can be found again by
rules: a comma stands against the word before it, in French an exclamation mark does not. But no rule knows all texts:
"http://", "tatoeba.org", "15$" beside "15 $". Three things could be done:

- keep the space in the token, "▁word" or "word￭": exact, but then every mark, and many a word, is two tokens, and
  the model learns of each half as often;
- keep the rules alone, which is wrong for some sentence in two hundred;
- learn the rules from the texts themselves, so that they hold nearly always, and where they do not, say so in a token
  of its own: `<join>`, there is no space here, or `<space>`, there is one.

The last is done here. An ordinary text has no such token, the words stay as they are, and yet no text is lost: what is
joined is, but for white space, always what was cut. BLEU compares words without these tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from minirnn.data.words import LONGEST, cut, is_elided
from minirnn.errors import InputError

JOIN, SPACE = "<join>", "<space>"
"""No space here; a space here. No text can speak them: its < is a mark of its own."""

ENOUGH, MOST = 30_000, 1 << 16
"""How many texts are learned from at most, and how many different pieces of text are remembered: words come again and
again."""


class Sides(NamedTuple):
    """Whether a token wants a space before it, and after it; there is one if both of its neighbours want it."""

    before: bool
    after: bool


_OPENS, _CLOSES, _STANDS = Sides(True, False), Sides(False, True), Sides(True, True)
_QUOTES = {'"', "'"}
"""They open and close by turns."""
_TURNING = {*_QUOTES, *"„“"}
"""What stands otherwise when it has been opened, or opens it."""
_USUAL = {**dict.fromkeys(",.;:!?)]}%’”…", _CLOSES), **dict.fromkeys("([{“‘„¿¡$£\"'", _OPENS)}

_Chunk = tuple[Sequence[str], bool | None, bool | None]
"""What stands between white space: its tokens, and whether the first wants a space before it and the last one after it.
That is the same wherever it stands, and with what is to be said inside it, unless it holds quotes: then it is None."""


class Spacing:
    """The spaces of a language.

    Args:
        learned: punctuation marks that stand otherwise than in English, each as it stands among words: `" ! "` for a
            mark with spaces on both sides, `" ("` before, `", "` after it, `"-"` without any.

    Raises:
        InputError: an entry is not like that.
    """

    def __init__(self, learned: Mapping[str, str] | None = None):
        self.learned = dict(learned or {})
        self._sides, self._known = dict(_USUAL), dict[str, _Chunk]()
        for mark, written in self.learned.items():
            sides = Sides(written.startswith(" "), written.endswith(" "))
            if written != _written(mark, sides) or mark.split() != [mark] or _is_word(mark) or mark in _QUOTES:
                raise InputError(f"the mark {mark!r} cannot stand as {written!r}")
            self._sides[mark] = sides

    @classmethod
    def learn(cls, texts: Sequence[str]) -> Spacing:
        """For every punctuation mark how it stands most often in the texts, on each side; at their ends nothing is
        seen, beside another mark nothing is learned, for either of the two may be the reason, and what is seen once
        is no rule. Of many texts some are enough."""
        usual, seen = cls(), Counter[tuple[str, bool, bool]]()  # mark, whether the side is the one after, a space there
        for chunk, places in _chunks(texts[:: len(texts) // ENOUGH + 1]).items():
            tokens = cut(chunk)
            for i, mark in enumerate(tokens):
                if _is_word(mark) or mark in _QUOTES:
                    continue
                for after, edge in ((False, i == 0), (True, i == len(tokens) - 1)):
                    if edge:
                        seen[mark, after, True] += places[after]
                    elif _is_word(tokens[i + 1 if after else i - 1]):
                        seen[mark, after, False] += places[2]
        learned = {}
        for mark in sorted({mark for mark, *_ in seen}):
            more = [seen[mark, after, True] - seen[mark, after, False] for after in (False, True)]
            sides = Sides(*(n > 0 if abs(n) > 1 else side for n, side in zip(more, usual.sides(mark), strict=True)))
            if sides != usual.sides(mark):
                learned[mark] = _written(mark, sides)
        return cls(learned)

    def sides(self, token: str) -> Sides:
        """Where a token wants spaces, apart from quotes that are open."""
        if known := self._sides.get(token):
            return known
        if token.startswith(".."):
            return _CLOSES
        return _OPENS if is_elided(token) else _STANDS

    def cut(self, text: str) -> list[str]:
        """The words and marks of a text in composed form, `<join>` or `<space>` where the rules say otherwise."""
        found, known = list[str](), self._known
        for line in text.split("\n"):
            room, opened = None, set[str]()
            for chunk in line.split():
                tokens, before, after = known.get(chunk) or self._chunk(chunk)
                if before is None:
                    tokens, after = self._tell(tokens, room, opened)
                elif not (room and before) and room is not None:
                    found.append(SPACE)
                found += tokens
                room = after
            found.append("\n")
        found.pop()
        return found

    def count(self, texts: Sequence[str]) -> Counter[str]:
        """How often each token comes in all that `cut` gives of the texts. Where no space depends on a neighbour it is
        enough to know how often each chunk comes."""
        chunks = Counter("\n".join(texts).split())
        uneven = {chunk for chunk in chunks if self._chunk(chunk)[1:] != (True, True)}
        singly = [text for text in texts if "\n" in text or not uneven.isdisjoint(text.split())]
        chunks -= Counter("\n".join(singly).split())
        counts = Counter(chain.from_iterable(map(self.cut, singly)))
        for chunk, n in chunks.items():
            for token in self._chunk(chunk)[0]:
                counts[token] += n
        return counts

    def _chunk(self, chunk: str) -> _Chunk:
        if known := self._known.get(chunk):
            return known
        tokens: Sequence[str] = cut(chunk)
        before = after = None
        if _TURNING.isdisjoint(tokens):
            before = self.sides(tokens[0]).before
            tokens, after = self._tell(tokens, None, set())
        if len(chunk) <= LONGEST and len(self._known) < MOST:
            self._known[chunk] = tokens, before, after
        return tokens, before, after

    def _tell(self, tokens: Iterable[str], room: bool | None, opened: set[str]) -> tuple[list[str], bool]:
        """The tokens of a chunk with what is to be said before each, and the room that they leave."""
        told, spaced = list[str](), room is not None
        for token in tokens:
            usual, room = self._pass(token, spaced, room, opened)
            if usual != spaced:
                told.append(SPACE if spaced else JOIN)
            told.append(token)
            spaced = False
        return told, bool(room)

    def join(self, tokens: Iterable[str]) -> str:
        """The text of any tokens. Of those that `cut` gave it is the text that was cut, with single spaces for all
        white space, and none at the ends of lines."""
        text, said = list[str](), None
        room, opened = None, set[str]()
        for token in tokens:
            if token in (JOIN, SPACE):
                said = token == SPACE and room is not None
                continue
            if token == "\n":
                text.append(token)
                room, opened, said = None, set(), None
                continue
            spaced, room = self._pass(token, said, room, opened)
            text += [" ", token] if (spaced if said is None else said) else [token]
            said = None
        return "".join(text)

    def _pass(self, token: str, spaced: bool | None, room: bool | None, opened: set[str]) -> tuple[bool, bool]:
        """Go past a token.

        Args:
            token: the next.
            spaced: whether there is a space before it; None if the rules say.
            room: whether the token before wants one; None if there is none before in this line.
            opened: the quotes that are open, which are kept up to date.

        Returns:
            Whether the rules have a space before the token, and whether it wants one after it.
        """
        sides = _CLOSES if token in opened else self.sides(token)
        usual = bool(room) and sides.before
        if token in _QUOTES:
            if usual and spaced is False:
                sides = _CLOSES  # what stands against the word before it does not open: dogs'
            (opened.discard if sides is _CLOSES else opened.add)(token)
        elif token in opened:
            opened.discard(token)
        elif token == "„":
            opened.add("“")  # which opens in English and closes in German
        return usual, sides.after


def _chunks(texts: Iterable[str]) -> dict[str, tuple[int, int, int]]:
    """For each piece of text between white space, unless it is a word, how often there is another before it in its
    line, how often one after it, and how often it comes at all."""
    together = "\n".join(texts)
    every, lines = Counter(together.split()), together.split("\n")
    first = Counter(chain.from_iterable(line.split(None, 1)[:1] for line in lines))
    last = Counter(chain.from_iterable(line.rsplit(None, 1)[-1:] for line in lines))
    return {chunk: (n - first[chunk], n - last[chunk], n) for chunk, n in every.items() if not chunk.isalnum()}


def _is_word(token: str) -> bool:
    return token[0].isalnum() or token[0] == "_"


def _written(mark: str, sides: Sides) -> str:
    return " " * sides.before + mark + " " * sides.after
