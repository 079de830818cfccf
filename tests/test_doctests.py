"""What the docstrings show on a prompt comes out as they say."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import minirnn

NAMES = [name for _, name, _ in pkgutil.walk_packages(minirnn.__path__, "minirnn.") if not name.endswith("__main__")]
PUBLIC = {name: getattr(minirnn, name) for name in minirnn.__all__}
SHOWN = """
    Tensor grad no_grad gradcheck cross_entropy softmax Module Linear Embedding Attention Recurrent RNN GRU LSTM detach
    SGD Adam clip_grad_norm beam_search decode generate corpus_bleu sentence_bleu perplexity Vocabulary
    sequential_batches
"""
"""What one begins with, and what therefore has an example."""


def examples():
    """The docstrings with examples, which may use NumPy, the public names, and the names of their own module."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in NAMES:
        module = importlib.import_module(name)
        for found in finder.find(module, name, extraglobs={"np": np, **PUBLIC, **vars(module)}):
            if found.examples:
                yield found


def test_the_examples_of_the_docstrings_run():
    runner, reports = doctest.DocTestRunner(), []
    for one in examples():
        runner.run(one, out=reports.append)
    assert runner.tries > 80
    assert not runner.failures, "".join(reports)


@pytest.mark.parametrize("name", SHOWN.split())
def test_what_one_begins_with_has_an_example(name):
    assert ">>> " in getattr(minirnn, name).__doc__
