"""What Inference Endpoints of Hugging Face run: JSON with a recording in it → answers or a report.

The service looks for `EndpointHandler` in a repository's `handler.py`. A request never names a file or an address on
the machine that answers: recordings are numbers, or files whose content it holds.

    {"inputs": {"signal": [[…], …], "sampling_rate": 500, "units": "mV", "leads": ["I", "II", …]},
     "parameters": {"question": "Does this ECG show atrial fibrillation?"}}

    {"inputs": {"files": {"1.hea": "<base64>", "1.dat": "<base64>"}}, "parameters": {"task": "report"}}
"""

from __future__ import annotations

import base64
import binascii
import importlib
import sys
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

MOST_BYTES = 64 * 2**20  # of the files of one request
STATED = ("sampling_rate", "units", "leads")
WISHES = ("answers", "beams", "top_k", "prevalence", "abstain_below")
TASKS = ("question-answering", "report")


class RequestError(ValueError):
    """A request makes no sense; the message is one line."""


class EndpointHandler:
    """A checkpoint that answers requests.

    Args:
        path: the checkpoint's folder.
    """

    def __init__(self, path: str = "") -> None:
        from transformers import pipeline

        # The service runs this checkpoint's own code already: it is this file.
        self.ask = pipeline("ecg-question-answering", model=path, trust_remote_code=True)
        self._report: Any = None

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request.

        Args:
            data: `inputs`, a recording as above; and `parameters`: `question`, one or a list of them, with `answers`,
                `beams`, `top_k`, `prevalence`, `abstain_below` as of the pipeline; or `"task": "report"`.

        Returns:
            `answers`, one for each question, or `report`; and `warnings` about the recording.

        Raises:
            ValueError: one line, for a request or a recording that cannot be used; the service answers it with 400.
        """
        inputs, parameters = data.get("inputs"), data.get("parameters") or {}
        if not isinstance(inputs, Mapping):
            raise RequestError("inputs holds a recording: signal, sampling_rate, units and leads; or files")
        if not isinstance(parameters, Mapping):
            raise RequestError("parameters is an object, such as {'question': 'Is this ECG normal?'}")
        unknown = sorted(set(map(str, parameters)) - {"question", "task", *WISHES})
        if unknown:
            raise RequestError(f"no parameter {', '.join(unknown)[:100]}")
        task = parameters.get("task", TASKS[0])
        if task not in TASKS:
            raise RequestError(f"task is one of {', '.join(TASKS)}, not {task!r:.40}")
        question = parameters.get("question")
        questions = [question] if isinstance(question, str) else question
        if task == TASKS[0]:
            whole = isinstance(questions, list) and questions and all(isinstance(one, str) for one in questions)
            if not whole:
                raise RequestError("parameters holds no question: a text, or a list of texts")
        found: dict[str, Any]
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            record = self._record(inputs)
            if task == TASKS[1]:
                found = {"report": asdict(self._reports()(record))}
            else:
                wishes = {name: parameters[name] for name in WISHES if parameters.get(name) is not None}
                found = {"answers": [asdict(one) for one in self.ask(record, questions, **wishes)]}
        said = [str(one.message) for one in heard if one.category.__name__ == "ECGWarning"]
        return {**found, "warnings": list(dict.fromkeys(said))}

    def _reports(self) -> Any:
        if self._report is None:
            beside: Any = sys.modules[type(self.ask).__module__]  # the checkpoint's own code, or the package's
            known = (self.ask.calibration, self.ask.questions)
            self._report = beside.ECGReportPipeline(self.ask.model, self.ask.reader, *known, device=self.ask.device)
        return self._report

    def _record(self, inputs: Mapping[str, Any]) -> Any:
        stated = {name: inputs[name] for name in STATED if inputs.get(name) is not None}
        others = sorted(set(map(str, inputs)) - {"signal", "files", *STATED})
        if others:
            raise RequestError(f"a recording has no {', '.join(others)[:100]}")
        if ("signal" in inputs) == ("files" in inputs):
            raise RequestError("inputs holds signal, with sampling_rate, units and leads, or files")
        if "signal" in inputs:
            if not isinstance(inputs["signal"], list):
                raise RequestError("signal is a list of lists of numbers; a file's content stands in files")
            return self.ask.ecg_record(inputs["signal"], **stated)
        return self._read(inputs["files"], stated)

    def _read(self, files: Any, stated: dict[str, Any]) -> Any:
        """The recording that files hold; they are written to a folder of their own, and that is deleted."""
        if not isinstance(files, Mapping) or not files:
            raise RequestError("files maps names to contents in base64: {'1.hea': '…', '1.dat': '…'}")
        contents: dict[str, bytes] = {}
        for name, text in files.items():
            plain = isinstance(name, str) and 0 < len(name) <= 100 and name == Path(name).name
            if not plain or name.startswith(".") or "\\" in name or ":" in name or not name.isprintable():
                raise RequestError(f"{name!r:.60} is no name of a file: it holds no folder")
            try:
                contents[name] = base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError, TypeError):
                raise RequestError(f"{name}: its content is not in base64") from None
        if sum(map(len, contents.values())) > MOST_BYTES:
            raise RequestError(f"the files have more than {MOST_BYTES >> 20} MB")
        headers = [name for name in contents if name.lower().endswith(".hea")]
        if len(contents) > 1 and len(headers) != 1:
            raise RequestError("several files are one recording where one of them is its header, .hea")
        for name in headers:
            _check_header(name, contents)
        try:  # no import statement: arrays are read where the package is not installed
            read_ecg = importlib.import_module("hf_heartllm.ecg").read_ecg
        except ModuleNotFoundError:
            raise RequestError("files are read by the package hf_heartllm: list it in requirements.txt") from None
        with tempfile.TemporaryDirectory() as folder:
            for name, content in contents.items():
                (Path(folder) / name).write_bytes(content)
            main = headers[0] if headers else next(iter(contents))
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                try:
                    record = read_ecg(str(Path(folder) / main), **stated)
                except ValueError as error:
                    raise type(error)(str(error).replace(f"{folder}/", "").replace(folder, "")) from None
        for one in heard:  # where the files lay says nothing to who sent them
            warnings.warn(str(one.message).replace(f"{folder}/", ""), one.category, stacklevel=2)
        return replace(record, source=main)


def _check_header(name: str, contents: Mapping[str, bytes]) -> None:
    """That a WFDB header names files of the request alone."""
    lines = contents[name].decode("utf-8", "replace").splitlines()
    signals = [line.split()[0] for line in lines if line.strip() and not line.lstrip().startswith("#")][1:]
    absent = [file for file in signals if file not in contents]
    if absent:
        raise RequestError(f"{name} names {absent[0]!r:.60}, which is not among the files")
