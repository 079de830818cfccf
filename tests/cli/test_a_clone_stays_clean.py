"""What commands write where they are called is none of a clone's own, and what a newcomer is told to install stays."""

import argparse
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minirnn.cli.main import build_parser
from minirnn.cli.options import path
from minirnn.errors import install
from minirnn.exercises.catalogue import EXERCISES

ROOT = Path(__file__).parents[2]
IN_A_CLONE = shutil.which("git") is not None and (ROOT / ".git").exists()


def git(*arguments, **options):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, **options)


def outputs(parser):
    """The files that commands write unless they are told another."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from outputs(child)
        elif action.type is path and action.default not in (None, argparse.SUPPRESS):
            yield action.default


@pytest.mark.skipif(not IN_A_CLONE, reason="needs a clone and git")
def test_what_commands_write_is_ignored_and_nothing_else():
    written = {*outputs(build_parser()), "runs/lm-1/run.json", "compare/lm.csv", "map.png"}
    written |= {f"{exercise.function}.py" for exercise in EXERCISES.values()}
    assert {"attention.png", "gates.png", "neurons.html", "bptt.html", "compare"} <= written
    written = {name if "." in name else f"{name}/index.html" for name in written}  # what has no ending is a folder
    ignored = git("check-ignore", "--no-index", "--stdin", input="\n".join(sorted(written))).stdout.split()
    assert written - set(ignored) == set()
    assert git("ls-files", "-ci", "--exclude-standard").stdout == "", "of what is tracked nothing"


DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "benchmarks" / "README.md",
    ROOT / ".ci" / "run",
    *sorted((ROOT / "minirnn").rglob("*.py")),
]


def test_an_install_from_the_clone_leaves_it_editable():
    """Without -e it would replace the install that runs what stands in the clone by a copy of it."""
    wrong = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for file in DOCUMENTS
        for line in file.read_text(encoding="utf-8").splitlines()
        if re.search(r"pip install (?!.*-e )[^#]*['\" ]\.(\[|['\"]|\s|$)", line)
    ]
    assert not wrong


def test_what_is_to_be_installed_goes_where_this_python_finds_it(monkeypatch, tmp_path):
    """Without an activated environment, the `pip` of the shell is another Python's."""
    for pip, prefix in ((None, True), ("/elsewhere/pip", True), (str(Path(sys.executable).parent / "pip"), False)):
        monkeypatch.setattr("shutil.which", lambda name, pip=pip: pip)
        command = shlex.split(install("data"))
        assert command[-3:] == ["pip", "install", "minirnn[data]"]
        assert command[:-3] == ([sys.executable, "-m"] if prefix else [])
    hints = [file for file in (ROOT / "minirnn").rglob("*.py") if "(pip install 'minirnn" in file.read_text("utf-8")]
    assert not hints, "these do not ask `install`"
