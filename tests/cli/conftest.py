"""Small runs of every task, and a place to work."""

import pytest
from commands import run
from trainings import TRAININGS, write_data


@pytest.fixture(scope="session")
def small_runs(tmp_path_factory):
    """A folder with a run of each task, called as the task."""
    folder = tmp_path_factory.mktemp("small")
    write_data(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for task, options in TRAININGS.items():
            assert run("train", task, *options, "--epochs", 1, "--quiet", "--out", task) == 0
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Where a test works: an empty folder but for the data."""
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    return tmp_path
