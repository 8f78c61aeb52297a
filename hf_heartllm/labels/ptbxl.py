"""PTB-XL's table ``ptbxl_database.csv`` in its official layout (Wagner et al., Scientific Data 7, 154, 2020)."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .scp import STATEMENTS, in_report_order, superclasses

if TYPE_CHECKING:
    import pandas as pd

TABLE_NAME = "ptbxl_database.csv"
ROW_SOURCE_NAME = "ptbxl_row_source.csv"

SEX = {0: "male", 1: "female"}
"""PTB-XL's coding of sex."""

AGE_OVER_89 = 300
"""PTB-XL's value for every age above 89."""

_COLUMNS = ("ecg_id", "patient_id", "age", "sex", "scp_codes", "strat_fold", "filename_lr", "filename_hr")


def read_ptbxl_table(folder: str | Path) -> pd.DataFrame:
    """Read PTB-XL's table.

    Absent values stay null; nothing is filled in. ``ptbxl_row_source.csv``, which says of each row how much of it was
    to be had, is joined where it stands beside the table.

    Args:
        folder: The folder of PTB-XL 1.0.x, with ``ptbxl_database.csv``.

    Returns:
        One row per record, indexed by ``ecg_id`` (int, kept as a column too), sorted by it. The official columns, with
        ``patient_id``, ``sex`` and ``strat_fold`` as ``Int64``, ``age`` float (300: over 89), ``scp_codes`` as
        ``dict[str, float]`` from code to likelihood (0.0: unknown). With ``ptbxl_row_source.csv`` also ``row`` and
        ``likelihoods``.

    Raises:
        FileNotFoundError: If the table is not in the folder.
        ValueError: If a column is missing, an ``ecg_id`` occurs twice, or ``scp_codes`` cannot be read; one line.
    """
    import pandas as pd

    path = Path(folder) / TABLE_NAME
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give the folder of PTB-XL that holds {TABLE_NAME}")
    # Device and electrode columns mix numbers and text: reading them as text avoids a guess that depends on the chunk.
    text = {"device": "str", "baseline_drift": "str", "static_noise": "str", "burst_noise": "str"}
    text |= {"electrodes_problems": "str", "extra_beats": "str", "pacemaker": "str", "report": "str"}
    table = pd.read_csv(path, dtype=text)
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise ValueError(f"{path}: the table has no column {', '.join(missing)}; is this PTB-XL 1.0.x?")
    repeated = table["ecg_id"][table["ecg_id"].duplicated()]
    if len(repeated):
        raise ValueError(f"{path}: ecg_id {int(repeated.iloc[0])} occurs more than once")
    codes = [
        _parse_codes(value, path, ecg_id) for value, ecg_id in zip(table["scp_codes"], table["ecg_id"], strict=True)
    ]
    table["scp_codes"] = pd.Series(codes, index=table.index, dtype=object)
    for name in ("patient_id", "sex", "strat_fold"):
        table[name] = table[name].astype("Int64")

    source_path = Path(folder) / ROW_SOURCE_NAME
    if source_path.is_file():
        columns = {"ecg_id": "int64", "row": "str", "likelihoods": "str"}
        source = pd.read_csv(source_path, usecols=list(columns), dtype=columns)
        table = table.merge(source, on="ecg_id", how="left", validate="one_to_one")
    return table.sort_values("ecg_id").set_index("ecg_id", drop=False).rename_axis(None)


def _parse_codes(value: Any, path: Path, ecg_id: int) -> dict[str, float]:
    try:
        parsed = ast.literal_eval(value)
        codes = {str(code): float(likelihood) for code, likelihood in parsed.items()}
    except (ValueError, SyntaxError, TypeError, AttributeError):
        raise ValueError(f"{path}: scp_codes of ecg_id {ecg_id} is no dictionary of code and likelihood") from None
    unknown = [code for code in codes if code not in STATEMENTS]
    if unknown:
        raise ValueError(f"{path}: scp_codes of ecg_id {ecg_id} names the unknown statement {unknown[0]!r}")
    return codes


def known_likelihoods(row: Mapping[str, Any] | pd.Series) -> dict[str, float | None]:
    """Likelihood in per cent of each of the record's statements, in the order of reports.

    0.0 is PTB-XL's own value for "unknown". None is a likelihood that the table's copy did not have at all (column
    ``likelihoods`` of ``ptbxl_row_source.csv``: ``all-but-NORM`` or ``none``), and whose 0.0 there means nothing.

    Args:
        row: A row of the table.
    """
    codes, known = row["scp_codes"], row.get("likelihoods")
    absent = set(codes) if known == "none" else {"NORM"} if known == "all-but-NORM" else set()
    return {code: None if code in absent else float(codes[code]) for code in in_report_order(codes)}


def statement_classes(codes: Iterable[str]) -> dict[str, list[str]]:
    """What the stated codes say, by PTB-XL's own classes, each in the order of reports.

    Returns:
        ``superclass`` (``"NORM"``, ``"MI"`` …), ``subclass``, ``rhythm`` and ``form`` (codes); empty lists where none
        is stated. Four statements are diagnostic and form, so they are in both.

    Raises:
        KeyError: If a code is unknown.
    """
    stated = [STATEMENTS[code] for code in in_report_order(codes)]
    subclasses = dict.fromkeys(one.subclass for one in stated if one.subclass is not None)
    return {
        "superclass": list(superclasses(one.code for one in stated)),
        "subclass": list(subclasses),
        "rhythm": [one.code for one in stated if "rhythm" in one.categories],
        "form": [one.code for one in stated if "form" in one.categories],
    }


def row_source(row: Mapping[str, Any] | pd.Series) -> str:
    """How much of a row was to be had: ``"official"``, ``"official-age-1.0.3"`` or ``"reconstructed"``.

    Without ``ptbxl_row_source.csv`` beside the table every row is official. In a reconstructed row an empty column says
    nothing; in an official one an empty note on noise, electrodes, beats or pacemaker says that none was made.
    """
    source = row.get("row")
    return source if isinstance(source, str) else "official"


def notes_on_rows(rows: pd.DataFrame) -> list[str]:
    """What must be said of rows of the table: of whom the reconstructed ones are."""
    if "row" not in rows:
        return []
    normal = rows["scp_codes"].map(lambda codes: "NORM" in codes)
    rebuilt = rows["row"] == "reconstructed"
    if not rebuilt.any() or rebuilt.all():
        return []
    return [
        f"{int(rebuilt.sum()):,} rows of the table are reconstructed: report, notes and some likelihoods "
        f"are null. They are no fair sample: NORM stands in {normal[rebuilt].mean():.0%} of them and in "
        f"{normal[~rebuilt].mean():.0%} of the others, on which alone any figure on reports rests."
    ]


def record_path(row: Mapping[str, Any] | pd.Series, rate: int) -> str:
    """The record's path in PTB-XL's folder, without suffix, as ``records100/00000/00001_lr``.

    Args:
        row: A row of the table.
        rate: 100 or 500, in Hz.

    Raises:
        ValueError: If PTB-XL has no such rate.
    """
    if rate not in (100, 500):
        raise ValueError(f"PTB-XL has its records at 100 and 500 Hz, not at {rate} Hz")
    return str(row["filename_lr" if rate == 100 else "filename_hr"])


def of_devices(table: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """The rows recorded by a family of devices, such as ``"CS"`` or ``"AT"``.

    Args:
        table: From ``read_ptbxl_table``.
        prefix: What the column ``device`` begins with; capitals and leading blanks do not count.

    Returns:
        Those rows. Rows whose device is not known are left out, whatever the prefix.

    Raises:
        ValueError: If no row is left.
    """
    wanted = prefix.strip().upper()
    known = table["device"] if "device" in table.columns else [None] * len(table)
    kept = [bool(wanted) and isinstance(one, str) and one.strip().upper().startswith(wanted) for one in known]
    if not any(kept):
        raise ValueError(f"devices {prefix!r}: PTB-XL's table has no record of a device whose name begins so")
    return table[kept]


def folds(text: str) -> tuple[int, ...]:
    """Read a list of folds such as ``"1-8"``, ``"9"`` or ``"1-7,10"``.

    Raises:
        ValueError: If it is no such list, or a fold is not in 1 to 10.
    """
    result: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            result.extend(range(int(first), int(last or first) + 1))
    except ValueError:
        result = []
    if not result or not all(1 <= fold <= 10 for fold in result):
        raise ValueError(f"{text!r} is no list of folds between 1 and 10, as '1-8' or '9'")
    return tuple(sorted(set(result)))
