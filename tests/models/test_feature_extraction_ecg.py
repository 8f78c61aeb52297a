"""Recordings → features: units, rates, lead order and length make no difference where they must not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hf_heartllm.ecg import simulate_ecg
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.ecg_record import ECGError, ECGRecord
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor

EXTRACTOR = ECGFeatureExtractor()


def simulated(**settings) -> ECGRecord:
    return simulate_ecg(seed=3, **settings)[0]


def test_every_lead_is_standardised():
    features = EXTRACTOR.extract(simulated())
    assert features.shape == (1, 12, 5000)
    assert features.dtype == np.float32
    assert np.abs(features.mean(axis=2)).max() < 1e-5
    assert np.abs(features.std(axis=2) - 1).max() < 1e-5


@pytest.mark.parametrize("rate", [100, 125, 250, 257, 360, 1000])
def test_rate_makes_little_difference_below_its_bandwidth(rate):
    reference = EXTRACTOR.extract(simulated())[0]
    features = EXTRACTOR.extract(simulated(sampling_rate=rate))[0]
    inner = slice(250, -250)
    # 100 Hz keeps less than 50 Hz of a QRS complex; at 250 Hz and more nearly all of it is there.
    assert np.corrcoef(features[1, inner], reference[1, inner])[0, 1] > (0.97 if rate < 200 else 0.999)


def test_order_of_leads_and_their_spelling_make_no_difference():
    record = simulated()
    order = [11, 3, 0, 7, 5, 1, 9, 2, 10, 4, 6, 8]
    shuffled = ECGRecord(record.signal[order], 500, [record.leads[i].upper() for i in order])
    assert np.array_equal(EXTRACTOR.extract(shuffled), EXTRACTOR.extract(record))


def test_limb_leads_are_derived_where_two_are_there():
    record = simulated()
    for kept in (("I", "II"), ("II", "III"), ("I", "aVF"), ("aVR", "aVL")):
        few = record.select([*kept, "V1", "V2", "V3", "V4", "V5", "V6"])
        assert np.abs(EXTRACTOR.extract(few) - EXTRACTOR.extract(record)).max() < 1e-3


def test_longer_recordings_are_cut_into_windows():
    long = simulated(duration=25)
    with pytest.warns(UserWarning, match="last 5 s"):
        windows = EXTRACTOR.extract(long)
    assert windows.shape == (2, 12, 5000)
    assert np.array_equal(windows[1], EXTRACTOR.extract(long.crop(10, 20))[0])
    assert EXTRACTOR.extract(long, padding=True).shape == (3, 12, 5000)


def test_padding_fills_a_short_recording_with_its_mean():
    features = EXTRACTOR.extract(simulated(duration=6), padding=True)[0]
    assert not features[:, 3000:].any()
    assert np.abs(features[:, :3000].std(axis=1) - 1).max() < 1e-5


def test_one_flat_lead_becomes_zeros():
    record = simulated()
    signal = record.signal.copy()
    signal[8] = 0.125
    features = EXTRACTOR.extract(replace(record, signal=signal))[0]
    assert not features[8].any()
    assert features[7].any()
    # rounding of a large offset is no signal
    signal[8] = 1e6 + 1e-5 * np.sin(np.arange(signal.shape[1]))
    assert np.abs(EXTRACTOR.extract(replace(record, signal=signal), check=False)[0][8]).max() < 1e-3


def with_nan() -> ECGRecord:
    record = simulated()
    signal = record.signal.copy()
    signal[6, 1000:1100] = np.nan
    return replace(record, signal=signal)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (lambda: with_nan(), r"lead V1 has 100 missing samples \(NaN\), the first at 2.000 s"),
        (lambda: simulated(duration=9), "9 s is shorter than the 10 s that are needed"),
        (lambda: simulated().select(["I", "V1"]), "missing leads II, III, aVR"),
        (lambda: ECGRecord(np.zeros((12, 5000)), 500, STANDARD_LEADS), "flat in every lead"),
        (lambda: ECGRecord(np.ones((12, 900)), 90, STANDARD_LEADS), "90 Hz is outside"),
        (lambda: replace(simulated(), units="z-score"), "need millivolts"),
    ],
)
def test_refuses_in_one_line(record, message):
    with pytest.raises(ECGError, match=message) as caught:
        EXTRACTOR.extract(record())
    assert "\n" not in str(caught.value)


def test_saved_and_loaded(tmp_path):
    extractor = ECGFeatureExtractor(sampling_rate=250, window_samples=2500, leads=["I", "II"])
    extractor.save_pretrained(tmp_path)
    loaded = ECGFeatureExtractor.from_pretrained(tmp_path)
    assert (loaded.sampling_rate, loaded.window_samples, loaded.leads) == (250, 2500, ["I", "II"])
    batch = loaded([simulated(), simulated(duration=20)], return_tensors="np")
    assert batch["input_features"].shape == (3, 2, 2500)
    assert batch["num_windows"].tolist() == [1, 2]
