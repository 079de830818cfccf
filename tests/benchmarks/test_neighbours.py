"""A computer that others use too. (`MINIRNN_THOROUGH=1` measures it: minutes, on a machine with nothing else to do.)"""

import os
import subprocess
import time

import pytest

from benchmarks import neighbours


def test_busy_processes_are_busy_and_ended():
    with neighbours.busy(2):
        pass
    started, before = time.perf_counter(), os.times()
    with neighbours.busy(1):
        time.sleep(0.5)
    spent = os.times().children_user - before.children_user
    assert spent > 0.2 * (time.perf_counter() - started)
    mine = subprocess.run(
        ["ps", "-o", "args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=False
    )
    assert "while True" not in mine.stdout


@pytest.mark.skipif(not os.environ.get("MINIRNN_THOROUGH"), reason="MINIRNN_THOROUGH=1 measures it")
@pytest.mark.parametrize("name", neighbours.TRAININGS)
def test_a_training_beside_others_takes_what_they_take(name, tmp_path):
    quiet, beside_one, beside_four = neighbours.measure(name, tmp_path, rounds=3)
    assert beside_one < 1.5 * quiet
    assert beside_four < 4 * quiet
