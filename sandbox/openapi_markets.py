"""What the sandbox documents of series, events, markets, trades and candles.

Source: KALSHI.md §5 (OpenAPI 3.34.0, read 2026-10-09), written down anew for what the sandbox answers.
"""

from typing import Final

from sandbox.openapi_notation import Chapter, Operation

S: Final = "min_ts:Second max_ts:Second"
PAGE: Final = "limit:int(0..1000) cursor:str"
WINDOW: Final = "start_ts!:Second end_ts!:Second period_interval!:Period"
LATEST: Final = "include_latest_before_start:bool"

SCHEMAS: Final = {
    "Series": """
        ticker str
        title str
        category str
        categories str[]
        frequency str
        tags str[]|null
        settlement_sources Source[]|null
        contract_url str
        contract_terms_url str
        product_metadata? object|null
        fee_type str
        fee_multiplier num
        additional_prohibitions str[]|null
        last_updated_ts time
        exchange_index int
        volume_fp? count""",
    "Source": "name str; url str",
    "SeriesFeeChange": "id str; series_ticker str; fee_type str; fee_multiplier num; scheduled_ts time",
    "EventFeeChange": """
        id str
        event_ticker str
        series_ticker str
        fee_type_override str|null
        fee_multiplier_override num|null
        scheduled_ts time""",
    "Event": """
        event_ticker str
        series_ticker str
        title str
        sub_title str
        category? str
        collateral_return_type str
        mutually_exclusive bool
        settlement_sources Source[]|null
        product_metadata? object|null
        last_updated_ts? time
        fee_type_override str|null
        fee_multiplier_override num|null
        exchange_index int
        strike_date? time|null
        strike_period? str|null
        markets? Market[]""",
    "EventMetadata": """
        image_url str
        featured_image_url? str
        market_details MarketDetails[]
        settlement_sources Source[]
        competition? str|null
        competition_scope? str|null""",
    "MarketDetails": "market_ticker str; image_url str; color_code str",
    "Market": """
        ticker str
        event_ticker str
        market_type =binary,scalar
        title? str
        subtitle? str
        yes_sub_title str
        no_sub_title str
        created_time time
        updated_time time
        open_time time
        close_time time
        expected_expiration_time? time|null
        latest_expiration_time time
        expiration_time? time
        settlement_timer_seconds int
        status =initialized,inactive,active,closed,determined,disputed,amended,finalized
        yes_bid_dollars dollars
        yes_ask_dollars dollars
        no_bid_dollars dollars
        no_ask_dollars dollars
        yes_bid_size_fp count
        yes_ask_size_fp count
        last_price_dollars dollars
        previous_yes_bid_dollars dollars
        previous_yes_ask_dollars dollars
        previous_price_dollars dollars
        volume_fp count
        volume_24h_fp count
        open_interest_fp count
        notional_value_dollars dollars
        result =yes,no,scalar,
        settlement_value_dollars? dollars|null
        settlement_ts? time|null
        expiration_value? str
        occurrence_datetime? time|null
        can_close_early bool
        early_close_condition? str|null
        fee_waiver_expiration_time? time|null
        strike_type? str
        floor_strike? num|null
        cap_strike? num|null
        functional_strike? str|null
        custom_strike? object|null
        rules_primary str
        rules_secondary str
        mve_collection_ticker? str
        mve_selected_legs? Leg[]|null
        primary_participant_key? str|null
        price_level_structure str
        price_ranges PriceRange[]
        settlement_bounds_type =default,floor
        settlement_floor_dollars? dollars|null
        is_provisional? bool
        exchange_index int""",
    "Leg": "event_ticker str; market_ticker str; side =yes,no; yes_settlement_value_dollars? dollars|null",
    "PriceRange": "start dollars; end dollars; step dollars",
    "Book": "orderbook_fp Sides",
    "TickerBook": "ticker str; orderbook_fp Sides",
    "Sides": "yes_dollars str[][]; no_dollars str[][]",
    "Trade": """
        trade_id str
        ticker str
        count_fp count
        yes_price_dollars dollars
        no_price_dollars dollars
        taker_outcome_side =yes,no
        taker_book_side =bid,ask
        taker_side? =yes,no
        created_time time
        is_block_trade? bool""",
    "Candle": """
        end_period_ts int
        yes_bid Ohlc
        yes_ask Ohlc
        price Prices
        volume_fp count
        open_interest_fp count""",
    "Ohlc": """
        open_dollars dollars|null
        low_dollars dollars|null
        high_dollars dollars|null
        close_dollars dollars|null""",
    "Prices": """
        open_dollars? dollars|null
        low_dollars? dollars|null
        high_dollars? dollars|null
        close_dollars? dollars|null
        mean_dollars? dollars|null
        previous_dollars? dollars|null
        min_dollars? dollars|null
        max_dollars? dollars|null""",
    "ArchivedCandle": """
        end_period_ts int
        yes_bid ArchivedOhlc
        yes_ask ArchivedOhlc
        price ArchivedPrices
        volume count
        open_interest count""",
    "ArchivedOhlc": "open dollars|null; low dollars|null; high dollars|null; close dollars|null",
    "ArchivedPrices": """
        open dollars|null
        low dollars|null
        high dollars|null
        close dollars|null
        mean dollars|null
        previous dollars|null""",
    "MarketCandles": "market_ticker str; candlesticks Candle[]",
    "Cutoff": """
        market_settled_ts time
        trades_created_ts time
        orders_updated_ts time
        market_positions_last_updated_ts? time""",
}  # fmt: skip

OPERATIONS: Final = (
    Operation("GET", "/series", "Every series, in one answer", "{series Series[]}",
              "category:str tags:str include_product_metadata:bool include_volume:bool "
              "min_updated_ts:Second"),
    Operation("GET", "/series/fee_changes", "Fees that were and will be",
              "{series_fee_change_arr SeriesFeeChange[]}", "series_ticker:str show_historical:bool"),
    Operation("GET", "/series/{series_ticker}", "One series", "{series Series}", "include_volume:bool"),
    Operation("GET", "/events", "Events but no combos",
              "{events Event[];cursor str;milestones? Milestone[]}",
              "limit:int(1..200) cursor:str with_nested_markets:bool with_milestones:bool "
              "status:EventStatus series_ticker:str tickers:str min_close_ts:Second min_updated_ts:Second"),
    Operation("GET", "/events/fee_changes", "Fees of single events",
              "{event_fee_changes EventFeeChange[];cursor str}",
              "event_ticker:str limit:int(1..1000) cursor:str"),
    Operation("GET", "/events/multivariate", "Combos", "{events Event[];cursor str}",
              "limit:int(1..200) cursor:str series_ticker:str collection_ticker:str "
              "with_nested_markets:bool"),
    Operation("GET", "/events/{event_ticker}", "One event", "{event Event;markets? Market[]|null}",
              "with_nested_markets:bool"),
    Operation("GET", "/events/{event_ticker}/metadata", "How an event looks", "EventMetadata"),
    Operation("GET", "/markets", "Markets of the live tier", "{markets Market[];cursor str}",
              f"{PAGE} event_ticker:str series_ticker:str tickers:str status:MarketStatus "
              f"mve_filter:ComboFilter min_created_ts:Second max_created_ts:Second min_close_ts:Second "
              f"max_close_ts:Second min_settled_ts:Second max_settled_ts:Second min_updated_ts:Second "
              f"max_updated_ts:Second"),
    Operation("GET", "/markets/trades", "Trades of the live tier", "{trades Trade[];cursor str}",
              f"{PAGE} ticker:str {S} is_block_trade:bool"),
    Operation("GET", "/markets/orderbooks", "Several books", "{orderbooks TickerBook[]}",
              "tickers!:str[1..100]"),
    Operation("GET", "/markets/candlesticks", "Candles of several markets", "{markets MarketCandles[]}",
              f"market_tickers!:str {WINDOW} {LATEST}"),
    Operation("GET", "/markets/{ticker}", "One market", "{market Market}"),
    Operation("GET", "/markets/{ticker}/orderbook", "Its book", "Book", "depth:int(0..100)"),
    Operation("GET", "/series/{series_ticker}/markets/{ticker}/candlesticks", "Candles",
              "{ticker str;candlesticks Candle[]}", f"{WINDOW} {LATEST}"),
    Operation("GET", "/series/{series_ticker}/events/{event_ticker}/candlesticks",
              "Candles of a whole event",
              "{market_tickers str[];market_candlesticks Candle[][];adjusted_end_ts int}",
              f"{WINDOW} {LATEST}"),
    Operation("GET", "/historical/cutoff", "Where the archive ends", "Cutoff"),
    Operation("GET", "/historical/markets", "Archived markets", "{markets Market[];cursor str}",
              f"{PAGE} tickers:str event_ticker:str series_ticker:str mve_filter:ArchivedFilter"),
    Operation("GET", "/historical/trades", "Archived trades", "{trades Trade[];cursor str}",
              f"{PAGE} ticker:str {S} is_block_trade:bool"),
    Operation("GET", "/historical/markets/{ticker}", "One archived market", "{market Market}"),
    Operation("GET", "/historical/markets/{ticker}/candlesticks", "Its candles",
              "{ticker str;candlesticks ArchivedCandle[]}", WINDOW),
)  # fmt: skip

MARKETS: Final = Chapter(OPERATIONS, SCHEMAS)
