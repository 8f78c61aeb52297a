"""Prompts → answers: what evaluation, pipelines and the command line ask, whatever a model makes of an ECG.

What stands above this file knows recordings and words. Token ids, what prompts share and how several of them run
through a model together stand below it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from .answer_scores import AnswerScores, score_groups, summarise
from .ecg_placeholders import TOKENIZING
from .ecg_prompts import Prompt, PromptIds
from .ecg_reading import Reading, ReadWindow, read_recording
from .ecg_record import ECGRecord
from .ecg_windows import combined_scores, token_windows, window_starts
from .likeliest_texts import check_room, greedy_pieces, likeliest_texts, positions


@dataclass(frozen=True)
class WrittenText:
    """A text that a model wrote behind a prompt.

    Attributes:
        text: without the end token.
        log_probability: of the text and, where it is complete, its end token.
        tokens: how many were written.
        complete: False where it was cut at the longest that was allowed.
    """

    text: str
    log_probability: float
    tokens: int
    complete: bool

    @property
    def probability(self) -> float:
        """Of the whole text."""
        return math.exp(self.log_probability)


class Answerer(Protocol):
    """A model that answers prompts.

    Attributes:
        model: the language model, in evaluation mode.
        max_duration: seconds of the longest recording that it reads at once; longer ones are read in windows. None: it
            does not say.
        reads: what names how a recording becomes input, such as `{"codec": fingerprint}`.
        one_question: whether it is shown each question by itself, so that it cannot converse.
    """

    model: Any
    max_duration: float | None
    reads: dict[str, str]
    one_question: bool

    def read(self, record: ECGRecord) -> Reading:
        """Check a recording, say what was found, cut it into windows, make the model's input of each.

        A prompt may hold what this returns instead of the recording, which is then read once for all prompts.

        Raises:
            ECGError: if the recording holds no ECG or cannot be read.
        """
        ...

    def score(self, prompts: Sequence[Prompt], answer_sets: Sequence[Sequence[str]]) -> list[AnswerScores]:
        """How likely each answer of a closed set is, for each prompt.

        Prompts in a row with the same record share the work on it. The windows of a long recording are put together by
        the prompt's `rule`.

        Raises:
            ValueError: if a set is empty or holds an answer twice, or a prompt is longer than the model can read.
        """
        ...

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int, beams: int = 1) -> list[list[WrittenText]]:
        """For each prompt the likeliest texts, the best first; one, written greedily, for one beam.

        Raises:
            ValueError: if a recording has several windows, whose texts are separate prompts, or a prompt is too long.
        """
        ...

    def converse(
        self, window: ReadWindow, turns: Sequence[tuple[str, str]], question: str, max_new_tokens: int
    ) -> tuple[Generator[str, None, bool], int]:
        """The next answer of a conversation about one window of a recording, as it is written, greedily.

        Args:
            window: what is talked about.
            turns: earlier questions with their answers, the oldest first.
            question: the next one.
            max_new_tokens: the longest answer.

        Returns:
            Pieces of the answer, and as the generator's value whether it has ended (it was cut else); and how many of
            the oldest turns were left out because not all fit into the model's positions.

        Raises:
            ValueError: if the question alone is too long.
        """
        ...


class IdAnswerer:
    """What answerers have in common whose ECGs stand among the ids of a prompt.

    Args:
        model: a model of transformers, put into evaluation mode.
        tokenizer: of its texts.
        ids: makes the ids of a prompt.
    """

    def __init__(self, model: Any, tokenizer: Any, ids: PromptIds) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self._ids = ids
        self._answers = _AnswerIds(tokenizer)

    @property
    def max_duration(self) -> float | None:
        """Seconds of the longest recording that was trained on."""
        raise NotImplementedError

    def read(self, record: ECGRecord) -> Reading:
        """See `Answerer.read`."""
        raise NotImplementedError

    def score(self, prompts: Sequence[Prompt], answer_sets: Sequence[Sequence[str]]) -> list[AnswerScores]:
        """See `Answerer.score`."""
        model, ids_of = self._pass()
        groups: list[tuple[list[list[int]], list[Sequence[str]]]] = []
        places: list[tuple[range, int]] = []  # of each prompt: the groups of its record's windows, its row in each
        windows: list[Any] = []
        of_record = range(0)
        shown: Any = places  # no record is this
        for prompt, answers in zip(prompts, answer_sets, strict=True):
            if prompt.record is not shown:
                shown, windows = prompt.record, self._windows(prompt.record, ids_of)
                of_record = range(len(groups), len(groups) + len(windows))
                groups += [([], []) for _ in windows]
            places.append((of_record, len(groups[of_record[0]][0])))
            for place, window in zip(of_record, windows, strict=True):
                groups[place][0].append(self._ids(window, prompt.words))
                groups[place][1].append(answers)
        for rows, _ in groups:
            check_room(model, max(rows, key=len), 1)
        scored = score_groups(model, self._answers, groups)
        found = []
        for prompt, answers, (of_prompt, row) in zip(prompts, answer_sets, places, strict=True):
            of_windows = [scored[place][row] for place in of_prompt]
            if len(of_windows) == 1:
                found.append(of_windows[0])
            else:
                scores = combined_scores([one.log_likelihoods for one in of_windows], answers, prompt.rule)
                found.append(summarise(answers, scores.tolist()))
        return found

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int, beams: int = 1) -> list[list[WrittenText]]:
        """See `Answerer.generate`."""
        model, ids_of = self._pass()
        rows = []
        for prompt in prompts:
            windows = self._windows(prompt.record, ids_of)
            if len(windows) > 1:
                raise ValueError(
                    f"a recording of {len(windows)} windows: a text is written about one window of at most "
                    f"{self.max_duration:g} s"
                )
            rows.append(self._ids(windows[0], prompt.words))
        end = self.tokenizer.eos_token_id
        return [
            [WrittenText(text, score, len(ids), bool(ids) and ids[-1] == end) for text, ids, score in texts]
            for texts in likeliest_texts(model, self.tokenizer, rows, max_new_tokens, beams)
        ]

    @property
    def one_question(self) -> bool:
        """See `Answerer`."""
        return self._ids.one_question

    def converse(
        self, window: ReadWindow, turns: Sequence[tuple[str, str]], question: str, max_new_tokens: int
    ) -> tuple[Generator[str, None, bool], int]:
        """See `Answerer.converse`."""
        model, ids_of = self._pass()
        ecg, room = ids_of(window.ecg), positions(model)
        least = max_new_tokens if room is None else min(max_new_tokens, room // 4)  # so many tokens stay for the answer
        for left_out in range(len(turns) + 1):
            prompt = self._ids.conversation(ecg, turns[left_out:], question)
            if room is None or len(prompt) + least <= room:
                break
        check_room(model, prompt, least)
        most = max_new_tokens if room is None else min(max_new_tokens, room - len(prompt))
        return greedy_pieces(model, self.tokenizer, prompt, most), left_out

    def _pass(self) -> tuple[Any, Callable[[Any], Sequence[int]]]:
        """The model that one call runs, and the ids under which it knows what a window holds."""
        return self.model, lambda ecg: ecg

    def _windows(self, record: Any, ids_of: Callable[[Any], Sequence[int]]) -> list[Any]:
        """The ids of each window; `[None]` without a recording."""
        if record is None:
            return [None]
        if isinstance(record, ReadWindow):
            return [ids_of(record.ecg)]
        reading = record if isinstance(record, Reading) else self.read(record)
        return [ids_of(window.ecg) for window in reading.readable]


class TokenAnswerer(IdAnswerer):
    """An `Answerer` whose ECGs are tokens of the language model.

    Args:
        model: a causal language model of transformers that knows ECG tokens.
        tokenizer: its `ECGTokenizer`.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__(model, tokenizer, tokenizer.prompt_ids())
        # a question without its ECG is answered by the weights that read ECGs: a control of what they know without it
        self._reading = model.reading_alone() if hasattr(model, "reading_alone") else model

    def _pass(self) -> tuple[Any, Callable[[Any], Sequence[int]]]:
        return self._reading, lambda ecg: ecg

    @property
    def max_duration(self) -> float | None:
        """Seconds of the longest recording that was trained on."""
        seconds: float | None = getattr(self.tokenizer, "ecg_max_duration", None)
        return seconds

    @property
    def reads(self) -> dict[str, str]:
        """The codec's fingerprint."""
        return {"codec": self.tokenizer.codec.fingerprint()}

    def read(self, record: ECGRecord) -> Reading:
        """See `Answerer.read`."""
        return read_recording(self.tokenizer, record)

    def reading_of_codes(self, codes: Any) -> Reading:
        """A recording whose codes are at hand, as `read` would give it but for what was found about it.

        Args:
            codes: of the codec's first codebook, integers (tokens,).
        """
        ids = [int(token) for token in self.tokenizer.codes_to_ids(np.asarray(codes).astype(int).tolist())]
        a_second = self.tokenizer.codec.config.tokens_per_second
        longest = len(ids) if self.max_duration is None else round(self.max_duration * a_second)
        return Reading(
            tuple(
                ReadWindow(start / a_second, (start + len(window)) / a_second, list(window))
                for start, window in zip(window_starts(len(ids), longest), token_windows(ids, longest), strict=True)
            )
        )


class _AnswerIds:
    """The part of a tokenizer that scoring needs; each answer is tokenised once."""

    def __init__(self, tokenizer: Any) -> None:
        self.eos_token_id = tokenizer.eos_token_id
        self._tokenizer = tokenizer
        self._ids = lru_cache(maxsize=100_000)(self._read)

    def _read(self, text: str) -> tuple[int, ...]:
        with TOKENIZING:  # the tokenizer may be the base's own, which takes no turns
            return tuple(self._tokenizer.encode(text, add_special_tokens=False))

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return list(self._ids(text))
