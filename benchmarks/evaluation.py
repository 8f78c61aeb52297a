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
EcgIds = Callable[[Any], list[int]]
"""Token ids of a record's ECG."""

SHARED, PROMPTS, ANSWERS = "shared ECG", "one prompt at a time", "one answer at a time"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="checkpoint folder (default: the embedded one)")
    parser.add_argument("--questions", required=True, type=Path, help="of dataset_builders.evaluation_questions")
    parser.add_argument("--ptbxl", type=Path, help="folder of PTB-XL; not needed with --tokens")
    parser.add_argument("--tokens", type=Path, help="codes made with the checkpoint's codec")
    parser.add_argument("--records", type=int, default=120, help="records of the shared way; default: 120")
    parser.add_argument("--repetitions", type=int, default=3, help="the ways take turns this often; default: 3")
    parser.add_argument("--threads", type=int, help="of torch; default: its own choice")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks/results/evaluation.json")
    parser.add_argument("--no-results", action="store_true", help="write no results")
    args = parser.parse_args(argv)
    if not args.ptbxl and not args.tokens:
        parser.error("give --ptbxl or --tokens")
    return args


def one_prompt_at_a_time(
    model: Any, tokenizer: Any, records: Sequence[Any], ecg_ids: Callable[[Any], Any]
) -> list[Any]:
    """Log-likelihoods of each question, float64 (answers,)."""
    from hf_heartllm.evaluation.scoring import question_prompt, score_answers

    return [
        score_answers(model, tokenizer, question_prompt(tokenizer, ecg_ids(one), q.question), q.answers).log_likelihoods
        for one in records
        for q in one.questions
    ]


def one_answer_at_a_time(
    model: Any, tokenizer: Any, records: Sequence[Any], ecg_ids: Callable[[Any], Any]
) -> list[Any]:
    """The same, each answer behind its own copy of ECG and question."""
    import torch

    from hf_heartllm.evaluation.scoring import question_prompt

    found = []
    for one in records:
        for question in one.questions:
            prompt = question_prompt(tokenizer, ecg_ids(one), question.question)
            totals = []
            for answer in question.answers:
                said = [*tokenizer.encode(answer, add_special_tokens=False), tokenizer.eos_token_id]
                with torch.inference_mode():
                    logits = model(input_ids=torch.tensor([[*prompt, *said[:-1]]])).logits[0, len(prompt) - 1 :]
                totals.append(float(logits.double().log_softmax(-1)[range(len(said)), said].sum()))
            found.append(np.array(totals))
    return found


def shared(model: Any, tokenizer: Any, records: Sequence[Any], ecg_ids: EcgIds) -> list[Any]:
    """The same, as `heartllm evaluate qa` does it."""
    from hf_heartllm.evaluation import heldout

    with tempfile.TemporaryDirectory() as folder:
        found = heldout.evaluate(model, tokenizer, records, ecg_ids, folder, conditions=(heldout.REAL,), progress=False)
    return [np.array(scores) for one in records for scores in found[one.ecg_id, heldout.REAL]]


def main(argv: list[str] | None = None) -> int:
    """Measure, print and write the rows. Returns the exit code."""
    args = parse(argv)
    import torch

    from hf_heartllm.evaluation.facts import ecg_source, question_facts
    from hf_heartllm.evaluation.question_file import evenly_spaced, read_questions
    from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results
    from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
    from hf_heartllm.models.pipeline_ecg import default_checkpoint
    from hf_heartllm.models.tokenization_heartllm import ECGTokenizer

    if args.threads:
        torch.set_num_threads(args.threads)
    source = args.model or default_checkpoint()
    tokenizer = ECGTokenizer.from_pretrained(source)
    model = HeartLLMForCausalLM.from_pretrained(source).eval()
    whole = read_questions(args.questions)
    records = evenly_spaced(whole, args.records)
    try:
        read, _ = ecg_source(tokenizer, args.ptbxl, args.tokens, 100)
        ids = {one.ecg_id: read(one) for one in records}  # encoding is not what is timed
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    ways = {SHARED: (shared, records), PROMPTS: (one_prompt_at_a_time, evenly_spaced(records, len(records) // 4))}
    ways[ANSWERS] = (one_answer_at_a_time, evenly_spaced(records, max(1, len(records) // 20)))
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    scores: dict[str, dict[int, list[Any]]] = {}
    for turn in range(args.repetitions + 1):
        for name, (score, asked) in ways.items():
            used = asked if turn else asked[: max(1, len(asked) // 10)]  # the first turn warms up
            start = time.perf_counter()
            found = score(model, tokenizer, used, lambda one: ids[one.ecg_id])
            if turn:
                seconds[name].append(time.perf_counter() - start)
                scores[name] = _by_record(used, found)
    for name in (PROMPTS, ANSWERS):
        for ecg_id, rows in scores[name].items():
            for one, other in zip(rows, scores[SHARED][ecg_id], strict=True):
                np.testing.assert_allclose(one, other, atol=2e-3)

    counts = {name: sum(len(one.questions) for one in asked) for name, (_, asked) in ways.items()}
    speeds = {name: counts[name] / float(np.median(seconds[name])) for name in ways}
    facts = question_facts(args.questions, whole, records)
    common: dict[str, Any] = {
        "data": f"questions {facts['hash']}, {facts['records']} records, {facts['asked']} questions, "
        f"{len(next(iter(ids.values())))} ECG tokens a record, median of {args.repetitions} rounds",
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


def _by_record(records: Sequence[Any], found: Sequence[Any]) -> dict[int, list[Any]]:
    left = iter(found)
    return {one.ecg_id: [next(left) for _ in one.questions] for one in records}


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "evaluation"))
