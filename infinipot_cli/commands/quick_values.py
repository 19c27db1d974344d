"""Take the values of options as they are, where there is nothing to convert or check.

Typer makes a Pydantic adapter for every option of a command, given or not; importing Pydantic and making them costs a
third of a second before anything else happens. Most values are absent, defaults, or plain words.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from typer.core import TyperArgument, TyperOption

_PLAIN = (bool, int, float, str)


def take_as_they_are(parameters: Iterable[object]) -> None:
    """Let parameters of Typer's convert only what needs it; others keep whatever they do."""
    for parameter in parameters:
        if isinstance(parameter, TyperArgument | TyperOption) and "process_value" not in vars(parameter):
            vars(parameter)["process_value"] = _quick(parameter)


def _quick(parameter: TyperArgument | TyperOption) -> Callable[[Any, Any], Any]:
    convert = parameter.process_value

    def process_value(ctx: Any, value: Any) -> Any:
        if not _is_ready(parameter, value):
            return convert(ctx, value)
        if parameter.multiple or parameter.nargs == -1:
            value = () if value is None else list(value)
        if parameter.required and parameter.value_is_missing(value):
            return convert(ctx, value)  # which words the complaint
        return value if parameter.callback is None else parameter.callback(ctx, parameter, value)

    return process_value


def _is_ready(parameter: TyperArgument | TyperOption, value: Any) -> bool:
    """Whether a value is what conversion would make of it."""
    if value is None:
        return True
    kind, info = parameter.type_descriptor.annotation, parameter.type_descriptor.parameter_info
    if kind == list[str]:
        return info.parser is None and isinstance(value, list | tuple) and all(type(word) is str for word in value)
    if not isinstance(kind, type) or not (kind in _PLAIN or issubclass(kind, Enum)) or type(value) is not kind:
        return False
    is_checked = info.parser is not None or parameter.type_descriptor.is_ranged
    return not is_checked or bool(value == parameter.default)
