"""What docs/clients.md says to type is typed, with the address of a real server in the place of the example's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Client

    from tests.conftest import ServerUnderTest

ROOT = Path(__file__).parents[2]
URL = "http://127.0.0.1:8001/v1"
SECTIONS = {"Inspect": "clients_python", "openai": "clients_python", "LangChain": "clients_python"} | {
    "LiteLLM": "evals_python"
}


def blocks(section: str) -> list[str]:
    """The indented blocks of a section of the page."""
    page = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {section}\n(.*?)(?=^## )", page, re.DOTALL | re.MULTILINE)
    assert found is not None
    indented = re.findall(r"(?:^    .*\n|^\n(?=    ))+", found[1], re.MULTILINE)
    return [re.sub("^    ", "", block, flags=re.MULTILINE).strip() + "\n" for block in indented]


@pytest.mark.parametrize("section", SECTIONS)
def test_what_the_page_says_to_type(
    section: str, world: ServerUnderTest, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    client: Client = request.getfixturevalue(SECTIONS[section])
    here = [block.replace(URL, world.url).replace("mine", world.id) for block in blocks(section)]
    programs = [block for block in here if re.match("from|import", block)]
    lines = [block for block in here if block.startswith(("inspect ", "LOCAL_API_KEY"))]
    assert programs
    if not lines:
        printed = client.run("-c", programs[0]).stdout
        assert re.search(r"-\d+\.\d+", printed) or section == "LiteLLM", printed
        assert printed.strip()
        return
    (file,) = set(re.findall(r"\w+\.py", lines[0]))
    (tmp_path / file).write_text(programs[0], encoding="utf-8")
    for line in lines:
        shown = client.shell(f"{line.strip()} --display plain", cwd=tmp_path).stdout
        assert re.search(r"perplexity_per_token\s+\d", shown), shown
