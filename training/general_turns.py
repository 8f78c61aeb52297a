"""`python -m hf_heartllm.scripts.general_turns`, in a clone."""

from hf_heartllm.interrupts import run_interruptible
from hf_heartllm.scripts.general_turns import main

if __name__ == "__main__":
    raise SystemExit(run_interruptible(main, "general_turns"))
