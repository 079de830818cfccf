"""Data-parallel training: each rank computes with its columns of a batch, and all make the same step.

The loss of a batch is a mean over its tokens. Of n ranks, rank r has c_r of them, with a mean loss L_r:

    (1)  L  = Σ_r c_r L_r / Σ_r c_r
    (2)  dw = Σ_r c_r dw_r / Σ_r c_r

The mean of means, Σ_r L_r / n, would be another loss, in which the words of short sentences count for more. The sums go
through *one* buffer (Allreduce): the gradients of all weights one after the other, and the loss and the counts behind
them. After it every rank has the same bits, clips them alike, and its own optimiser makes the same step: weights are
sent once, at the beginning, and never again.

What a rank draws (dropout, scheduled sampling, rewarded sentences) comes from a stream of its own: the same masks on
all ranks would be the same mistake n times. What the ranks draw together (which examples are in a batch) does not.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array, array_module, like, to_host
from minirnn.errors import InputError, MinirnnError
from minirnn.layers import Module
from minirnn.training.optimizers import Optimizer
from minirnn.training.ranks import Ranks
from minirnn.training.task import Carry, Divisible, Keeping, Mixing, Task, sum_of

BATCH_AXIS = 1
"""Of a carried state (layers, batch, hidden_size)."""


def divisible(task: Task) -> Divisible:
    """The task, whose batches can be divided.

    Raises:
        InputError: they cannot.
    """
    if not isinstance(task, Divisible):
        name = type(task).__name__
        raise InputError(f"the batches of a {name} cannot be divided among processes: give it `width` and `part`")
    return task


def gradient_together(
    ranks: Ranks, task: Task, optimizer: Optimizer, batch: Any, carry: Carry, step: int
) -> tuple[Array, int, Carry]:
    """Leave in every parameter's `grad`, on every rank, the gradient of the mean loss of a whole batch.

    Args:
        ranks: who takes part. A rank without a column of the batch adds nothing.
        task, batch: what is learned; all ranks have drawn the same batch.
        optimizer: of the parameters.
        carry: the state of this rank's columns.
        step: as for `Task.loss`.

    Returns:
        The loss of the whole batch, its tokens, and the state of this rank's columns to carry on.
    """
    one = divisible(task)
    width = one.width(batch)
    at = ranks.columns(width)
    own, tokens, weight = None, 0, 0
    if at.stop > at.start:
        own, tokens, weight, carry = _own_share(task, one.part(batch, at), batch, carry, step)
    optimizer.zero_grad()
    if own is not None:
        own.backward()
    if isinstance(task, Keeping) and task.kept:
        mean = ranks.add_up(np.array(list(task.kept.values())) * ((at.stop - at.start) / width))
        task.kept.update(zip(task.kept, mean.tolist(), strict=True))
    parameters = [p for p in optimizer.parameters.values() if p.requires_grad]
    loss, tokens = add_up_gradients(ranks, parameters, own, weight, tokens)
    return loss, tokens, carry


def _own_share(task: Task, part: Any, batch: Any, carry: Carry, step: int) -> tuple[Tensor, int, int, Carry]:
    """The summed loss of a part of a batch, its tokens, what the sum has to be divided by in the end, and the carry."""
    if not isinstance(task, Mixing):
        loss, tokens, carry = task.loss(part, carry, step)
        return loss * float(tokens), tokens, tokens, carry
    means, tokens = task.means(part, step)
    have, all_have = task.sizes(part), task.sizes(batch)
    columns, all_columns = (divisible(task).width(one) for one in (part, batch))
    # Each mean counts by its own size, (1). The columns are multiplied in here, and divided out when all is added up.
    shares = [mean * (all_columns * have[name] / all_have[name]) for name, mean in means.items()]
    return sum_of(shares), tokens, columns, carry


def add_up_gradients(
    ranks: Ranks, parameters: Sequence[Tensor], loss: Tensor | None, weight: int, tokens: int
) -> tuple[Array, int]:
    """Equations (1) and (2), from the gradients of each rank's summed loss. From a GPU the buffer goes by the host.

    A parameter that no rank has used keeps no gradient: to an optimiser that is not the same as zero. So beside the
    gradients goes how many ranks have one. In float32 counts are exact up to 2²⁴, which is more tokens than a step has.

    Returns:
        The loss, and the sum of the tokens.
    """
    first = parameters[0].data
    xp = array_module(first)
    used = np.array([*(p.grad is not None for p in parameters), weight, tokens], first.dtype)
    flat = [xp.zeros(p.size, p.dtype) if p.grad is None else p.grad.reshape(-1) for p in parameters]
    total = xp.zeros(1, first.dtype) if loss is None else loss.data.reshape(-1)
    summed = ranks.add_up(to_host(xp.concatenate([*flat, like(used, first), total])))
    *used_by, weight_of_all, tokens_of_all, loss_of_all = summed[-len(used) - 1 :].tolist()
    summed = summed[: -len(used) - 1]
    summed /= weight_of_all
    summed, start = like(summed, first), 0
    for p, count in zip(parameters, used_by, strict=True):
        piece, start = summed[start : start + p.size].reshape(p.shape), start + p.size
        p.grad = piece.astype(p.dtype, copy=False) if count else None
    return np.asarray(loss_of_all / weight_of_all), round(tokens_of_all)


def stream(kind: type, seed: int, step: int, rank: int) -> dict[str, Any]:
    """The state of a generator's bit generator, of this kind, with which a rank begins at a step."""
    return kind(np.random.SeedSequence(seed, spawn_key=(step, rank))).state


def begin_alike(ranks: Ranks, model: Module, optimizer: Optimizer) -> None:
    """Give all ranks the weights of rank 0, and what its optimiser remembers."""
    if ranks.size == 1:
        return
    for whole in (model, optimizer):
        state = send_arrays(ranks, whole.state_dict() if ranks.leads else {})
        if not ranks.leads:
            whole.load_state_dict(state)


def send_arrays(ranks: Ranks, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of rank 0, on all ranks: one after the other, for each takes its memory twice more on its way."""
    names = ranks.broadcast(list(arrays))
    return {name: ranks.broadcast(arrays[name] if ranks.leads else np.empty(0)) for name in names}


def check_alike(ranks: Ranks, model: Module, step: int) -> None:
    """See that the weights are the same on all ranks.

    Raises:
        MinirnnError: some are not: something has been changed on one rank alone, or their machines compute differently.
    """
    sums = ranks.gather(_checksum(model.state_dict()) if ranks.size > 1 else 0)
    if other := [rank for rank, found in enumerate(sums) if found != sums[0]]:
        raise MinirnnError(f"by step {step} the weights of rank {other[0]} are no longer those of rank 0")


def _checksum(state: Mapping[str, np.ndarray]) -> int:
    found = 0
    for array in state.values():
        found = zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, found)
    return found


def whole_carry(ranks: Ranks, carry: Carry) -> list[np.ndarray]:
    """The carried states of the whole batch, from those of each rank's columns."""
    own = () if carry is None else carry if isinstance(carry, tuple) else (carry,)
    parts = [part for part in ranks.gather([to_host(state.data) for state in own]) if part]
    if len(parts) < 2:
        return parts[0] if parts else []
    return [np.concatenate(states, axis=BATCH_AXIS) for states in zip(*parts, strict=True)]


def own_carry(ranks: Ranks, carry: Sequence[np.ndarray], reference: Array) -> Carry:
    """The carried state of this rank's columns, where `reference` is; the inverse of `whole_carry`."""
    if ranks.size > 1 and carry:
        at = ranks.columns(carry[0].shape[BATCH_AXIS])
        carry = [state[:, at] for state in carry] if at.stop > at.start else []
    states = tuple(Tensor(like(np.ascontiguousarray(state), reference)) for state in carry)
    return None if not states else states[0] if len(states) == 1 else states
