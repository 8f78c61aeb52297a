"""The forecast score: the next 2 s of held-out recordings, generated, decoded and compared with what came.

A forecast follows the first part of a recording; two things are judged: the heart rate over its 2 s, and PRD, the root
of the squared error over the squares of the recording less its mean. Two rows stand beside a model's: "repeat the last
beats", which needs no model, and the codec on the true codes, which no forecast through these codes can be far above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from hf_heartllm.data.record import Record
from hf_heartllm.ecg.beats import beat_times
from hf_heartllm.models.ecg_record import ECGError, ECGRecord

AHEAD = 2.0
"""Seconds that are forecast."""
BEATS = 3
"""Intervals that are repeated, at most."""
AT_ONCE = 64
"""Recordings in one pass of a model."""
PRD, RATE_ERROR, NATS = "PRD", "heart-rate error", "nats a code"
UNITS = {PRD: "%", RATE_ERROR: "beats/min", NATS: "nats"}
"""Measures; of each, less is better."""

Scores = dict[str, np.ndarray]
"""Measure → float64 (recordings,); NaN where a recording has none."""


@dataclass(frozen=True)
class HeldOut:
    """Recordings whose end is forecast.

    Attributes:
        patients: of each.
        features: float32 (recordings, leads, samples), as the codec reads them.
        codes: int64 (recordings, tokens).
        tokens_ahead: the last tokens of each, which are forecast.
        codec: that decodes.
    """

    patients: tuple[str, ...]
    features: np.ndarray
    codes: np.ndarray
    tokens_ahead: int
    codec: Any

    @cached_property
    def rates(self) -> np.ndarray:
        """Beats/min over the end, float64 (recordings,); NaN for a recording without beats."""
        return _rates(self, self.features)

    @property
    def known(self) -> np.ndarray:
        """The codes that a forecast follows, (recordings, tokens)."""
        return self.codes[:, : -self.tokens_ahead]

    @property
    def begins(self) -> int:
        """The first sample that is forecast."""
        return int(self.known.shape[1] * self.codec.config.hop_length)


def held_out(records: Sequence[Record], codes: Mapping[str, np.ndarray], tokenizer: Any) -> HeldOut:
    """Read recordings; those that cannot be read, or have no codes, are left out.

    Raises:
        ValueError: if none is left.
    """
    found: list[tuple[str, np.ndarray, np.ndarray]] = []
    for record in records:
        if record.record_id not in codes:
            continue
        try:
            features = tokenizer.feature_extractor.extract(record.read(), padding=True, check=False)[0]
        except (ECGError, OSError):
            continue
        found.append((record.patient, features, codes[record.record_id].astype(np.int64)))
    lengths = {len(one[2]) for one in found}
    if len(lengths) != 1:
        what = "recordings of several lengths" if lengths else "none of the recordings has a signal and codes"
        raise ValueError(f"{what}: nothing to forecast")
    patients, features, all_codes = zip(*found, strict=True)
    ahead = max(1, round(AHEAD * tokenizer.codec.config.tokens_per_second))
    return HeldOut(patients, np.stack(features), np.stack(all_codes), ahead, tokenizer.codec)


def of_model(model: Any, held: HeldOut, prefix: Sequence[int], offset: int, size: int) -> Scores:
    """A model's forecast, greedy among the codes, and how likely it holds the codes that came.

    Args:
        model: a causal language model with ECG ids.
        held: recordings.
        prefix: ids in front of the first code, as in training.
        offset: id of code 0.
        size: how many codes there are.
    """
    training = model.training
    model.eval()
    parts = [held.codes[first : first + AT_ONCE] for first in range(0, len(held.codes), AT_ONCE)]
    forecasts, nats = [], []
    with torch.no_grad():
        for codes in parts:
            ids = torch.from_numpy(np.insert(codes + offset, 0, np.array(prefix)[:, None], axis=1))
            known = ids.shape[1] - held.tokens_ahead
            logits = model(input_ids=ids[:, :-1], use_cache=False).logits[:, known - 1 :].float()
            nats.append(torch.nn.functional.cross_entropy(logits.mT, ids[:, known:], reduction="none").mean(dim=1))
            forecasts.append(greedy(model, ids[:, :known], held.tokens_ahead, offset, size))
    model.train(training)
    decoded = _decoded(held, np.concatenate([held.known, torch.cat(forecasts).numpy()], axis=1))
    return {**_of_signals(held, decoded), NATS: torch.cat(nats).double().numpy()}


def greedy(model: Any, ids: torch.Tensor, steps: int, offset: int, size: int) -> torch.Tensor:
    """The likeliest next codes, one after the other. ids int64 (rows, tokens) → codes int64 (rows, steps)."""
    past, shown, found = None, ids, []
    for _ in range(steps):
        output = model(input_ids=shown, past_key_values=past, use_cache=True, logits_to_keep=1)
        past = output.past_key_values
        found.append(output.logits[:, -1, offset : offset + size].argmax(dim=-1))
        shown = found[-1][:, None] + offset
    return torch.stack(found, dim=1)


def of_true_codes(held: HeldOut) -> Scores:
    """The codec on the codes that came: what a perfect forecast of them would have."""
    return _of_signals(held, _decoded(held, held.codes))


def of_last_beats(held: HeldOut) -> Scores:
    """The last beats repeated."""
    rate = held.codec.config.sampling_rate
    return _of_signals(held, np.stack([repeat_last_beats(one, rate, held.begins) for one in held.features]))


def repeat_last_beats(signal: np.ndarray, rate: float, begins: int) -> np.ndarray:
    """A recording whose end is its last beats again, as often as they fit.

    Args:
        signal: (leads, samples); what lies behind `begins` is not looked at.
        rate: Hz.
        begins: sample at which the repetition begins.

    Returns:
        (leads, samples). Up to three RR intervals are repeated; without two beats the last 2 s are.
    """
    beats = _beats(signal[:, :begins], rate)
    intervals = min(BEATS, len(beats) - 1)
    period = round((beats[-1] - beats[-1 - intervals]) * rate) if intervals > 0 else round(AHEAD * rate)
    period = max(1, min(period, begins))
    samples = np.arange(begins, signal.shape[1])
    repeated = signal.copy()
    repeated[:, begins:] = signal[:, begins - period + (samples - begins) % period]
    return repeated


def rate_at_end(signal: np.ndarray, rate: float, begins: int) -> float:
    """Beats/min of the RR intervals that end behind a sample; NaN for a recording without beats.

    The interval from the last beat to the recording's end counts where no other ends there, so a forecast without
    beats has a low rate, not none.
    """
    beats = _beats(signal, rate)
    if not len(beats):
        return float("nan")
    intervals = np.diff(beats)[beats[1:] >= begins / rate]
    if not len(intervals):
        intervals = np.array([max(signal.shape[1] / rate - beats[-1], 1 / rate)])
    return float(60 / intervals.mean())


def _beats(signal: np.ndarray, rate: float) -> np.ndarray:
    leads = tuple(f"lead {number}" for number in range(len(signal)))
    try:
        return beat_times(ECGRecord(signal, rate, leads))
    except ECGError:
        return np.empty(0)


def _rates(held: HeldOut, signals: np.ndarray) -> np.ndarray:
    return np.array([rate_at_end(one, held.codec.config.sampling_rate, held.begins) for one in signals])


@torch.no_grad()
def _decoded(held: HeldOut, codes: np.ndarray) -> np.ndarray:
    """Codes (recordings, tokens) → (recordings, leads, samples), of the features' length."""
    parts = torch.from_numpy(codes).split(AT_ONCE)
    decoded = torch.cat([held.codec.decode(part) for part in parts]).numpy()
    return np.asarray(np.nan_to_num(decoded[..., : held.features.shape[-1]]))


def _of_signals(held: HeldOut, forecast: np.ndarray) -> Scores:
    begins = held.begins
    truth, given = held.features[..., begins : forecast.shape[-1]].astype(np.float64), forecast[..., begins:]
    judged = np.isfinite(truth).all(axis=-1, keepdims=True)
    truth, given = np.where(judged, truth, 0.0), np.where(judged, given, 0.0)
    truth, given = (one - one.mean(axis=-1, keepdims=True) for one in (truth, given))
    energy = np.square(truth).sum(axis=(1, 2))
    error = np.square(given - truth).sum(axis=(1, 2))
    prd = 100 * np.sqrt(np.divide(error, energy, out=np.full(len(error), np.nan), where=energy > 0))
    found = _rates(held, forecast)
    # a forecast in which no beat is found has the rate 0
    return {PRD: prd, RATE_ERROR: np.where(np.isnan(held.rates), np.nan, np.abs(np.nan_to_num(found) - held.rates))}
