"""Questions with answers from the labels of any set of recordings: `records` in, `single` and `pairs` out.

`SampledQuestions` is the data set builder; ``python -m dataset_builders.question_generator`` its command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hf_heartllm.data.label_names import Vocabulary
from hf_heartllm.data.question import Question
from hf_heartllm.data.record import Record

if TYPE_CHECKING:
    from .builder import SampledQuestions

__all__ = ["Question", "Record", "SampledQuestions", "Vocabulary"]


def __getattr__(name: str) -> Any:
    # The builder needs `datasets`, which those who only make questions need not have.
    if name == "SampledQuestions":
        from .builder import SampledQuestions

        return SampledQuestions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
