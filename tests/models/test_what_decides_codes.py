"""What decides a code is pinned: the shipped codec's codes as numbers, what they depend on as its fingerprint."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hf_heartllm as hl
from hf_heartllm.inference.ecg_stream import CodeStream
from hf_heartllm.models import (
    codec_config,
    codec_fingerprint,
    configuration_ecg_codec,
    configuration_paper_codec,
    ecg_codec_inference,
    ecg_codec_local,
    ecg_resample,
    feature_extraction_ecg,
    fsq,
    modeling_ecg_codec,
    residual_fsq,
)
from hf_heartllm.models.codec_config import CodecConfig
from hf_heartllm.models.ecg_codec import ECGCodec
from hf_heartllm.training.vocabulary import train_text_tokenizer
from tests.tiny import WORDS, tiny_codec

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "codec_codes.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def shipped() -> hl.ECGTokenizer:
    return hl.ECGTokenizer.from_pretrained()


@pytest.fixture(scope="module")
def text_tokenizer() -> Any:
    return train_text_tokenizer(WORDS, vocab_size=320)


def recording(name: str) -> hl.ECGRecord:
    """Of a name in the golden file, such as `rbbb`, `af at 360 Hz` or `lbbb without V2`."""
    example, _, more = name.partition(" ")
    record = hl.read_ecg(f"example:{example}")
    if more.startswith("without "):
        return record.select([lead for lead in record.leads if lead != more.split()[1]])
    return record.resample(float(more.split()[1])) if more else record


@pytest.mark.filterwarnings("ignore:.*encoded as missing")
@pytest.mark.parametrize("name", GOLDEN["codes"])
def test_the_shipped_codec_gives_these_codes(shipped: hl.ECGTokenizer, name: str) -> None:
    assert [code - shipped.ecg_token_offset for code in shipped.encode_ecg(recording(name))] == GOLDEN["codes"][name]


def test_the_shipped_codec_has_the_fingerprint_that_stored_tokens_carry(shipped: hl.ECGTokenizer) -> None:
    assert shipped.codec.fingerprint() == GOLDEN["fingerprint"]


OURS, PAPER = hl.ECGCodecConfig, hl.PaperCodecConfig


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, list):
        return [*value[:-1], value[-1] + 1]
    return value * 2 if isinstance(value, int) else round(value * 0.9, 3)


def with_settings(codec: ECGCodec, **settings: Any) -> ECGCodec:
    """The same weights under other settings."""
    config = type(codec.config).from_dict(codec.config.to_dict() | settings)
    other_codec = type(codec)(config)
    other_codec.load_state_dict(codec.state_dict())
    return other_codec.eval()


def latents(codec: ECGCodec, record: hl.ECGRecord) -> torch.Tensor:
    """What the first codebook rounds, as encoding a recording from its file on gives it."""
    features = torch.from_numpy(hl.ECGFeatureExtractor.from_codec(codec.config).extract(record, padding=True))
    with torch.no_grad():
        encoded = codec.encoder(codec.checked(features))
        return encoded if isinstance(codec, hl.PaperCodecModel) else codec.quantizer.project(encoded, 0)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("ours", name) for name in OURS.unmentioned),
        # features of windows keep their baseline
        *(("paper", name) for name in PAPER.unmentioned if name != "baseline_seconds"),
    ],
)
def test_a_setting_that_decides_codes_changes_them_and_the_fingerprint(
    shipped: hl.ECGTokenizer, kind: str, name: str
) -> None:
    codec: ECGCodec = shipped.codec
    if kind == "paper":
        torch.manual_seed(0)
        codec = hl.PaperCodecModel(PAPER(encoder_hidden_size=16, decoder_hidden_size=16)).eval()
    changed = with_settings(codec, **{name: other(codec.config.unmentioned[name])})
    seconds = 1.7 if name == "min_duration" else 4
    record = hl.read_ecg("example:af").crop(0, seconds).resample(360)

    before, after = latents(codec, record), latents(changed, record)

    assert before.shape != after.shape or (before - after).abs().max() > 1e-6
    assert codec.fingerprint() != changed.fingerprint()
    assert with_settings(codec, **codec.config.unmentioned).fingerprint() == codec.fingerprint()


@pytest.mark.parametrize("name", OURS.fingerprinted)
def test_what_the_fingerprint_names_changes_it(shipped: hl.ECGTokenizer, name: str, monkeypatch) -> None:
    before = shipped.codec.fingerprint()
    monkeypatch.setattr(type(shipped.codec.config) if name == "architecture" else shipped.codec.config, name, "other")
    assert shipped.codec.fingerprint() != before


def test_the_order_of_the_leads_and_the_weights_change_the_fingerprint(shipped: hl.ECGTokenizer) -> None:
    codec, before = shipped.codec, shipped.codec.fingerprint()
    assert with_settings(codec, leads=codec.config.leads[::-1]).fingerprint() != before
    for name, tensor in codec.fingerprinted_tensors().items():
        if tensor.is_floating_point():
            kept = tensor.clone()
            tensor.view(-1)[-1] += 0.5
            assert codec.fingerprint() != before, name
            tensor.copy_(kept)
    assert codec.fingerprint() == before


def test_a_default_that_is_changed_changes_the_fingerprint(shipped: hl.ECGTokenizer, monkeypatch) -> None:
    """The fingerprint leaves a value out because it is the old one, not because it is the default."""
    before = shipped.codec.fingerprint()
    monkeypatch.setattr(shipped.codec.config, "baseline_seconds", 1.5)
    assert shipped.codec.fingerprint() != before


# What is said of a recording and does not change what is encoded of it, and what is refused.
FINDINGS_ONLY = {
    "MIN_GAP", "MAX_FLAT", "MAX_CLIPPED", "MIN_LIKENESS_OF_LIMBS", "NOISE_OF_LIMBS", "COPY", "MAX_CONTRADICTION",
    "MIN_CONTRADICTION", "ARTEFACTS", "HIGH", "RATHER_HIGH", "LOW", "RATHER_LOW",
}  # fmt: skip
REFUSALS = {"MIN_SAMPLING_RATE", "MAX_SAMPLING_RATE"}
DECODERS_ONLY = {"CONTEXT_HEADS"}
OF_FILES = {"FORMAT_VERSION"}


def constants(module: Any) -> dict[str, Any]:
    """Numbers that a file of code names, and that are its own."""
    found = {name: value for name, value in vars(module).items() if name.isupper()}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


@pytest.mark.parametrize(
    ("module", "name"),
    [(sys.modules[function.__module__], name) for function, names in codec_fingerprint.CHECKS for name in names],
)
def test_a_constant_of_the_checks_changes_the_fingerprint(
    shipped: hl.ECGTokenizer, module: Any, name: str, monkeypatch
) -> None:
    before = shipped.codec.fingerprint()
    value = getattr(module, name)
    monkeypatch.setattr(module, name, value[1:] if isinstance(value, tuple) else value * 1.5)
    assert shipped.codec.fingerprint() != before


def test_no_constant_on_the_way_to_a_code_is_forgotten() -> None:
    """A number with a name is a setting, or one that the fingerprint reads, or changes no code."""
    for function, names in codec_fingerprint.CHECKS:
        own = constants(sys.modules[function.__module__])
        imported = {
            name
            for other_function, _ in codec_fingerprint.CHECKS
            if other_function is not function
            for name in constants(sys.modules[other_function.__module__])
        }
        assert set(own) - set(names) - FINDINGS_ONLY - imported - {"MIN_BEATS"} == set(), function.__module__
    for module in (
        codec_config, configuration_ecg_codec, configuration_paper_codec, ecg_codec_inference, ecg_codec_local,
        ecg_resample, feature_extraction_ecg, fsq, modeling_ecg_codec, residual_fsq,
    ):  # fmt: skip
        assert set(constants(module)) <= REFUSALS | DECODERS_ONLY | OF_FILES, module.__name__


def test_settings_go_along_with_a_checkpoint_and_a_stream(text_tokenizer: Any, tmp_path: Path) -> None:
    """Saved and loaded, and for a signal that is still arriving: the codes are those of the settings."""
    settings = {"baseline_seconds": 1.5, "resample_roll_off": 0.8, "envelope_seconds": 1.0, "spike_limit": 2.0}
    tokenizer = hl.ECGTokenizer.from_base(text_tokenizer, tiny_codec(**settings))
    record = hl.read_ecg("example:af")
    tokenizer.save_pretrained(tmp_path)
    loaded = hl.ECGTokenizer.from_pretrained(tmp_path)

    assert loaded.codec.fingerprint() == tokenizer.codec.fingerprint()
    assert loaded.encode_ecg(record) == tokenizer.encode_ecg(record)
    assert tokenizer.encode_ecg(record) != hl.ECGTokenizer.from_base(text_tokenizer, tiny_codec()).encode_ecg(record)
    at_the_codecs_rate = record.select(tokenizer.codec.config.leads).resample(100)
    stream = CodeStream(tokenizer.codec)
    arrived = torch.cat([stream.push(at_the_codecs_rate.signal), stream.finish()], dim=-1)
    assert tokenizer.codes_to_ids(arrived) == tokenizer.encode_ecg(at_the_codecs_rate)


def test_an_extractor_that_does_not_fit_the_codec_is_refused(text_tokenizer: Any) -> None:
    codec = tiny_codec()
    extractor = hl.ECGFeatureExtractor.from_codec(codec.config)
    extractor.baseline_seconds = 1.5
    with pytest.raises(ValueError, match=r"baseline_seconds=1\.5, the codec was made for 3\.0"):
        hl.ECGTokenizer.from_base(text_tokenizer, codec, extractor)


@pytest.mark.parametrize(
    "wrong",
    [
        {"baseline_seconds": 0}, {"baseline_seconds": float("nan")}, {"resample_roll_off": 1.5},
        {"resample_zero_crossings": 0}, {"resample_kaiser_beta": -1}, {"envelope_seconds": 0},
        {"envelope_floor": -0.01}, {"spike_limit": float("inf")}, {"quantizer_slope": 0},
        {"typical_log_envelope": float("nan")},
    ],
)  # fmt: skip
def test_settings_that_are_none_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be|has 1 to 1000"):
        OURS(**wrong)
    if set(wrong) <= set(feature_extraction_ecg.SHARED_WITH_CODEC):
        with pytest.raises(ValueError, match=r"must be|has 1 to 1000"):
            hl.ECGFeatureExtractor(**wrong)


def test_a_codec_of_ones_own_has_the_settings_of_its_features() -> None:
    class OtherConfig(CodecConfig):
        model_type = "codec_with_another_baseline"
        hop_length = 4

    config = OtherConfig(leads=["I", "II"], baseline_seconds=1, resample_roll_off=0.8)
    features = hl.ECGFeatureExtractor.from_codec(config)
    record = hl.read_ecg("example:af").select(["I", "II"])
    assert not np.allclose(
        features.extract(record), hl.ECGFeatureExtractor.from_codec(OtherConfig(leads=["I", "II"])).extract(record)
    )
