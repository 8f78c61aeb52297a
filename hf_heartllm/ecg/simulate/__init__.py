"""Simulated 12-lead ECGs with known truth: for examples and tests, always labelled as simulated."""

from __future__ import annotations

from .examples import EXAMPLES, example_names, read_example
from .generate import SimulationTruth, simulate_ecg

__all__ = ["EXAMPLES", "SimulationTruth", "example_names", "read_example", "simulate_ecg"]
