"""BLEU with two references for each sentence: of a corpus, of single sentences, and with other smoothing.

An n-gram counts as often as in the reference that has it most often; of the lengths the closest one counts.

Prints:

    corpus, both references: 88.91
    corpus, only the first:  77.81
    sentences: 100.00, 70.71
    the second, smoothing none: 0.00
    the second, smoothing add-k: 75.98
    length ratio 1.00, exact 50%
"""

from minirnn import corpus_bleu, exact_match, length_ratio, sentence_bleu

HYPOTHESES = ["the cat is on the mat", "he read the book"]
REFERENCES = [
    ["the cat is on the mat", "there is a cat on the mat"],
    ["he has read the book", "he read a book"],
]


def main() -> None:
    """Words are separated by spaces here; any tokens will do."""
    hypotheses = [text.split() for text in HYPOTHESES]
    references = [[text.split() for text in several] for several in REFERENCES]
    print(f"corpus, both references: {corpus_bleu(hypotheses, references):.2f}")
    print(f"corpus, only the first:  {corpus_bleu(hypotheses, [several[:1] for several in references]):.2f}")
    single = [sentence_bleu(one, several) for one, several in zip(hypotheses, references, strict=True)]
    print(f"sentences: {', '.join(f'{bleu:.2f}' for bleu in single)}")
    print(f"the second, smoothing none: {sentence_bleu(hypotheses[1], references[1], smoothing='none'):.2f}")
    print(f"the second, smoothing add-k: {sentence_bleu(hypotheses[1], references[1], smoothing='add-k'):.2f}")
    print(f"length ratio {length_ratio(hypotheses, references):.2f}, exact {exact_match(hypotheses, references):.0%}")


if __name__ == "__main__":
    main()
