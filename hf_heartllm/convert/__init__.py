"""Foreign weights in: public ECG codecs and language models of other formats."""
