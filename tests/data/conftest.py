"""Files to be read."""

import pytest


@pytest.fixture
def written(tmp_path):
    """Writes bytes to a file, and gives its path."""

    def write(data, name="a.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return write
