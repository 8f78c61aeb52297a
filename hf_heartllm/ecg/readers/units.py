"""Physical units of an electrocardiogram, converted to millivolts; any other unit is refused, never guessed."""

from __future__ import annotations

from ...models.ecg_record import ECGError

# Millivolts in one unit. Both Unicode micro signs are in use (U+00B5 and U+03BC). "mv" and "uv" are frequent
# misspellings that have no second meaning; "MV" has one (megavolt) and is not accepted.
_MILLIVOLTS = {"mV": 1.0, "mv": 1.0, "uV": 1e-3, "uv": 1e-3, "µV": 1e-3, "μV": 1e-3, "V": 1e3}


def millivolts_per_unit(units: str, where: str) -> float:
    """How many millivolts one `units` is.

    Args:
        units: mV, uV (also written µV) or V.
        where: the recording and signal, for the message.

    Raises:
        ECGError: for any other unit.
    """
    scale = _MILLIVOLTS.get(units.strip())
    if scale is None:
        raise ECGError(f"{where}: units must be mV, uV or V, got {units!r}")
    return scale
