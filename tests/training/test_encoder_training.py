"""What an encoder in training is shown of recordings that lack leads and stretches."""

from __future__ import annotations

import math

import torch

from hf_heartllm.models.configuration_ecg_lm import ECGEncoderConfig
from hf_heartllm.models.modeling_ecg_encoder import ECGEncoderForSequenceClassification
from hf_heartllm.training.encoder_training import EncoderTraining


def test_every_draw_leaves_some_signal_of_every_recording() -> None:
    torch.manual_seed(0)
    config = ECGEncoderConfig(hidden_sizes=(4, 8), depths=(1, 1), num_labels=2)
    training = EncoderTraining(
        ECGEncoderForSequenceClassification(config), fewer_leads=1.0, shorter=1.0, shortest=100
    ).train()
    features = torch.full((3, 12, 500), math.nan)
    features[0] = 0.1
    features[1, 7] = 0.1  # V2 alone
    features[2, 1, :300] = 0.1  # II alone, and only at its beginning
    seen = {(int((~one.isnan()).any(1).sum()), one.shape[1]) for _ in range(60) for one in training._changed(features)}
    assert len({leads for leads, _ in seen}) > 6
    assert len({samples for _, samples in seen}) > 3
    assert all(leads for leads, _ in seen)
    for _ in range(20):
        assert training(features, torch.zeros(3, 2))["loss"].isfinite()
