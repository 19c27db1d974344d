"""Options about stored pots, and which model a command with a stored pot loads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from infinipot_cli.commands import complete
from infinipot_cli.commands.options import common
from infinipot_cli.errors import UsageError
from infinipot_cli.settings import Entries, Loading

_PANEL = "Stored pots"


@dataclass(frozen=True)
class PotOptions:
    """Whether and how what was read is stored."""

    save_pot: Annotated[
        str | None,
        typer.Option(
            "--save-pot",
            metavar="NAME|FILE",
            help="Store what was read; infinipot ask @NAME, or @./FILE.pot, asks it without reading again.",
            autocompletion=complete.pots,
            rich_help_panel=_PANEL,
        ),
    ] = None
    entries: Annotated[
        Entries | None,
        typer.Option(
            "--pot-entries",
            help="How entries are stored: exact, or in 8 bits. Exact by default; a pot that is read on stays as it is.",
            show_default=False,
            rich_help_panel=_PANEL,
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse a name that is taken."""
        if self.save_pot is not None:
            from infinipot_cli.pots.shelf import check_new_name

            check_new_name(self.save_pot)


@dataclass(frozen=True)
class ContinueOptions:
    """Whether the run asks the pot of before."""

    latest: Annotated[
        bool,
        typer.Option(
            "-c", "--continue", help="Ask the pot that was stored or asked last, as @NAME does.", rich_help_panel=_PANEL
        ),
    ] = False
    pot: Annotated[
        str | None,
        typer.Option(
            "--pot",
            metavar="NAME|FILE",
            help="Ask this stored pot, as @NAME does.",
            autocompletion=complete.pots,
            rich_help_panel=_PANEL,
        ),
    ] = None

    def words(self, words: Sequence[str]) -> list[str]:
        """The words of the command line, with that pot in front where it is wanted.

        Raises:
            PotError: there is no pot.
            UsageError: two pots are named.
        """
        if self.latest and self.pot is not None:
            raise UsageError("-c and --pot both name a pot", hint="one of them")
        if self.pot is not None:
            from infinipot_cli.pots.shelf import path_of

            path_of(self.pot)
            return [f"@{self.pot.removeprefix('@')}", *words]
        if not self.latest:
            return list(words)
        from infinipot_cli.pots.shelf import latest

        return [f"@{latest()}", *words]


def split_pot(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The stored pot among the sources, and the other sources.

    Raises:
        UsageError: there is more than one, or it is not the first source.
    """
    from infinipot_cli.resume import is_pot

    pots = [word for word in words if is_pot(word)]
    if len(pots) > 1:
        raise UsageError("one stored pot at a time", hint=f"infinipot ask {pots[0]} …")
    if pots and words[0] != pots[0]:
        raise UsageError(f"{pots[0]} must come first: what follows is read into it", hint=f"infinipot ask {pots[0]} …")
    return (pots[0] if pots else None), [word for word in words if word not in pots]


def model_and_loading(ctx: typer.Context, words: Sequence[str], model: str, loading: Loading) -> tuple[str, Loading]:
    """What to load: for a stored pot, unless the user named a model, the one that filled it."""
    if not any(word.startswith("@") for word in words):  # the usual case needs none of what follows
        return model, loading
    from infinipot_cli.resume import model_of

    pot, _ = split_pot(words)
    if pot is None:
        return model, loading
    was_named = bool(ctx.meta[common.MODEL_WAS_NAMED])
    if not was_named:
        ctx.meta.pop(common.MODEL_ORIGIN, None)  # the pot names it
    return model_of(pot, model, was_chosen=was_named, loading=loading)
