"""`heartllm info` about the installation, `heartllm info RECORD …` about recordings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..ecg.readers.formats import WFDB, format_of
from ..models.printable_text import printable
from .common import (
    SEVERAL,
    UsageError,
    add_json_argument,
    add_model_argument,
    add_quiet_argument,
    describe,
    model_source,
    one_line,
    print_json,
    print_json_line,
    print_notice,
    quiet_transformers,
    tell,
    told_when_slow,
)
from .recordings import add_recordings_arguments, complain, deciding_file, find_recordings, for_each, show_error

if TYPE_CHECKING:
    from ..models.ecg_record import ECGRecord

HELP = "What a recording is; without one: versions, checkpoint and codec, which a bug report needs."
EXAMPLES = (
    "heartllm info",
    "heartllm info example:af",
    "heartllm info example:noisy example:lbbb --json",
    "heartllm info --json",
)
LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "wfdb", "matplotlib", "peft", "trl")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_recordings_arguments(parser, nargs="*")
    add_model_argument(parser)
    add_json_argument(parser)
    add_quiet_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Print the facts."""
    if not getattr(args, SEVERAL):
        for option in ("sampling_rate", "units", "leads"):
            if getattr(args, option) is not None:
                raise UsageError(f"--{option.replace('_', '-')} is about a recording: heartllm info RECORD")
        _run_installation(args)
    elif args.model is not None:
        raise UsageError("a recording or --model: give one")
    else:
        _run_recordings(args)


def _run_recordings(args: argparse.Namespace) -> None:
    recordings = find_recordings(getattr(args, SEVERAL))
    if recordings.others and not args.quiet:
        tell(recordings.in_words())

    def work(name: str, record: ECGRecord, heard: list[str]) -> dict[str, Any]:
        with told_when_slow(f"checking {name} …", args.quiet or recordings.several):
            return recording_facts(name, record, heard)

    def show(facts: dict[str, Any]) -> None:
        if args.json:
            (print_json_line if recordings.several else print_json)(facts)
        else:
            print("\n".join(_lines(facts)) + "\n", flush=True)

    unread = for_each(args, recordings, work, show, lambda name, message: show_error(args, name, message))
    if not args.json and unread < len(recordings.names):
        print_notice(apart=False)
    complain(recordings, unread)


def recording_facts(name: str, record: ECGRecord, heard: list[str]) -> dict[str, Any]:
    """What a recording is: format, rate, units, leads, length, patient, quality, what its checks find.

    Args:
        name: what it was read by.
        record: what was read.
        heard: warnings of its reader.
    """
    from dataclasses import asdict

    from ..ecg import lead_quality
    from ..models.ecg_checks import check_record

    known = {key: getattr(record, key) for key in ("age", "sex", "height", "weight")}
    return {
        "name": name,
        "format": _format(name),
        "samples": record.signal.shape[1],
        "units": record.units,
        "patient": {key: value for key, value in known.items() if value is not None},
        "quality": {one.lead: _without_nan(asdict(one)) for one in lead_quality(record)},
        "findings": [asdict(finding) for finding in check_record(record).findings],
        "warnings": [*heard, *_missing_samples(record)],
        "record": describe(record),
    }


def _missing_samples(record: ECGRecord) -> list[str]:
    """Of each lead that lacks single samples, how many and where: it is not answered about."""
    import numpy as np

    lines = []
    for lead, row in zip(record.leads, record.signal):
        bad = np.flatnonzero(~np.isfinite(row))
        if 0 < len(bad) < len(row):
            many = f"{len(bad):,} missing samples" if len(bad) > 1 else "1 missing sample"
            lines.append(f"lead {lead} has {many} (NaN), the first at {bad[0] / record.sampling_rate:.3f} s")
    return lines


def _format(name: str) -> str:
    """In words, with what a WFDB header says about how its samples are stored."""
    found = format_of(name)
    if found is not WFDB:
        return found.name
    from ..ecg.readers.wfdb_header import parse_header, read_header_text

    header = Path(deciding_file(name))
    signals = parse_header(read_header_text(header, name), name, header.stem).signals
    stored = dict.fromkeys(f"{one.format} in {one.units}" for one in signals)
    return f"{found.name}, {header.name} with samples in format {' and '.join(stored)}"


def _without_nan(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(value, float) and value != value else value for key, value in facts.items()}


PATIENT = {"age": "{:g} years", "sex": "{}", "height": "{:g} cm", "weight": "{:g} kg"}


def _lines(facts: dict[str, Any]) -> list[str]:
    record = facts["record"]
    rows = {
        "format": facts["format"],
        "length": f"{record['duration']:.6g} s, {facts['samples']:,} samples at {record['sampling_rate']:.6g} Hz",
        "units": facts["units"],
        "leads": f"{len(record['leads'])}: {' '.join(record['leads'])}",
        "patient": ", ".join(PATIENT[key].format(value) for key, value in facts["patient"].items()) or "not stated",
    }
    lines = [printable(facts["name"]), *(f"  {title:<9} {value}" for title, value in rows.items())]
    by_problem: dict[str, list[str]] = {}
    for lead, one in facts["quality"].items():
        by_problem.setdefault(", ".join(one["problems"]) or "good", []).append(lead)
    title = "quality"
    for problem, leads in sorted(by_problem.items(), key=lambda item: (item[0] != "good", item[0])):
        lines.append(f"  {title:<9} {problem}: {'all leads' if len(by_problem) == 1 else ' '.join(leads)}")
        title = ""
    said = [*(f"{one['message']} ({one['certainty']})" for one in facts["findings"]), *facts["warnings"]]
    for place, line in enumerate(said or ["nothing"]):
        lines.append(f"  {'' if place else 'doubtful':<9} {line}")
    return lines


def _run_installation(args: argparse.Namespace) -> None:
    source = model_source(args.model)
    facts: dict[str, Any] = {"versions": versions()}
    if not args.quiet:
        tell("loading the model …")
    quiet_transformers()
    from ..models.checkpoint_files import default_checkpoint

    try:
        facts |= checkpoint_facts(str(default_checkpoint()) if source is None else source)
    except FileNotFoundError as error:
        if source is not None:
            raise
        facts["checkpoint"] = {"missing": str(error)}  # an installation without weights is worth a report too
    if args.json:
        print_json(facts)
        return
    for title, rows in facts.items():
        print(title)
        for name, value in rows.items():
            print(f"  {name:<29} {value}")
    print_notice()


def versions() -> dict[str, str]:
    """Versions of Python, the system and the libraries; "not installed" where one is absent."""
    import importlib.metadata
    import platform

    found = {
        "hf_heartllm": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def checkpoint_facts(source: str) -> dict[str, Any]:
    """What a checkpoint and its codec or encoder are: sizes, rates, vocabulary."""
    from ..inference import load_answerer

    try:
        answerer = load_answerer(source)
    except ValueError as error:  # such as a codec of a type that is not known here
        raise UsageError(one_line(error)) from None
    model = answerer.model
    config = model.config.get_text_config()
    checkpoint = {
        "source": source,
        "architecture": config.model_type,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "dtype": str(model.dtype).removeprefix("torch."),
        "vocabulary": config.vocab_size,
    }
    if hasattr(model, "encoder"):
        return {"checkpoint": checkpoint, "encoder": _encoder_facts(model, answerer.reads["encoder"])}
    codec = answerer.tokenizer.codec  # type: ignore[attr-defined]
    return {
        "checkpoint": {**checkpoint, "ecg_token_offset": model.config.ecg_token_offset},
        "codec": _codec_facts(codec),
    }


def _encoder_facts(model: Any, fingerprint: str) -> dict[str, Any]:
    config = model.encoder.config
    return {
        "fingerprint": fingerprint,
        "parameters": sum(parameter.numel() for parameter in model.encoder.parameters()),
        "parameters_of_its_projection": sum(parameter.numel() for parameter in model.projector.parameters()),
        "sampling_rate": config.sampling_rate,
        "shortest_recording_seconds": config.min_duration,
        "leads": " ".join(config.leads),
        "projector": model.config.projector,
        "tokens_per_ecg": model.config.num_ecg_tokens,
    }


def _codec_facts(codec: Any) -> dict[str, Any]:
    config = codec.config
    return {
        "fingerprint": codec.fingerprint(),
        "parameters": sum(parameter.numel() for parameter in codec.parameters()),
        "parameters_of_its_encoder": sum(one.numel() for one in getattr(codec, "encoder", codec).parameters()),
        # with the running means and variances of its normalisations, which are no parameters
        "numbers_in_its_file": sum(value.numel() for value in codec.state_dict().values()),
        "sampling_rate": config.sampling_rate,
        "architecture": config.architecture,
        "shortest_recording_seconds": config.min_duration,
        "leads": " ".join(config.leads),
        "tokens_per_second": config.tokens_per_second,
        "bits_per_second": round(config.bits_per_second_of(1), 1),
        "bits_per_second_all_streams": round(config.bits_per_second, 1),
        "bandwidth_hz": config.bandwidth,
        "latency_seconds": config.latency,
        "codebook_size": config.codebook_size,
    }
