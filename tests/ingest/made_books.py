"""Small recordings of books as others write them, made for one test."""

import gzip
from pathlib import Path

from pipelines.ingest.import_books import import_books
from pipelines.ingest.receipts import ImportReceipt
from warehouse import Lake

CHANGES_HEADER = "timestamp,event_type,price,side,size,best_bid,best_ask"
TOPS_HEADER = (
    "timestamp,ticker,best_bid_price,best_bid_size,best_ask_price,best_ask_size,bid_levels,ask_levels,spread"
)
CENTS_HEADER = "timestamp,market_ticker,best_yes_bid,best_no_bid,implied_no_ask,implied_yes_ask"
POLLS_HEADER = "timestamp,ticker,yes_bid,yes_ask,no_bid,no_ask,last_price,open_interest,volume,liquidity"

BOOK = (",book,0.4000,BUY,35,0.4000,0.42", ",book,0.42,SELL,49,0.4000,0.42")
BUY = "2026-01-08T02:13:20.5Z,price_change,0.4200,SELL,-5,0.4,0.4200"
BOUGHT = "1767838400,last_trade_price,0.42,BUY,5,0.4,0.4200"
SELL = "2026-01-08T02:13:21.25Z,price_change,0.4000,BUY,-7,0.4,0.4200"
SOLD = "1767838401,last_trade_price,0.6,SELL,7,0.4,0.4200"
ADD = "2026-01-08T02:13:22.000054Z,price_change,0.41,BUY,2.50,0.41,0.4200"


def a_file(path: Path, header: str, *rows: str) -> Path:
    """Write a CSV; gzipped if the name says so."""
    text = "\n".join((header, *rows)) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def imported(lake: Lake, path: Path, ticker: str = "KXA-1") -> ImportReceipt:
    """Import a file whose columns tell no market."""
    return import_books(lake, [path], tickers={path.name: ticker})
