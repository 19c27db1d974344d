"""`infinipot pots`: what was read and stored."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands import complete
from infinipot_cli.commands.options import common
from infinipot_cli.commands.options.words import STDIN
from infinipot_cli.errors import DocumentError, UsageError
from infinipot_cli.policies import DEFAULT, POLICIES, label
from infinipot_cli.templates import CATALYSTS, is_question

if TYPE_CHECKING:
    from infinipot_cli.pots.header import Header, StoredSource
    from infinipot_cli.pots.shelf import Shelved

app = typer.Typer(
    no_args_is_help=True,
    help="List, look into, copy and delete stored pots.\n\ninfinipot pots list\n\ninfinipot pots rm book",
)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="With or without the @.", autocompletion=complete.pots)
]  # fmt: skip


@app.command("list")
def list_pots(
    json: common.Json = False,
    names: common.NamesOnly = False,
    no_pager: common.NoPager = False,
    plain: common.Plain = False,
    debug: common.Debug = False,
) -> None:
    """Stored pots with what they hold.

    infinipot pots list
    """
    from infinipot_cli.display.listing import show_rows
    from infinipot_cli.display.summary import size
    from infinipot_cli.pots.shelf import shelved

    rows = [
        {
            "name": f"@{pot.name}",
            "documents": ", ".join(dict.fromkeys(source.name for source in pot.header.sources)) if pot.header else "",
            "tokens": pot.header.n_tokens if pot.header else None,
            "model": pot.header.fingerprint.model if pot.header else "",
            "size": pot.n_bytes if json else size(pot.n_bytes),
            "used": _used(pot.used, as_json=json),
            "state": pot.problem or _state(pot.header),
        }
        for pot in shelved()
    ]
    show_rows(rows, as_json=json, names_only=names, pager=not no_pager, plain=plain)
    from infinipot_cli.cached import held_files

    held = held_files()
    if held and not (json or names):
        from infinipot_cli.display.console import error_console, say

        line = f"and {len(held)} readings without a name, {size(sum(one[1] for one in held))}; the latest is @last"
        say(error_console(settings.Color.AUTO), line, style="dim")


def _used(used: float | None, *, as_json: bool) -> int | str | None:
    """When a pot was stored or asked last: seconds since 1970, or how long ago that is."""
    from infinipot_cli.display.summary import age

    if used is None:
        return None if as_json else ""
    return round(used) if as_json else age(max(0.0, time.time() - used))


def _state(header: "Header | None") -> str:
    from infinipot_cli.pots.originals import fate_of_all

    fate = fate_of_all(header.sources) if header else "unknown"
    return f"source {fate}" if fate in ("changed", "gone") else "ok"


@app.command()
def show(name: Name, json: common.Json = False, debug: common.Debug = False) -> None:
    """Everything a stored pot says about itself.

    infinipot pots show book
    """
    from dataclasses import asdict

    from infinipot_cli.display.listing import put
    from infinipot_cli.display.safe import safe_json, safe_line
    from infinipot_cli.display.summary import grouped, size
    from infinipot_cli.pots.file import read_header
    from infinipot_cli.pots.originals import fate_of
    from infinipot_cli.pots.shelf import look

    pot = look(name)
    header = read_header(pot.path, f"@{pot.name}")
    if json:
        put(safe_json({"schema": 1, "name": f"@{pot.name}", "path": str(pot.path), "bytes": pot.n_bytes}
                      | {"pot": asdict(header)}))  # fmt: skip
        return
    numbers = header.numbers
    policy = numbers.get("policy", DEFAULT)
    if policy in POLICIES:  # else one of another version
        policy = label(policy, tuple(numbers.get("policy_settings", {}).items()))
    lines = [
        f"@{pot.name}  {size(pot.n_bytes)}  {pot.path}",
        f"model      {header.fingerprint.model} ({header.fingerprint.dtype})",
        f"places     {numbers.get('capacity', '?')}, {numbers.get('budget', '?')} kept at each of"
        f" {numbers.get('n_cycles', '?')} distillations",
        f"policy     {policy}",
        f"asked      {_asked(header)}",
        f"entries    {header.entries}",
        *(
            f"read       {source.name}  {grouped(source.n_tokens)} tokens"
            + _pages(source)
            + (f", {fate} since" if (fate := fate_of(source)) in ("changed", "gone") else "")
            for source in header.sources
        ),
    ]
    put("\n".join(map(safe_line, lines)))


def _asked(header: "Header") -> str:
    """What judged the entries, as far as it asks for anything."""
    if header.catalyst == CATALYSTS["general"]:
        return "nothing yet; any question may follow"
    return "; ".join(header.questions) if is_question(header.catalyst) else f"what {header.catalyst} asks"


def _pages(source: "StoredSource") -> str:
    """How many pages of a document were read, and of how many."""
    from infinipot_cli.display.summary import counted

    if not source.pages:
        return ""
    n_read, n_pages = len(source.pages), source.all_pages
    return f", {n_read} of {n_pages} pages" if n_read != n_pages else f", {counted(n_read, 'page')}"


@app.command()
def path(name: Name, debug: common.Debug = False) -> None:
    """Print the file of a stored pot.

    infinipot pots path book
    """
    from infinipot_cli.display.listing import put
    from infinipot_cli.pots.shelf import look

    put(str(look(name).path))


@app.command()
def rm(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="With or without the @.", autocompletion=complete.pots)
    ],
    debug: common.Debug = False,
) -> None:
    """Delete stored pots, and say what went.

    infinipot pots rm book
    """
    from infinipot_cli.pots.shelf import removable, remove

    meant = {removable(name).path: name for name in names}  # all of them are there before the first goes
    for name in meant.values():
        _say_deleted(remove(name))


def _say_deleted(pot: "Shelved") -> None:
    from infinipot_cli.display.console import error_console, say
    from infinipot_cli.display.summary import size

    held = ", ".join(dict.fromkeys(source.name for source in pot.header.sources)) if pot.header else ""
    of = f" ({held})" if held else ""
    say(error_console(settings.Color.AUTO), f"deleted @{pot.name}{of}, {size(pot.n_bytes)}", style="dim")


@app.command()
def prune(
    days: Annotated[
        float | None, typer.Option("--days", metavar="N", min=0, help="Delete what was not used for so many days.")
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep",
            metavar="SIZE",
            parser=settings.parse_bytes,
            help="Delete the longest unused beyond this, such as 10G.",
        ),
    ] = None,
    cached: Annotated[
        bool,
        typer.Option("--cached", help="Of the readings that ask and summarize kept by themselves; alone, all of them."),
    ] = False,
    debug: common.Debug = False,
) -> None:
    """Delete pots that were not used for long, and say what went.

    infinipot pots prune --days 30

    infinipot pots prune --keep 10G

    infinipot pots prune --cached
    """
    from infinipot_cli.pots import shelf

    if cached:
        from infinipot_cli.cached import prune as prune_cached
        from infinipot_cli.display.listing import put
        from infinipot_cli.display.summary import counted

        n_gone = prune_cached(days=days, n_bytes=0 if days is None and keep is None else keep)
        put(f"{counted(n_gone, 'reading')} deleted")
        return
    if days is None and keep is None:
        raise UsageError("say what may go: --days N, --keep SIZE or --cached", hint="infinipot pots prune --days 30")
    for pot in shelf.prune(days=days, n_bytes=keep):
        _say_deleted(pot)


@app.command()
def export(
    name: Name,
    target: Annotated[
        Path, typer.Argument(metavar="FILE", help="A new file, a folder, or - for standard output.")
    ],
    debug: common.Debug = False,
) -> None:  # fmt: skip
    """Copy a stored pot to a file, to carry it elsewhere.

    infinipot pots export book book.pot

    infinipot pots export book - | ssh there infinipot pots import - --name book
    """
    if str(target) == STDIN:
        from infinipot_cli.commands.pot_pipes import check_piped, send
        from infinipot_cli.pots.transfer import content

        check_piped(name)
        send(content(name))
        return
    from infinipot_cli.display.listing import put
    from infinipot_cli.display.output_file import check_named
    from infinipot_cli.pots.transfer import export as copy

    check_named(str(target), "export")
    put(str(copy(name, target)))


@app.command("import")
def import_pot(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="As pots export wrote it; - is standard input.")],
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Its name here.")] = None,
    debug: common.Debug = False,
) -> None:
    """Take a pot from a file.

    infinipot pots import book.pot
    """
    from infinipot_cli.display.listing import put
    from infinipot_cli.pots.transfer import bring, bring_stream

    if str(source) == STDIN:
        from infinipot_cli.commands.pot_pipes import received

        if name is None:
            raise UsageError("a pot that comes through standard input needs a name", hint="--name book")
        put(f"@{bring_stream(received(), name)}")
        return
    try:
        source.stat()
    except OSError as error:
        why, code = f"cannot be read: {error.strerror}", "read_error"
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            why, code = "does not exist", "not_found"
        hint = "a file is wanted that infinipot pots export wrote"
        raise DocumentError(f"{source} {why}", hint=hint, code=code) from error
    put(f"@{bring(source, name)}")
