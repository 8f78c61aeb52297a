from __future__ import annotations

import pytest

from hf_heartllm.labels import scp


def test_the_table_has_ptbxls_71_statements_in_their_categories() -> None:
    assert (len(scp.STATEMENTS), len(scp.RHYTHMS), len(scp.DIAGNOSES), len(scp.FORMS)) == (71, 12, 44, 19)
    assert {code for code in scp.DIAGNOSES if code in scp.FORMS} == {"NDT", "NST_", "DIG", "LNGQT"}
    sizes = [sum(s.superclass == name for s in scp.STATEMENTS.values()) for name in scp.SUPERCLASSES]
    assert sizes == [1, 14, 13, 11, 5]
    assert all((s.superclass is not None) == ("diagnostic" in s.categories) for s in scp.STATEMENTS.values())


def test_phrases_are_lower_case_and_tell_the_statements_apart() -> None:
    phrases = [s.phrase for s in scp.STATEMENTS.values()]
    assert len(set(phrases)) == len(phrases)
    assert all(phrase == phrase.lower().strip() and "," not in phrase for phrase in phrases)
    assert scp.phrase("AFIB") == "atrial fibrillation"


def test_superclasses_and_report_order_do_not_depend_on_the_order_of_the_codes() -> None:
    assert scp.superclasses(["LVH", "SR", "IMI", "AMI"]) == scp.superclasses(["AMI", "SR", "LVH"]) == ("MI", "HYP")
    assert scp.in_report_order(["PVC", "CLBBB", "SR", "PVC"]) == ("SR", "CLBBB", "PVC")


def test_an_unknown_code_is_named() -> None:
    with pytest.raises(KeyError, match="'XYZ' is no SCP-ECG statement"):
        scp.superclasses(["SR", "XYZ"])
