"""`examples/finetune_your_llm.py` as it stands, on a tiny random base; and what of trl works on the same rows."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hf_heartllm as hl
from dataset_builders.ecg_tokens import conversation
from hf_heartllm.data.question import Question
from tests.test_guides import QUESTION, tiny_base

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "finetune_your_llm.py"

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


def token_set(folder: Path, codec: str | None = None) -> Path:
    """Two simulated recordings in each of two splits, with a question and a report."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tokenizer = hl.ECGTokenizer.from_pretrained()
    folder.mkdir()
    for split in ("train", "validation"):
        rows: list[dict[str, Any]] = []
        for seed in range(2):
            record, _ = hl.simulate_ecg(rhythm=("sinus", "atrial fibrillation")[seed], seed=seed)
            codes = np.array(tokenizer.encode_ecg(record)) - tokenizer.ecg_token_offset
            asked = Question(QUESTION, ("yes" if seed else "no",), ("yes", "no"), "verify", "rhythm", "AFIB", ("0",))
            messages = conversation(codes, [asked], "sinus rhythm.")
            fingerprint = codec or tokenizer.codec.fingerprint()
            rows.append({"record_id": str(seed), "codes": codes, "codec": fingerprint, "messages": messages})
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{split}.parquet")
    return folder


def test_the_example_ends_in_an_adapter_that_answers(base, tmp_path, monkeypatch, capsys):
    tokens = token_set(tmp_path / "my tokens")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", [EXAMPLE.name, str(tokens), str(base), str(tmp_path / "out"), "--steps", "2"])
    space = runpy.run_path(str(EXAMPLE))
    said = capsys.readouterr().out
    assert f"{QUESTION}\nanswer: " in said
    assert said.endswith("truth: no\n")
    assert space["trainer"].state.global_step == 2
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()
    assert hl.ECGTokenizer.from_pretrained(tmp_path / "out").codec.fingerprint()
    assert len(EXAMPLE.read_text().splitlines()) < 60


def test_the_example_refuses_tokens_of_another_codec(base, tmp_path, monkeypatch):
    tokens = token_set(tmp_path / "tokens", codec="another")
    monkeypatch.setattr(sys, "argv", [EXAMPLE.name, str(tokens), str(base), str(tmp_path / "out"), "--steps", "2"])
    with pytest.raises(SystemExit, match="encoded by another codec"):
        runpy.run_path(str(EXAMPLE))
