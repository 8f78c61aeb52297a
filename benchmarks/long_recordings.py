"""Recordings longer than a checkpoint was trained on: AUROC by length, and an episode in one window of many.

    python benchmarks/long_recordings.py --ptbxl DIR

Recordings of fold 8 are made longer by repeating them, cut so that windows begin elsewhere in them; an episode is ten
seconds of one patient's atrial fibrillation among another patient's recording without it. Each is read as one prompt,
as it was before, and in windows, as the pipeline reads it.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

import hf_heartllm as hl
from hf_heartllm.evaluation.intervals import Bootstrap, Interval
from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results
from hf_heartllm.labels.ptbxl import read_ptbxl_table
from hf_heartllm.models.ecg_prompts import Prompt
from hf_heartllm.models.ecg_reading import ReadWindow
from hf_heartllm.models.ecg_record import ECGRecord, ECGWarning

REPOSITORY = Path(__file__).resolve().parent.parent
QUESTION = "Does this ECG show atrial fibrillation?"
LENGTHS = (10, 30, 60, 120, 600)  # s
ONE_PROMPT = (30, 60, 120)  # s, read as one prompt too
OFFSET = 3.7  # s into the recording, where a longer one begins
EPISODES = (30, 60, 120)  # s, with ten seconds of atrial fibrillation in them


def longer(record: ECGRecord, seconds: float) -> ECGRecord:
    """The recording over and over; longer than itself it begins at `OFFSET`."""
    if seconds <= record.duration:
        return record
    whole = round(seconds * record.sampling_rate)
    first = round(OFFSET * record.sampling_rate)
    times = -(-(whole + first) // record.signal.shape[1])
    return replace(record, signal=np.tile(record.signal, (1, times))[:, first : first + whole])


def with_episode(record: ECGRecord, episode: ECGRecord, seconds: float, start: float) -> ECGRecord:
    """The recording over and over, with another's ten seconds at `start`."""
    signal = np.tile(record.signal, (1, round(seconds / record.duration)))
    first = round(start * record.sampling_rate)
    signal[:, first : first + episode.signal.shape[1]] = episode.select(record.leads).signal
    return replace(record, signal=signal)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptbxl", required=True, type=Path, help="folder of PTB-XL 1.0.x")
    parser.add_argument("--fold", type=int, default=8, help="default: 8")
    parser.add_argument("--with-af", type=int, default=40, help="recordings with atrial fibrillation; default: 40")
    parser.add_argument("--without", type=int, default=80, help="recordings without it; default: 80")
    parser.add_argument("--parts", type=Path, default=Path("build/long-recordings.jsonl"), help="partial results")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks/results/robustness.json")
    parser.add_argument("--no-results", action="store_true", help="write nothing")
    return parser.parse_args(argv)


def measured(ask: Any, ptbxl: Path, table: Any, parts: Path) -> list[dict[str, Any]]:
    """One row a recording and length; those that a broken-off run left are kept."""
    found = [json.loads(line) for line in parts.read_text().splitlines()] if parts.exists() else []
    known = {(row["ecg_id"], row["kind"], row["seconds"]) for row in found}
    rows = table.to_dict("records")
    without = [row for row in rows if "AFIB" not in row["scp_codes"]]
    parts.parent.mkdir(parents=True, exist_ok=True)
    with parts.open("a") as file:
        for number, row in enumerate(tqdm(rows, unit="recording")):
            record = hl.read_ecg(ptbxl / row["filename_lr"])
            stated = "AFIB" in row["scp_codes"]
            jobs = [("windows", seconds) for seconds in LENGTHS] + [("one prompt", seconds) for seconds in ONE_PROMPT]
            jobs += [("episode", seconds) for seconds in EPISODES] if stated else []
            for kind, seconds in jobs:
                if (row["ecg_id"], kind, seconds) in known:
                    continue
                new = {"ecg_id": row["ecg_id"], "patient_id": int(row["patient_id"]), "stated": stated}
                new |= {"kind": kind, "seconds": seconds, **_asked(ask, ptbxl, record, kind, seconds, without, number)}
                found.append(new)
                file.write(json.dumps(new) + "\n")
                file.flush()
    return found


def _asked(
    ask: Any, ptbxl: Path, record: ECGRecord, kind: str, seconds: int, without: list[dict[str, Any]], number: int
) -> dict[str, Any]:
    if kind == "one prompt":
        whole = ReadWindow(0.0, float(seconds), ask.tokenizer.encode_ecg(longer(record, seconds), check=False))
        scores = ask.answerer.score([Prompt(whole, QUESTION)], [("yes", "no")])[0].log_likelihoods
        return {"score": float(scores[0] - scores[1]), "yes": None}
    if kind == "windows":
        answer = ask(longer(record, seconds), QUESTION)
    else:
        host = hl.read_ecg(ptbxl / without[number % len(without)]["filename_lr"])
        place = 10.0 * (number % (seconds // 10))
        answer = ask(with_episode(host, record, seconds, place), QUESTION)
    # the odds as scored: a probability near 1 has no digits left to rank by
    shares = dict(answer.uncalibrated)
    return {"score": float(np.log(shares["yes"] / shares["no"])), "yes": answer.text == "yes"}


def figures(found: list[dict[str, Any]]) -> Iterator[tuple[str, Interval, str | None]]:
    """Name, value and bar of each figure."""

    def of(kind: str, seconds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        these = [row for row in found if (row["kind"], row["seconds"]) == (kind, seconds)]
        return tuple(np.array([row[name] for row in these]) for name in ("stated", "score", "yes", "patient_id"))  # type: ignore[return-value]

    base = 0.0
    for seconds in LENGTHS:
        stated, score, yes, who = of("windows", seconds)
        area = Bootstrap(who).auroc(stated, score).interval()
        base = base or area.value
        bar = f">= {base - 0.01:.4f}" if seconds > 10 else None
        yield f"long recordings: AUROC of atrial fibrillation, {seconds} s in windows", area, bar
        yield f"long recordings: sensitivity, {seconds} s", Bootstrap(who[stated]).mean(yes[stated]).interval(), None
        yield f"long recordings: specificity, {seconds} s", Bootstrap(who[~stated]).mean(~yes[~stated]).interval(), None
    for seconds in ONE_PROMPT:
        stated, score, _, who = of("one prompt", seconds)
        yield (
            f"long recordings: AUROC of atrial fibrillation, {seconds} s in one prompt",
            Bootstrap(who).auroc(stated, score).interval(),
            None,
        )
    alone = {row["ecg_id"]: row["yes"] for row in found if (row["kind"], row["seconds"]) == ("windows", 10)}
    for seconds in EPISODES:
        these = [row for row in found if (row["kind"], row["seconds"]) == ("episode", seconds) and alone[row["ecg_id"]]]
        part = Bootstrap([row["patient_id"] for row in these]).mean([row["yes"] for row in these]).interval()
        yield f"long recordings: an episode of 10 s in {seconds} s is found, of those found alone", part, ">= 1"


def main(argv: list[str] | None = None) -> int:
    """Measure, print and write. Returns the exit code."""
    args = parse(argv)
    warnings.simplefilter("ignore", ECGWarning)
    ask = hl.pipeline("ecg-question-answering")
    table = read_ptbxl_table(args.ptbxl)
    table = table[table["strat_fold"] == args.fold]
    stated = table["scp_codes"].map(lambda codes: "AFIB" in codes)
    few = [
        group.iloc[:: max(1, len(group) // count)].head(count)
        for group, count in ((table[stated], args.with_af), (table[~stated], args.without))
    ]
    found = measured(ask, args.ptbxl, pd.concat(few), args.parts)
    words = (
        f"PTB-XL 1.0.3, fold {args.fold}, {args.with_af} recordings with and {args.without} without atrial fibrillation"
    )
    facts: dict[str, Any] = {
        "unit": "fraction",
        "data": words,
        "command": "python benchmarks/long_recordings.py --ptbxl DIR",
        "commit": current_commit(REPOSITORY),
        "machine": machine_words(),
    }
    rows = [Result(name, one.value, (one.low, one.high), bar, **facts) for name, one, bar in figures(found)]
    for row in rows:
        print(f"{row.name}: {row.value:.3f}  {row.interval}  {row.target or ''}")
    if not args.no_results:
        write_results(args.results, rows)
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "long_recordings"))
