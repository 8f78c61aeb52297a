"""Grounding: a language model's ECG rows and lower layers learn what an ECG shows before it is asked.

A question teaches one statement at a time, and its gradient passes every layer of the model. Here the ECG alone is
read by the lower layers, and at its end probes tell all of its statements, what was measured on it, and each code that
follows. A third of the layers learn to read an ECG for a small part of what questions through the whole model cost
(rows that start as a mean and are only tuned with everything else stay where they are, arXiv:2604.02324). The probes
are thrown away afterwards.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import Trainer
from transformers.utils import SAFE_WEIGHTS_NAME

from hf_heartllm.evaluation.intervals import Bootstrap
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.training.checkpoints import TrainingError
from hf_heartllm.training.draws import draws
from hf_heartllm.training.text_anchor import QuietRows, TextAnchor

MOST_DEVIATIONS = 4.0
"""Measured numbers further from their mean are taken as this far: most of them are measured wrongly."""


class GroundedDataset(Dataset[dict[str, Any]]):
    """Records as the lower layers read them: ids up to the end of the ECG, and what the probes are to tell.

    Args:
        record_ids: in the order of the examples.
        codes: by `record_id`.
        statements: by `record_id`, float (statements,): 0 or 1, or how probable each is.
        numbers: by `record_id`, float (numbers,), NaN where not measured; standardised (`standardised`).
        tokenizer: an `ECGTokenizer`.
        prefixes: ids before an ECG, one of which is drawn for each example.
        incomplete: codes of the same records without some leads.
        incomplete_share: probability that such a record is shown so.
        seed: of the draws.

    Attributes:
        epoch: set by `EpochOfDraws`.
    """

    def __init__(
        self,
        record_ids: Sequence[str],
        codes: Mapping[str, np.ndarray],
        statements: Mapping[str, np.ndarray],
        numbers: Mapping[str, np.ndarray],
        tokenizer: Any,
        prefixes: Sequence[Sequence[int]],
        incomplete: Mapping[str, np.ndarray] | None = None,
        incomplete_share: float = 0.0,
        seed: int = 42,
    ) -> None:
        self.record_ids, self.codes, self.statements, self.numbers = record_ids, codes, statements, numbers
        self.tokenizer, self.prefixes, self.seed = tokenizer, prefixes, seed
        self.incomplete, self.incomplete_share = incomplete or {}, incomplete_share
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.record_ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        record_id, rng = self.record_ids[index], draws(self.seed, index, self.epoch)
        codes = self.codes[record_id]
        if record_id in self.incomplete and rng.random() < self.incomplete_share:
            codes = self.incomplete[record_id]
        ids = self.tokenizer.codes_to_ids(codes.astype(np.int64).tolist())
        ecg = [self.tokenizer.ecg_start_token_id, *ids, self.tokenizer.ecg_end_token_id]
        prefix = rng.choice(self.prefixes)
        return {
            "input_ids": [*prefix, *ecg],
            "prefix": len(prefix),
            "statement_labels": self.statements[record_id],
            "numbers": self.numbers[record_id],
        }


def grounded_batch(examples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Examples of one batch, padded on the right: `attention_mask` (batch, tokens), the others as in the data set."""
    rows = [torch.tensor(one["input_ids"]) for one in examples]
    lengths = torch.tensor([len(row) for row in rows])
    input_ids = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    return {
        "input_ids": input_ids,
        "attention_mask": (torch.arange(input_ids.shape[1]) < lengths[:, None]).long(),
        "prefix": torch.tensor([one["prefix"] for one in examples]),
        "statement_labels": torch.tensor(np.stack([one["statement_labels"] for one in examples]), dtype=torch.float32),
        "numbers": torch.tensor(np.stack([one["numbers"] for one in examples]), dtype=torch.float32),
    }


def lead_columns(names: Sequence[str]) -> list[str]:
    """Names of columns, where `{lead}` stands for each of the twelve leads.

    >>> lead_columns(["pr_ms", "{lead}_r_mv"])[:3]
    ['pr_ms', 'I_r_mv', 'II_r_mv']
    """
    return [one.format(lead=lead) for one in names for lead in (STANDARD_LEADS if "{lead}" in one else [""])]


def read_numbers(path: str | Path, names: Sequence[str], record_ids: Sequence[str]) -> dict[str, list[float]]:
    """Columns of a table of measurements, by `record_id`; NaN where a record or a cell has none.

    Args:
        path: CSV table of dataset_builders.measurements.
        names: of the columns.
        record_ids: which records are wanted.

    Raises:
        ValueError: if a column is absent.
    """
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if absent := [name for name in names if name not in (reader.fieldnames or [])]:
            raise ValueError(f"{path}: no column {absent[0]} ({len(absent)} such)")
        found = {
            str(row.get("record_id") or row.get("ecg_id")): [float(row[name] or math.nan) for name in names]
            for row in reader
        }
    nothing = [math.nan] * len(names)
    print(f"measurements of {len(found.keys() & set(record_ids))} of {len(record_ids)} records", flush=True)
    return {record_id: found.get(record_id, nothing) for record_id in record_ids}


def standardised(numbers: Mapping[str, Sequence[float]]) -> dict[str, np.ndarray]:
    """Measured numbers in deviations from their mean over the records, at most `MOST_DEVIATIONS`; NaN stays."""
    every = np.array(list(numbers.values()), dtype=np.float64)
    low, mean, high = (np.nanpercentile(every, q, axis=0) for q in (16, 50, 84))  # a few are measured wrongly
    deviation = np.maximum((high - low) / 2, 1e-6)
    scaled = np.clip((every - mean) / deviation, -MOST_DEVIATIONS, MOST_DEVIATIONS)
    return dict(zip(numbers, scaled.astype(np.float32), strict=True))


class GroundedLayers(nn.Module):
    """The lower layers of a model, and the probes behind them.

    While it is trained the model lacks its upper layers; `finish` gives them back.

    Args:
        model: a `HeartLLMForCausalLM`, of whose weights the lower layers and the ECG rows are trained; or a
            `peft.PeftModel` of one whose ECG rows are trained (`lora.add_lora`), of which the adapter alone is.
        layers: how many of the lowest are trained and run.
        levels: of the codec's quantiser: codes that share a level share a part of their rows; None: they share none.
        base_rates: float (statements,), how often each statement holds.
        num_numbers: how many measured numbers there are.
        forecast_weight: of the cross-entropy of the next code.
        number_weight: of the smooth L1 loss of the numbers.
        texts: ids of texts that the model is held to (`text_anchor`); None: to none.
        text_weight: of that loss.
        shared_levels: whether what codes share by `levels` begins at random, as new rows need it; rows that an earlier
            training has told apart begin as they are.
        same_rows: whether the rows of all codes begin as their mean and share nothing by `levels`.

    Raises:
        ValueError: if the model has fewer layers, or its ECG rows are not trained.
    """

    def __init__(
        self,
        model: Any,
        layers: int,
        levels: Sequence[int] | None,
        base_rates: np.ndarray,
        num_numbers: int,
        forecast_weight: float = 0.5,
        number_weight: float = 2.0,
        texts: Sequence[Sequence[int]] | None = None,
        text_weight: float = 20.0,
        shared_levels: bool = True,
        same_rows: bool = False,
    ) -> None:
        super().__init__()
        heart = model.get_base_model() if hasattr(model, "peft_config") else model
        self._heart = [heart]  # in a list, so that it is no submodule: a step saves the layers that are run alone
        whole = heart is model
        untouched = nullcontext if whole else model.disable_adapter
        quiet = quiet_rows(heart, texts, untouched) if texts else None
        self.backbone = heart.backbone
        self._layers, self._norm = self.backbone.layers, self.backbone.norm
        if not 1 <= layers <= len(self._layers):
            raise ValueError(f"{layers} layers: the model has {len(self._layers)}")
        ids = heart.config.ecg_token_ids
        if ids != list(range(ids[0], ids[0] + len(ids))):
            raise ValueError("the ids of the ECG tokens are not one range")
        adapter = getattr(heart.get_input_embeddings(), "token_adapter", None)
        if adapter is None and not whole:
            raise ValueError("the ECG rows of the vocabulary are not trained: give lora.train_rows ecg")
        self.backbone.layers, self.backbone.norm = self._layers[:layers], nn.Identity()
        hidden = heart.config.get_text_config().hidden_size
        self.first_code, self.first_id = heart.config.ecg_token_offset, ids[0]
        self.num_codes = heart.config.ecg_codebook_size
        if adapter is not None:
            self.rows = adapter.trainable_tokens_delta["default"]
        else:
            model.requires_grad_(False)
            self.backbone.layers.requires_grad_(True)
            self.rows = nn.Parameter(_text_rows(heart)[ids[0] : ids[0] + len(ids)].detach().clone())
        if same_rows:
            of_codes = self.rows.detach()[self.first_code - self.first_id :]
            of_codes.copy_(of_codes.mean(dim=0))
        grid = _one_hot_levels(None if same_rows else levels, self.num_codes)
        self.grid: Tensor
        self.register_buffer("grid", grid, persistent=False)
        spread = 0.5 * self.rows.detach().std() if shared_levels else 0.0
        self.levels = nn.Parameter(spread * torch.randn(grid.shape[1], hidden))
        told = nn.Linear(2 * hidden, len(base_rates) + num_numbers)
        self.probe = nn.Sequential(nn.LayerNorm(2 * hidden), told)
        self.forecast = nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, hidden, bias=False))
        self.forecast_weight, self.number_weight = forecast_weight, number_weight
        self.quiet, self.anchor = quiet, None
        if texts:
            self.anchor = TextAnchor(texts, self._of_text, untouched, 4, text_weight)
            if quiet is not None:
                with torch.no_grad():
                    self.rows += quiet.shift(self.ecg_rows())
        with torch.no_grad():
            rates = torch.tensor(np.clip(base_rates, 1e-3, 1 - 1e-3), dtype=torch.float32)
            told.weight.mul_(0.1)
            told.bias.zero_()
            told.bias[: len(rates)] = torch.logit(rates)

    def ecg_rows(self) -> Tensor:
        """The rows of all ECG ids, ascending: (codes + 2, hidden)."""
        ids = torch.arange(len(self.rows), device=self.rows.device) + self.first_id
        shared = self.grid @ self.levels
        inside = ids >= self.first_code
        of_levels = torch.where(inside[:, None], shared[(ids - self.first_code).clamp(min=0)], 0.0)
        rows: Tensor = self.rows + of_levels
        return rows

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, prefix: Tensor, statement_labels: Tensor, numbers: Tensor
    ) -> dict[str, Tensor]:
        """The losses' sum as `loss`, and `logits` (batch, statements + numbers)."""
        rows = self.ecg_rows()
        of_text = _text_rows(self._heart[0])
        is_ecg = input_ids >= self.first_id
        embedded = nn.functional.embedding(input_ids.clamp(max=self.first_id - 1), of_text)
        embedded = torch.where(is_ecg[..., None], rows[(input_ids - self.first_id).clamp(min=0)], embedded)
        mask = None if bool(attention_mask.all()) else attention_mask
        hidden = self.backbone(inputs_embeds=embedded, attention_mask=mask, use_cache=False).last_hidden_state
        lengths = attention_mask.sum(dim=1)
        place = torch.arange(input_ids.shape[1], device=input_ids.device)
        inside = ((place >= prefix[:, None]) & (place < lengths[:, None])).float()
        mean = (hidden * inside[..., None]).sum(dim=1) / inside.sum(dim=1, keepdim=True)
        at_end = hidden[torch.arange(len(hidden), device=hidden.device), lengths - 1]
        logits = self.probe(torch.cat([at_end, mean], dim=-1))
        split = statement_labels.shape[1]
        loss = nn.functional.binary_cross_entropy_with_logits(logits[:, :split], statement_labels, reduction="none")
        loss = loss.sum(dim=1).mean()
        known = ~numbers.isnan()
        if known.any():
            error = nn.functional.smooth_l1_loss(logits[:, split:][known], numbers[known], reduction="sum")
            loss = loss + self.number_weight * error / known.sum() * math.sqrt(numbers.shape[1])
        if self.forecast_weight:
            following = input_ids[:, 1:]
            is_code = (following >= self.first_code) & (attention_mask[:, 1:] > 0)
            told = self.forecast(hidden[:, :-1][is_code]) @ rows[self.first_code - self.first_id :].T
            wanted = following[is_code] - self.first_code
            loss = loss + self.forecast_weight * nn.functional.cross_entropy(told, wanted)
        if self.training and self.anchor is not None:
            loss = loss + self.anchor.loss()
            if self.quiet is not None:
                loss = loss + self.quiet.loss(rows)
        return {"loss": loss, "logits": logits}

    def _of_text(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Hidden states of texts, which hold no ECG token, behind the layers that are trained."""
        of_text = _text_rows(self._heart[0])
        embedded = nn.functional.embedding(input_ids.to(of_text.device), of_text)
        mask = attention_mask.to(of_text.device)
        hidden: Tensor = self.backbone(inputs_embeds=embedded, attention_mask=mask, use_cache=False).last_hidden_state
        return hidden

    @torch.no_grad()
    def finish(self) -> None:
        """Gives the model its upper layers back, and its ECG rows what they had in common."""
        self.rows.copy_(self.ecg_rows())
        self.levels.zero_()
        self.backbone.layers, self.backbone.norm = self._layers, self._norm
        heart = self._heart[0]
        if not hasattr(heart.get_input_embeddings(), "token_adapter"):
            _text_rows(heart)[self.first_id : self.first_id + len(self.rows)] = self.rows
            heart.requires_grad_(True)


def _text_rows(heart: Any) -> Tensor:
    """The vocabulary's rows (ids, hidden) as they are without an adapter."""
    embeddings = heart.get_input_embeddings()
    rows: Tensor = getattr(embeddings, "original_module", embeddings).weight
    return rows


@torch.no_grad()
def quiet_rows(
    heart: Any, texts: Sequence[Sequence[int]], untouched: Callable[[], AbstractContextManager[Any]]
) -> QuietRows | None:
    """At which hidden states of texts the ECG rows are to be unlikely; None where they are no rows of the output.

    Args:
        heart: a `HeartLLMForCausalLM`, with all of its layers.
        texts: ids of each.
        untouched: a context in which its adapter does nothing.
    """
    if not heart.config.tie_word_embeddings:
        return None
    with untouched():
        hidden = [
            heart.backbone(input_ids=torch.tensor([text], device=heart.device)).last_hidden_state[0, 1:]
            for text in texts
        ]
    words = _text_rows(heart)[: min(heart.config.ecg_token_ids)]
    return QuietRows(torch.cat(hidden), words)


def _one_hot_levels(levels: Sequence[int] | None, codes: int) -> Tensor:
    """(codes, sum of levels): the level of a code in each dimension of its quantiser, dimension 0 least significant."""
    if levels is None or math.prod(levels) != codes:
        return torch.zeros(codes, 0)
    rest, columns = torch.arange(codes), []
    for count in levels:
        columns.append(nn.functional.one_hot(rest % count, count))
        rest = rest // count
    return torch.cat(columns, dim=1).float()


class GroundingTrainer(Trainer):
    """transformers' trainer, with a learning rate of their own for the ECG rows, and small checkpoints.

    Args:
        rows_learning_rate: of the ECG rows and of what they share.
        further arguments: of `Trainer`.
    """

    def __init__(self, *args: Any, rows_learning_rate: float, **kwargs: Any) -> None:
        self.optimizer: Any
        super().__init__(*args, **kwargs)
        self._rows_learning_rate = rows_learning_rate

    def create_optimizer(self, model: Any = None) -> Any:
        """AdamW; weight decay on the probes alone."""
        if self.optimizer is None:
            named = [(name, one) for name, one in self.model.named_parameters() if one.requires_grad]
            rows = [one for name, one in named if name in ("rows", "levels")]
            probes = [one for name, one in named if name.startswith(("probe.", "forecast."))]
            taken = {id(one) for one in (*rows, *probes)}
            rest = [one for _, one in named if id(one) not in taken]
            groups = [
                {"params": rest, "weight_decay": 0.0},
                {"params": probes, "weight_decay": self.args.weight_decay},
                {"params": rows, "weight_decay": 0.0, "lr": self._rows_learning_rate},
            ]
            betas = (self.args.adam_beta1, self.args.adam_beta2)
            self.optimizer = torch.optim.AdamW(groups, lr=self.args.learning_rate, betas=betas)
        return self.optimizer

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """What is trained alone: the base's weights do not change."""
        trained = {name for name, one in self.model.named_parameters() if one.requires_grad}
        every = self.model.state_dict() if state_dict is None else state_dict
        super()._save(output_dir, {name: value for name, value in every.items() if name in trained})

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Likewise."""
        found = load_file(Path(resume_from_checkpoint) / SAFE_WEIGHTS_NAME)
        model = self.model if model is None else model
        absent = {name for name, one in model.named_parameters() if one.requires_grad} - found.keys()
        strange = model.load_state_dict(found, strict=False).unexpected_keys
        if absent or strange:
            raise TrainingError(f"{resume_from_checkpoint}: of another model ({sorted([*absent, *strange])[0]})")


def grounding_metrics(
    statements: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> Callable[[Any], dict[str, float]]:
    """What a trainer tells of unseen records: AUROC of groups of statements, and the numbers' correlation.

    Args:
        statements: in the order of the labels.
        groups: name → statements, of which those without a record on either side do not count.
    """

    def compute(prediction: Any) -> dict[str, float]:
        (labels, numbers), logits = prediction.label_ids, prediction.predictions
        bootstrap = Bootstrap(np.arange(len(labels)), resamples=1)
        told: dict[str, float] = {}
        for name, members in groups.items():
            columns = [index for index, one in enumerate(statements) if one in members]
            if columns:
                told[f"auroc_{name}"] = round(bootstrap.auroc(labels[:, columns] > 0.5, logits[:, columns]).value, 4)
        found = []
        for truth, guess in zip(numbers.T, logits[:, len(statements) :].T, strict=True):
            known = ~np.isnan(truth)
            if known.sum() > 2:
                found.append(np.corrcoef(truth[known], guess[known])[0, 1])
        if found:
            told["correlation_numbers"] = round(float(np.nanmean(found)), 4)
        return told

    return compute
