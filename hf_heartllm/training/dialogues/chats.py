"""Conversations without an ECG, from a file that the user has: nothing of any such data set is part of this project."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from hf_heartllm.models.prompts import ECG_PLACEHOLDER
from hf_heartllm.training.turns.turn import Turn

from .words import drug_words

BROKEN = "are no conversation of a user and an assistant"
MARKED = f"hold {ECG_PLACEHOLDER} or a mark such as <|end|>"
DRUGS = "name drugs, doses or procedures in an answer"
_ROLES = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant", "system": "system"}
_WHAT = "rows of instruction, input and output, or of messages, as JSON, JSON lines or Parquet"


class Chats(NamedTuple):
    """What a file holds.

    Attributes:
        turns: its conversations; the first question and answer, and then the others.
        left_out: why → how many of its rows are none.
    """

    turns: list[Turn]
    left_out: Counter[str]


def read_chats(path: str | Path) -> Chats:
    """The conversations of a file in a chat format.

    Rows have `messages` of `role` and `content` (or `conversations` of `from` and `value`), or `instruction`, `input`
    and `output`, of which the first two are the question. System messages, and a last message without an answer, are
    left out. So are rows whose answers name drugs, doses or procedures: no such advice is trained.

    Args:
        path: JSON (a list of rows), JSON lines, or Parquet, told apart by what is in it.

    Raises:
        OSError: if it cannot be read.
        ValueError: one line, if it is of another kind or no row is left.
    """
    rows = _rows(Path(path))
    turns: list[Turn] = []
    left_out: Counter[str] = Counter()
    for row in tqdm(rows, desc="chats", unit="row", disable=None):  # on a terminal
        found = _turn(row)
        if isinstance(found, Turn):
            turns.append(found)
        else:
            left_out[found] += 1
    if not turns:
        why = "; ".join(f"{count} {reason}" for reason, count in left_out.items()) or "it is empty"
        raise ValueError(f"{path}: no conversation to train on: {why}; wanted are {_WHAT}")
    return Chats(turns, left_out)


def _rows(path: Path) -> Sequence[Any]:
    """The rows of a file; a line that is no JSON is a row too, a broken one."""
    data = path.read_bytes()
    if data[:4] == b"PAR1":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return list(pq.read_table(io.BytesIO(data)).to_pylist())
        except (pa.ArrowInvalid, OSError):
            raise ValueError(f"{path}: this Parquet file is damaged") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: neither text in UTF-8 nor Parquet; wanted are {_WHAT}") from None
    if text.lstrip().startswith("["):
        try:
            found = json.loads(text)
        except ValueError as error:
            raise ValueError(f"{path}: begins as a list of JSON, but {error}") from None
        return list(found)
    return [_parsed(line) for line in text.split("\n") if line.strip()]


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _turn(row: Any) -> Turn | str:
    """A row as a conversation, or why it is none."""
    messages = _messages(row) if isinstance(row, Mapping) else None
    if messages is None:
        return BROKEN
    spoken = [(role, text) for role, text in messages if role != "system"]
    if spoken and spoken[-1][0] == "user":
        spoken.pop()
    pairs = [(asked[1], answered[1]) for asked, answered in zip(spoken[::2], spoken[1::2])]
    in_turn = all(role == ("user", "assistant")[place % 2] for place, (role, _) in enumerate(spoken))
    if not pairs or not in_turn or not all(text for pair in pairs for text in pair):
        return BROKEN
    if any(ECG_PLACEHOLDER in text or "<|" in text for pair in pairs for text in pair):
        return MARKED
    if any(drug_words(answer) for _, answer in pairs):
        return DRUGS
    (question, answer), *then = pairs
    return Turn(question, answer, then=tuple(then))


def _messages(row: Mapping[str, Any]) -> list[tuple[str, str]] | None:
    """Who says what, in turn; None where a row does not say."""
    said = row.get("messages", row.get("conversations"))
    if said is None:
        asked = [_text(row.get(name) or "") for name in ("instruction", "input")]
        answer = _text(row.get("output"))
        if None in asked or answer is None:
            return None
        return [("user", "\n\n".join(text for text in asked if text)), ("assistant", answer)]
    if not isinstance(said, list) or not all(isinstance(one, Mapping) for one in said):
        return None
    found = []
    for one in said:
        role, text = _ROLES.get(str(one.get("role", one.get("from")))), _text(one.get("content", one.get("value")))
        if role is None or text is None:
            return None
        found.append((role, text))
    return found


def _text(content: Any) -> str | None:
    """The text of a message, also of one in parts; None where there is another thing."""
    if isinstance(content, str):
        return content.strip()
    if isinstance(content, list) and all(isinstance(one, Mapping) and one.get("type") == "text" for one in content):
        return _text("".join(str(one.get("text") or "") for one in content))
    return None
