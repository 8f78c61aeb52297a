"""Questions about recordings that are tokenised here and answered by a server with the plain export of a checkpoint.

A server of OpenAI's protocol gets the ECG in its text form. Yes/no questions are scored where it tells how likely both
are: `transformers serve` by `/v1/systemone`, others by the log-probabilities of the first token. What is known about
the checkpoint's answers then holds as in process. Else the answer is what the server writes, without a probability.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..models.answer_calibration import read_calibration
from ..models.answer_scores import AnswerScores, summarise
from ..models.checkpoint_files import default_checkpoint, find_checkpoint
from ..models.ecg_answers import ECGAnswer, WindowAnswer
from ..models.ecg_prompts import Prompt, PromptIds
from ..models.ecg_reading import Reading, ReadWindow, read_recording
from ..models.ecg_record import ECGRecord
from ..models.ecg_windows import combined_scores
from ..models.pipeline_ecg import MAX_ANSWER_TOKENS, MAX_REPORT_TOKENS
from ..models.question_answering import YES_NO, Asked, QuestionAnswerer, Wishes, finished
from ..models.question_understanding import read_trained_questions
from ..server import KEY_VARIABLE, Refused, Server, ServerError, server_address

MOST_TOKENS_APART = 4  # by which counts of a prompt may differ: some servers count, or add, tokens around it
LEAST_SHARE = 1e-7  # a share in single precision is never nearer to 0 or 1
TOP_TOKENS = 20  # the most that servers tell


class ServedModel:
    """The plain export of a checkpoint on a server, as an `Answerer` of yes/no questions and of texts.

    Args:
        server: where it is.
        tokenizer: the checkpoint's `ECGTokenizer`.
        name: of the model on the server; None: the one that it serves.
    """

    model = None
    one_question = True

    def __init__(self, server: Server, tokenizer: Any, name: str | None = None) -> None:
        self.server = server
        self.tokenizer = tokenizer
        self.name = name
        self._ids = PromptIds(tokenizer)
        self._by_decisions: bool | None = None  # whether it has /v1/systemone; None: not asked yet
        self._by_tokens: bool | None = None  # whether it tells log-probabilities

    @property
    def max_duration(self) -> float | None:
        """Seconds of the longest recording that was trained on."""
        seconds: float | None = self.tokenizer.ecg_max_duration
        return seconds

    @property
    def reads(self) -> dict[str, str]:
        """The codec's fingerprint."""
        return {"codec": self.tokenizer.codec.fingerprint()}

    def read(self, record: ECGRecord) -> Reading:
        """Check a recording, cut it into windows, make the ids of each; nothing is sent."""
        return read_recording(self.tokenizer, record)

    def tells_how_likely(self, window: ReadWindow, question: str) -> bool:
        """Whether the server says how likely yes and no are; it is asked once."""
        if self._by_decisions is None:
            try:
                self._decisions(window, [question])
                self._by_decisions = True
            except Refused as error:
                if error.status in (401, 403) or 300 <= error.status < 400:
                    raise
                self._by_decisions = False
        if not self._by_decisions and self._by_tokens is None:
            self._by_tokens = self._first_token(window, question) is not None
        return bool(self._by_decisions or self._by_tokens)

    def score(self, prompts: Sequence[Prompt], answer_sets: Sequence[Sequence[str]]) -> list[AnswerScores]:
        """How likely yes and no are; see `Answerer.score`. Only after `tells_how_likely`.

        Raises:
            ServerError: if the server does not say.
        """
        if any(frozenset(answers) != frozenset(YES_NO) for answers in answer_sets):
            raise ServerError("a server scores yes and no alone")
        shares: dict[tuple[int, str], dict[str, float]] = {}
        asked: dict[int, tuple[ReadWindow, list[str]]] = {}
        for prompt in prompts:
            for window in _windows(prompt.record):
                words = asked.setdefault(id(window), (window, []))[1]
                if prompt.words not in words:
                    words.append(prompt.words)
        for window, words in asked.values():
            if self._by_decisions:
                found = self._decisions(window, words)
            else:
                found = [self._scored_token(window, one) for one in words]
            shares |= {(id(window), one): scores for one, scores in zip(words, found, strict=True)}
        scores = []
        for prompt, answers in zip(prompts, answer_sets, strict=True):
            of_windows = [
                np.array([shares[id(window), prompt.words][answer] for answer in answers])
                for window in _windows(prompt.record)
            ]
            together: Any = of_windows[0] if len(of_windows) == 1 else combined_scores(of_windows, answers, prompt.rule)
            scores.append(summarise(answers, list(together)))
        return scores

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int, beams: int = 1) -> Any:
        """Not here: `write` gives what the server wrote, which says nothing of its probability."""
        raise ServerError("a server writes one text: ask it for no alternatives")

    def converse(self, *_: Any, **__: Any) -> Any:
        """Not here: whoever talks with a server uses a client of its protocol."""
        raise ServerError("conversations with a server are held by a client of its protocol")

    def write(self, window: ReadWindow, words: str, max_new_tokens: int) -> str:
        """What the server writes to a question about a window, greedily."""
        choice = self._chat(window, words, {"max_tokens": max_new_tokens})
        content = (choice.get("message") or {}).get("content")
        if not isinstance(content, str):
            raise ServerError(f"{self.server.address}: the answer holds no text")
        return content.strip()

    # ------------------------------------------------------------------ requests

    def _in_text(self, window: ReadWindow) -> str:
        return str(self.tokenizer.ecg_ids_to_text(self._ids.whole(window.ecg)))

    def _decisions(self, window: ReadWindow, words: Sequence[str]) -> list[dict[str, float]]:
        """log p(yes) and log p(no) of each question, by transformers' decision pipeline."""
        asked = {f"q{number}": {"type": "noul", "instructions": one} for number, one in enumerate(words)}
        found = self._post("/systemone", {"state": self._in_text(window), "questions": asked})
        self._check_tokens(window, words, found, "input_tokens")
        try:
            shares = [float(found["answers"][name]["noul"]) for name in asked]
        except (KeyError, TypeError, ValueError):
            raise Refused(f"{self.server.address}: /systemone gives no answers", 404) from None
        kept = [min(max(share, LEAST_SHARE), 1 - LEAST_SHARE) for share in shares]
        return [{"yes": math.log(share), "no": math.log1p(-share)} for share in kept]

    def _first_token(self, window: ReadWindow, words: str) -> dict[str, float] | None:
        """The log-probabilities of the likeliest first tokens; None where the server does not say."""
        asked = {"max_tokens": 1, "logprobs": True, "top_logprobs": TOP_TOKENS}
        try:
            rows = self._chat(window, words, asked)["logprobs"]["content"][0]["top_logprobs"]
            return {str(row["token"]).strip(): float(row["logprob"]) for row in reversed(rows)} or None
        except (KeyError, TypeError, ValueError, IndexError) as error:
            if isinstance(error, ServerError) and not (isinstance(error, Refused) and error.status in (400, 422)):
                raise
            return None

    def _scored_token(self, window: ReadWindow, words: str) -> dict[str, float]:
        found = self._first_token(window, words)
        if not found:
            raise ServerError(f"{self.server.address}: no longer tells log-probabilities")
        least = min(found.values())  # an answer that is not among the likeliest is no likelier than these
        return {answer: found.get(answer, least) for answer in YES_NO}

    def _chat(self, window: ReadWindow, words: str, options: dict[str, Any]) -> dict[str, Any]:
        content = " ".join(part for part in (self._in_text(window), words) if part)
        body = {"messages": [{"role": "user", "content": content}], "temperature": 0, **options}
        found = self._post("/chat/completions", body)
        self._check_tokens(window, [words], found, "prompt_tokens")
        try:
            choice = found["choices"][0]
        except (KeyError, TypeError, IndexError):
            raise ServerError(
                f"{self.server.address}: answers without choices: no server of OpenAI's protocol"
            ) from None
        return choice if isinstance(choice, dict) else {}

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        """A request to the model; where no name is known, first without one, which servers of one model take."""
        if self.name is not None:
            return self.server.post(path, {"model": self.name, **body})
        try:
            return self.server.post(path, body)
        except Refused as error:
            if error.status not in (400, 404, 422, 500):
                raise
            names = self._names()
            if len(names) != 1:
                listed = f"it has {', '.join(names[:8])}" if names else "it lists none"
                if path != "/chat/completions":
                    raise
                raise ServerError(f"{error}; name the model with --server-model ({listed})") from None
            found = self.server.post(path, {"model": names[0], **body})
            self.name = names[0]
            return found

    def _names(self) -> list[str]:
        try:
            return [str(one["id"]) for one in self.server.get("/models")["data"]]
        except (ServerError, KeyError, TypeError):
            return []

    def _check_tokens(self, window: ReadWindow, words: Sequence[str], found: Any, name: str) -> None:
        """That the server's model reads an ECG as this checkpoint's export does: token by token."""
        told = found["usage"].get(name) if isinstance(found, dict) and isinstance(found.get("usage"), dict) else None
        if not isinstance(told, int) or told <= 0:
            return  # it does not say
        expected = sum(len(self._ids(window.ecg, one)) for one in words)
        if abs(told - expected) > MOST_TOKENS_APART * len(words):
            raise ServerError(
                f"{self.server.address}: serves another model: it reads {told} tokens where this checkpoint's export "
                f"reads {expected}; serve that one, or name the checkpoint with --model"
            )


def _windows(record: Any) -> list[ReadWindow]:
    return [record] if isinstance(record, ReadWindow) else list(record.readable)


class ServedQuestionAnswering:
    """`pipeline("ecg-question-answering")` whose language model is on a server; called like one.

    Args:
        served: the model.
        questioner: what is known about its answers.
    """

    def __init__(self, served: ServedModel, questioner: QuestionAnswerer) -> None:
        self.served = served
        self.questioner = questioner

    def __call__(
        self,
        record: ECGRecord,
        questions: Sequence[str],
        answers: Sequence[str] | None = None,
        *,
        prevalence: float | None = None,
        abstain_below: float | None = None,
    ) -> list[ECGAnswer]:
        """The answers to questions about a recording; arguments as of `ECGQuestionAnsweringPipeline`.

        Raises:
            ECGError: if the recording cannot be read; nothing has been sent then.
            ServerError: if the server cannot be asked, or holds another model.
            ValueError: as of the pipeline.
        """
        wishes = Wishes(answers, 1, None, prevalence, abstain_below)
        asked = self.questioner.ask(record, list(questions), wishes)
        return [one if isinstance(one, ECGAnswer) else self._answer(one) for one in asked]

    def _answer(self, asked: Asked) -> ECGAnswer:
        if asked.yes_no and self.served.tells_how_likely(asked.reading.readable[0], asked.understood.text):
            [found] = self.questioner.answer([asked])
            return replace(found, basis=f"{found.basis}; by the probabilities of {self.served.server.address}")
        if asked.prevalence is not None:
            raise ServerError(
                f"{self.served.server.address}: no prevalence can be assumed: the server tells no probabilities"
            )
        return self._written(asked)

    def _written(self, asked: Asked) -> ECGAnswer:
        report = asked.understood.attribute_type == "report"
        longest = MAX_REPORT_TOKENS if report else MAX_ANSWER_TOKENS
        basis = f"no probability: {self.served.server.address} tells none"
        texts = [self.served.write(window, asked.understood.text, longest) for window in asked.reading.readable]
        text, _ = Counter(texts).most_common(1)[0]
        found = ECGAnswer(text, None, (), asked.answers is not None, basis=basis)
        if asked.answers is not None:
            known = {answer.lower(): answer for answer in asked.answers}
            own = known.get(text.lower().rstrip("."))
            why = f"the server writes {text!r:.80}, which is none of the answers"
            found = replace(found, text=own, abstained=None if own is not None else why)
        if found.answered and asked.wishes.abstain_below is not None:
            found = replace(found, text=None, abstained=f"the server does not say how likely {text!r:.80} is")
        if len(asked.reading.windows) > 1:
            written = iter(texts)
            windows = tuple(
                WindowAnswer(one.start, one.stop, None if one.ecg is None else next(written), problem=one.problem)
                for one in asked.reading.windows
            )
            found = replace(found, windows=windows, windows_rule="the answer of the most windows")
        return finished(asked, found)


def connect(
    address: str,
    source: str | os.PathLike[str] | None = None,
    *,
    name: str | None = None,
    timeout: float = 120.0,
    key: str | None = None,
) -> ServedQuestionAnswering:
    """What answers questions with a server; nothing is sent before it is called.

    Args:
        address: of the server, such as `http://localhost:8000`.
        source: the checkpoint whose plain export the server holds; None: heartllm-tiny. Its tokenizer, calibration and
            known questions are read here, its weights are not.
        name: of the model on the server; None: the one that it serves.
        timeout: seconds to wait for an answer.
        key: that the server asks for; None: what the environment variable `HEARTLLM_SERVER_KEY` holds.

    Raises:
        ServerError: if it is no address, or the checkpoint's ECGs are no tokens.
        OSError: if there is no such checkpoint.
    """
    from transformers import AutoConfig

    from ..models.tokenization_heartllm import ECGTokenizer
    from ..models.trained_wordings import OTHER_QUESTIONS

    key = (os.environ.get(KEY_VARIABLE, "") if key is None else key).strip()
    server = Server(server_address(address), timeout, key or None)
    folder = default_checkpoint() if source is None else find_checkpoint(source)
    config = AutoConfig.from_pretrained(folder)
    if config.model_type != "hf_heartllm":
        raise ServerError(f"{folder}: a server reads ECG tokens in their text form, and {config.model_type} has none")
    served: Any = ServedModel(server, ECGTokenizer.from_pretrained(folder), name)
    known = (read_calibration(folder), read_trained_questions(folder))
    declines = OTHER_QUESTIONS in (getattr(config, "seen_in_training", None) or ())
    questioner = QuestionAnswerer(served, *known, MAX_ANSWER_TOKENS, MAX_REPORT_TOKENS, may_decline=declines)
    return ServedQuestionAnswering(served, questioner)
