"""What findings are called, and the words that may stand around their names: lists for `question_understanding`.

A name is a set of words after `question_text.content`, so their order does not matter and plurals, British spellings
and abbreviations stand here once. "a|b" is either word, "a|-" the word or none. Whatever word stands in no list makes a
question one that is not understood: that is how "acute", "old", "in lead V3" and other languages are declined.
"""

from __future__ import annotations

import itertools


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Abbreviations and turns of phrase, replaced before single words are looked at; the longest first.
PHRASES: dict[str, str] = {
    # asking
    "yes or no": "",
    "yes no": "",
    "or not": "",
    "present or absent": "present",
    "absent or present": "present",
    "regular or irregular": "regular",
    "irregular or regular": "regular",
    "right now": "",
    "at the moment": "",
    "at all": "",
    "i need to know": "",
    "have a look and": "",
    "take a look and": "",
    "have a look": "",
    "take a look": "",
    "look at this ecg and": "",
    "thank you": "",
    "12 lead": "",
    "twelve lead": "",
    "of any kind": "",
    "any kind of": "",
    "too long": "prolonged",
    # denying
    "r o": "rule out",
    "non specific": "nonspecific",
    "non diagnostic": "nondiagnostic",
    # normal
    "within normal limits": "normal",
    "within normal limit": "normal",
    "not normal": "abnormal",
    "no abnormality": "normal",
    "no abnormalities": "normal",
    "no abnormal findings": "normal",
    "without abnormality": "normal",
    "without abnormalities": "normal",
    "without any abnormality": "normal",
    "free of abnormality": "normal",
    "free of abnormalities": "normal",
    "free of any abnormality": "normal",
    "nothing abnormal": "normal",
    "nothing wrong": "normal",
    "without pathological findings": "normal",
    # rhythm
    "a fib": "atrial fibrillation",
    "atrial fib": "atrial fibrillation",
    "sinus tach": "sinus tachycardia",
    "sinus brady": "sinus bradycardia",
    "supra ventricular": "supraventricular",
    "r r": "rr",
    "heart beat": "heartbeat",
    "heart beats": "heartbeat",
    "beats per minute": "bpm",
    "beats a minute": "bpm",
    "beat per minute": "bpm",
    # infarction and ischemia
    "heart attack": "infarction",
    "cardiac infarction": "infarction",
    "myocardial infarction": "infarction",
    "myocardial infarct": "infarction",
    "myocardial ischemia": "ischemia",
    "myocardial ischaemia": "ischemia",
    "antero septal": "anteroseptal",
    "antero lateral": "anterolateral",
    "infero lateral": "inferolateral",
    "infero posterior": "inferoposterior",
    "infero postero lateral": "inferoposterolateral",
    "sub endocardial": "subendocardial",
    # conduction
    "bundle branch block": "bbb",
    "bundle branch blocks": "bbb",
    "bundlebranch block": "bbb",
    "bundle block": "bbb",
    "atrio ventricular block": "avb",
    "atrioventricular block": "avb",
    "av block": "avb",
    "heart block": "avb",
    "intra ventricular": "intraventricular",
    "wolff parkinson white": "wpw",
    "wolf parkinson white": "wpw",
    "electrolyte disturbance or drugs": "electrolytesdrugs",
    # waves and intervals
    "corrected qt": "qtc",
    "p r": "pr",
    "p q": "pr",
    "t waves": "twave",
    "t wave": "twave",
    "twaves": "twave",
    "q waves": "qwave",
    "q wave": "qwave",
    "st segments": "st",
    "st segment": "st",
}

# One word → what it stands for. Words of negation and of asking stay as they are.
WORDS: dict[str, str] = {
    "ekg": "ecg",
    "electrocardiogram": "ecg",
    "cardiogram": "ecg",
    "tracing": "ecg",
    "trace": "ecg",
    "recording": "ecg",
    "record": "ecg",
    "strip": "ecg",
    "graph": "ecg",
    "af": "atrial fibrillation",
    "afib": "atrial fibrillation",
    "auricular": "atrial",
    "atrium": "atrial",
    "atria": "atrial",
    "fibrillating": "fibrillation",
    "aflutter": "atrial flutter",
    "aflt": "atrial flutter",
    "afl": "atrial flutter",
    "tachy": "tachycardia",
    "tachycardic": "tachycardia",
    "brady": "bradycardia",
    "bradycardic": "bradycardia",
    "stach": "sinus tachycardia",
    "sbrad": "sinus bradycardia",
    "sarrh": "sinus arrhythmia",
    "nsr": "normal sinus",
    "sr": "sinus",
    "svt": "supraventricular tachycardia",
    "psvt": "paroxysmal supraventricular tachycardia",
    "pacing": "paced",
    "bigeminal": "bigeminy",
    "bigeminus": "bigeminy",
    "bigemini": "bigeminy",
    "trigeminal": "trigeminy",
    "trigeminus": "trigeminy",
    "trigemini": "trigeminy",
    "norm": "normal",
    "wnl": "normal",
    "mi": "infarction",
    "imi": "inferior infarction",
    "infarct": "infarction",
    "ischemic": "ischemia",
    "lbbb": "left bbb",
    "rbbb": "right bbb",
    "clbbb": "complete left bbb",
    "crbbb": "complete right bbb",
    "ilbbb": "incomplete left bbb",
    "irbbb": "incomplete right bbb",
    "partial": "incomplete",
    "lafb": "left anterior fascicular block",
    "lahb": "left anterior hemiblock",
    "lpfb": "left posterior fascicular block",
    "lphb": "left posterior hemiblock",
    "fascicle": "fascicular",
    "ivcd": "intraventricular conduction delay",
    "1avb": "first degree avb",
    "2avb": "second degree avb",
    "3avb": "third degree avb",
    "chb": "complete avb",
    "1st": "first",
    "2nd": "second",
    "3rd": "third",
    "lvh": "left ventricular hypertrophy",
    "rvh": "right ventricular hypertrophy",
    "lae": "left atrial enlargement",
    "rae": "right atrial enlargement",
    "lv": "left ventricular",
    "rv": "right ventricular",
    "ventricle": "ventricular",
    "septum": "septal",
    "hypertrophied": "hypertrophy",
    "hypertrophic": "hypertrophy",
    "enlarged": "enlargement",
    "dilated": "enlargement",
    "dilation": "enlargement",
    "dilatation": "enlargement",
    "overload": "enlargement",
    "disturbed": "disturbance",
    "disorder": "disturbance",
    "defect": "disturbance",
    "delay": "disturbance",
    "pvc": "ventricular premature complex",
    "vpc": "ventricular premature complex",
    "vpb": "ventricular premature complex",
    "pvb": "ventricular premature complex",
    "ves": "ventricular extrasystole",
    "veb": "ventricular ectopy",
    "pac": "atrial premature complex",
    "apc": "atrial premature complex",
    "apb": "atrial premature complex",
    "ectopic": "ectopy",
    "ectopics": "ectopy",
    "contraction": "complex",
    "depolarization": "complex",
    "extrasystolic": "extrasystole",
    "pq": "pr",
    "long": "prolonged",
    "prolongation": "prolonged",
    "lengthened": "prolonged",
    "pathologic": "pathological",
    "depressed": "depression",
    "elevated": "elevation",
    "inversion": "inverted",
    "flattened": "flat",
    "flattening": "flat",
    "unspecific": "nonspecific",
    "digoxin": "digitalis",
    "digitoxin": "digitalis",
    "dig": "digitalis",
    "alteration": "change",
    "twi": "inverted twave",
    "diagnoses": "diagnosis",
    "heartbeats": "heartbeat",
    "beating": "beat",
    "interpretation": "interpret",
    "summarize": "summary",
    "describing": "describe",
    "maximum": "longest",
    "maximal": "longest",
    "minimum": "shortest",
    "minimal": "shortest",
    "absence": "absent",
    "lacking": "lack",
    "ruled": "rule",
    "rules": "rule",
    "ruling": "rule",
    "excluded": "exclude",
    "excludes": "exclude",
    "electrocardiographic": "ecg",
    "whether": "if",
    "criteria": "criterion",
}

# Words that may stand around a name without changing what is asked.
FILLERS = _set(
    """
    a an the this that these those any some please kindly hi hello hey dear thanks thank
    is are was were be being does do did has have having can could would may might shall am
    there here it its he she they his her him their my i we our us you your me one
    patient person man woman subject individual cardiologist doctor physician
    in on of for from to at by with as about upon within
    if true like want know knowing wonder wondering let think believe say tell asking ask question
    check confirm verify look looking find detect identify determine assess evaluate recognize recognizable
    see seen show showing shown suggest suggestive suggesting suggests indicate indicating indicates point pointing
    consistent compatible reveal demonstrate display exhibit contain have meet met fulfilled call appear appearing
    sign evidence feature hint indication pattern picture presence present visible evident detectable apparent clear
    clearly obvious really actually currently now today possible possibly likely probable probably perhaps maybe
    positive according based made make given giving give name state list provide specify write read
    interval wall region segment kind also either rather
    """
)

WHICH = frozenset({"what", "which"})
COMMANDS = _set("name give state list provide specify write tell identify determine count describe report")
AUXILIARIES = _set("is are was were does do did has have can could would may might any am isnt arent doesnt")
DENIALS = _set("no without absent lack exclude missing")
AND, OR = "and", frozenset({"or", "vs", "versus"})
SEEN = _set("present seen visible there evident shown found detectable detected apparent recognizable be")

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
    "PACE": ("artificial|electronic|cardiac|- pacemaker rhythm|-", "artificial|electronic|- paced rhythm|-"),
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
    "INJAS": ("anteroseptal subendocardial injury",),
    "INJAL": ("anterolateral subendocardial injury",),
    "INJLA": ("lateral subendocardial injury",),
    "INJIN": ("inferior subendocardial injury",),
    "INJIL": ("inferolateral subendocardial injury",),
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
    "CLBBB": ("complete|- left bbb",),
    "ILBBB": ("incomplete left bbb",),
    "CRBBB": ("complete|- right bbb",),
    "IRBBB": ("incomplete right bbb",),
    "LAFB": ("left anterior fascicular block", "left anterior hemiblock"),
    "LPFB": ("left posterior fascicular block", "left posterior hemiblock"),
    "IVCD": ("nonspecific|- intraventricular conduction disturbance|abnormality|block",),
    "1AVB": ("first degree avb|block",),
    "2AVB": ("second degree avb|block",),
    "3AVB": ("third degree avb|block", "complete avb", "complete third degree avb"),
    "WPW": ("wpw syndrome|-",),
    "LVH": ("left ventricular hypertrophy",),
    "RVH": ("right ventricular hypertrophy",),
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
    "QWAVE": ("pathological|abnormal qwave",),
    "LVOLT": ("low qrs|- voltage complex|-",),
    "HVOLT": ("high qrs|- voltage complex|-",),
    "VCLVH": ("voltage criterion left ventricular hypertrophy",),
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
}
for _region, (_infarction, _ischemia) in _REGIONS.items():
    NAMES[_infarction] = (f"{_region} infarction",)
    if _ischemia is not None:
        NAMES[_ischemia] = (f"{_region} ischemia change|-",)

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
    ("heart|cardiac|- rhythm", ("query", "rhythm", "rhythm"), False),
    ("how|- heart|ventricular|pulse|cardiac|- rate", ("query", "beats", "heart rate"), False),
    ("how|- fast|- pulse", ("query", "beats", "heart rate"), False),
    ("hr", ("query", "beats", "heart rate"), False),
    ("how|- many|- bpm", ("query", "beats", "heart rate"), False),
    ("how fast heart beat|-", ("query", "beats", "heart rate"), False),
    ("heart|cardiac frequency", ("query", "beats", "heart rate"), False),
    ("how|- regular|irregular heart|- rhythm|pulse|heartbeat|beat", ("query", "beats", "regularity"), True),
    ("regular|irregular", ("query", "beats", "regularity"), True),
    ("regularity heart|- rhythm|pulse|heartbeat|beat|-", ("query", "beats", "regularity"), False),
    ("how many beat|heartbeat", ("query", "beats", "number of beats"), False),
    ("how many qrs complex", ("query", "beats", "number of beats"), False),
    ("number|count beat|heartbeat", ("query", "beats", "number of beats"), False),
    ("how|- prolonged|- longest rr", ("query", "beats", "longest RR interval"), False),
    ("how|- prolonged|- shortest rr", ("query", "beats", "shortest RR interval"), False),
    ("diagnosis", ("query", "diagnosis", "diagnosis"), False),
    ("diagnostic statement", ("query", "diagnosis", "diagnosis"), False),
    ("diagnostic class|superclass", ("query", "superclass", "superclass"), False),
    ("class diagnosis", ("query", "superclass", "superclass"), False),
    ("form|morphological finding", ("query", "form", "form"), False),
    ("waveform abnormality|change", ("query", "form", "form"), False),
    ("report ecg|-", ("report", "report", "report"), False),
    ("describe|interpret|summary ecg|-", ("report", "report", "report"), False),
    ("finding ecg|-", ("report", "report", "report"), False),
)

# Real words one letter from one above; they are not taken for a slip of the pen.
NOT_SLIPS = _set("prevent prevented patent formal normals present presents interior venous regulate")


def spelled_out(pattern: str) -> set[frozenset[str]]:
    """All sets of words that a name in the notation above stands for."""
    choices = [part.split("|") for part in pattern.split()]
    return {frozenset(word for word in chosen if word != "-") for chosen in itertools.product(*choices)}
