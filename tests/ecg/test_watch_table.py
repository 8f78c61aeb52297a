"""What a watch exports states its rate, unit and lead in a head, in the watch's language."""

from __future__ import annotations

import numpy as np
import pytest

from hf_heartllm.ecg import ECGError, read_ecg

VALUES = np.random.default_rng(0).normal(0, 300, 1200).round(3)
HEAD = """Name,Jane V1
Date of Birth,"Jan 1, 1980"
Recorded Date,2021-03-14 10:11:12 +0100
Classification,Sinus Rhythm
Symptoms,
Software Version,1.90
Device,"Watch6,1"
Sample Rate,512 hertz


Lead,Lead I
Unit,µV

"""
GERMAN = HEAD.replace("Sample Rate,512 hertz", 'Abtastrate,"511,9 Hertz"').replace("Lead,Lead", "Ableitung,Ableitung")
FRENCH = HEAD.replace("512 hertz", "511.9 hertz").replace("Lead,Lead", "Dérivation,Dérivation").replace("Unit", "Unité")


def written(folder, head=HEAD, samples=VALUES, comma=False):
    lines = [f"{value:.3f}" for value in samples]
    path = folder / "ecg.csv"
    path.write_text(head + "\n".join(one.replace(".", ",") if comma else one for one in lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("head", "comma", "rate"),
    [(HEAD, False, 512), (GERMAN, True, 511.9), (FRENCH, False, 511.9), (FRENCH, True, 511.9)],
)
def test_it_is_read_as_it_stands(tmp_path, head, comma, rate):
    record = read_ecg(written(tmp_path, head, comma=comma))
    assert record.leads == ("I",)
    assert record.sampling_rate == rate
    np.testing.assert_allclose(record.signal[0], VALUES / 1000, atol=1e-6)


def test_what_is_stated_must_agree_and_what_is_not_said_is_asked_for(tmp_path):
    path = written(tmp_path)
    assert read_ecg(path, sampling_rate=512, units="uV", leads={"I": "II"}).leads == ("II",)
    with pytest.raises(ECGError, match="says 512 Hz, not 500 Hz"):
        read_ecg(path, sampling_rate=500)
    with pytest.raises(ECGError, match="mV"):
        read_ecg(path, units="mV")
    with pytest.raises(ECGError, match="sampling rate in Hz is not stated"):
        read_ecg(written(tmp_path, HEAD.replace("512 hertz", "")))
    with pytest.raises(ECGError, match="states no unit"):
        read_ecg(written(tmp_path, HEAD.replace("µV", "")))


def test_a_persons_name_is_no_lead_and_a_head_of_one_cell_no_head(tmp_path):
    with pytest.raises(ECGError):
        read_ecg(written(tmp_path, HEAD.replace("Lead,Lead I", "Lead,Lead")))
    with pytest.raises(ECGError):
        read_ecg(written(tmp_path, "x" * 200_000 + ",Lead I\nUnit,mV\n"), sampling_rate=500)


def test_a_damaged_line_is_named(tmp_path):
    path = written(tmp_path)
    path.write_text(path.read_text(encoding="utf-8") + "broken\n", encoding="utf-8")
    with pytest.raises(ECGError, match=r"row 1214: 'broken' is not a number"):
        read_ecg(path)


def test_a_table_with_a_header_is_none(tmp_path):
    path = tmp_path / "ecg.csv"
    path.write_text("I (mV)\n" + "\n".join(map(str, VALUES)), encoding="utf-8")
    assert read_ecg(path, sampling_rate=500).leads == ("I",)
