"""Files of a newer version say what to upgrade, in one line; older ones are read; code names the libraries it needs."""

from __future__ import annotations

import json
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import hf_heartllm as hl
from hf_heartllm.models.answer_calibration import AnswerCalibration
from hf_heartllm.models.configuration_ecg_codec import ECGCodecConfig
from hf_heartllm.models.configuration_ecg_lm import ECGEncoderConfig, ECGLMConfig
from hf_heartllm.models.configuration_heartllm import HeartLLMConfig
from hf_heartllm.models.configuration_paper_codec import PaperCodecConfig
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.models.format_versions import NEEDED, FormatVersionError, check_format_version, check_libraries
from hf_heartllm.models.question_understanding import TrainedQuestions
from hf_heartllm.models.tokenization_heartllm import ECGTokenizer

CONFIGS = (HeartLLMConfig, ECGLMConfig, ECGEncoderConfig, ECGCodecConfig, PaperCodecConfig, ECGFeatureExtractor)


@pytest.mark.parametrize("kind", CONFIGS, ids=lambda kind: kind.__name__)
def test_every_configuration_says_its_version_and_refuses_a_newer_one(kind: Any, tmp_path: Path) -> None:
    kind().save_pretrained(tmp_path)
    [file] = tmp_path.glob("*.json")
    saved = json.loads(file.read_text())
    newest = saved["format_version"]
    assert kind.from_pretrained(tmp_path).format_version == newest
    file.write_text(json.dumps({**saved, "format_version": newest + 1}))
    with pytest.raises(FormatVersionError, match=f"reads up to {newest}: pip install --upgrade hf_heartllm") as refused:
        kind.from_pretrained(tmp_path)
    assert "\n" not in str(refused.value)
    del saved["format_version"]  # of before files said so
    file.write_text(json.dumps(saved))
    assert kind.from_pretrained(tmp_path).format_version == newest
    for wrong in ("1", 0, True, 1.5, [1]):
        file.write_text(json.dumps({**saved, "format_version": wrong}))
        with pytest.raises(FormatVersionError, match="whole number from 1"):
            kind.from_pretrained(tmp_path)


def test_a_newer_tokenizer_is_refused(tmp_path: Path) -> None:
    from shutil import copy, copytree

    folder = Path(hl.checkpoint())
    for name in ("tokenizer.json", "tokenizer_config.json", "preprocessor_config.json", "chat_template.jinja"):
        copy(folder / name, tmp_path / name)
    copytree(folder / "codec", tmp_path / "codec")
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**settings, "ecg_format_version": 2}))
    with pytest.raises(
        FormatVersionError, match="this ECG tokenizer has format version 2, and this code reads up to 1"
    ):
        ECGTokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("kind", "file"), [(AnswerCalibration, "calibration.json"), (TrainedQuestions, "questions.json")]
)
def test_what_lies_beside_the_weights_too(kind: Any, file: str) -> None:
    document = json.loads((Path(hl.checkpoint()) / file).read_text())
    assert kind.from_document({**document, "format_version": 1})
    with pytest.raises(ValueError, match="has format version 9, and this code reads up to"):
        kind.from_document({**document, "format_version": 9})


def test_code_that_travelled_says_that_it_is_older_than_its_files() -> None:
    with pytest.raises(FormatVersionError, match="the code beside it is older than its files"):
        check_format_version("ECG codec", 4, 3, "transformers_modules.abc.configuration_ecg_codec")


def test_the_code_names_the_libraries_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())["project"]
    bounds = {(one := Requirement(line)).name: one.specifier for line in project["dependencies"]}
    for name, least in NEEDED.items():
        assert f">={least}" in str(bounds[name]).split(","), "the package and the code in a checkpoint need the same"
    old = {"transformers": "4.57.1", "torch": "2.13.0+cpu", "tokenizers": "0.23.1"}
    monkeypatch.setattr(metadata, "version", old.__getitem__)
    with pytest.raises(ImportError, match=r"needs transformers 5\.20 or newer, and 4\.57\.1 is installed") as refused:
        check_libraries()
    assert "\n" not in str(refused.value)
    old["transformers"] = "5.20.0.dev0"
    check_libraries()


SHIPPED = (
    (HeartLLMConfig, "heartllm-tiny/config.json", ()),
    (ECGFeatureExtractor, "heartllm-tiny/preprocessor_config.json", ()),
    (ECGCodecConfig, "heartllm-tiny/codec/config.json", ()),
    (ECGLMConfig, "ecg-lm-tiny/config.json", ()),
    (ECGEncoderConfig, "ecg-lm-tiny/config.json", ("encoder_config",)),
)


@pytest.mark.parametrize(("kind", "file", "place"), SHIPPED, ids=lambda one: getattr(one, "__name__", None))
def test_what_is_saved_now_is_read_by_whoever_reads_the_shipped_checkpoints(kind: Any, file: str, place: Any) -> None:
    document = json.loads((Path(hl.__file__).parent / "checkpoints" / file).read_text())
    for name in place:
        document = document[name]
    assert kind().to_dict()["format_version"] == document.get("format_version", 1)
