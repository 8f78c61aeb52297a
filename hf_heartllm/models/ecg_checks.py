"""What is wrong with a recording, said before anything is concluded from it. numpy only.

Leads and stretches that hold no signal are left out; what else is doubtful is found and named. Every threshold was
chosen on PTB-XL's folds 1 to 8; how often each check speaks there, and what it catches, is in docs/checks.md.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .ecg_leads import LIMB_LEADS, STANDARD_LEADS, limb_lead_contradiction
from .ecg_record import ECGRecord
from .ecg_reversals import MIN_BEATS, likely_reversal
from .ecg_rough_beats import RoughBeats, rough_beats
from .ecg_stretches import (
    MAX_CLIPPED,
    MAX_FLAT,
    clipped_shares,
    constant_leads,
    flat_shares,
    runs,
    unchanging,
)

MIN_PADDING = 0.3  # s at an end; a heart's leads never all stand still for that long
MIN_GAP = 1.0  # s within the recording
CHEST_LEADS = STANDARD_LEADS[6:]
MOSTLY = 0.5  # share of a lead or of a recording from which nothing is left to read
NO_SIGNAL = 0.04  # mV between 0.5 and 40 Hz; of 235,000 leads the smallest had 0.09
MIN_CONTRAST = 7.0  # noise of any colour reaches 6.9, hearts start at 7.3
WHITE, MIN_CONTRAST_OF_WHITE = 0.3, 100.0
MIN_ALIKE = 0.27
MAX_STEP = 0.8
MIN_OUTSTANDING, MIN_LIKENESS = 1.3, 0.5  # of a lead's beats; a lead with neither is noise
MIN_LIKENESS_OF_LIMBS, NOISE_OF_LIMBS = 0.4, 0.05  # mV; across the axis of the heart a lead has little but noise
NOISE = 0.1  # mV, range; a lead with less has neither signal nor noise to speak of
OTHERS = 2.5  # how far the beats must stand out in the middle lead
COPY = 1e-5  # what may be missing to a correlation of 1
STEP_OF_ONE_SOURCE = 0.37  # where all leads are one signal
MAX_CONTRADICTION = 0.12  # between the limb leads, as a share of their size
MIN_CONTRADICTION = 0.02  # mV, root mean square
HIGH, RATHER_HIGH = 20.0, 8.0  # mV, range of the middle lead; PTB-XL's largest is 4
LOW, RATHER_LOW = 0.02, 0.1  # mV; PTB-XL's smallest is 0.32


class ECGWarning(UserWarning):
    """Something about a recording that its answers should not be read without."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a recording.

    Attributes:
        check: which check speaks, one of the names in docs/checks.md.
        message: one line of at most 200 characters, without the record's name: what is wrong, how it was treated,
            what to do.
        leads: the leads it is about; empty for all.
        certainty: `certain` or `likely`.
        fatal: whether no answer can be given.
    """

    check: str
    message: str
    leads: tuple[str, ...] = ()
    certainty: str = "certain"
    fatal: bool = False


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
            amplitudes and of the limb leads is said of recordings in mV only.

    Returns:
        What may be read, and the findings. Checking the result again gives the same record.
    """
    findings: list[Finding] = []
    start = 0.0
    while True:
        seen = _look(record)
        left, cut, found = _leave_out(record, seen)
        findings += found
        if left is record:
            return CheckedRecord(record, (*findings, *_judge(record, seen)), start)
        record, start = left, start + cut


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the checks look at, computed once: the complete leads that are not constant, and their beats."""

    leads: tuple[str, ...]
    signal: np.ndarray
    dead: tuple[str, ...]
    flat: dict[str, float]
    clipped: dict[str, float]
    beats: RoughBeats | None

    def range_of(self, lead: str) -> float:
        """Range of a lead between 0.5 and 40 Hz without its outermost hundredth; NaN where it was not measured."""
        return self.ranges.get(lead, float("nan"))

    @cached_property
    def ranges(self) -> dict[str, float]:
        if self.beats is None:
            return {}
        ordered = np.sort(self.beats.waves, axis=1)
        few = ordered.shape[1] // 200
        return dict(zip(self.leads, (ordered[:, -1 - few] - ordered[:, few]).tolist()))


def _look(record: ECGRecord) -> _Seen:
    finite = np.isfinite(record.signal)
    complete = finite.all(axis=1)
    constant = ~finite.any(axis=1)
    constant[complete] = constant_leads(record.signal[complete])
    live = complete & ~constant
    leads = tuple(name for name, keep in zip(record.leads, live) if keep)
    dead = tuple(name for name, gone in zip(record.leads, constant) if gone)
    signal = record.signal[live]
    rate = record.sampling_rate
    if not leads:
        return _Seen(leads, signal, dead, {}, {}, None)
    flat, clipped = flat_shares(signal, rate).tolist(), clipped_shares(signal, rate).tolist()
    return _Seen(leads, signal, dead, dict(zip(leads, flat)), dict(zip(leads, clipped)), rough_beats(signal, rate))


def _leave_out(record: ECGRecord, seen: _Seen) -> tuple[ECGRecord, float, list[Finding]]:
    """What is left without the next thing that holds no signal, the seconds cut off its start, and the findings.

    The record itself if there is no such thing, or nothing would be left.
    """
    if not seen.leads:
        return record, 0.0, []
    if seen.dead:
        return _without(record, seen.dead), 0.0, [_flat_leads(seen.dead)]
    first, last = _padding(seen.signal, record.sampling_rate)
    samples = record.signal.shape[1]
    if first or last < samples:
        found = _cut_off(first / record.sampling_rate, (samples - last) / record.sampling_rate, record.duration)
        return replace(record, signal=record.signal[:, first:last]), first / record.sampling_rate, [found]
    lost = _lost_leads(record, seen)
    gone = {name for found in lost for name in found.leads}
    if not gone or len(gone) == len(record.leads):
        return record, 0.0, []
    return _without(record, gone), 0.0, lost


def _without(record: ECGRecord, leads: Collection[str]) -> ECGRecord:
    return record.select([name for name in record.leads if name not in leads])


def _flat_leads(leads: tuple[str, ...]) -> Finding:
    message = f"{_named(leads)} constant throughout, so no signal: {_it(leads)} as missing"
    return Finding("flat_lead", message, leads)


def _named(leads: tuple[str, ...]) -> str:
    """`lead V2 is` or `leads V2, V4 are`; of many leads the first five."""
    listed = ", ".join(leads[:5]) + (f" and {len(leads) - 5} more" if len(leads) > 5 else "")
    return f"leads {listed} are" if len(leads) > 1 else f"lead {listed} is"


def _it(leads: tuple[str, ...]) -> str:
    return "they count" if len(leads) > 1 else "it counts"


def _padding(signal: np.ndarray, rate: float) -> tuple[int, int]:
    """First and one past the last sample of what is left when constant stretches at the ends are cut off."""
    still = unchanging(signal).all(axis=0)
    least, samples = max(3, round(MIN_PADDING * rate)), signal.shape[1]
    moves = np.flatnonzero(~still)
    if not len(moves):
        return 0, samples
    first, last = int(moves[0]) + 1, int(moves[-1]) + 1  # a lead moves between samples first - 1 and first
    return (first if first >= least else 0), (last if samples - last >= least else samples)


def _cut_off(before: float, after: float, duration: float) -> Finding:
    where = " and ".join(
        words for words in (f"first {before:.2g} s" if before else "", f"last {after:.2g} s" if after else "") if words
    )
    message = f"the {where} of {duration:.4g} s are constant in every lead (padding): they are cut off"
    return Finding("constant_stretch", message)


def _lost_leads(record: ECGRecord, seen: _Seen) -> list[Finding]:
    """Leads from which nothing can be read although they are not constant."""
    middle = float(np.median(list(seen.ranges.values()))) if seen.ranges else 0.0
    found = []
    for name in seen.leads:
        if (share := seen.flat[name]) > MOSTLY:
            message = f"lead {name} is flat for {share:.0%} of the recording: it counts as missing"
            found.append(Finding("flat_lead", message, (name,)))
        elif record.units == "mV" and seen.range_of(name) < NO_SIGNAL < 5 * NO_SIGNAL < middle:
            message = f"lead {name} ranges over {seen.range_of(name):.2g} mV, so no signal: it counts as missing"
            found.append(Finding("flat_lead", message, (name,)))
        elif (share := seen.clipped[name]) > MOSTLY:
            message = f"lead {name} stays at its highest or lowest value for {share:.0%}: it counts as missing"
            found.append(Finding("saturated_lead", message, (name,)))
    if record.units == "mV" and seen.beats is not None and no_beats(seen.beats) is None:
        lost = {name for finding in found for name in finding.leads}
        for name in _noise_leads(seen, set(CHEST_LEADS) - lost):
            message = f"lead {name} is noise: it holds none of the beats of the other leads, and counts as missing"
            found.append(Finding("noise_lead", message, (name,), "likely"))
    return found


def _noise_leads(seen: _Seen, of: Collection[str]) -> tuple[str, ...]:
    """Which of these leads hold noise alone, where the other leads hold beats."""
    beats = seen.beats
    if beats is None or beats.dominant.sum() < 4 or len(seen.leads) < 3:
        return ()
    outstanding, likeness, noise = beats.evidence()
    if np.median(outstanding) < OTHERS:
        return ()
    found = []
    for place, name in enumerate(seen.leads):
        limb = name in LIMB_LEADS
        enough = noise[place] > NOISE_OF_LIMBS if limb else seen.ranges[name] > NOISE
        least = MIN_LIKENESS_OF_LIMBS if limb else MIN_LIKENESS
        if name in of and enough and outstanding[place] < MIN_OUTSTANDING and likeness[place] < least:
            found.append(name)
    return tuple(found)


def _judge(record: ECGRecord, seen: _Seen) -> list[Finding]:
    """What is said of the recording that is left, which is not changed any more."""
    if not seen.leads:
        return [Finding("no_ecg", "every lead is constant or has missing samples: there is no ECG to read", fatal=True)]
    found = [*_gaps(record, seen), *_doubtful_leads(seen)]
    if seen.beats is None:
        return found
    if (reason := no_beats(seen.beats)) is not None:
        message = f"no QRS complexes were found: {reason}; this is no ECG, or too disturbed to be read"
        found.append(Finding("no_ecg", message, fatal=True))
    if record.units == "mV":
        found += _amplitude(seen)
    if reason is None:
        found += _copies(seen)
    if record.units == "mV" and reason is None:
        for name in _noise_leads(seen, seen.leads):
            message = f"lead {name} is noise: it holds none of the beats of the other leads"
            found.append(Finding("noise_lead", message, (name,), "likely"))
        contradiction = _limb_leads(seen)
        found += contradiction or _reversal(seen)
    return found


def _gaps(record: ECGRecord, seen: _Seen) -> list[Finding]:
    rate = record.sampling_rate
    gaps = runs(np.asarray(unchanging(seen.signal).all(axis=0)), round(MIN_GAP * rate))
    if not gaps:
        return []
    lost = sum(last - first for first, last in gaps) / rate
    where = ", ".join(f"{first / rate:.4g} to {last / rate:.4g} s" for first, last in gaps[:3])
    more = f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
    message = f"every lead is constant from {where}{more}, so no signal: cut the recording there"
    return [Finding("constant_stretch", message, certainty="likely", fatal=lost > MOSTLY * record.duration)]


def _doubtful_leads(seen: _Seen) -> list[Finding]:
    """Leads of which a part is lost; they are read as they are."""
    found = []
    for name in seen.leads:
        if (share := seen.flat[name]) > MAX_FLAT:
            found.append(Finding("flat_lead", f"lead {name} is flat for {share:.0%} of the recording", (name,)))
        elif (share := seen.clipped[name]) > MAX_CLIPPED:
            message = f"lead {name} is clipped: it stays at its highest or lowest value for {share:.0%}"
            found.append(Finding("saturated_lead", message, (name,)))
    return found


def no_beats(beats: RoughBeats) -> str | None:
    """Why these are no heart beats; None if they are."""
    count, alike = len(beats.positions), beats.alike
    if not count or beats.contrast < MIN_CONTRAST:
        return "nothing stands out of the signal"
    if beats.white > WHITE and beats.contrast < MIN_CONTRAST_OF_WHITE:
        return "the signal is noise"
    if count >= 4 and (alike < MIN_ALIKE or beats.dominant.sum() < 2):
        return "no two deflections look alike"
    one_source = len(beats.waves) > 2 and beats.step > STEP_OF_ONE_SOURCE and beats.rank_one
    if beats.step > MAX_STEP or one_source:
        return "the deflections are steps"
    return None


def _amplitude(seen: _Seen) -> list[Finding]:
    ranges = seen.ranges
    middle = float(np.median(list(ranges.values())))
    lead = "II" if "II" in ranges else min(ranges, key=lambda name: abs(ranges[name] - middle))
    size = f"lead {lead} ranges over {_millivolts(ranges[lead])} mV"
    if middle > HIGH:
        message = f"{size}: no heart does; are these microvolts (--units uV) or ADC counts?"
        return [Finding("amplitude", message, fatal=True)]
    if middle < LOW:
        return [Finding("amplitude", f"{size}: no heart does; are these volts (--units V)?", fatal=True)]
    if middle > RATHER_HIGH or middle < RATHER_LOW:
        return [Finding("amplitude", f"{size}, which is rare: are the units right?", certainty="likely")]
    return []


def _millivolts(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _limb_leads(seen: _Seen) -> list[Finding]:
    assert seen.beats is not None
    share, rest, leads = limb_lead_contradiction(seen.beats.waves, seen.leads)
    if share <= MAX_CONTRADICTION or rest < MIN_CONTRADICTION:
        return []
    message = (
        f"the limb leads contradict each other ({', '.join(leads)}: {rest:.2g} mV do not add up): "
        "their names or order are wrong, or their units differ"
    )
    return [Finding("limb_leads", message, tuple(name for name in seen.leads if name in LIMB_LEADS))]


def _copies(seen: _Seen) -> list[Finding]:
    """Leads that are one signal, larger or smaller or turned over."""
    assert seen.beats is not None
    waves = seen.beats.waves - seen.beats.waves.mean(axis=1, keepdims=True)
    waves /= np.linalg.norm(waves, axis=1, keepdims=True) + 1e-12
    same = np.argwhere(np.triu(np.abs(waves @ waves.T) > 1 - COPY, 1))
    if not len(same):
        return []
    names = tuple(name for place, name in enumerate(seen.leads) if place in same)
    message = f"{_named(names).removesuffix(' are')} are one signal, which no two electrodes give: is the file right?"
    return [Finding("copied_leads", message, names)]


REVERSAL_WORDS = {
    "arms_swapped": "the electrodes of the arms look interchanged (I turned over), or dextrocardia",
    "arm_leg_swapped": "the electrodes of right arm and left leg look interchanged (II turned over)",
    "upside_down": "all leads look turned upside down (a wrong sign of the gain)",
    "chest_leads_reversed": "the chest leads look reversed (V1 to V6 named V6 to V1), or dextrocardia",
    "v1_v6_swapped": "V1 and V6 look interchanged",
}


def _reversal(seen: _Seen) -> list[Finding]:
    assert seen.beats is not None
    if seen.beats.dominant.sum() < MIN_BEATS:
        return []
    kind = likely_reversal(seen.beats.beat, seen.leads)
    return [Finding(kind, f"{REVERSAL_WORDS[kind]}: look at the recording", certainty="likely")] if kind else []
