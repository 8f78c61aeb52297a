"""Reports: a record, what is known of the patient, and the record's report.

    python -m dataset_builders.ecg_report --ptbxl PTBXL --report translated --output DIR
    python -m dataset_builders.ecg_report --ptbxl PTBXL --samples HEARTLLM --report samples --output DIR

Records, splits and ids are those of `dataset_builders.ptb_xl`.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import datasets

from hf_heartllm.labels.english_reports import (
    GLOSSARY_PATH,
    Translation,
    report_from_statements,
    report_language,
    translate_report,
)
from hf_heartllm.labels.ptbxl import SEX, row_source
from hf_heartllm.models.report_text import clean_report_text

from .cards import measured_table
from .engine import BuildReport, add_build_arguments, build_parser, run_build
from .ptb_xl import CITATION, PTBXL, PTBXLConfig, add_ptbxl_arguments, ptbxl_config
from .reports import Background, SampleRecord, background_text, read_sample_records

REPORTS = ("original", "translated", "statements", "samples")
NO_FAIR_SAMPLE = (
    "The rows with a report are no fair sample of PTB-XL where the table has reconstructed rows: in the copy that this "
    "was developed on, NORM stands in 19 % of the rows with a report and in 75 % of the others."
)


@dataclass
class ECGReportConfig(PTBXLConfig):
    """What becomes a report row. Further attributes are those of `PTBXLConfig`.

    Attributes:
        report: original, as PTB-XL has it, mostly German; translated, the original in English by the glossary;
            statements, English, made from the SCP statements; samples, the English reports, and the questions, that
            the HeartLLM authors published.
        samples: the `dataset` folder of the authors' repository, for the report samples.
        keep_uncovered: keep translations with words that the glossary lacks (in brackets); else such rows are left
            out and counted.
    """

    report: Literal["original", "translated", "statements", "samples"] = "translated"
    samples: Path | None = None
    keep_uncovered: bool = False

    def __post_init__(self) -> None:
        if self.report not in REPORTS:
            raise ValueError(f"report is one of {', '.join(REPORTS)}, got {self.report!r}")
        if (self.report == "samples") != (self.samples is not None):
            raise ValueError("the folder of the authors' samples goes with report='samples', and only with it")
        self.samples = None if self.samples is None else Path(self.samples)
        if self.name == "default":
            self.name = f"{self.report}-{self.rate}hz" + ("-paths" if self.signal == "path" else "")
        super().__post_init__()


class ECGReport(PTBXL):
    """Rows of record, background and report. See `ECGReportConfig` for the choices."""

    BUILDER_CONFIG_CLASS = ECGReportConfig
    COUNTED = ("report_source", "report_language", "sex", "unread_leads")
    config: ECGReportConfig

    def _info(self) -> datasets.DatasetInfo:
        info = super()._info()
        kept = (
            "ecg_id",
            "patient_id",
            "signal",
            "unread_leads",
            "path",
            "sampling_rate",
            "strat_fold",
            "age",
            "sex",
            "height",
            "weight",
        )
        text = datasets.Value("string")
        columns = {name: feature for name, feature in info.features.items() if name in kept}
        columns |= {
            "background": text,
            "report": text,
            "report_source": text,
            "report_language": text,
            "uncovered_words": datasets.List(text),
            "row_source": text,
        }
        if self.config.report == "samples":
            question = dict.fromkeys(("question", "question_type", "attribute_type", "sample_split"), text)
            columns |= {
                "report_sample_split": text,
                "questions": datasets.List({**question, "answers": datasets.List(text)}),
            }
        return datasets.DatasetInfo(
            description="12-lead ECGs of PTB-XL with background and report.",
            features=datasets.Features(columns),
            homepage=info.homepage,
            license=info.license,
            citation=CITATION,
        )

    @functools.cached_property
    def sample_records(self) -> dict[int, SampleRecord]:
        """The authors' rows by `ecg_id`."""
        assert self.config.samples is not None
        return read_sample_records(self.config.samples)

    def index_files(self) -> list[Path]:
        """PTB-XL's tables, the authors' rows, and the glossary: whatever decides the rows."""
        files = list(super().index_files())
        if self.config.report in ("translated", "original"):
            files.append(GLOSSARY_PATH)
        if self.config.samples is not None:
            files += sorted(self.config.samples.glob("*/ptbxl/*.json"))
        return files

    @functools.cached_property
    def _records_at_hand(self) -> dict[str, list[int]]:
        at_hand: dict[str, list[int]] = PTBXL.present.func(self)  # type: ignore[attr-defined]
        return at_hand

    @functools.cached_property
    def present(self) -> dict[str, list[int]]:
        """The `ecg_id` of the records at hand that have a report of the wanted kind, by split."""
        return {
            split: [ecg_id for ecg_id in ids if self._has_report(ecg_id)]
            for split, ids in self._records_at_hand.items()
        }

    def _has_report(self, ecg_id: int) -> bool:
        if self.config.report == "samples":
            return ecg_id in self.sample_records
        if self.config.report == "statements":
            return bool(self.table.at[ecg_id, "scp_codes"])
        text = self._original(ecg_id)
        if text is None or self.config.report == "original" or self.config.keep_uncovered:
            return text is not None
        translation = self._translations[ecg_id]
        return not translation.uncovered and bool(clean_report_text(translation.text))

    def _original(self, ecg_id: int) -> str | None:
        text = self.table.at[ecg_id, "report"] if "report" in self.table.columns else None
        return text.strip() or None if isinstance(text, str) else None

    @functools.cached_property
    def _translations(self) -> dict[int, Translation]:
        ids = (ecg_id for found in self._records_at_hand.values() for ecg_id in found)
        originals = {ecg_id: self._original(ecg_id) for ecg_id in ids}
        return {ecg_id: translate_report(text) for ecg_id, text in originals.items() if text is not None}

    def notes(self) -> list[str]:
        """How many records were left out, and why."""
        at_hand = sum(map(len, self._records_at_hand.values()))
        rows = sum(map(len, self.present.values()))
        lines = [f"{at_hand - rows:,} of {at_hand:,} records at hand have no {self.config.report} report: left out."]
        if self.config.report == "translated":
            words = [word for one in self._translations.values() for word in one.uncovered]
            reports = sum(bool(one.uncovered) for one in self._translations.values())
            done = "kept, the words in brackets" if self.config.keep_uncovered else "left out, and counted above"
            lines.append(f"{reports:,} reports have {len(words):,} words that the glossary lacks: {done}.")
        if self.config.report == "samples":
            known = {ecg_id for ids in self.present.values() for ecg_id in ids}
            absent = sum(ecg_id not in known for ecg_id in self.sample_records)
            lines.append(f"{absent:,} of {len(self.sample_records):,} records of the samples are not in this build.")
        if self.config.report != "statements":
            lines.append(NO_FAIR_SAMPLE)
        return lines

    def _labels(self, ecg_id: int, row: Any) -> dict[str, Any]:
        sample = self.sample_records[ecg_id] if self.config.report == "samples" else None
        background = _background(row) if sample is None else sample.background
        uncovered: list[str] | None = None
        report: str | None
        if sample is not None:
            report = clean_report_text(sample.report or "") or None
            language = None if report is None else "en"
        elif self.config.report == "statements":
            report, language = report_from_statements(row["scp_codes"]), "en"
        else:
            original = self._original(ecg_id)
            assert original is not None  # `present` holds no others
            report, language = original, report_language(original)
            if self.config.report == "translated":
                translation = translate_report(original)
                report, uncovered = clean_report_text(translation.text), list(translation.uncovered)
        columns: dict[str, Any] = {
            "strat_fold": int(row["strat_fold"]),
            "age": background.age,
            "sex": background.sex,
            "height": background.height,
            "weight": background.weight,
            "background": background_text(background),
            "report": report,
            "report_source": self.config.report,
            "report_language": language,
            "uncovered_words": uncovered,
            "row_source": row_source(row),
        }
        if sample is not None:
            columns["report_sample_split"] = sample.report_split
            columns["questions"] = [
                {
                    "question": one.text,
                    "question_type": one.question_type,
                    "attribute_type": one.attribute_type,
                    "sample_split": split,
                    "answers": list(one.answers),
                }
                for split, one in sample.questions
            ]
        return columns


def _background(row: Any) -> Background:
    import pandas as pd

    known = {name: row[name] for name in ("age", "sex", "height", "weight") if name in row and pd.notna(row[name])}
    sex = known.pop("sex", None)
    return Background(sex=None if sex is None else int(sex), **{name: float(value) for name, value in known.items()})


CARD = f"""# Reports of 12-lead ECGs

One row a record of PTB-XL 1.0.x (Wagner et al., Scientific Data 7, 154, 2020, CC BY 4.0): the record, what is known of
the patient, and its report; written by `python -m dataset_builders.ecg_report`. Not for use in care.

* `report_source`: `original`, as PTB-XL has it; `translated`, the original in English by a glossary of German and
  Swedish device wording (`uncovered_words`: what it lacks, in brackets in the text); `statements`, made from the SCP
  statements; `samples`, the English reports that the HeartLLM authors published (MIT), with their questions.
  Translated reports and samples are without what the device prints round the findings ("4.46 unconfirmed report").
* `report_language`: of the original: `de`, `sv`, `en`, or `und` where it could not be told; for `statements` and
  `samples`, of the report.
* `age`: years; 300 means over 89. `sex`: {", ".join(f"{code} {name}" for code, name in SEX.items())}. `height`: cm.
  `weight`: kg. `background` says the same in words; no ids, no dates.

{NO_FAIR_SAMPLE}
"""

AGREEMENT = """How much of the German and Swedish wording the glossary holds (it was made on folds 1-7), and how well
the translated reports agree with the English rows that the HeartLLM authors published: "findings" compares the SCP
findings that both state."""


def main(argv: list[str] | None = None) -> int:
    """Build from the command line. Returns the exit code: 2 for bad input, with one line on stderr."""
    parser = build_parser("ecg_report", __doc__)
    add_ptbxl_arguments(parser, ECGReportConfig, "download")
    add_build_arguments(parser)
    args = parser.parse_args(argv)

    def card(_: BuildReport) -> str:
        table = measured_table("reports: ")
        return f"{CARD}\n## Coverage and agreement\n\n{AGREEMENT}\n\n{table}\n" if table else CARD

    return run_build(lambda: ECGReport(**ptbxl_config(ECGReportConfig, args)), args, card)


if __name__ == "__main__":
    sys.exit(main())
