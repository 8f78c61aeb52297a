"""Records fetched from PhysioNet through wfdb: `physionet:ptb-xl/1.0.3/records500/00000/00152_hr`."""

from __future__ import annotations

import posixpath
import queue
import tempfile
import threading
from pathlib import Path

from ...models.ecg_record import ECGError, ECGRecord
from .formats import WFDB
from .lead_choice import Leads
from .wfdb_format import header_signal_files, read_header_text, read_wfdb

PHYSIONET_PREFIX = "physionet:"
DEFAULT_TIMEOUT = 8.0  # seconds


def read_physionet(name: str, *, timeout: float | None = None, leads: Leads | None = None) -> ECGRecord:
    """Fetch one record from PhysioNet; nothing is kept on disk.

    Args:
        name: `physionet:DATABASE/VERSION/FOLDERS/RECORD`, as its files are named below https://physionet.org/files/.
        timeout: seconds for the whole fetch, 8 when None.
        leads: as `read_wfdb`.

    Raises:
        ECGError: if PhysioNet cannot be reached in time, has no such record, or the record is damaged.
    """
    record = name.removeprefix(PHYSIONET_PREFIX).strip("/")
    record = next((record.removesuffix(end) for end in WFDB.suffixes if record.endswith(end)), record)
    folder, _, base = record.rpartition("/")
    if not folder or not base or any(part in ("", ".", "..") for part in record.split("/")):
        raise ECGError(f"{name}: a PhysioNet record is named physionet:DATABASE/VERSION/FOLDERS/RECORD")
    limit = DEFAULT_TIMEOUT if timeout is None else timeout
    if not limit > 0:
        raise ECGError(f"{name}: the time-out must be positive, got {timeout}")
    # wfdb's requests have no time-out of their own. A daemon thread can be left behind when the limit is over: it does
    # not keep the process alive, and it writes only to a folder of its own, which it removes itself.
    outcome: queue.SimpleQueue[ECGRecord | Exception] = queue.SimpleQueue()

    def work() -> None:
        try:
            outcome.put(_fetch(name, folder, base, leads))
        except Exception as error:  # handed to the caller below
            outcome.put(error)

    threading.Thread(target=work, daemon=True, name="physionet").start()
    try:
        result = outcome.get(timeout=limit)
    except queue.Empty:
        raise ECGError(f"{name}: PhysioNet did not answer within {limit:g} s; is there a network?") from None
    if isinstance(result, ECGRecord):
        return result
    if isinstance(result, ECGError | Warning):  # a warning, where the caller makes them errors
        raise result
    if "404" in str(result) or isinstance(result, FileNotFoundError):
        raise ECGError(f"{name}: PhysioNet has no such record")
    raise ECGError(f"{name}: PhysioNet cannot be reached ({type(result).__name__}); is there a network?")


def _fetch(name: str, folder: str, base: str, leads: Leads | None = None) -> ECGRecord:
    from wfdb.io import download

    database, *below = folder.split("/")
    if not any("." in part for part in below):  # no version named: wfdb asks for the newest
        folder = posixpath.join(database, download.get_version(database), *below)
    with tempfile.TemporaryDirectory(prefix="physionet-") as directory:
        header = Path(directory) / f"{base}.hea"
        _download(folder, header)
        for file in header_signal_files(read_header_text(header, name), name, base):
            _download(folder, header.parent / file)
        return read_wfdb(header, source=name, leads=leads)


def _download(folder: str, path: Path) -> None:
    from wfdb.io import download

    download.dl_full_file(posixpath.join(download.config.db_index_url, folder, path.name), str(path))
