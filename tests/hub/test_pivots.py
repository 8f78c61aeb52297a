"""Tables with controls as columns: every cell is the stored figure, and what cannot be filled is an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hf_heartllm.hub.pivots import render_pivots

ROOT = Path(__file__).resolve().parents[2]
MARK = """before
<!-- pivot
file = "a.json"
name = "match, @row*, @column"
first = "questions"
[rows]
"every one" = "all"
"rhythm*" = "rhythm"
[columns]
"real ECG" = "real ECG"
"none" = "no ECG"
-->
old
<!-- /pivot -->
after
"""


def figure(name: str, value: float, data: str = "fold 9; 10 rows", **others) -> dict:
    stated = {"interval": [value - 0.1, value + 0.1], "bar": None, "unit": "fraction", "machine": "1 CPU cores"}
    return {"name": name, "value": value, "data": data, "command": "measure", "commit": "0123456789abcdef"} | (
        stated | others
    )


@pytest.fixture
def results(tmp_path) -> Path:
    figures = [
        figure("match, all, real ECG", 0.75),
        figure("match, all, no ECG", 0.5, interval=None),
        figure("match, rhythm (3 kinds), real ECG", 0.25, "fold 9; 4 rows"),
    ]
    (tmp_path / "a.json").write_text(json.dumps(figures))
    return tmp_path


def test_rows_are_kinds_of_questions_and_columns_are_controls(results):
    rendered = render_pivots(MARK, results)
    assert rendered.endswith(
        "-->\n\n"
        "| questions | real ECG | none | measured on |\n"
        "|---|---:|---:|---|\n"
        "| every one | 0.750 (0.650 to 0.850) | 0.500 | 10 rows |\n"
        "| rhythm (3 kinds) | 0.250 (0.150 to 0.350) | – | 4 rows |\n"
        "\n"
        "In brackets: 95 % intervals.\n"
        "Data: fold 9.\n"
        "Measured by `measure` at commit `0123456789ab`, 1 CPU core.\n"
        "<!-- /pivot -->\nafter\n"
    )
    assert render_pivots(rendered, results) == rendered
    assert render_pivots("no marks", results) == "no marks"


def test_intervals_units_targets_and_data_are_as_asked(results):
    figures = [figure("R, all, a", 0.0361, unit="mV", bar="<= 0.05"), figure("R, few, a", 3.0, unit="mV", bar="<= 2")]
    (results / "a.json").write_text(json.dumps(figures))
    asked = 'rows = ["all", "few"]\ncolumns = ["a"]\nunits = true\ntargets = true\nintervals = []\ndata = "ours"'
    text = f'<!-- pivot\nfile = "a.json"\nname = "R, @row, @column"\nfirst = ""\n{asked}\n-->\n<!-- /pivot -->'
    rendered = render_pivots(text, results)
    assert (
        "| all | 0.0361 mV | at most 0.05: met |\n| few | 3 mV | at most 2: **not met** |\n\nData: ours.\n" in rendered
    )


def test_a_page_may_state_the_sources_of_all_its_tables_once(results):
    text = MARK + MARK + "<!-- sources -->\nold\n<!-- /sources -->\n"
    rendered = render_pivots(text, results)
    assert rendered.count("Measured by") == 1
    assert rendered.endswith("* `measure` at commit `0123456789ab`, 1 CPU core. Data: fold 9.\n<!-- /sources -->\n")
    assert render_pivots(rendered, results) == rendered


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"rhythm*" = "rhythm"', '"form" = "form"', "line 2: a.json has no figure for the row 'form'"),
        ('"none" = "no ECG"', '"none" = "none"', "no figure for the column 'none'"),
        ('"match, @row*', '"match*', "stands for several figures"),
        ("first", "frist", "'frist' is no key"),
        ('first = "questions"\n', "", "no key 'first'"),
        ('first = "questions"', "first = ", "line 2"),
        ("<!-- /pivot -->", "", "not closed"),
        ('first = "questions"', 'first = "questions"\nintervals = ["all"]', "'all' is no column"),
    ],
)
def test_what_cannot_be_filled_is_an_error(results, old, new, message):
    assert old in MARK
    with pytest.raises(ValueError, match=message):
        render_pivots(MARK.replace(old, new), results)


def test_no_page_states_a_table_that_its_figures_do_not_give():
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "hf_heartllm" / "checkpoints" / "heartllm-tiny" / "README.md"]
    marked = {page: page.read_text(encoding="utf-8") for page in pages}
    for page, text in marked.items():
        assert render_pivots(text, ROOT / "benchmarks" / "results") == text, page.name


def test_the_plots_show_the_figures_of_their_tables():
    from benchmarks import plots

    assert plots.out_of_date() == [], "run python benchmarks/plots.py"
    for name in plots.PLOTS:
        assert (ROOT / "docs" / "images" / name).stat().st_size < 100_000
