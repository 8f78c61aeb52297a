"""What the labels of other collections say in PTB-XL's terms: SNOMED CT codes and LUDB's words.

The SNOMED CT codes are those of PhysioNet/CinC Challenge 2020 (`dx_mapping_scored.csv` and `dx_mapping_unscored.csv`
of its evaluation code; Perez Alday et al., Physiological Measurement 41, 124003, 2020), and two that the Challenge of
2021 added. The Challenge scores two pairs of codes as one diagnosis (complete and plain right bundle branch block,
atrial and supraventricular premature beats), and so they are here. LUDB's words are those of its headers (Kalyakulina
et al., IEEE Access 8, 186181, 2020).

A term states SCP statements or superclasses only where it says the same by name. Where it could be meant by one but
says something wider, it leaves that one open: the record then counts neither as having it nor as free of it.
"""

from __future__ import annotations

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

_LUDB_WORDS: dict[str, Meaning] = {
    "rhythm: sinus rhythm": _states("SR"),
    "rhythm: sinus bradycardia": _states("SBRAD"),
    "rhythm: sinus tachycardia": _states("STACH"),
    "rhythm: sinus arrhythmia": _states("SARRH"),
    "rhythm: irregular sinus rhythm": _leaves("SR SARRH"),
    "rhythm: atrial fibrillation": _states("AFIB"),
    "rhythm: atrial flutter, typical": _states("AFLT"),
    "wandering atrial pacemaker": NOTHING,
    "sinoatrial blockade, undefined": NOTHING,
    "p-synchrony": NOTHING,
    "pacemaker presence, undefined": _leaves("PACE"),
    "i degree av block": _states("1AVB"),
    "iii degree av-block": _states("3AVB"),
    "complete left bundle branch block": _states("CLBBB"),
    "incomplete left bundle branch block": _states("ILBBB"),
    "complete right bundle branch block": _states("CRBBB"),
    "incomplete right bundle branch block": _states("IRBBB"),
    "left anterior hemiblock": _states("LAFB"),
    "non-specific intravintricular conduction delay": _states("IVCD"),  # spelt so
    "aberrant conduction": _leaves("CD"),
    "left ventricular hypertrophy": _states("LVH"),
    "right ventricular hypertrophy": _states("RVH"),
    "left atrial hypertrophy": _is_a("HYP", "LAO/LAE"),
    "right atrial hypertrophy": _is_a("HYP", "RAO/RAE"),
    "left atrial overload": _states("LAO/LAE"),
    "right atrial overload": _states("RAO/RAE"),
    "left ventricular overload": _leaves("HYP STTC LVH"),
    "right ventricular overload": _leaves("HYP STTC RVH"),
    "early repolarization syndrome": NOTHING,
    "scar formation: anterior wall": _states("AMI"),
    "scar formation: inferior wall": _states("IMI"),
    "scar formation: lateral wall": _states("LMI"),
    "scar formation: posterior wall": _states("PMI"),
    "stemi: anterior wall": _states("AMI"),
    "stemi: inferior wall": _states("IMI"),
    "stemi: lateral wall": _states("LMI"),
    "stemi: posterior wall": _states("PMI"),
    "ischemia: anterior wall": _states("ISCAN"),
    "ischemia: inferior wall": _states("ISCIN"),
    "ischemia: lateral wall": _states("ISCLA"),
}
_LUDB_BEGINNINGS: dict[str, Meaning] = {
    "electric axis of the heart:": NOTHING,
    "ventricular extrasystole,": _states("PVC"),
    "atrial extrasystole,": _states("PAC"),
    "unipolar ": _states("PACE"),
    "bipolar ": _states("PACE"),
    "biventricular pacing": _states("PACE"),
    "scar formation:": _is_a("MI"),  # of the septum or the apex
    "stemi:": _is_a("MI"),
    "ischemia:": _is_a("STTC"),
    "undefined ischemia/scar/supp.nstemi:": _leaves("MI STTC"),
    "non-specific repolarization abnormalities:": _is_a("STTC", "NST_ NDT NT_"),
}


def ludb_meaning(words: str) -> Meaning | None:
    """What one diagnosis of LUDB says, such as `Rhythm: Sinus rhythm.`; None for words that are not known."""
    plain = " ".join(words.lower().split()).rstrip(".")
    if plain in _LUDB_WORDS:
        return _LUDB_WORDS[plain]
    return next((meaning for start, meaning in _LUDB_BEGINNINGS.items() if plain.startswith(start)), None)
