"""What `pip install -e` leaves must be found by type checkers, which follow paths but run no import hooks."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILD = "from setuptools import build_meta; print(build_meta.build_editable('wheels'))"


@pytest.mark.slow
def test_an_editable_install_is_a_path(tmp_path):
    pytest.importorskip("setuptools", minversion="77")  # older ones build no wheels by themselves; see .ci/package
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "minirnn_command.py"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "minirnn", tmp_path / "minirnn", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run([sys.executable, "-c", BUILD], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        (path,) = (name for name in files.namelist() if name.endswith(".pth"))
        assert files.read(path).decode().strip() == str(tmp_path)
        assert not [name for name in files.namelist() if "finder" in name]
