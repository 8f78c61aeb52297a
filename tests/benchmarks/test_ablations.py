"""The ablations of the paper: what each arm reads, and the two benchmarks of training from end to end."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
import torch

from benchmarks.ablation_figures import AUROC, EXACT, FULL, HYBRID, NO_FT, ROUGE, figures
from benchmarks.ablations import ARMS, ReportTurns, told
from benchmarks.continuous_ecg import HybridEmbedding, HybridForecast, LatentEmbedding, PlacesForCodes, code_ids_of
from hf_heartllm.data.question import Question
from hf_heartllm.models.ecg_answerer import TokenAnswerer
from hf_heartllm.models.ecg_prompts import Prompt
from hf_heartllm.training.packing import QuestionPrompts
from tests.forked import run_forked as run
from tests.tiny import tiny_checkpoint, tiny_model_and_tokenizer

QUESTION = Question("Is this ECG normal?", ("no",), ("yes", "no"), "verify", "superclass", "NORM", ("1",))


def test_what_is_trained_with_a_background_is_what_is_asked_with_one():
    tokenizer = tiny_model_and_tokenizer()[1]
    row = told({"record_id": "1", "questions": [QUESTION], "report": "sinus rhythm."}, "Patient: 64 years, male.")
    trained = row["questions"][0]
    prompts = QuestionPrompts(tokenizer)
    ids = [*prompts.prefix([tokenizer.ecg_token_offset]), *prompts.turn(trained.text, "no").ids]
    words = Prompt(None, QUESTION.text, "Patient: 64 years, male.").words
    asked = prompts._ids([tokenizer.ecg_token_offset], words)
    assert ids[: len(asked)] == asked
    assert row["report"] is None  # `ReportTurns` asks for it, behind the background too
    turns = ReportTurns([{"record_id": "1", "report": "sinus rhythm."}], {"1": "Patient: 64 years, male."}, 1.0)
    (turn,) = turns("1", 1, random.Random(0))
    assert turn.question.startswith("Patient: 64 years, male. ")
    assert turn.answer == "sinus rhythm."
    assert not turns("2", 1, random.Random(0))


def test_without_codes_the_projected_output_is_read_and_everything_else_is_as_before():
    model, tokenizer = tiny_model_and_tokenizer()
    words = model.get_input_embeddings()
    plain = torch.tensor([[3, 9, 4]])
    before = model(input_ids=plain).logits
    table = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    model.set_input_embeddings(LatentEmbedding(words, table))
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight is words.weight
    assert torch.equal(model(input_ids=plain).logits, before)
    places = PlacesForCodes(tokenizer, words.num_embeddings)
    assert places.eos_token_id == tokenizer.eos_token_id
    answerer = TokenAnswerer(model, places)

    def scores(rows: list[int]) -> np.ndarray:
        prompt = Prompt(answerer.reading_of_codes(np.array(rows)), QUESTION.text)
        return answerer.score([prompt], [("yes", "no")])[0].log_likelihoods

    first = scores([0, 1, 2])
    assert np.array_equal(first, scores([0, 1, 2]))
    assert not np.allclose(first, scores([3, 4, 5]))
    table[3:] = table[:3]
    assert np.allclose(first, scores([3, 4, 5]))  # what is read is the table, not the place in it


def test_a_hybrid_whose_projection_is_zero_is_the_model_of_the_codes():
    model, tokenizer = tiny_model_and_tokenizer()
    codes = {"1": np.array([5, 0, 63]), "2": np.array([7, 5, 5]), "3": np.array([1, 2])}
    places = {"2": np.array([0, 1, 2]), "1": np.array([3, 4, 5]), "3": np.array([6, 7, 8])}
    table = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    code_ids, known = code_ids_of(places, codes, tokenizer, len(table))
    assert known.keys() == {"1", "2"}  # the third has another length
    prompts = QuestionPrompts(tokenizer)

    def row(of_tokenizer: object, tokens: np.ndarray) -> torch.Tensor:
        return torch.tensor([[*prompts.prefix(of_tokenizer.codes_to_ids(tokens)), *prompts.turn("Why?", "no").ids]])

    plain = {name: row(tokenizer, codes[name]) for name in known}
    before = {name: model(input_ids=ids, labels=ids) for name, ids in plain.items()}
    hybrid = HybridEmbedding(model.get_input_embeddings(), table, code_ids)
    model.set_input_embeddings(hybrid)
    assert model.get_output_embeddings().weight is hybrid.weight
    shown = {name: row(PlacesForCodes(tokenizer, hybrid.num_embeddings), known[name]) for name in known}
    for name, ids in shown.items():
        assert not torch.equal(ids, plain[name])
        assert torch.equal(model(input_ids=ids).logits, before[name].logits)
        found = HybridForecast(model)(ids, labels=ids)  # the forecast is of codes
        assert torch.equal(found.loss, before[name].loss)
    found.loss.backward()
    assert hybrid.projection.weight.grad.abs().sum() > 0
    hybrid.projection.weight.data.normal_(generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(model(input_ids=shown["1"]).logits, before["1"].logits)
    assert torch.equal(model(input_ids=plain["1"]).logits, before["1"].logits)  # codes alone are read as ever


def test_arms_are_compared_on_the_same_questions_and_patients():
    def run(right: bool) -> dict:
        rows = [
            {"record": f"{i}", "patient": f"p{i // 2}", "attribute": "AFIB", "right": right or i % 4 == 0,
             "every": every, "label": i % 2, "margin": float(i % 2 if right else 0)}
            for i in range(40) for every in (False, True)
        ]  # fmt: skip
        reports = [{"record": f"{i}", "patient": f"p{i // 2}", "score": 0.5 + right / 4} for i in range(9)]
        return {"questions": rows if right else rows[:64], "reports": reports}

    found = figures({FULL: [run(True)], NO_FT: [run(False), run(True)]})
    assert found[EXACT][FULL].value == 1
    assert found[EXACT][NO_FT].value == pytest.approx((0.25 + 1) / 2)
    assert (found[AUROC][FULL].value, found[AUROC][NO_FT].value) == (1, 0.75)
    assert (found[ROUGE][FULL].value, found[ROUGE][NO_FT].value) == (0.75, 0.625)
    less = found[EXACT][NO_FT].minus(found[EXACT][FULL])
    assert less.rows == 32
    assert less.high < 0


@pytest.mark.slow
def test_both_benchmarks_from_recordings_to_their_tables(tmp_path):
    data, rows, tokens = tmp_path / "data", tmp_path / "rows.parquet", tmp_path / "tokens"
    model = tiny_checkpoint(tmp_path / "model")
    run("-m", "dataset_builders.simulated", "--records", 99, "--output", data)
    run("-m", "dataset_builders.training_rows", "--ptbxl", data, "--folds", "1-9", "--output", rows)
    questions = tmp_path / "questions.parquet"
    run("-m", "dataset_builders.evaluation_questions", "--ptbxl", data, "--folds", "9", "--output", questions)
    codec = ("--codec", model / "codec")
    run("-m", "dataset_builders.ecg_tokens", "--ptbxl", data, *codec, "--rows", rows, "--output", tokens)
    common = ("--ptbxl", data, "--tokens", tokens, "--model", model, "--threads", 1)
    quick = ("--minutes", 0.03, "--repetitions", 1, "--judged", 5)
    run("benchmarks/training.py", *common, *quick, "--results", tmp_path / "training.json")
    found = {row["name"]: row for row in json.loads((tmp_path / "training.json").read_text())}
    assert found["stage 2, padding, ours"]["value"] == 0
    padded = (found[f"stage 3, padding, {order}"]["value"] for order in ("by length", "random order"))
    assert next(padded) < next(padded)
    assert found["stage 2, at equal supervised codes, ours over public code, our codec"]["value"] > 1
    assert found["forecast, heart-rate error, repeat the last beats"]["interval"]
    few = ("--forecast-steps", 2, "--question-steps", 2, "--seeds", 0, "--reports", 4, "--output", tmp_path / "runs")
    ablations = (
        "benchmarks/ablations.py",
        *common,
        *few,
        "--questions",
        questions,
        "--results",
        tmp_path / "ablations.json",
        "--arms",
        *ARMS,
        HYBRID,
    )
    said = run(*ablations)
    assert all(f"{arm}, seed 0" in said for arm in (*ARMS, HYBRID))
    names = {row["name"] for row in json.loads((tmp_path / "ablations.json").read_text())}
    assert {f"ablation, {measure}, {arm}" for measure in (EXACT, ROUGE) for arm in ARMS} <= names
    assert f"ablation, {EXACT}, {NO_FT} less full" in names
    assert "<svg" in (tmp_path / "runs" / "ablations.svg").read_text()
    assert f"{FULL}, seed 0" not in run(*ablations)  # what is finished is kept
