"""ECG-LM: any leads and lengths through one encoder, soft tokens among text, a language model that stays as it is."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoProcessor,
    LlamaConfig,
)

import hf_heartllm as hl
from hf_heartllm.ecg.simulate import simulate_ecg
from hf_heartllm.models.base_model import BaseModel, BaseModelError, model_sha256
from hf_heartllm.models.configuration_ecg_lm import ECGEncoderConfig, ECGLMConfig
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.ecg_projectors import ECGProjector
from hf_heartllm.models.ecg_prompts import Prompt
from hf_heartllm.models.measured_text import measured_text, measured_text_of
from hf_heartllm.models.modeling_ecg_encoder import ECGEncoderForSequenceClassification, ECGEncoderModel
from hf_heartllm.models.modeling_ecg_lm import ECGLMForCausalLM
from hf_heartllm.models.processing_ecg_lm import ECGLMProcessor
from tests.tiny import WORDS, tiny_ecg_lm

SMALL = {"hidden_sizes": (8, 16), "depths": (1, 1)}
VARIANTS = [("record", None, False), ("record", 3, True), ("leads", None, False), ("time", 5, False)]
LEADS = [("II",), ("I", "II"), ("II", "V1", "V5"), STANDARD_LEADS[:6], ("I", "II", *STANDARD_LEADS[6:]), STANDARD_LEADS]


@pytest.fixture(scope="module")
def records():
    return hl.read_ecg("example:af"), hl.read_ecg("example:lbbb").crop(0, 4.3)


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda one: f"{one[0]}-{one[1]}{'-measured' * one[2]}")
def ecg_lm(request):
    projector, tokens, measured = request.param
    return tiny_ecg_lm(projector=projector, num_ecg_tokens=tokens, measured_text=measured)


@pytest.mark.parametrize(("leads", "seconds"), [*zip(LEADS, [60.0, 2.5, 10.0] * 2), (("V3",), 2.5)], ids=str)
def test_any_leads_and_any_length_through_the_same_weights(ecg_lm, leads, seconds):
    model, processor = ecg_lm
    record, _ = simulate_ecg(duration=seconds, seed=3)
    rows = [record.leads.index(lead) for lead in leads]
    record = hl.ECGRecord(record.signal[rows], record.sampling_rate, leads)
    features = processor.encode_ecg(record)
    assert features.shape == (12, round(seconds * 100))
    soft = model.encode_ecgs(torch.from_numpy(features)[None])
    assert soft.shape == (1, model.config.num_ecg_tokens, 32)
    assert bool(soft.isfinite().all())
    encoded = model.encoder(torch.from_numpy(features)[None])
    assert encoded.last_hidden_state.shape[1] == model.encoder.num_positions(features.shape[1])


def test_recordings_in_a_batch_are_encoded_as_alone():
    torch.manual_seed(0)
    model = ECGEncoderModel(ECGEncoderConfig(**SMALL)).eval()
    batch = torch.randn(4, 12, 700)
    batch[1, :, 431:] = float("nan")
    batch[2, 5:] = float("nan")
    batch[3, 1:, :] = float("nan")
    batch[3, :, 250:] = float("nan")
    with torch.no_grad():
        together = model(batch)
        for row, length in enumerate((700, 431, 700, 250)):
            alone = model(batch[row : row + 1, :, :length])
            torch.testing.assert_close(together.pooler_output[row], alone.pooler_output[0])
            states = together.last_hidden_state[row]
            torch.testing.assert_close(states[: alone.last_hidden_state.shape[1]], alone.last_hidden_state[0])
            assert not states[alone.last_hidden_state.shape[1] :].any()
    with pytest.raises(ValueError, match="without any lead"):
        model(torch.full((1, 12, 500), float("nan")))
    with pytest.raises(ValueError, match="not \\(1, 3, 500\\)"):
        model(torch.zeros(1, 3, 500))


def test_a_missing_lead_is_no_flat_lead():
    torch.manual_seed(0)
    model = ECGEncoderModel(ECGEncoderConfig(**SMALL)).eval()
    flat, missing = torch.randn(1, 12, 500).repeat(2, 1, 1).split(1)
    flat, missing = flat.clone(), missing.clone()
    flat[0, 3], missing[0, 3] = 0.0, float("nan")
    assert not torch.allclose(model(flat).pooler_output, model(missing).pooler_output)


def test_batches_beams_and_cache_give_what_single_rows_give(ecg_lm, records):
    model, processor = ecg_lm
    texts, ecgs = ["<ecg> Is it?", "The ECG <ecg> and <ecg>, both together"], [records[0], [records[1], records[0]]]
    both = processor(texts, ecgs=ecgs, padding=True, return_tensors="pt")
    assert both.input_features.shape[:2] == (3, 12)
    assert both.attention_mask[0, 0] == 0, "padding is on the left"
    for beams in (1, 2):
        options = {"max_new_tokens": 4, "num_beams": beams, "do_sample": False, "min_new_tokens": 4}
        together = model.generate(**both, **options)[:, both.input_ids.shape[1] :]
        without_cache = model.generate(**both, **options, use_cache=False)[:, both.input_ids.shape[1] :]
        assert together.tolist() == without_cache.tolist()
        for row, (text, ecg) in enumerate(zip(texts, ecgs, strict=True)):
            one = processor(text, ecgs=ecg, return_tensors="pt")
            alone = model.generate(**one, **options)[0, one.input_ids.shape[1] :]
            assert alone.tolist() == together[row].tolist()


def test_answers_through_shared_prompts_are_those_of_forward(ecg_lm, records):
    model, processor = ecg_lm
    answerer = processor.answerer(model)
    prompts = [
        Prompt(records[0], "Is it?"),
        Prompt(records[0], "What?"),
        Prompt(records[1], "Is it?"),
        Prompt(None, "Is it?"),
    ]
    found = answerer.score(prompts, [("yes", "no")] * 4)
    for prompt, scores in zip(prompts, found, strict=True):
        content = [{"type": "ecg", "ecg": prompt.record}, {"type": "text", "text": prompt.text}]
        chat = [{"role": "user", "content": f" {prompt.text}" if prompt.record is None else content}]
        inputs = processor.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt")
        answer = torch.tensor([[*processor.tokenizer.encode("yes"), processor.tokenizer.eos_token_id]])
        inputs["input_ids"] = torch.cat([inputs["input_ids"], answer], dim=1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        with torch.no_grad():
            logits = model(**inputs).logits[0, -answer.shape[1] - 1 : -1].double().log_softmax(-1)
        wanted = float(logits.gather(1, answer.T).sum())
        assert scores.log_likelihoods[0] == pytest.approx(wanted, abs=1e-4)
    assert not np.allclose(found[0].log_likelihoods, found[2].log_likelihoods), "the recording is not read"
    written = answerer.generate([Prompt(records[0], "What?"), Prompt(records[1], "What?")], 6)
    assert [one[0].tokens for one in written]


@pytest.mark.filterwarnings("ignore:.* missing and encoded as missing")
def test_it_answers_in_half_precision(ecg_lm, records, tmp_path):
    model, processor = ecg_lm
    model.save_pretrained(tmp_path)
    half = ECGLMForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert {one.dtype for one in half.parameters()} == {torch.bfloat16}
    lacking = hl.ECGRecord(records[0].signal[:3], records[0].sampling_rate, records[0].leads[:3])
    for record in (*records, lacking):
        asked = [Prompt(record, "Does this ECG show AFIB?")]
        [found], [exact] = (processor.answerer(one).score(asked, [("yes", "no")]) for one in (half, model))
        np.testing.assert_allclose(found.log_likelihoods, exact.log_likelihoods, atol=0.15)


def test_what_was_measured_stands_behind_the_soft_tokens(records, monkeypatch):
    model, processor = tiny_ecg_lm(measured_text=True)
    told = measured_text(hl.measure(records[0]).as_columns())
    assert "heart rate" in told
    plain = processor.tokenizer.decode(processor("<ecg> Is it?", ecgs=records[0])["input_ids"][1:])
    assert plain.endswith(f"{told} Is it?")
    noise = 1e-4 * np.random.default_rng(0).standard_normal((12, 5000))
    flat = hl.ECGRecord(noise, 500, STANDARD_LEADS)
    assert measured_text_of(flat) == " (nothing was measured)"
    monkeypatch.setitem(sys.modules, "hf_heartllm.ecg", None)
    with pytest.raises(ImportError, match="pip install hf_heartllm"):
        processor.answerer(model).read(records[0])


def test_only_encoder_and_projection_learn(records):
    model, processor = tiny_ecg_lm(projector="time", num_ecg_tokens=3)
    inputs = processor(["<ecg> yes", "<ecg> no"], ecgs=list(records), padding=True, return_tensors="pt")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    assert not model.language_model.training
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(**inputs, labels=inputs.input_ids.masked_fill(inputs.attention_mask == 0, -100)).loss.backward()
        optimizer.step()
    changed = {name.split(".")[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"encoder", "projector"}
    assert {name for name, one in model.named_parameters() if one.grad is not None} == {
        name for name, _ in model.named_parameters() if not name.startswith("language_model.")
    }


def test_places_of_soft_tokens_are_not_scored(records):
    model, processor = tiny_ecg_lm(projector="time", num_ecg_tokens=3)
    inputs = processor("a <ecg> yes", ecgs=records[0], return_tensors="pt")
    left_out = inputs.input_ids.masked_fill(inputs.input_ids == processor.ecg_token_id, -100)
    assert model(**inputs, labels=inputs.input_ids).loss == model(**inputs, labels=left_out).loss


def test_a_recording_longer_than_was_trained_on_is_said_once(records):
    _, processor = tiny_ecg_lm(projector="time", num_ecg_tokens=3)
    processor.ecg_max_duration = records[0].duration / 2
    with pytest.warns(hl.ECGWarning, match="s in one prompt, and the language model was trained on") as said:
        processor("<ecg> yes", ecgs=records[0])
    assert len(said) == 1
    assert said[0].filename == __file__


def test_saved_and_loaded_by_the_auto_classes(ecg_lm, records, tmp_path):
    model, processor = ecg_lm
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    again, reader = AutoModelForCausalLM.from_pretrained(tmp_path), AutoProcessor.from_pretrained(tmp_path)
    assert type(again) is ECGLMForCausalLM
    assert type(AutoModel.from_pretrained(tmp_path)) is ECGLMForCausalLM
    assert type(reader) is ECGLMProcessor
    inputs = processor("<ecg> Is it?", ecgs=records[0], return_tensors="pt")
    for name, value in reader("<ecg> Is it?", ecgs=records[0], return_tensors="pt").items():
        assert torch.equal(value, inputs[name])
    torch.testing.assert_close(again(**inputs).logits, model(**inputs).logits)
    assert not any(one.requires_grad for one in again.language_model.parameters())
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["auto_map"]["AutoModelForCausalLM"] == "modeling_ecg_lm.ECGLMForCausalLM"
    assert (tmp_path / "modeling_ecg_lm.py").is_file()
    assert (tmp_path / "processing_ecg_lm.py").is_file()


def test_a_checkpoint_without_its_language_model_finds_it_and_no_other(records, tmp_path):
    model, processor = tiny_ecg_lm()
    model.language_model.save_pretrained(tmp_path / "base")
    base = BaseModel("someone/tiny", model_sha256(model.language_model), source="run `make it`")
    model.config.base_model = base.document()
    model.save_pretrained(tmp_path / "small")
    processor.save_pretrained(tmp_path / "small")
    assert (tmp_path / "small" / "model.safetensors").stat().st_size < 100_000
    again = ECGLMForCausalLM.from_pretrained(tmp_path / "small", base_model=tmp_path / "base")
    inputs = processor("<ecg> Is it?", ecgs=records[0], return_tensors="pt")
    torch.testing.assert_close(again(**inputs).logits, model(**inputs).logits)
    again.save_pretrained(tmp_path / "smaller")
    assert (tmp_path / "smaller" / "model.safetensors").stat().st_size < 100_000
    with pytest.raises(BaseModelError, match="run `make it`"):
        ECGLMForCausalLM.from_pretrained(tmp_path / "small", local_files_only=True)
    other, _ = tiny_ecg_lm(seed=1)
    other.language_model.save_pretrained(tmp_path / "other")
    with pytest.raises(BaseModelError, match="not the weights"):
        ECGLMForCausalLM.from_pretrained(tmp_path / "small", base_model=tmp_path / "other")
    ECGLMForCausalLM.from_pretrained(tmp_path / "small", base_model=tmp_path / "other", any_base=True)


def test_pipelines_take_it_as_any_other_checkpoint(records, tmp_path):
    model, processor = tiny_ecg_lm()
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    ask = hl.pipeline("ecg-question-answering", model=str(tmp_path))
    answer = ask(records[0], "Does this ECG show atrial fibrillation?")
    assert {text for text, _ in answer.alternatives} == {"yes", "no"}
    one_lead = hl.ECGRecord(records[0].signal[1:2], records[0].sampling_rate, ("II",))
    assert ask(one_lead, "Does this ECG show atrial fibrillation?").text in ("yes", "no")
    from transformers import pipeline

    same = pipeline("ecg-question-answering", model=str(tmp_path))
    assert same(records[0], "Does this ECG show atrial fibrillation?").alternatives == answer.alternatives
    assert hl.pipeline("ecg-report", model=str(tmp_path))(records[0]).text is not None


def test_what_does_not_fit_is_said(records):
    model, processor = tiny_ecg_lm()
    with pytest.raises(ValueError, match="1 placeholder"):
        processor("<ecg>", ecgs=list(records))
    with pytest.raises(ValueError, match="knows no ECG tokens or codes"):
        processor("<ecg>", ecgs=[[1, 2, 3]], return_tensors="pt")
    inputs = processor("<ecg> Is it?", ecgs=records[0], return_tensors="pt")
    with pytest.raises(ValueError, match="1 places for soft tokens but 0 ECG"):
        model(input_ids=inputs.input_ids)
    with pytest.raises(ValueError, match="projector must be one of"):
        ECGLMConfig(projector="words")
    with pytest.raises(ValueError, match="does not make 3 tokens"):
        ECGLMConfig(projector="leads", num_ecg_tokens=3)
    with pytest.raises(ValueError, match="odd number of samples"):
        ECGEncoderConfig(kernel_size=4)
    with pytest.raises(hl.ECGError, match="none of the leads"):
        processor.encode_ecg(hl.ECGRecord(records[0].signal[:1], records[0].sampling_rate, ("V7",)))
    assert processor.decode(inputs.input_ids[0]).strip().endswith("Is it?")


# ---- configurations


def test_the_encoding_is_as_wide_as_the_last_stage():
    config = ECGEncoderConfig(hidden_sizes=(8, 24, 16), depths=(1, 2, 1))
    assert config.hidden_size == 16
    encoded = ECGEncoderModel(config).eval()(torch.randn(2, 12, 300))
    assert encoded.pooler_output.shape == (2, 16)
    assert encoded.last_hidden_state.shape[2] == 16


def test_the_default_encoder_is_resnet_18_in_one_dimension():
    with torch.device("meta"):
        model = ECGEncoderModel(ECGEncoderConfig())
    shapes = [tuple(one.weight.shape) for one in model.modules() if isinstance(one, torch.nn.Conv1d)]
    assert sum(shape[2] == 5 for shape in shapes) == 16  # with the stem and the last layer eighteen
    assert sum(shape[2] == 1 for shape in shapes) == 3  # where the stages begin
    assert shapes[0][2] == 15
    assert sorted({shape[0] for shape in shapes if shape[2] == 5}) == [64, 128, 256, 512]
    config = ECGEncoderConfig()
    assert (config.leads, config.sampling_rate, config.min_duration) == (list(STANDARD_LEADS), 100, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden_sizes": (8, 16), "depths": (1,)}, {"hidden_sizes": (), "depths": ()},
        {"hidden_sizes": (8,), "depths": (0,)}, {"hidden_sizes": (0, 8), "depths": (1, 1)}, {"kernel_size": 6},
        {"stem_kernel_size": 14},
    ],
)  # fmt: skip
def test_an_encoder_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"one depth for each|odd number of samples"):
        ECGEncoderConfig(**wrong)
    assert ECGEncoderConfig(hidden_sizes=(1,), depths=(1,), kernel_size=1, stem_kernel_size=1).hidden_size == 1


def test_how_many_soft_tokens_there_are_follows_from_the_projector():
    encoder = ECGEncoderConfig(leads=("I", "II", "V1"), **SMALL)
    for projector, tokens in (("record", 1), ("leads", 3), ("time", 1)):
        assert ECGLMConfig(encoder_config=encoder, projector=projector).num_ecg_tokens == tokens
    assert ECGLMConfig(encoder_config=encoder, projector="leads", num_ecg_tokens=3).num_ecg_tokens == 3
    assert ECGLMConfig(encoder_config=encoder, projector="time", num_ecg_tokens=7).num_ecg_tokens == 7
    for projector, tokens in (("record", 0), ("time", 0), ("leads", 0), ("leads", 2), ("leads", 4)):
        with pytest.raises(ValueError, match=f"projector '{projector}' does not make {tokens} tokens of 3 leads"):
            ECGLMConfig(encoder_config=encoder, projector=projector, num_ecg_tokens=tokens)
    for given in (encoder, encoder.to_dict()):
        assert ECGLMConfig(encoder_config=given).encoder_config.leads == ["I", "II", "V1"]
    assert ECGLMConfig().encoder_config.leads == list(STANDARD_LEADS)


# ---- soft tokens


class Encoded:
    """In the encoder's place: the same encoding of whatever is given."""

    def __init__(self, states):
        self.last_hidden_state, self.pooler_output = states, states.mean(dim=1)

    def __call__(self, features):
        return self


def projector_of(kind, width=16, **settings):
    encoder = ECGEncoderConfig(hidden_sizes=(8, width), depths=(1, 1))
    text = LlamaConfig(vocab_size=9, hidden_size=12, num_attention_heads=1)
    torch.manual_seed(0)
    return ECGProjector(ECGLMConfig(text, encoder, projector=kind, **settings)).eval()


def places(count, width):
    """Sines and cosines whose periods grow from 2 π to nearly 2000 π positions."""
    rates = 1000.0 ** (-np.arange(0, width, 2) / width)
    angles = np.arange(count)[:, None] * rates
    return torch.tensor(np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(count, -1), dtype=torch.float32)


@torch.no_grad()
def test_queries_over_time_know_a_position_by_its_sines_alone():
    """What is read at a place is its state and its sines and cosines together: other states elsewhere are the same."""
    projector = projector_of("time", num_ecg_tokens=4)
    known = torch.randn(2, 30, 16)
    order = torch.randperm(30)
    features = torch.zeros(2, 12, 480)
    one = projector(features, Encoded(known - places(30, 16)))
    same = projector(features, Encoded(known[:, order] - places(30, 16)))
    assert one.shape == (2, 4, 12)
    torch.testing.assert_close(one, same)
    assert (one - projector(features, Encoded((known - places(30, 16))[:, order]))).abs().max() > 1e-3


@torch.no_grad()
def test_queries_over_time_read_nothing_behind_the_end_of_a_recording():
    projector = projector_of("time", num_ecg_tokens=4)
    states = torch.randn(1, 20, 16)
    longer = torch.cat([states, torch.zeros(1, 9, 16)], dim=1)
    features = torch.zeros(1, 12, 480)
    torch.testing.assert_close(projector(features, Encoded(longer)), projector(features, Encoded(states)))


@pytest.mark.parametrize(("kind", "tokens"), [("record", 3), ("time", 3), ("leads", 12)])
@torch.no_grad()
def test_a_soft_token_is_as_loud_as_the_norm_says(kind, tokens):
    encoder = ECGEncoderModel(ECGEncoderConfig(hidden_sizes=(8, 16), depths=(1, 1))).eval()
    projector = projector_of(kind, num_ecg_tokens=tokens)
    projector.norm.weight.fill_(0.3)
    soft = projector(torch.randn(2, 12, 500), encoder)
    assert soft.shape == (2, tokens, 12)
    torch.testing.assert_close(soft.square().mean(dim=2).sqrt(), torch.full((2, tokens), 0.3), atol=2e-3, rtol=0)
    assert soft.flatten(0, 1).unique(dim=0).shape[0] == 2 * tokens  # each is another


@torch.no_grad()
def test_each_lead_is_encoded_by_itself_and_a_missing_one_has_its_own_vector():
    encoder = ECGEncoderModel(ECGEncoderConfig(hidden_sizes=(8, 16), depths=(1, 1))).eval()
    projector = projector_of("leads")
    torch.nn.init.normal_(projector.lead_tokens)
    features = torch.randn(2, 12, 500)
    features[1, 4] = float("nan")
    soft = projector(features, encoder)
    other = features.clone()
    other[0, 7] *= -1
    changed = (projector(other, encoder) - soft).abs().amax(dim=2) > 1e-4
    assert changed.nonzero().tolist() == [[0, 7]]
    torch.testing.assert_close(soft[1, 4], projector.norm(projector.lead_tokens[4]))
    assert (soft[0, 4] - soft[1, 4]).abs().max() > 1e-3


# ---- the processor


@pytest.mark.parametrize("tokenizer", ["a name", None, SimpleNamespace(is_fast=False)])
def test_a_base_without_a_fast_tokenizer_is_refused(tokenizer):
    with pytest.raises(ValueError, match="the base must be a fast tokenizer"):
        ECGLMProcessor.from_base(tokenizer)


def test_a_processor_reads_what_the_encoder_reads_and_leaves_the_base_as_it_is():
    from hf_heartllm.training.vocabulary import train_text_tokenizer

    text = train_text_tokenizer(WORDS, vocab_size=320)
    text.pad_token = text.chat_template = None
    text.padding_side = "right"
    encoder = ECGEncoderConfig(leads=("I", "V2"), sampling_rate=50, min_duration=3.0, max_duration=12.0, **SMALL)
    processor = ECGLMProcessor.from_base(text, encoder, num_ecg_tokens=2)
    extractor = processor.feature_extractor
    assert (extractor.leads, extractor.sampling_rate, extractor.min_duration) == (["I", "V2"], 50, 3)
    assert (processor.ecg_max_duration, processor.num_ecg_tokens, processor.ecg_token_id) == (12, 2, len(text))
    assert processor.encode_ecg(hl.read_ecg("example:af")).shape == (2, 500)
    assert processor.tokenizer.pad_token == text.eos_token
    assert (processor.tokenizer.padding_side, processor.tokenizer.chat_template is None) == ("left", False)
    assert (text.pad_token, text.chat_template, text.padding_side) == (None, None, "right")
    plain = ECGLMProcessor.from_base(train_text_tokenizer(WORDS, vocab_size=320))
    assert plain.feature_extractor.leads == list(STANDARD_LEADS)
    assert plain.ecg_max_duration is None
    assert plain.tokenizer.pad_token == train_text_tokenizer(WORDS, vocab_size=320).pad_token


def test_texts_without_an_ecg_are_read_before_any_ecg_was():
    _, processor = tiny_ecg_lm()  # fresh: no placeholder was made yet
    plain = processor.tokenizer("What is it?")["input_ids"]
    assert processor("What is it?")["input_ids"] == plain
    assert processor(["What is it?"], ecgs=[None])["input_ids"] == [plain]
    _, processor = tiny_ecg_lm()
    message = [{"role": "user", "content": "What is it?"}]
    assert processor.apply_chat_template(message, tokenize=True, return_dict=True)["input_ids"]


def test_the_letters_of_a_placeholder_may_be_meant(records):
    _, processor = tiny_ecg_lm(num_ecg_tokens=2)
    chat = [{"role": "user", "content": "What is <ecg>?"}]
    with pytest.raises(ValueError, match="ecgs=False"):
        processor.apply_chat_template(chat)
    with pytest.raises(ValueError, match="is a part of the content"):
        processor.apply_chat_template(chat, ecgs=records[0])
    meant = [{"role": "user", "content": [{"type": "text", "text": "What is"}, {"type": "ecg", "ecg": records[0]}]}]
    found = processor.apply_chat_template(meant)
    assert found["input_ids"].count(processor.ecg_token_id) == 2
    assert "input_features" in found
    literal = processor.apply_chat_template(chat, ecgs=False)
    assert processor.ecg_token_id not in literal["input_ids"]
    assert "What is <ecg>?" in processor.decode(literal["input_ids"])
    assert "What is <ecg>?" in processor.apply_chat_template(chat, ecgs=False, tokenize=False)
    assert "input_features" not in literal
    assert processor.decode(processor("What is <ecg>?", ecgs=False)["input_ids"]).endswith("What is <ecg>?")
    with pytest.raises(ValueError, match="ecgs=False"):
        processor("What is <ecg>?")
    for ecgs in (records[0], [[records[0]]]):
        with pytest.raises(ValueError, match="2 texts need a list with 2 entries"):
            processor(["<ecg>", "none"], ecgs=ecgs)


def test_conversations_alone_and_together_have_the_same_rows(records):
    _, processor = tiny_ecg_lm(num_ecg_tokens=2)
    chats = [
        [{"role": "user", "content": [{"type": "ecg", "ecg": record}, {"type": "text", "text": text}]}]
        for record, text in zip(records, ("Is it?", "What rhythm is it then?"), strict=True)
    ]
    both = processor.apply_chat_template(chats, add_generation_prompt=True, padding=True, return_tensors="pt")
    longest = both["input_ids"].shape[1]
    assert both["input_features"].shape == (2, 12, 1000)
    for row, chat in enumerate(chats):
        one = processor.apply_chat_template(chat, add_generation_prompt=True)
        ids = one["input_ids"]
        assert ids.count(processor.ecg_token_id) == 2
        assert both["input_ids"][row, longest - len(ids) :].tolist() == ids
        assert both["attention_mask"][row].tolist() == [0] * (longest - len(ids)) + [1] * len(ids)
        assert processor.apply_chat_template(chat, add_generation_prompt=True, return_dict=False) == ids
        assert len(processor.apply_chat_template(chat)["input_ids"]) < len(ids)
        assert processor.apply_chat_template(chat, tokenize=False).count("<ecg>") == 1
    texts = processor.apply_chat_template(chats, tokenize=False)
    assert texts == [processor.apply_chat_template(chat, tokenize=False) for chat in chats]
    assert bool(both["input_features"][1, :, 430:].isnan().all())
    assert not bool(both["input_features"][1, :, :430].isnan().any())


def test_the_classifier_is_saved_with_its_statements(tmp_path):
    config = ECGEncoderConfig(**SMALL, id2label={0: "AFIB", 1: "PVC"}, label2id={"AFIB": 0, "PVC": 1})
    model = ECGEncoderForSequenceClassification(config).eval()
    features, labels = torch.randn(2, 12, 300), torch.tensor([[1.0, float("nan")], [0.0, 0.3]])
    loss = model(features, labels=labels).loss
    assert bool(loss.isfinite())
    model.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert again.config.id2label == {0: "AFIB", 1: "PVC"}
    assert torch.equal(again(features).logits, model(features).logits)


def test_a_base_that_takes_no_embeddings_is_refused_and_layers_may_be_computed_again():
    model, processor = tiny_ecg_lm()
    model.gradient_checkpointing_enable()
    assert model.is_gradient_checkpointing

    class OfIds(type(model.language_model)):
        def forward(self, input_ids=None, attention_mask=None, position_ids=None, past_key_values=None, **kwargs):
            return super().forward(input_ids, attention_mask, position_ids, past_key_values, **kwargs)

    with pytest.raises(ValueError, match="reads ids alone"):
        ECGLMForCausalLM.from_base(OfIds(model.language_model.config), processor)


def test_the_decoder_is_the_language_models():
    model, _ = tiny_ecg_lm()
    assert model.backbone is model.get_decoder() is model.language_model.model


def test_a_recording_is_checked_unless_it_was_before():
    _, processor = tiny_ecg_lm()
    record, _ = simulate_ecg(seed=3)
    signal = record.signal.copy()
    signal[7] = 0
    dead = hl.ECGRecord(signal, record.sampling_rate, record.leads)
    with pytest.warns(hl.ECGWarning, match="lead V2"):
        assert np.isnan(processor.encode_ecg(dead)[7]).all()
    assert np.isfinite(processor.encode_ecg(dead, check=False)[7]).all()
