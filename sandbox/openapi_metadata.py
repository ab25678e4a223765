"""What the sandbox documents of the exchange itself and of what surrounds its markets.

Source: KALSHI.md §5.1 and §5.8 (OpenAPI 3.28.0, August 2026), written down anew for what the sandbox answers.
"""

from typing import Final

from sandbox.openapi_notation import Chapter, Operation

SCHEMAS: Final = {
    "ExchangeStatus": """
        exchange_active bool
        trading_active bool
        intra_exchange_transfers_active? bool
        exchange_estimated_resume_time? time|null
        exchange_index_statuses? Shard[]""",
    "Shard": """
        exchange_index int
        description str
        exchange_active bool
        trading_active bool
        intra_exchange_transfers_active bool""",
    "Schedule": "standard_hours Week[]; maintenance_windows Maintenance[]",
    "Week": """
        start_time time
        end_time time
        monday Hours[]
        tuesday Hours[]
        wednesday Hours[]
        thursday Hours[]
        friday Hours[]
        saturday Hours[]
        sunday Hours[]""",
    "Hours": "open_time str; close_time str",
    "Maintenance": "start_datetime time; end_datetime time",
    "EndpointCost": "method str; path str; cost int",
    "Milestone": """
        id str
        category str
        type str
        start_date time
        end_date? time
        related_event_tickers str[]
        primary_event_tickers str[]
        title str
        notification_message str
        source_id? str
        source_ids? str{}
        details object
        last_updated_ts time""",
    "StructuredTarget": """
        id str
        name str
        type str
        details object
        source_id? str
        source_ids? str{}
        last_updated_ts time""",
    "Collection": """
        collection_ticker str
        series_ticker str
        exchange_index int
        title str
        description str
        open_date time
        close_date time
        associated_events AssociatedEvent[]
        associated_event_tickers str[]
        is_ordered bool
        is_single_market_per_event bool
        is_all_yes bool
        size_min int
        size_max int
        functional_description str
        price_level_structure str
        price_ranges PriceRange[]""",
    "AssociatedEvent": """
        ticker str
        is_yes_only bool
        size_min? int|null
        size_max? int|null
        active_quoters str[]""",
    "IncentiveProgram": """
        id str
        market_id str
        market_ticker str
        incentive_type str
        incentive_description str
        start_date time
        end_date time
        period_reward int
        paid_out bool
        discount_factor_bps? int|null
        target_size_fp? count|null
        max_reward_per_account? int|null""",
    "LiveData": "type str; details object; milestone_id str",
    "EventLiveData": """
        type str
        details object
        is_historical? bool
        default_range? str
        range_options? str[]""",
    "PlayByPlay": "periods? Period_[]",
    "Period_": "events? object[]",
    "Weather": "city str; config_version str; units =fahrenheit; timeseries WeatherPoint[]",
    "WeatherPoint": """
        t int
        v? num
        status =normal,degraded,incomplete
        contributors? int
        receipt_basis? str
        stations? StationReading[]""",
    "StationReading": """
        station_id str
        code =ok,missing,late,range,rate_spatial,extreme,pending
        source? =hf_asos,metar
        temp_f? num
        obs_time_ms? int
        received_at_ms? int
        primary_code? str""",
    "Calibrations": "city str; units =celsius; calibrations Calibration[]",
    "Calibration": """
        config_version str
        published_at_ms? int
        effective_at_ms int
        change_reason? str
        calibration_window_start_ms? int
        calibration_window_end_ms? int
        city_reference_c num
        stations StationWeight[]""",
    "StationWeight": "station_id str; weight num; offset_c num; update_note? str",
    "SportFilters": "scopes str[]; competitions Scopes{}",
    "Scopes": "scopes str[]",
    "Forecast": "event_ticker str; end_period_ts int; period_interval int; percentile_points Percentile[]",
    "Percentile": """
        percentile int
        raw_numerical_forecast num
        numerical_forecast num
        formatted_forecast str""",
}  # fmt: skip

OPERATIONS: Final = (
    Operation("GET", "/openapi.json", "This document", "object"),
    Operation("GET", "/exchange/status", "Whether anybody can trade", "ExchangeStatus"),
    Operation("GET", "/exchange/schedule", "When, in US Eastern time", "{schedule Schedule}"),
    Operation("GET", "/exchange/user_data_timestamp", "How current accounts are", "{as_of_time time}"),
    Operation("GET", "/account/endpoint_costs", "Tokens of what does not cost the default",
              "{default_cost int;endpoint_costs EndpointCost[]}"),
    Operation("GET", "/milestones", "What happens in the world", "{milestones Milestone[];cursor str}",
              "limit!:int(1..500) minimum_start_date:time category:str competition:str source_id:str "
              "type:str related_event_ticker:str cursor:str min_updated_ts:Second"),
    Operation("GET", "/milestones/{milestone_id}", "One of it", "{milestone Milestone}"),
    Operation("GET", "/structured_targets", "Who takes part",
              "{structured_targets StructuredTarget[];cursor str}",
              "ids:str[0..2000] type:str competition:str page_size:int(1..2000) cursor:str"),
    Operation("GET", "/structured_targets/{structured_target_id}", "One of them",
              "{structured_target StructuredTarget}"),
    Operation("GET", "/multivariate_event_collections", "From what combos are made",
              "{multivariate_contracts Collection[];cursor str}",
              "status:CollectionStatus associated_event_ticker:str series_ticker:str limit:int(1..200) "
              "cursor:str"),
    Operation("GET", "/multivariate_event_collections/{collection_ticker}", "One collection",
              "{multivariate_contract Collection}"),
    Operation("GET", "/incentive_programs", "Rewards",
              "{incentive_programs IncentiveProgram[];next_cursor str}",
              "status:ProgramStatus type:ProgramType incentive_description:str limit:int(1..10000) "
              "cursor:str"),
    Operation("GET", "/search/tags_by_categories", "Words of searches", "{tags_by_categories str[]{}}"),
    Operation("GET", "/search/filters_by_sport", "Sports and what is played",
              "{filters_by_sports SportFilters{};sport_ordering str[]}"),
    Operation("GET", "/live_data/batch", "Several scores", "{live_datas LiveData[]}",
              "milestone_ids!:str[1..100] include_player_stats:bool"),
    Operation("GET", "/live_data/events/{event_ticker}", "A chart", "{live_data EventLiveData}",
              "range:str"),
    Operation("GET", "/live_data/weather/{city}", "A temperature by the minute", "Weather",
              "from:Millisecond to:Millisecond last_sec:int(1..253402300799) detailed:bool"),
    Operation("GET", "/live_data/weather/{city}/calibrations", "How it is computed", "Calibrations"),
    Operation("GET", "/live_data/milestone/{milestone_id}", "A score", "{live_data LiveData}",
              "include_player_stats:bool"),
    Operation("GET", "/live_data/milestone/{milestone_id}/game_stats", "Play by play",
              "{pbp? PlayByPlay|null}"),
    Operation("GET", "/live_data/{type}/milestone/{milestone_id}", "A score at its older address",
              "{live_data LiveData}", "include_player_stats:bool"),
    Operation("GET", "/series/{series_ticker}/events/{event_ticker}/forecast_percentile_history",
              "What prices forecast", "{forecast_history Forecast[]}",
              "percentiles!:int(0..9999)[1..10] start_ts!:Second end_ts!:Second "
              "period_interval!:ForecastPeriod", is_signed=True),
)  # fmt: skip

METADATA: Final = Chapter(OPERATIONS, SCHEMAS)
