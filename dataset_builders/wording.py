"""The wording of all questions that are made from labels. Lower-case phrases come from ``hf_heartllm.labels.scp``."""

from __future__ import annotations

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

CHOOSE = {
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

QUERY = {
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
SEPARATOR = ", "

BEATS = {
    "heart rate": ("What is the heart rate?", "How many beats per minute does this ECG show?", "Give the heart rate."),
    "regularity": ("How regular are the heart beats?", "How regular is the rhythm?"),
    "number of beats": ("How many beats does this recording hold?", "Count the beats of this recording."),
    "longest RR interval": ("How long is the longest RR interval?",),
    "shortest RR interval": ("How long is the shortest RR interval?",),
}
"""Questions about the beats of a recording; their answers are measured."""
