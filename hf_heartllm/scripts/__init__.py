"""What trains, step by step: `python -m hf_heartllm.scripts.NAME`, or `python training/NAME.py` in a clone.

trl tells the Hub which trainer was begun on which model; nothing of a training leaves the machine here unless the user
has set the variable to say otherwise.
"""

import os

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read once, when huggingface_hub is imported
