"""What the labels of ECG data sets mean: SCP-ECG statements, their classes, and PTB-XL's table."""
