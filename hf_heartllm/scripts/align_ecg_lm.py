"""ECG-LM's joint training: report and findings of each lead behind the soft tokens; the language model is frozen.

    python training/align_ecg_lm.py --recipe align_ecg_lm --model build/ecg-lm/untrained --records DIR \\
        --rows build/rows.parquet --measurements build/measurements.csv --output build/ecg-lm/aligned

Run again after an interruption, it goes on from the last whole checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import set_seed
from trl import SFTConfig

from hf_heartllm.data.token_file import load_rows
from hf_heartllm.models.configuration_ecg_lm import ECGLMConfig
from hf_heartllm.models.ecg_record import ECGError
from hf_heartllm.models.modeling_ecg_lm import ECGLMForCausalLM
from hf_heartllm.models.processing_ecg_lm import ECGLMProcessor
from hf_heartllm.training.alignment import AlignedDataset, describe
from hf_heartllm.training.draws import EpochOfDraws
from hf_heartllm.training.examples import as_hub_dataset
from hf_heartllm.training.recipes import RecipeOptions, begin_run, read_options, read_recipe
from hf_heartllm.training.recordings import RecordingDataset
from hf_heartllm.training.settings import AlignRecipe
from hf_heartllm.training.soft_examples import FeaturesOfRecords, SoftCollator
from hf_heartllm.training.stages import (
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


@dataclass(frozen=True, kw_only=True)
class Options(RecipeOptions):
    """What the training is told beside its recipe.

    Attributes:
        model: checkpoint folder to start from, of training/make_ecg_lm.py.
        records: PTB-XL's folder, labels.csv or its folder, or a folder of labelled WFDB records; several are read
            together.
        rows: Parquet files of dataset_builders.training_rows or folders of ecg_tokens, for the reports.
        measurements: CSV table of dataset_builders.measurements, for the findings.
    """

    model: Path
    records: list[Path]
    rows: list[Path]
    measurements: Path


def main() -> None:
    args = read_options(Options, AlignRecipe, __doc__, records={"metavar": "SOURCE"})
    try:
        recipe = read_recipe(args.recipe, AlignRecipe, args.set)
        data, settings = recipe.data, recipe.training
        check_model(args.model, ECGLMConfig.model_type)
        set_seed(settings["seed"])
        model = ECGLMForCausalLM.from_pretrained(args.model, dtype=torch.float32)
        processor = ECGLMProcessor.from_pretrained(args.model)
        reports = {
            row["record_id"]: row.get("report_original_english") or row.get("report") or ""
            for path in args.rows
            for row in load_rows(path)
        }
        usable = read_usable(args.records, data.folds, processor.feature_extractor, data.max_records)
        described = describe(usable.records, reports, args.measurements)
        without = len(usable.records) - len(described)
        say_left_out({"without a report, or not measured": without}, len(usable.records), "recordings")
        if not described:
            raise ValueError("no recording has a report and measurements of its leads: nothing to train on")
        extractor = processor.feature_extractor
        recordings = RecordingDataset(usable.records, extractor, features=usable.features)
        dataset = AlignedDataset(
            described,
            FeaturesOfRecords(recordings),
            processor,
            data.dropped_share,
            data.learn_general,
            data.max_length,
            settings["seed"],
        )
        begin_run(args.output, recipe, args)  # last, so that a mistake leaves no folder behind
    except (OSError, ValueError) as error:
        refuse(error)
    trained = sum(one.numel() for one in model.parameters() if one.requires_grad)
    print(f"{len(dataset)} recordings, {trained:,} parameters are trained", flush=True)
    trainer = SFTTrainerWithTeacher(
        model=model,
        args=SFTConfig(
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
            **training_arguments(settings, args.output),
        ),
        train_dataset=as_hub_dataset(dataset),
        data_collator=SoftCollator(processor.tokenizer.pad_token_id),
        processing_class=processor.tokenizer,
        callbacks=[EpochOfDraws(dataset)],
    )
    try:
        train_from_last(trainer)
    except ECGError as error:  # a recording that is damaged, or has none of the leads
        refuse(error)
    if dataset.num_cut:
        cut = f"{dataset.num_cut} of {dataset.num_read} texts"
        print(f"left out: the ends of {cut} did not fit into data.max_length {data.max_length}", flush=True)
    if is_main_process():
        model.config.seen_in_training = ["report text"]
        processor.ecg_max_duration = round(max(usable.seconds), 2) if usable.seconds else None
        save_checkpoint(model, processor, args.output / "model")
        trainer.state.save_to_json(str(args.output / "log.json"))


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "align_ecg_lm"))
