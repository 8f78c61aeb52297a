"""A language model in training is held to what its untouched base makes of plain texts.

An adapter that learns to read ECGs changes what the model makes of words too, since both pass the same matrices, and
rows of ECG tokens that have grown become likely words of any text. So beside each batch of ECGs some texts run through
the layers with the adapter, and their hidden states are held to those without it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hf_heartllm.training.turns.others import read_base_texts, read_general_turns

Encode = Callable[[Tensor, Tensor], Tensor]
"""Ids and attention mask (batch, tokens) → hidden states (batch, tokens, hidden)."""

LONGEST = 128
"""Tokens of a text; what is behind them is left out."""

LEAST_LIKELY = 4.0
"""How far (in nats) all ECG tokens together are kept below all words."""


def anchor_texts(tokenizer: Any, path: str | Path) -> list[list[int]]:
    """The ids of what the base said, in its chat template, and of texts that it wrote by itself.

    Args:
        tokenizer: an `ECGTokenizer` over the base's.
        path: JSON lines of training/general_turns.py.

    Raises:
        ValueError: if it is none of such files.
    """
    chats = [
        [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.answer}]
        for turn in read_general_turns(path)
    ]
    said = [list(tokenizer.apply_chat_template(chat, return_dict=True)["input_ids"]) for chat in chats]
    written = [list(tokenizer.encode(text)) for text in read_base_texts(path)]
    return [ids[:LONGEST] for ids in (*said, *written)]


class TextAnchor:
    """Texts, with the hidden states that the base has on them.

    Args:
        texts: ids of each.
        encode: of the model with its adapter.
        without_adapter: a context in which the adapter does nothing (`PeftModel.disable_adapter`).
        at_once: texts of one step.
        weight: of the loss.
    """

    def __init__(
        self,
        texts: Sequence[Sequence[int]],
        encode: Encode,
        without_adapter: Callable[[], Any],
        at_once: int = 2,
        weight: float = 1.0,
    ) -> None:
        # neighbours in length run together: little padding
        self._texts = sorted((list(text) for text in texts if len(text) > 2), key=len)
        if not self._texts:
            raise ValueError("no text is longer than two tokens: nothing to hold the model to")
        self._encode, self.at_once, self.weight = encode, at_once, weight
        self._wanted: list[Tensor] = []
        with torch.no_grad(), without_adapter():
            for text in self._texts:
                ids = torch.tensor([text])
                self._wanted.append(encode(ids, torch.ones_like(ids))[0].float().cpu())

    def loss(self, step: int | None = None) -> Tensor:
        """Squared error of the hidden states of some texts, as a share of their squared size.

        Args:
            step: of the training, which decides the texts, so that processes side by side train as one does; None: they
                are drawn by torch's generator.
        """
        most = max(1, len(self._texts) - self.at_once + 1)
        first = int(torch.randint(most, ())) if step is None else random.Random(f"texts-{step}").randrange(most)
        chosen = range(first, min(first + self.at_once, len(self._texts)))
        rows = [torch.tensor(self._texts[index]) for index in chosen]
        ids = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        mask = torch.arange(ids.shape[1]) < torch.tensor([len(row) for row in rows])[:, None]
        wanted = nn.utils.rnn.pad_sequence([self._wanted[index] for index in chosen], batch_first=True)
        hidden = self._encode(ids, mask.long())
        counted = mask.clone()
        counted[:, 0] = False  # its state is a sink of attention, many times the size of the others
        counted, wanted = counted.to(hidden.device), wanted.to(hidden.device)
        error = (hidden.float() - wanted).square().sum(dim=-1) / wanted.square().sum(dim=-1).clamp(min=1e-6)
        return self.weight * error[counted].mean()


class QuietRows:
    """Hidden states of texts at the end of the base, at which no ECG token is to be likely.

    Args:
        hidden: float (tokens, hidden), behind the last norm.
        words: float (vocabulary without ECG tokens, hidden), the output matrix.
    """

    def __init__(self, hidden: Tensor, words: Tensor) -> None:
        self._hidden = hidden
        self._of_words = torch.cat([(part @ words.T).logsumexp(dim=-1) for part in hidden.split(256)])

    def loss(self, rows: Tensor, at_once: int = 256) -> Tensor:
        """By how much ECG rows, float (rows, hidden), are too likely, in nats, at some places, drawn anew."""
        places = torch.randint(len(self._hidden), (at_once,))
        of_ecg = (self._hidden[places].to(rows) @ rows.T).logsumexp(dim=-1)
        return nn.functional.softplus(of_ecg - self._of_words[places].to(rows) + LEAST_LIKELY).mean()

    @torch.no_grad()
    def shift(self, rows: Tensor) -> Tensor:
        """What is added to all ECG rows so that they are unlikely in text, float (hidden,): along its mean direction,
        so that the rows' differences, which tell codes apart, stay.
        """
        hidden, of_words = self._hidden.to(rows), self._of_words.to(rows)
        direction = hidden.mean(dim=0)
        direction = direction / direction.norm()
        of_ecg = torch.cat([(part @ rows.T).logsumexp(dim=-1) for part in hidden.split(256)])
        along = hidden @ direction
        # where a text hardly points that way, no shift along it makes ECG tokens unlikely
        clear = along > 0.25 * along.mean()
        needed = ((of_ecg - of_words + LEAST_LIKELY)[clear] / along[clear]).quantile(0.95)
        shift: Tensor = -direction * needed.clamp(min=0, max=float(rows.norm(dim=-1).mean()))
        return shift
