"""What is recorded of code that runs."""

import importlib.util
import sys
import textwrap
import threading

import numpy as np
import pytest

from minirnn.pages.stepping.recording import encode, encode_argument, is_encodable, record


@pytest.fixture
def recorded(tmp_path):
    """A function that writes a module, runs its `main`, and gives what came out and the events."""

    def run(source, *args):
        file = tmp_path / "written.py"
        file.write_text(textwrap.dedent(source).lstrip("\n"))
        spec = importlib.util.spec_from_file_location("written", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return record(module.main, args, lambda code: code.co_filename == str(file))

    return run


def brief(events):
    return [(event.function, event.line, event.values) for event in events]


def test_a_call_and_each_statement_with_what_it_gives_values_to(recorded):
    result, events = recorded(
        """
        def main(a, b=2, *rest, c=3):
            '''What it does.'''
            x = a + b
            y: float = x / 2
            z: int
            x += 1
            text = "no number"
            "a constant that stands alone"
            print
            return x, y
        """,
        1,
    )
    assert result == (4, 1.5)
    assert brief(events) == [
        ("main", 1, {"a": 1, "b": 2, "c": 3, "rest": {"q": []}}),
        ("main", 3, {"x": 3}),
        ("main", 4, {"y": 1.5}),
        ("main", 6, {"x": 4}),
        ("main", 7, {}),
        ("main", 9, {}),
        ("main", 10, {"return": {"q": [4, 1.5]}}),
    ]
    assert {(event.module, event.depth, event.t) for event in events} == {("written", 1, None)}
    assert all(event.file.endswith("written.py") for event in events)


def test_targets_of_all_kinds(recorded):
    _, events = recorded(
        """
        class Box: pass
        def main(xs):
            a, (b, *c) = 1, (2, 3, 4)
            [d, e] = f = [5, 6]
            xs[0] = xs[1] = 7
            g = {}
            g["h"] = 8
            box = Box()
            box.i = 9
            box.j, k = 10, 11
            for m, (n, *o) in [(1, (2, 3)), (4, (5,))]:
                pass
        """,
        [0, 0],
    )
    assert [values for _, _, values in brief(events)] == [
        {"xs": {"q": [0, 0]}},
        {"a": 1, "b": 2, "c": {"q": [3, 4]}},
        {"d": 5, "e": 6, "f": {"q": [5, 6]}},
        {"xs": {"q": [7, 7]}},
        {"g": {"m": {}}},
        {"g": {"m": {"h": 8}}},
        {},
        {},
        {"k": 11},
        {"m": 1, "n": 2, "o": {"q": [3]}},
        {"m": 4, "n": 5, "o": {"q": []}},
    ]


def test_loops_whatever_their_layout(recorded):
    _, events = recorded(
        """
        def main(n):
            total = 0
            for i in range(n): total += i
            for i in range(n): pass
            for i in range(
                n
            ):
                total += (
                    i
                )
            for _ in []:
                total = 100
            while total < 3: total += 1
            if total: total = 0
            return [t for t in range(n)]
        """,
        2,
    )
    lines = [(event.line, *event.values.values()) for event in events[2:]]
    assert lines == [
        *[(3, 0), (3, 0), (3, 1), (3, 1)],
        *[(4, 0), (4, 1)],
        *[(5, 0), (8, 1), (5, 1), (8, 2)],
        (13, 3),
        (14, 0),
        (15, {"q": [0, 1]}),
    ]


def test_a_statement_of_many_lines_is_one_event_after_those_of_the_calls_in_it(recorded):
    _, events = recorded(
        """
        def square(x):
            return (
                x
                * x
            )

        @staticmethod
        def main(xs):
            for t in range(2):
                total = sum(
                    [
                        square(
                            x
                        )
                        for x in xs
                    ]
                )
                square(total)
            return (square(x) for x in xs)
        """,
        [1, 2],
    )
    names = [(event.function, event.line, event.t, event.depth) for event in events]
    one = lambda t: [("square", 1, t, 2), ("square", 2, t, 2)]
    step = lambda t: [("main", 9, t, 1), *one(t), *one(t), ("main", 10, t, 1), *one(t), ("main", 18, t, 1)]
    assert names == [("main", 8, None, 1), *step(0), *step(1), ("main", 19, 1, 1)]


def test_t_is_that_of_the_innermost_function_that_has_one(recorded):
    _, events = recorded(
        """
        def inner(x):
            y = [t for t in range(9)]
            t = True
            t = 1.5
            t = 5
            return y

        def outer(t):
            inner(t)
            return t

        def main():
            inner(0)
            outer(7)
            for t in (1, 2): pass
        """
    )
    seen = [(event.function, event.t) for event in events]
    inner = lambda t: [("inner", t)] * 4 + [("inner", 5)] * 2
    assert seen == [
        ("main", None),
        *inner(None),
        ("main", None),
        ("outer", 7),
        *inner(7),
        ("outer", 7),
        ("outer", 7),
        *[("main", None), ("main", 1), ("main", 2)],
    ]


def test_arrays_are_copied_at_the_event_and_shown_as_they_are_then(recorded):
    result, events = recorded(
        """
        import numpy as np

        def fill(part):
            part[:] = 1

        def main(a):
            b = a[0]
            fill(b)
            a *= 2
            return a
        """,
        np.zeros((2, 2)),
    )
    d = [event.values.get("a", {}).get("d") for event in events if "a" in event.values]
    assert d == [[0, 0, 0, 0], [1, 1, 0, 0], [2, 2, 0, 0]]
    assert events[3].values == {"part": {"s": [2], "d": [1, 1]}}
    assert list(events[4].values) == ["a", "b"]  # the line `fill(b)`, which gives a value to neither
    assert events[-1].values == {"return": {"s": [2, 2], "d": [2, 2, 0, 0]}}
    assert result.tolist() == [[2, 2], [0, 0]]


def test_what_is_not_filled_yet_is_nan_while_recording_and_nowhere_else(recorded):
    plain = np.empty, np.empty_like
    elsewhere = []

    def beside():
        elsewhere.append(np.empty(100_000))

    def in_another_thread():
        thread = threading.Thread(target=beside)
        thread.start()
        thread.join()

    _, events = recorded(
        """
        import numpy as np

        def main(callback):
            callback()
            a = np.empty((1, 2), dtype="float32")
            b = np.empty_like(a)
            c = np.empty(2, dtype=int)
        """,
        in_another_thread,
    )
    nothing = {"s": [1, 2], "d": [None, None]}
    assert [event.values for event in events[2:]] == [{"a": nothing}, {"b": nothing}, {"c": {"s": [2], "d": [0, 0]}}]
    assert (np.empty, np.empty_like) == plain
    assert not np.isnan(elsewhere[0]).all()


def test_exceptions_end_statements_without_an_event(recorded):
    _, events = recorded(
        """
        def fail(x):
            y = 1 / x
            return y

        def refuse(x):
            raise ValueError(
                fail(x)
            )

        def main():
            for x in (0, 1):
                try:
                    y = [fail(x) for _ in range(2)]
                except ZeroDivisionError as error:
                    y = 2
                try:
                    refuse(x)
                except (ValueError, ZeroDivisionError):
                    pass
            for z in iter([1]):
                z = [w for w in iter([z])]
        """
    )
    fails, divides = [("fail", 1), ("fail", 2), ("fail", 3)], [("fail", 1)]
    assert [(event.function, event.line) for event in events] == [
        ("main", 10),
        *[("main", 11), *divides, ("main", 15), ("refuse", 5), *divides],
        *[("main", 11), *fails, *fails, ("main", 13), ("refuse", 5), *fails, ("refuse", 6)],
        *[("main", 20), ("main", 21)],
    ]


def test_a_statement_that_is_repeated_with_nothing_in_between(recorded):
    _, events = recorded(
        """
        def main(xs):
            try:
                while True: xs.pop()
            except IndexError:
                return xs
        """,
        [1, 2],
    )
    assert [event.line for event in events] == [1, 3, 3, 5]


def test_a_return_is_told_when_the_function_is_left(recorded):
    _, events = recorded(
        """
        import contextlib

        def inner(x):
            try:
                return x
            finally:
                x = 3

        def main():
            with contextlib.suppress(ValueError):
                return inner(1)
        """
    )
    assert [(event.function, event.line) for event in events] == [
        *[("main", 9), ("inner", 3), ("inner", 7), ("inner", 5), ("main", 11)],
    ]


def test_an_iterator_that_ends_is_no_failure(recorded):
    _, events = recorded(
        """
        class Twice:
            n = 0
            def __iter__(self):
                return self
            def __next__(self):
                self.n += 1
                if self.n > 2:
                    raise StopIteration
                return self.n

        def main():
            for i in Twice():
                pass
            return [j for j in Twice()]
        """
    )
    assert [event.line for event in events if event.function == "main"] == [11, 12, 12, 14]


def test_comprehensions_lambdas_and_generators_are_not_followed(recorded):
    result, events = recorded(
        """
        def count(n):
            for i in range(n):
                yield i

        def main():
            double = lambda x: 2 * x
            def inner(x):
                return double(x)
            return [inner(x) for x in count(2)]
        """
    )
    assert result == [0, 2]
    inner = [("main.<locals>.inner", 7), ("main.<locals>.inner", 8)]
    assert [(event.function, event.line) for event in events] == [("main", 5), ("main", 6), *inner, *inner, ("main", 9)]


def test_names_that_a_function_inside_shares_are_seen(recorded):
    _, events = recorded(
        """
        def main(a):
            b = 1
            b = a + b
            return max([1], key=lambda x: x + a + b)
        """,
        1,
    )
    assert [event.values for event in events] == [{"a": 1}, {"b": 1}, {"b": 2}, {"return": 1}]


def test_an_earlier_trace_function_is_back_afterwards_even_when_the_code_fails(recorded):
    heard = []

    def earlier(frame, kind, argument):
        heard.append(frame.f_code.co_name)

    before = sys.gettrace()
    sys.settrace(earlier)
    try:
        recorded("def main(): return 1")
        after = sys.gettrace()
        with pytest.raises(ZeroDivisionError):
            recorded("def main(): return 1 / 0")
        after_failure = sys.gettrace()
    finally:
        sys.settrace(before)
    assert after is after_failure is earlier
    assert "main" not in heard


def test_what_can_be_shown():
    nothing = [None, "text", len, np, {1: 2}, (1, None), [["a"]], {"a": {"b": "c"}}, 1j, np.array(["a"]), object()]
    assert not any(map(is_encodable, nothing))
    values = {
        "numbers": [1, 2.5, True, np.nan, np.inf, -np.inf],
        "arrays": (
            np.arange(4.0).reshape(2, 2).T,
            np.float64(0.1),
            np.array([True]),
            np.zeros((0, 2)),
            np.array(np.inf),
        ),
    }
    assert is_encodable(values)
    assert encode(values) == {
        "m": {
            "numbers": {"q": [1, 2.5, 1, None, "inf", "-inf"]},
            "arrays": {
                "q": [
                    {"s": [2, 2], "d": [0, 2, 1, 3]},
                    {"s": [], "d": [0.1]},
                    {"s": [1], "d": [1]},
                    {"s": [0, 2], "d": []},
                    {"s": [], "d": ["inf"]},
                ]
            },
        }
    }
    assert type(encode(True)) is int
    cell = object()
    assert encode_argument((cell, None, "a", {"b": 1.0}), {"cell": cell}) == {
        "q": [{"o": "cell"}, {"o": None}, {"t": "a"}, {"m": {"b": 1.0}}]
    }
    with pytest.raises(TypeError, match="object"):
        encode_argument(object(), {"cell": cell})
