"""That rows which a language model learns from hold their ECGs whole.

Trainers cut rows at a length that they have by default (trl's `SFTConfig` and `DPOConfig` at 1,024 tokens), an ECG in
them too, and say nothing. What is left of it is no recording, so the model refuses to learn from it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .ecg_record import ECGError


def holds_parts_of_ecgs(ids: Tensor, start: int, end: int, first: int, codes: int) -> Tensor:
    """Whether an ECG in some row lacks its start or its end.

    Args:
        ids: int64 (batch, tokens), several texts in a row or one.
        start, end: ids around an ECG.
        first: id of code 0.
        codes: number of codes.

    Returns:
        bool, scalar.
    """
    code = (ids >= first) & (ids < first + codes)
    goes_on, came_from = code | (ids == start), code | (ids == end)  # an ECG is open after it, and before it
    inside = (goes_on[:, :-1] != came_from[:, 1:]).any()
    return inside | goes_on[:, -1].any() | came_from[:, 0].any()


class WholeECGs:
    """Looks at each batch that a decoder learns from; to be its forward pre-hook, `with_kwargs=True`.

    Args:
        config: a `HeartLLMConfig` with ECG ids.

    Attributes:
        asked: whether it looks.
    """

    def __init__(self, config: Any) -> None:
        self.ids = (
            config.ecg_start_token_id, config.ecg_end_token_id, config.ecg_token_offset, config.ecg_codebook_size
        )  # fmt: skip
        self.asked = True

    def watch(self, decoder: nn.Module) -> None:
        """Look at what this decoder is given from now on."""
        if self not in decoder._forward_pre_hooks.values():
            decoder.register_forward_pre_hook(self, with_kwargs=True)

    def __call__(self, decoder: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Refuse a batch with a part of an ECG, where it is learned from.

        Raises:
            ECGError: if an ECG lacks its start or its end.
        """
        if not (self.asked and decoder.training and torch.is_grad_enabled()) or torch.compiler.is_compiling():
            return
        ids = kwargs.get("input_ids", args[0] if args else None)
        if isinstance(ids, Tensor) and ids.ndim == 2 and ids.numel() and bool(holds_parts_of_ecgs(ids, *self.ids)):
            raise ECGError(
                f"an ECG in a training row of {ids.shape[1]} tokens lacks its start or end: trainers cut rows at "
                "max_length; give SFTConfig(max_length=None) or more tokens (model.allow_parts_of_ecgs() if meant)"
            )
