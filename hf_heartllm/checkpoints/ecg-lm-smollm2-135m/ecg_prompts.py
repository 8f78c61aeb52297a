"""What a model is shown before it answers: an ECG or none, and words. The one place where prompts become token ids."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .ecg_chat import ONE_QUESTION
from .ecg_windows import MEAN


@dataclass(frozen=True)
class Prompt:
    """What a model is shown before it answers.

    Attributes:
        record: the recording: an `ECGRecord`, what an answerer has read already (`Answerer.read`, or one window of
            it), or None: the model is asked without an ECG.
        text: the question or request; empty: the ECG stands alone.
        background: what is told of the patient before the text (`models.prompts.background_text`).
        rule: how the answers of a long recording's windows are put together (`ecg_windows.rule`).

    Examples:
        >>> Prompt(None, "Is this ECG normal?", background="Age 56 years.").words
        'Age 56 years. Is this ECG normal?'
    """

    record: Any = None
    text: str = ""
    background: str = ""
    rule: str = MEAN

    @property
    def words(self) -> str:
        """Background and text."""
        return " ".join(part for part in (self.background, self.text) if part)


class PromptIds:
    """Words and the ids of an ECG → the ids of a prompt, by the tokenizer's chat template; the answer follows.

    The text around an ECG is tokenised once, however many ECGs it is asked about.

    Args:
        tokenizer: an `ECGTokenizer`.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._around = lru_cache(maxsize=100_000)(self._split)
        self._without = lru_cache(maxsize=100_000)(self._alone)

    def __call__(self, ecg_ids: Sequence[int] | None, words: str) -> list[int]:
        """The ids of a prompt.

        Args:
            ecg_ids: of one ECG's tokens, without start and end token; None: no ECG is shown.
            words: background and question; empty: the ECG alone.
        """
        if ecg_ids is None:
            return list(self._without(words, self._template()))
        before, after = self._around(words, self._template())
        return [*before, *self.whole(ecg_ids), *after]

    def whole(self, ecg_ids: Sequence[int]) -> list[int]:
        """All ids of an ECG, between start and end token."""
        return [self._tokenizer.ecg_start_token_id, *ecg_ids, self._tokenizer.ecg_end_token_id]

    def around(self, words: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The ids before an ECG, and those between it and the answer."""
        return self._around(words, self._template())

    @property
    def one_question(self) -> bool:
        """Whether the model is shown the last question alone, whatever came before it."""
        return self._template()[1] == ONE_QUESTION

    def conversation(self, ecg_ids: Sequence[int], turns: Sequence[tuple[str, str]], question: str) -> list[int]:
        """The ids of a conversation about one ECG, which stands in its first message; the next answer follows.

        Args:
            ecg_ids: of the ECG, as in a call.
            turns: earlier questions with their answers, the oldest first.
            question: the last one.
        """
        chat: list[dict[str, Any]] = []
        for asked, answered in turns:
            chat += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
        chat.append({"role": "user", "content": question})
        chat[0]["content"] = [self._any_ecg(), {"type": "text", "text": chat[0]["content"]}]
        before, after = self._parted(self._chat_ids(chat, literal=True))
        return [*before, *self.whole(ecg_ids), *after]

    def _template(self) -> tuple[str, str]:
        """What decides how a text becomes ids, beside the text; it may be changed from one call to the next."""
        return str(self._tokenizer.chat_template), self._tokenizer.ecg_chat

    def _split(self, words: str, _: Hashable) -> tuple[tuple[int, ...], tuple[int, ...]]:
        shown = [self._any_ecg()]
        return self._parted(self._ids([*shown, {"type": "text", "text": words}] if words else shown))

    def _any_ecg(self) -> dict[str, Any]:
        """An ECG as part of a message, in whose place others are put."""
        return {"type": "ecg", "ecg": [self._tokenizer.ecg_token_offset]}

    def _parted(self, ids: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What stands before and behind it."""
        end = ids.index(self._tokenizer.ecg_end_token_id)
        return tuple(ids[: end - 2]), tuple(ids[end + 1 :])

    def _alone(self, words: str, _: Hashable) -> tuple[int, ...]:
        return tuple(self._ids(f" {words}"))  # with the blank that parts it from an ECG

    def _ids(self, content: Any) -> list[int]:
        return self._chat_ids([{"role": "user", "content": content}])

    def _chat_ids(self, chat: list[dict[str, Any]], literal: bool = False) -> list[int]:
        """The ids of messages; `literal` takes `<ecg>` in a text as ordinary text."""
        options = {"ecgs": False} if literal else {}
        row = self._tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True, **options)
        return list(row["input_ids"])
