"""The probes of an evaluation: every input, every seed, each kept when it is whole."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ...data.record import Record
from ...ecg import ECGError, ECGRecord
from ...models.feature_extraction_ecg import ECGFeatureExtractor
from ..people import patient_numbers
from ..results import Result
from .coder import Coder
from .parts import Part, folder_name, kept_part
from .probes import (
    Probe,
    ProbeInput,
    ProbeTraining,
    auroc_figures,
    probe_scores,
    random_codec,
    raw_extractor,
    train_probe,
)
from .settings import Settings
from .targets import target_matrix

RAW = "raw signal"
RANDOM = "random encoder"
BARS = {
    "superclass macro-AUROC": ">= 0.925",
    "atrial fibrillation AUROC": ">= 0.990",
    "sinus tachycardia AUROC": ">= 0.995",
    "first-degree block AUROC": ">= 0.95",
    "premature beats AUROC": ">= 0.991",  # stated without saying which, so it stands for both
    "ventricular premature beats AUROC": ">= 0.991",
    "complete right bundle branch block AUROC": ">= 0.996",
}
"""What the codes of the evaluated codec should reach."""

MACROS = ("superclass macro-AUROC", "rhythm macro-AUROC")
ABOVE_THE_OTHER = dict.fromkeys(MACROS, "interval > 0")
AS_GOOD_AS_RAW = dict.fromkeys(MACROS, "interval reaches 0") | {"pacemaker AUROC": ">= -0.05"}
LOST_BY_DECODING = dict.fromkeys((*MACROS, "form macro-AUROC"), ">= -0.01")


class ProbeRun:
    """Trains probes on codes and signals of the training folds and scores the evaluated records.

    Args:
        coder: the codec.
        against: another one, or None.
        settings: records and budget.
        records: the evaluated ones.
        folder: where whole parts are kept.

    Raises:
        ECGError: if a patient is in both, or no record is left.
    """

    def __init__(
        self, coder: Coder, against: Coder | None, settings: Settings, records: list[Record], folder: Path
    ) -> None:
        self.coder, self.against, self.settings = coder, against, settings
        training = settings.training_records()
        self.test, self.train = self._readable(records), self._readable(training)
        self.left_out = len(records) + len(training) - len(self.test) - len(self.train)
        for which, found in (("evaluated", self.test), ("training", self.train)):
            if not found:
                raise ECGError(f"probes: none of the {which} records has 10 s and twelve usable leads; --skip probes")
        if shared := {one.patient for one in self.test} & {one.patient for one in self.train}:
            raise ECGError(
                f"probes: {len(shared)} patients of the evaluated folds are in the training folds too (such as "
                f"{min(shared)}); give other --training-folds, or --skip probes"
            )
        self.folder = folder
        self.labels = target_matrix(self.test)
        self.train_labels = target_matrix(self.train)
        self.patients = patient_numbers([one.patient for one in self.test])
        self.training = ProbeTraining(passes=settings.probe_passes)

    @staticmethod
    def _readable(records: list[Record]) -> list[Record]:
        """The records of usual length with twelve usable leads, so that every input has the same ones."""
        extractor, kept = raw_extractor(), []
        for one in records:
            try:
                record = one.read()
                extractor.extract(record)
            except ECGError:
                continue
            if math.isclose(record.duration, 10.0) and len(record.leads) == 12:
                kept.append(one)
        return kept

    def figures(self) -> list[Result]:
        """AUROCs of every input, what is lost on decoded signals, and paired differences."""
        coder, settings = self.coder, self.settings
        coders = [one for one in (coder, self.against, self._random()) if one is not None]
        codes = [(self._codes(one, "training", self.train), self._codes(one, "evaluated", self.test)) for one in coders]
        raw = tuple(ProbeInput(self._signals(records)) for records in (self.train, self.test))
        # A decoder changes no codes, so what names a codec here is what makes its codes.
        scores = {
            one.name: self._scores(one.name, *data, weights=one.codec.fingerprint())
            for one, data in zip(coders, codes, strict=True)
        }
        scores[RAW] = self._scores(RAW, *raw, weights=None)
        figures = []
        for name, found in scores.items():
            title = f"probes: {name}" if name in (RAW, RANDOM) else f"{name}: probes: codes"
            bars = BARS if name == coder.name else None
            figures += auroc_figures(title, self.labels, found, self.patients, bars)
        for name in [name for name in scores if name != coder.name]:
            bars = AS_GOOD_AS_RAW if name == RAW else None if name == RANDOM else ABOVE_THE_OTHER
            title = f"{coder.name}: probes: codes − {name if name in (RAW, RANDOM) else f'codes of {name}'}"
            figures += auroc_figures(title, self.labels, scores[coder.name], self.patients, bars, less=scores[name])
        for count in coder.prefixes():
            decoded = self._scores_of_decoded(count, raw[0])
            rate = coder.config.bits_per_second_of(count)
            title = f"{coder.name}: probes: trained on originals, decoded ({rate:.0f} bit/s) − originals"
            bars = LOST_BY_DECODING if count == coder.num_codebooks else None
            figures += auroc_figures(title, self.labels, decoded, self.patients, bars, less=scores[RAW])
        words = f"trained on {len(self.train)} records, {settings.probe_passes} passes"
        if self.left_out:
            words += f"; {self.left_out} records that cannot be read or are not of 10 s and twelve leads left out"
        return [replace(figure, data="; ".join(text for text in (figure.data, words) if text)) for figure in figures]

    def _random(self) -> Coder:
        features = [self.coder.features(one.read()) for one in self.train[:32]]
        return Coder(random_codec(self.coder.config, features), RANDOM)

    def _codes(self, coder: Coder, which: str, records: list[Record]) -> ProbeInput:
        """First-codebook codes of the training or the evaluated records."""
        title = f"codes-{which}"

        def make() -> Part:
            shown = self.settings.shown(records, f"{coder.name}: {title}")
            rows = [coder.encode(one.read(), 1)[0, 0].numpy().astype(np.int16) for one in shown]
            return Part(arrays={"codes": np.stack(rows)})

        key = {"weights": coder.codec.fingerprint(), "records": [one.record_id for one in records]}
        part = kept_part(self.folder / folder_name(coder.name), title, key, make)
        return ProbeInput(part.arrays["codes"], tuple(coder.config.levels))

    def _signals(self, records: list[Record]) -> np.ndarray:
        extractor = raw_extractor()
        shown = self.settings.shown(records, "raw signals")
        return np.stack([extractor.extract(one.read())[0].astype(np.float16) for one in shown])

    def _probe(self, name: str, data: ProbeInput, seed: int) -> Probe:
        from tqdm import tqdm

        steps = self.training.passes * math.ceil(len(self.train) / self.training.batch_size)
        with tqdm(total=steps, desc=f"{name}: probe {seed}", disable=not self.settings.progress) as bar:
            return train_probe(
                data,
                self.train_labels,
                seed=seed,
                training=self.training,
                device=self.settings.device,
                progress=bar.update,
            )

    def _key(self, seed: int) -> dict[str, object]:
        return {
            "training": [one.record_id for one in self.train],
            "records": [one.record_id for one in self.test],
            "passes": self.settings.probe_passes,
            "seed": seed,
        }

    def _scores(self, name: str, train: ProbeInput, test: ProbeInput, *, weights: str | None) -> np.ndarray:
        """(seeds, records, targets). `weights` names what made the inputs, None the recordings themselves."""
        rows = []
        for seed in range(self.settings.probe_seeds):

            def make(seed: int = seed) -> Part:
                probe = self._probe(name, train, seed)
                arrays = {"scores": probe_scores(probe, test, self.settings.device)}
                if name == RAW:  # read again with decoded signals
                    arrays |= {f"weight {key}": value.cpu().numpy() for key, value in probe.state_dict().items()}
                return Part(arrays=arrays)

            key = {**self._key(seed), "weights": weights}
            part = kept_part(self.folder / folder_name(name), f"probe-{seed}", key, make)
            rows.append(part.arrays["scores"])
        return np.stack(rows)

    def _scores_of_decoded(self, count: int, raw: ProbeInput) -> np.ndarray:
        """Scores that the probes of the raw signal give the codec's decoded signals; (seeds, records, targets)."""
        coder = self.coder

        def make() -> Part:
            extractor = raw_extractor()
            rows = []
            for one in self.settings.shown(self.test, f"{coder.name}: decoded, {count} codebooks"):
                record = one.read()
                decoded = coder.decode(coder.encode(record, count), record)
                rows.append(np.nan_to_num(raw_features(extractor, decoded)))
            data = ProbeInput(np.stack(rows))
            scores = []
            for seed in range(self.settings.probe_seeds):
                probe = Probe(raw.channels(), 3, self.labels.shape[1])
                with np.load(self.folder / folder_name(RAW) / f"probe-{seed}.npz") as kept:
                    state = {k.removeprefix("weight "): torch.from_numpy(kept[k]) for k in kept.files if k != "scores"}
                probe.load_state_dict(state)
                scores.append(probe_scores(probe.eval(), data))
            return Part(arrays={"scores": np.stack(scores)})

        key = {**self._key(self.settings.probe_seeds), "weights": coder.weights_digest()}
        return kept_part(self.folder / folder_name(coder.name), f"decoded-scores-{count}", key, make).arrays["scores"]


def raw_features(extractor: ECGFeatureExtractor, record: ECGRecord) -> np.ndarray:
    """Features of a decoded recording; a lead that was decoded as missing is NaN, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        features: np.ndarray = extractor.extract(record)[0]
        return features
