"""Whatever a pipeline is given, answers come in order and are those of one recording and one question at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import Pipeline, pipeline
from transformers.pipelines.pt_utils import KeyDataset

import hf_heartllm as hl
from hf_heartllm.ecg import write_ecg
from hf_heartllm.models import pipeline_ecg
from hf_heartllm.models.ecg_answers import ECGAnswer
from hf_heartllm.models.ecg_record import ECGError, ECGWarning
from tests.tiny import tiny_model_and_tokenizer

AF = "Does this ECG show atrial fibrillation?"
LBBB = "Does this ECG show complete left bundle branch block?"
RHYTHM = "What rhythm does this ECG show?"


@pytest.fixture(scope="module")
def ask() -> Any:
    return hl.pipeline("ecg-question-answering")


@pytest.fixture(scope="module")
def tiny() -> tuple[Any, Any]:
    model, tokenizer = tiny_model_and_tokenizer()
    tokenizer.ecg_max_duration = 10
    return model, tokenizer


@pytest.fixture
def quick(tiny: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Random weights, for paths that need no right answer."""
    monkeypatch.setattr(pipeline_ecg, "MAX_ANSWER_TOKENS", 4)
    monkeypatch.setattr(pipeline_ecg, "MAX_REPORT_TOKENS", 8)
    return hl.pipeline("ecg-question-answering", *tiny)


@pytest.fixture(scope="module")
def records() -> list[hl.ECGRecord]:
    """Ten seconds, five, three windows, eight leads."""
    af, normal, lbbb = (hl.read_ecg(f"example:{name}") for name in ("af", "normal", "lbbb"))
    long = replace(normal, signal=np.concatenate([normal.signal, af.signal, normal.signal], axis=1))
    return [af, normal.crop(0, 5), long, lbbb.select(["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"]), normal]


def assert_equal(found: ECGAnswer, expected: ECGAnswer) -> None:
    assert (found.text, found.answered, found.asked) == (expected.text, expected.answered, expected.asked)
    assert (found.abstained, found.nearest, found.basis) == (expected.abstained, expected.nearest, expected.basis)
    assert dict(found.alternatives) == pytest.approx(dict(expected.alternatives), abs=1e-5)
    assert found.confidence == (None if expected.confidence is None else pytest.approx(expected.confidence, abs=1e-5))
    assert [one.text for one in found.windows] == [one.text for one in expected.windows]


def test_several_at_once_are_scored_as_one_by_one(quick: Any, records: list[hl.ECGRecord]) -> None:
    questions = [AF, "Which?", LBBB]
    rows = [{"ecg": record, "question": question} for record, question in zip(records[::2], questions, strict=True)]
    expected = [quick(row, beams=2) for row in rows]
    assert [(one.closed, len(one.windows)) for one in expected] == [(True, 0), (False, 3), (True, 0)]
    for size in (2, 5):
        for one, other in zip(quick(rows, beams=2, batch_size=size), expected, strict=True):
            assert_equal(one, other)


@pytest.mark.slow
def test_several_at_once_are_answered_as_one_by_one(ask: Any, records: list[hl.ECGRecord]) -> None:
    questions = [AF, LBBB, "What is the capital of France?", "Is atrial fibrillation absent?", RHYTHM]
    rows = [{"ecg": record, "question": question} for record, question in zip(records, questions, strict=True)]
    expected = [ask(record, question) for record, question in zip(records, questions, strict=True)]
    assert [one.answered for one in expected] == [True, True, False, True, True]
    for size in (1, 2, 5):
        found = ask(rows, batch_size=size)
        assert isinstance(found, list)
        for one, other in zip(found, expected, strict=True):
            assert_equal(one, other)
    for one, other in zip(ask(tuple(records), AF, batch_size=3), [ask(one, AF) for one in records], strict=True):
        assert_equal(one, other)


def test_several_questions_read_a_recording_once(
    ask: Any, records: list[hl.ECGRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = [AF, "Who are you?", LBBB, AF]
    expected = [ask(records[2], question) for question in questions]
    encoded: list[Any] = []
    kind = type(ask.tokenizer)
    encode = kind.encode_ecg
    monkeypatch.setattr(kind, "encode_ecg", lambda *args, **kwargs: encoded.append(args) or encode(*args, **kwargs))
    found = ask(records[2], questions)
    assert len(encoded) == len(expected[0].windows) == 3
    for one, other in zip(found, expected, strict=True):
        assert_equal(one, other)
    pairs = ask(records[:1], [AF, LBBB])
    assert [[one.asked for one in answers] for answers in pairs] == [[AF, LBBB]]


@pytest.mark.parametrize("shipped", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_reports_of_several_recordings(quick: Any, records: list[hl.ECGRecord], shipped: bool) -> None:
    report = hl.pipeline("ecg-report") if shipped else hl.pipeline("ecg-report", quick.model, quick.tokenizer)
    some = [records[0], records[2], records[4]]
    expected = [report(one) for one in some]
    found = report(iter(some), batch_size=2)
    for one, other in zip(found, expected, strict=True):
        assert (one.text, one.complete) == (other.text, other.complete)
        assert one.token_probability == pytest.approx(other.token_probability, abs=1e-5)
        assert [each.attribute for each in one.findings] == [each.attribute for each in other.findings]
        assert [each.text for each in one.windows] == [each.text for each in other.windows]
    row = report({"record": "example:af", "request": "Write the report."})
    assert row.text == expected[0].text


@pytest.mark.slow
def test_one_recording_in_every_form(ask: Any, tmp_path: Path) -> None:
    record = hl.read_ecg("example:af")
    expected = ask(record, AF)
    hl_frame = pd.DataFrame(record.signal.T * 1000, columns=[f"{name} (uV)" for name in record.leads])
    hl_frame.to_csv(tmp_path / "x.csv", index=False)
    np.save(tmp_path / "x.npy", record.signal)
    write_ecg(record, tmp_path / "x.hea")
    stated = {"sampling_rate": record.sampling_rate, "units": "mV", "leads": record.leads}
    forms: list[Any] = [
        "example:af",
        tmp_path / "x",
        str(tmp_path / "x.hea"),
        hl.ecg_record(record.signal.T, **stated),
        hl.ecg_record(hl_frame, sampling_rate=record.sampling_rate),
        ask.ecg_record(record.signal.T.tolist(), **stated),
        {"signal": record.signal, "sampling_rate": 500, "leads": list(record.leads)},
        {"signal": record.signal * 1000, "sampling_rate": 500, "leads": list(record.leads), "units": "uV"},
        {"record": record.signal, **stated, "patient": 7},
        {"record": record.signal.tolist(), **stated},
        {"ecg": hl_frame, "sampling_rate": record.sampling_rate},
        {"record": tmp_path / "x.npy", **stated},
        {"record": tmp_path / "x.csv", "sampling_rate": record.sampling_rate},
    ]
    for form, answer in zip(forms, ask(forms, AF, batch_size=4), strict=True):
        assert answer.text == expected.text, form
        assert answer.probability == pytest.approx(expected.probability, abs=1e-3), form
    assert_equal(ask(record=record, question=AF), expected)
    assert_equal(ask({"record": record, "question": AF}), expected)
    assert_equal(ask({"record": record, "question": AF}, "Is this ECG normal?"), expected)
    assert [one.text for one in ask({"record": record, "question": [AF, AF]})] == [expected.text] * 2


def test_what_holds_several_gives_a_list_or_an_iterator(quick: Any) -> None:
    datasets = pytest.importorskip("datasets")
    names = ["example:af", "example:normal"]
    expected = [quick(name, AF).text for name in names]
    rows = datasets.Dataset.from_dict({"path": names, "question": [AF] * 2, "answer": ["?"] * 2})
    for several in (
        (name for name in names),
        map(str, names),
        KeyDataset(rows, "path"),
        rows["path"],
        rows.rename_column("path", "record"),
        rows.rename_column("path", "ecg").to_iterable_dataset(),
        pd.Series(names),
        np.array(names),
        dict.fromkeys(names).keys(),
    ):
        found = quick(several, AF, batch_size=2)
        assert not isinstance(found, list)
        if hasattr(several, "__len__"):
            assert len(found) == len(several)
        assert [answer.text for answer in found] == expected
    for several in (names, tuple(names)):
        assert [answer.text for answer in quick(several, AF)] == expected
    assert quick([], AF) == []
    assert list(quick(iter([]), AF)) == []


def test_a_generator_is_read_as_its_answers_are_asked_for(quick: Any) -> None:
    read = []

    def names() -> Iterator[str]:
        for name in ["example:af"] * 5:
            read.append(name)
            yield name

    answers = quick(names(), AF, batch_size=2)
    assert read == []
    assert next(answers).closed
    assert len(read) == 2
    next(answers)
    assert len(read) == 2
    next(answers)
    assert len(read) == 4


def test_what_comes_before_a_bad_recording_is_answered_first(ask: Any) -> None:
    flat = hl.ecg_record(np.zeros((12, 5000)), sampling_rate=500, units="mV", leads=hl.STANDARD_LEADS)
    answers = ask(iter(["example:af", flat, "example:normal"]), AF, batch_size=3)
    assert next(answers).text == "yes"
    with pytest.raises(ECGError):
        next(answers)
    with pytest.raises(ECGError, match="item 1: a recording is a path"):
        ask(["example:af", 3], AF)


def test_top_k_is_how_many_alternatives_stand_in_an_answer(ask: Any) -> None:
    record = hl.read_ecg("example:af")
    choices = ["sinus rhythm", "atrial fibrillation", "paced rhythm"]
    everything = ask(record, RHYTHM, choices)
    for count in (1, 2, 9):
        found = ask(record, RHYTHM, choices, top_k=count)
        assert found.alternatives == everything.alternatives[:count]
        assert (found.text, found.probability) == (everything.text, everything.probability)
    for other in (record, hl.read_ecg("example:normal")):
        yes_no = ask(other, AF)
        one = ask(other, AF, top_k=1)
        assert one.alternatives == ((yes_no.text, yes_no.probability),)
        assert one.explained() == yes_no.explained()
    absent = ask(record, "Is atrial fibrillation absent?", top_k=1)
    assert [text for text, _ in absent.alternatives] == ["no"]


def test_free_text_has_at_least_top_k_beams(quick: Any) -> None:
    record = hl.simulate_ecg(seed=1, sampling_rate=100)[0]
    assert len(quick(record, "Which?", beams=1, top_k=4).alternatives) > 1
    assert len(quick(record, "Which?", top_k=2).alternatives) == 2


def test_options_may_be_given_once_for_all_calls(ask: Any) -> None:
    fixed = type(ask)(
        ask.model, ask.tokenizer, ask.calibration, ask.questions, question=AF, top_k=1, batch_size=2, abstain_below=1.0
    )
    found = fixed(["example:af", "example:normal"])
    assert [len(one.alternatives) for one in found] == [1, 1]
    assert [one.answered for one in found] == [False, False]
    assert fixed("example:af", abstain_below=0.0).text == "yes"
    assert fixed("example:lbbb", LBBB, abstain_below=0.0, top_k=2).asked == LBBB


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda ask, record: ask(record.signal, AF), ECGError, r"give hl.ecg_record\(…, sampling_rate=…, units=…"),
        (lambda ask, record: ask(torch.tensor(record.signal), AF), ECGError, "hl.ecg_record"),
        (lambda ask, record: ask(pd.DataFrame(record.signal), AF), ECGError, "hl.ecg_record"),
        (lambda ask, record: ask(pd.Series(record.signal[0]), AF), ECGError, "hl.ecg_record"),
        (lambda ask, record: ask([record.signal], AF), ECGError, "item 0: numbers say neither"),
        (lambda ask, record: ask(record.signal.tolist(), AF), ECGError, "item 0: .*type list"),
        (lambda ask, record: ask(None, AF), ECGError, "this is None"),
        (lambda ask, record: ask(3, AF), ECGError, "type int"),
        (lambda ask, record: ask(b"x.hea", AF), ECGError, "type bytes"),
        (lambda ask, record: ask([(record, AF)]), ValueError, "item 0: no question|item 0: a recording is"),
        (lambda ask, record: ask({record.source}, AF), ECGError, "no order"),
        (lambda ask, record: ask({"signals": 1, "question": AF}), ECGError, "under 'record' or 'ecg', this one holds"),
        (lambda ask, record: ask({"record": record, "ecg": record}, AF), ECGError, "leave one out"),
        (lambda ask, record: ask({"record": record.signal, "units": "mV"}, AF), ECGError, "sampling rate"),
        (lambda ask, record: ask("no-such-file", AF), ECGError, "no-such-file"),
        (lambda ask, record: ask("", AF), ECGError, "names no recording"),
        (lambda ask, record: ask(record), ValueError, "no question"),
        (lambda ask, record: ask([{"record": record}]), ValueError, "item 0: no question"),
        (lambda ask, record: ask(record, " "), ValueError, "the question is empty"),
        (lambda ask, record: ask(record, []), ValueError, "the question is empty"),
        (lambda ask, record: ask(record, [AF, ""]), ValueError, "the question is empty"),
        (lambda ask, record: ask(record, 3), ValueError, "a question is a text"),
        (lambda ask, record: ask(record, RHYTHM, "af,sr"), ValueError, "closed set to choose from"),
        (lambda ask, record: ask({"record": record, "question": RHYTHM, "answers": ["af"]}), ValueError, "not two"),
        (lambda ask, record: ask(record, AF, top_k=0), ValueError, "top_k is a whole number of at least 1, not 0"),
        (lambda ask, record: ask(record, AF, top_k=1.5), ValueError, "top_k"),
        (lambda ask, record: ask(record, AF, top_k=True), ValueError, "top_k"),
        (lambda ask, record: ask(record, AF, beams=0), ValueError, "beams"),
        (lambda ask, record: ask(record, AF, batch_size=0), ValueError, "batch_size"),
        (lambda ask, record: ask(iter([record]), AF, top_k=0), ValueError, "top_k"),  # before the first is read
        (lambda ask, record: ask(iter([record]), AF, batch_size="2"), ValueError, "batch_size"),
        (lambda ask, record: hl.pipeline("ecg-report", ask.model, ask.tokenizer, device="gpu"), ValueError, "'gpu'"),
        (lambda ask, record: hl.pipeline("ecg-report", ask.model, ask.tokenizer, device=1.5), ValueError, "device"),
        (lambda ask, record: hl.pipeline("ecg-report", ask.model, ask.tokenizer, dtype="float16"), ValueError, "dtype"),
        (lambda ask, record: hl.pipeline("ecg-report", ask.model, ask.tokenizer, revision="1"), ValueError, "revision"),
        (lambda ask, record: hl.pipeline("ecg-report", ask.model, ask.tokenizer, topk=2), TypeError, "no option topk"),
        (lambda ask, record: hl.pipeline("ecg-report", ask.model, object()), ValueError, "reads no ECGs"),
        (lambda ask, record: type(ask)(ask.model, ask.tokenizer, top_k=0), ValueError, "top_k"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_line(ask: Any, call: Any, error: type[Exception], said: str) -> None:
    record = hl.read_ecg("example:af")
    with pytest.raises(error, match=said) as caught:
        call(ask, record)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", [-1, "cpu", torch.device("cpu"), None, 0])
def test_a_device_may_be_a_number_a_name_or_torchs_own(ask: Any, device: Any) -> None:
    if device == 0 and torch.cuda.is_available():
        pytest.skip("would move the model of the other tests")
    made = hl.pipeline("ecg-report", ask.model, ask.tokenizer, device=device)
    assert made.device == torch.device("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_device_that_is_not_there_is_one_line(ask: Any) -> None:
    with pytest.raises(ValueError, match="'cuda:7' cannot be used") as caught:
        hl.pipeline("ecg-report", ask.model, ask.tokenizer, device="cuda:7")
    assert "\n" not in str(caught.value)


def test_weights_in_another_dtype(ask: Any) -> None:
    made = hl.pipeline("ecg-question-answering", dtype="bfloat16", device=-1)
    assert made.model.dtype == torch.bfloat16
    answer = made("example:af", AF)
    assert answer.text == "yes"
    assert answer.probability == pytest.approx(
        hl.pipeline("ecg-question-answering")("example:af", AF).probability, abs=0.1
    )
    older = hl.pipeline("ecg-report", torch_dtype=torch.bfloat16, trust_remote_code=True, revision="main")
    assert older.model.dtype == torch.bfloat16
    assert type(older.model) is type(ask.model)  # the package's class, not the folder's


def test_a_warning_names_the_line_that_called(ask: Any) -> None:
    record = hl.read_ecg("example:normal")
    partial = record.select([name for name in record.leads if name != "V3"])
    for call in (lambda: ask(partial, AF), lambda: list(ask(iter([partial]), AF))):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            call()
        (warning,) = (one for one in said if issubclass(one.category, ECGWarning))
        assert warning.filename == __file__


def test_transformers_knows_the_tasks_and_answers_alike(ask: Any, caplog: pytest.LogCaptureFixture) -> None:
    record = hl.read_ecg("example:af")
    made = pipeline("ecg-question-answering", model=hl.checkpoint(), device="cpu", top_k=1, batch_size=2)
    assert isinstance(made, Pipeline)
    assert type(made) is type(ask)
    assert made.calibration == ask.calibration
    assert made.questions == ask.questions
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert made(record, AF) == ask(record, AF, top_k=1)
        assert made.predict({"record": record, "question": AF}).text == "yes"
    assert not caplog.records
    written = pipeline("ecg-report", model=ask.model, tokenizer=made.tokenizer)
    assert written.calibration == ask.calibration
    assert "custom_pipelines" not in ask.model.config.to_dict()


def test_what_lies_beside_other_weights_is_not_theirs(ask: Any) -> None:
    model = type(ask.model).from_pretrained(hl.checkpoint())
    assert pipeline("ecg-question-answering", model=model, tokenizer=ask.tokenizer).calibration == ask.calibration
    with torch.no_grad():
        model.language_model.model.layers[2].mlp.up_proj.weight.data[3, 5] += 1e-3  # as merging an adapter does
    changed = pipeline("ecg-question-answering", model=model, tokenizer=ask.tokenizer)
    assert changed.calibration is None
    assert changed.questions is None


def test_a_saved_pipeline_is_the_same_pipeline(ask: Any, tmp_path: Path) -> None:
    ask.save_pretrained(tmp_path)
    again = pipeline("ecg-question-answering", model=str(tmp_path))
    assert again.calibration == ask.calibration
    assert again.questions == ask.questions
    assert {"calibration.json", "questions.json", "pipeline_ecg.py", "ecg_inputs.py"} <= {
        file.name for file in tmp_path.iterdir()
    }
    type(ask)(ask.model, ask.tokenizer).save_pretrained(tmp_path)
    assert not (tmp_path / "calibration.json").exists()
    assert "custom_pipelines" not in ask.model.config.to_dict()
