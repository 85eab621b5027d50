"""What holds for every sequence of requests: no limit is passed, and more is never let in where less is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from conf.gate import rules
from sim.model.book import Account, Claim
from sim.model.order import Approved, Leg, OrderRequest, Refused
from sim.model.past import Exposure
from sim.rules.correlation import Correlation
from sim.rules.gate import Gate
from sim.rules.positions import Positions
from tests.asked import CONFIG, DEFAULT, PHASES, REGIME, UNITS, account, claim, free, legs, past, request, view
from tests.hand import ES_WEEK

BUILT = rules(CONFIG)
GROUPS = Correlation.of(DEFAULT["correlation"], UNITS)
PLACES = Positions.of(DEFAULT["positions"], PHASES, UNITS)
LIMITS = {"phase", "correlation", "positions", "buying_power"}
GATE = Gate(tuple(rule for rule in BUILT.gate.rules if rule.code in LIMITS), BUILT.gate.sizer)
SYMBOLS = [symbol for members in DEFAULT["correlation"]["groups"].values() for symbol in members]
NAMES = ["my_own", "other", *DEFAULT["positions"]["by_strategy"]]
STRUCTURES = ["X", "IPMCC_WEEKLY", "HEDGE_CALL"]
EACH = Decimal(2_500)
"""Buying power of one contract, account currency, where nothing else is said."""
FEW = ["ES", "MES", "NQ", "SPY", "QQQ", "IWM", "GC", "GLD", "CL"]

wishes = st.lists(
    st.tuples(
        st.sampled_from(NAMES), st.sampled_from(FEW) | st.sampled_from(SYMBOLS), st.sampled_from(STRUCTURES),
        st.integers(1, 8),
    ),
    min_size=10, max_size=60,
)  # fmt: skip
sizes = st.integers(20_000, 200_000)
levels = st.sampled_from([9.0, 12.99, 15.0, 20.0, 27.0, 35.0, 65.0])


def spread(strategy: str, symbol: str, structure: str, quantity: int) -> OrderRequest:
    product = replace(ES_WEEK, underlying=symbol)
    return request(legs=legs("-5425P +5395P", product), strategy=strategy, structure=structure, quantity=quantity)


LONE = [("my_own", "ES", "X", 1), ("my_own", "ES", "IPMCC_WEEKLY", 1), ("ipmcc", "ES", "X", 1)]
"""A weekly call without its covered call, and then one: once it took a place that nobody had looked at."""


@settings(max_examples=150, deadline=None)
@example([*LONE, *[("my_own", "GC", "X", 1), ("ipmcc", "GC", "X", 1)] * 4], 60_000, 9.0, Decimal(0))
@given(wishes, sizes, levels, st.sampled_from([Decimal(0), EACH]))
def test_no_sequence_passes_a_limit(
    asked: list[tuple[str, str, str, int]], nlv: int, vix: float, each: Decimal
) -> None:
    """Each request is judged against the book as if the ones before it were filled, as the engine does."""
    claims: list[Claim] = []
    used = Decimal(0)
    for strategy, symbol, structure, quantity in asked:
        now = replace(account(nlv, claims=claims), bp_used=used)
        order = spread(strategy, symbol, structure, quantity)
        verdict = GATE.check(order, view(vix=vix, acc=now), lambda r, used=used: used + each * r.quantity)  # type: ignore[misc]
        if isinstance(verdict, Approved):
            claims.append(Claim(strategy, symbol, order.expirations, structure))
            used += each * verdict.request.quantity
    final = account(nlv, claims=claims)
    phase = PHASES.phase(final)
    band = REGIME.band(vix)
    assert band is not None
    held = GROUPS.held(claims)
    for group, positions in held.items():
        assert len(positions) <= GROUPS.limit(group, final.nlv)
    together = [c for group in ("A1", "A2") for c in held.get(group, [])]
    assert len(together) <= GROUPS.union_cap
    assert len(UNITS.count(claims)) <= (PLACES.total[phase - 1] if phase else 0)
    for strategy in NAMES:
        limit = PLACES.limit(strategy, phase, final.nlv)
        counted = claims if strategy in PLACES.rungs else UNITS.count(claims)
        assert limit is None or len([c for c in counted if c.strategy == strategy]) <= limit
    assert used <= final.nlv * min(Decimal(str(band.cap)), PHASES.cap(final), Decimal("0.8"))


@dataclass(frozen=True)
class Linear:
    """A stress in which every contract costs the same and something is held already."""

    own: float
    held: float

    def losses(self, move: float, vol: float) -> Mapping[str, Decimal]:
        return {"ES": Decimal(str(self.held))}

    def loss_of(self, order: OrderRequest, move: float, vol: float) -> Decimal:
        return Decimal(str(self.own)) * order.quantity

    def exposures(self) -> Mapping[str, Exposure]:
        return {name: Exposure(delta=value, vega=value) for name, value in self.losses(0.0, 0.0).items()}

    def exposure_of(self, order: OrderRequest) -> Exposure:
        value = self.loss_of(order, 0.0, 0.0)
        return Exposure(delta=value, vega=value)


def books() -> st.SearchStrategy[Account]:
    held = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(SYMBOLS)), max_size=4)
    return st.builds(
        lambda nlv, start, claims, own, already, used: replace(
            account(nlv, claims=[claim(f"{s} {u}") for s, u in claims], past=past(("2024-06-28", start), start=start)),
            stress=Linear(own, already),
            bp_used=Decimal(used),
        ),
        sizes, sizes, held, st.sampled_from([-4_000.0, -1_000.0, 0.0, 1_000.0, 4_000.0]),
        st.sampled_from([-20_000.0, -9_000.0, 0.0, 9_000.0, 20_000.0]), st.integers(0, 60_000),
    )  # fmt: skip


def two_legs() -> st.SearchStrategy[tuple[Leg, ...]]:
    return st.sampled_from(["-5425P +5395P", "-5485C +5515C", "-5000P", "-5900C", "-5000P -5900C"]).map(legs)


QUOTES: dict[str, tuple[Any, Any]] = {
    "5485C": (100, 104), "5515C": (30, 34), "5425P": (100, 104), "5395P": (30, 34),
    "5000P": (100, 104), "5900C": (100, 104),
}  # fmt: skip


SHARES = {**DEFAULT["greeks"], "enabled": True, "spy_shares": [300, 500, 750, 1000]}
BOTH = [
    rules({**CONFIG, "rules": {**DEFAULT, **changes}}).gate
    for changes in (
        {"group_stress": {**DEFAULT["group_stress"], "mode": "stress"}},
        {"group_stress": {**DEFAULT["group_stress"], "mode": "delta_notional"}},
        {"greeks": SHARES, "correlation_spike": {**DEFAULT["correlation_spike"], "enabled": True}},
    )
]


@settings(max_examples=400, deadline=None)
@given(
    books(), two_legs(), st.integers(1, 12), st.integers(1, 12), levels, st.sampled_from(["zero_dte", "my_own"]),
    st.sampled_from(BOTH), st.integers(50, 2_000),
)  # fmt: skip
def test_more_is_never_let_in_where_less_is_refused(
    acc: Account, shape: tuple[Leg, ...], one: int, more: int, vix: float, strategy: str, gate: Gate, planned: int
) -> None:
    """Of every rule by itself, and of the gate."""
    moment = view(vix=vix, acc=acc, quotes=QUOTES)

    def used(order: OrderRequest) -> Decimal:
        return (acc.bp_used or Decimal(0)) + EACH * order.quantity

    small, large = (
        request(legs=shape, quantity=n, strategy=strategy, planned_loss_ticks=planned, limit=None)
        for n in (min(one, more), max(one, more))
    )
    for rule in gate.rules:
        if rule.check(small, moment, used) is not None:
            assert rule.check(large, moment, used) is not None, rule.code
    verdicts = [gate.check(order, moment, used) for order in (small, large)]
    if isinstance(verdicts[1], Approved):
        assert isinstance(verdicts[0], Approved)
        assert verdicts[0].request.quantity <= verdicts[1].request.quantity


@settings(max_examples=100, deadline=None)
@given(books(), levels, st.permutations(range(5)))
def test_the_order_of_what_is_held_changes_no_verdict(acc: Account, vix: float, order: list[int]) -> None:
    shuffled = replace(acc, claims=tuple(acc.claims[i] for i in order if i < len(acc.claims)))
    for strategy in ("zero_dte", "ipmcc"):
        wanted = request(strategy=strategy, legs=legs("-5425P +5395P"), limit=None)
        verdicts = [BUILT.gate.check(wanted, view(vix=vix, acc=each, quotes=QUOTES), free) for each in (acc, shuffled)]
        assert type(verdicts[0]) is type(verdicts[1])
        if isinstance(verdicts[0], Refused) and isinstance(verdicts[1], Refused):
            assert (verdicts[0].rule, verdicts[0].reason) == (verdicts[1].rule, verdicts[1].reason)
