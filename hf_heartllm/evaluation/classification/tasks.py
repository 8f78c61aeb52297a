"""The tasks and their prompts: ECG-LM's classes, asked as a choice among letters and as one yes/no question a class.

The classes of the three tasks and the wording of the letter choice are those of ECG-LM (Yang et al., "ECG-LM:
Understanding Electrocardiogram with a Large Language Model", Table 1). The paper prints no prompt for form: it is made
like the other two here. Its "Brachycardia" is written "Bradycardia".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...data.question import EVERY_RECORD, Question
from ...labels.scp import SUPERCLASSES, phrase

LETTERS, YES_NO = "letter choice", "yes/no"
FORMATS = (LETTERS, YES_NO)


@dataclass(frozen=True)
class Task:
    """One classification.

    Attributes:
        name: such as `"rhythm"`.
        classes: superclasses or SCP statements.
        options: words of each class in the letter choice.
    """

    name: str
    classes: tuple[str, ...]
    options: tuple[str, ...]

    @property
    def letters(self) -> tuple[str, ...]:
        """The letter of each class."""
        return tuple("ABCDEFGHIJ"[: len(self.classes)])

    def letter_question(self) -> str:
        """The prompt of the letter choice."""
        letters = self.letters
        options = " ".join(f"{letter}. {words}" for letter, words in zip(letters, self.options, strict=True))
        return (
            f"Based on the given ECG signal, please identify which type ({letters[0]}-{letters[-1]}) it belongs to. "
            f"{options} Please identify and choose one of {', '.join(letters[:-1])} or {letters[-1]} as answer"
        )

    def class_question(self, name: str) -> str:
        """The yes/no question about one class, worded as `dataset_builders.evaluation_questions` words it."""
        words = SUPERCLASSES[name] if self.name == "superclass" else phrase(name)
        return f"Does this ECG show {words}?"


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            "superclass",
            ("NORM", "MI", "STTC", "CD", "HYP"),
            ("Normal", "Myocardial Infarction", "ST/T Change", "Conduction Disturbance", "Hypertrophy"),
        ),
        Task(
            "rhythm",
            ("SR", "STACH", "SBRAD", "AFIB", "SARRH"),
            ("Sinus Rhythm", "Sinus Tachycardia", "Sinus Bradycardia", "Atrial Fibrillation", "Sinus Arrhythmia"),
        ),
        Task(
            "form",
            ("ABQRS", "NDT", "NST_", "DIG", "LNGQT"),
            (
                "Abnormal QRS",
                "Non-Diagnostic T Abnormalities",
                "Non-Specific ST Changes",
                "Digitalis Effect",
                "Long QT Interval",
            ),
        ),
    )
}
"""By name. Form has the five statements that ECG-LM names."""

Truth = Callable[[str], bool | None]
"""Class → whether a record has it; None where its labels leave that open."""


def only_class(task: Task, truth: Truth) -> str | None:
    """The record's class where it has exactly one of the task's and none is left open; else None.

    ECG-LM does not say how a record with several classes is mapped to one letter; here it is not asked for one.
    """
    found = [truth(name) for name in task.classes]
    return task.classes[found.index(True)] if found.count(True) == 1 and None not in found else None


def task_questions(task: Task, truth: Truth) -> list[Question]:
    """The letter choice, where the record has exactly one class, and yes or no for each class that is not left open.

    The letter choice has question type `"choose"` and the task's name as attribute, the others `"verify"` and the
    class.
    """
    questions = []
    single = only_class(task, truth)
    if single is not None:
        answer = task.letters[task.classes.index(single)]
        questions.append(Question(task.letter_question(), (answer,), task.letters, "choose", task.name, task.name))
    for name in task.classes:
        present = truth(name)
        if present is not None:
            words = ("no", "yes")
            asked = task.class_question(name), (words[present],), words, "verify", task.name, name
            questions.append(Question(*asked, question_set=EVERY_RECORD))
    return questions
