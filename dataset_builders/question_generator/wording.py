"""The wording of all questions that are made from labels. Lower-case phrases come from ``hf_heartllm.labels.scp``."""

from __future__ import annotations

from hf_heartllm.data.question import NOT_SURE

VERIFY = (
    "Does this ECG show {phrase}?",
    "Is there evidence of {phrase} in this ECG?",
    "Does the recording show {phrase}?",
    "Can {phrase} be seen in this ECG?",
    "Are there signs of {phrase} on this ECG?",
)
"""Yes-or-no questions about one statement or superclass; the first is the one evaluations ask."""

VERIFY_NORMAL = (
    VERIFY[0],
    "Is this ECG normal?",
    "Is this a normal ECG?",
    "Would you call this recording normal?",
)
"""Yes-or-no questions about the statement "normal ecg", which reads badly in some of the others."""

CHOOSE: dict[str, tuple[str, ...]] = {
    "rhythm": (
        "Which rhythm does this ECG show, {first} or {second}?",
        "Is the rhythm of this ECG {first} or {second}?",
        "What does this recording show: {first} or {second}?",
    ),
    "form": (
        "Which finding does this ECG show, {first} or {second}?",
        "Of {first} and {second}, which is present in this ECG?",
        "What does this recording show: {first} or {second}?",
    ),
    "diagnosis": (
        "Which diagnosis does this ECG suggest, {first} or {second}?",
        "Which does this ECG show, {first} or {second}?",
        "What does this recording show: {first} or {second}?",
    ),
    "superclass": (
        "Which class of diagnosis does this ECG suggest, {first} or {second}?",
        "Which does this ECG show, {first} or {second}?",
        "What does this recording show: {first} or {second}?",
    ),
}
"""Questions with two alternatives; the answer is one of them, both or none."""

QUERY: dict[str, tuple[str, ...]] = {
    "rhythm": (
        "What rhythm does this ECG show?",
        "What is the rhythm of this ECG?",
        "Which heart rhythm is seen in this recording?",
        "Name the rhythm of this ECG.",
    ),
    "form": (
        "Which findings of form does this ECG show?",
        "What abnormalities of the waveform are seen in this ECG?",
        "List the morphological findings of this ECG.",
        "Which changes of the waves and intervals does this recording show?",
    ),
    "diagnosis": (
        "Which diagnoses does this ECG suggest?",
        "What are the diagnostic statements for this ECG?",
        "List the diagnoses of this ECG.",
        "What diagnosis does this recording support?",
    ),
    "superclass": (
        "Which diagnostic superclasses does this ECG belong to?",
        "Which diagnostic classes does this ECG show?",
        "To which classes of diagnosis does this recording belong?",
        "Name the diagnostic superclasses of this ECG.",
    ),
}
"""Open questions about all statements of one category."""

NONE = "none"
BOTH = "both"
NO_YES = ("no", "yes")
NO_NOT_SURE_YES = ("no", NOT_SURE, "yes")
SEPARATOR = ", "

BEATS = {
    "heart rate": ("What is the heart rate?", "How many beats per minute does this ECG show?", "Give the heart rate."),
    "regularity": ("How regular are the heart beats?", "How regular is the rhythm?"),
    "number of beats": ("How many beats does this recording hold?", "Count the beats of this recording."),
    "longest RR interval": ("How long is the longest RR interval?",),
    "shortest RR interval": ("How long is the shortest RR interval?",),
}
"""Questions about the beats of a recording; their answers are measured."""


CHOOSE |= {
    "heart_axis": (
        "Which heart axis does this ECG show, {first} or {second}?",
        "Of {first} and {second}, which does this ECG show?",
        "What does this recording show: {first} or {second}?",
    ),
    "noise": (
        "Which kind of noise does this ECG show, {first} or {second}?",
        "Of {first} and {second}, which is present in this ECG?",
        "What disturbs this recording: {first} or {second}?",
    ),
    "noise_in_lead": (
        "Which does this ECG show, {first} or {second}?",
        "Of {first} and {second}, which is present in this ECG?",
        "What disturbs this recording: {first} or {second}?",
    ),
    "extra_systole": (
        "Which kind of extra beats does this ECG show, {first} or {second}?",
        "Of {first} and {second}, which is present in this ECG?",
        "What does this recording show: {first} or {second}?",
    ),
    "stage_of_infarction": (
        "Which stage does this ECG show, {first} or {second}?",
        "Of {first} and {second}, which does this ECG suggest?",
        "What does this recording show: {first} or {second}?",
    ),
}

QUERY |= {
    "heart_axis": (
        "What is the heart axis of this ECG?",
        "In which direction does the heart axis of this ECG point?",
        "Name the heart axis of this recording.",
    ),
    "noise": (
        "What kinds of noise does this ECG show?",
        "Which disturbances are there in this recording?",
        "Name the kinds of noise in this ECG.",
    ),
    "extra_systole": (
        "What kinds of extra beats does this ECG show?",
        "Which extra beats are seen in this recording?",
        "Name the kinds of extra beats in this ECG.",
    ),
    "stage_of_infarction": (
        "Which stage of myocardial infarction does this ECG show?",
        "At what stage is the myocardial infarction of this ECG?",
        "Name the stage of myocardial infarction that this recording shows.",
    ),
}

QUERY_LEADS = (
    "Which leads of this ECG show {noise}?",
    "In which leads is there {noise}?",
    "Name the leads with {noise}.",
)
QUERY_NOISE_OF_LEAD = (
    "What kinds of noise does lead {lead} of this ECG show?",
    "Which disturbances are there in lead {lead}?",
    "Name the kinds of noise in lead {lead}.",
)

VERIFY_RANGE = (
    "Is the {feature} of this ECG {range}?",
    "Does the {feature} lie {range} in this ECG?",
    "Would you say that the {feature} of this recording is {range}?",
)
"""Yes-or-no questions about a duration and its normal range."""

CHOOSE_RANGE = (
    "Is the {feature} of this ECG {first} or {second}?",
    "Where does the {feature} of this ECG lie, {first} or {second}?",
    "Which is true of the {feature} of this recording: {first} or {second}?",
)
QUERY_RANGE = (
    "Where does the {feature} of this ECG lie relative to its normal range?",
    "How does the {feature} of this ECG compare with its normal range?",
    "Is the {feature} of this recording normal, too short or too long?",
)
QUERY_FEATURES = (
    "Which durations of this ECG are {range}?",
    "Which of its intervals and durations are {range} in this ECG?",
    "Name the durations of this recording that are {range}.",
)

VERIFY_CHANGE = {
    "new": (
        "Compared with the first ECG, does the second newly show {phrase}?",
        "Does the second ECG show {phrase} where the first did not?",
        "Can {phrase} be seen in the second ECG, but not in the first?",
    ),
    "gone": (
        "Compared with the first ECG, does the second no longer show {phrase}?",
        "Does the first ECG show {phrase} where the second does not?",
        "Can {phrase} be seen in the first ECG, but not in the second?",
    ),
    "same": (
        "Does the second ECG still show {phrase}, as the first does?",
        "Do both the first ECG and the second show {phrase}?",
        "Can {phrase} be seen in both ECGs?",
    ),
}
"""Yes-or-no questions that compare two ECGs."""

QUERY_CHANGE = {
    "new": (
        "Compared with the first ECG, which {names} are new in the second?",
        "Which {names} does the second ECG show that the first does not?",
        "Name the {names} that have appeared in the second ECG, compared with the first.",
    ),
    "gone": (
        "Compared with the first ECG, which {names} have disappeared in the second?",
        "Which {names} does the first ECG show that the second does not?",
        "Name the {names} that are no longer seen in the second ECG, compared with the first.",
    ),
    "same": (
        "Which {names} of the first ECG are still seen in the second?",
        "Which {names} do the first ECG and the second have in common?",
        "Compared with the first ECG, which {names} does the second still show?",
    ),
}
"""Open questions that compare two ECGs."""

NAMES = {
    "rhythm": "rhythms",
    "form": "findings of form",
    "diagnosis": "diagnoses",
    "superclass": "classes of diagnosis",
    "extra_systole": "kinds of extra beats",
    "noise": "kinds of noise",
    "numeric_feature": "abnormal durations",
}
"""What the attributes of a type are called in the questions of ``QUERY_CHANGE``."""
