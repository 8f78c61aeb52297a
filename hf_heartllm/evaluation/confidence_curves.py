"""What the plots of confidence show, as numbers: in the document of an evaluation, and in git for cards.

`curves.json` beside a results file holds them by the same names that the file's rows begin with, each with its data,
command, commit and machine.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..models.whole_files import write_whole
from .confidence import ReliabilityBin, RiskCoverage

CURVES_FILE = "curves.json"
AT_NATURAL = "yes/no at natural prevalence"
POINTS = 100
"""A curve of risk and coverage is kept at so many shares of the questions."""


@dataclass(frozen=True)
class Curves:
    """What was found of a checkpoint.

    Attributes:
        reliability: questions in words → step ("as scored", "calibrated") → table, on the real ECG.
        risk_coverage: questions in words → condition in words → curve.
    """

    reliability: Mapping[str, Mapping[str, Sequence[ReliabilityBin]]]
    risk_coverage: Mapping[str, Mapping[str, RiskCoverage]]

    def document(self) -> dict[str, Any]:
        """For JSON: bins as they are, curves at `POINTS` coverages, all to four decimals, NaN as null."""
        return {
            "reliability": {
                questions: {step: [_rounded(astuple(row)) for row in table] for step, table in steps.items()}
                for questions, steps in self.reliability.items()
            },
            "risk_coverage": {
                questions: {name: _curve_document(curve) for name, curve in curves.items()}
                for questions, curves in self.risk_coverage.items()
            },
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Curves:
        """From its `document`."""
        return cls(
            {
                questions: {step: [ReliabilityBin(*_numbers(row)) for row in table] for step, table in steps.items()}
                for questions, steps in document["reliability"].items()
            },
            {
                questions: {name: _curve(curve) for name, curve in curves.items()}
                for questions, curves in document["risk_coverage"].items()
            },
        )


def read_curves(path: str | os.PathLike[str], name: str) -> Curves | None:
    """Those of one name in a `curves.json`; None where there are none, or no such file."""
    path = Path(path)
    found = json.loads(path.read_text(encoding="utf-8")).get(name) if path.is_file() else None
    return None if found is None else Curves.read(found)


def write_curves(path: str | os.PathLike[str], name: str, document: Mapping[str, Any], **facts: str) -> None:
    """Write those of one name, on a line; others in the file stay.

    Args:
        path: of `curves.json`.
        name: such as "qa, heartllm-tiny".
        document: of `Curves`.
        **facts: data, command, commit and machine, as of a `results.Result`.
    """
    path = Path(path)
    held = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    held[name] = {**facts, **document}
    rows = ",\n".join(json.dumps({one: of}, ensure_ascii=False)[1:-1] for one, of in held.items())
    write_whole(path, f"{{\n{rows}\n}}\n")


def _curve_document(curve: RiskCoverage) -> dict[str, Any]:
    points = list(zip(curve.threshold.tolist(), curve.coverage.tolist(), curve.risk.tolist()))
    if len(points) > POINTS:
        kept = np.unique(np.searchsorted(curve.coverage, np.linspace(0, 1, POINTS + 1)[1:] - 1e-9))
        points = [points[one] for one in kept]
    return {"area": _rounded([curve.area])[0], "points": [_rounded(point) for point in points]}


def _curve(document: Mapping[str, Any]) -> RiskCoverage:
    points = np.array([_numbers(one) for one in document["points"]]).reshape(-1, 3)
    return RiskCoverage(points[:, 0], points[:, 1], points[:, 2], _numbers([document["area"]])[0])


def _rounded(values: Sequence[float]) -> list[float | None]:
    return [None if math.isnan(one) else one if isinstance(one, int) else round(one, 4) for one in values]


def _numbers(values: Sequence[float | None]) -> list[Any]:
    return [float("nan") if one is None else one for one in values]
