"""The keys without which the Python package ``tastytrade`` 13.2.3 refuses an object, read off its models."""

from __future__ import annotations

from typing import Final

REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    kind: tuple(keys.split())
    for kind, keys in {
        "Order": """
            account-number time-in-force order-type underlying-symbol underlying-instrument-type status
            cancellable editable edited updated-at legs id
        """,
        "ComplexOrder": """
            account-number type id orders
        """,
        "Leg": """
            instrument-type symbol action
        """,
        "FillInfo": """
            fill-id quantity fill-price filled-at
        """,
        "BuyingPowerEffect": """
            change-in-margin-requirement change-in-buying-power current-buying-power new-buying-power
            isolated-order-margin-requirement is-spread impact effect
        """,
        "FeeCalculation": """
            regulatory-fees clearing-fees commission proprietary-index-option-fees total-fees
        """,
        "AccountBalance": """
            account-number cash-balance long-equity-value short-equity-value long-derivative-value
            short-derivative-value long-futures-value short-futures-value long-futures-derivative-value
            short-futures-derivative-value long-margineable-value short-margineable-value margin-equity
            equity-buying-power derivative-buying-power day-trading-buying-power futures-margin-requirement
            available-trading-funds maintenance-requirement maintenance-call-value reg-t-call-value
            day-trading-call-value day-equity-call-value net-liquidating-value cash-available-to-withdraw
            day-trade-excess pending-cash long-cryptocurrency-value short-cryptocurrency-value
            cryptocurrency-margin-requirement unsettled-cryptocurrency-fiat-amount closed-loop-available-balance
            equity-offering-margin-requirement long-bond-value bond-margin-requirement
            used-derivative-buying-power snapshot-date reg-t-margin-requirement
            futures-overnight-margin-requirement futures-intraday-margin-requirement maintenance-excess
            pending-margin-interest effective-cryptocurrency-buying-power updated-at
        """,
        "AccountBalanceSnapshot": """
            account-number cash-balance long-equity-value short-equity-value long-derivative-value
            short-derivative-value long-futures-value short-futures-value long-futures-derivative-value
            short-futures-derivative-value long-margineable-value short-margineable-value margin-equity
            equity-buying-power derivative-buying-power day-trading-buying-power futures-margin-requirement
            available-trading-funds maintenance-requirement maintenance-call-value reg-t-call-value
            day-trading-call-value day-equity-call-value net-liquidating-value cash-available-to-withdraw
            day-trade-excess pending-cash snapshot-date
        """,
        "CurrentPosition": """
            account-number symbol instrument-type underlying-symbol quantity quantity-direction close-price
            average-open-price multiplier cost-effect is-suppressed is-frozen realized-day-gain realized-today
            created-at updated-at
        """,
        "TradingStatus": """
            account-number equities-margin-calculation-type fee-schedule-name futures-margin-rate-multiplier
            has-intraday-equities-margin id is-aggregated-at-clearing is-closed is-closing-only
            is-cryptocurrency-enabled is-frozen is-full-equity-margin-required is-futures-closing-only
            is-futures-intra-day-enabled is-futures-enabled is-in-day-trade-equity-maintenance-call
            is-in-margin-call is-pattern-day-trader is-small-notional-futures-intra-day-enabled
            is-roll-the-day-forward-enabled are-far-otm-net-options-restricted options-level short-calls-enabled
            small-notional-futures-margin-rate-multiplier is-equity-offering-enabled
            is-equity-offering-closing-only updated-at
        """,
        "Transaction": """
            id account-number transaction-type transaction-sub-type description executed-at transaction-date
            value net-value is-estimated-fee
        """,
        "MarginReport": """
            account-number description margin-calculation-type option-level margin-requirement
            maintenance-requirement margin-equity option-buying-power reg-t-margin-requirement
            reg-t-option-buying-power maintenance-excess last-state-timestamp groups
        """,
        "MarginReportEntry": """
            description code buying-power margin-calculation-type margin-requirement
        """,
        "NetLiqOhlc": """
            open high low close pending-cash-open pending-cash-high pending-cash-low pending-cash-close
            total-open total-high total-low total-close time
        """,
        "FeesInfo": """
            total-fees
        """,
        "Account": """
            account-number opened-at nickname account-type-name is-closed day-trader-status is-firm-error
            is-firm-proprietary is-futures-approved margin-or-cash is-foreign created-at
        """,
    }.items()
}
