"""Labels in WFDB headers: each layout, what is left open, what is not known."""

from __future__ import annotations

import pytest

from hf_heartllm.labels.foreign_terms import SNOMED, ludb_meaning
from hf_heartllm.labels.scp import STATEMENTS, SUPERCLASSES
from hf_heartllm.labels.wfdb_headers import CINC, LUDB, header_labels, read_labelled_folder
from hf_heartllm.models.ecg_record import ECGError

CHALLENGE = "A1 12 500 5000\n#Age: 74\n#Sex: Male\n#Dx: {}\n#Rx: Unknown\n"
LUDB_HEADER = """1 12 500 5000
#<age>: 51
#<sex>: F
#<diagnoses>:
#Rhythm: Sinus bradycardia.
#Electric axis of the heart: left axis deviation.
#Scar formation: septal.
#Non-specific repolarization abnormalities: anterior wall.
"""


def test_every_term_speaks_of_what_ptbxl_has():
    known = set(STATEMENTS) | set(SUPERCLASSES)
    for code, meaning in SNOMED.items():
        assert meaning.codes | meaning.classes | meaning.unclear <= known, code
        assert not (meaning.codes | meaning.classes) & meaning.unclear, code


def test_the_scored_classes_of_the_challenge_are_all_there():
    scored = "270492004 164889003 164890007 426627000 713427006 713426002 445118002 39732003 164909002 251146004"
    scored += " 698252002 10370003 284470004 427172004 164947007 111975006 164917005 47665007 59118001 427393009"
    scored += " 426177001 426783006 427084000 63593006 164934002 59931005 17338001"
    assert len(scored.split()) == 27
    assert set(scored.split()) <= set(SNOMED)


def test_a_challenge_header_states_denies_and_leaves_open():
    found = header_labels(CHALLENGE.format("164889003,164865005, 164934002"))
    assert found is not None
    assert (found.layout, found.age, found.sex) == (CINC, 74.0, "male")
    assert found.has("AFIB") is True
    assert found.has("MI") is True  # a class without a statement
    assert found.has("SR") is False
    assert found.has("STTC") is None  # an abnormal T wave may or may not be one
    assert found.has("TAB_") is True


def test_with_an_unknown_code_nothing_counts_as_absent():
    found = header_labels(CHALLENGE.format("426177001,123"))
    assert found is not None
    assert found.unknown == ("123",)
    assert found.has("SBRAD") is True
    assert found.has("AFIB") is None


def test_ludb_is_read_line_by_line():
    found = header_labels(LUDB_HEADER)
    assert found is not None
    assert (found.layout, found.age, found.sex, found.unknown) == (LUDB, 51.0, "female", ())
    assert all(found.has(name) for name in ("SBRAD", "MI", "STTC"))
    assert found.has("SR") is False
    assert found.has("NST_") is None
    assert found.has("ASMI") is False
    assert ludb_meaning("Some new words.") is None


@pytest.mark.parametrize("text", ["1 12 500 5000\n", CHALLENGE.format("Unknown"), "1 1 1 1\n#<diagnoses>:\n"])
def test_a_header_without_diagnoses_has_no_labels(text):
    assert header_labels(text) is None


def test_a_folder_is_read_whole_and_what_it_lacks_is_counted(tmp_path):
    (tmp_path / "g1").mkdir()
    (tmp_path / "g1/A2.hea").write_text(CHALLENGE.format("426783006,999"))
    (tmp_path / "A1.hea").write_text(CHALLENGE.format("164889003"))
    (tmp_path / "A3.hea").write_text("A3 12 500 5000\n")
    found = read_labelled_folder(tmp_path)
    assert list(found.labels) == ["A1", "g1/A2"]
    assert found.without == ("A3",)
    assert found.unknown == {"999": 1}
    assert found.layouts == {CINC: 2}


def test_a_folder_without_labels_is_refused(tmp_path):
    with pytest.raises(ECGError, match="no such folder"):
        read_labelled_folder(tmp_path / "nowhere")
    (tmp_path / "A3.hea").write_text("A3 12 500 5000\n")
    with pytest.raises(ECGError, match="no WFDB header states a diagnosis"):
        read_labelled_folder(tmp_path)
