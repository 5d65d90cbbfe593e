"""What can go wrong between here and the Hub, each in one sentence that says what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError, RunError, UserError
from harness.http_errors import HTTP_ERRORS
from harness.models.hub_names import HubId

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

_EXPECTED: tuple[type[Exception], ...] = (*HTTP_ERRORS, OSError, ValueError, LookupError, TypeError)


@contextmanager
def told(hub: HubId, endpoint: str, cache: Path) -> Iterator[None]:
    """Around a conversation with the Hub: its errors, the network's and the disk's as errors of the harness."""
    try:
        yield
    except _EXPECTED as error:
        # The library wraps what kept it from a file in an error that says less.
        cause = error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ is not None else error
        raise _told(cause, hub, endpoint, cache) from error


def _told(error: BaseException, hub: HubId, endpoint: str, cache: Path) -> HarnessError:
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    if isinstance(error, HFValidationError):
        return UserError(f"--model: there is no file {hub.repo}, and as a repository's name it is wrong: {error}.")
    if isinstance(error, HfHubHTTPError):
        return _answered(error, error.response.status_code, hub, endpoint)
    if isinstance(error, OfflineModeIsEnabled):
        return UserError(f"HF_HUB_OFFLINE is set and not all of {hub.repo} is in {cache}; unset it to download.")
    if isinstance(error, HTTP_ERRORS):
        reason = str(error) or type(error).__name__
        return RunError(
            f"{endpoint} cannot be reached for {hub.repo} ({reason}); check the network and run again (what has been "
            f"downloaded is kept), or set HF_HUB_OFFLINE=1 where all of it has been."
        )
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return no_room(cache)
    if isinstance(error, OSError) and error.errno is not None:
        return UserError(f"{cache} cannot hold models: {error.strerror}; set HF_HOME to a folder that can.")
    return RunError(f"{endpoint} did not answer for {hub.repo} as the Hub does ({error}); check HF_ENDPOINT.")


def _answered(error: Exception, status: int, hub: HubId, endpoint: str) -> HarnessError:
    """The Hub's own refusals."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    if isinstance(error, GatedRepoError):
        return UserError(
            f"{hub.repo} is gated; accept its terms on {endpoint}/{hub.repo}, then log in with `hf auth login` "
            f"or set HF_TOKEN to a token that may read it."
        )
    if isinstance(error, RevisionNotFoundError):
        return UserError(f"{hub.repo} has no revision {hub.revision!r}; name a branch, tag or commit behind the @.")
    if isinstance(error, RepositoryNotFoundError):
        return UserError(
            f"{endpoint} has no repository {hub.repo}, or it is private, and there is no file of that name; "
            f"check the name, and where it is private log in with `hf auth login`."
        )
    if status in (401, 403):
        return UserError(f"{endpoint} refuses access to {hub.repo} ({status}); log in again with `hf auth login`.")
    if status == 404:
        return UserError(f"{endpoint} no longer has a file of {hub.repo} that it listed; run again.")
    return RunError(f"{endpoint} answered {status} for {hub.repo}; try again later.")


def no_room(cache: Path) -> RunError:
    """The disk is full, or would be."""
    return RunError(f"there is no room in {cache} for the model; make some, or set HF_HOME to a folder elsewhere.")
