"""What findings and quantities are called in questions.

A name is a set of words after `question_text.replaced`, so that their order does not matter, and plurals, British
spellings and abbreviations stand in `question_words` once. "a|b" is either word, "a|-" the word or none.
"""

from __future__ import annotations

import itertools

_REGIONS = {
    "anterior": ("AMI", "ISCAN"),
    "anteroseptal": ("ASMI", "ISCAS"),
    "anterolateral": ("ALMI", "ISCAL"),
    "inferior": ("IMI", "ISCIN"),
    "inferolateral": ("ILMI", "ISCIL"),
    "inferoposterior": ("IPMI", None),
    "inferoposterolateral": ("IPLMI", None),
    "lateral": ("LMI", "ISCLA"),
    "posterior": ("PMI", None),
}

# SCP code or superclass → its names. Findings that are something else, or more of it, are not among them.
NAMES: dict[str, tuple[str, ...]] = {
    "SR": ("sinus rhythm|-", "normal sinus rhythm|-"),
    "AFIB": ("atrial fibrillation",),
    "AFLT": ("atrial|- flutter", "flutter wave", "atrial flutter wave"),
    "STACH": ("sinus tachycardia",),
    "SBRAD": ("sinus bradycardia",),
    "SARRH": ("sinus arrhythmia",),
    "SVARR": ("supraventricular arrhythmia",),
    "SVTAC": ("supraventricular tachycardia",),
    "PSVT": ("paroxysmal supraventricular tachycardia",),
    "PACE": (
        "artificial|electronic|cardiac|- pacemaker rhythm|-",
        "normal functioning artificial pacemaker",
        "artificial|electronic|- paced rhythm|beat|complex|-",
    ),
    "BIGU": ("bigeminy",),
    "TRIGU": ("trigeminy",),
    "NORM": (
        "normal ecg|-",
        "everything normal|fine|ok|okay|alright ecg|-",
        "normal|healthy|fine|ok|okay|alright|unremarkable heart|- ecg",
        "normal|healthy heart ecg",
        "unremarkable",
    ),
    "MI": ("infarction",),
    "INJAS": ("anteroseptal subendocardial injury lead|-",),
    "INJAL": ("anterolateral subendocardial injury lead|-",),
    "INJLA": ("lateral subendocardial injury lead|-",),
    "INJIN": ("inferior subendocardial injury lead|-",),
    "INJIL": ("inferolateral subendocardial injury lead|-",),
    "ISC_": (
        "nonspecific|- ischemia change|-",
        "nonspecific|- ischemia st change",
        "nonspecific|- ischemia st t change",
    ),
    "NST_": ("nonspecific st change|abnormality",),
    "NDT": ("nondiagnostic twave|t abnormality|change",),
    "DIG": ("digitalis effect|change",),
    "LNGQT": ("prolonged qt|qtc",),
    "EL": ("st t change electrolytesdrugs",),
    "ANEUR": ("st t change ventricular aneurysm",),
    "CLBBB": ("complete|- left bundle branch|- block", "complete|- left branch block"),
    "ILBBB": ("incomplete left bundle branch|- block", "incomplete left branch block"),
    "CRBBB": ("complete|- right bundle branch|- block", "complete|- right branch block"),
    "IRBBB": ("incomplete right bundle branch|- block", "incomplete right branch block"),
    "LAFB": ("left anterior fascicular block", "left anterior hemiblock"),
    "LPFB": ("left posterior fascicular block", "left posterior hemiblock"),
    "IVCD": (
        "nonspecific|- intraventricular block",
        "nonspecific|- intraventricular conduction disturbance|abnormality|block|problem",
        "nonspecific intraventricular conduction disturbance block",
    ),
    "1AVB": ("first degree av|- block",),
    "2AVB": ("second degree av|- block",),
    "3AVB": ("third degree av|- block", "complete av block", "complete third degree av|- block"),
    "WPW": ("wpw syndrome|-",),
    "LVH": ("left ventricular hypertrophy", "left ventricular hypertrophy criterion"),
    "RVH": ("right ventricular hypertrophy", "right ventricular hypertrophy criterion"),
    "SEHYP": ("septal hypertrophy",),
    "LAO/LAE": ("left atrial enlargement|hypertrophy|abnormality", "p mitrale"),
    "RAO/RAE": ("right atrial enlargement|hypertrophy|abnormality", "p pulmonale"),
    "PVC": (
        "ventricular premature complex|beat|systole",
        "ventricular extrasystole",
        "ventricular ectopy beat|complex|-",
    ),
    "PAC": ("atrial premature complex|beat|systole", "atrial extrasystole", "atrial ectopy beat|complex|-"),
    "PRC(S)": ("premature complex|beat unknown origin",),
    "LPR": ("prolonged pr",),
    "ABQRS": ("abnormal qrs complex|-",),
    "QWAVE": ("pathological|abnormal qwave|q",),
    "LVOLT": ("low qrs|- voltage complex|-",),
    "HVOLT": ("high qrs|- voltage complex|-",),
    "VCLVH": ("voltage criterion left ventricular hypertrophy qrs|-",),
    "STE_": ("nonspecific|- st elevation",),
    "STD_": ("nonspecific|- st depression",),
    "INVT": ("inverted|negative twave|t",),
    "LOWT": ("low|flat amplitude|- twave|t",),
    "TAB_": ("twave|t abnormality|abnormal|change",),
    "NT_": ("nonspecific twave|t change|abnormality",),
    "STTC": (
        "st t change|abnormality",
        "st twave change|abnormality",
        "repolarization change|abnormality|disturbance",
    ),
    "CD": ("conduction disturbance|abnormality|problem",),
    "HYP": ("hypertrophy",),
    "baseline drift": ("baseline drift|wander|wandering",),
}
for _region, (_infarction, _ischemia) in _REGIONS.items():
    NAMES[_infarction] = (f"{_region} infarction lead|-",)
    if _ischemia is not None:
        NAMES[_ischemia] = (f"{_region} ischemia change|- lead|-",)

# Names of the opposite: a yes to these is a no to the finding.
OPPOSITES: dict[str, tuple[str, ...]] = {
    "NORM": (
        "abnormal|pathological ecg|-",
        "anything|something|- abnormal|wrong ecg|-",
        "abnormality ecg|-",
        "abnormal|pathological finding ecg|-",
    ),
}

# Open questions: what they name → (question type, attribute type, attribute); the last says whether a question that
# opens like a yes/no question may be meant.
OPEN: tuple[tuple[str, tuple[str, str, str], bool], ...] = (
    ("heart|cardiac|- rhythm type|-", ("query", "rhythm", "rhythm"), False),
    ("how|- heart|ventricular|pulse|cardiac|- rate bpm|-", ("query", "beats", "heart rate"), False),
    ("how|- fast|- pulse", ("query", "beats", "heart rate"), False),
    ("hr bpm|-", ("query", "beats", "heart rate"), False),
    ("how|- many|- bpm", ("query", "beats", "heart rate"), False),
    ("how high heart|pulse rate", ("query", "beats", "heart rate"), False),
    ("how fast heart|heartbeat beat|-", ("query", "beats", "heart rate"), False),
    ("heart|cardiac frequency", ("query", "beats", "heart rate"), False),
    ("how|- regular|irregular heart|- rhythm|pulse|heartbeat|beat|rr", ("query", "beats", "regularity"), True),
    ("how|- regular|irregular", ("query", "beats", "regularity"), True),
    ("regularity heart|- rhythm|pulse|heartbeat|beat|-", ("query", "beats", "regularity"), False),
    ("how many beat|heartbeat count|-", ("query", "beats", "number of beats"), False),
    ("how many qrs complex", ("query", "beats", "number of beats"), False),
    ("number|count qrs complex", ("query", "beats", "number of beats"), False),
    ("number|count beat|heartbeat", ("query", "beats", "number of beats"), False),
    ("how|- prolonged|- longest rr", ("query", "beats", "longest RR interval"), False),
    ("how|- prolonged|- shortest rr", ("query", "beats", "shortest RR interval"), False),
    ("diagnosis", ("query", "diagnosis", "diagnosis"), False),
    ("diagnostic statement", ("query", "diagnosis", "diagnosis"), False),
    ("diagnostic class|superclass", ("query", "superclass", "superclass"), False),
    ("class diagnosis", ("query", "superclass", "superclass"), False),
    ("form|morphological finding", ("query", "form", "form"), False),
    ("waveform abnormality|change", ("query", "form", "form"), False),
    ("full|short|complete|- report ecg|-", ("report", "report", "report"), False),
    ("describe|interpret|summary short|brief|- ecg|-", ("report", "report", "report"), False),
    ("abnormality ecg|-", ("report", "report", "report"), False),
    ("finding ecg|-", ("report", "report", "report"), False),
)


def spelled_out(pattern: str) -> set[frozenset[str]]:
    """All sets of words that a name in the notation above stands for."""
    choices = [part.split("|") for part in pattern.split()]
    return {frozenset(word for word in chosen if word != "-") for chosen in itertools.product(*choices)}
