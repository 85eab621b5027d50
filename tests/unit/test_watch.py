"""A watch whose book hears more: renewed it is what one made anew would be."""

from __future__ import annotations

from datetime import date

from sim.daybook import DayBook
from sim.model.exits import ProfitTarget, StopLoss
from sim.watch import Watch
from tests.hand import STOCK, HandDay, HandMarket, contract
from tests.unit.test_resting import lived, sells

DAY, LATER = date(2024, 8, 1), date(2024, 8, 16)
PUT = contract(STOCK, LATER, 95, "P")


def test_what_is_renewed_is_what_would_be_made_anew() -> None:
    session = lived({PUT: ([100] * 12, [102] * 12)}, sells(ProfitTarget(0.5), StopLoss(2.0)))
    (held,) = session.engine.desk.ledger.open.values()
    bids, asks = [100] * 12, [102] * 12
    book = DayBook(HandMarket([HandDay(STOCK, DAY, {PUT: (bids, asks)}, [100.0] * 12)]), DAY, ["ABC"])

    def made() -> Watch:
        return Watch(held.trade, held.left, book, None, 0)

    watch = made()
    assert watch.search(0) is None
    for bid, ask, due in ((10, 12, 6), (100, 102, None), (900, 902, 6)):
        # It is asked before and after, so that what it has worked out is not what it says.
        bids[6:], asks[6:] = [bid] * 6, [ask] * 6
        book.forget()
        watch.renew()
        assert watch.search(0) == due
        assert (watch.hit(8) is None) == (due is None)
        anew = made()
        assert (watch.mark2.tolist(), watch.valid.tolist()) == (anew.mark2.tolist(), anew.valid.tolist())
