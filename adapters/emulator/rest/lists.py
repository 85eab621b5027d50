"""Watchlists and quote alerts, kept in memory. An alert is kept and shown; it is never triggered here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from adapters.emulator.rest.replies import Reply, Request, Routes, instant, invalid, items, not_found

FIELDS: Final = ("Last", "Bid", "Ask", "IV")
OPERATORS: Final = (">", "<")


class Lists:
    """The routes of one customer's lists. ``now`` is UTC nanoseconds."""

    __slots__ = ("_alerts", "_made", "_now", "_watchlists")

    def __init__(self, now: Callable[[], int]) -> None:
        self._now, self._made = now, 0
        self._watchlists: dict[str, dict[str, Any]] = {}
        self._alerts: dict[str, dict[str, Any]] = {}

    def add_to(self, routes: Routes) -> None:
        routes.add("GET", "/watchlists", lambda _: items(self._watchlists.values()))
        routes.add("POST", "/watchlists", self.make)
        routes.add("GET", "/watchlists/{name}", lambda r: Reply(data=self._list(r)))
        routes.add("PUT", "/watchlists/{name}", self.change)
        routes.add("DELETE", "/watchlists/{name}", self.remove)
        routes.add("GET", "/public-watchlists", lambda _: items(()))
        routes.add("GET", "/pairs-watchlists", lambda _: items(()))
        routes.add("GET", "/quote-alerts", lambda _: items(self._alerts.values()))
        routes.add("POST", "/quote-alerts", self.alert)
        routes.add("DELETE", "/quote-alerts/{id}", self.silence)

    def clear(self) -> None:
        """What cert's reset does."""
        self._watchlists.clear()
        self._alerts.clear()

    def make(self, request: Request) -> Reply:
        row = _watchlist(request.body)
        self._watchlists[row["name"]] = row
        return Reply(201, row)

    def change(self, request: Request) -> Reply:
        old = self._list(request)
        row = _watchlist({"name": old["name"], **request.body})
        del self._watchlists[old["name"]]
        self._watchlists[row["name"]] = row
        return Reply(data=row)

    def remove(self, request: Request) -> Reply:
        return Reply(data=self._watchlists.pop(self._list(request)["name"]))

    def alert(self, request: Request) -> Reply:
        body = request.body
        for key in ("field", "operator", "threshold", "symbol"):
            if not body.get(key):
                raise invalid(key, "is missing")
        for key, known in (("field", FIELDS), ("operator", OPERATORS)):
            if body[key] not in known:
                raise invalid(key, "does not have a valid value")
        self._made += 1
        number = f"Q{self._made:010d}"
        kept = {
            key: body[key] for key in ("field", "operator", "symbol", "instrument-type", "dx-symbol") if key in body
        }
        self._alerts[number] = {
            **kept,
            "threshold": str(body["threshold"]),
            "alert-external-id": number,
            "created-at": instant(self._now()),
        }
        return Reply(201, self._alerts[number])

    def silence(self, request: Request) -> Reply:
        if self._alerts.pop(request.params["id"], None) is None:
            raise not_found(f"a quote alert {request.params['id']}")
        return Reply(204)

    def _list(self, request: Request) -> dict[str, Any]:
        found = self._watchlists.get(request.params["name"])
        if found is None:
            raise not_found(f"a watchlist {request.params['name']}")
        return found


def _watchlist(body: Mapping[str, Any]) -> dict[str, Any]:
    name, entries = body.get("name"), body.get("watchlist-entries") or []
    if not isinstance(name, str) or not name:
        raise invalid("name", "is missing")
    if not isinstance(entries, list) or any(not isinstance(e, Mapping) or not e.get("symbol") for e in entries):
        raise invalid("watchlist-entries", "does not have a valid value")
    group, index = body.get("group-name") or "default", body.get("order-index", 9999)
    return {"name": name, "group-name": group, "order-index": index, "watchlist-entries": entries}
