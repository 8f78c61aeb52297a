"""What decides the codes of an ECG, as one short text: codes under one fingerprint may be mixed.

From a recording to a code it is the checks (which leads count as missing, which padding is cut off), the resampling,
the baseline, the codec's sizes and constants, and its weights. The fingerprint reads them all, apart from those that
every codec once had in common: these it mentions only where they are another value, so it is for every codec what it
was before they could be set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from .ecg_checks import check_record
from .ecg_lost_signal import lost_leads
from .ecg_rough_beats import rough_beats
from .ecg_stretches import run_shares

CHECKS: tuple[tuple[Callable[..., Any], tuple[str, ...]], ...] = (
    (check_record, (
        "MIN_CONTRAST", "FLUTTER_CONTRAST", "FLUTTER_BEATS", "FLUTTER_ALIKE", "WHITE", "MIN_CONTRAST_OF_WHITE",
        "MIN_ALIKE", "MAX_STEP", "STEP_OF_ONE_SOURCE",
    )),
    (lost_leads, (
        "CHEST_LEADS", "MIN_PADDING", "LONG_GAP", "FEW_GAPS", "STEP", "MAX_STILL", "MOSTLY", "NO_SIGNAL",
        "OF_THE_OTHERS", "MIN_OUTSTANDING", "MIN_LIKENESS", "NOISE", "OTHERS",
    )),
    (rough_beats, (
        "RATE", "INTEGRATION", "REFRACTORY", "SHARE", "EDGE", "HALF", "SHIFT", "SAME", "UNLIKE", "MOST_BEATS",
        "BEFORE", "AFTER", "ONE_SOURCE", "MIN_SECONDS",
    )),
    (run_shares, ("FLAT_WINDOW", "CLIP_RUN", "ROUNDING")),
)  # fmt: skip
"""A function of each file of the checks, and the constants there that decide what of a recording is encoded. The
others decide what is said of it."""

_UNMENTIONED_CHECKS = "4f835a044d1f6a77"


def checks_digest() -> str:
    """Sixteen hexadecimal digits over the constants of the checks that decide what of a recording is encoded."""
    digest = hashlib.sha256()
    for function, names in CHECKS:
        for name in names:
            digest.update(f"{name}={function.__globals__[name]};".encode())
    return digest.hexdigest()[:16]


def codec_fingerprint(config: Any, tensors: Mapping[str, Any]) -> str:
    """Sixteen hexadecimal digits over what decides the codes of a codec's first codebook.

    Args:
        config: a `CodecConfig`.
        tensors: what of the weights decides them.
    """
    digest = hashlib.sha256()
    for name in config.fingerprinted:
        digest.update(f"{name}={getattr(config, name)};".encode())
    for name, value in config.unmentioned.items():
        if getattr(config, name) != value:
            digest.update(f"{name}={getattr(config, name)};".encode())
    if (checks := checks_digest()) != _UNMENTIONED_CHECKS:
        digest.update(f"checks={checks};".encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
