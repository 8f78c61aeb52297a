"""`ECGTokenizer`: the vocabulary of any fast tokenizer, plus tokens that only an ECG can become."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import AddedToken
from transformers import BatchEncoding, PreTrainedTokenizerFast
from transformers.tokenization_utils_base import PaddingStrategy, TruncationStrategy
from transformers.utils.hub import cached_file, extract_commit_hash

from .codec_handle import CodecHandle
from .ecg_placeholders import (
    TOKENIZING,
    PlaceholderReader,
    Row,
    as_record,
    ecg_list,
    flatten_conversation,
    is_recording,
)
from .ecg_record import ECGRecord, ECGWarning
from .ecg_vocabulary import ECGVocabulary
from .feature_extraction_ecg import ECGFeatureExtractor
from .plain_tokenizer import bare_backend, next_token_id, tokenizer_settings, write_plain_tokenizer
from .prompts import DEFAULT_CHAT_TEMPLATE, ECG_END_TOKEN, ECG_PLACEHOLDER, ECG_START_TOKEN

if TYPE_CHECKING:
    from .modeling_ecg_codec import ECGCodecModel

FORMAT_VERSION = 1
CODEC_FOLDER = "codec"
EMBEDDED_CHECKPOINT = Path(__file__).resolve().parents[1] / "checkpoints" / "heartllm-tiny"

_AS_TEXT = object()  # an ECG placeholder in this text is ordinary text
_HUB_ARGUMENTS = ("cache_dir", "force_download", "local_files_only", "token", "subfolder", "proxies")
_SAMPLE_TEXTS = ("Does this ECG show atrial fibrillation?", " QTc 440 ms,\n axis -30°; sinus  rhythm.")


class ECGTokenizer(ECGVocabulary):
    """Text and 12-lead ECGs → token ids, and back.

    The text side is the base's own tokenizer, which knows no ECG token: nothing that is written in a text can become
    one. ECG ids lie behind its vocabulary: `ecg_start_token_id`, `ecg_end_token_id`, then `ecg_token_offset + code`.
    Only `encode_ecg` makes them from a recording and only `ecg_text_to_ids` from text.

    `vocab_size` stays the base's number (without added tokens); `len(tokenizer)` counts every id, those of ECGs
    included. `get_vocab` and `convert_ids_to_tokens` show ECG tokens in their text form; `convert_tokens_to_ids` takes
    text, so it knows only the text vocabulary.

    Make one with `ECGTokenizer.from_base`, load one with `from_pretrained`. Text tokens can no longer be added: add
    them to the base.
    """

    _placeholders: PlaceholderReader | None = None

    # No __init__: transformers rebuilds the backend of a class that defines one, and the result tokenises differently.

    # ------------------------------------------------------------------ making, loading, saving

    @classmethod
    def from_base(
        cls,
        tokenizer: PreTrainedTokenizerFast,
        codec: ECGCodecModel,
        feature_extractor: ECGFeatureExtractor | None = None,
    ) -> ECGTokenizer:
        """Put ECG tokens behind a base vocabulary.

        Args:
            tokenizer: any fast tokenizer. Its chat template and special tokens are kept; padding is on the left, as
                generation needs it. A base without a padding token gets `<|pad|>`, one without a chat template gets
                `prompts.DEFAULT_CHAT_TEMPLATE`.
            codec: makes the codes.
            feature_extractor: by default the one the codec's configuration asks for.

        Raises:
            ValueError: if the base is no fast tokenizer, already has ECG tokens, has gaps in its ids, or tokenises
                differently when its backend is used alone.
        """
        if not getattr(tokenizer, "is_fast", False):
            raise ValueError(f"the base must be a fast tokenizer (with a tokenizer.json), got {type(tokenizer)}")
        backend = bare_backend(tokenizer)
        special = dict(tokenizer._special_tokens_map)
        if tokenizer.pad_token is None:
            special["pad_token"] = AddedToken("<|pad|>", special=True, normalized=False)
            backend.add_special_tokens([special["pad_token"]])
        vocabulary = backend.get_vocab(with_added_tokens=True)
        taken = [text for text in vocabulary if text in (ECG_START_TOKEN, ECG_END_TOKEN) or text.startswith("<ecg_")]
        if taken:
            raise ValueError(f"the base vocabulary already has {taken[0]!r}; use the tokenizer it was made from")
        first = next_token_id(backend)
        if max(vocabulary.values()) >= first:
            raise ValueError("the ids of the base vocabulary have gaps, so ECG tokens have no place behind them")
        made = cls(
            tokenizer_object=backend,
            **tokenizer_settings(tokenizer, special),
            ecg_token_offset=first + 2,
            ecg_codebook_size=int(codec.config.codebook_size),
            ecg_format_version=FORMAT_VERSION,
        )
        made.padding_side = made.init_kwargs["padding_side"] = "left"
        if made.chat_template is None:
            made.chat_template = DEFAULT_CHAT_TEMPLATE
        for text in _SAMPLE_TEXTS:
            if made.encode(text) != tokenizer.encode(text):
                raise ValueError(
                    f"{type(tokenizer).__name__} treats text in ways that its tokenizer.json does not hold"
                )
        extractor = feature_extractor or ECGFeatureExtractor.from_codec(codec.config)
        return made._attach(CodecHandle.from_model(codec), extractor)

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str] | None = None, *init_inputs: Any, **kwargs: Any
    ) -> ECGTokenizer:
        """Load tokenizer, feature extractor and codec from one folder or Hub repository, all of the same revision.

        Args:
            pretrained_model_name_or_path: folder or repository; the embedded checkpoint when not given (only where the
                whole package is installed).
            kwargs: as for any tokenizer (`revision`, `cache_dir`, `token`, `local_files_only`, `subfolder`, …).

        Raises:
            OSError: if the folder or repository has no such files.
        """
        if pretrained_model_name_or_path is None:
            if not EMBEDDED_CHECKPOINT.is_dir():
                raise OSError("there is no embedded checkpoint beside this code; name a folder or repository")
            pretrained_model_name_or_path = EMBEDDED_CHECKPOINT
        name = str(pretrained_model_name_or_path)
        hub = {key: kwargs[key] for key in _HUB_ARGUMENTS if kwargs.get(key) is not None}
        revision = kwargs.pop("revision", None) or "main"
        config_file = cached_file(name, "tokenizer_config.json", revision=revision, **hub)
        revision = extract_commit_hash(config_file, None) or revision  # a branch could move between two files
        made = super().from_pretrained(name, *init_inputs, revision=revision, **kwargs)
        for leak in ("is_local", "local_files_only"):
            made.init_kwargs.pop(leak, None)
        extractor = ECGFeatureExtractor.from_pretrained(name, revision=revision, **hub)
        folder = "/".join(part for part in (hub.pop("subfolder", ""), CODEC_FOLDER) if part)
        files = [
            cached_file(name, file, subfolder=folder, revision=revision, **hub)
            for file in ("config.json", "model.safetensors")
        ]
        return made._attach(CodecHandle.from_files(*files), extractor)

    def _attach(self, codec: CodecHandle, feature_extractor: ECGFeatureExtractor) -> ECGTokenizer:
        if codec.config.codebook_size != self.ecg_codebook_size:
            raise ValueError(
                f"the codec has {codec.config.codebook_size} codes, the tokenizer {self.ecg_codebook_size} ECG tokens"
            )
        self._codec_handle, self._feature_extractor = codec, feature_extractor
        self._placeholders = PlaceholderReader()
        return self

    def _save_pretrained(self, save_directory: str | os.PathLike[str], *args: Any, **kwargs: Any) -> tuple[str, ...]:
        files = super()._save_pretrained(save_directory, *args, **kwargs)
        if self._auto_class is not None:  # then the codec and the extractor can be loaded on their own, too
            type(self.codec).register_for_auto_class("AutoModel")
            type(self.codec.config).register_for_auto_class()
            type(self.feature_extractor).register_for_auto_class("AutoFeatureExtractor")
        self.feature_extractor.save_pretrained(save_directory)
        folder = Path(save_directory) / CODEC_FOLDER
        folder.mkdir(exist_ok=True)
        written = []
        with tempfile.TemporaryDirectory(dir=save_directory) as scratch:
            # Code lies at the root of the folder only; what the codec's own saving copies here is left behind.
            self.codec.save_pretrained(scratch)
            self._handle.write_weights(Path(scratch) / "model.safetensors")
            for file in ("config.json", "model.safetensors"):
                os.replace(Path(scratch) / file, folder / file)
                written.append(str(folder / file))
        return (*files, *written)

    def save_plain_tokenizer(self, save_directory: str | os.PathLike[str]) -> tuple[str, ...]:
        """Write the tokenizer of a plain language model, for servers that run none of this code.

        There every ECG token is an ordinary special token with the id it has here, so a prompt with an ECG in its text
        form (`ecg_ids_to_text`) has the ids it has here. Whoever writes prompts to such a server can therefore write
        ECG tokens too.
        """
        return write_plain_tokenizer(self, self._ecg_forms(), self.ecg_start_token_id, save_directory)

    # ------------------------------------------------------------------ text with ECGs → ids

    def __call__(  # type: ignore[override]
        self, text: Any = None, text_pair: Any = None, text_target: Any = None, *, ecgs: Any = None, **kwargs: Any
    ) -> BatchEncoding:
        """Tokenise texts, with an ECG at each `<ecg>`.

        The base's own additions (BOS, EOS) stand once around the whole text. The text around an ECG is tokenised as it
        is around an added token of the base. A recording longer than a window gives its windows one after another,
        between one start and one end token.

        Args:
            text: a text or a list of texts.
            ecgs: for a text one ECG or a list of them, for a list of texts a list with one such entry (or None) for
                each. An ECG is an `ECGRecord`, a mapping with its fields, or the ids from `encode_ecg`.
            kwargs: as for any tokenizer. With ECGs there are no text pairs, offsets, overflowing tokens or
                pre-tokenised words.

        Raises:
            ValueError: if the number of `<ecg>` in a text differs from its number of ECGs (also without `ecgs`; the
                methods `encode` and `tokenize` take the word as ordinary text then), or truncation would cut an ECG.
            ECGError: if a recording cannot be read.
        """
        if ecgs is None and not kwargs.get("is_split_into_words"):
            for one in [text] if isinstance(text, str) else text or []:
                if isinstance(one, str):
                    _check_count(one, 0)
        if ecgs is None or ecgs is _AS_TEXT:
            with TOKENIZING:
                return super().__call__(text, text_pair, text_target, **kwargs)
        refused = ("is_split_into_words", "return_overflowing_tokens", "return_offsets_mapping", "stride")
        wrong = [name for name in (*refused, "text_pair_target") if kwargs.pop(name, None)]
        if text_pair is not None or text_target is not None or wrong:
            raise ValueError(
                "with ecgs a tokenizer takes plain texts only, " + (wrong[0] if wrong else "no second text")
            )
        batched = not isinstance(text, str)
        texts = list(text) if batched else [text]
        if batched and (not isinstance(ecgs, Sequence) or len(ecgs) != len(texts)):
            raise ValueError(f"{len(texts)} texts need a list with {len(texts)} entries in ecgs, one for each text")
        given = [ecg_list(one) for one in (ecgs if batched else [ecgs])]
        for one, its_ecgs in zip(texts, given, strict=True):
            _check_count(one, len(its_ecgs))

        def encode(index: int, plain: PreTrainedTokenizerFast, **options: Any) -> BatchEncoding:
            pieces = texts[index].split(ECG_PLACEHOLDER)
            marks = [*self._reader.placeholders(len(pieces) - 1), ""]
            return plain("".join(piece + mark for piece, mark in zip(pieces, marks, strict=True)), **options)

        return self._encode_with_ecgs(encode, given, batched, **kwargs)

    def encode(self, text: Any, text_pair: Any = None, *args: Any, ecgs: Any = None, **kwargs: Any) -> list[int]:
        """As the base's `encode`; with `ecgs` the `input_ids` of calling the tokenizer."""
        if ecgs is None:
            with TOKENIZING:
                return super().encode(text, text_pair, *args, **kwargs)
        if args:
            raise TypeError("with ecgs, give the options of encode by name")
        return self(text, text_pair, ecgs=ecgs, **kwargs)["input_ids"]

    def tokenize(self, *args: Any, **kwargs: Any) -> list[str]:
        """As the base's `tokenize`."""
        with TOKENIZING:
            return super().tokenize(*args, **kwargs)  # type: ignore[no-any-return]

    def apply_chat_template(  # type: ignore[override]
        self,
        conversation: Any,
        *args: Any,
        tokenize: bool = True,
        padding: Any = False,
        truncation: Any = False,
        max_length: int | None = None,
        return_tensors: Any = None,
        return_dict: bool = True,
        tokenizer_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Render conversations with the chat template and tokenise them, ECGs included.

        The content of a message is a string or a list of parts `{"type": "text", "text": …}` and `{"type": "ecg",
        "ecg": …}` (an `ECGRecord`, a mapping with its fields, or ids). Parts are joined to a string before the template
        sees them, so a template that knows only strings works. Here `<ecg>` in a text is ordinary text: only a part can
        be an ECG. With `tokenize=False` an ECG is shown as `<ecg>`.

        Args and returns as for any tokenizer.

        Raises:
            ValueError: for other parts, if the template drops or repeats an ECG, or truncation would cut one.
            ECGError: if a recording cannot be read.
        """
        batched = len(conversation) > 0 and not hasattr(conversation[0], "get")
        chats = [getattr(chat, "messages", chat) for chat in (conversation if batched else [conversation])]
        flattened = [flatten_conversation(chat) for chat in chats]
        options = dict(tokenizer_kwargs or {})
        if not tokenize or not any(ecgs for _, ecgs in flattened):
            flat = [chat for chat, _ in flattened]
            if tokenize:
                options["ecgs"] = _AS_TEXT
            with TOKENIZING:
                return super().apply_chat_template(
                    flat if batched else flat[0],
                    *args,
                    tokenize=tokenize,
                    padding=padding,
                    truncation=truncation,
                    max_length=max_length,
                    return_tensors=return_tensors,
                    return_dict=return_dict,
                    tokenizer_kwargs=options,
                    **kwargs,
                )

        def encode(index: int, plain: PreTrainedTokenizerFast, **limits: Any) -> BatchEncoding:
            marks = self._reader.placeholders(len(flattened[index][1]))
            chat, _ = flatten_conversation(chats[index], marks)
            names = ("truncation", "max_length")
            return plain.apply_chat_template(
                chat,
                *args,
                **{name: limits.pop(name) for name in names if name in limits},
                tokenizer_kwargs={name: value for name, value in limits.items() if name != "add_special_tokens"},
                **kwargs,
            )

        out = self._encode_with_ecgs(
            encode,
            [ecgs for _, ecgs in flattened],
            batched,
            padding=padding,
            truncation=truncation,
            max_length=max_length,
            return_tensors=return_tensors,
            **options,
        )
        return out if return_dict else out["input_ids"]

    @property
    def _reader(self) -> PlaceholderReader:
        if self._placeholders is None:
            raise ValueError("this ECGTokenizer has no codec; make it with from_base or from_pretrained")
        return self._placeholders

    def _encode_with_ecgs(
        self,
        encode: Any,
        ecgs: list[list[Any]],
        batched: bool,
        *,
        padding: Any = False,
        truncation: Any = None,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: Any = None,
        return_attention_mask: bool | None = None,
        return_length: bool = False,
        verbose: bool = True,
        tokenizer_kwargs: dict[str, Any] | None = None,
        **options: Any,
    ) -> BatchEncoding:
        """Rows of text with placeholders → rows with ECG ids, cut, padded and batched as asked for."""
        pads, cuts, max_length, _ = self._get_padding_truncation_strategies(
            padding, truncation, max_length, pad_to_multiple_of, verbose
        )
        rows: list[Row] = []
        for index, its_ecgs in enumerate(ecgs):
            blocks = [self._ecg_block(ecg) for ecg in its_ecgs]
            limits: dict[str, Any] = {}
            with TOKENIZING:
                plain = self._reader.tokenizer(self, len(blocks))
                if cuts != TruncationStrategy.DO_NOT_TRUNCATE:
                    assert max_length is not None
                    room = max_length - sum(len(block) - 1 for block in blocks)
                    if room <= plain.num_special_tokens_to_add() + len(blocks) - 1:
                        raise ValueError(
                            f"truncation to {max_length} tokens would cut an ECG: the ECGs alone have "
                            f"{sum(map(len, blocks))}; raise max_length"
                        )
                    limits = {"truncation": cuts, "max_length": room}
                encoded = encode(index, plain, verbose=False, **limits, **options, **(tokenizer_kwargs or {}))
                row = self._reader.expand({name: list(values) for name, values in encoded.items()}, blocks)
            self._eventual_warn_about_too_long_sequence(row["input_ids"], max_length, verbose)
            rows.append(row)
        return self._batch(
            rows, batched, pads, max_length, pad_to_multiple_of, padding_side, return_tensors, return_attention_mask,
            return_length,
        )  # fmt: skip

    def _batch(
        self,
        rows: list[Row],
        batched: bool,
        padding: PaddingStrategy,
        max_length: int | None,
        pad_to_multiple_of: int | None,
        padding_side: str | None,
        return_tensors: Any,
        return_attention_mask: bool | None,
        return_length: bool,
    ) -> BatchEncoding:
        columns: dict[str, list[list[int]]] = {name: [row[name] for row in rows] for name in rows[0]}
        masks = columns.pop("assistant_masks", None)  # the base's pad does not know them
        data = dict(
            self.pad(
                columns,
                padding=padding,
                max_length=max_length,
                pad_to_multiple_of=pad_to_multiple_of,
                padding_side=padding_side,
                return_attention_mask=return_attention_mask,
            )
        )
        if return_attention_mask is False:
            data.pop("attention_mask", None)
        lengths = [len(ids) for ids in data["input_ids"]]
        if masks is not None:
            left = (padding_side or self.padding_side) == "left"
            fills = [[0] * (length - len(mask)) for length, mask in zip(lengths, masks, strict=True)]
            data["assistant_masks"] = [f + m if left else m + f for f, m in zip(fills, masks, strict=True)]
        if return_length:
            data["length"] = lengths
        if not batched and return_tensors is None:
            data = {name: values[0] for name, values in data.items()}
        return BatchEncoding(data, tensor_type=return_tensors)

    def _ecg_block(self, ecg: Any) -> list[int]:
        """A recording or its ids → the ids that take its place in a text."""
        if is_recording(ecg):
            ids = self.encode_ecg(ecg)
            self._warn_of_length(as_record(ecg))
        else:
            ids = self.codes_to_ids(self.ids_to_codes(ecg))
        return [self.ecg_start_token_id, *ids, self.ecg_end_token_id]

    def _warn_of_length(self, record: ECGRecord) -> None:
        longest = self.ecg_max_duration
        if longest is not None and record.duration > 1.01 * longest:
            warnings.warn(
                f"{record.source or 'record'}: {record.duration:g} s in one prompt, and the language model was trained "
                f"on {longest:g} s at most: give it windows, as the pipelines do",
                ECGWarning,
                stacklevel=5,
            )

    def update_post_processor(self) -> None:
        """As the base's; the copy that reads text around ECGs follows."""
        super().update_post_processor()
        if self._placeholders is not None:
            self._placeholders.reset()

    def train_new_from_iterator(self, *args: Any, **kwargs: Any) -> Any:
        """Not here: train a base tokenizer and give it to `from_base`."""
        raise NotImplementedError("train a base tokenizer and give it to ECGTokenizer.from_base")


def _check_count(text: str, ecgs: int) -> None:
    count = text.count(ECG_PLACEHOLDER)
    if count != ecgs:
        raise ValueError(f"the text has {count} placeholder(s) {ECG_PLACEHOLDER} but {ecgs} ECG(s) were given")


# transformers runs a checkpoint's entry file without making it an attribute of its package, as an import would. dill
# then cannot find the class by name, and the fingerprints of datasets fail.
_package, _, _module = __name__.rpartition(".")
if _package in sys.modules:
    setattr(sys.modules[_package], _module, sys.modules[__name__])
