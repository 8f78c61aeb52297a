"""Scoring of closed answer sets, intervals by patient, and the held-out evaluation of a checkpoint."""
