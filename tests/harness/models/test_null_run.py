from __future__ import annotations

from dataclasses import replace

import pytest

from harness.models.bundled import BUNDLED_MODEL
from harness.models.candidates import Candidate
from harness.models.config import ServeConfig
from harness.models.gguf_facts import read_facts
from harness.models.null_run import NULL, null_candidate, null_concurrency


@pytest.fixture(scope="module")
def reference() -> Candidate:
    return Candidate("f16", read_facts(BUNDLED_MODEL), ServeConfig(cache_type_k="bf16"), note="a note of its own")


def test_it_is_the_same_file_in_other_batches(reference: Candidate) -> None:
    null = null_candidate(reference)
    assert (null.label, null.facts) == (NULL, reference.facts)
    assert null.serve == ServeConfig(cache_type_k="bf16", batch_size=64)
    assert null.note == "null_run: f16 once more, in batches of 64 tokens, to show the noise floor."


@pytest.mark.parametrize("size", [1, 64, 512])
def test_batches_always_differ(size: int, reference: Candidate) -> None:
    served = replace(reference, serve=ServeConfig(batch_size=size))
    assert null_candidate(served).serve.batch_size != size


@pytest.mark.parametrize("concurrency", [1, 2, 3, 16, 128])
def test_concurrency_always_differs(concurrency: int) -> None:
    assert 1 <= null_concurrency(concurrency) != concurrency
