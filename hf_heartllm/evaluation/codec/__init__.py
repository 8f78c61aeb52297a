"""The evaluation of an ECG codec: distortion and rate, clinical fidelity, robustness, and what its codes tell."""
