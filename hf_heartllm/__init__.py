"""12-lead ECGs as tokens of a language model, for Hugging Face transformers.

    import hf_heartllm as hl
    from transformers import AutoModelForCausalLM, AutoTokenizer

    record = hl.read_ecg("records100/00000/00152_lr")
    tokenizer = AutoTokenizer.from_pretrained(hl.checkpoint())
    model = AutoModelForCausalLM.from_pretrained(hl.checkpoint())

Importing this package imports neither torch nor transformers, downloads nothing and writes nothing: the names below are
looked up when they are first used, and the classes join transformers' Auto classes when those are loaded.

Research and education only. Not for diagnosis, treatment or monitoring.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import auto_classes

if TYPE_CHECKING:
    from .checkpoints import checkpoint
    from .ecg import ecg_record, measure, plot_ecg, read_ecg, read_ecg_parts, simulate_ecg
    from .inference.ecg_stream import encode_stream
    from .models.configuration_ecg_codec import ECGCodecConfig
    from .models.configuration_ecg_lm import ECGEncoderConfig, ECGLMConfig
    from .models.configuration_heartllm import HeartLLMConfig
    from .models.configuration_paper_codec import PaperCodecConfig
    from .models.ecg_codec import ECGCodec
    from .models.ecg_leads import STANDARD_LEADS
    from .models.ecg_record import ECGError, ECGRecord, ECGWarning
    from .models.feature_extraction_ecg import ECGFeatureExtractor
    from .models.modeling_ecg_codec import ECGCodecModel
    from .models.modeling_ecg_encoder import ECGEncoderForSequenceClassification, ECGEncoderModel
    from .models.modeling_ecg_lm import ECGLMForCausalLM
    from .models.modeling_heartllm import HeartLLMForCausalLM
    from .models.modeling_paper_codec import PaperCodecModel
    from .models.pipeline_ecg import pipeline
    from .models.processing_ecg_lm import ECGLMProcessor
    from .models.tokenization_heartllm import ECGTokenizer

__version__ = "0.1.0"

__all__ = [
    "STANDARD_LEADS",
    "ECGCodec",
    "ECGCodecConfig",
    "ECGLMProcessor",
    "ECGLMForCausalLM",
    "ECGEncoderForSequenceClassification",
    "ECGEncoderModel",
    "ECGLMConfig",
    "ECGEncoderConfig",
    "ECGCodecModel",
    "ECGError",
    "ECGFeatureExtractor",
    "ECGRecord",
    "ECGTokenizer",
    "ECGWarning",
    "HeartLLMConfig",
    "HeartLLMForCausalLM",
    "PaperCodecConfig",
    "PaperCodecModel",
    "__version__",
    "checkpoint",
    "ecg_record",
    "encode_stream",
    "measure",
    "pipeline",
    "plot_ecg",
    "read_ecg",
    "read_ecg_parts",
    "simulate_ecg",
]

# Public name → the module it lives in.
_HOME = {
    "STANDARD_LEADS": "models.ecg_leads",
    "ECGCodec": "models.ecg_codec",
    "ECGCodecConfig": "models.configuration_ecg_codec",
    "ECGLMProcessor": "models.processing_ecg_lm",
    "ECGLMForCausalLM": "models.modeling_ecg_lm",
    "ECGEncoderForSequenceClassification": "models.modeling_ecg_encoder",
    "ECGEncoderModel": "models.modeling_ecg_encoder",
    "ECGLMConfig": "models.configuration_ecg_lm",
    "ECGEncoderConfig": "models.configuration_ecg_lm",
    "ECGCodecModel": "models.modeling_ecg_codec",
    "ECGError": "models.ecg_record",
    "ECGFeatureExtractor": "models.feature_extraction_ecg",
    "ECGRecord": "models.ecg_record",
    "ECGTokenizer": "models.tokenization_heartllm",
    "ECGWarning": "models.ecg_record",
    "HeartLLMConfig": "models.configuration_heartllm",
    "HeartLLMForCausalLM": "models.modeling_heartllm",
    "PaperCodecConfig": "models.configuration_paper_codec",
    "PaperCodecModel": "models.modeling_paper_codec",
    "checkpoint": "checkpoints",
    "ecg_record": "ecg",
    "encode_stream": "inference.ecg_stream",
    "measure": "ecg",
    "pipeline": "models.pipeline_ecg",
    "plot_ecg": "ecg",
    "read_ecg": "ecg",
    "read_ecg_parts": "ecg",
    "simulate_ecg": "ecg",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with auto_classes.IMPORTING:  # threads that import modules which need each other would find them half made
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
    auto_classes.register_what_is_ready()
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


auto_classes.install()
