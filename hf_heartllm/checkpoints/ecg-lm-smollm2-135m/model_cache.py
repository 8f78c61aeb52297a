"""The cache of a language model under either of its names: transformers 5.24 calls `past_key_values` `cache`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any


def cache_argument(model: Any, cache: Any) -> dict[str, Any]:
    """The keyword argument that hands a cache to a model's `forward`; empty for None."""
    return {} if cache is None else {_cache_name(type(model).forward): cache}


def cache_of(output: Any) -> Any:
    """The cache in a model's output; None where it holds none."""
    return output["cache"] if "cache" in output else getattr(output, "past_key_values", None)


@lru_cache(maxsize=64)
def _cache_name(forward: Callable[..., Any]) -> str:
    parameters = inspect.signature(forward).parameters
    return "cache" if "cache" in parameters and "past_key_values" not in parameters else "past_key_values"
