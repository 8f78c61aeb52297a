"""`python -m hf_heartllm.scripts.align_ecg_lm`, in a clone."""

from hf_heartllm.interrupts import run_interruptible
from hf_heartllm.scripts.align_ecg_lm import main

if __name__ == "__main__":
    raise SystemExit(run_interruptible(main, "align_ecg_lm"))
