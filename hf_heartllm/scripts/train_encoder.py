"""Train the encoder of ECG-LM: which statements a recording shows, from its signal.

    python training/train_encoder.py --recipe encoder --records DIR --soft-labels build/soft_labels.parquet \\
        --measurements build/measurements.csv --output build/encoder

Run again after an interruption, it goes on from the last whole checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from transformers import Trainer, TrainingArguments, set_seed

from hf_heartllm.labels.scp import FORMS, RHYTHMS, SUPERCLASSES
from hf_heartllm.models.configuration_ecg_lm import ECGEncoderConfig
from hf_heartllm.models.ecg_record import ECGError
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.models.modeling_ecg_encoder import ECGEncoderForSequenceClassification
from hf_heartllm.training.codec_training import probe_statements
from hf_heartllm.training.draws import EpochOfDraws
from hf_heartllm.training.encoder_training import EncoderDataset, EncoderTraining, recordings_batch
from hf_heartllm.training.grounding import grounding_metrics, lead_columns, read_numbers, standardised
from hf_heartllm.training.recipes import RecipeOptions, begin_run, read_options, read_recipe
from hf_heartllm.training.recordings import RecordingDataset, Usable
from hf_heartllm.training.settings import EncoderRecipe
from hf_heartllm.training.soft_labels import read_soft_labels
from hf_heartllm.training.stages import (
    is_main_process,
    read_usable,
    refuse,
    train_from_last,
    training_arguments,
)


@dataclass(frozen=True, kw_only=True)
class Options(RecipeOptions):
    """What the training of an encoder is told beside its recipe.

    Attributes:
        records: PTB-XL's folder, labels.csv or its folder, or a folder of labelled WFDB records; several are read
            together.
        soft_labels: Parquet file of training/soft_labels.py, for data.soft_label_share.
        measurements: CSV table of dataset_builders.measurements, for data.numbers.
    """

    records: list[Path]
    soft_labels: Path | None = None
    measurements: Path | None = None


def main() -> None:
    args = read_options(Options, EncoderRecipe, __doc__, records={"metavar": "SOURCE"})
    try:
        recipe = read_recipe(args.recipe, EncoderRecipe, args.set)
        data = recipe.data
        if data.soft_label_share and args.soft_labels is None:
            raise ValueError("data.soft_label_share needs --soft-labels, of training/soft_labels.py")
        config = ECGEncoderConfig(**recipe.encoder)
        extractor = ECGFeatureExtractor(
            config.sampling_rate, None, config.leads, required_leads=[], min_duration=config.min_duration
        )
        found = read_usable(args.records, data.folds, extractor, data.max_records)
        judged = (
            read_usable(args.records, data.eval_folds, extractor, data.eval_records, split="validation")
            if data.eval_folds
            else Usable()
        )
        if not found.records:
            raise ValueError("none of the recordings can be read and is long enough: nothing to train on")
        statements = probe_statements(found.records, data.at_least)
        if data.statements == "superclass":
            statements = [name for name in statements if name.startswith("superclass ")]
        if not statements:
            raise ValueError(f"no statement occurs in {data.at_least} recordings (data.at_least)")
        ids = [one.record_id for one in found.records]
        probabilities = None
        if data.soft_label_share and args.soft_labels:
            probabilities = read_soft_labels(args.soft_labels, statements, ids)
        names = lead_columns(data.numbers) if args.measurements else []
        numbers = None
        if names and args.measurements:
            numbers = standardised(read_numbers(args.measurements, names, ids))
        set_seed(recipe.training["seed"])
        config.max_duration = round(max(found.seconds), 2) if found.seconds else None
        config.id2label = dict(enumerate(statements))
        config.label2id = {name: index for index, name in enumerate(statements)}
        config.problem_type = "multi_label_classification"
        model = ECGEncoderForSequenceClassification(config)
        begin_run(args.output, recipe, args)  # last, so that a mistake leaves no folder behind
    except (OSError, ValueError) as error:
        refuse(error)

    recordings = RecordingDataset(
        found.records,
        extractor,
        statements,
        seed=recipe.training["seed"],
        augmentation=data.augmentation,
        probabilities=probabilities,
        soft_label_share=data.soft_label_share,
        features=found.features,
    )
    in_training = EncoderTraining(
        model,
        len(names),
        recipe.number_weight,
        recipe.dropout,
        data.fewer_leads,
        data.shorter,
        round(data.shortest * config.sampling_rate),
    )
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(
        f"{len(recordings)} recordings, {parameters:,} parameters, {len(statements)} statements, {len(names)} numbers, "
        f"{len(judged.records)} judged",
        flush=True,
    )
    arguments: dict[str, Any] = {"label_names": ["labels"], **recipe.training}
    if judged.records:
        arguments = {"eval_strategy": "steps", "eval_steps": 500, "per_device_eval_batch_size": 64, **arguments}
    groups = {"superclass": [f"superclass {name}" for name in SUPERCLASSES], "rhythm": RHYTHMS, "form": FORMS}
    judge = grounding_metrics(statements, groups)

    def compute_metrics(prediction: Any) -> dict[str, float]:
        prediction.label_ids = (prediction.label_ids, np.zeros((len(prediction.label_ids), 0)))
        return judge(prediction)

    trainer = Trainer(
        model=in_training,
        args=TrainingArguments(**training_arguments(arguments, args.output)),
        train_dataset=EncoderDataset(recordings, numbers),
        eval_dataset=EncoderDataset(RecordingDataset(judged.records, extractor, statements, features=judged.features))
        if judged.records
        else None,
        data_collator=recordings_batch,
        compute_metrics=compute_metrics if judged.records else None,
        callbacks=[EpochOfDraws(recordings)],
    )
    try:
        train_from_last(trainer)
    except ECGError as error:  # a recording that is damaged, or has none of the leads
        refuse(error)
    if is_main_process():
        model.eval().save_pretrained(args.output / "model")
        trainer.state.save_to_json(str(args.output / "log.json"))


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "train_encoder"))
