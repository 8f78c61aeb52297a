"""Examples for training: many questions behind one ECG cost one ECG and learn what separate rows would teach."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
import torch

from hf_heartllm.data.question import MEASURED, Question
from hf_heartllm.data.token_file import load_all_codes, load_codes
from hf_heartllm.evaluation.classification.tasks import TASKS
from hf_heartllm.models.ecg_prompts import PromptIds
from hf_heartllm.models.prompts import IGNORE_INDEX
from hf_heartllm.training.descriptions import describe
from hf_heartllm.training.examples import ForecastDataset, QuestionDataset, as_hub_dataset, repeat_rows
from hf_heartllm.training.packing import PackedCollator, QuestionPrompts, TurnIds, pack_turns
from hf_heartllm.training.turns.letters import letter_turn
from hf_heartllm.training.turns.turn import Turn
from tests.tiny import tiny_model_and_tokenizer
from tests.token_sets import write_token_set


@pytest.fixture(scope="module")
def tiny():
    return tiny_model_and_tokenizer()


def row(ecg_id: int, count: int, report: str | None = "sinus rhythm.") -> dict:
    question = Question("Does this ECG show atrial fibrillation?", ("no",), ("no", "yes"), "verify", "rhythm", "AFIB")
    other = Question("What rhythm does this ECG show?", ("sinus rhythm",), (), "query", "rhythm", "rhythm")
    return {"record_id": str(ecg_id), "questions": [question, other][:count], "report": report}


RATE = Question("What is the heart rate?", ("80 to 89",), (), "query", "beats", "heart rate", source=MEASURED)
AF = Question("Does this ECG show atrial fibrillation?", ("yes",), ("no", "yes"), "verify", "rhythm", "AFIB")
CODES = {"1": np.arange(32, dtype=np.uint16), "2": np.arange(32, dtype=np.uint16) + 20}


def test_training_prompt_is_what_the_pipeline_asks(tiny):
    _, tokenizer = tiny
    prompts = QuestionPrompts(tokenizer)
    ids = tokenizer.codes_to_ids([3, 1, 4])
    asked, labels, *_ = prompts.turn("What rhythm does this ECG show?", "sinus rhythm")
    answer = [*tokenizer.encode("sinus rhythm"), tokenizer.eos_token_id]
    assert prompts.prefix(ids) + asked == PromptIds(tokenizer)(ids, "What rhythm does this ECG show?") + answer
    assert labels == [IGNORE_INDEX] * (len(asked) - len(answer)) + answer


def test_a_share_of_the_examples_shows_the_incomplete_recording(tiny):
    _, tokenizer = tiny
    incomplete = {"1": CODES["1"][::-1]}
    settings = {"incomplete": incomplete, "incomplete_share": 0.5, "report_share": 0.0}
    dataset = QuestionDataset([row(1, 1), row(2, 1)], CODES, QuestionPrompts(tokenizer), **settings)
    seen = set()
    for dataset.epoch in range(20):
        for index, ecg_id in enumerate((1, 2)):
            start = dataset[index]["input_ids"].index(tokenizer.ecg_start_token_id) + 1
            seen.add((ecg_id, dataset[index]["input_ids"][start] - tokenizer.ecg_token_offset))
    assert seen == {(1, 0), (1, 31), (2, 20)}


def test_without_the_ecg_a_prompt_is_that_of_the_condition_without_one(tiny):
    _, tokenizer = tiny
    whole = QuestionDataset([row(1, 2)], CODES, QuestionPrompts(tokenizer), report_share=0.0)[0]
    dataset = QuestionDataset([row(1, 2)], CODES, QuestionPrompts(tokenizer), report_share=0.0, with_ecg=False)
    example = dataset[0]
    first = [token for token, segment in zip(example["input_ids"], example["segment_ids"]) if segment < 2]
    prompts = {
        (
            *PromptIds(tokenizer)(None, one.text),
            *tokenizer.encode(one.answer),
            tokenizer.eos_token_id,
        )
        for one in row(1, 2)["questions"]
    }
    assert tuple(first) in prompts
    assert not set(example["input_ids"]) & set(range(tokenizer.ecg_token_offset - 2, len(tokenizer)))
    # The same questions are drawn and learned.
    learned = lambda one: [label for label in one["labels"] if label != IGNORE_INDEX]  # noqa: E731
    assert learned(example) == learned(whole)
    with pytest.raises(ValueError, match="a probe reads the end of the ECG"):
        QuestionDataset([row(1, 2)], CODES, QuestionPrompts(tokenizer), statements=["AFIB"], with_ecg=False)


def test_words_stand_where_the_ecg_would(tiny):
    _, tokenizer = tiny
    prompts = QuestionPrompts(tokenizer)
    told = {**row(1, 2), "questions": [AF, RATE]}
    options = {"report_share": 0.0, "with_ecg": False, "describe": describe}
    dataset = QuestionDataset([told], CODES, prompts, described_share=0.5, **options)
    shown = Counter()
    for dataset.epoch in range(40):
        example = dataset[0]
        text = tokenizer.decode([id_ for id_, part in zip(example["input_ids"], example["segment_ids"]) if part == 0])
        shown[text] += 1
        question = [id_ for id_, part in zip(example["input_ids"], example["segment_ids"]) if part == 1]
        asked = {one.text: prompts.turn(one.text, one.answer).ids for one in told["questions"]}
        assert question in asked.values()
    without = shown.pop(tokenizer.decode(prompts.prefix(None)))
    assert 10 < without < 30
    assert {"atrial fibrillation" in text and "heart rate 80 to 89" in text for text in shown} == {True}
    assert len(shown) > 1  # the order is drawn
    with pytest.raises(ValueError, match="only without ECGs"):
        QuestionDataset([told], CODES, prompts, describe=describe)


def test_a_record_with_one_class_chooses_its_letter(tiny):
    _, tokenizer = tiny
    prompts = QuestionPrompts(tokenizer)
    one, both = row(1, 2), row(2, 2)
    two = Question("Which forms are there?", ("digitalis effect", "long qt interval"), (), "query", "form", "form")
    both["questions"] = [two]
    dataset = QuestionDataset([one, both], CODES, prompts, report_share=0.0, letters_share=1.0)
    task = TASKS["rhythm"]
    expected = prompts.turn(task.letter_question(), "A").ids  # sinus rhythm
    parts = [id_ for id_, part in zip(dataset[0]["input_ids"], dataset[0]["segment_ids"]) if part == 3]
    assert parts == expected
    assert max(dataset[1]["segment_ids"]) == 1  # two classes of form, none of another task: no letter
    assert letter_turn({"myocardial infarction", "sinus rhythm"}, random.Random(0)).answer in ("A", "B")
    assert letter_turn(set(), random.Random(0)) is None


def test_terse_questions_stand_behind_the_others_and_teach_one_token(tiny):
    _, tokenizer = tiny
    prompts = QuestionPrompts(tokenizer)

    def terse(record_id, count, rng):
        assert (record_id, count) == ("1", 2)
        return [Turn("atrial fibrillation", "no", "yes", 0.2), Turn("sinus rhythm", "yes")]

    one = QuestionDataset([row(1, 1)], CODES, prompts, report_share=0.0, terse=terse, num_terse=2)[0]
    parts = [[] for _ in range(4)]
    for place, part in enumerate(one["segment_ids"]):
        parts[part].append((one["input_ids"][place], one["labels"][place]))
    asked = row(1, 1)["questions"][0]
    assert [id_ for id_, _ in parts[1]] == prompts.turn(asked.text, asked.answer).ids
    for part, name, answer in ((2, "atrial fibrillation", "no"), (3, "sinus rhythm", "yes")):
        said = tokenizer.encode(answer, add_special_tokens=False)[0]
        ids = [*tokenizer.encode(f"\n{name}:", add_special_tokens=False), said]
        assert parts[part] == [*((id_, IGNORE_INDEX) for id_ in ids[:-1]), (said, said)]
    place = len(parts[0]) + len(parts[1]) + len(parts[2]) - 1
    assert (one["soft_places"], one["soft_shares"]) == ([place], [0.2])
    assert one["soft_instead"] == tokenizer.encode("yes", add_special_tokens=False)[:1]


def test_packed_questions_have_the_loss_and_gradient_of_separate_rows(tiny):
    model, tokenizer = tiny
    prompts = QuestionPrompts(tokenizer, labelled_prompt_tokens=1)
    prefix = prompts.prefix(tokenizer.codes_to_ids(CODES["1"].tolist()))
    turns = [
        prompts.turn("Does this ECG show atrial fibrillation?", "no"),
        prompts.turn("What rhythm does this ECG show?", "sinus rhythm, normal ecg"),
        prompts.turn("Write the report.", "sinus rhythm"),
    ]

    def loss_and_gradient(examples):
        model.zero_grad()
        batch = PackedCollator(tokenizer.pad_token_id)(examples)
        loss = model(**batch, use_cache=False).loss
        loss.backward()
        return loss.item(), model.get_input_embeddings().weight.grad.clone()

    # A shorter second example makes the batch padded.
    packed = loss_and_gradient([pack_turns(prefix, turns, 512), pack_turns(prefix, turns[:1], 512)])
    separate = loss_and_gradient([pack_turns(prefix, [turn], 512) for turn in [*turns, turns[0]]])
    assert packed[0] == pytest.approx(separate[0], abs=1e-5)
    assert torch.allclose(packed[1], separate[1], atol=1e-5)
    alone = []
    for ids, labels, *_ in turns:
        one = {"input_ids": torch.tensor([[*prefix, *ids]]), "labels": torch.tensor([[-100] * len(prefix) + labels])}
        alone.append((model(**one).loss.item(), sum(label != IGNORE_INDEX for label in labels)))
    alone.append(alone[0])
    assert packed[0] == pytest.approx(sum(a * n for a, n in alone) / sum(n for _, n in alone), abs=1e-5)


def test_turns_that_do_not_fit_are_left_out_and_none_at_all_is_an_error():
    turn = TurnIds([5, 6, 7], [IGNORE_INDEX, 6, 7])
    packed = pack_turns([1, 2], [turn, turn, TurnIds([8], [8])], max_length=7)
    assert packed["input_ids"] == [1, 2, 5, 6, 7, 8]
    assert packed["segment_ids"] == [0, 0, 1, 1, 1, 3]
    assert packed["position_ids"] == [0, 1, 2, 3, 4, 2]
    with pytest.raises(ValueError, match="exceed 4"):
        pack_turns([1, 2], [turn], max_length=4)


def test_records_without_codes_are_counted_and_draws_depend_on_seed_and_epoch(tiny):
    _, tokenizer = tiny
    rows = [row(1, 2), row(2, 2), row(3, 1)]
    make = lambda seed: QuestionDataset(rows, CODES, QuestionPrompts(tokenizer), max_questions=1, seed=seed)  # noqa: E731
    dataset, again = make(0), make(0)
    assert len(dataset) == 2
    assert dataset.num_absent == 1
    draws = []
    for epoch in range(8):
        dataset.epoch = again.epoch = epoch
        draws.append(tuple(dataset[0]["input_ids"]))
        assert draws[-1] == tuple(again[0]["input_ids"]) == tuple(dataset[0]["input_ids"])
    assert len(set(draws)) > 1


def test_forecast_rows_whole_and_as_in_the_paper(tiny):
    _, tokenizer = tiny
    whole = ForecastDataset(list(CODES.values()), tokenizer)
    assert len(whole) == 2
    example = whole[0]
    assert example["input_ids"][1:-1] == tokenizer.codes_to_ids(list(range(32)))
    assert example["labels"][0] == IGNORE_INDEX
    assert example["labels"][1:] == example["input_ids"][1:]

    paper = ForecastDataset([np.arange(313) % 64] * 2, tokenizer, whole=False)
    lengths = [len(paper[i]["input_ids"]) for i in range(len(paper))]
    assert lengths == [317, 317, 161, 161, 81, 81, 43, 43, 23, 23]
    assert [sum(x != IGNORE_INDEX for x in paper[i]["labels"]) for i in range(0, 10, 2)] == [30, 15, 7, 4, 2]


def test_plain_examples_are_padded_on_the_right():
    batch = PackedCollator(9)([{"input_ids": [1, 2, 3], "labels": [1, 2, 3]}, {"input_ids": [4], "labels": [4]}])
    assert batch["input_ids"].tolist() == [[1, 2, 3], [4, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[1, 2, 3], [4, IGNORE_INDEX, IGNORE_INDEX]]


def test_rows_are_made_when_they_are_read(tiny):
    _, tokenizer = tiny
    dataset = QuestionDataset([row(1, 2), row(2, 1)], CODES, QuestionPrompts(tokenizer))
    hub = as_hub_dataset(dataset)
    assert len(hub) == 2
    soft = {"soft_places", "soft_instead", "soft_shares"}
    assert set(hub[0]) == {"input_ids", "labels", "position_ids", "segment_ids", *soft}


def test_tokens_of_another_codec_are_refused(tmp_path):
    tokens = write_token_set(tmp_path / "tokens", [7], [[0, 1]])
    assert list(load_codes(tokens, "abc")) == ["7"]
    with pytest.raises(ValueError, match="encoded by codec abc, but the model's codec is xyz"):
        load_codes(tokens, "xyz")


def test_data_sets_with_the_same_ids_are_refused(tmp_path):
    for name, ids in (("one", [7]), ("two", [8]), ("three", [8, 9])):
        write_token_set(tmp_path / name, ids, [[0, 1]] * len(ids))
    assert sorted(load_all_codes([tmp_path / "one", tmp_path / "two"], "abc")) == ["7", "8"]
    with pytest.raises(ValueError, match="record 8 is also in another"):
        load_all_codes([tmp_path / "two", tmp_path / "three"], "abc")


def test_rare_statements_stand_several_times():
    def verify(attribute: str, answer: str) -> Question:
        return Question("?", (answer,), ("no", "yes"), "verify", "diagnosis", attribute)

    rows = [
        {"record_id": 1, "questions": [verify("AFIB", "yes"), verify("PVC", "yes")]},
        {"record_id": 2, "questions": [verify("AFIB", "no")]},
        {"record_id": 3, "questions": []},
    ]
    repeated = [row["record_id"] for row in repeat_rows(rows, {"AFIB": 3, "PVC": 2})]
    assert repeated == [1, 1, 1, 2, 3]


def test_what_is_no_example_is_counted_by_its_reason(tiny):
    _, tokenizer = tiny
    rows = [
        row(1, 2),
        row(3, 1),
        row(2, 0, report=None),
        {"record_id": "2", "questions": None, "report": "sinus rhythm."},
    ]
    dataset = QuestionDataset(rows, CODES, QuestionPrompts(tokenizer))
    assert dataset.left_out == {"without codes": 1, "without questions or a report": 1}
    assert (len(dataset), dataset.num_absent) == (2, 2)


def test_records_and_questions_that_do_not_fit_are_counted(tiny):
    _, tokenizer = tiny
    codes = {"1": CODES["1"], "2": np.arange(4000, dtype=np.uint16) % 50}
    long = row(1, 2, report="sinus rhythm. " * 200)
    settings = {"max_length": 200, "report_share": 1.0}
    dataset = QuestionDataset([long, row(2, 2)], codes, QuestionPrompts(tokenizer), **settings)
    assert dataset.left_out == {"longer than data.max_length 200": 1}
    example = dataset[0]
    assert len(example["input_ids"]) <= 200
    assert dataset.num_turns == 3
    assert dataset.num_cut == 3 - len({*example["segment_ids"]} - {0}) >= 1
    only = QuestionDataset(
        [{**long, "questions": [long["questions"][0]]}], codes, QuestionPrompts(tokenizer), **settings
    )
    assert len(only[0]["input_ids"]) <= 200  # the report was drawn and is too long


def test_no_codes_and_codes_of_several_lengths_are_refused(tiny):
    _, tokenizer = tiny
    with pytest.raises(ValueError, match="no record has codes: nothing to train on"):
        ForecastDataset([], tokenizer)
    two = [np.zeros(100, dtype=np.uint16), np.zeros(50, dtype=np.uint16)]
    with pytest.raises(ValueError, match="windows need records of one length; 1 of 2 have other than 100 tokens"):
        ForecastDataset(two, tokenizer, whole=False)
    assert len(ForecastDataset(two, tokenizer)) == 2
