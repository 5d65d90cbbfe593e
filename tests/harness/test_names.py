from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.names import is_plain_name


@pytest.mark.parametrize("name", ["default", "3.0.0", "de-en", "wikitext-2-raw-v1", "Größe", "..."])
def test_plain_names(name: str) -> None:
    assert is_plain_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/x", "a/b", "a\\b", "a\0b", "a\nb"])
def test_names_that_reach_elsewhere(name: str) -> None:
    assert not is_plain_name(name)


@given(st.text())
def test_a_plain_name_stays_within_its_folder(name: str) -> None:
    if is_plain_name(name):
        assert Path("/folder", name).parent == Path("/folder")
        assert ".." not in Path("/folder", name).parts
