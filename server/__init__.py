"""An OpenAI-compatible endpoint over llama.cpp that can score prompts: ``python -m server MODEL.gguf``."""
