"""Words of the other side, made safe to say: one short line without anything that could be a secret.

A server may echo what it was sent. Whatever is told of its frames passes through here; nothing here knows a protocol.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

HIDDEN: Final = "***"
_LONGEST: Final = 160
_LIKE_A_TOKEN: Final = re.compile(r"[A-Za-z0-9_\-+/=.~]{20,}")
"""A run as no word is: a JWT, a key, a session. Endpoint paths of that length are hidden with them."""


def plain(said: object, secrets: Iterable[str] = ()) -> str:
    """``said`` as one printable line of at most 160 characters, without ``secrets`` and without long runs of letters
    and digits. What is not text is told by its type alone."""
    if not isinstance(said, str):
        return "nothing" if said is None else f"a {type(said).__name__}"
    text = said[: 8 * _LONGEST]
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    text = " ".join(_LIKE_A_TOKEN.sub(HIDDEN, text).split())
    text = "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
