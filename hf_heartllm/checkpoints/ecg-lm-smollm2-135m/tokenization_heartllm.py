"""`ECGTokenizer`: the vocabulary of any fast tokenizer, plus tokens that only an ECG can become."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import AddedToken
from transformers import BatchEncoding, PreTrainedTokenizerFast
from transformers.utils.hub import cached_file, extract_commit_hash

from .card_files import write_card_files
from .checkpoint_files import default_checkpoint, file_beside
from .codec_handle import CodecHandle
from .ecg_chat import AS_WRITTEN, ONE_QUESTION, arranged_template, check_ecg_chat, leaves_out
from .ecg_placeholders import TOKENIZING, PlaceholderReader, flatten_conversation
from .ecg_texts import ECGTexts
from .feature_extraction_ecg import SHARED_WITH_CODEC, ECGFeatureExtractor
from .format_versions import check_format_version
from .plain_tokenizer import bare_backend, next_token_id, tokenizer_settings, write_plain_tokenizer
from .prompts import DEFAULT_CHAT_TEMPLATE, ECG_END_TOKEN, ECG_PLACEHOLDER, ECG_START_TOKEN

if TYPE_CHECKING:
    from .ecg_answerer import TokenAnswerer
    from .ecg_codec import ECGCodec
    from .ecg_prompts import PromptIds

FORMAT_VERSION = 1
CODEC_FOLDER = "codec"

_HUB_ARGUMENTS = ("cache_dir", "force_download", "local_files_only", "token", "subfolder", "proxies")
_SAMPLE_TEXTS = ("Does this ECG show atrial fibrillation?", " QTc 440 ms,\n axis -30°; sinus  rhythm.")


class ECGTokenizer(ECGTexts):
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

    # No __init__: transformers rebuilds the backend of a class that defines one, and the result tokenises differently.

    # ------------------------------------------------------------------ making, loading, saving

    @classmethod
    def from_base(
        cls,
        tokenizer: PreTrainedTokenizerFast,
        codec: ECGCodec,
        feature_extractor: ECGFeatureExtractor | None = None,
        ecg_chat: str = AS_WRITTEN,
    ) -> ECGTokenizer:
        """Put ECG tokens behind a base vocabulary.

        Args:
            tokenizer: any fast tokenizer. Its chat template and special tokens are kept; padding is on the left, as
                generation needs it. A base without a padding token gets `<|pad|>`, one without a chat template gets
                `prompts.DEFAULT_CHAT_TEMPLATE`.
            codec: makes the codes.
            feature_extractor: by default the one the codec's configuration asks for.
            ecg_chat: how conversations are shown to the model: "as written" by the base's template, "ecgs first" with
                the ECGs of a message before its text, "one question" with the last question and its ECGs alone.

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
            ecg_chat=check_ecg_chat(ecg_chat),
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
            ValueError: if it is a checkpoint of ECG-LM, which reads ECGs without tokens.
        """
        if pretrained_model_name_or_path is None:
            pretrained_model_name_or_path = default_checkpoint()
        name = str(pretrained_model_name_or_path)
        hub = {key: kwargs[key] for key in _HUB_ARGUMENTS if kwargs.get(key) is not None}
        revision = kwargs.pop("revision", None) or "main"
        config_file = cached_file(name, "tokenizer_config.json", revision=revision, **hub)
        revision = extract_commit_hash(config_file, None) or revision  # a branch could move between two files
        made: ECGTokenizer = super().from_pretrained(name, *init_inputs, revision=revision, **kwargs)
        made._commit = None if os.path.isdir(name) else revision
        for leak in ("is_local", "local_files_only"):
            made.init_kwargs.pop(leak, None)
        extractor = ECGFeatureExtractor.from_pretrained(name, revision=revision, **hub)
        folder = "/".join(part for part in (hub.pop("subfolder", ""), CODEC_FOLDER) if part)
        there = {**hub, "subfolder": folder, "revision": revision}
        try:
            files = [cached_file(name, file, **there) for file in ("config.json", "model.safetensors")]
        except OSError:
            if file_beside(name, "processor_config.json", revision) is None:
                raise
            raise ValueError(
                f"{name}: a checkpoint of ECG-LM, which reads ECGs without tokens: ECGLMProcessor loads it"
            ) from None
        return made._attach(CodecHandle.from_files(*files), extractor)

    def _attach(self, codec: CodecHandle, feature_extractor: ECGFeatureExtractor) -> ECGTokenizer:
        check_format_version("ECG tokenizer", self.ecg_format_version or None, FORMAT_VERSION, __name__)
        if codec.config.codebook_size != self.ecg_codebook_size:
            raise ValueError(
                f"the codec has {codec.config.codebook_size} codes, the tokenizer {self.ecg_codebook_size} ECG tokens"
            )
        for name in SHARED_WITH_CODEC:
            ours, asked = getattr(feature_extractor, name), getattr(codec.config, name)
            if ours != asked:
                raise ValueError(
                    f"the feature extractor has {name}={ours}, the codec was made for {asked}: "
                    "take ECGFeatureExtractor.from_codec(codec.config)"
                )
        self._codec_handle, self._feature_extractor = codec, feature_extractor
        self._placeholders = PlaceholderReader()
        return self

    def _save_pretrained(self, save_directory: str | os.PathLike[str], *args: Any, **kwargs: Any) -> tuple[str, ...]:
        files = super()._save_pretrained(save_directory, *args, **kwargs)
        if self._auto_class is not None:  # then the codec and the extractor can be loaded on their own, too
            if type(self.codec).__module__.rpartition(".")[0] == __package__:  # the code of others stays where it is
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

    def _upload_modified_files(
        self, working_dir: str | os.PathLike[str], repo_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        """As for any tokenizer, with a card and the licences of where it came from, in one commit."""
        write_card_files(self, working_dir, repo_id, self.name_or_path, getattr(self, "_commit", None))
        return super()._upload_modified_files(working_dir, repo_id, *args, **kwargs)

    def save_plain_tokenizer(self, save_directory: str | os.PathLike[str]) -> tuple[str, ...]:
        """Write the tokenizer of a plain language model, for servers that run none of this code.

        There every ECG token is an ordinary special token with the id it has here, so a prompt with an ECG in its text
        form (`ecg_ids_to_text`) has the ids it has here. Whoever writes prompts to such a server can therefore write
        ECG tokens too.
        """
        return write_plain_tokenizer(self, self._ecg_forms(), self.ecg_start_token_id, save_directory)

    # ------------------------------------------------------------------ conversations with ECGs → ids

    def apply_chat_template(
        self,
        conversation: Any,
        tools: Any = None,
        documents: Any = None,
        chat_template: str | None = None,
        *,
        ecgs: Any = None,
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
        "ecg": …}` (an `ECGRecord`, a mapping with its fields, or ids) or `{"type": "ecg", "codes": …}` (as data sets
        hold them). Parts are joined to a string before the template sees them, so a template that knows only strings
        works. `ecg_chat` says where the ECGs then stand and which turns are shown. With `tokenize=False` an ECG is
        shown as `<ecg>`.

        Args and returns as for any tokenizer, but
            ecgs: False takes `<ecg>` in a text as ordinary text. ECGs themselves are parts of the conversation.

        Raises:
            ValueError: for other parts, for `<ecg>` in a text, if the template drops or repeats an ECG that `ecg_chat`
                shows, or truncation would cut one.
            ECGError: if a recording cannot be read.
        """
        if ecgs is not None and ecgs is not False:
            raise ValueError("in a conversation an ECG is a part of the content: {'type': 'ecg', 'ecg': record}")
        batched = len(conversation) > 0 and not hasattr(conversation[0], "get")
        chats = [getattr(chat, "messages", chat) for chat in (conversation if batched else [conversation])]
        one_question = self.ecg_chat == ONE_QUESTION
        if one_question and not all(any(message.get("role") == "user" for message in chat) for chat in chats):
            raise ValueError("this model answers the last message of the user, and the conversation has none")
        if one_question and any(map(leaves_out, chats)):
            warnings.warn(
                "this model answers each question by itself: system messages and earlier turns are left out (ecg_chat "
                f"is {ONE_QUESTION!r})",
                stacklevel=2,
            )
        flattened = [
            flatten_conversation(chat, lambda i: self._reader.text(i), literal=ecgs is False) for chat in chats
        ]
        shared = {
            "tools": tools,
            "documents": documents,
            "chat_template": arranged_template(self.get_chat_template(chat_template, tools), self.ecg_chat),
            **({} if self._placeholders is None else self._placeholders.ends()),
            **kwargs,
        }
        options = dict(tokenizer_kwargs or {})

        def render(chat: Any) -> str:
            without = ("return_assistant_tokens_mask", "sanitize_control_tokens")  # they ask for tokens
            settings = {name: value for name, value in shared.items() if name not in without}
            with TOKENIZING:
                return str(PreTrainedTokenizerFast.apply_chat_template(self, chat, tokenize=False, **settings))

        if not tokenize:
            texts = [render(flat) for flat, _ in flattened]
            for row, (_, parts) in enumerate(flattened):
                for number in range(len(parts)):
                    texts[row] = texts[row].replace(self._reader.text(number), ECG_PLACEHOLDER)
            return texts if batched else texts[0]
        if not any(its_ecgs for _, its_ecgs in flattened):
            flats = [flat for flat, _ in flattened]
            with TOKENIZING:
                return super().apply_chat_template(
                    flats if batched else flats[0],
                    padding=padding,
                    truncation=truncation,
                    max_length=max_length,
                    return_tensors=return_tensors,
                    return_dict=return_dict,
                    tokenizer_kwargs={**options, "ecgs": False},
                    **shared,
                )
        shown = [dict(enumerate(its_ecgs)) for _, its_ecgs in flattened]
        if one_question:  # ECGs of earlier turns are left out on purpose
            for row, (flat, parts) in enumerate(flattened):
                text = render(flat) if len(parts) > 1 else ""
                if text:
                    shown[row] = {i: ecg for i, ecg in enumerate(parts) if self._reader.text(i) in text}

        def encode(index: int, plain: PreTrainedTokenizerFast, **limits: Any) -> BatchEncoding:
            names = ("truncation", "max_length")
            return plain.apply_chat_template(
                flattened[index][0],
                **{name: limits.pop(name) for name in names if name in limits},
                tokenizer_kwargs={name: value for name, value in limits.items() if name != "add_special_tokens"},
                **shared,
            )

        out = self._encode_with_ecgs(
            encode,
            shown,
            batched,
            padding=padding,
            truncation=truncation,
            max_length=max_length,
            return_tensors=return_tensors,
            **options,
        )
        return out if return_dict else out["input_ids"]

    def answerer(self, model: Any) -> TokenAnswerer:
        """A model whose ECG tokens these are, as it answers prompts (`ecg_answerer.Answerer`)."""
        from .ecg_answerer import TokenAnswerer

        return TokenAnswerer(model, self)

    def prompt_ids(self) -> PromptIds:
        """What makes the ids of a prompt with an ECG."""
        from .ecg_prompts import PromptIds

        return PromptIds(self)

    def train_new_from_iterator(self, *args: Any, **kwargs: Any) -> Any:
        """Not here: train a base tokenizer and give it to `from_base`."""
        raise NotImplementedError("train a base tokenizer and give it to ECGTokenizer.from_base")


# transformers runs a checkpoint's entry file without making it an attribute of its package, as an import would. dill
# then cannot find the class by name, and the fingerprints of datasets fail.
_package, _, _module = __name__.rpartition(".")
if _package in sys.modules:
    setattr(sys.modules[_package], _module, sys.modules[__name__])
