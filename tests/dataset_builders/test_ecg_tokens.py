from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from dataset_builders import ecg_tokens, simulated
from dataset_builders.built_rows import first_ids
from dataset_builders.ecg_tokens import CARD, CODEC_KEY, ECGTokens
from dataset_builders.engine import build
from dataset_builders.ptb_xl import PTBXL
from dataset_builders.question_generator.__main__ import main as generate
from hf_heartllm.data.token_file import load_codes, load_rows
from hf_heartllm.ecg import read_ecg, write_ecg
from hf_heartllm.models.configuration_ecg_codec import ECGCodecConfig
from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
from hf_heartllm.models.modeling_ecg_codec import ECGCodecModel
from hf_heartllm.training.row_choice import choose_rows
from tests.tiny import tiny_model_and_tokenizer

FOLDS = {"train": "1-2", "validation": "3", "test": ""}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated records 1-27 of folds 1-3, two tokenizers, questions as ECG-QA's builder has them, training rows."""
    folder = tmp_path_factory.mktemp("tokens")
    simulated.build(27, folder / "ptb-xl", seed=1)
    for seed in (0, 1):
        tiny_model_and_tokenizer(seed)[1].save_pretrained(folder / f"tokenizer-{seed}")
    asked = {"question_type": "single-verify", "question": "Does this ECG show atrial fibrillation?"}
    flat = [
        {**asked, "ecg_id": [2], "answer": ["yes"], "answer_set": ["yes", "no"], "attribute": ["AFIB"]},
        {**asked, "ecg_id": [24, 3], "answer": ["a", "b"], "answer_set": ["a", "b"], "attribute": None},
        {**asked, "ecg_id": [999], "answer": ["no"], "answer_set": ["yes", "no"], "attribute": None},
    ]
    pq.write_table(pa.Table.from_pylist(flat), folder / "ecg-qa.parquet")
    question = {"question": "Is it fast?", "answer": "no", "answers": ["yes", "no"], "source": "labels"}
    nested = [{"ecg_id": 2, "questions": [question] * 3, "report": "the report", "report_original_english": None}]
    pq.write_table(pa.Table.from_pylist(nested), folder / "rows.parquet")
    return folder


def builder(folder: Path, seed: int = 0, records: str = "ptb-xl", **settings: Any) -> ECGTokens:
    rows = (folder / "ecg-qa.parquet", folder / "rows.parquet")
    settings = {"tokenizer": folder / f"tokenizer-{seed}", "records": folder / records, "rows": rows} | settings
    return ECGTokens(cache_dir=str(folder / "cache"), **FOLDS, **settings)


@pytest.fixture(scope="module")
def output(folder: Path) -> Path:
    build(builder(folder), folder / "built", card=CARD, progress=False)
    return folder / "built"


def test_codes_are_the_tokenizers_and_questions_stand_with_their_record(folder: Path, output: Path) -> None:
    rows = datasets.load_dataset(str(output), cache_dir=str(folder / "cache"))
    assert {split: part.num_rows for split, part in rows.items()} == {"train": 22, "validation": 5}
    row = rows["train"][1]
    tokenizer = tiny_model_and_tokenizer(0)[1]
    ids = tokenizer.encode_ecg(read_ecg(folder / "ptb-xl/records100/00000/00002_lr"))
    assert tokenizer.codes_to_ids(row["codes"]) == ids
    assert rows["train"].features["codes"] == datasets.List(datasets.Value("uint16"))
    assert (row["record_id"], row["strat_fold"], row["report"]) == ("2", 1, "the report")
    assert [(q["answers"], q["answer_set"], q["record_ids"]) for q in row["questions"]] == [
        (["yes"], ["yes", "no"], ["2"]),
        *[(["no"], ["yes", "no"], ["2"])] * 3,
    ]
    assert {q["source"] for q in row["questions"]} == {"ecg-qa", "labels"}
    comparison = rows["validation"][1]["questions"]
    assert [(q["answers"], q["answer_set"], q["record_ids"]) for q in comparison] == [(["a", "b"], [], ["24", "3"])]


def test_messages_are_one_conversation_on_the_record(folder: Path, output: Path) -> None:
    rows = datasets.load_dataset(str(output), cache_dir=str(folder / "cache"))
    messages, tokenizer = rows["train"][1]["messages"], tiny_model_and_tokenizer(0)[1]
    said = [[part["text"] for part in message["content"] if part["type"] == "text"] for message in messages]
    assert [message["role"] for message in messages] == ["user", "assistant"] * 5
    assert said[:2] == [["Does this ECG show atrial fibrillation?"], ["yes"]]
    assert said[-2:] == [["Write the report."], ["the report"]]
    ids = tokenizer.apply_chat_template(messages)["input_ids"]
    assert [i - tokenizer.ecg_token_offset for i in ids if i >= tokenizer.ecg_token_offset] == rows["train"][1]["codes"]
    assert tokenizer.decode(ids).endswith("<|assistant|>the report<|endoftext|>")
    comparison = [turn["content"] for turn in rows["validation"][1]["messages"]]
    assert "a, b" not in str(comparison), "the other ECG is not here"
    assert ecg_tokens.conversation(np.array([1]), [], None) == []


def test_records_without_some_of_their_chest_leads(tmp_path: Path, folder: Path) -> None:
    """Asked for, each record is encoded without leads that its row names, drawn by its id."""
    codec = ECGCodecModel(ECGCodecConfig(hidden_sizes=[8, 16], num_refinements=0)).eval()
    codec.save_pretrained(tmp_path / "codec")
    for name in ("once", "twice"):
        build(builder(folder, tokenizer=tmp_path / "codec", missing_leads=True), tmp_path / name, progress=False)
    once, twice = (datasets.load_dataset(str(tmp_path / name))["train"] for name in ("once", "twice"))
    assert once["missing_leads"] == twice["missing_leads"]
    counts = Counter(len(leads) for leads in once["missing_leads"])
    assert min(counts) == 1
    assert max(counts) == 6
    row = once[1]
    record = read_ecg(folder / "ptb-xl/records100/00000/00002_lr")
    with pytest.warns(UserWarning, match="encoded as missing"):
        features = ECGFeatureExtractor.from_codec(codec.config).extract(
            record.select([lead for lead in record.leads if lead not in row["missing_leads"]])
        )
    assert row["codes"] == codec.encode(torch.from_numpy(features))[0, 0].tolist()


def test_each_record_is_encoded_once_and_rows_of_a_built_folder_give_the_same(
    folder: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = PTBXL(source=folder / "ptb-xl", cache_dir=str(folder / "cache"), **FOLDS)
    build(one, folder / "built-records", progress=False)
    encoded: Counter[bytes] = Counter()
    original = ecg_tokens._Encoder.encode

    def counting(self: Any, record: Any) -> np.ndarray:
        encoded[record.signal.tobytes()] += 1
        return original(self, record)

    monkeypatch.setattr(ecg_tokens._Encoder, "encode", counting)
    build(builder(folder, records="built-records"), folder / "again", progress=False)
    assert len(encoded) == 27
    assert set(encoded.values()) == {1}
    for split in ("train", "validation"):
        tables = [
            pq.read_table(sorted((place / "data").rglob(f"{split}-*"))[0]) for place in (folder / "again", output)
        ]
        assert tables[0].to_pylist() == tables[1].to_pylist()


def test_the_card_names_the_codec_and_another_codec_is_refused(folder: Path, output: Path) -> None:
    identity = builder(folder).encoder.identity
    card = (output / "README.md").read_text()
    assert f"{CODEC_KEY}: {identity}" in card
    with pytest.raises(ValueError, match=r"its other rows have codec_identity .*use another folder"):
        build(builder(folder, seed=1, config_name="other"), output, progress=False)
    assert (output / "README.md").read_text() == card
    with pytest.raises(ValueError, match="encoded by codec"):
        load_codes(output, builder(folder, seed=1).encoder.identity)


def test_rows_of_two_codecs_in_one_folder_are_refused_when_loaded(folder: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        build(builder(folder, seed=seed), tmp_path / f"{seed}", progress=False)
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for seed in (0, 1):
        for path in (tmp_path / f"{seed}").rglob("train-*.parquet"):
            (mixed / f"{seed}-{path.name}").write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match="encoded by several codecs"):
        load_codes(mixed)


def test_training_reads_the_folder(folder: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hf_heartllm.training.examples import ForecastDataset, QuestionDataset
    from hf_heartllm.training.packing import QuestionPrompts

    tokenizer = tiny_model_and_tokenizer(0)[1]
    codes, rows = load_codes(output, tokenizer.codec.fingerprint()), load_rows(output)
    assert sorted(codes, key=int) == [str(one) for one in range(1, 28)]
    assert all(one.dtype == np.uint16 for one in codes.values())
    assert len(rows) == 27
    assert not [q for row in rows for q in row["questions"] if len(q.record_ids) != 1], "a training row has one ECG"
    questions = QuestionDataset(rows, codes, QuestionPrompts(tokenizer))
    ids = tokenizer.codes_to_ids(codes["2"].astype(int))
    example = questions[1]["input_ids"]
    assert any(example[start : start + len(ids)] == ids for start in range(len(example)))
    assert len(ForecastDataset(list(codes.values()), tokenizer)) == 27


def test_a_bad_source_is_one_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    codec = str(folder / "tokenizer-0" / "codec")
    for source in (tmp_path, tmp_path / "nowhere", folder / "tokenizer-0" / "tokenizer.json"):
        bad = ["--records", str(source), "--tokenizer", codec, "--output", str(tmp_path / "x"), "--quiet"]
        assert ecg_tokens.main(bad) == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: {source}")


def test_the_footers_name_their_plan(output: Path) -> None:
    paths = sorted(output.rglob("*.parquet"))
    plans = {json.loads(pq.read_metadata(path).metadata[b"dataset_builders"])["plan"] for path in paths}
    assert len(plans) == len(paths) == 2


def test_ids_that_pandas_made_to_floats_are_joined_and_rows_without_one_are_counted(
    folder: Path, tmp_path: Path
) -> None:
    asked = {"question": "Is it fast?", "answer": ["no"], "answer_set": ["yes", "no"], "attribute": None}
    flat = [{**asked, "ecg_id": one} for one in (2.0, float("nan"), None, 999.0)]
    pq.write_table(pa.Table.from_pylist(flat), tmp_path / "rows.parquet")
    assert list(first_ids([tmp_path / "rows.parquet"])) == ["2", None, None, "999"]
    one = builder(folder, rows=(tmp_path / "rows.parquet",))
    rows = [row for shard in one.plan() for row in one.rows(shard)]
    assert [row["record_id"] for row in rows if row["questions"]] == ["2"]
    assert one.notes()[-1] == (
        "rows: 4 rows, of which are left out: 1 on records that are not here, 2 without a record's id."
    )


def test_leads_that_no_codec_reads_and_records_without_a_number_are_counted(folder: Path, tmp_path: Path) -> None:
    record = read_ecg(folder / "ptb-xl/records100/00000/00002_lr")
    signal = np.concatenate([record.signal, record.signal[:2]]).T.tolist()
    leads = [*record.leads, "V7", "vx"]
    ids = ["A1", "7", "7", None]
    table = [{"record_id": one, "signal": signal, "leads": leads, "sampling_rate": 100, "strat_fold": 1} for one in ids]
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "records.parquet")
    one = builder(folder, records=str(tmp_path / "records.parquet"), rows=())
    rows = [row for shard in one.plan() for row in one.rows(shard)]
    assert [row["record_id"] for row in rows] == ["A1", "7", "7", "0-3"]
    assert all(row["unread_leads"] == ["V7", "vx"] for row in rows)
    notes = " ".join(one.notes())
    assert "1 of 4 records have no id" in notes
    assert "1 records have the id of another" in notes
    report = build(one, tmp_path / "built", card=CARD, progress=False)
    counts = report.files["train"][0].counts["unread_leads"]
    assert counts == {"V7": 4, "vx": 4}
    with pytest.warns(UserWarning, match=r"1 of 4 recordings are left out for a record_id that a later one has"):
        assert list(load_codes(tmp_path / "built")) == ["A1", "7", "0-3"]


def test_a_records_own_split_decides_and_another_collections_fold_is_not_ptb_xls(folder: Path, tmp_path: Path) -> None:
    """What is said to be for the test stays out of training, whatever file its row stands in."""
    record = read_ecg(folder / "ptb-xl/records100/00000/00002_lr")
    splits = {"A 1": "train", "A 2": "test", "B 1": None, "B 2": "validation"}
    shared = {"signal": record.signal.T.tolist(), "leads": list(record.leads), "sampling_rate": 100, "fold": 1}
    rows = [{"record_id": one, "split": split, **shared} for one, split in splits.items()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "records.parquet")
    build(builder(folder, records=str(tmp_path / "records.parquet"), rows=()), tmp_path / "built", progress=False)
    built = load_rows(tmp_path / "built")
    assert {row["record_id"]: row["split"] for row in built} == {**splits, "B 1": "train"}
    assert {row["strat_fold"] for row in built} == {None}
    with pytest.warns(UserWarning, match="4 of 4 rows have no fold of PTB-XL's and go by their split"):
        assert [row["record_id"] for row in choose_rows(built, {1})] == ["A 1", "B 1"]


def test_a_hospitals_own_table_becomes_tokens_in_its_own_splits(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """CSV and WFDB mixed, ids and patients with blanks; what is not there or not in English is counted."""
    record = read_ecg(folder / "ptb-xl/records100/00000/00002_lr")
    write_ecg(record, tmp_path / "ward 3" / "a1")
    write_ecg(record, tmp_path / "ward 3" / "b 2.csv")
    rows = [
        "path;patient;labels;split;report;report_language",
        "ward 3/a1;K 7 b;AFIB;train;Atrial fibrillation.;en",
        "ward 3/b 2;K 8;sinus rhythm;test;rythme sinusal;fr",
        "ward 3/gone;K 9;AFIB;train;;",
    ]
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    labels, tokenizer = ("--labels", str(tmp_path / "labels.csv")), ("--tokenizer", str(folder / "tokenizer-0"))
    assert generate(["--pairs", "0", *labels, "--output", str(tmp_path / "questions"), "--quiet"]) == 0
    build_tokens = [*labels, *tokenizer, "--rows", str(tmp_path / "questions"), "--output", str(tmp_path / "tokens")]
    assert ecg_tokens.main([*build_tokens, "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "1 of 3 records of the table are not in the folder, such as ward 3/gone: left out" in said
    assert "1 of 2 reports are neither English nor translated whole by the glossary (language: 1 fr): left out" in said
    first, second = load_rows(tmp_path / "tokens")
    assert (first["record_id"], first["split"], first["report"]) == ("ward 3/a1", "train", "atrial fibrillation.")
    assert (second["record_id"], second["split"], second["report"]) == ("ward 3/b 2", "test", "sinus rhythm.")
    assert (first["report_original_english"], second["report_original_english"]) == ("atrial fibrillation.", None)
    codes = load_codes(tmp_path / "tokens")
    assert codes["ward 3/a1"].tolist() == codes["ward 3/b 2"].tolist()  # one signal in two formats
    for row in (first, second):
        assert {one.record_ids for one in row["questions"]} == {(row["record_id"],)}
        assert {one.question_type for one in row["questions"]} <= {"verify", "choose", "query"}
    with pytest.warns(UserWarning, match="2 of 2 rows have no fold of PTB-XL's"):
        assert choose_rows([first, second], {1}) == [first]
