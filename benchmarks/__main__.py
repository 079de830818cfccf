"""Every benchmark of speed and memory, as one command.

    python -m benchmarks                  # all of it; 23 minutes on two cores
    python -m benchmarks --quick          # only whether it works, on tiny sizes: under a minute
    python -m benchmarks layers growth    # some of it
    python -m benchmarks gpu              # with a GPU: checks that it gives what the CPU gives, then measures

Implementations take turns in one process: minirnn on NumPy with all threads and with one, minirnn with kernels,
minirnn on CuPy, the textbook's loop, torch.nn on the CPU and on the GPU; what is not installed is left out, and a
table says "–". Tables, pictures, and all rows as CSV and JSON go to `benchmarks/results/`, or to where `--out` says.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks import common, growth, layers, models, pictures, products, threads

SECTIONS = ("layers", "models", "growth", "memory", "products", "threads")
COMMAND = "python -m benchmarks"
TIMING = {"rounds": 21, "seconds": 2.0, "pause": 0.02}
QUICK = {"rounds": 2, "seconds": 0.04, "pause": 0.005, "warm_up": 0.0}
NOTE = (
    "float32, random data that lies where it is used. Calls alternate in one process; times are medians, ratios are "
    "medians of the ratios of neighbouring calls, and the first call is reported apart, in the CSV. minirnn uses all "
    "threads where nothing else is said, as does torch."
)


def bar(jobs: Iterable[Any], name: str) -> Iterable[Any]:
    """A progress bar over the jobs."""
    jobs = list(jobs)
    return tqdm(jobs, desc=name, disable=None)


def without_gaps(header: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """The table without the columns in which nothing was measured."""
    full = [i for i in range(len(header)) if any(row[i] != "–" for row in rows)]
    return [header[i] for i in full], [[row[i] for i in full] for row in rows]


def check_gpu() -> bool:
    """Run the tests that compare the GPU with the CPU. Says whether they pass."""
    print("checking that the GPU gives what the CPU gives …", flush=True)
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "tests/test_gpu.py"], check=False).returncode == 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options; ends with a message where they make no sense here."""
    parser = argparse.ArgumentParser(
        prog=COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", metavar="section", help=f"{', '.join(SECTIONS)}, or gpu (default: all)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: only whether everything works")
    parser.add_argument("--tf32", action="store_true", help="let all sides use TF32 on the GPU (default: none does)")
    parser.add_argument("--device", choices=("cpu", "gpu", "all"), default="all", help="what to measure (default: all)")
    parser.add_argument("--out", type=Path, help="folder for the results (default: benchmarks/results; quick: nowhere)")
    options = parser.parse_args(arguments)
    unknown = [section for section in options.sections if section not in (*SECTIONS, "gpu")]
    if unknown:
        parser.error(f"unknown section {unknown[0]!r}: expected some of {', '.join(SECTIONS)}, gpu")
    if (options.device == "gpu" or "gpu" in options.sections) and common.gpu() is None:
        parser.error("no GPU: cupy is not installed or finds no CUDA device")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen sections."""
    options = parse(arguments)
    quick, sections, prefix = options.quick, options.sections or list(SECTIONS), ""
    devices = ("cpu", "gpu") if options.device == "all" else (options.device,)
    common.set_tf32(options.tf32)
    if "gpu" in sections:
        if not check_gpu():
            return 1
        sections, prefix = ["layers", "models", "growth"], "gpu_"
    if common.gpu() is None:
        print("no GPU here: its columns are not measured", file=sys.stderr)
    timing, out = (QUICK if quick else TIMING), options.out
    folder = out or (None if quick else common.RESULTS)

    def keep(
        name: str, title: str, header: list[str], rows: list[list[str]], records: list[dict[str, Any]], more: str = ""
    ) -> None:
        header, rows = without_gaps(header, rows)
        command = f"{COMMAND} {'gpu' if prefix else name}" + (" --tf32" if options.tf32 else "")
        if folder is None:
            print(f"# {title}\n\n{common.markdown(header, rows)}\n")
            return
        common.write_table(prefix + name, title, command, header, rows, folder, f"{NOTE} {more}".strip())
        if records:
            common.write_records(prefix + name, records, folder)

    drawn: list[Path | None] = []
    if "layers" in sections:
        rows = layers.run(timing, devices, quick, bar)
        keep("layers", "Recurrent layers", *layers.table(rows), rows, layers.summary(rows))
        drawn += [pictures.ratio_bars(rows, folder / f"{prefix}ratios.png")] if folder else []
    if "models" in sections:
        rows = models.run(timing, devices, quick, bar)
        keep("models", "Models: a training step, and decoding", *models.table(rows), rows)
    if "growth" in sections:
        rows = growth.run(timing, devices, quick, bar)
        keep("growth", "How time grows", *growth.table(rows), rows)
        drawn += [pictures.growth_curves(rows, folder / f"{prefix}growth.png")] if folder else []
        drawn += [pictures.crossover(rows, folder / f"{prefix}crossover.png")] if folder else []
    if "memory" in sections:
        keep("memory", "Peak memory of a training step", *growth.memory(quick, bar), [])
    if "products" in sections and "cpu" in devices:
        rows = products.run(timing, quick, bar)
        keep("products", "The recurrent product alone, GFLOP/s in one thread", *products.table(rows), rows)
    if "threads" in sections and "cpu" in devices:
        rows = threads.run(timing, quick, bar)
        if rows:
            keep("threads", "Short calls of NumPy in several threads", *threads.table(rows), rows)
    for path in drawn:
        if path:
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
