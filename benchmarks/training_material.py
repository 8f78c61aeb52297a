"""What the benchmarks of training have in common: rows of questions, codes and recordings, and an untrained decoder."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hf_heartllm as hl
from hf_heartllm.data import open_records
from hf_heartllm.data.record import Record
from hf_heartllm.data.token_file import load_codes, load_rows

FOLDS = dict.fromkeys(range(1, 9), "train") | {9: "test"}
"""Which are trained on, and which is judged."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Material:
    """Records with codes, questions and a signal.

    Attributes:
        tokenizer: of the checkpoint.
        decoder: its language model's configuration.
        train: rows of folds 1 to 8, in a random order.
        judged: rows of fold 9, likewise.
        codes: by `record_id`.
        records: of these rows, likewise; at 100 Hz.
    """

    tokenizer: Any
    decoder: Any
    train: Sequence[Row]
    judged: Sequence[Row]
    codes: Mapping[str, np.ndarray]
    records: Mapping[str, Record]


def read_material(
    ptbxl: Path,
    tokens: Path,
    checkpoint: str | None,
    most: int | None = None,
    judged: int | None = None,
    rows: Path | None = None,
) -> Material:
    """Read rows, codes and where recordings lie.

    Args:
        ptbxl: folder of PTB-XL.
        tokens: folder of `dataset_builders.ecg_tokens`.
        checkpoint: whose tokenizer and decoder are used; None: the embedded one.
        most: rows to train on, drawn; None: all.
        judged: rows to judge on, drawn; None: all.
        rows: Parquet file of `dataset_builders.training_rows` with the questions, where those of `tokens` hold none.

    Raises:
        ValueError: if there are none to train or to judge on.
    """
    from transformers import AutoConfig

    from hf_heartllm.models.tokenization_heartllm import ECGTokenizer

    folder = checkpoint or str(hl.checkpoint())
    tokenizer = ECGTokenizer.from_pretrained(folder)
    codes = load_codes(tokens, tokenizer.codec.fingerprint())
    records = {one.record_id: one for one in open_records(ptbxl, splits=FOLDS) if one.files}
    of_split: dict[str, list[Row]] = {"train": [], "test": []}
    asked = {} if rows is None else {row["record_id"]: row for row in load_rows(rows)}
    for of_tokens in load_rows(tokens):
        row = asked.get(of_tokens["record_id"], of_tokens)
        if row["record_id"] in codes and row["record_id"] in records:
            of_split[records[row["record_id"]].split].append(row)
    draw = random.Random(0)
    train, test = (
        draw.sample(rows, len(rows) if count is None else min(count, len(rows)))
        for rows, count in zip(of_split.values(), (most, judged), strict=True)
    )
    if not train or not test:
        raise ValueError(
            f"{tokens}: {len(train)} records of folds 1-8 and {len(test)} of fold 9 have codes and signals"
        )
    used = {row["record_id"] for row in (*train, *test)}
    records = {name: one for name, one in records.items() if name in used}
    return Material(tokenizer, AutoConfig.from_pretrained(folder).text_config, train, test, codes, records)


def untrained(material: Material, size: int | None = None) -> Any:
    """The decoder with random weights, by torch's seed; `size` is that of its vocabulary where it is another."""
    from transformers import AutoModelForCausalLM

    config = copy.deepcopy(material.decoder)
    config.vocab_size = size or len(material.tokenizer)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32).train()
