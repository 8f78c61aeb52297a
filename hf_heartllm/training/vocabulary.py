"""A small text tokenizer of one's own, for decoders that are trained from nothing on ECG questions and reports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END_OF_TEXT = "<|endoftext|>"
PAD = "<|pad|>"
ASSISTANT = "<|assistant|>"
SPECIAL_TOKENS = (END_OF_TEXT, PAD, ASSISTANT)
"""Their ids are 0, 1 and 2."""

# "generation" marks what the assistant says, so that a loss can be restricted to it. Parts other than text are no
# business of a text tokenizer: who puts ECGs in must turn them into text before. A user's turn has no mark of its own,
# it follows the start or an end of text: so a conversation begins like the same prompt without the template.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['content'] is string -%}"
    "{%- set content = message['content'] -%}"
    "{%- else -%}"
    "{%- set parts = namespace(text='') -%}"
    "{%- for part in message['content'] -%}"
    "{%- if part['type'] != 'text' -%}"
    "{{- raise_exception('This chat template takes text parts only, not ' + part['type']) -}}"
    "{%- endif -%}"
    "{%- set parts.text = parts.text + part['text'] -%}"
    "{%- endfor -%}"
    "{%- set content = parts.text -%}"
    "{%- endif -%}"
    "{%- if message['role'] == 'user' -%}"
    "{{- content -}}"
    "{%- elif message['role'] == 'assistant' -%}"
    "{{- '" + ASSISTANT + "' -}}"
    "{%- generation -%}{{- content + '" + END_OF_TEXT + "' -}}{%- endgeneration -%}"
    "{%- else -%}"
    "{{- raise_exception('This chat template has the roles user and assistant, not ' + message['role']) -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '" + ASSISTANT + "' -}}{%- endif -%}"
)


def train_text_tokenizer(texts: Iterable[str], vocab_size: int = 1500) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer with GPT-2's pre-tokenizer and a chat template.

    Every byte is in the vocabulary, so any text is encoded without an unknown token and decoded to itself. The same
    texts give the same tokenizer.

    Args:
        texts: What the vocabulary is learned from; a pair of pieces is merged when it occurs at least twice.
        vocab_size: Upper limit of the vocabulary, with the 256 bytes and the four ``SPECIAL_TOKENS``; with few texts it
            is not reached.

    Returns:
        A ``PreTrainedTokenizerFast`` with ``<|endoftext|>`` as beginning and end of text, ``<|pad|>`` as padding (on
        the left, as generation wants it), and a chat template ``question<|assistant|>answer<|endoftext|>``.

    Raises:
        ValueError: If ``vocab_size`` has no room for the bytes and special tokens.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    if vocab_size < len(alphabet) + len(SPECIAL_TOKENS):
        raise ValueError(
            f"vocab_size {vocab_size} is below {len(alphabet)} bytes and {len(SPECIAL_TOKENS)} special tokens"
        )
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer=trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        pad_token=PAD,
        additional_special_tokens=[ASSISTANT],
        padding_side="left",
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
        model_input_names=["input_ids", "attention_mask"],
    )
