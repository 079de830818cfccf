"""How tests start processes under `mpiexec` of whatever MPI mpi4py finds."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minirnn.training import ranks

HERE = Path(__file__).parent


@functools.cache
def find_mpiexec():
    """The `mpiexec` beside this Python, or else of the system; None where it or mpi4py is missing or does not work."""
    found = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    if found is None or ranks.launched() != (0, 1):
        return None
    about = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
    command = [found, *(("--allow-run-as-root", "--oversubscribe") if "Open" in about else ())]
    ask = [*command, "-n", "2", sys.executable, "-c", "from mpi4py import MPI; print(MPI.COMM_WORLD.Get_size())"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return None
    return command if answer.stdout.count("2") == 2 else None  # perhaps on one line: both write at once


def command(size, *arguments):
    """Python with these arguments, in so many processes; 0 means without `mpiexec`. Without one the test is skipped."""
    found = find_mpiexec()
    if found is None:
        pytest.skip("needs mpi4py and an MPI: pip install mpi4py mpich")
    return [*([*found, "-n", str(size)] if size else []), sys.executable, *map(str, arguments)]


def environment(**more):
    path = os.pathsep.join(map(str, (HERE.parents[1], HERE.parent)))
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", **more}


def run(size, *arguments, cwd=None):
    """What comes of it."""
    return subprocess.run(
        command(size, *arguments), capture_output=True, text=True, env=environment(), cwd=cwd, timeout=120
    )
