"""An output layer for large vocabularies: a softmax in which rare words share an entry, and another one behind it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer, number, shown
from minirnn.autograd.losses import Reduction, check_reduction, cross_entropy, log_softmax
from minirnn.autograd.pieces import concatenate, split
from minirnn.autograd.sequences import check_ids, embedding
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import Ids
from minirnn.errors import InputError
from minirnn.layers.basic import Linear
from minirnn.layers.containers import ModuleList, Sequential
from minirnn.layers.module import Module
from minirnn.layers.printing import arguments

SMALLEST = 25
"""Classes from which on there are cutoffs by default."""


def default_cutoffs(n_classes: int) -> tuple[int, int]:
    """V/25 and V/5, the cutoffs where none are given: in a text the most frequent 4 % of the words make up three
    quarters of it or more, and the rarest 80 % a tenth or less. (The models of runs that name no cutoffs have these.)

    Raises:
        InputError: there are too few classes.

        >>> default_cutoffs(50_000)
        (2000, 10000)
    """
    if n_classes < SMALLEST:
        raise InputError(f"{n_classes} classes are too few for an adaptive softmax, which pays from thousands on: "
                         'take softmax="full"')  # fmt: skip
    return n_classes // 25, n_classes // 5


class AdaptiveSoftmax(Module):
    """The distribution over very many classes, at the price of few (Grave, Joulin, Cissé, Grangier & Jégou 2017,
    "Efficient softmax approximation for GPUs").

    With cutoffs c_1 < … < c_n the classes 0 … c_1-1 are the *shortlist*, and c_i … c_{i+1}-1 the i-th *cluster*, the
    last up to V-1. The head is a softmax over the shortlist and one entry for each cluster; a class of a cluster has
    the probability of the cluster times its own within it:

        p = softmax(W_0 x + b_0)                      (c_1 + n entries)
        q_i = softmax(V_i U_i x)                      (c_{i+1} - c_i entries, U_i: d features to d / div^i)
        P(w) = p_w                                    w in the shortlist
        P(w) = p_{c_1+i-1} · q_i,w-c_i                w in the cluster i

    This is a proper distribution: all P(w) sum to one, and the loss is that of this distribution, nothing is sampled.
    It is another family of models than one softmax over V, though: a rare word is told from other rare words by few
    features. Where the target is known, as in training, a cluster is computed only where the target is in it, and V
    scores are never there together.

    The classes should be in order of falling frequency, as the ids of `Vocabulary.build` are (`<unk>`, whose id is 0
    whatever its frequency, is in the shortlist). In any other order everything here holds as well, but a frequent class
    in a cluster makes it slow, and is predicted from few features.

    Args:
        in_features: d.
        n_classes: V.
        cutoffs: c_1, …, c_n, ascending, from 1 to V-1; None for those of `default_cutoffs`.
        div_value: div, above 0: by how much the features become fewer from cluster to cluster.
        head_bias: whether there is a b_0.
        rng: a generator or seed for the initial weights.
        dtype: float32 or float64.

    Names, and those of the weights, are as for `torch.nn.AdaptiveLogSoftmaxWithLoss`.

    Raises:
        InputError: a number or the dtype is out of its range, or the cutoffs are not as above.

        >>> layer = AdaptiveSoftmax(8, 100, cutoffs=[10, 40], rng=0)
        >>> x = Tensor(np.ones((5, 8), np.float32))
        >>> log_p = layer(x)
        >>> log_p.shape, np.exp(log_p.data).sum(axis=-1).round(4).tolist()
        ((5, 100), [1.0, 1.0, 1.0, 1.0, 1.0])
        >>> layer.loss(x, np.array([3, 99, 10, 0, 41])).shape
        ()
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int] | None = None,
        div_value: float = 4.0,
        head_bias: bool = False,
        *,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        self.in_features, self.n_classes = integer("in_features", in_features), integer("n_classes", n_classes)
        self.cutoffs = default_cutoffs(self.n_classes) if cutoffs is None else _checked(cutoffs, self.n_classes)
        self.div_value = number("div_value", div_value, above=0)
        rng = backend.generator(rng)

        def linear(features: int, classes: int, bias: bool = False) -> Linear:
            return Linear(features, classes, bias, rng=rng, dtype=dtype)

        d, clusters = self.in_features, len(self.cutoffs)
        self.head = linear(d, self.cutoffs[0] + clusters, head_bias)
        self.tail = ModuleList()
        for i, size in enumerate(self._sizes()[1:], start=1):
            features = max(1, int(d // self.div_value**i))
            self.tail.append(Sequential(linear(d, features), linear(features, size)))

    def _sizes(self) -> list[int]:
        """The classes of the shortlist, and of each cluster."""
        ends = [0, *self.cutoffs, self.n_classes]
        return [end - start for start, end in itertools.pairwise(ends)]

    def extra_repr(self) -> str:
        """in_features, n_classes, the cutoffs, and what is not as usual."""
        return arguments(
            self.in_features,
            self.n_classes,
            list(self.cutoffs),
            div_value=(self.div_value, 4.0),
            head_bias=(self.head.bias is not None, False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The logarithm of the probability of every class: x (…, in_features) to (…, V).

        They can be taken for logits: log_softmax(log P) = log P.
        """
        shortlist, *clusters = split(log_softmax(self.head(x)), [self.cutoffs[0], *[1] * len(self.tail)], axis=-1)
        within = (log_softmax(tail(x)) for tail in self.tail)
        return concatenate([shortlist, *(p + q for p, q in zip(clusters, within, strict=True))], axis=-1)

    def loss(
        self, x: Tensor, targets: Ids, *, ignore_index: int | None = None, reduction: Reduction = "mean"
    ) -> Tensor:
        """The negative log-likelihood of `targets`, in nats: `nll_loss(self(x), targets)`, without computing the
        clusters where the target is not in them.

        Which rows a cluster has to see decides about the shapes, which the host must know. So targets on a GPU are
        fetched, and the host waits for them, once; targets on the host, as all batches have them, let nothing wait.

        Args:
            x: (…, in_features).
            targets: integers (…); host ids are checked against the number of classes.
            ignore_index, reduction: as for `cross_entropy`.

        Raises:
            InputError: as `cross_entropy`.
        """
        check_reduction(reduction)
        require_tensor(x)
        targets = backend.to_host(check_ids(targets, self.n_classes, "target", ignore_index))
        if targets.shape != x.shape[:-1]:
            raise InputError(f"targets of shape {targets.shape} do not fit features of shape {x.shape}")
        places, counts = self._by_cluster(targets.reshape(-1), ignore_index)
        rows = embedding(x.reshape(-1, self.in_features), places)  # which gives rows by number, of whatever they are
        losses = self._losses(rows, targets.reshape(-1)[places], counts)
        if reduction == "none":
            return _put_back(losses, places, targets.shape)
        total = losses.sum()
        return total / max(len(places), 1) if reduction == "mean" else total

    def _by_cluster(self, targets: np.ndarray, ignore_index: int | None) -> tuple[np.ndarray, list[int]]:
        """Where the targets are that count: those of the shortlist first, then cluster after cluster; and how many
        each has."""
        of = np.searchsorted(self.cutoffs, targets, side="right")
        if ignore_index is not None:
            of[targets == ignore_index] = -1
        places = [np.flatnonzero(of == i) for i in range(len(self.cutoffs) + 1)]
        return np.concatenate(places), [len(part) for part in places]

    def _losses(self, rows: Tensor, target: np.ndarray, counts: list[int]) -> Tensor:
        """-log P of each target, sorted as `_by_cluster` does: -log p of the shortlist's entry or the cluster's, and in
        a cluster also -log q."""
        first = self.cutoffs[0]
        entry = np.where(target < first, target, first - 1 + np.repeat(np.arange(len(counts)), counts))
        of_head = cross_entropy(self.head(rows), entry, reduction="none")
        shortlisted, *of_clusters = split(of_head, counts)
        starts, parts = np.cumsum(counts), split(rows, counts)[1:]
        # A cluster without a target has no rows, which costs nothing; the gradient of its weights is zero, and not
        # none, so that all batches, and all processes of a training, have gradients of the same weights.
        for i, tail in enumerate(self.tail):
            within = target[starts[i] : starts[i + 1]] - self.cutoffs[i]
            of_clusters[i] = of_clusters[i] + cross_entropy(tail(parts[i]), within, reduction="none")
        return concatenate([shortlisted, *of_clusters])


def _put_back(losses: Tensor, places: np.ndarray, shape: tuple[int, ...]) -> Tensor:
    """The losses at their places in an array of this shape, and 0 elsewhere."""
    came_from = np.full(int(np.prod(shape)), len(places))
    came_from[places] = np.arange(len(places))
    zero = Tensor(backend.array_module(losses.data).zeros(1, dtype=losses.dtype))
    return concatenate([losses, zero])[came_from].reshape(shape)


def _checked(cutoffs: Sequence[int], n_classes: int) -> tuple[int, ...]:
    """The cutoffs as integers.

    Raises:
        InputError: there are none, or they are not ascending from 1 to n_classes - 1.
    """
    found = tuple(integer("a cutoff", c, least=None) for c in cutoffs)
    if not found or list(found) != sorted({*found}) or not 1 <= found[0] <= found[-1] < n_classes:
        raise InputError(
            f"cutoffs must be ascending, from 1 to {n_classes - 1} where there are {n_classes} classes, "
            f"not {shown(list(cutoffs))}"
        )
    return found
