"""Why a statement holds, in one sentence: general criteria of electrocardiography, not what was measured on a record.

Written from textbook criteria; they say what a finding looks like, so a "no" is explained by what would be seen.
"""

from __future__ import annotations

CRITERIA: dict[str, str] = {
    "SR": "a P wave of normal axis stands before every QRS complex",
    "AFIB": "the RR intervals are irregular and there are no P waves",
    "AFLT": "regular flutter waves take the place of P waves",
    "STACH": "there is sinus rhythm at more than 100 beats per minute",
    "SBRAD": "there is sinus rhythm at less than 60 beats per minute",
    "SARRH": "there is sinus rhythm whose RR intervals vary, often with breathing",
    "PACE": "pacing spikes stand before P waves or QRS complexes",
    "BIGU": "every second beat is premature",
    "TRIGU": "every third beat is premature",
    "SVTAC": "the rhythm is fast and regular with narrow QRS complexes",
    "MI": "there are pathological Q waves or lost R waves in leads that belong together",
    "AMI": "there are pathological Q waves or lost R waves in V1 to V4",
    "ASMI": "there are pathological Q waves or lost R waves in V1 to V3",
    "ALMI": "there are pathological Q waves in V4 to V6, I and aVL",
    "IMI": "there are pathological Q waves in II, III and aVF",
    "ILMI": "there are pathological Q waves in II, III, aVF, V5 and V6",
    "LMI": "there are pathological Q waves in I, aVL, V5 and V6",
    "CLBBB": "the QRS complex lasts 120 ms or more, with broad R waves in I and V6 and none in V1",
    "ILBBB": "the QRS complex has the shape of a left bundle branch block and lasts less than 120 ms",
    "CRBBB": "the QRS complex lasts 120 ms or more, with a second R wave in V1 and a broad S wave in I and V6",
    "IRBBB": "V1 has a second R wave and the QRS complex lasts less than 120 ms",
    "LAFB": "the axis points far to the left, with small Q waves in I and aVL",
    "LPFB": "the axis points to the right without another cause",
    "IVCD": "the QRS complex is broad without the shape of a bundle branch block",
    "1AVB": "the PR interval is longer than 200 ms",
    "2AVB": "some P waves are not followed by a QRS complex",
    "3AVB": "P waves and QRS complexes are independent of each other",
    "WPW": "the PR interval is short and the QRS complex begins with a delta wave",
    "LVH": "the left chest leads have high R waves and the right ones deep S waves",
    "RVH": "V1 has a high R wave and the axis points to the right",
    "LAO/LAE": "the P wave is broad and notched, and negative at its end in V1",
    "RAO/RAE": "the P wave is high in II",
    "HYP": "the voltages or P waves are those of an enlarged chamber",
    "CD": "the PR interval or the QRS complex is prolonged or oddly shaped",
    "STTC": "ST segments or T waves deviate from normal",
    "PVC": "broad QRS complexes come early, without a P wave before them",
    "PAC": "narrow QRS complexes come early, after an early P wave",
    "LPR": "the PR interval is longer than 200 ms",
    "QWAVE": "Q waves are broad or deep",
    "LVOLT": "the QRS complexes are small in all leads",
    "HVOLT": "the QRS complexes are unusually high",
    "STE_": "ST segments lie above the baseline",
    "STD_": "ST segments lie below the baseline",
    "INVT": "T waves are negative where they should be positive",
    "LOWT": "T waves are low",
    "TAB_": "T waves have an unusual shape or direction",
    "NT_": "T waves are slightly changed",
    "LNGQT": "the QT interval is too long for the heart rate",
    "DIG": "ST segments sag as they do under digitalis",
    "ISC_": "ST segments are lowered or T waves negative",
}

ASKED_FOR_REASONS = (
    "{} Explain in a sentence.",
    "{} Please explain.",
    "{} Give a reason.",
    "{} Why do you think so?",
    "{} Explain your answer.",
    "{} Begründe kurz.",
)
"""How a reason is asked for in the same message."""

WHY = ("Why?", "Why is that?", "How do you know?", "Explain that.", "What makes you say so?", "Warum?")
"""How it is asked for in the next one."""


def explanation(statement: str, name: str, holds: bool) -> str | None:
    """One sentence on why a statement holds, or what would be seen if it did; None: there is none for it.

    >>> explanation("1AVB", "first degree av block", False)
    'In first degree av block the PR interval is longer than 200 ms; that is not seen here.'
    """
    criteria = CRITERIA.get(statement)
    if criteria is None:
        return None
    if holds:
        return f"{criteria[0].upper()}{criteria[1:]}."
    return f"In {name} {criteria}; that is not seen here."
