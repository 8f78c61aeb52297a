"""Command lines from dataclasses: an option a field, with its help from the class's docstring. Old names of options.

Nothing heavy is imported, so that help and complaints about arguments come at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
import shlex
import sys
import types
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Settings = TypeVar("Settings")


def attribute_docs(kind: type) -> dict[str, str]:
    """What the section `Attributes:` of a class's docstring says of each, on one line without the full stop.

    A subclass's section adds to those of its bases.
    """
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        _, _, section = inspect.cleandoc(one.__dict__.get("__doc__") or "").partition("Attributes:\n")
        section = re.split(r"\n\S", section)[0]
        for entry in re.split(r"\n(?= {4}\S)", "\n" + section):
            name, colon, words = entry.strip().partition(":")
            if colon and name.isidentifier():
                found[name] = " ".join(words.split()).removesuffix(".")
    return found


def option_name(field: str) -> str:
    """`max_records` → `--max-records`."""
    return "--" + field.replace("_", "-")


def add_options(
    parser: argparse._ActionsContainer, kind: type, *, without: Collection[str] = (), **of_fields: dict[str, Any]
) -> None:
    """Add an option for each field of a dataclass; those without a default are required.

    Fields may be bool (a flag; `--no-…` where it is on by default), int, float, str, Path, a Literal of texts, any of
    these or None, a list of them, which is one word or more, and a tuple of them, which is one word with commas.

    Args:
        parser: a parser, or a group of one.
        kind: the dataclass.
        without: fields that get no option.
        of_fields: by the field's name, arguments of `add_argument` that are not as they would be (`type`, `metavar`,
            `help`, `default` as it stands on the command line), `option`: its name, where it is not the field's,
            `names`: further ones, and `old_names`, see `add_old_name`.
    """
    docs, hints = attribute_docs(kind), get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if field.name in without:
            continue
        given = dict(of_fields.get(field.name, {}))
        name = given.pop("option", option_name(field.name))
        names, old_names = given.pop("names", ()), given.pop("old_names", ())
        words = docs.get(field.name, "").replace("when None", "unless given")
        options: dict[str, Any] = {"help": words, "dest": field.name}
        if field.default_factory is not dataclasses.MISSING:
            options["default"] = field.default_factory()
        elif field.default is not dataclasses.MISSING:
            options["default"] = field.default
        else:
            options["required"] = True
        options |= _of_type(_without_none(hints[field.name])) | given
        if options.get("required"):
            options.pop("default", None)
        if "choices" in given:
            options["metavar"] = given.get("metavar")
        default = options.get("default")
        if default is False:
            options["action"] = "store_true"  # no `--no-…` for what is off anyway
        if not (default is None or isinstance(default, bool) or default in ((), [])) and "help" not in given:
            options["help"] += f"; default: {' '.join(_words(default))}"
        options["help"] = options["help"].replace("%", "%%") if "help" not in given else options["help"]
        made = parser.add_argument(name, *names, **options)
        for old in old_names:
            add_old_name(parser, old, made)


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        rest = [one for one in get_args(hint) if one is not type(None)]
        return rest[0] if len(rest) == 1 else str
    return hint


def _of_type(hint: Any) -> dict[str, Any]:
    if hint is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(hint) is Literal:
        return {"choices": get_args(hint), "type": type(get_args(hint)[0])}
    if get_origin(hint) is list:
        return {**_of_type(get_args(hint)[0]), "nargs": "+"}
    if get_origin(hint) is tuple:
        one = get_args(hint)[0]
        return {"type": lambda text: tuple(one(word) for word in text.split(",") if word), "metavar": "A,B"}
    if hint is Path:
        return {"type": Path, "metavar": "PATH"}
    return {"type": hint, "metavar": "N" if hint in (int, float) else None}


def settings_of(kind: type[Settings], args: argparse.Namespace, **others: Any) -> Settings:
    """The dataclass that parsed options make.

    Args:
        kind: the dataclass.
        args: of a parser that `add_options` gave these fields.
        others: fields that were no options, or are not as they were given.
    """
    names = [field.name for field in dataclasses.fields(kind) if field.init]  # type: ignore[arg-type]
    return kind(**{name: getattr(args, name) for name in names if hasattr(args, name)} | others)


def given_options(settings: Any, names: Collection[str] | None = None, shown: Mapping[str, str] | None = None) -> str:
    """The options that give settings, but for those that are as ever: a command as it was run, for others to repeat.

    Args:
        settings: a dataclass's instance.
        names: the fields that count; all when None. What is read and written where is `PATH`.
        shown: by the field's name, the word that stands for its value, where another says more.
    """
    words = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if (names is not None and field.name not in names) or value == default:
            continue
        option = option_name(field.name)
        if isinstance(value, bool):
            words.append(option if value else option.replace("--", "--no-", 1))
            continue
        told = (shown or {}).get(field.name)
        words.append(" ".join([option, *map(shlex.quote, [told] if told else _words(value))]))
    return " ".join(words)


def _words(value: Any) -> list[str]:
    """A value as words of a command line: `1-8` for eight numbers in a row, `PATH` for a path."""
    if isinstance(value, list):
        return [word for one in value for word in _words(one)]
    if isinstance(value, tuple):
        numbers = len(value) > 2 and all(isinstance(one, int) for one in value)
        row = numbers and list(value) == list(range(value[0], value[0] + len(value)))
        return [f"{value[0]}-{value[-1]}" if row else ",".join(map(str, value))]
    return ["PATH" if isinstance(value, Path) else str(value)]


class _OldName(argparse.Action):
    """An option under the name that it had before: does the same, and says what it is called now."""

    def __init__(self, option_strings: Sequence[str], dest: str, now: argparse.Action, **options: Any) -> None:
        super().__init__(option_strings, dest, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **options)
        self.now = now

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        new = self.now.option_strings[0]
        if sys.stderr is not None:
            line = f"warning: {option_string} is called {new} now; the old name goes with the next version"
            print(line, file=sys.stderr)
        self.now.required = False
        self.now(parser, namespace, values, new)


def add_old_name(parser: argparse._ActionsContainer, old: str, now: argparse.Action) -> None:
    """Let an option be given under an old name for one more version; help shows the new one alone.

    Args:
        parser: that has the option.
        old: such as `--workers`.
        now: the option, as `add_argument` returned it.
    """
    kept: dict[str, Any] = {"nargs": now.nargs, "type": now.type, "choices": now.choices}
    kept = {name: value for name, value in kept.items() if value is not None}
    parser.add_argument(old, action=_OldName, now=now, dest=now.dest, **kept)
