"""What a device prints round the findings is taken out; findings stay to the letter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_heartllm.labels.english_reports import translate_report
from hf_heartllm.labels.scp import STATEMENTS
from hf_heartllm.labels.stated_findings import stated_findings
from hf_heartllm.models.report_text import clean_report_text

NOTES = (
    "4.46 unconfirmed report.",
    "Unconfirmed report.",
    "4.46 UNBESTÄTIGTER BERICHT.",
    "Unbestätigter Bericht.",
    "Ej bekräftad.",
    "Ej bekräftad rapport.",
    "trace only requested.",
    "Edit: NORM 100, (NORM 100).",
    "Standard-EKG.",
    "Software version 5.2.1.",
    "Version 4.46.",
    "Analysis confirmed by Dr. Doe.",
    "Reviewed and confirmed by cardiologist.",
    "Analysis performed by computer.",
    "The computer has selected VPBs as typical ventricular complexes, please ignore this.",
    "25 mm/s 10 mm/mV.",
)
FINDINGS = (
    "sinus rhythm. normal ecg.",
    "Atrial fibrillation with rapid ventricular response.",
    "poor progression of r waves has been confirmed by repeat tracing.",
    "diagnosis of infarction confirmed by angiography.",
    "hjärtinfarkt ej bekräftad av eko",
    "low voltage in standard leads.",
    "delta wave not visible on standard ecg.",
    "unconfirmed diagnosis of wpw.",
    "qt interval 0.44 s. pr interval 0.22.",
    "st elevation of 4.46 mm in v2, 3.",
    "sinusrhythmus  lagetyp normal    inferiorer infarkt     alter unbest.",
    "lead v4 shows artifact.\nsuggest repeat if clinically indicated.",
    "compared with tracing of 12:9:91, it is unchanged.",
    "no definite pathology. suggest cardiological review.",
    "unconfirmed by echo: right ventricular hypertrophy.",
)


@pytest.mark.parametrize("note", NOTES)
def test_a_note_goes_wherever_it_stands(note):
    before, after = "sinus rhythm.", "left axis deviation."
    assert clean_report_text(note) == ""
    assert clean_report_text(f"{before} {note}") == before
    assert clean_report_text(f"{note}\n{after}") == after or note.startswith("Edit")
    assert clean_report_text(f"{before} {note.lower()} {after}") == f"{before} {after}"


@pytest.mark.parametrize("finding", FINDINGS)
def test_findings_stay_to_the_letter(finding):
    assert clean_report_text(finding) == finding


@given(st.lists(st.sampled_from(sorted(STATEMENTS)), max_size=6), st.lists(st.sampled_from(NOTES[:11]), max_size=3))
def test_every_statement_stays_and_cleaning_twice_changes_nothing(codes, notes):
    report = " ".join(f"{STATEMENTS[code].phrase}." for code in codes)
    found = clean_report_text(" ".join([report, *notes]).strip())
    assert found == report
    assert clean_report_text(found) == found


@given(st.text(alphabet="abe 4.6:,()\nuncofirmedrpt", max_size=60))
def test_any_text_is_taken(text):
    found = clean_report_text(text)
    assert len(found) <= len(text) + 2
    assert clean_report_text(found) == found


@pytest.mark.parametrize(
    ("report", "left"),
    [
        ("linkstyp 4.46                          unbestÄtigter bericht", "linkstyp"),
        ("linkstyp 4.46                          unbestÄtigter bericht Edit: IMI 15, CRBBB, (IMI 15)", "linkstyp"),
        ("linkstyp 4.46    unbest", "linkstyp"),  # cut off by the length of the field
        ("linkstyp 4.4", "linkstyp"),
        ("sinus rhythm, 4.46 unconfirmed rep", "sinus rhythm"),
        ("trace only requested. Edit: NORM 100, ", ""),
        ("normal ecg. edit: norm 100, bad quality v2,v3,v5.", "normal ecg. bad quality v2,v3,v5."),
        ("edit: lvh 80, sokolow 4,4, baseline drift v1,3,5, (m,25), (lvh 100).", "sokolow 4,4, baseline drift v1,3,5."),
        ("Automatische Auswertung: Sinusrhythmus", "Sinusrhythmus"),
        ("signed by: Dr. med. Roe. sinus rhythm", "sinus rhythm"),
    ],
)
def test_what_real_reports_carry(report, left):
    assert clean_report_text(report) == left


def test_a_translated_report_keeps_its_findings():
    translated = translate_report(
        "vorhofflimmern linkstyp inferiorer infarkt     alter unbest. 4.46   unbestätigter bericht"
    ).text
    assert "unconfirmed" in translated
    found = clean_report_text(translated)
    assert "unconfirmed" not in found
    assert "4.46" not in found
    assert stated_findings(found) == stated_findings(translated)
