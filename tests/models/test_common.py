"""transformers' own common tests on our classes, from its source distribution (`make common-tests` fetches it).

The mixins are code of transformers and stay there. A source distribution holds those for models, tokenizers and feature
extractors; a folder of a whole checkout (`TRANSFORMERS_TESTS=…/tests`) also has those for generation and export.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
import types
import unittest
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import transformers
from transformers import LlamaConfig

from hf_heartllm.models.configuration_ecg_lm import ECGEncoderConfig, ECGLMConfig
from hf_heartllm.models.configuration_heartllm import HeartLLMConfig
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.models.modeling_ecg_lm import ECGLMForCausalLM
from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
from hf_heartllm.models.tokenization_heartllm import ECGTokenizer
from tests.tiny import tiny_checkpoint

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(
    os.environ.get("TRANSFORMERS_TESTS") or REPOSITORY / "build" / f"transformers-{transformers.__version__}" / "tests"
)
PACKAGE = "transformers_common_tests"

_ADDED = "text tokens cannot be added behind ECG tokens: they are added to the base"
_FROZEN = "the language model is frozen and stays in evaluation mode, where transformers checkpoints no gradients"
NOT_OURS: Mapping[str, Mapping[str, str]] = {
    "TestHeartLLM": {
        "test_correct_missing_keys": "a folder with the decoder alone does not say which ids are ECG tokens",
        "test_resize_tokens_embeddings": "it ends with a vocabulary of four, which leaves no rows for ECG tokens",
    },
    "TestECGLM": {
        "test_correct_missing_keys": "a folder with the decoder alone does not say which id is an ECG",
        "test_training_gradient_checkpointing": _FROZEN,
        "test_training_gradient_checkpointing_use_reentrant_false": _FROZEN,
        "test_training_gradient_checkpointing_use_reentrant_true": _FROZEN,
    },
    "TestTokenizer": dict.fromkeys(
        (
            "test_added_tokens_serialization",
            "test_bos_token_with_add_bos_token_false",
            "test_bos_token_with_add_bos_token_true",
            "test_get_vocab",
            "test_pad_token_initialization",
            "test_save_and_load_tokenizer",
            "test_tokenize_special_tokens",
        ),
        _ADDED,
    ),
}
"""Tests of each class that cannot apply, with the reason."""


def _mixins() -> dict[str, Any]:
    """The mixins by name; empty classes for those that a source distribution does not hold."""
    package = types.ModuleType(PACKAGE)
    package.__path__ = [str(FOLDER)]
    sys.modules[PACKAGE] = package
    found: dict[str, Any] = {}
    for module, name in (
        ("exporters.test_export", "ExportTesterMixin"),
        ("generation.test_utils", "GenerationTesterMixin"),
        ("test_modeling_common", "ModelTesterMixin"),
        ("test_tokenization_common", "TokenizerTesterMixin"),
        ("test_feature_extraction_common", "FeatureExtractionSavingTestMixin"),
    ):
        if not (FOLDER / f"{module.replace('.', '/')}.py").is_file():
            parent = types.ModuleType(f"{PACKAGE}.{module.split('.')[0]}")
            parent.__path__ = []
            absent = types.ModuleType(f"{PACKAGE}.{module}")
            setattr(absent, name, type(name, (), {}))
            sys.modules.setdefault(parent.__name__, parent)
            sys.modules[absent.__name__] = absent
        found[name] = getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)
    return found


MISSING = None
if not FOLDER.is_dir():
    MISSING = f"transformers' tests are not in {FOLDER}: make common-tests"
elif importlib.util.find_spec("parameterized") is None:
    MISSING = "transformers' tests need the package parameterized"
MIXINS = {} if MISSING else _mixins()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(MISSING is not None, reason=MISSING or ""),
    pytest.mark.filterwarnings("ignore"),
]


def mixins(*names: str) -> tuple[Any, ...]:
    return tuple(MIXINS.get(name, object) for name in names) if MIXINS else ()


_WITH_ECGS = ("test_retain_grad_hidden_states_attentions", "test_training")
"""Tests that need gradients, which only ECGs have where the language model is frozen; others make their own inputs."""


class _Tester:
    """What the mixin asks of a model's tester: a tiny configuration and inputs for it."""

    batch_size, seq_length, is_training = 3, 7, True
    vocab_size, hidden_size, num_hidden_layers, num_attention_heads = 99, 32, 2, 4

    def __init__(self, parent: Any, soft: bool) -> None:
        self.parent, self.soft = parent, soft

    def get_config(self) -> Any:
        text = LlamaConfig(
            vocab_size=self.vocab_size,
            hidden_size=self.hidden_size,
            intermediate_size=37,
            num_hidden_layers=self.num_hidden_layers,
            num_attention_heads=self.num_attention_heads,
            num_key_value_heads=2,
            max_position_embeddings=512,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        )
        if self.soft:
            return ECGLMConfig(
                text, ECGEncoderConfig(hidden_sizes=(8, 16), depths=(1, 1)), ecg_token_id=self.vocab_size
            )
        return HeartLLMConfig(text, ecg_token_offset=12, ecg_codebook_size=20)  # room for fewer rows

    def prepare_config_and_inputs_for_common(self) -> tuple[Any, dict[str, torch.Tensor]]:
        generator = torch.Generator().manual_seed(0)
        # text: of ECG ids in any order our model learns nothing, since they are parts of ECGs
        ids = torch.randint(32, self.vocab_size, (self.batch_size, self.seq_length), generator=generator)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        config = self.get_config()
        if self.soft and self.parent._testMethodName in _WITH_ECGS:
            ids[:, 1] = config.ecg_token_id
            inputs["input_features"] = torch.randn(self.batch_size, 12, 200, generator=generator)
        return config, inputs

    prepare_config_and_inputs = prepare_config_and_inputs_for_common


def _skip_what_is_not_ours(case: Any) -> None:
    reason = NOT_OURS.get(type(case).__name__, {}).get(case._testMethodName)
    if reason:
        case.skipTest(f"cannot apply: {reason}")


class _Skips:
    """Skips what cannot apply and says why."""

    def setUp(self) -> None:
        _skip_what_is_not_ours(self)
        self.model_tester = _Tester(self, self.soft)  # type: ignore[attr-defined]

    def _prepare_for_class(self, inputs: Any, model_class: Any, return_labels: bool = False) -> Any:
        """With labels where they are asked for: the mixin knows classes of transformers by name."""
        inputs = super()._prepare_for_class(inputs, model_class, return_labels)  # type: ignore[misc]
        if return_labels:
            inputs["labels"] = inputs["input_ids"].clamp(max=self.model_tester.vocab_size - 1)
        return inputs


class TestHeartLLM(_Skips, *mixins("ModelTesterMixin", "GenerationTesterMixin"), unittest.TestCase):
    soft = False
    all_model_classes = (HeartLLMForCausalLM,)
    _is_composite = True


class TestECGLM(_Skips, *mixins("ModelTesterMixin", "GenerationTesterMixin"), unittest.TestCase):
    soft = True
    all_model_classes = (ECGLMForCausalLM,)
    _is_composite = True


class TestFeatureExtractor(*mixins("FeatureExtractionSavingTestMixin"), unittest.TestCase):
    feature_extraction_class = ECGFeatureExtractor
    feat_extract_dict: ClassVar[dict[str, Any]] = {"sampling_rate": 100, "window_samples": 1000}


class TestTokenizer(*mixins("TokenizerTesterMixin"), unittest.TestCase):
    tokenizer_class = ECGTokenizer
    test_seq2seq = False

    @classmethod
    def setUpClass(cls) -> None:
        cls.tmpdirname = tempfile.mkdtemp()
        tiny_checkpoint(cls.tmpdirname)
        cls.from_pretrained_id = [cls.tmpdirname]
        cls.tokenizers_list = [(ECGTokenizer, cls.tmpdirname, {})]
        cls._data = "Does this ECG show atrial fibrillation? Yes, no, or none.\nWrite the report."

    @classmethod
    def tearDownClass(cls) -> None:
        shutil.rmtree(cls.tmpdirname, ignore_errors=True)

    def setUp(self) -> None:
        _skip_what_is_not_ours(self)
