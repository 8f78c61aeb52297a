"""ECGs that were encoded before, as a token set holds them: what an answerer would make of their recordings."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..models.ecg_answerer import TokenAnswerer
from ..models.ecg_reading import Reading

if TYPE_CHECKING:
    from ..models.ecg_answerer import Answerer


class _Readings(Mapping[str, Reading]):
    """Readings by record_id, each made when it is asked for."""

    def __init__(self, answerer: TokenAnswerer, codes: Mapping[str, Any]) -> None:
        self._answerer, self._codes = answerer, codes

    def __getitem__(self, record_id: str) -> Reading:
        return self._answerer.reading_of_codes(self._codes[record_id])

    def __iter__(self) -> Iterator[str]:
        return iter(self._codes)

    def __len__(self) -> int:
        return len(self._codes)


def read_stored_ecgs(answerer: Answerer, path: str | os.PathLike[str]) -> Mapping[str, Reading]:
    """The ECGs of a token set (`dataset_builders.ecg_tokens`) by `record_id`, as prompts take them.

    Raises:
        ValueError: if the answerer reads no tokens, or they were made by another codec.
    """
    from ..data.token_file import load_codes

    if not isinstance(answerer, TokenAnswerer):
        raise ValueError(f"{path}: this checkpoint reads signals, not the codes of a codec: leave the token set out")
    return _Readings(answerer, load_codes(path, answerer.reads["codec"]))
