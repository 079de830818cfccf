"""Matrix products on the CPU whose sums stay in registers, compiled by Numba. (`pip install 'minirnn[kernels]'`)

A product H M, of a few rows H (N, K) and a matrix M (K, L), is cut into tiles of its result. A tile is so small that
all its sums have a register of the processor each, from the first of the K products to the last. With vectors of 16
numbers and 6 rows of 4 vectors, as with AVX-512, a step along k

    loads M[k, 64 neighbours]: 4 vectors        loads H[n, k] for 6 n, each into all places of a vector
    adds the 24 products to the 24 sums

so that 10 loads serve 24 multiplications, which is more than the processor needs to be kept busy. A BLAS does the same
inside (Goto & van de Geijn 2008; Van Zee & van de Geijn 2015), but it is made for large matrices, and prepares them
anew each time: the fewer the rows, the larger is that part. In a recurrent network M is U, the same for all steps, and
can be prepared once: `packed.py` lays it down in the order in which tiles read it.

The vectors are as wide as those of the processor that compiles, whether they are AVX-512's, AVX2's or an Arm's.
"""

from __future__ import annotations

import functools
import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils, event
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from minirnn.errors import MinirnnWarning


def _keeps() -> bool:
    """Whether what is compiled can be kept on disk for the next process."""
    try:
        njit(cache=True)(_keeps)
    except RuntimeError:
        warnings.warn(
            "compiled kernels cannot be kept on disk here, and every process will compile them anew, which takes some "
            "ten seconds: set NUMBA_CACHE_DIR to a folder that can be written to",
            MinirnnWarning,
            stacklevel=2,
        )
        return False
    return True


class _FirstCompilation(event.Listener):
    """Calls a function when something is compiled for the first time; what is on disk is not compiled."""

    def __init__(self, call: Callable[[], object]):
        self.call = call

    def on_start(self, event_: Any) -> None:
        """Numba begins to compile."""
        event.unregister("numba:compile", self)
        self.call()

    def on_end(self, event_: Any) -> None:
        """Numba has compiled."""


def at_first_compilation(call: Callable[[], object]) -> None:
    """Call this once, as soon as there is something to compile."""
    event.register("numba:compile", _FirstCompilation(call))


_compile = njit(cache=_keeps(), nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})
_TOGETHER = ("registers.py", "packed.py", "steps.py", "loops.py", "products.py")


@functools.cache
def _digest(*paths: str) -> str:
    return hashlib.sha256(b"".join(Path(path).read_bytes() for path in paths)).hexdigest()


def compiled(function: Any) -> Any:
    """A function, compiled. Sums may be reordered and products be fused with them, but nan and inf stay what they are.

    Numba compiles anew what it finds in a file that has changed. But there is in it, too, what the function calls from
    the other files here: so it is told to look at all of them.
    """
    made = _compile(function)
    files = (str(Path(__file__).parent / name) for name in _TOGETHER)
    if hasattr(made, "_cache") and hasattr(made._cache, "_cache_file"):
        made._cache._cache_file._source_stamp = _digest(*files, function.__code__.co_filename)
    return made


@intrinsic
def _stay_apart(typingctx: Any) -> Any:

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), generate


stay_apart: Any = _stay_apart
"""Tells the compiler not to copy the function that calls this into those that call it: large ones would be compiled
again and again."""


def _registers() -> tuple[int, int, int]:
    """Bytes of a vector of this processor, and of the largest tile the vectors of a row and the rows: with the vectors
    of a step along k and one to multiply by, all registers are in use."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    has = {name[1:] for name in features.split(",") if name.startswith("+")}
    if "avx512f" in has:
        return 64, 4, 6  # of 32 registers
    if "avx" in has:
        return 32, 2, 6  # of 16
    return (16, 4, 6) if "neon" in has else (16, 2, 6)


VECTOR_BYTES, VECTORS, ROWS = _registers()


def _after(builder: Any, pointer: Any, *steps: tuple[Any, Any]) -> Any:
    """Where one comes from a pointer with so many strides of so many bytes."""
    for count, stride in steps:
        pointer = builder.gep(pointer, [builder.mul(count, stride)])
    return pointer


def _everywhere(builder: Any, pointer: Any, vector: Any) -> Any:
    """The number at a pointer in all places of a vector."""
    i32, undefined = ir.IntType(32), ir.Constant(vector, ir.Undefined)
    number = builder.load(builder.bitcast(pointer, vector.element.as_pointer()))
    first = builder.insert_element(undefined, number, i32(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(i32, vector.count), [0] * vector.count))


def tile(vectors: int, rows: int) -> Any:
    """The innermost loop, in the language of the compiler (LLVM), which is told there what is to be in registers."""

    @intrinsic
    def add_tile(
        typingctx: Any, like: Any, h: Any, h_row: Any, h_k: Any, m: Any, m_k: Any, K: Any, out: Any, out_row: Any,
        fresh: Any,
    ) -> Any:  # fmt: skip
        """out[n, l] += Σ_k h[n, k] m[k, l], for so many n as there are rows, and l up to the width of the vectors; if
        `fresh`, = and not +=. Each of h, m and out is the address of its first number, and bytes from row to row and
        from k to k; `like` is a number of their kind. (Arrays themselves would be some thirty arguments.)"""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind, h, h_row, h_k, m, m_k, K, out, out_row, is_fresh = arguments
            lanes = VECTOR_BYTES // context.get_abi_sizeof(kind.type)
            vector, i64, byte = ir.VectorType(kind.type, lanes), ir.IntType(64), ir.IntType(8).as_pointer()
            first_h, first_m, first_out = (builder.inttoptr(address, byte) for address in (h, m, out))
            after, align = functools.partial(_after, builder), context.get_abi_sizeof(kind.type)

            def vectors_at(pointer: Any) -> list[Any]:
                places = (after(pointer, (i64(v), i64(VECTOR_BYTES))) for v in range(vectors))
                return [builder.bitcast(place, vector.as_pointer()) for place in places]

            places = [vectors_at(after(first_out, (i64(n), out_row))) for n in range(rows)]
            begin, take_up, again, body, done = (
                builder.block,
                *(builder.append_basic_block(name) for name in ("take_up", "again", "body", "done")),
            )
            builder.cbranch(is_fresh, again, take_up)

            builder.position_at_end(take_up)
            before = [[builder.load(place, align=align) for place in in_row] for in_row in places]
            builder.branch(again)

            builder.position_at_end(again)
            k, at_h, at_m = builder.phi(i64), builder.phi(byte), builder.phi(byte)
            sums = [[builder.phi(vector) for _ in range(vectors)] for _ in range(rows)]
            builder.cbranch(builder.icmp_signed("<", k, K), body, done)

            builder.position_at_end(body)
            m_of_k = [builder.load(place, align=align) for place in vectors_at(at_m)]
            more, fused = [], ("contract",)
            for n, in_row in enumerate(sums):
                h_of_k = _everywhere(builder, after(at_h, (i64(n), h_row)), vector)
                products = [builder.fmul(part, h_of_k, flags=fused) for part in m_of_k]
                more.append([builder.fadd(*pair, flags=fused) for pair in zip(in_row, products, strict=True)])
            steps = builder.add(k, i64(1)), after(at_h, (i64(1), h_k)), after(at_m, (i64(1), m_k))
            builder.branch(again)

            for phi, first, step in zip((k, at_h, at_m), (i64(0), first_h, first_m), steps, strict=True):
                phi.add_incoming(first, begin)
                phi.add_incoming(first, take_up)
                phi.add_incoming(step, body)
            for in_row, firsts, nexts in zip(sums, before, more, strict=True):
                for phi, first, step in zip(in_row, firsts, nexts, strict=True):
                    phi.add_incoming(ir.Constant(vector, None), begin)
                    phi.add_incoming(first, take_up)
                    phi.add_incoming(step, body)

            builder.position_at_end(done)
            for in_row, values in zip(places, sums, strict=True):
                for place, value in zip(in_row, values, strict=True):
                    builder.store(value, place, align=align)
            return context.get_dummy_value()

        return types.void(like, *[types.intp] * 8, types.boolean), generate

    return add_tile


def copy(vectors: int) -> Any:
    """Rows of so many vectors from one place to another."""

    @intrinsic
    def copy_rows(typingctx: Any, like: Any, source: Any, source_row: Any, target: Any, rows: Any) -> Any:
        """Copy some rows from an address, with so many bytes from row to row, to another, where they lie one after the
        other; `like` is a number of their kind."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind, source, source_row, target, rows = arguments
            align = context.get_abi_sizeof(kind.type)
            row = ir.VectorType(kind.type, vectors * VECTOR_BYTES // align)
            with cgutils.for_range(builder, rows) as loop:
                place, to = (
                    builder.inttoptr(builder.add(first, builder.mul(loop.index, step)), row.as_pointer())
                    for first, step in ((source, source_row), (target, ir.IntType(64)(vectors * VECTOR_BYTES)))
                )
                builder.store(builder.load(place, align=align), to, align=align)
            return context.get_dummy_value()

        return types.void(like, *[types.intp] * 4), generate

    return copy_rows


@intrinsic
def _transpose_square(typingctx: Any, source: Any, at: Any, to_next: Any, target: Any, to: Any, width: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        dtype = context.get_data_type(source.dtype)
        bytes_each = context.get_abi_sizeof(dtype)
        lanes = VECTOR_BYTES // bytes_each
        i32, i64, vector = ir.IntType(32), ir.IntType(64), ir.VectorType(dtype, lanes)
        _, at, to_next, _, to, width = arguments
        begin, end = (
            context.make_array(kind)(context, builder, arguments[i]).data for kind, i in ((source, 0), (target, 3))
        )

        def place(data: Any, first: Any, row: int, stride: Any) -> Any:
            pointer = builder.gep(data, [builder.add(first, builder.mul(i64(row), stride))])
            return builder.bitcast(pointer, vector.as_pointer())

        def mixed(one: Any, other: Any, places: list[int]) -> Any:
            return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(i32, lanes), places))

        rows = [builder.load(place(begin, at, n, to_next), align=bytes_each) for n in range(lanes)]
        size = 1
        while size < lanes:  # squares of this size on either side of the diagonal change places
            for n in (n for n in range(lanes) if not n & size):
                one, other = rows[n], rows[n + size]
                rows[n] = mixed(one, other, [k if not k & size else lanes + k - size for k in range(lanes)])
                rows[n + size] = mixed(one, other, [k + size if not k & size else lanes + k for k in range(lanes)])
            size *= 2
        for n, row in enumerate(rows):
            builder.store(row, place(end, to, n, width), align=bytes_each)
        return context.get_dummy_value()

    count = types.intp
    return types.void(source, count, count, target, count, count), generate


transpose_square: Any = _transpose_square
"""Writes a square of numbers, as many down and across as a vector has, from one flat array to another, transposed:
target[to + n · width + m] becomes source[at + m · to_next + n]."""
