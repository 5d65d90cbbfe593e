"""The models under test: quantization configs, quantizing, and the facts of a GGUF file."""
