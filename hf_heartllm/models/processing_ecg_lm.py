"""`ECGLMProcessor`: texts with ECGs in them → token ids with places for soft tokens, and what the encoder reads."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers import BatchFeature, PreTrainedTokenizerFast
from transformers.processing_utils import ProcessorMixin

from .card_files import write_card_files
from .configuration_ecg_lm import ECGEncoderConfig
from .ecg_chat import AS_WRITTEN, ONE_QUESTION, arranged_template, check_ecg_chat
from .ecg_placeholders import (
    TOKENIZING,
    PlaceholderReader,
    Row,
    as_record,
    check_count,
    ecg_list,
    flatten_conversation,
    is_recording,
    refuse_placeholders,
)
from .ecg_reading import warn_of_length
from .ecg_record import ECGRecord
from .feature_extraction_ecg import ECGFeatureExtractor
from .measured_text import measured_text_of
from .prompts import DEFAULT_CHAT_TEMPLATE, ECG_PLACEHOLDER

if TYPE_CHECKING:
    from .ecg_lm_answerer import SoftPromptIds, SoftTokenAnswerer


class ECGLMProcessor(ProcessorMixin):  # type: ignore[misc]
    """The base's own tokenizer, which knows no ECG, and a feature extractor for the encoder.

    Args:
        feature_extractor: brings recordings to the encoder's rate and leads.
        tokenizer: of the language model.
        chat_template: Jinja; None: the tokenizer's.
        ecg_token_id: what `input_ids` hold for each soft token.
        num_ecg_tokens: soft tokens of an ECG.
        ecg_max_duration: seconds of the longest recording that was trained on; None: not known.
        ecg_chat: how conversations are shown (`ecg_chat.ECG_CHATS`).
        measured_text: whether the numbers measured on a recording stand behind its soft tokens, as text.

    Examples:
        >>> import hf_heartllm as hl
        >>> from transformers import PreTrainedTokenizerFast
        >>> text = PreTrainedTokenizerFast.from_pretrained(hl.checkpoint())
        >>> processor = ECGLMProcessor.from_base(text, num_ecg_tokens=4)
        >>> inputs = processor("The ECG signal is <ecg>.", ecgs=hl.read_ecg("example:af"), return_tensors="pt")
        >>> inputs.input_features.shape, int((inputs.input_ids == processor.ecg_token_id).sum())
        (torch.Size([1, 12, 1000]), 4)
    """

    def __init__(
        self,
        feature_extractor: ECGFeatureExtractor | None = None,
        tokenizer: PreTrainedTokenizerFast | None = None,
        chat_template: str | None = None,
        ecg_token_id: int | None = None,
        num_ecg_tokens: int = 1,
        ecg_max_duration: float | None = None,
        ecg_chat: str = AS_WRITTEN,
        measured_text: bool = False,
    ) -> None:
        super().__init__(feature_extractor, tokenizer, chat_template=chat_template)
        if ecg_token_id is None:
            ecg_token_id = 0 if tokenizer is None else len(tokenizer)
        self.ecg_token_id = ecg_token_id
        self.num_ecg_tokens = num_ecg_tokens
        self.ecg_max_duration = ecg_max_duration
        self.ecg_chat = check_ecg_chat(ecg_chat)
        self.measured_text = measured_text
        self._placeholders = PlaceholderReader()

    @classmethod
    def from_base(
        cls,
        tokenizer: PreTrainedTokenizerFast,
        encoder: ECGEncoderConfig | None = None,
        num_ecg_tokens: int = 1,
        ecg_chat: str = AS_WRITTEN,
        measured_text: bool = False,
    ) -> ECGLMProcessor:
        """Beside any fast tokenizer, which is copied; padding of the copy is on the left, as generation needs it.

        Args:
            tokenizer: the base's. One without a padding token pads with its end token, one without a chat template
                gets `prompts.DEFAULT_CHAT_TEMPLATE`.
            encoder: configuration of the encoder; None: the default.
            num_ecg_tokens: soft tokens of an ECG.
            ecg_chat: how conversations are shown.
            measured_text: whether measured numbers stand behind the soft tokens, as text.

        Raises:
            ValueError: if the tokenizer is no fast one.
        """
        if not getattr(tokenizer, "is_fast", False):
            raise ValueError(f"the base must be a fast tokenizer (with a tokenizer.json), got {type(tokenizer)}")
        tokenizer = copy.deepcopy(tokenizer)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        if tokenizer.chat_template is None:
            tokenizer.chat_template = DEFAULT_CHAT_TEMPLATE
        tokenizer.padding_side = tokenizer.init_kwargs["padding_side"] = "left"
        config = ECGEncoderConfig() if encoder is None else encoder
        extractor = ECGFeatureExtractor(
            sampling_rate=config.sampling_rate,
            window_samples=None,
            leads=config.leads,
            required_leads=[],
            min_duration=config.min_duration,
        )
        return cls(
            extractor,
            tokenizer,
            num_ecg_tokens=num_ecg_tokens,
            ecg_max_duration=config.max_duration,
            ecg_chat=ecg_chat,
            measured_text=measured_text,
        )

    def to_dict(self) -> dict[str, Any]:
        """For `processor_config.json`, without what belongs to the running process."""
        return {name: value for name, value in super().to_dict().items() if name != "_placeholders"}

    def _upload_modified_files(
        self, working_dir: str | os.PathLike[str], repo_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        """As for any processor, with a card and the licences of where it came from, in one commit."""
        write_card_files(self, working_dir, repo_id, self.tokenizer.name_or_path)
        return super()._upload_modified_files(working_dir, repo_id, *args, **kwargs)

    # ------------------------------------------------------------------ recordings and texts → inputs

    def encode_ecg(self, record: ECGRecord, check: bool = True) -> np.ndarray:
        """What the encoder reads of a recording, float32 (leads, samples), NaN throughout a missing lead.

        Raises:
            ECGError: if it cannot be read.
        """
        features: np.ndarray = self.feature_extractor.extract(as_record(record), check=check)[0]
        return features

    def ecg_ids(self, ecg: Any = None, measured: str | None = None) -> list[int]:
        """The ids of an ECG: places of its soft tokens and, where `measured_text` says so, what was measured on it.

        Args:
            ecg: the recording, which is measured; what stands for any ECG has no numbers.
            measured: `measured_text` of it where it was measured before.
        """
        places = [self.ecg_token_id] * self.num_ecg_tokens
        if not self.measured_text:
            return places
        if measured is None and is_recording(ecg):
            measured = measured_text_of(as_record(ecg))
        if measured is None:
            return places
        with TOKENIZING:
            return [*places, *self.tokenizer.encode(measured, add_special_tokens=False)]

    def __call__(
        self,
        text: str | Sequence[str],
        ecgs: Any = None,
        padding: Any = False,
        return_tensors: str | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """Tokenise texts, with the places of an ECG's soft tokens at each `<ecg>`.

        Args:
            text: a text or a list of texts.
            ecgs: for a text one recording or a list of them, for a list of texts a list with one such entry (or None)
                for each. False: there is none, and `<ecg>` in a text is ordinary text.
            padding: as of any tokenizer.
            return_tensors: "pt", "np" or None.
            **kwargs: as of any tokenizer; texts are never cut.

        Returns:
            `input_ids`, `attention_mask` (one row for each text) and, where there are ECGs, `input_features` float32
            (ecgs, leads, samples) of all of them, NaN where a lead is missing or a recording has ended.

        Raises:
            ValueError: if the number of `<ecg>` in a text differs from its number of ECGs.
            ECGError: if a recording cannot be read.
        """
        batched = not isinstance(text, str)
        texts = [text] if isinstance(text, str) else list(text)
        if ecgs is None:
            refuse_placeholders(texts)
        none = ecgs is None or ecgs is False
        if batched and not none and (not isinstance(ecgs, Sequence) or len(ecgs) != len(texts)):
            raise ValueError(f"{len(texts)} texts need a list with {len(texts)} entries in ecgs, one for each text")
        rows: list[tuple[Row, list[Any]]] = []
        for one, given in zip(texts, [None] * len(texts) if none else ecgs if batched else [ecgs], strict=True):
            its_ecgs = ecg_list(given)
            if not none:
                check_count(one, len(its_ecgs))
                pieces = one.split(ECG_PLACEHOLDER)
                marks = ["", *map(self._placeholders.text, range(len(its_ecgs)))]
                one = "".join(mark + piece for mark, piece in zip(marks, pieces, strict=True))
            encode = partial(_encoded, text=one, options=kwargs)
            rows.append((self._tokenised(encode, dict(enumerate(its_ecgs))), its_ecgs))
        return self._together(rows, batched, padding, return_tensors)

    def apply_chat_template(
        self,
        conversation: Any,
        chat_template: str | None = None,
        *,
        ecgs: Any = None,
        tokenize: bool = True,
        add_generation_prompt: bool = False,
        padding: Any = False,
        return_tensors: str | None = None,
        return_dict: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Render conversations with the chat template and tokenise them, with places for soft tokens.

        Content is a string, or a list of parts `{"type": "text", "text": …}` and `{"type": "ecg", "ecg": record}`.

        Args:
            conversation: messages, or a list of conversations.
            chat_template: Jinja; None: the processor's.
            ecgs: False takes `<ecg>` in a text as ordinary text.
            tokenize: False gives texts, with `<ecg>` for each ECG.
            add_generation_prompt: whether the answer's beginning follows.
            padding, return_tensors: as in a call.
            return_dict: False gives `input_ids` alone.
            **kwargs: of the template.

        Raises:
            ValueError: for other parts, `<ecg>` in a text, or if the template drops or repeats an ECG.
            ECGError: if a recording cannot be read.
        """
        if ecgs is not None and ecgs is not False:
            raise ValueError("in a conversation an ECG is a part of the content: {'type': 'ecg', 'ecg': record}")
        batched = len(conversation) > 0 and not hasattr(conversation[0], "get")
        options = {"add_generation_prompt": add_generation_prompt, **kwargs}
        rows, texts = [], []
        for chat in conversation if batched else [conversation]:
            if tokenize:
                rows.append(self.chat_row(chat, chat_template, literal=ecgs is False, **options))
            else:
                texts.append(self._rendered(chat, chat_template, ecgs is False, options))
        if not tokenize:
            return texts if batched else texts[0]
        found = self._together(rows, batched, padding, return_tensors)
        return found if return_dict else found["input_ids"]

    def chat_row(
        self, conversation: Sequence[Mapping[str, Any]], chat_template: str | None = None, *, literal: bool = False,
        **options: Any,
    ) -> tuple[Row, list[Any]]:  # fmt: skip
        """One conversation's `input_ids` and `attention_mask`, and its ECGs, which are not read yet."""
        flat, ecgs, settings = self._prepared(conversation, chat_template, literal, options)

        def encode(plain: PreTrainedTokenizerFast) -> Any:
            return plain.apply_chat_template(flat, tokenize=True, return_dict=True, **settings)

        shown = list(range(len(ecgs)))
        if self.ecg_chat == ONE_QUESTION and len(ecgs) > 1:  # those of earlier turns are left out on purpose
            text = self._text(flat, settings)
            shown = [number for number in shown if self._placeholders.text(number) in text]
        return self._tokenised(encode, {number: ecgs[number] for number in shown}), [ecgs[number] for number in shown]

    def _rendered(self, conversation: Any, chat_template: str | None, literal: bool, options: dict[str, Any]) -> str:
        flat, ecgs, settings = self._prepared(conversation, chat_template, literal, options)
        text = self._text(flat, settings)
        for number in range(len(ecgs)):
            text = text.replace(self._placeholders.text(number), ECG_PLACEHOLDER)
        return text

    def _text(self, flat: Any, settings: dict[str, Any]) -> str:
        with TOKENIZING:
            return str(self.tokenizer.apply_chat_template(flat, tokenize=False, **settings))

    def _prepared(
        self, conversation: Any, chat_template: str | None, literal: bool, options: dict[str, Any]
    ) -> tuple[Any, list[Any], dict[str, Any]]:
        """Messages as strings, their ECGs, and what the template is rendered with."""
        flat, ecgs = flatten_conversation(
            getattr(conversation, "messages", conversation), self._placeholders.text, literal
        )
        template = chat_template or self.chat_template or self.tokenizer.chat_template
        settings = {**options, **self._placeholders.ends(), "chat_template": arranged_template(template, self.ecg_chat)}
        return flat, ecgs, settings

    def _tokenised(self, encode: Callable[[PreTrainedTokenizerFast], Any], ecgs: Mapping[int, Any]) -> Row:
        """A row of ids, with those of ECGs in the places of their numbers."""
        ids = {number: self.ecg_ids(ecg) for number, ecg in ecgs.items()}  # measuring takes long: others may tokenise
        with TOKENIZING:
            encoded = encode(self._placeholders.tokenizer(self.tokenizer, 1 + max(ecgs, default=-1)))
            row = {
                name: list(encoded[name])
                for name in ("input_ids", "attention_mask", "assistant_masks")
                if name in encoded
            }
            return self._placeholders.expand(row, ids)

    def _together(
        self, rows: Sequence[tuple[Row, list[Any]]], batched: bool, padding: Any, return_tensors: str | None
    ) -> BatchFeature:
        columns: dict[str, Any] = {name: [row[name] for row, _ in rows] for name in rows[0][0]}
        masks = columns.pop("assistant_masks", None)
        data = dict(self.tokenizer.pad(columns, padding=padding))
        if masks is not None:
            left = self.tokenizer.padding_side == "left"
            fills = [[0] * (len(ids) - len(mask)) for ids, mask in zip(data["input_ids"], masks, strict=True)]
            data["assistant_masks"] = [f + m if left else m + f for f, m in zip(fills, masks, strict=True)]
        if not batched and return_tensors is None:
            data = {name: values[0] for name, values in data.items()}
        features = [self._features(ecg) for _, ecgs in rows for ecg in ecgs]
        if features:
            data["input_features"] = pad_features(features)
        return BatchFeature(data, tensor_type=return_tensors)

    def _features(self, ecg: Any) -> np.ndarray:
        if is_recording(ecg):
            warn_of_length(as_record(ecg), self.ecg_max_duration)
            return self.encode_ecg(ecg)
        raise ValueError("ECG-LM reads recordings: it knows no ECG tokens or codes")

    # ------------------------------------------------------------------ ids → text, answers

    def decode(self, *args: Any, **kwargs: Any) -> str:
        """As the tokenizer's; the places of soft tokens are left out."""
        ids = np.asarray(args[0]).tolist()
        one = [ids] if isinstance(ids, int) else ids
        return str(self.tokenizer.decode([token for token in one if token != self.ecg_token_id], *args[1:], **kwargs))

    def batch_decode(self, sequences: Any, *args: Any, **kwargs: Any) -> list[str]:
        """As the tokenizer's; the places of soft tokens are left out."""
        return [self.decode(sequence, *args, **kwargs) for sequence in sequences]

    def answerer(self, model: Any) -> SoftTokenAnswerer:
        """A model for which this makes inputs, as it answers prompts (`ecg_answerer.Answerer`)."""
        from .ecg_lm_answerer import SoftTokenAnswerer

        return SoftTokenAnswerer(model, self)

    def prompt_ids(self) -> SoftPromptIds:
        """What makes the ids of a prompt with an ECG."""
        from .ecg_lm_answerer import SoftPromptIds

        return SoftPromptIds(self)


def _encoded(plain: PreTrainedTokenizerFast, text: str, options: Mapping[str, Any]) -> Any:
    return plain(text, **options)


def pad_features(features: Sequence[np.ndarray]) -> np.ndarray:
    """Features of recordings of any lengths in one array, float32 (ecgs, leads, samples), NaN behind their ends."""
    longest = max(one.shape[1] for one in features)
    padded = np.full((len(features), features[0].shape[0], longest), np.nan, dtype=np.float32)
    for row, one in zip(padded, features, strict=True):
        row[:, : one.shape[1]] = one
    return padded


ECGLMProcessor.register_for_auto_class("AutoProcessor")

__all__ = ["ECGLMProcessor", "pad_features"]
