"""The paper's prompts and rows, id by id, and our own prompt builder."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hf_heartllm.models import prompts
from hf_heartllm.models.prompts import IGNORE_INDEX


@pytest.fixture(scope="session")
def golden() -> dict:
    stated = os.environ.get("HEARTLLM_GOLDEN")
    folder = Path(stated) if stated else Path(__file__).resolve().parents[3] / "shared" / "golden"
    file = folder / "heartllm_prompts.json"
    if not file.is_file():
        pytest.skip(f"no golden values: {file} is not there (set HEARTLLM_GOLDEN)")
    return json.loads(file.read_text(encoding="utf-8"))


def toy_tokenizer(golden: dict) -> Callable[[str], list[int]]:
    """The stand-in tokenizer that the golden rows were made with; ids are given in the order pieces are first seen."""
    toy = golden["toy_tokenizer"]
    added = {
        "<|eos|>": toy["eos"],
        "<|PAD|>": toy["pad"],
        "<|start_ecg|>": toy["start_ecg"],
        "<|end_ecg|>": toy["end_ecg"],
    }
    seen: dict[str, int] = {}

    def tokenize(text: str) -> list[int]:
        ids = [toy["bos"]]
        for stretch in re.split("(" + "|".join(map(re.escape, added)) + ")", text):
            if stretch in added:
                ids.append(added[stretch])
            else:
                ids += [seen.setdefault(piece, 2 + len(seen)) for piece in re.findall(r"\s*\S+|\s+", stretch)]
        return ids

    return tokenize


def ecg_codes(golden: dict) -> np.ndarray:
    codes = np.array(golden["code_sequences"]["values"])
    assert (codes == np.random.default_rng(313).integers(0, 1296, size=(2, 313))).all()
    return codes


def paper_texts(task: str, example: dict) -> tuple[str, str, str]:
    row, test = example["row"], task.endswith("test")
    if task.startswith("qa"):
        before, after = prompts.heartllm_qa_prompt(row["question"])
        answer = prompts.heartllm_answer(row["answer"])
    else:
        background = prompts.heartllm_background(row["background"], keep_patient_id=True)
        before, after = prompts.heartllm_report_prompt(background)
        answer = row["report"]
    return before, after, "" if test else answer


@pytest.mark.parametrize("task", ["qa_train", "qa_test", "report_train", "report_test"])
def test_prompts_rows_and_labels_equal_the_papers(golden: dict, task: str) -> None:
    examples, tokenize = golden[task], toy_tokenizer(golden)
    texts = [paper_texts(task, example) for example in examples]
    for kind in range(3):  # the golden ids count pieces in this order: all befores, all afters, all answers
        for text in texts:
            tokenize(text[kind] + ("<|eos|>" if kind == 2 else ""))
    offset = golden["toy_tokenizer"]["ecg_offset"]
    rows = []
    for (before, after, answer), example, codes in zip(texts, examples, ecg_codes(golden), strict=True):
        assert (before, after) == (example["prompt_before"], example["prompt_after"])
        assert answer + "<|eos|>" == example["answer_text"]
        ecg_ids = [int(code) + offset for code in codes]
        row = prompts.heartllm_row(tokenize, before, ecg_ids, after, answer, "<|eos|>")
        assert row.input_ids == [*example["ids_before"], *ecg_ids, *example["ids_after"], *example["ids_answer"]]
        assert len(example["ids_before"]) == example["n_before"]
        assert len(ecg_ids) == example["n_ecg"]
        assert row.labels[-example["n_answer"] :] == example["ids_answer"]
        assert set(row.labels[: -example["n_answer"]]) == {IGNORE_INDEX}
        rows.append(row)
    batch = prompts.left_pad(rows, golden["toy_tokenizer"]["pad"])
    for ids, mask, labels, example in zip(*batch.values(), examples, strict=True):
        assert len(ids) == len(labels) == example["row_length"]
        assert mask == [value for value, count in example["attention_mask_rle"] for _ in range(count)]
        assert ids[: example["n_pad"]] == [golden["toy_tokenizer"]["pad"]] * example["n_pad"]
        assert labels.count(IGNORE_INDEX) == example["label_ignore_count"]


def test_forecasting_windows_and_rows_equal_the_papers(golden: dict) -> None:
    toy, expected = golden["toy_tokenizer"], golden["pretrain"]
    ids = ecg_codes(golden) + toy["ecg_offset"]
    windows = prompts.forecast_windows(2, random.Random(0))
    rows = [
        prompts.forecast_row(ids[w.record], w, toy["bos"], toy["start_ecg"], toy["end_ecg"], toy["eos"])
        for w in windows
    ]
    batch = prompts.left_pad(rows, toy["pad"])
    assert len(windows) == len(expected["rows"]) == 10
    for window, row, padded, labels, want in zip(
        windows, rows, batch["input_ids"], batch["labels"], expected["rows"], strict=True
    ):
        assert (window.record, window.window, window.step) == (want["record"], want["window"], want["step"])
        assert window.start == want["chosen_start"]
        assert (row.input_ids[:4], row.input_ids[-4:]) == (want["first_ids"], want["last_ids"])
        assert (len(row.input_ids), len(padded)) == (want["real_tokens"], want["row_length"])
        first, stop = want["labelled_row_positions"]
        assert [i for i, label in enumerate(labels) if label != IGNORE_INDEX] == list(range(first, stop))
        assert labels[first:stop] == padded[first:stop]


def test_forecast_windows_do_not_leave_the_record() -> None:
    starts = {w.start for seed in range(200) for w in prompts.forecast_windows(1, random.Random(seed)) if w.step == 15}
    assert starts == set(range(0, 151, 15))
    with pytest.raises(ValueError, match="does not fit into 125 tokens"):
        prompts.forecast_windows(1, random.Random(0), num_tokens=125)
    with pytest.raises(ValueError, match="needs more"):
        prompts.forecast_row(range(10), prompts.ForecastWindow(0, 5, 4, 2), 0, 1, 2, 3)


def test_rows_need_a_bos_token() -> None:
    with pytest.raises(ValueError, match="BOS"):
        prompts.heartllm_row(lambda text: [ord(c) for c in text], "before", [1], "after", "yes", "$")


def test_the_patients_number_is_left_out_of_a_background() -> None:
    background = "Patient Information: - Patient ID: 17; - Age: 64; - Sex: 0; Recording Details: - Nurse ID: 3."
    assert prompts.heartllm_background(background) == "Patient Information: - Age: 64; - Sex: 0; "
    assert "17" in prompts.heartllm_background(background, keep_patient_id=True)
    assert prompts.heartllm_background("Recording Details: - Patient ID: 2; - Device ID: 12") == ""


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({}, ""),
        ({"age": float("nan"), "sex": None}, ""),
        ({"age": 64.7, "sex": "female"}, "Patient: 64 years, female."),
        ({"age": 300}, "Patient: over 89 years."),
        ({"age": 89}, "Patient: 89 years."),
        ({"age": 89.99}, "Patient: 89 years."),
        ({"age": 90}, "Patient: over 89 years."),
        ({"age": np.int64(89), "height": 178.4, "weight": np.float32(80.2)}, "Patient: 89 years, 178 cm, 80 kg."),
    ],
)
def test_background_text(known: dict, text: str) -> None:
    assert prompts.background_text(**known) == text


@pytest.mark.parametrize(
    "wrong", [{"sex": "patient 17"}, {"age": "64"}, {"age": -1}, {"weight": float("inf")}, {"height": 0}]
)
def test_background_text_takes_nothing_else(wrong: dict) -> None:
    with pytest.raises((ValueError, TypeError)):
        prompts.background_text(**wrong)
    with pytest.raises(TypeError):
        prompts.background_text(patient_id=17)  # type: ignore[call-arg]


def test_the_papers_rows_on_our_tokenizer_hold_one_ecg_whatever_the_question() -> None:
    class Letters:
        """Letters as tokens; knows no ECG token in text, as `ECGTokenizer`."""

        bos_token_id, ecg_start_token_id, ecg_end_token_id = 0, 1000, 1001

        def encode(self, text: str, add_special_tokens: bool) -> list[int]:
            assert not add_special_tokens
            return [ord(c) for c in text]

    encode = prompts.ecg_mark_encoder(Letters())
    before, after = prompts.heartllm_qa_prompt("<|start_ecg|> what? <|end_ecg|>")
    row = prompts.heartllm_row(encode, before, [1002, 1003], after, "<|start_ecg|> yes", "$")
    start = row.input_ids.index(1000)
    assert row.input_ids[start - 1 : start + 5] == [ord(" "), 1000, ord(" "), 1002, 1003, 1001]
    assert [i for i in row.input_ids if i in (1000, 1001)] == [1000, 1001]
    assert bytes(i for i in row.labels if i != IGNORE_INDEX) == b"<|start_ecg|> yes$"
    before, _ = prompts.heartllm_report_prompt("")
    assert encode(before)[-1] == 1000


@pytest.mark.parametrize("num_tokens", [25, 125, 313, 500])
def test_windows_for_other_codecs_keep_the_papers_shares(num_tokens):
    scaled = prompts.scaled_windows(num_tokens)
    assert max(window + step for window, step in scaled) <= num_tokens
    for (window, step), (read, forecast) in zip(scaled, prompts.FORECAST_WINDOWS, strict=True):
        assert window / num_tokens == pytest.approx(read / 313, abs=1 / num_tokens)
        assert step / num_tokens == pytest.approx(forecast / 313, abs=1 / num_tokens)
    assert prompts.scaled_windows(313) == list(prompts.FORECAST_WINDOWS)
