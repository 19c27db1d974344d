"""What the user asked of the sources, checked before any of them is opened."""

import codecs
from dataclasses import dataclass

from infinipot_cli.documents.piece import ALL_LINES, LineNumbers
from infinipot_cli.documents.ranges import check_pages, parse_lines
from infinipot_cli.errors import DocumentError, PartError, UsageError

_LONGEST_PASSWORD = 1024

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
    "html": "html",
    "epub": "epub",
    "docx": "docx",
}


@dataclass(frozen=True)
class Wishes:
    """What the user asked of the sources; None leaves the choice to their content.

    Attributes:
        encoding: encoding of texts, as Python names it.
        type: what every source is, one of `TYPES`.
        pages: pages to read, such as `1-5,8,xii-xv`.
        lines: lines to read, such as `1000-2000`.
        password_file: file whose first line opens encrypted documents.
        endings: of the files in folders and globs, only those that end like this; lists such as `pdf,md` are taken
            apart.
        ignore: of these files, none that match, as in `.gitignore`.
        hidden: whether hidden files are among them.
        no_ignore: whether those that `.gitignore` names are.
        loaders: commands that turn other formats into text, by the ending of the file's name.
    """

    encoding: str | None = None
    type: str | None = None
    pages: str | None = None
    lines: str | None = None
    password_file: str | None = None
    endings: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    hidden: bool = False
    no_ignore: bool = False
    loaders: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.encoding is not None:
            _check_encoding(self.encoding)
        if self.type is not None and self.type.lower() not in TYPES:
            raise UsageError(f"{self.type!r} is no type of document", hint=f"there are {', '.join(TYPES)}")
        if self.endings and not all(self.wanted_endings):
            raise UsageError(f"{','.join(self.endings)!r} is no list of endings", hint="such as --ext pdf,md")
        if self.ignore:
            from infinipot_cli.documents.gitignore import Rules

            Rules.of_lines(self.ignore)
        if self.pages is not None:
            check_pages(self.pages)
        if self.lines is not None:
            parse_lines(self.lines)

    @property
    def kind(self) -> str | None:
        """The reader that the type stands for."""
        return None if self.type is None else TYPES[self.type.lower()]

    @property
    def wanted_endings(self) -> tuple[str, ...]:
        """Endings of file names, each with its dot, in small letters."""
        words = [word.strip().lstrip("*").lstrip(".").lower() for part in self.endings for word in part.split(",")]
        return tuple(f".{word}" if word else "" for word in words)

    def password(self) -> str | None:
        """The password from its file; None where none was named.

        Raises:
            DocumentError: the file cannot be read.
        """
        if self.password_file is None:
            return None
        try:
            with open(self.password_file, "rb") as file:
                line = file.readline(_LONGEST_PASSWORD).rstrip(b"\r\n")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise DocumentError(
                f"the password file {self.password_file} cannot be read: {reason}", code="password_file"
            ) from error
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError:
            return line.decode("latin-1")

    @property
    def line_numbers(self) -> LineNumbers:
        """The numbers of the lines that are read."""
        return ALL_LINES if self.lines is None else LineNumbers(tuple(parse_lines(self.lines)))

    def forbid_pages(self, name: str) -> None:
        """Refuse a wish for pages of a document that has none."""
        if self.pages is not None:
            raise PartError(f"{name} has no pages", hint="--lines chooses lines of a text", code="no_pages")

    def forbid_lines(self, name: str) -> None:
        """Refuse a wish for lines of a document that has pages instead."""
        if self.lines is not None:
            raise PartError(f"{name} has pages, not lines", hint="--pages chooses pages", code="no_lines")


def _check_encoding(name: str) -> None:
    try:
        "a".encode(name)
        codecs.getincrementaldecoder(name)("replace").decode(b"\xff\xfe", True)
    except (LookupError, ValueError):  # unknown, no text encoding, a NUL in the name, or no way to go on after errors
        raise UsageError(
            f"{name!r} is no encoding that Python knows", hint="such as utf-8, cp1252, shift_jis or koi8-r"
        ) from None
