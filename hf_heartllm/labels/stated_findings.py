"""Which SCP statements an English report makes, and which it denies.

Wordings of this project's reports (`english_reports`), of ECG-QA's answers and of ECG devices. They were written and
tried on PTB-XL's folds 1 to 7. Negation follows the idea of NegEx (Chapman et al., J Biomed Inform 34, 301-310, 2001):
a phrase before or behind the finding, within its clause. Hedged findings ("possible", "cannot be excluded") count as
stated, as PTB-XL labels them too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from .scp import STATEMENTS

_INFARCTION = r"(?:infarct\w*|mi\b)"
_OF_REGION = r"(?: wall)?(?: myocardial)?(?: subendocardial)? "
_IN_REGION = r"(?: \w+){0,2} in (?:the )?"
_BLOCK = r"(?:bundle[- ]branch[- ]block|bbb\b)"
_PREMATURE = r"(?:premature (?:complex\w*|beats?|contraction\w*|systoles?)|extra ?systol\w*(?:\(s\))?|ectopic\w*)"
_FLAT = r"(?:flat\w*|low[- ]amplitude)"
_WAVES = r"(?:[- ]?waves?)?"
_LVH = r"(?:left ventricular hypertrophy|lvh\b)"


def _regional(region: str, what: str, noun: str | None = None) -> str:
    """Wordings such as "inferior wall myocardial infarction" and "myocardial infarction in (the) inferior leads"."""
    return rf"\b{region}{_OF_REGION}{what}|\b{noun or what}{_IN_REGION}{region}\b"


_REGIONS = {
    "inferoposterolateral": r"infero-?postero-?lateral",
    "inferoposterior": r"infero-?posterior",
    "inferolateral": r"infero-?lateral",
    "anterolateral": r"antero-?lateral",
    "anteroseptal": r"(?:antero-?septal|septal)",
    "inferior": r"inferior",
    "anterior": r"anterior",
    "posterior": r"posterior",
    "lateral": r"(?:high )?lateral",
}
_INFARCTS = {
    "inferoposterolateral": "IPLMI",
    "inferoposterior": "IPMI",
    "inferolateral": "ILMI",
    "anterolateral": "ALMI",
    "anteroseptal": "ASMI",
    "inferior": "IMI",
    "anterior": "AMI",
    "posterior": "PMI",
    "lateral": "LMI",
}
_ISCHEMIAS = {
    "inferolateral": "ISCIL",
    "anterolateral": "ISCAL",
    "anteroseptal": "ISCAS",
    "inferior": "ISCIN",
    "anterior": "ISCAN",
    "lateral": "ISCLA",
}
_INJURIES = {
    "inferolateral": "INJIL",
    "anterolateral": "INJAL",
    "anteroseptal": "INJAS",
    "inferior": "INJIN",
    "lateral": "INJLA",
}

# In this order; what a wording has matched is taken away, so the special ones come before the general ones.
_WORDINGS: tuple[tuple[str, str], ...] = (
    (
        "VCLVH",
        rf"(?:voltage|amplitude) criteria (?:\(qrs\) )?(?:for|of) {_LVH}|voltages? [^,]{{0,40}}suggest\w* {_LVH}",
    ),
    *((code, _regional(_REGIONS[r], r"injury", "subendocardial injury")) for r, code in _INJURIES.items()),
    *((code, _regional(_REGIONS[r], _INFARCTION)) for r, code in _INFARCTS.items()),
    *((code, _regional(_REGIONS[r], r"isch(?:a)?emi\w*")) for r, code in _ISCHEMIAS.items()),
    ("PSVT", r"paroxysmal supraventricular tachycardia"),
    ("SVTAC", r"supraventricular tachycardia"),
    ("SVARR", r"supraventricular arrhythmia"),
    ("STACH", r"sinus tachycardia"),
    ("SBRAD", r"sinus bradycardia"),
    ("SARRH", r"sinus arr?h?yth?mia"),
    ("AFIB", r"atrial fibrillation(?: ?/ ?flutter)?"),
    ("AFLT", r"atrial flutter"),
    ("PACE", r"pace-?maker(?: rhythm| spikes?)?|(?:ventricular|atrial) pac(?:ed|ing)|paced rhythm"),
    ("SR", r"sinus rhythm"),
    ("TRIGU", r"trigemin\w+"),
    ("BIGU", r"bigemin\w+"),
    ("NORM", r"\bnormal(?:ly)? e[ck]g|\be[ck]g (?:is )?(?:probably )?normal|e[ck]g within normal limits"),
    ("ILBBB", rf"incomplete left {_BLOCK}|\bilbbb\b"),
    ("IRBBB", rf"incomplete right {_BLOCK}|\birbbb\b"),
    ("CLBBB", rf"(?:complete )?left {_BLOCK}|\bc?lbbb\b"),
    ("CRBBB", rf"(?:complete )?right {_BLOCK}|\bc?rbbb\b"),
    ("LAFB", r"left anterior (?:fascicular |hemi-?)block|\blafb\b|\blahb\b"),
    ("LPFB", r"left posterior (?:fascicular |hemi-?)block|\blpfb\b"),
    ("IVCD", r"intraventricular (?:conduction (?:disturbance|defect|delay|disorder|block)|block|delay)"),
    ("1AVB", r"(?:first|1st)[- ]degree (?:av|a-v|atrioventricular)[- ]block"),
    ("2AVB", r"(?:second|2nd)[- ]degree (?:av|a-v|atrioventricular)[- ]block"),
    ("3AVB", r"(?:third|3rd)[- ]degree (?:av|a-v|atrioventricular)[- ]block|complete (?:av|heart)[- ]block"),
    ("WPW", r"wolff?[- ]parkinson[- ]white|\bwpw\b|pre-?excitation"),
    ("LVH", r"left ventricular hypertrophy|\blvh\b"),
    ("RVH", r"right ventricular hypertrophy|\brvh\b"),
    ("SEHYP", r"septal hypertrophy"),
    ("LAO/LAE", r"left atrial (?:enlargement|overload|hypertrophy)"),
    ("RAO/RAE", r"right atrial (?:enlargement|overload|hypertrophy)"),
    ("ISC_", r"non-?specific isch(?:a)?emi\w*(?: st[-/]t changes?)?|(?:myocardial )?isch(?:a)?emia"),
    ("DIG", r"digitalis"),
    ("LNGQT", r"(?:long|prolonged) qtc?(?:[- ]interval)?|qtc?[- ](?:interval )?prolong\w*"),
    ("EL", r"electrolyte|hypo-?kal(?:a)?emia|hyper-?kal(?:a)?emia"),
    ("ANEUR", r"aneurysm"),
    ("NDT", r"non-?diagnostic t(?:[- ]wave)? (?:abnormalit\w+|changes?)"),
    ("NT_", r"non-?specific t(?:[- ]wave) changes?"),
    ("TAB_", r"\bt[- ]wave abnormalit\w+"),
    ("STE_", r"(?:non-?specific )?st[- ](?:segment )?elevation|st segments? (?:is|are) (?:[a-z]+ )?elevated"),
    ("STD_", r"(?:non-?specific )?st[- ](?:segment )?depression|st segments? (?:is|are) (?:[a-z]+ )?depressed"),
    ("NST_", r"non-?specific (?:\w+ )?st(?:[- ]segment)?(?:[-/ ]t)?(?: wave)? (?:changes?|abnormalit\w+)"),
    ("INVT", rf"inverted t{_WAVES}|t{_WAVES} inversions?|t waves? (?:is|are) (?:[a-z]+ )?inverted"),
    ("LOWT", rf"{_FLAT} t{_WAVES}|t{_WAVES} flattening|t waves? (?:is|are) (?:[a-z]+ )?(?:low|{_FLAT})"),
    ("PVC", rf"(?<!supra)\bventricular {_PREMATURE}|premature ventricular \w+(?:\(s\))?|\bpvcs?\b|\bves\b"),
    ("PAC", rf"(?:atrial|supraventricular) {_PREMATURE}|premature (?:atrial|supraventricular) \w+(?:\(s\))?|\bpacs?\b"),
    ("PRC(S)", rf"{_PREMATURE}"),
    ("LPR", r"(?:prolonged|long) pr(?:[- ]interval)?|pr[- ](?:interval )?prolong\w*"),
    ("ABQRS", r"abnormal qrs"),
    ("QWAVE", r"(?:pathological |abnormal )?\bq[- ]waves?"),
    ("LVOLT", r"low (?:qrs |limb lead )?(?:voltages?|amplitudes?)"),
    ("HVOLT", r"high (?:qrs )?(?:voltages?|amplitudes?)"),
)

GROUPS: dict[str, tuple[str, ...]] = {
    "atrial fibrillation or flutter": ("AFIB", "AFLT"),
    "supraventricular arrhythmia": ("SVARR", "SVTAC", "PSVT"),
    "bigeminy or trigeminy": ("BIGU", "TRIGU"),
    "myocardial infarction": (*_INFARCTS.values(), *_INJURIES.values()),
    "ischemia": ("ISC_", *_ISCHEMIAS.values()),
    "st or t change": ("NST_", "NDT", "NT_", "TAB_", "STE_", "STD_", "INVT", "LOWT"),
    "left bundle branch block": ("CLBBB", "ILBBB"),
    "right bundle branch block": ("CRBBB", "IRBBB"),
    "left fascicular block": ("LAFB", "LPFB"),
    "delayed av conduction": ("1AVB", "2AVB", "3AVB", "LPR"),
    "left ventricular hypertrophy": ("LVH", "VCLVH", "HVOLT"),
    "premature complexes": ("PVC", "PAC", "PRC(S)"),
}
"""Statements that reports and labels use for one another; every other statement is a group of its own."""

_GENERAL: tuple[tuple[str, str], ...] = (
    ("myocardial infarction", rf"\b{_INFARCTION}"),
    ("st or t change", r"\bst(?:[-/ ]t)?(?:[- ]segment)? changes?|\bt(?:[- ]wave)? changes?|abnormal (?:st & )?t\b"),
    ("delayed av conduction", r"\b(?:av|a-v)[- ]block"),
)
_GROUP_OF = {code: name for name, codes in GROUPS.items() for code in codes}

_CLAUSE_ENDS = re.compile(r"(?<!\d)\.|\.(?!\d)|[;:\n]|\b(?:but|however|although|except|apart from|otherwise)\b")
_HARMLESS = re.compile(  # holds a word of negation but denies nothing
    r"\b(?:can(?:not| not)|could not|not) (?:be )?(?:\w+ly )?(?:excluded|ruled out|rule out|exclude)\b"
    r"|\bnot (?:certain|only)\b|\bno (?:significant |further )?(?:change|analysis)\w*"
)
_DENIED_BEFORE = re.compile(
    r"\b(?:no|not|without|absence of|absent|negative for|free of|neither|nor|rule[sd]? out|never)\b(?P<between>[^.]*)$"
)
_DENIED_BEHIND = re.compile(
    r"^[^,]{0,20}?\b(?:(?:is|are|was|were) )?(?:not (?:present|seen|evident|visible|detected|found|shown)"
    r"|absent|excluded|ruled out|unlikely)\b"
)


@dataclass(frozen=True)
class StatedFindings:
    """What a report says.

    Attributes:
        codes: the SCP statements that it makes.
        groups: names of `GROUPS`, or codes of statements without a group; also of what is named without its kind, such
            as an infarction without its region.
        denied: the SCP statements that it denies and does not make elsewhere.
    """

    codes: frozenset[str]
    groups: frozenset[str]
    denied: frozenset[str]


def group_of(code: str) -> str:
    """The group of a statement: a name of `GROUPS`, or the code itself."""
    return _GROUP_OF.get(code, code)


def groups_of(codes: Iterable[str]) -> frozenset[str]:
    """The groups of statements."""
    return frozenset(map(group_of, codes))


@cache
def _patterns() -> tuple[tuple[str, bool, re.Pattern[str]], ...]:
    """Code or group, whether it is a code, and its wording; our own phrase goes with each code."""
    codes = [
        (code, True, re.compile(rf"{pattern}|\b{re.escape(STATEMENTS[code].phrase)}")) for code, pattern in _WORDINGS
    ]
    return (*codes, *((name, False, re.compile(pattern)) for name, pattern in _GENERAL))


def stated_findings(report: str) -> StatedFindings:
    """Read an English report.

    "Left bundle branch block" without more is taken for the complete one, "septal infarction" for the anteroseptal
    one, "atrial fibrillation/flutter" for fibrillation, as PTB-XL's labels do.
    """
    stated: set[tuple[str, bool]] = set()
    denied: set[tuple[str, bool]] = set()
    text = _HARMLESS.sub(" ", " ".join(report.lower().split()))
    for clause in _CLAUSE_ENDS.split(text):
        left = clause
        for name, is_code, pattern in _patterns():
            for match in pattern.finditer(left):
                (denied if _is_denied(clause, *match.span()) else stated).add((name, is_code))
            left = pattern.sub(lambda match: "\0" * len(match[0]), left)  # positions stay those of the clause
    codes = frozenset(name for name, is_code in stated if is_code)
    named = frozenset(name for name, is_code in stated if not is_code)
    return StatedFindings(
        codes=codes,
        groups=groups_of(codes) | named,
        denied=frozenset(name for name, is_code in denied if is_code) - codes,
    )


def _is_denied(clause: str, start: int, end: int) -> bool:
    before = _DENIED_BEFORE.search(clause[:start])
    if before is not None:
        # "no st elevation, depressed st": a comma ends what "no" denies, unless a list goes on with "or".
        after_comma = before["between"].rpartition(",")
        if not after_comma[1] or re.match(r" (?:or|nor)\b", after_comma[2]):
            return True
    return _DENIED_BEHIND.search(clause[end:]) is not None
