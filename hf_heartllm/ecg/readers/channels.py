"""What a channel or column is, by its name: a lead, another signal (respiration, pressure, a marker), or time.

Monitors and loggers store more than the electrocardiogram, and beats or intervals must not be sought in a breath. A
name that says nothing (`signal 3`, `col 0`) counts as a lead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from ...models.ecg_leads import STANDARD_LEADS, standard_lead_name
from ...models.ecg_record import ECGError
from .messages import listed, repeated

MOST_CHANNELS = 10_000  # of one recording; body-surface maps have some hundreds
_LONGEST_NAME = 200  # characters


def _words_in(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STANDARD = {name.casefold(): name for name in STANDARD_LEADS}
_ECG_PREFIX = re.compile(r"(?:mdc_)?(?:ecg|ekg)[\s_-]*(?:lead)?[\s_-]*|lead[\s_-]*", re.IGNORECASE)
# Leads beyond the twelve: modified, posterior and right-sided, Frank's, bipolar chest leads, derivations of Holters.
_OTHER_LEADS = re.compile(
    r"ml?i{1,3}|mcl?\d*r?|m[lv]\d|c[mscbr]\d|v\d{0,2}r?|v[xyz]|d(?:i{1,3}|\d)|es|as|ai|.*(?<![^\W_])(?:ecg|ekg).*",
    re.IGNORECASE,
)
# Words that name another signal, alone or within a name ("Resp (nasal)", "foot GSR"); digits behind them do not count.
# Beside "ECG" only the first of the two sets does: "ECG quality" is no lead, "ECG bp" may be one after a band-pass.
_ABOUT_AN_ECG = _words_in(
    """
    resp respiration respiratory hr heartrate rr ibi marker markers event events trigger annotation annotations label
    labels flag status quality sqi leadoff impedance id
    """
)
_OTHER_SIGNALS = _ABOUT_AN_ECG | _words_in(
    """
    respi respir breath breathing atmung airflow flow nasal spirometry capno capnography pleth plethysmogram
    plethysmograph ppg photoplethysmogram spo sao spo2 sao2 so2 o2 co2 etco2 oximetry abp ibp nibp bp bloodpressure
    art pap cvp icp lvp pressure blutdruck emg eeg eog eda gsr pcg scg bcg icg phono temp temperature temperatur
    skintemp acc accel acceleration accelerometer gyro gyroscope imu activity motion accx accy accz gyrox gyroy gyroz
    mark trig stim battery sync pulse puls bpm position snore sound audio light filename
    """
)
# Names of polysomnographies that say it only as a whole: effort belts, pairs of EEG, eye and chin electrodes.
_WHOLE_NAMES = re.compile(r"abd|chest|(?:fp|[fcpot])\w?-[am][12]|e[12]-m[12]|chin\d?(?:-chin\d?)?", re.IGNORECASE)

_TIME_WORDS = _words_in(
    """
    time times timestamp timestamps datetime date elapsed clock epoch zeit zeitpunkt zeitstempel uhrzeit datum tiempo
    hora temps heure tempo tid tijd czas čas aika idő время 时间 時間
    """
)
_INDEX_WORDS = _words_in(
    """
    sample samples samplenumber sampleno sampleindex index idx row rownames frame frames counter number num no nr id
    unnamed nummer #
    """
)
_TIME_UNITS = {
    **dict.fromkeys(_words_in("s sec secs second seconds sek sekunde sekunden segundos secondes secondi"), 1.0),
    **dict.fromkeys(_words_in("ms msec msecs millis millisecond milliseconds millisekunden"), 1e-3),
    **dict.fromkeys(_words_in("us µs μs usec microsecond microseconds"), 1e-6),
    **dict.fromkeys(_words_in("ns nsec nanosecond nanoseconds"), 1e-9),
    **dict.fromkeys(_words_in("min mins minute minutes"), 60.0),
}


def lead_name(name: str) -> str:
    """A lead's name without what loggers put around it: `ECG_I`, `ecg lead i` and `I,` are `I`; others stay."""
    bare = name.strip().strip("\"'").rstrip(",;:").strip()
    short = bare[prefix.end() :] if (prefix := _ECG_PREFIX.match(bare)) else bare
    return _STANDARD.get(short.casefold(), standard_lead_name(bare))


def require_names(where: object, names: Sequence[str]) -> None:
    """That lead names can be those of one recording.

    Raises:
        ECGError: if one stands there twice, is empty, or is too long to be a name.
    """
    if repeated(names):
        raise ECGError(f"{where}: lead names repeat: {listed(repeated(names))}")
    if not all(names):
        raise ECGError(f"{where}: one of the leads has no name: {listed(name or 'none' for name in names)}")
    longest = max(names, key=len, default="")
    if len(longest) > _LONGEST_NAME:
        raise ECGError(f"{where}: a lead's name is {len(longest)} characters long: {longest[:30]}…")


def is_lead_name(name: str) -> bool:
    """Whether a name is one of an ECG lead: the twelve, MLII, V7, vx, ECG1 and the like."""
    bare = lead_name(name)
    return not is_other_signal(name) and (bare in STANDARD_LEADS or _OTHER_LEADS.fullmatch(bare) is not None)


def is_other_signal(name: str) -> bool:
    """Whether a name says that the channel is no electrocardiogram."""
    bare = lead_name(name)
    if bare in STANDARD_LEADS:
        return False
    words = [word.casefold() for word in re.findall(r"[^\W_]+", bare)]
    words += [first + second for first, second in pairwise(words)]
    known = _ABOUT_AN_ECG if any(word.startswith(("ecg", "ekg")) for word in words) else _OTHER_SIGNALS
    return _WHOLE_NAMES.fullmatch(bare) is not None or any(
        word in known or word.rstrip("0123456789") in known for word in words
    )


def is_time_name(name: str) -> bool:
    """Whether a column's name says that it holds the time or the number of the sample; so does no name at all."""
    words = _words(name)
    if not words:
        return not name.strip()
    if any(word in _TIME_WORDS or word.startswith("timestamp") for word in words):
        return True
    counting = {"t", "h", "hh", "mm", "ss", "mmm", "in", "of"}
    return all(word in counting or word in _INDEX_WORDS or word in _TIME_UNITS for word in words)


def time_unit(name: str) -> float | None:
    """Seconds in the unit that a time column's name states (`Time (ms)`: 0.001); None where it states none."""
    found = {_TIME_UNITS[word] for word in _words(name) if word in _TIME_UNITS}
    return found.pop() if len(found) == 1 else None


def _words(name: str) -> list[str]:
    """The words of a name in lower case: `timeMs`, `time_ms` and `timems` are `time` and `ms`."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = [word.casefold() for word in re.findall(r"[^\W\d_]+|#", parted)]
    joined = [re.fullmatch(r"(time|elapsed|t)(ms|us|s|sec|secs|seconds)", word) for word in words]
    return [part for word, two in zip(words, joined) for part in (two.groups() if two and word != "times" else (word,))]
