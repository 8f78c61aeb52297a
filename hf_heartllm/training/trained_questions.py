"""What a training run teaches to answer: its rows of questions → `questions.json`, templates and terms only.

    write_trained_questions(folder_of_the_model, rows)

A wording that fewer than two records were asked in is left out, so that no text about one patient gets into the file.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hf_heartllm.labels.scp import STATEMENTS, SUPERCLASSES
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.question_understanding import QUESTIONS_FILE, TrainedQuestions
from hf_heartllm.models.trained_wordings import FIRST, SECOND, TERM, TrainedGroup
from hf_heartllm.models.whole_files import write_whole
from hf_heartllm.training.examples import REPORT_REQUESTS

AT_LEAST = 2  # records that a wording must have been asked about
_BY_CHANCE = 10  # questions expected of a term in a wording, below which their absence says nothing
_KINDS = ("verify", "choose", "query", "report")
_IN_LEAD = re.compile(rf"\blead ({'|'.join(STANDARD_LEADS)})\b")

# The wordings that evaluations ask; questions in other words are put to the model in these where it knows them.
PREFERRED = (
    f"Does this ECG show {TERM}?",
    f"Which rhythm does this ECG show, {FIRST} or {SECOND}?",
    f"Which finding does this ECG show, {FIRST} or {SECOND}?",
    f"Which diagnosis does this ECG suggest, {FIRST} or {SECOND}?",
    f"Which class of diagnosis does this ECG suggest, {FIRST} or {SECOND}?",
    "What rhythm does this ECG show?",
    "Which findings of form does this ECG show?",
    "Which diagnoses does this ECG suggest?",
    "Which diagnostic superclasses does this ECG belong to?",
    "What is the heart rate?",
    "How regular is the rhythm?",
    "How many beats does this recording hold?",
    REPORT_REQUESTS[0],
)


@dataclass
class _Asked:
    """The questions of one kind: how often each term stood in each wording, and their answer sets."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    terms: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    answers: dict[str, set[tuple[str, ...]]] = field(default_factory=lambda: defaultdict(set))


def trained_questions(
    rows: Iterable[Mapping[str, Any]], *, at_least: int = AT_LEAST, report_requests: Sequence[str] = REPORT_REQUESTS
) -> TrainedQuestions:
    """The wordings and terms of all questions in training rows.

    Args:
        rows: of `token_file.load_rows`: dictionaries with `questions` (`Question`s) and, where there is one, `report`.
            A row that stands there several times, as `repeat_rows` gives it, counts once.
        at_least: records that a wording must have been asked about.
        report_requests: what asks for a report, where a row has one.

    Raises:
        ValueError: if the rows hold no question that `at_least` records were asked, and no report.
    """
    times: Counter[tuple[str, str, str, str, tuple[str, ...]]] = Counter()
    reports = False
    different = {id(row): row for row in rows}  # rows of rare statements may stand there several times
    for row in different.values():
        reports = reports or bool(row.get("report"))
        for one in row["questions"] or ():
            times[one.text, one.question_type, one.attribute_type, one.attribute, one.answer_set] += 1
    kinds: dict[tuple[str, str, str], _Asked] = defaultdict(_Asked)
    for (text, *kind, attribute, answers), number in times.items():
        _count(text, kind, attribute, answers, number, kinds)
    groups = [group for key in sorted(kinds, key=_order) for group in _groups(key, kinds[key], at_least)]
    if reports:
        groups.append(TrainedGroup("report", "report", None, tuple(report_requests), {"report": "report"}))
    if not groups:
        raise ValueError(f"the rows hold no question that {at_least} records were asked")
    return TrainedQuestions(tuple(groups))


def write_trained_questions(
    folder: str | os.PathLike[str], rows: Iterable[Mapping[str, Any]], *, others_as_written: bool = False
) -> Path | None:
    """Write `questions.json` of some rows into a checkpoint's folder.

    Where there is nothing to write, this is said, and questions reach the model as they are asked.

    Args:
        folder: the checkpoint's.
        rows: as of `trained_questions`.
        others_as_written: whether the model was trained on other questions too, and is to be asked them as they are.

    Returns:
        The file's path; None without one.
    """
    path = Path(folder) / QUESTIONS_FILE
    try:
        document = replace(trained_questions(rows), others_as_written=others_as_written).document()
    except ValueError as error:
        print(f"no {QUESTIONS_FILE}: {error}, so every question reaches the model as it is asked", flush=True)
        return None
    write_whole(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return path


def _count(
    text: str,
    kind: Sequence[str],
    attribute: str,
    answers: tuple[str, ...],
    number: int,
    kinds: dict[tuple[str, str, str], _Asked],
) -> None:
    """Count a question in its kind: question type, attribute type, and the lead that the wording alone names."""
    question_type, attribute_type = kind
    named = _IN_LEAD.search(text)
    lead = named[1] if named and named[0] not in attribute else ""
    asked = kinds[question_type, attribute_type, lead]
    names = tuple(attribute.split("|")) if question_type == "choose" else (attribute,)
    slots = (FIRST, SECOND) if len(names) == 2 else (TERM,)
    terms = [_term(attribute_type, name) for name in names]
    wording = _with_slots(text, slots, terms) if question_type in ("verify", "choose") else None
    if wording is None:  # it does not name what it asks for, or has no place for other names
        wording, names, slots, terms = text, (attribute,), (TERM,), [_term(attribute_type, attribute)]
    slot_of = dict(zip(terms, slots))
    asked.answers[wording].add(tuple(slot_of.get(answer, answer) for answer in answers))
    for name, term in zip(names, terms):
        asked.counts[wording][f"{name} in lead {lead}" if lead else name] += number
        asked.terms[wording][f"{name} in lead {lead}" if lead else name] = term


def _term(attribute_type: str, attribute: str) -> str:
    """What questions call an attribute."""
    if attribute_type == "superclass" and attribute in SUPERCLASSES:
        return SUPERCLASSES[attribute]
    known = attribute_type in ("rhythm", "form", "diagnosis") and attribute in STATEMENTS
    return STATEMENTS[attribute].phrase if known else attribute


def _with_slots(text: str, slots: Sequence[str], terms: Sequence[str]) -> str | None:
    """A question with slots where its terms stand, one after the other; None where they do not stand there."""
    pattern = "(.+?)".join(rf"(?<!\w){re.escape(term)}(?!\w)" for term in terms)
    found = re.search(pattern, text)
    if found is None or any(slot in text for slot in slots):
        return None
    middle = found[1] if len(terms) > 1 else ""
    return text[: found.start()] + middle.join(slots) + text[found.end() :]


def _order(key: tuple[str, str, str]) -> tuple[int, str, str]:
    kind, attribute_type, lead = key
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS), attribute_type, lead


def _groups(key: tuple[str, str, str], asked: _Asked, at_least: int) -> list[TrainedGroup]:
    """The wordings of one kind, those of the same terms and answers together; the most terms first."""
    slotted = {wording for wording in asked.counts if "{" in wording}
    of_slots: Counter[str] = Counter()
    every: dict[str, str] = {}
    for wording in slotted:
        of_slots.update(asked.counts[wording])
        every |= asked.terms[wording]
    grouped: dict[tuple[tuple[str, ...] | None, tuple[tuple[str, str], ...]], list[str]] = defaultdict(list)
    for wording, counts in asked.counts.items():
        if counts.total() < at_least:
            continue
        terms = dict(asked.terms[wording])
        if wording in slotted:
            share = counts.total() / of_slots.total()
            terms = {name: every[name] for name in every if name in terms or of_slots[name] * share < _BY_CHANCE}
        answers = asked.answers[wording]
        closed = next(iter(answers)) if len(answers) == 1 else ()
        names = [terms] if wording in slotted else [{name: term} for name, term in terms.items()]
        for own in names:
            grouped[closed or None, tuple(sorted(own.items()))].append(wording)
    ordered = sorted(grouped.items(), key=lambda item: (-len(item[0][1]), min(map(_rank, item[1])), item[0][1]))
    return [
        TrainedGroup(key[0], key[1], answers, tuple(sorted(wordings, key=_rank)), dict(terms))
        for (answers, terms), wordings in ordered
    ]


def _rank(wording: str) -> tuple[int, int, str]:
    """Preferred wordings first, then short ones."""
    return PREFERRED.index(wording) if wording in PREFERRED else len(PREFERRED), len(wording), wording
