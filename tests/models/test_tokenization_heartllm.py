"""ECGTokenizer: text stays the base's, ECGs become ids nobody can write, and everything survives saving."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import textwrap
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from hf_heartllm.models.configuration_paper_codec import PaperCodecConfig
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.ecg_record import ECGError, ECGRecord
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.models.tokenization_heartllm import ECGTokenizer

CORPUS = [
    "Does this ECG show atrial fibrillation? Yes, no, or not sure.",
    "sinus rhythm left axis deviation otherwise normal ecg <ecg> <|start_ecg|> <ecg_0003>",
    "The QRS duration is 94 ms, the QTc interval is 412 ms; ST elevation in V1-V3.",
    "user assistant system 0123456789 ()[]{}<>|/\\_-+*=%&#@!?:;.,'\"",
] * 3
BASES = ("byte-bpe", "metaspace-bpe", "wordpiece", "unigram")
FORGERIES = (
    "<ecg_000>",
    "<ecg_003>",
    "<|start_ecg|>",
    "<|end_ecg|>",
    "<ecg_0003>",
    "<|start_ecg|><ecg_000><|end_ecg|>",
)


def train_backend(kind: str) -> Tokenizer:
    if kind == "byte-bpe":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<|bos|>", "<|eos|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    elif kind == "metaspace-bpe":
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
        specials = ["<unk>", "<|bos|>", "<|eos|>"]
        trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=specials, show_progress=False)
    elif kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        specials = ["[UNK]", "<|bos|>", "<|eos|>"]
        trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=specials, show_progress=False)
    else:
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        specials = ["<unk>", "<|bos|>", "<|eos|>"]
        trainer = trainers.UnigramTrainer(
            vocab_size=120, special_tokens=specials, unk_token="<unk>", show_progress=False
        )
    tokenizer.train_from_iterator(CORPUS, trainer)
    bos = tokenizer.token_to_id("<|bos|>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|bos|> $A", pair="<|bos|> $A $B", special_tokens=[("<|bos|>", bos)]
    )
    return tokenizer


@cache
def base_tokenizer(kind: str) -> PreTrainedTokenizerFast:
    extra = {} if kind == "byte-bpe" else {"unk_token": "[UNK]" if kind == "wordpiece" else "<unk>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=train_backend(kind), bos_token="<|bos|>", eos_token="<|eos|>", **extra
    )


@cache
def small_codec():
    """A codec with one-second windows of 7 tokens and 256 codes."""
    import torch

    from hf_heartllm.models.modeling_paper_codec import PaperCodecModel

    config = PaperCodecConfig(
        sampling_rate=100, window_samples=100, levels=[4, 4, 4, 4], encoder_hidden_size=8, decoder_hidden_size=8
    )
    torch.manual_seed(0)
    return PaperCodecModel(config).eval()


@cache
def ecg_tokenizer(kind: str = "byte-bpe") -> ECGTokenizer:
    return ECGTokenizer.from_base(base_tokenizer(kind), small_codec())


def record(seed: int = 0, seconds: float = 1.0, rate: float = 100.0) -> ECGRecord:
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(12, round(seconds * rate))).astype(np.float32)
    return ECGRecord(signal, rate, STANDARD_LEADS, source=f"simulated {seed}")


def ecg_ids(tokenizer: ECGTokenizer, ids) -> list[int]:
    return [int(i) for i in ids if i >= tokenizer.ecg_start_token_id]


def block(tokenizer: ECGTokenizer, one: ECGRecord) -> list[int]:
    return [tokenizer.ecg_start_token_id, *tokenizer.encode_ecg(one), tokenizer.ecg_end_token_id]


CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


# ---------------------------------------------------------------------- text is the base's


@pytest.mark.parametrize("kind", BASES)
@settings(max_examples=60, deadline=None)
@given(text=(st.text(max_size=60) | st.text(alphabet="aeinorst QRS<|_>0123ecg", max_size=60)))
def test_text_ids_and_decoding_equal_the_bases(kind: str, text: str) -> None:
    base, ours = base_tokenizer(kind), ecg_tokenizer(kind)
    ids = base.encode(text)
    assert ours.encode(text, ecgs=False) == ours(text, ecgs=False)["input_ids"] == ids
    assert ours.tokenize(text, ecgs=False) == base.tokenize(text)
    if "<ecg>" not in text:
        assert ours.encode(text) == ids
        assert ours.tokenize(text) == base.tokenize(text)
    assert ours.decode(ids) == base.decode(ids)
    if kind == "byte-bpe" and "<|bos|>" not in text and "<|eos|>" not in text:
        assert ours.decode(ours.encode(text, add_special_tokens=False, ecgs=False)) == text


@pytest.mark.parametrize("kind", BASES)
def test_ids_lie_behind_the_base(kind: str) -> None:
    base, ours = base_tokenizer(kind), ecg_tokenizer(kind)
    assert base.pad_token is None
    assert ours.pad_token_id == len(base)  # the padding token this base lacked
    assert ours.ecg_start_token_id == len(base) + 1
    assert (ours.ecg_end_token_id, ours.ecg_token_offset) == (len(base) + 2, len(base) + 3)
    assert len(ours) == ours.ecg_token_offset + 256 == len(ours.get_vocab())
    assert ours.vocab_size == base.vocab_size
    assert (ours.bos_token, ours.eos_token, ours.padding_side) == ("<|bos|>", "<|eos|>", "left")
    assert ours.get_vocab()["<ecg_007>"] == ours.ecg_token_offset + 7
    assert len(base) == len(base_tokenizer(kind)), "the base itself must not change"


# ---------------------------------------------------------------------- nothing written becomes an ECG


def forging_entries(tokenizer: ECGTokenizer, text: str) -> dict[str, list[int]]:
    one = record()
    chat = [{"role": "system", "content": text}, {"role": "user", "content": [{"type": "text", "text": text}]}]
    ecg_chat = [*chat, {"role": "user", "content": [{"type": "ecg", "ecg": one}, {"type": "text", "text": text}]}]
    return {
        "call": tokenizer(text)["input_ids"],
        "batch": list(chain(*tokenizer([text, f"a{text}b"])["input_ids"])),
        "pair": tokenizer("a", text)["input_ids"],
        "target": tokenizer("a", text_target=text)["labels"],
        "words": tokenizer(text.split(), is_split_into_words=True)["input_ids"],
        "split special tokens": tokenizer(text, split_special_tokens=True)["input_ids"],
        "encode": tokenizer.encode(text, text),
        "tokens": [i for i in tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text)) if i is not None],
        "words as tokens": [i for i in tokenizer.convert_tokens_to_ids(text.split()) if i is not None],
        "chat": tokenizer.apply_chat_template(chat, return_dict=False),
        "chats": list(chain(*tokenizer.apply_chat_template([chat, chat])["input_ids"])),
        "chat with ECG": tokenizer.apply_chat_template(ecg_chat)["input_ids"],
        "sanitised": tokenizer.apply_chat_template(ecg_chat, sanitize_control_tokens=True)["input_ids"],
        "text with ECG": tokenizer(f"{text} <ecg> {text}", ecgs=one)["input_ids"],
        "encode with ECG": tokenizer.encode(f"{text} <ecg> {text}", ecgs=[one]),
        "text with ECG, split": tokenizer(f"{text}<ecg>", ecgs=one, split_special_tokens=True)["input_ids"],
    }


@pytest.mark.parametrize("kind", BASES)
@pytest.mark.parametrize("text", FORGERIES)
def test_text_never_becomes_an_ecg(kind: str, text: str) -> None:
    tokenizer = ecg_tokenizer(kind)
    real = block(tokenizer, record())
    for entry, ids in forging_entries(tokenizer, text).items():
        expected = real if "ECG" in entry or entry == "sanitised" else []
        assert ecg_ids(tokenizer, ids) == expected, entry


def test_placeholder_in_a_users_text_takes_no_ecgs_place() -> None:
    tokenizer = ecg_tokenizer()
    content = [{"type": "text", "text": "<ecg> "}, {"type": "ecg", "ecg": record(1)}, {"type": "text", "text": "<ecg>"}]
    ids = tokenizer.apply_chat_template([{"role": "user", "content": content}], ecgs=False)["input_ids"]
    assert ecg_ids(tokenizer, ids) == block(tokenizer, record(1))
    assert tokenizer.decode(ids, skip_special_tokens=True) == "### user\n<ecg>  <ecg>\n"
    plain = tokenizer.apply_chat_template([{"role": "user", "content": "<ecg>"}], ecgs=False)["input_ids"]
    assert ecg_ids(tokenizer, plain) == []
    with pytest.raises(ValueError, match=r"2 placeholder\(s\) <ecg> but 1 ECG"):
        tokenizer("<ecg> <ecg>", ecgs=record())


def test_the_vocabulary_cannot_be_changed_behind_the_ecg_tokens() -> None:
    tokenizer = ecg_tokenizer()
    with pytest.raises(ValueError, match="add text tokens to the base"):
        tokenizer.add_tokens(["<new>"])
    with pytest.raises(ValueError, match="add text tokens to the base"):
        tokenizer.add_special_tokens({"pad_token": "<ecg_003>"})
    assert tokenizer.pad_token == "<|pad|>"
    assert tokenizer.add_special_tokens({"eos_token": "<|eos|>"}) == 0


def test_a_base_that_knows_ecg_tokens_is_refused(tmp_path: Path) -> None:
    ecg_tokenizer().save_plain_tokenizer(tmp_path)
    with pytest.raises(ValueError, match="already has"):
        ECGTokenizer.from_base(AutoTokenizer.from_pretrained(tmp_path), small_codec())


# ---------------------------------------------------------------------- ECGs in texts


# The plain tokenizer does read ECG words in a text, so these are kept out (hypothesis knows this file's constants).
TEXT_WITHOUT_ECG_WORDS = st.sampled_from([" ", "<", "a ", " b", "<|eos|>"]) | st.text(max_size=12).filter(
    lambda text: "<ecg" not in text and "_ecg|>" not in text
)


@pytest.mark.parametrize("kind", BASES)
@settings(max_examples=40, deadline=None)
@given(pieces=st.lists(TEXT_WITHOUT_ECG_WORDS, min_size=2, max_size=4))
def test_ids_equal_those_of_the_text_form_in_the_plain_tokenizer(kind: str, pieces: list[str]) -> None:
    tokenizer, plain = ecg_tokenizer(kind), plain_tokenizer(kind)
    ids = [[tokenizer.ecg_token_offset + 3 * i, tokenizer.ecg_token_offset + 255] for i in range(len(pieces) - 1)]
    ours = tokenizer("<ecg>".join(pieces), ecgs=ids)["input_ids"]
    forms = [f"<|start_ecg|>{tokenizer.ecg_ids_to_text(one)}<|end_ecg|>" for one in ids]
    text = "".join(piece + form for piece, form in zip(pieces, [*forms, ""], strict=True))
    assert plain(text)["input_ids"] == ours
    assert plain.decode(ours) == tokenizer.decode(ours)
    assert plain.decode(ours, skip_special_tokens=True) == tokenizer.decode(ours, skip_special_tokens=True)


@cache
def plain_tokenizer(kind: str) -> PreTrainedTokenizerFast:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        ecg_tokenizer(kind).save_plain_tokenizer(folder)
        assert json.loads((Path(folder) / "tokenizer_config.json").read_text())["padding_side"] == "left"
        return AutoTokenizer.from_pretrained(folder)


def test_ecgs_are_given_as_records_mappings_or_ids() -> None:
    tokenizer, one = ecg_tokenizer(), record()
    ids = tokenizer.encode_ecg(one)
    expected = tokenizer("x <ecg> y", ecgs=one)["input_ids"]
    mapping = {"signal": one.signal.tolist(), "sampling_rate": 100, "leads": list(one.leads)}
    for ecg in ([one], mapping, ids, np.array(ids), [ids], block(tokenizer, one)):
        assert tokenizer("x <ecg> y", ecgs=ecg)["input_ids"] == expected
    for wrong in ("x", [3, 4], [ids, "x"], 5, [[]], [ids[0], 3]):
        with pytest.raises((TypeError, ValueError)):
            tokenizer("<ecg>", ecgs=wrong)
    with pytest.raises(ECGError):
        tokenizer("<ecg>", ecgs={**mapping, "leads": ["I"] * 12})


def test_windows_follow_each_other_between_one_start_and_end() -> None:
    tokenizer, long = ecg_tokenizer(), record(seconds=3)
    ids = ecg_ids(tokenizer, tokenizer("<ecg>", ecgs=long)["input_ids"])
    assert (ids[0], ids[-1], len(ids)) == (tokenizer.ecg_start_token_id, tokenizer.ecg_end_token_id, 3 * 7 + 2)
    assert ids[1:8] == tokenizer.encode_ecg(long.crop(0, 1))
    assert tokenizer.decode_ecg(ids).duration == 3


def test_batches_pad_on_the_left_and_return_tensors() -> None:
    tokenizer = ecg_tokenizer()
    texts, ecgs = ["<ecg> a longer question <ecg>", "no ECG", "<ecg>"], [[record(0), record(1)], None, record(2)]
    batch = tokenizer(texts, ecgs=ecgs, padding=True, return_tensors="pt", return_length=True)
    assert batch["input_ids"].shape == batch["attention_mask"].shape
    for row, mask, text, its in zip(batch["input_ids"], batch["attention_mask"], texts, ecgs, strict=True):
        alone = tokenizer(text, ecgs=its or [])["input_ids"]
        assert row[mask.bool()].tolist() == alone
        assert mask.tolist() == sorted(mask.tolist()), "padding must be on the left"
    assert tokenizer("<ecg>", ecgs=record(), return_tensors="np")["input_ids"].shape == (1, 10)
    assert "attention_mask" not in tokenizer("<ecg>", ecgs=record(), return_attention_mask=False)
    with pytest.raises(ValueError, match="3 texts need"):
        tokenizer(texts, ecgs=record())


@pytest.mark.parametrize("kind", BASES)
def test_every_token_of_an_ecg_is_special_in_the_mask(kind: str) -> None:
    tokenizer = ecg_tokenizer(kind)
    one = tokenizer("first <ecg> then <ecg>", ecgs=[record(1), record(2)], return_special_tokens_mask=True)
    special = set(tokenizer.all_special_ids) | set(ecg_ids(tokenizer, one["input_ids"]))
    assert one["special_tokens_mask"] == [int(token in special) for token in one["input_ids"]]
    assert sum(one["special_tokens_mask"]) >= 18  # two ECGs of seven tokens, a start and an end
    assert 0 in one["special_tokens_mask"]


def test_truncation_shortens_text_but_never_an_ecg() -> None:
    tokenizer = ecg_tokenizer()
    whole = tokenizer("<ecg> a long question", ecgs=record())["input_ids"]
    cut = tokenizer("<ecg> a long question", ecgs=record(), truncation=True, max_length=len(whole) - 2)["input_ids"]
    assert cut == whole[:-2]
    for limit in (9, 5, 1):
        with pytest.raises(ValueError, match="cut an ECG"):
            tokenizer("<ecg> a long question", ecgs=record(), truncation=True, max_length=limit)
    with pytest.raises(ValueError, match="left in the tokenised text"):
        tokenizer("a long question <ecg>", ecgs=record(), truncation=True, max_length=len(whole) - 2)


ENTRIES_WITHOUT_ECG = {
    "call": lambda t: t("a <ecg>"),
    "batch": lambda t: t(["a", "b <ecg>"]),
    "pair": lambda t: t("a", "<ecg>"),
    "pairs": lambda t: t(["a"], ["<ecg>"]),
    "target": lambda t: t("a", text_target="<ecg>"),
    "words": lambda t: t(["a", "<ecg>"], is_split_into_words=True),
    "encode": lambda t: t.encode("<ecg>"),
    "encode a pair": lambda t: t.encode("a", "<ecg>"),
    "tokenize": lambda t: t.tokenize("<ecg>"),
    "tokenize a pair": lambda t: t.tokenize("a", "<ecg>"),
    "no ECGs": lambda t: t("<ecg>", ecgs=[]),
    "no ECGs in a batch": lambda t: t(["<ecg>"], ecgs=[None]),
    "chat": lambda t: t.apply_chat_template([{"role": "user", "content": "a <ecg>"}]),
    "chat as text": lambda t: t.apply_chat_template([{"role": "user", "content": "a <ecg>"}], tokenize=False),
    "chats": lambda t: t.apply_chat_template([[{"role": "user", "content": "<ecg>"}]] * 2),
    "system message": lambda t: t.apply_chat_template(
        [{"role": "system", "content": "<ecg>"}, {"role": "user", "content": "a"}]
    ),
    "parts": lambda t: t.apply_chat_template([{"role": "user", "content": [{"type": "text", "text": "<ecg>"}]}]),
    "beside an ECG": lambda t: t.apply_chat_template(
        [{"role": "user", "content": [{"type": "ecg", "codes": [1]}, {"type": "text", "text": "<ecg>"}]}]
    ),
}


@pytest.mark.parametrize("entry", ENTRIES_WITHOUT_ECG)
def test_a_placeholder_without_an_ecg_is_one_clear_line_in_every_entry(entry: str) -> None:
    with pytest.raises(ValueError, match="<ecg>") as told:
        ENTRIES_WITHOUT_ECG[entry](ecg_tokenizer())
    assert "ecgs=False" in str(told.value), "how to write the letters themselves"
    assert "\n" not in str(told.value)


def test_tokens_of_a_text_with_an_ecg() -> None:
    tokenizer = ecg_tokenizer()
    tokens = tokenizer.tokenize("a <ecg>", ecgs=tokenizer.codes_to_ids([0, 255]))
    assert tokens[-4:] == ["<|start_ecg|>", "<ecg_000>", "<ecg_255>", "<|end_ecg|>"]
    with pytest.raises(ValueError, match="a part of the content"):
        tokenizer.apply_chat_template([{"role": "user", "content": "<ecg>"}], ecgs=[record()])


# ---------------------------------------------------------------------- chats


def messages(*ecgs: ECGRecord) -> list[dict]:
    parts = [{"type": "ecg", "ecg": one} for one in ecgs]
    return [{"role": "user", "content": [*parts, {"type": "text", "text": "Write the report."}]}]


def test_a_template_that_joins_strings_carries_ecgs() -> None:
    base = copy.deepcopy(base_tokenizer("byte-bpe"))
    base.chat_template = CHATML
    tokenizer = ECGTokenizer.from_base(base, small_codec())
    chat = messages(record(0), record(1))
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
    assert tokenizer.decode(ids) == (
        "<|im_start|>user\n"
        + tokenizer.ecg_ids_to_text(block(tokenizer, record(0)) + block(tokenizer, record(1)))
        + " Write the report.<|im_end|>\n<|im_start|>assistant\n"
    )
    text = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    assert text == "<|im_start|>user\n<ecg><ecg> Write the report.<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer(text, ecgs=[record(0), record(1)], add_special_tokens=False)["input_ids"] == ids
    answer = [*chat, {"role": "assistant", "content": "sinus"}]
    unfinished = tokenizer.apply_chat_template(answer, continue_final_message=True)["input_ids"]
    assert tokenizer.decode(unfinished).endswith("<|im_start|>assistant\nsinus")


def test_the_built_in_template_marks_answers_for_training() -> None:
    tokenizer = ecg_tokenizer()
    chat = [*messages(record()), {"role": "assistant", "content": "sinus rhythm"}]
    out = tokenizer.apply_chat_template([chat, messages(record())], padding=True, return_assistant_tokens_mask=True)
    learned = [i for i, m in zip(out["input_ids"][0], out["assistant_masks"][0], strict=True) if m]
    assert tokenizer.decode(learned) == "sinus rhythm<|eos|>"
    assert not any(out["assistant_masks"][1])
    assert len({len(row) for column in out.values() for row in column}) == 1
    single = tokenizer.apply_chat_template(chat, return_tensors="pt")
    assert single["input_ids"][0].tolist() == out["input_ids"][0]


def test_a_template_may_reorder_ecgs_but_not_drop_or_repeat_them() -> None:
    tokenizer = ecg_tokenizer()
    chat = [*messages(record(0)), *messages(record(1))]
    backwards = "{% for m in messages|reverse %}{{ m['content'] }}{% endfor %}"
    ids = tokenizer.apply_chat_template(chat, chat_template=backwards)["input_ids"]
    assert ecg_ids(tokenizer, ids) == block(tokenizer, record(1)) + block(tokenizer, record(0))
    for template in ("{{ messages[-1]['content'] }}", "{% for m in messages %}{{ m['content'] * 2 }}{% endfor %}"):
        with pytest.raises(ValueError, match="removed or repeated"):
            tokenizer.apply_chat_template(chat, chat_template=template)
    for parted, joined in (("x", " x"), (" x", " x"), ("\nx", "\nx"), ("", "")):
        content = [{"type": "ecg", "ecg": record()}, {"type": "text", "text": parted}]
        with_parts = [{"role": "user", "content": content}]
        assert tokenizer.apply_chat_template(with_parts, tokenize=False) == f"<|bos|>### user\n<ecg>{joined}\n"
    with pytest.raises(ValueError, match="a part of a message must be"):
        tokenizer.apply_chat_template([{"role": "user", "content": [{"type": "image", "image": "x"}]}])


# ---------------------------------------------------------------------- ids, codes, text form


@settings(max_examples=50, deadline=None)
@given(codes=st.lists(st.integers(0, 255), max_size=40))
def test_ids_codes_and_text_form_are_one_to_one(codes: list[int]) -> None:
    tokenizer = ecg_tokenizer()
    ids = tokenizer.codes_to_ids(codes)
    assert tokenizer.ids_to_codes(ids).tolist() == codes
    whole = [tokenizer.ecg_start_token_id, *ids, tokenizer.ecg_end_token_id]
    assert tokenizer.ids_to_codes(whole).tolist() == codes
    assert tokenizer.ecg_text_to_ids(tokenizer.ecg_ids_to_text(whole) + "\n") == whole
    assert tokenizer.convert_ids_to_tokens(whole) == [tokenizer.convert_ids_to_tokens(i) for i in whole]


@pytest.mark.parametrize(
    "text", ["<ecg_1>", "<ecg_256>", "<ecg_001> <ecg_002>", "x<ecg_001>", "<|bos|>", "<ecg_٠٠١>", "<ecg>"]
)
def test_only_the_exact_text_form_becomes_ids(text: str) -> None:
    with pytest.raises(ValueError, match="not a sequence of ECG tokens"):
        ecg_tokenizer().ecg_text_to_ids(text)


def test_decoding_needs_whole_windows_of_ecg_ids() -> None:
    tokenizer = ecg_tokenizer()
    ids = tokenizer.encode_ecg(record())
    decoded = tokenizer.decode_ecg(ids, sampling_rate=250)
    assert (decoded.units, decoded.sampling_rate, decoded.duration) == ("z-score", 250, 1)
    assert decoded.leads == STANDARD_LEADS
    for wrong in (ids[:-1], [], [*ids[:-1], 5], [*ids[:3], tokenizer.ecg_end_token_id, *ids[3:]]):
        with pytest.raises(ValueError, match=r"whole windows|no ECG tokens|not an ECG token"):
            tokenizer.decode_ecg(wrong)
    for wrong_codes in ([256], [-1], [0.5]):
        with pytest.raises(ValueError, match="codes must be"):
            tokenizer.codes_to_ids(wrong_codes)


# ---------------------------------------------------------------------- saving, copying, other processes

USE = """
import hashlib, json, sys, warnings
import numpy as np
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], trust_remote_code=True)
assert "hf_heartllm" not in sys.modules and type(tokenizer).__name__ == "ECGTokenizer"
signal = np.load(sys.argv[2])
leads = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
ecg = {"signal": signal, "sampling_rate": 100.0, "leads": leads}
text = {"type": "text", "text": " What is this? <ecg_003>"}
chat = [{"role": "user", "content": [{"type": "ecg", "ecg": ecg}, text]}]
ids = tokenizer.encode_ecg(ecg)
if len(sys.argv) > 3:
    tokenizer.save_pretrained(sys.argv[3])
print(json.dumps({
    "call": tokenizer("A <ecg> b?", ecgs=ecg)["input_ids"],
    "chat": tokenizer.apply_chat_template(chat, add_generation_prompt=True)["input_ids"],
    "text": tokenizer.encode("sinus rhythm, 72/min"),
    "decoded": hashlib.sha256(tokenizer.decode_ecg(ids).signal.round(3).tobytes()).hexdigest(),
    "length": len(tokenizer),
}))
"""


def run_elsewhere(code: str, *arguments: object, cwd: Path, timeout: float = 120) -> str:
    """Run code in a fresh process that has this interpreter's libraries but not this package."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"HF_HOME": str(cwd / "hf-home"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-I", "-c", textwrap.dedent(code), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=timeout)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout.strip().splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["byte-bpe", "unigram"])
def test_auto_loading_without_the_package_gives_the_same_ids(kind: str, tmp_path: Path) -> None:
    tokenizer, one = ecg_tokenizer(kind), record()
    tokenizer.save_pretrained(tmp_path / "saved")
    np.save(tmp_path / "signal.npy", one.signal)
    there = json.loads(
        run_elsewhere(USE, tmp_path / "saved", tmp_path / "signal.npy", tmp_path / "again", cwd=tmp_path)
    )
    text = {"type": "text", "text": " What is this? <ecg_003>"}
    chat = [{"role": "user", "content": [{"type": "ecg", "ecg": one}, text]}]
    assert there["call"] == tokenizer("A <ecg> b?", ecgs=one)["input_ids"]
    assert there["chat"] == tokenizer.apply_chat_template(chat, add_generation_prompt=True)["input_ids"]
    assert there["text"] == base_tokenizer(kind).encode("sinus rhythm, 72/min")
    assert there["length"] == len(tokenizer)
    # What was saved from there is the same folder again.
    again = json.loads(run_elsewhere(USE, tmp_path / "again", tmp_path / "signal.npy", cwd=tmp_path))
    assert again == there
    names = {file.relative_to(tmp_path / "saved") for file in (tmp_path / "saved").rglob("*")}
    assert names == {file.relative_to(tmp_path / "again") for file in (tmp_path / "again").rglob("*")}
    for name in ("tokenizer.json", "tokenizer_config.json", "codec/model.safetensors", "codec/config.json"):
        assert (tmp_path / "saved" / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_the_folder_holds_what_loading_needs_and_nothing_private(tmp_path: Path) -> None:
    tokenizer = ecg_tokenizer()
    tokenizer.save_pretrained(tmp_path / "one")
    loaded = ECGTokenizer.from_pretrained(tmp_path / "one")
    loaded.save_pretrained(tmp_path / "two")
    config = json.loads((tmp_path / "two" / "tokenizer_config.json").read_text())
    assert not {"is_local", "local_files_only", "name_or_path"} & set(config)
    assert config["auto_map"]["AutoTokenizer"][0] == "tokenization_heartllm.ECGTokenizer"
    root = {file.name for file in (tmp_path / "two").iterdir()}
    assert {"tokenization_heartllm.py", "modeling_ecg_codec.py", "prompts.py", "preprocessor_config.json"} <= root
    assert {file.name for file in (tmp_path / "two" / "codec").iterdir()} == {"config.json", "model.safetensors"}
    backend = (tmp_path / "two" / "tokenizer.json").read_text()
    assert 'start_ecg|>"' not in backend, "the backend must not know ECG tokens"
    assert loaded("a <ecg>", ecgs=record())["input_ids"] == tokenizer("a <ecg>", ecgs=record())["input_ids"]
    assert loaded.codec.fingerprint() == tokenizer.codec.fingerprint()
    (tmp_path / "two" / "codec" / "model.safetensors").unlink()
    with pytest.raises(OSError, match=r"model\.safetensors"):
        ECGTokenizer.from_pretrained(tmp_path / "two")


def test_a_subfolder_is_followed_to_its_codec(tmp_path: Path) -> None:
    ecg_tokenizer().save_pretrained(tmp_path / "inner")
    loaded = ECGTokenizer.from_pretrained(tmp_path, subfolder="inner")
    assert loaded.encode_ecg(record()) == ecg_tokenizer().encode_ecg(record())


def test_pickle_and_deepcopy_keep_ids_and_a_copy_shares_the_codec() -> None:
    tokenizer = ecg_tokenizer()
    expected = tokenizer("a <ecg>", ecgs=record())["input_ids"]
    copied, unpickled = copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))
    assert copied.codec is tokenizer.codec
    for other in (copied, unpickled):
        assert other("a <ecg>", ecgs=record())["input_ids"] == expected
    assert unpickled.codec is not tokenizer.codec


def test_the_fingerprint_depends_on_the_codec_and_not_on_use(tmp_path: Path) -> None:
    import torch

    fingerprint = pytest.importorskip("datasets.fingerprint").Hasher.hash
    tokenizer = ECGTokenizer.from_base(base_tokenizer("byte-bpe"), small_codec())
    fresh = fingerprint(tokenizer)
    tokenizer(["<ecg>", "a"], ecgs=[record(), None], padding=True)
    tokenizer.apply_chat_template(messages(record()))
    assert fingerprint(tokenizer) == fresh
    tokenizer.save_pretrained(tmp_path)
    loaded = ECGTokenizer.from_pretrained(tmp_path)
    unused = fingerprint(loaded)
    loaded.encode_ecg(record())
    assert fingerprint(loaded) == unused == fingerprint(ECGTokenizer.from_pretrained(tmp_path))
    assert pickle.dumps(loaded._codec_handle) == pickle.dumps(tokenizer._codec_handle)
    other = copy.deepcopy(small_codec())
    with torch.no_grad():
        other.encoder.to_latents.bias += 0.5
    assert fingerprint(ECGTokenizer.from_base(base_tokenizer("byte-bpe"), other)) != fresh


MAP = """
import sys
import numpy as np
from datasets import Dataset
from datasets.fingerprint import Hasher
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], trust_remote_code=True)
leads = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]

def ecg(seed):
    signal = np.random.default_rng(seed).normal(size=(12, 5000))
    return {"signal": signal, "sampling_rate": 500.0, "leads": leads}

fingerprint = Hasher.hash(tokenizer)
before = [tokenizer("<ecg> What?", ecgs=ecg(seed))["input_ids"] for seed in range(4)]
rows = Dataset.from_dict({"seed": list(range(4))})
mapped = rows.map(lambda row: {"ids": tokenizer("<ecg> What?", ecgs=ecg(row["seed"]))["input_ids"]}, num_proc=2)
assert list(mapped["ids"]) == before
assert Hasher.hash(tokenizer) == fingerprint
assert Hasher.hash(AutoTokenizer.from_pretrained(sys.argv[1], trust_remote_code=True)) == fingerprint
print("same")
"""


@pytest.mark.slow
def test_two_forked_workers_after_the_parent_has_encoded(tmp_path: Path) -> None:
    from hf_heartllm.models.modeling_paper_codec import PaperCodecModel

    pytest.importorskip("datasets")
    codec = PaperCodecModel(PaperCodecConfig(decoder_hidden_size=8, encoder_hidden_size=8))
    ECGTokenizer.from_base(base_tokenizer("byte-bpe"), codec).save_pretrained(tmp_path / "saved")
    assert run_elsewhere(MAP, tmp_path / "saved", cwd=tmp_path, timeout=120) == "same"


def test_the_codec_is_built_only_when_an_ecg_comes(tmp_path: Path) -> None:
    ecg_tokenizer().save_pretrained(tmp_path)
    loaded = ECGTokenizer.from_pretrained(tmp_path)
    loaded("text", padding=True)
    assert loaded._codec_handle._model is None
    loaded.encode_ecg(record())
    assert loaded._codec_handle._model is not None


def test_a_real_recording_becomes_ids_at_both_rates(ptbxl_dir: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    tokenizer = ECGTokenizer.from_base(
        base_tokenizer("byte-bpe"), small_codec(), ECGFeatureExtractor(sampling_rate=100, window_samples=100)
    )
    file = next(iter(sorted(ptbxl_dir.glob("records100/*/*.hea")))).with_suffix("")
    signal, fields = wfdb.rdsamp(str(file))
    ecg = {"signal": signal.T, "sampling_rate": fields["fs"], "leads": fields["sig_name"]}
    ids = tokenizer.encode_ecg(ecg)
    assert len(ids) == 10 * 7
    assert tokenizer.decode_ecg(ids).duration == 10
    microvolts = {**ecg, "signal": signal.T * 1000}
    assert tokenizer.encode_ecg(microvolts) == ids
