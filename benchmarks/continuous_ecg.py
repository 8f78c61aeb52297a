"""ECGs as the encoder's output, not rounded: instead of codes ("w/o DISC"), or beside them ("hybrid").

A token of a recording keeps an id, behind the vocabulary, that names its row in a table of the encoder's outputs. So
examples, prompts and scoring are those of the codes, and only the embedding of these ids is another: a learned
projection of the output, or the code's own row plus a projection that begins at zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hf_heartllm.data.record import Record
from hf_heartllm.models.ecg_record import ECGError
from hf_heartllm.models.whole_files import written_whole

AT_ONCE = 16


class LatentEmbedding(nn.Embedding):
    """An embedding whose ids behind the vocabulary are projected rows of a table.

    Args:
        words: the embedding of the vocabulary, whose weight stays the same parameter.
        table: float32 (rows, dimensions); not saved with the weights.
    """

    latents: torch.Tensor

    def __init__(self, words: nn.Embedding, table: torch.Tensor) -> None:
        super().__init__(1, words.embedding_dim)
        self.num_embeddings, self.weight = words.num_embeddings, words.weight
        self.projection = nn.Linear(table.shape[1], words.embedding_dim)
        self.register_buffer("latents", table, persistent=False)

    def of(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Which of some ids are ECG tokens, and their rows of the table (any row for the others)."""
        rows = ids - self.num_embeddings
        return rows >= 0, self.latents[rows.clamp(min=0)]

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """int64 ids of any shape → float (…, width)."""
        of_ecg, rows = self.of(ids)
        words = nn.functional.embedding(ids.masked_fill(of_ecg, 0), self.weight)
        return torch.where(of_ecg[..., None], self.projection(rows).to(words.dtype), words)


class HybridEmbedding(LatentEmbedding):
    """An embedding of codes to which the encoder's output is added, through a projection that begins at zero.

    At zero every id behind the vocabulary is read as its code alone, so whatever is computed is what the codes' own
    ids give, bit for bit; and answers can be had from the text form of an ECG, which holds the codes.

    Args:
        words: the embedding of the vocabulary, whose weight stays the same parameter.
        table: float32 (rows, dimensions).
        code_ids: int64 (rows,), the vocabulary's id of each row's code.
    """

    code_ids: torch.Tensor

    def __init__(self, words: nn.Embedding, table: torch.Tensor, code_ids: torch.Tensor) -> None:
        super().__init__(words, table)
        self.projection.weight.data.zero_()
        self.projection.bias.data.zero_()
        self.register_buffer("code_ids", code_ids, persistent=False)

    def codes(self, ids: torch.Tensor) -> torch.Tensor:
        """Ids of any shape, those behind the vocabulary as the ids of their codes."""
        of_ecg, rows = ids >= self.num_embeddings, (ids - self.num_embeddings).clamp(min=0)
        return torch.where(of_ecg, self.code_ids[rows], ids)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """int64 ids of any shape → float (…, width)."""
        of_ecg, rows = self.of(ids)
        words = nn.functional.embedding(self.codes(ids), self.weight)
        added: torch.Tensor = self.projection(rows)
        return words + added.to(words.dtype) * of_ecg[..., None]


class HybridForecast(nn.Module):
    """Stage 2 of a hybrid: the next code is forecast, as ever.

    Args:
        model: a `HeartLLMForCausalLM` whose embedding is a `HybridEmbedding`.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor, **more: Any) -> Any:
        """The model's output, with `loss` over the codes."""
        labels = self.model.get_input_embeddings().codes(labels)
        return self.model(input_ids=input_ids, labels=labels, **more)


def code_ids_of(
    places: Mapping[str, np.ndarray], codes: Mapping[str, np.ndarray], tokenizer: Any, rows: int
) -> tuple[torch.Tensor, dict[str, np.ndarray]]:
    """The code of each row of a table.

    Args:
        places: of `read_latents`.
        codes: by `record_id`.
        tokenizer: an `ECGTokenizer`.
        rows: of the table.

    Returns:
        int64 (rows,) ids, and the places of those records whose codes are known and as many.
    """
    found = np.full(rows, tokenizer.ecg_token_offset)
    known = {name: each for name, each in places.items() if name in codes and len(codes[name]) == len(each)}
    for name, each in known.items():
        found[each] = tokenizer.codes_to_ids(codes[name].astype(np.int64).tolist())
    return torch.from_numpy(found), known


class LatentForecast(nn.Module):
    """Stage 2 without codes: the next row of the table is forecast, by mean squared error.

    Args:
        model: a `HeartLLMForCausalLM` whose embedding is a `LatentEmbedding`.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        embedding = model.get_input_embeddings()
        self.head = nn.Linear(embedding.embedding_dim, embedding.latents.shape[1])

    def forward(self, input_ids: torch.Tensor, **_: Any) -> dict[str, torch.Tensor]:
        """`loss`, over the ECG tokens of ids (records, tokens) but the first of each record."""
        hidden = self.model.backbone(input_ids=input_ids, use_cache=False).last_hidden_state[:, 1:-1]
        of_ecg, wanted = self.model.get_input_embeddings().of(input_ids[:, 2:])
        return {"loss": nn.functional.mse_loss(self.head(hidden)[of_ecg], wanted[of_ecg])}


class PlacesForCodes:
    """A tokenizer whose ECG ids are places in the table: everything else is the `ECGTokenizer`'s.

    Args:
        tokenizer: an `ECGTokenizer`.
        first: id of the table's first row.
    """

    def __init__(self, tokenizer: Any, first: int) -> None:
        self.tokenizer, self._first = tokenizer, first

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tokenizer, name)

    def codes_to_ids(self, codes: Any) -> list[int]:
        """Rows of the table → ids."""
        return [self._first + int(row) for row in np.asarray(codes).reshape(-1)]


def read_latents(records: Sequence[Record], tokenizer: Any, kept: Path) -> tuple[torch.Tensor, dict[str, np.ndarray]]:
    """The encoder's outputs before they are rounded, standardised.

    Args:
        records: to encode; one that cannot be read is left out.
        tokenizer: with the codec.
        kept: file that they are read from where it holds all these records by this codec, else written to.

    Returns:
        The table, float32 (rows, dimensions), and for each `record_id` the rows of its tokens, int64 (tokens,).
    """
    wanted, mark = [one.record_id for one in records], tokenizer.codec.fingerprint()
    if kept.is_file():
        with np.load(kept) as stored:
            if str(stored["codec"]) == mark and stored["asked"].tolist() == wanted:
                return _table(stored["ids"].tolist(), stored["latents"])
    ids, parts, waiting = [], [], []
    for number, record in enumerate(records, start=1):
        try:
            waiting.append(tokenizer.feature_extractor.extract(record.read(), padding=True, check=False)[:1])
            ids.append(record.record_id)
        except (ECGError, OSError) as error:
            print(f"left out: {record.record_id}: {error}", flush=True)
        if waiting and (len(waiting) == AT_ONCE or number == len(records)):
            parts.append(_encoded(tokenizer.codec, np.concatenate(waiting)))
            waiting = []
        if number % 1000 == 0:
            print(f"encoded {number:,} of {len(records):,} records", flush=True)
    if waiting:
        parts.append(_encoded(tokenizer.codec, np.concatenate(waiting)))
    if not parts:
        raise ValueError("no recording could be encoded")
    latents = np.concatenate(parts)
    with written_whole(kept) as temporary, temporary.open("wb") as file:
        np.savez(file, codec=mark, asked=np.array(wanted), ids=np.array(ids), latents=latents)
    return _table(ids, latents)


@torch.no_grad()
def _encoded(codec: Any, features: np.ndarray) -> np.ndarray:
    latents = codec(torch.from_numpy(features)).latents
    return np.asarray(latents.float().numpy())


def _table(ids: Sequence[str], latents: np.ndarray) -> tuple[torch.Tensor, dict[str, np.ndarray]]:
    records, tokens, dimensions = latents.shape
    rows = latents.reshape(-1, dimensions)
    rows = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-6)
    places = np.arange(records * tokens).reshape(records, tokens)
    return torch.from_numpy(rows.astype(np.float32)), dict(zip(ids, places, strict=True))
