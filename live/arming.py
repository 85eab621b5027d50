"""The written one of production's two keys: what a person has armed, until when, and how much it may lose a day.

An arming is bound to one account, one configuration and one version of the program, and ends by itself. It lies in a
file of mode 0600 in a folder of mode 0700, both of the user who runs this: anything else is refused, not repaired. The
account stands in it as a salted hash and its last four characters, never in full; the hash keeps the number out of
sight, not out of reach of who owns the file. Beside it lies a log that is only added to: who armed what until when, and
who disarmed.

Refuses to arm for more than a week, to read a file that others could have written, and to trade: the other key, and
whether anything is sent, are of ``adapters.tastytrade.production``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import pwd
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from string import hexdigits
from typing import Any, Final

from sim.calendar import ny
from sim.model.errors import ConfigError

LONGEST_NS: Final = 7 * 86_400 * 1_000_000_000
LAST: Final = 4
"""Characters of the account that are shown and typed."""
SHORTEST: Final = 6
"""An account number of fewer characters would be given away by its last ones."""
SALT: Final = 16
"""Characters of salt, at least."""
MOST_LOSS: Final = Decimal(10) ** 12
MOST_FX: Final = Decimal(1000)
FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
LARGEST: Final = 65_536
"""Bytes of a file that is read."""
UNWRITTEN: Final = "production is not armed: `tomking live arm` writes its first key"
_AGAIN: Final = "arm again with `tomking live arm`"


@dataclass(frozen=True, slots=True)
class Arming:
    """``account_hash``: salt and sha256, ``salt:hex``. ``max_loss`` in account currency a day. Instants UTC ns.
    ``unattended``: no person watches. ``fx``: dollars per unit of account currency on the day of the arming, None where
    none was given. ConfigError, one line, for values that do not fit, whoever made them."""

    account_hash: str
    last4: str
    max_loss: Decimal
    until_ns: int
    config_hash: str
    code_version: str
    unattended: bool
    made_ns: int
    fx: Decimal | None = None

    def __post_init__(self) -> None:
        salt, _, digest = self.account_hash.partition(":")
        if not _plain(salt, SALT) or len(digest) != 64 or not set(digest) <= set(hexdigits):
            raise ConfigError(f"arming: the account's hash is none; {_AGAIN}")
        if len(self.last4) != LAST or not _plain(self.last4, LAST):
            raise ConfigError(f"arming: the account's last characters are {self.last4!r}, wanted {LAST}; {_AGAIN}")
        if not self.max_loss.is_finite() or not 0 < self.max_loss < MOST_LOSS:
            raise ConfigError(f"arming: the loss a day is {self.max_loss}, wanted an amount above 0")
        if self.fx is not None and not (self.fx.is_finite() and MOST_FX > self.fx > 1 / MOST_FX):
            raise ConfigError(f"arming: the exchange rate is {self.fx}, wanted dollars per unit of account currency")
        if not self.made_ns < self.until_ns:
            raise ConfigError(f"arming until {_when(self.until_ns)} is over before it begins: give a later instant")
        if self.until_ns - self.made_ns > LONGEST_NS:
            raise ConfigError(f"arming until {_when(self.until_ns)} is for more than 7 days: give an earlier instant")
        for what, value in (("configuration", self.config_hash), ("program's version", self.code_version)):
            if not value.strip():
                raise ConfigError(f"arming: the {what} is not known, so that nothing could be bound to it")

    @staticmethod
    def of(
        account: str,
        *,
        salt: str,
        max_loss: Decimal,
        until_ns: int,
        config_hash: str,
        code_version: str,
        now: int,
        unattended: bool = False,
        fx: Decimal | None = None,
    ) -> Arming:
        """For an account number, which is not kept. ``salt``: random text from outside, new for each arming."""
        if not _plain(account, SHORTEST):
            raise ConfigError("arming: that is no account number; wanted letters and digits as the broker writes it")
        if not _plain(salt, SALT):
            raise ConfigError(
                f"arming: the salt is too short or no plain text; wanted {SALT} letters and digits or more"
            )
        return Arming(
            hash_account(account, salt), account[-LAST:], max_loss, until_ns, config_hash, code_version, unattended,
            now, fx,
        )  # fmt: skip

    def describe(self) -> str:
        """``account …0001 until 2026-11-20 16:00 New York, at most 500 a day``."""
        alone = ", unattended" if self.unattended else ""
        return f"account …{self.last4} until {_when(self.until_ns)}, at most {self.max_loss:f} a day{alone}"


def _plain(text: str, least: int) -> bool:
    """Whether it is so many letters and digits, or more."""
    return len(text) >= least and text.isascii() and text.isalnum()


def hash_account(account: str, salt: str) -> str:
    """``salt:hex``, by which an account number is known again."""
    return f"{salt}:{hashlib.sha256(f'{salt}:{account}'.encode()).hexdigest()}"


def typed_matches(typed: str, account: str) -> bool:
    """Whether somebody typed the last four characters of the account, and nothing but them."""
    wanted, said = account[-LAST:].upper(), typed.strip().upper()
    return len(account) >= SHORTEST and said.isascii() and hmac.compare_digest(said, wanted)


def check(arming: Arming | None, *, account: str, config_hash: str, code_version: str, now: int) -> str:
    """Empty where production is armed for this account, configuration and program at this instant; else one line that
    says why it is not."""
    if arming is None:
        return UNWRITTEN
    salt = arming.account_hash.partition(":")[0]
    if not hmac.compare_digest(hash_account(account, salt).encode(), arming.account_hash.encode()):
        return f"the arming is for another account, …{arming.last4}: {_AGAIN} for this one"
    return bound(arming, config_hash=config_hash, code_version=code_version, now=now)


def bound(arming: Arming, *, config_hash: str, code_version: str, now: int) -> str:
    """The same of everything but the account."""
    if now >= arming.until_ns:
        return f"the arming ended at {_when(arming.until_ns)}: {_AGAIN}"
    if now < arming.made_ns:
        return (
            f"the arming is of {_when(arming.made_ns)}, which is still to come: set this machine's clock, or {_AGAIN}"
        )
    if config_hash != arming.config_hash:
        return f"the configuration has changed since it was armed: look at what changed, then {_AGAIN}"
    if code_version != arming.code_version:
        return f"the program has changed since it was armed: look at what changed, then {_AGAIN}"
    return ""


def write(path: Path, arming: Arming, *, who: str = "") -> None:
    """Arms: the log first, then the file, whole or not at all. The folder is made where there is none.

    ``who`` armed it: the user of this process where it is empty. ConfigError where the folder, the log or what stands
    at ``path`` is not the user's alone, and where they cannot be written: then nothing is armed that was not before.
    """
    part = f".{path.name}.{arming.made_ns}"
    try:
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        with _folder(path) as folder:
            _ours(path.parent, os.fstat(folder), FOLDER_MODE)
            with suppress(FileNotFoundError):
                _ours(path, os.stat(path.name, dir_fd=folder, follow_symlinks=False), FILE_MODE)
            _log(path, folder, arming.made_ns, f"{_who(who)} armed {arming.describe()}", arming)
            try:
                with open(part, "xb", opener=_opener(folder)) as out:
                    out.write(json.dumps(_record(arming), indent=2).encode() + b"\n")
                    out.flush()
                    os.fsync(out.fileno())
                os.replace(part, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(part, dir_fd=folder)
            os.fsync(folder)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}; nothing more is armed") from None


def read(path: Path) -> Arming | None:
    """The arming, None where there is none. ConfigError, one line, for a file or a folder with other rights or of
    another owner, and for one that cannot be read: nothing is armed by it."""
    try:
        with _folder(path) as folder:
            fd = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
            with open(fd, "rb") as file:
                _ours(path.parent, os.fstat(folder), FOLDER_MODE)
                _ours(path, os.fstat(fd), FILE_MODE)
                raw = file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; remove it and {_AGAIN}") from None
    try:
        return _arming(json.loads(raw) if len(raw) <= LARGEST else None)
    except (ValueError, RecursionError):
        raise ConfigError(f"{path} holds no arming that can be read; remove it and {_AGAIN}") from None


def disarm(path: Path, *, now: int, who: str = "") -> bool:
    """Takes the file away, whatever is in it and whoever may read it; whether there was one. ConfigError where it could
    not be removed, or was and that could not be written down."""
    try:
        with _folder(path) as folder:
            os.unlink(path.name, dir_fd=folder)
            os.fsync(folder)
            _log(path, folder, now, f"{_who(who)} disarmed", None)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ConfigError(f"{path} cannot be removed: {error.strerror}; remove it by hand") from None
    return True


def log_path(path: Path) -> Path:
    """Where it is written down who armed and disarmed: beside the arming."""
    return path.with_suffix(".log")


# --- files ------------------------------------------------------------------------------------------------------------


@contextmanager
def _folder(path: Path) -> Generator[int]:
    """The folder of a file as a descriptor, so that what is checked is what is used. OSError where there is none."""
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def _opener(folder: int) -> Callable[[str, int], int]:
    """Opens inside a folder, what is new for the owner alone."""
    return lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, FILE_MODE, dir_fd=folder)


def _ours(path: Path, found: os.stat_result, mode: int) -> None:
    """ConfigError unless a folder or a plain file is this user's and has just this mode."""
    what, is_one = ("folder", stat.S_ISDIR) if mode == FOLDER_MODE else ("plain file", stat.S_ISREG)
    has = stat.S_IMODE(found.st_mode) & 0o777
    if not is_one(found.st_mode):
        raise ConfigError(f"{path} is no {what}: remove it and {_AGAIN}")
    if found.st_uid != os.geteuid():
        raise ConfigError(f"{path} belongs to another user: production is armed by files of one's own only")
    if has != mode:
        raise ConfigError(f"{path} has mode {has:04o}, wanted {mode:04o}: look who wrote it, then chmod {mode:o} it")


def _log(path: Path, folder: int, now: int, text: str, arming: Arming | None) -> None:
    """One line more, on disk when this returns. ConfigError where the log is not the user's alone."""
    log = log_path(path)
    line: dict[str, Any] = {"at": now, "when": _when(now), "text": text}
    if arming is not None:
        line |= {name: value for name, value in _record(arming).items() if name != "account_hash"}
    try:
        with open(log.name, "ab", opener=_opener(folder)) as out:
            _ours(log, os.fstat(out.fileno()), FILE_MODE)
            out.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise ConfigError(f"{log} cannot be written: {error.strerror}; arming and disarming are written down") from None


def _who(who: str) -> str:
    if said := " ".join("".join(c if c.isprintable() else " " for c in who).split()):
        return said
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _record(arming: Arming) -> dict[str, Any]:
    values = {each.name: getattr(arming, each.name) for each in fields(arming)}
    return values | {"max_loss": f"{arming.max_loss:f}", "fx": None if arming.fx is None else f"{arming.fx:f}"}


def _arming(raw: object) -> Arming:
    """An arming from what ``_record`` made; ValueError for any other shape, ConfigError for values that do not fit."""
    if not isinstance(raw, dict) or set(raw) != {each.name for each in fields(Arming)}:
        raise ValueError("keys")
    texts = ("account_hash", "last4", "max_loss", "config_hash", "code_version")
    if not all(isinstance(raw[name], str) for name in texts) or not isinstance(raw["unattended"], bool):
        raise ValueError("texts")
    if not isinstance(raw["fx"], str | None):
        raise ValueError("rate")
    if any(isinstance(raw[name], bool) or not isinstance(raw[name], int) for name in ("until_ns", "made_ns")):
        raise ValueError("instants")
    try:
        fx = None if raw["fx"] is None else Decimal(raw["fx"])
        return Arming(**raw | {"max_loss": Decimal(raw["max_loss"]), "fx": fx})
    except InvalidOperation:
        raise ValueError("numbers") from None


def _when(instant_ns: int) -> str:
    try:
        return f"{ny(instant_ns):%Y-%m-%d %H:%M} New York"
    except (OverflowError, ValueError, OSError):
        return "an instant of no calendar"
