"""`heartllm chat RECORD`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import unicodedata
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arguments import option_name
from ..ecg.readers.formats import STATED, SUFFIXES, UNSTATED
from ..interrupts import each_interrupt_raises
from ..models.notice import NOTICE
from ..models.printable_text import printable
from .answers import answer_as_json, answer_in_words, report_as_json, report_in_words
from .common import (
    PICTURES,
    Once,
    Parser,
    UsageError,
    add_json_argument,
    add_model_argument,
    add_quiet_argument,
    add_record_arguments,
    check_leads,
    check_picture_name,
    describe,
    heard_warnings,
    in_words,
    model_source,
    one_line,
    print_json_line,
    quiet_transformers,
    read_record,
    tell,
)

if TYPE_CHECKING:
    from ..inference.chat import Chat, Reply
    from ..models.ecg_record import ECGRecord

HELP = "Ask questions in turn about a recording, in a conversation."
COMMANDS = {
    "/report": "the report of the recording",
    "/plot [FILE]": "draw it (.png, .svg or .pdf)",
    "/ecg RECORD": "another recording; the conversation begins anew",
    "/help": "this list",
    "/quit": "end, as Ctrl-D does",
}
EXAMPLES = (
    "heartllm chat example:af",
    "printf 'What rhythm is this?\\nIs there LBBB?\\n/report\\n' | heartllm chat example:lbbb --json",
)
PROMPT = "> "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_record_arguments(parser)
    add_model_argument(parser)
    add_json_argument(parser)
    add_quiet_argument(parser)
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:{width}}  {what}" for name, what in COMMANDS.items())
    parser.epilog = (
        f"in the conversation:\n{lines}\n  Ctrl-C stops an answer, a second one ends the conversation. Where the input "
        f"is no\n  terminal, each of its lines is a question or a command.\n\n{parser.epilog or ''}"
    )


def run(args: argparse.Namespace) -> None:
    """Answer line after line."""
    model_source(args.model)  # what is wrong with it is told before anything is read
    with heard_warnings(args.strict) as heard:
        record = read_record(args)
        check_leads(record, args.model)
        if not args.quiet:
            tell(f"{args.record}: {in_words(record)}; loading the model …")
        chat = Once(lambda: _load(args.model))()
        chat.show(record)
    session = _Session(args, chat)
    session.begun(args.record, record, heard)
    lines = _Lines(args.json)
    if lines.terminal:
        with each_interrupt_raises("heartllm"), suppress(KeyboardInterrupt):  # a second one right behind the first
            _converse(session, lines)
        return
    asked = 0
    while (line := lines.next()) is not None and session.take(line):
        asked += bool(line)
    if session.failed:
        of = f"{session.failed:,} of {asked:,} lines" if asked > 1 else "the line"
        raise UsageError(f"{of} could not be answered")


def _load(model: str | None) -> Chat:
    quiet_transformers()
    from ..inference.chat import load_chat

    return load_chat(model_source(model))


def _converse(session: _Session, lines: _Lines) -> None:
    """Line after line from a terminal; the second Ctrl-C with nothing entered since the first ends it."""
    interrupted = False
    while True:
        try:
            line = lines.next()
            if line:
                interrupted = False
            if line is None or not session.take(line):
                return
        except KeyboardInterrupt:
            print()
            if interrupted:
                return
            interrupted = True
            tell("stopped; Ctrl-C once more, Ctrl-D or /quit ends the conversation")


class _Lines:
    """What is entered: from a terminal behind a prompt, with readline's history if there is one, else line by line."""

    def __init__(self, json: bool) -> None:
        self.terminal = sys.stdin is not None and sys.stdin.isatty()
        self._edited = self.terminal and sys.stdout.isatty()
        if self._edited:
            with suppress(ImportError):
                import readline  # noqa: F401  (input() uses it from now on)
        self._echo = not self.terminal and not json
        if hasattr(sys.stdin, "reconfigure"):
            sys.stdin.reconfigure(errors="replace")

    def next(self) -> str | None:
        """The next line, control characters as blanks, none at its ends; None behind the last."""
        try:
            line = input(PROMPT) if self._edited else self._read()
        except EOFError:
            line = None
        if line is None:
            if self.terminal:
                print()
            return None
        said = _printable(line).strip()
        if said and self._echo:
            print(said)
        return said

    def _read(self) -> str | None:
        if sys.stdin is None:  # closed by the caller
            return None
        if self.terminal and sys.stderr is not None:
            print(PROMPT, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline() or None


@dataclass
class _Session:
    """A conversation as it is printed.

    Attributes:
        args: of the command.
        chat: the model and what was said.
        failed: how many lines could not be answered.
    """

    args: argparse.Namespace
    chat: Chat
    failed: int = 0
    _name: str = ""
    _heard: list[str] = field(default_factory=list)
    _told_left_out: bool = False

    def begun(self, name: str, record: ECGRecord, heard: list[str]) -> None:
        """Say what is talked about, and under which conditions."""
        self._named(name, record, heard)
        if not self.args.json:
            print(NOTICE, end="\n\n", flush=True)
        if not self.chat.converses and not self.args.quiet:
            tell("this checkpoint answers each question by itself: earlier ones are not shown to it")

    def take(self, line: str) -> bool:
        """Answer a line; what is wrong with it is said, and the conversation goes on.

        Returns:
            Whether it goes on.
        """
        from ..models.ecg_record import ECGWarning  # --strict raises it

        command, _, rest = line.partition(" ")
        if not line or line.strip() == "/quit":
            return not line
        try:
            if line.startswith("/"):
                self._command(command)(rest.strip())
            else:
                self._answer(line)
        except BrokenPipeError:
            raise
        except (UsageError, ECGWarning, OSError, ValueError) as error:
            self.failed += 1
            if self.args.json:
                print_json_line({"question" if line[0] != "/" else "command": line, "error": one_line(error)})
            else:
                tell(one_line(error))
                if command == "/ecg":  # among the answers too: the next ones are not about what was asked for
                    print(f"still {printable(self._name)}", flush=True)
        if not self.args.json:
            print(flush=True)
        return True

    def _command(self, name: str) -> Callable[[str], None]:
        known = {"/report": self._report, "/plot": self._plot, "/ecg": self._ecg, "/help": self._help}
        known["/quit"] = partial(_refuse_more, "/quit")  # by itself it has ended the session
        if name not in known:
            raise UsageError(f"no command {name:.40}; there are {', '.join(COMMANDS)}")
        return known[name]

    def _answer(self, question: str) -> None:
        reply = self.chat.ask(question)
        if reply.answer is None:
            self._stream(reply)
        elif self.args.json:
            assert self.chat.record is not None
            print_json_line(answer_as_json(question, reply.answer, self.chat.record, self._heard))
        else:
            print(answer_in_words(question, reply.answer), flush=True)

    def _stream(self, reply: Reply) -> None:
        """Print an answer as it is written; with --json when it has ended."""
        if reply.left_out and not self._told_left_out and not self.args.quiet:
            self._told_left_out = True
            tell(
                f"the conversation no longer fits into the model's {self.chat.positions:,} positions: from now on its "
                "oldest turns are left out"
            )
        with closing(reply):
            for piece in reply:
                if not self.args.json:
                    print(_printable(piece, "\n\t"), end="", flush=True)
        if self.args.json:
            shown = {"question": reply.question, "answer": reply.text, "complete": reply.complete}
            self._print_json({**shown, "turns_left_out": reply.left_out})
            return
        print("" if reply.text else "(the model wrote nothing)", flush=True)
        if not reply.complete and not self.args.quiet:
            tell("the answer was cut: it is as long as one may be")

    def _report(self, rest: str) -> None:
        _refuse_more("/report", rest)
        report = self.chat.report()
        assert self.chat.record is not None
        if self.args.json:
            print_json_line(report_as_json(report, self.chat.record, self._heard))
        else:
            print(report_in_words(report), flush=True)

    def _plot(self, rest: str) -> None:
        assert self.chat.record is not None
        path = _path(rest) if rest else _free_name(self._name, PICTURES[0])
        check_picture_name(path)
        from ..ecg.plot import plot_ecg

        plot_ecg(self.chat.record, path)
        if self.args.json:
            self._print_json({"picture": path})
        else:
            print(path, flush=True)

    def _ecg(self, rest: str) -> None:
        args = _other_recording(self.args, rest)
        with heard_warnings(self.args.strict) as heard:
            record = read_record(args)
            self.chat.show(record)
        self._named(args.record, record, heard)
        as_before = [name for name in STATED if getattr(args, name) is not None and " --" not in rest]
        if as_before and args.record.lower().endswith(UNSTATED):
            tell(f"{', '.join(map(option_name, as_before))} as for the recording before; /ecg FILE --… states others")
        if self.args.json:
            self._print_json({"ecg": args.record})
        else:
            print("The conversation begins anew.", flush=True)

    def _help(self, rest: str) -> None:
        _refuse_more("/help", rest)
        if self.args.json:
            print_json_line({"commands": COMMANDS})
            return
        width = max(map(len, COMMANDS))
        print("\n".join(f"{name:{width}}  {what}" for name, what in COMMANDS.items()), flush=True)

    def _named(self, name: str, record: ECGRecord, heard: list[str]) -> None:
        self._name, self._heard = name, heard
        self.args.warnings.extend(line for line in heard if line not in self.args.warnings)  # these are not said again
        self._told_left_out = False
        if not self.args.json:
            print(f"{printable(name)}: {in_words(record)}", flush=True)
        if self.chat.converses and self.chat.windows > 1:
            part = self.chat.window
            tell(
                f"longer than the model was trained on: the conversation is about {part.start:g} to {part.stop:g} s; "
                "/report and `heartllm ask` read all of it"
            )

    def _print_json(self, result: dict[str, Any]) -> None:
        assert self.chat.record is not None
        print_json_line({**result, "warnings": self._heard, "record": describe(self.chat.record)})


def _printable(text: str, kept: str = "") -> str:
    """A text with blanks for control characters, which a terminal would obey; those in `kept` stay."""
    controls = ("Cc", "Cs", "Zl", "Zp")
    return "".join(" " if one not in kept and unicodedata.category(one) in controls else one for one in text)


def _refuse_more(command: str, rest: str) -> None:
    if rest:
        raise UsageError(f"{command} stands alone, without {rest:.60}")


def _path(text: str) -> str:
    """A path as it was entered, in quotes or not; ~ is the home folder, as in a shell."""
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return os.path.expanduser(text[1:-1] if quoted else text)


def _free_name(recording: str, suffix: str) -> str:
    """A name in the working folder that is not taken, after the recording's."""
    stem = Path(recording.replace(":", "-")).name
    stem = next((stem[: -len(end)] for end in SUFFIXES if stem.lower().endswith(end)), stem) or "ecg"
    number, name = 1, f"{stem}{suffix}"
    while os.path.exists(name):
        number += 1
        name = f"{stem}-{number}{suffix}"
    return name


def _other_recording(args: argparse.Namespace, text: str) -> argparse.Namespace:
    """The arguments of another recording: those of the command, unless it states its own."""
    if not text:
        raise UsageError("/ecg: which recording? /ecg RECORD")
    if " --" in text:  # with options, so written as in a shell
        parser = Parser(prog="heartllm chat", add_help=False)
        add_record_arguments(parser)
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise UsageError(f"/ecg {text}: {one_line(error)}") from None
        return parser.parse_args(words, argparse.Namespace(quiet=args.quiet))
    name = _path(text)
    stated = {**vars(args), "record": name}
    if args.record.lower().endswith(UNSTATED) and not name.lower().endswith(UNSTATED):
        stated |= dict.fromkeys(STATED)  # are about that table; others state their own
    return argparse.Namespace(**stated)
