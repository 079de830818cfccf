"""What each rank does in `test_mpi.py`: `mpiexec -n SIZE python mpi_program.py FILE WHAT…`, and the same alone.

The weights and the history that it ends with go into FILE; those of every rank have to be alike.
"""

import json
import os
import signal
import sys
import time

import numpy as np
from shared_tasks import language

from minirnn import SGD, Adam, Callback, InputError, Trainer, data_parallel, num_threads, save_checkpoint


class GoWrong(Callback):
    """At the seventh step something happens, to one rank or, with -1, to all."""

    def __init__(self, what, rank):
        self.what, self.rank = what, int(rank)

    def on_step(self, trainer):
        if trainer.place.step != 7 or self.rank not in (-1, trainer.ranks.rank):
            return
        if self.what == "input":
            raise InputError("this cannot be read")
        if self.what == "memory":
            raise MemoryError
        if self.what == "bug":
            raise KeyError("a mistake")
        if self.what == "nan":
            trainer.optimizer.learning_rate = 1e300
        if self.what == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        if self.what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)


def train(ranks, optimizer, dtype, wrong=()):
    task = language(np.random.default_rng(0), np.dtype(dtype))
    kind, rate = {"sgd": (SGD, 0.5), "adam": (Adam, 0.01)}[optimizer]
    callbacks = [GoWrong(*wrong)] if wrong else []
    trainer = Trainer(task, kind(task.model.named_parameters(), rate), clip=0.4, callbacks=callbacks, progress=False,
                      ranks=ranks)  # fmt: skip
    trainer.train(3)
    return trainer


if __name__ == "__main__":
    file, optimizer, dtype, *wrong = sys.argv[1:]
    with np.errstate(all="ignore"), data_parallel() as ranks:
        trainer = train(ranks, optimizer, dtype, wrong)
        state = trainer.task.model.state_dict()
        for other in ranks.gather(state):
            assert all(np.array_equal(other[name], state[name]) for name in state)
        if ranks.leads:
            losses = [row["train_loss"] for row in trainer.history]
            save_checkpoint(file, state, {"losses": losses, "size": ranks.size, "threads": num_threads()})
            print(json.dumps(losses))
