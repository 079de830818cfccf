"""Who trains together: what a launcher says of it, what is said where there is no MPI, and how errors travel."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
from ranks_in_threads import together

from minirnn import InputError, MinirnnError, data_parallel, parallel
from minirnn.training import ranks
from minirnn.training.ranks import ALONE, current, launched


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, (0, 1)),
        ({"PMI_RANK": "1", "PMI_SIZE": "4"}, (1, 4)),
        ({"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "3", "PMIX_RANK": "2"}, (2, 3)),
        ({"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "8"}, (3, 8)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, (0, 1)),  # the script of sbatch, which is one process
        ({"PMI_RANK": "", "PMI_SIZE": "x"}, (0, 1)),
    ],
)
def test_the_launcher_says_how_many_there_are(environment, expected):
    assert launched(environment) == expected


def test_without_a_launcher_mpi4py_is_not_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)  # whose import fails
    monkeypatch.setattr(ranks, "launched", lambda: (0, 1))
    with data_parallel() as alone:
        assert alone is ALONE is current()
        assert (alone.rank, alone.size, alone.leads) == (0, 1, True)
        assert alone.columns(5) == slice(0, 5)


def test_several_processes_without_mpi4py_do_not_train_the_same_model_each(monkeypatch):
    monkeypatch.setattr(ranks, "launched", lambda: (0, 4))
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(InputError, match=r"training in 4 processes needs mpi4py and an MPI: .*minirnn\[parallel\]"):
        data_parallel().__enter__()
    monkeypatch.setattr(ranks, "launched", lambda: (1, 4))
    with pytest.raises(SystemExit, match="2"):  # in silence: it has been said
        data_parallel().__enter__()


def test_an_mpiexec_of_another_mpi_is_noticed(monkeypatch):
    """Each process would be the only one of its world, and train on its own."""
    world = SimpleNamespace(Get_size=lambda: 1)
    module = ModuleType("mpi4py")
    module.MPI = SimpleNamespace(COMM_WORLD=world, Get_library_version=lambda: "Open MPI v5.0.3, package: …")
    monkeypatch.setattr(ranks, "launched", lambda: (0, 4))
    monkeypatch.setitem(sys.modules, "mpi4py", module)
    with pytest.raises(InputError, match=r"4 processes, but mpi4py sees 1: .*\(Open MPI v5.0.3\); use the mpiexec"):
        data_parallel().__enter__()


def test_the_columns_of_all_ranks_are_a_batch():
    def columns(one):
        return [one.columns(width) for width in (0, 1, 5, 9)]

    for size in (2, 3, 8):
        for width, parts in zip((0, 1, 5, 9), zip(*together(size, columns), strict=True), strict=True):
            assert [i for part in parts for i in range(width)[part]] == list(range(width))
            sizes = [part.stop - part.start for part in parts]
            assert max(sizes) - min(sizes) <= 1


class OfItsOwnError(Exception):
    """An error that cannot be sent."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def test_all_raise_what_the_first_rank_raised():
    def fail(one, error):
        try:
            one.first(lambda: (_ for _ in ()).throw(error))
        except Exception as found:
            return repr(found)

    assert together(3, lambda one: fail(one, InputError("no"))) == [repr(InputError("no"))] * 3
    assert together(2, lambda one: fail(one, OfItsOwnError(1, 2))) == [repr(MinirnnError("1 and 2"))] * 2
    calls = []
    assert together(3, lambda one: one.first(lambda: calls.append(one.rank) or "it")) == ["it"] * 3
    assert calls == [0]


def test_a_share_of_the_cores_is_a_limit_unless_somebody_has_chosen(monkeypatch):
    before = parallel.num_threads()
    try:
        monkeypatch.setattr(parallel, "_at_first", lambda: 8)
        monkeypatch.setattr(parallel, "_chosen", [])
        parallel.limit_threads(3)
        assert parallel.num_threads() == 3
        parallel.limit_threads(2)
        assert parallel.num_threads() == 3
        monkeypatch.setattr(parallel, "_chosen", [])
        parallel.limit_threads(64)
        assert parallel.num_threads() == 8
    finally:
        monkeypatch.undo()
        parallel.one_thread_each.set_outside(before)
