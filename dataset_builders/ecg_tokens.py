"""ECG tokens: one row per record with its codes, its questions with answers and answer sets, and its report.

    python -m dataset_builders.ecg_tokens --records DIR --rows DIR --tokenizer CHECKPOINT --output DIR

`--records` is a folder in PTB-XL's layout or one that a builder wrote with signals or paths; each `--rows` is a folder
or Parquet file of questions or reports on them. Each record is encoded once, however many questions it has. The
codec's identity stands in every row and in the card, so that tokens of another codec cannot be mixed in unnoticed.
"""

from __future__ import annotations

import argparse
import functools
import random
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from hf_heartllm.ecg import read_ecg
from hf_heartllm.labels.ptbxl import TABLE_NAME
from hf_heartllm.labels.record_ids import whole_number
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.ecg_record import ECGError, ECGRecord
from hf_heartllm.models.report_text import clean_report_text

from .built_rows import ID_COLUMNS, built_files, count_rows, first_ids, id_text, read_rows, rows_about
from .engine import RowBuilder, Shard, add_build_arguments, run_build, split_shards
from .ptb_xl import PTBXL, SPLITS

CODEC_KEY = "codec_identity"
"""Entry of the card's YAML with the codec's identity."""

CHEST_LEADS = STANDARD_LEADS[6:]
_RECORDS_PER_SHARD = 512
REPORT_REQUEST = "Write the report."
_QUESTION_FIELDS = ("question", "answer", "question_type", "attribute_type", "attribute", "source")


@dataclass
class ECGTokensConfig(datasets.BuilderConfig):
    """What is encoded, and by which codec.

    Attributes:
        tokenizer: folder of a checkpoint with an `ECGTokenizer`, or of a codec alone.
        records: folder in PTB-XL's layout, or one that a builder has written, with `signal` or `path` in its rows.
        records_config: which configuration of a built folder.
        record_root: where the paths of the rows begin, for rows without signals.
        rows: folders or Parquet files with questions or reports, joined by `record_id` or `ecg_id`.
        rate: in Hz, of a folder in PTB-XL's layout.
        train: its folds of the split, as `"1-8"`; empty for none. So too `validation` and `test`.
        padding: whether to fill up recordings shorter than the codec's window; otherwise they are damaged ones.
        missing_leads: whether each record is encoded without one to six of its chest leads (`draw_missing_leads`).
    """

    tokenizer: Path = Path()
    records: Path = Path()
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
        self.tokenizer, self.records = Path(self.tokenizer), Path(self.records)
        self.rows = tuple(map(Path, self.rows))
        super().__post_init__()


class ECGTokens(RowBuilder):
    """Rows of ECG tokens. See `ECGTokensConfig` for the choices, and `_info` for the columns."""

    BUILDER_CONFIG_CLASS = ECGTokensConfig
    COUNTED = ("questions.question_type", "questions.source", "unread_leads")
    config: ECGTokensConfig

    def _info(self) -> datasets.DatasetInfo:
        text, texts = datasets.Value("string"), datasets.List(datasets.Value("string"))
        question = {**dict.fromkeys(_QUESTION_FIELDS, text), "answers": texts, "record_ids": texts}
        codes = datasets.List(datasets.Value("uint16"))
        message = {"role": text, "content": datasets.List({"type": text, "text": text, "codes": codes})}
        return datasets.DatasetInfo(
            description="ECGs as tokens of a language model, with questions and reports.",
            features=datasets.Features(
                {
                    "record_id": text,
                    "ecg_id": datasets.Value("int64"),
                    "strat_fold": datasets.Value("int8"),
                    "codes": codes,
                    "codec": text,
                    "missing_leads": texts,
                    "unread_leads": texts,
                    "questions": datasets.List(question),
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
    def ptb_xl(self) -> PTBXL | None:
        """The builder that reads a folder in PTB-XL's layout; None for a built folder."""
        c = self.config
        if not (c.records / TABLE_NAME).is_file():
            return None
        splits = {split: getattr(c, split) for split in SPLITS}
        return PTBXL(cache_dir=self._cache_dir_root, source=c.records, rate=c.rate, **splits)

    @functools.cached_property
    def files(self) -> dict[str, list[Path]]:
        """The Parquet files of a built folder of records, by split."""
        return built_files(self.config.records, self.config.records_config)

    def index_files(self) -> Iterator[Path]:
        """The codec's files, PTB-XL's tables, and the cards of built folders, which name their shards by content."""
        yield from sorted(path for path in self.config.tokenizer.rglob("*") if path.suffix in (".json", ".safetensors"))
        if (self.config.records / TABLE_NAME).is_file():
            yield from sorted(self.config.records.glob("*.csv"))
        for path in (self.config.records, *self.config.rows):
            if (path / "README.md").is_file():
                yield path / "README.md"
            elif path.is_file():
                yield path

    def shard_files(self, shard: Shard) -> Iterator[Path]:
        """The records of a shard; in a built folder its Parquet files never change under their names."""
        if self.ptb_xl is not None:
            yield from self.ptb_xl.shard_files(shard)

    def plan(self) -> list[Shard]:
        """Records in the order of their source: PTB-XL's ids, or (file, row) of a built folder."""
        if self.ptb_xl is not None:
            return self.ptb_xl.plan()
        shards = []
        for split, files in self.files.items():
            keys = [(number, row) for number, file in enumerate(files) for row in range(count_rows(file))]
            shards += split_shards(split, keys, _RECORDS_PER_SHARD)
        return shards

    def notes(self) -> list[str]:
        """The codec's identity, what is absent from PTB-XL's folder, and what of records and rows cannot be joined."""
        lines = self.ptb_xl.notes() if self.ptb_xl is not None else []
        ids = self._all_ids()
        if unnamed := sum(whole_number(one) is None for one in ids):
            lines.append(
                f"{unnamed:,} of {len(ids):,} records have no id that is a whole number, so no `ecg_id`: training, "
                "which joins by it, leaves them out."
            )
        known = Counter(one for one in ids if one is not None)
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
        return [f"Codec: `{self.encoder.identity}`.", *lines]

    def _all_ids(self) -> list[str | None]:
        """The id of every record of the source as text, None where it has none."""
        if self.ptb_xl is not None:
            return [str(key) for shard in self.ptb_xl.plan() for key in shard.keys]
        files = [file for files in self.files.values() for file in files]
        try:
            return list(first_ids(files))
        except ValueError:  # no column of ids
            return [None] * sum(map(count_rows, files))

    def rows(self, shard: Shard) -> Iterator[dict[str, Any]]:
        """The rows of a shard, one a record."""
        joined: dict[str, list[dict[str, Any]]] | None = None
        for key, row in self._records(shard):
            record_id = self._record_id(row, key)
            if joined is None:
                joined = self._joined(shard, row)
            with self.reading(f"record {record_id}"):
                record = self._record(row, record_id)
                missing = draw_missing_leads(record.leads, record_id) if self.config.missing_leads else []
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", message=".* not read: the codec reads ")  # counted below
                    if missing:  # left out on purpose
                        warnings.filterwarnings("ignore", message=".* encoded as missing")
                        record = record.select([lead for lead in record.leads if lead not in missing])
                    codes = self.encoder.encode(record)
                unread = [*(row.get("unread_leads") or ()), *(one for one in record.leads if one not in STANDARD_LEADS)]
                yield {
                    **self._row(record_id, row, codes, joined.pop(record_id, [])),
                    "missing_leads": missing,
                    "unread_leads": unread,
                }

    def _records(self, shard: Shard) -> Iterator[tuple[Any, dict[str, Any]]]:
        if self.ptb_xl is not None:
            self.ptb_xl.on_error, self.ptb_xl.skipped = self.on_error, self.skipped
            for row in self.ptb_xl.rows(shard):
                yield row["ecg_id"], row
            return
        keys = list(shard.keys)
        while keys:  # a run of rows of one file at a time
            file, first = keys[0]
            run = next((i for i, key in enumerate(keys) if key != (file, first + i)), len(keys))
            for i, row in enumerate(read_rows(self.files[shard.split][file], first, first + run)):
                yield keys[i], row
            keys = keys[run:]

    def _record_id(self, row: Mapping[str, Any], key: Any) -> str:
        for name in ID_COLUMNS:
            value = row.get(name)
            if not isinstance(value, list) and (text := id_text(value)) is not None:
                return text
        return "-".join(map(str, key)) if isinstance(key, tuple) else str(key)

    def _joined(self, shard: Shard, row: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
        """Rows on the records of a shard from all the folders of questions and reports."""
        if not self.config.rows:
            return {}
        if self.ptb_xl is not None:
            ids = [str(key) for key in shard.keys]
        else:
            name = next((name for name in ID_COLUMNS if name in row), None)
            if name is None:
                raise ValueError(f"{self.config.records}: its rows have no {' or '.join(ID_COLUMNS)} to join by")
            ids = [self._record_id(other, key) for key, other in self._ids(shard, name)]
        joined: dict[str, list[dict[str, Any]]] = {}
        for path in self.config.rows:
            files = [file for files in built_files(path).values() for file in files]
            for record_id, found in rows_about(files, ids).items():
                joined.setdefault(record_id, []).extend({"source": path.stem, **one} for one in found)
        return joined

    def _ids(self, shard: Shard, name: str) -> Iterator[tuple[Any, dict[str, Any]]]:
        import pyarrow.parquet as pq

        columns = {file: pq.read_table(self.files[shard.split][file], columns=[name])[name] for file, _ in shard.keys}
        for file, index in shard.keys:
            yield (file, index), {name: columns[file][index].as_py()}

    def _record(self, row: Mapping[str, Any], record_id: str) -> ECGRecord:
        if row.get("signal") is None:
            if not row.get("path") or self.config.record_root is None:
                raise ECGError(
                    f"record {record_id}: its row has no signal; give the folder of the paths (--record-root)"
                )
            return read_ecg(self.config.record_root / row["path"])
        leads = tuple(row.get("leads") or STANDARD_LEADS)
        return ECGRecord(np.asarray(row["signal"]).T, row["sampling_rate"], leads, source=f"record {record_id}")

    def _row(
        self, record_id: str, row: Mapping[str, Any], codes: np.ndarray, joined: list[dict[str, Any]]
    ) -> dict[str, Any]:
        questions: list[dict[str, Any]] = []
        made, original = row.get("report_from_statements"), None
        if row.get("report_english_source") == "translated":
            original = row["report_english"]
        for other in [dict(row), *joined]:
            ids = other.get("record_ids") or [record_id]
            if other.get("question"):
                questions.append(_question(other, ids))
            for one in other.get("questions") or ():
                questions.append(_question({"source": other.get("source"), **one}, one.get("record_ids") or ids))
        for other in joined:
            made = other.get("report") or made
            original = other.get("report_original_english") or original
        report = clean_report_text(made or row.get("report") or "") or None
        return {
            "record_id": record_id,
            "ecg_id": whole_number(record_id),
            "strat_fold": row.get("strat_fold") if row.get("strat_fold") is not None else row.get("fold"),
            "codes": codes,
            "codec": self.encoder.identity,
            "questions": questions,
            "report": report,
            "report_original_english": clean_report_text(original or "") or None,
            "messages": conversation(codes, questions, report),
        }


def conversation(codes: np.ndarray, questions: Sequence[Mapping[str, Any]], report: str | None) -> list[dict[str, Any]]:
    """All that is known of one record as a conversation: the ECG in the first turn, then question after question.

    Args:
        codes: of the record.
        questions: with `question`, `answer` and `record_ids`; one about two records is left out, since only one ECG is
            here.
        report: what answers `REPORT_REQUEST` in the last turn; None for none.

    Returns:
        Messages as `ECGTokenizer.apply_chat_template` takes them, content in parts with the keys `type`, `text` and
        `codes` each, as a table needs them; empty if there is nothing to say.
    """
    turns = [(one["question"], one["answer"]) for one in questions if one["answer"] and len(one["record_ids"]) == 1]
    if report:
        turns.append((REPORT_REQUEST, report))
    messages = []
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


def _question(row: Mapping[str, Any], record_ids: list[Any]) -> dict[str, Any]:
    """One question in the features' form; answers that are lists of statements are joined by ", " in their order."""
    answers = row["answers"] if isinstance(row.get("answers"), list) else row.get("answer_set")
    answer = row["answer"]
    if isinstance(answer, list):
        # An answer of several statements is no member of the closed set: it has none.
        answers = answers if len(answer) == 1 else []
        answer = ", ".join(answer)
    attribute = row.get("attribute")
    return {
        **{name: row.get(name) for name in _QUESTION_FIELDS},
        "answer": answer,
        "attribute": "|".join(attribute) if isinstance(attribute, list) else attribute,
        "answers": list(answers or ()),
        "record_ids": [str(one) for one in record_ids],
    }


CARD = f"""# ECG tokens

ECGs as tokens of a language model, one row a record, written by `python -m dataset_builders.ecg_tokens`. Not for use in
care.

* `codes`: uint16, the codec's codes, window after window. `codec` is the identity of the codec that made them, a hash
  of its weights and configuration, which also stands above as `{CODEC_KEY}`: codes of two codecs mean different things.
* `missing_leads`: those that were left out on purpose before the record was encoded; empty without `--missing-leads`.
* `unread_leads`: those of the record that no codec reads, such as V7 or vx.
* `questions`: with `answer`, the closed set of `answers` (empty where an answer has several statements), and
  `record_ids`, the rows that the question is about: two for a comparison, which stands in the row of the first.
* `report`, and `report_original_english` where an original report is known in English, both without what the device
  prints round the findings ("4.46 unconfirmed report").
* `messages`: the questions about this record alone and its report as one conversation, the ECG in its first message as
  a part `{{"type": "ecg", "codes": …}}`: what `trl.SFTTrainer` takes with an `ECGTokenizer` over the same codec. Empty
  where there is neither a question nor a report.
"""


def main(argv: list[str] | None = None) -> int:
    """Build from the command line. Returns the exit code: 2 for bad input, with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m dataset_builders.ecg_tokens", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--records", "--ptbxl", required=True, type=Path, help="PTB-XL's folder, or a built one")
    parser.add_argument("--records-config", help="which configuration of a built folder")
    parser.add_argument("--record-root", type=Path, help="where the paths in the rows begin, for rows without signals")
    parser.add_argument("--rows", type=Path, action="append", default=[], help="questions or reports; may be repeated")
    parser.add_argument("--tokenizer", "--codec", required=True, type=Path, help="checkpoint, or folder of its codec")
    parser.add_argument("--rate", type=int, choices=(100, 500), default=100, help="of PTB-XL's folder; default: 100")
    for split, default in zip(SPLITS, ("1-8", "9", "10"), strict=True):
        parser.add_argument(f"--{split}", default=default, help=f"folds of PTB-XL's folder; default: {default}")
    parser.add_argument("--padding", action="store_true", help="fill up recordings shorter than the codec's window")
    parser.add_argument(
        "--missing-leads", action="store_true", help="encode each record without one to six of its chest leads"
    )
    add_build_arguments(parser)
    args = parser.parse_args(argv)
    names = ("tokenizer", "records", "records_config", "record_root", "rate", *SPLITS, "padding", "missing_leads")
    settings = {name: getattr(args, name) for name in names}
    return run_build(lambda: ECGTokens(rows=tuple(args.rows), **settings), args, CARD)


if __name__ == "__main__":
    sys.exit(main())
