"""The text of the question generator's card."""

from __future__ import annotations

from ..cards import measured_table
from .builder import SampledQuestions
from .numeric import FEATURES


def _agreement() -> str:
    """The table of agreement with ECG-QA, where the project's results are at hand."""
    table = measured_table("sampler: ")
    if not table:
        return ""
    return f"""
## Agreement with ECG-QA

On the same record and attribute, from PTB-XL's labels. "Not asked by us" counts rows of ECG-QA that would not be asked
here: with the notes of a record absent, nothing is known of its noise; where a note names no lead, ECG-QA takes the
noise for absent, and here it is left open; a "no" to a near synonym of what is stated is not asked.

On durations (P, PR, QRS, QT, QTc) the two agree little, on RR well. ECG-QA's answers rest on an automatic delineation:
on 36 records, neurokit2's wavelet method in lead II with one range a duration reproduces those on P, QT and QTc (89 of
90), most of those on QRS (22 of 23) and fewer on PR (16 of 21). Its QRS, with a median of 167 ms in recordings that
ECG-QA calls normal, is far wider than what our measurement finds, so "abnormal" means another thing in each.

{table}
"""


def card_of(builder: SampledQuestions) -> str:
    """How the questions were made, for the card."""
    config = builder.config
    ranges = []
    for feature in FEATURES:
        low = "" if feature.low is None else f"{feature.low:g} to "
        female = f" ({feature.high_female:g} in women)" if feature.high_female else ""
        ranges.append(f"{feature.phrase} {low or 'up to '}{feature.high:g} ms{female}")
    possible = (
        "Statements that the labels call possible (in PTB-XL a likelihood above 0 and below 100) are answered "
        '"not sure" in yes-or-no questions, and are no part of a choice.'
        if config.not_sure
        else "Statements that the labels call possible count as stated."
    )
    return f"""# Questions from labels

Made from the labels of recordings by `dataset_builders.question_generator`, seed {config.seed}; `record_paths` are
relative to the source's folder. A row is a question; several names in an answer are joined by ", ". `answers` are the
right ones, `answer_set` is the closed set, empty where the possible lists are too many to be named. Types are named as
in ECG-QA: `single-…`, `comparison_consecutive-…` (a patient's recording and the next one),
`comparison_irrelevant-…` (two patients).

* Yes and no come equally often for each attribute in each part; half of the "no" have another abnormality of the type
  where there are enough of them. Of two alternatives neither is the better guess.
* {possible} What the labels leave open is not asked.
* Both recordings of a comparison are of one part, and no patient is in two.
* Rows with `source` "measured" agree with our measurement, not with a cardiologist: {"; ".join(ranges)}.
  Values nearer to a limit than measurements repeat are not asked for.
* In PTB-XL, noise, extra beats, heart axis and infarction stage are known for the rows with all columns only, which are
  no fair sample where others are missing (`ptbxl_row_source.csv`).
{_agreement() if builder.is_ptb_xl else ""}"""
