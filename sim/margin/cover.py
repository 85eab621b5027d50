"""Cheapest cover: which long option covers which short one, so that the widths add up to the least.

A transport problem, solved exactly by successive shortest paths. It works on lines, not contracts: a hundred contracts
of one strike are one node.
"""

from __future__ import annotations

from collections.abc import Sequence

Cost = int | None
_FAR = 1 << 62


def cheapest_cover(need: Sequence[int], have: Sequence[int], cost: Sequence[Sequence[Cost]]) -> int | None:
    """The least total cost of covering all of ``need``; None where that cannot be done.

    ``need[i]`` contracts of short line i, ``have[j]`` of long line j, ``cost[i][j]`` for one contract of i covered by
    one of j, 0 or more, None where j cannot cover i.
    """
    flow = [[0] * len(have) for _ in need]
    left, total = list(have), 0
    for start, wanted in enumerate(need):
        while wanted:
            distance, reached_from, moved_to = _paths(start, flow, cost)
            end = min((j for j, room in enumerate(left) if room), key=distance.__getitem__, default=-1)
            if end < 0 or distance[end] >= _FAR:
                return None
            path, long = [], end
            while True:
                short = reached_from[long]
                path.append((short, long))
                if short == start:
                    break
                long = moved_to[short]
            # Along the path a short takes the long that the next one gives back.
            back = [flow[short][moved_to[short]] for short, _ in path if short != start]
            amount = min(wanted, left[end], *back)
            for short, long in path:
                flow[short][long] += amount
                if short != start:
                    flow[short][moved_to[short]] -= amount
            left[end] -= amount
            wanted -= amount
            total += amount * distance[end]
    return total


def _paths(
    start: int, flow: Sequence[Sequence[int]], cost: Sequence[Sequence[Cost]]
) -> tuple[list[int], list[int], list[int]]:
    """Shortest alternating paths from short line ``start``: distance of each long, the short it is reached from, and
    the long that each short gave back. Giving back earns the cost that was paid; no circle of these earns anything."""
    longs = range(len(cost[start]))
    distance, reached_from, moved_to = [_FAR for _ in longs], [-1 for _ in longs], [-1] * len(cost)
    at_short = [_FAR] * len(cost)
    at_short[start] = 0
    queue = [start]
    for short in queue:
        for long in longs:
            price = cost[short][long]
            if price is None or at_short[short] + price >= distance[long]:
                continue
            distance[long] = at_short[short] + price
            reached_from[long] = short
            for other, given in enumerate(flow):
                paid = cost[other][long]
                if given[long] and paid is not None and distance[long] - paid < at_short[other]:
                    at_short[other] = distance[long] - paid
                    moved_to[other] = long
                    queue.append(other)
    return distance, reached_from, moved_to
