"""Each program in `examples/` prints what it promises, and a type checker finds what is wrong in it, and only that."""

import doctest
import importlib.util
import os
import re
import subprocess
import sys

import pytest
from programs import MISTAKES, PROGRAMS, ROOT, promised

CONFIG = """
[mypy]
strict = true
follow_imports = silent

# It takes mypy longer to read torch than all the rest.
[mypy-torch.*]
follow_imports = skip
ignore_missing_imports = true
"""


def test_there_are_ten_and_each_has_its_mistakes():
    assert len(PROGRAMS) == 10
    assert {mistake.program for mistake in MISTAKES} == set(PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_prints_what_it_promises(name, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, PROGRAMS[name]], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    if name == "weights_from_torch" and not importlib.util.find_spec("torch"):
        assert done.stderr == "this example needs torch: pip install torch\n"
        pytest.skip("torch is not installed")
    assert done.returncode == 0, done.stderr
    expected = promised(PROGRAMS[name])
    assert doctest.OutputChecker().check_output(expected, done.stdout, doctest.ELLIPSIS), done.stdout
    assert not list(tmp_path.iterdir())


def planted(mistake):
    """The text of a program with a mistake, and the number of its line."""
    text = PROGRAMS[mistake.program].read_text(encoding="utf-8")
    assert mistake.right in text, f"{mistake.right!r} is not in {mistake.program}"
    before, _, after = text.partition(mistake.right)
    return f"{before}{mistake.wrong}{after}", before.count("\n") + 1


def errors_of_mypy(folder, cache):
    """What mypy says of the programs in a folder, by file: (line, message)."""
    (folder / "mypy.ini").write_text(CONFIG)
    installed = subprocess.run(
        [sys.executable, "-I", "-c", "import minirnn; print(minirnn.__file__)"], capture_output=True, text=True
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MYPYPATH")}
    if not installed.stdout.startswith(str(ROOT)):  # else mypy finds it as it finds what a user has installed
        environment["MYPYPATH"] = str(ROOT)
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", str(cache), "."]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr + done.stdout
    found = {}
    for file, line, message in re.findall(r"^(\w+)\.py:(\d+): error: (.*)$", done.stdout, re.M):
        found.setdefault(file, []).append((int(line), message))
    assert sum(map(len, found.values())) == done.stdout.count(": error: "), done.stdout
    return found


@pytest.mark.slow
def test_mypy_finds_each_mistake_and_nothing_else(tmp_path, request):
    pytest.importorskip("mypy")
    expected = {}
    for path in PROGRAMS.values():
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    for i, mistake in enumerate(MISTAKES):
        text, line = planted(mistake)
        expected[f"{mistake.program}_{i}"] = line, mistake.error
        (tmp_path / f"{mistake.program}_{i}.py").write_text(text, encoding="utf-8")
    found = errors_of_mypy(tmp_path, request.config.cache.mkdir("mypy"))
    assert {name: [line for line, _ in errors] for name, errors in found.items()} == {
        name: [line] for name, (line, _) in expected.items()
    }, found
    for name, (_, error) in expected.items():
        assert error in found[name][0][1]
