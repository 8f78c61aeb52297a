"""The ablations of the HeartLLM paper (arXiv:2508.15338, Figure 3), for the tiny decoder: w/o TAB, w/o FT, w/o DISC.

    python benchmarks/ablations.py --ptbxl build/ptb-xl --tokens build/tokens --output build/ablations

TAB is the patient's background (age, sex, height, weight) in front of questions and report requests; FT is stage 2,
forecasting of ECG tokens; DISC is the codes: without it the language model reads the same encoder's output, not
rounded, through a learned projection, and stage 2 forecasts that output. The paper names these parts in its figure
without values that are at hand, so the table is ours alone. Stages 2 and 3 are those of pretrain_tiny.yaml and
finetune_tiny.yaml with fewer steps; every arm of a seed begins with the same weights and draws the same questions.

Judged on questions with a closed answer set about fold 9. Each finished run is kept in --output, so the command may be
run again after an interruption. The table is printed, drawn as ablations.svg there, and written to
benchmarks/results/ablations.json once every arm has every seed.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from benchmarks.continuous_ecg import (  # noqa: E402
    LatentEmbedding,
    LatentForecast,
    PlacesForCodes,
    read_latents,
)
from hf_heartllm.data.record import Record  # noqa: E402
from hf_heartllm.models.prompts import background_text  # noqa: E402
from hf_heartllm.training.statement_turns import Turn  # noqa: E402

FULL, NO_TAB, NO_FT, NO_DISC = "full", "w/o TAB", "w/o FT", "w/o DISC"
ARMS = (FULL, NO_TAB, NO_FT, NO_DISC)
EXACT, AUROC = "exact match", "AUROC of yes/no"
RECIPES = REPOSITORY / "hf_heartllm" / "recipes"
JUDGED_QUESTIONS = 16
"""Of a record, at most."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """What decides a run beside its arm and seed.

    Attributes:
        forecast_steps: of stage 2.
        question_steps: of stage 3.
        max_records: of folds 1 to 8, drawn; None: all.
        judged: records of fold 9, drawn; None: all.
        codec: its fingerprint.
        decoder: sizes of the language model.
    """

    forecast_steps: int
    question_steps: int
    max_records: int | None
    judged: int | None
    codec: str
    decoder: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return json.loads(json.dumps(vars(self)))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Material:
    """What every arm has.

    Attributes:
        tokenizer: of the checkpoint.
        decoder: its language model's configuration.
        train: rows of folds 1 to 8.
        judged: rows of fold 9.
        codes: by `record_id`.
        records: likewise.
        backgrounds: likewise.
    """

    tokenizer: Any
    decoder: Any
    train: Sequence[Row]
    judged: Sequence[Row]
    codes: Mapping[str, np.ndarray]
    records: Mapping[str, Record]
    backgrounds: Mapping[str, str]


def read_material(ptbxl: Path, tokens: Path, checkpoint: str | None, most: int | None, judged: int | None) -> Material:
    """Rows with codes and records.

    Raises:
        ValueError: if there are none to train or to judge on.
    """
    from transformers import AutoConfig

    import hf_heartllm as hl
    from hf_heartllm.data import open_records
    from hf_heartllm.data.token_file import load_codes, load_rows
    from hf_heartllm.models.tokenization_heartllm import ECGTokenizer

    folder = checkpoint or str(hl.checkpoint())
    tokenizer = ECGTokenizer.from_pretrained(folder)
    codes = load_codes(tokens, tokenizer.codec.fingerprint())
    folds = dict.fromkeys(range(1, 9), "train") | {9: "test"}
    records = {one.record_id: one for one in open_records(ptbxl, splits=folds) if one.files}
    rows = [row for row in load_rows(tokens) if row["record_id"] in codes and row["record_id"] in records]
    of_split: dict[str, list[Row]] = {"train": [], "test": []}
    for row in rows:
        of_split[records[row["record_id"]].split].append(row)
    draw = random.Random(0)
    chosen = {
        split: found if count is None else draw.sample(found, min(count, len(found)))
        for (split, found), count in zip(of_split.items(), (most, judged), strict=True)
    }
    if not all(chosen.values()):
        raise ValueError(f"{tokens}: {len(chosen['train'])} records of folds 1-8 and {len(chosen['test'])} of fold 9")
    used = {row["record_id"] for found in chosen.values() for row in found}
    records = {name: one for name, one in records.items() if name in used}
    backgrounds = {
        name: background_text(one.age or None, one.sex, one.height or None, one.weight or None)
        for name, one in records.items()
    }
    decoder = AutoConfig.from_pretrained(folder).text_config
    return Material(tokenizer, decoder, chosen["train"], chosen["test"], codes, records, backgrounds)


def told(row: Row, background: str) -> dict[str, Any]:
    """A row whose questions have the background in front; its report is asked for by `ReportTurns`."""
    questions = [replace(one, text=f"{background} {one.text}".strip()) for one in row["questions"]]
    return {**row, "questions": questions, "report": None}


class ReportTurns:
    """Draws the report of a record as one more question, behind the background (`QuestionDataset`'s `more`)."""

    def __init__(self, rows: Sequence[Row], backgrounds: Mapping[str, str], share: float) -> None:
        self._reports = {row["record_id"]: row["report"] for row in rows if row.get("report")}
        self._backgrounds, self._share = backgrounds, share

    def __call__(self, record_id: str, count: int, rng: random.Random) -> Sequence[Turn]:
        from hf_heartllm.training.examples import REPORT_REQUESTS

        if record_id not in self._reports or rng.random() >= self._share:
            return []
        request = f"{self._backgrounds.get(record_id, '')} {rng.choice(REPORT_REQUESTS)}".strip()
        return [Turn(request, self._reports[record_id])]


def run(arm: str, seed: int, material: Material, settings: Settings, output: Path) -> dict[str, Any]:
    """Train and judge one arm with one seed."""
    from transformers import AutoModelForCausalLM, set_seed

    from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM

    started = time.monotonic()
    set_seed(seed)
    config = copy.deepcopy(material.decoder)
    config.vocab_size = len(material.tokenizer)
    decoder = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model = HeartLLMForCausalLM.from_base(decoder, material.tokenizer, seed=seed)
    tokenizer, codes = material.tokenizer, material.codes
    if arm == NO_DISC:
        records = sorted(material.records.values(), key=lambda one: one.record_id)
        table, codes = read_latents(records, tokenizer, output / "latents.npz")
        embedding = LatentEmbedding(model.get_input_embeddings(), table)
        model.set_input_embeddings(embedding)
        tokenizer = PlacesForCodes(tokenizer, embedding.num_embeddings)
    backgrounds = {} if arm == NO_TAB else material.backgrounds
    with tempfile.TemporaryDirectory(dir=output, prefix=".running-") as scratch:
        if arm != NO_FT:
            of_train = [codes[row["record_id"]] for row in material.train if row["record_id"] in codes]
            forecast(model, tokenizer, of_train, settings, seed, Path(scratch))
        ask(model, tokenizer, material.train, codes, backgrounds, settings, seed, Path(scratch))
    judged = judge(model, tokenizer, material, codes, backgrounds)
    return {"arm": arm, "seed": seed, "settings": settings.document(), "minutes": (time.monotonic() - started) / 60,
            "questions": judged}  # fmt: skip


def forecast(
    model: Any, tokenizer: Any, codes: Sequence[np.ndarray], settings: Settings, seed: int, scratch: Path
) -> None:
    """Stage 2."""
    from transformers import Trainer, TrainingArguments

    from hf_heartllm.training.examples import ForecastDataset, PackedCollator
    from hf_heartllm.training.recipes import read_recipe
    from hf_heartllm.training.settings import PretrainRecipe
    from hf_heartllm.training.stages import training_arguments

    recipe = read_recipe(RECIPES / "pretrain_tiny.yaml", PretrainRecipe)
    arguments = _arguments(recipe.training, settings.forecast_steps, seed)
    continuous = isinstance(model.get_input_embeddings(), LatentEmbedding)
    Trainer(
        model=LatentForecast(model) if continuous else model,
        args=TrainingArguments(**training_arguments(arguments, scratch)),
        train_dataset=ForecastDataset(codes, tokenizer),
        data_collator=PackedCollator(tokenizer.pad_token_id),
    ).train()


def ask(
    model: Any,
    tokenizer: Any,
    rows: Sequence[Row],
    codes: Mapping[str, np.ndarray],
    backgrounds: Mapping[str, str],
    settings: Settings,
    seed: int,
    scratch: Path,
) -> None:
    """Stage 3."""
    from trl import SFTConfig

    from hf_heartllm.training.draws import EpochOfDraws
    from hf_heartllm.training.examples import (
        PackedCollator,
        QuestionDataset,
        QuestionPrompts,
        as_hub_dataset,
        frequent_statements,
        repeat_rows,
    )
    from hf_heartllm.training.recipes import read_recipe
    from hf_heartllm.training.settings import FinetuneRecipe
    from hf_heartllm.training.stages import training_arguments
    from hf_heartllm.training.teacher import SFTTrainerWithTeacher, remove_probe

    recipe = read_recipe(RECIPES / "finetune_tiny.yaml", FinetuneRecipe)
    data, probe = recipe.data, recipe.probe
    assert probe is not None  # the recipe has one
    arguments = _arguments(recipe.training, settings.question_steps, seed)
    statements = frequent_statements(rows, probe.at_least)
    dataset = QuestionDataset(
        repeat_rows([told(row, backgrounds.get(row["record_id"], "")) for row in rows], data.repeat or {}),
        codes,
        QuestionPrompts(tokenizer, data.labelled_prompt_tokens),
        max_questions=data.max_questions,
        max_length=data.max_length,
        report_share=0.0,
        seed=seed,
        statements=statements,
        more=ReportTurns(rows, backgrounds, data.report_share),
        num_more=1,
    )
    trainer = SFTTrainerWithTeacher(
        model=model,
        statements=len(statements),
        probe_weight=probe.weight,
        args=SFTConfig(
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
            **training_arguments(arguments, scratch),
        ),
        train_dataset=as_hub_dataset(dataset),
        data_collator=PackedCollator(tokenizer.pad_token_id),
        processing_class=tokenizer.tokenizer if isinstance(tokenizer, PlacesForCodes) else tokenizer,
        callbacks=[EpochOfDraws(dataset)],
        draws=dataset,
    )
    trainer.train()
    remove_probe(model)


def _arguments(of_recipe: Mapping[str, Any], steps: int, seed: int) -> dict[str, Any]:
    """A recipe's arguments with other numbers of steps; nothing is kept but the finished run."""
    warm_up = min(int(of_recipe["warmup_steps"]), max(1, steps // 10))
    more = {"max_steps": steps, "warmup_steps": warm_up, "seed": seed, "save_strategy": "no", "disable_tqdm": True}
    return {name: value for name, value in of_recipe.items() if not name.startswith("save_")} | more


def judge(
    model: Any, tokenizer: Any, material: Material, codes: Mapping[str, np.ndarray], backgrounds: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The questions about fold 9 with a closed answer set: what was right, and of yes/no how likely yes is."""
    from hf_heartllm.models.ecg_answerer import TokenAnswerer
    from hf_heartllm.models.ecg_prompts import Prompt

    answerer, found = TokenAnswerer(model, tokenizer), []
    for number, row in enumerate(material.judged):
        name = row["record_id"]
        asked = [one for one in row["questions"] if one.answer_set and set(one.answers) <= set(one.answer_set)]
        asked = [one for one in asked if len(one.answers) == 1]
        asked = random.Random(f"judged-{name}").sample(asked, min(JUDGED_QUESTIONS, len(asked)))
        if name not in codes or not asked:
            continue
        reading = answerer.reading_of_codes(codes[name])
        prompts = [Prompt(reading, one.text, backgrounds.get(name, "")) for one in asked]
        for question, scores in zip(asked, answerer.score(prompts, [one.answer_set for one in asked]), strict=True):
            one = {"record": name, "patient": material.records[name].patient, "attribute": question.attribute}
            one |= {"right": scores.best == question.answer}
            if question.is_yes_no:
                of = dict(zip(scores.answers, scores.log_likelihoods.tolist(), strict=True))
                one |= {"label": int(question.answer == "yes"), "margin": round(of["yes"] - of["no"], 4)}
            found.append(one)
        if (number + 1) % 200 == 0:
            print(f"judged {number + 1:,} of {len(material.judged):,} records", flush=True)
    return found


def figures(runs: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Measure → arm → `Resampled`, the mean over the seeds, on resamples of patients that are the same for all arms.

    Questions that not every run was judged on (a recording that could not be encoded) are left out of all.
    """
    from hf_heartllm.evaluation.intervals import Bootstrap

    tables = {arm: [_by_question(run["questions"]) for run in of_arm] for arm, of_arm in runs.items()}
    every = [table for of_arm in tables.values() for table in of_arm]
    keys = sorted(set.intersection(*(set(table) for table in every)))
    if not keys:
        raise ValueError("the runs were judged on no question in common")
    first = every[0]
    exact = Bootstrap([first[key]["patient"] for key in keys])
    records = sorted({key[0] for key in keys})
    patients = {key[0]: first[key]["patient"] for key in keys}
    ranked = Bootstrap([patients[name] for name in records])
    yes_no = [key for key in keys if "label" in first[key]]
    attributes = sorted({first[key]["attribute"] for key in yes_no})
    place = {key: (records.index(key[0]), attributes.index(first[key]["attribute"])) for key in yes_no}

    def matrix(table: Mapping[Any, Any], name: str) -> np.ndarray:
        values = np.full((len(records), len(attributes)), np.nan)
        for key in yes_no:
            values[place[key]] = table[key][name]
        return values

    found: dict[str, dict[str, Any]] = {EXACT: {}, AUROC: {}}
    for arm, of_arm in tables.items():
        right = np.array([[table[key]["right"] for key in keys] for table in of_arm], dtype=float)
        found[EXACT][arm] = exact.mean(right.mean(axis=0))
        if attributes:
            margins = np.stack([matrix(table, "margin") for table in of_arm])
            found[AUROC][arm] = ranked.auroc(matrix(first, "label"), margins)
    return {measure: of_arms for measure, of_arms in found.items() if of_arms}


def _by_question(questions: Sequence[dict[str, Any]]) -> dict[tuple[str, int], dict[str, Any]]:
    counts: dict[str, int] = {}
    found = {}
    for one in questions:
        counts[one["record"]] = counts.get(one["record"], 0) + 1
        found[one["record"], counts[one["record"]]] = one
    return found


def table_of(runs: Mapping[str, Sequence[dict[str, Any]]]) -> str:
    """The table of the runs so far, in Markdown: means over seeds with 95 % intervals, and the difference to full."""
    lines = [
        "| arm | seeds | measure | mean | 95 % interval | less full | lowest and highest seed |",
        "|---|---|---|---|---|---|---|",
    ]
    for measure, of_arms in figures(runs).items():
        for arm, value in of_arms.items():
            ends, less = value.interval(), "–"
            if arm != FULL and FULL in of_arms:
                other = value.minus(of_arms[FULL])
                less = f"{other.value:+.3f} ({other.low:+.3f} to {other.high:+.3f})"
            each = [figures({arm: [one]})[measure][arm].value for one in runs[arm]]
            lines.append(
                f"| {arm} | {len(runs[arm])} | {measure} | {value.value:.3f} | {ends.low:.3f} to {ends.high:.3f} "
                f"| {less} | {min(each):.3f}, {max(each):.3f} |"
            )
    return "\n".join(lines)


def results_of(runs: Mapping[str, Sequence[dict[str, Any]]], data: str) -> list[Any]:
    """The rows of the results file."""
    from hf_heartllm.evaluation.results import Result, current_commit, machine_words

    facts = {
        "data": data,
        "command": "python benchmarks/ablations.py --ptbxl DIR --tokens DIR --output DIR",
        "commit": current_commit(REPOSITORY),
        "machine": machine_words(),
    }
    rows = []
    for measure, of_arms in figures(runs).items():
        rows += [Result.of(f"ablation, {measure}, {arm}", one, **facts).rounded(4) for arm, one in of_arms.items()]
        rows += [
            Result.of(f"ablation, {measure}, {arm} less full", one.minus(of_arms[FULL]), **facts).rounded(4)
            for arm, one in of_arms.items()
            if arm != FULL and FULL in of_arms
        ]
    return rows


def draw(runs: Mapping[str, Sequence[dict[str, Any]]], path: Path) -> None:
    """The plot of the table."""
    from benchmarks import plots

    shown = {}
    for measure, of_arms in figures(runs).items():
        for arm, value in of_arms.items():
            ends = value.interval()
            known = not np.isnan(ends.low)
            shown[arm, measure] = {"value": value.value, "interval": [ends.low, ends.high] if known else None}
    measures = tuple(dict.fromkeys(measure for _, measure in shown))
    plots.draw(plots.Plot("", "arm", measures, "fold 9"), shown, path)


def read_run(path: Path, settings: Settings) -> dict[str, Any] | None:
    """A finished run, or None.

    Raises:
        ValueError: if it had other settings.
    """
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if found["settings"] != settings.document():
        raise ValueError(f"{path}: a run with other settings; give another --output")
    return found


def main(argv: list[str] | None = None) -> int:
    """Train, judge, print, draw and write. Returns the exit code."""
    from hf_heartllm.evaluation.results import write_results
    from hf_heartllm.models.whole_files import write_whole

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptbxl", required=True, type=Path, help="folder of PTB-XL")
    parser.add_argument("--tokens", required=True, type=Path, help="folder of dataset_builders.ecg_tokens, folds 1-9")
    parser.add_argument("--output", required=True, type=Path, help="folder that keeps the runs, and for the plot")
    parser.add_argument("--model", help="checkpoint whose decoder, codec and words are used; default: the embedded one")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), help="default: all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--forecast-steps", type=int, default=400, help="of stage 2; default: 400")
    parser.add_argument("--question-steps", type=int, default=1200, help="of stage 3; default: 1200")
    parser.add_argument("--max-records", type=int, help="of folds 1-8, drawn; default: all")
    parser.add_argument("--judged", type=int, default=800, help="records of fold 9, drawn; default: 800")
    parser.add_argument("--threads", type=int, default=2, help="default: 2")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks" / "results" / "ablations.json")
    args = parser.parse_args(argv)
    numbers = (args.forecast_steps, args.question_steps, args.judged, args.threads, args.max_records or 1)
    if min(numbers) < 1:
        parser.error("numbers of steps, records and threads are 1 or more")
    torch.set_num_threads(args.threads)
    runs: dict[str, list[dict[str, Any]]] = {arm: [] for arm in args.arms}
    try:
        args.output.mkdir(parents=True, exist_ok=True)
        material = read_material(args.ptbxl, args.tokens, args.model, args.max_records, args.judged)
        sizes = {name: getattr(material.decoder, name) for name in ("hidden_size", "num_hidden_layers")}
        codec = material.tokenizer.codec.fingerprint()
        settings = Settings(args.forecast_steps, args.question_steps, args.max_records, args.judged, codec, sizes)
        if not any(material.backgrounds.values()):
            print(f"note: no record states age, sex, height or weight, so {NO_TAB} is the same as {FULL}", flush=True)
        for seed in dict.fromkeys(args.seeds):
            for arm in args.arms:
                path = args.output / f"{arm.replace('/', '').replace(' ', '-')}-seed{seed}.json"
                found = read_run(path, settings)
                if found is None:
                    print(f"{arm}, seed {seed}", flush=True)
                    found = run(arm, seed, material, settings, args.output)
                    write_whole(path, json.dumps(found) + "\n")
                runs[arm].append(found)
            print(table_of(runs), flush=True)
        draw(runs, args.output / "ablations.svg")
        if set(args.arms) == set(ARMS):
            data = (
                f"PTB-XL: {len(material.train):,} records of folds 1-8 trained on, {len(material.judged):,} of fold 9 "
                f"judged; {args.forecast_steps} and {args.question_steps} steps, {len(runs[FULL])} seeds"
            )
            write_results(args.results, results_of(runs, data))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "ablations"))
