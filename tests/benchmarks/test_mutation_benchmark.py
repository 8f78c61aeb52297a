"""`benchmarks/mutation.py` changes what it says, counts what a test notices, and goes on where it was."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

from benchmarks import mutation
from benchmarks.mutants import changes, mutated

CODE = '''"""A page with 1 number that stays."""

from __future__ import annotations

LEAST: int = 3


def larger(first: int, second: int) -> int:
    """Not 0."""
    if first > second:
        return first
    return second


def never() -> int | None:
    if not LEAST:
        raise ValueError(f"{LEAST + 1} is too small")
    return None
'''
TESTS = """from toy.models.a import LEAST, larger


def test_fails_anyway():
    assert LEAST == 0


def test_larger():
    assert (larger(2, 1), larger(1, 2)) == (2, 2)
"""


def test_each_change_is_another_program_and_types_and_messages_stay(tmp_path: Path) -> None:
    number = len(changes(ast.parse(CODE)))
    texts, words = zip(*(mutated(CODE, one, tmp_path / "mark") for one in range(number)), strict=True)
    assert len(set(texts)) == number
    assert set(words) == {
        "line 5: 3 → 4", "line 10: first > second → first >= second", "line 11: return first → return None",
        "line 12: return second → return None", "line 16: not LEAST → LEAST", "line 18: return None → return 0",
    }  # fmt: skip
    for text in texts:
        compile(text, "a.py", "exec")
        assert "Not 0." in text
        assert "LEAST + 1" in text


def test_a_change_says_that_its_statement_runs(tmp_path: Path) -> None:
    text, _ = mutated(CODE, 2, tmp_path / "mark")
    space: dict = {}
    exec(compile(text, "a.py", "exec"), space)
    assert space["larger"](1, 2) == 2
    assert not (tmp_path / "mark").exists()
    assert space["larger"](2, 1) is None
    assert (tmp_path / "mark").exists()


def test_files_have_tests_and_those_named_after_them_first() -> None:
    tests = mutation.tests_of(mutation.REPOSITORY)
    assert tests["hf_heartllm/models/fsq.py"][0] == "tests/models/test_fsq.py"
    assert (
        "tests/models/test_ecg_checks.py" in tests["hf_heartllm/models/ecg_lost_signal.py"]
    )  # through what imports it
    measured = [file for file in tests if file.startswith(tuple(f"hf_heartllm/{one}/" for one in mutation.PLACES))]
    assert len(measured) > 100
    assert all(tests[file] for file in measured)


@pytest.mark.slow
def test_what_a_test_notices_is_counted_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "checkout"
    for name, text in (("toy/models/a.py", CODE), ("tests/test_a.py", TESTS), ("toy/__init__.py", "")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    for name, value in (("REPOSITORY", root), ("PACKAGE", "toy"), ("PLACES", ("models",)), ("LIBRARIES", ())):
        monkeypatch.setattr(mutation, name, value)
    words = ["--folder", str(tmp_path / "work"), "--results", str(tmp_path / "review.json")]
    assert mutation.main(words) == 0
    found = {one.what: one for one in mutation.run(9, 0, tmp_path / "work", 60)}
    assert {what: one.outcome for what, one in found.items()} == {
        "line 5: 3 → 4": mutation.SURVIVED,
        "line 10: first > second → first >= second": mutation.SURVIVED,
        "line 11: return first → return None": mutation.KILLED,
        "line 12: return second → return None": mutation.KILLED,
    }
    assert found["line 12: return second → return None"].test == "tests/test_a.py::test_larger"
    assert "2 of 4 noticed" in capsys.readouterr().out
    (share, rest) = mutation.json.loads((tmp_path / "review.json").read_text(encoding="utf-8"))
    assert (share["value"], rest["value"]) == (0.5, 2)
    assert "models/a.py line 5: 3 → 4" in rest["data"]
    assert (root / "toy/models/a.py").read_text(encoding="utf-8") == CODE

    monkeypatch.setattr(mutation, "run_tests", None)  # nothing is tried again
    assert len(mutation.run(9, 0, tmp_path / "work", 60)) == 4
