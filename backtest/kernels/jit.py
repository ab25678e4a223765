"""numba's decorators with the types of what they decorate, which numba's own stubs lose."""

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


_compiling: Any = njit  # of whose options its stubs know only some
# Kernels divide by nothing that can be 0, and need not look.
_UNCHECKED: Final = {"error_model": "numpy"}
_INNER: Final = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, **_UNCHECKED}


def inner(function: Kernel) -> Kernel:
    """Compile a function that other kernels call and that makes no array; never cached, see the package.

    Python cannot call it: wrappers that unpack a whole world took a third of the time to compile. It counts
    no references.
    """
    return cast("Kernel", _compiling(_nrt=False, **_INNER)(function))


def inlined(function: Kernel) -> Kernel:
    """Compile an inner function into its callers: for few functions, with one caller each."""
    return cast("Kernel", _compiling(_nrt=False, forceinline=True, **_INNER)(function))


def allocating(function: Kernel) -> Kernel:
    """Compile a function that entries call and that makes an array."""
    return cast("Kernel", _compiling(**_INNER)(function))


def formula(function: Kernel) -> Kernel:
    """Compile a function of numbers that other kernels and Python call."""
    return cast("Kernel", _compiling(**_UNCHECKED)(function))


def entry(function: Kernel) -> Kernel:
    """Compile a function that Python calls: cached on disk, and free of Python's global lock."""
    return cast("Kernel", _compiling(cache=True, nogil=True, **_UNCHECKED)(function))
