"""What translations are compared with: each hypothesis beside its references, and what is no token list refused."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from minirnn.arguments import shown
from minirnn.errors import InputError

# Tokens are whatever can be hashed. (To say so would have type checkers refuse the lists in a list of references.)
Tokens = Sequence[Any]
# The reference of one sentence: a token list, or several token lists that are all right.
References = Tokens | Sequence[Tokens]

TRANSPOSED = "if they are sets, as sacrebleu has them, give list(zip(*references)), for each hypothesis its own"


@contextmanager
def of_each() -> Iterator[None]:
    """Inside the block references are known to be those of each hypothesis, whatever they look like."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the references fit the hypotheses better")
        yield


def pairs(hypotheses: Sequence[Tokens], references: Sequence[References]) -> list[tuple[Tokens, list[Tokens]]]:
    """Each hypothesis with the list of its references.

    Raises:
        InputError: their numbers differ or are 0, or there is something else where a token list is expected.
    """
    for name, given in (("hypotheses", hypotheses), ("references", references)):
        if isinstance(given, str) or not hasattr(given, "__len__"):
            raise InputError(f"the {name} are of type {type(given).__name__}: expected a list of token lists")
    if len(hypotheses) != len(references):
        sets = len(references) > 0 and all(_is_list(one) and len(one) == len(hypotheses) for one in references)
        advice = TRANSPOSED if sets and len(hypotheses) > 1 else "expected one each"
        raise InputError(f"there are {len(hypotheses)} hypotheses but {len(references)} references: {advice}")
    if len(hypotheses) == 0:
        raise InputError("there are no hypotheses to score")
    found = []
    for i, (hypothesis, reference) in enumerate(zip(hypotheses, references, strict=True), start=1):
        acceptable: list = list(reference) if _is_nested(reference) else [reference]
        check_tokens(hypothesis, f"hypothesis {i}")
        for tokens in acceptable:
            check_tokens(tokens, f"reference {i}")
        found.append((hypothesis, acceptable))
    if _fit_better_as_sets(found):
        warnings.warn(f"the references fit the hypotheses better the other way round: {TRANSPOSED}", stacklevel=4)
    return found


def check_tokens(tokens: object, name: str) -> None:
    """Refuse what is no list of tokens; the message begins with `name`."""
    # A string is a sequence too, of characters: it would be scored without complaint.
    if isinstance(tokens, str) or not isinstance(tokens, Sequence):
        raise InputError(f"{name} is of type {type(tokens).__name__}: expected a list of tokens, such as text.split()")
    if _is_nested(tokens):
        raise InputError(f"{name} is a list of lists: expected a list of tokens")
    for token in tokens:
        if isinstance(token, str) and " " in token and " " in token.strip():
            raise InputError(
                f"{name} has {shown(token)} where a token belongs: expected a list of tokens, such as text.split(), "
                "and of several references a list of such lists"
            )


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _is_nested(tokens: object) -> bool:
    return isinstance(tokens, list | tuple) and any(_is_list(part) for part in tokens)


def _fit_better_as_sets(found: Sequence[tuple[Tokens, list[Tokens]]]) -> bool:
    """Where there are as many references of each hypothesis as hypotheses, the shape of the table does not tell which
    way round it is. If it is wrong, hypotheses have more words in common with what stands in their column than with
    what stands in their row, and none has fewer."""
    n = len(found)
    if n < 2 or any(len(row) != n for _, row in found):
        return False
    bags = [[Counter(reference) for reference in row] for _, row in found]
    gains = []
    for i, (hypothesis, _) in enumerate(found):
        words = Counter(hypothesis)
        column, row = (sum((words & bag).total() for bag in line) for line in ([r[i] for r in bags], bags[i]))
        gains.append(column - row)
    return min(gains) >= 0 and max(gains) > 0
