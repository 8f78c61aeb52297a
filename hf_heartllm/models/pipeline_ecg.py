"""One call from a recording to an answer or a report: `pipeline("ecg-question-answering")(record, question)`."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .answer_calibration import (
    FREE_TEXT,
    NOT_CALIBRATED,
    AnswerCalibration,
    AskedStatement,
    CalibrationError,
    check_share,
    read_calibration,
)
from .answer_scores import score_groups
from .ecg_answers import Alternatives, ECGAnswer, ECGReport, WindowAnswer
from .ecg_reading import Reading, ReadWindow, ecg_prompt, read_recording
from .ecg_record import ECGRecord
from .ecg_statements import statements_found
from .ecg_windows import ANY, HOW, MEAN, combined_scores, deciding_window, rule
from .likeliest_texts import check_room, likeliest_texts
from .operating_points import Decision
from .question_understanding import NotUnderstood, TrainedQuestions, UnderstoodQuestion, read_trained_questions
from .report_text import clean_report_text, joined_reports

__all__ = [
    "PIPELINES",
    "ECGAnswer",
    "ECGQuestionAnsweringPipeline",
    "ECGReport",
    "ECGReportPipeline",
    "WindowAnswer",
    "default_checkpoint",
    "ecg_prompt",
    "is_yes_no_question",
    "pipeline",
]

REPORT_REQUEST = "Write the report."
YES_NO = ("yes", "no")
YES_NO_OPENINGS = frozenset(["is", "are", "was", "were", "does", "do", "did", "has", "have", "can", "could"])
MAX_ANSWER_TOKENS = 64
MAX_REPORT_TOKENS = 256
# of a whole recording: windows that overlap cannot be added, and intervals lie across their borders
WHOLE_ALONE = frozenset({"number of beats", "longest RR interval", "shortest RR interval"})
WHOLE_ALONE_WHY = "this checkpoint counts within {:g} s at a time: `heartllm measure` counts in a whole recording"


def is_yes_no_question(question: str) -> bool:
    """True for a question that opens like "Does …", "Is …" and offers no choice ("… or …")."""
    words = question.strip().lower().rstrip("?").split()
    return bool(words) and words[0] in YES_NO_OPENINGS and "or" not in words


class _ECGPipeline:
    """A model and its tokenizer, ready to read recordings."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer


class ECGQuestionAnsweringPipeline(_ECGPipeline):
    """Answers a question about a recording.

    Args:
        model: a causal language model that knows ECG tokens.
        tokenizer: its `ECGTokenizer`.
        calibration: of exactly these weights; None: probabilities stand as scored.
        questions: what these weights were trained to answer; None: every question is put to the model as it is.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        calibration: AnswerCalibration | None = None,
        questions: TrainedQuestions | None = None,
    ) -> None:
        super().__init__(model, tokenizer)
        self.calibration = calibration
        self.questions = questions

    @torch.inference_mode()
    def __call__(
        self,
        record: ECGRecord,
        question: str,
        answers: Sequence[str] | None = None,
        *,
        beams: int = 5,
        prevalence: float | None = None,
        abstain_below: float | None = None,
    ) -> ECGAnswer:
        """Answer a question.

        A question in other words than those of the training is put to the model in these; one that asks for something
        else is not answered (`ECGAnswer.abstained`, with the nearest trained ones). A recording longer than the
        checkpoint was trained on is read in windows.

        Args:
            record: the recording.
            question: in words.
            answers: the closed set to choose from. None: yes and no for a yes/no question ("Does …", "Is …"), else
                free text.
            beams: width of the beam search for free text, and so the number of alternatives; 1 is greedy.
            prevalence: share of "yes" among the patients that a yes/no question is asked about; None: the statement's
                prevalence in PTB-XL where the question asks for a known one, else that of the balanced questions.
            abstain_below: no answer is given where its confidence is below; None: always answered.

        Warns:
            ECGWarning: for whatever makes the recording doubtful.

        Raises:
            ECGError: if the recording cannot be used, or holds no ECG.
            ValueError: if the question or the answer set is empty, an answer stands there twice, the prompt is longer
                than the model can read, or a prevalence is given where none can be assumed: without a calibration, or
                for a question other than yes/no.
        """
        if not question.strip():
            raise ValueError("the question is empty")
        if abstain_below is not None and not 0 <= abstain_below <= 1:
            raise ValueError(f"a threshold for abstaining is between 0 and 1, not {abstain_below}")
        understood = self._understand(question)
        if isinstance(understood, NotUnderstood):
            return _declined(understood.reason, nearest=understood.nearest)
        if answers is None:
            answers = understood.answers or (YES_NO if is_yes_no_question(understood.text) else None)
        yes_no = answers is not None and frozenset(answers) == frozenset(YES_NO)
        if prevalence is not None:
            self._check_prevalence(check_share(prevalence), yes_no)
        if understood.negated and not yes_no:
            return _declined("a question for an absence is answered with yes or no alone")
        reading = read_recording(self.tokenizer, record)
        if len(reading.windows) > 1 and understood.attribute in WHOLE_ALONE:
            return _declined(WHOLE_ALONE_WHY.format(self.tokenizer.ecg_max_duration), warnings=reading.warnings)
        if answers is None:
            longest = MAX_REPORT_TOKENS if understood.attribute_type == "report" else MAX_ANSWER_TOKENS
            found = self._free_text(reading, understood.text, beams, longest)
        else:
            if prevalence is not None and understood.negated:
                prevalence = 1 - prevalence
            found = self._closed(reading, understood, list(answers), yes_no, prevalence)
        found = replace(found, asked=understood.text, warnings=reading.warnings)
        if understood.negated:
            found = _exchanged(found)
        if abstain_below is not None and found.confidence is not None and found.confidence < abstain_below:
            why = f"its confidence would be {found.confidence:.3f}, below {abstain_below:g}"
            found = replace(found, text=None, abstained=why)
        return found

    def _understand(self, question: str) -> UnderstoodQuestion | NotUnderstood:
        return UnderstoodQuestion(question) if self.questions is None else self.questions.understand(question)

    def _statement(self, understood: UnderstoodQuestion) -> AskedStatement | None:
        """What a yes/no question asks for, where the calibration knows it."""
        if self.calibration is None:
            return None
        if understood.attribute is None:
            return self.calibration.statement_in(understood.text)
        return self.calibration.statement(understood.attribute_type, understood.attribute)

    def _closed(
        self,
        reading: Reading,
        understood: UnderstoodQuestion,
        answers: list[str],
        yes_no: bool,
        prevalence: float | None,
    ) -> ECGAnswer:
        """One of a closed set."""
        statement = self._statement(understood) if yes_no else None
        rivals = () if statement is None or self.calibration is None else self.calibration.rivals(statement)
        asked = [(understood.text, answers), *((rival.question, list(YES_NO)) for rival in rivals)]
        if rivals and statement is not None and understood.text != statement.question:
            asked.append((statement.question, list(YES_NO)))  # rhythms are compared in the words of their points
        groups = []
        for window in reading.readable:
            prompts = [ecg_prompt(self.tokenizer, window.ids or (), text) for text, _ in asked]
            check_room(self.model, max(prompts, key=len), 1)
            groups.append((prompts, [those for _, those in asked]))
        scored = score_groups(self.model, self.tokenizer, groups)
        how = rule(understood.attribute or (statement.attribute if statement else None), yes_no)
        scores = [np.asarray(of_window[0].log_likelihoods) for of_window in scored]
        of_windows = [self._one_window(answers, one, understood.text, prevalence, statement) for one in scores]
        combined = combined_scores(scores, answers, how)
        found = self._one_window(answers, combined, understood.text, prevalence, statement)
        if statement is not None and statement.point is not None and self.calibration is not None:
            decisions = []
            for of_window, one in zip(scored, scores, strict=True):
                margins = {
                    rival.attribute: _margin(those.log_likelihoods, YES_NO)
                    for rival, those in zip(rivals, of_window[1:])
                }
                own = of_window[-1].log_likelihoods if len(asked) > 1 + len(rivals) else one
                margins[statement.attribute] = _margin(own, YES_NO if own is not one else answers)
                decision = self.calibration.decide(statement, margins)
                assert decision is not None
                decisions.append(decision)
            of_windows = [_at_point(one, two) for one, two in zip(of_windows, decisions, strict=True)]
            deciding = deciding_window([decision.excess for decision in decisions], ANY if how == MEAN else how)
            found = _at_point(found, decisions[deciding], self.calibration.slope(statement))
            found = replace(found, operating_point=statement.point, folds=self.calibration.measured_folds)
        return _with_windows(found, reading, of_windows, HOW[how])

    def _one_window(
        self,
        answers: Sequence[str],
        scores: np.ndarray,
        question: str,
        prevalence: float | None,
        statement: AskedStatement | None,
    ) -> ECGAnswer:
        """The likeliest answer by its scores, calibrated where that is possible."""
        shares = np.exp(scores - np.logaddexp.reduce(scores))
        order = np.argsort(-scores, kind="stable")
        as_scored = tuple((answers[place], float(shares[place])) for place in order)
        if self.calibration is None:
            text, probability = as_scored[0]
            return ECGAnswer(text, probability, as_scored, True, uncalibrated=as_scored, confidence=probability)
        found = self.calibration.answers(answers, scores.tolist(), question, prevalence, statement)
        text, probability = found.ranked[0]
        return ECGAnswer(
            text,
            probability,
            found.ranked,
            True,
            basis=found.basis,
            calibrated=True,
            prevalence=found.prevalence,
            uncalibrated=as_scored,
            confidence=probability,
        )

    def _free_text(self, reading: Reading, question: str, beams: int, longest: int) -> ECGAnswer:
        prompts = [ecg_prompt(self.tokenizer, window.ids or (), question) for window in reading.readable]
        of_windows = []
        sums: dict[str, float] = {}
        basis = NOT_CALIBRATED if self.calibration is None else FREE_TEXT
        for texts in likeliest_texts(self.model, self.tokenizer, prompts, longest, beams):
            ranked = tuple((text, math.exp(score)) for text, _, score in texts)
            of_windows.append(ECGAnswer(*ranked[0], ranked, False))
            for text, probability in ranked:
                sums[text] = sums.get(text, 0.0) + probability / len(prompts)
        ranked = tuple(sorted(sums.items(), key=lambda item: -item[1]))
        text, probability = ranked[0]
        found = ECGAnswer(text, probability, ranked, False, basis=basis, uncalibrated=ranked, confidence=probability)
        return _with_windows(found, reading, of_windows, HOW[MEAN])

    def _check_prevalence(self, prevalence: float, yes_no: bool) -> None:
        """Before the model runs; `AnswerCalibration.answers` would say the same afterwards."""
        if not yes_no:
            raise CalibrationError(f"a prevalence ({prevalence:g}) belongs to a yes/no question")
        if self.calibration is None:
            raise CalibrationError(f"no prevalence can be assumed ({prevalence:g}): {NOT_CALIBRATED}")


def _declined(reason: str, nearest: tuple[str, ...] = (), warnings: tuple[str, ...] = ()) -> ECGAnswer:
    """No answer, and nothing was put to the model."""
    return ECGAnswer(None, None, (), False, basis="", abstained=reason, nearest=nearest, warnings=warnings)


def _margin(scores: Sequence[float] | np.ndarray, answers: Sequence[str]) -> float:
    return float(scores[list(answers).index("yes")] - scores[list(answers).index("no")])


def _at_point(found: ECGAnswer, decision: Decision, slope: float | None = None) -> ECGAnswer:
    """The answer of a decision, with the probability that it has."""
    text = "yes" if decision.yes else "no"
    confidence = found.confidence if slope is None else decision.confidence(slope)
    return replace(found, text=text, probability=dict(found.alternatives)[text], confidence=confidence)


def _exchanged(found: ECGAnswer) -> ECGAnswer:
    """The answer to the question for the absence of what was asked."""
    other = {"yes": "no", "no": "yes"}

    def both(alternatives: Alternatives) -> Alternatives:
        return tuple((other[text], probability) for text, probability in alternatives)

    return replace(
        found,
        text=None if found.text is None else other[found.text],
        alternatives=both(found.alternatives),
        uncalibrated=both(found.uncalibrated),
        prevalence=None if found.prevalence is None else 1 - found.prevalence,
        negated=True,
        windows=tuple(
            replace(one, text=None if one.text is None else other[one.text], alternatives=both(one.alternatives))
            for one in found.windows
        ),
    )


def _with_windows(found: ECGAnswer, reading: Reading, of_windows: Sequence[ECGAnswer], how: str) -> ECGAnswer:
    """The answer of a whole recording with those of its windows; as it is where there is one window."""
    if len(reading.windows) == 1:
        return found
    answered = iter(of_windows)
    windows = tuple(
        WindowAnswer(window.start, window.stop, None, problem=window.problem)
        if window.ids is None
        else WindowAnswer(window.start, window.stop, (one := next(answered)).text, one.alternatives)
        for window in reading.windows
    )
    basis = found.basis
    if found.calibrated:
        basis = f"each window {found.basis}; together they are not calibrated"
    return replace(found, windows=windows, windows_rule=how, calibrated=False, basis=basis)


class ECGReportPipeline(_ECGPipeline):
    """Writes the report of a recording.

    Args:
        model: a causal language model that knows ECG tokens.
        tokenizer: its `ECGTokenizer`.
        calibration: of exactly these weights; None: no findings are listed beside the text.
    """

    def __init__(self, model: Any, tokenizer: Any, calibration: AnswerCalibration | None = None) -> None:
        super().__init__(model, tokenizer)
        self.calibration = calibration

    @torch.inference_mode()
    def __call__(self, record: ECGRecord, request: str = REPORT_REQUEST) -> ECGReport:
        """Write the report, greedily. Of a recording longer than the checkpoint was trained on, window by window.

        Args:
            record: the recording.
            request: the words that ask for it.

        Warns:
            ECGWarning: for whatever makes the recording doubtful.

        Raises:
            ECGError: if the recording cannot be used, or holds no ECG.
            ValueError: if the prompt is longer than the model can read.
        """
        reading = read_recording(self.tokenizer, record)
        prompts = [ecg_prompt(self.tokenizer, window.ids or (), request) for window in reading.readable]
        end = self.tokenizer.eos_token_id
        written = [texts[0] for texts in likeliest_texts(self.model, self.tokenizer, prompts, MAX_REPORT_TOKENS, 1)]
        texts = [clean_report_text(text) for text, _, _ in written]
        return ECGReport(
            joined_reports(texts),
            min(math.exp(score / len(ids)) for _, ids, score in written),
            complete=all(ids[-1] == end for _, ids, _ in written),
            windows=_report_windows(reading, texts),
            findings=()
            if self.calibration is None
            else statements_found(
                self.model, self.tokenizer, self.calibration, [window.ids or () for window in reading.readable]
            ),
            warnings=reading.warnings,
        )


def _report_windows(reading: Reading, texts: Sequence[str]) -> tuple[WindowAnswer, ...]:
    if len(reading.windows) == 1:
        return ()
    written = iter(texts)

    def of(window: ReadWindow) -> WindowAnswer:
        text = None if window.ids is None else next(written)
        return WindowAnswer(window.start, window.stop, text, problem=window.problem)

    return tuple(of(window) for window in reading.windows)


PIPELINES: dict[str, type[_ECGPipeline]] = {
    "ecg-question-answering": ECGQuestionAnsweringPipeline,
    "ecg-report": ECGReportPipeline,
}


def default_checkpoint() -> Path:
    """The folder of the checkpoint that the package ships.

    Raises:
        FileNotFoundError: if it is not beside this code, as when the code came with a checkpoint of its own.
    """
    folder = Path(__file__).resolve().parent.parent / "checkpoints" / "heartllm-tiny"
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder}: no embedded checkpoint there; name a model folder or a Hub repository")
    return folder


def pipeline(
    task: str,
    model: Any = None,
    tokenizer: Any = None,
    *,
    calibration: AnswerCalibration | None = None,
    questions: TrainedQuestions | None = None,
) -> Any:
    """Make a pipeline.

    Args:
        task: `"ecg-question-answering"` or `"ecg-report"`.
        model: a model, or a folder or Hub repository to load it from; None is the embedded checkpoint.
        tokenizer: its tokenizer, or where to load it from; None: from where the model comes.
        calibration: for answers and findings; None: the file `calibration.json` beside the model, where it is loaded
            from a folder or repository that has one. A model given as an object may have other weights by now, so its
            folder is not asked.
        questions: what the model was trained to answer; None: the file `questions.json` beside it, where it is loaded
            from a folder or repository that has one.

    Raises:
        ValueError: if the task is unknown, a model is given as an object without its tokenizer, or a calibration cannot
            be read.
        FileNotFoundError: if there is no embedded checkpoint.
    """
    if task not in PIPELINES:
        raise ValueError(f"no task {task!r}; there are {', '.join(PIPELINES)}")
    if model is None:
        model = default_checkpoint()
    if tokenizer is None:
        tokenizer = model
        if not isinstance(model, (str, os.PathLike)):
            raise ValueError("a model was given without its tokenizer: pass tokenizer= too")
    if isinstance(tokenizer, (str, os.PathLike)):
        from .tokenization_heartllm import ECGTokenizer

        tokenizer = ECGTokenizer.from_pretrained(tokenizer)
    if isinstance(model, (str, os.PathLike)):
        from .modeling_heartllm import HeartLLMForCausalLM

        calibration = calibration or read_calibration(model)
        if task == "ecg-question-answering":
            questions = questions or read_trained_questions(model)
        model = HeartLLMForCausalLM.from_pretrained(model)
    if task == "ecg-question-answering":
        return ECGQuestionAnsweringPipeline(model, tokenizer, calibration, questions)
    return ECGReportPipeline(model, tokenizer, calibration)
