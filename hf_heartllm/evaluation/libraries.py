"""Metric libraries of the extra `eval`, imported when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class MissingLibraryError(Exception):
    """A library of the extra `eval` is not installed."""


def library(name: str) -> Any:
    """Import a module of a metric library.

    Raises:
        MissingLibraryError: if it is not installed, with what to do.
    """
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0].replace("_", "-")
        raise MissingLibraryError(f"{package} is not installed: pip install 'hf_heartllm[eval]' ({error})") from None
