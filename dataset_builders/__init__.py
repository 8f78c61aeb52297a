"""From published ECG archives to question and report rows."""
