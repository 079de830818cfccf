"""Beam search over a step function of one's own: a search knows no model, only `step(tokens, state)`.

The model here is a table of what follows which word, and how probably. Its most probable first word leads astray.

Prints:

    greedy:  the dog barks   log P -1.94
    beam 3:  a cat sleeps    log P -1.13
             the cat sleeps  log P -1.82
    exhaustive search agrees: True
"""

import numpy as np

from minirnn import Vocabulary, beam_search, decode, exhaustive_search, power_penalty

WORDS = Vocabulary(["<bos>", "<eos>", "the", "a", "dog", "cat", "barks", "sleeps"])
FOLLOWS = {
    "<bos>": {"the": 0.6, "a": 0.4},
    "the": {"dog": 0.4, "cat": 0.3, "barks": 0.3},
    "a": {"cat": 0.9, "dog": 0.1},
    "dog": {"barks": 0.6, "sleeps": 0.4},
    "cat": {"sleeps": 0.9, "barks": 0.1},
    "barks": {"<eos>": 1.0},
    "sleeps": {"<eos>": 1.0},
    "<eos>": {"<eos>": 1.0},
}


def table() -> np.ndarray:
    """The log-probabilities (words, words) of each word after each word."""
    probabilities = np.zeros((len(WORDS), len(WORDS)))
    for word, followers in FOLLOWS.items():
        for follower, probability in followers.items():
            probabilities[WORDS.ids[word], WORDS.ids[follower]] = probability
    with np.errstate(divide="ignore"):  # what cannot follow has -inf
        return np.log(probabilities)


LOG_PROBS = table()


def step(tokens: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The latest words (rows,) to log-probabilities (rows, words) of the next, and the state after them.

    A state may be whatever can be indexed by rows; here it counts the words, (rows,).
    """
    return LOG_PROBS[tokens], state + 1


def said(tokens: tuple[int, ...]) -> str:
    """The words of a hypothesis."""
    return " ".join(WORDS.decode(tokens))


def main() -> None:
    """Greedy search, a beam, and everything there is."""
    start, bos, eos = np.zeros(1), [WORDS.ids["<bos>"]], WORDS.ids["<eos>"]
    (best,) = decode(step, start, bos, eos=eos, max_length=5)
    print(f"greedy:  {said(best.tokens):15} log P {best.log_prob:.2f}")

    (found,) = beam_search(step, start, bos, beam_size=3, n_best=2, eos=eos, max_length=5)
    for i, one in enumerate(found):
        print(f"{'' if i else 'beam 3:':8} {said(one.tokens):15} log P {one.log_prob:.2f}")

    (every,) = exhaustive_search(step, start, bos, eos=eos, max_length=5, length_penalty=power_penalty(0.0))
    print(f"exhaustive search agrees: {every[0].tokens == found[0].tokens}")


if __name__ == "__main__":
    main()
