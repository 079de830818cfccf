"""What an exercise is: a function to write, and the engine's own results to compare it with."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from minirnn.errors import InputError
from minirnn.exercises.given import Given, Sizes, draw_sizes, shape_of, written


class Problem(NamedTuple):
    """One draw of an exercise: what goes in, and what must come out."""

    sizes: Sizes
    inputs: dict[str, Any]
    outputs: dict[str, np.ndarray]


@dataclass(frozen=True)
class Exercise:
    """A function for a learner to write.

    Attributes:
        name: such as "rnn-backward"; the function's name has "_" for "-".
        title: what it is about, in one line.
        text: the equations and what they mean.
        inputs: the function's arguments, in order.
        outputs: what it returns, in order: of each the shape and the meaning.
        engine: minirnn's own way to the outputs, from the inputs by name. What is right is decided by this alone.
        equations: the same line by line, as NumPy is written when nothing else matters. Only the diagnosis uses it: it
            plants mistakes there, and looks which of them gives what the learner has.
        sources: where the engine does it: what the learner is shown in the end.
        slips: mistakes that many make, to look for first: for a part of the equations what they have there instead, and
            the sentence for them.
        not_finite: what to say where nan or inf comes out.
    """

    name: str
    title: str
    text: str
    inputs: Mapping[str, Given]
    outputs: Mapping[str, tuple[str, str]]
    engine: Callable[..., tuple[Any, ...]]
    equations: str
    sources: tuple[Any, ...]
    slips: Mapping[str, Mapping[str, str]]
    not_finite: str = "what is divided by 0 there, grows without end, or is the root of something negative?"

    @property
    def function(self) -> str:
        """The name of the function to write."""
        return self.name.replace("-", "_")

    def draw(self, seed: int) -> Problem:
        """Inputs, other ones for each seed, and what the engine makes of them, in float64."""
        rng = np.random.default_rng(seed)
        shapes = [given.shape for given in self.inputs.values()] + [shape for shape, _ in self.outputs.values()]
        sizes = draw_sizes(shapes, rng)
        inputs = {name: given.draw(rng, shape_of(given.shape, sizes), sizes) for name, given in self.inputs.items()}
        outputs = self.engine(**inputs)
        return Problem(sizes, inputs, {name: np.asarray(y) for name, y in zip(self.outputs, outputs, strict=True)})

    def template(self, derive: bool = False) -> str:
        """The file to fill in.

        Args:
            derive: whether the equations of the way back are left out, for who derives them.

        Raises:
            InputError: there are none to leave out.
        """
        head = f"def {self.function}({', '.join(self.inputs)}):"
        given = [_described(name, one.shape, one.meaning) for name, one in self.inputs.items()]
        wanted = [_described(name, shape, meaning) for name, (shape, meaning) in self.outputs.items()]
        text = textwrap.dedent(self.text).strip()
        if derive:
            text, back, _ = text.partition("\n\nBack, ")
            if not back:
                raise InputError(f"{self.name} gives no equations of a way back that could be left out")
            text += "\n\nBack: derive it. Which roads lead from what is given to the loss?"
        document = (
            f'"""{self.title}.\n\n{text}\n\nGiven:\n{chr(10).join(given)}\n\nReturn:\n{chr(10).join(wanted)}\n"""'
        )
        body = textwrap.indent(f"{document}\n...\nreturn {', '.join(self.outputs)}", "    ")
        counter = "from collections import Counter\n\n" if "Counter(" in self.equations else ""
        sigmoid = "\nfrom minirnn.backend import sigmoid\n" if "sigmoid(" in self.equations else ""
        return f"{counter}import numpy as np\n{sigmoid}\n\n{head}\n{body}\n"

    def solution(self) -> str:
        """The engine's own source, read from where it is, so that it is what runs."""
        return "\n\n".join(_source(one) for one in self.sources)


def _described(name: str, shape: str, meaning: str) -> str:
    words = f"{written(shape)} {meaning}" if shape else meaning
    return textwrap.fill(f"{name}: {words}", 112, initial_indent="    ", subsequent_indent="        ")


def _source(thing: Any) -> str:
    where = f"# {thing.__module__.replace('.', '/')}.py: {thing.__qualname__}"
    return f"{where}\n{textwrap.dedent(inspect.getsource(thing)).strip()}\n"
