"""Train an ECG codec on recordings: PTB-XL's folder, labels.csv or its folder, or a folder of labelled WFDB records.

    python training/train_codec.py --recipe codec --records DIR --output build/codec
    python training/train_codec.py --recipe codec_refinements --codec build/codec/codec \\
        --records DIR --output build/codec_refinements
    python training/train_codec.py --recipe codec_decoder --codec build/codec_refinements/codec \\
        --records DIR --output build/codec_decoder

The first trains the codebook that a language model reads, the second the residual ones that refine it, the third the
first codebook's decoder further, with attention over the beats before and after. The codes of the first codebook stay
as the first makes them. `codec_further.yaml` trains all of the first codebook further, with the file that
`training/soft_labels.py` writes (`--soft-labels`): its codes become others, so the refinements and every
language model that reads them are to be trained again.

Run again after an interruption, it goes on from the last whole checkpoint. On several CPU cores one process a core
(`OMP_NUM_THREADS=1 torchrun --nproc_per_node 2 training/train_codec.py …`) is steadier than one process with threads.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

from hf_heartllm.labels.ptbxl import folds
from hf_heartllm.models.codec_classes import codec_model
from hf_heartllm.models.ecg_codec import ECGCodec
from hf_heartllm.models.ecg_record import ECGError
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.models.modeling_ecg_codec import ECGCodecModel
from hf_heartllm.training.checkpoints import last_whole_checkpoint
from hf_heartllm.training.codec_training import (
    DECODER,
    FIRST_CODEBOOK,
    PRESETS,
    CodecWithProbe,
    DecoderTraining,
    RefinementTraining,
    extended,
    probe_statements,
)
from hf_heartllm.training.draws import EpochOfDraws
from hf_heartllm.training.recipes import RecipeOptions, begin_run, read_options, read_recipe
from hf_heartllm.training.recordings import RecordingDataset, training_records, usable_records
from hf_heartllm.training.refinement_start import start_from_principal_components
from hf_heartllm.training.settings import CodecRecipe
from hf_heartllm.training.soft_labels import read_soft_labels
from hf_heartllm.training.stages import refuse, say_notes, say_usable, train_from_last


class CodecTrainer(Trainer):
    """Logs the parts of the loss and how many codes are in use."""

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **kwargs: Any) -> Any:
        outputs = model(**inputs)
        parts = self.__dict__.setdefault("_parts", {})
        for name in ("reconstruction_loss", "second_codebook_loss", "probe_loss", "lead_mask_loss", "envelope_loss"):
            if name in outputs:
                parts.setdefault(name, []).append(float(outputs[name]))
        parts.setdefault("codes", []).append(outputs["codes"].flatten())
        return (outputs["loss"], outputs) if return_outputs else outputs["loss"]

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        parts = self.__dict__.pop("_parts", {})
        if codes := parts.pop("codes", None):
            counts = torch.bincount(torch.cat(codes)).float()
            p = counts[counts > 0] / counts.sum()
            logs["code_perplexity"] = round(float(torch.exp(-(p * p.log()).sum())), 1)
        logs |= {name: round(sum(values) / len(values), 4) for name, values in parts.items()}
        super().log(logs, *args, **kwargs)


class SaveCodec(TrainerCallback):
    """Keeps a loadable codec beside every checkpoint, so that a long training can be tried before its end."""

    def __init__(self, codec: ECGCodec, folder: Path) -> None:
        self.codec, self.folder = codec, folder

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.codec.save_pretrained(self.folder)


@dataclass(frozen=True, kw_only=True)
class Options(RecipeOptions):
    """What a training of a codec is told beside its recipe.

    Attributes:
        records: PTB-XL's folder, labels.csv or its folder, or a folder of labelled WFDB records; several are read
            together.
        output: folder for checkpoints and the codec.
        codec: codec to go on from, with a recipe that names a `part` of it.
        soft_labels: of training/soft_labels.py, for probe.soft_label_share.
    """

    records: list[Path]
    codec: Path | None = None
    soft_labels: Path | None = None


def main() -> None:
    records = {"names": ("--ptbxl",), "metavar": "SOURCE"}
    soft_labels = {"old_names": ("--probabilities",)}
    args = read_options(Options, CodecRecipe, __doc__, records=records, soft_labels=soft_labels)
    try:
        recipe = read_recipe(args.recipe, CodecRecipe, args.set)
        if (recipe.preset is not None) == (args.codec is not None):
            raise ValueError(f"--codec goes with a recipe without `preset`; see {args.recipe}")
        data = recipe.data
        if recipe.preset is not None:
            config = PRESETS[recipe.preset](**recipe.codec)
        else:
            before = ECGCodec.from_pretrained(args.codec)
            config = before.config
        extractor = ECGFeatureExtractor.from_codec(config)
        every, notes = [], list[str]()
        for path in args.records:
            there, said = training_records(path, folds(data.folds), data.sampling_rate)
            every += there
            notes += said
        found = usable_records(every, extractor, data.crop_samples, data.max_records)
        say_notes(notes)
        say_usable(found, len(every))
        recordings = found.records
        if not recordings:
            raise ValueError(f"none of the {len(every)} recordings can be read and is long enough: nothing to train on")
        if extractor.window_samples is None and data.crop_samples is None and len(found.seconds) > 1:
            raise ValueError("recordings differ in length: name the samples of a stretch with data.crop_samples")
        statements: list[str] = []
        probabilities, share = None, 0.0
        if probe := recipe.probe:
            statements = probe_statements(recordings, probe.at_least) if probe.weight else []
            share = probe.soft_label_share if statements else 0.0
        if share:
            if args.soft_labels is None:
                raise ValueError("probe.soft_label_share needs --soft-labels; training/soft_labels.py writes it")
            ids = [recording.record_id for recording in recordings]
            probabilities = read_soft_labels(args.soft_labels, statements, ids)
        set_seed(recipe.training["seed"])
        begins_anew = last_whole_checkpoint(args.output) is None
        if args.codec is None:
            codec = codec_model(config)
        else:
            begins_anew &= before.config.num_codebooks == 1
            if recipe.part != FIRST_CODEBOOK and not isinstance(before, ECGCodecModel):
                raise ValueError(f"{args.codec}: a {type(before).__name__} has no {recipe.part} to train by itself")
            codec = extended(before, **recipe.codec)
        begin_run(args.output, recipe, args)  # last, so that a mistake leaves no folder behind
    except (OSError, ValueError) as error:
        refuse(error)

    model: torch.nn.Module
    if probe is not None and recipe.part in (None, FIRST_CODEBOOK):
        model = CodecWithProbe(codec, len(statements), probe.weight, recipe.even_weight, recipe.lead_mask_weight)
    elif recipe.part == DECODER:
        model = DecoderTraining(codec, recipe.lead_mask_weight)
    else:
        model = RefinementTraining(codec)
    dataset = RecordingDataset(
        recordings,
        extractor,
        statements,
        data.crop_samples,
        recipe.training["seed"],
        data.augmentation,
        probabilities,
        share,
        found.features,
    )
    if isinstance(model, RefinementTraining) and begins_anew:
        shown = range(0, len(dataset), -(-len(dataset) // recipe.start_recordings))
        try:
            start_from_principal_components(codec, dataset.complete_features(shown))
        except ValueError as error:
            refuse(error)
    parameters = sum(parameter.numel() for parameter in codec.parameters())
    if probe and probe.weight and not statements:
        print(f"no statement occurs in {probe.at_least} recordings (probe.at_least): no probe is trained", flush=True)
    print(f"{len(dataset)} recordings, {parameters:,} parameters, probe over {len(statements)} statements", flush=True)

    trainer = CodecTrainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(args.output),
            remove_unused_columns=False,
            report_to=[],
            use_cpu=not torch.cuda.is_available(),
            **recipe.training,
        ),
        train_dataset=dataset,
        callbacks=[EpochOfDraws(dataset), SaveCodec(codec, args.output / "codec")],
    )
    try:
        train_from_last(trainer)
    except ECGError as error:  # a recording that is damaged, or lacks leads that the codec needs
        refuse(error)
    codec.save_pretrained(args.output / "codec")
    log = json.dumps(trainer.state.log_history, indent=1)
    (args.output / "log.json").write_text(log + "\n", encoding="utf-8")


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "train_codec"))
