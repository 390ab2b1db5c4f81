"""Numbers side by side in a vector of the processor, for compiled code, which left alone takes them one by one.

Lanes by lanes, each alone: no sum changes its order and nothing is fused, so a number's bits are its own, whatever the
width it was worked on at.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

_intrinsic: Any = intrinsic  # its type asks callers for the typing context, which only the compiler passes


class Lanes(types.Type):
    """`width` doubles in one vector."""

    def __init__(self, width: int) -> None:
        super().__init__(name=f"Lanes({width})")
        self.width = width
        self.vector = ir.VectorType(ir.DoubleType(), width)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, of.vector)


def _arithmetic(symbol: Callable[[Any, Any], Any], instruction: str) -> None:
    @infer_global(symbol)
    class Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            one, *others = args
            return signature(one, one, one) if isinstance(one, Lanes) and others == [one] else None

    @lower_builtin(symbol, Lanes, Lanes)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args)


for _symbol, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _arithmetic(_symbol, _instruction)


def _place(context: Any, builder: Any, lanes: Lanes, array_type: Any, array: Any, place: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    first = builder.mul(place, ir.Constant(place.type, lanes.width))
    return builder.bitcast(builder.gep(data, [first]), lanes.vector.as_pointer())


def _all(builder: Any, lanes: Lanes, value: Any) -> Any:
    one = builder.insert_element(cgutils.get_null_value(lanes.vector), value, ir.IntType(32)(0))
    first = ir.Constant(ir.VectorType(ir.IntType(32), lanes.width), [0] * lanes.width)
    return builder.shuffle_vector(one, one, first)


@_intrinsic(prefer_literal=True)
def lanes_of(typing_context: Any, width: Any, value: Any) -> Any:
    """`width` lanes, a constant, that all hold `value`."""
    lanes = Lanes(width.literal_value)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _all(builder, lanes, args[1])

    return signature(lanes, width, types.float64), lower


@_intrinsic
def like(typing_context: Any, lanes: Any, value: Any) -> Any:
    """As many lanes as `lanes` are, that all hold `value`."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _all(builder, lanes, args[1])

    return signature(lanes, lanes, types.float64), lower


@_intrinsic
def load(typing_context: Any, lanes: Any, array: Any, place: Any) -> Any:
    """Lanes number `place`, as wide as `lanes`, of a contiguous array."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_place(context, builder, lanes, sig.args[1], *args[1:]), align=8)

    return signature(lanes, lanes, array, types.intp), lower


@_intrinsic
def store(typing_context: Any, array: Any, place: Any, value: Any) -> Any:
    """Make `value` the lanes number `place` of a contiguous array."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _place(context, builder, sig.args[2], sig.args[0], *args[:2]), align=8)
        return context.get_dummy_value()

    return signature(types.void, array, types.intp, value), lower


@_intrinsic
def goes_left(typing_context: Any, value: Any, threshold: Any, zero_left: Any, nan_left: Any) -> Any:
    """1 in the lanes where a split lets `value` go left, else 0."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        number, threshold, zero_left, nan_left = args
        none, one = cgutils.get_null_value(value.vector), ir.Constant(value.vector, [1.0] * value.width)
        goes = builder.select(builder.fcmp_ordered("<=", number, threshold), one, none)
        goes = builder.select(builder.fcmp_ordered("==", number, none), zero_left, goes)
        return builder.select(builder.fcmp_unordered("uno", number, number), nan_left, goes)

    return signature(value, value, value, value, value), lower
