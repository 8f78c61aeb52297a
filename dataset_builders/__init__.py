"""From published ECG archives to question and report rows; installed as `hf_heartllm.dataset_builders` (setup.py)."""

import sys

if sys.argv[:1] == ["-m"]:  # `python -m dataset_builders.…`, before the imports of that module: Ctrl-C is one line
    from importlib.util import find_spec

    from hf_heartllm.interrupts import one_line_on_interrupt

    one_line_on_interrupt("dataset_builders")
    if find_spec("datasets") is None and f"{__name__}.ptbxl_folder" not in sys.orig_argv:
        print("error: datasets is not installed: pip install 'hf_heartllm[eval]'", file=sys.stderr)
        raise SystemExit(2)
