"""Ranks without MPI: threads of this process, which meet at a barrier wherever ranks would speak to each other."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

from minirnn.training import Ranks


class _Group:
    def __init__(self, size):
        self.barrier, self.said = threading.Barrier(size, timeout=60), [None] * size
        self.calls, self.numbers = 0, 0


class ThreadRank(Ranks):
    """One of the threads. `calls` and `numbers` say how often arrays have been added up, and of how many numbers."""

    def __init__(self, group, rank):
        self.group, self.rank, self.size = group, rank, len(group.said)

    def _say(self, what):
        self.group.said[self.rank] = what
        self.group.barrier.wait()
        said = list(self.group.said)
        self.group.barrier.wait()
        return said

    def add_up(self, array):
        if self.leads:
            self.group.calls, self.group.numbers = self.group.calls + 1, self.group.numbers + array.size
        array[...] = sum(self._say(array.copy())[1:], start=self._say(array.copy())[0])
        return array

    def broadcast(self, what):
        return pickle.loads(self._say(pickle.dumps(what if self.leads else None))[0])

    def gather(self, what):
        return [pickle.loads(one) for one in self._say(pickle.dumps(what))]


def together(size, train):
    """`train` of each of so many ranks, at the same time; what each returned. An error of one ends all."""
    group = _Group(size)

    def act(rank):
        try:
            return train(ThreadRank(group, rank))
        except BaseException:
            group.barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        futures = [pool.submit(act, rank) for rank in range(size)]
    errors = [error for future in futures if (error := future.exception())]
    for error in sorted(errors, key=lambda error: isinstance(error, threading.BrokenBarrierError)):
        raise error
    return [future.result() for future in futures]
