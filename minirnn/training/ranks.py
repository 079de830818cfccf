"""The processes that train one model together: who they are, and how they talk.

`mpiexec -n 4 minirnn train …` begins the same program four times. Each process is a *rank*, numbered from 0, and has a
whole copy of the model. What they say to each other here is little: what one has found becomes known to all
(`broadcast`), what each has found does (`gather`), and arrays are added up (`add_up`). `training.sharing` makes a
training of it. A process on its own is a group of one, which has nothing to say to anybody.

MPI (Message Passing Interface Forum 1994) carries the words, by way of `mpi4py`, which is imported only where a
launcher has begun several processes.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, NoReturn, TypeVar

import numpy as np

from minirnn.errors import InputError, MinirnnError, install
from minirnn.parallel import cut, limit_threads

Result = TypeVar("Result")

LAUNCHERS = {
    "OMPI_COMM_WORLD_SIZE": "OMPI_COMM_WORLD_RANK",  # Open MPI
    "PMI_SIZE": "PMI_RANK",  # MPICH, Intel MPI, Microsoft MPI
    "MV2_COMM_WORLD_SIZE": "MV2_COMM_WORLD_RANK",  # MVAPICH
    "SLURM_STEP_NUM_TASKS": "SLURM_PROCID",  # srun
}
"""The variables by which a launcher says how many processes it has begun, and which of them this one is."""
GRACE = 2.0
"""Seconds that a rank with an error waits for the others to come with theirs, before it ends them."""
POLL = 1e-3
"""Seconds between two looks of a rank that waits for long: MPI itself would look all the time, on a core of its own."""


def launched(environment: Mapping[str, str] = os.environ) -> tuple[int, int]:
    """Which process of how many this is, as the launcher has it: (0, 1) without one."""
    for size, rank in LAUNCHERS.items():
        if environment.get(size, "").isdecimal() and environment.get(rank, "").isdecimal():
            return int(environment[rank]), int(environment[size])
    return 0, 1


class _Raised(NamedTuple):
    error: Exception


class Ranks:
    """A group of processes, as one of them sees it. This one is alone.

    Attributes:
        rank: which of them this is.
        size: how many there are.
    """

    rank, size = 0, 1

    @property
    def leads(self) -> bool:
        """Whether this is rank 0, which alone writes and reports."""
        return self.rank == 0

    def columns(self, width: int) -> slice:
        """Which of so many columns of a batch are this rank's: none, if there are fewer than ranks."""
        return cut(width, self.size)[self.rank]

    def add_up(self, array: np.ndarray) -> np.ndarray:
        """The sum of the arrays of all ranks, in place; each gets the same bits."""
        return array

    def broadcast(self, what: Result) -> Result:
        """What rank 0 has."""
        return what

    def gather(self, what: Result) -> list[Result]:
        """What each has, in the order of the ranks."""
        return [what]

    def meet(self) -> None:
        """Wait until all have come here, however long that takes."""

    def first(self, function: Callable[[], Result]) -> Result:
        """Let rank 0 do something while the others wait. All get what it returned, or raise what it raised."""
        if self.size == 1:
            return function()
        outcome: Any = _outcome(function) if self.leads else None
        self.meet()
        outcome = self.broadcast(outcome)
        if isinstance(outcome, _Raised):
            raise outcome.error
        return outcome


ALONE = Ranks()


def _outcome(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # one with a form of its own travels as what it says
            return _Raised(MinirnnError(str(error)))
        return _Raised(error)


class OverMPI(Ranks):
    """The processes of an MPI communicator.

    Args:
        comm: of `mpi4py`.
    """

    def __init__(self, comm: Any):
        from mpi4py import MPI

        self._mpi, self.comm, self.rank, self.size = MPI, comm, comm.Get_rank(), comm.Get_size()
        self._partings = comm.Dup()  # where nothing is mistaken for what a rank in the middle of a step waits for

    def add_up(self, array: np.ndarray) -> np.ndarray:  # noqa: D102
        self.comm.Allreduce(self._mpi.IN_PLACE, array)
        return array

    def broadcast(self, what: Any) -> Any:  # noqa: D102
        received = self.comm.bcast(what)
        return what if self.leads else received  # MPI has made a copy for rank 0 too

    def gather(self, what: Any) -> list[Any]:  # noqa: D102
        return self.comm.allgather(what)

    def meet(self) -> None:  # noqa: D102
        _arrives(self.comm.Ibarrier(), None)

    def part(self, failed: bool, patience: float | None = None) -> int | None:
        """Say goodbye, and learn which was the first rank that failed: `size` if none has. None if the others have not
        come within so many seconds: they are still at work, and wait for this one."""
        own, lowest = np.array([self.rank if failed else self.size]), np.zeros(1, np.int64)
        came = _arrives(self._partings.Iallreduce(own, lowest, self._mpi.MIN), patience)
        return int(lowest[0]) if came else None

    def cores_each(self) -> int:
        """The cores of this machine for each of the ranks on it. A launcher may have given each its own already, so
        those are counted that any of them may use."""
        here = self.comm.Split_type(self._mpi.COMM_TYPE_SHARED)
        own = set(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
        return max(1, len(set().union(*here.allgather(own))) // here.Get_size())


def _arrives(request: Any, patience: float | None) -> bool:
    until = None if patience is None else time.monotonic() + patience
    while not request.Test():
        if until is not None and time.monotonic() > until:
            return False
        time.sleep(POLL)
    return True


_current: ContextVar[Ranks] = ContextVar("ranks", default=ALONE)


def current() -> Ranks:
    """The ranks of the `data_parallel` block that is open; without one, this process alone."""
    return _current.get()


@contextmanager
def data_parallel() -> Iterator[Ranks]:
    """Inside the block, the processes that `mpiexec` has begun train together:

        with minirnn.data_parallel() as ranks:
            Trainer(task, optimizer, ranks=ranks).train(5)

    Of every batch each takes its columns, and all make the same step, with the gradient of the whole batch (see
    `minirnn.training.sharing`). Rank 0 alone has a run directory: `Run.create("runs/mine", {}) if ranks.leads else
    None`. Without `mpiexec` the block is one process alone, as ever.

    Where `set_num_threads` has said nothing, each rank computes with its share of the machine's cores. An error that
    all ranks come upon is raised on one of them, and the others end in silence; an error of one rank ends them all.

    Raises:
        InputError: there are several processes, but no MPI between them; says what is missing.
    """
    try:
        ranks = _found()
    except InputError:
        if launched()[0] > 0:
            sys.exit(2)  # the first says it
        raise
    if not isinstance(ranks, OverMPI):
        yield ranks
        return
    limit_threads(ranks.cores_each())
    token = _current.set(ranks)
    try:
        yield ranks
    except BaseException as error:
        _fail(ranks, error)
        raise
    else:
        ranks.part(failed=False)
    finally:
        _current.reset(token)


def _found() -> Ranks:
    """The ranks that a launcher has begun.

    Raises:
        InputError: they cannot talk to each other.
    """
    _, count = launched()
    if count == 1:
        return ALONE
    again = f"without it each of the {count} processes would train a model of its own"
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py is there, and no MPI
        raise InputError(
            f"training in {count} processes needs mpi4py and an MPI: {install('parallel')} mpich; {again} "
            f"({str(error).splitlines()[0]})"
        ) from error
    if MPI.COMM_WORLD.Get_size() != count:
        raise InputError(
            f"the launcher has begun {count} processes, but mpi4py sees {MPI.COMM_WORLD.Get_size()}: it belongs to "
            f"another MPI ({MPI.Get_library_version().split(',')[0].splitlines()[0]}); use the mpiexec of that one, or "
            "srun --mpi with what it speaks"
        )
    return OverMPI(MPI.COMM_WORLD)


def _fail(ranks: OverMPI, error: BaseException) -> None:
    """See that an error ends all ranks and is said once: returns on the one rank that is to raise it."""
    code, message = _explained(error)
    lowest = ranks.part(True, GRACE + 0.1 * ranks.rank)  # one after the other, so that one speaks
    if lowest is None:
        _abort(ranks, code, message)
    if lowest != ranks.rank:
        sys.exit()  # with 0: what `mpiexec` exits with is for the rank to say that says what has happened


def _abort(ranks: OverMPI, code: int, message: str) -> NoReturn:
    if message:
        print(f"minirnn: rank {ranks.rank} of {ranks.size}: {message}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    ranks.comm.Abort(code)
    os._exit(code)  # some MPIs come back from there


def _explained(error: BaseException) -> tuple[int, str]:
    """The exit status of an error, as of the command line, and what to say of it: of a mistake in a program, all."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1, ""
    if isinstance(error, KeyboardInterrupt):
        return 130, "interrupted"
    if isinstance(error, MemoryError):
        return 2, f"not enough memory{f': {error}' * bool(str(error))}"
    if isinstance(error, (MinirnnError, OSError)):
        return 2, " ".join(f"error: {error}".split())
    return 1, "".join(traceback.format_exception(error)).rstrip()
