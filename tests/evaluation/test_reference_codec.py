"""The codec that speed is compared with computes what the published one does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.reference_codec import ReferenceCodec

ROOT = Path(__file__).resolve().parents[2]


def weights(golden: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.removeprefix("weights."): v.float() for k, v in golden.items() if k.startswith("weights.")}


def test_its_encoder_gives_the_published_codes():
    subset = load_file(ROOT / "tests" / "golden" / "heartllm_encoder.safetensors")
    codec = ReferenceCodec(decoder_size=8).eval()
    encoder = {k: v for k, v in weights(subset).items() if k.startswith("enc.")}
    missing, unexpected = codec.load_state_dict(encoder, strict=False)
    assert not unexpected
    assert all(name.startswith("dec.") for name in missing)
    with torch.no_grad():
        assert torch.equal(codec.encode(subset["scaled"]), subset["codes"])


def test_it_equals_all_golden_values():
    folder = Path(os.environ.get("HEARTLLM_GOLDEN", ROOT.parent / "shared" / "golden"))
    path = folder / "heartllm_codec.safetensors"
    if not path.is_file():
        pytest.skip(f"the whole golden set is not at {path} (set HEARTLLM_GOLDEN)")
    golden = load_file(path)
    codec = ReferenceCodec().eval()
    codec.load_state_dict(weights(golden))
    assert sum(parameter.numel() for parameter in codec.parameters()) == 4_170_608
    with torch.no_grad():
        assert torch.equal(codec.encode(golden["scaled"]), golden["codes"])
        assert (codec.enc(golden["scaled"]) - golden["pre_quant"]).abs().max() <= 1e-4
        assert (codec.decode(golden["codes"]) - golden["reconstruction"]).abs().max() <= 1e-4
        assert codec(golden["scaled"]).item() == pytest.approx(golden["mse_loss"].item(), abs=1e-5)
