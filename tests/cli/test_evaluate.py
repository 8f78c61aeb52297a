"""`heartllm evaluate codec`: figures in a file, and one line for what is wrong."""

from __future__ import annotations

import pytest
import torch

from hf_heartllm import cli
from hf_heartllm.evaluation.results import read_results
from hf_heartllm.models.configuration_ecg_codec import ECGCodecConfig
from hf_heartllm.models.modeling_ecg_codec import ECGCodecModel
from hf_heartllm.models.notice import NOTICE
from tests.simulated_ptbxl import ptbxl_of_simulated


@pytest.fixture(scope="module")
def codec(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("codec")
    torch.manual_seed(0)
    ECGCodecModel(ECGCodecConfig(hidden_sizes=(8, 16), num_refinements=1, dilations=(1,))).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def ptbxl(tmp_path_factory) -> str:
    return str(ptbxl_of_simulated(tmp_path_factory.mktemp("ptbxl"), 4))


def test_figures_are_printed_and_written(capsys, codec, ptbxl, tmp_path):
    output = tmp_path / "codec.json"
    arguments = ["evaluate", "codec", codec, "--ptbxl", ptbxl, "--output", str(output), "--quiet"]
    arguments += ["--skip", "fidelity,robustness,denoising,probes", "--name", "tried"]
    assert cli.main(arguments) == 0
    printed = capsys.readouterr().out
    rows = {row.name: row for row in read_results(output)}
    perplexity = rows["tried: rate-distortion: codebook 1 of 1200 codes: perplexity over size"]
    assert 0 < perplexity.value < 1
    assert perplexity.target == ">= 0.6"
    assert "2 records" in perplexity.data
    assert perplexity.command.startswith("heartllm evaluate codec FOLDER --ptbxl DIR")
    assert str(tmp_path) not in output.read_text()
    assert "relative squared error" in printed
    _, missed = printed.split("Figures that do not meet their bar: 1\n")  # an untrained codec uses few of its codes
    assert missed.startswith("tried: rate-distortion: codebook 1 of 1200 codes: perplexity over size")
    assert NOTICE in printed
    assert (tmp_path / "codec.json.parts" / "tried" / "rate-distortion.npz").is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--skip", "speed"], "--skip: speed: there are rate-distortion"),
        (["--against", "nowhere"], "nowhere: the folder holds no config.json"),
        (["--folds", "11"], "'11' is no list of folds"),
        (["--folds", "10"], "no record of folds [10] at 100 Hz"),
        (["--folds", "3"], "probes: fold 3 is evaluated and trained on"),
        (["--max-records", "0"], "not at least 1"),
        (["--ptbxl", "nowhere"], "--ptbxl nowhere: no such file or folder"),
    ],
)
def test_what_is_wrong_is_one_line(capsys, codec, ptbxl, tmp_path, change, message):
    arguments = ["evaluate", "codec", codec, "--ptbxl", ptbxl, "--output", str(tmp_path / "x.json"), "--quiet"]
    assert cli.main([*arguments, *change]) == 2
    complaint = capsys.readouterr().err.strip()
    assert message in complaint
    assert "\n" not in complaint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"model_type": "somebody_elses"}', "no codec of type 'somebody_elses' is known here"),
        ('{"model_type": "llama"', "this is no JSON object"),
        ("[]", "this is no JSON object"),
    ],
)
def test_a_folder_of_no_known_codec_is_one_line(capsys, codec, ptbxl, tmp_path, content, message):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text(content)
    arguments = ["evaluate", "codec", codec, "--against", str(tmp_path / "other"), "--ptbxl", ptbxl]
    assert cli.main([*arguments, "--output", str(tmp_path / "x.json"), "--quiet"]) == 2
    complaint = capsys.readouterr().err.strip()
    assert message in complaint
    assert "\n" not in complaint


def test_two_codecs_need_two_names(capsys, codec, ptbxl, tmp_path):
    arguments = ["evaluate", "codec", codec, "--against", codec, "--ptbxl", ptbxl, "--output", str(tmp_path / "x.json")]
    assert cli.main(arguments) == 2
    assert "both codecs are called ours" in capsys.readouterr().err
