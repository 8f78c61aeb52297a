"""Recipes: the settings of a training as a YAML file, with overrides from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hf_heartllm.models.whole_files import write_whole


def read_recipe(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a recipe and apply overrides.

    Args:
        path: a YAML file whose top level is a mapping of sections.
        overrides: `section.key=value` strings, the value in YAML; a key must exist in the recipe.

    Raises:
        ValueError: for a file that is no mapping, or an override that names nothing in it.
    """
    recipe = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
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
    write_whole(kept, yaml.safe_dump(recipe, sort_keys=False))
