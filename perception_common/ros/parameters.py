"""A parameter dataclass declared on a node, validated at start and at every change."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from ..errors import UserError, did_you_mean
from ..params import Spec, build, check, specs
from ..schemas import BUILT_IN
from .compat import parameter_overrides

T = TypeVar("T")
_INT_LIMIT, _FLOAT_LIMIT = (1 << 63) - 1, 1e308


class NodeParameters(Generic[T]):
    """The parameters of one node: ``value`` is always a valid instance of the dataclass.

    Parameters that are not ``live`` are refused once `lock` was called (a lifecycle node locks on
    configure and unlocks on cleanup).

    Args:
        node: the node on which the parameters are declared.
        cls: a dataclass whose fields were made with `perception_common.params.param`.
        on_change: called with the old and the new instance before a change takes effect; a `UserError` refuses it.

    Raises:
        UserError: an override is unknown, of the wrong type, or out of range.
    """

    def __init__(self, node: Node, cls: type[T], on_change: Callable[[T, T], None] | None = None) -> None:
        self._specs = specs(cls)
        self._locked = False
        self._on_change = on_change
        overrides = parameter_overrides(node)
        where = f"node {node.get_name()}"
        for name in overrides:
            if name not in self._specs and name not in BUILT_IN and not name.startswith("qos_overrides."):
                raise UserError(f"unknown parameter '{name}'", where=where, fix=did_you_mean(name, self._specs))
        given = {name: value for name, value in overrides.items() if name in self._specs}
        self.value: T = build(cls, given, where)
        for spec in self._specs.values():
            start = getattr(self.value, spec.name)
            node.declare_parameter(
                spec.name, list(start) if spec.is_list else start, _descriptor(spec), ignore_override=True
            )
        node.add_on_set_parameters_callback(self._set)

    def lock(self, locked: bool = True) -> None:
        """Refuse (or allow again) changes of parameters that are not live."""
        self._locked = locked

    def _set(self, changes: list[Parameter[Any]]) -> SetParametersResult:
        new: dict[str, Any] = {}
        try:
            for change in changes:
                if change.name in self._specs:
                    spec = self._specs[change.name]
                    if self._locked and not spec.live:
                        raise UserError(
                            f"parameter '{spec.name}' cannot change while the node is configured", fix="cleanup first"
                        )
                    # Numbers come as array.array; a text is a sequence too, but no list.
                    as_list = spec.is_list and not isinstance(change.value, str)
                    new[spec.name] = check(spec, list(change.value) if as_list else change.value)
            # A class may check in ``__post_init__`` what single parameters cannot.
            changed = dataclasses.replace(self.value, **new)  # type: ignore[type-var]
            if new and self._on_change is not None:
                self._on_change(self.value, changed)
        except UserError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.value = changed
        return SetParametersResult(successful=True)


def _descriptor(spec: Spec) -> ParameterDescriptor:
    # Dynamic typing lets `check` accept 5 for 5.0 and tell refusals in our words.
    descriptor = ParameterDescriptor(
        name=spec.name, description=spec.doc, dynamic_typing=True, additional_constraints=spec.allowed
    )
    if spec.minimum is not None or spec.maximum is not None:
        low, high = spec.minimum, spec.maximum
        if spec.type is int:
            bounds = IntegerRange(
                from_value=int(-_INT_LIMIT if low is None else low), to_value=int(_INT_LIMIT if high is None else high)
            )
            descriptor.integer_range = [bounds]
        elif spec.type is float:
            limits = FloatingPointRange(
                from_value=float(-_FLOAT_LIMIT if low is None else low),
                to_value=float(_FLOAT_LIMIT if high is None else high),
            )
            descriptor.floating_point_range = [limits]
    return descriptor
