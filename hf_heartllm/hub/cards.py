"""Tables of a Markdown text, rendered from measured figures, and the sizes of a checkpoint; neither is ever typed.

Two marks in a Markdown text are filled, and filled anew each time:

* ``results`` with a file of ``benchmarks/results`` and the beginnings of row names, several of them separated by ``|``
  (none: all rows), closed by ``/results``: a table of these rows;
* ``result`` with a file and the whole name of one row, closed by ``/result``: its value, within a sentence; with
  ``@interval`` behind the name its interval too.

Both are HTML comments, ``<!-- result: path.json AUROC, AFIB -->0.970<!-- /result -->``, so that only the figures show.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..evaluation.results import Result, meets_target, read_results

_TABLE = re.compile(r"(<!-- results: *(\S+)(.*?) *-->).*?(<!-- /results -->)", re.DOTALL)
_VALUE = re.compile(r"(<!-- result: *(\S+) +(.+?) *-->).*?(<!-- /result -->)", re.DOTALL)
_OPENING = re.compile(r"<!-- (results?): *([^\n]*?) *-->")
_CLOSING = re.compile(r"<!-- /(results?) -->")


def render_tables(text: str, results_dir: str | os.PathLike[str]) -> str:
    """Fill the marks of a Markdown text anew; a text without marks comes back as it is.

    Args:
        text: Markdown.
        results_dir: folder of the results files that the marks name.

    Raises:
        FileNotFoundError: if a mark names a file that is not there.
        ValueError: if a mark names no row, or is not closed.
    """
    return _fill(text, cache(lambda file: read_results(Path(results_dir) / file)))


def _fill(text: str, rows_of: Callable[[str], Sequence[Result]]) -> str:
    _check_marks(text)

    def table(match: re.Match[str]) -> str:
        opening, file, names, closing = match.groups()
        rows = choose_rows(rows_of(file), [name.strip() for name in names.split("|") if name.strip()], file)
        return f"{opening}\n{results_table(rows)}\n{closing}"

    def value(match: re.Match[str]) -> str:
        opening, file, name, closing = match.groups()
        name, asked = name.removesuffix(" @interval"), name.endswith(" @interval")
        found = [row for row in rows_of(file) if row.name == name]
        if not found:
            raise ValueError(f"{file} has no row {name!r}")
        text = format_value(found[0].value, found[0].unit)
        if asked and found[0].interval is not None:
            text += f" ({' to '.join(_number(end, found[0].unit) for end in found[0].interval)})"
        return f"{opening}{text}{closing}"

    return _VALUE.sub(value, _TABLE.sub(table, text))


def _check_marks(text: str) -> None:
    """Raise ValueError unless each mark is closed before the next one opens: else text between them would be lost."""
    marks = sorted([*_OPENING.finditer(text), *_CLOSING.finditer(text)], key=lambda mark: mark.start())
    expected = None
    for mark in marks:
        opens = mark.re is _OPENING
        if opens == (expected is not None) or (not opens and mark[1] != expected):
            line = text.count("\n", 0, mark.start()) + 1
            raise ValueError(f"line {line}: {mark[0]} stands out of turn; every mark is closed before the next opens")
        expected = mark[1] if opens else None
    if expected is not None:
        raise ValueError(f"{marks[-1][0]} is not closed by <!-- /{expected} -->")


def choose_rows(rows: Sequence[Result], beginnings: Sequence[str], file: str = "results") -> list[Result]:
    """The rows whose names begin so, in the order of the beginnings and, within one, of the file; each row once.

    Raises:
        ValueError: if a beginning fits no row.
    """
    chosen: dict[str, Result] = {}
    for beginning in beginnings or [""]:
        found = [row for row in rows if row.name.startswith(beginning)]
        if not found:
            raise ValueError(f"{file} has no row that begins with {beginning!r}")
        for row in found:
            chosen.setdefault(row.name, row)
    return list(chosen.values())


def results_table(rows: Sequence[Result]) -> str:
    """Rows as a Markdown table, and below it by which command, commit and machine they were measured."""
    lines = ["| figure | value | 95 % interval | bar | data |", "|---|---:|---:|---|---|"]
    for row in rows:
        interval = "" if row.interval is None else " to ".join(_number(end, row.unit) for end in row.interval)
        cells = [row.name, format_value(row.value, row.unit), interval, _bar(row), row.data]
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    measured = dict.fromkeys((row.command, row.commit, row.machine) for row in rows)
    lines.append("")
    lines += [f"Measured by `{command}` at commit `{commit[:12]}`, {machine}." for command, commit, machine in measured]
    return "\n".join(lines)


def format_value(value: float, unit: str) -> str:
    """A figure for readers: fractions with three decimals, whole numbers whole, others with three digits or more."""
    return _number(value, unit) if unit == "fraction" else f"{_number(value, unit)} {unit}".rstrip()


def _number(value: float, unit: str) -> str:
    if unit.startswith("fraction"):
        return f"{value:.3f}"
    if not math.isfinite(value) or value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _bar(row: Result) -> str:
    words = {True: ": met", False: ": not met", None: ""}
    return f"{row.target}{words[meets_target(row)]}" if row.target else ""


def checkpoint_facts(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Sizes of a checkpoint and of what reads its ECGs, from the folder without loading it.

    Returns:
        Of every checkpoint `parameters` (all that its folder holds of the model) and `architecture` (`model_type` of
        the language model); where it names its language model and holds none, `base` and `base_revision`.

        Of HeartLLM `codec_parameters`; `codec_numbers`, all that are stored of the codec, with the running statistics
        of its normalisations; `text_tokens`, `codebook_size`, `vocabulary_size`; `codec`, the codec in a few words;
        `ecg_tokens` of 10 s; `bits_per_second` of the codebook that the language model reads. Of ECG-LM
        `encoder_parameters`, `projection_parameters`, `soft_tokens` of an ECG and `highest_frequency`, the Hz above
        which nothing is left of it. Of a plain language model `vocabulary_size`.

    Raises:
        FileNotFoundError: if the folder holds no whole checkpoint.
    """
    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if "text_config" not in config:
        return {
            "parameters": f"{_stored_numbers(folder / 'model.safetensors', statistics=False):,}",
            "architecture": config["model_type"],
            "vocabulary_size": f"{config['vocab_size']:,}",
        }
    base = config.get("base_model")
    adapter = folder / "adapter_model.safetensors"
    weights = adapter if adapter.is_file() else folder / "model.safetensors"
    facts = {
        "parameters": f"{_stored_numbers(weights, statistics=False):,}",
        "architecture": config["text_config"]["model_type"],
        **({"base": base["name"], "base_revision": base["revision"]} if base else {}),
    }
    if "encoder_config" in config:
        return facts | {
            "encoder_parameters": f"{_stored_numbers(weights, statistics=False, within='encoder.'):,}",
            "projection_parameters": f"{_stored_numbers(weights, statistics=False, within='projector.'):,}",
            "soft_tokens": str(config["num_ecg_tokens"]),
            "highest_frequency": f"{config['encoder_config'].get('sampling_rate', 100) / 2:g}",
        }
    return facts | _codec_facts(folder, config)


def _codec_facts(folder: Path, config: Mapping[str, Any]) -> dict[str, str]:
    from ..models.codec_classes import codec_config

    codec = codec_config(json.loads((folder / "codec" / "config.json").read_text(encoding="utf-8")))
    return {
        "codec_parameters": f"{_stored_numbers(folder / 'codec' / 'model.safetensors', statistics=False):,}",
        "codec_numbers": f"{_stored_numbers(folder / 'codec' / 'model.safetensors'):,}",
        "text_tokens": f"{config['ecg_token_offset'] - 2:,}",
        "codebook_size": f"{config['ecg_codebook_size']:,}",
        "vocabulary_size": f"{config['text_config']['vocab_size']:,}",
        "codec": codec.description,
        "ecg_tokens": str(codec.num_tokens(10 * codec.sampling_rate)),
        "bits_per_second": f"{codec.bits_per_second_of(1):.1f}",
    }


_STATISTICS = frozenset({"running_mean", "running_var", "num_batches_tracked"})
"""What a normalisation counts while it is trained: stored beside the parameters, and none of them."""


def _stored_numbers(path: Path, statistics: bool = True, within: str = "") -> int:
    """How many numbers the tensors of a safetensors file hold; tied weights are stored, and counted, once.

    Args:
        path: the file.
        statistics: count those of normalisations too, which are no parameters.
        within: of the tensors whose names begin so.
    """
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(
        math.prod(tensor["shape"])
        for name, tensor in header.items()
        if name != "__metadata__"
        and name.startswith(within)
        and (statistics or name.rsplit(".", 1)[-1] not in _STATISTICS)
    )
