"""One way in to everything that was trained: `minirnn.load`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, overload

from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.artist import Artist
from minirnn.backend import float_dtype
from minirnn.blanks import BlankFiller
from minirnn.captioner import Captioner
from minirnn.classifier import Classifier
from minirnn.errors import InputError
from minirnn.forecaster import Forecaster
from minirnn.layers import Module
from minirnn.partner import Partner
from minirnn.reranking import Reranker
from minirnn.runs.captions import load_captioner
from minirnn.runs.chats import load_partner
from minirnn.runs.classify import load_classifier
from minirnn.runs.cloze import load_blank_filler
from minirnn.runs.drawings import load_artist
from minirnn.runs.forecast import load_forecaster
from minirnn.runs.lm import load_writer
from minirnn.runs.translators import load_translator
from minirnn.training import Run
from minirnn.training.weights import load_weights
from minirnn.translator import Translator
from minirnn.writer import Writer

Trained = Translator | Writer | Classifier | Forecaster | BlankFiller | Captioner | Artist | Partner | Reranker
AnyTrained = TypeVar(
    "AnyTrained", Translator, Writer, Classifier, Forecaster, BlankFiller, Captioner, Artist, Partner, Reranker
)
AnyModule = TypeVar("AnyModule", bound=Module)

LOADERS: dict[str, Callable[[Run, str, str], Trained]] = {
    "lm": load_writer,
    "translate": load_translator,
    "task": load_translator,
    "forecast": load_forecaster,
    "classify": load_classifier,
    "caption": lambda *what: load_captioner(*what)[0],
    "draw": lambda *what: load_artist(*what)[0],
    "chat": load_partner,
    "cloze": load_blank_filler,
}
"""By what a run.json calls its task."""

CHECKPOINTS = ("best", "last")

MOST_NAMED = 5
"""Runs that an error lists."""


@overload
def load(
    path: str | os.PathLike[str],
    what: AnyModule,
    *,
    checkpoint: str = "best",
    device: str | None = None,
    dtype: DTypeLike | None = None,
) -> AnyModule: ...


@overload
def load(
    path: str | os.PathLike[str],
    what: type[AnyTrained],
    *,
    checkpoint: str = "best",
    device: str | None = None,
    dtype: DTypeLike | None = None,
) -> AnyTrained: ...


@overload
def load(
    path: str | os.PathLike[str],
    what: None = None,
    *,
    checkpoint: str = "best",
    device: str | None = None,
    dtype: DTypeLike | None = None,
) -> Any: ...


def load(
    path: str | os.PathLike[str],
    what: Any = None,
    *,
    checkpoint: str = "best",
    device: str | None = None,
    dtype: DTypeLike | None = None,
) -> Any:
    """What was trained: a run of the command line with its vocabularies, ready to be used, or the weights of a model of
    one's own.

        translator = minirnn.load("runs/translate-1")
        translator.translate(["The old cat sees a bird."], beam_size=5)

        model = minirnn.load("my.safetensors", MyModel(...))

    What there is after which command:

        train lm                Writer: `generate`, `perplexity`
        train translate, task   Translator: `translate`, `evaluate`, `perplexity`
        train classify          Classifier: `classify`, `probabilities`
        train forecast          Forecaster: `forecast`, `ahead`
        train cloze             BlankFiller: `fill`
        train caption           Captioner: `caption`
        train draw              Artist: `draw`
        train chat              Partner: `answer`; with --model backward a Reranker, which a Partner can be given

    Each has the trained `model`, a `Module` in evaluation mode.

    Args:
        path: a run directory, or a file that `minirnn.save` wrote.
        what: a class, such as `minirnn.Translator`: the run must be of that kind, and a type checker knows what is
            returned. Or a model of one's own: its weights are set to those in the file, or in the run, and it is
            returned, in the mode in which it was. None: whatever the run is of.
        checkpoint: of a run, "best", or "last".
        device: "cpu" or "gpu". None: the CPU, or where the model of one's own is.
        dtype: float32 or float64. None: float32, or that of the model of one's own.

    Raises:
        FileNotFoundError, InputError: there is no such run or file; it is damaged, of another kind, of a later minirnn,
            or of another model; the run has not been trained yet; or it needs a file that is gone. For weights that do
            not fit the message says which are missing, unknown, or of another shape.
        DeviceError: there is no such device.
    """
    if isinstance(path, Module):
        raise InputError("the file comes first, then the model: minirnn.load(path, model)")
    if checkpoint not in CHECKPOINTS:
        raise InputError(f"unknown checkpoint {checkpoint!r}: expected 'best' or 'last'")
    _check_what(what)
    dtype = None if dtype is None else float_dtype(dtype)
    backend.library(device or "cpu")  # a missing GPU is said before any work is done
    if isinstance(what, Module):
        _set_weights(Path(path), what, checkpoint)
        if device is not None:
            what.to(device)
        return what if dtype is None else what.astype(dtype)
    found = _load_run(Path(path), what, checkpoint, device or "cpu")
    if dtype is not None:
        found.model.astype(dtype)
    return found


MEANT = {"best": "checkpoint", "last": "checkpoint", "cpu": "device", "gpu": "device"}
"""Arguments that have to be named, by what they may be."""


def _check_what(what: Any) -> None:
    try:
        isinstance(what, Module) or what is None or isinstance(None, what)
    except TypeError as error:
        hint = f": write {MEANT[what]}={what!r}" if isinstance(what, str) and what in MEANT else ""
        raise InputError(
            "the second argument is a class, such as minirnn.Translator, or a model whose weights are to be set, not "
            f"{what!r}{hint}"
        ) from error


def _set_weights(path: Path, model: Module, checkpoint: str) -> None:
    if path.is_dir():
        run = Run(path)
        state = run.model_state(checkpoint)
        try:
            model.load_state_dict(state)
        except InputError as error:
            raise InputError(
                f"{path}: its {checkpoint} weights do not fit a {type(model).__name__}: {error}"
            ) from error
    else:
        load_weights(path, model)


def _load_run(path: Path, kind: Any, checkpoint: str, device: str) -> Trained:
    if path.is_file():
        raise InputError(f"{path} is a file, and a run is a directory: for weights give the model that they are of "
                         "too, minirnn.load(path, model)")  # fmt: skip
    run = _open(path)
    task = run.config.get("task")
    if not isinstance(task, str) or task not in LOADERS:
        made = f"is a run of {task!r}" if task is not None else "does not say what it is a run of"
        raise InputError(f"{path} {made}, which `minirnn train` does not make: "
                         "give the model that it has the weights of, minirnn.load(path, model)")  # fmt: skip
    found = LOADERS[task](run, checkpoint, device)
    if kind is not None and not isinstance(found, kind):
        raise InputError(f"{path} is a run of `minirnn train {task}`: a {type(found).__name__}, not {_named(kind)}")
    return found


def _named(kind: Any) -> str:
    return f"a {kind.__name__}" if isinstance(kind, type) else repr(kind)


def _open(path: Path) -> Run:
    """A run; where there is none but runs are near, the error names them."""
    try:
        return Run(path)
    except InputError as error:
        inside = path if path.is_dir() else path.parent
        runs = sorted(str(one.parent) for one in inside.glob("*/run.json"))
        if not runs or (path / "run.json").exists():
            raise
        more = f" and {len(runs) - MOST_NAMED} more" if len(runs) > MOST_NAMED else ""
        raise InputError(f"{error}; there is {', '.join(runs[:MOST_NAMED])}{more}") from error
