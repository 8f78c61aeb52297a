"""The published codec: our implementation computes what the public one does."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from hf_heartllm.convert.heartllm import load_heartllm_codec
from hf_heartllm.models.configuration_paper_codec import PaperCodecConfig
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.ecg_record import ECGRecord
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.models.modeling_paper_codec import PaperCodecModel

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def golden_path() -> Path:
    folder = Path(os.environ.get("HEARTLLM_GOLDEN", ROOT.parent / "shared" / "golden"))
    path = folder / "heartllm_codec.safetensors"
    if not path.is_file():
        pytest.skip(f"the whole golden set is not at {path} (set HEARTLLM_GOLDEN)")
    return path


@pytest.fixture(scope="module")
def golden(golden_path) -> dict[str, torch.Tensor]:
    return load_file(golden_path)


@pytest.fixture(scope="module")
def codec(golden_path) -> PaperCodecModel:
    return load_heartllm_codec(golden_path)


def test_committed_subset_encoder_gives_the_published_codes():
    subset = load_file(ROOT / "tests" / "golden" / "heartllm_encoder.safetensors")
    codec = PaperCodecModel(PaperCodecConfig()).eval()
    from hf_heartllm.convert.heartllm import _our_name

    weights = {_our_name(k.removeprefix("weights.")): v for k, v in subset.items() if k.startswith("weights.")}
    missing, unexpected = codec.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all(name.startswith("decoder.") for name in missing)
    assert torch.equal(codec.encode(subset["scaled"])[:, 0], subset["codes"])


def test_features_are_the_published_scaling(golden):
    extractor = ECGFeatureExtractor()
    for signal, scaled in zip(golden["input"], golden["scaled"], strict=True):
        features = extractor.extract(ECGRecord(signal.numpy(), 500, STANDARD_LEADS))[0]
        assert np.abs(features - scaled.numpy()).max() <= 1e-6


def test_every_code_equals_the_reference(codec, golden):
    assert torch.equal(codec.encode(golden["scaled"])[:, 0], golden["codes"])
    latents = codec(golden["scaled"]).latents
    assert (latents - golden["pre_quant"]).abs().max() <= 1e-4
    assert torch.equal(codec.quantizer.codes_to_levels(golden["codes"]), golden["levels"].long())


def test_lead_features_and_reconstruction_equal_the_reference(codec, golden):
    with torch.no_grad():
        lead_features = codec.encoder.lead_features(golden["scaled"][:1])[0]
    assert (lead_features - golden["features_record0"]).abs().max() <= 1e-4
    assert (codec.decode(golden["codes"]) - golden["reconstruction"]).abs().max() <= 1e-4


def test_loss_and_gradients_equal_the_reference(golden_path, golden):
    codec = load_heartllm_codec(golden_path)
    loss = codec(golden["scaled"]).loss
    loss.backward()
    assert loss.item() == pytest.approx(golden["mse_loss"].item(), abs=1e-5)
    to_latents = codec.encoder.to_latents
    first = codec.encoder.lead_encoders[0].blocks[0].branches.conv5.weight
    for gradient, name in (
        (to_latents.weight.grad, "grad_to_code_weight"),
        (to_latents.bias.grad, "grad_to_code_bias"),
        (first.grad, "grad_first_conv"),
    ):
        assert (gradient - golden[name]).abs().max() <= 1e-5, name


def test_lead_order_matters(codec, golden):
    swapped = golden["scaled"][:, [0, 1, 2, 3, 5, 4, *range(6, 12)]]
    share = (codec.encode(swapped)[:, 0] != golden["codes"]).float().mean().item()
    assert share == pytest.approx(0.87, abs=0.01)


def test_reads_a_pickle_of_tensors_and_nothing_else(golden, tmp_path):
    weights = {k.removeprefix("weights."): v for k, v in golden.items() if k.startswith("weights.")}
    torch.save({"model": weights, "step": 3}, tmp_path / "best.pt")
    assert load_heartllm_codec(tmp_path / "best.pt").config.decoder_hidden_size == 384

    class Payload:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"model": weights, "payload": Payload()}, tmp_path / "evil.pt")
    with pytest.raises(Exception, match=r"(?i)weights"):
        load_heartllm_codec(tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()


def test_names_what_is_missing_or_foreign(golden, tmp_path):
    weights = {k: v for k, v in golden.items() if k.startswith("weights.")}
    dropped = dict(weights)
    del dropped["weights.enc.to_code.bias"]
    save_file(dropped, tmp_path / "dropped.safetensors")
    with pytest.raises(ValueError, match=r"1 tensors of the codec are missing, among them encoder.to_latents.bias"):
        load_heartllm_codec(tmp_path / "dropped.safetensors")
    save_file({**weights, "weights.other.thing": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(ValueError, match=r"other\.thing is not a tensor"):
        load_heartllm_codec(tmp_path / "foreign.safetensors")
