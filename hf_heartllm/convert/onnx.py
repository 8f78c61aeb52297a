"""Writes the codec's encoder and the plain language model of a HeartLLM checkpoint as ONNX graphs.

python -m hf_heartllm.convert.onnx CHECKPOINT FOLDER
"""

from __future__ import annotations

import argparse
import copy
import io
import logging
import os
import sys
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.base_terms import write_base_terms
from ..models.whole_files import folder_written_whole, in_the_way

if TYPE_CHECKING:
    from ..models.modeling_heartllm import HeartLLMForCausalLM

CODEC, DECODER = "codec", "decoder"
_NEEDED = ("onnx", "onnxscript")


def write_onnx(
    model: HeartLLMForCausalLM, tokenizer: Any, directory: str | os.PathLike[str], *, force: bool = False
) -> Path:
    """Two graphs of transformers' ONNX exporter, each with its configuration, for runtimes without torch.

    * `codec/model.onnx`: `input_features` float32 (1, leads, samples), in mV as the feature extractor makes them, a
      missing lead NaN → `codes` int64 (1, 1, tokens). One recording at a time, of any whole number of tokens.
    * `decoder/model.onnx`: `input_ids` and `attention_mask` int64 (batch, tokens) → `logits` float32 (batch, tokens,
      vocabulary). It keeps no cache: one pass tells the probability of an answer. The tokenizer of the plain language
      model lies beside it.

    Weights stand in `model.onnx.data`, in float32.

    Args:
        model: a `HeartLLMForCausalLM`; an adapter's weights are merged.
        tokenizer: the `ECGTokenizer` of this model, with its codec.
        directory: folder to write; it appears whole.
        force: replace a folder that is not empty.

    Returns:
        The folder.

    Raises:
        ValueError: if the model is no HeartLLM, or its codec has no encoder that can be exported; if the base's
            licence forbids passing on its weights; if `directory` is in the way.
        ImportError: if onnx or onnxscript is missing.
    """
    _check_packages()
    if why := in_the_way(Path(directory), force=force):
        raise ValueError(why)
    # Before anything is written: Ctrl-C during an import ends the process at once, and nothing would be put in order.
    import transformers.exporters.exporter_onnx  # noqa: F401

    from ..models.modeling_heartllm import HeartLLMForCausalLM

    if not isinstance(model, HeartLLMForCausalLM):
        raise ValueError(f"a {type(model).__name__} is not exported to ONNX; only a HeartLLM is")
    encoder = _encoder(tokenizer.codec)
    with folder_written_whole(directory) as new:
        _write_codec(encoder, tokenizer.codec, new / CODEC)
        _write_decoder(model, new / DECODER)
        tokenizer.save_plain_tokenizer(new / DECODER)
        write_base_terms(model, new / DECODER)
    return Path(directory)


def _encoder(codec: Any) -> Any:
    """The codec's encoder up to the codes, in transformers' clothes."""
    from torch import nn
    from transformers import PreTrainedModel
    from transformers.modeling_outputs import ModelOutput

    from ..models.ecg_codec_inference import without_batch_norm
    from ..models.modeling_ecg_codec import ECGCodecModel

    if not isinstance(codec, ECGCodecModel):
        raise ValueError(f"a {type(codec).__name__} is not exported to ONNX; only this package's own codec is")

    @dataclass
    class Codes(ModelOutput):
        codes: Any = None

    class CodecEncoder(PreTrainedModel):
        config_class = type(codec.config)
        main_input_name = "input_features"

        def __init__(self) -> None:
            super().__init__(codec.config)
            self.encoder: nn.Module = without_batch_norm(codec.encoder)
            self.quantizer = codec.quantizer

        def forward(self, input_features: Any) -> Any:
            return Codes(codes=self.quantizer.encode(self.encoder(input_features), 1))

    return CodecEncoder().eval()


def _write_codec(encoder: Any, codec: Any, folder: Path) -> None:
    import torch

    features = torch.zeros(1, len(codec.config.leads), 10 * codec.config.hop_length)
    _export(encoder, {"input_features": features}, {"input_features": {2: torch.export.Dim.DYNAMIC}}, folder)


def _write_decoder(model: Any, folder: Path) -> None:
    import torch

    language_model = copy.deepcopy(model.language_model).float().eval()
    language_model.config.use_cache = False
    ids = torch.tensor([[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    axes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    _export(language_model, {**inputs, "use_cache": False}, dict.fromkeys(inputs, axes), folder)


def _export(model: Any, inputs: dict[str, Any], axes: dict[str, Any], folder: Path) -> None:
    """Axes that may change are named: left to the exporter, it takes minutes and fixes some."""
    import torch
    from transformers.exporters import OnnxConfig, OnnxExporter

    noisy = [logging.getLogger(name) for name in ("transformers", "torch.onnx", "onnxscript", "onnx_ir")]
    levels = [one.level for one in noisy]
    try:
        for one in noisy:
            one.setLevel(logging.ERROR)
        with torch.no_grad(), redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            OnnxExporter().export(model, inputs, config=OnnxConfig(dynamic_shapes=axes)).save_pretrained(folder)
    finally:
        for one, level in zip(noisy, levels, strict=True):
            one.setLevel(level)


def _check_packages() -> None:
    from importlib.util import find_spec

    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ImportError(f'{" and ".join(missing)} missing: pip install "hf_heartllm[onnx]"')


def main(arguments: list[str] | None = None) -> int:
    """Command line entry: returns 0, or 2 after one line on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m hf_heartllm.convert.onnx", description="Write a HeartLLM checkpoint as ONNX graphs."
    )
    parser.add_argument("checkpoint", help="folder of a checkpoint, or the name of an embedded one")
    parser.add_argument("output", help="folder to write")
    parser.add_argument("--force", action="store_true", help="replace the folder although it holds something")
    options = parser.parse_args(arguments)
    try:
        _check_packages()
        if why := in_the_way(Path(options.output), force=options.force):
            raise ValueError(why)
        from transformers import AutoModelForCausalLM, AutoTokenizer

        import hf_heartllm

        source = (
            hf_heartllm.checkpoint(options.checkpoint) if not Path(options.checkpoint).is_dir() else options.checkpoint
        )
        tokenizer, model = AutoTokenizer.from_pretrained(source), AutoModelForCausalLM.from_pretrained(source)
        output = write_onnx(model, tokenizer, options.output, force=options.force)
    except (OSError, ValueError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"wrote {output}")
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "convert.onnx"))
