"""`python -m hf_heartllm.scripts.train_encoder`, in a clone."""

from hf_heartllm.interrupts import run_interruptible
from hf_heartllm.scripts.train_encoder import main

if __name__ == "__main__":
    raise SystemExit(run_interruptible(main, "train_encoder"))
