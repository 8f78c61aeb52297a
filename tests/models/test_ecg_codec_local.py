"""Our codec: local, any length, missing leads marked, every prefix of its codebooks a codec."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import hf_heartllm as hl
from hf_heartllm.ecg import ECGRecord
from hf_heartllm.ecg.simulate import simulate_ecg
from hf_heartllm.models.configuration_ecg_codec import INDEPENDENT_LEADS, ECGCodecConfig
from hf_heartllm.models.ecg_codec_inference import InferenceEncoder
from hf_heartllm.models.ecg_codec_local import BeatContext
from hf_heartllm.models.ecg_record import ECGError
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.models.modeling_ecg_codec import ECGCodecModel
from hf_heartllm.training.codec_training import extended
from tests.tiny import tiny_codec


@pytest.fixture(scope="module")
def codec() -> ECGCodecModel:
    return tiny_codec(num_refinements=2)


@pytest.fixture(scope="module")
def features() -> torch.Tensor:
    return torch.randn(3, 8, 2400, generator=torch.Generator().manual_seed(1)) * 0.3


def extractor() -> ECGFeatureExtractor:
    return ECGFeatureExtractor.from_codec(ECGCodecConfig())


def test_numbers_follow_from_the_sizes():
    config = ECGCodecConfig()
    assert (config.frame_rate, config.tokens_per_second, config.codebook_size) == (12.5, 12.5, 1200)
    assert config.num_tokens(1000) == 125
    assert config.bits_per_second_of(1) == pytest.approx(127.9, abs=0.05)
    assert config.bits_per_second_of(2) <= 323.6
    assert config.bits_per_second == config.bits_per_second_of(7) <= 1300
    assert config.bandwidth == 50


def test_the_defaults_are_those_that_are_written_down():
    config = ECGCodecConfig()
    written = re.findall(r"(\w+) \([^)]*defaults to `?([^`)]+)`?\):", ECGCodecConfig.__doc__)
    assert len(written) == 18
    for name, value in written:
        assert getattr(config, name) == ast.literal_eval(value), name
    assert (config.leads, config.required_leads) == (
        ["I", "II", *(f"V{number}" for number in range(1, 7))],
        ["I", "II"],
    )
    assert ECGCodecConfig(leads=["V1", "II"]).required_leads == ["II"]


def test_the_default_sizes_are_those_of_the_shipped_codec():
    saved = json.loads((Path(hl.checkpoint()) / "codec" / "config.json").read_text())
    sizes = ECGCodecConfig().to_dict()
    same = set(saved) & set(sizes) - {"dtype", "transformers_version", "architectures"}
    assert {"decoder_channels", "refinement_dilations", "format_version"} <= same
    assert {name: saved[name] for name in same} == {name: sizes[name] for name in same}


def test_reach_and_latency_follow_from_the_sizes():
    """By hand: samples to either side of a code that its latents depend on, and half of the features' baseline."""
    config = ECGCodecConfig(
        strides=(4, 2), hidden_sizes=(8, 16), num_blocks=(1,), dilations=(1, 2, 4), envelope_seconds=1.5,
        refinement_dilations=(1, 2), context_layers=1, context_reach=10, num_refinements=2, baseline_seconds=2,
    )  # fmt: skip
    # 4 of the first step, 2 · 4 of its block, 1 · 4 of the second step, 7 · 8 of the last blocks = 72; 150 of the
    # envelope and 8 of its interpolation give 230, which whole tokens round up to 232
    assert config.receptive_field == pytest.approx(4.65)
    assert config.latency == config.latency_of(1) == pytest.approx(3.32)
    # the decoder: 7 + 1 + 10 tokens of 8, then 8 + 8 of the second step, 4 + 2 of the first = 166; read again: 16 + 24
    assert config.latency_of(2) == config.latency_of(3) == pytest.approx(3.32 + 1.66 + 0.40)
    assert config.envelope_reach == 150
    assert [config.sampling_kernel(step) for step in (0, 1)] == [(12, 4), (4, 1)]
    assert config.codebook_levels == [[8, 6, 5, 5], [4, 4, 4, 4, 4, 4, 4, 3], [4, 4, 4, 4, 4, 4, 4, 3]]
    assert config.reads_missing_leads


def test_the_number_of_attention_layers_follows_from_the_dilations():
    assert ECGCodecConfig(dilations=(1,)).context_layers == 1
    assert ECGCodecConfig(dilations=(1, 2, 4, 8)).context_layers == 2
    assert ECGCodecConfig(dilations=(1, 2), context_layers=0).context_layers == 0
    assert ECGCodecConfig(context_layers=3, context_reach=1).context_layers == 3
    assert ECGCodecConfig(hidden_sizes=(8, 6), context_layers=0).hidden_sizes == [8, 6]  # heads share no channels then
    assert ECGCodecConfig(min_duration=0.08).min_duration == 0.08  # one token


@given(
    sizes=st.sampled_from([((4, 2), (1,)), ((2, 2, 2), (1, 0)), ((8,), ()), ((2, 4), (0,))]),
    tokens=st.integers(3, 40),
    missing=st.sets(st.integers(2, 7), max_size=6),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_encoding_takes_fewer_operations_to_the_same_latents(sizes, tokens, missing, seed):
    strides, blocks = sizes
    torch.manual_seed(seed)
    config = ECGCodecConfig(
        strides=list(strides), hidden_sizes=[16] * len(strides), num_blocks=list(blocks), num_refinements=0
    )
    codec = ECGCodecModel(config)
    features = torch.randn(3, 8, tokens * config.hop_length)
    codec(features)  # batch normalisation has seen something
    features[1, list(missing)] = float("nan")
    codec.eval()
    with torch.no_grad():
        torch.testing.assert_close(InferenceEncoder(codec.encoder)(features), codec.encoder(features))


@pytest.mark.parametrize("codebooks", [1, 3])
def test_a_code_depends_on_no_more_than_the_stated_stretch(codec, features, codebooks):
    config = codec.config
    reach = int(np.ceil((config.latency_of(codebooks) - config.baseline_seconds / 2) * config.frame_rate)) + 1
    codes = codec.encode(features, codebooks)
    moved = codec.encode(features[..., 40 * config.hop_length :], codebooks)
    assert torch.equal(moved[..., reach:-reach], codes[..., 40 + reach : -reach])
    changed = features.clone()
    middle = 150 * config.hop_length
    changed[..., middle : middle + 8] += 3.0
    differs = (codec.encode(changed, codebooks) != codes).any(dim=1).any(dim=0).nonzero()[:, 0]
    assert differs.min() >= 150 - reach
    assert differs.max() <= 150 + reach


class Latents(torch.nn.Module):
    """In the quantiser's place: latents as they are."""

    def encode(self, latents: torch.Tensor, num_stages: int) -> torch.Tensor:
        return latents


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 16, 33])
@pytest.mark.parametrize("threads", [1, 2])
def test_latents_are_the_same_to_the_bit_in_every_batch(batch, threads):
    """At full size: what decides about rounding is how torch does convolutions of this size."""
    torch.manual_seed(0)
    codec = ECGCodecModel(ECGCodecConfig(num_refinements=0)).eval()
    codec.quantizer = Latents()
    signals = torch.randn(33, 8, 304) * 0.3
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        latents = torch.cat([codec.encode(some) for some in signals.split(batch)])
        alone = codec.encode(signals[5:6])
    finally:
        torch.set_num_threads(before)
    assert torch.equal(latents[5:6], alone)


@given(tokens=st.integers(1, 40), reach=st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_banded_attention_is_attention_within_reach(tokens, reach):
    torch.manual_seed(tokens)
    layer = BeatContext(16, reach)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, 16, tokens)
    normal = layer.norm(x.transpose(1, 2)).transpose(1, 2)
    query, key, value = layer.query_key_value(normal).unflatten(1, (3, 4, 4)).unbind(1)
    away = torch.arange(tokens) - torch.arange(tokens)[:, None]
    scores = torch.einsum("bhcq,bhck->bhqk", query, key) / 2 + layer.distance[:, away.clamp(-reach, reach) + reach]
    weights = scores.masked_fill(away.abs() > reach, float("-inf")).softmax(dim=-1)
    expected = x + layer.out(torch.einsum("bhqk,bhck->bhcq", weights, value).flatten(1, 2))
    assert torch.allclose(layer(x), expected, rtol=1e-4, atol=1e-4)


def test_codecs_saved_before_the_attention_have_none():
    saved = ECGCodecConfig().to_dict()
    for name in ("context_layers", "context_reach"):
        del saved[name]
    assert ECGCodecConfig.from_dict(saved | {"format_version": 2}).context_layers == 0
    assert ECGCodecConfig.from_dict(saved).context_layers == ECGCodecConfig().context_layers == 2


def test_an_extended_codec_begins_with_the_decoder_as_it_was(features):
    codec = tiny_codec(num_refinements=0, context_layers=0)
    codes = codec.encode(features)
    refined = extended(codec, num_refinements=1, context_layers=1).eval()
    assert torch.equal(refined.encode(features), codes)
    assert torch.allclose(refined.decode(codes), codec.decode(codes), atol=1e-6)


def test_an_extended_codec_keeps_all_that_it_had(codec, features):
    codes = codec.encode(features, 3)
    wider = extended(codec).eval()
    assert torch.equal(wider.encode(features, 3), codes)
    assert torch.equal(wider.decode(codes), codec.decode(codes))
    for sizes in ({"num_refinements": 1}, {"context_reach": 9}, {"context_layers": 0}):
        with pytest.raises(ValueError, match="no place for the codec's"):
            extended(codec, **sizes)


def test_new_weights_are_used_at_once(codec, features):
    codes = codec.encode(features)
    other = tiny_codec(num_refinements=2)
    assert torch.equal(other.encode(features), codes)
    with torch.no_grad():
        other.encoder.analysis.transform.weight.neg_()
    assert not torch.equal(other.encode(features), codes)
    other.load_state_dict(codec.state_dict())
    assert torch.equal(other.encode(features), codes)


def test_codes_do_not_depend_on_batch_threads_or_autocast(codec, features):
    codes = codec.encode(features, 3)
    assert codes.shape == (3, 3, 300)
    assert torch.equal(torch.cat([codec.encode(row[None], 3) for row in features]), codes)
    assert torch.equal(codec.encode(features), codes[:, :1])
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(codec.encode(features, 3), codes)
    assert torch.equal(codec.double().encode(features.double(), 3), codes)
    codec.float()


def test_a_codec_loaded_in_inference_mode_encodes(codec, features):
    with torch.inference_mode():
        other = tiny_codec(num_refinements=2)
        codes = other.encode(features, 3)
    assert torch.equal(other.encode(features, 3), codes)
    assert torch.equal(codec.encode(features, 3), codes)


def test_a_prefix_of_the_codebooks_decodes_as_in_training(codec, features):
    codes = codec.encode(features, 3)
    for codebooks in (1, 2, 3):
        trained = codec(features, num_codebooks=codebooks).reconstruction
        assert torch.allclose(codec.decode(codes[:, :codebooks]), trained, atol=1e-4)
    with pytest.raises(ValueError, match="num_codebooks=4"):
        codec.encode(features, 4)


def test_a_missing_lead_is_not_a_flat_one(codec, features):
    missing, flat = features.clone(), features.clone()
    missing[:, 5], flat[:, 5] = float("nan"), 0.0
    assert not torch.equal(codec.encode(missing), codec.encode(flat))
    broken = features.clone()
    broken[0, 5, 100] = float("nan")
    with pytest.raises(ValueError, match="NaN"):
        codec.encode(broken)


def test_features_take_any_length_from_two_seconds_and_mark_missing_leads():
    record = simulate_ecg(seed=3)[0]
    assert extractor().extract(record.crop(0, 2.05)).shape == (1, 8, 200)
    assert extractor().extract(record).shape == (1, 8, 1000)
    with pytest.raises(ECGError, match="shorter than the 2 s"):
        extractor().extract(record.crop(0, 1.9))
    assert extractor().extract(record.crop(0, 1.0), padding=True).shape == (1, 8, 200)
    limb = record.select(["II", "III", "V1"])  # I can be derived
    with pytest.warns(UserWarning, match="V2, V3, V4, V5, V6"):
        features = extractor().extract(limb)[0]
    assert np.isnan(features[3:]).all()
    assert np.allclose(features[0], extractor().extract(record)[0, 0], atol=2e-3)
    with pytest.raises(ECGError, match="missing leads I, II"):
        extractor().extract(record.select(["V1"]))


def test_features_keep_millivolts_and_leave_the_slow_baseline_out():
    record = simulate_ecg(seed=3)[0]
    plain = extractor().extract(record)
    times = np.arange(record.signal.shape[1]) / record.sampling_rate
    drift = (1.5 + 0.8 * np.sin(2 * np.pi * 0.1 * times)).astype(np.float32)
    drifted = ECGRecord(record.signal + drift, record.sampling_rate, record.leads)
    inner = slice(150, 850)
    assert np.abs(extractor().extract(drifted) - plain)[..., inner].max() < 0.06
    doubled = ECGRecord(record.signal * 2, record.sampling_rate, record.leads)
    assert np.allclose(extractor().extract(doubled), 2 * plain, atol=1e-5)


def test_decoded_leads_obey_einthoven_and_goldberger(codec):
    features = np.random.default_rng(0).normal(size=(8, 80)).astype(np.float32)
    record = codec.to_record(torch.from_numpy(features))
    assert len(record.leads) == 12
    assert record.units == "mV"
    lead = {name: record.lead(name).astype(np.float64) for name in record.leads}
    assert np.allclose(lead["III"], lead["II"] - lead["I"], atol=1e-6)
    assert np.allclose(lead["aVR"] + lead["aVL"] + lead["aVF"], 0, atol=1e-6)
    features[INDEPENDENT_LEADS.index("V4")] = np.nan
    assert "V4" not in codec.to_record(torch.from_numpy(features)).leads


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"window_samples": 1000}, "window_samples"),
        ({"num_blocks": (1, 1)}, "num_blocks"),
        ({"strides": (4, 2, 2)}, "strides"),
        ({"strides": (3, 2)}, "strides"),
        ({"required_leads": ("III",)}, "required_leads"),
        ({"architecture": "other"}, "architecture"),
        ({"min_duration": 0.01}, "min_duration"),
        ({"context_layers": -1}, "context_layers"),
        ({"context_reach": 0}, "context_reach"),
        ({"dilations": (1,), "context_layers": 2}, "context_layers"),
        ({"hidden_sizes": (8, 6)}, "hidden_sizes"),
        ({"strides": (), "hidden_sizes": ()}, "strides"),
        ({"strides": (0, 2)}, "strides"),
        ({"context_layers": 4}, "context_layers"),
        ({"min_duration": 0.079}, "min_duration"),
        ({"envelope_seconds": float("inf")}, "envelope_seconds"),
        ({"quantizer_slope": 0}, "quantizer_slope"),
    ],
)
def test_contradictions_name_the_field(wrong, name):
    with pytest.raises(ValueError, match=name):
        ECGCodecConfig(**wrong)
