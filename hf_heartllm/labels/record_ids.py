"""Ids of records and patients, however a table writes them."""

from __future__ import annotations

from typing import Any


def record_text(value: Any) -> str | None:
    """An id as text: 7, 7.0, "7" and "7.0" are "7", and "A 0007" is itself; None for null, NaN and blanks."""
    if isinstance(value, str):
        text = value.strip()
        return (text.removesuffix(".0") if text.removesuffix(".0").isdigit() else text) or None
    number = whole_number(value)
    return None if number is None else str(number)


def whole_number(value: Any) -> int | None:
    """An id as a number: 7, 7.0, "7" and "7.0" are one; None for what is none, such as not-a-number or "A0007"."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        text = value.strip().removesuffix(".0")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
    try:
        return int(value) if value == int(value) else None
    except (TypeError, ValueError, OverflowError):
        return None
