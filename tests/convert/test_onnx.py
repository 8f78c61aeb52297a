from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import hf_heartllm as hl
from hf_heartllm.convert import onnx
from hf_heartllm.convert.onnx import main, write_onnx
from hf_heartllm.models.modeling_ecg_codec import ECGCodecModel

EXAMPLES = ("normal", "af", "lbbb")


@pytest.fixture(scope="module")
def shipped() -> tuple[Any, Any]:
    """The tokenizer and the model of heartllm-tiny."""
    return AutoTokenizer.from_pretrained(hl.checkpoint()), AutoModelForCausalLM.from_pretrained(hl.checkpoint()).eval()


@pytest.fixture(scope="module")
def graphs(shipped: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnxscript", reason="ONNX graphs are written by the extra 'onnx'")
    tokenizer, model = shipped
    return write_onnx(model, tokenizer, tmp_path_factory.mktemp("onnx") / "graphs")


def run(graphs: Path, part: str, **inputs: np.ndarray) -> np.ndarray:
    runtime = pytest.importorskip("onnxruntime", reason="ONNX graphs are run by the extra 'onnx'")
    session = runtime.InferenceSession(graphs / part / "model.onnx")
    (output,) = session.run(None, inputs)
    return np.asarray(output)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_codes_are_those_of_the_codec(graphs: Path, shipped: tuple[Any, Any], name: str) -> None:
    tokenizer, _ = shipped
    whole = tokenizer.feature_extractor.extract(hl.read_ecg(f"example:{name}"))
    without = whole.copy()
    without[:, 3] = np.nan
    longer = np.concatenate([whole, whole[..., ::-1]], axis=-1)
    for features in (whole, without, longer, whole[..., :240]):
        found = run(graphs, "codec", input_features=np.ascontiguousarray(features, dtype=np.float32))
        assert found.tolist() == tokenizer.codec.encode(torch.from_numpy(features.copy())).tolist()


@pytest.mark.slow
def test_the_logits_are_those_of_the_model(graphs: Path, shipped: tuple[Any, Any]) -> None:
    tokenizer, model = shipped
    rows = [tokenizer.encode_ecg(hl.read_ecg(f"example:{name}")) for name in EXAMPLES]
    rows[1] = rows[1][:100]
    batch = tokenizer.pad({"input_ids": rows}, padding_side="left", return_tensors="pt")
    found = run(graphs, "decoder", input_ids=batch["input_ids"].numpy(), attention_mask=batch["attention_mask"].numpy())
    with torch.no_grad():
        wanted = model(**batch).logits.numpy()
    seen = batch["attention_mask"].numpy().astype(bool)
    assert np.abs(found - wanted)[seen].max() < 1e-4


@pytest.mark.slow
def test_a_question_is_answered_by_the_graphs_alone(graphs: Path, shipped: tuple[Any, Any]) -> None:
    tokenizer, _ = shipped
    record = hl.read_ecg("example:af")
    features = tokenizer.feature_extractor.extract(record)
    codes = run(graphs, "codec", input_features=features.astype(np.float32))[0, 0]
    plain = AutoTokenizer.from_pretrained(graphs / "decoder")
    ecg = "".join(plain.convert_ids_to_tokens((codes + tokenizer.ecg_token_offset).tolist()))
    text = plain.apply_chat_template(
        [{"role": "user", "content": f"<|start_ecg|>{ecg}<|end_ecg|>Does this ECG show atrial fibrillation?"}],
        tokenize=False, add_generation_prompt=True,
    )  # fmt: skip
    ids = np.array([plain(text, add_special_tokens=False)["input_ids"]])
    logits = run(graphs, "decoder", input_ids=ids, attention_mask=np.ones_like(ids))[0, -1]
    assert plain.decode(int(logits.argmax())).strip() == "yes"


def test_what_cannot_be_exported_is_told_in_one_line(
    shipped: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer, _ = shipped
    monkeypatch.setattr(onnx, "_check_packages", lambda: None)
    with pytest.raises(ValueError, match="ECGCodecModel is not exported to ONNX; only a HeartLLM is"):
        write_onnx(tokenizer.codec, tokenizer, tmp_path / "codec")
    assert isinstance(tokenizer.codec, ECGCodecModel)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes").write_text("mine")
    assert main([hl.checkpoint(), str(tmp_path / "full")]) == 2
    assert main(["heartllm-huge", str(tmp_path / "new")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.startswith("error: ") for line in lines] == [True, True]
    assert "not empty" in lines[0]
    assert "no embedded checkpoint 'heartllm-huge'" in lines[1]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["full"]


def test_missing_packages_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(onnx, "_NEEDED", ("onnx_that_is_missing",))
    assert main(["heartllm-tiny", str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err == 'error: onnx_that_is_missing missing: pip install "hf_heartllm[onnx]"\n'
