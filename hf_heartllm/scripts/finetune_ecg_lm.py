"""Questions and reports for ECG-LM: its encoder and projection learn, and the language model only where `lora` says so.

    python training/finetune_ecg_lm.py --recipe finetune_ecg_lm_tiny --model build/ecg-lm/untrained \\
        --records DIR --rows build/rows.parquet --output build/ecg-lm/finetuned

Run again after an interruption, it goes on from the last whole checkpoint.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import set_seed
from trl import SFTConfig

from hf_heartllm.data.token_file import load_rows
from hf_heartllm.labels.ptbxl import folds
from hf_heartllm.models.configuration_ecg_lm import ECGLMConfig
from hf_heartllm.models.ecg_record import ECGError
from hf_heartllm.models.modeling_ecg_lm import ECGLMForCausalLM
from hf_heartllm.models.processing_ecg_lm import ECGLMProcessor
from hf_heartllm.training.dialogues.drawing import cases_of_records
from hf_heartllm.training.draws import EpochOfDraws
from hf_heartllm.training.examples import as_hub_dataset, repeat_rows
from hf_heartllm.training.lora import add_lora_behind_soft_tokens
from hf_heartllm.training.measured_findings import measured_texts
from hf_heartllm.training.packing import QuestionPrompts
from hf_heartllm.training.question_material import question_material, say_chats, show_every_turn
from hf_heartllm.training.recipes import RecipeOptions, begin_run, read_options, read_recipe
from hf_heartllm.training.recordings import RecordingDataset
from hf_heartllm.training.row_choice import choose_rows
from hf_heartllm.training.settings import FinetuneRecipe
from hf_heartllm.training.soft_examples import FeaturesOfRecords, SoftCollator, SoftQuestionDataset
from hf_heartllm.training.stages import (
    attention_of_packed,
    check_model,
    is_main_process,
    read_usable,
    refuse,
    save_checkpoint,
    say_left_out,
    train_from_last,
    training_arguments,
)
from hf_heartllm.training.teacher import SFTTrainerWithTeacher
from hf_heartllm.training.trained_questions import write_trained_questions


@dataclass(frozen=True, kw_only=True)
class Options(RecipeOptions):
    """What the training is told beside its recipe.

    Attributes:
        model: checkpoint folder to start from, of training/make_ecg_lm.py or of an earlier training.
        records: PTB-XL's folder, labels.csv or its folder, or a folder of labelled WFDB records; several are read
            together.
        rows: Parquet files of dataset_builders.training_rows, or folders of ecg_tokens, whose codes are not read.
        soft_labels: Parquet file of training/soft_labels.py, for the shares of soft labels.
        general_turns: JSON lines of training/general_turns.py, for data.others.
        measurements: CSV table of dataset_builders.measurements, for the findings that data.dialogues tell, and for a
            model that reads measured numbers (training/make_ecg_lm.py --measured-text).
        chats: JSON, JSON lines or Parquet of conversations, for data.chats.
    """

    model: Path
    records: list[Path]
    rows: list[Path]
    soft_labels: Path | None = None
    general_turns: Path | None = None
    measurements: Path | None = None
    chats: Path | None = None


def main() -> None:
    args = read_options(Options, FinetuneRecipe, __doc__, records={"metavar": "SOURCE"})
    try:
        recipe = read_recipe(args.recipe, FinetuneRecipe, args.set)
        data, settings = recipe.data, recipe.training
        unknown = {
            "probe": recipe.probe, "frozen_layers": recipe.frozen_layers, "layers": recipe.layers,
            "text_weight": recipe.text_weight, "save: adapter": recipe.save == "adapter",
            "lora.rank_pattern": recipe.lora and recipe.lora.rank_pattern,
            "data.devices": data.devices, "data.eval_folds": data.eval_folds,
        }  # fmt: skip
        if set_ones := [name for name, value in unknown.items() if value]:
            raise ValueError(f"{set_ones[0]} is a setting for HeartLLM: ECG-LM's training has none")
        without_ecg = {
            "data.ecg: none": data.ecg == "none",
            "data.others.text_share": data.others and data.others.text_share,
            "data.chats.share": data.chats and data.chats.share,
        }
        if not recipe.lora and (named := [name for name, value in without_ecg.items() if value]):
            raise ValueError(
                f"{named[0]}: the language model is frozen, so an example without an ECG teaches nothing; leave it "
                "out, or train the language model too (lora)"
            )
        check_model(args.model, ECGLMConfig.model_type)
        set_seed(settings["seed"])
        model = ECGLMForCausalLM.from_pretrained(
            args.model, dtype=torch.float32, attn_implementation=attention_of_packed()
        )
        processor = ECGLMProcessor.from_pretrained(args.model)
        if recipe.lora and model.config.base_model:
            raise ValueError(
                f"{args.model} names its language model and holds none, which `lora` would change: make it without "
                "--base-name"
            )
        if processor.measured_text and args.measurements is None:
            raise ValueError(
                f"{args.model} reads measured numbers: give --measurements, of dataset_builders.measurements"
            )
        every = [row for path in args.rows for row in load_rows(path)]
        usable = read_usable(args.records, data.folds, processor.feature_extractor)
        features = FeaturesOfRecords(
            RecordingDataset(usable.records, processor.feature_extractor, features=usable.features)
        )
        chosen = choose_rows(
            every, set(folds(data.folds)), max_records=data.max_records, with_codes=features.keys(), seed=data.draw_seed
        )
        rows = repeat_rows(chosen, data.repeat or {})
        cases = cases_of_records(usable.records, args.measurements) if data.dialogues else None
        measured = measured_texts(args.measurements) if processor.measured_text and args.measurements else {}
        material = question_material(
            rows, data, None, settings["seed"], args.soft_labels, args.general_turns, cases=cases, chats=args.chats
        )
        show_every_turn(material, processor)
        dataset = material.dataset(
            SoftQuestionDataset, rows, features, QuestionPrompts(processor), fewer_leads=data.incomplete_share,
            measured=measured,
        )  # fmt: skip
        say_chats(dataset)
    except (OSError, ValueError) as error:
        refuse(error)
    say_left_out({"of other folds or splits, or beyond data.max_records": len(every) - len(chosen)}, len(every), "rows")
    say_left_out(dataset.left_out, len(rows), "rows of these folds (as often as data.repeat asks)")
    if processor.measured_text:
        unmeasured = sum(row["record_id"] not in measured for row in chosen)
        say_left_out({"without a row of --measurements: nothing is told": unmeasured}, len(chosen), "records")
    if not len(dataset):
        refuse(f"none of the {len(rows)} rows has a recording and something to ask: nothing to train on")
    try:
        begin_run(args.output, recipe, args)  # after the checks above: a recipe that fails them begins no run
    except (OSError, ValueError) as error:
        refuse(error)
    in_training = add_lora_behind_soft_tokens(model, asdict(recipe.lora)) if recipe.lora else model
    if recipe.frozen_encoder:
        model.encoder.requires_grad_(False)
    trained = sum(one.numel() for one in in_training.parameters() if one.requires_grad)
    print(f"{len(dataset)} records ({dataset.num_absent} left out), {trained:,} parameters are trained", flush=True)
    trainer = SFTTrainerWithTeacher(
        model=in_training,
        args=SFTConfig(
            max_length=None,  # the data set keeps to its own limit; trl would cut examples in silence
            dataset_kwargs={"skip_prepare_dataset": True},
            **training_arguments(settings, args.output),
        ),
        train_dataset=as_hub_dataset(dataset),
        data_collator=SoftCollator(processor.tokenizer.pad_token_id),
        processing_class=processor.tokenizer,
        callbacks=[EpochOfDraws(dataset)],
        draws=dataset,
    )
    try:
        train_from_last(trainer)
    except ECGError as error:  # a recording that is damaged, or has none of the leads
        refuse(error)
    if is_main_process():
        model.config.seen_in_training = recipe.seen(model.config.seen_in_training)
        processor.ecg_max_duration = round(max(usable.seconds), 2) if usable.seconds else None
        dtype, load_dtype = (getattr(torch, name) if name else None for name in (recipe.save_dtype, recipe.load_dtype))
        final = in_training.merge_and_unload() if recipe.lora else model
        save_checkpoint(final, processor, args.output / "model", dtype, load_dtype)
        write_trained_questions(args.output / "model", rows)
        trainer.state.save_to_json(str(args.output / "log.json"))


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "finetune_ecg_lm"))
