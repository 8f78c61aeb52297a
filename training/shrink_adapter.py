"""`python -m hf_heartllm.scripts.shrink_adapter`, in a clone."""

from hf_heartllm.interrupts import run_interruptible
from hf_heartllm.scripts.shrink_adapter import main

if __name__ == "__main__":
    raise SystemExit(run_interruptible(main, "shrink_adapter"))
