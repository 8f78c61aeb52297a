"""Joins the classes of this package to the Auto classes and pipelines of transformers, without importing it first.

Two things are needed, and both need the class objects, hence torch. `AutoModel.register` makes `from_pretrained` work
without `trust_remote_code`, and `PIPELINE_REGISTRY.register_pipeline` makes `transformers.pipeline` know our tasks:
they are called as soon as the module that defines the Auto class or the registry has been imported (or ours, whichever
comes last). `register_for_auto_class` makes `save_pretrained` copy the code next to the weights: it is called as soon
as the module that defines our class has been imported. A finder on `sys.meta_path` notices the moments.

Several threads may import at once. A thread that has just imported a watched module still holds its import lock, so it
does not wait for what another thread is doing here: it leaves the registration to that one.
"""

from __future__ import annotations

import importlib
import sys
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from .models.locks import process_lock

_AUTO = "transformers.models.auto."
_MODELS = "hf_heartllm.models."


@dataclass(frozen=True)
class _Registration:
    """One line of the table: `auto_class.register(key, our_class)`."""

    auto_module: str
    auto_class: str
    module: str
    name: str
    config_module: str
    config_name: str
    # The Auto class named in the `auto_map` of what `save_pretrained` writes; a class can tell only one itself.
    for_saving: bool = True


_HEARTLLM_CONFIG = (_MODELS + "configuration_heartllm", "HeartLLMConfig")
_CODEC_CONFIG = (_MODELS + "configuration_ecg_codec", "ECGCodecConfig")
_PAPER_CODEC_CONFIG = (_MODELS + "configuration_paper_codec", "PaperCodecConfig")
_HEARTLLM = (_MODELS + "modeling_heartllm", "HeartLLMForCausalLM")
_CODEC = (_MODELS + "modeling_ecg_codec", "ECGCodecModel")
_PAPER_CODEC = (_MODELS + "modeling_paper_codec", "PaperCodecModel")
_ENCODER_CONFIG = (_MODELS + "configuration_ecg_lm", "ECGEncoderConfig")
_ECG_LM_CONFIG = (_MODELS + "configuration_ecg_lm", "ECGLMConfig")
_ENCODER = (_MODELS + "modeling_ecg_encoder", "ECGEncoderModel")
_CLASSIFIER = (_MODELS + "modeling_ecg_encoder", "ECGEncoderForSequenceClassification")
_ECG_LM = (_MODELS + "modeling_ecg_lm", "ECGLMForCausalLM")
_PROCESSOR = (_MODELS + "processing_ecg_lm", "ECGLMProcessor")
_TOKENIZER = (_MODELS + "tokenization_heartllm", "ECGTokenizer")
_FEATURE_EXTRACTOR = (_MODELS + "feature_extraction_ecg", "ECGFeatureExtractor")
_PIPELINES = "transformers.pipelines"
_ANSWERS = (_MODELS + "pipeline_ecg", "ECGQuestionAnsweringPipeline")
_REPORTS = (_MODELS + "pipeline_ecg", "ECGReportPipeline")

_TABLE = (
    _Registration(_AUTO + "configuration_auto", "AutoConfig", *_HEARTLLM_CONFIG, *_HEARTLLM_CONFIG),
    _Registration(_AUTO + "configuration_auto", "AutoConfig", *_CODEC_CONFIG, *_CODEC_CONFIG),
    _Registration(_AUTO + "configuration_auto", "AutoConfig", *_PAPER_CODEC_CONFIG, *_PAPER_CODEC_CONFIG),
    _Registration(_AUTO + "modeling_auto", "AutoModelForCausalLM", *_HEARTLLM, *_HEARTLLM_CONFIG),
    _Registration(_AUTO + "modeling_auto", "AutoModel", *_HEARTLLM, *_HEARTLLM_CONFIG, for_saving=False),
    _Registration(_AUTO + "modeling_auto", "AutoModel", *_CODEC, *_CODEC_CONFIG),
    _Registration(_AUTO + "modeling_auto", "AutoModel", *_PAPER_CODEC, *_PAPER_CODEC_CONFIG),
    # Under the codec's configuration: transformers then finds the class by the name in tokenizer_config.json and takes
    # it even where a checkpoint's own code is trusted, as it takes our models. Under the model's it would not.
    _Registration(_AUTO + "tokenization_auto", "AutoTokenizer", *_TOKENIZER, *_CODEC_CONFIG),
    _Registration(_AUTO + "feature_extraction_auto", "AutoFeatureExtractor", *_FEATURE_EXTRACTOR, *_CODEC_CONFIG),
    _Registration(_AUTO + "feature_extraction_auto", "AutoFeatureExtractor", *_FEATURE_EXTRACTOR, *_PAPER_CODEC_CONFIG),
    _Registration(_AUTO + "configuration_auto", "AutoConfig", *_ENCODER_CONFIG, *_ENCODER_CONFIG),
    _Registration(_AUTO + "configuration_auto", "AutoConfig", *_ECG_LM_CONFIG, *_ECG_LM_CONFIG),
    _Registration(_AUTO + "modeling_auto", "AutoModel", *_ENCODER, *_ENCODER_CONFIG),
    _Registration(_AUTO + "modeling_auto", "AutoModelForSequenceClassification", *_CLASSIFIER, *_ENCODER_CONFIG),
    _Registration(_AUTO + "modeling_auto", "AutoModelForCausalLM", *_ECG_LM, *_ECG_LM_CONFIG),
    _Registration(_AUTO + "modeling_auto", "AutoModel", *_ECG_LM, *_ECG_LM_CONFIG, for_saving=False),
    _Registration(_AUTO + "processing_auto", "AutoProcessor", *_PROCESSOR, *_ECG_LM_CONFIG),
    _Registration(_PIPELINES, "PIPELINE_REGISTRY", *_ANSWERS, *_HEARTLLM_CONFIG, for_saving=False),
    _Registration(_PIPELINES, "PIPELINE_REGISTRY", *_REPORTS, *_HEARTLLM_CONFIG, for_saving=False),
)

# While these are half imported our own modules cannot be imported; the registration waits for their end.
_ALSO_WATCHED = (
    "transformers.modeling_utils",
    "transformers.modeling_layers",
    "transformers.generation.utils",
    "transformers.trainer",
)

_OURS = frozenset(row.module for row in _TABLE)
_WATCHED = frozenset({row.auto_module for row in _TABLE} | _OURS | {"transformers", *_ALSO_WATCHED})

IMPORTING = process_lock()
"""Held by the thread that imports modules of this package for a registration or a public name."""

_pending = list(_TABLE)
_executed: set[str] = set()  # watched modules whose code has run to its end
_running: dict[str, int] = {}  # watched modules whose code is running, and the thread
_warned: set[str] = set()


class _WatchImports:
    """A meta path finder that lets the others find, and asks to be told when a watched module has run."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _WATCHED:
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                _notify_after_execution(spec)
                return spec
        return None


def _notify_after_execution(spec: ModuleSpec) -> None:
    loader: Any = spec.loader
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        _running[spec.name] = threading.get_ident()
        try:
            execute(module)
        finally:
            del _running[spec.name]
        _executed.add(spec.name)
        if sys.modules.get(spec.name) is not module:
            # transformers has put a lazy module in its own place; threads that waited for it hold the empty first one.
            module.__getattr__ = lambda name: getattr(sys.modules[spec.name], name)  # type: ignore[method-assign]
        _prepare_saving(spec.name)
        register_what_is_ready()

    # On the instance, which belongs to this import alone: the loader keeps its type, so tracebacks, `inspect` and
    # resources work as ever.
    loader.exec_module = exec_module


def _prepare_saving(module: str) -> None:
    """Have `save_pretrained` copy the code of the classes of this module."""
    for row in _TABLE:
        if row.module == module and row.for_saving:
            getattr(sys.modules[module], row.name).register_for_auto_class(row.auto_class)


def register_what_is_ready() -> None:
    """Make every registration whose Auto class is there and whose own module can be imported; keep the others."""
    me = threading.get_ident()
    if not _pending or any(_running.get(name, me) != me for name in _OURS):
        return  # the end of that module calls again
    if not IMPORTING.acquire(blocking=False):
        return  # the thread that holds it calls again
    try:
        _register_pending()
    finally:
        IMPORTING.release()


def _register_pending() -> None:
    for row in list(_pending):
        if row.auto_module not in _executed:
            continue  # nobody can ask this Auto class yet
        if row.module in sys.modules and row.module not in _executed:
            continue  # it is being imported right now, and its end calls again
        try:
            our_class = getattr(importlib.import_module(row.module), row.name)
            config_class = getattr(importlib.import_module(row.config_module), row.config_name)
        except (ImportError, AttributeError) as error:
            _warn_unless_circular(row, error)
            continue
        if row in _pending:  # else a nested import was faster
            _pending.remove(row)
            _register(row, our_class, config_class)


def _register(row: _Registration, our_class: Any, config_class: Any) -> None:
    auto_class = getattr(sys.modules[row.auto_module], row.auto_class)
    if row.auto_class == "AutoConfig":
        auto_class.register(config_class.model_type, config_class, exist_ok=True)
    elif row.auto_class == "AutoTokenizer":
        auto_class.register(config_class, fast_tokenizer_class=our_class, exist_ok=True)
    elif row.auto_class == "PIPELINE_REGISTRY":
        models = sys.modules[_AUTO + "modeling_auto"].AutoModelForCausalLM
        default = {"model": (str(sys.modules[row.module].default_checkpoint()), "main")}
        auto_class.register_pipeline(our_class.own_task, our_class, pt_model=models, default=default)
    else:
        auto_class.register(config_class, our_class, exist_ok=True)


def _warn_unless_circular(row: _Registration, error: BaseException) -> None:
    cause: BaseException | None = error
    while cause is not None:
        if "circular import" in str(cause) or "partially initialized" in str(cause) or "deadlock" in str(cause):
            return
        cause = cause.__cause__ or cause.__context__
    if row.name not in _warned:
        _warned.add(row.name)
        warnings.warn(f"hf_heartllm: {row.name} is not known to {row.auto_class}: {error}", stacklevel=2)


def install() -> None:
    """Register with the Auto classes that are loaded, and with the others when they get loaded. Idempotent."""
    if any(isinstance(finder, _WatchImports) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _WatchImports())
    for name in _WATCHED:
        spec = getattr(sys.modules.get(name), "__spec__", None)
        if spec is not None and not getattr(spec, "_initializing", False):
            _executed.add(name)
    if _executed:
        register_what_is_ready()
