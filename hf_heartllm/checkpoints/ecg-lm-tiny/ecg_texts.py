"""Texts with ECGs in them → token ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from transformers import BatchEncoding, PreTrainedTokenizerFast
from transformers.tokenization_utils_base import PaddingStrategy, TruncationStrategy

from .ecg_placeholders import (
    TOKENIZING,
    ECGCodes,
    PlaceholderReader,
    Row,
    as_record,
    check_count,
    ecg_list,
    is_recording,
    refuse_placeholders,
)
from .ecg_reading import warn_of_length
from .ecg_vocabulary import ECGVocabulary
from .prompts import ECG_PLACEHOLDER


class ECGTexts(ECGVocabulary):
    """A vocabulary with ECG tokens that also tokenises texts, with an ECG at each `<ecg>`."""

    _placeholders: PlaceholderReader | None = None

    # No __init__: transformers rebuilds the backend of a class that defines one, and the result tokenises differently.

    def __call__(
        self, text: Any = None, text_pair: Any = None, text_target: Any = None, *, ecgs: Any = None, **kwargs: Any
    ) -> BatchEncoding:
        """Tokenise texts, with an ECG at each `<ecg>`.

        The base's own additions (BOS, EOS) stand once around the whole text. The text around an ECG is tokenised as it
        is around an added token of the base. A recording longer than a window gives its windows one after another,
        between one start and one end token.

        Args:
            text: a text or a list of texts.
            ecgs: for a text one ECG or a list of them, for a list of texts a list with one such entry (or None) for
                each. An ECG is an `ECGRecord`, a mapping with its fields, or the ids from `encode_ecg`. False: there is
                none, and `<ecg>` in a text is ordinary text, as in a corpus that talks of such tokens.
            kwargs: as for any tokenizer. With ECGs there are no text pairs, offsets, overflowing tokens or
                pre-tokenised words.

        Raises:
            ValueError: if the number of `<ecg>` in a text differs from its number of ECGs (also without `ecgs`, for
                text pairs and words), or truncation would cut an ECG.
            ECGError: if a recording cannot be read.
        """
        if ecgs is None:
            refuse_placeholders(text, text_pair, text_target, kwargs.get("text_pair_target"))
        if ecgs is None or ecgs is False:
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
            check_count(one, len(its_ecgs))

        def encode(index: int, plain: PreTrainedTokenizerFast, **options: Any) -> BatchEncoding:
            pieces = texts[index].split(ECG_PLACEHOLDER)
            marks = ["", *map(self._reader.text, range(len(pieces) - 1))]
            return plain("".join(mark + piece for mark, piece in zip(marks, pieces, strict=True)), **options)

        return self._encode_with_ecgs(encode, [dict(enumerate(its_ecgs)) for its_ecgs in given], batched, **kwargs)

    def encode(self, text: Any, text_pair: Any = None, *args: Any, ecgs: Any = None, **kwargs: Any) -> list[int]:
        """As the base's `encode`; with `ecgs` the `input_ids` of calling the tokenizer."""
        if ecgs is None:
            refuse_placeholders(text, text_pair)
        if ecgs is None or ecgs is False:
            with TOKENIZING:
                plain: list[int] = super().encode(text, text_pair, *args, **kwargs)
                return plain
        if args:
            raise TypeError("with ecgs, give the options of encode by name")
        ids: list[int] = self(text, text_pair, ecgs=ecgs, **kwargs)["input_ids"]
        return ids

    def tokenize(
        self, text: str, pair: str | None = None, add_special_tokens: bool = False, *, ecgs: Any = None, **kwargs: Any
    ) -> list[str]:
        """As the base's `tokenize`; with `ecgs` the tokens of calling the tokenizer, those of ECGs in their text form.

        `ecgs=False` takes `<ecg>` in the text as ordinary text.
        """
        if ecgs is not None and ecgs is not False:
            options = {"add_special_tokens": add_special_tokens, **kwargs}
            return list(self.convert_ids_to_tokens(self(text, pair, ecgs=ecgs, **options)["input_ids"]))
        if ecgs is None:
            refuse_placeholders(text, pair)
        with TOKENIZING:
            return list(super().tokenize(text, pair, add_special_tokens, **kwargs))

    @property
    def _reader(self) -> PlaceholderReader:
        if self._placeholders is None:
            raise ValueError("this ECGTokenizer has no codec; make it with from_base or from_pretrained")
        return self._placeholders

    def _encode_with_ecgs(
        self,
        encode: Any,
        ecgs: Sequence[Mapping[int, Any]],
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
        """Rows of text with placeholders → rows with ECG ids, cut, padded and batched as asked for.

        Args:
            encode: makes row `index` with a tokenizer that knows the placeholders.
            ecgs: of each row, by the number of its placeholder.
        """
        pads, cuts, max_length, _ = self._get_padding_truncation_strategies(
            padding, truncation, max_length, pad_to_multiple_of, verbose
        )
        rows: list[Row] = []
        for index, its_ecgs in enumerate(ecgs):
            blocks = {number: self._ecg_block(ecg) for number, ecg in its_ecgs.items()}
            limits: dict[str, Any] = {}
            with TOKENIZING:
                plain = self._reader.tokenizer(self, 1 + max(blocks, default=-1))
                if cuts != TruncationStrategy.DO_NOT_TRUNCATE:
                    assert max_length is not None
                    room = max_length - sum(len(block) - 1 for block in blocks.values())
                    if room <= plain.num_special_tokens_to_add() + len(blocks) - 1:
                        raise ValueError(
                            f"truncation to {max_length} tokens would cut an ECG: the ECGs alone have "
                            f"{sum(map(len, blocks.values()))}; raise max_length"
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
        """A recording, its ids or its codes → the ids that take its place in a text."""
        if is_recording(ecg):
            ids = self.encode_ecg(ecg)
            warn_of_length(as_record(ecg), self.ecg_max_duration)
        else:
            ids = self.codes_to_ids(ecg.codes if isinstance(ecg, ECGCodes) else self.ids_to_codes(ecg))
        return [self.ecg_start_token_id, *ids, self.ecg_end_token_id]

    def update_post_processor(self) -> None:
        """As the base's; the copy that reads text around ECGs follows."""
        super().update_post_processor()
        if self._placeholders is not None:
            self._placeholders.reset()
