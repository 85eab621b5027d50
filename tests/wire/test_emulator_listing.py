"""The directory: every symbol of a session, to what it means and back."""

from __future__ import annotations

from datetime import date

import pytest

from adapters.emulator.listing import Listing, Type, Window
from sim.model.errors import ConfigError
from tests.wire.emulated import world

EVERY = ("ES", "SPX", "SPY", "VIX", "MES", "CL", "GC", "ZB", "6E", "TLT")


def test_both_symbols_of_every_series_lead_back_to_the_contract() -> None:
    listing = Listing(world(underlyings=EVERY))
    seen = 0
    for underlying in EVERY:
        for series in listing.series(underlying):
            contracts = listing.contracts(series)
            for contract in contracts[:: max(1, len(contracts) // 3)]:
                item = listing.item(contract)
                assert listing.find(item.symbol) == item
                assert listing.streamed(item.streamer) == item
                assert listing.contract(item.streamer) == contract
                seen += 1
    assert seen > 900


@pytest.mark.parametrize(
    ("symbol", "streamer", "kind"),
    [
        ("SPY", "SPY", Type.EQUITY),
        ("VIX", "VIX", Type.INDEX),
        ("/ESU4", "/ESU24:XCME", Type.FUTURE),
        ("/CLU4", "/CLU24:XNYM", Type.FUTURE),
        ("/GCZ4", "/GCZ24:XCEC", Type.FUTURE),
        ("/ZBU4", "/ZBU24:XCBT", Type.FUTURE),
        ("SPXW  240719P05500000", ".SPXW240719P5500", Type.EQUITY_OPTION),
        ("TLT   240726P00093500", ".TLT240726P93.5", Type.EQUITY_OPTION),
        ("./ESU4 EW3N4 240719C5500", "./EW3N24C5500:XCME", Type.FUTURE_OPTION),
        ("./MESU4EX3N4 240719C5500", "./EX3N24C5500:XCME", Type.FUTURE_OPTION),
        # The option of September is on gold of October and expires in August.
        ("./GCV4 OGU4  240827C2400", "./OGU24C2400:XCEC", Type.FUTURE_OPTION),
        ("./ZBU4 OZBU4 240823P118.5", "./OZBU24P118.5:XCBT", Type.FUTURE_OPTION),
    ],
)
def test_symbols_as_the_broker_writes_them(symbol: str, streamer: str, kind: Type) -> None:
    listing = Listing(world(underlyings=EVERY))
    item = listing.find(symbol)
    assert item is not None
    assert (item.type, item.streamer) == (kind, streamer)
    assert listing.streamed(streamer) == item


@pytest.mark.parametrize(
    "symbol",
    ["", "NOPE", "ES", "/ES", "/ESH9", "/XXU4", "SPY 240816P00540000", "SPY   240816P00540001", "SPY   240230P00540000",
     "./ESZ4 EW3N4 240719C5500", "./ESU4 EW3N4 240719C5501", "./ESU4 EW3N4 240719C5.5.5", "SPXX  240719P05500000",
     "\x00", "%2FESU4", "SPX   240719P00000000"],
)  # fmt: skip
def test_what_is_not_listed_is_nothing(symbol: str) -> None:
    assert Listing(world()).find(symbol) is None


@pytest.mark.parametrize(
    "symbol", ["/ESU4", "/ESU34:XCME", "/ESU24:XNYM", ".SPXW240719P5500.0", "./EW3N34C5500:XCME", "", ".", "./", "SPYX"]
)
def test_what_no_streamer_says_is_nothing(symbol: str) -> None:
    assert Listing(world()).streamed(symbol) is None


def test_the_window_limits_chains_and_nothing_else() -> None:
    made = world()
    narrow = Listing(made, Window(days=10, below=0.01, above=0.01))
    wide = Listing(made, Window(days=None, below=None, above=None))
    assert max(s.expiration for s in narrow.series("SPX")) <= date(2024, 7, 29)
    series = narrow.series("SPX")[0]
    close = made.history("SPX", 1)[-1].close
    assert all(abs(float(c.strike) / close - 1) <= 0.01 for c in narrow.contracts(series))
    assert len(narrow.strikes(series)) < len(wide.strikes(series)) == len(made.day("SPX").board(series).strike_e4)
    assert narrow.find("SPX   241220P03000000") is not None
    with pytest.raises(ConfigError, match="from 0 on"):
        Window(days=-1)


def test_futures_are_listed_by_their_end_with_the_front_first() -> None:
    made = world(underlyings=EVERY)
    listing = Listing(made)
    assert [f.symbol for f in listing.futures("ES")][:3] == ["/ESU4", "/ESZ4", "/ESH5"]
    for root in listing.roots():
        front = made.front(root)
        assert front is not None
        at = made.future(root, front)
        assert at == made.spot(root)
        k = made.column(root)
        on_it = [s for s in made.series(root) if s.future == front]
        assert on_it
        assert made.day(root).forward(on_it[0], k) == pytest.approx(at.last)


def test_it_is_the_feeds_world() -> None:
    listing = Listing(world())
    assert listing.underlying("/ESU24:XCME") == "ES"
    assert listing.underlying("SPX") == "SPX"
    assert listing.underlying(".SPY240816P540") is None
    assert listing.contract("SPX") is None
    assert listing.now() == listing.world.now()
    assert listing.column("ES") == 960
    assert listing.day("ES") is listing.world.day("ES")
