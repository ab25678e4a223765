"""numba's decorators with the types of what they decorate, which numba's own stubs lose."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def inner(function: Kernel) -> Kernel:
    """Compile a function that other kernels call; never cached on disk, see the package."""
    return cast("Kernel", njit(function))


def entry(function: Kernel) -> Kernel:
    """Compile a function that Python calls: cached on disk, and free of Python's global lock."""
    return cast("Kernel", njit(cache=True, nogil=True)(function))
