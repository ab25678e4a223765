"""Hand a world on to inner kernels as one pointer, instead of the seven numbers that each of its arrays is.

Of a pointer attributes can be read, as of the world itself, and items of its arrays: by indices that are not
below 0, at which nobody looks unless NUMBA_BOUNDSCHECK is set. It is good for as long as the entry that made
it runs, for Python holds the arrays that long, and it counts no references.
"""

import operator
from typing import TYPE_CHECKING, Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.datamodel import models
from numba.core.datamodel.registry import register_default
from numba.core.imputils import impl_ret_borrowed
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_global, signature
from numba.extending import infer_getattr, intrinsic, lower_builtin, lower_getattr_generic
from numba.np import arrayobj

if TYPE_CHECKING:
    from collections.abc import Callable

    from backtest.kernels.arrays import Records, World

# All of these are untyped.
_code: Any = cgutils
_arrays: Any = arrayobj
_config: Any = config
_borrowed: Any = impl_ret_borrowed
_reads: Any = lower_getattr_generic
_lowers: Any = lower_builtin
_global: Any = infer_global
_signature: Any = signature


_LINE_BYTES = 64  # that memory gives at once


class _Pointer(types.Type):
    """What numba calls the type of a pointer: to a named tuple, or to one of its arrays."""

    def __init__(self, kind: Any) -> None:  # noqa: ANN401 -- numba's type of what is pointed to
        self.kind = kind
        super().__init__(name=f"{type(self).__name__} {kind}")


class _Rows(_Pointer):
    """The same of one of its arrays of one dimension."""


@register_default(_Pointer)
@register_default(_Rows)
class _Model(models.PrimitiveModel):
    """How LLVM sees it."""

    def __init__(self, manager: Any, pointer: _Pointer) -> None:  # noqa: ANN401 -- numba's protocol, as below
        pointee = manager.lookup(pointer.kind).get_value_type()
        super().__init__(manager, pointer, pointee.as_pointer())  # type: ignore[no-untyped-call]


@infer_getattr
class _Attributes(AttributeTemplate):
    """Which attributes a world has."""

    key = _Pointer

    def generic_resolve(self, pointer: _Pointer, name: str) -> Any:  # type: ignore[override]  # noqa: ANN401
        """Return the type of an attribute."""
        kind = pointer.kind.types[pointer.kind.fields.index(name)]
        return _Rows(kind) if kind.ndim == 1 else kind


@_reads(_Pointer)
def _read(context: Any, builder: Any, pointer: _Pointer, address: Any, name: str) -> Any:  # noqa: ANN401
    place = pointer.kind.fields.index(name)
    kind, member = pointer.kind.types[place], _code.gep_inbounds(builder, address, 0, place)
    if kind.ndim == 1:
        return member
    return _borrowed(context, builder, kind, builder.load(member))


@_global(operator.getitem)
class _Get(AbstractTemplate):
    """What one of the items is."""

    def generic(self, given: Any, _: Any) -> Any:  # noqa: ANN401
        """Return the signature of rows[index]."""
        rows, index = given
        if isinstance(rows, _Rows) and isinstance(index, types.Integer):
            return _signature(rows.kind.dtype, rows, types.intp)
        return None


@_global(operator.setitem)
class _Set(AbstractTemplate):
    """What may become of an item: a number, not a record, whose fields are set instead."""

    def generic(self, given: Any, _: Any) -> Any:  # noqa: ANN401
        """Return the signature of rows[index] = value."""
        rows, index, value = given
        if isinstance(rows, _Rows) and isinstance(index, types.Integer) and isinstance(value, types.Integer):
            return _signature(types.none, rows, types.intp, rows.kind.dtype)
        return None


def _place(context: Any, builder: Any, kind: Any, rows: Any, index: Any) -> Any:  # noqa: ANN401
    array = _arrays.make_array(kind)(context, builder, ref=rows)
    if _config.BOUNDSCHECK:
        _code.do_boundscheck(context, builder, index, array.nitems)
    return builder.gep(array.data, [index])


@_lowers(operator.getitem, _Rows, types.Integer)
def _get(context: Any, builder: Any, signed: Any, given: Any) -> Any:  # noqa: ANN401
    kind = signed.args[0].kind
    return _arrays.load_item(context, builder, kind, _place(context, builder, kind, *given))


@_lowers(operator.setitem, _Rows, types.Integer, types.Any)
def _set(context: Any, builder: Any, signed: Any, given: Any) -> Any:  # noqa: ANN401
    kind = signed.args[0].kind
    _arrays.store_item(context, builder, kind, given[2], _place(context, builder, kind, *given[:2]))
    return context.get_dummy_value()


@_global(len)
class _Length(AbstractTemplate):
    """How many items there are."""

    def generic(self, given: Any, _: Any) -> Any:  # noqa: ANN401
        """Return the signature of len(rows)."""
        return _signature(types.intp, given[0]) if isinstance(given[0], _Rows) else None


@_lowers(len, _Rows)
def _length(context: Any, builder: Any, signed: Any, given: Any) -> Any:  # noqa: ANN401
    return _arrays.make_array(signed.args[0].kind)(context, builder, ref=given[0]).nitems


@intrinsic
def _fetched(_typing: Any, rows: Any, _index: Any) -> Any:  # noqa: ANN401
    def codegen(context: Any, builder: Any, signed: Any, given: Any) -> Any:  # noqa: ANN401
        rows, number = signed.args[0].kind, _code.int32_t
        address = builder.bitcast(_place(context, builder, rows, *given), _code.voidptr_t)
        kind = ir.FunctionType(ir.VoidType(), [_code.voidptr_t, number, number, number])
        prefetch = _code.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        for begin in range(0, rows.dtype.size, _LINE_BYTES):
            line = builder.gep(address, [number(begin)])
            builder.call(prefetch, [line, number(0), number(3), number(1)])  # to read, to keep, data
        return context.get_dummy_value()

    return types.none(rows, types.intp), codegen


@intrinsic
def _handed(_typing: Any, world: Any) -> Any:  # noqa: ANN401
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        place = _code.alloca_once(builder, context.get_value_type(signature.args[0]))
        builder.store(arguments[0], place)
        return place

    return _Pointer(world)(world), codegen


fetched = cast("Callable[[Records, int], None]", _fetched)  # asks memory for an item that is read later
handed = cast("Callable[[World], World]", _handed)  # a world goes in, and what reads like one comes out
