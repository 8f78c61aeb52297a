"""Codes of an arriving signal are those of the whole recording, and come no later than stated."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hf_heartllm.ecg import simulate_ecg
from hf_heartllm.inference.ecg_stream import CodeStream, encode_stream
from hf_heartllm.models.configuration_ecg_codec import ECGCodecConfig
from hf_heartllm.models.configuration_paper_codec import PaperCodecConfig
from hf_heartllm.models.ecg_record import ECGError, ECGRecord
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.models.modeling_ecg_codec import ECGCodecModel
from hf_heartllm.models.modeling_paper_codec import PaperCodecModel
from tests.tiny import tiny_codec


@pytest.fixture(scope="module")
def codec() -> ECGCodecModel:
    return tiny_codec()


@pytest.fixture(scope="module")
def signal() -> np.ndarray:
    """(8, samples) in mV with wander and offset, 24.53 s: a rest of five samples fills no token."""
    record = simulate_ecg(sampling_rate=100, duration=24.53, wander=0.4, noise=0.02, seed=3)[0]
    return record.select(ECGCodecConfig().leads).signal.astype(np.float64) + 0.3


def whole(codec: ECGCodecModel, signal: np.ndarray) -> torch.Tensor:
    features = ECGFeatureExtractor.from_codec(codec.config).extract(ECGRecord(signal, 100, tuple(codec.config.leads)))
    return codec.encode(torch.from_numpy(features), 2)[0]


@pytest.mark.parametrize("length", [25, 333, 2453, 5000])
def test_the_codes_are_those_of_the_whole(codec, signal, length):
    pieces = [signal[:, i : i + length] for i in range(0, signal.shape[1], length)]
    codes = torch.cat(list(encode_stream(codec, pieces, 2)), dim=1)
    expected = whole(codec, signal)
    assert len(expected[0].unique()) > 30
    assert torch.equal(codes, expected)


def test_a_missing_lead_stays_missing(codec, signal):
    gone = signal.copy()
    gone[4] = np.nan
    codes = torch.cat(list(encode_stream(codec, np.array_split(gone, 9, axis=1), 2)), dim=1)
    features = torch.from_numpy(
        ECGFeatureExtractor.from_codec(codec.config).extract(
            ECGRecord(np.delete(gone, 4, axis=0), 100, tuple(np.delete(codec.config.leads, 4)))
        )
    )
    assert torch.equal(codes, codec.encode(features, 2)[0])


def test_a_code_comes_as_late_as_stated_and_no_later(codec, signal):
    stream = CodeStream(codec)
    hop, rate = codec.config.hop_length, codec.config.sampling_rate
    assert codec.config.latency == pytest.approx(stream.latency, abs=1 / rate)
    needed = hop + round(stream.latency * rate)
    assert stream.push(signal[:, : needed - 1]).shape == (1, 0)
    assert stream.push(signal[:, needed - 1 : needed]).shape == (1, 1)
    assert stream.push(signal[:, needed : needed + 3 * hop]).shape == (1, 3)


def test_the_latency_is_needed(codec, signal):
    """A change at the end of the stated stretch still reaches the latents, one beyond it does not."""
    config = codec.config
    token, hop = 100, config.hop_length
    reach = round(config.latency * config.sampling_rate)
    extractor = ECGFeatureExtractor.from_codec(config)

    def latents(changed: np.ndarray) -> torch.Tensor:
        features = extractor.extract(ECGRecord(changed, 100, tuple(config.leads)))
        with torch.no_grad():
            return codec.encoder(torch.from_numpy(features))[0, token]

    before = latents(signal)
    for offset, changes in ((reach, False), (reach // 2, True)):
        changed = signal.copy()
        changed[:, (token + 1) * hop + offset] += 50.0
        assert ((latents(changed) - before).abs().max() > 1e-5) == changes


def test_what_is_no_stream_is_refused(codec, signal):
    with pytest.raises(ECGError, match=r"1 s is shorter than the 2 s"):
        list(encode_stream(codec, [signal[:, :100]]))
    with pytest.raises(ECGError, match=r"must be \(8, n\)"):
        CodeStream(codec).push(signal[:3])
    paper = PaperCodecModel(PaperCodecConfig(encoder_hidden_size=8, decoder_hidden_size=8))
    with pytest.raises(ValueError, match="whole windows"):
        CodeStream(paper)
