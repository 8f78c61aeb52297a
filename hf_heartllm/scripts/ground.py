"""Before stage 3: the ECG rows and lower layers of a language model learn what an ECG shows.

    python training/ground.py --recipe ground_smollm2 --base build/smollm2-135m-instruct --tokens build/tokens \\
        --soft-labels build/soft_labels.parquet --measurements build/measurements.csv \\
        --general-turns build/general_turns.jsonl --output build/grounded
    python training/ground.py --recipe ground_tiny --model build/tiny/text/model --tokens build/tokens \\
        --soft-labels build/soft_labels.parquet --measurements build/measurements.csv --output build/tiny/grounded
    python training/ground.py --recipe ground_smollm2_further --model build/asked/model --tokens build/tokens \\
        --soft-labels build/soft_labels.parquet --measurements build/measurements.csv --output build/grounded-further

Run again after an interruption, it goes on from the last whole checkpoint.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainingArguments, set_seed

from hf_heartllm.data.token_file import load_all_codes, load_rows
from hf_heartllm.labels.ptbxl import folds
from hf_heartllm.labels.scp import FORMS, RHYTHMS, SUPERCLASSES
from hf_heartllm.models.base_model import BaseModel, model_sha256
from hf_heartllm.models.configuration_heartllm import HeartLLMConfig
from hf_heartllm.models.ecg_chat import ECGS_FIRST
from hf_heartllm.models.ecg_prompts import PromptIds
from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
from hf_heartllm.models.tokenization_heartllm import ECGTokenizer
from hf_heartllm.training.draws import EpochOfDraws
from hf_heartllm.training.examples import frequent_statements, repeat_rows
from hf_heartllm.training.grounding import (
    GroundedDataset,
    GroundedLayers,
    GroundingTrainer,
    grounded_batch,
    grounding_metrics,
    lead_columns,
    read_numbers,
    standardised,
)
from hf_heartllm.training.lora import add_lora
from hf_heartllm.training.new_layers import put_layers_below
from hf_heartllm.training.recipes import RecipeOptions, begin_run, read_options, read_recipe
from hf_heartllm.training.row_choice import choose_rows
from hf_heartllm.training.settings import GroundRecipe
from hf_heartllm.training.stages import (
    check_model,
    is_main_process,
    load_adapter,
    load_checkpoint,
    refuse,
    save_adapter,
    save_checkpoint,
    say_left_out,
    say_notes,
    train_from_last,
    training_arguments,
)
from hf_heartllm.training.statement_labels import hard_labels, softened
from hf_heartllm.training.text_anchor import anchor_texts


@dataclass(frozen=True, kw_only=True)
class Options(RecipeOptions):
    """What grounding is told beside its recipe.

    Attributes:
        base: a language model that is given an adapter (with `lora`): its folder, or its name on the Hub.
        model: checkpoint folder of a whole model, or of an adapter that is trained further (with `lora: null`).
        codec: checkpoint folder with the codec of `base`; the embedded one when None.
        rows: Parquet files of dataset_builders.training_rows; --tokens when None.
        tokens: folders of dataset_builders.ecg_tokens.
        incomplete: folders of dataset_builders.ecg_tokens --missing-leads, for data.incomplete_share.
        soft_labels: Parquet file of training/soft_labels.py, for data.soft_label_share.
        measurements: CSV table of dataset_builders.measurements, for data.numbers.
        general_turns: JSON lines of training/general_turns.py, for text_weight: without it a base forgets words. A
            whole model is held to the questions and answers of its rows instead.
    """

    base: str | None = None
    model: Path | None = None
    codec: Path | None = None
    rows: list[Path] | None = None
    tokens: list[Path]
    incomplete: list[Path] = field(default_factory=list)
    soft_labels: Path | None = None
    measurements: Path | None = None
    general_turns: Path | None = None


def main() -> None:
    args = read_options(Options, GroundRecipe, __doc__)
    try:
        recipe = read_recipe(args.recipe, GroundRecipe, args.set)
        data = recipe.data
        if recipe.lora and (args.base is None or recipe.base is None or args.model or recipe.new_layers):
            raise ValueError(
                "with lora an adapter is trained: give --base and the recipe's base, no model or new_layers"
            )
        if not recipe.lora and (args.model is None or args.base or args.codec or args.general_turns):
            raise ValueError("with lora: null a checkpoint is trained: give --model, no base, codec or general turns")
        if data.incomplete_share and not args.incomplete:
            raise ValueError("data.incomplete_share needs --incomplete, of dataset_builders.ecg_tokens --missing-leads")
    except (OSError, ValueError) as error:
        refuse(error)

    set_seed(recipe.training["seed"])
    base, adapter = None, False
    try:
        if args.base is not None:
            check_model(args.base, None, "--base")
        if args.model is not None:
            check_model(args.model)
            adapter = HeartLLMConfig.from_pretrained(args.model).base_model is not None
            if adapter and (recipe.new_layers or recipe.text_weight):
                raise ValueError(f"{args.model} holds an adapter: `new_layers: 0` and `text_weight: 0` go with it")
            if adapter:
                model, tokenizer, base = load_adapter(args.model)
            else:
                model, tokenizer = load_checkpoint(args.model)
                put_layers_below(model, recipe.new_layers, recipe.training["seed"])
        else:
            codec = ECGTokenizer.from_pretrained(*[args.codec] if args.codec else []).codec
            tokenizer = ECGTokenizer.from_base(AutoTokenizer.from_pretrained(args.base), codec, ecg_chat=ECGS_FIRST)
        codec = tokenizer.codec
        codes = load_all_codes(args.tokens, codec.fingerprint())
        incomplete = load_all_codes(args.incomplete, codec.fingerprint())
        every = [row for path in args.rows or args.tokens for row in load_rows(path)]
        rows = choose_rows(every, set(folds(data.folds)))
        unseen = choose_rows(every, set(folds(data.eval_folds)), splits=()) if data.eval_folds else []
    except (OSError, ValueError) as error:
        refuse(error)
    say_left_out({"of other folds or splits": len(every) - len(rows)}, len(every), "rows")
    say_left_out({"without codes": sum(row["record_id"] not in codes for row in rows)}, len(rows), "rows")
    unasked = sum(not row["questions"] for row in rows)
    say_left_out({"without questions, which tell the statements": unasked}, len(rows), "rows")
    rows, unseen = ([row for row in some if row["record_id"] in codes and row["questions"]] for some in (rows, unseen))
    if not rows:
        refuse("none of the rows of these folds has codes and questions: nothing to train on")
    statements = frequent_statements(rows, data.at_least)
    holds = hard_labels([*rows, *unseen], statements)
    base_rates = np.mean([holds[row["record_id"]] for row in rows], axis=0)
    taught, rows = holds, repeat_rows(rows, data.repeat or {})
    try:
        if args.soft_labels:
            taught = softened(holds, statements, args.soft_labels, data.soft_label_share)
    except (OSError, ValueError) as error:
        refuse(error)
    if data.numbers and not args.measurements:
        say_notes(["no --measurements, so none of data.numbers is learned"])
    if data.soft_label_share and not args.soft_labels:
        say_notes(["no --soft-labels, so statements are learned as they are stated"])
    names = lead_columns(data.numbers) if args.measurements else []
    numbers = dict.fromkeys(holds, np.zeros(0, dtype=np.float32))
    if args.measurements:
        try:
            numbers = standardised(read_numbers(args.measurements, names, list(holds)))
        except (OSError, ValueError) as error:
            refuse(error)
    around, _ = PromptIds(tokenizer).around("?")
    texts = None
    try:
        if recipe.lora and recipe.base:
            language_model = AutoModelForCausalLM.from_pretrained(args.base, dtype=torch.float32)
            base = BaseModel(sha256=model_sha256(language_model), **asdict(recipe.base))
            model = add_lora(HeartLLMForCausalLM.from_base(language_model, tokenizer), **asdict(recipe.lora))
            if args.general_turns and recipe.text_weight:
                texts = anchor_texts(tokenizer, args.general_turns)
        elif recipe.text_weight:
            texts = _spoken(tokenizer, rows)
        grounded = GroundedLayers(
            model,
            recipe.layers,
            getattr(codec.config, "levels", None),
            base_rates,
            len(names),
            recipe.forecast_weight,
            recipe.number_weight,
            texts,
            recipe.text_weight,
            shared_levels=not adapter,
            same_rows=recipe.first_rows == "mean",
        )
        begin_run(args.output, recipe, args)  # after the checks above: a recipe that fails them begins no run
    except (OSError, ValueError) as error:
        refuse(error)
    prefixes = _prefixes(tokenizer, around, data.short_prompt_share)
    dataset = GroundedDataset(
        [row["record_id"] for row in rows],
        codes,
        taught,
        numbers,
        tokenizer,
        prefixes,
        incomplete,
        data.incomplete_share,
        recipe.training["seed"],
    )
    judged = random.Random(0).sample(unseen, min(len(unseen), data.eval_records))
    judged_set = GroundedDataset([row["record_id"] for row in judged], codes, holds, numbers, tokenizer, [around])
    print(
        f"{len(dataset)} records, {len(statements)} statements, {len(names)} numbers, {len(texts or ())} texts, "
        f"{len(judged)} judged",
        flush=True,
    )
    if not texts:
        print("no --general-turns: what the layers make of words is not held", flush=True)
    arguments = {"label_names": ["statement_labels", "numbers"], "dataloader_num_workers": 0, **recipe.training}
    if judged:
        arguments = {"eval_strategy": "steps", "eval_steps": 200, "per_device_eval_batch_size": 32, **arguments}
    groups = {
        "superclass": list(SUPERCLASSES),
        "rhythm": RHYTHMS,
        "form": FORMS,
        "statements": statements,
    }
    trainer = GroundingTrainer(
        model=grounded,
        args=TrainingArguments(**training_arguments(arguments, args.output)),
        train_dataset=dataset,
        eval_dataset=judged_set if judged else None,
        data_collator=grounded_batch,
        compute_metrics=grounding_metrics(statements, groups),
        callbacks=[EpochOfDraws(dataset)],
        rows_learning_rate=recipe.rows_learning_rate,
    )
    train_from_last(trainer)
    grounded.finish()
    if is_main_process():
        longest = max(codes[row["record_id"]].size for row in rows)
        tokenizer.ecg_max_duration = longest / codec.config.tokens_per_second
        if base is not None:
            save_adapter(model, tokenizer, args.output / "model", base)
        else:
            save_checkpoint(model, tokenizer, args.output / "model")
        trainer.state.save_to_json(str(args.output / "log.json"))


def _spoken(tokenizer: Any, rows: Sequence[Mapping[str, Any]], count: int = 256) -> list[list[int]]:
    """Ids of questions, answers and reports of some records, as they stand in training."""
    texts = []
    for row in random.Random(0).sample(list(rows), min(len(rows), count)):
        said = [f" {one.text} {one.answer}" for one in row.get("questions") or ()]
        texts.append(" ".join([*said, row.get("report") or ""])[:500])
    return [tokenizer.encode(text, add_special_tokens=False) for text in texts]


def _prefixes(tokenizer: Any, whole: Sequence[int], short_share: float) -> list[Sequence[int]]:
    """The ids before an ECG, ten to draw from: with the template's system message, and from the user's mark on."""
    marks = [index for index, one in enumerate(whole) if one == tokenizer.bos_token_id]
    short = whole[marks[-1] :] if marks else whole
    few = round(10 * short_share)
    return [short] * few + [whole] * (10 - few)


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "ground"))
