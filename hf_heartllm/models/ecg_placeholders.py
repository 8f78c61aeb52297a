"""Where ECGs stand in a text: placeholders in, token ids out.

Text around an ECG is tokenised by a copy of the base tokenizer that knows a few extra tokens, one for each ECG of a
text, under names nobody can guess. So the text gets the ids it would have around an added token of the vocabulary
(which a plain string of ECG tokens meets in a server), and no text can take an ECG's place.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
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
    get = value.get if isinstance(value, Mapping) else lambda name: getattr(value, name, None)
    known = {name: get(name) for name in ("age", "sex", "height", "weight", "source")}
    return ECGRecord(get("signal"), get("sampling_rate"), tuple(get("leads")), units=get("units") or "mV", **known)  # type: ignore[arg-type]


def is_one_ecg(value: Any) -> bool:
    """Whether a value stands for one ECG: a recording, or the ids of one."""
    if is_recording(value):
        return True
    if getattr(value, "ndim", None) is not None:
        return value.ndim == 1 and value.size != 0
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


def flatten_conversation(
    conversation: Sequence[Mapping[str, Any]], placeholders: Sequence[str] | None = None
) -> tuple[list[dict[str, Any]], list[Any]]:
    """Messages with content in parts → messages with content as a string, and their ECGs.

    An ECG and a text beside it are parted by a blank where there is no white space yet, so that parts give the tokens
    of the same prompt written as `<ecg> text`.

    Args:
        conversation: messages; parts are `{"type": "text", "text": …}` and `{"type": "ecg", "ecg": …}`.
        placeholders: what stands for the first, second, … ECG; `<ecg>` for each when not given.

    Raises:
        ValueError: for a part of another type, or an ECG part without an ECG.
    """
    flat: list[dict[str, Any]] = []
    ecgs: list[Any] = []
    for message in conversation:
        content = message.get("content")
        if content is None or not _is_parts(content):
            flat.append(dict(message))
            continue
        pieces: list[str] = []
        after = ""  # kind of the part before
        for part in content:
            kind = part.get("type") if isinstance(part, Mapping) else None
            if after and kind != after and not _parted(pieces[-1], part.get("text")):
                pieces.append(" ")
            after = kind or ""
            if kind == "text" and isinstance(part.get("text"), str):
                pieces.append(part["text"])
            elif kind == "ecg" and part.get("ecg") is not None and is_one_ecg(part["ecg"]):
                pieces.append(ECG_PLACEHOLDER if placeholders is None else placeholders[len(ecgs)])
                ecgs.append(part["ecg"])
            else:
                raise ValueError(
                    "a part of a message must be {'type': 'text', 'text': str} or "
                    f"{{'type': 'ecg', 'ecg': ECGRecord or ids}}; got type {kind!r}"
                )
        flat.append({**message, "content": "".join(pieces)})
    return flat, ecgs


class PlaceholderReader:
    """Makes, and keeps, the copy of a backend that knows placeholder tokens.

    It pickles to nothing and is copied as nothing: the copy is a matter of the running process. Whoever uses it holds
    `TOKENIZING` from `tokenizer` to `expand`.
    """

    def __init__(self) -> None:
        self._plain: PreTrainedTokenizerFast | None = None
        self._nonce = ""
        self._first_id = 0
        self._count = 0

    def reset(self) -> None:
        """Forget the copy, because the backend has changed."""
        with TOKENIZING:
            self._plain = None

    def tokenizer(self, source: PreTrainedTokenizerFast, count: int) -> PreTrainedTokenizerFast:
        """A plain tokenizer that treats text as `source` does and knows at least `count` placeholder tokens."""
        if self._plain is None:
            self._nonce, self._count = secrets.token_hex(16), 0
            self._plain = PreTrainedTokenizerFast(
                tokenizer_object=bare_backend(source),
                model_max_length=source.model_max_length,
                model_input_names=source.model_input_names,
            )
        if count > self._count:
            # Not special, so that split_special_tokens does not take them apart.
            new = [
                AddedToken(self._text(i), special=False, normalized=False)
                for i in range(self._count, max(count, 2 * self._count, 8))
            ]
            self._plain.add_tokens(new)
            self._count += len(new)
            self._first_id = self._plain.backend_tokenizer.token_to_id(self._text(0))
        for name in ("_special_tokens_map", "_extra_special_tokens", "SPECIAL_TOKENS_ATTRIBUTES"):
            self._plain.__dict__[name] = getattr(source, name)
        for name in ("chat_template", "chat_control_tokens", "split_special_tokens", "truncation_side"):
            setattr(self._plain, name, getattr(source, name, None))
        return self._plain

    def _text(self, index: int) -> str:
        # Begins and ends like the start and end token of an ECG, so word-boundary rules of the base see the same.
        return f"<|ecg-{self._nonce}-{index}|>"

    def placeholders(self, count: int) -> list[str]:
        """The texts of the first `count` placeholder tokens; call `tokenizer` first."""
        return [self._text(index) for index in range(count)]

    def expand(self, row: Row, blocks: Sequence[Sequence[int]]) -> Row:
        """Put the ids of the ECGs in place of their placeholders.

        Args:
            row: `input_ids` and whatever else goes with each token.
            blocks: ids of each ECG, start and end token included.

        Raises:
            ValueError: if an ECG does not appear exactly once.
        """
        positions = [(at, i - self._first_id) for at, i in enumerate(row["input_ids"]) if i >= self._first_id]
        if sorted(index for _, index in positions) != list(range(len(blocks))):
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
