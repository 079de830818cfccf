"""The trained model of a translation run, or of a generated task's."""

from __future__ import annotations

from minirnn import backend
from minirnn.data import Codec
from minirnn.errors import InputError
from minirnn.runs.tasks import read_run_options
from minirnn.runs.translation import build_model
from minirnn.runs.weights import load_model
from minirnn.training import Run
from minirnn.translator import Translator


def read_codecs(run: Run) -> tuple[Codec, Codec]:
    """The codecs in a run's run.json.

    Raises:
        InputError: they are damaged, or need a library that is not installed.
    """
    try:
        source, target = Codec.from_json(run.config["source"]), Codec.from_json(run.config["target"])
    except (InputError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error.__cause__, ImportError):  # then it is not the file that is to blame
            raise
        said = error if isinstance(error, InputError) else repr(error)
        raise run.damaged(f"the vocabulary: {said}") from error
    return source, target


def load_translator(run: Run, checkpoint: str = "best", device: str = "cpu") -> Translator:
    """The trained model of a run with its codecs, ready to translate.

    Raises:
        InputError: the run is not a translation's, is damaged, or has no checkpoint.
    """
    options = read_run_options(run)
    source, target = read_codecs(run)
    options, sizes = {**options, "device": device}, (len(source.vocabulary), len(target.vocabulary))
    model = load_model(run, lambda: build_model(*sizes, options, backend.generator(0)), checkpoint)
    return Translator(model, source, target)
