"""What the training scripts share: loading, the arguments of a Trainer, saving one whole checkpoint."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch

from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
from hf_heartllm.models.tokenization_heartllm import ECGTokenizer


def load_checkpoint(folder: str | Path) -> tuple[HeartLLMForCausalLM, ECGTokenizer]:
    """Model and tokenizer of a checkpoint folder, the model in float32."""
    tokenizer = ECGTokenizer.from_pretrained(folder)
    return HeartLLMForCausalLM.from_pretrained(folder, dtype=torch.float32), tokenizer


def save_checkpoint(
    model: HeartLLMForCausalLM, tokenizer: ECGTokenizer, folder: str | Path, dtype: torch.dtype | None = None
) -> None:
    """Write model, tokenizer, codec and code as one folder, whole or not at all.

    Args:
        model: the model.
        tokenizer: its tokenizer, with the codec.
        folder: replaced where it exists.
        dtype: of the stored weights of the language model; by default as they are. The codec stays float32.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(scratch, ignore_errors=True)
    if dtype is not None:
        model = model.to(dtype)
        model.config.dtype = dtype
    model.save_pretrained(scratch)
    tokenizer.save_pretrained(scratch)
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(scratch, folder)


def training_arguments(settings: dict[str, Any], output: Path) -> dict[str, Any]:
    """Arguments that every stage gives its Trainer, beside the recipe's."""
    return {
        "output_dir": str(output),
        "remove_unused_columns": False,
        "report_to": [],
        "use_cpu": not torch.cuda.is_available(),
        **settings,
    }


def is_main_process() -> bool:
    """Whether this process writes the results, of those that train side by side."""
    return int(os.environ.get("RANK", "0")) == 0
