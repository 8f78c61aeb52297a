"""What a training cannot begin with is one line on stderr and exit code 2, and begins no run."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_heartllm.checkpoints import checkpoint as package_checkpoint
from tests.simulated_ptbxl import ptbxl_of_simulated
from tests.tiny import tiny_checkpoint
from tests.token_sets import write_token_set

TRAINING = Path(__file__).resolve().parents[2] / "training"
RECIPES = TRAINING.parent / "hf_heartllm" / "recipes"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def refused(monkeypatch, capsys, tmp_path):
    """Runs a script that must refuse; gives its line on stderr and what it said before."""

    def run(script: str, recipe: str, *arguments: object) -> tuple[str, str]:
        output = tmp_path / "run"
        words = ["--recipe", recipe, "--output", output, *arguments]
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
        ({}, ("--set", "frozen_encoder=true"), "frozen_encoder is a setting for ECG-LM: HeartLLM has no encoder"),
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


STAGES = [("pretrain.py", "pretrain_tiny"), ("finetune.py", "finetune_tiny"), ("ground.py", "ground_smollm2")]


def starts(script: str, checkpoint: Path, tokens: Path) -> tuple[object, ...]:
    """The options of a stage on a token set."""
    if script != "ground.py":
        return ("--model", checkpoint, "--tokens", tokens)
    off = ("--set", "data.incomplete_share=0")
    return ("--base", package_checkpoint("text-tiny"), "--codec", checkpoint, "--tokens", tokens, *off)


@pytest.mark.parametrize(("script", "recipe"), STAGES)
def test_a_token_set_without_one_of_its_files(refused, checkpoint, tmp_path, script, recipe):
    _, tokens = data_of(tmp_path, checkpoint)
    whole = tokens / "train.parquet"
    for number in (0, 2):
        (tokens / f"train-0000{number}-of-00003-abc.parquet").write_bytes(whole.read_bytes())
    whole.unlink()
    line, _ = refused(script, f"{recipe}.yaml", *starts(script, checkpoint, tokens))
    assert "1 of 3 files of train are missing, train-00001-of-00003….parquet the first" in line


@pytest.mark.parametrize(("script", "recipe"), STAGES)
def test_tokens_of_another_codec(refused, checkpoint, tmp_path, script, recipe):
    tokens = write_token_set(tmp_path / "tokens", (1, 2), [[0] * 8] * 2, "another")
    line, _ = refused(script, f"{recipe}.yaml", *starts(script, checkpoint, tokens))
    assert "encoded by codec another, but the model's codec is " in line


@pytest.mark.parametrize(("script", "recipe"), STAGES)
def test_a_setting_that_is_misspelt(refused, checkpoint, tmp_path, script, recipe):
    more = ("--set", "training.learning_rat=0.1")
    line, _ = refused(script, f"{recipe}.yaml", *starts(script, checkpoint, tmp_path), *more)
    assert "training.learning_rat: no such setting; did you mean training.learning_rate?" in line


@pytest.mark.parametrize(("script", "recipe"), STAGES)
def test_a_setting_that_is_missing(refused, checkpoint, tmp_path, script, recipe):
    lines = (RECIPES / f"{recipe}.yaml").read_text(encoding="utf-8").splitlines()
    mine = tmp_path / "mine.yaml"
    mine.write_text("\n".join(line for line in lines if not line.startswith("  folds:")))
    line, _ = refused(script, f"{recipe}.yaml", *starts(script, checkpoint, tmp_path), "--recipe", mine)
    assert "data.folds: missing (of PTB-XL, such as 1-8)" in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--set", "layers=9"), "9 layers: the model has 2"),
        (("--set", "lora.train_rows=none"), "the ECG rows of the vocabulary are not trained"),
        (("--set", "data.folds=10"), "no rows of folds [10]"),
    ],
)
def test_grounding_that_cannot_begin(refused, tmp_path, options, message):
    from benchmarks.kills import tiny_inputs

    folder = tiny_inputs(tmp_path)
    own = ("--base", folder / "base", "--codec", folder / "checkpoint", "--tokens", folder / "tokens")
    small = (
        "--set",
        "data.incomplete_share=0",
        "--set",
        "data.at_least=2",
        "--set",
        "lora.rank_pattern={}",
        "--set",
        "layers=1",
    )
    line, _ = refused("ground.py", "ground_smollm2.yaml", *own, *small, *options)
    assert message in line


def test_a_file_in_the_runs_place(checkpoint, tmp_path, monkeypatch, capsys):
    _, tokens = data_of(tmp_path, checkpoint)
    (tmp_path / "file").touch()
    words = ["--recipe", "pretrain_tiny", *starts("pretrain.py", checkpoint, tokens), "--output", tmp_path / "file"]
    monkeypatch.setattr(sys, "argv", ["pretrain.py", *map(str, words)])
    with warnings.catch_warnings(action="ignore"), pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TRAINING / "pretrain.py"), run_name="__main__")
    assert ended.value.code == 2
    assert str(tmp_path / "file") in capsys.readouterr().err


@pytest.mark.parametrize(("script", "recipe"), STAGES)
def test_a_file_that_is_not_there(refused, checkpoint, tmp_path, script, recipe):
    line, _ = refused(script, f"{recipe}.yaml", *starts(script, checkpoint, tmp_path / "nowhere"))
    assert line == f"error: --tokens {tmp_path / 'nowhere'}: no such file or folder"


@pytest.mark.parametrize("script", ["make_ecg_lm.py", "make_base.py", "text_model.py"])
def test_nothing_of_the_users_is_replaced(script, checkpoint, tmp_path, monkeypatch, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("precious")
    options = {
        "make_ecg_lm.py": ("--base", checkpoint),
        "make_base.py": ("--recipe", "base_tiny", "--rows", tmp_path / "mine", "--codec", checkpoint),
        "text_model.py": ("--model", checkpoint),
    }
    words = [script, *map(str, options[script]), "--output", str(tmp_path / "mine")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TRAINING / script), run_name="__main__")
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said == f"error: --output {tmp_path / 'mine'}: something is there already; give another folder\n"
    assert (tmp_path / "mine" / "notes.txt").read_text() == "precious"


def test_without_the_libraries_of_training_it_is_one_line(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['trl'] = sys.modules['yaml'] = None\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{TRAINING.parent}"}
    for program in ([str(TRAINING / "finetune.py")], ["-m", "hf_heartllm.scripts.finetune"]):
        done = subprocess.run([sys.executable, *program, "--help"], env=environment, capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stderr == "error: trl, pyyaml not installed: pip install 'hf_heartllm[train]'\n"
