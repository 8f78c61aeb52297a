"""What goes to the Hub beside a checkpoint: its card and licences, and no name of a folder."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from huggingface_hub import ModelCard
from transformers import LlamaConfig

from hf_heartllm.models.card_files import CARD_FILE, _repository, short_card, write_card_files
from hf_heartllm.models.configuration_ecg_lm import ECGLMConfig
from hf_heartllm.models.configuration_heartllm import HeartLLMConfig
from hf_heartllm.models.notice import NOTICE

SOURCE = """---
license: apache-2.0
license_link: LICENSE
base_model: someone/base
datasets: [a/b]
tags: [old]
---
# Old

| figure | 1 |

![codec](codec.png)

## Licence and attribution

Thanks to the authors.

## Limits

Many.
"""
GENERIC = "---\n{}\n---\nThis model card has been automatically generated."


def pushed(tmp_path, before: str, same: bool = False, source: bool = True) -> dict[str, str]:
    """The text files of a folder after it was made ready."""
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / CARD_FILE).write_text(SOURCE)
    (tmp_path / "from" / "NOTICE").write_text("notice")
    (tmp_path / "from" / "codec.png").write_text("picture")
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / CARD_FILE).write_text(before)
    write_card_files(SimpleNamespace(), tmp_path / "to", "user/new", tmp_path / "from" if source else None, same=same)
    return {path.name: path.read_text() for path in (tmp_path / "to").iterdir()}


def test_the_card_of_the_same_weights_goes_along_with_its_picture(tmp_path):
    assert pushed(tmp_path, GENERIC, same=True) == {CARD_FILE: SOURCE, "NOTICE": "notice", "codec.png": "picture"}


def test_what_a_card_links_to_goes_along_and_the_hubs_results_name_the_owner(tmp_path):
    source = tmp_path / "from"
    (source / ".eval_results").mkdir(parents=True)
    results = "- dataset:\n    id: OWNER/questions\n    task_id: all\n  value: 0.5\n"
    (source / ".eval_results" / "questions.yaml").write_text(results)
    (source / CARD_FILE).write_text("[all](EVALUATION.md) [page](https://a.b/c.md) [up](../x.md) [none](gone.md)")
    (source / "EVALUATION.md").write_text("[card](README.md) ![plot](plot.png)")
    (source / "plot.png").write_text("picture")
    (source / "other.md").write_text("stays")
    (tmp_path / "to").mkdir()
    write_card_files(SimpleNamespace(), tmp_path / "to", "user/new", source, same=True)
    found = {path.relative_to(tmp_path / "to").as_posix() for path in (tmp_path / "to").rglob("*") if path.is_file()}
    assert found == {CARD_FILE, "EVALUATION.md", "plot.png", ".eval_results/questions.yaml"}
    written = (tmp_path / "to" / ".eval_results" / "questions.yaml").read_text()
    assert written == results.replace("OWNER", "user")


def test_of_other_weights_the_terms_go_along_and_no_figure(tmp_path):
    files = pushed(tmp_path, GENERIC)
    data = ModelCard(files[CARD_FILE]).data
    assert (data.license, data.base_model, data.datasets, files["NOTICE"]) == (
        "apache-2.0",
        "someone/base",
        ["a/b"],
        "notice",
    )
    assert "Thanks to the authors." in files[CARD_FILE]
    assert NOTICE in files[CARD_FILE]
    assert "figure" not in files[CARD_FILE]
    assert "Many." not in files[CARD_FILE]
    assert str(tmp_path) not in files[CARD_FILE]


def test_a_card_that_somebody_wrote_stays(tmp_path):
    assert pushed(tmp_path, "# Mine")[CARD_FILE] == "# Mine"


def test_without_a_source_the_card_says_that_no_licence_is_known(tmp_path):
    files = pushed(tmp_path, GENERIC, source=False)
    assert set(files) == {CARD_FILE}
    assert "None is stated" in files[CARD_FILE]
    assert "base_model: a/b" in short_card("Model", "model", "u/x", None, "a/b")


@pytest.mark.parametrize("kind", [HeartLLMConfig, ECGLMConfig])
def test_a_configuration_names_no_folder(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build" / "base").mkdir(parents=True)
    for name, kept in {str(tmp_path): "", "build/base": "", "./x": "", "C:\\x": "", "a/b": "a/b", "": ""}.items():
        inner = LlamaConfig(vocab_size=9, hidden_size=8, num_attention_heads=1)
        inner._name_or_path = name
        assert kind(text_config=inner).to_dict()["text_config"]["_name_or_path"] == kept


def test_a_repository_is_an_owner_and_a_name(tmp_path):
    assert _repository("owner/name") == "owner/name"
    for other in ("name", "a/b/c", str(tmp_path), "", None):
        assert _repository(other) is None


def test_a_card_of_other_weights_that_is_the_sources_own_is_replaced(tmp_path):
    changed = SimpleNamespace(named_parameters=dict)
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / CARD_FILE).write_text(SOURCE)
    for place, before, stays in (("same", SOURCE, False), ("own", "# Mine", True)):
        (tmp_path / place).mkdir()
        (tmp_path / place / CARD_FILE).write_text(before)
        write_card_files(changed, tmp_path / place, "user/new", tmp_path / "from")
        assert ((tmp_path / place / CARD_FILE).read_text() == before) == stays
    write_card_files(changed, tmp_path / "own", "user/new", None)
    assert (tmp_path / "own" / CARD_FILE).read_text() == "# Mine"
