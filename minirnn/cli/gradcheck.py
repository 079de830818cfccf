"""`minirnn gradcheck`: check every operation, cell and layer against finite differences."""

from __future__ import annotations

import argparse
import fnmatch
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from minirnn.autograd import activations, functional, ops
from minirnn.autograd.gradcheck import GradcheckError, gradcheck
from minirnn.autograd.tensor import Tensor
from minirnn.cells import CELL_NAMES, make_cell
from minirnn.errors import InputError
from minirnn.fast import unroll
from minirnn.layers import Dropout, Embedding, LayerNorm, Linear, PReLU, Recurrent
from minirnn.layers.attention import SCORES
from minirnn.models import (
    AttentionDecoder,
    ContextDecoder,
    EncoderDecoder,
    HandoverDecoder,
    LanguageModel,
    RecurrentEncoder,
)
from minirnn.models.classifier import POOLINGS, SequenceClassifier
from minirnn.models.cloze import SIDES, ClozeModel
from minirnn.training.translation import attention_regularizer

Case = tuple[str, Callable[..., Any], dict[str, Any]]
"""A name, a function of tensors, and its inputs by name."""


def operation_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Every primitive of the autograd core, each with the broadcasts and indices that differ."""

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape)

    def positive(*shape: int) -> np.ndarray:
        return rng.uniform(0.5, 2, shape)

    def away_from_zero(*shape: int) -> np.ndarray:
        return rng.uniform(0.1, 2, shape) * rng.choice([-1.0, 1.0], shape)

    a, row, column = normal(3, 4), normal(4), normal(3, 1)
    for name in ("add", "subtract", "multiply"):
        yield name, getattr(ops, name), {"a": a, "b": normal(3, 4)}
        yield f"{name} (row)", getattr(ops, name), {"a": a, "b": row}
        yield f"{name} (column)", getattr(ops, name), {"a": column, "b": row}
    yield "divide", ops.divide, {"a": a, "b": away_from_zero(3, 1)}
    yield "negative", ops.negative, {"a": a}
    yield "power (3)", lambda x: ops.power(x, 3), {"a": a}
    yield "power (-0.5)", lambda x: ops.power(x, -0.5), {"a": positive(3, 4)}
    yield "matmul", ops.matmul, {"a": a, "b": normal(4, 2)}
    yield "matmul (batched)", ops.matmul, {"a": normal(2, 1, 3, 4), "b": normal(5, 4, 2)}
    yield "matmul (matrix, vector)", ops.matmul, {"a": normal(2, 3, 4), "b": row}
    yield "matmul (vector, matrix)", ops.matmul, {"a": row, "b": normal(2, 4, 3)}
    yield "matmul (vector, vector)", ops.matmul, {"a": row, "b": normal(4)}
    for name in ("exp", "tanh", "sigmoid"):
        yield name, getattr(ops, name), {"a": a}
    yield "log", ops.log, {"a": positive(3, 4)}
    yield "sqrt", ops.sqrt, {"a": positive(3, 4)}
    yield "relu", ops.relu, {"a": away_from_zero(3, 4)}
    for name in ("relu6", "leaky_relu", "elu"):
        yield name, getattr(activations, name), {"a": 4 * away_from_zero(3, 4)}
    yield "prelu", activations.prelu, {"a": away_from_zero(3, 4), "slope": normal(4)}
    yield "rrelu", lambda x: activations.rrelu(x, np.random.default_rng(0)), {"a": away_from_zero(3, 4)}
    condition = rng.random((3, 4)) < 0.5
    yield "where", lambda x, y: ops.where(condition, x, y), {"a": a, "b": row}
    for name in ("sum", "mean", "max"):
        yield name, getattr(ops, name), {"a": a}
        yield f"{name} (axis)", lambda x, f=getattr(ops, name): f(x, axis=0), {"a": a}
        yield f"{name} (axes, keepdims)", lambda x, f=getattr(ops, name): f(x, (0, -1), True), {"a": normal(2, 3, 4)}
    yield "reshape", lambda x: ops.reshape(x, (2, -1)), {"a": a}
    yield "transpose", lambda x: ops.transpose(x, (2, 0, -2)), {"a": normal(2, 3, 4)}
    yield "astype", lambda x: ops.astype(x, np.float64), {"a": a}
    yield "contiguous", lambda x: ops.contiguous(ops.transpose(x)), {"a": a}
    yield "broadcast_to", lambda x: ops.broadcast_to(x, (5, 3, 4)), {"a": column}
    yield "getitem (slices)", lambda x: x[1:, ::-2], {"a": a}
    yield "getitem (integer)", lambda x: x[-1], {"a": a}
    yield "getitem (repeated)", lambda x: x[np.array([0, 2, 0, 0])], {"a": a}
    yield "getitem (mask)", lambda x: x[condition], {"a": a}
    yield "concatenate", lambda *xs: ops.concatenate(xs, axis=-1), {"a": a, "b": normal(3, 2)}
    yield "stack", lambda *xs: ops.stack(xs, axis=1), {"a": a, "b": normal(3, 4)}
    yield "split", lambda x: ops.split(x, [1, 3], axis=1), {"a": a}
    yield "unstack", lambda x: ops.unstack(x, axis=1), {"a": a}


def functional_cases(rng: np.random.Generator) -> Iterator[Case]:
    """The operations of neural networks."""
    scores, mask = rng.standard_normal((3, 5)), np.arange(5) < np.array([[5], [2], [0]])
    targets = rng.integers(0, 5, (3, 2))
    logits = rng.standard_normal((3, 2, 5))
    yield "log_softmax", functional.log_softmax, {"a": scores}
    yield "softmax", lambda x: functional.softmax(x, axis=0), {"a": scores}
    yield "softmax (masked)", lambda x: functional.softmax(x, mask=mask), {"a": scores}
    for reduction in ("mean", "sum", "none"):
        yield (
            f"cross_entropy ({reduction})",
            lambda z, r=reduction: functional.cross_entropy(z, targets, reduction=r),
            {"logits": logits},
        )
    yield (
        "cross_entropy (ignored)",
        lambda z: functional.cross_entropy(z, targets, ignore_index=int(targets[0, 0])),
        {"logits": logits},
    )
    for label, options in (("smoothed", {}), ("smoothed, ignored", {"ignore_index": int(targets[0, 0])})):
        yield (
            f"cross_entropy ({label})",
            lambda z, o=options: functional.cross_entropy(z, targets, label_smoothing=0.2, **o),
            {"logits": logits},
        )
    yield "pack", lambda x: functional.pack(x, np.array([3, 1])), {"x": logits}
    query, keys = rng.standard_normal((3, 4)), rng.standard_normal((3, 2, 4))
    yield "additive_scores", functional.additive_scores, {"query": query, "keys": keys, "w": rng.standard_normal(4)}
    yield "dot_scores", functional.dot_scores, {"query": query, "keys": keys}
    yield "weighted_sum", functional.weighted_sum, {"weights": rng.standard_normal((3, 2)), "values": keys}
    weight, bias = rng.standard_normal((2, 5)), rng.standard_normal(2)
    # Few rows, used twice: the gradient of the weight is then collected first.
    few = scores[:1]
    yield (
        "linear (shared)",
        lambda x, w, b: functional.linear(x, w, b) * functional.linear(functional.linear(x, w, b) @ w, w, b),
        {"x": few, "weight": weight, "bias": bias},
    )
    yield "linear", functional.linear, {"x": logits, "weight": weight, "bias": bias}
    yield "embedding", lambda w: functional.embedding(w, np.array([[0, 2], [2, 2]])), {"weight": scores}
    # Drawing the same mask at every evaluation makes the random function a fixed one.
    yield "dropout", lambda x: functional.dropout(x, 0.4, np.random.default_rng(0)), {"a": scores}
    yield "dropout (shared)", lambda x: functional.dropout(x, 0.4, np.random.default_rng(0), shared=0), {"a": scores}
    yield "scale", lambda x: functional.scale(x, logits.mean(axis=1)), {"a": scores}
    gain, shift = rng.standard_normal(5), rng.standard_normal(5)
    yield "layer_norm", functional.layer_norm, {"a": logits, "gain": gain, "bias": shift}


def cell_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Every cell through time, both directions, with and without padding."""
    T, B, I, H = 4, 3, 2, 3
    for name in CELL_NAMES:
        cell = make_cell(name)
        weights = {k: rng.uniform(-1, 1, shape) for k, shape in cell.weight_shapes(I, H).items()}
        state = {f"state {i}": rng.standard_normal((B, H)) for i in range(cell.num_states)}
        for label, lengths, reverse in (
            ("", None, False),
            (" (lengths)", np.array([4, 1, 2]), False),
            (" (reverse, lengths)", np.array([4, 1, 2]), True),
        ):

            def through_time(
                x: Tensor,
                *rest: Tensor,
                cell: Any = cell,
                lengths: Any = lengths,
                reverse: bool = reverse,
                names: Any = tuple(weights),
            ) -> Any:
                by_name = dict(zip(names, rest[: len(names)], strict=True))
                return unroll(cell, x, by_name, rest[len(names) :], lengths, reverse)

            yield f"cell {name}{label}", through_time, {"x": rng.standard_normal((T, B, I)), **weights, **state}


def layer_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Every layer, by its input and all its parameters."""
    double: dict[str, Any] = {"rng": rng, "dtype": np.float64}

    def with_parameters(
        module: Any, call: Callable[..., Any], **inputs: np.ndarray
    ) -> tuple[Callable[..., Any], dict[str, Any]]:
        return lambda *tensors: call(*tensors[: len(inputs)]), {**inputs, **module.named_parameters()}

    linear, table, drop = Linear(3, 2, **double), Embedding(4, 3, **double), Dropout(0.3)
    norm, ramp = LayerNorm(4, dtype=np.float64), PReLU(4, dtype=np.float64)
    yield "layer LayerNorm", *with_parameters(norm, norm, x=rng.standard_normal((2, 3, 4)))
    yield "layer PReLU", *with_parameters(ramp, ramp, x=rng.standard_normal((2, 3, 4)))
    yield "layer Linear", *with_parameters(linear, linear, x=rng.standard_normal((2, 2, 3)))
    yield "layer Embedding", *with_parameters(table, lambda: table(np.array([[1, 3], [1, 0]])))

    def dropped(x: Tensor) -> Tensor:
        drop.rng = np.random.default_rng(0)
        return drop(x)

    yield "layer Dropout", *with_parameters(drop, dropped, x=rng.standard_normal((3, 4)))
    for name in CELL_NAMES:
        # Two normalised features are ±1: a step function, which differences cannot follow.
        H = 5 if name.endswith("layer-norm") else 2
        deep = Recurrent(name, H, H, 2, bidirectional=True, **double)

        def through(x: Tensor, deep: Recurrent = deep) -> Any:
            deep.dropout.rng = np.random.default_rng(0)  # what a cell draws is drawn alike at every evaluation
            return deep(x, None, np.array([3, 1]))

        label = f"layer {name} (2 layers, 2 directions, lengths)"
        yield label, *with_parameters(deep, through, x=rng.standard_normal((3, 2, H)))
    for pooling in POOLINGS:
        classifier = SequenceClassifier(4, 3, 2, cell="lstm", num_layers=2, pooling=pooling, embedding_size=2, **double)
        ids, lengths = rng.integers(0, 4, (3, 2)), np.array([3, 1])
        yield (
            f"model SequenceClassifier ({pooling})",
            *with_parameters(classifier, lambda m=classifier, i=ids, n=lengths: m(i, n)),
        )
    for sides in SIDES:
        cloze, ids = ClozeModel(4, 2, sides=sides, embedding_size=2, **double), rng.integers(0, 4, (4, 2))
        yield f"model ClozeModel ({sides})", *with_parameters(cloze, lambda m=cloze, i=ids: m(i))
    for label, size in (("one-hot", None), ("embedding", 2)):
        model = LanguageModel(4, 3, cell="lstm", embedding_size=size, **double)
        ids = rng.integers(0, 4, (3, 2))
        yield f"model LanguageModel ({label})", *with_parameters(model, lambda m=model, ids=ids: m(ids))


def translation_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Whole encoder-decoder models, by all their parameters: every decoder, attention score and bridge, on padded
    sentences, with the attention's weights and penalty among the outputs."""
    double: dict[str, Any] = {"rng": rng, "dtype": np.float64}
    X, X_lengths = rng.integers(0, 5, (4, 3)), np.array([3, 2, 4])
    Y, Y_lengths = rng.integers(0, 5, (3, 3)), np.array([3, 1, 2])

    def case(name: str, decoder: Any, cell: str, bridge: str, layers: int = 1, tied: bool = False) -> Case:
        bidirectional = bridge != "zero"
        sides: dict[str, Any] = {"bidirectional": bidirectional, "reverse": not bidirectional}
        encoder = RecurrentEncoder(5, 2, 2 if bidirectional else 4, cell=cell, num_layers=layers, **sides, **double)
        built = decoder(5, 2, 4, 4, cell=cell, num_layers=layers, **double)
        model = EncoderDecoder(encoder, built, bridge=bridge, tied=tied, **double)

        def outputs(*_: Tensor) -> list[Tensor]:
            features, state, attention = model(X, X_lengths, Y)
            packed = functional.pack(features, Y_lengths)
            found = [model.decoder.logits(packed), *(state.hidden if isinstance(state.hidden, tuple) else ())]
            if attention is not None:
                found += [attention, attention_regularizer(attention, X_lengths, Y_lengths, 0.7)]
            return found

        return f"translation {name}", outputs, dict(model.named_parameters())

    yield case("handover (copy)", HandoverDecoder, "lstm", "copy", layers=2)
    yield case("context (zero, reversed source)", partial(ContextDecoder, deep_output=False), "gru", "zero")
    yield case("context (learned)", ContextDecoder, "gru-after", "learned", layers=2)
    for score in SCORES:
        yield case(f"attention ({score})", partial(AttentionDecoder, score=score), "gru", "learned")
    fed: dict[str, Any] = {"readout_size": 2, "input_feeding": True}
    yield case(
        "attention (before, fed, z0)", partial(AttentionDecoder, score="location", **fed), "lstm", "z0", layers=2
    )
    after = partial(AttentionDecoder, score="general", attend="after", deep_output=False, tied=True, **fed)
    yield case("attention (after, fed, tied)", after, "rnn", "copy", tied=True)
    plain = partial(AttentionDecoder, score="dot", attend="after", normalize="none", readout_size=3)
    yield case("attention (after, no softmax)", plain, "lstm-peephole", "learned")


def all_cases(seed: int = 0) -> list[Case]:
    """The whole catalogue; the same seed gives the same numbers."""
    rng = np.random.default_rng(seed)
    return [*operation_cases(rng), *functional_cases(rng), *cell_cases(rng), *layer_cases(rng), *translation_cases(rng)]


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "gradcheck",
        help="check all gradients against finite differences",
        description="Check the gradients of every operation, cell and layer, in float64 and for every element of every "
        "input, against finite differences.",
        epilog="example: minirnn gradcheck 'cell lstm*'",
    )
    parser.add_argument("PATTERN", nargs="?", default="*", help="only the cases whose name matches, with * and ?")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each case; the exit status is 1 if a gradient is wrong."""
    cases = [case for case in all_cases() if fnmatch.fnmatchcase(case[0], arguments.PATTERN)]
    if not cases:
        raise InputError(f"no case matches {arguments.PATTERN!r}; without a pattern all are listed")
    width = max(len(name) for name, _, _ in cases)
    print(f"{'':{width}}  elements  largest error  seconds")
    failures = []
    for name, function, inputs in cases:
        elements, start = sum(x.size for x in inputs.values()), time.perf_counter()
        try:
            error = f"{gradcheck(function, inputs):.1e}"
        except GradcheckError as failure:
            failures.append(f"{name}: {failure}")
            error = "WRONG"
        print(f"{name:{width}}  {elements:8d}  {error:>13}  {time.perf_counter() - start:7.2f}", flush=True)
    print(f"\n{len(cases) - len(failures)} right, {len(failures)} wrong (relative error at most 1e-6 allowed)")
    for line in failures:
        print(line)
    return 1 if failures else 0
