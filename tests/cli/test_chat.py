"""`heartllm chat`: a whole conversation through a pipe and on a terminal."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import hf_heartllm as hl
from hf_heartllm import cli
from hf_heartllm.ecg import write_ecg
from hf_heartllm.inference import Chat
from hf_heartllm.inference import chat as chat_module
from hf_heartllm.models.notice import NOTICE
from tests.tiny import tiny_checkpoint, tiny_ecg_lm

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "Does this ECG show atrial fibrillation?"


@pytest.fixture(scope="module")
def loaded():
    """heartllm-tiny, loaded once for all conversations of this file."""
    return chat_module.load_chat()


@pytest.fixture
def tiny(loaded, monkeypatch):
    loaded.record = loaded._reading = None
    monkeypatch.setattr(chat_module, "load_chat", lambda *_: loaded)


@pytest.fixture(scope="module")
def conversing(tmp_path_factory) -> str:
    """A checkpoint that converses."""
    return str(tiny_checkpoint(tmp_path_factory.mktemp("checkpoint")))


@pytest.fixture
def say(capsys, monkeypatch, tmp_path):
    """Exit code, stdout and stderr of a conversation in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(chat_module, "MAX_TOKENS", 12)

    def said(entered: str | bytes, *arguments: str) -> tuple[int, str, str]:
        told = entered if isinstance(entered, bytes) else entered.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(told), encoding="utf-8"))
        code = cli.main(["chat", *arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return said


def test_answers_are_those_of_ask(say, tiny, capsys):
    questions = [QUESTION, "What rhythm is this?", "Who are you?", "Zeigt dieses EKG Vorhofflimmern?"]
    code, out, err = say("\n\n".join(questions) + "\n", "example:af")
    assert cli.main(["ask", "example:af", *(word for one in questions for word in ("-q", one))]) == 0
    asked = capsys.readouterr().out
    parts = out.split("\n\n")
    assert parts[0] == f"example:af: 12 leads, 10 s at 500 Hz\n{NOTICE}"
    assert [f"{part}\n" for part in parts[1:-1]] == [f"{part}\n" for part in asked.split("\n\n")[1:-1]]
    assert code == 0
    assert out.count(NOTICE) == 1
    assert err.count("answers each question by itself") == 1
    assert "> " not in out


def test_json_is_one_object_a_line_that_was_entered(say, tiny, capsys):
    code, out, _ = say(f"{QUESTION}\n/report\n/plot\n/ecg example:lbbb\nLBBB?\n/help\n/dance\n", "example:af", "--json")
    answer, report, plot, ecg, lbbb, listed, wrong = map(json.loads, out.splitlines())
    assert cli.main(["ask", "example:af", QUESTION, "--json", "--quiet"]) == 0
    of_ask = json.loads(capsys.readouterr().out)
    assert set(answer) == set(of_ask)
    for name in ("answer", "calibrated", "basis", "record", "windows", "notice"):
        assert answer[name] == of_ask[name]
    assert answer["probability"] == pytest.approx(of_ask["probability"], rel=1e-4)
    assert "atrial fibrillation" in report["report"]
    assert report["findings"][0]["attribute"] == "AFIB"
    assert plot["picture"] == "example-af.png"
    assert os.path.getsize("example-af.png") > 1000
    assert ecg["ecg"] == "example:lbbb"
    assert lbbb["record"] == ecg["record"] != answer["record"]
    assert "/plot [FILE]" in listed["commands"]
    assert "no command /dance; there are /report" in wrong["error"]
    assert code == 2, "as where one of several recordings cannot be read"


def test_what_is_wrong_is_one_line_and_the_conversation_goes_on(say, tiny, tmp_path):
    write_ecg(hl.read_ecg("example:af").select(["V1", "V2", "V3"]), tmp_path / "chest.csv")
    write_ecg(hl.read_ecg("example:lbbb"), tmp_path / "two words.csv")
    record = hl.read_ecg("example:af")
    np.save(tmp_path / "nan.npy", np.full_like(record.signal, np.nan).T)
    (tmp_path / "folder").mkdir()
    npy = f"--sampling-rate 500 --units mV --leads {','.join(record.leads)}"
    wrong = {
        "/ecg": "which recording?",
        "/ecg nowhere.hea": "nowhere.hea",
        "/ecg folder": "folder",
        "/ecg chest.csv": "chest.csv",
        "/ecg nan.npy": "nan.npy",
        f"/ecg nan.npy {npy}": "nan.npy",
        "/ecg 'nan.npy --units mV": "No closing quotation",
        "/ecg nan.npy --colour red": "--colour",
        "/plot nowhere/x.png": "nowhere",
        "/plot folder": "a picture ends in",
        "/plot x.gif": "a picture ends in",
        "/report now": "/report stands alone",
        "/quit now": "/quit stands alone",
        "/Report": "no command /Report",
        "/": "no command /",
    }
    code, out, err = say("\n".join([*wrong, "/ecg two words.csv", "/plot 'a b.svg'", "LBBB?", ""]), "example:af")
    complaints = [line for line in err.splitlines() if not line.endswith("…") and "warning" not in line][1:]
    assert len(complaints) == len(wrong) + 1, complaints
    for complaint, part in zip(complaints, wrong.values(), strict=False):
        assert complaint.startswith("heartllm: ")
        assert part in complaint
    assert complaints[-1] == f"heartllm: {len(wrong)} of {len(wrong) + 3} lines could not be answered"
    assert code == 2
    assert "two words.csv: 12 leads, 10 s at 500 Hz\nThe conversation begins anew.\n" in out
    assert out.count("still example:af\n") == 8  # behind each "/ecg" that failed
    assert (tmp_path / "a b.svg").is_file()
    assert out.rstrip().splitlines()[-7] == "yes"


@pytest.mark.parametrize(
    "entered",
    [b"", b"\n \n\t\n", b"/quit\nAF?\n", b"AF?", b"\x07\x1b[A A\x00F?\n\xff\xfe\n", b"A" * 10_000 + b"\n", b"AF?\r\n"],
    ids=["nothing", "blanks", "quit", "no line end", "control characters", "10,000 letters", "CRLF"],
)
def test_strange_input_ends_well(say, tiny, entered):
    code, out, _ = say(entered, "example:af", "--quiet")
    assert code == 0
    assert out.count("\nyes\n") == (entered in (b"AF?", b"AF?\r\n"))
    assert not any(ord(one) < 32 and one != "\n" for one in out)


def test_no_input_at_all(tiny, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    assert cli.main(["chat", "example:af"]) == 0
    assert NOTICE in capsys.readouterr().out


def test_a_recording_that_cannot_be_read_ends_it(say, tiny, tmp_path):
    (tmp_path / "folder").mkdir()
    for name in ("nowhere.hea", "folder", "example:heart"):
        code, out, err = say("AF?\n", name)
        assert (code, out, len(err.splitlines())) == (2, "", 1), err


def test_warnings_about_a_recording_come_once(say, tiny, tmp_path):
    record = hl.read_ecg("example:af")
    signal = record.signal.copy()
    signal[7] = 0.0
    write_ecg(hl.ECGRecord(signal, 500, record.leads), tmp_path / "dead.v2.csv")
    (tmp_path / "dead.v2.png").touch()
    code, _, err = say("AF?\n/plot\n/ecg example:normal\nAF?\n", "dead.v2.csv")
    warned = [line for line in err.splitlines() if line.startswith("heartllm: warning: ")]
    assert len(warned) == 1, warned
    assert "V2" in warned[0]
    assert (tmp_path / "dead.v2-2.png").is_file(), "what is there stays"
    assert code == 0
    rows = say("AF?\n/ecg example:normal\nAF?\n", "dead.v2.csv", "--json")[1].splitlines()
    assert [len(json.loads(row)["warnings"]) for row in rows] == [1, 0, 0]
    assert say("AF?\n", "dead.v2.csv", "--strict")[:2] == (2, "")


def test_a_model_that_converses_is_shown_the_conversation(say, conversing):
    code, out, err = say(f"{QUESTION}\nAnd now?\n/ecg example:normal\nAnd now?\n", "example:af", "--model", conversing)
    assert (code, "by itself" in err) == (0, False)
    _, first, second, _, third, _ = out.split("\n\n")
    assert first.splitlines()[0] == QUESTION
    assert len(first.splitlines()) > 1
    rows = say(f"{QUESTION}\nAnd now?\n", "example:af", "--model", conversing, "--json")[1].splitlines()
    read = [json.loads(row) for row in rows]
    for row, part in zip(read, (first, second), strict=True):
        shown = "".join(one if one in "\n\t" or ord(one) > 31 else " " for one in row["answer"]).replace("\x7f", " ")
        assert part.split("\n", 1)[1] == shown, "but for control characters, which a terminal would obey"
    assert [row["turns_left_out"] for row in read] == [0, 0]
    assert not read[0]["complete"]
    assert err.count("the answer was cut") == 3
    assert third.startswith("And now?\n")


def test_it_says_once_that_turns_are_left_out(say, conversing):
    _, _, err = say(f"{QUESTION * 20}\n" * 8, "example:af", "--model", conversing)
    assert err.count("no longer fits into the model's 512 positions") == 1
    assert "ask a shorter question" in say(f"{QUESTION * 100}\n", "example:af", "--model", conversing)[2]


def test_a_long_recording_says_what_is_talked_about(say, monkeypatch, tmp_path):
    model, processor = tiny_ecg_lm()
    processor.ecg_max_duration = 10.0
    monkeypatch.setattr(chat_module, "load_chat", lambda *_: Chat(processor.answerer(model)))
    record = hl.read_ecg("example:af")
    write_ecg(hl.ECGRecord(np.tile(record.signal, 3), 500, record.leads), tmp_path / "long.csv")
    code, _, err = say("And now?\n", "long.csv")
    assert code == 0
    assert "the conversation is about 0 to 10 s; /report and `heartllm ask` read all of it" in err
    assert say("And now?\n", "example:af")[2].count("the conversation is about") == 0


@pytest.mark.skipif(os.name != "posix", reason="terminals as POSIX has them")
class TestTerminal:
    """A process of its own on a terminal, with a model that writes on and on."""

    SLOW = """
import itertools, sys, time
from types import ModuleType, SimpleNamespace
from hf_heartllm.cli import common, main

class Reply(SimpleNamespace):
    answer, left_out, text, complete = None, 0, "", True
    def __iter__(self):
        for number in itertools.count() if self.question == "long" else range(3):
            time.sleep(0.02)
            self.text += f"{self.question} {number} "
            yield f"{self.question} {number} "
    def close(self):
        print("closed", flush=True)

chat = SimpleNamespace(converses=True, windows=1, show=lambda _: None, ask=lambda text: Reply(question=text))
for name in ("inference", "inference.chat"):  # neither torch nor transformers: this is about the terminal
    sys.modules[f"hf_heartllm.{name}"] = module = ModuleType(name)
module.load_chat = lambda _: chat
common.quiet_transformers = lambda: None
import hf_heartllm.cli.chat as command
command.quiet_transformers = common.quiet_transformers
sys.exit(main())
"""

    @pytest.fixture
    def terminal(self, tmp_path):
        import pty

        child, handle = pty.fork()
        if child == 0:
            os.chdir(tmp_path)
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
            os.execve(sys.executable, [sys.executable, "-c", self.SLOW, "chat", "example:af"], environment)
        self.child, self.handle, self.shown = child, handle, ""
        yield self
        try:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(handle)

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Read until the text has been shown since the last wait."""
        import select

        end = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < end, f"no {text!r} in {self.shown!r}"
            if select.select([self.handle], [], [], 0.2)[0]:
                try:
                    self.shown += os.read(self.handle, 4096).decode()
                except OSError:
                    break
        assert text in self.shown, self.shown
        self.shown = self.shown.partition(text)[2]

    def enter(self, text: str) -> None:
        os.write(self.handle, text.encode())

    def ends_by(self, key: str, seconds: float = 120.0) -> int:
        """The exit code after a key at the prompt.

        The key is pressed again where nothing happens: a signal between readline's prompt and its wait for input is
        not seen by Python before the next key.
        """
        for _ in range(int(seconds / 20)):
            self.enter(key)
            end = time.monotonic() + 20
            while time.monotonic() < end:
                ended, status = os.waitpid(self.child, os.WNOHANG)
                if ended:
                    return os.waitstatus_to_exitcode(status)
                time.sleep(0.05)
        pytest.fail(f"{key!r} does not end the conversation; it has shown {self.shown!r}")

    def test_ctrl_c_stops_an_answer_and_a_second_one_the_conversation(self, terminal):
        terminal.wait_for("> ")
        terminal.enter("long\n")
        for _ in range(2):
            terminal.wait_for("long 1 ")
            terminal.enter("\x03")
            terminal.wait_for("closed")
            terminal.wait_for("Ctrl-C once more")
            terminal.wait_for("> ")
            terminal.enter("short\n")
            terminal.wait_for("short 2")
            terminal.wait_for("> ")
            terminal.enter("long\n")
        terminal.wait_for("long 1 ")
        terminal.enter("\x03")
        terminal.wait_for("> ")
        assert terminal.ends_by("\x03") == 0

    def test_ctrl_d_ends_it(self, terminal):
        terminal.wait_for("> ")
        terminal.enter("/help\n")
        terminal.wait_for("/plot [FILE]")
        terminal.wait_for("> ")
        terminal.enter("\x1b[A\n")  # the line before, by the arrow
        terminal.wait_for("/plot [FILE]")
        terminal.wait_for("> ")
        assert terminal.ends_by("\x04") == 0
