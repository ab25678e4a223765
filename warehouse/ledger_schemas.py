"""Columns of what we know about our own work: coverage windows, quarantined payloads, novelties."""

import dataframely as dy
import polars as pl

from warehouse.columns import moment, name, text, whole


class Windows(dy.Schema):
    """What was asked of whom, for which time, and how it went."""

    resource = name("What was asked for: trades, candles_60, markets and so on.")
    scope = text(
        "all (the exchange without combos), all+combos, series:X, event:X or ticker:X.",
        regex=r"^(all|all\+combos|(series|event|ticker):.+)$",
    )
    start_ts = moment("Start of the window, included.")
    end_ts = moment("End of the window, excluded.")
    asked_ts = moment(
        "When we asked, by the clock of whoever was asked; of a window the newest entry counts."
    )
    n_rows = whole("How many rows came back, distinct by key.", least=0)
    digest = text("Digest of what came back: the same window with the same digest says nothing new.")
    status = text("complete or failed.", regex="^(complete|failed)$")
    reason = text("Why it failed.", nullable=True)

    @dy.rule()
    def starts_before_it_ends(cls) -> pl.Expr:  # noqa: N805 -- dataframely hands the schema in
        """A window has a length."""
        return pl.col("start_ts") < pl.col("end_ts")


class Quarantine(dy.Schema):
    """What could not be read, whole, with the reason."""

    digest = name("SHA-256 of table, location, field and payload.")
    table_name = name("The table that it was meant for.")
    location = text("Where it came from: file and line, or the request's path.")
    field = text("The field at fault, when one is.", nullable=True)
    value = text("What that field held.", nullable=True)
    reason = text("Why it was refused.")
    payload = text("The row or message as it came.")
    seen_ts = moment("When we met it.")


class Drift(dy.Schema):
    """What the exchange sent that no document lists, as one run met it."""

    kind = text("What is new: a field or a value.", regex="^(field|value)$")
    place = name("Which field of what: Market.status, for example.")
    word = text("The unknown value; empty where the field itself is unknown.")
    example = text("A value that was seen, as JSON, cut after 80 characters.")
    first_seen_ts = moment("When this run met it first, by our clock.")
    n_seen = whole("How often this run met it.", least=1)


class Checks(dy.Schema):
    """What one run of one check found."""

    run_ts = moment("When the run began; one for all of its checks.")
    check_name = name("Which check; docs/checks.md says what each one is.")
    status = text(
        "How it went: ok, warned, failed, or nothing where there was nothing to check.",
        regex="^(ok|warned|failed|nothing)$",
    )
    n_looked_at = whole("How many things it looked at.", least=0)
    n_explained = whole("How many of them are not as they should be, for a reason it knows.", least=0)
    n_flagged = whole("How many are not as they should be, for no reason that it knows.", least=0)
    classes = text("How many of each class, as JSON.")
    examples = text("The first flagged ones, as JSON: place, expected, found.")
    versions = text("The versions of all tables that it read, as JSON.")
    wall_ms = dy.Int64(description="How long it took.", min=0, metadata={"unit": "milliseconds"})


class DayDigests(dy.Schema):
    """What a day of a table was when a check looked at it; a row only where its files had changed."""

    table_name = name("The table.")
    day_ts = moment("Start of the UTC day.")
    checked_ts = moment("When the run began that looked at it.")
    n_rows = whole("Rows of that day.", least=0)
    digest = text("Digest of the rows, in whatever order and files they lie.")
    files = text("Digest of the names of its files: the same files need no second look.")
