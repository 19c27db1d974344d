"""Options about the documents to read; their values are checked by `documents.wishes` before anything is opened."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infinipot_cli.commands import complete
from infinipot_cli.commands.options import common
from infinipot_cli.errors import DocumentError, UsageError

if TYPE_CHECKING:  # help must stay fast
    from infinipot_cli.documents import Wishes

_PANEL = "Documents"

# What the words of a command that reads documents may be.
NAMED_HELP = "Texts, PDF, HTML, EPUB, DOCX; folders; quoted globs"
SOURCE_HELP = f"{NAMED_HELP}; - for standard input."


@dataclass(frozen=True)
class NamedSources:
    """Which documents are read, and which part of them."""

    ext: Annotated[
        list[str] | None,
        typer.Option(
            "-e",
            "--ext",
            metavar="LIST",
            help="Of folders and globs, only files with these endings, such as pdf,md.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="GLOB",
            help="Of folders and globs, no files like this; written as in .gitignore.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None
    hidden: Annotated[
        bool,
        typer.Option("--hidden", help="Of folders and globs, hidden files too.", rich_help_panel=_PANEL),
    ] = False
    no_ignore: Annotated[
        bool,
        typer.Option("--no-ignore", help="Of folders and globs, what .gitignore names too.", rich_help_panel=_PANEL),
    ] = False
    encoding: Annotated[
        str | None,
        typer.Option(
            "--encoding",
            metavar="NAME",
            help="Encoding of texts, such as cp1252; told from their bytes by default.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    type_: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="NAME",
            help="What the sources are, such as text or pdf; told from their bytes by default.",
            autocompletion=complete.types,
            rich_help_panel=_PANEL,
        ),
    ] = None
    pages: Annotated[
        str | None,
        typer.Option(
            "--pages",
            metavar="LIST",
            help="Pages to read, such as 1-5,8,xii-xv: places counted from 1, or printed labels.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    lines: Annotated[
        str | None,
        typer.Option(
            "--lines",
            metavar="LIST",
            help="Lines of a text to read, such as 1000-2000 or 1000-.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    password_file: Annotated[
        str | None,
        typer.Option(
            "--password-file",
            metavar="FILE",
            help="File whose first line opens an encrypted PDF.",
            rich_help_panel=_PANEL,
        ),
    ] = None

    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit with 3 where a page was left out, a letter lost, or under 1 % kept.",
            rich_help_panel=_PANEL,
        ),
    ] = False

    def wishes(self, meta: Mapping[str, Any]) -> "Wishes":
        """The same as the documents take it.

        Args:
            meta: of the command's context, which holds the loaders of the user's settings.

        Raises:
            UsageError: a value makes no sense.
            DocumentError: there is no such password file.
        """
        from infinipot_cli.documents import Wishes

        if self.password_file is not None and not os.path.exists(self.password_file):
            # reading it is left to the document that needs it: it may be a pipe, which gives its line once
            raise DocumentError(f"the password file {self.password_file} does not exist", code="password_file")

        return Wishes(
            encoding=self.encoding,
            type=self.type_,
            pages=self.pages,
            lines=self.lines,
            password_file=self.password_file,
            endings=tuple(self.ext or ()),
            ignore=tuple(self.ignore or ()),
            hidden=self.hidden,
            no_ignore=self.no_ignore,
            loaders=meta.get(common.LOADERS, ()),
        )


@dataclass(frozen=True)
class SourceOptions(NamedSources):
    """The same where standard input may be a document, or name them."""

    null: Annotated[
        bool,
        typer.Option(
            "-0",
            "--null",
            help="Standard input names the sources, as find -print0 writes them.",
            rich_help_panel=_PANEL,
        ),
    ] = False

    def words(self, words: Sequence[str] | None, *, questions: str | None = None) -> list[str]:
        """The words of the command line behind the sources that standard input names.

        Args:
            words: as typed.
            questions: a file of them, `-` for standard input.

        Raises:
            UsageError: standard input would be read twice.
            DocumentError: it names nothing.
        """
        typed = list(words or [])
        if not self.null:
            return typed
        for what, is_there in (("document", "-" in typed), ("questions", questions == "-")):
            if is_there:
                raise UsageError(
                    f"standard input (-) cannot be both the {what} and the list of documents", code="stdin_twice"
                )
        data = b"" if sys.stdin is None else sys.stdin.buffer.read()
        named = [os.fsdecode(path) for path in data.split(b"\0") if path.strip()]
        if not named:
            raise DocumentError(
                "standard input names no sources", hint="find . -name '*.md' -print0 | …", code="no_source"
            )
        return [*named, *typed]
