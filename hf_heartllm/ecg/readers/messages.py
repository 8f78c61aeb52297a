"""What readers say: errors and warnings of one line that stays short whatever stands in the file."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable

from ...models.ecg_record import ECGWarning
from ...models.printable_text import printable

LONGEST = 300  # characters of a message
MOST_SAMPLES = 1 << 30  # of all leads together, read at once: a day of twelve leads at 1,000 Hz
_LONGEST_NAMES = 110  # characters of the names listed in one


def one_line(message: str) -> str:
    """A message as one line of at most 300 characters; a long path loses its beginning, the rest its end.

    What a terminal would act on (escape sequences in a file's names) is spelt out.
    """
    line = printable(" ".join(message.split()))
    if len(line) <= LONGEST:
        return line
    where, mark, what = line.partition(": ")
    if mark and len(where) > 100:
        room = max(100, LONGEST - len(mark) - len(what))
        line = f"…{where[1 - room :]}{mark}{what}" if len(where) > room else line
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def listed(names: Iterable[str]) -> str:
    """Names with commas, cut to a readable number: `I, II, III and 180 more`."""
    names = [name if len(name) <= 30 else name[:29] + "…" for name in names]
    shown = len(names)
    while shown > 1 and len(", ".join(names[:shown])) > _LONGEST_NAMES:
        shown -= 1 if shown < 50 else shown // 2
    rest = f" and {len(names) - shown} more" if shown < len(names) else ""
    return ", ".join(names[:shown]) + rest


def repeated(names: Iterable[str]) -> list[str]:
    """The names that stand there more than once, each once."""
    return [name for name, count in Counter(names).items() if count > 1]


def warn(message: str) -> None:
    """Say something about a recording that is read all the same."""
    warnings.warn(one_line(message), ECGWarning, stacklevel=3)
