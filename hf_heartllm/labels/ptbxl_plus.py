"""PTB-XL+'s table of 12SL features (Strodthoff et al., Scientific Data 10, 279, 2023), in the columns of `measure`.

The table comes from GE's Marquette 12SL program; it stands in `features/12sl_features.csv` of PTB-XL+ 1.0.x, in ms, mV
and degrees.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..models.ecg_leads import STANDARD_LEADS

if TYPE_CHECKING:
    import pandas as pd

TABLE_NAME = "12sl_features.csv"
INVALID = -3000.0
"""12SL writes -3276 and the like for what it could not measure; nothing it measures is as low."""

GLOBAL_COLUMNS = {
    "beats": "QRS_Count_Global",
    "heart_rate": "HR__Global",
    "rr_ms": "RR_Mean_Global",
    "rr_sd_ms": "RR_StdDev_Global",
    "p_duration_ms": "P_Dur_Global",
    "pr_ms": "PR_Int_Global",
    "qrs_ms": "QRS_Dur_Global",
    "qt_ms": "QT_Int_Global",
    "qtc_fridericia_ms": "QT_IntFridericia_Global",
    "qtc_bazett_ms": "QT_IntBazett_Global",
    "axis_deg": "R_AxisFrontal_Global",
}
"""Our column → 12SL's."""

LEAD_COLUMNS = {
    "p_mv": "P_Amp",
    "q_mv": "Q_Amp",
    "r_mv": "R_Amp",
    "s_mv": "S_Amp",
    "r_prime_mv": "Rp_Amp",
    "t_mv": "T_Amp",
}
"""Our column of a lead → 12SL's, without `_LEAD`. Its ST level has no counterpart: J and J + 60 ms are one there."""

_NEGATIVE = ("q_mv", "s_mv")  # with their sign, as in `LeadMeasurements`, whichever sign the table gives them
_NO_WAVE = ("p_duration_ms", "pr_ms")  # 0 there: no P wave


def read_12sl_features(path: str | Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read the table.

    Args:
        path: `12sl_features.csv`, or a folder of PTB-XL+ that holds it, itself or in `features/`.
        columns: names of the columns to return, as in `hf_heartllm.ecg.measurements.COLUMNS`.

    Returns:
        One row per record, indexed by `ecg_id`, float64, the columns in the given order. What the table does not hold
        or 12SL could not measure is NaN, never a default.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds no `ecg_id`, one occurs twice, or it holds none of 12SL's columns; one line.
    """
    import pandas as pd

    found = _find(Path(path))
    try:
        table = pd.read_csv(found, low_memory=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{found}: no CSV table: {error}") from None
    if "ecg_id" not in table.columns:
        raise ValueError(f"{found}: the table has no column ecg_id; is this PTB-XL+'s {TABLE_NAME}?")
    repeated = table["ecg_id"][table["ecg_id"].duplicated()]
    if len(repeated):
        raise ValueError(f"{found}: ecg_id {int(repeated.iloc[0])} occurs more than once")
    if not set(GLOBAL_COLUMNS.values()) & set(table.columns):
        raise ValueError(f"{found}: the table has none of 12SL's columns, such as QRS_Dur_Global")
    sources = dict(GLOBAL_COLUMNS)
    for lead in STANDARD_LEADS:
        sources |= {f"{lead}_{ours}": f"{theirs}_{lead}" for ours, theirs in LEAD_COLUMNS.items()}
    values = {}
    for column in columns:
        source = sources.get(column)
        if source is None or source not in table.columns:
            values[column] = pd.Series(float("nan"), index=table.index)
            continue
        numbers = pd.to_numeric(table[source], errors="coerce").astype("float64")
        numbers = numbers.mask(numbers <= INVALID)
        if column in _NO_WAVE:
            numbers = numbers.mask(numbers <= 0)
        if column.endswith(_NEGATIVE):
            numbers = -numbers.abs() + 0.0
        values[column] = numbers
    index = pd.Index(table["ecg_id"].astype("int64"), name="ecg_id")
    return pd.DataFrame(
        {name: series.to_numpy() for name, series in values.items()}, index=index, columns=list(columns)
    )


def _find(path: Path) -> Path:
    for candidate in (path, path / TABLE_NAME, path / "features" / TABLE_NAME):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(f"{path}: no {TABLE_NAME} there; give PTB-XL+'s folder or the file itself")
