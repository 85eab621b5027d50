"""Takes out of recorded traffic what nobody else may read: tokens, secrets, account numbers, persons.

Two ways, and both are gone: values that are known (what the session holds) and values by their place (keys of JSON that
hold secrets or persons, ``Bearer``, JSON web tokens). An account number becomes an invented one, always the same, so
that addresses and bodies still fit each other. What is invented is of the same type; shapes stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from adapters.tastytrade.errors import ACCOUNT

HIDDEN: Final = "hidden"
_SECRET: Final = """
token auth-token access_token refresh_token id_token client_secret client_id session-token remember-token password
authorization login userId user-id username cancel-user-id cancel-username x-request-id web-socket-session-id
global-request-id
"""
_PERSONAL: Final = """
first-name first-surname second-surname middle-name last-name full-name prefix-name suffix-name birth-date
birth-country email phone-number mobile-phone-number home-phone-number work-phone-number street-one street-two
street-three city state-region postal-code country citizenship-country usa-citizenship-type tax-number tax-number-type
ein visa-type visa-expiration-date external-id job-title employer-name occupation nickname marital-status
number-of-dependents gender ext-crm-id foreign-tax-number identifiable-id address mailing-address entity person
"""
SECRET_KEYS: Final = frozenset(_SECRET.split())
PERSONAL_KEYS: Final = frozenset(_PERSONAL.split())
_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_\-]{6,}\.[A-Za-z0-9_\-]*\.?[A-Za-z0-9_\-]*")
_BEARER: Final = re.compile(r"(?i)\bbearer\s+[^\s\"',]+")
_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9.\-]+\.[A-Za-z]{2,}")
_NOBODYS: Final = re.compile(r"5WT9\d{4}|5WT0000[12]")
"""Account numbers that may be seen: the range from which they are invented, and those that the emulator opens."""


class Scrub:
    """``secrets`` tells what the session holds at the moment. Account numbers are learnt where they stand under
    ``account-number``, or look like one, and are numbered in the order in which they are seen."""

    def __init__(self, secrets: Callable[[], Iterable[str]] = tuple) -> None:
        self._secrets = secrets
        self._accounts: dict[str, str] = {}

    def text(self, text: str) -> str:
        """JSON is cleaned by its keys, and any text by what is known and by what looks like a secret."""
        try:
            value = json.loads(text)
        except ValueError:
            return self._known(text)
        if not isinstance(value, dict | list):
            return self._known(text)
        cleaned = self._clean(value)
        if cleaned == value:
            # As it came, to the last blank and digit.
            return self._known(text)
        return self._known(json.dumps(cleaned, separators=(",", ":")))

    def account(self, number: str) -> str:
        """The invented number for a real one; an invented one stays."""
        if number in self._accounts.values():
            return number
        return self._accounts.setdefault(number, f"5WT{90001 + len(self._accounts)}")

    def _known(self, text: str) -> str:
        for secret in sorted((s for s in self._secrets() if len(s) > 5), key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        text = _BEARER.sub(f"Bearer {HIDDEN}", _JWT.sub(HIDDEN, _EMAIL.sub(HIDDEN, text)))
        text = ACCOUNT.sub(lambda match: self.account(match[0]), text)
        for number, invented in self._accounts.items():
            text = text.replace(number, invented)
        return text

    def _clean(self, value: Any) -> Any:
        match value:
            case dict():
                return {key: self._cleaned(key, inner) for key, inner in value.items()}
            case list():
                return [self._clean(each) for each in value]
        return value

    def _cleaned(self, key: str, value: Any) -> Any:
        if key == "account-number" and isinstance(value, str) and value:
            return self.account(value)
        if isinstance(value, str) and key in SECRET_KEYS:
            return f"Bearer {HIDDEN}" if value.startswith("Bearer ") else HIDDEN
        if isinstance(value, int | float) and not isinstance(value, bool) and key in SECRET_KEYS:
            return 0
        if key in PERSONAL_KEYS:
            return _invented(value)
        return self._clean(value)


def _invented(value: Any) -> Any:
    """The same shape with nothing of a person in it."""
    match value:
        case dict():
            return {key: _invented(inner) for key, inner in value.items()}
        case list():
            return [_invented(each) for each in value]
        case str():
            return "1990-01-01" if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) else HIDDEN
        case bool() | None:
            return value
        case int() | float():
            return 0
    return value


def suspicious(text: str) -> list[str]:
    """What in ``text`` still looks like a secret, a person or a real account, each as where and what kind; empty where
    nothing does. The values themselves are not repeated."""
    found = []
    for kind, pattern in _LOOKS.items():
        for match in pattern.finditer(text):
            value = match[0]
            if kind == "account" and _NOBODYS.fullmatch(value):
                continue
            if kind == "bearer" and value.split()[-1] == HIDDEN:
                continue
            if kind == "long random text" and not _random(value):
                continue
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"line {line}: {kind}, {len(value)} characters")
    return found


def _random(value: str) -> bool:
    """Long text of mixed kinds: no word, no number of digits alone, nothing with structure in it."""
    kinds = sum(bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    hexadecimal = bool(re.fullmatch(r"[0-9a-f]+", value)) and kinds == 2
    return kinds == 3 or hexadecimal


_LOOKS: Final[Mapping[str, re.Pattern[str]]] = {
    "JSON web token": re.compile(r"eyJ[A-Za-z0-9_\-]{6,}"),
    "bearer": re.compile(r"(?i)\bbearer\s+[A-Za-z0-9._\-]+"),
    "e-mail": _EMAIL,
    "account": ACCOUNT,
    "long random text": re.compile(r"[A-Za-z0-9_\-+]{28,}={0,2}"),
}
