"""How much of PTB-XL's German and Swedish reports the glossary covers, and agreement with others' English.

    python benchmarks/english_reports.py --ptbxl DIR --samples HEARTLLM --results benchmarks/results/datasets.json

The glossary was made from folds 1 to 7. The English of the authors' sample rows is a machine translation, not a
reference: agreement says how alike the two are, not which is right.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dataset_builders.reports import read_sample_records
from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results
from hf_heartllm.labels.english_reports import (
    Translation,
    report_from_statements,
    report_words,
    translate_report,
)
from hf_heartllm.labels.ptbxl import read_ptbxl_table

FOLDS = (8, 9)
BAR = ">= 0.98"
NOT_FAIR = "only rows with a report, no fair sample (NORM in 19 % of them, in 75 % of the others)"

_REGIONS = ("anterior", "anteroseptal", "anterolateral", "lateral", "inferior", "inferolateral", "septal", "posterior")
_BUNDLE = r"(bundle branch|(sided |side |limb )?(leg|shin|thigh)) block"
FINDINGS: dict[str, str] = {
    "sinus rhythm": r"\bsinus ?r(hythm|ytm)",
    "sinus bradycardia": r"\bsinus bradycardia",
    "sinus tachycardia": r"\bsinus tachycardia",
    "sinus arrhythmia": r"\bsinus arr?h?yt?hmia",
    "atrial fibrillation": r"\batrial fibrillation",
    "normal ecg": r"(?<!no )\bnormal(ly)? e[ck]g|\be[ck]g (probably )?normal",
    "premature beats": r"extra ?systol|extra (beat|stroke)|premature|\bs?ves\b",
    "first degree av block": r"(a-?v|of)[- ]blocks? (i\b|in\b)|(first|1st)[- ]degree|av[- ]block 1|, 1st degree",
    "left bundle branch block": rf"left[- ](sided )?{_BUNDLE}|\blsb\b|links-?schenkelblock",
    "right bundle branch block": rf"right[- ](sided |side )?{_BUNDLE}|\brsb\b|rechts-?schenkelblock",
    "left anterior fascicular block": r"left[- ]anterior (hemi|fascicular )block|\blahb?\b",
    "left posterior fascicular block": r"left[- ]posterior (hemi|fascicular )block",
    "intraventricular conduction": r"intraventr",
    "left ventricular hypertrophy": r"left[- ](ventric\w+[- ]|chamber )?hypertrophy|\blvh\b",
    "right ventricular hypertrophy": r"right[- ](ventric\w+[- ])?hypertrophy|\brvh\b",
    "low voltage": r"low[- ](peripheral )?voltage|low qrs amplitudes",
    "st elevation": r"\bst[- .]*(elevation|lifting|elevated|raising)",
    "st depression": r"\bst(-t)?[- .]*(depression|lowering|decrease|subsidence|reduction|segment depression|sinking)",
    "abnormal t": r"abnormal(es)? t\b|\bt (wave )?abnormal|\bt[- ]*(wave )?changes?|(neg|flat|biphas)\w*\.? t\b",
    "prolonged qt": r"\bqt[- ](prolong|extension|lengthen)|prolonged qt|qt extended",
    "left axis": r"\bleft (axis|type|electric\w* (axis|shaft)|el-axis|position)|left-type|linkstyp|\bllt\b|\bleft axis",
    "right axis": r"\bright (axis|type)|\bright-type",
    "ischemia": r"ischa?emi|oschaemia",
    "myocardial damage": r"myocardial (damage|injury|involvement|affect)",
    **{f"{region} infarction": rf"\b{region}( myocardial)? infarct" for region in _REGIONS},
    "hedged": r"possib|probab|likely|suspec|cannot|can not|could not|consider",
    "pathological": r"patholog",
    "pacemaker": r"pacemaker",
}
"""Findings and the wordings by which they are recognized, in our English and in that of the sample rows."""


@dataclass(frozen=True)
class Agreement:
    """How alike two sets of findings are, over all reports.

    Attributes:
        both: findings that both texts state.
        only_first: findings of the first text alone.
        only_second: findings of the second text alone.
        same: share of the reports in which all findings are the same.
    """

    both: int
    only_first: int
    only_second: int
    same: float

    @property
    def positive(self) -> float:
        """Positive agreement, 2 both / (2 both + only one); the F1 score of either against the other."""
        return 2 * self.both / max(1, 2 * self.both + self.only_first + self.only_second)


def findings(text: str) -> frozenset[str]:
    """The findings that an English report states, denied ones ("no ischemia") left out."""
    text = re.sub(r"\b(no|without|(?<!can )not) (indications? of |evidence of |signs of )?[a-z]+", " ", text.lower())
    return frozenset(name for name, pattern in FINDINGS.items() if re.search(pattern, text))


def agreement(first: Sequence[str], second: Sequence[str]) -> Agreement:
    """Agreement of two reports of each record on the findings."""
    pairs = [(findings(a), findings(b)) for a, b in zip(first, second, strict=True)]
    return Agreement(
        sum(len(a & b) for a, b in pairs),
        sum(len(a - b) for a, b in pairs),
        sum(len(b - a) for a, b in pairs),
        sum(a == b for a, b in pairs) / max(1, len(pairs)),
    )


def normalized(text: str) -> str:
    """Lower case, words and numbers only; "ekg" and "ecg" alike."""
    return " ".join(re.findall(r"[^\W_]+", text.lower().replace("ekg", "ecg")))


def covered_share(
    texts: Iterable[str], translations: Iterable[Translation], least_letters: int = 1
) -> tuple[float, int]:
    """Share of the words that the glossary holds, and the number of words (of at least so many letters)."""
    known = unknown = 0
    for text, translation in zip(texts, translations, strict=True):
        known += sum(len(word) >= least_letters for word in report_words(text))
        unknown += sum(len(word) >= least_letters for word in translation.uncovered)
    return (1 - unknown / known if known else float("nan")), known


def coverage_rows(ptbxl: Path) -> list[tuple[str, float, str | None, str]]:
    """Name, value, bar and data of the coverage figures."""
    table = read_ptbxl_table(ptbxl)
    table = table[table["strat_fold"].isin(FOLDS) & table["report"].notna()]
    texts = [text for text in table["report"] if text.strip()]
    translations = [translate_report(text) for text in texts]
    found: list[tuple[str, float, str | None, str]] = []
    for name, languages in (("German and Swedish", ("de", "sv", "und")), ("German", ("de",)), ("Swedish", ("sv",))):
        chosen = [(text, one) for text, one in zip(texts, translations, strict=True) if one.language in languages]
        part, english = [text for text, _ in chosen], [one for _, one in chosen]
        data = f"PTB-XL 1.0.3, folds 8-9, {len(part)} {name} reports of {len(texts)}"
        bar = BAR if len(languages) > 1 else None
        share, words = covered_share(part, english)
        found.append((f"words in the glossary, {name}", share, bar, f"{data}, {words} words; {NOT_FAIR}"))
        if len(languages) > 1:
            share, words = covered_share(part, english, least_letters=4)
            long = f"{data}, {words} words of four letters or more; {NOT_FAIR}"
            found.append((f"long words in the glossary, {name}", share, None, long))
            whole = sum(not one.uncovered for one in english) / len(english)
            found.append((f"reports with every word in the glossary, {name}", whole, None, f"{data}; {NOT_FAIR}"))
    return found


def agreement_rows(ptbxl: Path, samples: Path) -> list[tuple[str, float, str | None, str]]:
    """Name, value, bar and data of the agreement with the authors' English reports."""
    table = read_ptbxl_table(ptbxl)
    pairs = []
    for ecg_id, record in read_sample_records(samples).items():
        original = table["report"].get(ecg_id)
        if record.report is not None and isinstance(original, str) and original.strip():
            row: Any = table.loc[ecg_id]
            pairs.append(
                (record.report, translate_report(original), row["scp_codes"], int(row["strat_fold"]), original)
            )
    found: list[tuple[str, float, str | None, str]] = []
    groups = (
        ("folds 8-9", [pair for pair in pairs if pair[3] in FOLDS and pair[1].language != "en"]),
        ("folds 1-7", [pair for pair in pairs if pair[3] not in FOLDS and pair[1].language != "en"]),
    )
    for name, chosen in groups:
        if not chosen:
            continue
        theirs, ours = [pair[0] for pair in chosen], [pair[1].text for pair in chosen]
        data = f"{len(chosen)} German and Swedish reports of {name} in heartllm-samples; {NOT_FAIR}"
        alike = agreement(ours, theirs)
        counts = f"{data}; findings in both {alike.both}, only ours {alike.only_first}, only theirs {alike.only_second}"
        found.append((f"findings, translated and authors', {name}", alike.positive, None, counts))
        found.append((f"reports with the same findings, translated and authors', {name}", alike.same, None, data))
        rendered = agreement([report_from_statements(pair[2]) for pair in chosen], theirs)
        found.append((f"findings, from statements and authors', {name}", rendered.positive, None, data))
        exact = sum(normalized(a) == normalized(b) for a, b in zip(ours, theirs, strict=True)) / len(chosen)
        found.append((f"same words, translated and authors', {name}", exact, None, data))
        for metric, value in _metrics([normalized(a) for a in ours], [normalized(b) for b in theirs]).items():
            found.append((f"{metric}, translated against authors', {name}", value, None, data))
    english = [pair for pair in pairs if pair[1].language == "en"]
    if english:
        exact = sum(normalized(pair[0]) == normalized(pair[4]) for pair in english) / len(english)
        data = f"{len(english)} English reports of folds 1-9 in heartllm-samples; {NOT_FAIR}"
        found.append(("same words, original English and authors'", exact, None, data))
    return found


def _metrics(ours: list[str], theirs: list[str]) -> dict[str, float]:
    try:
        import sacrebleu
    except ImportError:
        print("sacrebleu is not installed (extra eval): no BLEU, no chrF", file=sys.stderr)
        return {}
    return {
        "BLEU": sacrebleu.corpus_bleu(ours, [theirs]).score / 100,
        "chrF": sacrebleu.corpus_chrf(ours, [theirs]).score / 100,
    }


def main(argv: list[str] | None = None) -> int:
    """Measure, print, and write the figures. Returns the exit code: 2 for bad input, with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python benchmarks/english_reports.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--ptbxl", required=True, type=Path, help="folder of PTB-XL 1.0.x")
    parser.add_argument("--samples", type=Path, help="dataset folder of the HeartLLM authors")
    parser.add_argument("--results", type=Path, help="results file to write the figures into")
    args = parser.parse_args(argv)
    try:
        figures = coverage_rows(args.ptbxl)
        if args.samples is not None:
            figures += agreement_rows(args.ptbxl, args.samples)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, value, bar, data in figures:
        print(f"{value:.4f}  {name}{f' ({bar})' if bar else ''}: {data}")
    if args.results is not None:
        command = "python benchmarks/english_reports.py --ptbxl DIR" + (" --samples HEARTLLM" if args.samples else "")
        commit, machine = current_commit(), machine_words()
        rows = [
            Result(f"reports: {name}", round(value, 4), None, bar, "fraction", data, command, commit, machine)
            for name, value, bar, data in figures
        ]
        write_results(args.results, rows)
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "english_reports"))
