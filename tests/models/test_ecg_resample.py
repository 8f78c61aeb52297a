"""Laws of resampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_heartllm.models.ecg_resample import resample

RATES = st.sampled_from([100.0, 128.0, 250.0, 257.0, 360.0, 400.0, 500.0, 512.0, 999.56, 1000.0])
SECONDS = 4.0


def sine(frequency: float, rate: float) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(round(SECONDS * rate)) / rate)


def middle(signal: np.ndarray, rate: float) -> np.ndarray:
    """Without the second at each end, where the filter sees beyond the signal."""
    return signal[..., round(rate) : -round(rate)]


@given(RATES, RATES, st.floats(-1e3, 1e3))
@settings(max_examples=40, deadline=None)
def test_a_constant_stays_that_constant(rate_in: float, rate_out: float, value: float) -> None:
    out = resample(np.full((2, 300), value), rate_in, rate_out)
    np.testing.assert_allclose(out, value, rtol=1e-12, atol=1e-12)


@given(RATES, RATES, st.floats(0.02, 0.75))
@settings(max_examples=40, deadline=None)
def test_a_sine_below_the_band_is_kept(rate_in: float, rate_out: float, share: float) -> None:
    frequency = share * min(rate_in, rate_out) / 2
    out = resample(sine(frequency, rate_in), rate_in, rate_out)
    expected = np.sin(2 * np.pi * frequency * np.arange(len(out)) / rate_out)
    assert np.abs(middle(out - expected, rate_out)).max() < 0.01


@given(RATES, RATES, st.floats(1.06, 3.0))
@settings(max_examples=40, deadline=None)
def test_a_sine_above_nyquist_is_removed(rate_in: float, rate_out: float, share: float) -> None:
    frequency = share * rate_out / 2
    if frequency > 0.95 * rate_in / 2:
        return  # the input cannot hold it
    out = resample(sine(frequency, rate_in), rate_in, rate_out)
    assert np.abs(middle(out, rate_out)).max() < 0.01


@given(RATES, RATES, st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_up_then_down_returns_the_signal(low: float, high: float, seed: int) -> None:
    low, high = min(low, high), max(low, high)
    rng = np.random.default_rng(seed)
    signal = sum(
        rng.normal() * np.roll(sine(frequency, low), int(rng.integers(50)))
        for frequency in rng.uniform(0.5, 0.35 * low, size=5)
    )
    back = resample(resample(signal, low, high), high, low)
    assert abs(back.shape[-1] - signal.shape[-1]) <= 1
    length = min(len(back), len(signal))
    assert np.abs(middle(back[:length] - signal[:length], low)).max() < 0.01 * np.abs(signal).max()


@given(RATES, RATES, st.integers(1, 700))
@settings(max_examples=60, deadline=None)
def test_length(rate_in: float, rate_out: float, samples: int) -> None:
    out = resample(np.zeros((3, samples)), rate_in, rate_out)
    assert out.shape[0] == 3
    assert abs(out.shape[1] - samples * rate_out / rate_in) <= 0.5 + 1e-6
    assert np.isfinite(out).all()


def test_ten_seconds_stay_ten_seconds() -> None:
    for rate_in, rate_out in ((100, 500), (500, 100), (360, 500), (999.56, 500)):
        assert resample(np.zeros(round(10 * rate_in)), rate_in, rate_out).shape == (round(10 * rate_out),)


@given(RATES, RATES)
@settings(max_examples=20, deadline=None)
def test_linear_and_row_by_row(rate_in: float, rate_out: float) -> None:
    one, two = np.random.default_rng(0).normal(size=(2, 400))
    both = resample(np.stack([one, two, one + 2 * two]), rate_in, rate_out)
    np.testing.assert_allclose(both[0], resample(one, rate_in, rate_out), atol=1e-12)
    np.testing.assert_allclose(both[2], both[0] + 2 * both[1], atol=1e-12)  # Einthoven's law survives


def test_sample_zero_stays_at_time_zero_and_missing_samples_stay_missing() -> None:
    signal = sine(3.0, 500.0)
    assert abs(resample(signal + 1, 500, 100)[100] - (signal + 1)[500]) < 0.01
    holes = signal.copy()
    holes[900:1100] = np.nan
    out = resample(holes, 500, 100)
    assert np.isnan(out[181:219]).all()
    assert np.isfinite(out[:150]).all()
    assert np.isfinite(out[-150:]).all()


@pytest.mark.parametrize("rates", [(0, 100), (100, -1), (float("nan"), 100), (100, float("inf"))])
def test_impossible_rates(rates: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="sampling rate"):
        resample(np.zeros(10), *rates)
