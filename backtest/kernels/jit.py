"""numba's decorators with the types of what they decorate, which numba's own stubs lose."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def inner(function: Kernel) -> Kernel:
    """Compile a function that other kernels call and that makes no array; never cached, see the package.

    Python cannot call it: wrappers that unpack a whole world took a third of the time to compile. It counts
    no references: counting those of a world's twenty arrays at every call took nine tenths of a call's time.
    """
    compiled = cast("Callable[..., Any]", njit)(no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)
    return cast("Kernel", compiled(function))


def inlined(function: Kernel) -> Kernel:
    """Compile an inner function into its callers: a call that hands on a world costs about 50 ns.

    For few functions with one caller each: all of them inlined take four times as long to compile.
    """
    compiled = cast("Callable[..., Any]", njit)(
        no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False, forceinline=True
    )
    return cast("Kernel", compiled(function))


def allocating(function: Kernel) -> Kernel:
    """Compile a function that entries call and that makes an array."""
    compiled = cast("Callable[..., Any]", njit)(no_cpython_wrapper=True, no_cfunc_wrapper=True)
    return cast("Kernel", compiled(function))


def formula(function: Kernel) -> Kernel:
    """Compile a function of numbers that other kernels and Python call."""
    return cast("Kernel", njit(function))


def entry(function: Kernel) -> Kernel:
    """Compile a function that Python calls: cached on disk, and free of Python's global lock."""
    return cast("Kernel", njit(cache=True, nogil=True)(function))
