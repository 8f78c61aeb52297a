"""Going on after an interruption, and recipes that fit the scripts that read them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hf_heartllm.training.checkpoints import last_whole_checkpoint
from hf_heartllm.training.recipes import begin_run, read_recipe

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "training" / "recipes"
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "model_cards").glob("*.md"))]


def test_half_written_checkpoints_are_passed_over(tmp_path):
    assert last_whole_checkpoint(tmp_path) is None
    for step, files in {
        9: ("optimizer.pt", "scheduler.pt", "trainer_state.json"),
        20: ("optimizer.pt", "scheduler.pt", "trainer_state.json"),
        100: ("optimizer.pt", "scheduler.pt"),  # killed before the state was written
        110: ("trainer_state.json",),  # saved without its optimizer
    }.items():
        (tmp_path / f"checkpoint-{step}").mkdir()
        for name in files:
            (tmp_path / f"checkpoint-{step}" / name).touch()
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-20")


def test_overrides_reach_what_is_there_and_nothing_else(tmp_path):
    recipe = RECIPES / "finetune_tiny.yaml"
    assert read_recipe(recipe, ["training.max_steps=7", "lora={r: 4}"])["training"]["max_steps"] == 7
    for wrong in ("training.maxsteps=7", "nothing.there=1", "training.max_steps"):
        with pytest.raises(ValueError, match="has no setting"):
            read_recipe(recipe, [wrong])


def test_every_documented_command_sets_what_its_recipe_has():
    found = 0
    for document in DOCUMENTS:
        for line in document.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
            if name := re.search(r"--(?:recipe|config) training/recipes/(\w+\.yaml)", line):
                read_recipe(RECIPES / name[1], re.findall(r"--set ([\w.]+=[^\s\"']+)", line))
                found += 1
    assert found > 5


def test_a_run_goes_on_with_its_own_recipe_only(tmp_path):
    recipe = read_recipe(RECIPES / "codec.yaml")
    begin_run(tmp_path / "run", recipe)
    begin_run(tmp_path / "run", read_recipe(RECIPES / "codec.yaml", ["training.max_steps=9"]))  # longer
    with pytest.raises(ValueError, match="other settings of codec was begun here"):
        begin_run(tmp_path / "run", read_recipe(RECIPES / "codec.yaml", ["codec.levels=[8, 5, 5, 5]"]))
    (tmp_path / "old" / "checkpoint-9").mkdir(parents=True)
    with pytest.raises(ValueError, match="unknown recipe"):
        begin_run(tmp_path / "old", recipe)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_accepted_by_what_reads_it(path, tmp_path):
    from transformers import TrainingArguments
    from trl import SFTConfig

    from hf_heartllm.training.stages import training_arguments

    recipe = read_recipe(path)
    if "training" in recipe:
        settings = training_arguments({**recipe["training"], "bf16": False}, tmp_path)
        (SFTConfig if path.stem.startswith("finetune") else TrainingArguments)(**settings)
    if path.stem.startswith("codec"):
        from hf_heartllm.training.codec_training import PRESETS
        from hf_heartllm.training.recordings import Augmentation

        PRESETS[recipe.get("preset", "default")](**recipe["codec"])
        Augmentation(**(recipe["data"]["augmentation"] or {}))
    if recipe.get("lora"):
        assert (recipe["lora"]["r"], recipe["lora"]["lora_alpha"], recipe["lora"]["lora_dropout"]) == (64, 16, 0.05)


def test_a_recipe_of_the_package_is_found_by_its_name_wherever_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = read_recipe(RECIPES / "codec.yaml")
    for name in ("codec", "codec.yaml", Path("training/recipes/codec.yaml")):
        assert read_recipe(name) == whole
    (tmp_path / "codec.yaml").write_text("{mine: 1}")
    assert read_recipe("codec.yaml") == {"mine": 1}, "a file that is there comes first"
    for name in ("kodec", "elsewhere/codec.yaml", "training/recipes/none.yaml", ""):
        with pytest.raises(FileNotFoundError, match="no such recipe; give a YAML file, or one of base_tiny, codec"):
            read_recipe(name)
