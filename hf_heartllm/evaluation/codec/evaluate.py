"""The whole evaluation of a codec, in parts of which each is kept when it is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...data.record import Record
from ...ecg import ECGError
from ..question_file import evenly_spaced
from ..results import Result
from .coder import Coder
from .denoising import denoising
from .fidelity import fidelity, measurement_against_truth
from .parts import Part, folder_name, kept_part
from .probe_parts import ProbeRun
from .rate_distortion import compared, rate_distortion
from .robustness import robustness
from .settings import Settings

PARTS = ("rate-distortion", "fidelity", "robustness", "denoising", "probes")


TRUTH_SEEDS = 3
ERROR_BAR = "<= 0.2 after the same time, <= 0.35 at its plateau"


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation gave.

    Attributes:
        figures: all of them, with the codecs' names in front.
        distortions: codec's name → its part on rate and distortion; empty where that was skipped.
    """

    figures: list[Result]
    distortions: dict[str, Part]


def evaluate_codecs(coder: Coder, against: Coder | None, settings: Settings, folder: Path) -> Evaluation:
    """All figures of a codec, of the one it is compared with, and of the comparison.

    Args:
        coder: the codec.
        against: another codec with another name, evaluated on the same records, or None.
        settings: records and parts.
        folder: where whole parts are kept, one folder a codec.

    Raises:
        ECGError: if there are no records, or probes would be trained on folds that are evaluated.
    """
    if "probes" not in settings.skip and (both := set(settings.folds) & set(settings.training_folds)):
        raise ECGError(
            f"probes: fold {', '.join(map(str, sorted(both)))} is evaluated and trained on; "
            "give other --training-folds, or --skip probes"
        )
    records = settings.records()
    figures: list[Result] = []
    distortions: dict[str, Part] = {}
    for one in [coder] if against is None else [coder, against]:
        for part, name in _parts(one, settings, records, folder / folder_name(one.name)):
            for found in part.figures:  # what the codec should reach, the one beside it need not
                bar = found.target if one is coder else None
                figures.append(replace(found, name=f"{one.name}: {name}: {found.name}", target=bar))
            if name == "rate-distortion":
                distortions[one.name] = part
    if against is not None and distortions:
        figures += _comparison(coder, against, distortions)
    if "fidelity" not in settings.skip:
        truth = kept_part(folder, "measurement", {"seeds": TRUTH_SEEDS}, lambda: measurement_against_truth(TRUTH_SEEDS))
        figures += truth.figures
    if "probes" not in settings.skip:
        figures += ProbeRun(coder, against, settings, records, folder).figures()
    return Evaluation(figures, distortions)


def _parts(coder: Coder, settings: Settings, records: list[Record], folder: Path) -> Iterator[tuple[Part, str]]:
    def kept(name: str, chosen: Sequence[Record], make: Callable[[Iterable[Record]], Part]) -> Part:
        title = f"{coder.name}: {name}"
        return kept_part(folder, name, settings.key(coder, chosen), lambda: make(settings.shown(chosen, title)))

    if "rate-distortion" not in settings.skip:
        yield kept("rate-distortion", records, lambda rows: rate_distortion(coder, rows)), "rate-distortion"
    if "fidelity" not in settings.skip:
        fine = settings.records(500)
        if fine:
            yield kept("fidelity-500", fine, lambda rows: fidelity(coder, rows, "500 Hz")), "fidelity"
        coarse = evenly_spaced(records, settings.measured_records)
        yield kept("fidelity-100", coarse, lambda rows: fidelity(coder, rows, "100 Hz")), "fidelity"
    if "robustness" not in settings.skip:
        tried = evenly_spaced(records, settings.tried_records)
        yield kept("robustness", tried, lambda rows: robustness(coder, rows)), "robustness"
    if "denoising" not in settings.skip:
        clean = evenly_spaced([one for one in records if not one.stated("noise")], settings.tried_records)
        yield kept("denoising", clean, lambda rows: denoising(coder, rows)), "denoising"


def _comparison(coder: Coder, against: Coder, distortions: dict[str, Part]) -> list[Result]:
    """Errors over the other codec's: with the first codebook, and with all codebooks that its rate allows."""
    limit = against.config.bits_per_second
    allowed = [n for n in range(1, coder.num_codebooks + 1) if coder.config.bits_per_second_of(n) <= limit]
    figures = []
    for count in sorted({1, max(allowed, default=1)}):
        for one in compared(distortions[coder.name], distortions[against.name], count, against.num_codebooks):
            bar = ERROR_BAR if count > 1 and one.name.startswith("relative") else "< 1"
            figures.append(replace(one, name=f"{coder.name} against {against.name}: {one.name}", target=bar))
    return figures
