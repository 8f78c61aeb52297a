"""`import hf_heartllm` is light and harmless, and yet transformers' Auto classes know the classes afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hf_heartllm

ROOT = Path(__file__).resolve().parents[1]


def run_python(code: str, *arguments: str) -> str:
    """Run code in a fresh process that can import this package; return what it prints."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "not known to" not in done.stderr, done.stderr  # the warning of auto_classes
    return done.stdout


def test_importing_loads_no_heavy_library_and_touches_neither_network_nor_disk() -> None:
    run_python("""
import sys

def forbid(event, args):
    if event.startswith("socket.") or event in {"os.mkdir", "os.rename", "os.remove"}:
        raise AssertionError(f"{event} {args}")
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        raise AssertionError(f"{event} {args}")

sys.addaudithook(forbid)
import hf_heartllm
dir(hf_heartllm), hf_heartllm.__version__
heavy = {"torch", "transformers", "numpy", "pandas", "wfdb", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
""")


@pytest.mark.parametrize("module", ["hf_heartllm.cli", "hf_heartllm.scripts"])
def test_commands_and_trainings_tell_nobody_that_they_run(module: str) -> None:
    code = f"import {module}; from huggingface_hub import constants; print(constants.HF_HUB_DISABLE_TELEMETRY)"
    assert run_python(code).strip() == "True"


def test_recordings_and_labels_need_no_torch() -> None:
    run_python("""
import sys
import hf_heartllm as hl
hl.ECGRecord, hl.ECGError, hl.STANDARD_LEADS, hl.read_ecg, hl.plot_ecg, hl.simulate_ecg
import hf_heartllm.labels
assert not {"torch", "transformers"} & set(sys.modules)
""")


@pytest.mark.parametrize("name", hf_heartllm.__all__)
def test_every_public_name_can_be_looked_up(name: str) -> None:
    assert name in dir(hf_heartllm)
    assert getattr(hf_heartllm, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'read_eeg'"):
        hf_heartllm.read_eeg  # noqa: B018


def test_an_unknown_checkpoint_is_named_in_the_error() -> None:
    with pytest.raises(ValueError, match="no embedded checkpoint 'heartllm-huge'"):
        hf_heartllm.checkpoint("heartllm-huge")


IMPORT_ORDERS = {
    "package first": "import hf_heartllm; import transformers",
    "transformers first": "import transformers; import hf_heartllm",
    "pipelines first": "from transformers import pipeline; import hf_heartllm",
    "Auto classes first": (
        "from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoTokenizer; import hf_heartllm"
    ),
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model with tokenizer and codec, as save_pretrained writes it."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from hf_heartllm import ECGTokenizer, HeartLLMForCausalLM, PaperCodecConfig, PaperCodecModel

    torch.manual_seed(0)
    words = {"<unk>": 0, "<s>": 1, "</s>": 2, "<pad>": 3} | {f"w{index}": index for index in range(4, 20)}
    backend = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    base_tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    tokenizer = ECGTokenizer.from_base(base_tokenizer, PaperCodecModel(PaperCodecConfig()))
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    base = LlamaForCausalLM(LlamaConfig(vocab_size=len(words), num_key_value_heads=2, **shape))
    folder = tmp_path_factory.mktemp("checkpoint")
    HeartLLMForCausalLM.from_base(base, tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("order", IMPORT_ORDERS)
def test_the_auto_classes_load_without_trust_remote_code(order: str, checkpoint: Path) -> None:
    run_python(
        IMPORT_ORDERS[order]
        + """
import sys
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForCausalLM, AutoTokenizer
folder = sys.argv[1]
assert type(AutoConfig.from_pretrained(folder)) is hf_heartllm.HeartLLMConfig
assert type(AutoModelForCausalLM.from_pretrained(folder)) is hf_heartllm.HeartLLMForCausalLM
assert type(AutoModel.from_pretrained(folder)) is hf_heartllm.HeartLLMForCausalLM
assert type(AutoTokenizer.from_pretrained(folder)) is hf_heartllm.ECGTokenizer
assert type(AutoModel.from_pretrained(folder, subfolder="codec")) is hf_heartllm.PaperCodecModel
assert type(AutoFeatureExtractor.from_pretrained(folder)) is hf_heartllm.ECGFeatureExtractor
from transformers import pipeline
assert type(pipeline("ecg-report", model=folder).model) is hf_heartllm.HeartLLMForCausalLM
""".replace("import sys", "import sys, hf_heartllm", 1),
        str(checkpoint),
    )


WITHOUT_THE_PACKAGE = """
import sys
sys.path = [entry for entry in sys.path if entry]  # not the working directory
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "hf_heartllm":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
"""


def run_without_the_package(code: str, folder: Path, cache: Path) -> str:
    """Run code in a fresh process that cannot import this package; return what it prints."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(cache)}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", WITHOUT_THE_PACKAGE + code, str(folder)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.mark.slow
def test_a_saved_checkpoint_loads_where_the_package_is_not_known(checkpoint: Path) -> None:
    code = """
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer
folder = sys.argv[1]
for auto_class in (AutoModelForCausalLM, AutoModel):
    assert type(auto_class.from_pretrained(folder, trust_remote_code=True)).__name__ == "HeartLLMForCausalLM"
assert type(AutoTokenizer.from_pretrained(folder, trust_remote_code=True)).__name__ == "ECGTokenizer"
"""
    run_without_the_package(code, checkpoint, checkpoint / "cache")


ASK_WITHOUT_THE_PACKAGE = """
import json, warnings
import numpy as np
from transformers import pipeline
warnings.simplefilter("error")
folder, = sys.argv[1:]
ask = pipeline("ecg-question-answering", model=folder, trust_remote_code=True)
report = pipeline("ecg-report", model=folder, trust_remote_code=True)
ecg = np.load("ecg.npz")
stated = {"sampling_rate": 500, "units": "uV", "leads": list(ecg["leads"])}
record = ask.ecg_record(ecg["signal"] * 1000, **stated)
row = {"record": ecg["signal"] * 1000, **stated, "question": QUESTION}
answers = [ask(record, QUESTION), *ask([row, row], batch_size=2)]
errors = []
for wrong in ("ecg.csv", ecg["signal"]):
    try:
        ask(wrong, QUESTION)
    except ValueError as error:
        errors.append(str(error))
repr(ask.model.config)
ask.save_pretrained("again")
print(json.dumps([[one.alternatives for one in answers], answers[0].basis, report(record).text, errors]))
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is committed, as git writes it where it makes no links and ends lines as Windows does."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    folder = tmp_path_factory.mktemp("windows") / "a clone"
    settings = ("-c", "core.symlinks=false", "-c", "core.autocrlf=true")
    subprocess.run(["git", *settings, "clone", "-q", "--depth", "1", f"file://{ROOT}", str(folder)], check=True)
    return folder


@pytest.mark.slow
def test_a_clone_without_links_answers(clone: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(clone), "HF_HUB_OFFLINE": "1"}
    question = "Does this ECG show atrial fibrillation?"
    command = [sys.executable, "-m", "hf_heartllm.cli", "ask", "example:af", question, "--json"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answer = hf_heartllm.pipeline("ecg-question-answering")("example:af", question)
    found = json.loads(done.stdout)
    assert (found["answer"], found["probability"]) == (answer.text, pytest.approx(answer.probability, abs=1e-4))


@pytest.mark.slow
def test_the_pipelines_of_a_clone_without_links_answer_alike_without_the_package(clone: Path, tmp_path: Path) -> None:
    folder, record = clone / "hf_heartllm" / "checkpoints" / "heartllm-tiny", hf_heartllm.read_ecg("example:af")
    np.savez(folder / "ecg.npz", signal=record.signal, leads=np.array(record.leads))
    question = "Does this ECG show atrial fibrillation?"
    code = ASK_WITHOUT_THE_PACKAGE.replace("QUESTION", repr(question))
    expected = hf_heartllm.pipeline("ecg-question-answering")(record, question)
    for source in (folder, folder / "again"):
        printed = run_without_the_package(code, source, tmp_path / "cache")
        (first, *others), basis, text, errors = json.loads(printed.splitlines()[-1])
        assert [text for text, _ in first] == [text for text, _ in expected.alternatives]
        for alternatives in (first, *others):
            assert dict(alternatives) == pytest.approx(dict(expected.alternatives), abs=1e-4)
        assert basis == expected.basis
        assert text == hf_heartllm.pipeline("ecg-report")(record).text
        assert "files are read by the package hf_heartllm, which is not installed" in errors[0]
        assert "pipe.ecg_record(" in errors[1]
        assert not any("\n" in error for error in errors)
        if source == folder:
            (folder / "again" / "ecg.npz").write_bytes((folder / "ecg.npz").read_bytes())


@pytest.mark.slow
def test_trusting_a_checkpoints_code_beside_the_package_changes_nothing(tmp_path: Path) -> None:
    from hf_heartllm.cli.export import export_checkpoint

    export_checkpoint(Path(hf_heartllm.checkpoint()), tmp_path / "exported")
    run_python(
        """
import sys
import hf_heartllm as hl
import numpy as np
from transformers import AutoTokenizer, pipeline
question = "Does this ECG show atrial fibrillation?"
expected = hl.pipeline("ecg-question-answering")("example:af", question)
for trusted in (None, False, True):
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], trust_remote_code=trusted)
    assert type(tokenizer) is hl.ECGTokenizer, trusted
    try:
        tokenizer.encode_ecg({"signal": np.ones((1, 9)), "sampling_rate": 100, "leads": ["I"]})
    except hl.ECGError:
        print("refused")
    made = pipeline("ecg-question-answering", model=sys.argv[1], trust_remote_code=trusted)
    assert type(made.tokenizer) is hl.ECGTokenizer
    assert type(made.model) is hl.HeartLLMForCausalLM
    assert made("example:af", question) == expected
""",
        str(tmp_path / "exported"),
    )


# Modules of transformers import each other in many orders, some of them half way through; none may lose a class.
ENTRY_POINTS = [
    "from transformers import LlamaForCausalLM",
    "from transformers import pipeline",
    "from transformers import Pipeline",
    "from hf_heartllm.models.pipeline_ecg import pipeline",
    "from trl import SFTTrainer",
    "from hf_heartllm.models.modeling_ecg_codec import ECGCodecModel",
]


@pytest.mark.slow
@pytest.mark.parametrize("entry", ENTRY_POINTS)
def test_no_way_into_transformers_loses_a_registration(entry: str) -> None:
    run_python(f"""
import hf_heartllm
{entry}
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.feature_extraction_auto import FEATURE_EXTRACTOR_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_MAPPING
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING

config, codec_config = CONFIG_MAPPING["hf_heartllm"], CONFIG_MAPPING["hf_heartllm_codec"]
assert MODEL_MAPPING[config] is MODEL_FOR_CAUSAL_LM_MAPPING[config] is hf_heartllm.HeartLLMForCausalLM
assert MODEL_MAPPING[codec_config] is hf_heartllm.ECGCodecModel
assert TOKENIZER_MAPPING[codec_config] is hf_heartllm.ECGTokenizer
assert FEATURE_EXTRACTOR_MAPPING[codec_config] is hf_heartllm.ECGFeatureExtractor
from transformers.pipelines import PIPELINE_REGISTRY
for task in ("ecg-question-answering", "ecg-report"):
    assert PIPELINE_REGISTRY.check_task(task)[1]["impl"].__module__ == "hf_heartllm.models.pipeline_ecg"
for name in ("HeartLLMConfig", "ECGCodecConfig", "HeartLLMForCausalLM", "ECGCodecModel", "ECGTokenizer"):
    assert getattr(hf_heartllm, name)._auto_class, name
""")
