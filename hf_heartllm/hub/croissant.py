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
            {
                "@type": "cr:Field",
                "@id": f"{name}/{column.name}",
                "name": column.name,
                **_type(column.type),
                "source": {"fileObject": {"@id": file.path}, "extract": {"column": column.name}},
            }
            for column in file.schema
        ],
    }


def _type(kind: Any) -> dict[str, Any]:
    """The type of a column; a structure stands as text, with the names of what it holds."""
    import pyarrow as pa

    types = pa.types
    repeated = False
    while types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        kind, repeated = kind.value_type, True
    found: dict[str, Any] = {"repeated": True} if repeated else {}
    if types.is_boolean(kind):
        return {"dataType": "sc:Boolean", **found}
    if types.is_integer(kind):
        return {"dataType": "sc:Integer", **found}
    if types.is_floating(kind):
        return {"dataType": "sc:Float", **found}
    if types.is_struct(kind):
        held = ", ".join(kind.field(place).name for place in range(kind.num_fields))
        return {"dataType": "sc:Text", **found, "description": f"A structure of {held}."}
    return {"dataType": "sc:Text", **found}
