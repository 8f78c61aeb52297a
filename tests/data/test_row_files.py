"""A data set of a newer layout says what to upgrade; one from before files said so is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_heartllm.data.row_files import FOOTER_KEY, FORMAT_VERSION, check_row_file
from hf_heartllm.data.token_file import load_codes, load_rows
from hf_heartllm.models.format_versions import FormatVersionError


def written(file: Path, footer: Any) -> Path:
    table = pa.table({"record_id": ["1"], "codes": [[1, 2]], "codec": ["x"]})
    metadata = {} if footer is None else {FOOTER_KEY: footer if isinstance(footer, bytes) else json.dumps(footer)}
    pq.write_table(table.replace_schema_metadata(metadata), file)
    return file


@pytest.mark.parametrize("footer", [None, {}, {"format_version": FORMAT_VERSION}, ["other"], b"no JSON"], ids=str)
def test_what_is_of_no_newer_layout_is_read(footer: Any, tmp_path: Path) -> None:
    check_row_file(written(tmp_path / "train-00000-of-00001.parquet", footer))


def test_a_newer_layout_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "train-00000-of-00001.parquet", {"format_version": FORMAT_VERSION + 1})
    for read in (check_row_file, lambda _: load_codes(tmp_path), lambda _: load_rows(tmp_path)):
        with pytest.raises(FormatVersionError, match=r"reads up to 1: pip install --upgrade hf_heartllm$") as refused:
            read(file)
        assert "\n" not in str(refused.value)


def test_what_is_no_parquet_file_is_for_its_reader(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no")
    check_row_file(tmp_path / "a.parquet")
