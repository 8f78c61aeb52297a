"""Stage 2: forecasting of ECG tokens.

    python training/pretrain.py --recipe pretrain_tiny --model build/base \\
        --tokens build/tokens --output build/pretrained

Run again after an interruption, it goes on from the last whole checkpoint.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from transformers import Trainer, TrainingArguments, set_seed

from hf_heartllm.data.token_file import load_codes, load_rows
from hf_heartllm.labels.ptbxl import folds
from hf_heartllm.training.examples import ForecastDataset
from hf_heartllm.training.lora import add_lora
from hf_heartllm.training.packing import PackedCollator
from hf_heartllm.training.recipes import RecipeOptions, begin_run, read_options, read_recipe
from hf_heartllm.training.row_choice import choose_rows
from hf_heartllm.training.settings import PretrainRecipe
from hf_heartllm.training.stages import (
    check_model,
    is_main_process,
    load_checkpoint,
    refuse,
    save_checkpoint,
    say_left_out,
    train_from_last,
    training_arguments,
)


@dataclass(frozen=True, kw_only=True)
class Options(RecipeOptions):
    """What stage 2 is told beside its recipe.

    Attributes:
        model: checkpoint folder to start from.
        rows: Parquet file of dataset_builders.training_rows; --tokens when None.
        tokens: folder of dataset_builders.ecg_tokens.
    """

    model: Path
    rows: Path | None = None
    tokens: Path


def main() -> None:
    args = read_options(Options, PretrainRecipe, __doc__)
    try:
        recipe = read_recipe(args.recipe, PretrainRecipe, args.set)
    except (OSError, ValueError) as error:
        refuse(error)

    data, most = recipe.data, recipe.data.max_records
    set_seed(recipe.training["seed"])
    try:
        check_model(args.model)
        model, tokenizer = load_checkpoint(args.model)
        codes = load_codes(args.tokens, tokenizer.codec.fingerprint())
        rows = load_rows(args.rows or args.tokens, ("record_id", "strat_fold", "split"))
        of_folds = choose_rows(rows, set(folds(data.folds)))
        known = [row["record_id"] for row in of_folds if row["record_id"] in codes]
        wanted = known[:most]
        reasons = {
            "of other folds or splits": len(rows) - len(of_folds),
            "without codes": len(of_folds) - len(known),
            "beyond data.max_records": len(known) - len(wanted),
        }
        say_left_out(reasons, len(rows), "rows")
        without_row = len(codes.keys() - {row["record_id"] for row in rows})
        say_left_out({"without a row that names its fold or split": without_row}, len(codes), "records of --tokens")
        if not wanted:
            raise ValueError(f"none of the {len(of_folds)} rows of these folds has codes: nothing to train on")
        dataset = ForecastDataset([codes[record_id] for record_id in wanted], tokenizer, data.whole_records)
        begin_run(args.output, recipe, args)  # after the checks above: a recipe that fails them begins no run
    except (OSError, ValueError) as error:
        refuse(error)
    trained = add_lora(model, **asdict(recipe.lora)) if recipe.lora else model
    print(f"{len(wanted)} records, {len(dataset)} rows", flush=True)

    trainer = Trainer(
        model=trained,
        args=TrainingArguments(**training_arguments(recipe.training, args.output)),
        train_dataset=dataset,
        data_collator=PackedCollator(tokenizer.pad_token_id),
    )
    train_from_last(trainer)
    if is_main_process():
        final = trained.merge_and_unload() if recipe.lora else model
        save_checkpoint(final, tokenizer, args.output / "model")
        trainer.state.save_to_json(str(args.output / "log.json"))


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "pretrain"))
