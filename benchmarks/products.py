"""The product that bounds a recurrent layer, U h with few columns, in every way that NumPy alone can do it, and with
MKL's packed matrices where MKL is installed. One thread, so that only the kernels are compared."""

from __future__ import annotations

import ctypes
import importlib.metadata
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import common
from benchmarks.common import Contender
from minirnn.fast.slices import Slices

SIZES = [(G, H, B) for G, H in ((1, 256), (3, 256), (4, 256), (3, 512), (4, 512)) for B in (8, 16, 32, 64)]
ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE, PACKED, A_MATRIX = 101, 111, 112, 151, 161  # of mkl_cblas.h


def mkl() -> Any:
    """The library `libmkl_rt`, set to one thread, if the package `mkl` is installed."""
    try:
        files = importlib.metadata.files("mkl") or []
        path = next(file.locate() for file in files if file.name.startswith("libmkl_rt"))
        library = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    except (importlib.metadata.PackageNotFoundError, StopIteration, OSError):
        return None
    library.MKL_Set_Threading_Layer(1)  # sequential
    library.cblas_sgemm_pack_get_size.restype = ctypes.c_size_t
    return library


def packed_call(library: Any, matrix: np.ndarray, transposed: bool, x: np.ndarray) -> Callable[[], np.ndarray]:
    """The product of a matrix (or its transpose) packed once, with x (K, B), by `cblas_sgemm_compute`."""
    (K, B), rows = x.shape, matrix.shape[1] if transposed else matrix.shape[0]
    how, width = (TRANSPOSE if transposed else NO_TRANSPOSE), matrix.shape[1]
    packed = ctypes.create_string_buffer(library.cblas_sgemm_pack_get_size(A_MATRIX, rows, B, K) + 64)

    def pointer(array: np.ndarray) -> ctypes.c_void_p:
        return ctypes.c_void_p(array.ctypes.data)

    library.cblas_sgemm_pack(ROW_MAJOR, A_MATRIX, how, rows, B, K, ctypes.c_float(1.0), pointer(matrix), width, packed)
    out, zero = np.empty((rows, B), np.float32), ctypes.c_float(0.0)

    def call() -> np.ndarray:
        library.cblas_sgemm_compute(
            ROW_MAJOR, PACKED, NO_TRANSPOSE, rows, B, K, packed, width, pointer(x), B, zero, pointer(out), B
        )
        return out

    return call


def run(timing: dict[str, Any], quick: bool, progress: Any) -> list[dict[str, Any]]:
    """All rows: U h and Uᵀ da for each size, with U (G·H, H)."""
    rows, library = [], mkl()
    for G, H, B in progress(SIZES[:2] if quick else SIZES, "products"):
        rng = np.random.default_rng(0)
        U, h, da = (rng.standard_normal(size).astype(np.float32) for size in ((G * H, H), (H, B), (G * H, B)))
        for name, transposed, x in (("U h", False, h), ("Uᵀ da", True, da)):
            matrix = U.T if transposed else U
            sliced = Slices(U).T if transposed else Slices(U)
            calls = {
                "as an array": lambda m=matrix, x=x: m @ x,
                "in slices": lambda m=sliced, x=x: m @ x,
            }
            if library:
                calls["MKL, packed"] = packed_call(library, U, transposed, x)
            expected = matrix.astype(float) @ x
            for way, call in calls.items():
                if not np.allclose(call(), expected, rtol=1e-3, atol=1e-3):
                    raise RuntimeError(f"{way}: the product is wrong")
            facts = {"benchmark": "products", "model": name, "mode": "product", "G": G, "B": B, "H": H}
            contenders = [Contender(way, call, threads=1) for way, call in calls.items()]
            rows += common.compare(contenders, {**timing, "most": 50}, **facts, dtype="float32")
    return rows


def table(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """GFLOP/s of each way."""
    ways = list(dict.fromkeys(row["implementation"] for row in rows))
    lines = []
    for G, H, B in dict.fromkeys((row["G"], row["H"], row["B"]) for row in rows):
        line = [f"({G * H}, {H}) and {B} columns"]
        for name in ("U h", "Uᵀ da"):
            found = {r["implementation"]: r for r in rows if (r["model"], r["G"], r["H"], r["B"]) == (name, G, H, B)}
            line += [f"{2 * G * H * H * B / found[way]['median_ms'] / 1e6:.0f}" for way in ways]
        lines.append(line)
    return ["U", *(f"{name}, {way}" for name in ("U h", "Uᵀ da") for way in ways)], lines
