"""Questions and answers → ids and labels, and many of them behind one ECG.

Each turn sees the ECG and itself, at the positions it would have alone; the loss and its gradient are those of separate
rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch

from hf_heartllm.models.prompts import IGNORE_INDEX


class TurnIds(NamedTuple):
    """A question and its answer behind an ECG.

    Attributes:
        ids: of the question, the answer and the end of the turn.
        labels: likewise, `IGNORE_INDEX` where nothing is learned.
        soft_place: of the token that is learned with the probability 1 - `share` alone.
        instead: the token that is learned in its place with the probability `share`.
        share: 0: the labels alone.
    """

    ids: list[int]
    labels: list[int]
    soft_place: int = 0
    instead: int = IGNORE_INDEX
    share: float = 0.0


class QuestionPrompts:
    """Questions and answers → ids behind one ECG, in the prompts that the model is asked with (`models.ecg_prompts`).

    Args:
        tokenizer: an `ECGTokenizer`, or an `ECGLMProcessor`.
        labelled_prompt_tokens: how many of the last ids before the answer are learned too. A model of one's own that
            learns to write the assistant's mark also answers a prompt without the template.
    """

    def __init__(self, tokenizer: Any, labelled_prompt_tokens: int = 0) -> None:
        self.tokenizer = tokenizer
        self.labelled_prompt_tokens = labelled_prompt_tokens
        self._ids = tokenizer.prompt_ids()
        self._texts = getattr(tokenizer, "tokenizer", tokenizer)
        self._answer_ids = lru_cache(maxsize=100_000)(
            lambda text: tuple(self._texts.encode(text, add_special_tokens=False))
        )

    def prefix(self, ecg_ids: Sequence[int] | None) -> list[int]:
        """Everything up to the end of the ECG, the same for every question on it; None: of a question without one."""
        before, _ = self._ids.around("?")
        if ecg_ids is None:
            return list(before)
        return [*before, *self._ids.whole(ecg_ids)]

    def described_prefix(self, description: str) -> list[int]:
        """As `prefix`, with words where the ECG would stand."""
        before, _ = self._ids.around("?")
        return [*before, *self._texts.encode(f" {description}.", add_special_tokens=False)]

    def turn(
        self,
        question: str,
        answer: str,
        instead: str | None = None,
        share: float = 0.0,
        then: Sequence[tuple[str, str]] = (),
        goes_on: bool = False,
        with_ecg: bool = True,
    ) -> TurnIds:
        """Ids behind the ECG and their labels: question, answer and the end of the turn.

        Args:
            question: the text.
            answer: that is learned.
            instead: another answer, whose first token is learned with the probability `share` in place of the other's.
            share: of it.
            then: further questions and answers of the same conversation, in turn.
            goes_on: whether the answer is cut off, so that its end is not learned.
            with_ecg: False: of a conversation without an ECG, which `plain_prefix` begins.
        """
        asked = self._ids.around(question)[1] if with_ecg else self._plain(question)[1]
        said = self._said(answer)
        silent = len(asked) - self.labelled_prompt_tokens
        ids = [*asked, *said]
        labels = [IGNORE_INDEX] * silent + [*asked[silent:], *said[:-1], IGNORE_INDEX if goes_on else said[-1]]
        chat = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        for following, more in then:
            between, said = self._between(chat, following), self._said(more)
            ids += [*between, *said]
            labels += [IGNORE_INDEX] * len(between) + said
            chat += [{"role": "user", "content": following}, {"role": "assistant", "content": more}]
        if instead is None or not share:
            return TurnIds(ids, labels)
        return TurnIds(ids, labels, len(asked), self._first(instead), share)

    def terse_turn(self, name: str, answer: str, instead: str | None = None, share: float = 0.0) -> TurnIds:
        """Ids behind the ECG of a name and the first token of its answer, without the chat template's marks.

        Args:
            name, answer, instead, share: as of `turn`, with the name alone for a question.
        """
        asked = self._texts.encode(f"\n{name}:", add_special_tokens=False)
        labels = [IGNORE_INDEX] * len(asked) + [self._first(answer)]
        ids = [*asked, labels[-1]]
        if instead is None or not share:
            return TurnIds(ids, labels)
        return TurnIds(ids, labels, len(asked), self._first(instead), share)

    def plain_prefix(self) -> list[int]:
        """Everything up to the first words of a conversation without an ECG."""
        return list(self._plain("?")[0])

    def _plain(self, question: str) -> tuple[list[int], list[int]]:
        """The ids before and from the words of a conversation without an ECG."""
        first, second = (self._rendered([{"role": "user", "content": text}]) for text in (question, f"~{question}"))
        same = next((i for i, (one, two) in enumerate(zip(first, second)) if one != two), len(first))
        return first[:same], first[same:]

    def _rendered(self, chat: Sequence[Mapping[str, str]]) -> list[int]:
        row = self.tokenizer.apply_chat_template(list(chat), add_generation_prompt=True, return_dict=True)
        return list(row["input_ids"])

    def _said(self, answer: str) -> list[int]:
        return [*self._answer_ids(answer), self._texts.eos_token_id]

    def _between(self, chat: Sequence[Mapping[str, str]], following: str) -> list[int]:
        """The ids from the end of a conversation's last answer to the beginning of the next."""
        before = [*self._rendered(chat[:-1]), *self._said(chat[-1]["content"])]
        whole = self._rendered([*chat, {"role": "user", "content": following}])
        if whole[: len(before)] != before:
            raise ValueError(
                "this chat template does not keep what was said: no conversation of several turns is learned"
            )
        return whole[len(before) :]

    def _first(self, answer: str) -> int:
        return int(self._answer_ids(answer)[0])


def pack_turns(prefix: Sequence[int], turns: Sequence[TurnIds], max_length: int) -> dict[str, list[Any]]:
    """Put turns behind one prefix.

    Returns:
        `input_ids`, `labels`, `position_ids` (each turn counts on from the prefix) and `segment_ids` (0 for the
        prefix, 1, 2, … for the turns), all equally long; and for each token that is learned softly `soft_places`
        (where it stands), `soft_instead` (the other token) and `soft_shares` (its probability).

    Raises:
        ValueError: if not even the first turn fits.
    """
    packed: dict[str, list[Any]] = {
        "input_ids": list(prefix),
        "labels": [IGNORE_INDEX] * len(prefix),
        "position_ids": list(range(len(prefix))),
        "segment_ids": [0] * len(prefix),
        "soft_places": [],
        "soft_instead": [],
        "soft_shares": [],
    }
    for segment, turn in enumerate(turns, start=1):
        ids, labels = turn.ids, turn.labels
        if len(packed["input_ids"]) + len(ids) > max_length:
            if segment == 1:
                raise ValueError(f"a prefix of {len(prefix)} and a turn of {len(ids)} tokens exceed {max_length}")
            continue
        if turn.share:
            packed["soft_places"].append(len(packed["input_ids"]) + turn.soft_place)
            packed["soft_instead"].append(turn.instead)
            packed["soft_shares"].append(turn.share)
        packed["input_ids"] += ids
        packed["labels"] += labels
        packed["position_ids"] += range(len(prefix), len(prefix) + len(ids))
        packed["segment_ids"] += [segment] * len(ids)
    return packed


@dataclass
class PackedCollator:
    """Pads examples on the right and builds the attention mask that keeps the turns of a record apart.

    Args:
        pad_token_id: fills `input_ids`.

    Returns (when called):
        `input_ids`, `labels`, `position_ids` int64 (batch, tokens) and, where the examples have segments,
        `attention_mask` bool (batch, 1, tokens, tokens), True where a token may look; else the usual
        `attention_mask` (batch, tokens). Where tokens are learned softly also `soft_labels`, three rows (tokens,): the
        index of the token among those of the batch, the other token, and its probability.
    """

    pad_token_id: int

    def __call__(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        def padded(name: str, value: int) -> torch.Tensor:
            rows = [torch.tensor(example[name]) for example in examples]
            return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)

        batch = {"input_ids": padded("input_ids", self.pad_token_id), "labels": padded("labels", IGNORE_INDEX)}
        if "segment_ids" not in examples[0]:
            lengths = torch.tensor([len(example["input_ids"]) for example in examples])
            batch["attention_mask"] = (torch.arange(batch["input_ids"].shape[1]) < lengths[:, None]).long()
            return batch
        for name in ("probe_position", "statement_labels"):
            if name in examples[0]:
                batch[name] = torch.as_tensor(np.array([example[name] for example in examples]))
        width = batch["input_ids"].shape[1]
        soft = [
            (row * width + place, instead, share)
            for row, one in enumerate(examples)
            for place, instead, share in zip(one["soft_places"], one["soft_instead"], one["soft_shares"], strict=True)
        ]
        if soft:
            batch["soft_labels"] = torch.tensor(soft, dtype=torch.float64).T
        batch["position_ids"] = padded("position_ids", 0)
        segments = padded("segment_ids", -1)
        looking, looked_at = segments[:, :, None], segments[:, None, :]
        tokens = segments.shape[1]
        causal = torch.ones(tokens, tokens, dtype=torch.bool).tril()
        # Padding looks at itself alone, so that no row of the mask is empty.
        batch["attention_mask"] = (causal & ((looked_at == 0) | (looked_at == looking)))[:, None]
        return batch
