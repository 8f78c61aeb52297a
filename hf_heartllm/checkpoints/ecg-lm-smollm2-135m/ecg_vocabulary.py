"""The ids of ECG tokens: behind a base vocabulary, with a text form each, made from and into recordings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

from .codec_handle import CodecHandle
from .decision_settings import SENTINELS
from .ecg_chat import AS_WRITTEN, check_ecg_chat
from .ecg_placeholders import as_record
from .feature_extraction_ecg import ECGFeatureExtractor
from .prompts import ECG_END_TOKEN, ECG_START_TOKEN

if TYPE_CHECKING:
    from .ecg_codec import ECGCodec
    from .ecg_record import ECGRecord


class ECGVocabulary(PreTrainedTokenizerFast):
    """A fast tokenizer whose vocabulary goes on behind its backend: start, end, and one id for each code of a codec."""

    _codec_handle: CodecHandle | None = None
    _feature_extractor: ECGFeatureExtractor | None = None

    @property
    def _handle(self) -> CodecHandle:
        if self._codec_handle is None:
            raise ValueError("this ECGTokenizer has no codec; make it with from_base or from_pretrained")
        return self._codec_handle

    @property
    def codec(self) -> ECGCodec:
        """The codec, in evaluation mode; built when first asked for."""
        return self._handle.model

    @property
    def feature_extractor(self) -> ECGFeatureExtractor:
        """What brings a recording to the codec's rate, leads and window."""
        if self._feature_extractor is None:
            raise ValueError("this ECGTokenizer has no feature extractor; make it with from_base or from_pretrained")
        return self._feature_extractor

    def _setting(self, name: str) -> int:
        return int(self.__dict__.get("init_kwargs", {}).get(name, 0))

    @property
    def ecg_token_offset(self) -> int:
        """Id of code 0."""
        return self._setting("ecg_token_offset")

    @property
    def ecg_codebook_size(self) -> int:
        """Number of codes."""
        return self._setting("ecg_codebook_size")

    @property
    def ecg_format_version(self) -> int:
        """Version of this layout of ids."""
        return self._setting("ecg_format_version")

    @property
    def ecg_start_token_id(self) -> int:
        """Id of `<|start_ecg|>`."""
        return self.ecg_token_offset - 2

    @property
    def ecg_end_token_id(self) -> int:
        """Id of `<|end_ecg|>`."""
        return self.ecg_token_offset - 1

    @property
    def ecg_max_duration(self) -> float | None:
        """Seconds of the longest recording that the language model was trained on; None where that is not known.

        The pipelines and `heartllm evaluate` read a longer one in windows of this length. Training sets it.
        """
        value = self.__dict__.get("init_kwargs", {}).get("ecg_max_duration")
        return None if value is None else float(value)

    @ecg_max_duration.setter
    def ecg_max_duration(self, seconds: float | None) -> None:
        if seconds is not None and not seconds > 0:
            raise ValueError(f"the longest recording is longer than 0 s, not {seconds}")
        self.init_kwargs["ecg_max_duration"] = seconds

    @property
    def ecg_chat(self) -> str:
        """How `apply_chat_template`, and the template of the plain export, show a conversation.

        "as written" as the base's template does; "ecgs first" with the ECGs of a message before its text; "one
        question" with the last question alone, behind its ECGs (`ecg_chat.ECG_CHATS`). Set it to how the model was
        trained; it is saved with the tokenizer.
        """
        return check_ecg_chat(self.__dict__.get("init_kwargs", {}).get("ecg_chat", AS_WRITTEN))

    @ecg_chat.setter
    def ecg_chat(self, value: str) -> None:
        self.init_kwargs["ecg_chat"] = check_ecg_chat(value)

    def _is_ecg_id(self, index: int) -> bool:
        return self.ecg_codebook_size > 0 and self.ecg_start_token_id <= index < len(self)

    def _ecg_forms(self) -> list[str]:
        size = self.ecg_codebook_size
        width = len(str(size - 1))
        return [ECG_START_TOKEN, ECG_END_TOKEN, *(f"<ecg_{code:0{width}d}>" for code in range(size))]

    def encode_ecg(self, record: ECGRecord, padding: bool = False, check: bool = True) -> list[int]:
        """A recording → the ids of its codes, without start and end token, window after window.

        Args:
            record: an `ECGRecord`, or a mapping with its fields.
            padding: whether to fill up a recording shorter than a window.
            check: whether to warn of what is wrong with it and to leave out what holds no signal (`ecg_checks`).

        Raises:
            ECGError: if the recording cannot be read by the codec.
        """
        import torch

        features = self.feature_extractor.extract(as_record(record), padding=padding, check=check)
        return self.codes_to_ids(self.codec.encode(torch.from_numpy(features)))

    def decode_ecg(self, ids: Sequence[int], sampling_rate: float | None = None) -> ECGRecord:
        """Ids of an ECG, with or without start and end token → the recording the codec makes of them.

        Args:
            ids: of whole windows.
            sampling_rate: Hz of the result; the codec's own by default.

        Returns:
            A record in mV with all twelve leads where the codec keeps amplitudes, else in z-scores.

        Raises:
            ValueError: if the ids are not those of an ECG, or not of whole windows where the codec reads windows.
        """
        import torch

        codes = self.ids_to_codes(ids)
        config = self.codec.config
        tokens = codes.size if config.window_samples is None else config.num_tokens(config.window_samples)
        if codes.size == 0:
            raise ValueError("there are no ECG tokens to decode")
        if codes.size % tokens:
            raise ValueError(f"{codes.size} ECG tokens are not whole windows of {tokens}")
        record = self.codec.to_record(self.codec.decode(torch.from_numpy(codes.reshape(-1, 1, tokens))))
        return record if sampling_rate is None else record.resample(sampling_rate)

    def codes_to_ids(self, codes: Any) -> list[int]:
        """The first codebook's codes (tokens,), (windows, tokens) or (windows, 1, tokens) → ids, window by window."""
        array = np.asarray(codes.cpu() if hasattr(codes, "cpu") else codes)
        if array.ndim == 3 and array.shape[1] != 1:
            raise ValueError(f"a language model reads the codes of one codebook, got {array.shape[1]}")
        flat, size = array.reshape(-1), self.ecg_codebook_size
        if flat.size and not (np.issubdtype(flat.dtype, np.integer) and 0 <= flat.min() <= flat.max() < size):
            raise ValueError(f"codes must be integers from 0 to {size - 1}")
        return [int(code) + self.ecg_token_offset for code in flat]

    def ids_to_codes(self, ids: Sequence[int]) -> np.ndarray:
        """Ids of one ECG, with or without start and end token → its codes, int64 (tokens,).

        Raises:
            ValueError: for any other id.
        """
        flat = as_ints(ids)
        if flat and flat[0] == self.ecg_start_token_id:
            flat = flat[1:]
        if flat and flat[-1] == self.ecg_end_token_id:
            flat = flat[:-1]
        codes = np.array(flat, dtype=np.int64) - self.ecg_token_offset
        wrong = np.flatnonzero((codes < 0) | (codes >= self.ecg_codebook_size))
        if wrong.size:
            raise ValueError(f"id {flat[wrong[0]]} at position {wrong[0]} is not an ECG token")
        return codes

    def ecg_ids_to_text(self, ids: Sequence[int]) -> str:
        """Ids of ECG tokens (start and end token allowed) → their text form, for servers with the plain tokenizer."""
        flat = as_ints(ids)
        wrong = next((i for i in flat if not self._is_ecg_id(i)), None)
        if wrong is not None:
            raise ValueError(f"id {wrong} is not an ECG token")
        return "".join(self.convert_ids_to_tokens(flat))

    def ecg_text_to_ids(self, text: str) -> list[int]:
        """The inverse of `ecg_ids_to_text`; this is the only way from text to ECG tokens.

        Args:
            text: ECG tokens in their text form, with or without start and end token; white space around them, such as
                the end of a line, does not count.

        Raises:
            ValueError: if the text holds anything but ECG tokens in their text form.
        """
        forms = {form: self.ecg_start_token_id + index for index, form in enumerate(self._ecg_forms())}
        text = text.strip()
        pieces = re.findall(r"<[^<>]*>", text)
        if "".join(pieces) != text or not all(piece in forms for piece in pieces):
            raise ValueError("the text is not a sequence of ECG tokens in their text form, and nothing else")
        return [forms[piece] for piece in pieces]

    def __len__(self) -> int:
        return super().__len__() if not self.ecg_codebook_size else self.ecg_token_offset + self.ecg_codebook_size

    def get_vocab(self) -> dict[str, int]:
        """Every token, those of ECGs in their text form, and its id."""
        vocabulary: dict[str, int] = super().get_vocab()
        if self.ecg_codebook_size:
            vocabulary.update({form: self.ecg_start_token_id + i for i, form in enumerate(self._ecg_forms())})
        return vocabulary

    def _convert_id_to_token(self, index: int) -> str | None:
        index = int(index)
        if not self._is_ecg_id(index):
            token: str | None = super()._convert_id_to_token(index)
            return token
        code = index - self.ecg_token_offset
        if code < 0:
            return ECG_START_TOKEN if code == -2 else ECG_END_TOKEN
        return f"<ecg_{code:0{len(str(self.ecg_codebook_size - 1))}d}>"

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """Ids → tokens; an ECG token is shown in its text form, and counts as special."""
        if isinstance(ids, (int, np.integer)):
            return self._convert_id_to_token(int(ids))
        flat = as_ints(ids)
        skipped = set(self.all_special_ids) if skip_special_tokens else set()
        return [
            self._convert_id_to_token(index)
            for index in flat
            if not (skip_special_tokens and (index in skipped or self._is_ecg_id(index)))
        ]

    def _decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **kwargs: Any,
    ) -> str:
        """Ids → text; ECG tokens in their text form, or left out with `skip_special_tokens`."""
        ids = as_ints(token_ids["input_ids"] if isinstance(token_ids, dict) else token_ids)
        if skip_special_tokens or not any(map(self._is_ecg_id, ids)):
            ids = [index for index in ids if not self._is_ecg_id(index)]
            plain: str = super()._decode(ids, skip_special_tokens, clean_up_tokenization_spaces, **kwargs)
            return plain
        tokens = [token for token in map(self._convert_id_to_token, ids) if token is not None]
        text: str = self.convert_tokens_to_string(tokens)
        return text

    def add_special_tokens(self, special_tokens_dict: dict[str, Any], *args: Any, **kwargs: Any) -> int:
        """Give tokens that the text vocabulary has a special meaning.

        Raises:
            ValueError: for a token it has not; its id would be that of an ECG token.
        """
        for value in special_tokens_dict.values():  # before anything is changed
            self._refuse_unknown(list(value) if isinstance(value, (list, tuple)) else [value])
        added: int = super().add_special_tokens(special_tokens_dict, *args, **kwargs)
        return added

    def _add_tokens(self, new_tokens: list[str | AddedToken], special_tokens: bool = False) -> int:
        self._refuse_unknown(new_tokens)
        added: int = super()._add_tokens(new_tokens, special_tokens=special_tokens)
        return added

    def _refuse_unknown(self, tokens: Sequence[str | AddedToken]) -> None:
        unknown = [str(token) for token in tokens if self._tokenizer.token_to_id(str(token)) is None]
        if unknown and self.ecg_codebook_size and SENTINELS.issuperset(unknown):
            raise ValueError(
                "the decision pipeline puts an ECG into a text, where this tokenizer reads none: use "
                'pipeline("ecg-question-answering"), or the plain export (save_language_model), which reads its text '
                "form"
            )
        if unknown and self.ecg_codebook_size:
            raise ValueError(
                f"cannot add {unknown[0]!r}: its id would be that of an ECG token; add text tokens to the base "
                "tokenizer and make a new one with ECGTokenizer.from_base"
            )


def as_ints(ids: Any) -> list[int]:
    """One id, a sequence, an array or a tensor of ids → list[int]."""
    if hasattr(ids, "tolist"):
        ids = ids.tolist()
    return [int(ids)] if isinstance(ids, (int, np.integer)) else [int(index) for index in ids]
