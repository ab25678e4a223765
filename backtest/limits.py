"""How much one run holds: the kernels number rows and orders in fields of so many bits."""

from typing import Final

from backtest.errors import TooLarge

ROWS_MAX: Final = 2**31 - 1  # of a tape: an order remembers a row in 32 bits, one of them for the sign
ORDERS_MAX: Final = 2**29  # of one parameter row: an order remembers others in 32 bits


def refuse_rows(n: int, *, most: int = ROWS_MAX) -> None:
    """Refuse a tape of too many rows.

    Raises:
        TooLarge: there are more than `most`.
    """
    if n > most:
        raise TooLarge(
            f"the tape of these markets has {n:,} rows, and a run holds {most:,}: run fewer of them at a time"
        )


def refuse_orders(n: int, *, most: int = ORDERS_MAX) -> None:
    """Refuse too many orders of one parameter row.

    Raises:
        TooLarge: there are more than `most`.
    """
    if n > most:
        raise TooLarge(
            f"one parameter row sends {n:,} orders, and a run holds {most:,}: run fewer markets at a time, "
            "or decide less often"
        )
