"""One call from a recording to an answer or a report: `pipeline("ecg-question-answering")(record, question)`.

The classes are pipelines of transformers: `transformers.pipeline` makes them too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from transformers.utils.hub import extract_commit_hash

from .answer_calibration import AnswerCalibration, read_calibration
from .checkpoint_files import default_checkpoint, file_beside, find_checkpoint
from .ecg_answers import ECGAnswer, ECGReport, WindowAnswer
from .ecg_inputs import Row, read_row
from .pipeline_base_ecg import ECGPipeline, known, refuse_unknown
from .question_answering import QuestionAnswerer, Wishes, is_yes_no_question
from .question_understanding import TrainedQuestions, read_trained_questions
from .report_writing import write_reports
from .trained_wordings import OTHER_QUESTIONS

__all__ = [
    "CUSTOM_PIPELINES",
    "PIPELINES",
    "ECGAnswer",
    "ECGQuestionAnsweringPipeline",
    "ECGReport",
    "ECGReportPipeline",
    "WindowAnswer",
    "default_checkpoint",
    "is_yes_no_question",
    "pipeline",
]

REPORT_REQUEST = "Write the report."
MAX_ANSWER_TOKENS = 64
MAX_REPORT_TOKENS = 256


class ECGQuestionAnsweringPipeline(ECGPipeline):
    """Answers questions about recordings.

    Its arguments are those of `pipeline`, which makes one.
    """

    own_task = "ecg-question-answering"

    def __call__(
        self,
        record: Any,
        question: str | Sequence[str] | None = None,
        answers: Sequence[str] | None = None,
        *,
        beams: int | None = None,
        top_k: int | None = None,
        prevalence: float | None = None,
        abstain_below: float | None = None,
        batch_size: int | None = None,
        num_workers: int | None = None,
    ) -> Any:
        """Answer a question.

        A question in other words than those of the training is put to the model in these; one that asks for something
        else is not answered (`ECGAnswer.abstained`, with the nearest trained ones). A recording longer than the
        checkpoint was trained on is read in windows.

        Args:
            record: the recording: an `ECGRecord` (`ecg_record` makes one of numbers), a mapping with its fields, or a
                path or another name that `hf_heartllm.read_ecg` reads. Or a row, `{"record": …, "question": …}`
                (`"ecg"` does too), with its own question and, if it likes, its own `"answers"`, and `"sampling_rate"`,
                `"units"`, `"leads"` of a recording that does not say them. Or several of all these: a list or a tuple
                gives a list; a generator, a data set or a column of one gives an iterator, read as it is asked.
            question: in words. Several, in a list, are asked about each recording, which is read once.
            answers: the closed set to choose from. None: yes and no for a yes/no question ("Does …", "Is …"), else
                free text.
            beams: width of the beam search for free text, and so the number of alternatives; 1 is greedy, 5 when None.
            top_k: how many alternatives stand in an answer, the likeliest first; all when None.
            prevalence: share of "yes" among the patients that a yes/no question is asked about; None: the statement's
                prevalence in PTB-XL where the question asks for a known one, else that of the balanced questions.
            abstain_below: no answer is given where its confidence is below; None: always answered.
            batch_size: how many recordings go through the model together; the answers are those of one by one.
            num_workers: taken as in every pipeline, without effect.

        Returns:
            An `ECGAnswer`; a list of them for several questions; these in a list or an iterator for several records.

        Warns:
            ECGWarning: for whatever makes a recording doubtful.

        Raises:
            ECGError: if a recording cannot be read or used, or holds no ECG.
            ValueError: if a question or the answer set is empty, an answer stands there twice, the prompt is longer
                than the model can read, a number lies outside its range, or a prevalence is given where none can be
                assumed: without a calibration, or for a question other than yes/no.
        """
        given = _wishes(question, answers, beams, top_k, prevalence, abstain_below)
        options = {**self._preprocess_params, **given}
        return self._each(record, options, batch_size)

    def _sanitize_parameters(
        self,
        question: str | Sequence[str] | None = None,
        answers: Sequence[str] | None = None,
        beams: int | None = None,
        top_k: int | None = None,
        prevalence: float | None = None,
        abstain_below: float | None = None,
        **others: Any,
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        refuse_unknown(others)
        return _wishes(question, answers, beams, top_k, prevalence, abstain_below), {}, {}

    def preprocess(self, input_: Any, where: str = "", question: Any = None, **wishes: Any) -> dict[str, Any]:
        """Read a recording or a row, and understand its questions."""
        row = read_row(input_, where)
        texts, several = _questions(_own(row, "question", question), where)
        answers = _own(row, "answers", wishes.pop("answers", None))
        if answers is not None and "answers" in row.columns and len(answers) < 2:
            raise ValueError(
                f"{where or 'the row'}: its answers are a closed set to choose from, and there are not two"
            )
        asked = self._question_answerer().ask(row.record, texts, Wishes(answers=answers, **wishes))
        return {"asked": asked, "several": several}

    def _forward(self, input_tensors: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {"answers": self._question_answerer().answer(input_tensors["asked"])}

    def _question_answerer(self) -> QuestionAnswerer:
        longest = (MAX_ANSWER_TOKENS, MAX_REPORT_TOKENS)
        declines = OTHER_QUESTIONS in (getattr(self.model.config, "seen_in_training", None) or ())
        return QuestionAnswerer(self.answerer, self.calibration, self.questions, *longest, may_decline=declines)


class ECGReportPipeline(ECGPipeline):
    """Writes the reports of recordings.

    Its arguments are those of `pipeline`, which makes one.
    """

    own_task = "ecg-report"

    def __call__(
        self, record: Any, request: str | None = None, *, batch_size: int | None = None, num_workers: int | None = None
    ) -> Any:
        """Write the report, greedily. Of a recording longer than the checkpoint was trained on, window by window.

        Args:
            record: the recording, a row with it, or several, as for questions; a row may hold its own `"request"`.
            request: the words that ask for it; "Write the report." when None.
            batch_size: how many recordings go through the model together; the reports are those of one by one.
            num_workers: taken as in every pipeline, without effect.

        Returns:
            An `ECGReport`; a list or an iterator of them for several recordings.

        Warns:
            ECGWarning: for whatever makes a recording doubtful.

        Raises:
            ECGError: if a recording cannot be read or used, or holds no ECG.
            ValueError: if the prompt is longer than the model can read.
        """
        return self._each(record, {**self._preprocess_params, **known({"request": request})}, batch_size)

    def _sanitize_parameters(
        self, request: str | None = None, **others: Any
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        refuse_unknown(others)
        return known({"request": request}), {}, {}

    def preprocess(self, input_: Any, where: str = "", request: str | None = None) -> dict[str, Any]:
        """Read a recording or a row."""
        row = read_row(input_, where)
        words = _own(row, "request", request)
        reading = self.answerer.read(row.record)
        return {"asked": [(reading, REPORT_REQUEST if words is None else words)], "several": False}

    def _forward(self, input_tensors: dict[str, Any], **_: Any) -> dict[str, Any]:
        asked = input_tensors["asked"]
        return {"answers": write_reports(self.answerer, self.calibration, asked, MAX_REPORT_TOKENS)}


def _wishes(question: Any, answers: Any, beams: Any, top_k: Any, prevalence: Any, abstain_below: Any) -> dict[str, Any]:
    """What a call states, checked before anything is read."""
    wishes = known(
        {"answers": answers, "beams": beams, "top_k": top_k, "prevalence": prevalence, "abstain_below": abstain_below}
    )
    Wishes(**wishes)
    if question is not None:
        _questions(question)
        wishes["question"] = question
    return wishes


def _own(row: Row, name: str, given: Any) -> Any:
    """What a row says itself, else what the call says."""
    own = row.columns.get(name)
    return given if own is None else own


def _questions(question: Any, where: str = "") -> tuple[list[str], bool]:
    """The questions, and whether there may be several."""
    where = f"{where}: " if where else ""
    if question is None:
        raise ValueError(f"{where}no question: give question=…, or rows such as {{'record': …, 'question': …}}")
    texts = [question] if isinstance(question, str) else question
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{where}a question is a text, or a list of texts, not {type(question).__name__}")
    if not texts or not all(text.strip() for text in texts):
        raise ValueError(f"{where}the question is empty")
    return list(texts), not isinstance(question, str)


PIPELINES: dict[str, type[ECGPipeline]] = {
    kind.own_task: kind for kind in (ECGQuestionAnsweringPipeline, ECGReportPipeline)
}

CUSTOM_PIPELINES = {
    task: {"impl": f"pipeline_ecg.{kind.__name__}", "pt": ["AutoModelForCausalLM"]} for task, kind in PIPELINES.items()
}
"""For `config.json`: where `transformers.pipeline(…, trust_remote_code=True)` finds the code in a checkpoint."""


def pipeline(
    task: str,
    model: Any = None,
    tokenizer: Any = None,
    *,
    calibration: AnswerCalibration | None = None,
    questions: TrainedQuestions | None = None,
    device: int | str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    torch_dtype: str | torch.dtype | None = None,
    revision: str | None = None,
    trust_remote_code: bool | None = None,
    **options: Any,
) -> Any:
    """Make a pipeline.

    Args:
        task: `"ecg-question-answering"` or `"ecg-report"`.
        model: a model, or a folder, an embedded checkpoint's name or a Hub repository to load it from; None is
            heartllm-tiny, which the package ships.
        tokenizer: its tokenizer or processor, or where to load it from; None: from where the model comes.
        calibration: for answers and findings; None: the file `calibration.json` beside the model, where it is loaded
            from a folder or repository that has one. A model given as an object may have other weights by now, so its
            folder is not asked.
        questions: what the model was trained to answer; None: the file `questions.json` beside it, where it is loaded
            from a folder or repository that has one.
        device: a number (-1: the CPU), a name (`"cuda:0"`) or a `torch.device`; None: where the model is, the CPU for
            one that is loaded here.
        dtype: of the weights, for a model that is loaded here (`"bfloat16"`, `torch.float16`); None: as saved.
        torch_dtype: the same by its older name.
        revision: of the repository that `model` names, a branch, a tag or a commit: of its weights, of its tokenizer
            where no other is given, of its calibration and questions.
        trust_remote_code: whether code of the repository may run; HeartLLM and ECG-LM need none of it here.
        **options: `batch_size`, and whatever a call may be given (`top_k`, `abstain_below`, …), for all calls.

    Raises:
        ValueError: if the task is unknown, a model is given as an object without its tokenizer, or with a dtype or a
            revision, the device cannot be used, or a calibration cannot be read.
        TypeError: for an option that is not known.
        FileNotFoundError: if there is no embedded checkpoint.
    """
    if task not in PIPELINES:
        raise ValueError(f"no task {task!r}; there are {', '.join(PIPELINES)}")
    if model is None:
        model = default_checkpoint()
    elif isinstance(model, (str, os.PathLike)):
        model = find_checkpoint(model)
    if tokenizer is None:
        tokenizer = model
        if not isinstance(model, (str, os.PathLike)):
            raise ValueError("a model was given without its tokenizer: pass tokenizer= too")
    dtype = torch_dtype if dtype is None else dtype
    trusted = known({"trust_remote_code": trust_remote_code})
    loaded = isinstance(model, (str, os.PathLike))
    if not loaded and dtype not in (None, "auto"):
        raise ValueError("dtype is for a model that is loaded here: give this one its own, model.to(dtype)")
    if not loaded and revision is not None:
        raise ValueError("revision is for a model that is loaded here, by its name")
    if loaded:
        revision = _commit(model, revision)
    if isinstance(tokenizer, (str, os.PathLike)):
        tokenizer = _reader(tokenizer, revision if tokenizer is model else None, trusted)
    if loaded:
        from transformers import AutoModelForCausalLM  # the model's file names this one, which so travels with it

        calibration = calibration or read_calibration(model, revision)
        questions = questions or read_trained_questions(model, revision)
        wanted = known({"dtype": dtype, "revision": revision})
        model = AutoModelForCausalLM.from_pretrained(model, **wanted, **trusted)
    if device is None and getattr(model, "hf_device_map", None) is None:
        device = model.device
    return PIPELINES[task](model, tokenizer, calibration, questions, device=device, **options)


def _commit(source: str | os.PathLike[str], revision: str | None) -> str | None:
    """The commit that a revision of a repository is now: a branch could move between two files."""
    path = None if os.path.isdir(source) else file_beside(source, "config.json", revision)
    return revision if path is None else extract_commit_hash(str(path), None) or revision


def _reader(source: str | os.PathLike[str], revision: str | None, trusted: dict[str, Any]) -> Any:
    """What reads recordings for a checkpoint: its `ECGTokenizer`, else its processor."""
    from transformers import AutoConfig, AutoProcessor

    from .tokenization_heartllm import ECGTokenizer

    where = known({"revision": revision})
    if AutoConfig.from_pretrained(source, **where, **trusted).model_type == "hf_heartllm":
        return ECGTokenizer.from_pretrained(source, **where)
    return AutoProcessor.from_pretrained(source, **where, **trusted)
