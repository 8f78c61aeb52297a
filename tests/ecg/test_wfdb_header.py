"""Headers as others write them: what header(5) allows is read, what it does not is quoted in one line."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_heartllm.ecg import ECGError, ECGRecord, read_ecg
from hf_heartllm.ecg.readers.wfdb_header import header_comments, parse_header

SAMPLES = np.arange(1, 41, dtype="<i2") * 10
SUM = int(SAMPLES.sum())


def read(
    folder: Path, header: str | bytes, name: str = "r", file: str = "r.hea", **files: np.ndarray
) -> tuple[ECGRecord, list[str]]:
    """The record, and what was said about it. `r=…` is the content of `r.dat`."""
    for stem, samples in (files or {"r": SAMPLES}).items():
        samples.tofile(folder / f"{stem}.dat")
    (folder / file).write_bytes(header if isinstance(header, bytes) else header.encode())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        record = read_ecg(folder / name)
    return record, [str(one.message) for one in said]


def refusal(folder: Path, header: str, **files: np.ndarray) -> str:
    with pytest.raises(ECGError) as caught:
        read(folder, header, **files)
    message = str(caught.value)
    assert len(message) <= 300
    assert "\n" not in message
    return message


def header(record: str = "r 1 500 40", gain: str = "1000(0)/mV", checksum: object = SUM, name: str = "II") -> str:
    return f"{record}\nr.dat 16 {gain} 16 0 10 {checksum} 0 {name}\n"


def assert_is_read(read_and_said: tuple[ECGRecord, list[str]], rate: float = 500) -> None:
    record, said = read_and_said
    assert said == []
    assert record.sampling_rate == rate
    assert record.leads == ("II",)
    np.testing.assert_allclose(record.signal, SAMPLES[None] / 1000, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("360", 360), ("360.", 360), (".36e3", 360), ("3.6e2", 360), ("5E2", 500), ("1.0e+03", 1000), ("+500", 500),
        ("62.4725/999.56", 62.4725), ("360/100(5)", 360), ("3.6e2/1e2(0)", 360), ("500/0", 500), ("500/-1", 500),
    ],
)  # fmt: skip
def test_rates_in_any_way_of_writing(tmp_path: Path, text: str, rate: float) -> None:
    assert_is_read(read(tmp_path, header(f"r 1 {text} 40")), rate)


@given(
    st.floats(1e-3, 1e6), st.sampled_from(["{!r}", "{:.17e}", "{:.17E}", "{:.25f}", "+{!r}", "{!r}/250", "{!r}/250(7)"])
)
@settings(max_examples=50, deadline=None)
def test_a_rate_is_the_number_that_is_written(rate: float, form: str) -> None:
    assert parse_header(header(f"r 1 {form.format(rate)} 40"), "r", "r").rate == rate


@pytest.mark.parametrize(
    "text", ["NaN", "nan", "inf", "-500", "0", "0.0", "abc", "500Hz", "500,0", "1e400", "0x1F4", "5_00"]
)
def test_a_rate_that_is_none_is_quoted(tmp_path: Path, text: str) -> None:
    assert f"sampling rate is {text!r}" in refusal(tmp_path, header(f"r 1 {text} 40"))


@pytest.mark.parametrize("length", ["", " 0", " 40", " 40.0", " 4e1", " 12:00:00", " 0 12:00:00 1/1/2000"])
def test_the_size_of_the_file_tells_the_length_that_is_not_stated(tmp_path: Path, length: str) -> None:
    assert_is_read(read(tmp_path, header(f"r 1 500{length}")))


def test_a_length_that_cannot_be(tmp_path: Path) -> None:
    for length in ("-5", "40.5"):
        assert f"length is {length!r}" in refusal(tmp_path, header(f"r 1 500 {length}"))
    two = "r 2 500\nr.dat 16 1000 16 0 0 0 0 I\nq.dat 16 1000 16 0 0 0 0 II\n"
    assert "q.dat holds 30 samples, r.dat 40" in refusal(tmp_path, two, r=SAMPLES, q=SAMPLES[:30])
    odd = np.frombuffer(SAMPLES.tobytes() + b"\0", dtype="u1")
    assert "ends within a frame" in read(tmp_path, header("r 1 500"), r=odd)[1][0]
    assert "is empty" in refusal(tmp_path, header("r 1 500"), r=SAMPLES[:0])


@pytest.mark.parametrize("fmt", ["16", "24", "32", "61", "80", "160", "212", "310", "311"])
@pytest.mark.parametrize("leads", [1, 3])
def test_every_format_without_a_length(tmp_path: Path, fmt: str, leads: int) -> None:
    values = np.random.default_rng(0).integers(-100, 100, (60, leads))
    # wfdb writes no 61, 160, 310 and 311: offset, pairs of bytes the other way round, and three samples in four bytes.
    if fmt in ("310", "311"):
        three = values.reshape(-1, 3) & 0x3FF
        low, middle, high = three.T
        words = low | middle << 10 | high << 20
        if fmt == "310":
            words = (low & 0x7F) << 1 | (low >> 7) << 8 | (high & 0x1F) << 11 | (middle & 0x7F) << 17
            words |= (middle >> 7) << 24 | (high >> 5) << 27
        content = words.astype("<u4").view("u1")
    elif fmt == "61":
        content = values.astype(">i2").view("u1")
    elif fmt == "160":
        content = (values + 32768).astype("<u2").view("u1")
    else:
        names, gains = [f"V{lead + 1}" for lead in range(leads)], [1000.0] * leads
        wfdb.wrsamp("w", 500, ["mV"] * leads, names, d_signal=values, fmt=[fmt] * leads, adc_gain=gains,
                    baseline=[0] * leads, write_dir=str(tmp_path))  # fmt: skip
        content = np.fromfile(tmp_path / "w.dat", dtype="u1")
    lines = [
        f"r.dat {fmt} 1000(0)/mV 16 0 {values[0, lead]} {values[:, lead].sum()} 0 V{lead + 1}" for lead in range(leads)
    ]
    record, said = read(tmp_path, "\n".join([f"r {leads} 500", *lines, ""]), r=content)
    np.testing.assert_allclose(record.signal, values.T / 1000, atol=1e-6)
    assert said == []


@pytest.mark.parametrize(
    "date",
    ["2019-03-04 05:06:07", "23-Mar-2021 20:20:47", "06:07:08 4/03/2019", "12:00:00.123 1/1/2000", "12:00", "- -",
     "99:99:99 99/99/9999", "Monday, the 3rd of May"],
)  # fmt: skip
def test_a_date_in_any_form_is_passed_over(tmp_path: Path, date: str) -> None:
    assert_is_read(read(tmp_path, header(f"r 1 500 40 {date}")))


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("1000(5.0)/mV", SAMPLES - 5), ("1000(-5)/mV", SAMPLES + 5), ("1000(1e1)/mV", SAMPLES - 10),
        ("-1000(0)/mV", -SAMPLES), ("1e3(0)/mV", SAMPLES), ("1000", SAMPLES), ("1000/mV", SAMPLES),
        ("1000()/", SAMPLES),
    ],
)  # fmt: skip
def test_gain_fields(tmp_path: Path, field: str, values: np.ndarray) -> None:
    record, _ = read(tmp_path, header(gain=field))
    np.testing.assert_allclose(record.signal[0], values / 1000, rtol=1e-6)


@pytest.mark.parametrize(
    "field", ["200(mV)/0", "1000/mV(0)", "mV", "nan/mV", "inf/mV", "1,000/mV", "1000(0.5)/mV", "(0)/mV", "0", "0(0)/mV"]
)
def test_a_gain_that_is_none_is_quoted(tmp_path: Path, field: str) -> None:
    message = refusal(tmp_path, header(gain=field))
    assert repr(field) in message
    assert "absent" not in message
    assert ("no gain" in message) == field.startswith("0")


def test_a_gain_with_a_blank_is_quoted(tmp_path: Path) -> None:
    assert "behind the gain '1000' stands '/mV'" in refusal(tmp_path, header(gain="1000 /mV"))
    assert "behind the gain '+24' stands '1000/mV'" in refusal(tmp_path, header(gain="+24 1000/mV"))


def test_the_baseline_is_the_adc_zero_where_none_is_stated(tmp_path: Path) -> None:
    record, _ = read(tmp_path, f"r 1 500 40\nr.dat 16 1000/mV 16 5 10 {SUM} 0 II\n")
    np.testing.assert_allclose(record.signal[0], (SAMPLES - 5) / 1000, rtol=1e-6)
    assert "ADC zero 'zero'" in refusal(tmp_path, f"r 1 500 40\nr.dat 16 1000/mV 16 zero 10 {SUM} 0 II\n")


@pytest.mark.parametrize("fields", ["", " 16", " 16 0", " 16 0 10", f" 16 0 10 {SUM}", f" 16 0 10 {SUM} 0"])
def test_fields_may_be_left_out(tmp_path: Path, fields: str) -> None:
    for name in ("", " V2", " Lead V2"):
        record, said = read(tmp_path, f"r 1 500 40\nr.dat 16 1000/mV{fields}{name}\n")
        assert record.leads == (("V2",) if name else ("signal 1",))
        assert said == []
        np.testing.assert_allclose(record.signal[0], SAMPLES / 1000, rtol=1e-6)


def test_checksums_that_were_never_computed(tmp_path: Path) -> None:
    record, said = read(tmp_path, header(checksum=0))
    np.testing.assert_allclose(record.signal[0], SAMPLES / 1000, rtol=1e-6)
    assert "no checksums (all are 0)" in said[0]
    zeros = "r 1 500 40\nr.dat 16 1000/mV 16 0 0 0 0 II\n"
    assert read(tmp_path, zeros, r=0 * SAMPLES)[1] == []  # true checksums
    assert_is_read(read(tmp_path, header(checksum=f"{SUM - 65536}")))
    assert_is_read(read(tmp_path, header(checksum=f"{SUM}.0")))
    assert "wrong checksum of II" in refusal(tmp_path, header(checksum=1))
    two = f"r 2 500 40\nr.dat 16 1000 16 0 10 0 0 I\nr.dat 16 1000 16 0 10 {SUM} 0 II\n"
    assert "wrong checksum of I:" in refusal(tmp_path, two, r=np.repeat(SAMPLES, 2))
    assert "checksum 'x' is not a number" in refusal(tmp_path, header(checksum="x"))


@pytest.mark.parametrize(
    ("record", "file"),
    [
        ("beats_wfdb/r", "beats_wfdb/r.dat"), ("a/b/r", "r.dat"), ("r", "./r.dat"), ("r", "folder\\r.dat"),
        ("r", "R.DAT"),
    ],
)  # fmt: skip
def test_folders_in_names_mean_the_file_beside_the_header(tmp_path: Path, record: str, file: str) -> None:
    assert_is_read(read(tmp_path, f"{record} 1 500 40\n{file} 16 1000/mV 16 0 10 {SUM} 0 II\n"))


def test_a_folder_below_the_header_is_read(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    SAMPLES.tofile(tmp_path / "below" / "r.dat")
    text = header().replace("r.dat", "below/r.dat")
    assert_is_read(read(tmp_path, text, r=SAMPLES + 1))


@pytest.mark.parametrize("file", ["../r.dat", "a/../r.dat", "/r.dat", "C:\\r.dat", "..\\r.dat"])
def test_no_header_leads_out_of_its_folder(tmp_path: Path, file: str) -> None:
    assert "another folder" in refusal(tmp_path, header().replace("r.dat", file))


def test_segments_and_numbers_that_are_none(tmp_path: Path) -> None:
    assert "several segments" in refusal(tmp_path, "r/2 1 500 40\na 20\nb 20\n")
    assert "several segments" in refusal(tmp_path, header("r/2 1 500 40"))
    assert_is_read(read(tmp_path, header("mitdb/100 1 500 40"), name="100", file="100.hea"))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("r.HEA", "r"), ("r.HEA", "r.hea"), ("r.hea", "r.HEA"), ("R.hea", "r"), ("r.hea", "r."), ("r.hea", "r.DAT"),
        ("r.hea", "r.hea.hea"), ("r.hea.hea", "r.hea"), ("r.hea.hea", "r.hea.hea"), ("r.dat.hea", "r.dat"),
    ],
)  # fmt: skip
def test_names_of_headers(tmp_path: Path, file: str, name: str) -> None:
    assert_is_read(read(tmp_path, header(), name, file))


LAYOUTS = {
    "windows": header().replace("\n", "\r\n"),
    "tabs": header().replace(" ", "\t"),
    "blank lines": "\n \n" + header().replace("\n", "\n\n"),
    "comments first": "# made by hand\n#Age: 50\n" + header(),
    "trailing blanks": header().replace("\n", "  \n"),
    "a byte order mark": "\ufeff" + header(),
    "no line end": header().rstrip(),
}


@pytest.mark.parametrize("what", LAYOUTS)
def test_layouts(tmp_path: Path, what: str) -> None:
    assert_is_read(read(tmp_path, LAYOUTS[what]))


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("RESP", "mV"), ("EMG", "mV"), ("marker", "mV"), ("PLETH,", "mV"), ("Resp (nasal)", "mV"), ("EEG C3-A2", "uV"),
        ("ABP", "mmHg"), ("", "mmHg"), ("something", "NU"), ("ch2", "%"), ("X", "g"), ("HR", "bpm"), ("SV", "ml"),
    ],
)  # fmt: skip
def test_other_channels_are_left_out_and_said(tmp_path: Path, name: str, units: str) -> None:
    two = f"r 2 500 40\nr.dat 16 1000/mV 16 0 10 {SUM} 0 II\nr.dat 16 0/{units} 16 0 10 1 0 {name}\n"
    two = two.replace(
        " 0/", " 1000/" if units != "mV" else " 0/"
    )  # the gain of a channel that is not read may be missing
    record, said = read(tmp_path, two, r=np.repeat(SAMPLES, 2))
    assert record.leads == ("II",)
    np.testing.assert_allclose(record.signal[0], SAMPLES / 1000, rtol=1e-6)
    assert f"no ECG leads: {name or 'signal 2'} ({units})" in said[0]


def test_channels_that_are_left_out_need_no_file_and_no_rate_in_common(tmp_path: Path) -> None:
    text = f"r 2 250 20\nr.dat 16x2 1000/mV 16 0 10 {SUM} 0 II\nq.dat 16 1000/mmHg 16 0 10 0 0 ABP\n"
    record, said = read(tmp_path, text)
    assert (record.leads, record.sampling_rate, len(said)) == (("II",), 500, 1)
    np.testing.assert_allclose(record.signal[0], SAMPLES / 1000, rtol=1e-6)
    assert "different sampling rates" in refusal(tmp_path, text.replace("mmHg", "mV").replace("ABP", "V1"), r=SAMPLES,
                                                 q=0 * SAMPLES[:20])  # fmt: skip


def test_a_record_without_any_lead(tmp_path: Path) -> None:
    assert "no channel is an ECG lead: RESP (mV)" in refusal(tmp_path, header(name="RESP"))
    many = "\n".join(["r 300 500 40"] + [f"r.dat 16 1000/mmHg 16 0 0 0 0 pressure number {n}" for n in range(300)])
    assert "more" in refusal(tmp_path, many)


@pytest.mark.parametrize("name", ["MLII", "ECG1", "V7", "vx", "CM5", "X", "col 0", "CS12"])
def test_leads_beyond_the_twelve_are_read(tmp_path: Path, name: str) -> None:
    record, said = read(tmp_path, header(name=name))
    assert (record.leads, said) == ((name,), [])


def test_signals_of_one_file_have_one_format(tmp_path: Path) -> None:
    text = "r 2 500 40\nr.dat 16 1000 16 0 0 0 0 I\nr.dat 212 1000 16 0 0 0 0 II\n"
    assert "several formats" in refusal(tmp_path, text, r=np.repeat(SAMPLES, 2))


def test_a_compressed_file_without_a_length(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "r.dat", SAMPLES.astype("i2"), 96_000, format="FLAC", subtype="PCM_16")
    content = np.fromfile(tmp_path / "r.dat", dtype="u1")
    assert_is_read(read(tmp_path, header("r 1 500").replace("dat 16 ", "dat 516 "), r=content))
    assert "no FLAC file" in refusal(tmp_path, header("r 1 500").replace("dat 16 ", "dat 516 "))


@pytest.mark.parametrize(
    ("comment", "stated"),
    [
        ("Age: 0 Height: 24 cm Weight: 0.212 kg", {"age": 0, "height": 24, "weight": 0.212}),  # the smallest newborn
        ("Age: 122", {"age": 122}),  # the oldest, tallest and heaviest people
        ("Height: 272", {"height": 272}),
        ("Weight: 635", {"weight": 635}),
        ("Age: 300", {"age": 300}),  # PTB-XL's "over 89"
        ("Age: 999 Sex: 9 Height: 999 Weight: 999", {}),
        ("Age: -1 Height: 0 Weight: 0", {}),
        ("Height: 1.75 Weight: 72000", {}),  # in metres and in grams
        ("Age: 40 y", {"age": 40}),
        ("Age: 40 yrs Weight: 80 KG Height: 180 CM", {"age": 40, "weight": 80, "height": 180}),
        ("Age: 40 weeks", {}),
        ("Weight: 80 cm Height: 180 kg", {}),
        ("Sex: FEMALE", {"sex": "female"}),
    ],
)
def test_comments_about_people_as_they_are(comment: str, stated: dict[str, object]) -> None:
    assert header_comments(f"r 1 500\nr.dat 16 1000\n # {comment}\n") == stated
    assert header_comments(f"r 1 500\nr.dat 16 1000 {comment}\n") == {}
