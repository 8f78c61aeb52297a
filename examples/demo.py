"""The main job in one go: a recording goes in; a picture, answers and a report come out. `make demo` runs it.

One real recording is tried first: from `build/ptb-xl` or the data folder (`HEARTLLM_DATA`, else `../shared/data` beside
the checkout), else from PhysioNet with a short time-out. Without any a simulated one is used. The output says which.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import hf_heartllm as hl
from hf_heartllm.models.operating_points import probability_words

REPOSITORY = Path(__file__).resolve().parent.parent
BUILD = REPOSITORY / "build"
PHYSIONET_TIMEOUT = 4.0  # seconds for all of it
RECORD = "records100/00000/00152_lr"  # fold 9, so no checkpoint of the project was trained on it
SIMULATED_RECORD = "example:af"
LICENCE = "PTB-XL 1.0.3, Wagner et al., Scientific Data 7, 154 (2020), PhysioNet; licence CC BY 4.0"
QUESTIONS = (
    "Does this ECG show atrial fibrillation?",
    "Is there a left bundle branch block?",
    "What rhythm does this ECG show?",
)


def data_folder() -> Path | None:
    """The folder that may hold PTB-XL: `HEARTLLM_DATA`, else `../shared/data`; None where there is neither."""
    named = os.environ.get("HEARTLLM_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        if named:
            print(f"HEARTLLM_DATA: {named} is no folder")
        return None
    return folder


def ptbxl_folder(data: Path | None) -> Path | None:
    """A folder with the demo's record in PTB-XL's layout; fold 9 is unpacked into `build/ptb-xl-fold-9` if need be."""
    target = BUILD / "ptb-xl-fold-9"  # never build/ptb-xl: training takes that for the whole set
    places: list[Path] = [BUILD / "ptb-xl", *((data, data / "ptb-xl") if data else ()), target]
    for folder in places:
        if (folder / f"{RECORD}.dat").is_file():
            return folder
    if data is None or not ((data / "unpack.py").is_file() and (data / "ptb-xl.packed").is_dir()):
        return None
    print(f"unpacking fold 9 of PTB-XL into {target.relative_to(REPOSITORY)} (once, about 10 s) …", flush=True)
    command = [sys.executable, str(data / "unpack.py"), "--rate", "100", "--fold", "9", "--output", str(target)]
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode:
        lines = (finished.stderr or finished.stdout).strip().splitlines()
        print(f"unpacking failed: {lines[-1] if lines else finished.returncode}")
        return None
    return target


def find_record() -> hl.ECGRecord:
    """A recording, real if possible; says which."""
    ptbxl = ptbxl_folder(data_folder())
    try:
        if ptbxl is None:
            record = hl.read_ecg(f"physionet:ptb-xl/1.0.3/{RECORD}", timeout=PHYSIONET_TIMEOUT)
        else:
            record = hl.read_ecg(ptbxl / RECORD)
    except hl.ECGError as error:
        print(f"no real recording at hand ({error})")
        print(f"Recording: {SIMULATED_RECORD}, simulated")
        return hl.read_ecg(SIMULATED_RECORD)
    print(f"Recording: PTB-XL {RECORD}, fold 9; its statements: atrial fibrillation\n{LICENCE}")
    return record


def say(title: str, lines: list[str]) -> None:
    """A title, and lines below it, no wider than a page."""
    print(f"\n{title}", flush=True)
    for line in lines:
        print(textwrap.fill(line, 100, initial_indent="  ", subsequent_indent="    "), flush=True)


def measured(record: hl.ECGRecord) -> list[str]:
    """Rate and intervals, or why there are none."""
    found = hl.measure(record)
    values = found.as_columns()
    wanted = [("heart_rate", "rate", "/min"), ("pr_ms", "PR", "ms"), ("qrs_ms", "QRS", "ms"), ("qt_ms", "QT", "ms")]
    wanted += [("qtc_fridericia_ms", "QTc (Fridericia)", "ms"), ("axis_deg", "axis", "°")]
    told = [f"{name} {values[key]:g} {unit}" for key, name, unit in wanted if values.get(key) is not None]
    lines = [", ".join(told)]
    lines += [f"no {name}: {found.why(key)}" for key, name, _ in wanted if values.get(key) is None]
    irregular = values.get("rr_irregularity")
    if irregular is not None:
        lines.append(f"{values['beats']} beats, RR {values['rr_ms']:g} ms, irregularity {irregular:.2f}")
    return list(dict.fromkeys(lines))


def main() -> int:
    """Run the demo. Returns the exit code."""
    warnings.simplefilter("ignore", FutureWarning)
    record = find_record()
    picture = BUILD / "demo.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    hl.plot_ecg(record, picture)
    say("Picture", [str(picture)])
    say("Measured", measured(record))

    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    ask = hl.pipeline("ecg-question-answering")
    for question in QUESTIONS:
        answer = ask(record, question)
        others = ", ".join(f"{text} {probability_words(share)}" for text, share in answer.alternatives[:3])
        say(question, [str(answer), others, *answer.explained()])
    report = hl.pipeline("ecg-report")(record)
    findings = [
        f"{one.words}: p {one.probability:.2g}, {one.times_average:.2g} times the average patient; "
        f"sensitivity {one.sensitivity:.2f}, specificity {one.specificity:.2f}"
        for one in report.findings[:5]
    ]
    say("Report", [report.text])
    say("Findings, each asked by itself", findings or ["none"])
    print(f"\n{report.notice}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
