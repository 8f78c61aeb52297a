"""Tables as others write them: what is no sample and no lead is left out and said, what has two meanings is refused."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_heartllm.ecg import STANDARD_LEADS, ECGError, ECGRecord, read_ecg

RATE, SAMPLES = 250, 120
SIGNAL = np.random.default_rng(0).normal(size=(12, SAMPLES)).round(4)
FRAME = pd.DataFrame(SIGNAL.T, columns=list(STANDARD_LEADS))
PLAIN = pd.DataFrame(SIGNAL.T)
SECONDS = np.arange(SAMPLES) / RATE
IN_ORDER = {"leads": STANDARD_LEADS}


def read(folder: Path, text: str | bytes, **stated: object) -> tuple[ECGRecord, list[str]]:
    """The record, and what was said about it."""
    path = folder / "x.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        record = read_ecg(path, **{"sampling_rate": RATE, "units": "mV"} | stated)
    return record, [str(one.message) for one in said]


def refusal(folder: Path, text: str | bytes, **stated: object) -> str:
    with pytest.raises(ECGError) as caught:
        read(folder, text, **stated)
    message = str(caught.value)
    assert len(message) <= 300
    assert "\n" not in message
    return message


def assert_is_the_signal(record: ECGRecord) -> None:
    assert record.leads == STANDARD_LEADS
    np.testing.assert_allclose(record.signal, SIGNAL, atol=1e-6)


def timed(name: str, column: object, place: int = 0) -> pd.DataFrame:
    frame = FRAME.copy()
    frame.insert(place, name, column)
    return frame


# What pandas writes by default: numbered columns, an index, both, of either orientation; and what it reads back.
@pytest.mark.parametrize(
    "text",
    [
        PLAIN.to_csv(index=False),
        PLAIN.to_csv(),
        PLAIN.rename(columns=lambda number: number + 1).to_csv(index=False),
        pd.DataFrame(SIGNAL).to_csv(index=False),
        pd.DataFrame(SIGNAL).to_csv(),
        pd.read_csv(io.StringIO(PLAIN.to_csv())).to_csv(index=False),
        PLAIN.assign(time=SECONDS)[["time", *range(12)]].to_csv(index=False),
        PLAIN.to_csv(index=False, sep=";", decimal=","),
        "\n".join(["0,1,2,3,4,5,6,7,8,9,10,11", "NA" + ",0.5" * 11, PLAIN[1:].to_csv(index=False, header=False)]),
    ],
)
def test_a_header_of_numbers_is_no_sample(tmp_path: Path, text: str) -> None:
    record, said = read(tmp_path, text, **IN_ORDER)
    if "NA" in text:
        np.testing.assert_allclose(record.signal[:, 1:], SIGNAL[:, 1:], atol=1e-6)
    else:
        assert_is_the_signal(record)
    assert any("numbers the columns" in one for one in said)
    assert "--leads" in refusal(tmp_path, text)


def test_a_first_sample_that_looks_like_a_numbered_header(tmp_path: Path) -> None:
    counting = np.arange(480).reshape(40, 12)
    record, said = read(tmp_path, pd.DataFrame(counting).to_csv(index=False, header=False), **IN_ORDER)
    assert (record.signal.shape, said) == ((12, 40), [])
    assert "numbered header or a sample" in refusal(tmp_path, "0,1\n5,7\n6,-3\n", leads="I,II")
    record, said = read(tmp_path, "0,1\n0.5,0.7\n0.6,-0.3\n1,0\n", leads="I,II")
    assert record.signal.shape == (2, 3)
    assert "numbers the columns" in said[0]
    for text in ("0,3\n0.5,0.7\n2,2\n", "0.0,1.0\n0.5,0.7\n2,2\n", "1,0\n5,7\n2,2\n"):
        record, said = read(tmp_path, text, leads="I,II")
        assert (record.signal.shape, said) == ((2, 3), [])


def test_one_column_under_pandas_0(tmp_path: Path) -> None:
    record, said = read(tmp_path, pd.Series(SIGNAL[0]).to_csv(index=False), leads="I")
    np.testing.assert_allclose(record.signal, SIGNAL[:1], atol=1e-6)
    assert said


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("Time (s)", SECONDS), ("time[ms]", 1000 * SECONDS), ("Elapsed", SECONDS), ("sample #", np.arange(SAMPLES)),
        ("t", SECONDS), ("Sec", SECONDS), ("timestamp", 1.6e9 + SECONDS), ("Zeit [s]", SECONDS),
        ("Index", np.arange(SAMPLES)), ("Time (s)", SECONDS.round(1)), ("time_us", 1e6 * SECONDS),
        ("no name that is known", SECONDS),
        ("a counter", np.arange(1, SAMPLES + 1)), ("rounded", SECONDS.round(2)), ("X", np.arange(SAMPLES)),
        ("clock", [f"0:{second:06.3f}" for second in SECONDS]),
        ("Elapsed time", [f"'0:{second:06.3f}'" for second in SECONDS]),
        ("moment", pd.Timestamp("2020-01-01 12:00:00.001") + pd.to_timedelta(SECONDS, unit="s")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 12])
def test_a_time_column_is_left_out_and_said(tmp_path: Path, name: str, column: object, place: int) -> None:
    record, said = read(tmp_path, timed(name, column, place).to_csv(index=False))
    assert_is_the_signal(record)
    assert len(said) == 1
    assert f"no ECG leads: {name}" in said[0]


def test_an_index_column_is_left_out_and_said(tmp_path: Path) -> None:
    for text in (
        FRAME.to_csv(),
        pd.read_csv(io.StringIO(FRAME.to_csv())).to_csv(index=False),
        "\n".join(FRAME.to_csv().lstrip(",").splitlines()),  # R: one name fewer than columns
        PLAIN.to_csv(header=False),
        timed("t", SECONDS).to_csv(index=False, header=False),
    ):
        record, said = read(tmp_path, text, **({} if "aVR" in text else IN_ORDER))
        assert_is_the_signal(record)
        assert len(said) == 1


def test_a_time_column_that_shows_another_rate(tmp_path: Path) -> None:
    for name, column in (("Time (s)", SECONDS), ("t_ms", 1000 * SECONDS), ("clock", [f"0:{s:06.3f}" for s in SECONDS])):
        text = timed(name, column).to_csv(index=False)
        for stated in ({}, IN_ORDER):
            message = refusal(tmp_path, text, sampling_rate=500, **stated)
            assert "shows 250 Hz, the sampling rate given is 500 Hz" in message
    assert "shows 250000 Hz" in refusal(tmp_path, timed("Time (ms)", SECONDS).to_csv(index=False))
    # Without a unit nothing is known for certain.
    record, said = read(tmp_path, timed("time", SECONDS).to_csv(index=False), sampling_rate=400)
    assert record.sampling_rate == 400
    assert "fits 400 Hz in no unit of time" in said[0]
    record, said = read(
        tmp_path, timed("time", SECONDS).to_csv(index=False, header=False), sampling_rate=400, **IN_ORDER
    )
    assert "fits 400 Hz in no unit of time" in said[1]


@pytest.mark.parametrize("rate", [100, 128, 250, 256, 257, 360, 500, 512, 1000])
@pytest.mark.parametrize("decimals", [2, 3, 6])
def test_rounded_times_agree_with_their_rate(tmp_path: Path, rate: int, decimals: int) -> None:
    column = (np.arange(SAMPLES) / rate).round(decimals)
    record, said = read(tmp_path, timed("Time (s)", column).to_csv(index=False), sampling_rate=rate)
    assert record.sampling_rate == rate
    assert len(said) == 1


def test_a_lead_that_only_rises_is_none(tmp_path: Path) -> None:
    text = FRAME.assign(V6=SECONDS).to_csv(index=False)
    assert "'V6' rises all the time" in refusal(tmp_path, text)
    assert "I rises all the time" in refusal(
        tmp_path, timed("t", SECONDS).drop(columns="V6").to_csv(index=False, header=False), **IN_ORDER
    )
    for column in (np.zeros(SAMPLES), (SECONDS > 0.2) * 1.0):  # a flat lead and one that jumps are no time
        assert read(tmp_path, FRAME.assign(V6=column).to_csv(index=False))[0].leads == STANDARD_LEADS


def test_other_signals_are_left_out_and_said(tmp_path: Path) -> None:
    frame = FRAME.assign(Resp=SIGNAL[0], **{"SpO2 (%)": 97, "label": "N", "ch13 (mmHg)": 80})
    record, said = read(tmp_path, frame.to_csv(index=False))
    assert_is_the_signal(record)
    assert "no ECG leads: Resp, SpO2 (%), label, ch13 (mmHg)" in said[0]
    assert "'Resp' is no ECG lead" in refusal(tmp_path, frame.to_csv(index=False), leads=["I", "Resp"])
    assert "no column is an ECG lead" in refusal(tmp_path, frame[["Resp", "label"]].to_csv(index=False))


@pytest.mark.parametrize("form", ["{} (mV)", "{} [mV]", "{}(mV)", "{}_mV", "ECG_{}", "Lead {}", "ecg lead {} [mV]"])
def test_names_with_units(tmp_path: Path, form: str) -> None:
    text = FRAME.rename(columns=form.format).to_csv(index=False)
    assert_is_the_signal(read(tmp_path, text)[0])
    assert read(tmp_path, text, leads="V2,I")[0].leads == ("V2", "I")


def test_units_that_contradict(tmp_path: Path) -> None:
    microvolts = (FRAME * 1000).rename(columns="{} [µV]".format).to_csv(index=False)
    assert "is in µV, the units given are mV" in refusal(tmp_path, microvolts)
    for text in (microvolts, microvolts.encode("latin-1")):
        assert_is_the_signal(read(tmp_path, text, units="uV")[0])
    below = FRAME.to_csv(index=False).replace("\n", "\n" + ",".join(["uV"] * 12) + "\n", 1)
    assert "is in uV, the units given are mV" in refusal(tmp_path, below)
    assert_is_the_signal(read(tmp_path, below.replace("uV", "(mV)"))[0])
    assert "units must be mV" in refusal(tmp_path, FRAME.rename(columns={"I": "I (mmHg)"}).to_csv(index=False))


def test_a_units_row_with_a_clock(tmp_path: Path) -> None:
    """As PhysioBank ATM exports records."""
    header = ",".join(f"'{name}'" for name in ("Elapsed time", *STANDARD_LEADS))
    units = ",".join(["'hh:mm:ss.mmm'"] + ["'mV'"] * 12)
    rows = timed("t", [f"'0:{second:06.3f}'" for second in SECONDS]).to_csv(index=False, header=False)
    record, said = read(tmp_path, f"{header}\n{units}\n{rows}")
    assert_is_the_signal(record)
    assert "Elapsed time" in said[0]


def test_what_rdsamp_prints(tmp_path: Path) -> None:
    rows = "\n".join("".join(f"{value:12.4f}" for value in row) for row in np.c_[SECONDS, SIGNAL.T])
    names = "".join(f"{name:>16}" for name in ("Elapsed time", *STANDARD_LEADS))
    units = "".join(f"{unit:>16}" for unit in ("(seconds)", *["(mV)"] * 12))
    for text in (f"{names}\n{units}\n{rows}", f"{names.replace('Elapsed time', 'sample #')}\n{rows}"):
        assert_is_the_signal(read(tmp_path, text)[0])
    assert "shows 250 Hz" in refusal(tmp_path, f"{names}\n{units}\n{rows}", sampling_rate=360)


def test_times_of_samples_that_came_in_packets(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    arrival = np.repeat(SECONDS[::20] + rng.uniform(0, 0.01, SAMPLES // 20), 20)
    text = timed("Phone time", [f"2021-05-27T09:41:{10 + second:09.6f}" for second in arrival]).to_csv(index=False)
    assert_is_the_signal(read(tmp_path, text)[0])
    assert "the sampling rate given is 1000 Hz" in refusal(tmp_path, text, sampling_rate=1000)


def test_a_column_of_samples_is_no_index_if_it_does_not_count(tmp_path: Path) -> None:
    text = pd.DataFrame({"timestamp": SECONDS, "sample": SIGNAL[0]}).to_csv(index=False)
    assert read(tmp_path, text)[0].leads == ("sample",)
    text = pd.DataFrame({"sample": np.arange(SAMPLES), "I": SIGNAL[0]}).to_csv(index=False)
    assert read(tmp_path, text)[0].leads == ("I",)


@given(
    separator=st.sampled_from([",", ";", "\t", "|", " ", "  ", ", ", " ; "]),
    comma=st.booleans(),
    header=st.booleans(),
    index=st.booleans(),
    end=st.booleans(),
    line=st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    comment=st.sampled_from(["", "# a comment\n", "# one\n% two; with, marks\n"]),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
)
@settings(max_examples=40, deadline=None)
def test_any_way_of_writing_gives_the_same_record(
    tmp_path_factory: pytest.TempPathFactory, separator: str, comma: bool, header: bool, index: bool, end: bool,
    line: str, comment: str, mark: bytes,
) -> None:  # fmt: skip
    comma = comma and separator.strip() != ","
    rows = [[f"{value:.4f}".replace(".", "," if comma else ".") for value in row] for row in SIGNAL.T]
    if header:
        rows.insert(0, list(STANDARD_LEADS))
    if index and not (header and not separator.strip(" ")):  # blanks cannot separate an empty cell
        rows = [["" if header and not row else str(row), *cells] for row, cells in enumerate(rows)]
    tail = separator if end and separator.strip() else ""
    text = comment + line.join(separator.join(cells) + tail for cells in rows) + line
    record, _ = read(tmp_path_factory.mktemp("x"), mark + text.encode(), **({} if header else IN_ORDER))
    assert_is_the_signal(record)


def test_a_header_in_a_comment(tmp_path: Path) -> None:
    """As numpy.savetxt writes one."""
    body = FRAME.to_csv(index=False)
    assert_is_the_signal(read(tmp_path, "# 250 Hz\n# " + body)[0])
    assert "--leads" in refusal(tmp_path, "# made by a device\n" + body.partition("\n")[2])


def test_leads_in_rows(tmp_path: Path) -> None:
    for text in (
        FRAME.T.to_csv(header=False),
        FRAME.T.to_csv(),
        pd.DataFrame(SIGNAL, STANDARD_LEADS, SECONDS).to_csv(),
    ):
        assert_is_the_signal(read(tmp_path, text)[0])


@pytest.mark.parametrize("form", ["V{}", "Var{}", "lead_{}", "Column {}"])
def test_names_that_only_number(tmp_path: Path, form: str) -> None:
    text = PLAIN.rename(columns=lambda number: form.format(number + 1)).to_csv(index=False)
    record, said = read(tmp_path, text, **IN_ORDER)
    assert_is_the_signal(record)
    assert "in the order of the leads given" in said[0]


def test_chest_leads_are_not_taken_for_numbered_columns(tmp_path: Path) -> None:
    chest = FRAME[list(STANDARD_LEADS[6:])].to_csv(index=False)
    assert read(tmp_path, chest)[0].leads == STANDARD_LEADS[6:]
    assert "numbers its columns" in refusal(
        tmp_path, PLAIN.rename(columns=lambda number: f"V{number + 1}").to_csv(index=False)
    )


COMMAS = [[f"{value:.3f}".replace(".", ",") for value in row] for row in SIGNAL.T]
DOUBTFUL = {
    "decimal commas between commas": ("\n".join(",".join(row) for row in COMMAS), "decimal points"),
    "one column of them": ("\n".join(row[0] for row in COMMAS), "decimal points"),
    "commas of thousands": ("1,234;-2,345\n3,456;7,890\n", "thousands"),
    "commas and points": ("0,5;0.5\n0,25;0.125\n", "with points"),
    "words": ("\n".join(",".join(["word"] * 300) for _ in range(5)), "row 2: 'word' is not a number"),
    "a long word": ("x" * 100_000, "no samples"),
    "a list of settings": ("Name,A\nSample Rate,512 hertz\n\n" + "\n".join(map(str, SIGNAL[0])), "row 4 has 1 cells"),
    "names that repeat": (FRAME.rename(columns={"II": "Lead I"}).to_csv(index=False), "lead names repeat: I"),
}  # fmt: skip


@pytest.mark.parametrize("what", DOUBTFUL)
def test_what_has_two_meanings_is_refused_in_one_line(tmp_path: Path, what: str) -> None:
    text, message = DOUBTFUL[what]
    stated = {} if what.endswith("repeat") else {"leads": "I,II" if len(text) < 50 else STANDARD_LEADS}
    if what.startswith(("words", "a l")):
        stated = {}
    assert message in refusal(tmp_path, text, **stated)


def test_messages_stay_short(tmp_path: Path) -> None:
    wide = pd.DataFrame(np.ones((3, 400)), columns=[f"a rather long name {column}x" for column in range(400)])
    assert "more" in refusal(tmp_path, wide.to_csv(index=False), leads=["I"])
    folder = tmp_path / ("f" * 120) / ("g" * 120)
    folder.mkdir(parents=True)
    message = refusal(folder, wide.to_csv(index=False), leads=["I"])
    assert "x.csv: no column 'I'" in message
    many = FRAME.join(pd.DataFrame(0.0, FRAME.index, [f"Resp {column}" for column in range(300)]))
    assert all(len(one) <= 300 for one in read(tmp_path, many.to_csv(index=False))[1])


def test_what_spreadsheets_leave_behind(tmp_path: Path) -> None:
    body = FRAME.to_csv(index=False, sep=";", decimal=",")
    for text in ("sep=;\n" + body, body + ";" * 11 + "\n" + ";" * 11 + "\n", body.replace("-", "\u2212")):
        assert_is_the_signal(read(tmp_path, text)[0])
    assert "empty" in refusal(tmp_path, ";;\n;;\n")


def test_two_leads_between_single_blanks(tmp_path: Path) -> None:
    for head, stated in (("I II\n", {}), ("", {"leads": "I,II"})):
        record, said = read(tmp_path, head + "0.1 0.2\n0.3 -0.4\n0.5 0.6\n", **stated)
        assert (record.leads, said) == (("I", "II"), [])
        np.testing.assert_allclose(record.signal, [[0.1, 0.3, 0.5], [0.2, -0.4, 0.6]], rtol=1e-6)


def test_words_in_the_middle_of_a_table_are_named_with_their_row(tmp_path: Path) -> None:
    """What separates the columns is seen in the middle line, or in the first where that holds words."""
    lines = ["I II", "0.1 0.2", "cable off", "0.3 0.4", "0.5 0.6"]
    assert "row 3: 'cable' is not a number" in refusal(tmp_path, "\n".join(lines))
    for mark in (",", ";", "\t", "|"):
        text = "\n".join(line if line == "cable off" else line.replace(" ", mark) for line in lines)
        assert "row 3 has 1 cells, the header row 2" in refusal(tmp_path, text)


@pytest.mark.parametrize(("of_header", "of_rows"), [(",", ","), (",,", ",,"), ("", ","), (",", ""), (",,,", ",,,")])
@pytest.mark.parametrize("leads", [("I", "II"), ("V1", "V2", "V3")])
def test_separators_at_the_end_of_lines_are_no_columns(
    tmp_path: Path, of_header: str, of_rows: str, leads: tuple[str, ...]
) -> None:
    head, *rows = FRAME[list(leads)].to_csv(index=False).splitlines()
    text = "\n".join([head + of_header, *(row + of_rows for row in rows)])
    record, said = read(tmp_path, text)
    assert (record.leads, said) == (leads, [])
    np.testing.assert_allclose(record.signal, FRAME[list(leads)].to_numpy().T, atol=1e-6)


def test_a_column_without_a_name_that_holds_something_is_said(tmp_path: Path) -> None:
    record, said = read(tmp_path, "I,II,\n0.1,0.2,\n0.3,-0.4,7\n0.5,0.6,\n")
    assert record.leads == ("I", "II")
    assert "no ECG leads: column 3 without a name" in said[0]


@pytest.mark.parametrize("rate", [100, 128, 250, 360, 500, 1000])
@pytest.mark.parametrize(("name", "seconds"), [("Time (s)", 1), ("t_ms", 1e-3), ("time[us]", 1e-6), ("minutes", 60)])
def test_a_time_column_with_its_unit_stands_in_for_the_rate(
    tmp_path: Path, rate: int, name: str, seconds: float
) -> None:
    times = [f"{place / rate / seconds:.9g}" for place in range(SAMPLES)]  # as many digits as loggers write
    for place in (0, 12):
        record, _ = read(tmp_path, timed(name, times, place).to_csv(index=False), sampling_rate=None)
        assert_is_the_signal(record)
        assert record.sampling_rate == rate


NO_RATE = {
    "no time": FRAME,
    "no unit": timed("time", SECONDS),
    "two columns of it": timed("t (s)", SECONDS).assign(**{"time (ms)": 1000 * SECONDS}),
    "times of day": timed("time (s)", [f"0:{second:06.3f}" for second in SECONDS]),
    "a missing time": timed("time (s)", np.where(SECONDS == 0.1, np.nan, SECONDS)),
    "times that stand still": timed("time (s)", np.ones(SAMPLES)),
    "times that fall": timed("time (s)", SECONDS[::-1]),
    "one sample": timed("time (s)", SECONDS)[:1],
    "no header": PLAIN,
}


@pytest.mark.parametrize("what", NO_RATE)
def test_a_rate_that_no_column_states_is_asked_for(tmp_path: Path, what: str) -> None:
    text = NO_RATE[what].to_csv(index=False, header=what != "no header")
    assert "sampling rate in Hz is not stated" in refusal(tmp_path, text, sampling_rate=None)


def test_a_time_column_states_a_rate_only_where_it_rises_evenly(tmp_path: Path) -> None:
    late = np.where(np.arange(SAMPLES) == 50, 0.02 / RATE, 0)  # one sample a fiftieth of a step too late
    text = timed("time (s)", SECONDS + late).to_csv(index=False)
    assert "'time (s)' does not rise evenly" in refusal(tmp_path, text, sampling_rate=None)
    text = timed("time (s)", SECONDS + late / 10).to_csv(index=False)
    assert read(tmp_path, text, sampling_rate=None)[0].sampling_rate == RATE


def test_a_time_that_jumps_or_goes_back_is_said(tmp_path: Path) -> None:
    jump, wrap = SECONDS + 2.0 * (np.arange(SAMPLES) >= 50), SECONDS % 0.2
    clock = [f"10:{int(s // 60):02d}:{s % 60:06.3f}" for s in SECONDS + 60.0 * (np.arange(SAMPLES) >= 50)]
    for column, words in (
        (jump, "leaves samples out behind sample 50; the samples"),
        (clock, "leaves samples out behind sample 50; the samples"),
        (wrap, "goes back behind sample 50 and at 1 more places"),
        (SECONDS[::-1], "goes back behind sample 1 and at 118 more places"),
    ):
        record, said = read(tmp_path, timed("Time (s)", column).to_csv(index=False))
        assert_is_the_signal(record)
        assert any(words in one for one in said), said


def test_minus_nought_is_no_half_of_a_number(tmp_path: Path) -> None:
    whole = np.random.default_rng(1).integers(-40, 40, (SAMPLES, 12))
    rows = [",".join("-0" if one == 0 else str(one) for one in row) for row in whole]
    record, _ = read(tmp_path, "\n".join([",".join(STANDARD_LEADS), *rows]), units="uV")
    np.testing.assert_allclose(record.signal, whole.T / 1000, atol=1e-6)
    column = "\n".join("-0" if row[0] == 0 else str(row[0]) for row in whole)
    assert read(tmp_path, column, units="uV", leads="I")[0].leads == ("I",)
    assert "decimal points as well as between columns" in refusal(tmp_path, "\n".join(rows), units="uV", **IN_ORDER)


@pytest.mark.parametrize("unit", ["microvolts", "UV", "millivolt", "MV"])
def test_a_unit_that_is_not_known_is_refused(tmp_path: Path, unit: str) -> None:
    text = FRAME.rename(columns=lambda lead: f"{lead} ({unit})").to_csv(index=False)
    assert f"units must be mV, uV, nV or V, got '{unit}'" in refusal(tmp_path, text)


def test_a_unit_below_the_name_of_the_time_states_the_rate(tmp_path):
    path = tmp_path / "x.csv"
    rows = "".join(f"{place / 250:.3f},{value},{value}\n" for place, value in enumerate(SIGNAL[0]))
    path.write_text(f"time,I,II\ns,mV,mV\n{rows}", encoding="utf-8")
    assert read_ecg(path).sampling_rate == 250
