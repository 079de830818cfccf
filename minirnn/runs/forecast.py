"""What `minirnn train forecast` can be told, the series it is about, and the models built from that."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np

from minirnn import backend
from minirnn.data.series import noisy_sine, read_series, standardize
from minirnn.errors import InputError
from minirnn.forecaster import Forecaster
from minirnn.models.forecasting import RecurrentForecaster, WindowForecaster
from minirnn.runs.cells import cell_options, cell_settings
from minirnn.runs.data import load_again
from minirnn.runs.options import Options, number, optimization_options, path, read_options
from minirnn.runs.weights import load_model
from minirnn.training import Run
from minirnn.training.forecasting import SideBySide

_count: dict[str, Any] = {"type": number(int, 1), "metavar": "N"}
OPTIONS: Options = {
    "data": (None, {"type": path, "metavar": "FILE", "help": "one number a line (default: a noisy sine)"}),
    "train-fraction": (0.6, {"type": number(float, 0, 1), "metavar": "X", "help": "the beginning to learn from"}),
    "window": (4, {**_count, "help": "values that the linear model and the MLP see"}),
    **cell_options("gru"),
    "hidden": (32, {**_count, "help": "units of the MLP and of the recurrent network"}),
    "batch-size": (16, {**_count, "help": "pieces in a batch"}),
    "steps": (48, {**_count, "help": "predictions in a piece"}),
    **optimization_options(lr=0.005, epochs=500),
    "validate-every": (50, {**_count, "help": "epochs between validations"}),
}


def load(options: dict[str, Any]) -> np.ndarray:
    """The series that the options name.

    Raises:
        FileNotFoundError, InputError: the file is missing or damaged.
    """
    return read_series(options["data"]) if options["data"] else noisy_sine()


def digest(series: np.ndarray) -> str:
    """Of the values in float32 where that tells all of them apart, else in float64. (A run may have been begun with a
    series that was read in float32, and goes on unless that had lost something of it.)"""
    rounded = series.astype(np.float32)
    lossless = len(np.unique(rounded)) == len(np.unique(series))
    return hashlib.sha256((rounded if lossless else series).tobytes()).hexdigest()


def mismatch(options: dict[str, Any]) -> str:
    """What is wrong where a run finds another series than its own, up to the name of the run."""
    return f"{options['data'] or 'the noisy sine'} is not the series that"


class Units(NamedTuple):
    """What a run learns of its series when it begins: mean and standard deviation of the values to learn from."""

    mean: float
    deviation: float

    def to_json(self) -> dict[str, Any]:
        """As run.json has it."""
        return {"mean": self.mean, "deviation": self.deviation}


def learn(series: np.ndarray, options: dict[str, Any]) -> Units:
    """The units of a series.

    Raises:
        InputError: there is nothing to learn from, or a value is too far from the others.
    """
    return Units(*standardize(series, count_train(series, options))[1:])


def count_train(series: np.ndarray, options: dict[str, Any]) -> int:
    """How many values, from the first, are to learn from.

    Raises:
        InputError: none.
    """
    num_train = int(len(series) * options["train-fraction"])
    if not num_train:
        raise InputError(f"a series of {len(series)} values has nothing to learn from")
    return num_train


def read_units(run: Run) -> Units:
    """The units of a run, from its run.json; of a run that is older than they are kept, from its series.

    Raises:
        InputError: they are damaged, or the series can no longer be read, or is another.
    """
    if "mean" not in run.config:
        options = read_options(run, "forecast", OPTIONS)
        advice = "without it nothing can be forecast, for the run is from before its mean and deviation were kept"
        return learn(load_again(run, options, load, digest, mismatch, advice), options)
    try:
        found = Units(run.config["mean"], run.config["deviation"])
        Forecaster(SideBySide({}), *found)
    except (InputError, KeyError) as error:
        raise run.damaged(error) from error
    return found


def build_model(options: dict[str, Any], rng: np.random.Generator) -> SideBySide:
    """The models that the options describe, on their device."""
    window, hidden = options["window"], options["hidden"]
    model = SideBySide(
        {
            "linear": WindowForecaster(window, rng=rng),
            "mlp": WindowForecaster(window, hidden, rng=rng),
            "recurrent": RecurrentForecaster(hidden_size=hidden, **cell_settings(options), rng=rng),
        }
    )
    model.to(options["device"])
    return model


def load_forecaster(run: Run, checkpoint: str = "best", device: str = "cpu") -> Forecaster:
    """The trained models of a run with the units of its series.

    Raises:
        InputError: the run is another task's, is damaged, or has no checkpoint.
    """
    options = {**read_options(run, "forecast", OPTIONS), "device": device}
    units = read_units(run)
    return Forecaster(load_model(run, lambda: build_model(options, backend.generator(0)), checkpoint), *units)
