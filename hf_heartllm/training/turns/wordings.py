"""Yes/no questions about statements in many wordings: a pretrained language model is asked as people ask.

The wordings of `dataset_builders.question_generator` are those that evaluations count; a model that has seen no others
answers another case, an abbreviation or a denial at random. Wordings that robustness is measured with
(`benchmarks/questions/wordings.tsv`) are none of these.
"""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

AFFIRMED: tuple[str, ...] = (
    "Does this ECG show {}?",
    "Is there evidence of {} in this ECG?",
    "Are there signs of {} on this ECG?",
    "Can {} be seen in this ECG?",
    "Does the recording show {}?",
    "Is there {}?",
    "Is {} present?",
    "Any {}?",
    "Any sign of {}?",
    "Do you see {}?",
    "Can you see {} here?",
    "Does the patient have {}?",
    "Does he have {}?",
    "Does she have {}?",
    "{}?",
    "{} yes or no?",
    "{}, yes or no?",
    "Yes or no: {}?",
    "Is this {}?",
    "Could this be {}?",
    "Would you say there is {}?",
    "Is {} visible?",
    "Is {} visible on the tracing?",
    "Check for {}.",
    "Check this ECG for {}.",
    "Look for {}.",
    "Tell me whether there is {}.",
    "Tell me if {} is present.",
    "I am worried about {}. Is it there?",
    "I suspect {}. Do you agree?",
    "Does this tracing indicate {}?",
    "Does this trace demonstrate {}?",
    "Would you diagnose {}?",
    "Should I report {}?",
    "Is the ECG consistent with {}?",
    "Is the ECG positive for {}?",
    "In this recording, is there {}?",
    "On this ECG: {}?",
    "Is there any evidence for {} on this 12-lead ECG?",
    "Are the findings those of {}?",
    "Does the ECG suggest {}?",
    "Presence of {}?",
    "{} present?",
    "{} - present or absent?",
    "Please tell me: is there {}?",
    "Please answer yes or no. Does the ECG show {}?",
    "Is it true that this ECG shows {}?",
    "This ECG shows {}. True?",
    "Has this patient got {}?",
    "Do the leads show {}?",
)

DENIED: tuple[str, ...] = (
    "Is {} absent?",
    "Is there no {}?",
    "Is there no sign of {}?",
    "Can {} be ruled out?",
    "Can we exclude {}?",
    "Is {} excluded?",
    "Is this ECG free of {}?",
    "Is the ECG without {}?",
    "Is the ECG negative for {}?",
    "No {}?",
    "Without {}?",
    "Absence of {}?",
    "Does this ECG not show {}?",
    "Does the patient not have {}?",
    "Is it true that there is no {}?",
    "There is no {} here, right?",
    "Would you say that {} is not present?",
    "Are signs of {} missing?",
    "Does the recording lack {}?",
    "May I write that there is no {}?",
)

GERMAN_AFFIRMED: tuple[str, ...] = (
    "Zeigt dieses EKG {}?",
    "Ist {} zu sehen?",
    "Gibt es Zeichen für {}?",
    "Liegt {} vor?",
    "Hat der Patient {}?",
    "Hat die Patientin {}?",
    "Sieht man {}?",
    "Besteht {}?",
    "{}?",
    "Finden sich Hinweise auf {}?",
    "Ist auf dem EKG {} erkennbar?",
)

GERMAN_DENIED: tuple[str, ...] = (
    "Fehlt {}?",
    "Ist {} ausgeschlossen?",
    "Kann man {} ausschließen?",
    "Ist das EKG frei von {}?",
    "Kein Hinweis auf {}?",
    "Ist {} nicht vorhanden?",
)

OWN: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "NORM": (
        (
            "Is this ECG normal?",
            "Would you call this recording normal?",
            "Does this ECG show a normal ecg?",
            "Is the ECG within normal limits?",
            "Is everything normal?",
            "Normal ECG?",
            "Normal?",
            "Is this a healthy ECG?",
            "Is this tracing unremarkable?",
            "Nothing abnormal?",
            "Does the ECG look fine?",
            "Is this ECG free of abnormalities?",
            "Could I report this ECG as normal?",
            "Ist das EKG normal?",
            "Ist dieses EKG unauffällig?",
            "Ist alles in Ordnung?",
        ),
        (
            "Is this ECG abnormal?",
            "Is anything abnormal?",
            "Is there anything wrong with this ECG?",
            "Does this ECG show any abnormality?",
            "Abnormal ECG?",
            "Is the ECG pathological?",
            "Are there pathological findings?",
            "Does anything on this tracing deviate from normal?",
            "Ist das EKG auffällig?",
            "Ist das EKG pathologisch?",
            "Stimmt etwas nicht mit diesem EKG?",
        ),
    ),
    "PACE": (
        ("Is the rhythm paced?", "Does the patient have a working pacemaker?", "Is this a paced ECG?", "Paced?"),
        ("Is the rhythm unpaced?", "Is there no sign of a pacemaker?"),
    ),
    "heart rate > 100": (
        (
            "Is the heart rate high?",
            "Is the heart rate above 100?",
            "Is the heart beating too fast?",
            "Is the pulse fast?",
            "Is the patient tachycardic?",
            "Is the ventricular rate over 100/min?",
            "Does the heart beat quickly?",
            "Schlägt das Herz zu schnell?",
            "Ist der Puls zu hoch?",
        ),
        (
            "Is the heart rate 100 at most?",
            "Is the heart rate not above 100?",
            "Is the pulse not too fast?",
            "Is the patient free of tachycardia?",
        ),
    ),
    "heart rate < 60": (
        (
            "Is the heart rate low?",
            "Is the heart rate below 60?",
            "Is the heart beating too slowly?",
            "Is the pulse slow?",
            "Is the patient bradycardic?",
            "Is the ventricular rate under 60/min?",
            "Schlägt das Herz zu langsam?",
            "Ist der Puls zu niedrig?",
        ),
        (
            "Is the heart rate 60 at least?",
            "Is the heart rate not below 60?",
            "Is the pulse not too slow?",
            "Is the patient free of bradycardia?",
        ),
    ),
    "heart rate 60 to 100": (
        (
            "Is the heart rate normal?",
            "Is the rate between 60 and 100?",
            "Is the pulse in the normal range?",
            "Ist die Herzfrequenz normal?",
        ),
        ("Is the heart rate abnormal?", "Is the rate outside 60 to 100?", "Is the pulse too fast or too slow?"),
    ),
    "irregular rhythm": (
        ("Is the rhythm irregular?", "Is the heartbeat irregular?", "Do the RR intervals vary a lot?"),
        ("Is the rhythm regular?", "Is the heartbeat regular?", "Are the RR intervals all alike?"),
    ),
}
"""Statements that are asked for in words of their own too: (affirmed, denied); a normal ECG in no others."""


@dataclass(frozen=True)
class AskedStatement:
    """A yes/no question about one statement.

    Attributes:
        text: the question.
        denied: whether it asks for the statement's absence, so that "no" means that it holds.
    """

    text: str
    denied: bool


@lru_cache
def statement_names() -> dict[str, dict[str, tuple[str, ...]]]:
    """SCP code, superclass or what was measured → its names: `english`, `short` (abbreviations), `german`."""
    path = files("hf_heartllm").joinpath("training/turns/statement_names.tsv")
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t")
    kinds = ("english", "short", "german")
    return {row["code"]: {kind: tuple(filter(None, (row[kind] or "").split("|"))) for kind in kinds} for row in rows}


def draw_wording(rng: random.Random, code: str, plain_share: float = 0.4) -> AskedStatement:
    """A question about a statement in a wording drawn at random.

    Args:
        rng: of the draw.
        code: SCP code or superclass.
        plain_share: share of the five wordings that evaluations ask.

    Raises:
        KeyError: if the statement has no name.
    """
    names = statement_names()[code]
    first = names["english"][0]
    own = OWN.get(code)
    if rng.random() < plain_share:
        return AskedStatement(rng.choice(OWN["NORM"][0][:2] if code == "NORM" else AFFIRMED[:5]).format(first), False)
    denied = rng.random() < 0.35
    if own is not None and (code == "NORM" or rng.random() < 0.5):
        return AskedStatement(in_some_case(rng, rng.choice(own[denied])), denied)
    if names["german"] and rng.random() < 0.15:
        templates, name = (GERMAN_DENIED if denied else GERMAN_AFFIRMED), rng.choice(names["german"])
    else:
        templates = DENIED if denied else AFFIRMED
        name = rng.choice([*names["english"], *names["short"], first, first])
    return AskedStatement(in_some_case(rng, rng.choice(templates).format(name)), denied)


def in_some_case(rng: random.Random, text: str) -> str:
    """Now and then all capitals, all small, without the question mark, or with blanks around."""
    draw = rng.random()
    if draw < 0.12:
        text = text.upper()
    elif draw < 0.3:
        text = text.lower()
    if rng.random() < 0.12:
        text = text.rstrip("?.")
    return text
