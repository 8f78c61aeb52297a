"""Questions about statements in many wordings, and their answers, as sure as a teacher's."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_heartllm.data.question import Question
from hf_heartllm.labels.scp import STATEMENTS, SUPERCLASSES
from hf_heartllm.training.statement_labels import MEASURED, hard_labels, softened, with_measured
from hf_heartllm.training.turns import wordings
from hf_heartllm.training.turns.statements import StatementTurns
from hf_heartllm.training.turns.wordings import draw_wording, statement_names

ROOT = Path(__file__).resolve().parents[2]
CODES = sorted({*STATEMENTS, *SUPERCLASSES, *MEASURED})


def test_every_statement_and_superclass_has_a_name_and_is_first_called_as_questions_call_it():
    assert sorted(statement_names()) == CODES
    phrases = {code: one.phrase for code, one in STATEMENTS.items()} | SUPERCLASSES
    firsts = {code: names["english"][0] for code, names in statement_names().items() if code not in MEASURED}
    assert firsts == phrases


@given(st.sampled_from(CODES), st.integers(0, 10_000), st.floats(0, 1))
def test_a_wording_names_the_statement_and_says_whether_it_denies(code, seed, plain_share):
    asked = draw_wording(random.Random(seed), code, plain_share)
    text = asked.text.casefold()
    own = {one.casefold().rstrip("?."): denied for denied in (0, 1) for one in wordings.OWN.get(code, ((), ()))[denied]}
    if text.rstrip("?.") in own:
        assert own[text.rstrip("?.")] == asked.denied
        return
    assert any(name.casefold() in text for names in statement_names()[code].values() for name in names)
    denied = [one for one in (*wordings.DENIED, *wordings.GERMAN_DENIED) if _fits(one, text)]
    assert bool(denied) == asked.denied


def _fits(template: str, text: str) -> bool:
    before, _, after = template.casefold().rstrip("?.").partition("{}")
    return text.startswith(before) and text.rstrip("?.").endswith(after) and bool(before)


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 12), st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_answers_are_those_that_the_probabilities_make_likelier(seed, count, probabilities):
    names = ["AFIB", "NORM", "PVC", "MI", "LVH", "no such statement"]
    turns = StatementTurns(names, {"a": np.array(probabilities), "b": np.full(6, 0.5)})
    drawn = turns.draw("a", count, random.Random(seed))
    assert len(drawn) == min(count, 5)  # different ones, and only those with a name
    for turn in drawn:
        assert {turn.answer, turn.instead} == {"yes", "no"}
        assert 0 <= turn.share <= 0.5
        assert any(abs(turn.share - min(p, 1 - p)) < 1e-9 for p in probabilities)
    assert turns.draw("unknown", count, random.Random(seed)) == []


def test_a_sure_statement_is_affirmed_and_its_absence_denied():
    turns = StatementTurns(["AFIB", "LVH"], {"a": np.array([1.0, 0.0])}, plain_share=0.0)
    for seed in range(60):
        for turn in turns.draw("a", 2, random.Random(seed)):
            af = any(name.lower() in turn.question.lower() for name in ("atrial", "af", "a-fib", "vorhof", "vhf"))
            denied = any(_fits(one, turn.question.casefold()) for one in (*wordings.DENIED, *wordings.GERMAN_DENIED))
            assert turn.answer == ("yes" if af != denied else "no")
            assert turn.share == 0


def test_terse_questions_are_a_name_and_what_the_probabilities_make_likelier():
    turns = StatementTurns(["AFIB", "LVH", "no such statement"], {"a": np.array([0.9, 0.2, 1.0])})
    names = {code: statement_names()[code]["english"] for code in ("AFIB", "LVH")}
    drawn = [turn for seed in range(40) for turn in turns.draw_terse("a", 3, random.Random(seed))]
    assert len(drawn) == 80
    assert {turn.question for turn in drawn} == {*names["AFIB"], *names["LVH"]}
    for turn in drawn:
        af = turn.question in names["AFIB"]
        assert turn[:3] == (turn.question, *(("yes", "no") if af else ("no", "yes")))
        assert turn.share == pytest.approx(0.1 if af else 0.2)
    assert turns.draw_terse("unknown", 3, random.Random(0)) == []


def test_wordings_that_robustness_is_measured_with_are_not_trained():
    path = ROOT / "benchmarks" / "questions" / "wordings.tsv"
    held = [row["question"] for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t")]
    trained = set()
    for code, names in statement_names().items():
        every = [one for kind in names.values() for one in kind]
        lists = wordings.OWN.get(code, ())
        templates = (*wordings.AFFIRMED, *wordings.DENIED, *wordings.GERMAN_AFFIRMED, *wordings.GERMAN_DENIED)
        trained |= {template.format(name) for template in templates for name in every}
        trained |= {one for some in lists for one in some}
    simple = {" ".join(one.lower().rstrip("?. ").split()) for one in trained}
    assert not [one for one in held if " ".join(one.lower().rstrip("?. ").split()) in simple]


def test_soft_labels_are_mixed_with_what_was_stated(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    question = Question("Does this ECG show AFIB?", ("yes",), ("no", "yes"), "verify", "rhythm", "AFIB")
    rows = [{"record_id": "1", "questions": [question]}, {"record_id": "2", "questions": []}]
    labels = hard_labels(rows, ["AFIB", "static noise"])
    assert {key: value.tolist() for key, value in labels.items()} == {"1": [1, 0], "2": [0, 0]}
    path = tmp_path / "soft.parquet"
    pq.write_table(pa.table({"ecg_id": [1, 9], "AFIB": pa.array([0.6, 0.1], pa.float32())}), path)
    mixed = softened(labels, ["AFIB", "static noise"], path, 0.75)
    assert mixed["1"].tolist() == pytest.approx([0.7, 0])
    assert mixed["2"].tolist() == [0, 0]
    assert labels["1"].tolist() == [1, 0]
    columns = {"record_id": ["2"], "superclass MI": pa.array([0.8], pa.float32())}
    of_class = softened(hard_labels(rows, ["MI"]), ["MI"], _table(tmp_path / "class.parquet", columns), 0.5)
    assert of_class["2"].tolist() == pytest.approx([0.4])
    for wrong in (tmp_path / "none.parquet", _table(tmp_path / "a.parquet", {"ecg_id": [1]})):
        with pytest.raises(ValueError, match=r"soft_labels\.py"):
            softened(labels, ["AFIB"], wrong, 0.5)
    with pytest.raises(ValueError, match="none of the 2 records"):
        softened(labels, ["AFIB"], _table(tmp_path / "b.parquet", {"ecg_id": [7], "AFIB": [0.5]}), 0.5)


def _table(path: Path, columns: dict) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), path)
    return path


def test_rate_and_regularity_are_asked_for_where_beats_were_counted():
    told = [("60 to 69", "regular"), ("below 40", "very irregular"), ("100 to 109", "slightly irregular"), None]
    rows = []
    for place, one in enumerate(told):
        pairs = zip(("heart rate", "regularity"), one) if one else ()
        asked = [Question("?", (answer,), (), "query", "beats", name) for name, answer in pairs]
        rows.append({"record_id": str(place), "questions": asked})
    labels = with_measured(hard_labels(rows, ["AFIB"]), rows)
    found = [labels[str(place)][1:] for place in range(4)]
    assert [one[:3].tolist() for one in found[:3]] == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert [one[3].tolist() for one in found[:2]] == [0, 1]
    assert np.isnan(found[2][3])
    assert np.isnan(found[3]).all()
    turns = StatementTurns(["AFIB", *MEASURED], labels)
    assert [len(turns.draw(name, 9, random.Random(0))) for name in "0123"] == [5, 5, 4, 1]
