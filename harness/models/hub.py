"""GGUF files as they are published on the Hugging Face Hub: what a repository has at one commit, and its downloads.

The cache is the Hub's own, so that what other programs downloaded is not downloaded again. A file is checked against
the SHA-256 that the Hub states before it is used, every time.

``huggingface_hub`` is imported late: it takes half a second, which `harness --help` need not wait for.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import RunError, UserError
from harness.http_errors import READ_ERRORS
from harness.hub_cache import cache_folder
from harness.models.gguf_facts import GgufFacts, file_sha256, read_facts
from harness.models.hub_errors import no_room, told
from harness.models.hub_names import HubFile, HubId, Published, published

ATTEMPTS = 5
"""Connections that may be reset in the middle of one file; the library itself resumes after most other cuts."""
MAX_BYTES = 50 * 10**9
"""Larger files the Hub does not give over plain HTTP."""
_COMMIT, _SHA256 = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")
_TRUE = ("1", "on", "yes", "true")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository at one commit."""

    id: HubId
    endpoint: str
    """Address of the Hub."""
    cache: Path
    """The Hub's cache on this machine."""
    commit: str
    published: tuple[Published, ...]

    def __str__(self) -> str:
        """What ``--model`` takes for this very commit."""
        return f"{self.id.repo}@{self.commit}"

    @property
    def listing(self) -> str:
        """What there is, for people."""
        return ", ".join(one.label for one in self.published)

    def find(self, name: str) -> Published | None:
        """The quantization of that name, in capitals or not."""
        return next((one for one in self.published if one.label == name.lower()), None)

    def facts(self, wanted: Published, say: Callable[[str], None]) -> GgufFacts:
        """Download what is not in the cache, check all of it, and read it.

        Raises:
            UserError: the repository does not let us, or lacks a part.
            RunError: network, disk or a wrong hash.
        """
        if len(wanted.files) != wanted.n_parts:
            there = ", ".join(file.name for file in wanted.files)
            raise UserError(f"{self.id.repo} has only {there} of the {wanted.n_parts} parts of {wanted.label}.")
        paths = [self._fetch(file, say) for file in wanted.files]
        self._remember()
        hashes = [self._checked(file, path) for file, path in zip(wanted.files, paths, strict=True)]
        return read_facts(paths[0], hashes)

    def _fetch(self, file: HubFile, say: Callable[[str], None]) -> Path:
        """Path of the file in the cache's snapshot of the commit."""
        import huggingface_hub

        path = _folder(self.cache, self.id.repo) / "snapshots" / self.commit / file.name
        if path.is_file():
            return path
        if offline():
            raise UserError(f"HF_HUB_OFFLINE is set and {file.name} of {self} is not in {self.cache}; unset it.")
        if file.bytes > MAX_BYTES:
            raise UserError(
                f"{file.name} is larger than the Hub gives over plain HTTP; download it first with "
                f"`hf download {self.id.repo} {file.name} --revision {self.commit}`."
            )
        say(f"downloading {file.name} of {self.id.repo} ({file.bytes / 1e9:,.2f} GB)")
        with told(self.id, self.endpoint, self.cache):
            if file.sha256 is not None:
                self._fill_blob(file, file.sha256)
            huggingface_hub.hf_hub_download(
                self.id.repo, file.name, revision=self.commit, endpoint=self.endpoint, cache_dir=self.cache
            )
        return path

    def _remember(self) -> None:
        """Write down, as the library does, which commit the branch or tag is at, to find it without the Hub."""
        if self.id.revision == self.commit or offline():
            return
        ref = _folder(self.cache, self.id.repo) / "refs" / self.id.revision
        with told(self.id, self.endpoint, self.cache):
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(self.commit, encoding="utf-8")

    def _fill_blob(self, file: HubFile, sha256: str) -> None:
        """Put the file's bytes where the library looks for them.

        Not by the library's own downloads: they begin at zero again when the program does, and a connection that is
        reset ends them.
        """
        from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]  # it is public, by its own means

        folder = _folder(self.cache, self.id.repo)
        blob = folder / "blobs" / sha256
        partial = blob.with_name(f"{sha256}.incomplete")
        lock = self.cache / ".locks" / folder.name / f"{sha256}.lock"
        for parent in (blob.parent, lock.parent):
            parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(lock):
            if blob.exists():
                return
            have = partial.stat().st_size if partial.exists() else 0
            if shutil.disk_usage(blob.parent).free < file.bytes - have:
                raise no_room(self.cache)
            self._resume(file, partial)
            partial.replace(blob)

    def _resume(self, file: HubFile, partial: Path) -> None:
        """Download what is missing, with a bar on standard error where that is a terminal."""
        from huggingface_hub import get_token, hf_hub_url
        from huggingface_hub.file_download import http_get

        token = get_token()
        url = hf_hub_url(self.id.repo, file.name, revision=self.commit, endpoint=self.endpoint)
        for attempt in range(1, ATTEMPTS + 1):
            with partial.open("ab") as out:
                if out.tell() > file.bytes:
                    out.seek(0)
                    out.truncate()
                try:
                    http_get(
                        url,
                        out,
                        resume_size=out.tell(),
                        headers={"Authorization": f"Bearer {token}"} if token else {},
                        expected_size=file.bytes,
                        displayed_filename=file.name,
                    )
                except READ_ERRORS:
                    if attempt == ATTEMPTS:
                        raise
                else:
                    return

    def _checked(self, file: HubFile, path: Path) -> str:
        """The file's hash, which is the one that the Hub states."""
        found = file_sha256(path)
        if found == file.sha256 or (file.sha256 is None and offline()):  # a cache without links does not keep hashes
            return found
        if file.sha256 is None:
            raise UserError(
                f"{file.name} of {self.id.repo} is not in the Hub's large-file storage, so there is no SHA-256 to "
                f"check it against; if you trust it, give the path {path} instead."
            )
        # Both the link and what it points to, or the next download would find the file there already.
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise RunError(
            f"{file.name} of {self} hashes to {found[:12]}..., and the Hub says {file.sha256[:12]}...; it was removed, "
            f"so run again, and where that does not help tell the publisher."
        )


def open_repository(hub: HubId) -> Repository:
    """Ask the Hub what there is at the revision; where ``HF_HUB_OFFLINE`` is set, look into the cache.

    Raises:
        UserError: no such repository or revision, no access, or nothing in it that can be named.
        RunError: the Hub cannot be reached.
    """
    endpoint, cache = _endpoint(), _cache()
    with told(hub, endpoint, cache):
        commit, files = _cached(hub, cache) if offline() else _listed(hub, endpoint)
    return Repository(hub, endpoint, cache, commit, published(hub.repo, files))


def _listed(hub: HubId, endpoint: str) -> tuple[str, list[HubFile]]:
    import huggingface_hub

    info = huggingface_hub.HfApi(endpoint=endpoint).model_info(
        hub.repo, revision=hub.revision, files_metadata=True, timeout=60
    )
    files = [HubFile(one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else None) for one in info.siblings or ()]
    # All of these become parts of paths here.
    hashes = [file.sha256 for file in files if file.sha256]
    if not _COMMIT.fullmatch(info.sha or "") or not all(map(_SHA256.fullmatch, hashes)):
        raise ValueError("its hashes are none")
    if any({"..", ""} & set(file.name.split("/")) for file in files):
        raise ValueError("its files are outside of the repository")
    return str(info.sha), files


def _cached(hub: HubId, cache: Path) -> tuple[str, list[HubFile]]:
    """The commit and the files that the cache has of it; the names of its blobs are their hashes."""
    folder = _folder(cache, hub.repo)
    ref = folder / "refs" / hub.revision
    commit = ref.read_text(encoding="utf-8").strip() if ref.is_file() else hub.revision
    snapshot = folder / "snapshots" / commit
    if not snapshot.is_dir():
        raise UserError(
            f"HF_HUB_OFFLINE is set and {hub.repo} at {hub.revision} is not in {cache}; unset it to download, "
            f"or name a revision that is there."
        )
    paths = sorted(path for path in snapshot.rglob("*") if path.is_file())
    return commit, [
        HubFile(path.relative_to(snapshot).as_posix(), path.stat().st_size, blob if _SHA256.fullmatch(blob) else None)
        for path in paths
        for blob in [path.resolve().name]
    ]


def _folder(cache: Path, repo: str) -> Path:
    """Where the cache keeps a model repository."""
    return cache / f"models--{repo.replace('/', '--')}"


# The library reads these once, when it is first imported; here they count whenever they are set.


def offline() -> bool:
    """Whether the Hub is not to be asked."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in _TRUE


def _endpoint() -> str:
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def _cache() -> Path:
    return cache_folder("hub", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
