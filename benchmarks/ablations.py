"""The ablations of the HeartLLM paper (arXiv:2508.15338, Figure 3), for the tiny decoder: w/o TAB, w/o FT, w/o DISC.

    python benchmarks/ablations.py --ptbxl build/ptb-xl --tokens build/tokens --questions build/fold9.parquet \\
        --output build/ablations

TAB is the patient's background (age, sex, height, weight) in front of questions and report requests; FT is stage 2,
forecasting of ECG tokens; DISC is the codes: without it the language model reads the same encoder's output, not
rounded, through a learned projection, and stage 2 forecasts that output. The paper names these parts in its figure
without values that are at hand, so the table is ours alone. Stages 2 and 3 are those of pretrain_tiny.yaml and
finetune_tiny.yaml with fewer steps; every arm of a seed begins with the same weights and draws the same questions.
A variant that is not the paper's, and not among the arms unless it is named (`--arms full hybrid`): codes, and added to
each code's row a projection of the encoder's output, which begins at zero.

Judged on fold 9: exact match of the balanced questions, mean AUROC of the statements of yes/no questions, and
reports. Each finished run is kept in --output, so the command may be run again after an interruption. The table is
printed, drawn as ablations.svg there, and written to benchmarks/results/ablations.json once every arm has every seed.
"""

from __future__ import annotations

import argparse
import json
import random
import shlex
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

from benchmarks.ablation_figures import FULL, HYBRID, NO_DISC, NO_FT, NO_TAB, draw, results_of, table_of  # noqa: E402
from benchmarks.continuous_ecg import (  # noqa: E402
    HybridEmbedding,
    HybridForecast,
    LatentEmbedding,
    LatentForecast,
    PlacesForCodes,
    code_ids_of,
    read_latents,
)
from benchmarks.training_material import Material, Row, read_material, untrained  # noqa: E402
from hf_heartllm.evaluation.question_file import AskedRecord, question_set_hash, read_questions  # noqa: E402
from hf_heartllm.hashes import file_sha256  # noqa: E402
from hf_heartllm.models.prompts import background_text  # noqa: E402
from hf_heartllm.training.turns.turn import Turn  # noqa: E402

ARMS, VARIANTS = (FULL, NO_TAB, NO_FT, NO_DISC), (HYBRID,)
RECIPES = REPOSITORY / "hf_heartllm" / "recipes"
REPORT_TOKENS, REPORTS_AT_ONCE = 64, 16
"""The longest report, and how many are written together."""


@dataclass(frozen=True)
class Settings:
    """What decides a run beside its arm and seed.

    Attributes:
        forecast_steps: of stage 2.
        question_steps: of stage 3.
        max_records: of folds 1 to 8, drawn; None: all.
        judged: records of fold 9, drawn; None: all.
        reports: how many of these have their report written.
        questions: hash of the question file.
        codec: its fingerprint.
        rows: hash of the file of questions, where it is not the token set.
        decoder: sizes of the language model.
    """

    forecast_steps: int
    question_steps: int
    max_records: int | None
    judged: int | None
    reports: int
    questions: str
    codec: str
    rows: str | None = None
    decoder: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return json.loads(json.dumps(vars(self)))  # type: ignore[no-any-return]


def backgrounds_of(material: Material) -> dict[str, str]:
    """What is told of each patient, by `record_id`."""
    return {
        name: background_text(one.age or None, one.sex, one.height or None, one.weight or None)
        for name, one in material.records.items()
    }


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


def run(
    arm: str, seed: int, material: Material, asked: Sequence[AskedRecord], settings: Settings, output: Path
) -> dict[str, Any]:
    """Train and judge one arm with one seed."""
    from transformers import set_seed

    from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM

    started = time.monotonic()
    set_seed(seed)
    model = HeartLLMForCausalLM.from_base(untrained(material), material.tokenizer, seed=seed)
    tokenizer, codes = material.tokenizer, material.codes
    if arm in (NO_DISC, HYBRID):
        records = sorted(material.records.values(), key=lambda one: one.record_id)
        table, codes = read_latents(records, tokenizer, output / "latents.npz")
        embedding = LatentEmbedding(model.get_input_embeddings(), table)
        if arm == HYBRID:
            code_ids, codes = code_ids_of(codes, material.codes, tokenizer, len(table))
            embedding = HybridEmbedding(model.get_input_embeddings(), table, code_ids)
        model.set_input_embeddings(embedding)
        model.allow_parts_of_ecgs()  # behind the start of an ECG stand rows of the table, not codes
        tokenizer = PlacesForCodes(tokenizer, embedding.num_embeddings)
    backgrounds = {} if arm == NO_TAB else backgrounds_of(material)
    with tempfile.TemporaryDirectory(dir=output, prefix=".running-") as scratch:
        if arm != NO_FT:
            of_train = [codes[row["record_id"]] for row in material.train if row["record_id"] in codes]
            forecast(model, tokenizer, of_train, settings, seed, Path(scratch))
        ask(model, tokenizer, material.train, codes, backgrounds, settings, seed, Path(scratch))
    judged = judge(model, tokenizer, asked, codes, backgrounds)
    reports = judge_reports(model, tokenizer, material, codes, backgrounds, settings.reports)
    return {
        "arm": arm,
        "seed": seed,
        "settings": settings.document(),
        "minutes": round((time.monotonic() - started) / 60, 2),
        "questions": judged,
        "reports": reports,
    }


def forecast(
    model: Any, tokenizer: Any, codes: Sequence[np.ndarray], settings: Settings, seed: int, scratch: Path
) -> None:
    """Stage 2."""
    from transformers import Trainer, TrainingArguments

    from hf_heartllm.training.examples import ForecastDataset
    from hf_heartllm.training.packing import PackedCollator
    from hf_heartllm.training.recipes import read_recipe
    from hf_heartllm.training.settings import PretrainRecipe
    from hf_heartllm.training.stages import training_arguments

    recipe = read_recipe(RECIPES / "pretrain_tiny.yaml", PretrainRecipe)
    arguments = _arguments(recipe.training, settings.forecast_steps, seed)
    reads = model.get_input_embeddings()
    if isinstance(reads, LatentEmbedding):
        model = HybridForecast(model) if isinstance(reads, HybridEmbedding) else LatentForecast(model)
    Trainer(
        model=model,
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
    from hf_heartllm.training.examples import QuestionDataset, as_hub_dataset, frequent_statements, repeat_rows
    from hf_heartllm.training.packing import PackedCollator, QuestionPrompts
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
    model: Any,
    tokenizer: Any,
    asked: Sequence[AskedRecord],
    codes: Mapping[str, np.ndarray],
    backgrounds: Mapping[str, str],
) -> list[dict[str, Any]]:
    """What was right, and of yes/no how likely yes is."""
    from hf_heartllm.models.ecg_answerer import TokenAnswerer
    from hf_heartllm.models.ecg_prompts import Prompt

    answerer, found = TokenAnswerer(model, tokenizer), []
    for number, of_record in enumerate(asked, start=1):
        name, questions = of_record.record_id, of_record.questions
        if name not in codes:
            continue
        reading = answerer.reading_of_codes(codes[name])
        prompts = [Prompt(reading, one.text, backgrounds.get(name, "")) for one in questions]
        for question, scores in zip(
            questions, answerer.score(prompts, [one.answer_set for one in questions]), strict=True
        ):
            one: dict[str, Any] = {"record": name, "patient": of_record.record.patient, "attribute": question.attribute}
            one |= {"every": question.every_record, "right": scores.best == question.answer}
            if question.is_yes_no:
                of = dict(zip(scores.answers, scores.log_likelihoods.tolist(), strict=True))
                one |= {"label": int(question.answer == "yes"), "margin": round(of["yes"] - of["no"], 4)}
            found.append(one)
        if number % 200 == 0:
            print(f"judged {number:,} of {len(asked):,} records", flush=True)
    return found


def judge_reports(
    model: Any,
    tokenizer: Any,
    material: Material,
    codes: Mapping[str, np.ndarray],
    backgrounds: Mapping[str, str],
    most: int,
) -> list[dict[str, Any]]:
    """Reports about fold 9, written greedily, beside the true ones: F of ROUGE-L (rouge-score, not stemmed)."""
    from hf_heartllm.evaluation.libraries import library
    from hf_heartllm.models.ecg_answerer import TokenAnswerer
    from hf_heartllm.models.ecg_prompts import Prompt
    from hf_heartllm.training.examples import REPORT_REQUESTS

    scorer = library("rouge_score.rouge_scorer").RougeScorer(["rougeL"])
    answerer, found = TokenAnswerer(model, tokenizer), []
    rows = [row for row in material.judged if row.get("report") and row["record_id"] in codes][:most]
    for first in range(0, len(rows), REPORTS_AT_ONCE):
        some = rows[first : first + REPORTS_AT_ONCE]
        prompts = [
            Prompt(
                answerer.reading_of_codes(codes[row["record_id"]]),
                REPORT_REQUESTS[0],
                backgrounds.get(row["record_id"], ""),
            )
            for row in some
        ]
        for row, texts in zip(some, answerer.generate(prompts, REPORT_TOKENS), strict=True):
            name = row["record_id"]
            score = scorer.score(row["report"], texts[0].text if texts else "")["rougeL"].fmeasure
            found.append({"record": name, "patient": material.records[name].patient, "score": round(score, 4)})
    return found


def read_run(path: Path, settings: Settings) -> dict[str, Any] | None:
    """A finished run, or None.

    Raises:
        ValueError: if it had other settings, or is none.
    """
    if not path.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        of_run = found["settings"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path}: holds no finished run; remove it") from None
    if of_run != settings.document():
        raise ValueError(f"{path}: a run with other settings; give another --output")
    return found


def main(argv: list[str] | None = None) -> int:
    """Train, judge, print, draw and write. Returns the exit code."""
    from hf_heartllm.evaluation.libraries import MissingLibraryError, library
    from hf_heartllm.evaluation.results import current_commit, machine_words, write_results
    from hf_heartllm.models.whole_files import write_whole

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptbxl", required=True, type=Path, help="folder of PTB-XL")
    parser.add_argument("--tokens", required=True, type=Path, help="folder of dataset_builders.ecg_tokens, folds 1-9")
    parser.add_argument(
        "--rows", type=Path, help="rows of dataset_builders.training_rows, where --tokens has no questions"
    )
    parser.add_argument("--questions", required=True, type=Path, help="file of dataset_builders.evaluation_questions")
    parser.add_argument("--output", required=True, type=Path, help="folder that keeps the runs, and for the plot")
    parser.add_argument("--model", help="checkpoint whose decoder, codec and words are used; default: the embedded one")
    arms = f"default: {', '.join(ARMS)}"
    parser.add_argument("--arms", nargs="+", choices=(*ARMS, *VARIANTS), default=list(ARMS), help=arms)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--forecast-steps", type=int, default=400, help="of stage 2; default: 400")
    parser.add_argument("--question-steps", type=int, default=1200, help="of stage 3; default: 1200")
    parser.add_argument("--max-records", type=int, help="of folds 1-8, drawn; default: all")
    parser.add_argument("--judged", type=int, default=800, help="records of fold 9, drawn; default: 800")
    parser.add_argument("--reports", type=int, default=200, help="of these, with a report; 0: none; default: 200")
    parser.add_argument("--threads", type=int, default=2, help="default: 2")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks" / "results" / "ablations.json")
    args = parser.parse_args(argv)
    numbers = (args.forecast_steps, args.question_steps, args.judged, args.threads, args.max_records or 1)
    if min(numbers) < 1 or args.reports < 0:
        parser.error("numbers of steps, records and threads are 1 or more, --reports is 0 or more")
    torch.set_num_threads(args.threads)
    runs: dict[str, list[dict[str, Any]]] = {arm: [] for arm in args.arms}
    try:
        if args.reports:
            library("rouge_score.rouge_scorer")  # before the hours that end with it
        args.output.mkdir(parents=True, exist_ok=True)
        material = read_material(args.ptbxl, args.tokens, args.model, args.max_records, args.judged, args.rows)
        if not any(row["questions"] for row in material.train):
            raise ValueError(
                f"{args.tokens}: its rows hold no questions; give --rows, of dataset_builders.training_rows"
            )
        judged = [material.records[row["record_id"]] for row in material.judged]
        asked, mark = read_questions(args.questions, judged).asked, question_set_hash(args.questions)
        sizes = {name: getattr(material.decoder, name) for name in ("hidden_size", "num_hidden_layers")}
        codec = material.tokenizer.codec.fingerprint()
        settings = Settings(
            args.forecast_steps, args.question_steps, args.max_records, args.judged, args.reports, mark, codec,
            None if args.rows is None else file_sha256(args.rows)[:16], sizes,
        )  # fmt: skip
        if not any(backgrounds_of(material).values()):
            print(f"note: no record states age, sex, height or weight, so {NO_TAB} is the same as {FULL}", flush=True)
        for seed in dict.fromkeys(args.seeds):
            for arm in args.arms:
                path = args.output / f"{arm.replace('/', '').replace(' ', '-')}-seed{seed}.json"
                found = read_run(path, settings)
                if found is None:
                    print(f"{arm}, seed {seed}", flush=True)
                    found = run(arm, seed, material, asked, settings, args.output)
                    write_whole(path, json.dumps(found) + "\n")
                runs[arm].append(found)
            print(table_of(runs), flush=True)
        draw(runs, args.output / "ablations.svg")
        if set(args.arms) >= set(ARMS):
            data = (
                f"PTB-XL: {len(material.train):,} records of folds 1-8 trained on, {len(material.judged):,} of fold 9 "
                f"judged; {args.forecast_steps} and {args.question_steps} steps, {len(runs[FULL])} seeds"
            )
            write_results(
                args.results, results_of(runs, data, _command(args), current_commit(REPOSITORY), machine_words())
            )
    except (OSError, ValueError, MissingLibraryError) as error:
        print("error:", *str(error).split(), file=sys.stderr)
        return 2
    return 0


def _command(args: argparse.Namespace) -> str:
    """As it was run, with words for the folders of this machine."""
    words = ["python benchmarks/ablations.py --ptbxl DIR --tokens DIR", *(["--rows FILE"] if args.rows else [])]
    words.append("--questions FILE --output DIR")
    if args.model:
        words.append("--model FOLDER")
    if args.arms != list(ARMS):
        words.append(f"--arms {shlex.join(args.arms)}")
    if args.seeds != [0, 1, 2]:
        words.append(f"--seeds {' '.join(map(str, args.seeds))}")
    for name in ("forecast_steps", "question_steps", "max_records", "judged", "reports", "threads"):
        if (value := getattr(args, name)) is not None:
            words.append(f"--{name.replace('_', '-')} {value}")
    return " ".join(words)


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "ablations"))
