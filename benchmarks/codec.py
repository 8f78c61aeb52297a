"""Speed of the codecs, three ways in one run: the published code's wiring, the same batched, and ours.

    python benchmarks/codec.py

Ours is timed with `encode`, which gives the same codes whatever the batch and the number of threads (each record on one
thread); the other two run as a batch on all threads. The ways take turns, and medians are reported, so that
whatever else the machine does hits all of them. Signals are random numbers of the features' shape; reading and
resampling are not timed. Writes rows `speed: …` into benchmarks/results/codec.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from benchmarks.reference_codec import ReferenceCodec  # noqa: E402
from hf_heartllm.models.codec_classes import codec_model  # noqa: E402
from hf_heartllm.models.configuration_ecg_codec import ECGCodecConfig  # noqa: E402
from hf_heartllm.models.configuration_paper_codec import PaperCodecConfig  # noqa: E402
from hf_heartllm.models.modeling_ecg_codec import ECGCodecModel  # noqa: E402

WAYS = ("reference", "paper preset batched", "ours")
DECODER, REFINEMENTS = "ours, decoder", "ours, residual codebooks"
"""Trained after the first codebook, on top of it."""
OURS = ("ours", DECODER, REFINEMENTS)
STATEMENTS = 50
"""Of the probe that is trained along with ours; a training on PTB-XL has about so many."""


def build(way: str) -> torch.nn.Module:
    """The codec of a way, with random weights."""
    torch.manual_seed(0)
    if way == "reference":
        return ReferenceCodec().eval()
    codec: torch.nn.Module = codec_model(PaperCodecConfig() if way == WAYS[1] else ECGCodecConfig())
    return codec.eval()


def signals(way: str, records: int, seconds: float = 10.0) -> torch.Tensor:
    """Random features of some records."""
    generator = torch.Generator().manual_seed(1)
    if way == "ours":
        return 0.3 * torch.randn(records, 8, round(100 * seconds), generator=generator)
    return torch.randn(records, 12, round(500 * seconds), generator=generator)


@torch.no_grad()
def encode(way: str, codec: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Codes for the language model."""
    if way == "reference":
        return codec.encode(x)  # type: ignore[operator,no-any-return]
    if way == "ours":
        return codec.encode(x)  # type: ignore[operator,no-any-return]
    return codec.quantizer(codec.encoder(x))[1]  # type: ignore[operator,no-any-return]


def training_step(way: str, codec: torch.nn.Module, batch: int) -> Callable[[], None]:
    """One step of training as each is trained: forward, backward, AdamW."""
    x = signals("ours" if way in OURS else way, batch)
    loss: Callable[[], torch.Tensor]
    if way in OURS:
        from hf_heartllm.training.codec_training import CodecWithProbe, DecoderTraining, RefinementTraining

        model: torch.nn.Module
        if way == "ours":  # as in its recipe, the first codebook with a decoder that has no attention yet
            first = ECGCodecModel(ECGCodecConfig(num_refinements=0, context_layers=0))
            model = CodecWithProbe(first, STATEMENTS, 3.0, 1.0)
        elif way == DECODER:
            model = DecoderTraining(codec, lead_mask_weight=1.0)  # type: ignore[arg-type]
        else:
            model = RefinementTraining(codec)  # type: ignore[arg-type]
        labels = torch.zeros(batch, STATEMENTS)
        loss = lambda: model(x, statement_labels=labels)["loss"]  # noqa: E731
    else:
        model = codec
        loss = (lambda: model(x)) if way == "reference" else (lambda: model(x).loss)
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=1e-4)

    def step() -> None:
        model.train()
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def interleaved(tasks: Mapping[str, Callable[[], object]], repeats: dict[str, int], title: str) -> dict[str, float]:
    """Median seconds of each task, the tasks taking turns after one run of each that does not count."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    for turn in range(max(repeats.values())):
        for name, task in tasks.items():
            if turn < repeats[name]:
                started = time.perf_counter()
                task()
                times[name].append(time.perf_counter() - started)
    for name, values in times.items():
        print(f"{title:<22} {name:<24} {1e3 * float(np.median(values)):10.2f} ms", flush=True)
    return {name: float(np.median(values)) for name, values in times.items()}


def peak_memory(way: str, batch: int) -> float:
    """MB that encoding a batch needs at its peak beyond the idle process, in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--peak", way, "--batch", str(batch), "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def _print_peak(way: str, batch: int) -> None:
    codec, x = build(way), signals(way, batch)
    encode(way, codec, x[:1])  # what is loaded and compiled once does not count
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _memory("VmRSS")
    encode(way, codec, x)
    print(_memory("VmHWM") - before)


def _memory(name: str) -> float:
    """A figure of this process in MB, as Linux tells it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def main(argv: list[str] | None = None) -> int:
    """Measure, print and write. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks" / "results" / "codec.json")
    parser.add_argument("--repetitions", type=int, default=15, help="of ours; the slower ways run a third as often")
    parser.add_argument("--batch", type=int, default=16, help="records of a batch; default: 16")
    parser.add_argument("--training-batch", type=int, default=16, help="records of a training step; default: 16")
    parser.add_argument("--threads", type=int, default=2, help="default: 2")
    parser.add_argument("--peak", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    if args.peak:
        _print_peak(args.peak, args.batch)
        return 0
    from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results

    few = max(3, args.repetitions // 3)
    repeats = {way: args.repetitions if way == "ours" else few for way in WAYS}
    codecs = {way: build(way) for way in WAYS}
    found: list[tuple[str, float, str, str | None]] = []
    for batch, bar in ((args.batch, ">= 20"), (1, ">= 8")):
        tasks: dict[str, Callable[[], object]] = {
            way: partial(encode, way, codecs[way], signals(way, batch)) for way in WAYS
        }
        seconds = interleaved(tasks, repeats, f"encode, batch {batch}")
        for name, value in seconds.items():
            found.append((f"encode, batch {batch}, {name}", batch / value, "records/s", None))
        ratio = seconds["reference"] / seconds["ours"]
        found.append((f"encode, batch {batch}, ours over reference", ratio, "ratio", bar))
        over_batched = seconds[WAYS[1]] / seconds["ours"]
        found.append((f"encode, batch {batch}, ours over paper preset batched", over_batched, "ratio", None))
    lengths = {f"{length} s": length for length in (10, 20, 40, 80, 160)}
    seconds = interleaved(
        {name: partial(encode, "ours", codecs["ours"], signals("ours", 1, s)) for name, s in lengths.items()},
        dict.fromkeys(lengths, args.repetitions),
        "length, ours",
    )
    each = [seconds[name] / length * 10 for name, length in lengths.items()]
    found += [
        (f"encode 10 s of a recording of {n}, ours", 1e3 * v, "ms", None) for n, v in zip(lengths, each, strict=True)
    ]
    found.append(("encode, cost of a second at 160 s over 10 s, ours", each[-1] / each[0], "ratio", "<= 1.2"))
    for way in WAYS:
        found.append((f"encode, batch {args.batch}, peak memory, {way}", peak_memory(way, args.batch), "MB", None))
    codecs |= {way: build("ours") for way in (DECODER, REFINEMENTS)}
    steps = {way: training_step(way, codec, args.training_batch) for way, codec in codecs.items()}
    seconds = interleaved(steps, {way: few if way.startswith("ours") else 3 for way in steps}, "training step")
    for way, value in seconds.items():
        found.append((f"training, {way}", args.training_batch / value, "records/s", None))
    for way in OURS:
        found.append((f"training, {way} over reference", seconds["reference"] / seconds[way], "ratio", ">= 20"))
    facts = {
        "data": f"random signals of 10 s, {args.threads} threads",
        "command": "python benchmarks/codec.py",
        "commit": current_commit(REPOSITORY),
        "machine": machine_words(),
    }
    rows = [
        Result(name=f"speed: {name}", value=round(value, 4), interval=None, target=bar, unit=unit, **facts)
        for name, value, unit, bar in found
    ]
    for row in rows:
        print(f"{row.name:<70} {row.value:10.4g} {row.unit}  {row.target or ''}".rstrip())
    write_results(args.results, rows)
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "codec"))
