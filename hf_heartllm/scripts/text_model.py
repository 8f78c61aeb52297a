"""Write a model that was trained on text alone (`finetune.py` with data.ecg=none) as a plain language model.

    python training/text_model.py --model build/tiny/text/model --output build/tiny/text-tiny

ECG tokens and codec are left out: the folder holds a model and a tokenizer of transformers and none of our code.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from hf_heartllm.arguments import add_options, settings_of
from hf_heartllm.training.stages import check_model, check_nothing_there, load_checkpoint, refuse
from hf_heartllm.training.text_model import check_saw_no_ecg, save_text_model


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is written; the options of this program are these fields.

    Attributes:
        model: checkpoint folder, as `finetune.py` wrote it.
        output: folder to write; it must not be there.
        dtype: of the stored weights.
    """

    model: Path
    output: Path
    dtype: Literal["bfloat16", "float32"] = "bfloat16"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, Options)
    args = settings_of(Options, parser.parse_args())
    try:
        check_nothing_there(args.output)
        check_model(args.model)
        if not check_saw_no_ecg(args.model):
            print(f"note: no recipe.yaml beside {args.model}, so whether it was trained on text alone is not known")
        model, tokenizer = load_checkpoint(args.model)
    except (OSError, ValueError) as error:
        refuse(error)
    tokens = save_text_model(model, tokenizer, args.output, getattr(torch, args.dtype))
    parameters = sum(parameter.numel() for parameter in model.language_model.parameters())
    print(f"{args.output}: {tokens} tokens, {parameters:,} parameters")


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "text_model"))
