"""What the sandbox documents of accounts: orders, fills, positions, settlements, keys and limits.

Source: KALSHI.md §3 and §6 (OpenAPI 3.34.0, read 2026-10-09), written down anew for what the sandbox answers.
"""

from functools import partial
from typing import Final

from sandbox.openapi_notation import Chapter, Operation

PAGE: Final = "limit:int(1..1000) cursor:str subaccount:Subaccount exchange_index:ShardIndex"
TIMES: Final = "min_ts:Second max_ts:Second"
DIRECTION: Final = """
        side =yes,no
        action =buy,sell
        outcome_side =yes,no
        book_side =bid,ask
        yes_price_dollars dollars
        no_price_dollars dollars"""
TICKET: Final = """
        order_id str
        client_order_id str
        ts_ms int"""
AVERAGES: Final = """
        average_fill_price? dollars
        average_fee_paid? dollars"""

SCHEMAS: Final = {
    "Balance": """
        balance int
        balance_dollars dollars
        portfolio_value int
        updated_ts int
        balance_breakdown ShardBalance[]""",
    "ShardBalance": "exchange_index int; balance any",
    "Order": f"""
        order_id str
        user_id str
        client_order_id str
        ticker str
        type =limit
        status =resting,canceled,executed
        fill_count_fp count
        remaining_count_fp count
        initial_count_fp count
        taker_fill_cost_dollars dollars
        maker_fill_cost_dollars dollars
        taker_fees_dollars dollars
        maker_fees_dollars dollars
        expiration_time time|null
        created_time time
        last_update_time time
        self_trade_prevention_type =taker_at_cross,maker
        order_group_id str
        cancel_order_on_pause bool
        subaccount_number int
        exchange_index int{DIRECTION}""",
    "Fill": f"""
        fill_id str
        trade_id str
        order_id str
        ticker str
        market_ticker str
        count_fp count
        is_taker bool
        fee_cost dollars
        created_time time
        ts int
        subaccount_number int
        exchange_index int{DIRECTION}""",
    "MarketPosition": """
        ticker str
        exchange_index int
        total_traded_dollars dollars
        position_fp count
        market_exposure_dollars dollars
        realized_pnl_dollars dollars
        fees_paid_dollars dollars
        last_updated_ts time""",
    "EventPosition": """
        event_ticker str
        total_cost_dollars dollars
        total_cost_shares_fp count
        event_exposure_dollars dollars
        realized_pnl_dollars dollars
        fees_paid_dollars dollars""",
    "Positions": "market_positions MarketPosition[]; event_positions EventPosition[]; cursor str",
    "Settlement": """
        ticker str
        event_ticker str
        exchange_index int
        market_result =yes,no,scalar
        yes_count_fp count
        yes_total_cost_dollars dollars
        no_count_fp count
        no_total_cost_dollars dollars
        revenue int
        settled_time time
        fee_cost dollars
        value int|null""",
    "NewOrder": """
        ticker Text
        client_order_id? Text
        side =bid,ask
        count Decimal
        price Decimal
        time_in_force =good_till_canceled,immediate_or_cancel,fill_or_kill
        self_trade_prevention_type =taker_at_cross,maker
        expiration_time? Second
        post_only? bool
        reduce_only? bool
        cancel_order_on_pause? bool
        order_group_id? str
        subaccount? Subaccount
        exchange_index? ShardIndex""",
    "Amendment": """
        ticker Text
        side =bid,ask
        count Decimal
        price Decimal
        client_order_id? Text
        updated_client_order_id? Text
        expiration_time? Second
        exchange_index? ShardIndex""",
    "Decrease": "reduce_by? Decimal; reduce_to? Decimal; market_ticker? Text; exchange_index? ShardIndex",
    "NewOrders": "orders NewOrder[]",
    "Cancellations": "orders Cancellation[]",
    "Cancellation": "order_id Text; market_ticker? Text; subaccount? Subaccount; exchange_index? ShardIndex",
    "Created": f"{TICKET}\nfill_count count\nremaining_count count{AVERAGES}",
    "Amended": f"{TICKET}\nfill_count count\nremaining_count count{AVERAGES}",
    "Decreased": f"{TICKET}\nremaining_count count",
    "Canceled": f"{TICKET}\nreduced_by count",
    "CreatedItem": f"""
        order_id? str
        client_order_id? str
        ts_ms? int
        fill_count? count
        remaining_count? count{AVERAGES}
        error? Error""",
    "CanceledItem": """
        order_id str
        client_order_id? str
        ts_ms? int
        reduced_by count
        error? Error""",
    "QueuePosition": "order_id str; market_ticker str; queue_position_fp count",
    "Allowance": "refill_rate int; bucket_capacity int",
    "Grant": "exchange_instance str; level str; source str; expires_ts? int|null",
    "Limits": "usage_tier str; read Allowance; write Allowance; grants Grant[]",
    "Goal": "level str; earn_volume_goal_fp count; keep_volume_goal_fp count",
    "Progress": "computed_ts int; trailing_30d_volume_fp count; goals Goal[]",
    "ApiKey": """
        api_key_id str
        name str
        scopes str[]
        subaccount? int
        api_key_region_expiration_ts? time|null""",
}  # fmt: skip

signed = partial(Operation, is_signed=True)
V2: Final = "/portfolio/events/orders"
V1: Final = "/portfolio/orders"
BY_ID: Final = "market_ticker:str subaccount:Subaccount exchange_index:ShardIndex"
RETIRED: Final = tuple(
    signed(method, path, "Gone: use /portfolio/events/orders", "Error", status=410)
    for method, path in (
        ("POST", V1),
        ("POST", f"{V1}/batched"),
        ("DELETE", f"{V1}/batched"),
        ("DELETE", f"{V1}/{{order_id}}"),
        ("POST", f"{V1}/{{order_id}}/amend"),
        ("POST", f"{V1}/{{order_id}}/decrease"),
    )
)

OPERATIONS: Final = (
    signed("GET", "/portfolio/balance", "Cash", "Balance",
           "subaccount:Subaccount exchange_index:ShardIndex"),
    signed("GET", "/portfolio/summary/total_resting_order_value", "What resting orders may cost",
           "{total_resting_order_value int;resting_order_value_breakdown ShardBalance[]}"),
    signed("GET", V1, "Orders", "{orders Order[];cursor str}",
           f"{PAGE} {TIMES} ticker:str event_ticker:str status:OrderStatus"),
    signed("GET", f"{V1}/queue_positions", "Where resting orders stand",
           "{queue_positions QueuePosition[]}",
           "market_tickers:str event_ticker:str subaccount:Subaccount"),
    signed("GET", f"{V1}/{{order_id}}", "One order", "{order Order}"),
    signed("GET", f"{V1}/{{order_id}}/queue_position", "Where it stands", "{queue_position_fp count}"),
    signed("POST", V2, "Place an order", "Created", body="NewOrder", status=201, fails=(404, 409, 413)),
    signed("DELETE", V2, "Cancel everything", "", "subaccount:Subaccount", status=204),
    signed("POST", f"{V2}/batched", "Place several", "{orders CreatedItem[]}", body="NewOrders", status=201,
           fails=(404, 409, 413)),
    signed("DELETE", f"{V2}/batched", "Cancel several", "{orders CanceledItem[]}", body="Cancellations",
           fails=(413,)),
    signed("DELETE", f"{V2}/{{order_id}}", "Cancel one", "Canceled", BY_ID, fails=(409,)),
    signed("POST", f"{V2}/{{order_id}}/amend", "Change price or count", "Amended", "subaccount:Subaccount",
           body="Amendment", fails=(409, 413)),
    signed("POST", f"{V2}/{{order_id}}/decrease", "Make it smaller where it stands", "Decreased",
           "subaccount:Subaccount", body="Decrease", fails=(409, 413)),
    signed("GET", "/portfolio/fills", "Fills", "{fills Fill[];cursor str}",
           f"{PAGE} {TIMES} ticker:str order_id:str"),
    signed("GET", "/portfolio/positions", "Positions", "Positions",
           f"{PAGE} ticker:str event_ticker:str count_filter:str settlement_status:SettlementStatus"),
    signed("GET", "/portfolio/settlements", "What positions paid", "{settlements Settlement[];cursor str}",
           f"{PAGE} {TIMES} ticker:str event_ticker:str"),
    signed("GET", "/historical/orders", "Archived orders", "{orders Order[];cursor str}",
           f"{PAGE} {TIMES} ticker:str"),
    signed("GET", "/historical/fills", "Archived fills", "{fills Fill[];cursor str}",
           f"{PAGE} {TIMES} ticker:str"),
    signed("GET", "/historical/positions", "Archived positions", "Positions",
           f"{PAGE} ticker:str event_ticker:str"),
    signed("GET", "/account/limits", "Tier and budgets", "Limits"),
    signed("POST", "/account/api_usage_level/upgrade", "From Basic to Advanced", "", status=201),
    signed("GET", "/account/api_usage_level/volume_progress", "How far the next tier is",
           "{volume_progress Progress[]}"),
    signed("GET", "/api_keys", "The keys of the account", "{api_keys ApiKey[]}"),
    *RETIRED,
)  # fmt: skip

PORTFOLIO: Final = Chapter(OPERATIONS, SCHEMAS)
