"""Under which terms recordings stand, which whatever is derived from them stands under too; and merged bases.

What the licence of a base asks of weights that it is merged into: `models.base_terms.BASE_TERMS`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..models.base_terms import BASE_LICENCE, NOTICE_FILE, TermsError, base_licence, check_terms, notice_text
from ..models.card_files import card_head
from ..models.checkpoint_files import is_local_name
from .push_plan import PushError, read_text


@dataclass(frozen=True)
class Terms:
    """What the licence of recordings asks of those who pass on something derived from them.

    Attributes:
        name: of the collection.
        licence: its identifier on the Hub, such as "cc-by-4.0".
        attribution: whom to credit, in Markdown.
        share_alike: whether what is derived must stand under the same licence.
    """

    name: str
    licence: str
    attribution: str
    share_alike: bool = False


SOURCES = {
    "ptb-xl": Terms(
        "PTB-XL",
        "cc-by-4.0",
        "PTB-XL: Wagner, Strodthoff, Bousseljot, Samek, Schaeffter, PTB-XL, a large publicly available "
        "electrocardiography dataset (version 1.0.3), PhysioNet (2022), https://doi.org/10.13026/kfzx-aw45; Wagner et "
        "al., Scientific Data 7, 154 (2020), https://doi.org/10.1038/s41597-020-0495-6.",
    ),
    "ecg-qa": Terms(
        "ECG-QA",
        "cc-by-4.0",
        "ECG-QA: Oh, Lee, Bae, Kwon, Choi, ECG-QA: A Comprehensive Question Answering Dataset Combined With "
        "Electrocardiogram, NeurIPS 2023 Datasets and Benchmarks, https://arxiv.org/abs/2306.15681.",
    ),
    "challenge-2021": Terms(
        "the PhysioNet/Computing in Cardiology Challenge 2021",
        "cc-by-4.0",
        "Will Two Do? Varying Dimensions in Electrocardiography: Reyna et al., The PhysioNet/Computing in Cardiology "
        "Challenge 2021 (version 1.0.3), PhysioNet (2022), https://doi.org/10.13026/34va-7q14.",
    ),
    "mimic-iv-ecg": Terms(
        "MIMIC-IV-ECG",
        "odbl",
        "MIMIC-IV-ECG: Gow, Pollard, Nathanson, Johnson, Moody, Fernandes, Greenbaum, Waks, Eslami, Carbonati, "
        "Chaudhari, Herbst, Moukheiber, Berkowitz, Mark, Horng, MIMIC-IV-ECG: Diagnostic Electrocardiogram Matched "
        "Subset (version 1.0), PhysioNet (2023), https://doi.org/10.13026/4nqg-sb35. Contains information from "
        "MIMIC-IV-ECG, which is made available under the Open Database License (ODbL) 1.0, "
        "https://opendatacommons.org/licenses/odbl/1-0/; any database that is made from this one must be too.",
        share_alike=True,
    ),
    "simulated": Terms(
        "simulated recordings", "apache-2.0", "Simulated by hf_heartllm: no patient stands behind them."
    ),
}
"""Collections whose terms are known, by what `--made-from` calls them."""

_OPEN = re.compile(r"cc0|cc-by(-sa)?-\d|odbl|odc-by|pddl|apache|mit$|cdla-permissive")
_CREDENTIALED = re.compile(
    r"mimic-?iv-?note|mimiciv_note|discharge summar|radiology report|waveform_note_links|credentialed", re.IGNORECASE
)
_CREDENTIALED_COLUMNS = frozenset({"note_id", "note_seq", "note_type", "discharge", "radiology", "hadm_id", "stay_id"})
_MIMIC = re.compile(r"mimic", re.IGNORECASE)
_MIMIC_COLUMNS = frozenset({"subject_id", "study_id", "ecg_time", "ecg_time_dt"})


def find_terms(
    sources: list[str], licence: str | None, attribution: str | None, columns: set[str], card: str
) -> list[Terms]:
    """The terms of a data set.

    Args:
        sources: keys of `SOURCES` that whoever pushes has named.
        licence: of recordings that are none of these.
        attribution: whom to credit for these.
        columns: names of the columns, those of structures too.
        card: of the folder.

    Raises:
        PushError: if it is not said where the recordings come from, something in the folder says otherwise, or the
            terms forbid it.
    """
    if unknown := [one for one in sources if one not in SOURCES]:
        raise PushError(
            f"--made-from {unknown[0]}: not known here; there are {', '.join(SOURCES)}, else give --license"
        )
    found = [SOURCES[one] for one in sources]
    mimic = SOURCES["mimic-iv-ecg"]
    if joined := sorted(columns & _CREDENTIALED_COLUMNS) or _CREDENTIALED.findall(card):
        raise PushError(
            f"{joined[0]}: joined with notes or tables that are for credentialed users alone: not pushed; build the "
            "set from MIMIC-IV-ECG by itself"
        )
    if (columns & _MIMIC_COLUMNS or _MIMIC.search(card)) and mimic not in found:
        raise PushError("the folder is about MIMIC-IV-ECG: say --made-from mimic-iv-ecg, whose licence then goes along")
    if licence:
        if not attribution:
            raise PushError(f"--license {licence}: say whom to credit too, --attribution TEXT")
        found.append(Terms("recordings", licence.lower(), attribution))
    if not found:
        raise PushError(
            "a token set is a derived recording: say what it was made from, "
            f"--made-from {'|'.join(SOURCES)}, or --license and --attribution of other recordings"
        )
    strict = [one for one in found if one.share_alike]
    if strict and (
        others := [one for one in found if one.licence not in (strict[0].licence, "cc-by-4.0", "apache-2.0")]
    ):
        raise PushError(f"{strict[0].name} is share-alike ({strict[0].licence}): not together with {others[0].licence}")
    return found


def licence_of(terms: list[Terms]) -> str:
    """The one licence that what was derived from all of them stands under: a share-alike one, else the first."""
    return next((one.licence for one in terms if one.share_alike), terms[0].licence)


def check_waveforms(terms: list[Terms]) -> None:
    """That signals themselves may be passed on.

    Raises:
        PushError: if a licence is not one that is known to allow it.
    """
    for one in terms:
        if not _OPEN.match(one.licence):
            raise PushError(
                f"--waveforms: {one.licence} is not known to let signals be passed on; push the tokens alone"
            )


def merged_base_notice(folder: Path, config: Mapping[str, Any], card: str, repo_id: str) -> str | None:
    """What a file NOTICE must say of whole weights, for the base that is merged into them; None: nothing.

    The base is the one that the card names, else the one whose name transformers has kept. Where neither names one
    whose licence is known, nothing is asked.

    Args:
        folder: of the checkpoint.
        config: its settings.
        card: its card.
        repo_id: where it goes.

    Raises:
        PushError: if the licence forbids it, asks for another name, or for its text, which is not in the folder.
    """
    stated = card_head(card).get("base_model")
    inner = config.get("text_config")
    kept = (inner if isinstance(inner, Mapping) else config).get("_name_or_path")
    for name in [*(stated if isinstance(stated, list) else [stated]), kept]:
        licence = base_licence(name) if isinstance(name, str) and not is_local_name(name) else None
        if licence is None:
            continue
        try:
            terms = check_terms(licence, name, repo_id)
        except TermsError as error:
            raise PushError(str(error)) from None
        if terms is not None and terms.text and not (folder / BASE_LICENCE).is_file():
            raise PushError(
                f"{folder}: {name} is {licence}, which asks for a copy of its text: save it in the folder as "
                f"{BASE_LICENCE} ({terms.page})"
            )
        under = card_head(card).get("license")
        if terms is not None and terms.binds and under not in (licence, "other", None):
            raise PushError(
                f"{folder}: its card says {under}; with the weights of {name} in it the model stands under {licence}: "
                f"write license: {licence}"
            )
        own = read_text(folder / NOTICE_FILE)
        return own if name in own else notice_text(name, licence, own)
    return None
