"""One call from a recording to an answer or a report: `pipeline("ecg-question-answering")(record, question)`."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .answer_calibration import (
    FREE_TEXT,
    NOT_CALIBRATED,
    AnswerCalibration,
    CalibrationError,
    check_share,
    read_calibration,
)
from .answer_scores import score_answers
from .ecg_record import ECGRecord
from .notice import NOTICE

REPORT_REQUEST = "Write the report."
YES_NO = ("yes", "no")
YES_NO_OPENINGS = frozenset(["is", "are", "was", "were", "does", "do", "did", "has", "have", "can", "could"])
MAX_ANSWER_TOKENS = 64
MAX_REPORT_TOKENS = 256


@dataclass(frozen=True)
class ECGAnswer:
    """An answer with how sure the model is of it.

    Attributes:
        text: the answer; None where it is withheld.
        probability: of the likeliest answer. For a closed answer set, its share among the set (they sum to 1); for free
            text, the probability that the model writes exactly this text: the product over its tokens and the end
            token.
        alternatives: every answer considered with its probability, the most likely first, `text` included.
        closed: True when the answer was chosen from a closed set.
        basis: whether the probabilities are calibrated, and for which prevalence, in words.
        calibrated: whether they are.
        prevalence: of "yes", that they stand for; None where they stand for none.
        uncalibrated: `alternatives` as the model scored them.
        abstained: why the answer is withheld; None where it is given.
        notice: what the answer may be used for.
    """

    text: str | None
    probability: float
    alternatives: tuple[tuple[str, float], ...]
    closed: bool
    basis: str = NOT_CALIBRATED
    calibrated: bool = False
    prevalence: float | None = None
    uncalibrated: tuple[tuple[str, float], ...] = ()
    abstained: str | None = None
    notice: str = NOTICE

    def __str__(self) -> str:
        return self.text if self.text is not None else f"no answer: {self.abstained}"


@dataclass(frozen=True)
class ECGReport:
    """A written report.

    Attributes:
        text: the report.
        token_probability: geometric mean of the probabilities of its tokens, the end token included.
        complete: False when the report was cut at the longest length allowed.
        notice: what the report may be used for.
    """

    text: str
    token_probability: float
    complete: bool
    notice: str = NOTICE

    def __str__(self) -> str:
        return self.text


def is_yes_no_question(question: str) -> bool:
    """True for a question that opens like "Does …", "Is …" and offers no choice ("… or …")."""
    words = question.strip().lower().rstrip("?").split()
    return bool(words) and words[0] in YES_NO_OPENINGS and "or" not in words


def ecg_prompt(tokenizer: Any, ecg: ECGRecord | Sequence[int], text: str) -> list[int]:
    """Token ids of a prompt that shows one ECG and then says `text`; the answer follows.

    Args:
        tokenizer: an `ECGTokenizer`.
        ecg: the recording, or what `tokenizer.encode_ecg` made of it.
        text: question or request.
    """
    content = [{"type": "ecg", "ecg": ecg}, {"type": "text", "text": text}]
    messages = [{"role": "user", "content": content}]
    return list(tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"])


class _ECGPipeline:
    """A model and its tokenizer, ready to read recordings."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer

    def _generate(self, prompt: Sequence[int], max_new_tokens: int, beams: int) -> list[tuple[str, list[int], float]]:
        """The likeliest texts behind a prompt: text, its ids, the logarithm of its probability; the best first.

        ECG tokens are suppressed: what is written is text.
        """
        ids = torch.tensor([list(prompt)], device=self.model.device)
        end = self.tokenizer.eos_token_id
        config = self.model.config
        suppressed = list(config.ecg_token_ids) if hasattr(config, "ecg_token_ids") else None
        pad = self.tokenizer.pad_token_id
        out = self.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            num_beams=beams,
            num_return_sequences=beams,
            max_new_tokens=max_new_tokens,
            suppress_tokens=suppressed,
            length_penalty=0.0 if beams > 1 else None,  # sums of log-probabilities, not means over tokens
            eos_token_id=end,
            pad_token_id=end if pad is None else pad,
            return_dict_in_generate=True,
            output_scores=beams > 1,
            output_logits=beams == 1,
        )
        found: dict[str, tuple[str, list[int], float]] = {}
        for row, sequence in enumerate(out.sequences[:, ids.shape[1] :].tolist()):
            written = sequence[: sequence.index(end) + 1] if end in sequence else sequence
            if beams > 1:
                score = float(out.sequences_scores[row])
            else:
                steps = [step[row].double().log_softmax(-1)[token] for token, step in zip(written, out.logits)]
                score = float(sum(steps))
            text = self.tokenizer.decode(written, skip_special_tokens=True).strip()
            if text not in found or found[text][2] < score:
                found[text] = (text, written, score)
        return sorted(found.values(), key=lambda candidate: -candidate[2])


class ECGQuestionAnsweringPipeline(_ECGPipeline):
    """Answers a question about a recording.

    Args:
        model: a causal language model that knows ECG tokens.
        tokenizer: its `ECGTokenizer`.
        calibration: of exactly these weights; None: probabilities stand as scored.
    """

    def __init__(self, model: Any, tokenizer: Any, calibration: AnswerCalibration | None = None) -> None:
        super().__init__(model, tokenizer)
        self.calibration = calibration

    @torch.inference_mode()
    def __call__(
        self,
        record: ECGRecord,
        question: str,
        answers: Sequence[str] | None = None,
        *,
        beams: int = 5,
        prevalence: float | None = None,
        abstain_below: float | None = None,
    ) -> ECGAnswer:
        """Answer a question.

        Args:
            record: the recording.
            question: in words.
            answers: the closed set to choose from. None: yes and no for a yes/no question ("Does …", "Is …"), else
                free text.
            beams: width of the beam search for free text, and so the number of alternatives; 1 is greedy.
            prevalence: share of "yes" among the patients that a yes/no question is asked about; None: the statement's
                prevalence in PTB-XL where the question asks for a known one, else that of the balanced questions.
            abstain_below: the answer is withheld where its probability is below; None: always answered.

        Raises:
            ECGError: if the recording cannot be used.
            ValueError: if the question or the answer set is empty, an answer stands there twice, or a prevalence is
                given where none can be assumed: without a calibration, or for a question other than yes/no.
        """
        if not question.strip():
            raise ValueError("the question is empty")
        if abstain_below is not None and not 0 <= abstain_below <= 1:
            raise ValueError(f"a threshold for abstaining is between 0 and 1, not {abstain_below}")
        if prevalence is not None:
            self._check_prevalence(check_share(prevalence), question, answers)
        prompt = ecg_prompt(self.tokenizer, record, question)
        if answers is None and is_yes_no_question(question):
            answers = YES_NO
        calibrated = None
        if answers is None:
            texts = self._generate(prompt, MAX_ANSWER_TOKENS, beams)
            scored = tuple((text, math.exp(score)) for text, _, score in texts)
        else:
            scores = score_answers(self.model, self.tokenizer, prompt, list(answers))
            scored = tuple(scores.ranked())
            if self.calibration is not None:
                given = scores.log_likelihoods.tolist()
                calibrated = self.calibration.answers(scores.answers, given, question, prevalence)
        ranked = scored if calibrated is None else calibrated.ranked
        basis = NOT_CALIBRATED if calibrated is None else calibrated.basis
        if answers is None and self.calibration is not None:
            basis = FREE_TEXT
        text, probability = ranked[0]
        withheld = abstain_below is not None and probability < abstain_below
        return ECGAnswer(
            text=None if withheld else text,
            probability=probability,
            alternatives=ranked,
            closed=answers is not None,
            basis=basis,
            calibrated=calibrated is not None,
            prevalence=None if calibrated is None else calibrated.prevalence,
            uncalibrated=scored,
            abstained=f"the likeliest answer has the probability {probability:.3f}, below {abstain_below:g}"
            if withheld
            else None,
        )

    def _check_prevalence(self, prevalence: float, question: str, answers: Sequence[str] | None) -> None:
        """Before the model runs; `AnswerCalibration.answers` would say the same afterwards."""
        asked = YES_NO if answers is None and is_yes_no_question(question) else answers
        if asked is None or frozenset(asked) != frozenset(YES_NO):
            raise CalibrationError(f"a prevalence ({prevalence:g}) belongs to a yes/no question")
        if self.calibration is None:
            raise CalibrationError(f"no prevalence can be assumed ({prevalence:g}): {NOT_CALIBRATED}")


class ECGReportPipeline(_ECGPipeline):
    """Writes the report of a recording.

    Args:
        model: a causal language model that knows ECG tokens.
        tokenizer: its `ECGTokenizer`.
    """

    @torch.inference_mode()
    def __call__(self, record: ECGRecord, request: str = REPORT_REQUEST) -> ECGReport:
        """Write the report, greedily.

        Args:
            record: the recording.
            request: the words that ask for it.

        Raises:
            ECGError: if the recording cannot be used.
        """
        prompt = ecg_prompt(self.tokenizer, record, request)
        text, ids, score = self._generate(prompt, MAX_REPORT_TOKENS, beams=1)[0]
        return ECGReport(text, math.exp(score / len(ids)), complete=ids[-1] == self.tokenizer.eos_token_id)


PIPELINES: dict[str, type[_ECGPipeline]] = {
    "ecg-question-answering": ECGQuestionAnsweringPipeline,
    "ecg-report": ECGReportPipeline,
}


def default_checkpoint() -> Path:
    """The folder of the checkpoint that the package ships.

    Raises:
        FileNotFoundError: if it is not beside this code, as when the code came with a checkpoint of its own.
    """
    folder = Path(__file__).resolve().parent.parent / "checkpoints" / "heartllm-tiny"
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder}: no embedded checkpoint there; name a model folder or a Hub repository")
    return folder


def pipeline(
    task: str, model: Any = None, tokenizer: Any = None, *, calibration: AnswerCalibration | None = None
) -> Any:
    """Make a pipeline.

    Args:
        task: `"ecg-question-answering"` or `"ecg-report"`.
        model: a model, or a folder or Hub repository to load it from; None is the embedded checkpoint.
        tokenizer: its tokenizer, or where to load it from; None: from where the model comes.
        calibration: for answers to questions; None: the file `calibration.json` beside the model, where it is loaded
            from a folder or repository that has one. A model given as an object may have other weights by now, so its
            folder is not asked.

    Raises:
        ValueError: if the task is unknown, a model is given as an object without its tokenizer, or a calibration cannot
            be read.
        FileNotFoundError: if there is no embedded checkpoint.
    """
    if task not in PIPELINES:
        raise ValueError(f"no task {task!r}; there are {', '.join(PIPELINES)}")
    if model is None:
        model = default_checkpoint()
    if tokenizer is None:
        tokenizer = model
        if not isinstance(model, (str, os.PathLike)):
            raise ValueError("a model was given without its tokenizer: pass tokenizer= too")
    if isinstance(tokenizer, (str, os.PathLike)):
        from .tokenization_heartllm import ECGTokenizer

        tokenizer = ECGTokenizer.from_pretrained(tokenizer)
    if isinstance(model, (str, os.PathLike)):
        from .modeling_heartllm import HeartLLMForCausalLM

        if calibration is None and task == "ecg-question-answering":
            calibration = read_calibration(model)
        model = HeartLLMForCausalLM.from_pretrained(model)
    if task == "ecg-question-answering":
        return ECGQuestionAnsweringPipeline(model, tokenizer, calibration)
    return PIPELINES[task](model, tokenizer)
