"""All metrics by name. A new one is a new file beside this one, and a line here."""

from __future__ import annotations

from harness.metrics.bits_per_byte import BITS_PER_BYTE
from harness.metrics.exact_match import EXACT_MATCH

METRICS = {metric.name: metric for metric in (EXACT_MATCH, BITS_PER_BYTE)}
