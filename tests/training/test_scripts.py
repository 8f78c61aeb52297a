"""The training scripts as a user runs them, from recordings to a checkpoint; killed on the way and run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hf_heartllm.models.question_understanding import read_trained_questions
from hf_heartllm.training.checkpoints import last_whole_checkpoint
from tests.forked import ENVIRONMENT, Forked
from tests.forked import run_forked as run

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "hf_heartllm" / "recipes"

pytestmark = pytest.mark.slow


def run_afresh(*arguments: str | Path) -> None:
    """In a process that shares nothing with the others, not even the seed of Python's hashes."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:]


def settings(**values: object) -> list[str]:
    return [part for name, value in values.items() for part in ("--set", f"training.{name}={value}")]


def kill_in_the_middle(output: Path, *arguments: str | Path) -> None:
    """Start a training, kill it without warning once it has a checkpoint."""
    process = Forked(arguments)
    deadline = time.monotonic() + 240
    while last_whole_checkpoint(output) is None:
        assert process.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < deadline, "no checkpoint in four minutes"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    run("-m", "dataset_builders.simulated", "--records", "27", "--output", folder / "data")
    rows = ("--ptbxl", folder / "data", "--output", folder / "rows.parquet")
    run("-m", "dataset_builders.training_rows", *rows)
    return folder


def test_codec_killed_and_resumed_is_the_uninterrupted_one(simulated):
    from safetensors.torch import load_file

    def arguments(name: str) -> list:
        return [
            *("training/train_codec.py", "--config", RECIPES / "codec.yaml", "--ptbxl", simulated / "data"),
            *("--output", simulated / name, "--set", "probe.at_least=2", "--set", "codec.hidden_sizes=[8, 16]"),
            *settings(max_steps=8, save_steps=2, warmup_steps=1, per_device_train_batch_size=2, bf16="false"),
        ]

    run_afresh(*arguments("codec"))
    kill_in_the_middle(simulated / "killed", *arguments("killed"))
    run(*arguments("killed"))
    whole = load_file(simulated / "codec" / "codec" / "model.safetensors")
    resumed = load_file(simulated / "killed" / "codec" / "model.safetensors")
    assert all((whole[name] == resumed[name]).all() for name in whole)
    probabilities = simulated / "probabilities.parquet"
    run(
        *("training/soft_labels.py", "--ptbxl", simulated / "data", "--output", probabilities),
        *(
            "--folds",
            "1-3",
            "--folds-per-part",
            "1",
            "--at-least",
            "2",
            "--passes",
            "1",
            "--networks",
            "1",
            "--num-proc",
            "2",
        ),
    )
    twice = (simulated / "data", simulated / "data")
    for recipe, before, sizes in (
        ("refinements", "codec", ("--set", "codec.num_refinements=2")),
        ("decoder", "refinements", ("--ptbxl", *twice)),
        ("further", "decoder", ("--set", "probe.at_least=2", "--soft-labels", probabilities)),
    ):
        said = run(
            *("training/train_codec.py", "--recipe", RECIPES / f"codec_{recipe}.yaml", "--ptbxl", simulated / "data"),
            *("--codec", simulated / before / "codec", "--output", simulated / recipe, *sizes),
            *settings(max_steps=3, save_steps=2, warmup_steps=1, per_device_train_batch_size=2, bf16="false"),
        )
        assert said.startswith("54 recordings" if recipe == "decoder" else "27 recordings")
    refined = load_file(simulated / "refinements" / "codec" / "model.safetensors")
    decoder = load_file(simulated / "decoder" / "codec" / "model.safetensors")
    assert all((refined[name] == whole[name]).all() for name in whole)
    kept = [name for name in refined if not name.startswith("decoder.")]
    assert all((decoder[name] == refined[name]).all() for name in kept)  # the codes stay as they are
    assert any((decoder[name] != refined[name]).any() for name in refined)
    assert any(".context." in name for name in decoder)
    assert any(name.startswith("refinement.") for name in refined)
    further = load_file(simulated / "further" / "codec" / "model.safetensors")
    changed = {name for name in decoder if (decoder[name] != further[name]).any()}
    assert {name.split(".")[0] for name in changed} >= {"encoder", "decoder"}
    assert not any(name.startswith("refinement.") for name in changed)


def test_stages_two_and_three_end_in_a_checkpoint_that_answers(simulated, tmp_path):
    codec, tokens = simulated / "codec" / "codec", simulated / "tokens"
    if not codec.is_dir():
        pytest.fail("the codec of the test before is not there")
    run("-m", "dataset_builders.ecg_tokens", "--ptbxl", simulated / "data", "--codec", codec, "--output", tokens)
    small = ["hidden_size=32", "intermediate_size=64", "num_hidden_layers=1"]
    small += ["num_attention_heads=2", "num_key_value_heads=2"]
    sizes = [part for size in small for part in ("--set", f"decoder.{size}")]
    run(
        *("training/make_base.py", "--recipe", RECIPES / "base_tiny.yaml", "--rows", simulated / "rows.parquet"),
        *("--codec", codec, "--output", tmp_path / "base", *sizes),
    )
    files = ("--rows", simulated / "rows.parquet", "--tokens", tokens)
    quick = settings(max_steps=4, save_steps=2, warmup_steps=1, per_device_train_batch_size=2)
    run(
        *("training/pretrain.py", "--recipe", RECIPES / "pretrain_tiny.yaml", "--model", tmp_path / "base", *files),
        *("--output", tmp_path / "pretrain", *quick),
    )
    tune = [
        *("training/finetune.py", "--recipe", RECIPES / "finetune_tiny.yaml", *files),
        *("--model", tmp_path / "pretrain" / "model", "--output", tmp_path / "tune", *quick),
    ]
    kill_in_the_middle(tmp_path / "tune", *tune)
    run(*tune)
    alone = [*tune[: tune.index("--output")], "--output", tmp_path / "alone", *quick]
    said = run(*alone, "--set", "data.ecg=none", "--set", "data.max_records=6")
    assert "ECGs are left out" in said
    run("training/text_model.py", "--model", tmp_path / "alone" / "model", "--output", tmp_path / "plain")
    assert {path.suffix for path in (tmp_path / "plain").iterdir()} == {".json", ".jinja", ".safetensors"}
    model = tmp_path / "tune" / "model"
    assert json.loads((model / "config.json").read_text())["seen_in_training"] == ["labels", "report text", "yes/no"]
    assert json.loads((model / "tokenizer_config.json").read_text())["ecg_max_duration"] == 10
    assert read_trained_questions(model).groups
    lacking = ("--records", simulated / "data", "--codec", codec, "--missing-leads", "--train", "1-3")
    run("-m", "dataset_builders.ecg_tokens", *lacking, "--validation", "", "--output", tmp_path / "lacking")
    alone[alone.index("--output") + 1] = tmp_path / "incomplete"
    run(*alone, "--incomplete", tmp_path / "lacking", "--set", "data.incomplete_share=0.5")
    answer = run(
        "-m", "hf_heartllm.cli", "ask", "example:af", "Does this ECG show atrial fibrillation?", "--model", model
    )
    assert answer.split()[0].strip(".,:").lower() in ("yes", "no")


def test_the_papers_recipes_run(simulated, tmp_path):
    codec, tokens = simulated / "codec" / "codec", simulated / "tokens"
    if not tokens.is_dir():
        pytest.fail("the tokens of the test before are not there")
    sizes = []
    for size in ("hidden_size=32", "intermediate_size=64", "num_hidden_layers=1", "num_attention_heads=2"):
        sizes += ["--set", f"decoder.{size}"]
    run(
        *("training/make_base.py", "--recipe", RECIPES / "base_tiny.yaml", "--rows", simulated / "rows.parquet"),
        *("--codec", codec, "--output", tmp_path / "base", *sizes, "--set", "decoder.num_key_value_heads=2"),
    )
    files = ("--rows", simulated / "rows.parquet", "--tokens", tokens)
    quick = settings(num_train_epochs=0.2, save_steps=50, per_device_train_batch_size=2, bf16="false")
    run(
        *("training/pretrain.py", "--recipe", RECIPES / "pretrain_paper.yaml", "--model", tmp_path / "base", *files),
        *("--output", tmp_path / "two", *quick),
    )
    run(
        *("training/finetune.py", "--recipe", RECIPES / "finetune_paper.yaml", "--model", tmp_path / "two" / "model"),
        *(*files, "--output", tmp_path / "three", *quick),
    )
    assert (tmp_path / "three" / "model" / "model.safetensors").is_file()
