"""What users want done while a `Trainer` trains, and when it is to stop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from minirnn.training.loop import Trainer


class Callback:
    """Called by a `Trainer` after each step and after each validation. A subclass overrides what it needs:

        class GoodEnough(Callback):
            def on_validation(self, trainer, row):
                return row["valid_loss"] < 0.1

        Trainer(task, optimizer, callbacks=[GoodEnough()]).train(100)

    Whoever returns True ends the training after that; None and False let it go on. A run that was ended keeps its
    checkpoint, and can go on from there.

    What there is to read of a trainer:

        place           how far it is: `epoch` epochs and `batch` batches of the next are done, `step` steps in all
        last_loss       of the last step; on a GPU reading it waits for that step
        history         the rows of all validations, the latest last
        task.model      the model: at a step in training mode and with its gradients, clipped if there is a `clip`; at a
                        validation in evaluation mode
        optimizer       with its `learning_rate`, which may also be set; but a `schedule` sets it anew at each step

    A run that is resumed ends with the very weights of one that was never interrupted. That holds with callbacks too
    that only look: one that draws from `task.rng` or changes weights has to be itself a function of the place.
    """

    def on_step(self, trainer: Trainer[Any]) -> bool | None:
        """After a step: the weights have changed. Returns whether to stop."""

    def on_validation(self, trainer: Trainer[Any], row: dict[str, Any]) -> bool | None:
        """After a validation, with its row of the history. Returns whether to stop."""


def checked(callbacks: Iterable[Callback]) -> list[Callback]:
    """Callbacks as a list.

    Raises:
        TypeError: something among them is none.
    """
    if isinstance(callbacks, Callback):
        raise TypeError("callbacks must be a list: write [callback]")
    found = list(callbacks)
    for one in found:
        if not isinstance(one, Callback):
            what = f"the class {one.__name__}" if isinstance(one, type) else f"a {type(one).__name__}"
            raise TypeError(f"expected callbacks, objects of a subclass of minirnn.Callback, not {what}")
    return found


def wants_to_stop(name: str, answer: object) -> bool:
    """What a callback has answered.

    Raises:
        TypeError: neither yes nor no: a number, say, would be taken for yes.
    """
    if answer is not None and not isinstance(answer, (bool, np.bool_)):
        raise TypeError(f"{name} must return True, False or None, not {answer!r:.40}")
    return bool(answer)
