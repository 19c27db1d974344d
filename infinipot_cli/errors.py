"""What can go wrong for a user, and the exit code each thing ends with.

    InfinipotError                 1  bugs, and measurements that failed
    ├─ UsageError                  2  the command line asks for something impossible
    │   ├─ PotSizeError            2  capacity, budget or prompt do not fit each other
    │   └─ PartError               2  a document has not the pages or lines that were asked for
    ├─ DocumentError               3  a source is missing, unreadable, encrypted, binary or has no text
    ├─ ModelError                  4  a model is not here, incomplete or damaged
    │   └─ UnsupportedModelError   4  the model works, but its keys cannot live in a pot
    ├─ DeviceError                 5  the machine lacks memory or an accelerator
    ├─ PotError                    6  a stored pot is damaged or foreign
    └─ OutputError                 7  the answer could not be written
        └─ StandardOutputError     7  standard output takes nothing, so nothing can be told there either

Foreign exceptions are translated once, at the edge that calls the foreign code. This module imports nothing of ours.
"""

from typing import ClassVar


class InfinipotError(Exception):
    """A mistake or a circumstance the user can act on.

    Args:
        message: what failed and why, one line, in the user's own words.
        hint: what to do about it, one line; empty when there is nothing to suggest.
        code: stable machine-readable word for `--json`; the class supplies one by default.
    """

    exit_code: ClassVar[int] = 1
    default_code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code


class UsageError(InfinipotError):
    """The command line asks for something impossible."""

    exit_code = 2
    default_code = "usage"


class PotSizeError(UsageError):
    """Capacity, budget and prompt do not fit each other."""

    default_code = "pot_size"


class PartError(UsageError):
    """A document has not the pages or lines that were asked for; another one may have them."""


class DocumentError(InfinipotError):
    """A source could not be read as text."""

    exit_code = 3
    default_code = "document"


class ModelError(InfinipotError):
    """A model is not on this machine, incomplete or damaged."""

    exit_code = 4
    default_code = "model"


class UnsupportedModelError(ModelError):
    """A model whose keys cannot live in a pot; the message gives the reason."""

    default_code = "unsupported_model"


class DeviceError(InfinipotError):
    """The machine lacks the memory or the accelerator that was asked for."""

    exit_code = 5
    default_code = "device"


class PotError(InfinipotError):
    """A stored pot is damaged, foreign or of another version."""

    exit_code = 6
    default_code = "pot"


class OutputError(InfinipotError):
    """The answer could not be written where it should go."""

    exit_code = 7
    default_code = "output"


class StandardOutputError(OutputError):
    """Standard output takes no more text; `--json` has no place left to say so."""

    default_code = "output_failed"


def is_foreign_failure(error: BaseException) -> bool:
    """Whether this is how foreign code failed, and no wish to stop.

    Parsers written in Rust panic on some damaged files, and a panic is no `Exception`, so that nobody swallows it.
    """
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"
