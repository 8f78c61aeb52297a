"""What a model saw in training of what it is tested on: without it a classification by prompt cannot be judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...models.trained_wordings import OTHER_QUESTIONS
from .tasks import FORMATS

LABELS, REPORT_TEXT, PROMPT_FORMAT, NOTHING = "labels", "report text", "prompt format", "nothing"
NAMES = (LABELS, REPORT_TEXT, OTHER_QUESTIONS, *FORMATS)


@dataclass(frozen=True)
class Seen:
    """What was seen.

    Attributes:
        what: some of `NAMES`; None if it is not known.
    """

    what: frozenset[str] | None

    def words(self, prompt_format: str) -> str:
        """For a row of this format: what was seen and what not; opens with "zero-shot" only where that is so."""
        if self.what is None:
            return "what was seen in training is unknown"
        parts = ((LABELS, LABELS), (REPORT_TEXT, REPORT_TEXT), (PROMPT_FORMAT, prompt_format))
        told = ", ".join(f"{words} {'seen' if name in self.what else 'not seen'}" for words, name in parts)
        return f"zero-shot: {told}" if self.zero_shot(prompt_format) else told

    def zero_shot(self, prompt_format: str) -> bool:
        """Whether neither labels nor this prompt format were seen; never where it is not known."""
        return self.what is not None and not self.what & {LABELS, prompt_format}


def read_seen(names: Iterable[str]) -> Seen:
    """What was seen, from words: some of `NAMES`; `prompt format` is both formats, `nothing` alone is nothing.

    Raises:
        ValueError: for another word, or `nothing` beside something.
    """
    given = [name.strip() for name in names if name.strip()]
    if given == [NOTHING]:
        return Seen(frozenset())
    found: set[str] = set()
    for name in given:
        if name == PROMPT_FORMAT:
            found.update(FORMATS)
        elif name in NAMES:
            found.add(name)
        else:
            raise ValueError(f"{name!r} is none of {', '.join(NAMES)}, {PROMPT_FORMAT}, or {NOTHING} alone")
    if not found:
        raise ValueError(f"name some of {', '.join(NAMES)}, {PROMPT_FORMAT}, or {NOTHING}")
    return Seen(frozenset(found))


def seen_of(model: Any) -> Seen:
    """What a checkpoint's configuration says (`seen_in_training`); unknown where it says nothing."""
    said = getattr(model.config, "seen_in_training", None)
    return Seen(None) if said is None else read_seen(said or [NOTHING])
