"""Records fetched through wfdb, from a server on this machine that stands in for PhysioNet."""

from __future__ import annotations

import functools
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import wfdb
from wfdb.io import download

from hf_heartllm.ecg import ECGError, read_ecg

NAME = "physionet:some-db/1.0.3/records500/00000/00152_hr"


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that is served; wfdb takes it for PhysioNet's."""
    handler = functools.partial(Silent, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setattr(download.config, "db_index_url", f"http://127.0.0.1:{httpd.server_port}/")
        yield tmp_path
        httpd.shutdown()


def test_a_record_is_fetched_and_checked(server: Path) -> None:
    folder = server / "some-db/1.0.3/records500/00000"
    folder.mkdir(parents=True)
    signal = np.random.default_rng(0).integers(-500, 500, size=(800, 2)) / 1000
    wfdb.wrsamp("00152_hr", 500, ["mV"] * 2, ["I", "II"], signal, fmt=["16"] * 2, adc_gain=[1000.0] * 2,
                baseline=[0] * 2, write_dir=str(folder))  # fmt: skip
    record = read_ecg(NAME)
    assert record.leads == ("I", "II")
    assert record.source == NAME
    np.testing.assert_allclose(record.signal, signal.T, atol=1e-6)
    (folder / "00152_hr.dat").write_bytes(b"\0" * 3200)
    with pytest.raises(ECGError, match="checksum"):
        read_ecg(NAME)


def test_only_files_of_leads_are_fetched_wherever_the_header_says_they_were(server: Path) -> None:
    folder = server / "some-db/1.0.3/records500/00000"
    folder.mkdir(parents=True)
    samples = np.arange(40, dtype="<i2")
    samples.tofile(folder / "beat.dat")
    (folder / "00152_hr.hea").write_text(
        f"beats/00152_hr 2 5e2 0\nbeats/beat.dat 16 1000 16 0 0 {samples.sum()} 0 II\np.dat 16 1/mmHg 16 0 0 0 0 ABP\n"
    )
    for name in (NAME, f"{NAME}.hea", f"{NAME}.dat"):
        with pytest.warns(UserWarning, match="no ECG leads: ABP"):
            record = read_ecg(name)
        assert record.leads == ("II",)
        assert record.sampling_rate == 500
        np.testing.assert_allclose(record.signal, samples[None] / 1000, atol=1e-6)


def test_no_such_record(server: Path) -> None:
    with pytest.raises(ECGError, match="no such record"):
        read_ecg(NAME)


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # accepts the connection and never says a word
        monkeypatch.setattr(download.config, "db_index_url", f"http://127.0.0.1:{deaf.getsockname()[1]}/")
        start = time.monotonic()
        with pytest.raises(ECGError, match=r"within 0\.3 s"):
            read_ecg(NAME, timeout=0.3)
        assert time.monotonic() - start < 1.5


def test_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound, so that no other test's server gets the port, and not listening
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(download.config, "db_index_url", f"http://127.0.0.1:{taken.getsockname()[1]}/")
        with pytest.raises(ECGError, match="cannot be reached") as caught:
            read_ecg(NAME)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["physionet:", "physionet:ptb-xl", "physionet:a/../../b", "physionet:a//b"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ECGError, match="is named physionet:DATABASE"):
        read_ecg(name)
