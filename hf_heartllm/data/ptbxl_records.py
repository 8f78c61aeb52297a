"""PTB-XL's records: its statements with their likelihoods, and its notes in German and English.

The notes on noise, extra beats, infarction stage and heart axis are free text with a small vocabulary (Wagner et al.,
Scientific Data 7, 154, 2020): ``" , I-V1,  "`` names the leads I to V1 in their usual order, ``"alles"`` all of them,
``"2ES"`` two extra systoles, ``"Stadium II-III"`` a stage between two. Leads were compared with ECG-QA's answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..labels.english_reports import UNDETERMINED, report_language
from ..labels.ptbxl import SEX
from ..labels.record_ids import whole_number
from ..models.ecg_leads import STANDARD_LEADS
from .label_names import ANY_NOISE, AXES, EXTRA_SYSTOLES, NOISES, STAGES, in_lead, statement_labels
from .record import Record, Report

if TYPE_CHECKING:
    import pandas as pd

NOISE_COLUMNS = dict(zip(("baseline_drift", "static_noise", "burst_noise", "electrodes_problems"), NOISES, strict=True))

# Horizontal and vertical axes (AXL, AXR) and the S1-S2-S3 type (SAG) are none of the four and are not asked for.
# ARAD reads "ueberdrehter rechtstyp", a right axis beyond 120 degrees, which still is a deviation to the right.
_AXIS = {"MID": AXES[0], "LAD": AXES[1], "ALAD": AXES[1], "RAD": AXES[2], "ARAD": AXES[2]}
_STAGE = {"Stadium I": 0, "Stadium II": 1, "Stadium III": 2}
_LEAD_NUMBERS = {name.casefold(): number for number, name in enumerate(STANDARD_LEADS)}
_LEAD = r"(?:avr|avl|avf|v[1-6]|iii|ii|i)"
_SPAN = re.compile(rf"\b({_LEAD})\s*(?:-\s*({_LEAD}|[1-6]))?(?![a-z0-9])", re.IGNORECASE)
_MORE_CHEST = re.compile(r"(\bv[1-6](?:\s*-\s*[1-6])?)\s*[,;]\s*([1-6])(?![0-9])", re.IGNORECASE)
_ALL_LEADS = re.compile(r"\balle?s?\b", re.IGNORECASE)
_STRENGTH = re.compile(r"noisy recording|noise|leicht|mittel|starke?", re.IGNORECASE)
_EXTRA_SYSTOLE = re.compile(r"SVES|VES|ES", re.IGNORECASE)
_BEAT_CODES = {"PVC": EXTRA_SYSTOLES[2], "PAC": EXTRA_SYSTOLES[1]}
_ANY_BEAT_CODES = frozenset({"PVC", "PAC", "PRC(S)", "BIGU", "TRIGU"})


def noted_leads(note: str) -> tuple[frozenset[str], bool]:
    """The leads that a note names, and whether it was understood to the end.

    ``" , I-AVR,  "`` gives I, II, III, aVR and True; ``"stark"`` (strong) and ``"I-V!,V5"`` leave leads open.
    """
    if _ALL_LEADS.search(note):
        return frozenset(STANDARD_LEADS), True
    text = note
    while (longer := _MORE_CHEST.sub(r"\1, V\2", text)) != text:  # "V4,5,6" for "V4, V5, V6"
        text = longer
    found: set[str] = set()
    for first, last in _SPAN.findall(text):
        start = _LEAD_NUMBERS[first.casefold()]
        end = _LEAD_NUMBERS[(f"v{last}" if last.isdigit() else last or first).casefold()]
        found.update(STANDARD_LEADS[min(start, end) : max(start, end) + 1])
    rest = _STRENGTH.sub("", _SPAN.sub("", text))
    return frozenset(found), bool(found) and not re.search(r"[A-Za-z0-9!-]", rest)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _noise(row: Mapping[Any, Any]) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Kinds of noise, kinds by lead, and kinds by lead that a note leaves open."""
    kinds, leads, unknown = set(), set(), set()
    for column, noise in NOISE_COLUMNS.items():
        note = _text(row.get(column))
        if note is None:
            continue
        kinds.add(noise)
        named, complete = noted_leads(note)
        leads |= {in_lead(name, lead) for lead in named for name in (noise, ANY_NOISE)}
        if not complete:
            unknown |= {in_lead(name, lead) for lead in STANDARD_LEADS for name in (noise, ANY_NOISE)}
    return frozenset(kinds), frozenset(leads), frozenset(unknown - leads)


def _extra_systoles(row: Mapping[Any, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """Kinds of extra beats that the note names, and those that the note or the statements leave open."""
    note = _text(row.get("extra_beats"))
    kinds: set[str] = set()
    for name in _EXTRA_SYSTOLE.findall(note or ""):
        kinds |= {EXTRA_SYSTOLES[0], {"sves": EXTRA_SYSTOLES[1], "ves": EXTRA_SYSTOLES[2]}.get(name.casefold(), "")}
    kinds.discard("")
    codes = row["scp_codes"]
    unknown = {name for code, name in _BEAT_CODES.items() if code in codes}
    if note is not None and not kinds:  # "1,alles": one beat in all leads, of what kind is not said
        kinds.add(EXTRA_SYSTOLES[0])
    if kinds == {EXTRA_SYSTOLES[0]}:
        unknown |= set(EXTRA_SYSTOLES[1:])
    if not _ANY_BEAT_CODES.isdisjoint(codes):
        unknown |= set(EXTRA_SYSTOLES)
    return frozenset(kinds), frozenset(unknown - kinds)


def _stages(row: Mapping[Any, Any]) -> tuple[frozenset[str] | None, frozenset[str]]:
    """Stages of infarction, and those of them that are one of two; None where nothing is known."""
    notes = [note for note in (_text(row.get(f"infarction_stadium{i}")) for i in (1, 2)) if note is not None]
    if not notes:
        infarction = "MI" in (statement_labels(row["scp_codes"])["superclass"] or ())
        return (None if infarction else frozenset()), frozenset()
    stages, uncertain = set(), set()
    for note in notes:
        first, dash, last = note.partition("-")
        if note in _STAGE:
            stages.add(STAGES[_STAGE[note]])
        elif dash and first in _STAGE and f"Stadium {last}" in _STAGE:
            between = {STAGES[_STAGE[first]], STAGES[_STAGE[f"Stadium {last}"]]}
            stages |= between
            uncertain |= between
        else:
            stages.add(STAGES[3])
    return frozenset(stages), frozenset(uncertain)


def record_of(row: Mapping[Any, Any], split: str, rate: int = 500, root: Path | None = None) -> Record:
    """The record of a row of ``read_ptbxl_table``.

    A statement with a likelihood above 0 and below 100 is uncertain; 0.0 is PTB-XL's value for "unknown", and such a
    statement counts as stated, as in ECG-QA. The notes of rows that were put together without them
    (``ptbxl_row_source.csv``) are unknown, not absent.

    Args:
        row: A row of the table.
        split: The part that the record belongs to.
        rate: 100 or 500, of the record's path.
        root: PTB-XL's folder, from which the record is then read.
    """
    codes: Mapping[str, float] = row["scp_codes"]
    labels: dict[str, frozenset[str] | None] = {**statement_labels(codes)}
    doubtful = frozenset(code for code, likelihood in codes.items() if 0 < likelihood < 100)
    possible: dict[str, frozenset[str]] = {
        kind: doubtful & (labels[kind] or frozenset()) for kind in ("rhythm", "form", "diagnosis")
    }
    sure = statement_labels([code for code in codes if code not in doubtful])["superclass"] or frozenset()
    possible["superclass"] = (labels["superclass"] or frozenset()) - sure
    unknown: dict[str, frozenset[str]] = {}
    if row.get("row") != "reconstructed":
        axis = _AXIS.get(_text(row.get("heart_axis")) or "")
        labels["heart_axis"] = None if axis is None else frozenset({axis})
        labels["noise"], labels["noise_in_lead"], unknown["noise_in_lead"] = _noise(row)
        labels["extra_systole"], unknown["extra_systole"] = _extra_systoles(row)
        labels["stage_of_infarction"], possible["stage_of_infarction"] = _stages(row)
    sex, patient, fold = (whole_number(row.get(name)) for name in ("sex", "patient_id", "strat_fold"))
    report, language = _text(row.get("report")), None
    if report is not None and (found := report_language(report)) != UNDETERMINED:
        language = found
    return Record(
        record_id=str(int(row["ecg_id"])),
        patient_id=None if patient is None else str(patient),
        split=split,
        labels=labels,
        possible=possible,
        unknown=unknown,
        reports=() if report is None else (Report(report.strip(), language),),
        path=_text(row["filename_lr" if rate == 100 else "filename_hr"]),
        root=root,
        fold=fold,
        age=_number(row.get("age")),
        sex=None if sex is None else SEX.get(sex),
        height=_number(row.get("height")),
        weight=_number(row.get("weight")),
        device=_text(row.get("device")),
        time=_text(row.get("recording_date")),
        complete=True,
    )


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def records_of(
    table: pd.DataFrame, splits: Mapping[int, str], rate: int = 500, root: Path | None = None
) -> Iterator[Record]:
    """The labelled records of a table, in its order.

    Args:
        table: From ``read_ptbxl_table``.
        splits: The part of each fold; records of other folds, or of none, are left out.
        rate: 100 or 500, of the records' paths.
        root: PTB-XL's folder, from which the records are then read.
    """
    for row in table.to_dict("records"):
        fold = whole_number(row["strat_fold"])
        if fold is not None and fold in splits:
            yield record_of(row, splits[fold], rate, root)
