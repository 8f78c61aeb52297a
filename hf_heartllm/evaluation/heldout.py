"""How well a checkpoint answers on patients it never saw, beside itself with another patient's ECG, and with none.

The questions come from `python -m dataset_builders.evaluation_questions`: one row a question, with its closed answer
set. A question counts as right when the likeliest answer of the set is the true one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..models.ecg_record import ECGRecord
from .scoring import score_questions

EVERY_RECORD = "every-record"  # the rows that every record is asked, for an AUROC
CONDITIONS = ("real", "control", "blind")
"""The record's own ECG, another patient's, none."""


@dataclass(frozen=True)
class HeldOutQuestion:
    """One question with a closed answer set.

    Attributes:
        question: in words.
        answer: the true one.
        answers: the closed set, `answer` among them.
        question_type: `"verify"`, `"choose"` or `"query"`.
        attribute_type: `"rhythm"`, `"form"`, `"diagnosis"` or `"superclass"`.
        attribute: the code asked for.
        every_record: True for a question that every record is asked.
    """

    question: str
    answer: str
    answers: tuple[str, ...]
    question_type: str
    attribute_type: str
    attribute: str
    every_record: bool = False


@dataclass(frozen=True)
class HeldOutRecord:
    """A record with its questions; `filename_lr` and `filename_hr` are relative to PTB-XL's folder."""

    ecg_id: int
    patient_id: int
    filename_lr: str
    filename_hr: str
    questions: tuple[HeldOutQuestion, ...]


def read_questions(path: str | os.PathLike[str]) -> list[HeldOutRecord]:
    """Read a question file, ordered by `ecg_id`.

    Raises:
        ValueError: if the file has no rows, a question has no closed answer set, or its answer is not in the set.
    """
    import pyarrow.parquet as pq

    rows = pq.read_table(path).to_pylist()
    if not rows:
        raise ValueError(f"{path}: no questions")
    questions: dict[int, list[HeldOutQuestion]] = defaultdict(list)
    heads: dict[int, dict[str, Any]] = {}
    for row in rows:
        if row["answer"] not in row["answers"]:
            raise ValueError(f"{path}: ecg_id {row['ecg_id']}: {row['answer']!r} is not in the closed answer set")
        heads.setdefault(row["ecg_id"], row)
        questions[row["ecg_id"]].append(
            HeldOutQuestion(
                question=row["question"],
                answer=row["answer"],
                answers=tuple(row["answers"]),
                question_type=row["question_type"],
                attribute_type=row["attribute_type"],
                attribute=row["attribute"],
                every_record=row["set"] == EVERY_RECORD,
            )
        )
    return [
        HeldOutRecord(
            ecg_id=ecg_id,
            patient_id=heads[ecg_id]["patient_id"],
            filename_lr=heads[ecg_id]["filename_lr"],
            filename_hr=heads[ecg_id]["filename_hr"],
            questions=tuple(questions[ecg_id]),
        )
        for ecg_id in sorted(heads)
    ]


def other_patients(records: Sequence[HeldOutRecord], seed: int = 0) -> dict[int, int]:
    """For each record one of another patient: ecg_id → ecg_id.

    The patients are put in a random circle and each is given the next one's records, so no patient keeps an own one.

    Raises:
        ValueError: if there are fewer than two patients.
    """
    by_patient: dict[int, list[int]] = defaultdict(list)
    for record in records:
        by_patient[record.patient_id].append(record.ecg_id)
    if len(by_patient) < 2:
        raise ValueError("a control needs records of at least two patients")
    rng = np.random.default_rng(seed)
    circle = rng.permutation(sorted(by_patient)).tolist()
    following = dict(zip(circle, [*circle[1:], circle[0]], strict=True))
    return {record.ecg_id: int(rng.choice(by_patient[following[record.patient_id]])) for record in records}


def _score_record(
    model: Any, tokenizer: Any, ecg_ids: Sequence[int] | None, questions: Sequence[HeldOutQuestion]
) -> list[list[Any]]:
    """For each question the chosen answer and p("yes"), None where "yes" is not in the set."""
    unique = list(dict.fromkeys((question.question, question.answers) for question in questions))
    scored = dict(zip(unique, score_questions(model, tokenizer, ecg_ids, unique), strict=True))
    outcome = []
    for question in questions:
        scores = scored[question.question, question.answers]
        outcome.append([scores.best, scores.probability("yes") if "yes" in question.answers else None])
    return outcome


def _fingerprint(records: Sequence[HeldOutRecord], weights: str, seed: int) -> str:
    return hashlib.sha256(repr((weights, seed, list(records))).encode()).hexdigest()[:16]


def weights_fingerprint(model: Any) -> str:
    """Sixteen hexadecimal digits over a model's weights: partial results of another checkpoint are not mixed in."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


Outcomes = dict[tuple[int, str], list[list[Any]]]
"""(ecg_id, condition) → for each question (chosen answer, p("yes") or None)."""


def evaluate(
    model: Any,
    tokenizer: Any,
    records: Sequence[HeldOutRecord],
    ecg_ids: Callable[[HeldOutRecord], Sequence[int]],
    folder: str | os.PathLike[str],
    *,
    conditions: Sequence[str] = CONDITIONS,
    seed: int = 0,
    progress: bool = True,
) -> Outcomes:
    """Ask every question under every condition.

    Args:
        model: the language model.
        tokenizer: its `ECGTokenizer`.
        records: from `read_questions`.
        ecg_ids: token ids of a record's ECG.
        folder: for partial results, one line a record and condition; a broken-off run goes on from there.
        conditions: some of `CONDITIONS`.
        seed: of the control's choice of other patients.
        progress: show a bar on stderr.

    Raises:
        ValueError: if the folder holds partial results of another model, other questions or another seed.
    """
    from tqdm.auto import tqdm

    model.eval()
    path = Path(folder) / "outcomes.jsonl"
    mark = _fingerprint(records, weights_fingerprint(model), seed)
    outcomes = _read_partial(path, mark)
    other = other_patients(records, seed)
    by_id = {record.ecg_id: record for record in records}
    todo = [(r, c) for r in records for c in conditions if (r.ecg_id, c) not in outcomes]
    blind: dict[
        tuple[str, tuple[str, ...]], list[Any]
    ] = {}  # without an ECG a question has one answer, whoever is asked
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        if file.tell() == 0:
            file.write(json.dumps({"run": mark}) + "\n")
        for record, condition in tqdm(todo, unit="record", disable=not progress):
            if condition == "blind":
                new = [q for q in record.questions if (q.question, q.answers) not in blind]
                if new:
                    for question, result in zip(new, _score_record(model, tokenizer, None, new), strict=True):
                        blind[question.question, question.answers] = result
                result = [blind[q.question, q.answers] for q in record.questions]
            else:
                shown = record if condition == "real" else by_id[other[record.ecg_id]]
                result = _score_record(model, tokenizer, ecg_ids(shown), record.questions)
            outcomes[record.ecg_id, condition] = result
            file.write(json.dumps({"ecg_id": record.ecg_id, "condition": condition, "outcome": result}) + "\n")
            file.flush()
    return outcomes


def _read_partial(path: Path, mark: str) -> Outcomes:
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    complete, newline, cut = text.rpartition("\n")
    if cut:  # a line that a broken-off run did not finish
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(complete + newline, encoding="utf-8")
        os.replace(temporary, path)
    lines = [json.loads(line) for line in complete.splitlines()]
    if lines and lines[0].get("run") != mark:
        raise ValueError(
            f"{path}: partial results of another model, other questions or another seed; give a new folder"
        )
    return {(line["ecg_id"], line["condition"]): line["outcome"] for line in lines[1:]}


@dataclass(frozen=True)
class Answered:
    """All questions under all conditions, as columns of equal length.

    Attributes:
        questions: the questions, record by record.
        patients: int64 (questions,).
        right: condition → bool (questions,), whether the chosen answer is the true one.
        yes: condition → float64 (questions,), p("yes"), NaN where the set has no "yes".
    """

    questions: list[HeldOutQuestion]
    patients: np.ndarray
    right: Mapping[str, np.ndarray]
    yes: Mapping[str, np.ndarray]


def tabulate(records: Iterable[HeldOutRecord], outcomes: Outcomes, conditions: Sequence[str] = CONDITIONS) -> Answered:
    """Put outcomes into columns, for `hf_heartllm.evaluation.heldout_figures`."""
    questions: list[HeldOutQuestion] = []
    patients: list[int] = []
    right: dict[str, list[bool]] = {condition: [] for condition in conditions}
    yes: dict[str, list[float]] = {condition: [] for condition in conditions}
    for record in records:
        questions += record.questions
        patients += [record.patient_id] * len(record.questions)
        for condition in conditions:
            for question, (chosen, share) in zip(record.questions, outcomes[record.ecg_id, condition], strict=True):
                right[condition].append(chosen == question.answer)
                yes[condition].append(np.nan if share is None else share)
    return Answered(
        questions,
        np.array(patients, dtype=np.int64),
        {condition: np.array(values, dtype=bool) for condition, values in right.items()},
        {condition: np.array(values, dtype=np.float64) for condition, values in yes.items()},
    )


def record_reader(
    tokenizer: Any, ptbxl: str | os.PathLike[str], rate: int = 100
) -> Callable[[HeldOutRecord], list[int]]:
    """A function that reads a record from PTB-XL's folder at 100 or 500 Hz and tokenises it, each record once."""
    from ..ecg import read_ecg

    known: dict[int, list[int]] = {}

    def ids(record: HeldOutRecord) -> list[int]:
        if record.ecg_id not in known:
            name = record.filename_lr if rate == 100 else record.filename_hr
            signal: ECGRecord = read_ecg(Path(ptbxl) / name)
            known[record.ecg_id] = [int(token) for token in tokenizer.encode_ecg(signal)]
        return known[record.ecg_id]

    return ids
