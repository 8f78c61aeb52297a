"""Residual codebooks that begin with principal components refine before they are trained."""

from __future__ import annotations

import numpy as np
import torch

from hf_heartllm.ecg import simulate_ecg
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.training.codec_training import RefinementTraining, relative_error
from hf_heartllm.training.refinement_start import start_from_principal_components
from tests.tiny import tiny_codec


def test_every_codebook_takes_some_of_the_error_away():
    codec = tiny_codec(num_refinements=3, context_layers=0)  # in training they add nothing at first
    extract = ECGFeatureExtractor.from_codec(codec.config).extract
    records = [simulate_ecg(sampling_rate=100, noise=0.02, seed=seed)[0] for seed in range(12)]
    features = torch.from_numpy(np.concatenate([extract(record) for record in records]))
    first = {name: value.clone() for name, value in codec.encoder.state_dict().items()}

    start_from_principal_components(codec, features)

    training = RefinementTraining(codec).train()
    for module in codec.refinement.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.reset_running_stats()
    with torch.no_grad():
        training(features)
    codec.eval()
    codes = codec.encode(features, 4)
    errors = [float(relative_error(codec.decode(codes[:, :n]), features).mean()) for n in range(1, 5)]
    assert errors[1] < 0.7 * errors[0]
    assert errors[2] < 0.9 * errors[1]
    assert errors[3] < 0.95 * errors[2]
    assert all(torch.equal(value, first[name]) for name, value in codec.encoder.state_dict().items())
