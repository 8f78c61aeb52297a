"""What a newcomer waits for: the first line, an answer, help, an error; `make demo`, `make test`, `make demo-train`.

    python benchmarks/first_minutes.py
    python benchmarks/first_minutes.py --clone ../fresh --make     # also runs the three targets in that clone
    python benchmarks/first_minutes.py --demo 70 --test 540 --demo-train 240     # or takes their seconds as measured

Every command runs in a process of its own, all in turn, several times over; medians are told. Processor time is user
and system time of all threads. Ratios are between medians of the same run, so that they hold on another machine.
Writes benchmarks/results/first_minutes.json. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).resolve().parent.parent
QUESTION = "Does this ECG show atrial fibrillation?"
TRANSFORMERS = "import transformers"
LLAMA = "from transformers import LlamaForCausalLM, PreTrainedTokenizerFast"
GENERATE = f"""
{LLAMA}
import sys
folder, prompt = sys.argv[1:]
tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
model = LlamaForCausalLM.from_pretrained(folder)
inputs = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
tokens = model.generate(inputs.input_ids, attention_mask=inputs.attention_mask, max_new_tokens=4, do_sample=False)
print(tokenizer.decode(tokens[0, inputs.input_ids.shape[1]:]))
"""
TARGETS = {"demo": "<= 120", "test": "<= 600", "demo-train": "<= 300"}
"""Seconds that the Makefile's targets should take at most, after installation."""


@dataclass
class Run:
    """One run of a command: seconds of processor time, seconds until its end and until its first line on stderr."""

    processor: float
    wall: float
    first: float | None


def run(command: Sequence[str], folder: Path, code: int = 0) -> Run:
    """Run a command.

    Raises:
        SystemExit: if it ends with another exit code.
    """
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(REPOSITORY)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled once, as where it is installed
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0
    )
    assert process.stderr is not None
    said = process.stderr.read(1)
    first = time.perf_counter() - started if said else None
    said += process.stderr.read()
    ended = process.wait()
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended != code:
        sys.exit(f"{' '.join(command)[:200]} ended with {ended}: {said.decode(errors='replace')[-500:]}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(processor, wall, first)


def commands(folder: Path) -> dict[str, tuple[list[str], int]]:
    """Name → command and its exit code. Writes what they need into a folder."""
    import hf_heartllm as hl

    tokenizer = hl.ECGTokenizer.from_pretrained(hl.checkpoint())
    model = hl.HeartLLMForCausalLM.from_pretrained(hl.checkpoint())
    model.save_language_model(folder / "plain", tokenizer)
    record = hl.read_ecg("example:af")
    ids = tokenizer.encode_ecg(record)
    text = tokenizer.ecg_ids_to_text(ids)
    heartllm = [sys.executable, "-m", "hf_heartllm.cli"]
    return {
        "ask": ([*heartllm, "ask", "example:af", QUESTION], 0),
        "import transformers": ([sys.executable, "-c", TRANSFORMERS], 0),
        "import Llama": ([sys.executable, "-c", LLAMA], 0),
        "generate": ([sys.executable, "-c", GENERATE, str(folder / "plain"), f"{text} {QUESTION}"], 0),
        "--help": ([*heartllm, "--help"], 0),
        "ask --help": ([*heartllm, "ask", "--help"], 0),
        "error": ([*heartllm, "ask", "nowhere.csv", QUESTION], 2),
        "measure": ([*heartllm, "measure", "example:af"], 0),
        "info": ([*heartllm, "info", "example:af"], 0),
        "questions": ([*heartllm, "questions"], 0),
        "plot": ([*heartllm, "plot", "example:af", "ecg.png"], 0),
        "three questions": ([*heartllm, "ask", "example:af", *["-q", QUESTION] * 3], 0),
    }


Figure = tuple[str, float, str | None, str]
"""Name, value, bar, unit."""


def figures(runs: dict[str, list[Run]]) -> list[Figure]:
    """The medians and their ratios."""
    processor = {name: median(run.processor for run in those) for name, those in runs.items()}
    wall = {name: median(run.wall for run in those) for name, those in runs.items()}
    first = median(run.first for run in runs["ask"] if run.first is not None)
    found: list[Figure] = [
        ("ask, until the first line", first, "<= 0.5", "s"),
        ("ask, until the answer", wall["ask"], None, "s"),
    ]
    for name, bar in (("import transformers", None), ("import Llama", "<= 1.3"), ("generate", "<= 1.3")):
        title = {
            "import transformers": "`import transformers`, which loads no model class",
            "import Llama": "the imports of a Llama model and tokenizer",
            "generate": "loading the plain language model and generating",
        }[name]
        found.append((f"ask, processor time over {title}", processor["ask"] / processor[name], bar, "ratio"))
    more = wall["three questions"] - wall["ask"]
    found.append(("ask, each further question, time over the first", more / 2 / wall["ask"], None, "ratio"))
    for name in ("ask", "import transformers", "import Llama", "generate"):
        found.append((f"{name}, processor time", processor[name], None, "s"))
    for name in ("--help", "ask --help", "error"):
        title = "an error about bad input" if name == "error" else name
        found.append((f"{title}, processor time", processor[name], "<= 0.2" if name != "error" else None, "s"))
        found.append((title, wall[name], None, "s"))
    found += [(name, wall[name], None, "s") for name in ("measure", "info", "questions", "plot")]
    return found


def make_times(clone: Path) -> dict[str, float]:
    """Seconds of the Makefile's targets in a clone, after its installation."""
    run(["make", "venv"], clone)
    return {target: run(["make", target], clone).wall for target in TARGETS}


def main(argv: list[str] | None = None) -> int:
    """Measure, print and write. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=7, metavar="N", help="default: 7")
    parser.add_argument("--clone", type=Path, metavar="DIR", help="a fresh clone, for --make")
    parser.add_argument("--make", action="store_true", help="run `make demo`, `make test`, `make demo-train` there")
    for target in TARGETS:
        parser.add_argument(f"--{target}", type=float, metavar="SECONDS", help=f"of `make {target}`, as measured")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks" / "results" / "first_minutes.json")
    args = parser.parse_args(argv)
    if args.make and args.clone is None:
        parser.error("--make needs --clone")
    if args.repetitions < 1:
        parser.error("--repetitions is at least 1")
    from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results

    runs: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        asked = commands(Path(scratch))
        for command, code in asked.values():  # what is read from the disk for the first time does not count
            run(command, Path(scratch), code)
        for _ in range(args.repetitions):
            for name, (command, code) in asked.items():
                runs.setdefault(name, []).append(run(command, Path(scratch), code))
    data = f"example:af, median of {args.repetitions} runs in turn"
    measured = [(*figure, data) for figure in figures(runs)]
    targets = {target: getattr(args, target.replace("-", "_")) for target in TARGETS}
    if args.make:
        targets |= make_times(args.clone)
    for target, seconds in targets.items():
        if seconds is not None:
            measured.append((f"make {target}, after installation", seconds, TARGETS[target], "s", "a fresh clone"))
    facts = {
        "command": "python benchmarks/first_minutes.py",
        "commit": current_commit(REPOSITORY),
        "machine": machine_words(),
    }
    rows = [
        Result(name=name, value=round(value, 4), interval=None, target=bar, unit=unit, data=on, **facts)
        for name, value, bar, unit, on in measured
    ]
    for row in rows:
        print(f"{row.name:<75} {row.value:10.4g} {row.unit:<6} {row.target or ''}")
    write_results(args.results, rows)
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "first_minutes"))
