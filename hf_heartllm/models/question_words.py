"""Words of questions: turns of phrase, abbreviations, and what may stand around the name of a finding.

Whatever word stands in no list, here or in `question_names`, makes a question one that is not understood: that is how
"acute", "old", "in lead V3" and other languages are declined.
"""

from __future__ import annotations


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Turns of phrase, replaced before single words are looked at; the longest first. They are looked for twice.
PHRASES: dict[str, str] = {
    # asking
    "answer yes or no": "",
    "answer with yes or no": "",
    "answer only yes or no": "",
    "answer only with yes or no": "",
    "just answer yes or no": "",
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
    "i am wondering": "",
    "as far as you can see": "",
    "be diagnosed": "be seen",
    "you diagnose": "you see",
    "most likely diagnosis": "diagnosis",
    "left sided": "left",
    "right sided": "right",
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
    # leads, and what only looks like a denial: words that are not known, so that the question is declined
    "in i": "in lead i",
    "of i": "of lead i",
    "at i": "at lead i",
    "no question": "unquestionably",
    "without question": "unquestionably",
    "no one": "nobody",
    # denying
    "r o": "rule out",
    "non specific": "nonspecific",
    "non diagnostic": "nondiagnostic",
    # normal
    "within normal limits": "normal",
    "within normal limit": "normal",
    "not normal": "abnormal",
    "all right": "alright",
    "completely normal": "normal",
    "perfectly normal": "normal",
    "totally normal": "normal",
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
    "beats per min": "bpm",
    "beats min": "bpm",
    "beats a minute": "bpm",
    "beat per minute": "bpm",
    # infarction and ischemia
    "heart attack": "infarction",
    "cardiac infarction": "infarction",
    "heart infarction": "infarction",
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
    "bundlebranch": "bundle branch",
    "atrio ventricular": "av",
    "heart block": "av block",
    "a v block": "av block",
    "intra ventricular": "intraventricular",
    "wolff parkinson white": "wpw",
    "wolf parkinson white": "wpw",
    "electrolyte disturbance or drugs": "electrolytesdrugs",
    # waves and intervals
    "la enlargement": "left atrial enlargement",
    "ra enlargement": "right atrial enlargement",
    "reduced voltage": "low voltage",
    "decreased voltage": "low voltage",
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
    "pacer": "pacemaker",
    "regularly": "regular",
    "irregularly": "irregular",
    "microvoltage": "low voltage",
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
    "lbbb": "left bundle branch block",
    "rbbb": "right bundle branch block",
    "clbbb": "complete left bundle branch block",
    "crbbb": "complete right bundle branch block",
    "ilbbb": "incomplete left bundle branch block",
    "irbbb": "incomplete right bundle branch block",
    "partial": "incomplete",
    "lafb": "left anterior fascicular block",
    "lahb": "left anterior hemiblock",
    "lpfb": "left posterior fascicular block",
    "lphb": "left posterior hemiblock",
    "fascicle": "fascicular",
    "ivcd": "intraventricular conduction delay",
    "1avb": "first degree av block",
    "2avb": "second degree av block",
    "3avb": "third degree av block",
    "chb": "complete av block",
    "avb": "av block",
    "atrioventricular": "av",
    "blocked": "block",
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
    "analysis": "interpret",
    "analyze": "interpret",
    "analyse": "interpret",
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
    a an the this that these those any some please pls plz kindly hi hello hey dear thanks thank so well quick is
    are was were be been being does do did has have got can could would may might shall there here it its he she
    they his her him their my i we our us you your me one patient person man woman subject individual cardiologist
    doctor physician opinion view case in on of for from to at by with as upon within via if true like want know
    knowing wonder wondering curious interested let think believe say tell asking ask question able fit fitting
    suffer suffering affected existence check confirm verify look looking find found detect detected recorded
    identify determine assess evaluate recognize recognizable see seen show showing shown suggest suggestive
    suggesting indicate indicating indicative point pointing suspect suspected suspicion suspicious concern
    concerning consistent compatible keeping reveal demonstrate display exhibit contain meet met fulfilled call
    appear appearing resemble resembling attached sign symptom evidence feature hint indication characteristic
    pattern picture presence present visible evident detectable apparent clear clearly obvious really actually
    currently now today possible possibly likely probable probably perhaps maybe positive according based basis make
    made given giving interval wall region segment kind sort also either rather
    """
)
PERSONS = _set("i he she they me him her you patient person man woman subject individual")
# These may stand around the name of what is asked for in an open question, and around a finding only before "if".
ASKING = _set("give name state list provide specify write read calculate estimate classify")
WHICH = frozenset({"what", "which"})
COMMANDS = ASKING | _set("tell identify determine count describe report")
AUXILIARIES = _set("is are was were does do did has have can could would may might any am isnt arent doesnt")
DENIALS = _set("no without absent lack exclude")
AND, OR = "and", frozenset({"or", "vs", "versus"})
SEEN = _set("present seen visible there evident shown found detectable detected apparent recognizable be")

# Of the words that may stand around a name, those in which a slip of the pen is put right.
LONG_FILLERS = _set(
    "evidence present visible patient suggestive consistent features electrocardiogram recording tracing"
)
# Real words one letter from one above; they are not taken for a slip of the pen.
NOT_SLIPS = _set("prevent prevented patent formal normals present presents interior venous regulate")
