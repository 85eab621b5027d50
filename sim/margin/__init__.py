"""Margin of a whole book per underlying: Reg-T for options on shares and indices, a SPAN-like scan for futures.

What the words mean, here and everywhere:

* ``requirement`` is the gross amount, in product currency, that cash must cover.
* ``used`` is buying power: the requirement plus the signed market value of the options (long +, short -), not below 0.

So a 30-wide credit spread sold at 5.00 on a multiplier of 50 has a requirement of 1,500 and uses 1,250 right after the
fill; a long option has a requirement of 0 and uses its premium. Under the scan the requirement is the scan risk less
the net option value, so what is used is the scan risk. What is free is net liquidation value less ``used``: without
shares, that is cash less ``requirement``. Shares count in net liquidation value too, and their requirement is the part
of it that is not lent against.

Margin is asked for a book, never for an order: nothing here pairs legs by the order that opened them. An input that is
missing or no number raises ``DataError`` and names the contract. A range, a rate or a VIX is never guessed.
"""

from sim.margin.lines import FutureLine, MarginLine, StockLine
from sim.margin.model import MarginModel

__all__ = ["FutureLine", "MarginLine", "MarginModel", "StockLine"]
