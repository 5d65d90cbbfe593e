"""The key that an endpoint wants: what of it can be sent."""

from __future__ import annotations

from harness.errors import UserError


def read_key(text: str | None) -> str | None:
    """The key without the white space around it, such as the line's end of a file; None where nothing is left.

    Raises:
        UserError: no HTTP header can hold it. The sentence does not quote it.
    """
    key = (text or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise UserError(
            "the endpoint's key holds something else than printable ASCII, so it cannot be sent; look at "
            "HARNESS_ENDPOINT_KEY, or at the option that gives it."
        )
    return key or None
