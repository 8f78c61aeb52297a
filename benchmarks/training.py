"""Speed of stages 2 and 3 in one run: the public code's way, its rows from cached codes, and ours.

    python benchmarks/training.py --ptbxl build/ptb-xl --tokens build/tokens

All ways train the same untrained decoder, that of the embedded checkpoint, with the same optimiser. The public way
reads and encodes recordings at every step; it is timed with the published codec (random weights, recordings of 500 Hz)
and, where the ways are to be compared by what they learn, with ours, which is faster. The public rows of a record
supervise 58 of 313 codes, ours every code, so records a second also stand at equal shares of supervised codes. In part
`forecast` each way trains for --minutes, and is judged now and then, off the clock, by the forecast score of fold 9
(benchmarks/forecast.py). Writes benchmarks/results/training.json, after each part.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from benchmarks import forecast  # noqa: E402
from benchmarks.codec import interleaved  # noqa: E402
from benchmarks.reference_training import (  # noqa: E402
    Batch,
    Encode,
    Marks,
    forecast_batch,
    labelled,
    our_encoder,
    published_encoder,
    question_batch,
)
from benchmarks.training_material import FOLDS, Material, read_material, untrained  # noqa: E402
from hf_heartllm.data.record import Record  # noqa: E402
from hf_heartllm.models.prompts import IGNORE_INDEX, TrainingRow  # noqa: E402

AS_PUBLISHED, PUBLIC, CACHED, OURS = "public code", "public code, our codec", "its rows from cached codes", "ours"
PUBLISHED_CODES = 1296
RECORDS, ROWS = 8, 10
"""Of a step of stage 2, and of a step of stage 3 in the public code."""
QUESTIONS, REPORTS, LONGEST = 8, 0.3, 640
"""Of a record in stage 3, as in finetune_tiny.yaml."""
LEARNING_RATE, WARM_UP = 1e-3, 20
"""The rate is that of pretrain_tiny.yaml, and constant: the ways take different numbers of steps. So that the slower
are not held back, the warm-up is a fifth of the recipe's."""
EVALUATIONS = 12
PARTS = ("speed", "forecast", "questions", "padding")
Found = list[tuple[str, float, str, str | None]]
"""Name, value, unit, target."""


def untrained_by_seed(material: Material, size: int | None = None, seed: int = 0) -> torch.nn.Module:
    """The same weights for each way."""
    torch.manual_seed(seed)
    model: torch.nn.Module = untrained(material, size)
    return model


def fast_records(ptbxl: Path, material: Material) -> dict[str, Record]:
    """Those of the trained-on records that are there at 500 Hz, by `record_id`."""
    from hf_heartllm.data import open_records

    known = {row["record_id"] for row in material.train}
    fast = open_records(ptbxl, sampling_rate=500, splits=FOLDS)
    return {one.record_id: one for one in fast if one.record_id in known and one.files}


class Step:
    """One step of training after the other: loss, backward, AdamW.

    Args:
        model: that is trained.
        batches: endless.
        loss: of a model and a batch; by default the model's own, with logits at every position.
    """

    def __init__(
        self, model: torch.nn.Module, batches: Iterator[Batch], loss: Callable[[Any, Batch], torch.Tensor] | None = None
    ) -> None:
        self.model, self.batches = model, batches
        self.loss = loss or (lambda model, batch: model(**batch, use_cache=False).loss)
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.05)
        warm_up = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: min(1.0, (step + 1) / WARM_UP))
        self.schedule = warm_up

    def __call__(self) -> None:
        self.optimizer.zero_grad()
        self.loss(self.model, next(self.batches)).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()


def endless(items: Sequence[Any], size: int, seed: int = 0) -> Iterator[list[Any]]:
    """`size` items at a time, in another random order each time round."""
    rng = random.Random(seed)
    drawn = itertools.chain.from_iterable(rng.sample(items, len(items)) for _ in itertools.count())
    while True:
        yield list(itertools.islice(drawn, size))


def public_forecasts(encode: Encode, records: Sequence[Record], marks: Marks) -> Iterator[Batch]:
    """Stage 2 as in the public code."""
    rng = random.Random(42)
    for some in endless(records, RECORDS):
        yield forecast_batch(encode(some), marks, rng)


def stage_two(
    way: str, material: Material, fast: Mapping[str, Record] | None = None
) -> tuple[Iterator[Batch], int | None]:
    """Batches of a way, and the size of its vocabulary where it is another than the tokenizer's."""
    tokenizer, marks = material.tokenizer, Marks.of(material.tokenizer)
    ids = [row["record_id"] for row in material.train]
    if way == AS_PUBLISHED:
        records = list((fast or {}).values())
        return public_forecasts(published_encoder(), records, marks), marks.offset + PUBLISHED_CODES
    if way == PUBLIC:
        return public_forecasts(our_encoder(tokenizer), [material.records[one] for one in ids], marks), None
    if way == CACHED:

        def look_up(records: Sequence[Record]) -> np.ndarray:
            return np.stack([material.codes[one.record_id] for one in records])

        return public_forecasts(look_up, [material.records[one] for one in ids], marks), None
    from hf_heartllm.training.examples import ForecastDataset
    from hf_heartllm.training.packing import PackedCollator

    dataset = ForecastDataset([material.codes[one] for one in ids], tokenizer)
    collate = PackedCollator(tokenizer.pad_token_id)
    return (collate([dataset[i] for i in some]) for some in endless(range(len(dataset)), RECORDS)), None


def supervised_share(batch: Batch, tokens: int) -> float:
    """Share of a record's codes that a batch of stage 2 supervises."""
    ends = RECORDS if batch["labels"].shape[0] == RECORDS else 0  # ours also learns where an ECG ends
    return (labelled(batch) - ends) / RECORDS / tokens


def stage_two_speed(material: Material, fast: Mapping[str, Record], repetitions: int) -> Found:
    """Records a second of stage 2."""
    ways = ([AS_PUBLISHED] if fast else []) + [PUBLIC, CACHED, OURS]
    steps: dict[str, Callable[[], object]] = {}
    shares: dict[str, float] = {}
    found: Found = []
    for way in ways:
        batches, size = stage_two(way, material, fast)
        first = next(batches)
        codes = 313 if way == AS_PUBLISHED else material.codes[material.train[0]["record_id"]].size
        shares[way] = supervised_share(first, codes)
        pads = 1 - float(first["attention_mask"].float().mean())
        found.append((f"stage 2, labelled positions a record, {way}", labelled(first) / RECORDS, "tokens", None))
        found.append((f"stage 2, positions a record, {way}", first["labels"].numel() / RECORDS, "tokens", None))
        found.append((f"stage 2, padding, {way}", pads, "fraction", "<= 0.03" if way == OURS else None))
        steps[way] = Step(untrained_by_seed(material, size), batches)
    seconds = interleaved(steps, dict.fromkeys(ways, repetitions), "stage 2")
    equal = {way: RECORDS / seconds[way] * shares[way] / shares[ways[0]] for way in ways}
    for way in ways:
        found.append((f"stage 2, {way}", RECORDS / seconds[way], "records/s", None))
        found.append((f"stage 2, at equal supervised codes, {way}", equal[way], "records/s", None))
    for way in ways[:-1]:
        name = "stage 2, at equal supervised codes, ours over"
        target = ">= 3" if way in (AS_PUBLISHED, PUBLIC) else None
        found.append((f"{name} {way}", equal[OURS] / equal[way], "ratio", target))
    return found


@dataclass(frozen=True)
class Judged:
    """A way's scores after some training.

    Attributes:
        seconds: of training, evaluations not counted.
        steps: likewise.
        scores: of each recording.
    """

    seconds: float
    steps: int
    scores: forecast.Scores

    def mean(self, measure: str) -> float:
        """Over the recordings that have one."""
        return float(np.nanmean(self.scores[measure]))


def train_and_judge(way: str, material: Material, held: forecast.HeldOut, minutes: float) -> list[Judged]:
    """Train for some minutes, judged at times that grow by a factor."""
    batches, _ = stage_two(way, material)
    step, marks = Step(untrained_by_seed(material), batches), Marks.of(material.tokenizer)
    prefix = [marks.start] if way == OURS else [marks.bos, marks.start]
    size, spent, steps = material.tokenizer.ecg_codebook_size, 0.0, 0
    found: list[Judged] = []
    for until in 60 * np.geomspace(minutes / 40, minutes, EVALUATIONS):
        while spent < until:
            started = time.perf_counter()
            step()
            spent, steps = spent + time.perf_counter() - started, steps + 1
        if found and found[-1].steps == steps:
            continue  # a step took longer than the time between two evaluations
        found.append(Judged(spent, steps, forecast.of_model(step.model, held, prefix, marks.offset, size)))
        said = ", ".join(f"{name} {found[-1].mean(name):.3f}" for name in forecast.UNITS)
        print(f"{way}: {spent:.0f} s, {steps} steps: {said}", flush=True)
    return found


def time_until(judged: Sequence[Judged], measure: str, wanted: float) -> float:
    """Seconds of training until a score is reached, between two evaluations by a straight line; NaN if it never is."""
    before: Judged | None = None
    for one in judged:
        value = one.mean(measure)
        if value <= wanted:
            if before is None or before.mean(measure) == value:
                return one.seconds
            share = (before.mean(measure) - wanted) / (before.mean(measure) - value)
            return before.seconds + share * (one.seconds - before.seconds)
        before = one
    return math.nan


def forecast_scores(material: Material, minutes: float) -> tuple[list[Any], Found, int]:
    """Scores with their intervals, times to the public code's score, and the number of recordings."""
    from hf_heartllm.evaluation.intervals import Bootstrap
    from hf_heartllm.evaluation.results import Result

    judged = [material.records[row["record_id"]] for row in material.judged]
    held = forecast.held_out(judged, material.codes, material.tokenizer)
    beats, codec = forecast.of_last_beats(held), forecast.of_true_codes(held)
    ways = {way: train_and_judge(way, material, held, minutes) for way in (PUBLIC, CACHED, OURS)}
    last: dict[str, forecast.Scores] = {way: judged[-1].scores for way, judged in ways.items()}
    last |= {"repeat the last beats": beats, "true codes, decoded": codec}
    boot, found, scored = Bootstrap(held.patients), Found(), []
    for measure, unit in forecast.UNITS.items():
        of_all = {name: _mean(boot, one[measure]) for name, one in last.items() if measure in one}
        scored += [Result.of(f"forecast, {measure}, {name}", one, unit=unit) for name, one in of_all.items()]
        if measure in beats:
            less = of_all[OURS].minus(of_all["repeat the last beats"])
            scored.append(Result.of(f"forecast, {measure}, ours less repeat the last beats", less, unit=unit))
        wanted = ways[PUBLIC][-1].mean(measure)
        times = {way: time_until(judged, measure, wanted) for way, judged in ways.items()}
        if times[PUBLIC] <= ways[PUBLIC][0].seconds:
            print(f"{PUBLIC}: {measure} did not get better in {minutes:g} minutes: no time to compare", flush=True)
            continue
        for way, value in times.items():
            if math.isnan(value):
                print(f"{way}: {measure} {wanted:.3f} is not reached in {minutes:g} minutes", flush=True)
            else:
                found.append((f"forecast, time to {measure} of {PUBLIC}, {way}", value, "s", None))
                if way != PUBLIC:
                    name = f"forecast, time to {measure}, {PUBLIC} over {way}"
                    found.append((name, times[PUBLIC] / value, "ratio", ">= 3" if way == OURS else None))
    return scored, found, len(held.patients)


def _mean(boot: Any, values: np.ndarray) -> Any:
    known = ~np.isnan(values)
    return boot.mean(np.nan_to_num(values), known.astype(float))


def loss_of_labels(model: Any, batch: Batch) -> torch.Tensor:
    """The loss of the labelled tokens, with logits there alone, as stage 3 has it."""
    shown = {name: value for name, value in batch.items() if name in ("input_ids", "attention_mask", "position_ids")}
    hidden = model.base_model(**shown, use_cache=False).last_hidden_state
    following = batch["labels"][:, 1:]
    places = following != IGNORE_INDEX
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[:, :-1][places]), following[places])


def question_prompts(material: Material, ids: set[str]) -> list[tuple[str, Callable[[Sequence[int]], TrainingRow]]]:
    """A row for each question, and each report, of some records, in the words of our examples."""
    from hf_heartllm.training.examples import REPORT_REQUESTS
    from hf_heartllm.training.packing import QuestionPrompts

    prompts = QuestionPrompts(material.tokenizer)

    def row(question: str, answer: str, ecg_ids: Sequence[int]) -> TrainingRow:
        prefix, turn = prompts.prefix(ecg_ids), prompts.turn(question, answer)
        return TrainingRow([*prefix, *turn.ids], [IGNORE_INDEX] * len(prefix) + turn.labels)

    found: list[tuple[str, Callable[[Sequence[int]], TrainingRow]]] = []
    for one in material.train:
        if one["record_id"] in ids:
            asked = [(question.text, question.answer) for question in one["questions"]]
            asked += [(REPORT_REQUESTS[0], one["report"])] if one.get("report") else []
            found += [(one["record_id"], partial(row, *pair)) for pair in asked]
    return found


def public_questions(
    encode: Encode, material: Material, records: Mapping[str, Record], marks: Marks
) -> Iterator[Batch]:
    """Stage 3 as in the public code: rows in random order, each with its recording encoded anew."""
    for some in endless(question_prompts(material, set(records)), ROWS):
        codes = encode([records[name] for name, _ in some])
        yield question_batch(codes, [prompt for _, prompt in some], marks)


def our_examples(material: Material) -> Any:
    """The examples of stage 3."""
    from hf_heartllm.training.examples import QuestionDataset
    from hf_heartllm.training.packing import QuestionPrompts

    prompts = QuestionPrompts(material.tokenizer, 1)
    return QuestionDataset(list(material.train), material.codes, prompts, QUESTIONS, LONGEST, REPORTS)


def our_questions(material: Material) -> Iterator[Batch]:
    """Stage 3 as in ours: the questions of a record behind one ECG, records of about one length together."""
    from hf_heartllm.training.length_groups import LengthGroups
    from hf_heartllm.training.packing import PackedCollator

    examples, collate = our_examples(material), PackedCollator(material.tokenizer.pad_token_id)
    while True:
        order = iter(LengthGroups(examples, RECORDS))
        while some := list(itertools.islice(order, RECORDS)):
            yield collate([examples[index] for index in some])
        examples.epoch += 1


def stage_three_speed(material: Material, fast: Mapping[str, Record], repetitions: int) -> Found:
    """Rows (questions and reports) a second of stage 3."""
    marks, size = Marks.of(material.tokenizer), Marks.of(material.tokenizer).offset + PUBLISHED_CODES
    batches: dict[str, Iterator[Batch]] = {}
    if fast:
        batches[AS_PUBLISHED] = public_questions(published_encoder(), material, fast, marks)
    slow = {row["record_id"]: material.records[row["record_id"]] for row in material.train}
    batches[PUBLIC] = public_questions(our_encoder(material.tokenizer), material, slow, marks)
    batches[OURS] = our_questions(material)
    rows: dict[str, list[int]] = {way: [] for way in batches}

    def counted(way: str) -> Iterator[Batch]:
        for batch in batches[way]:
            # every row ends with a labelled end of its turn
            rows[way].append(int((batch["labels"] == marks.eos).sum()))
            yield batch

    steps: dict[str, Callable[[], object]] = {
        way: Step(
            untrained_by_seed(material, size if way == AS_PUBLISHED else None),
            counted(way),
            loss_of_labels if way == OURS else None,
        )
        for way in batches
    }
    # ours is timed over as many steps as hold batches of all lengths
    seconds = interleaved(steps, {way: repetitions * (3 if way == OURS else 1) for way in steps}, "stage 3")
    speeds = {way: float(np.mean(rows[way])) / seconds[way] for way in steps}
    found: Found = [(f"stage 3, {way}", speed, "rows/s", None) for way, speed in speeds.items()]
    found += [
        (f"stage 3, ours over {way}", speeds[OURS] / speeds[way], "ratio", ">= 3") for way in speeds if way != OURS
    ]
    return found


def padding(material: Material, most: int) -> Found:
    """Share of padding in stage 3, in random order and in groups of one length."""
    from hf_heartllm.training.length_groups import LengthGroups

    examples = our_examples(material)
    del examples.rows[most:]
    lengths = [examples.length(index) for index in range(len(examples))]
    orders = {
        "random order": random.Random(0).sample(range(len(lengths)), len(lengths)),
        "by length": list(LengthGroups(examples, RECORDS)),
    }
    found: Found = []
    for name, order in orders.items():
        batches = [[lengths[i] for i in order[first : first + RECORDS]] for first in range(0, len(order), RECORDS)]
        waste = 1 - sum(lengths) / sum(max(batch) * len(batch) for batch in batches)
        found.append((f"stage 3, padding, {name}", waste, "fraction", "<= 0.03" if name == "by length" else None))
    return found


def _refused(error: Exception) -> int:
    print("error:", *str(error).split(), file=sys.stderr)
    return 2


def _command(parser: argparse.ArgumentParser, args: argparse.Namespace) -> str:
    """As it was run, for others to repeat."""
    words = ["python benchmarks/training.py --ptbxl DIR --tokens DIR"]
    for name in ("model", "parts", "minutes", "repetitions", "judged", "threads"):
        value = getattr(args, name)
        if value != parser.get_default(name):
            words.append(f"--{name} {' '.join(value) if isinstance(value, list) else value}")
    return " ".join(words)


def main(argv: list[str] | None = None) -> int:
    """Measure, print and write. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptbxl", required=True, type=Path, help="folder of PTB-XL")
    parser.add_argument("--tokens", required=True, type=Path, help="folder of dataset_builders.ecg_tokens, folds 1-9")
    parser.add_argument("--model", help="checkpoint whose decoder, codec and words are used; default: the embedded one")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="default: all")
    parser.add_argument(
        "--minutes", type=float, default=8.0, help="of training of each way in part forecast; default: 8"
    )
    parser.add_argument("--repetitions", type=int, default=15, help="steps that are timed; default: 15")
    parser.add_argument("--judged", type=int, default=200, help="recordings of the forecast score; default: 200")
    parser.add_argument("--threads", type=int, default=2, help="default: 2")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks" / "results" / "training.json")
    args = parser.parse_args(argv)
    from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results

    if args.minutes <= 0 or min(args.repetitions, args.judged, args.threads) < 1:
        parser.error("--minutes, --repetitions, --judged and --threads are above 0")
    torch.set_num_threads(args.threads)
    try:
        material = read_material(args.ptbxl, args.tokens, args.model, judged=args.judged)
        fast = fast_records(args.ptbxl, material)
    except (OSError, ValueError) as error:
        return _refused(error)
    facts = {
        "command": _command(parser, args),
        "commit": current_commit(REPOSITORY),
        "machine": machine_words(),
    }
    trained_on = f"PTB-XL, folds 1-8, {len(material.train):,} records, {args.threads} thread{'s' * (args.threads != 1)}"
    for part in args.parts:
        scored: list[Result] = []
        data = trained_on
        try:
            if part == "speed":
                found = stage_two_speed(material, fast, args.repetitions)
            elif part == "questions":
                found = stage_three_speed(material, fast, args.repetitions)
            elif part == "padding":
                found = padding(material, 2000)
            else:
                scored, found, judged = forecast_scores(material, args.minutes)
        except (OSError, ValueError) as error:
            return _refused(error)
        if part == "forecast":
            data = f"{trained_on}, {args.minutes:g} minutes of each way; judged on {judged} records of fold 9"
        rows = [Result(**{**one.rounded(4).document(), **facts, "data": data}) for one in scored]
        rows += [
            Result(name=name, value=round(value, 4), interval=None, target=target, unit=unit, data=data, **facts)
            for name, value, unit, target in found
        ]
        for row in rows:
            ends = f" ({row.interval[0]:.4g} to {row.interval[1]:.4g})" if row.interval else ""
            print(f"{row.name:<80} {row.value:10.4g}{ends} {row.unit}  {row.target or ''}".rstrip(), flush=True)
        write_results(args.results, rows)
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "training"))
