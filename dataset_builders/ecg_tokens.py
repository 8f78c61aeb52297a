"""ECG tokens: one row per record with its codes, its questions with answers and answer sets, and its report.

    python -m dataset_builders.ecg_tokens --records SOURCE --rows DIR --tokenizer CHECKPOINT --output DIR
    python -m dataset_builders.ecg_tokens --labels labels.csv --rows DIR --tokenizer CHECKPOINT --output DIR

`--records` is PTB-XL's folder, a folder of WFDB records with labels in their headers, or one that a builder wrote with
signals or paths; `--labels` is a CSV file of labels (`python -m
dataset_builders.question_generator --help-labels`), whose paths begin in `--records` (its own folder without it). Each
`--rows` is a folder or Parquet file of questions or reports on the records. Each record is encoded once, however many
questions it has, and is in the split that its source says. The codec's identity stands in every row and in the card, so
that tokens of another codec cannot be mixed in unnoticed.
"""

from __future__ import annotations

import functools
import random
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from hf_heartllm.data.question import Question, question_features
from hf_heartllm.data.question_rows import read_question
from hf_heartllm.data.sources import is_record_source, open_records
from hf_heartllm.data.splits import SPLITS
from hf_heartllm.labels.ptbxl import folds
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.ecg_record import ECGRecord
from hf_heartllm.models.report_text import clean_report_text

from .built_rows import built_files, first_ids, rows_about
from .engine import RowBuilder, Shard, add_build_arguments, add_config_options, build_parser, config_of, run_build
from .token_sources import BuiltRows, CollectionRecords, Recorded

CODEC_KEY = "codec_identity"
"""Entry of the card's YAML with the codec's identity."""

CHEST_LEADS = STANDARD_LEADS[6:]
REPORT_REQUEST = "Write the report."


@dataclass
class ECGTokensConfig(datasets.BuilderConfig):
    """What is encoded, and by which codec.

    Attributes:
        tokenizer: folder of a checkpoint with an `ECGTokenizer`, or of a codec alone.
        records: PTB-XL's folder, another that `hf_heartllm.data.open_records` opens, or a folder or Parquet file that
            a builder has written, with `signal` or `path` in its rows; not needed where a label file names the paths.
        labels: a CSV file of labels: its splits and reports are the records', and their paths unless a builder
            wrote the records.
        records_config: which configuration of a built folder.
        record_root: where the paths of a built folder's rows begin, for rows without signals.
        rows: folder or Parquet file with questions or reports, joined by `record_id` or `ecg_id`; may be repeated.
        rate: in Hz, of PTB-XL's folder.
        train: folds of PTB-XL's folder, '' for none.
        validation: folds of PTB-XL's folder, '' for none.
        test: folds of PTB-XL's folder, '' for none.
        padding: fill up recordings shorter than the codec's window; otherwise they are damaged ones.
        missing_leads: encode each record without one to six of its chest leads (`draw_missing_leads`).
    """

    tokenizer: Path = Path()
    records: Path | None = None
    labels: Path | None = None
    records_config: str | None = None
    record_root: Path | None = None
    rows: tuple[Path, ...] = ()
    rate: int = 100
    train: str = "1-8"
    validation: str = "9"
    test: str = "10"
    padding: bool = False
    missing_leads: bool = False

    def __post_init__(self) -> None:
        self.tokenizer, self.rows = Path(self.tokenizer), tuple(map(Path, self.rows))
        self.records, self.labels = (None if one is None else Path(one) for one in (self.records, self.labels))
        if self.records is None and self.labels is None:
            raise ValueError("give the recordings (--records) or a CSV file of labels that names them (--labels)")
        super().__post_init__()

    def splits(self) -> dict[int, str]:
        """The split of each of PTB-XL's folds."""
        found: dict[int, str] = {}
        for split in SPLITS:
            for fold in folds(text) if (text := getattr(self, split)) else ():
                if fold in found:
                    raise ValueError(f"fold {fold} is in two splits")
                found[fold] = split
        return found


class ECGTokens(RowBuilder):
    """Rows of ECG tokens. See `ECGTokensConfig` for the choices, and `_info` for the columns."""

    VERSION = datasets.Version("2.0.0")
    BUILDER_CONFIG_CLASS = ECGTokensConfig
    COUNTED = ("questions.question_type", "questions.source", "unread_leads")
    config: ECGTokensConfig

    def _info(self) -> datasets.DatasetInfo:
        text, texts = datasets.Value("string"), datasets.List(datasets.Value("string"))
        codes = datasets.List(datasets.Value("uint16"))
        message = {"role": text, "content": datasets.List({"type": text, "text": text, "codes": codes})}
        return datasets.DatasetInfo(
            description="ECGs as tokens of a language model, with questions and reports.",
            features=datasets.Features(
                {
                    "record_id": text,
                    "strat_fold": datasets.Value("int8"),
                    "codes": codes,
                    "codec": text,
                    "missing_leads": texts,
                    "unread_leads": texts,
                    "questions": datasets.List(dict(question_features())),
                    "report": text,
                    "report_original_english": text,
                    "messages": datasets.List(message),
                }
            ),
        )

    @functools.cached_property
    def encoder(self) -> Any:
        """The `ECGTokenizer`, or codec and extractor, as an object with `encode(record)` and `identity`."""
        return _Encoder(self.config.tokenizer, self.config.padding)

    def identity(self) -> dict[str, str]:
        """The codec's identity."""
        return {CODEC_KEY: self.encoder.identity}

    @functools.cached_property
    def source(self) -> CollectionRecords | BuiltRows:
        """The recordings."""
        c = self.config
        if c.records is not None and not is_record_source(c.records) and _is_built(c.records):
            files = [(split, file) for split, of in built_files(c.records, c.records_config).items() for file in of]
            labels = None if c.labels is None else open_records(c.labels)
            return BuiltRows(files, str(c.records), c.record_root, labels)
        if c.labels is not None:
            return CollectionRecords(open_records(c.labels, root=c.records), str(c.labels))
        records = Path(c.records or "")
        if not is_record_source(records):
            what = "holds no recordings that are known here" if records.exists() else "no such file or folder"
            raise ValueError(
                f"{records}: {what}; give PTB-XL's folder, WFDB records with labels, a folder or Parquet file that a "
                "builder wrote, or a CSV file that names the recordings (--labels)"
            )
        return CollectionRecords(open_records(records, sampling_rate=c.rate, splits=c.splits()), f"{records}")

    def index_files(self) -> Iterator[Path]:
        """The codec's files, tables of labels, and the cards of built folders, which name their shards by content."""
        yield from sorted(path for path in self.config.tokenizer.rglob("*") if path.suffix in (".json", ".safetensors"))
        yield from self.source.index_files()
        records = self.config.records if isinstance(self.source, BuiltRows) else None
        for path in (records, *self.config.rows):
            if path is not None and (path / "README.md").is_file():
                yield path / "README.md"
            elif path is not None and path.is_file():
                yield path

    def shard_files(self, shard: Shard) -> Iterator[Path]:
        """The recordings of a shard."""
        yield from self.source.shard_files(shard)

    def plan(self) -> list[Shard]:
        """Records in the order of their source, each in the split that the source says."""
        return self.source.plan()

    def notes(self) -> list[str]:
        """The codec's identity, what is absent, and what of records and rows cannot be joined."""
        lines = [f"Codec: `{self.encoder.identity}`.", *self.source.notes()]
        known = Counter(one for one in self.source.ids() if one is not None)
        if repeated := known.total() - len(known):
            lines.append(f"{repeated:,} records have the id of another: questions and reports stand with one of them.")
        for path in self.config.rows:
            about = list(first_ids([file for files in built_files(path).values() for file in files]))
            lost = {
                "on records that are not here": sum(one is not None and one not in known for one in about),
                "without a record's id": about.count(None),
            }
            left = ", ".join(f"{number:,} {words}" for words, number in lost.items())
            lines.append(f"{path.stem}: {len(about):,} rows, of which are left out: {left}.")
        return lines

    def rows(self, shard: Shard) -> Iterator[dict[str, Any]]:
        """The rows of a shard, one a record."""
        joined = self._joined(shard)
        for one in self.source.recorded(shard):
            with self.reading(f"record {one.record_id}"):
                record = one.read()
                unread = [*one.unread_leads, *self.encoder.extractor.unread_leads(record.leads)]
                missing = draw_missing_leads(record.leads, one.record_id) if self.config.missing_leads else []
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", message=".* not read: the codec reads ")  # counted below
                    if missing:  # left out on purpose
                        warnings.filterwarnings("ignore", message=".* encoded as missing")
                        record = record.select([lead for lead in record.leads if lead not in missing])
                    codes = self.encoder.encode(record)
                yield {
                    **self._row(one, codes, joined.pop(one.record_id, [])),
                    "missing_leads": missing,
                    "unread_leads": unread,
                }

    def _joined(self, shard: Shard) -> dict[str, list[dict[str, Any]]]:
        """Rows on the records of a shard from all the folders of questions and reports."""
        joined: dict[str, list[dict[str, Any]]] = {}
        for path in self.config.rows:
            files = [file for files in built_files(path).values() for file in files]
            for record_id, found in rows_about(files, self.source.ids_of(shard)).items():
                joined.setdefault(record_id, []).extend({"source": path.stem, **one} for one in found)
        return joined

    def _row(self, one: Recorded, codes: np.ndarray, joined: list[dict[str, Any]]) -> dict[str, Any]:
        questions: list[Question] = []
        made, original = one.report, one.original
        for other in [dict(one.row), *joined]:
            ids = other.get("record_ids") or [one.record_id]
            if other.get("question"):
                questions.append(read_question(other, ids))
            for asked in other.get("questions") or ():
                questions.append(read_question({"source": other.get("source"), **asked}, ids))
        for other in joined:
            made = other.get("report") or made
            original = other.get("report_original_english") or original
        original = clean_report_text(original or "") or None
        report = clean_report_text(made or "") or original
        return {
            "record_id": one.record_id,
            "strat_fold": one.strat_fold,
            "codes": codes,
            "codec": self.encoder.identity,
            "questions": [question.row() for question in questions],
            "report": report,
            "report_original_english": original,
            "messages": conversation(codes, questions, report),
        }


def _is_built(path: Path) -> bool:
    """Whether a path is what a builder wrote: a Parquet file, or a folder with a card."""
    return path.suffix == ".parquet" or ((path / "README.md").is_file() and (path / "data").is_dir())


def conversation(codes: np.ndarray, questions: Sequence[Question], report: str | None) -> list[dict[str, Any]]:
    """All that is known of one record as a conversation: the ECG in the first turn, then question after question.

    Args:
        codes: of the record.
        questions: one about two records is left out, since only one ECG is here.
        report: what answers `REPORT_REQUEST` in the last turn; None for none.

    Returns:
        Messages as `ECGTokenizer.apply_chat_template` takes them, content in parts with the keys `type`, `text` and
        `codes` each, as a table needs them; empty if there is nothing to say.
    """
    turns = [(one.text, one.answer) for one in questions if one.answer and len(one.record_ids) == 1]
    if report:
        turns.append((REPORT_REQUEST, report))
    messages: list[dict[str, Any]] = []
    for asked, answer in turns:
        content = [_part(text=asked)]
        if not messages:
            content.insert(0, _part(codes=codes.tolist()))
        messages += [{"role": "user", "content": content}, {"role": "assistant", "content": [_part(text=answer)]}]
    return messages


def _part(text: str | None = None, codes: list[int] | None = None) -> dict[str, Any]:
    return {"type": "ecg" if codes is not None else "text", "text": text, "codes": codes}


def draw_missing_leads(leads: Sequence[str], record_id: str) -> list[str]:
    """One to all of the chest leads that a record has, the same for the same id; [] if it has none."""
    chest = [lead for lead in leads if lead in CHEST_LEADS]
    rng = random.Random(f"missing leads of {record_id}")
    return sorted(rng.sample(chest, rng.randint(1, len(chest)))) if chest else []


class _Encoder:
    """Codes of a record, by a tokenizer or by a codec and its extractor."""

    def __init__(self, folder: Path, padding: bool) -> None:
        from hf_heartllm.models.ecg_codec import ECGCodec
        from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
        from hf_heartllm.models.tokenization_heartllm import ECGTokenizer

        self.padding = padding
        if (folder / "tokenizer.json").is_file():
            tokenizer = ECGTokenizer.from_pretrained(str(folder))
            self.codec, self.extractor = tokenizer.codec, tokenizer.feature_extractor
        elif (folder / "config.json").is_file():
            self.codec = ECGCodec.from_pretrained(str(folder)).eval()
            self.extractor = ECGFeatureExtractor.from_codec(self.codec.config)
        else:
            raise FileNotFoundError(f"{folder}: neither a checkpoint with an ECG tokenizer nor a codec")
        if self.codec.config.codebook_size > 65536:
            raise ValueError(f"{folder}: codes of {self.codec.config.codebook_size} values do not fit into 16 bits")
        self.identity = self.codec.fingerprint()

    def encode(self, record: ECGRecord) -> np.ndarray:
        """uint16 (tokens,): the codes of the first codebook, window after window."""
        import torch

        codes = self.codec.encode(torch.from_numpy(self.extractor.extract(record, padding=self.padding)))
        return codes[:, 0].reshape(-1).numpy().astype(np.uint16)


CARD = f"""# ECG tokens

ECGs as tokens of a language model, one row a record, written by `python -m dataset_builders.ecg_tokens`. Not for use in
care.

* `codes`: uint16, the codec's codes, window after window. `codec` is the identity of the codec that made them, a hash
  of its weights and configuration, which also stands above as `{CODEC_KEY}`: codes of two codecs mean different things.
* `missing_leads`: those that were left out on purpose before the record was encoded; empty without `--missing-leads`.
* `unread_leads`: those of the record that no codec reads, such as V7 or vx.
* `questions`: with the right `answers`, the closed `answer_set` (empty where an answer has several statements), and
  `record_ids`, the rows that the question is about: two for a comparison, which stands in the row of the first.
* `report`, and `report_original_english` where an original report is known in English, both without what the device
  prints round the findings ("4.46 unconfirmed report").
* `messages`: the questions about this record alone and its report as one conversation, the ECG in its first message as
  a part `{{"type": "ecg", "codes": …}}`: what `trl.SFTTrainer` takes with an `ECGTokenizer` over the same codec. Empty
  where there is neither a question nor a report.
"""


def main(argv: list[str] | None = None) -> int:
    """Build from the command line. Returns the exit code: 2 for bad input, with one line on stderr."""
    parser = build_parser("ecg_tokens", __doc__)
    add_config_options(
        parser,
        ECGTokensConfig,
        records={"names": ("--ptbxl",)},
        rows={"type": Path, "action": "append", "default": [], "metavar": "PATH"},
        tokenizer={"names": ("--codec",), "required": True},
        rate={"option": "--sampling-rate", "old_names": ("--rate",), "choices": (100, 500)},
    )
    add_build_arguments(parser)
    args = parser.parse_args(argv)
    return run_build(lambda: ECGTokens(**config_of(ECGTokensConfig, args, rows=tuple(args.rows))), args, CARD)


if __name__ == "__main__":
    sys.exit(main())
