"""Lead names and the laws between the limb leads."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_heartllm.models.ecg_leads import LIMB_LEADS, STANDARD_LEADS, derive_limb_leads, standard_lead_name
from hf_heartllm.models.ecg_record import ECGError, ECGRecord


def limb_leads(one: np.ndarray, two: np.ndarray) -> dict[str, np.ndarray]:
    """All six by the textbook's formulas."""
    rows = (one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2)
    return dict(zip(LIMB_LEADS, rows, strict=True))


@given(st.sampled_from(STANDARD_LEADS), st.sampled_from(["", "lead ", "Lead_", "LEAD-"]), st.booleans())
def test_spellings_are_one(name: str, prefix: str, upper: bool) -> None:
    spelling = f" {prefix}{name.upper() if upper else name.lower()} "
    assert standard_lead_name(spelling) == name


@pytest.mark.parametrize("name", ["MLII", "ECG 1", "aVX", "V7", "Lead", "leadership"])
def test_other_names_stay(name: str) -> None:
    assert standard_lead_name(f" {name}") == name


@pytest.mark.parametrize("present", list(combinations(LIMB_LEADS, 2)))
def test_any_two_limb_leads_give_all_six(present: tuple[str, str]) -> None:
    truth = limb_leads(*np.random.default_rng(0).normal(size=(2, 50)))
    derived = derive_limb_leads(np.stack([truth[name] for name in present]), present)
    assert set(derived) == set(LIMB_LEADS) - set(present)
    for name, values in derived.items():
        np.testing.assert_allclose(values, truth[name], atol=1e-12)


@pytest.mark.parametrize("present", [("II",), ("aVF", "V1"), ("V1", "V2", "V3")])
def test_fewer_than_two_derive_nothing(present: tuple[str, ...]) -> None:
    assert derive_limb_leads(np.ones((len(present), 5)), present) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"leads": ("I", "lead i")}, "repeat"),
        ({"leads": ("I",)}, "2 rows of signal but 1 lead names"),
        ({"signal": np.zeros((2, 0))}, "empty"),
        ({"signal": np.zeros(5)}, "dimension"),
        ({"sampling_rate": float("nan")}, "sampling rate"),
        ({"units": "V"}, "units"),
    ],
)
def test_a_record_that_does_not_fit_together_is_refused(change: dict, message: str) -> None:
    arguments = {"signal": np.zeros((2, 5)), "sampling_rate": 100, "leads": ("I", "II")} | change
    with pytest.raises(ECGError, match=message):
        ECGRecord(**arguments)
