"""What the pipelines give: an answer or a report, with everything that its reader must know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .answer_calibration import NOT_CALIBRATED
from .notice import NOTICE
from .operating_points import OperatingPoint, probability_words, times, words_of_point

Alternatives = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class WindowAnswer:
    """The answer of one window of a recording that is longer than the checkpoint was trained on.

    Attributes:
        start: seconds from the recording's first sample.
        stop: likewise, where it ends.
        text: the answer; None where the window could not be read.
        alternatives: every answer considered with its probability, the most likely first.
        problem: why it could not be read; None where it was.
    """

    start: float
    stop: float
    text: str | None
    alternatives: Alternatives = ()
    problem: str | None = None

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.stop - self.start


@dataclass(frozen=True)
class ECGAnswer:
    """An answer with how sure the model is of it.

    Attributes:
        text: the answer; None where there is none.
        probability: of `text` where there is one, else of the likeliest answer; None where no answer was scored. For a
            closed answer set it is the share among the set (they sum to 1); for free text the probability that the
            model writes exactly this text: the product over its tokens and the end token. An answer at an operating
            point may be the less likely one: at the prevalence of a rare finding "yes" can be right at 0.2.
        alternatives: every answer considered with its probability, the most likely first, `text` included; the
            likeliest `top_k` of them where that was asked for.
        closed: True when the answer was chosen from a closed set.
        basis: whether the probabilities are calibrated, and for which prevalence, in words.
        calibrated: whether they are.
        prevalence: of "yes", that they stand for; None where they stand for none.
        uncalibrated: `alternatives` as the model scored them.
        abstained: why there is no answer; None where there is one.
        confidence: what `abstain_below` is compared with: at an operating point how sure the side of it is at even
            odds, else `probability`; None where no answer was scored.
        operating_point: where the answer turns, with its sensitivity and specificity; None where it is the likelier
            one. For the question as it was put to the model: see `negated`.
        folds: of PTB-XL, that the operating point's sensitivity and specificity were measured on; of a collection
            without folds the names of its splits.
        asked: the question as it was put to the model; None where nothing was.
        negated: whether yes and no were exchanged, because the question asks for the absence of what `asked` asks for.
        nearest: questions that the checkpoint was trained on, where this one is none of them.
        windows: of a recording longer than the checkpoint was trained on, else empty.
        windows_rule: how their answers were put together, in words.
        absent: leads that the recording has not, where the operating point was measured with all of them.
        warnings: what was found about the recording, one line each.
        notice: what the answer may be used for.
    """

    text: str | None
    probability: float | None
    alternatives: Alternatives
    closed: bool
    basis: str = NOT_CALIBRATED
    calibrated: bool = False
    prevalence: float | None = None
    uncalibrated: Alternatives = ()
    abstained: str | None = None
    confidence: float | None = None
    operating_point: OperatingPoint | None = None
    folds: tuple[int | str, ...] = ()
    asked: str | None = None
    negated: bool = False
    nearest: tuple[str, ...] = ()
    windows: tuple[WindowAnswer, ...] = ()
    windows_rule: str | None = None
    absent: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notice: str = NOTICE

    @property
    def answered(self) -> bool:
        """Whether there is an answer."""
        return self.text is not None

    def __str__(self) -> str:
        return self.text if self.text is not None else f"no answer: {self.abstained}"

    def explained(self) -> list[str]:
        """What a reader should know beside the answer, one line each."""
        lines = []
        if self.operating_point is not None:
            shares = {text.casefold(): share for text, share in self.alternatives}  # `top_k` may have left one
            yes = shares.get("yes", 1 - shares["no"] if "no" in shares else None)
            if yes is not None and self.prevalence is not None:
                at = f"at a prevalence of {self.prevalence:.2g}, {times(yes / self.prevalence)}"
                lines.append(f"p(yes) {probability_words(yes)} {at}")
            asked = f'"{self.asked}": ' if self.negated else ""
            whole = ", from all leads" if self.absent else ""
            lines.append(f"{asked}{words_of_point(self.operating_point, self.folds)}{whole}")
        if self.negated:
            lines.append(f'asked as "{self.asked}", yes and no exchanged')
        if self.windows:
            lines.append(f"{len(self.windows)} windows of {self.windows[0].seconds:g} s: {self.windows_rule}")
            lines += window_lines(self.windows)
        return [*lines, self.basis] if self.basis else lines


def window_lines(windows: Sequence[WindowAnswer], most: int = 6) -> list[str]:
    """Which answer which windows give: one line an answer, in the order of their numbers."""
    found: dict[str, list[WindowAnswer]] = {}
    for window in windows:
        found.setdefault(window.text if window.text is not None else f"not read, {window.problem}", []).append(window)
    lines = []
    for text, those in sorted(found.items(), key=lambda item: -len(item[1])):
        places = ", ".join(f"{one.start:g}–{one.stop:g} s" for one in those[:most])
        rest = f" and {len(those) - most} more" if len(those) > most else ""
        lines.append(f"{text}: {len(those)} ({places}{rest})")
    return lines


@dataclass(frozen=True)
class StatementFound:
    """A statement that is answered with "yes" at its operating point.

    Attributes:
        attribute: its SCP code or superclass.
        words: what it is called.
        probability: at `prevalence`.
        prevalence: in PTB-XL.
        sensitivity: of the operating point.
        specificity: likewise.
        windows: how many windows of a long recording say yes.
    """

    attribute: str
    words: str
    probability: float
    prevalence: float
    sensitivity: float
    specificity: float
    windows: int = 1

    @property
    def times_average(self) -> float:
        """The probability as a multiple of the average patient's."""
        return self.probability / self.prevalence


@dataclass(frozen=True)
class ECGReport:
    """A written report.

    Attributes:
        text: the report. Of a recording longer than the checkpoint was trained on: what its
            windows state, each statement once, with the number of windows that state it unless all do.
        token_probability: geometric mean of the probabilities of its tokens, the end token included; of several windows
            the least.
        complete: False when the report was cut at the longest length allowed.
        windows: of a recording longer than the checkpoint was trained on: each window's report, else empty.
        findings: the statements that are "yes" at their operating points, the most remarkable first, whatever the text
            says; empty without a calibration that has such points.
        absent: leads that the recording has not, where the operating points were measured with all of them.
        warnings: what was found about the recording, one line each.
        notice: what the report may be used for.
    """

    text: str
    token_probability: float
    complete: bool
    windows: tuple[WindowAnswer, ...] = ()
    findings: tuple[StatementFound, ...] = ()
    absent: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notice: str = NOTICE

    def __str__(self) -> str:
        return self.text
