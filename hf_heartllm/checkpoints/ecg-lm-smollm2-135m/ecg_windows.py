"""A recording longer than a checkpoint was trained on: windows of that length, and what their answers are together.

A language model that has seen ten seconds at a time knows nothing of two minutes. So it reads windows of the longest
length that it was trained on, spaced evenly from the first sample to the last, overlapping where the length is no
multiple. What one window shows, the recording shows: "yes" in any window is "yes" (`ANY`). What must hold throughout,
as a normal ECG, holds if it holds in every window (`EVERY`). Whatever else is asked has the mean of the windows'
probabilities (`MEAN`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .ecg_record import ECGError, ECGRecord

ANY, EVERY, MEAN = "any", "every", "mean"
THROUGHOUT = frozenset({"NORM"})  # statements that hold for a recording only where they hold in every window
MAX_SECONDS = 3600.0  # of a recording that is read at once; a whole Holter tape belongs cut into hours

HOW = {
    ANY: "yes where any window says yes, with the highest probability among them",
    EVERY: "yes where every window says yes, with the lowest probability among them",
    MEAN: "the mean of the windows' probabilities",
}


def window_starts(length: int, window: int) -> list[int]:
    """Where windows begin that cover a length, evenly spaced: the first at 0, the last ends with the length.

    Args:
        length: samples or tokens, at least 1.
        window: of one window, at least 1.

    Returns:
        One start for each window; `[0]` where the whole is no longer than a window.
    """
    count = -(-length // window)
    return [round(index * (length - window) / (count - 1)) for index in range(count)] if count > 1 else [0]


def recording_windows(record: ECGRecord, seconds: float | None) -> list[ECGRecord]:
    """The windows of a recording; itself alone where it is no longer than `seconds`, or these are None.

    Raises:
        ECGError: if it is longer than `MAX_SECONDS`.
    """
    if record.duration > MAX_SECONDS:
        raise ECGError(
            f"{record.source or 'record'}: {record.duration:.0f} s are too long to be read at once: cut it into parts "
            f"of at most {MAX_SECONDS:.0f} s (record.crop, or hl.read_ecg_parts, which reads one at a time)"
        )
    length = record.signal.shape[1]
    window = length if seconds is None else round(seconds * record.sampling_rate)
    if length <= window + 1:  # one sample more is how 10 s are often cut
        return [record]
    return [
        record.crop(start / record.sampling_rate, (start + window) / record.sampling_rate)
        for start in window_starts(length, window)
    ]


def window_times(record: ECGRecord, seconds: float | None) -> list[tuple[float, float]]:
    """Start and end of each of these windows, in seconds."""
    length = record.signal.shape[1]
    window = length if seconds is None else round(seconds * record.sampling_rate)
    if length <= window + 1:
        return [(0.0, record.duration)]
    rate = record.sampling_rate
    return [(start / rate, (start + window) / rate) for start in window_starts(length, window)]


def token_windows(ids: Sequence[int], window: int | None) -> list[Sequence[int]]:
    """The windows of a recording that is tokenised already.

    Args:
        ids: of its ECG tokens, without start and end token.
        window: tokens of the longest recording that was trained on; None: as long as the recording.
    """
    if window is None or len(ids) <= window:
        return [ids]
    return [ids[start : start + window] for start in window_starts(len(ids), window)]


def rule(attribute: str | None, yes_no: bool) -> str:
    """How the windows' answers to a question are put together.

    Args:
        attribute: the statement that a yes/no question asks for; None where it asks for none that is known.
        yes_no: whether it is a yes/no question.
    """
    if not yes_no or attribute is None:
        return MEAN
    return EVERY if attribute in THROUGHOUT else ANY


def deciding_window(margins: Sequence[float], how: str) -> int:
    """Which window decides a yes/no question under `ANY` or `EVERY`: the highest or the lowest margin, the first."""
    return int(np.argmax(margins) if how == ANY else np.argmin(margins))


def combined_scores(scores: Sequence[np.ndarray], answers: Sequence[str], how: str) -> np.ndarray:
    """The scores of a recording's windows as those of one recording.

    Args:
        scores: for each window the log-likelihoods of the answers, float64 (answers,).
        answers: the closed set.
        how: one of `ANY`, `EVERY` (yes/no questions) and `MEAN`.

    Returns:
        float64 (answers,): those of the deciding window, or the logarithm of the mean probabilities.
    """
    if len(scores) == 1:
        return np.asarray(scores[0], dtype=np.float64)
    if how != MEAN:
        yes, no = list(answers).index("yes"), list(answers).index("no")
        return np.asarray(scores[deciding_window([one[yes] - one[no] for one in scores], how)], dtype=np.float64)
    rows = np.stack([np.asarray(one, dtype=np.float64) for one in scores])
    rows = rows - np.logaddexp.reduce(rows, axis=1, keepdims=True)
    return np.asarray(np.logaddexp.reduce(rows, axis=0) - np.log(len(rows)))
