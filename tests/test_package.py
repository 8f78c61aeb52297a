"""What the project promises about itself: metadata, constraints, the wheel, the repository."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import hf_heartllm
from hf_heartllm.auto_classes import _TABLE
from hf_heartllm.hub.checkpoint_code import reached_code

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINTS, MODELS = ROOT / "hf_heartllm" / "checkpoints", ROOT / "hf_heartllm" / "models"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# What is embedded may be 20 MB a folder; anything else in the repository is source.
LARGEST_FILE, LARGEST_CHECKPOINT = 5_000_000, 20_000_000


def constraints() -> dict[str, str]:
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        requirement = line.split("#")[0].strip()
        if requirement:
            match = re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][A-Za-z0-9.]*)", requirement)
            assert match, f"not an exact public version: {line!r}"
            pins[canonicalize_name(match[1])] = match[2]
    return pins


def test_the_constraints_are_exact_versions_that_any_index_can_have() -> None:
    assert constraints()["torch"] == "2.13.0"  # a local tag such as +cpu would tie everyone to one index


@pytest.mark.parametrize("extra", [None, *sorted(EXTRAS)])
def test_the_tested_version_of_every_dependency_lies_within_its_bounds(extra: str | None) -> None:
    pins = constraints()
    for line in EXTRAS[extra] if extra else PROJECT["dependencies"]:
        requirement = Requirement(line)
        if requirement.name == "setuptools":  # comes with the virtual environment
            continue
        assert requirement.specifier, f"{line} has no bounds"
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), line


IMPORT_NAMES = {"scikit-learn": "sklearn", "ai-edge-litert": "ai_edge_litert", "rouge-score": "rouge_score"}
IMPORT_NAMES |= {"pyyaml": "yaml"}
NOT_IMPORTED = {
    "ai-edge-litert": "openecg runs its network with it",
    "accelerate": "transformers' Trainer runs on it",
    "gguf": "transformers reads GGUF files with it",
    "onnxruntime": "the graphs are run by it, not written",
}


def modules_of(folder: str) -> list[Path]:
    """The modules of a folder of the repository, without the copies that lie beside a checkpoint."""
    return [one for one in (ROOT / folder).rglob("*.py") if one.parent.parent != CHECKPOINTS]


def imported_names() -> set[str]:
    """Top-level names that any module of the project imports."""
    names: set[str] = set()
    for folder in ("hf_heartllm", "dataset_builders", "training"):
        for file in modules_of(folder):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module.split(".")[0])
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    names.add(node.value.split(".")[0])  # import_module("name.part")
    return names


def test_every_extra_installs_what_some_module_uses() -> None:
    assert set(EXTRAS) == {"measure", "eval", "train", "onnx", "dev", "docs"}
    used = imported_names()
    for extra in set(EXTRAS) - {"dev", "docs"}:
        for line in EXTRAS[extra]:
            name = Requirement(line).name
            useful = name in NOT_IMPORTED or IMPORT_NAMES.get(name, name) in used
            assert useful, f"[{extra}] installs {name} for nothing"


def test_texts_name_no_extra_that_is_not_there() -> None:
    for file in (*ROOT.glob("*.md"), *ROOT.rglob("docs/**/*.md"), ROOT / "constraints.txt", ROOT / "Makefile"):
        for names in re.findall(r"\[((?:train|eval|measure|dev|formats|app|distributed)[a-z,]*)\]\"", file.read_text()):
            assert set(names.split(",")) <= set(EXTRAS), f"{file.name}: [{names}]"


def test_the_version_stands_once() -> None:
    assert "version" in PROJECT["dynamic"]
    assert "version" not in PROJECT
    tree = ast.parse((ROOT / "hf_heartllm" / "__init__.py").read_text())
    values = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
    ]
    assert values == [hf_heartllm.__version__]  # a literal, so that building needs no import


def test_the_citation_names_the_works_that_this_one_builds_on() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert [author["name"] for author in citation["authors"]] == ["The hf_heartllm maintainers"]
    assert "version" not in citation
    text = str(citation["references"])
    for work in ("2508.15338", "10.1038/s41597-020-0495-6", "ECG-QA"):
        assert work in text


def test_every_embedded_checkpoint_has_a_licence_of_its_own() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    for config in (ROOT / "hf_heartllm" / "checkpoints").glob("*/config.json"):
        licence = (config.parent / "LICENSE").read_text()
        for words in ("Attribution 4.0", "PTB-XL", "ECG-QA"):
            assert words in licence, f"{config.parent.name}: the licence does not say {words}"


def tracked_files() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in listing.split("\0") if name]
    return [file for file in files if file.is_file()]


def test_nothing_large_and_no_recording_is_in_the_repository() -> None:
    checkpoints: dict[str, int] = {}
    for file in tracked_files():
        name = file.relative_to(ROOT)
        assert file.suffix not in {".dat", ".hea", ".parquet", ".arrow", ".pkl", ".pickle", ".pt", ".bin"}, name
        if name.parts[:2] == ("hf_heartllm", "checkpoints") and len(name.parts) > 3:
            checkpoints[name.parts[2]] = checkpoints.get(name.parts[2], 0) + file.stat().st_size
        else:
            assert file.stat().st_size <= LARGEST_FILE, name
    for folder, size in checkpoints.items():
        assert size <= LARGEST_CHECKPOINT, f"{folder}: {size} bytes"


UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def unpickles(tree: ast.AST) -> list[str]:
    """What in a module could run code that a file brings."""
    found = []
    safe = {
        one.name for one in ast.walk(tree)
        if isinstance(one, ast.ClassDef) and any(ast.unparse(base) == "yaml.SafeLoader" for base in one.bases)
    }  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in UNPICKLERS]
        elif isinstance(node, ast.ImportFrom) and not node.level and str(node.module).split(".")[0] in UNPICKLERS:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            name, said = ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}
            if name in ("eval", "exec") or name.endswith(("read_pickle", "yaml.unsafe_load")):
                found.append(name)
            elif name == "yaml.load" and not safe & {ast.unparse(one) for one in node.args[1:]}:
                found.append("yaml.load without a safe loader")
            elif name == "torch.load" and said.get("weights_only") != "True":
                found.append("torch.load without weights_only=True")
            elif said.get("allow_pickle", "False") != "False":
                found.append(f"{name} with allow_pickle")
    return found


def test_no_file_that_is_read_can_bring_code() -> None:
    assert unpickles(ast.parse("import pickle.x\nnp.load(f, allow_pickle=True)\ntorch.load(f)\neval(f)")) != []
    assert len(unpickles(ast.parse("from joblib import load\npd.read_pickle(f)\nyaml.load(f)"))) == 3
    folders = ("hf_heartllm", "dataset_builders", "training", "benchmarks", "examples")
    for file in (one for folder in folders for one in modules_of(folder)):
        found = unpickles(ast.parse(file.read_text(encoding="utf-8")))
        assert not found, f"{file.relative_to(ROOT)}: {', '.join(found)}"


# A stand-in where the trained one is absent, so that the rule is tested either way.
STAND_IN = ("config.json", "model.safetensors", "chat_template.jinja", "modeling_x.py", "LICENSE", "README.md")
STAND_IN += ("EVALUATION.md", ".eval_results/questions.yaml")
STAND_IN += ("codec/config.json", "codec/model.safetensors")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the source distribution of a copy of the source, with a stand-in for a checkpoint."""
    pytest.importorskip("setuptools", minversion="77")  # the extra `dev` has it; a bare environment may be older
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignored = shutil.ignore_patterns(".git", ".venv*", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, source, ignore=ignored)
    for name in STAND_IN:
        path = source / "hf_heartllm" / "checkpoints" / "stand-in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist")]
    built = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (path,) = (folder / "dist").glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_holds_code_recipes_checkpoints_and_both_licences(wheel: Path) -> None:
    assert wheel.name == f"hf_heartllm-{hf_heartllm.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        metadata = archive.read(f"hf_heartllm-{hf_heartllm.__version__}.dist-info/METADATA").decode()
    for name in STAND_IN:
        assert f"hf_heartllm/checkpoints/stand-in/{name}" in held
    # Every module of the source is there, and nothing that is not part of the packages.
    for folder, beside in ((ROOT, "hf_heartllm"), (ROOT / "hf_heartllm", "recipes"), (ROOT, "dataset_builders")):
        for file in (*(folder / beside).rglob("*.py"), *(folder / beside).glob("*.yaml")):
            name = file.relative_to(ROOT).as_posix()
            assert (name if name.startswith("hf_heartllm/") else f"hf_heartllm/{name}") in held
    assert {"hf_heartllm/py.typed", "hf_heartllm/recipes/finetune_tiny.yaml"} <= held
    tops = {name.split("/")[0] for name in held if ".dist-info/" not in name}
    assert tops == {"hf_heartllm"}  # no name that another package may have
    licences = {
        line.removeprefix("License-File: ") for line in metadata.splitlines() if line.startswith("License-File")
    }
    assert {"LICENSE", "hf_heartllm/checkpoints/stand-in/LICENSE"} <= licences


@pytest.mark.slow
def test_what_the_wheel_installs_builds_data_and_trains_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    installed, folder = tmp_path / "installed", tmp_path / "empty"
    folder.mkdir()
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(installed)]
    subprocess.run([*pip, str(wheel)], check=True)
    environment = {**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}

    def run(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr[-2000:]}"
        return done.stdout

    packages = ("hf_heartllm", "hf_heartllm.dataset_builders", "hf_heartllm.scripts.finetune")
    files = run(
        "-c", f"import {', '.join(packages)}; print({', '.join(f'{one}.__file__' for one in packages)}, sep='\\n')"
    )
    assert all(file.startswith(str(installed)) for file in files.splitlines())
    once = ("--set", "training.max_steps=1", "--set", "training.save_steps=1", "--set", "training.bf16=false")
    small = ("hidden_size=32", "intermediate_size=64", "num_hidden_layers=1", "num_attention_heads=2")
    sizes = [part for one in (*small, "num_key_value_heads=2") for part in ("--set", f"decoder.{one}")]
    builders, scripts = "hf_heartllm.dataset_builders.", "hf_heartllm.scripts."
    run("-m", f"{builders}simulated", "--records", "22", "--output", "data")
    run("-m", f"{builders}training_rows", "--ptbxl", "data", "--output", "rows.parquet")
    run("-m", f"{builders}measurements", "--ptbxl", "data", "--sampling-rate", "100", "--output", "measured.csv")
    run("-m", f"{builders}evaluation_questions", "--ptbxl", "data", "--folds", "1", "--output", "questions.parquet")
    codec = ("--set", "codec.hidden_sizes=[8, 16]", "--set", "probe.at_least=2")
    run("-m", f"{scripts}train_codec", "--recipe", "codec", "--ptbxl", "data", "--output", "codec", *codec, *once)
    encoded = ("--ptbxl", "data", "--rows", "rows.parquet", "--codec", "codec/codec", "--output", "tokens")
    run("-m", f"{builders}ecg_tokens", *encoded)
    base = ("--recipe", "base_tiny", "--rows", "tokens", "--codec", "codec/codec", "--output", "base")
    run("-m", f"{scripts}make_base", *base, *sizes)
    tuned = ("--recipe", "finetune_tiny", "--model", "base", "--tokens", "tokens", "--output", "tuned")
    run("-m", f"{scripts}finetune", *tuned, *once)
    assert (folder / "tuned" / "model" / "model.safetensors").is_file()
    assert {path.name for path in folder.iterdir()} == {
        *("data", "rows.parquet", "measured.csv", "questions.parquet", "codec", "tokens", "base", "tuned")
    }


def test_an_embedded_checkpoint_has_the_code_that_its_settings_reach_and_no_other() -> None:
    for config in CHECKPOINTS.glob("*/config.json"):
        needed = {file.name: file.read_bytes() for file in reached_code(config.parent, MODELS)}
        beside = {file.name: file.read_bytes() for file in config.parent.glob("*.py")}
        differing = {name for name in {*needed, *beside} if needed.get(name) != beside.get(name)}
        if differing:
            where = f"{config.parent.name}: {', '.join(sorted(differing))}"
            pytest.fail(f"{where}: not as in hf_heartllm/models; run `make checkpoint-code`", pytrace=False)


def test_every_file_of_models_is_reached_by_some_checkpoint(tmp_path: Path) -> None:
    """From the classes that saved settings name, and the pipelines."""
    classes = {str(number): f"{row.module.rpartition('.')[2]}.{row.name}" for number, row in enumerate(_TABLE)}
    pipelines = {"some-task": {"impl": next(iter(classes.values()))}}
    (tmp_path / "config.json").write_text(json.dumps({"auto_map": classes, "custom_pipelines": pipelines}))
    reached = {file.name for file in reached_code(tmp_path, MODELS)}
    assert reached == {file.name for file in MODELS.glob("*.py")} - {"__init__.py"}


def test_the_repository_holds_no_links() -> None:
    """Where git may not make any, as on Windows, it writes a file with the name of their target."""
    assert tracked_files()
    staged = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not [line.split("\t")[1] for line in staged.splitlines() if line.startswith("120000")]
