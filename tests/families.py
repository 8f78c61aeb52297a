"""Tiny decoders with random weights of the families that transformers has, and what both systems can do with each.

python -m tests.families        # writes the table of docs/language-models.md
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

PAGE = Path(__file__).resolve().parent.parent / "docs" / "language-models.md"
BEGIN, END = "<!-- families: python -m tests.families -->\n", "<!-- /families -->\n"

TEXT_TOKENS, CODES = 60, 24
WINDOW = 16  # tokens, shorter than the prompts
ANSWERS = ("yes", "no", "both a", "both b")

_IDS = {"vocab_size": TEXT_TOKENS, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
_GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}
_SMALL = {"hidden_size": 32, "num_hidden_layers": 2}
_HEADS = _SMALL | {"num_attention_heads": 4}
_HEAD = _SIZES | {"head_dim": 8}
_WINDOWS = {"sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention"]}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
_LATENT = {
    "n_routed_experts": 4, "topk_group": 1, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "kv_lora_rank": 16,
    "q_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8, "num_key_value_heads": 4,
    "n_shared_experts": 1, "first_k_dense_replace": 1,
}  # fmt: skip
_MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 2, "mamba_d_state": 8, "mamba_chunk_size": 8}
_LINEAR = {
    "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"], "shared_expert_intermediate_size": 16,
}  # fmt: skip

FAMILIES: dict[str, dict[str, Any]] = {
    "llama": _SIZES,
    "mistral": _SIZES | {"sliding_window": WINDOW},
    "mixtral": _SIZES | {"num_local_experts": 4},
    "qwen2": _SIZES,
    "qwen2_moe": _SIZES | _EXPERTS | {"shared_expert_intermediate_size": 16},
    "qwen3": _HEAD,
    "qwen3_moe": _HEAD | _EXPERTS,
    "qwen3_next": _HEAD | _EXPERTS | _LINEAR,
    "gemma": _HEAD,
    "gemma2": _HEAD | {"sliding_window": WINDOW},
    "gemma3_text": _HEAD | _WINDOWS,
    "gemma3n_text": _HEAD
    | _WINDOWS
    | {
        "vocab_size_per_layer_input": TEXT_TOKENS,
        "hidden_size_per_layer_input": 8,
        "laurel_rank": 4,
        "num_kv_shared_layers": 0,
        "activation_sparsity_pattern": [0.0, 0.0],
        "altup_num_inputs": 2,
        "intermediate_size": [48, 48],
    },
    "gemma4_text": _HEAD
    | _WINDOWS
    | {
        "global_head_dim": 8,
        "hidden_size_per_layer_input": 8,
        "vocab_size_per_layer_input": TEXT_TOKENS,
        "num_kv_shared_layers": 0,
    },
    "phi": _SIZES,
    "phi3": _SIZES,
    "gpt2": _GPT,
    "gpt_neo": _SMALL
    | {
        "num_layers": 2,
        "num_heads": 4,
        "attention_types": [[["global", "local"], 1]],
        "max_position_embeddings": 128,
        "window_size": WINDOW,
    },
    "gpt_neox": _SIZES,
    "gptj": _GPT | {"rotary_dim": 4},
    "gpt_oss": _HEAD | _WINDOWS | {"num_local_experts": 2, "num_experts_per_tok": 1},
    "opt": _HEADS | {"word_embed_proj_dim": 32, "ffn_dim": 48, "max_position_embeddings": 128},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 128, "expansion_ratio": 2},
    "falcon": _HEADS | {"alibi": False},
    "falcon, alibi": _HEADS | {"alibi": True},
    "llama4_text": _HEAD
    | {
        "intermediate_size_mlp": 48,
        "num_local_experts": 2,
        "interleave_moe_layer_step": 1,
        "attention_chunk_size": WINDOW,
    },
    "mamba": _SMALL | {"state_size": 8},
    "mamba2": _SMALL | {"state_size": 8, "num_heads": 8, "head_dim": 8, "n_groups": 2, "chunk_size": 8},
    "rwkv": _SMALL | {"attention_hidden_size": 32, "context_length": 128},
    "recurrent_gemma": _HEAD
    | {"lru_width": 32, "attention_window_size": WINDOW, "block_types": ["recurrent", "attention"]},
    "jamba": _SIZES
    | {
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "num_experts": 4,
        "use_mamba_kernels": False,
        "mamba_d_state": 8,
    },
    "falcon_h1": _HEAD | _MAMBA | {"mamba_d_ssm": 32, "mamba_d_head": 4, "mamba_n_groups": 1},
    "lfm2": _SIZES | {"layer_types": ["conv", "full_attention"]},
    "olmo2": _SIZES,
    "cohere2": _SIZES | _WINDOWS,
    "granite": _SIZES,
    "stablelm": _SIZES,
    "smollm3": _SIZES,
    "deepseek_v3": _HEAD | _LATENT | {"n_group": 2},
    "openai-gpt": _GPT,
    "bert": _SIZES,
    # the rest takes longer than all of them should
    "apertus": _SIZES,
    "arcee": _SIZES,
    "bamba": _SIZES | _MAMBA | {"attn_layer_indices": [1]},
    "biogpt": _SIZES,
    "bitnet": _SIZES,
    "codegen": _GPT | {"rotary_dim": 4},
    "cohere": _SIZES,
    "ctrl": _GPT | {"dff": 48},
    "deepseek_v2": _HEAD | _LATENT | {"n_group": 1, "topk_method": "greedy"},
    "diffllama": _SIZES,
    "ernie4_5": _HEAD,
    "exaone4": _SIZES | _WINDOWS,
    "falcon_mamba": _SMALL | {"state_size": 8},
    "glm": _HEAD,
    "glm4": _HEAD,
    "gpt_bigcode": _GPT,
    "granitemoehybrid": _SIZES
    | _MAMBA
    | {
        "layer_types": ["mamba", "attention"],
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "shared_intermediate_size": 16,
    },
    "helium": _HEAD,
    "hunyuan_v1_dense": _HEAD,
    "minimax": _HEAD | {"num_local_experts": 2, "layer_types": ["linear_attention", "full_attention"]},
    "nanochat": _SIZES,
    "nemotron": _SIZES,
    "olmo": _SIZES,
    "olmo3": _SIZES | _WINDOWS,
    "olmoe": _SIZES | {"num_experts": 4, "num_experts_per_tok": 2},
    "persimmon": _SIZES | {"num_key_value_heads": 4},
    "seed_oss": _HEAD,
    "starcoder2": _SIZES,
    "xglm": {"d_model": 32, "ffn_dim": 48, "num_layers": 2, "attention_heads": 4, "max_position_embeddings": 128},
    "xlstm": _SMALL | {"num_heads": 4, "chunk_size": 8, "embedding_dim": 32},
    "zamba2": _SIZES
    | {
        "layers_block_type": ["mamba", "hybrid"],
        "mamba_d_state": 8,
        "n_mamba_heads": 8,
        "mamba_headdim": 8,
        "num_mem_blocks": 1,
        "hybrid_layer_ids": [1],
        "use_mamba_kernels": False,
        "chunk_size": 8,
    },
}
QUICK = tuple(FAMILIES)[: list(FAMILIES).index("apertus")]
"""Those that every run tries."""


def base_of(family: str, attention: str | None = None) -> Any:
    """A base of two layers, with weights that make the logits of different tokens and places differ clearly."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    generator = torch.Generator().manual_seed(0)
    config = AutoConfig.for_model(family.split(",")[0], **(_IDS | FAMILIES[family]))
    base = AutoModelForCausalLM.from_config(config, **({"attn_implementation": attention} if attention else {})).eval()
    with torch.no_grad():
        for weight in base.parameters():
            if weight.dim() > 1:
                weight.copy_(0.25 * torch.randn(weight.shape, generator=generator))
    return base


@dataclass
class Ids:
    """What `from_base` reads of a tokenizer, and a token a letter."""

    codec: Any = field(default_factory=lambda: SimpleNamespace(config=SimpleNamespace(levels=[4, 2, 3])))
    ecg_codebook_size: int = CODES
    ecg_start_token_id: int = TEXT_TOKENS
    ecg_end_token_id: int = TEXT_TOKENS + 1
    ecg_token_offset: int = TEXT_TOKENS + 2
    pad_token_id: int = 0
    bos_token_id: int = 1
    eos_token_id: int = 2

    def __len__(self) -> int:
        return self.ecg_token_offset + self.ecg_codebook_size

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return [3 + ord(letter) % (TEXT_TOKENS - 3) for letter in text]

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": self.encode(text)}


@dataclass(frozen=True)
class Found:
    """What was found of a family, as its row of the table has it.

    Attributes:
        heartllm: "yes", or why `HeartLLMForCausalLM.from_base` refuses it.
        scoring: how answers are scored: "together" (what prompts and answers share is read once), "behind a prompt"
            (each prompt is read once), "one by one" (each prompt with each answer).
        ecg_lm: "yes", or why `ECGLMForCausalLM.from_base` refuses it.
    """

    heartllm: str
    scoring: str
    ecg_lm: str


def try_family(family: str) -> Found:
    """Build both systems on a family and compare what they compute in different ways.

    Raises:
        AssertionError: if two ways differ and nothing was said.
    """
    import torch

    from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM

    generator = torch.Generator().manual_seed(1)
    text = torch.randint(3, TEXT_TOKENS, (24,), generator=generator).tolist()
    codes = (TEXT_TOKENS + 2 + torch.randint(CODES, (8,), generator=generator)).tolist()
    prompt = [*text[:3], TEXT_TOKENS, *codes, TEXT_TOKENS + 1, *text[3:13]]
    rows = [prompt, [*prompt[:20], 5, 6, 7], prompt[3:17]]
    base = base_of(family)
    before = _logits(base, text)
    try:
        model = HeartLLMForCausalLM.from_base(base, Ids())
    except ValueError as refusal:
        heartllm, scoring = _reason(refusal), "–"
        assert _logits(base, text).shape == before.shape, "a base that is refused must stay as it was"
    else:
        heartllm = "yes"
        assert torch.equal(_logits(model, text)[..., :TEXT_TOKENS], before), "logits of text have changed"
        scoring = _scores(model, rows)
        _generates(model, rows)
    return Found(heartllm, scoring, _ecg_lm(family, rows))


def _ecg_lm(family: str, rows: list[list[int]]) -> str:
    import torch

    from hf_heartllm.models.configuration_ecg_lm import ECGEncoderConfig
    from hf_heartllm.models.ecg_lm_answerer import _WithSoftTokens
    from hf_heartllm.models.modeling_ecg_lm import ECGLMForCausalLM

    place = TEXT_TOKENS + 5
    processor = SimpleNamespace(ecg_token_id=place, num_ecg_tokens=2, tokenizer=Ids())
    encoder = ECGEncoderConfig(hidden_sizes=(8, 16), depths=(1, 1))
    try:
        model = ECGLMForCausalLM.from_base(base_of(family), processor, encoder, num_ecg_tokens=2)
    except ValueError as refusal:
        return _reason(refusal)
    ecgs = torch.randn(2, 12, 400, generator=torch.Generator().manual_seed(2))
    texts = [[min(token, TEXT_TOKENS - 1) for token in row] for row in rows]
    with torch.inference_mode():
        soft = model.encode_ecgs(ecgs)
    shown = _WithSoftTokens(model)
    _scores(
        shown, [[*text[:3], *shown.ids_of(ecg), *text[3:]] for text, ecg in zip(texts, [*soft, soft[0]], strict=True)]
    )
    _generates(
        model,
        [[*text[:3], place, place, *text[3:]] for text in texts],
        [ecgs[:1], ecgs[1:], ecgs[:1]],
    )
    return "yes"


def _reason(refusal: ValueError) -> str:
    text = str(refusal)
    assert "\n" not in text
    return text.split(" cannot be the base: ")[1]


def _logits(model: Any, ids: list[int]) -> Any:
    import torch

    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits


def _scores(model: Any, rows: list[list[int]]) -> str:
    """Scores of answers are those of whole rows; how they were made."""
    import numpy as np
    import torch

    from hf_heartllm.models.answer_scores import score_groups
    from hf_heartllm.models.sequence_likelihoods import cache_is_right, trees_are_right

    with torch.inference_mode():
        together, behind = trees_are_right(model, WINDOW), cache_is_right(model)
    prompts = [row[: WINDOW - 8] + row[-3:] for row in rows] if together else []  # short enough for any window
    for asked in (prompts, rows):
        [scores] = score_groups(model, Ids(), [(asked, [ANSWERS] * len(asked))])
        for row, score in zip(asked, scores, strict=True):
            for answer, found in zip(ANSWERS, score.log_likelihoods, strict=True):
                target = [*Ids().encode(answer), Ids.eos_token_id]
                with torch.inference_mode():
                    ids = torch.tensor([[*row, *target]])
                    predicted = model(input_ids=ids, use_cache=False).logits[0, len(row) - 1 : -1].double()
                expected = predicted.log_softmax(-1)[range(len(target)), target].sum().item()
                assert np.isclose(found, expected, atol=1e-3), f"{found} is not {expected}"
    return "together" if together else "behind a prompt" if behind else "one by one"


def _generates(model: Any, rows: list[list[int]], features: list[Any] | None = None) -> None:
    """Greedy text with a cache, without one, and in a batch padded on the left."""
    import torch

    def written(batch: list[list[int]], ecgs: list[Any] | None, **options: Any) -> tuple[Any, Any]:
        width = max(map(len, batch))
        ids = torch.tensor([[0] * (width - len(row)) + row for row in batch])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in batch])
        given = {} if ecgs is None else {"input_features": torch.cat(ecgs)}
        out = model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=4, do_sample=False, eos_token_id=None, pad_token_id=0,
            output_logits=True, return_dict_in_generate=True, **given, **options,
        )  # fmt: skip
        return out.sequences[:, -4:], torch.stack(out.logits, dim=1)

    alone = [written([row], None if features is None else [features[i]]) for i, row in enumerate(rows)]
    tokens, logits = torch.cat([one for one, _ in alone]), torch.cat([one for _, one in alone])
    uncached = written(rows[:1], None if features is None else features[:1], use_cache=False)
    for what, (ids, values), expected in (
        ("without a cache", uncached, (tokens[:1], logits[:1])),
        ("in a batch", written(rows, features), (tokens, logits)),
    ):
        assert torch.equal(ids, expected[0]), f"other text {what}"
        difference = float((values - expected[1]).abs().max())
        assert difference < 1e-2 * float(logits.abs().max()), f"logits differ by {difference:.2g} {what}"


HEADER = ("family", "HeartLLM", "answers are scored", "ECG-LM")


def row_of(family: str, found: Found) -> str:
    """The row of the table."""
    heartllm, scoring, ecg_lm = astuple(found)
    ecg_lm = "the same" if ecg_lm == heartllm != "yes" else ecg_lm
    return f"| `{family}` | {heartllm} | {scoring} | {ecg_lm} |"


def table(found: dict[str, Found]) -> str:
    """The table, in Markdown."""
    rows = [row_of(family, found[family]) for family in sorted(found)]
    return "\n".join(["| " + " | ".join(HEADER) + " |", "|---|---|---|---|", *rows]) + "\n"


def written_rows() -> list[str]:
    """The rows as they stand in the page."""
    text = PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    return text.strip().splitlines()[2:]


def main() -> None:
    """Try all and write the table."""
    found = {}
    for number, family in enumerate(FAMILIES, 1):
        found[family] = try_family(family)
        print(f"{number}/{len(FAMILIES)} {family}: {' | '.join(astuple(found[family]))}")
    before, _, after = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + table(found) + END + after.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
