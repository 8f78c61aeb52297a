"""Would a test notice? One change at a time in models, readers and evaluation, and the tests of the changed file.

    python benchmarks/mutation.py      # 200 changes; Ctrl-C, and the same command again goes on

Comparisons, arithmetic, numbers, conditions and what is returned are changed in the syntax tree of a copy of the
checkout; which, is drawn with a seed. A file's tests are the fast ones that are named after it or import it, else those
of what imports it. A change counts if a test runs its line, and as noticed if such a test fails that does not without
it, or takes over `--seconds` of processor time. A process that holds the libraries is forked for each change, so that a
change costs its tests and no imports. What changed since, file or tests, is tried again.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import importlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from benchmarks.mutants import changes, mutated  # noqa: E402

PACKAGE = "hf_heartllm"
PLACES = ("models", "ecg/readers", "evaluation")
KILLED, SURVIVED, NOT_RUN, BROKEN = "killed", "survived", "line not run", "tests fail anyway"
LIBRARIES = (
    "torch", "transformers", "transformers.models.llama.modeling_llama", "transformers.trainer", "tokenizers",
    "safetensors.torch", "scipy.signal", "pandas", "pytest", "hypothesis", "wfdb", "datasets", "peft",
)  # fmt: skip
_FILES = 4  # of tests at most for a file, the most specific first


@dataclass(frozen=True)
class Mutant:
    """A change.

    Attributes:
        file: that is changed, from the checkout on.
        number: of the change in the file, in the order of `changes`.
        key: of file and tests as they were.
        outcome: `KILLED`, `SURVIVED`, `NOT_RUN` or `BROKEN`.
        what: line and change in words.
        test: that noticed it.
    """

    file: str
    number: int
    key: str
    outcome: str
    what: str
    test: str = ""


_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+)?import[ \t]+(\([^)]*\)|[^\n#]+)", re.MULTILINE)


def imported(file: Path, root: Path) -> set[str]:
    """Modules that a file of code names in its imports, dotted, wherever they stand."""
    package = file.relative_to(root).parts[:-1]
    names: set[str] = set()
    for source, listed in _IMPORT.findall(file.read_text("utf-8")):
        bare = source.lstrip(".")
        up = len(source) - len(bare)
        above = package[: len(package) - up + 1] if up else ()
        dotted = ".".join([*above, *([bare] if bare else [])])
        ones = [one.split(" as ")[0].strip() for one in listed.strip("()").split(",")]
        names |= {dotted} | {f"{dotted}.{one}" if dotted else one for one in ones if one}
    return names


def tests_of(root: Path) -> dict[str, list[str]]:
    """Each file of code → its files of tests: named after it, then those that import it, else of what imports it.

    Where nothing imports it by name, those of the package that it lies in.
    """
    files = [one for one in sorted((root / PACKAGE).rglob("*.py")) if not one.is_symlink()]
    modules = {".".join(one.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): one for one in files}
    used = {module: imported(file, root) for module, file in modules.items()}
    tests = {str(one.relative_to(root)): imported(one, root) for one in sorted((root / "tests").rglob("test_*.py"))}

    def chosen(module: str, room: str) -> list[str]:
        seen, nearest = {module}, {module}
        while nearest:
            names = {f"test_{one.rpartition('.')[2]}" for one in nearest}
            users = [test for test, its in tests.items() if Path(test).stem in names or its & nearest]
            if users:
                return sorted(users, key=lambda test: (Path(test).stem not in names, Path(test).parts[1] != room, test))
            nearest = {other for other, its in used.items() if its & nearest} - seen
            seen |= nearest
        return chosen(module.rpartition(".")[0], room) if "." in module else []

    found = {}
    for module, file in modules.items():
        place = file.relative_to(root)
        found[str(place)] = chosen(module, place.parts[1])[:_FILES]
    return found


class _Noted:
    """Writes down the first test that fails, or file that cannot be collected."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.file.exists():
            self.file.write_text(report.nodeid, encoding="utf-8")

    pytest_collectreport = pytest_runtest_logreport


def run_tests(folder: Path, tests: list[str], left_out: set[str], seconds: int) -> str | None:
    """Run tests of the copy in a process of its own.

    Returns:
        The first that failed, `"time"` if they took too long, None if all passed.
    """
    noted = folder / "failed"
    noted.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
            os.chdir(folder / "tree")
            sys.path.insert(0, str(folder / "tree"))
            output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for stream in (1, 2):
                os.dup2(output, stream)
            import pytest

            options = ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", f"--basetemp={folder / 'tmp'}"]
            options += [f"--deselect={one}" for one in left_out]
            os._exit(int(pytest.main([*options, *tests], plugins=[_Noted(noted)])))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(99)
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except KeyboardInterrupt:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    if code < 0:
        return "time"
    if code in (0, 5):  # 5: none was left to run
        return None
    return noted.read_text("utf-8") if noted.exists() else f"pytest ended with {code}"


def tried(mutant: Mutant, folder: Path, tests: list[str], left_out: set[str], seconds: int) -> Mutant:
    """What comes of a change; tests that fail without it are added to `left_out`."""
    file, mark = folder / "tree" / mutant.file, folder / "run"
    text = file.read_text("utf-8")
    new, what = mutated(text, mutant.number, mark)
    outcome = SURVIVED
    test: str | None = None
    try:
        while True:
            mark.unlink(missing_ok=True)
            _write(file, new)
            test = run_tests(folder, tests, left_out, seconds)
            ran = mark.exists()
            _write(file, text)
            if test is None:
                outcome = SURVIVED if ran else NOT_RUN
                break
            without = run_tests(folder, tests if test == "time" else [test], left_out, seconds)
            if without is None:
                outcome = KILLED
                break
            if test in (*left_out, "time"):
                outcome = BROKEN
                break
            left_out.add(test)
    finally:
        _write(file, text)
    return replace(mutant, outcome=outcome, what=what, test=test or "")


def _write(file: Path, text: str) -> None:
    """Write code, and have Python forget what it has compiled of it."""
    file.write_text(text, encoding="utf-8")
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        compiled.unlink()


def copied(folder: Path) -> Path:
    """The checkout as it stands, without what git ignores, in `folder/tree`; its compiled files stay."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, check=True,
    ).stdout.decode().split("\0")  # fmt: skip
    tree = folder / "tree"
    names = {name for name in listed if name and os.path.lexists(REPOSITORY / name)}
    for old in [one for one in tree.rglob("*") if not one.is_dir() and "__pycache__" not in one.parts]:
        if str(old.relative_to(tree)) not in names:
            old.unlink()
    for name in names:
        source, target = REPOSITORY / name, tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink() or not target.exists() or target.read_bytes() != source.read_bytes():
            target.unlink(missing_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return tree


def drawn(tree: Path, seed: int) -> Iterator[tuple[str, int]]:
    """File and number of every change there is, in the order of the draw, which new code elsewhere does not stir."""
    every = [
        (str(file.relative_to(tree)), number)
        for place in PLACES
        for file in sorted((tree / PACKAGE / place).rglob("*.py"))
        for number in range(len(changes(ast.parse(file.read_text("utf-8")))))
    ]
    return iter(sorted(every, key=lambda one: hashlib.sha256(f"{seed} {one[0]} {one[1]}".encode()).digest()))


def key_of(tree: Path, files: list[str]) -> str:
    """Of a file and its tests as they are."""
    digest = hashlib.sha256()
    for name in files:
        digest.update((tree / name).read_bytes())
    return digest.hexdigest()[:16]


def run(count: int, seed: int, folder: Path, seconds: int) -> list[Mutant]:
    """Try changes until `count` have run; those that the state file knows are not tried again."""
    tree, state = copied(folder), folder / "found.jsonl"
    known: dict[tuple[str, int, str], Mutant] = {}
    for line in state.read_text("utf-8").splitlines() if state.exists() else []:
        with contextlib.suppress(ValueError, TypeError):  # a line that a broken-off run left half
            one = Mutant(**json.loads(line))
            known[one.file, one.number, one.key] = one
    tests = tests_of(tree)
    found: list[Mutant] = []
    left_out: set[str] = set()
    with state.open("a", encoding="utf-8") as written, tqdm(total=count, unit="mutant") as bar:
        try:
            for file, number in drawn(tree, seed):
                if len(found) == count:
                    break
                key = key_of(tree, [file, *tests[file]])
                mutant = known.get((file, number, key))
                if mutant is None:
                    bar.set_description(Path(file).stem)
                    mutant = Mutant(file, number, key, NOT_RUN, "")
                    if tests[file]:
                        mutant = tried(mutant, folder, tests[file], left_out, seconds)
                    written.write(json.dumps(asdict(mutant), ensure_ascii=False) + "\n")
                    written.flush()
                if mutant.outcome in (KILLED, SURVIVED):
                    found.append(mutant)
                    bar.update()
        except KeyboardInterrupt:
            print(f"stopped after {len(found)}; the same command goes on", file=sys.stderr)
    return found


def results(found: list[Mutant], count: int, seed: int) -> list[Any]:
    """Rows: the share that was noticed, and what was not."""
    from hf_heartllm.evaluation.results import Result, current_commit, machine_words

    facts: dict[str, Any] = {
        "command": "python benchmarks/mutation.py",
        "commit": current_commit(REPOSITORY),
        "machine": machine_words(),
    }
    killed = sum(one.outcome == KILLED for one in found)
    unnoticed = [f"{one.file.removeprefix('hf_heartllm/')} {one.what}" for one in found if one.outcome == SURVIVED]
    data = f"{len(found)} of {count} changes drawn with seed {seed}: {killed} noticed"
    name = "mutants of models, readers and evaluation"
    return [
        Result(f"{name}, noticed by a test", killed / len(found), target=">= 0.9", data=data, **facts).rounded(3),
        Result(f"{name}, not noticed", len(unnoticed), unit="mutants", data="; ".join(unnoticed), **facts),
    ]


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, metavar="N", help="changes that count; default: 200")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--seconds", type=int, default=300, help="processor time of a change's tests; default: 300")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "build/mutation", help="copy and partial results")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks/results/review.json")
    parser.add_argument("--no-results", action="store_true", help="write no results file")
    args = parser.parse_args(argv)
    if args.count < 1 or args.seconds < 1:
        parser.error("--count and --seconds are at least 1")
    return args


def main(argv: list[str] | None = None) -> int:
    """Run, print and write."""
    args = parse_arguments(argv)
    args.folder.mkdir(parents=True, exist_ok=True)
    os.environ["HF_HUB_OFFLINE"] = "1"
    for name in LIBRARIES:  # before anything is forked; nothing of the package, whose copy the tests load
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    found = run(args.count, args.seed, args.folder.resolve(), args.seconds)
    for one in found:
        if one.outcome == SURVIVED:
            print(f"{one.file} {one.what}")
    print(f"{sum(one.outcome == KILLED for one in found)} of {len(found)} noticed")
    if found and not args.no_results:
        from hf_heartllm.evaluation.results import write_results

        write_results(args.results, results(found, args.count, args.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
