"""What becomes of a yes/no question that no ECG answers, where the model was trained to say so."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import hf_heartllm as hl
from hf_heartllm.inference import Prompt, load_answerer
from hf_heartllm.models.answer_calibration import CalibrationError
from hf_heartllm.models.answer_scores import summarise
from hf_heartllm.models.ecg_answerer import WrittenText
from hf_heartllm.models.ecg_reading import Reading, ReadWindow
from hf_heartllm.models.question_answering import QuestionAnswerer, Wishes, is_yes_no_question
from hf_heartllm.models.question_understanding import TrainedQuestions
from hf_heartllm.models.trained_wordings import TrainedGroup

DECLINED = "That can't be answered from an ECG."


def answerer() -> SimpleNamespace:
    """Says yes or no to whatever names the ECG, and something else to the rest."""

    def score(prompts, answer_sets):
        shares = [(0.7, 0.2) if "ECG" in one.text else (0.02, 0.01) for one in prompts]
        return [summarise(those, np.log(share).tolist()) for share, those in zip(shares, answer_sets, strict=True)]

    def generate(prompts, max_new_tokens, beams):
        return [[WrittenText(DECLINED, -0.1, 9, True)] for _ in prompts]

    reading = Reading((ReadWindow(0.0, 10.0, [1, 2]),))
    return SimpleNamespace(read=lambda record: reading, score=score, generate=generate, max_duration=10.0)


@pytest.mark.parametrize("may_decline", [True, False])
def test_a_model_that_may_decline_is_not_held_to_yes_and_no(may_decline):
    model = QuestionAnswerer(answerer(), None, None, 32, 64, may_decline=may_decline)
    questions = ["Does this ECG show PVC?", "Is the patient married?", "Is this ECG normal?"]
    texts = [one.text for one in model.answer(model.ask(None, questions, Wishes()))]
    assert texts == ["yes", DECLINED if may_decline else "yes", "yes"]
    closed = model.answer(model.ask(None, questions, Wishes(answers=("yes", "no"))))
    assert [one.text for one in closed] == ["yes"] * 3  # whoever names the answers gets one of them


def of_windows(shares, **settings):
    """A model that gives "yes" these shares on the windows of a recording, and another text to each."""

    def score(prompts, answer_sets):
        given = [(shares[one.record.ecg[0]], 1 - shares[one.record.ecg[0]]) for one in prompts]
        return [summarise(those, np.log(share).tolist()) for share, those in zip(given, answer_sets, strict=True)]

    def generate(prompts, max_new_tokens, beams):
        return [[WrittenText(f"text {one.record.ecg[0]}", -0.1, 9, True)] for one in prompts]

    windows = tuple(ReadWindow(10.0 * place, 10.0 * place + 10, [place]) for place in range(len(shares)))
    windows += settings.pop("unread", ())
    reading = Reading(windows, ("noisy",))
    model = SimpleNamespace(read=lambda record: reading, score=score, generate=generate, max_duration=10.0)
    return QuestionAnswerer(model, None, None, 32, 64, **settings)


def answered(model, question, **wishes):
    return model.answer(model.ask(None, [question], Wishes(**wishes)))[0]


def test_a_recording_of_one_window_has_no_answers_of_windows():
    found = answered(of_windows([0.8]), "Is this ECG normal?")
    assert (found.text, found.windows, found.windows_rule, found.warnings) == ("yes", (), None, ("noisy",))
    assert found.probability == found.confidence == pytest.approx(0.8)
    assert found.closed
    assert [text for text, _ in found.alternatives] == ["yes", "no"]
    free = answered(of_windows([0.8]), "What rhythm?")
    assert (free.text, free.windows, free.closed) == ("text 0", (), False)


def test_a_longer_recording_has_those_of_each_window_and_says_which_were_not_read():
    unread = (ReadWindow(20.0, 24.0, None, "too short"),)
    found = answered(of_windows([0.8, 0.3], unread=unread), "Is this ECG normal?")
    assert [(one.start, one.stop, one.text, one.problem) for one in found.windows] == [
        (0, 10, "yes", None),
        (10, 20, "no", None),
        (20, 24, None, "too short"),
    ]
    assert found.windows_rule
    assert not found.calibrated
    free = answered(of_windows([0.8, 0.3], unread=unread), "What rhythm?")
    assert [one.text for one in free.windows] == ["text 0", "text 1", None]
    assert dict(free.alternatives) == pytest.approx({f"text {place}": np.exp(-0.1) / 2 for place in (0, 1)})


def test_an_answer_below_the_threshold_is_withheld_and_one_at_it_is_not():
    model = of_windows([0.75])
    for threshold, text in ((0.0, "yes"), (0.74, "yes"), (0.76, None), (1.0, None)):
        found = answered(model, "Is this ECG normal?", abstain_below=threshold)
        assert (found.text, found.answered) == (text, text is not None)
    assert found.abstained == "its confidence would be 0.750, below 1"
    assert found.probability == pytest.approx(0.75)


@pytest.mark.parametrize("most", [1, 2, 3, 9])
def test_the_likeliest_alternatives_alone(most):
    model = of_windows([0.8, 0.3])
    found = answered(model, "Is this ECG normal?", top_k=most)
    whole = answered(model, "Is this ECG normal?")
    assert found.alternatives == whole.alternatives[:most]
    assert found.uncalibrated == whole.uncalibrated[:most]
    assert [one.alternatives for one in found.windows] == [one.alternatives[:most] for one in whole.windows]
    assert found.text == whole.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"beams": 0}, {"beams": True}, {"beams": 1.5}, {"beams": None}, {"top_k": 0}, {"answers": "yes"},
        {"answers": ["yes"]}, {"answers": ["yes", "no", "no"]},
        {"abstain_below": -0.01}, {"abstain_below": 1.01},
    ],
)  # fmt: skip
def test_wishes_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=r"whole number|closed set|between 0 and 1"):
        Wishes(**wrong)
    assert Wishes(beams=1, top_k=1, abstain_below=1).top_k == 1


@pytest.mark.parametrize(
    ("question", "yes_no"),
    [
        ("Is it AF?", True),
        ("  does it", True),
        ("Can you see AF", True),
        ("Is it AF or flutter?", False),
        ("What rhythm?", False),
        ("", False),
        ("?", False),
    ],
)
def test_yes_no_questions_open_like_one_and_offer_no_choice(question, yes_no):
    assert is_yes_no_question(question) is yes_no


def test_a_model_declines_where_it_gives_yes_and_no_less_than_half_in_every_window():
    for share, declined in ((0.24, True), (0.26, False)):
        model = answerer()
        model.score = lambda prompts, sets, share=share: [summarise(s, np.log([share, share]).tolist()) for s in sets]
        found = answered(QuestionAnswerer(model, None, None, 32, 64, may_decline=True), "Is the patient married?")
        assert (found.text == DECLINED) is declined


def test_a_denied_question_is_answered_without_a_prevalence_too():
    model = hl.pipeline("ecg-question-answering")
    record = hl.read_ecg("example:af")
    plain, denied = (model(record, question) for question in ("Is there AF?", "Is there no AF?"))
    assert (plain.text, denied.text, denied.negated) == ("yes", "no", True)
    rare, common = (model(record, "Is there no AF?", prevalence=share) for share in (0.01, 0.99))
    assert rare.probability != common.probability


@pytest.mark.parametrize(
    ("question", "wished", "said"),
    [
        ("Is there AF?", ["No", "YES"], "YES"),
        ("Is AF absent?", ["No", "YES"], "No"),
        ("What rhythm is this?", ["Sinus rhythm", "AF"], "AF"),
        ("Is there AF?", ["present", "absent"], "'present' is no answer that was trained: no, yes"),
        ("What rhythm is this?", ["AF", "a-fib"], "'AF' and 'a-fib' mean the same"),
        ("What is the diagnosis?", ["heart rate", "LBBB"], "'heart rate' is no answer that was trained"),
        ("What rhythm is this?", ["AF", "no AF"], "'no AF' is no answer that was trained: sinus rhythm, "),
        ("What is the heart rate?", ["slow", "fast"], "'slow' is no answer that was trained: below 40, "),
        ("Write the report.", ["long", "short"], "'long' is no answer that was trained"),
    ],
)
def test_answers_in_other_words_are_those_that_were_trained_or_none(question, wished, said):
    found = hl.pipeline("ecg-question-answering")(hl.read_ecg("example:af"), question, answers=wished)
    assert (found.text or found.abstained).startswith(said)
    assert found.answered is (said in wished)
    assert {text for text, _ in found.alternatives} == (set(wished) if found.answered else set())


def test_answers_of_a_question_whose_trained_answers_are_not_known_are_taken_as_they_are():
    group = TrainedGroup("verify", "rhythm", None, ("Is it {term}?",), {"AFIB": "fibrillation"})
    model = QuestionAnswerer(answerer(), None, TrainedQuestions((group,)), 32, 64)
    (found,) = model.answer(model.ask(None, ["Is it fibrillation?"], Wishes(answers=("a", "b"))))
    assert found.text == "a"


def test_a_model_trained_on_other_questions_gets_them_as_they_are_unless_they_are_ambiguous():
    trained = hl.pipeline("ecg-question-answering").questions
    both = replace(trained, others_as_written=True)
    assert TrainedQuestions.from_document(both.document()).others_as_written
    assert not TrainedQuestions.from_document(trained.document()).others_as_written
    model = QuestionAnswerer(answerer(), None, both, 32, 64, may_decline=True)
    questions = ["Is there no AF?", "Is the patient married?", "Is this not AF?", "Why not eat an apple?"]
    denied, other, ambiguous, general = model.answer(model.ask(None, questions, Wishes()))
    assert (denied.asked, denied.text, denied.negated) == ("Does this ECG show atrial fibrillation?", "yes", True)
    assert (other.asked, other.text) == ("Is the patient married?", DECLINED)
    assert (ambiguous.text, ambiguous.abstained) == (None, '"not" leaves open what a yes would mean')
    assert general.text == DECLINED
    own = model.answer(model.ask(None, ["Is the patient married?"], Wishes(answers=("a", "b"))))
    assert own[0].text == "a"


def test_answers_of_ones_own_are_not_called_calibrated():
    trained = hl.pipeline("ecg-question-answering")
    record = hl.read_ecg("example:af")
    others = replace(trained.questions, others_as_written=True)

    def basis(question, *answers, questions=trained.questions):
        model = QuestionAnswerer(trained.answerer, trained.calibration, questions, 32, 64)
        (found,) = model.answer(model.ask(record, [question], Wishes(answers or None)))
        assert found.calibrated is not found.basis.startswith("not calibrated")
        if not found.calibrated:
            assert (found.alternatives, found.confidence) == (found.uncalibrated, found.probability)
        return found.basis

    own = "not calibrated: a set of answers of one's own"
    assert basis("AF?", "a", "b", questions=None) == own
    assert basis("What rhythm is this?", "sinus bradycardia", "sinus tachycardia") == own
    assert basis("What is the diagnosis?", "LBBB", "RBBB") == own
    assert basis("AF?", "No", "Yes").startswith("calibrated for the prevalence of AFIB")
    assert basis("What rhythm is this?") == "calibrated for balanced questions"
    assert basis("AF?", "no", "yes", questions=None).startswith("calibrated for balanced questions")
    other = "not calibrated: the question is of no kind that was trained"
    assert basis("Is the patient pregnant?", questions=others) == other
    asker = QuestionAnswerer(trained.answerer, trained.calibration, others, 32, 64)
    with pytest.raises(CalibrationError, match="no prevalence can be assumed"):
        asker.ask(record, ["Is the patient pregnant?"], Wishes(prevalence=0.5))


def test_figures_of_recordings_with_all_leads_are_not_those_of_fewer():
    ask = hl.pipeline("ecg-question-answering", model=hl.checkpoint("ecg-lm-tiny"))
    record = hl.read_ecg("example:af")
    whole, one_lead = ask(record, "AF?"), ask(record.select(["I"]), "AF?")
    assert (whole.calibrated, whole.absent) == (True, ())
    assert (one_lead.calibrated, len(one_lead.absent)) == (False, 11)
    assert one_lead.basis.endswith("in PTB-XL, 0.0695, for all leads; leads missing here: 11")
    long = replace(record, signal=np.tile(record.signal, 3)).select(["I"])
    assert ask(long, "AF?").basis.endswith("together they are not calibrated, for all leads; leads missing here: 11")
    assert any(line.endswith("on fold 9, from all leads") for line in one_lead.explained())


def test_beats_of_a_short_recording_are_not_counted():
    ask = hl.pipeline("ecg-question-answering")
    record = hl.read_ecg("example:af")
    short = ask(record.crop(0, 4), "How many beats?")
    assert short.abstained == (
        "this checkpoint counts in 10 s, of which these are 4: `heartllm measure` counts in any recording"
    )
    assert ask(record, "How many beats?").answered


def test_an_answerer_knows_what_it_was_trained_on_and_writes_one_text():
    answerer = load_answerer()
    assert answerer.max_duration == answerer.tokenizer.ecg_max_duration > 0
    (texts,) = answerer.generate([Prompt(hl.read_ecg("example:af"), "Write the report.")], 2)
    assert len(texts) == 1
