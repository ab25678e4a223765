"""All checks, in the order in which they are told."""

from typing import Final

from warehouse.checks.book_checks import BOOK_CHECKS
from warehouse.checks.candle_checks import CANDLE_CHECKS
from warehouse.checks.declared import DECLARATION_CHECKS
from warehouse.checks.declaring import Check
from warehouse.checks.ledger_checks import LEDGER_CHECKS
from warehouse.checks.reference_checks import REFERENCE_CHECKS
from warehouse.checks.result_checks import RESULT_CHECKS
from warehouse.checks.stream_checks import STREAM_CHECKS
from warehouse.checks.tape_checks import TAPE_CHECKS
from warehouse.checks.terms_checks import TERMS_CHECKS

CHECKS: Final[tuple[Check, ...]] = (
    *TERMS_CHECKS,
    *TAPE_CHECKS,
    *CANDLE_CHECKS,
    *RESULT_CHECKS,
    *REFERENCE_CHECKS,
    *LEDGER_CHECKS,
    *STREAM_CHECKS,
    *BOOK_CHECKS,
    *DECLARATION_CHECKS,
)
