"""A GPU library for machines without one: `DeviceArray` behaves like a `cupy.ndarray` where the two differ from NumPy.

It wraps a NumPy array and is none: every mix with a host array is refused, it cannot be turned into a host array by
accident (no `__array__`, no `__array_interface__`), a reduction gives an array without axes instead of a number, only
functions that cupy has can be called, and whatever would make the host wait for the device is counted in `syncs`.

Launches are counted in `launches`: one for each operation on arrays, for each fused function and for each kernel. What
only looks at the same memory in another way is none.

The module stands for cupy itself: `backend.array_module(x)` finds it by the type of x, as it finds cupy. With the
folder `cupy_double` on PYTHONPATH, `import cupy` gives it, in this process and in those that it starts.
"""

import sys
import time
import types
from pathlib import Path

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

CUPY_NAMES = frozenset(Path(__file__).with_name("cupy_names.txt").read_text().split())
__version__ = "0, a double"
syncs = launches = 0
_fusing = False


def _sync():
    global syncs
    syncs += 1


def _launch(count=1):
    global launches
    launches += 0 if _fusing else count


def _inside(x):
    """The wrapped array of an argument; refuses host arrays."""
    if isinstance(x, DeviceArray):
        return x._wrapped
    if isinstance(x, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>: a host array meets a device array")
    if isinstance(x, (list, tuple)):
        return type(x)(_inside(item) for item in x)
    return x


def _waits(index):
    """Whether indexing so must wait: how many elements a boolean index picks is known to the device alone."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, DeviceArray) and part._wrapped.dtype == bool for part in parts)


def _only_outside_fuse(what):
    if _fusing:
        raise NotImplementedError(f"{what} is not supported inside cupy.fuse")


ATTRIBUTES = {"shape", "ndim", "size", "dtype", "nbytes", "T", "reshape", "transpose", "swapaxes", "ravel", "astype"}
METHODS = {"copy", "take", "sum", "mean", "max", "min", "any", "all", "argmax", "argmin"}


def _outside(result):
    if isinstance(result, (list, tuple)):
        return type(result)(_outside(item) for item in result)
    return DeviceArray(np.asarray(result)) if isinstance(result, (np.ndarray, np.generic)) else result


class DeviceArray(NDArrayOperatorsMixin):
    __slots__ = ("_wrapped",)

    def __init__(self, wrapped):
        self._wrapped = wrapped

    def __array__(self, *args, **kwargs):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        if ufunc.__name__ not in CUPY_NAMES:
            return NotImplemented
        if any(isinstance(x, (list, tuple)) for x in inputs):
            raise TypeError("Unsupported type: a list meets a device array")
        if ufunc is np.matmul:
            _only_outside_fuse("@")
        _launch()
        if out is not None:
            options["out"] = out
        result = getattr(ufunc, method)(*map(_inside, inputs), **{k: _inside(v) for k, v in options.items()})
        return out[0] if out is not None else _outside(result)

    def __array_function__(self, function, *_):
        raise TypeError(f"numpy.{function.__name__} was called with a device array")

    def __getitem__(self, index):
        _only_outside_fuse("indexing")
        if _waits(index):
            _sync()
        if _copies(index):
            _launch()
        return _outside(self._wrapped[_inside(index)])

    def __setitem__(self, index, value):
        if isinstance(value, (list, tuple)):
            raise TypeError("Unsupported type: a list is put into a device array")
        if _waits(index):
            _sync()
        _launch()
        self._wrapped[_inside(index)] = _inside(value)

    def __len__(self):
        _only_outside_fuse("len")
        return len(self._wrapped)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def get(self):
        _sync()
        return self._wrapped.copy()

    def item(self):
        _sync()
        return self._wrapped.item()

    def tolist(self):
        _sync()
        return self._wrapped.tolist()

    def __float__(self):
        _sync()
        return float(self._wrapped)

    def __int__(self):
        _sync()
        return int(self._wrapped)

    def __bool__(self):
        _sync()
        return bool(self._wrapped)

    def __repr__(self):
        _sync()
        return f"Device{self._wrapped!r}"

    def __getattr__(self, name):
        if name not in ATTRIBUTES | METHODS:
            raise AttributeError(name)
        if name not in ("astype", "dtype"):
            _only_outside_fuse(name)
        value = getattr(self._wrapped, name)
        if not callable(value):
            return _outside(value)

        def method(*args, **kwargs):
            if {"where", "initial"} & kwargs.keys():
                raise TypeError(f"{name} has no such keyword in cupy")
            return _counted(value, *args, **kwargs)

        return method


DeviceArray.__module__ = "device_double"
ndarray = DeviceArray


def _counted(function, *args, **kwargs):
    """The result of a function, whose launch counts if it made a new array of what lay on the device."""
    inside = _inside(args), {k: _inside(v) for k, v in kwargs.items()}
    result = function(*inside[0], **inside[1])
    made = result[0] if isinstance(result, (list, tuple)) and result else result
    arrays = [x for x in (getattr(function, "__self__", None), *_flat(inside[0])) if isinstance(x, np.ndarray)]
    looks = isinstance(made, np.ndarray) and any(np.may_share_memory(made, x) for x in arrays)
    _launch(0 if looks or function in (np.empty, np.empty_like) else 1)
    return _outside(result)


def _flat(arguments):
    for x in arguments:
        yield from x if isinstance(x, (list, tuple)) else (x,)


def _copies(index):
    """Whether indexing so gathers elements into a new array."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, (DeviceArray, list)) for part in parts)


class _Ufunc:
    """A ufunc of the module: needs a device array among its arguments, and has `at`."""

    def __init__(self, name):
        self.name, self.ufunc = name, getattr(np, name)

    def __call__(self, *inputs, **options):
        if not any(isinstance(x, DeviceArray) for x in inputs):
            raise TypeError(f"{self.name} was called without a device array")
        return self.ufunc(*inputs, **options)

    def at(self, target, index, values):
        if _waits(index):
            _sync()
        _launch()
        self.ufunc.at(_inside(target), _inside(index), _inside(values))


def asarray(x, dtype=None):
    """From host to device. The host goes on at once: this is no sync."""
    array = np.array(x._wrapped if isinstance(x, DeviceArray) else x, dtype=dtype)
    _launch()
    if array.dtype.kind not in "biufc":
        raise ValueError(f"Unsupported dtype {array.dtype}")
    return DeviceArray(array)


def array(x, dtype=None, order="K"):
    """A copy on the device."""
    return _outside(asarray(x, dtype)._wrapped.copy(order))


def fuse(function):
    """As cupy.fuse: inside, only elementwise operations are possible."""

    def fused(*arrays):
        global _fusing
        _launch()
        outside, _fusing = _fusing, True
        try:
            return function(*arrays)
        finally:
            _fusing = outside

    return fused


def is_available():
    return True


def RawModule(code, enable_cooperative_groups=False):  # noqa: N802  (as in cupy)
    """The kernels of minirnn, run by a C++ compiler."""
    import cuda_emulation

    return cuda_emulation.RawModule(code, enable_cooperative_groups, launched=_launch)


class _Stream:
    def synchronize(self):
        _sync()


class _Event:
    """Its device does everything at once, so that it comes to an event when the host does."""

    def record(self):
        self.time = time.perf_counter()


class _Device:
    attributes = {"MultiProcessorCount": 32, "CooperativeLaunch": 1}


_properties = {
    "name": b"a double",
    "multiProcessorCount": _Device.attributes["MultiProcessorCount"],
    "totalGlobalMem": 2**30,
    "l2CacheSize": 2**20,
}
cuda = types.SimpleNamespace(
    Device=_Device,
    Event=_Event,
    get_current_stream=_Stream,
    get_elapsed_time=lambda start, end: 1e3 * (end.time - start.time),
    driver=types.SimpleNamespace(occupancyMaxActiveBlocksPerMultiprocessor=lambda *_: 2),
    runtime=types.SimpleNamespace(
        driverGetVersion=lambda: 0, runtimeGetVersion=lambda: 0, getDeviceProperties=lambda _: _properties
    ),
)


def __getattr__(name):
    if name not in CUPY_NAMES:
        raise AttributeError(f"module 'cupy' has no attribute {name!r}")
    value = getattr(np, name)
    if isinstance(value, np.ufunc):
        return _Ufunc(name)
    if callable(value) and not isinstance(value, type):
        if name != "where":
            _only_outside_fuse(name)
        return lambda *args, **kwargs: _counted(value, *args, **kwargs)
    return value


sys.modules["device_double"] = sys.modules[__name__]
