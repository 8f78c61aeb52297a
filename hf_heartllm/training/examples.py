"""Training examples from encoded records: forecasting rows, and questions that share one ECG.

A record's ECG is long and its questions are short, so all questions of a record stand behind one copy of the ECG. Each
sees the ECG and itself, at the positions it would have alone; the loss and its gradient are those of separate rows.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from hf_heartllm.data.question import MEASURED
from hf_heartllm.models.prompts import IGNORE_INDEX, forecast_row, forecast_windows, scaled_windows
from hf_heartllm.training.draws import draws
from hf_heartllm.training.packing import QuestionPrompts, TurnIds, pack_turns
from hf_heartllm.training.turns.letters import letter_turn
from hf_heartllm.training.turns.others import OtherTurns
from hf_heartllm.training.turns.turn import Turn

_CHATS_COUNTED = 1000
_CHATS_TRIED = 8  # until one fits; else the example is of the record
_ROOM = 256  # tokens behind an ECG that surely hold some question of its record
REPORT_REQUESTS = ("Write the report.", "Write the report of this ECG.", "Report this ECG.", "Describe this ECG.")


class ForecastDataset(Dataset[dict[str, list[int]]]):
    """Stage 2: the model continues the codes of a record.

    Args:
        codes: of each record.
        tokenizer: an `ECGTokenizer`.
        whole: one row a record, every code labelled; else the paper's five windows (labels on the forecast only), in
            proportion for records of other than 313 tokens.
        seed: of the windows' starts.

    Raises:
        ValueError: if there are no codes, or windows are wanted of records of several lengths.
    """

    def __init__(self, codes: Sequence[np.ndarray], tokenizer: Any, whole: bool = True, seed: int = 42) -> None:
        if not len(codes):
            raise ValueError("no record has codes: nothing to train on")
        self.rows = [tokenizer.codes_to_ids(one.astype(np.int64).tolist()) for one in codes]
        self.start, self.end = tokenizer.ecg_start_token_id, tokenizer.ecg_end_token_id
        self.bos = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        self.eos = tokenizer.eos_token_id
        self.windows = None
        if not whole:
            rng = random.Random(seed)
            tokens = len(self.rows[0])
            if other := sum(len(row) != tokens for row in self.rows):
                raise ValueError(
                    f"data.whole_records: windows need records of one length; {other} of {len(self.rows)} have other "
                    f"than {tokens} tokens"
                )
            self.windows = forecast_windows(len(self.rows), rng, tokens, scaled_windows(tokens))

    def __len__(self) -> int:
        return len(self.windows if self.windows is not None else self.rows)

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        if self.windows is None:
            ids = [self.start, *self.rows[index], self.end]
            return {"input_ids": ids, "labels": [IGNORE_INDEX, *ids[1:]]}
        window = self.windows[index]
        row = forecast_row(self.rows[window.record], window, self.bos, self.start, self.end, self.eos)
        return {"input_ids": row.input_ids, "labels": row.labels}


class QuestionDataset(Dataset[dict[str, Any]]):
    """Stage 3: questions and the report of each record behind its ECG.

    Args:
        rows: of `token_file.load_rows`: `record_id`, `questions` (`Question`s), `report` and, where it is known, the
            original report in English, which then takes turns with the one made from statements.
        codes: by `record_id`; rows without codes, with nothing to ask, or that do not fit are left out (`left_out`).
        prompts: how a question becomes ids.
        max_questions: drawn anew in each epoch.
        max_length: tokens of one example; questions that do not fit any more are left out (`num_cut`).
        report_share: probability that a record is asked for its report.
        seed: of the draws; they depend on it, the record and the epoch, so a resumed training draws what an
            uninterrupted one would.
        statements: for `teacher`: examples then carry `statement_labels` and `probe_position` too.
        soft_labels: by `record_id`, float (statements,), what the probe is taught; None: 0 or 1, as the row states it.
        with_ecg: False leaves the ECG out of every example, whose questions and answers stay: what a model learns from
            them it has from text alone. Prompts are those of the evaluation's condition without an ECG.
        describe: row → what is known of its recording, in words, which may stand where the ECG would; None: nothing
            does. Only without ECGs.
        described_share: probability that an example is described.
        incomplete: codes of the same records without some of their leads, by `record_id`.
        incomplete_share: probability that a record which is in `incomplete` is shown so.
        more: draws further questions about a record (`StatementTurns.draw`).
        num_more: how many of them.
        terse: draws statements that are asked by their names alone (`StatementTurns.draw_terse`).
        num_terse: how many of them.
        letters_share: probability that a record is asked to choose among the letters of a classification
            (`turns.letters`).
        reword: changes the letters of the rows' questions, such as `wordings.in_some_case`; None: they stay.
        others: draws questions that are not about an ECG.
        others_share: probability that one stands behind an ECG.
        text_share: probability that an example is a conversation of `others` without an ECG.
        dialogues: draws a conversation about a record (`DialogueTurns.draw`), None where there is none.
        dialogue_share: probability that one stands behind an ECG, before the questions. Of one that is too long the
            first turns that fit are learned.
        chats: conversations without an ECG.
        chat_share: probability that an example is one of them.

    Raises:
        ValueError: if a probe is to read what is left out, or the chat template shows no earlier turns, which
            conversations have.

    Attributes:
        epoch: set by `EpochOfDraws` when an epoch begins.
        left_out: why → number of rows that are no examples.
        num_turns: questions and reports that the examples read so far were drawn with.
        num_cut: those of them that did not fit into `max_length`.
    """

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        codes: Mapping[str, np.ndarray],
        prompts: QuestionPrompts,
        max_questions: int = 10,
        max_length: int = 640,
        report_share: float = 0.5,
        seed: int = 42,
        statements: Sequence[str] = (),
        soft_labels: Mapping[str, np.ndarray] | None = None,
        with_ecg: bool = True,
        describe: Callable[[Mapping[str, Any], random.Random], str] | None = None,
        described_share: float = 0.0,
        incomplete: Mapping[str, np.ndarray] | None = None,
        incomplete_share: float = 0.0,
        more: Callable[[str, int, random.Random], Sequence[Turn]] | None = None,
        num_more: int = 0,
        terse: Callable[[str, int, random.Random], Sequence[Turn]] | None = None,
        num_terse: int = 0,
        letters_share: float = 0.0,
        reword: Callable[[random.Random, str], str] | None = None,
        others: OtherTurns | None = None,
        others_share: float = 0.0,
        text_share: float = 0.0,
        dialogues: Callable[[str, random.Random], Turn | None] | None = None,
        dialogue_share: float = 0.0,
        chats: Sequence[Turn] = (),
        chat_share: float = 0.0,
    ) -> None:
        if statements and not with_ecg:
            raise ValueError("a probe reads the end of the ECG: without ECGs there is none")
        if describe is not None and with_ecg:
            raise ValueError("a description stands where the ECG would: only without ECGs")
        self.statements, self.soft_labels, self.with_ecg = statements, soft_labels, with_ecg
        self.codes, self.prompts = codes, prompts
        self.max_length, self.num_turns, self.num_cut = max_length, 0, 0
        self.left_out: Counter[str] = Counter()
        self.rows = [row for row in rows if self._is_example(row)]
        self.describe, self.described_share = describe, described_share
        self.incomplete, self.incomplete_share = incomplete or {}, incomplete_share
        self.max_questions, self.report_share, self.seed = max_questions, report_share, seed
        self.more, self.num_more, self.reword = more, num_more, reword
        self.terse, self.num_terse = terse, num_terse
        self.letters_share = letters_share
        self.others, self.others_share, self.text_share = others, others_share, text_share
        self.dialogues, self.dialogue_share, self.chats, self.chat_share = dialogues, dialogue_share, chats, chat_share
        if dialogues is not None or any(chat.then for chat in chats):
            self.prompts.turn("?", "!", then=[("?", "!")])  # raises here, not in mid-training
        self.epoch = 0

    @property
    def num_absent(self) -> int:
        """Rows that are no examples."""
        return self.left_out.total()

    def chats_that_fit(self) -> tuple[int, int]:
        """How many conversations without an ECG fit into `max_length`, and of how many that were tried."""
        tried = self.chats[:: max(1, len(self.chats) // _CHATS_COUNTED)]
        prefix = self.prompts.plain_prefix()
        return sum(self._conversation(prefix, one, with_ecg=False) is not None for one in tried), len(tried)

    def length(self, index: int) -> int:
        """Tokens of an example as this epoch draws it; its questions are not counted as read."""
        counted = self.num_turns, self.num_cut
        tokens = len(self[index]["input_ids"])
        self.num_turns, self.num_cut = counted
        return tokens

    def _is_example(self, row: Mapping[str, Any]) -> bool:
        """Whether a row can be learned from; counts it in `left_out` if not."""
        turns = _turns(row)
        reason = None
        if row["record_id"] not in self.codes:
            reason = "without codes"
        elif not turns:
            reason = "without questions or a report"
        else:
            prefix = len(self.prompts.prefix([] if self.with_ecg else None))
            prefix += self._ecg_tokens(row["record_id"]) if self.with_ecg else 0
            # Counting the tokens of every question takes long, and nearly all records have room.
            if prefix + _ROOM > self.max_length and not any(self._fits(prefix, turn) for turn in turns):
                reason = f"longer than data.max_length {self.max_length}"
        if reason is not None:
            self.left_out[reason] += 1
        return reason is None

    def _ecg_tokens(self, record_id: str) -> int:
        """How many ids stand for a record's ECG."""
        return len(self.codes[record_id])

    def _shown(self, record_id: str, rng: random.Random) -> tuple[list[int], dict[str, Any]]:
        """The ids of a record's ECG, and what an example holds of it beside them."""
        codes = self.codes[record_id]
        if record_id in self.incomplete and rng.random() < self.incomplete_share:
            codes = self.incomplete[record_id]
        return self.prompts.tokenizer.codes_to_ids(codes.astype(np.int64).tolist()), {}

    def _fits(self, prefix: int, turn: Turn) -> bool:
        return prefix + len(self.prompts.turn(*turn).ids) <= self.max_length

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self.rows[index]
        rng = draws(self.seed, index, self.epoch)
        if self.others is not None and rng.random() < self.text_share:
            turns = self.others.without_an_ecg(rng, self.max_questions + self.num_more)
            prefix = self.prompts.plain_prefix()
            return self._example(row, prefix, [self.prompts.turn(*turn, with_ecg=False) for turn in turns], False)
        if self.chats and rng.random() < self.chat_share:
            prefix = self.prompts.plain_prefix()
            for chat in rng.sample(self.chats, min(_CHATS_TRIED, len(self.chats))):
                if (whole := self._conversation(prefix, chat, with_ecg=False)) is not None:
                    return self._example(row, prefix, [whole], False)
        turns = [Turn(one.text, one.answer) for one in row.get("questions") or ()]
        turns = rng.sample(turns, min(self.max_questions, len(turns)))
        if self.reword is not None:
            turns = [turn._replace(question=self.reword(rng, turn.question)) for turn in turns]
        if self.more is not None and self.num_more:
            turns += self.more(row["record_id"], self.num_more, rng)
        if self.letters_share and rng.random() < self.letters_share:
            turns += filter(None, [letter_turn(listed(row), rng)])
        if self.others is not None and rng.random() < self.others_share:
            turns.append(self.others.behind_an_ecg(rng))
        if row.get("report") and rng.random() < self.report_share:
            original = row.get("report_original_english")
            report = original if original and rng.random() < 0.5 else row["report"]
            turns.insert(0, Turn(rng.choice(REPORT_REQUESTS), report))
        ecg_ids, beside = self._shown(row["record_id"], rng) if self.with_ecg else (None, {})
        prefix = self.prompts.prefix(ecg_ids)
        if self.describe is not None and rng.random() < self.described_share:
            prefix = self.prompts.described_prefix(self.describe(row, rng))
        drawn = [self.prompts.turn(*turn) for turn in turns]
        if self.terse is not None and self.num_terse:
            named = self.terse(row["record_id"], self.num_terse, rng)
            drawn += [self.prompts.terse_turn(one.question, one.answer, one.instead, one.share) for one in named]
        if self.dialogues is not None and rng.random() < self.dialogue_share:
            dialogue = self.dialogues(row["record_id"], rng)
            whole = self._conversation(prefix, dialogue) if dialogue is not None else None
            drawn = [whole, *drawn] if whole is not None else drawn
            self.num_turns += dialogue is not None and whole is None
            self.num_cut += dialogue is not None and whole is None
        return {**self._example(row, prefix, drawn), **beside}

    def _conversation(self, prefix: Sequence[int], whole: Turn, with_ecg: bool = True) -> TurnIds | None:
        """A conversation behind a prefix, without the last turns that do not fit; None if not even the first does."""
        for count in range(len(whole.then), -1, -1):
            ids = self.prompts.turn(*whole._replace(then=whole.then[:count]), with_ecg=with_ecg)
            if len(prefix) + len(ids.ids) <= self.max_length:
                return ids
        return None

    def _example(
        self, row: Mapping[str, Any], prefix: list[int], drawn: Sequence[TurnIds], of_ecg: bool = True
    ) -> dict[str, Any]:
        """Turns behind a prefix, and what the probe is taught at its end; nothing where it is no ECG's."""
        fitting = [turn for turn in drawn if len(prefix) + len(turn.ids) <= self.max_length]
        if not fitting:  # what was drawn is too long: the row's shortest is learned instead
            fitting = [min((self.prompts.turn(*turn) for turn in _turns(row)), key=lambda turn: len(turn.ids))]
        packed = pack_turns(prefix, fitting, self.max_length)
        self.num_turns += len(drawn)
        self.num_cut += max(0, len(drawn) - len({*packed["segment_ids"]} - {0}))
        example: dict[str, Any] = {**packed}
        if self.statements:
            holding = stated(row)
            hard = [float(name in holding) for name in self.statements]
            example["probe_position"] = len(prefix) - 1
            if self.soft_labels is not None:
                hard = [*self.soft_labels[row["record_id"]]]
            example["statement_labels"] = hard if of_ecg else [math.nan] * len(hard)
        return example


def _turns(row: Mapping[str, Any]) -> list[Turn]:
    """All that a row can ask."""
    turns = [Turn(one.text, one.answer) for one in row.get("questions") or ()]
    return [*turns, Turn(REPORT_REQUESTS[0], row["report"])] if row.get("report") else turns


def stated(row: Mapping[str, Any]) -> set[str]:
    """Statements of a training row, as its questions tell them: one that holds is always asked for."""
    return {q.attribute for q in row["questions"] if q.question_type == "verify" and q.answer == "yes"}


def listed(row: Mapping[str, Any]) -> set[str]:
    """The words of statements and superclasses that a row's questions list: its rhythm, its diagnoses and so on."""
    asked = [one for one in row["questions"] if one.question_type == "query" and one.source != MEASURED]
    return {word for one in asked for word in one.answers} - {"none"}


def frequent_statements(rows: Sequence[Mapping[str, Any]], at_least: int) -> list[str]:
    """Statements that hold in at least so many rows, alphabetically."""
    counts = Counter(name for row in rows for name in stated(row))
    return sorted(name for name, count in counts.items() if count >= at_least)


def as_hub_dataset(dataset: Dataset[Any]) -> Any:
    """A `datasets.Dataset` (which trl asks for) whose rows are made by `dataset` when they are read."""
    import datasets

    index = datasets.Dataset.from_dict({"index": list(range(len(dataset)))})  # type: ignore[arg-type]

    def read(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        examples = [dataset[i] for i in batch["index"]]
        names = {name for example in examples for name in example}
        return {name: [example.get(name) for example in examples] for name in names}

    return index.with_transform(read)


def repeat_rows(rows: Sequence[Mapping[str, Any]], repeats: Mapping[str, int]) -> list[Mapping[str, Any]]:
    """Rows of records with rare statements several times, so that more of a short training is about them.

    Args:
        rows: of `token_file.load_rows`.
        repeats: SCP code or superclass → how often a row stands in the result whose record has it, which its questions
            tell: a positive statement is always asked for. Of several codes the largest number counts.
    """
    repeated = []
    for row in rows:
        repeated += [row] * max((repeats[code] for code in stated(row) & repeats.keys()), default=1)
    return repeated
