"""Reading query parameters: what is documented is checked, what is unknown is silently ignored.

Source: KALSHI.md §5 and §12.11 (OpenAPI 3.34.0, read 2026-10-09; sjdoane, 2026-05).
"""

from collections.abc import Sequence

from starlette.requests import Request

from sandbox.replies import invalid

FIRST_S, LAST_S = -62_135_596_800, 253_402_300_799  # the years 1 to 9999
PAGING = frozenset({"cursor", "limit", "page_size"})
TRUE, FALSE = frozenset({"true", "1", "t", "True"}), frozenset({"false", "0", "f", "False"})


class Query:
    """The parameters of one request."""

    def __init__(self, request: Request) -> None:
        self._params = request.query_params

    def text(self, name: str) -> str | None:
        """Return a parameter, None when absent or empty."""
        return self._params.get(name) or None

    def required(self, name: str) -> str:
        """Return a parameter that must be there."""
        found = self.text(name)
        if found is None:
            raise invalid(f"{name} is required")
        return found

    def words(self, name: str) -> tuple[str, ...]:
        """Return a comma-separated list."""
        found = self.text(name)
        return tuple(word.strip() for word in found.split(",") if word.strip()) if found else ()

    def repeated(self, name: str) -> tuple[str, ...]:
        """Return every occurrence of a parameter (`?tickers=A&tickers=B`)."""
        return tuple(word for word in self._params.getlist(name) if word)

    def one_of(self, name: str, allowed: Sequence[str]) -> str | None:
        """Return a parameter that must be one of the allowed words."""
        found = self.text(name)
        if found is not None and found not in allowed:
            raise invalid(f"invalid {name} filter")
        return found

    def flag(self, name: str) -> bool | None:
        """Return a boolean parameter, None when absent."""
        found = self.text(name)
        if found is None:
            return None
        if found in TRUE:
            return True
        if found in FALSE:
            return False
        raise invalid(f"{name} must be true or false")

    def seconds(self, name: str) -> int | None:
        """Return a Unix time in seconds, None when absent."""
        found = self.text(name)
        if found is None:
            return None
        try:
            seconds = int(found)
        except ValueError as error:
            raise invalid(f"{name} must be a Unix timestamp in seconds") from error
        if not FIRST_S <= seconds <= LAST_S:
            raise invalid(f"{name} must be a Unix timestamp in seconds, not later than the year 9999")
        return seconds

    def number(self, name: str, *, low: int, high: int) -> int | None:
        """Return a whole number of a range, None when absent."""
        found = self.text(name)
        if found is None:
            return None
        try:
            number = int(found)
        except ValueError as error:
            raise invalid(f"{name} must be an integer") from error
        if not low <= number <= high:
            raise invalid(f"{name} must be between {low} and {high}")
        return number

    def limit(self, *, default: int, low: int, high: int) -> int:
        """Return the page size; where 0 is allowed it means the default."""
        return self.number("limit", low=low, high=high) or default

    def fingerprint(self) -> str:
        """Return the filters as one text: everything but cursor and page size, in a fixed order."""
        kept = sorted((k, v) for k, v in self._params.multi_items() if k not in PAGING and v)
        return repr(kept)
