"""From published ECG archives to question and report rows."""

import sys

if sys.argv[:1] == ["-m"]:  # `python -m dataset_builders.…`, before the imports of that module: Ctrl-C is one line
    from hf_heartllm.interrupts import one_line_on_interrupt

    one_line_on_interrupt("dataset_builders")
