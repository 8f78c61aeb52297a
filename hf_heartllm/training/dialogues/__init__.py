"""ECG dialogues of a patient and an assistant, rendered from what is known of a recording: to train, and to measure."""
