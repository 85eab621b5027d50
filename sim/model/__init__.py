"""The nouns: instrument, market, order, fill, book, event. No behaviour beyond their own arithmetic.

Signs, units and time zones, written once and true everywhere:

* Credit is positive, debit negative; a short quantity is negative, a long one positive.
* Prices that are counted are integers in the product's smallest increment ("ticks"): an ES option at 5.25 is 105 ticks
  of 0.05. A net price of an order is the sum over one unit of its legs, credit positive, in the same ticks.
* A blank price is ``BLANK`` (-1). Zero is a price.
* Money is ``Decimal`` in the currency of the product until the ledger turns it into account currency at a dated rate.
* float64 appears in pricing and in reports only. Theta is per calendar day, vega per one volatility point (0.01).
* Instants are UTC nanoseconds since 1970 in an int. ``ts_event`` is when it was so, ``ts_init`` when we could know it.
* Every trading rule speaks America/New_York. DTE counts calendar days between New York dates.
"""
