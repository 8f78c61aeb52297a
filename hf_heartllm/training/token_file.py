"""The file of codes that `dataset_builders.ecg_tokens` writes: each record is encoded once."""

from __future__ import annotations

import os

import numpy as np


def load_codes(path: str | os.PathLike[str], codec_identity: str | None = None) -> dict[int, np.ndarray]:
    """Codes by ecg_id, each uint16 (tokens,).

    Args:
        path: an `.npz` file with `ecg_id` (records,), `codes` (records, tokens) and `codec`.
        codec_identity: `ECGCodecModel.identity()` of the codec that the codes must come from; None: any.

    Raises:
        ValueError: if they were made by another codec.
    """
    with np.load(path, allow_pickle=False) as stored:
        if codec_identity is not None and str(stored["codec"]) != codec_identity:
            raise ValueError(f"{path}: encoded by codec {stored['codec']}, but the model's codec is {codec_identity}")
        return dict(zip(stored["ecg_id"].tolist(), stored["codes"], strict=True))
