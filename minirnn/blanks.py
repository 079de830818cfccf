"""Trained cloze models together with their vocabulary: fill the blanks of a text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minirnn.arguments import integer
from minirnn.autograd.losses import log_softmax
from minirnn.autograd.recording import no_grad
from minirnn.backend import to_host
from minirnn.data.text import detokenize, tokenize
from minirnn.data.vocabulary import UNKNOWN, Vocabulary
from minirnn.data.words import RULES
from minirnn.errors import InputError
from minirnn.training.cloze import ClozeModels

BLANK = "_"

Guesses = dict[str, list[tuple[str, float]]]
"""For one blank: by what is seen, "left", "right" or "both", the best tokens, each with its probability."""


@dataclass(frozen=True)
class Filled:
    """A text whose blanks have been filled.

    Attributes:
        text: with the most probable token of the model that sees both sides.
        blanks: for each blank what each model says of it.
    """

    text: str
    blanks: list[Guesses]


class BlankFiller:
    """Fills blanks.

    Args:
        model: trained models, in evaluation mode, one for each choice of sides.
        vocabulary: their tokens, <unk> among them.
        tokens: what texts are cut into; see `minirnn.data.tokenize`.
        clean: how texts are simplified; see `minirnn.data.clean_text`.
        rules: the version of the rules by which words are cut.

    Raises:
        InputError: the vocabulary has no <unk>.
    """

    def __init__(
        self,
        model: ClozeModels,
        vocabulary: Vocabulary,
        tokens: str = "char",
        clean: str = "none",
        rules: int = RULES,
    ):
        if UNKNOWN not in vocabulary:
            raise InputError(f"the vocabulary has no {UNKNOWN}")
        self.model, self.vocabulary = model, vocabulary
        self.tokens, self.clean, self.rules = tokens, clean, rules

    def __repr__(self) -> str:
        model = f"{type(self.model).__name__} of {self.model.num_parameters(frozen=True):,} parameters"
        return f"BlankFiller({self.vocabulary!r} by {model})"

    def fill(self, text: str, n_best: int = 3) -> Filled:
        """Fill every `_` of a text.

        Args:
            text: the text; where tokens are words, with spaces around each blank.
            n_best: how many tokens of each model to return for each blank.

        Raises:
            InputError: the text has no blank, or `n_best` is below 1.
        """
        n_best = integer("n_best", n_best)
        pieces = self.cut(text)
        blanks = [t for t, piece in enumerate(pieces) if piece == BLANK]
        if not blanks:
            raise InputError(f"the text has no blank: write {BLANK} where a token is to be found")
        probs = self._probabilities(pieces)
        for t in blanks:
            pieces[t] = self.vocabulary.tokens[int(probs["both"][t].argmax())]
        guesses = [{sides: self._best(found[t], n_best) for sides, found in probs.items()} for t in blanks]
        return Filled(detokenize(pieces, self.tokens), guesses)

    def cut(self, text: str) -> list[str]:
        """The tokens of a text, blanks among them."""
        return tokenize(text if self.clean == "none" else text.lower(), self.tokens, self.rules)

    def _probabilities(self, pieces: list[str]) -> dict[str, np.ndarray]:
        """By what is seen, how probable each token is at each place: (T, V)."""
        # Another blank is read as <unk>: nothing is known of it.
        ids = self.vocabulary.encode([UNKNOWN if piece == BLANK else piece for piece in pieces])
        found = {}
        for sides, model in self.model.models().items():
            with no_grad():
                log_probs = to_host(log_softmax(model(ids[:, None])).data)[:, 0]
            log_probs[:, self.vocabulary.ids[UNKNOWN]] = -np.inf
            found[sides] = np.exp(log_probs)
        return found

    def _best(self, probs: np.ndarray, n_best: int) -> list[tuple[str, float]]:
        return [(self.vocabulary.tokens[i], float(probs[i])) for i in np.argsort(-probs, kind="stable")[:n_best]]
