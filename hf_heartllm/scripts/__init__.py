"""What trains, step by step: `python -m hf_heartllm.scripts.NAME`, or `python training/NAME.py` in a clone.

trl tells the Hub which trainer was begun on which model; nothing of a training leaves the machine here unless the user
has set the variable to say otherwise.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read once, when huggingface_hub is imported

LIBRARIES = {"datasets": "datasets", "peft": "peft", "trl": "trl", "yaml": "pyyaml", "pydantic": "pydantic"}
"""Of the extra `train`: module and package."""

if sys.argv[:1] == ["-m"] or Path(sys.argv[0]).absolute().parent.name == "training":  # before a program's own imports
    from hf_heartllm.interrupts import one_line_on_interrupt

    one_line_on_interrupt("training")
    name = next(
        (Path(word.rpartition(".scripts.")[2]).stem for word in sys.orig_argv[1:] if not word.startswith("-")), ""
    )
    needed = {"yaml"} if name in ("calibrate", "general_turns") else LIBRARIES.keys()
    missing = [package for module, package in LIBRARIES.items() if module in needed and find_spec(module) is None]
    if missing:
        print(f"error: {', '.join(missing)} not installed: pip install 'hf_heartllm[train]'", file=sys.stderr)
        raise SystemExit(2)
