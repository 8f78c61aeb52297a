"""Going on after an interruption, and recipes that fit the scripts that read them."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import pytest
import yaml

from hf_heartllm.training.checkpoints import last_whole_checkpoint
from hf_heartllm.training.recipes import RecipeOptions, begin_run, read_recipe, recipe_help, setting_docs
from hf_heartllm.training.settings import (
    AlignRecipe,
    BaseRecipe,
    CodecRecipe,
    EncoderRecipe,
    FinetuneRecipe,
    GroundRecipe,
    PretrainRecipe,
    Recipe,
)

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "hf_heartllm" / "recipes"
KINDS: dict[str, type[Recipe]] = {
    "align": AlignRecipe,
    "base": BaseRecipe,
    "codec": CodecRecipe,
    "encoder": EncoderRecipe,
    "ground": GroundRecipe,
    "pretrain": PretrainRecipe,
    "finetune": FinetuneRecipe,
}
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "model_cards").glob("*.md"))]


def read(name: str, overrides: list[str] = []) -> Recipe:  # noqa: B006 - never changed
    return read_recipe(RECIPES / f"{name}.yaml", KINDS[name.split("_")[0]], overrides)


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
            (tmp_path / f"checkpoint-{step}" / name).write_text("{}")
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-20")


def test_overrides_reach_what_is_there_and_nothing_else():
    assert read("finetune_tiny", ["training.max_steps=7"]).training["max_steps"] == 7
    assert read("pretrain_tiny", ["lora={r: 4}"]).lora == read("pretrain_tiny", ["lora.r=4"]).lora
    assert read("pretrain_tiny", ["training.learning_rate=1e-4"]).training["learning_rate"] == 0.0001


@pytest.mark.parametrize(
    ("name", "setting", "message"),
    [
        ("finetune_tiny", "training.maxsteps=7", "no such setting; did you mean training.max_steps?"),
        ("finetune_tiny", "data.max_question=7", "no such setting; did you mean data.max_questions?"),
        ("finetune_tiny", "max_records=7", "no such setting; did you mean data.max_records?"),
        ("finetune_tiny", "nothing.there=1", "nothing: no such setting; there are data, training"),
        ("finetune_tiny", "training.max_steps", "give SECTION.KEY=VALUE"),
        ("finetune_tiny", "data.folds.x=1", "folds is no section"),
        ("finetune_tiny", "data.repeat={AF: x}", "data.repeat.AF: should be a whole number"),
        ("finetune_tiny", "data.ecg=None", "data.ecg: should be 'real' or 'none'"),
        ("finetune_tiny", "data.report_share=1.2", "data.report_share: should be at most 1, not 1.2"),
        ("finetune_tiny", "data.report_share=.nan", "data.report_share: should be"),
        ("finetune_tiny", "data.folds=11", "data.folds: '11' is no list of folds"),
        ("finetune_tiny", "lora={r: 4}", "trains no probe"),
        ("finetune_tiny", "seen_in_training=[label]", 'not "label"'),
        ("finetune_tiny", "training={}", "training.seed: missing"),
        ("finetune_tiny", "training.learning_rate=fast", 'training.learning_rate: should be a number, not "fast"'),
        ("finetune_tiny", "training.max_steps=2.5", "training.max_steps: should be a whole number, not 2.5"),
        ("finetune_tiny", "training.max_steps=0", "training.max_steps: should be above 0"),
        ("finetune_tiny", "training.bf16=maybe", "training.bf16: should be true or false or null"),
        ("finetune_tiny", "training.seed=true", "training.seed: should be a whole number"),
        ("finetune_tiny", "training.lr_scheduler_type=cosin", "should be one of linear, cosine, "),
        ("finetune_tiny", "training.optim=adam_torch", "should be adamw_torch or "),
        (
            "encoder",
            "encoder.hiden_sizes=[8]",
            "encoder.hiden_sizes: no such setting; did you mean encoder.hidden_sizes?",
        ),
        (
            "finetune_tiny",
            "data.repeat={AFIBB: 2}",
            "data.repeat.AFIBB: no such setting; did you mean data.repeat.AFIB?",
        ),
        ("finetune_tiny", "training.output_dir=here", "is set by the script"),
        ("pretrain_tiny", "data.max_records=many", 'data.max_records: should be a whole number, not "many"'),
        ("codec", "preset=null", "name a `preset`"),
        ("codec", "codec.hidden_size=[3]", "did you mean codec.hidden_sizes?"),
        ("codec_further", "probe=null", "no setting `probe`"),
        ("base_tiny", "decoder.hidden_sizee=3", "did you mean decoder.hidden_size?"),
        ("base_tiny", "decoder.model_type=lama", "did you mean llama?"),
        ("base_tiny", "vocabulary={}", "vocabulary.size: missing (tokens of its byte-level BPE)"),
    ],
)
def test_what_is_misspelt_missing_or_mistyped_is_named_in_one_line(name, setting, message):
    with pytest.raises(ValueError, match=r".") as refused:
        read(name, [setting])
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 290


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a recipe is a mapping"),
        ("[seed]", "a recipe is a mapping"),
        ("seed: [", "no YAML in line 1"),
        ("seed: 1\nseed: 2", "no YAML in line 1: seed stands there twice"),
        ("seed: 1\nsize: 3", "size: no such setting; did you mean vocabulary.size?; vocabulary: missing"),
        ("seed: 2020-01-01\nvocabulary: {size: 999}\ndecoder: {}", "seed: should be a whole number"),
        ("\u00fc: 1", "no text in UTF-8"),
    ],
)
def test_a_file_that_is_no_recipe_is_named_in_one_line(tmp_path, text, message):
    path = tmp_path / "my recipe.yaml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r".") as refused:
        read_recipe(path, BaseRecipe)
    assert str(refused.value).startswith(f"{path}: ")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_setting_is_explained(kind):
    assert kind in get_args(Recipe)
    docs = setting_docs(kind)
    assert all(docs.values())
    assert all(f"  {name} " in recipe_help(kind) for name in docs)


def test_every_documented_command_sets_what_its_recipe_has():
    found = 0
    for document in DOCUMENTS:
        for line in document.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
            if name := re.search(r"--(?:recipe|config) (\w+)(?=\s|$)", line):
                read(name[1], re.findall(r"--set ([\w.]+=[^\s\"']+)", line))
                found += 1
    assert found > 5


def test_a_setting_is_read_under_its_old_name_for_one_version(tmp_path):
    text = (RECIPES / "codec.yaml").read_text().replace("lead_mask_weight: 0.05", "presence_weight: 0.5")
    (tmp_path / "before.yaml").write_text(text)
    with pytest.warns(FutureWarning, match="presence_weight is called lead_mask_weight now"):
        recipe = read_recipe(tmp_path / "before.yaml", CodecRecipe)
    assert recipe.lead_mask_weight == 0.5
    with pytest.warns(FutureWarning):
        assert read("codec", ["presence_weight=2"]).lead_mask_weight == 2
    before = yaml.safe_dump({**asdict(recipe), "presence_weight": recipe.lead_mask_weight})
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.yaml").write_text(before.replace("lead_mask_weight: 0.5\n", ""))
    begin_run(tmp_path / "run", recipe)  # a run of the version before goes on
    with pytest.raises(ValueError, match="other settings of lead_mask_weight was begun"):
        begin_run(tmp_path / "run", read("codec"))


def test_a_run_goes_on_with_its_own_recipe_only(tmp_path):
    recipe = read("codec")
    begin_run(tmp_path / "run", recipe)
    begin_run(tmp_path / "run", read("codec", ["training.max_steps=9"]))  # longer
    with pytest.raises(ValueError, match="other settings of codec was begun here"):
        begin_run(tmp_path / "run", read("codec", ["codec.levels=[8, 5, 5, 5]"]))
    (tmp_path / "old" / "checkpoint-9").mkdir(parents=True)
    with pytest.raises(ValueError, match="unknown recipe"):
        begin_run(tmp_path / "old", recipe)
    (tmp_path / "mine" / "model").mkdir(parents=True)
    with pytest.raises(ValueError, match="is there already, and of no run"):
        begin_run(tmp_path / "mine", recipe)


def test_a_run_goes_on_with_its_own_data_and_model_only(tmp_path):
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Options(RecipeOptions):
        model: Path
        rows: list[Path]
        chats: Path | None = None

    recipe, rows = read("codec"), tmp_path / "rows.parquet"
    rows.write_bytes(b"rows")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"weights")
    shutil.copytree(tmp_path / "model", tmp_path / "moved")
    (tmp_path / "moved" / "README.md").write_text("what decides nothing")
    run = {"recipe": Path("codec"), "output": tmp_path / "run", "rows": [rows]}
    begin_run(tmp_path / "run", recipe, Options(**run, model=tmp_path / "model"))
    begin_run(tmp_path / "run", recipe, Options(**run, model=tmp_path / "moved"))
    (tmp_path / "set" / "data").mkdir(parents=True)
    for shard in (b"one", b"another"):
        (tmp_path / "set" / "data" / "train.parquet").write_bytes(shard)
        with contextlib.nullcontext() if shard == b"one" else pytest.raises(ValueError, match="another --rows"):
            begin_run(tmp_path / "of-shards", recipe, Options(**{**run, "rows": [tmp_path / "set"]}, model=rows))
    inside = Options(**{**run, "output": tmp_path / "set" / "run", "rows": [tmp_path / "set"]}, model=rows)
    begin_run(inside.output, recipe, inside)
    (inside.output / "checkpoint-1").mkdir()
    (inside.output / "checkpoint-1" / "model.safetensors").write_bytes(b"its own")
    begin_run(inside.output, recipe, inside)
    rows.write_bytes(b"other rows")
    with pytest.raises(ValueError, match="a run with another --rows was begun here; give another --output"):
        begin_run(tmp_path / "run", recipe, Options(**run, model=tmp_path / "model"))
    (tmp_path / "moved" / "model.safetensors").write_bytes(b"others")
    with pytest.raises(ValueError, match="a run with another --model, --rows was begun here"):
        begin_run(tmp_path / "run", recipe, Options(**run, model=tmp_path / "moved"))
    (tmp_path / "run" / "inputs.json").unlink()  # of a version before: from now on it is marked
    begin_run(tmp_path / "run", recipe, Options(**run, model=tmp_path / "moved"))
    with pytest.raises(ValueError, match="a run with another --chats was begun here"):
        begin_run(tmp_path / "run", recipe, Options(**run, model=tmp_path / "moved", chats=rows))
    with_chats = {**run, "output": tmp_path / "chats", "model": tmp_path / "moved"}
    begin_run(tmp_path / "chats", recipe, Options(**with_chats, chats=rows))
    with pytest.raises(ValueError, match="a run with another --chats was begun here"):
        begin_run(tmp_path / "chats", recipe, Options(**with_chats))


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_accepted_by_what_reads_it(path, tmp_path):
    from transformers import TrainingArguments
    from trl import SFTConfig

    from hf_heartllm.training.stages import training_arguments

    recipe, written = read(path.stem), yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {name: asdict(recipe)[name] for name in written} == written
    if isinstance(recipe, BaseRecipe):
        return
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "recipe.yaml").write_text(path.read_text(encoding="utf-8"))  # as before it had defaults
    begin_run(tmp_path / "begun", recipe)
    settings = training_arguments({**recipe.training, "bf16": False}, tmp_path)
    (SFTConfig if isinstance(recipe, AlignRecipe | FinetuneRecipe) else TrainingArguments)(**settings)
    if isinstance(recipe, AlignRecipe):
        return
    if isinstance(recipe, CodecRecipe):
        from hf_heartllm.training.codec_training import PARTS, PRESETS

        PRESETS[recipe.preset or "default"](**recipe.codec)
        assert recipe.part in (None, *PARTS)
    elif isinstance(recipe, EncoderRecipe):
        from hf_heartllm.models.configuration_ecg_lm import ECGEncoderConfig

        ECGEncoderConfig(**recipe.encoder)
    elif path.stem.endswith("_paper"):
        assert (recipe.lora.r, recipe.lora.lora_alpha, recipe.lora.lora_dropout) == (64, 16, 0.05)


def test_a_recipe_of_the_package_is_found_by_its_name_wherever_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = read_recipe(RECIPES / "codec.yaml", CodecRecipe)
    for name in ("codec", "codec.yaml", Path("training/recipes/codec.yaml")):
        assert read_recipe(name, CodecRecipe) == whole
    (tmp_path / "codec.yaml").write_text("{mine: 1}")
    with pytest.raises(ValueError, match="mine"):  # a file that is there comes first
        read_recipe("codec.yaml", CodecRecipe)
    for name in ("kodec", "elsewhere/codec.yaml", "training/recipes/none.yaml", ""):
        with pytest.raises(
            FileNotFoundError,
            match="no such recipe; give a YAML file, or one of align_ecg_lm, align_ecg_lm_paper, base_tiny",
        ):
            read_recipe(name, CodecRecipe)


def test_what_was_seen_follows_from_the_settings_and_from_before():
    plain = read_recipe(RECIPES / "finetune_smollm2.yaml", FinetuneRecipe, ["data.letters_share=0.0"])
    assert plain.seen() == ["labels", "report text", "yes/no", "other questions"]
    with_letters = read_recipe(RECIPES / "finetune_smollm2.yaml", FinetuneRecipe, ["data.letters_share=0.2"])
    assert "letter choice" in with_letters.seen()
    assert plain.seen(with_letters.seen()) == with_letters.seen()
