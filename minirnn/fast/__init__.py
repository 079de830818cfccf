"""The same as in `cells/`, sooner: whoever reads only how it is computed can leave this folder out.

Everything here stands in for something plain, with the same arguments and the same results, and is tested against it:

    walk.py      `bptt.unroll`, and `stepper.Stepper`, with whatever below pays: also in threads for parts of a batch
                 and for the two directions of a layer
    diagonals.py `diagonals.along_diagonals`, without the places beside the picture                     (both)
    in_place.py  the steps of LSTM and GRUs with fewer and cheaper operations                            (both)
    fused.py     the steps of other cells in fewer launches                                              (GPU)
    slices.py    the product with U, slice by slice, which OpenBLAS multiplies as it lies in memory      (CPU)
    in_threads.py  products with W and U one step at a time, shared out among the threads                (CPU)
    loops.py     the loops along time of RNN, LSTM and GRUs, compiled by Numba                           (CPU, if asked)
                 with the steps in steps.py, in products of packed.py, made of what registers.py keeps in registers
    wavefront.py the layers of a deep network side by side, where the batch is small                     (CPU, if asked)
    stepping.py  one step of these at a time, as `stepper.Stepper`                                       (CPU, if asked)
    products.py  products of matrices in the same tiles, as `parallel.by_numpy`                          (CPU, if asked)
    cuda.py      the loops along time of RNN, LSTM and GRU, in CUDA (`cuda.cu`)                          (GPU)
    kernels.py   whether `loops.py` and `cuda.py` are used

`cells/` imports nothing from here. Six files elsewhere do; without this folder their lines would be:

    minirnn/__init__.py           from minirnn.cells.bptt import unroll          (and no `use_kernels`)
    minirnn/layers/recurrent.py   from minirnn.cells.bptt import unroll          (for each of the walks by itself,
                                                                                  and no `layers_pay`)
                                  from minirnn.cells.stepper import Stepper
    minirnn/models/grid_drawing.py
                                  from minirnn.cells.diagonals import along_diagonals        (likewise)
    minirnn/cli/catalogue.py      from minirnn.cells.bptt import unroll
    minirnn/cli/main.py           (no `use_kernels`, which --kernels asks for)
    minirnn/cli/training.py       (nor here, where a run goes on)
"""

from minirnn.fast.diagonals import along_diagonals_together
from minirnn.fast.kernels import use_kernels
from minirnn.fast.walk import Stepper, unroll, unroll_together
from minirnn.fast.wavefront import layers_pay, unroll_layers

__all__ = [
    "Stepper",
    "along_diagonals_together",
    "layers_pay",
    "unroll",
    "unroll_layers",
    "unroll_together",
    "use_kernels",
]
