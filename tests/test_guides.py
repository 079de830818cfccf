"""The guides in `docs/`: every block of code runs, in order, and what it prints is what stands below it, where "..." is
anything, as in doctests."""

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDES = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
SAME = doctest.OutputChecker().check_output
FILE = re.compile(r"# (\w+\.py)\n")


def run_python(guide, code, line, namespace):
    """A block that begins with the name of a file is what is in it, any other a piece of one program."""
    if named := FILE.match(code):
        Path(named[1]).write_text(code, encoding="utf-8")
    else:
        exec(compile("\n" * line + code, guide, "exec"), namespace)


def run_shell(commands):
    """Commands as in a clone, where `minirnn` is that of the copy in this folder."""
    shutil.copytree(ROOT / "minirnn", "minirnn", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    minirnn = f'minirnn() {{ "{sys.executable}" -m minirnn "$@"; }}\n'
    here = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(["bash", "-euc", minirnn + commands], env=here, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_a_guide_runs_from_top_to_bottom(guide, tmp_path, monkeypatch, capsys):
    text = guide.read_text(encoding="utf-8")
    if "import torch" in text:
        pytest.importorskip("torch", reason="this guide exchanges weights with torch")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    namespace, printed = {"__name__": "guide"}, ""
    for block in BLOCK.finditer(text):
        kind, content = block.groups()
        if kind == "python":
            assert not printed, "what this block prints is not in the guide"
            run_python(str(guide), content, text.count("\n", 0, block.start(2)), namespace)
            printed = capsys.readouterr().out
        elif kind == "text":
            if not SAME(content, printed, doctest.ELLIPSIS):
                assert printed == content
            printed = ""
        else:
            run_shell(content)
    assert not printed


def test_there_are_five():
    assert [guide.stem for guide in GUIDES] == [
        "coming-from-pytorch",
        "several-processes",
        "your-own-cell",
        "your-own-model",
        "your-own-operation",
    ]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_every_link_of_a_guide_leads_somewhere(guide):
    targets = re.findall(r"\]\(([^)#:]+)\)", guide.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (guide.parent / target).exists()]
