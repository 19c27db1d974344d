"""Options about bringing a model into memory."""

import os
from dataclasses import dataclass
from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands import complete
from infinipot_cli.errors import UsageError

_PANEL = "Loading the model"


@dataclass(frozen=True)
class LoadingOptions:
    """Where a model computes, in which numbers, and what of its folder is trusted."""

    device: Annotated[
        str,
        typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps.", rich_help_panel=_PANEL),
    ] = "auto"
    dtype: Annotated[
        settings.Dtype,
        typer.Option(
            "--dtype",
            metavar="NAME",
            parser=settings.parse_dtype,
            help=f"Number format of the weights: {settings.DTYPE_NAMES}.",
            autocompletion=complete.dtypes,
            rich_help_panel=_PANEL,
        ),
    ] = settings.Dtype.AUTO
    attention: Annotated[
        settings.Attention,
        typer.Option(
            "--attn",
            metavar="NAME",
            help="Implementation of attention: auto, sdpa, flash or eager.",
            rich_help_panel=_PANEL,
        ),
    ] = settings.Attention.AUTO
    quantize: Annotated[
        settings.Quantization,
        typer.Option(
            "--quantize",
            metavar="NAME",
            help="Round the weights to fewer bits while loading: none, int8, bnb-4bit or bnb-8bit.",
            rich_help_panel=_PANEL,
        ),
    ] = settings.Quantization.NONE
    text_only: Annotated[
        bool,
        typer.Option(
            "--text-only",
            help="Of a model that also sees pictures or hears sound, load the language part alone.",
            rich_help_panel=_PANEL,
        ),
    ] = False
    trust_remote_code: Annotated[
        bool,
        typer.Option("--trust-remote-code", help="Run code that lies in the model's folder.", rich_help_panel=_PANEL),
    ] = False
    allow_pickle: Annotated[
        bool,
        typer.Option("--allow-pickle", help="Read weights that are not safetensors.", rich_help_panel=_PANEL),
    ] = False
    think: Annotated[
        bool,
        typer.Option("--think", help="Let the model reason first, and print that too.", rich_help_panel=_PANEL),
    ] = False

    revision: Annotated[
        str | None,
        typer.Option(
            "--revision",
            metavar="NAME",
            help="Of a model from the hub, this branch, tag or commit; -m NAME@REVISION says the same.",
            rich_help_panel=_PANEL,
        ),
    ] = None

    def named(self, model: str) -> str:
        """The model's name with its revision, if one was asked for.

        Args:
            model: as the user named it.

        Raises:
            UsageError: it has none, or one already.
        """
        if self.revision is None:
            return model
        if model == settings.DEFAULT_MODEL or "@" in model or os.path.exists(model):
            raise UsageError(f"--revision is for models of the hub, not for {model}", hint="leave it out")
        return f"{model}@{self.revision}"

    def loading(self) -> settings.Loading:
        """The same as the session takes it.

        Raises:
            UsageError: there is no such device.
        """
        return settings.Loading(
            self.device,
            self.dtype,
            self.attention,
            self.quantize,
            self.trust_remote_code,
            self.allow_pickle,
            self.think,
            self.text_only,
        )
