"""Labels in the comments of WFDB headers: a folder of records that says itself what they show.

Two layouts are read, told apart by the comments themselves:

* PhysioNet/CinC Challenge 2020 and 2021 (CPSC 2018, Georgia, Chapman and others): `#Dx: 164889003,59118001`, SNOMED CT
  or short names (`#Dx: AF,RBBB`);
* LUDB: `#<diagnoses>:` with one diagnosis a line behind it, such as `#Rhythm: Sinus rhythm.`.

Neither says whose record it is, so every record counts as a patient of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..ecg.readers.wfdb_format import header_comments, read_header_text
from ..models.ecg_record import ECGError
from .foreign_terms import Meaning, challenge_meaning, ludb_meaning

CINC, LUDB = "PhysioNet/CinC Challenge", "LUDB"

_NO_DIAGNOSIS = frozenset({"", "unknown", "none", "nan", "n/a", "na", "-", "?"})
_DX = re.compile(r"<?dx>?\s*:\s*(.*)", re.IGNORECASE)
_DIAGNOSES = re.compile(r"<diagnos[ei]s>\s*:?\s*([^<]*)", re.IGNORECASE)
_FIELD = re.compile(r"<\w+>")


@dataclass(frozen=True)
class HeaderLabels:
    """What one header says.

    Attributes:
        layout: `CINC` or `LUDB`.
        codes: SCP statements.
        classes: diagnostic superclasses.
        unclear: SCP statements and superclasses that a label leaves open.
        unknown: labels that are in no table; with one of them nothing that is not stated counts as absent.
        age: years, or None.
        sex: `"male"`, `"female"` or None.
    """

    layout: str
    codes: frozenset[str]
    classes: frozenset[str]
    unclear: frozenset[str]
    unknown: tuple[str, ...]
    age: float | None = None
    sex: str | None = None

    def has(self, name: str) -> bool | None:
        """Whether the record shows an SCP statement or superclass; None where its labels leave that open."""
        if name in self.codes or name in self.classes:
            return True
        return None if self.unknown or name in self.unclear else False


@dataclass(frozen=True)
class LabelledFolder:
    """The records of a folder.

    Attributes:
        labels: record's path in the folder, without suffix → what its header says; sorted by path.
        without: paths of records whose header states no diagnosis in either layout.
        unknown: label that is in no table → number of records with it.
    """

    labels: dict[str, HeaderLabels]
    without: tuple[str, ...]
    unknown: Counter[str] = field(default_factory=Counter)

    @property
    def layouts(self) -> Counter[str]:
        """Number of records of each layout."""
        return Counter(one.layout for one in self.labels.values())


def header_labels(text: str) -> HeaderLabels | None:
    """What a header's comments say; None if they state no diagnosis in either layout.

    Args:
        text: of the header file.
    """
    comments = [line.strip().lstrip("#").strip() for line in text.splitlines() if line.lstrip().startswith("#")]
    stated = [found[1] for line in comments if (found := _DX.fullmatch(line))]
    if stated:
        # The Challenge writes "Unknown" where there is no diagnosis.
        return _labels(CINC, [term for line in stated for term in _challenge_terms(line)], challenge_meaning, text)
    start = next((number for number, line in enumerate(comments) if _DIAGNOSES.search(line)), None)
    if start is None:
        return None
    lines = [_DIAGNOSES.findall(comments[start])[0]]
    for line in comments[start + 1 :]:
        if _FIELD.match(line):  # such as <medications>
            break
        lines.append(line)
    return _labels(LUDB, [term for line in lines for term in re.split(r"[.;](?:\s+|$)", line)], ludb_meaning, text)


def _challenge_terms(line: str) -> list[str]:
    """The terms of one `#Dx:` line: commas, semicolons or bars part them, and blanks where each part alone is known."""
    terms: list[str] = []
    for term in re.split(r"[,;|]", line):
        parts = term.split()
        terms += parts if challenge_meaning(term) is None and all(map(challenge_meaning, parts)) else [term]
    return terms


def _labels(
    layout: str, terms: Sequence[str], meaning_of: Callable[[str], Meaning | None], text: str
) -> HeaderLabels | None:
    terms = [term.strip() for term in terms if term.strip(" ().").lower() not in _NO_DIAGNOSIS]
    if not terms:
        return None
    meanings: list[Meaning] = []
    unknown = []
    for term in terms:
        meaning = meaning_of(term)
        if meaning is None:
            unknown.append(term)
        else:
            meanings.append(meaning)
    person = header_comments(text)
    return HeaderLabels(
        layout,
        frozenset[str]().union(*(one.codes for one in meanings)),
        frozenset[str]().union(*(one.classes for one in meanings)),
        frozenset[str]().union(*(one.unclear for one in meanings)),
        tuple(dict.fromkeys(unknown)),
        person.get("age"),
        person.get("sex"),
    )


def read_labelled_folder(folder: str | Path) -> LabelledFolder:
    """Read the headers of all WFDB records in a folder and below it.

    Args:
        folder: of the records.

    Raises:
        ECGError: if the folder is not there, or no header in it states a diagnosis.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ECGError(f"{folder}: no such folder")
    labels, without = {}, []
    unknown: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.hea"), key=lambda path: path.relative_to(folder).as_posix()):
        name = path.relative_to(folder).with_suffix("").as_posix()
        found = header_labels(read_header_text(path, str(path)))
        if found is None:
            without.append(name)
            continue
        labels[name] = found
        unknown.update(found.unknown)
    if not labels:
        raise ECGError(
            f"{folder}: no WFDB header states a diagnosis ('#Dx: …' as in the PhysioNet/CinC Challenges, or "
            "'#<diagnoses>:' as in LUDB); write a labels.csv that names them (docs/your-recordings.md)"
        )
    return LabelledFolder(labels, tuple(without), unknown)
