"""Questions about durations and their normal ranges. The answers agree with our measurement, not with a cardiologist.

Limits for adults: PR 120 to 200 ms and QRS up to 110 ms (Surawicz et al., AHA/ACCF/HRS recommendations part III,
Circulation 119, e235, 2009), QTc by Fridericia above 390 and below 450 ms in men, 460 ms in women (Rautaharju et al.,
part IV, Circulation 119, e241, 2009), P wave up to 120 ms, a rate of 60 to 100 per minute. A QRS complex is not
diagnosed as too short; its lower limit and those of the uncorrected QT interval are the usual ones of textbooks.
A value nearer to a limit than measurements repeat is not asked for.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hf_heartllm.data.question import MEASURED, Question
from hf_heartllm.data.record import Record

from . import wording
from .balance import open_rates, yes_no_rates

TYPE = "numeric_feature"


@dataclass(frozen=True)
class NormalRange:
    """A duration and its normal range, all in ms.

    Attributes:
        name: In ECG-QA's words.
        phrase: In ours.
        column: Its name among a record's ``measurements``.
        low: Lower limit, or None where there is none.
        high: Upper limit; in men where ``high_female`` is another.
        margin: Values nearer to a limit are doubtful.
        high_female: Upper limit in women.
    """

    name: str
    phrase: str
    column: str
    low: float | None
    high: float
    margin: float
    high_female: float | None = None

    def place(self, value: float | None, sex: str | None = None) -> str | None:
        """``"below"``, ``"within"`` or ``"above"`` the normal range; None where it is doubtful.

        Args:
            value: In ms, or None.
            sex: ``"male"``, ``"female"`` or None: then a value between the two upper limits is doubtful.
        """
        if value is None or value != value:
            return None
        highs = {"male": (self.high,), "female": (self.high_female or self.high,)}.get(
            sex or "", (self.high, self.high_female or self.high)
        )
        limits = [*highs] + ([] if self.low is None else [self.low])
        if any(abs(value - limit) < self.margin for limit in limits):
            return None
        if self.low is not None and value < self.low:
            return "below"
        places = {"above" if value > high else "within" for high in highs}
        return places.pop() if len(places) == 1 else None


FEATURES = (
    NormalRange("rr interval", "RR interval", "rr_ms", 600, 1000, 5),
    NormalRange("p duration", "P wave duration", "p_duration_ms", None, 120, 4),
    NormalRange("pr interval", "PR interval", "pr_ms", 120, 200, 4),
    NormalRange("qrs duration", "QRS duration", "qrs_ms", 70, 110, 2),
    NormalRange("qt interval", "QT interval", "qt_ms", 350, 440, 4),
    NormalRange("qt corrected", "corrected QT interval", "qtc_fridericia_ms", 390, 450, 4, high_female=460),
)
"""The six durations of ECG-QA, in its order."""

PLACES = {
    "below": "below the normal range",
    "within": "within the normal range",
    "above": "above the normal range",
}
_BY_NAME = {feature.name: feature for feature in FEATURES}


def places(record: Record) -> dict[str, str]:
    """Where each duration of a record lies, by ECG-QA's name; doubtful and absent ones are left out."""
    found = {f.name: f.place(record.measurements.get(f.column), record.sex) for f in FEATURES}
    return {name: place for name, place in found.items() if place is not None}


@dataclass(frozen=True)
class RangePrevalence:
    """Shares of the records that are asked, by (duration, place), for yes and no, and for open questions."""

    verify: Mapping[tuple[str, str], tuple[float, float, float]]
    query: Mapping[str, Mapping[str, float]]


def count_ranges(records: Iterable[Record]) -> RangePrevalence:
    """Count where the durations of a table lie, so that questions about them are balanced."""
    from collections import Counter

    counts: dict[str, Counter[str]] = {feature.name: Counter() for feature in FEATURES}
    for record in records:
        for name, place in places(record).items():
            counts[name][place] += 1
    verify = {}
    for name, found in counts.items():
        for place in PLACES:
            others = found.total() - found[place]
            easy = 0 if place == "within" else found["within"]
            verify[name, place] = yes_no_rates(found[place], others - easy, easy)
    return RangePrevalence(verify, {name: open_rates(found) for name, found in counts.items() if found})


def questions_on_ranges(record: Record, balance: RangePrevalence, seed: int | str) -> list[Question]:
    """Questions about the durations of one record.

    Args:
        record: The record, with ``measurements``.
        balance: Of the table that the record belongs to.
        seed: The same seed, record and table give the same questions.
    """
    rng = random.Random(f"{seed}:{TYPE}")
    found = places(record)
    made: list[Question] = []
    for name, place in found.items():
        made += _on_feature(_BY_NAME[name], place, balance, rng)
    if len(found) == len(FEATURES):
        for place in ("below", "above"):
            names = [name for name, where in found.items() if where == place]
            if names or rng.random() < 0.1:
                text = rng.choice(wording.QUERY_FEATURES).format(range=PLACES[place])
                answer = wording.SEPARATOR.join(_BY_NAME[name].phrase for name in names) or wording.NONE
                made.append(Question(text, (answer,), (), "query", TYPE, place, source=MEASURED))
    return made


def _on_feature(feature: NormalRange, place: str, balance: RangePrevalence, rng: random.Random) -> Iterator[Question]:
    name, phrase = feature.name, feature.phrase
    for asked, words in PLACES.items():
        yes, hard, easy = balance.verify[name, asked]
        share = yes if asked == place else easy if place == "within" else hard
        if rng.random() < share:
            text = rng.choice(wording.VERIFY_RANGE).format(feature=phrase, range=words)
            answer = wording.NO_YES[asked == place]
            yield Question(text, (answer,), wording.NO_YES, "verify", TYPE, f"{name} {words}", source=MEASURED)
    share = balance.query[name].get(place, 1.0)
    if rng.random() >= share:
        return
    pair = rng.sample([*PLACES.values()], 2)
    text = rng.choice(wording.CHOOSE_RANGE).format(feature=phrase, first=pair[0], second=pair[1])
    answer = PLACES[place] if PLACES[place] in pair else wording.NONE
    attribute = "|".join(f"{name} {words}" for words in pair)
    yield Question(text, (answer,), (*pair, wording.NONE), "choose", TYPE, attribute, source=MEASURED)
    text = rng.choice(wording.QUERY_RANGE).format(feature=phrase)
    yield Question(text, (PLACES[place],), tuple(PLACES.values()), "query", TYPE, name, source=MEASURED)
