"""Measurements: what they print is kept in `benchmarks/results/`."""

import minirnn as _minirnn  # noqa: F401  (before NumPy: see there)
