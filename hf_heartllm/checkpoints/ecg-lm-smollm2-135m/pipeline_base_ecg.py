"""What the pipelines share: where their model comes from and runs, and several recordings at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any

import torch
from transformers import Pipeline

from .answer_calibration import AnswerCalibration
from .answer_files import known_beside, write_known
from .ecg_answerer import Answerer
from .ecg_inputs import each, is_many
from .question_understanding import TrainedQuestions
from .record_from_array import record_from_array

END = object()


class ECGPipeline(Pipeline):  # type: ignore[misc]
    """A model and what reads recordings for it.

    Args:
        model: a causal language model that reads ECGs.
        tokenizer: its `ECGTokenizer`, or its processor.
        calibration: of exactly these weights; None: there is none, or see `task`.
        questions: what these weights were trained to answer; None: likewise.
        processor: the processor, where transformers names it so.
        device: a number (-1: the CPU), a name or a `torch.device`; None: as transformers chooses.
        task: stated by `transformers.pipeline`; then the files of calibration and questions are read from where the
            model was loaded, if its weights are still those.
        **options: `batch_size`, and whatever a call may be given, for all calls.

    Raises:
        ValueError: if neither tokenizer nor processor reads ECGs, or the device cannot be used.
        TypeError: for an option that is not known.
    """

    own_task = ""
    _load_tokenizer = True
    _load_feature_extractor = False
    _load_image_processor = False
    _load_video_processor = False
    _load_processor = None  # where there is one

    ecg_record = staticmethod(record_from_array)
    """Makes a recording of numbers: `pipe.ecg_record(array, sampling_rate=500, units="uV", leads=[…])`."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        calibration: AnswerCalibration | None = None,
        questions: TrainedQuestions | None = None,
        *,
        processor: Any = None,
        device: int | str | torch.device | None = None,
        task: str = "",
        **options: Any,
    ) -> None:
        reader = next((one for one in (processor, tokenizer) if hasattr(one, "answerer")), None)
        if reader is None:
            raise ValueError(f"the tokenizer reads no ECGs: give an ECGTokenizer, not {type(tokenizer).__name__}")
        tokenizer = getattr(reader, "tokenizer", reader)
        if task:
            calibration, questions = known_beside(model, calibration, questions)
        _keep_custom_pipelines(model)
        device = _on_device(model, device)
        super().__init__(model=model.eval(), tokenizer=tokenizer, device=device, task=task or self.own_task, **options)
        self.reader = reader
        self.calibration = calibration
        self.questions = questions
        self._answerer: Answerer | None = None

    @property
    def answerer(self) -> Answerer:
        """The model as it answers prompts."""
        if self._answerer is None or self._answerer.model is not self.model:
            self._answerer = self.reader.answerer(self.model)
        return self._answerer

    def get_inference_context(self) -> Any:
        return torch.inference_mode

    def _each(self, values: Any, options: dict[str, Any], batch_size: int | None) -> Any:
        """The result of one input; of a list a list; of anything else that holds several an iterator, read as asked."""
        size = batch_size if batch_size is not None else self._batch_size if self._batch_size is not None else 1
        if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
            raise ValueError(f"batch_size is a whole number of at least 1, not {size!r}")
        if not is_many(values):
            return self._together([self._prepared(values, options)])[0]
        results = self._in_batches(values, options, int(size))
        if isinstance(values, list | tuple):
            return list(results)
        return _Counted(results, len(values)) if hasattr(values, "__len__") else results

    def _in_batches(self, values: Any, options: dict[str, Any], size: int) -> Iterator[Any]:
        iterator, number, more = iter(each(values)), 0, True
        while more:
            waiting: list[dict[str, Any]] = []
            failure: Exception | None = None
            try:
                while more and len(waiting) < size:
                    value = next(iterator, END)
                    more = value is not END
                    if more:
                        waiting.append(self._prepared(value, options, f"item {number}"))
                        number += 1
            except Exception as error:  # what came before it in the batch is answered first, as one by one
                failure = error
            yield from self._together(waiting)
            if failure is not None:
                raise failure

    def _prepared(self, value: Any, options: dict[str, Any], where: str = "") -> dict[str, Any]:
        with torch.inference_mode():
            return self.preprocess(value, where=where, **options)  # type: ignore[no-any-return]

    def _together(self, prepared: Sequence[dict[str, Any]]) -> list[Any]:
        """Inputs that `preprocess` read, through the model at once; the result of each."""
        if not prepared:
            return []
        done = iter(self.forward({"asked": [one for item in prepared for one in item["asked"]]})["answers"])
        results = [{**item, "answers": [next(done) for _ in item["asked"]]} for item in prepared]
        return [self.postprocess(one) for one in results]

    def postprocess(self, model_outputs: dict[str, Any], **_: Any) -> Any:
        """The answer; a list of them where several questions were asked."""
        return model_outputs["answers"] if model_outputs["several"] else model_outputs["answers"][0]

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """Save model, tokenizer, the code of all and what is known about the answers (calibration, questions)."""
        self.model.save_pretrained(save_directory, **kwargs)
        self.reader.save_pretrained(save_directory, **kwargs)
        write_known(save_directory, self.calibration, self.questions)


class _Counted:
    """An iterator whose length is known, for progress bars."""

    def __init__(self, iterator: Iterator[Any], length: int) -> None:
        self._iterator, self._length = iterator, length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Any]:
        return self._iterator

    def __next__(self) -> Any:
        return next(self._iterator)


def known(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def refuse_unknown(options: dict[str, Any]) -> None:
    """That no option is left.

    Raises:
        TypeError: if one is.
    """
    unknown = sorted(set(options) - {"local_files_only"})  # what transformers.pipeline hands on
    if unknown:
        raise TypeError(f"no option {', '.join(unknown)}")


def _on_device(model: Any, device: int | str | torch.device | None) -> Any:
    """The device as transformers takes it, with the model on it.

    Raises:
        ValueError: if there is none such.
    """
    if device is None:
        return None
    if device == -1:
        device = "cpu"
    if isinstance(device, bool) or not isinstance(device, int | str | torch.device):
        raise ValueError(f"device is a number, a name such as 'cuda:0' or a torch.device, not {device!r:.60}")
    if isinstance(device, int) and not torch.cuda.is_available():
        return device  # whichever accelerator there is, else the CPU
    if getattr(model, "hf_device_map", None) is not None:
        return device  # transformers says why not
    try:
        place = torch.device(device)
        if model.device != place:
            model.to(place)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise ValueError(f"device {device!r} cannot be used: {' '.join(str(error).split('. ')[0].split())}") from None
    return place


def _keep_custom_pipelines(model: Any) -> None:
    """Undo that transformers puts classes, which JSON does not know, into the entry that it has read."""
    entries = getattr(getattr(model, "config", None), "custom_pipelines", None)
    for entry in (entries or {}).values():
        entry["pt"] = [getattr(kind, "__name__", kind) for kind in entry.get("pt", ())]
