"""What a recipe may say: one dataclass a section, with types and ranges; `recipes` reads YAML files into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from hf_heartllm.labels.ptbxl import folds


def _fold_list(value: Any) -> str:
    folds(str(value))
    return str(value)


Folds = Annotated[str, BeforeValidator(_fold_list)]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class LoraSettings:
    """LoRA adapters; null: all weights are trained.

    Attributes:
        r: rank.
        lora_alpha: scale times rank.
        lora_dropout: in front of the adapters.
        train_norms: whether every normalisation layer is trained and saved with the adapter.
        train_rows: rows of the vocabulary that are trained: those of the ECG, all, or none.
        rank_pattern: rank of some modules, by a regular expression over their names (peft's); `lora_alpha` grows with
            it, so that the scale is the same for all.
    """

    r: Positive = 64
    lora_alpha: Positive = 16
    lora_dropout: Share = 0.05
    train_norms: bool = True
    train_rows: Literal["ecg", "all", "none"] = "ecg"
    rank_pattern: dict[str, Positive] = field(default_factory=dict)


@dataclass(frozen=True)
class VocabularySettings:
    """The text side of a base of one's own.

    Attributes:
        size: tokens of its byte-level BPE.
    """

    size: Annotated[int, Field(ge=257)]


@dataclass(frozen=True)
class BaseRecipe:
    """An untrained language model (`make_base.py`).

    Attributes:
        seed: of its first weights.
        folds: of PTB-XL, whose questions and reports its vocabulary is learned from; of rows without one those of the
            split "train", or all where there are no splits.
        vocabulary: of its text.
        decoder: `model_type`, and sizes of that model of transformers by the names of its configuration.
    """

    seed: Count
    vocabulary: VocabularySettings
    decoder: dict[str, Any]
    folds: Folds = "1-8"


@dataclass(frozen=True)
class ForecastData:
    """What stage 2 reads.

    Attributes:
        folds: of PTB-XL, such as 1-8.
        whole_records: one row a record, every code labelled; else five windows, as published.
        max_records: the first so many; null: all.
    """

    folds: Folds
    whole_records: bool
    max_records: Positive | None = None


@dataclass(frozen=True)
class PretrainRecipe:
    """Stage 2, forecasting of ECG tokens (`pretrain.py`).

    Attributes:
        data: what is read.
        training: arguments of transformers' `TrainingArguments`.
        lora: adapters; null: all weights are trained.
    """

    data: ForecastData
    training: dict[str, Any]
    lora: LoraSettings | None = None


@dataclass(frozen=True)
class GroundingData:
    """What grounding reads.

    Attributes:
        folds: of PTB-XL, such as 1-8.
        at_least: records that a statement must hold in.
        soft_label_share: of the probabilities of --soft-labels in what is taught; the rest is what was stated.
        numbers: columns of --measurements; `{lead}` stands for each of the twelve leads.
        incomplete_share: of examples whose ECG lacks some leads (needs --incomplete).
        short_prompt_share: of examples without the chat template's system message, which cost less.
        eval_folds: whose records are judged every `training.eval_steps`; null: none.
        eval_records: of them, drawn.
        repeat: SCP code: how often its records stand in an epoch; null: once.
    """

    folds: Folds
    at_least: Positive = 15
    soft_label_share: Share = 0.75
    numbers: list[str] = field(default_factory=list)
    incomplete_share: Share = 0.0
    short_prompt_share: Share = 0.8
    eval_folds: Folds | None = None
    eval_records: Positive = 500
    repeat: dict[str, Positive] | None = None


@dataclass(frozen=True)
class BaseSettings:
    """What an adapter says of the language model that it belongs to; its weights' sha256 is computed.

    Attributes:
        name: its repository on the Hub.
        revision: the commit there; null: not known.
        source: how to get the weights that were trained on, in words; null: they are the Hub's.
    """

    name: str
    revision: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class GroundRecipe:
    """Grounding of a language model (`ground.py`).

    Attributes:
        base: the language model, as the adapter names it; null without an adapter.
        data: what is read.
        new_layers: lowest layers that the model is given first, which at first change nothing.
        layers: how many of the lowest are trained, and run.
        first_rows: what the rows of codes begin as: parts that codes share by the levels of their quantiser (rows of an
            adapter go on as they are), or all as their mean.
        lora: adapters, of all layers; those of the upper ones wait for stage 3; null: the layers are trained.
        training: arguments of transformers' `TrainingArguments`.
        rows_learning_rate: of the ECG rows.
        forecast_weight: of the next code's cross-entropy.
        number_weight: of the measured numbers' loss.
        text_weight: of how far the hidden states of texts move (needs --general-turns).
    """

    base: BaseSettings | None
    data: GroundingData
    layers: Positive
    lora: LoraSettings | None
    training: dict[str, Any]
    new_layers: Count = 0
    first_rows: Literal["levels", "mean"] = "levels"
    rows_learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3e-3
    forecast_weight: Weight = 0.5
    number_weight: Weight = 2.0
    text_weight: Weight = 20.0


@dataclass(frozen=True)
class StatementSettings:
    """Yes/no questions about any frequent statement, drawn anew each time a record is read.

    Attributes:
        questions: a record.
        at_least: records that a statement must hold in.
        plain_share: of the wordings that evaluations ask.
        soft_label_share: of the probabilities of --soft-labels in the answers; the rest is what was stated.
        explained_share: of the questions that a reason is asked for.
        terse: further statements a record, each asked by its name alone, without the chat template: 8 tokens, where a
            question has 19 (SmolLM2's).
    """

    questions: Positive
    at_least: Positive = 15
    plain_share: Share = 0.4
    soft_label_share: Share = 0.75
    explained_share: Share = 0.0
    terse: Count = 0


@dataclass(frozen=True)
class OtherSettings:
    """Questions that are not about an ECG (needs --general-turns).

    Attributes:
        share: probability that one stands behind an ECG: a general one, or one that no ECG answers.
        text_share: of examples that are general questions without an ECG.
    """

    share: Share
    text_share: Share


@dataclass(frozen=True)
class DialogueSettings:
    """Dialogues of a patient and an assistant about a record, rendered anew each time it is read.

    Attributes:
        share: probability that one stands behind an ECG, before the record's questions.
    """

    share: Share


@dataclass(frozen=True)
class ChatSettings:
    """Conversations without an ECG, of any data set in a chat format (needs --chats).

    Attributes:
        share: of examples that are one.
    """

    share: Share


@dataclass(frozen=True)
class QuestionData:
    """What stage 3 reads.

    Attributes:
        folds: of PTB-XL, such as 1-8.
        max_questions: of a record's questions, drawn anew in each epoch.
        report_share: of examples that are reports.
        letters_share: of examples with a choice among the letters of a classification, as evaluations ask for it.
        max_length: tokens of an example.
        labelled_prompt_tokens: last tokens of the prompt that are trained too.
        ecg: real, or none: the same rows without their ECGs, for a control that knows text alone.
        described_share: of examples of ecg=none where words stand in the ECG's place: its statements, rate, regularity.
        incomplete_share: of examples whose ECG lacks some leads (needs --incomplete).
        devices: prefix of PTB-XL's device, CS or AT: their records alone (needs --ptbxl); null: all.
        max_records: that many, drawn from all that are left; null: all.
        draw_seed: of that draw; not training.seed, so that a next run is on the same records.
        repeat: SCP code: how often its records stand in an epoch; null: once.
        statements: further yes/no questions, in many wordings; null: none.
        others: questions that are not about an ECG; null: none.
        dialogues: of a patient and an assistant; null: none.
        chats: conversations without an ECG; null: none.
        eval_folds: on whose records perplexities are told, and answers shown, every `training.eval_steps`; null: none.
        eval_records: of them, drawn, and as many of those that are trained on; one question each.
        eval_answers: that are shown beside the truth.
    """

    folds: Folds
    max_questions: Positive
    report_share: Share
    max_length: Positive
    letters_share: Share = 0.0
    labelled_prompt_tokens: Count = 0
    ecg: Literal["real", "none"] = "real"
    described_share: Share = 0.0
    incomplete_share: Share = 0.0
    devices: str | None = None
    max_records: Positive | None = None
    draw_seed: int = 0
    repeat: dict[str, Positive] | None = None
    statements: StatementSettings | None = None
    others: OtherSettings | None = None
    dialogues: DialogueSettings | None = None
    chats: ChatSettings | None = None
    eval_folds: Folds | None = None
    eval_records: Positive = 32
    eval_answers: Count = 4


@dataclass(frozen=True)
class ProbeSettings:
    """A probe of all statements at the end of the ECG, thrown away afterwards.

    Attributes:
        weight: of its loss.
        at_least: records that a statement must hold in.
        soft_label_share: of the probabilities of --soft-labels in what it is to tell; the rest is what was stated.
        measured: whether it is to tell the range of the heart rate, and whether the rhythm is irregular, too.
    """

    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    at_least: Positive
    soft_label_share: Share = 0.0
    measured: bool = False


@dataclass(frozen=True)
class FinetuneRecipe:
    """Stage 3, questions and reports (`finetune.py`).

    Attributes:
        data: what is read.
        training: arguments of trl's `SFTConfig`.
        probe: of statements; null: none.
        lora: adapters; null: all weights are trained.
        text_weight: of how far the hidden states of texts move from the base's (needs --general-turns); for an adapter.
        frozen_layers: how many of the lowest are not trained, nor the ECG rows; for an adapter that was grounded.
        layers: how many of the lowest are run in training, behind which the model's own norm and output matrix tell the
            answer; the others come back unchanged. 0: all.
        frozen_encoder: whether the projection of an ECG-LM is trained alone, and its encoder stays as it is.
        save_dtype: of the stored weights; null: as they were trained.
        load_dtype: in which they are loaded unless one is asked for; null: as stored.
        save: the whole model, or the adapter alone, where --model is an adapter's checkpoint.
        seen_in_training: what the rows show, for `heartllm evaluate classify`; see `seen`.
    """

    data: QuestionData
    training: dict[str, Any]
    seen_in_training: list[Literal["labels", "report text", "letter choice", "yes/no", "other questions"]]
    probe: ProbeSettings | None = None
    lora: LoraSettings | None = None
    frozen_layers: Count = 0
    layers: Count = 0
    text_weight: Weight = 0.0
    frozen_encoder: bool = False
    save_dtype: Literal["float32", "bfloat16", "float16"] | None = None
    load_dtype: Literal["float32", "bfloat16", "float16"] | None = None
    save: Literal["whole", "adapter"] = "whole"

    def seen(self, before: Sequence[str] | None = None) -> list[str]:
        """What a model has seen after this training.

        Args:
            before: what it had seen before it; None: nothing, or that is not known.

        Returns:
            That, `seen_in_training`, and what the settings of `data` teach.
        """
        data = self.data
        taught = {
            "report text": data.report_share,
            "letter choice": data.letters_share,
            "yes/no": data.statements,
            "other questions": data.others,
        }
        every = [*(before or ()), *self.seen_in_training, *(name for name, share in taught.items() if share)]
        return list(dict.fromkeys(every))

    def __post_init__(self) -> None:
        if self.probe is not None and self.lora is not None:
            raise ValueError("a recipe with `lora` trains no probe; set `probe: null`")
        for name in ("frozen_layers", "layers"):
            if getattr(self, name) and self.save != "adapter":
                raise ValueError(f"`{name}` goes with an adapter: `save: adapter`")
        if self.layers and self.frozen_layers >= self.layers:
            raise ValueError(f"`frozen_layers` {self.frozen_layers} leaves none of the `layers` {self.layers} to train")
        if self.text_weight and self.save != "adapter":
            raise ValueError(
                "`text_weight` goes with an adapter, without which the base is still there: `save: adapter`"
            )


@dataclass(frozen=True)
class Augmentation:
    """How often a recording is changed before a codec in training reads it.

    Attributes:
        gain: share of records whose amplitude is multiplied by 0.3 to 3.3; the target too.
        noise: share of records with white noise of 5 to 60 µV, which the target has not.
        missing: share of records with one to six missing chest leads; six leave what a six-lead device records.
    """

    gain: Share = 0.0
    noise: Share = 0.0
    missing: Share = 0.0


@dataclass(frozen=True)
class CodecData:
    """What a codec is trained on.

    Attributes:
        folds: of PTB-XL, such as 1-8; of other collections the split train is read.
        sampling_rate: Hz, of PTB-XL's files that are read.
        max_records: the first so many; null: all.
        crop_samples: of a random stretch of each recording; null: whole windows.
        augmentation: changes of what the codec reads; null: none.
    """

    folds: Folds
    sampling_rate: Literal[100, 500] = 100
    max_records: Positive | None = None
    crop_samples: Positive | None = None
    augmentation: Augmentation | None = None


@dataclass(frozen=True)
class CodecProbeSettings:
    """A probe of all statements on a codec's values, thrown away afterwards.

    Attributes:
        weight: of its loss; 0: none.
        at_least: recordings that a statement must occur in.
        soft_label_share: of the probabilities that `soft_labels.py` writes; the rest is what was stated.
    """

    weight: Weight
    at_least: Positive
    soft_label_share: Share = 0.0


@dataclass(frozen=True)
class CodecRecipe:
    """A codec, or a part of one that there is (`train_codec.py`).

    Attributes:
        data: what is read.
        codec: fields of the codec's configuration, where they are not the preset's, or the codec's that is trained on.
        training: arguments of transformers' `TrainingArguments`.
        preset: default or heartllm-paper, for a new codec.
        part: of the codec that --codec names: what is trained further.
        probe: of statements, for a new codec or its first codebook.
        even_weight: of the even use of the first codebook's levels.
        lead_mask_weight: of which leads are there.
        start_recordings: whose principal components the refinements begin with.
    """

    data: CodecData
    codec: dict[str, Any]
    training: dict[str, Any]
    preset: Literal["default", "heartllm-paper"] | None = None
    part: Literal["first codebook", "decoder", "refinements"] | None = None
    probe: CodecProbeSettings | None = None
    even_weight: Weight = 0.0
    lead_mask_weight: Weight = 0.0
    start_recordings: Positive = 500

    def __post_init__(self) -> None:
        if (self.preset is None) == (self.part is None):
            raise ValueError("name a `preset` for a new codec, or the `part` of one that is trained further")
        if self.probe is None and self.part in (None, "first codebook"):
            raise ValueError("no setting `probe`: a new codec and a first codebook have one; weight 0 is none")


@dataclass(frozen=True)
class EncoderData:
    """What an ECG encoder is trained on.

    Attributes:
        folds: of PTB-XL, such as 1-8; of other collections the split train is read.
        statements: all frequent ones and the superclasses, or the superclasses alone.
        at_least: recordings that a statement must occur in.
        soft_label_share: of the probabilities of --soft-labels in what is taught; the rest is what was stated.
        numbers: columns of --measurements; `{lead}` stands for each of the twelve leads.
        max_records: the first so many; null: all.
        augmentation: changes of what the encoder reads; null: none.
        fewer_leads: share of recordings of which only some leads are shown, one at least.
        shorter: share of batches of which a stretch is shown.
        shortest: seconds of such a stretch, at least.
        eval_folds: whose recordings are judged every `training.eval_steps`; null: none.
        eval_records: the first so many of them; null: all.
    """

    folds: Folds
    statements: Literal["all", "superclass"] = "all"
    at_least: Positive = 15
    soft_label_share: Share = 0.0
    numbers: list[str] = field(default_factory=list)
    max_records: Positive | None = None
    augmentation: Augmentation | None = None
    fewer_leads: Share = 0.0
    shorter: Share = 0.0
    shortest: Annotated[float, Field(ge=2, allow_inf_nan=False)] = 2.5
    eval_folds: Folds | None = None
    eval_records: Positive | None = None


@dataclass(frozen=True)
class EncoderRecipe:
    """An ECG encoder (`train_encoder.py`).

    Attributes:
        data: what is read.
        encoder: fields of its configuration, where they are not the default's.
        training: arguments of transformers' `TrainingArguments`.
        number_weight: of the measured numbers' loss.
        dropout: before the statements are told.
    """

    data: EncoderData
    encoder: dict[str, Any]
    training: dict[str, Any]
    number_weight: Weight = 0.0
    dropout: Share = 0.0


@dataclass(frozen=True)
class AlignData:
    """What ECG-LM's joint training reads.

    Attributes:
        folds: of PTB-XL, such as 1-8; of other collections the split train is read.
        dropped_share: of examples in which leads are dropped from text and signal.
        learn_general: whether the sentence on the whole recording is learned.
        max_length: tokens of an example.
        max_records: the first so many; null: all.
    """

    folds: Folds
    dropped_share: Share = 0.5
    learn_general: bool = True
    max_length: Positive = 640
    max_records: Positive | None = None


@dataclass(frozen=True)
class AlignRecipe:
    """ECG-LM's joint training (`align_ecg_lm.py`).

    Attributes:
        data: what is read.
        training: arguments of trl's `SFTConfig`.
    """

    data: AlignData
    training: dict[str, Any]


Recipe = AlignRecipe | EncoderRecipe | BaseRecipe | GroundRecipe | PretrainRecipe | FinetuneRecipe | CodecRecipe
