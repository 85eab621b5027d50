"""The customer, who is invented, and the accounts of one emulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from adapters.emulator.opening import Opening
from adapters.emulator.refusal import Refusal
from adapters.emulator.rest.replies import Reply, Request, Routes, items
from sim.model.errors import ConfigError

_ADDRESS: Final = {
    "street-one": "1 Example Street", "city": "Springfield", "state-region": "IL", "postal-code": "62700",
    "country": "USA", "is-foreign": False, "is-domestic": True,
}  # fmt: skip
_MARGIN: Final = [{"name": "Margin", "is-margin": True}, {"name": "Cash", "is-margin": False}]


class Customers:
    """The customer routes of some accounts. ConfigError where two have one number, or there is none."""

    __slots__ = ("accounts",)

    def __init__(self, accounts: Sequence[Opening]) -> None:
        self.accounts = {account.number: account for account in accounts}
        if not accounts or len(self.accounts) < len(accounts):
            raise ConfigError(
                f"adapter.accounts has {len(accounts)} entries: wanted at least one, each with its own number"
            )

    def has(self, number: str) -> bool:
        return number in self.accounts

    def add_to(self, routes: Routes) -> None:
        routes.add("GET", "/customers/{customer}", self.customer)
        routes.add("GET", "/customers/{customer}/accounts", self.all)
        routes.add("GET", "/customers/{customer}/accounts/{account}", self.one)

    def customer(self, request: Request) -> Reply:
        _me(request)
        return Reply(data=PERSON)

    def all(self, request: Request) -> Reply:
        _me(request)
        return items({"account": a.record(), "authority-level": "owner"} for a in self.accounts.values())

    def one(self, request: Request) -> Reply:
        _me(request)
        return Reply(data=self.accounts[request.account].record())


def _me(request: Request) -> None:
    if request.params["customer"] not in ("me", PERSON["id"]):
        raise Refusal(403, "not_permitted", "User not permitted access")


PERSON: Final[dict[str, Any]] = {
    "id": "me",
    "first-name": "Emma",
    "last-name": "Lator",
    "address": _ADDRESS,
    "mailing-address": _ADDRESS,
    "customer-suitability": {
        "id": 1, "marital-status": "SINGLE", "number-of-dependents": 0, "employment-status": "EMPLOYED",
        "occupation": "Trader", "employer-name": "Example", "job-title": "Trader", "annual-net-income": 100000,
        "net-worth": 100000, "liquid-net-worth": 100000, "stock-trading-experience": "EXTENSIVE",
        "covered-options-trading-experience": "EXTENSIVE", "uncovered-options-trading-experience": "EXTENSIVE",
        "futures-trading-experience": "EXTENSIVE",
    },
    "usa-citizenship-type": "Citizen",
    "is-foreign": False,
    "mobile-phone-number": "+15555550100",
    "email": "emulator@example.com",
    "tax-number-type": "SSN",
    "birth-date": "1990-01-01",
    "external-id": "C0000000001",
    "citizenship-country": "USA",
    "subject-to-tax-withholding": False,
    "agreed-to-margining": True,
    "agreed-to-terms": True,
    "has-industry-affiliation": False,
    "has-political-affiliation": False,
    "has-listed-affiliation": False,
    "has-institutional-assets": False,
    "has-delayed-quotes": False,
    "has-pending-or-approved-application": True,
    "is-professional": False,
    "is-investment-adviser": False,
    "identifiable-type": "Person",
    "permitted-account-types": [
        {
            "name": "Individual", "description": "A margin or cash account of one person", "is-tax-advantaged": False,
            "has-multiple-owners": False, "is-publicly-available": True, "margin-types": _MARGIN,
        }
    ],
    "person": {
        "external-id": "P0000000001", "first-name": "Emma", "last-name": "Lator", "birth-date": "1990-01-01",
        "citizenship-country": "USA", "usa-citizenship-type": "Citizen", "marital-status": "SINGLE",
        "number-of-dependents": 0, "employment-status": "EMPLOYED", "occupation": "Trader",
        "employer-name": "Example", "job-title": "Trader",
    },
    "created-at": "2020-01-02T15:00:00.000+00:00",
}  # fmt: skip
