"""Small models that translate, one of every kind, with sentences for them, and what comes out in training."""

import numpy as np

from minirnn import (
    AttentionDecoder,
    ContextDecoder,
    EncoderDecoder,
    HandoverDecoder,
    MergeDecoder,
    RecurrentEncoder,
    grad,
)
from minirnn.layers.attention import SCORES
from minirnn.training.sentences import shift_right
from minirnn.training.translation import Translation

V, EOS = 7, 2
DECODERS = {
    "handover": lambda **o: HandoverDecoder(V, 3, 4, 4, **o),
    "context": lambda **o: ContextDecoder(V, 3, 4, 4, **o),
    "merge": lambda **o: MergeDecoder(V, 3, 4, 4, **o),
    **{f"attention {s}": lambda s=s, **o: AttentionDecoder(V, 3, 4, 4, score=s, **o) for s in SCORES},
    "attention after, fed": lambda **o: AttentionDecoder(
        V, 3, 4, 4, score="location", attend="after", readout_size=3, input_feeding=True, tied=True, **o
    ),
    "attention after, context fed": lambda **o: AttentionDecoder(V, 3, 4, 4, attend="after", input_feeding=True, **o),
    "attention no softmax": lambda **o: AttentionDecoder(V, 3, 4, 4, normalize="none", **o),
}


def build(kind, cell="gru", layers=1, bridge="learned", seed=0, encoder=None, **options):
    common = {"cell": cell, "num_layers": layers, "rng": np.random.default_rng(seed), "dtype": np.float64}
    encoder = RecurrentEncoder(V, 3, 2, bidirectional=True, **common) if encoder is None else encoder(**common)
    return EncoderDecoder(encoder, DECODERS[kind](**common, **options), bridge=bridge, rng=1, dtype=np.float64)


def sentences(rng, *lengths, width=None):
    """Padded ids, whose padding is arbitrary ids and not only <pad>, and their lengths."""
    return rng.integers(4, V, (width or max(lengths), len(lengths))), np.array(lengths)


def outcome(model, X, X_lengths, Y, Y_lengths, penalty=0.3):
    """Loss, gradients of all parameters, and attention."""
    task = Translation(
        model, ([X], [Y]), ([], []), batch_size=1, rng=np.random.default_rng(0), label_smoothing=0.1,
        attention_penalty=penalty if model.decoder.attends else 0.0,
    )  # fmt: skip
    loss, tokens, _ = task.loss((X, X_lengths, Y, Y_lengths), None, 0)
    assert tokens == Y_lengths.sum()
    attention = model(X, X_lengths, shift_right(Y)).attention
    return loss, grad(loss, model.parameters()), None if attention is None else attention.data
