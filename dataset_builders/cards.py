"""The README.md of a built folder: YAML that `datasets.load_dataset` and the Hub read, and the card's text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
from huggingface_hub import DatasetCard, DatasetCardData

from hf_heartllm.models.whole_files import write_whole

from .build_report import BuildReport, counts_table

_RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results" / "datasets.json"


def check_identity(output: Path, config_name: str, identity: dict[str, str]) -> None:
    """Raise ValueError where the folder's other configurations are of another identity (`RowBuilder.identity`)."""
    path = output / "README.md"
    if not path.is_file():
        return
    data = DatasetCard.load(path).data
    if not {config["config_name"] for config in data.get("configs") or []} - {config_name}:
        return
    for name, value in identity.items():
        if data.get(name) != value:
            raise ValueError(
                f"{output}: its other rows have {name} {data.get(name)}, these {value}; use another folder"
            )


def write_readme(
    info: datasets.DatasetInfo, text: str, report: BuildReport, identity: dict[str, str] | None = None
) -> Path:
    """Write README.md, or add a configuration to the one that is there.

    The names of the shards in its YAML carry hashes of their content, so `datasets` notices whatever has changed and
    never returns rows from its cache that are no longer there.

    Args:
        info: of the builder: description, licence, citation, features.
        text: the card below the YAML; its title and description come from `info` when it is empty.
        report: with the whole shards.
        identity: further entries of the YAML.
    """
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs

    path = report.output / "README.md"
    data = DatasetCard.load(path).data if path.is_file() else DatasetCardData()
    if info.license:
        data["license"] = info.license
    for name, value in (identity or {}).items():
        data[name] = value
    folder = f"data/{report.config_name}"
    data_files = [
        {"split": split, "path": [f"{folder}/{file.path.name}" for file in files]}
        for split, files in report.files.items()
    ]
    configs = MetadataConfigs.from_dataset_card_data(data)
    settings: dict[str, Any] = {"data_files": data_files}
    if all(name == report.config_name or not other.get("default") for name, other in configs.items()):
        settings["default"] = True  # the first one: a folder of several loads without naming one
    MetadataConfigs({report.config_name: settings}).to_dataset_card_data(data)
    stated = datasets.DatasetInfo(features=info.features, config_name=report.config_name)
    stated.splits = datasets.SplitDict()
    for split, files in report.files.items():
        stated.splits[split] = datasets.SplitInfo(
            split, num_bytes=sum(f.num_bytes for f in files), num_examples=sum(f.num_rows for f in files)
        )
    stated.download_size = sum(file.file_bytes for files in report.files.values() for file in files)
    stated.dataset_size = sum(file.num_bytes for files in report.files.values() for file in files)
    DatasetInfosDict({report.config_name: stated}).to_dataset_card_data(data)
    body = text.strip() or f"# {report.config_name}\n\n{info.description}".strip()
    body += f"\n\n## Rows of `{report.config_name}`\n\n{counts_table(report)}\n"
    body += "".join(f"\n{note}\n" for note in report.notes)
    if report.skipped:
        listed = "\n".join(f"* `{name}`: {reason}" for name, reason in report.skipped[:100])
        body += f"\n## Left out\n\n{len(report.skipped)} records could not be read:\n\n{listed}\n"
    if info.citation:
        body += f"\n## Citation\n\n```bibtex\n{info.citation.strip()}\n```\n"
    write_whole(path, f"---\n{data.to_yaml(line_break=chr(10))}\n---\n\n{body}")
    return path


def measured_table(prefix: str) -> str:
    """The project's figures as a Markdown table: rows of `benchmarks/results/datasets.json` whose names begin so.

    Empty where the results are not at hand; they are no part of the wheel.
    """
    from hf_heartllm.evaluation.results import read_results
    from hf_heartllm.hub.cards import results_table

    rows = [row for row in read_results(_RESULTS) if row.name.startswith(prefix)] if _RESULTS.is_file() else []
    return results_table(rows) if rows else ""
