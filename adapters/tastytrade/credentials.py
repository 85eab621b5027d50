"""The two secrets of an OAuth grant, from the environment or the desktop's keyring and from nowhere else.

| what | production | sandbox |
|---|---|---|
| client secret | ``TASTYTRADE_CLIENT_SECRET`` | ``TASTYTRADE_CLIENT_SECRET_SANDBOX`` |
| refresh token | ``TASTYTRADE_REFRESH_TOKEN`` | ``TASTYTRADE_REFRESH_TOKEN_SANDBOX`` |

In the keyring: service ``tomking.tastytrade.production`` or ``tomking.tastytrade.sandbox``, user names
``client-secret`` and ``refresh-token``. A variable that is set wins. Neither environment ever takes the other's: a
sandbox run must not carry the secrets of real money. Refuses files, arguments and configuration, and to be printed,
pickled or encoded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final, NoReturn

from adapters.tastytrade.errors import CredentialError, NoCredentials
from adapters.tastytrade.sites import Environment

Keyring = Callable[[str, str], str | None]
"""(service, user name) -> the value, None where it has none. CredentialError where the keyring cannot be asked."""

CLIENT_SECRET: Final = "client-secret"
REFRESH_TOKEN: Final = "refresh-token"
_NAMES: Final[Mapping[str, str]] = {
    CLIENT_SECRET: "TASTYTRADE_CLIENT_SECRET",
    REFRESH_TOKEN: "TASTYTRADE_REFRESH_TOKEN",
}


class Credentials:
    """Not a dataclass: ``asdict`` and every encoder that knows dataclasses would write the values out."""

    __slots__ = ("_client_secret", "_refresh_token")

    def __init__(self, client_secret: str, refresh_token: str) -> None:
        for name, value in ((CLIENT_SECRET, client_secret), (REFRESH_TOKEN, refresh_token)):
            if not _possible(value):
                raise NoCredentials(f"the {name} is empty or holds a blank or a character that no {name} has")
        self._client_secret = client_secret
        self._refresh_token = refresh_token

    @property
    def client_secret(self) -> str:
        return self._client_secret

    @property
    def refresh_token(self) -> str:
        return self._refresh_token

    def __repr__(self) -> str:
        return "Credentials(hidden)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise CredentialError("credentials are not copied or pickled: load them where they are used")

    @staticmethod
    def load(
        environment: Environment, environ: Mapping[str, str] | None = None, keyring: Keyring | None = None
    ) -> Credentials:
        """From the variables, then the keyring. NoCredentials, one line, that names what is missing or malformed."""
        variables = os.environ if environ is None else environ
        found, why = _find(environment, variables, keyring)
        for what, value in found.items():
            name = variable(environment, what)
            if not _possible(value):
                place = name if variables.get(name, "").strip() else f"{service(environment)}'s {what} in the keyring"
                raise NoCredentials(
                    f"{place} holds a blank or a character that no {what} has: set {name} to the {what} as it was given"
                )
        if absent := _absent(environment, found):
            raise NoCredentials(
                f"{environment} needs {' and '.join(absent)}: set {'it' if len(absent) == 1 else 'them'}, or keep "
                f"{'it' if len(absent) == 1 else 'them'} in the keyring under {service(environment)}{why}"
            )
        return Credentials(found[CLIENT_SECRET], found[REFRESH_TOKEN])


def _possible(value: str) -> bool:
    return bool(value) and value.isascii() and value.isprintable() and " " not in value


def variable(environment: Environment, what: str) -> str:
    """The name of the variable for ``what`` (``CLIENT_SECRET`` or ``REFRESH_TOKEN``)."""
    return _NAMES[what] + ("_SANDBOX" if environment is Environment.SANDBOX else "")


def service(environment: Environment) -> str:
    return f"tomking.tastytrade.{environment}"


def missing(
    environment: Environment, environ: Mapping[str, str] | None = None, keyring: Keyring | None = None
) -> tuple[str, ...]:
    """The variables that would complete the credentials of ``environment``; empty where they are complete."""
    found, _ = _find(environment, os.environ if environ is None else environ, keyring)
    return _absent(environment, found)


def _absent(environment: Environment, found: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(variable(environment, what) for what in _NAMES if what not in found)


def _find(
    environment: Environment, variables: Mapping[str, str], keyring: Keyring | None
) -> tuple[dict[str, str], str]:
    """What there is; and why the keyring was of no help, where it was not."""
    found = {what: value for what in _NAMES if (value := variables.get(variable(environment, what), "").strip())}
    why = ""
    for what in [name for name in _NAMES if name not in found]:
        try:
            kept = (keyring or ask_keyring)(service(environment), what)
        except CredentialError as error:
            why = f" ({error})"
            break
        if kept and kept.strip():
            found[what] = kept.strip()
    return found, why


def ask_keyring(service_name: str, user: str) -> str | None:
    """The desktop's keyring. CredentialError where the package is not installed, or there is no keyring or it is
    locked."""
    try:
        # Not an import statement: the type checker runs where the extra is not installed.
        ring = import_module("keyring")
        fault: type[Exception] = import_module("keyring.errors").KeyringError
    except ImportError:
        raise CredentialError("the keyring is not installed: pip install 'tomking[keyring]'") from None
    try:
        value = ring.get_password(service_name, user)
        return value if isinstance(value, str) else None
    except (fault, RuntimeError, OSError) as error:
        raise CredentialError(f"the keyring cannot be asked: {type(error).__name__}") from None
