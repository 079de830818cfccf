"""Encoder-decoder models: from one sequence to another (Sutskever, Vinyals & Le 2014; Cho et al. 2014)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.autograd import ops
from minirnn.autograd.losses import log_softmax
from minirnn.autograd.recording import no_grad
from minirnn.autograd.sequences import check_ids
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Ids, Lengths, array_module, like
from minirnn.data.histories import Histories
from minirnn.errors import InputError
from minirnn.layers import Module
from minirnn.models.decoders import Decoded, Decoder, DecoderState
from minirnn.models.encoders import Bridge, BridgeKind, Encoder

Source = Ids | Histories
"""What an encoder reads: ids, pictures or their features as an array, or histories."""


class EncoderDecoder(Module):
    """Any encoder and any decoder, and the bridge between their states.

        encoding = encoder(source)     s_0 = bridge(encoding)     p(y_t | y_1 … y_{t-1}, source) = softmax(logits_t)

    Args:
        encoder: makes an `Encoding` of the source.
        decoder: predicts each target token from the tokens before it and the encoding.
        bridge: "copy", "learned", "zero" or "z0"; see `Bridge`.
        tied: whether source and target share one embedding; the two vocabularies must be one.
        rng, dtype: as for every layer; of the bridge.

    Raises:
        InputError: the bridge is unknown or does not fit, the dtype is neither float32 nor float64, the decoder expects
            another size of the encoder's outputs, or the embeddings to be tied are of different shapes.
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        *,
        bridge: BridgeKind = "learned",
        tied: bool = False,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        self.encoder, self.decoder = encoder, decoder
        self.bridge = Bridge(bridge, encoder.handed_on, decoder.recurrent, rng=rng, dtype=dtype)
        if decoder.sees_memory and decoder.memory_size != encoder.output_size:
            raise InputError(
                f"the encoder's outputs have {encoder.output_size} features, but the decoder expects "
                f"memory_size = {decoder.memory_size}"
            )
        if bridge in ("zero", "z0") and not decoder.sees_memory:
            raise InputError(f"with the bridge {bridge!r} this decoder would never see the source")
        if tied:
            read, written = encoder.embedding, decoder.embedding
            if read is None:
                raise InputError("this encoder reads no tokens: there is no embedding to be shared")
            if read.weight.shape != written.weight.shape:
                shapes = f"{read.weight.shape} and {written.weight.shape}"
                raise InputError(f"one embedding for both sides needs one vocabulary and one size, not {shapes}")
            read.weight = written.weight

    def start(self, source: Source, lengths: Lengths | None, rows: np.ndarray | None = None) -> DecoderState:
        """Encode.

        Args:
            source: what the encoder reads: (S, B) ids, padded, or pictures.
            lengths: (B,) host integers, how much of each is real; None for all.
            rows: (targets,) host integers, which source each target belongs to, if not one to each in their order.

        Returns:
            The state from which the decoder begins.
        """
        encoding = self.encoder(source, lengths)
        if rows is not None:
            encoding = encoding.repeat(rows)
        return self.decoder.start(encoding, self.bridge(encoding))

    def forward(
        self,
        source: Source,
        lengths: Lengths | None,
        inputs: Ids,
        own: np.ndarray | None = None,
        rows: np.ndarray | None = None,
    ) -> Decoded:
        """Read the source, then the target.

        Args:
            source, lengths, rows: as for `start`.
            inputs: (T, B) target ids, each the one before the token to be predicted: `<bos>` first.
            own: (T, B) booleans: where true, the decoder is fed not the input but its own most probable token of the
                step before (scheduled sampling, Bengio et al. 2015; everywhere: no teacher forcing at all). No gradient
                flows through that choice. The first step has nothing of its own and is fed its input.

        Returns:
            The features (T, B, F), which `decoder.logits` scores, the final state, and the attention weights (T, B, S)
            or None.

        Raises:
            InputError: there are no steps of source or target, a shape does not fit, or an id or length is out of
                range.
        """
        state = self.start(source, lengths, rows)
        if own is not None:
            own = _as_coins(own, np.shape(inputs))
        if own is None or not own[1:].any():
            return self.decoder(inputs, state)
        vocabulary = self.decoder.output.weight
        on_device = like(check_ids(inputs, len(vocabulary)), vocabulary.data)
        coins, xp = like(own, on_device), array_module(on_device)
        tokens, features, looks = on_device[:1], list[Tensor](), list[Tensor]()
        for t in range(len(on_device)):
            if t > 0:
                with no_grad():
                    best = self.decoder.logits(features[-1]).data.argmax(axis=-1)
                tokens = xp.where(coins[t], best, on_device[t : t + 1])
            step = self.decoder(tokens, state)
            state = step.state
            features.append(step.features)
            looks += [] if step.attention is None else [step.attention]
        return Decoded(ops.concatenate(features), state, ops.concatenate(looks) if looks else None)

    def step(self, tokens: np.ndarray, state: DecoderState) -> tuple[np.ndarray, DecoderState]:
        """One step of search: the function that `minirnn.decoding` walks along.

        Args:
            tokens: (B,) ids, the latest token of each sentence; `<bos>` first.
            state: from `start`, or the step before.

        Returns:
            The log-probabilities (B, V) of the next token, on the host, and the new state.
        """
        with no_grad():
            features, state, _ = self.decoder(np.asarray(tokens)[None], state)
            log_probs = log_softmax(self.decoder.logits(features))
            return backend.to_host(log_probs.data[0]), state

    @staticmethod
    def attention(state: DecoderState) -> np.ndarray | None:
        """Where the latest step looked, (B, S) on the host; None for a decoder that does not attend."""
        return None if state.weights is None else backend.to_host(state.weights.data)


def _as_coins(own: Any, shape: tuple[int, ...]) -> np.ndarray:
    """`own` as an array with a boolean for each input."""
    coins = np.asarray(own)
    if coins.dtype != bool or coins.shape != shape:
        raise InputError(f"own must be booleans of shape {shape}, as the inputs are, not {coins.dtype} {coins.shape}")
    return coins
