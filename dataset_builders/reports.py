"""English reports of a record: rendered from its SCP statements, or the originals where their English is known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from hf_heartllm.labels.scp import in_report_order, phrase

_POSSIBLE_BELOW = 50.0


def report_from_codes(codes: Mapping[str, float] | Iterable[str], *, hedged: bool = False) -> str:
    """Render SCP statements as an English report, lower case: rhythm first, then diagnoses, then form.

    Args:
        codes: Codes, or codes with their likelihoods in per cent (0.0: unknown).
        hedged: Put "possible" before statements with a known likelihood below 50 %. Needs likelihoods. Off by default,
            because the likelihoods are not known for every row.

    Returns:
        For example ``"sinus rhythm. complete left bundle branch block. non-specific st changes."``; empty without
        codes.

    Raises:
        KeyError: If a code is unknown.
        ValueError: If ``hedged`` without likelihoods.
    """
    likelihoods = codes if isinstance(codes, Mapping) else None
    if hedged and likelihoods is None:
        raise ValueError("a hedged report needs the likelihoods of the statements")
    sentences = []
    for code in in_report_order(codes):
        unsure = hedged and likelihoods is not None and 0.0 < likelihoods[code] < _POSSIBLE_BELOW
        sentences.append(f"possible {phrase(code)}." if unsure else f"{phrase(code)}.")
    return " ".join(sentences)


def read_english_reports(folder: str | Path) -> dict[int, str]:
    """Read the English report rows of PTB-XL that the HeartLLM authors published as samples.

    Args:
        folder: The ``dataset`` folder of their repository, with ``report/ptbxl/*.json``. The rows of MIMIC-IV-ECG in
            ``report/mimic-iv-ecg`` are never read: their licence is another one.

    Returns:
        Report by ``ecg_id``, white space made single.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If two files give different reports of one record.
    """
    files = sorted((Path(folder) / "report" / "ptbxl").glob("*.json"))
    if not files:
        raise FileNotFoundError(f"{folder}: holds no report/ptbxl/*.json")
    reports: dict[int, str] = {}
    for path in files:
        for row in json.loads(path.read_text(encoding="utf-8")):
            ecg_id, report = int(row["ecg_id"]), " ".join(str(row["report"]).split())
            if reports.setdefault(ecg_id, report) != report:
                raise ValueError(f"{path}: another file has a different report of ecg_id {ecg_id}")
    return reports
