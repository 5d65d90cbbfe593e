"""Every fault that is planted before a real server is found, and nothing else; and the right clients are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from misbehaving import misbehaving
from plants import INSPECT_CHAT, PLANTS

from harness.doctor.diagnosis import OURS, Diagnosis, Outcome
from harness.doctor.examine import examine

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest


def _faults(diagnosis: Diagnosis) -> set[str]:
    return {check.name for check in diagnosis.checks if check.outcome is Outcome.FAULT}


def _clients(diagnosis: Diagnosis, verdict: str) -> set[str]:
    """Those of others; no chat template is no fault."""
    names = {client.name for client in diagnosis.clients if client.verdict == verdict}
    return {name for name in names if not name.startswith(OURS)} - {INSPECT_CHAT}


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_fault_is_found(bundled_server: ServerUnderTest, name: str) -> None:
    plant = PLANTS[name]
    with misbehaving(bundled_server.url.removesuffix("/v1"), plant.tampering) as url:
        diagnosis = examine(url, None, None, str.strip)
    assert _faults(diagnosis) == plant.finds
    assert not diagnosis.is_sound
    assert _clients(diagnosis, "wrong numbers") == plant.wrong
    assert _clients(diagnosis, "fails") == plant.fails
    unusable = (diagnosis.cannot_score, diagnosis.cannot_generate, diagnosis.no_logprobs)
    assert tuple(map(bool, unusable)) == (plant.no_scores, plant.no_text, plant.no_logprobs)
