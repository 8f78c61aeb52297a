"""Make the untrained start of a small model of one's own: text vocabulary, decoder, ECG tokens.

    python training/make_base.py --recipe base_tiny --rows rows.parquet \\
        --codec build/codec/codec --output build/base
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, set_seed

from hf_heartllm.data.token_file import load_rows
from hf_heartllm.labels.ptbxl import folds
from hf_heartllm.models.ecg_chat import ONE_QUESTION
from hf_heartllm.models.ecg_codec import ECGCodec
from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
from hf_heartllm.models.tokenization_heartllm import ECGTokenizer
from hf_heartllm.training.examples import REPORT_REQUESTS
from hf_heartllm.training.recipes import RecipeOptions, read_options, read_recipe
from hf_heartllm.training.settings import BaseRecipe
from hf_heartllm.training.stages import check_nothing_there, refuse, save_checkpoint
from hf_heartllm.training.vocabulary import train_text_tokenizer


def texts(path: Path, of_folds: Collection[int]) -> Iterator[str]:
    """Everything that will be said: questions behind a blank, as they stand behind an ECG, answers, reports.

    Of the rows of some folds; of rows without a fold those of the split "train", or without a split.
    """
    yield from (f" {request}" for request in REPORT_REQUESTS)
    for row in load_rows(path):
        fold = row.get("strat_fold")
        if fold not in of_folds if fold is not None else row.get("split") not in (None, "train"):
            continue
        for question in row.get("questions") or ():
            yield " " + question.text
            yield question.answer
        if row.get("report"):
            yield row["report"]


@dataclass(frozen=True, kw_only=True)
class Options(RecipeOptions):
    """What a base is made of, beside its recipe.

    Attributes:
        rows: file of dataset_builders.training_rows, or folder of ecg_tokens.
        codec: folder of the trained codec.
        output: checkpoint folder to write.
    """

    rows: Path
    codec: Path


def main() -> None:
    args = read_options(Options, BaseRecipe, __doc__)
    try:
        check_nothing_there(args.output)
        recipe = read_recipe(args.recipe, BaseRecipe, args.set)
        said = list(texts(args.rows, folds(recipe.folds)))
        if len(said) == len(REPORT_REQUESTS):
            raise ValueError(
                f"{args.rows}: holds no question and no report of folds {recipe.folds} to learn a vocabulary from"
            )
        codec = ECGCodec.from_pretrained(args.codec)
    except (OSError, ValueError) as error:
        refuse(error)

    set_seed(recipe.seed)
    text_tokenizer = train_text_tokenizer(said, recipe.vocabulary.size)
    tokenizer = ECGTokenizer.from_base(text_tokenizer, codec, ecg_chat=ONE_QUESTION)  # what finetune.py trains on
    config = AutoConfig.for_model(
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **recipe.decoder,
    )
    decoder = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model = HeartLLMForCausalLM.from_base(decoder, tokenizer, seed=recipe.seed)
    save_checkpoint(model, tokenizer, args.output)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(f"{args.output}: {len(text_tokenizer)} text tokens, {len(tokenizer)} ids, {parameters:,} parameters")


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "make_base"))
