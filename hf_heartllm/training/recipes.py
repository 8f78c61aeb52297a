"""Recipes: the settings of a training as a YAML file, with overrides from the command line; `settings` says which."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import enum
import inspect
import json
import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from hf_heartllm.arguments import add_options, attribute_docs, option_name, settings_of
from hf_heartllm.hashes import file_sha256, sha256_of
from hf_heartllm.labels.scp import STATEMENTS, SUPERCLASSES
from hf_heartllm.models.answer_calibration import CALIBRATION_FILE
from hf_heartllm.models.question_understanding import QUESTIONS_FILE
from hf_heartllm.models.whole_files import write_whole

from .settings import BaseRecipe, CodecRecipe, EncoderRecipe, FinetuneRecipe

Kind = TypeVar("Kind")

_SHOWN = 3  # problems that one line tells
_OWN_ARGUMENTS = ("output_dir", "max_length", "dataset_kwargs", "ddp_find_unused_parameters", "remove_unused_columns")
"""Arguments of a Trainer that the scripts give it."""
_ABOVE_ZERO = ("learning_rate", "num_train_epochs", "logging_steps", "save_steps")
_AT_LEAST = {
    **dict.fromkeys(("per_device_train_batch_size", "gradient_accumulation_steps", "save_total_limit"), 1),
    **dict.fromkeys(("warmup_steps", "weight_decay", "max_grad_norm", "seed"), 0),
    "max_steps": -1,  # for whole epochs
}
_OF_ANY_DECODER = ("model_type", "rope_theta", "rope_scaling", "partial_rotary_factor")

FOLDER = Path(__file__).resolve().parent.parent / "recipes"
"""The recipes of the package."""


def find_recipe(path: str | Path) -> Path:
    """The recipe of a name: a file, else the package's own of that name, such as `finetune_tiny`.

    Raises:
        FileNotFoundError: where there is neither; names those of the package.
    """
    path = Path(path)
    own = FOLDER / f"{path.name.removesuffix('.yaml')}.yaml"
    if path.is_file():
        return path
    if own.is_file() and path.parent in (Path(), Path("training/recipes")):
        return own
    names = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
    raise FileNotFoundError(f"{path}: no such recipe; give a YAML file, or one of {names}")


_WORDS = {
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "a valid string": "text",
    "a valid dictionary": "a mapping",
    "an object": "a mapping",
    "a valid array": "a list",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "above",
}
"""What pydantic says, in words for whoever writes a recipe."""


_OLD_NAMES = {"presence_weight": "lead_mask_weight"}
"""Settings as they were called before, for one more version."""


class Problem(NamedTuple):
    """What is wrong with a setting."""

    name: str
    what: str


def read_recipe(path: str | Path, kind: type[Kind], overrides: Sequence[str] = ()) -> Kind:
    """Read a recipe and apply overrides; names, types and ranges are checked, nothing is loaded.

    Args:
        path: a YAML file, or the name of a recipe of the package.
        kind: which recipe it is, of `settings`.
        overrides: `section.key=value` strings, the value in YAML.

    Raises:
        FileNotFoundError: where there is no such recipe.
        ValueError: one line that names what is misspelt, missing, of another type or out of range.
    """
    recipe = _read_yaml(find_recipe(path))
    for name in {*recipe, *(override.partition("=")[0] for override in overrides)} & _OLD_NAMES.keys():
        line = f"the setting {name} is called {_OLD_NAMES[name]} now; the old name goes with the next version"
        warnings.warn(line, FutureWarning, stacklevel=2)
    recipe = _renamed(recipe)
    for override in overrides:
        name, equals, value = override.partition("=")
        name = _OLD_NAMES.get(name, name)
        if not equals or not name:
            raise ValueError(f"--set {override}: give SECTION.KEY=VALUE")
        *sections, key = name.split(".")
        place = recipe
        for section in sections:
            inner = place.get(section)
            place[section] = inner = {} if inner is None else inner
            if not isinstance(inner, dict):
                raise ValueError(f"--set {override}: {section} is no section of {path}")
            place = inner
        try:
            place[key] = yaml.load(value, _Loader)
        except yaml.YAMLError:
            raise ValueError(f"--set {override}: the value is no YAML") from None
    found, problems = _checked(kind, recipe)
    if problems:
        names = tuple(override.partition("=")[0] for override in overrides)
        told = [f"{name}: {what}" if name else what for name, what in problems]
        where = "--set " if problems[0].name.startswith(names) and names else f"{path}: "
        more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        raise ValueError(f"{where}{'; '.join(told[:_SHOWN])}{more}")
    assert found is not None
    return found


class _Loader(yaml.SafeLoader):
    """YAML whose numbers may be 1e-4, as in YAML 1.2 and JSON, and whose keys stand once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise yaml.constructor.ConstructorError(None, None, f"{twice[0]} stands there twice", node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def _read_yaml(path: str | Path) -> dict[str, Any]:
    try:
        recipe = yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)
    except UnicodeDecodeError:
        raise ValueError(f"{path}: no text in UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f" in line {mark.line + 1}"
        raise ValueError(f"{path}: no YAML{line}: {getattr(error, 'problem', None) or error}") from None
    if not isinstance(recipe, dict):
        raise ValueError(f"{path}: a recipe is a mapping of sections")
    return recipe


def _renamed(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {_OLD_NAMES.get(name, name): value for name, value in recipe.items()}


def _checked(kind: type[Kind], recipe: Mapping[str, Any]) -> tuple[Kind | None, list[Problem]]:
    """The recipe, and what is wrong with it; in JSON types are strict, and a list or a mapping has one form."""
    try:
        found = TypeAdapter(kind).validate_json(json.dumps(recipe, default=str), strict=True, extra="forbid")
    except ValidationError as error:
        # what stands there and should not is the likeliest to explain what is missing
        details = sorted(error.errors(), key=lambda one: one["type"] != "unexpected_keyword_argument")
        return None, [_problem(kind, one) for one in details]
    return found, list(_further(found))


def _problem(kind: type, error: Mapping[str, Any]) -> Problem:
    name = ".".join(map(str, error["loc"]))
    if error["type"] == "unexpected_keyword_argument":
        return Problem(name, f"no such setting{_nearest(name, list(setting_docs(kind)))}")
    if error["type"] == "missing":
        doc = setting_docs(kind).get(name)
        return Problem(name, f"missing{f' ({doc})' if doc else ''}")
    words = error["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    for theirs, ours in _WORDS.items():
        words = words.replace(theirs, ours)
    if error["type"] == "value_error":
        return Problem(name, words)
    return Problem(name, f"{words}, not {json.dumps(error['input'], ensure_ascii=False)[:40]}")


def _nearest(name: str, known: Collection[str]) -> str:
    section, _, key = name.rpartition(".")
    inside = {one.rpartition(".")[2]: one for one in known if one.rpartition(".")[0] == section}
    ends = {one.rpartition(".")[2]: one for one in known}
    for names in (inside, ends):
        if close := difflib.get_close_matches(key, names, 1, 0.75):
            return f"; did you mean {names[close[0]]}?"
    return f"; there are {', '.join(inside)}" if 0 < len(inside) <= 12 else ""


def setting_docs(kind: type, section: str = "") -> dict[str, str]:
    """What the settings of a recipe mean, by their names with their sections."""
    docs, hints = attribute_docs(kind), get_type_hints(kind)
    found: dict[str, str] = {}
    for field in dataclasses.fields(kind):
        name = f"{section}{field.name}"
        found[name] = docs[field.name]
        for one in (hints[field.name], *get_args(hints[field.name])):
            if dataclasses.is_dataclass(one) and isinstance(one, type):
                found |= setting_docs(one, f"{name}.")
    return found


def _further(recipe: Any) -> Iterator[Problem]:
    """What is wrong with the sections that libraries, or the codec's configuration, name the keys of."""
    if not isinstance(recipe, BaseRecipe):
        yield from _training_problems(recipe.training, isinstance(recipe, FinetuneRecipe))
    if isinstance(recipe, CodecRecipe):
        from .codec_training import PRESETS

        yield from _unknown("codec", recipe.codec, _parameters(PRESETS[recipe.preset or "default"]))
    if isinstance(recipe, BaseRecipe):
        yield from _decoder_problems(recipe.decoder)
    if isinstance(recipe, EncoderRecipe):
        from hf_heartllm.models.configuration_ecg_lm import ECGEncoderConfig

        yield from _unknown("encoder", recipe.encoder, _parameters(ECGEncoderConfig))
    repeat = getattr(getattr(recipe, "data", None), "repeat", None)
    yield from _unknown("data.repeat", repeat or (), [*STATEMENTS, *SUPERCLASSES])


def _unknown(section: str, given: Collection[str], known: Collection[str]) -> Iterator[Problem]:
    for name in given:
        if name in _OWN_ARGUMENTS and section == "training":
            yield Problem(f"{section}.{name}", "is set by the script")
        elif name not in known:
            near = _nearest(f"{section}.{name}", [f"{section}.{one}" for one in known])
            yield Problem(f"{section}.{name}", f"no such setting{near}")


def _parameters(kind: type) -> list[str]:
    own: Any = vars(kind)["__init__"]  # a configuration's `__new__` takes anything
    return [name for name in inspect.signature(own).parameters if name not in ("self", "kwargs", "args")]


def _training_problems(settings: Mapping[str, Any], with_trl: bool) -> Iterator[Problem]:
    if with_trl:
        from trl import SFTConfig as Arguments
    else:
        from transformers import TrainingArguments as Arguments
    hints = get_type_hints(Arguments)
    known = [field.name for field in dataclasses.fields(Arguments) if field.name not in _OWN_ARGUMENTS]
    yield from _unknown("training", settings, known)
    if "seed" not in settings:
        yield Problem("training.seed", "missing (of all random draws)")
    for name in (name for name in settings if name in known):
        value, shown = settings[name], json.dumps(settings[name], default=str)[:40]
        if words := _not_of_type(value, hints[name]):
            yield Problem(f"training.{name}", f"should be {words}, not {shown}")
        elif name in _AT_LEAST and value is not None and not value >= _AT_LEAST[name]:
            yield Problem(f"training.{name}", f"should be {_AT_LEAST[name]} or more, not {shown}")
        elif (name in _ABOVE_ZERO and value is not None and not value > 0) or (name == "max_steps" and value == 0):
            yield Problem(f"training.{name}", f"should be above 0, not {shown}")


def _not_of_type(value: Any, hint: Any) -> str | None:
    """What a value of a library's setting should be, in words; None where it is."""
    kinds = set(get_args(hint) or (hint,))
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
    enums: list[Any] = [kind for kind in kinds if isinstance(kind, enum.EnumMeta)]
    choices = [str(one.value) for kind in enums for one in kind]
    if choices and isinstance(value, str):
        near = difflib.get_close_matches(value, choices, 3, 0.5)
        if value in choices:
            return None
        others = f" or one of {len(choices) - len(near)} others" if len(choices) > len(near) else ""
        return f"{' or '.join(near)}{others}" if near and len(choices) > 12 else f"one of {', '.join(choices)}"
    try:
        if kinds & {int, float, bool} and str not in kinds and type(value) not in {int, float, bool, type(None)}:
            raise ValueError
        if bool not in kinds and isinstance(value, bool):
            raise ValueError
        TypeAdapter(hint).validate_python(value)
    except ValueError:
        words = [names.get(kind, getattr(kind, "__name__", str(kind))) for kind in kinds]
        return " or ".join(sorted(words, key=lambda one: (one == "null", one)))
    return None


def _decoder_problems(decoder: Mapping[str, Any]) -> Iterator[Problem]:
    from transformers import CONFIG_MAPPING

    if "model_type" not in decoder:
        yield Problem("decoder.model_type", "missing (the model of transformers, such as llama)")
    elif decoder["model_type"] not in CONFIG_MAPPING:
        known = [f"decoder.{one}" for one in CONFIG_MAPPING]
        near = _nearest(f"decoder.{decoder['model_type']}", known).replace("decoder.", "")
        yield Problem("decoder.model_type", f"transformers knows no model {decoder['model_type']!r}{near}")
    else:
        config = CONFIG_MAPPING[decoder["model_type"]]
        yield from _unknown("decoder", decoder, [*_parameters(config), *config.attribute_map, *_OF_ANY_DECODER])


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecipeOptions:
    """What every training is told on its command line.

    Attributes:
        recipe: YAML file, or the name of one of hf_heartllm/recipes.
        output: folder; the model is written to its `model`.
        set: override the recipe.
    """

    recipe: Path
    output: Path
    set: list[str] = dataclasses.field(default_factory=list)


Options = TypeVar("Options", bound=RecipeOptions)


def read_options(kind: type[Options], recipe: type, description: str | None, **of_fields: dict[str, Any]) -> Options:
    """The command line of a training.

    Args:
        kind: its options.
        recipe: the recipe that it reads, whose settings the help tells.
        description: of the script.
        of_fields: as of `arguments.add_options`.
    """
    parser = argparse.ArgumentParser(
        description=description, epilog=recipe_help(recipe), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    recipes = {"names": ("--config",)}
    settings = {"action": "extend", "metavar": "SECTION.KEY=VALUE"}
    add_options(parser, kind, recipe=recipes, set=settings, **of_fields)
    options = settings_of(kind, parser.parse_args())
    for name in (field.name for field in dataclasses.fields(options) if field.name not in _MAY_BE_NAMES):
        value = getattr(options, name)
        for path in value if isinstance(value, list) else [value]:
            if isinstance(path, Path) and not path.exists():
                parser.exit(2, f"error: {option_name(name)} {path}: no such file or folder\n")
    return options


_MAY_BE_NAMES = frozenset(["recipe", "output", "model", "base", "encoder", "codec"])
"""Options whose value may be the name of something that is shipped or on the Hub, or that is not there yet."""


def recipe_help(kind: type, recipes: str = "") -> str:
    """The settings of a recipe, for a script's help."""
    lines = [f"settings of --recipe{recipes}, each of which --set overrides:"]
    for name, doc in setting_docs(kind).items():
        lines.append(f"  {name:<28} {doc}")
    return "\n".join(lines)


def begin_run(output: str | Path, recipe: Any, options: RecipeOptions | None = None) -> None:
    """Write the recipe into the folder of a run, or check that the run that was begun there has the same.

    The section `training` may differ: a run may go on for more steps.

    Args:
        output: the folder.
        recipe: of `read_recipe`.
        options: of the command line; what they name to read is marked in `inputs.json`, so that a run does not go on
            with another model or other data.

    Raises:
        ValueError: if the folder holds a run with other settings, or checkpoints or a model of an unknown one.
    """
    output = Path(output)
    kept, marked = output / "recipe.yaml", output / "inputs.json"
    inputs = {} if options is None else _inputs(options)
    settings = dataclasses.asdict(recipe)
    if kept.is_file():
        written = _renamed(_read_yaml(kept))
        before, _ = _checked(type(recipe), written)
        begun = written if before is None else dataclasses.asdict(before)  # with what was not there to be set then
        differing = [
            name for name in sorted({*begun, *settings} - {"training"}) if begun.get(name) != settings.get(name)
        ]
        if differing:
            raise ValueError(
                f"{output}: a run with other settings of {', '.join(differing)} was begun here; give another --output"
            )
        if options is None:
            return
        if not marked.is_file():  # begun by a version before
            write_whole(marked, json.dumps(inputs, indent=1) + "\n")
        read = json.loads(marked.read_text(encoding="utf-8"))
        if others := [option_name(name) for name in sorted({*read, *inputs}) if read.get(name) != inputs.get(name)]:
            raise ValueError(f"{output}: a run with another {', '.join(others)} was begun here; give another --output")
        return
    if any(output.glob("checkpoint-*")):
        raise ValueError(f"{output}: checkpoints of an unknown recipe lie here; give another --output")
    if there := [name for name in ("model", "codec") if (output / name).exists()]:
        raise ValueError(f"{output / there[0]}: is there already, and of no run; give another --output")
    write_whole(kept, yaml.safe_dump(settings, sort_keys=False))
    write_whole(marked, json.dumps(inputs, indent=1) + "\n")


_READ = frozenset([".safetensors", ".bin", ".json", ".jsonl", ".jinja", ".parquet", ".csv", ".npz"])
"""Ends of the names of files that decide what is learned; cards, code and pictures do not."""
_OF_ANSWERS = frozenset([CALIBRATION_FILE, QUESTIONS_FILE])
"""Written beside a model that stays as it is."""
_READ_WHOLE = 2**26
"""Bytes; of a larger file the first and the last of them decide whether it is the same."""


def _inputs(options: RecipeOptions) -> dict[str, str]:
    """By the field's name, what marks the files that an option names, wherever they lie: SHA-256, 16 digits."""
    found = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        several = value if isinstance(value, list) else [value]
        if field.name in ("output", "recipe", "set") or not any(isinstance(one, (str, Path)) for one in several):
            continue
        found[field.name] = sha256_of("\n".join(_mark(Path(one), options.output) for one in several))[:16]
    return found


def _mark(path: Path, output: Path) -> str:
    """A file's content; of a folder that of the files that lie directly in it, and of the shards of a data set, which
    may lie deeper; a name on the Hub is itself. What the run has written itself (`output`) does not count."""
    if not path.is_dir():
        return _mark_of(path) if path.is_file() else str(path)
    files = {one for one in path.iterdir() if one.is_file() and one.suffix in _READ and one.name not in _OF_ANSWERS}
    files |= {*path.rglob("*.parquet"), *path.rglob("*.safetensors")}
    files = {one for one in files if not one.resolve().is_relative_to(output.resolve())}
    if not files:  # recordings alone: their names and sizes, since there may be many
        every = (one for one in path.rglob("*") if not one.resolve().is_relative_to(output.resolve()))
        there = sorted(one for one in every if one.is_file())
        return " ".join(f"{one.relative_to(path)}:{one.stat().st_size}" for one in there)
    return " ".join(f"{one.relative_to(path)}:{_mark_of(one)}" for one in sorted(files))


def _mark_of(file: Path) -> str:
    size = file.stat().st_size
    if size <= _READ_WHOLE:
        return file_sha256(file)
    with file.open("rb") as opened:
        first = opened.read(_READ_WHOLE // 2)
        opened.seek(size - _READ_WHOLE // 2)
        return sha256_of(first + opened.read() + str(size).encode())
