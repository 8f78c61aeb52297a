"""One commit on the Hub that writes a folder and takes away what was about earlier weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError
from transformers.utils import logging

from .answer_files import ANSWER_FILES, write_pushed_files
from .card_files import CARD_FILE, EVAL_RESULTS, EVALUATION_FILE

logger = logging.get_logger(__name__)


def push_model_folder(
    model: Any,
    folder: str | os.PathLike[str],
    repo_id: str,
    files_timestamps: dict[str, float],
    commit_message: str | None = None,
    token: bool | str | None = None,
    create_pr: bool = False,
    revision: str | None = None,
    commit_description: str | None = None,
) -> Any:
    """What `push_to_hub` does with the files of a model: `_upload_modified_files` of transformers, and more.

    Card, licences and what is known about the answers of these weights go up with them. What the repository has of
    that kind and the folder has not is of other weights: it is deleted in the same commit.

    Args:
        model: what is pushed.
        folder: with its files.
        repo_id: the repository, which exists.
        files_timestamps: of files that were there before; those that were not written since stay behind.
        commit_message, token, create_pr, revision, commit_description: as of `push_to_hub`.
    """
    folder, api = Path(folder), HfApi(token=token)
    write_pushed_files(model, folder, repo_id)
    if revision is not None and not revision.startswith("refs/pr"):
        try:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        except HfHubHTTPError as error:  # whoever proposes a change may not make branches
            if not (create_pr and error.response.status_code == 403):
                raise
    names = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    changed = {
        name: path
        for name, path in names.items()
        if name not in files_timestamps or path.stat().st_mtime > files_timestamps[name]
    }
    added = [CommitOperationAdd(name, os.fspath(path)) for name, path in changed.items()]
    gone = sorted(_of_weights(folder) & set(api.list_repo_files(repo_id, revision=revision)) - names.keys())
    if gone:
        logger.warning(f"{repo_id}: {', '.join(gone)} deleted there: of other weights than those that are pushed")
    return api.create_commit(
        repo_id,
        [*added, *map(CommitOperationDelete, gone)],
        commit_message=commit_message or "Upload model",
        commit_description=commit_description,
        create_pr=create_pr,
        revision=revision,
    )


def _of_weights(folder: Path) -> set[str]:
    """Files that are about one state of the weights; not the table of a card that somebody wrote and that stays."""
    card = folder / CARD_FILE
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    shown = {EVALUATION_FILE} if f"({EVALUATION_FILE})" in text else set()
    return {*ANSWER_FILES, EVALUATION_FILE, EVAL_RESULTS} - shown


__all__ = ["push_model_folder"]
