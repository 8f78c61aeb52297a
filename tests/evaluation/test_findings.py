from __future__ import annotations

import math

import pytest

from hf_heartllm.evaluation.findings import LEVELS, finding_metrics
from hf_heartllm.evaluation.intervals import Bootstrap, Interval
from hf_heartllm.evaluation.report_metrics import Reports
from hf_heartllm.labels.english_reports import report_from_statements


def measured(reports, labels) -> list[dict[str, Interval]]:
    """The figures on each level."""
    written, bootstrap = Reports(reports, reports, labels), Bootstrap(range(len(reports)), resamples=20)
    return [
        {n: one.measure(written, bootstrap).interval() for n, one in finding_metrics(level).items()} for level in LEVELS
    ]


def test_by_hand():
    reports = ["sinus rhythm. inferior infarction. no atrial fibrillation.", "left bundle branch block.", "see above"]
    labels = [["SR", "AMI", "AFIB"], ["ILBBB"], ["NORM"]]
    codes, groups = measured(reports, labels)
    # Stated: SR, IMI, CLBBB; held: SR, AMI, AFIB, ILBBB, NORM; both: SR.
    assert codes["precision"].value == pytest.approx(1 / 3)
    assert codes["recall"].value == pytest.approx(1 / 5)
    assert codes["f1"].value == pytest.approx(2 / 8)
    assert codes["hallucinated"].value == pytest.approx(2 / 3)
    assert codes["reports_with_hallucination"].value == pytest.approx(2 / 3)
    assert codes["contradicted"].value == pytest.approx(1 / 5)
    assert [len(one.codes) for one in Reports(reports, reports, labels).stated] == [2, 1, 0]
    assert groups["precision"].value == 1
    assert groups["recall"].value == pytest.approx(3 / 5)
    assert groups["hallucinated"].value == 0


def test_the_reports_of_the_labels_are_perfect():
    labels = [["SR", "NORM"], ["AFIB", "CLBBB", "NST_"], ["1AVB", "IMI", "LVH", "VCLVH"]]
    reports = [report_from_statements(codes) for codes in labels]
    for figures in measured(reports, labels):
        assert (figures["precision"].value, figures["recall"].value, figures["f1"].value) == (1, 1, 1)
        assert figures["reports_with_hallucination"].high == 0


def test_degenerate_input_is_defined():
    codes, _ = measured(["", "?"], [["SR"], []])
    assert math.isnan(codes["precision"].value)
    assert math.isnan(codes["hallucinated"].value)
    assert codes["recall"].value == 0
    with pytest.raises(ValueError, match="2 reports but 2 references and 1 labels"):
        Reports(["", ""], ["", ""], [[]])
