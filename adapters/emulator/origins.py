"""Who may call from a browser: pages of this machine. No page of another site, whatever it sends and to which stream.

A browser says where a page came from in ``Origin``; programs do not send one.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def foreign(origin: str | None) -> bool:
    """Whether an ``Origin`` is of a page that is not of this machine. ``null``, which a page without an address sends,
    is foreign; none at all is a program's."""
    if origin is None:
        return False
    try:
        parts = urlsplit(origin)
        return parts.scheme not in ("http", "https") or parts.hostname not in LOCAL
    except ValueError:
        return True
