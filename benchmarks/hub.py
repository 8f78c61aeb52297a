"""To the Hub and back: is what is loaded what was pushed, and do ONNX graphs give the same codes and logits?

    python benchmarks/hub.py                       # ONNX on simulated recordings
    python benchmarks/hub.py --ptbxl DIR           # on PTB-XL's fold 9

The Hub is the tests' own, on loopback; clients and programs are the real ones. One of everything is pushed by
`tests/hub/pushing.py` and loaded by `tests/hub/loading.py`: in a process without this package and in one with it, each
from the network and then offline from its cache.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

import hf_heartllm as hl  # noqa: E402
from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results  # noqa: E402
from tests.hub.loopback import serve  # noqa: E402

RESULTS = REPOSITORY / "benchmarks" / "results" / "hub.json"
PROGRAMS = REPOSITORY / "tests" / "hub"
WAYS = {"without": "without this package", "with": "with this package"}


def main(arguments: list[str] | None = None) -> int:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptbxl", type=Path, help="folder of PTB-XL 1.0.3; simulated recordings without it")
    parser.add_argument("--records", type=int, default=200, help="recordings that the ONNX graphs read")
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args(arguments)
    common: dict[str, Any] = {"command": "python benchmarks/hub.py" + (" --ptbxl DIR" if args.ptbxl else "")}
    common |= {"commit": current_commit(REPOSITORY), "machine": machine_words()}
    rows = [replace(row, **common) for row in [*round_trips(), *onnx(args.ptbxl, args.records)]]
    write_results(args.results, rows)
    for row in rows:
        print(f"{row.name}: {row.value:g} {row.unit} (target {row.target})")
    return 0


def round_trips() -> list[Result]:
    """Push everything once, load it four ways."""
    rows: list[Result] = []
    with tempfile.TemporaryDirectory() as scratch, serve() as hub:
        out = Path(scratch) / "pushed"
        out.mkdir()
        begun = time.perf_counter()
        _run("pushing.py", out, env=hub.environment(out / "home", PYTHONPATH=str(REPOSITORY)))
        expected = json.loads((out / "expected.json").read_text())
        print(f"pushed in {time.perf_counter() - begun:.0f} s: {len(expected)} checks", flush=True)
        old = [one.sha for one in hub.commits("user/heartllm")][1]
        calibrated = hub.commits("user/tiny")[2].sha
        for way, words in WAYS.items():
            home = Path(scratch) / way
            more = {"PYTHONPATH": str(REPOSITORY)} if way == "with" else {}
            environment = hub.environment(home, **more)
            if way == "without":
                environment.pop("PYTHONPATH", None)
            for place, offline in (("from the network", {}), ("offline, from the cache", {"HF_HUB_OFFLINE": "1"})):
                before = len(hub.requests)
                _run("loading.py", way, out, old, calibrated, env=environment | offline, cwd=scratch)
                found = json.loads((out / "found.json").read_text())
                apart = [largest_difference(found[name], value) for name, value in expected.items()]
                name = f"loaded {words}, {place}"
                data = f"{len(expected)} checks: {', '.join(expected)}"
                rows.append(_row(f"{name}: largest difference", max(apart), 0.001, "of a logit or probability", data))
                if offline:
                    rows.append(_row(f"{name}: requests", len(hub.requests) - before, 0, "requests", data))
    command = [
        sys.executable,
        "-m",
        "hf_heartllm.cli",
        "push",
        "user/tiny",
        str(hl.checkpoint()),
        "--dry-run",
        "--json",
    ]
    told = json.loads(subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout)
    size = sum(one["bytes"] for one in told["files"]) / 1e6
    data = f"{len(told['files'])} files; as `heartllm push` sends the folder"
    rows.append(_row("heartllm-tiny as it is pushed: size", size, 20, "MB", data))
    return rows


def _row(name: str, value: float, at_most: float, unit: str, data: str) -> Result:
    return Result(name, value, target=f"<= {at_most:g}", unit=unit, data=data)


def largest_difference(found: Any, expected: Any) -> float:
    """The largest difference of two numbers in one place; infinite where anything else differs."""
    if isinstance(expected, dict):
        if not isinstance(found, dict) or set(found) != set(expected):
            return np.inf
        return max((largest_difference(found[name], one) for name, one in expected.items()), default=0.0)
    if isinstance(expected, list):
        same = isinstance(found, list) and len(found) == len(expected)
        return max(map(largest_difference, found, expected), default=0.0) if same else np.inf
    if isinstance(expected, float):
        return abs(float(found) - expected) if isinstance(found, int | float) else np.inf
    return 0.0 if found == expected else np.inf


def onnx(ptbxl: Path | None, records: int) -> list[Result]:
    """Codes and logits of the shipped checkpoint's graphs against those of torch."""
    import onnxruntime
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    import hf_heartllm as hl
    from hf_heartllm.convert.onnx import write_onnx

    tokenizer = AutoTokenizer.from_pretrained(hl.checkpoint())
    model = AutoModelForCausalLM.from_pretrained(hl.checkpoint()).eval()
    codes = different = 0
    apart: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        graphs = write_onnx(model, tokenizer, Path(scratch) / "graphs")
        codec, decoder = (onnxruntime.InferenceSession(graphs / one / "model.onnx") for one in ("codec", "decoder"))
        for record in tqdm(_records(ptbxl, records), total=records, desc="ONNX"):
            features = tokenizer.feature_extractor.extract(record)
            wanted = tokenizer.codec.encode(torch.from_numpy(features)).numpy()
            (found,) = codec.run(None, {"input_features": features.astype(np.float32)})
            codes, different = codes + wanted.size, different + int((found != wanted).sum())
            ids = np.array([[tokenizer.ecg_start_token_id, *(wanted[0, 0] + tokenizer.ecg_token_offset)]])
            (logits,) = decoder.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
            with torch.inference_mode():
                apart.append(float(np.abs(logits - model(input_ids=torch.from_numpy(ids)).logits.numpy()).max()))
    data = f"{len(apart)} recordings of {'PTB-XL, fold 9' if ptbxl else 'simulated hearts'}, {codes} codes"
    return [
        _row("ONNX, codec: codes that differ from torch's", different, 0, "codes", data),
        _row("ONNX, decoder: largest difference of a logit", max(apart), 1e-4, "nats", data),
    ]


def _records(ptbxl: Path | None, number: int) -> Any:
    if ptbxl is None:
        from hf_heartllm.ecg.simulate import simulate_ecg

        return (simulate_ecg(seed=seed)[0] for seed in range(number))
    from hf_heartllm.data.sources import open_records

    chosen = [one for one in open_records(ptbxl) if one.fold == 9]
    steps = np.linspace(0, len(chosen) - 1, min(number, len(chosen))).round().astype(int)
    return (chosen[step].read() for step in steps)


def _run(program: str, *arguments: Any, env: dict[str, str], **options: Any) -> None:
    command = [sys.executable, str(PROGRAMS / program), *map(str, arguments)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=3600, **options)
    if done.returncode:
        raise SystemExit(f"{program} ended with {done.returncode}:\n{done.stderr[-3000:]}")


if __name__ == "__main__":
    sys.exit(main())
