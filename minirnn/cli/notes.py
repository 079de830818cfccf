"""Notes on stderr about what comes in and what comes out, beside results that stand alone on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from minirnn.cli.lines import at_terminal
from minirnn.data import UNKNOWN
from minirnn.data.vocabulary import SPECIALS, Vocabulary

LONGEST = 40
"""Characters of what is named."""
NAMED = 5
"""Of many unknown tokens, how many are named; so many for each line where a person types them."""
EMPTY = "(empty: to end at once is its best; it has learned too little)"
"""What stands for an empty sentence where there is room for a word about it."""


def note(text: str) -> None:
    """A line on stderr."""
    print(f"note: {text}", file=sys.stderr)


def _shown(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


class UnknownTokens:
    """Says of which tokens a model knows nothing, of each once.

    Args:
        vocabulary: has those that it knows.
    """

    def __init__(self, vocabulary: Vocabulary):
        self.vocabulary = vocabulary
        self.seen: set[str] = set()
        self.left = NAMED

    def note(self, tokens: Iterable[str]) -> None:
        """Say it of the tokens of some texts more, which are not even made where there is nothing left to say."""
        left = NAMED if at_terminal() else self.left
        if not left:
            return
        unknown = (token for token in dict.fromkeys(tokens) if token not in self.vocabulary or token in SPECIALS)
        fresh = [token for token in unknown if token not in self.seen]
        self.seen |= set(fresh)
        if fresh:
            named = ", ".join(repr(_shown(token)) for token in fresh[:left])
            note(f"not in the vocabulary, read as {UNKNOWN}: {named}{', …' if len(fresh) > left else ''}")
            self.left = max(0, self.left - len(fresh))


class EmptyResults:
    """Says why nothing was written for something, and of how much.

    Args:
        what: is written: "translation".
        search: how it was searched for: "greedy", "beam", "exact" or "sample".
    """

    def __init__(self, what: str, search: str):
        self.what, self.search, self.count = what, search, 0

    def note(self, asked: str) -> None:
        """Nothing was written for this. It is explained the first time, and at a terminal not repeated."""
        self.count += 1
        if self.count > 1:
            return
        why = {
            "greedy": "to end at once was the model's most probable choice",
            "sample": "the model drew the end at once",
        }.get(self.search, "to end at once scores better than every sentence that was found")
        advice = "it has probably learned too little: train it longer, or on more"
        if self.search in ("beam", "exact"):
            advice += "; a larger --length-penalty favours longer ones"
        note(f"the {self.what} of {_shown(asked)!r} is empty: {why}; {advice}")

    def end(self) -> None:
        """Say how many there were, if more than the one that was explained."""
        if self.count > 1:
            note(f"{self.count:,} {self.what}s are empty")
