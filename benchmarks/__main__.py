"""Every benchmark of speed and memory, as one command.

    python -m benchmarks                  # all of it; 23 minutes on two cores
    python -m benchmarks --quick          # only whether it works, on tiny sizes: under a minute
    python -m benchmarks layers growth    # some of it
    python -m benchmarks gpu --minutes 8  # with a GPU: checks that it gives what the CPU gives, then measures

Implementations take turns in one process: minirnn on NumPy with all threads and with one, minirnn with kernels,
minirnn on CuPy, the textbook's loop, torch.nn on the CPU and on the GPU; what is not installed is left out, and a
table says "–". Tables, pictures, and all rows as CSV and JSON go to `benchmarks/results/`, or to where `--out` says.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks import common, gpu, growth, layers, models, pictures, products, threads

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


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options; ends with a message where they make no sense here."""
    parser = argparse.ArgumentParser(
        prog=COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", metavar="section", help=f"{', '.join(SECTIONS)}, or gpu (default: all)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: only whether everything works")
    parser.add_argument("--tf32", action="store_true", help="let all sides use TF32 on the GPU (default: none does)")
    parser.add_argument("--device", choices=("cpu", "gpu", "all"), default="all", help="what to measure (default: all)")
    parser.add_argument("--minutes", type=float, help="of gpu: how long it may take (default: 8)")
    parser.add_argument("--out", type=Path, help="folder for the results (default: benchmarks/results; quick: nowhere)")
    options = parser.parse_args(arguments)
    unknown = [section for section in options.sections if section not in (*SECTIONS, "gpu")]
    if unknown:
        parser.error(f"unknown section {unknown[0]!r}: expected some of {', '.join(SECTIONS)}, gpu")
    with_gpu = "gpu" in options.sections
    if with_gpu and len(options.sections) > 1:
        parser.error("gpu stands alone: it has its own choice of what to measure")
    if options.minutes is not None and (not with_gpu or not 0 < options.minutes < math.inf):
        parser.error("--minutes is a positive number, and goes with gpu")
    if (options.device == "gpu" or with_gpu) and common.gpu() is None:
        parser.error("no GPU: cupy is not installed or finds no CUDA device")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen sections."""
    options = parse(arguments)
    quick, sections = options.quick, options.sections or list(SECTIONS)
    devices = ("cpu", "gpu") if options.device == "all" else (options.device,)
    common.set_tf32(options.tf32)
    folder = options.out or (None if quick else common.RESULTS)
    if sections == ["gpu"]:
        minutes = 8.0 if options.minutes is None else options.minutes
        command = f"{COMMAND} gpu --minutes {minutes:g}" + " --quick" * quick + " --tf32" * options.tf32
        return gpu.run(minutes, folder, quick, command)
    if common.gpu() is None:
        print("no GPU here: its columns are not measured", file=sys.stderr)

    def keep(
        name: str, title: str, header: list[str], rows: list[list[str]], records: list[dict[str, Any]], more: str = ""
    ) -> None:
        header, rows = without_gaps(header, rows)
        command = f"{COMMAND} {name}" + (" --tf32" if options.tf32 else "")
        if folder is None:
            print(f"# {title}\n\n{common.markdown(header, rows)}\n")
            return
        common.write_table(name, title, command, header, rows, folder, f"{NOTE} {more}".strip())
        if records:
            common.write_records(name, records, folder)

    drawn = measure(sections, devices, quick, keep, folder)
    for path in drawn:
        if path:
            print(path)
    return 0


def measure(
    sections: list[str], devices: tuple[str, ...], quick: bool, keep: Callable[..., None], folder: Path | None
) -> list[Path | None]:
    """Measure these sections and hand their tables to `keep`. Returns the pictures that were drawn in `folder`."""
    timing = QUICK if quick else TIMING
    drawn: list[Path | None] = []
    if "layers" in sections:
        rows = layers.run(timing, devices, quick, bar)
        keep("layers", "Recurrent layers", *layers.table(rows), rows, layers.summary(rows))
        drawn += [pictures.ratio_bars(rows, folder / "ratios.png")] if folder else []
    if "models" in sections:
        rows = models.run(timing, devices, quick, bar)
        keep("models", "Models: a training step, and decoding", *models.table(rows), rows)
    if "growth" in sections:
        rows = growth.run(timing, devices, quick, bar)
        keep("growth", "How time grows", *growth.table(rows), rows)
        drawn += [pictures.growth_curves(rows, folder / "growth.png")] if folder else []
        drawn += [pictures.crossover(rows, folder / "crossover.png")] if folder else []
    if "memory" in sections:
        keep("memory", "Peak memory of a training step", *growth.memory(quick, bar), [])
    if "products" in sections and "cpu" in devices:
        rows = products.run(timing, quick, bar)
        keep("products", "The recurrent product alone, GFLOP/s in one thread", *products.table(rows), rows)
    if "threads" in sections and "cpu" in devices:
        rows = threads.run(timing, quick, bar)
        if rows:
            keep("threads", "Short calls of NumPy in several threads", *threads.table(rows), rows)
    return drawn


if __name__ == "__main__":
    sys.exit(main())
