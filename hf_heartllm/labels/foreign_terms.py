"""What the labels of other collections say in PTB-XL's terms: SNOMED CT codes, their short names, and LUDB's words.

The SNOMED CT codes are those of PhysioNet/CinC Challenge 2020 (`dx_mapping_scored.csv` and `dx_mapping_unscored.csv`
of its evaluation code; Perez Alday et al., Physiological Measurement 41, 124003, 2020), and two that the Challenge of
2021 added. The Challenge scores two pairs of codes as one diagnosis (complete and plain right bundle branch block,
atrial and supraventricular premature beats), and so they are here. Short names are those of its mapping and of CPSC
2018 (Liu et al., J Med Imaging Health Inform 8, 1368, 2018). LUDB's words are those of its headers (Kalyakulina et al.,
IEEE Access 8, 186181, 2020); capitals, blanks, hyphens, punctuation, plurals and British spelling do not count.

A term states SCP statements or superclasses only where it says the same by name. Where it could be meant by one but
says something wider, it leaves that one open: the record then counts neither as having it nor as free of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .scp import superclasses


@dataclass(frozen=True)
class Meaning:
    """What one term says.

    Attributes:
        codes: SCP statements that it states.
        classes: diagnostic superclasses that it states, those of `codes` among them.
        unclear: SCP statements and superclasses that it leaves open.
    """

    codes: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    unclear: frozenset[str] = frozenset()


def _states(*codes: str, unclear: str = "") -> Meaning:
    return Meaning(frozenset(codes), frozenset(superclasses(codes)), frozenset(unclear.split()))


def _is_a(superclass: str, unclear: str = "") -> Meaning:
    return Meaning(classes=frozenset([superclass]), unclear=frozenset(unclear.split()))


def _leaves(unclear: str) -> Meaning:
    return Meaning(unclear=frozenset(unclear.split()))


NOTHING = Meaning()
"""A term that PTB-XL's statements have nothing to do with, such as the heart's axis."""

SNOMED: dict[str, Meaning] = {
    # scored in 2020
    "270492004": _states("1AVB"),
    "164889003": _states("AFIB"),
    "164890007": _states("AFLT"),
    "426627000": _leaves("SR SBRAD"),  # bradycardia, of any origin
    "713427006": _states("CRBBB"),
    "713426002": _states("IRBBB"),
    "445118002": _states("LAFB"),
    "39732003": NOTHING,  # left axis deviation
    "164909002": _is_a("CD", "CLBBB"),  # left bundle branch block; whether it is complete is not said
    "251146004": _states("LVOLT"),
    "698252002": _states("IVCD"),
    "10370003": _states("PACE"),
    "284470004": _states("PAC"),
    "427172004": _states("PVC"),
    "164947007": _states("LPR"),
    "111975006": _states("LNGQT"),
    "164917005": _states("QWAVE", unclear="MI"),
    "47665007": NOTHING,  # right axis deviation
    "59118001": _states("CRBBB"),
    "427393009": _states("SARRH"),
    "426177001": _states("SBRAD"),
    "426783006": _states("SR"),
    "427084000": _states("STACH"),
    "63593006": _states("PAC"),
    "164934002": _states("TAB_", unclear="STTC NDT NT_ INVT LOWT"),
    "59931005": _states("INVT", unclear="STTC NDT"),
    "17338001": _states("PVC"),
    # not scored: rhythm
    "195080001": _leaves("AFIB AFLT"),  # fibrillation and flutter
    "426749004": _states("AFIB"),
    "282825002": _states("AFIB"),
    "314208002": _states("AFIB"),
    "713422000": _leaves("SVARR SVTAC PSVT"),  # atrial tachycardia
    "713423005": _leaves("SVARR SVTAC PSVT"),
    "426761007": _states("SVTAC"),
    "67198005": _states("PSVT"),
    "11157007": _states("BIGU"),
    "251173003": _leaves("BIGU PAC"),  # atrial bigeminy
    "251168009": _leaves("BIGU PAC"),
    "251180001": _states("TRIGU"),
    "251268003": _states("PACE"),
    "251266004": _states("PACE"),
    "698247007": _leaves("SR STACH SBRAD SARRH AFIB"),  # cardiac dysrhythmia
    "74615001": _leaves("SR STACH SBRAD SARRH AFIB"),  # brady-tachy syndrome
    "60423000": _leaves("SR SBRAD SARRH"),  # sinus node dysfunction
    **dict.fromkeys(("426664006", "29320008", "426995002", "426648003", "49260003", "61277005"), NOTHING),
    **dict.fromkeys(("81898007", "75532003", "164896001", "111288001", "164895002", "425856008"), NOTHING),
    **dict.fromkeys(("195101003", "50799005", "65778007"), NOTHING),
    # not scored: single beats
    "164884008": _states("PVC"),
    "251182009": _states("PVC"),
    "251170000": _states("PAC"),
    "251164006": _leaves("PRC(S) PAC"),  # junctional premature complex
    "13640000": NOTHING,  # fusion beats
    # not scored: infarction, ischaemia, ST and T
    "57054005": _is_a("MI"),
    "164865005": _is_a("MI"),
    "164867002": _is_a("MI"),
    "54329005": _states("AMI"),
    "164861001": _is_a("STTC"),
    "413444003": _is_a("STTC"),
    "413844008": _is_a("STTC"),
    "426434006": _states("ISCAN"),
    "425419005": _states("ISCIN"),
    "425623009": _states("ISCLA"),
    "53741008": _leaves("MI STTC"),  # coronary heart disease
    "428750005": _is_a("STTC", "NST_ NDT NT_"),
    "55930002": _is_a("STTC", "NST_"),
    "164930006": _leaves("STTC NST_"),  # ST interval abnormal
    "429622005": _states("STD_", unclear="STTC NST_"),
    "704997005": _states("STD_", unclear="STTC NST_"),
    "164931005": _states("STE_", unclear="STTC MI NST_"),
    "428417006": NOTHING,  # early repolarisation
    "251259000": _leaves("TAB_"),  # high T voltage
    "77867006": NOTHING,  # short QT
    "251242005": NOTHING,  # tall U
    "164937009": NOTHING,
    # not scored: conduction
    "195042002": _states("2AVB"),
    "54016002": _states("2AVB"),
    "28189009": _states("2AVB"),
    "164903001": _states("2AVB"),
    "27885002": _states("3AVB"),
    "233917008": _is_a("CD", "1AVB 2AVB 3AVB"),
    "204384007": _is_a("CD", "1AVB 2AVB"),
    "6374002": _is_a("CD", "CLBBB ILBBB CRBBB IRBBB"),
    "251120003": _states("ILBBB"),
    "445211001": _states("LPFB"),
    "82226007": _is_a("CD", "IVCD"),
    "74390002": _states("WPW"),
    "195060002": _leaves("CD WPW"),  # ventricular pre-excitation
    "49578007": _leaves("CD WPW"),  # short PR
    # not scored: hypertrophy
    "164873001": _states("LVH"),
    "89792004": _states("RVH"),
    "266249003": _is_a("HYP", "LVH RVH SEHYP"),
    "195126007": _is_a("HYP", "LAO/LAE RAO/RAE"),
    "446813000": _is_a("HYP", "LAO/LAE"),
    "446358003": _is_a("HYP", "RAO/RAE"),
    "67741000119109": _states("LAO/LAE"),
    "253352002": _leaves("HYP LAO/LAE"),
    "253339007": _leaves("HYP RAO/RAE"),
    "370365005": _leaves("HYP STTC LVH"),  # left ventricular strain
    # not scored: the rest
    "164951009": _states("ABQRS"),
    "164921003": _leaves("ABQRS"),  # R wave abnormal
    "251147008": _leaves("LVOLT"),  # in the limb leads only
    "251148003": _leaves("LVOLT"),
    **dict.fromkeys(("251200008", "251139008", "251143007", "423863005", "418818005", "78069008"), NOTHING),
    **dict.fromkeys(("84114007", "368009", "266257000"), NOTHING),
    # added in 2021
    "733534002": _states("CLBBB"),
    "365413008": _leaves("ABQRS MI"),  # poor R wave progression
}
"""SNOMED CT code → what it says."""

_NORMAL = _states("NORM", "SR")  # CPSC 2018's word for a normal ECG; the Challenge writes it as sinus rhythm

SHORT_NAMES: dict[str, Meaning] = {
    # CPSC 2018
    "normal": _NORMAL,
    "af": SNOMED["164889003"],
    "iavb": SNOMED["270492004"],
    "lbbb": SNOMED["164909002"],
    "rbbb": SNOMED["59118001"],
    "pac": SNOMED["284470004"],
    "pvc": SNOMED["427172004"],
    "std": SNOMED["429622005"],
    "ste": SNOMED["164931005"],
    # the Challenge's other abbreviations that have one meaning
    **dict.fromkeys(("1avb", "1davb", "favb"), SNOMED["270492004"]),
    **dict.fromkeys(("iiavb", "2avb"), SNOMED["195042002"]),
    **dict.fromkeys(("iiiavb", "3avb", "chb"), SNOMED["27885002"]),
    "afib": SNOMED["164889003"],
    **dict.fromkeys(("afl", "aflt"), SNOMED["164890007"]),
    **dict.fromkeys(("brady", "bradycardia"), SNOMED["426627000"]),
    "crbbb": SNOMED["713427006"],
    "irbbb": SNOMED["713426002"],
    "clbbb": SNOMED["733534002"],
    "ilbbb": SNOMED["251120003"],
    **dict.fromkeys(("lanfb", "lafb"), SNOMED["445118002"]),
    "lad": SNOMED["39732003"],
    "rad": SNOMED["47665007"],
    "lqrsv": SNOMED["251146004"],
    "nsivcb": SNOMED["698252002"],
    "lpr": SNOMED["164947007"],
    "lqt": SNOMED["111975006"],
    "qab": SNOMED["164917005"],
    **dict.fromkeys(("svpb", "svpc"), SNOMED["63593006"]),
    **dict.fromkeys(("vpb", "vpc", "veb"), SNOMED["17338001"]),
    **dict.fromkeys(("sr", "nsr", "snr"), SNOMED["426783006"]),
    **dict.fromkeys(("sb", "sbrad"), SNOMED["426177001"]),
    "stach": SNOMED["427084000"],
    "tab": SNOMED["164934002"],
    "tinv": SNOMED["59931005"],
    **dict.fromkeys(("lvh", "lvhv"), SNOMED["164873001"]),
    "rvh": SNOMED["89792004"],
    "wpw": SNOMED["74390002"],
    "mi": SNOMED["164865005"],
}
"""Short name, in small letters and digits alone → what it says. Names that collections use for different things ("ST",
"SA", "PR") are in none."""

_UNSURE_RHYTHM = _leaves("SR STACH SBRAD SARRH AFIB AFLT SVARR SVTAC PSVT")

_WORDS: dict[str, Meaning] = {
    "normal": _NORMAL,
    "normal ecg": _NORMAL,
    "sinus rhythm": _states("SR"),
    "normal sinus rhythm": _states("SR"),
    "sinus bradycardia": _states("SBRAD"),
    "sinus tachycardia": _states("STACH"),
    "sinus arrhythmia": _states("SARRH"),
    "irregular sinus rhythm": _leaves("SR SARRH"),
    "abnormal rhythm": _UNSURE_RHYTHM,
    "atrial fibrillation": _states("AFIB"),
    "atrial flutter": _states("AFLT"),
    "wandering atrial pacemaker": NOTHING,
    **dict.fromkeys(("left axis deviation", "right axis deviation"), NOTHING),
    "p synchrony": NOTHING,
    "i degree av block": _states("1AVB"),
    "ii degree av block": _states("2AVB"),
    "iii degree av block": _states("3AVB"),
    "complete av block": _states("3AVB"),
    "complete left bundle branch block": _states("CLBBB"),
    "incomplete left bundle branch block": _states("ILBBB"),
    "left bundle branch block": SNOMED["164909002"],
    "complete right bundle branch block": _states("CRBBB"),
    "incomplete right bundle branch block": _states("IRBBB"),
    "right bundle branch block": SNOMED["59118001"],
    "left anterior hemiblock": _states("LAFB"),
    "left posterior hemiblock": _states("LPFB"),
    "non specific intravintricular conduction delay": _states("IVCD"),  # spelt so
    "non specific intraventricular conduction delay": _states("IVCD"),
    "aberrant conduction": _leaves("CD"),
    "left ventricular hypertrophy": _states("LVH"),
    "right ventricular hypertrophy": _states("RVH"),
    "left atrial hypertrophy": _is_a("HYP", "LAO/LAE"),
    "right atrial hypertrophy": _is_a("HYP", "RAO/RAE"),
    "left atrial overload": _states("LAO/LAE"),
    "right atrial overload": _states("RAO/RAE"),
    "left ventricular overload": _leaves("HYP STTC LVH"),
    "right ventricular overload": _leaves("HYP STTC RVH"),
    "scar formation anterior wall": _states("AMI"),
    "scar formation inferior wall": _states("IMI"),
    "scar formation lateral wall": _states("LMI"),
    "scar formation posterior wall": _states("PMI"),
    "stemi anterior wall": _states("AMI"),
    "stemi inferior wall": _states("IMI"),
    "stemi lateral wall": _states("LMI"),
    "stemi posterior wall": _states("PMI"),
    "ischemia anterior wall": _states("ISCAN"),
    "ischemia inferior wall": _states("ISCIN"),
    "ischemia lateral wall": _states("ISCLA"),
}
_BEGINNINGS: dict[str, Meaning] = {
    "atrial extrasystole type bigemin": _states("PAC", unclear="BIGU"),
    "atrial extrasystole type trigemin": _states("PAC", unclear="TRIGU"),
    "atrial extrasystole type allorhythmic": _states("PAC", unclear="BIGU TRIGU"),
    "atrial extrasystole": _states("PAC"),
    "ventricular extrasystole type bigemin": _states("PVC", unclear="BIGU"),
    "ventricular extrasystole type trigemin": _states("PVC", unclear="TRIGU"),
    "ventricular extrasystole type allorhythmic": _states("PVC", unclear="BIGU TRIGU"),
    "ventricular extrasystole": _states("PVC"),
    "atrial flutter": _states("AFLT"),
    "electric axis": NOTHING,
    "heart electric axis": NOTHING,
    "sinoatrial blockade": NOTHING,
    "pacemaker presence": _leaves("PACE"),
    "unipolar": _states("PACE"),
    "bipolar": _states("PACE"),
    "biventricular pacing": _states("PACE"),
    "early repolarization": NOTHING,
    "scar formation": _is_a("MI"),  # of the septum or the apex
    "stemi": _is_a("MI"),
    "ischemia": _is_a("STTC"),
    "undefined ischemia/scar/supp nstemi": _leaves("MI STTC"),
    "non specific repolarization abnormality": _is_a("STTC", "NST_ NDT NT_"),
}
"""A longer beginning stands before a shorter one that it opens with."""

_SPELLINGS = (
    (r"[^\w/]|_", " "),  # hyphens, colons, commas, full stops
    (r"\s*/\s*", "/"),
    (r"isch?aemia", "ischemia"),
    (r"(\w)is(?=ation|ed\b)", r"\1iz"),
    (r"\b(?:atrioventricular|a v)\b", "av"),
    (r"\b(?:1st|first|1)(?= degree)", "i"),
    (r"\b(?:2nd|second|2)(?= degree)", "ii"),
    (r"\b(?:3rd|third|3)(?= degree)", "iii"),
    (r"\bbundlebranch\b", "bundle branch"),
    (r"\bnonspecific\b", "non specific"),
    (r"ies\b", "y"),
    (r"(?<![siu\W])s\b", ""),  # a plural's; not that of sinus, loss, axis
    (r"\belectrical (?=axis)", "electric "),
    (r"^rhythm ", ""),
)


def ludb_meaning(words: str) -> Meaning | None:
    """What one diagnosis of LUDB says, such as `Rhythm: Sinus rhythm.`; None for words that are not known."""
    plain = words.lower()
    for pattern, replacement in _SPELLINGS:
        plain = " ".join(re.sub(pattern, replacement, plain).split())
    if plain in _WORDS:
        return _WORDS[plain]
    return next((meaning for start, meaning in _BEGINNINGS.items() if plain.startswith(start)), None)


def challenge_meaning(term: str) -> Meaning | None:
    """What one term of a Challenge's `#Dx:` says: a SNOMED CT code, a short name such as `I-AVB`, or words.

    None for what is not known.
    """
    plain = term.strip().strip(".").strip()
    if plain in SNOMED:
        return SNOMED[plain]
    short = "".join(letter for letter in plain.lower() if letter.isalnum())
    return SHORT_NAMES[short] if short in SHORT_NAMES else ludb_meaning(plain)
