"""The card of a checkpoint and what lies beside it, from a template, the checkpoint itself and what was measured of it.

`README.md` fits a screen; `EVALUATION.md` holds every figure; two plots and `.eval_results/questions.yaml`, the Hub's
own format of results, belong to them. Whatever was not measured is left out. No figure is typed: templates name facts
and rows of results files.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, EvalResultEntry, ModelCard, eval_result_entries_to_yaml
from huggingface_hub.utils import yaml_dump

from ..evaluation.confidence_curves import AT_NATURAL, CURVES_FILE, Curves, read_curves
from ..evaluation.confidence_plots import plot_reliability, plot_risk_coverage
from ..evaluation.controlled import COLUMN_WORDS
from ..hashes import sha256_of
from ..models.card_files import CARD_FILE, EVAL_RESULTS, EVALUATION_FILE, OWNER
from ..models.notice import NOTICE
from ..models.whole_files import write_whole
from .pivots import Figure, figure_cell, find_figure, grouped, pivot_cells, pivot_table, sources_list

RELIABILITY, RISK_COVERAGE = "reliability.png", "risk-coverage.png"
GENERATED = (CARD_FILE, EVALUATION_FILE, EVAL_RESULTS, RELIABILITY, RISK_COVERAGE)
"""All that is written into a checkpoint's folder."""


@dataclass(frozen=True)
class Kind:
    """A row of the card's table.

    Attributes:
        figure: what its figures' names hold, `*` for anything.
        metric: its name on the Hub.
        task: the task of a benchmark that it is, as `.eval_results` names it.
    """

    figure: str
    metric: str
    task: str


KINDS = {
    "all questions, exact match": Kind("exact match, all balanced questions", "exact_match", "all"),
    "yes or no": Kind("exact match, question type verify", "exact_match", "verify"),
    "one of two": Kind("exact match, question type choose", "exact_match", "choose"),
    "which ones": Kind("exact match, question type query", "exact_match", "query"),
    "AUROC of atrial fibrillation": Kind("AUROC, AFIB (rhythm), every record*", "roc_auc", "atrial_fibrillation"),
}
REAL, OTHER, DIFFERENCE = "real ECG", "another patient's ECG", "difference"
COLUMNS = {
    REAL: "real ECG",
    OTHER: "another patient's ECG",
    "no ECG": "no ECG",
    "majority": "majority answer of the template, age band and sex",
    DIFFERENCE: "real ECG − another patient's ECG",
}
"""The card's table: headings, and what figures are called."""

_SUBJECTS = {
    "qa": "Questions",
    "classify": "Classification",
    "report": "Reports",
    "robustness": "Corrupted recordings",
    "text": "Text",
}


@dataclass(frozen=True)
class Measured:
    """What was measured of a checkpoint.

    Attributes:
        name: of the checkpoint.
        figures: the rows about it, of a results file.
        curves: reliability and risk–coverage; None where they were not kept.
    """

    name: str
    figures: Sequence[Figure] = ()
    curves: Curves | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The card's table for `pivot_table`, with those of its rows and columns that were measured; {} for none."""
        name = f"qa, {self.name}: @row, @column"
        wanted: dict[str, Any] = {"file": "results", "name": name, "first": "", "intervals": [], "data": ""}
        rows: dict[str, str] = {}
        columns: dict[str, str] = {}
        for heading, kind in KINDS.items():
            of = {
                column: words
                for column, words in COLUMNS.items()
                if find_figure(self.figures, f"qa, {self.name}: {kind.figure}, {words}")
            }
            if REAL in of:  # no control without what it controls
                rows[heading] = kind.figure
                columns |= of
        if not rows:
            return {}
        columns = {column: words for column, words in COLUMNS.items() if column in columns}
        shown = [column for column in (REAL, DIFFERENCE) if column in columns]
        return {**wanted, "rows": rows, "columns": columns, "intervals": shown}

    @property
    def cells(self) -> dict[tuple[str, str], Figure]:
        """Heading of row and column of the card's table → figure."""
        return pivot_cells(self.figures, self.settings) if self.settings else {}


def read_measured(name: str, results: str | os.PathLike[str]) -> Measured:
    """What a results file, and the curves beside it, hold of a checkpoint; nothing where it is not there.

    Args:
        name: of the checkpoint.
        results: the file.
    """
    path = Path(results)
    rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    own = re.compile(rf"(?:{'|'.join(_SUBJECTS)}), {re.escape(name)}(?:, [^:]*)?: ")
    curves = read_curves(path.with_name(CURVES_FILE), f"qa, {name}")
    return Measured(name, [row for row in rows if own.match(row["name"])], curves)


@dataclass(frozen=True)
class CardFiles:
    """What is written into a checkpoint's folder.

    Attributes:
        texts: name → content.
        pictures: name → sixteen hexadecimal digits over what it shows.
        curves: what they show; None where there are no pictures.
    """

    texts: Mapping[str, str]
    pictures: Mapping[str, str] = field(default_factory=dict)
    curves: Curves | None = None

    def write(self, folder: Path) -> None:
        """Write all of it, and take away what is left from other results."""
        for name in GENERATED:
            if name in self.texts:
                (folder / name).parent.mkdir(exist_ok=True)
                write_whole(folder / name, self.texts[name])
            elif name not in self.pictures:
                (folder / name).unlink(missing_ok=True)
        if self.curves is None:
            return
        title, tables = _reliability(self.curves)
        plot_reliability(tables, folder / RELIABILITY, title, note=self.pictures[RELIABILITY])
        title, risks = _risks(self.curves)
        plot_risk_coverage(risks, folder / RISK_COVERAGE, title, note=self.pictures[RISK_COVERAGE])

    def out_of_date(self, folder: Path) -> list[Path]:
        """Files in a folder that are not there, say or show something else, or are left from other results."""
        wrong = [folder / name for name, text in self.texts.items() if _read(folder / name) != text.encode()]
        wrong += [folder / name for name, mark in self.pictures.items() if mark.encode() not in _read(folder / name)]
        others = [folder / name for name in GENERATED if name not in self.texts and name not in self.pictures]
        return wrong + [path for path in others if path.exists()]


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def render_files(
    template_path: str | os.PathLike[str],
    measured: Measured,
    facts: Mapping[str, Any],
    results_dir: str | os.PathLike[str],
    question_set: str = "ptb-xl-questions",
    pictures: Sequence[str] = (),
) -> CardFiles:
    """Render what lies beside a checkpoint's weights.

    Args:
        template_path: Markdown with a YAML head. Its text is a Jinja template that knows the facts, `name`, `table`,
            `data`, `plots`, `perplexity` and `evaluation` ("" where nothing was measured), and `figure(file, name)`.
        measured: of the checkpoint.
        facts: what else it knows.
        results_dir: where `figure` looks for files.
        question_set: the questions' repository on the Hub, below whoever owns the checkpoint's.
        pictures: files of the folder that `EVALUATION.md` shows.

    Raises:
        ValueError: if the template names a fact, or a row of results, that there is not.
    """
    texts: dict[str, str] = {}
    marks: dict[str, str] = {}
    if measured.figures:
        texts[EVALUATION_FILE] = evaluation_page(measured, pictures)
    if measured.cells:
        entries = eval_result_entries_to_yaml(eval_entries(measured, f"{OWNER}/{question_set}"))
        texts[EVAL_RESULTS] = str(yaml_dump(entries, sort_keys=False))
    if measured.curves is not None:
        shown = measured.curves.document()
        marks = {name: sha256_of(json.dumps([name, shown]))[:16] for name in (RELIABILITY, RISK_COVERAGE)}
    texts[CARD_FILE] = str(render_card(template_path, measured, facts, results_dir))
    return CardFiles(texts, marks, measured.curves)


def render_card(
    template_path: str | os.PathLike[str],
    measured: Measured,
    facts: Mapping[str, Any],
    results_dir: str | os.PathLike[str],
) -> ModelCard:
    """The card; arguments and errors are those of `render_files`."""
    template = ModelCard(Path(template_path).read_text(encoding="utf-8"))
    data: Any = template.data
    found = eval_results(measured)
    if found:
        data.model_name, data.eval_results = measured.name, found
        data.metrics = list(dict.fromkeys(one.metric_type for one in found))

    def figure(file: str, name: str, interval: bool = False) -> str:
        path = Path(results_dir) / file
        rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
        row = next((one for one in rows if one["name"] == name), None)
        if row is None:
            raise ValueError(f"{template_path}: {file} has no row {name!r}")
        return figure_cell(row, interval, True)

    known: dict[str, Any] = {
        **dict.fromkeys(_OF_A_BASE, ""),  # of a checkpoint that holds its language model
        **{name: value for name, value in facts.items() if value not in (None, "")},
        "name": measured.name,
        "card_data": data.to_yaml(line_break="\n"),
        "table": pivot_table(measured.figures, measured.settings)[0] if measured.settings else "",
        "data": _data(measured),
        "plots": _plots(measured.curves) if measured.curves else "",
        "perplexity": _perplexity(measured),
        "evaluation": EVALUATION_FILE if measured.figures else "",
        "figure": figure,
    }
    text = "---\n{{ card_data }}\n---\n" + template.text
    if missing := sorted(_names(text) - set(known)):
        raise ValueError(f"{template_path}: no fact {missing[0]!r} is given")
    del known["card_data"]  # from_template gives it
    card = ModelCard.from_template(data, template_str=text, **known)
    return ModelCard(re.sub(r"\n{3,}", "\n\n", str(card)).rstrip() + "\n")


_OF_A_BASE = ("base", "base_revision")


def _names(template: str) -> set[str]:
    """What a Jinja template asks for."""
    from jinja2 import Environment, meta

    return meta.find_undeclared_variables(Environment().parse(template))


def _data(measured: Measured) -> str:
    """On what the figures of the first row were measured."""
    first = next(iter(measured.cells.values()), None)
    return "" if first is None else grouped(first["data"])


def eval_results(measured: Measured) -> list[EvalResult]:
    """The real ECG's figures, and another patient's, for the card's `model-index`."""
    found = []
    for (heading, column), figure in measured.cells.items():
        if column not in (REAL, OTHER):
            continue
        found.append(
            EvalResult(
                task_type="question-answering",
                task_name="Questions about 12-lead ECGs",
                dataset_type="ptb-xl",
                dataset_name=_question_set(figure),
                dataset_split="test",
                metric_type=KINDS[heading].metric,
                metric_value=figure["value"],
                metric_name=f"{heading}, {column}{_interval(figure)}",
            )
        )
    return found


def eval_entries(measured: Measured, dataset_id: str) -> list[EvalResultEntry]:
    """The real ECG's figures as the Hub's `.eval_results` hold them.

    Args:
        measured: of a checkpoint.
        dataset_id: the repository of the question set.
    """
    cells = measured.cells
    entries = []
    for heading, kind in KINDS.items():
        figure, other = cells.get((heading, REAL)), cells.get((heading, OTHER))
        if figure is not None:
            beside = "" if other is None else f"; another patient's ECG: {other['value']}"
            notes = f"{kind.metric}{_interval(figure)}; {figure['data']}{beside}"
            entries.append(EvalResultEntry(dataset_id, kind.task, figure["value"], notes=notes))
    return entries


def _interval(figure: Figure) -> str:
    ends = figure["interval"]
    return "" if ends is None else f" (95 % interval {ends[0]} to {ends[1]})"


def _question_set(figure: Figure) -> str:
    """The collection and the questions, without the counts."""
    return ", ".join(figure["data"].partition("; ")[0].split(", ")[:2])


def _perplexity(measured: Measured) -> str:
    """A line for each of the figures of a plain language model."""
    of = f"text, {measured.name}: perplexity"
    found = [one for one in measured.figures if one["name"].startswith(of)]
    return "\n".join(
        f"* {one['name'].partition(': ')[2]}: {figure_cell(one, True, True)} ({grouped(one['data'])})" for one in found
    )


def _plots(curves: Curves) -> str:
    """Both plots side by side, with what they show in words."""
    title, tables = _reliability(curves)
    areas = {name: curve.area for name, curve in _risks(curves)[1].items()}
    others = [area for name, area in areas.items() if name != REAL]
    said = f"mean share of wrong answers {areas[REAL]:.3f}" if REAL in areas else ""
    said += f", of controls {min(others):.3f} to {max(others):.3f}" if others else ""
    first = f"![Share of right answers over confidence, {' and '.join(tables)}]({RELIABILITY})"
    second = f"![Share of wrong answers over the share of questions answered]({RISK_COVERAGE})"
    words = f"{title}: on the dashed line confidence is what it says | The surest answers first: {said}"
    return f"| {first} | {second} |\n|---|---|\n| {words} |"


def _reliability(curves: Curves) -> tuple[str, Mapping[str, Any]]:
    """The heading and the tables that are drawn: at natural prevalence where that is known."""
    found = curves.reliability
    questions = AT_NATURAL if AT_NATURAL in found else next(iter(found))
    return f"Reliability, {questions}", found[questions]


def _risks(curves: Curves) -> tuple[str, Mapping[str, Any]]:
    questions, found = next(iter(curves.risk_coverage.items()))
    return f"Risk and coverage, {questions}", found


def evaluation_page(measured: Measured, pictures: Sequence[str] = ()) -> str:
    """Every figure of a checkpoint: for each subject and metric a table, controls as columns."""
    lines = [f"# {measured.name}: every figure", "", f"**{NOTICE}**", ""]
    lines += [
        "[The card](README.md) has the figures that matter most. A column is what the model was shown; a difference "
    ]
    lines[-1] += "is paired, row by row. Intervals (95 %) are a bootstrap over patients."
    tables: dict[tuple[str, str], dict[str, dict[str, Figure]]] = {}
    for figure in measured.figures:
        subject, _, rest = figure["name"].partition(": ")
        metric, group, column = _parts(rest)
        tables.setdefault((subject, metric), {}).setdefault(group, {})[column] = figure
    title = ""
    for (subject, metric), rows in tables.items():
        kind, _, qualifier = subject.partition(f", {measured.name}")
        heading = _SUBJECTS[kind] + qualifier
        if heading != title:
            lines += ["", f"## {heading}"]
            title = heading
        columns = [one for one in _COLUMNS if any(one in row for row in rows.values())]
        lines += [
            "",
            f"### {metric}",
            "",
            "| " + " | ".join(["", *(_HEADINGS.get(one, one) for one in columns)]) + " |",
        ]
        lines.append("|---|" + "---:|" * len(columns))
        for group, row in rows.items():
            cells = [figure_cell(row[one], True, True) if one in row else "–" for one in columns]
            lines.append("| " + " | ".join(text.replace("|", r"\|") for text in (group or "all", *cells)) + " |")
    for name in pictures:
        lines += ["", f"![A simulated ECG, and over it what the codec decodes from all of its codebooks]({name})"]
    return "\n".join([*lines, "", "## Sources", "", sources_list(measured.figures), ""])


_COLUMNS = (*COLUMN_WORDS.values(), *(f"real ECG − {words}" for words in COLUMN_WORDS.values()), "value")
_HEADINGS = {f"real ECG − {words}": f"difference to {words}" for words in COLUMN_WORDS.values()}
_BY_LENGTH = sorted(_COLUMNS, key=len, reverse=True)


def _parts(name: str) -> tuple[str, str, str]:
    """Metric, group and column of a figure's name; commas in brackets part nothing."""
    column = next((one for one in _BY_LENGTH if name.endswith(f", {one}")), "value")
    rest = name.removesuffix(f", {column}")
    depth = 0
    for place, letter in enumerate(rest):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and not depth:
            return rest[:place], rest[place + 1 :].strip(), column
    return rest, "", column
