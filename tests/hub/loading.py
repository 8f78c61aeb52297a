"""Run as a program: loads what `pushing.py` pushed, by repository id, as any user of transformers does.

python loading.py with|without OUT REVISION REVISION    writes OUT/found.json; "without": the package cannot be imported
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

QUESTION = "Does this ECG show atrial fibrillation?"


def ids_of(tokenizer: Any, ecg: Any) -> list[int]:
    """The first ids of a text with an ECG."""
    return list(tokenizer("Does <ecg>", ecgs=[ecg])["input_ids"][:30])


def last_logits(model: Any, reader: Any, ecg: Any) -> list[float]:
    """Some logits behind a text with an ECG."""
    import torch

    with torch.no_grad():
        logits = model(**reader("Does <ecg> show", ecgs=[ecg], return_tensors="pt")).logits
    return [round(value, 4) for value in logits[0, -1, :8].tolist()]


class Absent:
    """Has the package not be there."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """As where it was never installed."""
        if name.partition(".")[0] == "hf_heartllm":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def load_all(ecg: Any, old: str, calibrated: str, trust: dict[str, Any]) -> dict[str, Any]:
    """What is found at the head of each repository, and at an older revision of two."""
    from transformers import AutoModel, AutoModelForCausalLM, AutoProcessor, AutoTokenizer, pipeline

    package = sys.modules.get("hf_heartllm")
    ours = pipeline if package is None else package.pipeline
    found: dict[str, Any] = {}
    for name, revision in (("of seed 0", "main"), ("of seed 1", old)):
        model = AutoModelForCausalLM.from_pretrained("user/heartllm", revision=revision, **trust)
        tokenizer = AutoTokenizer.from_pretrained("user/heartllm", revision=revision, **trust)
        found[f"heartllm {name}"] = last_logits(model, tokenizer, ecg)
        found[f"tokenizer {name}"] = [tokenizer.codec.fingerprint(), ids_of(tokenizer, ecg)]
    alone = AutoTokenizer.from_pretrained("user/tokenizer", **trust)
    assert [alone.codec.fingerprint(), ids_of(alone, ecg)] == found["tokenizer of seed 0"]
    asked = pipeline("ecg-question-answering", model="user/heartllm", **trust)(ecg, QUESTION)
    found["pipeline"] = [asked.text, asked.probability]
    asked = ours("ecg-question-answering", model="user/tiny", revision=calibrated, **trust)(ecg, QUESTION)
    found["calibrated"] = [asked.text, asked.probability, asked.calibrated]
    found["codec"] = AutoModel.from_pretrained("user/codec", **trust).fingerprint()

    soft = AutoModelForCausalLM.from_pretrained("user/ecg-lm", **trust)
    found["ecg-lm"] = last_logits(soft, AutoProcessor.from_pretrained("user/ecg-lm", **trust), ecg)
    asked = pipeline("ecg-question-answering", model="user/ecg-lm", **trust)(ecg, QUESTION)
    found["ecg-lm pipeline"] = [asked.text, asked.probability]

    for name, repository in (
        ("adapter with code", "user/heartllm-adapter"),
        ("ecg-lm without base", "user/ecg-lm-alone"),
    ):
        model = AutoModelForCausalLM.from_pretrained(repository, **trust)
        read = AutoProcessor if "lm" in name else AutoTokenizer
        found[name] = last_logits(model, read.from_pretrained(repository, **trust), ecg)
        asked = pipeline("ecg-question-answering", model=repository, **trust)(ecg, QUESTION)
        found[f"{name} pipeline"] = [asked.text, asked.probability]

    import datasets
    import peft

    base = AutoModelForCausalLM.from_pretrained("user/heartllm", **trust)
    tokenizer = AutoTokenizer.from_pretrained("user/heartllm", **trust)
    found["adapter"] = last_logits(peft.PeftModel.from_pretrained(base, "user/adapter"), tokenizer, ecg)
    found["tokens"] = datasets.load_dataset("user/tokens", split="train")[:]
    return found


def main(way: str, out: str, old: str, calibrated: str) -> None:
    """Load with or without the package."""
    if way == "with":
        import hf_heartllm  # noqa: F401
    else:
        sys.meta_path.insert(0, Absent())  # type: ignore[arg-type]
    ecg = json.loads((Path(out) / "record.json").read_text())
    found = load_all(ecg, old, calibrated, {} if way == "with" else {"trust_remote_code": True})
    found["ours"] = any(name.partition(".")[0] == "hf_heartllm" for name in sys.modules)
    (Path(out) / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
