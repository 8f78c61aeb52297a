"""Several kinds of codecs behind one interface, among them one that the package has never heard of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CONFIG_MAPPING, MODEL_MAPPING, AutoConfig, AutoModel

import hf_heartllm as hl
from hf_heartllm.evaluation.codec.coder import Coder
from hf_heartllm.evaluation.codec.denoising import denoising
from hf_heartllm.evaluation.codec.probes import random_codec
from hf_heartllm.evaluation.codec.rate_distortion import rate_distortion
from hf_heartllm.evaluation.codec.settings import Settings
from hf_heartllm.models.codec_classes import codec_config
from hf_heartllm.models.codec_config import CodecConfig
from hf_heartllm.models.ecg_codec import ECGCodec
from hf_heartllm.training.codec_training import CodecWithProbe, relative_error, with_limb_leads
from tests.simulated_ptbxl import ptbxl_of_simulated
from tests.tiny import WORDS, tiny_codec

LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


class MeanCodecConfig(CodecConfig):
    """Codes of 64 levels of the mean over the leads, 50 a second, and 4 a residual codebook adds."""

    model_type = "toy_mean_codec"
    hop_length = 2

    def __init__(self, leads: Any = LEADS, levels: Any = (64,), required_leads: Any = ("I", "II"), **more: Any) -> None:
        super().__init__(leads=leads, levels=levels, required_leads=required_leads, **more)

    @property
    def codebook_levels(self) -> list[list[int]]:
        return [self.levels, [4]]


class MeanCodec(ECGCodec):
    config_class = MeanCodecConfig

    def __init__(self, config: MeanCodecConfig) -> None:
        super().__init__(config)
        self.step = torch.nn.Parameter(torch.tensor(0.05))
        self.post_init()

    def codes_of(self, features: torch.Tensor, num_codebooks: int) -> torch.Tensor:
        mean = features.nan_to_num().mean(dim=1).unflatten(-1, (-1, 2)).mean(dim=-1) / self.step
        codes = (4 * (mean + self.config.codebook_size / 2)).long().clamp(0, 4 * self.config.codebook_size - 1)
        return torch.stack([codes // 4, codes % 4], dim=1)[:, :num_codebooks]

    def features_of(self, codes: torch.Tensor) -> torch.Tensor:
        fine = codes[:, 1:].sum(dim=1) / 4
        mean = (codes[:, 0] + fine - self.config.codebook_size / 2) * self.step
        return mean.repeat_interleave(2, dim=-1)[:, None].expand(-1, len(self.config.leads), -1)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    AutoConfig.register(MeanCodecConfig.model_type, MeanCodecConfig, exist_ok=True)
    AutoModel.register(MeanCodecConfig, MeanCodec, exist_ok=True)
    yield
    CONFIG_MAPPING._extra_content.pop(MeanCodecConfig.model_type, None)
    MODEL_MAPPING._extra_content.pop(MeanCodecConfig, None)


@pytest.fixture(scope="module")
def record() -> hl.ECGRecord:
    return hl.simulate_ecg(sampling_rate=100, seed=3)[0]


def test_a_codec_of_ones_own_goes_through_the_tokenizer(tmp_path: Path, record: hl.ECGRecord) -> None:
    from hf_heartllm.training.vocabulary import train_text_tokenizer

    codec = MeanCodec(MeanCodecConfig())
    tokenizer = hl.ECGTokenizer.from_base(train_text_tokenizer(WORDS, vocab_size=320), codec)
    ids = tokenizer.encode_ecg(record)
    assert len(ids) == 500
    assert tokenizer.ecg_text_to_ids(tokenizer.ecg_ids_to_text(ids)) == ids
    decoded = tokenizer.decode_ecg(ids)
    assert (decoded.leads, decoded.units, decoded.signal.shape) == (hl.STANDARD_LEADS, "mV", (12, 1000))
    assert tokenizer("<ecg> What rhythm?", ecgs=[record])["input_ids"].count(tokenizer.ecg_start_token_id) == 1

    tokenizer.save_pretrained(tmp_path)
    again = hl.ECGTokenizer.from_pretrained(tmp_path)
    assert type(again.codec) is MeanCodec
    assert again.encode_ecg(record) == ids
    assert again.codec.fingerprint() == codec.fingerprint()
    alone = ECGCodec.from_pretrained(tmp_path / "codec")
    assert torch.equal(alone.step, codec.step)
    assert type(alone) is MeanCodec

    del CONFIG_MAPPING._extra_content[MeanCodecConfig.model_type]
    with pytest.raises(ValueError, match="'toy_mean_codec' is known here; import the module that registers it"):
        hl.ECGTokenizer.from_pretrained(tmp_path)


def test_a_codec_of_ones_own_is_evaluated(tmp_path: Path, record: hl.ECGRecord, monkeypatch) -> None:
    monkeypatch.setattr("hf_heartllm.evaluation.codec.denoising.LEVELS", (10,))
    MeanCodec(MeanCodecConfig()).save_pretrained(tmp_path / "codec")
    coder = Coder.from_folder(tmp_path / "codec")
    assert (coder.name, coder.num_codebooks, coder.config.bits_per_second) == ("toy_mean_codec", 2, 400)
    records = Settings(ptbxl_of_simulated(tmp_path, 4)).records()
    part = rate_distortion(coder, records)
    assert part.arrays["codes"].shape == (2, 2 * 500)
    assert part.arrays["relative_error 2"].mean() < part.arrays["relative_error 1"].mean()
    names = [figure.name for figure in denoising(coder, records[:1]).figures]
    assert any("quantised − plain filter" in name for name in names)
    assert not any("not quantised" in name for name in names)  # the codec does not say what it decodes unrounded
    assert type(random_codec(coder.config, [coder.features(record)])) is MeanCodec


def test_a_codec_that_says_nothing_of_rounding_or_stream_is_refused_where_these_are_asked(record: hl.ECGRecord) -> None:
    codec = MeanCodec(MeanCodecConfig())
    with pytest.raises(ValueError, match="toy_mean_codec reads whole windows"):
        next(hl.encode_stream(codec, [np.zeros((8, 10))]))
    with pytest.raises(ValueError, match="num_codebooks=3 must lie in 1…2"):
        codec.encode(torch.zeros(1, 8, 100), 3)
    with pytest.raises(ValueError, match="codes are of 3 codebooks, this codec has 2"):
        codec.decode(torch.zeros(1, 3, 10, dtype=torch.long))
    with pytest.raises(ValueError, match=r"\(batch, 8, samples\)"):
        codec.encode(torch.zeros(1, 12, 100))


def test_another_codebook_size_and_fifteen_leads_are_settings(record: hl.ECGRecord) -> None:
    leads = (*hl.STANDARD_LEADS, "V7", "V8", "V9")
    codec = tiny_codec(leads=leads, levels=(5, 4, 3))
    assert codec.config.codebook_size == 60
    fifteen = hl.ECGRecord(np.concatenate([record.signal, record.signal[:3] * 0.5]), 100, leads)
    features = torch.from_numpy(hl.ECGFeatureExtractor.from_codec(codec.config).extract(fifteen))
    codes = codec.encode(features)
    assert int(codes.max()) < 60
    assert codec.to_record(codec.decode(codes)).leads == leads
    training = CodecWithProbe(codec, num_statements=0, probe_weight=0).train()
    training(features)["loss"].backward()
    assert all(weight.grad is not None for weight in codec.encoder.parameters())


def test_the_loss_counts_every_lead_once_whatever_their_order(record: hl.ECGRecord) -> None:
    eight = torch.from_numpy(record.select(LEADS).signal)[None]
    twelve = torch.from_numpy(record.signal)[None]
    expected = relative_error(eight * 0.8, eight)
    assert torch.allclose(relative_error(twelve * 0.8, twelve, leads=hl.STANDARD_LEADS), expected, atol=1e-5)
    backwards = relative_error(twelve.flip(1) * 0.8, twelve.flip(1), leads=hl.STANDARD_LEADS[::-1])
    assert torch.allclose(backwards, expected, atol=1e-5)
    assert torch.allclose(with_limb_leads(eight), twelve, atol=1e-5)
    assert with_limb_leads(eight[:, 2:], LEADS[2:]).shape[1] == 6


def test_leads_that_the_codec_does_not_read_are_named(record: hl.ECGRecord) -> None:
    wider = hl.ECGRecord(np.concatenate([record.signal, record.signal[6:8]]), 100, (*record.leads, "V7", "V4R"))
    extractor = hl.ECGFeatureExtractor.from_codec(hl.ECGCodecConfig())
    assert extractor.lead_remarks(record) == []
    with pytest.warns(hl.ECGWarning, match="leads V7, V4R are not read: the model reads I, II, V1") as said:
        features = extractor.extract(wider)
    assert sum("not read" in str(one.message) for one in said) == 1
    assert np.array_equal(features, extractor.extract(record))
    one = hl.ECGRecord(wider.signal[:13], 100, wider.leads[:13])
    assert extractor.lead_remarks(one)[0].startswith("lead V7 is not read")
    assert extractor.unread_leads(wider.leads) == ["V7", "V4R"]
    assert hl.ECGFeatureExtractor(leads=wider.leads).unread_leads(wider.leads) == []
    paper = hl.ECGFeatureExtractor.from_codec(hl.PaperCodecConfig())
    assert paper.lead_remarks(record) == []
    answer = hl.pipeline("ecg-question-answering")(wider, "Does this ECG show atrial fibrillation?")
    assert any("V7, V4R are not read" in line for line in answer.warnings)


def old_values(codec: ECGCodec, **fields: Any) -> dict[str, Any]:
    """`config.json` as it was while one class held the sizes of both codecs."""
    ours = {
        "refinement_levels": [4, 4, 4, 4, 4, 4, 4, 3], "num_refinements": 0, "strides": [4, 2],
        "hidden_sizes": [64, 192], "num_blocks": [1], "dilations": [1, 2, 4], "decoder_channels": 48,
        "refinement_dilations": [1, 2, 4, 8, 16], "context_layers": 0, "context_reach": 40, "format_version": 3,
    }  # fmt: skip
    papers = {
        "encoder_hidden_size": 32, "decoder_hidden_size": 384, "num_downsamples": 4, "num_norm_groups": 8,
        "share_lead_encoder": True,
    }  # fmt: skip
    values = ours | papers | codec.config.to_dict() | {"model_type": "hf_heartllm_codec"} | fields
    return values | {"architectures": ["ECGCodecModel"]}


@pytest.mark.parametrize("kind", ["local", "inception"])
def test_folders_saved_while_one_class_held_both_still_load(kind: str, tmp_path: Path) -> None:
    codec: ECGCodec = tiny_codec()
    if kind == "inception":
        codec = hl.PaperCodecModel(hl.PaperCodecConfig(encoder_hidden_size=8, decoder_hidden_size=8)).eval()
    codec.save_pretrained(tmp_path)
    values = old_values(codec, architecture=kind)
    (tmp_path / "config.json").write_text(json.dumps(values))
    features = torch.randn(2, len(codec.config.leads), 5000)
    codes = codec.encode(features)
    for load in (AutoModel, ECGCodec, hl.ECGCodecModel):
        loaded = load.from_pretrained(tmp_path)
        assert type(loaded) is type(codec)
        assert loaded.fingerprint() == codec.fingerprint()
        assert torch.equal(loaded.encode(features), codes)
    for load in (AutoConfig, hl.ECGCodecConfig):
        assert type(load.from_pretrained(tmp_path)) is type(codec.config)
    bookkeeping = {"architectures", "auto_map", "dtype", "transformers_version"}
    read, written = (
        {name: value for name, value in config.to_dict().items() if name not in bookkeeping}
        for config in (codec_config(values), codec.config)
    )
    assert read == written
    loaded.save_pretrained(tmp_path / "again")
    assert "architecture" not in json.loads((tmp_path / "again" / "config.json").read_text())
    assert torch.equal(hl.ECGCodecModel.from_pretrained(tmp_path / "again").encode(features), codes)


def test_former_names_still_work_and_say_so() -> None:
    sizes = {"encoder_hidden_size": 8, "decoder_hidden_size": 8}
    with pytest.warns(DeprecationWarning, match="PaperCodecConfig"):
        config = hl.ECGCodecConfig.heartllm_paper(**sizes)
    with pytest.warns(DeprecationWarning, match="PaperCodecConfig"):
        by_name = hl.ECGCodecConfig(
            architecture="inception", sampling_rate=500, window_samples=5000, leads=hl.STANDARD_LEADS,
            levels=(6, 6, 6, 6), num_refinements=0, **sizes,
        )  # fmt: skip
    assert by_name.to_dict() == config.to_dict()
    with pytest.warns(DeprecationWarning, match="PaperCodecModel"):
        paper = hl.ECGCodecModel(config)
    assert type(paper) is hl.PaperCodecModel
    with pytest.warns(DeprecationWarning, match="fingerprint"):
        assert paper.identity() == paper.fingerprint()
    ours, features = tiny_codec(), torch.randn(2, 8, 400)
    with pytest.warns(DeprecationWarning, match="num_codebooks") as said:
        assert torch.equal(ours.encode(features, num_streams=2), ours.encode(features, 2))
    assert said[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="num_codebooks"):
        assert ours.config.num_streams == ours.config.num_codebooks == 2
    with pytest.raises(ValueError, match="architecture='other'"):
        hl.ECGCodecConfig(architecture="other")


def test_a_folder_that_is_no_codec_is_refused(tmp_path: Path) -> None:
    from tests.tiny import tiny_checkpoint

    with pytest.raises(ValueError, match="no ECG codec"):
        ECGCodec.from_pretrained(tiny_checkpoint(tmp_path))
    with pytest.raises(ValueError, match="is that of a LlamaConfig, which is no codec's"):
        codec_config({"model_type": "llama"})
    (tmp_path / "empty").mkdir()
    with pytest.raises(OSError, match="holds no config"):
        ECGCodec.from_pretrained(tmp_path / "empty")


class WindowConfig(CodecConfig):
    """Codes of four bits, one for three samples, and two residual codebooks of three and one bits."""

    model_type = "toy_window_codec"
    hop_length = 3

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            **{"sampling_rate": 50, "leads": ("I", "II"), "levels": (4, 4), "window_samples": 100} | settings
        )

    @property
    def codebook_levels(self) -> list[list[int]]:
        return [self.levels, [2, 2, 2], [2]]


def test_what_follows_from_the_sizes_of_a_window() -> None:
    """Two seconds hold 33 codes: the last sample fills none, and so the rate is a little lower than the frames'."""
    config = WindowConfig()
    assert [config.bits_per_second_of(count) for count in (1, 2, 3)] == pytest.approx([66, 115.5, 132])
    assert config.bits_per_second == pytest.approx(132)
    assert (config.codebook_size, config.num_codebooks, config.bandwidth, config.min_duration) == (16, 3, 25, 2)
    assert config.tokens_per_second == config.frame_rate == pytest.approx(50 / 3)
    assert (config.num_tokens(100), config.num_tokens(101), config.num_tokens(102)) == (33, 33, 34)
    assert (config.num_samples(33), config.num_samples(32), config.num_samples(34)) == (100, 96, 102)
    assert (config.feature_units, config.receptive_field, config.latency) == ("z-score", None, None)
    assert config.required_leads == ["I", "II"]
    assert not config.reads_missing_leads
    assert WindowConfig(required_leads=["II"]).reads_missing_leads
    for count in (0, 4):
        with pytest.raises(ValueError, match=f"num_codebooks={count} must lie in 1…3"):
            config.bits_per_second_of(count)


def test_what_follows_from_the_sizes_without_a_window() -> None:
    config = WindowConfig(window_samples=None)
    assert [config.bits_per_second_of(count) for count in (1, 2, 3)] == pytest.approx([200 / 3, 350 / 3, 400 / 3])
    assert (config.min_duration, config.feature_units, config.num_samples(33)) == (2, "mV", 99)
    assert (WindowConfig(min_duration=5).min_duration, WindowConfig(window_samples=75).min_duration) == (5, 1.5)
    with pytest.raises(NotImplementedError, match="CodecConfig does not say its hop_length"):
        CodecConfig().hop_length  # noqa: B018


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"baseline_seconds": 0}, "baseline_seconds=0.0 must be above 0 and at most 3600"),
        ({"baseline_seconds": 3601}, "at most 3600"),
        ({"required_leads": ["I", "V1"]}, "required_leads=.* must be among leads"),
    ],
)
def test_sizes_that_no_codec_has_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        WindowConfig(**wrong)
    assert WindowConfig(baseline_seconds=3600).baseline_seconds == 3600


def test_the_former_names_of_sizes_say_the_new_ones() -> None:
    config = WindowConfig()
    with pytest.warns(DeprecationWarning, match="codebook_levels"):
        assert config.stream_levels == config.codebook_levels
    with pytest.warns(DeprecationWarning, match="num_codebooks"):
        assert config.num_streams == 3
