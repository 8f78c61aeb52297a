"""Damaged recordings end in one line or a valid record; `benchmarks/fuzz.py` reads more of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks import fuzz
from benchmarks.fuzz_files import RECORDINGS, Recording, mutated
from hf_heartllm.ecg.readers.formats import FORMATS
from hf_heartllm.evaluation.results import read_results

FEW = 75  # of each of the four readers


def outcomes(reader: str, numbers: range, folder: Path) -> Counter[str]:
    recordings = RECORDINGS[reader]()
    found = {number: fuzz.outcome(fuzz.drawn(reader, number, 1, recordings), folder) for number in numbers}
    bad = {number: one for number, one in found.items() if one not in (fuzz.REFUSED, fuzz.READ)}
    assert not bad
    return Counter(found.values())


def test_every_format_has_recordings_that_are_read(tmp_path: Path) -> None:
    assert set(RECORDINGS) == {one.name for one in FORMATS if one.prefix != "physionet:"}
    for reader, make in RECORDINGS.items():
        recordings = make()[:2] if reader == "simulated" else make()
        assert [fuzz.outcome(one, tmp_path) for one in recordings] == [fuzz.READ] * len(recordings)


@pytest.mark.parametrize("reader", RECORDINGS)
def test_damaged_files_are_refused_or_read(tmp_path: Path, reader: str) -> None:
    counts = outcomes(reader, range(FEW), tmp_path)
    assert counts[fuzz.REFUSED]
    assert counts[fuzz.READ]  # some changes are harmless, so the readers are not only asked at the door


@pytest.mark.slow
@pytest.mark.parametrize("reader", RECORDINGS)
def test_many_damaged_files(tmp_path: Path, reader: str) -> None:
    outcomes(reader, range(FEW, FEW + 300), tmp_path)


def test_draws_are_those_of_their_number() -> None:
    recordings = RECORDINGS["CSV"]()
    one = [fuzz.drawn("CSV", number, 0, recordings) for number in range(20)]
    assert one == [fuzz.drawn("CSV", number, 0, recordings) for number in range(20)]
    assert one != [fuzz.drawn("CSV", number, 1, recordings) for number in range(20)]
    assert sum(mutated(recordings, np.random.default_rng(seed)) in recordings for seed in range(50)) < 10


@pytest.mark.parametrize(
    ("raised", "said"),
    [(KeyError("x"), "KeyError in"), (MemoryError(), "memory was asked for"), (fuzz.ECGError("a\x1b[2J"), "printable")],
)
def test_other_ends_are_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception, said: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise fuzz.ECGError("too large for the memory that there is") if isinstance(raised, MemoryError) else raised

    monkeypatch.setattr(fuzz, "read_ecg", fail)
    assert said in fuzz.outcome(Recording("example:af"), tmp_path)


@pytest.mark.slow
def test_a_run_writes_rows_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--files", "20", "--readers", "CSV", "NPY", "--parts", str(tmp_path / "parts.jsonl")]
    words += ["--results", str(tmp_path / "review.json")]
    assert fuzz.main(words) == 0
    rows = read_results(tmp_path / "review.json")
    assert [row.value for row in rows if "neither" in row.name] == [0, 0]
    assert all("20 mutated files, seed 0" in row.data for row in rows)
    monkeypatch.setattr(fuzz, "read_batch", None)  # nothing is read again
    assert fuzz.main(words) == 0
    assert capsys.readouterr().out.count("CSV") == 2


@pytest.mark.slow
def test_a_file_that_takes_too_long_is_told_and_the_rest_read() -> None:
    batch = fuzz.Batch("CSV", 0, 5000, "key")
    done: list[int] = []
    # processor time is counted in ticks of some milliseconds, within which a quick processor reads many a file
    for number in fuzz.read_batch(batch, 0, seconds=1e-6):
        done.append(number)
        if batch.failures and batch.refused + batch.read > 40 and number > max(map(int, batch.failures)):
            break
    assert done == list(range(len(done)))
    assert set(batch.failures.values()) == {"more than 1e-06 s"}
    assert batch.refused + batch.read + len(batch.failures) == len(done)
