"""A linear probe of the statements beside stage 3: at the end of its ECG the model is to know what the record states.

A question teaches one statement at a time; the probe teaches all of them at each step, for the cost of one matrix. It
is thrown away afterwards.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from trl import SFTTrainer


class SFTTrainerWithProbe(SFTTrainer):
    """trl's trainer, with the probe's binary cross-entropy beside the loss of the answers.

    The examples carry `probe_position` (of the ECG's end) and `statement_labels` (0 or 1 a statement). The probe is the
    model's submodule `statement_probe` while it is trained; `remove_probe` takes it off.

    Args:
        statements: how many there are.
        probe_weight: of the probe's loss.
        further arguments: of trl's `SFTTrainer`, whose model is a `HeartLLMForCausalLM`.
    """

    def __init__(self, *args: Any, model: Any, statements: int, probe_weight: float, **kwargs: Any) -> None:
        width = model.config.get_text_config().hidden_size
        model.statement_probe = nn.Linear(width, statements).to(model.device)
        self._weight = probe_weight
        self._hidden: torch.Tensor | None = None
        # trl computes the loss from the decoder's hidden states and never calls the output layer.
        model.language_model.base_model.register_forward_hook(self._keep)
        super().__init__(*args, model=model, **kwargs)

    def _keep(self, _: nn.Module, __: Any, output: Any) -> None:
        self._hidden = output[0]

    def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, **kwargs: Any) -> Any:
        """The answers' loss plus the probe's."""
        positions, labels = inputs.pop("probe_position"), inputs.pop("statement_labels")
        found = super().compute_loss(model, inputs, return_outputs=return_outputs, **kwargs)
        assert self._hidden is not None
        hidden, self._hidden = self._hidden, None
        at_end = hidden[torch.arange(len(positions), device=hidden.device), positions]
        logits = self.accelerator.unwrap_model(model).statement_probe(at_end.float())
        probe_loss = nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
        self._metrics["train"]["probe_loss"].append(probe_loss.item())
        if return_outputs:
            return found[0] + self._weight * probe_loss, found[1]
        return found + self._weight * probe_loss


def remove_probe(model: Any) -> None:
    """Take the probe off the model, as it was before."""
    if hasattr(model, "statement_probe"):
        del model.statement_probe
