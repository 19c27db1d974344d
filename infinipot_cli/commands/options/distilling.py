"""Options about the pot: its size, and what of a full one is kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.choice import IN_SHORT, NAMES, PAPER
from infinipot_cli.commands import complete
from infinipot_cli.commands.options.common import is_typed
from infinipot_cli.errors import UsageError
from infinipot_cli.policies import DEFAULT, POLICIES, POLICY_NAMES, has_catalyst, label, parse_settings

if TYPE_CHECKING:  # the plan brings tokenizers with it, and help must stay fast
    from infinipot_cli.plan import Task

_PANEL = "Model and pot"


class UsualSize(int):
    """A size in places that nobody typed: it stands in the settings, and gives way to what one run cannot have."""


def _size(ctx: typer.Context, value: int | None) -> int | None:
    """A size in places; one from the settings gives way to `--memory`."""
    if value is None or is_typed(ctx, "pot_size"):
        if value is not None and ctx.params.get("memory") is not None:
            raise _TWO_SIZES
        return value
    return UsualSize(value) if ctx.params.get("memory") is None else None


def _budget(ctx: typer.Context, value: int | None) -> int | None:
    return value if value is None or is_typed(ctx, "budget") else UsualSize(value)


def _told(value: int | None) -> tuple[int | None, int | None]:
    """A size that was typed, and one that is usual; at most one of them is there."""
    return (None, value) if isinstance(value, UsualSize) else (value, None)


def _memory(ctx: typer.Context, value: int | None) -> int | None:
    if value is not None and is_typed(ctx, "pot_size"):
        raise _TWO_SIZES
    return value


def _explained(ctx: typer.Context, choices: list[str] | None) -> list[str] | None:
    """`--set help` lists the settings and ends the run."""
    if "help" not in (choices or ()) or ctx.resilient_parsing:
        return choices
    from infinipot_cli.display.console import error_console, say
    from infinipot_cli.display.listing import show_rows

    rows = [
        {"name": name, "paper": getattr(PAPER, name), "does": does, "policies": _policies_with(name)}
        for name, does in IN_SHORT.items()
    ]
    show_rows(rows, as_json=False)
    ours = f"where there is a question: {' '.join(settings.ASK_CHOICES)}; with pocket also"
    line = f"{ours} {' '.join(settings.POCKET_CHOICES)}"
    say(error_console(settings.Color.AUTO), line, style="dim")
    raise typer.Exit


def _policies_with(name: str) -> str:
    taking = [policy for policy, listed in POLICIES.items() if name in listed.choices]
    return "all" if len(taking) == len(POLICIES) else ", ".join(taking)


_TWO_SIZES = UsageError("-s and --memory both say how large the pot is", hint="give one of them")

PotSize = Annotated[
    int | None,
    typer.Option(
        "-s",
        "--pot-size",
        metavar="N",
        parser=settings.parse_size,
        callback=_size,
        help=f"Places in the pot, such as 1024 or 4k; {settings.POCKET_POT_SIZE} for pocket, else "
        f"{settings.POT_SIZE}, and never more than the model was trained for.",
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True)
class SizeOptions:
    """How large the pot is, and how full a distillation leaves it."""

    pot_size: PotSize = None
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget",
            metavar="N",
            parser=settings.parse_size,
            callback=_budget,
            help="Entries kept when a full pot is distilled; half the pot by default.",
            rich_help_panel=_PANEL,
        ),
    ] = None

    memory: Annotated[
        int | None,
        typer.Option(
            "--memory",
            metavar="SIZE",
            parser=settings.parse_bytes,
            callback=_memory,
            help="The largest pot that takes no more than this, such as 512MiB; instead of -s.",
            rich_help_panel=_PANEL,
        ),
    ] = None

    def request(self, max_tokens: int | None = None) -> settings.PotRequest:
        """The same as the session takes it.

        Args:
            max_tokens: room for the answer, in tokens; None leaves it to the task.

        Raises:
            PotSizeError: sizes that can hold nothing.
        """
        (size, usual_size), (budget, usual_budget) = _told(self.pot_size), _told(self.budget)
        return settings.PotRequest(
            size, budget, max_tokens=max_tokens, memory=self.memory,
            usual_capacity=usual_size, usual_budget=usual_budget,
        )  # fmt: skip


@dataclass(frozen=True)
class DistillingOptions(SizeOptions):
    """Besides the sizes: what a distillation keeps."""

    novelty: Annotated[
        float,
        typer.Option(
            "--novelty",
            metavar="SHARE",
            help="Part of the kept entries given to the most surprising tokens, 0 to 1.",
            rich_help_panel=_PANEL,
        ),
    ] = settings.NOVELTY_RATIO
    chunk: Annotated[
        int,
        typer.Option(
            "--chunk",
            metavar="N",
            parser=settings.parse_size,
            help="Tokens read in one pass.",
            rich_help_panel=_PANEL,
        ),
    ] = settings.CHUNK
    keep_first: Annotated[
        int | None,
        typer.Option(
            "--keep-first",
            metavar="N",
            parser=settings.parse_size,
            help="Tokens at the start of the document that are never dropped.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    keep_last: Annotated[
        int | None,
        typer.Option(
            "--keep-last",
            metavar="N",
            parser=settings.parse_size,
            help="So many of the latest tokens are never dropped by a distillation.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            metavar="NAME",
            help=f"Who decides what stays: {', '.join(POLICY_NAMES)}; {DEFAULT} unless a stored pot says otherwise.",
            rich_help_panel=_PANEL,
            autocompletion=complete.policies,
            show_default=False,
        ),
    ] = None
    choices: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            callback=_explained,
            help=f"Keep other entries than the paper does: {', '.join(NAMES)}. `--set help` says what each does.",
            autocompletion=complete.choices,
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None

    @property
    def typed(self) -> list[str]:
        """What was asked for by `--set` and by options of their own, as for `--set`; what is switched off, too."""
        named = (("sinks", self.keep_first), ("recent", self.keep_last))
        return [*(self.choices or ()), *(f"{name}={value}" for name, value in named if value is not None)]

    def request(self, max_tokens: int | None = None, *, usual: Sequence[str] = ()) -> settings.PotRequest:
        """The same as the session takes it.

        Args:
            max_tokens: room for the answer, in tokens; None leaves it to the task.
            usual: settings of the default policy, as for `--set`, which has the last word.

        Raises:
            PotSizeError: sizes that can hold nothing.
            UsageError: `--set` with a name or value that there is not, or of a score that gives no place away.
        """
        policy = self.policy or DEFAULT
        choice, own = parse_settings(policy, [*(usual if policy == DEFAULT else ()), *self.typed])
        if policy == DEFAULT:
            choice.check_share(self.novelty)
        asked = super().request(max_tokens)
        return replace(
            asked, novelty_ratio=self.novelty, chunk=self.chunk, choice=choice, policy=self.policy, policy_settings=own
        )


@dataclass(frozen=True)
class CatalystOptions:
    """What judges a full pot."""

    catalyst: Annotated[
        str | None,
        typer.Option(
            "--catalyst",
            metavar="NAME",
            help="What judges a full pot: question (Q), general (G), the paper's P, U, G1, G2, or a .md or .txt file.",
            rich_help_panel=_PANEL,
            show_default=False,
            autocompletion=complete.catalysts,
        ),
    ] = None

    def judge(self, task: "Task", request: settings.PotRequest, *, has_question: bool = True) -> "Task":
        """The task with the catalyst that was asked for.

        Args:
            task: with its own.
            request: what was asked of the pot.
            has_question: whether the task's question, if it has one, is the user's.

        Raises:
            UsageError: there is no such catalyst, it wants a question that the task has not, or nobody listens to it.
        """
        if self.catalyst is None:
            return task
        name = request.policy or DEFAULT
        if not has_catalyst(name, request.policy_settings):
            heard = label(name, request.policy_settings)
            raise UsageError(f"the policy {heard} listens to no catalyst", hint="leave --catalyst out")
        from infinipot_cli.templates import catalyst_name, load_catalyst

        chosen = catalyst_name(self.catalyst)
        if load_catalyst(chosen).wants_question and not (task.question and has_question):
            raise UsageError(f"the catalyst {self.catalyst} wants a question, and there is none here")
        return replace(task, catalyst=chosen)
