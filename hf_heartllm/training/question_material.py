"""What stage 3 teaches of some rows, whichever way the model reads ECGs: questions, a teacher's answers, a probe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_heartllm.models.ecg_chat import ECGS_FIRST, ONE_QUESTION
from hf_heartllm.training.descriptions import describe
from hf_heartllm.training.dialogues.cases import Case
from hf_heartllm.training.dialogues.chats import read_chats
from hf_heartllm.training.dialogues.drawing import DialogueTurns, cases_of_rows
from hf_heartllm.training.examples import QuestionDataset, frequent_statements
from hf_heartllm.training.settings import ProbeSettings, QuestionData
from hf_heartllm.training.stages import say_left_out
from hf_heartllm.training.statement_labels import MEASURED, hard_labels, softened, with_measured
from hf_heartllm.training.text_model import with_every_turn
from hf_heartllm.training.turns.others import OtherTurns, read_general_turns, unanswerable_questions
from hf_heartllm.training.turns.statements import StatementTurns
from hf_heartllm.training.turns.wordings import in_some_case


@dataclass(frozen=True)
class Material:
    """What is asked beside the rows' own questions, and what a probe tells.

    Attributes:
        options: of `QuestionDataset`.
        statements: that the probe tells.
    """

    options: dict[str, Any]
    statements: list[str]

    @property
    def several_turns(self) -> bool:
        """Whether a conversation of more than one question is taught."""
        return bool(self.options.get("dialogue_share")) or any(one.then for one in self.options.get("chats", ()))

    def dataset(self, kind: Callable[..., QuestionDataset], *args: Any, **options: Any) -> QuestionDataset:
        """The examples: `kind(*args, …)` with all of this."""
        return kind(*args, **self.options, **options)


def show_every_turn(material: Material, tokenizer: Any) -> None:
    """Let a model that was shown the last question alone be shown whole conversations, where some are taught; say so.

    Args:
        material: what is taught.
        tokenizer: the model's `ECGTokenizer` or `ECGLMProcessor`, which is changed and has to be saved.
    """
    if not material.several_turns:
        return
    changed = tokenizer.ecg_chat == ONE_QUESTION
    if changed:
        tokenizer.ecg_chat = ECGS_FIRST
    for one in (tokenizer, getattr(tokenizer, "tokenizer", tokenizer)):
        if isinstance(one.chat_template, str) and one.chat_template != with_every_turn(one.chat_template):
            one.chat_template, changed = with_every_turn(one.chat_template), True
    if changed:
        print("note: the model was shown the last question alone; from here on earlier turns are shown too", flush=True)


def say_chats(dataset: QuestionDataset) -> None:
    """Print how many conversations are too long.

    Raises:
        ValueError: if all are.
    """
    fit, tried = dataset.chats_that_fit()
    if tried and not fit:
        raise ValueError(
            f"none of {tried} conversations of --chats that were tried fits into data.max_length {dataset.max_length}"
        )
    say_left_out(
        {f"longer than data.max_length {dataset.max_length}": tried - fit},
        tried,
        "conversations of --chats that were tried",
    )


def question_material(
    rows: Sequence[Mapping[str, Any]],
    data: QuestionData,
    probe: ProbeSettings | None,
    seed: int,
    soft_labels: Path | None = None,
    general_turns: Path | None = None,
    probed: Sequence[Mapping[str, Any]] | None = None,
    cases: Mapping[str, Case] | None = None,
    chats: Path | None = None,
) -> Material:
    """What a recipe of stage 3 teaches.

    Args:
        rows: of the records, as often as `data.repeat` asks.
        data: of the recipe.
        probe: of the recipe; None: there is none.
        seed: of the draws.
        soft_labels: Parquet file of training/soft_labels.py.
        general_turns: JSON lines of training/general_turns.py.
        probed: rows whose statements the probe tells; `rows` when None.
        cases: what dialogues are about, by `record_id`; as the rows tell it when None.
        chats: file of conversations without an ECG, as `read_chats` takes it.

    Raises:
        ValueError: if a file is of another kind, or is needed and not given.
    """
    if data.others and general_turns is None:
        raise ValueError("data.others needs --general-turns, of training/general_turns.py")
    if data.chats and chats is None:
        raise ValueError("data.chats needs --chats, a file of conversations")
    if chats is not None and not data.chats:
        raise ValueError("--chats is given but data.chats is null: --set data.chats.share=0.1")
    with_ecg = data.ecg == "real"
    if data.described_share and with_ecg:
        raise ValueError("data.described_share: words stand in the ECG's place only with data.ecg=none")
    probe = probe if with_ecg else None  # it reads the end of the ECG
    statements = frequent_statements(rows if probed is None else probed, probe.at_least) if probe else []
    more, others = data.statements, None
    frequent = frequent_statements(rows, more.at_least) if more else []
    if more and not frequent:
        print(
            f"no statement holds in {more.at_least} records (data.statements.at_least): none is asked for", flush=True
        )
    soft = [one for one in (more, probe) if one and one.soft_label_share]
    if soft and soft_labels is None:
        print("no --soft-labels, so statements are learned as they are stated (soft_label_share)", flush=True)
    labels = with_measured(_labels(rows, frequent, soft_labels, more.soft_label_share if more else 0.0), rows)
    if data.others and general_turns is not None:
        others = OtherTurns(read_general_turns(general_turns), unanswerable_questions())
    of_probe = _labels(rows, statements, soft_labels, probe.soft_label_share if probe else 0.0)
    if probe and probe.measured:
        statements, of_probe = [*statements, *MEASURED], with_measured(of_probe, rows)
    turns = StatementTurns([*frequent, *MEASURED], labels, more.plain_share, more.explained_share) if more else None
    options = {
        "max_questions": data.max_questions,
        "max_length": data.max_length,
        "report_share": data.report_share,
        "seed": seed,
        "statements": statements,
        "soft_labels": of_probe,
        "with_ecg": with_ecg,
        "describe": describe if data.described_share else None,
        "described_share": data.described_share,
        "more": turns.draw if turns else None,
        "num_more": more.questions if more else 0,
        "terse": turns.draw_terse if turns else None,
        "num_terse": more.terse if more else 0,
        "letters_share": data.letters_share,
        "reword": in_some_case if more and more.plain_share < 1 else None,
        "others": others,
        "others_share": data.others.share if data.others else 0.0,
        "text_share": data.others.text_share if data.others else 0.0,
    }
    if data.dialogues:
        known = cases_of_rows(rows) if cases is None else cases
        options |= {"dialogues": DialogueTurns(known).draw, "dialogue_share": data.dialogues.share}
    if data.chats and chats is not None:
        found = read_chats(chats)
        say_left_out(found.left_out, len(found.turns) + found.left_out.total(), f"rows of {chats}")
        options |= {"chats": found.turns, "chat_share": data.chats.share}
    return Material(options, statements)


def _labels(
    rows: Sequence[Mapping[str, Any]], statements: Sequence[str], path: Path | None, share: float
) -> dict[str, np.ndarray]:
    """What is taught of each record's statements; soft where there is a file and a share of it."""
    labels = hard_labels(rows, statements)
    return softened(labels, statements, path, share) if path and statements and share else labels
