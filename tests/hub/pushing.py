"""Run as a program: pushes the smallest of everything to the Hub that HF_ENDPOINT names, by the classes' own methods.

python pushing.py OUT    writes what those who load it must find: OUT/expected.json, OUT/record.json
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import datasets
import peft
import torch
from huggingface_hub import HfApi

import hf_heartllm as hl
from hf_heartllm import cli
from hf_heartllm.models.base_model import BaseModel, model_sha256
from hf_heartllm.training.stages import save_adapter
from tests.hub.loading import QUESTION, ids_of, last_logits
from tests.tiny import tiny_codec, tiny_ecg_lm, tiny_model_and_tokenizer


def push_all(out: Path) -> dict[str, Any]:
    """Push; returns what was pushed, in figures."""
    record = hl.read_ecg("example:af")
    ecg = {"signal": record.signal.tolist(), "sampling_rate": record.sampling_rate, "leads": list(record.leads)}
    (out / "record.json").write_text(json.dumps(ecg))
    expected: dict[str, Any] = {}
    for seed in (1, 0):  # the first revision has another codec and other weights
        model, tokenizer = tiny_model_and_tokenizer(seed)
        for one in (model, tokenizer):
            one.push_to_hub("user/heartllm")
        tokenizer.push_to_hub("user/tokenizer")
        name = f"of seed {seed}"
        expected[f"heartllm {name}"] = last_logits(model, tokenizer, ecg)
        expected[f"tokenizer {name}"] = [tokenizer.codec.fingerprint(), ids_of(tokenizer, ecg)]
    asked = hl.pipeline("ecg-question-answering", model, tokenizer)(ecg, QUESTION)
    expected["pipeline"] = [asked.text, asked.probability]
    local = tiny_codec()
    local.push_to_hub("user/codec")
    expected["codec"] = local.fingerprint()

    soft, processor = tiny_ecg_lm()
    for one in (soft, processor):
        one.push_to_hub("user/ecg-lm")
    expected["ecg-lm"] = last_logits(soft, processor, ecg)
    asked = hl.pipeline("ecg-question-answering", soft, processor)(ecg, QUESTION)
    expected["ecg-lm pipeline"] = [asked.text, asked.probability]

    push_without_base(soft, processor, local, out)
    expected["ecg-lm without base"] = expected["ecg-lm"]
    whole = adapted(
        hl.HeartLLMForCausalLM.from_base(copy.deepcopy(soft.language_model), (own := made(processor, local)))
    )
    merged = whole.merge_and_unload()
    expected["adapter with code"] = last_logits(merged, own, ecg)
    asked = hl.pipeline("ecg-question-answering", merged, own)(ecg, QUESTION)
    expected["adapter with code pipeline"] = [asked.text, asked.probability]
    expected["ecg-lm without base pipeline"] = expected["ecg-lm pipeline"]

    with_adapter = adapted(model)
    with_adapter.push_to_hub("user/adapter")
    expected["adapter"] = last_logits(with_adapter.merge_and_unload(), tokenizer, ecg)

    rows = {"record_id": ["1", "2"], "codes": [[1, 2], [3, 4]], "codec": ["x", "x"]}
    datasets.Dataset.from_dict(rows).push_to_hub("user/tokens")
    expected["tokens"] = rows
    shipped, of_shipped = hl.HeartLLMForCausalLM.from_pretrained(hl.checkpoint()), hl.ECGTokenizer.from_pretrained()
    of_shipped.push_to_hub("user/tiny")  # before the model, whose card then replaces the tokenizer's
    shipped.push_to_hub("user/tiny")
    of_shipped.push_to_hub("user/tiny")
    asked = hl.pipeline("ecg-question-answering")(ecg, QUESTION)
    expected["calibrated"] = [asked.text, asked.probability, True]
    HfApi().upload_file(
        path_or_fileobj=b"{}", path_in_repo="calibration.json", repo_id="user/tiny"
    )  # at main it is broken
    shipped.push_to_hub("user/trained")
    with torch.no_grad():
        next(shipped.parameters()).data[0, 0] += 1e-3
    shipped.push_to_hub("user/trained")
    return expected


def made(processor: Any, codec: Any) -> Any:
    """An `ECGTokenizer` of the text tokenizer in a processor."""
    return hl.ECGTokenizer.from_base(processor.tokenizer, codec)


def adapted(model: Any) -> Any:
    """A model with an adapter whose values are far from where they begin."""
    rows = model.trainable_token_indices()
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=3, target_modules="all-linear", trainable_token_indices=rows)
    torch.manual_seed(0)
    wrapped = peft.get_peft_model(model, config).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in wrapped.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return wrapped


def push_without_base(soft: Any, processor: Any, codec: Any, out: Path) -> None:
    """A language model as user/base, and what was trained on it without its weights, as folders are pushed."""
    language_model, tokenizer = soft.language_model, made(processor, codec)
    commit = language_model.push_to_hub("user/base").oid
    base = BaseModel("user/base", model_sha256(language_model), commit)
    heart = hl.HeartLLMForCausalLM.from_base(copy.deepcopy(language_model), tokenizer)
    save_adapter(adapted(heart), tokenizer, out / "trained" / "model", base)
    soft.config.base_model = base.document()
    soft.save_pretrained(out / "soft")
    processor.save_pretrained(out / "soft")
    soft.config.base_model = None
    for name, folder in (("user/heartllm-adapter", "trained/model"), ("user/ecg-lm-alone", "soft")):
        assert cli.main(["push", name, str(out / folder), "--quiet"]) == 0


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "expected.json").write_text(json.dumps(push_all(folder)))
