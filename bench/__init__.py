"""Speed and memory of the server as ratios against llama.cpp's own tools: ``python -m bench --help``."""
