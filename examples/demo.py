"""The main job in one go: a recording goes in; answers, a report and a picture come out. `make demo` runs it.

One real recording is tried first: from the data folder (`HEARTLLM_DATA`, else `../shared/data` beside the checkout),
else from PhysioNet with a short time-out. Without either a simulated one is used. The output says which.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import hf_heartllm as hl

REPOSITORY = Path(__file__).resolve().parent.parent
BUILD = REPOSITORY / "build"
PHYSIONET_TIMEOUT = 8.0  # seconds
RECORD = "records100/00000/00152_lr"  # fold 9, so no checkpoint of the project was trained on it
SIMULATED_RECORD = "example:af"
LICENCE = "PTB-XL 1.0.3, Wagner et al., Scientific Data 7, 154 (2020), PhysioNet; licence CC BY 4.0"
QUESTIONS = (
    "Does this ECG show atrial fibrillation?",
    "Does this ECG show sinus rhythm?",
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


def ptbxl_folder(data: Path) -> Path | None:
    """PTB-XL in its official layout: as it lies in the data folder, or fold 9 unpacked from it into `build/ptb-xl`."""
    for folder in (data, data / "ptb-xl"):
        if (folder / "ptbxl_database.csv").is_file():
            return folder
    unpack, packed = data / "unpack.py", data / "ptb-xl.packed"
    if not (unpack.is_file() and packed.is_dir()):
        return None
    target, done = BUILD / "ptb-xl", BUILD / "ptb-xl" / ".fold-9-is-complete"
    if not done.is_file():
        print(f"unpacking fold 9 of PTB-XL into {target.relative_to(REPOSITORY)} (once, about 10 s) …", flush=True)
        command = [sys.executable, str(unpack), "--fold", "9", "--output", str(target)]
        finished = subprocess.run(command, capture_output=True, text=True)
        if finished.returncode:
            lines = (finished.stderr or finished.stdout).strip().splitlines()
            print(f"unpacking failed: {lines[-1] if lines else finished.returncode}")
            return None
        done.touch()
    return target


def real_record(data: Path) -> hl.ECGRecord | None:
    """The demo's record from the data folder; None where it cannot be had, after a line that says why."""
    ptbxl = ptbxl_folder(data)
    if ptbxl is None:
        return None
    try:
        return hl.read_ecg(ptbxl / RECORD)
    except hl.ECGError as error:
        print(error)
        return None


def find_record() -> hl.ECGRecord:
    """A recording, real if possible; says which."""
    data = data_folder()
    record = real_record(data) if data else None
    try:
        record = record or hl.read_ecg(f"physionet:ptb-xl/1.0.3/{RECORD}", timeout=PHYSIONET_TIMEOUT)
    except hl.ECGError as error:
        print(f"no real recording at hand ({error})")
        print(f"simulated recording: {SIMULATED_RECORD}")
        return hl.read_ecg(SIMULATED_RECORD)
    print(f"real recording: {record.source}: fold 9, atrial fibrillation by its statements\n{LICENCE}")
    return record


def main() -> int:
    """Run the demo. Returns the exit code."""
    from transformers.utils import logging

    record = find_record()
    logging.disable_progress_bar()
    model = hl.HeartLLMForCausalLM.from_pretrained(hl.checkpoint())
    tokenizer = hl.ECGTokenizer.from_pretrained(hl.checkpoint())
    ask = hl.pipeline("ecg-question-answering", model, tokenizer)
    for question in QUESTIONS:
        answer = ask(record, question)
        others = ", ".join(f"{text} {share:.0%}" for text, share in answer.alternatives[:3])
        print(f"\n{question}\n  {answer.text}   ({others})")
    report = hl.pipeline("ecg-report", model, tokenizer)(record)
    print(f"\nReport\n  {report.text}")
    picture = BUILD / "demo.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    hl.plot_ecg(record, picture)
    print(f"\npicture: {picture}\n\n{report.notice}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
