"""Stage 3: questions and reports.

    python training/finetune.py --recipe finetune_tiny --model build/pretrained/model \\
        --tokens build/tokens --output build/finetuned

Run again after an interruption, it goes on from the last whole checkpoint.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from transformers import set_seed
from trl import SFTConfig

from hf_heartllm.data.token_file import load_all_codes, load_rows
from hf_heartllm.labels.ptbxl import folds, of_devices, read_ptbxl_table
from hf_heartllm.models.configuration_heartllm import HeartLLMConfig
from hf_heartllm.models.ecg_chat import AS_WRITTEN, ECGS_FIRST
from hf_heartllm.training.draws import EpochOfDraws
from hf_heartllm.training.examples import QuestionDataset, as_hub_dataset, repeat_rows
from hf_heartllm.training.held_out import HeldOut, draw_asked
from hf_heartllm.training.lora import add_lora, freeze_lower_layers, run_lower_layers
from hf_heartllm.training.packing import PackedCollator, QuestionPrompts
from hf_heartllm.training.question_material import question_material, say_chats, show_every_turn
from hf_heartllm.training.recipes import RecipeOptions, begin_run, read_options, read_recipe
from hf_heartllm.training.row_choice import choose_rows
from hf_heartllm.training.settings import FinetuneRecipe
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
from hf_heartllm.training.teacher import SFTTrainerWithTeacher, remove_probe
from hf_heartllm.training.text_anchor import TextAnchor, anchor_texts
from hf_heartllm.training.trained_questions import write_trained_questions


@dataclass(frozen=True, kw_only=True)
class Options(RecipeOptions):
    """What stage 3 is told beside its recipe.

    Attributes:
        model: checkpoint folder to start from.
        rows: Parquet files of dataset_builders.training_rows; --tokens when None.
        tokens: folders of dataset_builders.ecg_tokens.
        incomplete: folders of dataset_builders.ecg_tokens --missing-leads, for data.incomplete_share.
        soft_labels: Parquet file of training/soft_labels.py, for the shares of soft labels.
        general_turns: JSON lines of training/general_turns.py, for data.others.
        chats: JSON, JSON lines or Parquet of conversations, for data.chats.
        ptbxl: folder of PTB-XL, whose table names devices (for data.devices).
    """

    model: Path
    rows: list[Path] | None = None
    tokens: list[Path]
    incomplete: list[Path] = field(default_factory=list)
    soft_labels: Path | None = None
    general_turns: Path | None = None
    chats: Path | None = None
    ptbxl: Path | None = None


def main() -> None:
    args = read_options(Options, FinetuneRecipe, __doc__)
    try:
        recipe = read_recipe(args.recipe, FinetuneRecipe, args.set)
        data, settings = recipe.data, recipe.training
        if data.devices is not None and args.ptbxl is None:
            raise ValueError("data.devices needs --ptbxl, whose table names the device of each record")
        if data.incomplete_share and not args.incomplete:
            raise ValueError("data.incomplete_share needs --incomplete, of dataset_builders.ecg_tokens --missing-leads")
        if recipe.save == "adapter" and recipe.load_dtype:
            raise ValueError("load_dtype is for a whole model; an adapter is loaded as its base is")
        if recipe.frozen_encoder:
            raise ValueError("frozen_encoder is a setting for ECG-LM: HeartLLM has no encoder")
        if args.general_turns and not (recipe.text_weight or data.others):
            say_notes(["--general-turns is not read: neither data.others nor text_weight asks for it"])
        if recipe.text_weight and args.general_turns is None:
            raise ValueError("text_weight needs --general-turns, of training/general_turns.py")
    except (OSError, ValueError) as error:
        refuse(error)

    set_seed(settings["seed"])
    try:
        check_model(args.model)
        adapter = HeartLLMConfig.from_pretrained(args.model).base_model is not None
        if adapter != (recipe.save == "adapter") or (adapter and recipe.lora):
            kind = (
                "an adapter, so `save: adapter` and `lora: null` go with it" if adapter else "a whole model, no adapter"
            )
            raise ValueError(f"{args.model} holds {kind}")
        model, tokenizer, base = load_adapter(args.model) if adapter else (*load_checkpoint(args.model), None)
        if recipe.frozen_layers:
            freeze_lower_layers(model, recipe.frozen_layers)
        restore = run_lower_layers(model, recipe.layers) if recipe.layers else None
        codes = load_all_codes(args.tokens, tokenizer.codec.fingerprint())
        incomplete = load_all_codes(args.incomplete, tokenizer.codec.fingerprint())
        known = len(incomplete.keys() & codes.keys())
        if incomplete and not known:
            raise ValueError("--incomplete has none of the records of --tokens")
        say_left_out({"not in --tokens": len(incomplete) - known}, len(incomplete), "records of --incomplete")
        recorded = None
        if data.devices is not None and args.ptbxl is not None:
            recorded = {str(int(i)) for i in of_devices(read_ptbxl_table(args.ptbxl), data.devices)["ecg_id"]}
        every = [row for path in args.rows or args.tokens for row in load_rows(path)]
        rows = choose_rows(
            every,
            set(folds(data.folds)),
            of_devices=recorded,
            max_records=data.max_records,
            with_codes=codes.keys(),
            seed=data.draw_seed,
        )
        unseen = choose_rows(every, set(folds(data.eval_folds)), splits=("validation",)) if data.eval_folds else []
    except (OSError, ValueError) as error:
        refuse(error)
    say_left_out(
        {"of other folds, splits or devices, or beyond data.max_records": len(every) - len(rows)}, len(every), "rows"
    )
    without_row = len(codes.keys() - {row["record_id"] for row in every})
    say_left_out({"without a row of questions": without_row}, len(codes), "records of --tokens")
    distinct, rows = rows, repeat_rows(rows, data.repeat or {})
    with_ecg, seed = data.ecg == "real", settings["seed"]
    try:
        material = question_material(
            rows, data, recipe.probe, seed, args.soft_labels, args.general_turns, distinct, chats=args.chats
        )
        show_every_turn(material, tokenizer)
        dataset = material.dataset(
            QuestionDataset,
            rows,
            codes,
            QuestionPrompts(tokenizer, data.labelled_prompt_tokens),
            incomplete=incomplete,
            incomplete_share=data.incomplete_share,
        )
        say_chats(dataset)
    except (OSError, ValueError) as error:
        refuse(error)
    probe, statements = recipe.probe if with_ecg else None, material.statements
    say_left_out(dataset.left_out, len(rows), "rows of these folds (as often as data.repeat asks)")
    if not len(dataset):
        refuse(f"none of the {len(rows)} rows has codes and something to ask: nothing to train on")
    try:
        begin_run(args.output, recipe, args)  # after the checks above: a recipe that fails them begins no run
    except (OSError, ValueError) as error:
        refuse(error)
    trained = add_lora(model, **asdict(recipe.lora)) if recipe.lora else model
    anchor = None
    if recipe.text_weight and args.general_turns:

        def of_text(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            heart, device = model.get_base_model(), model.device
            states = heart.backbone(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False)
            return states.last_hidden_state  # type: ignore[no-any-return]

        texts = anchor_texts(tokenizer, args.general_turns)
        anchor = TextAnchor(texts, of_text, model.disable_adapter, weight=recipe.text_weight)
    print(f"{len(dataset)} rows an epoch ({dataset.num_absent} without codes or questions left out)", flush=True)
    if probe and not statements:
        print(f"no statement holds in {probe.at_least} records (probe.at_least): no probe is trained", flush=True)
    if not with_ecg:
        print("data.ecg is none: ECGs are left out, and so is the probe, which would read them", flush=True)

    trainer = SFTTrainerWithTeacher(
        model=trained,
        statements=len(statements),
        probe_weight=probe.weight if probe else 0.0,
        args=SFTConfig(
            max_length=None,  # the data set keeps to its own limit; trl would cut examples in silence
            dataset_kwargs={"skip_prepare_dataset": True},
            # The probe is used outside the model's forward, where a search for unused weights would miss it.
            ddp_find_unused_parameters=False if statements else None,
            **training_arguments(settings, args.output),
        ),
        train_dataset=as_hub_dataset(dataset),
        data_collator=PackedCollator(tokenizer.pad_token_id),
        processing_class=tokenizer,
        callbacks=[EpochOfDraws(dataset)],
        anchor=anchor,
        draws=dataset,
    )
    if unseen:
        drawn = {"train": rows, "held_out": unseen}
        asked = {name: draw_asked(some, codes, data.eval_records, with_ecg) for name, some in drawn.items()}
        every_steps = int(settings.get("eval_steps") or 200)
        trainer.add_callback(HeldOut(trainer, QuestionPrompts(tokenizer), asked, every_steps, data.eval_answers))
    train_from_last(trainer)
    if dataset.num_cut:
        cut = f"{dataset.num_cut} of {dataset.num_turns} questions and reports that were drawn"
        print(f"left out: {cut} did not fit into data.max_length {data.max_length}", flush=True)
    if restore is not None:
        restore()
    remove_probe(model)
    if is_main_process():
        dtype, load_dtype = (getattr(torch, name) if name else None for name in (recipe.save_dtype, recipe.load_dtype))
        heart = trained.get_base_model() if adapter else model
        heart.config.seen_in_training = recipe.seen(heart.config.seen_in_training)
        longest = max(codes[row["record_id"]].size for row in rows if row["record_id"] in codes)
        tokenizer.ecg_max_duration = longest / tokenizer.codec.config.tokens_per_second
        if tokenizer.ecg_chat == AS_WRITTEN:
            tokenizer.ecg_chat = ECGS_FIRST  # as in every example
        if base is not None:
            save_adapter(trained, tokenizer, args.output / "model", base, dtype)
        else:
            final = trained.merge_and_unload() if recipe.lora else model
            save_checkpoint(final, tokenizer, args.output / "model", dtype, load_dtype)
        knows_others = base is not None or data.others is not None  # its base is a language model of its own
        write_trained_questions(args.output / "model", rows, others_as_written=knows_others)
        trainer.state.save_to_json(str(args.output / "log.json"))


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "finetune"))
