"""Yes/no questions about a record's statements, drawn anew each time it is read, with answers as sure as a teacher's.

A data set's questions are fixed, and their answers are yes or no. Here any frequent statement is asked about, in many
wordings, and the answer is learned with the probability that networks gave it which have not seen the recording
(`soft_labels`), mixed with what was stated.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from .explanations import ASKED_FOR_REASONS, WHY, explanation
from .turn import Turn
from .wordings import draw_wording, statement_names

LIKELY = 0.25
"""Statements at least so probable are asked for first, since most statements hold in few records."""

UNSURE = 0.3
"""Answers less sure than this are not explained."""


class StatementTurns:
    """Draws yes/no questions about records.

    Args:
        statements: SCP codes, superclasses and ranges of the heart rate, in the order of `probabilities`; those without
            a name are not asked for.
        probabilities: by `record_id`, float (statements,), how probable each is; NaN where it is not known.
        plain_share: of the wordings that evaluations ask.
        explained_share: of the questions that a reason is asked for, in the same message or in the next.
    """

    def __init__(
        self,
        statements: Sequence[str],
        probabilities: Mapping[str, np.ndarray],
        plain_share: float = 0.4,
        explained_share: float = 0.0,
    ) -> None:
        named = statement_names()
        self.columns = [index for index, name in enumerate(statements) if name in named]
        self.statements, self.probabilities = statements, probabilities
        self.plain_share, self.explained_share = plain_share, explained_share
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Mean of empty slice")  # what is known of no record
            rates = np.nan_to_num(np.nanmean(list(probabilities.values()), axis=0))
        self.frequency = {index: float(np.sqrt(rates[index])) + 1e-3 for index in self.columns}

    def draw(self, record_id: str, count: int, rng: random.Random) -> list[Turn]:
        """So many questions about different statements: up to half of them about likely ones.

        Args:
            record_id: of the record; one without probabilities is asked nothing.
            count: of questions.
            rng: of the draws.
        """
        return [self._turn(*one, rng) for one in self._chosen(record_id, count, rng)]

    def draw_terse(self, record_id: str, count: int, rng: random.Random) -> list[Turn]:
        """As `draw`, each question no more than one of the statement's names."""
        return [
            _answered(rng.choice(statement_names()[statement]["english"]), probability)
            for statement, probability in self._chosen(record_id, count, rng)
        ]

    def _chosen(self, record_id: str, count: int, rng: random.Random) -> list[tuple[str, float]]:
        """Statements that a record is asked about, each with its probability."""
        if record_id not in self.probabilities:
            return []
        probable = self.probabilities[record_id]
        known = [index for index in self.columns if not np.isnan(probable[index])]
        likely = [index for index in known if probable[index] >= LIKELY]
        rng.shuffle(likely)
        chosen = likely[: (count + 1) // 2]
        others = [index for index in known if index not in chosen]
        while others and len(chosen) < count:
            index = rng.choices(others, [self.frequency[one] for one in others])[0]
            others.remove(index)
            chosen.append(index)
        rng.shuffle(chosen)
        return [(self.statements[index], float(probable[index])) for index in chosen]

    def _turn(self, statement: str, probability: float, rng: random.Random) -> Turn:
        asked = draw_wording(rng, statement, self.plain_share)
        turn = _answered(asked.text, 1 - probability if asked.denied else probability)
        if rng.random() >= self.explained_share or turn.share > UNSURE:
            return turn
        why = explanation(statement, statement_names()[statement]["english"][0], probability >= 0.5)
        if why is None:
            return turn
        if rng.random() < 0.5:
            return turn._replace(then=((rng.choice(WHY), why),))
        return Turn(rng.choice(ASKED_FOR_REASONS).format(asked.text), f"{turn.answer.capitalize()}. {why}")


def _answered(question: str, yes: float) -> Turn:
    """A question whose answer is yes with this probability."""
    answer, instead = ("yes", "no") if yes >= 0.5 else ("no", "yes")
    return Turn(question, answer, instead, min(yes, 1 - yes))
