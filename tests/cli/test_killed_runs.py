"""A training may be killed before any of its file operations, and still comes to the same.

`MINIRNN_THOROUGH=1` tries every operation; else some are.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from trainings import TRAININGS

HELPER = Path(__file__).with_name("killed_runs.py")
QUICK = ("lm", "translate")
EVERY = 1 if os.environ.get("MINIRNN_THOROUGH") else 6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the trainings are forked")
@pytest.mark.parametrize(
    "task", [t if t in QUICK else pytest.param(t, marks=pytest.mark.slow) for t in (*TRAININGS, "task")]
)
def test_a_training_that_was_killed_comes_to_the_same(task, tmp_path):
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1"}  # threads do not survive a fork
    command = [sys.executable, HELPER, tmp_path, task, str(EVERY)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 30
