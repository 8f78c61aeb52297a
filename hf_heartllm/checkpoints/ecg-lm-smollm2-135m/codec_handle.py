"""A codec as a value: kept as configuration and weights, turned into a model when it is first needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .locks import LOADING

if TYPE_CHECKING:
    from .ecg_codec import ECGCodec

# What transformers notes about a file rather than about the codec.
_BOOKKEEPING = frozenset({"_name_or_path", "architectures", "auto_map", "dtype", "torch_dtype", "transformers_version"})


class CodecHandle:
    """Holds a codec for a tokenizer, which gets pickled, copied and hashed.

    Two handles of one codec pickle to the same bytes, whether or not the model has been built or used; a deep copy
    shares the codec. Torch is imported when the model is first asked for.

    Args:
        config_json: the configuration, keys sorted, without transformers' bookkeeping.
        weights: a safetensors file.
    """

    def __init__(self, config_json: str, weights: bytes) -> None:
        self._config_json = config_json
        self._weights = weights
        self._config: Any = None
        self._model: ECGCodec | None = None

    @classmethod
    def from_model(cls, model: ECGCodec) -> CodecHandle:
        """Take over a codec; it is put into evaluation mode, and later changes to its weights are not seen."""
        from safetensors.torch import save

        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
        handle = cls(_stable_json(model.config), save(tensors, metadata={"format": "pt"}))
        handle._model = model.eval()
        return handle

    @classmethod
    def from_files(cls, config_file: str | Path, weights_file: str | Path) -> CodecHandle:
        """Read `config.json` and `model.safetensors`."""
        from .codec_classes import codec_config

        config = codec_config(json.loads(Path(config_file).read_text(encoding="utf-8")))
        return cls(_stable_json(config), Path(weights_file).read_bytes())

    @property
    def config(self) -> Any:
        """The codec's configuration; needs no torch."""
        if self._config is None:
            with LOADING:
                if self._config is None:
                    from .codec_classes import codec_config

                    self._config = codec_config(json.loads(self._config_json))
        return self._config

    @property
    def model(self) -> ECGCodec:
        """The codec, built once."""
        if self._model is None:
            with LOADING:
                if self._model is None:
                    self._model = self._built()
        return self._model

    def _built(self) -> ECGCodec:
        from safetensors.torch import load

        from .codec_classes import codec_model

        # Another thread may be loading a model in half precision, which is then the default of the whole process.
        model: ECGCodec = codec_model(self.config).float()
        model.load_state_dict(load(self._weights))
        model.eval()
        return model

    def write_weights(self, path: str | Path) -> None:
        """Write the weights as a safetensors file."""
        Path(path).write_bytes(self._weights)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._config_json, self._weights)

    def __deepcopy__(self, memo: dict[int, Any]) -> CodecHandle:
        return self


def _stable_json(config: Any) -> str:
    return json.dumps({k: v for k, v in config.to_diff_dict().items() if k not in _BOOKKEEPING}, sort_keys=True)
