"""Classification by prompt: hand-computed figures, degenerate sets, questions, what was seen."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_heartllm.checkpoints import checkpoint
from hf_heartllm.evaluation.classification.figures import CHOICE_METRICS, Choices, likeliest
from hf_heartllm.evaluation.classification.seen import Seen, read_seen, seen_of
from hf_heartllm.evaluation.classification.tasks import LETTERS, TASKS, YES_NO, only_class, task_questions
from hf_heartllm.evaluation.intervals import Bootstrap
from hf_heartllm.models.configuration_heartllm import HeartLLMConfig

FEW = {"resamples": 20, "seed": 0}
RHYTHM = TASKS["rhythm"]


def values(truth, chosen, patients=None):
    truth = np.asarray(truth, dtype=float)
    bootstrap = Bootstrap(patients or list(range(len(truth))), **FEW)
    rows = Choices(truth, np.asarray(chosen, dtype=bool))
    return {metric.name: metric.measure(rows, bootstrap).value for metric in CHOICE_METRICS}


def test_figures_of_three_classes_by_hand():
    one = np.eye(3)
    # true: a a b c; chosen: a b b b
    found = values(one[[0, 0, 1, 2]], one[[0, 1, 1, 1]])
    assert found["accuracy"] == 0.5
    assert found["macro precision"] == pytest.approx((1 + 1 / 3 + 0) / 3)  # c was never chosen: 0
    assert found["macro recall"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert found["macro-F1"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    precision, recall = found["macro precision"], found["macro recall"]
    assert found["F1 of macro precision and macro recall"] == pytest.approx(
        2 * precision * recall / (precision + recall)
    )


def test_a_class_that_no_record_has_is_left_out_not_counted_as_zero():
    one = np.eye(3)
    found = values(one[[0, 1, 1]], one[[0, 1, 2]])
    assert found["macro recall"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["macro-F1"] == pytest.approx((1 + 2 / 3) / 2)


def test_one_class_alone_and_no_class_at_all_are_defined():
    only = values([[1, 0], [1, 0]], [[1, 0], [0, 1]])
    assert (only["accuracy"], only["macro precision"], only["macro recall"]) == (0.5, 1.0, 0.5)
    none = values([[0, 0], [0, 0]], [[0, 0], [1, 0]])
    assert none["accuracy"] == 0.5
    assert all(math.isnan(none[name]) for name in ("macro precision", "macro recall", "macro-F1"))
    area = Bootstrap([1, 2], **FEW).auroc([[1, 0], [1, 0]], [[0.2, 0.1], [0.3, 0.4]]).interval()
    assert math.isnan(area.value)
    assert (area.rows, area.groups) == (2, 2)


def test_what_is_not_known_counts_neither_way():
    unknown = float("nan")
    found = values([[1, unknown], [0, 1]], [[1, 1], [0, 1]])
    assert found["accuracy"] == 1
    assert found["macro precision"] == 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_macro_auroc_is_the_mean_of_the_classes_with_both_sides(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (12, 3)).astype(float)
    labels[0], labels[1] = 1, 0
    labels[:, 2] = 1  # has no AUROC
    labels[5, 0] = np.nan
    scores = rng.integers(0, 4, (12, 3)).astype(float)
    scores[5, 0] = np.nan
    known = [row for row in range(12) if row != 5]
    first = Bootstrap(known, **FEW).auroc(labels[known, 0], scores[known, 0]).value
    second = Bootstrap(range(12), **FEW).auroc(labels[:, 1], scores[:, 1]).value
    found = Bootstrap(range(12), **FEW).auroc(labels, scores).interval()
    assert found.value == pytest.approx((first + second) / 2)
    assert found.low <= found.high


def test_the_likeliest_class_is_the_first_of_equal_ones():
    scores = np.array([[0.5, 0.5], [0.1, 0.2], [np.nan, -3.0], [np.nan, np.nan]])
    assert likeliest(scores).tolist() == [[True, False], [False, True], [False, True], [False, False]]


def test_a_letter_is_asked_only_where_there_is_one_class():
    one = task_questions(RHYTHM, lambda name: name == "AFIB")
    assert [question.answer for question in one] == ["D", "no", "no", "no", "yes", "no"]
    assert one[0].answer_set == ("A", "B", "C", "D", "E")
    assert "A. Sinus Rhythm B. Sinus Tachycardia C. Sinus Bradycardia D. Atrial Fibrillation" in one[0].text
    assert one[4].text == "Does this ECG show atrial fibrillation?"
    both = task_questions(RHYTHM, lambda name: name in ("SR", "AFIB"))
    assert {question.question_type for question in both} == {"verify"}
    unclear = {"SR": None, "AFIB": True}
    assert only_class(RHYTHM, lambda name: unclear.get(name, False)) is None
    assert len(task_questions(RHYTHM, lambda name: unclear.get(name, False))) == 4


def test_zero_shot_stands_only_where_neither_labels_nor_format_were_seen():
    tiny = read_seen(["labels", "report text", "yes/no"])
    assert tiny.words(LETTERS) == "labels seen, report text seen, prompt format not seen"
    assert tiny.words(YES_NO) == "labels seen, report text seen, prompt format seen"
    aligned = read_seen(["report text", " yes/no "])
    assert aligned.words(LETTERS).startswith("zero-shot: labels not seen, report text seen")
    assert "zero-shot" not in aligned.words(YES_NO)
    assert Seen(None).words(LETTERS) == "what was seen in training is unknown"
    assert not Seen(None).zero_shot(LETTERS)
    assert read_seen(["nothing"]).zero_shot(YES_NO)
    assert read_seen(["prompt format"]).what == {LETTERS, YES_NO}
    for wrong, message in (
        (["labels", "nothing"], "'nothing' is none of"),
        (["weights"], "'weights'"),
        ([" "], "name"),
    ):
        with pytest.raises(ValueError, match=message):
            read_seen(wrong)


def test_a_checkpoint_says_itself_what_it_saw(tmp_path):
    embedded = HeartLLMConfig.from_pretrained(checkpoint())
    embedded.save_pretrained(tmp_path)
    again = SimpleNamespace(config=HeartLLMConfig.from_pretrained(tmp_path))
    assert seen_of(again) == read_seen(["labels", "report text", "yes/no", "letter choice"])
    assert seen_of(SimpleNamespace(config=HeartLLMConfig())) == Seen(None)
    assert seen_of(SimpleNamespace(config=HeartLLMConfig(seen_in_training=[]))) == Seen(frozenset())
