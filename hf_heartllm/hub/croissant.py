"""What a data set holds, as Croissant 1.0 tells it to any machine: `croissant.json` beside its files.

The format is that of https://docs.mlcommons.org/croissant; mlcroissant reads and checks it. Each Parquet file stands
there with its SHA-256, and its columns with their types.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CROISSANT_FILE = "croissant.json"

LICENCE_PAGES = {
    "cc-by-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "cc-by-sa-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "odbl": "https://opendatacommons.org/licenses/odbl/1-0/",
    "odc-by": "https://opendatacommons.org/licenses/by/1-0/",
    "apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
}
"""Where a licence is told; others stand by their identifier."""

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The vocabulary of the format; readers ask for all of it."""


@dataclass(frozen=True)
class DataFile:
    """A Parquet file of a data set.

    Attributes:
        path: in the repository.
        sha256: of its bytes.
        size: in bytes.
        schema: of pyarrow.
        config: the configuration that it belongs to.
        split: its split.
    """

    path: str
    sha256: str
    size: int
    schema: Any
    config: str
    split: str


def croissant_json(
    name: str, description: str, licence: str, credits: Sequence[str], files: Sequence[DataFile], url: str | None = None
) -> str:
    """The text of `croissant.json`.

    Args:
        name: of the data set.
        description: what it holds, and what it is not for.
        licence: its identifier on the Hub.
        credits: whom to credit.
        files: all of its Parquet files; `mlcroissant` finds them beside the text.
        url: of its page; None: it has none yet.
    """
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": description,
        "license": LICENCE_PAGES.get(licence, licence),
        "citeAs": " ".join(credits),
        "keywords": ["ECG", "electrocardiogram"],
        **({"url": url} if url else {}),
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file.path,
                "name": file.path.rpartition("/")[2],
                "contentUrl": file.path,
                "contentSize": f"{file.size} B",
                "encodingFormat": "application/x-parquet",
                "sha256": file.sha256,
            }
            for file in files
        ],
        "recordSet": [_record_set(file, files) for file in files],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _record_set(file: DataFile, files: Sequence[DataFile]) -> dict[str, Any]:
    """The rows of a file; one of several shards of a split is numbered."""
    beside = [one for one in files if (one.config, one.split) == (file.config, file.split)]
    name = f"{file.config}/{file.split}" + (f"/{beside.index(file)}" if len(beside) > 1 else "")
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"Rows of the split {file.split} of {file.config}, one a record.",
        "field": [
            field
            for column in file.schema
            if (field := _field(f"{name}/{column.name}", column, file.path, column.name)) is not None
        ],
    }


def _field(at: str, column: Any, file: str, source: str, inside: str | None = None) -> dict[str, Any] | None:
    """A column, or what a column's structures hold; None for what the format has no type for.

    Args:
        at: its identifier.
        column: a field of pyarrow.
        file: where it lies.
        source: the column.
        inside: the name of what the column's structures hold; None: the column itself.
    """
    import pyarrow as pa

    types, kind, repeated = pa.types, column.type, False
    while types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        kind, repeated = kind.value_type, True
    told: dict[str, Any] = {"@type": "cr:Field", "@id": at, "name": column.name}
    if repeated:
        told["repeated"] = True
    if types.is_struct(kind):
        held = [kind.field(place) for place in range(kind.num_fields)]
        below = [_field(f"{at}/{one.name}", one, file, source, one.name) for one in held]
        fields = [one for one in below if one is not None]
        return {**told, "subField": fields} if inside is None and fields else None
    for test, name in _TYPES.items():
        if getattr(types, test)(kind):
            path = {} if inside is None else {"transform": {"jsonPath": f"'{inside}'"}}
            where = {"fileObject": {"@id": file}, "extract": {"column": source}, **path}
            return {**told, "dataType": name, "source": where}
    return None


_TYPES = {
    "is_boolean": "sc:Boolean",
    "is_integer": "sc:Integer",
    "is_floating": "sc:Float",
    "is_string": "sc:Text",
    "is_large_string": "sc:Text",
}
"""Test of pyarrow → type of the format."""
