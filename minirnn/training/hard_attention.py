"""How attention that looks at one place at a time is learned (Xu et al. 2015, "hard" attention).

Where to look is drawn, and a draw has no gradient. But whether it helped can be seen: the words written from then on
were more probable, or less. With z_t the position drawn at step t, and r_t = Σ_{k≥t} log p(y_k | z_1 … z_k) what it can
have changed, REINFORCE (`training.rewards`, equation 3) says

    ∇ E[Σ_t log p(y_t)] = E[Σ_t ∇ log p(y_t) + Σ_t (r_t - b_t) ∇ log α_t(z_t)]

The baseline b_t is the same sum where the most probable positions are looked at, which is self-critical, plus what the
other sentences of the batch have gained over theirs: neither depends on z_t.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minirnn.autograd import ops
from minirnn.autograd.losses import cross_entropy
from minirnn.autograd.recording import no_grad
from minirnn.autograd.sequences import pack
from minirnn.autograd.tensor import Tensor
from minirnn.backend import like, to_host
from minirnn.models import AttentionDecoder, EncoderDecoder
from minirnn.models.decoders import Decoded


def is_hard(model: EncoderDecoder) -> bool:
    """Whether a model looks at one place at a time."""
    return isinstance(model.decoder, AttentionDecoder) and model.decoder.attention.normalize == "hard"


def hard_loss(
    model: EncoderDecoder,
    decode: Callable[[], Decoded],
    Y: np.ndarray,
    lengths: np.ndarray,
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross-entropy of targets Y (T, B), the mean over their real tokens, with the gradient above.

    Args:
        model: is in training mode.
        decode: reads the targets with the model as it is.
        Y, lengths: the targets.
        label_smoothing: of the cross-entropy.
    """
    decoded = decode()
    real = np.arange(len(Y))[:, None] < lengths

    def costs(features: Tensor) -> Tensor:
        logits = model.decoder.logits(pack(features, lengths))
        return cross_entropy(logits, Y[real], reduction="none", label_smoothing=label_smoothing)

    drawn = costs(decoded.features)
    model.eval()
    with no_grad():
        gained = _to_come(costs(decode().features), real) - _to_come(drawn, real)
    model.train()
    advantage = gained - _mean_of_others(gained, real)
    assert decoded.attention is not None
    # Σ_s z_ts is 1, and its gradient that of log α_t(z_t): with 1 taken off, this adds nothing to the loss.
    looked = ops.sum(decoded.attention, axis=-1) - 1.0
    factors = like((advantage * real / real.sum()).astype(looked.dtype), looked.data)
    return ops.mean(drawn) - ops.sum(looked * factors)


def _to_come(costs: Tensor, real: np.ndarray) -> np.ndarray:
    """(T, B): of each step what it and all later ones cost, from the cost of the real ones."""
    of_steps = np.zeros(real.shape)
    of_steps[real] = to_host(costs.data)
    return of_steps[::-1].cumsum(axis=0)[::-1]


def _mean_of_others(gained: np.ndarray, real: np.ndarray) -> np.ndarray:
    """(T, B): for each sentence the mean over the others that have this step; 0 if there are none."""
    kept = np.where(real, gained, 0.0)
    others = real.sum(axis=1, keepdims=True) - 1
    return (kept.sum(axis=1, keepdims=True) - kept) / np.maximum(others, 1)
