"""ECG-LM's joint training: what a recording shows, in the words of the template, behind its soft tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from hf_heartllm.data.record import Record
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.prompts import ECG_PLACEHOLDER, IGNORE_INDEX
from hf_heartllm.training.draws import draws
from hf_heartllm.training.ecg_lm_template import Described, Piece, aligned_text, dropped_leads
from hf_heartllm.training.measured_findings import findings_in_table

_FEWEST = 32
"""Tokens that stand before an ECG, at least."""


def describe(records: Sequence[Record], reports: Mapping[str, str], measurements: str | Path) -> dict[str, Described]:
    """Recordings in words, by `record_id`: of those that have a report and were measured.

    Args:
        records: who was recorded, and which rhythm and conduction are stated.
        reports: in English, by `record_id`.
        measurements: CSV table of dataset_builders.measurements.

    Raises:
        ValueError: if the table lacks the columns of leads, or a cell is no number.
    """
    known = {one.record_id: one for one in records if reports.get(one.record_id)}
    found = {}
    for record_id, said in findings_in_table(known.values(), measurements).items():
        record = known[record_id]
        person = (record.age, record.sex, record.height, record.weight)
        found[record_id] = Described(*person, reports[record_id], said.general, said.by_lead)
    return found


class AlignedDataset(Dataset[dict[str, Any]]):
    """Recordings as the joint training shows them: soft tokens, template, labels on report and leads.

    Args:
        described: by `record_id`.
        features: what the encoder reads, by `record_id`, float32 (leads, samples) in the order of `leads`.
        processor: an `ECGLMProcessor`.
        dropped_share: of examples in which leads are dropped from text and signal.
        learn_general: whether the sentence on the whole recording is learned.
        max_length: tokens of an example; a longer one is cut behind.
        seed: of the draws.

    Attributes:
        epoch: set by `EpochOfDraws`.
    """

    def __init__(
        self,
        described: Mapping[str, Described],
        features: Mapping[str, np.ndarray],
        processor: Any,
        dropped_share: float = 0.5,
        learn_general: bool = True,
        max_length: int = 640,
        seed: int = 42,
    ) -> None:
        self.record_ids = [name for name in described if name in features]
        self.described, self.features, self.processor = described, features, processor
        self.dropped_share, self.learn_general, self.max_length = dropped_share, learn_general, max_length
        self.seed, self.epoch = seed, 0
        self.num_read, self.num_cut = 0, 0
        shortest = processor.num_ecg_tokens + _FEWEST
        if max_length < shortest:
            raise ValueError(f"data.max_length {max_length}: an ECG and what stands before it take {shortest}")

    def __len__(self) -> int:
        return len(self.record_ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        record_id, rng = self.record_ids[index], draws(self.seed, index, self.epoch)
        described, features = self.described[record_id], self.features[record_id]
        order = self.processor.feature_extractor.leads
        there = [lead for lead, row in zip(order, features, strict=True) if not np.isnan(row).all()]
        if rng.random() < self.dropped_share and len(there) > 1:
            gone = dropped_leads(described.described_leads(), there, rng)
            features = features.copy()
            features[[order.index(lead) for lead in gone]] = math.nan
            there = [lead for lead in there if lead not in gone]
        pieces = aligned_text(described, [lead for lead in STANDARD_LEADS if lead in there], self.learn_general)
        ids, labels = piece_ids(pieces, self.processor)
        self.num_read, self.num_cut = self.num_read + 1, self.num_cut + (len(ids) > self.max_length)
        return {
            "input_ids": ids[: self.max_length],
            "labels": labels[: self.max_length],
            "input_features": features,
        }


def piece_ids(pieces: Sequence[Piece], processor: Any) -> tuple[list[int], list[int]]:
    """The ids of a text, with places for soft tokens at `<ecg>`, and what of them is learned; the end is."""
    tokenizer = processor.tokenizer
    ids: list[int] = []
    labels: list[int] = []
    for piece in pieces:
        before, mark, after = piece.text.partition(ECG_PLACEHOLDER)
        new = tokenizer.encode(before, add_special_tokens=False) if before else []
        if mark:
            new += [processor.ecg_token_id] * processor.num_ecg_tokens
        if after:
            new += tokenizer.encode(after, add_special_tokens=False)
        ids += new
        labels += new if piece.learned else [IGNORE_INDEX] * len(new)
    return [*ids, tokenizer.eos_token_id], [*labels, tokenizer.eos_token_id]
