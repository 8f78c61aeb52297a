"""What a training cannot begin with is one line on stderr and exit code 2, and begins no run."""

from __future__ import annotations

import runpy
import sys
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.simulated_ptbxl import ptbxl_of_simulated
from tests.tiny import tiny_checkpoint
from tests.token_sets import write_token_set

TRAINING = Path(__file__).resolve().parents[2] / "training"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def refused(monkeypatch, capsys, tmp_path):
    """Runs a script that must refuse; gives its line on stderr and what it said before."""

    def run(script: str, recipe: str, *arguments: object) -> tuple[str, str]:
        output = tmp_path / "run"
        words = ["--recipe", TRAINING / "recipes" / recipe, "--output", output, *arguments]
        monkeypatch.setattr(sys, "argv", [script, *map(str, words)])
        with warnings.catch_warnings(action="ignore"), pytest.raises(SystemExit) as ended:
            runpy.run_path(str(TRAINING / script), run_name="__main__")
        said = capsys.readouterr()
        assert ended.value.code == 2
        line = said.err.strip().splitlines()[-1]
        assert line.startswith("error: ")
        assert len(line) <= 300
        assert "usage:" not in said.err
        assert not output.exists()
        return line, said.out

    return run


def data_of(folder: Path, checkpoint: Path, ids=(1, 2), folds=(1, 1), codes_of=(1, 2)) -> tuple[Path, Path]:
    from hf_heartllm.models.tokenization_heartllm import ECGTokenizer

    rows = folder / "rows.parquet"
    question = {"question": "Is it fast?", "answer": "no", "question_type": "verify", "attribute": "STACH"}
    table = [
        {"ecg_id": ecg_id, "strat_fold": fold, "questions": [question], "report": None, "report_original_english": None}
        for ecg_id, fold in zip(ids, folds, strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(table), rows)
    identity = ECGTokenizer.from_pretrained(checkpoint).codec.fingerprint()
    return rows, write_token_set(folder / "tokens", codes_of, [[0] * 8] * len(codes_of), identity)


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ({"codes_of": (8, 9)}, (), "none of the 2 rows of these folds has codes: nothing to train on"),
        ({"folds": (9, 9)}, (), "no rows of folds [1, 2, 3, 4, 5, 6, 7, 8], of 2 rows: nothing to train on"),
        ({"ids": ("A", "B")}, (), "none of the 2 rows of these folds has codes"),
        ({"codes_of": (float("nan"),)}, (), "holds no codes with a record_id (1 rows)"),
        ({}, ("--set", "data.max_records=0"), "data.max_records: should be at least 1, not 0"),
        ({}, ("--set", "data.folds=11"), "'11' is no list of folds"),
        ({}, ("--rows", "nowhere.parquet"), "nowhere.parquet"),
    ],
)
def test_stage_two_without_anything_to_forecast(refused, checkpoint, tmp_path, settings, options, message):
    rows, tokens = data_of(tmp_path, checkpoint, **settings)
    files = ("--model", checkpoint, "--rows", rows, "--tokens", tokens)
    line, _ = refused("pretrain.py", "pretrain_tiny.yaml", *files, *options)
    assert message in line


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ({"codes_of": (8, 9)}, (), "none of the 2 rows has codes and something to ask: nothing to train on"),
        ({"folds": (9, 9)}, (), "no rows of folds"),
        ({}, ("--set", "data.max_records=0"), "data.max_records: should be at least 1"),
        ({}, ("--set", "data.max_length=3"), "none of the 2 rows has codes and something to ask"),
    ],
)
def test_stage_three_without_anything_to_ask(refused, checkpoint, tmp_path, settings, options, message):
    rows, tokens = data_of(tmp_path, checkpoint, **settings)
    files = ("--model", checkpoint, "--rows", rows, "--tokens", tokens)
    line, said = refused("finetune.py", "finetune_tiny.yaml", *files, *options)
    assert message in line
    if "codes_of" in settings:
        assert "left out: 2 of 2 records of --tokens without a row of questions" in said
        assert "left out: 2 of 2 rows of these folds (as often as data.repeat asks) without codes" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--set", "data.max_records=0"), "data.max_records: should be at least 1"),
        (("--set", "data.folds=5"), "no recording of folds [5] at 100 Hz is on disk, of 0"),
        (
            ("--set", "data.crop_samples=2000"),
            "none of the 4 recordings can be read and is long enough",
        ),
    ],
)
def test_a_codec_without_recordings(refused, tmp_path, options, message):
    folder = ptbxl_of_simulated(tmp_path / "ptbxl", 4)
    line, said = refused("train_codec.py", "codec.yaml", "--ptbxl", folder, "--set", "data.folds=1,9", *options)
    assert message in line
    if "crop" in options[1]:
        assert "left out: 4 of 4 recordings shorter than the 20 s that the training reads" in said
