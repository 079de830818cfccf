"""A trained language model together with its vocabulary: writes on, and says how probable a text is."""

from __future__ import annotations

from typing import Any

import numpy as np

from minirnn import backend
from minirnn.autograd.recording import no_grad
from minirnn.data.text import detokenize, simplified, tokenize
from minirnn.data.vocabulary import UNKNOWN, Vocabulary
from minirnn.data.words import RULES
from minirnn.decoding import generate, greedy, sampler
from minirnn.decoding.sampling import Choose
from minirnn.errors import InputError
from minirnn.metrics import perplexity
from minirnn.models import LanguageModel
from minirnn.training.language_modeling import nll_of


class Writer:
    """Writes.

    Args:
        model: a trained model, in evaluation mode.
        vocabulary: its tokens, <unk> among them.
        tokens: what texts are cut into; see `minirnn.data.tokenize`.
        clean: how texts are simplified; see `minirnn.data.clean_text`.
        prefix: what is continued where nothing else is said.
        rules: the version of the rules by which words are cut.

    Raises:
        InputError: the vocabulary is not of the model's size, or has no <unk>.
    """

    def __init__(
        self,
        model: LanguageModel,
        vocabulary: Vocabulary,
        tokens: str = "char",
        clean: str = "none",
        prefix: str = "",
        rules: int = RULES,
    ):
        if len(vocabulary) != model.vocabulary_size:
            raise InputError(f"the model has {model.vocabulary_size} tokens, but the vocabulary {len(vocabulary)}")
        if UNKNOWN not in vocabulary:
            raise InputError(f"the vocabulary has no {UNKNOWN}")
        self.model, self.vocabulary, self.prefix = model, vocabulary, prefix
        self.tokens, self.clean, self.rules = tokens, clean, rules

    def __repr__(self) -> str:
        model = f"{type(self.model).__name__} of {self.model.num_parameters(frozen=True):,} parameters"
        return f"Writer({self.vocabulary!r} by {model})"

    def generate(
        self,
        prefix: str | None = None,
        length: int = 300,
        *,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | np.random.Generator | None = None,
        choose: Choose | None = None,
    ) -> str:
        """Continue a text.

        Args:
            prefix: the text; None: how the training text began.
            length: how many tokens to write.
            temperature: below 1 the probable becomes more probable; 0 takes the most probable token.
            top_k, top_p: draw only from so many of the most probable tokens, or from those that sum up to so much.
            seed: of the draws.
            choose: instead of all these, what `sampler` returns, or `greedy`.

        Returns:
            The prefix and its continuation.

        Raises:
            InputError: the prefix has no token, a number is out of its range, or the model gives no probabilities.
        """
        pieces = self.cut(self.prefix if prefix is None else prefix)
        if not pieces:
            raise InputError("the prefix must have at least one token")
        if choose is None:
            drawn = (backend.generator(seed), temperature, top_k, top_p)
            choose = greedy if temperature == 0 else sampler(*drawn)
        ids = generate(self._step, self.vocabulary.encode(pieces).tolist(), length, choose)[0]
        return detokenize([*pieces, *self.vocabulary.decode(ids)], self.tokens)

    def _step(self, tokens: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        log_probs, state = self.model.step(tokens, state)
        if np.isnan(log_probs).any():
            raise InputError("the model gives no probabilities: its training went wrong")
        log_probs[:, self.vocabulary.ids[UNKNOWN]] = -np.inf  # there is no text to print for it
        return log_probs, state

    def perplexity(self, text: str) -> float:
        """The perplexity of a text: of each of its tokens but the first, given all those before it. Tokens that are not
        in the vocabulary are judged as <unk>.

        Raises:
            InputError: the text has fewer than two tokens.
        """
        text = simplified(text, self.clean, self.rules) if text else ""
        ids = self.vocabulary.encode(tokenize(text, self.tokens, self.rules))
        if len(ids) < 2:
            raise InputError(f"the text must have at least two tokens, one of them to be predicted, not {len(ids)}")
        with no_grad():
            return perplexity(nll_of(self.model, ids), len(ids) - 1)

    def cut(self, prefix: str) -> list[str]:
        """The tokens of a text that is to be continued."""
        return tokenize(prefix if self.clean == "none" else prefix.lower(), self.tokens, self.rules)

    def strangers(self, prefix: str) -> list[str]:
        """The tokens of a text that are not in the vocabulary, and are read as <unk>."""
        return sorted({piece for piece in self.cut(prefix) if piece not in self.vocabulary})
