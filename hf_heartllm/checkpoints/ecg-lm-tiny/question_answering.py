"""Questions about recordings → answers: each is put as it was trained, scored, calibrated and decided.

Many questions, about one recording or several, go through the model together; the answers are those that each gets by
itself, up to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral

import numpy as np

from .answer_calibration import (
    FREE_TEXT,
    NOT_CALIBRATED,
    AnswerCalibration,
    AskedStatement,
    CalibrationError,
    check_share,
)
from .answer_scores import AnswerScores
from .ecg_answerer import Answerer, WrittenText
from .ecg_answers import Alternatives, ECGAnswer, WindowAnswer
from .ecg_prompts import Prompt
from .ecg_reading import Reading
from .ecg_record import ECGRecord
from .ecg_windows import ANY, HOW, MEAN, combined_scores, deciding_window, rule
from .operating_points import Decision
from .question_understanding import NotUnderstood, TrainedQuestions
from .trained_wordings import UnderstoodQuestion

YES_NO = ("yes", "no")
YES_NO_OPENINGS = frozenset(["is", "are", "was", "were", "does", "do", "did", "has", "have", "can", "could"])
# of a whole recording: windows that overlap cannot be added, and intervals lie across their borders
WHOLE_ALONE = frozenset({"number of beats", "longest RR interval", "shortest RR interval"})
WHOLE_ALONE_WHY = "this checkpoint counts within {:g} s at a time: `heartllm measure` counts in a whole recording"
COUNTED = "number of beats"
COUNTED_WHY = "this checkpoint counts in {:g} s, of which these are {:.3g}: `heartllm measure` counts in any recording"
COUNTED_FROM = 0.95
"""Share of the duration trained on from which a count is that of the whole recording."""
OWN_ANSWERS = "not calibrated: a set of answers of one's own"
OTHER_QUESTION = "not calibrated: the question is of no kind that was trained"


def is_yes_no_question(question: str) -> bool:
    """True for a question that opens like "Does …", "Is …" and offers no choice ("… or …")."""
    words = question.strip().lower().rstrip("?").split()
    return bool(words) and words[0] in YES_NO_OPENINGS and "or" not in words


@dataclass(frozen=True)
class Wishes:
    """What a call asks for beside the question; see `ECGQuestionAnsweringPipeline.__call__`.

    Raises:
        ValueError: if a number lies outside its range.
    """

    answers: Sequence[str] | None = None
    beams: int = 5
    top_k: int | None = None
    prevalence: float | None = None
    abstain_below: float | None = None

    def __post_init__(self) -> None:
        for name in ("beams", "top_k"):
            value = getattr(self, name)
            whole = isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1
            if not (whole or (name == "top_k" and value is None)):
                raise ValueError(f"{name} is a whole number of at least 1, not {value!r}")
        if isinstance(self.answers, str):
            raise ValueError(f"answers is a closed set to choose from, such as ['yes', 'no'], not {self.answers!r:.60}")
        if self.answers is not None and len(set(self.answers)) < len(self.answers):
            raise ValueError(f"answers is a closed set, in which each stands once, not {list(self.answers)!r:.60}")
        if self.answers is not None and len(self.answers) < 2:
            raise ValueError(f"answers is a closed set of two or more to choose from, not {list(self.answers)!r:.60}")
        if self.abstain_below is not None and not 0 <= self.abstain_below <= 1:
            raise ValueError(f"a threshold for abstaining is between 0 and 1, not {self.abstain_below}")


@dataclass(frozen=True)
class Asked:
    """A question about a recording, ready for the model.

    Attributes:
        reading: the recording.
        understood: the question as it was trained.
        answers: the closed set, in the words that were trained; None for free text.
        prevalence: of "yes" to the question as it was trained, where one was given.
        wishes: of the call.
        statement: what a yes/no question asks for, where the calibration knows it.
        rivals: the statements that it is decided with.
        shown: of the closed set, the words that were wished for.
        unfitted: why the calibration says nothing of its answers, in words; None where it does.
    """

    reading: Reading
    understood: UnderstoodQuestion
    answers: tuple[str, ...] | None
    prevalence: float | None
    wishes: Wishes
    statement: AskedStatement | None = None
    rivals: tuple[AskedStatement, ...] = ()
    shown: Mapping[str, str] = field(default_factory=dict)
    unfitted: str | None = None

    @property
    def yes_no(self) -> bool:
        """Whether it is answered with yes or no."""
        return self.answers is not None and frozenset(self.answers) == frozenset(YES_NO)

    @property
    def scored(self) -> list[tuple[str, list[str]]]:
        """The questions and answer sets that decide it: its own, its rivals', its own in the words of its point."""
        assert self.answers is not None
        asked = [(self.understood.text, list(self.answers)), *((one.question, list(YES_NO)) for one in self.rivals)]
        if self.rivals and self.statement is not None and self.understood.text != self.statement.question:
            asked.append((self.statement.question, list(YES_NO)))  # rhythms are compared in the words of their points
        return asked


@dataclass(frozen=True)
class QuestionAnswerer:
    """A model with what is known about its answers.

    Attributes:
        answerer: the model, as it answers prompts.
        calibration: of exactly these weights; None: probabilities stand as scored.
        questions: what these weights were trained to answer; None: every question is put to the model as it is.
        max_answer_tokens: of free text.
        max_report_tokens: of free text that is a report.
        may_decline: whether the model was trained to answer some yes/no questions with neither, because no ECG tells.
    """

    answerer: Answerer
    calibration: AnswerCalibration | None
    questions: TrainedQuestions | None
    max_answer_tokens: int
    max_report_tokens: int
    may_decline: bool = False

    def ask(self, record: ECGRecord | Reading, questions: Sequence[str], wishes: Wishes) -> list[Asked | ECGAnswer]:
        """Understand questions about a recording, which is read once, if any of them needs it and it is not read yet.

        Returns:
            For each question what `answer` takes, or the answer of one that is not put to the model.
        """
        reading = record if isinstance(record, Reading) else None
        asked: list[Asked | ECGAnswer] = []
        for question in questions:
            understood = self._understand(question)
            if isinstance(understood, NotUnderstood):
                asked.append(_declined(understood.reason, nearest=understood.nearest))
                continue
            answers, shown = wishes.answers, dict[str, str]()
            if answers is None:
                answers = understood.answers or (YES_NO if is_yes_no_question(understood.text) else None)
            elif self.questions is not None and understood.attribute is not None:
                as_trained = self.questions.answers_as_trained(understood, answers)
                if isinstance(as_trained, str):
                    asked.append(_declined(as_trained))
                    continue
                answers, shown = tuple(as_trained), as_trained
            yes_no = answers is not None and frozenset(answers) == frozenset(YES_NO)
            unfitted = None if answers is None or self.calibration is None else self._unfitted(understood, answers)
            if wishes.prevalence is not None:
                self._check_prevalence(check_share(wishes.prevalence), yes_no, unfitted)
            if understood.negated and not yes_no:
                asked.append(_declined("a question for an absence is answered with yes or no alone"))
                continue
            if reading is None:
                assert not isinstance(record, Reading)
                reading = self.answerer.read(record)
            if len(reading.windows) > 1 and understood.attribute in WHOLE_ALONE:
                why = WHOLE_ALONE_WHY.format(self.answerer.max_duration)
                asked.append(_declined(why, warnings=reading.warnings))
                continue
            longest, seconds = self.answerer.max_duration, reading.windows[-1].stop - reading.windows[0].start
            if understood.attribute == COUNTED and longest is not None and seconds < COUNTED_FROM * longest:
                asked.append(_declined(COUNTED_WHY.format(longest, seconds), warnings=reading.warnings))
                continue
            prevalence = wishes.prevalence
            if prevalence is not None and understood.negated:
                prevalence = 1 - prevalence
            statement = self._statement(understood) if yes_no else None
            rivals = () if statement is None or self.calibration is None else self.calibration.rivals(statement)
            closed = None if answers is None else tuple(answers)
            asked.append(
                Asked(reading, understood, closed, prevalence, wishes, statement, tuple(rivals), shown, unfitted)
            )
        return asked

    def answer(self, asked: Sequence[Asked | ECGAnswer]) -> list[ECGAnswer]:
        """The answers, in order."""
        closed = [one for one in asked if isinstance(one, Asked) and one.answers is not None]
        free = [one for one in asked if isinstance(one, Asked) and one.answers is None]
        found = {}
        for one, scores in zip(closed, self._scores(closed), strict=True):
            if self._is_declined(one, scores):
                free.append(one)
            else:
                found[id(one)] = self._closed(one, scores)
        found |= {id(one): self._free_text(one, texts) for one, texts in zip(free, self._texts(free), strict=True)}
        return [one if isinstance(one, ECGAnswer) else finished(one, found[id(one)]) for one in asked]

    def _is_declined(self, asked: Asked, scored: Sequence[Sequence[AnswerScores]]) -> bool:
        """Whether the model would rather say something else than yes or no, as to what no ECG answers."""
        if not self.may_decline or asked.wishes.answers is not None or not asked.yes_no:
            return False
        return all(np.logaddexp.reduce(of_window[0].log_likelihoods) < np.log(0.5) for of_window in scored)

    def _understand(self, question: str) -> UnderstoodQuestion | NotUnderstood:
        if self.questions is None:
            return UnderstoodQuestion(question)
        found = self.questions.understand(question)
        as_written = isinstance(found, NotUnderstood) and self.questions.others_as_written and not found.ambiguous
        return UnderstoodQuestion(question) if as_written else found

    def _unfitted(self, understood: UnderstoodQuestion, answers: Sequence[str]) -> str | None:
        """Why the calibration says nothing of a question's answers; None where it does."""
        if frozenset(answers) == frozenset(YES_NO):
            known = self.questions is None or understood.attribute is not None
            return None if known or self._statement(understood) is not None else OTHER_QUESTION
        return None if set(answers) == set(understood.answers or ()) else OWN_ANSWERS

    def _statement(self, understood: UnderstoodQuestion) -> AskedStatement | None:
        """What a yes/no question asks for, where the calibration knows it."""
        if self.calibration is None:
            return None
        if understood.attribute is None:
            return self.calibration.statement_in(understood.text)
        return self.calibration.statement(understood.attribute_type, understood.attribute)

    def _check_prevalence(self, prevalence: float, yes_no: bool, unfitted: str | None) -> None:
        """Before the model runs; `AnswerCalibration.answers` would say the same afterwards."""
        if not yes_no:
            raise CalibrationError(f"a prevalence ({prevalence:g}) belongs to a yes/no question")
        if self.calibration is None:
            raise CalibrationError(f"no prevalence can be assumed ({prevalence:g}): {NOT_CALIBRATED}")
        if unfitted is not None:
            raise CalibrationError(f"no prevalence can be assumed ({prevalence:g}): {unfitted}")

    def _scores(self, closed: Sequence[Asked]) -> list[list[list[AnswerScores]]]:
        """For each question with a closed set, for each window, the scores of what decides it."""
        prompts: dict[int, list[Prompt]] = {}  # by window: those on one are asked together
        answers: dict[int, list[list[str]]] = {}
        places: list[list[tuple[int, int]]] = []  # of each question: its windows, and its first prompt on each
        for one in closed:
            of_question = []
            for window in one.reading.readable:
                rows = prompts.setdefault(id(window), [])
                of_question.append((id(window), len(rows)))
                rows += [Prompt(window, text) for text, _ in one.scored]
                answers.setdefault(id(window), []).extend(those for _, those in one.scored)
            places.append(of_question)
        in_order = [prompt for rows in prompts.values() for prompt in rows]
        found = iter(self.answerer.score(in_order, [those for rows in answers.values() for those in rows]))
        scored = {window: [next(found) for _ in rows] for window, rows in prompts.items()}
        return [
            [scored[window][first : first + len(one.scored)] for window, first in of_question]
            for one, of_question in zip(closed, places, strict=True)
        ]

    def _closed(self, asked: Asked, scored: Sequence[Sequence[AnswerScores]]) -> ECGAnswer:
        """One of a closed set, by the scores of each window."""
        assert asked.answers is not None
        answers, statement, text = list(asked.answers), asked.statement, asked.understood.text
        how = rule(asked.understood.attribute or (statement.attribute if statement else None), asked.yes_no)
        scores = [np.asarray(of_window[0].log_likelihoods) for of_window in scored]
        of_windows = [self._one_window(answers, one, text, asked.prevalence, statement) for one in scores]
        found = self._one_window(answers, combined_scores(scores, answers, how), text, asked.prevalence, statement)
        if asked.unfitted is not None:
            of_windows = [_as_scored(one, asked.unfitted) for one in of_windows]
            found = _as_scored(found, asked.unfitted)
        if statement is not None and statement.point is not None and self.calibration is not None:
            decisions = []
            for of_window, one in zip(scored, scores, strict=True):
                margins = {
                    rival.attribute: _margin(those.log_likelihoods, YES_NO)
                    for rival, those in zip(asked.rivals, of_window[1:])
                }
                own = of_window[-1].log_likelihoods if len(of_window) > 1 + len(asked.rivals) else one
                margins[statement.attribute] = _margin(own, YES_NO if own is not one else answers)
                decision = self.calibration.decide(statement, margins)
                assert decision is not None
                decisions.append(decision)
            of_windows = [_at_point(one, two) for one, two in zip(of_windows, decisions, strict=True)]
            deciding = deciding_window([decision.excess for decision in decisions], ANY if how == MEAN else how)
            found = _at_point(found, decisions[deciding], self.calibration.slope(statement))
            found = replace(found, operating_point=statement.point, folds=self.calibration.measured_folds)
        absent, found = asked.reading.absent, _with_windows(found, asked.reading, of_windows, HOW[how])
        if absent and found.basis and asked.unfitted is None and self.calibration is not None:
            lack = f"leads missing here: {len(absent)}"
            found = replace(found, calibrated=False, basis=f"{found.basis}, for all leads; {lack}", absent=absent)
        return found

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

    def _texts(self, free: Sequence[Asked]) -> list[list[list[WrittenText]]]:
        """For each question with a free answer, for each window, its likeliest texts."""
        kinds: dict[tuple[int, int], list[tuple[int, Prompt]]] = {}  # by length and beams: question, prompt
        for number, one in enumerate(free):
            report = one.understood.attribute_type == "report"
            longest = self.max_report_tokens if report else self.max_answer_tokens
            beams = max(one.wishes.beams, one.wishes.top_k or 1)
            prompts = [(number, Prompt(window, one.understood.text)) for window in one.reading.readable]
            kinds.setdefault((longest, beams), []).extend(prompts)
        found: list[list[list[WrittenText]]] = [[] for _ in free]
        for (longest, beams), rows in kinds.items():
            texts = self.answerer.generate([prompt for _, prompt in rows], longest, beams)
            for (number, _), of_prompt in zip(rows, texts, strict=True):
                found[number].append(of_prompt)
        return found

    def _free_text(self, asked: Asked, written: Sequence[Sequence[WrittenText]]) -> ECGAnswer:
        of_windows = []
        sums: dict[str, float] = {}
        basis = NOT_CALIBRATED if self.calibration is None else FREE_TEXT
        for texts in written:
            ranked = tuple((one.text, one.probability) for one in texts)
            of_windows.append(ECGAnswer(*ranked[0], ranked, False))
            for text, probability in ranked:
                sums[text] = sums.get(text, 0.0) + probability / len(written)
        ranked = tuple(sorted(sums.items(), key=lambda item: -item[1]))
        text, probability = ranked[0]
        found = ECGAnswer(text, probability, ranked, False, basis=basis, uncalibrated=ranked, confidence=probability)
        return _with_windows(found, asked.reading, of_windows, HOW[MEAN])


def finished(asked: Asked, found: ECGAnswer) -> ECGAnswer:
    """The answer as its reader gets it: to the question that was asked, or withheld, with the alternatives wanted."""
    found = replace(found, asked=asked.understood.text, warnings=asked.reading.warnings)
    if asked.understood.negated:
        found = _exchanged(found)
    if asked.shown:
        found = _in_words(found, asked.shown)
    threshold = asked.wishes.abstain_below
    if threshold is not None and found.confidence is not None and found.confidence < threshold:
        why = f"its confidence would be {found.confidence:.3f}, below {threshold:g}"
        found = replace(found, text=None, abstained=why)
    return found if asked.wishes.top_k is None else _with_alternatives(found, int(asked.wishes.top_k))


def _with_alternatives(found: ECGAnswer, most: int) -> ECGAnswer:
    """The answer with its likeliest alternatives alone; the answer itself stays among them."""

    def likeliest(alternatives: Alternatives, text: str | None) -> Alternatives:
        kept = alternatives[:most]
        own = [one for one in alternatives[most:] if one[0] == text]
        return (*kept[: most - 1], *own) if own else kept

    windows = tuple(replace(one, alternatives=likeliest(one.alternatives, one.text)) for one in found.windows)
    return replace(
        found,
        alternatives=likeliest(found.alternatives, found.text),
        uncalibrated=likeliest(found.uncalibrated, found.text),
        windows=windows,
    )


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


def _as_scored(found: ECGAnswer, why: str) -> ECGAnswer:
    """The answer by its scores alone, since nothing was fitted on such questions or answers."""
    text, probability = found.uncalibrated[0]
    return replace(
        found,
        text=text,
        probability=probability,
        alternatives=found.uncalibrated,
        basis=why,
        calibrated=False,
        confidence=probability,
    )


def _in_words(found: ECGAnswer, shown: Mapping[str, str]) -> ECGAnswer:
    """The answer in the words that were wished for, instead of those that were trained."""

    def both(alternatives: Alternatives) -> Alternatives:
        return tuple((shown.get(text, text), probability) for text, probability in alternatives)

    def one(text: str | None) -> str | None:
        return None if text is None else shown.get(text, text)

    return replace(
        found,
        text=one(found.text),
        alternatives=both(found.alternatives),
        uncalibrated=both(found.uncalibrated),
        windows=tuple(replace(of, text=one(of.text), alternatives=both(of.alternatives)) for of in found.windows),
    )


def _with_windows(found: ECGAnswer, reading: Reading, of_windows: Sequence[ECGAnswer], how: str) -> ECGAnswer:
    """The answer of a whole recording with those of its windows; as it is where there is one window."""
    if len(reading.windows) == 1:
        return found
    answered = iter(of_windows)
    windows = tuple(
        WindowAnswer(window.start, window.stop, None, problem=window.problem)
        if window.ecg is None
        else WindowAnswer(window.start, window.stop, (one := next(answered)).text, one.alternatives)
        for window in reading.windows
    )
    basis = found.basis
    if found.calibrated:
        basis = f"each window {found.basis}; together they are not calibrated"
    return replace(found, windows=windows, windows_rule=how, calibrated=False, basis=basis)
