"""What a dry run says, and whether to send after it: amounts with their signs, warnings as data, a policy that decides.

The broker writes every amount as a magnitude beside its effect: a change of buying power of ``376.12`` with ``Debit``
takes 376.12 away. Read without the effect it is never below zero, and every order passes. Here amounts are signed,
credit positive. A body may hold data and an error at once: a failed margin check still says what it would have cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Final

from adapters.tastytrade.orders.bodies import OrderShapeError, effect_of, signed
from adapters.tastytrade.orders.shapes import WireOrder, objects, read_order, text_id

CLOSES_NOTHING: Final = "closing_with_no_position"
NEXT_SESSION: Final = "tif.next_valid_session"
_SPELLINGS: Final = {"tif_next_valid_sesssion": NEXT_SESSION, "tif_next_valid_session": NEXT_SESSION}


@dataclass(frozen=True, slots=True)
class Message:
    """A warning or an error of the broker. ``code`` as it came."""

    code: str
    text: str
    preflight_id: str = ""

    @property
    def known_as(self) -> str:
        """The code under its one name, however the broker spelt it."""
        return _SPELLINGS.get(self.code, self.code)

    def __str__(self) -> str:
        return f"{self.code}: {self.text}" if self.text else self.code


@dataclass(frozen=True, slots=True)
class DryRun:
    """The answer to a dry run, and to a submission, which has the same shape. Amounts in currency, credit positive:
    ``change_in_buying_power`` below 0 takes buying power away. None where the broker did not say."""

    orders: tuple[WireOrder, ...]
    change_in_buying_power: Decimal | None
    new_buying_power: Decimal | None
    current_buying_power: Decimal | None
    change_in_margin: Decimal | None
    isolated_margin: Decimal | None
    impact: Decimal | None
    total_fees: Decimal | None
    commission: Decimal | None
    is_spread: bool
    warnings: tuple[Message, ...]
    errors: tuple[Message, ...]
    notes: tuple[Message, ...] = ()
    raw: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)


class Outcome(Enum):
    OK = "ok"
    ERRORS = "refused by errors"
    BUYING_POWER = "refused for buying power"
    WARNINGS = "refused by warnings"


@dataclass(frozen=True, slots=True)
class Policy:
    """Which warnings refuse an order. A warning that is not named lets it pass and is kept with the verdict.

    By default a close that closes nothing is refused, because the broker would open with it; that an order waits for
    the next session is not.
    """

    refuse: frozenset[str] = frozenset({CLOSES_NOTHING})
    unknown: bool = False
    """Whether warnings with a code that nobody here knows refuse too."""

    def of_opening(self) -> Policy:
        """The same for what opens: of what comes with it the broker may say that there is nothing to close yet."""
        return Policy(self.refuse - {CLOSES_NOTHING}, self.unknown)

    def minds(self, warning: Message) -> bool:
        name = warning.known_as
        return name in self.refuse or (self.unknown and name not in (CLOSES_NOTHING, NEXT_SESSION))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to send; ``reasons`` why not, ``kept`` the warnings that did not matter."""

    outcome: Outcome
    reasons: tuple[str, ...] = ()
    kept: tuple[Message, ...] = ()

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK


def read_dry_run(raw: Mapping[str, object]) -> DryRun:
    """The body of a dry run or a submission, wrapped in ``data`` or not, with or without an ``error`` beside it."""
    inner, error = raw.get("data"), raw.get("error")
    data: Mapping[str, object] = inner if isinstance(inner, Mapping) else {} if error is not None else raw
    if not data and error is None:
        raise OrderShapeError("a dry run without data and without an error: wanted one of them")
    effect, fees = _object(data, "buying-power-effect"), _object(data, "fee-calculation")
    return DryRun(
        orders=_orders(data),
        change_in_buying_power=effect_of(effect, "change-in-buying-power"),
        new_buying_power=effect_of(effect, "new-buying-power"),
        current_buying_power=effect_of(effect, "current-buying-power"),
        change_in_margin=effect_of(effect, "change-in-margin-requirement"),
        isolated_margin=effect_of(effect, "isolated-order-margin-requirement"),
        impact=signed(effect.get("impact"), effect.get("effect"), "impact"),
        total_fees=effect_of(fees, "total-fees"),
        commission=effect_of(fees, "commission"),
        is_spread=effect.get("is-spread") is True,
        warnings=_messages(data.get("warnings")),
        errors=(*_messages(data.get("errors")), *_error(error)),
        notes=_messages(data.get("notes")),
        raw=raw,
    )


def judge(dry_run: DryRun, policy: Policy | None = None, *, closes: bool = False) -> Verdict:
    """Errors first, then buying power that would end below 0, then the warnings that the policy names. ``closes``: in
    an account that is below 0 already nothing is more wanted than a close, and only the broker may refuse it."""
    policy = Policy() if policy is None else policy
    if dry_run.errors:
        return Verdict(Outcome.ERRORS, tuple(map(str, dry_run.errors)), dry_run.warnings)
    left = dry_run.new_buying_power
    if left is not None and left < 0 and not closes:
        return Verdict(Outcome.BUYING_POWER, (f"buying power would be {left}",), dry_run.warnings)
    minded = tuple(each for each in dry_run.warnings if policy.minds(each))
    kept = tuple(each for each in dry_run.warnings if not policy.minds(each))
    return Verdict(Outcome.WARNINGS if minded else Outcome.OK, tuple(map(str, minded)), kept)


def _object(raw: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = raw.get(key)
    return found if isinstance(found, Mapping) else {}


def _orders(data: Mapping[str, object]) -> tuple[WireOrder, ...]:
    single, complex_order = _object(data, "order"), _object(data, "complex-order")
    trigger = _object(complex_order, "trigger-order")
    found = [each for each in (single, trigger) if each]
    return tuple(read_order(each) for each in (*found, *objects(complex_order.get("orders"), "complex order: orders")))


def _messages(raw: object) -> tuple[Message, ...]:
    """Messages with code and text, with domain and reason, or as bare text."""
    if raw is None:
        return ()
    if not isinstance(raw, list | tuple):
        raise OrderShapeError(f"messages of a dry run are a {type(raw).__name__}: wanted a list")
    return tuple(_message(each) for each in raw)


def _message(each: object) -> Message:
    if not isinstance(each, Mapping):
        return Message("", str(each))
    code = text_id(each.get("code") if "code" in each else each.get("domain"))
    text = text_id(each.get("message") if "message" in each else each.get("reason"))
    return Message(code, text, text_id(each.get("preflight-id")))


def _error(error: object) -> tuple[Message, ...]:
    """The nested errors where there are some, else the one around them."""
    if error is None:
        return ()
    nested = _messages(error.get("errors")) if isinstance(error, Mapping) else ()
    return nested or (_message(error),)
