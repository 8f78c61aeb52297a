"""`handler.py`, called as Inference Endpoints call it: JSON in, JSON out, and no file of the machine is ever named."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import hf_heartllm as hl
from hf_heartllm.cli import main
from hf_heartllm.models.handler import EndpointHandler, RequestError

QUESTION = "Does this ECG show atrial fibrillation?"


@pytest.fixture(scope="module")
def handler() -> EndpointHandler:
    return EndpointHandler(hl.checkpoint())


def call(handler: EndpointHandler, inputs: Any, **parameters: Any) -> Any:
    """As the service does: what comes and goes is JSON."""
    body = json.loads(json.dumps({"inputs": inputs, "parameters": parameters}))
    return json.loads(json.dumps(handler(body), allow_nan=False))


def numbers(record: Any) -> dict[str, Any]:
    leads = list(record.leads)
    return {"signal": record.signal.tolist(), "sampling_rate": record.sampling_rate, "units": "mV", "leads": leads}


def test_it_gives_the_answers_of_the_pipeline(handler: EndpointHandler) -> None:
    record = hl.read_ecg("example:af")
    expected = handler.ask(record, QUESTION)
    found = call(handler, numbers(record), question=QUESTION)
    assert found["answers"][0]["text"] == expected.text
    assert found["answers"][0]["probability"] == pytest.approx(expected.probability, abs=1e-6)
    assert found["warnings"] == []
    several = call(handler, numbers(record), question=[QUESTION, "Is this ECG normal?"], abstain_below=0.99999)
    assert len(several["answers"]) == 2
    assert several["answers"][0]["text"] is None
    report = call(handler, numbers(record), task="report")["report"]
    assert "atrial fibrillation" in report["text"]


def test_it_reads_the_content_of_files(handler: EndpointHandler, tmp_path: Path) -> None:
    assert main(["simulate", "af", str(tmp_path / "one")]) == 0
    files = {file.name: base64.b64encode(file.read_bytes()).decode() for file in tmp_path.glob("one.*")}
    assert set(files) == {"one.hea", "one.dat"}
    found = call(handler, {"files": files}, question=QUESTION)["answers"][0]
    expected = handler.ask(hl.read_ecg(tmp_path / "one.hea"), QUESTION)
    assert found["probability"] == pytest.approx(expected.probability, abs=1e-6)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ELSEWHERE = "one 1 500 5000\n../../etc/passwd 16 200 12 0 0 0 0 I\n"


@pytest.mark.parametrize(
    ("inputs", "parameters", "why"),
    [
        ("/etc/passwd", {"question": QUESTION}, "inputs holds a recording"),
        (None, {"question": QUESTION}, "inputs holds a recording"),
        ({}, {"question": QUESTION}, "inputs holds signal"),
        ({"signal": "/etc/passwd"}, {"question": QUESTION}, "list of lists of numbers"),
        ({"record": "example:af"}, {"question": QUESTION}, "a recording has no record"),
        ({"signal": [[0.0]]}, {"question": QUESTION}, "sampling_rate"),
        ({"signal": [[0.0]]}, {}, "holds no question"),
        ({"signal": [[0.0]]}, {"question": [1]}, "holds no question"),
        ({"signal": [[0.0]]}, {"question": QUESTION, "path": "x"}, "no parameter path"),
        ({"signal": [[0.0]]}, {"task": "train"}, "task is one of"),
        ({"files": {}}, {"question": QUESTION}, "maps names to contents"),
        ({"files": {"../one.csv": ""}}, {"question": QUESTION}, "no name of a file"),
        ({"files": {"physionet:x": ""}}, {"question": QUESTION}, "no name of a file"),
        ({"files": {"a.csv": "!"}}, {"question": QUESTION}, "not in base64"),
        ({"files": {"a.csv": "", "b.csv": ""}}, {"question": QUESTION}, "one of them is its header"),
        ({"files": {"one.hea": encoded(ELSEWHERE)}}, {"question": QUESTION}, "which is not among the files"),
        ({"files": {"a.xyz": encoded("?")}}, {"question": QUESTION}, "a.xyz"),
    ],
)
def test_what_it_cannot_use_is_one_line(handler: EndpointHandler, inputs: Any, parameters: Any, why: str) -> None:
    with pytest.raises((RequestError, hl.ECGError)) as refused:
        call(handler, inputs, **parameters)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "/tmp" not in str(refused.value)


SERVICE = """
import importlib.util, json, sys
folder, request = sys.argv[1:]
spec = importlib.util.spec_from_file_location("handler", folder + "/handler.py")
module = importlib.util.module_from_spec(spec)
sys.modules["handler"] = module
spec.loader.exec_module(module)
found = module.EndpointHandler(path=folder)(json.load(open(request)))
assert "hf_heartllm" not in sys.modules
print(json.dumps(found))
"""


@pytest.mark.slow
def test_it_runs_where_the_package_is_not_installed(tmp_path: Path, handler: EndpointHandler) -> None:
    assert main(["export", "heartllm", str(tmp_path / "repository")]) == 0
    record = hl.read_ecg("example:af")
    body = {"inputs": numbers(record), "parameters": {"question": QUESTION}}
    (tmp_path / "request.json").write_text(json.dumps(body))
    command = [sys.executable, "-c", SERVICE, str(tmp_path / "repository"), str(tmp_path / "request.json")]
    environment = {"PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1", "HOME": str(tmp_path)}
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert result.returncode == 0, result.stderr[-2000:]
    found = json.loads(result.stdout.splitlines()[-1])["answers"][0]
    assert found["probability"] == pytest.approx(handler.ask(record, QUESTION).probability, abs=1e-5)
