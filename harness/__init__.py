"""quant-harness: says, with evidence, what quantizing a language model costs."""

import os

# Read by the Hub's library when it is first imported, whichever part of ours that needs it.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
