"""WordNet's synonyms for METEOR, from a folder that is there already; nothing is downloaded.

METEOR without WordNet is another metric with the same name, so whoever prints it must know which one it was.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .libraries import library

FOLDER_VARIABLE = "WNSEARCHDIR"
"""WordNet's own environment variable for its folder of `data.noun`, `index.noun` and so on."""
_SYSTEM_FOLDERS = (Path("/usr/share/wordnet"),)  # of the Debian package wordnet-base
_LEXICOGRAPHER_FILES = 45


@dataclass(frozen=True)
class Synonyms:
    """A source of synonyms.

    Attributes:
        reader: what nltk's METEOR asks for `synsets(word)`.
        name: with its version, such as `"WordNet 3.0"`; empty for no source.
        place: where it was found; empty for no source.
    """

    reader: Any
    name: str = ""
    place: str = ""


class _NoSynonyms:
    def synsets(self, word: str) -> Sequence[Any]:
        return ()


NO_SYNONYMS = Synonyms(_NoSynonyms())


def find_wordnet(folder: str | os.PathLike[str] | None = None) -> Synonyms:
    """WordNet from `folder`, else from $WNSEARCHDIR, nltk's data or the system's folder; `NO_SYNONYMS` without one.

    Raises:
        FileNotFoundError: if `folder`, or the one that $WNSEARCHDIR names, holds no WordNet.
    """
    stated = folder if folder is not None else os.environ.get(FOLDER_VARIABLE)
    if stated is not None:
        if not (Path(stated) / "data.noun").is_file():
            raise FileNotFoundError(f"{stated}: holds no WordNet (no data.noun)")
        return _read(Path(stated))
    data = library("nltk.data")
    for name in ("corpora/wordnet.zip/wordnet/", "corpora/wordnet"):
        try:
            return _read(data.find(name))
        except (LookupError, OSError):
            continue
    for candidate in _SYSTEM_FOLDERS:
        if (candidate / "data.noun").is_file():
            return _read(candidate)
    return NO_SYNONYMS


def _read(root: Any) -> Synonyms:
    import warnings

    corpus_reader = library("nltk.corpus.reader.wordnet").WordNetCorpusReader
    known = library("nltk.data").path

    class Reader(corpus_reader):  # type: ignore[misc, valid-type]
        """nltk's reader, also for folders without `lexnames`: the names of the files that lexicographers worked on.

        Distributions leave that file and the sense index out; synonyms need neither.
        """

        def map_wn(self, version: str = "wordnet") -> None:
            return None  # between versions, for other languages; reads the sense index

        def open(self, file: str) -> Any:
            try:
                return super().open(file)
            except OSError:
                if file != "lexnames":
                    raise
                return io.StringIO("".join(f"{number:02} unnamed 0\n" for number in range(_LEXICOGRAPHER_FILES)))

    if isinstance(root, Path) and str(root) not in known:
        known.append(str(root))  # nltk reads nothing outside the folders that it is told of
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there are no other languages
        reader = Reader(str(root) if isinstance(root, Path) else root, None)
    return Synonyms(reader, f"WordNet {reader.get_version() or 'of unknown version'}", str(root))
