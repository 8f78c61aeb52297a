"""`heartllm info`."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
from typing import Any

from .. import __version__
from .common import add_json_argument, add_model_argument, model_source, print_json, print_notice, quiet_transformers

HELP = "Versions, checkpoint and codec: what a bug report needs."
EXAMPLES = ("heartllm info", "heartllm info --model ./heartllm --json")
LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "wfdb", "matplotlib", "peft", "trl")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_model_argument(parser)
    add_json_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Print the facts."""
    source = model_source(args.model)
    facts: dict[str, Any] = {"versions": versions()}
    quiet_transformers()
    from ..models.pipeline_ecg import default_checkpoint

    try:
        facts |= checkpoint_facts(str(default_checkpoint()) if source is None else source)
    except FileNotFoundError as error:
        if source is not None:
            raise
        facts["checkpoint"] = {"missing": str(error)}  # an installation without weights is worth a report too
    if args.json:
        print_json(facts)
        return
    for title, rows in facts.items():
        print(title)
        for name, value in rows.items():
            print(f"  {name:<22} {value}")
    print_notice()


def versions() -> dict[str, str]:
    """Versions of Python, the system and the libraries; "not installed" where one is absent."""
    found = {
        "hf_heartllm": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def checkpoint_facts(source: str) -> dict[str, Any]:
    """What a checkpoint and its codec are: sizes, rates, vocabulary."""
    from ..models.modeling_heartllm import HeartLLMForCausalLM
    from ..models.tokenization_heartllm import ECGTokenizer

    model = HeartLLMForCausalLM.from_pretrained(source)
    tokenizer = ECGTokenizer.from_pretrained(source)
    codec = tokenizer.codec
    config = codec.config
    return {
        "checkpoint": {
            "source": source,
            "architecture": model.config.get_text_config().model_type,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "dtype": str(model.dtype).removeprefix("torch."),
            "ecg_token_offset": model.config.ecg_token_offset,
            "vocabulary": model.config.get_text_config().vocab_size,
        },
        "codec": {
            "identity": codec.identity(),
            "parameters": sum(parameter.numel() for parameter in codec.parameters()),
            "sampling_rate": config.sampling_rate,
            "architecture": config.architecture,
            "shortest_recording_seconds": config.min_duration,
            "leads": " ".join(config.leads),
            "tokens_per_second": config.tokens_per_second,
            "bits_per_second": round(config.bits_per_second_of(1), 1),
            "bits_per_second_all_streams": round(config.bits_per_second, 1),
            "bandwidth_hz": config.bandwidth,
            "latency_seconds": config.latency,
            "codebook_size": config.codebook_size,
        },
    }
