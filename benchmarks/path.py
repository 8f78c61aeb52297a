"""The path from a recording to ids and back: agreement with the public codec, sampling rates, sizes, cost for text.

    python benchmarks/path.py --ptbxl DIR --golden DIR/heartllm_codec.safetensors

Writes benchmarks/results/path.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parent.parent
QUESTION = "Does this ECG show atrial fibrillation?"


def golden_figures(path: Path) -> list[tuple[str, float, str, str]]:
    """Codes and reconstruction of the published codec against ours: (name, value, bar, unit)."""
    from safetensors.torch import load_file

    from hf_heartllm.convert.heartllm import load_heartllm_codec

    golden = load_file(path)
    codec = load_heartllm_codec(path)
    equal = (codec.encode(golden["scaled"])[:, 0] == golden["codes"]).double().mean().item()
    error = (codec.decode(golden["codes"]) - golden["reconstruction"]).abs().max().item()
    return [
        ("published codec, share of equal codes", equal, ">= 1", "fraction"),
        ("published codec, largest error of the reconstruction", error, "<= 0.0001", "standard deviations"),
    ]


def answers_at_two_rates(ptbxl: Path) -> tuple[list[tuple[str, float, str | None, str]], int]:
    """The embedded checkpoint asked about every record of fold 9 that is there at 100 and at 500 Hz."""
    import hf_heartllm as hl
    from hf_heartllm.data import open_records

    ask = hl.pipeline("ecg-question-answering")
    both = (open_records(ptbxl, sampling_rate=rate, splits={9: "test"}) for rate in (100, 500))
    pairs = [pair for pair in zip(*both, strict=True) if all(one.files for one in pair)]
    shares = np.array([[ask(one.read(), QUESTION).alternatives for one in pair] for pair in pairs], dtype=object)
    yes = np.array([[dict(map(tuple, alternatives))["yes"] for alternatives in row] for row in shares], dtype=float)
    return [
        ("same answer at 100 and 500 Hz", float(((yes[:, 0] > 0.5) == (yes[:, 1] > 0.5)).mean()), None, "fraction"),
        ("median difference of p(yes) at 100 and 500 Hz", float(np.median(np.abs(yes[:, 0] - yes[:, 1]))), None, "p"),
    ], len(pairs)


def text_cost() -> float:
    """Time to encode text with the ECG tokens beside it, as a multiple of the base's (both in turn, median of 30)."""
    import hf_heartllm as hl

    tokenizer = hl.ECGTokenizer.from_pretrained()
    from transformers import PreTrainedTokenizerFast

    base = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer)
    text = "Does this ECG show atrial fibrillation, or a left bundle branch block? " * 30
    times: dict[str, list[float]] = {"ours": [], "base": []}
    for _ in range(30):
        for name, one in (("ours", tokenizer), ("base", base)):
            started = time.perf_counter()
            one(text)
            times[name].append(time.perf_counter() - started)
    return float(np.median(times["ours"]) / np.median(times["base"]))


def folder_megabytes(folder: Path) -> float:
    """Size of all files below a folder in MB (10^6 bytes)."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def main(argv: list[str] | None = None) -> int:
    """Measure, print and write. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptbxl", required=True, type=Path, help="folder of PTB-XL with fold 9 at both rates")
    parser.add_argument("--golden", required=True, type=Path, help="heartllm_codec.safetensors of the golden values")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks" / "results" / "path.json")
    args = parser.parse_args(argv)
    import hf_heartllm as hl
    from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results

    rates, pairs = answers_at_two_rates(args.ptbxl)
    measured: list[tuple[str, float, str | None, str, str]] = [
        (*figure, "golden values, 3 signals") for figure in golden_figures(args.golden)
    ]
    measured += [(*figure, f"PTB-XL 1.0.3, fold 9, {pairs} records at both rates") for figure in rates]
    measured.append(("time to encode text, ECG tokens against none", text_cost(), None, "ratio", "2,100 characters"))
    size = folder_megabytes(Path(hl.checkpoint()))
    measured.append(("size of the embedded checkpoint", size, "<= 20", "MB", "heartllm-tiny with its codec"))
    facts = {
        "command": "python benchmarks/path.py --ptbxl DIR --golden FILE",
        "commit": current_commit(REPOSITORY),
        "machine": machine_words(),
    }
    rows = [
        Result(name=name, value=round(value, 6), interval=None, target=bar, unit=unit, data=data, **facts)
        for name, value, bar, unit, data in measured
    ]
    for row in rows:
        print(f"{row.name:<55} {row.value:10.6g} {row.unit}  {row.target or ''}")
    write_results(args.results, rows)
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "path"))
