"""Recipes: the settings of a training as a YAML file, with overrides from the command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parent.parent / "recipes"
"""The recipes of the package."""


def find_recipe(path: str | Path) -> Path:
    """The recipe of a name: a file, else the package's own of that name, such as `finetune_tiny`.

    Raises:
        FileNotFoundError: where there is neither; names those of the package.
    """
    path = Path(path)
    own = FOLDER / f"{path.name.removesuffix('.yaml')}.yaml"
    if path.is_file():
        return path
    if own.is_file() and path.parent in (Path(), Path("training/recipes")):
        return own
    names = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
    raise FileNotFoundError(f"{path}: no such recipe; give a YAML file, or one of {names}")


def read_recipe(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a recipe and apply overrides.

    Args:
        path: a YAML file whose top level is a mapping of sections, or the name of a recipe of the package.
        overrides: `section.key=value` strings, the value in YAML; a key must exist in the recipe.

    Raises:
        FileNotFoundError: where there is no such recipe.
        ValueError: for a file that is no mapping, or an override that names nothing in it.
    """
    recipe = yaml.safe_load(find_recipe(path).read_text(encoding="utf-8"))
    if not isinstance(recipe, dict):
        raise ValueError(f"{path}: a recipe is a mapping of sections")
    for override in overrides:
        name, equals, value = override.partition("=")
        *sections, key = name.split(".")
        place: Any = recipe
        for section in sections:
            place = place.get(section) if isinstance(place, dict) else None
        if not equals or not isinstance(place, dict) or key not in place:
            raise ValueError(f"--set {override}: the recipe {path} has no setting {name}")
        place[key] = yaml.safe_load(value)
    return recipe


def begin_run(output: str | Path, recipe: dict[str, Any]) -> None:
    """Write the recipe into the folder of a run, or check that the run that was begun there has the same.

    The section `training` may differ: a run may go on for more steps.

    Raises:
        ValueError: if the folder holds a run with other settings, or checkpoints of an unknown one.
    """
    output = Path(output)
    kept = output / "recipe.yaml"
    if kept.is_file():
        begun = yaml.safe_load(kept.read_text(encoding="utf-8"))
        differing = [name for name in sorted({*begun, *recipe} - {"training"}) if begun.get(name) != recipe.get(name)]
        if differing:
            raise ValueError(
                f"{output}: a run with other settings of {', '.join(differing)} was begun here; give another --output"
            )
        return
    if any(output.glob("checkpoint-*")):
        raise ValueError(f"{output}: checkpoints of an unknown recipe lie here; give another --output")
    output.mkdir(parents=True, exist_ok=True)
    scratch = output / f".recipe.{os.getpid()}.tmp"
    scratch.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    os.replace(scratch, kept)
