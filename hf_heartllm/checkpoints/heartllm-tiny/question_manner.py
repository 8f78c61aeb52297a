"""How a question is put, where that leaves open what an answer would mean: tags, orders, what others have found."""

from __future__ import annotations

from collections.abc import Sequence

from .question_words import AUXILIARIES, DENIALS, DOCTORS, PERSONS, POSSIBLE

DENIED = DENIALS | {"not", "nt", "nothing", "none", "never", "nor", "neither"}
AGREED = frozenset(["right", "correct", "yes", "ok", "okay"])
"""Words that ask for consent at the end; nothing else follows from them where nothing is denied."""
_OTHERS = PERSONS | DOCTORS | {"someone", "somebody", "anyone", "anybody", "nurse", "colleague"}
_PAST = frozenset(["did", "has", "have", "had", "was", "were"])
_SAYS = frozenset(["say", "says", "said", "according", "thinks", "thought", "writes", "wrote"])
_SUBJECTS = PERSONS | {"this", "that", "these", "those", "it", "there", "the", "a", "an", "any"}


def why_left_open(said: Sequence[str]) -> str | None:
    """Why it cannot be said what a yes to a question would mean; None where nothing in its manner stands against it.

    Args:
        said: its words, of `question_text.words`: "isn't" is "is nt".

    Examples:
        >>> why_left_open("there is af is nt there".split())
        '"isn\\'t there" at the end leaves open what a yes would mean'
        >>> why_left_open("is af nt there".split())
    """
    asks = bool(said) and said[0] in AUXILIARIES
    denied = not DENIED.isdisjoint(said)
    tag = _tag(said)
    if "nt" in tag or (tag and not asks and not DENIED.isdisjoint(said[: -len(tag)])):
        words = " ".join(tag).replace(" nt", "n't")
        return f'"{words}" at the end leaves open what a yes would mean'
    if len(said) > 1 and said[-1] in AGREED and denied and not asks:
        return f'"{said[-1]}" at the end leaves open what a yes would mean'
    if said[:1] == ["no"] and (said[1:2] in (["thanks"], ["thank"]) or not AUXILIARIES.isdisjoint(said[1:2])):
        return '"no" at the beginning leaves open what a yes would mean'  # it may answer something else
    if _is_order_not_to(said):
        return "it orders that something is not done"
    if _is_of_others(said, denied):
        return "it asks what someone else has found"
    return None


def _tag(said: Sequence[str]) -> list[str]:
    """What asks for consent at the end, such as "is it" and "does nt he"; empty where there is none."""
    length = 3 if said[-2:-1] == ["nt"] else 2
    tag = list(said[-length:])
    there = len(said) > length and tag[-1] in (PERSONS | {"it", "there", "this", "that"}) and tag[0] in AUXILIARIES
    return tag if there else []


def _is_order_not_to(said: Sequence[str]) -> bool:
    begun = [word for word in said if word not in ("please", "pls", "kindly")]
    return begun[:1] == ["do"] and begun[1:2] in (["nt"], ["not"]) and not _SUBJECTS.issuperset(begun[2:3] or ["it"])


def _is_of_others(said: Sequence[str], denied: bool) -> bool:
    """Whether it asks what someone has found or ruled out, who is no part of the recording."""
    if "by" in said and not _OTHERS.isdisjoint(said[said.index("by") + 1 :]):
        return said[0] not in POSSIBLE or denied
    if DOCTORS.isdisjoint(said) or said[0] in POSSIBLE:
        return False
    return said[0] in _PAST or not _SAYS.isdisjoint(said)


__all__ = ["AGREED", "DENIED", "why_left_open"]
