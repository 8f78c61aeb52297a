"""ECG-LM: any leads and lengths through one encoder, soft tokens among text, a language model that stays as it is."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoProcessor

import hf_heartllm as hl
from hf_heartllm.ecg.simulate import simulate_ecg
from hf_heartllm.models.base_model import BaseModel, BaseModelError, model_sha256
from hf_heartllm.models.configuration_ecg_lm import ECGEncoderConfig, ECGLMConfig
from hf_heartllm.models.ecg_leads import STANDARD_LEADS
from hf_heartllm.models.ecg_prompts import Prompt
from hf_heartllm.models.measured_text import measured_text, measured_text_of
from hf_heartllm.models.modeling_ecg_encoder import ECGEncoderForSequenceClassification, ECGEncoderModel
from hf_heartllm.models.modeling_ecg_lm import ECGLMForCausalLM
from hf_heartllm.models.processing_ecg_lm import ECGLMProcessor
from tests.tiny import tiny_ecg_lm

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
        model(
            **inputs, labels=inputs.input_ids.masked_fill(inputs.attention_mask == 0, -100).clamp(max=319)
        ).loss.backward()
        optimizer.step()
    changed = {name.split(".")[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"encoder", "projector"}
    assert {name for name, one in model.named_parameters() if one.grad is not None} == {
        name for name, _ in model.named_parameters() if not name.startswith("language_model.")
    }


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
