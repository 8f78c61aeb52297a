"""What the Hub's `/api/validate-yaml` says of a card, as far as its documentation tells.

The fields and their types are those of huggingface/hub-docs (modelcard.md, datasetcard.md); identifiers of licences are
those that this project writes or meets.
"""

from __future__ import annotations

from typing import Any

import yaml
from huggingface_hub import DatasetCardData, ModelCardData
from huggingface_hub.repocard_data import model_index_to_eval_results

LICENCES = frozenset(
    [
        "apache-2.0",
        "mit",
        "cc-by-4.0",
        "cc-by-sa-4.0",
        "cc-by-nc-4.0",
        "cc-by-nc-sa-4.0",
        "cc0-1.0",
        "odbl",
        "odc-by",
        "pddl",
        "gemma",
        "llama2",
        "llama3",
        "llama3.1",
        "llama3.2",
        "llama3.3",
        "llama4",
        "openrail",
        "unknown",
        "other",
    ]
)
_TEXTS = frozenset({"license", "library_name", "pipeline_tag", "license_name", "license_link", "pretty_name"})
_LISTS = frozenset({"tags", "datasets", "metrics", "language", "base_model", "size_categories", "task_categories"})
_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M")


def problems(card: str, kind: str) -> list[str]:
    """What is wrong with a card's head; [] where nothing is.

    Args:
        card: the whole README.md.
        kind: "model" or "dataset".
    """
    if not card.startswith("---\n"):
        return []  # the Hub warns, and takes it
    if "\n---\n" not in card[3:]:
        return ["the head does not end"]
    try:
        head: Any = yaml.safe_load(card[4:].partition("\n---\n")[0])
    except yaml.YAMLError as error:
        return [f"no YAML: {error}"]
    if not isinstance(head, dict):
        return ["the head is no mapping"]
    found = [f"{name} is no text" for name in _TEXTS & set(head) if not isinstance(head[name], str)]
    for name in _LISTS & set(head):
        values = head[name] if isinstance(head[name], list) else [head[name]]
        if not all(isinstance(one, str) and one for one in values):
            found.append(f"{name} holds something that is no text")
    if head.get("license") is not None and head["license"] not in LICENCES:
        found.append(f"license {head['license']!r} is not known")
    found += [f"size_categories {one!r}" for one in head.get("size_categories", []) if one not in _SIZES]
    if kind == "model" and "model-index" in head:
        try:
            model_index_to_eval_results(head["model-index"])
        except (KeyError, TypeError, ValueError) as error:
            found.append(f"model-index: {error!r}")
    for config in head.get("configs", []) if kind == "dataset" else []:
        if not config.get("config_name") or not config.get("data_files"):
            found.append("a configuration without a name or files")
    (ModelCardData if kind == "model" else DatasetCardData)(**head)
    return found
