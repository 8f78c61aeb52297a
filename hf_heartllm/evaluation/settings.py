"""What an evaluation of a checkpoint is made of: the options of `heartllm evaluate qa`, `report` and `robustness`.

Nothing heavy is imported, so that help and complaints about arguments come at once.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

DTYPES = ("float32", "bfloat16", "float16")
"""Of weights, as `--dtype` names them."""


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How to evaluate a checkpoint.

    Attributes:
        max_records: test records, evenly spaced; all when None.
        training_folds: of the checkpoint, or none of these records; of a collection without folds its split "train"
            counts.
        sampling_rate: Hz of PTB-XL's recordings.
        seed: of the control's choice of patients and of the bootstrap.
        resamples: of the bootstrap.
        progress: show bars on stderr.
    """

    max_records: int | None = None
    training_folds: tuple[int, ...] = tuple(range(1, 9))
    sampling_rate: Literal[100, 500] = 100
    seed: int = 0
    resamples: int = 2000
    progress: bool = True

    @property
    def bootstrap(self) -> dict[str, int]:
        """Arguments of the bootstrap."""
        return {"resamples": self.resamples, "seed": self.seed}

    @property
    def asking(self) -> dict[str, Any]:
        """Arguments of whatever asks the model."""
        return {"seed": self.seed, "progress": self.progress}

    def plain(self) -> dict[str, Any]:
        """For JSON, without the folders of this machine."""
        shown = {
            name: value.name if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }
        return {name: value for name, value in shown.items() if name not in ("records", "data", "progress", "seen")}


@dataclass(frozen=True, kw_only=True)
class CheckpointSettings(RunSettings):
    """What to evaluate on, and how. Further attributes are those of `RunSettings`.

    Attributes:
        records: PTB-XL's folder, labels.csv or its folder, or a folder of labelled WFDB records.
        questions: Parquet file of the test questions, such as of dataset_builders.evaluation_questions.
        devices: only records of devices whose name begins so, such as CS or AT; all, known or not, when None.
    """

    records: Path
    questions: Path
    devices: str | None = None


@dataclass(frozen=True, kw_only=True)
class ComparedSettings(CheckpointSettings):
    """The same, beside what training answers most often, and beside another checkpoint.

    Attributes:
        tokens: codes of the records, made with the checkpoint's codec, instead of reading them.
        train_rows: rows of dataset_builders.training_rows, for the commonest answers or report.
        against: partial results of another checkpoint's run on the same file, for paired differences.
    """

    tokens: Path | None = None
    train_rows: Path | None = None
    against: Path | None = None


@dataclass(frozen=True, kw_only=True)
class QASettings(ComparedSettings):
    """What to evaluate on, and how. Further attributes are those of `ComparedSettings`.

    Attributes:
        calibration_questions: questions about records that the checkpoint was not trained on, for the temperature.
        write_calibration: checkpoint folder to write calibration.json to: temperatures, in place of any operating
            points there.
        generate: questions answered in free text too.
    """

    calibration_questions: Path | None = None
    write_calibration: Path | None = None
    generate: int = 0


@dataclass(frozen=True, kw_only=True)
class ReportSettings(ComparedSettings):
    """What to evaluate on, and how. Further attributes are those of `ComparedSettings`.

    Attributes:
        reference: the true report: made of the SCP statements, or PTB-XL's own in English.
    """

    reference: Literal["statements", "translated"] = "statements"


@dataclass(frozen=True, kw_only=True)
class RobustnessSettings(CheckpointSettings):
    """What to evaluate on, and how. Further attributes are those of `CheckpointSettings`.

    Attributes:
        kinds: of corruptions to try, separated by commas; all when None.
    """

    kinds: tuple[str, ...] | None = None
