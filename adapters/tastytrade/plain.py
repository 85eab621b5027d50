"""Words of the other side, made safe to say: one short line without anything that could be a secret.

A server may echo what it was sent. Whatever is told of its frames passes through here; nothing here knows a protocol.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

HIDDEN: Final = "***"
_LONGEST: Final = 160
_LONG: Final = re.compile(r"eyJ[\w.\-]+|[A-Za-z0-9_\-+=~]{16,}")
"""What a JWT begins with, and runs as long as few words are."""


def plain(said: object, secrets: Iterable[str] = ()) -> str:
    """``said`` as one printable line of at most 160 characters, without ``secrets`` and without anything
    that looks like a token. What is not text is told by its type alone."""
    if not isinstance(said, str):
        return "nothing" if said is None else f"a {type(said).__name__}"
    text = said[: 8 * _LONGEST]
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    text = " ".join(_LONG.sub(_unless_words, text).split())
    text = "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _unless_words(run: re.Match[str]) -> str:
    """``connect-not-completed`` and ``UNSUPPORTED_PROTOCOL`` are words; what mixes cases or has digits may be a key."""
    text = run[0]
    words = text.replace("-", "").replace("_", "")
    return text if words.isalpha() and (text.islower() or text.isupper()) else HIDDEN
