"""The choice among letters that `heartllm evaluate classify` asks for, as a question of training."""

from __future__ import annotations

import random
from collections.abc import Collection

from hf_heartllm.evaluation.classification.tasks import TASKS, only_class
from hf_heartllm.labels.scp import SUPERCLASSES, phrase

from .turn import Turn

WORDS = {name: SUPERCLASSES.get(name) or phrase(name) for task in TASKS.values() for name in task.classes}
"""Class → its words in questions and answers."""


def letter_turn(words: Collection[str], rng: random.Random) -> Turn | None:
    """One of the choices that a record has an answer to: those of a task of which it has exactly one class.

    Args:
        words: of all statements and superclasses that the record has, as `WORDS` has them.
        rng: of the draw among the tasks.

    Returns:
        The question with the letter as its answer; None where no task has one.
    """
    choices = {task: only_class(task, lambda name: WORDS[name] in words) for task in TASKS.values()}
    answered = [(task, name) for task, name in choices.items() if name is not None]
    if not answered:
        return None
    task, name = rng.choice(answered)
    return Turn(task.letter_question(), task.letters[task.classes.index(name)])
