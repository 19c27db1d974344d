"""Options about what is said to the model beside the document, and how its words are drawn."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from infinipot_cli import settings
from infinipot_cli.commands import complete
from infinipot_cli.commands.runs.prompting import Wording

_PANEL = "Prompt and sampling"


System = Annotated[
    str | None,
    typer.Option("--system", metavar="TEXT", help="An instruction in front of the document.", rich_help_panel=_PANEL),
]


@dataclass(frozen=True)
class SamplingOptions:
    """How the next token is chosen."""

    temperature: Annotated[
        float,
        typer.Option(
            "--temperature",
            metavar="T",
            help="0 always takes the likeliest token, more draws one.",
            rich_help_panel=_PANEL,
        ),
    ] = 0.0
    top_p: Annotated[
        float,
        typer.Option(
            "--top-p", metavar="P", help="Share of the probability that takes part in a draw.", rich_help_panel=_PANEL
        ),
    ] = 1.0
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", metavar="N", help="Of the random draws; a new one each time by default.", rich_help_panel=_PANEL
        ),
    ] = None

    def sampling(self) -> settings.Sampling:
        """The same as the session takes it; a draw without a seed gets one that the JSON can name.

        Raises:
            UsageError: a value out of its range.
        """
        seed = self.seed
        if seed is None:
            seed = random.SystemRandom().randrange(2**31) if self.temperature else 0
        return settings.Sampling(self.temperature, self.top_p, seed)


@dataclass(frozen=True)
class PromptOptions:
    """The prompt: a template, its values, an instruction in front."""

    template: Annotated[
        str | None,
        typer.Option(
            "-t",
            "--template",
            metavar="NAME",
            help="A prompt: a name from infinipot templates list, or a .md file.",
            autocompletion=complete.templates,
            rich_help_panel=_PANEL,
        ),
    ] = None
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            "--param",
            metavar="NAME=VALUE",
            help="A value for {NAME} in the template.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None
    system: System = None

    def wording(self, templates: Mapping[str, Mapping[str, Any]]) -> Wording:
        """The same as a task is put together from.

        Args:
            templates: those of the settings, by name.
        """
        return Wording(self.template, self.system, self.parameter or [], templates)
