"""The errors a user may meet. Each is one line: what was, what was wanted, what to do.

TomkingError
  x UsageError    a word or a value that does not fit (exit 2)
  x ConfigError   a configuration that does not fit (exit 2)
  x DataError     a file, a market or a row that cannot be used (exit 2)
  x CheckFailed   a check or a scenario that did not hold (exit 1)
  x RiskStop      stopped by a rule or a kill switch (exit 3)
  x BrokerError   the broker or the network (exit 4)
"""

from collections.abc import Iterable
from difflib import get_close_matches


class TomkingError(Exception):
    """Base of all; ``exit_code`` is what the process returns."""

    exit_code = 2


class UsageError(TomkingError):
    """A command or an argument that does not exist or does not fit."""


class ConfigError(TomkingError):
    """A configuration value that does not fit."""


class DataError(TomkingError):
    """A file, a market or a row that cannot be used."""


class CheckFailed(TomkingError):
    """A check that was asked for did not hold."""

    exit_code = 1


class RiskStop(TomkingError):
    """A risk rule or a kill switch ended the run."""

    exit_code = 3


class BrokerError(TomkingError):
    """The broker refused or the network failed."""

    exit_code = 4


def similar(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'backtest'?)`` where one is close, else nothing."""
    close = get_close_matches(word, list(known), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""
