"""Functions that give nothing to compare, or something that is no array of the right numbers."""

import numpy as np
import pytest

from minirnn import InputError
from minirnn.exercises import EXERCISES, check

RIGHT = "return np.tanh(W @ x + U @ h_prev + b[:, None])"
TROUBLES = [
    ("pass", "rnn_forward returns None: end it with `return h`"),
    ("return ...", "rnn_forward returns `...`"),
    (f"h_prev *= 2\n    {RIGHT}", "changes its argument h_prev in place"),
    (f"b[0] = 0\n    {RIGHT}", "changes its argument b in place"),
    ("return np.tanh(W @ x + U @ h_prev + c)", "line 2: NameError: name 'c' is not defined"),
    ("return np.tanh(W @ x + U @ h_prev + b)", "line 2: ValueError: operands could not be broadcast together"),
    ("raise SystemExit(3)", "line 2: it ends Python (sys.exit)"),
    ("raise ValueError('two\\nlines')", "line 2: ValueError: two lines"),
    ("assert x.shape == 3", "line 2: AssertionError"),
    ("return rnn_forward(x, h_prev, W, U, b)", "line 2: the function calls itself without end"),
    ("return np.zeros((10**7, 10**7))", "line 2: it asks for more memory than there is"),
    ("return 1 / 0", "line 2: ZeroDivisionError: division by zero"),
]
WRONG = [
    ("return None, 1", "it is a tuple that does not hold numbers"),
    ("return 'h'", "it is a string, and an array belongs here"),
    ("return {}", "it is a dict, and an array belongs here"),
    ("return [[1, 2], [3]]", "rows of different lengths"),
    ("return np.tanh", "an array belongs here"),
    ("return np.array([None])", "does not hold numbers"),
    (f"{RIGHT} + 0j", "complex"),
    ("return np.zeros((1000, 1000))", "far too large"),
    (f"{RIGHT} * np.nan", "it holds nan (first at [0, 0])"),
    (f"{RIGHT} * np.inf", "it holds inf"),
    (f"{RIGHT}.T", "transposed, (B, H) where (H, B) belongs: all else in it is right"),
    ("return (W @ x + U @ h_prev + b[:, None]).T", "transposed, (B, H) where (H, B) belongs"),
    (f"{RIGHT}.astype(np.float32)", "float32"),
    (f"{RIGHT}.sum(axis=1)", "its shape is (H,)"),
    ("return 1.0", "it is a single number, and (H, B)"),
    (f"{RIGHT} * (1 + 1e-8)", "1 times what it should be"),
]


def function(body, head="rnn_forward(x, h_prev, W, U, b)"):
    names = {"np": np}
    exec(compile(f"def {head}:\n    {body}\n", "learner.py", "exec"), names)
    return names["rnn_forward"]


@pytest.mark.parametrize(("body", "words"), TROUBLES)
def test_trouble_is_one_sentence(body, words):
    report = check(function(body))
    assert not report.right
    assert words in report.trouble
    assert "\n" not in report.trouble


@pytest.mark.parametrize(("body", "words"), WRONG)
def test_a_wrong_kind_of_value(body, words):
    report = check(function(body))
    assert not report.right
    assert words in report.wrong["h"] + report.trouble


def test_an_index_is_a_whole_number():
    def beam_step(log_prob, log_probs):
        totals = (log_prob[:, None] + log_probs).ravel()
        best = np.argsort(-totals)[: len(log_prob)]
        return best // log_probs.shape[1], 1.0 * (best % log_probs.shape[1]), totals[best]

    assert "whole numbers belong" in check(beam_step).wrong["tokens"]


def test_more_digits_are_welcome():
    assert check(function(f"{RIGHT}.astype(np.longdouble)")).right


def test_rounding_is_not_wrong():
    assert check(function(f"{RIGHT} * (1 + 1e-12)")).right


def test_numbers_of_arguments_and_values():
    assert check(function(RIGHT, "rnn_forward(x, h_prev)"), "rnn-forward").trouble == (
        "rnn_forward must take 5 arguments: rnn_forward(x, h_prev, W, U, b)"
    )
    assert check(function(RIGHT, "rnn_forward(x, h_prev, W, U, b, more=1)")).right
    backward = lambda *inputs: (inputs[0], inputs[0])
    assert check(backward, "rnn-backward").trouble == (
        "rnn_backward returns 2 values, and 6 belong there: da, dh_prev, dx, dW, dU, db"
    )
    assert "returns an array, and 6 values belong there" in check(lambda *inputs: inputs[0], "rnn-backward").trouble
    partly = check(lambda dh, *others: (..., None, dh, dh, dh, dh), "rnn-backward").wrong
    assert partly["da"] == "it is still `...`: put your own lines in its place"
    assert partly["dh_prev"] == "it is None, and an array belongs here"


def test_arguments_may_have_other_names():
    assert check(function("return np.tanh(A @ q + B @ p + d[:, None])", "rnn_forward(q, p, A, B, d)")).right


SHAPES = [(), (0,), (3,), (4, 4), (1, 5), (5, 1), (4, 3, 5), (3, 0), (2, 2, 2, 2)]
KINDS = [float, int, bool, np.float32, np.uint8, complex, object, str]


@pytest.mark.parametrize("name", EXERCISES)
def test_whatever_comes_back_is_answered(name):
    rng = np.random.default_rng(1)
    for _ in range(10):
        shapes, kinds = rng.choice(len(SHAPES), 9), rng.choice(len(KINDS), 9)
        values = [np.zeros(SHAPES[i], KINDS[k]) for i, k in zip(shapes, kinds, strict=True)][
            : len(EXERCISES[name].outputs)
        ]
        report = check(lambda *inputs, values=values: values if len(values) > 1 else values[0], name)
        assert not report.right
        assert all(report.wrong.values())


def test_wrong_usage():
    with pytest.raises(InputError, match="no exercise is called 'f'"):
        check(lambda x: x, "f")
    with pytest.raises(InputError, match="expected a function by one of the names slopes, "):
        check(lambda x: x)
    assert check(3, "slopes").trouble == "slopes is an int and no function"


def test_a_report_is_a_page_to_read():
    report = check(function(f"{RIGHT} * 2"))
    assert repr(report) == str(report)
    assert str(report).startswith("rnn-forward: One step of a simple recurrent network\n\n  h  wrong: ")
    assert str(check(function(RIGHT))).endswith("Next: minirnn exercise start rnn-backward")
