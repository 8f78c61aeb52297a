"""What a dialogue is about: a recording's statements, what was measured, what of it needs care now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hf_heartllm.ecg.findings import Findings
from hf_heartllm.labels.scp import STATEMENTS, in_report_order
from hf_heartllm.labels.stated_findings import stated_findings

FLAGGED_CODES = ("3AVB", "SVTAC", "PSVT", "STE_", "INJAS", "INJAL", "INJLA", "INJIN", "INJIL")
"""SCP statements after which the assistant sends to get help now. Infarctions are none: PTB-XL's are mostly old."""

FLAGGED_NAMES = ("ventricular tachycardia", "ventricular fibrillation", "ventricular flutter", "asystole")
"""The same, in names of collections with terms of their own."""

VERY_SLOW, VERY_FAST = 40.0, 150.0  # beats a minute
VERY_LONG_QTC = 500.0  # ms; ESC 2022 calls the risk high from there


@dataclass(frozen=True)
class Case:
    """What is known of a recording.

    Attributes:
        record_id: of the recording; draws depend on it.
        codes: SCP statements in the order of reports, then other names that its collection uses.
        measured: sentences on the whole recording, of what lies outside its usual range.
        by_lead: lead → the same of the lead.
        flags: what of all this needs care now, in words.
        age: in years, or None.
        sex: `male`, `female` or None.
    """

    record_id: str
    codes: tuple[str, ...]
    measured: tuple[str, ...] = ()
    by_lead: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    age: float | None = None
    sex: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The statements in words."""
        return tuple(in_words(code) for code in self.codes)


def in_words(code: str) -> str:
    """A statement in a doctor's words: our phrase of an SCP code, any other name as it stands."""
    return STATEMENTS[code].phrase.replace("ecg", "ECG") if code in STATEMENTS else code


def case_of(
    record_id: str,
    codes: Iterable[str],
    findings: Findings | None = None,
    age: float | None = None,
    sex: str | None = None,
) -> Case | None:
    """The case of a recording; None where it has no statement, since then there is nothing to say of it.

    A measured sentence that reads as a statement which the recording does not have is left out ("Q wave …" of a
    recording without such a label), so that what is said of a recording never goes beyond its labels, but for flags.

    Args:
        record_id: of the recording.
        codes: its statements.
        findings: of `hf_heartllm.ecg.findings.find`; None: not measured.
        age: in years.
        sex: `male`, `female` or None.
    """
    stated = set(codes)
    known = in_report_order(code for code in stated if code in STATEMENTS)
    every = (*known, *sorted(stated - set(known)))
    if not every:
        return None
    found = findings or Findings()

    def sayable(sentence: str) -> bool:
        return stated_findings(sentence).codes <= stated

    measured = tuple(one.sentence for one in found.findings if one.lead is None and sayable(one.sentence))
    by_lead = {lead: text for lead, text in found.by_lead.items() if text and sayable(text)}
    flags = (*(in_words(code) for code in every if _is_flagged(code)), *_measured_flags(found))
    return Case(record_id, every, measured, by_lead, flags, age, sex)


def _is_flagged(code: str) -> bool:
    return code in FLAGGED_CODES or any(name in code.lower() for name in FLAGGED_NAMES)


def _measured_flags(found: Findings) -> list[str]:
    """Those of the measurements. A doubtful one is none: it would send many who are well."""
    sure = [one for one in found.findings if not one.doubtful]
    value = {one.name: one.value for one in sure if one.lead is None}
    flags = []
    if value.get("heart_rate_low", VERY_SLOW) < VERY_SLOW:
        flags.append(f"a very slow heart rate of {value['heart_rate_low']:g} /min")
    if value.get("heart_rate_high", VERY_FAST) > VERY_FAST:
        flags.append(f"a very fast heart rate of {value['heart_rate_high']:g} /min")
    if value.get("qtc_long", 0) >= VERY_LONG_QTC:
        flags.append(f"a QTc of {value['qtc_long']:g} ms")
    if leads := [one.lead for one in sure if one.name == "st_elevation" and one.lead]:
        flags.append(f"raised ST segments in {listed(leads)}")
    return flags


def listed(words: Iterable[str]) -> str:
    """Words as a list of English.

    >>> listed(["II", "III", "aVF"])
    'II, III and aVF'
    """
    *before, last = words
    return f"{', '.join(before)} and {last}" if before else last
