"""A hospital's own table of recordings: what is read, what is said, what is refused in one line."""

from __future__ import annotations

import codecs
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataset_builders.question_generator.__main__ import main as generate
from hf_heartllm.data.label_file import LabelFile, read_label_file
from hf_heartllm.data.question import NOT_SURE, Question
from hf_heartllm.data.sources import LABEL_FILE, PTB_XL, WFDB_HEADERS, is_record_source, open_records
from hf_heartllm.data.splits import drawn_splits
from hf_heartllm.ecg import read_ecg, write_ecg
from tests.simulated_ptbxl import ptbxl_of_simulated


def read(folder: Path, text: str | bytes) -> LabelFile:
    path = folder / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_label_file(path)


HEAD = "path,patient,labels,split"


@pytest.mark.parametrize(
    "text",
    [
        b"path,patient,labels\na 1,P 1,AFIB;LVH?\n",
        codecs.BOM_UTF8 + b"Path;Patient;Labels\r\na 1;P 1;AFIB|LVH?\r\n",
        b'sep=;\r\npath;patient id;statements\r\na 1; P 1 ;"AFIB;LVH?"\r\n\r\n',
        b"path\tpatient\tlabels\na 1\tP 1\tatrial fibrillation; Left ventricular hypertrophy?",
        "path,patient,labels\na 1,P 1,164889003; LVH ?\n".encode("utf-16"),
        b"\r\npath,patient,labels,,\ra 1,P 1,AFIB;LVH?,,\r",
    ],
)
def test_a_table_is_the_same_however_a_spreadsheet_wrote_it(tmp_path, text):
    (record,) = read(tmp_path, text).records
    assert (record.record_id, record.patient_id, record.path) == ("a 1", "P 1", "a 1")
    assert record.codes == {"AFIB", "LVH"}
    assert record.possible["diagnosis"] == {"LVH"}
    assert record.possible["superclass"] == record.stated("superclass") == {"HYP"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("path,labels\n", "no recording below its header"),
        ("patient,labels\n1,AFIB\n", "no column 'path' or 'record_id'"),
        ("path,Path\na,b\n", "line 1: has the column 'path' twice"),
        ("path,labels,statements\na,SR,SR\n", "'statements' under two names"),
        ("path,lables\na,SR\n", "unknown column 'lables'; is 'labels' meant"),
        ("path,labels\na,SR\nb\n", "line 3: has 1 cells, and the header has 2"),
        ("path,labels\na,SR,AFIB\n", "line 2: has 3 cells"),
        ('path,labels\na,"SR\nb,AFIB\n', "is a quotation mark left open"),
        ("path,labels\n,SR\n", "line 2, column path: is empty"),
        ("path,labels\na,SR\n\na,SR\n", "line 4: record 'a' occurs more than once (line 2)"),
        (f"{HEAD}\na,p,SR,train\nb,p,SR,test\n", "patient 'p' has records in both 'train' and 'test'"),
        (f"{HEAD}\na,p,SR,\n", "line 2, column split: is empty"),
        (f"{HEAD}\na,p,SR,my part\n", "line 2, column split: 'my part' is no name of a split"),
        ("path,age\na,old\n", "line 2, column age: 'old' is no number"),
        ("path,age\na,1968\n", "line 2, column age: 1968 is no age in years"),
        ("path,sex\na,1\n", "line 2, column sex: '1' is neither 'male' nor 'female'"),
        ("path,sampling_rate\na,-5\n", "line 2, column sampling_rate: -5 is no rate in Hz"),
        ("path,time\na,17.05.2024\n", "line 2, column time: '17.05.2024' is no date and time in ISO 8601"),
        ("path,pr_ms\na,long\n", "line 2, column pr_ms: 'long' is no number"),
        (b"path,labels\na,SR\nb,M\xfcller\n", "line 3: no UTF-8 text"),
        (b"path,labels\na,\x00\n", "line 2: no text but binary data"),
    ],
)
def test_what_cannot_be_read_is_one_line_that_names_the_place(tmp_path, capsys, text, said):
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        read(tmp_path, text)
    assert str(refused.value).startswith(str(tmp_path / "labels.csv"))
    assert "\n" not in str(refused.value)
    assert generate(["--labels", str(tmp_path / "labels.csv"), "--output", str(tmp_path / "out"), "--quiet"]) == 2
    assert capsys.readouterr().err == f"error: {refused.value}\n"


def test_words_in_no_table_are_listed_and_leave_the_rest_open(tmp_path):
    found = read(
        tmp_path, f"{HEAD}\na,1,SR;NORM,train\nb,2,SR;strange beats,train\nc,3,strange beats,train\nd,4,,train\n"
    )
    first, second, third, fourth = found.records
    assert first.unknown == {}
    assert second.stated("rhythm") == {"SR"}
    assert second.unknown["diagnosis"] == {"NORM"}  # neither stated nor denied
    assert third.labels == fourth.labels == {}
    notes = " ".join(found.notes)
    assert "Labels that are in no table, in 2 of 4 recordings: 'strange beats' (2)" in notes
    assert "2 of 4 recordings have no label that is understood" in notes


def test_a_wider_term_states_its_class_and_leaves_its_statements_open(tmp_path):
    wide, exact = read(tmp_path, f"{HEAD}\na,1,left bundle branch block,train\nb,2,CLBBB,train\n").records
    assert wide.stated("superclass") == exact.stated("superclass") == {"CD"}
    assert wide.unknown["diagnosis"] == {"CLBBB"}
    (alone,) = read(tmp_path, f"{HEAD}\na,1,164909002,train\n").records  # its statements are open, whoever has them
    assert alone.unknown["diagnosis"] == {"CLBBB"}
    assert alone.says("diagnosis", "CLBBB") is None


def test_yes_and_no_are_an_answer_beside_not_sure_too():
    asked = Question("Is there LVH?", ("yes",), ("no", NOT_SURE, "yes"), "verify", "diagnosis", "LVH")
    assert asked.is_yes_no
    assert not replace(asked, answers=(NOT_SURE,)).is_yes_no
    assert not replace(asked, answer_set=("no", "yes", "maybe")).is_yes_no


def test_one_patient_is_one_however_a_letter_was_put_together(tmp_path):
    composed, apart = "M\u00fcller", "Mu\u0308ller"
    with pytest.raises(ValueError, match="has records in both 'train' and 'test'"):
        read(tmp_path, f"{HEAD}\na,{composed},SR,train\nb,{apart},SR,test\n")


def test_columns_of_types_take_own_names_and_say_of_phrases_what_they_are(tmp_path):
    (record,) = read(tmp_path, "record_id,rhythm,diagnosis\na,atrial fibrillation,wandering spirit;IMI?\n").records
    assert record.stated("rhythm") == {"AFIB"}
    assert record.stated("diagnosis") == {"wandering spirit", "IMI"}
    assert "superclass" not in record.labels


def test_what_is_known_of_the_person_and_the_report(tmp_path):
    head = "path;age;sex;height;weight;report;device;time;fold"
    found = read(tmp_path, f'{head}\na;"74,5";F;;81;"Sinus rhythm. Normal ECG.";X 1;2024-05-17;3\n')
    (record,) = found.records
    assert (record.age, record.sex, record.height, record.weight) == (74.5, "female", None, 81)
    assert [(one.text, one.language) for one in record.reports] == [("Sinus rhythm. Normal ECG.", "en")]
    assert (record.device, record.time, record.fold) == ("X 1", "2024-05-17", None)
    assert "Columns that are not read: fold." in found.notes  # PTB-XL's folds are no one else's


def test_splits_are_drawn_by_patient_the_same_each_time_and_said(tmp_path):
    rows = "\n".join(f"{i},P {i // 3},SR" for i in range(90))
    found = read(tmp_path, f"path,patient,labels\n{rows}\n")
    splits = {}
    for record in found.records:
        assert splits.setdefault(record.patient_id, record.split) == record.split
    assert sorted(map([*splits.values()].count, ("train", "validation", "test"))) == [3, 3, 24]
    assert splits == drawn_splits(splits)
    assert any("72 train, 9 validation, 9 test recordings" in note for note in found.notes)
    alone = read(tmp_path, "path,labels\na,SR\nb,SR\n")
    assert {record.split for record in alone.records} == {"train"}
    assert any("2 of 2 recordings name no patient" in note for note in alone.notes)
    named = read(tmp_path, f"{HEAD}\na,1,SR,Training\nb,2,SR,val\nc,3,SR,outer_2\n")
    assert [record.split for record in named.records] == ["train", "validation", "outer_2"]


def test_recordings_of_several_formats_are_found_with_or_without_suffix(tmp_path):
    recorded = read_ecg("example:af")
    for name in ("one.csv", "deep/two", "three.npy", "both.csv", "both.npy"):
        write_ecg(recorded, tmp_path / name)
    head = "path,sampling_rate,units,leads\n"
    rate, leads = f"{recorded.sampling_rate:g}", ",".join(recorded.leads)
    text = f'{head}one,{rate},mV,\ndeep\\two,,,\ndeep/two.hea,500,mV,\nthree,{rate},mV,"{leads}"\ngone,,,\n'
    found = read(tmp_path, text)
    assert [record.path for record in found.records] == ["one.csv", "deep/two", "deep/two.hea", "three.npy", "gone"]
    for record in found.records[:4]:
        assert record.read().signal.shape == recorded.signal.shape
    assert any("sampling_rate and units of 1 recordings are not used" in note for note in found.notes)
    with pytest.raises(ValueError, match=r"line 2, column path: both is both\.csv and both\.npy; name one of them"):
        read(tmp_path, "path\nboth\n")
    np.savetxt(tmp_path / "bare.csv", recorded.signal.T, delimiter=",", header=leads, comments="")
    with pytest.raises(ValueError, match="sampling_rate"):
        read(tmp_path, "path\nbare\n").records[0].read()
    elsewhere = tmp_path / "tables" / "labels.csv"
    elsewhere.parent.mkdir()
    elsewhere.write_text(f"{head}one,{rate},mV,\n")
    assert open_records(elsewhere, root=tmp_path)[0].read().signal.shape == recorded.signal.shape


def test_every_source_opens_the_same_way(tmp_path):
    ptbxl_of_simulated(tmp_path / "ptbxl", 3)
    ptbxl = open_records(tmp_path / "ptbxl")
    assert ptbxl.layout == PTB_XL
    assert ptbxl[0].read().leads
    assert ptbxl.splits().keys() <= {"train", "validation", "test"}
    for name, dx in (("A 1", "164889003"), ("A 2", "odd, 426783006"), ("A 3", "Unknown")):
        write_ecg(read_ecg("example:af"), tmp_path / "wfdb" / name.replace(" ", "_"))
        with open(tmp_path / "wfdb" / f"{name.replace(' ', '_')}.hea", "a") as file:
            file.write(f"#Age: 70\n#Dx: {dx}\n")
    wfdb = open_records(tmp_path / "wfdb")
    assert (wfdb.layout, [record.record_id for record in wfdb]) == (WFDB_HEADERS, ["A_1", "A_2"])
    assert wfdb[0].stated("rhythm") == {"AFIB"}
    assert wfdb[0].age == 70
    assert wfdb[1].unknown["rhythm"] == {"AFIB"}
    assert any("1 records whose headers state no diagnosis are left out" in note for note in wfdb.notes)
    (tmp_path / "wfdb" / "labels.csv").write_text("path,labels\nA_1,AFIB\n")
    assert open_records(tmp_path / "wfdb").layout == LABEL_FILE  # what a table says goes first
    (tmp_path / "nothing").mkdir()
    assert not is_record_source(tmp_path / "nothing")
    with pytest.raises(ValueError, match="no collection of recordings"):
        open_records(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        open_records(tmp_path / "nowhere")
