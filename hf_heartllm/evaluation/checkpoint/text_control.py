"""A control model that was trained on text alone (`data.ecg: none`) and is then shown the ECGs.

What such a model answers right it has from the questions' wording and the answers' frequencies, or from being shown
anything at all; models trained on ECGs have been seen to do no better than one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..answered import tabulate
from ..conditions import REAL
from ..facts import ecg_source, model_facts
from ..held_out import CheckpointSettings
from ..heldout import evaluate
from ..question_file import HeldOutRecord


@dataclass(frozen=True)
class ControlModel:
    """Another checkpoint, to be asked the same questions.

    Attributes:
        model: the language model.
        tokenizer: its `ECGTokenizer`.
        name: of the checkpoint, for the page.
    """

    model: Any
    tokenizer: Any
    name: str


def control_answers(
    control: ControlModel,
    records: Sequence[HeldOutRecord],
    settings: CheckpointSettings,
    tokens: Path | None,
    parts: Path,
    weights: str,
) -> tuple[list[str], dict[str, Any]]:
    """Its answer to each question, shown the real ECG, and what names it.

    Args:
        control: the control model.
        records: what is asked.
        settings: of the evaluation.
        tokens: codes of the records; of the control model's codec too.
        parts: folder for partial results.
        weights: hash of the evaluated model's weights (`facts.model_facts`).

    Raises:
        ValueError: if it is the evaluated model itself, or the codes are of another codec.
    """
    names = model_facts(control.model, control.tokenizer, control.name)
    if names["weights"] == weights:
        raise ValueError(f"--control-model {control.name}: it has the weights of the evaluated model")
    ecg_ids, ecgs = ecg_source(control.tokenizer, settings.ptbxl, tokens, settings.rate)
    outcomes = evaluate(
        control.model,
        control.tokenizer,
        records,
        ecg_ids,
        parts,
        conditions=(REAL,),
        seed=settings.seed,
        progress=settings.progress,
        ecgs=ecgs,
    )
    return tabulate(records, outcomes, (REAL,)).chosen[REAL], names
