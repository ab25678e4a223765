"""The sandbox's own OpenAPI document: data, written by hand, and held against routes and answers by a test.

`GET /trade-api/v2/openapi.json` is public and costs the default, as every route without a price of its own.
"""

import json
from functools import cache
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.encoding import Json
from sandbox.openapi_markets import MARKETS
from sandbox.openapi_metadata import METADATA
from sandbox.openapi_notation import record
from sandbox.openapi_portfolio import PORTFOLIO
from sandbox.replies import reply_text

CHAPTERS: Final = (METADATA, MARKETS, PORTFOLIO)
FORMS: Final[dict[str, Json]] = {
    "Second": {"type": "integer", "minimum": 0, "maximum": 253_402_300_799},
    "Millisecond": {"type": "integer", "minimum": 0, "maximum": 253_402_300_799_999},
    "Subaccount": {"type": "integer", "minimum": 0, "maximum": 63},
    "ShardIndex": {"type": "integer", "minimum": 0, "maximum": 1_000},
    "Text": {"type": "string", "minLength": 1, "maxLength": 256},
    "Decimal": {"type": "string", "pattern": r"^\d{1,10}(\.\d{0,6})?$"},
    "Period": {"type": "integer", "enum": [1, 60, 1_440]},
    "ForecastPeriod": {"type": "integer", "enum": [0, 1, 60, 1_440]},
}
WORDS: Final = {
    "EventStatus": "unopened open closed settled",
    "MarketStatus": "unopened open paused closed settled",
    "ComboFilter": "only exclude",
    "ArchivedFilter": "exclude",
    "CollectionStatus": "unopened open closed",
    "ProgramStatus": "all active upcoming closed paid_out",
    "ProgramType": "all liquidity volume margin_maker_volume margin_taker_volume",
    "OrderStatus": "resting canceled executed",
    "SettlementStatus": "unsettled settled all",
}
ERRORS: Final = {"Error": "code str; message str; details? str", "TooMany": "error str"}
SIGNATURE: Final = {"key": "KEY", "timestamp": "TIMESTAMP", "signature": "SIGNATURE"}


@cache
def document() -> Json:
    """Return the document as JSON values; callers must not change it."""
    paths: dict[str, Json] = {}
    schemas = dict(FORMS)
    for name, words in WORDS.items():
        schemas[name] = {"type": "string", "enum": words.split()}
    for name, fields in ERRORS.items():
        schemas[name] = record(fields)
    for chapter in CHAPTERS:
        for operation in chapter.operations:
            paths.setdefault(operation.path, {})[operation.method.lower()] = operation.json()
        for name, fields in chapter.schemas.items():
            schemas[name] = record(fields)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The sandbox",
            "version": "3.34.0",
            "description": "What the local exchange answers; after Kalshi's API as of 2026-10-09.",
        },
        "servers": [{"url": "/trade-api/v2"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                name: {"type": "apiKey", "in": "header", "name": f"KALSHI-ACCESS-{header}"}
                for name, header in SIGNATURE.items()
            },
        },
    }


@cache
def _printed() -> str:
    return json.dumps(document(), separators=(",", ":"))


async def openapi(_request: Request) -> Response:
    """`GET /openapi.json`."""
    return reply_text(_printed())


ROUTES: Final = [Route("/openapi.json", openapi)]
