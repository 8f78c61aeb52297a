"""A case → a dialogue of a patient, who does not know everything, and an assistant, who says what it cannot know.

In the arm "told" the patient tells symptoms in the first message. In the arm "silent" nothing is told, so the assistant
asks; symptoms then come with the second message, or none, or the patient cannot say. What the patient feels is drawn
without a look at the ECG, so no model can learn to guess it from there.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .cases import Case, listed
from .words import Symptom, plain_words, symptoms, wordings

Arm = Literal["told", "silent"]
ARMS: tuple[Arm, ...] = ("told", "silent")

MOST_PLAIN = 4  # statements that are put into plain words
MOST_MEASURED = 3  # measurements that are named in the first answer, and leads in a later one
YOUNGEST = 16  # years, of a patient who tells the age
_QUESTIONS = ("meaning", "cause", "treatment", "future", "before", "body", "leads", "sure")


@dataclass(frozen=True)
class Dialogue:
    """A dialogue about one recording.

    Attributes:
        record_id: of the recording.
        arm: whether symptoms are told in the first message.
        turns: what the patient says, and what the assistant answers.
        told: names of the symptoms that the first message tells.
        told_later: names of those that the second tells.
        red_flag: whether the first answer gives the seek-care line, for what was told or for what the ECG shows.
    """

    record_id: str
    arm: Arm
    turns: tuple[tuple[str, str], ...]
    told: frozenset[str]
    told_later: frozenset[str]
    red_flag: bool


def render_dialogue(case: Case, arm: Arm, seed: int = 0, held_out: bool = False) -> Dialogue:
    """The dialogue of a case; the same for the same arguments, on every machine.

    Both arms of a seed have the same patient, with the same symptoms.

    Args:
        case: what is known of the recording.
        arm: whether the patient tells symptoms at once.
        seed: of the draws.
        held_out: in the wordings that are measured with instead of those that are trained.
    """
    felt = _felt(random.Random(f"{seed}-{case.record_id}-felt"))
    scene = _Scene(case, felt, random.Random(f"{seed}-{case.record_id}-{arm}-{held_out}"), wordings(held_out))
    return scene.told() if arm == "told" else scene.silent()


def _felt(rng: random.Random) -> list[Symptom]:
    """One to three symptoms; a red flag is among them in half of the cases."""
    flagged = [one for one in symptoms().values() if one.red_flag]
    others = [one for one in symptoms().values() if not one.red_flag]
    chosen = rng.sample(others, rng.randint(0, 2))
    if rng.random() < 0.5:
        chosen.append(rng.choice(flagged))
    rng.shuffle(chosen)
    return chosen or [rng.choice(others)]


class _Scene:
    """One patient, one recording, and what has been said."""

    def __init__(self, case: Case, felt: list[Symptom], rng: random.Random, lines: Mapping[str, Sequence[str]]) -> None:
        self.case, self.felt, self.rng, self.lines = case, felt, rng, lines
        self.turns: list[tuple[str, str]] = []

    def told(self) -> Dialogue:
        """Symptoms come with the first message."""
        reasons = [*(one.name for one in self.felt if one.red_flag), *self.case.flags]
        said = [self._say("told", symptoms=_names(self.felt)), *self._maybe(0.5, "not from the ecg")]
        asks = not reasons or self.rng.random() < 0.3
        self._answer(self._opening(f"{_upper(self._complaints())}."), [*self._findings(), *said], reasons, asks=asks)
        if asks:
            known = self.rng.random() < 0.6
            time = self.rng.choice(self.lines["time"])
            self._next(
                self._say("since known", time=time) if known else self._say("since unknown"), [self._say("since noted")]
            )
        return self._end("told", self.felt, [], reasons)

    def silent(self) -> Dialogue:
        """Nothing is told, so the assistant asks; the patient tells, denies, or does not know."""
        reasons = list(self.case.flags)
        self._answer(self._opening(), self._findings(), reasons, asks=False, last=self._say("ask symptoms"))
        kind = self.rng.choices(("tells", "denies", "unsure"), (0.6, 0.2, 0.2))[0]
        later: list[Symptom] = []
        if kind == "tells":
            later = self.felt
            complaints = self._complaints()
            said = self._say("tells", symptoms=complaints, Symptoms=_upper(complaints))
            new = [one.name for one in later if one.red_flag]
            self._answer(said, [self._say("told", symptoms=_names(later))], new, asks=not new)
        else:
            noted = self._say("noted none" if kind == "denies" else "noted unsure")
            self._next(self._say(kind), [noted, *([] if reasons else [self._say("safety net")])])
        return self._end("silent", [], later, reasons)

    def _opening(self, *told: str) -> str:
        """The first message: a greeting perhaps, who asks perhaps, the request, what is told, in any order."""
        parts = [self._say("ask"), *told]
        age = self.case.age
        if age is not None and age >= YOUNGEST and self.case.sex is not None and self.rng.random() < 0.5:
            person = "man" if self.case.sex == "male" else "woman"
            years = "over 89" if age >= 90 else f"{int(age)}"
            shown = {"age": years, "sex": self.case.sex, "person": person, "Person": _upper(person)}
            parts.append(self._say("about me", **shown))
        self.rng.shuffle(parts)
        return " ".join([*self._maybe(0.5, "greeting"), *parts])

    def _complaints(self) -> str:
        """What is felt, as the patient says it."""
        return " and ".join(self.rng.choice(self.lines[f"symptom:{one.name}"]) for one in self.felt)

    def _findings(self) -> list[str]:
        """What the ECG shows: in a doctor's words, in plain ones, and in numbers perhaps."""
        plain = self._plain()
        said = [self._say("findings", findings=", ".join(self.case.names))]
        said += [self._say("plain", plain=plain)] if plain else []
        if self.case.measured and self.rng.random() < 0.5:
            said.append(self._say("measured", measured="; ".join(self.case.measured[:MOST_MEASURED])))
        return said

    def _plain(self) -> str:
        known = [plain_words()[code] for code in self.case.codes if code in plain_words()]
        return "; ".join(known[:MOST_PLAIN])

    def _answer(
        self, asked: str, said: Sequence[str], reasons: Sequence[str], asks: bool, last: str | None = None
    ) -> None:
        """An answer that sends to get help where there are reasons, and says that it is no diagnosis."""
        closing = [self._say("no diagnosis")]
        if reasons:
            if {*self.case.codes} <= {"NORM", "SR"} and not self.case.flags:
                closing.insert(0, self._say("normal yet"))
            closing.insert(0, self._say("seek", reasons=listed(reasons), Reasons=_upper(listed(reasons))))
        else:
            closing += self._maybe(0.3, "safety net") + self._maybe(0.4, "show a doctor")
        if last is None and asks:
            last = self._say("ask since")
        self._next(asked, [*said, *closing, *([last] if last else [])])

    def _end(self, arm: Arm, told: Sequence[Symptom], later: Sequence[Symptom], reasons: Sequence[str]) -> Dialogue:
        """One to three questions of the patient, thanks perhaps."""
        plain = self._plain()
        leads = "; ".join(f"{lead}: {text}" for lead, text in [*self.case.by_lead.items()][:MOST_MEASURED])
        known = {"meaning": plain, "leads": leads}
        topics = [topic for topic in _QUESTIONS if known.get(topic, "said")]
        for topic in self.rng.sample(topics, self.rng.randint(1, 3)):
            self._next(self._say(f"q:{topic}"), [self._say(f"a:{topic}", plain=plain, leads=leads)])
        if self.rng.random() < 0.4:
            self._next(self._say("thanks"), [self._say("goodbye")])
        at_once, after = (frozenset(one.name for one in some) for some in (told, later))
        return Dialogue(self.case.record_id, arm, tuple(self.turns), at_once, after, bool(reasons))

    def _next(self, asked: str, answer: Sequence[str]) -> None:
        self.turns.append((asked, " ".join(answer)))

    def _say(self, section: str, **shown: str) -> str:
        return self.rng.choice(self.lines[section]).format(**shown)

    def _maybe(self, share: float, section: str) -> list[str]:
        return [self._say(section)] if self.rng.random() < share else []


def _names(some: Sequence[Symptom]) -> str:
    return listed([one.name for one in some])


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
