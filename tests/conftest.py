"""Settings and data that the tests share."""

import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as cores: each has one for itself
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings

from minirnn.cli import progress

settings.register_profile("minirnn", deadline=None, max_examples=25, derandomize=True, print_blob=False)
settings.load_profile("minirnn")

progress.AFTER = 60.0  # so that what is on stderr does not depend on how fast a machine is; see `cli/test_progress.py`


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def data_folder():
    """Real data that is not part of the repository."""
    folder = Path(os.environ.get("MINIRNN_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "timemachine.txt").exists():
        pytest.skip("no real data: set MINIRNN_DATA to a folder with timemachine.txt")
    return folder


@pytest.fixture(scope="session")
def small_runs(tmp_path_factory):
    """A folder with a run of each task, called as the task, and what the commands that trained them printed, as
    task.txt."""
    from commands import printed  # here: few tests need all this
    from trainings import TRAININGS, write_data

    folder = tmp_path_factory.mktemp("small")
    write_data(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for task, options in TRAININGS.items():
            said = printed("train", task, *options, "--epochs", 1, "--quiet", "--out", task)
            (folder / f"{task}.txt").write_text(said, encoding="utf-8")
    return folder
