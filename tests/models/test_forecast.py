"""Forecasting: looking ahead against a slow loop, training against least squares, and the command."""

import sys

import numpy as np
import pytest
from commands import refused, run

from minirnn import Adam, InputError, Run, Tensor, Trainer, gradcheck, no_grad
from minirnn.cli.train import forecast
from minirnn.cli.train.forecast import errors_by_distance, why_worse
from minirnn.data.series import noisy_sine, read_series
from minirnn.models.forecasting import RecurrentForecaster, WindowForecaster, k_steps_ahead
from minirnn.training.forecasting import Forecasting, SideBySide

MODELS = {
    "linear": lambda: WindowForecaster(3, rng=0, dtype=np.float64),
    "mlp": lambda: WindowForecaster(3, 5, rng=0, dtype=np.float64),
    "rnn": lambda: RecurrentForecaster("rnn", 4, rng=0, dtype=np.float64),
    "lstm": lambda: RecurrentForecaster("lstm", 4, rng=0, dtype=np.float64),
}


@pytest.mark.parametrize("name", MODELS)
def test_all_starts_together_equal_one_after_the_other(name, rng):
    model, x, steps = MODELS[name](), rng.standard_normal(12), 4
    found = k_steps_ahead(model, x, steps)
    assert found.shape == (4, 12)
    for k in range(1, steps + 1):
        for t in range(12):
            known = list(x[: t - k + 1]) if t >= k else []
            if len(known) < model.warm_up:
                assert np.isnan(found[k - 1, t])
                continue
            with no_grad():
                for _ in range(k):
                    known.append(model(Tensor(np.array(known)[:, None])).data[-1, 0])
            assert found[k - 1, t] == pytest.approx(known[-1], abs=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_the_gradients_are_right(name, rng):
    model = MODELS[name]()
    inputs = {"x": rng.standard_normal((6, 2)), **model.named_parameters()}
    assert gradcheck(lambda x, *_: model(x), inputs) <= 1e-6


def test_the_linear_model_learns_what_least_squares_finds():
    series, tau = noisy_sine(400, seed=1), 4
    model = SideBySide({"linear": WindowForecaster(tau, rng=0)})
    task = Forecasting(model, series, 300, batch_size=1, num_steps=296, rng=np.random.default_rng(0))
    Trainer(task, Adam(model.named_parameters(), 0.01), validate_every=4000, progress=False).train(4000)
    windows = np.lib.stride_tricks.sliding_window_view(series[:300], tau + 1).astype(np.float64)
    design = np.column_stack((windows[:, :tau], np.ones(len(windows))))
    best, *_ = np.linalg.lstsq(design, windows[:, tau], rcond=None)
    ours = np.append(model.linear.output.weight.data[0], model.linear.output.bias.data)
    error = lambda w: ((design @ w - windows[:, tau]) ** 2).mean()
    assert error(ours) < 1.0001 * error(best)
    np.testing.assert_allclose(ours, best, atol=0.01)


def test_the_sine_has_the_noise_it_promises():
    x = noisy_sine(20_000)
    noise = x - np.sin(0.01 * np.arange(1, 20_001))
    assert noise.std() == pytest.approx(0.2, rel=0.03)
    assert np.array_equal(noisy_sine(50, 3), noisy_sine(50, 3))
    assert not np.array_equal(noisy_sine(50, 3), noisy_sine(50, 4))


def test_all_distances_are_judged_on_the_same_values():
    series = np.arange(10.0)
    ahead = np.stack([series + 1, series - 2])
    ahead[0, :1] = ahead[1, :6] = np.nan
    np.testing.assert_allclose(errors_by_distance(ahead, series, 4), [1, 2])


def test_bad_series_are_named(tmp_path):
    file = tmp_path / "numbers.txt"
    file.write_text("1\n\n2.5\nthree\n")
    with pytest.raises(InputError, match="line 4: expected a number, found 'three'"):
        read_series(file)
    file.write_text("1\n-2e3\r\n\n.5\n")
    np.testing.assert_array_equal(read_series(file), np.float32([1, -2000, 0.5]))
    file.write_text("1\nnan\n")
    with pytest.raises(InputError, match="line 2"):
        read_series(file)
    with pytest.raises(InputError, match=r"a series of at least 3 values, not one of shape \(2,\)"):
        k_steps_ahead(WindowForecaster(3, rng=0), np.zeros(2, np.float32), 1)


@pytest.mark.slow
def test_errors_pile_up_with_the_distance(tmp_path, capsys):
    assert run("train", "forecast", "--quiet", "--out", tmp_path / "run") == 0
    out = capsys.readouterr().out
    rows = {name: [float(v) for v in line[23:].split()] for line in out.splitlines()
            if (name := line[:22].strip()) in ERRORS and line[23:30].strip()}  # fmt: skip
    assert list(rows) == list(ERRORS)
    for name in list(ERRORS)[:3]:
        one, four, sixteen, far = rows[name]
        assert 0.19 < one < rows["last value (baseline)"][0] + 0.05
        assert one < four < sixteen < far
        assert far > 1.8 * one
    assert (tmp_path / "run" / "forecast.png").exists()
    assert ("the gru is further off than the last value" in out) == (rows["gru"][-1] > rows[LAST][-1])


LAST = "last value (baseline)"
ERRORS = ("gru", "linear (baseline)", "MLP (baseline)", LAST)


def test_why_a_network_loses_to_the_last_value_is_said_where_it_does():
    good, bad = np.linspace(0.2, 0.5, 64), np.linspace(0.2, 0.8, 64)
    last = np.linspace(0.3, 0.6, 64)
    assert why_worse({"gru": good, LAST: last}, "gru") == ""
    first = int(np.flatnonzero(bad > last)[0]) + 1
    said = why_worse({"gru": bad, LAST: last}, "gru")
    assert said.startswith(f"From {first} steps ahead on, the gru is further off than the last value.")
    assert "0.200 after one step, 0.800 after 64" in said
    assert "has not learned the series yet" in why_worse({"gru": last + 1, LAST: last}, "gru")


def test_the_picture_is_of_the_network_that_was_asked_for(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(forecast, "plot_forecast", lambda *arguments: drawn.append(arguments))
    values = {RecurrentForecaster: 0.0, WindowForecaster: 1.0}  # of the standardized series: 0 is its mean
    monkeypatch.setattr(
        "minirnn.forecaster.k_steps_ahead", lambda model, x, k: np.full((k, len(x)), values[type(model)])
    )
    assert run("train", "forecast", "--cell", "lstm", *SMALL, "--epochs", 1, "--out", tmp_path / "run") == 0
    ((series, num_train, predictions, name, errors, *_),) = drawn
    assert name == "lstm" == next(iter(errors))
    for found in predictions.values():
        np.testing.assert_allclose(found, series[:num_train].mean(), rtol=1e-5)


def test_a_signal_upon_an_offset_is_forecast(tmp_path, capsys):
    """Of sin(0.1 t) the value k steps before is wrong by 2 sin(0.05 k) times a cosine."""
    file = tmp_path / "numbers.txt"
    file.write_text("\n".join(str(1e8 + np.sin(0.1 * t)) for t in range(1000)))
    assert run("train", "forecast", "--data", file, *SMALL, "--epochs", 1, "--out", tmp_path / "run") == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("last value"))
    expected = [2**0.5 * abs(np.sin(0.05 * k)) for k in (1, 4, 16, 64)]
    np.testing.assert_allclose([float(v) for v in line[23:].split()], expected, atol=0.02)


SMALL = ("--hidden", 4, "--steps", 10, "--batch-size", 4, "--validate-every", 1, "--quiet")


def test_a_resumed_run_ends_as_one_that_was_not_interrupted(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    options = ("train", "forecast", "--cell", "lstm", *SMALL)
    run(*options, "--epochs", 4, "--out", tmp_path / "whole")
    assert "no picture" in capsys.readouterr().out
    run(*options, "--epochs", 2, "--out", tmp_path / "half")
    run("train", "forecast", "--resume", tmp_path / "half", "--epochs", 4, "--quiet")
    for name, array in Run(tmp_path / "whole").model_state("last").items():
        assert (array == Run(tmp_path / "half").model_state("last")[name]).all()
    assert "valid_perplexity" not in Run(tmp_path / "whole").metrics()[0]


def test_bad_input_is_one_line(tmp_path, capsys):
    file = tmp_path / "numbers.txt"
    file.write_text("1\n2\n3\n")
    assert "too short" in refused(capsys, "train", "forecast", "--data", file)
    assert "too short" in refused(capsys, "train", "forecast", "--window", 700)
    file.write_text("\n".join(str(i % 7) for i in range(200)))
    assert run("train", "forecast", "--data", file, *SMALL, "--epochs", 1, "--out", tmp_path / "run") == 0
    file.write_text("\n".join(str(i % 8) for i in range(200)))
    capsys.readouterr()
    assert "is not the series" in refused(capsys, "train", "forecast", "--resume", tmp_path / "run", "--epochs", 2)
