"""What looks like a token and is none: made when it is wanted, so that no file of the repository holds one."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import msgspec


def web_token() -> str:
    """A JSON web token of nobody: header, claims and a signature of zeros, each in URL-safe Base64 without padding."""
    parts = (msgspec.json.encode({"alg": "HS256"}), msgspec.json.encode({"sub": "nobody"}), bytes(16))
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
