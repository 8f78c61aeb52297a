"""All statements of a calibration asked of one recording: which are "yes" at their operating points."""

from __future__ import annotations

import numpy as np

from .answer_calibration import AnswerCalibration
from .ecg_answerer import Answerer
from .ecg_answers import StatementFound
from .ecg_prompts import Prompt
from .ecg_reading import Reading
from .ecg_windows import EVERY, combined_scores, rule

YES_NO = ("yes", "no")


def statements_found(
    answerer: Answerer, calibration: AnswerCalibration, reading: Reading
) -> tuple[StatementFound, ...]:
    """The statements with an operating point of their own that a recording has, the most remarkable first.

    Args:
        answerer: the model, as it answers prompts.
        calibration: of the model.
        reading: the recording.
    """
    asked = [one for one in calibration.statements if one.point is not None]
    windows = reading.readable
    prompts = [Prompt(window, one.question) for window in windows for one in asked]
    scores_of_all = iter(answerer.score(prompts, [list(YES_NO)] * len(prompts)))
    scored = [[np.asarray(next(scores_of_all).log_likelihoods) for _ in asked] for _ in windows]
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
