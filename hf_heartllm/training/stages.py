"""What the training scripts share: loading, the arguments of a Trainer, saving one whole checkpoint."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import torch
from transformers import Trainer
from transformers.integrations.integration_utils import (
    INTEGRATION_TO_CALLBACK,
    get_available_reporting_integrations,
)

from hf_heartllm.data.record import Record
from hf_heartllm.labels.ptbxl import folds
from hf_heartllm.models.adapter_checkpoint import ADAPTER_WEIGHTS
from hf_heartllm.models.base_model import BaseModel
from hf_heartllm.models.checkpoint_files import find_checkpoint, model_type
from hf_heartllm.models.configuration_heartllm import HeartLLMConfig
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
from hf_heartllm.models.tokenization_heartllm import ECGTokenizer
from hf_heartllm.models.whole_files import folder_written_whole
from hf_heartllm.training.checkpoints import (
    AllStepsDoneError,
    StopAtNaN,
    StopWhereItEnded,
    TrainingError,
    last_whole_checkpoint,
    one_line_where_it_ends,
)
from hf_heartllm.training.recordings import MOST_REASONS, Usable, training_records, usable_records


def check_model(name: str | Path, kind: str | None = HeartLLMConfig.model_type, option: str = "--model") -> None:
    """That an option names a model of a kind, before anything is loaded.

    Args:
        name: folder, a checkpoint that is shipped, or a repository on the Hub.
        kind: its `model_type`; None: any language model without ECGs.
        option: as it is called on the command line.

    Raises:
        ValueError: if there is none, or it is of another kind.
    """
    source = Path(find_checkpoint(name))
    if not source.is_dir():
        of_the_hub = len(source.parts) == 2 and not source.parent.exists()  # a folder's name that is misspelt is none
        if source.exists() or source.is_absolute() or not (of_the_hub or (kind is None and len(source.parts) == 1)):
            raise ValueError(f"{option} {name}: no such folder, and no name of a Hub repository (OWNER/NAME)")
        return
    found = model_type(source)
    if found is None:
        raise ValueError(f"{option} {name}: the folder holds no config.json that names a model")
    if kind is not None and found != kind:
        more = "; a language model gets ECG tokens from HeartLLMForCausalLM.from_base or training/ground.py --base"
        raise ValueError(f"{option} {name}: a model of type {found!r}, not {kind!r}{more if 'heart' in kind else ''}")
    if kind is None and found.startswith("hf_"):
        raise ValueError(f"{option} {name}: reads ECGs already ({found!r}); give a language model without them")


def load_checkpoint(folder: str | Path) -> tuple[HeartLLMForCausalLM, ECGTokenizer]:
    """Model and tokenizer of a checkpoint folder, the model in float32."""
    tokenizer = ECGTokenizer.from_pretrained(folder)
    return HeartLLMForCausalLM.from_pretrained(folder, dtype=torch.float32), tokenizer


def save_checkpoint(
    model: Any,
    tokenizer: Any,
    folder: str | Path,
    dtype: torch.dtype | None = None,
    load_dtype: torch.dtype | None = None,
) -> None:
    """Write model, tokenizer, codec and code as one folder, whole or not at all.

    Args:
        model: a `HeartLLMForCausalLM` or an `ECGLMForCausalLM`.
        tokenizer: its tokenizer with the codec, or its processor.
        folder: replaced where it exists.
        dtype: of the stored weights of the model; by default as they are. The codec stays float32.
        load_dtype: in which `from_pretrained` loads them unless it is told one; by default as they are stored.
            A processor without units for bfloat16 computes in it many times slower than in float32.
    """
    if dtype is not None:
        model = model.to(dtype)
        model.config.dtype = dtype
    _with_cache(model)
    with whole_folder(Path(folder)) as scratch:
        model.save_pretrained(scratch)
        if load_dtype is not None:  # save_pretrained writes the dtype of the weights, whatever the configuration says
            config = json.loads((scratch / "config.json").read_text(encoding="utf-8"))
            config["dtype"] = str(load_dtype).removeprefix("torch.")
            (scratch / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        tokenizer.save_pretrained(scratch)


def _with_cache(model: Any) -> None:
    """Trainers turn the cache of keys and values off; whoever loads the model expects it."""
    text = model.config.get_text_config()
    if hasattr(text, "use_cache"):
        text.use_cache = True


def load_adapter(folder: str | Path) -> tuple[Any, ECGTokenizer, BaseModel]:
    """A checkpoint that holds an adapter alone, to train it further.

    Returns:
        The `peft.PeftModel` in float32, its tokenizer, and what the base is.
    """
    from peft import PeftModel

    base = BaseModel(**HeartLLMConfig.from_pretrained(folder).base_model)
    heart = HeartLLMForCausalLM.base_of(folder, dtype=torch.float32, attn_implementation=attention_of_packed())
    model = PeftModel.from_pretrained(heart, folder, is_trainable=True, autocast_adapter_dtype=True)
    return model, ECGTokenizer.from_pretrained(folder), base


def attention_of_packed() -> str | None:
    """The attention that packed examples are learned with: on a processor torch's fused kernel takes twice the time."""
    return None if torch.cuda.is_available() else "eager"


def save_adapter(
    model: Any, tokenizer: ECGTokenizer, folder: str | Path, base: BaseModel, dtype: torch.dtype | None = None
) -> None:
    """Write an adapter with its tokenizer, codec and code as one folder, whole or not at all; not the base's weights.

    Args:
        model: the `peft.PeftModel` of a `HeartLLMForCausalLM`.
        tokenizer: its tokenizer, with the codec.
        folder: replaced where it exists.
        base: the language model that the adapter is trained on.
        dtype: of the stored adapter; by default as it is.
    """
    from safetensors.torch import load_file, save_file

    heart = model.get_base_model()
    for config in model.peft_config.values():
        config.base_model_name_or_path, config.revision = base.name, base.revision
    heart.config.base_model = base.document()
    _with_cache(heart)
    try:
        with whole_folder(Path(folder)) as scratch:
            heart.save_pretrained(scratch, state_dict={})  # configuration and code
            for file in scratch.glob("model*.safetensors*"):
                file.unlink()
            heart.config.base_model = None
            # peft would ask the base whether its vocabulary has grown, and then save all of it, not the new rows alone
            model.save_pretrained(scratch, save_embedding_layers=False)
            (scratch / "README.md").unlink(missing_ok=True)  # peft's, which says nothing of ECGs
            weights = scratch / ADAPTER_WEIGHTS
            if dtype is not None:
                stored = {name: value.to(dtype) for name, value in load_file(weights).items()}
                save_file(stored, weights, {"format": "pt"})
            tokenizer.save_pretrained(scratch)
    finally:
        heart.config.base_model = None


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into that takes the place of another once it is whole; one line where it cannot be written."""
    try:
        with one_line_where_it_ends(folder.parent), folder_written_whole(folder) as scratch:
            yield scratch
    except TrainingError as error:
        refuse(error)


def check_nothing_there(output: Path) -> None:
    """That a program which makes a folder at once puts it in the place of nothing.

    Raises:
        ValueError: if there is a file, or a folder with something in it.
    """
    if output.is_dir() and not any(output.iterdir()):
        return
    if output.exists() or output.is_symlink():
        raise ValueError(f"--output {output}: something is there already; give another folder")


def train_from_last(trainer: Trainer) -> None:
    """Train to the end, from the last whole checkpoint where there is one; what stops it on the way is one line."""
    output = str(trainer.args.output_dir)
    trainer.add_callback(StopWhereItEnded())
    trainer.add_callback(StopAtNaN())
    last = last_whole_checkpoint(output)
    if last is not None and is_main_process():
        print(f"goes on from {Path(last).name}, up to step {trainer.args.max_steps}", flush=True)
    try:
        with one_line_where_it_ends(output), suppress(AllStepsDoneError):
            trainer.train(resume_from_checkpoint=last)
    except TrainingError as error:
        for callback in trainer.callback_handler.callbacks:
            if (bar := getattr(callback, "training_bar", None)) is not None:
                bar.close()  # so that the line stands by itself
        refuse(error)


def training_arguments(settings: dict[str, Any], output: Path) -> dict[str, Any]:
    """Arguments that every stage gives its Trainer, beside the recipe's.

    Ends the script where `report_to` names a tracker that is not installed.
    """
    named = settings.get("report_to") or []
    for name in [named] if isinstance(named, str) else named:
        if name in ("none", "all"):
            continue
        if name not in INTEGRATION_TO_CALLBACK:
            refuse(f"training.report_to: there is no {name}; there are {', '.join(sorted(INTEGRATION_TO_CALLBACK))}")
        if name not in get_available_reporting_integrations():
            refuse(f"training.report_to: {name} is not installed (pip install {name})")
    return {
        "output_dir": str(output),
        "remove_unused_columns": False,
        "report_to": [],
        "use_cpu": not torch.cuda.is_available(),
        **settings,
    }


def refuse(error: Exception | str) -> NoReturn:
    """End a script with one line on stderr and exit code 2: what is wrong with its recipe or data."""
    words = " ".join(str(error).split())
    print(f"error: {words if len(words) <= 290 else words[:287] + '...'}", file=sys.stderr)
    raise SystemExit(2)


def say_left_out(left_out: Mapping[str, int], count: int, what: str) -> None:
    """Print why some of the rows or recordings are no part of a training."""
    for reason, number in left_out.items():
        if number:
            print(f"left out: {number} of {count} {what} {reason}", flush=True)


def say_notes(notes: Iterable[str]) -> None:
    """Print what was decided or left out, each a sentence."""
    for note in notes:
        print(f"note: {note}", flush=True)


def say_usable(found: Usable, count: int, what: str = "recordings") -> None:
    """Print what of some recordings is no part of a training, and what is wrong with those that are."""
    say_left_out(found.lost, count, what)
    for remark, number in found.remarks.most_common(MOST_REASONS):
        print(f"read so: {number} of {count} {what}: {remark}", flush=True)
    if (more := len(found.remarks) - MOST_REASONS) > 0:
        print(f"read so: {what} with {more} other remarks", flush=True)
    if found.unread:
        named = ", ".join(f"{lead} ({number} recordings)" for lead, number in sorted(found.unread.items()))
        print(f"not read, since the model reads the twelve standard leads: {named}", flush=True)


def read_usable(
    paths: Sequence[Path],
    wanted: str,
    extractor: ECGFeatureExtractor,
    max_records: int | None = None,
    split: str = "train",
) -> Usable:
    """The recordings of some collections and folds that can be read; what cannot is said.

    Args:
        paths: of the collections.
        wanted: folds of PTB-XL.
        extractor: what reads them.
        max_records: that many, drawn from all; None: all.
        split: of collections without folds, those wanted; one that has none of another split than "train" is left out.

    Raises:
        FileNotFoundError, ValueError: if a collection has none, or cannot be read, or two have a record of the same id.
    """
    every: list[Record] = []
    notes: list[str] = []
    for path in paths:
        try:
            there, said = training_records(path, folds(wanted), split=split)
        except FileNotFoundError as error:
            if split == "train":
                raise
            notes.append(str(error))
            continue
        known = {one.record_id for one in every}
        if both := known & {one.record_id for one in there}:
            raise ValueError(f"{path}: record {min(both)} is also in another of the collections ({len(both)} such)")
        every += there
        notes += said
    found = usable_records(every, extractor, max_records=max_records)
    say_notes(notes)
    say_usable(found, len(every))
    return found


def is_main_process() -> bool:
    """Whether this process writes the results, of those that train side by side."""
    return int(os.environ.get("RANK", "0")) == 0
