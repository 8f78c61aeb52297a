"""Questions in turn about one recording.

from hf_heartllm.inference import load_chat

chat = load_chat()
chat.show(record)
for piece in chat.ask("What rhythm is this?"):
    print(piece, end="", flush=True)

A model that converses reads the ECG and the whole conversation before each answer. One that was trained on single
questions is asked each by itself, as `heartllm ask` does, with the probability of its answer.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..models import pipeline_ecg
from ..models.question_answering import QuestionAnswerer, Wishes
from ..models.report_writing import write_reports
from ..models.trained_wordings import OTHER_QUESTIONS
from .loading import load_answerer

if TYPE_CHECKING:
    from ..models.answer_calibration import AnswerCalibration
    from ..models.ecg_answerer import Answerer
    from ..models.ecg_answers import ECGAnswer, ECGReport
    from ..models.ecg_reading import Reading, ReadWindow
    from ..models.ecg_record import ECGRecord
    from ..models.question_understanding import TrainedQuestions

MAX_TOKENS = 256
"""Of one answer in a conversation."""


@dataclass(frozen=True)
class Turn:
    """A question and what was answered; of an answer that was stopped, what had come by then."""

    question: str
    answer: str


@dataclass
class Reply:
    """An answer, which comes while it is iterated over.

    Attributes:
        question: what was asked.
        answer: of a model that answers each question by itself: the whole answer, with its probability; None in a
            conversation.
        left_out: how many of the oldest turns the model was not shown, because they no longer fitted.
        text: what has come of the answer so far.
        complete: whether all of it has come, and the model has ended it.
    """

    question: str
    answer: ECGAnswer | None = None
    left_out: int = 0
    text: str = ""
    complete: bool = False
    _pieces: Generator[str, None, None] | None = field(default=None, repr=False)

    def __iter__(self) -> Iterator[str]:
        """Pieces of the text. They come once."""
        return iter(()) if self._pieces is None else self._pieces

    def close(self) -> None:
        """Take no more of it: the model stops, and the conversation goes on behind what has come."""
        if self._pieces is not None:
            self._pieces.close()


class Chat:
    """A model and what was said about the recording that it is shown.

    Args:
        answerer: the model.
        calibration: of exactly these weights; None: there is none.
        questions: what these weights were trained to answer; None: they do not say.

    Attributes:
        converses: whether the model is shown the conversation, and not each question by itself.
        record: the recording; None as long as none was shown.
        turns: the conversation about it.
    """

    def __init__(
        self,
        answerer: Answerer,
        calibration: AnswerCalibration | None = None,
        questions: TrainedQuestions | None = None,
    ) -> None:
        longest = (pipeline_ecg.MAX_ANSWER_TOKENS, pipeline_ecg.MAX_REPORT_TOKENS)
        other = OTHER_QUESTIONS in (getattr(answerer.model.config, "seen_in_training", None) or ())
        self._answerer, self._calibration = answerer, calibration
        self._one_by_one = QuestionAnswerer(answerer, calibration, questions, *longest, may_decline=other)
        takes_any = questions is None or questions.others_as_written or other
        self.converses = not answerer.one_question and takes_any
        self.record: ECGRecord | None = None
        self.turns: list[Turn] = []
        self._reading: Reading | None = None

    def show(self, record: ECGRecord) -> None:
        """Show the model a recording; the conversation begins anew. One that cannot be read leaves all as it was.

        Warns:
            ECGWarning: for whatever makes the recording doubtful.

        Raises:
            ECGError: if it cannot be read, or holds no ECG.
        """
        reading = self._answerer.read(record)
        self.record, self._reading, self.turns = record, reading, []

    @property
    def positions(self) -> int | None:
        """How many tokens of ECG and conversation the model can be shown; None: it does not say."""
        from ..models.likeliest_texts import positions

        return positions(self._answerer.model)

    @property
    def windows(self) -> int:
        """How many windows of the length that was trained on the recording has."""
        return len(self._shown().windows)

    @property
    def window(self) -> ReadWindow:
        """What a conversation is about: the whole recording, or the first window of a longer one that can be read."""
        return self._shown().readable[0]

    def ask(self, question: str) -> Reply:
        """Ask a question.

        Returns:
            The answer. In a conversation it is written while it is iterated over, and joins the conversation then;
            where that ends early (`Reply.close`), as far as it had come.

        Raises:
            ValueError: if no recording was shown, the question is empty, or longer than the model can read.
        """
        if not question.strip():
            raise ValueError("the question is empty")
        reading = self._shown()
        if not self.converses:
            asked = self._one_by_one.ask(reading, [question], Wishes())
            answer = self._one_by_one.answer(asked)[0]
            self.turns.append(Turn(question, str(answer)))
            return Reply(question, answer, text=str(answer), complete=True, _pieces=_at_once(str(answer)))
        turns = [(turn.question, turn.answer) for turn in self.turns]
        pieces, left_out = self._answerer.converse(self.window, turns, question, MAX_TOKENS)
        reply = Reply(question, left_out=left_out)
        reply._pieces = self._written(reply, pieces)
        return reply

    def report(self) -> ECGReport:
        """Write the report of the recording, of each of its windows; it is no part of the conversation.

        Raises:
            ValueError: if no recording was shown.
        """
        asked = [(self._shown(), pipeline_ecg.REPORT_REQUEST)]
        return write_reports(self._answerer, self._calibration, asked, pipeline_ecg.MAX_REPORT_TOKENS)[0]

    def _shown(self) -> Reading:
        if self._reading is None:
            raise ValueError("no recording was shown: chat.show(record)")
        return self._reading

    def _written(self, reply: Reply, pieces: Generator[str, None, bool]) -> Generator[str, None, None]:
        turns = self.turns  # those of this recording, whichever is shown by the time that the answer ends
        try:
            with closing(pieces):
                while True:
                    piece = next(pieces)
                    reply.text += piece
                    yield piece
        except StopIteration as end:
            reply.complete = bool(end.value)
        finally:
            if reply.text:
                turns.append(Turn(reply.question, reply.text))


def _at_once(text: str) -> Generator[str, None, None]:
    yield text


def load_chat(source: str | os.PathLike[str] | None = None, device: str = "cpu", dtype: Any = None) -> Chat:
    """Load a checkpoint for questions in turn, with what is known about its answers.

    Args:
        source: its folder, the name of an embedded checkpoint, or a repository on the Hub; None: heartllm-tiny.
        device: where it runs.
        dtype: of the weights; None: as saved.

    Raises:
        OSError: if there is no checkpoint.
        ValueError: if it is of a system that reads no ECGs, or what it says of its answers cannot be used.

    Examples:
        >>> import hf_heartllm as hl
        >>> chat = load_chat()
        >>> chat.show(hl.read_ecg("example:af"))
        >>> print(*chat.ask("Does this ECG show atrial fibrillation?"), *chat.ask("Is there a pacemaker?"))
        yes no
    """
    from ..checkpoints import checkpoint
    from ..models.answer_calibration import read_calibration
    from ..models.checkpoint_files import find_checkpoint
    from ..models.question_understanding import read_trained_questions

    folder = checkpoint() if source is None else find_checkpoint(source)
    calibration, questions = read_calibration(folder), read_trained_questions(folder)
    return Chat(load_answerer(folder, device, dtype), calibration, questions)
