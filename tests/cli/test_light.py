"""What a command imports before it has said something: nothing heavy, and no model before bad input is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hf_heartllm as hl
from hf_heartllm import cli
from hf_heartllm.ecg import write_ecg

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("numpy", "torch", "transformers", "scipy", "pandas", "matplotlib", "wfdb", "tqdm", "ai_edge_litert")
CODE = f"""
import sys
from hf_heartllm.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print("code", code, "loaded", *[name for name in {HEAVY!r} if name in sys.modules])
"""


def loaded_by(folder: Path, *words: str, before: str = "") -> tuple[int, set[str], str]:
    """Exit code, heavy libraries that were loaded, and stderr of one command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", before + CODE, *words], capture_output=True, text=True, cwd=folder, env=environment
    )
    words = done.stdout.splitlines()[-1].split()
    return int(words[1]), set(words[3:]), done.stderr


@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "--version",
        "",
        "dance",
        "ask",
        "ask --help",
        "evaluate qa --help",
        "ask example:af",
        "ask example:af Q --prevalence 2",
        "chat",
        "chat --help",
        "chat example:af --model",
        "ask example:af Q --model ./nowhere",
        "measure x --json --csv",
        "questions --model ./nowhere",
    ],
)
def test_help_and_wrong_arguments_need_no_library_at_all(tmp_path, words):
    code = 0 if "--help" in words or "--version" in words else 2
    assert loaded_by(tmp_path, *words.split())[:2] == (code, set())


AF = "Does this ECG show atrial fibrillation?"
BAD = [
    *(
        [command, *words]
        for command, rest in (
            ("ask", [AF]),
            ("chat", []),
            ("report", []),
            ("tokenize", []),
            ("plot", ["x.png"]),
            ("convert", ["x.csv"]),
            ("measure", []),
            ("info", []),
        )
        for words in (["nowhere.hea", *rest], ["bare.csv", *rest], ["example:heart", *rest], ["empty.hea", *rest])
    ),
    ["ask", "chest.csv", AF],
    ["chat", "chest.csv"],
    ["chat", "folder/"],
    ["report", "chest.csv"],
    ["ask", "folder", "-q", AF],
    ["report", "folder"],
    *([command, "ecg.csv", *rest, "--model", model] for model in ("./nowhere", "folder", "bare.csv")
      for command, rest in (("ask", [AF]), ("chat", []), ("report", []), ("tokenize", []))),
    ["info", "--model", "./nowhere"],
    ["export", "llama"],
    ["simulate", "heart", "x"],
    ["plot", "ecg.csv", "x.gif"],
    ["convert", "ecg.csv", "ecg.csv"],
    *(["evaluate", subject, "--ptbxl", "nowhere", "--questions", "bare.csv", "--output", "x.json"]
      for subject in ("qa", "report", "robustness")),
    ["evaluate", "classify", "--ptbxl", "nowhere", "--output", "x.json"],
    ["evaluate", "predictions", "nowhere.jsonl"],
    ["evaluate", "priors", "nowhere"],
]  # fmt: skip


def test_bad_input_is_told_in_one_line_before_a_model_is_imported(tmp_path):
    """One process for all: what the first of them had imported, the next would not show."""
    (tmp_path / "bare.csv").write_text("I,II\n1,2\n3,4\n")
    (tmp_path / "empty.hea").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "bad.csv").write_text("I,II\n1,2\n")
    write_ecg(hl.read_ecg("example:normal"), tmp_path / "ecg.csv")
    write_ecg(hl.read_ecg("example:normal").select(["V1", "V2", "V3"]), tmp_path / "chest.csv")
    before = sorted(tmp_path.iterdir())
    code = f"""
import contextlib, io, sys
from hf_heartllm.cli import main
for words in {BAD!r}:
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = main(words)
    lines = [line for line in said.getvalue().splitlines() if not line.endswith("…")]
    models = [name for name in ("torch", "transformers") if name in sys.modules]
    if (code, models) != (2, []) or len(lines) != (2 if "folder" in words[1:2] else 1):
        sys.exit(f"{{words}}: {{code}} {{models}} {{lines}}")
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == ""
    assert sorted(tmp_path.iterdir()) == before


FIRST_LINE = """
import sys
from hf_heartllm.cli import common
def stop(*_):
    raise SystemExit(7)
common.quiet_transformers = stop  # the first step towards a model
"""


@pytest.mark.parametrize(
    "words", [["ask", "example:af", "AF?"], ["chat", "x.csv"], ["report", "x.csv"], ["ask", "x.csv", "-q", "AF?"]]
)
def test_the_first_line_comes_before_anything_but_numpy_is_imported(tmp_path, words):
    write_ecg(hl.read_ecg("example:normal"), tmp_path / "x.csv")
    code, loaded, err = loaded_by(tmp_path, *words, before=FIRST_LINE)
    assert (code, loaded) == (7, {"numpy"})
    assert f"{words[1]}: 12 leads, 10 s at 500 Hz; loading the model …" in err
    assert loaded_by(tmp_path, *words, "--quiet", before=FIRST_LINE)[2] == ""


def test_nothing_but_the_result_is_on_stdout_where_stderr_is_closed(tmp_path):
    command = f'"{sys.executable}" -m hf_heartllm.cli convert nowhere x.csv 2>&-'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.slow
@pytest.mark.parametrize("words", [["ask", "example:af", AF, "--quiet"], ["chat", "example:af", "--quiet"]])
def test_an_answer_imports_nothing_beyond_what_any_llama_needs(tmp_path, words):
    before = "from transformers import LlamaForCausalLM, PreTrainedTokenizerFast\n"
    before += "import sys; known = {name.split('.')[0] for name in sys.modules}\n"
    code = f"""
{before}
from hf_heartllm.cli import main
main({words!r})
new = {{name.split(".")[0] for name in sys.modules}} - known - set(sys.stdlib_module_names)
print(*sorted(name for name in new if not name.startswith("_")))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=AF, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "hf_heartllm"


def test_every_command_has_its_module_and_one_line_of_help():
    page = cli.build_parser().format_help()
    for command in cli.COMMANDS:
        assert f"\n    {command}" in page
