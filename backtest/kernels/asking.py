"""A user's policy as a function that the compiled clock can call: compiled itself, or left in Python."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt
from numba.core.errors import NumbaError, UnsupportedBytecodeError
from numba.extending import intrinsic

from backtest.errors import PlanError
from backtest.kernels.arrays import ASKED, LEVELS_SEEN, NO_SIGNAL, VIEW, Records

Floats = npt.NDArray[np.float64]

FIELDS: Final = ("bid_cc", "bid_centi", "ask_cc", "ask_centi")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_ASK: Final = numba.types.int64(numba.types.int64)


def _pointer_to(_typing: Any, address: Any) -> Any:  # noqa: ANN401 -- numba's protocol
    """Return an address as a pointer: so the clock need not be compiled for every kind of parameters."""

    def codegen(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401 -- as above
        return builder.inttoptr(arguments[0], context.get_value_type(numba.types.voidptr))

    return numba.types.voidptr(address), codegen


_pointer: Any = intrinsic(_pointer_to)
_array_at: Any = numba.carray  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Asking:
    """What questions to a policy need: the arrays whose addresses `asked` holds, and what went wrong.

    `signals` begin with a row for nothing known yet.
    """

    at: Records
    params: Records
    memory: Floats
    kept: Floats
    signals: Records
    asked: Records
    failures: list[BaseException]


def view_of(depth: int) -> "np.dtype[np.void]":
    """Return the record that a policy sees which asked for so many levels a side."""
    if depth == 0:
        return VIEW
    fields: list[Any] = [(name, "i8") for name in VIEW.names or ()]
    return np.dtype(fields + [(name, "i8", (depth,)) for name in LEVELS_SEEN], align=True)


def asking_about(at: Records, params: Records, signals: Records, n_markets: int, width: int) -> Asking:
    """Return the room for questions about some markets, each with `width` numbers of memory."""
    asked = np.zeros(1, ASKED)
    asking = Asking(at, params, np.zeros((n_markets, width)), np.zeros(width), signals, asked, [])
    asked["width"] = width
    for name in ("at", "params", "memory", "kept", "signals"):
        asked[name] = getattr(asking, name).ctypes.data
    return asking


@lru_cache(maxsize=64)
def compiled(
    policy: Callable[..., Any],
    kind: "np.dtype[np.void]",
    signals: "np.dtype[np.void] | None" = None,
    depth: int = 0,
) -> Any:  # noqa: ANN401 -- numba's cfunc
    """Return a policy compiled for parameters and signals of this kind, to be called with an ASKED's address.

    It returns 1, or 0 where the policy raised something.

    Raises:
        PlanError: numba does not understand it, it reads what there is not, or it returns something else than
            whole numbers in Quotes.
    """
    view = view_of(depth)
    inside = numba.njit(policy, boundscheck=True)  # or a slip of the index writes into others' memory
    more = [] if signals is None else [numba.from_dtype(signals)]
    try:
        inside.compile((numba.from_dtype(view), numba.from_dtype(kind), numba.float64[::1], *more))
    except KeyError as error:  # what numba raises for a field that a record does not have
        known = {"at": view, "params": kind} | ({} if signals is None else {"signals": signals})
        raise PlanError(f"the policy {policy.__name__} reads {error}{_lacking(error, known)}") from error
    except (NumbaError, UnsupportedBytecodeError, TypeError) as error:  # a call that lacks an argument: last
        raise PlanError(
            f"the policy {policy.__name__} does not compile: {_cause(error)}; in_python() runs it "
            "uncompiled, and numba's documentation lists what it understands"
        ) from error
    given = inside.nopython_signatures[0].return_type
    whole = all(
        isinstance(each, numba.types.Integer | numba.types.Boolean) for each in getattr(given, "types", ())
    )
    if getattr(given, "fields", None) != FIELDS or not whole:
        raise PlanError(
            f"the policy {policy.__name__} returns {given}: return bt.Quotes with whole numbers, "
            "always; int(…) makes one, and bt.Quotes(0, 0, 0, 0) wants nothing"
        )

    def without(at: Any, params: Any, memory: Any, _signals: Any) -> Any:  # noqa: ANN401 -- records, to numba
        return inside(at, params, memory)

    answer = numba.njit(without, inline="always") if signals is None else inside
    row = NO_SIGNAL if signals is None else signals
    row_bytes = row.itemsize

    def ask(address: int) -> int:
        asked = _array_at(_pointer(address), 1, ASKED)[0]
        memory = _array_at(_pointer(asked.memory + 8 * asked.width * asked.market), asked.width, np.float64)
        kept = _array_at(_pointer(asked.kept), asked.width, np.float64)
        for i in range(asked.width):  # a slice would have numba compile its error message, for two seconds
            kept[i] = memory[i]
        try:
            quotes = answer(
                _array_at(_pointer(asked.at), 1, view)[0],
                _array_at(_pointer(asked.params), 1, kind)[0],
                memory,
                _array_at(_pointer(asked.signals + row_bytes * asked.signal), 1, row)[0],
            )
        except Exception:  # noqa: BLE001 -- the caller asks again in Python, where it can be seen
            for i in range(asked.width):
                memory[i] = kept[i]
            return 0
        asked.bid_cc, asked.bid_centi, asked.ask_cc, asked.ask_centi = quotes
        return 1

    return numba.cfunc(_ASK)(ask)


def _lacking(error: KeyError, known: "dict[str, np.dtype[np.void]]") -> str:
    """Return what to do about a name that is in none of the records that a policy reads."""
    if error.args[0] in LEVELS_SEEN:
        return ': say how many levels a side it sees, as in bt.policy(every="1s", depth=5)'
    places = [f"in {name} ({', '.join(each.names or ())})" for name, each in known.items()]
    return f", which is neither {' nor '.join(places)}"


def _cause(error: Exception) -> str:
    """Return what numba found wrong and where, without its colours and its own stack."""
    lines = [line.strip() for line in _COLOUR.sub("", str(error)).splitlines()]
    told = [line for line in lines if line and not line.startswith("Failed in ")]
    where = [line.rstrip(":") for line in told[1:] if line.startswith("File ")]
    return ", ".join(each.rstrip(".") for each in [*told[:1], *where[:1]])


def plain(policy: Callable[..., Any], asking: Asking) -> Any:  # noqa: ANN401 -- as above
    """Return the same for a policy that stays in Python; what it raises is added to the failures."""

    def answered() -> int:
        try:
            answer = answer_of(policy, asking)
        except Exception as error:  # noqa: BLE001 -- raised again by the caller, outside of the compiled clock
            asking.failures.append(error)
            return 0
        for name, value in zip(FIELDS, answer, strict=True):
            asking.asked[name] = value
        return 1

    def in_python() -> int:
        with numba.objmode(done="int64"):
            done = answered()
        return int(done)

    inside: Any = numba.njit(in_python)

    def ask(_address: int) -> int:
        return int(inside())

    inside.compile(())  # with what Python needs, which a cfunc leaves out
    return numba.cfunc(_ASK)(ask)


def answer_of(policy: Callable[..., Any], asking: Asking) -> list[int]:
    """Ask a policy in Python what is asked now.

    Raises:
        PlanError: it returns something else than whole numbers in Quotes; and what the policy itself raises.
    """
    asked = asking.asked[0]
    records = [_named(asking.at), _named(asking.params), asking.memory[asked["market"]]]
    if asking.signals.dtype != NO_SIGNAL:
        records.append(_named(asking.signals[asked["signal"]]))
    given = policy(*records)
    values = [getattr(given, name, None) for name in FIELDS]
    if not all(isinstance(each, int | np.integer) for each in values):
        raise PlanError(
            f"the policy {policy.__name__} returned {given!r}: return bt.Quotes with whole numbers, "
            "always; int(…) makes one, and bt.Quotes(0, 0, 0, 0) wants nothing"
        )
    return [int(each) for each in values if each is not None]


def _named(record: Records) -> SimpleNamespace:
    """Return a record's values by name; attributes of numpy's own, such as size, would hide fields."""
    return SimpleNamespace(**{name: _python(record, name) for name in record.dtype.names or ()})


def _python(record: Records, name: str) -> Any:  # noqa: ANN401 -- a number, or an array of them
    """Return Python's own numbers: numpy's would add up comparisons as compiled code does not."""
    shape = record.dtype[name].shape
    return np.array(record[name].tolist(), object).reshape(shape) if shape else record[name].item()
