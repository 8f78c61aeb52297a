"""A folder with a checkpoint, a codec, a tokenizer or an adapter → what of it goes to the Hub."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ..models.base_terms import NOTICE_FILE
from ..models.card_files import (
    CARD_FILE,
    EVAL_RESULTS,
    EVALUATION_FILE,
    LICENCE_FILES,
    card_head,
    files_beside,
    is_generic,
    owned,
    short_card,
)
from .checkpoint_code import reached_code
from .push_plan import PushError, PushFile, PushPlan, read_json, read_text, without_local_folders
from .terms import merged_base_notice

WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
SETTINGS = (
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    "calibration.json",
    "questions.json",
    "decision.json",
    "decision_template.jinja",
)
OTHERS = ("handler.py", "requirements.txt", ".eval_results/*.yaml", "codec/config.json", "codec/model.safetensors")
MEASURED = (EVALUATION_FILE, EVAL_RESULTS, "reliability.png", "risk-coverage.png")
REPLACED = {
    "config.json": (*WEIGHTS, *SETTINGS, *MEASURED, "*.py", "codec/*"),
    "adapter_config.json": ("adapter_*",),
    "tokenizer_config.json": ("codec/*",),
}
"""What of an older revision goes where the new one has it not, by the file that makes a folder what it is."""


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds what transformers or peft loads."""
    whole = (folder / "config.json").is_file() or (folder / "adapter_config.json").is_file()
    return whole or ((folder / "tokenizer_config.json").is_file() and (folder / "codec" / "config.json").is_file())


def plan_checkpoint(folder: Path, repo_id: str) -> PushPlan:
    """What of a checkpoint's folder goes up.

    Args:
        folder: with a `config.json` and weights, or an adapter of peft, or a tokenizer and its codec.
        repo_id: where to; a card that has to be written names it.

    Raises:
        PushError: if it is no whole checkpoint.
    """
    config, adapter = read_json(folder / "config.json"), read_json(folder / "adapter_config.json")
    what, loads = _kind(folder, config, adapter)
    base = (config.get("base_model") or {}).get("name") if isinstance(config.get("base_model"), dict) else None
    replaces = next(patterns for name, patterns in REPLACED.items() if (folder / name).is_file())
    plan = PushPlan(what, "model", replaces=replaces)
    code = _code(folder)
    card = read_text(folder / CARD_FILE)
    if not card or is_generic(card):
        plan.notes.append(
            "the folder has no card of its own: a short one is written, with a warning and the terms known"
        )
        card = short_card(_class_name(config, what), loads, repo_id, card or None, base)
    try:
        card_head(card)
    except ValueError as error:
        raise PushError(f"{folder / CARD_FILE}: {error}") from None
    shown = files_beside(card, folder)
    for path, name in _files(folder):
        if name == CARD_FILE:
            continue
        if name in LICENCE_FILES or name in shown or any(fnmatch(name, one) for one in (*SETTINGS, *OTHERS)):
            content = without_local_folders(path.read_bytes(), base) if name.endswith(".json") else path
            if name == EVAL_RESULTS:
                content = owned(path.read_bytes(), repo_id)
                plan.notes.append(f"{name} is about a question set of the same owner: push that too (docs/hub.md)")
            if name == "adapter_config.json" and base:
                content = _of_repository(path, repo_id)
        elif "/" not in name and (any(fnmatch(name, one) for one in WEIGHTS) or name in code):
            content = path
        else:
            plan.left_out.append((name, _why(name)))
            continue
        plan.files.append(PushFile(name, content))
    plan.files.append(PushFile(CARD_FILE, card.encode()))
    if config and not base and not adapter and (notice := merged_base_notice(folder, config, card, repo_id)):
        plan.files = [file for file in plan.files if file.path != NOTICE_FILE]
        plan.files.append(PushFile(NOTICE_FILE, notice.encode()))
    plan.files.sort(key=lambda file: file.path)
    if not any(file.path in LICENCE_FILES for file in plan.files):
        plan.notes.append("there is no LICENSE file: others may not use what has no licence")
    return plan


def _kind(folder: Path, config: dict[str, Any], adapter: dict[str, Any]) -> tuple[str, str]:
    """In words, and a key of `card_files.LOADS`."""
    if adapter:
        if not (folder / "adapter_model.safetensors").is_file():
            raise PushError(f"{folder}: adapter_config.json and no adapter_model.safetensors: not a whole adapter")
        return ("adapter", "adapter") if not config else (f"adapter ({config.get('model_type')})", "pipeline")
    if config:
        index = read_json(folder / "model.safetensors.index.json").get("weight_map") or {"": "model.safetensors"}
        absent = sorted(name for name in set(index.values()) if not (folder / name).is_file())
        if absent:
            raise PushError(f"{folder}: config.json and no {absent[0]}: not a whole checkpoint")
        kind = config.get("model_type", "")
        return f"checkpoint ({kind})", "pipeline" if config.get("custom_pipelines") else "model"
    return "tokenizer with its codec", "tokenizer"


def _class_name(config: dict[str, Any], what: str) -> str:
    return str((config.get("architectures") or [what])[0])


def _code(folder: Path) -> set[str]:
    """The names of the files of code that the settings of a folder reach.

    Raises:
        PushError: if one is not there.
    """
    try:
        return {file.name for file in reached_code(folder)}
    except FileNotFoundError as error:
        raise PushError(
            f"{folder}: {error}, so nobody could load it without this package; save it again in a process that has "
            "imported hf_heartllm"
        ) from None


def _of_repository(path: Path, repo_id: str) -> bytes:
    """An adapter's settings that name its own repository as the base.

    Where peft is installed transformers goes from a repository with an adapter to the base that is named here, and adds
    the adapter to a plain language model, which has no ECG rows and other names. Named after itself the repository is
    asked, and its `config.json` says which the base is. peft's `AutoPeftModel` would add the adapter twice: the commit
    of the base, which this repository has not, ends that with an error.
    """
    if "/" not in repo_id:
        raise PushError(f"{repo_id}: say OWNER/NAME; the settings of an adapter name its repository")
    settings = read_json(path)
    settings["base_model_name_or_path"] = repo_id
    settings["revision"] = settings.get("revision") or "of the base in config.json"
    return (json.dumps(settings, indent=2, ensure_ascii=False) + "\n").encode()


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """The files of a folder, and their names in it with slashes; folders of checkpoints and caches as one."""
    for parent, folders, names in os.walk(folder, followlinks=True):
        inside = Path(parent).relative_to(folder)
        for name in sorted(folders):
            if name not in ("codec", ".eval_results") or inside != Path():
                folders.remove(name)
                if name != "__pycache__":
                    yield Path(parent, name), f"{(inside / name).as_posix()}/"
        for name in sorted(names):
            yield Path(parent, name), (inside / name).as_posix()


def _why(name: str) -> str:
    if name.endswith("/"):
        return "a folder that no checkpoint has"
    if name.endswith((".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")):
        return "a pickle, which may run anything where it is read"
    if name.endswith(".py"):
        return "nothing in the settings names this code"
    return "no part of a checkpoint"
