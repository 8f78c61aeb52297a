"""`python -m hf_heartllm.scripts.text_model`, in a clone."""

from hf_heartllm.interrupts import run_interruptible
from hf_heartllm.scripts.text_model import main

if __name__ == "__main__":
    raise SystemExit(run_interruptible(main, "text_model"))
