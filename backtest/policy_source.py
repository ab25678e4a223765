"""What a policy's function says: its source, and the values of names that it takes from around itself."""

import dis
import hashlib
import inspect
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

import numpy as np


def digest_of(function: Callable[..., Any]) -> str:
    """Return the SHA-256 of a function's source and of what it takes from around itself.

    That is of numbers, texts, arrays and tuples of these, and of functions, for which the same holds. Two
    functions that a factory made with other numbers have other digests; equal ones have equal digests in
    every process. Attributes of modules and classes go by their name alone.
    """
    assert isinstance(function, FunctionType)
    return hashlib.sha256("\n".join(_said(function, set())).encode()).hexdigest()


def _said(function: FunctionType, told: set[FunctionType]) -> Iterator[str]:
    told.add(function)
    yield _source(function)
    for name, value in sorted(_around(function).items()):
        named = getattr(value, "py_func", value)  # of one that numba compiles
        if isinstance(named, FunctionType):
            yield name
            if named not in told:
                yield from _said(named, told)
        elif (constant := _constant(value)) is not None:
            yield f"{name} = {constant}"


def _source(function: FunctionType) -> str:
    try:
        return inspect.getsource(function)
    except OSError:  # typed into an interpreter: its code identifies it
        return repr([(code.co_code, _constant(code.co_consts), code.co_names) for code in _codes(function)])


def _around(function: FunctionType) -> dict[str, Any]:
    """Return what a function reads of its closure and of its module, and its defaults."""
    read = {
        step.argval
        for code in _codes(function)
        for step in dis.get_instructions(code)
        if step.opname == "LOAD_GLOBAL"
    }
    known = {name: value for name, value in function.__globals__.items() if name in read}
    enclosed = inspect.getclosurevars(function).nonlocals
    return {**known, **enclosed, "defaults of arguments": function.__defaults__}


def _codes(function: FunctionType) -> Iterator[CodeType]:
    """Yield a function's code and that of all functions inside it."""
    codes = [function.__code__]
    for code in codes:
        yield code
        codes += [each for each in code.co_consts if isinstance(each, CodeType)]


def _constant(value: object) -> str | None:
    """Write a value in the same way in every process; None for what is no constant."""
    if isinstance(value, bool | int | float | complex | str | bytes | np.generic):
        return repr(value)
    if isinstance(value, tuple):
        return f"({', '.join(str(_constant(each)) for each in value)})"
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return f"{value.dtype.str} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    return None
