"""`minirnn/fast/` can be left out: then everything is as right, and only slower."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import minirnn
import minirnn.fast

ROOT = Path(minirnn.__file__).parents[1]
PLAIN = {
    "minirnn/__init__.py": [
        ("from minirnn.fast import unroll, use_kernels", "from minirnn.cells.bptt import unroll"),
        ('    "use_kernels",\n', ""),
    ],
    "minirnn/layers/recurrent.py": [
        (
            "from minirnn.fast import Stepper, layers_pay, unroll_layers, unroll_together",
            "from minirnn.cells.bptt import unroll\nfrom minirnn.cells.stepper import Stepper",
        ),
        ("unroll_together(walks)", "(unroll(*walk) for walk in walks)"),
        ("in_one and layers_pay(self.cell, x, self.num_layers, self.hidden_size)", "False"),
    ],
    "minirnn/models/grid_drawing.py": [
        (
            "from minirnn.fast import along_diagonals_together",
            "from minirnn.cells.diagonals import along_diagonals",
        ),
        ("along_diagonals_together(both)", "(along_diagonals(*walk) for walk in both)"),
    ],
    "minirnn/cli/catalogue.py": [("from minirnn.fast import unroll", "from minirnn.cells.bptt import unroll")],
    "minirnn/cli/training.py": [
        ("from minirnn import backend, use_kernels", "from minirnn import backend"),
        ("            use_kernels(kernels)\n", ""),
    ],
    "minirnn/cli/main.py": [
        ("from minirnn import __version__, use_kernels", "from minirnn import __version__"),
        ("            use_kernels(options.kernels, compiling=_compiling)\n", ""),
    ],
}
"""The imports that `minirnn/fast/__init__.py` lists, with what takes their place."""


def importers():
    """The files outside of `fast/` that import from it."""
    files = [path for path in (ROOT / "minirnn").rglob("*.py") if path.parent.name != "fast"]
    return {str(p.relative_to(ROOT)) for p in files if re.search(r"minirnn\.fast|import .*use_kernels", p.read_text())}


def test_the_list_of_imports_is_complete():
    assert importers() == set(PLAIN)
    for name in PLAIN:
        assert name in minirnn.fast.__doc__
    for path in (ROOT / "minirnn" / "cells").glob("*.py"):
        assert "minirnn.fast" not in path.read_text()


@pytest.mark.slow
def test_gradient_checks_and_twins_pass_without_it(tmp_path):
    shutil.copytree(ROOT / "minirnn", tmp_path / "minirnn", ignore=shutil.ignore_patterns("fast", "__pycache__"))
    for name, changes in PLAIN.items():
        path = tmp_path / name
        text = path.read_text()
        for fast, plain in changes:
            assert text.count(fast) == 1, (name, fast)
            text = text.replace(fast, plain)
        path.write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-c", "import minirnn; print(minirnn.__file__)"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.strip() == str(tmp_path / "minirnn" / "__init__.py")
    checked = subprocess.run(
        [sys.executable, "-m", "minirnn", "gradcheck", "cell *"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
    (cells,) = ROOT.glob("tests/**/test_cells.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(cells)]
    # `pythonpath` of setup.cfg would find the package that has it.
    command += ["-o", "pythonpath=", "--rootdir", str(tmp_path), "-k", "hand_written and (rnn or lstm or gru)"]
    folders = {str(path.parent) for path in ROOT.glob("tests/**/*.py")}
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *sorted(folders)])
    twins = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert twins.returncode == 0, twins.stdout[-3000:] + twins.stderr
    assert " passed" in twins.stdout
