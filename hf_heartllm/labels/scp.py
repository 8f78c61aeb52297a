"""The 71 SCP-ECG statements that PTB-XL uses, with the English phrases of this project.

Codes, categories, superclasses and subclasses are those of PTB-XL's ``scp_statements.csv`` (Wagner et al., PTB-XL, a
large publicly available electrocardiography dataset, Scientific Data 7, 154, 2020; the statements themselves are
defined in EN 1064, SCP-ECG). The phrases are lower case and fit into "Does this ECG show {phrase}?".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Category = Literal["rhythm", "diagnostic", "form"]


@dataclass(frozen=True)
class Statement:
    """One SCP-ECG statement.

    Attributes:
        code: PTB-XL's acronym, such as ``"AFIB"``.
        phrase: English wording, lower case.
        categories: One or two of ``"rhythm"``, ``"diagnostic"``, ``"form"``; four statements are diagnostic and form.
        superclass: ``"NORM"``, ``"MI"``, ``"STTC"``, ``"CD"`` or ``"HYP"`` for diagnostic statements, else ``None``.
        subclass: PTB-XL's diagnostic subclass, else ``None``.
    """

    code: str
    phrase: str
    categories: tuple[Category, ...]
    superclass: str | None = None
    subclass: str | None = None


def _rhythm(code: str, phrase: str) -> Statement:
    return Statement(code, phrase, ("rhythm",))


def _form(code: str, phrase: str) -> Statement:
    return Statement(code, phrase, ("form",))


def _diagnostic(code: str, phrase: str, superclass: str, subclass: str | None = None, form: bool = False) -> Statement:
    categories: tuple[Category, ...] = ("diagnostic", "form") if form else ("diagnostic",)
    return Statement(code, phrase, categories, superclass, subclass or code)


# The order is the order of reports and list answers: rhythm, diagnoses (normal, infarction, injury, ischemia and other
# ST-T changes, conduction, hypertrophy), form.
_ALL: tuple[Statement, ...] = (
    _rhythm("SR", "sinus rhythm"),
    _rhythm("AFIB", "atrial fibrillation"),
    _rhythm("AFLT", "atrial flutter"),
    _rhythm("STACH", "sinus tachycardia"),
    _rhythm("SBRAD", "sinus bradycardia"),
    _rhythm("SARRH", "sinus arrhythmia"),
    _rhythm("SVARR", "supraventricular arrhythmia"),
    _rhythm("SVTAC", "supraventricular tachycardia"),
    _rhythm("PSVT", "paroxysmal supraventricular tachycardia"),
    _rhythm("PACE", "artificial pacemaker rhythm"),
    _rhythm("BIGU", "bigeminy"),
    _rhythm("TRIGU", "trigeminy"),
    _diagnostic("NORM", "normal ecg", "NORM"),
    _diagnostic("AMI", "anterior myocardial infarction", "MI"),
    _diagnostic("ASMI", "anteroseptal myocardial infarction", "MI", "AMI"),
    _diagnostic("ALMI", "anterolateral myocardial infarction", "MI", "AMI"),
    _diagnostic("IMI", "inferior myocardial infarction", "MI"),
    _diagnostic("ILMI", "inferolateral myocardial infarction", "MI", "IMI"),
    _diagnostic("IPMI", "inferoposterior myocardial infarction", "MI", "IMI"),
    _diagnostic("IPLMI", "inferoposterolateral myocardial infarction", "MI", "IMI"),
    _diagnostic("LMI", "lateral myocardial infarction", "MI"),
    _diagnostic("PMI", "posterior myocardial infarction", "MI"),
    _diagnostic("INJAS", "anteroseptal subendocardial injury", "MI", "AMI"),
    _diagnostic("INJAL", "anterolateral subendocardial injury", "MI", "AMI"),
    _diagnostic("INJLA", "lateral subendocardial injury", "MI", "AMI"),
    _diagnostic("INJIN", "inferior subendocardial injury", "MI", "IMI"),
    _diagnostic("INJIL", "inferolateral subendocardial injury", "MI", "IMI"),
    _diagnostic("ISC_", "non-specific ischemic st-t changes", "STTC"),
    _diagnostic("ISCAN", "anterior ischemia", "STTC", "ISCA"),
    _diagnostic("ISCAS", "anteroseptal ischemia", "STTC", "ISCA"),
    _diagnostic("ISCAL", "anterolateral ischemia", "STTC", "ISCA"),
    _diagnostic("ISCLA", "lateral ischemia", "STTC", "ISCA"),
    _diagnostic("ISCIN", "inferior ischemia", "STTC", "ISCI"),
    _diagnostic("ISCIL", "inferolateral ischemia", "STTC", "ISCI"),
    _diagnostic("NST_", "non-specific st changes", "STTC", form=True),
    _diagnostic("NDT", "non-diagnostic t wave abnormalities", "STTC", "STTC", form=True),
    _diagnostic("DIG", "digitalis effect", "STTC", "STTC", form=True),
    _diagnostic("LNGQT", "long qt interval", "STTC", "STTC", form=True),
    _diagnostic("EL", "st-t changes of electrolyte disturbance or drugs", "STTC", "STTC"),
    _diagnostic("ANEUR", "st-t changes of ventricular aneurysm", "STTC", "STTC"),
    _diagnostic("CLBBB", "complete left bundle branch block", "CD"),
    _diagnostic("ILBBB", "incomplete left bundle branch block", "CD"),
    _diagnostic("CRBBB", "complete right bundle branch block", "CD"),
    _diagnostic("IRBBB", "incomplete right bundle branch block", "CD"),
    _diagnostic("LAFB", "left anterior fascicular block", "CD", "LAFB/LPFB"),
    _diagnostic("LPFB", "left posterior fascicular block", "CD", "LAFB/LPFB"),
    _diagnostic("IVCD", "non-specific intraventricular conduction disturbance", "CD"),
    _diagnostic("1AVB", "first degree av block", "CD", "_AVB"),
    _diagnostic("2AVB", "second degree av block", "CD", "_AVB"),
    _diagnostic("3AVB", "third degree av block", "CD", "_AVB"),
    _diagnostic("WPW", "wolff-parkinson-white syndrome", "CD"),
    _diagnostic("LVH", "left ventricular hypertrophy", "HYP"),
    _diagnostic("RVH", "right ventricular hypertrophy", "HYP"),
    _diagnostic("SEHYP", "septal hypertrophy", "HYP"),
    _diagnostic("LAO/LAE", "left atrial enlargement", "HYP"),
    _diagnostic("RAO/RAE", "right atrial enlargement", "HYP"),
    _form("PVC", "ventricular premature complexes"),
    _form("PAC", "atrial premature complexes"),
    _form("PRC(S)", "premature complexes of unknown origin"),
    _form("LPR", "prolonged pr interval"),
    _form("ABQRS", "abnormal qrs complexes"),
    _form("QWAVE", "pathological q waves"),
    _form("LVOLT", "low qrs voltage"),
    _form("HVOLT", "high qrs voltage"),
    _form("VCLVH", "voltage criteria for left ventricular hypertrophy"),
    _form("STE_", "non-specific st elevation"),
    _form("STD_", "non-specific st depression"),
    _form("INVT", "inverted t waves"),
    _form("LOWT", "low amplitude t waves"),
    _form("TAB_", "t wave abnormality"),
    _form("NT_", "non-specific t wave changes"),
)

STATEMENTS: dict[str, Statement] = {statement.code: statement for statement in _ALL}
"""All statements by code, in the order of reports."""

RHYTHMS: tuple[str, ...] = tuple(code for code, s in STATEMENTS.items() if "rhythm" in s.categories)
DIAGNOSES: tuple[str, ...] = tuple(code for code, s in STATEMENTS.items() if "diagnostic" in s.categories)
FORMS: tuple[str, ...] = tuple(code for code, s in STATEMENTS.items() if "form" in s.categories)

SUPERCLASSES: dict[str, str] = {
    "NORM": "normal ecg",
    "MI": "myocardial infarction",
    "STTC": "st/t change",
    "CD": "conduction disturbance",
    "HYP": "hypertrophy",
}
"""Phrase of every diagnostic superclass, in PTB-XL's order."""


def statement(code: str) -> Statement:
    """The statement of a code.

    Raises:
        KeyError: If the code is none of the 71, with the code in the message.
    """
    try:
        return STATEMENTS[code]
    except KeyError:
        raise KeyError(f"{code!r} is no SCP-ECG statement of PTB-XL (for example 'AFIB', 'NORM', 'IMI')") from None


def phrase(code: str) -> str:
    """The English phrase of a code, lower case. Raises ``KeyError`` for an unknown code."""
    return statement(code).phrase


def superclasses(codes: Iterable[str]) -> tuple[str, ...]:
    """The diagnostic superclasses that the stated codes belong to, in the order of ``SUPERCLASSES``.

    Raises:
        KeyError: If a code is unknown.
    """
    found = {statement(code).superclass for code in codes}
    return tuple(name for name in SUPERCLASSES if name in found)


def in_report_order(codes: Iterable[str]) -> tuple[str, ...]:
    """The codes without repetition, rhythm, then diagnoses, then form. Raises ``KeyError`` for an unknown code."""
    stated = {statement(code).code for code in codes}
    return tuple(code for code in STATEMENTS if code in stated)
