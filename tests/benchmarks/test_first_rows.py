"""The comparison of first rows: what stands in its table, and that what is done is not done again."""

from __future__ import annotations

import json
import subprocess

import pytest
import torch
from safetensors.torch import save_file

from benchmarks import first_rows
from hf_heartllm.evaluation.results import read_results


def test_rows_that_differ_in_two_directions_have_two():
    square = torch.tensor([[1.0, 0.0, 5.0], [-1.0, 0.0, 5.0], [0.0, 1.0, 5.0], [0.0, -1.0, 5.0]])
    assert first_rows.directions(square) == pytest.approx(2)
    assert first_rows.directions(square[:2]) == pytest.approx(1)


def test_the_table_has_means_over_seeds(tmp_path, monkeypatch, capsys):
    for place in range(len(first_rows.KINDS)):
        for seed, value in ((1, 0.6), (2, 0.8)):
            folder = tmp_path / f"{place}-{seed}" / "model"
            folder.mkdir(parents=True)
            rows = torch.cat([torch.zeros(2, 3), torch.eye(3)])
            save_file({"embed_tokens.trainable_tokens_delta": rows}, folder / "adapter_model.safetensors")
            judged = {"eval_loss": 1.0, "eval_auroc_superclass": value + place / 100, "eval_auroc_statements": value}
            (folder.parent / "log.json").write_text(json.dumps({"log_history": [judged, {"train_loss": 2.0}]}))
    options = [f"--{name}=x" for name in ("base", "tokens", "soft-labels", "measurements")]
    options += [f"--output={tmp_path}", f"--results={tmp_path / 'found.json'}", "--seeds=1,2"]
    monkeypatch.setattr("sys.argv", ["first_rows.py", *options])
    monkeypatch.setattr(first_rows, "current_commit", lambda: "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("what is done was done again"))
    assert first_rows.main() == 0
    assert "| apart by levels, at a rate of their own | 0.720 (0.620 to 0.820) | 0.700" in capsys.readouterr().out
    found = {one.name: one for one in read_results(tmp_path / "found.json")}
    assert len(found) == 9
    assert found["first rows, apart by levels, at a rate of their own: directions"].value == pytest.approx(2)


def test_a_program_that_fails_is_named(tmp_path, monkeypatch, capsys):
    def fails(command, **_):
        raise subprocess.CalledProcessError(3, command)

    monkeypatch.setattr(subprocess, "run", fails)
    options = [f"--{name}=x" for name in ("base", "tokens", "soft-labels", "measurements")]
    monkeypatch.setattr("sys.argv", ["first_rows.py", *options, f"--output={tmp_path}"])
    assert first_rows.main() == 3
    assert "error: training/ground.py" in capsys.readouterr().err
