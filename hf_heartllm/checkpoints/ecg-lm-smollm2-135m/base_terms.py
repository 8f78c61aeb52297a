"""What the licence of a language model asks of whoever passes its weights on with ours in them.

Our own weights are CC BY 4.0. Weights that a base is merged into stand under the base's terms as well: its name, its
text and its notices go along, or the model stays here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .card_files import CARD_FILE, LICENCE_FILES, card_head, source_of
from .checkpoint_files import file_beside, is_local_name
from .whole_files import write_whole

NOTICE_FILE, BASE_LICENCE, BASE_POLICY = "NOTICE", "LICENSE-base", "USE_POLICY-base.md"
"""What of a base's terms lies beside merged weights."""


class TermsError(ValueError):
    """The terms of a base do not let a model be passed on so. The message is one line that says what to do."""


@dataclass(frozen=True)
class BaseTerms:
    """What a licence asks for.

    Attributes:
        page: where it is told, and where these rules were read.
        text: whether a copy of it must go along; else its page is named.
        notice: words that must stand in a file NOTICE.
        shown: words that must be shown.
        begins: what the model's name must begin with.
        refused: why nothing made from the base may be passed on; None: it may.
        binds: whether weights that the base is merged into stand under this licence themselves.
    """

    page: str
    text: bool = False
    notice: str = ""
    shown: str = ""
    begins: str = ""
    refused: str | None = None
    binds: bool = True


_META = "Copyright © Meta Platforms, Inc. All Rights Reserved."


def _llama(version: str, page: str) -> BaseTerms:
    notice = f"Llama {version} is licensed under the Llama {version} Community License, {_META}"
    return BaseTerms(page, True, notice, "Built with Llama", "Llama")


BASE_TERMS: dict[str, BaseTerms] = {
    "apache-2.0": BaseTerms("https://www.apache.org/licenses/LICENSE-2.0", binds=False),  # section 4: notices go along
    "mit": BaseTerms("https://opensource.org/license/mit", binds=False),
    "cc-by-4.0": BaseTerms("https://creativecommons.org/licenses/by/4.0/legalcode", binds=False),
    "cc-by-sa-4.0": BaseTerms("https://creativecommons.org/licenses/by-sa/4.0/legalcode"),
    "cc-by-nc-4.0": BaseTerms("https://creativecommons.org/licenses/by-nc/4.0/legalcode"),
    "cc-by-nc-sa-4.0": BaseTerms("https://creativecommons.org/licenses/by-nc-sa/4.0/legalcode"),
    "cc-by-nd-4.0": BaseTerms(
        "https://creativecommons.org/licenses/by-nd/4.0/legalcode", refused="it lets nothing adapted be passed on"
    ),
    "cc-by-nc-nd-4.0": BaseTerms(
        "https://creativecommons.org/licenses/by-nc-nd/4.0/legalcode", refused="it lets nothing adapted be passed on"
    ),
    "llama2": BaseTerms(
        "https://ai.meta.com/llama/license/",
        True,
        "Llama 2 is licensed under the LLAMA 2 Community License, Copyright (c) Meta Platforms, Inc. "
        "All Rights Reserved.",
    ),
    "llama3": BaseTerms(
        "https://www.llama.com/llama3/license/",
        True,
        f"Meta Llama 3 is licensed under the Meta Llama 3 Community License, {_META}",
        "Built with Meta Llama 3",
        "Llama 3",
    ),
    "llama3.1": _llama("3.1", "https://www.llama.com/llama3_1/license/"),
    "llama3.2": _llama("3.2", "https://www.llama.com/llama3_2/license/"),
    "llama3.3": _llama("3.3", "https://www.llama.com/llama3_3/license/"),
    "llama4": _llama("4", "https://www.llama.com/llama4/license/"),
    "gemma": BaseTerms(
        "https://ai.google.dev/gemma/terms",
        True,
        "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms",
    ),
    "qwen": BaseTerms(
        "https://github.com/QwenLM/Qwen/blob/main/Tongyi%20Qianwen%20LICENSE%20AGREEMENT",
        True,
        "Tongyi Qianwen is licensed under the Tongyi Qianwen LICENSE AGREEMENT, Copyright (c) Alibaba Cloud. "
        "All Rights Reserved.",
    ),
    "qwen-research": BaseTerms(
        "https://huggingface.co/Qwen/Qwen2.5-3B/blob/main/LICENSE",
        True,
        "Qwen is licensed under the Qwen RESEARCH LICENSE AGREEMENT, Copyright (c) Alibaba Cloud. All Rights Reserved.",
        "Built with Qwen",
    ),
    "openrail": BaseTerms("https://www.licenses.ai/", True),
    "bigscience-openrail-m": BaseTerms(
        "https://huggingface.co/spaces/bigscience/license", True
    ),  # its use restrictions go along
    "bigscience-bloom-rail-1.0": BaseTerms("https://huggingface.co/spaces/bigscience/license", True),
    "other": BaseTerms("the page of the base", True),
}
"""Identifier of a licence on the Hub → what it asks for."""

_FAMILIES = (
    (r"meta-llama/llama-2", "llama2"),
    (r"meta-llama/(meta-)?llama-3(-|$)", "llama3"),
    (r"meta-llama/(meta-)?llama-(3\.\d)", "llama{2}"),
    (r"meta-llama/llama-4", "llama4"),
    (r"google/(\w*)gemma-?(\d?b|1|2|3)", "gemma"),
    (r"huggingfacetb/smollm", "apache-2.0"),
)
"""Names of repositories whose licence is known where their card is not at hand."""


def base_licence(name: str, source: str | os.PathLike[str] | None = None, revision: str | None = None) -> str | None:
    """The identifier of a base's licence: of its card, else by its name; None where neither tells.

    Args:
        name: of its repository.
        source: the folder or repository where its card lies.
        revision: of the repository.
    """
    path = _beside(source, CARD_FILE, revision)
    try:
        head = {} if path is None else card_head(path.read_text(encoding="utf-8", errors="replace"))
    except ValueError:
        head = {}
    stated = str(head.get("license") or "").lower()
    if stated == "other":
        stated = str(head.get("license_name") or "other").lower()
    if stated:
        return stated if stated in BASE_TERMS else "other"
    for pattern, licence in _FAMILIES:
        if match := re.match(pattern, name.lower()):
            return licence.format(None, *match.groups()) if "{" in licence else licence
    return None


def check_terms(licence: str | None, name: str, repo_id: str | None = None) -> BaseTerms | None:
    """What a base asks for; None where its licence is not known, and nothing can be said.

    Args:
        licence: of the base.
        name: of the base.
        repo_id: the repository that is written; None: none yet.

    Raises:
        TermsError: if it forbids what is done, or asks for another name.
    """
    terms = BASE_TERMS.get(licence or "")
    if terms is None:
        return None
    if terms.refused:
        raise TermsError(f"{name} is {licence}: {terms.refused}; pass on the adapter alone, without the base's weights")
    own = (repo_id or "").rpartition("/")[2]
    begins = terms.begins.replace(" ", "-")
    if own and begins and not own.lower().replace("_", "-").startswith(begins.lower()):
        raise TermsError(
            f"{repo_id}: {name} is {licence}, which asks for a name that begins with {begins}; call it {begins}-{own}"
        )
    return terms


def notice_text(name: str, licence: str, own: str = "") -> str:
    """What a file NOTICE says of weights that a base is merged into.

    Args:
        name: of the base.
        licence: a key of `BASE_TERMS`.
        own: the base's own notices.
    """
    terms = BASE_TERMS[licence]
    lines = [terms.shown, terms.notice, f"This model was made from {name} ({licence}, {terms.page})."]
    lines += ["Changed: tokens for ECGs were added, and it was trained further.", own.strip()]
    return "\n\n".join(line for line in lines if line) + "\n"


def write_base_terms(model: Any, folder: str | os.PathLike[str], repo_id: str | None = None) -> None:
    """Write what the licence of a base asks for beside weights that it is merged into; nothing where none is known.

    What lay beside the checkpoint that the model was loaded from goes along, then what lies beside the base.

    Args:
        model: with the base's weights.
        folder: where they are written.
        repo_id: the repository that is written; None: none yet.

    Raises:
        TermsError: if the licence forbids it, asks for another name, or for a copy of its text that is not at hand.
    """
    base = base_of_model(model)
    if base is None:
        return
    (name, source), folder = base, Path(folder)
    licence = base_licence(name, source)
    terms = check_terms(licence, name, repo_id)
    if terms is None or licence is None:
        return
    found = {file: path for file in _CARRIED.values() if (path := _beside(*_before(model, file)))}
    # else the Hub is not there, or has no such base
    if os.path.isdir(source) or _beside(source, CARD_FILE) is not None:
        for file in LICENCE_FILES:
            kind = next((kind for kind in _CARRIED if file.startswith(kind)), "")
            path = None if not kind or _CARRIED[kind] in found else _beside(source, file)
            if path is not None:
                found[_CARRIED[kind]] = path
    if terms.text and BASE_LICENCE not in found and not (folder / BASE_LICENCE).is_file():
        raise TermsError(
            f"{name} is {licence}, which asks for a copy of its text, and none lies beside the base: save it there as "
            f"LICENSE ({terms.page}), or pass on the adapter alone"
        )
    contents = {file: path.read_bytes() for file, path in found.items()}
    own = contents.get(NOTICE_FILE, b"").decode("utf-8", "replace")
    contents[NOTICE_FILE] = (own if name in own else notice_text(name, licence, own)).encode()
    for file, content in contents.items():
        write_whole(folder / file, content)


_CARRIED = {"LICENSE": BASE_LICENCE, "NOTICE": NOTICE_FILE, "USE_POLICY": BASE_POLICY}
"""Beginning of a file's name beside a base → the file beside merged weights."""


def _before(model: Any, file: str) -> tuple[str | None, str, str | None]:
    """Where a file lay that came with merged weights."""
    source, revision = source_of(model)
    return source or None, file, revision


def _beside(source: str | os.PathLike[str] | None, name: str, revision: str | None = None) -> Path | None:
    """`file_beside`; None too where there is no such repository."""
    try:
        return file_beside(source, name, revision) if source else None
    except OSError:
        return None


def remember_base(model: Any, name: str, source: str | os.PathLike[str]) -> None:
    """Keep which base an adapter was added to, for `base_of_model`: its name, and where it lies."""
    model._merged_base = (name, os.fspath(source))
    model.language_model.config._name_or_path = name  # so that a merged checkpoint says it too


def base_of_model(model: Any) -> tuple[str, str] | None:
    """Name and source of the language model whose weights are in a model; None where it is not known or not in it."""
    if getattr(getattr(model, "config", None), "base_model", None):
        return None  # a checkpoint without the base's weights
    known: tuple[str, str] | None = getattr(model, "_merged_base", None)
    if known is not None:
        return known
    language_model = getattr(model, "language_model", None)
    source = getattr(language_model, "name_or_path", "") or ""
    if not source or (is_local_name(source) and not os.path.isdir(source)):
        return None
    return (os.path.basename(source) if is_local_name(source) else source), source


__all__ = [
    "BASE_LICENCE",
    "BASE_POLICY",
    "BASE_TERMS",
    "NOTICE_FILE",
    "BaseTerms",
    "TermsError",
    "base_licence",
    "base_of_model",
    "check_terms",
    "notice_text",
    "remember_base",
    "write_base_terms",
]
