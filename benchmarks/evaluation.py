"""Questions a second: with the ECG shared by its questions, against one prompt at a time, in one run.

python benchmarks/evaluation.py --ptbxl DIR --questions build/fold9.parquet

Three ways give the same scores of the same closed answer sets:

* shared: all questions of a record behind one ECG, several records in a pass (`heartllm evaluate qa`);
* one prompt at a time: each question with its own copy of the ECG, its answers behind it as one batch;
* one answer at a time: each question with each answer as a row of its own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED, PROMPTS, ANSWERS = "shared ECG", "one prompt at a time", "one answer at a time"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="checkpoint folder (default: the embedded one)")
    parser.add_argument("--questions", required=True, type=Path, help="of dataset_builders.evaluation_questions")
    parser.add_argument("--ptbxl", type=Path, required=True, help="folder of PTB-XL")
    parser.add_argument("--tokens", type=Path, help="codes made with the checkpoint's codec")
    parser.add_argument("--records", type=int, default=120, help="records of the shared way; default: 120")
    parser.add_argument("--repetitions", type=int, default=3, help="the ways take turns this often; default: 3")
    parser.add_argument("--threads", type=int, help="of torch; default: its own choice")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks/results/evaluation.json")
    parser.add_argument("--no-results", action="store_true", help="write no results")
    args = parser.parse_args(argv)
    return args


def one_prompt_at_a_time(answerer: Any, asked: Sequence[Any], ecg_of: Callable[[Any], Any]) -> list[Any]:
    """Log-likelihoods of each question, float64 (answers,)."""
    from hf_heartllm.inference import Prompt

    return [
        answerer.score([Prompt(ecg_of(one.record), question.text)], [question.answer_set])[0].log_likelihoods
        for one in asked
        for question in one.questions
    ]


def one_answer_at_a_time(answerer: Any, asked: Sequence[Any], ecg_of: Callable[[Any], Any]) -> list[Any]:
    """The same, each answer behind its own copy of ECG and question."""
    from hf_heartllm.inference import Prompt

    return [
        np.concatenate(
            [
                answerer.score([Prompt(ecg_of(one.record), question.text)], [(answer,)])[0].log_likelihoods
                for answer in question.answer_set
            ]
        )
        for one in asked
        for question in one.questions
    ]


def shared(answerer: Any, asked: Sequence[Any], ecg_of: Callable[[Any], Any]) -> list[Any]:
    """The same, as `heartllm evaluate qa` does it."""
    from hf_heartllm.evaluation.answering import Asker, answer_questions
    from hf_heartllm.evaluation.conditions import REAL
    from hf_heartllm.evaluation.provenance import Checkpoint

    with tempfile.TemporaryDirectory() as folder:
        asker = Asker(Checkpoint(answerer, ""), ecg_of, "", Path(folder), progress=False)
        found = answer_questions(asker, asked, (REAL,))
    return [np.array(scores) for one in asked for scores in found[one.record_id, REAL]]


def main(argv: list[str] | None = None) -> int:
    """Measure, print and write the rows. Returns the exit code."""
    args = parse(argv)
    import torch

    from hf_heartllm.data.sources import open_records
    from hf_heartllm.evaluation.answering import asker_of
    from hf_heartllm.evaluation.provenance import Checkpoint, question_facts
    from hf_heartllm.evaluation.question_file import evenly_spaced, read_questions
    from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results
    from hf_heartllm.inference import load_answerer

    if args.threads:
        torch.set_num_threads(args.threads)
    answerer = load_answerer(args.model)
    try:
        whole = read_questions(args.questions, open_records(args.ptbxl)).asked
        records = evenly_spaced(whole, args.records)
        ecg_of = asker_of(Checkpoint(answerer, ""), args.tokens, "", Path()).ecg_of
        for one in records:
            ecg_of(one.record)  # encoding is not what is timed
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    ways = {SHARED: (shared, records), PROMPTS: (one_prompt_at_a_time, evenly_spaced(records, len(records) // 4))}
    ways[ANSWERS] = (one_answer_at_a_time, evenly_spaced(records, max(1, len(records) // 20)))
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    scores: dict[str, dict[str, list[Any]]] = {}
    for turn in range(args.repetitions + 1):
        for name, (score, asked) in ways.items():
            used = asked if turn else asked[: max(1, len(asked) // 10)]  # the first turn warms up
            start = time.perf_counter()
            found = score(answerer, used, ecg_of)
            if turn:
                seconds[name].append(time.perf_counter() - start)
                scores[name] = _by_record(used, found)
    for name in (PROMPTS, ANSWERS):
        for record_id, rows in scores[name].items():
            for one, other in zip(rows, scores[SHARED][record_id], strict=True):
                np.testing.assert_allclose(one, other, atol=2e-3)

    counts = {name: sum(len(one.questions) for one in asked) for name, (_, asked) in ways.items()}
    speeds = {name: counts[name] / float(np.median(seconds[name])) for name in ways}
    facts = question_facts(args.questions, whole, records)
    common: dict[str, Any] = {
        "data": f"questions {facts['hash']}, {facts['records']} records, {facts['asked']} questions, "
        f"median of {args.repetitions} rounds",
        "command": f"python benchmarks/evaluation.py {'--tokens PATH' if args.tokens else '--ptbxl DIR'} "
        f"--questions {args.questions.name} --records {args.records} --repetitions {args.repetitions}"
        + (f" --threads {args.threads}" if args.threads else ""),
        "commit": current_commit(REPOSITORY),
        "machine": machine_words(),
    }
    rows = [
        Result(f"scoring speed, {name}", round(speed, 1), None, None, "questions/s", **common)
        for name, speed in speeds.items()
    ]
    for name, bar in ((PROMPTS, ">= 5"), (ANSWERS, None)):
        ratio = round(speeds[SHARED] / speeds[name], 2)
        rows.append(Result(f"scoring speed, {SHARED} over {name}", ratio, None, bar, "times", **common))
    for row in rows:
        print(f"{row.name:<60} {row.value:9.2f} {row.unit}  {row.target or ''}")
    if not args.no_results:
        write_results(args.results, rows)
        print(f"written to {args.results}")
    return 0


def _by_record(records: Sequence[Any], found: Sequence[Any]) -> dict[str, list[Any]]:
    left = iter(found)
    return {one.record_id: [next(left) for _ in one.questions] for one in records}


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "evaluation"))
