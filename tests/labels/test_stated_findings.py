from __future__ import annotations

import pytest

from hf_heartllm.labels.english_reports import report_from_statements
from hf_heartllm.labels.scp import STATEMENTS
from hf_heartllm.labels.stated_findings import GROUPS, group_of, stated_findings


def test_every_statement_is_read_back_from_our_own_wording():
    for code in STATEMENTS:
        assert stated_findings(report_from_statements([code])).codes == {code}, code
        assert stated_findings(f"no {STATEMENTS[code].phrase}.").denied == {code}, code


@pytest.mark.parametrize(
    ("report", "codes"),
    [
        ("Sinus rhythm.Left axis deviation.Normal ECG.", {"SR", "NORM"}),
        ("abnormal ecg", set()),
        ("incomplete right bundle branch block", {"IRBBB"}),
        ("atrial fibrillation/flutter. inferior infarction, age undetermined.", {"AFIB", "IMI"}),
        ("myocardial infarction in anteroseptal leads", {"ASMI"}),
        ("ventricular extrasystole(s), supraventricular extrasystole(s)", {"PVC", "PAC"}),
        ("amplitude criteria for left ventricular hypertrophy", {"VCLVH"}),
        ("inferior infarct cannot be entirely excluded", {"IMI"}),
        ("possible left anterior fascicular block", {"LAFB"}),
        ("no st elevation, inverted t waves", {"INVT"}),
        ("no further analysis, atrial fibrillation", {"AFIB"}),
        ("", set()),
    ],
)
def test_wordings(report, codes):
    assert stated_findings(report).codes == codes


@pytest.mark.parametrize(
    ("report", "denied"),
    [
        ("no evidence of acute inferior infarction", {"IMI"}),
        ("without atrial fibrillation, or atrial flutter", {"AFIB", "AFLT"}),
        ("st depression is not seen", {"STD_"}),
        ("ischemia excluded", {"ISC_"}),
        ("not sinus rhythm but atrial fibrillation", {"SR"}),
        ("no atrial fibrillation. atrial fibrillation later", set()),
    ],
)
def test_denials(report, denied):
    found = stated_findings(report)
    assert found.denied == denied
    assert not found.codes & found.denied


def test_groups():
    assert stated_findings("old myocardial infarction").groups == {"myocardial infarction"}
    assert stated_findings("old myocardial infarction").codes == set()
    assert group_of("IMI") == "myocardial infarction"
    assert group_of("WPW") == "WPW"
    members = [code for codes in GROUPS.values() for code in codes]
    assert len(members) == len(set(members))
    assert set(members) <= set(STATEMENTS)
