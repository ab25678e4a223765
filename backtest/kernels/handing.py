"""Hand a world on to inner kernels as one pointer, instead of the seven numbers that each of its arrays is.

Of a pointer attributes can be read, as of the world itself. It is good for as long as the entry that made it
runs, for Python holds the arrays that long, and it counts no references.
"""

from typing import TYPE_CHECKING, Any, cast

from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.datamodel.registry import register_default
from numba.core.imputils import impl_ret_borrowed
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic

if TYPE_CHECKING:
    from collections.abc import Callable

    from backtest.kernels.arrays import World

_code: Any = cgutils  # untyped
_borrowed: Any = impl_ret_borrowed
_lowered: Any = lower_getattr_generic


class _Pointer(types.Type):
    """What numba calls the type of a pointer to a named tuple."""

    def __init__(self, world: Any) -> None:  # noqa: ANN401 -- numba's type of the tuple
        self.world = world
        super().__init__(name=f"pointer to {world}")


@register_default(_Pointer)
class _Model(models.PrimitiveModel):
    """How LLVM sees it."""

    def __init__(self, manager: Any, pointer: _Pointer) -> None:  # noqa: ANN401 -- numba's protocol, as below
        pointee = manager.lookup(pointer.world).get_value_type()
        super().__init__(manager, pointer, pointee.as_pointer())  # type: ignore[no-untyped-call]


@infer_getattr
class _Attributes(AttributeTemplate):
    """Which attributes it has."""

    key = _Pointer

    def generic_resolve(self, pointer: _Pointer, name: str) -> Any:  # type: ignore[override]  # noqa: ANN401
        """Return the type of an attribute."""
        return pointer.world.types[pointer.world.fields.index(name)]


@_lowered(_Pointer)
def _read(context: Any, builder: Any, pointer: _Pointer, address: Any, name: str) -> Any:  # noqa: ANN401
    place = pointer.world.fields.index(name)
    value = builder.load(_code.gep_inbounds(builder, address, 0, place))
    return _borrowed(context, builder, pointer.world.types[place], value)


@intrinsic
def _handed(_typing: Any, world: Any) -> Any:  # noqa: ANN401
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        place = _code.alloca_once(builder, context.get_value_type(signature.args[0]))
        builder.store(arguments[0], place)
        return place

    return _Pointer(world)(world), codegen


handed = cast("Callable[[World], World]", _handed)  # a world goes in, and what reads like one comes out
