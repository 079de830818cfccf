"""Which of several answers fits best: not only to the question, but also the question to it.

"I don't know" is a likely answer to anything, and so nothing in particular is likely before it. A *backward model*
knows that: it learns, from an answer, what was said before it (Li, Galley, Brockett, Gao & Dolan 2016).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minirnn.arguments import number
from minirnn.autograd.recording import no_grad
from minirnn.data import Codec
from minirnn.data.histories import Talk
from minirnn.errors import InputError
from minirnn.models import EncoderDecoder
from minirnn.training.chatting import nats_of


class Reranker:
    """Chooses the answer that maximises log p(answer | history) + λ log p(turn | answer) + γ · its words, where turn is
    what it answers (Li et al. 2016, MMI-bidi). The last part makes up for that every word costs something.

    Args:
        model: the backward model, in evaluation mode, whose encoder reads histories of one turn.
        codec: of the turns.
        weight: λ.
        per_word: γ, in nats.
        cut: longer turns are cut to so many tokens; None: they are not.

    Raises:
        InputError: a weight is out of its range.
    """

    def __init__(
        self, model: EncoderDecoder, codec: Codec, weight: float = 0.5, per_word: float = 0.0, cut: int | None = None
    ):
        self.model, self.codec, self.cut = model, codec, cut
        self.weight, self.per_word = number("weight", weight, least=0), number("per_word", per_word)

    def __repr__(self) -> str:
        model = f"{type(self.model).__name__} of {self.model.num_parameters(frozen=True):,} parameters"
        return f"Reranker({self.codec!r}, weight {self.weight:g}, by {model})"

    def log_probs(self, turns: Sequence[str], answers: Sequence[str]) -> np.ndarray:
        """log p(turn | answer) in nats, of each turn with its answer: (n,)."""
        pairs = [[self.codec.encode(text, self.cut) for text in pair] for pair in zip(answers, turns, strict=True)]
        with no_grad():
            return -nats_of(self.model, Talk(pairs, most_turns=1))[0]

    def best(self, turn: str, answers: Sequence[tuple[str, float]]) -> int:
        """The number of the best of several answers to a turn, each with its log-probability.

        Raises:
            InputError: there are none.
        """
        if not answers:
            raise InputError("expected at least one answer to choose from")
        texts, log_probs = zip(*answers, strict=True)
        words = np.array([len(text.split()) for text in texts])
        scores = np.array(log_probs) + self.weight * self.log_probs([turn] * len(texts), texts) + self.per_word * words
        return int(scores.argmax())
