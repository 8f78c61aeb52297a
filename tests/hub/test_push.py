"""`heartllm push` and `heartllm pull` with a Hub on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hf_heartllm as hl
from hf_heartllm import cli
from hf_heartllm.hub.push_plan import PushError
from hf_heartllm.hub.token_set_push import TokenSetOptions, plan_token_set
from tests.hub.loopback import TOKENS, Hub, serve

ROOT = Path(__file__).resolve().parents[2]
TINY = Path(hl.checkpoint())


@pytest.fixture
def hub() -> Iterator[Hub]:
    """An empty Hub."""
    with serve() as served:
        yield served


def ask(hub: Hub, folder: Path, *lines: str, **variables: Any) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of command lines, run in one process in `folder`."""
    environment = hub.environment(folder / ".home", **{"PYTHONPATH": str(ROOT), **variables})
    given = "".join(json.dumps(line.split()) + "\n" for line in lines)
    command = [sys.executable, str(ROOT / "tests" / "hub" / "commands.py")]
    done = subprocess.run(
        command, env=environment, input=given, cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def small_checkpoint(folder: Path) -> Path:
    """A folder that counts as a checkpoint, with nothing in it that takes time."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    header = b'{"__metadata__": {"format": "pt"}}'
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + os.urandom(3000))
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# Mine\n")
    (folder / "LICENSE").write_text("CC BY 4.0")
    return folder


def planned(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """What `push … --dry-run` says, without any Hub."""
    assert cli.main(["push", "user/x", *words, "--dry-run", "--json"]) == 0, capsys.readouterr().err
    return dict(json.loads(capsys.readouterr().out))


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line with which a push is refused, without any Hub."""
    assert cli.main(["push", "user/x", *words, "--dry-run"]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len([line for line in said if "looking through" not in line]) == 1, said
    return said[-1]


# ---------------------------------------------------------------------- what goes up


def test_the_shipped_checkpoint_goes_up_whole(capsys):
    plan = planned(capsys, "heartllm-tiny")
    sizes = {file["path"]: file["bytes"] for file in plan["files"]}
    assert {"README.md", "LICENSE", "calibration.json", "questions.json", "codec.png", "codec/config.json"} <= set(
        sizes
    )
    assert sizes["tokenization_heartllm.py"] == (ROOT / "hf_heartllm/models/tokenization_heartllm.py").stat().st_size
    assert plan["private"] is True
    assert plan["bytes"] == sum(sizes.values())
    assert plan["left_out"] == []


def test_what_is_no_part_of_a_checkpoint_stays(tmp_path, capsys):
    folder = small_checkpoint(tmp_path / "model")
    for name in (
        "optimizer.pt",
        "trainer_state.json",
        "notes about Mrs X.txt",
        "checkpoint-3/config.json",
        ".env",
        "x.py",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("secret")
    plan = planned(capsys, str(folder))
    assert [one["path"] for one in plan["files"]] == ["LICENSE", "README.md", "config.json", "model.safetensors"]
    assert {one["name"] for one in plan["left_out"]} == {
        "optimizer.pt",
        "trainer_state.json",
        "notes about Mrs X.txt",
        "checkpoint-3/",
        ".env",
        "x.py",  # nothing in the settings names it
    }


def test_a_folder_behind_a_link_and_vocabularies_with_paths_go_up(tmp_path, capsys):
    folder = small_checkpoint(tmp_path / "a model")
    small_checkpoint(tmp_path / "codec")
    (folder / "codec").symlink_to(tmp_path / "codec")
    (folder / "tokenizer.json").write_text('{"/home/x": 1}')
    assert {"codec/config.json", "codec/model.safetensors", "tokenizer.json"} <= {
        file["path"] for file in planned(capsys, str(folder))["files"]
    }


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("data/main/test-00000-of-00001-ab.parquet", "data/main/test-00000-"),
        ("dev.parquet", "data/default/dev-00000-"),
        ("data/validation/0000.parquet", "data/default/validation-00000-"),
        ("0000.parquet", "data/default/train-00000-"),
    ],
)
def test_splits_keep_their_names(tmp_path, name, place):
    (tmp_path / "rows" / name).parent.mkdir(parents=True)
    pq.write_table(pa.table({"codes": [[1]]}), tmp_path / "rows" / name)
    (tmp_path / "scratch").mkdir()
    options = TokenSetOptions(("simulated",))
    files = plan_token_set(tmp_path / "rows", "user/x", options, tmp_path / "scratch").files
    assert files[0].path.startswith(place)


def test_folders_and_tokens_in_a_file_are_found_before_anything_is_sent(tmp_path, capsys, monkeypatch):
    folder = small_checkpoint(tmp_path / "model")
    card = folder / "README.md"
    for said in (
        "trained in /home/someone/runs/3",
        "see C:\\\\Users\\\\someone",
        f"from {folder.resolve()}/x",
        "~/data/ecg",
        "HF_TOKEN=hf_" + "a1B2" * 8,
    ):
        card.write_text(f"# Mine\n\n{said}\n")
        assert "README.md, line 3: " in refused(capsys, str(folder)), said
    card.write_text("# Mine\n\nhttps://example.org/home/someone and a/tmp/b, either/or, 1/2\n")
    assert planned(capsys, str(folder))


def test_names_of_folders_that_libraries_note_are_taken_out(tmp_path, capsys):
    folder = small_checkpoint(tmp_path / "model")
    settings = {"peft_type": "LORA", "base_model_name_or_path": str(tmp_path), "r": 2}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    (folder / "adapter_model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    (folder / "README.md").write_text(f"---\nbase_model: {tmp_path}\n---\n[More Information Needed]\n")
    from hf_heartllm.hub.checkpoint_push import plan_checkpoint

    files = {file.path: file.read().decode("latin-1") for file in plan_checkpoint(folder, "user/x").files}
    assert json.loads(files["adapter_config.json"]) == {**settings, "base_model_name_or_path": None}
    assert str(tmp_path) not in "".join(files.values())
    assert "Not a medical device" in files["README.md"]
    assert planned(capsys, str(folder))


def test_an_adapter_with_its_code_names_its_own_repository_as_transformers_needs_it(tmp_path):
    from hf_heartllm.hub.checkpoint_push import plan_checkpoint

    folder = small_checkpoint(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    (folder / "config.json").write_text('{"model_type": "hf_heartllm", "base_model": {"name": "a/base"}}')
    for given, revision in (({"revision": "abc"}, "abc"), ({}, "of the base in config.json")):
        (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "a/base", **given}))
        files = {file.path: file.read() for file in plan_checkpoint(folder, "user/x").files}
        found = json.loads(files["adapter_config.json"])
        assert (found["base_model_name_or_path"], found["revision"]) == ("user/x", revision)
    with pytest.raises(PushError, match="OWNER/NAME"):
        plan_checkpoint(folder, "x")


def test_a_tokenizer_or_an_adapter_alone_takes_no_weights_of_its_repository_away(tmp_path):
    from hf_heartllm.hub.checkpoint_push import plan_checkpoint

    for name in ("adapter_config.json", "tokenizer_config.json", "config.json"):
        folder = small_checkpoint(tmp_path / name)
        (folder / "config.json").rename(folder / name)
        (folder / "codec").mkdir()
        (folder / "codec" / "config.json").write_text("{}")
        (folder / "adapter_model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
        assert ("*.safetensors" in plan_checkpoint(folder, "user/x").replaces) == (name == "config.json")


def test_what_is_no_checkpoint_is_said_in_one_line(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    small_checkpoint(tmp_path / "run" / "model")
    half = small_checkpoint(tmp_path / "half")
    (half / "model.safetensors").unlink()
    code = small_checkpoint(tmp_path / "code")
    (code / "config.json").write_text('{"auto_map": {"AutoModel": "modeling_x.X"}}')
    for name, content in (("yaml", b"---\na: [\n---\n"), ("latin", "# M\xfcller".encode("latin-1"))):
        (small_checkpoint(tmp_path / name) / "README.md").write_bytes(content)
    broken = small_checkpoint(tmp_path / "broken")
    (broken / "config.json").write_text("{")
    for name, line in {
        "empty": "not a checkpoint",
        "file": "a file; give its folder",
        "absent": "no such folder",
        "run": "run/model is one",
        "half": "config.json and no model.safetensors",
        "code": "config.json needs modeling_x.py",
        "broken": "no JSON file",
        "yaml": "its head is no YAML",
        "latin": "no text in UTF-8",
    }.items():
        assert line in refused(capsys, str(tmp_path / name)), name
    assert "are about token sets" in refused(capsys, "heartllm-tiny", "--made-from", "ptb-xl")
    assert cli.main(["push", "a/b/c", str(tmp_path / "run" / "model")]) == 2
    assert "no name of a repository" in capsys.readouterr().err


# ---------------------------------------------------------------------- to the Hub and back


def test_pushed_privately_in_one_commit_and_pulled_again(hub, tmp_path):
    folder = small_checkpoint(tmp_path / "model")
    (folder / "calibration.json").write_text("{}")
    (tmp_path / "elsewhere").write_text("CC BY")
    (folder / "LICENSE").unlink()
    (folder / "LICENSE").symlink_to(tmp_path / "elsewhere")
    first, back, again = ask(
        hub, tmp_path, "push user/mine model", "pull user/mine", "pull user/mine there --revision main --json"
    )
    assert first[0] == 0, first
    assert f"{hub.url}/user/mine" in first[1]
    assert hub.repository("user/mine").private
    assert hub.files("user/mine")["LICENSE"] == b"CC BY"
    assert len(hub.commits("user/mine")) == 1
    assert (back[0], again[0]) == (0, 0), (back, again)
    for name, content in hub.files("user/mine").items():
        assert (tmp_path / "mine" / name).read_bytes() == content
        assert not (tmp_path / "there" / name).is_symlink()
    assert json.loads(again[1])["commit"] == hub.commits("user/mine")[-1].sha

    assert cli.main(["pull", "user/mine", "."]) == 2  # before anything is asked
    (folder / "calibration.json").unlink()  # of older weights: it must not stay beside the new ones
    hub.repository("user/mine").commits[hub.commits("user/mine")[-1].sha].files["evil.bin"] = b"pickle"
    (second, taken, full) = ask(hub, tmp_path, "push mine model", "pull user/mine mine --force", "pull user/mine mine")
    assert "deleted there, as older: calibration.json" in second[1], second
    assert "calibration.json" not in hub.files("user/mine")
    assert "evil.bin" in taken[2], taken
    assert not (tmp_path / "mine" / "evil.bin").exists()
    assert not (tmp_path / "mine" / "calibration.json").exists()
    assert (full[0], "not empty" in full[2]) == (2, True)


def test_a_data_set_is_pulled_and_read_from_the_cache_when_offline(hub, tmp_path):
    write_tokens(tmp_path / "tokens" / "data" / "default")
    for done in ask(hub, tmp_path, "push user/tokens tokens --made-from simulated --quiet", "pull user/tokens first"):
        assert done[0] == 0, done
    assert hub.repository("user/tokens", "datasets").private
    (offline, other, push) = ask(
        hub, tmp_path, "pull user/tokens second", "pull user/other", "push user/x tokens --made-from simulated",
        HF_HUB_OFFLINE="1",
    )  # fmt: skip
    assert offline[0] == 0, offline
    assert (tmp_path / "second" / "README.md").read_bytes() == (tmp_path / "first" / "README.md").read_bytes()
    assert (other[0], push[0]) == (2, 2)
    assert "HF_HUB_OFFLINE" in push[2]


def test_errors_are_one_line(hub, tmp_path):
    small_checkpoint(tmp_path / "model")
    (tmp_path / "in-the-way").write_text("")
    hub.repositories.clear()
    made, mine, absent, way, rev, theirs, seen, none, bad = ask(
        hub,
        tmp_path,
        "push user/public model --public",
        "push user/public model",
        "pull user/absent",
        "pull user/public in-the-way",
        "pull user/public x --revision nope",
        "HF_TOKEN=hf_of_other push user/public model --public",
        "pull user/public",
        "HF_TOKEN= push user/x model",
        "HF_TOKEN=hf_unknown push user/x model",
    )
    assert (made[0], seen[0]) == (0, 0), (made, seen)
    (dead,) = ask(hub, tmp_path, "push user/x model", HF_ENDPOINT="http://127.0.0.1:9")
    for (code, out, err), part in (
        (mine, "add --public"),
        (absent, "no such repository"),
        (way, "a file is in the way"),
        (rev, "no such revision"),
        (theirs, "may not write there"),
        (none, "no access token"),
        (bad, "does not accept the access token"),
        (dead, "cannot be reached"),
    ):
        lines = [line for line in err.splitlines() if line.startswith("heartllm: ")]
        assert (code, out) == (2, ""), (part, err)
        assert part in lines[-1], (part, err)
        assert "Traceback" not in err


@pytest.mark.parametrize("where", [("PUT", "/lfs/"), ("POST", "/commit/")])
def test_a_push_that_is_killed_leaves_the_revision_that_was_there(hub, tmp_path, where):
    folder = small_checkpoint(tmp_path / "model")
    assert ask(hub, tmp_path, "push user/mine model")[0][0] == 0
    before, files = hub.repository("user/mine").branches["main"], hub.files("user/mine")
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-500] + os.urandom(500))
    (folder / "README.md").write_text("# Newer\n")
    hub.hold = where
    environment = hub.environment(tmp_path / ".home", PYTHONPATH=str(ROOT))
    command = [sys.executable, "-m", "hf_heartllm.cli", "push", "user/mine", "model"]
    client = subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    assert hub.held.wait(60)
    os.kill(client.pid, signal.SIGKILL)
    client.wait()
    assert hub.repository("user/mine").branches["main"] == before
    assert hub.files("user/mine") == files
    hub.hold = None
    back, again = ask(hub, tmp_path, "pull user/mine back", "push user/mine model")
    assert back[0] == again[0] == 0, (back, again)
    assert (tmp_path / "back" / "model.safetensors").read_bytes() == files["model.safetensors"]
    assert hub.files("user/mine")["README.md"] == b"# Newer\n"


# ---------------------------------------------------------------------- token sets

PATIENT, RECORD = "patient-4711", "record-0815"


def write_tokens(folder: Path, **more: Any) -> Path:
    """A token set's folder of two rows; the second asks about both."""
    question = {"text": "Is it normal?", "answers": ["yes"], "record_ids": [RECORD, "b"], "question_id": 1}
    rows = {
        "record_id": [RECORD, "b"],
        "patient_id": [PATIENT, PATIENT],
        "codes": pa.array([[1, 2, 3], [4, 5, 6]], pa.list_(pa.uint16())),
        "codec": ["abc", "abc"],
        "questions": [[], [question]],
        "age": [94, 89],
        "path": ["/somewhere/00815", "b"],
        "recording_date": ["1999-01-02", "2000-01-01"],
        "signal": [[[0.0] * 3], [[1.0] * 3]],
    }
    folder.mkdir(parents=True)
    table = pa.table(rows | more).replace_schema_metadata({"dataset_builders": json.dumps({"skipped": [RECORD]})})
    pq.write_table(table, folder / "train-00000-of-00001-0123.parquet", compression="none")
    return folder


def plan(tmp_path: Path, *sources: str, rows: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """Rows and card of a token set that is pushed."""
    folder = write_tokens(tmp_path / "tokens" / "data" / "main", **(rows or {})).parents[1]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    planned = plan_token_set(folder, "user/tokens", TokenSetOptions(sources, **options), scratch)
    files = {file.path: file.read() for file in planned.files}
    (table,) = (pq.read_table(file.content) for file in planned.files if file.path.endswith(".parquet"))
    return {"files": files, "rows": table.to_pylist(), "card": files["README.md"].decode(), "plan": planned}


def test_a_token_set_tells_no_patient_no_record_and_no_folder(tmp_path):
    found = plan(tmp_path, "ptb-xl")
    first, second = found["rows"]
    assert set(first) == {"record_id", "patient_id", "codes", "codec", "questions", "age"}
    assert second["questions"][0]["record_ids"] == [first["record_id"], second["record_id"]]  # they still join
    assert first["patient_id"] == second["patient_id"] != first["record_id"]
    assert (first["codes"], first["age"], second["age"]) == ([1, 2, 3], 90, 89)
    for content in [*found["files"].values(), json.dumps(found["rows"]).encode()]:
        assert not [word for word in (PATIENT, RECORD, "somewhere", "1999", str(tmp_path)) if word.encode() in content]
    left = dict(found["plan"].left_out)
    assert set(left) == {"column path", "column recording_date", "column signal"}
    without = tmp_path / "without"
    without.mkdir()
    assert not {"record_id", "patient_id"} & set(plan(without, "ptb-xl", ids="none")["rows"][0])


def test_its_card_says_that_it_decodes_to_the_ecg_and_whom_to_credit(tmp_path):
    card = plan(tmp_path, "ptb-xl", "ecg-qa")["card"]
    assert "\nlicense: cc-by-4.0\n" in card
    for words in (
        "decode to the ECGs that they were made from",
        "Wagner",
        "ECG-QA: Oh",
        "codec `abc`",
        "| main | train | 2 |",
    ):
        assert words in card, words


def test_a_set_from_mimic_iv_ecg_stands_under_its_licence(tmp_path):
    card = plan(tmp_path, "mimic-iv-ecg", rows={"study_id": [1, 2]})["card"]
    assert "license: odbl" in card
    assert "Share-alike" in card


@pytest.mark.parametrize(
    ("sources", "rows", "options", "line"),
    [
        ((), {}, {}, "derived recording"),
        (("nowhere",), {}, {}, "not known here"),
        (("ptb-xl",), {"subject_id": [1, 2]}, {}, "say --made-from mimic-iv-ecg"),
        (("mimic-iv-ecg",), {"note_id": [1, 2]}, {}, "credentialed"),
        (("mimic-iv-ecg",), {}, {"licence": "cc-by-nc-4.0", "attribution": "X"}, "share-alike"),
        ((), {}, {"licence": "cc-by-4.0"}, "--attribution"),
        ((), {}, {"licence": "other", "attribution": "X", "waveforms": True}, "not known to let signals"),
    ],
)
def test_what_terms_forbid_is_refused(tmp_path, sources, rows, options, line):
    with pytest.raises(PushError, match=line):
        plan(tmp_path, *sources, rows=rows, **options)


def test_waveforms_go_up_when_asked_and_allowed(tmp_path):
    assert plan(tmp_path, "ptb-xl", waveforms=True)["rows"][0]["signal"] == [[0.0, 0.0, 0.0]]


def test_a_file_that_is_not_whole_is_named(tmp_path, capsys):
    folder = write_tokens(tmp_path / "tokens")
    (folder / "test.parquet").write_bytes(b"PAR1")
    assert "test.parquet: no whole Parquet file" in refused(capsys, str(folder), "--made-from", "ptb-xl")


def test_nothing_that_is_sent_names_a_patient_a_folder_or_a_token(hub, tmp_path):
    write_tokens(tmp_path / "tokens")
    small_checkpoint(tmp_path / "model")
    for done in ask(hub, tmp_path, "push user/tokens tokens --made-from ptb-xl", "push user/mine model"):
        assert done[0] == 0, done
    words = (PATIENT, RECORD, "somewhere", str(tmp_path), str(ROOT), *TOKENS)
    sent = [*hub.bodies, *hub.blobs.values()]
    sent += [
        file
        for repository in hub.repositories.values()
        for one in repository.commits.values()
        for file in one.files.values()
    ]
    assert len(sent) > 10
    for body in sent:
        assert not [word for word in words if word.encode() in body], body[:200]


@pytest.mark.slow
def test_a_pushed_token_set_is_read_by_its_name_and_by_training(hub, tmp_path):
    write_tokens(tmp_path / "tokens")
    for done in ask(hub, tmp_path, "push user/tokens tokens --made-from ptb-xl", "pull user/tokens back"):
        assert done[0] == 0, done
    script = "import datasets; print(datasets.load_dataset('user/tokens')['train']['codes'][:])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=hub.environment(tmp_path / ".home"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "[[1, 2, 3], [4, 5, 6]]" in done.stdout, done.stderr
    from hf_heartllm.data.token_file import load_codes, load_rows

    codes = load_codes(tmp_path / "back", "abc")
    assert sorted(map(list, codes.values())) == [[1, 2, 3], [4, 5, 6]]
    with pytest.warns(UserWarning, match="compare two records"):
        assert {row["record_id"] for row in load_rows(tmp_path / "back")} == set(codes)
