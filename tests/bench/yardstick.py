"""The yardstick: a process that imports DuckDB and plays the condor in plain SQL, from the vendor's Parquet to the P&L.

    python tests/bench/yardstick.py CHAIN BARS STEP

No engine, no orders, no ledger: what a person would write who wants the number and nothing else. It runs eight times,
as the neutral script for DuckDB does: once cold, seven times warm, the median of which it prints (and numpy takes, as
there). Nothing of ours is imported.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Final

import numpy as np

TIMES: Final = 8
SQL: Final = """
WITH entry AS (
    SELECT date, {step} * floor(close / {step} + 0.5) AS atm FROM read_parquet({bars}) WHERE minute = 60
),
leg AS (
    SELECT date, atm + away AS strike, side AS "right", sold
    FROM entry,
         (VALUES (-60, 'P', false), (-30, 'P', true), (30, 'C', true), (60, 'C', false)) AS shape(away, side, sold)
),
quote AS (
    SELECT date, minute, count(*) AS legs,
           sum(CASE WHEN sold THEN bid ELSE -ask END) AS to_sell,
           sum(CASE WHEN sold THEN ask ELSE -bid END) AS to_buy_back
    FROM read_parquet({chain}) JOIN leg USING (date, strike, "right")
    WHERE minute BETWEEN 60 AND 360
    GROUP BY date, minute
),
opened AS (
    SELECT date, to_sell AS credit FROM quote WHERE minute = 60 AND legs = 4 AND to_sell > 0
),
closed AS (
    SELECT date, arg_min(credit - to_buy_back, minute) AS points
    FROM quote JOIN opened USING (date)
    WHERE minute > 60 AND (
        (to_sell + to_buy_back) / 2 <= 0.5 * credit + 1e-9
        OR (to_sell + to_buy_back) / 2 >= 2 * credit - 1e-9
        OR minute = 360)
    GROUP BY date
)
SELECT count(*), 100 * sum(points) FROM closed
"""


def query(chain: str, bars: str, step: int) -> str:
    """The statement for two Parquet files and a distance of strikes in points; answers (trades, dollars)."""
    quoted = ("'" + path.replace("'", "''") + "'" for path in (chain, bars))
    return SQL.format(step=step, chain=next(quoted), bars=next(quoted))


def main(chain: str, bars: str, step: int) -> None:
    import duckdb

    statement = query(chain, bars, step)
    connection = duckdb.connect()
    took, answer = [], None
    for _ in range(TIMES):
        began = time.perf_counter()
        answer = connection.execute(statement).fetchone()
        took.append(time.perf_counter() - began)
    assert answer is not None, "an aggregate has one row"
    warm = float(np.median(took[1:]))
    print(json.dumps({"trades": answer[0], "pnl": round(float(answer[1]), 2), "first_s": took[0], "warm_s": warm}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
