"""An OpenAI-compatible server over llama.cpp that can score prompts. One process serves one GGUF file."""

import os
import sys

# ggml's threads meet some hundred times a token, and wait for each other in busy loops: by default as long as it takes,
# so that another such process on the same cores makes them ten times slower. This long costs nothing on idle cores, a
# twentieth of it 12 %. Read by libgomp when it is loaded.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")

# The engine's thread asks for the interpreter's lock after every call into llama.cpp, and a thread that writes a long
# answer would keep it from it for 5 ms each time: scoring was 17 % slower.
sys.setswitchinterval(0.0002)
