"""How values of an answer look: times in UTC, lengths in days and hours, lists as SQL writes them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from exchange.units import format_ts


def cell(value: object) -> str:
    """Return the text of a cell; nothing for null."""
    return "" if value is None else _text(value)


def plain(value: object) -> object:
    """Return what JSON can hold: exact text for numbers, times and lengths that it has no type for."""
    return _text(value)


def _text(value: object) -> str:
    match value:
        case None:
            text = "null"
        case bool():
            text = str(value).lower()
        case datetime() if value.tzinfo:
            text = format_ts(value)
        case timedelta():
            text = _length(value)
        case Mapping():
            text = f"{{{', '.join(f'{name}: {_text(each)}' for name, each in value.items())}}}"
        case list() | tuple():
            text = f"[{', '.join(map(_text, value))}]"
        case _:
            text = str(value)
    return text


def _length(length: timedelta) -> str:
    """Return days, hours, minutes and seconds of one sign, as in `-14d 01:10:00.5`."""
    sign, length = ("-", -length) if length < timedelta() else ("", length)
    minutes, seconds = divmod(length.seconds, 60)
    fraction = f".{length.microseconds:06}".rstrip("0") if length.microseconds else ""
    clock = f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{fraction}"
    return f"{sign}{f'{length.days}d ' if length.days else ''}{clock}"
