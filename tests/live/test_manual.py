"""Manual mode: tickets as a person types them, and that person's fills and quotes taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from math import gcd
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.manual import contract_label, find_contract, in_words, read_fill, read_quote, ticket, ticks_of
from sim.model.defence import OfPart
from sim.model.errors import UsageError
from sim.model.exits import ProfitTarget
from sim.model.fill import Fill
from sim.model.instrument import OptionContract
from sim.model.order import Action, Intent, Leg, Order, Status, TimeInForce
from tests.asked import legs, request
from tests.hand import ES_WEEK, STOCK, contract

NOW: Final = 1_722_609_000 * 10**9
FRIDAY: Final = date(2024, 8, 2)
CONDOR: Final = "-5485C +5515C -5400P +5370P"
SPREAD: Final = "+5400P -5350P"


def order(spec: str = SPREAD, *, name: str = "z-1", **changes: Any) -> Order:
    return Order(name, replace(request(spec), **({"limit": None} | changes)), Status.NEW, 0)


def closing(opened: Order) -> Order:
    back = tuple(Leg(g.contract, g.ratio, g.action.closing_twin) for g in opened.request.legs)
    return replace(opened, request=replace(opened.request, legs=back, intent=Intent.CLOSE, trade_id="t", exits=()))


def fee(_: OptionContract, contracts: int, opening: bool, before: int) -> Decimal:
    """A dollar a contract, two for a closing one, and a cent for each that filled before."""
    return Decimal(contracts if opening else 2 * contracts) + Decimal(before) / 100


def filled(words: str, of: Order | None = None, **more: Any) -> Fill:
    one = of or order()
    return read_fill(words.split(), {one.id: one}, NOW, lambda ts: ts // 10**18, fee, **more)


def prices(fill: Fill) -> list[int]:
    return [leg.price for leg in fill.legs]


def cash(fill: Fill) -> int:
    """Ticks that came in."""
    return -sum(leg.quantity * leg.price for leg in fill.legs)


class TestTicket:
    def test_a_condor(self) -> None:
        text = ticket(order(CONDOR, limit=25, quantity=3, structure="IRON_CONDOR"), Decimal("1.20"))
        assert text.splitlines() == [
            "OPEN IRON_CONDOR ES, QUANTITY 3",
            "  SELL TO OPEN  -3  5485 CALL  EW1  Fri 2 Aug 2024  ./ESU4 EW1Q4 240802C5485",
            "  BUY TO OPEN   +3  5515 CALL  EW1  Fri 2 Aug 2024  ./ESU4 EW1Q4 240802C5515",
            "  SELL TO OPEN  -3  5400 PUT   EW1  Fri 2 Aug 2024  ./ESU4 EW1Q4 240802P5400",
            "  BUY TO OPEN   +3  5370 PUT   EW1  Fri 2 Aug 2024  ./ESU4 EW1Q4 240802P5370",
            "  LIMIT 1.25 CREDIT a unit, DAY (187.50 USD in all); the natural price is 1.20 CREDIT",
            "  one unit is -1 5485C, +1 5515C, -1 5400P, +1 5370P",
            "  then: tomking manual fill z-1 PRICE",
        ]

    def test_a_debit_that_stays(self) -> None:
        text = ticket(order(limit=-25, tif=TimeInForce.GTC), None)
        assert "LIMIT 1.25 DEBIT a unit, GTC (62.50 USD in all)" in text
        assert "the natural price is not known here: look before you send it" in text

    def test_a_close_without_a_limit(self) -> None:
        text = ticket(closing(order("-5400P", quantity=2)), Decimal("-3.10"))
        assert "CLOSE ORDER ES, QUANTITY 2" in text
        assert "BUY TO CLOSE  +2  5400 PUT" in text
        assert "at the natural price, DAY; that is 3.10 DEBIT" in text

    def test_what_is_left_of_an_order(self) -> None:
        text = ticket(order(CONDOR, limit=25, quantity=3), None, left=1)
        assert "QUANTITY 1" in text
        assert "SELL TO OPEN  -1" in text
        assert "(62.50 USD in all)" in text

    def test_units_are_the_platforms(self) -> None:
        """Two against two is two of one against one, at half the price: no platform asks for it otherwise."""
        text = ticket(order("-2x4920P +2x4900P", limit=50, quantity=3), Decimal("2.40"))
        assert "QUANTITY 6" in text
        assert "SELL TO OPEN  -6" in text
        assert "LIMIT 1.25 CREDIT a unit, DAY (375.00 USD in all); the natural price is 1.20 CREDIT" in text
        assert "one unit is -1 4920P, +1 4900P" in text

    def test_ratios(self) -> None:
        assert "one unit is +1 4920P, -2 4880P" in ticket(order("+4920P -2x4880P", limit=3), None)

    def test_a_price_is_never_worse_than_the_limit(self) -> None:
        """A single leg from 5.00 on trades in quarters: 5.05 of credit is asked for as 5.25."""
        assert "LIMIT 5.25 CREDIT" in ticket(order("-5400P", limit=101), None)
        assert "LIMIT 5.00 DEBIT" in ticket(order("+5400P", limit=-101), None)

    @pytest.mark.parametrize(("net", "words"), [("1.25", "1.25 CREDIT"), ("-0.05", "0.05 DEBIT"), ("0.00", "EVEN")])
    def test_in_words(self, net: str, words: str) -> None:
        assert in_words(Decimal(net)) == words


class TestNetPrice:
    def test_an_opening_credit(self) -> None:
        fill = filled("z-1 1.25", order(CONDOR, limit=24, quantity=3))
        assert (fill.order_id, fill.ts, fill.k, fill.net, fill.quantity) == ("z-1", NOW, 1, 25, 3)
        assert [leg.quantity for leg in fill.legs] == [-3, 3, -3, 3]
        assert prices(fill) == [25, 0, 0, 0]
        assert [leg.fee for leg in fill.legs] == [Decimal(3)] * 4
        assert all(leg.opening and leg.mid2 is None and not leg.assumed_zero for leg in fill.legs)
        assert cash(fill) == 75

    def test_a_closing_debit(self) -> None:
        fill = filled("z-1 0.65", closing(order(CONDOR, limit=-12, quantity=2)))
        assert fill.net == -13
        assert [leg.quantity for leg in fill.legs] == [2, -2, 2, -2]
        assert not any(leg.opening for leg in fill.legs)
        assert [leg.fee for leg in fill.legs] == [Decimal(4)] * 4

    @pytest.mark.parametrize(
        ("spec", "limit", "words", "net"),
        [
            ("-5400P", None, "3.10", 62),
            ("+5400P", None, "3.10", -62),
            ("+5400P", None, "3.10 debit", -62),
            ("-5400P -5500C", None, "3.10", 62),
            (SPREAD, -40, "1.85", -37),
            (SPREAD, 40, "1.85", 37),
            (SPREAD, None, "1.85 debit", -37),
            (SPREAD, None, "1.85 CR", 37),
            (SPREAD, 0, "1.85 db", -37),
            (SPREAD, None, "0", 0),
            (SPREAD, -40, "0.00", 0),
        ],
    )
    def test_which_way_the_money_goes(self, spec: str, limit: int | None, words: str, net: int) -> None:
        fill = filled(f"z-1 {words}", order(spec, limit=limit))
        assert fill.net == net == cash(fill)

    @pytest.mark.parametrize(
        ("spec", "limit", "words", "why"),
        [
            (SPREAD, None, "1.85", "can be a credit or a debit: say which after the price"),
            (SPREAD, 0, "1.85", "can be a credit or a debit"),
            (SPREAD, 40, "1.85 debit", "is for a credit, not a debit: check it, or give the price of each leg"),
            (SPREAD, -40, "1.85 credit", "is for a debit, not a credit"),
            ("-5400P", None, "3.10 debit", "is for a credit, not a debit"),
            ("+5400P", None, "3.10 credit", "is for a debit, not a credit"),
            (SPREAD, 40, "-1.85", "a price has no sign here; say credit or debit after it"),
            (SPREAD, 40, "+1.85", "a price has no sign here"),
            (SPREAD, 40, "1.87", "1.87 is no whole tick of EW1, wanted a multiple of 0.05"),
            (SPREAD, 40, "1.85 2.0", "does not fit into a fill: wanted ORDER_ID PRICE"),
            (SPREAD, 40, "1.85 0", "does not fit into a fill"),
            (SPREAD, 40, "much", "does not fit into a fill"),
            (SPREAD, 40, "1,85", "does not fit into a fill"),
            (SPREAD, 40, "", "does not fit into a fill"),
            (SPREAD, 40, "1.85 credit 1 more", "does not fit into a fill"),
            (SPREAD, 40, "1.85 2", "has 1 left, not 2: wanted at most that"),
        ],
    )
    def test_what_does_not_fit(self, spec: str, limit: int | None, words: str, why: str) -> None:
        with pytest.raises(UsageError, match=why) as caught:
            filled(f"z-1 {words}", order(spec, limit=limit))
        assert "\n" not in str(caught.value)

    def test_in_parts(self) -> None:
        whole = order(CONDOR, limit=25, quantity=3)
        assert filled("z-1 1.25 1", whole).quantity == 1
        rest = filled("z-1 1.25", whole, done={"z-1": 1, "other": 9})
        assert rest.quantity == 2
        # What filled before is told to the fees: a cap is one an order.
        assert [leg.fee for leg in rest.legs] == [Decimal("2.01")] * 4
        with pytest.raises(UsageError, match="has 2 left, not 3"):
            filled("z-1 1.25 3", whole, done={"z-1": 1})
        with pytest.raises(UsageError, match="has filled whole already"):
            filled("z-1 1.25", whole, done={"z-1": 3})

    def test_units_are_the_platforms(self) -> None:
        twos = order("-2x4920P +2x4900P", limit=50, quantity=3)
        fill = filled("z-1 1.25 4", twos)
        assert (fill.net, fill.quantity, cash(fill)) == (50, 2, 100)
        assert filled("z-1 1.25", twos).quantity == 3
        with pytest.raises(UsageError, match="has 6 left, not 3: wanted at most that, a multiple of 2"):
            filled("z-1 1.25 3", twos)

    @pytest.mark.parametrize("status", [Status.FILLED, Status.CANCELLED, Status.REJECTED, Status.EXPIRED])
    def test_an_order_that_is_over(self, status: Status) -> None:
        with pytest.raises(UsageError, match=f"z-1 is {status.value} already"):
            filled("z-1 1.85", replace(order(), status=status))

    def test_orders_by_their_ids(self) -> None:
        known: Mapping[str, Order] = {"z-1": order(limit=5), "z-2": order("-5400P", name="z-2")}
        assert read_fill(["z-2", "3.10"], known, NOW, lambda _: 0, fee).order_id == "z-2"
        with pytest.raises(UsageError, match=r"order 'z-3' is not known \(did you mean 'z-[12]'\?\): z-1, z-2"):
            read_fill(["z-3", "3.10"], known, NOW, lambda _: 0, fee)
        with pytest.raises(UsageError, match="order 'x' is not known: none is waiting"):
            read_fill(["x", "3.10"], {}, NOW, lambda _: 0, fee)
        with pytest.raises(UsageError, match="a fill needs its order and its price"):
            read_fill([], known, NOW, lambda _: 0, fee)


class TestLegPrices:
    def test_each_leg(self) -> None:
        fill = filled("z-1 5400P=3.10 5350p=1.85", order(limit=-20))
        assert (fill.net, prices(fill)) == (-25, [62, 37])

    def test_a_net_price_before_them_must_be_theirs(self) -> None:
        assert filled("z-1 1.25 5400P=3.10 5350P=1.85").net == -25
        assert filled("z-1 1.25 debit 5350P=1.85 5400P=3.10 1").net == -25
        for words in ("1.30", "1.25 credit", "0"):
            with pytest.raises(UsageError, match=r"its legs add up to 1\.25 DEBIT, not to the price before them"):
                filled(f"z-1 {words} 5400P=3.10 5350P=1.85")

    def test_they_need_no_word_and_outdo_the_limit(self) -> None:
        """A spread that was to bring a credit was bought for a debit all the same: the person knows."""
        assert filled("z-1 5400P=3.10 5350P=1.85", order(limit=25)).net == -25

    def test_ratios_and_zero(self) -> None:
        fill = filled("z-1 4920P=3.10 4880P=0 2", order("+4920P -2x4880P", quantity=3))
        assert (fill.net, fill.quantity) == (-62, 2)
        assert [(leg.quantity, leg.price) for leg in fill.legs] == [(2, 62), (-4, 0)]

    def test_one_strike_at_two_expirations(self) -> None:
        later = Leg(contract(ES_WEEK, date(2024, 8, 9), 5400, "P", "ESU4"), 1, Action.BUY_TO_OPEN)
        diagonal = order()
        diagonal = replace(diagonal, request=replace(diagonal.request, legs=(*legs("-5400P"), later)))
        assert prices(filled("z-1 240802P5400=1.85 EW1:240809P5400=3.10", diagonal)) == [37, 62]
        with pytest.raises(UsageError, match="'5400P' can be EW1:240802P5400, EW1:240809P5400: say which"):
            filled("z-1 5400P=1.85 240809P5400=3.10", diagonal)

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            ("5400P=3.10", "240802P5350 has no price; give the price of each leg, or the net price alone"),
            ("5400P=3.10 5350P=1.85 5300P=1", "no contract is called '5300P': 240802P5400, 240802P5350"),
            ("5400P=3.10 5400P=1.85", "wanted a price once for each leg"),
            ("5400P=3.10 240802P5400=1.85", "240802P5400 is a leg that has its price already"),
            ("5400P=3.11 5350P=1.85", "3.11 is no whole tick"),
            ("5400P=-3.10 5350P=1.85", "wanted a price once for each leg"),
            ("5400P= 5350P=1.85", "wanted a price once for each leg"),
            ("5400P=3.10 5350P=1.85 2", "has 1 left, not 2"),
            ("5400P=3.10 1 5350P=1.85", "does not fit into a fill"),
        ],
    )
    def test_what_does_not_fit(self, words: str, why: str) -> None:
        with pytest.raises(UsageError, match=why):
            filled(f"z-1 {words}")

    def test_exits_that_watch_single_legs_want_their_prices(self) -> None:
        watched = order(SPREAD, limit=-25, exits=(OfPart("short", (1,), (ProfitTarget(0.5),)),))
        with pytest.raises(UsageError, match="has exits that watch some of its legs alone: give the price of each leg"):
            filled("z-1 1.25", watched)
        assert prices(filled("z-1 5400P=3.10 5350P=1.85", watched)) == [62, 37]
        sides = {"5400P": (60, 64), "5350P": (35, 39)}
        assert cash(filled("z-1 1.25", watched, sides=lambda c: sides[c.label])) == -25


def _payable(ratios: list[int], ticks: int) -> bool:
    """Whether two legs of one side can make a price of so many ticks of the platform's unit, none below nothing."""
    smaller = [r // gcd(*ratios) for r in ratios]
    return ticks == 0 or any(
        (ticks - a * i) >= 0 and (ticks - a * i) % b == 0 for a in smaller for b in smaller for i in range(ticks + 1)
    )


class TestSharing:
    def test_legs_share_a_net_price_where_their_sides_are_known(self) -> None:
        sides = {"5400P": (60, 64), "5350P": (35, 39)}
        fill = filled("z-1 1.25 debit", sides=lambda c: sides[c.label])
        assert prices(fill) == [62, 37]
        assert [leg.mid2 for leg in fill.legs] == [124, 74]

    def test_a_price_that_the_market_jumped_over_makes_no_leg_less_than_nothing(self) -> None:
        sides = {"4920P": (10, 12), "4880P": (5, 7)}
        assert prices(filled("z-1 3.00 debit", order("+2x4920P -4880P"), sides=lambda c: sides[c.label])) == [30, 0]

    @pytest.mark.parametrize("unknown", [None, (-1, 39), (-2, -2), (39, 39), (40, 39)])
    def test_one_leg_carries_all_where_they_are_not(self, unknown: tuple[int, int] | None) -> None:
        fill = filled("z-1 1.25 debit", sides=lambda c: unknown if c.label == "5350P" else (60, 64))
        assert prices(fill) == [25, 0]
        assert [leg.mid2 for leg in fill.legs] == [124, None]

    @pytest.mark.parametrize(
        ("spec", "words", "expected"),
        [
            # The leg with the fewest contracts that goes the way of the money.
            ("+4920P -2x4880P", "0.15 debit", [3, 0]),
            ("+4920P -2x4880P", "0.20 credit", [0, 2]),
            # Three ticks of credit are no whole ticks of two contracts: the other leg pays one.
            ("+4920P -2x4880P", "0.15 credit", [1, 2]),
            ("+2x4920P -3x4880P", "0.05 credit", [1, 1]),
            ("+2x4920P -3x4880P", "0.05 debit", [2, 1]),
        ],
    )
    def test_the_net_is_exact(self, spec: str, words: str, expected: list[int]) -> None:
        assert prices(filled(f"z-1 {words}", order(spec))) == expected

    def test_a_price_that_no_ticks_make(self) -> None:
        with pytest.raises(UsageError, match="no whole ticks of its legs make that price; give the price of each leg"):
            filled("z-1 0.05", order("-2x4920P -3x4880P"))

    @given(st.data())
    def test_whatever_is_typed_is_what_is_booked(self, data: st.DataObject) -> None:
        """Any legs, any net and any sides: the cash of the legs is the net that was typed, to the last tick."""
        n = data.draw(st.integers(1, 4))
        ratios = data.draw(st.lists(st.integers(1, 4), min_size=n, max_size=n))
        sells = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
        spec = " ".join(
            f"{'-' if s else '+'}{r}x{5400 + 5 * i}P" for i, (r, s) in enumerate(zip(ratios, sells, strict=True))
        )
        quantity = data.draw(st.integers(1, 5))
        one = order(spec, quantity=quantity)
        ticks = data.draw(st.integers(0, 400))
        effect = (
            ("credit" if sells[0] else "debit")
            if len(set(sells)) == 1
            else data.draw(st.sampled_from(["credit", "debit"]))
        )
        sides = {
            leg.contract: data.draw(st.none() | st.tuples(st.integers(-2, 80), st.integers(-2, 90)))
            for leg in one.request.legs
        }
        price = Decimal(ticks) * ES_WEEK.increment
        if len(set(sells)) == 1 and not _payable(ratios, ticks):
            with pytest.raises(UsageError, match="no whole ticks of its legs make that price"):
                filled(f"z-1 {price:f} {effect}", one)
            return
        fill = filled(f"z-1 {price:f} {effect}", one, sides=sides.get)
        shared = Decimal(gcd(*ratios))
        assert Decimal(fill.net) / shared == (ticks if effect == "credit" else -ticks)
        assert cash(fill) == fill.net * quantity
        assert all(leg.price >= 0 for leg in fill.legs)


class TestQuotes:
    @pytest.mark.parametrize(
        ("words", "found"),
        [
            ("ES 5412.25", ("ES", "5412.25", "5412.25")),
            ("es 5,412.25 5412.50", ("ES", "5412.25", "5412.50")),
            ("/ES 5412.25", ("ES", "5412.25", "5412.25")),
            ("ESU4 5412.25", ("ESU4", "5412.25", "5412.25")),
            ("VIX 18.4", ("VIX", "18.4", "18.4")),
            ("6E 1.0905", ("6E", "1.0905", "1.0905")),
            ("240802P5400 1.20 1.30", ("240802P5400", "1.20", "1.30")),
            ("240802c5412.5 0 0.05", ("240802C5412.5", "0", "0.05")),
            ("EW1:240802P5400 1.20 1.30", ("EW1:240802P5400", "1.20", "1.30")),
        ],
    )
    def test_read(self, words: str, found: tuple[str, str, str]) -> None:
        name, bid, ask = read_quote(words.split())
        assert (name, str(bid), str(ask)) == found

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            ("", "'' is no quote: wanted one like ES 5412.25, VIX 18.4, or 240802P5400 1.20 1.30"),
            ("ES", "'ES' is no quote"),
            ("ES 1 2 3", "is no quote"),
            ("ES high", "'high' is no price"),
            ("ES -5", "'-5' is no price"),
            ("ES 0", "ES at 0 0 cannot be"),
            ("ES 5412.50 5412.25", "cannot be: wanted a price above 0, a bid not above its ask"),
            ("VIX 999", "VIX 999 cannot be: wanted at most 150"),
            ("VIX ?", r"'\?' is no price"),
            ("240802P5400 1.20", "240802P5400 has a bid and an ask above it"),
            ("240802P5400 1.30 1.20", "has a bid and an ask above it"),
            ("240802P5400 1.30 1.30", "has a bid and an ask above it"),
            ("241302P5400 1.20 1.30", "'241302' is no date"),
            ("5400P 1.20 1.30", "'5400P' is no symbol and no option's name"),
            ("./ESU4 1.20 1.30", "is no symbol and no option's name"),
        ],
    )
    def test_what_is_none(self, words: str, why: str) -> None:
        with pytest.raises(UsageError, match=why) as caught:
            read_quote(words.split())
        assert "\n" not in str(caught.value)

    @given(st.lists(st.text(max_size=12), max_size=4))
    def test_no_words_break_it(self, words: list[str]) -> None:
        told = ""
        try:
            read_quote(words)
            filled(" ".join(["z-1", *words]))
        except UsageError as error:
            told = str(error)
        assert told == "" or told.isprintable()


class TestNames:
    def test_labels(self) -> None:
        one = contract(ES_WEEK, FRIDAY, 5412.5, "C", "ESU4")
        assert contract_label(one) == "240802C5412.5"
        for name in ("5412.5C", "240802c5412.5", "EW1:240802C5412.5", "ES:240802C5412.5"):
            assert find_contract(name, [one, contract(ES_WEEK, FRIDAY, 5415, "C", "ESU4")]) is one

    def test_none_and_several(self) -> None:
        many = [contract(ES_WEEK, FRIDAY, 5400 + 5 * i, "C", "ESU4") for i in range(10)]
        with pytest.raises(UsageError, match=r"no contract is called '1C': 240802C5400, .*, 240802C5435, …$"):
            find_contract("1C", many)
        with pytest.raises(UsageError, match="no contract is called '1C': there is none"):
            find_contract("1C", [])
        with pytest.raises(UsageError, match="can be EW1:240802C5400, ABC:240802C5400: say which"):
            find_contract("5400C", [many[0], contract(STOCK, FRIDAY, 5400, "C")])

    def test_whole_ticks(self) -> None:
        assert ticks_of(Decimal("3.10"), ES_WEEK) == 62
        assert ticks_of(Decimal(0), ES_WEEK) == 0
        for price in ("3.11", "-0.05", "0.01"):
            with pytest.raises(
                UsageError, match=r"is no whole tick of EW1, wanted a multiple of 0\.05; give the parts"
            ):
                ticks_of(Decimal(price), ES_WEEK)
