"""Every prompt of the project: those of the HeartLLM paper, word for word, and our own.

Source of the paper's strings, rows and forecasting windows: HeartLLM, arXiv:2508.15338, and its public code.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

ECG_PLACEHOLDER = "<ecg>"
ECG_START_TOKEN = "<|start_ecg|>"
ECG_END_TOKEN = "<|end_ecg|>"

IGNORE_INDEX = -100  # a label the loss leaves out
HEARTLLM_MAX_LENGTH = 4096  # tokens of each piece of a row

# Stage 2 of the paper: (tokens read, tokens to forecast).
FORECAST_WINDOWS: tuple[tuple[int, int], ...] = ((283, 30), (142, 15), (70, 7), (35, 4), (17, 2))

# For a base without a chat template. Roles are ordinary text, so the base's vocabulary stays as it is.
DEFAULT_CHAT_TEMPLATE = (
    "{%- if bos_token is defined and bos_token %}{{ bos_token }}{% endif %}"
    "{%- for message in messages %}"
    "{{- '### ' + message['role'] + '\\n' }}"
    "{%- if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] }}{{ eos_token }}{% endgeneration %}"
    "{%- else %}{{ message['content'] }}{% endif %}"
    "{{- '\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '### assistant\\n' }}{% endif %}"
)


def background_text(
    age: float | None = None, sex: str | None = None, height: float | None = None, weight: float | None = None
) -> str:
    """What may be told to a model about a patient. There is no way to hand an identifier to this function.

    Args:
        age: years; 90 and above (PTB-XL writes 300) becomes "over 89 years".
        sex: `"male"` or `"female"`.
        height: cm.
        weight: kg.

    Returns:
        A sentence such as `Patient: 64 years, male, 178 cm, 80 kg.`; empty if nothing is known. Not-a-number counts
        as unknown.

    Raises:
        ValueError: if `sex` is another word, or a number is not positive.
        TypeError: if a number is given as something else, such as a string.
    """
    if sex not in (None, "male", "female"):
        raise ValueError(f"sex must be 'male', 'female' or None, got {sex!r}")
    years, centimetres, kilograms = _number("age", age), _number("height", height), _number("weight", weight)
    known = []
    if years is not None:
        known.append("over 89 years" if years >= 90 else f"{math.floor(years)} years")
    if sex is not None:
        known.append(sex)
    if centimetres is not None:
        known.append(f"{centimetres:.0f} cm")
    if kilograms is not None:
        known.append(f"{kilograms:.0f} kg")
    return f"Patient: {', '.join(known)}." if known else ""


def _number(name: str, value: float | None) -> float | None:
    if value is None:
        return None
    if isinstance(value, (bool, str, bytes)):
        raise TypeError(f"{name} must be a number or None, got {value!r}")
    number = float(value)
    if math.isnan(number):
        return None
    if not (math.isfinite(number) and (number > 0 or (name == "age" and number == 0))):
        raise ValueError(f"{name} must be positive, got {value!r}")
    return number


def heartllm_qa_prompt(question: str) -> tuple[str, str]:
    """The paper's question prompt: the text before the codes (it ends in a blank) and the text after them."""
    before = (
        "<|start_prompt|> Dataset description: The dataset contains electrocardiogram (ECG) time-series data. "
        "Task description: Based on a patient's 12-lead ECG signal (500 Hz) and background information, "
        "answer a clinical question related to cardiac health. "
        f"Question:{question} <|end_prompt|> {ECG_START_TOKEN} "
    )
    return before, f"{ECG_END_TOKEN}Answer:"


def heartllm_report_prompt(background: str) -> tuple[str, str]:
    """The paper's report prompt: the text before the codes and the text after them."""
    before = (
        "<|start_prompt|>Task description: Based on the given ECG signal embeddings, generate a ECG diagnostic report."
        f"Background:{background} <|end_prompt|>{ECG_START_TOKEN}"
    )
    return before, f"{ECG_END_TOKEN} Report:"


def heartllm_background(background: str, keep_patient_id: bool = False) -> str:
    """What the paper keeps of a row's background: the text before the first `Recording Details`.

    Args:
        background: the row's background.
        keep_patient_id: the paper's PTB-XL rows carry the patient's number into the prompt. It is left out here
            unless the published behaviour is to be reproduced exactly.
    """
    kept = background.split("Recording Details")[0]
    if keep_patient_id:
        return kept
    head, mark, rest = kept.partition("- Patient ID:")
    return head + rest.partition(";")[2].lstrip(" ") if mark else kept


def heartllm_answer(answers: Sequence[str]) -> str:
    """The paper's target text of a question with one or several answers."""
    return ".".join(answers)


@dataclass(frozen=True)
class TrainingRow:
    """Token ids of one example and its labels (`IGNORE_INDEX` where nothing is learned), unshifted, equally long."""

    input_ids: list[int]
    labels: list[int]


def heartllm_row(
    tokenize: Callable[[str], Sequence[int]],
    before: str,
    ecg_ids: Sequence[int],
    after: str,
    answer: str,
    eos_token: str,
) -> TrainingRow:
    """A row of the paper's stage 3: BOS, before, ECG ids, after, answer, EOS; only answer and EOS are labelled.

    For generation the paper builds the row with an empty answer and cuts its last token, the EOS.

    Args:
        tokenize: text → ids with BOS in front, cut to 4,096 ids. It must know the start and end token of an ECG:
            `ecg_mark_encoder(tokenizer)` makes one.
        before: first string of `heartllm_qa_prompt` or `heartllm_report_prompt`.
        ecg_ids: ids of the codes alone.
        after: second string.
        answer: target text without EOS.
        eos_token: text of the EOS token.

    Raises:
        ValueError: if `tokenize` puts no BOS in front; the paper's cut would then take a real token.
    """
    pieces = [list(tokenize(text))[:HEARTLLM_MAX_LENGTH] for text in (before, after, answer + eos_token)]
    if not all(pieces) or len({piece[0] for piece in pieces}) != 1:
        raise ValueError("heartllm_row needs a tokenizer that puts the same BOS token in front of every text")
    prompt = [*pieces[0], *(int(i) for i in ecg_ids), *pieces[1][1:]]
    target = pieces[2][1:]
    return TrainingRow(prompt + target, [IGNORE_INDEX] * len(prompt) + target)


def ecg_mark_encoder(tokenizer: Any) -> Callable[[str], list[int]]:
    """An encoder for the paper's prompts on an `ECGTokenizer`, whose own text entries know no ECG token.

    The start token counts only at the very end of a text (where `before` has it) and the end token only at the very
    start (where `after` has it), so neither a question nor a background can bring in another one.

    Raises:
        ValueError: if the tokenizer has no BOS token.
    """
    if tokenizer.bos_token_id is None:
        raise ValueError("the paper's rows need a tokenizer with a BOS token")

    def encode(text: str) -> list[int]:
        ids = [tokenizer.bos_token_id]
        if text.startswith(ECG_END_TOKEN):
            ids.append(tokenizer.ecg_end_token_id)
            text = text[len(ECG_END_TOKEN) :]
        body = text.rstrip(" ")
        blanks = text[len(body) :]
        marked = body.endswith(ECG_START_TOKEN)
        if marked:
            text = body[: -len(ECG_START_TOKEN)]
        ids += tokenizer.encode(text, add_special_tokens=False)
        if marked:
            ids.append(tokenizer.ecg_start_token_id)
            ids += tokenizer.encode(blanks, add_special_tokens=False) if blanks else []
        return ids

    return encode


@dataclass(frozen=True)
class ForecastWindow:
    """A stretch of one record's tokens: `window` tokens from `start` are read, the next `step` are forecast."""

    record: int
    start: int
    window: int
    step: int


def scaled_windows(num_tokens: int) -> list[tuple[int, int]]:
    """The paper's windows for records of another number of tokens: the same share of a record is read and forecast."""
    paper = max(window + step for window, step in FORECAST_WINDOWS)
    scaled = []
    for window, step in FORECAST_WINDOWS:
        forecast = max(1, round(step * num_tokens / paper))
        scaled.append((min(round(window * num_tokens / paper), num_tokens - forecast), forecast))
    return scaled


def forecast_windows(
    num_records: int,
    rng: random.Random,
    num_tokens: int = 313,
    windows: Sequence[tuple[int, int]] = FORECAST_WINDOWS,
) -> list[ForecastWindow]:
    """The paper's stage 2 windows: five for each record, each at a start drawn from the multiples of its step.

    Args:
        num_records: records of the batch.
        rng: gives the starts; one draw for each row.
        num_tokens: tokens of each record.
        windows: (tokens read, tokens to forecast).

    Returns:
        All records for the first window, then all for the second, and so on.

    Raises:
        ValueError: if a window is longer than the record.
    """
    rows = []
    for window, step in windows:
        starts = range(0, num_tokens - (window + step) + 1, step)
        if not starts:
            raise ValueError(f"a window of {window} + {step} tokens does not fit into {num_tokens} tokens")
        rows += [ForecastWindow(record, rng.choice(starts), window, step) for record in range(num_records)]
    return rows


def forecast_row(
    ecg_ids: Sequence[int], window: ForecastWindow, bos: int, ecg_start: int, ecg_end: int, eos: int
) -> TrainingRow:
    """A row of the paper's stage 2: BOS, start, the stretch, end, EOS; only the last `step` codes are labelled.

    Args:
        ecg_ids: ids of all codes of the record, without start and end token.
        window: which stretch.
        bos: id of BOS; `ecg_start`, `ecg_end` and `eos` likewise.
    """
    stretch = [int(i) for i in ecg_ids[window.start : window.start + window.window + window.step]]
    if len(stretch) != window.window + window.step:
        raise ValueError(f"the record has {len(ecg_ids)} tokens, {window} needs more")
    ids = [bos, ecg_start, *stretch, ecg_end, eos]
    unread = [IGNORE_INDEX] * (2 + window.window)
    return TrainingRow(ids, [*unread, *stretch[window.window :], IGNORE_INDEX, IGNORE_INDEX])


def left_pad(rows: Sequence[TrainingRow], pad_token_id: int) -> dict[str, list[list[int]]]:
    """Rows → `input_ids`, `attention_mask` and `labels`, each padded on the left to the longest row."""
    longest = max(len(row.input_ids) for row in rows)
    batch: dict[str, list[list[int]]] = {"input_ids": [], "attention_mask": [], "labels": []}
    for row in rows:
        missing = longest - len(row.input_ids)
        batch["input_ids"].append([pad_token_id] * missing + row.input_ids)
        batch["attention_mask"].append([0] * missing + [1] * len(row.input_ids))
        batch["labels"].append([IGNORE_INDEX] * missing + row.labels)
    return batch
