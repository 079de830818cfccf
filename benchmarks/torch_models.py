"""The two classic translation models in plain PyTorch: what minirnn's are compared with, in speed and number by number.

Their modules have the names of minirnn's, so that `twin.load_state_dict` takes what `model.to_torch()` gives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from minirnn import EncoderDecoder


class Named(nn.Module):
    """Modules under names."""

    def __init__(self, **modules: nn.Module):
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)


class AdditiveScore(Named):
    """wᵀ tanh(W q + U v + b) (Bahdanau, Cho & Bengio 2015)."""

    def __init__(self, query_size: int, memory_size: int, attention_size: int):
        super().__init__(
            query=nn.Linear(query_size, attention_size, bias=False), key=nn.Linear(memory_size, attention_size)
        )
        self.w = nn.Parameter(torch.zeros(attention_size))

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """(B, Q) and (B, S, A) to (B, S)."""
        return torch.tanh(keys + self.query(query)[:, None]) @ self.w


class AttentionTwin(nn.Module):
    """A bidirectional GRU, additive attention, and a GRU on [x_t; c_t] with its output from [h_t; c_t; x_t].

    Args:
        source_size, target_size: of the vocabularies.
        embedding_size: E.
        hidden_size: H, of the decoder and of each direction of the encoder.
        dropout: on both embeddings.
    """

    def __init__(self, source_size: int, target_size: int, embedding_size: int, hidden_size: int, dropout: float = 0.0):
        super().__init__()
        E, H = embedding_size, hidden_size
        self.encoder = Named(embedding=nn.Embedding(source_size, E), recurrent=nn.GRU(E, H, bidirectional=True))
        self.bridge = Named(maps=nn.ModuleList([nn.Linear(2 * H, H)]))
        self.decoder = Named(
            embedding=nn.Embedding(target_size, E),
            recurrent=nn.GRU(E + 2 * H, H),
            attention=Named(score=AdditiveScore(H, 2 * H, H)),
            output=nn.Linear(H + 2 * H + E, target_size),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, source: Tensor, lengths: Tensor, inputs: Tensor) -> Tensor:
        """Source ids (S, B) of `lengths` (B,) and target ids (T, B) to features (T, B, 3 H + E)."""
        x = self.dropout(self.encoder.embedding(source))
        packed, h = self.encoder.recurrent(pack_padded_sequence(x, lengths, enforce_sorted=False))
        values = pad_packed_sequence(packed)[0].transpose(0, 1).contiguous()
        padding = (torch.arange(values.shape[1]) >= lengths[:, None]).to(source.device)
        score, recurrent = self.decoder.attention.score, self.decoder.recurrent
        keys = score.key(values)
        h = torch.tanh(self.bridge.maps[0](torch.cat([h[0], h[1]], dim=1)))
        weights = (recurrent.weight_ih_l0, recurrent.weight_hh_l0, recurrent.bias_ih_l0, recurrent.bias_hh_l0)
        hs, contexts, x = [], [], self.dropout(self.decoder.embedding(inputs))
        for x_t in x:
            attention = score(h, keys).masked_fill(padding, -torch.inf).softmax(dim=1)
            context = (attention[:, None] @ values)[:, 0]
            h = torch.gru_cell(torch.cat([x_t, context], dim=1), h, *weights)
            hs.append(h)
            contexts.append(context)
        return torch.cat([torch.stack(hs), torch.stack(contexts), x], dim=2)


class HandoverTwin(nn.Module):
    """An LSTM that reads the source and hands its state over to an LSTM that writes the target. Arguments as for
    `AttentionTwin`, and `num_layers` of both."""

    def __init__(self, source_size: int, target_size: int, embedding_size: int, hidden_size: int, num_layers: int):
        super().__init__()
        sizes = (embedding_size, hidden_size, num_layers)
        self.encoder = Named(embedding=nn.Embedding(source_size, embedding_size), recurrent=nn.LSTM(*sizes))
        self.decoder = Named(
            embedding=nn.Embedding(target_size, embedding_size),
            recurrent=nn.LSTM(*sizes),
            output=nn.Linear(hidden_size, target_size),
        )

    def forward(self, source: Tensor, lengths: Tensor, inputs: Tensor) -> Tensor:
        """Source ids (S, B) of `lengths` (B,) and target ids (T, B) to features (T, B, H)."""
        packed = pack_padded_sequence(self.encoder.embedding(source), lengths, enforce_sorted=False)
        return self.decoder.recurrent(self.decoder.embedding(inputs), self.encoder.recurrent(packed)[1])[0]


def twin_loss(twin: nn.Module, batch: Any, inputs: np.ndarray, label_smoothing: float = 0.0) -> Tensor:
    """The mean cross-entropy over the real target tokens, the only ones that the output layer scores.

    Args:
        twin: one of the models above.
        batch: X (S, B), its lengths (B,), Y (T, B), its lengths (B,).
        inputs: (T, B), the tokens before those of Y.
        label_smoothing: as for torch's cross-entropy.
    """
    X, X_lengths, Y, Y_lengths = (torch.as_tensor(array) for array in batch)
    where = twin.decoder.output.weight.device
    real = (torch.arange(len(Y))[:, None] < Y_lengths).to(where)
    X, Y = X.to(where), Y.to(where)
    features = twin(X, X_lengths, torch.as_tensor(inputs).to(where))  # packing wants its lengths on the CPU
    logits = twin.decoder.output(features[real])
    return nn.functional.cross_entropy(logits, Y[real], label_smoothing=label_smoothing)


def copy_weights(model: EncoderDecoder, twin: nn.Module) -> None:
    """Give the twin the weights of the model."""
    twin.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in model.to_torch().items()})
