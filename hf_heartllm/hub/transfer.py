"""To the Hub and from it: one commit a push, whole folders, and errors of one line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ..models.whole_files import folder_written_whole, in_the_way
from .push_plan import PushError, PushFile, PushPlan, check_secrets

PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.pickle", "*.ckpt", "*.joblib", "*.h5", "*.npy", "*.npz")
"""Files that may run what they hold where they are read, or may hold such; never fetched."""


class HubError(OSError):
    """The Hub cannot be reached, or refuses. The message is one line that says what to do."""


@dataclass(frozen=True)
class Pushed:
    """What a push has written: the repository, its page, the commit, whether it is private, older files it deleted."""

    repo_id: str
    url: str
    commit: str
    private: bool
    deleted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pulled:
    """What a pull has written: the folder, the commit, what kind of repository, and files that were not fetched."""

    folder: Path
    commit: str
    kind: str
    left_out: tuple[str, ...] = ()
    code: bool = False


def check_repo_id(repo_id: str) -> None:
    """That a text can be the name of a repository.

    Raises:
        PushError: if it cannot.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise PushError(f"{repo_id}: no name of a repository ({str(error).splitlines()[0]})") from None


def push(
    plan: PushPlan,
    folder: Path,
    repo_id: str,
    *,
    public: bool = False,
    message: str | None = None,
    revision: str | None = None,
) -> Pushed:
    """Write what is planned as one commit; the repository is made where it is not there, private.

    Whatever interrupts it, the repository stays at the revision that it has.

    Args:
        plan: what is written.
        folder: where it comes from; no file may name it.
        repo_id: OWNER/NAME; without an owner it is the token's.
        public: the repository is made for all to see, or is so already.
        message: of the commit.
        revision: a branch, which is made where it is not there.

    Raises:
        HubError: if there is no token or network, the Hub refuses, or the repository is public and `public` is False.
        PushError: if a file names a folder of this machine or a token.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token

    api, token = HfApi(), get_token()
    with _told(repo_id):
        if not token:
            raise HubError(f"no access token: run `hf auth login`, or set HF_TOKEN ({api.endpoint}/settings/tokens)")
        check_secrets(plan.files, folder, token)
        user = api.whoami()["name"]
        repo_id = repo_id if "/" in repo_id else f"{user}/{repo_id}"
        there = (
            None if not api.repo_exists(repo_id, repo_type=plan.kind) else api.repo_info(repo_id, repo_type=plan.kind)
        )
        if there is not None and not there.private and not public:
            raise HubError(f"{repo_id}: is there and all can see it; add --public to push to it")
        if there is None:
            api.create_repo(repo_id, repo_type=plan.kind, private=not public)
        if revision is not None:
            api.create_branch(repo_id, branch=revision, repo_type=plan.kind, exist_ok=True)
        private = not public if there is None else bool(there.private)
        new = {file.path for file in plan.files}
        old = api.list_repo_files(repo_id, repo_type=plan.kind, revision=revision)
        gone = [name for name in old if name not in new and any(fnmatch(name, one) for one in plan.replaces)]
        done = api.create_commit(
            repo_id,
            [*(_addition(CommitOperationAdd, file) for file in plan.files), *map(CommitOperationDelete, gone)],
            commit_message=message or f"Upload {plan.what}",
            repo_type=plan.kind,
            revision=revision,
        )
    prefix = "datasets/" if plan.kind == "dataset" else ""
    return Pushed(repo_id, f"{api.endpoint}/{prefix}{repo_id}", done.oid, private, tuple(gone))


def pull(repo_id: str, target: Path, *, revision: str | None = None, force: bool = False) -> Pulled:
    """Fetch a repository into a folder, which is whole or as it was before.

    The files come through the Hub's cache, so that an interrupted pull goes on where it stopped. Pickles stay where
    they are.

    Args:
        repo_id: OWNER/NAME of a model, else of a data set.
        target: the folder.
        revision: a branch, a tag or a commit.
        force: replace a folder that is not empty.

    Raises:
        HubError: if there is no such repository or revision, or no network and it is not in the cache.
        PushError: if something is in the way.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import OfflineModeIsEnabled, RepositoryNotFoundError

    if why := in_the_way(target, force=force):
        raise PushError(why)
    left: tuple[str, ...] = ()
    with _told(repo_id):
        for kind in ("model", "dataset"):
            listed = False
            try:
                names = HfApi().list_repo_files(repo_id, repo_type=kind, revision=revision)
                left = tuple(name for name in names if any(fnmatch(name, one) for one in PICKLES))
                listed = True
            except OfflineModeIsEnabled:
                pass  # the cache may have it
            except RepositoryNotFoundError:
                if kind == "dataset":
                    raise
                continue
            try:
                cached = snapshot_download(repo_id, repo_type=kind, revision=revision, ignore_patterns=list(PICKLES))
                break
            except FileNotFoundError:  # offline, and not in the cache
                if listed or kind == "dataset":
                    raise
    with folder_written_whole(target) as new:  # links of the cache become files
        shutil.copytree(cached, new, ignore=shutil.ignore_patterns(".gitattributes", *PICKLES))
    return Pulled(target, Path(cached).name, kind, left, any(target.glob("*.py")))


def show_progress(shown: bool) -> None:
    """Bars of what is sent and fetched, or none; HF_HUB_DISABLE_PROGRESS_BARS has the last word."""
    from huggingface_hub.utils import disable_progress_bars, enable_progress_bars

    if os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS") is None:
        (enable_progress_bars if shown else disable_progress_bars)()


def _addition(kind: Any, file: PushFile) -> Any:
    """An operation of a commit; a link is sent as the file that it leads to."""
    content = file.content if isinstance(file.content, bytes) else os.path.realpath(file.content)
    return kind(path_in_repo=file.path, path_or_fileobj=content)


@contextmanager
def _told(repo_id: str) -> Iterator[None]:
    """What the clients raise, as one line."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        HTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
        XetDownloadError,
    )

    try:
        yield
    except (HubError, PushError):
        raise
    except OfflineModeIsEnabled:
        raise HubError("HF_HUB_OFFLINE is set, so the Hub is not asked; unset it") from None
    except LocalEntryNotFoundError:
        raise HubError(f"{repo_id}: not wholly in the Hub's cache, and the Hub cannot be reached") from None
    except HFValidationError as error:
        raise HubError(f"{repo_id}: no name of a repository ({str(error).splitlines()[0]})") from None
    except GatedRepoError:
        raise HubError(f"{repo_id}: gated; ask for access on its page, then log in with `hf auth login`") from None
    except RevisionNotFoundError:
        raise HubError(f"{repo_id}: has no such revision") from None
    except RepositoryNotFoundError:
        raise HubError(f"{repo_id}: no such repository, or a private one that your token may not read") from None
    except ValueError as error:  # a card whose head the Hub does not read
        raise PushError(f"{repo_id}: {' '.join(str(error).split())}") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status == 401:
            raise HubError("the Hub does not accept the access token; run `hf auth login`, or set HF_TOKEN") from None
        if status == 403:
            raise HubError(
                f"{repo_id}: your token may not write there; it belongs to another, or may only read"
            ) from None
        raise HubError(f"{repo_id}: the Hub refuses ({' '.join(str(error.server_message or error).split())})") from None
    except XetDownloadError as error:
        raise HubError(f"{repo_id}: a file could not be fetched ({' '.join(str(error).split())}); try again") from None
    except (HTTPError, ConnectionError, TimeoutError) as error:
        from huggingface_hub import constants

        raise HubError(
            f"{constants.ENDPOINT} cannot be reached ({type(error).__name__}); nothing was changed"
        ) from None
