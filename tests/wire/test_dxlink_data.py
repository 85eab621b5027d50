"""FEED_DATA in every layout, and frames that make no sense: counted, told in one line, nothing else lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.tastytrade.streams.dxlink import DxLink, Happened, Problem, Subscription
from adapters.tastytrade.streams.dxlink_data import Fault
from adapters.tastytrade.streams.dxlink_events import FIELDS, Quote, Rows
from tests.stream_rig import TOKEN, Time

WANTED = (Subscription("Quote", "SPY"), Subscription("Trade", "SPY"), Subscription("Candle", "SPY{=m}", since=0))
SHORT = ["eventSymbol", "bidPrice", "askPrice"]


def standing() -> DxLink:
    """A machine with the channels of quotes (1), trades (3) and candles (5) open."""
    link = DxLink(TOKEN, now=Time().now)
    link.subscribe(WANTED)
    link.opened()
    for state in ("UNAUTHORIZED", "AUTHORIZED"):
        link.received(json.dumps({"type": "AUTH_STATE", "channel": 0, "state": state}))
    for channel in (1, 3, 5):
        link.received(json.dumps({"type": "CHANNEL_OPENED", "channel": channel, "service": "FEED"}))
    link.outbox.clear()
    assert link.ready
    return link


def data(link: DxLink, *values: object, channel: object = 1) -> list[Happened]:
    return link.received(json.dumps({"type": "FEED_DATA", "channel": channel, "data": values}))


def config(link: DxLink, kind: str, fields: object, channel: int = 1) -> list[Happened]:
    return link.received(json.dumps({"type": "FEED_CONFIG", "channel": channel, "eventFields": {kind: fields}}))


def quotes(happened: list[Happened]) -> list[tuple[str, str, str]]:
    """(symbol, bid, ask) of every quote in what happened."""
    events = [event for one in happened if isinstance(one, Rows) for event in one.events()]
    return [(event.symbol, str(event.bid), str(event.ask)) for event in events if isinstance(event, Quote)]


def asked(symbol: str, bid: object, ask: object) -> list[object]:
    """A row in the order that was asked for."""
    values = {"eventSymbol": symbol, "bidPrice": bid, "askPrice": ask}
    return [values.get(name, 0) for name in FIELDS["Quote"]]


# --- 5.5 -------------------------------------------------------------------------------------------------------------


def test_compact_several_events_flat_before_any_configuration() -> None:
    link = standing()
    told = data(link, "Quote", [*asked("SPY", 559.36, 559.37), *asked("/ESZ26:XCME", "NaN", 5600.25)])
    assert quotes(told) == [("SPY", "559.36", "559.37"), ("/ESZ26:XCME", "None", "5600.25")]
    assert link.rows == 2


def test_compact_by_the_last_configuration_with_the_type_in_it() -> None:
    link = standing()
    config(link, "Quote", ["eventType", *SHORT])
    assert quotes(data(link, "Quote", ["Quote", "SPY", 1.5, 1.6, "Quote", "QQQ", 2, 3])) == [
        ("SPY", "1.5", "1.6"),
        ("QQQ", "2", "3"),
    ]
    config(link, "Quote", ["askPrice", "bidPrice", "eventSymbol", "novelty"])
    (rows,) = data(link, "Quote", [1.6, 1.5, "SPY", {"a": 1}])
    assert isinstance(rows, Rows)
    (quote,) = rows.events()
    assert isinstance(quote, Quote)
    assert (str(quote.bid), str(quote.ask), quote.more) == ("1.5", "1.6", {"novelty": {"a": 1}})


def test_compact_several_pairs_in_one_frame() -> None:
    link = standing()
    config(link, "Quote", SHORT)
    config(link, "Trade", ["eventSymbol", "price"])
    told = data(link, "Quote", ["SPY", 1, 2], "Trade", ["SPY", 1.5, "QQQ", 2.5], "Quote", ["QQQ", 3, 4])
    assert [(one.type, len(one)) for one in told if isinstance(one, Rows)] == [("Quote", 1), ("Trade", 2), ("Quote", 1)]


def test_compact_nested_lists_an_event_each() -> None:
    link = standing()
    config(link, "Quote", SHORT)
    assert quotes(data(link, "Quote", [["SPY", 1, 2], ["QQQ", 3, 4]])) == [("SPY", "1", "2"), ("QQQ", "3", "4")]
    told = data(link, "Quote", [["SPY", 1, 2], ["short", 3], "none", ["QQQ", 3, 4]])
    assert quotes(told) == [("SPY", "1", "2"), ("QQQ", "3", "4")]
    assert link.problems == {Fault.WIDTH: 1, Fault.SHAPE: 1}


def test_full() -> None:
    link = standing()
    one = {"eventType": "Quote", "eventSymbol": "SPY", "askPrice": 123, "bidPrice": 122}
    other = {"eventType": "Quote", "eventSymbol": "QQQ", "askPrice": "NaN"}
    trade = {"eventType": "Trade", "eventSymbol": "SPY", "price": 1.5, "odd": [1]}
    told = data(link, one, one | {"eventSymbol": "IWM"}, other, 7, {"eventSymbol": "no type"}, trade)
    assert quotes(told) == [("SPY", "122", "123"), ("IWM", "122", "123"), ("QQQ", "None", "None")]
    rows = [found for found in told if isinstance(found, Rows)]
    assert [(found.type, len(found)) for found in rows] == [("Quote", 2), ("Quote", 1), ("Trade", 1)]
    assert next(rows[2].events()).more == {"odd": [1]}  # type: ignore[union-attr]
    assert link.problems == {Fault.SHAPE: 2}


def test_a_row_of_another_width_is_refused_and_the_rest_goes_on() -> None:
    link = standing()
    config(link, "Quote", SHORT)
    config(link, "Trade", ["eventSymbol", "price"])
    told = data(link, "Quote", ["SPY", 1, 2, "half"], "Trade", ["SPY", 1.5])
    assert [type(one) for one in told] == [Problem, Rows]
    assert link.problems == {Fault.WIDTH: 1}
    assert quotes(data(link, "Quote", ["SPY", 1, 2])) == [("SPY", "1", "2")]


def test_a_row_without_a_symbol_is_left_out_and_the_others_stay() -> None:
    link = standing()
    config(link, "Quote", SHORT)
    told = data(link, "Quote", ["SPY", 1, 2, None, 1, 2, "", 1, 2, ["x"], 1, 2, "QQQ", 3, 4])
    assert quotes(told) == [("SPY", "1", "2"), ("QQQ", "3", "4")]
    assert link.problems == {Fault.SHAPE: 1}
    assert [type(one) for one in data(link, "Quote", [5, 1, 2])] == [Problem]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        (["Unheard", [1, 2]], Fault.EVENT),
        (["Quote"], Fault.SHAPE),
        (["Quote", 5], Fault.SHAPE),
        ([5, []], Fault.SHAPE),
        (["Quote", {"a": 1}], Fault.SHAPE),
        ([["Quote"], []], Fault.SHAPE),
    ],
)
def test_a_pair_that_is_none(values: list[object], fault: Fault) -> None:
    link = standing()
    told = data(link, *values, "Quote", asked("SPY", 1, 2))
    assert quotes(told) == [] if len(values) % 2 else [("SPY", "1", "2")]
    assert link.problems[fault] >= 1


def test_nothing_in_a_frame_is_nothing() -> None:
    link = standing()
    assert data(link) == data(link, "Quote", []) == []
    assert not link.problems


@pytest.mark.parametrize("channel", [7, 0, 2, -1, None, "1", True, 1.0, [1]])
def test_a_channel_that_is_not_there(channel: object) -> None:
    link = standing()
    for kind in ("FEED_DATA", "FEED_CONFIG", "CHANNEL_OPENED", "CHANNEL_CLOSED"):
        (problem,) = link.received(json.dumps({"type": kind, "channel": channel, "data": [], "eventFields": {}}))
        assert isinstance(problem, Problem)
    assert link.problems == {Fault.CHANNEL: 4}
    assert link.ready


@pytest.mark.parametrize("fields", [None, [], "bidPrice", [1, 2], [None], {"a": 1}])
def test_a_configuration_that_is_none_leaves_the_one_before(fields: object) -> None:
    link = standing()
    config(link, "Quote", SHORT)
    config(link, "Quote", fields)
    assert quotes(data(link, "Quote", ["SPY", 1, 2])) == [("SPY", "1", "2")]
    link.received(json.dumps({"type": "FEED_CONFIG", "channel": 1, "eventFields": fields if fields else [1]}))
    assert quotes(data(link, "Quote", ["SPY", 1, 2])) == [("SPY", "1", "2")]


def test_a_configuration_without_a_symbol_loses_rows_and_says_so() -> None:
    link = standing()
    config(link, "Quote", ["bidPrice"])
    assert [type(one) for one in data(link, "Quote", [1, 2])] == [Problem]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault.JSON),
        ("not json", Fault.JSON),
        ('{"type":"FEED_DATA","chan', Fault.JSON),
        ('{"type":"FEED_DATA","channel":1,"data":["Quote",[NaN]]}', Fault.JSON),
        ("\ud800", Fault.JSON),
        ("\x00\xff\xfe", Fault.JSON),
        ("[" * 100_000, Fault.JSON),
        ('{"a":' * 50_000 + "1" + "}" * 50_000, Fault.JSON),
        ('{"type":"FEED_DATA","channel":1,"data":[1e999]}', Fault.JSON),
        ("[]", Fault.SHAPE),
        ("7", Fault.SHAPE),
        ("null", Fault.SHAPE),
        ('"KEEPALIVE"', Fault.SHAPE),
        ("{}", Fault.KIND),
        ('{"type":7}', Fault.KIND),
        ('{"type":["SETUP"]}', Fault.KIND),
        ('{"type":"setup"}', Fault.KIND),
        ('{"type":"AUTH_STATE","state":[]}', Fault.SHAPE),
        ('{"type":"FEED_DATA","channel":1}', Fault.SHAPE),
        ('{"type":"FEED_DATA","channel":1,"data":{}}', Fault.SHAPE),
        ('{"type":"FEED_DATA","channel":1,"data":"Quote"}', Fault.SHAPE),
    ],
)
def test_a_hostile_frame_is_counted_and_said_in_one_line(text: str, fault: Fault) -> None:
    link = standing()
    (problem,) = link.received(text)
    assert isinstance(problem, Problem)
    assert problem.fault is fault
    assert len(problem.line) < 300
    assert problem.line.isprintable()
    assert link.problems == {fault: 1}
    assert link.ready
    assert quotes(data(link, "Quote", asked("SPY", 1, 2))) == [("SPY", "1", "2")]


def test_a_frame_that_is_too_large_is_not_read() -> None:
    link = DxLink(TOKEN, now=Time().now, largest=100)
    link.opened()
    (problem,) = link.received(json.dumps({"type": "KEEPALIVE", "pad": "x" * 100}))
    assert isinstance(problem, Problem)
    assert link.problems == {Fault.SIZE: 1}


# --- fuzz ------------------------------------------------------------------------------------------------------------

WORDS = [
    "type",
    "channel",
    "data",
    "state",
    "eventFields",
    "error",
    "message",
    "eventType",
    "eventSymbol",
    "eventFlags",
]
TYPES = ["SETUP", "KEEPALIVE", "FEED_CONFIG", "FEED_DATA", "CHANNEL_OPENED", "ERROR", *FIELDS]
leaf = (
    st.none() | st.booleans() | st.integers(-3, 9) | st.integers() | st.floats() | st.text(max_size=6)
    | st.sampled_from([*WORDS, *TYPES, "SPY", "SPY{=m}", "NaN", "Infinity", TOKEN])
)  # fmt: skip
anything = st.recursive(
    leaf,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner),
    max_leaves=20,
)
# Neither an end of the token nor of a channel: what those do is tested above, and a fuzz that hangs up tests nothing.
frames = st.builds(
    lambda kind, channel, rest: rest | {"type": kind, "channel": channel},
    st.sampled_from(["SETUP", "KEEPALIVE", "FEED_CONFIG", "FEED_DATA", "CHANNEL_OPENED", "ERROR"]) | anything,
    st.sampled_from([1, 3, 5]) | anything,
    st.dictionaries(st.sampled_from(WORDS[2:]) | st.text(max_size=3), anything, max_size=5),
)
feed = st.builds(
    lambda pairs, channel: {"type": "FEED_DATA", "channel": channel, "data": [one for pair in pairs for one in pair]},
    st.lists(st.tuples(st.sampled_from(sorted(FIELDS)) | anything, st.lists(leaf, max_size=26) | anything), max_size=3),
    st.sampled_from([1, 3, 5]),
)


@given(st.lists(frames | feed | anything, max_size=8), st.integers(0, 400), st.booleans())
def test_nothing_that_arrives_breaks_the_machine(told: list[Any], cut: int, twice: bool) -> None:
    link = standing()
    before = link.wanted
    texts = [json.dumps(one) for one in told]
    texts += [text[:cut] for text in texts] + (texts[::-1] if twice else [])
    said: list[Happened] = []
    for text in texts:
        said += link.received(text)
        said += link.tick()
    problems = [one for one in said if isinstance(one, Problem)]
    assert sum(link.problems.values()) == len(problems)
    assert link.frames == len(texts) + 5
    assert all(len(one.line) < 500 and one.line.isprintable() and TOKEN not in one.line for one in problems)
    assert sum(len(one) for one in said if isinstance(one, Rows)) == link.rows
    for rows in said:
        if isinstance(rows, Rows):
            assert all(event.symbol for event in rows.events())
    assert link.wanted == before
    assert link.ready
    config(link, "Quote", SHORT)
    assert quotes(data(link, "Quote", ["SPY", 1, 2])) == [("SPY", "1", "2")]


@given(st.text(max_size=300) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_taken(text: str) -> None:
    link = standing()
    assert len([one for one in link.received(text) if isinstance(one, Problem)]) == sum(link.problems.values())
    assert link.ready
