"""What an ECG device prints round a report and is no finding: "4.46 unconfirmed report", version numbers, requests.

PTB-XL's reports carry it (4,370 of the 9,739 in folds 1 to 8 that are not reconstructed), and a model that is trained
on such rows writes it again. Findings are left as they are, to the letter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_REPORT = r"(?:report|interpretation|diagnosis|analysis|tracing|result|reading|e[ck]g)"
_BERICHT = r"(?:ekg-?)?(?:bericht|befund|auswertung|ergebnis|diagnose|ekg)"
_RAPPORT = r"(?:ekg-?)?(?:rapport|tolkning|svar|analys|diagnos|utlåtande|ekg)"
_NUMBER = r"(?:(?<![\d.,])[1-9]\d?\.\d{1,2}\s*)?"  # the device's version before "unconfirmed report"
_NOT_OF = r"(?!\s+(?:of|von|av|om)\b)"  # "unconfirmed diagnosis of WPW" is a finding
_UNBESTAETIGT = r"(?:(?:un|nicht\s+)best(?:ä|ae|a|#)tigt(?:e[rsnm]?)?|vorläufige[rsnm]?)"
_OBEKRAEFTAT = r"(?:(?:ej|icke|inte)\s+|o)(?:bekräfta|signera|granska|verifiera)(?:d|t|de)"
_UNCONFIRMED = r"(?:un-?(?:confirmed|reviewed|verified|signed)|not\s+(?:yet\s+)?confirmed|preliminary)"

_AUTOMATIC = (
    r"\b(?:automat\w+|computer\w*|dator\w*|maschinelle?\w*)[- ]*(?:generated\s+|based\s+)?(?:e[ck]g[- ]?)?"
    r"(?:analys\w+|interpretation\w*|auswertung|befundung|tolkning|report|bericht|diagnosis|statements?)"
)

_ANYWHERE = re.compile(
    "|".join(
        (
            rf"{_NUMBER}\b(?:this\s+is\s+an?\s+)?{_UNCONFIRMED}\s+(?:e[ck]g\s+)?{_REPORT}\b{_NOT_OF}",
            rf"{_NUMBER}\b(?:dies\s+ist\s+ein\s+)?{_UNBESTAETIGT}\s+{_BERICHT}\b{_NOT_OF}",
            rf"{_NUMBER}\b{_OBEKRAEFTAT}\s+{_RAPPORT}\b{_NOT_OF}",
            rf"{_AUTOMATIC}\s*:",
            # cut off where the field of the report, or what a model may write, ended
            r"(?:\b(?:version|ver|v)[\s.:]*)?(?<![\d.,])(?<!\b(?:of|is|to|by)\s)4\.4\d?(?:\s+u\w*)?(?:\s+[br]\w*)?[\s.]*$",
            r"\bunbest(?:ä|ae|a|#)\w*(?:\s+b\w{0,6})?[\s.]*$",
            r"\bunconfirmed(?:\s+r\w{0,5})?[\s.]*$",
            r"(?<![\w,;:-]\s)\bstandard[- ](?:12[- ]?(?:lead|kanal|channel)[- ])?e[ck]g\b"
            r"(?!\s*-?(?:lead|ableit|criteri|kriteri))",
            r"\b(?:software|firmware|programm?|algorithm)[- ]?(?:version|release|revision)?[\s.:]*v?\d+(?:\.\d+)+\w?",
        )
    ),
    re.IGNORECASE,
)

_BY = r"(?:confirmed|reviewed|verified|signed|approved|interpreted|read|edited)"
_PERSON = (  # findings are confirmed by other things: an echocardiogram, a repeated tracing
    r"(?:.*\b(?:dr|m\.?d|prof|physician|doctor|cardiologist|nurse|arzt|ärztin|kardiologe|läkare|computer)\b.*"
    r"|(?-i:[A-ZÄÖÜÅ][\w'-]+(?:,?\s+[A-ZÄÖÜÅ][\w.'-]*){0,2}))"
)
_SENTENCE = re.compile(
    "|".join(
        (
            r"(?:trace|tracing)\s+only(?:\s+requested)?|nur\s+(?:kurve|aufzeichnung)(?:\s+gewünscht)?|endast\s+kurva",
            r"the\s+computer\s+has\s+(?:selected|chosen)\b.*|please\s+ignore\s+this",
            r"(?:12[- ]?(?:lead|kanal)[- ]|resting[- ]|ruhe-?|vilo-?)(?:standard[- ])?e[ck]g",
            rf"(?:(?:the|this|automat\w+|computer\w*)\s+)*(?:{_REPORT}\s+)?(?:was\s+|has\s+been\s+)?(?:electronically\s+)?"
            rf"{_BY}\s+(?:and\s+{_BY}\s+)?by[\s:]+{_PERSON}",
            rf"(?:analysis|interpretation|report)\s+(?:performed|made|generated|done|produced|provided)\s+by[\s:]+{_PERSON}",
            rf"(?:best(?:ä|ae)tigt|befundet|freigegeben|visidiert)\s+(?:durch|von)[\s:]+{_PERSON}",
            rf"(?:bekräfta|signera|granska)[dt]\s+av[\s:]+{_PERSON}",
            rf"{_AUTOMATIC}(?:\s+(?:only|by|without|not)\b.*)?",
            rf"(?:{_BERICHT}\s+){_UNBESTAETIGT}|(?:{_RAPPORT}\s+){_OBEKRAEFTAT}|{_UNBESTAETIGT}",
            rf"{_UNCONFIRMED}|best(?:ä|ae)tigt(?:e[rsnm]?\s+{_BERICHT})?|{_OBEKRAEFTAT}|confirmed(?:\s+{_REPORT})?",
            rf"(?:{_REPORT}\s+)?not\s+(?:yet\s+)?reviewed(?:\s+by\b.*)?|no\s+physician\s+review|nicht\s+(?:visidiert|befundet)",
            r"(?:version|ver|rev|release|v)[\s.:]*\d+(?:\.\d+)*\w?|[1-9]\d?\.\d{1,3}(?:\.\d+)?",
            r"(?:\d+(?:\.\d+)?\s*(?:mm/s(?:ec)?|mm/mv|hz)\b[\s,;]*)+",
            r"age\s+not\s+entered\b.*|.*\binterpretation\s+may\s+be\s+(?:adversely\s+)?affected",
        )
    ),
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"((?<!\bdr\.)(?<!\bprof\.)(?<!\bmed\.)(?<=[.!?])\s+|\s*\n\s*|\s*;\s+|\s{4,})", re.IGNORECASE)
_EDGES = " \t\r\n.,;:*-–"

_EDIT = re.compile(r"\bedit\s*:", re.IGNORECASE)
_CODES = (
    "1AVB 2AVB 3AVB ABQRS AFIB AFLT ALMI AMI ANEUR ASMI BIGU CLBBB CRBBB DIG EL HVOLT ILBBB ILMI IMI INJAL INJAS INJIL "
    "INJIN INJLA INVT IPLMI IPMI IRBBB ISCAL ISCAN ISCAS ISCIL ISCIN ISCLA ISC_? IVCD LAFB LAO/LAE LAO LAE LMI LNGQT "
    "LOWT LPFB LPR LVH LVOLT NDT NORM NST_? NT_? PAC PACE PLMI PMI PRC(?:\\(S\\))? PSVT PVC QWAVE RAO/RAE RAO RAE RVH "
    "SARRH SBRAD SEHYP SR STACH STD_? STE_? SVARR SVTAC TAB_? TRIGU VCLVH WPW"
)
_ANNOTATION = re.compile(  # statements with their likelihoods, sex and age, as who labelled the record noted them
    rf"(?:^|(?<=[,(.]))\s*(?:(?:{'|'.join(_CODES.split())})\s*\d{{0,3}}\??|[mf]\s*,\s*\d{{1,3}})\s*(?=[,().]|$)",
    re.IGNORECASE,
)


def clean_report_text(text: str) -> str:
    """A report without what the device or its software prints round the findings.

    Taken out are notes that nobody confirmed the report, who did, version numbers, "trace only requested" and the like
    in English, German and Swedish, and the word "edit:" with the statements in code that follow it. A text without any
    of that is returned as it is; what is left of another is unchanged but for the blanks and the stop where something
    was taken out.

    Args:
        text: a report in any case, or what a model wrote.

    Returns:
        The findings; empty if there are none.
    """
    report, mark, remark = _split_at_edit(text)
    parts = [_without_notes(report)]
    if mark:
        parts.append(_without_notes(_without_annotations(remark)))
    elif parts[0] == text:
        return text
    found = ""
    for part in parts:
        part = part.strip()
        found += ("" if not found or not part else " " if found[-1] in ".!?" else ". ") + part
    return found


def _split_at_edit(text: str) -> tuple[str, str, str]:
    found = _EDIT.search(text)
    return (text, "", "") if found is None else (text[: found.start()], found[0], _EDIT.sub(" ", text[found.end() :]))


def _without_annotations(remark: str) -> str:
    left = _ANNOTATION.sub("", remark)
    if left == remark:
        return remark
    left = re.sub(r"\([\s,]*\)", "", left)
    left = re.sub(r"(?<=\()[\s,]+|[\s,]+(?=[,).]|$)", "", left).strip(_EDGES)
    return f"{left}." if left and remark.rstrip().endswith(".") else left


def _without_notes(text: str) -> str:
    pieces = _BETWEEN.split(_cut(text))
    kept = [
        pieces[index : index + 2]
        for index in range(0, len(pieces), 2)
        if not _SENTENCE.fullmatch(pieces[index].strip(_EDGES))
    ]
    if len(kept) * 2 - 1 >= len(pieces):
        return "".join(pieces)
    return "".join(piece for pair in kept for piece in pair).strip()


def _cut(text: str) -> str:
    """Without what is taken out wherever it stands; a stop parts what stood on its two sides."""
    found = _ANYWHERE.search(text)
    while found is not None:
        before = text[: found.start()].rstrip(" \t\r\n,;:*-–(")
        after = text[found.end() :].lstrip(" \t\r\n.,;:*-–)")
        if not after and before and before[-1].isalnum() and text.rstrip().endswith("."):
            before += "."
        joint = "" if not before or not after else " " if before[-1] in ".!?" else ". "
        text = before + joint + after
        found = _ANYWHERE.search(text)
    return text


def joined_reports(reports: Sequence[str]) -> str:
    """The reports of a recording's windows as one: each statement once, those of most windows first.

    A statement that not all windows make is followed by their number. One report, or equal ones, stays as it is.
    """
    if len(set(reports)) == 1:
        return reports[0]
    stated: dict[str, int] = {}
    for report in reports:
        sentences = [one.strip(" .") for one in re.split(r"(?<=[.!?;])\s+|\n", report)]
        for sentence in dict.fromkeys(one for one in sentences if one):
            stated[sentence] = stated.get(sentence, 0) + 1
    rows = sorted(stated.items(), key=lambda item: -item[1])
    count = len(reports)
    return (
        ". ".join(text if times == count else f"{text} (in {times} of {count} windows)" for text, times in rows) + "."
    )
