"""Where ECGs stand in a text: placeholders in, token ids out.

Text around an ECG is tokenised by a copy of the base tokenizer that knows a few extra tokens, one for each ECG of a
text, under names nobody can guess. So the text gets the ids it would have around an added token of the vocabulary
(which a plain string of ECG tokens meets in a server), and no text can take an ECG's place.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

from .ecg_record import ECGRecord
from .locks import process_lock
from .plain_tokenizer import bare_backend
from .prompts import ECG_PLACEHOLDER

Row = dict[str, list[int]]

TOKENIZING = process_lock()
"""Held while a text becomes ids: a tokenizer's backend keeps truncation and padding from call to call, and a compiled
chat template keeps where it has come to, so that two calls at once would cut each other's text."""


@dataclass(frozen=True)
class ECGCodes:
    """The codes of one ECG, which every tokenizer over the codec that made them can take."""

    codes: Any


def is_recording(value: Any) -> bool:
    """Whether a value is a recording: an `ECGRecord` (of any copy of its module), or a mapping with the same fields."""
    if isinstance(value, Mapping):
        return {"signal", "sampling_rate", "leads"} <= set(value)
    return all(hasattr(value, name) for name in ("signal", "sampling_rate", "leads"))


def as_record(value: Any) -> ECGRecord:
    """A recording as an `ECGRecord`.

    Raises:
        TypeError: if the value is no recording.
        ECGError: if its parts do not fit together.
    """
    if isinstance(value, ECGRecord):
        return value
    if not is_recording(value):
        raise TypeError(f"expected an ECGRecord or a mapping with signal, sampling_rate and leads, got {type(value)}")
    get: Callable[[str], Any] = value.get if isinstance(value, Mapping) else lambda name: getattr(value, name, None)
    known = {name: get(name) for name in ("age", "sex", "height", "weight", "source")}
    return ECGRecord(get("signal"), get("sampling_rate"), tuple(get("leads")), units=get("units") or "mV", **known)


def is_one_ecg(value: Any) -> bool:
    """Whether a value stands for one ECG: a recording, or the ids of one."""
    if is_recording(value):
        return True
    if getattr(value, "ndim", None) is not None:
        return bool(value.ndim == 1 and value.size != 0)
    return isinstance(value, Sequence) and len(value) > 0 and isinstance(value[0], (int, np.integer))


def ecg_list(ecgs: Any) -> list[Any]:
    """What a caller gave for one text, as a list of ECGs: nothing, one ECG, or a sequence of them."""
    if ecgs is None:
        return []
    if is_one_ecg(ecgs):
        return [ecgs]
    if isinstance(ecgs, Sequence) and not isinstance(ecgs, (str, bytes)) and all(is_one_ecg(ecg) for ecg in ecgs):
        return list(ecgs)
    raise TypeError(
        "an ECG must be an ECGRecord (or a mapping with signal, sampling_rate and leads) or the ids from encode_ecg; "
        f"got {type(ecgs).__name__}"
    )


def _is_parts(content: Any) -> bool:
    return isinstance(content, Sequence) and not isinstance(content, (str, bytes))


def _parted(before: str, text: Any) -> bool:
    """Whether white space stands already between a piece and what follows: a text, or an ECG (None)."""
    if isinstance(text, str):
        return text[:1].isspace() or not text
    return before[-1:].isspace() or not before


def refuse_placeholders(*texts: Any) -> None:
    """Raises where a text, or one in lists of texts, holds `<ecg>`, the place of an ECG, and there is no ECG.

    Raises:
        ValueError: if so.
    """
    for text in texts:
        if isinstance(text, str):
            check_count(text, 0)
        elif isinstance(text, Sequence) and not isinstance(text, bytes):
            refuse_placeholders(*text)


def check_count(text: str, ecgs: int) -> None:
    """Raises where a text has another number of `<ecg>` than there are ECGs.

    Raises:
        ValueError: if so.
    """
    count = text.count(ECG_PLACEHOLDER)
    if count != ecgs:
        literal = "; where the letters are meant, say ecgs=False" if ecgs == 0 else ""
        raise ValueError(f"the text has {count} placeholder(s) {ECG_PLACEHOLDER} but {ecgs} ECG(s) were given{literal}")


def _part_ecg(part: Mapping[str, Any]) -> Any:
    """The ECG of a part; None if it has none."""
    if part.get("type") != "ecg":
        return None
    ecg, codes = part.get("ecg"), part.get("codes")
    if ecg is not None:
        return ecg if codes is None and is_one_ecg(ecg) else None
    return ECGCodes(codes) if codes is not None and len(codes) else None


def flatten_conversation(
    conversation: Sequence[Mapping[str, Any]], placeholder: Callable[[int], str], literal: bool = False
) -> tuple[list[dict[str, Any]], list[Any]]:
    """Messages with content in parts → messages with content as a string, and their ECGs.

    An ECG and a text beside it are parted by a blank where there is no white space yet, so that parts give the tokens
    of the same prompt written as `<ecg> text`.

    Args:
        conversation: messages; parts are `{"type": "text", "text": …}` and `{"type": "ecg", "ecg": …}` or
            `{"type": "ecg", "codes": …}`. Further keys whose value is None, which tables of rows add, count as absent.
        placeholder: what stands for the first, second, … ECG, by its number from 0.
        literal: whether `<ecg>` in a text is ordinary text; else it is an error, since only a part is an ECG.

    Raises:
        ValueError: for a part of another type, an ECG part without an ECG, or `<ecg>` in a text.
    """
    flat: list[dict[str, Any]] = []
    ecgs: list[Any] = []
    for message in conversation:
        content = message.get("content")
        if content is None or not _is_parts(content):
            if not literal:
                _refuse_in_chat(content)
            flat.append(dict(message))
            continue
        pieces: list[str] = []
        after = ""  # kind of the part before
        for part in content:
            kind = part.get("type") if isinstance(part, Mapping) else None
            if kind == "text" and part.get("text") == "":
                continue
            if after and kind != after and not _parted(pieces[-1], part.get("text") if kind == "text" else None):
                pieces.append(" ")
            after = kind or ""
            if kind == "text" and isinstance(part.get("text"), str):
                if not literal:
                    _refuse_in_chat(part["text"])
                pieces.append(part["text"])
            elif kind == "ecg" and (ecg := _part_ecg(part)) is not None:
                pieces.append(placeholder(len(ecgs)))
                ecgs.append(ecg)
            elif kind == "ecg":
                held = type(part.get("ecg") if part.get("ecg") is not None else part.get("codes")).__name__
                raise ValueError(
                    "an ECG part must hold a recording or its ids as 'ecg', or its codes as 'codes', and not "
                    f"both; got {held} (read_ecg makes a recording of a file)"
                )
            else:
                raise ValueError(
                    "a part of a message must be {'type': 'text', 'text': str}, {'type': 'ecg', 'ecg': ECGRecord or "
                    f"ids}} or {{'type': 'ecg', 'codes': codes}}; got type {kind!r}"
                )
        flat.append({**message, "content": "".join(pieces)})
    return flat, ecgs


def _refuse_in_chat(text: Any) -> None:
    if isinstance(text, str) and ECG_PLACEHOLDER in text:
        raise ValueError(
            f"a message says {ECG_PLACEHOLDER}, but in a conversation an ECG is a part of the content: "
            "{'type': 'ecg', 'ecg': record}; where the letters are meant, say ecgs=False"
        )


class PlaceholderReader:
    """Makes, and keeps, the copy of a backend that knows placeholder tokens.

    It pickles to nothing and is copied as nothing: the copy is a matter of the running process. Whoever uses it holds
    `TOKENIZING` from `tokenizer` to `expand`.
    """

    def __init__(self) -> None:
        self._plain: PreTrainedTokenizerFast | None = None
        self._nonce = secrets.token_hex(16)
        self._first_id = 0
        self._count = 0

    def reset(self) -> None:
        """Forget the copy, because the backend has changed."""
        with TOKENIZING:
            self._plain = None

    def tokenizer(self, source: PreTrainedTokenizerFast, count: int) -> PreTrainedTokenizerFast:
        """A plain tokenizer that treats text as `source` does and knows at least `count` placeholder tokens."""
        if self._plain is None:
            self._count = 0
            self._plain = PreTrainedTokenizerFast(
                tokenizer_object=bare_backend(source),
                model_max_length=source.model_max_length,
                model_input_names=source.model_input_names,
            )
        if max(count, 1) > self._count:  # one at least, so that `expand` knows the first id of all of them
            # Not special, so that split_special_tokens does not take them apart.
            new = [
                AddedToken(self.text(i), special=False, normalized=False)
                for i in range(self._count, max(count, 2 * self._count, 8))
            ]
            self._plain.add_tokens(new)
            self._count += len(new)
            self._first_id = self._plain.backend_tokenizer.token_to_id(self.text(0))
        for name in ("_special_tokens_map", "_extra_special_tokens", "SPECIAL_TOKENS_ATTRIBUTES"):
            self._plain.__dict__[name] = getattr(source, name)
        for name in ("chat_template", "chat_control_tokens", "split_special_tokens", "truncation_side"):
            setattr(self._plain, name, getattr(source, name, None))
        return self._plain

    def text(self, index: int) -> str:
        """The text of a placeholder token, by its number from 0."""
        # Begins and ends like the start and end token of an ECG, so word-boundary rules of the base see the same.
        return f"<|ecg-{self._nonce}-{index}|>"

    def ends(self) -> dict[str, str]:
        """How the text of every placeholder begins and ends, as variables of a chat template (`ecg_chat`)."""
        return {"ecg_start": f"<|ecg-{self._nonce}-", "ecg_end": "|>"}

    def expand(self, row: Row, blocks: Mapping[int, Sequence[int]]) -> Row:
        """Put the ids of the ECGs in place of their placeholders.

        Args:
            row: `input_ids` and whatever else goes with each token.
            blocks: ids of each ECG, start and end token included, by the number of its placeholder.

        Raises:
            ValueError: if an ECG does not appear exactly once.
        """
        positions = [(at, i - self._first_id) for at, i in enumerate(row["input_ids"]) if i >= self._first_id]
        if sorted(index for _, index in positions) != sorted(blocks):
            raise ValueError(
                f"{len(blocks)} ECG(s) were given but {len(positions)} are left in the tokenised text "
                "(truncation or the chat template removed or repeated one); shorten the text, raise max_length "
                "or use another template"
            )
        expanded: Row = {name: [] for name in row}
        last = 0
        for at, index in [*positions, (len(row["input_ids"]), -1)]:
            for name, values in row.items():
                expanded[name] += values[last:at]
                if index >= 0:
                    block = blocks[index]
                    if name == "input_ids":
                        expanded[name] += block
                    else:
                        value = 1 if name == "special_tokens_mask" else values[at]
                        expanded[name] += [value] * len(block)
            last = at + 1
        return expanded

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

    def __deepcopy__(self, memo: dict[int, Any]) -> PlaceholderReader:
        return type(self)()
