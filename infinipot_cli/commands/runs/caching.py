"""When `ask` and `summarize` do not read the same documents twice for the same question, and what is said of it."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from infinipot_cli.settings import CACHE_LIMIT, parse_bytes

if TYPE_CHECKING:  # help must stay fast
    from infinipot_cli.cached import Recipe
    from infinipot_cli.commands.runs.form import Form
    from infinipot_cli.display.console import Console
    from infinipot_cli.plan import Task
    from infinipot_cli.reading import Reading
    from infinipot_cli.session import Session

_PANEL = "Stored pots"


@dataclass(frozen=True)
class CacheOptions:
    """Whether readings are kept unasked, and taken up again."""

    no_cache: Annotated[
        bool,
        typer.Option(
            "--no-cache",
            help="Read, even what was read before, and keep nothing of it; the same with --no-log and history off.",
            rich_help_panel=_PANEL,
        ),
    ] = False
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild",
            help="Read again what was read before for this question, and keep that.",
            rich_help_panel=_PANEL,
        ),
    ] = False
    cache_limit: Annotated[
        int,
        typer.Option(
            "--cache-limit",
            metavar="SIZE",
            parser=parse_bytes,
            help="Room for readings that are kept unasked; the longest unused go first. 0 keeps none; "
            f"{CACHE_LIMIT} by default.",
            show_default=False,
            rich_help_panel=_PANEL,
        ),
    ] = parse_bytes(CACHE_LIMIT)


def why_private(session: "Session", form: "Form") -> str:
    """Why nothing that a run reads may be kept unasked: what the user has said; empty where it may."""
    from infinipot_cli import history

    if form.run.no_log:
        return "--no-log"
    if not history.is_on():
        return "history off"
    return "--password-file" if session.wishes.password_file is not None else ""


class Cache:
    """Finds and keeps the readings of one run.

    Args:
        session: that makes them.
        form: what was asked of the run.
        console: takes what is said about it.
    """

    def __init__(self, session: "Session", form: "Form", console: "Console") -> None:
        self._session, self._form, self._console = session, form, console
        self._loading = session.loading  # a kept reading narrows it to the numbers of then
        self._made: Recipe | None = None

    @property
    def _is_wanted(self) -> bool:
        """Nothing is kept of what shall leave no trace, or of what only reading itself can show."""
        form = self._form
        can_be_told = form.answers and not form.reports and not form.pins and form.run.verbose < 2
        return form.cache is not None and bool(form.cache.cache_limit) and can_be_told and not self._is_private

    @property
    def _is_private(self) -> bool:
        return bool(why_private(self._session, self._form))

    def found(self, reading: "Reading", sources: Sequence[str], task: "Task") -> "Reading":
        """The kept reading in the place of one that is about to begin, or that one."""
        from infinipot_cli import cached
        from infinipot_cli.commands.options.words import STDIN

        self._made = None
        options = self._form.cache
        if options is None or options.no_cache or STDIN in sources or not self._is_wanted:
            return reading
        self._made = cached.recipe(
            self._session, reading, self._loading, self._session.wishes, digest_of_logs=self._form.digest
        )
        if self._made is None or options.rebuild:
            return reading
        kept = cached.find(self._session, self._made, task)
        if kept is None:
            return reading
        for entry, opened in zip(kept.inputs, reading.inputs, strict=True):
            document = opened.document
            entry.document.n_bytes = document.n_bytes
            entry.document.n_pages = document.n_pages or entry.document.n_pages
            document.close()
        return kept

    def say_found(self, reading: "Reading") -> None:
        """Say that nothing will be read, where that is so."""
        from infinipot_cli import cached
        from infinipot_cli.display.console import say
        from infinipot_cli.display.summary import age

        if self._made is None or not all(entry.was_read for entry in reading.inputs):
            return
        line = f"read {age(cached.age(self._made))} and unchanged since: not read again (--rebuild does)"
        say(self._console, line, style="dim")

    def keep(self, reading: "Reading") -> bool:
        """Keep a reading that came to its end; whether it is kept. That it should be and cannot be is a warning."""
        from infinipot_cli import cached
        from infinipot_cli.display.problem import show_warning
        from infinipot_cli.errors import OutputError

        if self._made is None or self._form.cache is None:
            return False
        if all(entry.was_read for entry in reading.inputs):
            return True
        seconds, limit = reading.timing.read_seconds, self._form.cache.cache_limit
        try:
            return cached.keep(self._session, reading, self._made, limit=limit, seconds=seconds)
        except OutputError as error:
            reason = getattr(error.__cause__, "strerror", None) or error.message
            show_warning(self._console, f"@last is not this reading, which could not be kept: {reason}")
            return False

    def rescue(self, reading: "Reading", *, is_kept: bool) -> None:
        """Keep what could not be stored where it should be, if it may be kept, and say in its error how to get at it.

        Args:
            reading: nothing was answered from its pot itself yet.
            is_kept: it is kept already.
        """
        from infinipot_cli.errors import OutputError
        from infinipot_cli.pots.shelf import LAST, new_unnamed
        from infinipot_cli.resume import save

        if reading.unsaved is None:
            return
        if not is_kept and not self._is_private:
            with contextlib.suppress(OutputError, OSError):
                save(self._session, reading, str(new_unnamed()))
                reading.saved_as, is_kept = f"@{LAST}", True
        if is_kept:
            reading.unsaved.hint = f"it is kept as @{LAST}: infinipot pots export {LAST} FILE"
