"""Damaged and hostile files, one after another, for commands that read them; see `test_hostile_files.py`.

    python hostile_files.py FOLDER damaged|hostile COUNT SEED

writes a line of JSON for each file that did anything but work or end in one line.
"""

import contextlib
import copy
import gzip
import io
import itertools
import json
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from trainings import TRAININGS, write_data

from minirnn import load_checkpoint, save_checkpoint
from minirnn.cli.main import main
from minirnn.plots import common

USES = {
    "lm": [("generate", "RUN", "--length", "5"), ("show", "loss", "RUN")],
    "cloze": [("cloze", "RUN", "the qui_k")],
    "translate": [("translate", "RUN", "red cat"), ("evaluate", "RUN", "--max-pairs", "3")],
    "classify": [("classify", "RUN", "a w1")],
    "caption": [("caption", "RUN", "pictures/0.png"), ("evaluate", "RUN")],
    "draw": [("draw", "RUN", "--caption", "a red stripe", "--samples", "2"), ("evaluate", "RUN")],
    "chat": [("chat", "RUN"), ("evaluate", "RUN")],
    "forecast": [],
}
SECONDS, MEMORY = 20, 2**30
ODD = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, -(10**30), 1.5, float("nan"), float("inf"), 1e308, "", "x", "\0",
    "\x1b[2J", "\ud800", "é" * 10_000, "~nobody/x", "/", "..", "\n", [], [[]], {}, {"a": {}}, ["x"] * 10_000, [1, None],
    "1e9", "nan", "-1", "0x10",
]  # fmt: skip


class HangError(BaseException):
    """A command that took too long. (No Exception, which something might catch.)"""


def call(*arguments):
    """The exit status of a command, and what it wrote."""

    def ring(*_):
        raise HangError

    out, err = io.StringIO(), io.StringIO()
    sys.stdin = io.TextIOWrapper(io.BytesIO(b"i am anna .\n/why\nwhat am i called ?\n"))  # what a chat answers
    signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main([str(a) for a in arguments])
    except SystemExit as end:
        return end.code or 0, out.getvalue(), err.getvalue()
    except HangError:
        return "hangs", out.getvalue(), err.getvalue()
    except BaseException:
        return "traceback", out.getvalue(), traceback.format_exc()
    finally:
        signal.alarm(0)


def damaged(rng, data):
    """Bytes as a bad disk or a broken transfer leaves them."""
    data, at = bytearray(data), int(rng.integers(len(data) + 1))
    match rng.integers(6):
        case 0 if data:  # a bit
            data[at % len(data)] ^= 1 << int(rng.integers(8))
        case 1:
            del data[at:]
        case 2:
            data[at:at] = rng.bytes(int(rng.integers(1, 50)))
        case 3:
            data[at : at + 40] = bytes(len(data[at : at + 40]))
        case 4:
            data += data[at : at + 200]
        case _:
            del data[at : at + int(rng.integers(1, 40))]
    return bytes(data)


def places(value, path=()):
    """Where there is something to replace in JSON."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for i in range(min(3, len(value))):
            yield from places(value[i], (*path, i))


def twisted(rng, value):
    """JSON of which something is missing, of another kind, or not what it should be."""
    value = json.loads(json.dumps(value))
    for _ in range(int(rng.integers(1, 3))):
        path = list(places(value))[int(rng.integers(sum(1 for _ in places(value))))]
        odd = copy.deepcopy(ODD[int(rng.integers(len(ODD)))])
        if not path:
            return odd
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        if rng.integers(4) == 0 and isinstance(holder, dict):
            del holder[path[-1]]
        else:
            holder[path[-1]] = odd
    return value


def hostile(rng, name, data, folder):
    """A file that is well-formed, and not what it should be."""
    if name == "run.json":
        return json.dumps(twisted(rng, json.loads(data))).encode()
    if name == "metrics.jsonl":
        rows = [json.loads(line) for line in data.decode().splitlines()]
        return "".join(json.dumps(twisted(rng, row)) + "\n" for row in rows).encode()
    if name.endswith(".safetensors"):
        path = folder / "twisted"
        arrays, meta = load_checkpoint(folder / "original" / name)
        if rng.integers(2):
            meta = twisted(rng, meta)
        else:
            key = list(arrays)[int(rng.integers(len(arrays)))]
            strange = [np.zeros(0), np.zeros((1, 2, 3)), np.full(arrays[key].shape, np.nan), np.array(7), np.array(-1)]
            arrays[key] = [*strange, arrays[key].astype(np.int64), arrays[key].astype(np.float16)][int(rng.integers(7))]
        save_checkpoint(path, arrays, meta if isinstance(meta, dict) else {"meta": meta})
        return path.read_bytes()
    lines = data.decode().split("\n")
    at = int(rng.integers(len(lines)))
    match rng.integers(8):
        case 0:
            lines[at] = "w " * int(rng.choice([50, 5000, 50_000], p=[0.5, 0.49, 0.01]))
        case 1:
            lines[at] = "\t" * int(rng.integers(1, 1000))
        case 2:
            lines[at] = "\x1b]0;title\x07\x1b[2J\u202e" + lines[at]
        case 3:
            lines = ["\t".join(reversed(line.split("\t"))) for line in lines]
        case 4:
            lines[at] = ("e" + "\u0301" * 500 + "\U0001f44d\u200d" * 100) * 3
        case 5:
            return gzip.compress("\n".join(lines).encode()) * int(rng.integers(1, 12))
        case 6:
            return gzip.compress(b"word " * (4_000_000 if rng.integers(2) else 2000), 1)
        case _:
            lines = lines[:at] + ["1e400", "nan", "-", "1,5"][: int(rng.integers(5))]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def prepare(folder):
    """A short run of each task, and what can be done with it by name."""
    write_data(folder)
    os.chdir(folder)
    for task, options in TRAININGS.items():
        status, _, err = call("train", task, *options, "--epochs", "1", "--quiet", "--out", task)
        assert status == 0, err


def cases(rng):
    """What is to be spoilt, and the command that then reads it."""
    task = list(TRAININGS)[int(rng.integers(len(TRAININGS)))]
    resume = ("train", task, "--resume", "RUN", "--epochs", "2", "--quiet")
    if rng.integers(4) == 0:
        data = TRAININGS[task][1]
        return task, Path(data), ("train", task, *TRAININGS[task], "--epochs", "1", "--quiet", "--out", "spoilt")
    uses = [resume, resume, *USES[task]]
    files = ["run.json", "last.safetensors", "best.safetensors", "metrics.jsonl"]
    name = files[int(rng.integers(4))]
    return task, Path("spoilt", name), uses[int(rng.integers(len(uses)))]


def judge(status, out, err):
    """What is wrong with what a command did; None if nothing is."""
    if status not in (0, 2):
        return f"status {status}"
    if "Traceback" in err or re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", err):
        return "a traceback, or a control character"
    if "not enough memory" in err:
        return "too much memory"
    if status == 2 and err.count("error: ") != 1 and "expected" not in err:
        return "not one line"
    if len(out) + len(err) > 100_000:
        return "too long an answer"
    return None


def answer(command, out):
    """What must not differ without a word: what was written, or the weights that came of a training."""
    if command[0] == "draw":
        return [path.read_bytes() for path in sorted(Path("spoilt/drawings-frames").iterdir())]
    if command[0] != "train":
        return re.sub(r"[0-9.]+ s\b", "", out)
    arrays, meta = load_checkpoint("spoilt/last.safetensors")
    return [meta["step"], *((name, array.tobytes()) for name, array in sorted(arrays.items()))]


def run(folder, kind, count, seed):
    """All of them. Gives a record for each that went wrong."""
    common.has_matplotlib = lambda: False  # pictures take longer than all the rest
    prepare(folder)
    limit = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))
    originals = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    plain = {}
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        task, target, command = cases(rng)
        for path in folder.iterdir():
            if path.is_file() and path not in originals:
                path.unlink()
        for path, data in originals.items():
            path.write_bytes(data)
        for name in ("spoilt", "original"):
            shutil.rmtree(name, ignore_errors=True)
            shutil.copytree(task, name)
        if "--out" in command:
            shutil.rmtree("spoilt")
        command = ["spoilt" if word == "RUN" else word for word in command]
        compared = target.suffix == ".safetensors" and kind == "damaged"
        if compared and tuple(command) not in plain:
            plain[tuple(command)] = answer(command, call(*command)[1])
            shutil.rmtree("spoilt")
            shutil.copytree(task, "spoilt")
        if not target.exists():
            continue
        data = target.read_bytes()
        spoilt = damaged(rng, data) if kind == "damaged" else hostile(rng, target.name, data, folder)
        if spoilt == data:
            continue
        target.write_bytes(spoilt)
        started = time.perf_counter()
        status, out, err = call(*command)
        seconds = time.perf_counter() - started
        wrong = judge(status, out, err)
        if not wrong and compared and status == 0 and answer(command, out) != plain[tuple(command)]:
            wrong = "another answer without a word"
        if wrong:
            yield {"i": i, "wrong": wrong, "target": str(target), "command": command, "error": err[-600:],
                   "seconds": round(seconds, 1)}  # fmt: skip


if __name__ == "__main__":
    for wrong in itertools.islice(run(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:])), 50):
        print(json.dumps(wrong), file=sys.__stdout__, flush=True)
