"""``tomking explain``: why a run traded and why it did not, rule by rule. Runs it again and listens at the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Any

from adapters.replay.drivers import run
from conf import build, console
from conf.compose import home
from conf.lived import explained
from conf.options import Options
from conf.run import assemble
from conf.verify import config_of
from sim.calendar import ny, parse_time
from sim.model.errors import UsageError
from sim.model.order import Approved, OrderRequest, Pass, Refused
from sim.rules.gate import BpAfter, Gate
from sim.rules.measured import measured
from sim.view import View


@dataclass(slots=True)
class Listener:
    """A gate that keeps what every rule said of every wish. It changes no verdict."""

    gate: Gate
    said: list[dict[str, Any]] = field(default_factory=list)

    def check(self, request: OrderRequest | Pass, view: View, bp_after: BpAfter) -> Approved | Refused:
        verdict = self.gate.check(request, view, bp_after)
        wish = verdict.request if isinstance(verdict, Approved) else request
        rules = []
        for rule in self.gate.rules:
            if isinstance(request, Pass) and rule.needs_legs:
                continue
            refusal = rule.check(wish, view, bp_after)
            said = "ok" if refusal is None else f"{refusal.reason}" + (f" ({refusal.detail})" if refusal.detail else "")
            rules.append(
                {
                    "rule": rule.code, "passed": refusal is None, "said": said, "asks": rule.describe(),
                    "saw": measured(rule, wish, view, bp_after),
                }
            )  # fmt: skip
        if isinstance(wish, OrderRequest):
            wanted = f"{wish.structure} {wish.quantity} x {wish.describe()}".strip()
        else:
            wanted = wish.structure or "no structure"
        why = (
            ""
            if isinstance(verdict, Approved)
            else f"{verdict.reason}" + (f" ({verdict.detail})" if verdict.detail else "")
        )
        self.said.append(
            {
                "at": ny(view.ts), "session": str(view.session), "strategy": wish.strategy, "wanted": wanted,
                "approved": isinstance(verdict, Approved), "why": why or getattr(wish, "reason", ""), "rules": rules,
                "market": _market(view, wish.underlying),
            }
        )  # fmt: skip
        return verdict


def _market(view: View, underlying: str) -> str:
    under = view.of(underlying)
    return f"{underlying} {under.spot:,.2f}, open {under.open:,.2f}, move {under.move_pct:+.2f} %, VIX {under.vix:.2f}"


def command(args: Sequence[str]) -> int:
    """Prints every wish of the run, or of one date, with what each rule said of it."""
    options = Options.of(args, flags=("json",), values=("date", "at"))
    if len(options.overrides) != 1:
        raise UsageError("write: tomking explain RUN [--date 2024-08-02] [--at 10:30], with the folder that a run left")
    folder = Path(options.overrides[0]).expanduser()
    config = config_of(folder)
    only = None if (d := options.value("date")) is None else build.day("--date", d)
    if "live" in config:
        if options.value("at") is not None:
            raise UsageError("--at is for a backtest: of a live session the market of a minute is not there again")
        return explained(folder, only, as_json=options.flag("json"))
    if (at := options.value("at")) is not None:
        return _at(config, only, parse_time(at, "--at"), as_json=options.flag("json"))
    listener: list[Listener] = []

    def listen(gate: Gate) -> Listener:
        listener.append(Listener(gate))
        return listener[0]

    p = assemble(config, home(), listen)
    if only is not None and not p.start <= only <= p.end:
        raise UsageError(f"--date {only} lies outside this run, which reaches from {p.start} to {p.end}")
    end = p.end if only is None else only
    run(p.session, p.broker, p.market, p.strategies, p.start, end, jump=p.jump)
    wishes = [w for w in listener[0].said if only is None or w["session"] == str(only)]
    journal = [
        {"at": ny(e.ts), "kind": e.kind, "ref": e.ref, "text": e.text}
        for e in p.session.journal.entries
        if (only is None or ny(e.ts).date() == only) and not e.kind.startswith("session_")
    ]
    if options.flag("json"):
        console.document({"wishes": wishes, "journal": journal})
    else:
        _print(wishes, journal, only, p.facts["strategy"])
    return 0


def _at(config: Mapping[str, Any], day: date | None, at: time, *, as_json: bool) -> int:
    """The market, every position and the account at one minute: what the numbers of a table were made of."""
    from conf.gate import rules
    from conf.minute import at_minute
    from conf.state import lines, look, record

    if day is None:
        raise UsageError("--at says the minute: say the day as well, with --date 2024-08-05")
    label, currency = rules(config).regime.label, str(config["account"]["currency"]).upper()
    state = at_minute(config, day, at, lambda parts, view: look(parts.session, view, f"{at:%H:%M}", label))
    if as_json:
        console.document(record(state))
    else:
        for line in lines(state, currency):
            console.out(line)
    return 0


def _print(
    wishes: Sequence[dict[str, Any]], journal: Sequence[dict[str, Any]], only: date | None, sentence: str
) -> None:
    console.out(sentence)
    if not wishes and not journal:
        when = "" if only is None else f" on {only}"
        console.out(f"nothing was wanted{when}: the strategy was not due, or the market had no session")
    for w in wishes:
        verdict = "approved" if w["approved"] else "REFUSED"
        console.out(f"\n{w['at']:%a %Y-%m-%d %H:%M} {verdict}: {w['strategy']}: {w['wanted']}: {w['why']}")
        console.out(f"  {w['market']}")
        for r in w["rules"]:
            if r["passed"]:
                console.out(f"  ok  {r['rule']:<16} {r['saw'] or r['asks']}")
            else:
                console.out(f"  NO  {r['rule']:<16} {r['said']}" + (f" [{r['saw']}]" if r["saw"] else ""))
    closed = [j for j in journal if j["kind"] == "refuse" and "Market closed" in j["text"]]
    for j in closed:
        console.out(f"\n{j['at']:%a %Y-%m-%d %H:%M} REFUSED: {j['text']}")
    if only is not None:
        console.out("\nwhat happened:")
        for j in journal:
            console.out(f"  {j['at']:%H:%M} {j['kind']:<10} {j['text'] or j['ref']}")
