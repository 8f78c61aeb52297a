"""Labels in WFDB headers: each layout, what is left open, what is not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_heartllm.labels.foreign_terms import SHORT_NAMES, SNOMED, challenge_meaning, ludb_meaning
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

LUDB_WORDS = {
    "Rhythm: Sinus rhythm.": "SR",
    "Rhythm: Irregular sinus rhythm.": "",
    "Rhythm: Abnormal rhythm.": "",
    "Rhythm: Atrial flutter, typical.": "AFLT",
    "Wandering atrial pacemaker.": "",
    "Electric axis of the heart: normal.": "",
    "I degree AV block.": "1AVB",
    "III degree AV-block.": "3AVB",
    "Non-specific intravintricular conduction delay.": "IVCD",
    "Sinoatrial blockade, undefined.": "",
    "Atrial extrasystole: undefined.": "PAC",
    "Atrial extrasystole: low atrial.": "PAC",
    "Atrial extrasystole, SA-nodal extrasystole.": "PAC",
    "Atrial extrasystole, type: single PAC.": "PAC",
    "Atrial extrasystole, type: bigemini.": "PAC",
    "Ventricular extrasystole, morphology: polymorphic.": "PVC",
    "Ventricular extrasystole, localisation: RVOT, anterior wall.": "PVC",
    "Left atrial hypertrophy.": "HYP",
    "Pacemaker presence, undefined.": "",
    "UNIpolar ventricular pacing.": "PACE",
    "STEMI: anterior wall.": "AMI",
    "STEMI: apical.": "MI",
    "Ischemia: lateral wall.": "ISCLA",
    "Scar formation: septal.": "MI",
    "Undefined ischemia/scar/supp.NSTEMI: apical.": "",
    "Non-specific repolarization abnormalities: anterior wall.": "STTC",
    "Non- specific repolarization abnormalities: septal.": "STTC",
    "Early repolarization syndrome.": "",
}
"""Each kind of diagnosis in LUDB → one statement or class that it makes, if any."""
CPSC = {
    "AF": "AFIB",
    "I-AVB": "1AVB",
    "LBBB": "CD",
    "RBBB": "CRBBB",
    "PAC": "PAC",
    "PVC": "PVC",
    "STD": "STD_",
    "STE": "STE_",
    "Normal": "NORM",
}


def test_every_term_speaks_of_what_ptbxl_has():
    known = set(STATEMENTS) | set(SUPERCLASSES)
    for code, meaning in [
        *SNOMED.items(),
        *SHORT_NAMES.items(),
        *((words, ludb_meaning(words)) for words in LUDB_WORDS),
    ]:
        assert meaning is not None, code
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


@pytest.mark.parametrize(("words", "stated"), LUDB_WORDS.items())
def test_every_kind_of_diagnosis_in_ludb_is_known(words, stated):
    found = header_labels(f"1 12 500 5000\n#<diagnoses>:\n#{words}\n")
    assert found is not None
    assert found.unknown == ()
    assert not stated or found.has(stated) is True
    assert found.has("AFIB") is not True


@given(
    st.sampled_from(sorted(LUDB_WORDS)),
    st.sampled_from([str.lower, str.upper, str.title, str.swapcase]),
    st.sampled_from([".", "", "..", " . ", ":", ",", ";"]),
    st.sampled_from([": ", ":", " : ", ", ", " - ", " ", "  "]),
)
def test_capitals_blanks_and_punctuation_do_not_change_a_diagnosis(words, case, end, separator):
    assert ludb_meaning(f"  {case(words[:-1]).replace(': ', separator)}{end}") == ludb_meaning(words)


@pytest.mark.parametrize(
    ("other", "usual"),
    [
        ("Ventricular extrasystoles", "Ventricular extrasystole"),
        ("First-degree atrioventricular block", "I degree AV block"),
        ("Non-specific repolarisation abnormality", "Non-specific repolarization abnormalities"),
        ("Ischaemia: inferior wall", "Ischemia: inferior wall"),
        ("Sinus rhythm", "Rhythm: Sinus rhythm."),
    ],
)
def test_other_spellings_mean_the_same(other, usual):
    assert ludb_meaning(other) == ludb_meaning(usual) is not None


@pytest.mark.parametrize(("name", "stated"), CPSC.items())
def test_cpsc_short_names_are_read(name, stated):
    for spelt in (name, name.lower(), f" {name}. ", name.replace("-", ""), name.replace("-", " ")):
        found = header_labels(CHALLENGE.format(spelt))
        assert found is not None
        assert (found.layout, found.unknown) == (CINC, ())
        assert found.has(stated) is True
    assert found.has("AFIB") is (name == "AF")
    assert found.has("SR") is (name == "Normal")


def test_short_names_stand_with_codes_and_what_is_not_known_is_named():
    found = header_labels(CHALLENGE.format("AF, 59118001;Foo|I-AVB"))
    assert found is not None
    assert found.codes == {"AFIB", "CRBBB", "1AVB"}
    assert found.unknown == ("Foo",)
    assert found.has("PVC") is None
    apart = header_labels(CHALLENGE.format("AF RBBB"))
    assert apart is not None
    assert apart.codes == {"AFIB", "CRBBB"}
    assert challenge_meaning("ST") is None  # of one collection sinus tachycardia, of another a segment
    assert challenge_meaning("no atrial fibrillation") is None


def test_diagnoses_end_where_the_next_field_begins():
    text = "1 12 500 5000\n# <age>: 25 <diagnoses>: Sinus rhythm. Left atrial hypertrophy. <medications>: Unknown\n"
    found = header_labels(text)
    assert found is not None
    assert (found.codes, found.classes, found.unknown) == ({"SR"}, {"HYP"}, ())
    below = header_labels(LUDB_HEADER + "#<medications>: aspirin\n#twice a day\n")
    assert below == header_labels(LUDB_HEADER)


@pytest.mark.parametrize(
    "text",
    [
        "1 12 500 5000\n",
        CHALLENGE.format("Unknown"),
        CHALLENGE.format(""),
        "1 1 1 1\n#<diagnoses>:\n",
        "1 1 1 1\n# <age>: 25  <sex>: M  <diagnoses>: (none)  <medications>: (none)\n",
    ],
)
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
