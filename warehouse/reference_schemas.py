"""Columns of what rarely changes: series, events, markets, fee changes.

Source: KALSHI.md §5.2-§5.4 and §8 (OpenAPI 3.34.0, read 2026-10-09).
"""

import dataframely as dy

from warehouse.columns import (
    CENTICENTS,
    SECONDS,
    UNDERLYING,
    Sourced,
    amount,
    contracts,
    flag,
    moment,
    name,
    names,
    price,
    ratio,
    text,
)


class Series(Sourced):
    """Families of events."""

    ticker = name("Kalshi's name of the series; opaque, never parsed.")
    observed_ts = moment("When we saw this state; valid until the next row of the ticker.")
    title = text("What the series is about.", nullable=True)
    category = text("Its primary category.", nullable=True)
    frequency = text("How often events come: daily, weekly, fifteen_min, custom and others.", nullable=True)
    tags = names("Kalshi's tags.")
    categories = names("All categories, since 2026-09-17.")
    fee_type = text("Name of the fee formula.", nullable=True)
    fee_multiplier_ppm = ratio("Factor on the standard fee; 1_000_000 is the standard.")
    last_updated_ts = moment("When Kalshi last changed the series' metadata.", nullable=True)


class Events(Sourced):
    """Questions, each with one or more markets."""

    ticker = name("Kalshi's name of the event; opaque, never parsed.")
    observed_ts = moment("When we saw this state; valid until the next row of the ticker.")
    series_ticker = name("The series that the event belongs to.")
    title = text("The question.", nullable=True)
    sub_title = text("What tells the event from its siblings, often a date.", nullable=True)
    category = text("Deprecated by Kalshi; read the series' category.", nullable=True)
    mutually_exclusive = flag("At most one market of the event resolves yes.")
    collateral_return_type = text("Netting scheme: MECNET, DIRECNET or empty.", nullable=True)
    strike_ts = moment("The date the question is about, when it has one.", nullable=True)
    strike_period = text("The period the question is about, when it has no date.", nullable=True)
    fee_type_override = text("Fee formula that beats the series', if any.", nullable=True)
    fee_multiplier_override_ppm = ratio("Multiplier that beats the series', if any.")
    last_updated_ts = moment("When Kalshi last changed the event's metadata.", nullable=True)


class Markets(Sourced):
    """Contracts: what is traded and what it pays."""

    ticker = name("Kalshi's name of the market; opaque, never parsed.")
    observed_ts = moment("When we saw this state; valid until the next row of the ticker.")
    event_ticker = name("The event that the market belongs to.")
    series_ticker = name("The series of that event, where the source told us.", nullable=True)
    market_type = text("binary or scalar.", nullable=True)
    title = text("Deprecated by Kalshi in favour of the sub-titles.", nullable=True)
    yes_sub_title = text("What YES stands for.", nullable=True)
    no_sub_title = text("What NO stands for.", nullable=True)
    created_ts = moment("When Kalshi created the market.", nullable=True)
    updated_ts = moment("When Kalshi last changed anything but trading data.", nullable=True)
    open_ts = moment("When trading starts or started.", nullable=True)
    close_ts = moment("When trading ends; moves earlier or later while the market lives.", nullable=True)
    expected_expiration_ts = moment("When Kalshi expects the outcome; may precede the close.", nullable=True)
    latest_expiration_ts = moment("When the outcome is known at the latest.", nullable=True)
    settlement_timer_s = dy.Int64(
        description="How long results can be disputed before they are paid.",
        nullable=True,
        metadata={"unit": SECONDS},
    )
    status = text(
        "initialized, active, inactive, closed, determined, disputed, amended or finalized.", nullable=True
    )
    result = text("yes, no or scalar; empty while undetermined.", nullable=True)
    settlement_value_cc = amount("What one YES contract pays, once determined.")
    settlement_ts = moment("When it was paid.", nullable=True)
    expiration_value = text("The underlying's value that decided, as Kalshi prints it.", nullable=True)
    can_close_early = flag("Trading may end before close_ts.")
    fee_waiver_expiration_ts = moment("Until when no fee is charged.", nullable=True)
    strike_type = text("greater, less, between, functional, custom, structured and others.", nullable=True)
    floor_strike = dy.Float64(description="Lower bound of YES.", nullable=True, metadata={"unit": UNDERLYING})
    cap_strike = dy.Float64(description="Upper bound of YES.", nullable=True, metadata={"unit": UNDERLYING})
    notional_value_cc = amount("What a winning contract pays.")
    price_level_structure = text(
        "Kalshi's label of the price grid; price_ranges is the truth.", nullable=True
    )
    price_ranges = dy.List(
        dy.Struct({"start_cc": dy.Int32(), "end_cc": dy.Int32(), "step_cc": dy.Int32()}),
        description="The price grid: bands from start_cc to end_cc in steps of step_cc.",
        nullable=True,
        metadata={"unit": CENTICENTS},
    )
    last_price_cc = price("Price of the last YES trade.", nullable=True)
    volume_centi = contracts("Contracts traded so far.", nullable=True)
    open_interest_centi = contracts("Contracts open, netting disregarded.", nullable=True)
    is_provisional = flag("Kalshi deletes the market if nobody trades it.")
    has_vanished = flag("True when neither tier of the exchange knew the market any more; else empty.")
    mve_collection_ticker = text("The collection that a combo was made from.", nullable=True)
    rules_primary = text("The rule that decides.", nullable=True)
    rules_secondary = text("Further rules: voids, postponements, sources.", nullable=True)
    exchange_index = dy.Int32(description="The shard that matches its orders.", nullable=True)


class FeeChanges(Sourced):
    """From when on which fee holds."""

    scope = text("series or event.", regex="^(series|event)$")
    ticker = name("The series or event that changes.")
    effective_ts = moment("From when on.")
    fee_type = text("Name of the new formula; empty for an event when its override ends.", nullable=True)
    fee_multiplier_ppm = ratio("The new factor; empty for an event when its override ends.")
    change_id = text("Kalshi's id of the change.", nullable=True)
