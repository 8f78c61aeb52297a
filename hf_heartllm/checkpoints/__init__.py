"""The checkpoints that come with the package."""

from __future__ import annotations

from pathlib import Path

from ..models.checkpoint_files import EMBEDDED as DEFAULT


def available() -> list[str]:
    """Names of the embedded checkpoints, sorted."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob("*/config.json"))


def checkpoint(name: str = DEFAULT) -> str:
    """The folder of an embedded checkpoint, for any `from_pretrained`.

    Raises:
        ValueError: if the package holds no checkpoint of that name.
    """
    if name not in available():
        raise ValueError(f"no embedded checkpoint {name!r}; there are: {', '.join(available()) or 'none'}")
    return str(Path(__file__).parent / name)
