"""The table of families in docs/language-models.md is what both systems do with each."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import torch

from hf_heartllm.models import sequence_likelihoods
from hf_heartllm.models.answer_scores import score_answers, score_groups
from hf_heartllm.models.language_models import KNOWN, check_base
from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
from tests.families import ANSWERS, FAMILIES, QUICK, Found, Ids, base_of, row_of, try_family, written_rows

PROMPTS = [[5, 6, 7, 8, 9, 10], [5, 6, 7, 8, 30], [41, 6]]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "family", [family if family in QUICK else pytest.param(family, marks=pytest.mark.slow) for family in FAMILIES]
)
def test_a_family_does_what_its_row_says(family: str) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # of tensors this small more threads only wait for each other
    try:
        assert row_of(family, try_family(family)) in written_rows(), "python -m tests.families writes the table"
    finally:
        torch.set_num_threads(threads)


def test_the_table_has_every_family_and_the_known_ones_are_right() -> None:
    rows = written_rows()
    assert [row.split("`")[1] for row in rows] == sorted(FAMILIES)
    for family in KNOWN:
        assert row_of(family, Found("yes", "together", "yes")) in rows


def scored(model: Any) -> list[Any]:
    [found] = score_groups(model, Ids(), [(PROMPTS, [ANSWERS] * len(PROMPTS))])
    return [one.log_likelihoods for one in found]


def by_hand(model: Any, prompt: list[int], answer: str) -> float:
    target = [*Ids().encode(answer), Ids.eos_token_id]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*prompt, *target]])).logits[0, len(prompt) - 1 : -1].double()
    return float(logits.log_softmax(-1)[range(len(target)), target].sum())


def test_a_family_is_tried_once_and_a_known_one_never(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    whole = sequence_likelihoods.whole_likelihoods
    monkeypatch.setattr(sequence_likelihoods, "whole_likelihoods", lambda *given: calls.append(given) or whole(*given))
    scored(base_of("llama"))
    assert not calls
    strange = base_of("mpt")
    first = scored(strange)
    tried = len(calls)
    assert tried > 0
    assert all(np.array_equal(one, other) for one, other in zip(scored(strange), first, strict=True))
    score_answers(strange, Ids(), PROMPTS[0], ANSWERS)
    assert len(calls) == tried
    del strange
    calls.clear()
    gc.collect()
    assert not [model for model in sequence_likelihoods._RIGHT if type(model).__name__ == "MptForCausalLM"]


def test_a_stranger_that_forgets_positions_is_scored_as_whole_rows() -> None:
    """Code that is not of transformers, with the model type of a family that is known."""
    from transformers import LlamaForCausalLM

    class Forgets(LlamaForCausalLM):
        def forward(self, *args: Any, position_ids: Any = None, **more: Any) -> Any:
            return super().forward(*args, **more)

    base = base_of("llama")
    strange = Forgets(base.config).eval()
    strange.load_state_dict(base.state_dict())
    for prompt, found in zip(PROMPTS, scored(strange), strict=True):
        np.testing.assert_allclose(found, [by_hand(base, prompt, answer) for answer in ANSWERS], atol=1e-4)
    with pytest.raises(ValueError, match="padded on the left gives other logits"):
        check_base(PadsWrong(base))


class PadsWrong(torch.nn.Module):
    """A model that heeds neither attention mask nor positions."""

    def __init__(self, base: Any) -> None:
        super().__init__()
        self.inner, self.config, self.dtype = base, base.config, base.dtype

    def get_input_embeddings(self) -> Any:
        return self.inner.get_input_embeddings()

    def get_output_embeddings(self) -> Any:
        return self.inner.get_output_embeddings()

    def forward(self, input_ids: Any, past_key_values: Any = None, use_cache: bool = False, **_: Any) -> Any:
        return self.inner(input_ids=input_ids, past_key_values=past_key_values, use_cache=use_cache)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", ["bloom", "falcon_h1", "llama4_text"])
def test_half_precision_is_no_reason_to_refuse(family: str, dtype: torch.dtype) -> None:
    check_base(base_of(family).to(dtype))


def test_what_a_refusal_says_is_one_line_and_names_the_base() -> None:
    base = base_of("bert")
    with pytest.raises(ValueError, match=r"^BertLMHeadModel \(bert\) cannot be the base: [^\n]+$"):
        HeartLLMForCausalLM.from_base(base, Ids())
    assert base.get_input_embeddings().weight.shape[0] < len(Ids())  # it stays as it was


class Slightly(torch.nn.Module):
    """A model whose logits are `size` times those of another, and wrong by a share of them where a row is padded."""

    def __init__(self, base: Any, wrong: float, size: float = 1.0, where: str = "padded") -> None:
        super().__init__()
        self.inner, self.config, self.dtype = base, base.config, base.dtype
        self.wrong, self.size, self.where = wrong, size, where

    def get_input_embeddings(self) -> Any:
        return self.inner.get_input_embeddings()

    def get_output_embeddings(self) -> Any:
        return self.inner.get_output_embeddings()

    def forward(
        self, input_ids: Any, attention_mask: Any = None, past_key_values: Any = None, position_ids: Any = None,
        use_cache: bool = False,
    ) -> Any:  # fmt: skip
        found = self.inner(
            input_ids=input_ids, attention_mask=attention_mask, past_key_values=past_key_values,
            position_ids=position_ids, use_cache=use_cache,
        )  # fmt: skip
        logits = self.size * found.logits
        padded = attention_mask is not None and not bool(attention_mask.all())
        if padded if self.where == "padded" else past_key_values is not None:
            logits = logits + self.wrong * logits.abs().max()
        found.logits = logits
        return found


@pytest.mark.parametrize("size", [1.0, 1e-3, 1e3])
@pytest.mark.parametrize(("where", "said"), [("padded", "padded on the left"), ("cached", "behind its cache")])
def test_what_is_wrong_is_found_however_small_the_logits_are(size: float, where: str, said: str) -> None:
    """One percent may be rounding, as in half precision; two are another answer."""
    base = base_of("llama")
    size /= float(base(torch.arange(1, 20)[None]).logits.detach().abs().max())
    check_base(Slightly(base, 0.005, size, where))
    with pytest.raises(ValueError, match=said):
        check_base(Slightly(base, 0.03, size, where))


def test_a_model_that_says_nothing_yet_may_be_a_base() -> None:
    check_base(Slightly(base_of("llama"), 0.0, 0.0))
