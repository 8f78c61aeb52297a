from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hf_heartllm.evaluation.results import Result, write_results
from hf_heartllm.hub.cards import checkpoint_facts, format_value, render_tables, results_table
from hf_heartllm.hub.model_cards import CardFiles
from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
from hf_heartllm.models.tokenization_heartllm import ECGTokenizer
from tests.tiny import tiny_checkpoint
from training import write_card

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "hf_heartllm" / "checkpoints" / "heartllm-tiny"
MATCH = Result(
    name="exact match, all questions, real ECG",
    value=0.6543,
    interval=(0.6412, 0.6689),
    target=None,
    unit="fraction",
    data="fold 9",
    command="python measure.py",
    commit="0123456789abcdef",
    machine="2 CPU cores",
)
AREA = replace(MATCH, name="AUROC, AFIB from p(yes), real ECG", value=0.9496, interval=None, target=">= 0.95")
ROWS = [MATCH, AREA]


@pytest.fixture
def results(tmp_path) -> Path:
    write_results(tmp_path / "path.json", ROWS)
    return tmp_path


def test_a_table_is_put_between_its_marks_and_put_there_again(results):
    text = "before\n<!-- results: path.json AUROC | exact -->\nold\n<!-- /results -->\nafter\n"
    rendered = render_tables(text, results)
    assert rendered == (
        "before\n<!-- results: path.json AUROC | exact -->\n"
        "| figure | value | 95 % interval | bar | data |\n"
        "|---|---:|---:|---|---|\n"
        "| AUROC, AFIB from p(yes), real ECG | 0.950 |  | >= 0.95: not met | fold 9 |\n"
        "| exact match, all questions, real ECG | 0.654 | 0.641 to 0.669 |  | fold 9 |\n"
        "\nMeasured by `python measure.py` at commit `0123456789ab`, 2 CPU cores.\n"
        "<!-- /results -->\nafter\n"
    )
    assert render_tables(rendered, results) == rendered
    assert render_tables("no marks, {braces}", results) == "no marks, {braces}"


def test_a_figure_within_a_sentence(results):
    text = f"It scores <!-- result: path.json {MATCH.name} -->0.97<!-- /result --> there."
    assert render_tables(text, results) == text.replace("0.97", "0.654")


def test_an_interval_needs_no_unit_where_the_value_has_it():
    row = replace(MATCH, name="R amplitude", value=0.0361, interval=(0.032, 0.041), unit="mV")
    assert "| R amplitude | 0.0361 mV | 0.032 to 0.041 |" in results_table([row])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- results: path.json recall -->\n<!-- /results -->", "no row that begins with 'recall'"),
        ("<!-- result: path.json exact match -->1<!-- /result -->", "no row 'exact match'"),
        ("<!-- results: path.json --> text", "not closed"),
        ("<!-- results: path.json -->\ntext\n<!-- results: path.json -->\n<!-- /results -->", "line 3"),
        ("<!-- results: path.json -->\n<!-- /result -->", "line 2"),
        ("<!-- /results -->", "line 1"),
    ],
)
def test_what_cannot_be_filled_is_an_error_and_no_text_is_lost(results, text, message):
    with pytest.raises(ValueError, match=message):
        render_tables(text, results)


def test_values_are_written_for_readers():
    assert [format_value(value, "") for value in (17418.0, 313.4, 12.345, 0.01234)] == [
        "17,418",
        "313",
        "12.3",
        "0.0123",
    ]
    assert format_value(-0.0125, "fraction") == "-0.013"
    assert format_value(36.5, "tokens/s") == "36.5 tokens/s"


def test_sizes_come_from_the_checkpoint(tmp_path):
    tiny_checkpoint(tmp_path)
    model = HeartLLMForCausalLM.from_pretrained(tmp_path)
    tokenizer = ECGTokenizer.from_pretrained(tmp_path)
    facts = checkpoint_facts(tmp_path)
    assert facts["parameters"] == f"{sum(parameter.numel() for parameter in model.parameters()):,}"
    assert facts["codec_parameters"] == f"{sum(parameter.numel() for parameter in tokenizer.codec.parameters()):,}"
    assert facts["codec_numbers"] == f"{sum(tensor.numel() for tensor in tokenizer.codec.state_dict().values()):,}"
    assert facts["vocabulary_size"] == str(len(tokenizer))
    assert int(facts["text_tokens"]) + 2 + int(facts["codebook_size"]) == len(tokenizer)
    assert (facts["codebook_size"], facts["ecg_tokens"], facts["bits_per_second"]) == ("64", "32", "19.2")


def test_readme_and_docs_show_the_measured_figures():
    assert write_card.out_of_date(write_card.documents()) == []


def test_the_cards_of_the_embedded_checkpoints_are_up_to_date():
    for folder, files in write_card.cards().items():
        assert files.out_of_date(folder) == [], "run python training/write_card.py"


def test_a_check_finds_what_changed_and_writes_nothing(tmp_path, monkeypatch, capsys):
    write_results(tmp_path / "benchmarks" / "results" / "path.json", ROWS)
    readme = tmp_path / "README.md"
    readme.write_text("<!-- results: path.json AUROC -->\n<!-- /results -->\n", encoding="utf-8")
    before = readme.read_text(encoding="utf-8")
    folder = tmp_path / "card"
    folder.mkdir()
    (folder / "reliability.png").write_text("of other results")
    monkeypatch.setattr(write_card, "ROOT", tmp_path)
    monkeypatch.setattr(write_card, "RESULTS", tmp_path / "benchmarks" / "results")
    monkeypatch.setattr(write_card, "cards", lambda: {folder: CardFiles({"README.md": "the card\n"})})
    assert write_card.main(["--check"]) == 1
    said = ["README.md: out of date", "card/README.md: out of date", "card/reliability.png: out of date"]
    assert capsys.readouterr().out.splitlines() == said
    assert readme.read_text(encoding="utf-8") == before
    assert not (folder / "README.md").exists()
    assert write_card.main([]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "card/reliability.png: removed"
    assert write_card.main(["--check"]) == 0
    assert "| AUROC, AFIB from p(yes), real ECG |" in readme.read_text(encoding="utf-8")
    (tmp_path / "benchmarks" / "results" / "path.json").unlink()
    assert write_card.main(["--check"]) == 2


def test_the_weights_licence_names_its_sources():
    text = (CHECKPOINT / "LICENSE").read_text(encoding="utf-8")
    for needed in ("Creative Commons Attribution 4.0 International", "PTB-XL", "ECG-QA", "Changes: trained on"):
        assert needed in text
    assert "https://creativecommons.org/licenses/by/4.0/legalcode" in text


def test_a_value_stands_with_its_interval_where_that_is_asked(results):
    names = [f"<!-- result: path.json {row.name} @interval --><!-- /result -->" for row in ROWS]
    shown = render_tables(", ".join(names), results)
    assert ">0.654 (0.641 to 0.669)<" in shown
    assert ">0.950<" in shown  # has none
    assert render_tables(shown, results) == shown
