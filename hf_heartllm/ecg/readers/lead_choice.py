"""Which leads the caller wants, and under which names: `leads=` and `--leads`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...models.ecg_leads import STANDARD_LEADS
from ...models.ecg_record import ECGError, ECGRecord
from .channels import lead_name
from .messages import listed, warn

Leads = Sequence[str] | Mapping[str, str] | str
"""Names (a sequence, or one string with commas), or names in the file → leads (a mapping, or `MLII=II,V5=V5`)."""


@dataclass(frozen=True)
class LeadChoice:
    """What the caller wants.

    Attributes:
        names: as the file has them, or names for its leads in their order.
        renamed: names in the file → leads; empty where no pairs were given.
    """

    names: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)

    def name(self, name: str) -> str:
        """The lead that a name of `names` stands for."""
        return self.renamed.get(name, name)


def lead_choice(where: object, leads: Leads | None) -> LeadChoice | None:
    """Read what the caller gave; None for None.

    Args:
        where: the recording, for messages.
        leads: names or pairs.

    Raises:
        ECGError: if a name is no text, is empty or stands there twice.
    """
    if leads is None:
        return None
    renamed: dict[str, str] = {}
    try:
        if isinstance(leads, Mapping):
            pairs = [(name.strip(), lead.strip()) for name, lead in leads.items()]
        else:
            texts = [text.strip() for text in (leads.split(",") if isinstance(leads, str) else leads)]
            parted = [text.rpartition("=") for text in texts]
            pairs = [(name.strip() if mark else lead, lead.strip()) for name, mark, lead in parted]
            renamed = {name: lead for (name, lead), (_, mark, _) in zip(pairs, parted) if mark}
    except (TypeError, AttributeError):
        raise ECGError(f"{where}: lead names must be texts, got {str(leads)[:40]} (leads=…, --leads)") from None
    if isinstance(leads, Mapping):
        renamed = dict(pairs)
    if not pairs or not all(name and lead for name, lead in pairs):
        raise ECGError(f"{where}: a lead name is empty (leads=…, --leads)")
    names = tuple(name for name, _ in pairs)
    if renamed and len(set(names)) != len(names):
        twice = dict.fromkeys(name for name in names if names.count(name) > 1)
        raise ECGError(f"{where}: {listed(twice)} stands there twice (leads=…, --leads)")
    return LeadChoice(names, renamed)


def choose(where: object, held: Sequence[str], choice: LeadChoice) -> list[tuple[int, str]]:
    """Which leads of a recording that names them are wanted, and what they are called from now on.

    Names that it holds select them. As many others as it has leads name them in its order, which is said; a standard
    lead is given another name by pairs alone.

    Args:
        where: the recording, for messages.
        held: its lead names, in its order.
        choice: what the caller wants.

    Returns:
        Place in `held` and name, in the order of the choice.

    Raises:
        ECGError: if it does not hold a name.
    """
    standard = [lead_name(name) for name in held]
    places = [_place(where, held, standard, name) for name in choice.names]
    unknown = [name for name, place in zip(choice.names, places) if place is None]
    if not unknown:
        return [(place, choice.name(name)) for place, name in zip(places, choice.names) if place is not None]
    there = listed(name or f"signal {number}" for number, name in enumerate(held, 1))
    if choice.renamed or len(choice.names) != len(held):
        many = f"{len(choice.names)} names for {len(held)} leads, " if not choice.renamed else ""
        raise ECGError(f"{where}: {many}no lead {listed(unknown)}; there are {there} (leads=…, --leads)")
    for at, name in enumerate(choice.names):
        if standard[at] in STANDARD_LEADS and lead_name(name) != standard[at]:
            raise ECGError(
                f"{where}: no lead {listed(unknown)}; in the order of {there}, {held[at]} would be called {name}: give "
                f"pairs (leads=…, --leads), {held[at]}={name} if that is meant"
            )
    warn(f"{where}: as the names given say, {there} are read as {listed(choice.names)}")
    return list(enumerate(choice.names))


def _place(where: object, held: Sequence[str], standard: Sequence[str], name: str) -> int | None:
    spellings = [one.casefold() for one in standard]
    for names, wanted in ((held, name), (standard, lead_name(name)), (spellings, lead_name(name).casefold())):
        if list(names).count(wanted) > 1:
            raise ECGError(f"{where}: lead names repeat, so {name} is not one of them: give names for all, in order")
        if wanted in names:
            return list(names).index(wanted)
    return None


def chosen_record(record: ECGRecord, leads: Leads | None) -> ECGRecord:
    """A recording with the leads that are wanted alone."""
    choice = lead_choice(record.source or "record", leads)
    if choice is None:
        return record
    chosen = choose(record.source or "record", record.leads, choice)
    signal = record.signal[[place for place, _ in chosen]]
    return replace(record, signal=signal, leads=tuple(lead_name(name) for _, name in chosen))
