"""How many questions in a stranger's words are mapped to what was trained, and what the mapping is worth.

    python benchmarks/question_understanding.py [--reasoning FILE] [--ptbxl DIR]

Paraphrases of trained questions and others stand in benchmarks/questions, all by the hand that made the rules: `held`
written before them, `development` what they were made with, `unseen` written after them and asked once. FILE is
`ptbxl.jsonl` of the ECG-Reasoning-Benchmark (Oh et al., arXiv:2603.14326), plain or .xz: its first questions can be
mapped, its later ones ask for leads, waves and numbers. With --ptbxl the embedded checkpoint is also asked about
records of fold 8 in several wordings, with and without the mapping. Writes benchmarks/results/robustness.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import lzma
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest
from tqdm import tqdm

import hf_heartllm as hl
from hf_heartllm.evaluation.intervals import Bootstrap, Interval
from hf_heartllm.evaluation.partial import PartialResults, run_mark
from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results
from hf_heartllm.labels.ptbxl import read_ptbxl_table
from hf_heartllm.models.question_understanding import (
    NotUnderstood,
    TrainedQuestions,
    read_trained_questions,
)
from hf_heartllm.models.trained_wordings import UnderstoodQuestion

HERE = Path(__file__).resolve().parent
WRITTEN = HERE / "questions"
RESULTS = HERE / "results" / "robustness.json"
PARTS = ("unseen", "held", "development")
FOLD = 8

# Statement → its wordings; the first is the one that was trained, and "denied" asks for the opposite.
WORDINGS: dict[str, dict[str, str]] = {
    "AFIB": {
        "abbreviated": "Does this ECG show AF?",
        "paraphrased": "Is the patient in atrial fibrillation?",
        "denied": "Is atrial fibrillation absent?",
    },
    "LVH": {
        "abbreviated": "LVH?",
        "paraphrased": "Is the left ventricle hypertrophied?",
        "denied": "Can left ventricular hypertrophy be ruled out?",
    },
    "CLBBB": {
        "abbreviated": "Is there an LBBB?",
        "paraphrased": "Do you see a left bundle branch block?",
        "denied": "Is this ECG free of left bundle branch block?",
    },
    "1AVB": {
        "abbreviated": "1st degree AVB?",
        "paraphrased": "Does the patient have a first-degree heart block?",
        "denied": "Is there no first degree AV block?",
    },
    "PVC": {
        "abbreviated": "Any PVCs?",
        "paraphrased": "Are there ventricular extrasystoles?",
        "denied": "No ventricular premature beats?",
    },
    "NORM": {
        "abbreviated": "ECG normal?",
        "paraphrased": "Is this a healthy heart tracing?",
        "denied": "Is the ECG abnormal?",
    },
}


def written(name: str) -> list[dict[str, str]]:
    """The rows of a file of written questions."""
    with open(WRITTEN / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def is_right(found: UnderstoodQuestion | NotUnderstood, row: Mapping[str, str]) -> bool:
    """Whether a paraphrase was mapped to what it asks for."""
    return (
        isinstance(found, UnderstoodQuestion)
        and {*(found.attribute or "").split("|")} == {*row["attribute"].split("|")}
        and found.attribute_type == row["attribute_type"]
        and found.negated == (row["negated"] == "1")
    )


def rates(questions: TrainedQuestions) -> Iterator[tuple[str, int, int, str]]:
    """(name, cases, of how many, data) of the error rates in each part."""
    for part in PARTS:
        rows = [row for row in written("paraphrases.tsv") if row["part"] == part]
        found = [questions.understand(row["question"]) for row in rows]
        declined = sum(isinstance(one, NotUnderstood) for one in found)
        right = sum(map(is_right, found, rows))
        data = f"{len(rows)} paraphrases, {part} part"
        yield f"{part} paraphrases declined", declined, len(rows), data
        yield f"{part} paraphrases taken for another question", len(rows) - declined - right, len(rows), data
        for row, one in zip(rows, found):
            if not is_right(one, row):
                print(f"  {part}: {row['question']!r}: {one if isinstance(one, NotUnderstood) else one.text}")
        rows = [row for row in written("others.tsv") if row["part"] == part]
        understood = [row["question"] for row in rows]
        taken = [text for text in understood if isinstance(questions.understand(text), UnderstoodQuestion)]
        for text in taken:
            print(f"  {part}: {text!r} was not declined")
        yield f"{part} other questions not declined", len(taken), len(rows), f"{len(rows)} other questions, {part} part"


def reasoning_rates(questions: TrainedQuestions, path: Path) -> Iterator[tuple[str, int, int, str]]:
    """(name, cases, of how many, data) of the different questions of the ECG-Reasoning-Benchmark."""
    asked: dict[bool, set[str]] = {True: set(), False: set()}

    def collect(node: Any) -> None:
        if isinstance(node, dict):
            if "question" in node and "question_type" in node:
                asked[node["question_type"] == "initial_diagnostic_question"].add(node["question"])
            node = list(node.values())
        for one in node if isinstance(node, list) else ():
            collect(one)

    with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as lines:
        for line in lines:
            collect(json.loads(line))
    for first, name in ((True, "first questions declined"), (False, "later questions not declined")):
        declined = sum(isinstance(questions.understand(text), NotUnderstood) for text in asked[first])
        of = len(asked[first])
        data = f"{of} different questions of the ECG-Reasoning-Benchmark on PTB-XL"
        yield f"ECG-Reasoning-Benchmark, {name}", declined if first else of - declined, of, data


def asked(questions: TrainedQuestions) -> dict[str, dict[str, str]]:
    """Statement → name of a wording → its text."""
    trained = {
        one.attribute: one.text for one in questions.all_questions() if one.text.startswith("Does this ECG show ")
    }
    return {
        code: {
            "as trained": trained[code],
            "in lower case": trained[code].lower(),
            "in capitals": trained[code].upper(),
            **others,
        }
        for code, others in WORDINGS.items()
    }


def margins(ptbxl: Path, wanted: int, parts: Path, texts: list[str]) -> list[dict[str, Any]]:
    """For records of fold 8: `ecg_id`, `patient_id`, `codes`, and by text log p(yes) less log p(no)."""
    from hf_heartllm.models.ecg_prompts import Prompt
    from hf_heartllm.models.pipeline_ecg import pipeline

    table = read_ptbxl_table(ptbxl)
    table = table[table["strat_fold"] == FOLD].sample(frac=1, random_state=0)
    stating = {code: [code in codes for codes in table["scp_codes"]] for code in WORDINGS}
    chosen: dict[int, None] = {}
    for holds in stating.values():  # enough of each statement, then whoever comes
        chosen.update(dict.fromkeys(table["ecg_id"][holds].head(wanted // (2 * len(WORDINGS)))))
    chosen.update(dict.fromkeys(table["ecg_id"]))
    table = table.set_index("ecg_id").loc[list(chosen)[:wanted]]
    ask = pipeline("ecg-question-answering")
    with PartialResults(parts, run_mark(texts, wanted, str(hl.checkpoint()))) as done:
        known = {line["ecg_id"]: line for line in done.lines}
        for ecg_id, row in tqdm(table.iterrows(), total=len(table), unit="record"):
            if ecg_id in known:
                continue
            read = ask.answerer.read(hl.read_ecg(ptbxl / row["filename_lr"]))
            scores = ask.answerer.score([Prompt(read, text) for text in texts], [("yes", "no")] * len(texts))
            found = [float(one.log_likelihoods[0] - one.log_likelihoods[1]) for one in scores]
            line = {"ecg_id": int(ecg_id), "patient_id": int(row["patient_id"]), "codes": sorted(row["scp_codes"])}
            known[int(ecg_id)] = {**line, "margins": dict(zip(texts, found))}
            done.append(known[int(ecg_id)])
    return [known[int(ecg_id)] for ecg_id in table.index]


def aurocs(
    questions: TrainedQuestions, ptbxl: Path, wanted: int, parts: Path
) -> Iterator[tuple[str, str, Interval, str]]:
    """(statement, how it was asked, AUROC of the statement, data)."""
    wordings = asked(questions)
    understood = {text: questions.understand(text) for of in wordings.values() for text in of.values()}
    mapped = {text: one for text, one in understood.items() if isinstance(one, UnderstoodQuestion)}
    records = margins(ptbxl, wanted, parts, sorted({*understood, *(one.text for one in mapped.values())}))
    patients = np.array([one["patient_id"] for one in records])
    for code, of in wordings.items():
        holds = np.array([code in one["codes"] for one in records])
        trained_on = "the codec was trained on that fold, the model was not"
        data = f"{len(records)} records of fold {FOLD}, {holds.sum()} with {code}; {trained_on}"

        def figure(put: str, against: bool, holds: np.ndarray = holds) -> Interval:
            scores = np.array([one["margins"][put] for one in records])
            return Bootstrap(patients).auroc(holds, -scores if against else scores).interval()

        for name, text in of.items():  # a yes to what is denied speaks against the statement
            yield code, f"asked {name}, without the mapping", figure(text, name == "denied"), data
        found = [figure(mapped[text].text, mapped[text].negated != (name == "denied")) for name, text in of.items()]
        yield code, "mapped, the lowest of these wordings", min(found, key=lambda one: one.value), data


def main(argv: list[str] | None = None) -> int:
    """Measure, print and write. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptbxl", type=Path, help="folder of PTB-XL with fold 8; without it only error rates")
    parser.add_argument("--reasoning", type=Path, help="ptbxl.jsonl or .xz of the ECG-Reasoning-Benchmark")
    parser.add_argument("--records", type=int, default=400, help="of fold 8 (default: 400)")
    parser.add_argument(
        "--parts", type=Path, default=Path("build/question_understanding.jsonl"), help="partial results"
    )
    parser.add_argument("--no-results", action="store_true", help="print only")
    args = parser.parse_args(argv)
    questions = read_trained_questions(hl.checkpoint())
    if questions is None:
        print("error: the embedded checkpoint says no trained questions", file=sys.stderr)
        return 2
    command = "python benchmarks/question_understanding.py"
    commit, machine = current_commit(HERE), machine_words()
    rows = []
    counted = list(rates(questions))
    if args.reasoning is not None:
        command += " --reasoning FILE"
        counted += reasoning_rates(questions, args.reasoning)
    for name, cases, of, data in counted:
        low, high = binomtest(cases, of).proportion_ci(method="wilson")
        rows.append(
            Result(
                f"questions: {name}",
                cases / of,
                (float(low), float(high)),
                None,
                "fraction",
                data,
                command,
                commit,
                machine,
            )
        )
    if args.ptbxl is not None:
        command += f" --ptbxl DIR --records {args.records}"
        for code, how, figure, data in aurocs(questions, args.ptbxl, args.records, args.parts):
            title = f"questions: AUROC of {code} {how}"
            interval = figure.low, figure.high
            rows.append(Result(title, figure.value, interval, None, "fraction", data, command, commit, machine))
    for row in rows:
        low, high = row.interval or (float("nan"), float("nan"))
        print(f"{row.value:.3f} ({low:.3f} to {high:.3f})  {row.name.removeprefix('questions: ')}")
    if not args.no_results:
        write_results(RESULTS, rows)
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "question_understanding"))
