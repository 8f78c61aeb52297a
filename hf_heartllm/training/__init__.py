"""The logic behind the training scripts."""
