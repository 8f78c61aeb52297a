"""A whole checkpoint of the smallest sizes, with random weights: for paths that need one and not its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WORDS = (
    "Does this ECG show atrial fibrillation?",
    "Does this ECG show sinus rhythm?",
    "What rhythm does this ECG show?",
    "Write the report.",
    "sinus rhythm, normal ecg, atrial fibrillation, yes, no, none, both",
) * 3


def tiny_model_and_tokenizer(seed: int = 0) -> tuple[Any, Any]:
    """A `HeartLLMForCausalLM` of two layers and its `ECGTokenizer`, 32 tokens an ECG of 10 s."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from hf_heartllm.models.configuration_paper_codec import PaperCodecConfig
    from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
    from hf_heartllm.models.modeling_paper_codec import PaperCodecModel
    from hf_heartllm.models.tokenization_heartllm import ECGTokenizer
    from hf_heartllm.training.vocabulary import train_text_tokenizer

    torch.manual_seed(seed)
    codec = PaperCodecModel(
        PaperCodecConfig(
            sampling_rate=100,
            window_samples=1000,
            levels=[4, 4, 4],
            encoder_hidden_size=8,
            decoder_hidden_size=8,
            num_downsamples=5,
            num_norm_groups=2,
        )
    ).eval()
    text = train_text_tokenizer(WORDS, vocab_size=320)
    tokenizer = ECGTokenizer.from_base(text, codec)
    base = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(text),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=512,
            initializer_range=0.3,  # large, so that prompts and answers differ clearly
            tie_word_embeddings=True,
            bos_token_id=text.bos_token_id,
            eos_token_id=text.eos_token_id,
            pad_token_id=text.pad_token_id,
        )
    )
    return HeartLLMForCausalLM.from_base(base, tokenizer).eval(), tokenizer


def tiny_checkpoint(folder: str | Path, seed: int = 0) -> Path:
    """Write such a checkpoint into `folder` and return it."""
    model, tokenizer = tiny_model_and_tokenizer(seed)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Path(folder)


def tiny_codec(num_refinements: int = 1, **sizes: Any) -> Any:
    """A local codec with random weights whose normalisations fit random signals, so that its codes spread out."""
    import torch

    from hf_heartllm.models.configuration_ecg_codec import ECGCodecConfig
    from hf_heartllm.models.ecg_codec_local import BeatContext
    from hf_heartllm.models.modeling_ecg_codec import ECGCodecModel

    torch.manual_seed(0)
    sizes = {"refinement_dilations": (1, 2), "context_layers": 1, "context_reach": 7} | sizes
    config = ECGCodecConfig(hidden_sizes=(8, 16), num_refinements=num_refinements, **sizes)
    codec = ECGCodecModel(config)
    for module in codec.modules():
        if isinstance(module, BeatContext):
            torch.nn.init.normal_(module.out.weight, std=0.3)
    for module in codec.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.momentum = None  # the mean over what it has seen, instead of a slow average
    codec.train()
    codec(torch.randn(8, len(config.leads), 400) * 0.3)
    codec.decoder.to_presence.bias.data[:] = 2.0  # every lead present
    return codec.eval()


def tiny_ecg_lm(
    seed: int = 0,
    projector: str = "record",
    num_ecg_tokens: int | None = None,
    measured_text: bool = False,
    **base: Any,
) -> tuple[Any, Any]:
    """An `ECGLMForCausalLM` of the smallest sizes and its `ECGLMProcessor`; `base` is for `from_base`."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from hf_heartllm.models.configuration_ecg_lm import ECGEncoderConfig, ECGLMConfig
    from hf_heartllm.models.modeling_ecg_lm import ECGLMForCausalLM
    from hf_heartllm.models.processing_ecg_lm import ECGLMProcessor
    from hf_heartllm.training.vocabulary import train_text_tokenizer

    torch.manual_seed(seed)
    text = train_text_tokenizer(WORDS, vocab_size=320)
    config = LlamaConfig(
        vocab_size=len(text),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.3,
        tie_word_embeddings=True,
        bos_token_id=text.bos_token_id,
        eos_token_id=text.eos_token_id,
        pad_token_id=text.pad_token_id,
    )
    encoder = ECGEncoderConfig(hidden_sizes=(8, 16), depths=(1, 1))
    tokens = ECGLMConfig(config, encoder, projector=projector, num_ecg_tokens=num_ecg_tokens).num_ecg_tokens
    processor = ECGLMProcessor.from_base(text, encoder, tokens, measured_text=measured_text)
    model = ECGLMForCausalLM.from_base(
        LlamaForCausalLM(config), processor, encoder, projector, num_ecg_tokens, seed=seed, **base
    )
    return model, processor
