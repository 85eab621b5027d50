"""Makes the two tokens of a session's page: one to look, one to act. They live as long as the session."""

from __future__ import annotations

import secrets

from live.page.app import Tokens


def make() -> Tokens:
    """Two that nobody can foresee."""
    return Tokens(secrets.token_urlsafe(24), secrets.token_urlsafe(24))
