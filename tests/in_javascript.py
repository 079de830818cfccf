"""Runs what is written in JavaScript, where there is node to run it."""

import json
import math
import shutil
import subprocess
from importlib.resources import files

import pytest

NUMBERS = files("minirnn.pages.stepping") / "assets" / "numbers.js"

RUN_PROGRAMS = """
const {encode} = numbers;
const told = ({function: name, module, line, t, depth, values}) =>
  [name, module, line, t, depth, encode({m: values}).m];
return cases.map(({program, name, args, record}) => {
  const {result, events, error} = numbers.run(require(program), name, args, {record});
  const problem = error && `${error.name}: ${error.message}`;
  return {result: encode(result) ?? "not to be shown", events: events.map(told), error: problem};
});
"""


def in_node(body, cases, folder):
    """What a function body in JavaScript returns, given `numbers` and `cases`; both ways as JSON."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node: the JavaScript of the pages is not run")
    given, script = folder / "cases.json", folder / "script.js"
    given.write_text(json.dumps(cases))
    script.write_text(
        f"const numbers = require({json.dumps(str(NUMBERS))});\n"
        f"const cases = JSON.parse(require('fs').readFileSync({json.dumps(str(given))}));\n"
        f"const result = (() => {{{body}}})();\n"
        "process.stdout.write(JSON.stringify(result));\n"
    )
    finished = subprocess.run([node, script], capture_output=True, text=True, timeout=120, check=False)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def run_programs(cases, folder):
    """The runs of translated programs: for each (source, function, arguments, whether to record) the result, events
    and error."""
    written = []
    for number, (source, name, args, record) in enumerate(cases):
        file = folder / f"program{number}.js"
        file.write_text(source)
        written.append({"program": str(file), "name": name, "args": args, "record": record})
    return in_node(RUN_PROGRAMS, written, folder)


def is_close(a, b, tolerance=1e-9):
    """Whether two values in JSON are the same but for rounding."""
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(is_close(a[key], b[key], tolerance) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(is_close(x, y, tolerance) for x, y in zip(a, b, strict=True))
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)
    return a == b
