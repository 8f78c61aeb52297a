"""What is wrong with a recording, said before anything is concluded from it. numpy only.

Leads and stretches that hold no signal are left out; what else is doubtful is found and named. Every threshold was
chosen on PTB-XL's folds 1 to 8; how often each check speaks there, and what it catches, is in docs/checks.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .ecg_findings import Finding, named, warn_of
from .ecg_leads import LIMB_LEADS, limb_lead_contradiction
from .ecg_lost_signal import (
    Seen,
    doubtful_leads,
    gaps,
    lost_leads,
    moves_in_steps,
    noise_leads,
    without_padding,
)
from .ecg_record import ECGRecord, ECGWarning
from .ecg_reversals import MIN_BEATS, likely_reversal
from .ecg_rough_beats import RoughBeats

__all__ = ["CheckedRecord", "ECGWarning", "Finding", "check_record", "no_beats", "warn_of"]

MIN_CONTRAST = 7.0  # noise of any colour reaches 6.9, hearts start at 7.3
FLUTTER_CONTRAST, FLUTTER_BEATS, FLUTTER_ALIKE = 3.5, 6, 0.95  # broad complexes without a pause between them
WHITE, MIN_CONTRAST_OF_WHITE = 0.3, 100.0
MIN_ALIKE = 0.27
MAX_STEP = 0.8
STEP_OF_ONE_SOURCE = 0.37  # where all leads are one signal
COPY = 1e-5  # what may be missing to a correlation of 1
MAX_CONTRADICTION = 0.12  # between the limb leads, as a share of their size
MIN_CONTRADICTION = 0.02  # mV, root mean square
ARTEFACTS = 0.03  # share of the samples, the largest, without which they must contradict each other too
HIGH, RATHER_HIGH = 20.0, 8.0  # mV, range of the middle lead; PTB-XL's largest is 4
LOW, RATHER_LOW = 0.02, 0.1  # mV; PTB-XL's smallest is 0.32

REVERSAL_WORDS = {
    "arms_swapped": "the electrodes of the arms look interchanged (I turned over), or dextrocardia",
    "arm_leg_swapped": "the electrodes of right arm and left leg look interchanged (II turned over)",
    "upside_down": "all leads look turned upside down (a wrong sign of the gain)",
    "chest_leads_reversed": "the chest leads look reversed (V1 to V6 named V6 to V1), or dextrocardia",
    "v1_v6_swapped": "V1 and V6 look interchanged",
}


@dataclass(frozen=True)
class CheckedRecord:
    """A recording after its checks.

    Attributes:
        record: what may be read: leads without signal left out, constant padding cut off.
        findings: what was found, in the order of the checks.
        start: seconds of the given recording that were cut off before the first sample of `record`.
    """

    record: ECGRecord
    findings: tuple[Finding, ...]
    start: float = 0.0


def check_record(record: ECGRecord) -> CheckedRecord:
    """Check a recording; never raises for a bad signal.

    Args:
        record: any recording. Leads with single missing samples are neither checked nor changed. What is said of
            amplitudes, limb leads and electrodes is said of recordings in mV only.

    Returns:
        What may be read, and the findings. Checking the result again gives the same record.
    """
    findings: list[Finding] = []
    start = 0.0
    while True:
        seen = Seen.of(record)
        if not seen.leads:
            message = "every lead is constant or has missing samples: there is no ECG to read"
            return CheckedRecord(record, (*findings, Finding("no_ecg", message, fatal=True)), start)
        shorter, cut, found = (record, 0.0, []) if seen.dead else without_padding(record, seen)
        if shorter is not record:
            record, start = shorter, start + cut
            findings += found
            continue
        no_ecg = _no_ecg(seen)
        lost = lost_leads(seen, no_ecg is None)
        gone = {name for finding in lost for name in finding.leads}
        if not gone or len(gone) == len(record.leads):
            no_ecg = "every lead is flat or saturated" if gone else no_ecg
            return CheckedRecord(record, (*findings, *_judge(seen, no_ecg)), start)
        record = record.select([name for name in record.leads if name not in gone])
        findings += lost


def _judge(seen: Seen, no_ecg: str | None) -> list[Finding]:
    """What is said of the recording that is left, which is not changed any more."""
    found = [*gaps(seen), *doubtful_leads(seen)]
    if no_ecg is not None:
        message = f"no QRS complexes were found: {no_ecg}; this is no ECG, or too disturbed to be read"
        found.append(Finding("no_ecg", message, fatal=True))
    if seen.beats is None or no_ecg is not None:
        return found
    found += _amplitude(seen) if seen.millivolts else []
    if seen.beats.contrast < MIN_CONTRAST:
        message = "QRS complexes hardly stand out: broad complexes without a pause (ventricular flutter), or no ECG"
        found.append(Finding("no_ecg", message, certainty="likely"))
    found += _copies(seen)
    if noise := noise_leads(seen, seen.leads):
        message = f"{named(noise)} noise, without the beats of the other leads: do not rely on it"
        found.append(Finding("noise_lead", message, noise, "likely"))
    if seen.millivolts:
        found += _limb_leads(seen) or _reversal(seen)
    return found


def _no_ecg(seen: Seen) -> str | None:
    if moves_in_steps(seen):
        return "the signal moves in steps"
    return None if seen.beats is None else no_beats(seen.beats)


def no_beats(beats: RoughBeats) -> str | None:
    """Why these are no heart beats; None if they are."""
    count, alike = len(beats.positions), beats.alike
    flutter = count >= FLUTTER_BEATS and alike >= FLUTTER_ALIKE and not beats.rank_one
    if not count or beats.contrast < (FLUTTER_CONTRAST if flutter else MIN_CONTRAST):
        return "nothing stands out of the signal"
    if beats.white > WHITE and beats.contrast < MIN_CONTRAST_OF_WHITE:
        return "the signal is noise"
    if count >= 4 and (alike < MIN_ALIKE or beats.dominant.sum() < 2):
        return "no two deflections look alike"
    one_source = len(beats.waves) > 2 and beats.step > STEP_OF_ONE_SOURCE and beats.rank_one
    if beats.step > MAX_STEP or one_source:
        return "the deflections are steps"
    return None


def _amplitude(seen: Seen) -> list[Finding]:
    ranges, middle = seen.ranges, seen.middle_range
    lead = "II" if "II" in ranges else min(ranges, key=lambda name: abs(ranges[name] - middle))
    size = f"lead {lead} ranges over {_millivolts(ranges[lead])} mV"
    if middle > HIGH:
        message = f"{size}, as no heart's does: are these microvolts (of a table: --units uV) or ADC counts?"
        return [Finding("amplitude", message, fatal=True)]
    if middle < LOW:
        return [
            Finding("amplitude", f"{size}, as no heart's does: are these volts (of a table: --units V)?", fatal=True)
        ]
    if middle > RATHER_HIGH or middle < RATHER_LOW:
        return [Finding("amplitude", f"{size}, which is rare: are the units right?", certainty="likely")]
    return []


def _millivolts(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _limb_leads(seen: Seen) -> list[Finding]:
    assert seen.beats is not None
    limb = [place for place, name in enumerate(seen.leads) if name in LIMB_LEADS]
    names = tuple(seen.leads[place] for place in limb)
    waves = seen.beats.waves[limb]
    share, rest, leads = limb_lead_contradiction(waves, names)
    if share > MAX_CONTRADICTION and rest > MIN_CONTRADICTION:  # perhaps for a single artefact in one of them
        size = np.abs(waves).max(axis=0)
        share, rest, leads = limb_lead_contradiction(waves[:, size <= np.quantile(size, 1 - ARTEFACTS)], names)
    if share <= MAX_CONTRADICTION or rest <= MIN_CONTRADICTION:
        return []
    message = (
        f"the limb leads contradict each other ({', '.join(leads)}: {rest:.2g} mV do not add up): "
        "their names or order are wrong, or their units differ"
    )
    return [Finding("limb_leads", message, names)]


def _copies(seen: Seen) -> list[Finding]:
    """Leads that are one signal, larger or smaller or turned over."""
    assert seen.beats is not None
    waves = seen.beats.waves - seen.beats.waves.mean(axis=1, keepdims=True)
    waves /= np.linalg.norm(waves, axis=1, keepdims=True) + 1e-12
    same = np.argwhere(np.triu(np.abs(waves @ waves.T) > 1 - COPY, 1))
    if not len(same):
        return []
    names = tuple(name for place, name in enumerate(seen.leads) if place in same)
    message = f"{named(names)} one signal, which no two electrodes give: is the file right?"
    return [Finding("copied_leads", message, names)]


def _reversal(seen: Seen) -> list[Finding]:
    assert seen.beats is not None
    if seen.beats.dominant.sum() < MIN_BEATS:
        return []
    kind = likely_reversal(seen.beats.beat, seen.leads)
    return [Finding(kind, f"{REVERSAL_WORDS[kind]}: look at the recording", certainty="likely")] if kind else []
