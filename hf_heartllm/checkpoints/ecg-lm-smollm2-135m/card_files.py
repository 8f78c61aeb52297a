"""A checkpoint's card and licences, which go where `push_to_hub` puts what was made from it.

transformers writes a card that names no licence, nobody to credit and no warning. Here the card of the folder or
repository that something was loaded from goes along while its weights are the same; else a short one, with the
licence and the attribution of that card.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from transformers.utils import logging
from transformers.utils.hub import ModelCard, ModelCardData

from .checkpoint_files import file_beside, is_local_name
from .notice import NOTICE
from .whole_files import write_whole

CARD_FILE = "README.md"
LICENCE_FILES = (
    *("LICENSE", "LICENSE.md", "LICENSE.txt", "NOTICE", "NOTICE.md", "NOTICE.txt", "USE_POLICY.md"),
    *("LICENSE-base", "USE_POLICY-base.md"),  # of a language model that is merged into the weights
)
EVALUATION_FILE, EVAL_RESULTS = "EVALUATION.md", ".eval_results/questions.yaml"
"""Every figure of a checkpoint; those of its card in the Hub's own format of results."""
OWNER = "OWNER"
"""Stands in `EVAL_RESULTS` for whoever owns the repository, who owns that of the questions too."""

_BESIDE = re.compile(r"\]\((?!\w+://)([^)\s/#]+\.(?:png|svg|jpg|md))\)")

_HEAD = re.compile(r"\A\s*---\n.*?\n---\n", re.DOTALL)
_MARK = "<!-- written by push_to_hub of hf_heartllm -->"
_GENERIC = re.compile(rf"model card has been automatically generated|\[More Information Needed\]|{_MARK}")
_KEPT = ("license", "license_name", "license_link", "language", "datasets", "base_model")

logger = logging.get_logger(__name__)


def write_card_files(
    made: Any,
    folder: str | os.PathLike[str],
    repo_id: str,
    source: str | os.PathLike[str] | None,
    revision: str | None = None,
    same: bool = False,
) -> None:
    """Write card and licences into a folder that is pushed, in place of transformers' generic card.

    A card that the repository has already, and that somebody wrote, stays; only the card of the same weights, where
    these came from, replaces it. The card of the weights that these came from does not stay: they have changed since.

    Args:
        made: what is pushed.
        folder: what is pushed lies there, with the card that transformers made or found in the repository.
        repo_id: the repository.
        source: the folder or repository that it was loaded from; None or "": it was not loaded.
        revision: of that repository.
        same: whether its weights are those of `source`, so that its card holds for them.
    """
    folder, beside = Path(folder), {}
    for name in (CARD_FILE, *LICENCE_FILES):
        path = file_beside(source, name, revision) if source else None
        if path is not None:
            beside[name] = path.read_bytes()
    card = beside.pop(CARD_FILE, None)
    for name, content in beside.items():
        write_whole(folder / name, content)
    if same and card is not None:
        write_whole(folder / CARD_FILE, card)
        for name, path in files_beside(card.decode("utf-8", "replace"), source or "", revision).items():
            (folder / name).parent.mkdir(exist_ok=True)
            write_whole(folder / name, owned(path.read_bytes(), repo_id) if name == EVAL_RESULTS else path.read_bytes())
        return
    there = (folder / CARD_FILE).read_text(encoding="utf-8") if (folder / CARD_FILE).is_file() else ""
    changed = bool(source) and hasattr(made, "named_parameters")
    of_source = changed and card is not None and _body(there) == _body(card.decode("utf-8", "replace"))
    if there and not is_generic(there) and not of_source:
        if changed:
            logger.warning_once(f"the card of {repo_id} stays; check that its figures are those of the new weights")
        return
    kind = type(made).__name__
    text = short_card(
        kind, how_to_load(made), repo_id, None if card is None else card.decode("utf-8"), _repository(source)
    )
    write_whole(folder / CARD_FILE, text)


def _body(card: str) -> str:
    """A card without its head, which transformers adds to."""
    return _HEAD.sub("", card).strip()


def files_beside(card: str, source: str | os.PathLike[str], revision: str | None = None) -> dict[str, Path]:
    """What a card shows or links to that lies beside it, and the Hub's results: name → file.

    Args:
        card: its text.
        source: the folder or repository that it lies in.
        revision: of the repository.
    """
    found: dict[str, Path] = {}
    left = [EVAL_RESULTS, *_BESIDE.findall(card)]
    while left:
        name = left.pop()
        if name in found or name in (CARD_FILE, *LICENCE_FILES):
            continue
        path = file_beside(source, name, revision)
        if path is not None:
            found[name] = path
            left += _BESIDE.findall(path.read_text(encoding="utf-8", errors="replace")) if name.endswith(".md") else []
    return found


def owned(results: bytes, repo_id: str) -> bytes:
    """The Hub's results about a question set of the repository's owner."""
    return results.replace(f"id: {OWNER}/".encode(), f"id: {repo_id.rpartition('/')[0] or OWNER}/".encode())


def short_card(what: str, loads: str, repo_id: str, card: str | None = None, source: str | None = None) -> str:
    """A card that says what something is, what it is not for, and under which terms it stands.

    Args:
        what: the name of its class.
        loads: how it is loaded, a key of `LOADS`.
        repo_id: where it will lie.
        card: of what it was made from; None: there is none.
        source: the repository that it was made from; None: it is none.
    """
    try:
        told = card_head(card or "")
    except ValueError:  # nobody can read its terms
        told = {}
    head = {name: told[name] for name in _KEPT if told.get(name)}
    if source:
        head["base_model"] = source
    if is_local_name(str(head.get("base_model") or "")):
        del head["base_model"]
    if loads == "pipeline":
        head["pipeline_tag"] = "text-generation"
    data = ModelCardData(library_name="transformers", tags=["ecg", "electrocardiogram"], **head)
    licence = re.search(r"^## +[^\n]*Licen[cs]e.*?(?=^## |\Z)", card or "", re.MULTILINE | re.DOTALL)
    origin = f", made from `{source}`" if source else ""
    terms = licence[0].strip() if licence else _TERMS
    return f"""---
{data.to_yaml()}
---

{_MARK}

# {repo_id.rpartition("/")[2]}

`{what}` for 12-lead ECGs{origin}. How well it does was not measured for this card.

**{NOTICE} Not a medical device.**

```python
{LOADS[loads].format(repo_id=repo_id)}
```

{terms}
"""


def card_head(card: str) -> dict[str, Any]:
    """The YAML that a card begins with.

    Raises:
        ValueError: in one line, if it cannot be read.
    """
    if not card.lstrip().startswith("---"):
        return {}
    try:
        return dict(ModelCard(card).data.to_dict())
    except Exception as error:  # of whichever library reads the YAML
        raise ValueError(f"its head is no YAML ({' '.join(str(error).split())[:200]})") from None


def is_generic(card: str) -> bool:
    """Whether nobody wrote a card: it is the one of transformers, of peft, or `short_card`."""
    return bool(_GENERIC.search(card))


def how_to_load(made: Any) -> str:
    """Which key of `LOADS` an object of transformers has."""
    classes = [kind.__name__ for kind in type(made).__mro__]
    return next((loads for name, loads in _LOADED_AS.items() if name in classes), "model")


def source_of(made: Any) -> tuple[str, str | None]:
    """Where a model was loaded from, and at which revision; "" where it is not known, or no longer there."""
    source, revision = getattr(made, "_loaded_from", None) or (getattr(made, "name_or_path", "") or "", None)
    if is_local_name(source) and not os.path.isdir(source):
        return "", None
    return source, revision


def remember_source(made: Any, source: str | os.PathLike[str], revision: str | None) -> None:
    """Keep where a model was loaded from, for `source_of`; transformers keeps no revision.

    Args:
        made: the model.
        source: a folder, which stays the same one where the working folder changes, or a repository.
        revision: of the repository.
    """
    name = os.path.abspath(source) if os.path.isdir(source) else os.fspath(source)
    made._loaded_from = (name, None if os.path.isdir(name) else revision)


def _repository(source: str | os.PathLike[str] | None) -> str | None:
    """A source where it is a repository."""
    name = os.fspath(source) if source else ""
    return None if is_local_name(name) or name.count("/") != 1 else name


_TERMS = """## Licence

None is stated where this was made from. The language model below it, the codec and the data that they were trained on
have terms of their own: state them here before others use it."""

LOADS = {
    "tokenizer": """from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{repo_id}", trust_remote_code=True)""",
    "processor": """from transformers import AutoProcessor

processor = AutoProcessor.from_pretrained("{repo_id}", trust_remote_code=True)""",
    "extractor": """from transformers import AutoFeatureExtractor

extractor = AutoFeatureExtractor.from_pretrained("{repo_id}", trust_remote_code=True)""",
    "pipeline": """from transformers import pipeline

ask = pipeline("ecg-question-answering", model="{repo_id}", trust_remote_code=True)""",
    "adapter": """from peft import PeftModel

model = PeftModel.from_pretrained(base, "{repo_id}")  # base: the model that it was trained on""",
    "model": """from transformers import AutoModel

model = AutoModel.from_pretrained("{repo_id}", trust_remote_code=True)""",
}
"""How something is loaded from the Hub."""

_LOADED_AS = {
    "ECGTokenizer": "tokenizer",
    "ProcessorMixin": "processor",
    "FeatureExtractionMixin": "extractor",
    "GenerationMixin": "pipeline",
}
"""The name of a class that it is made of → a key of `LOADS`."""

__all__ = [
    "CARD_FILE",
    "EVALUATION_FILE",
    "EVAL_RESULTS",
    "LICENCE_FILES",
    "LOADS",
    "OWNER",
    "card_head",
    "files_beside",
    "how_to_load",
    "is_generic",
    "owned",
    "remember_source",
    "short_card",
    "source_of",
    "write_card_files",
]
