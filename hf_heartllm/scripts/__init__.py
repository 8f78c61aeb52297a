"""What trains, step by step: `python -m hf_heartllm.scripts.NAME`, or `python training/NAME.py` in a clone."""
