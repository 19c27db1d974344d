"""What the user asked of the sources, checked before any of them is opened."""

import codecs
from dataclasses import dataclass

from infinipot_cli.errors import UsageError

# What people call a format, and the reader for it; texts with a syntax of their own are read as they stand.
TYPES = {
    "text": "text",
    "txt": "text",
    "log": "text",
    "md": "text",
    "markdown": "text",
    "rst": "text",
    "json": "text",
    "jsonl": "text",
    "csv": "text",
    "tsv": "text",
    "pdf": "pdf",
}


@dataclass(frozen=True)
class Wishes:
    """What the user asked of the sources; None leaves the choice to their content.

    Attributes:
        encoding: encoding of texts, as Python names it.
        type: what every source is, one of `TYPES`.
    """

    encoding: str | None = None
    type: str | None = None

    def __post_init__(self) -> None:
        if self.encoding is not None:
            _check_encoding(self.encoding)
        if self.type is not None and self.type.lower() not in TYPES:
            raise UsageError(f"{self.type!r} is no type of document", hint=f"there are {', '.join(TYPES)}")

    @property
    def kind(self) -> str | None:
        """The reader that the type stands for."""
        return None if self.type is None else TYPES[self.type.lower()]


def _check_encoding(name: str) -> None:
    try:
        "a".encode(name)
        codecs.getincrementaldecoder(name)("replace").decode(b"\xff\xfe", True)
    except (LookupError, ValueError):  # unknown, no text encoding, a NUL in the name, or no way to go on after errors
        raise UsageError(
            f"{name!r} is no encoding that Python knows", hint="such as utf-8, cp1252, shift_jis or koi8-r"
        ) from None
