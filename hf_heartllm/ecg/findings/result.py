"""What `find` returns: plain frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ...models.ecg_leads import STANDARD_LEADS

DOUBTFUL = " (doubtful)"


@dataclass(frozen=True)
class SignalFinding:
    """One measurement outside its usual range.

    Attributes:
        name: such as `heart_rate_high`, one of `FINDING_NAMES`.
        value: what was measured; amplitudes to 0.01 mV, times to 1 ms, as the sentence prints them.
        unit: `/min`, `ms`, `mV`, `degrees`, `beats`, or `share`.
        limit: what it was compared with.
        side: on which side of the limit the value lies; it may lie on the limit where the guideline says "or more".
        sentence: a phrase without a full stop.
        guideline: name of the text that the limit comes from.
        lead: the lead it is about; None for the whole recording.
        doubtful: whether the checks of the recording warned; the sentence says so.
    """

    name: str
    value: float
    unit: str
    limit: float
    side: Literal["above", "below"]
    sentence: str
    guideline: str
    lead: str | None = None
    doubtful: bool = False


@dataclass(frozen=True)
class NotJudged:
    """Something that was not compared with its usual range.

    Attributes:
        what: the quantities, in words.
        why: the reason, in words.
        general: whether it is said among the findings, since a reader would miss it there.
    """

    what: str
    why: str
    general: bool = False

    @property
    def sentence(self) -> str:
        """A phrase without a full stop."""
        return f"{self.what} not judged: {self.why}"


@dataclass(frozen=True)
class Findings:
    """What lies outside its usual range, and what was not judged.

    Attributes:
        findings: of the whole recording first, then lead by lead.
        not_judged: what could not or must not be compared, and why.
    """

    findings: tuple[SignalFinding, ...] = ()
    not_judged: tuple[NotJudged, ...] = ()

    @property
    def general(self) -> str:
        """What is said of the whole recording, on one line; empty where nothing is."""
        said = [found.sentence for found in self.findings if found.lead is None]
        return "; ".join([*said, *(one.sentence for one in self.not_judged if one.general)])

    @property
    def by_lead(self) -> dict[str, str]:
        """Each standard lead → what is said of it, on one line; empty where nothing is."""
        said = {lead: [one.sentence for one in self.findings if one.lead == lead] for lead in STANDARD_LEADS}
        return {lead: "; ".join(sentences) for lead, sentences in said.items()}

    def document(self) -> dict[str, Any]:
        """For JSON: `general`, `by_lead` (of the leads that something is said of), `findings` and `not_judged`."""
        return {
            "general": self.general,
            "by_lead": {lead: text for lead, text in self.by_lead.items() if text},
            "findings": [vars(found) for found in self.findings],
            "not_judged": [{"what": one.what, "why": one.why} for one in self.not_judged],
        }
