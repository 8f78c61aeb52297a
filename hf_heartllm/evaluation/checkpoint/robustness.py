"""What disturbed recordings do to a checkpoint's answers: exact match and AUROC, beside the undisturbed ones."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ...data.record import Record
from ...inference import Answerer
from ...models.ecg_reading import Reading
from ...models.ecg_record import ECGError, ECGWarning
from ..answered import Answered
from ..answering import Asker, Ecgs, each_once
from ..answers import EXACT
from ..conditions import REAL, WITH_ECG
from ..controlled import ControlledResult, interval_documents
from ..held_out import check_some_balanced, read_held_out
from ..intervals import Bootstrap, Interval, Settings
from ..people import id_number
from ..provenance import Checkpoint
from ..runner import Evaluation, difference_section
from ..settings import RobustnessSettings
from .corruptions import Corruption, corruptions
from .figures import auroc_results, measured_answers

UNDISTURBED = "undisturbed"


def evaluate_robustness(checkpoint: Checkpoint, settings: RobustnessSettings, parts: Path) -> Evaluation:
    """Ask the same questions about the same recordings, disturbed in every way.

    Under another patient's ECG that one is disturbed likewise. The controls without an ECG are asked once.

    Args:
        checkpoint: what is evaluated.
        settings: see `RobustnessSettings`.
        parts: folder for partial results, one folder a corruption.

    Raises:
        ValueError: if a patient of training is among the records, a kind is unknown, or the folder holds partial
            results of another run.
    """
    tried = chosen(settings.kinds)
    held_out = read_held_out(settings)
    asked, bootstrap = held_out.asked, settings.bootstrap
    check_some_balanced(asked, settings.questions)
    run = held_out.run("robustness", checkpoint, parts)
    undisturbed = replace(run.asker, folder=parts / UNDISTURBED).answers(asked)
    tables = _results(undisturbed, UNDISTURBED, bootstrap)
    changes: dict[str, Interval] = {}
    refused = []
    for corruption in tried:
        asker = replace(
            run.asker,
            ecg_of=_disturbed(checkpoint.answerer, settings.seed, corruption),
            ecgs=f"{run.asker.ecgs}, {corruption.name}",
            folder=parts / re.sub(r"[^a-z0-9.]+", "-", corruption.name.lower()),
        )
        plain = undisturbed
        try:
            answered = plain.with_conditions(asker.answers(asked, WITH_ECG))
        except ECGError as error:
            reason = str(error).rpartition(": ")[2]  # without the record's place on this machine
            kept = [one for one in asked if _is_read(asker, one.record)]
            if all(question.every_record for one in kept for question in one.questions):
                refused.append(f"{corruption.name}: the codec does not take such recordings ({reason}).")
                continue
            lost = f"{len(asked) - len(kept)} of {len(asked)} recordings are refused then and left out"
            refused.append(f"{corruption.name}: {lost} ({reason}).")
            plain = replace(run.asker, folder=asker.folder / UNDISTURBED).answers(kept)
            answered = plain.with_conditions(replace(asker, folder=asker.folder / "read").answers(kept, WITH_ECG))
        for title, rows in _results(answered, corruption.name, bootstrap).items():
            tables[title] += rows
        drawn = Bootstrap(answered.patients[answered.balanced], **bootstrap)
        disturbed, plainly = (drawn.mean(one.right[REAL][one.balanced]) for one in (answered, plain))
        changes[corruption.name] = disturbed.minus(plainly)
    notes = [
        "Change: exact match on the disturbed recording less that on the undisturbed one, paired by question.",
        f"The recordings have {settings.sampling_rate} Hz: at a higher rate nothing is added above half of that.",
        "Another patient's ECG is disturbed likewise; without an ECG nothing is, so those columns stand still.",
        *held_out.notes(),
        *refused,
    ]
    sections = difference_section("Change against the undisturbed recordings", "corruption", changes)
    found = {"changes": interval_documents(changes)}
    return Evaluation(run, "Disturbed recordings answered", tables, notes, found, sections)


def chosen(kinds: Sequence[str] | None) -> list[Corruption]:
    """The corruptions of these kinds, all for None.

    Raises:
        ValueError: if a kind is unknown.
    """
    every = corruptions()
    known = list(dict.fromkeys(one.kind for one in every))
    for kind in kinds or ():
        if kind not in known:
            raise ValueError(f"no corruption {kind!r}; there are {', '.join(known)}")
    return [one for one in every if kinds is None or one.kind in kinds]


def _is_read(asker: Asker, record: Record) -> bool:
    with suppress(ECGError):
        asker.ecg_of(record)
        return True
    return False


def _disturbed(answerer: Answerer, seed: int, corruption: Corruption) -> Ecgs:
    """Reads a record's disturbed recording, each once."""

    def read(record: Record) -> Reading:
        signal = corruption.apply(record.read(), seed + id_number(record.record_id))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ECGWarning)  # what is wrong with the recording is what is tried
            return answerer.read(signal)

    return each_once(read)


def _results(answered: Answered, title: str, bootstrap: Settings) -> dict[str, list[ControlledResult]]:
    """Exact match of the balanced questions, and the AUROCs of those that every record is asked."""
    measured = measured_answers(answered, None, bootstrap, absent="it looks at no ECG: see `heartllm evaluate qa`")
    areas = [one for one in auroc_results(answered, bootstrap) if "every record" in one.group]
    return {
        "Exact match": measured.results((EXACT,), title, answered.balanced),
        "AUROC": [replace(one, group=f"{title}: {one.group}") for one in areas],
    }
