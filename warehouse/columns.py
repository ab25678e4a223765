"""How a column of each unit is declared, so that one word in a schema says dtype, range and unit."""

from typing import Final

import dataframely as dy

from exchange.units import DOLLAR_CC

CENTICENTS: Final = "centicents ($0.0001)"
HUNDREDTHS: Final = "1/100 contract"
PARTS_PER_MILLION: Final = "parts per million"
SECONDS: Final = "seconds"
MICROSECONDS: Final = "microseconds"
UTC_TIME: Final = "UTC, microseconds"
UNDERLYING: Final = "the underlying's own"
PACKED: Final = "packed"


def text(sentence: str, *, nullable: bool = False, regex: str | None = None) -> dy.String:
    """Declare free text."""
    return dy.String(description=sentence, nullable=nullable, regex=regex)


def name(sentence: str, *, nullable: bool = False) -> dy.String:
    """Declare an identifier: text that is never empty."""
    return dy.String(description=sentence, nullable=nullable, min_length=1)


def long_id(sentence: str) -> dy.String:
    """Declare an identifier that is usually a UUID: its files keep 16 bytes (warehouse.packing)."""
    return dy.String(description=sentence, min_length=1, metadata={PACKED: True})


def flag(sentence: str, *, nullable: bool = True) -> dy.Bool:
    """Declare a yes-or-no."""
    return dy.Bool(description=sentence, nullable=nullable)


def moment(sentence: str, *, nullable: bool = False) -> dy.Datetime:
    """Declare a time in UTC."""
    return dy.Datetime(
        description=sentence,
        nullable=nullable,
        time_unit="us",
        time_zone="UTC",
        metadata={"unit": UTC_TIME},
    )


def price(sentence: str, *, nullable: bool = False) -> dy.Int32:
    """Declare a price between $0 and $1 in centicents."""
    return dy.Int32(
        description=sentence, nullable=nullable, min=0, max=DOLLAR_CC, metadata={"unit": CENTICENTS}
    )


def amount(sentence: str) -> dy.Int32:
    """Declare a non-negative dollar amount of one contract in centicents; nullable."""
    return dy.Int32(description=sentence, nullable=True, min=0, metadata={"unit": CENTICENTS})


def contracts(sentence: str, *, nullable: bool = False, least: int | None = None) -> dy.Int64:
    """Declare a number of contracts in hundredths."""
    return dy.Int64(description=sentence, nullable=nullable, min=least, metadata={"unit": HUNDREDTHS})


def ratio(sentence: str) -> dy.Int64:
    """Declare a multiplier in parts per million; nullable."""
    return dy.Int64(description=sentence, nullable=True, min=0, metadata={"unit": PARTS_PER_MILLION})


def whole(sentence: str, *, nullable: bool = False, least: int | None = None) -> dy.Int64:
    """Declare a plain number: a sequence number, an index, how many rows."""
    return dy.Int64(description=sentence, nullable=nullable, min=least)


def duration_us(sentence: str, *, nullable: bool = False) -> dy.Int64:
    """Declare a length of time in microseconds."""
    return dy.Int64(description=sentence, nullable=nullable, min=0, metadata={"unit": MICROSECONDS})


def names(sentence: str, *, nullable: bool = True) -> dy.List:
    """Declare a list of texts."""
    return dy.List(dy.String(), description=sentence, nullable=nullable)


def prices(sentence: str) -> dy.List:
    """Declare a list of prices in centicents, ascending."""
    return dy.List(dy.Int32(min=0, max=DOLLAR_CC), description=sentence, metadata={"unit": CENTICENTS})


def sizes(sentence: str) -> dy.List:
    """Declare a list of contract counts in hundredths, one for each price of its side."""
    return dy.List(dy.Int64(min=0), description=sentence, metadata={"unit": HUNDREDTHS})


class Sourced(dy.Schema):
    """Where a row came from: the last two columns of every table of facts."""

    source = name("Who told us: rest, historical, ws, sandbox, or the name of an import.")
    fetched_ts = moment(
        "When we downloaded it; of trades and candles, when the reading of their window began. Provenance "
        "only, never used to decide what was known.",
        nullable=True,
    )
