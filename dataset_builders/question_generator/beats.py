"""Questions about rate and regularity, whose answers are measured on the recording itself.

Every record has them, whatever its statements; they teach a model to find and count beats, which rhythm rests on. An
answer agrees with our measurement (`hf_heartllm.ecg.beats`), not with a cardiologist; rows say so in `source`.
"""

from __future__ import annotations

import random

import numpy as np

from hf_heartllm.data.question import MEASURED, Question

from . import wording

MIN_BEATS = 4  # fewer say too little of a rhythm

# Upper limits of the root mean square of successive RR differences, as a share of the mean RR interval. On 60 records
# each of fold 8, the median of sinus rhythm lies at 0.03, and 95 % of those with atrial fibrillation above 0.148.
REGULARITY = ((0.03, "very regular"), (0.06, "regular"), (0.12, "slightly irregular"), (0.2, "irregular"))
IRREGULAR = "very irregular"


def rate_answer(beats_per_minute: float) -> str:
    """`"70 to 79"` and so on, `"below 40"`, `"150 or more"`."""
    if beats_per_minute < 40:
        return "below 40"
    if beats_per_minute >= 150:
        return "150 or more"
    tens = int(beats_per_minute // 10) * 10
    return f"{tens} to {tens + 9}"


def regularity_answer(rr: np.ndarray) -> str:
    """How regular RR intervals in seconds are, in five degrees."""
    variation = float(np.sqrt(np.mean(np.diff(rr) ** 2)) / rr.mean())
    return next((word for limit, word in REGULARITY if variation < limit), IRREGULAR)


RATE_ANSWERS = ("below 40", *(f"{tens} to {tens + 9}" for tens in range(40, 150, 10)), "150 or more")
REGULARITY_ANSWERS = (*(word for _, word in REGULARITY), IRREGULAR)
COUNT_ANSWERS = tuple(str(count) for count in range(MIN_BEATS, 46))
INTERVAL_ANSWERS = tuple(f"{tenths / 10:.1f} s" for tenths in range(2, 41))


def questions_on_beats(times: np.ndarray, seed: str) -> list[Question]:
    """The questions of one recording; none where there are too few beats to say anything.

    Args:
        times: seconds of the beats.
        seed: chooses among the wordings.
    """
    if len(times) < MIN_BEATS:
        return []
    rr = np.diff(times)
    rng = random.Random(seed)
    made = []
    for attribute, answer, answers in (
        ("heart rate", rate_answer(60 / float(rr.mean())), RATE_ANSWERS),
        ("regularity", regularity_answer(rr), REGULARITY_ANSWERS),
        ("number of beats", str(len(times)), COUNT_ANSWERS),
        ("longest RR interval", f"{rr.max():.1f} s", INTERVAL_ANSWERS),
        ("shortest RR interval", f"{rr.min():.1f} s", INTERVAL_ANSWERS),
    ):
        if answer in answers:
            text = rng.choice(wording.BEATS[attribute])
            made.append(Question(text, (answer,), answers, "query", "beats", attribute, source=MEASURED))
    return made
