"""Which file may import what. The direction between the rooms is checked by `lint-imports` (setup.cfg)."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "hf_heartllm"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# What a checkpoint's code may import, so that it runs wherever transformers runs, which needs huggingface_hub itself.
TRAVELLING = {"torch", "numpy", "transformers", "tokenizers", "safetensors", "huggingface_hub"}
# Which extras a room may use beside the core dependencies; the other rooms use the core alone.
EXTRAS_OF_ROOM = {
    "ecg": ["measure"],
    "data": ["train", "eval"],
    "convert": ["train"],
    "training": ["train", "eval"],
    "scripts": ["train", "eval"],
    "evaluation": ["eval"],
    "hub": ["eval"],
}


def modules(folder: Path) -> list[Path]:
    checkpoints = PACKAGE / "checkpoints"
    return sorted(
        file for file in folder.rglob("*.py") if checkpoints not in file.parents or file.parent == checkpoints
    )


def imports(file: Path) -> Iterator[tuple[int, str, int, str]]:
    """Yield (relative level, module, line, text) for every import statement of a file."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield 0, alias.name, node.lineno, ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", node.lineno, ast.unparse(node)


def declared(extras: list[str]) -> set[str]:
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    return {canonicalize_name(Requirement(line).name) for line in lines}


@pytest.mark.parametrize("file", modules(PACKAGE / "models"), ids=lambda file: file.stem)
def test_what_travels_with_a_checkpoint_stands_on_its_own(file: Path) -> None:
    for level, module, line, text in imports(file):
        where = f"{file.name}:{line}: {text}"
        if level:
            # save_pretrained follows `from .name import x` alone, and copies the files into one flat folder
            assert level == 1, where
            assert module, where
            assert "." not in module, where
        else:
            assert module.split(".")[0] in TRAVELLING | sys.stdlib_module_names, where


def test_every_library_that_the_package_imports_is_declared() -> None:
    distributions = packages_distributions()
    undeclared = []
    for file in modules(PACKAGE):
        room = file.relative_to(PACKAGE).parts[0]
        allowed = declared(EXTRAS_OF_ROOM.get(room, []))
        for level, module, line, text in imports(file):
            top = module.split(".")[0]
            if level or top in sys.stdlib_module_names or top == "hf_heartllm":
                continue
            if not allowed & {canonicalize_name(name) for name in distributions.get(top, [top])}:
                undeclared.append(f"{file.relative_to(ROOT)}:{line}: {text}")
    assert not undeclared, "\n".join(undeclared)
