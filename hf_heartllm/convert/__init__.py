"""Weights of other formats: public ECG codecs and GGUF language models in, ONNX graphs out."""
