"""What tells the rows of ``instances`` and ``scores`` apart."""

from __future__ import annotations

QUESTION = ["scenario", "adapter", "perturbation", "trial", "instance_id"]
"""One question, as every model is asked it."""
ANSWER = ["model", *QUESTION]
"""One model's answer to it."""
