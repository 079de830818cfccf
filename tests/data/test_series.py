"""Series of numbers: read as they are, put into the units of what is learned from, and only then rounded."""

import math

import numpy as np
import pytest

from minirnn import InputError
from minirnn.cli.train.forecast import _repeat_last, errors_by_distance
from minirnn.data.series import noisy_sine, read_series, standardize
from minirnn.runs.forecast import digest


@pytest.fixture
def written(tmp_path):
    def write(values):
        (tmp_path / "series").write_text("\n".join(map(str, values)))
        return tmp_path / "series"

    return write


FAR = [1e8 + math.sin(0.1 * t) for t in range(300)]


def test_a_signal_upon_an_offset_is_kept(written):
    series = read_series(written(FAR))
    assert series.dtype == np.float64
    np.testing.assert_array_equal(series, FAR)
    values, mean, deviation = standardize(series, 200)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, (np.array(FAR) - np.mean(FAR[:200])) / np.std(FAR[:200]), rtol=0, atol=1e-6)
    np.testing.assert_allclose(mean, np.mean(FAR[:200]), rtol=1e-15)
    np.testing.assert_allclose(deviation, np.std(FAR[:200]), rtol=1e-15)
    errors = errors_by_distance(_repeat_last(series, 16), series, 200)
    sine = np.sin(0.1 * np.arange(300))
    expected = [np.sqrt(np.mean((sine[200:] - sine[200 - k : 300 - k]) ** 2)) for k in (1, 4, 16)]
    np.testing.assert_allclose(errors[[0, 3, 15]], expected, rtol=1e-6)


def test_numbers_beyond_float32_are_named(written):
    for beyond in ("1e39", "-1e39", "3.5e38", "1e300"):
        with pytest.raises(InputError, match=rf"line 3: expected a number up to ±3.4e38, found '{beyond}'"):
            read_series(written(["1", "2", beyond]))
    for none in ("inf", "-inf", "nan", "1e400", "two"):
        with pytest.raises(InputError, match=rf"line 2: expected a number, found '{none}'"):
            read_series(written(["1", none]))
    largest = float(np.finfo(np.float32).max)
    assert read_series(written([3.4e38, largest, -largest])).tolist() == [3.4e38, largest, -largest]


def test_a_sine_stays_in_its_precision():
    series = noisy_sine(np.int64(100))
    values, mean, deviation = standardize(series, np.int64(60))
    assert series.dtype == values.dtype == np.float32
    np.testing.assert_array_equal(values, (series - series[:60].mean()) / series[:60].std())
    assert (mean, deviation) == (series[:60].mean(), series[:60].std())
    with pytest.raises(InputError, match="length must be an integer of at least 1"):
        noisy_sine(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_does_not_vary_is_not_made_to(dtype):
    series = np.array([0.1] * 300 + [1.1], dtype)
    values, _, deviation = standardize(series, 300)
    assert deviation == 1.0
    np.testing.assert_allclose(values[[0, -1]], [0, 1], atol=1e-6)
    assert standardize(np.array([0.0, 1e-200]), 2)[2] == 1.0  # the squares of which are 0
    assert standardize(np.array([2.0]), 1)[0].tolist() == [0.0]


def test_what_is_too_far_from_what_is_learned_from_is_refused():
    for far in (3e38, -3e38):
        with pytest.raises(InputError, match=r"value 4 of the series, -?3e\+38, is too far from the 3 to learn from"):
            standardize(np.array([0.0, 0.1, 0.2, far]), 3)
    assert np.isfinite(standardize(np.array([0.0, 3e38, 3e38]), 2)[0]).all()
    with pytest.raises(InputError, match="a series of 2 values has no 3 to learn from"):
        standardize(np.array([0.0, 1.0]), 3)
    for wrong in (0, 1.0, True):
        with pytest.raises(InputError, match="num_train must be an integer of at least 1"):
            standardize(np.array([0.0, 1.0]), wrong)


def test_a_series_is_known_again():
    """Whether it was read as float32 or as float64; but not where float32 cannot tell it from another."""
    series = np.array([0.1, 0.2, 0.2, 20.3])
    assert digest(series) == digest(series.astype(np.float32))
    assert digest(series) != digest(series + 0.1)
    far = np.array(FAR)
    assert digest(far) != digest(far.astype(np.float32))
    assert digest(far) != digest(far[::-1])
