"""The errors of the setup reference and the traps of the wire, and the tests that show each of them resolved.

Numbers are those of the wire specification, section 10. What belongs to live trading (the state machine of a failover,
the manual mode) is tested where that is built; of trap 35 the part is here that adapters have.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from adapters.tastytrade.account_book import book_of
from adapters.tastytrade.streams.account_stream import Notice
from tests.wire import captures
from tests.wire.endpoints import ENDPOINTS, Endpoint
from tests.wire.web import Broker, client, run

ROOT: Final = Path(__file__).parents[2]

TRAPS: Final[dict[int, tuple[str, str]]] = {
    1: (
        "secrets in the text",
        """wire/test_auth::test_no_secret_in_anything_that_is_shown wire/test_auth::test_credentials_are_never_shown
        wire/test_auth::test_each_environment_has_its_own_variables wire/test_auth::test_the_keyring_has_the_rest
        wire/test_rest::test_nothing_but_a_broker_error_and_no_secret
        wire/test_cassettes::test_nothing_in_a_cassette_looks_like_a_secret
        wire/test_captured::test_no_capture_holds_a_secret_a_person_or_an_account_that_is_not_invented""",
    ),
    2: (
        "one address of market data for both environments, production by default",
        """wire/test_traps::test_no_address_of_market_data_is_written_down
        wire/test_traps::test_nothing_reaches_a_broker_by_default
        wire/test_supervise::test_a_new_token_after_23_hours_and_after_a_refusal_the_address_may_change
        contract/test_what_may_be_sent::test_two_keys_arm_and_nothing_less
        contract/test_what_may_be_sent::test_unarmed_production_sends_no_order_and_no_replacement_and_any_cancel""",
    ),
    3: (
        "a token of a fixed life, fetched by everybody at once, its refusals unread",
        """wire/test_auth::test_it_is_renewed_a_minute_early_on_either_clock
        wire/test_auth::test_a_short_life_is_renewed_a_tenth_early wire/test_auth::test_many_callers_share_one_flight
        wire/test_auth::test_refused_credentials_are_tried_twice_and_never_again
        wire/test_auth::test_what_the_sandbox_says_near_the_open_is_tried_again_there_only""",
    ),
    4: (
        "errors without their nested codes, HTML read as JSON",
        """wire/test_errors::test_every_nested_code_is_kept wire/test_errors::test_a_page_of_html_is_its_title
        wire/test_captured::test_every_captured_refusal_has_its_kind_and_its_code""",
    ),
    5: (
        "balances by the shape of one version, money as floats",
        """wire/test_captured::test_balances_are_the_same_as_an_object_and_in_a_list
        wire/test_rest::test_money_is_exact""",
    ),
    6: (
        "the first root of a chain only",
        """wire/test_captured::test_chains_have_every_root_and_whatever_strikes_they_have
        wire/test_emulator_instruments::test_a_nested_chain_has_every_root""",
    ),
    7: (
        "symbols of one kind asked for as another",
        """wire/test_symbols::test_classify
        wire/test_rest::test_market_data_is_asked_for_by_known_kinds_and_a_hundred_at_most""",
    ),
    8: (
        "AUTH sent with SETUP",
        """wire/test_dxlink::test_every_step_in_order
        wire/test_dxlink::test_a_server_without_authentication_authorizes_at_once""",
    ),
    9: (
        "ready with every FEED_CONFIG",
        """wire/test_dxlink::test_subscribed_once_however_often_the_feed_is_configured
        wire/test_dxlink_server::test_the_config_may_come_with_the_first_data_only""",
    ),
    10: (
        "reset with every subscription",
        """wire/test_dxlink::test_subscriptions_come_and_go_without_reset
        wire/test_dxlink::test_many_symbols_go_in_small_frames_and_only_the_first_resets""",
    ),
    11: (
        "one pair of a frame, its values as a flat array",
        """wire/test_dxlink_data::test_compact_several_pairs_in_one_frame
        wire/test_dxlink_data::test_compact_several_events_flat_before_any_configuration
        wire/test_dxlink_data::test_compact_by_the_last_configuration_with_the_type_in_it
        wire/test_dxlink_data::test_a_row_of_another_width_is_refused_and_the_rest_goes_on""",
    ),
    12: (
        "keepalives late, silence unseen, no reconnect",
        """wire/test_dxlink::test_something_is_sent_every_thirty_seconds wire/test_dxlink::test_a_silent_socket_is_dead
        wire/test_supervise::test_a_silent_socket_is_left_and_the_gap_is_as_long_as_the_silence
        wire/test_market_feed::test_lost_and_found_a_gap_and_everything_asked_again""",
    ),
    13: (
        "an option on a future that has ended",
        """wire/test_symbols::test_the_headline_symbol_of_the_setup_reference_is_impossible
        wire/test_symbols::test_true_underlyings wire/test_symbols::test_other_underlyings_that_cannot_be""",
    ),
    14: (
        "a change of buying power read without its effect",
        """wire/test_orders::test_amounts_of_a_dry_run_carry_their_signs
        wire/test_orders::test_buying_power_that_would_end_below_zero
        wire/test_orders::test_errors_refuse_and_both_halves_of_a_body_are_read
        contract/test_on_the_wire::test_the_dry_run_says_no_with_every_code_and_nothing_is_sent""",
    ),
    15: ("a naked put, right as it was", "wire/test_symbols::test_options_are_read_and_written_character_by_character"),
    16: (
        "open orders from /orders/live, whole orders to replace one",
        """wire/test_traps::test_nobody_asks_for_every_order_of_the_day
        wire/test_orders::test_a_replacement_names_no_legs
        contract/test_every_broker::test_the_snapshot_is_what_works_oldest_first""",
    ),
    17: (
        "a raw token that is never renewed",
        """wire/test_account_stream::test_heartbeats_every_twenty_seconds_with_the_current_token
        wire/test_account_feed::test_heartbeats_carry_the_current_token""",
    ),
    18: (
        "connected before it was acknowledged",
        """wire/test_account_stream::test_connect_is_first_and_alone_until_it_is_acknowledged
        wire/test_account_stream::test_connect_not_completed""",
    ),
    19: (
        "Position for CurrentPosition",
        """wire/test_account_stream::test_notifications_pass_as_they_are_unknown_types_too
        wire/test_cassettes::test_an_account_session_plays_with_its_fill""",
    ),
    20: (
        "5.00 of ES called $500",
        """wire/test_traps::test_five_points_of_es_are_250_dollars
        wire/test_captured::test_a_point_of_a_future_option_is_notional_value_over_display_factor""",
    ),
    21: (
        "VIX asked for as an equity",
        """wire/test_symbols::test_classify
        wire/test_captured::test_market_data_of_an_option_an_index_and_in_camel_case""",
    ),
    22: (
        "positions in options on stocks only, streamer symbols taken from them",
        """wire/test_traps::test_positions_of_every_kind_are_held
        wire/test_captured::test_positions_have_their_sign_and_their_multiplier_as_it_came
        wire/test_symbols::test_the_brokers_own_streamer_symbol_is_preferred_and_the_computed_one_says_so""",
    ),
    23: (
        "dates by the machine's zone, without holidays",
        """unit/test_calendar::test_next_friday_is_today_until_four unit/test_calendar::test_monthly_expiration
        unit/test_calendar::test_holidays""",
    ),
    24: (
        "symbols split at blanks",
        """wire/test_symbols::test_options_are_read_and_written_character_by_character
        wire/test_symbols::test_an_option_on_a_stock_comes_back_from_its_streamer_symbol
        wire/test_symbols::test_the_four_that_another_client_converts_wrongly""",
    ),
    25: (
        "statuses never seen, orders sent again",
        """wire/test_errors::test_a_refusal_has_its_class_and_its_code wire/test_calls::test_a_move_is_sent_once
        wire/test_calls::test_a_read_is_repeated_until_it_is_answered wire/test_calls::test_and_given_up_after_four
        wire/test_calls::test_a_move_that_may_have_arrived_is_in_doubt""",
    ),
    26: (
        "calls that the JS client does not have",
        """clients/test_node_client::test_orders_and_account_stream clients/test_snippets::test_node""",
    ),
    27: (
        "calls that the Python client does not have, the sign of its price",
        """clients/test_python_client::test_spread_from_dry_run_to_close clients/test_snippets::test_python
        wire/test_orders::test_price_and_effect_go_around""",
    ),
    28: (
        "an address of DXLink in the client, /ES for a streamer symbol",
        """wire/test_traps::test_no_address_of_market_data_is_written_down
        wire/test_symbols::test_what_is_no_streamer_symbol_is_refused wire/test_symbols::test_exchange_codes""",
    ),
    29: (
        "120 requests a minute",
        "wire/test_limits::test_the_published_table wire/test_limits::test_no_second_sees_more_than_its_number",
    ),
    30: (
        "who asks says who he is",
        """wire/test_calls::test_what_a_request_carries
        wire/test_emulator_rest::test_a_missing_agent_is_refused_in_html_before_anything_else
        wire/test_emulator_rest::test_a_strict_emulator_wants_product_and_version""",
    ),
    31: (
        "padding lost",
        "wire/test_symbols::test_what_lost_its_padding_is_read_by_the_lenient_parser_alone",
    ),
    32: (
        "Buy and Sell of a future",
        """wire/test_captured::test_orders_of_every_kind wire/test_exchange_checks::test_what_preflight_refuses
        wire/test_exchange_profiles::test_futures_move_cash_when_they_are_closed""",
    ),
    33: (
        "the sandbox's old fills",
        """wire/test_exchange_profiles::test_classic_market_orders_fill_at_one
        wire/test_exchange_profiles::test_classic_limits_fill_up_to_three
        wire/test_exchange_profiles::test_the_simulator_trades_only_against_a_live_side""",
    ),
    34: (
        "hours of the machine for hours of New York",
        """unit/test_calendar::test_london_sees_1030_an_hour_early_in_the_mismatch_weeks
        unit/test_calendar::test_minutes_through_a_change_of_clocks""",
    ),
    35: (
        "failures by number, waits that grow without end, stale positions given out",
        """wire/test_limits::test_a_wait_is_bounded_and_drawn_again_from_its_seed
        wire/test_supervise::test_three_refusals_in_a_row_are_the_end
        wire/test_book::test_what_was_heard_before_the_connection_was_lost_is_stale
        wire/test_account_feed::test_a_snapshot_that_fails_is_taken_again_and_what_was_held_stays""",
    ),
    36: (
        "two decimals whatever the tick",
        """wire/test_orders::test_prices_are_on_the_tick_and_never_worse_than_the_limit
        wire/test_calls::test_decimals_are_written_without_an_exponent wire/test_shapes::test_ticks""",
    ),
}

OTHERS: Final[dict[str, str]] = {
    "updated-at as a number and as text": "wire/test_account_stream::test_updated_at_is_text_or_milliseconds",
    "cancelled with fills": "contract/test_on_the_wire::test_what_is_left_of_a_part_filled_order_is_cancelled",
    "a multiplier of 1.0": "wire/test_shapes::test_a_position",
    "a cost effect that is wrong, a quantity without a sign": """
        wire/test_captured::test_positions_have_their_sign_and_their_multiplier_as_it_came""",
    "the sandbox forgets": "contract/test_doubts::test_the_broker_forgets_everything_over_night",
    "ranks as text": "wire/test_captured::test_metrics_have_shares_and_per_cents",
    "a session without its close": "wire/test_captured::test_a_session_may_lack_its_close_and_holds_its_neighbours",
    "406 as a number": "wire/test_errors::test_a_code_that_is_a_number_is_a_word",
    "errors in HTML": "wire/test_errors::test_a_page_of_html_is_its_title",
    "201 or 200": "wire/test_traps::test_a_post_is_answered_by_200_or_201",
    "answers that wrap an order differently": "wire/test_captured::test_a_captured_shape_is_decoded_whole",
    "accounts nested in one route": "wire/test_rest::test_an_account_is_nested_in_the_list_only",
    "values that cannot be read": "wire/test_captured::test_what_cannot_be_read_is_none_unless_it_is_needed",
}


@cache
def named_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def assert_shown(names: str) -> None:
    assert names.split()
    for name in names.split():
        file, _, test = name.partition("::")
        assert test in named_in(file), f"{name} is no test any more: name the one that shows it now"


def test_every_trap_has_its_row() -> None:
    assert list(TRAPS) == list(range(1, 37))


@pytest.mark.parametrize("number", TRAPS)
def test_a_trap_is_shown_resolved(number: int) -> None:
    _, names = TRAPS[number]
    assert_shown(names)


@pytest.mark.parametrize("what", OTHERS)
def test_another_trap_is_shown_resolved(what: str) -> None:
    assert_shown(OTHERS[what])


# --- those that no other test shows -----------------------------------------------------------------------------------


def test_no_address_of_market_data_is_written_down() -> None:
    """It comes with every quote token: sandbox and production have different ones, and they have changed."""
    read = [*(ROOT / "adapters" / "tastytrade").rglob("*.py"), *(ROOT / "conf" / "adapter").glob("*.yaml")]
    assert len(read) > 50
    for path in read:
        assert "dxfeed.com" not in path.read_text(encoding="utf-8"), path.name


def test_nothing_reaches_a_broker_by_default() -> None:
    """No word of a command line leads to production but the one that names it."""
    groups = yaml.safe_load((ROOT / "conf" / "config.yaml").read_text(encoding="utf-8"))["defaults"]
    assert {"adapter": "replay"} in groups


def test_nobody_asks_for_every_order_of_the_day() -> None:
    for asked in ENDPOINTS:
        assert not asked.path.partition("?")[0].endswith("/live"), asked.name


def test_five_points_of_es_are_250_dollars() -> None:
    (option, *_) = run(client(answering("future options")).instruments.future_options(root="E1A"))
    assert option.dollars is not None
    assert 5 * option.dollars == 250


def test_positions_of_every_kind_are_held() -> None:
    """Whatever their type, and whether or not they say how they are streamed."""
    book = book_of([Notice("CurrentPosition", one) for one in captures.items("positions")], at=1)
    assert {symbol: int(n) for symbol, n in book.positions.items()} == {
        "XYZ": 100,
        "XYZ   260116P00050000": -3,
        "/ESH6": 2,
        "./ESH6 EW3F6 260116P6700": -1,
    }


@pytest.mark.parametrize(
    "asked", [asked for asked in ENDPOINTS if asked.method == "POST" and asked.said], ids=lambda asked: asked.name
)
def test_a_post_is_answered_by_200_or_201(asked: Endpoint) -> None:
    def once(status: int) -> Any:
        return run(_do(asked, answering(asked.said, status)))

    assert once(200) == once(201)


async def _do(asked: Endpoint, broker: Broker) -> Any:
    return await asked.act(client(broker))


def answering(said: str, status: int = 200) -> Broker:
    return Broker(httpx.Response(status, json=captures.body(captures.variants(said)[0])))
