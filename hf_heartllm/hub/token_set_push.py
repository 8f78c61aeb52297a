"""A folder of Parquet files → the data set that goes to the Hub: tokens, salted ids, terms, a card.

Tokens of a codec decode to the ECG that they were made from. So a token set is treated as what it is, a copy of
recordings: whoever pushes one says what it was made from, and nothing that tells a patient or a folder goes along.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.splits import SPLITS
from ..models.notice import NOTICE
from .croissant import CROISSANT_FILE, DataFile, croissant_json
from .push_plan import PushError, PushFile, PushPlan, read_text
from .terms import Terms, check_waveforms, find_terms, licence_of

IDS = frozenset({"record_id", "record_ids", "ecg_id", "ecg_ids", "patient_id"})
"""Columns that tell a record or a patient, at any depth: hashed with a key that nobody keeps."""

WAVEFORMS = frozenset({"signal", "signals", "waveform", "ecg"})

KEPT = frozenset(
    {
        *("split", "strat_fold", "codes", "codec", "missing_leads", "unread_leads", "sampling_rate", "units", "leads"),
        *("questions", "report", "report_original_english", "report_english", "report_from_statements", "messages"),
        *("report_english_source", "age", "sex", "height", "weight", "labels", "scp_codes", "statements", "question"),
        *("question_id", "question_type", "attribute", "template", "template_id", "text", "answer", "answers"),
        *("answer_set", "heart_axis", "superclasses", "duration"),
    }
)
"""Columns that tell nobody; any other is left out, by name."""

OLDEST = 89
"""Ages above tell a person."""


@dataclass(frozen=True)
class TokenSetOptions:
    """What is said of a data set that is pushed.

    Attributes:
        sources: keys of `terms.SOURCES`.
        licence: of other recordings.
        attribution: whom to credit for these.
        waveforms: signals go up too.
        ids: "salted", or "none" to leave them out.
    """

    sources: tuple[str, ...] = ()
    licence: str | None = None
    attribution: str | None = None
    waveforms: bool = False
    ids: str = "salted"


def is_token_set(folder: Path) -> bool:
    """Whether a folder holds Parquet files."""
    return folder.is_dir() and any(folder.rglob("*.parquet"))


def plan_token_set(folder: Path, repo_id: str, options: TokenSetOptions, scratch: Path) -> PushPlan:
    """What of a data set's folder goes up.

    Args:
        folder: with Parquet files, `data/CONFIGURATION/SPLIT-….parquet` as `dataset_builders` writes them, or others.
        repo_id: where to.
        options: what is said of it.
        scratch: an empty folder; the files that go up are written there.

    Raises:
        PushError: if a file is not whole, has no rows that may go up, or the terms forbid it.
    """
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise PushError("data sets need pyarrow: pip install 'hf_heartllm[train]'") from None

    paths = sorted(path for path in folder.rglob("*.parquet") if not path.name.startswith("."))
    card = read_text(folder / "README.md")
    schemas = {path: _opened(path).schema_arrow for path in paths}
    columns = {name for schema in schemas.values() for name in _names(schema)}
    terms = find_terms(list(options.sources), options.licence, options.attribution, columns, card)
    if options.waveforms:
        check_waveforms(terms)
    plan = PushPlan(
        "token set" if "codes" in columns else "data set", "dataset", replaces=("*.parquet", "data/*", CROISSANT_FILE)
    )
    key = secrets.token_bytes(32)
    dropped: dict[str, str] = {}
    configs: dict[str, dict[str, list[str]]] = {}
    rows: dict[tuple[str, str], int] = {}
    codecs: set[str] = set()
    described: list[DataFile] = []
    for number, path in enumerate(paths):
        config, split = _place(folder, path)
        table = _cleaned(pq.read_table(path).replace_schema_metadata(None), options, key, dropped)
        if not table.num_columns:
            raise PushError(f"{path}: none of its columns is known here, so none goes up")
        codecs |= set(table.column("codec").unique().to_pylist()) if "codec" in table.column_names else set()
        file = scratch / f"{number}.parquet"
        pq.write_table(table, file)
        index = len(configs.setdefault(config, {}).setdefault(split, []))
        mark = hashlib.sha256(file.read_bytes()).hexdigest()
        name = f"data/{config}/{split}-{index:05d}-{mark[:16]}.parquet"  # what has changed has another name, for caches
        described.append(DataFile(name, mark, file.stat().st_size, table.schema, config, split))
        configs[config][split].append(name)
        rows[config, split] = rows.get((config, split), 0) + table.num_rows
        plan.files.append(PushFile(name, file))
    plan.left_out += [(f"column {name}", why) for name, why in sorted(dropped.items())]
    others = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    plan.left_out += [
        (name, "no part of a data set") for name in others if not name.endswith((".parquet", "README.md"))
    ]
    if card:
        plan.left_out.append(("README.md", "names of records may stand there; a card is written in its place"))
    text, told = _card(repo_id, terms, configs, rows, sorted(map(str, codecs)), options, columns)
    plan.files.append(PushFile("README.md", text.encode()))
    credits = [one.attribution for one in terms]
    described_as = croissant_json(repo_id.rpartition("/")[2], told, licence_of(terms), credits, described)
    plan.files.append(PushFile(CROISSANT_FILE, described_as.encode()))
    plan.notes.append(f"made from {', '.join(one.name for one in terms)}: {licence_of(terms)}")
    if "codes" in columns:
        plan.notes.append("its tokens decode to the patients' ECGs: share it only where these may be shared")
    if options.ids == "salted" and columns & IDS:
        plan.notes.append("record ids are hashed with a key that is thrown away: another push has other ids")
    return plan


_DECODES = """**These tokens decode to the ECGs that they were made from.** Whoever has the codec gets back, but for its
error, the recordings of the patients. So this is a copy of recordings, under their terms, and not an anonymous summary.
Do not try to tell who a recording is of."""


def _opened(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise PushError(f"{path}: no whole Parquet file ({str(error).splitlines()[0]})") from None


def _names(fields: Any) -> set[str]:
    """Names of columns and of what they hold."""
    import pyarrow as pa

    found: set[str] = set()
    for field in fields:
        if isinstance(field, pa.Field):
            found.add(field.name)
            kind = field.type
            while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
                kind = kind.value_type
            if pa.types.is_struct(kind):
                found |= _names(list(kind))
    return found


def _place(folder: Path, path: Path) -> tuple[str, str]:
    """Configuration and split of a file."""
    parts = path.relative_to(folder).parts
    config = parts[1] if len(parts) > 2 and parts[0] == "data" and parts[1] not in SPLITS else "default"
    split = path.stem.partition("-")[0]
    if not re.fullmatch(r"[A-Za-z_]\w*", split):  # as in data/train/0000.parquet
        split = parts[-2] if len(parts) > 1 and parts[-2] in SPLITS else "train"
    return config, split


def _cleaned(table: Any, options: TokenSetOptions, key: bytes, dropped: dict[str, str]) -> Any:
    """The columns that may go up, ids hashed."""
    import pyarrow as pa

    for name in table.column_names:
        if name in WAVEFORMS and not options.waveforms:
            why = "a signal; --waveforms sends it where the licence allows"
        elif name in IDS and options.ids == "none":
            why = "an id"
        elif name not in KEPT and name not in IDS and name not in WAVEFORMS:
            why = "not known to tell nobody"
        else:
            column = table.column(name)
            inner = _names([table.schema.field(name)])
            if inner & IDS or name == "age":
                values = [_hashed(value, name, key, options.ids) for value in column.to_pylist()]
                kind = column.type if name == "age" else _texts(column.type, name, options.ids)
                table = table.set_column(table.column_names.index(name), name, pa.array(values, kind))
            continue
        dropped[name] = why
        table = table.drop_columns([name])
    return table


def _texts(kind: Any, name: str, ids: str) -> Any:
    """A type with text in place of ids."""
    import pyarrow as pa

    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(_texts(kind.value_type, name, ids))
    if pa.types.is_struct(kind):
        inner = [field for field in kind if ids == "salted" or field.name not in IDS]
        return pa.struct([pa.field(field.name, _texts(field.type, field.name, ids)) for field in inner])
    return pa.string() if name in IDS else kind


def _hashed(value: Any, name: str, key: bytes, ids: str) -> Any:
    """A value with hashes in place of ids, and the highest ages as one."""
    if isinstance(value, Mapping):
        inner = {one: of for one, of in value.items() if ids == "salted" or one not in IDS}
        return {one: _hashed(of, one, key, ids) for one, of in inner.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_hashed(one, name, key, ids) for one in value]
    if name == "age" and isinstance(value, int | float) and value > OLDEST:
        return type(value)(OLDEST + 1)
    if value is None or name not in IDS:
        return value
    kind = "patient" if name.startswith("patient") else "record"
    text = str(int(value)) if isinstance(value, float) and value == int(value) else str(value)
    return hmac.new(key, f"{kind} {text}".encode(), hashlib.sha256).hexdigest()[:24]


def _card(
    repo_id: str,
    terms: list[Terms],
    configs: Mapping[str, Mapping[str, list[str]]],
    rows: Mapping[tuple[str, str], int],
    codecs: list[str],
    options: TokenSetOptions,
    columns: set[str],
) -> tuple[str, str]:
    """The card, and what the set is in a sentence or two."""
    from huggingface_hub import DatasetCard, DatasetCardData

    tokens, count = "codes" in columns, sum(rows.values())
    head: dict[str, Any] = {
        "license": licence_of(terms),
        "pretty_name": repo_id.rpartition("/")[2],
        "tags": ["ecg", "electrocardiogram"],
        "size_categories": [_size_category(count)],
        "configs": [
            {
                "config_name": config,
                "data_files": [{"split": split, "path": paths} for split, paths in splits.items()],
                **({"default": True} if number == 0 else {}),
            }
            for number, (config, splits) in enumerate(configs.items())
        ],
    }
    if columns & _TEXTS_OF_PEOPLE:
        head["language"] = ["en"]
    if columns & {"question", "questions"}:
        head["task_categories"] = ["question-answering"]
    if len(codecs) == 1:
        head["codec_identity"] = codecs[0]
    made = f"Made from {', '.join(one.name for one in terms)}. {NOTICE}"
    by = f" of the codec `{codecs[0]}`" if len(codecs) == 1 else ""
    what = f"ECGs as tokens{by}, one row a recording. {made}" if tokens else f"Rows on ECGs. {made}"
    card = DatasetCard.from_template(
        DatasetCardData(**head),
        template_path=str(Path(__file__).with_name("dataset_card.md")),
        name=repo_id.rpartition("/")[2],
        repo_id=repo_id,
        what=what,
        warning=_DECODES if tokens else "Do not try to tell who a recording is of.",
        table="\n".join(f"| {config} | {split} | {count:,} |" for (config, split), count in rows.items()),
        ids={
            "salted": "Ids of records and patients are hashes with a key that was thrown away; they join rows of this "
            "set.",
            "none": "Ids of records and patients were left out.",
        }[options.ids],
        licence=licence_of(terms),
        changes="recordings were encoded as tokens" if tokens else "rows were derived",
        credits="\n".join(f"* {one.attribution}" for one in terms),
        share_alike=any(one.share_alike for one in terms),
    )
    return str(card).rstrip() + "\n", what


_TEXTS_OF_PEOPLE = frozenset({"question", "questions", "report", "messages", "text", "answer"})


def _size_category(rows: int) -> str:
    """How many rows, in the Hub's words."""
    edges = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
    above = next((place for place in range(len(edges)) if rows < 10 ** (place + 3)), len(edges))
    if above == 0:
        return "n<1K"
    return f"{edges[above - 1]}<n<{edges[above]}" if above < len(edges) else "n>1T"
