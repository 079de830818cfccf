"""Forecasting models by their equations, and at the shortest series there are."""

import numpy as np
import pytest

from minirnn import InputError, Tensor
from minirnn.models.forecasting import RecurrentForecaster, WindowForecaster, k_steps_ahead

DOUBLE = {"dtype": np.float64}


@pytest.mark.parametrize("hidden", [None, 4])
@pytest.mark.parametrize("length", [3, 4, 8])
def test_a_window_is_the_last_few_values_the_oldest_first(hidden, length, rng):
    model, x = WindowForecaster(3, hidden, rng=0, **DOUBLE), rng.standard_normal((length, 2))
    p = model.state_dict()
    found = model(Tensor(x)).data
    assert found.shape == (length - 2, 2)
    for i in range(length - 2):
        for b in range(2):
            v = x[i : i + 3, b]
            if hidden:
                v = np.tanh(p["hidden.weight"] @ v + p["hidden.bias"])
            assert found[i, b] == pytest.approx((p["output.weight"] @ v + p["output.bias"])[0], rel=1e-13)
    with pytest.raises(InputError, match="3"):
        model(Tensor(x[:2]))


def test_a_recurrent_forecaster_sees_all_values_up_to_now(rng):
    model, x = RecurrentForecaster("rnn", 3, rng=0, **DOUBLE), rng.standard_normal((5, 2))
    p, found = model.state_dict(), model(Tensor(x)).data
    assert found.shape == (5, 2)
    for b in range(2):
        h = np.zeros(3)
        for t in range(5):
            h = np.tanh(p["recurrent.W_l0"][:, 0] * x[t, b] + p["recurrent.U_l0"] @ h + p["recurrent.b_l0"])
            assert found[t, b] == pytest.approx((p["output.weight"] @ h + p["output.bias"])[0], rel=1e-13)


class Counting:
    """A model that needs two values, and says for everything how far it looks and from where."""

    warm_up = 2

    def ahead(self, x, steps):
        return np.array([[100.0 * k + j + 1 for j in range(len(x) - 1)] for k in range(1, steps + 1)])


def test_every_prediction_stands_at_the_value_that_it_predicts():
    found = k_steps_ahead(Counting(), np.zeros(6), 3)
    nan = np.nan
    expected = [[nan, nan, 101, 102, 103, 104], [nan, nan, nan, 201, 202, 203], [nan, nan, nan, nan, 301, 302]]
    np.testing.assert_array_equal(found, expected)


def test_a_look_beyond_the_end_of_the_series_is_left_out():
    found = k_steps_ahead(Counting(), np.zeros(2), 3)
    assert found.shape == (3, 2)
    assert np.isnan(found).all()
    found = k_steps_ahead(Counting(), np.zeros(4), 5)
    np.testing.assert_array_equal(found[0], [np.nan, np.nan, 101, 102])
    np.testing.assert_array_equal(found[1], [np.nan, np.nan, np.nan, 201])
    assert np.isnan(found[2:]).all()


def test_the_shortest_series_and_the_fewest_steps():
    for steps, length in ((1, 2), (1, 3), (4, 2)):
        assert k_steps_ahead(Counting(), np.zeros(length), steps).shape == (steps, length)
    for steps, length in ((0, 2), (-1, 9), (1, 1), (1, 0), (0, 0)):
        with pytest.raises(InputError):
            k_steps_ahead(Counting(), np.zeros(length), steps)
    one = RecurrentForecaster("lstm", 2, rng=0)
    assert k_steps_ahead(one, np.zeros(1, np.float32), 1).shape == (1, 1)
    assert (one.warm_up, WindowForecaster(1, rng=0).warm_up, WindowForecaster(7, rng=0).warm_up) == (1, 1, 7)
    with pytest.raises(InputError, match="window"):
        WindowForecaster(0)


def test_a_state_goes_ahead_by_as_many_steps_as_are_asked_for(rng):
    model, x = RecurrentForecaster("lstm", 3, rng=0, **DOUBLE), rng.standard_normal(4)
    ahead = model.ahead(x, 3)
    assert ahead.shape == (3, 4)
    known = x
    for k in range(3):
        y = model(Tensor(known[:, None])).data[-1, 0]
        assert ahead[k, -1] == pytest.approx(y, rel=1e-12)
        known = np.append(known, y)
    assert model.ahead(x, 1).shape == (1, 4)


@pytest.mark.parametrize("model", [WindowForecaster(3, rng=0), WindowForecaster(3, 4, rng=0)])
def test_what_is_foreseen_replaces_the_oldest_value(model, rng):
    x = rng.standard_normal(5).astype(np.float32)
    ahead = model.ahead(x, 3)
    assert ahead.shape == (3, 3)
    known = x.copy()
    for k in range(3):
        y = model(Tensor(known[-3:, None])).data[0, 0]
        assert ahead[k, -1] == pytest.approx(y, rel=1e-5)
        known = np.append(known, y)
