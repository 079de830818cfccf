"""Files that are damaged, or made to do harm: no traceback, no hang, no gigabyte, no silent difference.

`MINIRNN_THOROUGH=1` tries 20,000 of either kind (an hour); else a few are.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HELPER = Path(__file__).with_name("hostile_files.py")
COUNT = 20_000 if os.environ.get("MINIRNN_THOROUGH") else 100


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited and read as Linux does")
@pytest.mark.parametrize("kind", ["damaged", "hostile"])
def test_files_that_are_not_what_they_should_be(kind, tmp_path):
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, HELPER, tmp_path, kind, str(COUNT), "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not done.stdout, done.stdout[:3000]
