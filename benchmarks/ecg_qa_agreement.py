"""Do generated answers agree with ECG-QA's, on the same record and attribute? And what is in the copy at hand.

python benchmarks/ecg_qa_agreement.py --ecg-qa DIR --ptbxl DIR

Compared are ECG-QA's yes-or-no questions about one recording and, with --measurements (a CSV table of durations by
ecg_id), or --measure-rr its questions on durations that compare two. Each kind of disagreement is counted and named.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from dataset_builders.question_generator.attributes import EASY, HARD, STATED, UNSURE, stratum  # noqa: E402
from dataset_builders.question_generator.numeric import FEATURES, places  # noqa: E402
from hf_heartllm.data.ecg_qa_files import ECGQARow, completeness, read_ecg_qa  # noqa: E402
from hf_heartllm.data.label_names import (  # noqa: E402
    ANY_NOISE,
    AXES,
    EXTRA_SYSTOLES,
    NOISES,
    PTBXL_VOCABULARY,
    STAGES,
    in_lead,
)
from hf_heartllm.data.measured import with_measurements  # noqa: E402
from hf_heartllm.data.ptbxl_records import records_of  # noqa: E402
from hf_heartllm.data.record import Record  # noqa: E402
from hf_heartllm.labels.ptbxl import read_ptbxl_table  # noqa: E402

# ECG-QA's names of SCP statements that are not PTB-XL's descriptions in lower case.
_NAMES = {
    "bigeminal pattern (unknown origin, supraventricular, or ventricular)": "BIGU",
    "digitalis effect": "DIG",
    "low amplitude t-wave": "LOWT",
    "myocardial infarction in anterior leads": "AMI",
    "myocardial infarction in anterolateral leads": "ALMI",
    "myocardial infarction in anteroseptal leads": "ASMI",
    "myocardial infarction in inferior leads": "IMI",
    "myocardial infarction in inferolateral leads": "ILMI",
    "myocardial infarction in inferoposterior leads": "IPMI",
    "myocardial infarction in inferoposterolateral leads": "IPLMI",
    "myocardial infarction in lateral leads": "LMI",
    "myocardial infarction in posterior leads": "PMI",
}
_SUPERCLASSES = {
    "myocardial infarction": "MI",
    "st/t change": "STTC",
    "conduction disturbance": "CD",
    "hypertrophy": "HYP",
}
_LEAD = re.compile(r"\blead (I{1,3}|aV[RLF]|V[1-6])\b")
_CHANGE = {68: "gone", 69: "new", 70: "same"}  # templates on durations: become normal, now abnormal, still abnormal
_WORDS = {STATED: "yes", HARD: "no", EASY: "no", UNSURE: "not sure"}

AGREES = "agrees"
NO_NOTES = "not asked by us: the notes of the record are not at hand"
NO_LEADS = (
    "not asked by us: the note names no lead, or not all of it could be read (ECG-QA: absent in each lead unnamed)"
)
DOUBTFUL = "not asked by us: a near synonym is stated, or the labels leave it open"
NO_NAME = "no counterpart among our attributes"
WITHOUT_LEADS = "differs: the note names no lead, which ECG-QA takes for no noise"
OTHER_NO = "differs: ECG-QA says no where the record's labels have it"
OTHER_YES = "differs: ECG-QA says yes where the record's labels do not have it"
OTHER = "differs: in how sure it is"


def scp_names(ptbxl: Path) -> dict[str, tuple[str, str]]:
    """ECG-QA's name of each statement → (attribute type, code), from PTB-XL's own descriptions."""
    import pandas as pd

    table = pd.read_csv(ptbxl / "scp_statements.csv", index_col=0)
    names = {
        str(text).lower().replace("digitalis-", "digitalis "): str(code) for code, text in table["description"].items()
    }
    names |= _NAMES
    kinds = {}
    for name, code in names.items():
        kind = next((k for k in ("diagnosis", "rhythm", "form") if code in PTBXL_VOCABULARY.attributes[k]), None)
        if kind is not None:
            kinds[name] = (kind, code)
    return kinds | {name: ("superclass", code) for name, code in _SUPERCLASSES.items()}


def counterpart(row: ECGQARow, names: dict[str, tuple[str, str]]) -> tuple[str, str] | None:
    """Our attribute (type, name) for a yes-or-no row of ECG-QA on one recording; None where there is none."""
    if row.attribute is None or len(row.attribute) != 1:
        return None
    name = row.attribute[0].replace("electrodes problems", "electrode problems")
    if row.attribute_type == "noise":
        lead = _LEAD.search(row.question)
        name = ANY_NOISE if name == "any kind of noises" else name
        if lead is None:
            return ("noise", name) if name in NOISES else None
        return "noise_in_lead", in_lead(name, lead[1])
    for kind, known in (("heart_axis", AXES), ("stage_of_infarction", STAGES), ("extra_systole", EXTRA_SYSTOLES)):
        if row.attribute_type == kind:
            return (kind, name) if name in known else None
    return names.get(name)


def verdict(row: ECGQARow, record: Record, names: dict[str, tuple[str, str]]) -> str:
    """What becomes of a yes-or-no row when we answer it from the record's labels."""
    key = counterpart(row, names)
    if key is None:
        return NO_NAME
    kind, attribute = key
    found = stratum(record, kind, attribute, not_sure=True)
    if found is None:
        if record.labels.get(kind) is None:
            return NO_NOTES
        return NO_LEADS if attribute in record.unknown.get(kind, ()) and kind == "noise_in_lead" else DOUBTFUL
    ours, theirs = _WORDS[found], row.answer[0]
    if ours == theirs:
        return AGREES
    if kind == "noise" and theirs == "no" and not any(attribute in name for name in record.stated("noise_in_lead")):
        return WITHOUT_LEADS
    return OTHER if "not sure" in (ours, theirs) else OTHER_NO if theirs == "no" else OTHER_YES


def duration_rows(
    rows: Iterable[ECGQARow], records: dict[int, Record], name: str
) -> Iterator[tuple[ECGQARow, bool, bool]]:
    """Rows on durations of two recordings, with whether ECG-QA and we name a duration, where both are surely placed."""
    for row in rows:
        if row.template_id in _CHANGE and all(ecg_id in records for ecg_id in row.ecg_id):
            found = [places(records[ecg_id]).get(name) for ecg_id in row.ecg_id]
            if None not in found:
                first, second = (place != "within" for place in found)
                ours = {"gone": first and not second, "new": second and not first, "same": first and second}
                yield row, name in row.answer, ours[_CHANGE[row.template_id]]


def measured_rr(records: list[Record], rows: Iterable[ECGQARow], ptbxl: Path) -> Iterator[Record]:
    """The records with the median of their RR intervals, in ms, where a question on durations is about them."""
    import numpy as np
    from tqdm import tqdm

    from hf_heartllm.ecg import read_ecg
    from hf_heartllm.ecg.beats import beat_times

    wanted = {str(ecg_id) for row in rows if row.template_id in _CHANGE for ecg_id in row.ecg_id}
    for record in tqdm(records, unit="record", desc="RR intervals"):
        if record.record_id in wanted and record.path and (ptbxl / f"{record.path}.hea").is_file():
            intervals = np.diff(beat_times(read_ecg(ptbxl / record.path)))
            if len(intervals) >= 3:
                record = replace(record, measurements={"rr_ms": float(np.median(intervals)) * 1000})
        yield record


def sample_rows(folder: Path) -> Iterator[ECGQARow]:
    """The ECG-QA rows over PTB-XL among the samples of the HeartLLM authors (`heartllm-samples`)."""
    for path in sorted((folder / "ecgqa" / "ptbxl").glob("*.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            yield ECGQARow(
                template_id=row["template_id"],
                question_id=row["question_id"],
                sample_id=row["sample_id"],
                question_type=row["question_type"],
                attribute_type=row["attribute_type"],
                question=row["question"],
                answer=tuple(row["answer"]),
                ecg_id=tuple(row["ecg_id"]),
                attribute=tuple(row["attribute"]),
                split=path.stem.split("_")[1],
            )


def main(argv: list[str] | None = None) -> int:
    """Compare, print the tables and write the results. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ecg-qa", required=True, type=Path, help="folder of ECG-QA")
    parser.add_argument("--ptbxl", required=True, type=Path, help="folder of PTB-XL")
    parser.add_argument("--heartllm-samples", type=Path, help="sample rows of the HeartLLM authors, compared as well")
    parser.add_argument("--measurements", type=Path, help="CSV table: ecg_id, rr_ms, pr_ms, …")
    parser.add_argument("--measure-rr", action="store_true", help="measure RR intervals instead (2 minutes)")
    parser.add_argument("--sampled", type=Path, help="of dataset_builders.question_generator: its rows are counted")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks/results/datasets.json")
    parser.add_argument("--no-results", action="store_true", help="write nothing")
    args = parser.parse_args(argv)
    from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results

    rows = list(read_ecg_qa(args.ecg_qa))
    labelled = list(records_of(read_ptbxl_table(args.ptbxl), dict.fromkeys(range(1, 11), "all"), rate=100))
    if args.measurements:
        labelled = list(with_measurements(labelled, args.measurements))
    elif args.measure_rr:
        labelled = list(measured_rr(labelled, rows, args.ptbxl))
    records = {int(record.record_id): record for record in labelled}
    names = scp_names(args.ptbxl)
    read = Counter((row.split, row.question_type) for row in rows)
    if args.heartllm_samples:
        rows += sample_rows(args.heartllm_samples)

    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row.question_type == "single-verify" and row.ecg_id[0] in records:
            record = records[row.ecg_id[0]]
            part = "fold 9" if record.fold == 9 else "folds 1-8"
            found[row.attribute_type, part][verdict(row, record, names)] += 1

    words = {"machine": machine_words(), "commit": current_commit(REPOSITORY)}
    options = [f"--{name} DIR" for name, given in (("heartllm-samples", args.heartllm_samples),) if given]
    options += ["--sampled DIR"] * bool(args.sampled)
    options += ["--measurements FILE"] * bool(args.measurements) + ["--measure-rr"] * args.measure_rr
    command = shlex.join(["python", "benchmarks/ecg_qa_agreement.py", "--ecg-qa", "DIR", "--ptbxl", "DIR"])
    command = " ".join([command, *options])
    results: list[Result] = []

    def note(name: str, value: float, data: str, unit: str = "fraction", bar: str | None = None) -> None:
        results.append(Result(name, value, None, bar, unit, data, command, words["commit"], words["machine"]))

    for (split, kind), number in sorted(read.items()):
        note(f"ecg_qa: rows of the copy, {kind}, {split}", number, "ECG-QA over PTB-XL, template, copy at hand", "rows")
    complete = completeness(read)
    print(complete, end="\n\n")
    note(
        "ecg_qa: rows of the copy, all",
        complete.counts[0][1],
        f"{complete}",
        "rows",
        f"{complete.counts[0][2]} (paper)",
    )
    for (kind, part), counts in sorted(found.items()):
        both = sum(counts[what] for what in (AGREES, WITHOUT_LEADS, OTHER_NO, OTHER_YES, OTHER))
        print(f"{kind}, {part}: {counts.total()} rows, {both} answered by both")
        for what, number in counts.most_common():
            print(f"  {number:6} {what}")
            if what != AGREES:
                note(f"sampler: {kind}, {part}, {what}", number, f"ECG-QA single-verify, {counts.total()} rows", "rows")
        if both:
            data = f"ECG-QA single-verify, {both} of {counts.total()} rows that both answer"
            note(f"sampler: {kind}, {part}, agreement with ECG-QA", counts[AGREES] / both, data)
    _durations(rows, records, note)
    if args.sampled:
        _count_sampled(args.sampled, note)
    if not args.no_results:
        write_results(args.results, results)
        print(f"{args.results}: {len(results)} rows")
    return 0


def _durations(rows: list[ECGQARow], records: dict[int, Record], note: Any) -> None:
    """Agreement on abnormal durations, duration by duration, with the direction of what differs."""
    for feature in FEATURES:
        compared = list(duration_rows(rows, records, feature.name))
        for part in ("folds 1-8", "fold 9"):
            chosen = [
                (theirs, ours)
                for row, theirs, ours in compared
                if (max(records[i].fold or 0 for i in row.ecg_id) == 9) == (part == "fold 9")
            ]
            if not chosen:
                continue
            data = f"ECG-QA comparison rows on durations: {len(chosen)}, both recordings surely placed"
            agree = sum(theirs == ours for theirs, ours in chosen) / len(chosen)
            only = Counter("theirs" if theirs else "ours" for theirs, ours in chosen if theirs != ours)
            print(f"{feature.name}, {part}: agree {agree:.3f} of {len(chosen)} rows; ", end="")
            print(f"named only by ECG-QA {only['theirs']}, only by us {only['ours']}")
            note(f"sampler: {feature.name}, {part}, agreement with ECG-QA", agree, data)
            note(f"sampler: {feature.name}, {part}, abnormal for ECG-QA only", only["theirs"], data, "rows")
            note(f"sampler: {feature.name}, {part}, abnormal for us only", only["ours"], data, "rows")


def _count_sampled(folder: Path, note: Any) -> None:
    """Rows per split and question type, and the share of yes among yes and no, of what the question generator built."""
    import pyarrow.parquet as pq

    rows: Counter[tuple[str, str]] = Counter()
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for path in sorted(folder.glob("data/*/*.parquet")):
        split = path.name.split("-")[0]
        table = pq.read_table(path, columns=["question_type", "answers"]).to_pydict()
        rows.update((split, kind) for kind in table["question_type"])
        pairs = zip(table["question_type"], table["answers"], strict=True)
        answers[split].update(answer[0] for kind, answer in pairs if kind.endswith("-verify"))
    for (split, kind), number in sorted(rows.items()):
        print(f"sampled, {split}, {kind}: {number}")
        note(f"sampler: rows, {kind}, {split}", number, "PTB-XL folds 1-8 (train) and 9 (validation)", "rows")
    for split, found in answers.items():
        yes, no = found["yes"], found["no"]
        share = yes / max(yes + no, 1)
        print(f"sampled, {split}: share of yes {share:.4f}")
        note(f"sampler: share of yes among yes and no, {split}", share, f"{yes + no} yes-or-no questions", bar="0.5")


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "ecg_qa_agreement"))
