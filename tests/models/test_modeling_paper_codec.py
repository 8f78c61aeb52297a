"""The codec against the public implementation's values, and the laws its codes obey."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoConfig, AutoModel

from hf_heartllm.models.configuration_paper_codec import PaperCodecConfig
from hf_heartllm.models.modeling_paper_codec import PaperCodecModel

SMALL = {"encoder_hidden_size": 8, "decoder_hidden_size": 8, "num_norm_groups": 2, "window_samples": 400}


@pytest.fixture(scope="module")
def codec() -> PaperCodecModel:
    torch.manual_seed(0)
    return PaperCodecModel(PaperCodecConfig(**SMALL)).eval()


@pytest.fixture(scope="module")
def features() -> torch.Tensor:
    return torch.randn(5, 12, 400, generator=torch.Generator().manual_seed(1))


def test_paper_preset_has_the_published_sizes():
    config = PaperCodecConfig()
    model = PaperCodecModel(config)
    assert sum(parameter.numel() for parameter in model.parameters()) == 4_170_608
    assert sum(parameter.numel() for parameter in model.encoder.parameters()) == 30_692
    assert (config.num_tokens(5000), config.codebook_size, config.hop_length) == (313, 1296, 16)
    assert config.bits_per_second == pytest.approx(323.6, abs=0.05)
    assert config.tokens_per_second == 31.25


def test_codes_do_not_depend_on_batch_threads_or_autocast(codec, features):
    codes = codec.encode(features)
    assert codes.shape == (5, 1, 25)
    assert codes.dtype == torch.int64
    for row in range(5):
        assert torch.equal(codec.encode(features[row : row + 1]), codes[row : row + 1])
    assert torch.equal(codec.encode(features.flip(0)).flip(0), codes)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(codec.encode(features), codes)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert torch.equal(codec.encode(features), codes)
    finally:
        torch.set_num_threads(threads)


def test_encoding_leaves_threads_and_training_mode_as_they_were(codec, features):
    codec.train()
    before = torch.get_num_threads()
    codec.encode(features[:1])
    assert codec.training
    assert torch.get_num_threads() == before
    codec.eval()


def test_double_precision_gives_the_same_codes(codec, features):
    reference = codec.encode(features)
    assert torch.equal(codec.double().encode(features.double()), reference)
    codec.float()


def test_shared_and_separate_lead_encoders(features):
    torch.manual_seed(0)
    shared = PaperCodecModel(PaperCodecConfig(**SMALL)).eval()
    separate = PaperCodecModel(PaperCodecConfig(**SMALL, share_lead_encoder=False)).eval()
    assert len(shared.encoder.lead_encoders) == 1
    assert len(separate.encoder.lead_encoders) == 12
    # Separate encoders that all hold the shared weights are the shared encoder.
    for encoder in separate.encoder.lead_encoders:
        encoder.load_state_dict(shared.encoder.lead_encoders[0].state_dict())
    separate.encoder.to_latents.load_state_dict(shared.encoder.to_latents.state_dict())
    assert torch.allclose(separate.encoder(features), shared.encoder(features), atol=1e-5)
    # And one of them changes with its own weights alone.
    before = separate.encoder.lead_features(features)
    with torch.no_grad():
        separate.encoder.lead_encoders[3].bottleneck.norm.bias.add_(1.0)
    changed = (separate.encoder.lead_features(features) - before).abs().amax(dim=(0, 2)).reshape(12, 8) > 0
    assert changed.any(dim=1).tolist() == [index == 3 for index in range(12)]


def test_decode_gives_a_whole_window_or_what_was_asked(codec, features):
    codes = codec.encode(features)
    assert codec.decode(codes).shape == (5, 12, 400)
    assert codec.decode(codes[:, 0, :10]).shape == (5, 12, 160)
    assert codec.decode(codes, num_samples=123).shape == (5, 12, 123)
    assert torch.allclose(codec.decode(codes), codec(features).reconstruction, atol=1e-5)


def test_refuses_wrong_shapes_and_missing_samples(codec, features):
    with pytest.raises(ValueError, match=r"\(batch, 12, samples\)"):
        codec.encode(features[0])
    broken = features.clone()
    broken[2, 3, 4] = float("nan")
    with pytest.raises(ValueError, match="NaN"):
        codec.encode(broken)
    with pytest.raises(ValueError, match="encoder_hidden_size=10"):
        PaperCodecConfig(encoder_hidden_size=10)


def test_saved_and_loaded_through_the_auto_classes(codec, features, tmp_path):
    import hf_heartllm  # noqa: F401  registers the classes

    codec.save_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).model_type == "hf_heartllm_paper_codec"
    loaded = AutoModel.from_pretrained(tmp_path)
    assert torch.equal(loaded.encode(features), codec.encode(features))
    assert loaded.fingerprint() == codec.fingerprint()
    half = AutoModel.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert torch.equal(half.encode(features), codec.encode(features))


def test_identity_follows_the_encoder_alone(codec):
    identity = codec.fingerprint()
    state = {name: tensor.clone() for name, tensor in codec.state_dict().items()}
    with torch.no_grad():
        codec.decoder.to_leads.bias.add_(1.0)
    assert codec.fingerprint() == identity
    with torch.no_grad():
        codec.encoder.to_latents.bias.add_(1.0)
    assert codec.fingerprint() != identity
    codec.load_state_dict(state)
