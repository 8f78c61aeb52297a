"""All statements of a calibration asked of one recording: which are "yes" at their operating points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .answer_calibration import AnswerCalibration
from .answer_scores import score_groups
from .ecg_answers import StatementFound
from .ecg_reading import ecg_prompt
from .ecg_windows import EVERY, combined_scores, rule

YES_NO = ("yes", "no")


def statements_found(
    model: Any, tokenizer: Any, calibration: AnswerCalibration, windows: Sequence[Sequence[int]]
) -> tuple[StatementFound, ...]:
    """The statements with an operating point of their own that a recording has, the most remarkable first.

    Args:
        model: the language model.
        tokenizer: its `ECGTokenizer`.
        calibration: of the model.
        windows: ids of the ECG tokens of each window.
    """
    asked = [one for one in calibration.statements if one.point is not None]
    groups = [
        ([ecg_prompt(tokenizer, ids, one.question) for one in asked], [list(YES_NO)] * len(asked)) for ids in windows
    ]
    scored = [
        [np.asarray(one.log_likelihoods) for one in of_window] for of_window in score_groups(model, tokenizer, groups)
    ]
    margins = [
        {one.attribute: float(scores[0] - scores[1]) for one, scores in zip(asked, of_window, strict=True)}
        for of_window in scored
    ]
    found = []
    for place, one in enumerate(asked):
        assert one.point is not None
        decisions = [calibration.decide(one, of_window) for of_window in margins]
        yes = [decision is not None and decision.yes for decision in decisions]
        how = rule(one.attribute, True)
        if not one.point.own or not (all(yes) if how == EVERY else any(yes)):
            continue
        scores = combined_scores([of_window[place] for of_window in scored], YES_NO, how)
        shares = dict(calibration.answers(YES_NO, scores.tolist(), one.question, statement=one).ranked)
        found.append(
            StatementFound(
                one.attribute,
                one.phrases[0],
                shares["yes"],
                one.prevalence,
                one.point.sensitivity,
                one.point.specificity,
                sum(yes),
            )
        )
    return tuple(sorted(found, key=lambda one: -one.times_average))
