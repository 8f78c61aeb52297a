"""What a reader gets: windows of long recordings, one rhythm, negation, and no answer where nothing was understood."""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import replace

import numpy as np
import pytest

import hf_heartllm as hl
from hf_heartllm.models.answer_calibration import AnswerCalibration, AskedStatement
from hf_heartllm.models.ecg_record import ECGError, ECGWarning
from hf_heartllm.models.operating_points import OperatingPoint
from hf_heartllm.models.pipeline_ecg import _reader

AF = "Does this ECG show atrial fibrillation?"


@pytest.fixture(scope="module")
def ask():
    return hl.pipeline("ecg-question-answering")


def tiled(record, times: int):
    return replace(record, signal=np.tile(record.signal, (1, times)))


def joined(*records):
    return replace(records[0], signal=np.concatenate([one.signal for one in records], axis=1))


def of_yes(answer) -> float:
    return dict(answer.alternatives)["yes"]


def test_the_same_rhythm_has_the_same_answer_however_long_it_lasts(ask):
    record = hl.read_ecg("example:af")
    alone = ask(record, AF)
    assert alone.text == "yes"
    assert alone.windows == ()
    for times in (3, 12):
        answer = ask(tiled(record, times), AF)
        assert answer.text == "yes"
        assert of_yes(answer) == pytest.approx(of_yes(alone), abs=0.05)
        assert len(answer.windows) == times
        assert not answer.calibrated
        assert "not calibrated" in answer.basis
        assert "yes where any window says yes" in answer.windows_rule


def test_an_episode_in_one_window_is_found_and_the_window_is_named(ask):
    normal, af = hl.read_ecg("example:normal"), hl.read_ecg("example:af")
    answer = ask(joined(normal, normal, af, normal), AF)
    assert ask(tiled(normal, 4), AF).text == "no"
    assert answer.text == "yes"
    assert [(one.start, one.stop) for one in answer.windows if one.text == "yes"] == [(20.0, 30.0)]
    assert any("yes: 1 (20–30 s)" in line for line in answer.explained())
    assert ask(joined(normal, normal, af, normal), "Does this ECG show normal ecg?").text == "no"


def test_a_window_without_an_ecg_is_named_and_not_answered(ask):
    normal = hl.read_ecg("example:normal")
    rng = np.random.default_rng(0)
    noise = replace(normal, signal=rng.normal(0, 0.1, normal.signal.shape))
    with pytest.warns(ECGWarning):
        answer = ask(joined(normal, noise, normal), AF)
    assert [one.text is None for one in answer.windows] == [False, True, False]
    assert answer.windows[1].problem
    assert answer.text == "no"


def test_noise_is_not_answered_and_no_report_is_written(ask):
    normal = hl.read_ecg("example:normal")
    noise = replace(normal, signal=np.random.default_rng(1).normal(0, 0.2, normal.signal.shape))
    for call in (lambda: ask(noise, AF), lambda: hl.pipeline("ecg-report")(noise)):
        with pytest.raises(ECGError, match="no QRS complexes were found"):
            call()
    with pytest.raises(ECGError, match=r"microvolts \(of a table: --units uV\)"):
        ask(replace(normal, signal=normal.signal * 1000), AF)


def test_a_question_is_put_as_it_was_trained_whatever_its_case(ask):
    record = hl.read_ecg("example:af")
    exact = ask(record, AF)
    for question in (AF.lower(), AF.upper(), "AF?", "any sign of AFib"):
        answer = ask(record, question)
        assert of_yes(answer) == of_yes(exact)
        assert answer.text == exact.text
        assert answer.asked == AF
        assert not answer.negated


def test_the_absence_of_a_finding_is_the_other_answer(ask):
    record = hl.read_ecg("example:af")
    plain, absent = ask(record, AF), ask(record, "Is atrial fibrillation absent?")
    assert (plain.text, absent.text) == ("yes", "no")
    assert absent.negated
    assert of_yes(absent) == pytest.approx(1 - of_yes(plain))
    assert absent.prevalence == pytest.approx(1 - plain.prevalence)
    moved = ask(record, "Is atrial fibrillation absent?", prevalence=0.8)
    assert of_yes(moved) == pytest.approx(1 - of_yes(ask(record, AF, prevalence=0.2)))


@pytest.mark.parametrize("question", ["What is the capital of France?", "Does this ECG show ventricular fibrillation?"])
def test_a_question_that_was_not_trained_is_not_answered(ask, question):
    answer = ask(hl.read_ecg("example:af"), question)
    assert not answer.answered
    assert answer.nearest
    assert answer.alternatives == ()
    assert answer.asked is None


def test_every_example_has_exactly_one_rhythm(ask):
    for name in ("normal", "af", "tachycardia", "bradycardia"):
        record = hl.read_ecg(f"example:{name}")
        statements = [ask.calibration.statement("rhythm", code) for code in ask.calibration.one_of]
        answers = {one.attribute: ask(record, one.question).text for one in statements}
        assert list(answers.values()).count("yes") == 1, answers
        assert set(answers.values()) == {"yes", "no"}


def test_an_operating_point_decides_and_says_what_it_is_worth(ask):
    record = hl.read_ecg("example:lbbb")
    question = "Does this ECG show complete left bundle branch block?"
    answer = ask(record, question)
    yes, no = (dict(answer.uncalibrated)[text] for text in ("yes", "no"))
    margin = float(np.log(yes / no))
    (statement,) = (one for one in ask.calibration.statements if one.attribute == "CLBBB")

    def at(margin: float) -> hl.pipeline:
        point = OperatingPoint(margin, 0.8, 0.9, 50, 1000)
        only = dataclasses.replace(statement, point=point, slope=1.0, intercept=-4.0)
        calibration = AnswerCalibration(1.0, 1.0, 0.5, (only,), fitted_on={"folds": [8]})
        return type(ask)(ask.model, ask.tokenizer, calibration, ask.questions)(record, question)

    below, above = at(margin - 0.5), at(margin + 0.5)
    assert (below.text, above.text) == ("yes", "no")
    assert of_yes(below) == of_yes(above) == pytest.approx(1 / (1 + np.exp(4.0 - margin)), abs=1e-4)
    assert below.probability == of_yes(below)
    assert above.probability == pytest.approx(1 - of_yes(above))
    assert below.confidence == pytest.approx(1 / (1 + np.exp(-0.5)), abs=1e-4)
    assert any("sensitivity 0.80, specificity 0.90 on fold 8" in line for line in below.explained())
    assert any("at a prevalence of" in line for line in below.explained())


def test_abstaining_follows_the_confidence_at_the_operating_point(ask):
    record = hl.read_ecg("example:af")
    sure = ask(record, AF)
    assert ask(record, AF, abstain_below=sure.confidence - 1e-6).answered
    withheld = ask(record, AF, abstain_below=min(1.0, sure.confidence + 1e-6))
    assert not withheld.answered
    assert "confidence" in withheld.abstained


def test_a_prompt_longer_than_the_model_knows_is_refused(ask):
    free = type(ask)(ask.model, ask.tokenizer)
    record = hl.read_ecg("example:af")
    for question in ("Does this ECG show " + "atrial fibrillation " * 1500 + "?", "What " + "rhythm " * 3000 + "?"):
        with pytest.raises(ValueError, match="positions: ask a shorter question"):
            free(record, question)
        assert not ask(record, question).answered


def test_a_long_report_states_each_finding_once_with_its_windows():
    report = hl.pipeline("ecg-report")
    normal, af = hl.read_ecg("example:normal"), hl.read_ecg("example:af")
    alone = report(normal)
    assert alone.windows == ()
    same = report(tiled(normal, 3))
    assert same.text == alone.text
    assert len(same.windows) == 3
    both = report(joined(normal, af))
    assert "(in 1 of 2 windows)" in both.text
    sentences = [one.split(" (in")[0] for one in both.text.rstrip(".").split(". ")]
    assert len(set(sentences)) == len(sentences)


def test_a_doubtful_recording_can_be_made_an_error(ask):
    record = hl.read_ecg("example:normal")
    signal = record.signal.copy()
    signal[record.leads.index("V3")] = 0.1
    dead = replace(record, signal=signal)
    with pytest.warns(ECGWarning, match="V3"):
        answer = ask(dead, AF)
    assert any("V3" in line for line in answer.warnings)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ECGWarning)
        with pytest.raises(ECGWarning, match="V3"):
            ask(dead, AF)
    without = record.select([name for name in record.leads if name != "V3"])
    with pytest.warns(ECGWarning, match="V3"):
        assert of_yes(ask(without, AF)) == of_yes(answer)


def test_a_statement_alone_is_answered_at_its_own_point_without_rivals():
    statement = AskedStatement("diagnosis", "LVH", ("lvh",), 0.1, point=OperatingPoint(-1.0, 0.8, 0.9, 9, 90))
    calibration = AnswerCalibration(1.0, 1.0, 0.5, (statement,))
    assert calibration.rivals(statement) == ()
    assert calibration.decide(statement, {"LVH": -0.5}).yes
    assert AnswerCalibration.from_document(calibration.document()) == calibration


def test_a_prompt_made_by_hand_says_that_the_recording_is_too_long(ask):
    record = tiled(hl.read_ecg("example:af"), 3)
    with pytest.warns(ECGWarning, match="30 s in one prompt, and the language model was trained on 10 s"):
        ids = ask.tokenizer(f"<ecg> {AF}", ecgs=record)["input_ids"]
    assert len(ids) > 3 * 125
    again = hl.ECGTokenizer.from_pretrained(hl.checkpoint())
    assert again.ecg_max_duration == 10
    again.ecg_max_duration = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert again(f"<ecg> {AF}", ecgs=record)["input_ids"] == ids


@pytest.mark.parametrize(("name", "kind"), [("heartllm-tiny", "ECGTokenizer"), ("ecg-lm-tiny", "ECGLMProcessor")])
def test_a_checkpoint_is_read_by_its_own_reader(name, kind):
    assert type(_reader(hl.checkpoint(name), None, {})).__name__ == kind
