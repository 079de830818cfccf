"""What `minirnn gradcheck` checks: every operation, cell, layer and kind of model.

Each case draws its numbers from a stream of its own, seeded with its name: whatever is added to the catalogue leaves
those of all others as they are.
"""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from minirnn.autograd import activations, functional, ops
from minirnn.autograd.tensor import Tensor
from minirnn.cells import CELL_NAMES, Cell, make_cell
from minirnn.cli.adaptive_recipes import adaptive_softmax_recipes
from minirnn.cli.chat_recipes import chat_recipes
from minirnn.cli.drawing_recipes import drawing_recipes
from minirnn.cli.encoder_decoders import caption_recipes, translation_recipes
from minirnn.cli.kinks import clear_of_kinks
from minirnn.cli.recipes import (
    DOUBLE,
    Draw,
    Function,
    Inputs,
    Recipe,
    apart,
    away_from,
    fraction,
    module_recipe,
    normal,
    positive,
    recipe,
    stream,
)
from minirnn.fast import unroll
from minirnn.layers import Conv2d, Dropout, Embedding, LayerNorm, Linear, Module, PReLU, Recurrent
from minirnn.models import (
    LanguageModel,
)
from minirnn.models.classifier import POOLINGS, SequenceClassifier
from minirnn.models.cloze import SIDES, ClozeModel


def all_cases(seed: int = 0, pattern: str = "*") -> list[tuple[str, Function, Inputs]]:
    """The cases whose name matches, with * and ?; the same seed gives the same numbers."""
    core = operation_recipes, functional_recipes, cell_recipes, layer_recipes
    parts = *core, translation_recipes, caption_recipes, drawing_recipes, chat_recipes
    recipes = itertools.chain.from_iterable(part() for part in parts)
    return [(name, *recipe(stream(seed, name))) for name, recipe in recipes if fnmatch.fnmatchcase(name, pattern)]


ZEROS = np.array([[1.0, 1, 1, 1], [1, 0, 1, 1], [0, 1, 1, 0]])
"""Lines with no zero among their factors, with one and with two."""

EQUATIONS: dict[str, tuple[tuple[int, ...], ...]] = {
    "ij,jk->ik": ((3, 4), (4, 2)),
    "bij,bj": ((2, 3, 4), (2, 4)),
    "...ij,...kj->...ik": ((2, 1, 3, 4), (5, 2, 4)),
    "ij->ji": ((3, 4),),
    "ij,k->": ((2, 3), (4,)),
    "i,ij,j->i": ((3,), (3, 4), (4,)),
    "ij,ij->j": ((1, 3), (4, 3)),
}
"""Of einsum, with the shapes of the operands: products, sums over letters of one operand alone, broadcasts."""


def operation_recipes() -> Iterator[tuple[str, Recipe]]:
    """Every primitive of the autograd core, each with the broadcasts and indices that differ."""
    a, row, column, zero = normal(3, 4), normal(4), normal(3, 1), (0.0,)
    for name in ("add", "subtract", "multiply"):
        yield name, recipe(getattr(ops, name), a=a, b=normal(3, 4))
        yield f"{name} (row)", recipe(getattr(ops, name), a=a, b=row)
        yield f"{name} (column)", recipe(getattr(ops, name), a=column, b=row)
    yield "divide", recipe(ops.divide, a=a, b=away_from(zero, 3, 1))
    yield "negative", recipe(ops.negative, a=a)
    yield "power (3)", recipe(lambda x: ops.power(x, 3), a=a)
    yield "power (-0.5)", recipe(lambda x: ops.power(x, -0.5), a=positive(3, 4))
    yield "matmul", recipe(ops.matmul, a=a, b=normal(4, 2))
    yield "matmul (batched)", recipe(ops.matmul, a=normal(2, 1, 3, 4), b=normal(5, 4, 2))
    yield "matmul (matrix, vector)", recipe(ops.matmul, a=normal(2, 3, 4), b=row)
    yield "matmul (vector, matrix)", recipe(ops.matmul, a=row, b=normal(2, 4, 3))
    yield "matmul (vector, vector)", recipe(ops.matmul, a=row, b=normal(4))
    for name in ("exp", "tanh", "sigmoid"):
        yield name, recipe(getattr(ops, name), a=a)
    yield "log", recipe(ops.log, a=positive(3, 4))
    yield "sqrt", recipe(ops.sqrt, a=positive(3, 4))
    yield "relu", recipe(ops.relu, a=away_from(activations.KINKS["relu"], 3, 4))
    yield "abs", recipe(ops.abs, a=away_from(zero, 3, 4))
    yield "clip", recipe(lambda x: ops.clip(x, -1, 2.5), a=away_from((-1, 2.5), 3, 4))
    yield "clip (below)", recipe(lambda x: ops.clip(x, min=1), a=away_from((1,), 3, 4))
    for name in ("maximum", "minimum"):
        yield name, _halves(getattr(ops, name), apart(2, 3, 4))
        yield f"{name} (number)", recipe(lambda x, f=getattr(ops, name): f(0.55, x), a=apart(3, 4))
    for name in ("relu6", "leaky_relu", "elu"):
        kinks = activations.KINKS[name.replace("_", "-")]
        yield name, recipe(getattr(activations, name), a=away_from(kinks, 3, 4))
    yield "prelu", recipe(activations.prelu, a=away_from(zero, 3, 4), slope=normal(4))
    # Drawing the same at every evaluation makes the random function a fixed one.
    yield "rrelu", recipe(lambda x: activations.rrelu(x, np.random.default_rng(0)), a=away_from(zero, 3, 4))
    condition = np.arange(12).reshape(3, 4) % 3 == 1
    yield "where", recipe(lambda x, y: ops.where(condition, x, y), a=a, b=row)
    for name in ("sum", "mean", "max", "min", "prod", "var", "std", "norm"):
        reduce, of = getattr(ops, name), apart if name in ("max", "min") else normal
        yield name, recipe(reduce, a=of(3, 4))
        yield f"{name} (axis)", recipe(lambda x, f=reduce: f(x, axis=0), a=of(3, 4))
        yield f"{name} (axes, keepdims)", recipe(lambda x, f=reduce: f(x, (0, -1), True), a=of(2, 3, 4))
    yield "prod (zeros)", recipe(lambda x: ops.prod(x, axis=1), a=lambda rng: a(rng) * ZEROS)
    yield "var (correction)", recipe(lambda x: ops.var(x, axis=-1, correction=1), a=a)
    yield "std (correction)", recipe(lambda x: ops.std(x, axis=(0, 1), correction=1.5), a=a)
    yield "cumsum", recipe(ops.cumsum, a=a)
    yield "cumsum (axis)", recipe(lambda x: ops.cumsum(x, axis=-2), a=normal(2, 3, 4))
    yield "squeeze", recipe(ops.squeeze, a=normal(1, 3, 1))
    yield "squeeze (axis)", recipe(lambda x: ops.squeeze(x, axis=-1), a=normal(1, 3, 1))
    yield "expand_dims", recipe(lambda x: ops.expand_dims(x, (0, -1)), a=a)
    yield "unsqueeze", recipe(lambda x: ops.unsqueeze(x, 1), a=a)
    yield "flatten", recipe(lambda x: ops.flatten(x, 1, -2), a=normal(2, 3, 2, 2))
    yield "pad", recipe(lambda x: ops.pad(x, ((1, 2), (0, 3)), 0.5), a=a)
    yield "clone", recipe(ops.clone, a=a)
    yield "to", recipe(lambda x: ops.to(x, x.device), a=a)
    for equation, shapes in EQUATIONS.items():
        operands = {f"operand {i}": normal(*shape) for i, shape in enumerate(shapes)}
        yield f"einsum ({equation})", recipe(partial(ops.einsum, equation), **operands)
    yield "reshape", recipe(lambda x: ops.reshape(x, (2, -1)), a=a)
    yield "transpose", recipe(lambda x: ops.transpose(x, (2, 0, -2)), a=normal(2, 3, 4))
    yield "astype", recipe(lambda x: ops.astype(x, np.float64), a=a)
    yield "contiguous", recipe(lambda x: ops.contiguous(ops.transpose(x)), a=a)
    yield "broadcast_to", recipe(lambda x: ops.broadcast_to(x, (5, 3, 4)), a=column)
    yield "getitem (slices)", recipe(lambda x: x[1:, ::-2], a=a)
    yield "getitem (integer)", recipe(lambda x: x[-1], a=a)
    yield "getitem (repeated)", recipe(lambda x: x[np.array([0, 2, 0, 0])], a=a)
    yield "getitem (mask)", recipe(lambda x: x[condition], a=a)
    yield "concatenate", recipe(lambda *xs: ops.concatenate(xs, axis=-1), a=a, b=normal(3, 2))
    yield "stack", recipe(lambda *xs: ops.stack(xs, axis=1), a=a, b=normal(3, 4))
    yield "split", recipe(lambda x: ops.split(x, [1, 3], axis=1), a=a)
    yield "unstack", recipe(lambda x: ops.unstack(x, axis=1), a=a)


def _halves(function: Function, draw: Draw) -> Recipe:
    """A function of two arrays between whose elements there are no ties: the two halves of one draw."""

    def build(rng: np.random.Generator) -> tuple[Function, Inputs]:
        a, b = draw(rng)
        return function, {"a": a, "b": b[:1]}

    return build


def functional_recipes() -> Iterator[tuple[str, Recipe]]:
    """The operations of neural networks."""
    scores, logits, mask = normal(3, 5), normal(3, 2, 5), np.arange(5) < np.array([[5], [2], [0]])
    targets = np.array([[3, 0], [1, 3], [4, 3]])
    yield "log_softmax", recipe(functional.log_softmax, a=scores)
    yield "softmax", recipe(lambda x: functional.softmax(x, axis=0), a=scores)
    yield "softmax (masked)", recipe(lambda x: functional.softmax(x, mask=mask), a=scores)
    losses: dict[str, dict[str, Any]] = {
        **{reduction: {"reduction": reduction} for reduction in ("mean", "sum", "none")},
        "ignored": {"ignore_index": 3},
        "smoothed": {"label_smoothing": 0.2},
        "smoothed, ignored": {"label_smoothing": 0.2, "ignore_index": 3},
    }
    for label, options in losses.items():
        loss = partial(functional.cross_entropy, targets=targets, **options)
        yield f"cross_entropy ({label})", recipe(loss, logits=logits)
        if "smoothed" not in label:
            likelihood = partial(functional.nll_loss, targets=targets, **options)
            yield f"nll_loss ({label})", recipe(likelihood, logits=logits)
    for reduction in ("mean", "sum", "none"):
        squares = partial(functional.mse_loss, reduction=reduction)
        yield f"mse_loss ({reduction})", recipe(squares, predictions=scores, targets=normal(3, 5))
        binary = partial(functional.binary_cross_entropy_with_logits, reduction=reduction)
        inputs = {"logits": scores, "targets": fraction(3, 5)}
        yield f"binary_cross_entropy_with_logits ({reduction})", recipe(binary, **inputs)
    yield "pack", recipe(lambda x: functional.pack(x, np.array([3, 1])), x=logits)
    pictures, filters = normal(2, 2, 5, 4), normal(3, 2, 3, 2)
    for label, stride in (("stretches", 1), ("strides", (2, 1))):
        convolve: Any = partial(functional.conv2d, stride=stride, padding=(1, 2))
        yield f"conv2d ({label})", recipe(convolve, x=pictures, w=filters, b=normal(3))
        pooled: dict[str, Any] = {"stride": stride, "padding": 1}
        pool = partial(functional.max_pool2d, kernel_size=(3, 2), **pooled)
        yield f"max_pool2d ({label})", recipe(pool, x=apart(2, 2, 5, 4))
        yield f"avg_pool2d ({label})", recipe(partial(functional.avg_pool2d, kernel_size=2, **pooled), x=pictures)
    query, keys = normal(3, 4), normal(3, 2, 4)
    yield "additive_scores", recipe(functional.additive_scores, query=query, keys=keys, w=normal(4))
    yield "dot_scores", recipe(functional.dot_scores, query=query, keys=keys)
    yield "weighted_sum", recipe(functional.weighted_sum, weights=normal(3, 2), values=keys)
    weight, bias = normal(2, 5), normal(2)

    def shared(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return functional.linear(x, w, b) * functional.linear(functional.linear(x, w, b) @ w, w, b)

    # Few rows, used twice: the gradient of the weight is then collected first.
    yield "linear (shared)", recipe(shared, x=normal(1, 5), weight=weight, bias=bias)
    yield "linear", recipe(functional.linear, x=logits, weight=weight, bias=bias)
    at = np.array([[0, 2, 0], [1, 1, 1]])
    yield "sum_by_id", recipe(lambda weights: functional.sum_by_id(weights, at, 3), weights=normal(2, 2, 3))
    yield "embedding", recipe(lambda w: functional.embedding(w, np.array([[0, 2], [2, 2]])), weight=scores)
    for label, shared_axis in (("", None), (" (shared)", 0)):

        def dropped(x: Tensor, axis: int | None = shared_axis) -> Tensor:
            return functional.dropout(x, 0.4, np.random.default_rng(0), shared=axis)

        yield f"dropout{label}", recipe(dropped, a=scores)
    factors = np.linspace(-1, 2, 15).reshape(3, 5)
    yield "scale", recipe(lambda x: functional.scale(x, factors), a=scores)
    yield "layer_norm", recipe(functional.layer_norm, a=logits, gain=normal(5), bias=normal(5))


def cell_recipes() -> Iterator[tuple[str, Recipe]]:
    """Every cell through time, both directions, with and without padding."""
    for name in CELL_NAMES:
        yield from _cell_recipes(name, name)


def _cell_recipes(name: str, cell: str | Cell) -> Iterator[tuple[str, Recipe]]:
    some_padded = np.array([4, 1, 2])
    yield f"cell {name}", partial(through_time, cell, None, False)
    yield f"cell {name} (lengths)", partial(through_time, cell, some_padded, False)
    yield f"cell {name} (reverse, lengths)", partial(through_time, cell, some_padded, True)


def cases_of_cell(name: str, cell: Cell, seed: int = 0) -> list[tuple[str, Function, Inputs]]:
    """The cases of a cell that is none of minirnn's, by itself and in layers."""
    recipes: dict[str, Recipe] = dict(_cell_recipes(name, cell))
    recipes[f"layer {name} (2 layers, 2 directions, lengths)"] = partial(deep_recipe, cell)
    return [(case, *make(stream(seed, case))) for case, make in recipes.items()]


def through_time(cell: str | Cell, lengths: Any, reverse: bool, rng: np.random.Generator) -> tuple[Function, Inputs]:
    """The recipe of a cell: x, all weights and the first state."""
    T, B, I, H = 4, 3, 2, 3
    cell = make_cell(cell)
    shapes = cell.weight_shapes(I, H)

    def draw() -> Inputs:
        weights = {key: rng.uniform(-1, 1, shape) for key, shape in shapes.items()}
        state = {f"state {i}": rng.standard_normal((B, H)) for i in range(cell.num_states)}
        return {"x": rng.standard_normal((T, B, I)), **weights, **state}

    def function(x: Tensor, *rest: Tensor) -> Any:
        weights = dict(zip(shapes, rest[: len(shapes)], strict=True))
        return unroll(cell, x, weights, rest[len(shapes) :], lengths, reverse)

    return function, clear_of_kinks(cell, draw, lambda inputs: function(*map(Tensor, inputs.values())))


def layer_recipes() -> Iterator[tuple[str, Recipe]]:
    """Every layer, by its input and all its parameters, and the models that are not translated with."""
    yield "layer LayerNorm", module_recipe(lambda rng: LayerNorm(4, **DOUBLE), x=normal(2, 3, 4))
    yield "layer PReLU", module_recipe(lambda rng: PReLU(4, **DOUBLE), x=away_from((0.0,), 2, 3, 4))
    yield "layer Linear", module_recipe(_double(partial(Linear, 3, 2)), x=normal(2, 2, 3))
    yield from adaptive_softmax_recipes()
    yield "layer Conv2d", module_recipe(_double(partial(Conv2d, 2, 3, (2, 3), padding=1)), x=normal(2, 2, 3, 4))
    make: Any = partial(Embedding, 4, 3)
    yield "layer Embedding", module_recipe(_double(make), lambda table: table(np.array([[1, 3], [1, 0]])))

    def dropped(drop: Dropout, x: Tensor) -> Tensor:
        drop.rng = np.random.default_rng(0)
        return drop(x)

    yield "layer Dropout", module_recipe(lambda rng: Dropout(0.3), dropped, x=normal(3, 4))
    for name in CELL_NAMES:
        yield f"layer {name} (2 layers, 2 directions, lengths)", partial(deep_recipe, name)
    ids = np.array([[1, 3], [0, 2], [3, 3]])
    for pooling in POOLINGS:
        make = partial(SequenceClassifier, 4, 3, 2, cell="lstm", num_layers=2, pooling=pooling, embedding_size=2)
        yield f"model SequenceClassifier ({pooling})", module_recipe(_double(make), lambda model: model(ids, [3, 1]))
    for sides in SIDES:
        make = partial(ClozeModel, 4, 2, sides=sides, embedding_size=2)
        yield f"model ClozeModel ({sides})", module_recipe(_double(make), lambda model: model(ids))
    for label, size in (("one-hot", None), ("embedding", 2)):
        make = partial(LanguageModel, 4, 3, cell="lstm", embedding_size=size)
        yield f"model LanguageModel ({label})", module_recipe(_double(make), lambda model: model(ids))
    adaptive: Any = partial(LanguageModel, 4, 3, cell="lstm", embedding_size=2, softmax="adaptive", cutoffs=[1, 3])
    yield (
        "model LanguageModel (adaptive)",
        module_recipe(_double(adaptive), lambda model: model.loss(ids, ids[::-1])[0]),
    )


def _double(make: Callable[..., Module]) -> Callable[[np.random.Generator], Module]:
    return lambda rng: make(rng=rng, **DOUBLE)


def deep_recipe(cell: str | Cell, rng: np.random.Generator) -> tuple[Function, Inputs]:
    """The recipe of a recurrent layer of two layers in both directions, over sequences of different lengths."""
    cell = make_cell(cell)
    # Two normalised features are ±1: a step function, which differences cannot follow.
    H = 5 if cell.adds_bias else 2

    def draw() -> tuple[Recurrent, np.ndarray]:
        deep = Recurrent(cell, H, H, 2, bidirectional=True, rng=rng, **DOUBLE)
        if cell.adds_bias:  # what is normalised is the same, three times as large, and a nudge weighs less
            for name in deep.named_parameters():
                if name[0] in "WU":
                    getattr(deep, name).data *= 3
        return deep, rng.standard_normal((3, 2, H))

    def through(deep: Recurrent, x: Tensor) -> Any:
        deep.dropout.rng = np.random.default_rng(0)  # what a cell draws is drawn alike at every evaluation
        return deep(x, None, np.array([3, 1]))

    deep, x = clear_of_kinks(cell, draw, lambda point: through(point[0], Tensor(point[1])))
    return lambda x, *_: through(deep, x), {"x": x, **deep.named_parameters()}
