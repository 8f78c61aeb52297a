"""trl's trainer with what a teacher adds to the labels: soft answers, and a probe of the statements at the ECG's end.

A question teaches one statement at a time; the probe teaches all of them at each step, for the cost of one matrix. It
is thrown away afterwards.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from trl import SFTTrainer

from hf_heartllm.training.length_groups import LengthGroups
from hf_heartllm.training.text_anchor import TextAnchor

_CHANGED_LOGITS = ("final_logit_softcapping", "logit_scale", "logits_scaling", "num_logits_to_keep")
"""Settings of models whose logits are not the hidden states times the output matrix; others are found by a trial."""


class SFTTrainerWithTeacher(SFTTrainer):
    """trl's trainer, with soft answers and a probe's binary cross-entropy beside the loss of the answers.

    Examples may carry `soft_labels` (`PackedCollator`): tokens that are learned as a mixture of two. With a probe they
    carry `probe_position` (of the ECG's end) and `statement_labels` (0 to 1 a statement). The probe is the model's
    submodule `statement_probe` while it is trained; `remove_probe` takes it off.

    Args:
        *args, **kwargs: of trl's `SFTTrainer`.
        model: a `HeartLLMForCausalLM`, or peft's model of one (without a probe).
        statements: how many the probe tells; 0: there is none.
        probe_weight: of the probe's loss.
        anchor: texts that the model is held to while it is trained; None: there are none.
        draws: the `QuestionDataset` behind `train_dataset`, whose examples' lengths `group_by_length` goes by.
    """

    def __init__(
        self,
        *args: Any,
        model: Any,
        statements: int = 0,
        probe_weight: float = 0.0,
        anchor: TextAnchor | None = None,
        draws: Any = None,
        **kwargs: Any,
    ) -> None:
        self._statements, self._weight, self._anchor, self._draws = statements, probe_weight, anchor, draws
        heart = model.get_base_model() if hasattr(model, "peft_config") else model
        if statements:
            width = heart.config.get_text_config().hidden_size
            model.statement_probe = nn.Linear(width, statements).to(model.device)
        self._hidden: torch.Tensor | None = None
        self._head = heart.get_output_embeddings()
        self._of_labels_alone = _multiplies_alone(heart)  # else the model's own logits are taken, of all tokens
        self._eager = heart.config.get_text_config()._attn_implementation == "eager"
        heart.language_model.base_model.register_forward_hook(self._keep)
        super().__init__(*args, model=model, **kwargs)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None: trl's would replace a README.md in the run's folder and says nothing of ECGs."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        """`train_sampling_strategy: group_by_length` goes by what an epoch draws, which transformers does not know."""
        if self._draws is None or self.args.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)
        return LengthGroups(self._draws, self.args.train_batch_size, self.args.seed)

    def _keep(self, _: nn.Module, __: Any, output: Any) -> None:
        self._hidden = output[0]

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
        **kwargs: Any,
    ) -> Any:
        """The answers' loss, plus what makes some of them soft, plus the probe's."""
        soft = inputs.pop("soft_labels", None)
        positions, wanted = inputs.pop("probe_position", None), inputs.pop("statement_labels", None)
        labels, mask = inputs["labels"], inputs.get("attention_mask")
        if self._eager and mask is not None and mask.dtype == torch.bool:
            inputs = {**inputs, "attention_mask": _added_to_scores(mask)}
        loss, outputs = self._loss_of_labels(model, inputs, num_items_in_batch)
        assert self._hidden is not None
        hidden, self._hidden = self._hidden, None
        if soft is not None:
            if self._of_labels_alone:
                added = _softening(hidden, self._output_rows(soft), labels, soft)
            else:
                added = _softening_of_logits(outputs.logits, labels, soft)
            loss = loss + self._per_token(added, labels, num_items_in_batch)
        if self._statements:
            at_end = hidden[torch.arange(len(positions), device=hidden.device), positions]
            logits = self.accelerator.unwrap_model(model).statement_probe(at_end.float())
            known = ~wanted.isnan()  # an example without an ECG has no statements
            losses = nn.functional.binary_cross_entropy_with_logits(
                logits, wanted.nan_to_num().to(logits.dtype), reduction="none"
            )
            probe_loss = (losses * known).sum() / known.sum().clamp(min=1)
            self._metrics["train"]["probe_loss"].append(probe_loss.item())
            loss = loss + self._weight * probe_loss
        if self._anchor is not None and self.model.training:
            drift = self._anchor.loss(self.state.global_step)
            self._metrics["train"]["text_drift"].append(drift.item() / self._anchor.weight)
            loss = loss + drift
        return (loss, outputs) if return_outputs else loss

    def _loss_of_labels(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any) -> tuple[torch.Tensor, Any]:
        """The cross-entropy of the labelled tokens; logits are computed where a label stands, and nowhere else.

        In an example of a record most positions are its ECG, and a large vocabulary's logits there are nearly half of
        the work. A head that scales or caps its logits computes them itself, everywhere.
        """
        labels = inputs["labels"]
        shown = {name: value for name, value in inputs.items() if name != "labels"}
        outputs = model(**shown, use_cache=False, logits_to_keep=1 if self._of_labels_alone else 0)
        assert self._hidden is not None
        following = labels[:, 1:]
        labelled = following != -100
        if self._of_labels_alone:
            logits = self._head_logits(self._hidden[:, :-1][labelled])
        else:
            logits = outputs.logits[:, :-1][labelled]
        summed = nn.functional.cross_entropy(logits.float(), following[labelled], reduction="sum")
        with torch.no_grad():
            right = (logits.argmax(dim=-1) == following[labelled]).float().mean().item()
            self._metrics["train" if self.model.training else "eval"]["mean_token_accuracy"].append(right)
        return self._per_token(summed, labels, num_items_in_batch), outputs

    def _head_logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(hidden, self._head.weight, getattr(self._head, "bias", None))

    def _per_token(self, summed: torch.Tensor, labels: torch.Tensor, num_items_in_batch: Any) -> torch.Tensor:
        """A loss that was summed over labelled tokens, as trl divides it."""
        count = (labels[:, 1:] != -100).sum() if num_items_in_batch is None else num_items_in_batch
        loss = summed / torch.as_tensor(count).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        return loss

    def _output_rows(self, soft: torch.Tensor) -> torch.Tensor:
        """The output matrix: where peft trains other rows of it than these, the one below, which need not be copied."""
        adapter = getattr(self._head, "token_adapter", None)
        if adapter is None:
            rows: torch.Tensor = self._head.weight
            return rows
        trained = {index for rows in adapter.token_indices.values() for index in rows}
        of_text = trained.isdisjoint(soft[1].long().tolist())
        weight: torch.Tensor = adapter.base_layer.weight if of_text else self._head.weight
        return weight


def _added_to_scores(mask: torch.Tensor) -> torch.Tensor:
    """A mask of what may be looked at, as eager attention takes it: it would add True and False to its scores."""
    return torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, torch.finfo(torch.float32).min)


def _softening(hidden: torch.Tensor, head: torch.Tensor, labels: torch.Tensor, soft: torch.Tensor) -> torch.Tensor:
    """What is added to the summed cross-entropy of labels so that some are learned as mixtures of two tokens.

    The cross-entropies of two tokens at one place differ by their logits' difference, whatever the other tokens' are.
    """
    places, instead, shares = soft[0].long(), soft[1].long(), soft[2].to(hidden.dtype)
    before = hidden.flatten(0, 1)[places - 1]
    rows = head[labels.flatten()[places]] - head[instead]
    return (shares * (before * rows.to(before.dtype)).sum(dim=-1)).sum()


def _softening_of_logits(logits: torch.Tensor, labels: torch.Tensor, soft: torch.Tensor) -> torch.Tensor:
    """As `_softening`, of logits (batch, tokens, ids) that a model scales or caps."""
    places, instead, shares = soft[0].long(), soft[1].long(), soft[2].float()
    before = logits.flatten(0, 1)[places - 1].float()
    right = before.gather(1, labels.flatten()[places][:, None])
    return (shares * (right - before.gather(1, instead[:, None]))[:, 0]).sum()


@torch.no_grad()
def _multiplies_alone(heart: Any) -> bool:
    """Whether a model's logits are its hidden states times its output matrix (plus a bias), and nothing else."""
    if any(getattr(heart.config.get_text_config(), name, None) for name in _CHANGED_LOGITS):
        return False
    head, kept = heart.get_output_embeddings(), []
    hook = heart.language_model.base_model.register_forward_hook(lambda _, __, output: kept.append(output[0]))
    try:
        ids = torch.arange(1, 5, device=heart.device)[None]
        logits = heart.language_model(input_ids=ids, use_cache=False).logits[0, -1].float()
    finally:
        hook.remove()
    plain = nn.functional.linear(kept[0][0, -1], head.weight, getattr(head, "bias", None)).float()
    return bool((logits - plain).abs().max() <= 0.02 * plain.abs().max())


def remove_probe(model: Any) -> None:
    """Take the probe off the model, as it was before."""
    if hasattr(model, "statement_probe"):
        del model.statement_probe
