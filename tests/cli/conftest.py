"""A place to work."""

import pytest
from trainings import write_data


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Where a test works: an empty folder but for the data."""
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    return tmp_path
