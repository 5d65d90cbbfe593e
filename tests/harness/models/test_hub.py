from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hub_stand_in import NAME, Repo, StandIn

from harness.errors import HarnessError, RunError, UserError
from harness.models.gguf_facts import GgufFacts, read_facts
from harness.models.hub import Repository, open_repository
from harness.models.hub_errors import told
from harness.models.hub_names import HubId

F16, Q8 = "Little-F16.gguf", "Little-Q8_0.gguf"
CHUNK = 10 * 1024 * 1024
"""What is kept of a cut download is a multiple of this: so much the library takes from the connection at once."""


@pytest.fixture
def big() -> bytes:
    """A file of several chunks that begins like a GGUF."""
    return b"GGUF" + os.urandom(1024) * 41_000


def take(repo: Repository, label: str = "f16", said: list[str] | None = None) -> GgufFacts:
    found = repo.find(label)
    assert found is not None
    return repo.facts(found, (said if said is not None else []).append)


def refusal(kind: type[HarnessError], call: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    return str(caught.value)


def cached(tmp_path: Path) -> list[str]:
    """Names of the files in the cache of the repository."""
    folder = tmp_path / "home" / "hub" / f"models--{NAME.replace('/', '--')}"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# Downloads


def test_a_file_is_downloaded_once_into_the_hub_s_cache(hub: StandIn, little_f16: Path, tmp_path: Path) -> None:
    said: list[str] = []
    repo = open_repository(HubId(NAME))
    facts = take(repo, said=said)
    commit, sha256 = hub.repos[NAME].commit, read_facts(little_f16).sha256
    assert (repo.commit, str(repo)) == (commit, f"{NAME}@{commit}")
    assert facts.sha256 == sha256
    assert cached(tmp_path) == [f"blobs/{sha256}", "refs/main", f"snapshots/{commit}/{F16}"]
    assert said == [f"downloading {F16} of {NAME} (0.00 GB)"]
    again = take(open_repository(HubId(NAME)), said=said)
    assert again == facts
    assert (len(said), len(hub.downloads(F16))) == (1, 1)


def test_the_token_goes_to_the_hub_and_to_nobody_else(hub: StandIn) -> None:
    take(open_repository(HubId(NAME)))
    asked = {(one.host, one.headers.get("authorization")) for one in hub.seen}
    assert asked == {("127.0.0.1", "Bearer hf_ours"), ("localhost", None)}


def test_what_the_library_itself_downloaded_is_taken(hub: StandIn, tmp_path: Path) -> None:
    import huggingface_hub

    huggingface_hub.hf_hub_download(NAME, F16, endpoint=hub.url, cache_dir=tmp_path / "home" / "hub")
    take(open_repository(HubId(NAME)))
    assert len(hub.downloads(F16)) == 1


@pytest.mark.parametrize("reset", [False, True], ids=["ends", "is reset"])
def test_a_connection_that_is_cut_is_resumed(reset: bool, hub: StandIn, big: bytes) -> None:
    hub.repos[NAME] = Repo({F16: big}, cuts=[(3 * CHUNK, reset)])
    said = refusal(UserError, lambda: take(open_repository(HubId(NAME))))
    assert "is damaged" in said  # it came whole, and is no GGUF: the hash was right
    first, second = hub.downloads(F16)
    assert "range" not in first.headers
    start = int(second.headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert start in ((CHUNK, 2 * CHUNK, 3 * CHUNK) if reset else (3 * CHUNK,))


def test_a_run_that_was_stopped_is_gone_on_with_by_the_next(hub: StandIn, little_f16: Path, tmp_path: Path) -> None:
    data = little_f16.read_bytes()
    blobs = tmp_path / "home" / "hub" / "models--someone--Little-GGUF" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{hashlib.sha256(data).hexdigest()}.incomplete").write_bytes(data[:100_000])
    assert take(open_repository(HubId(NAME))).sha256 == hashlib.sha256(data).hexdigest()
    assert [one.headers["range"] for one in hub.downloads(F16)] == ["bytes=100000-"]
    assert list(blobs.glob("*.incomplete")) == []


def test_leftovers_that_are_too_long_are_begun_again(hub: StandIn, little_f16: Path, tmp_path: Path) -> None:
    data = little_f16.read_bytes()
    blobs = tmp_path / "home" / "hub" / "models--someone--Little-GGUF" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{hashlib.sha256(data).hexdigest()}.incomplete").write_bytes(data + b"!")
    assert take(open_repository(HubId(NAME))).bytes == len(data)
    assert ["range" in one.headers for one in hub.downloads(F16)] == [False]


def test_all_parts_are_downloaded(hub: StandIn, split_gguf: Callable[..., list[Path]], little_f16: Path, tmp_path):
    parts = split_gguf(little_f16, tmp_path / "parts", 4, "Little-F16")
    hub.repos[NAME] = Repo({f"F16/{path.name}": path.read_bytes() for path in reversed(parts)})
    facts = take(open_repository(HubId(NAME)))
    assert [file.path.name for file in facts.files] == [path.name for path in parts]
    assert facts.tensors == read_facts(little_f16).tensors
    assert facts.sha256 == read_facts(parts[0]).sha256


def test_a_part_that_is_not_published(hub: StandIn) -> None:
    hub.repos[NAME] = Repo({"Little-F16-00002-of-00002.gguf": b"GGUF"})
    said = refusal(UserError, lambda: take(open_repository(HubId(NAME))))
    assert said == f"{NAME} has only Little-F16-00002-of-00002.gguf of the 2 parts of f16."


def test_a_file_that_is_too_large_for_http(hub: StandIn) -> None:
    repo = open_repository(HubId(NAME))
    (found,) = repo.published
    large = replace(found, files=(replace(found.files[0], bytes=60 * 10**9),))
    said = refusal(UserError, lambda: repo.facts(large, print))
    assert said.endswith(f"download it first with `hf download {NAME} {F16} --revision {repo.commit}`.")
    assert hub.downloads(F16) == []


# Wrong bytes


def test_a_wrong_hash_is_refused_and_not_kept(hub: StandIn, little_f16: Path, tmp_path: Path) -> None:
    data = little_f16.read_bytes()
    hub.repos[NAME].lies[F16] = data[:-1] + bytes([data[-1] ^ 1])
    said = refusal(RunError, lambda: take(open_repository(HubId(NAME))))
    assert said.startswith(f"{F16} of {NAME}@{hub.repos[NAME].commit} hashes to ")
    assert said.endswith("it was removed, so run again, and where that does not help tell the publisher.")
    assert cached(tmp_path) == ["refs/main"]
    hub.repos[NAME].lies.clear()
    assert take(open_repository(HubId(NAME))).bytes == len(data)


def test_a_file_that_was_damaged_in_the_cache_is_refused(hub: StandIn, little_f16: Path) -> None:
    path = take(open_repository(HubId(NAME))).path
    path.write_bytes(path.read_bytes()[:-1])
    assert "hashes to" in refusal(RunError, lambda: take(open_repository(HubId(NAME))))
    assert take(open_repository(HubId(NAME))).bytes == little_f16.stat().st_size


def test_a_file_without_a_hash_is_not_trusted(hub: StandIn) -> None:
    hub.repos[NAME].large = False
    said = refusal(UserError, lambda: take(open_repository(HubId(NAME))))
    assert f"{F16} of {NAME} is not in the Hub's large-file storage" in said


@pytest.mark.parametrize("name", ["../../Little-F16.gguf", "/etc/Little-F16.gguf"])
def test_names_that_lead_out_of_the_cache_are_refused(name: str, hub: StandIn) -> None:
    hub.repos[NAME].files[name] = b"GGUF"
    assert "did not answer" in refusal(RunError, lambda: open_repository(HubId(NAME)))


# Refusals


def test_a_gated_repository(hub: StandIn) -> None:
    hub.repos[NAME].gated = True
    assert refusal(UserError, lambda: take(open_repository(HubId(NAME)))) == (
        f"{NAME} is gated; accept its terms on {hub.url}/{NAME}, then log in with `hf auth login` or set HF_TOKEN to "
        "a token that may read it."
    )


def test_a_repository_that_is_not_there(hub: StandIn) -> None:
    assert refusal(UserError, lambda: open_repository(HubId("no/body"))) == (
        f"{hub.url} has no repository no/body, or it is private, and there is no file of that name; check the name, "
        "and where it is private log in with `hf auth login`."
    )


def test_a_revision_that_is_not_there(hub: StandIn) -> None:
    assert refusal(UserError, lambda: open_repository(HubId(NAME, "v9"))) == (
        f"{NAME} has no revision 'v9'; name a branch, tag or commit behind the @."
    )


def test_a_name_that_no_repository_can_have(hub: StandIn) -> None:
    assert "as a repository's name it is wrong" in refusal(UserError, lambda: open_repository(HubId("a/b--c")))


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (403, UserError, "log in again with `hf auth login`"),
        (404, UserError, "no longer has"),
        (500, RunError, "answered 500"),
    ],
)
def test_other_answers(status: int, kind: type[HarnessError], words: str, hub: StandIn) -> None:
    hub.status = status
    with pytest.raises(kind, match=words):
        open_repository(HubId(NAME))


def test_an_address_where_something_else_answers(hub: StandIn) -> None:
    hub.status = 200
    assert refusal(RunError, lambda: open_repository(HubId(NAME))).endswith("; check HF_ENDPOINT.")


def test_no_network(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    said = refusal(RunError, lambda: open_repository(HubId(NAME)))
    assert said.startswith(f"http://127.0.0.1:1 cannot be reached for {NAME} (")
    assert said.endswith("set HF_HUB_OFFLINE=1 where all of it has been.")


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    def write() -> None:
        with told(HubId(NAME), "http://hub", tmp_path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert refusal(RunError, write).startswith(f"there is no room in {tmp_path} for the model; ")


def test_a_cache_that_cannot_be_written(hub: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HF_HOME", str(tmp_path / "file"))
    said = refusal(UserError, lambda: take(open_repository(HubId(NAME))))
    assert said == f"{tmp_path}/file/hub cannot hold models: Not a directory; set HF_HOME to a folder that can."


def test_a_connection_that_is_always_cut(hub: StandIn) -> None:
    def fail() -> None:
        with told(HubId(NAME), "http://hub", Path("/cache")):
            raise httpx.ReadError("[Errno 104] Connection reset by peer")

    assert "(what has been downloaded is kept)" in refusal(RunError, fail)


# Without the Hub


def test_a_complete_cache_is_enough(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = open_repository(HubId(NAME))
    facts = take(repo)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub.seen.clear()
    for revision in ("main", repo.commit):
        again = open_repository(HubId(NAME, revision))
        assert (again.commit, again.published) == (repo.commit, repo.published)
        assert take(again) == facts
    assert hub.seen == []


def test_what_is_not_in_the_cache_is_told(hub: StandIn, monkeypatch: pytest.MonkeyPatch, little_f16: Path) -> None:
    hub.repos[NAME].files[Q8] = little_f16.read_bytes()
    repo = open_repository(HubId(NAME))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    said = refusal(UserError, lambda: take(repo, "q8_0"))
    assert said.startswith(f"HF_HUB_OFFLINE is set and {Q8} of {NAME}@")
    said = refusal(UserError, lambda: open_repository(HubId(NAME)))
    assert said.startswith(f"HF_HUB_OFFLINE is set and {NAME} at main is not in ")


def test_the_library_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, harness.models.hub; sys.exit('huggingface_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
